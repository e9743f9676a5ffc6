//! Money received: on a payer's account, which then secures the debts it was too small for, or for the debt of
//! one declaration. Names the account or the declaration; the debts that wait for the account follow.

use fabric::{Decision, Subjects};
use kernel::{Money, Refusal};
use proto::customs::v1 as wire;
use uuid::Uuid;

use super::desk::{Desk, respond};
use super::state::subject;
use crate::domain::Actor;
use crate::domain::account::Account;
use crate::domain::debt::DebtState;
use crate::grpc::response;

/// The most debts that one payment, or one turn of the timer, has secured; the timer goes on with the rest.
pub const DEBTS_SECURED_MAX: i64 = 200;

/// The command.
#[derive(Clone, Debug)]
pub struct RecordPayment {
    /// Who records it.
    pub actor: Actor,
    /// Whether as an officer; else for themselves.
    pub officer: bool,
    /// The payer.
    pub payer: String,
    /// How much.
    pub amount: Money,
    /// For the debt of this declaration; none: onto the account.
    pub declaration_id: Option<Uuid>,
    /// The payment's reference at the bank.
    pub reference: String,
}

impl RecordPayment {
    /// What it says itself that it touches.
    pub fn subjects(&self) -> Subjects {
        match &self.declaration_id {
            Some(id) => Subjects::new().write(subject::DECLARATION, id.to_string()),
            None => Subjects::new()
                .write(subject::ACCOUNT, &self.payer)
                .read(subject::PARTY, &self.payer),
        }
    }

    /// Decides it.
    pub fn decide(&self, desk: Desk<'_>) -> Decision {
        if !self.officer && self.actor.party != self.payer {
            return Decision::refuse(Refusal::not_found("account", &self.payer));
        }
        match self.declaration_id {
            Some(id) => self.pay_debt(desk, id),
            None => self.pay_in(desk),
        }
    }

    fn pay_debt(&self, mut desk: Desk<'_>, id: Uuid) -> Decision {
        let found = desk
            .state
            .declarations
            .get(&id)
            .filter(|declaration| declaration.payer.as_deref() == Some(&self.payer));
        let Some(mut declaration) = found.cloned() else {
            return Decision::refuse(Refusal::not_found("declaration", id.to_string()));
        };
        let before = declaration.clearance_keys();
        let (outcome, funds) = desk.decide(Some(&self.payer), Some(&self.actor), |world| {
            declaration.pay(&self.amount, &self.reference, world)
        });
        if let Err(refusal) = outcome {
            return Decision::refuse(refusal);
        }
        let debt = response::debt_state(declaration.debt.state());
        desk.commit(declaration, funds, before);
        respond(
            &wire::RecordPaymentResponse {
                account: None,
                debt: debt.into(),
            },
            desk.facts,
        )
    }

    fn pay_in(&self, mut desk: Desk<'_>) -> Decision {
        if desk.state.parties.get(&self.payer).is_none() {
            return Decision::refuse(Refusal::not_found("party", &self.payer));
        }
        let currency = desk.customs.books.currency().clone();
        let mut account = desk
            .state
            .account_of(Some(&self.payer))
            .unwrap_or_else(|| Account::open(&self.payer, currency));
        if let Err(error) = account.pay_in(&self.amount, &self.reference, desk.now()) {
            return Decision::refuse(Refusal::invalid("MONEY_INVALID", error.to_string()));
        }
        desk.state.accounts.put(self.payer.clone(), account);
        secure_waiting(&mut desk, Some(&self.payer));
        let after = desk
            .state
            .account_of(Some(&self.payer))
            .map(|account| response::account(&account, Vec::new()));
        respond(
            &wire::RecordPaymentResponse {
                account: after,
                debt: wire::DebtState::Unspecified.into(),
            },
            desk.facts,
        )
    }
}

/// Has debts secured that accounts or guarantees were too small for, oldest first.
pub fn secure_waiting(desk: &mut Desk<'_>, payer: Option<&str>) {
    let waits = |state: DebtState| matches!(state, DebtState::Short | DebtState::Assessed);
    let waiting: Vec<Uuid> = desk
        .state
        .declarations
        .iter()
        .filter(|(_, declaration)| {
            waits(declaration.debt.state())
                && (payer.is_none() || declaration.payer.as_deref() == payer)
        })
        .map(|(id, _)| *id)
        .collect();
    for id in waiting {
        desk.advance(id);
    }
}
