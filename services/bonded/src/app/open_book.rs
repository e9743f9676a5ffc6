//! A trader opens an account book.

use fabric::{Context, Decision, Subjects};
use prost::Message;

use super::{State, kind};
use crate::domain::book::{OpenBook, number_from, open};
use crate::events::{customs_party, publish};
use crate::grpc::messages;

pub fn subjects(command: &OpenBook) -> Subjects {
    let subjects = Subjects::new().read(kind::PARTY, &command.actor.party);
    match &command.book_number {
        Some(number) => subjects.write(kind::BOOK, number.as_str()),
        // A number that is given with the decision belongs to nobody yet.
        None => subjects,
    }
}

pub fn decide(state: &mut State, command: &OpenBook, context: &Context<'_>) -> Decision {
    let number = match &command.book_number {
        Some(number) => Ok(number.clone()),
        None => number_from(context.new_id()),
    };
    let number = match number {
        Ok(number) => number,
        Err(refusal) => return Decision::refuse(refusal),
    };
    let held = command
        .book_number
        .as_ref()
        .and_then(|number| state.books.get(number));
    let trader = state.parties.get(&command.actor.party);
    let known = !context
        .parked
        .contains(customs_party::TOPIC, &command.actor.party);
    match open(command, number, held, trader, known, context.now) {
        Err(refusal) => Decision::refuse(refusal),
        Ok(book) => {
            let answer = Decision::respond(messages::opened(&book).encode_to_vec());
            if command.validate_only {
                return answer;
            }
            let facts = vec![publish::opened(&book)];
            state.books.put(book.book_number.clone(), book);
            answer.with_facts(facts)
        }
    }
}
