//! What a writer does about records that are missing or could not be applied:
//! watermarks compared with positions, requests to send again, and parked
//! records applied after all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::platform::{Platform, Session, Tables as _};
use crate::service::{Record, Service};
use crate::store::{self, Parked, Part, Position, Stamp};

use super::Writer;
use super::batch::Fate;
use super::entry::{Entry, Source};

/// How often a consumer that misses records asks for them again.
const REWIND_ASK_EVERY: Duration = Duration::from_secs(1);
/// So long a producer must say that its head is below what was applied. A watermark alone may be an old one that comes
/// late, and no clock tells: two databases' clocks may both be wrong.
const BEHIND_AT_LEAST: Duration = Duration::from_secs(10);

/// A producer whose head is below what was applied of it.
pub(super) struct Behind {
    /// The epoch and the sequence that were applied.
    applied: (u64, u64),
    /// When the first of the watermarks that say so was received, one behind the other.
    since: Instant,
}

/// What came of a retry.
#[derive(Clone, Debug, Default)]
pub struct RetryOutcome {
    /// Records that were applied.
    pub applied: u32,
    /// Records of the key that are parked still.
    pub still_parked: u32,
    /// Why; empty if none is.
    pub cause: String,
}

impl<S: Service, P: Platform<Session: Session<S>>> Writer<S, P> {
    /// Keeps the watermarks that are newer than those held (a partition that is
    /// read again brings old ones too); what a newer one says is acknowledged and
    /// was not applied is lost, and asked for. One that came before records which are applied by now says nothing
    /// of them, whatever time it bears: clocks may be set.
    pub(super) async fn take_stamps(
        &mut self,
        db: &mut Option<P::Session>,
        stamps: BTreeMap<Part, Stamp>,
        overtaken: &BTreeSet<Part>,
    ) {
        let Some(session) = db.as_mut() else { return };
        let mut forked = Vec::new();
        match session.write_stamps(&stamps).await {
            Ok(positions) => {
                for (part, stamped) in positions {
                    let Some(stamp) = stamps.get(&part) else {
                        continue;
                    };
                    // One that was read before the session was lost may come after: whoever reads the partition now
                    // is the one to know how old it is.
                    if self.owned.contains_key(&part) {
                        self.stamps_received.insert(part.clone(), stamp.received_at);
                    }
                    let position = stamped.position;
                    let behind_for = self.behind_for(&part, stamp, &position, overtaken);
                    if stamp.epoch > position.epoch {
                        // The record that opened the new epoch did not come.
                        self.ask_rewind(part, 1);
                    } else if stamp.epoch == position.epoch
                        && position.seq < stamp.acked_seq
                        && position.stopped_because.is_none()
                    {
                        self.ask_rewind(part, position.seq + 1);
                    } else if stamped.is_later
                        && position.stopped_because.is_none()
                        && behind_for.is_some_and(|time| time >= BEHIND_AT_LEAST)
                    {
                        forked.push((part, position));
                    }
                }
                for (part, position) in forked {
                    self.stop_forked(db, &part, &position).await;
                }
            }
            Err(error) if store::is_transient(&error) => self.disconnected(db, &error),
            Err(error) => tracing::error!(%error, "watermarks could not be kept"),
        }
    }

    /// For how long the producer has said nothing but that its head is below what was applied; nothing if this watermark
    /// does not say so.
    fn behind_for(
        &mut self,
        part: &Part,
        stamp: &Stamp,
        position: &Position,
        overtaken: &BTreeSet<Part>,
    ) -> Option<Duration> {
        let applied = (position.epoch, position.seq);
        if overtaken.contains(part) || (stamp.epoch, stamp.head_seq) >= applied {
            self.behind.remove(part);
            return None;
        }
        let from_now = || Behind {
            applied,
            since: stamp.received_at,
        };
        let behind = self.behind.entry(part.clone()).or_insert_with(from_now);
        if behind.applied != applied {
            *behind = from_now();
        }
        Some(stamp.received_at.saturating_duration_since(behind.since))
    }

    /// The producer does not know of records that were applied here: its database is older than what it
    /// published. Nothing more of the partition is believed until an operator has looked.
    async fn stop_forked(&mut self, db: &mut Option<P::Session>, part: &Part, at: &Position) {
        let why = "the producer's head is below what was applied: its database is older than what it published";
        tracing::error!(
            topic = part.0,
            partition = part.1,
            why,
            "the partition stops"
        );
        let Some(session) = db.as_mut() else { return };
        if let Err(error) = session.stop_partition(part, at, why).await {
            // The next watermark says the same, and it is tried again.
            self.disconnected(db, &error);
        }
    }

    pub(super) fn ask_rewind(&mut self, part: Part, from_seq: u64) {
        let now = self.platform.now();
        let asked = self.rewinds_asked.get(&part);
        if asked.is_none_or(|at| now.duration_since(*at) >= REWIND_ASK_EVERY) {
            tracing::warn!(
                topic = part.0,
                partition = part.1,
                from_seq,
                "records are missing; asking for them"
            );
            self.rewinds_asked.insert(part.clone(), now);
            let _ = self.links.rewinds.try_send((part, from_seq));
        }
    }

    /// Applies a key's parked records, oldest first, each in its own batch,
    /// until one fails again.
    pub(super) async fn retry_parked(
        &mut self,
        db: &mut Option<P::Session>,
        topic: &str,
        key: &str,
    ) -> RetryOutcome {
        let mut outcome = RetryOutcome::default();
        loop {
            if db.is_none() {
                self.connect(db).await;
            }
            let Some(session) = db.as_mut() else {
                outcome.cause = "the database does not answer".into();
                return outcome;
            };
            let oldest = match session.oldest_parked(topic, key).await {
                Ok(oldest) => oldest,
                Err(error) => {
                    outcome.cause = error.to_string();
                    return outcome;
                }
            };
            let Some(parked) = oldest else {
                outcome.still_parked = 0;
                return outcome;
            };
            match self.apply_parked(db, parked).await {
                Ok(()) => outcome.applied += 1,
                Err((event_id, cause)) => {
                    if let Some(session) = db.as_mut() {
                        let _ = session.parked_again(&event_id, &cause).await;
                        let left = session.parked_of_key(topic, key).await;
                        outcome.still_parked = left.unwrap_or(1);
                    }
                    outcome.cause = cause;
                    return outcome;
                }
            }
        }
    }

    async fn apply_parked(
        &mut self,
        db: &mut Option<P::Session>,
        parked: Parked,
    ) -> Result<(), (String, String)> {
        let event_id = parked.event_id.clone();
        let record = Record {
            topic: parked.topic.clone(),
            partition: parked.partition,
            epoch: parked.epoch,
            sequence: parked.seq,
            key: parked.key.clone(),
            event_id: parked.event_id.clone(),
            event_type: parked.event_type.clone(),
            payload: parked.payload.clone(),
            traceparent: parked.traceparent.clone(),
        };
        let (input, cause) = self.decode(&record);
        if let Some(cause) = cause {
            return Err((event_id, cause));
        }
        let traceparent = parked.traceparent.clone();
        let mut entries = vec![Entry {
            source: Source::Parked {
                parked: Box::new(parked),
            },
            input,
            traceparent,
            queued_at: self.platform.now(),
            cause: None,
        }];
        loop {
            match self.run_until_decided(db, &mut entries).await {
                Ok(committed) if matches!(committed.fates[..], [Fate::Deferred]) => {}
                Ok(committed) => {
                    self.deliver(Vec::new(), committed);
                    return Ok(());
                }
                Err(cause) => return Err((event_id, cause)),
            }
        }
    }
}
