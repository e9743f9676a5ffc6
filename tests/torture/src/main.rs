//! `cargo torture`: what of it a person starts. The last line is the verdict; the exit code is 1 if anything was
//! found, 2 if it could not be looked for.

// Its output is what it is for.
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum as _};
use torture::evidence::Evidence;
use torture::play::chance::Chance;
use torture::rig;
use torture::rig::chaos::Sort;
use torture::{attacks, bugs, checker, record_cost, simulation, tenancy};

/// Disturbs a site of its own while all journeys are played on it, and looks for what may never happen
#[derive(Parser)]
#[command(
    name = "cargo torture",
    args_conflicts_with_subcommands = true,
    after_help = "\
Example: cargo torture --minutes 10
         cargo torture --seed 42 --minutes 1
         cargo torture --minutes 3 --only kill,second
         cargo torture --minutes 3 --only second --pause-millis 3000
         cargo torture --minutes 1 --only kill --restore
         cargo torture check --state ~/.greenlane
         cargo torture simulate --seeds 10000"
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Args)]
struct RunArguments {
    /// What chance follows from; a new one each time if not given
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How long it is disturbed
    #[arg(long, default_value_t = 5, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
    /// How many journeys are on their way at once
    #[arg(long, default_value_t = 12, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=200))]
    players: u16,
    /// Only faults of these sorts; all, and the restore, if not given
    #[arg(long, value_name = "SORT", value_delimiter = ',')]
    only: Vec<Sort>,
    /// How long it is quiet between two faults, on average
    #[arg(long, default_value_t = 3_500, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pause_millis: u64,
    /// With --only: at the end a service's database is restored from a backup of the middle of the play
    #[arg(long, requires = "only")]
    restore: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Plant known bugs in a copy of the sources, one after the other, and see that the tests find each
    #[command(after_help = "\
Example: cargo torture bugs gap-skipped
         cargo torture bugs --suite simulation")]
    Bugs {
        /// Only these: the name of the patch in tests/torture/bugs, without its ending
        #[arg(value_name = "NAME")]
        only: Vec<String>,
        /// Only suites with this word in them
        #[arg(long, value_name = "WORD")]
        suite: Option<String>,
    },
    /// Play the fabric and the four services in a simulated world, seed after seed; a seed plays the same every time
    #[command(after_help = "\
Example: cargo torture simulate --seeds 10000
         cargo torture simulate --seed 42 --seeds 1 2>trace.txt")]
    Simulate {
        /// How many seeds; one alone writes down every step on stderr
        #[arg(long, default_value_t = 500, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
        seeds: u64,
        /// The first seed
        #[arg(long, default_value_t = 1, value_name = "NUMBER")]
        seed: u64,
    },
    /// Keep each service from reading for a while, and see how fast it catches up
    #[command(after_help = "Example: cargo torture catch-up --seconds-away 120")]
    CatchUp {
        /// What chance follows from; a new one each time if not given
        #[arg(long, value_name = "NUMBER")]
        seed: Option<u64>,
        /// How long each is kept from reading
        #[arg(long, default_value_t = 60, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds_away: u64,
        /// How many journeys are on their way at once
        #[arg(long, default_value_t = 12, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=200))]
        players: u16,
        /// How long each journey rests after a step: so long that the processors have room for what catches up
        #[arg(long, default_value_t = 1_000, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(0..=60_000))]
        rest_millis: u64,
    },
    /// Ask every RPC with names of what is another's, and see that nothing is learnt of it
    #[command(after_help = "Example: cargo torture tenancy --cases 100000")]
    Tenancy {
        /// What chance follows from; a new one each time if not given
        #[arg(long, value_name = "NUMBER")]
        seed: Option<u64>,
        /// How many questions
        #[arg(long, default_value_t = 100_000, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
        cases: u32,
    },
    /// Attack a service on the wire, and see what honest callers notice of it
    #[command(after_help = "Example: cargo torture attack
         cargo torture attack --only bomb,repeated --rounds 1")]
    Attack {
        /// How often it is measured without and with each attack
        #[arg(long, default_value_t = 5, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=50))]
        rounds: u8,
        /// How long each measurement takes
        #[arg(long, default_value_t = 4, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(2..=60))]
        seconds: u64,
        /// Only these attacks; all if not given
        #[arg(long, value_name = "ATTACK", value_delimiter = ',')]
        only: Vec<attacks::Attack>,
    },
    /// Measure what the record of what was done costs of a gate's throughput
    #[command(after_help = "Example: cargo torture record-cost --rounds 7")]
    RecordCost {
        /// How often it is measured with the record and without
        #[arg(long, default_value_t = 5, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=50))]
        rounds: u8,
        /// How long each measurement takes
        #[arg(long, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(2..=60))]
        seconds: u64,
    },
    /// Check a running site: sequences, chains, topics, positions, decisions, answers, notices, stock
    Check {
        /// The state folder of a running `greenlane up`
        #[arg(long, value_name = "FOLDER")]
        state: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let found = match arguments.command {
        Some(Command::Check { state }) => on_this_thread(check(&state)),
        Some(Command::Bugs { only, suite }) => bugs::run(&only, suite.as_ref()),
        Some(Command::Simulate { seeds, seed }) => {
            let options = simulation::Options { first: seed, seeds };
            Ok(simulation::run(options))
        }
        Some(Command::CatchUp {
            seed,
            seconds_away,
            players,
            rest_millis,
        }) => catch_up(rig::catch_up::Options {
            seed: seed.unwrap_or_else(Chance::seed),
            away: Duration::from_secs(seconds_away),
            players: players.into(),
            rest: Duration::from_millis(rest_millis),
        }),
        Some(Command::Tenancy { seed, cases }) => ask_for_others(seed, cases),
        Some(Command::Attack {
            rounds,
            seconds,
            only,
        }) => attack(attacks::Options {
            rounds: rounds.into(),
            duration: Duration::from_secs(seconds),
            only,
        }),
        Some(Command::RecordCost { rounds, seconds }) => {
            on_this_thread(record_cost::run(record_cost::Options {
                rounds: rounds.into(),
                duration: Duration::from_secs(seconds),
            }))
        }
        None => run(&arguments.run),
    };
    match found {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            println!("could not be checked: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Journeys are played by one thread: what they wait for is done by others.
fn on_this_thread<T>(looking: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(looking)
}

fn run(arguments: &RunArguments) -> anyhow::Result<bool> {
    build()?;
    let mut only: BTreeSet<Sort> = match arguments.only.as_slice() {
        [] => Sort::value_variants().iter().copied().collect(),
        some => some.iter().copied().collect(),
    };
    if arguments.minutes > rig::CLOCKS_STEP_MINUTES_MAX && only.remove(&Sort::Clock) {
        let max = rig::CLOCKS_STEP_MINUTES_MAX;
        println!("clocks do not step: for that it must take at most {max} minutes");
    }
    anyhow::ensure!(!only.is_empty(), "no fault is left to be made");
    let options = rig::Options {
        seed: arguments.seed.unwrap_or_else(Chance::seed),
        duration: Duration::from_secs(arguments.minutes * 60),
        players: arguments.players.into(),
        pause: Duration::from_millis(arguments.pause_millis),
        only,
        restore: arguments.restore || arguments.only.is_empty(),
    };
    let verdict = on_this_thread(rig::run(options))?;
    for violation in &verdict.violations {
        println!("{violation}");
    }
    println!("{verdict}");
    Ok(verdict.violations.is_empty())
}

fn catch_up(options: rig::catch_up::Options) -> anyhow::Result<bool> {
    build()?;
    let fast = on_this_thread(rig::catch_up::run(options))?;
    println!(
        "{}",
        if fast {
            "All caught up as wanted."
        } else {
            "Not all caught up as wanted."
        }
    );
    Ok(fast)
}

fn ask_for_others(seed: Option<u64>, cases: u32) -> anyhow::Result<bool> {
    build()?;
    on_this_thread(tenancy::run(tenancy::Options {
        seed: seed.unwrap_or_else(Chance::seed),
        cases: usize::try_from(cases)?,
    }))
}

fn attack(options: attacks::Options) -> anyhow::Result<bool> {
    build()?;
    on_this_thread(attacks::run(options))
}

/// What is disturbed is what stands in the sources now; built as the tests build it, so that both share it.
fn build() -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").context("start it as `cargo torture`")?;
    let mut build = std::process::Command::new(cargo);
    build.args(["test", "--quiet", "--no-run", "--package", "greenlane"]);
    let built = build.status().context("cargo does not start")?;
    anyhow::ensure!(built.success(), "greenlane cannot be built");
    Ok(())
}

async fn check(state: &std::path::Path) -> anyhow::Result<bool> {
    let path = state.join("endpoints.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} (is `greenlane up` running there?)", path.display()))?;
    let endpoints: serde_json::Value = serde_json::from_str(&text)?;
    let evidence = Evidence::read(&endpoints).await?;
    let violations = checker::violations(&evidence);
    for violation in &violations {
        println!("{violation}");
    }
    let looked_at = evidence.extent();
    if violations.is_empty() {
        println!("No violation in {looked_at}.");
    } else {
        println!("{} violations in {looked_at}.", violations.len());
    }
    Ok(violations.is_empty())
}
