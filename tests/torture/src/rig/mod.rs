//! The chaos rig: many parties play all journeys on a real site, with repeated requests, while processes are killed,
//! stopped and doubled as a seed says; then everything is left in peace, and everything that was begun must reach its
//! end, and the checker must find nothing. It knows when somebody is stopped and what must be true afterwards, not what
//! is asked.

// Whoever runs the rig reads what it does as it does it.
#![allow(clippy::print_stdout)]

mod chaos;
mod instance;
mod load;
mod log_loss;

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::checker;
use crate::evidence::Evidence;
use crate::play::chance::Chance;
use crate::play::parties::Parties;
use crate::play::{journey, settling, waiting};
use crate::site::Site;
use chaos::Chaos;
use instance::Second;
use load::Load;

/// Whatever is waited for under faults is waited for so long: several may follow each other.
const PATIENCE: Duration = Duration::from_secs(240);

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What chance follows from.
    pub seed: u64,
    /// How long somebody is stopped again and again.
    pub duration: Duration,
    /// How many journeys are on their way at once.
    pub players: usize,
}

/// What was found, and in how much.
#[derive(Debug)]
pub struct Verdict {
    options: Options,
    /// Everything that may not happen and did, a line each.
    pub violations: Vec<String>,
    journeys: usize,
    faults: usize,
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
            " in {} journeys under {} faults, {}; {} s, seed {}.",
            self.journeys,
            self.faults,
            self.looked_at,
            self.options.duration.as_secs(),
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
    let site: &'static Site = Box::leak(Box::new(Site::start()));
    waiting::on_site(site);
    waiting::with_patience(PATIENCE);
    let seconds = Second::of_each(site)?;
    let addresses = seconds
        .iter()
        .map(|second| (second.service, second.address()))
        .collect();
    let parties = Parties::at(site, &addresses);
    let databases = settling::open(site);
    journey::stock_is_seeded(&parties).await;
    settling::settled(&databases).await;
    waiting::asking_again(Chance::of(options.seed, "asked again"));

    let over = Cell::new(false);
    let began = Instant::now();
    let mut load = Load::new(&parties, options, began);
    let mut chaos = Chaos::new(site, seconds, Chance::of(options.seed, "chaos"), began);
    tokio::join!(load.play(&over), async {
        chaos.disturb(options.duration).await;
        over.set(true);
        println!(
            "{:7.1} s  peace; {} faults so far",
            began.elapsed().as_secs_f64(),
            chaos.faults()
        );
    });
    settling::settled(&databases).await;

    let endpoints = site.endpoints().unwrap_or_default();
    let evidence = Evidence::read(&endpoints).await?;
    let mut violations = load.unfinished().to_vec();
    violations.extend(
        checker::violations(&evidence)
            .iter()
            .map(ToString::to_string),
    );
    Ok(Verdict {
        options,
        violations,
        journeys: load.journeys(),
        faults: chaos.faults(),
        looked_at: evidence.extent().to_string(),
    })
}
