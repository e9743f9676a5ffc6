//! Exact amounts of money in one currency. Nothing here converts currencies, and nothing here must know
//! duties or accounts.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::decimal::{DecimalFault, DigitsMax, scaled};
use crate::identifier::{FormatError, compact, identifier, is_space};

/// The most digits of an amount of money before the point.
pub const MONEY_INTEGER_DIGITS_MAX: u32 = 15;
/// The most digits of an amount of money after the point: a billionth, as on the wire.
pub const MONEY_FRACTION_DIGITS_MAX: u32 = 9;

const DIGITS_MAX: DigitsMax = DigitsMax {
    integer: MONEY_INTEGER_DIGITS_MAX,
    fraction: MONEY_FRACTION_DIGITS_MAX,
};
const NANOS_PER_UNIT: i128 = 10_i128.pow(MONEY_FRACTION_DIGITS_MAX);

/// An amount of money, which may be negative, exact to a billionth of its unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "WrittenMoney", into = "WrittenMoney")]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

identifier! {
    /// A currency: three letters (ISO 4217).
    Currency, FormatError
}

/// What becomes of the part of an amount below the minor unit. Which one applies is the authority's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rounding {
    /// It is dropped: 1.019 and 1.011 are 1.01, -1.019 is -1.01.
    Truncate,
    /// A half and more counts, away from zero: 1.005 is 1.01, -1.005 is -1.01.
    HalfUp,
    /// A half goes to the even neighbour: 1.005 is 1.00, 1.015 is 1.02.
    HalfEven,
}

/// Why something is no amount of money, or cannot be reckoned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain decimal number.
    #[error(
        "an amount is digits with at most one point and a minus before it (1250.50), without exponent or grouping"
    )]
    Spelling,
    /// Too many digits for an amount, given or as a result.
    #[error(
        "an amount has at most {MONEY_INTEGER_DIGITS_MAX} digits before and {MONEY_FRACTION_DIGITS_MAX} after the point; check it and its factors"
    )]
    TooManyDigits,
    /// Units and nanos of different sign, or more nanos than make a unit.
    #[error("units and nanos must have the same sign, and nanos must stay below a whole unit")]
    Nanos,
    /// The currency is no currency code.
    #[error(transparent)]
    Currency(#[from] FormatError),
    /// The two are of different currencies.
    #[error("{found} cannot be reckoned with {expected}; convert one of them first")]
    CurrenciesDiffer {
        /// The currency of the first.
        expected: Currency,
        /// The currency of the second.
        found: Currency,
    },
}

impl Money {
    /// Money of an amount that is already a number.
    ///
    /// # Errors
    /// The amount has too many digits.
    pub fn new(amount: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        Ok(Self {
            amount: DIGITS_MAX.bounded(amount)?,
            currency,
        })
    }

    /// None, in the currency.
    pub fn zero(currency: Currency) -> Self {
        Self {
            amount: Decimal::ZERO,
            currency,
        }
    }

    /// Reads an amount (`-1250.50`; spaces around it are dropped) and a currency code.
    ///
    /// # Errors
    /// The amount is no plain decimal within the limits, or the currency is none.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, MoneyError> {
        let currency = Currency::parse(currency)?;
        Self::new(DIGITS_MAX.parse(amount.trim())?, currency)
    }

    /// Money as it travels: whole units, and billionths of one with the same sign.
    ///
    /// # Errors
    /// The signs differ, the nanos make a unit or more, or there are too many units.
    pub fn from_units_nanos(
        units: i64,
        nanos: i32,
        currency: Currency,
    ) -> Result<Self, MoneyError> {
        let (units, nanos) = (i128::from(units), i128::from(nanos));
        if nanos.abs() >= NANOS_PER_UNIT || units.signum() * nanos.signum() < 0 {
            return Err(MoneyError::Nanos);
        }
        Self::of_scaled(
            units * NANOS_PER_UNIT + nanos,
            MONEY_FRACTION_DIGITS_MAX,
            currency,
        )
    }

    /// Whole units, and billionths of one with the same sign.
    pub fn units_nanos(&self) -> (i64, i32) {
        let nanos = scaled(self.amount, MONEY_FRACTION_DIGITS_MAX);
        // Fifteen and nine digits fit by the limits every amount keeps.
        let units = i64::try_from(nanos / NANOS_PER_UNIT).unwrap_or_default();
        (
            units,
            i32::try_from(nanos % NANOS_PER_UNIT).unwrap_or_default(),
        )
    }

    /// How much.
    pub fn amount(&self) -> Decimal {
        self.amount
    }

    /// Of which currency.
    pub fn currency(&self) -> &Currency {
        &self.currency
    }

    /// Whether it is none.
    pub fn is_zero(&self) -> bool {
        self.amount.is_zero()
    }

    /// Whether it is less than none.
    pub fn is_negative(&self) -> bool {
        self.amount < Decimal::ZERO
    }

    /// Both together.
    ///
    /// # Errors
    /// The currencies differ, or the sum has too many digits.
    pub fn checked_add(&self, other: &Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        // Within the digits' limits sum and difference are exact.
        Self::new(self.amount + other.amount, self.currency.clone())
    }

    /// The difference, which may be negative.
    ///
    /// # Errors
    /// The currencies differ, or the difference has too many digits.
    pub fn checked_sub(&self, other: &Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Self::new(self.amount - other.amount, self.currency.clone())
    }

    /// The amount times a factor (a rate of duty), rounded once, from the exact product, to the minor unit.
    ///
    /// # Errors
    /// The exact product, or its result, has too many digits.
    pub fn times(&self, factor: Decimal, rounding: Rounding) -> Result<Self, MoneyError> {
        let factor = factor.normalize();
        let product = self
            .amount
            .mantissa()
            .checked_mul(factor.mantissa())
            .ok_or(MoneyError::TooManyDigits)?;
        self.rounded(product, self.amount.scale() + factor.scale(), rounding)
    }

    /// The amount rounded to the currency's minor unit.
    ///
    /// # Errors
    /// Rounding up gave one digit more than allowed.
    pub fn round_to_minor(&self, rounding: Rounding) -> Result<Self, MoneyError> {
        self.rounded(self.amount.mantissa(), self.amount.scale(), rounding)
    }

    fn rounded(&self, mantissa: i128, scale: u32, rounding: Rounding) -> Result<Self, MoneyError> {
        let minor = self.currency.minor_digits();
        let Some(surplus) = scale.checked_sub(minor) else {
            return Self::of_scaled(mantissa, scale, self.currency.clone());
        };
        let divisor = 10_i128
            .checked_pow(surplus)
            .ok_or(MoneyError::TooManyDigits)?;
        Self::of_scaled(
            rounding.divide(mantissa, divisor),
            minor,
            self.currency.clone(),
        )
    }

    fn of_scaled(mantissa: i128, scale: u32, currency: Currency) -> Result<Self, MoneyError> {
        let amount = Decimal::try_from_i128_with_scale(mantissa, scale)
            .map_err(|_| MoneyError::TooManyDigits)?;
        Self::new(amount, currency)
    }

    fn same_currency(&self, other: &Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::CurrenciesDiffer {
            expected: self.currency.clone(),
            found: other.currency.clone(),
        })
    }
}

/// Amounts are ordered only within one currency.
impl PartialOrd for Money {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.currency == other.currency).then(|| self.amount.cmp(&other.amount))
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut amount = self.amount;
        amount.rescale(amount.scale().max(self.currency.minor_digits()));
        write!(formatter, "{amount} {}", self.currency)
    }
}

impl Currency {
    /// Reads a code, in any case. Only its form is checked.
    ///
    /// # Errors
    /// The code is not three letters.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        compact(written, is_space)
            .filter(|code| {
                code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase())
            })
            .map(Self)
            .ok_or(FormatError {
                name: "a currency",
                format: "three letters (CNY, GBP)",
            })
    }

    /// How many digits after the point the currency's minor unit has (ISO 4217, list one).
    pub fn minor_digits(&self) -> u32 {
        match self.as_str() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF"
            | "UGX" | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        }
    }
}

impl Rounding {
    /// The quotient by a positive divisor, rounded to a whole number.
    fn divide(self, dividend: i128, divisor: i128) -> i128 {
        let (quotient, rest) = (dividend / divisor, (dividend % divisor).abs());
        // Compared with what is missing to the next whole number, so that doubling cannot overflow.
        let half = rest.cmp(&(divisor - rest));
        let away = match self {
            Self::Truncate => false,
            Self::HalfUp => half.is_ge(),
            Self::HalfEven => half.is_gt() || (half.is_eq() && quotient % 2 != 0),
        };
        if away {
            quotient + dividend.signum()
        } else {
            quotient
        }
    }
}

impl From<DecimalFault> for MoneyError {
    fn from(fault: DecimalFault) -> Self {
        match fault {
            DecimalFault::Spelling => Self::Spelling,
            DecimalFault::TooManyDigits => Self::TooManyDigits,
        }
    }
}

/// Money in documents.
#[derive(Serialize, Deserialize)]
struct WrittenMoney {
    amount: String,
    currency: String,
}

impl TryFrom<WrittenMoney> for Money {
    type Error = MoneyError;

    fn try_from(money: WrittenMoney) -> Result<Self, Self::Error> {
        Self::parse(&money.amount, &money.currency)
    }
}

impl From<Money> for WrittenMoney {
    fn from(money: Money) -> Self {
        Self {
            amount: money.amount.to_string(),
            currency: money.currency.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pounds(amount: &str) -> Money {
        Money::parse(amount, "GBP").expect(amount)
    }

    #[test]
    fn an_amount_is_shown_with_its_minor_unit() {
        assert_eq!(pounds("40").to_string(), "40.00 GBP");
        assert_eq!(pounds("40.1234").to_string(), "40.1234 GBP");
        assert_eq!(
            Money::parse("40", "jpy").expect("valid").to_string(),
            "40 JPY"
        );
        assert_eq!(pounds("-0.00").to_string(), "0.00 GBP");
    }

    #[test]
    fn only_plain_decimals_are_amounts() {
        for amount in ["", "-", "--1", "+1", "1e3", "1,50", "1.", ".5", "1 000"] {
            assert_eq!(
                Money::parse(amount, "GBP"),
                Err(MoneyError::Spelling),
                "{amount}"
            );
        }
        assert_eq!(
            Money::parse("1000000000000000", "GBP"),
            Err(MoneyError::TooManyDigits)
        );
        assert_eq!(
            Money::parse("0.1234567891", "GBP"),
            Err(MoneyError::TooManyDigits)
        );
        assert!(matches!(
            Money::parse("1", "POUND"),
            Err(MoneyError::Currency(_))
        ));
    }

    #[test]
    fn the_rounding_decides_below_the_minor_unit() {
        for (amount, truncate, half_up, half_even) in [
            ("1.005", "1.00", "1.01", "1.00"),
            ("1.015", "1.01", "1.02", "1.02"),
            ("1.0051", "1.00", "1.01", "1.01"),
            ("1.019", "1.01", "1.02", "1.02"),
            ("1.004999999", "1.00", "1.00", "1.00"),
            ("-1.005", "-1.00", "-1.01", "-1.00"),
            ("-1.019", "-1.01", "-1.02", "-1.02"),
            ("7", "7", "7", "7"),
        ] {
            for (rounding, expected) in [
                (Rounding::Truncate, truncate),
                (Rounding::HalfUp, half_up),
                (Rounding::HalfEven, half_even),
            ] {
                assert_eq!(
                    pounds(amount).round_to_minor(rounding),
                    Ok(pounds(expected)),
                    "{amount} {rounding:?}"
                );
            }
        }
    }

    #[test]
    fn currencies_differ_in_their_minor_unit() {
        let rounded = |currency| {
            Money::parse("1.2345", currency)
                .and_then(|money| money.round_to_minor(Rounding::Truncate))
        };
        assert_eq!(rounded("JPY"), Money::parse("1", "JPY"));
        assert_eq!(rounded("GBP"), Money::parse("1.23", "GBP"));
        assert_eq!(rounded("KWD"), Money::parse("1.234", "KWD"));
    }

    #[test]
    fn a_rate_is_applied_exactly_and_rounded_once() {
        let rate = |digits| Decimal::from_i128_with_scale(digits, 3);
        assert_eq!(
            pounds("100.01").times(rate(45), Rounding::Truncate),
            Ok(pounds("4.50"))
        );
        assert_eq!(
            pounds("100.11").times(rate(50), Rounding::HalfUp),
            Ok(pounds("5.01"))
        );
        assert_eq!(
            pounds("100.10").times(rate(50), Rounding::HalfEven),
            Ok(pounds("5.00"))
        );
        assert_eq!(
            pounds("999999999999999").times(Decimal::MAX, Rounding::Truncate),
            Err(MoneyError::TooManyDigits)
        );
    }

    #[test]
    fn different_currencies_do_not_meet() {
        let yuan = Money::parse("1", "CNY").expect("valid");
        assert!(matches!(
            pounds("1").checked_add(&yuan),
            Err(MoneyError::CurrenciesDiffer { .. })
        ));
        assert_eq!(pounds("1").partial_cmp(&yuan), None);
    }

    #[test]
    fn units_and_nanos_of_different_sign_are_refused() {
        let pound = || Currency::parse("GBP").expect("valid");
        assert_eq!(
            Money::from_units_nanos(1, -1, pound()),
            Err(MoneyError::Nanos)
        );
        assert_eq!(
            Money::from_units_nanos(0, 1_000_000_000, pound()),
            Err(MoneyError::Nanos)
        );
        assert_eq!(
            Money::from_units_nanos(i64::MAX, 0, pound()),
            Err(MoneyError::TooManyDigits)
        );
        assert_eq!(
            Money::from_units_nanos(-1, -500_000_000, pound()),
            Ok(pounds("-1.5"))
        );
        assert_eq!(
            Money::from_units_nanos(0, i32::MIN, pound()),
            Err(MoneyError::Nanos)
        );
    }

    fn any_amount() -> impl Strategy<Value = Money> {
        (-999_999_999_999_999_999_999_999i128..1_000_000_000_000_000_000_000_000).prop_map(
            |nanos| {
                Money::new(
                    Decimal::from_i128_with_scale(nanos, 9),
                    Currency("GBP".to_owned()),
                )
                .expect("within limits")
            },
        )
    }

    proptest! {
        #[test]
        fn units_and_nanos_carry_every_amount(money in any_amount()) {
            let (units, nanos) = money.units_nanos();
            prop_assert_eq!(Money::from_units_nanos(units, nanos, money.currency().clone()), Ok(money));
        }

        #[test]
        fn what_is_added_can_be_taken_away(one in any_amount(), other in any_amount()) {
            if let Ok(sum) = one.checked_add(&other) {
                prop_assert_eq!(sum.checked_sub(&other), Ok(one));
            }
        }

        #[test]
        fn rounding_moves_less_than_a_minor_unit(money in any_amount(), which in 0usize..3) {
            let rounding = [Rounding::Truncate, Rounding::HalfUp, Rounding::HalfEven][which];
            if let Ok(rounded) = money.round_to_minor(rounding) {
                let moved = (rounded.amount() - money.amount()).abs();
                let most = if rounding == Rounding::Truncate { Decimal::new(999_999_999, 11) } else { Decimal::new(5, 3) };
                prop_assert!(moved <= most, "{} moved to {}", money, rounded);
                prop_assert_eq!(rounded.round_to_minor(rounding), Ok(rounded));
            }
        }
    }
}
