//! The terminal says whether a container can be picked up.

use fabric::Context;
use kernel::Refusal;

use super::{Answer, Outcome, Seeds, State, reconsider};
use crate::domain::Actor;
use crate::domain::container_visit::{ContainerVisitId, Phase};
use crate::events::publish;

/// "It can be picked up", or not.
#[derive(Clone, Debug)]
pub struct SetAvailability {
    /// Who asks.
    pub actor: Actor,
    /// The container visit.
    pub container_visit_id: String,
    /// Whether it can.
    pub available: bool,
    /// The version that this rests on; 0: not checked.
    pub expected_version: u64,
}

impl SetAvailability {
    /// The container, if the visit's id can be read.
    pub fn container_number(&self) -> Option<String> {
        ContainerVisitId::parse(&self.container_visit_id).map(|id| id.container_number().to_owned())
    }
}

/// Sets it.
pub fn set(state: &mut State, command: &SetAvailability, context: &Context<'_>) -> Outcome {
    let absent = || Refusal::not_found("container visit", command.container_visit_id.clone());
    let id = ContainerVisitId::parse(&command.container_visit_id).ok_or_else(absent)?;
    command
        .actor
        .must_run(state.site(id.site_id()), id.site_id())
        .map_err(|_| absent())?;
    let visit = state
        .visits
        .iter()
        .map(|(_, visit)| visit)
        .find(|visit| visit.id == id)
        .ok_or_else(absent)?;
    if command.expected_version != 0 && command.expected_version != visit.version {
        return Err(Refusal::stale(visit.version));
    }
    if visit.phase != Phase::Arrived || visit.loaded.is_some() {
        return Err(Refusal::unmet(
            "CONTAINER_NOT_HERE",
            format!(
                "The container is {}; only what stands in the yard can be picked up.",
                visit
                    .loaded
                    .as_ref()
                    .map_or(visit.phase.as_str().to_owned(), |loading| format!(
                        "loaded on {}",
                        loading.conveyance
                    ))
            ),
            Vec::new(),
        ));
    }
    let mut facts = Vec::new();
    let mut after = visit.clone();
    if let Some((visit, fact)) = visit.made_available(command.available) {
        facts.push(publish::container_visit(
            fact,
            &visit,
            &command.actor.party,
            context.now,
            context.now,
        ));
        after = visit.clone();
        let mut seeds = Seeds::default();
        seeds.containers.insert(visit.container.as_str().to_owned());
        state.visits.put(visit.id.as_str().to_owned(), visit);
        facts.extend(reconsider::concerned(state, &seeds, context));
    }
    let holds = state.holds_on_visit(after.id.as_str());
    Ok((Answer::ContainerVisit(Box::new(after), holds), facts))
}
