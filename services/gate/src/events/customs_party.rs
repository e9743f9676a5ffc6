//! Parties and the CARRY mandates they gave, from customs.

use fabric::{Record, Unreadable};
use prost::Message;
use proto::customs::events::v1 as wire;

use super::{optional_time, required, time, told};
use crate::app::Input;
use crate::domain::knowledge::{CarryMandate, KnownParty};

/// Whoever holds a mandate with this action may present itself for the firm that gave it.
const CARRY: &str = "CARRY";

pub fn decode(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::PartyEvent::decode(record.payload.as_ref())?;
    match required(event.fact, "fact")? {
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
            carries: mandate.actions.iter().any(|action| action == CARRY),
            valid_from: time(mandate.valid_from.as_ref(), "valid_from")?,
            valid_until: optional_time(mandate.valid_until.as_ref(), "valid_until")?,
            revoked_at: optional_time(mandate.revoked_at.as_ref(), "revoked_at")?,
        })),
    }
}
