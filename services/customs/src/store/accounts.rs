//! Deferment accounts and their entries.

use chrono::{DateTime, Utc};
use fabric::{StoreError, SubjectSet, Working};
use kernel::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{count, number, unreadable};
use crate::app::state::{State, subject};
use crate::domain::account::{Account, Entry};

/// Reads accounts. All are in one currency; another in a row is a fault of the database.
pub async fn load(
    db: &mut PgConnection,
    subjects: &SubjectSet,
    currency: &Currency,
    state: &mut State,
) -> Result<(), sqlx::Error> {
    let payers = subjects.keys(subject::ACCOUNT);
    if payers.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        "select payer, version, currency, balance, secured from account where payer = any($1)",
        &payers
    )
    .fetch_all(&mut *db)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        if row.currency != currency.as_str() {
            return Err(unreadable("account.currency", row.currency));
        }
        found.push((
            row.payer.clone(),
            account(row.payer, row.version, currency, row.balance, row.secured)?,
        ));
    }
    state.accounts = Working::loaded(payers, found);
    state.payments = payments(db, subjects, currency).await?;
    Ok(())
}

/// What was first credited under the references of payments.
async fn payments(
    db: &mut PgConnection,
    subjects: &SubjectSet,
    currency: &Currency,
) -> Result<Working<(String, String), Money>, sqlx::Error> {
    let keys: Vec<(String, String)> = subjects
        .keys(subject::PAYMENT)
        .iter()
        .filter_map(|key| key.split_once('/'))
        .map(|(payer, reference)| (payer.to_owned(), reference.to_owned()))
        .collect();
    if keys.is_empty() {
        return Ok(Working::default());
    }
    let (payers, references): (Vec<String>, Vec<String>) = keys.iter().cloned().unzip();
    let rows = sqlx::query!(
        "select distinct on (payer, reference) payer, reference, amount from account_entry
         where kind = 'PAID_IN' and (payer, reference) in (select * from unnest($1::text[], $2::text[]))
         order by payer, reference, number",
        &payers,
        &references
    )
    .fetch_all(db)
    .await?;
    let found: Result<Vec<_>, sqlx::Error> = rows
        .into_iter()
        .map(|row| {
            let amount = Money::new(row.amount, currency.clone())
                .map_err(|error| unreadable("account_entry.amount", error))?;
            Ok(((row.payer, row.reference), amount))
        })
        .collect();
    Ok(Working::loaded(keys, found?))
}

/// An account from its columns.
///
/// # Errors
/// Amounts that no program wrote.
pub fn account(
    payer: String,
    version: i64,
    currency: &Currency,
    balance: Decimal,
    secured: Decimal,
) -> Result<Account, sqlx::Error> {
    let money = |column, amount| {
        Money::new(amount, currency.clone()).map_err(|error| unreadable(column, error))
    };
    Ok(Account {
        payer,
        version: count(version),
        balance: money("account.balance", balance)?,
        secured: money("account.secured", secured)?,
        new_entries: Vec::new(),
    })
}

/// Writes accounts and their new entries.
pub async fn store(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let accounts: Vec<&Account> = state
        .accounts
        .changed()
        .map(|(_, account)| account)
        .collect();
    if accounts.is_empty() {
        return Ok(());
    }
    let payers: Vec<String> = accounts
        .iter()
        .map(|account| account.payer.clone())
        .collect();
    let versions = accounts
        .iter()
        .map(|account| number(account.version))
        .collect::<Result<Vec<i64>, _>>()?;
    let currencies: Vec<String> = accounts
        .iter()
        .map(|account| account.balance.currency().to_string())
        .collect();
    let balances: Vec<Decimal> = accounts
        .iter()
        .map(|account| account.balance.amount())
        .collect();
    let secured: Vec<Decimal> = accounts
        .iter()
        .map(|account| account.secured.amount())
        .collect();
    let done = sqlx::query!(
        "insert into account (payer, version, currency, balance, secured)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::numeric[], $5::numeric[])
         on conflict (payer) do update set version = excluded.version, balance = excluded.balance, secured = excluded.secured
         where account.version < excluded.version",
        &payers,
        &versions,
        &currencies,
        &balances,
        &secured
    )
    .execute(&mut *db)
    .await?;
    StoreError::check_rows("store accounts", accounts.len(), done.rows_affected())?;
    store_entries(db, &accounts).await
}

async fn store_entries(db: &mut PgConnection, accounts: &[&Account]) -> Result<(), StoreError> {
    let entries: Vec<(&String, &Entry)> = accounts
        .iter()
        .flat_map(|account| {
            account
                .new_entries
                .iter()
                .map(|entry| (&account.payer, entry))
        })
        .collect();
    let payers: Vec<String> = entries.iter().map(|(payer, _)| (*payer).clone()).collect();
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
    let references: Vec<String> = entries
        .iter()
        .map(|(_, entry)| entry.reference.clone())
        .collect();
    let recorded: Vec<DateTime<Utc>> = entries.iter().map(|(_, entry)| entry.recorded_at).collect();
    let done = sqlx::query!(
        "insert into account_entry (payer, number, kind, amount, declaration_id, reference, recorded_at)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::numeric[], $5::uuid[], $6::text[], $7::timestamptz[])",
        &payers,
        &numbers,
        &kinds,
        &amounts,
        &declarations as &[Option<Uuid>],
        &references,
        &recorded
    )
    .execute(db)
    .await?;
    StoreError::check_rows("store account entries", entries.len(), done.rows_affected())
}
