//! Everything that is set about the broker's client: topics, producer,
//! consumer, and the headers of a record. It must not know what is sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
use secrecy::ExposeSecret as _;

use crate::config::{FabricConfig, KafkaAccess};
use crate::sequence::{EVENT_BYTES_MAX, PARTITIONS};
use crate::store::Part;
use crate::verify::Published;

/// How long an answer of the broker is waited for.
pub(crate) const BROKER_WAIT: Duration = Duration::from_secs(5);
/// The topic on which consumers ask for records again.
pub(crate) const REWIND_TOPIC: &str = "fabric.rewind";
/// `ce_type` of a watermark.
pub(crate) const WATERMARK_TYPE: &str = "greenlane.fabric.watermark";
/// `ce_type` of a request to send again.
pub(crate) const REWIND_TYPE: &str = "greenlane.fabric.rewind";
/// Largest record: an event, and room for its key, its headers and the broker's own
/// words around it. A broker's default (`message.max.bytes`) is 1,048,588.
const RECORD_BYTES_MAX: usize = EVENT_BYTES_MAX + 100_000;
/// Records that the client holds until they are acknowledged, in kibibytes and in number.
const HELD_KIBIBYTES_MAX: &str = "65536";
const HELD_RECORDS_MAX: &str = "100000";

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
        let losses = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let code = error.rdkafka_error_code();
        let refused = [RDKafkaErrorCode::SSL, RDKafkaErrorCode::Authentication];
        // What nobody but an operator can mend is told, though ever more seldom: the client goes on trying.
        if code.is_some_and(|code| refused.contains(&code)) && losses.is_power_of_two() {
            tracing::error!(%error, reason, "the broker and this service do not accept each other: see fabric.kafka");
        } else {
            tracing::debug!(%error, reason, "the broker's client reports");
        }
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
    show(&config.kafka, &mut client);
    client
}

/// Has a client demand TLS, and show who it is, if that is configured.
fn show(access: &KafkaAccess, client: &mut ClientConfig) {
    let mut name = |setting: &str, file: &Path| {
        let is_set = !file.as_os_str().is_empty();
        if is_set {
            client.set(setting, file.to_string_lossy());
        }
        is_set
    };
    if !name("ssl.ca.location", &access.ca_file) {
        return;
    }
    name("ssl.certificate.location", &access.certificate_file);
    name("ssl.key.location", &access.key_file);
    // That the certificate is the broker's own is the client's default; it is said where it must hold.
    client.set("ssl.endpoint.identification.algorithm", "https");
    if access.user.is_empty() {
        client.set("security.protocol", "ssl");
    } else {
        client
            .set("security.protocol", "sasl_ssl")
            // No SCRAM: this librdkafka says a nonce twice, and brokers since 3.9 refuse that (librdkafka 4895).
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", &access.user)
            .set("sasl.password", access.password.expose_secret());
    }
}

/// Whether clients can be made of the configuration: files that are no certificates are found before anything starts.
pub(crate) fn check(config: &FabricConfig) -> Result<(), KafkaError> {
    client(config).create::<BaseConsumer>().map(drop)
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
        // What the client itself gives up leaves a hole in the topic, before what it had behind it. The relay gives up
        // long before, and with the record all that follow.
        .set("message.timeout.ms", "60000")
        .set("message.max.bytes", RECORD_BYTES_MAX.to_string())
        .set("queue.buffering.max.messages", HELD_RECORDS_MAX)
        .set("queue.buffering.max.kbytes", HELD_KIBIBYTES_MAX)
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
        // What comes is given at once; only a broker that has nothing answers after so long.
        .set("fetch.wait.max.ms", "500")
        .set("fetch.message.max.bytes", RECORD_BYTES_MAX.to_string())
        .set("queued.max.messages.kbytes", "16384")
        .create_with_context(Connection::default())
}

/// Closes a client. That waits for the client's own threads, so it is never done on
/// one that others wait for.
pub(crate) fn close<C: Send + 'static>(client: C) {
    tokio::task::spawn_blocking(move || drop(client));
}

/// Whether the broker takes all but this one record: it is too large, or has a form that
/// the broker does not accept. Sending it again changes nothing.
pub(crate) fn refuses_record(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::MessageBatchTooLarge
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::InvalidTimestamp
                | RDKafkaErrorCode::UnsupportedForMessageFormat
        )
    )
}

/// Whether the client holds as much as it may: wait for acknowledgements.
pub(crate) fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
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
    let results = admin.create_topics(&new, &options).await;
    close(admin);
    for result in results.map_err(|error| error.to_string())? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(format!("{topic}: {code}")),
        }
    }
    Ok(())
}

/// A record that a partition in the broker ends with.
#[derive(Clone, Debug)]
pub struct Tail {
    /// `ce_type`.
    pub event_type: String,
    /// `ce_id`; empty of a watermark.
    pub event_id: String,
    /// The chain's value after it.
    pub chain: Bytes,
    /// What it says.
    pub payload: Bytes,
}

/// The records that each of these partitions ends with, newest first, at most so
/// many of each; nothing for an empty one. Blocks.
pub(crate) fn tails(
    config: &FabricConfig,
    parts: &[Part],
    records_max: i64,
) -> Result<BTreeMap<Part, Vec<Tail>>, String> {
    let mut found: BTreeMap<Part, Vec<Tail>> = BTreeMap::new();
    let until = Instant::now() + 2 * BROKER_WAIT;
    read_to_ends(
        config,
        parts,
        |end| end - records_max,
        |part, message| {
            let tail = Tail {
                event_type: header(message, "ce_type").unwrap_or_default(),
                event_id: header(message, "ce_id").unwrap_or_default(),
                chain: header_bytes(message, "ce_chain"),
                payload: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
            };
            found.entry(part.clone()).or_default().insert(0, tail);
            Instant::now() < until
        },
    )?;
    Ok(found)
}

/// Every event that these partitions hold, in the order of each, until who looks at them has seen enough. Blocks.
pub(crate) fn read_all(
    config: &FabricConfig,
    parts: &[Part],
    mut see: impl FnMut(Published) -> bool,
) -> Result<(), String> {
    read_to_ends(
        config,
        parts,
        |_| 0,
        |part, message| {
            let event_type = header(message, "ce_type").unwrap_or_default();
            let event_id = header(message, "ce_id").unwrap_or_default();
            // Watermarks have no place in a sequence.
            let place = match event_type.as_str() {
                WATERMARK_TYPE => None,
                _ => crate::consumer::numbers(&part.0, part.1, &event_id),
            };
            place.is_none_or(|(epoch, seq)| {
                see(Published {
                    part: part.clone(),
                    epoch,
                    seq,
                    event_id,
                    event_type,
                    key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
                    chain: header_bytes(message, "ce_chain").to_vec(),
                })
            })
        },
    )
}

/// Reads each of these partitions from an offset on (given its end; the first that is kept, if that is beyond) to the
/// end that it has when this begins, unless whoever sees the records has enough. Blocks; gives up when nothing comes
/// any more.
fn read_to_ends(
    config: &FabricConfig,
    parts: &[Part],
    from: impl Fn(i64) -> i64,
    mut see: impl FnMut(&Part, &BorrowedMessage<'_>) -> bool,
) -> Result<(), String> {
    let consumer: BaseConsumer = client(config)
        .set("group.id", "greenlane-unused")
        .set("enable.auto.commit", "false")
        .create()
        .map_err(|error| error.to_string())?;
    let mut ends = BTreeMap::new();
    let mut list = TopicPartitionList::new();
    for part in parts {
        let name = topic_name(&config.topic_prefix, &part.0);
        let partition = part.1.cast_signed();
        let (low, high) = consumer
            .fetch_watermarks(&name, partition, BROKER_WAIT)
            .map_err(|error| format!("{name}/{partition}: {error}"))?;
        if high > low {
            let from = Offset::Offset(low.max(from(high)));
            list.add_partition_offset(&name, partition, from)
                .map_err(|error| error.to_string())?;
            ends.insert(part.clone(), high - 1);
        }
    }
    consumer.assign(&list).map_err(|error| error.to_string())?;
    let mut heard_at = Instant::now();
    while !ends.is_empty() {
        if heard_at.elapsed() > 2 * BROKER_WAIT {
            return Err(format!(
                "the last records of {} of {} partitions did not come",
                ends.len(),
                parts.len()
            ));
        }
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                heard_at = Instant::now();
                let Some(topic) = topic_of(&config.topic_prefix, message.topic()) else {
                    continue;
                };
                let part = (topic, message.partition().unsigned_abs());
                // What came behind the end while this reads is not looked at.
                let Some(end) = ends.get(&part) else { continue };
                if message.offset() >= *end {
                    ends.remove(&part);
                }
                if !see(&part, &message) {
                    return Err("there was no time to read them all".to_owned());
                }
            }
            Some(Err(error)) => tracing::debug!(%error, "reading what the broker has"),
            None => {}
        }
    }
    Ok(())
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
