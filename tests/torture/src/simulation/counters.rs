//! The simulation of the two small services: who asks them for what.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::callers::{Caller, History};
use super::services::{Ask, Counter, Look, Mirror, ODD, SMALL, UNSTORABLE};
use super::timeline::Timeline;
use super::verdict;
use super::world::{Outcome, World};

const CALLERS: usize = 4;
const LOOKERS: usize = 2;
const ASKS_OF_EACH: usize = 14;

/// Plays the simulation of a seed.
pub fn play(seed: u64, traced: bool) -> Outcome {
    let timeline = Timeline::of(seed, traced);
    let confused = Arc::new(AtomicBool::new(false));
    let mirror = Mirror {
        confused: Arc::clone(&confused),
    };
    let mut world = World::of(&timeline, Counter, mirror, &confused);
    let (asked, looked) = (Arc::default(), Arc::default());
    start_callers(&mut world, &asked, &looked);
    world.run();
    let (asked, looked) = (asked.all(), looked.all());
    verdict::judge(&verdict::Evidence {
        witness: &world.witness,
        counter: &world.first.database,
        mirror: &world.second.database,
        asked: &asked,
        looked: &looked,
        clocks_set: world.clocks_set,
    });
    world.outcome(asked.len() + looked.len())
}

fn start_callers(world: &mut World<Counter, Mirror>, asked: &Arc<History>, looked: &Arc<History>) {
    let timeline = world.timeline.clone();
    // Of "a&b" and "b&a" each locks the heads of both, whichever it names first.
    let named = [
        SMALL.0, ODD, UNSTORABLE, "a", "b", "a&b", "b&a", "a&b&c", "c&b&a",
    ];
    for number in 0..CALLERS {
        let asks = (0..ASKS_OF_EACH).map(|_| match timeline.below(10) {
            0..5 => Ask::Add(named[timeline.below(named.len())].to_owned()),
            5 | 6 => Ask::Add(format!("k{}", timeline.below(3))),
            7 => Ask::Point("p".to_owned(), i64::from(timeline.once_in(2))),
            _ => Ask::AddThrough("p".to_owned()),
        });
        let caller = Caller {
            timeline: timeline.clone(),
            doors: Arc::clone(&world.first.doors),
            history: Arc::clone(asked),
            witness: Arc::clone(&world.witness),
            party: format!("caller-{number}"),
            asks: asks.collect(),
            input: Clone::clone,
        };
        world.call(caller.ask_all());
    }
    let gates = [ODD, "k0", "k1"];
    for number in 0..LOOKERS {
        let asks =
            (0..ASKS_OF_EACH).map(|_| Look::Open(gates[timeline.below(gates.len())].to_owned()));
        let caller = Caller {
            timeline: timeline.clone(),
            doors: Arc::clone(&world.second.doors),
            history: Arc::clone(looked),
            witness: Arc::clone(&world.witness),
            party: format!("looker-{number}"),
            asks: asks.collect(),
            input: Clone::clone,
        };
        world.call(caller.ask_all());
    }
}
