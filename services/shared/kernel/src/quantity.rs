//! Exact quantities of goods with their unit. Two quantities meet only in the same unit; nothing here
//! converts one unit into another, and nothing here must know books, lots or declarations.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::decimal::{DecimalFault, DigitsMax, scaled};
use crate::identifier::{FormatError, compact, identifier, is_space};

/// The most digits of a quantity before the point.
pub const QUANTITY_INTEGER_DIGITS_MAX: u32 = 15;
/// The most digits of a quantity after the point.
pub const QUANTITY_FRACTION_DIGITS_MAX: u32 = 6;

const DIGITS_MAX: DigitsMax = DigitsMax {
    integer: QUANTITY_INTEGER_DIGITS_MAX,
    fraction: QUANTITY_FRACTION_DIGITS_MAX,
};

/// An amount of goods, never negative, exact to six digits after the point. Equal amounts are spelled
/// alike: no trailing zeros.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "WrittenQuantity", into = "WrittenQuantity")]
pub struct Quantity {
    amount: Decimal,
    unit: UnitCode,
}

identifier! {
    /// A unit of measure: a code of UN/ECE Recommendation 20 or of a customs authority, two or three letters
    /// or digits (`KGM`, `035`), where the authority has one with a qualifier (`KGM#G`).
    UnitCode, FormatError
}

/// Why something is no quantity, or cannot be reckoned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a plain decimal number.
    #[error(
        "a quantity is digits with at most one point (1250.5), without sign, exponent or grouping"
    )]
    Spelling,
    /// Too many digits for a quantity, given or as a result.
    #[error(
        "a quantity has at most {QUANTITY_INTEGER_DIGITS_MAX} digits before and {QUANTITY_FRACTION_DIGITS_MAX} after the point; check the unit"
    )]
    TooManyDigits,
    /// Less than nothing, given or as a result.
    #[error("a quantity cannot be less than zero; take away no more than there is")]
    Negative,
    /// The unit is no unit code.
    #[error(transparent)]
    Unit(#[from] FormatError),
    /// The two are measured in different units.
    #[error("{found} cannot be reckoned with {expected}; state both in the same unit")]
    UnitsDiffer {
        /// The unit of the first.
        expected: UnitCode,
        /// The unit of the second.
        found: UnitCode,
    },
    /// A share of nothing, or a part larger than its whole.
    #[error("a part must be of a whole above zero and no larger than it")]
    NotAPart,
}

impl Quantity {
    /// A quantity of an amount that is already a number.
    ///
    /// # Errors
    /// The amount is negative or has too many digits.
    pub fn new(amount: Decimal, unit: UnitCode) -> Result<Self, QuantityError> {
        if amount < Decimal::ZERO {
            return Err(QuantityError::Negative);
        }
        Ok(Self {
            amount: DIGITS_MAX.bounded(amount)?,
            unit,
        })
    }

    /// Nothing, in the unit.
    pub fn zero(unit: UnitCode) -> Self {
        Self {
            amount: Decimal::ZERO,
            unit,
        }
    }

    /// Reads an amount (`1250.5`; spaces around it are dropped) and a unit code.
    ///
    /// # Errors
    /// The amount is no plain decimal within the limits, or the unit is none.
    pub fn parse(amount: &str, unit: &str) -> Result<Self, QuantityError> {
        let unit = UnitCode::parse(unit)?;
        Self::new(DIGITS_MAX.parse(amount.trim())?, unit)
    }

    /// How much.
    pub fn amount(&self) -> Decimal {
        self.amount
    }

    /// Of what unit.
    pub fn unit(&self) -> &UnitCode {
        &self.unit
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.amount.is_zero()
    }

    /// Both together.
    ///
    /// # Errors
    /// The units differ, or the sum has too many digits.
    pub fn checked_add(&self, other: &Self) -> Result<Self, QuantityError> {
        self.same_unit(other)?;
        // Within the digits' limits the sum is exact.
        Self::new(self.amount + other.amount, self.unit.clone())
    }

    /// What is left.
    ///
    /// # Errors
    /// The units differ, or there is less than is taken.
    pub fn checked_sub(&self, other: &Self) -> Result<Self, QuantityError> {
        self.same_unit(other)?;
        Self::new(self.amount - other.amount, self.unit.clone())
    }

    /// The share of `total` that `part` has in `whole`, rounded down to six digits after the point: what goes
    /// out in a statutory unit when `part` goes out in the declared one. The last withdrawal takes what is left.
    ///
    /// # Errors
    /// `part` and `whole` differ in unit, the whole is zero, or the part is larger than it.
    pub fn proportion(part: &Self, whole: &Self, total: &Self) -> Result<Self, QuantityError> {
        whole.same_unit(part)?;
        if whole.is_zero() || part.amount > whole.amount {
            return Err(QuantityError::NotAPart);
        }
        let share = share_rounded_down(part.scaled(), whole.scaled(), total.scaled());
        let amount = Decimal::try_from_i128_with_scale(share, QUANTITY_FRACTION_DIGITS_MAX)
            .map_err(|_| QuantityError::TooManyDigits)?;
        Self::new(amount, total.unit.clone())
    }

    fn same_unit(&self, other: &Self) -> Result<(), QuantityError> {
        if self.unit == other.unit {
            return Ok(());
        }
        Err(QuantityError::UnitsDiffer {
            expected: self.unit.clone(),
            found: other.unit.clone(),
        })
    }

    fn scaled(&self) -> i128 {
        scaled(self.amount, QUANTITY_FRACTION_DIGITS_MAX)
    }
}

/// Quantities are ordered only within one unit.
impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.unit == other.unit).then(|| self.amount.cmp(&other.amount))
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.amount, self.unit)
    }
}

impl UnitCode {
    /// Reads a code, in any case.
    ///
    /// # Errors
    /// The code does not have the form.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        compact(written, is_space)
            .filter(|code| is_unit_code(code))
            .map(Self)
            .ok_or(FormatError {
                name: "a unit code",
                format: "two or three letters or digits, with at most a qualifier (KGM, KGM#G)",
            })
    }
}

impl From<DecimalFault> for QuantityError {
    fn from(fault: DecimalFault) -> Self {
        match fault {
            DecimalFault::Spelling => Self::Spelling,
            DecimalFault::TooManyDigits => Self::TooManyDigits,
        }
    }
}

/// A quantity in documents.
#[derive(Serialize, Deserialize)]
struct WrittenQuantity {
    amount: String,
    unit: String,
}

impl TryFrom<WrittenQuantity> for Quantity {
    type Error = QuantityError;

    fn try_from(quantity: WrittenQuantity) -> Result<Self, Self::Error> {
        Self::parse(&quantity.amount, &quantity.unit)
    }
}

impl From<Quantity> for WrittenQuantity {
    fn from(quantity: Quantity) -> Self {
        Self {
            amount: quantity.amount.to_string(),
            unit: quantity.unit.into(),
        }
    }
}

fn is_unit_code(code: &str) -> bool {
    let (code, qualifier) = code.split_once('#').unwrap_or((code, "X"));
    let is_code = |text: &str| {
        text.bytes()
            .all(|character| character.is_ascii_uppercase() || character.is_ascii_digit())
    };
    (2..=3).contains(&code.len()) && qualifier.len() == 1 && is_code(code) && is_code(qualifier)
}

/// `total * part / whole` rounded down, exactly, for a part no larger than its whole and all three below
/// 10^21. The product would not fit, so it is divided as on paper, seven digits of the total at a time:
/// neither product below reaches 10^28.
fn share_rounded_down(part: i128, whole: i128, total: i128) -> i128 {
    const STEP: i128 = 10_000_000;
    let (mut share, mut rest) = (0, 0);
    for digits in [total / STEP / STEP, total / STEP % STEP, total % STEP] {
        let dividend = rest * STEP + part * digits;
        share = share * STEP + dividend / whole;
        rest = dividend % whole;
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kilograms(amount: &str) -> Quantity {
        Quantity::parse(amount, "KGM").expect(amount)
    }

    #[test]
    fn equal_quantities_are_spelled_alike() {
        assert_eq!(kilograms(" 1250.500 ").to_string(), "1250.5 KGM");
        assert_eq!(kilograms("1250.500"), kilograms("01250.5"));
        assert_eq!(kilograms("100").amount().to_string(), "100");
    }

    #[test]
    fn only_plain_decimals_are_quantities() {
        for amount in [
            "", ".", ".5", "5.", "+5", "1e3", "1,5", "1.2.3", "0x1", "５", "--1", "NaN",
        ] {
            assert_eq!(
                Quantity::parse(amount, "KGM"),
                Err(QuantityError::Spelling),
                "{amount}"
            );
        }
        for amount in [
            "1234567890123456",
            "1.1234567",
            "1.0000000",
            &"9".repeat(10_000),
        ] {
            assert_eq!(
                Quantity::parse(amount, "KGM"),
                Err(QuantityError::TooManyDigits),
                "{amount}"
            );
        }
        assert_eq!(Quantity::parse("-1", "KGM"), Err(QuantityError::Negative));
        assert!(Quantity::parse("999999999999999.999999", "KGM").is_ok());
    }

    #[test]
    fn unit_codes_have_two_or_three_characters_and_at_most_a_qualifier() {
        for code in ["KGM", "035", "NE", "ltr", "KGM#G", "TNE#I"] {
            assert!(UnitCode::parse(code).is_ok(), "{code}");
        }
        for code in ["", "K", "KGMX", "KG-", "KGM#", "KGM#GG", "#G", "KGM#G#G"] {
            assert!(UnitCode::parse(code).is_err(), "{code}");
        }
    }

    #[test]
    fn different_units_do_not_meet() {
        let pieces = Quantity::parse("1", "NAR").expect("valid");
        assert!(matches!(
            kilograms("1").checked_add(&pieces),
            Err(QuantityError::UnitsDiffer { .. })
        ));
        assert_eq!(kilograms("1").partial_cmp(&pieces), None);
        assert!(kilograms("1") < kilograms("1.000001"));
    }

    #[test]
    fn no_more_is_taken_than_there_is() {
        assert_eq!(
            kilograms("1").checked_sub(&kilograms("1.000001")),
            Err(QuantityError::Negative)
        );
        assert!(
            kilograms("1")
                .checked_sub(&kilograms("1.000000"))
                .expect("equal")
                .is_zero()
        );
        let most = kilograms("999999999999999.999999");
        assert_eq!(
            most.checked_add(&kilograms("0.000001")),
            Err(QuantityError::TooManyDigits)
        );
    }

    #[test]
    fn a_share_is_rounded_down() {
        let share = Quantity::proportion(
            &kilograms("1"),
            &kilograms("3"),
            &Quantity::parse("10", "NAR").expect("valid"),
        );
        assert_eq!(share.expect("a part").to_string(), "3.333333 NAR");
        let most = kilograms("999999999999999.999999");
        assert_eq!(Quantity::proportion(&most, &most, &most), Ok(most));
        assert_eq!(
            Quantity::proportion(&kilograms("0"), &kilograms("0"), &kilograms("1")),
            Err(QuantityError::NotAPart)
        );
        assert_eq!(
            Quantity::proportion(&kilograms("2"), &kilograms("1"), &kilograms("1")),
            Err(QuantityError::NotAPart)
        );
    }

    fn any_amount() -> impl Strategy<Value = Quantity> {
        (0i128..1_000_000_000_000_000_000_000).prop_map(|millionths| {
            Quantity::new(
                Decimal::from_i128_with_scale(millionths, 6),
                UnitCode("KGM".to_owned()),
            )
            .expect("within limits")
        })
    }

    proptest! {
        #[test]
        fn what_is_added_can_be_taken_away(one in any_amount(), other in any_amount()) {
            if let Ok(sum) = one.checked_add(&other) {
                prop_assert_eq!(sum.checked_sub(&other), Ok(one));
            }
        }

        #[test]
        fn shares_of_all_parts_never_exceed_the_total(one in any_amount(), other in any_amount(), total in any_amount()) {
            if let Ok(whole) = one.checked_add(&other) {
                prop_assume!(!whole.is_zero());
                let first = Quantity::proportion(&one, &whole, &total).expect("a part");
                let second = Quantity::proportion(&other, &whole, &total).expect("a part");
                let left = total.checked_sub(&first.checked_add(&second).expect("fits")).expect("never exceeds");
                prop_assert!(left <= Quantity::parse("0.000001", "KGM").expect("valid"));
                prop_assert_eq!(Quantity::proportion(&whole, &whole, &total), Ok(total));
            }
        }

        #[test]
        fn a_small_share_equals_the_plain_division(part in 0i128..1_000_000_000, more in 1i128..1_000_000_000, total in 0i128..1_000_000_000_000) {
            let whole = part + more;
            prop_assert_eq!(share_rounded_down(part, whole, total), total * part / whole);
        }

        #[test]
        fn spelling_and_reading_agree(quantity in any_amount()) {
            prop_assert_eq!(Quantity::parse(&quantity.amount().to_string(), "KGM"), Ok(quantity));
        }
    }
}
