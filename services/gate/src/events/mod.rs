//! Gate's side of the exchange of facts: `publish` makes public events of what was decided; one file per
//! consumed topic reads a record into an input. No decision is made here.

mod bonded_stock_list;
mod customs_clearance;
mod customs_declaration;
mod customs_party;
mod hold;
pub mod publish;
mod release_decision;

use fabric::{Record, Unreadable};

use crate::app::Input;
use crate::domain::hold::Keeper;
use crate::domain::knowledge::Told;

/// Reads a record of a consumed topic.
///
/// # Errors
/// What cannot be understood parks its key.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    match record.topic.as_str() {
        "customs.party" => customs_party::read(record),
        "customs.clearance" => customs_clearance::read(record),
        "customs.declaration" => customs_declaration::read(record),
        "customs.hold" => hold::read(record, Keeper::Customs),
        "bonded.stock-list" => bonded_stock_list::read(record),
        "release.hold" => hold::read(record, Keeper::Release),
        "release.decision" => release_decision::read(record),
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
