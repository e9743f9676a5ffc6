//! The simulated database of one service: the fabric's tables on [`Rows`], sessions that take their time and may be cut
//! at any statement, a COMMIT whose answer is lost, and a clock that can be set. Each statement does what the SQL of the
//! same name in fabric's `store.rs` does. It must not know what the service's own rows mean.

use std::any::Any;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fabric::platform::{
    Answer, BatchWrite, Head, News, OutboxRow, Parked, Part, Position, STAMP_LATER_SECONDS, Stamp,
    Stamped, Tables, Written,
};
use fabric::{Knowledge, PARTITIONS, ParkedKeys, StoreError, SubjectSet};
use sha2::{Digest as _, Sha256};
use sqlx::error::ErrorKind;
use uuid::Uuid;

use super::rows::{Mode, Refused, Rows, SessionId};
use super::timeline::Timeline;
use super::witness::Witness;

/// How long a statement or its answer is on its way.
const WAY_LEAST: Duration = Duration::from_micros(20);
const WAY_MOST: Duration = Duration::from_micros(900);
/// How long a statement waits for a lock before it is refused.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the database may take to notice that the other end of a session has gone.
const ORPHAN_MOST: Duration = Duration::from_secs(2);
/// While sessions are unreliable, one statement in so many loses its session.
const CUT_ONE_IN: usize = 400;
/// And one COMMIT in so many is refused.
const COMMIT_REFUSED_ONE_IN: usize = 25;
/// The day on which every simulation begins, in seconds.
pub const FIRST_DAY: i64 = 1_767_225_600;

/// The key of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `fabric.head`.
    Head(Part),
    /// `fabric.cursor`.
    Cursor(Part),
    /// `fabric.outbox`: partition, epoch, sequence, time of recording.
    Outbox(Part, u64, u64, DateTime<Utc>),
    /// `fabric.answer`: party, request id.
    Answer(String, Uuid),
    /// `fabric.position`.
    Position(Part),
    /// `fabric.parked`, by event id.
    Parked(String),
    /// A row of the service's own: its table, its key.
    Own(&'static str, String),
}

/// A row of a service's own tables, whatever it is.
pub type Own = Arc<dyn Any + Send + Sync>;

/// A service's own rows, by table and key.
pub type OwnRows = BTreeMap<(&'static str, String), Own>;

/// The rows of a table, by key.
pub fn table<T: Clone + 'static>(rows: &OwnRows, name: &str) -> BTreeMap<String, T> {
    let of = rows.iter().filter(|((table, _), _)| *table == name);
    of.filter_map(|((_, key), row)| Some((key.clone(), row.downcast_ref::<T>()?.clone())))
        .collect()
}

/// A row.
#[derive(Clone)]
pub enum Row {
    /// Where a produced partition stands.
    Head(Head),
    /// How far the broker has acknowledged it.
    Cursor(Cursor),
    /// A published fact.
    Outbox(OutboxRow),
    /// An answer to a command.
    Answer(Answer),
    /// What was applied of a consumed partition.
    Position(Applied),
    /// A record set aside.
    Parked(Parked),
    /// A row of the service's own.
    Own(Own),
}

/// A row of `fabric.cursor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The epoch.
    pub epoch: u64,
    /// Acknowledged up to here.
    pub acked: u64,
    /// The relay that may move it.
    pub owner: Option<Uuid>,
}

/// A row of `fabric.position`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Where it stands.
    pub position: Position,
    /// When it last moved.
    moved_at: DateTime<Utc>,
    watermark: Option<Watermark>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Watermark {
    epoch: u64,
    acked: u64,
    stamped_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
}

/// A fact as it was committed.
#[derive(Clone, Debug)]
pub struct Published {
    /// When, by the simulation's own time.
    pub at: Duration,
    /// The fact.
    pub row: OutboxRow,
}

/// The database of one service.
pub struct Database {
    /// The service's name.
    pub name: &'static str,
    timeline: Timeline,
    witness: Arc<Witness>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    rows: Rows<Key, Row>,
    sessions: BTreeMap<SessionId, Known>,
    orphans: BTreeMap<SessionId, Duration>,
    down: bool,
    unreliable: bool,
    clock_ahead: TimeDelta,
    published: Vec<Published>,
}

/// What the database knows of a session.
struct Known {
    /// Whose it is.
    instance: u64,
    /// Who waits for its statement.
    waker: Option<Waker>,
    /// It tried to become the active relay.
    relays: bool,
}

impl Database {
    /// An empty database of a service that produces and consumes these topics.
    pub fn new(
        name: &'static str,
        produces: &[&str],
        consumes: &[&str],
        timeline: &Timeline,
        witness: &Arc<Witness>,
    ) -> Arc<Self> {
        let database = Self {
            name,
            timeline: timeline.clone(),
            witness: Arc::clone(witness),
            inner: Mutex::default(),
        };
        let mut inner = database.inner();
        let parts = |topics: &[&str]| -> Vec<Part> {
            let topics = topics.iter();
            topics
                .flat_map(|topic| (0..PARTITIONS).map(|part| ((*topic).to_owned(), part)))
                .collect()
        };
        for part in parts(produces) {
            let head = Head {
                epoch: 1,
                seq: 0,
                chain: bytes::Bytes::new(),
            };
            let cursor = Cursor {
                epoch: 1,
                acked: 0,
                owner: None,
            };
            inner.rows.seed(Key::Head(part.clone()), Row::Head(head));
            inner.rows.seed(Key::Cursor(part), Row::Cursor(cursor));
        }
        for part in parts(consumes) {
            let applied = Applied {
                position: Position {
                    epoch: 1,
                    seq: 0,
                    chain: bytes::Bytes::new(),
                    kafka_offset: -1,
                    stopped_because: None,
                },
                moved_at: at(Duration::ZERO),
                watermark: None,
            };
            inner.rows.seed(Key::Position(part), Row::Position(applied));
        }
        drop(inner);
        Arc::new(database)
    }

    /// A new session.
    ///
    /// # Errors
    /// The database is down.
    pub async fn connect(
        self: &Arc<Self>,
        instance: u64,
        relay: &Arc<AtomicU64>,
    ) -> Result<Session, sqlx::Error> {
        self.way().await;
        let mut inner = self.inner();
        if inner.down {
            return Err(lost());
        }
        let id = inner.rows.open();
        let known = Known {
            instance,
            waker: None,
            relays: false,
        };
        inner.sessions.insert(id, known);
        Ok(Session {
            database: Arc::clone(self),
            id,
            relay: Arc::clone(relay),
        })
    }

    /// Goes down: every session ends, what was not committed is taken back.
    pub fn go_down(&self) {
        self.inner().down = true;
        let all: Vec<SessionId> = self.inner().sessions.keys().copied().collect();
        all.into_iter().for_each(|session| self.cut(session));
    }

    /// Ends the sessions of an instance that stand idle in a transaction: it has not said a word for too long.
    pub fn cut_idle_of(&self, instance: u64) {
        let idle: Vec<SessionId> = {
            let inner = self.inner();
            let of = |(id, known): &(&SessionId, &Known)| {
                known.instance == instance && inner.rows.in_transaction(**id)
            };
            inner
                .sessions
                .iter()
                .filter(of)
                .map(|(id, _)| *id)
                .collect()
        };
        idle.into_iter().for_each(|session| self.cut(session));
    }

    /// Is up again.
    pub fn come_up(&self) {
        self.inner().down = false;
    }

    /// Whether sessions are lost and commits refused now and then.
    pub fn set_unreliable(&self, unreliable: bool) {
        self.inner().unreliable = unreliable;
    }

    /// Sets the clock.
    pub fn set_clock_ahead(&self, ahead: TimeDelta) {
        self.inner().clock_ahead = ahead;
    }

    /// Ends a session from this side.
    fn cut(&self, session: SessionId) {
        let mut inner = self.inner();
        inner.rows.end(session);
        let known = inner.sessions.remove(&session);
        if let Some(waker) = known.and_then(|known| known.waker) {
            waker.wake();
        }
    }

    /// Ends the sessions of those who have gone without a word, once that shows.
    pub fn cut_orphans(&self) {
        let now = self.timeline.now();
        let due: Vec<SessionId> = {
            let mut inner = self.inner();
            let (due, later) = std::mem::take(&mut inner.orphans)
                .into_iter()
                .partition::<BTreeMap<_, _>, _>(|(_, at)| *at <= now);
            inner.orphans = later;
            due.into_keys().collect()
        };
        for session in due {
            self.cut(session);
        }
    }

    /// Takes all cursors from whoever relays, as an instance does that nobody here knows of.
    pub fn steal_cursors(&self) {
        let thief = self.timeline.new_id();
        let mut inner = self.inner();
        let cursors: Vec<(Key, Row)> = inner
            .rows
            .committed()
            .iter()
            .filter_map(|(key, row)| match row {
                Row::Cursor(cursor) => {
                    let owner = Some(thief);
                    Some((
                        key.clone(),
                        Row::Cursor(Cursor {
                            owner,
                            ..cursor.clone()
                        }),
                    ))
                }
                _ => None,
            })
            .collect();
        for (key, row) in cursors {
            inner.rows.seed(key, row);
        }
    }

    /// What is committed.
    pub fn committed<T>(&self, look: impl FnOnce(&BTreeMap<Key, Row>) -> T) -> T {
        look(self.inner().rows.committed())
    }

    /// The service's own rows that are committed.
    pub fn own_rows(&self) -> OwnRows {
        self.committed(|rows| own(rows.iter().map(|(key, row)| (key.clone(), row.clone()))))
    }

    /// Every fact in the order of the commits.
    pub fn published<T>(&self, look: impl FnOnce(&[Published]) -> T) -> T {
        look(&self.inner().published)
    }

    /// How often all waited for each other, and how often a row was there already.
    pub fn conflicts(&self) -> (u64, u64) {
        let inner = self.inner();
        (inner.rows.deadlocks(), inner.rows.duplicates())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn way(&self) {
        let wait = self.timeline.between(WAY_LEAST, WAY_MOST);
        self.timeline.sleep(wait).await;
    }

    fn clock(&self, inner: &Inner) -> DateTime<Utc> {
        at(self.timeline.now()) + inner.clock_ahead
    }

    fn maybe_cut(&self, session: SessionId) {
        if self.inner().unreliable && self.timeline.once_in(CUT_ONE_IN) {
            self.cut(session);
        }
    }

    fn poll<T>(
        &self,
        session: SessionId,
        waker: &Waker,
        run: &mut impl FnMut(&mut Rows<Key, Row>, SessionId, &Waker) -> Poll<Result<T, Refused>>,
    ) -> Poll<Result<T, sqlx::Error>> {
        let mut inner = self.inner();
        if !inner.sessions.contains_key(&session) {
            return Poll::Ready(Err(lost()));
        }
        let polled = match inner.rows.statement(session) {
            Ok(()) => run(&mut inner.rows, session, waker),
            Err(refused) => Poll::Ready(Err(refused)),
        };
        match polled {
            Poll::Pending => {
                if let Some(known) = inner.sessions.get_mut(&session) {
                    known.waker = Some(waker.clone());
                }
                Poll::Pending
            }
            Poll::Ready(Ok(answer)) => {
                if !inner.rows.in_transaction(session) {
                    self.commit(&mut inner, session);
                }
                Poll::Ready(Ok(answer))
            }
            Poll::Ready(Err(refused)) => {
                inner.rows.abort(session);
                Poll::Ready(Err(refusal(refused)))
            }
        }
    }

    fn commit(&self, inner: &mut Inner, session: SessionId) {
        let writes = inner.rows.commit(session);
        let at = self.timeline.now();
        for (key, row) in writes {
            match row {
                Some(Row::Outbox(row)) => inner.published.push(Published { at, row }),
                Some(Row::Cursor(cursor)) => {
                    if let Key::Cursor(part) = &key {
                        self.witness.cursor_moved(part, cursor.epoch, cursor.acked);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A session of a simulated database.
pub struct Session {
    database: Arc<Database>,
    id: SessionId,
    /// By which client the relay of the same instance sends.
    relay: Arc<AtomicU64>,
}

impl Drop for Session {
    fn drop(&mut self) {
        let timeline = &self.database.timeline;
        if timeline.once_in(4) {
            let due = timeline.now() + timeline.between(Duration::ZERO, ORPHAN_MOST);
            self.database.inner().orphans.insert(self.id, due);
        } else {
            self.database.cut(self.id);
        }
    }
}

impl Session {
    /// A statement: on its way, carried out once it has the locks that it needs, and its answer on the way back.
    pub(super) async fn statement<T: Send>(
        &mut self,
        what: &str,
        mut run: impl FnMut(&mut Rows<Key, Row>, SessionId, &Waker) -> Poll<Result<T, Refused>> + Send,
    ) -> Result<T, sqlx::Error> {
        let (database, id) = (Arc::clone(&self.database), self.id);
        database.way().await;
        database.maybe_cut(id);
        let answer = tokio::select! {
            biased;
            answer = poll_fn(|context| database.poll(id, context.waker(), &mut run)) => answer,
            () = database.timeline.sleep(LOCK_TIMEOUT) => {
                database.inner().rows.abort(id);
                Err(coded("55P03", ErrorKind::Other))
            }
        };
        let said = if answer.is_ok() { "done" } else { "refused" };
        database
            .timeline
            .trace(|| format!("{}/{id} {what}: {said}", database.name));
        database.maybe_cut(id);
        database.way().await;
        self.answer(answer)
    }

    fn answer<T>(&self, answer: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        match self.database.inner().sessions.contains_key(&self.id) {
            true => answer,
            false => Err(lost()),
        }
    }

    /// A statement that only reads.
    async fn read<T: Send>(
        &mut self,
        what: &str,
        look: impl Fn(&Rows<Key, Row>, SessionId) -> T + Send,
    ) -> Result<T, sqlx::Error> {
        self.statement(what, move |rows, id, _| Poll::Ready(Ok(look(rows, id))))
            .await
    }

    /// The service's own rows as this session sees them.
    pub(super) async fn own_rows(&mut self) -> Result<OwnRows, sqlx::Error> {
        self.read("load", |rows, id| {
            let all = rows.scan(id, Key::Own("", String::new())..);
            own(all.into_iter())
        })
        .await
    }

    /// The consumed partitions that have stopped.
    pub(super) async fn stopped(&mut self) -> Result<Vec<Part>, sqlx::Error> {
        self.read("stopped", |rows, id| {
            let first = Key::Position((String::new(), 0));
            let all = rows.scan(id, first..Key::Parked(String::new()));
            let stopped = all.into_iter().filter_map(|row| match row {
                (Key::Position(part), Row::Position(applied)) => {
                    applied.position.stopped_because.map(|_| part)
                }
                _ => None,
            });
            stopped.collect()
        })
        .await
    }

    /// Puts these rows in the place of what is there.
    pub(super) async fn put_own_rows(&mut self, own: OwnRows) -> Result<(), sqlx::Error> {
        let own: Vec<(Key, Row)> = own
            .into_iter()
            .map(|((table, key), row)| (Key::Own(table, key), Row::Own(row)))
            .collect();
        let mut done = 0;
        self.statement("store", move |rows, id, waker| {
            while let Some((key, row)) = own.get(done) {
                match rows.put(id, key, row.clone(), waker) {
                    Poll::Ready(Ok(())) => done += 1,
                    other => return other,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}

fn own(rows: impl Iterator<Item = (Key, Row)>) -> OwnRows {
    let own = rows.filter_map(|row| match row {
        (Key::Own(table, key), Row::Own(row)) => Some(((table, key), row)),
        _ => None,
    });
    own.collect()
}

impl Tables for Session {
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.database.way().await;
        let mut inner = self.database.inner();
        if !inner.sessions.contains_key(&self.id) {
            return Err(lost());
        }
        inner.rows.begin(self.id).map_err(refusal)
    }

    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        let (database, id) = (Arc::clone(&self.database), self.id);
        database.way().await;
        database.maybe_cut(id);
        let refused = {
            let mut inner = database.inner();
            if !inner.sessions.contains_key(&id) {
                return Err(lost());
            }
            let refused = inner.unreliable && database.timeline.once_in(COMMIT_REFUSED_ONE_IN);
            if refused {
                inner.rows.roll_back(id);
            } else {
                database.commit(&mut inner, id);
            }
            refused
        };
        let said = if refused { "refused" } else { "done" };
        database
            .timeline
            .trace(|| format!("{}/{id} commit: {said}", database.name));
        database.maybe_cut(id);
        database.way().await;
        self.answer(match refused {
            true => Err(coded("40001", ErrorKind::Other)),
            false => Ok(()),
        })
    }

    async fn rollback(&mut self) {
        self.database.way().await;
        self.database.inner().rows.roll_back(self.id);
        self.database.way().await;
    }

    async fn ping(&mut self) -> Result<(), sqlx::Error> {
        self.database.way().await;
        self.answer(Ok(()))
    }

    /// There are none.
    async fn plan_anew(&mut self) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn close(self) {
        self.database.way().await;
    }

    async fn clock(&mut self) -> Result<DateTime<Utc>, sqlx::Error> {
        let database = Arc::clone(&self.database);
        self.read("clock", |_, _| ()).await?;
        let inner = database.inner();
        Ok(database.clock(&inner))
    }

    async fn lock_subjects(&mut self, subjects: &SubjectSet) -> Result<(), sqlx::Error> {
        let (keys, shared) = subjects.locks();
        let mut locks = keys.into_iter().zip(shared).peekable();
        if locks.peek().is_none() {
            return Ok(());
        }
        self.statement("lock", |rows, id, waker| {
            while let Some((key, shared)) = locks.peek() {
                let mode = if *shared {
                    Mode::Shared
                } else {
                    Mode::Exclusive
                };
                match rows.lock(id, *key, mode, waker) {
                    Poll::Ready(Ok(())) => locks.next(),
                    other => return other,
                };
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    async fn answers(
        &mut self,
        requests: &[(String, Uuid)],
    ) -> Result<BTreeMap<(String, Uuid), Answer>, sqlx::Error> {
        if requests.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.read("answers", |rows, id| {
            let found = requests.iter().filter_map(|(party, request)| {
                match rows.get(id, &Key::Answer(party.clone(), *request)) {
                    Some(Row::Answer(answer)) => Some(((party.clone(), *request), answer.clone())),
                    _ => None,
                }
            });
            found.collect()
        })
        .await
    }

    async fn positions(&mut self, parts: &[Part]) -> Result<BTreeMap<Part, Position>, sqlx::Error> {
        if parts.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.read("positions", |rows, id| {
            let found = parts.iter().filter_map(|part| {
                let applied = applied(rows.get(id, &Key::Position(part.clone()))?)?;
                Some((part.clone(), applied.position.clone()))
            });
            found.collect()
        })
        .await
    }

    async fn parked_keys(&mut self) -> Result<ParkedKeys, sqlx::Error> {
        let parked = self.read("parked keys", all_parked).await?;
        let keys = parked
            .iter()
            .map(|one| (one.topic.as_str(), one.key.as_str()));
        Ok(ParkedKeys::of(keys))
    }

    async fn parked_keys_of(&mut self, part: &Part) -> Result<u64, sqlx::Error> {
        let parked = self.read("parked keys of", all_parked).await?;
        let of = |one: &&Parked| (&one.topic, one.partition) == (&part.0, part.1);
        let keys: BTreeSet<&String> = parked.iter().filter(of).map(|one| &one.key).collect();
        Ok(keys.len() as u64)
    }

    async fn parked_of_key(&mut self, topic: &str, key: &str) -> Result<u32, sqlx::Error> {
        let parked = self.read("parked of key", all_parked).await?;
        let of = |one: &&Parked| one.topic == topic && one.key == key;
        Ok(u32::try_from(parked.iter().filter(of).count()).unwrap_or(u32::MAX))
    }

    async fn oldest_parked(
        &mut self,
        topic: &str,
        key: &str,
    ) -> Result<Option<Parked>, sqlx::Error> {
        let parked = self.read("oldest parked", all_parked).await?;
        let of = |one: &Parked| one.topic == topic && one.key == key;
        let oldest = parked.into_iter().filter(of);
        Ok(oldest.min_by_key(|one| (one.epoch, one.seq)))
    }

    async fn knowledge(&mut self) -> Result<Knowledge, sqlx::Error> {
        let database = Arc::clone(&self.database);
        let positions = self.read("knowledge", all_positions).await?;
        let now = database.clock(&database.inner());
        let ages = positions.into_iter().filter_map(|(part, applied)| {
            let (position, watermark) = (applied.position, applied.watermark?);
            let by_stamp = now - watermark.stamped_at;
            let by_receipt = now - watermark.received_at;
            let known = position.stopped_because.is_none()
                && watermark.epoch == position.epoch
                && position.seq >= watermark.acked
                && by_stamp.min(by_receipt) >= TimeDelta::zero();
            let age = by_stamp.max(by_receipt).num_milliseconds();
            known.then(|| (part, Duration::from_millis(age.unsigned_abs())))
        });
        Ok(Knowledge::by_partition(ages.collect()))
    }

    async fn heads(
        &mut self,
        parts: &[Part],
        lock: bool,
    ) -> Result<BTreeMap<Part, Head>, sqlx::Error> {
        if lock {
            let mut sorted: Vec<Key> = parts.iter().cloned().map(Key::Head).collect();
            sorted.sort();
            let mut locked = 0;
            self.statement("lock heads", |rows, id, waker| {
                while let Some(key) = sorted.get(locked) {
                    match rows.lock_row(id, key, |_| true, waker) {
                        Poll::Ready(Ok(_)) => locked += 1,
                        Poll::Ready(Err(refused)) => return Poll::Ready(Err(refused)),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Poll::Ready(Ok(()))
            })
            .await?;
        }
        self.read("heads", |rows, id| {
            let found =
                parts
                    .iter()
                    .filter_map(|part| match rows.get(id, &Key::Head(part.clone())) {
                        Some(Row::Head(head)) => Some((part.clone(), head.clone())),
                        _ => None,
                    });
            found.collect()
        })
        .await
    }

    async fn park(&mut self, records: &[Parked]) -> Result<(), StoreError> {
        let mut done = 0;
        self.statement("park", |rows, id, waker| {
            while let Some(record) = records.get(done) {
                let key = Key::Parked(record.event_id.clone());
                match rows.insert(id, &key, Row::Parked(record.clone()), waker) {
                    Poll::Ready(Ok(())) => done += 1,
                    other => return other,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        Ok(())
    }

    async fn unpark(&mut self, event_id: &str) -> Result<(), StoreError> {
        let key = Key::Parked(event_id.to_owned());
        let deleted = self
            .statement("unpark", |rows, id, waker| rows.delete(id, &key, waker))
            .await?;
        StoreError::check_rows("unpark", 1, deleted.into())
    }

    async fn parked_again(&mut self, event_id: &str, cause: &str) -> Result<(), sqlx::Error> {
        let key = Key::Parked(event_id.to_owned());
        let again = |row: &mut Row| {
            if let Row::Parked(parked) = row {
                parked.attempts += 1;
                parked.cause = cause.to_owned();
            }
        };
        self.statement("parked again", |rows, id, waker| {
            rows.update(id, &key, |_| true, again, waker)
        })
        .await?;
        Ok(())
    }

    async fn write_batch(
        &mut self,
        write: &BatchWrite,
        _now: DateTime<Utc>,
    ) -> Result<Written, StoreError> {
        let database = Arc::clone(&self.database);
        let moved_at = database.clock(&database.inner());
        let steps = steps_of(write);
        let (mut done, mut counts) = (0, [0_u64; 4]);
        self.statement("write batch", |rows, id, waker| {
            while let Some(step) = steps.get(done) {
                let (table, touched) = match step {
                    Step::Head(key, from, to) => {
                        let fits = |row: &Row| matches!(row, Row::Head(head) if head == *from);
                        let change = |row: &mut Row| *row = Row::Head((*to).clone());
                        (0, rows.update(id, key, fits, change, waker))
                    }
                    Step::Insert(table, key, row) => {
                        let inserted = rows.insert(id, key, Row::clone(row), waker);
                        (*table, inserted.map_ok(|()| true))
                    }
                    Step::Position(key, to) => {
                        let change = |row: &mut Row| move_position(row, to, moved_at);
                        (3, rows.update(id, key, |_| true, change, waker))
                    }
                };
                match touched {
                    Poll::Ready(Ok(touched)) => counts[table] += u64::from(touched),
                    Poll::Ready(Err(refused)) => return Poll::Ready(Err(refused)),
                    Poll::Pending => return Poll::Pending,
                }
                done += 1;
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        let [moved, published, answered, positioned] = counts;
        if moved != write.heads.len() as u64 {
            return Ok(Written::HeadsMoved);
        }
        StoreError::check_rows("outbox", write.outbox.len(), published)?;
        StoreError::check_rows("answer", write.answers.len(), answered)?;
        StoreError::check_rows("position", write.positions.len(), positioned)?;
        Ok(Written::All)
    }

    async fn try_own(&mut self, parts: &[Part]) -> Result<Vec<Part>, sqlx::Error> {
        self.statement("try own", |rows, id, _| {
            let free = parts
                .iter()
                .filter(|part| rows.try_lock(id, lock_of("consume", part)));
            Poll::Ready(Ok(free.cloned().collect()))
        })
        .await
    }

    async fn write_stamps(
        &mut self,
        stamps: &BTreeMap<Part, Stamp>,
    ) -> Result<BTreeMap<Part, Stamped>, sqlx::Error> {
        let database = Arc::clone(&self.database);
        let now = database.clock(&database.inner());
        let mut left = stamps.iter().peekable();
        let mut kept = BTreeMap::new();
        self.statement("write stamps", |rows, id, waker| {
            while let Some((part, stamp)) = left.peek() {
                let ago = database
                    .timeline
                    .instant()
                    .saturating_duration_since(stamp.received_at);
                let watermark = Watermark {
                    epoch: stamp.epoch,
                    acked: stamp.acked_seq,
                    stamped_at: stamp.stamped_at,
                    received_at: now - TimeDelta::from_std(ago).unwrap_or_default(),
                };
                let is_newer = |row: &Row| {
                    applied(row).is_some_and(|applied| {
                        let held = applied.watermark.as_ref();
                        held.is_none_or(|held| {
                            held.stamped_at < stamp.stamped_at || held.stamped_at > now
                        })
                    })
                };
                let key = Key::Position((*part).clone());
                let keep = |row: &mut Row| {
                    if let Row::Position(applied) = row {
                        applied.watermark = Some(watermark);
                    }
                };
                match rows.update(id, &key, is_newer, keep, waker) {
                    Poll::Ready(Ok(true)) => {
                        if let Some(applied) = rows.get(id, &key).and_then(applied) {
                            let later = TimeDelta::seconds(STAMP_LATER_SECONDS.into());
                            let stamped = Stamped {
                                position: applied.position.clone(),
                                is_later: stamp.stamped_at > applied.moved_at + later
                                    && stamp.stamped_at < now + later,
                            };
                            kept.insert((*part).clone(), stamped);
                        }
                    }
                    Poll::Ready(Ok(false)) => {}
                    Poll::Ready(Err(refused)) => return Poll::Ready(Err(refused)),
                    Poll::Pending => return Poll::Pending,
                }
                left.next();
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        Ok(kept)
    }

    async fn stop_partition(
        &mut self,
        part: &Part,
        at: &Position,
        why: &str,
    ) -> Result<(), sqlx::Error> {
        let key = Key::Position(part.clone());
        let stands_there = |row: &Row| {
            applied(row).is_some_and(|applied| {
                let position = &applied.position;
                (position.epoch, position.seq) == (at.epoch, at.seq)
                    && position.stopped_because.is_none()
            })
        };
        let stop = |row: &mut Row| {
            if let Row::Position(applied) = row {
                applied.position.stopped_because = Some(why.to_owned());
            }
        };
        self.statement("stop partition", |rows, id, waker| {
            rows.update(id, &key, stands_there, stop, waker)
        })
        .await?;
        Ok(())
    }

    async fn try_relay(&mut self) -> Result<bool, sqlx::Error> {
        if let Some(known) = self.database.inner().sessions.get_mut(&self.id) {
            known.relays = true;
        }
        let key = lock_of("relay", &(String::new(), 0));
        self.statement("try relay", |rows, id, _| {
            Poll::Ready(Ok(rows.try_lock(id, key)))
        })
        .await
    }

    async fn take_cursors(
        &mut self,
        owner: Uuid,
    ) -> Result<BTreeMap<Part, (u64, u64)>, sqlx::Error> {
        let cursors = self.read("cursors", all_cursors).await?;
        let taken = cursors.keys().map(|part| (part.clone(), None)).collect();
        self.change_cursors("take cursors", &taken, None, |cursor| {
            cursor.owner = Some(owner);
        })
        .await?;
        let cursors = self.read("cursors", all_cursors).await?;
        let places = cursors.into_iter();
        Ok(places
            .map(|(part, cursor)| (part, (cursor.epoch, cursor.acked)))
            .collect())
    }

    async fn move_cursors(
        &mut self,
        owner: Uuid,
        moves: &BTreeMap<Part, (u64, u64)>,
    ) -> Result<(), StoreError> {
        let moved: BTreeMap<Part, Option<(u64, u64)>> = moves
            .iter()
            .map(|(part, to)| (part.clone(), Some(*to)))
            .collect();
        let touched = self
            .change_cursors("move cursors", &moved, Some(owner), |_| {})
            .await?;
        if touched < moves.len() as u64 {
            let client = self.relay.load(Ordering::Relaxed);
            self.database.witness.ousted(client);
        }
        StoreError::check_rows("cursor", moves.len(), touched)
    }

    async fn all_heads(&mut self) -> Result<BTreeMap<Part, Head>, sqlx::Error> {
        self.read("all heads", all_heads).await
    }

    async fn accompanied(&mut self) -> Result<bool, sqlx::Error> {
        self.read("accompanied", |_, _| ()).await?;
        let inner = self.database.inner();
        let mut others = inner.sessions.iter().filter(|(id, _)| **id != self.id);
        Ok(others.any(|(_, known)| known.relays))
    }

    async fn news(&mut self) -> Result<News, sqlx::Error> {
        let heads = self.read("news", all_heads).await?;
        let sum: u64 = heads.values().map(|head| head.seq).sum();
        Ok(News {
            heads_sum: i64::try_from(sum).unwrap_or(i64::MAX),
            republish: false,
        })
    }

    async fn take_republish(&mut self, _owner: Uuid) -> Result<BTreeMap<Part, u64>, sqlx::Error> {
        Ok(BTreeMap::new())
    }

    async fn outbox_after(
        &mut self,
        part: &Part,
        epoch: u64,
        after_seq: u64,
        rows_max: usize,
    ) -> Result<Vec<OutboxRow>, sqlx::Error> {
        let from = Key::Outbox(part.clone(), epoch, after_seq + 1, DateTime::<Utc>::MIN_UTC);
        let to = Key::Outbox(part.clone(), epoch, u64::MAX, DateTime::<Utc>::MAX_UTC);
        self.read("outbox after", |rows, id| {
            let found = rows.scan(id, from.clone()..=to.clone()).into_values();
            found.filter_map(outbox_row).take(rows_max).collect()
        })
        .await
    }

    async fn lowest_kept(&mut self) -> Result<BTreeMap<Part, u64>, sqlx::Error> {
        let heads = self.read("lowest kept", all_heads).await?;
        // Nothing is dropped here.
        let lowest = heads.into_keys().map(|part| (part, 1));
        Ok(lowest.collect())
    }
}

impl Session {
    /// Changes cursors, those of one owner only if one is named; moves them forward where it is said to where.
    async fn change_cursors(
        &mut self,
        what: &str,
        moves: &BTreeMap<Part, Option<(u64, u64)>>,
        owner: Option<Uuid>,
        change: impl Fn(&mut Cursor) + Send + Sync,
    ) -> Result<u64, sqlx::Error> {
        let mut left = moves.iter().peekable();
        let mut touched = 0;
        self.statement(what, |rows, id, waker| {
            while let Some((part, to)) = left.peek() {
                let fits = |row: &Row| match row {
                    Row::Cursor(cursor) => {
                        (owner.is_none() || cursor.owner == owner)
                            && to.is_none_or(|(epoch, _)| epoch == cursor.epoch)
                    }
                    _ => false,
                };
                let changed = |row: &mut Row| {
                    if let Row::Cursor(cursor) = row {
                        change(cursor);
                        cursor.acked = cursor.acked.max(to.map_or(0, |(_, acked)| acked));
                    }
                };
                let key = Key::Cursor((*part).clone());
                match rows.update(id, &key, fits, changed, waker) {
                    Poll::Ready(Ok(fit)) => touched += u64::from(fit),
                    Poll::Ready(Err(refused)) => return Poll::Ready(Err(refused)),
                    Poll::Pending => return Poll::Pending,
                }
                left.next();
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        Ok(touched)
    }
}

/// What a batch's last statement does, one row at a time.
enum Step<'a> {
    Head(Key, &'a Head, &'a Head),
    Insert(usize, Key, Box<Row>),
    Position(Key, &'a Position),
}

fn steps_of(write: &BatchWrite) -> Vec<Step<'_>> {
    let heads = write.heads.iter();
    let heads = heads.map(|(part, (from, to))| Step::Head(Key::Head(part.clone()), from, to));
    let outbox = write.outbox.iter().map(|row| {
        let part = (row.topic.clone(), row.partition);
        let key = Key::Outbox(part, row.epoch, row.seq, row.recorded_at);
        Step::Insert(1, key, Box::new(Row::Outbox(row.clone())))
    });
    let answers = write.answers.iter().map(|((party, id), answer)| {
        Step::Insert(
            2,
            Key::Answer(party.clone(), *id),
            Box::new(Row::Answer(answer.clone())),
        )
    });
    let positions = write.positions.iter();
    let positions = positions.map(|(part, to)| Step::Position(Key::Position(part.clone()), to));
    heads
        .chain(outbox)
        .chain(answers)
        .chain(positions)
        .collect()
}

fn move_position(row: &mut Row, to: &Position, now: DateTime<Utc>) {
    if let Row::Position(applied) = row {
        let from = &applied.position;
        if to.seq > from.seq || to.epoch > from.epoch {
            applied.moved_at = now;
        }
        applied.position = to.clone();
    }
}

fn applied(row: &Row) -> Option<&Applied> {
    match row {
        Row::Position(applied) => Some(applied),
        _ => None,
    }
}

fn outbox_row(row: Row) -> Option<OutboxRow> {
    match row {
        Row::Outbox(row) => Some(row),
        _ => None,
    }
}

fn all_parked(rows: &Rows<Key, Row>, session: SessionId) -> Vec<Parked> {
    let all = rows.scan(
        session,
        Key::Parked(String::new())..Key::Own("", String::new()),
    );
    let parked = all.into_values().filter_map(|row| match row {
        Row::Parked(parked) => Some(parked),
        _ => None,
    });
    parked.collect()
}

fn all_positions(rows: &Rows<Key, Row>, session: SessionId) -> BTreeMap<Part, Applied> {
    let all = rows.scan(
        session,
        Key::Position(Part::default())..Key::Parked(String::new()),
    );
    let positions = all.into_iter().filter_map(|row| match row {
        (Key::Position(part), Row::Position(applied)) => Some((part, applied)),
        _ => None,
    });
    positions.collect()
}

fn all_heads(rows: &Rows<Key, Row>, session: SessionId) -> BTreeMap<Part, Head> {
    let all = rows.scan(
        session,
        Key::Head(Part::default())..Key::Cursor(Part::default()),
    );
    let heads = all.into_iter().filter_map(|row| match row {
        (Key::Head(part), Row::Head(head)) => Some((part, head)),
        _ => None,
    });
    heads.collect()
}

fn all_cursors(rows: &Rows<Key, Row>, session: SessionId) -> BTreeMap<Part, Cursor> {
    let first_outbox = Key::Outbox(Part::default(), 0, 0, DateTime::<Utc>::MIN_UTC);
    let all = rows.scan(session, Key::Cursor(Part::default())..first_outbox);
    let cursors = all.into_iter().filter_map(|row| match row {
        (Key::Cursor(part), Row::Cursor(cursor)) => Some((part, cursor)),
        _ => None,
    });
    cursors.collect()
}

fn lock_of(what: &str, part: &Part) -> i64 {
    let digest: [u8; 32] = Sha256::digest(format!("{what}/{}/{}", part.0, part.1)).into();
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    // Apart from those of subjects, whose class stands in the top bits.
    i64::from_be_bytes(head) | i64::MIN
}

fn at(now: Duration) -> DateTime<Utc> {
    let first = DateTime::from_timestamp(FIRST_DAY, 0).unwrap_or_default();
    first + TimeDelta::from_std(now).unwrap_or_default()
}

/// The session is gone.
fn lost() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())
}

fn refusal(refused: Refused) -> sqlx::Error {
    match refused {
        Refused::Deadlock => coded("40P01", ErrorKind::Other),
        Refused::Duplicate => coded("23505", ErrorKind::UniqueViolation),
        Refused::Aborted => coded("25P02", ErrorKind::Other),
    }
}

fn coded(code: &'static str, kind: ErrorKind) -> sqlx::Error {
    sqlx::Error::Database(Box::new(Coded { code, kind }))
}

/// A refusal of the simulated database.
#[derive(Debug)]
struct Coded {
    code: &'static str,
    kind: ErrorKind,
}

impl fmt::Display for Coded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "refused with {}", self.code)
    }
}

impl Error for Coded {}

impl sqlx::error::DatabaseError for Coded {
    fn message(&self) -> &str {
        self.code
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.into())
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match self.kind {
            ErrorKind::UniqueViolation => ErrorKind::UniqueViolation,
            _ => ErrorKind::Other,
        }
    }
}
