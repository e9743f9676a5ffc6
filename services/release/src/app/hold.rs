//! Placing and lifting the holds that release keeps: commercial, finance, legal.

use fabric::{Context, Decision, Fact};
use kernel::{Fault, Refusal};

use super::hears;
use super::links::own_hold;
use super::state::State;
use crate::domain::container_visit::ContainerVisit;
use crate::domain::hold::{self, Hold, HoldKind, Placing, Scope, ScopeKind};
use crate::domain::reader::Reader;
use crate::events::publish;
use crate::grpc::respond;

/// Somebody places a hold.
#[derive(Clone, Debug)]
pub struct PlaceHold {
    /// Who asks.
    pub by: Reader,
    /// What to hold.
    pub target: HoldTarget,
    /// Which kind.
    pub kind: HoldKind,
    /// Why.
    pub reason: String,
    /// Only check.
    pub validate_only: bool,
}

/// What to hold, as somebody names it.
#[derive(Clone, Debug)]
pub enum HoldTarget {
    /// By its key.
    Scope(Scope),
    /// A container's number: its one open stay.
    ContainerNumber(String),
}

/// Somebody lifts a hold.
#[derive(Clone, Debug)]
pub struct LiftHold {
    /// Who asks.
    pub by: Reader,
    /// The hold.
    pub hold_id: String,
    /// Why.
    pub reason: String,
    /// Only check.
    pub validate_only: bool,
}

/// Decides on placing one.
pub fn place(state: &mut State, command: &PlaceHold, context: &Context<'_>) -> Decision {
    match try_place(state, command, context) {
        Ok(decision) => decision,
        Err(refusal) => Decision::refuse(*refusal),
    }
}

fn try_place(
    state: &mut State,
    command: &PlaceHold,
    context: &Context<'_>,
) -> Result<Decision, Box<Refusal>> {
    let scope = match &command.target {
        HoldTarget::Scope(scope) => scope.clone(),
        HoldTarget::ContainerNumber(number) => one_open_stay(state, number, &command.by)?,
    };
    let placing = Placing {
        scope: scope.clone(),
        kind: command.kind,
        reason: &command.reason,
    };
    let stay = (scope.kind == ScopeKind::ContainerVisit)
        .then(|| state.visit_by_id(&scope.key))
        .flatten()
        .map(|visit| &visit.stay);
    let role = hold::role_to_place(&placing, &command.by, stay)?;
    let standing = state
        .holds
        .get(&scope)
        .map_or(0, |holds| holds.rows().filter(|hold| hold.stands()).count());
    let placed = hold::place(
        &placing,
        &command.by,
        role,
        standing,
        context.new_id(),
        context.now,
    )?;
    if command.validate_only {
        return Ok(Decision::respond(respond::hold_placed(&placed, true)));
    }
    let facts = apply(state, &placed, context);
    Ok(Decision::respond(respond::hold_placed(&placed, false)).with_facts(facts))
}

/// The one open stay of a container that the caller may hold; several must be told apart by site.
fn one_open_stay(state: &State, number: &str, by: &Reader) -> Result<Scope, Box<Refusal>> {
    let may_hold = |visit: &&ContainerVisit| {
        let stay = &visit.stay;
        !stay.is_over()
            && (by.reads_everything()
                || by.is_terminal_of(&stay.site_id)
                || stay.is_carried_for(&by.party))
    };
    let visits = state.containers.get(&number.to_owned());
    let open: Vec<&str> = visits
        .into_iter()
        .flat_map(|visits| visits.rows())
        .filter(may_hold)
        .map(|visit| visit.stay.container_visit_id.as_str())
        .collect();
    match open.as_slice() {
        [] => Err(Box::new(Refusal::not_found("container", number))),
        [one] => Ok(Scope::new(ScopeKind::ContainerVisit, *one)),
        several => Err(Box::new(
            Refusal::invalid(
                "CONTAINER_VISIT_AMBIGUOUS",
                "The container has more than one open stay; name one of them.",
            )
            .with_fault(Fault::new(
                "CONTAINER_VISIT_AMBIGUOUS",
                "scope.key",
                number,
                "one open stay",
                format!("Name one of {}.", several.join(", ")),
            )),
        )),
    }
}

/// Decides on lifting one.
pub fn lift(state: &mut State, command: &LiftHold, context: &Context<'_>) -> Decision {
    let id = own_hold(&command.hold_id);
    let Some(held) = state
        .holds
        .iter()
        .find_map(|(_, holds)| holds.get(&id))
        .cloned()
    else {
        return Decision::refuse(Refusal::not_found("hold", &command.hold_id));
    };
    match held.lift(&command.by, &command.reason, context.now) {
        Err(refusal) => Decision::refuse(*refusal),
        Ok(None) => Decision::respond(respond::hold_lifted(&held, true)),
        Ok(Some(lifted)) if command.validate_only => {
            Decision::respond(respond::hold_lifted(&lifted, false))
        }
        Ok(Some(lifted)) => {
            let facts = apply(state, &lifted, context);
            Decision::respond(respond::hold_lifted(&lifted, false)).with_facts(facts)
        }
    }
}

/// Keeps the hold, publishes it, and weighs it.
fn apply(state: &mut State, hold: &Hold, context: &Context<'_>) -> Vec<Fact> {
    let mut facts = vec![publish::hold(hold, context.now)];
    state.put_hold(hold.clone());
    facts.extend(hears::weighed_anew(state, hold, context));
    facts
}
