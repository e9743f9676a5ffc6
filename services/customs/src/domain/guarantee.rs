//! A trader's guarantee: how much it covers, and the part that suspended debts use. What is available never
//! falls below zero. It must not know what a debt is for.

use chrono::{DateTime, Utc};
use kernel::{Currency, Money, MoneyError};
use uuid::Uuid;

use super::Actor;
use super::account::Securing;

/// A guarantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarantee {
    /// Whose it is.
    pub trader: String,
    /// Grows by one with every entry.
    pub version: u64,
    /// How much it covers.
    pub amount: Money,
    /// How much suspended debts use of it.
    pub in_use: Money,
    /// Entries that are not written yet.
    pub new_entries: Vec<GuaranteeEntry>,
}

/// One entry of a guarantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuaranteeEntry {
    /// Its number within the guarantee, from 1.
    pub number: u64,
    /// What it does.
    pub kind: GuaranteeEntryKind,
    /// How much.
    pub amount: Money,
    /// The declaration, for RESERVED and FREED.
    pub declaration_id: Option<Uuid>,
    /// The officer, for SET.
    pub by: Actor,
    /// Why, for SET.
    pub reason: String,
    /// The database's time.
    pub recorded_at: DateTime<Utc>,
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuaranteeEntryKind {
    /// An officer set how much it covers.
    Set,
    /// A suspended debt uses it.
    Reserved,
    /// Goods left bond, or were never put into it.
    Freed,
}

impl GuaranteeEntryKind {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Reserved => "RESERVED",
            Self::Freed => "FREED",
        }
    }
}

/// Why a guarantee cannot cover what it is to cover.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuaranteeError {
    /// More is in use.
    #[error("{0} of it is in use; it cannot cover less")]
    InUse(Money),
    /// A negative amount, or another currency.
    #[error("give an amount of at least zero in {0}")]
    Amount(Currency),
}

impl Guarantee {
    /// One that covers nothing.
    pub fn open(trader: impl Into<String>, currency: Currency) -> Self {
        Self {
            trader: trader.into(),
            version: 0,
            amount: Money::zero(currency.clone()),
            in_use: Money::zero(currency),
            new_entries: Vec::new(),
        }
    }

    /// What is left for further debts.
    pub fn available(&self) -> Money {
        // Both are of one currency and within its limits.
        self.amount
            .checked_sub(&self.in_use)
            .unwrap_or_else(|_| Money::zero(self.amount.currency().clone()))
    }

    /// Sets how much it covers.
    ///
    /// # Errors
    /// Less than is in use, less than nothing, or another currency.
    pub fn set(
        &mut self,
        amount: &Money,
        by: &Actor,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), GuaranteeError> {
        let left = amount
            .checked_sub(&self.in_use)
            .map_err(|_| GuaranteeError::Amount(self.in_use.currency().clone()))?;
        if amount.is_negative() {
            return Err(GuaranteeError::Amount(self.in_use.currency().clone()));
        }
        if left.is_negative() {
            return Err(GuaranteeError::InUse(self.in_use.clone()));
        }
        self.amount = amount.clone();
        self.enter(GuaranteeEntryKind::Set, amount, None, (by, reason), now);
        Ok(())
    }

    /// Has it cover a suspended debt, or leaves it as it is.
    ///
    /// # Errors
    /// Another currency.
    pub fn reserve(
        &mut self,
        amount: &Money,
        declaration_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Securing, MoneyError> {
        if self.available().checked_sub(amount)?.is_negative() {
            return Ok(Securing::Short);
        }
        self.in_use = self.in_use.checked_add(amount)?;
        self.enter_of(GuaranteeEntryKind::Reserved, amount, declaration_id, now);
        Ok(Securing::Secured)
    }

    /// Frees as much as is in use of an amount; how much that was.
    ///
    /// # Errors
    /// Another currency.
    pub fn free(
        &mut self,
        amount: &Money,
        declaration_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Money, MoneyError> {
        let left = self.in_use.checked_sub(amount)?;
        let (left, freed) = if left.is_negative() {
            (
                Money::zero(self.in_use.currency().clone()),
                self.in_use.clone(),
            )
        } else {
            (left, amount.clone())
        };
        if !freed.is_zero() {
            self.in_use = left;
            self.enter_of(GuaranteeEntryKind::Freed, &freed, declaration_id, now);
        }
        Ok(freed)
    }

    fn enter_of(
        &mut self,
        kind: GuaranteeEntryKind,
        amount: &Money,
        declaration_id: Uuid,
        now: DateTime<Utc>,
    ) {
        self.enter(
            kind,
            amount,
            Some(declaration_id),
            (&Actor::default(), ""),
            now,
        );
    }

    fn enter(
        &mut self,
        kind: GuaranteeEntryKind,
        amount: &Money,
        declaration_id: Option<Uuid>,
        (by, reason): (&Actor, &str),
        now: DateTime<Utc>,
    ) {
        self.version += 1;
        self.new_entries.push(GuaranteeEntry {
            number: self.version,
            kind,
            amount: amount.clone(),
            declaration_id,
            by: by.clone(),
            reason: reason.to_owned(),
            recorded_at: now,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;

    fn pounds(amount: &str) -> Money {
        Money::parse(amount, "GBP").expect("valid")
    }

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0)
            .single()
            .expect("a time")
    }

    fn of(amount: &str) -> Guarantee {
        let mut guarantee = Guarantee::open("trader-a", Currency::parse("GBP").expect("valid"));
        guarantee
            .set(&pounds(amount), &Actor::default(), "agreed", now())
            .expect("set");
        guarantee
    }

    #[test]
    fn a_guarantee_is_not_set_below_what_is_in_use_nor_in_another_currency() {
        let mut guarantee = of("100");
        assert_eq!(
            guarantee.reserve(&pounds("60"), Uuid::nil(), now()),
            Ok(Securing::Secured)
        );
        let mut set = |amount: Money| guarantee.set(&amount, &Actor::default(), "", now());
        assert_eq!(
            set(pounds("59.99")),
            Err(GuaranteeError::InUse(pounds("60")))
        );
        assert!(set(pounds("-1")).is_err());
        assert!(set(Money::parse("100", "EUR").expect("valid")).is_err());
        assert_eq!(set(pounds("60")), Ok(()));
        assert!(guarantee.available().is_zero());
    }

    #[test]
    fn freeing_more_than_is_in_use_frees_what_is() {
        let mut guarantee = of("100");
        assert_eq!(
            guarantee.reserve(&pounds("60"), Uuid::nil(), now()),
            Ok(Securing::Secured)
        );
        assert_eq!(
            guarantee.free(&pounds("70"), Uuid::nil(), now()),
            Ok(pounds("60"))
        );
        assert!(guarantee.in_use.is_zero());
        assert_eq!(
            guarantee.free(&pounds("1"), Uuid::nil(), now()),
            Ok(pounds("0"))
        );
        assert_eq!(guarantee.version, 3, "nothing freed is no entry");
    }

    proptest! {
        #[test]
        fn rule_6_what_a_guarantee_has_left_never_falls_below_zero(steps in prop::collection::vec((0u8..3, 0i64..10_000), 0..200)) {
            let mut guarantee = of("150");
            for (kind, pence) in steps {
                let amount = Money::new(rust_decimal::Decimal::new(pence, 2), Currency::parse("GBP").expect("valid")).expect("fits");
                match kind {
                    0 => { let _ = guarantee.set(&amount, &Actor::default(), "", now()); }
                    1 => { guarantee.reserve(&amount, Uuid::nil(), now()).expect("one currency"); }
                    _ => { guarantee.free(&amount, Uuid::nil(), now()).expect("one currency"); }
                }
                prop_assert!(!guarantee.available().is_negative());
                prop_assert!(!guarantee.in_use.is_negative());
            }
        }
    }
}
