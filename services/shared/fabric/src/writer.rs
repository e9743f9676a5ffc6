//! The group-commit loop. Commands, records and timers wait in bounded queues;
//! a batch of them is locked, read, decided in order, written and committed at
//! once, and only then are callers answered and the relay told. It must not
//! know what the inputs mean.

mod batch;
mod entry;
mod mend;
mod pace;
mod record;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::Refusal;
use tokio::sync::{mpsc, watch};

use crate::audit::Attempts;
use crate::config::FabricConfig;
use crate::handle::Reply;
use crate::platform::{Platform, Session, Tables, within};
use crate::service::Service;
use crate::store::{self, Head, OutboxRow, Part};

use self::batch::{BatchError, Committed, Fate};
use self::entry::{Entry, Source};
use self::pace::Pace;
use self::record::Record;

pub use self::entry::{Delivered, Item};
pub use self::mend::RetryOutcome;

/// Longest wait between two tries to reach the database.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// A session that has not carried out a batch by then is cut off from the database, whatever TCP thinks.
const BATCH_TIMEOUT: Duration = store::ANSWER_WAIT;
/// So long the database may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a writer looks for partitions that nobody reads any more, and an idle one pings.
const HOUSEKEEPING_EVERY: Duration = Duration::from_millis(200);
/// How long it is kept how statements find their rows.
const PLANS_KEPT: Duration = Duration::from_secs(1);
/// What follows what an earlier input of its batch writes has to wait for another batch. Commands go first, or one would wait
/// for each of a long row of records about the same subject; in one of so many batches records do, or they would wait as
/// long as commands about their subject keep coming. Among themselves records keep their order.
const RECORDS_FIRST_ONE_OF: u64 = 4;

/// What the consumer is told by the writer.
#[derive(Clone, Debug)]
pub enum Assignment {
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

pub(crate) struct Writer<S: Service, P: Platform> {
    service: Arc<S>,
    config: FabricConfig,
    platform: P,
    parts: Vec<Part>,
    links: Links<S::Input>,
    heads: BTreeMap<Part, Head>,
    owned: BTreeMap<Part, i64>,
    deferred: VecDeque<Entry<S::Input>>,
    rewinds_asked: BTreeMap<Part, Instant>,
    /// Producers that say that their heads are below what was applied.
    behind: BTreeMap<Part, mend::Behind>,
    /// When the watermarks of the owned partitions were received, on this process's monotonic clock.
    stamps_received: BTreeMap<Part, Instant>,
    lock_heads: bool,
    record: Record,
    batches_begun: u64,
    pace: Pace,
    kept_house_at: Instant,
    planned_at: Instant,
}

impl<S: Service, P: Platform<Session: Session<S>>> Writer<S, P> {
    pub(crate) fn new(
        service: Arc<S>,
        config: FabricConfig,
        platform: P,
        parts: Vec<Part>,
        links: Links<S::Input>,
        attempts: Option<Attempts>,
    ) -> Self {
        let now = platform.now();
        let record = Record::new(S::NAME, service.produces(), platform.new_id(), attempts);
        Self {
            service,
            config,
            platform,
            parts,
            links,
            heads: BTreeMap::new(),
            owned: BTreeMap::new(),
            deferred: VecDeque::new(),
            rewinds_asked: BTreeMap::new(),
            behind: BTreeMap::new(),
            stamps_received: BTreeMap::new(),
            lock_heads: false,
            record,
            batches_begun: 0,
            pace: Pace::default(),
            kept_house_at: now,
            planned_at: now,
        }
    }

    /// Runs until told to stop and everything in hand is committed.
    pub(crate) async fn run(mut self) {
        let mut db = None;
        let mut last_start = self.platform.now();
        self.keep_house(&mut db).await;
        loop {
            if self.since(self.kept_house_at) >= HOUSEKEEPING_EVERY {
                self.keep_house(&mut db).await;
            }
            let Some(items) = self.collect(last_start).await else {
                break;
            };
            if items.is_empty() && self.deferred.is_empty() {
                continue;
            }
            last_start = self.platform.now();
            self.process(&mut db, items).await;
        }
        if let Some(db) = db {
            db.close().await;
        }
    }

    fn since(&self, then: Instant) -> Duration {
        self.platform.now().saturating_duration_since(then)
    }

    /// Waits for inputs, or until it is time to look after the session. None: stop.
    async fn collect(&mut self, last_start: Instant) -> Option<Vec<Item<S::Input>>> {
        let limit = self.config.batch_inputs_max as usize;
        let mut items = Vec::new();
        let stopping = *self.links.stop.borrow();
        if stopping {
            // Whoever reads next is given them again; callers wait for their answers.
            self.deferred.retain(|entry| !entry.is_record());
        }
        if self.deferred.is_empty() {
            let house_due = HOUSEKEEPING_EVERY.saturating_sub(self.since(self.kept_house_at));
            tokio::select! {
                biased;
                Some(item) = self.links.queue.recv() => items.push(item),
                () = crate::fabric::told_to_stop(&mut self.links.stop) => return None,
                Some(item) = self.links.records.recv() => items.push(item),
                Some(item) = self.links.background.recv() => items.push(item),
                () = self.platform.sleep(house_due) => return Some(items),
            }
        }
        let spacing = Duration::from_micros(self.config.batch_spacing_micros.into());
        let since = self.since(last_start);
        if since < spacing {
            self.platform.sleep(spacing.saturating_sub(since)).await;
        }
        drain(&mut self.links.background, &mut items, 16);
        // Each source has half of the batch for itself; what one leaves the other may take. Of records no more wait for
        // another batch than in the queue.
        let behind = self.deferred.iter().filter(|entry| entry.is_record());
        let full = behind.count() >= self.config.record_queue_max as usize;
        let records = if full || stopping { 0 } else { limit };
        drain(
            &mut self.links.records,
            &mut items,
            records.min(limit / 2 + 1),
        );
        drain(&mut self.links.queue, &mut items, limit);
        drain(&mut self.links.records, &mut items, records);
        Some(items)
    }

    /// Keeps the session alive and takes partitions that nobody reads.
    async fn keep_house(&mut self, db: &mut Option<P::Session>) {
        self.kept_house_at = self.platform.now();
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
        let plans_are_old = self.since(self.planned_at) >= PLANS_KEPT;
        if plans_are_old {
            self.planned_at = self.kept_house_at;
        }
        let kept = async {
            if plans_are_old {
                session.plan_anew().await?;
            }
            if missing.is_empty() {
                return session.ping().await.map(|()| None);
            }
            let taken = session.try_own(&missing).await?;
            if taken.is_empty() {
                return Ok(None);
            }
            session.positions(&taken).await.map(Some)
        };
        let result = within(&self.platform, PING_TIMEOUT, kept).await;
        let silent = || Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
        match result.unwrap_or_else(silent) {
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

    async fn connect(&mut self, db: &mut Option<P::Session>) {
        match self.platform.connect().await {
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
    fn disconnected(&mut self, db: &mut Option<P::Session>, error: &sqlx::Error) {
        tracing::warn!(%error, "lost the database session; connecting again");
        *db = None;
        self.heads.clear();
        self.owned.clear();
        self.stamps_received.clear();
        self.behind.clear();
        let _ = self
            .links
            .assignment
            .send(Assignment::Read(BTreeMap::new()));
        self.links.health.set(
            "database",
            Err(format!("the database does not answer: {error}")),
        );
    }

    async fn process(&mut self, db: &mut Option<P::Session>, items: Vec<Item<S::Input>>) {
        let deferred = self.deferred.drain(..).filter(Entry::is_wanted);
        let mut entries: Vec<Entry<S::Input>> = deferred.collect();
        let (mut stamps, mut overtaken) = (BTreeMap::new(), BTreeSet::new());
        let mut retries = Vec::new();
        for item in items {
            match item {
                Item::Stamp { part, stamp } => {
                    overtaken.remove(&part);
                    stamps.insert(part, stamp);
                }
                Item::Retry { topic, key, reply } => retries.push((topic, key, reply)),
                other => {
                    let entry = self.entry(other);
                    if !entry.is_wanted() {
                        continue;
                    }
                    let behind = |part: &Part| stamps.contains_key(part);
                    overtaken.extend(entry.record_part().filter(behind));
                    entries.push(entry);
                }
            }
        }
        if !entries.is_empty() {
            self.batches_begun = self.batches_begun.wrapping_add(1);
            let commands_go_first = !self.batches_begun.is_multiple_of(RECORDS_FIRST_ONE_OF);
            entries.sort_by_key(|entry| entry.is_command() != commands_go_first);
            let (entries, behind) = self.pace.part(entries);
            self.run_all(db, entries).await;
            self.deferred.extend(behind);
        }
        stamps.retain(|part, _| {
            let waits = |entry: &Entry<S::Input>| entry.record_part().as_ref() == Some(part);
            !self.deferred.iter().any(waits)
        });
        if !stamps.is_empty() {
            self.take_stamps(db, stamps, &overtaken).await;
        }
        for (topic, key, reply) in retries {
            let outcome = self.retry_parked(db, &topic, &key).await;
            let _ = reply.send(outcome);
        }
    }

    /// Commits these inputs, whatever it takes, and answers: in one batch, unless they name too many
    /// subjects for one.
    async fn run_all(&mut self, db: &mut Option<P::Session>, entries: Vec<Entry<S::Input>>) {
        let batches = self.within_lock_limit(entries);
        self.run_in_turn(db, batches).await;
    }

    /// Cuts inputs, in their order, into batches that lock no more than the database's lock table holds.
    fn within_lock_limit(&self, entries: Vec<Entry<S::Input>>) -> Vec<Vec<Entry<S::Input>>> {
        let limit = self.config.batch_subjects_max as usize;
        let mut batches = Vec::new();
        let (mut batch, mut named) = (Vec::new(), 0);
        for entry in entries {
            let subjects = entry
                .input
                .as_ref()
                .map_or(0, |input| self.service.subjects(input).len());
            if named + subjects > limit && !batch.is_empty() {
                batches.push(std::mem::take(&mut batch));
                named = 0;
            }
            named += subjects;
            batch.push(entry);
        }
        batches.push(batch);
        batches
    }

    /// Runs batches one after the other. What follows a record that has to wait, in its partition, waits
    /// behind it.
    async fn run_in_turn(
        &mut self,
        db: &mut Option<P::Session>,
        batches: Vec<Vec<Entry<S::Input>>>,
    ) {
        let mut waiting: BTreeSet<Part> = BTreeSet::new();
        for batch in batches {
            let waits = |entry: &Entry<S::Input>| {
                entry
                    .record_part()
                    .is_some_and(|part| waiting.contains(&part))
            };
            let (behind, batch): (Vec<_>, Vec<_>) = batch.into_iter().partition(waits);
            self.deferred.extend(behind);
            if batch.is_empty() {
                continue;
            }
            let before = self.deferred.len();
            self.run_batch_through(db, batch).await;
            let deferred = self.deferred.iter().skip(before);
            waiting.extend(deferred.filter_map(Entry::record_part));
        }
    }

    async fn run_batch_through(
        &mut self,
        db: &mut Option<P::Session>,
        mut entries: Vec<Entry<S::Input>>,
    ) {
        match self.run_until_decided(db, &mut entries).await {
            Ok(committed) => self.deliver(entries, committed),
            // In halves: what cannot be done is found in few commits, and the others do not wait for one each.
            Err(_) if entries.len() > 1 => {
                tracing::warn!(inputs = entries.len(), "a batch failed; running its halves");
                let rest = entries.split_off(entries.len() / 2);
                Box::pin(self.run_in_turn(db, vec![entries, rest])).await;
            }
            Err(cause) => self.fail_alone(db, entries, cause).await,
        }
    }

    /// A single input that cannot be decided: a record parks its key, a command
    /// is answered with an internal error.
    async fn fail_alone(
        &mut self,
        db: &mut Option<P::Session>,
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
                self.platform.sleep(Duration::from_millis(200)).await;
            }
            Source::Command { reply, .. } => {
                let error_id = self.platform.new_id();
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
            // Whoever waits for an act to be recorded hears that it was not.
            Source::Act { .. } => {
                tracing::error!(%cause, "an operator's act could not be recorded");
            }
            Source::Parked { .. } => {}
        }
    }

    /// Repeats the batch until it is committed or found broken.
    async fn run_until_decided(
        &mut self,
        db: &mut Option<P::Session>,
        entries: &mut [Entry<S::Input>],
    ) -> Result<Committed, String> {
        let mut wait = Duration::from_millis(5);
        loop {
            if db.is_none() {
                self.connect(db).await;
            }
            let Some(session) = db.as_mut() else {
                self.platform.sleep(wait).await;
                wait = (wait * 2).min(RECONNECT_WAIT_MAX);
                continue;
            };
            let started = self.platform.now();
            let platform = self.platform.clone();
            let batch = within(&platform, BATCH_TIMEOUT, self.run_batch(session, entries));
            let outcome = batch.await.unwrap_or_else(|| {
                let silent = std::io::Error::from(std::io::ErrorKind::TimedOut);
                Err(BatchError::Transient(silent.into()))
            });
            match outcome {
                Ok(committed) => {
                    metrics::histogram!("greenlane_batch_inputs").record(entries.len() as f64);
                    metrics::histogram!("greenlane_batch_seconds")
                        .record(self.since(started).as_secs_f64());
                    self.lock_heads = false;
                    return Ok(committed);
                }
                Err(BatchError::HeadsMoved) => {
                    self.heads.clear();
                    self.lock_heads = true;
                    // Perhaps it was the record's: another writer's is elsewhere.
                    self.record.move_on(self.platform.new_id());
                }
                Err(BatchError::Transient(error)) => {
                    metrics::counter!("greenlane_batch_repeats_total").increment(1);
                    let answers = matches!(error, sqlx::Error::Database(_))
                        && within(&self.platform, PING_TIMEOUT, session.ping())
                            .await
                            .is_some_and(|pong| pong.is_ok());
                    if answers {
                        tracing::debug!(%error, "repeating a batch");
                    } else {
                        self.disconnected(db, &error);
                    }
                    self.platform.sleep(wait).await;
                    wait = (wait * 2).min(RECONNECT_WAIT_MAX);
                }
                Err(BatchError::Broken(cause)) => return Err(cause),
            }
        }
    }

    fn deliver(&mut self, entries: Vec<Entry<S::Input>>, committed: Committed) {
        self.record.committed();
        self.heads.extend(committed.heads);
        for (part, offset) in committed.offsets {
            if let Some(owned) = self.owned.get_mut(&part) {
                *owned = offset;
            }
        }
        if !committed.rows.is_empty() {
            // A full channel is no loss: the relay reads what it was not handed.
            let _ = self.links.relay.try_send(committed.rows);
        }
        self.links.committed.send_modify(|count| *count += 1);
        self.pace.learn(
            &entries,
            &committed.fates,
            self.config.batch_inputs_max as usize,
        );
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
                            Source::Act {
                                reply: Some(reply), ..
                            },
                        ..
                    },
                    Fate::Applied,
                ) => {
                    let _ = reply.send(());
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
}

fn drain<T>(queue: &mut mpsc::Receiver<T>, items: &mut Vec<T>, until: usize) {
    while items.len() < until {
        match queue.try_recv() {
            Ok(item) => items.push(item),
            Err(_) => break,
        }
    }
}
