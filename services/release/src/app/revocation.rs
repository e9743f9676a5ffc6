//! Taking a granted release back: a hold that keeps it from being granted anew, the ask to gate that
//! follows from it, and gate's answer.

use std::collections::BTreeSet;

use fabric::{Context, Decision};
use kernel::Refusal;

use super::state::State;
use super::{Answer, Heading, commercial_release, hears, reconsider};
use crate::domain::decision::DecisionState;
use crate::domain::hold::{self, HoldKind, Placing, Scope, ScopeKind};
use crate::domain::reader::Reader;
use crate::events::publish::{self, About};
use crate::grpc::respond;

/// Somebody takes a granted release back.
#[derive(Clone, Debug)]
pub struct RevokeRelease {
    /// Who asks.
    pub by: Reader,
    /// The stay.
    pub container_visit_id: String,
    /// Why.
    pub reason: String,
    /// The decision's version it was read at; 0: not checked.
    pub expected_version: u64,
    /// Only check.
    pub validate_only: bool,
}

/// Decides on it.
pub fn revoke(state: &mut State, command: &RevokeRelease, context: &Context<'_>) -> Decision {
    match try_revoke(state, command, context) {
        Ok(decision) => decision,
        Err(refusal) => Decision::refuse(*refusal),
    }
}

fn try_revoke(
    state: &mut State,
    command: &RevokeRelease,
    context: &Context<'_>,
) -> Result<Decision, Box<Refusal>> {
    let not_found = || {
        Box::new(Refusal::not_found(
            "container visit",
            &command.container_visit_id,
        ))
    };
    let visit = state
        .visit_by_id(&command.container_visit_id)
        .ok_or_else(not_found)?;
    let kind = if command.by.reads_everything() {
        HoldKind::Legal
    } else {
        HoldKind::Commercial
    };
    let scope = Scope::new(ScopeKind::ContainerVisit, &command.container_visit_id);
    let placing = Placing {
        scope: scope.clone(),
        kind,
        reason: &command.reason,
    };
    let role = hold::role_to_place(&placing, &command.by, Some(&visit.stay))?;
    visit.decision.may_be_revoked(command.expected_version)?;
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
    let number = visit.stay.container_number.clone();
    if command.validate_only {
        return Ok(Decision::respond(respond::release_revoked(
            visit,
            None,
            &command.by,
        )));
    }
    let mut facts = vec![publish::hold(&placed, context.now)];
    state.put_hold(placed.clone());
    let untouched = BTreeSet::new();
    facts.extend(reconsider::container(state, &number, &untouched, context));
    let visit = state
        .visit_by_id(&command.container_visit_id)
        .ok_or_else(not_found)?;
    Ok(
        Decision::respond(respond::release_revoked(visit, Some(&placed), &command.by))
            .with_facts(facts),
    )
}

/// Gate has answered an ask. Applied: the release is revoked and decided anew at once. A line's revocation
/// that waited for the answer may be settled by it, and then more is decided anew.
pub fn answered(
    state: &mut State,
    heading: &Heading,
    answer: &Answer,
    context: &Context<'_>,
) -> Decision {
    let mut published = Vec::new();
    let mut touched = BTreeSet::new();
    if let (Some(ask_id), Some(visit)) =
        (answer.ask_id, state.visit_by_id(&answer.container_visit_id))
    {
        let mut visit = visit.clone();
        let decisions = visit.decision.answered(ask_id, answer.verdict, context.now);
        if decisions
            .iter()
            .any(|decision| decision.state == Some(DecisionState::Revoked))
        {
            touched.insert(answer.container_visit_id.clone());
        }
        published.extend(decisions.iter().filter_map(|decision| {
            publish::decision(About::Stay(&visit.stay), decision, context.now)
        }));
        state.put_visit(visit);
    }
    let list = (!answer.list_number.is_empty())
        .then(|| state.lists.get(&answer.list_number).cloned())
        .flatten();
    if let (Some(ask_id), Some(mut list)) = (answer.ask_id, list) {
        let decisions = list.decision.answered(ask_id, answer.verdict, context.now);
        let decisions = decisions.iter();
        published.extend(
            decisions.filter_map(|decision| {
                publish::decision(About::List(&list), decision, context.now)
            }),
        );
        state.put_list(list);
    }
    let mut facts = hears::told_answer(state, heading, answer, context);
    let (settled, waited) = commercial_release::answered(state, answer, context);
    facts.extend(settled);
    facts.extend(published);
    touched.extend(waited);
    let numbers: BTreeSet<String> = touched
        .iter()
        .filter_map(|visit| state.visit_by_id(visit))
        .map(|visit| visit.stay.container_number.clone())
        .collect();
    facts.extend(reconsider::containers(
        state,
        numbers.iter().map(String::as_str),
        &touched.iter().map(String::as_str).collect(),
        context,
    ));
    // Applied or too late: what of a list is still to move is decided anew.
    if !answer.list_number.is_empty() {
        facts.extend(reconsider::lists(
            state,
            [answer.list_number.as_str()],
            context,
        ));
    }
    Decision::applied().with_facts(facts)
}
