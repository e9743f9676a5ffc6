//! Stock is taken over when the books are set up.

use fabric::{Context, Decision, Subjects};
use prost::Message;

use super::{State, kind};
use crate::domain::Rules;
use crate::domain::opening::{PostOpening, take_over};
use crate::events::publish;
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
    match take_over(
        command,
        book,
        line,
        posted,
        rules,
        context.new_id(),
        context.now,
    ) {
        Err(refusal) => Decision::refuse(refusal),
        Ok(opened) => {
            let fact = publish::movement_posted(&opened.book, &opened.movement);
            let answer = messages::movement(&opened.movement).encode_to_vec();
            state
                .books
                .put(opened.book.book_number.clone(), opened.book);
            state.lines.put(opened.line.id.clone(), opened.line);
            state.openings.put(key, ());
            state.lots.push((opened.lot, opened.totals));
            state.movements.push(opened.movement);
            Decision::respond(answer).with_facts(vec![fact])
        }
    }
}
