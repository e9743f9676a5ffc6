//! The use cases of bonded and how the loop drives them: which subjects an input names,
//! which decision it calls. No SQL and no wire formats; those are `store`, `events` and
//! `grpc`.
//!
//! | Input | Writes | Reads |
//! | --- | --- | --- |
//! | open book | book | party |
//! | add line | book | |
//! | suspend line | book, line | |
//! | post opening | book, line, cause | |
//! | party | party | |
//!
//! Whatever moves a book's ledger or version writes the book: its chain and its clock of
//! recording are one for all its lines.

mod add_book_line;
mod learn_party;
mod open_book;
mod post_opening;
mod suspend_book_line;

use chrono::{DateTime, Utc};
use fabric::{
    Context, Decision, Record, Service, StoreError, SubjectSet, Subjects, Unreadable, Working,
};
use kernel::BookNumber;
use sqlx::PgConnection;

use crate::domain::Rules;
use crate::domain::amount::Totals;
use crate::domain::book::{Book, OpenBook};
use crate::domain::ledger::Movement;
use crate::domain::line::{AddBookLine, BookLine, LineId, SuspendBookLine};
use crate::domain::opening::{Lot, PostOpening};
use crate::domain::party::KnownParty;
use crate::{events, store};

/// The kinds of subjects.
pub mod kind {
    /// A book, by its number: its version and the head of its ledger.
    pub const BOOK: &str = "book";
    /// A line, as [`crate::domain::line::LineId`] spells it.
    pub const LINE: &str = "line";
    /// A party, by its id.
    pub const PARTY: &str = "party";
    /// The cause of an opening: "LINE/REFERENCE".
    pub const OPENING: &str = "opening";
}

/// The service, as the loop drives it.
pub struct Bonded {
    rules: Rules,
}

impl Bonded {
    /// The service under these rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules }
    }

    /// The rules that it works by.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}

/// Every command and consumed record of bonded.
#[derive(Clone, Debug)]
pub enum Input {
    /// A trader opens a book.
    OpenBook(OpenBook),
    /// A trader adds a line to its book.
    AddBookLine(AddBookLine),
    /// The operator sets a line's suspension.
    SuspendBookLine(SuspendBookLine),
    /// Stock is taken over when the books are set up.
    PostOpening(PostOpening),
    /// The register's word on a party.
    Party(KnownParty),
    /// A fact that says nothing to bonded in this version: a mandate.
    Unneeded,
}

/// What a batch has read and changed.
#[derive(Debug, Default)]
pub struct State {
    /// Parties, by id.
    pub parties: Working<String, KnownParty>,
    /// Books, by number.
    pub books: Working<BookNumber, Book>,
    /// Lines.
    pub lines: Working<LineId, BookLine>,
    /// Openings that were posted, by their subject's key.
    pub openings: Working<String, ()>,
    /// New lots with their totals.
    pub lots: Vec<(Lot, Totals)>,
    /// New movements, those of one book in its order.
    pub movements: Vec<Movement>,
}

impl Service for Bonded {
    const NAME: &'static str = "bonded";
    type Input = Input;
    type State = State;

    fn produces(&self) -> &'static [&'static str] {
        &[events::publish::BOOK]
    }

    fn consumes(&self) -> &'static [&'static str] {
        &[events::party::TOPIC]
    }

    fn decode(&self, record: &Record) -> Result<Input, Unreadable> {
        match record.topic.as_str() {
            events::party::TOPIC => events::party::decode(record),
            other => Err(Unreadable(format!("bonded does not read {other}"))),
        }
    }

    fn subjects(&self, input: &Input) -> Subjects {
        match input {
            Input::OpenBook(command) => open_book::subjects(command),
            Input::AddBookLine(command) => add_book_line::subjects(command),
            Input::SuspendBookLine(command) => suspend_book_line::subjects(command),
            Input::PostOpening(command) => post_opening::subjects(command),
            Input::Party(party) => learn_party::subjects(party),
            Input::Unneeded => Subjects::new(),
        }
    }

    async fn load(
        &self,
        db: &mut PgConnection,
        subjects: &SubjectSet,
    ) -> Result<State, sqlx::Error> {
        store::batch::load(db, subjects).await
    }

    fn decide(&self, state: &mut State, input: &Input, context: &Context<'_>) -> Decision {
        match input {
            Input::OpenBook(command) => open_book::decide(state, command, context),
            Input::AddBookLine(command) => add_book_line::decide(state, command, context),
            Input::SuspendBookLine(command) => suspend_book_line::decide(state, command, context),
            Input::PostOpening(command) => {
                post_opening::decide(state, command, &self.rules, context)
            }
            Input::Party(party) => learn_party::decide(state, party),
            Input::Unneeded => Decision::applied(),
        }
    }

    async fn store(
        &self,
        db: &mut PgConnection,
        state: &State,
        _now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        store::batch::store(db, state).await
    }
}
