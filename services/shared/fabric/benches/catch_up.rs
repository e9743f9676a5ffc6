//! How fast a reader that was away catches up, while its producer goes on. The counters of the fabric's tests are added
//! to at a steady rate; their mirror is away while a backlog grows, comes back, and applies the backlog and what comes
//! meanwhile. Beside it is measured how much memory that takes and how soon the mirror answers.
//!
//!     cargo bench -p fabric --bench catch_up            # 200,000 events behind
//!     cargo bench -p fabric --bench catch_up -- --quick # 20,000

#![allow(clippy::unwrap_used, clippy::float_arithmetic, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "../tests/it/counter.rs"]
mod counter;
mod steady;

use std::sync::Arc;
use std::time::Duration;

use counter::{Counter, Mirror, add, config, database, total};
use fabric::Fabric;
use futures::future::join_all;
use tokio::time::{Instant, sleep, timeout};

/// Additions in a second while the mirror catches up: the peak of a sales day at a country's single window.
const RATE: usize = 1_417;
/// The backlog grows by so many additions at once.
const AT_ONCE: usize = 1_000;
/// Keys that are added to, again and again.
const KEYS: usize = 10_000;
/// How often the mirror is asked where it stands.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// By then it must have caught up.
const SECONDS_MAX: u64 = 600;
const BROKERS_PREFIX: &str = "catch-up.";

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let backlog = if quick { 20_000 } else { 200_000 };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(catch_up(backlog));
}

async fn catch_up(backlog: usize) {
    let brokers = stack::for_tests().await.kafka().await.to_owned();
    let (source, target) = (database().await, database().await);
    let config = config(&brokers, BROKERS_PREFIX);
    let counter = Fabric::start(Arc::new(Counter), config.clone(), &source.service_url);
    let counter = counter.await.unwrap();
    let mirror = || {
        Fabric::start(
            Arc::new(Mirror::default()),
            config.clone(),
            &target.service_url,
        )
    };
    // It has been there, and knows where it stands.
    let away = mirror().await.unwrap();
    steady::add_to(&counter.handle(), RATE, keys(RATE)).await;
    until_level(&away, &counter).await;
    away.stop().await;

    println!("the mirror is away, {backlog} events long");
    let all: Vec<String> = keys(backlog).collect();
    for some in all.chunks(AT_ONCE) {
        let handle = counter.handle();
        let added = some.iter().map(|key| handle.submit("x", add(key, 1)));
        for reply in join_all(added).await {
            total(&reply);
        }
    }
    let memory_before = resident_mebibytes();
    let live = {
        let handle = counter.handle();
        tokio::spawn(async move { steady::add_to(&handle, RATE, keys(RATE * 3_600)).await })
    };
    let began = Instant::now();
    let back = mirror().await.unwrap();
    let before = applied(&back).await;
    let seen = until_level(&back, &counter).await;
    let took = began.elapsed();
    live.abort();

    let events = applied(&back).await - before;
    let rate = events as f64 / took.as_secs_f64();
    println!(
        "it applied {events} events in {:.1} s, {rate:.0} a second",
        took.as_secs_f64()
    );
    println!(
        "that is {:.1} times the {RATE} a second that were added meanwhile",
        rate / RATE as f64
    );
    println!(
        "the process, producer and mirror, had {memory_before} MiB before and {} MiB at most",
        seen.resident_mebibytes_max
    );
    println!(
        "asked where it stands it answered within {:.0} ms at most",
        seen.answer_millis_max
    );
    counter.stop().await;
    back.stop().await;
}

fn keys(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("key-{}", number % KEYS))
}

#[derive(Default)]
struct Seen {
    resident_mebibytes_max: u64,
    answer_millis_max: f64,
}

/// Waits until the mirror is less than a second behind the counter.
async fn until_level(mirror: &Fabric<Mirror>, counter: &Fabric<Counter>) -> Seen {
    let mut seen = Seen::default();
    let level = async {
        loop {
            let asked = Instant::now();
            let applied = applied(mirror).await;
            let millis = asked.elapsed().as_secs_f64() * 1_000.0;
            seen.answer_millis_max = seen.answer_millis_max.max(millis);
            seen.resident_mebibytes_max = seen.resident_mebibytes_max.max(resident_mebibytes());
            let produced = counter.admin().status().await.unwrap().produced;
            let head: u64 = produced.iter().map(|one| one.head_sequence).sum();
            if head - applied < RATE as u64 {
                return;
            }
            sleep(ASK_EVERY).await;
        }
    };
    timeout(Duration::from_secs(SECONDS_MAX), level)
        .await
        .unwrap();
    seen
}

async fn applied(mirror: &Fabric<Mirror>) -> u64 {
    let consumed = mirror.admin().status().await.unwrap().consumed;
    consumed.iter().map(|one| one.applied_sequence).sum()
}

/// What this process holds in memory, as the kernel says.
fn resident_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes / 1_024
}
