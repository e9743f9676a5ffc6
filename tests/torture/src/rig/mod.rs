//! The chaos rig: many parties play all journeys on a real site, with repeated requests and open streams of notices,
//! while processes are killed, stopped and doubled as a seed says; then everything is left in peace, and everything that
//! was begun must reach its end, and the checker must find nothing. It knows when somebody is stopped and what must be
//! true afterwards, not what is asked.

// Whoever runs the rig reads what it does as it does it.
#![allow(clippy::print_stdout)]

pub mod catch_up;
pub mod chaos;
mod clocks;
mod connections;
mod instance;
mod listeners;
mod load;
mod log_loss;
mod recovery;
mod restore;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use tokio::time::Instant;

use crate::checker::{self, Kind, Violation};
use crate::evidence::{Evidence, SERVICES};
use crate::play::chance::Chance;
use crate::play::parties::Parties;
use crate::play::settling::Databases;
use crate::play::{history, journey, settling, waiting};
use crate::site::Site;
use chaos::{Chaos, Sort};
use clocks::{Clocks, STEP_SECONDS};
use connections::Connections;
use instance::Second;
use listeners::Listeners;
use load::Load;
use recovery::{Answers, Killed};
use restore::Backup;

/// The backup is taken when so much of the play is over, at least, and ...
const BACKUP_PERCENT_MIN: usize = 30;
/// ... less than so much more.
const BACKUP_PERCENT_MORE: usize = 40;
/// Whatever is waited for under faults is waited for so long: several may follow each other.
const PATIENCE: Duration = Duration::from_secs(240);

/// A service that is ready again is to answer within this time, ...
const RECOVERY_WANTED: Duration = Duration::from_secs(2);
/// ... the other instance of one that is killed within this, ...
const TAKEOVER_WANTED: Duration = Duration::from_secs(1);
/// ... and nobody is to wait longer for any answer of a service.
const PAUSE_WANTED: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// What chance follows from.
    pub seed: u64,
    /// How long somebody is stopped again and again.
    pub duration: Duration,
    /// How many journeys are on their way at once.
    pub players: usize,
    /// Which sorts of faults.
    pub only: BTreeSet<Sort>,
    /// How long it is quiet between two, on average.
    pub pause: Duration,
    /// Whether at the end a service's database is restored from a backup of the middle of the play.
    pub restore: bool,
}

/// Clocks step by an hour: in a play that is longer it could not be told when something was recorded.
pub const CLOCKS_STEP_MINUTES_MAX: u64 = STEP_SECONDS.unsigned_abs() / 60 - 10;

/// What was found, and in how much.
#[derive(Debug)]
pub struct Verdict {
    options: Options,
    /// Everything that may not happen and did, a line each.
    pub violations: Vec<String>,
    journeys: usize,
    faults: usize,
    /// How long after the last fault everything was at its end.
    settled_after: Duration,
    looked_at: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.violations.len() {
            0 => write!(formatter, "No violation")?,
            1 => write!(formatter, "1 violation")?,
            many => write!(formatter, "{many} violations")?,
        }
        write!(
            formatter,
            " in {} journeys under {} faults, {}; {} s and {} s until all was at its end, seed {}.",
            self.journeys,
            self.faults,
            self.looked_at,
            self.options.duration.as_secs(),
            self.settled_after.as_secs(),
            self.options.seed
        )
    }
}

/// Plays and disturbs, leaves in peace, and looks.
///
/// # Errors
/// What keeps it from being looked for: a database or the broker cannot be read when all is over.
///
/// # Panics
/// If the site does not start.
pub async fn run(options: Options) -> anyhow::Result<Verdict> {
    println!("seed {}; starting the site", options.seed);
    // Who is stopped must be there as long as anybody can stop it.
    let mut site = Site::not_started();
    let connections = Connections::to_servers_of(&site.state())?;
    site.with_environment(connections.environment());
    site.start_again();
    let site: &'static Site = Box::leak(Box::new(site));
    waiting::on_site(site);
    waiting::with_patience(PATIENCE);
    let seconds = Second::of_each(site)?;
    let addresses = seconds.iter().map(|second| {
        let first = connections.address_of(second.service);
        (second.service, vec![first, second.address()])
    });
    let addresses = addresses.collect();
    let parties: &'static Parties = Box::leak(Box::new(Parties::at(site, &addresses)));
    let databases = settling::open(site);
    let clocks = match options.only.contains(&Sort::Clock) {
        true => Some(Clocks::of(site).await?),
        false => None,
    };
    journey::stock_is_seeded(parties).await;
    journey::guarantees_cover_a_long_play(parties).await;
    settling::settled(&databases).await;
    waiting::asking_again(Chance::of(options.seed, "asked again"));

    let over = Cell::new(false);
    let began = Instant::now();
    let listeners = Listeners::of(parties);
    let load = Load::new(parties, &options, began);
    let chance = Chance::of(options.seed, "chaos");
    let mut chaos = Chaos::new(
        site,
        connections,
        seconds,
        clocks,
        (&options.only, options.pause),
        chance,
        began,
    );
    let tell = |what: &str| println!("{:7.1} s  {what}", began.elapsed().as_secs_f64());
    let ((), peace, backup) = tokio::join!(
        load.play(&over),
        async {
            chaos.disturb(options.duration).await;
            over.set(true);
            tell(&format!("peace; {} faults so far", chaos.faults()));
            Instant::now()
        },
        backup(site, &options, tell)
    );
    let settled = AssertUnwindSafe(settling::settled(&databases)).catch_unwind();
    let settled = settled.await;
    let settled_after = peace.elapsed();

    let endpoints = site.endpoints().unwrap_or_default();
    let mut evidence = Evidence::read(&endpoints).await?;
    evidence.steps = chaos.steps();
    let heard = listeners.end(&evidence).await;
    let mut found = checker::violations(&evidence);
    found.extend(checker::streams::violations(&evidence, &heard));
    found.extend(checker::history::violations(&evidence, &history::all()));
    tell_waits(&chaos.killed().await, &evidence, began);
    let of_callers = recovery::of_callers(&history::all());
    println!("callers had what they asked for after: {of_callers}");
    let mut violations = load.unfinished();
    if let Err(panic) = settled {
        violations.push(format!("NotSettled: {}", load::told(panic.as_ref())));
    }
    violations.extend(found.iter().map(ToString::to_string));
    if let Some(backup) = backup? {
        if violations.is_empty() {
            let restored = restored(site, &backup, &load, &databases, &evidence, tell);
            let restored = AssertUnwindSafe(restored).catch_unwind().await;
            violations.extend(restored.unwrap_or_else(|panic| {
                let why = load::told(panic.as_ref());
                Ok(vec![format!("NotRestored: {why}")])
            })?);
        } else {
            tell("nothing is restored: what was found is to be looked at as it stands");
        }
    }
    if !violations.is_empty() {
        let kept = keep_logs(site, options.seed).context("the logs cannot be kept")?;
        println!("what the services wrote is in {}", kept.display());
    }
    Ok(Verdict {
        options,
        violations,
        journeys: load.journeys(),
        faults: chaos.faults(),
        settled_after,
        looked_at: evidence.extent().to_string(),
    })
}

/// Prints how soon services that were killed answered again, and how long they answered nobody; of what took longer than
/// is wanted, when and who.
fn tell_waits(killed: &[Killed], evidence: &Evidence, began: Instant) {
    let answers = Answers::of(&history::all(), evidence);
    let (alone, doubled) = answers.after(killed);
    let alone_is = "a service that was killed answered, after it was ready again";
    let doubled_is = "with a second instance, after the kill";
    let pause_is = "a service that was asked answered nobody for";
    for (what, waits, wanted) in [
        (alone_is, alone, RECOVERY_WANTED),
        (doubled_is, doubled, TAKEOVER_WANTED),
        (pause_is, answers.pauses(), PAUSE_WANTED),
    ] {
        println!("{what}: {waits}");
        for wait in waits.beyond(wanted) {
            let from = wait.from.saturating_duration_since(began).as_secs_f64();
            let service = wait.service.unwrap_or_default();
            println!("{from:7.1} s  {service}: {} ms", wait.time.as_millis());
        }
    }
}

/// A backup of one service's database, taken in the middle of the play.
async fn backup(
    site: &'static Site,
    options: &Options,
    tell: impl Fn(&str),
) -> anyhow::Result<Option<Backup>> {
    if !options.restore {
        return Ok(None);
    }
    let chance = Chance::of(options.seed, "backup");
    let service = chance.one_of(&SERVICES);
    let percent = BACKUP_PERCENT_MIN + chance.below(BACKUP_PERCENT_MORE);
    let at = options.duration * u32::try_from(percent).unwrap_or_default() / 100;
    tokio::time::sleep(at).await;
    let backup = Backup::take(site, service).await?;
    tell(&format!("a backup of {service}'s database is taken"));
    Ok(Some(backup))
}

/// The service goes on from its backup; everybody reads on, what is asked anew is decided, and nothing is lost but what
/// was not in the backup. Gives what should not be.
async fn restored(
    site: &'static Site,
    backup: &Backup,
    load: &Load<'_>,
    databases: &Databases,
    before: &Evidence,
    tell: impl Fn(&str),
) -> anyhow::Result<Vec<String>> {
    let service = backup.service;
    tell(&format!("{service}'s database is restored"));
    backup.restore(site).await?;
    let loss = backup.go_on(site, before).await?;
    let facts = loss.facts.len();
    tell(&format!(
        "{service} goes on in a new epoch; {facts} facts were lost"
    ));
    let mut violations = loss.violations.clone();
    settling::settled(databases).await;
    load.play_each_once().await;
    violations.extend(load.unfinished());
    settling::settled(databases).await;
    let endpoints = site.endpoints().unwrap_or_default();
    let after = Evidence::read(&endpoints).await?;
    // What the service committed before it went on in a new epoch bears numbers of the lost time. It is sent to nobody, and
    // what it says is stated again.
    let of_lost = |found: &Violation| {
        let differs = found.kind == Kind::DeliveredDiffers;
        let about = |id: &String| found.what.contains(&format!(": {id} is not"));
        differs && loss.facts.iter().any(about)
    };
    let found = checker::of_exchange(&after);
    let found = found.iter().filter(|found| !of_lost(found));
    violations.extend(found.map(ToString::to_string));
    let (lost, wrong) = backup.only_callers_know(&history::all(), before, &after);
    tell(&format!(
        "{} requests were answered and are known to their callers alone: {}",
        lost.len(),
        restore::named(&lost)
    ));
    let wrong = wrong.into_iter();
    violations.extend(wrong.map(|what| format!("AcknowledgedMissing: {what}")));
    Ok(violations)
}

/// The site's folder goes with it.
fn keep_logs(site: &Site, seed: u64) -> std::io::Result<PathBuf> {
    let kept = std::env::temp_dir().join(format!("greenlane-torture-{seed}"));
    std::fs::create_dir_all(&kept)?;
    let state = site.state();
    for folder in [state.as_path(), &state.join("logs")] {
        for file in std::fs::read_dir(folder)? {
            let path = file?.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if ending == Some("log") {
                std::fs::copy(&path, kept.join(path.file_name().unwrap_or_default()))?;
            }
        }
    }
    Ok(kept)
}
