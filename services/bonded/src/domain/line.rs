//! Lines of an account book: one kind of goods each, reckoned in three units, open or
//! suspended for increase and for decrease (bonded rule 7). It must not know movements.

use chrono::{DateTime, Utc};
use kernel::{BookNumber, Fault, HsCode, Refusal, Text, UnitCode};

use super::actor::Actor;
use super::amount::Units;
use super::book::{Book, LINES_PER_BOOK_MAX, not_found};

/// The longest description of goods, in characters.
pub const GOODS_DESCRIPTION_CHARS_MAX: usize = 512;
/// The longest reason for a suspension, in characters.
pub const REASON_CHARS_MAX: usize = 512;

/// A line, by its book and number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineId {
    /// The book.
    pub book_number: BookNumber,
    /// Its number within the book, from 1.
    pub line_number: u32,
}

/// One kind of goods in a book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookLine {
    /// Which.
    pub id: LineId,
    /// Grows by one with every change of the line.
    pub version: u64,
    /// HS code.
    pub hs_code: HsCode,
    /// What the goods are.
    pub goods_description: String,
    /// The units in which it is reckoned.
    pub units: Units,
    /// No increase is accepted.
    pub suspended_for_increase: bool,
    /// No decrease is accepted.
    pub suspended_for_decrease: bool,
    /// Why the suspension stands as it does; none if it was never touched.
    pub suspension: Option<Suspension>,
    /// How many lots it ever had: the ordinal of the last one.
    pub lots: u32,
    /// When it was added.
    pub added_at: DateTime<Utc>,
    /// The party that added it.
    pub added_by_party: String,
    /// The person or machine.
    pub added_by_subject: String,
}

/// The last change of a line's suspension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// Why.
    pub reason: String,
    /// When.
    pub changed_at: DateTime<Utc>,
    /// The party.
    pub by_party: String,
    /// The person.
    pub by_subject: String,
}

/// A trader adds a line to its book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddBookLine {
    /// Who asks.
    pub actor: Actor,
    /// Nothing is to be written.
    pub validate_only: bool,
    /// The book.
    pub book_number: BookNumber,
    /// HS code.
    pub hs_code: HsCode,
    /// What the goods are.
    pub goods_description: String,
    /// The units in which it is reckoned.
    pub units: Units,
}

/// The operator sets a line's suspension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspendBookLine {
    /// Who asks.
    pub actor: Actor,
    /// The line.
    pub line: LineId,
    /// Whether increases are refused from now on.
    pub for_increase: bool,
    /// Whether decreases are refused from now on.
    pub for_decrease: bool,
    /// Why.
    pub reason: String,
    /// The version that the operator has seen; none: not checked.
    pub expected_version: Option<u64>,
}

/// What a filing says about a line, as it was written.
#[derive(Clone, Copy, Debug)]
pub struct WrittenLine<'a> {
    /// The book.
    pub book_number: &'a str,
    /// HS code.
    pub hs_code: &'a str,
    /// What the goods are.
    pub goods_description: &'a str,
    /// The declared unit.
    pub unit_declared: &'a str,
    /// The first statutory unit.
    pub unit_statutory_1: &'a str,
    /// The second statutory unit.
    pub unit_statutory_2: &'a str,
}

impl AddBookLine {
    /// Reads what was filed.
    ///
    /// # Errors
    /// BOOK_LINE_INVALID with every fault.
    pub fn read(
        actor: Actor,
        validate_only: bool,
        written: WrittenLine<'_>,
    ) -> Result<Self, Refusal> {
        let mut faults = Vec::new();
        let book_number = BookNumber::parse(written.book_number).map_err(|error| {
            faults.push(Fault::new(
                "BOOK_NUMBER_FORM",
                "book_number",
                written.book_number,
                "twelve letters or digits",
                error.to_string(),
            ))
        });
        let hs_code = HsCode::parse(written.hs_code).map_err(|error| {
            faults.push(Fault::new(
                "HS_CODE_FORM",
                "hs_code",
                written.hs_code,
                "Harmonized System",
                error.to_string(),
            ))
        });
        let goods_description = Text::parse(written.goods_description, GOODS_DESCRIPTION_CHARS_MAX)
            .map_err(|error| {
                faults.push(Fault::new(
                    "GOODS_DESCRIPTION_TEXT",
                    "goods_description",
                    written.goods_description,
                    "one line of text",
                    error.to_string(),
                ));
            });
        let mut unit = |path: &str, code: &str| {
            UnitCode::parse(code).map_err(|error| {
                faults.push(Fault::new(
                    "UNIT_CODE_FORM",
                    path,
                    code,
                    "UN/ECE recommendation 20",
                    error.to_string(),
                ))
            })
        };
        let declared = unit("units.declared", written.unit_declared);
        let statutory_1 = unit("units.statutory_1", written.unit_statutory_1);
        let statutory_2 = unit("units.statutory_2", written.unit_statutory_2);
        match (
            book_number,
            hs_code,
            goods_description,
            declared,
            statutory_1,
            statutory_2,
        ) {
            (
                Ok(book_number),
                Ok(hs_code),
                Ok(goods_description),
                Ok(declared),
                Ok(statutory_1),
                Ok(statutory_2),
            ) => Ok(Self {
                actor,
                validate_only,
                book_number,
                hs_code,
                goods_description,
                units: Units {
                    declared,
                    statutory_1,
                    statutory_2,
                },
            }),
            _ => Err(invalid(faults)),
        }
    }

    /// What does not stop the line and should be looked at.
    pub fn warnings(&self) -> Vec<Fault> {
        if self.hs_code.known_heading() {
            return Vec::new();
        }
        vec![Fault::new(
            "HS_HEADING_UNKNOWN",
            "hs_code",
            self.hs_code.as_str(),
            "Harmonized System",
            "The first six digits are in no edition that we know; check them, for editions differ.",
        )]
    }
}

impl SuspendBookLine {
    /// Reads what was asked.
    ///
    /// # Errors
    /// NOT_FOUND for what can be no line, BOOK_LINE_INVALID for a faulty reason.
    pub fn read(
        actor: Actor,
        line: (&str, u32),
        (for_increase, for_decrease): (bool, bool),
        reason: &str,
        expected_version: u64,
    ) -> Result<Self, Refusal> {
        let line = LineId::read(line.0, line.1)?;
        let reason = Text::parse(reason, REASON_CHARS_MAX).map_err(|error| {
            invalid(vec![Fault::new(
                "REASON_TEXT",
                "reason",
                reason,
                "one line of text",
                error.to_string(),
            )])
        })?;
        let expected_version = (expected_version != 0).then_some(expected_version);
        Ok(Self {
            actor,
            line,
            for_increase,
            for_decrease,
            reason,
            expected_version,
        })
    }
}

/// Decides whether the line is added: gives the book and the line after it.
///
/// # Errors
/// NOT_FOUND for a book that is not the actor's own, BOOK_FULL.
pub fn add(
    command: &AddBookLine,
    book: Option<&Book>,
    now: DateTime<Utc>,
) -> Result<(Book, BookLine), Refusal> {
    let book = book
        .filter(|book| command.actor.owns(book))
        .ok_or_else(|| not_found(command.book_number.as_str()))?;
    if book.lines >= LINES_PER_BOOK_MAX {
        return Err(Refusal::exhausted(
            "BOOK_FULL",
            format!(
                "Book {} has {LINES_PER_BOOK_MAX} lines, as many as a book may have; open another.",
                book.book_number
            ),
        )
        .with_resource("book", book.book_number.as_str()));
    }
    let line = BookLine {
        id: LineId {
            book_number: book.book_number.clone(),
            line_number: book.lines + 1,
        },
        version: 1,
        hs_code: command.hs_code.clone(),
        goods_description: command.goods_description.clone(),
        units: command.units.clone(),
        suspended_for_increase: false,
        suspended_for_decrease: false,
        suspension: None,
        lots: 0,
        added_at: now,
        added_by_party: command.actor.party.clone(),
        added_by_subject: command.actor.subject.clone(),
    };
    let book = Book {
        lines: line.id.line_number,
        version: book.version + 1,
        ..book.clone()
    };
    Ok((book, line))
}

/// What comes of setting a suspension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspended {
    /// It stands so already.
    AlreadyApplied(BookLine),
    /// The book and the line after it.
    Changed(Box<Book>, BookLine),
}

/// Decides whether the suspension is set.
///
/// # Errors
/// NOT_FOUND for a line that is not at the operator's centre, STALE_VERSION.
pub fn suspend(
    command: &SuspendBookLine,
    book: Option<&Book>,
    line: Option<&BookLine>,
    now: DateTime<Utc>,
) -> Result<Suspended, Refusal> {
    let book = book
        .filter(|book| command.actor.operates(book))
        .ok_or_else(|| not_found(command.line.book_number.as_str()))?;
    let line = line.ok_or_else(|| Refusal::not_found("book line", command.line.to_string()))?;
    if command
        .expected_version
        .is_some_and(|expected| expected != line.version)
    {
        return Err(Refusal::stale(line.version).with_resource("book line", line.id.to_string()));
    }
    if (line.suspended_for_increase, line.suspended_for_decrease)
        == (command.for_increase, command.for_decrease)
    {
        return Ok(Suspended::AlreadyApplied(line.clone()));
    }
    let line = BookLine {
        version: line.version + 1,
        suspended_for_increase: command.for_increase,
        suspended_for_decrease: command.for_decrease,
        suspension: Some(Suspension {
            reason: command.reason.clone(),
            changed_at: now,
            by_party: command.actor.party.clone(),
            by_subject: command.actor.subject.clone(),
        }),
        ..line.clone()
    };
    let book = Book {
        version: book.version + 1,
        ..book.clone()
    };
    Ok(Suspended::Changed(Box::new(book), line))
}

impl LineId {
    /// A line as it is asked for.
    ///
    /// # Errors
    /// NOT_FOUND for what can be no line.
    pub fn read(book_number: &str, line_number: u32) -> Result<Self, Refusal> {
        let book_number = BookNumber::parse(book_number).map_err(|_| not_found(book_number))?;
        if !(1..=LINES_PER_BOOK_MAX).contains(&line_number) {
            return Err(Refusal::not_found(
                "book line",
                format!("{book_number}/{line_number}"),
            ));
        }
        Ok(Self {
            book_number,
            line_number,
        })
    }

    /// The line of this key, as [`LineId`] spells it.
    pub fn parse(key: &str) -> Option<Self> {
        let (book_number, line_number) = key.split_once('/')?;
        Some(Self {
            book_number: BookNumber::parse(book_number).ok()?,
            line_number: line_number.parse().ok()?,
        })
    }
}

impl std::fmt::Display for LineId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.book_number, self.line_number)
    }
}

fn invalid(faults: Vec<Fault>) -> Refusal {
    Refusal::invalid(
        "BOOK_LINE_INVALID",
        "The line cannot be taken as it was filed; correct every fault and file it again.",
    )
    .with_faults(faults)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::book::tests::{book, operator, trader};
    use crate::domain::ledger::tests::instant;

    const WRITTEN: WrittenLine<'static> = WrittenLine {
        book_number: "BOOKTRADERA1",
        hs_code: "0714.10.00",
        goods_description: "Manioc (cassava)",
        unit_declared: "KGM",
        unit_statutory_1: "KGM",
        unit_statutory_2: "XBX",
    };

    pub(crate) fn line() -> (Book, BookLine) {
        let command = AddBookLine::read(trader("trader-a"), false, WRITTEN).unwrap();
        add(&command, Some(&book()), instant(0)).unwrap()
    }

    fn suspension(for_increase: bool, for_decrease: bool) -> SuspendBookLine {
        SuspendBookLine::read(
            operator("GUOYUAN-BLC"),
            ("BOOKTRADERA1", 1),
            (for_increase, for_decrease),
            "stock-taking",
            0,
        )
        .unwrap()
    }

    #[test]
    fn lines_are_numbered_in_the_order_in_which_they_come() {
        let (book, first) = line();
        assert_eq!((first.id.line_number, book.lines, book.version), (1, 1, 2));
        let command = AddBookLine::read(trader("trader-a"), false, WRITTEN).unwrap();
        let (_, second) = add(&command, Some(&book), instant(1)).unwrap();
        assert_eq!(second.id.to_string(), "BOOKTRADERA1/2");
        assert_eq!(LineId::parse("BOOKTRADERA1/2"), Some(second.id));
    }

    #[test]
    fn all_faults_of_a_line_are_told_at_once() {
        let written = WrittenLine {
            hs_code: "12",
            goods_description: " ",
            unit_declared: "kilogram",
            unit_statutory_2: "",
            ..WRITTEN
        };
        let refusal = AddBookLine::read(trader("trader-a"), false, written).unwrap_err();
        let faults: Vec<_> = refusal
            .faults
            .iter()
            .map(|fault| (fault.code.as_str(), fault.path.as_str()))
            .collect();
        assert_eq!(
            faults,
            [
                ("HS_CODE_FORM", "hs_code"),
                ("GOODS_DESCRIPTION_TEXT", "goods_description"),
                ("UNIT_CODE_FORM", "units.declared"),
                ("UNIT_CODE_FORM", "units.statutory_2"),
            ]
        );
    }

    #[test]
    fn an_unknown_heading_warns_and_does_not_stop_the_line() {
        let written = WrittenLine {
            hs_code: "012345",
            ..WRITTEN
        };
        let command = AddBookLine::read(trader("trader-a"), false, written).unwrap();
        assert_eq!(
            command
                .warnings()
                .first()
                .map(|warning| warning.code.as_str()),
            Some("HS_HEADING_UNKNOWN")
        );
        assert!(add(&command, Some(&book()), instant(0)).is_ok());
    }

    #[test]
    fn nobody_but_its_trader_adds_a_line_to_a_book() {
        for actor in [trader("trader-b"), operator("GUOYUAN-BLC")] {
            let command = AddBookLine::read(actor, false, WRITTEN).unwrap();
            assert_eq!(
                add(&command, Some(&book()), instant(0)).unwrap_err().reason,
                "NOT_FOUND"
            );
        }
    }

    #[test]
    fn a_full_book_takes_no_line() {
        let full = Book {
            lines: LINES_PER_BOOK_MAX,
            ..book()
        };
        let command = AddBookLine::read(trader("trader-a"), false, WRITTEN).unwrap();
        assert_eq!(
            add(&command, Some(&full), instant(0)).unwrap_err().reason,
            "BOOK_FULL"
        );
    }

    #[test]
    fn rule_7_a_line_is_suspended_for_increase_for_decrease_or_for_both() {
        let (book, mut line) = line();
        for flags in [(true, false), (true, true), (false, true), (false, false)] {
            let Ok(Suspended::Changed(_, changed)) = suspend(
                &suspension(flags.0, flags.1),
                Some(&book),
                Some(&line),
                instant(1),
            ) else {
                panic!("{flags:?} changes nothing");
            };
            assert_eq!(
                (
                    changed.suspended_for_increase,
                    changed.suspended_for_decrease
                ),
                flags
            );
            assert_eq!(changed.version, line.version + 1);
            line = changed;
        }
    }

    #[test]
    fn a_suspension_that_stands_is_left_as_it_is() {
        let (book, line) = line();
        let outcome = suspend(
            &suspension(false, false),
            Some(&book),
            Some(&line),
            instant(1),
        );
        assert_eq!(outcome, Ok(Suspended::AlreadyApplied(line)));
    }

    #[test]
    fn only_the_operator_of_the_centre_suspends_and_on_the_version_it_has_seen() {
        let (book, line) = line();
        for actor in [trader("trader-a"), operator("GUOYUAN-PORT")] {
            let command = SuspendBookLine {
                actor,
                ..suspension(true, false)
            };
            assert_eq!(
                suspend(&command, Some(&book), Some(&line), instant(1))
                    .unwrap_err()
                    .reason,
                "NOT_FOUND"
            );
        }
        let stale = SuspendBookLine {
            expected_version: Some(7),
            ..suspension(true, false)
        };
        let refusal = suspend(&stale, Some(&book), Some(&line), instant(1)).unwrap_err();
        assert_eq!(refusal.reason, "STALE_VERSION");
        assert_eq!(
            refusal.metadata.get("current_version").map(String::as_str),
            Some("1")
        );
    }

    #[test]
    fn a_suspension_without_a_reason_is_refused() {
        let refusal = SuspendBookLine::read(
            operator("GUOYUAN-BLC"),
            ("BOOKTRADERA1", 1),
            (true, true),
            " ",
            0,
        )
        .unwrap_err();
        assert_eq!(refusal.reason, "BOOK_LINE_INVALID");
    }
}
