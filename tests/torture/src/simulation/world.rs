//! The world of one simulation: services with their instances, what is done to them, and until when all must be quiet
//! again. It must not know what the services are for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use fabric::platform::{Assembled, Item, Session, assemble};
use fabric::{FabricConfig, Handle, Service};
use futures::FutureExt as _;
use tokio::sync::{mpsc, oneshot, watch};

use super::broker::Broker;
use super::callers::Doors;
use super::database::{self, Database};
use super::exchange;
use super::executor::{Executor, TaskId};
use super::platform::Simulated;
use super::timeline::Timeline;
use super::witness::Witness;

/// How long callers ask and somebody is stopped.
const DISTURBED_LEAST: Duration = Duration::from_secs(3);
const DISTURBED_MOST: Duration = Duration::from_secs(7);
/// How many faults of each simulation.
const FAULTS_LEAST: usize = 2;
const FAULTS_MOST: usize = 9;
/// By then after the last fault everything must be quiet.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// How often it is looked whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Steps of one simulation: more would never end.
const STEPS_MAX: u64 = 5_000_000;
/// How long the database lets a session stand idle in a transaction.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);
/// How long something is away.
const AWAY_MOST: Duration = Duration::from_secs(2);
/// How long an instance stands still.
const STILL_MOST: Duration = Duration::from_secs(13);
/// The records that a log loses at its end.
const TAIL_MOST: usize = 8;
/// By so much a clock is set.
const CLOCK_STEP: TimeDelta = TimeDelta::hours(1);

/// What came of one simulation.
#[derive(Debug)]
pub struct Outcome {
    /// What may never happen, and did.
    pub violations: Vec<String>,
    /// What happened, if it was to be read.
    pub trace: String,
    /// Steps that it took.
    pub steps: u64,
    /// How much was asked and answered.
    pub answers: usize,
    /// How long it took by its own time.
    pub time: Duration,
}

/// Something that is done to the site.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    Stop,
    StandStill,
    DatabaseDown,
    BrokerDown,
    LoseLog,
    LoseTail,
    StealCursors,
    SetClock,
    Confuse,
}

const FAULTS: [Fault; 13] = [
    Fault::Kill,
    Fault::Kill,
    Fault::Kill,
    Fault::Stop,
    Fault::StandStill,
    Fault::DatabaseDown,
    Fault::BrokerDown,
    Fault::LoseLog,
    Fault::LoseTail,
    Fault::LoseTail,
    Fault::StealCursors,
    Fault::SetClock,
    Fault::Confuse,
];

/// What comes to an end later; services by their number.
enum Later {
    Start(usize, usize),
    GoOn(u64),
    CutIdle(usize, u64),
    DatabaseUp(usize),
    BrokerUp,
    Understand,
}

/// A service with its instances.
struct Site<S: Service> {
    service: Arc<S>,
    database: Arc<Database>,
    doors: Arc<Doors<S::Input>>,
    /// The places for instances; none stands where none runs.
    instances: Vec<Option<Instance<S::Input>>>,
}

struct Instance<I> {
    id: u64,
    tasks: Vec<TaskId>,
    stop: watch::Sender<bool>,
    backgrounds: Vec<mpsc::Sender<Item<I>>>,
}

/// Services, and whatever is around them.
pub struct World {
    /// Time and chance.
    pub timeline: Timeline,
    /// What may never happen is said here.
    pub witness: Arc<Witness>,
    /// Whether a database's clock was set.
    pub clocks_set: bool,
    sites: Vec<Box<dyn Place>>,
    /// How far each database's clock was ahead at most.
    clocks_ahead: Vec<TimeDelta>,
    executor: Executor,
    broker: Arc<Broker>,
    /// Whether records are not understood.
    confused: Arc<AtomicBool>,
    callers: Vec<TaskId>,
    later: Vec<(Duration, Later)>,
    instances: u64,
    steps: u64,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn of(timeline: &Timeline, confused: &Arc<AtomicBool>) -> Self {
        let witness = Arc::new(Witness::default());
        Self {
            executor: Executor::new(timeline),
            broker: Broker::new(timeline, &witness),
            sites: Vec::new(),
            clocks_ahead: Vec::new(),
            confused: Arc::clone(confused),
            callers: Vec::new(),
            later: Vec::new(),
            clocks_set: false,
            instances: 0,
            steps: 0,
            witness,
            timeline: timeline.clone(),
        }
    }

    /// Adds a service: its database, and where it can be asked.
    pub fn add<S: Service>(&mut self, service: S) -> (Arc<Database>, Arc<Doors<S::Input>>)
    where
        database::Session: Session<S>,
    {
        let site = Site::new(service, &self.timeline, &self.witness);
        let (database, doors) = (Arc::clone(&site.database), Arc::clone(&site.doors));
        self.sites.push(Box::new(site));
        self.clocks_ahead.push(TimeDelta::zero());
        (database, doors)
    }

    /// Every database.
    pub fn databases(&self) -> Vec<&Database> {
        self.sites.iter().map(|site| site.database()).collect()
    }

    /// Starts somebody who asks; all must be quiet only when he has done.
    pub fn call(&mut self, caller: impl Future<Output = ()> + Send + 'static) {
        let task = self.executor.start(caller.boxed());
        self.callers.push(task);
    }

    /// Runs while it is disturbed, and then until everything is quiet.
    pub fn run(&mut self) {
        self.executor
            .start(Arc::clone(&self.broker).carry().boxed());
        for site in 0..self.sites.len() {
            let places = 1 + self.timeline.below(2);
            for place in 0..places {
                self.start(site, place);
            }
        }
        let unreliable = self.timeline.once_in(2);
        for database in self.databases() {
            database.set_unreliable(unreliable);
        }
        let disturbed = self.timeline.between(DISTURBED_LEAST, DISTURBED_MOST);
        for (at, fault) in self.drawn(disturbed) {
            self.run_until(at);
            self.inflict(fault);
        }
        self.run_until(disturbed);
        self.heal();
        self.settle();
    }

    /// What came of it.
    pub fn outcome(&self, answers: usize) -> Outcome {
        Outcome {
            violations: self.witness.violations(),
            trace: self.timeline.traced(),
            steps: self.steps,
            answers,
            time: self.timeline.now(),
        }
    }

    /// What is done when.
    fn drawn(&self, until: Duration) -> Vec<(Duration, Fault)> {
        let count = FAULTS_LEAST + self.timeline.below(FAULTS_MOST - FAULTS_LEAST + 1);
        let mut faults: Vec<(Duration, Fault)> = (0..count)
            .map(|_| {
                let at = self.timeline.between(Duration::ZERO, until);
                (at, FAULTS[self.timeline.below(FAULTS.len())])
            })
            .collect();
        faults.sort_by_key(|(at, _)| *at);
        faults
    }

    fn start(&mut self, site: usize, place: usize) {
        self.instances += 1;
        let id = self.instances;
        let name = self.sites[site].database().name;
        self.timeline.trace(|| format!("{name} {id} starts"));
        let (executor, timeline) = (&mut self.executor, &self.timeline);
        self.sites[site].start(id, place, executor, timeline, &self.broker);
    }

    /// Runs until a time, and does meanwhile what is due.
    fn run_until(&mut self, until: Duration) {
        loop {
            let due = self.later.iter().map(|(at, _)| *at).min();
            let next = due.filter(|at| *at <= until).unwrap_or(until);
            while self.steps < STEPS_MAX && self.timeline.now() < next {
                self.executor.step(next);
                self.steps += 1;
            }
            if self.steps >= STEPS_MAX {
                return;
            }
            for database in self.databases() {
                database.cut_orphans();
            }
            let now = self.timeline.now();
            let (done, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.later)
                .into_iter()
                .partition(|(at, _)| *at <= now);
            self.later = later;
            done.into_iter().for_each(|(_, end)| self.end(end));
            if now >= until {
                return;
            }
        }
    }

    fn later(&mut self, most: Duration, end: Later) {
        let at = self.timeline.now() + self.timeline.between(Duration::ZERO, most);
        self.later.push((at, end));
    }

    fn inflict(&mut self, fault: Fault) {
        let site = self.timeline.below(self.sites.len());
        let place = self.timeline.below(2);
        self.timeline.trace(|| format!("{fault:?} {site} {place}"));
        match fault {
            Fault::Kill => {
                if self.kill(site, place) {
                    self.later(AWAY_MOST, Later::Start(site, place));
                }
            }
            Fault::Stop => {
                if self.sites[site].tell_to_stop(place) {
                    self.later(AWAY_MOST, Later::Start(site, place));
                }
            }
            Fault::StandStill => self.stand_still(site, place),
            Fault::DatabaseDown => {
                self.database(site).go_down();
                self.later(AWAY_MOST, Later::DatabaseUp(site));
            }
            Fault::BrokerDown => {
                self.broker.go_down();
                self.later(AWAY_MOST, Later::BrokerUp);
            }
            Fault::LoseLog => self.broker.lose(None),
            Fault::LoseTail => self.broker.lose(Some(TAIL_MOST)),
            Fault::StealCursors => self.database(site).steal_cursors(),
            Fault::SetClock => {
                self.clocks_set = true;
                let ahead = if self.timeline.once_in(2) {
                    CLOCK_STEP
                } else {
                    -CLOCK_STEP
                };
                self.clocks_ahead[site] = ahead.max(self.clocks_ahead[site]);
                self.database(site).set_clock_ahead(ahead);
            }
            Fault::Confuse => {
                self.confused.store(true, Ordering::Relaxed);
                self.later(AWAY_MOST, Later::Understand);
            }
        }
    }

    fn end(&mut self, end: Later) {
        match end {
            Later::Start(site, place) => {
                self.kill(site, place);
                self.start(site, place);
            }
            Later::GoOn(id) => self.pause(id, false),
            Later::CutIdle(site, id) => self.database(site).cut_idle_of(id),
            Later::DatabaseUp(site) => self.database(site).come_up(),
            Later::BrokerUp => self.broker.come_up(),
            Later::Understand => self.confused.store(false, Ordering::Relaxed),
        }
    }

    fn kill(&mut self, site: usize, place: usize) -> bool {
        self.sites[site].kill(place, &mut self.executor)
    }

    fn stand_still(&mut self, site: usize, place: usize) {
        let Some(id) = self.sites[site].id_at(place) else {
            return;
        };
        self.pause(id, true);
        let cut_at = self.timeline.now() + IDLE_IN_TRANSACTION;
        let goes_on_at = self.timeline.now() + self.timeline.between(Duration::ZERO, STILL_MOST);
        self.later.push((goes_on_at, Later::GoOn(id)));
        if cut_at < goes_on_at {
            self.later.push((cut_at, Later::CutIdle(site, id)));
        }
    }

    fn pause(&mut self, id: u64, paused: bool) {
        for task in self.sites.iter().flat_map(|site| site.tasks_of(id)) {
            self.executor.pause(task, paused);
        }
    }

    fn database(&self, site: usize) -> &Database {
        self.sites[site].database()
    }

    /// Everything is there again and goes on.
    fn heal(&mut self) {
        self.timeline.trace(|| "all heals".to_owned());
        for (_, end) in std::mem::take(&mut self.later) {
            self.end(end);
        }
        // Set back, they would stay behind what was stamped until that time comes again; apart, nothing of the one would
        // be young to the other.
        let ahead = self.clocks_ahead.iter().copied().max().unwrap_or_default();
        for database in self.databases() {
            database.set_unreliable(false);
            database.set_clock_ahead(ahead);
        }
    }

    /// Runs until all is answered, sent, applied and told, or for too long.
    pub fn settle(&mut self) {
        let deadline = self.timeline.now() + SETTLED_WITHIN;
        loop {
            let open = self.unsettled();
            if open.is_empty() {
                return;
            }
            if self.timeline.now() >= deadline || self.steps >= STEPS_MAX {
                for what in open {
                    self.witness.found(format!("not settled: {what}"));
                }
                return;
            }
            self.retry_parked();
            self.run_until(self.timeline.now() + LOOK_EVERY);
        }
    }

    fn unsettled(&self) -> Vec<String> {
        let asking = self
            .callers
            .iter()
            .filter(|task| self.executor.runs(**task))
            .count();
        let mut open = Vec::new();
        if asking > 0 {
            open.push(format!("{asking} callers wait for answers"));
        }
        open.extend(exchange::unsettled(&self.databases()));
        open
    }

    /// An operator has what is parked tried again.
    fn retry_parked(&mut self) {
        for site in &self.sites {
            site.retry_parked();
        }
    }
}

impl<S: Service> Site<S>
where
    database::Session: Session<S>,
{
    fn new(service: S, timeline: &Timeline, witness: &Arc<Witness>) -> Self {
        let (produces, consumes) = (service.produces(), service.consumes());
        Self {
            database: Database::new(S::NAME, produces, consumes, timeline, witness),
            service: Arc::new(service),
            doors: Arc::default(),
            instances: vec![None, None],
        }
    }
}

/// A service, whichever it is.
trait Place {
    /// Starts an instance at a place.
    fn start(
        &mut self,
        id: u64,
        place: usize,
        executor: &mut Executor,
        timeline: &Timeline,
        broker: &Arc<Broker>,
    );
    /// Which instance runs at a place.
    fn id_at(&self, place: usize) -> Option<u64>;
    /// What runs of an instance.
    fn tasks_of(&self, id: u64) -> Vec<TaskId>;
    /// Ends the instance at a place without a word; whether there was one.
    fn kill(&mut self, place: usize, executor: &mut Executor) -> bool;
    /// Tells the instance at a place to stop; whether there was one.
    fn tell_to_stop(&mut self, place: usize) -> bool;
    /// Has what is parked tried again.
    fn retry_parked(&self);
    /// Its database.
    fn database(&self) -> &Database;
}

impl<S: Service> Place for Site<S>
where
    database::Session: Session<S>,
{
    fn start(
        &mut self,
        id: u64,
        place: usize,
        executor: &mut Executor,
        timeline: &Timeline,
        broker: &Arc<Broker>,
    ) {
        let platform = Simulated {
            timeline: timeline.clone(),
            database: Arc::clone(&self.database),
            broker: Arc::clone(broker),
            instance: id,
            relay: Arc::new(AtomicU64::new(0)),
        };
        let assembled: Assembled<S::Input> = assemble(&self.service, &config(), &platform, true);
        let futures = assembled.writers.into_iter().chain(assembled.others);
        let tasks = futures.map(|future| executor.start(future)).collect();
        let handle: Handle<S::Input> = assembled.handle;
        self.doors.open(id, handle);
        self.instances[place] = Some(Instance {
            id,
            tasks,
            stop: assembled.stop,
            backgrounds: assembled.backgrounds,
        });
    }

    fn id_at(&self, place: usize) -> Option<u64> {
        self.instances[place].as_ref().map(|instance| instance.id)
    }

    fn tasks_of(&self, id: u64) -> Vec<TaskId> {
        let instances = self.instances.iter().flatten();
        let of = instances.filter(|instance| instance.id == id);
        of.flat_map(|instance| instance.tasks.iter().copied())
            .collect()
    }

    fn kill(&mut self, place: usize, executor: &mut Executor) -> bool {
        let Some(instance) = self.instances[place].take() else {
            return false;
        };
        self.doors.close(instance.id);
        instance
            .tasks
            .into_iter()
            .for_each(|task| executor.kill(task));
        true
    }

    fn retry_parked(&self) {
        for (topic, key) in exchange::parked(&self.database) {
            let instances = self.instances.iter().flatten();
            for background in instances.flat_map(|instance| instance.backgrounds.first()) {
                let (reply, _) = oneshot::channel();
                let _ = background.try_send(Item::Retry {
                    topic: topic.clone(),
                    key: key.clone(),
                    reply,
                });
            }
        }
    }

    fn tell_to_stop(&mut self, place: usize) -> bool {
        let Some(instance) = &self.instances[place] else {
            return false;
        };
        self.doors.close(instance.id);
        let _ = instance.stop.send(true);
        true
    }

    fn database(&self) -> &Database {
        &self.database
    }
}

/// As a service is configured, but for what would only make a simulation longer.
fn config() -> FabricConfig {
    FabricConfig {
        relay_poll_millis: 100,
        watermark_millis: 1_000,
        watermark_idle_millis: 2_000,
        ..FabricConfig::for_brokers("none:1", "")
    }
}
