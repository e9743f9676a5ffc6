//! A haulier's filings from submission to their end.

use std::time::{Duration, Instant};

use chassis::convert::timestamp;
use chrono::{TimeDelta, Utc};
use proto::gate::v1 as api;
use proto::gate::v1::gate_service_server::GateService;
use proto::gate::v1::{PreArrivalKind, PreArrivalState, TruckVisitState};
use tonic::Status;

use crate::world::{
    BOX, DEADLINE, DRIVER, LICENCE, NEXT_PLATE, PHONE, PLATE, World, call, codes, filing, fresh,
    reason, vehicle, visit,
};

async fn cancel(
    world: &World,
    party: &str,
    filed: &api::PreArrival,
    expected_version: u64,
) -> Result<api::PreArrival, Status> {
    let request = api::CancelPreArrivalRequest {
        request_id: fresh(),
        pre_arrival_id: filed.pre_arrival_id.clone(),
        expected_version,
        ..Default::default()
    };
    let response = world
        .handlers
        .cancel_pre_arrival(call(party, request))
        .await?;
    Ok(response.into_inner().pre_arrival.unwrap())
}

fn replacement(filed: &api::PreArrival, plate: &str) -> api::ReplaceVehicleRequest {
    api::ReplaceVehicleRequest {
        request_id: fresh(),
        pre_arrival_id: filed.pre_arrival_id.clone(),
        expected_version: filed.version,
        vehicle: vehicle(plate),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_filing_goes_from_submitted_over_blocked_to_ready_as_the_facts_come() {
    let world = World::new().await;
    let filed = world.file(PreArrivalKind::FullOut, PLATE, &[BOX]).await;
    assert_eq!(filed.state(), PreArrivalState::Blocked);
    world.arrived(&[BOX]).await;
    world.granted(BOX, "haulier-b").await;
    assert_eq!(
        codes(&world.pre_arrival(&filed).await.conditions),
        ["RELEASED_TO_ANOTHER_HAULIER"]
    );
    world.granted(BOX, "haulier-a").await;
    let ready = world.pre_arrival(&filed).await;
    assert_eq!(
        (ready.state(), ready.conditions.len()),
        (PreArrivalState::Ready, 0)
    );
    let story = world.story("gate.pre-arrival", &filed.pre_arrival_id).await;
    // Unknown, announced, here, available, granted to another.
    assert_eq!(
        story,
        [
            "submitted",
            "blocked",
            "blocked",
            "blocked",
            "blocked",
            "blocked",
            "ready"
        ]
    );
}

#[tokio::test]
async fn the_same_reasons_told_again_are_no_news() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    let before = world.told("gate.pre-arrival").await.len();
    world.granted(BOX, "haulier-a").await;
    world.party("haulier-a", false).await;
    assert_eq!(world.told("gate.pre-arrival").await.len(), before);
    assert_eq!(world.pre_arrival(&filed).await.version, filed.version);
}

#[tokio::test]
async fn a_faulty_filing_is_refused_with_all_its_faults_and_stored_nowhere() {
    let world = World::new().await;
    let before = world.tables().await;
    let faulty = api::SubmitPreArrivalRequest {
        request_id: fresh(),
        site_id: "NOWHERE".into(),
        containers: vec![api::PreArrivalContainer {
            container_number: "MSKU9070324".into(),
            gross_mass: crate::world::kilograms("-1"),
            ..Default::default()
        }],
        ..Default::default()
    };
    let refused = world.try_file("haulier-a", faulty).await.unwrap_err();
    assert_eq!(reason(&refused), "FILING_INVALID");
    assert_eq!(
        crate::world::faults(&refused),
        [
            "SITE_UNKNOWN",
            "KIND_INVALID",
            "PLATE_INVALID",
            "DRIVER_MISSING",
            "CONTAINER_NUMBER_INVALID",
            "MASS_INVALID",
            "PLANNED_ARRIVAL_MISSING"
        ]
    );
    let after = world.tables().await;
    for table in ["public.pre_arrival", "public.driver", "fabric.outbox"] {
        assert_eq!(before.get(table), after.get(table), "{table}");
    }
}

#[tokio::test]
async fn a_filing_is_taken_back_once_on_the_version_that_was_seen() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    let stale = cancel(&world, "haulier-a", &filed, filed.version + 1).await;
    assert_eq!(reason(&stale.unwrap_err()), "STALE_VERSION");
    let cancelled = cancel(&world, "haulier-a", &filed, filed.version)
        .await
        .unwrap();
    assert_eq!(cancelled.state(), PreArrivalState::Cancelled);
    let over = cancel(&world, "haulier-a", &filed, cancelled.version).await;
    assert_eq!(reason(&over.unwrap_err()), "PRE_ARRIVAL_OVER");
    // What is over is not woken by facts, and admits nobody.
    world.decided(&visit(BOX), "WITHHELD", "", "").await;
    world.granted(BOX, "haulier-a").await;
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        PreArrivalState::Cancelled
    );
    let shown = api::CheckInRequest {
        pre_arrival: filed.number.clone(),
        ..crate::world::at_the_lane(PLATE, &[BOX], "haulier-a")
    };
    let truck = world
        .try_check_in(shown)
        .await
        .unwrap()
        .truck_visit
        .unwrap();
    assert_eq!(
        (truck.state(), codes(&truck.conditions)),
        (TruckVisitState::TurnedAway, vec!["PRE_ARRIVAL_OVER"])
    );
}

#[tokio::test]
async fn a_filing_expires_a_grace_after_its_planned_arrival() {
    let world = World::with(TimeDelta::seconds(1), 1, |_| {}).await;
    let soon = api::SubmitPreArrivalRequest {
        planned_arrival: Some(timestamp(Utc::now() - TimeDelta::minutes(5))),
        ..filing(PreArrivalKind::EmptyVehicle, PLATE, &[])
    };
    let filed = world.try_file("haulier-a", soon).await.unwrap();
    let later = world
        .file(PreArrivalKind::EmptyVehicle, NEXT_PLATE, &[])
        .await;
    world.until(&filed, PreArrivalState::Expired).await;
    assert_eq!(
        world.story("gate.pre-arrival", &filed.pre_arrival_id).await,
        ["submitted", "ready", "expired"]
    );
    assert_eq!(
        world.pre_arrival(&later).await.state(),
        PreArrivalState::Ready
    );
}

#[tokio::test]
async fn a_filing_whose_time_is_over_admits_nobody_even_before_the_timer_comes_round() {
    let world = World::with(TimeDelta::zero(), 1, |_| {}).await;
    let soon = api::SubmitPreArrivalRequest {
        planned_arrival: Some(timestamp(Utc::now() - TimeDelta::minutes(5))),
        ..filing(PreArrivalKind::EmptyVehicle, PLATE, &[])
    };
    let filed = world.try_file("haulier-a", soon).await.unwrap();
    let shown = api::CheckInRequest {
        pre_arrival: filed.number.clone(),
        ..crate::world::at_the_lane(PLATE, &[], "haulier-a")
    };
    let truck = world
        .try_check_in(shown)
        .await
        .unwrap()
        .truck_visit
        .unwrap();
    assert_eq!(codes(&truck.conditions), ["PRE_ARRIVAL_OVER"]);
}

#[tokio::test]
async fn another_truck_and_driver_take_the_place_of_the_first() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    let request = api::ReplaceVehicleRequest {
        driver: Some(api::Driver {
            name: "Wang Wu".into(),
            licence: "L2".into(),
            phone: String::new(),
        }),
        ..replacement(&filed, NEXT_PLATE)
    };
    let replaced = world
        .handlers
        .replace_vehicle(call("haulier-a", request))
        .await;
    let replaced = replaced.unwrap().into_inner().pre_arrival.unwrap();
    assert_eq!(replaced.state(), PreArrivalState::Ready);
    assert_ne!(replaced.driver_id, filed.driver_id);
    let first = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(codes(&first.conditions), ["NO_PRE_ARRIVAL"]);
    let second = world.check_in(NEXT_PLATE, &[BOX], "haulier-a").await;
    assert_eq!(second.state(), TruckVisitState::GatedIn);
    let stale = world
        .handlers
        .replace_vehicle(call("haulier-a", replacement(&filed, PLATE)))
        .await;
    assert_eq!(reason(&stale.unwrap_err()), "PRE_ARRIVAL_OVER");
}

#[tokio::test]
async fn a_hold_on_the_new_plate_blocks_the_filing_that_takes_it() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    world
        .hold(proto::common::v1::HoldScopeKind::Plate, "渝A·12346")
        .await;
    let replaced = world
        .handlers
        .replace_vehicle(call("haulier-a", replacement(&filed, NEXT_PLATE)))
        .await;
    let replaced = replaced.unwrap().into_inner().pre_arrival.unwrap();
    assert_eq!(codes(&replaced.conditions), ["TERMINAL_HOLD"]);
}

#[tokio::test]
async fn a_drivers_data_stands_in_one_table_and_leaves_it_for_nobody() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let filed = api::PreArrival {
        pre_arrival_id: truck.pre_arrival_id.clone(),
        ..Default::default()
    };
    world.check_out(PLATE, &[BOX]).await;
    for (table, rows) in world.tables().await {
        let personal = rows
            .iter()
            .filter(|row| {
                [DRIVER, LICENCE, PHONE]
                    .iter()
                    .any(|word| row.contains(word))
            })
            .count();
        assert_eq!(personal, usize::from(table == "public.driver"), "{table}");
    }
    for row in world.fabric.outbox().await.unwrap() {
        for word in [DRIVER, LICENCE, PHONE] {
            let found = row
                .payload
                .windows(word.len())
                .any(|window| window == word.as_bytes());
            assert!(!found, "{} tells of the driver", row.event_type);
        }
    }
    // Its haulier and the terminal see the driver, an officer does not.
    for (party, sees) in [
        ("haulier-a", true),
        ("terminal", true),
        ("officer-1", false),
    ] {
        let request = api::GetPreArrivalRequest {
            pre_arrival_id: filed.pre_arrival_id.clone(),
        };
        let response = world.handlers.get_pre_arrival(call(party, request)).await;
        let shown = response.unwrap().into_inner().pre_arrival.unwrap();
        assert_eq!(shown.driver.is_some(), sees, "{party}");
    }
}

#[tokio::test]
async fn a_driver_is_forgotten_after_the_retention_unless_an_open_filing_or_a_truck_inside_needs_him()
 {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    let inside = api::PreArrival {
        pre_arrival_id: truck.pre_arrival_id.clone(),
        ..Default::default()
    };
    let open = world
        .file(PreArrivalKind::EmptyVehicle, NEXT_PLATE, &[])
        .await;
    let cancelled = async |plate: &str| {
        let filed = world.file(PreArrivalKind::EmptyVehicle, plate, &[]).await;
        cancel(&world, "haulier-a", &filed, filed.version)
            .await
            .unwrap()
    };
    let (over, lately_over) = (cancelled("渝A00009").await, cancelled("渝A00010").await);
    sqlx::query(
        "update driver set recorded_at = now() - interval '31 days'
         where driver_id <> (select driver_id from pre_arrival where pre_arrival_id = $1::uuid)",
    )
    .bind(&lately_over.pre_arrival_id)
    .execute(&world.pool)
    .await
    .unwrap();

    let names = async |filed: &api::PreArrival| {
        let request = api::GetPreArrivalRequest {
            pre_arrival_id: filed.pre_arrival_id.clone(),
        };
        let request = call("haulier-a", request);
        let response = world.handlers.get_pre_arrival(request).await.unwrap();
        let driver = response.into_inner().pre_arrival.unwrap().driver;
        driver.is_some_and(|driver| driver.name == DRIVER)
    };
    until_drivers(&world, 3).await;
    assert!(!names(&over).await);
    for needed in [&inside, &open, &lately_over] {
        assert!(names(needed).await, "{needed:?}");
    }
    world.check_out(PLATE, &[BOX]).await;
    until_drivers(&world, 2).await;
    assert!(!names(&inside).await);
    assert_eq!(
        world.pre_arrival(&inside).await.state(),
        PreArrivalState::Used
    );
}

async fn until_drivers(world: &World, left: i64) {
    let begin = Instant::now();
    loop {
        let count: i64 = sqlx::query_scalar("select count(*) from driver")
            .fetch_one(&world.pool)
            .await
            .unwrap();
        if count == left {
            return;
        }
        assert!(
            count > left && begin.elapsed() < DEADLINE,
            "{count} are left"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_drivers_record_can_be_erased_while_the_filing_stays() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    sqlx::query("delete from driver")
        .execute(&world.pool)
        .await
        .unwrap();
    let kept = world.pre_arrival(&filed).await;
    assert_eq!((kept.state(), kept.driver), (PreArrivalState::Ready, None));
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(truck.state(), TruckVisitState::GatedIn);
}
