//! Facts in and out, as the wire has them: one file per topic that is read, one for what
//! is published. It must not decide anything.

pub mod declaration;
pub mod hold;
pub mod party;
pub mod passage;
pub mod publish;

use chrono::{DateTime, Utc};
use fabric::{Record, Unreadable};
use kernel::StockListNumber;

use crate::app::Input;

/// Reads a record of a consumed topic.
///
/// # Errors
/// What cannot be understood parks its key.
pub fn decode(record: &Record) -> Result<Input, Unreadable> {
    match record.topic.as_str() {
        party::TOPIC => party::decode(record),
        declaration::TOPIC => declaration::decode(record),
        passage::TOPIC => passage::decode(record),
        hold::CUSTOMS | hold::GATE | hold::RELEASE => hold::decode(record),
        topic => Err(Unreadable(format!("bonded does not read {topic}"))),
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

fn list_number(text: &str) -> Result<StockListNumber, Unreadable> {
    StockListNumber::parse(text).map_err(|error| Unreadable(error.to_string()))
}
