//! The domain's values as messages of the API. It must not decide anything.

use chassis::convert::{fault_message, timestamp};
use chrono::{NaiveDate, NaiveTime};
use kernel::{Fault as FilingFault, UnitCode};
use prost_types::Timestamp;
use proto::bonded::v1 as wire;
use proto::common::v1::Quantity;
use rust_decimal::Decimal;

use crate::domain::amount::{Amount, AmountError, Total, Totals, Units};
use crate::domain::book::Book;
use crate::domain::ledger::{CauseKind, Head, Movement};
use crate::domain::line::BookLine;
use crate::domain::verification::{Fault, FaultKind};
use crate::store::stock::StockRow;

/// The answer to a book that was opened.
pub fn opened(opened: &Book) -> wire::OpenBookResponse {
    wire::OpenBookResponse {
        book: Some(book(opened)),
    }
}

/// The answer to a line that was added.
pub fn added(added: &BookLine, warnings: &[FilingFault]) -> wire::AddBookLineResponse {
    wire::AddBookLineResponse {
        line: Some(line(added)),
        warnings: warnings.iter().map(fault_message).collect(),
    }
}

/// The answer to a suspension.
pub fn suspended(suspended: &BookLine) -> wire::SuspendBookLineResponse {
    wire::SuspendBookLineResponse {
        line: Some(line(suspended)),
    }
}

/// A book.
pub fn book(book: &Book) -> wire::Book {
    wire::Book {
        book_number: book.book_number.to_string(),
        version: book.version,
        site_id: book.site_id.clone(),
        trader_party: book.trader_party.clone(),
        state: wire::BookState::Open.into(),
        lines: book.lines,
        head: Some(head(&book.head)),
        opened_at: Some(timestamp(book.opened_at)),
    }
}

/// A line.
pub fn line(line: &BookLine) -> wire::BookLine {
    let suspension = line.suspension.as_ref();
    wire::BookLine {
        book_number: line.id.book_number.to_string(),
        line_number: line.id.line_number,
        version: line.version,
        hs_code: line.hs_code.to_string(),
        goods_description: line.goods_description.clone(),
        units: Some(wire::LineUnits {
            declared: line.units.declared.to_string(),
            statutory_1: line.units.statutory_1.to_string(),
            statutory_2: line.units.statutory_2.to_string(),
        }),
        suspended_for_increase: line.suspended_for_increase,
        suspended_for_decrease: line.suspended_for_decrease,
        suspension_reason: suspension
            .map(|suspension| suspension.reason.clone())
            .unwrap_or_default(),
        suspension_changed_at: suspension.map(|suspension| timestamp(suspension.changed_at)),
        added_at: Some(timestamp(line.added_at)),
    }
}

/// Where a ledger ends.
pub fn head(head: &Head) -> wire::ChainHead {
    wire::ChainHead {
        ordinal: head.ordinal,
        chain: head.chain.to_vec().into(),
        recorded_at: head.recorded_at.map(timestamp),
    }
}

/// A movement.
pub fn movement(movement: &Movement) -> wire::Movement {
    let posting = &movement.posting;
    wire::Movement {
        movement_id: movement.id.to_string(),
        book_number: movement.book_number.to_string(),
        ordinal: movement.ordinal,
        line_number: posting.line_number,
        lot_id: posting.lot_id.clone(),
        total: total(posting.total).into(),
        amount: Some(amount(&posting.amount, &posting.units)),
        cause: Some(wire::MovementCause {
            kind: match posting.cause.kind {
                CauseKind::Opening => wire::CauseKind::Opening,
                CauseKind::ListLine => wire::CauseKind::ListLine,
                CauseKind::Pass => wire::CauseKind::Pass,
                CauseKind::Count => wire::CauseKind::Count,
                CauseKind::Void => wire::CauseKind::Void,
                CauseKind::Reversal => wire::CauseKind::Reversal,
            }
            .into(),
            reference: posting.cause.reference.clone(),
        }),
        effective_at: Some(timestamp(posting.effective_at)),
        recorded_at: Some(timestamp(movement.recorded_at)),
        recorded_by_party: posting.by_party.clone(),
        chain: movement.chain.to_vec().into(),
        reverses_movement_id: posting
            .reverses
            .map(|reversed| reversed.to_string())
            .unwrap_or_default(),
    }
}

/// Stock of a lot or line.
///
/// # Errors
/// The totals cannot be reckoned: they are not what the ledger allows.
pub fn stock(row: &StockRow) -> Result<wire::StockRow, AmountError> {
    Ok(wire::StockRow {
        book_number: row.book_number.clone(),
        trader_party: row.trader_party.clone(),
        site_id: row.site_id.clone(),
        line_number: row.line_number,
        hs_code: row.hs_code.clone(),
        goods_description: row.goods_description.clone(),
        lot: row.lot.as_ref().map(|lot| wire::Lot {
            lot_id: lot.lot_id.clone(),
            entry_date: lot.entry_date.map(midnight),
            storage_until: lot.storage_until.map(midnight),
            list_number: lot.list_number.clone().unwrap_or_default(),
        }),
        totals: Some(totals(&row.totals, &row.held, &row.units)?),
        recorded_at: Some(timestamp(row.recorded_at)),
    })
}

/// The end of a verification.
pub fn verified(head_reached: &Head, fault: Option<&Fault>) -> wire::VerifyChainResponse {
    wire::VerifyChainResponse {
        intact: fault.is_none(),
        movements_verified: head_reached.ordinal,
        head: Some(head(head_reached)),
        broken: fault.map(broken),
    }
}

/// An amount that may be negative.
pub fn signed_quantity(number: Decimal, unit: &UnitCode) -> Quantity {
    Quantity {
        value: number.to_string(),
        unit_code: unit.to_string(),
    }
}

fn broken(fault: &Fault) -> wire::ChainBreak {
    let kind = match fault.kind {
        FaultKind::Ordinal => wire::ChainBreakKind::Ordinal,
        FaultKind::RecordedAt => wire::ChainBreakKind::RecordedAt,
        FaultKind::Content => wire::ChainBreakKind::Content,
        FaultKind::Head => wire::ChainBreakKind::Head,
        FaultKind::KnownHead => wire::ChainBreakKind::KnownHead,
        FaultKind::Balance => wire::ChainBreakKind::Balance,
    };
    wire::ChainBreak {
        kind: kind.into(),
        ordinal: fault.ordinal,
        movement_id: fault
            .movement_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        lot_id: fault.lot_id.clone().unwrap_or_default(),
        description: fault.description(),
    }
}

fn totals(totals: &Totals, held: &Amount, units: &Units) -> Result<wire::StockTotals, AmountError> {
    let stated = |one: &Amount| Some(amount(one, units));
    Ok(wire::StockTotals {
        provisional_increase: stated(&totals.provisional_increase),
        provisional_decrease: stated(&totals.provisional_decrease),
        actual_increase: stated(&totals.actual_increase),
        actual_decrease: stated(&totals.actual_decrease),
        book: stated(&totals.book()?),
        reserved: stated(&totals.provisional_decrease),
        incoming: stated(&totals.provisional_increase),
        available: stated(&totals.available()?.minus(held)?),
        held: stated(held),
    })
}

/// An amount in its units.
pub fn amount(amount: &Amount, units: &Units) -> wire::StockAmount {
    wire::StockAmount {
        declared: Some(signed_quantity(amount.declared, &units.declared)),
        statutory_1: Some(signed_quantity(amount.statutory_1, &units.statutory_1)),
        statutory_2: Some(signed_quantity(amount.statutory_2, &units.statutory_2)),
    }
}

fn total(total: Total) -> wire::StockTotal {
    match total {
        Total::ProvisionalIncrease => wire::StockTotal::ProvisionalIncrease,
        Total::ProvisionalDecrease => wire::StockTotal::ProvisionalDecrease,
        Total::ActualIncrease => wire::StockTotal::ActualIncrease,
        Total::ActualDecrease => wire::StockTotal::ActualDecrease,
    }
}

fn midnight(date: NaiveDate) -> Timestamp {
    timestamp(date.and_time(NaiveTime::MIN).and_utc())
}
