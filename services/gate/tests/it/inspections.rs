//! Inspections of a truck that is here.

use proto::common::v1::InspectionRequired;
use proto::gate::v1 as api;
use proto::gate::v1::gate_service_server::GateService;
use proto::gate::v1::{InspectionResult, TruckVisitState};

use crate::world::{BOX, World, call, fresh, reason};

#[tokio::test]
async fn rule_3_site_n_plus_1_is_not_recorded_before_site_n() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let ordered = world
        .order("terminal", &truck, &["SCANNER", "EXAMINATION-BAY"])
        .await;
    let id = ordered.inspection_id;
    let recalled = ordered.truck_visit.unwrap();
    assert_eq!(recalled.state(), TruckVisitState::Recalled);
    let passed = InspectionResult::Passed;
    let early = world
        .inspect("terminal", &truck, &id, "EXAMINATION-BAY", passed)
        .await;
    assert_eq!(reason(&early.unwrap_err()), "INSPECTION_OUT_OF_ORDER");
    // A site that found something has not passed the truck on.
    let failed = InspectionResult::Failed;
    let stays = world
        .inspect("terminal", &truck, &id, "SCANNER", failed)
        .await
        .unwrap();
    assert_eq!(stays.next_inspection_site, "SCANNER");
    let early = world
        .inspect("terminal", &truck, &id, "EXAMINATION-BAY", passed)
        .await;
    assert_eq!(reason(&early.unwrap_err()), "INSPECTION_OUT_OF_ORDER");
    let on = world
        .inspect("terminal", &truck, &id, "SCANNER", passed)
        .await
        .unwrap();
    assert_eq!(on.next_inspection_site, "EXAMINATION-BAY");
    let done = world
        .inspect("terminal", &truck, &id, "EXAMINATION-BAY", passed)
        .await
        .unwrap();
    assert_eq!(
        (done.state(), done.next_inspection_site.as_str()),
        (TruckVisitState::GatedIn, "")
    );
    assert_eq!(
        world
            .story("gate.truck-visit", &truck.truck_visit_id)
            .await
            .last()
            .unwrap(),
        "recall-ended"
    );
}

#[tokio::test]
async fn rule_2_whoever_ordered_an_inspection_ends_it() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let ordered = world.order("officer-1", &truck, &["SCANNER"]).await;
    let end = |party: &'static str| {
        let request = api::EndInspectionRequest {
            request_id: fresh(),
            truck_visit_id: truck.truck_visit_id.clone(),
            inspection_id: ordered.inspection_id.clone(),
            reason: "an error".into(),
        };
        world.handlers.end_inspection(call(party, request))
    };
    assert_eq!(
        reason(&end("terminal").await.unwrap_err()),
        "INSPECTION_NOT_YOURS"
    );
    // The terminal records that it was scanned; the end is the officer's.
    let scanned = world.inspect(
        "terminal",
        &truck,
        &ordered.inspection_id,
        "SCANNER",
        InspectionResult::Passed,
    );
    assert_eq!(scanned.await.unwrap().state(), TruckVisitState::Recalled);
    end("officer-1").await.unwrap();
    assert_eq!(world.truck(&truck).await.state(), TruckVisitState::GatedIn);
    assert_eq!(
        reason(&end("officer-1").await.unwrap_err()),
        "INSPECTION_OVER"
    );
}

#[tokio::test]
async fn rule_2_any_officer_ends_what_customs_asked() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    world.inspection(BOX, InspectionRequired::Yes).await;
    let recalled = world.truck(&truck).await;
    let request = |party: &'static str| {
        let request = api::EndInspectionRequest {
            request_id: fresh(),
            truck_visit_id: truck.truck_visit_id.clone(),
            inspection_id: recalled.inspections[0].inspection_id.clone(),
            reason: "papers suffice".into(),
        };
        world.handlers.end_inspection(call(party, request))
    };
    assert_eq!(
        reason(&request("terminal").await.unwrap_err()),
        "INSPECTION_NOT_YOURS"
    );
    request("officer-2").await.unwrap();
    assert_eq!(world.truck(&truck).await.state(), TruckVisitState::GatedIn);
}

#[tokio::test]
async fn an_inspection_is_ordered_at_sites_that_there_are_on_the_version_that_was_seen() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let order = |sites: &[&str], expected_version: u64| {
        let request = api::OrderInspectionRequest {
            request_id: fresh(),
            truck_visit_id: truck.truck_visit_id.clone(),
            inspection_sites: sites.iter().map(|site| (*site).to_owned()).collect(),
            reason: "a random check".into(),
            expected_version,
        };
        world.handlers.order_inspection(call("officer-1", request))
    };
    let nowhere = order(&["THE-MOON"], 0).await.unwrap_err();
    assert_eq!(crate::world::faults(&nowhere), ["INSPECTION_SITE_UNKNOWN"]);
    let stale = order(&[], truck.version + 1).await.unwrap_err();
    assert_eq!(reason(&stale), "STALE_VERSION");
    order(&[], truck.version).await.unwrap();
}
