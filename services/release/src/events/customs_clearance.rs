//! `customs.clearance`: what customs says about the goods in a container or of a transport document.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::customs::events::v1 as customs;

use super::wire;
use crate::app::Input;
use crate::domain::clearance::{Clearance, Consignment, Direction};
use crate::domain::condition::Who;
use crate::domain::version::Version;

const ROLES: [&str; 8] = [
    "haulier", "broker", "trader", "line", "operator", "terminal", "officer", "admin",
];

/// Reads the whole of what customs knows under a key.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = customs::ClearanceEvent::decode(record.payload.clone())?;
    Ok(Input::Clearance(Clearance {
        key: event::filled("key", &event.key)?,
        version: Version::new(record.epoch, event.version),
        event_id: record.event_id.clone(),
        recorded_at: event::time("recorded_at", event.recorded_at.as_ref())?,
        consignments: event
            .consignments
            .into_iter()
            .map(consignment)
            .collect::<Result<_, _>>()?,
        ended: Vec::new(),
    }))
}

fn consignment(message: customs::ConsignmentClearance) -> Result<Consignment, Unreadable> {
    let who = |named: &str| who(named, &message.filer_party, &message.trader_party);
    Ok(Consignment {
        declaration_id: event::filled("declaration_id", &message.declaration_id)?,
        conditions: message
            .conditions
            .iter()
            .map(|condition| wire::condition(condition, who))
            .collect::<Result<_, _>>()?,
        mrn: message.mrn,
        container_visit_id: Some(message.container_visit_id).filter(|id| !id.is_empty()),
        transport_document: message.transport_document,
        unbound_because: message.unbound_because,
        released: message.released || message.cleared,
        filer_party: message.filer_party,
        trader_party: message.trader_party,
        direction: match message.direction.as_str() {
            "IMPORT" => Direction::Import,
            "EXPORT" => Direction::Export,
            "NONE" => Direction::Neither,
            other => {
                return Err(Unreadable(format!(
                    "the direction {other:?} is not known to this version; upgrade it and retry the record"
                )));
            }
        },
    })
}

/// Customs names a role or a party; a party that is neither filer nor trader is one of its own.
fn who(named: &str, filer_party: &str, trader_party: &str) -> Who {
    match named {
        role if ROLES.contains(&role) => Who::role(role),
        filer if filer == filer_party => Who::party("broker", filer),
        trader if trader == trader_party => Who::party("trader", trader),
        officer => Who::party("officer", officer),
    }
}
