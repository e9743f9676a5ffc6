//! Reads the partitions that a writer owns and hands their records to it, in
//! order. It keeps no positions: those are in the database, with the effects.
//! The broker's client can stop giving one partition's records, for good and
//! without a word, when a broker comes back or a leader moves; so every reader
//! looks after the partitions of which nothing comes.

mod hearing;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use prost::Message as _;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::FabricConfig;
use crate::kafka::{self, BROKER_WAIT, Connection};
use crate::service::Record;
use crate::store::{Part, Stamp};
use crate::writer::{Assignment, Delivered, Item};

use self::hearing::Hearing;

/// How long to wait before a reader that failed is made anew.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// Reads until told to stop.
pub(crate) async fn run<I: Send + 'static>(
    config: FabricConfig,
    mut assignment: watch::Receiver<Assignment>,
    records: mpsc::Sender<Item<I>>,
    mut stop: watch::Receiver<bool>,
) {
    let watermarks = Duration::from_millis(config.watermark_idle_millis.into());
    let mut hearing = Hearing::new(watermarks + BROKER_WAIT);
    hear_anew(&mut hearing, &mut assignment);
    loop {
        if *stop.borrow() {
            return;
        }
        let outcome = match kafka::consumer(&config, "earliest") {
            Ok(consumer) => {
                let consumer = Arc::new(consumer);
                let outcome = tokio::select! {
                    outcome = read(&config, &consumer, &mut hearing, &mut assignment, &records) => outcome,
                    () = crate::fabric::told_to_stop(&mut stop) => Ok(()),
                };
                kafka::close(consumer);
                outcome
            }
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(%error, "reading from the broker failed; trying again");
                tokio::time::sleep(RETRY_WAIT).await;
            }
        }
    }
}

/// Reads from where the last reader came to, or where the writer says meanwhile.
async fn read<I>(
    config: &FabricConfig,
    consumer: &Arc<StreamConsumer<Connection>>,
    hearing: &mut Hearing,
    assignment: &mut watch::Receiver<Assignment>,
    records: &mpsc::Sender<Item<I>>,
) -> Result<(), String> {
    hearing.begin(Instant::now());
    assign(config, consumer, hearing)?;
    let mut stream = consumer.stream();
    let mut look = tokio::time::interval(hearing.look_every());
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut asked: Option<JoinHandle<Vec<(Part, i64)>>> = None;
    loop {
        tokio::select! {
            changed = assignment.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                hear_anew(hearing, assignment);
                assign(config, consumer, hearing)?;
            }
            _ = look.tick(), if asked.is_none() => {
                let now = Instant::now();
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
                    let (config, consumer) = (config.clone(), Arc::clone(consumer));
                    asked = Some(tokio::task::spawn_blocking(move || ends(&config, &consumer, silent)));
                }
            }
            found = async { asked.as_mut()?.await.ok() }, if asked.is_some() => {
                asked = None;
                hearing.told(found.unwrap_or_default(), Instant::now());
            }
            message = stream.next() => match message {
                Some(Ok(message)) => {
                    if let Some(item) = item(config, &message)
                        && records.send(item).await.is_err()
                    {
                        return Ok(());
                    }
                    if let Some(topic) = kafka::topic_of(&config.topic_prefix, message.topic()) {
                        let part = (topic, message.partition().unsigned_abs());
                        hearing.heard(&part, message.offset(), Instant::now());
                    }
                }
                // Passes by itself: librdkafka goes on connecting.
                Some(Err(error)) => tracing::debug!(%error, "the broker's client reports"),
                None => return Err("the stream of records ended".into()),
            },
        }
    }
}

/// Begins where the writer says.
fn hear_anew(hearing: &mut Hearing, assignment: &mut watch::Receiver<Assignment>) {
    let Assignment::Read(parts) = &*assignment.borrow_and_update();
    hearing.assigned(parts, Instant::now());
}

fn assign(
    config: &FabricConfig,
    consumer: &StreamConsumer<Connection>,
    hearing: &Hearing,
) -> Result<(), String> {
    consumer
        .assign(&wanted(config, hearing))
        .map_err(|error| error.to_string())
}

/// The offsets behind the last records that the broker has of these partitions, up to the first
/// of which it says nothing: asking on would take as long for each of them. Blocks.
fn ends(
    config: &FabricConfig,
    consumer: &StreamConsumer<Connection>,
    parts: Vec<Part>,
) -> Vec<(Part, i64)> {
    let mut ends = Vec::new();
    for part in parts {
        let name = kafka::topic_name(&config.topic_prefix, &part.0);
        match consumer.fetch_watermarks(&name, part.1.cast_signed(), BROKER_WAIT) {
            Ok((_, end)) => ends.push((part, end)),
            Err(error) => {
                tracing::debug!(%error, "the broker does not say how far its partitions go");
                break;
            }
        }
    }
    ends
}

fn wanted(config: &FabricConfig, hearing: &Hearing) -> TopicPartitionList {
    let offsets: HashMap<(String, i32), Offset> = hearing
        .next()
        .map(|((topic, partition), next)| {
            let offset = match next {
                0 => Offset::Beginning,
                next => Offset::Offset(next),
            };
            (
                (
                    kafka::topic_name(&config.topic_prefix, topic),
                    partition.cast_signed(),
                ),
                offset,
            )
        })
        .collect();
    TopicPartitionList::from_topic_map(&offsets).unwrap_or_default()
}

fn item<I>(config: &FabricConfig, message: &BorrowedMessage<'_>) -> Option<Item<I>> {
    let topic = kafka::topic_of(&config.topic_prefix, message.topic())?;
    let partition = message.partition().unsigned_abs();
    let event_type = kafka::header(message, "ce_type").unwrap_or_default();
    let payload = message.payload().unwrap_or_default();
    if event_type == kafka::WATERMARK_TYPE {
        let stamp = stamp(payload)?;
        return Some(Item::Stamp {
            part: (topic, partition),
            stamp,
        });
    }
    let event_id = kafka::header(message, "ce_id").unwrap_or_default();
    let (epoch, sequence) = numbers(&topic, partition, &event_id)?;
    let record = Record {
        topic,
        partition,
        epoch,
        sequence,
        key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
        event_id,
        event_type,
        payload: Bytes::copy_from_slice(payload),
        traceparent: kafka::header(message, "traceparent"),
    };
    Some(Item::Record(Box::new(Delivered {
        record,
        chain: kafka::header_bytes(message, "ce_chain"),
        kafka_offset: message.offset(),
    })))
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

fn stamp(payload: &[u8]) -> Option<Stamp> {
    let watermark = proto::fabric::v1::Watermark::decode(payload).ok()?;
    let stamped = watermark.stamped_at?;
    let stamped_at =
        DateTime::<Utc>::from_timestamp(stamped.seconds, stamped.nanos.unsigned_abs())?;
    Some(Stamp {
        epoch: watermark.epoch,
        acked_seq: watermark.acked_sequence,
        head_seq: watermark.head_sequence,
        stamped_at,
        received_at: Instant::now(),
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
