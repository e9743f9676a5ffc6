//! Chance that can be repeated: numbers that follow from one seed. It must not know what they decide.

use std::cell::Cell;
use std::fmt;

/// The variable that repeats a run.
const SEED_VARIABLE: &str = "FAULTS_SEED";

/// A sequence of numbers (SplitMix64) for one purpose.
pub struct Chance {
    seed: u64,
    state: Cell<u64>,
}

impl Chance {
    /// From the environment's seed, or a new one.
    pub fn from_environment(purpose: &str) -> Chance {
        let seed = match std::env::var(SEED_VARIABLE) {
            Ok(text) => text.parse().expect("FAULTS_SEED is a number"),
            Err(_) => Chance::seed(),
        };
        Chance::of(seed, purpose)
    }

    /// A seed that nobody has chosen.
    pub fn seed() -> u64 {
        // The random half of an id.
        kernel::new_id().as_u64_pair().1 & 0xffff_ffff
    }

    /// From a seed. Each purpose has a sequence of its own, so that they may be played in any order.
    pub fn of(seed: u64, purpose: &str) -> Chance {
        let state = purpose.bytes().fold(seed, |state, byte| {
            state.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Chance {
            seed,
            state: Cell::new(state),
        }
    }

    /// A number below `end`.
    pub fn below(&self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    /// One of these.
    pub fn one_of<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn next(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SEED_VARIABLE}={}", self.seed)
    }
}
