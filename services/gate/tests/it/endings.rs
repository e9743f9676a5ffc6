//! How a stay begins at two barriers, and ends where no way out saw it: corrected, or inferred.

use chrono::TimeDelta;
use prost::Message;
use proto::gate::events::v1::TruckVisitEvent;
use proto::gate::v1 as api;
use proto::gate::v1::gate_service_server::GateService;
use proto::gate::v1::{
    CheckOutOutcome, Completion, PreArrivalState, ReviewVerdict, TruckVisitState,
};
use tonic::Status;

use crate::world::{
    BOX, NEXT_PLATE, PLATE, PORT, World, at_the_lane, call, codes, faults, fresh, full_in, lifted,
    reason, visit,
};

async fn correct(world: &World, truck: &api::TruckVisit) -> Result<api::TruckVisit, Status> {
    let request = api::CorrectCheckInRequest {
        request_id: fresh(),
        truck_visit_id: truck.truck_visit_id.clone(),
        reason: "another truck stood there".into(),
        expected_version: 0,
    };
    let corrected = world.handlers.correct_check_in(call("terminal", request));
    Ok(corrected.await?.into_inner().truck_visit.unwrap())
}

/// A truck that has brought a laden container for export, which may be loaded.
async fn brought(world: &World) -> (api::PreArrival, api::TruckVisit) {
    world.declared("D1", "REGISTERED", &[BOX]).await;
    world.hears().await;
    let filed = world.try_file("haulier-a", full_in(PLATE, &[BOX], &["D1"]));
    let filed = filed.await.unwrap();
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    (filed, truck)
}

#[tokio::test]
async fn rule_16_a_mistaken_check_in_is_taken_back_by_a_contra_entry_and_the_filing_is_open_again()
{
    let world = World::new().await;
    let (filed, truck) = brought(&world).await;
    let corrected = correct(&world, &truck).await.unwrap();
    assert_eq!(
        (corrected.state(), corrected.completion()),
        (TruckVisitState::Closed, Completion::Observed)
    );
    let stay = world.container(&visit(BOX)).await;
    assert_eq!(stay.phase(), api::ContainerVisitPhase::ShortLanded);
    assert_eq!(stay.arrived_at, None);
    let kept = world.truck(&truck).await;
    let entries: Vec<(bool, &str)> = kept
        .admissions
        .iter()
        .map(|admission| (admission.contra, admission.reason.as_str()))
        .collect();
    assert_eq!(entries, [(false, ""), (true, "another truck stood there")]);
    let open = world.pre_arrival(&filed).await;
    assert_eq!(
        (open.state(), open.truck_visit_id.as_str()),
        (PreArrivalState::Ready, "")
    );
    let story = world.story("gate.pre-arrival", &filed.pre_arrival_id).await;
    assert_eq!(story, ["submitted", "ready", "used", "ready"]);
    let story = world.story("gate.truck-visit", &truck.truck_visit_id).await;
    assert_eq!(story, ["arrived", "gated-in", "check-in-corrected"]);
    // The right truck comes on it; nothing carries over from the stay that was none.
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    assert_eq!(
        truck.containers[0].container_visit_id,
        format!("{PORT}/{BOX}/2")
    );
}

#[tokio::test]
async fn rule_16_what_was_loaded_or_has_left_is_not_corrected_away() {
    let world = World::new().await;
    let (_, truck) = brought(&world).await;
    world.may_load(BOX).await;
    world
        .inspection(BOX, proto::common::v1::InspectionRequired::No)
        .await;
    let loaded = world.load("X9002", vec![lifted(BOX)]).await;
    assert_eq!(
        loaded[0].outcome(),
        api::ListLineOutcome::Accepted,
        "{loaded:?}"
    );
    assert_eq!(
        reason(&correct(&world, &truck).await.unwrap_err()),
        "CHECK_IN_FINAL"
    );
    assert_eq!(world.truck(&truck).await.state(), TruckVisitState::GatedIn);
    world.check_out(PLATE, &[]).await;
    assert_eq!(
        reason(&correct(&world, &truck).await.unwrap_err()),
        "CHECK_IN_FINAL"
    );
}

#[tokio::test]
async fn rule_16_a_correction_needs_a_reason_and_the_version_that_was_seen_and_is_the_terminals() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let request = |party: &'static str, reason: &str, expected_version: u64| {
        let request = api::CorrectCheckInRequest {
            request_id: fresh(),
            truck_visit_id: truck.truck_visit_id.clone(),
            reason: reason.into(),
            expected_version,
        };
        world.handlers.correct_check_in(call(party, request))
    };
    let without = request("terminal", "", 0).await.unwrap_err();
    assert_eq!(faults(&without), ["TEXT_INVALID"]);
    let stale = request("terminal", "x", 99).await.unwrap_err();
    assert_eq!(reason(&stale), "STALE_VERSION");
    let other = request("centre-gate", "x", 0).await.unwrap_err();
    assert_eq!(reason(&other), "NOT_FOUND");
    // A pick-up: the container stays where it was.
    request("terminal", "x", 0).await.unwrap();
    assert_eq!(
        world.container(&visit(BOX)).await.phase(),
        api::ContainerVisitPhase::Arrived
    );
    let twice = request("terminal", "x", 0).await.unwrap_err();
    assert_eq!(reason(&twice), "CHECK_IN_FINAL");
}

fn at_barrier(barrier_number: u32) -> api::CheckInRequest {
    api::CheckInRequest {
        barrier_number,
        lane: format!("IN-{barrier_number}"),
        ..at_the_lane(PLATE, &[BOX], "haulier-a")
    }
}

async fn seen_at(world: &World, barrier_number: u32) -> api::CheckInResponse {
    world
        .try_check_in(at_barrier(barrier_number))
        .await
        .unwrap()
}

async fn with_two_barriers() -> World {
    World::with(TimeDelta::hours(4), 1, |site| site.barriers_in = 2).await
}

#[tokio::test]
async fn where_two_barriers_stand_a_truck_is_in_after_the_second() {
    let world = with_two_barriers().await;
    let filed = world.ready(&[BOX]).await;
    let first = seen_at(&world, 1).await;
    let truck = first.truck_visit.unwrap();
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedInFirst,
        "{:?}",
        truck.conditions
    );
    assert_eq!(truck.gated_in_at, None);
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        PreArrivalState::Ready
    );
    assert!(
        seen_at(&world, 1).await.repeated,
        "seen again at the same barrier"
    );
    // A hold between the two: decided anew at the second.
    let hold = world
        .hold(proto::common::v1::HoldScopeKind::Plate, PLATE)
        .await;
    let held = seen_at(&world, 2).await.truck_visit.unwrap();
    assert_eq!(held.state(), TruckVisitState::TurnedAway);
    world.lift(&hold).await;
    let again = seen_at(&world, 1).await.truck_visit.unwrap();
    assert_eq!(again.state(), TruckVisitState::GatedInFirst);
    let truck = seen_at(&world, 2).await.truck_visit.unwrap();
    assert_eq!(truck.truck_visit_id, again.truck_visit_id);
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        PreArrivalState::Used
    );
    let story = world.story("gate.truck-visit", &truck.truck_visit_id).await;
    assert_eq!(story, ["arrived", "gated-in-first", "gated-in"]);
    assert_eq!(world.truck(&truck).await.admissions.len(), 2);
    assert!(seen_at(&world, 2).await.repeated);
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn where_two_barriers_stand_the_second_does_not_open_alone() {
    let world = with_two_barriers().await;
    world.ready(&[BOX]).await;
    // 0 is the second.
    let truck = seen_at(&world, 0).await.truck_visit.unwrap();
    assert_eq!(truck.state(), TruckVisitState::ManualReview);
    assert_eq!(codes(&truck.conditions), ["FIRST_BARRIER_NOT_PASSED"]);
    let truck = world
        .review(&truck, ReviewVerdict::LetIn, "the first camera is broken")
        .await
        .unwrap();
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
    let refused = World::new().await.try_check_in(at_barrier(2)).await;
    assert_eq!(faults(&refused.unwrap_err()), ["BARRIER_INVALID"]);
}

#[tokio::test]
async fn a_truck_between_two_barriers_always_may_turn_round_empty() {
    let world = with_two_barriers().await;
    let filed = world.ready(&[BOX]).await;
    seen_at(&world, 1).await;
    let out = world.check_out(PLATE, &[]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
    assert_eq!(
        out.truck_visit.unwrap().state(),
        TruckVisitState::TurnedAway
    );
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        PreArrivalState::Ready
    );
}

/// As if the truck had been let in so many days ago.
async fn let_in_days_ago(world: &World, truck: &api::TruckVisit, days: i32) {
    let done = sqlx::query(
        "update truck_visit
         set arrived_at = clock_timestamp() - make_interval(days => $2, secs => 5),
             body = jsonb_set(body, '{gated_in_at}',
                              to_jsonb(clock_timestamp() - make_interval(days => $2, secs => 5)))
         where truck_visit_id = $1::uuid",
    )
    .bind(&truck.truck_visit_id)
    .bind(days)
    .execute(&world.pool)
    .await
    .unwrap();
    assert_eq!(done.rows_affected(), 1);
}

/// haulier-a's truck is inside, with nothing on it.
async fn empty_inside(world: &World, plate: &str) -> api::TruckVisit {
    world
        .file(api::PreArrivalKind::EmptyVehicle, plate, &[])
        .await;
    let truck = world.check_in(plate, &[], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    truck
}

#[tokio::test]
async fn rule_15_a_truck_that_nobody_saw_leave_is_inferred_gone_after_seven_days() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    assert_eq!(truck.completion(), Completion::Unspecified);
    // Neither one that was let in later nor one that must not leave is taken for gone.
    let later = empty_inside(&world, NEXT_PLATE).await;
    let held = empty_inside(&world, "渝A12347").await;
    world
        .hold(proto::common::v1::HoldScopeKind::Plate, "渝A12347")
        .await;
    let_in_days_ago(&world, &later, 6).await;
    let_in_days_ago(&world, &held, 7).await;
    let_in_days_ago(&world, &truck, 7).await;
    world.until_truck(&truck, TruckVisitState::Closed).await;
    let gone = world.truck(&truck).await;
    assert_eq!(
        (gone.completion(), gone.gated_out_at),
        (Completion::Inferred, None)
    );
    assert_eq!(world.truck(&later).await.state(), TruckVisitState::GatedIn);
    assert_eq!(world.truck(&held).await.state(), TruckVisitState::Recalled);
    // Nobody saw the container leave either: it is here as far as anybody knows.
    assert_eq!(
        world.container(&visit(BOX)).await.phase(),
        api::ContainerVisitPhase::Arrived
    );
    let mut rows = world.told("gate.truck-visit").await.into_iter();
    let last = rows.rfind(|row| row.key == truck.truck_visit_id);
    let told = TruckVisitEvent::decode(last.unwrap().payload).unwrap();
    let told = told.truck_visit.unwrap();
    assert_eq!(
        (told.state.as_str(), told.completion.as_str()),
        ("CLOSED", "INFERRED")
    );
    // It may come again.
    let again = world.check_in(PLATE, &[], "haulier-a").await;
    assert_eq!(codes(&again.conditions), ["NO_PRE_ARRIVAL"]);
}

#[tokio::test]
async fn rule_15_what_a_lane_saw_leave_is_observed() {
    let world = World::new().await;
    world.inside(&[BOX]).await;
    let out = world.check_out(PLATE, &[BOX]).await.truck_visit.unwrap();
    assert_eq!(
        (out.state(), out.completion()),
        (TruckVisitState::Closed, Completion::Observed)
    );
}
