//! The timeline: every fact, both clocks, and only for those whom it concerns.

use proto::bonded::events::v1 as bonded;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::v1 as api;
use proto::release::v1::get_timeline_request::Subject;
use proto::release::v1::release_service_server::ReleaseService;

use crate::lists::{CENTRE, INTO, OUT_OF, centre, into_bond, list};
use crate::world::{CONTAINER, VISIT, World, call};

pub async fn timeline(
    world: &World,
    party: &str,
    subject: Subject,
    page_size: i32,
) -> Vec<api::TimelineEntry> {
    let mut entries = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = api::GetTimelineRequest {
            subject: Some(subject.clone()),
            page: Some(common::Page {
                page_size,
                page_token,
            }),
        };
        let response = world
            .handlers
            .get_timeline(call(party, request))
            .await
            .unwrap()
            .into_inner();
        entries.extend(response.entries);
        page_token = response.next_page_token;
        if page_token.is_empty() {
            return entries;
        }
    }
}

#[tokio::test]
async fn rule_10_a_journey_has_one_timeline_and_who_comes_later_reads_what_was_before() {
    let world = World::new().await;
    world.granted().await;
    world.declaration(customs::DeclarationFact::Cleared).await;
    world
        .truck("haulier-a", gate::TruckVisitFact::GatedIn, Vec::new())
        .await;
    let entries = timeline(
        &world,
        "terminal",
        Subject::ContainerNumber(CONTAINER.into()),
        3,
    )
    .await;
    let facts: Vec<&str> = entries.iter().map(|entry| entry.fact.as_str()).collect();
    for fact in [
        "CONTAINER_VISIT_ANNOUNCED",
        "PRE_ARRIVAL_SUBMITTED",
        "CONTAINER_VISIT_ARRIVED",
        "COMMERCIAL_RELEASE_GRANTED",
        "RELEASE_WITHHELD",
        "CONTAINER_VISIT_AVAILABLE",
        "RELEASE_GRANTED",
        "TRUCK_VISIT_GATED_IN",
        "DECLARATION_CLEARED",
    ] {
        assert!(facts.contains(&fact), "{fact} in {facts:?}");
    }
    let mut ids: Vec<&str> = entries
        .iter()
        .map(|entry| entry.event_id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), entries.len());
    assert!(entries.is_sorted_by_key(|entry| entry.recorded_at.map(|at| (at.seconds, at.nanos))));

    // The broker's declaration was bound after the announcement, which it reads all the same.
    let broker = timeline(
        &world,
        "broker-a",
        Subject::ContainerVisitId(VISIT.into()),
        50,
    )
    .await;
    let facts: Vec<&str> = broker.iter().map(|entry| entry.fact.as_str()).collect();
    assert!(
        facts.contains(&"CONTAINER_VISIT_ANNOUNCED") && facts.contains(&"RELEASE_GRANTED"),
        "{facts:?}"
    );
    assert!(
        !facts.contains(&"PRE_ARRIVAL_SUBMITTED") && !facts.contains(&"TRUCK_VISIT_GATED_IN"),
        "{facts:?}"
    );
    let own = timeline(
        &world,
        "broker-a",
        Subject::Mrn("26GB0000000000001".into()),
        50,
    )
    .await;
    assert_eq!(own[0].fact, "DECLARATION_CLEARED");
    let own = timeline(
        &world,
        "haulier-a",
        Subject::TruckVisitId("truck-1".into()),
        50,
    )
    .await;
    assert_eq!(own[0].fact, "TRUCK_VISIT_GATED_IN");
}

#[tokio::test]
async fn another_firms_timeline_is_not_there() {
    let world = World::new().await;
    world.granted().await;
    for (party, subject) in [
        ("haulier-b", Subject::ContainerVisitId(VISIT.into())),
        (
            "haulier-b",
            Subject::PreArrivalId("pre-arrival of haulier-a".into()),
        ),
        ("line-b", Subject::ContainerNumber(CONTAINER.into())),
    ] {
        let request = api::GetTimelineRequest {
            subject: Some(subject),
            page: None,
        };
        let status = world
            .handlers
            .get_timeline(call(party, request))
            .await
            .unwrap_err();
        assert_eq!(status.code(), tonic::Code::NotFound, "{party}");
    }
}

/// What bonded posts because of a list.
async fn posted(world: &World, cause: &str) {
    let event = bonded::BookEvent {
        book_number: "BOOK00000001".into(),
        version: world.next("BOOK00000001"),
        trader_party: "trader-a".into(),
        recorded_at: Some(chassis::convert::timestamp(crate::world::noon())),
        fact: Some(bonded::book_event::Fact::MovementPosted(
            bonded::MovementPosted {
                line_number: 1,
                total: "ACTUAL_INCREASE".into(),
                cause: cause.into(),
                effective_at: Some(chassis::convert::timestamp(crate::world::noon())),
                ..bonded::MovementPosted::default()
            },
        )),
    };
    world.apply("bonded.book", "BOOK00000001", &event).await;
}

#[tokio::test]
async fn rule_10_what_a_list_moves_in_the_book_is_in_its_timeline_and_in_that_of_its_containers() {
    let world = centre().await;
    world.arrived().await;
    world.clearance(vec![into_bond(true)]).await;
    world.list_granted_for(INTO, vec![CONTAINER.into()]).await;
    world
        .list_is(bonded::StockListFact::Reserved, list(OUT_OF, "RESERVED"))
        .await;
    // Goods out of bond are taken in a container that only the pass names.
    let other = "CSQU3054383";
    let pass = gate::PreArrivalEvent {
        fact: gate::PreArrivalFact::Submitted.into(),
        observed_at: Some(chassis::convert::timestamp(crate::world::noon())),
        recorded_at: Some(chassis::convert::timestamp(crate::world::noon())),
        pre_arrival: Some(gate::PreArrivalState {
            version: 1,
            pre_arrival_id: "out".into(),
            site_id: CENTRE.into(),
            haulier_party: "haulier-a".into(),
            filer_party: "operator".into(),
            list_number: OUT_OF.into(),
            containers: vec![gate::PreArrivalContainer {
                container_number: other.into(),
                container_visit_id: String::new(),
            }],
            ..gate::PreArrivalState::default()
        }),
    };
    world.apply("gate.pre-arrival", "out", &pass).await;
    posted(&world, "OPENING 1/STOCK").await;
    posted(&world, &format!("COUNT {INTO}/1/1")).await;
    posted(&world, &format!("PASS {OUT_OF}/1/1")).await;
    let movements = async |party: &str, subject: Subject| -> Vec<String> {
        let entries = timeline(&world, party, subject, 50).await;
        let movements = entries.into_iter();
        movements
            .filter(|entry| entry.fact == "STOCK_MOVEMENT_POSTED")
            .map(|entry| entry.list_number)
            .collect()
    };
    for party in ["trader-a", "operator", "officer-1"] {
        for number in [INTO, OUT_OF] {
            let of_list = Subject::ListNumber(number.into());
            assert_eq!(movements(party, of_list).await, [number], "{party}");
        }
        let book = Subject::BookNumber("BOOK00000001".into());
        assert_eq!(movements(party, book).await.len(), 3, "{party}");
        let container = |number: &str| Subject::ContainerNumber(number.into());
        assert_eq!(movements(party, container(CONTAINER)).await, [INTO]);
        assert_eq!(movements(party, container(other)).await, [OUT_OF]);
    }
    // Whose truck comes for it reads nothing of the trader's stock.
    let container = Subject::ContainerNumber(other.into());
    assert!(movements("haulier-a", container).await.is_empty());
}
