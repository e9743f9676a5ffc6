//! The simulation of the four services: containers come by train, are declared, held, released and freed by their
//! parties, all at once, and leave by truck. The decisions are the services' own. When all is quiet every truck has left,
//! and nothing that happened on the way may have opened the barrier too early.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bonded::Bonded;
use bytes::Bytes;
use chrono::TimeDelta;
use customs::Customs;
use customs::seed as customs_seed;
use gate::Gate;
use kernel::{CustomsArea, StockListNumber};
use prost::Message;
use proto::bonded::v1 as bonded_wire;
use proto::customs::v1 as customs_wire;
use proto::gate::v1 as gate_wire;
use release::app::Release;
use uuid::Uuid;

use super::acts::{
    Act, CENTRE, Goods, TRADER, declare_sites, lift_by_customs, lift_by_terminal, reserve,
    set_up_book, void,
};
use super::callers::{Caller, Doors, History};
use super::database::{Database, FIRST_DAY};
use super::timeline::Timeline;
use super::whole::{Kept, Whole, tables};
use super::witness::Witness;
use super::world::{Outcome, World};
use super::{barrier, exchange, settled};

/// What comes by train.
const CONTAINERS: [&str; 2] = ["MSKU9070323", "CSQU3054383"];
/// How often stock is reserved.
const RESERVATIONS: usize = 3;
/// A full container leaves on knowledge of its release that is at most so old.
const DECISION_AGE_MAX: Duration = Duration::from_secs(6);
/// Nothing is over by itself in a simulation.
const GRACE: TimeDelta = TimeDelta::days(30);
/// The longest pause between two requests.
const PAUSE_MOST: Duration = Duration::from_millis(700);
/// How long something is held at most.
const HELD_MOST: Duration = Duration::from_secs(3);
/// How soon somebody looks again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Customs with its books, which are large.
static CUSTOMS: LazyLock<Arc<Customs>> = LazyLock::new(|| {
    let books = customs_seed::books(kernel::Rounding::Truncate);
    Arc::new(Customs {
        books: books.expect("the books of this version are sound"),
        mrn_country: "GB".to_owned(),
        exit_overdue_days: 90,
    })
});

/// Plays the simulation of a seed.
pub fn play(seed: u64, traced: bool) -> Outcome {
    let timeline = Timeline::of(seed, traced);
    let confused = Arc::new(AtomicBool::new(false));
    let mut world = World::of(&timeline, &confused);
    let gate = Arc::new(Gate {
        rules: gate::app::Rules {
            expiry_grace: GRACE,
            decision_age_max: DECISION_AGE_MAX,
            gone_after: GRACE,
            driver_retention: GRACE,
        },
    });
    let centre = CustomsArea::parse("8000").expect("it is a customs area");
    let bonded = Arc::new(Bonded::new(bonded::domain::Rules {
        centres: BTreeMap::from([(CENTRE.to_owned(), centre)]),
        storage_limit_months: 24,
    }));
    let release = Arc::new(Release);
    let people = People {
        gate: Service::of(&mut world, &gate, &confused),
        customs: Service::of(&mut world, &CUSTOMS, &confused),
        bonded: Service::of(&mut world, &bonded, &confused),
        release: Service::of(&mut world, &release, &confused),
        history: Arc::default(),
        witness: Arc::clone(&world.witness),
        timeline,
    };
    people.start(&mut world);
    world.run();
    exchange::judge(&world.witness, &world.databases());
    let clocks_are_good = !world.clocks_set;
    barrier::judge(&barrier::Evidence {
        witness: &world.witness,
        gate: &people.gate.database,
        release: &people.release.database,
        decision_age_max: clocks_are_good.then_some(DECISION_AGE_MAX),
    });
    settled::judge(&settled::Evidence {
        witness: &world.witness,
        gate: &people.gate.tables(),
        customs: (&CUSTOMS, &people.customs.tables()),
        bonded: &people.bonded.tables(),
        release: (&release, &people.release.tables()),
    });
    world.outcome(people.history.all().len())
}

/// One of the services, from outside.
struct Service<S: Kept> {
    database: Arc<Database>,
    doors: Arc<Doors<S::Input>>,
}

impl<S: Kept> Service<S> {
    fn of(world: &mut World, service: &Arc<S>, confused: &Arc<AtomicBool>) -> Self {
        let (database, doors) = world.add(Whole {
            service: Arc::clone(service),
            confused: Arc::clone(confused),
        });
        Self { database, doors }
    }

    fn tables(&self) -> Arc<S::Tables> {
        tables::<S>(&self.database.own_rows())
    }
}

impl<S: Kept> Clone for Service<S> {
    fn clone(&self) -> Self {
        Self {
            database: Arc::clone(&self.database),
            doors: Arc::clone(&self.doors),
        }
    }
}

/// Everybody who asks.
#[derive(Clone)]
struct People {
    gate: Service<Gate>,
    customs: Service<Customs>,
    bonded: Service<Bonded>,
    release: Service<Release>,
    history: Arc<History>,
    witness: Arc<Witness>,
    timeline: Timeline,
}

impl People {
    fn start(&self, world: &mut World) {
        let everybody = self.clone();
        world.call(async move { everybody.set_up().await });
        let began = chrono::DateTime::from_timestamp(FIRST_DAY, 0).unwrap_or_default();
        for (number, container) in CONTAINERS.into_iter().enumerate() {
            let goods = Arc::new(Goods::of(number, container, began));
            let (people, of) = (self.clone(), Arc::clone(&goods));
            world.call(async move { people.bring(&of).await });
            let (people, of) = (self.clone(), Arc::clone(&goods));
            world.call(async move { people.declare(&of).await });
            let (people, of) = (self.clone(), Arc::clone(&goods));
            world.call(async move { people.release(&of).await });
            let (people, of) = (self.clone(), Arc::clone(&goods));
            world.call(async move { people.inspect(&of).await });
            let (people, of) = (self.clone(), goods);
            world.call(async move { people.fetch(&of).await });
        }
        for number in 0..RESERVATIONS {
            let people = self.clone();
            world.call(async move { people.reserve(number).await });
        }
    }

    /// Sites, parties, mandates, money.
    async fn set_up(&self) {
        for act in declare_sites() {
            self.until(&self.gate, "seed", &act, Result::is_ok).await;
        }
        let seeds =
            customs_seed::Seeds::development().expect("the seeds of this version are sound");
        for (place, input) in seeds.inputs() {
            let act = Act::new(place, move || input.clone());
            self.until(&self.customs, "registrar", &act, Result::is_ok)
                .await;
        }
        for act in set_up_book() {
            self.until(&self.bonded, TRADER, &act, Result::is_ok).await;
        }
    }

    /// The trader reserves stock, of which there is not enough for everybody, and sometimes takes it back.
    async fn reserve(&self, number: usize) {
        while self.bonded.tables().movements.is_empty() {
            self.timeline.sleep(LOOK_EVERY).await;
        }
        let filed = self.ask(&self.bonded, TRADER, &reserve(number)).await;
        let filed = decoded::<bonded_wire::FileStockListResponse>(&filed);
        let list = filed.and_then(|response| response.stock_list);
        let number = list.and_then(|list| StockListNumber::parse(&list.list_number).ok());
        if let Some(number) = number
            && self.timeline.once_in(2)
        {
            let taken_back = self.ask(&self.bonded, TRADER, &void(&number)).await;
            if let Err(reason) = taken_back {
                let what = format!("{number} cannot be taken back: {reason}");
                self.witness.found(what);
            }
        }
    }

    /// The terminal: the train comes, and sometimes the container is held for a while.
    async fn bring(&self, goods: &Goods) {
        let gate = &self.gate;
        self.until(gate, "terminal", &goods.announce(), |answer| {
            let taken = gate_wire::ListLineOutcome::Accepted;
            decoded::<gate_wire::AnnounceArrivalResponse>(answer)
                .and_then(|response| response.results.first().map(|line| line.outcome() == taken))
                .unwrap_or(false)
        })
        .await;
        self.until(gate, "terminal", &goods.land(), Result::is_ok)
            .await;
        self.until(gate, "terminal", &goods.make_available(), Result::is_ok)
            .await;
        if self.timeline.once_in(2) {
            let held = self.ask(gate, "terminal", &goods.hold_by_terminal()).await;
            let held = decoded::<gate_wire::PlaceHoldResponse>(&held);
            if let Some(hold) = held.and_then(|response| response.hold) {
                self.pause(HELD_MOST).await;
                let lift = lift_by_terminal(&hold.hold_id);
                self.until(gate, "terminal", &lift, Result::is_ok).await;
            }
        }
    }

    /// The broker files once customs knows the site, and everybody whom the declaration names.
    async fn declare(&self, goods: &Goods) {
        while !self.customs.tables().is_set_up() {
            self.timeline.sleep(LOOK_EVERY).await;
        }
        self.until(&self.customs, "broker-a", &goods.file(), |answer| {
            use customs_wire::FilingOutcome::{Accepted, Registered};
            decoded::<customs_wire::FileDeclarationResponse>(answer)
                .and_then(|response| response.filing)
                .is_some_and(|filing| [Accepted, Registered].contains(&filing.outcome()))
        })
        .await;
    }

    /// The line releases the goods, and sometimes changes its mind twice.
    async fn release(&self, goods: &Goods) {
        let (release, grant) = (&self.release, goods.release_commercially());
        self.until(release, "line-a", &grant, Result::is_ok).await;
        if !self.timeline.once_in(3) {
            return;
        }
        self.pause(HELD_MOST).await;
        // What has left meanwhile is not taken back.
        if self.ask(release, "line-a", &goods.revoke()).await.is_ok() {
            self.pause(HELD_MOST).await;
            self.until(release, "line-a", &grant, |answer| {
                let consumed = |reason: &String| reason == "COMMERCIAL_RELEASE_CONSUMED";
                answer.is_ok() || answer.as_ref().is_err_and(consumed)
            })
            .await;
        }
    }

    /// Sometimes customs holds the container for a while.
    async fn inspect(&self, goods: &Goods) {
        if !self.timeline.once_in(2) {
            return;
        }
        self.pause(HELD_MOST).await;
        let held = self
            .ask(&self.customs, "officer-1", &goods.hold_by_customs())
            .await;
        let held = decoded::<customs_wire::PlaceHoldResponse>(&held);
        let id = held.and_then(|response| Uuid::parse_str(&response.hold?.hold_id).ok());
        if let Some(id) = id {
            self.pause(HELD_MOST).await;
            self.until(
                &self.customs,
                "officer-1",
                &lift_by_customs(id),
                Result::is_ok,
            )
            .await;
        }
    }

    /// The truck is filed, and comes and goes as soon as it is let.
    async fn fetch(&self, goods: &Goods) {
        let gate = &self.gate;
        self.until(gate, "haulier-a", &goods.pre_arrive(), Result::is_ok)
            .await;
        let mut truck = None;
        self.until(gate, "terminal", &goods.check_in(), |answer| {
            let visit = decoded::<gate_wire::CheckInResponse>(answer)
                .and_then(|response| response.truck_visit);
            let inside = gate_wire::TruckVisitState::GatedIn;
            truck = visit
                .filter(|visit| visit.state() == inside)
                .and_then(|visit| Uuid::parse_str(&visit.truck_visit_id).ok());
            truck.is_some()
        })
        .await;
        let leave = goods.check_out(truck.unwrap_or_default());
        self.until(gate, "terminal", &leave, |answer| {
            let let_out = gate_wire::CheckOutOutcome::LetOut;
            decoded::<gate_wire::CheckOutResponse>(answer)
                .is_some_and(|response| response.outcome() == let_out)
        })
        .await;
    }

    /// Asks, each time anew, until the answer is the one that is waited for.
    async fn until<S: Kept>(
        &self,
        service: &Service<S>,
        party: &str,
        act: &Act<S::Input>,
        mut is_done: impl FnMut(&Result<Bytes, String>) -> bool,
    ) {
        loop {
            let answer = self.ask(service, party, act).await;
            if is_done(&answer) {
                return;
            }
        }
    }

    async fn ask<S: Kept>(
        &self,
        service: &Service<S>,
        party: &str,
        act: &Act<S::Input>,
    ) -> Result<Bytes, String> {
        self.pause(PAUSE_MOST).await;
        let caller = Caller {
            timeline: self.timeline.clone(),
            doors: Arc::clone(&service.doors),
            history: Arc::clone(&self.history),
            witness: Arc::clone(&self.witness),
            party: party.to_owned(),
            asks: Vec::new(),
            input: Act::input,
        };
        let answer = caller.ask_once(self.timeline.new_id(), act).await;
        if let Err(reason) = &answer
            && reason == "INTERNAL"
        {
            self.witness
                .found(format!("{act:?} failed within {}", S::NAME));
        }
        answer
    }

    async fn pause(&self, most: Duration) {
        let pause = self.timeline.between(Duration::ZERO, most);
        self.timeline.sleep(pause).await;
    }
}

fn decoded<M: Message + Default>(answer: &Result<Bytes, String>) -> Option<M> {
    M::decode(answer.as_ref().ok()?.clone()).ok()
}
