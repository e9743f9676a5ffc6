//! The clock. Decisions are given the time as an argument; only the edges of a process ask for it, here.

use chrono::{DateTime, SubsecRound, Utc};

/// Something that tells the time: the system's clock, or a test's.
pub trait Clock: Send + Sync {
    /// The present instant, to the microsecond.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the machine. It is the only place that reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        // A database keeps microseconds: what is written must equal what is read back.
        Utc::now().trunc_subsecs(6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_tells_whole_microseconds() {
        assert_eq!(SystemClock.now().timestamp_subsec_nanos() % 1_000, 0);
    }
}
