//! Whenever a fact changes, the filings and trucks that it concerns are looked at anew: READY, BLOCKED and
//! RECALLED are derived here and nowhere else.

use fabric::{Context, Fact};
use uuid::Uuid;

use super::{Seeds, State, lane, passes};
use crate::domain::admission;
use crate::domain::container_visit::{ContainerVisit, ContainerVisitFact};
use crate::domain::disclosure;
use crate::domain::knowledge::InspectionFlag;
use crate::domain::readiness::{self, ContainerView};
use crate::events::publish;

/// Looks anew at every filing and truck that these things concern.
pub fn concerned(state: &mut State, seeds: &Seeds, context: &Context<'_>) -> Vec<Fact> {
    let seeds = widened(state, seeds);
    let filings: Vec<Uuid> = state
        .pre_arrivals
        .iter()
        .filter(|(_, filing)| filing.is_open() && seeds.concern_filing(filing))
        .map(|(id, _)| *id)
        .collect();
    let trucks: Vec<Uuid> = state
        .truck_visits
        .iter()
        .filter(|(_, truck)| truck.is_inside() && seeds.concern_truck(truck))
        .map(|(id, _)| *id)
        .collect();
    let mut facts: Vec<Fact> = filings
        .iter()
        .filter_map(|id| filing(state, id, context))
        .collect();
    facts.extend(trucks.iter().filter_map(|id| truck(state, id, context)));
    facts.extend(loaded(state, &seeds, context));
    facts
}

/// Looks anew at what was lifted onto a train or barge that has not left. Where something stands against its
/// going now, the loading is taken back: it stands in the yard again, and no departure list takes it along. So
/// an ask for its release is applied until the departure (gate rule 12), and a hold keeps it.
fn loaded(state: &mut State, seeds: &Seeds, context: &Context<'_>) -> Vec<Fact> {
    let stopped: Vec<ContainerVisit> = state
        .visits
        .iter()
        .map(|(_, visit)| visit)
        .filter(|visit| visit.is_open() && visit.loaded.is_some())
        .filter(|visit| seeds.containers.contains(visit.container.as_str()))
        .filter(|visit| {
            let view = state.view_of_visit(visit, context);
            let mut here = view.containers.iter();
            here.any(|container| !readiness::against_loading(container, &view).is_empty())
        })
        .cloned()
        .collect();
    let mut facts = Vec::new();
    for visit in stopped {
        let off = visit.taken_off();
        facts.push(publish::container_visit(
            ContainerVisitFact::Amended,
            &off,
            "",
            context.now,
            context.now,
        ));
        state.visits.put(off.id.as_str().to_owned(), off);
    }
    facts
}

/// Looks anew at every open filing of this batch that could be read whole: those that a timer led to.
pub fn filings(state: &mut State, context: &Context<'_>) -> Vec<Fact> {
    let open: Vec<Uuid> = state
        .pre_arrivals
        .iter()
        .filter(|(_, filing)| filing.is_open())
        .map(|(id, _)| *id)
        .collect();
    open.iter()
        .filter_map(|id| filing(state, id, context))
        .collect()
}

/// Looks anew at one filing.
pub fn filing(state: &mut State, id: &Uuid, context: &Context<'_>) -> Option<Fact> {
    let mut filing = state.pre_arrivals.get(id)?.clone();
    let view = state.view_of_filing(&filing, context);
    let standing = disclosure::standing(filing.kind, &view);
    let before = filing.clone();
    let fact = filing.reconsidered(standing);
    passes::number(state, &mut filing, context);
    if filing != before {
        state.pre_arrivals.put(*id, filing.clone());
    }
    fact.map(|fact| publish::pre_arrival(fact, &filing, context.now))
}

/// Looks anew at one truck that is inside. Customs' flag may have turned true after gate-in: then the truck
/// goes to the site's inspection sites (gate rule 2).
pub fn truck(state: &mut State, id: &Uuid, context: &Context<'_>) -> Option<Fact> {
    let mut truck = state.truck_visits.get(id)?.clone();
    if !truck.is_inside() {
        return None;
    }
    let asked = {
        let view = state.view_of_truck(&truck, context);
        view.containers.iter().map(ContainerView::inspection).max()
    };
    match (asked, state.site(&truck.site_id)) {
        (Some(InspectionFlag::Yes), Some(site)) => {
            lane::customs_inspection(&mut truck, site, context.new_id(), context.now)
        }
        (Some(InspectionFlag::No), _) => lane::customs_asks_no_more(&mut truck, context.now),
        _ => {}
    }
    let conditions = {
        let view = state.view_of_truck(&truck, context);
        admission::while_inside(&truck, &view)
    };
    let fact = truck.reconsidered_inside(conditions);
    let published = fact.map(|fact| publish::truck_visit(fact, &truck, context.now, context.now));
    if state.truck_visits.get(id) != Some(&truck) {
        state.truck_visits.put(*id, truck);
    }
    published
}

/// Declarations lead to containers, holds to what they are on.
fn widened(state: &State, seeds: &Seeds) -> Seeds {
    let mut wide = seeds.clone();
    for key in &seeds.holds {
        if let Some(hold) = state.holds.get(key) {
            wide.add(Seeds::of_scope(&hold.scope));
        }
    }
    let declarations = wide.declarations.clone();
    for (id, declaration) in state.declarations.iter() {
        if declarations.contains(id) {
            wide.references.insert(declaration.mrn.clone());
            wide.references.insert(declaration.lrn.clone());
        }
    }
    for (number, clearance) in state.clearances.iter() {
        if clearance
            .consignments
            .iter()
            .any(|c| declarations.contains(&c.declaration_id))
        {
            wide.containers.insert(number.clone());
        }
    }
    wide
}
