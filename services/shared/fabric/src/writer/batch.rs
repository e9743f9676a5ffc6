//! One batch, in one transaction: lock, read, decide in order, number, write.
//! Nothing of it is kept if the commit fails.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;

use chrono::{DateTime, Utc};
use kernel::Refusal;
use uuid::Uuid;

use crate::audit::{self, AUDIT_TYPE, Commanded, Entries};
use crate::handle::Reply;
use crate::platform::{Platform, Session, Tables as _};
use crate::restate::{EpochRecord, Unnumbered, next_row};
use crate::sequence::{CHAIN_START, EVENT_BYTES_MAX, chain_after, partition_of};
use crate::service::{
    Context, Decision, Fact, Knowledge, ParkedKeys, Record, RecordHead, Service, StoreError,
};
use crate::store::{
    self, Answer, AuditRow, BatchWrite, Head, OutboxRow, Parked, Part, Position, Written,
};
use crate::subject::{SubjectSet, Subjects};

use super::Writer;
use super::entry::{Delivered, Entry, Source, part_of};

/// Why a batch was not committed.
pub(super) enum BatchError {
    /// It passes by itself: repeat the batch whole.
    Transient(sqlx::Error),
    /// Another writer moved a head: read them under lock and repeat.
    HeadsMoved,
    /// Something in it cannot be done: run it again in halves.
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
pub(super) enum Fate {
    Answered(Reply),
    Applied,
    Parked(String),
    /// Already applied, or beyond a gap: dropped.
    Dropped,
    Deferred,
}

/// A batch that was committed.
pub(super) struct Committed {
    pub fates: Vec<Fate>,
    pub rows: Vec<OutboxRow>,
    pub heads: BTreeMap<Part, Head>,
    /// Where in the log the positions that moved now stand.
    pub offsets: Vec<(Part, i64)>,
}

impl<S: Service, P: Platform<Session: Session<S>>> Writer<S, P> {
    pub(super) async fn run_batch(
        &mut self,
        db: &mut P::Session,
        entries: &mut [Entry<S::Input>],
    ) -> Result<Committed, BatchError> {
        let named = self.named(db, entries).await?;
        db.begin().await?;
        let outcome = self.run_in(db, entries, &named).await;
        match outcome {
            Ok(committed) => {
                let started = self.platform.now();
                if let Err(error) = db.commit().await {
                    db.rollback().await;
                    return Err(error.into());
                }
                metrics::histogram!("greenlane_commit_seconds")
                    .record(self.since(started).as_secs_f64());
                Ok(committed)
            }
            Err(error) => {
                db.rollback().await;
                Err(error)
            }
        }
    }

    /// Every entry's subjects, as far as they can be known before the locks.
    async fn named(
        &self,
        db: &mut P::Session,
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
        db: &mut P::Session,
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
        let followed = db.follow(&*self.service, &inputs).await?;
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
        db: &mut P::Session,
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
        db.lock_subjects(&subjects).await?;
        let mut waiting = self.must_wait(db, entries, named).await?;

        let now = db.clock().await?;
        let parts: Vec<Part> = parts.into_iter().collect();
        let mut batch = Batch {
            now,
            answers: db.answers(&requests).await?,
            fresh: BTreeMap::new(),
            positions: db.positions(&parts).await?,
            moved: BTreeSet::new(),
            parked_keys: db.parked_keys().await?,
            knowledge: Knowledge::default(),
            parked: Vec::new(),
            unparked: Vec::new(),
            facts: Vec::new(),
            rewinds: Vec::new(),
            audited: Entries::default(),
        };
        if entries
            .iter()
            .filter_map(|e| e.input.as_ref())
            .any(|input| self.service.needs_knowledge(input))
        {
            batch.knowledge = db.knowledge().await?;
            let now = self.platform.now();
            batch
                .knowledge
                .at_least_as_old_as(&self.stamps_received, now);
        }
        for entry in entries {
            // What is applied last of a key's parked records is decided on the key as it is then.
            if let Source::Parked { parked } = &entry.source
                && db.parked_of_key(&parked.topic, &parked.key).await? == 1
            {
                let name = (parked.topic.clone(), parked.key.clone());
                batch.parked_keys.0.remove(&name);
            }
        }
        let mut state = db.load(&*self.service, &subjects).await?;
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
                .record(self.since(entry.queued_at).as_secs_f64());
            fates.push(self.decide(&mut state, &mut batch, entry, index)?);
        }
        self.check_parked_limit(db, &mut batch).await?;

        let write = self.sequence(db, &mut batch).await?;
        db.store(&*self.service, &state, now).await?;
        if !batch.parked.is_empty() {
            db.park(&batch.parked).await?;
        }
        for event_id in &batch.unparked {
            db.unpark(event_id).await?;
        }
        match db.write_batch(&write, now).await? {
            Written::All => {}
            Written::HeadsMoved => return Err(BatchError::HeadsMoved),
        }
        for (part, from) in batch.rewinds {
            self.ask_rewind(part, from);
        }
        Ok(Committed {
            fates,
            offsets: write
                .positions
                .into_iter()
                .map(|(part, position)| (part, position.kafka_offset))
                .collect(),
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
        db: &mut P::Session,
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
        let mut written = BTreeSet::new();
        for (index, grown) in again.iter().enumerate() {
            let grew = || !named[index].covers(grown);
            let behind = || named[index].names_any_of(&written);
            if follows[index] && (grew() || behind()) {
                waiting.entries.insert(index);
            }
            written.extend(named[index].written());
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
                origin,
                request_id,
                fingerprint,
                ..
            } => {
                let commanded = |for_party: Option<String>, reply: &Reply| {
                    let command = Commanded {
                        party,
                        origin,
                        request_id: *request_id,
                        fingerprint,
                        for_party,
                        outcome: &reply.outcome,
                        repeated: reply.repeated,
                    };
                    command.entry()
                };
                if let Some(id) = request_id
                    && let Some(answer) = batch.answer(party, *id)
                {
                    let reply = repeated(answer, fingerprint);
                    batch.audited.add(commanded(None, &reply));
                    return Ok(Fate::Answered(reply));
                }
                let decision = self.call(state, batch, entry, None)?;
                let for_party = decision.for_party;
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
                batch.audited.add(commanded(for_party, &reply));
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
                let place = (parked.topic.as_str(), parked.partition);
                batch
                    .audited
                    .records(place, parked.epoch, parked.seq, false);
                Ok(Fate::Applied)
            }
            Source::Given { record, .. } => {
                if let Some(cause) = &entry.cause {
                    return Ok(Fate::Parked(cause.clone()));
                }
                self.call(state, batch, entry, Some(head_of(record)))?;
                Ok(Fate::Applied)
            }
            Source::Act { act, .. } => {
                batch.audited.add(act.entry());
                Ok(Fate::Applied)
            }
            Source::Timer { name, .. } if entry.input.is_some() => {
                let before = batch.facts.len();
                self.call(state, batch, entry, None)?;
                batch.audited.timer(name, batch.facts.len() - before);
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
        let place = place(&position, delivered);
        // Only an operator's new epoch sets a stopped partition going again.
        if position.stopped_because.is_some() && !matches!(place, Place::NewEpoch) {
            return Ok(Fate::Dropped);
        }
        match place {
            Place::Known => return Ok(Fate::Dropped),
            Place::Gap { from } => {
                metrics::counter!("greenlane_gaps_total").increment(1);
                batch.rewinds.push((part, from));
                return Ok(Fate::Dropped);
            }
            Place::NewEpoch => {
                tracing::warn!(event_id = %record.event_id, "the producer opened a new epoch");
                batch.move_to(part, after(delivered));
                return Ok(Fate::Applied);
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
        let parked = matches!(fate, Fate::Parked(_));
        let from = (record.topic.as_str(), record.partition);
        batch
            .audited
            .records(from, record.epoch, record.sequence, parked);
        batch.move_to(part, after(delivered));
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
            ids: &|| self.platform.new_id(),
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
            if fact.payload.len() > EVENT_BYTES_MAX {
                return Err(BatchError::Broken(format!(
                    "an event about {} has {} bytes, and the broker takes {EVENT_BYTES_MAX}",
                    fact.key,
                    fact.payload.len()
                )));
            }
            batch.facts.push((fact, traceparent.clone()));
        }
        Ok(decision)
    }

    /// A partition with too many parked keys stops: something is wrong with more
    /// than a few records.
    async fn check_parked_limit(
        &self,
        db: &mut P::Session,
        batch: &mut Batch,
    ) -> Result<(), BatchError> {
        let parts: BTreeSet<Part> = batch
            .parked
            .iter()
            .map(|p| (p.topic.clone(), p.partition))
            .collect();
        for part in parts {
            let before = db.parked_keys_of(&part).await?;
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
        db: &mut P::Session,
        batch: &mut Batch,
    ) -> Result<BatchWrite, BatchError> {
        let facts = std::mem::take(&mut batch.facts);
        let record = self.record.part(&mut batch.audited);
        let needed: BTreeSet<Part> = facts
            .iter()
            .map(|(fact, _)| (fact.topic.to_owned(), partition_of(&fact.key)))
            .chain(record.clone())
            .filter(|part| !self.heads.contains_key(part) || self.lock_heads)
            .collect();
        if !needed.is_empty() {
            let needed: Vec<Part> = needed.into_iter().collect();
            let loaded = db.heads(&needed, self.lock_heads).await?;
            self.heads.extend(loaded);
        }
        let mut write = BatchWrite {
            answers: std::mem::take(&mut batch.fresh),
            ..BatchWrite::default()
        };
        for (fact, traceparent) in facts {
            let part = (fact.topic.to_owned(), partition_of(&fact.key));
            let head = self.head_of(part, &mut write.heads)?;
            let aspect = self.service.aspect(&fact);
            write.outbox.push(next_row(
                head,
                Unnumbered {
                    topic: fact.topic.to_owned(),
                    key: fact.key,
                    event_type: fact.event_type.to_owned(),
                    payload: fact.payload.into(),
                    traceparent,
                    aspect,
                },
                batch.now,
            ));
        }
        if let Some(part) = record {
            self.seal(part, batch, &mut write)?;
        }
        let moved = std::mem::take(&mut batch.moved);
        for part in moved {
            if let Some(position) = batch.positions.get(&part) {
                write.positions.insert(part, position.clone());
            }
        }
        Ok(write)
    }

    /// Where a produced partition stands behind what the batch adds to it already.
    fn head_of<'w>(
        &self,
        part: Part,
        heads: &'w mut BTreeMap<Part, (Head, Head)>,
    ) -> Result<&'w mut Head, BatchError> {
        let Some(known) = self.heads.get(&part) else {
            let (topic, _) = part;
            return Err(BatchError::Broken(format!(
                "the service does not produce {topic}"
            )));
        };
        let (_, head) = heads
            .entry(part)
            .or_insert_with(|| (known.clone(), known.clone()));
        Ok(head)
    }

    /// Records what the batch did, in this partition of the service's record.
    fn seal(
        &self,
        part: Part,
        batch: &mut Batch,
        write: &mut BatchWrite,
    ) -> Result<(), BatchError> {
        let head = self.head_of(part.clone(), &mut write.heads)?;
        let place = audit::Place::after(&part, head, batch.now);
        let sign = |message: &[u8]| self.platform.sign(message);
        let sealed = audit::seal(batch.audited.take(), &place, sign);
        let fact = Unnumbered {
            topic: part.0,
            key: self.record.key.clone(),
            event_type: AUDIT_TYPE.to_owned(),
            payload: sealed.checkpoint,
            traceparent: None,
            aspect: None,
        };
        let row = next_row(head, fact, batch.now);
        write.audit = Some(AuditRow {
            partition: row.partition,
            epoch: row.epoch,
            seq: row.seq,
            key: row.key.clone(),
            recorded_at: row.recorded_at,
            entries: sealed.entries,
            key_id: sealed.key_id,
            signature: sealed.signature,
            chain: row.chain.clone(),
        });
        write.outbox.push(row);
        Ok(())
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
    audited: Entries,
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
    /// A record before it is missing: the first to ask for.
    Gap {
        from: u64,
    },
    /// The producer opened a new epoch: what it says from now on wins over what it said before.
    NewEpoch,
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
        return match EpochRecord::chain(record) {
            Some(chain) if chain == delivered.chain => Place::NewEpoch,
            Some(_) => Place::Fork("the chain of the new epoch's first record is not its own"),
            // The epoch's first record is missing.
            None => Place::Gap { from: 1 },
        };
    }
    if record.sequence > position.seq + 1 {
        return Place::Gap {
            from: position.seq + 1,
        };
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

/// Where a partition stands after a record.
fn after(delivered: &Delivered) -> Position {
    Position {
        epoch: delivered.record.epoch,
        seq: delivered.record.sequence,
        chain: delivered.chain.clone(),
        kafka_offset: delivered.kafka_offset,
        stopped_because: None,
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

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("a decision panicked: {text}")
}
