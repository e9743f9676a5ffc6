//! `gate.pre-arrival`: whose truck comes for what.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::gate::events::v1 as gate;

use super::wire;
use crate::app::{Heading, Input};
use crate::domain::pre_arrival::{PreArrival, PreArrivalContainer};
use crate::domain::version::Version;

/// Reads a fact about a pre-arrival.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = gate::PreArrivalEvent::decode(record.payload.clone())?;
    let fact: gate::PreArrivalFact = event::known("fact", event.fact)?;
    let state = event::required("pre_arrival", event.pre_arrival)?;
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let heading = Heading {
        fact: wire::fact_name(fact.as_str_name())?,
        observed_at: event::observed(event.observed_at.as_ref(), recorded_at)?,
        recorded_at,
        party: state.haulier_party.clone(),
        restated: false,
    };
    let conditions = wire::conditions(&state.conditions)?;
    let pre_arrival = PreArrival {
        pre_arrival_id: event::filled("pre_arrival_id", &state.pre_arrival_id)?,
        version: Version::new(record.epoch, state.version),
        site_id: state.site_id,
        second_site_id: state.second_site_id,
        list_number: state.list_number,
        filer_party: if state.filer_party.is_empty() {
            state.haulier_party.clone()
        } else {
            state.filer_party
        },
        haulier_party: state.haulier_party,
        containers: containers(state.containers),
        withdrawn: matches!(
            fact,
            gate::PreArrivalFact::Cancelled | gate::PreArrivalFact::Expired
        ),
    };
    Ok(Input::PreArrival(heading, pre_arrival, conditions))
}

/// The containers of a pre-arrival or truck visit.
pub fn containers(containers: Vec<gate::PreArrivalContainer>) -> Vec<PreArrivalContainer> {
    containers
        .into_iter()
        .map(|container| PreArrivalContainer {
            container_number: container.container_number,
            container_visit_id: Some(container.container_visit_id).filter(|id| !id.is_empty()),
        })
        .collect()
}
