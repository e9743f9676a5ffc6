//! Sees what happens in a simulation as it happens, and says what may never: what is over when everything is quiet again
//! would not show it. It must not change anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fabric::platform::Part;

/// Violations that are told of one simulation.
const TOLD_MAX: usize = 20;

/// What was seen so far.
#[derive(Default)]
pub struct Witness(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    violations: Vec<String>,
    /// The highest (epoch, sequence) that the broker has acknowledged.
    acked: BTreeMap<Part, (u64, u64)>,
    /// The highest (epoch, sequence) that ever came into the broker.
    appended: BTreeMap<Part, (u64, u64)>,
    /// Clients of relays that were told that their cursors are another's.
    ousted: BTreeSet<u64>,
}

impl Witness {
    /// Something that may never happen.
    pub fn found(&self, violation: String) {
        let mut seen = self.seen();
        if seen.violations.len() < TOLD_MAX && !seen.violations.contains(&violation) {
            seen.violations.push(violation);
        }
    }

    /// What was found so far.
    pub fn violations(&self) -> Vec<String> {
        self.seen().violations.clone()
    }

    /// The broker acknowledges a record.
    pub fn acked(&self, part: &Part, epoch: u64, seq: u64) {
        let mut seen = self.seen();
        let highest = seen.acked.entry(part.clone()).or_default();
        *highest = (*highest).max((epoch, seq));
    }

    /// A relay's cursor is committed.
    pub fn cursor_moved(&self, part: &Part, epoch: u64, acked: u64) {
        let highest = self.seen().acked.get(part).copied().unwrap_or_default();
        if (epoch, acked) > highest && acked > 0 {
            self.found(format!(
                "{}/{}: the cursor moves to {acked}, which the broker has not acknowledged",
                part.0, part.1
            ));
        }
    }

    /// A record comes into the broker: for the first time only right behind the one before it.
    pub fn appended(&self, part: &Part, epoch: u64, seq: u64) {
        let mut seen = self.seen();
        let highest = seen.appended.entry(part.clone()).or_insert((epoch, 0));
        let before = *highest;
        *highest = before.max((epoch, seq));
        drop(seen);
        if epoch == before.0 && seq > before.1 + 1 {
            self.found(format!(
                "{}/{}: {seq} comes into the broker before {}",
                part.0,
                part.1,
                before.1 + 1
            ));
        }
    }

    /// The relay that sends by this client was told that its cursors are another's.
    pub fn ousted(&self, client: u64) {
        self.seen().ousted.insert(client);
    }

    /// A relay sends an event.
    pub fn sends(&self, client: u64, part: &Part, seq: u64) {
        if self.seen().ousted.contains(&client) {
            self.found(format!(
                "{}/{}: {seq} is sent by a relay whose cursors are another's",
                part.0, part.1
            ));
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
