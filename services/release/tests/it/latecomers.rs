//! Topics have no order among each other: what is read late must come to the same as what is read in time,
//! for whoever is told and for the timeline.

use std::sync::atomic::Ordering;

use chassis::convert::timestamp;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::v1 as api;
use proto::release::v1::get_timeline_request::Subject;
use proto::release::v1::release_service_server::ReleaseService;

use crate::timeline::timeline;
use crate::world::{CONTAINER, DOCUMENT, VISIT, World, call, consignment, fresh, noon};

async fn facts_of(world: &World, party: &str, subject: Subject) -> Vec<String> {
    timeline(world, party, subject, 50)
        .await
        .into_iter()
        .map(|entry| entry.fact)
        .collect()
}

/// What a party was told, without the decisions: which of those there are depends on the order.
async fn told(world: &World, party: &str) -> Vec<String> {
    let mut facts = world.facts_told(party).await;
    facts.retain(|fact| !fact.starts_with("RELEASE_"));
    facts.sort();
    facts
}

#[tokio::test]
async fn rule_10_a_release_given_before_the_train_is_announced_is_in_its_containers_timeline() {
    let world = World::new().await;
    world.line_releases_to("haulier-a").await;
    world.announced().await;
    for party in ["terminal", "officer-1", "line-a", "haulier-a"] {
        for subject in [
            Subject::ContainerNumber(CONTAINER.into()),
            Subject::ContainerVisitId(VISIT.into()),
        ] {
            let entries = timeline(&world, party, subject.clone(), 50).await;
            let granted = entries
                .iter()
                .find(|entry| entry.fact == "COMMERCIAL_RELEASE_GRANTED");
            let granted = granted.unwrap_or_else(|| panic!("{party}, {subject:?}: {entries:?}"));
            assert_eq!(granted.container_number, CONTAINER, "{party}");
        }
    }
    // Whose goods they are not does not read it.
    world
        .pre_arrival("haulier-b", gate::PreArrivalFact::Submitted)
        .await;
    let facts = facts_of(
        &world,
        "haulier-b",
        Subject::ContainerNumber(CONTAINER.into()),
    )
    .await;
    assert!(
        !facts.contains(&"COMMERCIAL_RELEASE_GRANTED".to_owned()),
        "{facts:?}"
    );
}

#[tokio::test]
async fn rule_10_a_release_for_one_container_is_in_no_other_containers_timeline() {
    let world = World::new().await;
    let request = api::GrantCommercialReleaseRequest {
        request_id: fresh(),
        transport_document: DOCUMENT.into(),
        haulier_party: "haulier-a".into(),
        container_number: "CSQU3054383".into(),
        ..api::GrantCommercialReleaseRequest::default()
    };
    world
        .handlers
        .grant_commercial_release(call("line-a", request))
        .await
        .unwrap();
    world.announced().await;
    let facts = facts_of(
        &world,
        "officer-1",
        Subject::ContainerNumber(CONTAINER.into()),
    )
    .await;
    assert!(
        !facts.contains(&"COMMERCIAL_RELEASE_GRANTED".to_owned()),
        "{facts:?}"
    );
}

#[tokio::test]
async fn rule_4_a_hold_that_is_read_before_its_stay_is_told_to_everyone_concerned() {
    let (in_time, late) = (World::new().await, World::new().await);
    let held = async |world: &World| {
        world
            .hold("gate", "T1", common::HoldKind::Terminal, false)
            .await;
        world
            .hold("gate", "T1", common::HoldKind::Terminal, true)
            .await;
    };
    let here = async |world: &World| {
        world
            .pre_arrival("haulier-a", gate::PreArrivalFact::Submitted)
            .await;
        world.announced().await;
        world.customs_released().await;
    };
    here(&in_time).await;
    held(&in_time).await;
    held(&late).await;
    let facts = facts_of(
        &late,
        "terminal",
        Subject::ContainerNumber(CONTAINER.into()),
    )
    .await;
    assert_eq!(facts, ["HOLD_PLACED", "HOLD_LIFTED"], "before the stay");
    here(&late).await;
    for party in ["terminal", "line-a", "haulier-a", "broker-a", "trader-a"] {
        let expected = told(&in_time, party).await;
        assert!(expected.contains(&"HOLD_PLACED".to_owned()), "{party}");
        assert_eq!(told(&late, party).await, expected, "{party}");
    }
    for notice in late.told("haulier-a").await {
        assert_eq!(notice.container_number, CONTAINER, "{notice:?}");
    }
}

#[tokio::test]
async fn rule_4_whoever_is_heard_of_late_is_told_what_was_before_with_its_own_times() {
    let (in_time, late) = (World::new().await, World::new().await);
    let concerned = async |world: &World| {
        world
            .pre_arrival("haulier-a", gate::PreArrivalFact::Submitted)
            .await;
        world.clearance(vec![consignment(true, Vec::new())]).await;
    };
    let gone = async |world: &World| {
        world.announced().await;
        world.arrived().await;
        world.available().await;
        world.departed().await;
    };
    concerned(&in_time).await;
    gone(&in_time).await;
    gone(&late).await;
    concerned(&late).await;
    for party in ["haulier-a", "broker-a", "trader-a", "line-a", "terminal"] {
        let expected = told(&in_time, party).await;
        assert!(
            expected.contains(&"CONTAINER_VISIT_DEPARTED".to_owned()),
            "{party}: {expected:?}"
        );
        assert_eq!(told(&late, party).await, expected, "{party}");
        assert!(late.explain(party).await.is_ok(), "{party}");
    }
    let times = async |world: &World| {
        let mut told = world.told("haulier-a").await;
        // The departure is recorded now; the others have the same times in both.
        told.retain(|notice| notice.fact.starts_with("CONTAINER_VISIT_A"));
        told.into_iter()
            .map(|notice| (notice.fact, notice.observed_at, notice.recorded_at))
            .collect::<Vec<_>>()
    };
    assert_eq!(times(&late).await, times(&in_time).await);
}

#[tokio::test]
async fn rule_4_a_hold_on_a_declaration_that_is_read_first_is_told_to_the_declarations_parties() {
    let world = World::new().await;
    let placed = common::HoldEvent {
        fact: common::HoldFact::Placed.into(),
        hold: Some(common::Hold {
            hold_id: "H1".into(),
            scope: Some(common::HoldScope {
                kind: common::HoldScopeKind::Declaration.into(),
                key: "declaration-1".into(),
            }),
            kind: common::HoldKind::Customs.into(),
            placed_by_party: "officer-1".into(),
            reason: "a reason".into(),
            placed_at: Some(timestamp(noon())),
            ..common::Hold::default()
        }),
        observed_at: Some(timestamp(noon())),
        recorded_at: Some(timestamp(noon())),
    };
    world
        .apply("customs.hold", "declaration/declaration-1", &placed)
        .await;
    world.announced().await;
    world
        .declaration(customs::DeclarationFact::Registered)
        .await;
    world.declaration(customs::DeclarationFact::Accepted).await;
    for party in ["broker-a", "trader-a", "officer-1"] {
        let told = world.told(party).await;
        let placed: Vec<_> = told
            .iter()
            .filter(|notice| notice.fact == "HOLD_PLACED")
            .collect();
        assert_eq!(placed.len(), 1, "{party}: {told:?}");
        if party != "officer-1" {
            assert_eq!(placed[0].title, "26GB0000000000001");
        }
    }
    assert!(
        !world
            .facts_told("line-a")
            .await
            .contains(&"HOLD_PLACED".to_owned())
    );
    for (party, subject) in [
        ("broker-a", Subject::Mrn("26GB0000000000001".into())),
        ("broker-a", Subject::DeclarationId("declaration-1".into())),
        ("terminal", Subject::ContainerNumber(CONTAINER.into())),
    ] {
        let facts = facts_of(&world, party, subject.clone()).await;
        assert!(
            facts.contains(&"HOLD_PLACED".to_owned()),
            "{party}, {subject:?}: {facts:?}"
        );
    }
}

#[tokio::test]
async fn who_comes_after_a_grant_was_taken_back_is_not_told_of_it() {
    let world = World::new().await;
    world.granted().await;
    world
        .hold("gate", "T1", common::HoldKind::Terminal, false)
        .await;
    let ask = world.decisions().await.pop().unwrap().ask_id;
    world
        .pre_arrival("haulier-b", gate::PreArrivalFact::Submitted)
        .await;
    assert_eq!(
        world.facts_told("haulier-b").await,
        [
            "PRE_ARRIVAL_SUBMITTED",
            "HOLD_PLACED",
            "CONTAINER_VISIT_ANNOUNCED",
            "CONTAINER_VISIT_ARRIVED",
            "CONTAINER_VISIT_AVAILABLE",
        ]
        .map(str::to_owned)
    );
    world.answer(&ask, gate::AnswerVerdict::Applied).await;
    assert!(
        !world
            .facts_told("haulier-b")
            .await
            .contains(&"RELEASE_GRANTED".to_owned())
    );
}

#[tokio::test]
async fn whoever_comes_after_a_grant_that_stands_is_told_of_it_and_of_its_end() {
    let world = World::new().await;
    world.granted().await;
    world
        .pre_arrival("haulier-b", gate::PreArrivalFact::Submitted)
        .await;
    let granted = world
        .told("haulier-b")
        .await
        .into_iter()
        .find(|notice| notice.fact == "RELEASE_GRANTED")
        .unwrap();
    assert!(granted.text.contains("another haulier"), "{}", granted.text);
    world
        .pre_arrival("haulier-b", gate::PreArrivalFact::Cancelled)
        .await;
    world
        .hold("gate", "T1", common::HoldKind::Terminal, false)
        .await;
    let facts = world.facts_told("haulier-b").await;
    assert!(
        facts.contains(&"RELEASE_REVOCATION_ASKED".to_owned())
            && !facts.contains(&"HOLD_PLACED".to_owned()),
        "{facts:?}"
    );
}

#[tokio::test]
async fn what_is_stated_again_counts_and_is_told_to_nobody() {
    let world = World::new().await;
    world.announced().await;
    world.states_again.store(true, Ordering::Relaxed);
    world.arrived().await;
    world.states_again.store(false, Ordering::Relaxed);
    assert!(
        !world
            .why("terminal")
            .await
            .contains(&"NOT_ARRIVED".to_owned())
    );
    let told = world.facts_told("terminal").await;
    assert!(
        !told.contains(&"CONTAINER_VISIT_ARRIVED".to_owned()),
        "{told:?}"
    );
    let facts = facts_of(&world, "terminal", Subject::ContainerVisitId(VISIT.into())).await;
    assert!(
        !facts.contains(&"CONTAINER_VISIT_ARRIVED".to_owned()),
        "{facts:?}"
    );
}
