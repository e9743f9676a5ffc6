//! `gate.container-visit`: stays of containers.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::gate::events::v1 as gate;

use super::wire;
use crate::app::{Heading, Input};
use crate::domain::container_visit::{ManifestLine, Mode, Phase, Stay};
use crate::domain::version::Version;

/// Reads a fact about a stay.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = gate::ContainerVisitEvent::decode(record.payload.clone())?;
    let fact: gate::ContainerVisitFact = event::known("fact", event.fact)?;
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let heading = Heading {
        fact: wire::fact_name(fact.as_str_name())?,
        observed_at: event::observed(event.observed_at.as_ref(), recorded_at)?,
        recorded_at,
        party: event.recorded_by_party.clone(),
        restated: false,
    };
    let visit = event::required("visit", event.visit)?;
    let mut stay = stay(visit, record)?;
    // What has left has left, even if nobody wrote down when: a release that it left on is used up.
    if stay.phase == Phase::Departed && stay.departed_at.is_none() {
        stay.departed_at = Some(heading.observed_at);
    }
    stay.over_since = stay.is_over().then_some(recorded_at);
    Ok(Input::ContainerVisit(heading, stay))
}

fn stay(visit: gate::ContainerVisit, record: &Record) -> Result<Stay, Unreadable> {
    Ok(Stay {
        container_visit_id: event::filled("container_visit_id", &visit.container_visit_id)?,
        site_id: event::filled("site_id", &visit.site_id)?,
        container_number: event::filled("container_number", &visit.container_number)?,
        version: Version::new(record.epoch, visit.version),
        event_id: record.event_id.clone(),
        phase: phase(event::known("phase", visit.phase)?)?,
        came_by: mode(event::known("arrival_mode", visit.arrival_mode)?),
        manifest_lines: visit
            .manifest_lines
            .into_iter()
            .map(|line| ManifestLine {
                transport_document: line.transport_document,
                line_party: line.line_party,
            })
            .collect(),
        available: visit.available,
        empty: visit.empty,
        list_number: visit.list_number,
        arrived_at: event::optional_time("arrived_at", visit.arrived_at.as_ref())?,
        departed_at: event::optional_time("departed_at", visit.departed_at.as_ref())?,
        over_since: None,
    })
}

fn phase(phase: gate::ContainerVisitPhase) -> Result<Phase, Unreadable> {
    match phase {
        gate::ContainerVisitPhase::Announced => Ok(Phase::Announced),
        gate::ContainerVisitPhase::Arrived => Ok(Phase::Arrived),
        gate::ContainerVisitPhase::Departed => Ok(Phase::Departed),
        gate::ContainerVisitPhase::ShortLanded => Ok(Phase::ShortLanded),
        gate::ContainerVisitPhase::Unspecified => Err(Unreadable(
            "the visit does not say where it is in its life".to_owned(),
        )),
    }
}

fn mode(mode: gate::TransportMode) -> Mode {
    match mode {
        gate::TransportMode::Unspecified => Mode::Unknown,
        gate::TransportMode::Rail => Mode::Rail,
        gate::TransportMode::Barge => Mode::Barge,
        gate::TransportMode::Truck => Mode::Truck,
    }
}
