//! `bonded.book`: what bonded says about its books. Every event carries the book's
//! version, so that the highest wins.

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
use crate::grpc::messages::signed_quantity;

/// The topic.
pub const BOOK: &str = "bonded.book";

/// A book was opened.
pub fn opened(book: &Book) -> Fact {
    let opened = wire::BookOpened {
        site_id: book.site_id.clone(),
    };
    fact(
        "greenlane.bonded.book.opened",
        book,
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
        recorded_at,
        book_event::Fact::LineDeclared(declared),
    )
}

/// A movement was posted.
pub fn movement_posted(book: &Book, movement: &Movement) -> Fact {
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
        movement.recorded_at,
        book_event::Fact::MovementPosted(posted),
    )
}

fn fact(
    event_type: &'static str,
    book: &Book,
    recorded_at: DateTime<Utc>,
    what: book_event::Fact,
) -> Fact {
    let event = wire::BookEvent {
        recorded_at: Some(timestamp(recorded_at)),
        book_number: book.book_number.to_string(),
        version: book.version,
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
