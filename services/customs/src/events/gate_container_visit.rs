//! gate.container-visit: where each container visit is in its life, and what its manifest says.

use chassis::convert;
use fabric::Unreadable;
use kernel::{ContainerNumber, TransportDocumentNumber};
use prost::Message;
use proto::gate::events::v1::{
    ContainerVisitEvent, ContainerVisitFact, ContainerVisitPhase, TransportMode,
};

use crate::domain::visit::{ManifestLine, Phase, Visit, container_of, name_of};

/// The most lines of a manifest that one container can have.
const LINES_MAX: usize = 1_000;
/// The most declarations that a truck's filing can name.
const NAMED_MAX: usize = 100;

/// Reads a record.
///
/// # Errors
/// A fact or phase that customs does not know, a container number that is none, too many lines: what cannot
/// be understood must not be guessed at.
pub fn read(payload: &[u8]) -> Result<Visit, Unreadable> {
    let event = ContainerVisitEvent::decode(payload)?;
    if event.fact() == ContainerVisitFact::Unspecified {
        return Err(Unreadable(format!(
            "fact {} of a container visit is not known",
            event.fact
        )));
    }
    let visit = event
        .visit
        .ok_or_else(|| Unreadable("the event names no visit".to_owned()))?;
    let phase = match visit.phase() {
        ContainerVisitPhase::Announced => Phase::Announced,
        ContainerVisitPhase::Arrived => Phase::Arrived,
        ContainerVisitPhase::Departed => Phase::Departed,
        ContainerVisitPhase::ShortLanded => Phase::ShortLanded,
        ContainerVisitPhase::Unspecified => {
            return Err(Unreadable(format!(
                "phase {} of a container visit is not known",
                visit.phase
            )));
        }
    };
    let container = ContainerNumber::parse(&visit.container_number)
        .map_err(|error| Unreadable(format!("container {}: {error}", visit.container_number)))?;
    if container_of(&visit.container_visit_id).as_ref() != Some(&container) {
        return Err(Unreadable(format!(
            "visit {} is not of container {container}",
            visit.container_visit_id
        )));
    }
    if visit.manifest_lines.len() > LINES_MAX {
        return Err(Unreadable(format!(
            "{} manifest lines are more than {LINES_MAX}",
            visit.manifest_lines.len()
        )));
    }
    if visit.document_references.len() > NAMED_MAX {
        return Err(Unreadable(format!(
            "{} named declarations are more than {NAMED_MAX}",
            visit.document_references.len()
        )));
    }
    let mut named: Vec<String> = visit
        .document_references
        .iter()
        .filter_map(|written| name_of(written))
        .collect();
    named.sort();
    named.dedup();
    let time = |field, written| {
        convert::optional_time(field, written).map_err(|fault| Unreadable(fault.description))
    };
    let arrived_at = time("arrived_at", visit.arrived_at.as_ref())?;
    let told_at = match time("observed_at", event.observed_at.as_ref())? {
        Some(observed) => Some(observed),
        None => time("recorded_at", event.recorded_at.as_ref())?,
    };
    Ok(Visit {
        by_truck: visit.arrival_mode() == TransportMode::Truck,
        named,
        // Whoever does not say which truck took it says that none did.
        exited: phase == Phase::Departed
            && (!visit.departure_conveyance.is_empty()
                || visit.departed_with_truck_visit_id.is_empty()),
        // A visit that arrived has arrived, even if nobody wrote down when.
        arrived_at: arrived_at
            .filter(|_| phase != Phase::Announced)
            .or(told_at.filter(|_| phase == Phase::Arrived)),
        visit_id: visit.container_visit_id,
        site_id: visit.site_id,
        container,
        version: visit.version,
        phase,
        lines: visit
            .manifest_lines
            .into_iter()
            .map(|line| ManifestLine {
                transport_document: TransportDocumentNumber::parse(&line.transport_document).ok(),
                packages: line.packages,
            })
            .collect(),
    })
}
