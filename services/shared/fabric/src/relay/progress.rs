//! Where the relay is in one partition, and what follows from that for a row or a
//! request to send again. Pure: it must not know how anything is sent or read.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::store::OutboxRow;

/// How long after everything was sent again the same is not sent again for another
/// request: who asks repeats it while the records are still on their way.
const REWIND_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Where the relay is in one partition.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub epoch: u64,
    /// Handed to the client.
    pub sent: u64,
    /// Acknowledged without a hole.
    pub acked: u64,
    /// What the cursor row says.
    pub written: u64,
    /// The first record that the broker does not take; neither it nor what follows is sent.
    pub refused: Option<u64>,
    /// Up to here each is sent alone: the broker refused some of them together.
    alone_until: Option<u64>,
    /// How often a record was refused: which try a delivery belongs to.
    pub tries: u32,
    /// Where the last try ended.
    try_ended_at: u64,
    /// Sent in this try and not yet heard of.
    under_way: usize,
    /// The head that must be acknowledged before the next watermark, and the watermark's time.
    pub stamp: Option<(u64, DateTime<Utc>)>,
    /// What the last watermark said: acknowledged and head.
    pub stamped: Option<(u64, u64)>,
    /// What is being sent again for a request.
    rewound: Option<Rewound>,
    /// The last request that could not be served; it is repeated every second.
    pub not_kept: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Rewound {
    from: u64,
    to: u64,
    done_at: Option<Instant>,
}

/// What a refusal by the broker leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is known already.
    Known,
    /// It is sent again, alone: the fault may be that of another that came with it.
    OfMany,
    /// The partition stops.
    Alone,
}

/// What to do with a row that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    /// It was sent already, or is not to be sent.
    Known,
    /// Send it now.
    Next,
    /// Others come before it: read them from the table.
    Later,
}

impl Progress {
    pub(super) fn starting(epoch: u64, from: u64, written: u64) -> Self {
        Self {
            epoch,
            sent: from,
            acked: from,
            written,
            refused: None,
            alone_until: None,
            tries: 0,
            try_ended_at: 0,
            under_way: 0,
            stamp: None,
            stamped: None,
            rewound: None,
            not_kept: None,
        }
    }

    /// Two writers' rows may arrive swapped.
    pub(super) fn place(&self, row: &OutboxRow) -> Handed {
        if row.epoch != self.epoch || row.seq <= self.sent || self.refused.is_some() {
            Handed::Known
        } else if row.seq == self.sent + 1 && self.alone_until.is_none() {
            Handed::Next
        } else {
            Handed::Later
        }
    }

    /// How many rows may be sent now.
    pub(super) fn may_send(&self) -> usize {
        match (self.refused, self.alone_until) {
            (Some(_), _) => 0,
            (None, Some(_)) => 1_usize.saturating_sub(self.under_way),
            (None, None) => usize::MAX,
        }
    }

    pub(super) fn sent(&mut self, seq: u64, now: Instant) {
        self.sent = seq;
        self.under_way += 1;
        if let Some(rewound) = &mut self.rewound
            && rewound.done_at.is_none()
            && seq >= rewound.to
        {
            rewound.done_at = Some(now);
        }
    }

    /// Per partition the client acknowledges in the order of sending, but goes on
    /// behind a record that the broker does not take. True if others waited for it.
    pub(super) fn acknowledged(&mut self, seq: u64, of_try: u32) -> bool {
        if of_try == self.tries {
            self.under_way = self.under_way.saturating_sub(1);
        } else if seq >= self.try_ended_at {
            return false;
        }
        self.acked = self.acked.max(seq);
        let waited = self.alone_until.is_some();
        self.alone_until = self.alone_until.filter(|until| self.acked < *until);
        waited
    }

    /// The broker refused this record when it came with others.
    pub(super) fn refuse(&mut self, seq: u64, of_try: u32) -> Refused {
        if of_try != self.tries {
            return Refused::Known;
        }
        if self.alone_until.is_some() {
            self.stop(seq);
            return Refused::Alone;
        }
        self.alone_until = Some(self.sent.max(seq));
        self.end_try(seq);
        Refused::OfMany
    }

    /// The record will never be taken as it is: nothing from there on is sent.
    pub(super) fn stop(&mut self, seq: u64) {
        self.refused = Some(seq);
        self.alone_until = None;
        self.end_try(seq);
    }

    fn end_try(&mut self, seq: u64) {
        self.tries += 1;
        self.try_ended_at = seq;
        self.under_way = 0;
        self.sent = seq.saturating_sub(1);
    }

    /// Whether a consumer's request to send again is to be served now.
    pub(super) fn serves(&self, from: u64, now: Instant) -> bool {
        let under_way = self.rewound.is_some_and(|rewound| {
            from >= rewound.from
                && from <= rewound.to
                && rewound
                    .done_at
                    .is_none_or(|at| now.duration_since(at) < REWIND_AGAIN_AFTER)
        });
        (1..=self.sent).contains(&from) && !under_way
    }

    /// Goes back, so that everything from there on is sent again.
    pub(super) fn go_back(&mut self, from: u64) {
        self.rewound = Some(Rewound {
            from,
            to: self.sent,
            done_at: None,
        });
        self.sent = from.saturating_sub(1);
        self.not_kept = None;
    }

    /// Rows before `next` are gone. True if that is no loss: the broker had them, and
    /// they can only not be sent again.
    pub(super) fn pass_hole(&mut self, next: u64) -> bool {
        let before = next.saturating_sub(1);
        if before > self.acked.max(self.written) {
            return false;
        }
        self.sent = before;
        self.acked = self.acked.max(before);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: u64) -> OutboxRow {
        OutboxRow {
            topic: "test.counter".into(),
            partition: 0,
            epoch: 1,
            seq,
            key: "k".into(),
            event_type: "greenlane.test.counter.added".into(),
            payload: bytes::Bytes::new(),
            chain: bytes::Bytes::new(),
            traceparent: None,
            aspect: None,
            recorded_at: DateTime::<Utc>::UNIX_EPOCH,
        }
    }

    #[test]
    fn rows_that_two_writers_hand_over_swapped_are_not_sent_before_their_turn() {
        let mut at = Progress::starting(1, 4, 4);
        assert_eq!(at.place(&row(6)), Handed::Later, "5 is still missing");
        assert_eq!(at.place(&row(5)), Handed::Next);
        at.sent(5, Instant::now());
        at.sent(6, Instant::now());
        assert_eq!(at.place(&row(6)), Handed::Known, "read from the table");
        assert_eq!(at.place(&row(7)), Handed::Next);
    }

    #[test]
    fn a_record_that_is_refused_is_tried_alone_and_nothing_behind_it_counts_as_acknowledged() {
        let mut at = Progress::starting(1, 0, 0);
        for seq in 1..=5 {
            at.sent(seq, Instant::now());
        }
        at.acknowledged(1, 0);
        assert_eq!(at.refuse(2, 0), Refused::OfMany);
        assert_eq!(at.refuse(3, 0), Refused::Known, "of the same try");
        at.acknowledged(5, 0);
        assert_eq!((at.acked, at.sent, at.may_send()), (1, 1, 1));
        at.sent(2, Instant::now());
        assert_eq!(at.may_send(), 0);
        assert_eq!(at.place(&row(3)), Handed::Later);
        assert!(at.acknowledged(2, 1));
        at.sent(3, Instant::now());
        assert_eq!(at.refuse(3, 1), Refused::Alone);
        assert_eq!((at.acked, at.sent, at.refused), (2, 2, Some(3)));
        assert_eq!(at.may_send(), 0);
        assert_eq!(at.place(&row(6)), Handed::Known);
        // An operator has it tried again, while the broker still acknowledges what followed it before.
        at.refused = None;
        at.go_back(3);
        at.sent(3, Instant::now());
        at.acknowledged(5, 1);
        assert_eq!(at.acked, 2);
        at.acknowledged(3, 2);
        assert_eq!((at.acked, at.may_send()), (3, usize::MAX));
    }

    #[test]
    fn records_that_the_broker_refuses_only_together_are_sent_together_again_behind_them() {
        let mut at = Progress::starting(1, 0, 0);
        (1..=2).for_each(|seq| at.sent(seq, Instant::now()));
        assert_eq!(at.refuse(1, 0), Refused::OfMany);
        for seq in 1..=2 {
            assert_eq!(at.may_send(), 1);
            at.sent(seq, Instant::now());
            assert!(at.acknowledged(seq, 1));
        }
        assert_eq!(at.may_send(), usize::MAX);
        assert_eq!(at.place(&row(3)), Handed::Next);
    }

    #[test]
    fn a_request_that_is_repeated_while_it_is_served_is_served_once() {
        let mut at = Progress::starting(1, 100, 100);
        let start = Instant::now();
        assert!(at.serves(10, start));
        at.go_back(10);
        at.sent(60, start);
        assert!(!at.serves(10, start));
        assert!(!at.serves(40, start));
        assert!(at.serves(5, start), "more than what is under way");
        at.sent(100, start);
        assert!(!at.serves(40, start));
        assert!(at.serves(40, start + REWIND_AGAIN_AFTER));
        assert!(!at.serves(101, start), "never sent");
        assert!(!at.serves(0, start));
    }

    #[test]
    fn a_hole_below_the_cursor_is_passed_and_one_above_it_is_not() {
        let mut at = Progress::starting(1, 2, 7);
        assert!(at.pass_hole(8));
        assert_eq!((at.sent, at.acked), (7, 7));
        assert!(!at.pass_hole(10));
        assert_eq!(at.sent, 7);
    }
}
