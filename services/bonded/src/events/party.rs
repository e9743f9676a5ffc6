//! `customs.party`: who somebody is. Mandates come on the same topic and are not needed
//! before a broker files for a trader here.

use fabric::{Record, Unreadable};
use prost::Message;
use proto::customs::events::v1 as wire;
use proto::customs::events::v1::party_event::Fact;

use crate::app::Input;
use crate::domain::party::KnownParty;

/// The topic.
pub const TOPIC: &str = "customs.party";

/// Reads a record.
///
/// # Errors
/// It is no party event, or one that says nothing we understand.
pub fn decode(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::PartyEvent::decode(record.payload.clone())?;
    match event.fact {
        Some(Fact::Party(party)) if party.party_id.is_empty() => {
            Err(Unreadable("the party has no id".into()))
        }
        Some(Fact::Party(party)) => Ok(Input::Party(KnownParty {
            party_id: party.party_id,
            version: (record.epoch, party.version),
            name: party.name,
            roles: party.roles,
            suspended: party.suspended,
        })),
        Some(Fact::Mandate(_)) => Ok(Input::Unneeded),
        None => Err(Unreadable(
            "the event states no fact that this version knows; update the service and retry".into(),
        )),
    }
}
