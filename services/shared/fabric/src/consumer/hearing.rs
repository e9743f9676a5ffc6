//! Which record of each partition comes next, and whether one has fallen silent
//! although the broker has more of it, or because it has less than was read of it,
//! or whether the broker's client answers nothing at all.
//! Pure: it must not know how anything is read.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::store::Part;

/// What a reader has heard.
pub(super) struct Hearing {
    /// As long as their producer is there, watermarks come more often than this, and a new reader's
    /// first records sooner.
    silent_after: Duration,
    parts: BTreeMap<Part, Heard>,
    /// Since when every look went without an answer, with no record meanwhile.
    unanswered_since: Option<Instant>,
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
            unanswered_since: None,
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
        self.unanswered_since = None;
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
            self.unanswered_since = None;
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

    /// The broker's answer, empty where none came. What it has more is on its way, unless it has not
    /// come by the next look.
    pub(super) fn told(&mut self, ends: Vec<(Part, i64)>, now: Instant) {
        self.unanswered_since = match ends.as_slice() {
            [] => self.unanswered_since.or(Some(now)),
            _ => None,
        };
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

    /// A silent partition of which the broker had less at the last look than was read: it has lost records, and
    /// the client may wait until there are as many again. All such are read on from where they end now; what was
    /// sent again before that is missed, found missing, and asked for.
    pub(super) fn cut_short(&mut self, now: Instant) -> Option<Part> {
        let mut first = None;
        for (part, heard) in &mut self.parts {
            let silent = now.saturating_duration_since(heard.at) >= self.silent_after;
            if let Some(end) = heard.end.filter(|end| silent && *end < heard.next) {
                *heard = Heard::from(end, now);
                first.get_or_insert_with(|| part.clone());
            }
        }
        first
    }

    /// Neither a record nor an answer has come for long. The broker may be away, or the client may have
    /// lost it for good: a new one finds out.
    pub(super) fn cut_off(&self, now: Instant) -> bool {
        self.unanswered_since
            .is_some_and(|since| now.saturating_duration_since(since) >= self.silent_after)
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
        hearing.told(vec![(part(), 8)], look);
        assert_eq!(hearing.deaf_to(look + hearing.look_every()), Some(&part()));
    }

    #[test]
    fn a_partition_of_which_the_broker_has_no_more_is_only_silent() {
        let start = Instant::now();
        let mut hearing = reading_from_behind(6, start);
        hearing.told(vec![(part(), 7)], start);
        assert_eq!(hearing.silent(start + SILENT_AFTER), [part()]);
        assert_eq!(hearing.deaf_to(start + SILENT_AFTER), None);
    }

    #[test]
    fn a_partition_of_which_the_broker_has_lost_records_is_read_on_from_its_end() {
        let start = Instant::now();
        let mut hearing = reading_from_behind(283, start);
        hearing.told(vec![(part(), 250)], start);
        assert_eq!(hearing.cut_short(start), None, "it is not silent");
        let later = start + SILENT_AFTER;
        assert_eq!(hearing.deaf_to(later), None);
        assert_eq!(hearing.cut_short(later), Some(part()));
        assert_eq!(hearing.next().collect::<Vec<_>>(), [(&part(), 250)]);
        assert_eq!(hearing.cut_short(later + SILENT_AFTER), None);
    }

    #[test]
    fn a_partition_whose_records_come_after_all_is_not_given_up() {
        let start = Instant::now();
        let mut hearing = reading_from_behind(6, start);
        hearing.told(vec![(part(), 900)], start);
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

    #[test]
    fn a_client_that_answers_nothing_is_given_up() {
        let start = Instant::now();
        let mut hearing = reading_from_behind(6, start);
        let look = start + SILENT_AFTER;
        hearing.told(Vec::new(), look);
        assert!(!hearing.cut_off(look), "it was asked once");
        let next = look + hearing.look_every();
        hearing.told(Vec::new(), next);
        assert!(hearing.cut_off(look + SILENT_AFTER), "it never answered");
        hearing.begin(next);
        assert!(!hearing.cut_off(look + SILENT_AFTER), "another one reads");
    }

    #[test]
    fn a_client_that_answers_or_gives_a_record_is_kept() {
        let start = Instant::now();
        let mut hearing = reading_from_behind(6, start);
        hearing.told(Vec::new(), start);
        hearing.told(vec![(part(), 7)], start);
        assert!(!hearing.cut_off(start + SILENT_AFTER), "it answered");
        hearing.told(Vec::new(), start);
        hearing.heard(&part(), 7, start);
        assert!(!hearing.cut_off(start + SILENT_AFTER), "it gave a record");
    }
}
