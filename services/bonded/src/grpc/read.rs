//! What questions say, read: pages, filters, times. It must not ask the database.

use chassis::PageSize;
use chassis::convert::{optional_time, quantity};
use chassis::page::decode_page_token;
use kernel::{BookNumber, Direction, Fault, Refusal, StockListNumber};
use proto::bonded::v1 as wire;
use proto::common::v1::Page;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::domain::actor::Actor;
use crate::domain::book::not_found;
use crate::domain::discrepancy::Resolution;
use crate::domain::ledger::Head;
use crate::domain::list_commands::{Change, ChangeStockList, Target, reason};
use crate::domain::list_filing::{FileStockList, WrittenList, WrittenListLine};
use crate::domain::stock_list::{self, ListState, direction_name};
use crate::store::stock::{StockKey, StockQuery};

/// The size of a page and the key that it begins behind.
pub fn page<K: DeserializeOwned>(
    page: Option<&Page>,
    rows_default: u32,
    rows_max: u32,
) -> Result<(PageSize, Option<K>), Refusal> {
    let (size, token) = page.map_or((0, ""), |page| (page.page_size, page.page_token.as_str()));
    Ok((
        PageSize::parse(size, rows_default, rows_max)?,
        decode_page_token(token)?,
    ))
}

/// A filter; empty text is none.
pub fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A line to filter by; 0 is none, and one beyond the ledger's numbers finds nothing.
pub fn line_filter(line_number: u32) -> Option<i32> {
    (line_number != 0).then(|| i32::try_from(line_number).unwrap_or(i32::MAX))
}

/// The book that is asked for; what can be no book's number is no book.
pub fn book_number(written: &str) -> Result<BookNumber, Refusal> {
    BookNumber::parse(written).map_err(|_| not_found(written))
}

/// What stock is asked for.
pub fn stock_query(
    message: &wire::GetStockRequest,
    size: PageSize,
    after: Option<StockKey>,
) -> Result<StockQuery, Refusal> {
    let mut faults = Vec::new();
    let book_number = match given(&message.book_number) {
        None => None,
        Some(written) => Some(book_number(&written)?.to_string()),
    };
    if message.line_number != 0 && book_number.is_none() {
        faults.push(Fault::new(
            "LINE_WITHOUT_BOOK",
            "line_number",
            message.line_number.to_string(),
            "a line belongs to a book",
            "Name the book too.",
        ));
    }
    let mut time = |path, time| {
        optional_time(path, time).unwrap_or_else(|fault| {
            faults.push(fault);
            None
        })
    };
    let effective_at = time("effective_at", message.effective_at.as_ref());
    let recorded_at = time("recorded_at", message.recorded_at.as_ref());
    let by_lot = match wire::StockDetail::try_from(message.detail) {
        Ok(wire::StockDetail::Unspecified | wire::StockDetail::Lot) => true,
        Ok(wire::StockDetail::Line) => false,
        Err(_) => {
            faults.push(Fault::new(
                "STOCK_DETAIL_UNKNOWN",
                "detail",
                message.detail.to_string(),
                "LOT or LINE",
                "Leave it out, or ask for lots or lines.",
            ));
            true
        }
    };
    if !faults.is_empty() {
        return Err(Refusal::invalid(
            "STOCK_QUERY_INVALID",
            "The question cannot be answered as it was asked; correct every fault.",
        )
        .with_faults(faults));
    }
    Ok(StockQuery {
        book_number,
        line_number: line_filter(message.line_number),
        trader_party: given(&message.trader_party),
        by_lot,
        include_empty: message.include_empty,
        effective_at,
        recorded_at,
        after: after.unwrap_or_default(),
        rows: size.rows_to_read(),
    })
}

/// A head that the caller kept.
pub fn known_head(message: &wire::ChainHead) -> Result<Head, Refusal> {
    let chain = message.chain.as_ref().try_into().map_err(|_| {
        Refusal::invalid(
            "CHAIN_HEAD_INVALID",
            "A chain value has 32 bytes; give the head as GetBook or VerifyChain gave it.",
        )
        .with_fault(Fault::new(
            "CHAIN_HEAD_INVALID",
            "known_head.chain",
            format!("{} bytes", message.chain.len()),
            "SHA-256",
            "Give the 32 bytes as they were given to you.",
        ))
    })?;
    Ok(Head {
        ordinal: message.ordinal,
        chain,
        recorded_at: None,
    })
}

/// A list as it is filed.
pub fn filing(
    actor: Actor,
    message: &wire::FileStockListRequest,
) -> Result<FileStockList, Refusal> {
    let lines = message.lines.iter().enumerate().map(|(index, line)| {
        let path = |field: &str| format!("lines[{index}].{field}");
        let statutory = |field: &str, quantity_given: &Option<_>| {
            quantity_given
                .as_ref()
                .map(|given| quantity(&path(field), Some(given)))
        };
        WrittenListLine {
            book_line: line.book_line,
            declared: quantity(&path("declared"), line.declared.as_ref()),
            statutory: [
                statutory("statutory_1", &line.statutory_1),
                statutory("statutory_2", &line.statutory_2),
            ],
            lot_ids: line.lot_ids.iter().map(String::as_str).collect(),
        }
    });
    let written = WrittenList {
        direction: direction(message.direction),
        book_number: &message.book_number,
        declaration_lrn: &message.declaration_lrn,
        declaration_filer_party: &message.declaration_filer_party,
        lines: lines.collect(),
    };
    FileStockList::read(actor, message.validate_only, written)
}

/// A change of the list of this number.
pub fn change(
    actor: Actor,
    list: &str,
    expected_version: u64,
    change: Change,
) -> Result<ChangeStockList, Refusal> {
    Ok(ChangeStockList {
        actor,
        target: Target::List(list_number(list)?),
        expected_version: (expected_version != 0).then_some(expected_version),
        change,
    })
}

/// What was counted.
pub fn counts(message: &wire::RecordReceiptCountRequest) -> Result<Change, Refusal> {
    let mut faults = Vec::new();
    let mut counts = Vec::new();
    for (index, count) in message.counts.iter().enumerate() {
        match quantity(&format!("counts[{index}].counted"), count.counted.as_ref()) {
            Ok(counted) => counts.push((count.line_number, counted)),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(Refusal::invalid(
            "COUNT_INVALID",
            "Nothing was recorded: give each counted line once, in its declared unit.",
        )
        .with_faults(faults));
    }
    Ok(Change::Count { counts })
}

/// How a discrepancy is to be settled.
pub fn resolution(
    actor: Actor,
    message: &wire::ResolveDiscrepancyRequest,
) -> Result<ChangeStockList, Refusal> {
    let id = Uuid::parse_str(&message.discrepancy_id)
        .map_err(|_| Refusal::not_found("discrepancy", message.discrepancy_id.as_str()))?;
    let resolution = match wire::DiscrepancyResolution::try_from(message.resolution) {
        Ok(wire::DiscrepancyResolution::PostPassed) => Resolution::PostPassed,
        Ok(wire::DiscrepancyResolution::PostCounted) => Resolution::PostCounted,
        _ => {
            return Err(Refusal::invalid(
                "RESOLUTION_INVALID",
                "Say POST_PASSED or POST_COUNTED; a difference that is explained is over by itself once the pass is corrected or the line is counted again.",
            )
            .with_fault(Fault::new(
                "RESOLUTION_INVALID",
                "resolution",
                message.resolution.to_string(),
                "POST_PASSED or POST_COUNTED",
                "Choose one of them.",
            )));
        }
    };
    Ok(ChangeStockList {
        actor,
        target: Target::Discrepancy(id),
        expected_version: (message.expected_version != 0).then_some(message.expected_version),
        change: Change::Resolve {
            resolution,
            reason: reason(&message.reason)?,
        },
    })
}

/// The list that is asked for; what can be no list's number is no list.
pub fn list_number(written: &str) -> Result<StockListNumber, Refusal> {
    StockListNumber::parse(written).map_err(|_| stock_list::not_found(written))
}

/// A direction that was said.
pub fn direction(value: i32) -> Option<Direction> {
    match wire::StockListDirection::try_from(value) {
        Ok(wire::StockListDirection::Increase) => Some(Direction::In),
        Ok(wire::StockListDirection::Decrease) => Some(Direction::Out),
        _ => None,
    }
}

/// A direction to filter by, as the tables name it.
pub fn direction_filter(value: i32) -> Option<&'static str> {
    direction(value).map(direction_name)
}

/// A state to filter by, as the tables name it; one that there is not finds nothing.
pub fn state_filter(value: i32) -> Option<&'static str> {
    let state = match wire::StockListState::try_from(value) {
        Ok(wire::StockListState::Unspecified) => return None,
        Ok(wire::StockListState::Filed) => ListState::Filed,
        Ok(wire::StockListState::Approved) => ListState::Approved,
        Ok(wire::StockListState::Reserved) => ListState::Reserved,
        Ok(wire::StockListState::VoidAsked) => ListState::VoidAsked,
        Ok(wire::StockListState::Voided) => ListState::Voided,
        Ok(wire::StockListState::Posted) => ListState::Posted,
        Ok(wire::StockListState::Reversed) => ListState::Reversed,
        Err(_) => return Some(""),
    };
    Some(state.as_str())
}
