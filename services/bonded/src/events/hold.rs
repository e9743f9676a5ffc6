//! `customs.hold`, `gate.hold` and `release.hold`: of the holds, those on stock lists.

use chassis::event;
use fabric::{Record, Unreadable};
use kernel::StockListNumber;
use prost::Message;
use proto::common::v1 as wire;

use super::list_number;
use crate::app::Input;
use crate::domain::hold::ListHold;

/// Holds of customs and quarantine.
pub const CUSTOMS: &str = "customs.hold";
/// Holds of the terminal and for safety.
pub const GATE: &str = "gate.hold";
/// Commercial, finance and legal holds.
pub const RELEASE: &str = "release.hold";
/// All of them.
pub const TOPICS: [&str; 3] = [CUSTOMS, GATE, RELEASE];

/// The key under which holds on a list are told.
pub fn key(number: &StockListNumber) -> String {
    format!("stock-list/{number}")
}

/// Reads a record.
///
/// # Errors
/// It is no hold event, or one that says something we do not understand.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::HoldEvent::decode(record.payload.clone())?;
    let hold = event::required("hold", event.hold)?;
    let scope = event::required("hold.scope", hold.scope.clone())?;
    match wire::HoldScopeKind::try_from(scope.kind) {
        Ok(wire::HoldScopeKind::StockList) => {}
        Ok(wire::HoldScopeKind::Unspecified) | Err(_) => {
            return Err(Unreadable(format!(
                "hold scope kind {} is not known",
                scope.kind
            )));
        }
        Ok(_) => return Ok(Input::Unneeded),
    }
    let kind = hold
        .kind()
        .as_str_name()
        .trim_start_matches("HOLD_KIND_")
        .to_owned();
    Ok(Input::Hold(ListHold {
        list_number: list_number(&scope.key)?,
        key: (record.topic.clone(), hold.hold_id),
        kind,
        placed_at: event::time("hold.placed_at", hold.placed_at.as_ref())?,
        lifted_at: event::optional_time("hold.lifted_at", hold.lifted_at.as_ref())?,
        placed_by_party: hold.placed_by_party,
        reason: hold.reason,
    }))
}
