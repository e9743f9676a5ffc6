//! Loading and departure of trains: what may be lifted on, and what has gone (gate rule 17).

use prost::Message;
use proto::common::v1::{HoldScopeKind, InspectionRequired};
use proto::gate::events::v1::{
    AnswerEvent, AnswerVerdict, ContainerVisitEvent, ContainerVisitFact,
};
use proto::gate::v1 as api;
use proto::gate::v1::ListLineOutcome as Outcome;
use proto::gate::v1::gate_service_server::GateService;
use proto::gate::v1::{ContainerVisitPhase, PreArrivalState};

use crate::world::{
    BOX, OTHER_BOX, PLATE, PORT, TRAIN, World, announced, call, codes, faults, fresh, landed,
    lifted, reason, visit,
};

const THIRD_BOX: &str = "MRKU4976720";
const OUTBOUND: &str = "X9002";

fn outcomes(results: &[api::ListLineResult]) -> Vec<(u32, Outcome)> {
    results
        .iter()
        .map(|line| (line.line_number, line.outcome()))
        .collect()
}

/// Laden containers at the port that release lets be loaded; all are heard.
async fn may_load(world: &World, containers: &[&str]) {
    world.arrived(containers).await;
    for container in containers {
        world.may_load(container).await;
    }
    world.hears().await;
}

/// As [`may_load`], and loaded.
async fn loaded(world: &World, containers: &[&str]) {
    may_load(world, containers).await;
    let lines = containers.iter().map(|number| lifted(number)).collect();
    let results = world.load(OUTBOUND, lines).await;
    for line in &results {
        assert_eq!(line.outcome(), Outcome::Accepted, "{line:?}");
    }
}

/// Loads one container and gives its result.
async fn load_one(world: &World, container: &str) -> api::ListLineResult {
    let mut results = world.load(OUTBOUND, vec![lifted(container)]).await;
    assert_eq!(results.len(), 1);
    results.remove(0)
}

async fn answers(world: &World) -> Vec<(String, AnswerVerdict)> {
    let rows = world.told("gate.answer").await;
    rows.iter()
        .map(|row| AnswerEvent::decode(row.payload.clone()).unwrap())
        .map(|event| (event.ask_id.clone(), event.verdict()))
        .collect()
}

async fn last_fact(world: &World) -> ContainerVisitEvent {
    let mut rows = world.told("gate.container-visit").await.into_iter();
    let last = rows.rfind(|row| row.key == format!("{PORT}/{BOX}"));
    ContainerVisitEvent::decode(last.unwrap().payload).unwrap()
}

#[tokio::test]
async fn rule_17_each_line_of_a_loading_list_has_its_result_and_a_list_sent_again_repeats() {
    let world = World::new().await;
    may_load(&world, &[BOX]).await;
    world.arrived(&[OTHER_BOX]).await;
    let other_seal = api::LoadedContainer {
        seals_found: vec!["S9".into()],
        ..lifted(BOX)
    };
    let unread = api::LoadedContainer {
        container_number: "MSKU9070324".into(),
        ..Default::default()
    };
    let list = vec![other_seal, lifted(OTHER_BOX), lifted(THIRD_BOX), unread];
    let results = world.load(OUTBOUND, list.clone()).await;
    assert_eq!(
        outcomes(&results),
        [
            (1, Outcome::SealMismatch),
            (2, Outcome::Refused),
            (3, Outcome::Refused),
            (4, Outcome::Faulty)
        ]
    );
    assert_eq!(results[0].container_visit_id, visit(BOX));
    assert_eq!(codes(&results[1].conditions), ["RELEASE_NOT_GRANTED"]);
    assert_eq!(results[1].container_visit_id, visit(OTHER_BOX));
    assert_eq!(codes(&results[2].conditions), ["CONTAINER_UNKNOWN"]);
    assert_eq!(results[3].faults[0].code, "CONTAINER_NUMBER_INVALID");
    let request = api::ListContainerVisitsRequest {
        conveyance: OUTBOUND.into(),
        ..Default::default()
    };
    let of_train = world
        .handlers
        .list_container_visits(call("terminal", request));
    let of_train = of_train.await.unwrap().into_inner().container_visits;
    let of_train: Vec<&str> = of_train
        .iter()
        .map(|stay| stay.container_number.as_str())
        .collect();
    assert_eq!(of_train, [BOX]);
    let on_it = world.container(&visit(BOX)).await;
    assert_eq!(
        (
            on_it.phase(),
            on_it.loaded_on.as_str(),
            on_it.seal_mismatch,
            on_it.available
        ),
        (ContainerVisitPhase::Arrived, OUTBOUND, true, false)
    );
    assert_eq!(world.container(&visit(OTHER_BOX)).await.loaded_on, "");
    let story = world
        .story("gate.container-visit", &format!("{PORT}/{BOX}"))
        .await;
    assert_eq!(story, ["announced", "arrived", "available", "loaded"]);
    let again = world.load(OUTBOUND, list).await;
    assert_eq!(
        outcomes(&again)[..3],
        [
            (1, Outcome::Repeated),
            (2, Outcome::Refused),
            (3, Outcome::Refused)
        ]
    );
    let story = world
        .story("gate.container-visit", &format!("{PORT}/{BOX}"))
        .await;
    assert_eq!(story.len(), 4);
}

#[tokio::test]
async fn rule_17_a_departure_closes_what_was_loaded_and_nothing_else() {
    let world = World::new().await;
    loaded(&world, &[BOX]).await;
    world.arrived(&[OTHER_BOX]).await;
    let results = world.depart(OUTBOUND, &[BOX, OTHER_BOX, THIRD_BOX]).await;
    assert_eq!(
        outcomes(&results),
        [
            (1, Outcome::Accepted),
            (2, Outcome::NotLoaded),
            (3, Outcome::NotLoaded)
        ]
    );
    assert_eq!(codes(&results[1].conditions), ["RELEASE_NOT_GRANTED"]);
    let gone = world.container(&visit(BOX)).await;
    assert_eq!(gone.phase(), ContainerVisitPhase::Departed);
    assert_eq!(gone.departure_conveyance, OUTBOUND);
    assert_eq!(gone.departed_with_truck_visit_id, "");
    assert_eq!(
        world.container(&visit(OTHER_BOX)).await.phase(),
        ContainerVisitPhase::Arrived
    );
    let told = last_fact(&world).await;
    assert_eq!(told.fact(), ContainerVisitFact::Departed);
    assert_eq!(told.visit.unwrap().departure_conveyance, OUTBOUND);
    let facts = world.told("gate.container-visit").await.len();
    let again = world.depart(OUTBOUND, &[BOX]).await;
    assert_eq!(outcomes(&again), [(1, Outcome::Repeated)]);
    assert_eq!(load_one(&world, BOX).await.outcome(), Outcome::Repeated);
    assert_eq!(world.told("gate.container-visit").await.len(), facts);
}

#[tokio::test]
async fn rule_17_without_a_list_all_that_was_loaded_departs_and_with_one_the_rest_stays() {
    let world = World::new().await;
    loaded(&world, &[BOX, OTHER_BOX, THIRD_BOX]).await;
    // Which container an unreadable line names is not known: none is taken for left behind.
    let results = world.depart(OUTBOUND, &[BOX, "MSKU9070324"]).await;
    assert_eq!(
        outcomes(&results),
        [(1, Outcome::Accepted), (2, Outcome::Faulty)]
    );
    let results = world.depart(OUTBOUND, &[BOX, OTHER_BOX]).await;
    assert_eq!(
        outcomes(&results),
        [
            (1, Outcome::Repeated),
            (2, Outcome::Accepted),
            (0, Outcome::NotLoaded)
        ]
    );
    assert_eq!(results[2].container_number, THIRD_BOX);
    let stays = world.container(&visit(THIRD_BOX)).await;
    assert_eq!(
        (stays.phase(), stays.loaded_on.as_str()),
        (ContainerVisitPhase::Arrived, "")
    );
    // It goes with the next one.
    let results = world.load("X9003", vec![lifted(THIRD_BOX)]).await;
    assert_eq!(outcomes(&results), [(1, Outcome::Accepted)]);
    let results = world.depart("X9003", &[]).await;
    assert_eq!(outcomes(&results), [(0, Outcome::Accepted)]);
    assert_eq!(results[0].container_number, THIRD_BOX);
}

#[tokio::test]
async fn rule_17_a_train_on_which_nothing_is_loaded_does_not_leave_and_one_that_has_left_may_be_told_again()
 {
    let world = World::new().await;
    let facts = async || world.told("gate.container-visit").await.len();
    let nothing = world.try_depart(OUTBOUND, &[]).await.unwrap_err();
    assert_eq!(reason(&nothing), "FILING_INVALID");
    assert_eq!(faults(&nothing), ["NOTHING_LOADED"]);
    loaded(&world, &[BOX, OTHER_BOX]).await;
    // What was taken off again is not on it.
    world
        .hold(HoldScopeKind::ContainerVisit, &visit(OTHER_BOX))
        .await;
    let left = world.depart(OUTBOUND, &[]).await;
    assert_eq!(outcomes(&left), [(0, Outcome::Accepted)]);
    let known = facts().await;
    assert_eq!(outcomes(&world.depart(OUTBOUND, &[]).await), []);
    // The box has come again since, and the train has left all the same.
    world.land(TRAIN, vec![landed(BOX)], false).await;
    assert_eq!(outcomes(&world.depart(OUTBOUND, &[]).await), []);
    assert_eq!(
        world.container(&visit(OTHER_BOX)).await.phase(),
        ContainerVisitPhase::Arrived
    );
    let other = world.try_depart("X9003", &[]).await.unwrap_err();
    assert_eq!(faults(&other), ["NOTHING_LOADED"]);
    assert_eq!(facts().await, known);
}

#[tokio::test]
async fn rule_17_a_container_that_is_loaded_on_another_train_is_amended_and_goes_with_that_one() {
    let world = World::new().await;
    loaded(&world, &[BOX]).await;
    let moved = world.load("X9003", vec![lifted(BOX)]).await;
    assert_eq!(outcomes(&moved), [(1, Outcome::Amended)]);
    assert_eq!(world.container(&visit(BOX)).await.loaded_on, "X9003");
    let told = last_fact(&world).await;
    assert_eq!(told.fact(), ContainerVisitFact::Loaded);
    let left_without = world.try_depart(OUTBOUND, &[]).await.unwrap_err();
    assert_eq!(faults(&left_without), ["NOTHING_LOADED"]);
    let left = world.depart("X9003", &[]).await;
    assert_eq!(outcomes(&left), [(0, Outcome::Accepted)]);
}

#[tokio::test]
async fn rule_17_an_empty_loads_without_a_release_and_a_held_one_does_not() {
    let world = World::new().await;
    let empty = |number: &str| api::AnnouncedContainer {
        empty: true,
        manifest_lines: Vec::new(),
        ..announced(number, "", "")
    };
    world
        .announce_lines(TRAIN, vec![empty(BOX), empty(OTHER_BOX)])
        .await;
    assert_eq!(
        codes(&{ load_one(&world, BOX).await.conditions }),
        [
            "KNOWLEDGE_UNKNOWN",
            "KNOWLEDGE_UNKNOWN",
            "KNOWLEDGE_UNKNOWN",
            "NOT_ARRIVED"
        ]
    );
    world.hears().await;
    world
        .land(TRAIN, vec![landed(BOX), landed(OTHER_BOX)], false)
        .await;
    world
        .hold(HoldScopeKind::ContainerVisit, &visit(OTHER_BOX))
        .await;
    let results = world
        .load(OUTBOUND, vec![lifted(BOX), lifted(OTHER_BOX)])
        .await;
    assert_eq!(
        outcomes(&results),
        [(1, Outcome::Accepted), (2, Outcome::Refused)]
    );
    assert_eq!(codes(&results[1].conditions), ["TERMINAL_HOLD"]);
}

#[tokio::test]
async fn rule_17_what_is_released_to_a_haulier_is_not_loaded_and_what_may_load_is_not_picked_up() {
    let world = World::new().await;
    world.arrived(&[BOX, OTHER_BOX]).await;
    world.granted(BOX, "haulier-a").await;
    world.may_load(OTHER_BOX).await;
    world.hears().await;
    let refused = load_one(&world, BOX).await;
    assert_eq!(refused.outcome(), Outcome::Refused);
    assert_eq!(codes(&refused.conditions), ["RELEASE_NOT_GRANTED"]);
    let filed = world
        .file(api::PreArrivalKind::FullOut, PLATE, &[OTHER_BOX])
        .await;
    assert_eq!(codes(&filed.conditions), ["RELEASE_NOT_GRANTED"]);
    // What is on a train is not in the yard.
    assert_eq!(
        load_one(&world, OTHER_BOX).await.outcome(),
        Outcome::Accepted
    );
    let filed = world.pre_arrival(&filed).await;
    assert_eq!(codes(&filed.conditions), ["LOADED", "RELEASE_NOT_GRANTED"]);
    let request = api::SetAvailabilityRequest {
        request_id: fresh(),
        container_visit_id: visit(OTHER_BOX),
        available: true,
        ..Default::default()
    };
    let set = world.handlers.set_availability(call("terminal", request));
    assert_eq!(reason(&set.await.unwrap_err()), "CONTAINER_NOT_HERE");
}

#[tokio::test]
async fn rule_2_a_container_whose_inspection_is_open_or_not_known_is_not_loaded() {
    let world = World::new().await;
    may_load(&world, &[BOX]).await;
    for (flag, code) in [
        (InspectionRequired::Unknown, "INSPECTION_UNKNOWN"),
        (InspectionRequired::Yes, "INSPECTION_OPEN"),
    ] {
        world.inspection(BOX, flag).await;
        let refused = load_one(&world, BOX).await;
        assert_eq!(refused.outcome(), Outcome::Refused);
        assert_eq!(codes(&refused.conditions), [code]);
        assert_eq!(refused.conditions[0].who, "officer");
    }
    world.inspection(BOX, InspectionRequired::No).await;
    assert_eq!(load_one(&world, BOX).await.outcome(), Outcome::Accepted);
}

#[tokio::test]
async fn rule_14_what_cannot_be_known_or_is_too_old_is_not_loaded() {
    let world = World::new().await;
    may_load(&world, &[BOX]).await;
    world.stop("release.decision", &visit(BOX), true).await;
    let refused = load_one(&world, BOX).await;
    assert_eq!(refused.outcome(), Outcome::Refused);
    assert_eq!(codes(&refused.conditions), ["KNOWLEDGE_UNKNOWN"]);
    world.stop("release.decision", &visit(BOX), false).await;
    world.heard_seconds_ago(90).await;
    let refused = load_one(&world, BOX).await;
    assert_eq!(codes(&refused.conditions), ["KNOWLEDGE_TOO_OLD"]);
    world.hears().await;
    world
        .park("customs.clearance", &format!("container/{BOX}"))
        .await;
    let refused = load_one(&world, BOX).await;
    assert_eq!(codes(&refused.conditions), ["KNOWLEDGE_UNKNOWN"]);
    world.give_up_parked().await;
    assert_eq!(load_one(&world, BOX).await.outcome(), Outcome::Accepted);
}

#[tokio::test]
async fn rule_12_until_the_departure_an_ask_is_applied_and_takes_the_container_off() {
    let world = World::new().await;
    loaded(&world, &[BOX]).await;
    world.export_decided(BOX, "REVOCATION_ASKED", "ask-1").await;
    assert_eq!(
        answers(&world).await,
        [("ask-1".to_owned(), AnswerVerdict::Applied)]
    );
    assert_eq!(world.container(&visit(BOX)).await.loaded_on, "");
    let told = last_fact(&world).await;
    assert_eq!(told.fact(), ContainerVisitFact::Amended);
    assert_eq!(
        (
            told.recorded_by_party.as_str(),
            told.visit.unwrap().loaded_on.as_str()
        ),
        ("", "")
    );
    let results = world.depart(OUTBOUND, &[BOX]).await;
    assert_eq!(outcomes(&results), [(1, Outcome::NotLoaded)]);
    assert_eq!(codes(&results[0].conditions), ["RELEASE_REVOKED"]);
    assert_eq!(
        world.container(&visit(BOX)).await.phase(),
        ContainerVisitPhase::Arrived
    );
    // Let go again it is loaded anew.
    world.may_load(BOX).await;
    assert_eq!(load_one(&world, BOX).await.outcome(), Outcome::Accepted);
}

#[tokio::test]
async fn rule_12_after_the_departure_an_ask_is_too_late() {
    let world = World::new().await;
    loaded(&world, &[BOX]).await;
    world.depart(OUTBOUND, &[BOX]).await;
    world.export_decided(BOX, "REVOCATION_ASKED", "ask-1").await;
    assert_eq!(
        answers(&world).await,
        [("ask-1".to_owned(), AnswerVerdict::TooLate)]
    );
}

#[tokio::test]
async fn rule_12_a_departure_and_an_ask_at_the_same_instant_agree() {
    for _ in 0..6 {
        let world = World::with(chrono::TimeDelta::hours(4), 3, |_| {}).await;
        loaded(&world, &[BOX]).await;
        // Without a list: what was loaded is only known by asking the tables.
        let (results, ()) = tokio::join!(
            world.try_depart(OUTBOUND, &[]),
            world.export_decided(BOX, "REVOCATION_ASKED", "ask-1")
        );
        let phase = world.container(&visit(BOX)).await.phase();
        let verdict = if phase == ContainerVisitPhase::Departed {
            assert_eq!(outcomes(&results.unwrap()), [(0, Outcome::Accepted)]);
            AnswerVerdict::TooLate
        } else {
            assert_eq!(faults(&results.unwrap_err()), ["NOTHING_LOADED"]);
            AnswerVerdict::Applied
        };
        assert_eq!(answers(&world).await, [("ask-1".to_owned(), verdict)]);
    }
}

#[tokio::test]
async fn a_hold_after_the_loading_takes_the_container_off() {
    let world = World::new().await;
    loaded(&world, &[BOX, OTHER_BOX]).await;
    let declaration = format!("declaration of {BOX}");
    world
        .told_hold(
            "customs",
            "H1",
            (HoldScopeKind::Declaration, &declaration),
            false,
        )
        .await;
    let results = world.depart(OUTBOUND, &[BOX, OTHER_BOX]).await;
    assert_eq!(
        outcomes(&results),
        [(1, Outcome::NotLoaded), (2, Outcome::Accepted)]
    );
    assert_eq!(codes(&results[0].conditions), ["CUSTOMS_HOLD"]);
}

#[tokio::test]
async fn rule_17_a_dry_run_gives_the_results_and_writes_nothing_and_a_long_list_is_refused() {
    let world = World::new().await;
    may_load(&world, &[BOX]).await;
    let load = |validate_only: bool, count: usize| {
        let request = api::RecordLoadingRequest {
            request_id: fresh(),
            validate_only,
            site_id: PORT.into(),
            mode: api::TransportMode::Rail.into(),
            conveyance: OUTBOUND.into(),
            containers: vec![lifted(BOX); count],
            ..Default::default()
        };
        world.handlers.record_loading(call("terminal", request))
    };
    let facts = world.told("gate.container-visit").await.len();
    let tried = load(true, 1).await.unwrap().into_inner().results;
    assert_eq!(outcomes(&tried), [(1, Outcome::Accepted)]);
    assert_eq!(world.container(&visit(BOX)).await.loaded_on, "");
    assert_eq!(faults(&load(false, 1_001).await.unwrap_err()), ["TOO_MANY"]);
    assert_eq!(world.told("gate.container-visit").await.len(), facts);
}

#[tokio::test]
async fn rule_17_a_brought_container_is_loaded_and_departs() {
    let world = World::new().await;
    world.declared("D1", "REGISTERED", &[BOX]).await;
    world.hears().await;
    let filing = crate::world::full_in(PLATE, &[BOX], &["D1"]);
    let filed = world.try_file("haulier-a", filing).await.unwrap();
    world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        PreArrivalState::Used
    );
    world.inspection(BOX, InspectionRequired::No).await;
    assert_eq!(
        codes(&load_one(&world, BOX).await.conditions),
        ["RELEASE_NOT_GRANTED"]
    );
    world.may_load(BOX).await;
    assert_eq!(load_one(&world, BOX).await.outcome(), Outcome::Accepted);
    assert_eq!(
        outcomes(&world.depart(OUTBOUND, &[]).await),
        [(0, Outcome::Accepted)]
    );
    assert_eq!(
        world.container(&visit(BOX)).await.phase(),
        ContainerVisitPhase::Departed
    );
}
