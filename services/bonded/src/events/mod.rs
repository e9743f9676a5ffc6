//! Facts in and out, as the wire has them: one file per topic that is read, one for what
//! is published. It must not decide anything.

pub mod customs_declaration;
pub mod customs_party;
pub mod gate_list_passage;
pub mod hold;
pub mod publish;

use fabric::{Record, Unreadable};
use kernel::StockListNumber;

use crate::app::Input;

/// Reads a record of a consumed topic.
///
/// # Errors
/// What cannot be understood parks its key.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    match record.topic.as_str() {
        customs_party::TOPIC => customs_party::read(record),
        customs_declaration::TOPIC => customs_declaration::read(record),
        gate_list_passage::TOPIC => gate_list_passage::read(record),
        hold::CUSTOMS | hold::GATE | hold::RELEASE => hold::read(record),
        topic => Err(Unreadable(format!("bonded does not read {topic}"))),
    }
}

fn list_number(text: &str) -> Result<StockListNumber, Unreadable> {
    StockListNumber::parse(text).map_err(|error| Unreadable(error.to_string()))
}
