//! The way in: what a barrier needs to open, and what is kept of it.

use chassis::convert::timestamp;
use chrono::{TimeDelta, Utc};
use proto::common::v1::{Condition, HoldScopeKind, InspectionRequired};
use proto::gate::v1 as api;
use proto::gate::v1::gate_service_server::GateService;
use proto::gate::v1::{PreArrivalKind, PreArrivalState, ReviewVerdict, TruckVisitState};

use crate::world::{
    BOX, NEXT_PLATE, OTHER_BOX, PLATE, PORT, TRAILER, World, at_the_exit, at_the_lane, call, codes,
    filing, fresh, kilograms, reason, visit, with_trailer,
};

#[tokio::test]
async fn rule_1_a_ready_truck_with_its_plate_and_containers_is_let_in() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    // As the camera writes it.
    let truck = world.check_in("渝A·12345", &[BOX], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    assert_eq!(truck.pre_arrival_id, filed.pre_arrival_id);
    let used = world.pre_arrival(&filed).await;
    assert_eq!(used.state(), PreArrivalState::Used);
    assert_eq!(used.truck_visit_id, truck.truck_visit_id);
    assert_eq!(
        world.story("gate.truck-visit", &truck.truck_visit_id).await,
        ["arrived", "gated-in"]
    );
}

#[tokio::test]
async fn rule_1_the_number_of_the_filing_leads_to_it_and_a_similar_plate_never_admits() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    let other = api::CheckInRequest {
        pre_arrival: filed.number.to_lowercase(),
        ..at_the_lane(NEXT_PLATE, &[BOX], "haulier-a")
    };
    let truck = world
        .try_check_in(other)
        .await
        .unwrap()
        .truck_visit
        .unwrap();
    assert_eq!(truck.state(), TruckVisitState::TurnedAway);
    assert_eq!(codes(&truck.conditions), ["PLATE_DIFFERS"]);
    // Turned away is the truck, not the filing.
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        PreArrivalState::Ready
    );
    let right = api::CheckInRequest {
        pre_arrival: filed.number.to_lowercase(),
        ..at_the_lane(PLATE, &[BOX], "haulier-a")
    };
    let truck = world
        .try_check_in(right)
        .await
        .unwrap()
        .truck_visit
        .unwrap();
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
}

#[tokio::test]
async fn rule_1_nothing_filed_and_other_containers_are_turned_away() {
    let world = World::new().await;
    let nobody = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        (nobody.state(), codes(&nobody.conditions)),
        (TruckVisitState::TurnedAway, vec!["NO_PRE_ARRIVAL"])
    );
    world.ready(&[BOX]).await;
    for containers in [&[OTHER_BOX][..], &[], &[BOX, OTHER_BOX]] {
        let truck = world.check_in(PLATE, containers, "haulier-a").await;
        assert_eq!(
            (truck.state(), codes(&truck.conditions)),
            (TruckVisitState::TurnedAway, vec!["CONTAINERS_DIFFER"])
        );
        assert_ne!(truck.conditions[0].subject, "", "{truck:?}");
    }
}

#[tokio::test]
async fn rule_1_the_carrier_filed_or_holds_a_carry_mandate_at_that_instant() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    let (now, hour) = (Utc::now(), TimeDelta::hours(1));
    let stranger = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(codes(&stranger.conditions), ["CARRIER_NOT_NOMINATED"]);
    // Another action, not yet, no longer, revoked: none of them carries.
    for (action, from, until, revoked) in [
        ("FILE", now - hour, None, false),
        ("CARRY", now + hour, None, false),
        ("CARRY", now - hour - hour, Some(now - hour), false),
        ("CARRY", now - hour, None, true),
    ] {
        world.mandate(&[action], from, until, revoked).await;
        let truck = world.check_in(PLATE, &[BOX], "haulier-b").await;
        assert_eq!(codes(&truck.conditions), ["CARRIER_NOT_NOMINATED"]);
    }
    world
        .mandate(&["CARRY"], now - hour, Some(now + hour), false)
        .await;
    let nominated = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(
        nominated.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        nominated.conditions
    );
    assert_eq!(nominated.carrier_party, "haulier-b");
}

#[tokio::test]
async fn rule_1_an_older_word_does_not_bring_a_revoked_mandate_back() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    let since = Utc::now() - TimeDelta::hours(1);
    for revoked in [false, true] {
        world.mandate(&["CARRY"], since, None, revoked).await;
    }
    world.first_word_on_mandate().await;
    let stranger = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(codes(&stranger.conditions), ["CARRIER_NOT_NOMINATED"]);
}

#[tokio::test]
async fn rule_1_a_carry_mandate_for_some_containers_is_none_for_others() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    world.nominated_for(&[OTHER_BOX]).await;
    let stranger = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(codes(&stranger.conditions), ["CARRIER_NOT_NOMINATED"]);
    world.nominated_for(&[OTHER_BOX, BOX]).await;
    let nominated = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(nominated.state(), TruckVisitState::GatedIn, "{nominated:?}");
}

#[tokio::test]
async fn rule_1_a_hold_on_visit_plate_party_or_declaration_keeps_the_truck_out_until_it_is_lifted()
{
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    let declaration = format!("declaration of {BOX}");
    let visit = visit(BOX);
    for scope in [
        (HoldScopeKind::ContainerVisit, visit.as_str()),
        (HoldScopeKind::Plate, PLATE),
        (HoldScopeKind::Party, "haulier-a"),
        (HoldScopeKind::Declaration, declaration.as_str()),
    ] {
        for service in ["customs", "release"] {
            let id = format!("H of {service} on {scope:?}");
            world.told_hold(service, &id, scope, false).await;
            let blocked = world.pre_arrival(&filed).await;
            assert_eq!(blocked.state(), PreArrivalState::Blocked, "{id}");
            assert_eq!(blocked.conditions.len(), 1, "{id}");
            assert_eq!(blocked.conditions[0].evidence.len(), 1, "{id}");
            let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
            assert_eq!(truck.state(), TruckVisitState::TurnedAway, "{id}");
            world.told_hold(service, &id, scope, true).await;
            assert_eq!(
                world.pre_arrival(&filed).await.state(),
                PreArrivalState::Ready,
                "{id}"
            );
        }
    }
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
}

#[tokio::test]
async fn rule_1_a_trailer_that_is_held_or_not_filed_does_not_slip_in_behind_its_tractor() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    world.hold(HoldScopeKind::Plate, "渝B·9999挂").await;
    let request = api::CheckInRequest {
        vehicle: with_trailer(PLATE, "渝B9999挂"),
        ..at_the_lane(PLATE, &[BOX], "haulier-a")
    };
    let truck = world
        .try_check_in(request)
        .await
        .unwrap()
        .truck_visit
        .unwrap();
    assert_eq!(
        truck.state(),
        TruckVisitState::TurnedAway,
        "{:?}",
        truck.conditions
    );
}

#[tokio::test]
async fn a_hold_that_was_there_before_its_declaration_was_bound_counts_from_the_binding_on() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    world
        .told_hold("customs", "H1", (HoldScopeKind::Declaration, "D-9"), false)
        .await;
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        PreArrivalState::Ready
    );
    world.cleared(BOX, &[("D-9", InspectionRequired::No)]).await;
    let blocked = world.pre_arrival(&filed).await;
    assert_eq!(codes(&blocked.conditions), ["CUSTOMS_HOLD"]);
}

#[tokio::test]
async fn rule_1_a_suspended_or_unknown_firm_is_not_ready() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    world.party("haulier-a", true).await;
    assert_eq!(
        codes(&world.pre_arrival(&filed).await.conditions),
        ["PARTY_SUSPENDED"]
    );
    world.party("haulier-a", false).await;
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        PreArrivalState::Ready
    );
    let stranger = crate::world::filing(PreArrivalKind::EmptyVehicle, NEXT_PLATE, &[]);
    let stranger = world.try_file("haulier-z", stranger).await.unwrap();
    assert_eq!(codes(&stranger.conditions), ["PARTY_UNKNOWN"]);
}

#[tokio::test]
async fn rule_2_unknown_never_means_no() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    world.inspection(BOX, InspectionRequired::Unknown).await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        (truck.state(), codes(&truck.conditions)),
        (TruckVisitState::ManualReview, vec!["INSPECTION_UNKNOWN"])
    );
    // Once it is known, the truck that still waits is let in.
    world.inspection(BOX, InspectionRequired::No).await;
    let again = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(again.truck_visit_id, truck.truck_visit_id);
    assert_eq!(again.state(), TruckVisitState::GatedIn);
}

#[tokio::test]
async fn rule_1_a_truck_to_be_inspected_is_routed_to_the_first_inspection_site_and_kept_until_it_is_done()
 {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    world.inspection(BOX, InspectionRequired::Yes).await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert!(truck.gated_in_at.is_some(), "{:?}", truck.conditions);
    assert_eq!(truck.next_inspection_site, "SCANNER");
    let refused = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(refused.outcome(), api::CheckOutOutcome::Refused);
    let inspection = truck.inspections[0].inspection_id.clone();
    for site in ["SCANNER", "EXAMINATION-BAY"] {
        let passed = api::InspectionResult::Passed;
        let done = world.inspect("officer-2", &truck, &inspection, site, passed);
        done.await.unwrap();
    }
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), api::CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn rule_5_an_absent_weight_is_null_and_policy_decides() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    assert_eq!(truck.weight_in, None);
    let zero = api::CheckInRequest {
        weight: kilograms("0"),
        ..at_the_lane(NEXT_PLATE, &[], "haulier-a")
    };
    let refused = world.try_check_in(zero).await.unwrap_err();
    assert_eq!(crate::world::faults(&refused), ["MASS_INVALID"]);

    let world = World::that_weighs().await;
    world.ready(&[BOX]).await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        (truck.state(), codes(&truck.conditions)),
        (TruckVisitState::ManualReview, vec!["WEIGHT_MISSING"])
    );
    // Weighed while it waits: the reading counts when it is looked at again.
    let request = api::RecordWeightRequest {
        request_id: fresh(),
        truck_visit_id: truck.truck_visit_id.clone(),
        barrier: api::Barrier::In.into(),
        weight: kilograms("15000"),
        ..Default::default()
    };
    let weighed = world
        .handlers
        .record_weight(call("terminal", request))
        .await;
    weighed.unwrap();
    let again = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(again.state(), TruckVisitState::GatedIn);
    assert_eq!(again.weight_in, kilograms("15000"));
}

#[tokio::test]
async fn rule_7_the_same_truck_seen_twice_before_it_leaves_the_lane_is_one_visit() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    let first = world.check_in(PLATE, &[BOX], "haulier-a").await;
    let before = world.told("gate.truck-visit").await.len();
    let second = world
        .try_check_in(at_the_lane("渝A-12345", &[BOX], "haulier-a"))
        .await
        .unwrap();
    assert!(second.repeated);
    assert_eq!(second.truck_visit.unwrap(), first);
    assert_eq!(world.told("gate.truck-visit").await.len(), before);
}

#[tokio::test]
async fn rule_7_two_lanes_that_see_one_plate_at_the_same_instant_open_one_visit() {
    let world = World::with(TimeDelta::hours(4), 3, |_| {}).await;
    world.ready(&[BOX]).await;
    let seen = (0..8).map(|_| world.check_in(PLATE, &[BOX], "haulier-a"));
    let trucks = futures::future::join_all(seen).await;
    assert!(
        trucks
            .iter()
            .all(|truck| truck.truck_visit_id == trucks[0].truck_visit_id)
    );
    let visits: i64 = sqlx::query_scalar("select count(*) from truck_visit")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(visits, 1);
    let story = world
        .story("gate.truck-visit", &trucks[0].truck_visit_id)
        .await;
    assert_eq!(story, ["arrived", "gated-in"]);
}

#[tokio::test]
async fn rule_9_times_are_utc_with_the_zone_of_the_site_beside_them() {
    let world = World::new().await;
    let without_zone: i64 = sqlx::query_scalar(
        "select count(*) from information_schema.columns
         where table_schema = 'public' and data_type like 'timestamp without%' and table_name not like '\\_sqlx%'",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(without_zone, 0);
    let sites = world
        .handlers
        .list_sites(call("haulier-a", api::ListSitesRequest {}))
        .await
        .unwrap()
        .into_inner()
        .sites;
    assert_eq!(sites.len(), 2);
    assert!(sites.iter().all(|site| site.time_zone == "Asia/Shanghai"));
    assert_eq!(world.story("gate.site", PORT).await, ["declared"]);
}

#[tokio::test]
async fn rule_10_old_or_unknown_knowledge_needs_a_person() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    world.heard_seconds_ago(90).await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        (truck.state(), codes(&truck.conditions)),
        (TruckVisitState::ManualReview, vec!["KNOWLEDGE_TOO_OLD"])
    );
    sqlx::query("update fabric.position set watermark_stamped_at = null")
        .execute(&world.pool)
        .await
        .unwrap();
    let again = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(again.truck_visit_id, truck.truck_visit_id);
    assert_eq!(unknown_topics(&again.conditions), TOPICS);
    let empty = world
        .review(&truck, ReviewVerdict::LetIn, "")
        .await
        .unwrap_err();
    assert_eq!(reason(&empty), "FILING_INVALID");
    let let_in = world
        .review(
            &truck,
            ReviewVerdict::LetIn,
            "release told on the telephone",
        )
        .await
        .unwrap();
    assert_eq!(let_in.state(), TruckVisitState::GatedIn);
    let let_in = world.truck(&let_in).await;
    let admission = let_in.admissions.last().unwrap();
    assert_eq!(admission.reason, "release told on the telephone");
    assert_eq!(admission.decided_by_subject, "clerk of terminal");
    assert_eq!(unknown_topics(&admission.conditions_overridden), TOPICS);
}

/// Every topic on which a full-out depends.
const TOPICS: [&str; 5] = [
    "customs.clearance",
    "customs.hold",
    "customs.party",
    "release.decision",
    "release.hold",
];

/// What cannot be known, where nothing else stands in the way.
fn unknown_topics(conditions: &[Condition]) -> Vec<&str> {
    assert!(
        conditions.iter().all(|c| c.code == "KNOWLEDGE_UNKNOWN"),
        "{conditions:?}"
    );
    let mut topics: Vec<&str> = conditions.iter().map(|c| c.subject.as_str()).collect();
    topics.sort_unstable();
    topics
}

fn about<'a>(evidence: &'a [api::Evidence], subject: &str) -> &'a api::Evidence {
    evidence
        .iter()
        .find(|evidence| evidence.subject == subject)
        .unwrap_or_else(|| panic!("{subject} is not among {evidence:?}"))
}

#[tokio::test]
async fn rule_13_each_fact_of_an_admission_has_the_age_of_its_own_source_and_the_mandate_is_among_them()
 {
    let world = World::new().await;
    world.nominated(false).await;
    world.ready(&[BOX]).await;
    sqlx::query(
        "update fabric.position set watermark_stamped_at = watermark_stamped_at - interval '20 seconds'
         where topic = 'release.decision'",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let truck = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
    let truck = world.truck(&truck).await;
    let evidence = &truck.admissions[0].evidence;
    let mandate = about(evidence, "mandate/mandate-1");
    assert_eq!(mandate.value, "CARRY haulier-b for haulier-a");
    assert_eq!(mandate.version, 1);
    for fact in evidence {
        let age = fact.knowledge_age_millis;
        match fact.subject.split('/').next().unwrap() {
            "container-visit" => assert_eq!(age, None, "gate's own: {fact:?}"),
            "decision" => assert!(age.unwrap() >= 20_000, "{fact:?}"),
            _ => assert!(age.unwrap() < 20_000, "{fact:?}"),
        }
    }
    let subjects: Vec<&str> = evidence.iter().map(|e| e.subject.as_str()).collect();
    let (visit, decision) = (
        format!("container-visit/{}", visit(BOX)),
        format!("decision/{}", visit(BOX)),
    );
    let clearance = format!("clearance/{BOX}");
    assert_eq!(
        subjects,
        [
            visit.as_str(),
            &decision,
            &clearance,
            "party/haulier-a",
            "party/haulier-b",
            "mandate/mandate-1",
            "customs.hold",
            "release.hold"
        ]
    );
}

#[tokio::test]
async fn rule_13_an_admission_keeps_what_it_stood_on() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let truck = world.truck(&truck).await;
    let evidence = &truck.admissions[0].evidence;
    let about = |subject: &str| about(evidence, subject);
    let decision = about(&format!("decision/{}", visit(BOX)));
    assert_eq!(decision.value, "GRANTED haulier-a");
    assert!(decision.event_id.starts_with("given/"));
    assert_eq!(decision.version, 1);
    assert!(decision.knowledge_age_millis.is_some());
    assert_eq!(
        about(&format!("container-visit/{}", visit(BOX))).value,
        "ARRIVED"
    );
    assert_eq!(about(&format!("clearance/{BOX}")).value, "inspection NO");
    assert_eq!(about("party/haulier-a").value, "known");
}

#[tokio::test]
async fn rule_14_a_parked_key_never_admits() {
    for (topic, key) in [
        ("release.decision", visit(BOX)),
        ("customs.clearance", format!("container/{BOX}")),
        ("customs.hold", format!("container-visit/{}", visit(BOX))),
        ("release.hold", format!("plate/{PLATE}")),
        ("customs.hold", format!("declaration/declaration of {BOX}")),
        ("customs.party", "haulier-a".to_owned()),
    ] {
        let world = World::new().await;
        world.ready(&[BOX]).await;
        world.park(topic, &key).await;
        let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
        assert_eq!(
            (truck.state(), codes(&truck.conditions)),
            (TruckVisitState::TurnedAway, vec!["KNOWLEDGE_UNKNOWN"]),
            "{topic} {key}"
        );
    }
}

#[tokio::test]
async fn rule_14_a_filing_is_blocked_while_something_about_it_is_parked_and_ready_once_that_is_given_up()
 {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    world.park("customs.hold", &format!("plate/{PLATE}")).await;
    world.until(&filed, PreArrivalState::Blocked).await;
    let blocked = world.pre_arrival(&filed).await;
    assert_eq!(codes(&blocked.conditions), ["KNOWLEDGE_UNKNOWN"]);
    world.give_up_parked().await;
    world.until(&filed, PreArrivalState::Ready).await;
}

#[tokio::test]
async fn a_truck_that_nobody_can_tell_is_let_in_only_on_a_filing_that_is_still_open() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    let truck = world.check_in(PLATE, &[BOX], "").await;
    assert_eq!(
        (truck.state(), codes(&truck.conditions)),
        (TruckVisitState::ManualReview, vec!["CARRIER_UNKNOWN"])
    );
    let request = api::CancelPreArrivalRequest {
        request_id: fresh(),
        pre_arrival_id: filed.pre_arrival_id.clone(),
        expected_version: filed.version,
        ..Default::default()
    };
    let cancelled = world
        .handlers
        .cancel_pre_arrival(call("haulier-a", request));
    cancelled.await.unwrap();
    let refused = world.review(&truck, ReviewVerdict::LetIn, "the driver is known");
    refused.await.unwrap_err();
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        PreArrivalState::Cancelled
    );
    assert_eq!(
        world.truck(&truck).await.state(),
        TruckVisitState::ManualReview
    );
    let sent = world.review(&truck, ReviewVerdict::TurnAway, "cancelled");
    assert_eq!(sent.await.unwrap().state(), TruckVisitState::TurnedAway);
}

#[tokio::test]
async fn no_person_lets_a_held_truck_in() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    let truck = world.check_in(PLATE, &[BOX], "").await;
    let hold = world.hold(HoldScopeKind::ContainerVisit, BOX).await;
    let refused = world
        .review(&truck, ReviewVerdict::LetIn, "let him")
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "HELD");
    world.lift(&hold).await;
    let let_in = world.review(&truck, ReviewVerdict::LetIn, "the driver is known");
    assert_eq!(let_in.await.unwrap().state(), TruckVisitState::GatedIn);
}

#[tokio::test]
async fn two_filings_that_fit_are_told_apart_by_their_number() {
    let world = World::new().await;
    world.hears().await;
    let first = world.file(PreArrivalKind::EmptyVehicle, PLATE, &[]).await;
    world.file(PreArrivalKind::EmptyVehicle, PLATE, &[]).await;
    let truck = world.check_in(PLATE, &[], "haulier-a").await;
    assert_eq!(
        (truck.state(), codes(&truck.conditions)),
        (TruckVisitState::ManualReview, vec!["PRE_ARRIVAL_AMBIGUOUS"])
    );
    let scanned = api::CheckInRequest {
        pre_arrival: first.number.clone(),
        ..at_the_lane(PLATE, &[], "haulier-a")
    };
    let truck = world
        .try_check_in(scanned)
        .await
        .unwrap()
        .truck_visit
        .unwrap();
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
    assert_eq!(truck.pre_arrival_id, first.pre_arrival_id);
}

#[tokio::test]
async fn rule_14_a_stopped_partition_is_unknown_whatever_it_would_have_told_and_at_both_barriers() {
    let world = World::new().await;
    world.nominated(false).await;
    world.ready(&[BOX]).await;
    let sources = [
        ("release.decision", visit(BOX)),
        ("customs.clearance", format!("container/{BOX}")),
        ("customs.hold", format!("container-visit/{}", visit(BOX))),
        ("release.hold", format!("plate/{PLATE}")),
        ("customs.hold", format!("declaration/declaration of {BOX}")),
        ("customs.hold", "party/haulier-a".to_owned()),
        ("release.hold", "party/haulier-b".to_owned()),
        // The haulier's entry, and the mandates that it gave.
        ("customs.party", "haulier-a".to_owned()),
        ("customs.party", "haulier-b".to_owned()),
    ];
    for (topic, key) in &sources {
        world.stop(topic, key, true).await;
        let waits = world.check_in(PLATE, &[BOX], "haulier-b").await;
        assert_eq!(
            waits.state(),
            TruckVisitState::ManualReview,
            "{topic} {key}"
        );
        assert_eq!(unknown_topics(&waits.conditions), [*topic], "{key}");
        world.stop(topic, key, false).await;
    }
    let truck = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    for (topic, key) in &sources {
        world.stop(topic, key, true).await;
        let out = world.check_out(PLATE, &[BOX]).await;
        assert_eq!(
            out.outcome(),
            api::CheckOutOutcome::ManualReview,
            "{topic} {key}"
        );
        let conditions = out.truck_visit.unwrap().conditions;
        assert_eq!(unknown_topics(&conditions), [*topic], "{key}");
        world.stop(topic, key, false).await;
    }
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), api::CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn rule_14_a_stopped_partition_is_unknown_for_every_kind_and_an_empty_truck_leaves_all_the_same()
 {
    let world = World::new().await;
    world.hears().await;
    let plate = format!("plate/{PLATE}");
    for (kind, containers) in [
        (PreArrivalKind::EmptyVehicle, &[][..]),
        (PreArrivalKind::EmptyIn, &[BOX]),
        (PreArrivalKind::EmptyOut, &[BOX]),
    ] {
        world.file(kind, PLATE, containers).await;
        world.stop("customs.hold", &plate, true).await;
        let waits = world.check_in(PLATE, containers, "haulier-a").await;
        assert_eq!(waits.state(), TruckVisitState::ManualReview, "{kind:?}");
        assert_eq!(
            unknown_topics(&waits.conditions),
            ["customs.hold"],
            "{kind:?}"
        );
        world.stop("customs.hold", &plate, false).await;
        let truck = world.check_in(PLATE, containers, "haulier-a").await;
        assert_eq!(truck.state(), TruckVisitState::GatedIn, "{kind:?}");
        world.stop("customs.hold", &plate, true).await;
        let empty = world.check_out(PLATE, &[]).await;
        assert_eq!(empty.outcome(), api::CheckOutOutcome::LetOut, "{kind:?}");
        world.stop("customs.hold", &plate, false).await;
    }
}

#[tokio::test]
async fn rule_10_the_limit_of_age_is_for_full_containers_only() {
    let world = World::new().await;
    world.heard_seconds_ago(90).await;
    world.file(PreArrivalKind::EmptyVehicle, PLATE, &[]).await;
    let truck = world.check_in(PLATE, &[], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
}

#[tokio::test]
async fn rule_1_what_keeps_a_haulier_out_keeps_out_the_firm_that_carries_for_it() {
    let world = World::new().await;
    world.nominated(false).await;
    world.ready(&[BOX]).await;
    world.party("haulier-b", true).await;
    let suspended = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(
        (suspended.state(), codes(&suspended.conditions)),
        (TruckVisitState::TurnedAway, vec!["PARTY_SUSPENDED"])
    );
    world.party("haulier-b", false).await;
    let scope = (HoldScopeKind::Party, "haulier-b");
    world.told_hold("customs", "H1", scope, false).await;
    let held = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(codes(&held.conditions), ["CUSTOMS_HOLD"]);
    // It is a hold on that firm, not on the filing.
    world.told_hold("customs", "H1", scope, true).await;
    for topic in ["customs.party", "customs.hold"] {
        let key = if topic == "customs.party" {
            "haulier-b"
        } else {
            "party/haulier-b"
        };
        world.park(topic, key).await;
        let parked = world.check_in(PLATE, &[BOX], "haulier-b").await;
        assert_eq!(parked.state(), TruckVisitState::TurnedAway, "{topic}");
        assert!(
            parked
                .conditions
                .iter()
                .any(|c| c.subject == format!("{topic} {key}")),
            "{:?}",
            parked.conditions
        );
    }
}

#[tokio::test]
async fn rule_1_no_person_lets_in_a_firm_that_is_held_since_it_waits() {
    let world = World::new().await;
    world.nominated(false).await;
    world.ready(&[BOX]).await;
    world.heard_seconds_ago(90).await;
    let waits = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(codes(&waits.conditions), ["KNOWLEDGE_TOO_OLD"]);
    world.hold(HoldScopeKind::Party, "haulier-b").await;
    let refused = world.review(&waits, ReviewVerdict::LetIn, "let him").await;
    assert_eq!(reason(&refused.unwrap_err()), "HELD");
}

/// A truck whose trailer the camera did not read waits for a person.
async fn waits_for_its_trailer(
    world: &World,
    kind: PreArrivalKind,
    containers: &[&str],
) -> api::TruckVisit {
    let filed = api::SubmitPreArrivalRequest {
        vehicle: with_trailer(PLATE, TRAILER),
        ..filing(kind, PLATE, containers)
    };
    world.try_file("haulier-a", filed).await.unwrap();
    let waits = world.check_in(PLATE, containers, "haulier-a").await;
    assert_eq!(
        (waits.state(), codes(&waits.conditions)),
        (TruckVisitState::ManualReview, vec!["TRAILER_NOT_READ"])
    );
    waits
}

#[tokio::test]
async fn rule_1_a_trailer_that_was_not_read_at_first_is_the_trucks_from_then_on() {
    for by_a_person in [false, true] {
        let world = World::new().await;
        world.arrived(&[BOX]).await;
        world.granted(BOX, "haulier-a").await;
        world.hears().await;
        let waits = waits_for_its_trailer(&world, PreArrivalKind::FullOut, &[BOX]).await;
        let truck = if by_a_person {
            let seen = world.review(&waits, ReviewVerdict::LetIn, "it is the one filed");
            seen.await.unwrap()
        } else {
            let read = api::CheckInRequest {
                vehicle: with_trailer(PLATE, TRAILER),
                ..at_the_lane(PLATE, &[BOX], "haulier-a")
            };
            world.try_check_in(read).await.unwrap().truck_visit.unwrap()
        };
        assert_eq!(truck.state(), TruckVisitState::GatedIn);
        assert_eq!(truck.truck_visit_id, waits.truck_visit_id);
        assert_eq!(
            truck
                .vehicle
                .as_ref()
                .unwrap()
                .trailer
                .as_ref()
                .unwrap()
                .text,
            TRAILER
        );
        world
            .told_hold("customs", "H1", (HoldScopeKind::Plate, TRAILER), false)
            .await;
        assert_eq!(world.truck(&truck).await.state(), TruckVisitState::Recalled);
        let out = world.check_out(PLATE, &[BOX]).await;
        assert_eq!(out.outcome(), api::CheckOutOutcome::Refused);
    }
}

#[tokio::test]
async fn rule_1_a_hold_on_the_trailer_filed_binds_the_person_who_lets_it_in_unread() {
    let world = World::new().await;
    world.hears().await;
    let waits = waits_for_its_trailer(&world, PreArrivalKind::EmptyVehicle, &[]).await;
    world.hold(HoldScopeKind::Plate, TRAILER).await;
    let refused = world
        .review(&waits, ReviewVerdict::LetIn, "it is the one filed")
        .await;
    assert_eq!(reason(&refused.unwrap_err()), "HELD");
}

#[tokio::test]
async fn rule_11_a_person_lets_in_only_on_what_he_saw_and_what_he_set_aside_is_what_stood() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    let waits = world.check_in(PLATE, &[BOX], "").await;
    assert_eq!(codes(&waits.conditions), ["CARRIER_UNKNOWN"]);
    world.heard_seconds_ago(90).await;
    let unseen = world.review_at(&waits, ReviewVerdict::LetIn, "known", waits.version);
    assert_eq!(reason(&unseen.await.unwrap_err()), "CONDITIONS_CHANGED");
    let now = world.truck(&waits).await;
    assert_eq!(now.state(), TruckVisitState::ManualReview);
    assert_eq!(
        codes(&now.conditions),
        ["CARRIER_UNKNOWN", "KNOWLEDGE_TOO_OLD"]
    );
    let stale = world.review_at(&waits, ReviewVerdict::LetIn, "known", waits.version);
    assert_eq!(reason(&stale.await.unwrap_err()), "STALE_VERSION");
    // What no longer stands need not be set aside.
    world.hears().await;
    let let_in = world.review_at(&waits, ReviewVerdict::LetIn, "known", now.version);
    assert_eq!(let_in.await.unwrap().state(), TruckVisitState::GatedIn);
    let let_in = world.truck(&waits).await;
    assert_eq!(
        codes(&let_in.admissions[0].conditions_overridden),
        ["CARRIER_UNKNOWN"]
    );
    let story = world.story("gate.truck-visit", &waits.truck_visit_id).await;
    assert_eq!(
        story,
        ["arrived", "manual-review", "manual-review", "gated-in"]
    );
}

#[tokio::test]
async fn rule_2_an_inspection_ordered_after_gate_in_recalls_also_where_the_lanes_clock_is_ahead() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    let ahead = api::CheckInRequest {
        observed_at: Some(timestamp(Utc::now() + TimeDelta::seconds(200))),
        ..at_the_lane(PLATE, &[BOX], "haulier-a")
    };
    let truck = world
        .try_check_in(ahead)
        .await
        .unwrap()
        .truck_visit
        .unwrap();
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
    let ordered = world
        .order("terminal", &truck, &[])
        .await
        .truck_visit
        .unwrap();
    assert_eq!(ordered.state(), TruckVisitState::Recalled);
}

#[tokio::test]
async fn rule_2_an_inspection_that_the_truck_was_let_in_with_recalls_nobody() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    let waits = world.check_in(PLATE, &[BOX], "").await;
    world.order("terminal", &waits, &["SCANNER"]).await;
    let late = api::CheckInRequest {
        observed_at: Some(timestamp(Utc::now() - TimeDelta::hours(2))),
        ..at_the_lane(PLATE, &[BOX], "haulier-a")
    };
    let truck = world.try_check_in(late).await.unwrap().truck_visit.unwrap();
    assert_eq!(
        (truck.state(), truck.next_inspection_site.as_str()),
        (TruckVisitState::GatedIn, "SCANNER")
    );
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(
        codes(&out.truck_visit.unwrap().conditions),
        ["INSPECTION_OPEN"]
    );
}

#[tokio::test]
async fn a_time_longer_ago_than_a_lane_buffers_and_a_firm_without_end_are_faults() {
    let world = World::new().await;
    let ago = |hours: i64| Some(timestamp(Utc::now() - TimeDelta::hours(hours)));
    let seen = api::CheckInRequest {
        observed_at: ago(37),
        ..at_the_lane(PLATE, &[], "haulier-a")
    };
    let refused = world.try_check_in(seen).await.unwrap_err();
    assert_eq!(crate::world::faults(&refused), ["TIME_LONG_AGO"]);
    let nobody = at_the_lane(PLATE, &[], &"x".repeat(65));
    let refused = world.try_check_in(nobody).await.unwrap_err();
    assert_eq!(crate::world::faults(&refused), ["TEXT_INVALID"]);
    let buffered = api::CheckOutRequest {
        observed_at: ago(35),
        ..at_the_exit(PLATE, &[])
    };
    world.try_check_out(buffered).await.unwrap();
}

#[tokio::test]
async fn rule_11_a_container_that_the_terminal_does_not_hand_out_moves_on_no_release() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    world.available(BOX, false).await;
    let blocked = world.pre_arrival(&filed).await;
    assert_eq!(codes(&blocked.conditions), ["NOT_AVAILABLE"]);
    let away = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(away.state(), TruckVisitState::TurnedAway);
    world.available(BOX, true).await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
    world.available(BOX, false).await;
    let recalled = world.truck(&truck).await;
    assert_eq!(
        (recalled.state(), codes(&recalled.conditions)),
        (TruckVisitState::Recalled, vec!["NOT_AVAILABLE"])
    );
    // Release says the same a moment later: one condition, not two.
    let mut withheld = crate::world::decision(&visit(BOX), 9, "WITHHELD", "", "");
    withheld.decision.as_mut().unwrap().conditions = vec![Condition {
        code: "NOT_AVAILABLE".into(),
        subject: format!("container-visit/{}", visit(BOX)),
        who: "terminal".into(),
        ..Default::default()
    }];
    world
        .apply("release.decision", &visit(BOX), &withheld)
        .await;
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), api::CheckOutOutcome::Refused);
    assert_eq!(
        codes(&out.truck_visit.unwrap().conditions),
        ["NOT_AVAILABLE"]
    );
}

#[tokio::test]
async fn who_lifts_a_hold_or_ends_an_inspection_is_an_officer_and_not_which_one() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    world
        .told_hold("customs", "H1", (HoldScopeKind::Plate, PLATE), false)
        .await;
    world.hold(HoldScopeKind::Plate, PLATE).await;
    let blocked = world.pre_arrival(&filed).await;
    let who: std::collections::BTreeMap<&str, &str> = blocked
        .conditions
        .iter()
        .map(|condition| (condition.code.as_str(), condition.who.as_str()))
        .collect();
    assert_eq!(who["CUSTOMS_HOLD"], "officer");
    // Whoever collects a container calls the terminal.
    assert_eq!(who["TERMINAL_HOLD"], "terminal");

    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    world.order("officer-1", &truck, &[]).await;
    assert_eq!(world.truck(&truck).await.conditions[0].who, "officer");
}
