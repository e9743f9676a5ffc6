//! Which record of each partition comes next, and whether one has fallen silent
//! although the broker has more of it. Pure: it must not know how anything is read.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::store::Part;

/// What a reader has heard.
pub(super) struct Hearing {
    /// As long as their producer is there, watermarks come more often than this, and a new reader's
    /// first records sooner.
    silent_after: Duration,
    parts: BTreeMap<Part, Heard>,
}

struct Heard {
    /// The offset that is read next.
    next: i64,
    /// When the last record came, or reading began.
    at: Instant,
    /// Behind the last record that the broker had, when it was asked after the last one came.
    end: Option<i64>,
}

impl Heard {
    fn from(next: i64, at: Instant) -> Self {
        Self {
            next,
            at,
            end: None,
        }
    }
}

impl Hearing {
    pub(super) fn new(silent_after: Duration) -> Self {
        Self {
            silent_after,
            parts: BTreeMap::new(),
        }
    }

    /// How often to look whether something has fallen silent.
    pub(super) fn look_every(&self) -> Duration {
        self.silent_after / 3
    }

    /// These partitions are read, each from behind this offset; -1 is before the first.
    pub(super) fn assigned(&mut self, parts: &BTreeMap<Part, i64>, now: Instant) {
        self.parts = parts
            .iter()
            .map(|(part, applied)| (part.clone(), Heard::from((applied + 1).max(0), now)))
            .collect();
    }

    /// A new reader goes on where the last one came to.
    pub(super) fn begin(&mut self, now: Instant) {
        for heard in self.parts.values_mut() {
            *heard = Heard::from(heard.next, now);
        }
    }

    /// What comes next of each partition.
    pub(super) fn next(&self) -> impl Iterator<Item = (&Part, i64)> {
        self.parts.iter().map(|(part, heard)| (part, heard.next))
    }

    /// A record came. One of a partition that is not read any more says nothing.
    pub(super) fn heard(&mut self, part: &Part, offset: i64, now: Instant) {
        if let Some(heard) = self.parts.get_mut(part) {
            *heard = Heard::from(offset + 1, now);
        }
    }

    /// Partitions of which nothing has come for long: the broker is asked what it has of them.
    pub(super) fn silent(&self, now: Instant) -> Vec<Part> {
        let silent = |heard: &Heard| now.saturating_duration_since(heard.at) >= self.silent_after;
        self.parts
            .iter()
            .filter(|(_, heard)| silent(heard))
            .map(|(part, _)| part.clone())
            .collect()
    }

    /// The broker's answer. What it has more is on its way, unless it has not come by the next look.
    pub(super) fn told(&mut self, ends: Vec<(Part, i64)>) {
        for (part, end) in ends {
            if let Some(heard) = self.parts.get_mut(&part) {
                heard.end = Some(end);
            }
        }
    }

    /// A silent partition of which the broker had more at the last look already.
    pub(super) fn deaf_to(&self, now: Instant) -> Option<&Part> {
        let deaf = |heard: &Heard| {
            now.saturating_duration_since(heard.at) >= self.silent_after
                && heard.end.is_some_and(|end| end > heard.next)
        };
        self.parts
            .iter()
            .find(|(_, heard)| deaf(heard))
            .map(|(part, _)| part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT_AFTER: Duration = Duration::from_secs(6);

    fn part() -> Part {
        ("test.counter".to_owned(), 0)
    }

    fn reading_from_behind(applied: i64, now: Instant) -> Hearing {
        let mut hearing = Hearing::new(SILENT_AFTER);
        hearing.assigned(&BTreeMap::from([(part(), applied)]), now);
        hearing
    }

    #[test]
    fn a_partition_whose_records_stay_in_the_broker_is_found() {
        let start = Instant::now();
        let mut hearing = reading_from_behind(6, start);
        assert!(hearing.silent(start + SILENT_AFTER / 2).is_empty());
        let look = start + SILENT_AFTER;
        assert_eq!(hearing.silent(look), [part()]);
        assert_eq!(hearing.deaf_to(look), None, "the broker was not asked yet");
        hearing.told(vec![(part(), 8)]);
        assert_eq!(hearing.deaf_to(look + hearing.look_every()), Some(&part()));
    }

    #[test]
    fn a_partition_of_which_the_broker_has_no_more_is_only_silent() {
        let start = Instant::now();
        let mut hearing = reading_from_behind(6, start);
        hearing.told(vec![(part(), 7)]);
        assert_eq!(hearing.silent(start + SILENT_AFTER), [part()]);
        assert_eq!(hearing.deaf_to(start + SILENT_AFTER), None);
    }

    #[test]
    fn a_partition_whose_records_come_after_all_is_not_given_up() {
        let start = Instant::now();
        let mut hearing = reading_from_behind(6, start);
        hearing.told(vec![(part(), 900)]);
        let later = start + SILENT_AFTER;
        hearing.heard(&part(), 7, later);
        assert_eq!(hearing.deaf_to(later + SILENT_AFTER), None);
    }

    #[test]
    fn a_new_reader_goes_on_behind_what_was_heard_unless_it_is_told_to_begin_elsewhere() {
        let start = Instant::now();
        let mut hearing = reading_from_behind(-1, start);
        assert_eq!(hearing.next().collect::<Vec<_>>(), [(&part(), 0)]);
        hearing.heard(&part(), 40, start);
        hearing.begin(start);
        assert_eq!(hearing.next().collect::<Vec<_>>(), [(&part(), 41)]);
        hearing.assigned(&BTreeMap::from([(part(), 12)]), start);
        assert_eq!(hearing.next().collect::<Vec<_>>(), [(&part(), 13)]);
    }
}
