//! The register's word on a mandate is kept.

use fabric::{Decision, Subjects};

use super::{State, kind, lists};
use crate::domain::mandate::KnownMandate;

pub fn subjects(mandate: &KnownMandate) -> Subjects {
    Subjects::new()
        .write(kind::MANDATE, mandate.mandate_id.as_str())
        .write(
            kind::MANDATES_OF_PAIR,
            lists::mandate_key(&mandate.grantor_party, &mandate.agent_party),
        )
}

pub fn decide(state: &mut State, mandate: &KnownMandate) -> Decision {
    let held = state
        .mandates
        .iter()
        .find(|(id, _)| **id == mandate.mandate_id)
        .map(|(_, held)| held);
    if mandate.replaces(held) {
        state
            .mandates
            .put(mandate.mandate_id.clone(), mandate.clone());
    }
    Decision::applied()
}
