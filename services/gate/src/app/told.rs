//! What the other services told: kept as gate's own copy, the highest version wins. A decision that asks
//! for its release back is answered here, because gate owns the barrier (gate rule 12).

use fabric::{Context, Fact};

use super::{Answer, Outcome, Seeds, State, passes, reconsider};
use crate::domain::container_visit::Phase;
use crate::domain::hold::Hold;
use crate::domain::knowledge::{
    AnsweredAsk, CarryMandate, Clearance, InvalidationAsk, KnownDeclaration, KnownParty,
    ReleaseDecision, list_of_decision_key,
};
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

/// A declaration; and the answers, each once, while customs asks whether it can be taken back. What is answered
/// as applied is barred at once: release may not have heard of it yet (gate rule 12).
pub fn declaration(
    state: &mut State,
    declaration: &KnownDeclaration,
    asks: &[InvalidationAsk],
    context: &Context<'_>,
) -> Vec<Fact> {
    let held = state.declarations.get(&declaration.declaration_id);
    if held.is_some_and(|held| !declaration.told.is_newer_than(&held.told)) {
        return Vec::new();
    }
    let id = &declaration.declaration_id;
    state.declarations.put(id.clone(), declaration.clone());
    let mut freed = Seeds::default();
    if declaration.stands(asks) {
        let decisions = state.decisions.iter();
        let barred = decisions.filter(|(_, decision)| decision.barred_by.as_ref() == Some(id));
        let barred: Vec<String> = barred.map(|(about, _)| about.clone()).collect();
        for about in barred {
            freed.add(Seeds::of_decision(&about));
            if let Some(decision) = state.decisions.edit(&about) {
                decision.barred_by = None;
            }
        }
    }
    let mut facts = reconsider::concerned(state, &freed, context);
    for ask in asks {
        let Some((applied, fact)) = answer(state, &ask.ask_id, &ask.about, context) else {
            continue;
        };
        if applied {
            bar(state, &ask.about, id, context);
        }
        facts.push(fact);
    }
    facts
}

fn bar(state: &mut State, about: &str, declaration_id: &str, context: &Context<'_>) {
    let held = state.decisions.iter().find(|(id, _)| *id == about);
    let mut decision = held.map_or_else(
        || ReleaseDecision::none_yet(about, context.now),
        |(_, held)| held.clone(),
    );
    decision.barred_by = Some(declaration_id.to_owned());
    state.decisions.put(about.to_owned(), decision);
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
        let told = decision.told_after(held);
        state
            .decisions
            .put(decision.container_visit_id.clone(), told);
    }
    let answered =
        ask.and_then(|ask_id| answer(state, ask_id, &decision.container_visit_id, context));
    answered.map(|(_, fact)| fact).into_iter().collect()
}

/// Answers an ask, once: too late if the goods have left; whether it was applied. What gate does not know can never leave on what is
/// asked back: applied, and remembered (gate rule 12).
fn answer(
    state: &mut State,
    ask_id: &str,
    about: &str,
    context: &Context<'_>,
) -> Option<(bool, Fact)> {
    if state.asks.iter().any(|(id, _)| id == ask_id) {
        return None;
    }
    let mut answered = AnsweredAsk {
        ask_id: ask_id.to_owned(),
        container_visit_id: String::new(),
        list_number: String::new(),
        too_late: false,
    };
    if let Some(number) = list_of_decision_key(about) {
        answered.too_late = passes::have_left(state, number);
        number.clone_into(&mut answered.list_number);
    } else {
        let mut stays = state.visits.iter().map(|(_, visit)| visit);
        let stay = stays.find(|visit| visit.id.as_str() == about);
        answered.too_late = stay.is_some_and(|visit| visit.phase == Phase::Departed);
        about.clone_into(&mut answered.container_visit_id);
    }
    let (applied, fact) = (!answered.too_late, publish::answer(&answered, context.now));
    state.asks.put(ask_id.to_owned(), answered);
    Some((applied, fact))
}
