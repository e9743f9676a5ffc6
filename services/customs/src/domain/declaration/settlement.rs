//! How the debt of a declaration is met (rule 6): secured by the payer's account, covered by the trader's
//! guarantee, paid, made final; and what the filer is told of it. It must not know how duty is reckoned, what
//! else an account or a guarantee bears, or what waits for the debt.

use kernel::{Money, Refusal};

use super::{Declaration, Fact, FactKind, World, act};
use crate::domain::account::Securing;
use crate::domain::debt::{DebtState, PAYMENTS_MAX, Payment};
use crate::domain::duty::Assessment;
use crate::domain::filing::Stage;
use crate::domain::notification::{Code, Detail, TaxStatement};

impl Declaration {
    /// Has the payer's account secure what is outstanding, as soon as it can (rule 6).
    pub(super) fn secure_debt(&mut self, world: &mut World<'_>) {
        self.cover_suspended(world);
        if !matches!(self.debt.state(), DebtState::Assessed | DebtState::Short)
            || self.duty_is_manual()
        {
            return;
        }
        let Some(outstanding) = self
            .debt
            .outstanding()
            .ok()
            .filter(|outstanding| !outstanding.is_zero())
        else {
            return;
        };
        let before = self.debt.state();
        let secured = match world.account.as_mut() {
            // Money in another currency than the tariff's secures nothing.
            Some(account) => account
                .secure(&outstanding, self.id, world.now)
                .unwrap_or(Securing::Short),
            None => {
                if self.accepted_just_now() {
                    self.record(Fact::Debt, world, self.debt_text());
                    self.notify_tax(world, false);
                }
                return;
            }
        };
        match secured {
            Securing::Secured => {
                self.debt.secured = Some(outstanding);
                self.record(Fact::Debt, world, self.debt_text());
                self.notify_tax(world, false);
            }
            Securing::Short if before != DebtState::Short => {
                self.debt.short_since = Some(world.now);
                self.record(Fact::Debt, world, self.debt_text());
                let detail = Detail {
                    duty: self.tax_statement(false),
                    text: format!(
                        "The account holds too little for {outstanding}; pay in, or pay this debt."
                    ),
                    ..Detail::default()
                };
                self.notify(Code::InsufficientFunds, world, detail);
            }
            Securing::Short => {}
        }
    }

    /// Has the trader's guarantee cover what is suspended, as soon as it can (rule 6).
    fn cover_suspended(&mut self, world: &mut World<'_>) {
        let Some(owed) = self.debt.uncovered().cloned() else {
            return;
        };
        if self.duty_is_manual() {
            return;
        }
        let covered = match world.guarantee.as_mut() {
            Some(guarantee) => guarantee
                .reserve(&owed, self.id, world.now)
                .unwrap_or(Securing::Short),
            // A trader without one is covered for nothing.
            None => Securing::Short,
        };
        match covered {
            Securing::Secured => {
                self.debt.short_since = None;
                self.debt.guaranteed = Some(owed);
                self.record(Fact::Debt, world, self.debt_text());
            }
            Securing::Short if self.debt.short_since.is_none() => {
                self.debt.short_since = Some(world.now);
                self.record(Fact::Debt, world, self.debt_text());
                let text = format!(
                    "The trader's guarantee covers too little for {owed}; have it raised, or clear goods out of bond."
                );
                self.notify(
                    Code::InsufficientFunds,
                    world,
                    Detail {
                        duty: self.tax_statement(false),
                        text,
                        ..Detail::default()
                    },
                );
            }
            Securing::Short => {}
        }
    }

    /// Goods that have left bond are no longer covered. They are not told apart from other goods of the trader:
    /// which goods came in under which declaration is known to bonded's lots alone.
    pub(super) fn free_guarantee_of_what_left(&mut self, world: &mut World<'_>) {
        let gone = self.facts.when(FactKind::Cleared).is_some()
            && self
                .consignments
                .iter()
                .all(|goods| goods.list.is_none() || goods.departed);
        let Some(owed) = self.debt.duty().and_then(|duty| duty.out_of_bond.clone()) else {
            return;
        };
        if !gone || self.debt.freed.is_some() || self.is_supplementary() {
            return;
        }
        let freed = world
            .guarantee
            .as_mut()
            .and_then(|guarantee| guarantee.free(&owed, self.id, world.now).ok());
        self.debt.freed = Some(freed.unwrap_or_else(|| Money::zero(owed.currency().clone())));
    }

    /// Charges what the account secures. Whether it could: an account that does not agree that it holds the
    /// security keeps the goods from being cleared, not from being released; the books must be looked at.
    pub(super) fn make_debt_final(&mut self, world: &mut World<'_>) -> bool {
        if let (Some(secured), Some(account)) = (&self.debt.secured, world.account.as_mut())
            && account.charge(secured, self.id, world.now).is_err()
        {
            return false;
        }
        self.debt.final_since = Some(world.now);
        true
    }

    /// Money came in for this debt.
    ///
    /// # Errors
    /// `DEBT_NOT_PAYABLE` where nothing is open; `PAYMENT_EXCEEDS_DEBT`; `MONEY_INVALID` in another currency.
    pub fn pay(
        &mut self,
        amount: &Money,
        reference: &str,
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        let open = matches!(self.debt.state(), DebtState::Assessed | DebtState::Short)
            && !self.duty_is_manual()
            && !self.is_void();
        let outstanding = self
            .debt
            .outstanding()
            .ok()
            .filter(|outstanding| open && !outstanding.is_zero());
        let Some(outstanding) = outstanding.filter(|_| self.debt.payments.len() < PAYMENTS_MAX)
        else {
            return Err(Refusal::unmet(
                "DEBT_NOT_PAYABLE",
                "Nothing of this debt is to be paid now: it is not assessed, met already, or suspended.",
                Vec::new(),
            ));
        };
        let Ok(left) = outstanding.checked_sub(amount) else {
            return Err(Refusal::invalid(
                "MONEY_INVALID",
                format!(
                    "The debt is in {}; pay in that currency.",
                    outstanding.currency()
                ),
            ));
        };
        if left.is_negative() {
            return Err(Refusal::unmet(
                "PAYMENT_EXCEEDS_DEBT",
                format!("Only {outstanding} is open; pay that, or pay the rest into the account."),
                Vec::new(),
            ));
        }
        self.debt.payments.push(Payment {
            amount: amount.clone(),
            reference: reference.to_owned(),
            act: act(reference, world),
        });
        self.record(Fact::Debt, world, format!("{amount} paid"));
        self.advance(world);
        Ok(())
    }

    /// What the trader's guarantee must cover while the goods are in bond. A party that we do not know has
    /// none that we could look at: that warns (rule 14). A supplement adds to what was covered before.
    pub(super) fn to_guarantee(&self, assessed: &Assessment) -> Option<Money> {
        let asked = self.trader.is_some() && !self.is_supplementary();
        assessed
            .into_bond
            .clone()
            .filter(|owed| asked && !owed.is_zero())
    }

    pub(super) fn is_supplementary(&self) -> bool {
        self.filing
            .kind()
            .is_some_and(|kind| kind.stage == Stage::Supplementary)
    }

    /// Without an account the debt stays ASSESSED; that is told once, right after acceptance.
    fn accepted_just_now(&self) -> bool {
        self.news
            .happenings
            .iter()
            .any(|happening| happening.fact == Fact::Accepted)
    }

    pub(super) fn duty_is_manual(&self) -> bool {
        self.debt
            .assessed
            .as_ref()
            .is_some_and(|duty| duty.needs_manual_assessment())
    }

    pub(super) fn debt_text(&self) -> String {
        let payable = self
            .debt
            .duty()
            .map(|duty| duty.total_payable.to_string())
            .unwrap_or_default();
        let covered = self
            .debt
            .guaranteed
            .as_ref()
            .map(|covered| format!(", {covered} under guarantee"))
            .unwrap_or_default();
        format!("{} {payable}{covered}", self.debt.state().name())
    }

    pub(super) fn tax_statement(&self, is_final: bool) -> Option<TaxStatement> {
        self.debt.duty().map(|assessment| TaxStatement {
            assessment: assessment.clone(),
            indicated: self.debt.assessed.is_none(),
            is_final,
        })
    }

    pub(super) fn notify_tax(&mut self, world: &World<'_>, is_final: bool) {
        let duty = self.tax_statement(is_final);
        let text = if is_final {
            format!("Final: {}.", self.debt_text())
        } else {
            format!("{}.", self.debt_text())
        };
        self.notify(
            Code::Tax,
            world,
            Detail {
                duty,
                text,
                ..Detail::default()
            },
        );
    }
}
