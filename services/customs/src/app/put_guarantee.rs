//! An officer sets how much a trader's guarantee covers; the debts that it was too small for are covered at once.
//! Names the trader's account and guarantee; the debts that wait for them follow.

use fabric::{Decision, Subjects};
use kernel::{Money, Refusal};
use proto::customs::v1 as wire;

use super::desk::{Desk, respond};
use super::record_payment::secure_waiting;
use super::state::subject;
use crate::domain::Actor;
use crate::domain::guarantee::{Guarantee, GuaranteeError};
use crate::grpc::response;

/// The command.
#[derive(Clone, Debug)]
pub struct PutGuarantee {
    /// Who sets it.
    pub actor: Actor,
    /// Whose.
    pub trader: String,
    /// How much it covers.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// The version the officer has seen; 0: not checked.
    pub expected_version: u64,
}

impl PutGuarantee {
    /// What it says itself that it touches.
    pub fn subjects(&self) -> Subjects {
        Subjects::new()
            .write(subject::ACCOUNT, &self.trader)
            .read(subject::PARTY, &self.trader)
    }

    /// Decides it.
    pub fn decide(&self, mut desk: Desk<'_>) -> Decision {
        match self.put(&mut desk) {
            Ok(()) => {
                secure_waiting(&mut desk, Some(&self.trader));
                let after = desk.state.guarantee_of(Some(&self.trader));
                let answer = wire::PutGuaranteeResponse {
                    guarantee: after.as_ref().map(response::guarantee),
                };
                respond(&answer, desk.facts)
            }
            Err(refusal) => Decision::refuse(refusal),
        }
    }

    fn put(&self, desk: &mut Desk<'_>) -> Result<(), Refusal> {
        if desk.state.parties.get(&self.trader).is_none() {
            return Err(Refusal::not_found("party", &self.trader));
        }
        let currency = desk.customs.books.currency().clone();
        let mut guarantee = desk
            .state
            .guarantee_of(Some(&self.trader))
            .unwrap_or_else(|| Guarantee::open(&self.trader, currency));
        if self.expected_version != 0 && self.expected_version != guarantee.version {
            return Err(Refusal::stale(guarantee.version));
        }
        guarantee
            .set(&self.amount, &self.actor, &self.reason, desk.now())
            .map_err(|error| match error {
                GuaranteeError::InUse(_) => Refusal::unmet(
                    "GUARANTEE_IN_USE",
                    format!("{error}: goods in bond stand on it."),
                    Vec::new(),
                ),
                GuaranteeError::Amount(_) => Refusal::invalid("MONEY_INVALID", error.to_string()),
            })?;
        desk.state.guarantees.put(self.trader.clone(), guarantee);
        Ok(())
    }
}
