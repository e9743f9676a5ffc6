//! Who reads what: what a party may not see does not exist for it.

use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::v1 as api;
use proto::release::v1::release_service_server::ReleaseService;
use tonic::Code;

use crate::world::{VISIT, World, call, consignment};

#[tokio::test]
async fn only_those_concerned_may_read_a_release() {
    let world = World::by_filters_alone().await;
    world.granted().await;
    for party in [
        "haulier-a",
        "broker-a",
        "trader-a",
        "line-a",
        "terminal",
        "officer-1",
        "admin",
    ] {
        assert!(world.explain(party).await.is_ok(), "{party}");
    }
    for party in ["haulier-b", "broker-b", "trader-b", "line-b", "centre-gate"] {
        assert_eq!(
            world.explain(party).await.unwrap_err().code(),
            Code::NotFound,
            "{party}"
        );
        let request = api::GetContainerReleaseRequest {
            container_visit_id: VISIT.into(),
        };
        let status = world
            .handlers
            .get_container_release(call(party, request))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{party}");
    }
}

#[tokio::test]
async fn a_haulier_is_not_told_who_its_competitor_is() {
    let world = World::by_filters_alone().await;
    world.granted().await;
    world
        .pre_arrival("haulier-b", gate::PreArrivalFact::Submitted)
        .await;
    let explained = world.explain("haulier-b").await.unwrap();
    let release = explained.release.unwrap();
    assert!(!explained.may_leave);
    assert_eq!(release.haulier_party, "");
    assert_eq!(release.conditions[0].code, "RELEASED_TO_ANOTHER_HAULIER");
    let given = world.explain("line-a").await.unwrap().consignments[0].clone();
    assert_eq!(
        release.conditions[0].since,
        given.commercial_release.unwrap().granted_at,
        "since the line has named the other, and not since the decision last changed"
    );
    assert!(explained.consignments[0].commercial_release.is_none());
    let all = format!(
        "{release:?} {:?} {:?}",
        explained.consignments,
        world.told("haulier-b").await
    );
    assert!(!all.contains("haulier-a"), "{all}");
    assert!(world.explain("haulier-a").await.unwrap().may_leave);
}

#[tokio::test]
async fn a_haulier_is_told_what_is_missing_and_why_once_the_line_names_it() {
    let world = World::by_filters_alone().await;
    world.granted().await;
    world
        .pre_arrival("haulier-b", gate::PreArrivalFact::Submitted)
        .await;
    world
        .hold("gate", "hold-1", common::HoldKind::Terminal, false)
        .await;
    let of_the_hold = |explained: &api::ExplainReleaseResponse| {
        let conditions = explained.release.as_ref().unwrap().conditions.iter();
        conditions
            .filter(|condition| condition.code == "TERMINAL_HOLD")
            .map(|condition| condition.description.contains("a reason"))
            .collect::<Vec<_>>()
    };
    let explained = world.explain("haulier-b").await.unwrap();
    assert_eq!(of_the_hold(&explained), [false], "it is told of the hold");
    assert!(explained.holds.is_empty());
    let all = format!("{explained:?}");
    assert!(!all.contains("hold-1"), "{all}");
    assert!(explained.release.unwrap().evidence.is_empty());
    let explained = world.explain("haulier-a").await.unwrap();
    assert_eq!(of_the_hold(&explained), [true]);
    assert_eq!(explained.holds.len(), 1);
}

#[tokio::test]
async fn a_haulier_reads_no_more_once_its_pre_arrival_is_cancelled() {
    let world = World::by_filters_alone().await;
    world.announced().await;
    world
        .pre_arrival("haulier-b", gate::PreArrivalFact::Submitted)
        .await;
    assert!(world.explain("haulier-b").await.is_ok());
    world
        .pre_arrival("haulier-b", gate::PreArrivalFact::Cancelled)
        .await;
    assert_eq!(
        world.explain("haulier-b").await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn nobody_is_shown_the_declarations_of_another_firm() {
    let world = World::by_filters_alone().await;
    world.arrived().await;
    world
        .pre_arrival("haulier-a", gate::PreArrivalFact::Submitted)
        .await;
    let of_broker_b = |bound: bool| customs::ConsignmentClearance {
        declaration_id: "declaration-2".into(),
        mrn: "26GB0000000000002".into(),
        container_visit_id: if bound { VISIT.into() } else { String::new() },
        unbound_because: if bound { "" } else { "TWO_CANDIDATES" }.into(),
        filer_party: "broker-b".into(),
        trader_party: "trader-b".into(),
        ..consignment(false, Vec::new())
    };
    for bound in [false, true] {
        world
            .clearance(vec![of_broker_b(bound), consignment(true, Vec::new())])
            .await;
        for stranger in ["haulier-a", "broker-a", "trader-a", "line-a"] {
            let explained = format!("{:?}", world.explain(stranger).await.unwrap());
            assert!(
                !explained.contains("26GB0000000000002"),
                "{stranger}: {explained}"
            );
            let told = format!("{:?}", world.told(stranger).await);
            assert!(!told.contains("26GB0000000000002"), "{stranger}: {told}");
        }
        let explained = format!("{:?}", world.explain("officer-1").await.unwrap());
        assert!(explained.contains("26GB0000000000002"), "{explained}");
    }
    // Its own are shown to it.
    let explained = format!("{:?}", world.explain("broker-a").await.unwrap());
    assert!(explained.contains("26GB0000000000001"), "{explained}");
}
