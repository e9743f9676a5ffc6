//! Export: a container that a truck brought laden "may load" once customs has released its goods. Release
//! names no haulier for it, and takes it back as it does a pick-up: if gate can still apply that.

use futures::future::join_all;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::v1 as api;
use proto::release::v1::release_service_server::ReleaseService;

use crate::world::{
    CONTAINER, DOCUMENT, SITE, VISIT, World, arrived, call, consignment, customs_condition,
    departed, fresh,
};

/// As gate opens the stay when the truck is checked in: no manifest, and nothing to be picked up.
fn checked_in(visit: &str, container: &str) -> gate::ContainerVisit {
    gate::ContainerVisit {
        container_visit_id: visit.into(),
        container_number: container.into(),
        arrival_mode: gate::TransportMode::Truck.into(),
        manifest_lines: Vec::new(),
        document_references: vec!["26GB0000000000001".into()],
        ..arrived()
    }
}

fn loaded(stay: gate::ContainerVisit) -> gate::ContainerVisit {
    gate::ContainerVisit {
        loaded_on: "X8086".into(),
        ..stay
    }
}

fn left_by_train(stay: gate::ContainerVisit) -> gate::ContainerVisit {
    gate::ContainerVisit {
        departure_conveyance: "X8086".into(),
        ..departed(loaded(stay))
    }
}

fn export(
    visit: &str,
    declaration: &str,
    released: bool,
    conditions: Vec<common::Condition>,
) -> customs::ConsignmentClearance {
    customs::ConsignmentClearance {
        declaration_id: declaration.into(),
        container_visit_id: visit.into(),
        direction: "EXPORT".into(),
        ..consignment(released, conditions)
    }
}

async fn checked_in_and_released(world: &World) {
    world
        .visit(
            gate::ContainerVisitFact::Arrived,
            checked_in(VISIT, CONTAINER),
        )
        .await;
    world
        .clearance(vec![export(VISIT, "declaration-1", true, Vec::new())])
        .await;
    assert_eq!(world.state().await, "GRANTED");
}

#[tokio::test]
async fn journey_b_what_a_truck_brought_may_be_loaded_once_customs_released_it_and_leaves_by_train()
{
    let world = World::new().await;
    world
        .visit(
            gate::ContainerVisitFact::Arrived,
            checked_in(VISIT, CONTAINER),
        )
        .await;
    let explained = world.explain("terminal").await.unwrap();
    assert!(!explained.may_leave);
    let release = explained.release.unwrap();
    assert_eq!(release.journey, "EXPORT");
    let missing = &release.conditions[0];
    assert_eq!(
        (missing.code.as_str(), missing.who.as_str()),
        ("NOT_DECLARED", "broker")
    );
    assert_eq!(missing.subject, format!("container-visit/{VISIT}"));
    assert_eq!(release.conditions.len(), 1, "{:?}", release.conditions);

    let control = vec![customs_condition("DOCUMENTS_CONTROL")];
    world
        .clearance(vec![export(VISIT, "declaration-1", false, control)])
        .await;
    for party in ["broker-a", "trader-a", "terminal"] {
        assert_eq!(world.why(party).await, ["DOCUMENTS_CONTROL"], "{party}");
    }
    world
        .clearance(vec![export(VISIT, "declaration-1", true, Vec::new())])
        .await;
    let granted = world.decisions().await.pop().unwrap();
    assert_eq!(
        (
            granted.state.as_str(),
            granted.journey.as_str(),
            granted.haulier_party.as_str(),
            granted.list_number.as_str()
        ),
        ("GRANTED", "EXPORT", "", "")
    );
    let explained = world.explain("terminal").await.unwrap();
    assert!(explained.may_leave);
    let [goods] = &explained.consignments[..] else {
        panic!("{:?}", explained.consignments);
    };
    assert!(goods.customs_released);
    assert_eq!(goods.transport_document, DOCUMENT);
    for party in ["broker-a", "trader-a", "terminal"] {
        let told = world.told(party).await;
        let granted: Vec<_> = told
            .iter()
            .filter(|notice| notice.fact == "RELEASE_GRANTED")
            .collect();
        let [granted] = granted[..] else {
            panic!("{party}: {told:?}");
        };
        assert_eq!(
            granted.text,
            "The container may be loaded onto a train or barge."
        );
    }
    assert!(world.told("haulier-a").await.is_empty());

    let stay = || checked_in(VISIT, CONTAINER);
    world
        .visit(gate::ContainerVisitFact::Loaded, loaded(stay()))
        .await;
    assert_eq!(world.state().await, "GRANTED");
    world
        .visit(gate::ContainerVisitFact::Departed, left_by_train(stay()))
        .await;
    assert_eq!(
        world.states().await,
        ["WITHHELD", "WITHHELD", "GRANTED", "CONSUMED"]
    );
    assert_eq!(world.decisions().await.pop().unwrap().journey, "EXPORT");
}

#[tokio::test]
async fn an_export_that_a_truck_takes_away_again_uses_the_release_up() {
    let world = World::new().await;
    checked_in_and_released(&world).await;
    let taken = gate::ContainerVisit {
        departed_with_truck_visit_id: "truck-1".into(),
        ..departed(checked_in(VISIT, CONTAINER))
    };
    world.visit(gate::ContainerVisitFact::Departed, taken).await;
    assert_eq!(world.state().await, "CONSUMED");
}

#[tokio::test]
async fn every_export_declaration_of_the_container_must_be_released_and_no_import_counts() {
    let world = World::new().await;
    world
        .visit(
            gate::ContainerVisitFact::Arrived,
            checked_in(VISIT, CONTAINER),
        )
        .await;
    let import = || customs::ConsignmentClearance {
        direction: "IMPORT".into(),
        ..export(VISIT, "declaration-3", true, Vec::new())
    };
    world.clearance(vec![import()]).await;
    assert_eq!(world.why("terminal").await, ["NOT_DECLARED"]);
    let unbound = customs::ConsignmentClearance {
        unbound_because: "another container".into(),
        ..export("", "declaration-1", true, Vec::new())
    };
    world.clearance(vec![import(), unbound]).await;
    let release = world.explain("terminal").await.unwrap().release.unwrap();
    assert!(
        release.conditions[0]
            .description
            .contains("another container"),
        "{:?}",
        release.conditions
    );
    let first = || export(VISIT, "declaration-1", true, Vec::new());
    let second = |released| export(VISIT, "declaration-2", released, Vec::new());
    world
        .clearance(vec![import(), first(), second(false)])
        .await;
    assert_eq!(world.why("terminal").await, ["CUSTOMS_NOT_RELEASED"]);
    world.clearance(vec![import(), first(), second(true)]).await;
    assert_eq!(world.state().await, "GRANTED");
}

#[tokio::test]
async fn what_is_released_under_another_stay_does_not_let_the_container_load() {
    let world = World::new().await;
    checked_in_and_released(&world).await;
    world
        .visit(
            gate::ContainerVisitFact::Departed,
            departed(checked_in(VISIT, CONTAINER)),
        )
        .await;
    let next = format!("{SITE}/{CONTAINER}/2");
    let again = gate::ContainerVisit {
        ordinal: 2,
        ..checked_in(&next, CONTAINER)
    };
    world.visit(gate::ContainerVisitFact::Arrived, again).await;
    let decision = world.decisions_on(&next).await.pop().unwrap();
    assert_eq!(decision.state, "WITHHELD");
    assert_eq!(decision.conditions[0].code, "NOT_DECLARED");
}

#[tokio::test]
async fn a_check_in_that_was_a_mistake_takes_the_release_back() {
    let world = World::new().await;
    checked_in_and_released(&world).await;
    let corrected = gate::ContainerVisit {
        phase: gate::ContainerVisitPhase::ShortLanded.into(),
        ..checked_in(VISIT, CONTAINER)
    };
    world
        .visit(gate::ContainerVisitFact::ShortLanded, corrected)
        .await;
    let ask = world.decisions().await.pop().unwrap();
    assert_eq!(ask.state, "REVOCATION_ASKED");
    world
        .answer(&ask.ask_id, gate::AnswerVerdict::Applied)
        .await;
    let withheld = world.decisions().await.pop().unwrap();
    assert_eq!(withheld.state, "WITHHELD");
    assert_eq!(withheld.conditions[0].code, "SHORT_LANDED");
    assert!(
        withheld.conditions[0].description.contains("check-in"),
        "{}",
        withheld.conditions[0].description
    );
}

#[tokio::test]
async fn a_may_load_is_revoked_by_an_officer_and_everybody_who_was_told_of_it_is_told() {
    let world = World::new().await;
    checked_in_and_released(&world).await;
    let request = api::RevokeReleaseRequest {
        request_id: fresh(),
        container_visit_id: VISIT.into(),
        reason: "a wrong seal".into(),
        ..api::RevokeReleaseRequest::default()
    };
    world
        .handlers
        .revoke_release(call("officer-1", request))
        .await
        .unwrap();
    world.read_back().await;
    let ask = world.decisions().await.pop().unwrap();
    assert_eq!(
        (ask.state.as_str(), ask.journey.as_str()),
        ("REVOCATION_ASKED", "EXPORT")
    );
    world
        .answer(&ask.ask_id, gate::AnswerVerdict::Applied)
        .await;
    assert_eq!(
        world.states().await.split_off(2),
        ["REVOCATION_ASKED", "REVOKED", "WITHHELD"]
    );
    for party in ["broker-a", "trader-a", "terminal"] {
        let told = world.facts_told(party).await;
        for fact in [
            "RELEASE_GRANTED",
            "RELEASE_REVOCATION_ASKED",
            "REVOCATION_APPLIED",
            "RELEASE_REVOKED",
        ] {
            let times = told.iter().filter(|told| *told == fact).count();
            assert_eq!(times, 1, "{party}, {fact}: {told:?}");
        }
    }
}

#[tokio::test]
async fn gates_answer_about_a_stock_list_is_read_and_changes_no_stay() {
    let world = World::new().await;
    checked_in_and_released(&world).await;
    let event = gate::AnswerEvent {
        ask_id: fresh(),
        verdict: gate::AnswerVerdict::Applied.into(),
        observed_at: Some(chassis::convert::timestamp(crate::world::noon())),
        recorded_at: Some(chassis::convert::timestamp(crate::world::noon())),
        list_number: "SL2600000001".into(),
        ..gate::AnswerEvent::default()
    };
    world.apply("gate.answer", &event.ask_id, &event).await;
    let parked: i64 = sqlx::query_scalar("select count(*) from fabric.parked")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(parked, 0);
    assert_eq!(world.state().await, "GRANTED");
}

/// What release hears while a may-load is taken back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    /// The hold that makes release ask.
    Hold,
    /// The container is on the train.
    Loading,
    /// The train has left with it.
    Departure,
    /// Gate's answer to the ask; there is none where release never asked.
    Answer,
}

/// Every order of these.
fn orders(of: &[Heard]) -> Vec<Vec<Heard>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let one_first = |first: &Heard| {
        let rest: Vec<Heard> = of.iter().copied().filter(|heard| heard != first).collect();
        let first = *first;
        orders(&rest).into_iter().map(move |mut order| {
            order.insert(0, first);
            order
        })
    };
    of.iter().flat_map(one_first).collect()
}

#[tokio::test]
async fn rule_5_a_revocation_that_crosses_loading_and_departure_ends_the_same_at_every_interleaving()
 {
    use Heard::{Answer, Departure, Hold, Loading};
    let world = World::new().await;
    let sets = [
        // It had left.
        (
            gate::AnswerVerdict::TooLate,
            &[Hold, Loading, Departure, Answer][..],
        ),
        // Gate keeps it: it is taken off the train.
        (gate::AnswerVerdict::Applied, &[Hold, Loading, Answer]),
        // Gate says that it keeps it, and the train takes it all the same.
        (
            gate::AnswerVerdict::Applied,
            &[Hold, Loading, Departure, Answer],
        ),
    ];
    let place = |order: &[Heard], heard| order.iter().position(|other| *other == heard);
    let orders = sets
        .into_iter()
        .flat_map(|(verdict, of)| orders(of).into_iter().map(move |order| (verdict, order)))
        // Gate's record of the answer is written after it has read the ask.
        .filter(|(_, order)| place(order, Answer) >= place(order, Hold));
    let world = &world;
    let played = (1..).zip(orders).map(async |(number, (verdict, order))| {
        crossing(world, number, verdict, &order).await;
    });
    join_all(played).await;
}

/// Plays one order on a container of its own.
async fn crossing(world: &World, number: u32, verdict: gate::AnswerVerdict, order: &[Heard]) {
    let which = format!("{verdict:?} {order:?}");
    let container = format!("EXPU{number:07}");
    let visit = format!("{SITE}/{container}/1");
    let hold = format!("H{number}");
    let stay = || checked_in(&visit, &container);
    let released = || export(&visit, &format!("declaration-{number}"), true, Vec::new());
    world.visit(gate::ContainerVisitFact::Arrived, stay()).await;
    world.clearance_of(&container, vec![released()]).await;
    let decisions = async || world.decisions_on(&visit).await;
    assert_eq!(decisions().await.pop().unwrap().state, "GRANTED");
    let place = |heard| order.iter().position(|other| *other == heard);
    let departs = place(Heard::Departure).is_some();
    for heard in order {
        match heard {
            Heard::Hold => {
                world
                    .hold_on(&visit, ("customs", &hold), common::HoldKind::Customs, false)
                    .await;
            }
            Heard::Loading if place(Heard::Departure) < place(Heard::Loading) && departs => {
                // Older than the departure that was heard before it.
                let event = gate::ContainerVisitEvent {
                    fact: gate::ContainerVisitFact::Loaded.into(),
                    observed_at: Some(chassis::convert::timestamp(crate::world::noon())),
                    recorded_at: Some(chassis::convert::timestamp(crate::world::noon())),
                    recorded_by_party: "terminal".into(),
                    visit: Some(gate::ContainerVisit {
                        version: 1,
                        ..loaded(stay())
                    }),
                };
                let key = format!("{SITE}/{container}");
                world.apply("gate.container-visit", &key, &event).await;
            }
            Heard::Loading => {
                world
                    .visit(gate::ContainerVisitFact::Loaded, loaded(stay()))
                    .await;
            }
            Heard::Departure => {
                world
                    .visit(gate::ContainerVisitFact::Departed, left_by_train(stay()))
                    .await;
            }
            Heard::Answer => {
                let asked = decisions().await;
                let asked = asked.iter().find(|decision| !decision.ask_id.is_empty());
                if let Some(ask) = asked {
                    world.answer_about(&visit, &ask.ask_id, verdict).await;
                }
            }
        }
    }
    let all = decisions().await;
    let states: Vec<&str> = all.iter().map(|one| one.state.as_str()).collect();
    let asks = states
        .iter()
        .filter(|state| **state == "REVOCATION_ASKED")
        .count();
    let versions: Vec<u64> = all.iter().map(|one| one.version).collect();
    assert!(
        versions.is_sorted_by(|one, next| one + 1 == *next),
        "{which}: {versions:?}"
    );
    assert!(
        all.iter()
            .all(|one| one.journey == "EXPORT" && one.haulier_party.is_empty()),
        "{which}: {all:?}"
    );
    let heard_of_the_departure_first = departs && place(Heard::Departure) < place(Heard::Hold);
    assert_eq!(
        asks,
        usize::from(!heard_of_the_departure_first),
        "{which}: {states:?}"
    );
    if departs {
        assert_eq!(states.last(), Some(&"CONSUMED"), "{which}: {states:?}");
        let times = states.iter().filter(|state| **state == "CONSUMED").count();
        assert_eq!(times, 1, "{which}: {states:?}");
    } else {
        assert_eq!(states.last(), Some(&"WITHHELD"), "{which}: {states:?}");
        assert_eq!(all.last().unwrap().conditions[0].code, "CUSTOMS_HOLD");
    }
    world
        .hold_on(&visit, ("customs", &hold), common::HoldKind::Customs, true)
        .await;
    let after = decisions().await.pop().unwrap().state;
    let expected = if departs { "CONSUMED" } else { "GRANTED" };
    assert_eq!(after, expected, "{which}");
}
