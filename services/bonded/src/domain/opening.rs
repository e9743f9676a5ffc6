//! Opening stock: what stands on a line when the books are set up. Every opening makes
//! a lot with its entry date and storage limit, and one movement. It must not know
//! where the stock was before.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use kernel::{Quantity, Refusal};
use uuid::Uuid;

use super::Rules;
use super::actor::Actor;
use super::amount::{Amount, Total};
use super::book::{Book, not_found};
use super::desk::{Desk, Entrance};
use super::ledger::{Cause, CauseKind, PostingError};
use super::line::{BookLine, LineId};
use super::lot::Entry;

/// Stock that stands on a line when the books are set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostOpening {
    /// Who takes the stock over: the book's trader.
    pub actor: Actor,
    /// The line.
    pub line: LineId,
    /// Which opening of the line: each is posted once.
    pub reference: String,
    /// When the goods entered the centre.
    pub entry_date: NaiveDate,
    /// How much, in the declared unit.
    pub declared: Quantity,
    /// In the first statutory unit.
    pub statutory_1: Quantity,
    /// In the second statutory unit.
    pub statutory_2: Quantity,
}

impl PostOpening {
    /// Why it is posted.
    pub fn cause(&self) -> Cause {
        Cause {
            kind: CauseKind::Opening,
            reference: self.reference.clone(),
        }
    }
}

/// Decides whether the stock is taken over: gives the book under change, with the new lot and its movement.
/// `posted` says whether its cause was posted before (bonded rule 9).
///
/// # Errors
/// NOT_FOUND, MOVEMENT_POSTED, BOOK_LINE_SUSPENDED, MOVEMENT_INVALID.
pub fn take_over<'a>(
    command: &PostOpening,
    book: Option<&Book>,
    line: Option<&BookLine>,
    posted: bool,
    rules: &Rules,
    ids: &'a (dyn Fn() -> Uuid + Send + Sync),
    now: DateTime<Utc>,
) -> Result<Desk<'a>, Refusal> {
    let book = book
        .filter(|book| command.actor.owns(book))
        .ok_or_else(|| not_found(command.line.book_number.as_str()))?;
    let line = line.ok_or_else(|| Refusal::not_found("book line", command.line.to_string()))?;
    if posted {
        return Err(Refusal::already_exists(
            "MOVEMENT_POSTED",
            format!(
                "{} was posted to line {} before; a cause is posted once.",
                command.cause(),
                line.id
            ),
        ));
    }
    if line.suspended_for_increase {
        return Err(Refusal::unmet(
            "BOOK_LINE_SUSPENDED",
            format!(
                "Line {} is suspended for increase; the operator lifts that.",
                line.id
            ),
            Vec::new(),
        ));
    }
    let amount = Amount::of(
        &command.declared,
        &command.statutory_1,
        &command.statutory_2,
        &line.units,
    )
    .map_err(|error| invalid(&error.into()))?;
    let entry = Entry::on(command.entry_date, rules.storage_limit_months).ok_or_else(|| {
        Refusal::invalid(
            "MOVEMENT_INVALID",
            "The entry date is beyond the calendar; correct it.",
        )
    })?;
    let mut desk = Desk::new(book.clone(), [line.clone()], [], now, ids);
    let lot_id = desk
        .new_lot(line.id.line_number, None, Some(entry))
        .ok_or_else(|| invalid(&PostingError::NoSuchLot))?;
    desk.post(Entrance {
        lot_id: &lot_id,
        total: Total::ActualIncrease,
        amount,
        cause: command.cause(),
        effective_at: command.entry_date.and_time(NaiveTime::MIN).and_utc(),
        by: (&command.actor.party, &command.actor.subject),
        reverses: None,
    })
    .map_err(|error| invalid(&error))?;
    Ok(desk)
}

fn invalid(error: &PostingError) -> Refusal {
    Refusal::invalid("MOVEMENT_INVALID", format!("Nothing was posted: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::book::tests::{rules, trader};
    use crate::domain::ledger::tests::instant;
    use crate::domain::line::tests::line;

    fn opening(reference: &str, kilograms: &str) -> PostOpening {
        let quantity = |amount: &str, unit: &str| Quantity::parse(amount, unit).unwrap();
        PostOpening {
            actor: trader("trader-a"),
            line: LineId::parse("BOOKTRADERA1/1").unwrap(),
            reference: reference.into(),
            entry_date: NaiveDate::from_ymd_opt(2026, 1, 31).unwrap(),
            declared: quantity(kilograms, "KGM"),
            statutory_1: quantity(kilograms, "KGM"),
            statutory_2: quantity("250", "XBX"),
        }
    }

    const IDS: &(dyn Fn() -> Uuid + Send + Sync) = &|| Uuid::from_u128(1);

    fn take(command: &PostOpening, book: &Book, line: &BookLine) -> Result<Desk<'static>, Refusal> {
        take_over(
            command,
            Some(book),
            Some(line),
            false,
            &rules(),
            IDS,
            instant(0),
        )
    }

    #[test]
    fn rule_12_a_lot_carries_its_entry_date_and_the_storage_limit_fixed_at_entry() {
        let (book, line) = line();
        let opened = take(&opening("1", "10000"), &book, &line).unwrap();
        let lot = &opened.lots["BOOKTRADERA1/1/1"];
        assert_eq!(
            lot.lot.entry.unwrap().storage_until,
            NaiveDate::from_ymd_opt(2028, 1, 31).unwrap()
        );
        assert_eq!(
            opened.posted[0].0.posting.effective_at.to_rfc3339(),
            "2026-01-31T00:00:00+00:00"
        );
        assert_eq!(lot.totals.available().unwrap().declared, 10_000.into());
    }

    #[test]
    fn every_opening_makes_a_lot_of_its_own() {
        let (book, line) = line();
        let first = take(&opening("1", "1"), &book, &line).unwrap();
        let second = take(&opening("2", "1"), &first.book, &first.lines[&1]).unwrap();
        assert!(second.lots.contains_key("BOOKTRADERA1/1/2"));
        let (one, other) = (&first.posted[0].0, &second.posted[0].0);
        assert_eq!(
            (other.ordinal, second.book.version),
            (2, first.book.version + 1)
        );
        assert!(other.recorded_at > one.recorded_at);
    }

    #[test]
    fn rule_9_a_cause_is_posted_once() {
        let (book, line) = line();
        let refusal = take_over(
            &opening("1", "1"),
            Some(&book),
            Some(&line),
            true,
            &rules(),
            IDS,
            instant(0),
        )
        .unwrap_err();
        assert_eq!(refusal.reason, "MOVEMENT_POSTED");
    }

    #[test]
    fn rule_7_nothing_is_posted_to_a_line_that_is_suspended_for_increase() {
        let (book, line) = line();
        let suspended = BookLine {
            suspended_for_increase: true,
            ..line
        };
        assert_eq!(
            take(&opening("1", "1"), &book, &suspended)
                .unwrap_err()
                .reason,
            "BOOK_LINE_SUSPENDED"
        );
    }

    #[test]
    fn stock_is_stated_in_the_units_of_its_line_and_has_come_already() {
        let (book, line) = line();
        let other_unit = PostOpening {
            declared: Quantity::parse("1", "NAR").unwrap(),
            ..opening("1", "1")
        };
        assert_eq!(
            take(&other_unit, &book, &line).unwrap_err().reason,
            "MOVEMENT_INVALID"
        );
        let tomorrow = PostOpening {
            entry_date: NaiveDate::from_ymd_opt(2030, 1, 1).unwrap(),
            ..opening("1", "1")
        };
        assert_eq!(
            take(&tomorrow, &book, &line).unwrap_err().reason,
            "MOVEMENT_INVALID"
        );
    }
}
