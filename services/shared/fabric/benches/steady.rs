//! A steady load of the benches: so many additions a second, each to a key, whatever they take.

use std::time::Duration;

use fabric::{Handle, Reply};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::counter::{Input, add, total};

/// They are sent so often.
const TICK: Duration = Duration::from_millis(10);

/// Adds 1 to each key, in order, so many a second, and waits until all are answered.
pub async fn add_to(handle: &Handle<Input>, rate: usize, keys: impl IntoIterator<Item = String>) {
    let mut ticks = interval(TICK);
    let mut keys = keys.into_iter().peekable();
    let mut waiting: JoinSet<Reply> = JoinSet::new();
    let mut owed = 0;
    while keys.peek().is_some() {
        ticks.tick().await;
        owed += rate * usize::try_from(TICK.as_millis()).unwrap();
        for key in keys.by_ref().take(owed / 1_000) {
            let (handle, command) = (handle.clone(), add(&key, 1));
            waiting.spawn(async move { handle.submit("x", command).await });
        }
        owed %= 1_000;
        while let Some(reply) = waiting.try_join_next() {
            total(&reply.unwrap());
        }
    }
    while let Some(reply) = waiting.join_next().await {
        total(&reply.unwrap());
    }
}
