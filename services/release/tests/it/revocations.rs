//! A line takes a consignment back of which containers were granted: only gate's answers make it final.

use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::v1 as api;
use proto::release::v1::release_service_server::ReleaseService;

use crate::world::{DOCUMENT, VISIT, World, arrived, call, consignment, departed, fresh};

const OTHER: &str = "CSQU3054383";
const OTHER_VISIT: &str = "GUOYUAN-PORT/CSQU3054383/1";

fn other() -> gate::ContainerVisit {
    gate::ContainerVisit {
        container_visit_id: OTHER_VISIT.into(),
        container_number: OTHER.into(),
        available: true,
        ..arrived()
    }
}

/// Two containers of one document, both granted to haulier-a.
async fn two_granted() -> World {
    let world = World::new().await;
    world.granted().await;
    world
        .visit(gate::ContainerVisitFact::Arrived, other())
        .await;
    let bound = customs::ConsignmentClearance {
        container_visit_id: OTHER_VISIT.into(),
        ..consignment(true, Vec::new())
    };
    world.clearance_of(OTHER, vec![bound]).await;
    assert_eq!(state_of(&world, OTHER_VISIT).await, "GRANTED");
    world
}

async fn state_of(world: &World, visit: &str) -> String {
    let decision = world.decisions_on(visit).await.pop().unwrap();
    decision.state
}

async fn ask_of(world: &World, visit: &str) -> String {
    let decision = world.decisions_on(visit).await.pop().unwrap();
    decision.ask_id
}

fn state(response: &api::RevokeCommercialReleaseResponse) -> api::CommercialReleaseState {
    response.commercial_release.as_ref().unwrap().state()
}

#[tokio::test]
async fn rule_5_a_revocation_of_several_containers_is_final_once_gate_has_applied_it_to_each() {
    let world = two_granted().await;
    let asked = world.line_revokes().await;
    assert_eq!(state(&asked), api::CommercialReleaseState::RevocationAsked);
    let mut waits = asked.revocation_asked_container_visit_ids;
    waits.sort();
    assert_eq!(waits, [OTHER_VISIT, VISIT]);
    for (visit, last) in [(VISIT, false), (OTHER_VISIT, true)] {
        let ask = ask_of(&world, visit).await;
        world
            .answer_about(visit, &ask, gate::AnswerVerdict::Applied)
            .await;
        assert_eq!(state_of(&world, visit).await, "WITHHELD");
        let told = world.facts_told("line-a").await;
        assert_eq!(
            told.contains(&"COMMERCIAL_RELEASE_REVOKED".to_owned()),
            last,
            "{told:?}"
        );
    }
    let again = world.line_revokes().await;
    assert!(again.already_revoked);
    assert_eq!(state(&again), api::CommercialReleaseState::Revoked);
    world.line_releases_to("haulier-b").await;
    assert_eq!(
        world
            .decisions_on(OTHER_VISIT)
            .await
            .pop()
            .unwrap()
            .haulier_party,
        "haulier-b"
    );
}

#[tokio::test]
async fn rule_5_of_several_containers_one_too_late_fails_the_whole_and_the_rest_is_granted_again() {
    for too_late_first in [true, false] {
        let world = two_granted().await;
        world.line_revokes().await;
        let asks = [
            (
                OTHER_VISIT,
                ask_of(&world, OTHER_VISIT).await,
                gate::AnswerVerdict::Applied,
            ),
            (
                VISIT,
                ask_of(&world, VISIT).await,
                gate::AnswerVerdict::TooLate,
            ),
        ];
        let order: Vec<usize> = if too_late_first {
            vec![1, 0]
        } else {
            vec![0, 1]
        };
        for index in order {
            let (visit, ask, verdict) = &asks[index];
            world.answer_about(visit, ask, *verdict).await;
        }
        assert_eq!(state_of(&world, OTHER_VISIT).await, "GRANTED");
        for party in ["line-a", "haulier-a"] {
            let told = world.told(party).await;
            let failed = told
                .iter()
                .find(|notice| notice.fact == "COMMERCIAL_RELEASE_REVOCATION_FAILED");
            let failed = failed.unwrap_or_else(|| panic!("{party}: {told:?}"));
            assert!(
                failed.text.contains("MRKU4976720 had left"),
                "{}",
                failed.text
            );
        }
        world.departed().await;
        assert_eq!(world.state().await, "CONSUMED");
        assert_eq!(
            world.decisions().await.pop().unwrap().haulier_party,
            "haulier-a"
        );
        // What is still here can be taken back all the same: what has left is not asked again.
        let asked = world.line_revokes().await;
        assert_eq!(asked.revocation_asked_container_visit_ids, [OTHER_VISIT]);
        let ask = ask_of(&world, OTHER_VISIT).await;
        world
            .answer_about(OTHER_VISIT, &ask, gate::AnswerVerdict::Applied)
            .await;
        assert_eq!(
            state(&world.line_revokes().await),
            api::CommercialReleaseState::Revoked
        );
        assert_eq!(state_of(&world, OTHER_VISIT).await, "WITHHELD");
    }
}

#[tokio::test]
async fn who_left_with_a_container_is_known_whichever_of_departure_and_answer_is_read_first() {
    for answer_first in [true, false] {
        let world = World::new().await;
        world.granted().await;
        world.line_revokes().await;
        let ask = world.decisions().await.pop().unwrap().ask_id;
        if answer_first {
            world.answer(&ask, gate::AnswerVerdict::TooLate).await;
        }
        world
            .visit(gate::ContainerVisitFact::Departed, departed(arrived()))
            .await;
        if !answer_first {
            world.answer(&ask, gate::AnswerVerdict::TooLate).await;
        }
        let decision = world.decisions().await.pop().unwrap();
        assert_eq!(
            (decision.state.as_str(), decision.haulier_party.as_str()),
            ("CONSUMED", "haulier-a")
        );
    }
}

#[tokio::test]
async fn a_consignment_is_not_released_anew_before_gate_has_answered_its_revocation() {
    let world = World::new().await;
    world.granted().await;
    world.line_revokes().await;
    let request = api::GrantCommercialReleaseRequest {
        request_id: fresh(),
        transport_document: DOCUMENT.into(),
        haulier_party: "haulier-b".into(),
        ..api::GrantCommercialReleaseRequest::default()
    };
    let status = world
        .handlers
        .grant_commercial_release(call("line-a", request))
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert!(world.line_revokes().await.already_revoked);
    let ask = world.decisions().await.pop().unwrap().ask_id;
    world.answer(&ask, gate::AnswerVerdict::Applied).await;
    world.line_releases_to("haulier-b").await;
    assert_eq!(
        world.decisions().await.pop().unwrap().haulier_party,
        "haulier-b"
    );
}

#[tokio::test]
async fn a_haulier_is_not_told_that_its_competitors_grant_is_taken_back() {
    let world = World::new().await;
    world.arrived().await;
    world.customs_released().await;
    world.available().await;
    for haulier in ["haulier-a", "haulier-b"] {
        world.line_releases_to(haulier).await;
        assert_eq!(world.state().await, "GRANTED");
        world.line_revokes().await;
        let ask = world.decisions().await.pop().unwrap().ask_id;
        world.answer(&ask, gate::AnswerVerdict::Applied).await;
    }
    for haulier in ["haulier-a", "haulier-b"] {
        let facts = world.facts_told(haulier).await;
        for fact in [
            "RELEASE_GRANTED",
            "RELEASE_REVOCATION_ASKED",
            "REVOCATION_APPLIED",
            "RELEASE_REVOKED",
        ] {
            let times = facts.iter().filter(|told| *told == fact).count();
            assert_eq!(times, 1, "{haulier}, {fact}: {facts:?}");
        }
    }
}

async fn refused_to_take_back(world: &World) -> tonic::Status {
    let request = api::RevokeCommercialReleaseRequest {
        request_id: fresh(),
        transport_document: DOCUMENT.into(),
        reason: "freight not paid".into(),
        ..api::RevokeCommercialReleaseRequest::default()
    };
    world
        .handlers
        .revoke_commercial_release(call("line-a", request))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn rule_5_a_release_of_which_every_container_has_left_is_too_late_to_be_taken_back() {
    let world = two_granted().await;
    world.departed().await;
    // One is still here: it is asked back, and stays.
    let asked = world.line_revokes().await;
    assert_eq!(asked.revocation_asked_container_visit_ids, [OTHER_VISIT]);
    let ask = ask_of(&world, OTHER_VISIT).await;
    world
        .answer_about(OTHER_VISIT, &ask, gate::AnswerVerdict::TooLate)
        .await;
    world
        .visit(gate::ContainerVisitFact::Departed, departed(other()))
        .await;
    assert_eq!(state_of(&world, OTHER_VISIT).await, "CONSUMED");

    let told = world.facts_told("line-a").await.len();
    let status = refused_to_take_back(&world).await;
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    let details = String::from_utf8_lossy(status.details()).into_owned();
    assert!(
        details.contains("COMMERCIAL_RELEASE_CONSUMED"),
        "{status:?}"
    );
    world.read_back().await;
    assert_eq!(world.facts_told("line-a").await.len(), told);
    let explained = world.explain("line-a").await.unwrap();
    let release = explained.consignments[0]
        .commercial_release
        .clone()
        .unwrap();
    assert_eq!(release.state(), api::CommercialReleaseState::Granted);

    // By its id it is refused alike.
    let by_id = api::RevokeCommercialReleaseRequest {
        request_id: fresh(),
        commercial_release_id: release.commercial_release_id,
        reason: "freight not paid".into(),
        ..api::RevokeCommercialReleaseRequest::default()
    };
    let status = world
        .handlers
        .revoke_commercial_release(call("line-a", by_id))
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
}

#[tokio::test]
async fn a_release_that_no_container_has_left_on_is_taken_back_though_another_left_before_it() {
    let world = World::new().await;
    world.granted().await;
    world.departed().await;
    let granted = world.line_releases_to("haulier-a").await;
    assert_eq!(
        refused_to_take_back(&world).await.code(),
        tonic::Code::FailedPrecondition
    );
    // The next voyage under the same document has a container that is only announced.
    let next = gate::ContainerVisit {
        container_visit_id: OTHER_VISIT.into(),
        container_number: OTHER.into(),
        ..crate::world::visit()
    };
    world.visit(gate::ContainerVisitFact::Announced, next).await;
    let revoked = world.line_revokes().await;
    assert_eq!(state(&revoked), api::CommercialReleaseState::Revoked);
    assert_eq!(
        revoked.commercial_release.unwrap().commercial_release_id,
        granted.commercial_release_id
    );
    // One that was given afterwards was used by nobody.
    world
        .visit(
            gate::ContainerVisitFact::ShortLanded,
            gate::ContainerVisit {
                container_visit_id: OTHER_VISIT.into(),
                container_number: OTHER.into(),
                phase: gate::ContainerVisitPhase::ShortLanded.into(),
                ..crate::world::visit()
            },
        )
        .await;
    world.line_releases_to("haulier-a").await;
    assert_eq!(
        state(&world.line_revokes().await),
        api::CommercialReleaseState::Revoked
    );
}
