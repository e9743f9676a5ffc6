//! Lots: goods of one line that came in together, and from which of them stock goes out (bonded rules 5 and 6).
//! It must not know lists beyond the number by which a lot came.

use std::collections::BTreeSet;

use chrono::{DateTime, Months, NaiveDate, Utc};
use kernel::StockListNumber;
use rust_decimal::Decimal;

use super::amount::{Amount, AmountError, Totals};
use super::line::LineId;

/// Goods of one line that came in together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Its id: "BOOK/LINE/ORDINAL".
    pub lot_id: String,
    /// The line.
    pub line: LineId,
    /// Which lot of the line, from 1.
    pub ordinal: u32,
    /// By which list and line of it the goods came; none at the opening.
    pub origin: Option<(StockListNumber, u32)>,
    /// When they entered and until when they may stay; none while they are only expected.
    pub entry: Option<Entry>,
}

/// The entry of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The date of entry: stock goes out by it, oldest first.
    pub date: NaiveDate,
    /// Until when it may be stored, fixed at entry (rule 12).
    pub storage_until: NaiveDate,
}

/// A lot with its totals. What entered is `actual_increase`, so the unit conversion fixed at entry is kept once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockedLot {
    /// The lot.
    pub lot: Lot,
    /// Its totals.
    pub totals: Totals,
}

/// What is taken out of one lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    /// The lot.
    pub lot_id: String,
    /// How much.
    pub amount: Amount,
}

/// A lot that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The lot.
    pub lot_id: String,
    /// Why.
    pub reason: SkipReason,
    /// What would have been there, in the declared unit.
    pub declared: Decimal,
}

/// Why a lot is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// It has been stored longer than it may.
    PastStorageLimit,
    /// It came by a list that is held.
    Held,
    /// Its line is suspended for decrease.
    LineSuspended,
}

/// What was found for a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// From which lots; as much as there is if it is not enough.
    pub takings: Vec<Taking>,
    /// The lots that were passed over, in their order.
    pub skipped: Vec<Skipped>,
    /// How much there is in lots that may be taken, in the declared unit.
    pub available: Decimal,
}

/// What decides whether a lot may be taken.
#[derive(Clone, Copy, Debug)]
pub struct Conditions<'a> {
    /// Lists under a hold.
    pub held_lists: &'a BTreeSet<StockListNumber>,
    /// The line is suspended for decrease.
    pub line_suspended: bool,
    /// The day.
    pub today: NaiveDate,
}

impl Entry {
    /// An entry on a day, with its limit.
    pub fn on(date: NaiveDate, storage_limit_months: u32) -> Option<Self> {
        let storage_until = date.checked_add_months(Months::new(storage_limit_months))?;
        Some(Self {
            date,
            storage_until,
        })
    }
}

impl StockedLot {
    /// A lot without stock.
    pub fn empty(
        line: &LineId,
        ordinal: u32,
        origin: Option<(StockListNumber, u32)>,
        entry: Option<Entry>,
    ) -> Self {
        Self {
            lot: Lot {
                lot_id: format!("{line}/{ordinal}"),
                line: line.clone(),
                ordinal,
                origin,
                entry,
            },
            totals: Totals::default(),
        }
    }

    /// First in, first out: by entry date, then list, then line of it (rule 6).
    fn turn(&self) -> (Option<Entry>, Option<&(StockListNumber, u32)>, u32) {
        (self.lot.entry, self.lot.origin.as_ref(), self.lot.ordinal)
    }

    /// What is taken when `declared` of what is available is: in proportion to what entered, and all that is left
    /// with the last of it.
    fn part(&self, declared: Decimal) -> Result<Amount, AmountError> {
        let available = self.totals.available()?;
        if declared == available.declared {
            return Ok(available);
        }
        Ok(self
            .totals
            .actual_increase
            .share(declared)?
            .at_most(&available))
    }

    fn skip_reason(&self, conditions: Conditions<'_>) -> Option<SkipReason> {
        let held = self
            .lot
            .origin
            .as_ref()
            .is_some_and(|(list, _)| conditions.held_lists.contains(list));
        let past = self
            .lot
            .entry
            .is_some_and(|entry| entry.storage_until < conditions.today);
        if conditions.line_suspended {
            Some(SkipReason::LineSuspended)
        } else if held {
            Some(SkipReason::Held)
        } else if past {
            Some(SkipReason::PastStorageLimit)
        } else {
            None
        }
    }
}

/// Finds `wanted` (declared unit) in lots of one line: in the order of `named` if any are named, else oldest
/// first. Gives what there is, even if it is not enough.
///
/// # Errors
/// Amounts have more digits than a quantity may have.
pub fn find<'a>(
    lots: impl Iterator<Item = &'a StockedLot>,
    wanted: Decimal,
    named: &[String],
    conditions: Conditions<'_>,
) -> Result<Found, AmountError> {
    let place = |lot: &StockedLot| named.iter().position(|id| *id == lot.lot.lot_id);
    let mut lots: Vec<&StockedLot> = lots
        .filter(|lot| named.is_empty() || place(lot).is_some())
        .collect();
    lots.sort_by(|one, other| (place(one), one.turn()).cmp(&(place(other), other.turn())));
    let mut found = Found {
        takings: Vec::new(),
        skipped: Vec::new(),
        available: Decimal::ZERO,
    };
    let mut missing = wanted;
    for lot in lots {
        let there = lot.totals.available()?.declared;
        if there <= Decimal::ZERO {
            continue;
        }
        if let Some(reason) = lot.skip_reason(conditions) {
            // What stands behind the last lot that is taken was not passed over.
            if missing > Decimal::ZERO {
                found.skipped.push(Skipped {
                    lot_id: lot.lot.lot_id.clone(),
                    reason,
                    declared: there,
                });
            }
            continue;
        }
        found.available += there;
        let part = there.min(missing);
        if part > Decimal::ZERO {
            found.takings.push(Taking {
                lot_id: lot.lot.lot_id.clone(),
                amount: lot.part(part)?,
            });
            missing -= part;
        }
    }
    Ok(found)
}

impl SkipReason {
    /// Its name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PastStorageLimit => "LOT_PAST_STORAGE_LIMIT",
            Self::Held => "LOT_HELD",
            Self::LineSuspended => "BOOK_LINE_SUSPENDED",
        }
    }

    /// Who can change it.
    pub fn who(self) -> &'static str {
        match self {
            Self::Held => "officer",
            Self::PastStorageLimit | Self::LineSuspended => "operator",
        }
    }
}

/// The day of an instant, as lots reckon it: at midnight UTC.
pub fn day(instant: DateTime<Utc>) -> NaiveDate {
    instant.date_naive()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::amount::Total;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn list(serial: u32) -> StockListNumber {
        StockListNumber::parse(&format!("QD800026I{serial:09}")).unwrap()
    }

    fn lot(
        ordinal: u32,
        entered: &str,
        origin: Option<(StockListNumber, u32)>,
        pieces: i64,
    ) -> StockedLot {
        let line = LineId::parse("BOOKTRADERA1/1").unwrap();
        let mut lot = StockedLot::empty(&line, ordinal, origin, Entry::on(date(entered), 24));
        let amount = Amount::new(pieces.into(), (pieces * 10).into(), 7.into()).unwrap();
        lot.totals = lot.totals.after(Total::ActualIncrease, &amount).unwrap();
        lot
    }

    fn take(lots: &[StockedLot], wanted: i64, named: &[&str], held: &[u32]) -> Found {
        let held_lists = held.iter().map(|serial| list(*serial)).collect();
        let conditions = Conditions {
            held_lists: &held_lists,
            line_suspended: false,
            today: date("2026-11-28"),
        };
        let named: Vec<String> = named.iter().map(|id| (*id).to_owned()).collect();
        find(lots.iter(), wanted.into(), &named, conditions).unwrap()
    }

    fn taken(found: &Found) -> Vec<(&str, Decimal)> {
        found
            .takings
            .iter()
            .map(|taking| (taking.lot_id.as_str(), taking.amount.declared))
            .collect()
    }

    #[test]
    fn rule_6_stock_goes_out_by_entry_date_then_list_then_line() {
        let lots = [
            lot(1, "2026-03-01", Some((list(2), 1)), 10),
            lot(2, "2026-03-01", Some((list(1), 2)), 10),
            lot(3, "2026-03-01", Some((list(1), 1)), 10),
            lot(4, "2026-02-01", Some((list(9), 1)), 10),
        ];
        let found = take(&lots, 35, &[], &[]);
        assert_eq!(
            taken(&found),
            [
                ("BOOKTRADERA1/1/4", 10.into()),
                ("BOOKTRADERA1/1/3", 10.into()),
                ("BOOKTRADERA1/1/2", 10.into()),
                ("BOOKTRADERA1/1/1", 5.into())
            ]
        );
    }

    #[test]
    fn rule_6_a_named_lot_is_taken_and_no_other() {
        let lots = [
            lot(1, "2026-01-01", None, 10),
            lot(2, "2026-02-01", None, 10),
        ];
        let found = take(&lots, 12, &["BOOKTRADERA1/1/2"], &[]);
        assert_eq!(taken(&found), [("BOOKTRADERA1/1/2", 10.into())]);
        assert_eq!(found.available, 10.into());
    }

    #[test]
    fn rule_6_lots_past_their_limit_and_held_ones_are_skipped_and_reported() {
        let lots = [
            lot(1, "2024-01-01", None, 10),
            lot(2, "2026-01-01", Some((list(5), 1)), 10),
            lot(3, "2026-02-01", None, 10),
            lot(4, "2024-03-01", None, 10),
        ];
        let found = take(&lots, 4, &[], &[5]);
        assert_eq!(taken(&found), [("BOOKTRADERA1/1/3", 4.into())]);
        assert_eq!(
            found
                .skipped
                .iter()
                .map(|skipped| (skipped.lot_id.as_str(), skipped.reason))
                .collect::<Vec<_>>(),
            [
                ("BOOKTRADERA1/1/1", SkipReason::PastStorageLimit),
                ("BOOKTRADERA1/1/4", SkipReason::PastStorageLimit),
                ("BOOKTRADERA1/1/2", SkipReason::Held),
            ]
        );
        assert_eq!(found.available, 10.into());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn rule_5_a_lot_closes_at_exactly_zero_in_all_three_units(
            entered in (1i64..500, 1i64..500, 1i64..500),
            steps in prop::collection::vec((1i64..200, any::<bool>()), 0..30),
        ) {
            let line = LineId::parse("BOOKTRADERA1/1").unwrap();
            let mut lot = StockedLot::empty(&line, 1, None, Entry::on(date("2026-01-01"), 24));
            let amount = Amount::new(entered.0.into(), entered.1.into(), entered.2.into()).unwrap();
            lot.totals = lot.totals.after(Total::ActualIncrease, &amount).unwrap();
            let mut reserved: Vec<Amount> = Vec::new();
            let withdraw = |lot: &mut StockedLot, reserved: &mut Vec<Amount>, wanted: Decimal| {
                let available = lot.totals.available().unwrap().declared;
                let part = lot.part(wanted.min(available)).unwrap();
                if part.declared > Decimal::ZERO {
                    lot.totals = lot.totals.after(Total::ProvisionalDecrease, &part).unwrap();
                    reserved.push(part);
                }
            };
            for (wanted, void) in steps {
                if void && !reserved.is_empty() {
                    // A reservation is voided: what it held, in all units, is free again.
                    let freed = reserved.swap_remove(usize::try_from(wanted).unwrap() % reserved.len());
                    lot.totals = lot.totals.after(Total::ProvisionalDecrease, &freed.opposite()).unwrap();
                } else {
                    withdraw(&mut lot, &mut reserved, wanted.into());
                }
                let available = lot.totals.available().unwrap();
                prop_assert!(!available.is_below_zero());
                prop_assert!(available.declared > Decimal::ZERO || available.is_zero());
            }
            withdraw(&mut lot, &mut reserved, Decimal::from(1_000));
            for part in reserved {
                lot.totals = lot.totals.after(Total::ProvisionalDecrease, &part.opposite()).unwrap();
                lot.totals = lot.totals.after(Total::ActualDecrease, &part).unwrap();
            }
            prop_assert!(lot.totals.book().unwrap().is_zero());
        }
    }
}
