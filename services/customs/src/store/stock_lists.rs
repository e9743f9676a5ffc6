//! Bonded's stock lists as customs has learnt them.

use chrono::{DateTime, Utc};
use fabric::{StoreError, SubjectSet, Working};
use kernel::{Lrn, StockListNumber};
use sqlx::PgConnection;

use super::{count, number, unreadable};
use crate::app::state::{State, subject};
use crate::domain::stock_list::{ListState, StockList};

/// Reads stock lists.
pub async fn load(
    db: &mut PgConnection,
    subjects: &SubjectSet,
    state: &mut State,
) -> Result<(), sqlx::Error> {
    let numbers = subjects.keys(subject::LIST);
    if numbers.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        "select list_number, version, site_id, trader, declaration_lrn, state, reserved_at from stock_list where list_number = any($1)",
        &numbers
    )
    .fetch_all(db)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let list = StockList {
            number: StockListNumber::parse(&row.list_number)
                .map_err(|error| unreadable("stock_list.list_number", error))?,
            version: count(row.version),
            site_id: row.site_id,
            trader: row.trader,
            declaration_lrn: row
                .declaration_lrn
                .as_deref()
                .map(Lrn::parse)
                .transpose()
                .map_err(|error| unreadable("stock_list.declaration_lrn", error))?,
            state: ListState::parse(&row.state)
                .ok_or_else(|| unreadable("stock_list.state", &row.state))?,
            reserved_at: row.reserved_at,
        };
        found.push((row.list_number, list));
    }
    state.lists = Working::loaded(numbers, found);
    Ok(())
}

/// Writes stock lists.
pub async fn store(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let lists: Vec<&StockList> = state.lists.changed().map(|(_, list)| list).collect();
    if lists.is_empty() {
        return Ok(());
    }
    let numbers: Vec<String> = lists.iter().map(|list| list.number.to_string()).collect();
    let versions = lists
        .iter()
        .map(|list| number(list.version))
        .collect::<Result<Vec<i64>, _>>()?;
    let sites: Vec<String> = lists.iter().map(|list| list.site_id.clone()).collect();
    let traders: Vec<String> = lists.iter().map(|list| list.trader.clone()).collect();
    let references: Vec<Option<String>> = lists
        .iter()
        .map(|list| list.declaration_lrn.as_ref().map(ToString::to_string))
        .collect();
    let states: Vec<String> = lists
        .iter()
        .map(|list| list.state.name().to_owned())
        .collect();
    let reserved: Vec<Option<DateTime<Utc>>> = lists.iter().map(|list| list.reserved_at).collect();
    let done = sqlx::query!(
        "insert into stock_list (list_number, version, site_id, trader, declaration_lrn, state, reserved_at)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
         on conflict (list_number) do update set version = excluded.version, site_id = excluded.site_id,
             trader = excluded.trader, declaration_lrn = excluded.declaration_lrn, state = excluded.state,
             reserved_at = excluded.reserved_at
         where stock_list.version < excluded.version",
        &numbers,
        &versions,
        &sites,
        &traders,
        &references as &[Option<String>],
        &states,
        &reserved as &[Option<DateTime<Utc>>]
    )
    .execute(db)
    .await?;
    StoreError::check_rows("store stock lists", lists.len(), done.rows_affected())
}
