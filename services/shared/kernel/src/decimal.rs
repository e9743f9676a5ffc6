//! How exact decimals are spelled and bounded, for quantities and money alike. It must not know units or
//! currencies.

use rust_decimal::Decimal;

/// Why a number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecimalFault {
    /// Not digits with at most one point between them.
    Spelling,
    /// More digits than allowed, before or after the point.
    TooManyDigits,
}

/// How many digits a number may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DigitsMax {
    pub(crate) integer: u32,
    pub(crate) fraction: u32,
}

impl DigitsMax {
    /// Reads `12`, `12.5` or `-12.5`; no exponent, no plus, no grouping.
    pub(crate) fn parse(self, written: &str) -> Result<Decimal, DecimalFault> {
        let (negative, digits) = match written.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, written),
        };
        let (integer, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(DecimalFault::Spelling),
            Some(parts) => parts,
            None => (digits, ""),
        };
        let scale = u32::try_from(fraction.len()).map_err(|_| DecimalFault::TooManyDigits)?;
        let integer_digits =
            u32::try_from(integer.len()).map_err(|_| DecimalFault::TooManyDigits)?;
        if scale > self.fraction || integer_digits > self.integer {
            return Err(DecimalFault::TooManyDigits);
        }
        let only_digits = |text: &str| text.bytes().all(|character| character.is_ascii_digit());
        if integer.is_empty() || !only_digits(integer) || !only_digits(fraction) {
            return Err(DecimalFault::Spelling);
        }
        let mantissa: i128 = format!("{integer}{fraction}")
            .parse()
            .map_err(|_| DecimalFault::TooManyDigits)?;
        let signed = if negative { -mantissa } else { mantissa };
        let amount = Decimal::try_from_i128_with_scale(signed, scale)
            .map_err(|_| DecimalFault::TooManyDigits)?;
        self.bounded(amount)
    }

    /// The number without trailing zeros, so that equal numbers are spelled alike, if it keeps the limits.
    pub(crate) fn bounded(self, amount: Decimal) -> Result<Decimal, DecimalFault> {
        let amount = amount.normalize();
        let fits = amount.scale() <= self.fraction
            && amount.trunc().mantissa().unsigned_abs() < 10_u128.pow(self.integer);
        if fits {
            Ok(amount)
        } else {
            Err(DecimalFault::TooManyDigits)
        }
    }
}

/// The number times ten to the power of `fraction_digits`, which is at least its scale.
pub(crate) fn scaled(amount: Decimal, fraction_digits: u32) -> i128 {
    amount.mantissa() * 10_i128.pow(fraction_digits.saturating_sub(amount.scale()))
}
