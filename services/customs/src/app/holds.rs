//! Placing and lifting customs' and quarantine's holds. A hold on a declaration or on a container visit also
//! withholds customs' own release, so these name the declarations that it concerns. So does one on a party, which
//! may concern very many: the oldest are decided with the hold, the timer goes on with the rest. Until then what
//! is released of them stays so to others; nothing more is, for every decision looks at the holds themselves.
//! Others are published and weighed by gate and release.

use fabric::{Decision, Subjects};
use kernel::{ContainerNumber, Fault, Refusal};
use proto::customs::v1 as wire;
use uuid::Uuid;

use super::desk::{Desk, respond};
use super::state::subject;
use crate::domain::Actor;
use crate::domain::hold::{Hold, HoldKind, Scope, ScopeKind};
use crate::domain::matching::container_key;
use crate::domain::visit::container_of;
use crate::grpc::response;

/// The most declarations of a party that one hold, or one turn of the timer, has decided again.
pub const HELD_DECLARATIONS_MAX: i64 = 200;

/// Places a hold.
#[derive(Clone, Debug)]
pub struct PlaceHold {
    /// Who places it.
    pub actor: Actor,
    /// On what.
    pub target: Target,
    /// Which kind of reason.
    pub kind: HoldKind,
    /// Why.
    pub reason: String,
}

/// What is to be held, as the officer names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one visit of this container that is not over.
    Container(ContainerNumber),
    /// A container visit by its id.
    Visit(String, ContainerNumber),
    /// A declaration.
    Declaration(Uuid),
    /// A plate, party or stock list.
    Other(Scope),
}

impl PlaceHold {
    /// What it says itself that it touches.
    pub fn subjects(&self) -> Subjects {
        match &self.target {
            Target::Container(container) => {
                Subjects::new().write(subject::KEY, container_key(container))
            }
            Target::Visit(visit_id, container) => Subjects::new()
                .write(subject::KEY, container_key(container))
                .read(subject::VISIT, visit_id),
            Target::Declaration(id) => Subjects::new().write(subject::DECLARATION, id.to_string()),
            Target::Other(scope) => Subjects::new().write(subject::SCOPE, scope.topic_key()),
        }
    }

    /// The container whose declarations it may concern.
    pub fn container(&self) -> Option<&ContainerNumber> {
        match &self.target {
            Target::Container(container) | Target::Visit(_, container) => Some(container),
            Target::Declaration(_) | Target::Other(_) => None,
        }
    }

    /// Decides it.
    pub fn decide(&self, mut desk: Desk<'_>) -> Decision {
        let scope = match self.scope(&desk) {
            Ok(scope) => scope,
            Err(refusal) => return Decision::refuse(refusal),
        };
        let hold = Hold {
            hold_id: desk.context.new_id(),
            scope: scope.clone(),
            kind: self.kind,
            placed_by_party: self.actor.party.clone(),
            placed_by_subject: self.actor.subject.clone(),
            reason: self.reason.clone(),
            placed_at: desk.now(),
            lifted: None,
        };
        desk.place(hold.clone());
        advance_held(&mut desk, &scope);
        respond(
            &wire::PlaceHoldResponse {
                hold: Some(response::hold(&hold)),
            },
            desk.facts,
        )
    }

    fn scope(&self, desk: &Desk<'_>) -> Result<Scope, Refusal> {
        match &self.target {
            Target::Other(scope) => Ok(scope.clone()),
            Target::Declaration(id) => {
                let known = desk
                    .state
                    .declarations
                    .get(id)
                    .is_some_and(|declaration| !declaration.is_rejected());
                known
                    .then(|| Scope::new(ScopeKind::Declaration, id.to_string()))
                    .ok_or_else(|| Refusal::not_found("declaration", id.to_string()))
            }
            Target::Visit(visit_id, container) => {
                let known = desk
                    .state
                    .visits_of(container)
                    .iter()
                    .any(|visit| visit.visit_id == *visit_id);
                known
                    .then(|| Scope::new(ScopeKind::ContainerVisit, visit_id))
                    .ok_or_else(|| Refusal::not_found("container visit", visit_id))
            }
            Target::Container(container) => {
                let current: Vec<_> = desk
                    .state
                    .visits_of(container)
                    .into_iter()
                    .filter(|visit| !visit.phase.is_over())
                    .collect();
                match current.as_slice() {
                    [visit] => Ok(Scope::new(ScopeKind::ContainerVisit, &visit.visit_id)),
                    [] => Err(Refusal::not_found(
                        "container visit of",
                        container.to_string(),
                    )),
                    several => {
                        let names: Vec<_> = several
                            .iter()
                            .map(|visit| visit.visit_id.as_str())
                            .collect();
                        let message = format!(
                            "Several visits of {container} are known; name the one that is meant."
                        );
                        let fault = Fault::new(
                            "CONTAINER_VISIT_AMBIGUOUS",
                            "scope.key",
                            container,
                            "one visit",
                            names.join(", "),
                        );
                        Err(Refusal::invalid("CONTAINER_VISIT_AMBIGUOUS", message)
                            .with_fault(fault))
                    }
                }
            }
        }
    }
}

/// Lifts a hold.
#[derive(Clone, Debug)]
pub struct LiftHold {
    /// Who lifts it.
    pub actor: Actor,
    /// The hold.
    pub hold_id: Uuid,
    /// Why.
    pub reason: String,
}

impl LiftHold {
    /// What it says itself that it touches.
    pub fn subjects(&self) -> Subjects {
        Subjects::new().write(subject::HOLD, self.hold_id.to_string())
    }

    /// Decides it. Lifting what was lifted answers with the hold as it is.
    pub fn decide(&self, mut desk: Desk<'_>) -> Decision {
        let Some(hold) = desk.state.hold(self.hold_id) else {
            return Decision::refuse(Refusal::not_found("hold", self.hold_id.to_string()));
        };
        let after = match hold.lift(&self.actor.subject, &self.reason, desk.now()) {
            Some(lifted) => {
                desk.place(lifted.clone());
                advance_held(&mut desk, &lifted.scope);
                lifted
            }
            None => hold,
        };
        respond(
            &wire::LiftHoldResponse {
                hold: Some(response::hold(&after)),
            },
            desk.facts,
        )
    }
}

/// Moves on every declaration that a hold on this scope concerns.
fn advance_held(desk: &mut Desk<'_>, scope: &Scope) {
    let concerned: Vec<Uuid> = desk
        .state
        .declarations
        .iter()
        .filter(|(_, declaration)| declaration.hold_scopes().contains(scope))
        .map(|(id, _)| *id)
        .collect();
    for id in concerned {
        desk.advance(id);
    }
}

/// Has declarations decided again that were last decided before a hold on a party of theirs came or went.
pub fn weigh_party_holds(mut desk: Desk<'_>) -> Decision {
    let holds = |scope: &_| desk.state.holds_on(scope);
    let concerned: Vec<Uuid> = desk
        .state
        .declarations
        .iter()
        .filter(|(_, declaration)| declaration.party_held != declaration.has_held_party(&holds))
        .map(|(id, _)| *id)
        .collect();
    for id in concerned {
        desk.advance(id);
    }
    Decision::applied().with_facts(desk.facts)
}

/// The subject whose holds are those on a party.
pub fn party_subject(party: &str) -> String {
    Scope::new(ScopeKind::Party, party).topic_key()
}

/// What a hold on this scope touches.
pub fn subjects_of(scope: &Scope) -> Subjects {
    match scope.kind {
        ScopeKind::ContainerVisit => {
            let visit = Subjects::new().read(subject::VISIT, &scope.key);
            container_of(&scope.key)
                .iter()
                .fold(visit, |subjects, container| {
                    subjects.write(subject::KEY, container_key(container))
                })
        }
        ScopeKind::Declaration => Subjects::new().write(subject::DECLARATION, &scope.key),
        ScopeKind::StockList | ScopeKind::Plate | ScopeKind::Party => {
            Subjects::new().write(subject::SCOPE, scope.topic_key())
        }
    }
}
