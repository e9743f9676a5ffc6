//! bonded.stock-list: whose goods stand aside at the bonded centre, or have left it.

use chassis::convert;
use fabric::Unreadable;
use kernel::{Direction, Lrn, StockListNumber};
use prost::Message;
use proto::bonded::events::v1::{StockListEvent, StockListFact};

use crate::domain::stock_list::{ListState, StockList};

/// Reads a record.
///
/// # Errors
/// A fact or state that customs does not know, a number that is none.
pub fn read(payload: &[u8]) -> Result<StockList, Unreadable> {
    let event = StockListEvent::decode(payload)?;
    if event.fact() == StockListFact::Unspecified {
        return Err(Unreadable(format!(
            "fact {} of a stock list is not known",
            event.fact
        )));
    }
    let list = event
        .list
        .ok_or_else(|| Unreadable("the event names no list".to_owned()))?;
    let number = StockListNumber::parse(&list.list_number)
        .map_err(|error| Unreadable(format!("list {}: {error}", list.list_number)))?;
    let declaration_lrn = Some(list.declaration_lrn.as_str())
        .filter(|lrn| !lrn.is_empty())
        .map(Lrn::parse)
        .transpose()
        .map_err(|error| {
            Unreadable(format!(
                "reference {} of a stock list: {error}",
                list.declaration_lrn
            ))
        })?;
    let state = ListState::parse(&list.state)
        .ok_or_else(|| Unreadable(format!("state {} of a stock list is not known", list.state)))?;
    let time = |field, written| {
        convert::optional_time(field, written).map_err(|fault| Unreadable(fault.description))
    };
    let told_at = match time("observed_at", event.observed_at.as_ref())? {
        Some(observed) => Some(observed),
        None => time("recorded_at", event.recorded_at.as_ref())?,
    };
    let reserved = state.is_reserved() && number.direction() == Direction::Out;
    if reserved && told_at.is_none() {
        return Err(Unreadable("the event says no time".to_owned()));
    }
    Ok(StockList {
        number,
        version: list.version,
        site_id: list.site_id,
        trader: list.trader_party,
        declaration_lrn,
        state,
        reserved_at: told_at.filter(|_| reserved),
    })
}
