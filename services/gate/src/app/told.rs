//! What the other services told: kept as gate's own copy, the highest version wins. A decision that asks
//! for its release back is answered here, because gate owns the barrier (gate rule 12).

use fabric::{Context, Fact};

use super::{Answer, Outcome, State};
use crate::domain::container_visit::Phase;
use crate::domain::hold::Hold;
use crate::domain::knowledge::{AnsweredAsk, CarryMandate, Clearance, KnownParty, ReleaseDecision};
use crate::domain::site::Site;
use crate::events::publish;

/// A site, from the seeds: told to the others when it is new or another than before.
pub fn site(state: &mut State, site: &Site, context: &Context<'_>) -> Outcome {
    if state.site(&site.site_id) == Some(site) {
        return Ok((Answer::SiteDeclared, Vec::new()));
    }
    let version = state.site_versions.entry(site.site_id.clone()).or_default();
    *version += 1;
    let fact = publish::site(site, *version, context.now);
    state.sites.put(site.site_id.clone(), site.clone());
    Ok((Answer::SiteDeclared, vec![fact]))
}

/// A party.
pub fn party(state: &mut State, party: &KnownParty) {
    let held = state.parties.get(&party.party_id);
    if held.is_none_or(|held| party.told.is_newer_than(&held.told)) {
        state.parties.put(party.party_id.clone(), party.clone());
    }
}

/// A mandate.
pub fn mandate(state: &mut State, mandate: &CarryMandate) {
    let held = state
        .mandates
        .iter()
        .find(|(id, _)| **id == mandate.mandate_id)
        .map(|(_, held)| held);
    if held.is_none_or(|held| mandate.told.is_newer_than(&held.told)) {
        state
            .mandates
            .put(mandate.mandate_id.clone(), mandate.clone());
    }
}

/// A hold of customs or release.
pub fn hold(state: &mut State, hold: &Hold) {
    let after = match state.holds.get(&hold.key()) {
        Some(held) => held.told_again(hold.clone()),
        None => hold.clone(),
    };
    state.holds.put(hold.key(), after);
}

/// Customs' word on a container.
pub fn clearance(state: &mut State, clearance: &Clearance) {
    let held = state.clearances.get(&clearance.container_number);
    if held.is_none_or(|held| clearance.told.is_newer_than(&held.told)) {
        state
            .clearances
            .put(clearance.container_number.clone(), clearance.clone());
    }
}

/// A decision; and the answer, once, if it asks for its release back.
pub fn decision(
    state: &mut State,
    decision: &ReleaseDecision,
    ask: Option<&str>,
    context: &Context<'_>,
) -> Vec<Fact> {
    let held = state
        .decisions
        .iter()
        .find(|(id, _)| **id == decision.container_visit_id)
        .map(|(_, held)| held);
    if held.is_none_or(|held| decision.told.is_newer_than(&held.told)) {
        state
            .decisions
            .put(decision.container_visit_id.clone(), decision.clone());
    }
    let Some(ask_id) = ask else { return Vec::new() };
    if state.asks.iter().any(|(id, _)| id == ask_id) {
        return Vec::new();
    }
    let stay = state
        .visits
        .iter()
        .map(|(_, visit)| visit)
        .find(|visit| visit.id.as_str() == decision.container_visit_id);
    // A stay that gate does not know can never leave on it: applied, and remembered.
    let too_late = stay.is_some_and(|visit| visit.phase == Phase::Departed);
    let answered = AnsweredAsk {
        ask_id: ask_id.to_owned(),
        container_visit_id: decision.container_visit_id.clone(),
        too_late,
    };
    let fact = publish::answer(&answered, context.now);
    state.asks.put(ask_id.to_owned(), answered);
    vec![fact]
}
