//! Three trucks that must never get through with goods, and ask to at every opportunity: one has nothing but its
//! filing, one a pass for goods in bond that customs has not released, and one was let in and then recalled. They
//! belong to no journey and no digest.

use std::time::Duration;

use proto::gate::v1::{CheckOutOutcome, CheckOutResponse, TruckVisit, TruckVisitState};
use tokio::time::timeout;

use crate::journey::Journey;
use crate::outage::Victim;
use crate::parties::Parties;
use crate::script::{IMPORT_PICK_UP, NOT_TODAY, OUT_OF_BOND, Step};

/// Gate that is away is asked for so long.
const PATIENCE: Duration = Duration::from_millis(500);

/// The three trucks.
pub struct Barrier<'a> {
    filed: Journey<'a>,
    in_bond: Journey<'a>,
    recalled: Journey<'a>,
}

impl<'a> Barrier<'a> {
    /// Brings the trucks where they wait.
    pub async fn with_its_trucks(parties: &'a Parties) -> Barrier<'a> {
        let mut filed = Journey::new(parties, &IMPORT_PICK_UP);
        let mut in_bond = Journey::new(parties, &OUT_OF_BOND);
        let mut recalled = Journey::new(parties, &NOT_TODAY);
        tokio::join!(
            async {
                for step in [Step::Announce, Step::PreArrive] {
                    filed.act(step).await;
                }
            },
            async {
                in_bond.act(Step::FileList).await;
                in_bond.pre_arrive_in_vain().await;
            },
            async {
                let steps = NOT_TODAY.steps.iter();
                for step in steps.take_while(|step| **step != Step::LeaveInVain) {
                    recalled.act(*step).await;
                    recalled.consequence(*step).await;
                }
            },
        );
        Barrier {
            filed,
            in_bond,
            recalled,
        }
    }

    /// All three ask. Whatever gate answers, if it answers: none gets through. Boxed, as this stands in the middle of
    /// much else.
    pub async fn stays_closed(&mut self, away: Option<Victim>) {
        let (filed, in_bond, leaving) = tokio::join!(
            if_answered(away, Box::pin(self.filed.ask_for_the_way_in())),
            if_answered(away, Box::pin(self.in_bond.ask_for_the_way_in())),
            if_answered(away, Box::pin(self.recalled.ask_for_the_way_out())),
        );
        for visit in filed.iter().chain(&in_bond) {
            must_not_be_in(visit);
        }
        if let Some(answer) = leaving {
            must_not_be_out(&answer);
        }
    }
}

/// What nobody answers, nobody lets through; what is answered late counts too.
async fn if_answered<T>(away: Option<Victim>, asked: impl Future<Output = T>) -> Option<T> {
    if away == Some(Victim::Gate) {
        timeout(PATIENCE, asked).await.ok()
    } else {
        Some(asked.await)
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
