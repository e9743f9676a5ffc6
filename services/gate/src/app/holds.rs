//! Terminal and safety holds: placed by a terminal, lifted by who placed them.

use fabric::Context;
use kernel::Refusal;

use super::{Answer, Outcome, Seeds, State, reconsider};
use crate::domain::Actor;
use crate::domain::filing::Faults;
use crate::domain::hold::{
    HOLD_REASON_CHARS_MAX, Hold, HoldKind, Keeper, Lifting, Scope, ScopeKind,
};
use crate::events::publish;

/// A hold to place.
#[derive(Clone, Debug)]
pub struct PlaceHold {
    /// Who asks.
    pub actor: Actor,
    /// Only check.
    pub validate_only: bool,
    /// The site whose terminal asks.
    pub site_id: String,
    /// On what; a container visit by id or by container number. None if it cannot be read.
    pub scope: Option<Scope>,
    /// Terminal or safety; none if it is neither.
    pub kind: Option<HoldKind>,
    /// Why.
    pub reason: String,
}

/// A hold to lift.
#[derive(Clone, Debug)]
pub struct LiftHold {
    /// Who asks.
    pub actor: Actor,
    /// The hold.
    pub hold_id: String,
    /// Why.
    pub reason: String,
}

/// Places.
pub fn place(state: &mut State, command: &PlaceHold, context: &Context<'_>) -> Outcome {
    command
        .actor
        .must_run(state.site(&command.site_id), &command.site_id)?;
    let mut faults = Faults::default();
    let scope = command
        .scope
        .as_ref()
        .and_then(|scope| on(state, &command.site_id, scope, &mut faults));
    if command.scope.is_none() {
        faults.add(
            "HOLD_SCOPE_INVALID",
            "scope",
            "",
            "a container visit, a plate or a party",
            "Say what is to be held.",
        );
    }
    if !matches!(command.kind, Some(HoldKind::Terminal | HoldKind::Safety)) {
        faults.add(
            "HOLD_KIND_INVALID",
            "kind",
            "",
            "TERMINAL or SAFETY",
            "Other holds are placed with customs or release.",
        );
    }
    let reason = faults.text("reason", &command.reason, HOLD_REASON_CHARS_MAX);
    let (Some(scope), Some(kind), Some(reason), true) =
        (scope, command.kind, reason, faults.is_empty())
    else {
        return Err(super::filings::faulty(faults));
    };
    let hold = Hold {
        keeper: Keeper::Gate,
        hold_id: context.new_id().to_string(),
        scope,
        kind,
        placed_by_party: command.actor.party.clone(),
        placed_by_subject: command.actor.subject.clone(),
        reason,
        placed_at: context.now,
        lifted: None,
        event_id: String::new(),
    };
    if command.validate_only {
        return Ok((
            Answer::HoldPlaced(Hold {
                hold_id: String::new(),
                ..hold
            }),
            Vec::new(),
        ));
    }
    let mut facts = vec![publish::hold(&hold, context.now)];
    state.holds.put(hold.key(), hold.clone());
    facts.extend(reconsider::concerned(
        state,
        &Seeds::of_scope(&hold.scope),
        context,
    ));
    Ok((Answer::HoldPlaced(hold), facts))
}

/// Lifts. Lifting again is done already.
pub fn lift(state: &mut State, command: &LiftHold, context: &Context<'_>) -> Outcome {
    let absent = || Refusal::not_found("hold", command.hold_id.clone());
    let key = (Keeper::Gate, command.hold_id.clone());
    let mut hold = state.holds.get(&key).cloned().ok_or_else(absent)?;
    if hold.placed_by_party != command.actor.party {
        return Err(absent());
    }
    let mut faults = Faults::default();
    let Some(reason) = faults.text("reason", &command.reason, HOLD_REASON_CHARS_MAX) else {
        return Err(super::filings::faulty(faults));
    };
    if !hold.stands() {
        return Ok((Answer::HoldLifted(hold), Vec::new()));
    }
    hold.lifted = Some(Lifting {
        at: context.now,
        by_subject: command.actor.subject.clone(),
        reason,
    });
    let mut facts = vec![publish::hold(&hold, context.now)];
    state.holds.put(key, hold.clone());
    facts.extend(reconsider::concerned(
        state,
        &Seeds::of_scope(&hold.scope),
        context,
    ));
    Ok((Answer::HoldLifted(hold), facts))
}

/// What is held: a container number means its stay at the site.
fn on(state: &State, site_id: &str, scope: &Scope, faults: &mut Faults) -> Option<Scope> {
    match scope.kind {
        ScopeKind::ContainerVisit => {
            let number = scope.key.rsplit('/').nth(1).unwrap_or(&scope.key);
            let visit = state
                .open_visit(site_id, number)
                .filter(|visit| scope.key == number || visit.id.as_str() == scope.key);
            if visit.is_none() {
                faults.add(
                    "CONTAINER_VISIT_UNKNOWN",
                    "scope.key",
                    &scope.key,
                    "a stay at this site that is not over",
                    "Check the number; only what is announced or stands here can be held.",
                );
            }
            visit.map(|visit| Scope::new(ScopeKind::ContainerVisit, visit.id.as_str()))
        }
        ScopeKind::Plate | ScopeKind::Party if !scope.key.is_empty() => Some(scope.clone()),
        _ => {
            faults.add(
                "HOLD_SCOPE_INVALID",
                "scope",
                &scope.key,
                "a container visit, a plate or a party",
                "A terminal holds what passes its gate; declarations are held by customs.",
            );
            None
        }
    }
}
