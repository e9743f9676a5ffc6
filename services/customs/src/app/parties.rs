//! The register of parties and mandates. A party is named with its identifiers, so that no two claim one; a
//! mandate with the party that gave it, so that a filing sees it or does not, never half.

use fabric::{Decision, Subjects};
use kernel::Refusal;
use proto::customs::v1 as wire;
use uuid::Uuid;

use super::desk::{Desk, respond};
use super::state::subject;
use crate::domain::Actor;
use crate::domain::party::{self, GrantMandate, PutParty};
use crate::events::publish;
use crate::grpc::response;

/// Enters or changes a party.
#[derive(Clone, Debug)]
pub struct PutPartyCommand {
    /// What is asked.
    pub asked: PutParty,
}

impl PutPartyCommand {
    /// What it says itself that it touches.
    pub fn subjects(&self) -> Subjects {
        let party = &self.asked.party;
        party.identifiers.iter().fold(
            Subjects::new().write(subject::PARTY, &party.party_id),
            |subjects, identifier| subjects.write(subject::IDENTIFIER, identifier.key()),
        )
    }

    /// Decides it.
    pub fn decide(&self, mut desk: Desk<'_>) -> Decision {
        let party_id = &self.asked.party.party_id;
        let owner =
            |identifier: &party::Identifier| desk.state.identifiers.get(&identifier.key()).cloned();
        let party = match party::put(desk.state.parties.get(party_id), owner, &self.asked) {
            Ok(party) => party,
            Err(refusal) => return Decision::refuse(refusal),
        };
        for identifier in &party.identifiers {
            desk.state
                .identifiers
                .put(identifier.key(), party_id.clone());
        }
        desk.facts.push(publish::party(&party, desk.context.now));
        desk.state.parties.put(party_id.clone(), party.clone());
        respond(
            &wire::PutPartyResponse {
                party: Some(response::party(&party, true)),
            },
            desk.facts,
        )
    }
}

/// Gives a mandate.
#[derive(Clone, Debug)]
pub struct GrantMandateCommand {
    /// What is asked.
    pub asked: GrantMandate,
    /// The id it shall have, where the caller derives it (seeds); none: a new one.
    pub mandate_id: Option<Uuid>,
}

impl GrantMandateCommand {
    /// What it says itself that it touches.
    pub fn subjects(&self) -> Subjects {
        Subjects::new()
            .write(subject::PARTY, &self.asked.grantor)
            .read(subject::PARTY, &self.asked.agent)
    }

    /// Decides it.
    pub fn decide(&self, mut desk: Desk<'_>) -> Decision {
        let id = self.mandate_id.unwrap_or_else(|| desk.context.new_id());
        let known = |party_id: &str| desk.state.parties.get(&party_id.to_owned()).is_some();
        let mandate = match party::grant(&self.asked, known, id, desk.now()) {
            Ok(mandate) => mandate,
            Err(refusal) => return Decision::refuse(refusal),
        };
        desk.facts
            .push(publish::mandate(&mandate, desk.context.now));
        desk.state.mandates.put(id, mandate.clone());
        respond(
            &wire::GrantMandateResponse {
                mandate: Some(response::mandate(&mandate)),
            },
            desk.facts,
        )
    }
}

/// Takes a mandate back.
#[derive(Clone, Debug)]
pub struct RevokeMandateCommand {
    /// Who takes it back.
    pub actor: Actor,
    /// Whether as an officer; else as the one who gave it.
    pub officer: bool,
    /// The mandate.
    pub mandate_id: Uuid,
    /// Why.
    pub reason: String,
}

impl RevokeMandateCommand {
    /// What it says itself that it touches.
    pub fn subjects(&self) -> Subjects {
        Subjects::new().write(subject::MANDATE, self.mandate_id.to_string())
    }

    /// Decides it. Taking back what was taken back answers with the mandate as it is.
    pub fn decide(&self, mut desk: Desk<'_>) -> Decision {
        let found = desk
            .state
            .mandates
            .get(&self.mandate_id)
            .filter(|mandate| self.officer || mandate.grantor == self.actor.party);
        let Some(mandate) = found.cloned() else {
            return Decision::refuse(Refusal::not_found("mandate", self.mandate_id.to_string()));
        };
        let after = match party::revoke(&mandate, &self.reason, desk.now()) {
            Some(revoked) => {
                desk.facts
                    .push(publish::mandate(&revoked, desk.context.now));
                desk.state.mandates.put(self.mandate_id, revoked.clone());
                revoked
            }
            None => mandate,
        };
        respond(
            &wire::RevokeMandateResponse {
                mandate: Some(response::mandate(&after)),
            },
            desk.facts,
        )
    }
}
