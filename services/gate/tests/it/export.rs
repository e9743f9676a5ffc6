//! A laden container comes for export: on which declarations, and what its coming says (journey B).

use prost::Message;
use proto::common::v1::HoldScopeKind;
use proto::gate::events::v1::{ContainerVisitEvent, ContainerVisitFact};
use proto::gate::v1 as api;
use proto::gate::v1::{CheckOutOutcome, PreArrivalState, TruckVisitState};

use crate::world::{
    BOX, NEXT_PLATE, OTHER_BOX, PLATE, PORT, World, at_the_exit, at_the_lane, codes, faults,
    full_in, kilograms, visit,
};

const MRN: &str = "26CNABCDEFGHIJKLM5";

/// haulier-a files one container on these declarations.
async fn filed(world: &World, references: &[&str]) -> api::PreArrival {
    let filing = full_in(PLATE, &[BOX], references);
    world.try_file("haulier-a", filing).await.unwrap()
}

/// As [`filed`], on a registered declaration; all are heard.
async fn ready(world: &World) -> api::PreArrival {
    world.declared("D1", "REGISTERED", &[BOX]).await;
    world.hears().await;
    let filed = filed(world, &["D1"]).await;
    assert_eq!(
        filed.state(),
        PreArrivalState::Ready,
        "{:?}",
        filed.conditions
    );
    filed
}

/// The last fact about the first container's stays at the port.
async fn last_fact(world: &World) -> ContainerVisitEvent {
    let mut rows = world.told("gate.container-visit").await.into_iter();
    let last = rows.rfind(|row| row.key == format!("{PORT}/{BOX}"));
    ContainerVisitEvent::decode(last.unwrap().payload).unwrap()
}

#[tokio::test]
async fn a_full_in_is_ready_once_every_declaration_that_it_names_is_registered() {
    let world = World::new().await;
    world.hears().await;
    let filing = filed(&world, &["D1", MRN]).await;
    assert_eq!(
        codes(&filing.conditions),
        ["DECLARATION_UNKNOWN", "DECLARATION_UNKNOWN"]
    );
    assert_eq!(filing.conditions[0].who, "broker");
    world.declared("D1", "REGISTERED", &[BOX]).await;
    let filing = world.pre_arrival(&filing).await;
    assert_eq!(codes(&filing.conditions), ["DECLARATION_UNKNOWN"]);
    assert_eq!(filing.conditions[0].subject, format!("declaration/{MRN}"));
    // One that names no container is of whatever comes on it.
    let of = |state: &'static str| {
        world.declared_as("D2", &[], move |declaration| {
            declaration.mrn = MRN.into();
            declaration.state = state.into();
        })
    };
    for (state, reason) in [
        ("SUBMITTED", "DECLARATION_NOT_REGISTERED"),
        ("REJECTED", "DECLARATION_OVER"),
        ("EXPIRED", "DECLARATION_OVER"),
        ("INVALIDATED", "DECLARATION_OVER"),
    ] {
        of(state).await;
        let filing = world.pre_arrival(&filing).await;
        assert_eq!(codes(&filing.conditions), [reason], "{state}");
        assert_eq!(filing.conditions[0].evidence.len(), 1, "{state}");
    }
    for state in [
        "REGISTERED",
        "ACCEPTED",
        "UNDER_CONTROL",
        "RELEASED",
        "CLEARED",
    ] {
        of(state).await;
        let filing = world.pre_arrival(&filing).await;
        assert_eq!(filing.state(), PreArrivalState::Ready, "{state}");
    }
}

#[tokio::test]
async fn an_mrn_is_known_as_it_is_typed_and_a_rejected_lrn_may_be_used_again() {
    let world = World::new().await;
    world.hears().await;
    world
        .declared_as("D1", &[BOX], |declaration| declaration.mrn = MRN.into())
        .await;
    let typed = MRN.to_lowercase();
    let filing = filed(&world, &[&typed]).await;
    assert_eq!(
        filing.state(),
        PreArrivalState::Ready,
        "{:?}",
        filing.conditions
    );
    assert_eq!(filing.document_references, [MRN]);
    for (id, state) in [("D2", "REJECTED"), ("D3", "REGISTERED")] {
        world
            .declared_as(id, &[OTHER_BOX], |declaration| {
                declaration.lrn = "LRN-2".into();
                declaration.state = state.into();
            })
            .await;
    }
    let filing = full_in(NEXT_PLATE, &[OTHER_BOX], &["LRN-2"]);
    let filing = world.try_file("haulier-a", filing).await.unwrap();
    assert_eq!(
        filing.state(),
        PreArrivalState::Ready,
        "{:?}",
        filing.conditions
    );
    // Another filer's of the same LRN: which is meant is not guessed.
    world
        .declared_as("D4", &[OTHER_BOX], |declaration| {
            declaration.lrn = "LRN-2".into();
            declaration.filer_party = "broker-b".into();
        })
        .await;
    let filing = world.pre_arrival(&filing).await;
    assert_eq!(codes(&filing.conditions), ["DECLARATION_AMBIGUOUS"]);
}

#[tokio::test]
async fn a_declaration_of_other_goods_lets_nothing_in() {
    let world = World::new().await;
    world.hears().await;
    world.declared("D1", "REGISTERED", &[OTHER_BOX]).await;
    let filing = filed(&world, &["D1"]).await;
    assert_eq!(codes(&filing.conditions), ["DECLARATION_UNKNOWN"]);
    let at_the_site = world.pre_arrival(&filing).await;
    assert_eq!(
        codes(&at_the_site.conditions),
        ["CONTAINER_NOT_DECLARED", "DECLARATION_OF_OTHER_CONTAINER"]
    );
    world.declared("D1", "REGISTERED", &[BOX, OTHER_BOX]).await;
    let filing = world.pre_arrival(&filing).await;
    assert_eq!(filing.state(), PreArrivalState::Ready);
    world
        .declared_as("D1", &[BOX], |declaration| {
            declaration.type_code = "IMD".into();
        })
        .await;
    let filing = world.pre_arrival(&filing).await;
    assert_eq!(codes(&filing.conditions), ["DECLARATION_NOT_EXPORT"]);
    // From a special territory: its procedure says which way.
    world
        .declared_as("D1", &[BOX], |declaration| {
            declaration.type_code = "COA".into();
            declaration.procedure_kind = "HOME_USE".into();
        })
        .await;
    let filing = world.pre_arrival(&filing).await;
    assert_eq!(codes(&filing.conditions), ["DECLARATION_NOT_EXPORT"]);
    // It takes goods out of bond: release would not let this container go on it.
    world
        .declared_as("D1", &[BOX], |declaration| {
            declaration.stock_lists = vec!["QD800026E000000001".into()];
        })
        .await;
    let filing = world.pre_arrival(&filing).await;
    assert_eq!(codes(&filing.conditions), ["DECLARATION_NOT_EXPORT"]);
    // An older word does not take the place of a newer one.
    let late = proto::customs::events::v1::DeclarationEvent {
        declaration: Some(proto::customs::events::v1::DeclarationState {
            declaration_id: "D1".into(),
            version: 1,
            lrn: "D1".into(),
            state: "REGISTERED".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    world.apply("customs.declaration", "D1", &late).await;
    let filing = world.pre_arrival(&filing).await;
    assert_eq!(codes(&filing.conditions), ["DECLARATION_NOT_EXPORT"]);
}

#[tokio::test]
async fn a_full_in_without_verified_mass_and_declaration_is_refused_whole() {
    let world = World::new().await;
    let mut filing = full_in(PLATE, &[BOX], &[]);
    filing.containers[0].verified_mass = None;
    filing.containers[0].reefer_set_point_celsius = "cold".into();
    let refused = world.try_file("haulier-a", filing).await.unwrap_err();
    assert_eq!(
        faults(&refused),
        [
            "VERIFIED_MASS_MISSING",
            "SET_POINT_INVALID",
            "DECLARATION_MISSING"
        ]
    );
}

#[tokio::test]
async fn a_full_in_begins_the_stay_and_says_on_what_it_came_and_the_truck_leaves_empty() {
    let world = World::new().await;
    let filing = full_in(PLATE, &[BOX], &["D1"]);
    let filing = api::SubmitPreArrivalRequest {
        containers: vec![api::PreArrivalContainer {
            reefer_set_point_celsius: "-18.5".into(),
            ..filing.containers[0].clone()
        }],
        ..filing
    };
    world.declared("D1", "REGISTERED", &[BOX]).await;
    world.hears().await;
    let filed = world.try_file("haulier-a", filing).await.unwrap();
    assert_eq!(filed.containers[0].reefer_set_point_celsius, "-18.5");
    assert_eq!(filed.containers[0].verified_mass, kilograms("20000"));
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    let evidence = &world.truck(&truck).await.admissions[0].evidence;
    let declared = evidence
        .iter()
        .find(|e| e.subject == "declaration/D1")
        .unwrap();
    assert_eq!(
        (declared.value.as_str(), declared.version),
        ("REGISTERED", 1)
    );
    assert!(declared.knowledge_age_millis.is_some());
    let stay = world.container(&visit(BOX)).await;
    assert_eq!(stay.phase(), api::ContainerVisitPhase::Arrived);
    assert_eq!(stay.arrival_mode(), api::TransportMode::Truck);
    assert_eq!(
        (
            stay.seals,
            stay.empty,
            stay.document_references,
            stay.verified_mass
        ),
        (
            vec!["S1".to_owned()],
            false,
            vec!["D1".to_owned()],
            kilograms("20000")
        )
    );
    let told = last_fact(&world).await;
    assert_eq!(told.fact(), ContainerVisitFact::Arrived);
    let told = told.visit.unwrap();
    assert_eq!(
        (told.document_references, told.empty),
        (vec!["D1".to_owned()], false)
    );
    assert_eq!(told.verified_mass, kilograms("20000"));
    // Rule 11: it needs no release to leave without the container, and none lets it leave with it.
    let with_it = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(with_it.outcome(), CheckOutOutcome::Refused);
    let out = world.check_out(PLATE, &[]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
    assert_eq!(
        world.container(&visit(BOX)).await.phase(),
        api::ContainerVisitPhase::Arrived
    );
    // A container is at a site once.
    let again = full_in(PLATE, &[BOX], &["D1"]);
    let again = world.try_file("haulier-a", again).await.unwrap();
    assert_eq!(codes(&again.conditions), ["CONTAINER_ALREADY_HERE"]);
}

#[tokio::test]
async fn rule_1_a_hold_on_its_declaration_keeps_a_full_in_out_until_it_is_lifted() {
    let world = World::new().await;
    let filed = ready(&world).await;
    let scope = (HoldScopeKind::Declaration, "D1");
    world.told_hold("customs", "H1", scope, false).await;
    let blocked = world.pre_arrival(&filed).await;
    assert_eq!(codes(&blocked.conditions), ["CUSTOMS_HOLD"]);
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(truck.state(), TruckVisitState::TurnedAway);
    world.told_hold("customs", "H1", scope, true).await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
}

#[tokio::test]
async fn rule_14_a_declaration_about_which_something_is_not_known_admits_nothing() {
    let world = World::new().await;
    ready(&world).await;
    world.stop("customs.declaration", "D1", true).await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(truck.state(), TruckVisitState::ManualReview);
    assert_eq!(codes(&truck.conditions), ["KNOWLEDGE_UNKNOWN"]);
    world.stop("customs.declaration", "D1", false).await;
    world.park("customs.declaration", "D1").await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(truck.state(), TruckVisitState::TurnedAway);
    assert_eq!(codes(&truck.conditions), ["KNOWLEDGE_UNKNOWN"]);
    world.give_up_parked().await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
}

#[tokio::test]
async fn rule_5_a_truck_that_weighs_less_than_was_verified_of_its_load_waits_for_a_person() {
    let world = World::new().await;
    ready(&world).await;
    let weighing = |weight: &str| api::CheckInRequest {
        weight: kilograms(weight),
        ..at_the_lane(PLATE, &[BOX], "haulier-a")
    };
    let truck = world.try_check_in(weighing("18999")).await.unwrap();
    let truck = truck.truck_visit.unwrap();
    assert_eq!(truck.state(), TruckVisitState::ManualReview);
    assert_eq!(codes(&truck.conditions), ["WEIGHT_OUT_OF_TOLERANCE"]);
    // Weighed again; 5 % of 20 t are tolerated.
    let truck = world.try_check_in(weighing("19000")).await.unwrap();
    let truck = truck.truck_visit.unwrap();
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
}

#[tokio::test]
async fn rule_5_what_was_put_down_and_is_not_what_was_verified_waits_for_a_person() {
    for (weight_out, holds) in [("13999", 1), ("14000", 0), ("16000", 0), ("16001", 1)] {
        let world = World::new().await;
        ready(&world).await;
        let request = api::CheckInRequest {
            weight: kilograms("35000"),
            ..at_the_lane(PLATE, &[BOX], "haulier-a")
        };
        world.try_check_in(request).await.unwrap();
        let request = api::CheckOutRequest {
            weight: kilograms(weight_out),
            ..at_the_exit(PLATE, &[])
        };
        let out = world.try_check_out(request).await.unwrap();
        assert_eq!(
            out.outcome(),
            CheckOutOutcome::LetOut,
            "an empty truck leaves"
        );
        let stay = world.container(&visit(BOX)).await;
        assert_eq!(stay.holds.len(), holds, "{weight_out}: {:?}", stay.holds);
        assert_eq!(world.told("gate.hold").await.len(), holds);
        for hold in &stay.holds {
            assert_eq!(hold.placed_by_party, "terminal");
            world.lift(hold).await;
        }
        assert!(world.container(&visit(BOX)).await.holds.is_empty());
    }
}

#[tokio::test]
async fn rule_16_of_two_containers_the_one_that_is_free_enters_alone() {
    let world = World::new().await;
    world.declared("D1", "REGISTERED", &[BOX]).await;
    world.declared("D2", "INVALIDATED", &[OTHER_BOX]).await;
    world.hears().await;
    let both = full_in(PLATE, &[BOX, OTHER_BOX], &["D1", "D2"]);
    let both = world.try_file("haulier-a", both).await.unwrap();
    assert_eq!(codes(&both.conditions), ["DECLARATION_OVER"]);
    let truck = world.check_in(PLATE, &[BOX, OTHER_BOX], "haulier-a").await;
    assert_eq!(truck.state(), TruckVisitState::TurnedAway);
    assert_eq!(codes(&truck.conditions), ["DECLARATION_OVER"]);
    // The blocked one alone, or one of the free ones twice, is no part of it.
    for containers in [&[OTHER_BOX][..], &[BOX, BOX]] {
        let truck = world.check_in(PLATE, containers, "haulier-a").await;
        assert_eq!(truck.state(), TruckVisitState::TurnedAway, "{containers:?}");
    }
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    assert_eq!(truck.containers.len(), 1);
    let stay = world.container(&visit(BOX)).await;
    assert_eq!(stay.document_references, ["D1"]);
    assert!(
        world
            .story("gate.container-visit", &format!("{PORT}/{OTHER_BOX}"))
            .await
            .is_empty()
    );
    assert_eq!(
        world.pre_arrival(&both).await.state(),
        PreArrivalState::Used
    );
}

#[tokio::test]
async fn rule_16_of_two_containers_the_one_that_is_released_is_picked_up_alone() {
    let world = World::new().await;
    world.arrived(&[BOX, OTHER_BOX]).await;
    world.granted(BOX, "haulier-a").await;
    world.granted(OTHER_BOX, "haulier-a").await;
    world.hears().await;
    world
        .file(api::PreArrivalKind::FullOut, PLATE, &[BOX, OTHER_BOX])
        .await;
    // Both are free: the truck came for both.
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(codes(&truck.conditions), ["CONTAINERS_DIFFER"]);
    world
        .hold(HoldScopeKind::ContainerVisit, &visit(OTHER_BOX))
        .await;
    let truck = world.check_in(PLATE, &[BOX, OTHER_BOX], "haulier-a").await;
    assert_eq!(truck.state(), TruckVisitState::TurnedAway);
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
    assert_eq!(
        world.container(&visit(OTHER_BOX)).await.phase(),
        api::ContainerVisitPhase::Arrived
    );
}
