//! `customs.party`: who somebody is, and who may file lists for whom.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::customs::events::v1 as wire;
use proto::customs::events::v1::party_event::Fact;

use crate::app::Input;
use crate::domain::mandate::KnownMandate;
use crate::domain::party::KnownParty;

/// The topic.
pub const TOPIC: &str = "customs.party";

/// The action of a mandate that counts here.
const FILE_STOCK_LIST: &str = "FILE_STOCK_LIST";

/// Reads a record.
///
/// # Errors
/// It is no party event, or one that says nothing we understand.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
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
        Some(Fact::Mandate(mandate)) => Ok(Input::Mandate(KnownMandate {
            version: (record.epoch, mandate.version),
            files_stock_lists: mandate
                .actions
                .iter()
                .any(|action| action == FILE_STOCK_LIST),
            valid_from: event::time("valid_from", mandate.valid_from.as_ref())?,
            valid_until: event::optional_time("valid_until", mandate.valid_until.as_ref())?,
            revoked_at: event::optional_time("revoked_at", mandate.revoked_at.as_ref())?,
            goods: mandate.goods,
            mandate_id: mandate.mandate_id,
            grantor_party: mandate.grantor_party,
            agent_party: mandate.agent_party,
        })),
        None => Err(Unreadable(
            "the event states no fact that this version knows; update the service and retry".into(),
        )),
    }
}
