//! Trains' and barges' lists: announced, and recorded when they come. Line by line; a faulty line does not
//! hold up the others (gate rule 17).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use fabric::{Context, Fact};
use kernel::{ContainerNumber, Fault, Refusal};

use super::{Answer, Outcome, Seeds, State, reconsider};
use crate::domain::Actor;
use crate::domain::arrival_list::{
    self, Conveyance, LineEffect, LineOutcome, ListHead, WrittenAnnouncement, WrittenLanding,
};
use crate::domain::condition::Condition;
use crate::domain::container_visit::{ContainerVisit, ContainerVisitFact};
use crate::domain::filing::{self, ARRIVED_AGO_HOURS_MAX, Faults};
use crate::events::publish;

/// "These will come."
#[derive(Clone, Debug)]
pub struct AnnounceArrival {
    /// Who asks.
    pub actor: Actor,
    /// Only check.
    pub validate_only: bool,
    /// The list's head.
    pub head: ListHead,
    /// When it is to come.
    pub estimated_arrival: Option<DateTime<Utc>>,
    /// Its containers.
    pub lines: Vec<WrittenAnnouncement>,
}

/// "These have come."
#[derive(Clone, Debug)]
pub struct RecordArrival {
    /// Who asks.
    pub actor: Actor,
    /// Only check.
    pub validate_only: bool,
    /// The list's head.
    pub head: ListHead,
    /// When it came.
    pub arrived_at: Option<DateTime<Utc>>,
    /// What was found.
    pub lines: Vec<WrittenLanding>,
    /// What is not on this list did not come.
    pub complete: bool,
}

/// What became of a line.
#[derive(Clone, Debug)]
pub struct LineResult {
    /// Its place on the list, from 1; 0 for what is not on it.
    pub line_number: u32,
    /// The container's number; as written where that is none.
    pub container_number: String,
    /// What became of it.
    pub outcome: LineOutcome,
    /// The stay.
    pub visit: Option<Box<ContainerVisit>>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
    /// What stands against it.
    pub conditions: Vec<Condition>,
    /// What is worth a look, and nothing is refused for.
    pub warnings: Vec<Fault>,
}

impl AnnounceArrival {
    /// The containers that can be read.
    pub fn container_numbers(&self) -> impl Iterator<Item = String> + '_ {
        self.lines
            .iter()
            .filter_map(|line| readable(&line.container_number))
    }
}

impl RecordArrival {
    /// The containers that can be read.
    pub fn container_numbers(&self) -> impl Iterator<Item = String> + '_ {
        self.lines
            .iter()
            .filter_map(|line| readable(&line.container_number))
    }
}

pub(super) fn readable(written: &str) -> Option<String> {
    ContainerNumber::parse(written)
        .ok()
        .map(|number| number.as_str().to_owned())
}

/// Announces.
pub fn announce(state: &mut State, command: &AnnounceArrival, context: &Context<'_>) -> Outcome {
    let conveyance = head(
        state,
        &command.actor,
        &command.head,
        command.lines.len(),
        Faults::default(),
    )?;
    let mut list = List::new(command.validate_only, &command.actor, context.now);
    for (index, line) in command.lines.iter().enumerate() {
        let path = format!("containers[{index}]");
        let effect = match arrival_list::read_announcement(&path, line) {
            Ok(read) => {
                let last = list.last(state, &conveyance.site_id, read.container.as_str());
                let ordinal = ContainerVisit::next_ordinal(last.as_ref(), state.epoch);
                let effect = arrival_list::announce(
                    &path,
                    &read,
                    &conveyance,
                    (command.estimated_arrival, context.now),
                    (last.as_ref(), ordinal),
                );
                list.once(&path, &read.container, effect)
            }
            Err(faults) => LineEffect::Faulty(faults),
        };
        let number_path = format!("{path}.container_number");
        list.take(index, &number_path, &line.container_number, effect);
    }
    let (results, facts) = list.finish(state, context);
    Ok((Answer::Announced(results), facts))
}

/// Records what came.
pub fn record(state: &mut State, command: &RecordArrival, context: &Context<'_>) -> Outcome {
    let mut faults = Faults::default();
    let arrived_at = faults.observed(
        "arrived_at",
        command.arrived_at,
        ARRIVED_AGO_HOURS_MAX,
        context.now,
    );
    let conveyance = head(
        state,
        &command.actor,
        &command.head,
        command.lines.len(),
        faults,
    )?;
    let mut list = List::new(command.validate_only, &command.actor, arrived_at);
    for (index, line) in command.lines.iter().enumerate() {
        let path = format!("containers[{index}]");
        let effect = match arrival_list::read_landing(&path, line) {
            Ok(read) => {
                let last = list.last(state, &conveyance.site_id, read.container.as_str());
                let ordinal = ContainerVisit::next_ordinal(last.as_ref(), state.epoch);
                let effect = arrival_list::land(
                    &path,
                    &read,
                    &conveyance,
                    (command.arrived_at, context.now),
                    (last.as_ref(), ordinal),
                );
                list.once(&path, &read.container, effect)
            }
            Err(faults) => LineEffect::Faulty(faults),
        };
        let number_path = format!("{path}.container_number");
        list.take(index, &number_path, &line.container_number, effect);
    }
    if command.complete {
        list.short_land(state, &conveyance);
    }
    let (results, facts) = list.finish(state, context);
    Ok((Answer::Landed(results), facts))
}

pub(super) fn head(
    state: &State,
    actor: &Actor,
    head: &ListHead,
    lines: usize,
    mut faults: Faults,
) -> Result<Conveyance, Refusal> {
    actor.must_run(state.site(&head.site_id), &head.site_id)?;
    match arrival_list::read_head(head, lines, &mut faults) {
        Some(conveyance) if faults.is_empty() => Ok(conveyance),
        _ => Err(super::filings::faulty(faults)),
    }
}

/// The lines of one list as they are taken; kept apart from the state until all are known.
pub(super) struct List<'a> {
    validate_only: bool,
    actor: &'a Actor,
    observed_at: DateTime<Utc>,
    results: Vec<LineResult>,
    changed: Vec<(ContainerVisit, ContainerVisitFact)>,
    /// Every container on the list, also of lines that cannot be taken.
    listed: BTreeSet<String>,
}

impl<'a> List<'a> {
    pub(super) fn new(validate_only: bool, actor: &'a Actor, observed_at: DateTime<Utc>) -> Self {
        Self {
            validate_only,
            actor,
            observed_at,
            results: Vec::new(),
            changed: Vec::new(),
            listed: BTreeSet::new(),
        }
    }

    /// What becomes of a line, unless an earlier line of this list says something else of the container.
    fn once(&self, path: &str, container: &ContainerNumber, effect: LineEffect) -> LineEffect {
        match effect {
            LineEffect::Changed(..) if self.listed.contains(container.as_str()) => {
                arrival_list::named_twice(path, container)
            }
            effect => effect,
        }
    }

    /// The last stay of a container, as earlier lines of this list left it.
    pub(super) fn last(
        &self,
        state: &State,
        site_id: &str,
        container: &str,
    ) -> Option<ContainerVisit> {
        let changed = self.changed.iter().rev().map(|(visit, _)| visit);
        let here = changed
            .into_iter()
            .find(|visit| visit.container.as_str() == container);
        here.or_else(|| state.last_visit(site_id, container))
            .cloned()
    }

    /// What became of a line, and the path and text of its container's number.
    pub(super) fn take(&mut self, index: usize, path: &str, written: &str, effect: LineEffect) {
        let line_number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let number = ContainerNumber::parse(written).ok();
        let warning = number.and_then(|number| {
            self.listed.insert(number.as_str().to_owned());
            filing::worth_a_look(path, &number)
        });
        self.result(line_number, written, effect, warning);
    }

    /// What is not on the list, and concerned by it all the same.
    pub(super) fn take_unlisted(&mut self, container: &str, effect: LineEffect) {
        self.result(0, container, effect, None);
    }

    /// Whether nothing is on the list, and nothing was concerned by it.
    pub(super) fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    fn result(
        &mut self,
        line_number: u32,
        written: &str,
        effect: LineEffect,
        warning: Option<Fault>,
    ) {
        let mut result = LineResult {
            line_number,
            container_number: readable(written).unwrap_or_else(|| written.to_owned()),
            outcome: LineOutcome::Faulty,
            visit: None,
            faults: Vec::new(),
            conditions: Vec::new(),
            warnings: warning.into_iter().collect(),
        };
        match effect {
            LineEffect::Changed(outcome, visit, fact) => {
                self.changed.push(((*visit).clone(), fact));
                result.outcome = outcome;
                result.visit = Some(visit);
            }
            LineEffect::Repeated(visit) => {
                result.outcome = LineOutcome::Repeated;
                result.visit = Some(visit);
            }
            LineEffect::Kept(outcome, visit, conditions) => {
                result.outcome = outcome;
                result.visit = visit;
                result.conditions = conditions;
            }
            LineEffect::Faulty(faults) => result.faults = faults,
        }
        self.results.push(result);
    }

    /// Whether a line cannot be taken.
    pub(super) fn has_faulty(&self) -> bool {
        let mut results = self.results.iter();
        results.any(|line| line.outcome == LineOutcome::Faulty)
    }

    /// The stays that are not on the list, and that no line of it changed.
    pub(super) fn unlisted<'s>(
        &'s self,
        state: &'s State,
        site_id: &'s str,
    ) -> impl Iterator<Item = &'s ContainerVisit> {
        let here = state.visits.iter().map(|(_, visit)| visit);
        here.filter(move |visit| visit.site_id == site_id)
            .filter(|visit| !self.listed.contains(visit.container.as_str()))
            .filter(|visit| {
                !self
                    .changed
                    .iter()
                    .any(|(changed, _)| changed.id == visit.id)
            })
    }

    /// What was announced for this train or barge and is not on the list did not come.
    fn short_land(&mut self, state: &State, conveyance: &Conveyance) {
        let missing: Vec<ContainerVisit> = self
            .unlisted(state, &conveyance.site_id)
            .filter_map(|visit| arrival_list::short_land(visit, conveyance))
            .collect();
        for visit in missing {
            let container = visit.container.clone();
            let effect = LineEffect::Changed(
                LineOutcome::ShortLanded,
                Box::new(visit),
                ContainerVisitFact::ShortLanded,
            );
            self.take_unlisted(container.as_str(), effect);
        }
    }

    pub(super) fn finish(
        self,
        state: &mut State,
        context: &Context<'_>,
    ) -> (Vec<LineResult>, Vec<Fact>) {
        if self.validate_only {
            return (self.results, Vec::new());
        }
        let mut facts = Vec::new();
        let mut seeds = Seeds::default();
        for (visit, fact) in self.changed {
            seeds.containers.insert(visit.container.as_str().to_owned());
            facts.push(publish::container_visit(
                fact,
                &visit,
                &self.actor.party,
                self.observed_at,
                context.now,
            ));
            state.visits.put(visit.id.as_str().to_owned(), visit);
        }
        facts.extend(reconsider::concerned(state, &seeds, context));
        (self.results, facts)
    }
}
