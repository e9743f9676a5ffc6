//! The register of parties and mandates. A party is named with its identifiers, so that no two claim one; a
//! mandate with the party that gave it, so that a filing sees it or does not, never half.

use fabric::{Decision, Subjects};
use kernel::Refusal;
use proto::customs::v1 as wire;
use uuid::Uuid;

use super::desk::{Desk, respond};
use super::state::subject;
use crate::domain::Actor;
use crate::domain::party::{self, GrantMandate, Mandate, PutParty};
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
    /// What it says itself that it touches. What is passed on leads to the party whose mandate it is.
    pub fn subjects(&self) -> Subjects {
        let subjects = Subjects::new().read(subject::PARTY, &self.asked.agent);
        match self.asked.passed_on_from {
            None => subjects.write(subject::PARTY, &self.asked.giver),
            Some(id) => subjects
                .read(subject::PARTY, &self.asked.giver)
                .write(subject::MANDATE, id.to_string()),
        }
    }

    /// Decides it.
    pub fn decide(&self, mut desk: Desk<'_>) -> Decision {
        let id = self.mandate_id.unwrap_or_else(|| desk.context.new_id());
        let giver = desk.state.parties.get(&self.asked.giver);
        if giver.is_some_and(|giver| giver.suspended) {
            return Decision::refuse(Refusal::denied(
                "PARTY_SUSPENDED",
                "A firm that is suspended in the register of parties gives no mandates; ask customs.",
            ));
        }
        let known = |party_id: &str| desk.state.parties.get(&party_id.to_owned()).is_some();
        let source = self
            .asked
            .passed_on_from
            .and_then(|id| desk.state.mandates.get(&id));
        let standing = source.map_or(0, |source| {
            let mandates = desk.state.mandates.iter().map(|(_, mandate)| mandate);
            mandates
                .filter(|mandate| !mandate.chain.is_empty() && mandate.root() == source.root())
                .filter(|mandate| !mandate.is_over(desk.now()))
                .count()
        });
        let mandate = match party::grant(&self.asked, source, standing, known, id, desk.now()) {
            Ok(mandate) => mandate,
            Err(refusal) => return Decision::refuse(refusal),
        };
        desk.facts
            .push(publish::mandate(&mandate, desk.context.now));
        desk.state.mandates.put(id, mandate.clone());
        let answer = wire::GrantMandateResponse {
            mandate: Some(response::mandate(&mandate)),
        };
        respond(&answer, desk.facts).for_party(&mandate.grantor)
    }
}

/// Takes a mandate back, and with it whatever was passed on from it.
#[derive(Clone, Debug)]
pub struct RevokeMandateCommand {
    /// Who takes it back.
    pub actor: Actor,
    /// Whether as an officer; else as who gave it or passed it on.
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
            .filter(|mandate| self.officer || mandate.is_given_by(&self.actor.party));
        let Some(mandate) = found.cloned() else {
            return Decision::refuse(Refusal::not_found("mandate", self.mandate_id.to_string()));
        };
        let all = desk.state.mandates.iter().map(|(_, one)| one);
        let with_it: Vec<Mandate> = all
            .filter(|one| one.mandate_id == self.mandate_id || one.chain.contains(&self.mandate_id))
            .filter_map(|one| party::revoke(one, &self.reason, desk.now()))
            .collect();
        for revoked in with_it {
            desk.facts
                .push(publish::mandate(&revoked, desk.context.now));
            desk.state.mandates.put(revoked.mandate_id, revoked);
        }
        let after = desk.state.mandates.get(&self.mandate_id);
        let answer = wire::RevokeMandateResponse {
            mandate: Some(response::mandate(after.unwrap_or(&mandate))),
        };
        respond(&answer, desk.facts).for_party(&mandate.grantor)
    }
}
