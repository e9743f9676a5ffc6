//! Gate owns the barrier: a release is asked back, and gate answers (gate rule 12).

use fabric::Service as _;
use prost::Message;
use proto::gate::events::v1::{AnswerEvent, AnswerVerdict};
use proto::gate::v1::{CheckOutOutcome, PreArrivalState, TruckVisitState};

use crate::world::{BOX, PLATE, PORT, World, codes, visit};

async fn answers(world: &World) -> Vec<(String, AnswerVerdict)> {
    let rows = world.told("gate.answer").await;
    rows.iter()
        .map(|row| {
            let event = AnswerEvent::decode(row.payload.clone()).unwrap();
            assert_eq!(row.key, event.ask_id);
            (event.ask_id.clone(), event.verdict())
        })
        .collect()
}

#[tokio::test]
async fn rule_12_a_release_asked_back_in_time_is_applied_once_and_blocks() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    for _ in 0..3 {
        world
            .decided(&visit(BOX), "REVOCATION_ASKED", "haulier-a", "ask-1")
            .await;
    }
    assert_eq!(
        answers(&world).await,
        [("ask-1".to_owned(), AnswerVerdict::Applied)]
    );
    let blocked = world.pre_arrival(&filed).await;
    assert_eq!(
        (blocked.state(), codes(&blocked.conditions)),
        (PreArrivalState::Blocked, vec!["RELEASE_REVOKED"])
    );
    world
        .decided(&visit(BOX), "REVOCATION_ASKED", "haulier-a", "ask-2")
        .await;
    assert_eq!(answers(&world).await.len(), 2, "each ask has its answer");
}

#[tokio::test]
async fn rule_12_inside_it_is_applied_and_the_truck_recalled() {
    let world = World::new().await;
    let truck = world.inside(&[BOX]).await;
    world
        .decided(&visit(BOX), "REVOCATION_ASKED", "haulier-a", "ask-1")
        .await;
    assert_eq!(
        answers(&world).await,
        [("ask-1".to_owned(), AnswerVerdict::Applied)]
    );
    assert_eq!(world.truck(&truck).await.state(), TruckVisitState::Recalled);
    let refused = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(refused.outcome(), CheckOutOutcome::Refused);
    world.granted(BOX, "haulier-a").await;
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn rule_12_after_the_goods_have_left_it_is_too_late_also_when_the_container_is_here_again() {
    let world = World::new().await;
    world.inside(&[BOX]).await;
    world.check_out(PLATE, &[BOX]).await;
    world.announce("X9009", &[BOX]).await;
    world
        .decided(&visit(BOX), "REVOCATION_ASKED", "haulier-a", "ask-1")
        .await;
    assert_eq!(
        answers(&world).await,
        [("ask-1".to_owned(), AnswerVerdict::TooLate)]
    );
    let next = format!("{PORT}/{BOX}/2");
    world
        .decided(&next, "REVOCATION_ASKED", "haulier-a", "ask-2")
        .await;
    assert_eq!(
        answers(&world).await.last().unwrap(),
        &("ask-2".to_owned(), AnswerVerdict::Applied)
    );
}

#[tokio::test]
async fn rule_12_a_stay_that_gate_does_not_know_is_applied_and_remembered() {
    let world = World::new().await;
    world
        .decided(&visit(BOX), "REVOCATION_ASKED", "haulier-a", "ask-1")
        .await;
    assert_eq!(
        answers(&world).await,
        [("ask-1".to_owned(), AnswerVerdict::Applied)]
    );
    world.arrived(&[BOX]).await;
    world.hears().await;
    let filed = world
        .file(proto::gate::v1::PreArrivalKind::FullOut, PLATE, &[BOX])
        .await;
    assert_eq!(codes(&filed.conditions), ["RELEASE_REVOKED"]);
}

#[tokio::test]
async fn rule_12_departure_and_ask_at_the_same_instant_agree() {
    for _ in 0..6 {
        let world = World::with(chrono::TimeDelta::hours(4), 3, |_| {}).await;
        world.inside(&[BOX]).await;
        let stay = visit(BOX);
        let (out, ()) = tokio::join!(
            world.check_out(PLATE, &[BOX]),
            world.decided(&stay, "REVOCATION_ASKED", "haulier-a", "ask-1")
        );
        let verdict = if out.outcome() == CheckOutOutcome::LetOut {
            AnswerVerdict::TooLate
        } else {
            AnswerVerdict::Applied
        };
        assert_eq!(answers(&world).await, [("ask-1".to_owned(), verdict)]);
    }
}

#[tokio::test]
async fn an_older_decision_does_not_take_the_place_of_a_newer_one() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    for (version, state) in [(0, "REVOKED"), (1, "WITHHELD")] {
        let old = crate::world::decision(&visit(BOX), version, state, "", "");
        world.apply("release.decision", &visit(BOX), &old).await;
        assert_eq!(
            world.pre_arrival(&filed).await.state(),
            PreArrivalState::Ready
        );
    }
}

#[tokio::test]
async fn a_decision_that_gate_cannot_read_is_parked_and_not_guessed() {
    let rules = gate::app::Rules {
        expiry_grace: chrono::TimeDelta::hours(1),
        decision_age_max: std::time::Duration::from_secs(1),
        gone_after: chrono::TimeDelta::days(7),
        driver_retention: chrono::TimeDelta::days(30),
    };
    let service = gate::Gate { rules };
    let unreadable = [
        crate::world::decision(&visit(BOX), 1, "PERHAPS", "", ""),
        crate::world::decision(&visit(BOX), 1, "REVOCATION_ASKED", "", ""),
        proto::release::events::v1::DecisionEvent::default(),
    ];
    for event in unreadable {
        let record = fabric::Record {
            topic: "release.decision".into(),
            partition: 0,
            epoch: 1,
            sequence: 1,
            key: visit(BOX),
            event_id: "e".into(),
            event_type: "t".into(),
            payload: event.encode_to_vec().into(),
            traceparent: None,
        };
        assert!(service.decode(&record).is_err(), "{event:?}");
    }
}
