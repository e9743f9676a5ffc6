//! Reads what the broker holds: every record of the given topics, from the oldest to where each partition ended when
//! this began. It must not judge.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// Says where its partition stands; it is no fact and has no place in the sequence.
const WATERMARK_TYPE: &str = "greenlane.fabric.watermark";
const PARTITIONS: i32 = 8;
const BROKER_WAIT: Duration = Duration::from_secs(10);
const READING_SECONDS_MAX: u64 = 120;

/// A record of a topic, in the order of the partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The topic, as in `gate.site`.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The event's id, `ce_id`.
    pub id: String,
    /// Its type, `ce_type`.
    pub event_type: String,
    /// The record's key.
    pub key: String,
    /// The message.
    pub payload: Vec<u8>,
    /// The chain after it, `ce_chain`.
    pub chain: Vec<u8>,
}

impl Delivered {
    /// Epoch and sequence, as the id says; none if it is no event's id.
    pub fn place(&self) -> Option<(i64, i64)> {
        let prefix = format!("greenlane.{}.v1/{}/", self.topic, self.partition);
        let (epoch, seq) = self.id.strip_prefix(&prefix)?.split_once('/')?;
        Some((epoch.parse().ok()?, seq.parse().ok()?))
    }
}

/// Every record of these topics that is no watermark.
///
/// # Errors
/// The broker does not answer, or gives less than it says that it has.
pub fn read(brokers: &str, topics: &[String]) -> anyhow::Result<Vec<Delivered>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "torture-unused")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut ends: BTreeMap<(String, i32), i64> = BTreeMap::new();
    let mut list = TopicPartitionList::new();
    for topic in topics {
        let name = format!("greenlane.{topic}.v1");
        for partition in 0..PARTITIONS {
            let (low, high) = consumer
                .fetch_watermarks(&name, partition, BROKER_WAIT)
                .with_context(|| format!("{name}/{partition}"))?;
            if high > low {
                list.add_partition_offset(&name, partition, Offset::Offset(low))?;
                ends.insert((name.clone(), partition), high - 1);
            }
        }
    }
    consumer.assign(&list)?;
    let mut delivered = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(READING_SECONDS_MAX);
    while !ends.is_empty() {
        if Instant::now() > deadline {
            bail!("{} partitions were not read to their ends", ends.len());
        }
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            continue;
        };
        let message = message.context("reading the topics")?;
        let part = (message.topic().to_owned(), message.partition());
        let Some(end) = ends.get(&part) else { continue };
        if message.offset() >= *end {
            ends.remove(&part);
        }
        let event_type = text(&message, "ce_type");
        if event_type != WATERMARK_TYPE {
            let topic = part.0.strip_prefix("greenlane.").unwrap_or(&part.0);
            delivered.push(Delivered {
                topic: topic.strip_suffix(".v1").unwrap_or(topic).to_owned(),
                partition: part.1,
                id: text(&message, "ce_id"),
                event_type,
                key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
                payload: message.payload().unwrap_or_default().to_vec(),
                chain: header(&message, "ce_chain"),
            });
        }
    }
    Ok(delivered)
}

fn text(message: &BorrowedMessage<'_>, name: &str) -> String {
    String::from_utf8_lossy(&header(message, name)).into_owned()
}

fn header(message: &BorrowedMessage<'_>, name: &str) -> Vec<u8> {
    message
        .headers()
        .and_then(|headers| headers.iter().find(|header| header.key == name)?.value)
        .unwrap_or_default()
        .to_vec()
}
