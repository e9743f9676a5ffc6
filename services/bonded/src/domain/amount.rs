//! Amounts of goods in the three units of a book line, exact and signed, and the
//! four totals that they add up to. It must not know movements, books or lots.

use kernel::{
    QUANTITY_FRACTION_DIGITS_MAX, QUANTITY_INTEGER_DIGITS_MAX, Quantity, QuantityError, UnitCode,
};
use rust_decimal::Decimal;

/// The three units in which a line is reckoned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    /// The unit in which the goods are declared and counted.
    pub declared: UnitCode,
    /// The first statutory unit.
    pub statutory_1: UnitCode,
    /// The second statutory unit.
    pub statutory_2: UnitCode,
}

/// An amount in the three units of a line; negative in a contra entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// In the declared unit.
    pub declared: Decimal,
    /// In the first statutory unit.
    pub statutory_1: Decimal,
    /// In the second statutory unit.
    pub statutory_2: Decimal,
}

/// Why amounts cannot be reckoned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// More digits than a quantity may have.
    #[error(
        "an amount has at most {QUANTITY_INTEGER_DIGITS_MAX} digits before and {QUANTITY_FRACTION_DIGITS_MAX} after the point; check the unit"
    )]
    TooManyDigits,
    /// A total would fall below zero.
    #[error("the {0} cannot fall below zero; take back no more than was posted")]
    TotalBelowZero(Total),
    /// More would be reserved or taken out than there is.
    #[error("only {available} (declared unit) is available; reserve or take out no more than that")]
    NotAvailable {
        /// What there is, in the declared unit.
        available: Decimal,
    },
    /// A quantity that is stated in another unit than the line's.
    #[error(transparent)]
    Quantity(#[from] QuantityError),
}

/// Which of a lot's four totals is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Total {
    /// Announced to come in.
    ProvisionalIncrease,
    /// Reserved to go out.
    ProvisionalDecrease,
    /// Came in.
    ActualIncrease,
    /// Went out.
    ActualDecrease,
}

/// The four totals of a lot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Announced to come in, not yet here.
    pub provisional_increase: Amount,
    /// Reserved to go out, still here.
    pub provisional_decrease: Amount,
    /// All that ever came in.
    pub actual_increase: Amount,
    /// All that ever went out.
    pub actual_decrease: Amount,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self {
        declared: Decimal::ZERO,
        statutory_1: Decimal::ZERO,
        statutory_2: Decimal::ZERO,
    };

    /// An amount, with equal numbers spelled alike.
    ///
    /// # Errors
    /// A number has more digits than a quantity may have.
    pub fn new(
        declared: Decimal,
        statutory_1: Decimal,
        statutory_2: Decimal,
    ) -> Result<Self, AmountError> {
        Ok(Self {
            declared: bounded(declared)?,
            statutory_1: bounded(statutory_1)?,
            statutory_2: bounded(statutory_2)?,
        })
    }

    /// The amount that three quantities state, if they are in the line's units.
    ///
    /// # Errors
    /// A quantity is in another unit.
    pub fn of(
        declared: &Quantity,
        statutory_1: &Quantity,
        statutory_2: &Quantity,
        units: &Units,
    ) -> Result<Self, AmountError> {
        let stated = |quantity: &Quantity, unit: &UnitCode| {
            Quantity::zero(unit.clone()).checked_add(quantity)
        };
        Self::new(
            stated(declared, &units.declared)?.amount(),
            stated(statutory_1, &units.statutory_1)?.amount(),
            stated(statutory_2, &units.statutory_2)?.amount(),
        )
    }

    /// Both together.
    ///
    /// # Errors
    /// The sum has more digits than a quantity may have.
    pub fn plus(&self, other: &Self) -> Result<Self, AmountError> {
        self.each(other, |one, other| one + other)
    }

    /// What is left without the other; may be negative.
    ///
    /// # Errors
    /// The difference has more digits than a quantity may have.
    pub fn minus(&self, other: &Self) -> Result<Self, AmountError> {
        self.each(other, |one, other| one - other)
    }

    /// What belongs to `declared` of this amount: the statutory quantities in proportion, rounded down; all of
    /// it where it is the whole (rule 5), so that what is taken last leaves nothing behind.
    ///
    /// # Errors
    /// This amount is nothing in the declared unit, or a number has more digits than a quantity may have.
    pub fn share(&self, declared: Decimal) -> Result<Self, AmountError> {
        if declared == self.declared {
            return Ok(*self);
        }
        let share = |total| share(declared, self.declared, total);
        Self::new(declared, share(self.statutory_1)?, share(self.statutory_2)?)
    }

    /// The lesser of both, unit by unit.
    pub fn at_most(&self, other: &Self) -> Self {
        Self {
            declared: self.declared.min(other.declared),
            statutory_1: self.statutory_1.min(other.statutory_1),
            statutory_2: self.statutory_2.min(other.statutory_2),
        }
    }

    /// The opposite: what a contra entry posts.
    pub fn opposite(&self) -> Self {
        let opposite = |number: Decimal| {
            if number.is_zero() {
                Decimal::ZERO
            } else {
                -number
            }
        };
        Self {
            declared: opposite(self.declared),
            statutory_1: opposite(self.statutory_1),
            statutory_2: opposite(self.statutory_2),
        }
    }

    /// Whether it is nothing in every unit.
    pub fn is_zero(&self) -> bool {
        self.numbers().iter().all(Decimal::is_zero)
    }

    /// Whether it is below zero in any unit.
    pub fn is_below_zero(&self) -> bool {
        self.numbers().iter().any(|number| *number < Decimal::ZERO)
    }

    /// The numbers in the order of the units.
    pub fn numbers(&self) -> [Decimal; 3] {
        [self.declared, self.statutory_1, self.statutory_2]
    }

    // Within the digits' limits sums and differences are exact.
    fn each(
        &self,
        other: &Self,
        reckon: impl Fn(Decimal, Decimal) -> Decimal,
    ) -> Result<Self, AmountError> {
        Self::new(
            reckon(self.declared, other.declared),
            reckon(self.statutory_1, other.statutory_1),
            reckon(self.statutory_2, other.statutory_2),
        )
    }
}

impl Totals {
    /// One of the totals.
    pub fn of(&self, total: Total) -> &Amount {
        match total {
            Total::ProvisionalIncrease => &self.provisional_increase,
            Total::ProvisionalDecrease => &self.provisional_decrease,
            Total::ActualIncrease => &self.actual_increase,
            Total::ActualDecrease => &self.actual_decrease,
        }
    }

    /// The totals after a movement.
    ///
    /// # Errors
    /// A total would fall below zero, or more be reserved or taken out than there is.
    pub fn after(&self, total: Total, amount: &Amount) -> Result<Self, AmountError> {
        let moved = self.of(total).plus(amount)?;
        if moved.is_below_zero() {
            return Err(AmountError::TotalBelowZero(total));
        }
        let mut after = *self;
        match total {
            Total::ProvisionalIncrease => after.provisional_increase = moved,
            Total::ProvisionalDecrease => after.provisional_decrease = moved,
            Total::ActualIncrease => after.actual_increase = moved,
            Total::ActualDecrease => after.actual_decrease = moved,
        }
        if after.available()?.is_below_zero() {
            return Err(AmountError::NotAvailable {
                available: self.available()?.declared,
            });
        }
        Ok(after)
    }

    /// What is there: all that came in less all that went out.
    ///
    /// # Errors
    /// The difference has more digits than a quantity may have.
    pub fn book(&self) -> Result<Amount, AmountError> {
        self.actual_increase.minus(&self.actual_decrease)
    }

    /// What of it is promised to nobody. What is yet to come in never counts.
    ///
    /// # Errors
    /// The difference has more digits than a quantity may have.
    pub fn available(&self) -> Result<Amount, AmountError> {
        self.book()?.minus(&self.provisional_decrease)
    }
}

impl Total {
    /// All four.
    pub const ALL: [Self; 4] = [
        Self::ProvisionalIncrease,
        Self::ProvisionalDecrease,
        Self::ActualIncrease,
        Self::ActualDecrease,
    ];

    /// Its name in the ledger, in events and in the chain.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProvisionalIncrease => "PROVISIONAL_INCREASE",
            Self::ProvisionalDecrease => "PROVISIONAL_DECREASE",
            Self::ActualIncrease => "ACTUAL_INCREASE",
            Self::ActualDecrease => "ACTUAL_DECREASE",
        }
    }

    /// The total of this name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|total| total.as_str() == name)
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::ProvisionalIncrease => "provisional increase",
            Self::ProvisionalDecrease => "provisional decrease",
            Self::ActualIncrease => "actual increase",
            Self::ActualDecrease => "actual decrease",
        })
    }
}

/// The share of `total` that `part` has in `whole`. The part may be more than the whole: more came than was
/// listed. Whole multiples are reckoned by themselves, so that nothing grows beyond what a decimal holds.
fn share(part: Decimal, whole: Decimal, total: Decimal) -> Result<Decimal, AmountError> {
    let multiple = part
        .checked_div(whole)
        .ok_or(AmountError::Quantity(QuantityError::NotAPart))?
        .floor();
    let rest = multiple
        .checked_mul(whole)
        .and_then(|multiples| part.checked_sub(multiples))
        .ok_or(AmountError::TooManyDigits)?;
    let unit = UnitCode::parse("NAR").map_err(QuantityError::from)?;
    let quantity = |number| Quantity::new(number, unit.clone());
    let of_rest = Quantity::proportion(&quantity(rest)?, &quantity(whole)?, &quantity(total)?)?;
    multiple
        .checked_mul(total)
        .and_then(|multiples| multiples.checked_add(of_rest.amount()))
        .ok_or(AmountError::TooManyDigits)
}

fn bounded(number: Decimal) -> Result<Decimal, AmountError> {
    let number = number.normalize();
    let limit = Decimal::from(10_u64.pow(QUANTITY_INTEGER_DIGITS_MAX));
    if number.scale() > QUANTITY_FRACTION_DIGITS_MAX || number.abs() >= limit {
        return Err(AmountError::TooManyDigits);
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(declared: i64) -> Amount {
        Amount::new(
            declared.into(),
            (declared * 2).into(),
            (declared * 3).into(),
        )
        .unwrap()
    }

    #[test]
    fn available_is_what_is_there_less_what_is_reserved() {
        let totals = Totals::default()
            .after(Total::ActualIncrease, &amount(10))
            .and_then(|totals| totals.after(Total::ProvisionalDecrease, &amount(4)))
            .and_then(|totals| totals.after(Total::ProvisionalIncrease, &amount(100)))
            .unwrap();
        assert_eq!(totals.book().unwrap(), amount(10));
        assert_eq!(totals.available().unwrap(), amount(6));
    }

    #[test]
    fn rule_1_a_reservation_beyond_what_is_available_is_refused_with_what_is_available() {
        let totals = Totals::default()
            .after(Total::ActualIncrease, &amount(10))
            .and_then(|totals| totals.after(Total::ProvisionalDecrease, &amount(4)))
            .unwrap();
        assert_eq!(
            totals.after(Total::ProvisionalDecrease, &amount(7)),
            Err(AmountError::NotAvailable {
                available: 6.into()
            })
        );
        assert!(totals.after(Total::ProvisionalDecrease, &amount(6)).is_ok());
    }

    #[test]
    fn nothing_is_available_that_is_short_in_one_unit_only() {
        let totals = Totals::default()
            .after(Total::ActualIncrease, &amount(10))
            .unwrap();
        let heavy = Amount::new(1.into(), 21.into(), 1.into()).unwrap();
        assert!(matches!(
            totals.after(Total::ActualDecrease, &heavy),
            Err(AmountError::NotAvailable { .. })
        ));
    }

    #[test]
    fn incoming_goods_are_never_available() {
        let totals = Totals::default()
            .after(Total::ProvisionalIncrease, &amount(10))
            .unwrap();
        assert!(totals.available().unwrap().is_zero());
        assert!(
            totals
                .after(Total::ProvisionalDecrease, &amount(1))
                .is_err()
        );
    }

    #[test]
    fn a_contra_entry_takes_back_no_more_than_was_posted() {
        let totals = Totals::default()
            .after(Total::ProvisionalIncrease, &amount(5))
            .unwrap();
        assert_eq!(
            totals.after(Total::ProvisionalIncrease, &amount(5).opposite()),
            Ok(Totals::default())
        );
        assert_eq!(
            totals.after(Total::ProvisionalIncrease, &amount(6).opposite()),
            Err(AmountError::TotalBelowZero(Total::ProvisionalIncrease))
        );
    }

    #[test]
    fn rule_5_amounts_are_exact_and_bounded() {
        let tenth: Decimal = "0.1".parse().unwrap();
        let sum = (0..10)
            .try_fold(Amount::ZERO, |sum, _| {
                sum.plus(&Amount::new(tenth, tenth, tenth)?)
            })
            .unwrap();
        assert_eq!(sum, Amount::new(1.into(), 1.into(), 1.into()).unwrap());
        let most = Decimal::from(999_999_999_999_999_u64);
        let most = Amount::new(most, most, most).unwrap();
        assert_eq!(most.plus(&most), Err(AmountError::TooManyDigits));
        let fine: Decimal = "0.0000001".parse().unwrap();
        assert_eq!(
            Amount::new(fine, fine, fine),
            Err(AmountError::TooManyDigits)
        );
    }

    #[test]
    fn rule_5_a_share_is_proportional_and_the_whole_is_the_whole() {
        let whole = Amount::new(3.into(), 10.into(), 1.into()).unwrap();
        let one = whole.share(1.into()).unwrap();
        assert_eq!(
            (one.statutory_1, one.statutory_2),
            ("3.333333".parse().unwrap(), "0.333333".parse().unwrap())
        );
        assert_eq!(whole.share(3.into()), Ok(whole));
        let more = whole.share(7.into()).unwrap();
        assert_eq!(
            (more.statutory_1, more.statutory_2),
            ("23.333333".parse().unwrap(), "2.333333".parse().unwrap())
        );
        assert!(Amount::ZERO.share(1.into()).is_err());
    }

    #[test]
    fn an_amount_is_stated_in_the_units_of_its_line() {
        let unit = |code: &str| UnitCode::parse(code).unwrap();
        let units = Units {
            declared: unit("NAR"),
            statutory_1: unit("KGM"),
            statutory_2: unit("NAR"),
        };
        let pieces = Quantity::parse("5", "NAR").unwrap();
        let mass = Quantity::parse("2.5", "KGM").unwrap();
        assert!(Amount::of(&pieces, &mass, &pieces, &units).is_ok());
        assert!(matches!(
            Amount::of(&mass, &mass, &pieces, &units),
            Err(AmountError::Quantity(_))
        ));
    }
}
