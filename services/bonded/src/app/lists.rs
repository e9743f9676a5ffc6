//! What the use cases of lists share: which subjects follow from a list, its dossier and its book taken out of a batch's
//! state, and put back whole. It must not decide anything.

use std::collections::{BTreeMap, BTreeSet};

use fabric::{Context, Fact, Subjects};
use kernel::{BookNumber, CustomsArea, Direction, StockListNumber};

use super::{State, kind};
use crate::domain::Rules;
use crate::domain::desk::Desk;
use crate::domain::line::LineId;
use crate::domain::list_posting::consider;
use crate::domain::mandate::KnownMandate;
use crate::domain::stock_list::{Dossier, ListFact, StockList, direction_name};
use crate::events::{self, publish};
use crate::store::follow::ListLead;

/// The key of the mandates that a party gave another.
pub fn mandate_key(grantor: &str, agent: &str) -> String {
    format!("{grantor}/{agent}")
}

/// The key of an area's serial numbers in a direction.
pub fn serial_key(area: &CustomsArea, direction: Direction) -> String {
    format!("{area}/{}", direction_name(direction))
}

/// What is locked with a list: its book, and the lines that it moves.
pub fn subjects(lead: &ListLead) -> Subjects {
    lead.book_lines.iter().fold(
        Subjects::new()
            .write(kind::LIST, lead.list_number.as_str())
            .write(kind::BOOK, lead.book_number.as_str()),
        |subjects, line| subjects.write(kind::LINE, format!("{}/{line}", lead.book_number)),
    )
}

/// The mandates of a pair, and whether the register's word on the giver could all be read.
pub fn mandates<'a>(
    state: &'a State,
    grantor: &str,
    agent: &str,
    context: &Context<'_>,
) -> (Vec<&'a KnownMandate>, bool) {
    let given = state
        .mandates
        .iter()
        .map(|(_, mandate)| mandate)
        .filter(|mandate| mandate.grantor_party == grantor && mandate.agent_party == agent)
        .collect();
    let known = !context
        .parked
        .contains(events::customs_party::TOPIC, grantor);
    (given, known)
}

/// A list with everything that is known of it; none if there is no such list.
pub fn dossier(state: &State, number: &StockListNumber, context: &Context<'_>) -> Option<Dossier> {
    let list = state.lists.get(number)?.clone();
    let declarations: Vec<_> = state
        .declarations
        .iter()
        .map(|(_, declaration)| declaration)
        .filter(|declaration| declaration.stock_lists.contains(number))
        .cloned()
        .collect();
    let mut places = vec![(events::gate_list_passage::TOPIC, number.to_string())];
    places.extend(events::hold::TOPICS.map(|topic| (topic, events::hold::key(number))));
    places.extend(declarations.iter().map(|one| {
        (
            events::customs_declaration::TOPIC,
            one.declaration_id.clone(),
        )
    }));
    Some(Dossier {
        list,
        // Of a list that was filed in this batch nobody has told anything.
        passage: state
            .passages
            .is_loaded(number)
            .then(|| state.passages.get(number).cloned())
            .flatten(),
        holds: state
            .holds
            .iter()
            .map(|(_, hold)| hold)
            .filter(|hold| hold.list_number == *number)
            .cloned()
            .collect(),
        unknown: places
            .into_iter()
            .filter(|(topic, key)| context.parked.contains(topic, key))
            .map(|(topic, key)| format!("{topic} {key}"))
            .collect(),
        declarations,
    })
}

/// A book with these of its lines and their lots; none if there is no such book.
pub fn desk<'a>(
    state: &State,
    book_number: &BookNumber,
    lines: &BTreeSet<u32>,
    context: &Context<'a>,
) -> Option<Desk<'a>> {
    let book = state.books.get(book_number)?.clone();
    let of_book = |id: &LineId| id.book_number == *book_number && lines.contains(&id.line_number);
    let lines = state
        .lines
        .iter()
        .filter(|(id, _)| of_book(id))
        .map(|(_, line)| line.clone());
    let lots = state
        .lots
        .iter()
        .filter(|(_, lot)| of_book(&lot.lot.line))
        .map(|(_, lot)| lot.clone());
    Some(Desk::new(book, lines, lots, context.now, context.ids))
}

/// The lines of the book that a list moves.
pub fn book_lines(list: &StockList) -> BTreeSet<u32> {
    list.lines.iter().map(|line| line.book_line).collect()
}

/// Lists of which the goods are held, as this batch knows them by now.
pub fn held_lists(state: &State) -> BTreeSet<StockListNumber> {
    let mut held = state.held_lists.clone();
    for (number, list) in state.lists.iter() {
        if list.is_held() {
            held.insert(number.clone());
        } else {
            held.remove(number);
        }
    }
    held
}

/// Puts a book back: what was posted is what is published.
pub fn put_desk(state: &mut State, desk: Desk<'_>) -> Vec<Fact> {
    let facts = desk
        .posted
        .iter()
        .map(|(movement, version)| publish::movement_posted(&desk.book, *version, movement))
        .collect();
    state
        .movements
        .extend(desk.posted.into_iter().map(|(movement, _)| movement));
    for (id, lot) in desk.lots {
        // A lot that was not read is one that this decision made.
        let held = state
            .lots
            .is_loaded(&id)
            .then(|| state.lots.get(&id))
            .flatten();
        let made = held.is_none_or(|held| held.lot != lot.lot);
        let moved = held.is_none_or(|held| held.totals != lot.totals);
        if made {
            state.lots_made.insert(id.clone());
        }
        if made || moved {
            state.lots.put(id, lot);
        }
    }
    for line in desk.lines.into_values() {
        if state.lines.get(&line.id) != Some(&line) {
            state.lines.put(line.id.clone(), line);
        }
    }
    if state.books.get(&desk.book.book_number) != Some(&desk.book) {
        state.books.put(desk.book.book_number.clone(), desk.book);
    }
    facts
}

/// Puts a list back, if it changed.
pub fn put_list(state: &mut State, list: StockList) {
    if state.lists.is_loaded(&list.number) && state.lists.get(&list.number) == Some(&list) {
        return;
    }
    state.lists.put(list.number.clone(), list);
}

/// What happened to lists, as it is published.
pub fn publish_all(facts: &[ListFact], context: &Context<'_>) -> Vec<Fact> {
    facts
        .iter()
        .map(|fact| publish::stock_list(fact, context.now))
        .collect()
}

/// Looks at these lists anew, after a fact about them; those that there are.
pub fn reconsider(
    state: &mut State,
    numbers: impl IntoIterator<Item = StockListNumber>,
    rules: &Rules,
    context: &Context<'_>,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    for number in numbers {
        let Some(mut dossier) = dossier(state, &number, context) else {
            continue;
        };
        let lines = book_lines(&dossier.list);
        let Some(mut desk) = desk(state, &dossier.list.book_number, &lines, context) else {
            continue;
        };
        // What the ledger does not allow is left as it stands: the next look tries again.
        let Ok(said) = consider(&mut dossier, &mut desk, rules) else {
            continue;
        };
        facts.extend(put_desk(state, desk));
        facts.extend(publish_all(&said, context));
        put_list(state, dossier.list);
    }
    facts
}

/// Serial numbers of each year, under their key; none yet where there are none.
pub fn serials(state: &State, key: &str) -> BTreeMap<i32, u32> {
    state
        .serials
        .get(&key.to_owned())
        .cloned()
        .unwrap_or_default()
}
