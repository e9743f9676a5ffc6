//! Parties and the CARRY mandates they gave, from customs.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::customs::events::v1 as wire;

use super::told;
use crate::app::Input;
use crate::domain::knowledge::{CarryMandate, KnownParty};

/// Whoever holds a mandate with this action may present itself for the firm that gave it.
const CARRY: &str = "CARRY";

pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::PartyEvent::decode(record.payload.as_ref())?;
    match event::required("fact", event.fact)? {
        wire::party_event::Fact::Party(party) => Ok(Input::Party(KnownParty {
            told: told(record, party.version),
            party_id: party.party_id,
            name: party.name,
            suspended: party.suspended,
        })),
        wire::party_event::Fact::Mandate(mandate) => Ok(Input::Mandate(CarryMandate {
            told: told(record, mandate.version),
            mandate_id: mandate.mandate_id,
            grantor_party: mandate.grantor_party,
            agent_party: mandate.agent_party,
            containers: mandate.containers,
            carries: mandate.actions.iter().any(|action| action == CARRY),
            valid_from: event::time("valid_from", mandate.valid_from.as_ref())?,
            valid_until: event::optional_time("valid_until", mandate.valid_until.as_ref())?,
            revoked_at: event::optional_time("revoked_at", mandate.revoked_at.as_ref())?,
        })),
    }
}
