//! The load: so many journeys at once, of all kinds, each begun when one has ended, until it is over; what was begun is
//! played to its end. It must not know who is stopped meanwhile.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use futures::future::join_all;
use tokio::time::Instant;

use super::Options;
use crate::play::chance::Chance;
use crate::play::journey::Journey;
use crate::play::parties::Parties;
use crate::play::script::{JOURNEYS, OUT_OF_BOND, Script};

/// So often the seeded stock can be taken from: ten boxes a journey, of those that are in bond from the start.
const OUT_OF_BOND_MAX: usize = 20;

/// All journeys of a run.
pub struct Load<'a> {
    parties: &'a Parties,
    players: Vec<Chance>,
    began: Instant,
    played: RefCell<Played>,
}

/// What became of them.
#[derive(Default)]
struct Played {
    ended: BTreeMap<&'static str, usize>,
    taken_out_of_bond: usize,
    unfinished: Vec<String>,
}

impl<'a> Load<'a> {
    /// None is begun yet.
    pub fn new(parties: &'a Parties, options: &Options, began: Instant) -> Load<'a> {
        let player = |number| Chance::of(options.seed, &format!("player {number}"));
        Load {
            parties,
            players: (0..options.players).map(player).collect(),
            began,
            played: RefCell::default(),
        }
    }

    /// Begins journey after journey until it is over, and plays those that were begun to their end.
    pub async fn play(&self, over: &Cell<bool>) {
        let players = self.players.iter().map(async |chance| {
            while !over.get() {
                self.play_one(self.script(chance)).await;
            }
        });
        join_all(players).await;
    }

    /// Plays one journey of each kind to its end.
    pub async fn play_each_once(&self) {
        join_all(JOURNEYS.map(|script| self.play_one(script))).await;
    }

    /// How many were begun.
    pub fn journeys(&self) -> usize {
        let played = self.played.borrow();
        played.ended.values().sum::<usize>() + played.unfinished.len()
    }

    /// Those that did not reach their end, and why.
    pub fn unfinished(&self) -> Vec<String> {
        self.played.borrow().unfinished.clone()
    }

    fn script(&self, chance: &Chance) -> &'static Script {
        let script = chance.one_of(&JOURNEYS);
        if script.letter != OUT_OF_BOND.letter {
            return script;
        }
        let mut played = self.played.borrow_mut();
        if played.taken_out_of_bond == OUT_OF_BOND_MAX {
            return JOURNEYS[0];
        }
        played.taken_out_of_bond += 1;
        script
    }

    async fn play_one(&self, script: &'static Script) {
        let mut journey = Journey::new(self.parties, script);
        let name = journey.container.clone();
        let mut at = None;
        let playing = async {
            for step in script.steps {
                at = Some(*step);
                journey.act(*step).await;
                journey.consequence(*step).await;
            }
        };
        let result = AssertUnwindSafe(playing).catch_unwind().await;
        let mut played = self.played.borrow_mut();
        match result {
            Ok(()) => *played.ended.entry(script.name).or_default() += 1,
            Err(panic) => {
                let why = told(panic.as_ref());
                let what = format!(
                    "JourneyUnfinished: {} of {name}, at {at:?}: {why}",
                    script.name
                );
                println!("{:7.1} s  {what}", self.began.elapsed().as_secs_f64());
                played.unfinished.push(what);
            }
        }
    }
}

/// What somebody panicked with.
pub(super) fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no word of why")
}
