//! Time, chance and the trace of one simulation: what everything else in it takes them from. It must not look at a
//! clock, or at anything else that is not the seed's.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::play::chance::Chance;

/// The time, chance and trace of one simulation; cheap to clone.
#[derive(Clone)]
pub struct Timeline(Arc<Shared>);

struct Shared {
    /// Nobody looks at it but for what lies between it and another.
    start: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    now: Duration,
    chance: Chance,
    timers: BTreeMap<(Duration, u64), Waker>,
    timers_set: u64,
    trace: Option<String>,
}

impl Timeline {
    /// The beginning of what follows from a seed; traced if it is to be read.
    pub fn of(seed: u64, traced: bool) -> Self {
        Self(Arc::new(Shared {
            start: Instant::now(),
            inner: Mutex::new(Inner {
                now: Duration::ZERO,
                chance: Chance::of(seed, "simulation"),
                timers: BTreeMap::new(),
                timers_set: 0,
                trace: traced.then(String::new),
            }),
        }))
    }

    /// The time since the beginning.
    pub fn now(&self) -> Duration {
        self.inner().now
    }

    /// The same, as the fabric takes it.
    pub fn instant(&self) -> Instant {
        self.0.start + self.now()
    }

    /// A number below `end`.
    pub fn below(&self, end: usize) -> usize {
        self.inner().chance.below(end)
    }

    /// Whether what happens once in so many times happens now.
    pub fn once_in(&self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A time from one to another, in microseconds.
    pub fn between(&self, least: Duration, most: Duration) -> Duration {
        let micros = |time: Duration| usize::try_from(time.as_micros()).unwrap_or(usize::MAX);
        let spread = micros(most).saturating_sub(micros(least));
        least + Duration::from_micros(self.below(spread + 1) as u64)
    }

    /// An id that follows from the seed.
    pub fn new_id(&self) -> Uuid {
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            *byte = u8::try_from(self.below(256)).unwrap_or_default();
        }
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// Waits so long.
    pub async fn sleep(&self, wait: Duration) {
        let mut timer = Timer {
            timeline: self,
            key: None,
        };
        let due = self.now() + wait;
        poll_fn(|context| {
            let mut inner = timer.timeline.inner();
            if inner.now >= due {
                return Poll::Ready(());
            }
            let key = timer.key.unwrap_or_else(|| {
                inner.timers_set += 1;
                (due, inner.timers_set)
            });
            inner.timers.insert(key, context.waker().clone());
            drop(inner);
            timer.key = Some(key);
            Poll::Pending
        })
        .await;
    }

    /// When the next of those who wait is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.inner().timers.keys().next().map(|(due, _)| *due)
    }

    /// Moves on to a time, and wakes who has waited for it. It never goes back.
    pub fn advance_to(&self, time: Duration) {
        let mut inner = self.inner();
        inner.now = inner.now.max(time);
        let now = inner.now;
        let later = inner.timers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut inner.timers, later);
        drop(inner);
        due.into_values().for_each(Waker::wake);
    }

    /// Writes a line of the trace, if it is to be read.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        let mut inner = self.inner();
        let now = inner.now;
        if let Some(trace) = &mut inner.trace {
            let micros = now.as_micros();
            trace.push_str(&format!("{micros:>12} {}\n", line()));
        }
    }

    /// The trace so far.
    pub fn traced(&self) -> String {
        self.inner().trace.clone().unwrap_or_default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Timeline at {:?}", self.now())
    }
}

/// Who waits; nobody any more once it is dropped.
struct Timer<'a> {
    timeline: &'a Timeline,
    key: Option<(Duration, u64)>,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.timeline.inner().timers.remove(&key);
        }
    }
}
