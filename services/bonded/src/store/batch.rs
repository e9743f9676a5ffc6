//! What a batch reads under its locks and writes before its commit: one statement for
//! each table, whatever the batch's size. Lots, movements and balances are only added.

use fabric::{StoreError, SubjectSet, Working};
use kernel::BookNumber;
use serde::Serialize;
use sqlx::PgConnection;

use super::rows::{BookRow, LineRow, signed, signed_number};
use crate::app::{State, kind};
use crate::domain::amount::Total;
use crate::domain::book::Book;
use crate::domain::ledger::{CauseKind, Movement};
use crate::domain::line::{BookLine, LineId};
use crate::domain::party::KnownParty;

/// Reads the state of every locked subject.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn load(db: &mut PgConnection, subjects: &SubjectSet) -> Result<State, sqlx::Error> {
    Ok(State {
        parties: parties(db, subjects.keys(kind::PARTY)).await?,
        books: books(db, subjects.keys(kind::BOOK)).await?,
        lines: lines(db, &subjects.keys(kind::LINE)).await?,
        openings: openings(db, subjects.keys(kind::OPENING)).await?,
        lots: Vec::new(),
        movements: Vec::new(),
    })
}

/// Writes what the batch changed.
///
/// # Errors
/// The database refuses, or a statement touches another number of rows than it must.
pub async fn store(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    write_parties(db, state).await?;
    write_books(db, state).await?;
    write_lines(db, state).await?;
    add_lots(db, state).await?;
    add_movements(db, &state.movements).await?;
    add_balances(db, state).await
}

async fn parties(
    db: &mut PgConnection,
    keys: Vec<String>,
) -> Result<Working<String, KnownParty>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(Working::default());
    }
    let rows = sqlx::query!(
        "select party_id, version_epoch, version, name, roles, suspended from known_party where party_id = any($1)",
        &keys
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let version = (row.version_epoch.unsigned_abs(), row.version.unsigned_abs());
        let party = KnownParty {
            party_id: row.party_id.clone(),
            version,
            name: row.name,
            roles: row.roles,
            suspended: row.suspended,
        };
        (row.party_id, party)
    });
    Ok(Working::loaded(keys, found))
}

async fn books(
    db: &mut PgConnection,
    keys: Vec<String>,
) -> Result<Working<BookNumber, Book>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(Working::default());
    }
    let rows = sqlx::query_as!(
        BookRow,
        "select book_number, version, site_id, trader_party, lines, head_ordinal, head_chain, head_recorded_at,
                opened_at, opened_by_party, opened_by_subject
         from book where book_number = any($1)",
        &keys
    )
    .fetch_all(db)
    .await?;
    let found = rows
        .into_iter()
        .map(Book::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    let keys = keys.iter().filter_map(|key| BookNumber::parse(key).ok());
    Ok(Working::loaded(
        keys,
        found
            .into_iter()
            .map(|book| (book.book_number.clone(), book)),
    ))
}

async fn lines(
    db: &mut PgConnection,
    keys: &[String],
) -> Result<Working<LineId, BookLine>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(Working::default());
    }
    let ids: Vec<LineId> = keys.iter().filter_map(|key| LineId::parse(key)).collect();
    let books: Vec<String> = ids.iter().map(|id| id.book_number.to_string()).collect();
    let numbers: Vec<i32> = ids.iter().map(|id| signed_number(id.line_number)).collect();
    let rows = sqlx::query_as!(
        LineRow,
        "select book_number, line_number, version, hs_code, goods_description,
                unit_declared, unit_statutory_1, unit_statutory_2, suspended_for_increase, suspended_for_decrease,
                suspension_reason, suspension_changed_at, suspension_changed_by_party, suspension_changed_by_subject,
                lots, added_at, added_by_party, added_by_subject
         from book_line where (book_number, line_number) in (select * from unnest($1::text[], $2::integer[]))",
        &books,
        &numbers
    )
    .fetch_all(db)
    .await?;
    let found = rows
        .into_iter()
        .map(BookLine::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Working::loaded(
        ids,
        found.into_iter().map(|line| (line.id.clone(), line)),
    ))
}

async fn openings(
    db: &mut PgConnection,
    keys: Vec<String>,
) -> Result<Working<String, ()>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(Working::default());
    }
    let mut parts = (Vec::new(), Vec::new(), Vec::new());
    for key in &keys {
        // "BOOK/LINE/REFERENCE": only the reference may hold a slash.
        let mut fields = key.splitn(3, '/');
        let line = fields
            .next()
            .zip(fields.next())
            .and_then(|(book, line)| LineId::parse(&format!("{book}/{line}")));
        if let (Some(line), Some(reference)) = (line, fields.next()) {
            parts.0.push(line.book_number.to_string());
            parts.1.push(signed_number(line.line_number));
            parts.2.push(reference.to_owned());
        }
    }
    let found = sqlx::query_scalar!(
        r#"select book_number || '/' || line_number || '/' || cause_reference as "key!"
           from movement
           where cause_kind = 'OPENING' and (book_number, line_number, cause_reference) in
               (select * from unnest($1::text[], $2::integer[], $3::text[]))"#,
        &parts.0,
        &parts.1,
        &parts.2
    )
    .fetch_all(db)
    .await?;
    Ok(Working::loaded(
        keys,
        found.into_iter().map(|key| (key, ())),
    ))
}

/// A party as one row: its list of roles does not fit into parallel arrays.
#[derive(Serialize)]
struct PartyRow<'a> {
    party_id: &'a str,
    version_epoch: i64,
    version: i64,
    name: &'a str,
    roles: &'a [String],
    suspended: bool,
}

async fn write_parties(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<PartyRow<'_>> = state
        .parties
        .changed()
        .map(|(_, party)| PartyRow {
            party_id: &party.party_id,
            version_epoch: signed(party.version.0),
            version: signed(party.version.1),
            name: &party.name,
            roles: &party.roles,
            suspended: party.suspended,
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let count = rows.len();
    let rows = serde_json::to_value(rows).map_err(|error| StoreError::Value(error.to_string()))?;
    let touched = sqlx::query!(
        "insert into known_party (party_id, version_epoch, version, name, roles, suspended)
         select * from jsonb_to_recordset($1) as row (party_id text, version_epoch bigint, version bigint, name text, roles text[], suspended boolean)
         on conflict (party_id) do update set
             version_epoch = excluded.version_epoch, version = excluded.version, name = excluded.name,
             roles = excluded.roles, suspended = excluded.suspended",
        rows
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write parties", count, touched.rows_affected())
}

async fn write_books(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let books: Vec<&Book> = state.books.changed().map(|(_, book)| book).collect();
    if books.is_empty() {
        return Ok(());
    }
    // A version that does not grow is a torn read: then a row is left out and counted.
    let touched = sqlx::query!(
        "insert into book (book_number, version, site_id, trader_party, lines, head_ordinal, head_chain, head_recorded_at,
                           opened_at, opened_by_party, opened_by_subject)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bytea[],
                              $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[])
         on conflict (book_number) do update set
             version = excluded.version, lines = excluded.lines, head_ordinal = excluded.head_ordinal,
             head_chain = excluded.head_chain, head_recorded_at = excluded.head_recorded_at
         where book.version < excluded.version",
        &column(&books, |book| book.book_number.to_string()),
        &column(&books, |book| signed(book.version)),
        &column(&books, |book| book.site_id.clone()),
        &column(&books, |book| book.trader_party.clone()),
        &column(&books, |book| signed_number(book.lines)),
        &column(&books, |book| signed(book.head.ordinal)),
        &column(&books, |book| book.head.chain.to_vec()),
        &column(&books, |book| book.head.recorded_at) as _,
        &column(&books, |book| book.opened_at),
        &column(&books, |book| book.opened_by_party.clone()),
        &column(&books, |book| book.opened_by_subject.clone()),
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write books", books.len(), touched.rows_affected())
}

async fn write_lines(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let lines: Vec<&BookLine> = state.lines.changed().map(|(_, line)| line).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let suspension = |line: &BookLine| line.suspension.clone();
    let touched = sqlx::query!(
        "insert into book_line (book_number, line_number, version, hs_code, goods_description,
                                unit_declared, unit_statutory_1, unit_statutory_2,
                                suspended_for_increase, suspended_for_decrease, suspension_reason, suspension_changed_at,
                                suspension_changed_by_party, suspension_changed_by_subject,
                                lots, added_at, added_by_party, added_by_subject)
         select * from unnest($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                              $9::boolean[], $10::boolean[], $11::text[], $12::timestamptz[], $13::text[], $14::text[],
                              $15::integer[], $16::timestamptz[], $17::text[], $18::text[])
         on conflict (book_number, line_number) do update set
             version = excluded.version, suspended_for_increase = excluded.suspended_for_increase,
             suspended_for_decrease = excluded.suspended_for_decrease, suspension_reason = excluded.suspension_reason,
             suspension_changed_at = excluded.suspension_changed_at,
             suspension_changed_by_party = excluded.suspension_changed_by_party,
             suspension_changed_by_subject = excluded.suspension_changed_by_subject, lots = excluded.lots",
        &column(&lines, |line| line.id.book_number.to_string()),
        &column(&lines, |line| signed_number(line.id.line_number)),
        &column(&lines, |line| signed(line.version)),
        &column(&lines, |line| line.hs_code.to_string()),
        &column(&lines, |line| line.goods_description.clone()),
        &column(&lines, |line| line.units.declared.to_string()),
        &column(&lines, |line| line.units.statutory_1.to_string()),
        &column(&lines, |line| line.units.statutory_2.to_string()),
        &column(&lines, |line| line.suspended_for_increase),
        &column(&lines, |line| line.suspended_for_decrease),
        &column(&lines, |line| suspension(line).map(|suspension| suspension.reason)) as _,
        &column(&lines, |line| suspension(line).map(|suspension| suspension.changed_at)) as _,
        &column(&lines, |line| suspension(line).map(|suspension| suspension.by_party)) as _,
        &column(&lines, |line| suspension(line).map(|suspension| suspension.by_subject)) as _,
        &column(&lines, |line| signed_number(line.lots)),
        &column(&lines, |line| line.added_at),
        &column(&lines, |line| line.added_by_party.clone()),
        &column(&lines, |line| line.added_by_subject.clone()),
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write lines", lines.len(), touched.rows_affected())
}

async fn add_lots(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let lots = &state.lots;
    if lots.is_empty() {
        return Ok(());
    }
    let touched = sqlx::query!(
        "insert into lot (lot_id, book_number, line_number, ordinal, entry_date, storage_until)
         select * from unnest($1::text[], $2::text[], $3::integer[], $4::integer[], $5::date[], $6::date[])",
        &column(lots, |(lot, _)| lot.lot_id.clone()),
        &column(lots, |(lot, _)| lot.line.book_number.to_string()),
        &column(lots, |(lot, _)| signed_number(lot.line.line_number)),
        &column(lots, |(lot, _)| signed_number(lot.ordinal)),
        &column(lots, |(lot, _)| lot.entry_date),
        &column(lots, |(lot, _)| lot.storage_until),
    )
    .execute(db)
    .await?;
    StoreError::check_rows("add lots", lots.len(), touched.rows_affected())
}

async fn add_movements(db: &mut PgConnection, movements: &[Movement]) -> Result<(), StoreError> {
    if movements.is_empty() {
        return Ok(());
    }
    let touched = sqlx::query!(
        "insert into movement (movement_id, book_number, ordinal, line_number, lot_id, total, declared, statutory_1, statutory_2,
                               unit_declared, unit_statutory_1, unit_statutory_2, cause_kind, cause_reference,
                               effective_at, recorded_at, recorded_by_party, recorded_by_subject, chain)
         select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::integer[], $5::text[], $6::text[],
                              $7::numeric[], $8::numeric[], $9::numeric[], $10::text[], $11::text[], $12::text[],
                              $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[], $17::text[], $18::text[], $19::bytea[])",
        &column(movements, |movement| movement.id),
        &column(movements, |movement| movement.book_number.to_string()),
        &column(movements, |movement| signed(movement.ordinal)),
        &column(movements, |movement| signed_number(movement.posting.line_number)),
        &column(movements, |movement| movement.posting.lot_id.clone()),
        &column(movements, |movement| movement.posting.total.as_str().to_owned()),
        &column(movements, |movement| movement.posting.amount.declared),
        &column(movements, |movement| movement.posting.amount.statutory_1),
        &column(movements, |movement| movement.posting.amount.statutory_2),
        &column(movements, |movement| movement.posting.units.declared.to_string()),
        &column(movements, |movement| movement.posting.units.statutory_1.to_string()),
        &column(movements, |movement| movement.posting.units.statutory_2.to_string()),
        &column(movements, |movement| cause_kind(movement.posting.cause.kind)),
        &column(movements, |movement| movement.posting.cause.reference.clone()),
        &column(movements, |movement| movement.posting.effective_at),
        &column(movements, |movement| movement.recorded_at),
        &column(movements, |movement| movement.posting.by_party.clone()),
        &column(movements, |movement| movement.posting.by_subject.clone()),
        &column(movements, |movement| movement.chain.to_vec()),
    )
    .execute(db)
    .await?;
    StoreError::check_rows("add movements", movements.len(), touched.rows_affected())
}

async fn add_balances(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let lots = &state.lots;
    if lots.is_empty() {
        return Ok(());
    }
    // Three numbers for each of the four totals, one after the other, for each lot.
    let numbers = column(lots, |(_, totals)| {
        Total::ALL.map(|total| totals.of(total).numbers())
    })
    .into_iter()
    .flatten()
    .flatten()
    .collect::<Vec<_>>();
    let touched = sqlx::query!(
        "insert into balance (lot_id, book_number, line_number,
             provisional_increase_declared, provisional_increase_statutory_1, provisional_increase_statutory_2,
             provisional_decrease_declared, provisional_decrease_statutory_1, provisional_decrease_statutory_2,
             actual_increase_declared, actual_increase_statutory_1, actual_increase_statutory_2,
             actual_decrease_declared, actual_decrease_statutory_1, actual_decrease_statutory_2)
         select lot_id, book_number, line_number,
             n[at + 1], n[at + 2], n[at + 3], n[at + 4], n[at + 5], n[at + 6],
             n[at + 7], n[at + 8], n[at + 9], n[at + 10], n[at + 11], n[at + 12]
         from (select lot.*, (place - 1) * 12 as at, $4::numeric[] as n
               from unnest($1::text[], $2::text[], $3::integer[]) with ordinality as lot (lot_id, book_number, line_number, place)) as lots",
        &column(lots, |(lot, _)| lot.lot_id.clone()),
        &column(lots, |(lot, _)| lot.line.book_number.to_string()),
        &column(lots, |(lot, _)| signed_number(lot.line.line_number)),
        &numbers,
    )
    .execute(db)
    .await?;
    StoreError::check_rows("add balances", lots.len(), touched.rows_affected())
}

fn cause_kind(kind: CauseKind) -> String {
    kind.as_str().to_owned()
}

/// One column of rows, to be sent as an array.
fn column<R, C>(rows: &[R], field: impl Fn(&R) -> C) -> Vec<C> {
    rows.iter().map(field).collect()
}
