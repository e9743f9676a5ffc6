//! What holds for every command: dry runs, repeats, request ids.

use proto::common::v1::HoldScopeKind;
use proto::gate::v1 as api;
use proto::gate::v1::PreArrivalKind;
use proto::gate::v1::gate_service_server::GateService;

use crate::world::{
    BOX, NEXT_PLATE, OTHER_BOX, PLATE, PORT, TRAIN, World, announced, at_the_lane, call, filing,
    fresh, landed, reason, vehicle,
};

#[tokio::test]
async fn a_dry_run_gives_the_answer_and_leaves_the_tables_as_they_were() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    let before = world.tables().await;

    let announcement = api::AnnounceArrivalRequest {
        request_id: fresh(),
        validate_only: true,
        site_id: PORT.into(),
        mode: api::TransportMode::Rail.into(),
        conveyance: TRAIN.into(),
        containers: vec![announced(OTHER_BOX, "TD-2", "line-a")],
        ..Default::default()
    };
    let dry = world
        .handlers
        .announce_arrival(call("terminal", announcement))
        .await;
    assert_eq!(
        dry.unwrap().into_inner().results[0].outcome(),
        api::ListLineOutcome::Accepted
    );
    let arrival = api::RecordArrivalRequest {
        request_id: fresh(),
        validate_only: true,
        site_id: PORT.into(),
        mode: api::TransportMode::Rail.into(),
        conveyance: TRAIN.into(),
        containers: vec![landed(OTHER_BOX)],
        complete: true,
        ..Default::default()
    };
    let dry = world
        .handlers
        .record_arrival(call("terminal", arrival))
        .await;
    assert_eq!(
        dry.unwrap().into_inner().results[0].outcome(),
        api::ListLineOutcome::OverLanded
    );
    let dry = api::SubmitPreArrivalRequest {
        validate_only: true,
        ..filing(PreArrivalKind::FullOut, NEXT_PLATE, &[BOX])
    };
    let dry = world.try_file("haulier-a", dry).await.unwrap();
    assert_eq!(
        (dry.state(), dry.pre_arrival_id.as_str()),
        (api::PreArrivalState::Ready, "")
    );
    let replacement = api::ReplaceVehicleRequest {
        request_id: fresh(),
        validate_only: true,
        pre_arrival_id: filed.pre_arrival_id.clone(),
        expected_version: filed.version,
        vehicle: vehicle(NEXT_PLATE),
        ..Default::default()
    };
    let dry = world
        .handlers
        .replace_vehicle(call("haulier-a", replacement))
        .await;
    dry.unwrap();
    let hold = api::PlaceHoldRequest {
        request_id: fresh(),
        validate_only: true,
        site_id: PORT.into(),
        scope: Some(proto::common::v1::HoldScope {
            kind: HoldScopeKind::ContainerVisit.into(),
            key: BOX.into(),
        }),
        kind: proto::common::v1::HoldKind::Safety.into(),
        reason: "leaks".into(),
    };
    world
        .handlers
        .place_hold(call("terminal", hold))
        .await
        .unwrap();

    let after = world.tables().await;
    for (table, rows) in before {
        assert_eq!(rows, after[&table], "{table}");
    }
}

#[tokio::test]
async fn a_repeated_request_gives_the_first_answer_and_does_nothing_again() {
    let world = World::new().await;
    world.arrived(&[BOX]).await;
    let request = filing(PreArrivalKind::FullOut, PLATE, &[BOX]);
    let first = world.try_file("haulier-a", request.clone()).await.unwrap();
    world.granted(BOX, "haulier-a").await;
    let again = world.try_file("haulier-a", request.clone()).await.unwrap();
    assert_eq!(first, again, "the stored answer, whatever came since");
    let other = api::SubmitPreArrivalRequest {
        vehicle: vehicle(NEXT_PLATE),
        ..request.clone()
    };
    let reused = world.try_file("haulier-a", other).await.unwrap_err();
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
    // The id is the party's own.
    let theirs = world.try_file("haulier-b", request).await.unwrap();
    assert_ne!(theirs.pre_arrival_id, first.pre_arrival_id);
    let drivers: i64 = sqlx::query_scalar("select count(*) from driver")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(drivers, 2);

    world.hears().await;
    let request = at_the_lane(PLATE, &[BOX], "haulier-a");
    let truck = world.try_check_in(request.clone()).await.unwrap();
    let told = world.told("gate.truck-visit").await.len();
    assert_eq!(world.try_check_in(request).await.unwrap(), truck);
    assert_eq!(world.told("gate.truck-visit").await.len(), told);
}

#[tokio::test]
async fn a_hold_is_placed_for_a_reason_by_a_terminal_on_what_is_here_and_lifted_once() {
    let world = World::new().await;
    let absent = world
        .try_hold("terminal", (HoldScopeKind::ContainerVisit, BOX))
        .await;
    assert_eq!(
        crate::world::faults(&absent.unwrap_err()),
        ["CONTAINER_VISIT_UNKNOWN"]
    );
    world.arrived(&[BOX]).await;
    let foreign = world
        .try_hold("terminal", (HoldScopeKind::Declaration, "D-1"))
        .await;
    assert_eq!(
        crate::world::faults(&foreign.unwrap_err()),
        ["HOLD_SCOPE_INVALID"]
    );
    let hold = world.hold(HoldScopeKind::ContainerVisit, BOX).await;
    let key = format!("container-visit/{}", crate::world::visit(BOX));
    assert_eq!(
        world.container(&crate::world::visit(BOX)).await.holds.len(),
        1
    );
    world.lift(&hold).await;
    world.lift(&hold).await;
    assert_eq!(world.story("gate.hold", &key).await, ["placed", "lifted"]);
}

#[tokio::test]
async fn every_version_of_a_fact_is_told_once_and_in_order() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let ordered = world.order("terminal", &truck, &["SCANNER"]).await;
    let passed = api::InspectionResult::Passed;
    let done = world.inspect(
        "terminal",
        &truck,
        &ordered.inspection_id,
        "SCANNER",
        passed,
    );
    done.await.unwrap();
    world.check_out(PLATE, &[BOX]).await;
    let mut last = 0;
    for row in world.told("gate.truck-visit").await {
        use prost::Message;
        let event = proto::gate::events::v1::TruckVisitEvent::decode(row.payload).unwrap();
        let version = event.truck_visit.unwrap().version;
        assert!(version > last, "{} after {last}", version);
        last = version;
    }
    assert_eq!(world.truck(&truck).await.version, last);
}
