//! What release hears of stock lists: what bonded says of one, and what gate says passes of it. Each is joined
//! with what is known (the highest version wins), kept in the timeline, told, and decided anew.

use fabric::{Context, Decision};
use kernel::StockListNumber;

use super::hears::{about_list, concerned_with, event_id};
use super::state::State;
use super::tell::{self, Pin, Told};
use super::{Heading, ListHeard, PassageHeard, reconsider};
use crate::domain::notice::{Concerned, Sort};
use crate::domain::stock_list::StockList;

/// What bonded says of a list.
pub fn filed(
    state: &mut State,
    heading: &Heading,
    heard: &ListHeard,
    context: &Context<'_>,
) -> Decision {
    let mut list = known(state, &heard.list_number, heading);
    list.learn_filed(&heard.filed);
    let told = Told {
        service: "bonded".to_owned(),
        detail: heard.detail.clone(),
        site_id: heard.filed.site_id.clone(),
        book_number: heard.book_number.clone(),
        ..about_list(&list.list_number, event_id(context))
    };
    decided_and_told(state, list, heading, told, context)
}

/// What gate says passes of a list.
pub fn passage(
    state: &mut State,
    heading: &Heading,
    heard: &PassageHeard,
    context: &Context<'_>,
) -> Decision {
    let mut list = known(state, &heard.list_number, heading);
    list.learn_passage(&heard.passage, heading.recorded_at);
    let told = Told {
        service: "gate".to_owned(),
        detail: heard.detail.clone(),
        site_id: heard.site_id.clone(),
        ..about_list(&list.list_number, event_id(context))
    };
    decided_and_told(state, list, heading, told, context)
}

fn known(state: &State, number: &StockListNumber, heading: &Heading) -> StockList {
    state
        .lists
        .get(&number.as_str().to_owned())
        .cloned()
        .unwrap_or_else(|| StockList::first_heard(number, heading.recorded_at))
}

fn decided_and_told(
    state: &mut State,
    list: StockList,
    heading: &Heading,
    told: Told,
    context: &Context<'_>,
) -> Decision {
    let number = list.list_number.clone();
    state.put_list(list);
    let decided = reconsider::lists(state, [number.as_str()], context);
    let scope = tell::list_scope(&number);
    let pin = Pin {
        scope: &scope,
        sort: Sort::StockList,
        own: Concerned::default(),
        granted_to: None,
    };
    let concerned = concerned_with(state, &scope);
    let mut facts = tell::pinned(state, pin, heading, told, &concerned);
    facts.extend(decided);
    Decision::applied().with_facts(facts)
}
