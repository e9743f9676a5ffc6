//! How many records of a partition are tried in one batch. Where a record has to wait for another batch, all
//! behind it in its partition wait too, and each that is tried again is locked and asked again for what follows
//! from it: with a backlog that would be most of what a batch does. So of such a partition no more are tried than
//! were applied, and twice as many each time that none had to wait.

use std::collections::BTreeMap;

use crate::store::Part;

use super::batch::Fate;
use super::entry::Entry;

/// The partitions of which records had to wait lately.
#[derive(Default)]
pub(super) struct Pace {
    tried_max: BTreeMap<Part, usize>,
}

impl Pace {
    /// Parts entries into those to try now and the records that stay behind, each in their order.
    pub(super) fn part<I>(&self, entries: Vec<Entry<I>>) -> (Vec<Entry<I>>, Vec<Entry<I>>) {
        if self.tried_max.is_empty() {
            return (entries, Vec::new());
        }
        let mut left = self.tried_max.clone();
        entries.into_iter().partition(|entry| {
            let left = entry.record_part().and_then(|part| left.get_mut(&part));
            left.is_none_or(|left| {
                let tried = *left > 0;
                *left = left.saturating_sub(1);
                tried
            })
        })
    }

    /// Learns from a batch that was committed. A partition that could have `inputs_max` records tried goes without
    /// a limit again.
    pub(super) fn learn<I>(&mut self, entries: &[Entry<I>], fates: &[Fate], inputs_max: usize) {
        let waits = |fate: &Fate| matches!(fate, Fate::Deferred);
        if self.tried_max.is_empty() && !fates.iter().any(waits) {
            return;
        }
        let mut counted: BTreeMap<Part, (usize, usize)> = BTreeMap::new();
        for (entry, fate) in entries.iter().zip(fates) {
            let Some(part) = entry.record_part() else {
                continue;
            };
            let (applied, waiting) = counted.entry(part).or_default();
            *if waits(fate) { waiting } else { applied } += 1;
        }
        for (part, (applied, waiting)) in counted {
            if waiting > 0 {
                self.tried_max.insert(part, applied.max(1));
            } else if let Some(max) = self.tried_max.get_mut(&part) {
                *max *= 2;
            }
        }
        self.tried_max.retain(|_, max| *max < inputs_max);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::service::Record;
    use crate::writer::entry::{Delivered, Source};

    fn records(partition: u32, count: u64) -> Vec<Entry<()>> {
        let record = |sequence| Record {
            topic: "gate.site".into(),
            partition,
            epoch: 1,
            sequence,
            key: "K".into(),
            event_id: String::new(),
            event_type: String::new(),
            payload: Bytes::new(),
            traceparent: None,
        };
        let entry = |sequence| Entry {
            source: Source::Record {
                delivered: Box::new(Delivered {
                    record: record(sequence),
                    chain: Bytes::new(),
                    kafka_offset: 0,
                }),
            },
            input: Some(()),
            traceparent: None,
            queued_at: Instant::now(),
            cause: None,
        };
        (1..=count).map(entry).collect()
    }

    /// How many of so many records of a partition are tried.
    fn tried(pace: &Pace, partition: u32, count: u64) -> usize {
        let (now, later) = pace.part(records(partition, count));
        assert_eq!(now.len() + later.len(), records(partition, count).len());
        now.len()
    }

    #[test]
    fn of_a_partition_whose_records_had_to_wait_as_many_are_tried_as_were_applied_and_of_others_all()
     {
        let mut pace = Pace::default();
        let fates = [Fate::Applied, Fate::Applied, Fate::Deferred, Fate::Deferred];
        pace.learn(&records(1, 4), &fates, 8);
        assert_eq!(tried(&pace, 1, 5), 2);
        assert_eq!(tried(&pace, 2, 5), 5);
        pace.learn(&records(1, 2), &[Fate::Deferred, Fate::Deferred], 8);
        assert_eq!(tried(&pace, 1, 5), 1);
    }

    #[test]
    fn each_time_that_none_has_to_wait_twice_as_many_are_tried_until_there_is_no_limit() {
        let mut pace = Pace::default();
        pace.learn(&records(1, 2), &[Fate::Applied, Fate::Deferred], 8);
        let allowed = [2, 4, 100].map(|_| {
            pace.learn(&records(1, 1), &[Fate::Applied], 8);
            tried(&pace, 1, 100)
        });
        assert_eq!(allowed, [2, 4, 100]);
    }
}
