//! The way out: decided again with the newest facts.

use proto::common::v1::{HoldScopeKind, InspectionRequired};
use proto::gate::v1 as api;
use proto::gate::v1::gate_service_server::GateService;
use proto::gate::v1::{
    CheckOutOutcome, ContainerVisitPhase, PreArrivalKind, ReviewVerdict, TruckVisitState,
};

use crate::world::{
    BOX, NEXT_PLATE, OTHER_BOX, PLATE, TRAILER, World, at_the_exit, at_the_lane, call, codes,
    filing, fresh, kilograms, reason, visit, with_trailer,
};

#[tokio::test]
async fn a_full_container_leaves_and_its_stay_the_truck_visit_and_the_filing_are_over() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
    assert_eq!(out.departed_container_visit_ids, [visit(BOX)]);
    let gone = world.truck(&truck).await;
    assert_eq!(gone.state(), TruckVisitState::Closed);
    assert_eq!(gone.admissions.len(), 2);
    let stay = world.container(&visit(BOX)).await;
    assert_eq!(stay.phase(), ContainerVisitPhase::Departed);
    assert_eq!(stay.departed_with_truck_visit_id, truck.truck_visit_id);
    assert_eq!(
        world.story("gate.truck-visit", &truck.truck_visit_id).await,
        ["arrived", "gated-in", "gated-out", "closed"]
    );
    let again = world.try_check_out(at_the_exit(PLATE, &[BOX])).await;
    assert_eq!(reason(&again.unwrap_err()), "TRUCK_NOT_HERE");
}

#[tokio::test]
async fn rule_2_a_hold_after_gate_in_recalls_and_its_end_frees_the_truck() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let visit = visit(BOX);
    for scope in [
        (HoldScopeKind::ContainerVisit, visit.as_str()),
        (HoldScopeKind::Plate, PLATE),
        (HoldScopeKind::Party, "haulier-a"),
    ] {
        world.told_hold("customs", "H1", scope, false).await;
        let recalled = world.truck(&truck).await;
        assert_eq!(
            (recalled.state(), codes(&recalled.conditions)),
            (TruckVisitState::Recalled, vec!["CUSTOMS_HOLD"]),
            "{scope:?}"
        );
        let refused = world.check_out(PLATE, &[BOX]).await;
        assert_eq!(refused.outcome(), CheckOutOutcome::Refused);
        let person = world
            .review(&truck, ReviewVerdict::LetOut, "let him")
            .await
            .unwrap_err();
        assert_eq!(reason(&person), "HELD");
        world.told_hold("customs", "H1", scope, true).await;
        assert_eq!(
            world.truck(&truck).await.state(),
            TruckVisitState::GatedIn,
            "{scope:?}"
        );
        // A hold's scope does not change in life: another hold, another id. Here the world is made anew.
        sqlx::query("delete from hold")
            .execute(&world.pool)
            .await
            .unwrap();
    }
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn rule_2_an_inspection_asked_after_gate_in_recalls_as_often_as_it_is_asked() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    for _ in 0..2 {
        world.inspection(BOX, InspectionRequired::Yes).await;
        let recalled = world.truck(&truck).await;
        assert_eq!(
            (recalled.state(), codes(&recalled.conditions)),
            (TruckVisitState::Recalled, vec!["INSPECTION_OPEN"])
        );
        assert_eq!(recalled.next_inspection_site, "SCANNER");
        // Whoever ordered it ends it.
        world.inspection(BOX, InspectionRequired::No).await;
        assert_eq!(world.truck(&truck).await.state(), TruckVisitState::GatedIn);
    }
}

#[tokio::test]
async fn rule_2_what_customs_asked_and_an_officer_has_ended_is_ordered_anew_when_it_is_asked_anew()
{
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    for asked in 1..=2 {
        world.inspection(BOX, InspectionRequired::Yes).await;
        let recalled = world.truck(&truck).await;
        assert_eq!(recalled.state(), TruckVisitState::Recalled);
        assert_eq!(recalled.inspections.len(), asked);
        let request = api::EndInspectionRequest {
            request_id: fresh(),
            truck_visit_id: truck.truck_visit_id.clone(),
            inspection_id: recalled.inspections.last().unwrap().inspection_id.clone(),
            reason: "the papers suffice".into(),
        };
        let ended = world.handlers.end_inspection(call("officer-1", request));
        ended.await.unwrap();
        assert_eq!(world.truck(&truck).await.state(), TruckVisitState::GatedIn);
        world.inspection(BOX, InspectionRequired::No).await;
    }
}

#[tokio::test]
async fn rule_2_an_inspection_binds_also_where_a_site_has_no_inspection_sites() {
    let world = World::with(chrono::TimeDelta::hours(4), 1, |site| {
        site.inspection_sites.clear();
    })
    .await;
    let truck = world.inside(&[BOX]).await;
    world.inspection(BOX, InspectionRequired::Yes).await;
    let recalled = world.truck(&truck).await;
    assert_eq!(recalled.state(), TruckVisitState::Recalled);
    let request = api::EndInspectionRequest {
        request_id: fresh(),
        truck_visit_id: truck.truck_visit_id.clone(),
        inspection_id: recalled.inspections[0].inspection_id.clone(),
        reason: "looked at in the yard".into(),
    };
    let ended = world.handlers.end_inspection(call("officer-1", request));
    let ended = ended.await.unwrap().into_inner().truck_visit.unwrap();
    assert_eq!(ended.state(), TruckVisitState::GatedIn);
}

#[tokio::test]
async fn rule_11_an_empty_truck_always_may_leave() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    world.hold(HoldScopeKind::Plate, PLATE).await;
    world.hold(HoldScopeKind::Party, "haulier-a").await;
    world.park("release.decision", &visit(BOX)).await;
    world.order("officer-1", &truck, &[]).await;
    assert_eq!(world.truck(&truck).await.state(), TruckVisitState::Recalled);
    let out = world.check_out(PLATE, &[]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
    assert_eq!(out.departed_container_visit_ids, Vec::<String>::new());
    let stay = world.container(&visit(BOX)).await;
    assert_eq!(stay.phase(), ContainerVisitPhase::Arrived);
}

#[tokio::test]
async fn rule_11_an_empty_truck_leaves_the_lane_undecided_and_its_filing_stays() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    let truck = world.check_in(PLATE, &[BOX], "").await;
    assert_eq!(truck.state(), TruckVisitState::ManualReview);
    let out = world.check_out(PLATE, &[]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
    assert_eq!(
        world.truck(&truck).await.state(),
        TruckVisitState::TurnedAway
    );
    assert_eq!(
        world.story("gate.truck-visit", &truck.truck_visit_id).await,
        ["arrived", "manual-review", "turned-away"]
    );
    let again = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_ne!(again.truck_visit_id, truck.truck_visit_id);
    assert_eq!(
        (again.state(), again.pre_arrival_id),
        (TruckVisitState::GatedIn, filed.pre_arrival_id)
    );
}

#[tokio::test]
async fn rule_11_a_container_leaves_without_a_release_only_by_a_named_person_with_a_reason() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    world.decided(&visit(BOX), "REVOKED", "", "").await;
    let refused = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(refused.outcome(), CheckOutOutcome::Refused);
    let pending = refused.truck_visit.unwrap();
    assert_eq!(codes(&pending.conditions), ["RELEASE_REVOKED"]);
    assert!(pending.departure_pending.unwrap().may_be_decided);
    let silent = world.review(&truck, ReviewVerdict::LetOut, "  ").await;
    assert_eq!(reason(&silent.unwrap_err()), "FILING_INVALID");
    let kept = world.review(&truck, ReviewVerdict::KeepIn, "ask the line");
    assert_eq!(kept.await.unwrap().departure_pending, None);
    let nothing = world.review(&truck, ReviewVerdict::LetOut, "now").await;
    assert_eq!(reason(&nothing.unwrap_err()), "NOTHING_TO_DECIDE");
    world.check_out(PLATE, &[BOX]).await;
    let out = world
        .review(
            &truck,
            ReviewVerdict::LetOut,
            "by order of the harbour master",
        )
        .await
        .unwrap();
    assert_eq!(out.state(), TruckVisitState::Closed);
    let out = world.truck(&out).await;
    let admission = out.admissions.last().unwrap();
    assert_eq!(admission.reason, "by order of the harbour master");
    assert_eq!(admission.decided_by_subject, "clerk of terminal");
    assert_eq!(codes(&admission.conditions_overridden), ["RELEASE_REVOKED"]);
    assert_eq!(
        world.container(&visit(BOX)).await.phase(),
        ContainerVisitPhase::Departed
    );
}

#[tokio::test]
async fn rule_11_a_container_nobody_filed_for_stays_and_its_hold_binds_a_person_too() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    world.arrived(&[OTHER_BOX]).await;
    let hold = world.hold(HoldScopeKind::ContainerVisit, OTHER_BOX).await;
    let refused = world.check_out(PLATE, &[OTHER_BOX]).await;
    assert_eq!(refused.outcome(), CheckOutOutcome::Refused);
    let conditions = refused.truck_visit.unwrap().conditions;
    assert!(codes(&conditions).contains(&"CONTAINER_NOT_FILED"));
    assert!(codes(&conditions).contains(&"TERMINAL_HOLD"));
    let held = world.review(&truck, ReviewVerdict::LetOut, "let him").await;
    assert_eq!(reason(&held.unwrap_err()), "HELD");
    world.lift(&hold).await;
    world.check_out(PLATE, &[OTHER_BOX]).await;
    let out = world.review(&truck, ReviewVerdict::LetOut, "swapped by the yard");
    assert_eq!(out.await.unwrap().state(), TruckVisitState::Closed);
    // What left is what was on the truck.
    assert_eq!(
        world.container(&visit(OTHER_BOX)).await.phase(),
        ContainerVisitPhase::Departed
    );
    assert_eq!(
        world.container(&visit(BOX)).await.phase(),
        ContainerVisitPhase::Arrived
    );
}

#[tokio::test]
async fn a_container_that_is_not_at_the_site_does_not_leave_it() {
    let world = World::new().await;
    world.inside(&[BOX]).await;
    let refused = world.check_out(PLATE, &[OTHER_BOX]).await;
    assert_eq!(refused.outcome(), CheckOutOutcome::Refused);
    assert_eq!(world.told("gate.container-visit").await.len(), 3);
}

#[tokio::test]
async fn rule_16_of_two_containers_the_free_one_leaves_and_the_blocked_one_stays() {
    let world = World::new().await;
    let truck = world.inside(&[BOX, OTHER_BOX]).await;
    let hold = world.hold(HoldScopeKind::ContainerVisit, OTHER_BOX).await;
    assert_eq!(world.truck(&truck).await.state(), TruckVisitState::Recalled);
    let both = world.check_out(PLATE, &[BOX, OTHER_BOX]).await;
    assert_eq!(both.outcome(), CheckOutOutcome::Refused);
    let one = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(
        one.outcome(),
        CheckOutOutcome::LetOut,
        "{:?}",
        one.truck_visit.unwrap().conditions
    );
    assert_eq!(one.departed_container_visit_ids, [visit(BOX)]);
    assert_eq!(
        world.container(&visit(OTHER_BOX)).await.phase(),
        ContainerVisitPhase::Arrived
    );
    world.lift(&hold).await;
}

#[tokio::test]
async fn rule_16_a_filing_for_two_containers_is_blocked_by_either() {
    let world = World::new().await;
    let filed = world.ready(&[BOX, OTHER_BOX]).await;
    world.decided(&visit(OTHER_BOX), "WITHHELD", "", "").await;
    let blocked = world.pre_arrival(&filed).await;
    assert_eq!(codes(&blocked.conditions), ["RELEASE_NOT_GRANTED"]);
    assert_eq!(blocked.conditions[0].subject, visit(OTHER_BOX));
}

#[tokio::test]
async fn rule_10_the_way_out_too_is_decided_on_fresh_knowledge() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    world.heard_seconds_ago(90).await;
    let waits = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(waits.outcome(), CheckOutOutcome::ManualReview);
    assert_eq!(
        codes(&waits.truck_visit.unwrap().conditions),
        ["KNOWLEDGE_TOO_OLD"]
    );
    world.hears().await;
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
    assert_eq!(world.truck(&truck).await.state(), TruckVisitState::Closed);
}

#[tokio::test]
async fn rule_14_a_parked_key_does_not_let_out() {
    let world = World::new().await;
    world.inside(&[BOX]).await;
    world.park("release.decision", &visit(BOX)).await;
    let refused = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(refused.outcome(), CheckOutOutcome::Refused);
    assert_eq!(
        codes(&refused.truck_visit.unwrap().conditions),
        ["KNOWLEDGE_UNKNOWN"]
    );
}

#[tokio::test]
async fn rule_5_a_load_beyond_the_tolerance_needs_a_person() {
    let world = World::new().await;
    world.arrived(&[BOX]).await;
    world.granted(BOX, "haulier-a").await;
    world.hears().await;
    let mut heavy = filing(PreArrivalKind::FullOut, PLATE, &[BOX]);
    heavy.containers[0].gross_mass = kilograms("20000");
    world.try_file("haulier-a", heavy).await.unwrap();
    let truck = api::CheckInRequest {
        weight: kilograms("15000"),
        ..at_the_lane(PLATE, &[BOX], "haulier-a")
    };
    world.try_check_in(truck).await.unwrap();
    for (weight, outcome) in [
        ("33999", CheckOutOutcome::ManualReview),
        ("36001", CheckOutOutcome::ManualReview),
        ("14000", CheckOutOutcome::ManualReview),
        ("36000", CheckOutOutcome::LetOut),
    ] {
        let request = api::CheckOutRequest {
            weight: kilograms(weight),
            ..at_the_exit(PLATE, &[BOX])
        };
        let out = world.try_check_out(request).await.unwrap();
        assert_eq!(out.outcome(), outcome, "{weight}");
    }
}

#[tokio::test]
async fn an_empty_container_is_brought_and_taken_away_again() {
    let world = World::new().await;
    world.hears().await;
    let bringing = world.file(PreArrivalKind::EmptyIn, PLATE, &[BOX]).await;
    assert_eq!(bringing.state(), api::PreArrivalState::Ready);
    let taking = filing(PreArrivalKind::EmptyOut, NEXT_PLATE, &[BOX]);
    let taking = world.try_file("haulier-b", taking).await.unwrap();
    assert_eq!(codes(&taking.conditions), ["CONTAINER_UNKNOWN"]);
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
    let stay = world.container(&visit(BOX)).await;
    assert!(stay.empty && stay.phase() == ContainerVisitPhase::Arrived);
    assert_eq!(stay.arrived_with_truck_visit_id, truck.truck_visit_id);
    assert_eq!(
        world.pre_arrival(&taking).await.state(),
        api::PreArrivalState::Ready
    );
    let twice = world.file(PreArrivalKind::EmptyIn, PLATE, &[BOX]).await;
    assert_eq!(codes(&twice.conditions), ["CONTAINER_ALREADY_HERE"]);
    assert_eq!(
        world.check_out(PLATE, &[]).await.outcome(),
        CheckOutOutcome::LetOut
    );
    world.check_in(NEXT_PLATE, &[BOX], "haulier-b").await;
    let out = world.check_out(NEXT_PLATE, &[BOX]).await;
    assert_eq!(
        out.outcome(),
        CheckOutOutcome::LetOut,
        "{:?}",
        out.truck_visit.unwrap().conditions
    );
    assert_eq!(
        world.pre_arrival(&twice).await.state(),
        api::PreArrivalState::Ready
    );
}

#[tokio::test]
async fn a_laden_container_does_not_leave_as_an_empty_one() {
    let world = World::new().await;
    world.arrived(&[BOX]).await;
    let filed = world.file(PreArrivalKind::EmptyOut, PLATE, &[BOX]).await;
    assert_eq!(codes(&filed.conditions), ["NOT_KNOWN_EMPTY"]);
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(truck.state(), TruckVisitState::TurnedAway);
}

#[tokio::test]
async fn rule_1_a_mandate_revoked_after_gate_in_keeps_the_container_in() {
    let world = World::new().await;
    world.ready(&[BOX]).await;
    let since = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    world.mandate(&["CARRY"], since, None, false).await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
    world.mandate(&["CARRY"], since, None, true).await;
    let refused = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(refused.outcome(), CheckOutOutcome::Refused);
    let conditions = refused.truck_visit.unwrap().conditions;
    assert_eq!(codes(&conditions), ["CARRIER_NOT_NOMINATED"]);
    let empty = world.check_out(PLATE, &[]).await;
    assert_eq!(empty.outcome(), CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn rule_11_an_empty_truck_whose_coming_was_not_recorded_leaves_without_ever_having_been_in() {
    let world = World::new().await;
    let out = world.check_out(PLATE, &[]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
    let truck = out.truck_visit.unwrap();
    assert_eq!(
        (truck.state(), codes(&truck.conditions)),
        (TruckVisitState::TurnedAway, vec!["ENTRY_NOT_RECORDED"])
    );
    let told = &truck.conditions[0].description;
    assert!(told.starts_with("It left without goods"), "{told}");
    // What it carries does not leave with it: the barrier stays shut.
    let laden = world.try_check_out(at_the_exit(PLATE, &[BOX])).await;
    assert_eq!(reason(&laden.unwrap_err()), "TRUCK_NOT_HERE");
    assert_eq!(
        world.story("gate.truck-visit", &truck.truck_visit_id).await,
        ["arrived", "turned-away"]
    );
}

#[tokio::test]
async fn rule_2_a_hold_on_the_firm_that_carries_recalls_binds_a_person_and_ends() {
    let world = World::new().await;
    world.nominated(false).await;
    world.ready(&[BOX]).await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
    let scope = (HoldScopeKind::Party, "haulier-b");
    world.told_hold("customs", "H1", scope, false).await;
    let recalled = world.truck(&truck).await;
    assert_eq!(
        (recalled.state(), codes(&recalled.conditions)),
        (TruckVisitState::Recalled, vec!["CUSTOMS_HOLD"])
    );
    let refused = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(refused.outcome(), CheckOutOutcome::Refused);
    let person = world.review(&truck, ReviewVerdict::LetOut, "let him").await;
    assert_eq!(reason(&person.unwrap_err()), "HELD");
    world.told_hold("customs", "H1", scope, true).await;
    assert_eq!(world.truck(&truck).await.state(), TruckVisitState::GatedIn);
    world.party("haulier-b", true).await;
    let refused = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(refused.outcome(), CheckOutOutcome::Refused);
    let conditions = refused.truck_visit.unwrap().conditions;
    assert_eq!(codes(&conditions), ["PARTY_SUSPENDED"]);
    world.party("haulier-b", false).await;
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn rule_1_another_trailer_than_the_one_that_came_in_stays_and_its_hold_binds_a_person_too() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let hold = world.hold(HoldScopeKind::Plate, TRAILER).await;
    // Nobody saw it come.
    assert_eq!(world.truck(&truck).await.state(), TruckVisitState::GatedIn);
    let swapped = || api::CheckOutRequest {
        vehicle: with_trailer(PLATE, TRAILER),
        ..at_the_exit(PLATE, &[BOX])
    };
    let refused = world.try_check_out(swapped()).await.unwrap();
    assert_eq!(refused.outcome(), CheckOutOutcome::Refused);
    let conditions = refused.truck_visit.unwrap().conditions;
    assert_eq!(codes(&conditions), ["PLATE_DIFFERS", "TERMINAL_HOLD"]);
    let held = world.review(&truck, ReviewVerdict::LetOut, "let him").await;
    assert_eq!(reason(&held.unwrap_err()), "HELD");
    world.lift(&hold).await;
    let out = world.review(&truck, ReviewVerdict::LetOut, "swapped by the yard");
    assert_eq!(out.await.unwrap().state(), TruckVisitState::Closed);
    let out = world.truck(&truck).await;
    let admission = out.admissions.last().unwrap();
    assert_eq!(codes(&admission.conditions_overridden), ["PLATE_DIFFERS"]);
}

#[tokio::test]
async fn rule_11_a_person_lets_out_only_on_what_he_saw_and_what_he_set_aside_is_what_stood() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    world.decided(&visit(BOX), "REVOKED", "", "").await;
    let asked = world.check_out(PLATE, &[BOX]).await.truck_visit.unwrap();
    assert_eq!(codes(&asked.conditions), ["RELEASE_REVOKED"]);
    world.heard_seconds_ago(90).await;
    let unseen = world.review_at(&truck, ReviewVerdict::LetOut, "by order", asked.version);
    assert_eq!(reason(&unseen.await.unwrap_err()), "CONDITIONS_CHANGED");
    let now = world.truck(&truck).await;
    assert_eq!(now.version, asked.version + 1);
    assert_eq!(
        codes(&now.conditions),
        ["KNOWLEDGE_TOO_OLD", "RELEASE_REVOKED"]
    );
    assert!(now.departure_pending.unwrap().may_be_decided);
    let stale = world.review_at(&truck, ReviewVerdict::LetOut, "by order", asked.version);
    assert_eq!(reason(&stale.await.unwrap_err()), "STALE_VERSION");
    let out = world.review_at(&truck, ReviewVerdict::LetOut, "by order", now.version);
    assert_eq!(out.await.unwrap().state(), TruckVisitState::Closed);
    let out = world.truck(&truck).await;
    assert_eq!(
        codes(&out.admissions.last().unwrap().conditions_overridden),
        ["KNOWLEDGE_TOO_OLD", "RELEASE_REVOKED"]
    );
}

#[tokio::test]
async fn rule_13_the_evidence_of_a_departure_is_about_what_leaves() {
    let world = World::new().await;
    let truck = world.inside(&[BOX, OTHER_BOX]).await;
    world.check_out(PLATE, &[OTHER_BOX]).await;
    let truck = world.truck(&truck).await;
    let evidence = &truck.admissions.last().unwrap().evidence;
    let decisions: Vec<&str> = evidence
        .iter()
        .map(|evidence| evidence.subject.as_str())
        .filter(|subject| subject.starts_with("decision/"))
        .collect();
    assert_eq!(decisions, [format!("decision/{}", visit(OTHER_BOX))]);
    let stay = format!("container-visit/{}", visit(OTHER_BOX));
    let stay = evidence.iter().find(|evidence| evidence.subject == stay);
    assert_eq!(stay.unwrap().value, "ARRIVED");
}
