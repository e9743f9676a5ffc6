//! The operator sets a line's suspension.

use fabric::{Context, Decision, Subjects};
use prost::Message;

use super::{State, kind};
use crate::domain::line::{SuspendBookLine, Suspended, suspend};
use crate::events::publish;
use crate::grpc::messages;

pub fn subjects(command: &SuspendBookLine) -> Subjects {
    Subjects::new()
        .write(kind::BOOK, command.line.book_number.as_str())
        .write(kind::LINE, command.line.to_string())
}

pub fn decide(state: &mut State, command: &SuspendBookLine, context: &Context<'_>) -> Decision {
    let book = state.books.get(&command.line.book_number);
    let line = state.lines.get(&command.line);
    match suspend(command, book, line, context.now) {
        Err(refusal) => Decision::refuse(refusal),
        Ok(Suspended::AlreadyApplied(line)) => {
            Decision::respond(messages::suspended(&line).encode_to_vec())
        }
        Ok(Suspended::Changed(book, line)) => {
            let answer = Decision::respond(messages::suspended(&line).encode_to_vec());
            let facts = vec![publish::line_declared(&book, &line, context.now)];
            state.books.put(book.book_number.clone(), *book);
            state.lines.put(line.id.clone(), line);
            answer.with_facts(facts)
        }
    }
}
