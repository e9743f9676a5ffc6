//! The use cases of gate and how the loop drives them: which things an input is about, which decision it
//! calls, what is told. No SQL and no wire formats; those are `store`, `events` and `grpc`.

mod arrivals;
mod availability;
mod departures;
mod endings;
mod filings;
mod holds;
mod inspections;
mod lane;
mod passes;
mod reconsider;
mod seeds;
mod state;
mod told;

use std::time::Duration;

use chassis::convert::hold_aspect;
use chrono::{DateTime, Utc};
use fabric::{
    Context, Decision, Fact, Record, Service, StoreError, SubjectSet, Subjects, Timer, Unreadable,
};
use kernel::{Fault, Refusal, StockListNumber};
use sqlx::PgConnection;

pub use arrivals::{AnnounceArrival, LineResult, RecordArrival};
pub use availability::SetAvailability;
pub use departures::{RecordDeparture, RecordLoading};
pub use endings::CorrectCheckIn;
pub use filings::{CancelPreArrival, ReplaceVehicle, SubmitPreArrival};
pub use holds::{LiftHold, PlaceHold};
pub use inspections::{EndInspection, OrderInspection, RecordInspection, RecordWeight};
use lane::Reviewed;
pub use lane::{CheckIn, CheckOut, DecideReview};
pub use seeds::{Seeds, kind};
pub use state::{Rules, State};

use crate::domain::container_visit::ContainerVisit;
use crate::domain::hold::Hold;
use crate::domain::knowledge::{
    CarryMandate, Clearance, InvalidationAsk, KnownDeclaration, KnownParty, ReleaseDecision,
};
use crate::domain::list_passage::StockList;
use crate::domain::pre_arrival::PreArrival;
use crate::domain::site::Site;
use crate::domain::truck_visit::TruckVisit;
use crate::{events, grpc, metrics, store};

/// How often it is looked for pre-arrivals whose time is over, for drivers who are to be forgotten, and for trucks that
/// must have left unseen.
const EXPIRE_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked for filings on what is, or was, parked: nobody is told when a record is parked or
/// given up.
const RECHECK_EVERY: Duration = Duration::from_secs(2);

/// Every command, record and timer of gate.
#[derive(Debug)]
pub enum Input {
    /// A train or barge will bring these.
    AnnounceArrival(AnnounceArrival),
    /// These were lifted off.
    RecordArrival(RecordArrival),
    /// These were lifted on.
    RecordLoading(RecordLoading),
    /// A train or barge has left.
    RecordDeparture(RecordDeparture),
    /// A container can be picked up, or not.
    SetAvailability(SetAvailability),
    /// One truck's coming.
    SubmitPreArrival(SubmitPreArrival),
    /// Taken back.
    CancelPreArrival(CancelPreArrival),
    /// Another truck or driver.
    ReplaceVehicle(ReplaceVehicle),
    /// A truck at a lane on its way in.
    CheckIn(CheckIn),
    /// A reading of the weighbridge.
    RecordWeight(RecordWeight),
    /// An inspection is ordered.
    OrderInspection(OrderInspection),
    /// An inspection site's result.
    RecordInspection(RecordInspection),
    /// An inspection is ended.
    EndInspection(EndInspection),
    /// A person decides.
    DecideReview(DecideReview),
    /// A check-in was a mistake.
    CorrectCheckIn(CorrectCheckIn),
    /// A truck at a lane on its way out.
    CheckOut(CheckOut),
    /// A hold is placed.
    PlaceHold(PlaceHold),
    /// A hold is lifted.
    LiftHold(LiftHold),
    /// A site, from the seeds.
    DeclareSite(Site),
    /// Customs told of a party.
    Party(KnownParty),
    /// Customs told of a mandate.
    Mandate(CarryMandate),
    /// Customs or release told of a hold.
    Hold(Box<Hold>),
    /// Customs told of a container's clearance.
    Clearance(Clearance),
    /// Customs told of a declaration.
    Declaration(Box<KnownDeclaration>, Vec<InvalidationAsk>),
    /// Customs told of something that is not gate's business.
    Unneeded,
    /// Bonded told of a stock list; with the ask, while it asks whether the list can be void.
    StockList(Box<(StockListNumber, StockList)>, Option<String>),
    /// Release told of a decision; with the ask, while it asks for one back.
    Decision(Box<ReleaseDecision>, Option<String>),
    /// Pre-arrivals whose time is over, and drivers who are to be forgotten.
    ExpirePreArrivals,
    /// Trucks that must have left unseen.
    InferGone,
    /// Pre-arrivals about which a record was parked, or is parked no more.
    Recheck,
}

/// What a command is answered with.
#[derive(Debug)]
pub enum Answer {
    /// A list's lines, of an announcement.
    Announced(Vec<LineResult>),
    /// A list's lines, of an arrival.
    Landed(Vec<LineResult>),
    /// A list's lines, of a loading.
    Loaded(Vec<LineResult>),
    /// A list's lines, of a departure.
    Departed(Vec<LineResult>),
    /// A container visit with its holds.
    ContainerVisit(Box<ContainerVisit>, Vec<Hold>),
    /// A pre-arrival filed, and what of it is worth a look.
    Submitted(Box<PreArrival>, Vec<Fault>),
    /// A pre-arrival taken back.
    Cancelled(Box<PreArrival>),
    /// A pre-arrival with another truck.
    Replaced(Box<PreArrival>),
    /// A truck at the way in; whether it was there already.
    CheckedIn(Box<TruckVisit>, bool),
    /// Weighed.
    Weighed(Box<TruckVisit>),
    /// An inspection ordered: its id.
    InspectionOrdered(Box<TruckVisit>, String),
    /// An inspection site's result.
    Inspected(Box<TruckVisit>),
    /// An inspection ended.
    InspectionEnded(Box<TruckVisit>),
    /// Decided by a person.
    Reviewed(Box<TruckVisit>),
    /// A check-in taken back.
    CheckInCorrected(Box<TruckVisit>),
    /// A truck at the way out; the stays that are over.
    CheckedOut(Box<TruckVisit>, Exit, Vec<String>),
    /// A hold placed.
    HoldPlaced(Hold),
    /// A hold lifted.
    HoldLifted(Hold),
    /// A site taken.
    SiteDeclared,
}

/// What the way out did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It opened.
    LetOut,
    /// It stayed closed.
    Refused,
    /// A person must decide.
    ManualReview,
}

/// What a use case gives: the answer and what is told, or why not.
pub type Outcome = Result<(Answer, Vec<Fact>), Refusal>;

/// The service, as the loop drives it.
#[derive(Clone, Debug)]
pub struct Gate {
    /// What the operator has set about deciding.
    pub rules: Rules,
}

impl Service for Gate {
    const NAME: &'static str = "gate";
    type Input = Input;
    type State = State;

    fn produces(&self) -> &'static [&'static str] {
        &[
            "gate.site",
            "gate.container-visit",
            "gate.pre-arrival",
            "gate.truck-visit",
            "gate.list-passage",
            "gate.answer",
            "gate.hold",
            "gate.audit",
        ]
    }

    fn consumes(&self) -> &'static [&'static str] {
        &[
            "customs.party",
            "customs.hold",
            "customs.clearance",
            "customs.declaration",
            "bonded.stock-list",
            "release.hold",
            "release.decision",
        ]
    }

    fn decode(&self, record: &Record) -> Result<Input, Unreadable> {
        events::read(record)
    }

    fn timers(&self) -> Vec<Timer<Input>> {
        vec![
            Timer {
                name: "expire pre-arrivals",
                every: EXPIRE_EVERY,
                input: || Input::ExpirePreArrivals,
            },
            Timer {
                name: "infer trucks gone",
                every: EXPIRE_EVERY,
                input: || Input::InferGone,
            },
            Timer {
                name: "recheck parked",
                every: RECHECK_EVERY,
                input: || Input::Recheck,
            },
        ]
    }

    fn aspect(&self, fact: &Fact) -> Option<String> {
        match fact.topic {
            "gate.hold" => Some(hold_aspect(&fact.payload)),
            _ => Some(String::new()),
        }
    }

    fn subjects(&self, input: &Input) -> Subjects {
        let subjects = input.seeds().subjects();
        match input {
            Input::Hold(hold) => subjects.write(kind::HOLD_SCOPE, hold.scope.topic_key()),
            Input::PlaceHold(command) => match &command.scope {
                Some(scope) => subjects.write(kind::HOLD_SCOPE, scope.topic_key()),
                None => subjects,
            },
            Input::SubmitPreArrival(command) => {
                let haulier = command.haulier();
                subjects
                    .read(kind::PARTY, haulier)
                    .read(kind::HOLD_SCOPE, format!("party/{haulier}"))
            }
            Input::DeclareSite(site) => subjects.write(kind::SITE, site.site_id.as_str()),
            Input::CheckIn(command) if !command.carrier_party.trim().is_empty() => {
                let carrier = command.carrier_party.trim();
                subjects
                    .read(kind::PARTY, carrier)
                    .read(kind::HOLD_SCOPE, format!("party/{carrier}"))
            }
            Input::Clearance(clearance) => {
                clearance
                    .consignments
                    .iter()
                    .fold(subjects, |subjects, consignment| {
                        subjects.read(
                            kind::HOLD_SCOPE,
                            format!("declaration/{}", consignment.declaration_id),
                        )
                    })
            }
            Input::Declaration(declaration, asks) => {
                let subjects = asks.iter().fold(subjects, |subjects, ask| {
                    subjects
                        .write(kind::ASK, ask.ask_id.as_str())
                        .read(kind::STAY, ask.about.as_str())
                });
                let id = declaration.declaration_id.as_str();
                let names = [&declaration.mrn, &declaration.lrn].into_iter();
                names.filter(|name| !name.is_empty()).fold(
                    subjects
                        .write(kind::DECLARATION, id)
                        .read(kind::HOLD_SCOPE, format!("declaration/{id}")),
                    |subjects, name| subjects.write(kind::REFERENCE, name.as_str()),
                )
            }
            Input::Decision(decision, Some(ask_id)) => subjects
                .write(kind::ASK, ask_id.as_str())
                .read(kind::STAY, decision.container_visit_id.as_str()),
            _ => subjects,
        }
    }

    fn follows(&self, input: &Input) -> bool {
        !matches!(input, Input::DeclareSite(_) | Input::Unneeded)
    }

    async fn follow(
        &self,
        db: &mut PgConnection,
        inputs: &[&Input],
    ) -> Result<Vec<Subjects>, sqlx::Error> {
        let seeds: Vec<Seeds> = inputs.iter().map(|input| input.seeds()).collect();
        store::follow::follow(db, &seeds, self.rules.gone_after).await
    }

    async fn load(
        &self,
        db: &mut PgConnection,
        subjects: &SubjectSet,
    ) -> Result<State, sqlx::Error> {
        store::load(db, subjects).await
    }

    fn decide(&self, state: &mut State, input: &Input, context: &Context<'_>) -> Decision {
        let outcome = match input {
            Input::AnnounceArrival(command) => arrivals::announce(state, command, context),
            Input::RecordArrival(command) => arrivals::record(state, command, context),
            Input::RecordLoading(command) => departures::load(state, command, context, &self.rules),
            Input::RecordDeparture(command) => departures::depart(state, command, context),
            Input::SetAvailability(command) => availability::set(state, command, context),
            Input::SubmitPreArrival(command) => {
                filings::submit(state, command, context, &self.rules)
            }
            Input::CancelPreArrival(command) => filings::cancel(state, command, context),
            Input::ReplaceVehicle(command) => filings::replace(state, command, context),
            Input::CheckIn(command) => lane::check_in(state, command, context, &self.rules),
            Input::RecordWeight(command) => inspections::weigh(state, command, context),
            Input::OrderInspection(command) => inspections::order(state, command, context),
            Input::RecordInspection(command) => inspections::record(state, command, context),
            Input::EndInspection(command) => inspections::end(state, command, context),
            Input::DecideReview(command) => {
                match lane::review(state, command, context, &self.rules) {
                    Ok(Reviewed::Decided(answer, facts)) => Ok((answer, facts)),
                    Ok(Reviewed::ShownAnew(refusal, facts)) => {
                        return Decision::refuse(refusal).with_facts(facts);
                    }
                    Err(refusal) => Err(refusal),
                }
            }
            Input::CorrectCheckIn(command) => endings::correct(state, command, context),
            Input::CheckOut(command) => lane::check_out(state, command, context, &self.rules),
            Input::PlaceHold(command) => holds::place(state, command, context),
            Input::LiftHold(command) => holds::lift(state, command, context),
            Input::DeclareSite(site) => told::site(state, site, context),
            _ => return Decision::applied().with_facts(self.learn(state, input, context)),
        };
        let decision = match outcome {
            Ok((answer, facts)) => {
                metrics::decided(&answer);
                Decision::respond(grpc::respond::encode(&answer)).with_facts(facts)
            }
            Err(refusal) => Decision::refuse(refusal),
        };
        match input {
            Input::SubmitPreArrival(command) => decision.for_party(command.haulier()),
            _ => decision,
        }
    }

    async fn store(
        &self,
        db: &mut PgConnection,
        state: &State,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        store::write::store(db, state, now).await
    }

    fn needs_knowledge(&self, input: &Input) -> bool {
        matches!(
            input,
            Input::CheckIn(_)
                | Input::CheckOut(_)
                | Input::DecideReview(_)
                | Input::RecordLoading(_)
        )
    }
}

impl Gate {
    fn learn(&self, state: &mut State, input: &Input, context: &Context<'_>) -> Vec<Fact> {
        match input {
            Input::Party(party) => told::party(state, party),
            Input::Mandate(mandate) => told::mandate(state, mandate),
            Input::Hold(hold) => told::hold(state, hold),
            Input::Clearance(clearance) => told::clearance(state, clearance),
            Input::Declaration(declaration, asks) => {
                let mut facts = told::declaration(state, declaration, asks, context);
                facts.extend(reconsider::concerned(state, &input.seeds(), context));
                return facts;
            }
            Input::StockList(list, ask) => {
                let mut facts = passes::heard(state, list, ask.as_deref(), context);
                facts.extend(reconsider::concerned(state, &input.seeds(), context));
                return facts;
            }
            Input::Decision(decision, ask) => {
                let mut facts = told::decision(state, decision, ask.as_deref(), context);
                facts.extend(reconsider::concerned(state, &input.seeds(), context));
                return facts;
            }
            Input::ExpirePreArrivals => return filings::expire(state, context, &self.rules),
            Input::InferGone => return endings::infer(state, context, &self.rules),
            Input::Recheck => return reconsider::filings(state, context),
            _ => return Vec::new(),
        }
        reconsider::concerned(state, &input.seeds(), context)
    }
}

impl Input {
    /// The things it is about, as far as it says itself.
    pub fn seeds(&self) -> Seeds {
        let mut seeds = Seeds::default();
        match self {
            Self::AnnounceArrival(command) => seeds.containers.extend(command.container_numbers()),
            Self::RecordArrival(command) => {
                seeds.containers.extend(command.container_numbers());
                if command.complete {
                    seeds.conveyances.insert((
                        command.head.site_id.clone(),
                        command.head.conveyance.trim().to_uppercase(),
                    ));
                }
            }
            Self::RecordLoading(command) => seeds.containers.extend(command.container_numbers()),
            Self::RecordDeparture(command) => {
                seeds.containers.extend(command.container_numbers());
                seeds.departing.insert((
                    command.head.site_id.clone(),
                    command.head.conveyance.trim().to_uppercase(),
                ));
            }
            Self::SetAvailability(command) => seeds.containers.extend(command.container_number()),
            Self::SubmitPreArrival(command) => {
                seeds.containers.extend(command.container_numbers());
                seeds.carried_lists.extend(command.list_number());
                seeds.plates.extend(command.plates());
                seeds.named_references.extend(command.references());
            }
            Self::CancelPreArrival(command) => seeds.pre_arrivals.extend(command.pre_arrival_id),
            Self::ReplaceVehicle(command) => {
                seeds.pre_arrivals.extend(command.pre_arrival_id);
                seeds
                    .plates
                    .extend(filings::plates_of(command.vehicle.as_ref()));
            }
            Self::CheckIn(command) => {
                seeds.moves = true;
                seeds.containers.extend(lane::readable(&command.containers));
                seeds
                    .plates
                    .extend(filings::plates_of(command.vehicle.as_ref()));
                match command.pre_arrival.parse() {
                    Ok(id) => seeds.pre_arrivals.insert(id),
                    Err(_) => seeds
                        .pre_arrival_numbers
                        .insert(command.pre_arrival.trim().to_uppercase()),
                };
            }
            Self::CheckOut(command) => {
                seeds.moves = true;
                seeds.containers.extend(lane::readable(&command.containers));
                seeds
                    .plates
                    .extend(filings::plates_of(command.vehicle.as_ref()));
                seeds.truck_visits.extend(command.truck_visit_id);
            }
            Self::RecordWeight(command) => seeds.truck_visits.extend(command.truck_visit_id),
            Self::OrderInspection(command) => seeds.truck_visits.extend(command.truck_visit_id),
            Self::RecordInspection(command) => seeds.truck_visits.extend(command.truck_visit_id),
            Self::EndInspection(command) => seeds.truck_visits.extend(command.truck_visit_id),
            Self::DecideReview(command) => {
                seeds.moves = true;
                seeds.truck_visits.extend(command.truck_visit_id);
            }
            Self::CorrectCheckIn(command) => {
                seeds.moves = true;
                seeds.truck_visits.extend(command.truck_visit_id);
            }
            Self::PlaceHold(command) => {
                if let Some(scope) = &command.scope {
                    seeds.add(Seeds::of_scope(scope));
                }
            }
            Self::LiftHold(command) => {
                seeds
                    .holds
                    .insert((crate::domain::hold::Keeper::Gate, command.hold_id.clone()));
            }
            Self::Hold(hold) => {
                seeds.holds.insert(hold.key());
                seeds.add(Seeds::of_scope(&hold.scope));
            }
            Self::Party(party) => {
                seeds.parties.insert(party.party_id.clone());
            }
            Self::Mandate(mandate) => {
                seeds.parties.insert(mandate.grantor_party.clone());
                seeds.mandates.insert(mandate.mandate_id.clone());
            }
            Self::Clearance(clearance) => {
                seeds.containers.insert(clearance.container_number.clone());
            }
            Self::StockList(list, _) => {
                seeds.lists.insert(list.0.to_string());
                if list.1.unstuffed_at.is_some() {
                    seeds.unstuffed_lists.insert(list.0.to_string());
                }
            }
            Self::Decision(decision, _) => {
                seeds.add(Seeds::of_decision(&decision.container_visit_id));
            }
            Self::Declaration(declaration, asks) => {
                for ask in asks {
                    seeds.add(Seeds::of_decision(&ask.about));
                }
                seeds.barring.insert(declaration.declaration_id.clone());
                let names = [&declaration.mrn, &declaration.lrn].into_iter();
                let names = names.filter(|name| !name.is_empty());
                seeds.references.extend(names.cloned());
            }
            Self::InferGone => seeds.long_inside = true,
            Self::ExpirePreArrivals => seeds.overdue = true,
            Self::Recheck => seeds.on_unknown = true,
            Self::DeclareSite(_) | Self::Unneeded => {}
        }
        seeds
    }
}
