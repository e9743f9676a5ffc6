//! One container's journey: what things are called, and for each step what is asked of the services and what
//! must come of it. A step that is repeated because an answer was lost asks the very same with the same request
//! id. Nothing here knows who is away meanwhile.

mod arrival;
mod bond;
pub(crate) mod cargo;
mod declaration;
mod export;
mod holds;
mod lane;

use std::future::ready;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{TimeDelta, Utc};
use futures::future::LocalBoxFuture;
use kernel::ContainerNumber;
use proto::common::v1::{Condition, Quantity};
use proto::gate::v1 as gate;

use crate::play::parties::{Parties, Party};
use crate::play::script::{Script, Step};
pub use bond::{guarantees_cover_a_long_play, stock_is_seeded};
use cargo::Cargo;
pub use lane::knowledge_is_old;
use lane::{Place, knowledge_is_fresh};

/// The river port.
const PORT: &str = "GUOYUAN-PORT";
/// The bonded centre.
const CENTRE: &str = "GUOYUAN-BLC";
/// The container's seal.
const SEAL: &str = "CN1";

/// A journey and how far it has come.
pub struct Journey<'a> {
    /// What happens in it.
    pub script: &'static Script,
    /// The container's number.
    pub container: String,
    /// The transport document of its goods.
    pub transport_document: String,
    /// The broker's reference.
    pub lrn: String,
    /// The stock list's number; empty until it is filed.
    pub list: String,
    plate: String,
    parties: &'a Parties,
    broker: &'a Party,
    trader: &'a Party,
    cargo: &'static Cargo,
    serial: u32,
    container_visit: String,
    declaration: String,
    mrn: String,
    pre_arrival: String,
    truck_visit: gate::TruckVisit,
    terminal_hold: String,
    customs_hold: String,
}

impl<'a> Journey<'a> {
    /// A journey of a container that nobody has heard of.
    pub fn new(parties: &'a Parties, script: &'static Script) -> Journey<'a> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let (broker, trader) = match script.letter {
            'D' => (&parties.other_broker, &parties.other_trader),
            _ => (&parties.broker, &parties.trader),
        };
        Journey {
            script,
            container: container(script.letter, serial),
            transport_document: format!("CRE-FAULTS-{serial:05}"),
            lrn: format!("FAULTS-{serial:05}"),
            list: String::new(),
            plate: format!("渝{}{serial:05}", script.letter),
            parties,
            broker,
            trader,
            cargo: Cargo::of(script),
            serial,
            container_visit: String::new(),
            declaration: String::new(),
            mrn: String::new(),
            pre_arrival: String::new(),
            truck_visit: gate::TruckVisit::default(),
            terminal_hold: String::new(),
            customs_hold: String::new(),
        }
    }

    /// Does what the step asks of a service, until that has answered; a step that is only waited for asks
    /// nothing. Boxed, as what is done in steps of all kinds is large.
    pub fn act(&mut self, step: Step) -> LocalBoxFuture<'_, ()> {
        use proto::gate::v1::{CheckOutOutcome, TruckVisitState};
        match step {
            Step::Announce => Box::pin(self.announce()),
            Step::FileList => Box::pin(self.file_list()),
            Step::ApproveList => Box::pin(self.approve_list()),
            Step::Lodge => Box::pin(self.lodge()),
            Step::PreArrive => Box::pin(self.pre_arrive()),
            Step::LandContainer => Box::pin(self.land()),
            Step::CommercialRelease => Box::pin(self.release_commercially()),
            Step::MakeAvailable => Box::pin(self.make_available()),
            Step::HoldByTerminal => Box::pin(self.hold_by_terminal()),
            Step::HoldByCustoms => Box::pin(self.hold_by_customs()),
            Step::ComeInVain => Box::pin(self.come(Place::Port, TruckVisitState::TurnedAway)),
            Step::CompleteControls => Box::pin(self.complete_controls()),
            Step::LiftByCustoms => Box::pin(self.lift_by_customs()),
            Step::LiftByTerminal => Box::pin(self.lift_by_terminal()),
            Step::CheckIn => Box::pin(self.come(Place::Port, TruckVisitState::GatedIn)),
            Step::OrderInspection => Box::pin(self.order_inspection()),
            Step::LeaveInVain => Box::pin(self.leave(Place::Port, CheckOutOutcome::Refused)),
            Step::Inspect => Box::pin(self.inspect()),
            Step::CheckOut => Box::pin(self.leave(Place::Port, CheckOutOutcome::LetOut)),
            Step::LoadInVain => Box::pin(self.load_in_vain()),
            Step::Load => Box::pin(self.be_loaded()),
            Step::LeaveByTrain => Box::pin(self.leave_by_train()),
            Step::CheckInAtCentre => Box::pin(self.come(Place::Centre, TruckVisitState::GatedIn)),
            Step::Weigh => Box::pin(self.weigh()),
            Step::CheckOutAtCentre => Box::pin(self.leave(Place::Centre, CheckOutOutcome::LetOut)),
            Step::Count => Box::pin(self.count()),
            Step::KnownTrain
            | Step::KnownList
            | Step::Matched
            | Step::KnownDeclaration
            | Step::MayMove
            | Step::Accepted
            | Step::Cleared
            | Step::Stopped
            | Step::Ready
            | Step::Departed
            | Step::MayLoad
            | Step::MayNotLoad
            | Step::Exited
            | Step::Passed
            | Step::Posted => Box::pin(ready(())),
        }
    }

    /// Waits for what must come of the step.
    pub fn consequence(&self, step: Step) -> LocalBoxFuture<'_, ()> {
        match step {
            Step::KnownTrain | Step::KnownList => Box::pin(self.until_customs_would_take_it()),
            Step::Matched => Box::pin(self.until_matched()),
            Step::KnownDeclaration => Box::pin(self.until_truck_would_be_ready()),
            Step::MayMove => Box::pin(self.until_goods_may_move()),
            Step::Accepted => Box::pin(self.until_accepted()),
            Step::Cleared => Box::pin(self.until_cleared()),
            Step::Stopped => Box::pin(self.until_all_is_known()),
            Step::Ready => Box::pin(self.until_ready()),
            Step::Departed => Box::pin(self.until_departed()),
            Step::MayLoad => Box::pin(self.until_it_may_be_loaded()),
            Step::MayNotLoad => Box::pin(self.until_revoked()),
            Step::Exited => Box::pin(self.until_exited()),
            Step::Passed => Box::pin(self.until_passed()),
            Step::Posted => Box::pin(self.until_posted()),
            // The answer was all.
            _ => Box::pin(ready(())),
        }
    }

    /// Waits until gate knows afresh what it weighs at the barrier for this truck.
    pub async fn until_knowledge_is_fresh(&self) {
        knowledge_is_fresh(self.parties, self.weighed()).await;
    }
}

/// The codes of conditions.
fn codes(conditions: &[Condition]) -> Vec<&str> {
    let codes = conditions.iter().map(|condition| condition.code.as_str());
    codes.collect()
}

fn only_line(results: Vec<gate::ListLineResult>) -> gate::ListLineResult {
    let [line] = results.try_into().expect("one line, one result");
    line
}

fn accepted_line(results: Vec<gate::ListLineResult>) -> gate::ListLineResult {
    let line = only_line(results);
    let outcome = line.outcome();
    assert_eq!(outcome, gate::ListLineOutcome::Accepted, "{line:?}");
    line
}

fn request_id() -> String {
    kernel::new_id().to_string()
}

fn kilograms(value: u32) -> Quantity {
    Quantity {
        value: value.to_string(),
        unit_code: "KGM".to_owned(),
    }
}

fn from_now(later: TimeDelta) -> prost_types::Timestamp {
    let time = Utc::now() + later;
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: 0,
    }
}

/// The number of this serial, with its right check digit: of ten digits one passes.
fn container(letter: char, serial: u32) -> String {
    (0..10)
        .find_map(|check| {
            let written = format!("GF{letter}U{serial:06}{check}");
            ContainerNumber::parse(&written).ok()
        })
        .unwrap()
        .to_string()
}
