//! `customs.declaration`: whose declaration it is, what happened to it, and which stock lists it names. What it
//! means for goods in a container comes with `customs.clearance`.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::customs::events::v1 as customs;

use super::wire;
use crate::app::{Heading, Input};
use crate::domain::declaration::{Declaration, DeclarationStanding};
use crate::domain::version::Version;

/// Reads a fact about a declaration.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = customs::DeclarationEvent::decode(record.payload.clone())?;
    let fact: customs::DeclarationFact = event::known("fact", event.fact)?;
    let state = event::required("declaration", event.declaration)?;
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let heading = Heading {
        fact: wire::fact_name(fact.as_str_name())?,
        observed_at: event::observed(event.observed_at.as_ref(), recorded_at)?,
        recorded_at,
        party: event.recorded_by_party,
        restated: false,
    };
    let standing = DeclarationStanding::of_name(&state.state);
    // Only on those that name a list something is decided.
    if standing.is_none() && !state.stock_lists.is_empty() {
        return Err(Unreadable(format!(
            "the state {:?} is not known to this version; upgrade it and retry the record",
            state.state
        )));
    }
    let declaration = Declaration {
        declaration_id: event::filled("declaration_id", &state.declaration_id)?,
        version: Version::new(record.epoch, state.version),
        event_id: record.event_id.clone(),
        recorded_at,
        known_since: recorded_at,
        mrn: state.mrn,
        filer_party: state.filer_party,
        trader_party: state.trader_party,
        container_numbers: state.containers,
        lrn: state.lrn,
        procedure_kind: state.procedure_kind,
        standing,
        invalidation_asked: !state.invalidation_asks.is_empty(),
        stock_lists: state.stock_lists,
    };
    Ok(Input::Declaration(heading, declaration, event.detail))
}
