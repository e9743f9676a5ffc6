//! Two trucks that must never leave with their containers, and ask to at every opportunity: one has nothing
//! but its filing, the other was let in and then recalled. They belong to no journey and no digest.

use std::time::Duration;

use proto::gate::v1::{CheckOutOutcome, CheckOutResponse, TruckVisit, TruckVisitState};
use tokio::time::timeout;

use crate::journey::Journey;
use crate::outage::Victim;
use crate::parties::Parties;
use crate::script::{IMPORT_PICK_UP, NOT_TODAY, Step};

/// Gate that is away is asked for so long.
const PATIENCE: Duration = Duration::from_millis(500);

/// The two trucks.
pub struct Barrier<'a> {
    filed: Journey<'a>,
    recalled: Journey<'a>,
}

impl<'a> Barrier<'a> {
    /// Brings the trucks where they wait.
    pub async fn with_two_trucks(parties: &'a Parties) -> Barrier<'a> {
        let mut filed = Journey::new(parties, &IMPORT_PICK_UP);
        for step in [Step::Announce, Step::PreArrive] {
            filed.act(step).await;
        }
        let mut recalled = Journey::new(parties, &NOT_TODAY);
        for step in NOT_TODAY.steps {
            if *step == Step::LeaveInVain {
                break;
            }
            recalled.act(*step).await;
            recalled.consequence(*step).await;
        }
        Barrier { filed, recalled }
    }

    /// Both trucks ask. Whatever gate answers, if it answers: neither gets through.
    pub async fn stays_closed(&mut self, away: Option<Victim>) {
        if away == Some(Victim::Gate) {
            // What nobody answers, nobody lets through; what is answered late counts too.
            if let Ok(visit) = timeout(PATIENCE, self.filed.ask_for_the_way_in()).await {
                must_not_be_in(&visit);
            }
            if let Ok(answer) = timeout(PATIENCE, self.recalled.ask_for_the_way_out()).await {
                must_not_be_out(&answer);
            }
            return;
        }
        must_not_be_in(&self.filed.ask_for_the_way_in().await);
        must_not_be_out(&self.recalled.ask_for_the_way_out().await);
    }
}

fn must_not_be_in(visit: &TruckVisit) {
    let kept = matches!(
        visit.state(),
        TruckVisitState::TurnedAway | TruckVisitState::ManualReview
    );
    assert!(kept, "let in without a release: {visit:?}");
}

fn must_not_be_out(answer: &CheckOutResponse) {
    let kept = matches!(
        answer.outcome(),
        CheckOutOutcome::Refused | CheckOutOutcome::ManualReview
    );
    assert!(kept, "let out while recalled: {answer:?}");
}
