//! The real platform: PostgreSQL, Kafka and this machine's clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use sqlx::PgConnection;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::audit::{Signed, Signer};
use crate::config::FabricConfig;
use crate::kafka::{self, BROKER_WAIT, Connection, Tail};
use crate::relay;
use crate::service::{Knowledge, ParkedKeys, Service, StoreError};
use crate::store::{
    self, Answer, BatchWrite, Head, News, OutboxRow, Parked, Part, Position, Stamp, Stamped,
    Written,
};
use crate::subject::{SubjectSet, Subjects};

use super::{Outgoing, Platform, Producer, Reader, Received, SendError, Session, Tables};

/// How long the broker may take to acknowledge a record.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// After so long the broker's client finds the leaders by itself.
const LEADER_WAIT: Duration = Duration::from_secs(1);

/// A database and a broker, by their addresses.
#[derive(Clone)]
pub(crate) struct Servers {
    config: Arc<FabricConfig>,
    url: Arc<str>,
    signer: Option<Arc<Signer>>,
}

impl Servers {
    pub(crate) fn at(config: &FabricConfig, url: &str, signer: Option<Signer>) -> Self {
        Self {
            config: Arc::new(config.clone()),
            url: url.into(),
            signer: signer.map(Arc::new),
        }
    }
}

impl Platform for Servers {
    type Session = PgConnection;
    type Producer = Client;
    type Reader = Consumption;

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        store::connect(&self.url).await
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, wait: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(wait)
    }

    fn new_id(&self) -> Uuid {
        kernel::new_id()
    }

    fn sign(&self, message: &[u8]) -> Option<Signed> {
        Some(self.signer.as_ref()?.sign(message))
    }

    async fn create_topics(&self, topics: &[&'static str]) -> Result<(), String> {
        kafka::create_topics(&self.config, topics).await
    }

    async fn tails(
        &self,
        parts: Vec<Part>,
        records_max: i64,
    ) -> Result<BTreeMap<Part, Vec<Tail>>, String> {
        let config = Arc::clone(&self.config);
        tokio::task::spawn_blocking(move || kafka::tails(&config, &parts, records_max))
            .await
            .map_err(|error| error.to_string())?
    }

    fn producer(&self, service: &'static str) -> Result<Client, String> {
        let connection = Connection::default();
        let producer = kafka::producer(&self.config, connection.clone());
        Ok(Client {
            producer: producer.map_err(|error| error.to_string())?,
            connection,
            topic_prefix: self.config.topic_prefix.clone(),
            source: format!("/greenlane/{service}"),
        })
    }

    fn rewind_requests(&self, topics: &'static [&'static str]) -> mpsc::Receiver<(Part, u64)> {
        relay::rewind::requests(&self.config, topics)
    }

    async fn ask_rewinds(
        &self,
        service: &'static str,
        asks: mpsc::Receiver<(Part, u64)>,
        stop: watch::Receiver<bool>,
    ) {
        relay::rewind::ask(service, FabricConfig::clone(&self.config), asks, stop).await;
    }

    fn reader(&self) -> Result<Consumption, String> {
        let consumer = kafka::consumer(&self.config, "earliest");
        Ok(Consumption {
            consumer: Arc::new(consumer.map_err(|error| error.to_string())?),
            config: Arc::clone(&self.config),
        })
    }
}

impl Tables for PgConnection {
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        store::begin(self).await
    }

    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        store::commit(self).await
    }

    async fn rollback(&mut self) {
        let _ = store::rollback(self).await;
    }

    async fn ping(&mut self) -> Result<(), sqlx::Error> {
        sqlx::Connection::ping(self).await
    }

    async fn plan_anew(&mut self) -> Result<(), sqlx::Error> {
        store::plan_anew(self).await
    }

    async fn close(self) {
        let _ = sqlx::Connection::close(self).await;
    }

    async fn clock(&mut self) -> Result<DateTime<Utc>, sqlx::Error> {
        store::clock(self).await
    }

    async fn lock_subjects(&mut self, subjects: &SubjectSet) -> Result<(), sqlx::Error> {
        store::lock_subjects(self, subjects).await
    }

    async fn answers(
        &mut self,
        requests: &[(String, Uuid)],
    ) -> Result<BTreeMap<(String, Uuid), Answer>, sqlx::Error> {
        store::answers(self, requests).await
    }

    async fn positions(&mut self, parts: &[Part]) -> Result<BTreeMap<Part, Position>, sqlx::Error> {
        store::positions(self, parts).await
    }

    async fn parked_keys(&mut self) -> Result<ParkedKeys, sqlx::Error> {
        store::parked_keys(self).await
    }

    async fn parked_keys_of(&mut self, part: &Part) -> Result<u64, sqlx::Error> {
        store::parked_keys_of(self, &part.0, part.1).await
    }

    async fn parked_of_key(&mut self, topic: &str, key: &str) -> Result<u32, sqlx::Error> {
        store::parked_of_key(self, topic, key).await
    }

    async fn oldest_parked(
        &mut self,
        topic: &str,
        key: &str,
    ) -> Result<Option<Parked>, sqlx::Error> {
        let mut rows = store::parked(self, Some(topic), Some(key), None, None, 1).await?;
        Ok(rows.pop())
    }

    async fn knowledge(&mut self) -> Result<Knowledge, sqlx::Error> {
        store::knowledge(self).await
    }

    async fn heads(
        &mut self,
        parts: &[Part],
        lock: bool,
    ) -> Result<BTreeMap<Part, Head>, sqlx::Error> {
        store::heads(self, parts, lock).await
    }

    async fn park(&mut self, records: &[Parked]) -> Result<(), StoreError> {
        store::park(self, records).await
    }

    async fn unpark(&mut self, event_id: &str) -> Result<(), StoreError> {
        store::unpark(self, event_id).await
    }

    async fn parked_again(&mut self, event_id: &str, cause: &str) -> Result<(), sqlx::Error> {
        store::parked_again(self, event_id, cause).await
    }

    async fn write_batch(
        &mut self,
        write: &BatchWrite,
        now: DateTime<Utc>,
    ) -> Result<Written, StoreError> {
        store::write_batch(self, write, now).await
    }

    async fn try_own(&mut self, parts: &[Part]) -> Result<Vec<Part>, sqlx::Error> {
        store::try_own(self, parts).await
    }

    async fn write_stamps(
        &mut self,
        stamps: &BTreeMap<Part, Stamp>,
    ) -> Result<BTreeMap<Part, Stamped>, sqlx::Error> {
        store::write_stamps(self, stamps).await
    }

    async fn stop_partition(
        &mut self,
        part: &Part,
        at: &Position,
        why: &str,
    ) -> Result<(), sqlx::Error> {
        store::stop_partition(self, part, at, why).await
    }

    async fn try_relay(&mut self) -> Result<bool, sqlx::Error> {
        store::try_relay(self).await
    }

    async fn take_cursors(
        &mut self,
        owner: Uuid,
    ) -> Result<BTreeMap<Part, (u64, u64)>, sqlx::Error> {
        store::take_cursors(self, owner).await
    }

    async fn move_cursors(
        &mut self,
        owner: Uuid,
        moves: &BTreeMap<Part, (u64, u64)>,
    ) -> Result<(), StoreError> {
        store::move_cursors(self, owner, moves).await
    }

    async fn all_heads(&mut self) -> Result<BTreeMap<Part, Head>, sqlx::Error> {
        store::all_heads(self).await
    }

    async fn accompanied(&mut self) -> Result<bool, sqlx::Error> {
        store::accompanied(self).await
    }

    async fn news(&mut self) -> Result<News, sqlx::Error> {
        store::news(self).await
    }

    async fn take_republish(&mut self, owner: Uuid) -> Result<BTreeMap<Part, u64>, sqlx::Error> {
        store::take_republish(self, owner).await
    }

    async fn outbox_after(
        &mut self,
        part: &Part,
        epoch: u64,
        after_seq: u64,
        rows_max: usize,
    ) -> Result<Vec<OutboxRow>, sqlx::Error> {
        let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
        store::outbox_after(self, &part.0, part.1, epoch, after_seq, rows_max).await
    }

    async fn lowest_kept(&mut self) -> Result<BTreeMap<Part, u64>, sqlx::Error> {
        store::lowest_kept(self).await
    }
}

impl<S: Service> Session<S> for PgConnection {
    fn follow(
        &mut self,
        service: &S,
        inputs: &[&S::Input],
    ) -> impl Future<Output = Result<Vec<Subjects>, sqlx::Error>> + Send {
        service.follow(self, inputs)
    }

    fn load(
        &mut self,
        service: &S,
        subjects: &SubjectSet,
    ) -> impl Future<Output = Result<S::State, sqlx::Error>> + Send {
        service.load(self, subjects)
    }

    fn store(
        &mut self,
        service: &S,
        state: &S::State,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        service.store(self, state, now)
    }
}

/// A client of the real broker.
pub(crate) struct Client {
    producer: FutureProducer<Connection>,
    connection: Connection,
    topic_prefix: String,
    source: String,
}

impl Producer for Client {
    type Ack = BoxFuture<'static, Result<(), SendError>>;

    fn send(&self, record: &Outgoing<'_>) -> Result<Self::Ack, SendError> {
        let name = kafka::topic_name(&self.topic_prefix, record.topic);
        let headers = kafka::headers(
            &self.source,
            record.event_id,
            record.event_type,
            record.chain,
            record.traceparent,
        );
        let mut sent: FutureRecord<'_, str, [u8]> = FutureRecord::to(&name)
            .partition(record.partition.cast_signed())
            .payload(record.payload)
            .headers(headers);
        sent.key = record.key;
        let delivery = self
            .producer
            .send_result(sent)
            .map_err(|(error, _)| not_sent(&error))?;
        let ack = async move {
            match tokio::time::timeout(ACK_WAIT, delivery).await {
                Ok(Ok(Ok(_))) => Ok(()),
                Ok(Ok(Err((error, _)))) => Err(not_sent(&error)),
                Ok(Err(_)) => Err(not_sent(&KafkaError::Canceled)),
                Err(_) => Err(not_sent(&KafkaError::MessageProduction(
                    RDKafkaErrorCode::MessageTimedOut,
                ))),
            }
        };
        Ok(ack.boxed())
    }

    fn losses(&self) -> u64 {
        self.connection.losses()
    }

    fn fatal_error(&self) -> Option<String> {
        let (error, reason) = self.producer.client().fatal_error()?;
        Some(format!("{error}: {reason}"))
    }

    fn close(self) {
        kafka::close(self.producer);
    }
}

/// A consumer of the real broker.
pub(crate) struct Consumption {
    consumer: Arc<StreamConsumer<Connection>>,
    config: Arc<FabricConfig>,
}

impl Reader for Consumption {
    fn assign(&self, from: BTreeMap<Part, i64>) -> Result<(), String> {
        let name = |topic: &str| kafka::topic_name(&self.config.topic_prefix, topic);
        let topics: BTreeSet<String> = from.keys().map(|(topic, _)| name(topic)).collect();
        let offsets: HashMap<(String, i32), Offset> = from
            .into_iter()
            .map(|((topic, partition), next)| {
                let offset = match next {
                    0 => Offset::Beginning,
                    next => Offset::Offset(next),
                };
                ((name(&topic), partition.cast_signed()), offset)
            })
            .collect();
        let list = TopicPartitionList::from_topic_map(&offsets).unwrap_or_default();
        self.consumer
            .assign(&list)
            .map_err(|error| error.to_string())?;
        let consumer = Arc::clone(&self.consumer);
        tokio::task::spawn_blocking(move || find_leaders(&consumer, topics));
        Ok(())
    }

    async fn next(&self) -> Option<Received> {
        loop {
            match self.consumer.recv().await {
                Ok(message) => {
                    if let Some(received) = received(&self.config, &message) {
                        return Some(received);
                    }
                }
                // Passes by itself: librdkafka goes on connecting.
                Err(error) => tracing::debug!(%error, "the broker's client reports"),
            }
        }
    }

    fn ends(&self, parts: Vec<Part>) -> BoxFuture<'static, Vec<(Part, i64)>> {
        let (config, consumer) = (Arc::clone(&self.config), Arc::clone(&self.consumer));
        let asked = tokio::task::spawn_blocking(move || ends(&config, &consumer, parts));
        async move { asked.await.unwrap_or_default() }.boxed()
    }

    fn close(self) {
        kafka::close(self.consumer);
    }
}

/// Asks who leads these topics: of one that is new to it the broker's client asks by itself only once a second. Blocks.
fn find_leaders(consumer: &StreamConsumer<Connection>, topics: BTreeSet<String>) {
    for topic in topics {
        if let Err(error) = consumer.fetch_metadata(Some(&topic), LEADER_WAIT) {
            tracing::debug!(%error, "the broker does not say who leads its partitions");
            break;
        }
    }
}

/// Asking on behind the first that is not answered would take as long for each of them. Blocks.
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

fn received(config: &FabricConfig, message: &BorrowedMessage<'_>) -> Option<Received> {
    let topic = kafka::topic_of(&config.topic_prefix, message.topic())?;
    Some(Received {
        part: (topic, message.partition().unsigned_abs()),
        kafka_offset: message.offset(),
        key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
        event_id: kafka::header(message, "ce_id").unwrap_or_default(),
        event_type: kafka::header(message, "ce_type").unwrap_or_default(),
        chain: kafka::header_bytes(message, "ce_chain"),
        traceparent: kafka::header(message, "traceparent"),
        payload: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
    })
}

fn not_sent(error: &KafkaError) -> SendError {
    if kafka::is_full(error) {
        SendError::Full
    } else if kafka::refuses_record(error) {
        SendError::Refused(error.to_string())
    } else {
        SendError::Failed(error.to_string())
    }
}
