//! What is owed on a declaration and how far it is met. The state is derived from what was assessed, secured
//! and paid; it must not know accounts, only whether one has secured the debt.

use chrono::{DateTime, Utc};
use kernel::{Money, MoneyError};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Act;
use super::duty::{AssessedLine, Assessment};

/// The most payments for one debt.
pub const PAYMENTS_MAX: usize = 100;

/// A declaration's debt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// Reckoned before the goods arrived.
    pub indicated: Option<Assessment>,
    /// Reckoned at acceptance, with what an officer assessed.
    pub assessed: Option<Assessment>,
    /// The part that a deferment account secures.
    pub secured: Option<Money>,
    /// What a guarantee must cover while the goods are in bond; none where none is asked for.
    #[serde(default)]
    pub to_guarantee: Option<Money>,
    /// What a guarantee covers.
    #[serde(default)]
    pub guaranteed: Option<Money>,
    /// What the guarantee no longer has to cover, because the goods have left bond.
    #[serde(default)]
    pub freed: Option<Money>,
    /// Since when nothing is owed, because the declaration is void.
    #[serde(default)]
    pub void_since: Option<DateTime<Utc>>,
    /// What was paid for this declaration.
    pub payments: Vec<Payment>,
    /// Since when the payer's account or guarantee has been too small.
    pub short_since: Option<DateTime<Utc>>,
    /// Since when the debt has been final: charged, paid or none.
    pub final_since: Option<DateTime<Utc>>,
}

/// A payment for one debt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// How much.
    pub amount: Money,
    /// Its reference at the bank.
    pub reference: String,
    /// Who recorded it, and when.
    pub act: Act,
}

/// Where a debt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DebtState {
    /// Nothing is payable.
    None,
    /// Reckoned before the goods arrived.
    Indicated,
    /// Assessed; an officer or a payment is awaited.
    Assessed,
    /// Secured on the payer's account.
    Secured,
    /// Paid.
    Paid,
    /// Suspended.
    Suspended,
    /// The payer's account or guarantee is too small.
    Short,
}

impl DebtState {
    /// The name in events and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Indicated => "INDICATED",
            Self::Assessed => "ASSESSED",
            Self::Secured => "SECURED",
            Self::Paid => "PAID",
            Self::Suspended => "SUSPENDED",
            Self::Short => "SHORT",
        }
    }

    /// Whether goods may be released on it (rule 1).
    pub fn lets_release(self) -> bool {
        matches!(
            self,
            Self::None | Self::Secured | Self::Paid | Self::Suspended
        )
    }
}

/// An officer's assessment of one tax type on one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualDuty {
    /// The item.
    pub item: u32,
    /// "A00", "B00".
    pub tax_type: String,
    /// What is payable.
    pub payable: Money,
}

/// Why an officer's assessment does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManualError {
    /// An item that the tariff covers, or that there is not.
    #[error("item {0} is not one that an officer must assess")]
    NotManual(u32),
    /// An item is left out.
    #[error("item {0} must be assessed too; zero is an assessment")]
    Missing(u32),
    /// Another currency, a negative amount, too large a sum.
    #[error(
        "the amount for item {0} is negative, too large or in another currency than the tariff's"
    )]
    Amount(u32),
}

impl Debt {
    /// Where it stands.
    pub fn state(&self) -> DebtState {
        if self.void_since.is_some() {
            return DebtState::None;
        }
        let Some(assessed) = &self.assessed else {
            let indicated = self.indicated.as_ref().is_some_and(|duty| {
                !duty.total_payable.is_zero() || duty.needs_manual_assessment()
            });
            return if indicated {
                DebtState::Indicated
            } else {
                DebtState::None
            };
        };
        if assessed.needs_manual_assessment() {
            return DebtState::Assessed;
        }
        let open = if self.short_since.is_some() {
            DebtState::Short
        } else {
            DebtState::Assessed
        };
        if self.uncovered().is_some() {
            return open;
        }
        if assessed.total_payable.is_zero() {
            return if assessed.is_suspended() {
                DebtState::Suspended
            } else {
                DebtState::None
            };
        }
        if self.secured.is_some() {
            DebtState::Secured
        } else if self
            .outstanding()
            .is_ok_and(|outstanding| outstanding.is_zero())
        {
            DebtState::Paid
        } else {
            open
        }
    }

    /// What a guarantee must cover and does not.
    pub fn uncovered(&self) -> Option<&Money> {
        self.to_guarantee
            .as_ref()
            .filter(|_| self.guaranteed.is_none() && self.void_since.is_none())
    }

    /// The newest reckoning.
    pub fn duty(&self) -> Option<&Assessment> {
        self.assessed.as_ref().or(self.indicated.as_ref())
    }

    /// What is payable in all by the newest reckoning; none where nothing is, because the declaration is void.
    pub fn payable(&self) -> Option<&Money> {
        self.duty()
            .filter(|_| self.void_since.is_none())
            .map(|duty| &duty.total_payable)
    }

    /// What is payable and neither secured nor paid; nothing while it is not assessed.
    ///
    /// # Errors
    /// Payments in different currencies, which no decision lets in.
    pub fn outstanding(&self) -> Result<Money, MoneyError> {
        let Some(assessed) = &self.assessed else {
            return self
                .indicated
                .as_ref()
                .map(|duty| Money::zero(duty.total_payable.currency().clone()))
                .ok_or(MoneyError::Spelling);
        };
        let mut outstanding = assessed.total_payable.clone();
        for paid in self
            .secured
            .iter()
            .chain(self.payments.iter().map(|payment| &payment.amount))
        {
            outstanding = outstanding.checked_sub(paid)?;
        }
        Ok(outstanding)
    }

    /// Adds an officer's assessment of every item of which the books cannot say what is owed.
    ///
    /// # Errors
    /// Every item must be assessed, and no other.
    pub fn assess_manually(&mut self, duties: &[ManualDuty]) -> Result<(), ManualError> {
        let Some(assessed) = &self.assessed else {
            return duties
                .first()
                .map_or(Ok(()), |duty| Err(ManualError::NotManual(duty.item)));
        };
        let mut next = assessed.clone();
        for (item, _) in &assessed.manual_items {
            if !duties.iter().any(|duty| duty.item == *item) {
                return Err(ManualError::Missing(*item));
            }
        }
        for duty in duties {
            if !assessed
                .manual_items
                .iter()
                .any(|(item, _)| *item == duty.item)
            {
                return Err(ManualError::NotManual(duty.item));
            }
            let sum = next
                .total_payable
                .checked_add(&duty.payable)
                .map_err(|_| ManualError::Amount(duty.item))?;
            if duty.payable.is_negative() {
                return Err(ManualError::Amount(duty.item));
            }
            next.total_payable = sum;
            next.lines.push(by_hand(duty));
        }
        next.manual_items.clear();
        self.assessed = Some(next);
        Ok(())
    }
}

fn by_hand(duty: &ManualDuty) -> AssessedLine {
    let none = Money::zero(duty.payable.currency().clone());
    AssessedLine {
        item: duty.item,
        tax_type: duty.tax_type.clone(),
        base: none.clone(),
        rate_percent: None::<Decimal>,
        assessed: duty.payable.clone(),
        deducted: none,
        payable: duty.payable.clone(),
        basis: "assessed by an officer".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::duty::Manual;

    pub(crate) fn pounds(amount: &str) -> Money {
        Money::parse(amount, "GBP").expect("valid")
    }

    pub(crate) fn assessment(payable: &str, manual: &[u32]) -> Assessment {
        Assessment {
            lines: Vec::new(),
            total_payable: pounds(payable),
            manual_items: manual
                .iter()
                .map(|item| (*item, Manual::NoCommodityCode))
                .collect(),
            suspended_items: Vec::new(),
            into_bond: None,
            out_of_bond: None,
            unreckoned_items: Vec::new(),
            tariff_version: "t".into(),
            rates_version: "r".into(),
        }
    }

    #[test]
    fn a_debt_is_indicated_then_assessed_then_met() {
        let mut debt = Debt {
            indicated: Some(assessment("248", &[])),
            ..Debt::default()
        };
        assert_eq!(debt.state(), DebtState::Indicated);
        debt.assessed = Some(assessment("250", &[]));
        assert_eq!(debt.state(), DebtState::Assessed);
        debt.secured = Some(pounds("250"));
        assert_eq!(debt.state(), DebtState::Secured);
    }

    #[test]
    fn nothing_payable_is_none_or_suspended() {
        let mut debt = Debt {
            assessed: Some(assessment("0", &[])),
            ..Debt::default()
        };
        assert_eq!(debt.state(), DebtState::None);
        debt.assessed = Some(Assessment {
            suspended_items: vec![1],
            ..assessment("0", &[])
        });
        assert_eq!(debt.state(), DebtState::Suspended);
    }

    #[test]
    fn what_is_suspended_is_met_once_a_guarantee_covers_it() {
        let mut debt = Debt {
            assessed: Some(Assessment {
                suspended_items: vec![1],
                ..assessment("0", &[])
            }),
            to_guarantee: Some(pounds("248")),
            ..Debt::default()
        };
        assert_eq!(debt.state(), DebtState::Assessed);
        debt.short_since = chrono::DateTime::from_timestamp(0, 0);
        assert_eq!(debt.state(), DebtState::Short);
        debt.guaranteed = Some(pounds("248"));
        assert_eq!(debt.state(), DebtState::Suspended);
        debt.void_since = debt.short_since;
        assert_eq!(debt.state(), DebtState::None);
    }

    #[test]
    fn rule_5_an_item_without_a_tariff_line_waits_for_an_officer() {
        let mut debt = Debt {
            assessed: Some(assessment("10", &[2])),
            ..Debt::default()
        };
        assert_eq!(debt.state(), DebtState::Assessed);
        let duty = |item, payable: &str| ManualDuty {
            item,
            tax_type: "A00".into(),
            payable: pounds(payable),
        };
        assert_eq!(debt.assess_manually(&[]), Err(ManualError::Missing(2)));
        assert_eq!(
            debt.assess_manually(&[duty(2, "5"), duty(1, "5")]),
            Err(ManualError::NotManual(1))
        );
        assert_eq!(
            debt.assess_manually(&[duty(2, "-5")]),
            Err(ManualError::Amount(2))
        );
        assert_eq!(debt.assess_manually(&[duty(2, "5")]), Ok(()));
        assert_eq!(debt.outstanding(), Ok(pounds("15")));
    }
}
