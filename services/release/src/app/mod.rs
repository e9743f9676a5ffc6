//! The use cases of release and how the loop drives them: which subjects an input names, which
//! decision it calls. No SQL and no wire formats; those are `store`, `events` and `grpc`.
//!
//! | Input | Writes | Reads |
//! | --- | --- | --- |
//! | stay | container, its transport documents, hold scope of the stay | site, what follows |
//! | clearance | container or transport document, hold scopes of its declarations | what follows |
//! | hold | its scope | declaration or site, what follows |
//! | hold on a party | its scope | so many of the stays and lists that it concerns as a batch holds |
//! | answer | the stay's container (follows), what waits for the answer | what follows |
//! | revocation | the stay's container (follows), its hold scope | what follows |
//! | pre-arrival | pre-arrival, its containers | site, what follows |
//! | decision come back | container, hold scope of the stay | site |
//! | commercial release | transport document | haulier, site, what follows |
//! | declaration | itself, its hold scope, the stock lists that it names | what follows |
//! | stock list, passage | the list, its hold scope | site, what follows |
//! | site, party, book | itself | |
//!
//! The notice board of a stay, list or declaration goes with its hold scope: who holds the one holds the other.
//!
//! What follows, for all that may change a decision: the containers concerned, and for each of their
//! open stays the transport documents, the hold scopes and the site. What leads to something else
//! (a document to containers, a declaration to containers and stock lists) is written by whoever changes where
//! it leads, so that of two inputs that concern each other the second always sees the first. A stock list leads
//! to its declarations, these to their containers, and these to their stays' hold scopes: whoever names a list
//! names all of that.
//!
//! The parties that a stay or list concerns are hold scopes too, but only read: whoever changes a stay or list changes
//! nothing about its parties. A hold on a party writes its scope, so that of it and a fact that first leads to the party
//! the second sees the first. What it concerns beyond a batch is found by the recheck, a batch at each tick: of each
//! stay and list is kept which holds on parties were weighed last.

mod commercial_release;
mod hears;
mod hold;
mod links;
mod lists;
mod reconsider;
mod revocation;
pub mod state;
mod tell;

use std::time::Duration;

use chassis::convert::hold_aspect;
use chrono::{DateTime, Utc};
use fabric::{
    Context, Decision, Fact, Record, Service, StoreError, SubjectSet, Subjects, Timer, Unreadable,
};
use kernel::StockListNumber;
use sqlx::PgConnection;
use uuid::Uuid;

pub use commercial_release::{GrantCommercialRelease, RevokeCommercialRelease, RevokeWhich};
pub use hold::{HoldTarget, LiftHold, PlaceHold};
pub use links::{Links, Seeds};
pub use revocation::RevokeRelease;
use state::State;

use crate::domain::clearance::Clearance;
use crate::domain::condition::Condition;
use crate::domain::container_visit::Stay;
use crate::domain::decision::Verdict;
use crate::domain::declaration::Declaration;
use crate::domain::hold::{Hold, Scope};
use crate::domain::party::KnownParty;
use crate::domain::pre_arrival::{PreArrival, PreArrivalContainer};
use crate::domain::site::Site;
use crate::domain::stock_list::{Filed, Passage};
use crate::{events, store};

/// How often it is looked whether records were parked or read after all: parking tells nobody. And whether a hold on a
/// party has yet to reach something.
const RECHECK_EVERY: Duration = Duration::from_secs(1);

/// The kinds of subjects.
pub mod kind {
    /// A container, by its number: all its stays, and what customs says under it.
    pub const CONTAINER: &str = "container";
    /// A transport document: its commercial releases, and what customs says under it.
    pub const DOCUMENT: &str = "transport-document";
    /// What a hold is on: "container-visit/ID".
    pub const HOLD_SCOPE: &str = "hold-scope";
    /// One hold, by service and id, so that a lifted one is read too.
    pub const HOLD: &str = "hold";
    /// A site.
    pub const SITE: &str = "site";
    /// A party.
    pub const PARTY: &str = "party";
    /// A pre-arrival.
    pub const PRE_ARRIVAL: &str = "pre-arrival";
    /// A declaration.
    pub const DECLARATION: &str = "declaration";
    /// An account book.
    pub const BOOK: &str = "book";
    /// A stock list.
    pub const STOCK_LIST: &str = "stock-list";
}

/// What every record of a fact says besides the fact.
#[derive(Clone, Debug)]
pub struct Heading {
    /// What happened: "CONTAINER_VISIT_ARRIVED".
    pub fact: String,
    /// When it happened.
    pub observed_at: DateTime<Utc>,
    /// When its service recorded it.
    pub recorded_at: DateTime<Utc>,
    /// By whom; empty where a rule or another fact caused it.
    pub party: String,
    /// It states again what was published before: it counts, and nobody is told of it.
    pub restated: bool,
}

/// A truck at the gate, as a record states it.
#[derive(Clone, Debug)]
pub struct TruckVisit {
    /// Gate's id.
    pub truck_visit_id: String,
    /// The site.
    pub site_id: String,
    /// The pre-arrival that it goes by, which leads to its stock list; empty if none was found.
    pub pre_arrival_id: String,
    /// Whose truck it is; empty if unknown.
    pub haulier_party: String,
    /// Who carries: the haulier, or a firm that holds its nomination; empty if gate has not looked.
    pub carrier_party: String,
    /// The containers it came for or brings.
    pub containers: Vec<PreArrivalContainer>,
    /// Why it was turned away, recalled or put to review.
    pub conditions: Vec<Condition>,
}

/// Gate's answer to an ask.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The ask; none if it is not one of release's.
    pub ask_id: Option<Uuid>,
    /// The stay that it is about; empty if it is about a stock list.
    pub container_visit_id: String,
    /// The stock list that it is about; empty if it is about a stay.
    pub list_number: String,
    /// The answer.
    pub verdict: Verdict,
}

/// A fact about an account book, as a record states it.
#[derive(Clone, Debug)]
pub struct Book {
    /// The book.
    pub book_number: String,
    /// Who owns it.
    pub trader_party: String,
    /// Of a movement: the stock list that caused it; empty if none did.
    pub list_number: String,
    /// What happened, for a person.
    pub detail: String,
}

/// A fact about a stock list, as a record of bonded states it.
#[derive(Clone, Debug)]
pub struct ListHeard {
    /// The list.
    pub list_number: StockListNumber,
    /// The list after it.
    pub filed: Filed,
    /// The account book.
    pub book_number: String,
    /// What is particular about it, for a person.
    pub detail: String,
}

/// A fact about what passes of a stock list, as a record of gate states it.
#[derive(Clone, Debug)]
pub struct PassageHeard {
    /// The list.
    pub list_number: StockListNumber,
    /// The bonded centre whose gate it is.
    pub site_id: String,
    /// The passage after it.
    pub passage: Passage,
    /// What is particular about it, for a person.
    pub detail: String,
}

/// Our own decision, come back with its event id.
#[derive(Clone, Debug)]
pub struct DecisionHeard {
    /// The stay or the stock list.
    pub about: Scope,
    /// Which of its decisions.
    pub version: u64,
    /// The site.
    pub site_id: String,
    /// The container; empty if it is about a stock list.
    pub container_number: String,
    /// To whom it is, or was, granted.
    pub haulier_party: String,
    /// What is missing.
    pub conditions: Vec<Condition>,
    /// It grants: whoever is told of it is told of its end too.
    pub granted: bool,
    /// It takes a grant back.
    pub taken_back: bool,
}

/// Everything that can change what release knows.
#[derive(Debug)]
pub enum Input {
    /// A site, as gate knows it.
    Site(Site),
    /// A party, as customs registers it; none: a mandate, which is weighed elsewhere.
    Party(Option<KnownParty>),
    /// A fact about a stay.
    ContainerVisit(Heading, Stay),
    /// What customs says about goods.
    Clearance(Clearance),
    /// A hold of any service, placed or lifted.
    Hold(Heading, Hold),
    /// Gate's answer to a revocation.
    Answer(Heading, Answer),
    /// A fact about a pre-arrival, with what is in its way.
    PreArrival(Heading, PreArrival, Vec<Condition>),
    /// A fact about a truck visit.
    TruckVisit(Heading, TruckVisit),
    /// A fact about a declaration, with its detail.
    Declaration(Heading, Declaration, String),
    /// A fact about an account book.
    Book(Heading, Book),
    /// A fact about a stock list.
    StockList(Heading, Box<ListHeard>),
    /// A fact about what passes of one.
    ListPassage(Heading, Box<PassageHeard>),
    /// Our own decision, come back.
    Decision(Heading, DecisionHeard),
    /// A line releases a consignment to a haulier.
    GrantCommercialRelease(GrantCommercialRelease),
    /// A line takes that back.
    RevokeCommercialRelease(RevokeCommercialRelease),
    /// Somebody places a commercial, finance or legal hold.
    PlaceHold(PlaceHold),
    /// Somebody lifts one.
    LiftHold(LiftHold),
    /// Somebody takes a granted release back.
    RevokeRelease(RevokeRelease),
    /// Look again at decisions on which a parked record weighs, or no longer does.
    Recheck,
}

/// Release, as the loop drives it.
#[derive(Debug, Default)]
pub struct Release;

impl Input {
    /// What a record says of itself; none of what nobody is told of.
    fn heading_mut(&mut self) -> Option<&mut Heading> {
        match self {
            Self::ContainerVisit(heading, ..)
            | Self::Hold(heading, ..)
            | Self::Answer(heading, ..)
            | Self::PreArrival(heading, ..)
            | Self::TruckVisit(heading, ..)
            | Self::Declaration(heading, ..)
            | Self::Book(heading, ..)
            | Self::StockList(heading, ..)
            | Self::ListPassage(heading, ..)
            | Self::Decision(heading, ..) => Some(heading),
            _ => None,
        }
    }
}

impl Service for Release {
    const NAME: &'static str = "release";
    type Input = Input;
    type State = State;

    fn produces(&self) -> &'static [&'static str] {
        events::publish::PRODUCED
    }

    fn consumes(&self) -> &'static [&'static str] {
        events::CONSUMED
    }

    fn decode(&self, record: &Record) -> Result<Input, Unreadable> {
        let mut input = events::read(record)?;
        if let Some(heading) = input.heading_mut() {
            heading.restated = record.is_restated();
        }
        Ok(input)
    }

    fn aspect(&self, fact: &Fact) -> Option<String> {
        match fact.topic {
            events::publish::HOLD_TOPIC => Some(hold_aspect(&fact.payload)),
            events::publish::NOTICE_TOPIC => None,
            _ => Some(String::new()),
        }
    }

    fn timers(&self) -> Vec<Timer<Input>> {
        vec![Timer {
            name: "recheck parked",
            every: RECHECK_EVERY,
            input: || Input::Recheck,
        }]
    }

    fn subjects(&self, input: &Input) -> Subjects {
        links::subjects(input)
    }

    fn follows(&self, input: &Input) -> bool {
        links::follows(input)
    }

    async fn follow(
        &self,
        db: &mut PgConnection,
        inputs: &[&Input],
    ) -> Result<Vec<Subjects>, sqlx::Error> {
        let seeds = links::seeds(inputs);
        let links = store::links::read(db, &seeds).await?;
        Ok(inputs
            .iter()
            .map(|input| links::following(input, &links))
            .collect())
    }

    async fn load(
        &self,
        db: &mut PgConnection,
        subjects: &SubjectSet,
    ) -> Result<State, sqlx::Error> {
        store::load(db, subjects).await
    }

    fn decide(&self, state: &mut State, input: &Input, context: &Context<'_>) -> Decision {
        match input {
            Input::Site(site) => hears::site(state, site),
            Input::Party(party) => hears::party(state, party.as_ref()),
            Input::ContainerVisit(heading, stay) => {
                hears::container_visit(state, heading, stay, context)
            }
            Input::Clearance(clearance) => hears::clearance(state, clearance, context),
            Input::Hold(heading, hold) => hears::hold(state, heading, hold, context),
            Input::Answer(heading, answer) => revocation::answered(state, heading, answer, context),
            Input::PreArrival(heading, pre_arrival, conditions) => {
                hears::pre_arrival(state, heading, pre_arrival, conditions, context)
            }
            Input::TruckVisit(heading, truck_visit) => {
                hears::truck_visit(state, heading, truck_visit, context)
            }
            Input::Declaration(heading, declaration, detail) => {
                hears::declaration(state, heading, declaration, detail, context)
            }
            Input::Book(heading, book) => hears::book(state, heading, book, context),
            Input::StockList(heading, heard) => lists::filed(state, heading, heard, context),
            Input::ListPassage(heading, heard) => lists::passage(state, heading, heard, context),
            Input::Decision(heading, decision) => {
                hears::own_decision(state, heading, decision, context)
            }
            Input::GrantCommercialRelease(command) => {
                commercial_release::grant(state, command, context)
            }
            Input::RevokeCommercialRelease(command) => {
                commercial_release::revoke(state, command, context)
            }
            Input::PlaceHold(command) => hold::place(state, command, context),
            Input::LiftHold(command) => hold::lift(state, command, context),
            Input::RevokeRelease(command) => revocation::revoke(state, command, context),
            Input::Recheck => reconsider::recheck(state, context),
        }
    }

    async fn store(
        &self,
        db: &mut PgConnection,
        state: &State,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        store::store(db, state, now).await
    }
}
