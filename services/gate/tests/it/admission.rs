//! The way in: what a barrier needs to open, and what is kept of it.

use chrono::{TimeDelta, Utc};
use proto::common::v1::{HoldScopeKind, InspectionRequired};
use proto::gate::v1 as api;
use proto::gate::v1::gate_service_server::GateService;
use proto::gate::v1::{PreArrivalKind, PreArrivalState, ReviewVerdict, TruckVisitState};

use crate::world::{
    BOX, NEXT_PLATE, OTHER_BOX, PLATE, PORT, World, at_the_lane, call, codes, fresh, kilograms,
    reason, visit, with_trailer,
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
    assert_eq!(codes(&again.conditions), ["KNOWLEDGE_UNKNOWN"]);
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
    assert_eq!(
        codes(&admission.conditions_overridden),
        ["KNOWLEDGE_UNKNOWN"]
    );
}

#[tokio::test]
async fn rule_13_an_admission_keeps_what_it_stood_on() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let truck = world.truck(&truck).await;
    let evidence = &truck.admissions[0].evidence;
    let about = |subject: &str| {
        evidence
            .iter()
            .find(|evidence| evidence.subject == subject)
            .unwrap_or_else(|| panic!("{subject} is not among {evidence:?}"))
    };
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
