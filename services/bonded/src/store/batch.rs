//! What a batch reads under its locks and writes before its commit: one statement for
//! each table, whatever the batch's size. Movements are only added, and balances move by
//! exactly the movements that are.

use std::collections::{BTreeMap, BTreeSet};

use fabric::{StoreError, SubjectSet, Working};
use kernel::{BookNumber, StockListNumber};
use serde::Serialize;
use sqlx::PgConnection;

use super::rows::{BookRow, LineRow, UnreadableRow, signed, signed_number, totals};
use super::{lists, write_lists};
use crate::app::{State, kind};
use crate::domain::book::Book;
use crate::domain::ledger::{CauseKind, Movement};
use crate::domain::line::{BookLine, LineId};
use crate::domain::lot::{Entry, Lot, StockedLot};
use crate::domain::mandate::KnownMandate;
use crate::domain::party::KnownParty;

/// The most lots of one line that a decision looks at, oldest first.
const LOTS_PER_LINE_MAX: i64 = 10_000;

/// Reads the state of every locked subject.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn load(db: &mut PgConnection, subjects: &SubjectSet) -> Result<State, sqlx::Error> {
    let line_keys = subjects.keys(kind::LINE);
    let list_keys = subjects.keys(kind::LIST);
    let declaration_keys = subjects.keys(kind::DECLARATION);
    let serial_keys = subjects.keys(kind::SERIAL);
    let mut state = State {
        parties: parties(db, subjects.keys(kind::PARTY)).await?,
        mandates: mandates(
            db,
            &subjects.keys(kind::MANDATES_OF_PAIR),
            &subjects.keys(kind::MANDATE),
        )
        .await?,
        books: books(db, subjects.keys(kind::BOOK)).await?,
        lines: lines(db, &line_keys).await?,
        openings: openings(db, subjects.keys(kind::OPENING)).await?,
        lots: lots(db, &line_keys, &list_keys).await?,
        held_lists: held_lists(db, &line_keys).await?,
        serials: serials(db, &serial_keys).await?,
        epoch: epoch(db, &serial_keys).await?,
        ..State::default()
    };
    if list_keys.is_empty() && declaration_keys.is_empty() {
        return Ok(state);
    }
    let numbers = || {
        list_keys
            .iter()
            .filter_map(|key| StockListNumber::parse(key).ok())
    };
    let found = lists::lists(db, &list_keys).await?;
    state.lists = Working::loaded(
        numbers(),
        found.into_iter().map(|list| (list.number.clone(), list)),
    );
    let found = lists::passages(db, &list_keys).await?;
    state.passages = Working::loaded(
        numbers(),
        found
            .into_iter()
            .map(|passage| (passage.list_number.clone(), passage)),
    );
    let found = lists::declarations(db, &declaration_keys, &list_keys).await?;
    state.declarations = Working::loaded(
        declaration_keys,
        found
            .into_iter()
            .map(|declaration| (declaration.declaration_id.clone(), declaration)),
    );
    let found = lists::holds(db, &list_keys).await?;
    state.holds = Working::loaded([], found.into_iter().map(|hold| (hold.key.clone(), hold)));
    Ok(state)
}

/// Writes what the batch changed.
///
/// # Errors
/// The database refuses, or a statement touches another number of rows than it must.
pub async fn store(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    write_parties(db, state).await?;
    write_mandates(db, state).await?;
    write_serials(db, state).await?;
    write_books(db, state).await?;
    write_lines(db, state).await?;
    write_lots(db, state).await?;
    add_movements(db, &state.movements).await?;
    move_balances(db, &state.movements).await?;
    write_lists::store(db, state).await
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

/// Those of the pairs that may count when a batch is decided, which has begun by then, and those of these ids: of what is
/// over there may be any number.
async fn mandates(
    db: &mut PgConnection,
    pairs: &[String],
    ids: &[String],
) -> Result<Working<String, KnownMandate>, sqlx::Error> {
    if pairs.is_empty() && ids.is_empty() {
        return Ok(Working::default());
    }
    let rows = sqlx::query!(
        "select mandate_id, version_epoch, version, grantor_party, agent_party, files_stock_lists, goods, valid_from, valid_until,
                revoked_at
         from known_mandate where mandate_id = any($2)
            or grantor_party || '/' || agent_party = any($1) and files_stock_lists and revoked_at is null
               and (valid_until is null or valid_until > clock_timestamp() - interval '1 minute')",
        pairs,
        ids
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let mandate = KnownMandate {
            mandate_id: row.mandate_id.clone(),
            version: (row.version_epoch.unsigned_abs(), row.version.unsigned_abs()),
            grantor_party: row.grantor_party,
            agent_party: row.agent_party,
            files_stock_lists: row.files_stock_lists,
            goods: row.goods,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            revoked_at: row.revoked_at,
        };
        (row.mandate_id, mandate)
    });
    Ok(Working::loaded([], found))
}

async fn serials(
    db: &mut PgConnection,
    keys: &[String],
) -> Result<Working<String, BTreeMap<i32, u32>>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(Working::default());
    }
    let rows = sqlx::query!(
        r#"select customs_area || '/' || direction as "key!", year, last from stock_list_serial
           where customs_area || '/' || direction = any($1)"#,
        keys
    )
    .fetch_all(db)
    .await?;
    let mut found: BTreeMap<String, BTreeMap<i32, u32>> = BTreeMap::new();
    for row in rows {
        found
            .entry(row.key)
            .or_default()
            .insert(row.year, row.last.unsigned_abs());
    }
    Ok(Working::loaded(keys.iter().cloned(), found))
}

/// The epoch in which this service publishes, where serial numbers are given.
async fn epoch(db: &mut PgConnection, serial_keys: &[String]) -> Result<u32, sqlx::Error> {
    if serial_keys.is_empty() {
        return Ok(1);
    }
    fabric::epoch(db).await
}

/// The lots of these lines that hold or await something, and those of these lists whatever they hold.
async fn lots(
    db: &mut PgConnection,
    line_keys: &[String],
    list_keys: &[String],
) -> Result<Working<String, StockedLot>, sqlx::Error> {
    if line_keys.is_empty() {
        return Ok(Working::default());
    }
    let ids: Vec<LineId> = line_keys
        .iter()
        .filter_map(|key| LineId::parse(key))
        .collect();
    let books: Vec<String> = ids.iter().map(|id| id.book_number.to_string()).collect();
    let numbers: Vec<i32> = ids.iter().map(|id| signed_number(id.line_number)).collect();
    let rows = sqlx::query_file!(
        "src/store/sql/lots.sql",
        &books,
        &numbers,
        list_keys,
        LOTS_PER_LINE_MAX
    )
    .fetch_all(db)
    .await?;
    let mut found = Vec::new();
    for row in rows {
        let unreadable = |column| UnreadableRow {
            table: "lot",
            key: row.lot_id.clone(),
            column,
        };
        let book_number =
            BookNumber::parse(&row.book_number).map_err(|_| unreadable("book_number"))?;
        let origin = match (&row.list_number, row.list_line) {
            (Some(list), Some(line)) => {
                let list = StockListNumber::parse(list).map_err(|_| unreadable("list_number"))?;
                Some((list, line.unsigned_abs()))
            }
            _ => None,
        };
        let lot = Lot {
            lot_id: row.lot_id.clone(),
            line: LineId {
                book_number,
                line_number: row.line_number.unsigned_abs(),
            },
            ordinal: row.ordinal.unsigned_abs(),
            origin,
            entry: row
                .entry_date
                .zip(row.storage_until)
                .map(|(date, storage_until)| Entry {
                    date,
                    storage_until,
                }),
        };
        let totals = totals([
            [
                row.provisional_increase_declared,
                row.provisional_increase_statutory_1,
                row.provisional_increase_statutory_2,
            ],
            [
                row.provisional_decrease_declared,
                row.provisional_decrease_statutory_1,
                row.provisional_decrease_statutory_2,
            ],
            [
                row.actual_increase_declared,
                row.actual_increase_statutory_1,
                row.actual_increase_statutory_2,
            ],
            [
                row.actual_decrease_declared,
                row.actual_decrease_statutory_1,
                row.actual_decrease_statutory_2,
            ],
        ]);
        found.push((row.lot_id, StockedLot { lot, totals }));
    }
    Ok(Working::loaded([], found))
}

/// The lists whose goods are held, among those by which goods came to these lines.
async fn held_lists(
    db: &mut PgConnection,
    line_keys: &[String],
) -> Result<BTreeSet<StockListNumber>, sqlx::Error> {
    if line_keys.is_empty() {
        return Ok(BTreeSet::new());
    }
    let held = sqlx::query_scalar!(
        "select distinct h.list_number from stock_list_held h join lot l on l.list_number = h.list_number
         where h.held_until is null and l.book_number || '/' || l.line_number = any($1)",
        line_keys
    )
    .fetch_all(db)
    .await?;
    Ok(held
        .iter()
        .filter_map(|number| StockListNumber::parse(number).ok())
        .collect())
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
        "select book_number, version, site_id, trader_party, lines, head_ordinal, head_chain, head_recorded_at, clock_at,
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

/// These lines.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn lines(
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
    // A book of which neither version nor clock grows is a torn read: then a row is left out and counted.
    let touched = sqlx::query!(
        "insert into book (book_number, version, site_id, trader_party, lines, head_ordinal, head_chain, head_recorded_at,
                           opened_at, opened_by_party, opened_by_subject, clock_at)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bytea[],
                              $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::timestamptz[])
         on conflict (book_number) do update set
             version = excluded.version, lines = excluded.lines, head_ordinal = excluded.head_ordinal,
             head_chain = excluded.head_chain, head_recorded_at = excluded.head_recorded_at, clock_at = excluded.clock_at
         where (book.version, coalesce(book.clock_at, '-infinity')) < (excluded.version, excluded.clock_at)
            or book.version < excluded.version",
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
        &column(&books, |book| book.clock) as _,
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

async fn write_mandates(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let mandates: Vec<&KnownMandate> = state.mandates.changed().map(|(_, one)| one).collect();
    if mandates.is_empty() {
        return Ok(());
    }
    let touched = sqlx::query!(
        "insert into known_mandate (mandate_id, version_epoch, version, grantor_party, agent_party, files_stock_lists,
                                    valid_from, valid_until, revoked_at, goods)
         select m.mandate_id, m.version_epoch, m.version, m.grantor_party, m.agent_party, m.files_stock_lists,
                m.valid_from, m.valid_until, m.revoked_at, string_to_array(m.goods, ',')
         from unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::boolean[],
                     $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::text[])
              as m (mandate_id, version_epoch, version, grantor_party, agent_party, files_stock_lists,
                    valid_from, valid_until, revoked_at, goods)
         on conflict (mandate_id) do update set
             version_epoch = excluded.version_epoch, version = excluded.version, grantor_party = excluded.grantor_party,
             agent_party = excluded.agent_party, files_stock_lists = excluded.files_stock_lists,
             goods = excluded.goods, valid_from = excluded.valid_from, valid_until = excluded.valid_until, revoked_at = excluded.revoked_at",
        &column(&mandates, |mandate| mandate.mandate_id.clone()),
        &column(&mandates, |mandate| signed(mandate.version.0)),
        &column(&mandates, |mandate| signed(mandate.version.1)),
        &column(&mandates, |mandate| mandate.grantor_party.clone()),
        &column(&mandates, |mandate| mandate.agent_party.clone()),
        &column(&mandates, |mandate| mandate.files_stock_lists),
        &column(&mandates, |mandate| mandate.valid_from),
        &column(&mandates, |mandate| mandate.valid_until) as _,
        &column(&mandates, |mandate| mandate.revoked_at) as _,
        &column(&mandates, |mandate| mandate.goods.join(",")),
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write mandates", mandates.len(), touched.rows_affected())
}

async fn write_serials(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let serials: Vec<(String, String, i32, i32)> = state
        .serials
        .changed()
        .flat_map(|(key, years)| {
            let (area, direction) = key.split_once('/').unwrap_or_default();
            years.iter().map(|(year, last)| {
                (
                    area.to_owned(),
                    direction.to_owned(),
                    *year,
                    signed_number(*last),
                )
            })
        })
        .collect();
    if serials.is_empty() {
        return Ok(());
    }
    // A serial number is never given twice: it only grows.
    let touched = sqlx::query!(
        "insert into stock_list_serial as s (customs_area, direction, year, last)
         select * from unnest($1::text[], $2::text[], $3::integer[], $4::integer[])
         on conflict (customs_area, direction, year) do update set last = excluded.last where s.last <= excluded.last",
        &column(&serials, |serial| serial.0.clone()),
        &column(&serials, |serial| serial.1.clone()),
        &column(&serials, |serial| serial.2),
        &column(&serials, |serial| serial.3),
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write serials", serials.len(), touched.rows_affected())
}

/// New lots, each with its balance of nothing, and those that have entered.
async fn write_lots(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let lots: Vec<&Lot> = state
        .lots
        .iter()
        .filter(|(id, _)| state.lots_made.contains(*id))
        .map(|(_, stocked)| &stocked.lot)
        .collect();
    if lots.is_empty() {
        return Ok(());
    }
    let touched = sqlx::query!(
        "insert into lot (lot_id, book_number, line_number, ordinal, entry_date, storage_until, list_number, list_line)
         select * from unnest($1::text[], $2::text[], $3::integer[], $4::integer[], $5::date[], $6::date[], $7::text[], $8::integer[])
         on conflict (lot_id) do update set entry_date = excluded.entry_date, storage_until = excluded.storage_until",
        &column(&lots, |lot| lot.lot_id.clone()),
        &column(&lots, |lot| lot.line.book_number.to_string()),
        &column(&lots, |lot| signed_number(lot.line.line_number)),
        &column(&lots, |lot| signed_number(lot.ordinal)),
        &column(&lots, |lot| lot.entry.map(|entry| entry.date)) as _,
        &column(&lots, |lot| lot.entry.map(|entry| entry.storage_until)) as _,
        &column(&lots, |lot| lot.origin.as_ref().map(|(list, _)| list.to_string())) as _,
        &column(&lots, |lot| lot.origin.as_ref().map(|(_, line)| signed_number(*line))) as _,
    )
    .execute(&mut *db)
    .await?;
    StoreError::check_rows("write lots", lots.len(), touched.rows_affected())?;
    sqlx::query!(
        "insert into balance (lot_id, book_number, line_number,
             provisional_increase_declared, provisional_increase_statutory_1, provisional_increase_statutory_2,
             provisional_decrease_declared, provisional_decrease_statutory_1, provisional_decrease_statutory_2,
             actual_increase_declared, actual_increase_statutory_1, actual_increase_statutory_2,
             actual_decrease_declared, actual_decrease_statutory_1, actual_decrease_statutory_2)
         select lot_id, book_number, line_number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
         from unnest($1::text[], $2::text[], $3::integer[]) as lot (lot_id, book_number, line_number)
         on conflict (lot_id) do nothing",
        &column(&lots, |lot| lot.lot_id.clone()),
        &column(&lots, |lot| lot.line.book_number.to_string()),
        &column(&lots, |lot| signed_number(lot.line.line_number)),
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn add_movements(db: &mut PgConnection, movements: &[Movement]) -> Result<(), StoreError> {
    if movements.is_empty() {
        return Ok(());
    }
    let touched = sqlx::query!(
        "insert into movement (movement_id, book_number, ordinal, line_number, lot_id, total, declared, statutory_1, statutory_2,
                               unit_declared, unit_statutory_1, unit_statutory_2, cause_kind, cause_reference,
                               effective_at, recorded_at, recorded_by_party, recorded_by_subject, chain, reverses_movement_id)
         select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::integer[], $5::text[], $6::text[],
                              $7::numeric[], $8::numeric[], $9::numeric[], $10::text[], $11::text[], $12::text[],
                              $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[], $17::text[], $18::text[], $19::bytea[], $20::uuid[])",
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
        &column(movements, |movement| movement.posting.reverses) as _,
    )
    .execute(db)
    .await?;
    StoreError::check_rows("add movements", movements.len(), touched.rows_affected())
}

/// Moves every lot's balance by the sum of its new movements.
async fn move_balances(db: &mut PgConnection, movements: &[Movement]) -> Result<(), StoreError> {
    if movements.is_empty() {
        return Ok(());
    }
    let lots: BTreeSet<&str> = movements
        .iter()
        .map(|movement| movement.posting.lot_id.as_str())
        .collect();
    let touched = sqlx::query_file!(
        "src/store/sql/move_balances.sql",
        &column(movements, |movement| movement.posting.lot_id.clone()),
        &column(movements, |movement| movement
            .posting
            .total
            .as_str()
            .to_owned()),
        &column(movements, |movement| movement.posting.amount.declared),
        &column(movements, |movement| movement.posting.amount.statutory_1),
        &column(movements, |movement| movement.posting.amount.statutory_2),
    )
    .execute(db)
    .await?;
    StoreError::check_rows("move balances", lots.len(), touched.rows_affected())
}

fn cause_kind(kind: CauseKind) -> String {
    kind.as_str().to_owned()
}

/// One column of rows, to be sent as an array.
pub fn column<R, C>(rows: &[R], field: impl Fn(&R) -> C) -> Vec<C> {
    rows.iter().map(field).collect()
}
