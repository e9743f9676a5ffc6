//! `bonded.stock-list`: increases and decreases of bonded stock, on which their goods move.

use chassis::event;
use fabric::{Record, Unreadable};
use kernel::StockListNumber;
use prost::Message;
use proto::bonded::events::v1 as bonded;

use super::wire;
use crate::app::{Heading, Input, ListHeard};
use crate::domain::stock_list::{Filed, ListStanding};
use crate::domain::version::Version;

/// Reads a fact about a list.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = bonded::StockListEvent::decode(record.payload.clone())?;
    let fact: bonded::StockListFact = event::known("fact", event.fact)?;
    let list = event::required("list", event.list)?;
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let heading = Heading {
        fact: wire::fact_name(fact.as_str_name())?,
        observed_at: event::observed(event.observed_at.as_ref(), recorded_at)?,
        recorded_at,
        party: event.recorded_by_party,
        restated: false,
    };
    let standing = ListStanding::of_name(&list.state).ok_or_else(|| {
        Unreadable(format!(
            "the state {:?} is not known to this version; upgrade it and retry the record",
            list.state
        ))
    })?;
    let heard = ListHeard {
        list_number: list_number(&list.list_number)?,
        filed: Filed {
            version: Version::new(record.epoch, list.version),
            event_id: record.event_id.clone(),
            recorded_at,
            site_id: list.site_id,
            trader_party: list.trader_party,
            filer_party: list.filer_party,
            declaration_lrn: list.declaration_lrn,
            standing,
        },
        book_number: list.book_number,
        detail: event.detail,
    };
    Ok(Input::StockList(heading, Box::new(heard)))
}

/// The number of a list.
///
/// # Errors
/// If it is none.
pub fn list_number(text: &str) -> Result<StockListNumber, Unreadable> {
    StockListNumber::parse(text).map_err(|error| Unreadable(format!("list_number: {error}")))
}
