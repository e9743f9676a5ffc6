//! `bonded.book`: the traders' account books. For notices and timelines only.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::bonded::events::v1::{BookEvent, book_event::Fact};

use crate::app::{Book, Heading, Input};

/// Reads a fact about a book.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = BookEvent::decode(record.payload.clone())?;
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let (fact, detail, observed_at) = match event::required("fact", event.fact)? {
        Fact::Opened(opened) => ("BOOK_OPENED", format!("at {}", opened.site_id), recorded_at),
        Fact::LineDeclared(line) => (
            "BOOK_LINE_DECLARED",
            format!(
                "line {}: {} {}",
                line.line_number, line.hs_code, line.goods_description
            ),
            recorded_at,
        ),
        Fact::MovementPosted(movement) => {
            let quantity = movement.declared.unwrap_or_default();
            let detail = format!(
                "line {}, {}: {} {}, {}",
                movement.line_number,
                movement.total,
                quantity.value,
                quantity.unit_code,
                movement.cause
            );
            (
                "STOCK_MOVEMENT_POSTED",
                detail,
                event::observed(movement.effective_at.as_ref(), recorded_at)?,
            )
        }
    };
    let heading = Heading {
        fact: fact.to_owned(),
        observed_at,
        recorded_at,
        party: event.trader_party.clone(),
        restated: false,
    };
    let book = Book {
        book_number: event::filled("book_number", &event.book_number)?,
        trader_party: event.trader_party,
        detail,
    };
    Ok(Input::Book(heading, book))
}
