//! The simulation of the two small services: who asks them for what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fabric::{Command, Handle, Origin, PARTITIONS, partition_of};

use super::callers::{Caller, Doors, History};
use super::services::{Ask, Counter, Look, Mirror, ODD, SMALL, UNKNOWN, UNSTORABLE};
use super::timeline::Timeline;
use super::verdict;
use super::world::{Outcome, World};

const CALLERS: usize = 4;
const LOOKERS: usize = 2;
const ASKS_OF_EACH: usize = 14;
/// How soon somebody who is not known well enough is asked again.
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Plays the simulation of a seed.
pub fn play(seed: u64, traced: bool) -> Outcome {
    let timeline = Timeline::of(seed, traced);
    let confused = Arc::new(AtomicBool::new(false));
    let mirror = Mirror {
        confused: Arc::clone(&confused),
    };
    let mut world = World::of(&timeline, &confused);
    let (counter, counters) = world.add(Counter);
    let (mirror, mirrors) = world.add(mirror);
    let (asked, looked) = (Arc::default(), Arc::default());
    start_callers(&mut world, (&counters, &mirrors), (&asked, &looked));
    world.run();
    every_instance_must_know_all(&mut world, &mirrors);
    let (asked, looked) = (asked.all(), looked.all());
    verdict::judge(&verdict::Evidence {
        witness: &world.witness,
        counter: &counter,
        mirror: &mirror,
        asked: &asked,
        looked: &looked,
        clocks_set: world.clocks_set,
    });
    world.outcome(asked.len() + looked.len())
}

/// When all is quiet every instance knows every partition well enough to open its gates, whatever it went through.
fn every_instance_must_know_all(world: &mut World, mirrors: &Doors<Look>) {
    let not_known: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    for (instance, door) in mirrors.all() {
        for key in one_key_of_each_partition() {
            let what = format!("instance {instance} of the mirror does not know of {key}");
            lock(&not_known).insert(what.clone());
            let (timeline, door) = (world.timeline.clone(), door.clone());
            let not_known = Arc::clone(&not_known);
            world.call(async move {
                while !is_known(&door, &key).await {
                    timeline.sleep(ASKED_AGAIN_AFTER).await;
                }
                lock(&not_known).remove(&what);
            });
        }
    }
    world.settle();
    for what in lock(&not_known).iter() {
        world.witness.found(what.clone());
    }
}

async fn is_known(door: &Handle<Look>, key: &str) -> bool {
    let command = Command {
        party: "watcher".to_owned(),
        origin: Origin::default(),
        request_id: None,
        fingerprint: [0; 32],
        traceparent: None,
        input: Look::Open(key.to_owned()),
    };
    let answer = door.submit("lane", command).await.outcome;
    answer.is_ok_and(|said| !said.starts_with(UNKNOWN.as_bytes()))
}

fn one_key_of_each_partition() -> Vec<String> {
    let mut keys: BTreeMap<u32, String> = BTreeMap::new();
    for number in 0.. {
        if keys.len() == PARTITIONS as usize {
            break;
        }
        let key = format!("watched-{number}");
        keys.entry(partition_of(&key)).or_insert(key);
    }
    keys.into_values().collect()
}

fn lock(names: &Mutex<BTreeSet<String>>) -> MutexGuard<'_, BTreeSet<String>> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start_callers(
    world: &mut World,
    (counters, mirrors): (&Arc<Doors<Ask>>, &Arc<Doors<Look>>),
    (asked, looked): (&Arc<History>, &Arc<History>),
) {
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
            doors: Arc::clone(counters),
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
            doors: Arc::clone(mirrors),
            history: Arc::clone(looked),
            witness: Arc::clone(&world.witness),
            party: format!("looker-{number}"),
            asks: asks.collect(),
            input: Clone::clone,
        };
        world.call(caller.ask_all());
    }
}
