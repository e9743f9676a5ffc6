//! `customs.declaration`: whose declaration it is, and what happened to it. For notices and timelines;
//! what it means for the goods comes with `customs.clearance`.

use fabric::{Record, Unreadable};
use prost::Message;
use proto::customs::events::v1 as customs;

use super::wire;
use crate::app::{Heading, Input};
use crate::domain::declaration::Declaration;
use crate::domain::version::Version;

/// Reads a fact about a declaration.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = customs::DeclarationEvent::decode(record.payload.clone())?;
    let fact: customs::DeclarationFact = wire::known("fact", event.fact)?;
    let state = wire::required("declaration", event.declaration)?;
    let recorded_at = wire::time("recorded_at", event.recorded_at.as_ref())?;
    let heading = Heading {
        fact: wire::fact_name(fact.as_str_name())?,
        observed_at: wire::observed(event.observed_at.as_ref(), recorded_at)?,
        recorded_at,
        party: event.recorded_by_party,
        restated: false,
    };
    let declaration = Declaration {
        declaration_id: wire::filled("declaration_id", &state.declaration_id)?,
        version: Version::new(record.epoch, state.version),
        mrn: state.mrn,
        filer_party: state.filer_party,
        trader_party: state.trader_party,
        container_numbers: state.containers,
    };
    Ok(Input::Declaration(heading, declaration, event.detail))
}
