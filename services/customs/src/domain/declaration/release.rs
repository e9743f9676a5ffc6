//! The release of goods that wait for nothing, container by container (rule 10), and clearance once nothing
//! is left to do; and an officer's own release, where only their decision is missing. It must not know how
//! a condition comes about or how a debt is charged.

use kernel::{Fault, Refusal, Unmet};

use super::{Declaration, Fact, FactKind, World, act};
use crate::domain::debt::ManualDuty;
use crate::domain::filing::ProcedureKind;
use crate::domain::matching::Consignment;
use crate::domain::notification::{Code, Detail};

/// The conditions that an officer's own release meets.
const OFFICERS_CONDITIONS: [&str; 2] = ["OFFICER_DECISION", "DUTY_MANUAL_ASSESSMENT"];

impl Declaration {
    pub(super) fn release_what_is_due(&mut self, world: &mut World<'_>) {
        if self.accepted_at().is_none() || !self.shared_conditions(world.holds).is_empty() {
            return;
        }
        let mut newly = Vec::new();
        for index in 0..self.consignments.len() {
            let due = self.consignments.get(index).is_some_and(|consignment| {
                consignment.released_at.is_none()
                    && self.is_within_reach(consignment)
                    && self.own_conditions(consignment, world.holds).is_empty()
            });
            if let Some(consignment) = self.consignments.get_mut(index).filter(|_| due) {
                consignment.released_at = Some(world.now);
                newly.push(match (&consignment.container, &consignment.list) {
                    (Some(container), _) => container.to_string(),
                    (None, Some(list)) => format!("goods of list {list}"),
                    (None, None) => "goods without a container".to_owned(),
                });
            }
        }
        let first_whole_release =
            self.consignments.is_empty() && self.facts.when(FactKind::Released).is_none();
        let all = self
            .consignments
            .iter()
            .all(|consignment| consignment.released_at.is_some());
        let done = all
            && self.controls.iter().all(|control| control.done.is_some())
            && self.facts.when(FactKind::Cleared).is_none();
        if done && self.make_debt_final(world) {
            self.clear(world);
        } else if !newly.is_empty() || first_whole_release {
            self.facts.learn(FactKind::Released, world.now);
            let what = if newly.is_empty() {
                "all goods".to_owned()
            } else {
                newly.join(", ")
            };
            self.record(Fact::Released, world, what.clone());
            self.notify(
                Code::Released,
                world,
                Detail {
                    text: format!("Released: {what}."),
                    ..Detail::default()
                },
            );
        }
    }

    /// Whether goods can still be released. What goes into bond leaves the site of its arrival before, under the
    /// transfer decision, and waits for customs in the bonded centre.
    pub(super) fn is_within_reach(&self, goods: &Consignment) -> bool {
        let into_bond = self.filing.procedure_kind() == ProcedureKind::IntoBond;
        !goods.departed || (into_bond && !goods.exited)
    }

    /// Nothing is left to do. Cleared implies released.
    fn clear(&mut self, world: &mut World<'_>) {
        self.facts.learn(FactKind::Released, world.now);
        self.facts.learn(FactKind::Cleared, world.now);
        self.record(
            Fact::Cleared,
            world,
            "released, and nothing is left to do".to_owned(),
        );
        if self
            .debt
            .duty()
            .is_some_and(|duty| !duty.total_payable.is_zero())
        {
            self.notify_tax(world, true);
        }
        self.notify(
            Code::Cleared,
            world,
            Detail {
                text: "Cleared.".into(),
                ..Detail::default()
            },
        );
    }

    /// The officer's own release, where only an officer's decision is missing.
    ///
    /// # Errors
    /// `NOT_ACCEPTED`, `ALREADY_CLEARED`; `NOT_RELEASABLE` with everything else that is missing;
    /// `MANUAL_DUTY_INVALID`.
    pub fn release_by_officer(
        &mut self,
        duties: &[ManualDuty],
        reason: &str,
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        self.must_be_in_hand()?;
        let (of_officer, others): (Vec<Unmet>, Vec<Unmet>) = self
            .shared_conditions(world.holds)
            .into_iter()
            .partition(|unmet| OFFICERS_CONDITIONS.contains(&unmet.condition.as_str()));
        if of_officer.is_empty() || !others.is_empty() {
            return Err(Refusal::unmet(
                "NOT_RELEASABLE",
                "Not only an officer's decision is missing; see what is.",
                self.conditions(world.holds),
            ));
        }
        let mut debt = self.debt.clone();
        debt.assess_manually(duties).map_err(|error| {
            Refusal::invalid("MANUAL_DUTY_INVALID", error.to_string()).with_fault(Fault::new(
                "MANUAL_DUTY_INVALID",
                "manual_duties",
                "",
                "rule 5",
                error.to_string(),
            ))
        })?;
        if debt != self.debt {
            self.debt = debt;
            self.record(
                Fact::Debt,
                world,
                format!("assessed by an officer: {reason}"),
            );
        }
        self.officer_release = Some(act(reason, world));
        self.advance(world);
        Ok(())
    }
}
