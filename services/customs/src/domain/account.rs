//! A payer's deferment account: money paid in, the part of it that secures debts, and what was charged.
//! What is available never falls below zero. It must not know what a debt is for.

use chrono::{DateTime, Utc};
use kernel::{Currency, Money, MoneyError};
use uuid::Uuid;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub payer: String,
    /// Grows by one with every entry.
    pub version: u64,
    /// Money paid in and not charged.
    pub balance: Money,
    /// The part of the balance that secures debts.
    pub secured: Money,
    /// Entries that are not written yet.
    pub new_entries: Vec<Entry>,
}

/// One entry of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number within the account, from 1.
    pub number: u64,
    /// What it does.
    pub kind: EntryKind,
    /// How much.
    pub amount: Money,
    /// The declaration, for all but PAID_IN.
    pub declaration_id: Option<Uuid>,
    /// The payment's reference, for PAID_IN.
    pub reference: String,
    /// The database's time.
    pub recorded_at: DateTime<Utc>,
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Money came in.
    PaidIn,
    /// A part of the balance secures a debt.
    Secured,
    /// A secured debt was charged.
    Charged,
    /// A secured debt fell away.
    Freed,
    /// A charged debt fell away.
    Refunded,
}

impl EntryKind {
    /// The name in tables and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::PaidIn => "PAID_IN",
            Self::Secured => "SECURED",
            Self::Charged => "CHARGED",
            Self::Freed => "FREED",
            Self::Refunded => "REFUNDED",
        }
    }
}

/// What came of asking an account to secure a debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Securing {
    /// It is secured.
    Secured,
    /// There is not enough.
    Short,
}

impl Account {
    /// An empty account.
    pub fn open(payer: impl Into<String>, currency: Currency) -> Self {
        Self {
            payer: payer.into(),
            version: 0,
            balance: Money::zero(currency.clone()),
            secured: Money::zero(currency),
            new_entries: Vec::new(),
        }
    }

    /// What is left for further debts.
    pub fn available(&self) -> Money {
        // Both are of the account's one currency and within its limits.
        self.balance
            .checked_sub(&self.secured)
            .unwrap_or_else(|_| Money::zero(self.balance.currency().clone()))
    }

    /// Money came in.
    ///
    /// # Errors
    /// Another currency, or more than an amount can hold.
    pub fn pay_in(
        &mut self,
        amount: &Money,
        reference: &str,
        now: DateTime<Utc>,
    ) -> Result<(), MoneyError> {
        self.balance = self.balance.checked_add(amount)?;
        self.enter(EntryKind::PaidIn, amount, None, reference, now);
        Ok(())
    }

    /// Secures a debt, or leaves the account as it is.
    ///
    /// # Errors
    /// Another currency.
    pub fn secure(
        &mut self,
        amount: &Money,
        declaration_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Securing, MoneyError> {
        if self.available().checked_sub(amount)?.is_negative() {
            return Ok(Securing::Short);
        }
        self.secured = self.secured.checked_add(amount)?;
        self.enter(EntryKind::Secured, amount, Some(declaration_id), "", now);
        Ok(Securing::Secured)
    }

    /// Charges a debt that was secured.
    ///
    /// # Errors
    /// Another currency, or more than is secured.
    pub fn charge(
        &mut self,
        amount: &Money,
        declaration_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), MoneyError> {
        let (secured, balance) = (
            self.secured.checked_sub(amount)?,
            self.balance.checked_sub(amount)?,
        );
        if secured.is_negative() || balance.is_negative() {
            return Err(MoneyError::TooManyDigits);
        }
        (self.secured, self.balance) = (secured, balance);
        self.enter(EntryKind::Charged, amount, Some(declaration_id), "", now);
        Ok(())
    }

    /// Gives back what secured a debt that fell away.
    ///
    /// # Errors
    /// Another currency, or more than is secured.
    pub fn free(
        &mut self,
        amount: &Money,
        declaration_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), MoneyError> {
        let secured = self.secured.checked_sub(amount)?;
        if secured.is_negative() {
            return Err(MoneyError::TooManyDigits);
        }
        self.secured = secured;
        self.enter(EntryKind::Freed, amount, Some(declaration_id), "", now);
        Ok(())
    }

    /// Gives back what was charged for a debt that fell away.
    ///
    /// # Errors
    /// Another currency, or more than an amount can hold.
    pub fn refund(
        &mut self,
        amount: &Money,
        declaration_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), MoneyError> {
        self.balance = self.balance.checked_add(amount)?;
        self.enter(EntryKind::Refunded, amount, Some(declaration_id), "", now);
        Ok(())
    }

    fn enter(
        &mut self,
        kind: EntryKind,
        amount: &Money,
        declaration_id: Option<Uuid>,
        reference: &str,
        now: DateTime<Utc>,
    ) {
        self.version += 1;
        self.new_entries.push(Entry {
            number: self.version,
            kind,
            amount: amount.clone(),
            declaration_id,
            reference: reference.to_owned(),
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

    fn account() -> Account {
        Account::open("trader-a", Currency::parse("GBP").expect("valid"))
    }

    #[test]
    fn rule_6_a_balance_secures_at_once_and_too_little_is_short() {
        let mut account = account();
        account
            .pay_in(&pounds("100"), "bank 1", now())
            .expect("paid in");
        assert_eq!(
            account.secure(&pounds("60"), Uuid::nil(), now()),
            Ok(Securing::Secured)
        );
        assert_eq!(
            account.secure(&pounds("60"), Uuid::nil(), now()),
            Ok(Securing::Short)
        );
        assert_eq!((account.available(), account.version), (pounds("40"), 2));
        account
            .charge(&pounds("60"), Uuid::nil(), now())
            .expect("charged");
        assert_eq!(
            (account.balance.clone(), account.secured.clone()),
            (pounds("40"), pounds("0"))
        );
    }

    #[test]
    fn nothing_is_charged_that_was_not_secured() {
        let mut account = account();
        account
            .pay_in(&pounds("100"), "bank 1", now())
            .expect("paid in");
        assert!(account.charge(&pounds("1"), Uuid::nil(), now()).is_err());
        assert_eq!(account.balance, pounds("100"));
    }

    #[test]
    fn another_currency_is_refused() {
        assert!(
            account()
                .pay_in(&Money::parse("1", "EUR").expect("valid"), "", now())
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn rule_6_what_is_available_never_falls_below_zero(steps in prop::collection::vec((0u8..3, 0i64..10_000), 0..200)) {
            let mut account = account();
            let mut secured = Vec::new();
            for (kind, pence) in steps {
                let amount = Money::new(rust_decimal::Decimal::new(pence, 2), Currency::parse("GBP").expect("valid")).expect("fits");
                match kind {
                    0 => account.pay_in(&amount, "r", now()).expect("paid in"),
                    1 => if account.secure(&amount, Uuid::nil(), now()) == Ok(Securing::Secured) { secured.push(amount) },
                    _ => if let Some(amount) = secured.pop() { account.charge(&amount, Uuid::nil(), now()).expect("secured") },
                }
                prop_assert!(!account.available().is_negative());
                prop_assert!(!account.secured.is_negative());
            }
        }
    }
}
