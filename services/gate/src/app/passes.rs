//! Passes: filings that carry a part of a stock list, and what becomes of the list by them. Called with the
//! list's row locked: by every filing, and by every movement of its goods (gate rule 4).

use chrono::{DateTime, Utc};
use fabric::{Context, Fact};
use kernel::{Refusal, StockListNumber};
use uuid::Uuid;

use super::{Rules, Seeds, State, reconsider};
use crate::domain::container_visit::{ContainerVisit, ContainerVisitFact};
use crate::domain::list_passage::{Happened, ListPassage, StockList, UnderWay};
use crate::domain::pre_arrival::{PreArrival, PreArrivalKind, PreArrivalState};
use crate::domain::truck_visit::{Completion, TruckVisit};
use crate::events::publish;

/// The list's passage after a filing was given its part of it, and what is told; none for a filing without a
/// list. Nothing is kept yet.
///
/// # Errors
/// There is not so much left, or the list is not one of which a truck may carry a part here.
pub fn issue(
    state: &State,
    filing: &mut PreArrival,
    context: &Context<'_>,
) -> Result<Option<(ListPassage, Vec<Fact>)>, Refusal> {
    let filer = filing.filer().to_owned();
    let Some(list) = &mut filing.list else {
        return Ok(None);
    };
    let number = list.list_number.as_str().to_owned();
    let mut passage = passage(state, &list.list_number);
    let centre = filing.second_site_id.as_ref().unwrap_or(&filing.site_id);
    // A list of another centre is not this centre's business.
    if passage.site_id() != centre {
        return Err(Refusal::not_found("stock list", number));
    }
    let containers = filing
        .containers
        .iter()
        .map(|container| container.number.to_string())
        .collect();
    let filed_by = (filing.pre_arrival_id, filer.as_str());
    let happened = passage.issue(filed_by, list, containers)?;
    let facts = told(happened, context.now, context);
    Ok(Some((passage, facts)))
}

/// A filing that is READY has the number of its pass.
pub fn number(state: &mut State, filing: &mut PreArrival, context: &Context<'_>) {
    if filing.state != PreArrivalState::Ready || filing.pass_number.is_some() {
        return;
    }
    if let Some(passage) = of(state, filing.list_number()) {
        filing.pass_number = passage.numbered(filing.pre_arrival_id, context.now.date_naive());
    }
}

/// The filing will not be used: cancelled or expired.
pub fn withdrawn(state: &mut State, filing: &PreArrival, context: &Context<'_>) -> Vec<Fact> {
    let happened = of(state, filing.list_number())
        .map(|passage| passage.withdrawn(filing.pre_arrival_id))
        .unwrap_or_default();
    told(happened, context.now, context)
}

/// The goods of a transfer that nobody saw come are taken for passed (gate rule 15).
pub fn taken_for_passed(
    state: &mut State,
    filing: &PreArrival,
    context: &Context<'_>,
) -> Vec<Fact> {
    let happened = of(state, filing.list_number())
        .map(|passage| passage.passed(filing.pre_arrival_id, context.now, Completion::Inferred))
        .unwrap_or_default();
    told(happened, context.now, context)
}

/// The truck was let in: for the goods, or with them.
pub fn gone_in(
    state: &mut State,
    truck: &TruckVisit,
    at: DateTime<Utc>,
    context: &Context<'_>,
) -> Vec<Fact> {
    let Some((passage, id)) = of_truck(state, truck) else {
        return Vec::new();
    };
    if truck.second_leg {
        let happened = passage.passed(id, at, Completion::Observed);
        return told(happened, at, context);
    }
    passage.moved(id, Some(UnderWay::Inside));
    Vec::new()
}

/// The truck was let out, with the goods or without.
pub fn gone_out(
    state: &mut State,
    truck: &TruckVisit,
    with_goods: bool,
    at: DateTime<Utc>,
    (context, rules): (&Context<'_>, &Rules),
) -> Vec<Fact> {
    // At the second site the goods have passed; the truck is empty.
    if truck.second_leg {
        return Vec::new();
    }
    let Some((passage, id)) = of_truck(state, truck) else {
        return Vec::new();
    };
    if truck.kind != Some(PreArrivalKind::BondTransfer) {
        let happened = if with_goods {
            passage.passed(id, at, Completion::Observed)
        } else {
            passage.withdrawn(id)
        };
        return told(happened, at, context);
    }
    passage.moved(id, with_goods.then_some(UnderWay::OnTheRoad));
    let mut facts = Vec::new();
    if let Some(filing) = state.pre_arrivals.edit(&id) {
        if with_goods {
            filing.left_first_site(at, rules.gone_after);
        } else {
            filing.left_first_site_empty();
        }
    }
    facts.extend(reconsider::filing(state, &id, context));
    facts
}

/// Nobody saw the truck leave and the time-out is over: loose goods that it came to take out of bond are taken for
/// passed with it (gate rule 15). A container is still here as far as anybody saw: it did not leave on this pass.
pub fn inferred_gone(state: &mut State, truck: &TruckVisit, context: &Context<'_>) -> Vec<Fact> {
    if truck.kind == Some(PreArrivalKind::BondTransfer) {
        no_longer_in(state, truck);
        return Vec::new();
    }
    let Some((passage, id)) = of_truck(state, truck) else {
        return Vec::new();
    };
    let happened = if truck.containers.is_empty() {
        passage.passed(id, context.now, Completion::Inferred)
    } else {
        passage.withdrawn(id)
    };
    told(happened, context.now, context)
}

/// The truck is not inside after all, and its filing is open again.
pub fn no_longer_in(state: &mut State, truck: &TruckVisit) {
    if truck.second_leg {
        return;
    }
    if let Some((passage, id)) = of_truck(state, truck) {
        passage.moved(id, None);
        if truck.kind == Some(PreArrivalKind::BondTransfer)
            && let Some(filing) = state.pre_arrivals.edit(&id)
        {
            filing.left_first_site_empty();
        }
    }
}

/// What bonded says of a list, with its ask while it asks whether the list can be void.
pub fn heard(
    state: &mut State,
    (number, list): &(StockListNumber, StockList),
    void_ask_id: Option<&str>,
    context: &Context<'_>,
) -> Vec<Fact> {
    let mut passage = passage(state, number);
    let happened = passage.heard(list.clone(), void_ask_id);
    state.lists.put(number.as_str().to_owned(), passage);
    let mut facts = told(happened, context.now, context);
    facts.extend(unstuffed(state, number.as_str(), context));
    facts
}

/// What brought goods of a list into the centre that were unstuffed since is empty, whichever was told first.
pub fn unstuffed(state: &mut State, list_number: &str, context: &Context<'_>) -> Vec<Fact> {
    let passage = state.lists.get(&list_number.to_owned());
    let Some(at) = passage.and_then(ListPassage::unstuffed_at) else {
        return Vec::new();
    };
    let stays = state.visits.iter().map(|(_, stay)| stay);
    let emptied: Vec<ContainerVisit> = stays
        .filter(|stay| stay.is_unstuffed(list_number, at))
        .map(ContainerVisit::emptied)
        .collect();
    let mut facts = Vec::new();
    let mut seeds = Seeds::default();
    for stay in emptied {
        facts.push(publish::container_visit(
            ContainerVisitFact::Emptied,
            &stay,
            "",
            at,
            context.now,
        ));
        seeds.containers.insert(stay.container.as_str().to_owned());
        state.visits.put(stay.id.as_str().to_owned(), stay);
    }
    facts.extend(reconsider::concerned(state, &seeds, context));
    facts
}

/// Whether goods of a list have left: then nothing about them can be taken back (gate rule 12).
pub fn have_left(state: &State, list_number: &str) -> bool {
    state
        .lists
        .get(&list_number.to_owned())
        .is_some_and(ListPassage::has_left)
}

fn passage(state: &State, number: &StockListNumber) -> ListPassage {
    let held = state.lists.get(&number.as_str().to_owned());
    held.cloned()
        .unwrap_or_else(|| ListPassage::new(number.clone()))
}

fn of<'a>(state: &'a mut State, list_number: Option<&str>) -> Option<&'a mut ListPassage> {
    state.lists.edit(&list_number?.to_owned())
}

fn of_truck<'a>(state: &'a mut State, truck: &TruckVisit) -> Option<(&'a mut ListPassage, Uuid)> {
    let passage = of(state, truck.list_number.as_deref())?;
    Some((passage, truck.pre_arrival_id?))
}

fn told(happened: Vec<Happened>, at: DateTime<Utc>, context: &Context<'_>) -> Vec<Fact> {
    happened
        .iter()
        .map(|(fact, passage)| publish::list_passage(*fact, passage, at, context.now))
        .collect()
}
