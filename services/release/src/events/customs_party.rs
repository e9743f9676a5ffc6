//! `customs.party`: who is a haulier. Mandates are weighed elsewhere and pass by.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::customs::events::v1::{PartyEvent, party_event::Fact};

use crate::app::Input;
use crate::domain::party::KnownParty;
use crate::domain::version::Version;

/// Reads a party; none if the event is about a mandate.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = PartyEvent::decode(record.payload.clone())?;
    let party = match event::required("fact", event.fact)? {
        Fact::Mandate(_) => None,
        Fact::Party(party) => Some(KnownParty {
            party_id: event::filled("party_id", &party.party_id)?,
            version: Version::new(record.epoch, party.version),
            name: party.name,
            roles: party.roles,
            suspended: party.suspended,
        }),
    };
    Ok(Input::Party(party))
}
