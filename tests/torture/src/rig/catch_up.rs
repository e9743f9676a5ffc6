//! Catching up: a service is kept from reading what the others publish, while journeys go on as far as they can without
//! it, and then reads again. How fast it does so is compared with what it applies while all goes on as ever; meanwhile it
//! must answer, and its memory is looked at. It must not know what is read.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use futures::future::join_all;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use stack::process::Signal;
use tokio::time::{Instant, sleep, timeout};

use crate::play::chance::Chance;
use crate::play::journey::{self, Journey};
use crate::play::opening;
use crate::play::outage::Victim;
use crate::play::parties::Parties;
use crate::play::script::{JOURNEYS, OUT_OF_BOND};
use crate::play::settling::{self, Databases, applied_and_behind};
use crate::site::Site;

/// So many times what it applies while all goes on is wanted of who catches up.
const TIMES_WANTED: u64 = 3;
/// A step whose consequence does not come in this time waits for who is away: its journey is given up.
const STEP_PATIENCE: Duration = Duration::from_secs(3);
/// How soon it is looked again.
const POLL: Duration = Duration::from_millis(50);
/// Whoever takes longer does not catch up.
const CATCH_UP_SECONDS_MAX: u64 = 600;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What chance follows from.
    pub seed: u64,
    /// How long each service is kept from reading, and how long it is looked before what it applies otherwise.
    pub away: Duration,
    /// How many journeys are on their way at once.
    pub players: usize,
    /// How long each of them rests after a step: without rest so few as one keep the processors busy.
    pub rest: Duration,
}

/// How one service caught up.
struct Figures {
    service: Victim,
    live_per_second: u64,
    /// How much of the processors was in use meanwhile: who shall go three times as fast needs the rest.
    live_busy_percent: u64,
    behind: u64,
    took: Duration,
    caught_up_per_second: u64,
    answers: usize,
    refused: usize,
    longest_answer: Duration,
    memory_before_kib: u64,
    memory_most_kib: u64,
}

impl Figures {
    fn is_wanted(&self) -> bool {
        self.caught_up_per_second >= TIMES_WANTED * self.live_per_second && self.refused == 0
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: {} records a second while all goes on, {} % of the processors in use; {} behind, caught up in {} ms, {} a second; {} reads answered \
             within {} ms, {} refused; memory {} KiB before, {} at most",
            self.service,
            self.live_per_second,
            self.live_busy_percent,
            self.behind,
            self.took.as_millis(),
            self.caught_up_per_second,
            self.answers,
            self.longest_answer.as_millis(),
            self.refused,
            self.memory_before_kib,
            self.memory_most_kib,
        )
    }
}

/// Does it with each service, one after the other. Whether all were as fast as is wanted.
///
/// # Errors
/// A database cannot be read, or a service does not catch up.
///
/// # Panics
/// If the site does not start.
pub async fn run(options: Options) -> anyhow::Result<bool> {
    println!("seed {}; starting the site", options.seed);
    let (site, parties, databases) = opening::open().await;
    journey::guarantees_cover_a_long_play(parties).await;
    settling::settled(&databases).await;

    let players = (0..options.players).map(|number| {
        let chance = Chance::of(options.seed, &format!("player {number}"));
        play(parties, chance, options.rest)
    });
    let all = async {
        let mut fast = true;
        for service in Victim::SERVICES {
            let figures = catch_up(site, parties, &databases, service, options.away).await?;
            println!("{figures}");
            fast &= figures.is_wanted();
        }
        anyhow::Ok(fast)
    };
    tokio::select! {
        fast = all => fast,
        _ = join_all(players) => anyhow::bail!("nobody plays any more"),
    }
}

/// Begins journey after journey, and gives up those that wait for who is away.
async fn play(parties: &Parties, chance: Chance, rest: Duration) -> Infallible {
    loop {
        let script = chance.one_of(&JOURNEYS);
        // What is in bond from the start would be gone before long.
        let script = match script.letter == OUT_OF_BOND.letter {
            true => JOURNEYS[0],
            false => script,
        };
        let mut journey = Journey::new(parties, script);
        for step in script.steps {
            let playing = async {
                journey.act(*step).await;
                journey.consequence(*step).await;
            };
            if timeout(STEP_PATIENCE, playing).await.is_err() {
                break;
            }
            sleep(rest).await;
        }
    }
}

async fn catch_up(
    site: &'static Site,
    parties: &Parties,
    databases: &Databases,
    service: Victim,
    away: Duration,
) -> anyhow::Result<Figures> {
    let name = service.name();
    let (begin, _) = applied_and_behind(databases, name).await?;
    let used_before = processor_ticks()?;
    sleep(away).await;
    let (end, _) = applied_and_behind(databases, name).await?;
    let live_per_second = per_second(end.saturating_sub(begin), away);
    let live_busy_percent = busy_percent(used_before, processor_ticks()?);

    let held = keep_from_reading(site, name).await?;
    sleep(away).await;
    let memory_before_kib = memory_kib(site, name)?;
    let (begin, behind) = applied_and_behind(databases, name).await?;
    let since = Instant::now();
    held.close().await?;

    let (mut answers, mut refused) = (0, 0);
    let mut longest_answer = Duration::ZERO;
    let mut memory_most_kib = memory_before_kib;
    loop {
        let (applied, left) = applied_and_behind(databases, name).await?;
        memory_most_kib = memory_most_kib.max(memory_kib(site, name)?);
        // What comes in a second of its own is always on its way.
        if left <= live_per_second {
            let took = since.elapsed();
            return Ok(Figures {
                service,
                live_per_second,
                live_busy_percent,
                behind,
                took,
                caught_up_per_second: per_second(applied.saturating_sub(begin), took),
                answers,
                refused,
                longest_answer,
                memory_before_kib,
                memory_most_kib,
            });
        }
        anyhow::ensure!(
            since.elapsed().as_secs() < CATCH_UP_SECONDS_MAX,
            "{name} is still {left} records behind after {CATCH_UP_SECONDS_MAX} s"
        );
        let asked = Instant::now();
        match parties.read(service).await {
            Ok(()) => answers += 1,
            Err(_) => refused += 1,
        }
        longest_answer = longest_answer.max(asked.elapsed());
        sleep(POLL).await;
    }
}

/// Who reads a partition holds its lock in the database. They are taken while the service is started again by `up`; as
/// long as this session lives it reads nothing, and does all else.
async fn keep_from_reading(site: &'static Site, service: &str) -> anyhow::Result<PgConnection> {
    let database = site.superuser_of(service)?;
    // Nobody may start it before all are held.
    site.signal(Signal::SIGSTOP);
    site.service(service).kill();
    let held = async {
        let mut session = database.connect().await?;
        loop {
            let left: i64 = sqlx::query_scalar(
                "select count(*) filter (where not pg_try_advisory_lock(hashtext('greenlane.consume/' || topic), partition))
                 from fabric.position",
            )
            .fetch_one(&mut session)
            .await?;
            if left == 0 {
                return anyhow::Ok(session);
            }
            sleep(POLL).await;
        }
    };
    let held = timeout(STEP_PATIENCE, held).await;
    site.signal(Signal::SIGCONT);
    held.context("another session holds the partitions")?
}

/// All that the machine's processors have counted since it started, and how much of it they had nothing to do.
fn processor_ticks() -> anyhow::Result<(u64, u64)> {
    let counted = fs::read_to_string("/proc/stat")?;
    let line = counted.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).take(8).map(str::parse);
    let ticks = ticks.collect::<Result<Vec<u64>, _>>()?;
    let [_, _, _, idle, waiting, ..] = ticks[..] else {
        anyhow::bail!("the system does not say what its processors did");
    };
    Ok((ticks.iter().sum(), idle + waiting))
}

fn busy_percent((all_before, idle_before): (u64, u64), (all, idle): (u64, u64)) -> u64 {
    let all = (all - all_before).max(1);
    100 * all.saturating_sub(idle - idle_before) / all
}

fn per_second(count: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    count * 1_000 / millis
}

/// What the service's process holds of the machine's memory.
fn memory_kib(site: &Site, service: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", site.service(service).pid))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib
        .context("the system does not say how much memory")?
        .parse()?)
}
