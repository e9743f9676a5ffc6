//! Decides anew on the open stays of a container, or on stock lists, after something about them changed: every
//! use case that changes a fact ends here. What is published, and to whom it is of concern, follows.

use std::collections::BTreeSet;

use fabric::{Context, Decision, Fact};

use super::state::State;
use super::tell;
use crate::domain::container_visit::ContainerVisit;
use crate::domain::decision;
use crate::domain::hold::{Hold, PartyHolds, Scope, ScopeKind};
use crate::domain::list_requirements::{self, ListFacts};
use crate::domain::notice::{Concern, Concerned};
use crate::domain::requirements::{self, Outcome, VisitFacts};
use crate::domain::stock_list::StockList;
use crate::events::publish::{self, About};

/// Decides anew on every stay of the container that is not over, and on those that are `touched` even if
/// they are: what an input names may have been learnt after the end. Gives what is to be published.
///
/// # Panics
/// If a subject was forgotten: the loop fails that input alone.
pub fn container(
    state: &mut State,
    container_number: &str,
    touched: &BTreeSet<&str>,
    context: &Context<'_>,
) -> Vec<Fact> {
    let number = container_number.to_owned();
    let visits: Vec<ContainerVisit> = state
        .containers
        .get(&number)
        .into_iter()
        .flat_map(|visits| visits.rows().cloned())
        .collect();
    let is_due = |visit: &ContainerVisit| {
        !visit.stay.is_over() || touched.contains(visit.stay.container_visit_id.as_str())
    };
    visits
        .into_iter()
        .filter(is_due)
        .flat_map(|visit| one(state, visit, context))
        .collect()
}

/// Decides anew on the open stays of several containers, and on those that are touched.
pub fn containers<'a>(
    state: &mut State,
    numbers: impl IntoIterator<Item = &'a str>,
    touched: &BTreeSet<&str>,
    context: &Context<'_>,
) -> Vec<Fact> {
    numbers
        .into_iter()
        .flat_map(|number| container(state, number, touched, context))
        .collect()
}

/// Decides anew on these stock lists, as far as they are known.
///
/// # Panics
/// If a subject was forgotten: the loop fails that input alone.
pub fn lists<'a>(
    state: &mut State,
    numbers: impl IntoIterator<Item = &'a str>,
    context: &Context<'_>,
) -> Vec<Fact> {
    let lists: Vec<StockList> = numbers
        .into_iter()
        .filter_map(|number| state.lists.get(&number.to_owned()).cloned())
        .collect();
    lists
        .into_iter()
        .flat_map(|list| one_list(state, list, context))
        .collect()
}

/// Decides anew on whatever stay or stock list of this batch could be weighed: a record about it was parked,
/// or read after all, and nobody is told of that; or a hold on a party has yet to reach it.
pub fn recheck(state: &mut State, context: &Context<'_>) -> Decision {
    Decision::applied().with_facts(weighable(state, |_| true, context))
}

/// Decides anew on whatever stay or stock list of this batch a hold on this party weighs on. Those that the batch
/// has no room for are rechecked.
pub fn on_party(state: &mut State, party: &Scope, context: &Context<'_>) -> Vec<Fact> {
    weighable(state, |scopes| scopes.contains(party), context)
}

/// Decides anew on the stays and stock lists of this batch that could be weighed and are held by holds on such scopes.
fn weighable(
    state: &mut State,
    is_due: impl Fn(&[Scope]) -> bool,
    context: &Context<'_>,
) -> Vec<Fact> {
    let visits = state
        .containers
        .iter()
        .flat_map(|(_, visits)| visits.rows());
    let due: Vec<ContainerVisit> = visits
        .filter(|visit| !visit.stay.is_over() && state.is_weighable(visit))
        .filter(|visit| is_due(&state.hold_scopes(visit)))
        .cloned()
        .collect();
    // Whoever names a list names everything that is weighed for it.
    let numbers: Vec<String> = state
        .lists
        .iter()
        .filter(|(_, list)| is_due(&state.list_hold_scopes(list)))
        .map(|(number, _)| number.clone())
        .collect();
    let mut facts: Vec<Fact> = due
        .into_iter()
        .flat_map(|visit| one(state, visit, context))
        .collect();
    facts.extend(lists(state, numbers.iter().map(String::as_str), context));
    facts
}

fn one(state: &mut State, mut visit: ContainerVisit, context: &Context<'_>) -> Vec<Fact> {
    let scopes = state.hold_scopes(&visit);
    let (outcome, concerned, party_holds) = {
        let facts = state.facts(&visit, context.parked);
        (
            requirements::decide(&facts),
            concerned(state, &facts),
            PartyHolds::of(&scopes, &facts.holds),
        )
    };
    visit.party_holds = party_holds;
    // Who was concerned with a stay that is over stays so: its last facts are still to be told.
    if visit.stay.is_over() {
        visit.concerned.extend(concerned)
    } else {
        visit.concerned = concerned
    }
    let mut audience = visit.concerned.clone();
    audience.extend(tell::terminal_of(state, &visit.stay.site_id));
    let scope = tell::stay_scope(&visit.stay.container_visit_id);
    let told = &mut visit.told_parties;
    let (mut facts, published) = follow(
        state,
        (&scope, &audience),
        (&mut visit.decision, told),
        &outcome,
        context,
    );
    let about = About::Stay(&visit.stay);
    facts.extend(
        published
            .iter()
            .filter_map(|decision| publish::decision(about, decision, context.now)),
    );
    state.put_visit(visit);
    facts
}

fn one_list(state: &mut State, mut list: StockList, context: &Context<'_>) -> Vec<Fact> {
    let scopes = state.list_hold_scopes(&list);
    let (outcome, concerned, sites, party_holds) = {
        let facts = state.list_facts(&list, context.parked);
        let (concerned, sites) = concerned_with_list(state, &facts);
        let party_holds = PartyHolds::of(&scopes, &facts.holds);
        (
            list_requirements::decide(&facts),
            concerned,
            sites,
            party_holds,
        )
    };
    list.party_holds = party_holds;
    // What was void before anybody told of the list may be barred all the same.
    let names = state.declarations_naming(&list.list_number);
    if list.decision.state.is_none() && names.iter().any(|declaration| declaration.is_void()) {
        list.decision.bar();
    }
    // As with a stay that is over: its last facts are still to be told.
    if list.is_over() {
        list.concerned.extend(concerned);
        list.site_ids.extend(sites);
    } else {
        list.concerned = concerned;
        list.site_ids = sites;
    }
    let scope = tell::list_scope(&list.list_number);
    let told = &mut list.told_parties;
    let (mut facts, published) = follow(
        state,
        (&scope, &list.concerned),
        (&mut list.decision, told),
        &outcome,
        context,
    );
    let about = About::List(&list);
    facts.extend(
        published
            .iter()
            .filter_map(|decision| publish::decision(about, decision, context.now)),
    );
    state.put_list(list);
    facts
}

/// The decision follows the outcome, and whoever has come to be concerned is told what stands on the board.
/// Gives the notices, and what of the decision is to be published.
fn follow(
    state: &mut State,
    (scope, audience): (&Scope, &Concerned),
    (decision, told_parties): (&mut decision::Decision, &mut BTreeSet<String>),
    outcome: &Outcome,
    context: &Context<'_>,
) -> (Vec<Fact>, Vec<decision::Decision>) {
    let published = decision.follow(outcome, context.now, &|| context.new_id());
    let mut board = state.board(scope);
    if !published.is_empty() {
        board.take_decision_off();
    }
    let notices = board.tell(audience);
    if let Some(told) = board.told_of_grant() {
        told_parties.clone_from(told);
    }
    state.put_board(scope, board);
    (notices.iter().map(publish::notice).collect(), published)
}

/// The parties that a stock list concerns, their terminals too, and the sites of these.
fn concerned_with_list(state: &State, facts: &ListFacts<'_>) -> (Concerned, BTreeSet<String>) {
    let mut concerned = Concerned::default();
    let mut sites = BTreeSet::new();
    if let Some(filed) = &facts.list.filed {
        concerned.add(Concern::Trader, &filed.trader_party);
        concerned.add(Concern::Filer, &filed.filer_party);
        sites.insert(filed.site_id.clone());
    }
    for declaration in list_requirements::counting(facts.list, &facts.declarations) {
        concerned.add(Concern::Filer, &declaration.filer_party);
        concerned.add(Concern::Trader, &declaration.trader_party);
    }
    // No fact says who runs which centre: where several do, only one that files for it is known to.
    if let [operator] = state.operators.as_slice() {
        concerned.add(Concern::Operator, operator);
    }
    let coming = state.pre_arrivals.iter();
    for (_, coming) in coming.filter(|(_, coming)| coming.carries(&facts.list.list_number)) {
        concerned.add(Concern::Haulier, &coming.haulier_party);
        concerned.add(Concern::Operator, coming.operator());
        sites.extend([coming.site_id.clone(), coming.second_site_id.clone()]);
    }
    sites.remove("");
    for site in &sites {
        concerned.extend(tell::terminal_of(state, site));
    }
    concerned.add_all(Concern::Holder, holders(&facts.holds));
    (concerned, sites)
}

/// Whoever holds something sees what becomes of its release; whoever holds a party does not see all that the party
/// moves, wherever it moves it.
fn holders<'a>(holds: &'a [&'a Hold]) -> impl Iterator<Item = &'a str> {
    holds
        .iter()
        .filter(|hold| hold.stands() && hold.scope.kind != ScopeKind::Party)
        .map(|hold| hold.placed_by_party.as_str())
}

/// The parties that a stay concerns, but for its terminal.
fn concerned(state: &State, facts: &VisitFacts<'_>) -> Concerned {
    let mut concerned = Concerned::default();
    let stay = facts.stay;
    concerned.add_all(
        Concern::Line,
        stay.manifest_lines
            .iter()
            .map(|line| line.line_party.as_str()),
    );
    for (consignment, _) in requirements::bound(stay, &facts.clearances) {
        concerned.add(Concern::Filer, &consignment.filer_party);
        concerned.add(Concern::Trader, &consignment.trader_party);
    }
    concerned.add_all(Concern::Holder, holders(&facts.holds));
    let counting = stay
        .manifest_lines
        .iter()
        .filter_map(|line| requirements::counting(line, facts));
    concerned.add_all(
        Concern::Haulier,
        counting.map(|release| release.haulier_party.as_str()),
    );
    let coming = state
        .pre_arrivals
        .iter()
        .filter(|(_, pre_arrival)| pre_arrival.concerns(&stay.container_visit_id));
    concerned.add_all(
        Concern::Haulier,
        coming.map(|(_, pre_arrival)| pre_arrival.haulier_party.as_str()),
    );
    concerned
}
