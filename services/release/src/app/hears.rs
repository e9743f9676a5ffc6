//! What release hears from others, and from itself: each record is joined with what is known (the
//! highest version wins), kept in the timeline, told, and weighed anew where it may change a decision.

use std::collections::BTreeSet;

use fabric::{Context, Decision, Fact};

use super::tell::{self, Pin, Told};
use super::{Answer, Book, DecisionHeard, Heading, TruckVisit, reconsider, state::State};
use crate::domain::clearance::Clearance;
use crate::domain::condition::Condition;
use crate::domain::container_visit::{self, ContainerVisit, Stay};
use crate::domain::declaration::Declaration;
use crate::domain::hold::{Hold, Scope, ScopeKind};
use crate::domain::notice::{Concern, Concerned, Sort};
use crate::domain::party::KnownParty;
use crate::domain::pre_arrival::{PreArrival, PreArrivalContainer};
use crate::domain::site::Site;
use crate::domain::stock_list;
use crate::events::publish;

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
    let touched = [stay.container_visit_id.as_str()].into();
    let mut decided = reconsider::container(state, &stay.container_number, &touched, context);
    // Which stay of a container a stock list's goods leave in follows from which is over.
    let lists = state.lists_of_containers(&[stay.container_number.as_str()].into());
    decided.extend(reconsider::lists(
        state,
        lists.iter().map(String::as_str),
        context,
    ));
    let scope = tell::stay_scope(&stay.container_visit_id);
    let pin = Pin {
        scope: &scope,
        sort: Sort::Stay,
        own: Concerned::default(),
        granted_to: None,
    };
    let told = Told {
        service: "gate".to_owned(),
        ..about_stay(&stay.container_visit_id, context)
    };
    let concerned = concerned_with(state, &scope);
    let mut facts = tell::pinned(state, pin, heading, told, &concerned);
    facts.extend(decided);
    Decision::applied().with_facts(facts)
}

/// What customs says about goods. It is not told: the declaration's own facts are.
pub fn clearance(state: &mut State, clearance: &Clearance, context: &Context<'_>) -> Decision {
    let held = state
        .clearances
        .is_loaded(&clearance.key)
        .then(|| state.clearances.get(&clearance.key).cloned())
        .flatten();
    let known = clearance.told_after(held.as_ref());
    if held.as_ref() == Some(&known) {
        return Decision::applied();
    }
    state.clearances.put(clearance.key.clone(), known.clone());
    bar_what_ended(state, held.as_ref(), &known);
    let bound: BTreeSet<&str> = clearance.bound_visits().collect();
    let mut numbers: BTreeSet<String> = bound
        .iter()
        .filter_map(|visit| state.visit_by_id(visit))
        .map(|visit| visit.stay.container_number.clone())
        .collect();
    match clearance.key.split_once('/') {
        Some(("container", number)) => {
            numbers.insert(number.to_owned());
        }
        Some(("transport-document", document)) => {
            numbers.extend(containers_of_document(state, document));
        }
        // A key of another kind is kept and weighs on no container.
        _ => numbers.clear(),
    }
    let numbers: BTreeSet<&str> = numbers.iter().map(String::as_str).collect();
    let mut facts = reconsider::containers(state, numbers.iter().copied(), &bound, context);
    // What else is in a container must be covered before goods of a stock list leave in it.
    let lists = state.lists_of_containers(&numbers);
    facts.extend(reconsider::lists(
        state,
        lists.iter().map(String::as_str),
        context,
    ));
    Decision::applied().with_facts(facts)
}

/// Where a declaration that was bound to a stay is so no longer, gate may bar the stay on its account. Goods that have
/// only moved to another key are bound still.
fn bar_what_ended(state: &mut State, held: Option<&Clearance>, known: &Clearance) {
    let before = held.map_or(&[][..], |held| &held.ended);
    for ended in &known.ended {
        let is_news = !before.iter().any(|one| one.is_same(ended));
        let Some(visit) = state
            .visit_by_id(&ended.container_visit_id)
            .filter(|_| is_news)
        else {
            continue;
        };
        if !state.binds(visit, &ended.declaration_id) {
            let mut visit = visit.clone();
            visit.decision.bar();
            state.put_visit(visit);
        }
    }
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
    let decided = weighed_anew(state, hold, context);
    let mut facts = tell_hold(state, heading, hold, context);
    facts.extend(decided);
    Decision::applied().with_facts(facts)
}

/// Decides anew on everything that a hold weighs on.
pub fn weighed_anew(state: &mut State, hold: &Hold, context: &Context<'_>) -> Vec<Fact> {
    if hold.scope.kind == ScopeKind::Party {
        return reconsider::on_party(state, &hold.scope, context);
    }
    let numbers = containers_of_scope(state, hold);
    let numbers = numbers.iter().map(String::as_str);
    let mut decided = reconsider::containers(state, numbers, &BTreeSet::new(), context);
    let lists = lists_of_scope(state, &hold.scope);
    decided.extend(reconsider::lists(
        state,
        lists.iter().map(String::as_str),
        context,
    ));
    decided
}

/// The stock lists of this batch on whose decisions a hold on this weighs.
fn lists_of_scope(state: &State, scope: &Scope) -> BTreeSet<String> {
    match scope.kind {
        ScopeKind::StockList => [scope.key.clone()].into(),
        ScopeKind::Declaration => state
            .declarations
            .get(&scope.key)
            .into_iter()
            .flat_map(|declaration| declaration.stock_lists.iter().cloned())
            .collect(),
        ScopeKind::ContainerVisit => container_visit::named_by(&scope.key)
            .map(|(_, number)| state.lists_of_containers(&[number].into()))
            .unwrap_or_default(),
        ScopeKind::Plate | ScopeKind::Party => BTreeSet::new(),
    }
}

fn tell_hold(
    state: &mut State,
    heading: &Heading,
    hold: &Hold,
    context: &Context<'_>,
) -> Vec<Fact> {
    let mut own = Concerned::default();
    own.add(Concern::Placer, &hold.placed_by_party);
    let mut told = Told {
        event_id: event_id(context),
        service: hold.id.service.clone(),
        subject: format!("hold/{}", hold.id.id),
        title: hold.scope.key.clone(),
        detail: hold_detail(hold),
        ..Told::default()
    };
    let concerned = match hold.scope.kind {
        ScopeKind::ContainerVisit => {
            told = Told {
                service: told.service,
                subject: told.subject,
                detail: told.detail,
                ..about_stay(&hold.scope.key, context)
            };
            concerned_with(state, &hold.scope)
        }
        ScopeKind::StockList => {
            told = Told {
                service: told.service,
                subject: told.subject,
                detail: told.detail,
                open_to_visit_readers: true,
                ..about_list(&hold.scope.key, told.event_id)
            };
            concerned_with(state, &hold.scope)
        }
        ScopeKind::Declaration => {
            told.declaration_id.clone_from(&hold.scope.key);
            match state.declarations.get(&hold.scope.key) {
                Some(declaration) => {
                    declaration.title().clone_into(&mut told.title);
                    told.mrn.clone_from(&declaration.mrn);
                    parties_of(declaration)
                }
                None => Concerned::default(),
            }
        }
        // The party that is held may know; its competitors may not.
        ScopeKind::Party => {
            own.add(Concern::Haulier, &hold.scope.key);
            return tell::everybody(state, Sort::Hold, heading, told, own);
        }
        ScopeKind::Plate => {
            return tell::everybody(state, Sort::Hold, heading, told, own);
        }
    };
    let pin = Pin {
        scope: &hold.scope,
        sort: Sort::Hold,
        own,
        granted_to: None,
    };
    tell::pinned(state, pin, heading, told, &concerned)
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
    let touched: BTreeSet<&str> = pre_arrival.visits().collect();
    let mut decided = reconsider::containers(state, numbers, &touched, context);
    if !pre_arrival.list_number.is_empty() {
        decided.extend(reconsider::lists(
            state,
            [pre_arrival.list_number.as_str()],
            context,
        ));
    }
    let mut concerned = tell::terminal_of(state, &pre_arrival.second_site_id);
    concerned.add(Concern::Haulier, &pre_arrival.haulier_party);
    concerned.add(Concern::Operator, pre_arrival.operator());
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
        list_number: pre_arrival.list_number.clone(),
        ..Told::default()
    };
    let mut facts = tell::everybody(state, Sort::PreArrival, heading, told, concerned);
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
    // A nominated firm's driver sits in the truck that is recalled.
    concerned.add(Concern::Haulier, &truck_visit.carrier_party);
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
    let held = state.declarations.get(&declaration.declaration_id);
    let mut decided = Vec::new();
    let known = declaration.told_after(held);
    if held != Some(&known) {
        let formerly = held.into_iter().flat_map(|held| &held.stock_lists);
        let lists: BTreeSet<String> = formerly.chain(&known.stock_lists).cloned().collect();
        let is_void = |declaration: &Declaration| declaration.is_void();
        if is_void(&known) && !held.is_some_and(is_void) {
            // Gate was asked for every list that it names, whether it counted for the list or not.
            for number in &known.stock_lists {
                if let Some(mut list) = state.lists.get(number).cloned() {
                    list.decision.bar();
                    state.put_list(list);
                }
            }
        }
        state
            .declarations
            .put(declaration.declaration_id.clone(), known);
        decided = reconsider::lists(state, lists.iter().map(String::as_str), context);
    }
    let concerned = parties_of(declaration);
    // Holds on it may have been heard of before whose it is.
    let scope = Scope::new(ScopeKind::Declaration, &declaration.declaration_id);
    let mut board = state.board(&scope);
    board.rename(declaration.title());
    let notices = board.tell(&concerned);
    state.put_board(&scope, board);
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
    let mut facts = tell::everybody(state, Sort::Declaration, heading, told, concerned);
    facts.extend(notices.iter().map(publish::notice));
    facts.extend(decided);
    Decision::applied().with_facts(facts)
}

fn parties_of(declaration: &Declaration) -> Concerned {
    let mut concerned = Concerned::default();
    concerned.add(Concern::Filer, &declaration.filer_party);
    concerned.add(Concern::Trader, &declaration.trader_party);
    concerned
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
        list_number: book.list_number.clone(),
        ..Told::default()
    };
    Decision::applied().with_facts(tell::everybody(state, Sort::Book, heading, told, concerned))
}

/// Our own decision, come back with its event id: only now can it be told.
pub fn own_decision(
    state: &mut State,
    heading: &Heading,
    decision: &DecisionHeard,
    context: &Context<'_>,
) -> Decision {
    let scope = &decision.about;
    let mut concerned = concerned_with(state, scope);
    let about = match scope.kind {
        ScopeKind::StockList => Told {
            site_id: decision.site_id.clone(),
            open_to_visit_readers: true,
            ..about_list(&scope.key, event_id(context))
        },
        _ => about_stay(&scope.key, context),
    };
    let told = Told {
        service: "release".to_owned(),
        conditions: decision.conditions.clone(),
        ..about
    };
    if decision.taken_back {
        // Whoever was told of the grant is told of its end.
        concerned.extend(told_of_grant(state, scope));
        let facts = tell::everybody(state, Sort::Revocation, heading, told, concerned);
        return Decision::applied().with_facts(facts);
    }
    let pin = Pin {
        scope,
        sort: Sort::Decision,
        own: Concerned::default(),
        granted_to: decision.granted.then(|| decision.haulier_party.clone()),
    };
    let facts = tell::pinned(state, pin, heading, told, &concerned);
    let mut board = state.board(scope);
    let told = board.told_of_grant().cloned();
    let newest = if scope.kind == ScopeKind::StockList {
        state.lists.get(&scope.key).cloned().map(|mut list| {
            list.told_parties = told.unwrap_or(list.told_parties);
            let newest = list.decision.version;
            state.put_list(list);
            newest
        })
    } else {
        state.visit_by_id(&scope.key).cloned().map(|mut visit| {
            visit.told_parties = told.unwrap_or(visit.told_parties);
            let newest = visit.decision.version;
            state.put_visit(visit);
            newest
        })
    };
    if newest.is_some_and(|newest| newest > decision.version) {
        board.take_decision_off();
        state.put_board(scope, board);
    }
    Decision::applied().with_facts(facts)
}

/// Whoever was told of the grant that stands, or stood last.
fn told_of_grant(state: &State, about: &Scope) -> Concerned {
    let told = if about.kind == ScopeKind::StockList {
        let list = state.lists.get(&about.key);
        list.map(|list| &list.told_parties)
    } else {
        let visit = state.visit_by_id(&about.key);
        visit.map(|visit| &visit.told_parties)
    };
    let mut concerned = Concerned::default();
    concerned.add_all(
        Concern::Told,
        told.into_iter().flatten().map(String::as_str),
    );
    concerned
}

/// Gate's answer to a revocation, told to everybody who had been told of the grant.
pub fn told_answer(
    state: &mut State,
    heading: &Heading,
    answer: &Answer,
    context: &Context<'_>,
) -> Vec<Fact> {
    let (scope, about) = if answer.container_visit_id.is_empty() {
        let about = Told {
            open_to_visit_readers: true,
            ..about_list(&answer.list_number, event_id(context))
        };
        (tell::list_scope(&answer.list_number), about)
    } else {
        let visit = answer.container_visit_id.as_str();
        (tell::stay_scope(visit), about_stay(visit, context))
    };
    let mut concerned = concerned_with(state, &scope);
    concerned.extend(told_of_grant(state, &scope));
    let told = Told {
        service: "gate".to_owned(),
        ..about
    };
    tell::everybody(state, Sort::Revocation, heading, told, concerned)
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

/// Whom a stay or stock list concerns.
pub fn concerned_with(state: &State, about: &Scope) -> Concerned {
    let concerned = if about.kind == ScopeKind::StockList {
        let list = state.lists.get(&about.key);
        list.map(|list| &list.concerned)
    } else {
        let visit = state.visit_by_id(&about.key);
        visit.map(|visit| &visit.concerned)
    };
    concerned.cloned().unwrap_or_default()
}

/// What is told about a stock list.
pub fn about_list(list_number: &str, event_id: String) -> Told {
    Told {
        event_id,
        subject: stock_list::subject(list_number),
        title: list_number.to_owned(),
        list_number: list_number.to_owned(),
        ..Told::default()
    }
}

/// What is told about a stay. Its id says where it is and of which container, so that it need not have
/// been heard of.
fn about_stay(container_visit_id: &str, context: &Context<'_>) -> Told {
    let named = container_visit::named_by(container_visit_id);
    let container_numbers: Vec<String> = named
        .into_iter()
        .map(|(_, container_number)| container_number.to_owned())
        .collect();
    Told {
        event_id: event_id(context),
        subject: format!("container-visit/{container_visit_id}"),
        title: title_of(&container_numbers, container_visit_id),
        site_id: named.map_or_else(String::new, |(site_id, _)| site_id.to_owned()),
        container_numbers,
        container_visit_ids: vec![container_visit_id.to_owned()],
        open_to_visit_readers: true,
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
pub fn event_id(context: &Context<'_>) -> String {
    context
        .record
        .map(|record| record.event_id.to_owned())
        .unwrap_or_default()
}
