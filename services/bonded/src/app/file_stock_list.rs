//! A trader, or a broker with its mandate, files a stock list.

use fabric::{Context, Decision, Subjects};
use prost::Message;

use super::{State, kind, lists};
use crate::domain::Rules;
use crate::domain::line::LineId;
use crate::domain::list_filing::{FileStockList, FilingView, file};
use crate::grpc::list_messages;
use crate::store::follow::BookLead;

pub fn subjects(command: &FileStockList) -> Subjects {
    let named = command.lines.iter().filter(|line| line.book_line != 0);
    named.fold(
        Subjects::new()
            .write(kind::BOOK, command.book_number.as_str())
            .read(kind::PARTY, command.actor.party.as_str()),
        |subjects, line| {
            let id = LineId {
                book_number: command.book_number.clone(),
                line_number: line.book_line,
            };
            subjects.write(kind::LINE, id.to_string())
        },
    )
}

/// What follows from whose and where the book is.
pub fn follow(command: &FileStockList, book: &BookLead, rules: &Rules) -> Subjects {
    let subjects = Subjects::new()
        .read(kind::PARTY, book.trader_party.as_str())
        .read(
            kind::MANDATES_OF_PAIR,
            lists::mandate_key(&book.trader_party, &command.actor.party),
        );
    match rules.centres.get(&book.site_id) {
        Some(area) => subjects.write(kind::SERIAL, lists::serial_key(area, command.direction)),
        None => subjects,
    }
}

pub fn decide(
    state: &mut State,
    command: &FileStockList,
    rules: &Rules,
    context: &Context<'_>,
) -> Decision {
    let lines = command.lines.iter().map(|line| line.book_line).collect();
    let desk = lists::desk(state, &command.book_number, &lines, context);
    let book = state.books.get(&command.book_number);
    let trader = book
        .map(|book| book.trader_party.clone())
        .unwrap_or_default();
    let serial_key = book
        .and_then(|book| rules.centres.get(&book.site_id))
        .map(|area| lists::serial_key(area, command.direction));
    let serials = serial_key
        .as_deref()
        .map(|key| lists::serials(state, key))
        .unwrap_or_default();
    let held_lists = lists::held_lists(state);
    let (mandates, register_known) = lists::mandates(state, &trader, &command.actor.party, context);
    let suspended = [&trader, &command.actor.party]
        .into_iter()
        .filter(|party| state.parties.is_loaded(party))
        .filter_map(|party| state.parties.get(party))
        .find(|party| party.suspended);
    let view = FilingView {
        mandates,
        register_known,
        suspended,
        serials: &serials,
        epoch: state.epoch,
        held_lists: &held_lists,
    };
    match file(command, &view, desk, rules) {
        Err(refusal) => Decision::refuse(refusal),
        Ok((filed, desk)) => {
            let conditions = filed.dossier.waits_for(&desk.lines);
            let answer = list_messages::filed(&filed, &conditions, command.validate_only);
            let answer = Decision::respond(answer.encode_to_vec()).for_party(&trader);
            if command.validate_only {
                return answer;
            }
            let mut facts = lists::put_desk(state, desk);
            facts.extend(lists::publish_all(
                std::slice::from_ref(&filed.fact),
                context,
            ));
            let number = filed.dossier.list.number.clone();
            // What could be asked of the new list before it is read back: nothing is known of it yet.
            state.lists.put(number, filed.dossier.list);
            if let Some(key) = serial_key {
                let mut years = serials;
                years.insert(filed.serial.0, filed.serial.1);
                state.serials.put(key, years);
            }
            answer.with_facts(facts)
        }
    }
}
