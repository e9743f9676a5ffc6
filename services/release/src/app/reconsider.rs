//! Decides anew on the open stays of a container after something about them changed: every use case
//! that changes a fact ends here. What is published, and to whom a stay is of concern, follows.

use std::collections::BTreeSet;

use fabric::{Context, Decision, Fact};

use super::state::State;
use super::tell;
use crate::domain::container_visit::ContainerVisit;
use crate::domain::notice::{Concern, Concerned};
use crate::domain::requirements::{self, VisitFacts};
use crate::events::publish;

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

/// Decides anew on whatever stay of this batch could be weighed: a record about it was parked, or read
/// after all, and nobody is told of that.
pub fn recheck(state: &mut State, context: &Context<'_>) -> Decision {
    let visits: Vec<ContainerVisit> = state
        .containers
        .iter()
        .flat_map(|(_, visits)| visits.rows().cloned())
        .collect();
    let due: Vec<ContainerVisit> = visits
        .into_iter()
        .filter(|visit| !visit.stay.is_over() && state.is_weighable(visit))
        .collect();
    let facts = due
        .into_iter()
        .flat_map(|visit| one(state, visit, context))
        .collect();
    Decision::applied().with_facts(facts)
}

fn one(state: &mut State, mut visit: ContainerVisit, context: &Context<'_>) -> Vec<Fact> {
    let (outcome, concerned) = {
        let facts = state.facts(&visit, context.parked);
        (requirements::decide(&facts), concerned(state, &facts))
    };
    // Who was concerned with a stay that is over stays so: its last facts are still to be told.
    if visit.stay.is_over() {
        visit.concerned.extend(concerned)
    } else {
        visit.concerned = concerned
    }
    let published = visit
        .decision
        .follow(&outcome, context.now, &|| context.new_id());
    let scope = tell::stay_scope(&visit.stay.container_visit_id);
    let mut board = state.board(&scope);
    if !published.is_empty() {
        board.take_decision_off();
    }
    let mut facts = tell::newcomers(state, &visit, &mut board);
    if let Some(told) = board.told_of_grant() {
        visit.told_parties.clone_from(told);
    }
    state.put_board(&scope, board);
    facts.extend(
        published
            .iter()
            .filter_map(|decision| publish::decision(&visit.stay, decision, context.now)),
    );
    state.put_visit(visit);
    facts
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
    // Whoever holds the stay sees what becomes of its release.
    concerned.add_all(
        Concern::Holder,
        facts
            .holds
            .iter()
            .filter(|hold| hold.stands())
            .map(|hold| hold.placed_by_party.as_str()),
    );
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
