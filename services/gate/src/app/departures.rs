//! What leaves by train or barge: lifted on, and gone when it leaves. Line by line; a line that may not go
//! does not hold up the others (gate rule 17).

use chrono::{DateTime, Utc};
use fabric::Context;

use super::arrivals::{List, head, readable};
use super::{Answer, Outcome, Rules, State};
use crate::domain::arrival_list::{Conveyance, LineEffect, ListHead};
use crate::domain::container_visit::ContainerVisit;
use crate::domain::departure_list::{self, WrittenLoad};
use crate::domain::filing::{ARRIVED_AGO_HOURS_MAX, Faults};
use crate::domain::{Actor, admission, readiness};

/// "These were lifted on."
#[derive(Clone, Debug)]
pub struct RecordLoading {
    /// Who asks.
    pub actor: Actor,
    /// Only check.
    pub validate_only: bool,
    /// The list's head.
    pub head: ListHead,
    /// When.
    pub loaded_at: Option<DateTime<Utc>>,
    /// What was lifted on.
    pub lines: Vec<WrittenLoad>,
}

/// "It has left."
#[derive(Clone, Debug)]
pub struct RecordDeparture {
    /// Who asks.
    pub actor: Actor,
    /// Only check.
    pub validate_only: bool,
    /// The list's head.
    pub head: ListHead,
    /// When.
    pub departed_at: Option<DateTime<Utc>>,
    /// The departure list; empty: all that were lifted on.
    pub containers: Vec<String>,
}

impl RecordLoading {
    /// The containers that can be read.
    pub fn container_numbers(&self) -> impl Iterator<Item = String> + '_ {
        let lines = self.lines.iter();
        lines.filter_map(|line| readable(&line.container_number))
    }
}

impl RecordDeparture {
    /// The containers that can be read.
    pub fn container_numbers(&self) -> impl Iterator<Item = String> + '_ {
        let lines = self.containers.iter();
        lines.filter_map(|written| readable(written))
    }
}

/// Records what was lifted on.
pub fn load(
    state: &mut State,
    command: &RecordLoading,
    context: &Context<'_>,
    rules: &Rules,
) -> Outcome {
    let mut faults = Faults::default();
    let (said, now) = (command.loaded_at, context.now);
    let loaded_at = faults.observed("loaded_at", said, ARRIVED_AGO_HOURS_MAX, now);
    let count = command.lines.len();
    let conveyance = head(state, &command.actor, &command.head, count, faults)?;
    let mut list = List::new(command.validate_only, &command.actor, loaded_at);
    for (index, line) in command.lines.iter().enumerate() {
        let path = format!("containers[{index}]");
        let effect = match departure_list::read_load(&path, line) {
            Ok(read) => {
                let last = list.last(state, &conveyance.site_id, read.container.as_str());
                let judged = last.as_ref().map(|visit| {
                    let view = state.view_of_visit(visit, context);
                    let here = view.containers.iter();
                    let against = here
                        .flat_map(|c| admission::at_loading(c, &view, rules.decision_age_max))
                        .collect();
                    (against, admission::evidence(&view))
                });
                departure_list::load(
                    &read,
                    &conveyance,
                    (said, now),
                    last.as_ref(),
                    judged.unwrap_or_default(),
                )
            }
            Err(faults) => LineEffect::Faulty(faults),
        };
        let number_path = format!("{path}.container_number");
        list.take(index, &number_path, &line.container_number, effect);
    }
    let (results, facts) = list.finish(state, context);
    Ok((Answer::Loaded(results), facts))
}

/// Records that it has left: what was lifted on is gone, what was not stays in the yard.
pub fn depart(state: &mut State, command: &RecordDeparture, context: &Context<'_>) -> Outcome {
    let mut faults = Faults::default();
    let (said, now) = (command.departed_at, context.now);
    let departed_at = faults.observed("departed_at", said, ARRIVED_AGO_HOURS_MAX, now);
    let count = command.containers.len();
    let conveyance = head(state, &command.actor, &command.head, count, faults)?;
    let mut list = List::new(command.validate_only, &command.actor, departed_at);
    for (index, written) in command.containers.iter().enumerate() {
        let path = format!("container_numbers[{index}]");
        let effect = match departure_list::read_departing(&path, written) {
            Ok(container) => {
                let last = list.last(state, &conveyance.site_id, container.as_str());
                let against = last.as_ref().map(|visit| {
                    let view = state.view_of_visit(visit, context);
                    let here = view.containers.iter();
                    here.flat_map(|c| readiness::against_loading(c, &view))
                        .collect()
                });
                departure_list::depart(
                    &container,
                    &conveyance,
                    (said, now),
                    last.as_ref(),
                    against.unwrap_or_default(),
                )
            }
            Err(faults) => LineEffect::Faulty(faults),
        };
        list.take(index, &path, written, effect);
    }
    // Which container a line names that cannot be read is not known: it may be any that was lifted on.
    let certain = !list.has_faulty();
    let on_it: Vec<ContainerVisit> = list
        .unlisted(state, &conveyance.site_id)
        .filter(|visit| certain && visit.is_open() && is_on(visit, &conveyance))
        .cloned()
        .collect();
    for visit in on_it {
        let effect = if command.containers.is_empty() {
            departure_list::depart(
                &visit.container,
                &conveyance,
                (said, now),
                Some(&visit),
                Vec::new(),
            )
        } else {
            departure_list::leave_behind(&visit)
        };
        list.take_unlisted(visit.container.as_str(), effect);
    }
    // A departure that is told again tells nothing new; one of which nothing is known is a mistake.
    if list.is_empty() && !has_left(state, &conveyance, (said, now)) {
        return Err(departure_list::nothing_loaded(&conveyance));
    }
    let (results, facts) = list.finish(state, context);
    Ok((Answer::Departed(results), facts))
}

/// Whether this call of the train or barge has taken something along already.
fn has_left(
    state: &State,
    conveyance: &Conveyance,
    times: (Option<DateTime<Utc>>, DateTime<Utc>),
) -> bool {
    let mut stays = state.visits.iter().map(|(_, visit)| visit);
    stays.any(|visit| {
        visit.site_id == conveyance.site_id
            && departure_list::gone_with(Some(visit), conveyance, times).is_some()
    })
}

fn is_on(visit: &ContainerVisit, conveyance: &Conveyance) -> bool {
    visit.is_loaded_on(conveyance.mode, &conveyance.number)
}
