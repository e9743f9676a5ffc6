//! The fabric's loop, relay and readers, and the decisions of the four services, in a simulated world: database, broker,
//! network and clock follow from one seed, and so does who goes on when. The code that runs is the real one; what it
//! stands on is not. The same seed plays the same again, step by step. Of ten seeds nine are played with two small
//! services, whose every effect can be told, and one with the four.

// Its output is what it is for.
#![allow(clippy::print_stdout)]

mod acts;
mod barrier;
mod broker;
mod callers;
mod counters;
pub mod database;
#[cfg(test)]
mod differential;
mod exchange;
mod executor;
mod journeys;
mod kept;
mod platform;
pub mod rows;
mod services;
mod settled;
mod timeline;
mod verdict;
mod whole;
mod witness;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

pub use self::world::Outcome;

/// One seed in so many is played with the four services.
const FOUR_SERVICES_ONE_IN: u64 = 10;

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The first seed.
    pub first: u64,
    /// How many, one after the other.
    pub seeds: u64,
}

/// What came of many.
#[derive(Debug, Default)]
pub struct Found {
    /// Seeds that were played.
    pub played: u64,
    /// Requests that were answered in all of them.
    pub answers: u64,
    /// Steps that they took.
    pub steps: u64,
    /// What may never happen, by seed.
    pub violations: Vec<(u64, Vec<String>)>,
}

/// Plays a seed.
pub fn play(seed: u64, traced: bool) -> Outcome {
    match seed % FOUR_SERVICES_ONE_IN {
        0 => journeys::play(seed, traced),
        _ => counters::play(seed, traced),
    }
}

/// Plays every seed, on as many threads as there are processors; each on one. `told` is called after each.
pub fn play_all(options: Options, told: impl Fn(u64, &Outcome) + Sync) -> Found {
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let play_some = || {
        let mut found = Found::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= options.seeds {
                return found;
            }
            let seed = options.first + number;
            let outcome = play(seed, options.seeds == 1);
            told(number, &outcome);
            found.played += 1;
            found.answers += outcome.answers as u64;
            found.steps += outcome.steps;
            if !outcome.violations.is_empty() {
                found.violations.push((seed, outcome.violations));
            }
        }
    };
    let mut all = Found::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(play_some)).collect();
        for thread in threads {
            let some = thread.join().expect("a simulation does not panic");
            all.played += some.played;
            all.answers += some.answers;
            all.steps += some.steps;
            all.violations.extend(some.violations);
        }
    });
    all.violations.sort();
    all
}

/// `cargo torture simulate`: whether nothing was found.
pub fn run(options: Options) -> bool {
    let began = Instant::now();
    let found = play_all(options, |number, outcome| {
        if number > 0 && number % 500 == 0 {
            eprintln!(
                "{number} of {} seeds after {} s",
                options.seeds,
                began.elapsed().as_secs()
            );
        }
        if options.seeds == 1 {
            eprint!("{}", outcome.trace);
        }
    });
    for (seed, violations) in &found.violations {
        for violation in violations {
            println!("seed {seed}: {violation}");
        }
        println!("    again: cargo torture simulate --seed {seed} --seeds 1");
    }
    let what = format!(
        "{} seeds, {} answers, {} steps in {} s",
        found.played,
        found.answers,
        found.steps,
        began.elapsed().as_secs()
    );
    match found.violations.len() {
        0 => println!("No violation in {what}."),
        seeds => println!("Violations of {seeds} seeds in {what}."),
    }
    found.violations.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_nothing_comes_twice_and_all_ends_in_five_hundred_simulations() {
        let options = Options {
            first: 1,
            seeds: 500,
        };
        let found = play_all(options, |_, _| {});
        assert_eq!(found.violations, []);
        assert!(found.answers > 10_000, "{} answers", found.answers);
    }

    #[test]
    fn what_was_found_once_is_not_found_again() {
        // A watermark that was read before the session was lost, and one that came late after clocks were set.
        for seed in [711, 3_004] {
            assert_eq!(play(seed, false).violations, [""; 0], "seed {seed}");
        }
    }

    #[test]
    fn the_same_seed_plays_the_same_again() {
        for seed in [3, 14, 159, 260] {
            let (one, other) = (play(seed, true), play(seed, true));
            assert!(!one.trace.is_empty());
            assert!(one.trace == other.trace, "seed {seed}");
        }
    }
}
