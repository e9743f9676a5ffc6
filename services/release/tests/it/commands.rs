//! Commands: commercial releases, holds, revocations, and what is refused.

use proto::common::v1 as common;
use proto::gate::events::v1 as gate;
use proto::release::v1 as api;
use proto::release::v1::release_service_server::ReleaseService;
use release::app::{GrantCommercialRelease, HoldTarget, Input, LiftHold, PlaceHold, RevokeRelease};
use release::domain::commercial_release::ReleaseScope;
use release::domain::hold::{HoldKind, Scope, ScopeKind};

use crate::world::{CONTAINER, DOCUMENT, VISIT, World, call, fresh, reader};

fn grant(party: &str, haulier: &str) -> Input {
    Input::GrantCommercialRelease(GrantCommercialRelease {
        by: reader(party),
        scope: ReleaseScope {
            transport_document: DOCUMENT.into(),
            site_id: None,
            container_number: None,
        },
        haulier_party: haulier.into(),
        validate_only: false,
    })
}

fn place(party: &str, kind: HoldKind, target: HoldTarget) -> Input {
    Input::PlaceHold(PlaceHold {
        by: reader(party),
        target,
        kind,
        reason: "a reason".into(),
        validate_only: false,
    })
}

#[tokio::test]
async fn a_consignment_is_released_to_one_haulier_and_again_to_the_same_one_changes_nothing() {
    let world = World::new().await;
    world.announced().await;
    let first = world.line_releases_to("haulier-a").await;
    let request = api::GrantCommercialReleaseRequest {
        request_id: fresh(),
        transport_document: DOCUMENT.into(),
        haulier_party: "haulier-a".into(),
        ..api::GrantCommercialReleaseRequest::default()
    };
    let again = world
        .handlers
        .grant_commercial_release(call("line-a", request))
        .await
        .unwrap()
        .into_inner();
    assert!(again.already_granted);
    assert_eq!(again.commercial_release.unwrap(), first);
    let refusal = world.refused("line-a", grant("line-a", "haulier-b")).await;
    assert_eq!(refusal.reason, "COMMERCIAL_RELEASE_EXISTS");
    assert_eq!(refusal.resource.unwrap().1, first.commercial_release_id);
}

#[tokio::test]
async fn a_line_never_releases_another_lines_box() {
    let world = World::new().await;
    world.announced().await;
    assert_eq!(
        world
            .refused("line-b", grant("line-b", "haulier-b"))
            .await
            .reason,
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn a_release_given_by_a_line_that_the_manifest_does_not_name_never_counts() {
    let world = World::new().await;
    let request = api::GrantCommercialReleaseRequest {
        request_id: fresh(),
        transport_document: DOCUMENT.into(),
        haulier_party: "haulier-b".into(),
        ..api::GrantCommercialReleaseRequest::default()
    };
    // Not announced yet: whose consignment it is nobody knows.
    world
        .handlers
        .grant_commercial_release(call("line-b", request))
        .await
        .unwrap();
    world.arrived().await;
    assert!(
        world
            .why("terminal")
            .await
            .contains(&"COMMERCIAL_RELEASE_MISSING".to_owned())
    );
}

#[tokio::test]
async fn a_consignment_is_released_to_registered_hauliers_only() {
    let world = World::new().await;
    for stranger in ["broker-a", "nobody"] {
        let refusal = world.refused("line-a", grant("line-a", stranger)).await;
        assert_eq!(
            (refusal.reason.as_str(), refusal.faults[0].path.as_str()),
            ("HAULIER_UNKNOWN", "haulier_party")
        );
    }
}

#[tokio::test]
async fn a_repeated_request_is_answered_with_the_same_bytes() {
    let world = World::new().await;
    let request = api::GrantCommercialReleaseRequest {
        request_id: fresh(),
        transport_document: DOCUMENT.into(),
        haulier_party: "haulier-a".into(),
        ..api::GrantCommercialReleaseRequest::default()
    };
    let first = world
        .handlers
        .grant_commercial_release(call("line-a", request.clone()))
        .await
        .unwrap()
        .into_inner();
    let second = world
        .handlers
        .grant_commercial_release(call("line-a", request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, second);
    assert!(!second.already_granted);
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let world = World::new().await;
    world.arrived().await;
    let before = world.fabric.outbox().await.unwrap().len();
    let request = api::GrantCommercialReleaseRequest {
        request_id: fresh(),
        validate_only: true,
        transport_document: DOCUMENT.into(),
        haulier_party: "haulier-a".into(),
        ..api::GrantCommercialReleaseRequest::default()
    };
    let response = world
        .handlers
        .grant_commercial_release(call("line-a", request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        response.commercial_release.unwrap().commercial_release_id,
        ""
    );
    let request = api::PlaceHoldRequest {
        request_id: fresh(),
        validate_only: true,
        scope: Some(common::HoldScope {
            kind: common::HoldScopeKind::ContainerVisit.into(),
            key: CONTAINER.into(),
        }),
        kind: common::HoldKind::Commercial.into(),
        reason: "unpaid".into(),
    };
    world
        .handlers
        .place_hold(call("line-a", request))
        .await
        .unwrap();
    assert_eq!(world.fabric.outbox().await.unwrap().len(), before);
    assert!(
        world
            .why("terminal")
            .await
            .contains(&"COMMERCIAL_RELEASE_MISSING".to_owned())
    );
}

#[tokio::test]
async fn revoking_a_commercial_release_asks_the_granted_release_back() {
    let world = World::new().await;
    world.granted().await;
    let request = api::RevokeCommercialReleaseRequest {
        request_id: fresh(),
        transport_document: DOCUMENT.into(),
        reason: "freight not paid".into(),
        expected_version: 1,
        ..api::RevokeCommercialReleaseRequest::default()
    };
    let response = world
        .handlers
        .revoke_commercial_release(call("line-a", request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(response.revocation_asked_container_visit_ids, [VISIT]);
    assert_eq!(world.state().await, "REVOCATION_ASKED");
    let request = api::RevokeCommercialReleaseRequest {
        request_id: fresh(),
        commercial_release_id: response.commercial_release.unwrap().commercial_release_id,
        reason: "again".into(),
        ..api::RevokeCommercialReleaseRequest::default()
    };
    let again = world
        .handlers
        .revoke_commercial_release(call("line-a", request))
        .await
        .unwrap()
        .into_inner();
    assert!(again.already_revoked);
}

#[tokio::test]
async fn rule_2_a_line_holds_its_container_by_number_and_lifting_one_hold_lifts_no_other() {
    let world = World::new().await;
    world.granted().await;
    world
        .hold("gate", "T1", common::HoldKind::Terminal, false)
        .await;
    let request = api::PlaceHoldRequest {
        request_id: fresh(),
        scope: Some(common::HoldScope {
            kind: common::HoldScopeKind::ContainerVisit.into(),
            key: CONTAINER.into(),
        }),
        kind: common::HoldKind::Commercial.into(),
        reason: "freight not paid".into(),
        ..api::PlaceHoldRequest::default()
    };
    let hold = world
        .handlers
        .place_hold(call("line-a", request))
        .await
        .unwrap()
        .into_inner()
        .hold
        .unwrap();
    assert_eq!(hold.scope.unwrap().key, VISIT);
    world.read_back().await;
    assert_eq!(
        world.why("line-a").await,
        ["TERMINAL_HOLD", "COMMERCIAL_HOLD"]
    );
    let lift = |request_id: String| api::LiftHoldRequest {
        request_id,
        hold_id: hold.hold_id.clone(),
        reason: "paid".into(),
        ..api::LiftHoldRequest::default()
    };
    assert!(
        !world
            .handlers
            .lift_hold(call("line-a", lift(fresh())))
            .await
            .unwrap()
            .into_inner()
            .already_lifted
    );
    assert!(
        world
            .handlers
            .lift_hold(call("line-a", lift(fresh())))
            .await
            .unwrap()
            .into_inner()
            .already_lifted
    );
    world.read_back().await;
    assert_eq!(world.why("line-a").await, ["TERMINAL_HOLD"]);
    let facts = world.facts_told("haulier-a").await;
    assert_eq!(
        facts.iter().filter(|fact| *fact == "HOLD_PLACED").count(),
        2
    );
    assert_eq!(
        facts.iter().filter(|fact| *fact == "HOLD_LIFTED").count(),
        1
    );
}

#[tokio::test]
async fn who_may_hold_what_follows_from_the_role() {
    let world = World::new().await;
    world.announced().await;
    let visit = || HoldTarget::Scope(Scope::new(ScopeKind::ContainerVisit, VISIT));
    let plate = || HoldTarget::Scope(Scope::new(ScopeKind::Plate, "渝A12345"));
    assert_eq!(
        world
            .refused("line-b", place("line-b", HoldKind::Commercial, visit()))
            .await
            .reason,
        "NOT_FOUND"
    );
    assert_eq!(
        world
            .refused("line-a", place("line-a", HoldKind::Legal, visit()))
            .await
            .reason,
        "HOLD_NOT_ALLOWED"
    );
    assert_eq!(
        world
            .refused("line-a", place("line-a", HoldKind::Commercial, plate()))
            .await
            .reason,
        "HOLD_NOT_ALLOWED"
    );
    assert_eq!(
        world
            .refused("terminal", place("terminal", HoldKind::Commercial, visit()))
            .await
            .reason,
        "HOLD_NOT_ALLOWED"
    );
    assert_eq!(
        world
            .refused(
                "centre-gate",
                place("centre-gate", HoldKind::Finance, visit())
            )
            .await
            .reason,
        "NOT_FOUND"
    );
    let nobody = LiftHold {
        by: reader("line-a"),
        hold_id: "none".into(),
        reason: "x".into(),
        validate_only: false,
    };
    assert_eq!(
        world
            .refused("line-a", Input::LiftHold(nobody))
            .await
            .reason,
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn rule_5_a_revoked_release_stays_revoked_until_its_hold_is_lifted() {
    let world = World::new().await;
    world.granted().await;
    let request = api::RevokeReleaseRequest {
        request_id: fresh(),
        container_visit_id: VISIT.into(),
        reason: "court order".into(),
        ..api::RevokeReleaseRequest::default()
    };
    let response = world
        .handlers
        .revoke_release(call("officer-1", request))
        .await
        .unwrap()
        .into_inner();
    let release = response.release.unwrap();
    assert_eq!(release.state(), api::ReleaseState::RevocationAsked);
    world
        .answer(&release.ask_id, gate::AnswerVerdict::Applied)
        .await;
    assert_eq!(world.state().await, "WITHHELD");
    assert_eq!(world.why("terminal").await, ["LEGAL_HOLD"]);
    let request = api::LiftHoldRequest {
        request_id: fresh(),
        hold_id: response.hold.unwrap().hold_id,
        reason: "order withdrawn".into(),
        ..api::LiftHoldRequest::default()
    };
    world
        .handlers
        .lift_hold(call("officer-2", request))
        .await
        .unwrap();
    assert_eq!(world.state().await, "GRANTED");
}

#[tokio::test]
async fn only_a_granted_release_can_be_taken_back() {
    let world = World::new().await;
    world.announced().await;
    let command = RevokeRelease {
        by: reader("officer-1"),
        container_visit_id: VISIT.into(),
        reason: "x".into(),
        expected_version: 0,
        validate_only: false,
    };
    let refusal = world
        .refused("officer-1", Input::RevokeRelease(command.clone()))
        .await;
    assert_eq!(
        (refusal.reason.as_str(), refusal.metadata["state"].as_str()),
        ("RELEASE_NOT_GRANTED", "WITHHELD")
    );
    let stale = RevokeRelease {
        expected_version: 9,
        ..command
    };
    assert_eq!(
        world
            .refused("officer-1", Input::RevokeRelease(stale))
            .await
            .reason,
        "STALE_VERSION"
    );
}

#[tokio::test]
async fn a_repeated_answer_says_that_it_is_one_also_where_it_is_a_refusal() {
    let world = World::new().await;
    let says_so = |metadata: &tonic::metadata::MetadataMap| {
        metadata
            .get("greenlane-repeated")
            .is_some_and(|value| value == "true")
    };
    for haulier in ["haulier-a", "nobody"] {
        let request = api::GrantCommercialReleaseRequest {
            request_id: fresh(),
            transport_document: DOCUMENT.into(),
            haulier_party: haulier.into(),
            ..api::GrantCommercialReleaseRequest::default()
        };
        let mut said = Vec::new();
        for _ in 0..2 {
            let answer = world
                .handlers
                .grant_commercial_release(call("line-a", request.clone()))
                .await;
            assert_eq!(answer.is_err(), haulier == "nobody");
            said.push(match &answer {
                Ok(response) => says_so(response.metadata()),
                Err(status) => says_so(status.metadata()),
            });
        }
        assert_eq!(said, [false, true], "{haulier}");
        // The same id for something else is a refusal of its own, not a repetition.
        let other = api::GrantCommercialReleaseRequest {
            transport_document: "TD-0002".into(),
            ..request
        };
        let refused = world
            .handlers
            .grant_commercial_release(call("line-a", other))
            .await
            .unwrap_err();
        assert!(!says_so(refused.metadata()));
    }
}
