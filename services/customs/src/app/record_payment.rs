//! Money received: on a payer's account, which then secures the debts it was too small for, or for the debt of
//! one declaration. Names the account or the declaration; the debts that wait for the account follow. A bank names
//! every payment by a reference of its own: what is sent again under one that was credited is not credited again.

use fabric::{Decision, Subjects};
use kernel::{Fault, Money, Refusal};
use proto::customs::v1 as wire;
use uuid::Uuid;

use super::desk::{Desk, respond};
use super::state::subject;
use crate::domain::Actor;
use crate::domain::account::Account;
use crate::domain::debt::DebtState;
use crate::domain::declaration::Declaration;
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
                .read(subject::PARTY, &self.payer)
                .read(
                    subject::PAYMENT,
                    format!("{}/{}", self.payer, self.reference),
                ),
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
        let mut payments = declaration.debt.payments.iter();
        let credited = payments
            .find(|payment| payment.reference == self.reference)
            .map(|payment| &payment.amount);
        match self.is_known(credited) {
            Err(refusal) => return Decision::refuse(refusal),
            Ok(true) => return answer_for_debt(&declaration, desk),
            Ok(false) => {}
        }
        let before = declaration.clearance_keys();
        let (outcome, funds) = desk.decide(Some(&self.payer), Some(&self.actor), |world| {
            declaration.pay(&self.amount, &self.reference, world)
        });
        if let Err(refusal) = outcome {
            return Decision::refuse(refusal);
        }
        desk.commit(declaration.clone(), funds, before);
        answer_for_debt(&declaration, desk)
    }

    fn pay_in(&self, mut desk: Desk<'_>) -> Decision {
        if desk.state.parties.get(&self.payer).is_none() {
            return Decision::refuse(Refusal::not_found("party", &self.payer));
        }
        let key = (self.payer.clone(), self.reference.clone());
        match self.is_known(desk.state.payments.get(&key)) {
            Err(refusal) => return Decision::refuse(refusal),
            Ok(true) => return self.answer_for_account(desk),
            Ok(false) => {}
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
        // Later payments of the batch see that the reference was credited.
        desk.state.payments.put(key, self.amount.clone());
        secure_waiting(&mut desk, Some(&self.payer));
        self.answer_for_account(desk)
    }

    /// Whether the payment was credited before, by what was credited under its reference. An empty one names none.
    fn is_known(&self, credited: Option<&Money>) -> Result<bool, Refusal> {
        match credited.filter(|_| !self.reference.is_empty()) {
            None => Ok(false),
            Some(credited) if *credited == self.amount => Ok(true),
            Some(credited) => {
                let message = format!(
                    "{credited} of {} was credited under the reference {}; send another payment under its own reference at the bank, or this one with its amount.",
                    self.payer, self.reference
                );
                let fault = Fault::new(
                    "PAYMENT_REFERENCE_USED",
                    "reference",
                    &self.reference,
                    "payments",
                    &message,
                );
                Err(Refusal::already_exists("PAYMENT_REFERENCE_USED", message)
                    .with_resource("payment", &self.reference)
                    .with_fault(fault))
            }
        }
    }

    fn answer_for_account(&self, desk: Desk<'_>) -> Decision {
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

fn answer_for_debt(declaration: &Declaration, desk: Desk<'_>) -> Decision {
    let debt = response::debt_state(declaration.debt.state());
    respond(
        &wire::RecordPaymentResponse {
            account: None,
            debt: debt.into(),
        },
        desk.facts,
    )
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
