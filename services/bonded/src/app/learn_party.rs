//! The register's word on a party is kept.

use fabric::{Decision, Subjects};

use super::{State, kind};
use crate::domain::party::KnownParty;

pub fn subjects(party: &KnownParty) -> Subjects {
    Subjects::new().write(kind::PARTY, &party.party_id)
}

pub fn decide(state: &mut State, party: &KnownParty) -> Decision {
    if party.replaces(state.parties.get(&party.party_id)) {
        state.parties.put(party.party_id.clone(), party.clone());
    }
    Decision::applied()
}
