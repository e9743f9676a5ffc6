//! What questions say, read: pages, filters, times. It must not ask the database.

use chassis::PageSize;
use chassis::convert::optional_time;
use chassis::page::decode_page_token;
use kernel::{BookNumber, Fault, Refusal};
use proto::bonded::v1 as wire;
use proto::common::v1::Page;
use serde::de::DeserializeOwned;

use crate::domain::book::not_found;
use crate::domain::ledger::Head;
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
