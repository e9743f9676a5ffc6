//! What a service is to the loop: how its inputs are named, read, decided and
//! written. A service crate implements [`Service`] once, in `app/mod.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kernel::Refusal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sequence::partition_of;
use crate::subject::{SubjectSet, Subjects};

/// A service, as the loop drives it.
///
/// One batch: [`Service::subjects`] and [`Service::follow`] name what is locked,
/// [`Service::load`] reads it, [`Service::decide`] decides every input in order,
/// [`Service::store`] writes what changed; the loop adds answers, positions and
/// events to the same transaction and commits.
pub trait Service: Send + Sync + 'static {
    /// The service's name: "gate".
    const NAME: &'static str;
    /// Every command, consumed record (decoded) and timer of the service.
    type Input: Send + Sync + 'static;
    /// What a batch has read and changed.
    type State: Send;

    /// The topics it publishes to, without prefix and version: "gate.site".
    fn produces(&self) -> &'static [&'static str];

    /// The topics it reads.
    fn consumes(&self) -> &'static [&'static str];

    /// Turns a record into an input.
    ///
    /// # Errors
    /// A record that cannot be understood parks its key.
    fn decode(&self, record: &Record) -> Result<Self::Input, Unreadable>;

    /// Inputs that come by themselves.
    fn timers(&self) -> Vec<Timer<Self::Input>> {
        Vec::new()
    }

    /// The things whose state the input reads or writes, as far as it says itself.
    fn subjects(&self, input: &Self::Input) -> Subjects;

    /// Whether [`Service::follow`] may add subjects to this input's. Such an
    /// input is never decided behind one of the same batch whose writes it
    /// would have to follow.
    fn follows(&self, input: &Self::Input) -> bool {
        let _ = input;
        false
    }

    /// Subjects that follow from what is stored: a plate leads to a pre-arrival.
    /// Called before the locks and again under them, with the inputs for which
    /// [`Service::follows`] is true; one [`Subjects`] each, in order. If the
    /// second answer is not covered by the first, the input waits for the next batch.
    fn follow(
        &self,
        db: &mut PgConnection,
        inputs: &[&Self::Input],
    ) -> impl Future<Output = Result<Vec<Subjects>, sqlx::Error>> + Send {
        let _ = db;
        let none = vec![Subjects::new(); inputs.len()];
        async move { Ok(none) }
    }

    /// Reads the state of every locked subject, with a statement per table.
    fn load(
        &self,
        db: &mut PgConnection,
        subjects: &SubjectSet,
    ) -> impl Future<Output = Result<Self::State, sqlx::Error>> + Send;

    /// Decides one input. Pure. Later inputs of the batch see what it changed in
    /// `state`; it must not change `state` when it only validates, and a refusal
    /// changes it only to keep what it was refused on.
    fn decide(
        &self,
        state: &mut Self::State,
        input: &Self::Input,
        context: &Context<'_>,
    ) -> Decision;

    /// Writes what the batch changed, with a statement per table.
    fn store(
        &self,
        db: &mut PgConnection,
        state: &Self::State,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Which part of its key's state a fact is. The newest fact of a key and aspect is what is stated again
    /// for a new reader; empty: it is the whole of the key's state; none: it is no state, and never stated
    /// again.
    fn aspect(&self, fact: &Fact) -> Option<String> {
        let _ = fact;
        Some(String::new())
    }

    /// Whether deciding this input asks how old the service's knowledge is.
    fn needs_knowledge(&self, input: &Self::Input) -> bool {
        let _ = input;
        false
    }
}

/// An input that comes by itself, every so often.
pub struct Timer<I> {
    /// What it is for, for logs.
    pub name: &'static str,
    /// How long after the last one.
    pub every: Duration,
    /// The input.
    pub input: fn() -> I,
}

/// A record of another service, as it came.
#[derive(Clone, Debug)]
pub struct Record {
    /// The topic, without prefix and version.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The producer's epoch.
    pub epoch: u64,
    /// Its place in the partition's sequence.
    pub sequence: u64,
    /// The subject.
    pub key: String,
    /// `ce_id`.
    pub event_id: String,
    /// `ce_type`.
    pub event_type: String,
    /// The event, protobuf.
    pub payload: Bytes,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

impl Record {
    /// Whether it states again what was published before. What it says counts as ever; nobody is told of it
    /// anew.
    pub fn is_restated(&self) -> bool {
        crate::restate::is_restated(&self.event_type)
    }
}

/// What a decision may know of the record that it applies.
#[derive(Clone, Copy, Debug)]
pub struct RecordHead<'a> {
    /// `ce_id`: the evidence to cite.
    pub event_id: &'a str,
    /// The topic, without prefix and version.
    pub topic: &'a str,
    /// The subject.
    pub key: &'a str,
    /// `ce_type`.
    pub event_type: &'a str,
    /// The producer's epoch.
    pub epoch: u64,
    /// Its place in the partition's sequence.
    pub sequence: u64,
}

/// A record that cannot be understood: its key is parked with this cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

impl From<prost::DecodeError> for Unreadable {
    fn from(error: prost::DecodeError) -> Self {
        Self(format!("not the expected message: {error}"))
    }
}

/// What stopped a write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A statement touched another number of rows than it must.
    #[error("{statement}: {expected} rows expected, {touched} touched")]
    Rows {
        /// The statement's name.
        statement: &'static str,
        /// Rows that it must touch.
        expected: u64,
        /// Rows that it touched.
        touched: u64,
    },
    /// A value that cannot be written.
    #[error("cannot be written: {0}")]
    Value(String),
}

impl StoreError {
    /// Checks the number of rows that a statement touched.
    ///
    /// # Errors
    /// [`StoreError::Rows`] if it is another than expected.
    pub fn check_rows(
        statement: &'static str,
        expected: usize,
        touched: u64,
    ) -> Result<(), StoreError> {
        let expected = expected as u64;
        if touched == expected {
            Ok(())
        } else {
            Err(Self::Rows {
                statement,
                expected,
                touched,
            })
        }
    }
}

/// What a decision is given besides state and input.
pub struct Context<'a> {
    /// The database's clock, read after the locks.
    pub now: DateTime<Utc>,
    /// New ids.
    pub ids: &'a (dyn Fn() -> Uuid + Send + Sync),
    /// The record that is applied, if the input is one.
    pub record: Option<RecordHead<'a>>,
    /// Keys with parked records: what depends on them is unknown.
    pub parked: &'a ParkedKeys,
    /// How old the knowledge is; filled if [`Service::needs_knowledge`].
    pub knowledge: &'a Knowledge,
}

impl Context<'_> {
    /// A new id.
    pub fn new_id(&self) -> Uuid {
        (self.ids)()
    }
}

/// The keys of which a record is parked.
#[derive(Clone, Debug, Default)]
pub struct ParkedKeys(pub(crate) BTreeSet<(String, String)>);

impl ParkedKeys {
    /// For tests of decisions: these (topic, key) are parked.
    pub fn of<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(
            keys.into_iter()
                .map(|(topic, key)| (topic.to_owned(), key.to_owned()))
                .collect(),
        )
    }

    /// Whether a record of this topic and key is parked.
    pub fn contains(&self, topic: &str, key: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&(topic.to_owned(), key.to_owned()))
    }
}

/// How old what is known of each consumed partition is.
#[derive(Clone, Debug, Default)]
pub struct Knowledge(pub(crate) BTreeMap<(String, u32), Duration>);

impl Knowledge {
    /// For tests of decisions: the same age for every partition of these topics.
    pub fn of<'a>(ages: impl IntoIterator<Item = (&'a str, Duration)>) -> Self {
        let mut all = BTreeMap::new();
        for (topic, age) in ages {
            for partition in 0..crate::PARTITIONS {
                all.insert((topic.to_owned(), partition), age);
            }
        }
        Self(all)
    }

    /// By partition: those that are not there are unknown.
    pub fn by_partition(ages: BTreeMap<(String, u32), Duration>) -> Self {
        Self(ages)
    }

    /// What was received so long ago by this process's own clock is no younger, whatever the database's
    /// clock says since.
    pub(crate) fn at_least_as_old_as(
        &mut self,
        received: &BTreeMap<(String, u32), Instant>,
        now: Instant,
    ) {
        for (part, age) in &mut self.0 {
            if let Some(received_at) = received.get(part) {
                *age = (*age).max(now.saturating_duration_since(*received_at));
            }
        }
    }

    /// Age of what is known of the partition that holds this key; none is
    /// unknown: stopped, behind, never heard of, or from the future.
    pub fn age(&self, topic: &str, key: &str) -> Option<Duration> {
        self.0.get(&(topic.to_owned(), partition_of(key))).copied()
    }

    /// Age of the oldest partition of a topic; none if any is unknown.
    pub fn oldest(&self, topic: &str) -> Option<Duration> {
        (0..crate::PARTITIONS)
            .map(|partition| self.0.get(&(topic.to_owned(), partition)).copied())
            .try_fold(Duration::ZERO, |oldest, age| age.map(|age| oldest.max(age)))
    }
}

/// What was decided about one input.
#[derive(Debug, Default)]
pub struct Decision {
    /// The answer to a command: the encoded response, or the refusal. None for
    /// records and timers.
    pub answer: Option<Result<Vec<u8>, Refusal>>,
    /// What is published with it.
    pub facts: Vec<Fact>,
    /// The party for whom a command was done, where that is another than asked: for the record.
    pub for_party: Option<String>,
}

impl Decision {
    /// A command is answered with this encoded response.
    pub fn respond(response: Vec<u8>) -> Self {
        Self {
            answer: Some(Ok(response)),
            ..Self::default()
        }
    }

    /// A command is refused.
    pub fn refuse(refusal: Refusal) -> Self {
        Self {
            answer: Some(Err(refusal)),
            ..Self::default()
        }
    }

    /// A record or timer was applied.
    pub fn applied() -> Self {
        Self::default()
    }

    /// With facts to publish.
    pub fn with_facts(mut self, facts: Vec<Fact>) -> Self {
        self.facts = facts;
        self
    }

    /// Done for this party.
    pub fn for_party(mut self, party: &str) -> Self {
        self.for_party = Some(party.to_owned());
        self
    }
}

/// A fact to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// One of [`Service::produces`].
    pub topic: &'static str,
    /// The subject: facts of one key are read in the order of their commits.
    pub key: String,
    /// `ce_type`: "greenlane.gate.container-visit.arrived".
    pub event_type: &'static str,
    /// The event, protobuf.
    pub payload: Vec<u8>,
}
