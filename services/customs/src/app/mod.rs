//! Customs as the loop drives it: every input, what it touches, and who decides it. One file per use case. It
//! must not know SQL or gRPC.
//!
//! | Input | Names itself | What follows from the tables |
//! | --- | --- | --- |
//! | filing | reference, inbox, account and party of the filer, every container and transport document, identifiers with the parties and accounts they lead to, sites | |
//! | command on a declaration | the declaration | its containers and documents, inbox, account |
//! | override of a match | the visit and its container too | as above |
//! | hold | the container, declaration or other scope | the declarations there, each with all of its own |
//! | payment | the account or the declaration | the debts that wait for the account |
//! | party, mandate | party, identifiers | the mandate's grantor |
//! | site, container visit | the sites; the container and the visit | the open declarations that name the container |

mod controls;
mod desk;
mod file_declaration;
pub mod holds;
mod learn;
mod override_match;
mod parties;
mod present_goods;
mod record_payment;
pub mod state;

use std::time::Duration;

use chassis::convert::hold_aspect;
use chrono::{DateTime, Utc};
use fabric::{
    Context, Decision, Fact, Record, Service, StoreError, SubjectSet, Subjects, Timer, Unreadable,
};
use sqlx::PgConnection;

pub use controls::{CompleteControl, OpenControl, Release, Reroute};
pub use desk::DeclarationCommand;
pub use file_declaration::{AnswerUnfit, FileDeclaration, told};
pub use holds::{LiftHold, PlaceHold, Target};
pub use override_match::OverrideMatch;
pub use parties::{GrantMandateCommand, PutPartyCommand, RevokeMandateCommand};
pub use present_goods::PresentGoods;
pub use record_payment::{DEBTS_SECURED_MAX, RecordPayment};

use crate::domain::assessing::Books;
use crate::domain::visit::{Site, Visit};
use crate::store::{self, leads::Lead};
use desk::Desk;
use state::{State, subject};

/// How often debts are looked at that an account has become large enough for.
const SECURE_WAITING_EVERY: Duration = Duration::from_secs(60);

/// The service.
#[derive(Clone, Debug)]
pub struct Customs {
    /// Tariff, rates, risk rules, severities.
    pub books: Books,
    /// The two letters in our movement reference numbers.
    pub mrn_country: String,
}

/// Everything that can change what customs holds.
#[derive(Clone, Debug)]
pub enum Input {
    /// A filing.
    File(Box<FileDeclaration>),
    /// A document that is no filing.
    AnswerUnfit(Box<AnswerUnfit>),
    /// Goods are presented.
    PresentGoods(PresentGoods),
    /// A match is decided.
    OverrideMatch(OverrideMatch),
    /// A control is ordered.
    OpenControl(OpenControl),
    /// A control is done.
    CompleteControl(CompleteControl),
    /// Another channel.
    Reroute(Reroute),
    /// The officer's own release.
    Release(Release),
    /// A hold is placed.
    PlaceHold(PlaceHold),
    /// A hold is lifted.
    LiftHold(LiftHold),
    /// Money came in.
    RecordPayment(RecordPayment),
    /// A party is entered or changed.
    PutParty(PutPartyCommand),
    /// A mandate is given.
    GrantMandate(GrantMandateCommand),
    /// A mandate is taken back.
    RevokeMandate(RevokeMandateCommand),
    /// Gate says what a site is.
    Site(Site),
    /// Gate says how a container visit stands.
    Visit(Box<Visit>),
    /// The timer looks for debts that an account has become large enough for.
    SecureWaiting,
}

impl Service for Customs {
    const NAME: &'static str = "customs";
    type Input = Input;
    type State = State;

    fn produces(&self) -> &'static [&'static str] {
        &[
            "customs.party",
            "customs.declaration",
            "customs.clearance",
            "customs.hold",
        ]
    }

    fn consumes(&self) -> &'static [&'static str] {
        &["gate.site", "gate.container-visit"]
    }

    fn decode(&self, record: &Record) -> Result<Input, Unreadable> {
        match record.topic.as_str() {
            "gate.site" => crate::events::gate_site::read(&record.payload).map(Input::Site),
            "gate.container-visit" => crate::events::gate_container_visit::read(&record.payload)
                .map(|visit| Input::Visit(Box::new(visit))),
            other => Err(Unreadable(format!("customs does not read {other}"))),
        }
    }

    fn timers(&self) -> Vec<Timer<Input>> {
        vec![Timer {
            name: "secure-waiting",
            every: SECURE_WAITING_EVERY,
            input: || Input::SecureWaiting,
        }]
    }

    fn aspect(&self, fact: &Fact) -> Option<String> {
        match fact.topic {
            "customs.hold" => Some(hold_aspect(&fact.payload)),
            "customs.party" => Some(crate::events::publish::party_aspect(&fact.payload)),
            _ => Some(String::new()),
        }
    }

    fn subjects(&self, input: &Input) -> Subjects {
        let of = |command: &DeclarationCommand| {
            Subjects::new().write(subject::DECLARATION, command.declaration_id.to_string())
        };
        match input {
            Input::File(filing) => filing.subjects(),
            Input::AnswerUnfit(_) | Input::SecureWaiting => Subjects::new(),
            Input::PresentGoods(asked) => of(&asked.command),
            Input::OverrideMatch(asked) => of(&asked.command).and(asked.subjects()),
            Input::OpenControl(asked) => of(&asked.command),
            Input::CompleteControl(asked) => of(&asked.command),
            Input::Reroute(asked) => of(&asked.command),
            Input::Release(asked) => of(&asked.command),
            Input::PlaceHold(asked) => asked.subjects(),
            Input::LiftHold(asked) => asked.subjects(),
            Input::RecordPayment(asked) => asked.subjects(),
            Input::PutParty(asked) => asked.subjects(),
            Input::GrantMandate(asked) => asked.subjects(),
            Input::RevokeMandate(asked) => asked.subjects(),
            Input::Site(_) => learn::site_subjects(),
            Input::Visit(visit) => learn::visit_subjects(visit),
        }
    }

    fn follows(&self, input: &Input) -> bool {
        lead(input).is_some()
    }

    async fn follow(
        &self,
        db: &mut PgConnection,
        inputs: &[&Input],
    ) -> Result<Vec<Subjects>, sqlx::Error> {
        let leads: Vec<Option<Lead>> = inputs.iter().map(|input| lead(input)).collect();
        store::leads::follow(db, &leads).await
    }

    async fn load(
        &self,
        db: &mut PgConnection,
        subjects: &SubjectSet,
    ) -> Result<State, sqlx::Error> {
        store::load(db, subjects, self.books.currency()).await
    }

    fn decide(&self, state: &mut State, input: &Input, context: &Context<'_>) -> Decision {
        let mut desk = Desk {
            customs: self,
            state,
            context,
            facts: Vec::new(),
        };
        match input {
            Input::File(filing) => filing.decide(desk),
            Input::AnswerUnfit(asked) => asked.decide(desk),
            Input::PresentGoods(asked) => asked.decide(desk),
            Input::OverrideMatch(asked) => asked.decide(desk),
            Input::OpenControl(asked) => asked.decide(desk),
            Input::CompleteControl(asked) => asked.decide(desk),
            Input::Reroute(asked) => asked.decide(desk),
            Input::Release(asked) => asked.decide(desk),
            Input::PlaceHold(asked) => asked.decide(desk),
            Input::LiftHold(asked) => asked.decide(desk),
            Input::RecordPayment(asked) => asked.decide(desk),
            Input::PutParty(asked) => asked.decide(desk),
            Input::GrantMandate(asked) => asked.decide(desk),
            Input::RevokeMandate(asked) => asked.decide(desk),
            Input::Site(site) => learn::site(desk, site),
            Input::Visit(visit) => learn::visit(desk, visit),
            Input::SecureWaiting => {
                record_payment::secure_waiting(&mut desk, None);
                Decision::applied().with_facts(desk.facts)
            }
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

/// What stored rows an input leads to.
fn lead(input: &Input) -> Option<Lead> {
    let on = |command: &DeclarationCommand| Some(Lead::Declaration(command.declaration_id));
    match input {
        Input::PresentGoods(asked) => on(&asked.command),
        Input::OverrideMatch(asked) => on(&asked.command),
        Input::OpenControl(asked) => on(&asked.command),
        Input::CompleteControl(asked) => on(&asked.command),
        Input::Reroute(asked) => on(&asked.command),
        Input::Release(asked) => on(&asked.command),
        Input::PlaceHold(asked) => match &asked.target {
            Target::Declaration(id) => Some(Lead::Declaration(*id)),
            _ => asked
                .container()
                .map(|container| Lead::Container(container.clone())),
        },
        Input::LiftHold(asked) => Some(Lead::Hold(asked.hold_id)),
        Input::RecordPayment(asked) => Some(match asked.declaration_id {
            Some(id) => Lead::Declaration(id),
            None => Lead::WaitingDebtsOf(asked.payer.clone()),
        }),
        Input::RevokeMandate(asked) => Some(Lead::Mandate(asked.mandate_id)),
        Input::Visit(visit) => Some(Lead::Container(visit.container.clone())),
        Input::SecureWaiting => Some(Lead::WaitingDebts),
        Input::File(_)
        | Input::AnswerUnfit(_)
        | Input::PutParty(_)
        | Input::GrantMandate(_)
        | Input::Site(_) => None,
    }
}
