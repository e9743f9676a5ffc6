//! What poison costs the others. The counters of the fabric's tests are added to at a steady rate and mirrored: rounds in
//! which the mirror understands everything, and as many, in turn with them, in which one key in a thousand is poison: it
//! cannot read every second of those, and panics over the others. Beside it is measured how soon such a key is parked,
//! and seen that all of its records are applied in order once the mirror understands them.
//!
//!     cargo bench -p fabric --bench poison            # five pairs of rounds of 50,000 keys
//!     cargo bench -p fabric --bench poison -- --quick # three pairs of 5,000
//!
//! Times are the database's own, from the event's row to the mirrored row: one server, one clock.

#![allow(clippy::unwrap_used, clippy::float_arithmetic, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "../tests/it/counter.rs"]
mod counter;
mod steady;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use counter::{Counter, Mirror, TOPIC, add, as_owner, config, database, total};
use fabric::Fabric;
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

/// Additions in a second, to a key each.
const RATE: usize = 2_500;
/// One key in so many is poison.
const POISON_EVERY: usize = 1_000;
/// How often it is looked whether all of a round was mirrored.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Until then a round must have been mirrored.
const ROUND_SECONDS_MAX: u64 = 120;

/// What one round took, in milliseconds.
struct Round {
    median: f64,
    p99: f64,
    /// The longest until a key was parked.
    parked: Option<f64>,
}

struct Site {
    counter: Fabric<Counter>,
    mirror: Fabric<Mirror>,
    confused: Arc<std::sync::atomic::AtomicBool>,
    added: PgPool,
    mirrored: PgPool,
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (pairs, keys) = if quick { (3, 5_000) } else { (5, 50_000) };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(compare(pairs, keys));
}

async fn compare(pairs: usize, keys: usize) {
    let site = Site::start().await;
    site.play("warm", keys.min(10_000), false).await;
    println!("{keys} keys a round, {RATE} a second; milliseconds from the event to its mirror");
    println!(
        "{:>5} {:>22} {:>22} {:>16} {:>10}",
        "pair", "all understood", "1 in 1,000 is poison", "ratio", "parked"
    );
    println!(
        "{:>5} {:>11}{:>11} {:>11}{:>11} {:>8}{:>8} {:>10}",
        "", "median", "p99", "median", "p99", "median", "p99", "within"
    );
    let mut ratios = Vec::new();
    for pair in 1..=pairs {
        // In turn, so that neither is always the later.
        let (clean, poisoned) = if pair % 2 == 0 {
            let poisoned = site.play(&format!("{pair}p"), keys, true).await;
            (site.play(&format!("{pair}c"), keys, false).await, poisoned)
        } else {
            let clean = site.play(&format!("{pair}c"), keys, false).await;
            (clean, site.play(&format!("{pair}p"), keys, true).await)
        };
        let ratio = (poisoned.median / clean.median, poisoned.p99 / clean.p99);
        println!(
            "{pair:>5} {:>11.1}{:>11.1} {:>11.1}{:>11.1} {:>8.2}{:>8.2} {:>10.0}",
            clean.median,
            clean.p99,
            poisoned.median,
            poisoned.p99,
            ratio.0,
            ratio.1,
            poisoned.parked.unwrap_or_default()
        );
        ratios.push(ratio);
    }
    for (name, of) in [
        (
            "median",
            (|ratio: &(f64, f64)| ratio.0) as fn(&(f64, f64)) -> f64,
        ),
        ("p99", |ratio: &(f64, f64)| ratio.1),
    ] {
        let mut all: Vec<f64> = ratios.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        println!(
            "{name}: {:.2} times, the median of {pairs} pairs; {:.2} to {:.2}",
            all[all.len() / 2],
            all[0],
            all[all.len() - 1]
        );
    }
    site.counter.stop().await;
    site.mirror.stop().await;
}

impl Site {
    async fn start() -> Self {
        let brokers = stack::for_tests().await.kafka().await.to_owned();
        let (source, target) = (database().await, database().await);
        as_owner(
            &target,
            "alter table counter add column stored_at timestamptz not null default clock_timestamp()",
        )
        .await;
        let counter = Fabric::start(
            Arc::new(Counter),
            config(&brokers, "poison."),
            &source.service_url,
        );
        let service = Arc::new(Mirror::default());
        let confused = Arc::clone(&service.confused);
        let mirror = Fabric::start(service, config(&brokers, "poison."), &target.service_url);
        Self {
            counter: counter.await.unwrap(),
            mirror: mirror.await.unwrap(),
            confused,
            added: PgPool::connect(&source.service_url).await.unwrap(),
            mirrored: PgPool::connect(&target.service_url).await.unwrap(),
        }
    }

    /// Adds to so many keys and waits for their mirrors; what was poison is understood afterwards.
    async fn play(&self, round: &str, keys: usize, poisoned: bool) -> Round {
        self.confused.store(poisoned, Ordering::SeqCst);
        let all = (0..keys).map(|number| key(round, number));
        steady::add_to(&self.counter.handle(), RATE, all).await;
        let poison = keys / POISON_EVERY;
        if poisoned {
            // What comes after waits behind what is parked.
            for number in (0..keys).step_by(POISON_EVERY) {
                let command = add(&key(round, number), 1);
                assert_eq!(total(&self.counter.handle().submit("x", command).await), 2);
            }
        }
        let until = Instant::now() + Duration::from_secs(ROUND_SECONDS_MAX);
        let wanted = if poisoned { keys - poison } else { keys };
        while self.mirrored_of(round).await.len() < wanted {
            assert!(
                Instant::now() < until,
                "not all of round {round} was mirrored in time"
            );
            sleep(LOOK_EVERY).await;
        }
        let began = self.began_of(round).await;
        let mirrored = self.mirrored_of(round).await;
        let mut took: Vec<f64> = mirrored
            .iter()
            .filter(|(key, _)| key.starts_with("key"))
            .map(|(key, at)| millis(began[key], *at))
            .collect();
        took.sort_by(f64::total_cmp);
        let parked = if poisoned {
            Some(self.parked(round, poison, &began).await)
        } else {
            None
        };
        Round {
            median: took[took.len() / 2],
            p99: took[took.len() * 99 / 100],
            parked,
        }
    }

    /// When each key's first event was recorded.
    async fn began_of(&self, round: &str) -> BTreeMap<String, DateTime<Utc>> {
        let rows: Vec<(String, DateTime<Utc>)> = sqlx::query_as(
            "select key, min(recorded_at) from fabric.outbox where key like '%-' || $1 || '-%' group by key",
        )
        .bind(round)
        .fetch_all(&self.added)
        .await
        .unwrap();
        rows.into_iter().collect()
    }

    async fn mirrored_of(&self, round: &str) -> Vec<(String, DateTime<Utc>)> {
        sqlx::query_as("select key, stored_at from counter where key like '%-' || $1 || '-%'")
            .bind(round)
            .fetch_all(&self.mirrored)
            .await
            .unwrap()
    }

    /// How long it took at most until a key was parked; then all of them are understood and applied, in order.
    async fn parked(
        &self,
        round: &str,
        poison: usize,
        began: &BTreeMap<String, DateTime<Utc>>,
    ) -> f64 {
        let parked: Vec<(String, DateTime<Utc>, i64)> = sqlx::query_as(
            "select key, min(parked_at), count(*) from fabric.parked where key like '%-' || $1 || '-%' group by key",
        )
        .bind(round)
        .fetch_all(&self.mirrored)
        .await
        .unwrap();
        assert_eq!(parked.len(), poison, "every poisoned key is parked");
        let longest = parked
            .iter()
            .map(|(key, at, _)| millis(began[key], *at))
            .fold(0.0, f64::max);
        self.confused.store(false, Ordering::SeqCst);
        for (key, _, records) in parked {
            assert_eq!(records, 2, "{key}: what came after waits behind it");
            let (applied, left, cause) =
                self.mirror.admin().retry_parked(TOPIC, &key).await.unwrap();
            assert_eq!((applied, left), (2, 0), "{key}: {cause}");
            let sum: i64 = sqlx::query_scalar("select total from counter where key = $1")
                .bind(&key)
                .fetch_one(&self.mirrored)
                .await
                .unwrap();
            assert_eq!(sum, 2, "{key}: the last of them was applied last");
        }
        longest
    }
}

fn key(round: &str, number: usize) -> String {
    let kind = match (number % POISON_EVERY, number / POISON_EVERY % 2) {
        (0, 0) => "odd",
        (0, _) => "broken",
        _ => "key",
    };
    format!("{kind}-{round}-{number}")
}

fn millis(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_microseconds().unwrap_or_default() as f64 / 1_000.0
}
