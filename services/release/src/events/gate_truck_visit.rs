//! `gate.truck-visit`: trucks at the gate. For notices and timelines only; nothing is decided on them.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::gate::events::v1 as gate;

use super::gate_pre_arrival::containers;
use super::wire;
use crate::app::{Heading, Input, TruckVisit};

/// Reads a fact about a truck visit.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = gate::TruckVisitEvent::decode(record.payload.clone())?;
    let fact: gate::TruckVisitFact = event::known("fact", event.fact)?;
    let state = event::required("truck_visit", event.truck_visit)?;
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let heading = Heading {
        fact: wire::fact_name(fact.as_str_name())?,
        observed_at: event::observed(event.observed_at.as_ref(), recorded_at)?,
        recorded_at,
        party: String::new(),
        restated: false,
    };
    Ok(Input::TruckVisit(
        heading,
        TruckVisit {
            conditions: wire::conditions(&state.conditions)?,
            truck_visit_id: event::filled("truck_visit_id", &state.truck_visit_id)?,
            site_id: state.site_id,
            pre_arrival_id: state.pre_arrival_id,
            haulier_party: state.haulier_party,
            carrier_party: state.carrier_party,
            containers: containers(state.containers),
        },
    ))
}
