//! Customs as the loop drives it: every input, what it touches, and who decides it. One file per use case. It
//! must not know SQL or gRPC.
//!
//! | Input | Names itself | What follows from the tables |
//! | --- | --- | --- |
//! | filing | reference, inbox, account and party of the filer, every container, transport document and stock list, identifiers with the parties and accounts they lead to, sites | of an export without a container, those that a truck brought under its reference |
//! | command on a declaration | the declaration | its containers, documents, lists and names, inbox, account |
//! | override of a match | the visit and its container too | as above |
//! | hold | the container, declaration or other scope | the declarations there, or of the party, each with all of its own |
//! | payment, guarantee | the account or the declaration, the payment's reference | the debts that wait for the account |
//! | party, mandate | party, identifiers | the mandate's grantor |
//! | site | the sites | |
//! | container visit | the container, the visit, the declarations that its truck's filing named | the open declarations that name the container or are named |
//! | stock list; answer of gate | the list; nothing | the open declarations that name the list; the one that waits for the answer |
//! | timers | nothing | the debts that an account has become large enough for; the exports that have not left; the declarations of a party that was held or is no longer |

mod controls;
mod desk;
mod file_declaration;
pub mod holds;
pub mod learn;
mod officers;
mod override_match;
mod parties;
mod present_goods;
mod put_guarantee;
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
pub use holds::{HELD_DECLARATIONS_MAX, LiftHold, PlaceHold, Target};
pub use officers::{Detain, EndDetention, Invalidate};
pub use override_match::OverrideMatch;
pub use parties::{GrantMandateCommand, PutPartyCommand, RevokeMandateCommand};
pub use present_goods::PresentGoods;
pub use put_guarantee::PutGuarantee;
pub use record_payment::{DEBTS_SECURED_MAX, RecordPayment};

use crate::domain::assessing::Books;
use crate::domain::hold::ScopeKind;
use crate::domain::matching::container_key;
use crate::domain::stock_list::StockList;
use crate::domain::visit::{Site, Visit};
use crate::store::{self, leads::Lead};
use desk::Desk;
use learn::Answer;
use state::{State, subject};

/// How often debts are looked at that an account has become large enough for.
const SECURE_WAITING_EVERY: Duration = Duration::from_secs(60);

/// How often declarations are looked at of which a party was held or is no longer.
const WEIGH_PARTY_HOLDS_EVERY: Duration = Duration::from_secs(10);

/// How often it is looked whether exports have left in time.
const LOOK_FOR_EXITS_EVERY: Duration = Duration::from_secs(600);

/// The service.
#[derive(Clone, Debug)]
pub struct Customs {
    /// Tariff, rates, risk rules, severities.
    pub books: Books,
    /// The two letters in our movement reference numbers.
    pub mrn_country: String,
    /// A released export that has not left after so many days is overdue.
    pub exit_overdue_days: u32,
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
    /// Goods are detained.
    Detain(Detain),
    /// A detention ends.
    EndDetention(EndDetention),
    /// A declaration shall be void.
    Invalidate(Invalidate),
    /// A hold is placed.
    PlaceHold(PlaceHold),
    /// A hold is lifted.
    LiftHold(LiftHold),
    /// Money came in.
    RecordPayment(RecordPayment),
    /// A guarantee is set.
    PutGuarantee(PutGuarantee),
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
    /// Bonded says how a stock list stands.
    StockList(Box<StockList>),
    /// Gate answers an ask.
    Answer(Answer),
    /// The timer looks for exports that have not left in time.
    LookForExits,
    /// The timer looks for debts that an account has become large enough for.
    SecureWaiting,
    /// The timer looks for declarations of which a party was held or is no longer.
    WeighPartyHolds,
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
            "customs.audit",
        ]
    }

    fn consumes(&self) -> &'static [&'static str] {
        &[
            "gate.site",
            "gate.container-visit",
            "gate.answer",
            "bonded.stock-list",
        ]
    }

    fn decode(&self, record: &Record) -> Result<Input, Unreadable> {
        match record.topic.as_str() {
            "gate.site" => crate::events::gate_site::read(&record.payload).map(Input::Site),
            "gate.container-visit" => crate::events::gate_container_visit::read(&record.payload)
                .map(|visit| Input::Visit(Box::new(visit))),
            "gate.answer" => crate::events::gate_answer::read(&record.payload).map(Input::Answer),
            "bonded.stock-list" => crate::events::bonded_stock_list::read(&record.payload)
                .map(|list| Input::StockList(Box::new(list))),
            other => Err(Unreadable(format!("customs does not read {other}"))),
        }
    }

    fn timers(&self) -> Vec<Timer<Input>> {
        vec![
            Timer {
                name: "secure-waiting",
                every: SECURE_WAITING_EVERY,
                input: || Input::SecureWaiting,
            },
            Timer {
                name: "weigh-party-holds",
                every: WEIGH_PARTY_HOLDS_EVERY,
                input: || Input::WeighPartyHolds,
            },
            Timer {
                name: "look-for-exits",
                every: LOOK_FOR_EXITS_EVERY,
                input: || Input::LookForExits,
            },
        ]
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
            Input::AnswerUnfit(_)
            | Input::SecureWaiting
            | Input::WeighPartyHolds
            | Input::LookForExits
            | Input::Answer(_) => Subjects::new(),
            Input::PresentGoods(asked) => of(&asked.command),
            Input::OverrideMatch(asked) => of(&asked.command).and(asked.subjects()),
            Input::OpenControl(asked) => of(&asked.command),
            Input::CompleteControl(asked) => of(&asked.command),
            Input::Reroute(asked) => of(&asked.command),
            Input::Release(asked) => of(&asked.command),
            Input::Detain(asked) => of(&asked.command),
            Input::EndDetention(asked) => of(&asked.command),
            Input::Invalidate(asked) => of(&asked.command),
            Input::PlaceHold(asked) => asked.subjects(),
            Input::LiftHold(asked) => asked.subjects(),
            Input::RecordPayment(asked) => asked.subjects(),
            Input::PutGuarantee(asked) => asked.subjects(),
            Input::PutParty(asked) => asked.subjects(),
            Input::GrantMandate(asked) => asked.subjects(),
            Input::RevokeMandate(asked) => asked.subjects(),
            Input::Site(_) => learn::site_subjects(),
            Input::Visit(visit) => learn::visit_subjects(visit),
            Input::StockList(list) => learn::list_subjects(list),
        }
    }

    fn follows(&self, input: &Input) -> bool {
        self.lead(input).is_some()
    }

    async fn follow(
        &self,
        db: &mut PgConnection,
        inputs: &[&Input],
    ) -> Result<Vec<Subjects>, sqlx::Error> {
        let leads: Vec<Option<Lead>> = inputs.iter().map(|input| self.lead(input)).collect();
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
            for_party: None,
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
            Input::Detain(asked) => asked.decide(desk),
            Input::EndDetention(asked) => asked.decide(desk),
            Input::Invalidate(asked) => asked.decide(desk),
            Input::PlaceHold(asked) => asked.decide(desk),
            Input::LiftHold(asked) => asked.decide(desk),
            Input::RecordPayment(asked) => asked.decide(desk),
            Input::PutGuarantee(asked) => asked.decide(desk),
            Input::PutParty(asked) => asked.decide(desk),
            Input::GrantMandate(asked) => asked.decide(desk),
            Input::RevokeMandate(asked) => asked.decide(desk),
            Input::Site(site) => learn::site(desk, site),
            Input::Visit(visit) => learn::visit(desk, visit),
            Input::StockList(list) => learn::list(desk, list),
            Input::Answer(answer) => learn::answer(desk, answer),
            Input::LookForExits => learn::look_for_exits(desk),
            Input::WeighPartyHolds => holds::weigh_party_holds(desk),
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

impl Customs {
    /// What stored rows an input leads to.
    fn lead(&self, input: &Input) -> Option<Lead> {
        let on = |command: &DeclarationCommand| Some(Lead::Declaration(command.declaration_id));
        match input {
            Input::File(filing) => filing.name_alone().map(Lead::Named),
            Input::PresentGoods(asked) => on(&asked.command),
            Input::OverrideMatch(asked) => on(&asked.command),
            Input::OpenControl(asked) => on(&asked.command),
            Input::CompleteControl(asked) => on(&asked.command),
            Input::Reroute(asked) => on(&asked.command),
            Input::Release(asked) => on(&asked.command),
            Input::Detain(asked) => on(&asked.command),
            Input::EndDetention(asked) => on(&asked.command),
            Input::Invalidate(asked) => on(&asked.command),
            Input::PlaceHold(asked) => match &asked.target {
                Target::Declaration(id) => Some(Lead::Declaration(*id)),
                Target::Other(scope) if scope.kind == ScopeKind::Party => Some(Lead::OfParty {
                    party: scope.key.clone(),
                    held: false,
                }),
                _ => asked
                    .container()
                    .map(|container| Lead::Found(vec![container_key(container)])),
            },
            Input::LiftHold(asked) => Some(Lead::Hold(asked.hold_id)),
            Input::RecordPayment(asked) => Some(match asked.declaration_id {
                Some(id) => Lead::Declaration(id),
                None => Lead::WaitingDebtsOf(asked.payer.clone()),
            }),
            Input::PutGuarantee(asked) => Some(Lead::WaitingDebtsOf(asked.trader.clone())),
            Input::RevokeMandate(asked) => Some(Lead::Mandate(asked.mandate_id)),
            Input::GrantMandate(asked) => asked.asked.passed_on_from.map(Lead::Mandate),
            Input::Visit(visit) => Some(Lead::Found(learn::visit_references(visit))),
            Input::StockList(list) => Some(Lead::Found(vec![learn::list_reference(list)])),
            Input::Answer(answer) => Some(Lead::Found(vec![answer.reference()])),
            Input::SecureWaiting => Some(Lead::WaitingDebts),
            Input::WeighPartyHolds => Some(Lead::PartyHolds),
            Input::LookForExits => Some(Lead::AwaitedExits(self.exit_overdue_days)),
            Input::AnswerUnfit(_) | Input::PutParty(_) | Input::Site(_) => None,
        }
    }
}
