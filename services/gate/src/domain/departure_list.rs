//! Loading and departure lists of trains and barges, line by line: what a line does to the stay of its
//! container, or why it stays in the yard (gate rule 17). It must not know what may be loaded: that is
//! `admission`.

use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, Fault, Refusal};

use super::arrival_list::{Conveyance, LineEffect, LineOutcome, left_within_call};
use super::condition::{Condition, Gravity, code};
use super::container_visit::{ContainerVisit, ContainerVisitFact, Loading};
use super::filing::Faults;
use super::truck_visit::Evidence;

/// A container that was lifted on, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenLoad {
    /// Its number.
    pub container_number: String,
    /// Its seals as found.
    pub seals_found: Vec<String>,
}

/// A container that was lifted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// The container.
    pub container: ContainerNumber,
    /// Its seals as found.
    pub seals_found: Vec<String>,
}

/// Reads a loaded container.
///
/// # Errors
/// All faults of the line.
pub fn read_load(path: &str, line: &WrittenLoad) -> Result<Load, Vec<Fault>> {
    let mut faults = Faults::default();
    let container = faults.container(&format!("{path}.container_number"), &line.container_number);
    let seals_found = faults.seals(&format!("{path}.seals_found"), &line.seals_found);
    match container {
        Some(container) if faults.is_empty() => Ok(Load {
            container,
            seals_found,
        }),
        _ => Err(faults.into_vec()),
    }
}

/// Reads a line of a departure list.
///
/// # Errors
/// It is no container number.
pub fn read_departing(path: &str, written: &str) -> Result<ContainerNumber, Vec<Fault>> {
    let mut faults = Faults::default();
    faults
        .container(path, written)
        .ok_or_else(|| faults.into_vec())
}

/// This container was lifted on, at the time that the list says, or else now. `last` is the last stay of the
/// container at the site, `against` what stands against loading it, `evidence` what was known when that was
/// found. One that was lifted onto another train or barge before is on this one now.
pub fn load(
    load: &Load,
    conveyance: &Conveyance,
    (said, now): (Option<DateTime<Utc>>, DateTime<Utc>),
    last: Option<&ContainerVisit>,
    (against, evidence): (Vec<Condition>, Vec<Evidence>),
) -> LineEffect {
    if let Some(gone) = gone_with(last, conveyance, (said, now)) {
        return LineEffect::Repeated(gone);
    }
    let Some(visit) = last.filter(|visit| visit.is_open()) else {
        return LineEffect::Kept(LineOutcome::Refused, None, vec![not_here(&load.container)]);
    };
    let known = visit.is_loaded_on(conveyance.mode, &conveyance.number);
    if known && (load.seals_found.is_empty() || load.seals_found == visit.seals_found) {
        return LineEffect::Repeated(Box::new(visit.clone()));
    }
    if !against.is_empty() {
        let visit = Some(Box::new(visit.clone()));
        return LineEffect::Kept(LineOutcome::Refused, visit, against);
    }
    let loading = Loading {
        mode: conveyance.mode,
        conveyance: conveyance.number.clone(),
        at: said.unwrap_or(now),
        evidence,
    };
    let loading = visit.loaded.clone().filter(|_| known).unwrap_or(loading);
    let loaded = visit.lifted_on(loading, &load.seals_found);
    let outcome = if loaded.seal_mismatch() {
        LineOutcome::SealMismatch
    } else if visit.loaded.is_some() && !known {
        LineOutcome::Amended
    } else {
        LineOutcome::Accepted
    };
    let fact = if known {
        ContainerVisitFact::Amended
    } else {
        ContainerVisitFact::Loaded
    };
    LineEffect::Changed(outcome, Box::new(loaded), fact)
}

/// The train or barge has left, and this container is on its list; `against` is what keeps it here if it was
/// not loaded.
pub fn depart(
    container: &ContainerNumber,
    conveyance: &Conveyance,
    (said, now): (Option<DateTime<Utc>>, DateTime<Utc>),
    last: Option<&ContainerVisit>,
    against: Vec<Condition>,
) -> LineEffect {
    if let Some(gone) = gone_with(last, conveyance, (said, now)) {
        return LineEffect::Repeated(gone);
    }
    let Some(visit) = last.filter(|visit| visit.is_open()) else {
        return LineEffect::Kept(LineOutcome::NotLoaded, None, vec![not_here(container)]);
    };
    if !visit.is_loaded_on(conveyance.mode, &conveyance.number) {
        let visit = Some(Box::new(visit.clone()));
        return LineEffect::Kept(LineOutcome::NotLoaded, visit, against);
    }
    LineEffect::Changed(
        LineOutcome::Accepted,
        Box::new(visit.carried_off(said.unwrap_or(now))),
        ContainerVisitFact::Departed,
    )
}

/// The train or barge has left without this container, which had been lifted on.
pub fn leave_behind(visit: &ContainerVisit) -> LineEffect {
    LineEffect::Changed(
        LineOutcome::NotLoaded,
        Box::new(visit.taken_off()),
        ContainerVisitFact::Amended,
    )
}

/// The stay that ended with this call of the train or barge: its lists sent again change nothing.
pub fn gone_with(
    last: Option<&ContainerVisit>,
    conveyance: &Conveyance,
    (said, now): (Option<DateTime<Utc>>, DateTime<Utc>),
) -> Option<Box<ContainerVisit>> {
    let by_this = |visit: &&ContainerVisit| {
        visit.departure_conveyance().is_some()
            && visit.is_loaded_on(conveyance.mode, &conveyance.number)
    };
    let gone = last.filter(by_this)?;
    left_within_call(gone, said, now).then(|| Box::new(gone.clone()))
}

/// The train or barge is said to leave with all that was lifted on, and nothing is on it.
pub fn nothing_loaded(conveyance: &Conveyance) -> Refusal {
    let mut faults = Faults::default();
    faults.add(
        "NOTHING_LOADED",
        "conveyance",
        &conveyance.number,
        "a train or barge on which containers are loaded",
        "Nothing is loaded on it at this site: check its number, RAIL or BARGE and the site, or record what was lifted on first. What was taken off again stays in the yard: name the containers to be told why.",
    );
    faults.into_refusal()
}

fn not_here(container: &ContainerNumber) -> Condition {
    Condition::new(
        Gravity::Refuses,
        code::CONTAINER_UNKNOWN,
        container.as_str(),
        "terminal",
        "It does not stand at this site; check the number, or record its arrival first.",
    )
}
