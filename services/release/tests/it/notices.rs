//! Notices: each fact once to each party concerned, in one order, from any cursor.

use std::time::Duration;

use chassis::convert::timestamp;
use futures::StreamExt;
use proto::bonded::events::v1 as bonded;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::v1 as api;
use proto::release::v1::release_service_server::ReleaseService;

use crate::world::{SITE, World, call, customs_condition, noon};

const DEADLINE: Duration = Duration::from_secs(20);

async fn stream(
    world: &World,
    party: &str,
    cursor: &str,
) -> <release::grpc::Handlers as ReleaseService>::StreamNoticesStream {
    let request = api::StreamNoticesRequest {
        cursor: cursor.into(),
    };
    world
        .handlers
        .stream_notices(call(party, request))
        .await
        .unwrap()
        .into_inner()
}

async fn next(
    stream: &mut <release::grpc::Handlers as ReleaseService>::StreamNoticesStream,
) -> Option<api::Notice> {
    let item = tokio::time::timeout(DEADLINE, stream.next())
        .await
        .expect("a notice within the deadline");
    item.map(|response| response.unwrap().notice.unwrap())
}

#[tokio::test]
async fn rule_7_the_stream_gives_what_is_stored_and_then_goes_on_live_from_any_cursor() {
    let world = World::new().await;
    world.announced().await;
    world.arrived().await;
    let stored = world.told("terminal").await;
    assert!(stored.len() >= 3, "{stored:?}");

    let mut live = stream(&world, "terminal", "").await;
    for expected in &stored {
        assert_eq!(next(&mut live).await.as_ref(), Some(expected));
    }
    world.available().await;
    let fresh = next(&mut live).await.unwrap();
    assert_eq!(fresh.fact, "CONTAINER_VISIT_AVAILABLE");

    let mut again = stream(&world, "terminal", &stored[0].cursor).await;
    assert_eq!(
        next(&mut again).await.as_ref(),
        Some(&stored[1]),
        "the same notice under the same id"
    );

    world.shutdown.request();
    while next(&mut live).await.is_some() {}
}

#[tokio::test]
async fn pages_of_notices_join_without_gap_or_repeat() {
    let world = World::new().await;
    world.granted().await;
    let all = world.told("line-a").await;
    let mut paged = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = api::ListNoticesRequest {
            page: Some(common::Page {
                page_size: 2,
                page_token,
            }),
        };
        let response = world
            .handlers
            .list_notices(call("line-a", request))
            .await
            .unwrap()
            .into_inner();
        paged.extend(response.notices);
        page_token = response.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all);
}

#[tokio::test]
async fn a_party_is_told_of_a_fact_once() {
    let world = World::new().await;
    world.granted().await;
    for party in ["haulier-a", "broker-a", "trader-a", "line-a", "terminal"] {
        let mut sources: Vec<String> = world
            .told(party)
            .await
            .into_iter()
            .map(|notice| notice.source_event_id)
            .collect();
        let all = sources.len();
        sources.sort();
        sources.dedup();
        assert_eq!(sources.len(), all, "{party}");
    }
}

#[tokio::test]
async fn everyone_is_told_of_what_concerns_it_and_of_nothing_else() {
    let world = World::new().await;
    world.granted().await;
    world.declaration(customs::DeclarationFact::Cleared).await;
    world
        .truck(
            "haulier-a",
            gate::TruckVisitFact::TurnedAway,
            vec![customs_condition("TERMINAL_HOLD")],
        )
        .await;
    let has = async |party: &str, fact: &str| {
        world
            .facts_told(party)
            .await
            .iter()
            .any(|told| told == fact)
    };
    assert!(has("broker-a", "DECLARATION_CLEARED").await);
    assert!(has("trader-a", "DECLARATION_CLEARED").await);
    assert!(!has("haulier-a", "DECLARATION_CLEARED").await);
    assert!(has("haulier-a", "PRE_ARRIVAL_SUBMITTED").await);
    assert!(!has("line-a", "PRE_ARRIVAL_SUBMITTED").await);
    assert!(has("haulier-a", "COMMERCIAL_RELEASE_GRANTED").await);
    assert!(has("line-a", "COMMERCIAL_RELEASE_GRANTED").await);
    assert!(has("terminal", "TRUCK_VISIT_TURNED_AWAY").await);
    assert!(world.told("haulier-b").await.is_empty());
    let away = world
        .told("haulier-a")
        .await
        .into_iter()
        .find(|notice| notice.fact == "TRUCK_VISIT_TURNED_AWAY")
        .unwrap();
    assert_eq!(away.conditions[0].code, "TERMINAL_HOLD");
    let granted = world
        .told("haulier-a")
        .await
        .into_iter()
        .find(|notice| notice.fact == "RELEASE_GRANTED")
        .unwrap();
    assert_eq!(granted.text, "The container may leave with your truck.");
    assert!(granted.event_id.starts_with("greenlane.release.notice.v1/"));
}

#[tokio::test]
async fn an_officer_whose_hold_takes_a_release_back_is_told_what_came_of_it() {
    let world = World::new().await;
    world.granted().await;
    world
        .hold("customs", "H1", common::HoldKind::Customs, false)
        .await;
    let ask = world.decisions().await.pop().unwrap().ask_id;
    world.answer(&ask, gate::AnswerVerdict::TooLate).await;
    let told = world.facts_told("officer-1").await;
    for fact in [
        "HOLD_PLACED",
        "RELEASE_REVOCATION_ASKED",
        "REVOCATION_TOO_LATE",
    ] {
        assert!(told.iter().any(|told| told == fact), "{fact}: {told:?}");
    }
    assert!(world.told("officer-2").await.is_empty());
}

#[tokio::test]
async fn a_nominated_carrier_is_told_that_its_truck_is_recalled() {
    let world = World::new().await;
    let recalled = |truck: &str, carrier: &str| gate::TruckVisitEvent {
        fact: gate::TruckVisitFact::Recalled.into(),
        observed_at: Some(timestamp(noon())),
        recorded_at: Some(timestamp(noon())),
        truck_visit: Some(gate::TruckVisitState {
            truck_visit_id: truck.into(),
            version: 1,
            site_id: SITE.into(),
            haulier_party: "haulier-a".into(),
            carrier_party: carrier.into(),
            conditions: vec![customs_condition("CUSTOMS_HOLD")],
            ..gate::TruckVisitState::default()
        }),
    };
    for (truck, carrier) in [("T1", "haulier-b"), ("T2", "haulier-a"), ("T3", "")] {
        let event = recalled(truck, carrier);
        world.apply("gate.truck-visit", truck, &event).await;
    }
    assert_eq!(world.facts_told("haulier-a").await.len(), 3);
    let told = world.told("haulier-b").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].subject, "truck-visit/T1");
}

#[tokio::test]
async fn the_operator_of_the_centre_is_told_of_its_stock() {
    let world = World::new().await;
    let opened = |book: &str| bonded::BookEvent {
        recorded_at: Some(timestamp(noon())),
        book_number: book.into(),
        version: 1,
        trader_party: "trader-a".into(),
        fact: Some(bonded::book_event::Fact::Opened(bonded::BookOpened {
            site_id: "GUOYUAN-BLC".into(),
        })),
    };
    world.party("operator", "operator").await;
    world.apply("bonded.book", "B1", &opened("B1")).await;
    for party in ["trader-a", "operator"] {
        assert_eq!(world.facts_told(party).await, ["BOOK_OPENED"], "{party}");
    }
    assert!(world.told("trader-b").await.is_empty());
    // Of two nobody can say whose centre it is.
    world.party("another-operator", "operator").await;
    world.apply("bonded.book", "B2", &opened("B2")).await;
    assert_eq!(world.told("operator").await.len(), 1);
    assert!(world.told("another-operator").await.is_empty());
}
