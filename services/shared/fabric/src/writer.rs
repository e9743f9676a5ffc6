//! The group-commit loop. Commands, records and timers wait in bounded queues;
//! a batch of them is locked, read, decided in order, written and committed at
//! once, and only then are callers answered and the relay told. It must not
//! know what the inputs mean.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kernel::Refusal;
use sqlx::{Connection, PgConnection};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::config::FabricConfig;
use crate::handle::{Command, Reply};
use crate::sequence::{CHAIN_START, chain_after, event_id, partition_of};
use crate::service::{
    Context, Decision, Fact, Knowledge, ParkedKeys, Record, RecordHead, Service, StoreError,
};
use crate::store::{
    self, Answer, BatchWrite, Head, OutboxRow, Parked, Part, Position, Stamp, Written,
};
use crate::subject::{SubjectSet, Subjects};

/// Longest wait between two tries to reach the database.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// How often an idle writer looks for partitions that nobody reads, and pings.
const HOUSEKEEPING_EVERY: Duration = Duration::from_millis(500);
/// How often a consumer that misses records asks for them again.
const REWIND_ASK_EVERY: Duration = Duration::from_secs(1);

/// An input in a writer's queue.
pub(crate) enum Item<I> {
    /// A caller's command.
    Command {
        command: Command<I>,
        reply: oneshot::Sender<Reply>,
        queued_at: Instant,
    },
    /// A record of a consumed partition.
    Record(Box<Delivered>),
    /// A consumed partition's watermark.
    Stamp {
        part: Part,
        stamp: Stamp,
        received_at: Instant,
    },
    /// A timer's input.
    Timer { name: &'static str, input: I },
    /// An operator asks for a key's parked records to be applied.
    Retry {
        topic: String,
        key: String,
        reply: oneshot::Sender<RetryOutcome>,
    },
    /// A record given by hand, outside the sequence: for a service's own tests.
    Given {
        record: Box<Record>,
        reply: oneshot::Sender<Result<(), String>>,
    },
}

impl<I> Item<I> {
    pub(crate) fn command(command: Command<I>, reply: oneshot::Sender<Reply>) -> Self {
        Self::Command {
            command,
            reply,
            queued_at: Instant::now(),
        }
    }
}

/// A record with where it stood in the log.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub record: Record,
    pub chain: Bytes,
    pub kafka_offset: i64,
}

/// What came of a retry.
#[derive(Clone, Debug, Default)]
pub(crate) struct RetryOutcome {
    pub applied: u32,
    pub still_parked: u32,
    pub cause: String,
}

/// What the consumer is told by the writer.
#[derive(Clone, Debug)]
pub(crate) enum Assignment {
    /// Read these partitions, from behind these offsets.
    Read(BTreeMap<Part, i64>),
}

/// What a writer shares with the rest of the fabric.
pub(crate) struct Links<I> {
    pub queue: mpsc::Receiver<Item<I>>,
    pub records: mpsc::Receiver<Item<I>>,
    pub background: mpsc::Receiver<Item<I>>,
    pub committed: Arc<watch::Sender<u64>>,
    pub relay: mpsc::Sender<Vec<OutboxRow>>,
    pub assignment: watch::Sender<Assignment>,
    pub rewinds: mpsc::Sender<(Part, u64)>,
    pub health: crate::fabric::Health,
    pub stop: watch::Receiver<bool>,
}

pub(crate) struct Writer<S: Service> {
    service: Arc<S>,
    config: FabricConfig,
    url: String,
    parts: Vec<Part>,
    links: Links<S::Input>,
    heads: BTreeMap<Part, Head>,
    owned: BTreeMap<Part, i64>,
    deferred: VecDeque<Entry<S::Input>>,
    rewinds_asked: BTreeMap<Part, Instant>,
    lock_heads: bool,
    kept_house_at: Instant,
}

/// One input of a batch, decoded, with where its answer goes.
struct Entry<I> {
    source: Source<I>,
    input: Option<I>,
    traceparent: Option<String>,
    queued_at: Instant,
    cause: Option<String>,
}

enum Source<I> {
    Command {
        party: String,
        request_id: Option<Uuid>,
        fingerprint: [u8; 32],
        reply: Option<oneshot::Sender<Reply>>,
    },
    Record {
        delivered: Box<Delivered>,
    },
    Parked {
        parked: Box<Parked>,
    },
    Given {
        record: Box<Record>,
        reply: Option<oneshot::Sender<Result<(), String>>>,
    },
    Timer {
        name: &'static str,
        marker: std::marker::PhantomData<fn() -> I>,
    },
}

impl<I> Entry<I> {
    fn record_part(&self) -> Option<Part> {
        match &self.source {
            Source::Record { delivered } => Some(part_of(&delivered.record)),
            _ => None,
        }
    }
}

fn part_of(record: &Record) -> Part {
    (record.topic.clone(), record.partition)
}

/// Why a batch was not committed.
enum BatchError {
    /// It passes by itself: repeat the batch whole.
    Transient(sqlx::Error),
    /// Another writer moved a head: read them under lock and repeat.
    HeadsMoved,
    /// Something in it cannot be done: run it again one input at a time.
    Broken(String),
}

impl From<sqlx::Error> for BatchError {
    fn from(error: sqlx::Error) -> Self {
        if store::is_transient(&error) {
            Self::Transient(error)
        } else {
            Self::Broken(error.to_string())
        }
    }
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(error) => error.into(),
            other => Self::Broken(other.to_string()),
        }
    }
}

/// What became of one entry of a committed batch.
enum Fate {
    Answered(Reply),
    Applied,
    Parked(String),
    /// Already applied, or beyond a gap: dropped.
    Dropped,
    Deferred,
}

/// A batch that was committed.
struct Committed {
    fates: Vec<Fate>,
    rows: Vec<OutboxRow>,
    heads: BTreeMap<Part, Head>,
}

impl<S: Service> Writer<S> {
    pub(crate) fn new(
        service: Arc<S>,
        config: FabricConfig,
        url: String,
        parts: Vec<Part>,
        links: Links<S::Input>,
    ) -> Self {
        Self {
            service,
            config,
            url,
            parts,
            links,
            heads: BTreeMap::new(),
            owned: BTreeMap::new(),
            deferred: VecDeque::new(),
            rewinds_asked: BTreeMap::new(),
            lock_heads: false,
            kept_house_at: Instant::now(),
        }
    }

    /// Runs until told to stop and everything in hand is committed.
    pub(crate) async fn run(mut self) {
        let mut db = None;
        let mut last_start = Instant::now();
        self.keep_house(&mut db).await;
        loop {
            if self.kept_house_at.elapsed() >= HOUSEKEEPING_EVERY {
                self.keep_house(&mut db).await;
            }
            let Some(items) = self.collect(last_start).await else {
                break;
            };
            if items.is_empty() && self.deferred.is_empty() {
                continue;
            }
            last_start = Instant::now();
            self.process(&mut db, items).await;
        }
        if let Some(db) = db {
            let _ = db.close().await;
        }
    }

    /// Waits for inputs, or until it is time to look after the session. None: stop.
    async fn collect(&mut self, last_start: Instant) -> Option<Vec<Item<S::Input>>> {
        let limit = self.config.batch_inputs_max as usize;
        let mut items = Vec::new();
        if self.deferred.is_empty() {
            let house_due = HOUSEKEEPING_EVERY.saturating_sub(self.kept_house_at.elapsed());
            tokio::select! {
                biased;
                Some(item) = self.links.queue.recv() => items.push(item),
                Some(item) = self.links.records.recv() => items.push(item),
                Some(item) = self.links.background.recv() => items.push(item),
                () = crate::fabric::told_to_stop(&mut self.links.stop) => return None,
                () = tokio::time::sleep(house_due) => return Some(items),
            }
        }
        let spacing = Duration::from_micros(self.config.batch_spacing_micros.into());
        let since = last_start.elapsed();
        if since < spacing {
            tokio::time::sleep(spacing.saturating_sub(since)).await;
        }
        // Each source has half of the batch for itself; what one leaves the other may take.
        let half = limit / 2 + 1;
        drain(&mut self.links.background, &mut items, 16);
        drain(&mut self.links.records, &mut items, half);
        drain(&mut self.links.queue, &mut items, limit);
        drain(&mut self.links.records, &mut items, limit);
        Some(items)
    }

    /// Keeps the session alive and takes partitions that nobody reads.
    async fn keep_house(&mut self, db: &mut Option<PgConnection>) {
        self.kept_house_at = Instant::now();
        if db.is_none() {
            self.connect(db).await;
        }
        let Some(session) = db.as_mut() else { return };
        let missing: Vec<Part> = self
            .parts
            .iter()
            .filter(|part| !self.owned.contains_key(*part))
            .cloned()
            .collect();
        let result = async {
            if missing.is_empty() {
                return session.ping().await.map(|()| None);
            }
            let taken = store::try_own(session, &missing).await?;
            if taken.is_empty() {
                return Ok(None);
            }
            store::positions(session, &taken).await.map(Some)
        }
        .await;
        match result {
            Ok(None) => {}
            Ok(Some(positions)) => {
                tracing::info!(
                    partitions = positions.len(),
                    "reads these partitions from now on"
                );
                self.owned.extend(
                    positions
                        .into_iter()
                        .map(|(part, position)| (part, position.kafka_offset)),
                );
                let _ = self
                    .links
                    .assignment
                    .send(Assignment::Read(self.owned.clone()));
            }
            Err(error) => self.disconnected(db, &error),
        }
    }

    async fn connect(&mut self, db: &mut Option<PgConnection>) {
        match store::connect(&self.url).await {
            Ok(connection) => {
                *db = Some(connection);
                self.links.health.set("database", Ok(()));
            }
            Err(error) => {
                self.links.health.set(
                    "database",
                    Err(format!("the database does not answer: {error}")),
                );
            }
        }
    }

    /// The session is gone, and with it the right to read partitions.
    fn disconnected(&mut self, db: &mut Option<PgConnection>, error: &sqlx::Error) {
        tracing::warn!(%error, "lost the database session; connecting again");
        *db = None;
        self.heads.clear();
        self.owned.clear();
        let _ = self
            .links
            .assignment
            .send(Assignment::Read(BTreeMap::new()));
        self.links.health.set(
            "database",
            Err(format!("the database does not answer: {error}")),
        );
    }

    async fn process(&mut self, db: &mut Option<PgConnection>, items: Vec<Item<S::Input>>) {
        let mut entries: Vec<Entry<S::Input>> = self.deferred.drain(..).collect();
        let mut stamps = BTreeMap::new();
        let mut retries = Vec::new();
        for item in items {
            match item {
                Item::Stamp {
                    part,
                    stamp,
                    received_at,
                } => {
                    stamps.insert(part, (stamp, received_at));
                }
                Item::Retry { topic, key, reply } => retries.push((topic, key, reply)),
                other => entries.push(self.entry(other)),
            }
        }
        if !entries.is_empty() {
            self.run_all(db, entries).await;
        }
        if !stamps.is_empty() {
            self.take_stamps(db, stamps).await;
        }
        for (topic, key, reply) in retries {
            let outcome = self.retry_parked(db, &topic, &key).await;
            let _ = reply.send(outcome);
        }
    }

    fn entry(&self, item: Item<S::Input>) -> Entry<S::Input> {
        match item {
            Item::Command {
                command,
                reply,
                queued_at,
            } => Entry {
                source: Source::Command {
                    party: command.party,
                    request_id: command.request_id,
                    fingerprint: command.fingerprint,
                    reply: Some(reply),
                },
                input: Some(command.input),
                traceparent: command.traceparent,
                queued_at,
                cause: None,
            },
            Item::Record(delivered) => {
                let (input, cause) = self.decode(&delivered.record);
                let traceparent = delivered.record.traceparent.clone();
                Entry {
                    source: Source::Record { delivered },
                    input,
                    traceparent,
                    queued_at: Instant::now(),
                    cause,
                }
            }
            Item::Given { record, reply } => {
                let (input, cause) = self.decode(&record);
                let traceparent = record.traceparent.clone();
                Entry {
                    source: Source::Given {
                        record,
                        reply: Some(reply),
                    },
                    input,
                    traceparent,
                    queued_at: Instant::now(),
                    cause,
                }
            }
            Item::Timer { name, input } => timer_entry(name, Some(input)),
            // Handled before: they are no inputs.
            Item::Stamp { .. } | Item::Retry { .. } => timer_entry("none", None),
        }
    }

    fn decode(&self, record: &Record) -> (Option<S::Input>, Option<String>) {
        let decoded = std::panic::catch_unwind(AssertUnwindSafe(|| self.service.decode(record)));
        match decoded {
            Ok(Ok(input)) => (Some(input), None),
            Ok(Err(unreadable)) => (None, Some(unreadable.to_string())),
            Err(_) => (None, Some("the service's decoder panicked".into())),
        }
    }

    /// Commits the batch, whatever it takes, and answers.
    async fn run_all(&mut self, db: &mut Option<PgConnection>, mut entries: Vec<Entry<S::Input>>) {
        match self.run_until_decided(db, &mut entries).await {
            Ok(committed) => self.deliver(entries, committed),
            Err(_) if entries.len() > 1 => {
                tracing::warn!(
                    inputs = entries.len(),
                    "a batch failed; running its inputs one at a time"
                );
                let mut stopped: BTreeSet<Part> = BTreeSet::new();
                for entry in entries {
                    if entry
                        .record_part()
                        .is_some_and(|part| stopped.contains(&part))
                    {
                        self.deferred.push_back(entry);
                        continue;
                    }
                    let part = entry.record_part();
                    let before = self.deferred.len();
                    Box::pin(self.run_all(db, vec![entry])).await;
                    if self.deferred.len() > before {
                        stopped.extend(part);
                    }
                }
            }
            Err(cause) => self.fail_alone(db, entries, cause).await,
        }
    }

    /// A single input that cannot be decided: a record parks its key, a command
    /// is answered with an internal error.
    async fn fail_alone(
        &mut self,
        db: &mut Option<PgConnection>,
        mut entries: Vec<Entry<S::Input>>,
        cause: String,
    ) {
        let Some(mut entry) = entries.pop() else {
            return;
        };
        match &mut entry.source {
            Source::Record { .. } if entry.cause.is_none() => {
                entry.cause = Some(cause);
                entry.input = None;
                Box::pin(self.run_all(db, vec![entry])).await;
            }
            Source::Record { delivered } => {
                tracing::error!(event_id = %delivered.record.event_id, %cause, "a record can neither be applied nor parked");
                self.links.health.set("parking", Err(cause));
                self.deferred.push_back(entry);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Source::Command { reply, .. } => {
                let error_id = kernel::new_id();
                tracing::error!(%error_id, %cause, "a command failed");
                let refusal = Refusal::internal(
                    "INTERNAL",
                    format!("something went wrong here; quote the id {error_id}"),
                )
                .with_metadata("error_id", error_id.to_string());
                if let Some(reply) = reply.take() {
                    let _ = reply.send(Reply {
                        outcome: Err(refusal),
                        repeated: false,
                    });
                }
            }
            Source::Given { reply, .. } => {
                if let Some(reply) = reply.take() {
                    let _ = reply.send(Err(cause));
                }
            }
            Source::Timer { name, .. } => {
                tracing::error!(timer = name, %cause, "a timer's input failed")
            }
            Source::Parked { .. } => {}
        }
    }

    /// Repeats the batch until it is committed or found broken.
    async fn run_until_decided(
        &mut self,
        db: &mut Option<PgConnection>,
        entries: &mut [Entry<S::Input>],
    ) -> Result<Committed, String> {
        let mut wait = Duration::from_millis(5);
        loop {
            if db.is_none() {
                self.connect(db).await;
            }
            let Some(session) = db.as_mut() else {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RECONNECT_WAIT_MAX);
                continue;
            };
            let started = Instant::now();
            match self.run_batch(session, entries).await {
                Ok(committed) => {
                    metrics::histogram!("greenlane_batch_inputs").record(entries.len() as f64);
                    metrics::histogram!("greenlane_batch_seconds")
                        .record(started.elapsed().as_secs_f64());
                    self.lock_heads = false;
                    return Ok(committed);
                }
                Err(BatchError::HeadsMoved) => {
                    self.heads.clear();
                    self.lock_heads = true;
                }
                Err(BatchError::Transient(error)) => {
                    metrics::counter!("greenlane_batch_repeats_total").increment(1);
                    if matches!(error, sqlx::Error::Database(_)) && session.ping().await.is_ok() {
                        tracing::debug!(%error, "repeating a batch");
                    } else {
                        self.disconnected(db, &error);
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RECONNECT_WAIT_MAX);
                }
                Err(BatchError::Broken(cause)) => return Err(cause),
            }
        }
    }

    async fn run_batch(
        &mut self,
        db: &mut PgConnection,
        entries: &mut [Entry<S::Input>],
    ) -> Result<Committed, BatchError> {
        let named = self.named(db, entries).await?;
        let mut transaction = db.begin().await?;
        let outcome = self.run_in(&mut transaction, entries, &named).await;
        match outcome {
            Ok(committed) => {
                transaction.commit().await?;
                Ok(committed)
            }
            Err(error) => {
                // A rollback that fails leaves a dead session, which the next use finds.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Every entry's subjects, as far as they can be known before the locks.
    async fn named(
        &self,
        db: &mut PgConnection,
        entries: &[Entry<S::Input>],
    ) -> Result<Vec<Subjects>, BatchError> {
        let mut named: Vec<Subjects> = entries
            .iter()
            .map(|entry| {
                entry
                    .input
                    .as_ref()
                    .map(|input| self.service.subjects(input))
                    .unwrap_or_default()
            })
            .collect();
        self.follow(db, entries, &mut named).await?;
        Ok(named)
    }

    async fn follow(
        &self,
        db: &mut PgConnection,
        entries: &[Entry<S::Input>],
        named: &mut [Subjects],
    ) -> Result<(), BatchError> {
        let (indices, inputs): (Vec<usize>, Vec<&S::Input>) = entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| entry.input.as_ref().map(|input| (index, input)))
            .filter(|(_, input)| self.service.follows(input))
            .unzip();
        if inputs.is_empty() {
            return Ok(());
        }
        let followed = self.service.follow(db, &inputs).await?;
        if followed.len() != indices.len() {
            return Err(BatchError::Broken(format!(
                "follow answered {} times for {} inputs",
                followed.len(),
                indices.len()
            )));
        }
        for (index, subjects) in indices.into_iter().zip(followed) {
            named[index] = std::mem::take(&mut named[index]).and(subjects);
        }
        Ok(())
    }

    async fn run_in(
        &mut self,
        db: &mut PgConnection,
        entries: &[Entry<S::Input>],
        named: &[Subjects],
    ) -> Result<Committed, BatchError> {
        let mut subjects = SubjectSet::default();
        let mut requests = Vec::new();
        let mut parts = BTreeSet::new();
        for (entry, names) in entries.iter().zip(named) {
            subjects.add(names);
            match &entry.source {
                Source::Command {
                    party,
                    request_id: Some(id),
                    ..
                } => {
                    subjects.add_request(party, &id.to_string());
                    requests.push((party.clone(), *id));
                }
                Source::Record { delivered } => {
                    let (topic, partition) = part_of(&delivered.record);
                    subjects.add_position(&topic, partition);
                    parts.insert((topic, partition));
                }
                Source::Parked { parked } => subjects.add_position(&parked.topic, parked.partition),
                _ => {}
            }
        }
        store::lock_subjects(db, &subjects).await?;
        let mut waiting = self.must_wait(db, entries, named).await?;

        let now = store::clock(db).await?;
        let parts: Vec<Part> = parts.into_iter().collect();
        let mut batch = Batch {
            now,
            answers: store::answers(db, &requests).await?,
            fresh: BTreeMap::new(),
            positions: store::positions(db, &parts).await?,
            moved: BTreeSet::new(),
            parked_keys: store::parked_keys(db).await?,
            knowledge: Knowledge::default(),
            parked: Vec::new(),
            unparked: Vec::new(),
            facts: Vec::new(),
            rewinds: Vec::new(),
        };
        if entries
            .iter()
            .filter_map(|e| e.input.as_ref())
            .any(|input| self.service.needs_knowledge(input))
        {
            batch.knowledge = store::knowledge(db).await?;
        }
        let mut state = self.service.load(db, &subjects).await?;
        let mut fates = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let part = entry.record_part();
            if waiting.entries.contains(&index)
                || part
                    .as_ref()
                    .is_some_and(|part| waiting.parts.contains(part))
            {
                waiting.parts.extend(part);
                fates.push(Fate::Deferred);
                continue;
            }
            metrics::histogram!("greenlane_queue_wait_seconds")
                .record(entry.queued_at.elapsed().as_secs_f64());
            fates.push(self.decide(&mut state, &mut batch, entry, index)?);
        }
        self.check_parked_limit(db, &mut batch).await?;

        let write = self.sequence(db, &mut batch).await?;
        self.service.store(db, &state, now).await?;
        if !batch.parked.is_empty() {
            store::park(db, &batch.parked).await?;
        }
        for event_id in &batch.unparked {
            store::unpark(db, event_id).await?;
        }
        match store::write_batch(db, &write, now).await? {
            Written::All => {}
            Written::HeadsMoved => return Err(BatchError::HeadsMoved),
        }
        for (part, from) in batch.rewinds {
            self.ask_rewind(part, from);
        }
        Ok(Committed {
            fates,
            rows: write.outbox,
            heads: write
                .heads
                .into_iter()
                .map(|(part, (_, to))| (part, to))
                .collect(),
        })
    }

    /// Which entries cannot be decided in this batch: those whose subjects grew
    /// since they were named, and those that would have to follow what an
    /// earlier entry of the batch has yet to write.
    async fn must_wait(
        &self,
        db: &mut PgConnection,
        entries: &[Entry<S::Input>],
        named: &[Subjects],
    ) -> Result<Waiting, BatchError> {
        let mut waiting = Waiting::default();
        let follows: Vec<bool> = entries
            .iter()
            .map(|entry| {
                entry
                    .input
                    .as_ref()
                    .is_some_and(|input| self.service.follows(input))
            })
            .collect();
        if !follows.contains(&true) {
            return Ok(waiting);
        }
        let mut again = named.to_vec();
        self.follow(db, entries, &mut again).await?;
        for (index, grown) in again.iter().enumerate() {
            if !follows[index] {
                continue;
            }
            let grew = !named[index].covers(grown);
            let behind = named[..index]
                .iter()
                .any(|earlier| named[index].sees_writes_of(earlier));
            if grew || behind {
                waiting.entries.insert(index);
            }
        }
        Ok(waiting)
    }

    fn decide(
        &self,
        state: &mut S::State,
        batch: &mut Batch,
        entry: &Entry<S::Input>,
        index: usize,
    ) -> Result<Fate, BatchError> {
        match &entry.source {
            Source::Command {
                party,
                request_id,
                fingerprint,
                ..
            } => {
                if let Some(id) = request_id
                    && let Some(answer) = batch.answer(party, *id)
                {
                    return Ok(Fate::Answered(repeated(answer, fingerprint)));
                }
                let decision = self.call(state, batch, entry, None)?;
                let outcome = decision.answer.unwrap_or_else(|| {
                    Err(Refusal::internal(
                        "INTERNAL",
                        "the service decided without an answer",
                    ))
                });
                let answer = Answer::of(fingerprint, &outcome)?;
                let reply = Reply {
                    outcome: answer.outcome(),
                    repeated: false,
                };
                if let Some(id) = request_id {
                    batch.fresh.insert((party.clone(), *id), answer);
                }
                Ok(Fate::Answered(reply))
            }
            Source::Record { delivered } => self.decide_record(state, batch, entry, delivered),
            Source::Parked { parked } => {
                let head = RecordHead {
                    event_id: &parked.event_id,
                    topic: &parked.topic,
                    key: &parked.key,
                    event_type: &parked.event_type,
                    epoch: parked.epoch,
                    sequence: parked.seq,
                };
                self.call(state, batch, entry, Some(head))?;
                batch.unparked.push(parked.event_id.clone());
                Ok(Fate::Applied)
            }
            Source::Given { record, .. } => {
                if let Some(cause) = &entry.cause {
                    return Ok(Fate::Parked(cause.clone()));
                }
                self.call(state, batch, entry, Some(head_of(record)))?;
                Ok(Fate::Applied)
            }
            Source::Timer { .. } if entry.input.is_some() => {
                self.call(state, batch, entry, None)?;
                Ok(Fate::Applied)
            }
            Source::Timer { .. } => {
                tracing::debug!(index, "an empty entry");
                Ok(Fate::Dropped)
            }
        }
    }

    /// Next in sequence and the chain fits: apply. Not beyond: drop. Beyond: a
    /// gap. Another chain: stop.
    fn decide_record(
        &self,
        state: &mut S::State,
        batch: &mut Batch,
        entry: &Entry<S::Input>,
        delivered: &Delivered,
    ) -> Result<Fate, BatchError> {
        let record = &delivered.record;
        let part = part_of(record);
        let Some(position) = batch.positions.get(&part).cloned() else {
            return Err(BatchError::Broken(format!("no position for {part:?}")));
        };
        if position.stopped_because.is_some() {
            return Ok(Fate::Dropped);
        }
        match place(&position, delivered) {
            Place::Known => return Ok(Fate::Dropped),
            Place::Gap => {
                metrics::counter!("greenlane_gaps_total").increment(1);
                batch.rewinds.push((part, position.seq + 1));
                return Ok(Fate::Dropped);
            }
            Place::Fork(why) => {
                tracing::error!(event_id = %record.event_id, why, "the partition's history is another than the one applied; it stops");
                batch.move_to(
                    part,
                    Position {
                        stopped_because: Some(why.to_owned()),
                        ..position
                    },
                );
                return Ok(Fate::Dropped);
            }
            Place::Next => {}
        }
        let cause = match &entry.cause {
            Some(cause) => Some(cause.clone()),
            None if batch.parked_keys.contains(&record.topic, &record.key) => {
                Some("an earlier record of this key is parked".to_owned())
            }
            None => None,
        };
        let fate = match cause {
            Some(cause) => {
                tracing::warn!(event_id = %record.event_id, key = %record.key, %cause, "parked a record");
                batch.park(record, cause.clone());
                Fate::Parked(cause)
            }
            None => {
                self.call(state, batch, entry, Some(head_of(record)))?;
                Fate::Applied
            }
        };
        batch.move_to(
            part,
            Position {
                epoch: record.epoch,
                seq: record.sequence,
                chain: delivered.chain.clone(),
                kafka_offset: delivered.kafka_offset,
                stopped_because: None,
            },
        );
        Ok(fate)
    }

    fn call(
        &self,
        state: &mut S::State,
        batch: &mut Batch,
        entry: &Entry<S::Input>,
        record: Option<RecordHead<'_>>,
    ) -> Result<Decision, BatchError> {
        let Some(input) = &entry.input else {
            return Err(BatchError::Broken("an entry without input".into()));
        };
        let span = crate::trace::decide_span(
            S::NAME,
            entry.traceparent.as_deref(),
            record.map(|r| r.event_type),
        );
        let _entered = span.enter();
        let context = Context {
            now: batch.now,
            ids: &kernel::new_id,
            record,
            parked: &batch.parked_keys,
            knowledge: &batch.knowledge,
        };
        let decided = std::panic::catch_unwind(AssertUnwindSafe(|| {
            self.service.decide(state, input, &context)
        }));
        let mut decision = decided.map_err(|panic| BatchError::Broken(panic_text(&*panic)))?;
        let traceparent = crate::trace::traceparent(&span).or_else(|| entry.traceparent.clone());
        for fact in decision.facts.drain(..) {
            batch.facts.push((fact, traceparent.clone()));
        }
        Ok(decision)
    }

    /// A partition with too many parked keys stops: something is wrong with more
    /// than a few records.
    async fn check_parked_limit(
        &self,
        db: &mut PgConnection,
        batch: &mut Batch,
    ) -> Result<(), BatchError> {
        let parts: BTreeSet<Part> = batch
            .parked
            .iter()
            .map(|p| (p.topic.clone(), p.partition))
            .collect();
        for part in parts {
            let before = store::parked_keys_of(db, &part.0, part.1).await?;
            let added: BTreeSet<&str> = batch
                .parked
                .iter()
                .filter(|p| p.topic == part.0 && p.partition == part.1)
                .map(|p| p.key.as_str())
                .collect();
            if before + added.len() as u64 > u64::from(self.config.parked_keys_max)
                && let Some(position) = batch.positions.get(&part).cloned()
            {
                let why = format!("more than {} keys are parked", self.config.parked_keys_max);
                tracing::error!(
                    topic = part.0,
                    partition = part.1,
                    why,
                    "the partition stops"
                );
                batch.move_to(
                    part,
                    Position {
                        stopped_because: Some(why),
                        ..position
                    },
                );
            }
        }
        Ok(())
    }

    /// Gives the batch's facts their numbers and chain.
    async fn sequence(
        &mut self,
        db: &mut PgConnection,
        batch: &mut Batch,
    ) -> Result<BatchWrite, BatchError> {
        let facts = std::mem::take(&mut batch.facts);
        let needed: BTreeSet<Part> = facts
            .iter()
            .map(|(fact, _)| (fact.topic.to_owned(), partition_of(&fact.key)))
            .filter(|part| !self.heads.contains_key(part) || self.lock_heads)
            .collect();
        if !needed.is_empty() {
            let needed: Vec<Part> = needed.into_iter().collect();
            let loaded = store::heads(db, &needed, self.lock_heads).await?;
            self.heads.extend(loaded);
        }
        let mut write = BatchWrite {
            answers: std::mem::take(&mut batch.fresh),
            ..BatchWrite::default()
        };
        for (fact, traceparent) in facts {
            let part = (fact.topic.to_owned(), partition_of(&fact.key));
            let Some(known) = self.heads.get(&part) else {
                return Err(BatchError::Broken(format!(
                    "the service does not produce {}",
                    fact.topic
                )));
            };
            let (_, head) = write
                .heads
                .entry(part)
                .or_insert_with(|| (known.clone(), known.clone()));
            write
                .outbox
                .push(next_row(head, fact, traceparent, batch.now));
        }
        let moved = std::mem::take(&mut batch.moved);
        for part in moved {
            if let Some(position) = batch.positions.get(&part) {
                write.positions.insert(part, position.clone());
            }
        }
        Ok(write)
    }

    fn deliver(&mut self, entries: Vec<Entry<S::Input>>, committed: Committed) {
        self.heads.extend(committed.heads);
        if !committed.rows.is_empty() {
            // A full channel is no loss: the relay reads what it was not handed.
            let _ = self.links.relay.try_send(committed.rows);
        }
        self.links.committed.send_modify(|count| *count += 1);
        for (entry, fate) in entries.into_iter().zip(committed.fates) {
            match (entry, fate) {
                (entry, Fate::Deferred) => self.deferred.push_back(entry),
                (
                    Entry {
                        source:
                            Source::Command {
                                reply: Some(reply), ..
                            },
                        ..
                    },
                    Fate::Answered(answer),
                ) => {
                    let _ = reply.send(answer);
                }
                (
                    Entry {
                        source:
                            Source::Given {
                                reply: Some(reply), ..
                            },
                        ..
                    },
                    fate,
                ) => {
                    let _ = reply.send(match fate {
                        Fate::Parked(cause) => Err(cause),
                        _ => Ok(()),
                    });
                }
                _ => {}
            }
        }
    }

    /// Keeps watermarks; what a watermark says is acknowledged and was not
    /// applied is lost, and asked for.
    async fn take_stamps(
        &mut self,
        db: &mut Option<PgConnection>,
        stamps: BTreeMap<Part, (Stamp, Instant)>,
    ) {
        let Some(session) = db.as_mut() else { return };
        let parts: Vec<Part> = stamps.keys().cloned().collect();
        let stamps: BTreeMap<Part, Stamp> = stamps
            .into_iter()
            .map(|(part, (stamp, received_at))| {
                (
                    part,
                    Stamp {
                        received_ago: received_at.elapsed(),
                        ..stamp
                    },
                )
            })
            .collect();
        let result = async {
            store::write_stamps(session, &stamps).await?;
            store::positions(session, &parts).await
        }
        .await;
        match result {
            Ok(positions) => {
                for (part, position) in positions {
                    let Some(stamp) = stamps.get(&part) else {
                        continue;
                    };
                    if stamp.epoch == position.epoch
                        && position.seq < stamp.acked_seq
                        && position.stopped_because.is_none()
                    {
                        self.ask_rewind(part, position.seq + 1);
                    } else if stamp.epoch < position.epoch
                        || (stamp.epoch == position.epoch && stamp.head_seq < position.seq)
                    {
                        tracing::error!(
                            topic = part.0,
                            partition = part.1,
                            "the producer's head is below what was applied: its database is older than what it published"
                        );
                        self.links.health.set(
                            "history",
                            Err(format!(
                                "{}/{} was published beyond its producer's head",
                                part.0, part.1
                            )),
                        );
                    }
                }
            }
            Err(error) if store::is_transient(&error) => self.disconnected(db, &error),
            Err(error) => tracing::error!(%error, "watermarks could not be kept"),
        }
    }

    fn ask_rewind(&mut self, part: Part, from_seq: u64) {
        let now = Instant::now();
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
    async fn retry_parked(
        &mut self,
        db: &mut Option<PgConnection>,
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
            let oldest = match store::parked(session, Some(topic), Some(key), None, None, 1).await {
                Ok(mut rows) => rows.pop(),
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
                        let _ = store::parked_again(session, &event_id, &cause).await;
                        let left =
                            store::parked(session, Some(topic), Some(key), None, None, 10_000)
                                .await;
                        outcome.still_parked =
                            left.map_or(1, |rows| u32::try_from(rows.len()).unwrap_or(u32::MAX));
                    }
                    outcome.cause = cause;
                    return outcome;
                }
            }
        }
    }

    async fn apply_parked(
        &mut self,
        db: &mut Option<PgConnection>,
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
            queued_at: Instant::now(),
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

/// Entries that wait for the next batch, and partitions with such an entry.
#[derive(Default)]
struct Waiting {
    entries: BTreeSet<usize>,
    parts: BTreeSet<Part>,
}

/// What a batch has read and gathered beside the service's state.
struct Batch {
    now: DateTime<Utc>,
    answers: BTreeMap<(String, Uuid), Answer>,
    fresh: BTreeMap<(String, Uuid), Answer>,
    positions: BTreeMap<Part, Position>,
    moved: BTreeSet<Part>,
    parked_keys: ParkedKeys,
    knowledge: Knowledge,
    parked: Vec<Parked>,
    unparked: Vec<String>,
    facts: Vec<(Fact, Option<String>)>,
    rewinds: Vec<(Part, u64)>,
}

impl Batch {
    fn answer(&self, party: &str, id: Uuid) -> Option<&Answer> {
        let name = (party.to_owned(), id);
        self.answers.get(&name).or_else(|| self.fresh.get(&name))
    }

    fn move_to(&mut self, part: Part, position: Position) {
        self.moved.insert(part.clone());
        self.positions.insert(part, position);
    }

    fn park(&mut self, record: &Record, cause: String) {
        self.parked_keys
            .0
            .insert((record.topic.clone(), record.key.clone()));
        self.parked.push(Parked {
            event_id: record.event_id.clone(),
            topic: record.topic.clone(),
            partition: record.partition,
            epoch: record.epoch,
            seq: record.sequence,
            key: record.key.clone(),
            event_type: record.event_type.clone(),
            payload: record.payload.clone(),
            traceparent: record.traceparent.clone(),
            cause,
            attempts: 1,
            parked_at: self.now,
        });
    }
}

/// Where a record stands against what was applied.
enum Place {
    Known,
    Next,
    Gap,
    Fork(&'static str),
}

fn place(position: &Position, delivered: &Delivered) -> Place {
    let record = &delivered.record;
    if record.epoch < position.epoch
        || (record.epoch == position.epoch && record.sequence <= position.seq)
    {
        return Place::Known;
    }
    if record.epoch > position.epoch {
        return Place::Fork("a new epoch was declared: restate this topic's facts first");
    }
    if record.sequence > position.seq + 1 {
        return Place::Gap;
    }
    let previous: &[u8] = if position.seq == 0 {
        CHAIN_START
    } else {
        &position.chain
    };
    let expected = chain_after(
        previous,
        &record.event_id,
        &record.event_type,
        &record.key,
        &record.payload,
    );
    if expected == delivered.chain {
        Place::Next
    } else {
        Place::Fork("the chain of the next record does not follow from what was applied")
    }
}

fn head_of(record: &Record) -> RecordHead<'_> {
    RecordHead {
        event_id: &record.event_id,
        topic: &record.topic,
        key: &record.key,
        event_type: &record.event_type,
        epoch: record.epoch,
        sequence: record.sequence,
    }
}

fn next_row(
    head: &mut Head,
    fact: Fact,
    traceparent: Option<String>,
    now: DateTime<Utc>,
) -> OutboxRow {
    let partition = partition_of(&fact.key);
    head.seq += 1;
    let id = event_id(fact.topic, partition, head.epoch, head.seq);
    head.chain = chain_after(&head.chain, &id, fact.event_type, &fact.key, &fact.payload);
    OutboxRow {
        topic: fact.topic.to_owned(),
        partition,
        epoch: head.epoch,
        seq: head.seq,
        key: fact.key,
        event_type: fact.event_type.to_owned(),
        payload: fact.payload.into(),
        chain: head.chain.clone(),
        traceparent,
        recorded_at: now,
    }
}

fn repeated(answer: &Answer, fingerprint: &[u8; 32]) -> Reply {
    if answer.fingerprint == fingerprint {
        return Reply {
            outcome: answer.outcome(),
            repeated: true,
        };
    }
    let refusal = Refusal::invalid(
        "REQUEST_ID_REUSED",
        "this request id was used for another request; give every new request a new UUID",
    );
    Reply {
        outcome: Err(refusal),
        repeated: false,
    }
}

fn timer_entry<I>(name: &'static str, input: Option<I>) -> Entry<I> {
    Entry {
        source: Source::Timer {
            name,
            marker: std::marker::PhantomData,
        },
        input,
        traceparent: None,
        queued_at: Instant::now(),
        cause: None,
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("a decision panicked: {text}")
}

fn drain<T>(queue: &mut mpsc::Receiver<T>, items: &mut Vec<T>, until: usize) {
    while items.len() < until {
        match queue.try_recv() {
            Ok(item) => items.push(item),
            Err(_) => break,
        }
    }
}
