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
//! | file list | book, its lines, serial numbers | mandates of trader and filer |
//! | change list | list, its book and lines | mandates of trader and actor |
//! | declaration | declaration, the lists it names or named, their books and lines | |
//! | passage, hold | list, its book and lines | |
//! | waiting lists | lists, their books and lines | |
//! | party | party | |
//! | mandate | mandates of the pair | |
//!
//! Whatever moves a book's ledger, clock or version writes the book: its chain and its clock
//! of recording are one for all its lines. The lots of a line, and whether the goods in
//! them are held, stand under the line's lock.

mod add_book_line;
mod change_stock_list;
mod file_stock_list;
mod learn_list_facts;
mod learn_mandate;
mod learn_party;
mod lists;
mod open_book;
mod post_opening;
mod suspend_book_line;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabric::{
    Context, Decision, Fact, Record, Service, StoreError, SubjectSet, Subjects, Timer, Unreadable,
    Working,
};
use kernel::{BookNumber, StockListNumber};
use sqlx::PgConnection;

use crate::domain::Rules;
use crate::domain::book::{Book, OpenBook};
use crate::domain::declaration::KnownDeclaration;
use crate::domain::hold::{HoldKey, ListHold};
use crate::domain::ledger::Movement;
use crate::domain::line::{AddBookLine, BookLine, LineId, SuspendBookLine};
use crate::domain::list_commands::{ChangeStockList, Target};
use crate::domain::list_filing::FileStockList;
use crate::domain::lot::StockedLot;
use crate::domain::mandate::KnownMandate;
use crate::domain::opening::PostOpening;
use crate::domain::party::KnownParty;
use crate::domain::passage::Passage;
use crate::domain::stock_list::StockList;
use crate::store::follow;
use crate::{events, store};

/// How often lists are looked at that wait for what told nobody when it was over.
const LOOK_AT_WAITING_EVERY: Duration = Duration::from_secs(2);

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
    /// The mandates that one party gave another and that may count: "GRANTOR/AGENT".
    pub const MANDATES_OF_PAIR: &str = "mandates-of-pair";
    /// A mandate, by its id, whether it counts or not.
    pub const MANDATE: &str = "mandate";
    /// A stock list, by its number, with everything that is told of it.
    pub const LIST: &str = "stock-list";
    /// A declaration, by its id.
    pub const DECLARATION: &str = "declaration";
    /// The serial numbers of lists: "AREA/DIRECTION".
    pub const SERIAL: &str = "serial";
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
    /// Somebody files a list.
    FileStockList(FileStockList),
    /// Somebody changes a list.
    ChangeStockList(ChangeStockList),
    /// Lists may wait for what told nobody when it was over.
    LookAtWaiting,
    /// Customs' word on a declaration.
    Declaration(KnownDeclaration),
    /// Gate's word on a list's passage.
    Passage(Passage),
    /// A hold on a list.
    Hold(ListHold),
    /// The register's word on a party.
    Party(KnownParty),
    /// The register's word on a mandate.
    Mandate(KnownMandate),
    /// A fact that says nothing to bonded: a hold on something else.
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
    /// Mandates to file lists, by id.
    pub mandates: Working<String, KnownMandate>,
    /// Lots with their totals, by id: those of the lines and lists that were read, and new ones.
    pub lots: Working<String, StockedLot>,
    /// Lots that are new or have entered.
    pub lots_made: BTreeSet<String>,
    /// Lists whose goods stood held on these lines when they were read.
    pub held_lists: BTreeSet<StockListNumber>,
    /// The last serial number of each year, by area and direction.
    pub serials: Working<String, BTreeMap<i32, u32>>,
    /// The epoch in which this service publishes; read where serial numbers are.
    pub epoch: u32,
    /// Lists, by number.
    pub lists: Working<StockListNumber, StockList>,
    /// What gate told of them.
    pub passages: Working<StockListNumber, Passage>,
    /// Declarations: those that are told of, and those that name the lists.
    pub declarations: Working<String, KnownDeclaration>,
    /// Holds on the lists.
    pub holds: Working<HoldKey, ListHold>,
    /// New movements, those of one book in its order.
    pub movements: Vec<Movement>,
}

impl Service for Bonded {
    const NAME: &'static str = "bonded";
    type Input = Input;
    type State = State;

    fn produces(&self) -> &'static [&'static str] {
        &[
            events::publish::BOOK,
            events::publish::STOCK_LIST,
            "bonded.audit",
        ]
    }

    fn consumes(&self) -> &'static [&'static str] {
        &[
            events::customs_party::TOPIC,
            events::customs_declaration::TOPIC,
            events::gate_list_passage::TOPIC,
            events::hold::CUSTOMS,
            events::hold::GATE,
            events::hold::RELEASE,
        ]
    }

    fn timers(&self) -> Vec<Timer<Input>> {
        vec![Timer {
            name: "look at waiting lists",
            every: LOOK_AT_WAITING_EVERY,
            input: || Input::LookAtWaiting,
        }]
    }

    fn aspect(&self, fact: &Fact) -> Option<String> {
        events::publish::aspect(fact)
    }

    fn decode(&self, record: &Record) -> Result<Input, Unreadable> {
        events::read(record)
    }

    fn subjects(&self, input: &Input) -> Subjects {
        match input {
            Input::OpenBook(command) => open_book::subjects(command),
            Input::AddBookLine(command) => add_book_line::subjects(command),
            Input::SuspendBookLine(command) => suspend_book_line::subjects(command),
            Input::PostOpening(command) => post_opening::subjects(command),
            Input::FileStockList(command) => file_stock_list::subjects(command),
            Input::ChangeStockList(command) => change_stock_list::subjects(command),
            Input::Declaration(told) => learn_list_facts::subjects_of_declaration(told),
            Input::Passage(told) => learn_list_facts::subjects_of_passage(told),
            Input::Hold(told) => learn_list_facts::subjects_of_hold(told),
            Input::Party(party) => learn_party::subjects(party),
            Input::Mandate(mandate) => learn_mandate::subjects(mandate),
            Input::LookAtWaiting | Input::Unneeded => Subjects::new(),
        }
    }

    fn follows(&self, input: &Input) -> bool {
        matches!(
            input,
            Input::FileStockList(_)
                | Input::ChangeStockList(_)
                | Input::LookAtWaiting
                | Input::Declaration(_)
                | Input::Passage(_)
                | Input::Hold(_)
        )
    }

    async fn follow(
        &self,
        db: &mut PgConnection,
        inputs: &[&Input],
    ) -> Result<Vec<Subjects>, sqlx::Error> {
        let leads = Leads::read(db, inputs).await?;
        Ok(inputs
            .iter()
            .map(|input| leads.follow(input, &self.rules))
            .collect())
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
            Input::FileStockList(command) => {
                file_stock_list::decide(state, command, &self.rules, context)
            }
            Input::ChangeStockList(command) => {
                change_stock_list::decide(state, command, &self.rules, context)
            }
            Input::LookAtWaiting => learn_list_facts::waiting(state, &self.rules, context),
            Input::Declaration(told) => {
                learn_list_facts::declaration(state, told, &self.rules, context)
            }
            Input::Passage(told) => learn_list_facts::passage(state, told, &self.rules, context),
            Input::Hold(told) => learn_list_facts::hold(state, told, &self.rules, context),
            Input::Party(party) => learn_party::decide(state, party),
            Input::Mandate(mandate) => learn_mandate::decide(state, mandate),
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

/// What the tables say about where a batch's inputs lead, read at once for all of them.
struct Leads {
    books: BTreeMap<String, follow::BookLead>,
    lists: BTreeMap<String, follow::ListLead>,
    of_discrepancies: BTreeMap<uuid::Uuid, String>,
    of_declarations: BTreeMap<String, Vec<String>>,
    waiting: Vec<String>,
}

impl Leads {
    async fn read(db: &mut PgConnection, inputs: &[&Input]) -> Result<Self, sqlx::Error> {
        let (mut books, mut lists) = (Vec::new(), BTreeSet::new());
        let (mut discrepancies, mut declarations, mut looks) = (Vec::new(), Vec::new(), false);
        for input in inputs {
            match input {
                Input::FileStockList(command) => books.push(command.book_number.to_string()),
                Input::ChangeStockList(command) => match &command.target {
                    Target::List(number) => drop(lists.insert(number.to_string())),
                    Target::Discrepancy(id) => discrepancies.push(*id),
                },
                Input::Declaration(told) => {
                    declarations.push(told.declaration_id.clone());
                    lists.extend(told.stock_lists.iter().map(ToString::to_string));
                }
                Input::Passage(told) => drop(lists.insert(told.list_number.to_string())),
                Input::Hold(told) => drop(lists.insert(told.list_number.to_string())),
                Input::LookAtWaiting => looks = true,
                _ => {}
            }
        }
        let of_discrepancies = follow::lists_of_discrepancies(db, &discrepancies).await?;
        let of_declarations = follow::lists_of_declarations(db, &declarations).await?;
        let waiting = if looks {
            follow::waiting(db).await?
        } else {
            Vec::new()
        };
        lists.extend(of_discrepancies.values().cloned());
        lists.extend(of_declarations.values().flatten().cloned());
        lists.extend(waiting.iter().cloned());
        Ok(Self {
            books: follow::books(db, &books).await?,
            lists: follow::lists(db, &lists).await?,
            of_discrepancies,
            of_declarations,
            waiting,
        })
    }

    fn follow(&self, input: &Input, rules: &Rules) -> Subjects {
        let list = |number: &str| {
            self.lists.get(number).map_or_else(
                || Subjects::new().write(kind::LIST, number),
                lists::subjects,
            )
        };
        let all = |numbers: &mut dyn Iterator<Item = &str>| {
            numbers.fold(Subjects::new(), |subjects, number| {
                subjects.and(list(number))
            })
        };
        match input {
            Input::FileStockList(command) => self
                .books
                .get(command.book_number.as_str())
                .map(|book| file_stock_list::follow(command, book, rules))
                .unwrap_or_default(),
            Input::ChangeStockList(command) => {
                let number = match &command.target {
                    Target::List(number) => Some(number.as_str()),
                    Target::Discrepancy(id) => self.of_discrepancies.get(id).map(String::as_str),
                };
                number
                    .and_then(|number| self.lists.get(number))
                    .map(|lead| change_stock_list::follow(command, lead))
                    .unwrap_or_default()
            }
            Input::Declaration(told) => {
                let former = self.of_declarations.get(&told.declaration_id);
                all(&mut told
                    .stock_lists
                    .iter()
                    .map(StockListNumber::as_str)
                    .chain(former.into_iter().flatten().map(String::as_str)))
            }
            Input::Passage(told) => list(told.list_number.as_str()),
            Input::Hold(told) => list(told.list_number.as_str()),
            Input::LookAtWaiting => all(&mut self.waiting.iter().map(String::as_str)),
            _ => Subjects::new(),
        }
    }
}
