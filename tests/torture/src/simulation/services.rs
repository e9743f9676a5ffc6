//! The two small services that are simulated first. `Counter` adds to counters, publishes each sum, and adds to the
//! counter that a pointer names; `Mirror` folds the sums that it reads into numbers from which it shows whether each came
//! once and in order, publishes them on, and opens a gate on what it knows. They name, load, decide and store as the real
//! services do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabric::platform::Session;
use fabric::{
    Context, Decision, Fact, Record, Service, StoreError, SubjectSet, Subjects, Unreadable, Working,
};
use kernel::Refusal;
use sqlx::PgConnection;

use super::database::{self, Own, OwnRows, table};

/// The topic of the sums.
pub const SUMS: &str = "test.sum";
/// The topic of the sums that were read.
pub const MIRRORED: &str = "test.mirrored";
/// A gate is opened on nothing older.
pub const KNOWN_FOR_MOST: Duration = Duration::from_secs(5);
/// What is said of a gate whose counter is not known well enough.
pub const UNKNOWN: &str = "unknown";
/// The most that the counter of this name takes.
pub const SMALL: (&str, i64) = ("small", 3);
/// The counter of this name cannot be stored.
pub const UNSTORABLE: &str = "unstorable";
/// Sums of this counter are not understood by a mirror that is confused.
pub const ODD: &str = "odd";

const SUMMED: &str = "greenlane.test.sum.added";
const SEEN: &str = "greenlane.test.mirrored.seen";
const KIND: &str = "row";

/// The rows that a batch has read, by name.
pub type State = Working<String, Vec<i64>>;

/// What is asked of a counter.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Add one to the counters of this name, "a&b" to that of both; each publishes its sum.
    Add(String),
    /// Let a pointer name another counter.
    Point(String, i64),
    /// Add one to the counter that the pointer names.
    AddThrough(String),
}

impl Ask {
    /// Its content, to compare by.
    pub fn content(&self) -> String {
        format!("{self:?}")
    }
}

/// The counter that a pointer with this number names.
pub fn pointed(number: i64) -> String {
    format!("pointed-{number}")
}

fn pointer_of(name: &str) -> String {
    format!("pointer/{name}")
}

/// Adds and publishes.
pub struct Counter;

impl Service for Counter {
    const NAME: &'static str = "counter";
    type Input = Ask;
    type State = State;

    fn produces(&self) -> &'static [&'static str] {
        &[SUMS]
    }

    fn consumes(&self) -> &'static [&'static str] {
        &[]
    }

    fn decode(&self, record: &Record) -> Result<Ask, Unreadable> {
        Err(Unreadable(format!("{} is not consumed", record.topic)))
    }

    fn subjects(&self, ask: &Ask) -> Subjects {
        match ask {
            Ask::Add(name) => Subjects::new().write(KIND, name.as_str()),
            Ask::Point(pointer, _) => Subjects::new().write(KIND, pointer_of(pointer)),
            Ask::AddThrough(pointer) => Subjects::new().read(KIND, pointer_of(pointer)),
        }
    }

    fn follows(&self, ask: &Ask) -> bool {
        matches!(ask, Ask::AddThrough(_))
    }

    async fn load(&self, _: &mut PgConnection, _: &SubjectSet) -> Result<State, sqlx::Error> {
        Err(sqlx::Error::RowNotFound)
    }

    fn decide(&self, state: &mut State, ask: &Ask, _: &Context<'_>) -> Decision {
        let name = match ask {
            Ask::Add(name) => name.clone(),
            Ask::Point(pointer, number) => {
                state.put(pointer_of(pointer), vec![*number]);
                return Decision::respond(number.to_be_bytes().to_vec());
            }
            Ask::AddThrough(pointer) => pointed(first(state, &pointer_of(pointer))),
        };
        let sum = first(state, &name) + 1;
        if name == SMALL.0 && sum > SMALL.1 {
            return Decision::refuse(Refusal::unmet("FULL", "the counter is full", Vec::new()));
        }
        state.put(name.clone(), vec![sum]);
        let facts = name.split('&').map(|key| Fact {
            topic: SUMS,
            key: key.to_owned(),
            event_type: SUMMED,
            payload: sum.to_be_bytes().to_vec(),
        });
        let response = format!("{name}={sum}").into_bytes();
        Decision::respond(response).with_facts(facts.collect())
    }

    async fn store(
        &self,
        _: &mut PgConnection,
        _: &State,
        _: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        Err(sqlx::Error::RowNotFound.into())
    }
}

fn first(state: &State, name: &str) -> i64 {
    let numbers = state.get(&name.to_owned());
    numbers
        .and_then(|numbers| numbers.first())
        .copied()
        .unwrap_or(0)
}

/// What a mirror reads or is asked.
#[derive(Clone, Debug)]
pub enum Look {
    /// A sum of this counter.
    Sum(String, i64),
    /// Open the gate of this counter, if its last sum is even and no older than [`KNOWN_FOR_MOST`]; otherwise it is said
    /// why not.
    Open(String),
}

/// Reads, folds and publishes on.
#[derive(Default)]
pub struct Mirror {
    /// Whether it understands no sums of [`ODD`].
    pub confused: Arc<AtomicBool>,
}

/// What a sum makes of what was folded before.
pub fn folded(before: i64, sum: i64) -> i64 {
    before.wrapping_mul(1_000_003).wrapping_add(sum)
}

impl Service for Mirror {
    const NAME: &'static str = "mirror";
    type Input = Look;
    type State = State;

    fn produces(&self) -> &'static [&'static str] {
        &[MIRRORED]
    }

    fn consumes(&self) -> &'static [&'static str] {
        &[SUMS]
    }

    fn decode(&self, record: &Record) -> Result<Look, Unreadable> {
        if record.key == ODD && self.confused.load(Ordering::Relaxed) {
            return Err(Unreadable("this mirror is confused".into()));
        }
        Ok(Look::Sum(record.key.clone(), sum_of(&record.payload)?))
    }

    fn subjects(&self, look: &Look) -> Subjects {
        match look {
            Look::Sum(key, _) => Subjects::new().write(KIND, key.as_str()),
            Look::Open(key) => Subjects::new().read(KIND, key.as_str()),
        }
    }

    async fn load(&self, _: &mut PgConnection, _: &SubjectSet) -> Result<State, sqlx::Error> {
        Err(sqlx::Error::RowNotFound)
    }

    fn decide(&self, state: &mut State, look: &Look, context: &Context<'_>) -> Decision {
        match look {
            Look::Sum(key, sum) => {
                let before = state.get(key).and_then(|numbers| numbers.get(1)).copied();
                let fold = folded(before.unwrap_or(0), *sum);
                state.put(key.clone(), vec![*sum, fold]);
                Decision::applied().with_facts(vec![Fact {
                    topic: MIRRORED,
                    key: key.clone(),
                    event_type: SEEN,
                    payload: sum.to_be_bytes().to_vec(),
                }])
            }
            Look::Open(key) => {
                let sum = first(state, key);
                let age = context.knowledge.age(SUMS, key);
                let known = age.is_some_and(|age| age <= KNOWN_FOR_MOST)
                    && !context.parked.contains(SUMS, key);
                let said = match (known, sum % 2) {
                    (false, _) => UNKNOWN,
                    (true, 0) => "open",
                    (true, _) => "shut",
                };
                Decision::respond(format!("{said} {key}={sum}").into_bytes())
            }
        }
    }

    async fn store(
        &self,
        _: &mut PgConnection,
        _: &State,
        _: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        Err(sqlx::Error::RowNotFound.into())
    }

    fn needs_knowledge(&self, look: &Look) -> bool {
        matches!(look, Look::Open(_))
    }
}

/// The sum that an event says.
///
/// # Errors
/// It is none.
pub fn sum_of(payload: &[u8]) -> Result<i64, Unreadable> {
    let bytes = payload.try_into();
    let bytes = bytes.map_err(|_| Unreadable("a sum has eight bytes".into()))?;
    Ok(i64::from_be_bytes(bytes))
}

impl Session<Counter> for database::Session {
    async fn follow(&mut self, _: &Counter, asks: &[&Ask]) -> Result<Vec<Subjects>, sqlx::Error> {
        let pointers: Vec<String> = asks.iter().map(|ask| pointer_read(ask)).collect();
        let rows = numbers(&self.own_rows().await?);
        let target = |pointer: &String| {
            let number = rows
                .get(pointer)
                .and_then(|numbers| numbers.first())
                .copied();
            Subjects::new().write(KIND, pointed(number.unwrap_or(0)))
        };
        Ok(pointers.iter().map(target).collect())
    }

    async fn load(&mut self, _: &Counter, subjects: &SubjectSet) -> Result<State, sqlx::Error> {
        load(self, subjects).await
    }

    async fn store(
        &mut self,
        _: &Counter,
        state: &State,
        _: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let changed = changed(state);
        store(self, changed).await
    }
}

fn pointer_read(ask: &Ask) -> String {
    match ask {
        Ask::AddThrough(pointer) => pointer_of(pointer),
        Ask::Add(_) | Ask::Point(..) => String::new(),
    }
}

impl Session<Mirror> for database::Session {
    async fn follow(&mut self, _: &Mirror, looks: &[&Look]) -> Result<Vec<Subjects>, sqlx::Error> {
        Ok(vec![Subjects::new(); looks.len()])
    }

    async fn load(&mut self, _: &Mirror, subjects: &SubjectSet) -> Result<State, sqlx::Error> {
        load(self, subjects).await
    }

    async fn store(
        &mut self,
        _: &Mirror,
        state: &State,
        _: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let changed = changed(state);
        store(self, changed).await
    }
}

async fn load(
    session: &mut database::Session,
    subjects: &SubjectSet,
) -> Result<State, sqlx::Error> {
    let names = subjects.keys(KIND);
    let mut rows = numbers(&session.own_rows().await?);
    rows.retain(|name, _| names.contains(name));
    Ok(Working::loaded(names, rows))
}

/// The rows of a counter or a mirror, by name.
pub fn numbers(rows: &OwnRows) -> BTreeMap<String, Vec<i64>> {
    table(rows, KIND)
}

fn changed(state: &State) -> OwnRows {
    let row = |(name, numbers): (&String, &Vec<i64>)| -> ((&'static str, String), Own) {
        ((KIND, name.clone()), Arc::new(numbers.clone()))
    };
    state.changed().map(row).collect()
}

async fn store(session: &mut database::Session, changed: OwnRows) -> Result<(), StoreError> {
    if changed.keys().any(|(_, name)| name == UNSTORABLE) {
        return Err(StoreError::Value(UNSTORABLE.to_owned()));
    }
    session.put_own_rows(changed).await?;
    Ok(())
}
