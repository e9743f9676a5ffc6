//! Between the wire and the domain: one file per consumed topic turns records into inputs, `publish`
//! turns what was decided into facts. It decides nothing; what a decision needs and cannot be
//! understood makes the record unreadable, which parks its key.

mod bonded_book;
mod bonded_stock_list;
mod customs_clearance;
mod customs_declaration;
mod customs_party;
mod gate_answer;
mod gate_container_visit;
mod gate_list_passage;
mod gate_pre_arrival;
mod gate_site;
mod gate_truck_visit;
pub mod hold;
pub mod publish;
mod release_decision;
pub mod wire;

use fabric::{Record, Unreadable};

use crate::app::Input;

/// The topics that release reads.
pub const CONSUMED: &[&str] = &[
    "gate.site",
    "gate.container-visit",
    "gate.pre-arrival",
    "gate.truck-visit",
    "gate.answer",
    "gate.list-passage",
    "gate.hold",
    "customs.party",
    "customs.declaration",
    "customs.clearance",
    "customs.hold",
    "bonded.book",
    "bonded.stock-list",
    publish::DECISION_TOPIC,
    publish::HOLD_TOPIC,
];

/// Reads a record of one of [`CONSUMED`].
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    match record.topic.as_str() {
        "gate.site" => gate_site::read(record),
        "gate.container-visit" => gate_container_visit::read(record),
        "gate.pre-arrival" => gate_pre_arrival::read(record),
        "gate.truck-visit" => gate_truck_visit::read(record),
        "gate.answer" => gate_answer::read(record),
        "gate.list-passage" => gate_list_passage::read(record),
        "gate.hold" => hold::read("gate", record),
        "customs.party" => customs_party::read(record),
        "customs.declaration" => customs_declaration::read(record),
        "customs.clearance" => customs_clearance::read(record),
        "customs.hold" => hold::read("customs", record),
        "bonded.book" => bonded_book::read(record),
        "bonded.stock-list" => bonded_stock_list::read(record),
        publish::DECISION_TOPIC => release_decision::read(record),
        publish::HOLD_TOPIC => hold::read("release", record),
        other => Err(Unreadable(format!(
            "release does not read the topic {other}"
        ))),
    }
}
