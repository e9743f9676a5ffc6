//! Nobody sees, or touches, what is another's: it is not there. Gate's own filters see to it by themselves; that the
//! database does too shows end to end.

use prost::Message;
use proto::common::v1::{HoldScopeKind, Page};
use proto::gate::events::v1::TruckVisitEvent;
use proto::gate::v1 as api;
use proto::gate::v1::gate_service_server::GateService;
use proto::gate::v1::{PreArrivalKind, TruckVisitState};
use tonic::{Code, Status};

use crate::world::{
    BOX, CENTRE, NEXT_PLATE, OTHER_BOX, PLATE, TRAILER, TRAIN, World, announced, at_the_exit,
    at_the_lane, call, fresh, landed, reason, visit,
};

fn absent<T: std::fmt::Debug>(outcome: Result<T, Status>) {
    let status = outcome.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::NotFound, "NOT_FOUND")
    );
}

/// A filing as its haulier reads it.
async fn as_read_by(world: &World, haulier: &str, filed: &api::PreArrival) -> api::PreArrival {
    let request = api::GetPreArrivalRequest {
        pre_arrival_id: filed.pre_arrival_id.clone(),
    };
    let response = world.handlers.get_pre_arrival(call(haulier, request)).await;
    response.unwrap().into_inner().pre_arrival.unwrap()
}

#[tokio::test]
async fn a_filing_for_a_container_that_is_anothers_is_told_what_is_missing_and_no_words_of_others()
{
    let world = World::by_filters_alone().await;
    world.arrived(&[BOX]).await;
    world.hold(HoldScopeKind::ContainerVisit, &visit(BOX)).await;
    world.hold(HoldScopeKind::Plate, PLATE).await;
    let filing = crate::world::filing(PreArrivalKind::FullOut, PLATE, &[BOX]);
    let filed = world.try_file("haulier-b", filing).await.unwrap();
    world.granted(BOX, "haulier-a").await;
    let read = as_read_by(&world, "haulier-b", &filed).await;
    let mut about: Vec<(&str, &str, &str)> = read
        .conditions
        .iter()
        .map(|c| (c.code.as_str(), c.subject.as_str(), c.who.as_str()))
        .collect();
    about.sort_unstable();
    let own = read
        .conditions
        .iter()
        .find(|c| c.subject.starts_with("hold/"))
        .unwrap();
    assert!(
        own.description.contains("damaged"),
        "its own plate: {own:?}"
    );
    assert_eq!(
        about,
        [
            ("RELEASED_TO_ANOTHER_HAULIER", BOX, "line"),
            ("TERMINAL_HOLD", BOX, "terminal"),
            ("TERMINAL_HOLD", own.subject.as_str(), "terminal"),
        ]
    );
    for condition in read.conditions.iter().filter(|c| c.subject == BOX) {
        assert!(condition.evidence.is_empty(), "{condition:?}");
        assert!(condition.since.is_none(), "{condition:?}");
        assert!(!condition.description.contains("damaged"), "{condition:?}");
    }
    assert_eq!(read.containers[0].container_visit_id, "");
    // Whoever runs the site reads it whole.
    let whole = as_read_by(&world, "terminal", &filed).await;
    assert_eq!(whole.containers[0].container_visit_id, visit(BOX));
    let mut holds = whole
        .conditions
        .iter()
        .filter(|c| c.code == "TERMINAL_HOLD");
    assert!(holds.all(|hold| hold.description.contains("damaged")));

    // Once the line names its haulier, that one reads it whole, too.
    world.granted(BOX, "haulier-b").await;
    let read = as_read_by(&world, "haulier-b", &filed).await;
    assert_eq!(read.containers[0].container_visit_id, visit(BOX));
    assert_eq!(read.conditions.len(), 2);
    let mut conditions = read.conditions.iter();
    assert!(conditions.all(|hold| hold.description.contains("damaged")));
}

#[tokio::test]
async fn a_declaration_of_other_containers_is_as_unknown_as_one_that_is_not_there() {
    let world = World::by_filters_alone().await;
    world.hears().await;
    world.declared("D1", "REGISTERED", &[OTHER_BOX]).await;
    world.declared("D2", "REJECTED", &[OTHER_BOX]).await;
    for (reference, plate) in [("D1", PLATE), ("D2", NEXT_PLATE), ("D3", TRAILER)] {
        let filing = crate::world::full_in(plate, &[BOX], &[reference]);
        let filed = world.try_file("haulier-b", filing).await.unwrap();
        let told: Vec<(&str, &str)> = filed
            .conditions
            .iter()
            .map(|c| (c.code.as_str(), c.subject.as_str()))
            .collect();
        let unknown = format!("declaration/{reference}");
        assert_eq!(told, [("DECLARATION_UNKNOWN", unknown.as_str())]);
        assert!(filed.conditions[0].evidence.is_empty());
    }
    // Of its own container: what is wrong with it, and not by which word of whom.
    world
        .declared_as("D4", &[BOX], |declaration| {
            declaration.type_code = "IMD".into();
        })
        .await;
    let filing = crate::world::full_in("渝C00001", &[BOX], &["D4"]);
    let filed = world.try_file("haulier-b", filing).await.unwrap();
    assert_eq!(
        crate::world::codes(&filed.conditions),
        ["DECLARATION_NOT_EXPORT"]
    );
    assert!(filed.conditions[0].evidence.is_empty());
}

#[tokio::test]
async fn another_firms_filing_is_not_found() {
    let world = World::by_filters_alone().await;
    let filed = world.ready(&[BOX]).await;
    for id in [&filed.pre_arrival_id, &filed.number] {
        let request = api::GetPreArrivalRequest {
            pre_arrival_id: id.clone(),
        };
        absent(
            world
                .handlers
                .get_pre_arrival(call("haulier-b", request.clone()))
                .await,
        );
        absent(
            world
                .handlers
                .get_pre_arrival(call("centre-gate", request))
                .await,
        );
    }
    let cancel = api::CancelPreArrivalRequest {
        request_id: fresh(),
        pre_arrival_id: filed.pre_arrival_id.clone(),
        expected_version: filed.version,
        ..Default::default()
    };
    absent(
        world
            .handlers
            .cancel_pre_arrival(call("haulier-b", cancel))
            .await,
    );
    let replace = api::ReplaceVehicleRequest {
        request_id: fresh(),
        pre_arrival_id: filed.pre_arrival_id.clone(),
        expected_version: filed.version,
        vehicle: crate::world::vehicle(PLATE),
        ..Default::default()
    };
    absent(
        world
            .handlers
            .replace_vehicle(call("haulier-b", replace))
            .await,
    );
    for (party, rows) in [
        ("haulier-a", 1),
        ("haulier-b", 0),
        ("terminal", 1),
        ("centre-gate", 0),
        ("officer-1", 1),
    ] {
        let request = api::ListPreArrivalsRequest::default();
        let listed = world.handlers.list_pre_arrivals(call(party, request)).await;
        assert_eq!(
            listed.unwrap().into_inner().pre_arrivals.len(),
            rows,
            "{party}"
        );
    }
}

#[tokio::test]
async fn another_firms_truck_and_another_sites_lane_are_not_there() {
    let world = World::by_filters_alone().await;
    let truck = world.inside(&[BOX]).await;
    let get = api::GetTruckVisitRequest {
        truck_visit_id: truck.truck_visit_id.clone(),
    };
    absent(
        world
            .handlers
            .get_truck_visit(call("haulier-b", get.clone()))
            .await,
    );
    absent(
        world
            .handlers
            .get_truck_visit(call("centre-gate", get))
            .await,
    );
    let request = api::ListTruckVisitsRequest::default();
    let listed = world
        .handlers
        .list_truck_visits(call("haulier-b", request))
        .await;
    assert_eq!(listed.unwrap().into_inner().truck_visits, Vec::new());
    let lane = at_the_lane(PLATE, &[BOX], "haulier-a");
    absent(world.handlers.check_in(call("centre-gate", lane)).await);
    let exit = at_the_exit(PLATE, &[BOX]);
    absent(world.handlers.check_out(call("centre-gate", exit)).await);
    let review = api::DecideReviewRequest {
        request_id: fresh(),
        truck_visit_id: truck.truck_visit_id.clone(),
        verdict: api::ReviewVerdict::KeepIn.into(),
        reason: "mine".into(),
        ..Default::default()
    };
    absent(
        world
            .handlers
            .decide_review(call("centre-gate", review))
            .await,
    );
    let other_site = api::CheckOutRequest {
        site_id: CENTRE.into(),
        truck_visit_id: truck.truck_visit_id,
        ..at_the_exit(PLATE, &[])
    };
    let refused = world
        .handlers
        .check_out(call("centre-gate", other_site))
        .await;
    assert_eq!(reason(&refused.unwrap_err()), "TRUCK_NOT_HERE");
}

#[tokio::test]
async fn another_terminals_hold_and_stay_are_not_there() {
    let world = World::by_filters_alone().await;
    world.arrived(&[BOX]).await;
    let hold = world.hold(HoldScopeKind::ContainerVisit, BOX).await;
    let lift = api::LiftHoldRequest {
        request_id: fresh(),
        hold_id: hold.hold_id.clone(),
        reason: "mine".into(),
    };
    absent(world.handlers.lift_hold(call("centre-gate", lift)).await);
    let get = api::GetContainerVisitRequest {
        container_visit_id: visit(BOX),
    };
    absent(
        world
            .handlers
            .get_container_visit(call("centre-gate", get))
            .await,
    );
    let set = api::SetAvailabilityRequest {
        request_id: fresh(),
        container_visit_id: visit(BOX),
        available: true,
        ..Default::default()
    };
    absent(
        world
            .handlers
            .set_availability(call("centre-gate", set))
            .await,
    );
}

#[tokio::test]
async fn a_line_sees_its_own_consignments_in_a_shared_container() {
    let world = World::by_filters_alone().await;
    let mut shared = announced(BOX, "TD-A", "line-a");
    shared
        .manifest_lines
        .extend(announced(BOX, "TD-B", "line-b").manifest_lines);
    let alone = announced(OTHER_BOX, "TD-C", "line-b");
    world.announce_lines(TRAIN, vec![shared, alone]).await;
    world
        .land(TRAIN, vec![landed(BOX), landed(OTHER_BOX)], true)
        .await;
    let request = api::ListContainerVisitsRequest::default();
    let listed = world
        .handlers
        .list_container_visits(call("line-a", request))
        .await;
    let listed = listed.unwrap().into_inner().container_visits;
    let get = api::GetContainerVisitRequest {
        container_visit_id: visit(BOX),
    };
    let got = world
        .handlers
        .get_container_visit(call("line-a", get))
        .await;
    let got = got.unwrap().into_inner().container_visit.unwrap();
    for visit in listed.iter().chain([&got]) {
        let documents: Vec<&str> = visit
            .manifest_lines
            .iter()
            .map(|line| line.transport_document.as_str())
            .collect();
        assert_eq!(documents, ["TD-A"]);
    }
    assert_eq!(listed.len(), 1);
    let get = api::GetContainerVisitRequest {
        container_visit_id: visit(OTHER_BOX),
    };
    absent(
        world
            .handlers
            .get_container_visit(call("line-a", get))
            .await,
    );
}

#[tokio::test]
async fn a_list_is_read_page_by_page_each_row_once() {
    let world = World::by_filters_alone().await;
    for _ in 0..5 {
        world.file(PreArrivalKind::EmptyVehicle, PLATE, &[]).await;
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut page_token = String::new();
    loop {
        let request = api::ListPreArrivalsRequest {
            plate: "渝A·12345".into(),
            page: Some(Page {
                page_size: 2,
                page_token,
            }),
            ..Default::default()
        };
        let listed = world
            .handlers
            .list_pre_arrivals(call("haulier-a", request))
            .await;
        let listed = listed.unwrap().into_inner();
        assert!(listed.pre_arrivals.len() <= 2);
        for row in listed.pre_arrivals {
            assert!(seen.insert(row.pre_arrival_id), "a row twice");
        }
        page_token = listed.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 5);
}

#[tokio::test]
async fn knowledge_is_shown_by_source_with_its_age_and_what_is_parked() {
    let world = World::by_filters_alone().await;
    world.hears().await;
    sqlx::query(
        "update fabric.position set watermark_stamped_at = null where topic = 'customs.hold'",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    world.park("customs.hold", "plate/x").await;
    let shown = world
        .handlers
        .get_knowledge(call("haulier-a", api::GetKnowledgeRequest {}))
        .await
        .unwrap()
        .into_inner();
    let source = |topic: &str| {
        shown
            .sources
            .iter()
            .find(|source| source.topic == topic)
            .unwrap()
    };
    assert!(source("release.decision").age_millis.is_some());
    assert_eq!(source("release.decision").unknown_partitions, 0);
    assert_eq!(source("customs.hold").age_millis, None);
    assert_eq!(source("customs.hold").parked_keys, 1);
    assert_eq!(shown.decision_age_max_millis, 60_000);
}

#[tokio::test]
async fn what_a_decision_stood_on_is_for_who_runs_the_gate_and_officers() {
    let world = World::by_filters_alone().await;
    let truck = world.inside(&[BOX]).await;
    for (party, sees) in [
        ("terminal", true),
        ("officer-1", true),
        ("haulier-a", false),
    ] {
        let get = api::GetTruckVisitRequest {
            truck_visit_id: truck.truck_visit_id.clone(),
        };
        let got = world.handlers.get_truck_visit(call(party, get)).await;
        let got = got.unwrap().into_inner().truck_visit.unwrap();
        assert_eq!(!got.admissions.is_empty(), sees, "{party}");
    }
}

/// Who carries, as each event of a truck says.
async fn carriers(world: &World, truck: &api::TruckVisit) -> Vec<String> {
    let rows = world.told("gate.truck-visit").await.into_iter();
    rows.filter(|row| row.key == truck.truck_visit_id)
        .map(|row| {
            let event = TruckVisitEvent::decode(row.payload).unwrap();
            event.truck_visit.unwrap().carrier_party
        })
        .collect()
}

#[tokio::test]
async fn a_firm_that_carries_for_another_sees_its_truck_and_one_that_only_says_so_does_not() {
    let world = World::by_filters_alone().await;
    world.ready(&[BOX]).await;
    let get = |truck: &api::TruckVisit| {
        let request = api::GetTruckVisitRequest {
            truck_visit_id: truck.truck_visit_id.clone(),
        };
        world.handlers.get_truck_visit(call("haulier-b", request))
    };
    let list = || {
        let request = api::ListTruckVisitsRequest::default();
        world.handlers.list_truck_visits(call("haulier-b", request))
    };
    let stranger = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(stranger.state(), TruckVisitState::TurnedAway);
    absent(get(&stranger).await);
    assert_eq!(list().await.unwrap().into_inner().truck_visits, Vec::new());
    assert_eq!(carriers(&world, &stranger).await, ["", ""]);

    world.nominated(false).await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-b").await;
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
    let got = get(&truck).await.unwrap().into_inner().truck_visit.unwrap();
    assert_eq!(got.haulier_party, "haulier-a");
    assert!(got.admissions.is_empty());
    let listed = list().await.unwrap().into_inner().truck_visits;
    assert_eq!(listed.len(), 1);
    assert_eq!(carriers(&world, &truck).await, ["", "haulier-b"]);
}
