//! `bonded.book` and `bonded.stock-list`: what bonded says about its books and lists. Every event carries the version
//! of its subject, so that the highest wins.

use chassis::convert::timestamp;
use chrono::{DateTime, Utc};
use fabric::Fact;
use prost::Message;
use proto::bonded::events::v1 as wire;
use proto::bonded::events::v1::book_event;
use proto::common::v1::Quantity;

use crate::domain::book::Book;
use crate::domain::ledger::Movement;
use crate::domain::line::BookLine;
use crate::domain::stock_list::{ListFact, ListFactKind, direction_name};
use crate::grpc::messages::signed_quantity;

/// The topic of books.
pub const BOOK: &str = "bonded.book";
/// The topic of stock lists.
pub const STOCK_LIST: &str = "bonded.stock-list";

/// A book was opened.
pub fn opened(book: &Book) -> Fact {
    let opened = wire::BookOpened {
        site_id: book.site_id.clone(),
    };
    fact(
        "greenlane.bonded.book.opened",
        book,
        book.version,
        book.opened_at,
        book_event::Fact::Opened(opened),
    )
}

/// A line was added, or its suspension changed.
pub fn line_declared(book: &Book, line: &BookLine, recorded_at: DateTime<Utc>) -> Fact {
    let declared = wire::BookLineDeclared {
        line_number: line.id.line_number,
        hs_code: line.hs_code.to_string(),
        goods_description: line.goods_description.clone(),
        suspended_for_increase: line.suspended_for_increase,
        suspended_for_decrease: line.suspended_for_decrease,
    };
    fact(
        "greenlane.bonded.book.line-declared",
        book,
        book.version,
        recorded_at,
        book_event::Fact::LineDeclared(declared),
    )
}

/// A movement was posted, and made this version of the book.
pub fn movement_posted(book: &Book, version: u64, movement: &Movement) -> Fact {
    let posting = &movement.posting;
    let quantity = |number, unit| -> Option<Quantity> { Some(signed_quantity(number, unit)) };
    let posted = wire::MovementPosted {
        movement_id: movement.id.to_string(),
        line_number: posting.line_number,
        lot_id: posting.lot_id.clone(),
        total: posting.total.as_str().to_owned(),
        declared: quantity(posting.amount.declared, &posting.units.declared),
        statutory_1: quantity(posting.amount.statutory_1, &posting.units.statutory_1),
        statutory_2: quantity(posting.amount.statutory_2, &posting.units.statutory_2),
        effective_at: Some(timestamp(posting.effective_at)),
        cause: posting.cause.to_string(),
        chain: movement.chain.to_vec().into(),
    };
    fact(
        "greenlane.bonded.book.movement-posted",
        book,
        version,
        movement.recorded_at,
        book_event::Fact::MovementPosted(posted),
    )
}

/// Which part of its key's state a fact is: a list is told whole, a book by its opening and each of its lines. A
/// movement is no state; what they add up to is asked of this service.
pub fn aspect(fact: &Fact) -> Option<String> {
    if fact.topic == STOCK_LIST {
        return Some(String::new());
    }
    match wire::BookEvent::decode(fact.payload.as_slice())
        .ok()?
        .fact?
    {
        book_event::Fact::Opened(_) => Some(String::new()),
        book_event::Fact::LineDeclared(line) => Some(format!("line/{}", line.line_number)),
        book_event::Fact::MovementPosted(_) => None,
    }
}

fn fact(
    event_type: &'static str,
    book: &Book,
    version: u64,
    recorded_at: DateTime<Utc>,
    what: book_event::Fact,
) -> Fact {
    let event = wire::BookEvent {
        recorded_at: Some(timestamp(recorded_at)),
        book_number: book.book_number.to_string(),
        version,
        trader_party: book.trader_party.clone(),
        fact: Some(what),
    };
    Fact {
        topic: BOOK,
        key: book.book_number.to_string(),
        event_type,
        payload: event.encode_to_vec(),
    }
}

/// Something happened to a stock list.
pub fn stock_list(fact: &ListFact, recorded_at: DateTime<Utc>) -> Fact {
    let list = &fact.list;
    let (event_type, kind) = match fact.kind {
        ListFactKind::Filed => (
            "greenlane.bonded.stock-list.filed",
            wire::StockListFact::Filed,
        ),
        ListFactKind::Approved => (
            "greenlane.bonded.stock-list.approved",
            wire::StockListFact::Approved,
        ),
        ListFactKind::Reserved => (
            "greenlane.bonded.stock-list.reserved",
            wire::StockListFact::Reserved,
        ),
        ListFactKind::VoidAsked => (
            "greenlane.bonded.stock-list.void-asked",
            wire::StockListFact::VoidAsked,
        ),
        ListFactKind::Voided => (
            "greenlane.bonded.stock-list.voided",
            wire::StockListFact::Voided,
        ),
        ListFactKind::VoidTooLate => (
            "greenlane.bonded.stock-list.void-too-late",
            wire::StockListFact::VoidTooLate,
        ),
        ListFactKind::DiscrepancyOpened => (
            "greenlane.bonded.stock-list.discrepancy-opened",
            wire::StockListFact::DiscrepancyOpened,
        ),
        ListFactKind::DiscrepancyResolved => (
            "greenlane.bonded.stock-list.discrepancy-resolved",
            wire::StockListFact::DiscrepancyResolved,
        ),
        ListFactKind::Counted => (
            "greenlane.bonded.stock-list.counted",
            wire::StockListFact::Counted,
        ),
        ListFactKind::ClosedShort => (
            "greenlane.bonded.stock-list.closed-short",
            wire::StockListFact::ClosedShort,
        ),
        ListFactKind::Posted => (
            "greenlane.bonded.stock-list.posted",
            wire::StockListFact::Posted,
        ),
        ListFactKind::Reversed => (
            "greenlane.bonded.stock-list.reversed",
            wire::StockListFact::Reversed,
        ),
    };
    let event = wire::StockListEvent {
        fact: kind.into(),
        observed_at: Some(timestamp(fact.observed_at)),
        recorded_at: Some(timestamp(recorded_at)),
        recorded_by_party: fact.by_party.clone(),
        list: Some(wire::StockList {
            list_number: list.number.to_string(),
            version: list.version,
            site_id: list.site_id.clone(),
            direction: direction_name(list.direction).to_owned(),
            book_number: list.book_number.to_string(),
            trader_party: list.trader_party.clone(),
            filer_party: list.filer_party.clone(),
            declaration_lrn: list.declaration_lrn.to_string(),
            declaration_id: fact.declaration_id.clone().unwrap_or_default(),
            state: list.state.as_str().to_owned(),
            lines: list
                .lines
                .iter()
                .map(|line| wire::StockListLine {
                    line_number: line.number,
                    book_line: line.book_line,
                    declared: Some(signed_quantity(line.amount.declared, &line.units.declared)),
                    statutory_1: Some(signed_quantity(
                        line.amount.statutory_1,
                        &line.units.statutory_1,
                    )),
                    statutory_2: Some(signed_quantity(
                        line.amount.statutory_2,
                        &line.units.statutory_2,
                    )),
                })
                .collect(),
            void_ask_id: list
                .void_ask_id
                .map(|ask| ask.to_string())
                .unwrap_or_default(),
            closed_short: list.closed_short.is_some(),
            unstuffed_at: fact.unstuffed_at.map(timestamp),
        }),
        detail: fact.detail.clone(),
    };
    Fact {
        topic: STOCK_LIST,
        key: list.number.to_string(),
        event_type,
        payload: event.encode_to_vec(),
    }
}
