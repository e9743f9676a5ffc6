//! Rows as the domain's values, explicitly. A row that cannot be one was written by
//! something else than this service, and is an error of the database.

use chrono::{DateTime, Utc};
use kernel::{BookNumber, HsCode, UnitCode};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::domain::amount::{Amount, Total, Totals, Units};
use crate::domain::book::Book;
use crate::domain::ledger::{Cause, CauseKind, Chain, Head, Movement, Posting};
use crate::domain::line::{BookLine, LineId, Suspension};

/// Why a row is none of the domain's values.
#[derive(Debug, thiserror::Error)]
#[error("{table} {key}: {column} cannot be read; it was not written by this service")]
pub struct UnreadableRow {
    pub table: &'static str,
    pub key: String,
    pub column: &'static str,
}

impl From<UnreadableRow> for sqlx::Error {
    fn from(error: UnreadableRow) -> Self {
        sqlx::Error::Decode(Box::new(error))
    }
}

/// A row of `book`.
pub struct BookRow {
    pub book_number: String,
    pub version: i64,
    pub site_id: String,
    pub trader_party: String,
    pub lines: i32,
    pub head_ordinal: i64,
    pub head_chain: Vec<u8>,
    pub head_recorded_at: Option<DateTime<Utc>>,
    pub clock_at: Option<DateTime<Utc>>,
    pub opened_at: DateTime<Utc>,
    pub opened_by_party: String,
    pub opened_by_subject: String,
}

impl TryFrom<BookRow> for Book {
    type Error = UnreadableRow;

    fn try_from(row: BookRow) -> Result<Self, UnreadableRow> {
        let unreadable = |column| UnreadableRow {
            table: "book",
            key: row.book_number.clone(),
            column,
        };
        Ok(Self {
            book_number: BookNumber::parse(&row.book_number)
                .map_err(|_| unreadable("book_number"))?,
            version: unsigned(row.version).ok_or_else(|| unreadable("version"))?,
            lines: u32::try_from(row.lines).map_err(|_| unreadable("lines"))?,
            head: Head {
                ordinal: unsigned(row.head_ordinal).ok_or_else(|| unreadable("head_ordinal"))?,
                chain: chain(&row.head_chain).ok_or_else(|| unreadable("head_chain"))?,
                recorded_at: row.head_recorded_at,
            },
            clock: row.clock_at.max(row.head_recorded_at),
            site_id: row.site_id,
            trader_party: row.trader_party,
            opened_at: row.opened_at,
            opened_by_party: row.opened_by_party,
            opened_by_subject: row.opened_by_subject,
        })
    }
}

/// A row of `book_line`.
pub struct LineRow {
    pub book_number: String,
    pub line_number: i32,
    pub version: i64,
    pub hs_code: String,
    pub goods_description: String,
    pub unit_declared: String,
    pub unit_statutory_1: String,
    pub unit_statutory_2: String,
    pub suspended_for_increase: bool,
    pub suspended_for_decrease: bool,
    pub suspension_reason: Option<String>,
    pub suspension_changed_at: Option<DateTime<Utc>>,
    pub suspension_changed_by_party: Option<String>,
    pub suspension_changed_by_subject: Option<String>,
    pub lots: i32,
    pub added_at: DateTime<Utc>,
    pub added_by_party: String,
    pub added_by_subject: String,
}

impl TryFrom<LineRow> for BookLine {
    type Error = UnreadableRow;

    fn try_from(row: LineRow) -> Result<Self, UnreadableRow> {
        let unreadable = |column| UnreadableRow {
            table: "book_line",
            key: format!("{}/{}", row.book_number, row.line_number),
            column,
        };
        Ok(Self {
            id: LineId {
                book_number: BookNumber::parse(&row.book_number)
                    .map_err(|_| unreadable("book_number"))?,
                line_number: u32::try_from(row.line_number)
                    .map_err(|_| unreadable("line_number"))?,
            },
            version: unsigned(row.version).ok_or_else(|| unreadable("version"))?,
            hs_code: HsCode::parse(&row.hs_code).map_err(|_| unreadable("hs_code"))?,
            units: units(
                &row.unit_declared,
                &row.unit_statutory_1,
                &row.unit_statutory_2,
            )
            .ok_or_else(|| unreadable("units"))?,
            lots: u32::try_from(row.lots).map_err(|_| unreadable("lots"))?,
            goods_description: row.goods_description,
            suspended_for_increase: row.suspended_for_increase,
            suspended_for_decrease: row.suspended_for_decrease,
            suspension: row.suspension_changed_at.map(|changed_at| Suspension {
                reason: row.suspension_reason.unwrap_or_default(),
                changed_at,
                by_party: row.suspension_changed_by_party.unwrap_or_default(),
                by_subject: row.suspension_changed_by_subject.unwrap_or_default(),
            }),
            added_at: row.added_at,
            added_by_party: row.added_by_party,
            added_by_subject: row.added_by_subject,
        })
    }
}

/// A row of `movement`.
pub struct MovementRow {
    pub movement_id: Uuid,
    pub book_number: String,
    pub ordinal: i64,
    pub line_number: i32,
    pub lot_id: String,
    pub total: String,
    pub declared: Decimal,
    pub statutory_1: Decimal,
    pub statutory_2: Decimal,
    pub unit_declared: String,
    pub unit_statutory_1: String,
    pub unit_statutory_2: String,
    pub cause_kind: String,
    pub cause_reference: String,
    pub effective_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    pub recorded_by_party: String,
    pub recorded_by_subject: String,
    pub reverses_movement_id: Option<Uuid>,
    pub chain: Vec<u8>,
}

impl TryFrom<MovementRow> for Movement {
    type Error = UnreadableRow;

    fn try_from(row: MovementRow) -> Result<Self, UnreadableRow> {
        let unreadable = |column| UnreadableRow {
            table: "movement",
            key: row.movement_id.to_string(),
            column,
        };
        let posting = Posting {
            line_number: u32::try_from(row.line_number).map_err(|_| unreadable("line_number"))?,
            total: Total::parse(&row.total).ok_or_else(|| unreadable("total"))?,
            amount: Amount::new(row.declared, row.statutory_1, row.statutory_2)
                .map_err(|_| unreadable("declared"))?,
            units: units(
                &row.unit_declared,
                &row.unit_statutory_1,
                &row.unit_statutory_2,
            )
            .ok_or_else(|| unreadable("units"))?,
            cause: Cause {
                kind: CauseKind::parse(&row.cause_kind).ok_or_else(|| unreadable("cause_kind"))?,
                reference: row.cause_reference,
            },
            lot_id: row.lot_id,
            effective_at: row.effective_at,
            by_party: row.recorded_by_party,
            by_subject: row.recorded_by_subject,
            reverses: row.reverses_movement_id,
        };
        Ok(Self {
            id: row.movement_id,
            book_number: BookNumber::parse(&row.book_number)
                .map_err(|_| unreadable("book_number"))?,
            ordinal: unsigned(row.ordinal).ok_or_else(|| unreadable("ordinal"))?,
            recorded_at: row.recorded_at,
            chain: chain(&row.chain).ok_or_else(|| unreadable("chain"))?,
            posting,
        })
    }
}

/// Three numbers as the database keeps them, spelled alike where they are equal.
pub fn amount([declared, statutory_1, statutory_2]: [Decimal; 3]) -> Amount {
    Amount {
        declared: declared.normalize(),
        statutory_1: statutory_1.normalize(),
        statutory_2: statutory_2.normalize(),
    }
}

/// Numbers of the four totals in the order of [`Total::ALL`].
pub fn totals(numbers: [[Decimal; 3]; 4]) -> Totals {
    let [
        provisional_increase,
        provisional_decrease,
        actual_increase,
        actual_decrease,
    ] = numbers.map(amount);
    Totals {
        provisional_increase,
        provisional_decrease,
        actual_increase,
        actual_decrease,
    }
}

/// Three unit codes.
pub fn units(declared: &str, statutory_1: &str, statutory_2: &str) -> Option<Units> {
    Some(Units {
        declared: UnitCode::parse(declared).ok()?,
        statutory_1: UnitCode::parse(statutory_1).ok()?,
        statutory_2: UnitCode::parse(statutory_2).ok()?,
    })
}

/// An unreadable set of units in a row of stock.
pub fn unreadable_units(book_number: &str, line_number: i32) -> UnreadableRow {
    UnreadableRow {
        table: "book_line",
        key: format!("{book_number}/{line_number}"),
        column: "units",
    }
}

/// As the database keeps it.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// As the database keeps it.
pub fn signed_number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// As the domain counts.
pub fn unsigned(value: i64) -> Option<u64> {
    u64::try_from(value).ok()
}

fn chain(bytes: &[u8]) -> Option<Chain> {
    bytes.try_into().ok()
}
