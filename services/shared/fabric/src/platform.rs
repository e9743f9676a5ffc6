//! What the loop, the relay and the readers stand on: sessions of a database, a broker's clients, and time. As traits,
//! so that the very same code runs on the real ones ([`servers`]) and on ones that are simulated from a seed. It must
//! decide nothing: what stands here is carried out, not judged.

pub(crate) mod servers;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::service::{Knowledge, ParkedKeys, Service, StoreError};
use crate::subject::{SubjectSet, Subjects};

pub use crate::audit::Signed;
pub use crate::consumer::Received;
pub use crate::fabric::{Assembled, assemble, told_to_stop};
pub use crate::kafka::Tail;
pub use crate::store::{
    Answer, AuditRow, BatchWrite, Head, News, OutboxRow, Parked, Part, Position,
    STAMP_LATER_SECONDS, Stamp, Stamped, Written,
};
pub use crate::writer::{Delivered, Item, RetryOutcome};

/// What one instance of a service stands on.
pub trait Platform: Clone + Send + Sync + 'static {
    /// A session of its database.
    type Session: Tables;
    /// A client that sends to its broker.
    type Producer: Producer;
    /// A client that reads from its broker.
    type Reader: Reader;

    /// A new session.
    ///
    /// # Errors
    /// The database does not let it in.
    fn connect(&self) -> impl Future<Output = Result<Self::Session, sqlx::Error>> + Send;

    /// The process's own clock, which nobody sets.
    fn now(&self) -> Instant;

    /// Waits so long by that clock.
    fn sleep(&self, wait: Duration) -> impl Future<Output = ()> + Send;

    /// A new id.
    fn new_id(&self) -> Uuid;

    /// Signs the record of what was done; none if nothing is signed here.
    fn sign(&self, message: &[u8]) -> Option<Signed> {
        let _ = message;
        None
    }

    /// Creates what is missing of these topics.
    ///
    /// # Errors
    /// The broker does not answer, or refuses.
    fn create_topics(
        &self,
        topics: &[&'static str],
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// The records that each of these partitions ends with, newest first, at most so many of each; nothing for an
    /// empty one.
    ///
    /// # Errors
    /// The broker does not answer.
    fn tails(
        &self,
        parts: Vec<Part>,
        records_max: i64,
    ) -> impl Future<Output = Result<BTreeMap<Part, Vec<Tail>>, String>> + Send;

    /// A client that sends for this service.
    ///
    /// # Errors
    /// It cannot be made.
    fn producer(&self, service: &'static str) -> Result<Self::Producer, String>;

    /// What consumers ask to be sent again of these topics, from now on; reading ends when the receiver is dropped.
    fn rewind_requests(&self, topics: &'static [&'static str]) -> mpsc::Receiver<(Part, u64)>;

    /// Asks the producers of other services for what is missing here, until told to stop.
    fn ask_rewinds(
        &self,
        service: &'static str,
        asks: mpsc::Receiver<(Part, u64)>,
        stop: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send;

    /// A client that reads.
    ///
    /// # Errors
    /// It cannot be made.
    fn reader(&self) -> Result<Self::Reader, String>;
}

/// A session of a service's database, as far as the fabric's own tables go. Every statement but `begin`, `commit` and
/// `rollback` may stand in a transaction or alone; errors are those of the database or of the way to it.
pub trait Tables: Send {
    /// Begins a transaction.
    fn begin(&mut self) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
    /// Makes it durable. After an error nobody knows whether it is.
    fn commit(&mut self) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
    /// Takes it back. One that fails leaves a dead session, which the next use finds.
    fn rollback(&mut self) -> impl Future<Output = ()> + Send;
    /// Whether it still answers.
    fn ping(&mut self) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
    /// Forgets how its statements find their rows: the tables may have grown.
    fn plan_anew(&mut self) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
    /// Says goodbye.
    fn close(self) -> impl Future<Output = ()> + Send;
    /// The database's clock.
    fn clock(&mut self) -> impl Future<Output = Result<DateTime<Utc>, sqlx::Error>> + Send;

    /// Locks every subject of a batch in its one order, until the transaction ends.
    fn lock_subjects(
        &mut self,
        subjects: &SubjectSet,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
    /// The stored answers to these requests, by party and request id.
    fn answers(
        &mut self,
        requests: &[(String, Uuid)],
    ) -> impl Future<Output = Result<BTreeMap<(String, Uuid), Answer>, sqlx::Error>> + Send;
    /// Where these consumed partitions stand.
    fn positions(
        &mut self,
        parts: &[Part],
    ) -> impl Future<Output = Result<BTreeMap<Part, Position>, sqlx::Error>> + Send;
    /// Every key with parked records.
    fn parked_keys(&mut self) -> impl Future<Output = Result<ParkedKeys, sqlx::Error>> + Send;
    /// Keys parked in a partition.
    fn parked_keys_of(
        &mut self,
        part: &Part,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
    /// How many records of a key are parked.
    fn parked_of_key(
        &mut self,
        topic: &str,
        key: &str,
    ) -> impl Future<Output = Result<u32, sqlx::Error>> + Send;
    /// The oldest parked record of a key.
    fn oldest_parked(
        &mut self,
        topic: &str,
        key: &str,
    ) -> impl Future<Output = Result<Option<Parked>, sqlx::Error>> + Send;
    /// How old what is known of each consumed partition is.
    fn knowledge(&mut self) -> impl Future<Output = Result<Knowledge, sqlx::Error>> + Send;
    /// Where produced partitions stand; locked, in order, if this follows a collision with another writer.
    fn heads(
        &mut self,
        parts: &[Part],
        lock: bool,
    ) -> impl Future<Output = Result<BTreeMap<Part, Head>, sqlx::Error>> + Send;
    /// Sets records aside.
    fn park(&mut self, records: &[Parked]) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// A parked record was applied after all.
    fn unpark(&mut self, event_id: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// A parked record failed again.
    fn parked_again(
        &mut self,
        event_id: &str,
        cause: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
    /// Adds events, answers and positions to the batch's transaction, and moves the heads if they stand where the
    /// writer remembers them.
    fn write_batch(
        &mut self,
        write: &BatchWrite,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Tries to become the one who reads these partitions, for this session; gives those that it became.
    fn try_own(
        &mut self,
        parts: &[Part],
    ) -> impl Future<Output = Result<Vec<Part>, sqlx::Error>> + Send;
    /// Keeps each watermark that is newer than the one held, and gives where those partitions stand.
    fn write_stamps(
        &mut self,
        stamps: &BTreeMap<Part, Stamp>,
    ) -> impl Future<Output = Result<BTreeMap<Part, Stamped>, sqlx::Error>> + Send;
    /// Stops a consumed partition, in a transaction of its own, if it still stands there.
    fn stop_partition(
        &mut self,
        part: &Part,
        at: &Position,
        why: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Tries to become the active relay, for this session.
    fn try_relay(&mut self) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;
    /// Becomes the owner of the cursors; gives the epoch and sequence of each.
    fn take_cursors(
        &mut self,
        owner: Uuid,
    ) -> impl Future<Output = Result<BTreeMap<Part, (u64, u64)>, sqlx::Error>> + Send;
    /// Moves cursors that this owner has, forward only, to (epoch, sequence).
    fn move_cursors(
        &mut self,
        owner: Uuid,
        moves: &BTreeMap<Part, (u64, u64)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Where every produced partition stands.
    fn all_heads(
        &mut self,
    ) -> impl Future<Output = Result<BTreeMap<Part, Head>, sqlx::Error>> + Send;
    /// Whether another instance of the service relays or stands by to.
    fn accompanied(&mut self) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;
    /// Whether there is something to send.
    fn news(&mut self) -> impl Future<Output = Result<News, sqlx::Error>> + Send;
    /// Takes what operators ask to be sent again.
    fn take_republish(
        &mut self,
        owner: Uuid,
    ) -> impl Future<Output = Result<BTreeMap<Part, u64>, sqlx::Error>> + Send;
    /// The rows of a partition after a sequence, in order.
    fn outbox_after(
        &mut self,
        part: &Part,
        epoch: u64,
        after_seq: u64,
        rows_max: usize,
    ) -> impl Future<Output = Result<Vec<OutboxRow>, sqlx::Error>> + Send;
    /// The lowest sequence of each partition that can still be sent.
    fn lowest_kept(
        &mut self,
    ) -> impl Future<Output = Result<BTreeMap<Part, u64>, sqlx::Error>> + Send;
}

/// A session with a service's own tables.
pub trait Session<S: Service>: Tables {
    /// As [`Service::follow`].
    fn follow(
        &mut self,
        service: &S,
        inputs: &[&S::Input],
    ) -> impl Future<Output = Result<Vec<Subjects>, sqlx::Error>> + Send;
    /// As [`Service::load`].
    fn load(
        &mut self,
        service: &S,
        subjects: &SubjectSet,
    ) -> impl Future<Output = Result<S::State, sqlx::Error>> + Send;
    /// As [`Service::store`].
    fn store(
        &mut self,
        service: &S,
        state: &S::State,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A client that sends to the broker.
pub trait Producer: Send {
    /// What tells whether the broker has a record.
    type Ack: Future<Output = Result<(), SendError>> + Send + Unpin + 'static;

    /// Hands a record to the client.
    ///
    /// # Errors
    /// The client does not take it.
    fn send(&self, record: &Outgoing<'_>) -> Result<Self::Ack, SendError>;
    /// How often the connection was lost so far.
    fn losses(&self) -> u64;
    /// Why the client will never send again; none if it may.
    fn fatal_error(&self) -> Option<String>;
    /// Says goodbye.
    fn close(self);
}

/// A client that reads from the broker.
pub trait Reader: Send + Sync {
    /// Reads these partitions and no others, each from this offset on.
    ///
    /// # Errors
    /// The client refuses.
    fn assign(&self, from: BTreeMap<Part, i64>) -> Result<(), String>;
    /// The next record of any of them; none if none will come. Dropped before, it is given the next time.
    fn next(&self) -> impl Future<Output = Option<Received>> + Send;
    /// The offsets behind the last records that the broker has of these partitions, up to the first of which it says
    /// nothing.
    fn ends(&self, parts: Vec<Part>) -> BoxFuture<'static, Vec<(Part, i64)>>;
    /// Says goodbye.
    fn close(self);
}

/// A record on its way to the broker.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The topic, without prefix and version.
    pub topic: &'a str,
    /// The partition.
    pub partition: u32,
    /// The subject; none of a watermark.
    pub key: Option<&'a str>,
    /// `ce_id`.
    pub event_id: &'a str,
    /// `ce_type`.
    pub event_type: &'a str,
    /// The chain's value after it.
    pub chain: &'a [u8],
    /// W3C trace context.
    pub traceparent: Option<&'a str>,
    /// What it says.
    pub payload: &'a [u8],
}

/// Why a record was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The client holds as much as it may: wait for acknowledgements.
    #[error("the client holds as much as it may")]
    Full,
    /// The broker takes all but this one record; sending it again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// What comes in time; none if it does not.
pub(crate) async fn within<P: Platform, T>(
    platform: &P,
    wait: Duration,
    asked: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        answer = asked => Some(answer),
        () = platform.sleep(wait) => None,
    }
}

/// An answer of the database that comes in time, or an error that passes by itself.
pub(crate) async fn answered<P: Platform, T, E: From<sqlx::Error>>(
    platform: &P,
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let answer = within(platform, crate::store::ANSWER_WAIT, asked).await;
    answer.unwrap_or_else(|| Err(crate::store::late(crate::store::ANSWER_WAIT).into()))
}
