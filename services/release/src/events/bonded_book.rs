//! `bonded.book`: the traders' account books. For notices and timelines only.

use chassis::event;
use fabric::{Record, Unreadable};
use kernel::StockListNumber;
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
    let (fact, detail, observed_at, list_number) = match event::required("fact", event.fact)? {
        Fact::Opened(opened) => (
            "BOOK_OPENED",
            format!("at {}", opened.site_id),
            recorded_at,
            String::new(),
        ),
        Fact::LineDeclared(line) => (
            "BOOK_LINE_DECLARED",
            format!(
                "line {}: {} {}",
                line.line_number, line.hs_code, line.goods_description
            ),
            recorded_at,
            String::new(),
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
                list_of(&movement.cause),
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
        list_number,
        detail,
    };
    Ok(Input::Book(heading, book))
}

/// The stock list of a cause such as "COUNT QD800026I000000007/1/1"; empty of one that names none, as an opening.
fn list_of(cause: &str) -> String {
    let reference = cause.split_once(' ').map_or("", |(_, reference)| reference);
    let number = reference.split('/').next().unwrap_or_default();
    StockListNumber::parse(number).map_or_else(|_| String::new(), |list| list.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_movement_names_its_list_if_a_list_is_the_cause() {
        for cause in ["LIST_LINE", "PASS", "COUNT", "VOID", "REVERSAL"] {
            let written = format!("{cause} QD800026I000000007/1/1");
            assert_eq!(list_of(&written), "QD800026I000000007");
        }
        for other in ["", "OPENING 1/STOCK-2026", "OPENING", "COUNT /1/1"] {
            assert_eq!(list_of(other), "", "{other}");
        }
    }
}
