//! The chaos rig: many parties play all journeys on a real site, with repeated requests and open streams of notices,
//! while processes are killed, stopped and doubled as a seed says; then everything is left in peace, and everything that
//! was begun must reach its end, and the checker must find nothing. It knows when somebody is stopped and what must be
//! true afterwards, not what is asked.

// Whoever runs the rig reads what it does as it does it.
#![allow(clippy::print_stdout)]

pub mod chaos;
mod connections;
mod instance;
mod listeners;
mod load;
mod log_loss;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use tokio::time::Instant;

use crate::checker;
use crate::evidence::Evidence;
use crate::play::chance::Chance;
use crate::play::parties::Parties;
use crate::play::{journey, settling, waiting};
use crate::site::Site;
use chaos::{Chaos, Sort};
use connections::Connections;
use instance::Second;
use listeners::Listeners;
use load::Load;

/// Whatever is waited for under faults is waited for so long: several may follow each other.
const PATIENCE: Duration = Duration::from_secs(240);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// What chance follows from.
    pub seed: u64,
    /// How long somebody is stopped again and again.
    pub duration: Duration,
    /// How many journeys are on their way at once.
    pub players: usize,
    /// Which sorts of faults; all if empty.
    pub only: BTreeSet<Sort>,
}

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
    journey::stock_is_seeded(parties).await;
    settling::settled(&databases).await;
    waiting::asking_again(Chance::of(options.seed, "asked again"));

    let over = Cell::new(false);
    let began = Instant::now();
    let listeners = Listeners::of(parties);
    let mut load = Load::new(parties, &options, began);
    let chance = Chance::of(options.seed, "chaos");
    let mut chaos = Chaos::new(site, connections, seconds, &options.only, chance, began);
    let ((), peace) = tokio::join!(load.play(&over), async {
        chaos.disturb(options.duration).await;
        over.set(true);
        println!(
            "{:7.1} s  peace; {} faults so far",
            began.elapsed().as_secs_f64(),
            chaos.faults()
        );
        Instant::now()
    });
    let settled = AssertUnwindSafe(settling::settled(&databases)).catch_unwind();
    let settled = settled.await;
    let settled_after = peace.elapsed();

    let endpoints = site.endpoints().unwrap_or_default();
    let evidence = Evidence::read(&endpoints).await?;
    let heard = listeners.end(&evidence).await;
    let mut found = checker::violations(&evidence);
    found.extend(checker::streams::violations(&evidence, &heard));
    let mut violations = load.unfinished();
    if let Err(panic) = settled {
        violations.push(format!("NotSettled: {}", load::told(panic.as_ref())));
    }
    violations.extend(found.iter().map(ToString::to_string));
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
