//! What release hears from others, and from itself: each record is joined with what is known (the
//! highest version wins), kept in the timeline, told, and weighed anew where it may change a decision.

use std::collections::BTreeSet;

use fabric::{Context, Decision, Fact};

use super::tell::{self, Told};
use super::{Book, DecisionHeard, Heading, TruckVisit, reconsider, state::State};
use crate::domain::clearance::Clearance;
use crate::domain::condition::Condition;
use crate::domain::container_visit::{ContainerVisit, Stay};
use crate::domain::declaration::Declaration;
use crate::domain::hold::{Hold, ScopeKind};
use crate::domain::notice::{Concern, Concerned, Sort};
use crate::domain::party::KnownParty;
use crate::domain::pre_arrival::{PreArrival, PreArrivalContainer};
use crate::domain::site::Site;

/// A site: the newest is kept.
pub fn site(state: &mut State, site: &Site) -> Decision {
    if state
        .sites
        .get(&site.site_id)
        .is_none_or(|held| held.version < site.version)
    {
        state.sites.put(site.site_id.clone(), site.clone());
    }
    Decision::applied()
}

/// A party: the newest is kept.
pub fn party(state: &mut State, party: Option<&KnownParty>) -> Decision {
    if let Some(party) = party
        && state
            .parties
            .get(&party.party_id)
            .is_none_or(|held| held.version < party.version)
    {
        state.parties.put(party.party_id.clone(), party.clone());
    }
    Decision::applied()
}

/// A fact about a stay.
pub fn container_visit(
    state: &mut State,
    heading: &Heading,
    stay: &Stay,
    context: &Context<'_>,
) -> Decision {
    let visit = match state.visit(&stay.container_number, &stay.container_visit_id) {
        None => ContainerVisit::first_heard(stay.clone(), heading.recorded_at),
        Some(known) => {
            let mut visit = known.clone();
            visit.learn(stay.clone(), heading.recorded_at);
            visit
        }
    };
    state.put_visit(visit);
    let decided = reconsider::container(
        state,
        &stay.container_number,
        Some(&stay.container_visit_id),
        context,
    );
    let concerned = concerned_with(state, &stay.container_visit_id);
    let told = Told {
        open_to_visit_readers: true,
        ..about_stay(stay, context)
    };
    let mut facts = tell::everybody(state, Sort::Stay, heading, told, concerned, |_| None);
    facts.extend(decided);
    Decision::applied().with_facts(facts)
}

/// What customs says about goods. It is not told: the declaration's own facts are.
pub fn clearance(state: &mut State, clearance: &Clearance, context: &Context<'_>) -> Decision {
    if state.clearances.is_loaded(&clearance.key)
        && state
            .clearances
            .get(&clearance.key)
            .is_some_and(|held| held.version >= clearance.version)
    {
        return Decision::applied();
    }
    state
        .clearances
        .put(clearance.key.clone(), clearance.clone());
    let facts = match clearance.key.split_once('/') {
        Some(("container", number)) => reconsider::container(state, number, None, context),
        Some(("transport-document", document)) => {
            let numbers = containers_of_document(state, document);
            reconsider::containers(state, numbers.iter().map(String::as_str), context)
        }
        // A key of another kind is kept and weighs on no container.
        _ => Vec::new(),
    };
    Decision::applied().with_facts(facts)
}

/// A hold of any service, our own too: only now has it an event id.
pub fn hold(state: &mut State, heading: &Heading, hold: &Hold, context: &Context<'_>) -> Decision {
    let known = state
        .holds
        .get(&hold.scope)
        .and_then(|holds| holds.get(&hold.id))
        .cloned();
    let joined = match known {
        None => hold.clone(),
        Some(mut known) => {
            known.learn(hold.clone());
            known
        }
    };
    state.put_hold(joined);
    let numbers = containers_of_scope(state, hold);
    let decided = reconsider::containers(state, numbers.iter().map(String::as_str), context);
    let mut facts = tell_hold(state, heading, hold, &numbers, context);
    facts.extend(decided);
    Decision::applied().with_facts(facts)
}

fn tell_hold(
    state: &mut State,
    heading: &Heading,
    hold: &Hold,
    numbers: &BTreeSet<String>,
    context: &Context<'_>,
) -> Vec<Fact> {
    let mut concerned = Concerned::default();
    concerned.add(Concern::Holder, &hold.placed_by_party);
    let mut told = Told {
        event_id: event_id(context),
        service: hold.id.service.clone(),
        subject: format!("hold/{}", hold.id.id),
        title: hold.scope.key.clone(),
        detail: hold_detail(hold),
        ..Told::default()
    };
    match hold.scope.kind {
        ScopeKind::ContainerVisit => {
            if let Some(visit) = state.visit_by_id(&hold.scope.key) {
                concerned.extend(visit.concerned.clone());
                told.title.clone_from(&visit.stay.container_number);
                told.site_id.clone_from(&visit.stay.site_id);
                told.container_numbers = vec![visit.stay.container_number.clone()];
            }
            told.container_visit_ids = vec![hold.scope.key.clone()];
            told.open_to_visit_readers = true;
        }
        ScopeKind::Declaration => {
            if let Some(declaration) = state.declarations.get(&hold.scope.key) {
                concerned.add(Concern::Filer, &declaration.filer_party);
                concerned.add(Concern::Trader, &declaration.trader_party);
                declaration.title().clone_into(&mut told.title);
                told.mrn.clone_from(&declaration.mrn);
            }
            told.declaration_id.clone_from(&hold.scope.key);
            told.container_numbers = numbers.iter().cloned().collect();
        }
        // The party that is held may know; its competitors may not.
        ScopeKind::Party => concerned.add(Concern::Haulier, &hold.scope.key),
        ScopeKind::StockList | ScopeKind::Plate => {}
    }
    tell::everybody(state, Sort::Hold, heading, told, concerned, |_| None)
}

fn hold_detail(hold: &Hold) -> String {
    let kind = hold.kind.name().to_lowercase();
    match &hold.lifted {
        None => format!("A {kind} hold on {}: {}.", hold.scope, hold.reason),
        Some(lifted) => format!(
            "The {kind} hold on {} is lifted: {}.",
            hold.scope, lifted.reason
        ),
    }
}

/// A fact about a pre-arrival: its haulier may read the stays, and is told of them.
pub fn pre_arrival(
    state: &mut State,
    heading: &Heading,
    pre_arrival: &PreArrival,
    conditions: &[Condition],
    context: &Context<'_>,
) -> Decision {
    if state
        .pre_arrivals
        .get(&pre_arrival.pre_arrival_id)
        .is_none_or(|held| held.version < pre_arrival.version)
    {
        state
            .pre_arrivals
            .put(pre_arrival.pre_arrival_id.clone(), pre_arrival.clone());
    }
    let numbers: BTreeSet<&str> = pre_arrival
        .containers
        .iter()
        .map(|container| container.container_number.as_str())
        .collect();
    let decided = reconsider::containers(state, numbers, context);
    let mut concerned = Concerned::default();
    concerned.add(Concern::Haulier, &pre_arrival.haulier_party);
    let (container_numbers, container_visit_ids) = named(&pre_arrival.containers);
    let told = Told {
        event_id: event_id(context),
        service: "gate".to_owned(),
        subject: format!("pre-arrival/{}", pre_arrival.pre_arrival_id),
        title: title_of(&container_numbers, &pre_arrival.pre_arrival_id),
        conditions: conditions.to_vec(),
        site_id: pre_arrival.site_id.clone(),
        container_numbers,
        container_visit_ids,
        pre_arrival_id: pre_arrival.pre_arrival_id.clone(),
        ..Told::default()
    };
    let mut facts = tell::everybody(state, Sort::PreArrival, heading, told, concerned, |_| None);
    facts.extend(decided);
    Decision::applied().with_facts(facts)
}

/// A fact about a truck visit.
pub fn truck_visit(
    state: &mut State,
    heading: &Heading,
    truck_visit: &TruckVisit,
    context: &Context<'_>,
) -> Decision {
    let mut concerned = Concerned::default();
    concerned.add(Concern::Haulier, &truck_visit.haulier_party);
    let (container_numbers, container_visit_ids) = named(&truck_visit.containers);
    let told = Told {
        event_id: event_id(context),
        service: "gate".to_owned(),
        subject: format!("truck-visit/{}", truck_visit.truck_visit_id),
        title: title_of(&container_numbers, &truck_visit.truck_visit_id),
        conditions: truck_visit.conditions.clone(),
        site_id: truck_visit.site_id.clone(),
        container_numbers,
        container_visit_ids,
        pre_arrival_id: truck_visit.pre_arrival_id.clone(),
        truck_visit_id: truck_visit.truck_visit_id.clone(),
        ..Told::default()
    };
    Decision::applied().with_facts(tell::everybody(
        state,
        Sort::TruckVisit,
        heading,
        told,
        concerned,
        |_| None,
    ))
}

/// A fact about a declaration.
pub fn declaration(
    state: &mut State,
    heading: &Heading,
    declaration: &Declaration,
    detail: &str,
    context: &Context<'_>,
) -> Decision {
    if state
        .declarations
        .get(&declaration.declaration_id)
        .is_none_or(|held| held.version < declaration.version)
    {
        state
            .declarations
            .put(declaration.declaration_id.clone(), declaration.clone());
    }
    let mut concerned = Concerned::default();
    concerned.add(Concern::Filer, &declaration.filer_party);
    concerned.add(Concern::Trader, &declaration.trader_party);
    let told = Told {
        event_id: event_id(context),
        service: "customs".to_owned(),
        subject: format!("declaration/{}", declaration.declaration_id),
        title: declaration.title().to_owned(),
        detail: detail.to_owned(),
        container_numbers: declaration.container_numbers.clone(),
        declaration_id: declaration.declaration_id.clone(),
        mrn: declaration.mrn.clone(),
        ..Told::default()
    };
    Decision::applied().with_facts(tell::everybody(
        state,
        Sort::Declaration,
        heading,
        told,
        concerned,
        |_| None,
    ))
}

/// A fact about an account book.
pub fn book(state: &mut State, heading: &Heading, book: &Book, context: &Context<'_>) -> Decision {
    let mut concerned = Concerned::default();
    concerned.add(Concern::Trader, &book.trader_party);
    // No fact says who runs which centre: where several do, nobody is told by guess.
    if let [operator] = state.operators.as_slice() {
        concerned.add(Concern::Operator, operator);
    }
    let told = Told {
        event_id: event_id(context),
        service: "bonded".to_owned(),
        subject: format!("book/{}", book.book_number),
        title: book.book_number.clone(),
        detail: book.detail.clone(),
        book_number: book.book_number.clone(),
        ..Told::default()
    };
    Decision::applied().with_facts(tell::everybody(
        state,
        Sort::Book,
        heading,
        told,
        concerned,
        |_| None,
    ))
}

/// Our own decision, come back with its event id: only now can it be told. Who is told of a grant is
/// remembered, so that its end reaches them too.
pub fn own_decision(
    state: &mut State,
    heading: &Heading,
    decision: &DecisionHeard,
    context: &Context<'_>,
) -> Decision {
    let mut concerned = concerned_with(state, &decision.container_visit_id);
    let mut sort = Sort::Decision;
    if decision.taken_back
        && let Some(visit) = state.visit_by_id(&decision.container_visit_id)
    {
        sort = Sort::Revocation;
        concerned.add_all(Concern::Told, visit.told_parties.iter().map(String::as_str));
    }
    if decision.granted
        && let Some(visit) = state.visit_by_id(&decision.container_visit_id)
    {
        let mut visit = visit.clone();
        visit
            .told_parties
            .extend(concerned.audience(sort).into_iter().map(str::to_owned));
        state.put_visit(visit);
    }
    let told = Told {
        event_id: event_id(context),
        service: "release".to_owned(),
        subject: format!("container-visit/{}", decision.container_visit_id),
        title: decision.container_number.clone(),
        conditions: decision.conditions.clone(),
        site_id: decision.site_id.clone(),
        container_numbers: vec![decision.container_number.clone()],
        container_visit_ids: vec![decision.container_visit_id.clone()],
        open_to_visit_readers: true,
        ..Told::default()
    };
    let hauliers: BTreeSet<String> = concerned.hauliers();
    let text = |party: &str| {
        decision
            .granted
            .then(|| granted_text(party, &decision.haulier_party, &hauliers))
    };
    Decision::applied().with_facts(tell::everybody(state, sort, heading, told, concerned, text))
}

/// A haulier is not told who its competitor is.
fn granted_text(party: &str, haulier_party: &str, hauliers: &BTreeSet<String>) -> String {
    if party == haulier_party {
        "The container may leave with your truck.".to_owned()
    } else if hauliers.contains(party) {
        "The container may leave with another haulier; ask the line if it should be yours."
            .to_owned()
    } else {
        format!("The container may leave with {haulier_party}.")
    }
}

/// Gate's answer to a revocation, told to everybody who had been told of the grant.
pub fn told_answer(
    state: &mut State,
    heading: &Heading,
    container_visit_id: &str,
    context: &Context<'_>,
) -> Vec<Fact> {
    let mut concerned = Concerned::default();
    let mut told = Told {
        event_id: event_id(context),
        service: "gate".to_owned(),
        subject: format!("container-visit/{container_visit_id}"),
        title: container_visit_id.to_owned(),
        container_visit_ids: vec![container_visit_id.to_owned()],
        open_to_visit_readers: true,
        ..Told::default()
    };
    if let Some(visit) = state.visit_by_id(container_visit_id) {
        concerned.extend(visit.concerned.clone());
        concerned.add_all(Concern::Told, visit.told_parties.iter().map(String::as_str));
        told.title.clone_from(&visit.stay.container_number);
        told.site_id.clone_from(&visit.stay.site_id);
        told.container_numbers = vec![visit.stay.container_number.clone()];
    }
    tell::everybody(state, Sort::Revocation, heading, told, concerned, |_| None)
}

/// The containers with a stay on this transport document.
pub fn containers_of_document(state: &State, document: &str) -> BTreeSet<String> {
    let carries = |visit: &&ContainerVisit| {
        !visit.stay.is_over() && visit.stay.transport_documents().contains(document)
    };
    let visits = state
        .containers
        .iter()
        .flat_map(|(_, visits)| visits.rows());
    visits
        .filter(carries)
        .map(|visit| visit.stay.container_number.clone())
        .collect()
}

/// The containers on whose stays a hold weighs.
pub fn containers_of_scope(state: &State, hold: &Hold) -> BTreeSet<String> {
    match hold.scope.kind {
        ScopeKind::ContainerVisit => state
            .visit_by_id(&hold.scope.key)
            .map(|visit| visit.stay.container_number.clone())
            .into_iter()
            .collect(),
        ScopeKind::Declaration => containers_of_declaration(state, &hold.scope.key),
        ScopeKind::StockList | ScopeKind::Plate | ScopeKind::Party => BTreeSet::new(),
    }
}

fn containers_of_declaration(state: &State, declaration_id: &str) -> BTreeSet<String> {
    let names = |clearance: &&Clearance| {
        clearance
            .consignments
            .iter()
            .any(|consignment| consignment.declaration_id == declaration_id)
    };
    let clearances = state
        .clearances
        .iter()
        .map(|(_, clearance)| clearance)
        .filter(names);
    clearances
        .flat_map(|clearance| match clearance.key.split_once('/') {
            Some(("container", number)) => BTreeSet::from([number.to_owned()]),
            Some(("transport-document", document)) => containers_of_document(state, document),
            _ => BTreeSet::new(),
        })
        .filter(|number| state.containers.is_loaded(number))
        .collect()
}

fn concerned_with(state: &State, container_visit_id: &str) -> Concerned {
    state
        .visit_by_id(container_visit_id)
        .map(|visit| visit.concerned.clone())
        .unwrap_or_default()
}

fn about_stay(stay: &Stay, context: &Context<'_>) -> Told {
    Told {
        event_id: event_id(context),
        service: "gate".to_owned(),
        subject: stay.subject(),
        title: stay.container_number.clone(),
        site_id: stay.site_id.clone(),
        container_numbers: vec![stay.container_number.clone()],
        container_visit_ids: vec![stay.container_visit_id.clone()],
        ..Told::default()
    }
}

fn named(containers: &[PreArrivalContainer]) -> (Vec<String>, Vec<String>) {
    (
        containers
            .iter()
            .map(|container| container.container_number.clone())
            .filter(|number| !number.is_empty())
            .collect(),
        containers
            .iter()
            .filter_map(|container| container.container_visit_id.clone())
            .collect(),
    )
}

fn title_of(container_numbers: &[String], id: &str) -> String {
    if container_numbers.is_empty() {
        id.to_owned()
    } else {
        container_numbers.join(", ")
    }
}

/// The event that is applied; inputs without one are commands, which name their facts themselves.
fn event_id(context: &Context<'_>) -> String {
    context
        .record
        .map(|record| record.event_id.to_owned())
        .unwrap_or_default()
}
