//! A trader adds a line to its book.

use fabric::{Context, Decision, Subjects};
use prost::Message;

use super::{State, kind};
use crate::domain::line::{AddBookLine, add};
use crate::events::publish;
use crate::grpc::messages;

pub fn subjects(command: &AddBookLine) -> Subjects {
    // The new line's number is known only then; the book's lock stands for it.
    Subjects::new().write(kind::BOOK, command.book_number.as_str())
}

pub fn decide(state: &mut State, command: &AddBookLine, context: &Context<'_>) -> Decision {
    match add(command, state.books.get(&command.book_number), context.now) {
        Err(refusal) => Decision::refuse(refusal),
        Ok((book, line)) => {
            let answer =
                Decision::respond(messages::added(&line, &command.warnings()).encode_to_vec());
            if command.validate_only {
                return answer;
            }
            let facts = vec![publish::line_declared(&book, &line, context.now)];
            state.books.put(book.book_number.clone(), book);
            state.lines.put(line.id.clone(), line);
            answer.with_facts(facts)
        }
    }
}
