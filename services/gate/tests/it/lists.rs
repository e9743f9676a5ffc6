//! Trains' lists in bulk, with a result per line (gate rule 17).

use proto::gate::v1 as api;
use proto::gate::v1::ListLineOutcome as Outcome;
use proto::gate::v1::gate_service_server::GateService;

use crate::world::{
    BOX, OTHER_BOX, PLATE, PORT, TRAIN, World, announced, call, filing, fresh, landed, lifted,
    reason, visit,
};

const THIRD_BOX: &str = "MRKU4976720";

fn outcomes(results: &[api::ListLineResult]) -> Vec<(u32, Outcome)> {
    results
        .iter()
        .map(|result| (result.line_number, result.outcome()))
        .collect()
}

#[tokio::test]
async fn rule_17_a_container_that_a_list_names_twice_keeps_its_first_consignments() {
    let world = World::new().await;
    let lines = vec![
        announced("csqu 305438-3", "TD-1", "line-a"),
        announced("CSQU3054383", "TD-2", "line-a"),
    ];
    let results = world.announce_lines(TRAIN, lines.clone()).await;
    assert_eq!(
        outcomes(&results),
        [(1, Outcome::Accepted), (2, Outcome::Faulty)]
    );
    assert_eq!(results[0].container_number, "CSQU3054383");
    assert_eq!(results[1].faults[0].code, "CONTAINER_TWICE");
    let again = world.announce_lines(TRAIN, lines).await;
    assert_eq!(
        outcomes(&again),
        [(1, Outcome::Repeated), (2, Outcome::Faulty)]
    );
}

#[tokio::test]
async fn rule_17_a_container_that_a_list_lands_twice_keeps_its_first_seals() {
    let world = World::new().await;
    let other_seals = api::LandedContainer {
        seals_found: vec!["S2".into()],
        ..landed("csqu 305438-3")
    };
    let lines = vec![landed("CSQU3054383"), landed("CSQU3054383"), other_seals];
    let results = world.land(TRAIN, lines, false).await;
    assert_eq!(
        outcomes(&results),
        [
            (1, Outcome::OverLanded),
            (2, Outcome::Repeated),
            (3, Outcome::Faulty)
        ]
    );
    assert_eq!(results[2].faults[0].code, "CONTAINER_TWICE");
}

#[tokio::test]
async fn rule_17_each_line_of_an_announcement_has_its_result() {
    let world = World::new().await;
    let lines = vec![
        announced(BOX, "TD-1", "line-a"),
        announced("MSKU9070324", "TD-2", "line-a"),
        announced("csqu 305438-3", "TD-3", "line-a"),
        announced(BOX, "TD-1", "line-a"),
    ];
    let results = world.announce_lines(TRAIN, lines).await;
    assert_eq!(
        outcomes(&results),
        [
            (1, Outcome::Accepted),
            (2, Outcome::Faulty),
            (3, Outcome::Accepted),
            (4, Outcome::Repeated)
        ]
    );
    assert_eq!(results[0].container_visit_id, visit(BOX));
    assert_eq!(results[1].faults[0].code, "CONTAINER_NUMBER_INVALID");
    assert_eq!(results[1].faults[0].path, "containers[1].container_number");
    let again = world
        .announce_lines(
            TRAIN,
            vec![
                announced(BOX, "TD-1", "line-a"),
                announced(OTHER_BOX, "TD-9", "line-a"),
            ],
        )
        .await;
    assert_eq!(
        outcomes(&again),
        [(1, Outcome::Repeated), (2, Outcome::Amended)]
    );
    assert_eq!(world.told("gate.container-visit").await.len(), 3);
}

#[tokio::test]
async fn a_container_number_whose_check_digit_may_hide_an_error_is_taken_with_a_warning() {
    let world = World::new().await;
    let warned = |results: &[api::ListLineResult]| {
        let warnings = results.iter().flat_map(|line| &line.warnings);
        let warnings = warnings.map(|fault| (fault.code.clone(), fault.path.clone()));
        warnings.collect::<Vec<_>>()
    };
    let second = [(
        "CONTAINER_REMAINDER_TEN".to_owned(),
        "containers[1].container_number".to_owned(),
    )];
    let results = world.announce(TRAIN, &[BOX, THIRD_BOX]).await;
    assert_eq!(
        outcomes(&results),
        [(1, Outcome::Accepted), (2, Outcome::Accepted)]
    );
    assert_eq!(warned(&results), second);
    let found = vec![landed(BOX), landed(THIRD_BOX)];
    assert_eq!(warned(&world.land(TRAIN, found, false).await), second);
    world.available(BOX, true).await;
    let lines = vec![lifted(BOX), lifted("mrku 497672-0")];
    let lifted_on = world.load("X9002", lines).await;
    assert_eq!(warned(&lifted_on), second);
    assert_eq!(lifted_on[1].warnings[0].value, THIRD_BOX);
    let request = filing(api::PreArrivalKind::FullOut, PLATE, &[THIRD_BOX]);
    let filed = world
        .handlers
        .submit_pre_arrival(call("haulier-a", request))
        .await;
    let warnings = filed.unwrap().into_inner().warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].code, "CONTAINER_REMAINDER_TEN");
    assert_eq!(warnings[0].path, "containers[0].container_number");
}

#[tokio::test]
async fn rule_17_seal_mismatch_short_and_over_landed_each_have_their_result() {
    let world = World::new().await;
    world.announce(TRAIN, &[BOX, OTHER_BOX]).await;
    let other_seals = api::LandedContainer {
        seals_found: vec!["S9".into()],
        ..landed(BOX)
    };
    let results = world
        .land(TRAIN, vec![other_seals, landed(THIRD_BOX)], true)
        .await;
    assert_eq!(
        outcomes(&results),
        [
            (1, Outcome::SealMismatch),
            (2, Outcome::OverLanded),
            (0, Outcome::ShortLanded)
        ]
    );
    assert!(world.container(&visit(BOX)).await.seal_mismatch);
    assert!(world.container(&visit(THIRD_BOX)).await.over_landed);
    assert_eq!(
        world.container(&visit(OTHER_BOX)).await.phase(),
        api::ContainerVisitPhase::ShortLanded
    );
    let again = world.land(TRAIN, vec![landed(THIRD_BOX)], true).await;
    assert_eq!(outcomes(&again), [(1, Outcome::Repeated)]);
}

#[tokio::test]
async fn rule_17_a_faulty_line_names_its_container_so_that_it_is_not_short_landed() {
    let world = World::new().await;
    world.announce(TRAIN, &[BOX]).await;
    let faulty = api::LandedContainer {
        size_type: "?".into(),
        ..landed(BOX)
    };
    let results = world.land(TRAIN, vec![faulty], true).await;
    assert_eq!(outcomes(&results), [(1, Outcome::Faulty)]);
    assert_eq!(
        world.container(&visit(BOX)).await.phase(),
        api::ContainerVisitPhase::Announced
    );
}

#[tokio::test]
async fn rule_17_a_long_list_is_taken_whole_and_a_longer_one_refused() {
    let world = World::new().await;
    let numbers: Vec<String> = (0..1_001).map(container_number).collect();
    let lines = |count: usize| -> Vec<api::AnnouncedContainer> {
        numbers
            .iter()
            .take(count)
            .map(|number| announced(number, "TD-1", "line-a"))
            .collect()
    };
    let results = world.announce_lines(TRAIN, lines(1_000)).await;
    assert!(
        results
            .iter()
            .all(|line| line.outcome() == Outcome::Accepted)
    );
    assert_eq!(results.len(), 1_000);
    let request = api::AnnounceArrivalRequest {
        request_id: fresh(),
        site_id: PORT.into(),
        mode: api::TransportMode::Rail.into(),
        conveyance: "X9".into(),
        containers: lines(1_001),
        ..Default::default()
    };
    let refused = world.handlers.announce_arrival(call("terminal", request));
    assert_eq!(
        crate::world::faults(&refused.await.unwrap_err()),
        ["TOO_MANY"]
    );
}

/// The n-th number of an owner, with its check digit (ISO 6346): the only one of ten that is one.
pub fn container_number(serial: u32) -> String {
    (0..10)
        .map(|digit| format!("TSTU{serial:06}{digit}"))
        .find(|number| kernel::ContainerNumber::parse(number).is_ok())
        .unwrap()
}

#[tokio::test]
async fn a_train_that_comes_makes_filings_say_so_and_nothing_carries_over_to_the_next_stay() {
    let world = World::new().await;
    let filed = world
        .file(api::PreArrivalKind::FullOut, crate::world::PLATE, &[BOX])
        .await;
    assert_eq!(
        crate::world::codes(&filed.conditions),
        ["CONTAINER_UNKNOWN"]
    );
    world.announce(TRAIN, &[BOX]).await;
    let bound = world.pre_arrival(&filed).await;
    assert_eq!(
        crate::world::codes(&bound.conditions),
        ["NOT_ARRIVED", "RELEASE_NOT_GRANTED"]
    );
    assert_eq!(bound.containers[0].container_visit_id, visit(BOX));
    world.land(TRAIN, Vec::new(), true).await;
    assert_eq!(
        crate::world::codes(&world.pre_arrival(&filed).await.conditions),
        ["CONTAINER_UNKNOWN"]
    );
    // The decision on the first stay says nothing about the second.
    world.granted(BOX, "haulier-a").await;
    world.announce("X8002", &[BOX]).await;
    let next = world.pre_arrival(&filed).await;
    assert_eq!(
        next.containers[0].container_visit_id,
        format!("{PORT}/{BOX}/2")
    );
    assert_eq!(
        crate::world::codes(&next.conditions),
        ["NOT_ARRIVED", "RELEASE_NOT_GRANTED"]
    );
}

#[tokio::test]
async fn only_what_stands_at_the_site_is_made_available_and_only_once() {
    let world = World::new().await;
    world.announce(TRAIN, &[BOX]).await;
    let set = |expected_version: u64| {
        let request = api::SetAvailabilityRequest {
            request_id: fresh(),
            container_visit_id: visit(BOX),
            available: true,
            expected_version,
            ..Default::default()
        };
        world.handlers.set_availability(call("terminal", request))
    };
    assert_eq!(reason(&set(0).await.unwrap_err()), "CONTAINER_NOT_HERE");
    world.land(TRAIN, vec![landed(BOX)], false).await;
    assert_eq!(reason(&set(7).await.unwrap_err()), "STALE_VERSION");
    for _ in 0..2 {
        let visit = set(0).await.unwrap().into_inner().container_visit.unwrap();
        assert!(visit.available && visit.version == 3);
    }
    let story = world
        .story("gate.container-visit", &format!("{PORT}/{BOX}"))
        .await;
    assert_eq!(story, ["announced", "arrived", "available"]);
}

#[tokio::test]
async fn rule_17_a_list_sent_again_after_its_container_has_left_begins_no_stay() {
    let world = World::new().await;
    world.inside(&[BOX]).await;
    world.check_out(crate::world::PLATE, &[BOX]).await;
    let told = world.told("gate.container-visit").await.len();
    let announced_again = world.announce(TRAIN, &[BOX]).await;
    assert_eq!(outcomes(&announced_again), [(1, Outcome::Repeated)]);
    assert_eq!(announced_again[0].container_visit_id, visit(BOX));
    let landed_again = world.land(TRAIN, vec![landed(BOX)], true).await;
    assert_eq!(outcomes(&landed_again), [(1, Outcome::Repeated)]);
    assert_eq!(world.told("gate.container-visit").await.len(), told);
    // The train of that number that comes after it left brings it again.
    let request = api::AnnounceArrivalRequest {
        request_id: fresh(),
        site_id: PORT.into(),
        mode: api::TransportMode::Rail.into(),
        conveyance: TRAIN.into(),
        estimated_arrival: Some(chassis::convert::timestamp(
            chrono::Utc::now() + chrono::TimeDelta::days(7),
        )),
        containers: vec![announced(BOX, "TD-1", "line-a")],
        ..Default::default()
    };
    let next = world.handlers.announce_arrival(call("terminal", request));
    let next = next.await.unwrap().into_inner().results;
    assert_eq!(outcomes(&next), [(1, Outcome::Accepted)]);
    assert_eq!(next[0].container_visit_id, format!("{PORT}/{BOX}/2"));
}

#[tokio::test]
async fn after_a_restore_no_stay_is_given_an_id_that_others_may_know_of_the_lost_time() {
    let world = World::new().await;
    let admin = world.fabric.admin();
    let begun = async |train: &str, container: &str| -> String {
        let result = world.announce(train, &[container]).await.remove(0);
        result.container_visit_id
    };
    assert_eq!(begun(TRAIN, BOX).await, format!("{PORT}/{BOX}/1"));
    assert_eq!(admin.open_epoch("admin", "restored").await.unwrap(), 2);
    let other = begun(TRAIN, OTHER_BOX).await;
    assert_eq!(other, format!("{PORT}/{OTHER_BOX}/100001"));
    // The stay that is known goes on; it is over when the train's list says that it did not come.
    assert_eq!(begun(TRAIN, BOX).await, format!("{PORT}/{BOX}/1"));
    world.land(TRAIN, vec![landed(OTHER_BOX)], true).await;
    assert_eq!(begun("X9999", BOX).await, format!("{PORT}/{BOX}/100001"));
}
