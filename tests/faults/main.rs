//! Faults: a service or Kafka is stopped at a random step of each of the five journeys and started again at a
//! later one, in the real processes of `greenlane up`, while the other journeys go on. Meanwhile the others answer
//! and nothing is let out that should not be; afterwards everything stands as if nothing had happened. Each test
//! prints its seed; `FAULTS_SEED=...` plays the same plan again, and `FAULTS_POINTS=3` stops somebody three times
//! in each journey. This file must not know what the journeys do.

// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod barrier;
mod digest;
mod performance;
mod sites;

use chance::Chance;
use digest::Digest;
use futures::future::join_all;
use journey::Journey;
use outage::{Outage, Target, Victim, Way};
use performance::{Plan, Stage};
use proto::gate::v1::{CheckOutOutcome, TruckVisitState};
use script::{Closing, Step};
use tokio::sync::OnceCell;
use torture::play::{chance, journey, outage, parties, script, waiting};
use torture::site;

#[test]
fn whenever_gate_is_stopped_the_final_state_is_the_same() {
    disturbed_by(Victim::Gate);
}

#[test]
fn whenever_customs_is_stopped_the_final_state_is_the_same() {
    disturbed_by(Victim::Customs);
}

#[test]
fn whenever_bonded_is_stopped_the_final_state_is_the_same() {
    disturbed_by(Victim::Bonded);
}

#[test]
fn whenever_release_is_stopped_the_final_state_is_the_same() {
    disturbed_by(Victim::Release);
}

#[test]
fn whenever_kafka_is_stopped_the_final_state_is_the_same() {
    disturbed_by(Victim::Kafka);
}

/// Gate rule 10: beyond its limit a release is too old to open a barrier, inwards or outwards.
#[test]
fn a_truck_on_old_knowledge_of_its_release_goes_to_a_person() {
    let site = sites::alone();
    run(async {
        let stage = Stage::open(site.get()).await;
        let chance = Chance::from_environment("old knowledge");
        let victim = chance.one_of(&[Victim::Release, Victim::Kafka]);
        println!("{chance}: {victim} is frozen");
        let mut inside = Journey::new(&stage.parties, &script::IMPORT_PICK_UP);
        stage.play_until(&mut inside, Step::CheckOut).await;
        let mut outside = Journey::new(&stage.parties, &script::IMPORT_PICK_UP);
        stage.play_until(&mut outside, Step::CheckIn).await;

        let target = Target::find(site.get(), victim).await;
        let outage = Outage::begin(target, Way::Freeze, true).await;
        stage.until_knowledge_is_old().await;
        let kept = inside.ask_for_the_way_out().await;
        assert_eq!(kept.outcome(), CheckOutOutcome::ManualReview, "{kept:?}");
        let waits = outside.ask_for_the_way_in().await;
        assert_eq!(waits.state(), TruckVisitState::ManualReview, "{waits:?}");
        outage.end().await;

        outside.until_knowledge_is_fresh().await;
        let let_in = outside.ask_for_the_way_in().await;
        assert_eq!(let_in.state(), TruckVisitState::GatedIn, "{let_in:?}");
        for truck in [&mut inside, &mut outside] {
            stage.play_from(truck, Step::CheckOut).await;
        }
    });
}

/// Gate rules 2 and 11: whatever closes the barrier after a truck went in keeps it in, whoever was away when
/// it was said. What gate cannot have heard of it must hear of as soon as everybody is back.
#[test]
fn what_closes_the_barrier_while_somebody_is_away_recalls_the_truck_that_is_inside() {
    let site = sites::alone();
    run(async {
        let stage = Stage::open(site.get()).await;
        let chance = Chance::from_environment("closing");
        let mut trucks =
            Closing::ALL.map(|_| Journey::new(&stage.parties, &script::IMPORT_PICK_UP));
        let coming = trucks
            .iter_mut()
            .map(|truck| stage.play_until(truck, Step::CheckOut));
        join_all(coming).await;
        for (closing, mut truck) in Closing::ALL.into_iter().zip(trucks) {
            let victim = chance.one_of(&closing.victims());
            let way = chance.one_of(&[Way::Kill, Way::End, Way::Freeze]);
            println!("{chance}: {closing:?} while {victim} is away: {way:?}");
            let target = Target::find(site.get(), victim).await;
            let outage = Outage::begin(target, way, true).await;
            truck.close(closing).await;
            if closing.reaches_gate_without(victim) {
                truck.until_recalled().await;
                let kept = truck.ask_for_the_way_out().await;
                assert_ne!(kept.outcome(), CheckOutOutcome::LetOut, "{kept:?}");
            }
            outage.end().await;

            truck.until_recalled().await;
            let kept = truck.ask_for_the_way_out().await;
            assert_eq!(kept.outcome(), CheckOutOutcome::Refused, "{kept:?}");
        }
    });
}

/// Plays the journeys undisturbed, once for all tests, and disturbed, and compares how everything stands.
fn disturbed_by(victim: Victim) {
    let site = sites::alone();
    run(async {
        let stage = Stage::open(site.get()).await;
        let wanted = UNDISTURBED.get_or_init(|| stage.play_all(None)).await;
        let chance = Chance::from_environment(victim.name());
        let plan = Plan::of(victim, &chance);
        println!("{chance}: {plan}");
        let found = stage.play_all(Some(&plan)).await;
        wanted.must_equal(&found, &format!("{chance}: {plan}"));
    });
}

/// What everything comes to when nobody is stopped.
static UNDISTURBED: OnceCell<Digest> = OnceCell::const_new();

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}
