//! Guarantees of traders and their entries.

use chrono::{DateTime, Utc};
use fabric::{StoreError, SubjectSet, Working};
use kernel::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{count, number, unreadable};
use crate::app::state::{State, subject};
use crate::domain::guarantee::{Guarantee, GuaranteeEntry};

/// Reads guarantees. All are in one currency; another in a row is a fault of the database.
pub async fn load(
    db: &mut PgConnection,
    subjects: &SubjectSet,
    currency: &Currency,
    state: &mut State,
) -> Result<(), sqlx::Error> {
    let traders = subjects.keys(subject::ACCOUNT);
    if traders.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        "select trader, version, currency, amount, in_use from guarantee where trader = any($1)",
        &traders
    )
    .fetch_all(db)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        if row.currency != currency.as_str() {
            return Err(unreadable("guarantee.currency", row.currency));
        }
        found.push((
            row.trader.clone(),
            guarantee(row.trader, row.version, currency, row.amount, row.in_use)?,
        ));
    }
    state.guarantees = Working::loaded(traders, found);
    Ok(())
}

/// A guarantee from its columns.
///
/// # Errors
/// Amounts that no program wrote.
pub fn guarantee(
    trader: String,
    version: i64,
    currency: &Currency,
    amount: Decimal,
    in_use: Decimal,
) -> Result<Guarantee, sqlx::Error> {
    let money = |column, amount| {
        Money::new(amount, currency.clone()).map_err(|error| unreadable(column, error))
    };
    Ok(Guarantee {
        trader,
        version: count(version),
        amount: money("guarantee.amount", amount)?,
        in_use: money("guarantee.in_use", in_use)?,
        new_entries: Vec::new(),
    })
}

/// Writes guarantees and their new entries.
pub async fn store(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let guarantees: Vec<&Guarantee> = state
        .guarantees
        .changed()
        .map(|(_, guarantee)| guarantee)
        .collect();
    if guarantees.is_empty() {
        return Ok(());
    }
    let traders: Vec<String> = guarantees
        .iter()
        .map(|guarantee| guarantee.trader.clone())
        .collect();
    let versions = guarantees
        .iter()
        .map(|guarantee| number(guarantee.version))
        .collect::<Result<Vec<i64>, _>>()?;
    let currencies: Vec<String> = guarantees
        .iter()
        .map(|guarantee| guarantee.amount.currency().to_string())
        .collect();
    let amounts: Vec<Decimal> = guarantees
        .iter()
        .map(|guarantee| guarantee.amount.amount())
        .collect();
    let in_use: Vec<Decimal> = guarantees
        .iter()
        .map(|guarantee| guarantee.in_use.amount())
        .collect();
    let done = sqlx::query!(
        "insert into guarantee (trader, version, currency, amount, in_use)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::numeric[], $5::numeric[])
         on conflict (trader) do update set version = excluded.version, amount = excluded.amount, in_use = excluded.in_use
         where guarantee.version < excluded.version",
        &traders,
        &versions,
        &currencies,
        &amounts,
        &in_use
    )
    .execute(&mut *db)
    .await?;
    StoreError::check_rows("store guarantees", guarantees.len(), done.rows_affected())?;
    store_entries(db, &guarantees).await
}

async fn store_entries(db: &mut PgConnection, guarantees: &[&Guarantee]) -> Result<(), StoreError> {
    let entries: Vec<(&String, &GuaranteeEntry)> = guarantees
        .iter()
        .flat_map(|guarantee| {
            guarantee
                .new_entries
                .iter()
                .map(|entry| (&guarantee.trader, entry))
        })
        .collect();
    let traders: Vec<String> = entries
        .iter()
        .map(|(trader, _)| (*trader).clone())
        .collect();
    let numbers = entries
        .iter()
        .map(|(_, entry)| number(entry.number))
        .collect::<Result<Vec<i64>, _>>()?;
    let kinds: Vec<String> = entries
        .iter()
        .map(|(_, entry)| entry.kind.name().to_owned())
        .collect();
    let amounts: Vec<Decimal> = entries
        .iter()
        .map(|(_, entry)| entry.amount.amount())
        .collect();
    let declarations: Vec<Option<Uuid>> = entries
        .iter()
        .map(|(_, entry)| entry.declaration_id)
        .collect();
    let parties: Vec<String> = entries
        .iter()
        .map(|(_, entry)| entry.by.party.clone())
        .collect();
    let people: Vec<String> = entries
        .iter()
        .map(|(_, entry)| entry.by.subject.clone())
        .collect();
    let reasons: Vec<String> = entries
        .iter()
        .map(|(_, entry)| entry.reason.clone())
        .collect();
    let recorded: Vec<DateTime<Utc>> = entries.iter().map(|(_, entry)| entry.recorded_at).collect();
    let done = sqlx::query!(
        "insert into guarantee_entry
             (trader, number, kind, amount, declaration_id, by_party, by_subject, reason, recorded_at)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::numeric[], $5::uuid[], $6::text[], $7::text[],
                              $8::text[], $9::timestamptz[])",
        &traders,
        &numbers,
        &kinds,
        &amounts,
        &declarations as &[Option<Uuid>],
        &parties,
        &people,
        &reasons,
        &recorded
    )
    .execute(db)
    .await?;
    StoreError::check_rows(
        "store entries of guarantees",
        entries.len(),
        done.rows_affected(),
    )
}
