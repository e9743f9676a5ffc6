//! Sends what was committed to the broker, in sequence, and moves the cursor
//! once the broker has it. One relay per service is active: it holds a session
//! lock on the connection on which it moves its cursor. The broker may lose its
//! whole log: at each start and reconnect the relay compares what the broker
//! has last with its own rows and goes back as far as needed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use prost::Message as _;
use rdkafka::consumer::Consumer;
use rdkafka::message::Message as _;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::config::FabricConfig;
use crate::fabric::Health;
use crate::kafka::{self, Connection};
use crate::sequence::{PARTITIONS, event_id, partition_of};
use crate::service::StoreError;
use crate::store::{self, Head, OutboxRow, Part};

/// Rows read at once when the relay was not handed them.
const READ_ROWS_MAX: i64 = 1_000;
/// How long a failed relay waits before it starts again.
const RESTART_WAIT: Duration = Duration::from_millis(300);
/// How often an instance whose relay is not active tries to become it.
const STANDBY_WAIT: Duration = Duration::from_millis(500);
/// How often moved cursors are written.
const CURSOR_EVERY: Duration = Duration::from_millis(50);
/// How often old days are dropped.
const MAINTAIN_EVERY: Duration = Duration::from_secs(3_600);

/// What a relay shares with the rest of the fabric.
pub(crate) struct Links {
    pub committed: mpsc::Receiver<Vec<OutboxRow>>,
    pub rewinds: mpsc::Receiver<(Part, u64)>,
    pub asks: mpsc::Receiver<(Part, u64)>,
    pub health: Health,
    pub stop: watch::Receiver<bool>,
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("cursor: {0}")]
    Store(#[from] StoreError),
    #[error("broker: {0}")]
    Broker(String),
    #[error("{0}")]
    History(String),
}

/// Where the relay is in one partition.
#[derive(Clone, Debug)]
struct Progress {
    epoch: u64,
    /// Handed to the client.
    sent: u64,
    /// Acknowledged without a hole.
    acked: u64,
    /// What the cursor row says.
    written: u64,
    /// What the last watermark said, and when.
    stamped: Option<(u64, u64, Instant)>,
}

/// Relays until told to stop.
pub(crate) async fn run(
    service: &'static str,
    topics: &'static [&'static str],
    config: FabricConfig,
    url: String,
    mut links: Links,
) {
    while !*links.stop.borrow() {
        let outcome = Relay::serve(service, topics, &config, &url, &mut links).await;
        if let Err(error) = outcome {
            let fatal = matches!(error, RelayError::History(_));
            tracing::warn!(%error, "the relay starts again");
            links.health.set(
                if fatal { "history" } else { "broker" },
                Err(error.to_string()),
            );
            let mut stop = links.stop.clone();
            tokio::select! {
                () = tokio::time::sleep(RESTART_WAIT) => {}
                () = crate::fabric::told_to_stop(&mut stop) => {}
            }
        }
    }
}

struct Relay<'a> {
    service: &'static str,
    topics: &'static [&'static str],
    config: &'a FabricConfig,
    db: PgConnection,
    owner: Uuid,
    producer: FutureProducer<Connection>,
    connection: Connection,
    losses: u64,
    progress: BTreeMap<Part, Progress>,
    heads: BTreeMap<Part, Head>,
    lowest: BTreeMap<Part, u64>,
    heads_sum: i64,
    behind: bool,
}

type Delivery = (Part, u64, u64, Result<(), String>);
type InFlight<'a> = FuturesUnordered<futures::future::BoxFuture<'a, Delivery>>;

impl<'a> Relay<'a> {
    async fn serve(
        service: &'static str,
        topics: &'static [&'static str],
        config: &'a FabricConfig,
        url: &str,
        links: &mut Links,
    ) -> Result<(), RelayError> {
        let mut db = store::connect(url).await?;
        loop {
            if store::try_relay(&mut db).await? {
                break;
            }
            // Another instance relays; what was handed over here it reads from the table.
            while links.committed.try_recv().is_ok() {}
            links.health.set("broker", Ok(()));
            tokio::select! {
                () = tokio::time::sleep(STANDBY_WAIT) => {}
                () = crate::fabric::told_to_stop(&mut links.stop) => return Ok(()),
            }
        }
        let connection = Connection::default();
        let producer = kafka::producer(config, connection.clone()).map_err(broker)?;
        let losses = connection.losses();
        let mut relay = Relay {
            service,
            topics,
            config,
            db,
            owner: kernel::new_id(),
            producer,
            connection,
            losses,
            progress: BTreeMap::new(),
            heads: BTreeMap::new(),
            lowest: BTreeMap::new(),
            heads_sum: -1,
            behind: true,
        };
        relay.compare_with_broker().await?;
        links.health.set("broker", Ok(()));
        links.health.set("history", Ok(()));
        let rewinds = RewindReader::start(config, topics, links.stop.clone());
        let result = relay.relay(links, rewinds).await;
        relay.write_cursors().await?;
        let _ = relay.db.close().await;
        result
    }

    /// Creates topics, and finds from where on to send: the cursor, or less if
    /// the broker has lost some; an error if the broker has more than we do.
    async fn compare_with_broker(&mut self) -> Result<(), RelayError> {
        let mut topics = self.topics.to_vec();
        topics.push(kafka::REWIND_TOPIC);
        kafka::create_topics(self.config, &topics)
            .await
            .map_err(RelayError::Broker)?;
        let config = self.config.clone();
        let produced = self.topics;
        let tails = tokio::task::spawn_blocking(move || kafka::tails(&config, produced))
            .await
            .map_err(|error| RelayError::Broker(error.to_string()))?
            .map_err(RelayError::Broker)?;

        let cursors = store::take_cursors(&mut self.db, self.owner).await?;
        self.heads = store::all_heads(&mut self.db).await?;
        self.lowest = store::lowest_kept(&mut self.db).await?;
        for (part, (epoch, cursor)) in cursors {
            let Some(head) = self.heads.get(&part).cloned() else {
                continue;
            };
            let tail = match tails.get(&part) {
                Some(tail) => self.judge_tail(&part, &head, tail).await?,
                None => 0,
            };
            let from = cursor.min(tail);
            if from < cursor {
                tracing::warn!(
                    topic = part.0,
                    partition = part.1,
                    cursor,
                    tail,
                    "the broker lost records; sending them again"
                );
            }
            let progress = Progress {
                epoch,
                sent: from,
                acked: from,
                written: cursor,
                stamped: None,
            };
            self.progress.insert(part, progress);
        }
        self.behind = true;
        Ok(())
    }

    /// The sequence up to which the broker surely has this partition.
    async fn judge_tail(
        &mut self,
        part: &Part,
        head: &Head,
        tail: &kafka::Tail,
    ) -> Result<u64, RelayError> {
        let fork = |what: &str| {
            RelayError::History(format!(
                "{}/{}: the broker has {what} than this database: it is older than what was published; restore a newer backup or declare a new epoch",
                part.0, part.1
            ))
        };
        let (epoch, seq, chain, acked) = if tail.event_type == kafka::WATERMARK_TYPE {
            let mark =
                proto::fabric::v1::Watermark::decode(tail.payload.as_ref()).map_err(|error| {
                    RelayError::Broker(format!("a watermark cannot be read: {error}"))
                })?;
            (
                mark.epoch,
                mark.head_sequence,
                mark.head_chain,
                mark.acked_sequence,
            )
        } else {
            let (epoch, seq) = crate::consumer::numbers(&part.0, part.1, &tail.event_id)
                .ok_or_else(|| {
                    RelayError::Broker(format!("{}/{}: a foreign record is last", part.0, part.1))
                })?;
            (epoch, seq, tail.chain.clone(), seq)
        };
        if epoch > head.epoch || (epoch == head.epoch && seq > head.seq) {
            return Err(fork("more"));
        }
        if epoch < head.epoch {
            return Ok(0);
        }
        let own = if seq == head.seq {
            Some(head.chain.clone())
        } else {
            store::outbox_after(
                &mut self.db,
                &part.0,
                part.1,
                epoch,
                seq.saturating_sub(1),
                1,
            )
            .await?
            .pop()
            .filter(|row| row.seq == seq)
            .map(|row| row.chain)
        };
        if seq > 0 && own.is_some_and(|own| own != chain) {
            return Err(fork("another history"));
        }
        Ok(acked)
    }

    async fn relay(
        &mut self,
        links: &mut Links,
        mut rewinds: RewindReader,
    ) -> Result<(), RelayError> {
        let mut in_flight: InFlight<'_> = FuturesUnordered::new();
        let mut poll =
            tokio::time::interval(Duration::from_millis(self.config.relay_poll_millis.into()));
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut cursor_due = tokio::time::interval(CURSOR_EVERY);
        cursor_due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stamp_due =
            tokio::time::interval(Duration::from_millis(self.config.watermark_millis.into()));
        stamp_due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut maintain = tokio::time::interval(MAINTAIN_EVERY);
        let mut stopping = false;
        loop {
            if self.connection.losses() != self.losses {
                return Err(RelayError::Broker("the connection was lost".into()));
            }
            if self.behind {
                self.send_behind(&mut in_flight).await?;
            }
            if stopping && in_flight.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                Some(delivery) = in_flight.next() => self.delivered(delivery)?,
                Some(rows) = links.committed.recv(), if !stopping => {
                    for row in rows {
                        self.handed(row, &in_flight_room(self.config, &in_flight), &mut in_flight)?;
                    }
                }
                Some((part, from)) = rewinds.requests.recv() => self.rewind(&part, from),
                Some((part, from)) = links.rewinds.recv() => self.rewind(&part, from),
                Some((part, from)) = links.asks.recv() => self.ask(&part, from),
                _ = stamp_due.tick() => self.stamp().await?,
                _ = cursor_due.tick() => self.write_cursors().await?,
                _ = poll.tick() => {
                    let sum = store::heads_sum(&mut self.db).await?;
                    if sum != self.heads_sum {
                        self.heads_sum = sum;
                        self.behind = true;
                    }
                }
                _ = maintain.tick() => {
                    let dropped = store::maintain_outbox(&mut self.db, self.config.outbox_retention_days).await?;
                    if dropped > 0 {
                        self.lowest = store::lowest_kept(&mut self.db).await?;
                    }
                }
                () = crate::fabric::told_to_stop(&mut links.stop), if !stopping => stopping = true,
            }
        }
    }

    /// A row that a writer of this instance has just committed: sent at once if
    /// it is next, otherwise left to be read in order.
    fn handed(
        &mut self,
        row: OutboxRow,
        room: &usize,
        in_flight: &mut InFlight<'_>,
    ) -> Result<(), RelayError> {
        let part = (row.topic.clone(), row.partition);
        let Some(progress) = self.progress.get_mut(&part) else {
            return Ok(());
        };
        if row.epoch == progress.epoch && row.seq == progress.sent + 1 && *room > 0 && !self.behind
        {
            progress.sent = row.seq;
            if let Some(head) = self.heads.get_mut(&part)
                && head.seq < row.seq
            {
                head.seq = row.seq;
                head.chain = row.chain.clone();
            }
            self.send(row, in_flight)
        } else {
            if row.seq > progress.sent {
                self.behind = true;
            }
            Ok(())
        }
    }

    /// Reads and sends what lies between what was sent and the heads.
    async fn send_behind(&mut self, in_flight: &mut InFlight<'_>) -> Result<(), RelayError> {
        self.behind = false;
        self.heads = store::all_heads(&mut self.db).await?;
        let parts: Vec<Part> = self.progress.keys().cloned().collect();
        for part in parts {
            let (Some(progress), Some(head)) = (self.progress.get(&part), self.heads.get(&part))
            else {
                continue;
            };
            if head.seq <= progress.sent {
                continue;
            }
            let room = in_flight_room(self.config, in_flight);
            if room == 0 {
                self.behind = true;
                return Ok(());
            }
            let (epoch, sent) = (progress.epoch, progress.sent);
            let limit = READ_ROWS_MAX.min(i64::try_from(room).unwrap_or(READ_ROWS_MAX));
            let rows =
                store::outbox_after(&mut self.db, &part.0, part.1, epoch, sent, limit).await?;
            for row in rows {
                let Some(progress) = self.progress.get_mut(&part) else {
                    break;
                };
                if row.seq != progress.sent + 1 {
                    if progress.sent == 0
                        || self
                            .lowest
                            .get(&part)
                            .is_some_and(|lowest| row.seq == *lowest)
                    {
                        // What lies below was dropped after its retention.
                        progress.acked = progress.acked.max(row.seq - 1);
                    } else {
                        return Err(RelayError::History(format!(
                            "{}/{}: sequence {} is missing from the outbox",
                            part.0,
                            part.1,
                            progress.sent + 1
                        )));
                    }
                }
                progress.sent = row.seq;
                self.send(row, in_flight)?;
            }
            if self.progress.get(&part).is_some_and(|p| p.sent < head.seq) {
                self.behind = true;
            }
        }
        Ok(())
    }

    fn send(&self, row: OutboxRow, in_flight: &mut InFlight<'_>) -> Result<(), RelayError> {
        let name = kafka::topic_name(&self.config.topic_prefix, &row.topic);
        let id = event_id(&row.topic, row.partition, row.epoch, row.seq);
        let source = format!("/greenlane/{}", self.service);
        let headers = kafka::headers(
            &source,
            &id,
            &row.event_type,
            &row.chain,
            row.traceparent.as_deref(),
        );
        let record = FutureRecord::to(&name)
            .partition(row.partition.cast_signed())
            .key(row.key.as_bytes())
            .payload(row.payload.as_ref())
            .headers(headers);
        let part = (row.topic.clone(), row.partition);
        let (epoch, seq) = (row.epoch, row.seq);
        match self.producer.send_result(record) {
            Ok(delivery) => {
                in_flight.push(Box::pin(async move {
                    let result = match delivery.await {
                        Ok(Ok(_)) => Ok(()),
                        Ok(Err((error, _))) => Err(error.to_string()),
                        Err(_) => Err("the producer was closed".into()),
                    };
                    (part, epoch, seq, result)
                }));
                Ok(())
            }
            Err((error, _)) => Err(broker(error)),
        }
    }

    /// A failed send stops everything: the relay starts again from its cursor.
    fn delivered(&mut self, (part, epoch, seq, result): Delivery) -> Result<(), RelayError> {
        if let Err(error) = result {
            return Err(RelayError::Broker(format!(
                "{}/{} {seq}: {error}",
                part.0, part.1
            )));
        }
        if let Some(progress) = self.progress.get_mut(&part)
            && progress.epoch == epoch
        {
            // Per partition the client acknowledges in the order of sending.
            progress.acked = progress.acked.max(seq);
        }
        Ok(())
    }

    async fn write_cursors(&mut self) -> Result<(), RelayError> {
        let moves: BTreeMap<Part, u64> = self
            .progress
            .iter()
            .filter(|(_, progress)| progress.acked > progress.written)
            .map(|(part, progress)| (part.clone(), progress.acked))
            .collect();
        if moves.is_empty() {
            return Ok(());
        }
        store::move_cursors(&mut self.db, self.owner, &moves).await?;
        for (part, acked) in moves {
            if let Some(progress) = self.progress.get_mut(&part) {
                progress.written = acked;
            }
        }
        Ok(())
    }

    fn rewind(&mut self, part: &Part, from: u64) {
        let lowest = self.lowest.get(part).copied().unwrap_or(1);
        let Some(progress) = self.progress.get_mut(part) else {
            return;
        };
        if from > progress.sent || from == 0 {
            return;
        }
        if from < lowest {
            tracing::error!(
                topic = part.0,
                partition = part.1,
                from,
                lowest,
                "asked to send what is not kept any more: restate it"
            );
            return;
        }
        tracing::info!(
            topic = part.0,
            partition = part.1,
            from,
            "sending again from here"
        );
        metrics::counter!("greenlane_rewinds_total").increment(1);
        progress.sent = from - 1;
        self.behind = true;
    }

    /// Asks another service's relay to send again.
    fn ask(&self, part: &Part, from: u64) {
        let request = proto::fabric::v1::RewindRequest {
            topic: part.0.clone(),
            partition: part.1,
            from_sequence: from,
            asked_by: self.service.to_owned(),
        };
        let key = format!("{}/{}", part.0, part.1);
        let name = kafka::topic_name(&self.config.topic_prefix, kafka::REWIND_TOPIC);
        let payload = request.encode_to_vec();
        let id = kernel::new_id().to_string();
        let record = FutureRecord::to(&name)
            .partition(partition_of(&key).cast_signed())
            .key(&key)
            .payload(&payload)
            .headers(kafka::headers(
                &format!("/greenlane/{}", self.service),
                &id,
                kafka::REWIND_TYPE,
                &[],
                None,
            ));
        if let Err((error, _)) = self.producer.send_result(record) {
            tracing::warn!(%error, "could not ask for missing records; asking again later");
        }
    }

    /// Stamps the partitions that have news, and the idle ones now and then.
    async fn stamp(&mut self) -> Result<(), RelayError> {
        self.write_cursors().await?;
        let heads = store::all_heads(&mut self.db).await?;
        let now = store::clock(&mut self.db).await?;
        let idle = Duration::from_millis(self.config.watermark_idle_millis.into());
        let source = format!("/greenlane/{}", self.service);
        for (part, progress) in &mut self.progress {
            let Some(head) = heads.get(part) else {
                continue;
            };
            let recent = progress.stamped.is_some_and(|(acked, seq, at)| {
                acked == progress.acked && seq == head.seq && at.elapsed() < idle
            });
            if recent {
                continue;
            }
            progress.stamped = Some((progress.acked, head.seq, Instant::now()));
            let mark = proto::fabric::v1::Watermark {
                epoch: progress.epoch,
                acked_sequence: progress.acked,
                head_sequence: head.seq,
                head_chain: head.chain.clone(),
                lowest_kept_sequence: self.lowest.get(part).copied().unwrap_or(1),
                stamped_at: Some(prost_types::Timestamp {
                    seconds: now.timestamp(),
                    nanos: now.timestamp_subsec_nanos().cast_signed(),
                }),
            };
            let name = kafka::topic_name(&self.config.topic_prefix, &part.0);
            let payload = mark.encode_to_vec();
            let record: FutureRecord<'_, str, Vec<u8>> = FutureRecord::to(&name)
                .partition(part.1.cast_signed())
                .payload(&payload)
                .headers(kafka::headers(
                    &source,
                    "",
                    kafka::WATERMARK_TYPE,
                    &[],
                    None,
                ));
            self.producer
                .send_result(record)
                .map_err(|(error, _)| broker(error))?;
        }
        if let Some((error, reason)) = self.producer.client().fatal_error() {
            return Err(RelayError::Broker(format!("{error}: {reason}")));
        }
        Ok(())
    }
}

fn in_flight_room(config: &FabricConfig, in_flight: &InFlight<'_>) -> usize {
    (config.relay_in_flight_max as usize).saturating_sub(in_flight.len())
}

fn broker(error: rdkafka::error::KafkaError) -> RelayError {
    RelayError::Broker(error.to_string())
}

/// Reads requests to send again, from the end of their topic.
struct RewindReader {
    requests: mpsc::Receiver<(Part, u64)>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for RewindReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RewindReader {
    fn start(
        config: &FabricConfig,
        topics: &'static [&'static str],
        mut stop: watch::Receiver<bool>,
    ) -> Self {
        let (sender, requests) = mpsc::channel(64);
        let config = config.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                result = Self::read(&config, topics, &sender) => {
                    if let Err(error) = result {
                        tracing::warn!(error, "requests to send again cannot be read");
                    }
                }
                () = crate::fabric::told_to_stop(&mut stop) => {}
            }
        });
        Self { requests, task }
    }

    async fn read(
        config: &FabricConfig,
        topics: &[&str],
        sender: &mpsc::Sender<(Part, u64)>,
    ) -> Result<(), String> {
        let consumer = kafka::consumer(config, "latest").map_err(|error| error.to_string())?;
        let name = kafka::topic_name(&config.topic_prefix, kafka::REWIND_TOPIC);
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition_offset(&name, partition.cast_signed(), Offset::End)
                .map_err(|error| error.to_string())?;
        }
        consumer.assign(&list).map_err(|error| error.to_string())?;
        let mut stream = consumer.stream();
        while let Some(message) = stream.next().await {
            let Ok(message) = message else { continue };
            let Ok(request) =
                proto::fabric::v1::RewindRequest::decode(message.payload().unwrap_or_default())
            else {
                continue;
            };
            if topics.contains(&request.topic.as_str()) && request.partition < PARTITIONS {
                let _ = sender
                    .send(((request.topic, request.partition), request.from_sequence))
                    .await;
            }
        }
        Ok(())
    }
}
