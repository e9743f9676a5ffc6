//! Reads the partitions that a writer owns and hands their records to it, in
//! order. It keeps no positions: those are in the database, with the effects.
//! The broker's client can stop giving one partition's records, for good and
//! without a word, when a broker comes back or a leader moves; so every reader
//! looks after the partitions of which nothing comes.

mod hearing;

use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use prost::Message as _;
use tokio::sync::{mpsc, watch};

use crate::config::FabricConfig;
use crate::kafka::{self, BROKER_WAIT};
use crate::platform::{Platform, Reader};
use crate::service::Record;
use crate::store::{Part, Stamp};
use crate::writer::{Assignment, Delivered, Item};

use self::hearing::Hearing;

/// How long to wait before a reader that failed is made anew.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// Reads until told to stop.
pub(crate) async fn run<P: Platform, I: Send + 'static>(
    config: FabricConfig,
    platform: P,
    mut assignment: watch::Receiver<Assignment>,
    records: mpsc::Sender<Item<I>>,
    mut stop: watch::Receiver<bool>,
) {
    let watermarks = Duration::from_millis(config.watermark_idle_millis.into());
    let mut hearing = Hearing::new(watermarks + BROKER_WAIT);
    hear_anew(&mut hearing, &mut assignment, platform.now());
    loop {
        if *stop.borrow() {
            return;
        }
        let outcome = match platform.reader() {
            Ok(reader) => {
                let outcome = tokio::select! {
                    biased;
                    () = crate::fabric::told_to_stop(&mut stop) => Ok(()),
                    outcome = read(&platform, &reader, &mut hearing, &mut assignment, &records) => outcome,
                };
                reader.close();
                outcome
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(%error, "reading from the broker failed; trying again");
                platform.sleep(RETRY_WAIT).await;
            }
        }
    }
}

/// Reads from where the last reader came to, or where the writer says meanwhile.
async fn read<P: Platform, I>(
    platform: &P,
    reader: &P::Reader,
    hearing: &mut Hearing,
    assignment: &mut watch::Receiver<Assignment>,
    records: &mpsc::Sender<Item<I>>,
) -> Result<(), String> {
    hearing.begin(platform.now());
    assign(reader, hearing)?;
    let mut look = std::pin::pin!(platform.sleep(Duration::ZERO));
    let mut asked: Option<BoxFuture<'static, Vec<(Part, i64)>>> = None;
    loop {
        tokio::select! {
            biased;
            changed = assignment.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                hear_anew(hearing, assignment, platform.now());
                assign(reader, hearing)?;
            }
            () = look.as_mut(), if asked.is_none() => {
                look.set(platform.sleep(hearing.look_every()));
                let now = platform.now();
                if records.capacity() == 0 {
                    // The writer does not keep up: what waits behind others is not lost.
                    hearing.begin(now);
                }
                if let Some((topic, partition)) = hearing.deaf_to(now) {
                    metrics::counter!("greenlane_deaf_readers_total").increment(1);
                    return Err(format!("the broker has records of {topic}/{partition} that its client does not give"));
                }
                if let Some((topic, partition)) = hearing.cut_short(now) {
                    metrics::counter!("greenlane_deaf_readers_total").increment(1);
                    return Err(format!("the broker has lost records of {topic}/{partition} that were read; reading on from its end"));
                }
                if hearing.cut_off(now) {
                    return Err("the broker's client gives no record and no answer".into());
                }
                let silent = hearing.silent(now);
                if !silent.is_empty() {
                    asked = Some(reader.ends(silent));
                }
            }
            found = async { Some(asked.as_mut()?.await) }, if asked.is_some() => {
                asked = None;
                hearing.told(found.unwrap_or_default(), platform.now());
            }
            received = reader.next() => {
                let Some(received) = received else {
                    return Err("the stream of records ended".into());
                };
                let (part, offset) = (received.part.clone(), received.kafka_offset);
                if let Some(item) = received.item(platform.now())
                    && records.send(item).await.is_err()
                {
                    return Ok(());
                }
                hearing.heard(&part, offset, platform.now());
            },
        }
    }
}

/// Begins where the writer says.
fn hear_anew(hearing: &mut Hearing, assignment: &mut watch::Receiver<Assignment>, now: Instant) {
    let Assignment::Read(parts) = &*assignment.borrow_and_update();
    hearing.assigned(parts, now);
}

fn assign(reader: &impl Reader, hearing: &Hearing) -> Result<(), String> {
    let next = hearing.next();
    reader.assign(next.map(|(part, next)| (part.clone(), next)).collect())
}

/// A record as the broker gives it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Whence.
    pub part: Part,
    /// Where it stood.
    pub kafka_offset: i64,
    /// The subject.
    pub key: String,
    /// `ce_id`.
    pub event_id: String,
    /// `ce_type`.
    pub event_type: String,
    /// The chain's value after it, as its producer says.
    pub chain: Bytes,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// What it says.
    pub payload: Bytes,
}

impl Received {
    /// What it is to a writer; none if it is no event of its partition.
    pub fn item<I>(self, received_at: Instant) -> Option<Item<I>> {
        if self.event_type == kafka::WATERMARK_TYPE {
            let stamp = stamp(&self.payload, received_at)?;
            let part = self.part;
            return Some(Item::Stamp { part, stamp });
        }
        let (topic, partition) = self.part;
        let (epoch, sequence) = numbers(&topic, partition, &self.event_id)?;
        let record = Record {
            topic,
            partition,
            epoch,
            sequence,
            key: self.key,
            event_id: self.event_id,
            event_type: self.event_type,
            payload: self.payload,
            traceparent: self.traceparent,
        };
        Some(Item::Record(Box::new(Delivered {
            record,
            chain: self.chain,
            kafka_offset: self.kafka_offset,
        })))
    }
}

/// Epoch and sequence of an event id of this partition. A record without a
/// proper one is no event of ours; the sequence shows whether one is missing.
pub(crate) fn numbers(topic: &str, partition: u32, event_id: &str) -> Option<(u64, u64)> {
    let rest = event_id.strip_prefix(&format!("greenlane.{topic}.v1/{partition}/"));
    let numbers = rest.and_then(|rest| {
        let (epoch, sequence) = rest.split_once('/')?;
        Some((epoch.parse().ok()?, sequence.parse().ok()?))
    });
    if numbers.is_none() {
        tracing::warn!(
            topic,
            partition,
            event_id,
            "skipped a record that is no event of this partition"
        );
    }
    numbers
}

fn stamp(payload: &[u8], received_at: Instant) -> Option<Stamp> {
    let watermark = proto::fabric::v1::Watermark::decode(payload).ok()?;
    let stamped = watermark.stamped_at?;
    let stamped_at =
        DateTime::<Utc>::from_timestamp(stamped.seconds, stamped.nanos.unsigned_abs())?;
    Some(Stamp {
        epoch: watermark.epoch,
        acked_seq: watermark.acked_sequence,
        head_seq: watermark.head_sequence,
        stamped_at,
        received_at,
    })
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn an_event_id_gives_its_numbers_only_in_its_own_partition() {
        assert_eq!(
            numbers("gate.site", 3, "greenlane.gate.site.v1/3/1/42"),
            Some((1, 42))
        );
        assert_eq!(
            numbers("gate.site", 4, "greenlane.gate.site.v1/3/1/42"),
            None
        );
        assert_eq!(numbers("gate.site", 3, "greenlane.gate.site.v1/3/1"), None);
    }
}
