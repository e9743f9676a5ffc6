//! One of the four services in a simulated world. Its decisions are the real ones; its tables are kept in memory, each
//! batch reads them from end to end, and one at a time works on them: which rows an input leads to is a matter of SQL,
//! and no SQL runs here. What is played is what a service decides while instances die, records come again and knowledge
//! grows old. It must not know which service it is.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use fabric::platform::{Part, Session};
use fabric::{
    Context, Decision, Fact, Record, Service, StoreError, SubjectSet, Subjects, Timer, Unreadable,
    Working,
};
use sqlx::PgConnection;

use super::database::{self, OwnRows, table};

/// The kind and key of the subject that every batch has alone.
const TABLES: (&str, &str) = ("tables", "all");
/// While records are not understood, one key in so many is not.
const ODD_KEYS: usize = 3;

/// A service whose tables can be kept in memory.
pub trait Kept: Service<State: Sync> {
    /// What stands in its tables.
    type Tables: Default + Clone + Send + Sync + 'static;

    /// What a batch reads of them. `stopped` are the consumed partitions that have stopped.
    fn read(&self, tables: &Self::Tables, subjects: &SubjectSet, stopped: Vec<Part>)
    -> Self::State;

    /// Writes what a batch changed.
    fn write(tables: &mut Self::Tables, state: &Self::State);
}

/// A service as it is simulated.
pub struct Whole<S> {
    /// The service.
    pub service: Arc<S>,
    /// Whether it does not understand the records of some keys.
    pub confused: Arc<AtomicBool>,
}

impl<S: Kept> Service for Whole<S> {
    const NAME: &'static str = S::NAME;
    type Input = S::Input;
    type State = S::State;

    fn produces(&self) -> &'static [&'static str] {
        self.service.produces()
    }

    fn consumes(&self) -> &'static [&'static str] {
        self.service.consumes()
    }

    fn decode(&self, record: &Record) -> Result<S::Input, Unreadable> {
        let odd = record.key.bytes().map(usize::from).sum::<usize>() % ODD_KEYS == 0;
        if odd && self.confused.load(Ordering::Relaxed) {
            return Err(Unreadable("this instance is confused".into()));
        }
        self.service.decode(record)
    }

    fn timers(&self) -> Vec<Timer<S::Input>> {
        self.service.timers()
    }

    fn subjects(&self, input: &S::Input) -> Subjects {
        let (kind, key) = TABLES;
        self.service.subjects(input).write(kind, key)
    }

    async fn load(&self, _: &mut PgConnection, _: &SubjectSet) -> Result<S::State, sqlx::Error> {
        Err(sqlx::Error::RowNotFound)
    }

    fn decide(&self, state: &mut S::State, input: &S::Input, context: &Context<'_>) -> Decision {
        self.service.decide(state, input, context)
    }

    async fn store(
        &self,
        _: &mut PgConnection,
        _: &S::State,
        _: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        Err(sqlx::Error::RowNotFound.into())
    }

    fn aspect(&self, fact: &Fact) -> Option<String> {
        self.service.aspect(fact)
    }

    fn needs_knowledge(&self, input: &S::Input) -> bool {
        self.service.needs_knowledge(input)
    }
}

impl<S: Kept> Session<Whole<S>> for database::Session {
    async fn follow(
        &mut self,
        _: &Whole<S>,
        inputs: &[&S::Input],
    ) -> Result<Vec<Subjects>, sqlx::Error> {
        Ok(vec![Subjects::new(); inputs.len()])
    }

    async fn load(
        &mut self,
        whole: &Whole<S>,
        subjects: &SubjectSet,
    ) -> Result<S::State, sqlx::Error> {
        let tables = tables::<S>(&self.own_rows().await?);
        let stopped = self.stopped().await?;
        Ok(whole.service.read(&tables, subjects, stopped))
    }

    async fn store(
        &mut self,
        _: &Whole<S>,
        state: &S::State,
        _: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut tables = tables::<S>(&self.own_rows().await?);
        S::write(Arc::make_mut(&mut tables), state);
        let (name, key) = TABLES;
        let row: OwnRows = BTreeMap::from([((name, key.to_owned()), Arc::new(tables) as _)]);
        self.put_own_rows(row).await?;
        Ok(())
    }
}

/// What stands in the tables of a service; empty before its first batch.
pub fn tables<S: Kept>(rows: &OwnRows) -> Arc<S::Tables> {
    let (name, key) = TABLES;
    let mut rows = table::<Arc<S::Tables>>(rows, name);
    rows.remove(key).unwrap_or_default()
}

/// A table for a batch.
pub fn whole<K: Ord + Clone + Debug, V: Clone>(rows: &BTreeMap<K, V>) -> Working<K, V> {
    Working::whole(rows.iter().map(|(key, row)| (key.clone(), row.clone())))
}

/// Writes what a batch changed in a table.
pub fn keep<K: Ord + Clone + Debug, V: Clone>(rows: &mut BTreeMap<K, V>, batch: &Working<K, V>) {
    rows.extend(batch.changed().map(|(key, row)| (key.clone(), row.clone())));
}
