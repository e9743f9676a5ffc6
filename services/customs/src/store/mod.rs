//! All SQL of customs. What a batch needs is read with a statement per table and written with a statement per
//! table, whatever its size. Reading queries for callers stand in [`queries`], filtered by who asks.

pub mod accounts;
pub mod declarations;
pub mod guarantees;
pub mod leads;
pub mod parties;
pub mod queries;
pub mod stock_lists;
pub mod visits;

use chrono::{DateTime, Utc};
use fabric::{StoreError, SubjectSet};
use kernel::Currency;
use sqlx::PgConnection;

use crate::app::state::{State, subject};

/// Reads the working set of a batch.
pub async fn load(
    db: &mut PgConnection,
    subjects: &SubjectSet,
    currency: &Currency,
) -> Result<State, sqlx::Error> {
    let mut state = State::default();
    declarations::load(db, subjects, &mut state).await?;
    visits::load(db, subjects, &mut state).await?;
    parties::load(db, subjects, &mut state).await?;
    accounts::load(db, subjects, currency, &mut state).await?;
    guarantees::load(db, subjects, currency, &mut state).await?;
    stock_lists::load(db, subjects, &mut state).await?;
    visits::load_holds(db, subjects, &mut state).await?;
    Ok(state)
}

/// Writes what a batch changed.
pub async fn store(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    declarations::store(db, state, now).await?;
    visits::store(db, state).await?;
    parties::store(db, state).await?;
    accounts::store(db, state).await?;
    guarantees::store(db, state).await?;
    stock_lists::store(db, state).await
}

/// The numbers of containers among clearance keys.
fn containers_of(subjects: &SubjectSet) -> Vec<String> {
    subjects
        .keys(subject::KEY)
        .iter()
        .filter_map(|key| key.strip_prefix("container/").map(str::to_owned))
        .collect()
}

/// A number of a row that is never negative.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A version for a row.
fn number(count: u64) -> Result<i64, StoreError> {
    i64::try_from(count)
        .map_err(|_| StoreError::Value(format!("{count} is larger than a row can hold")))
}

/// A value that cannot be read from its row: a migration or a person has broken it.
fn unreadable(column: &str, error: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("{column}: {error}").into())
}

/// A value as the JSON of its column.
fn json<T: serde::Serialize>(value: &T) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(value).map_err(|error| StoreError::Value(error.to_string()))
}
