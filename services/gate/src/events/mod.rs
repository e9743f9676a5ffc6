//! Gate's side of the exchange of facts: `publish` makes public events of what was decided; one file per
//! consumed topic reads a record into an input. No decision is made here.

mod bonded_stock_list;
mod customs_clearance;
mod customs_declaration;
mod customs_party;
mod hold;
pub mod publish;
mod release_decision;

use chrono::{DateTime, Utc};
use fabric::{Record, Unreadable};

use crate::app::Input;
use crate::domain::hold::Keeper;
use crate::domain::knowledge::Told;

/// Reads a record of a consumed topic.
///
/// # Errors
/// What cannot be understood parks its key.
pub fn decode(record: &Record) -> Result<Input, Unreadable> {
    match record.topic.as_str() {
        "customs.party" => customs_party::decode(record),
        "customs.clearance" => customs_clearance::decode(record),
        "customs.declaration" => customs_declaration::decode(record),
        "customs.hold" => hold::decode(record, Keeper::Customs),
        "bonded.stock-list" => bonded_stock_list::decode(record),
        "release.hold" => hold::decode(record, Keeper::Release),
        "release.decision" => release_decision::decode(record),
        topic => Err(Unreadable(format!("gate does not read {topic}"))),
    }
}

/// The version and event by which something was told.
fn told(record: &Record, version: u64) -> Told {
    Told {
        epoch: record.epoch,
        version,
        event_id: record.event_id.clone(),
    }
}

fn required<T>(value: Option<T>, field: &str) -> Result<T, Unreadable> {
    value.ok_or_else(|| Unreadable(format!("{field} is not set")))
}

fn time(value: Option<&prost_types::Timestamp>, field: &str) -> Result<DateTime<Utc>, Unreadable> {
    chassis::convert::time(field, value).map_err(|fault| Unreadable(fault.description))
}

fn optional_time(
    value: Option<&prost_types::Timestamp>,
    field: &str,
) -> Result<Option<DateTime<Utc>>, Unreadable> {
    chassis::convert::optional_time(field, value).map_err(|fault| Unreadable(fault.description))
}
