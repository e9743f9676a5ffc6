//! Stock is taken over when the books are set up.

use fabric::{Context, Decision, Subjects};
use prost::Message;

use super::{State, kind, lists};
use crate::domain::Rules;
use crate::domain::opening::{PostOpening, take_over};
use crate::grpc::messages;

/// The key under which an opening is posted once.
pub fn key(command: &PostOpening) -> String {
    format!("{}/{}", command.line, command.reference)
}

pub fn subjects(command: &PostOpening) -> Subjects {
    Subjects::new()
        .write(kind::BOOK, command.line.book_number.as_str())
        .write(kind::LINE, command.line.to_string())
        .write(kind::OPENING, key(command))
}

pub fn decide(
    state: &mut State,
    command: &PostOpening,
    rules: &Rules,
    context: &Context<'_>,
) -> Decision {
    let key = key(command);
    let book = state.books.get(&command.line.book_number);
    let line = state.lines.get(&command.line);
    let posted = state.openings.get(&key).is_some();
    match take_over(command, book, line, posted, rules, context.ids, context.now) {
        Err(refusal) => Decision::refuse(refusal),
        Ok(desk) => {
            let answer = desk
                .posted
                .first()
                .map(|(movement, _)| messages::movement(movement).encode_to_vec())
                .unwrap_or_default();
            let facts = lists::put_desk(state, desk);
            state.openings.put(key, ());
            Decision::respond(answer).with_facts(facts)
        }
    }
}
