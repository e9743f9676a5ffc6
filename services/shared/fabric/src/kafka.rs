//! Everything that is set about the broker's client: topics, producer,
//! consumer, and the headers of a record. It must not know what is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::FutureProducer;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::config::FabricConfig;
use crate::sequence::PARTITIONS;
use crate::store::Part;

/// How long an answer of the broker is waited for.
pub(crate) const BROKER_WAIT: Duration = Duration::from_secs(5);
/// The topic on which consumers ask for records again.
pub(crate) const REWIND_TOPIC: &str = "fabric.rewind";
/// `ce_type` of a watermark.
pub(crate) const WATERMARK_TYPE: &str = "greenlane.fabric.watermark";
/// `ce_type` of a request to send again.
pub(crate) const REWIND_TYPE: &str = "greenlane.fabric.rewind";
/// Largest event, in bytes.
const EVENT_BYTES_MAX: &str = "1000000";

/// The broker's name of a topic: "greenlane.gate.site.v1", with the
/// deployment's prefix before it.
pub fn topic_name(prefix: &str, topic: &str) -> String {
    format!("{prefix}greenlane.{topic}.v1")
}

/// The topic of a broker's name, as [`topic_name`] made it.
pub(crate) fn topic_of(prefix: &str, name: &str) -> Option<String> {
    let topic = name
        .strip_prefix(prefix)?
        .strip_prefix("greenlane.")?
        .strip_suffix(".v1")?;
    Some(topic.to_owned())
}

/// Counts losses of the connection, so that a relay knows when to look again
/// at what the broker still has.
#[derive(Clone, Default)]
pub(crate) struct Connection(Arc<AtomicU64>);

impl Connection {
    pub(crate) fn losses(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ClientContext for Connection {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%error, reason, "the broker's client reports");
    }
}

impl ConsumerContext for Connection {}

fn client(config: &FabricConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "greenlane")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("topic.metadata.propagation.max.ms", "5000")
        .set("socket.keepalive.enable", "true")
        .set("log_level", "2");
    client
}

/// Idempotent, acknowledged by all; a failed send is the relay's to repeat.
pub(crate) fn producer(
    config: &FabricConfig,
    connection: Connection,
) -> Result<FutureProducer<Connection>, KafkaError> {
    client(config)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("message.timeout.ms", "10000")
        .set("message.max.bytes", EVENT_BYTES_MAX)
        .set("queue.buffering.max.messages", "100000")
        .create_with_context(connection)
}

/// Positions are in the database: no groups, no commits.
pub(crate) fn consumer(
    config: &FabricConfig,
    from: &str,
) -> Result<StreamConsumer<Connection>, KafkaError> {
    client(config)
        .set("group.id", "greenlane-unused")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", from)
        .set("fetch.queue.backoff.ms", "2")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.message.max.bytes", EVENT_BYTES_MAX)
        .set("queued.max.messages.kbytes", "16384")
        .create_with_context(Connection::default())
}

/// Creates what is missing of these topics.
pub(crate) async fn create_topics(config: &FabricConfig, topics: &[&str]) -> Result<(), String> {
    let admin: AdminClient<DefaultClientContext> = client(config)
        .create()
        .map_err(|error| format!("no admin client: {error}"))?;
    let names: Vec<String> = topics
        .iter()
        .map(|topic| topic_name(&config.topic_prefix, topic))
        .collect();
    let copies = config.topic_replication.cast_signed();
    let new: Vec<NewTopic<'_>> = names
        .iter()
        .map(|name| {
            NewTopic::new(
                name,
                PARTITIONS.cast_signed(),
                TopicReplication::Fixed(copies),
            )
        })
        .collect();
    let options = AdminOptions::new()
        .operation_timeout(Some(BROKER_WAIT))
        .request_timeout(Some(BROKER_WAIT));
    let results = admin
        .create_topics(&new, &options)
        .await
        .map_err(|error| error.to_string())?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(format!("{topic}: {code}")),
        }
    }
    Ok(())
}

/// The last record of a partition in the broker, if it has any.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    pub event_type: String,
    pub event_id: String,
    pub chain: Bytes,
    pub payload: Bytes,
}

/// The last record of each partition. Blocks.
pub(crate) fn tails(
    config: &FabricConfig,
    topics: &[&str],
) -> Result<BTreeMap<Part, Tail>, String> {
    let consumer: BaseConsumer = client(config)
        .set("group.id", "greenlane-unused")
        .set("enable.auto.commit", "false")
        .create()
        .map_err(|error| error.to_string())?;
    let mut wanted = BTreeMap::new();
    for topic in topics {
        let name = topic_name(&config.topic_prefix, topic);
        for partition in 0..PARTITIONS {
            let (low, high) = consumer
                .fetch_watermarks(&name, partition.cast_signed(), BROKER_WAIT)
                .map_err(|error| format!("{name}/{partition}: {error}"))?;
            if high > low {
                wanted.insert(((*topic).to_owned(), partition), high - 1);
            }
        }
    }
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in &wanted {
        list.add_partition_offset(
            &topic_name(&config.topic_prefix, topic),
            partition.cast_signed(),
            Offset::Offset(*offset),
        )
        .map_err(|error| error.to_string())?;
    }
    consumer.assign(&list).map_err(|error| error.to_string())?;
    let mut found = BTreeMap::new();
    let deadline = std::time::Instant::now() + 2 * BROKER_WAIT;
    while found.len() < wanted.len() {
        if std::time::Instant::now() > deadline {
            return Err(format!(
                "only {} of {} partitions' last records came",
                found.len(),
                wanted.len()
            ));
        }
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                if let Some(topic) = topic_of(&config.topic_prefix, message.topic()) {
                    let tail = Tail {
                        event_type: header(&message, "ce_type").unwrap_or_default(),
                        event_id: header(&message, "ce_id").unwrap_or_default(),
                        chain: header_bytes(&message, "ce_chain"),
                        payload: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
                    };
                    found.insert((topic, message.partition().unsigned_abs()), tail);
                }
            }
            Some(Err(error)) => tracing::debug!(%error, "reading the broker's tails"),
            None => {}
        }
    }
    Ok(found)
}

/// A header's value as text.
pub(crate) fn header(message: &BorrowedMessage<'_>, name: &str) -> Option<String> {
    let headers = message.headers()?;
    let value = headers.iter().find(|header| header.key == name)?.value?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// A header's value; empty if there is none.
pub(crate) fn header_bytes(message: &BorrowedMessage<'_>, name: &str) -> Bytes {
    message
        .headers()
        .and_then(|headers| headers.iter().find(|header| header.key == name)?.value)
        .map(Bytes::copy_from_slice)
        .unwrap_or_default()
}

/// CloudEvents 1.0, binary mode, few headers: each costs.
pub(crate) fn headers(
    source: &str,
    event_id: &str,
    event_type: &str,
    chain: &[u8],
    traceparent: Option<&str>,
) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(6)
        .insert(Header {
            key: "ce_specversion",
            value: Some("1.0"),
        })
        .insert(Header {
            key: "ce_id",
            value: Some(event_id),
        })
        .insert(Header {
            key: "ce_type",
            value: Some(event_type),
        })
        .insert(Header {
            key: "ce_source",
            value: Some(source),
        })
        .insert(Header {
            key: "ce_chain",
            value: Some(chain),
        });
    if let Some(traceparent) = traceparent {
        headers = headers.insert(Header {
            key: "traceparent",
            value: Some(traceparent),
        });
    }
    headers
}
