//! Where a writer's commits are recorded: a partition of the service's audit topic that it has for itself as long as
//! nobody else comes there; and the attempts that wait for its next commit.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::audit::{ATTEMPTS_MAX, Attempt, Attempts, Entries, topic_of};
use crate::sequence::partition_of;
use crate::store::Part;

pub(super) struct Record {
    /// None if the service keeps no record.
    topic: Option<String>,
    /// Decides the partition.
    pub key: String,
    attempts: Option<Attempts>,
    /// Taken, and not committed yet.
    taken: BTreeMap<Attempt, u64>,
}

impl Record {
    pub(super) fn new(
        service: &str,
        produces: &[&str],
        key: Uuid,
        attempts: Option<Attempts>,
    ) -> Self {
        let topic = topic_of(service);
        Self {
            topic: produces.contains(&topic.as_str()).then_some(topic),
            key: key.to_string(),
            attempts,
            taken: BTreeMap::new(),
        }
    }

    /// The partition, if there is something to record: what was done, and whoever was not let in meanwhile.
    pub(super) fn part(&mut self, entries: &mut Entries) -> Option<Part> {
        let topic = self.topic.clone()?;
        // While nothing is committed they wait where they take little room.
        if let Some(attempts) = &self.attempts
            && self.taken.len() < ATTEMPTS_MAX
        {
            for (attempt, times) in attempts.take() {
                *self.taken.entry(attempt).or_default() += times;
            }
        }
        entries.attempts(&self.taken);
        (!entries.is_empty()).then(|| (topic, partition_of(&self.key)))
    }

    /// Goes elsewhere.
    pub(super) fn move_on(&mut self, key: Uuid) {
        self.key = key.to_string();
    }

    /// What was taken is recorded.
    pub(super) fn committed(&mut self) {
        self.taken.clear();
    }
}
