//! What is done to the site: at times that follow from a seed a process is killed, told to end, stopped for a while or
//! finds no room to write, connections fare badly, or a second instance of a service comes and goes. Each fault is told
//! as it is made. It must not know what is played meanwhile.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use stack::process::Signal;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::clocks::{Clocks, STEP_SECONDS};
use super::connections::{Connections, Server, State};
use super::instance::Second;
use super::log_loss::{Loss, lose};
use super::recovery::{self, Killed};
use crate::evidence::Step;
use crate::play::chance::Chance;
use crate::play::outage::{Outage, Target, Victim, Way};
use crate::site::{Process, Site};

/// The least pause between two faults is this part of the average; the longest as much longer as it is shorter. Much of
/// it is needed for anything to be played at all.
const PAUSE_LEAST_PART: usize = 7;
/// So many records are lost of the end of each partition.
const RECORDS_LOST: u64 = 100;
/// Who is stopped is stopped for less than so long: beyond its limit gate sends trucks to a person, and nobody plays one.
const FROZEN_MILLIS_MAX: usize = 8_000;

/// Everybody who may be killed or stopped; services more often than servers, whose way back takes seconds.
const VICTIMS: [Victim; 10] = [
    Victim::Gate,
    Victim::Gate,
    Victim::Customs,
    Victim::Customs,
    Victim::Bonded,
    Victim::Bonded,
    Victim::Release,
    Victim::Release,
    Victim::Kafka,
    Victim::Postgres,
];

/// What may be done to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Sort {
    /// `kill -9` of a service or server
    Kill,
    /// `kill -TERM` of a service or of Kafka
    End,
    /// `kill -STOP` of a service or server, and later `kill -CONT`
    Freeze,
    /// A second instance of a service comes or goes
    Second,
    /// Kafka loses its whole log
    LoseLog,
    /// Kafka loses the last records of each partition
    LoseTails,
    /// Connections to PostgreSQL, to Kafka or to the services are cut for a while
    Cut,
    /// What is said on them arrives late for a while
    Slow,
    /// They go silent, and never speak again
    HalfOpen,
    /// PostgreSQL or Kafka can write nothing for a while, as on a full disk
    Full,
    /// The clocks of all databases are an hour fast or slow for a while
    Clock,
}

/// How often each is drawn.
const SORTS: [(Sort, usize); 11] = [
    (Sort::Kill, 3),
    (Sort::End, 3),
    (Sort::Freeze, 4),
    (Sort::Second, 4),
    (Sort::LoseLog, 1),
    (Sort::LoseTails, 1),
    (Sort::Cut, 1),
    (Sort::Slow, 1),
    (Sort::HalfOpen, 1),
    (Sort::Full, 1),
    (Sort::Clock, 1),
];

/// One fault.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// `kill -9`; `up` starts it again.
    Kill(Victim),
    /// `SIGTERM` to a service; `up` starts it again.
    End(Victim),
    /// `SIGSTOP`, and later `SIGCONT`.
    Freeze(Victim, Duration),
    /// The second instance of a service comes, or goes if it is there: killed, or told to end.
    Second(usize, Signal),
    /// The broker loses records that it had acknowledged.
    Lose(Loss),
    /// A server can write nothing for a while.
    Full(Victim, Duration),
    /// The connections to a server fare badly for a while.
    Connections(Server, State, Duration),
    /// All clocks are so many seconds fast for a while, or slow if negative.
    Clock(i64, Duration),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill(victim) => write!(formatter, "kill -9 {victim}"),
            Fault::End(victim) => write!(formatter, "kill -TERM {victim}"),
            Fault::Freeze(victim, time) => {
                write!(
                    formatter,
                    "kill -STOP {victim}, for {} ms",
                    time.as_millis()
                )
            }
            Fault::Second(..) => write!(formatter, "a second instance"),
            Fault::Lose(Loss::Whole) => write!(formatter, "Kafka loses its whole log"),
            Fault::Lose(Loss::Tails(count)) => {
                write!(
                    formatter,
                    "Kafka loses the last {count} records of each partition"
                )
            }
            Fault::Full(victim, time) => {
                write!(
                    formatter,
                    "no room for {victim} to write, for {} ms",
                    time.as_millis()
                )
            }
            Fault::Connections(server, state, time) => {
                let millis = time.as_millis();
                write!(
                    formatter,
                    "connections to {server}: {state:?}, for {millis} ms"
                )
            }
            Fault::Clock(seconds, time) => {
                let millis = time.as_millis();
                write!(formatter, "clocks step by {seconds} s, for {millis} ms")
            }
        }
    }
}

/// All faults of a run.
pub struct Chaos {
    site: &'static Site,
    connections: Connections,
    seconds: Vec<Second>,
    /// None if they are not to step.
    clocks: Option<Clocks>,
    /// Each as often as it is to be drawn.
    sorts: Vec<Sort>,
    /// Between two, on average.
    pause_millis: usize,
    chance: Chance,
    began: Instant,
    faults: usize,
    killed: Vec<JoinHandle<Option<Killed>>>,
}

impl Chaos {
    /// Nothing is done yet; only faults of these sorts will be, with such a pause between them on average. Without
    /// clocks none steps.
    pub fn new(
        site: &'static Site,
        connections: Connections,
        seconds: Vec<Second>,
        clocks: Option<Clocks>,
        (only, pause): (&BTreeSet<Sort>, Duration),
        chance: Chance,
        began: Instant,
    ) -> Chaos {
        let wanted = SORTS.into_iter().filter(|(sort, _)| only.contains(sort));
        Chaos {
            site,
            connections,
            seconds,
            clocks,
            sorts: wanted
                .flat_map(|(sort, often)| std::iter::repeat_n(sort, often))
                .collect(),
            pause_millis: usize::try_from(pause.as_millis()).unwrap_or(usize::MAX),
            chance,
            began,
            faults: 0,
            killed: Vec::new(),
        }
    }

    /// How many faults there were.
    pub fn faults(&self) -> usize {
        self.faults
    }

    /// How the clocks stepped until now.
    pub fn steps(&self) -> Vec<Step> {
        let clocks = self.clocks.as_ref();
        clocks.map_or_else(Vec::new, |clocks| clocks.steps().to_vec())
    }

    /// The services that were killed, and from when on they were to answer again.
    pub async fn killed(&mut self) -> Vec<Killed> {
        let mut all = Vec::new();
        for one in self.killed.drain(..) {
            all.extend(one.await.ok().flatten());
        }
        all
    }

    /// Disturbs for so long; what was stopped goes on again before it returns, what was killed is being started.
    pub async fn disturb(&mut self, duration: Duration) {
        while self.began.elapsed() < duration {
            let least = self.pause_millis / PAUSE_LEAST_PART;
            let pause = least + self.chance.below(2 * (self.pause_millis - least));
            sleep(millis(pause)).await;
            let fault = self.draw();
            self.faults += 1;
            self.make(fault).await;
        }
        for place in 0..self.seconds.len() {
            self.end_second(place, Signal::SIGTERM).await;
        }
    }

    fn draw(&self) -> Fault {
        let sort = self.chance.one_of(&self.sorts);
        let victim = self.chance.one_of(&VICTIMS);
        let time = millis(1 + self.chance.below(FROZEN_MILLIS_MAX));
        let place = self.chance.below(self.seconds.len());
        let signal = self.chance.one_of(&[Signal::SIGKILL, Signal::SIGTERM]);
        let server = self.chance.one_of(&Server::ALL);
        let keeper = self.chance.one_of(&[Victim::Postgres, Victim::Kafka]);
        let step = self.chance.one_of(&[STEP_SECONDS, -STEP_SECONDS]);
        match sort {
            // PostgreSQL that is told to end waits for whoever is connected.
            Sort::End if victim != Victim::Postgres => Fault::End(victim),
            Sort::End | Sort::Kill => Fault::Kill(victim),
            Sort::Freeze => Fault::Freeze(victim, time),
            Sort::Second => Fault::Second(place, signal),
            Sort::LoseLog => Fault::Lose(Loss::Whole),
            Sort::LoseTails => Fault::Lose(Loss::Tails(RECORDS_LOST)),
            Sort::Cut => Fault::Connections(server, State::Cut, time),
            Sort::Slow => Fault::Connections(server, State::Slow, time),
            Sort::HalfOpen => Fault::Connections(server, State::HalfOpen, time),
            Sort::Full => Fault::Full(keeper, time),
            Sort::Clock => Fault::Clock(step, time),
        }
    }

    async fn make(&mut self, fault: Fault) {
        match fault {
            Fault::Second(place, signal) => {
                let Some(second) = self.seconds.get_mut(place) else {
                    return;
                };
                if second.runs() {
                    self.tell(&format!(
                        "{signal} to the second {}",
                        self.seconds[place].service
                    ));
                    self.end_second(place, signal).await;
                } else {
                    let started = second.start();
                    let service = second.service;
                    self.tell(&format!("a second {service} comes"));
                    started.unwrap_or_else(|error| panic!("{error:#}"));
                }
            }
            Fault::Freeze(Victim::Postgres, time) => {
                self.tell(&fault.to_string());
                freeze_all(self.site, time).await;
            }
            Fault::Freeze(victim, time) => {
                let target = Target::find(self.site, victim).await;
                self.tell(&fault.to_string());
                let outage = Outage::begin(target, Way::Freeze, true).await;
                sleep(time).await;
                outage.end().await;
            }
            Fault::Lose(loss) => {
                self.tell(&fault.to_string());
                let lost = lose(self.site, loss).await;
                lost.unwrap_or_else(|error| panic!("{error:#}"));
            }
            Fault::Full(victim, time) => {
                let target = Target::find(self.site, victim).await;
                self.tell(&fault.to_string());
                without_room(&target.process, time).await;
            }
            Fault::Connections(server, state, time) => {
                self.tell(&fault.to_string());
                self.connections.fare(server, state);
                sleep(time).await;
                self.connections.fare(server, State::Sound);
            }
            Fault::Clock(seconds, time) => {
                self.tell(&fault.to_string());
                if let Some(clocks) = &mut self.clocks {
                    let stepped = clocks.step(seconds, time).await;
                    stepped.unwrap_or_else(|error| panic!("{error:#}"));
                }
            }
            Fault::Kill(victim) => {
                self.stop(fault, victim, Way::Kill).await;
                self.await_recovery(victim, Instant::now());
            }
            Fault::End(victim) => self.stop(fault, victim, Way::End).await,
        }
    }

    async fn stop(&self, fault: Fault, victim: Victim, way: Way) {
        let target = Target::find(self.site, victim).await;
        self.tell(&fault.to_string());
        Outage::begin(target, way, false).await.end().await;
    }

    /// Sees meanwhile when a service that was killed is ready again.
    fn await_recovery(&mut self, victim: Victim, killed_at: Instant) {
        let service = victim.name();
        let seconds = self.seconds.iter_mut();
        let Some(second) = seconds.into_iter().find(|second| second.service == service) else {
            return;
        };
        let (site, service, doubled) = (self.site, second.service, second.runs());
        self.killed.push(tokio::spawn(async move {
            let from = match doubled {
                true => killed_at,
                false => recovery::ready(site, service).await?,
            };
            Some(Killed {
                service,
                from,
                doubled,
            })
        }));
    }

    async fn end_second(&mut self, place: usize, signal: Signal) {
        if let Some(second) = self.seconds.get_mut(place) {
            let ended = second.end(signal).await;
            ended.unwrap_or_else(|error| panic!("{error:#}"));
        }
    }

    pub(super) fn tell(&self, what: &str) {
        println!("{:7.1} s  {what}", self.began.elapsed().as_secs_f64());
    }
}

/// Stops PostgreSQL with all its connections, and lets it go on.
async fn freeze_all(site: &Site, time: Duration) {
    let Some(postgres) = Victim::Postgres.process(site) else {
        return;
    };
    let frozen = with_all_below(&postgres);
    for process in &frozen {
        process.signal(Signal::SIGSTOP);
    }
    sleep(time).await;
    for process in &frozen {
        process.signal(Signal::SIGCONT);
    }
}

/// Has a server and all its processes fail to write: every byte would be beyond the size that a file of theirs may have.
/// One that ends of it is started again without that limit.
async fn without_room(server: &Process, time: Duration) {
    let limit = |process: &Process, size: &str| {
        let mut command = std::process::Command::new("prlimit");
        let command = command
            .args(["--pid", &process.pid.to_string()])
            .arg(format!("--fsize={size}:"))
            // One that has ended meanwhile needs none.
            .stderr(std::process::Stdio::null());
        let _ = command.status();
    };
    for process in &with_all_below(server) {
        limit(process, "0");
    }
    sleep(time).await;
    for process in with_all_below(server).iter().filter(|one| one.lives()) {
        limit(process, "unlimited");
    }
}

/// A server and whatever it has started.
fn with_all_below(server: &Process) -> BTreeSet<Process> {
    let mut all = Process::below(server.pid);
    all.insert(server.clone());
    all
}

/// So many milliseconds.
pub fn millis(count: usize) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(u64::MAX))
}
