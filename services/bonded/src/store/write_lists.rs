//! Writes the lists that a batch changed, and what it learnt about them: a statement for each table.

use fabric::StoreError;
use sqlx::PgConnection;

use super::batch::column;
use super::rows::{signed, signed_number};
use crate::app::State;
use crate::domain::declaration::KnownDeclaration;
use crate::domain::discrepancy::{Discrepancy, Settled};
use crate::domain::hold::ListHold;
use crate::domain::passage::{Pass, Passage};
use crate::domain::stock_list::{HeldSpan, ListLine, Part, StockList, direction_name};

/// Writes everything about lists.
///
/// # Errors
/// The database refuses, or a statement touches another number of rows than it must.
pub async fn store(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let lists: Vec<&StockList> = state.lists.changed().map(|(_, list)| list).collect();
    if !lists.is_empty() {
        write_lists(db, &lists).await?;
        write_lines(db, &lists).await?;
        write_parts(db, &lists).await?;
        write_held(db, &lists).await?;
        write_discrepancies(db, &lists).await?;
    }
    write_passages(db, state).await?;
    write_declarations(db, state).await?;
    write_holds(db, state).await
}

async fn write_lists(db: &mut PgConnection, lists: &[&StockList]) -> Result<(), StoreError> {
    let short = |list: &&StockList| list.closed_short.clone();
    let touched = sqlx::query!(
        "insert into stock_list as s (list_number, version, site_id, direction, book_number, trader_party, filer_party, filer_subject,
                                 declaration_lrn, declaration_filer_party, state, stood, void_ask_id,
                                 closed_short_by_party, closed_short_by_subject, closed_short_reason, reason,
                                 filed_at, posted_at, posted_effective_at, counted_at, mandate_id)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                              $9::text[], $10::text[], $11::text[], $12::text[], $13::uuid[],
                              $14::text[], $15::text[], $16::text[], $17::text[],
                              $18::timestamptz[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[],
                              $22::text[])
         on conflict (list_number) do update set
             version = excluded.version, state = excluded.state, stood = excluded.stood, void_ask_id = excluded.void_ask_id,
             closed_short_by_party = excluded.closed_short_by_party, closed_short_by_subject = excluded.closed_short_by_subject,
             closed_short_reason = excluded.closed_short_reason, reason = excluded.reason,
             posted_at = excluded.posted_at, posted_effective_at = excluded.posted_effective_at,
             counted_at = excluded.counted_at
         where s.version <= excluded.version",
        &column(lists, |list| list.number.to_string()),
        &column(lists, |list| signed(list.version)),
        &column(lists, |list| list.site_id.clone()),
        &column(lists, |list| direction_name(list.direction).to_owned()),
        &column(lists, |list| list.book_number.to_string()),
        &column(lists, |list| list.trader_party.clone()),
        &column(lists, |list| list.filer_party.clone()),
        &column(lists, |list| list.filer_subject.clone()),
        &column(lists, |list| list.declaration_lrn.to_string()),
        &column(lists, |list| list.declaration_filer_party.clone()) as _,
        &column(lists, |list| list.state.as_str().to_owned()),
        &column(lists, |list| list.stood.map(|state| state.as_str().to_owned())) as _,
        &column(lists, |list| list.void_ask_id) as _,
        &column(lists, |list| short(list).map(|short| short.by_party)) as _,
        &column(lists, |list| short(list).map(|short| short.by_subject)) as _,
        &column(lists, |list| short(list).map(|short| short.reason)) as _,
        &column(lists, |list| list.reason.clone()) as _,
        &column(lists, |list| list.filed_at),
        &column(lists, |list| list.posted.map(|posted| posted.at)) as _,
        &column(lists, |list| list.posted.map(|posted| posted.effective_at)) as _,
        &column(lists, |list| list.counted_at) as _,
        &column(lists, |list| list.mandate_id.clone()) as _,
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write stock lists", lists.len(), touched.rows_affected())
}

async fn write_lines(db: &mut PgConnection, lists: &[&StockList]) -> Result<(), StoreError> {
    let lines: Vec<(&StockList, &ListLine)> = lists
        .iter()
        .flat_map(|list| list.lines.iter().map(move |line| (*list, line)))
        .collect();
    let touched = sqlx::query!(
        "insert into stock_list_line (list_number, line_number, book_number, book_line, declared, statutory_1, statutory_2, counted)
         select * from unnest($1::text[], $2::integer[], $3::text[], $4::integer[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[])
         on conflict (list_number, line_number) do update set counted = excluded.counted",
        &column(&lines, |(list, _)| list.number.to_string()),
        &column(&lines, |(_, line)| signed_number(line.number)),
        &column(&lines, |(list, _)| list.book_number.to_string()),
        &column(&lines, |(_, line)| signed_number(line.book_line)),
        &column(&lines, |(_, line)| line.amount.declared),
        &column(&lines, |(_, line)| line.amount.statutory_1),
        &column(&lines, |(_, line)| line.amount.statutory_2),
        &column(&lines, |(_, line)| line.counted) as _,
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write list lines", lines.len(), touched.rows_affected())
}

async fn write_parts(db: &mut PgConnection, lists: &[&StockList]) -> Result<(), StoreError> {
    let parts: Vec<(&StockList, u32, u32, &Part)> = lists
        .iter()
        .flat_map(|list| {
            list.lines.iter().flat_map(move |line| {
                (1..)
                    .zip(&line.parts)
                    .map(move |(place, part)| (*list, line.number, place, part))
            })
        })
        .collect();
    let actual = |part: &Part| part.actual.map(|(amount, _)| amount);
    let touched = sqlx::query!(
        "insert into stock_list_part (list_number, line_number, part, lot_id,
                                      provisional_declared, provisional_statutory_1, provisional_statutory_2, provisional_movement_id,
                                      actual_declared, actual_statutory_1, actual_statutory_2, actual_movement_id)
         select * from unnest($1::text[], $2::integer[], $3::integer[], $4::text[],
                              $5::numeric[], $6::numeric[], $7::numeric[], $8::uuid[],
                              $9::numeric[], $10::numeric[], $11::numeric[], $12::uuid[])
         on conflict (list_number, line_number, part) do update set
             actual_declared = excluded.actual_declared, actual_statutory_1 = excluded.actual_statutory_1,
             actual_statutory_2 = excluded.actual_statutory_2, actual_movement_id = excluded.actual_movement_id",
        &column(&parts, |(list, ..)| list.number.to_string()),
        &column(&parts, |(_, line, ..)| signed_number(*line)),
        &column(&parts, |(_, _, place, _)| signed_number(*place)),
        &column(&parts, |(.., part)| part.lot_id.clone()),
        &column(&parts, |(.., part)| part.provisional.declared),
        &column(&parts, |(.., part)| part.provisional.statutory_1),
        &column(&parts, |(.., part)| part.provisional.statutory_2),
        &column(&parts, |(.., part)| part.provisional_movement),
        &column(&parts, |(.., part)| actual(part).map(|amount| amount.declared)) as _,
        &column(&parts, |(.., part)| actual(part).map(|amount| amount.statutory_1)) as _,
        &column(&parts, |(.., part)| actual(part).map(|amount| amount.statutory_2)) as _,
        &column(&parts, |(.., part)| part.actual.map(|(_, movement)| movement)) as _,
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write list parts", parts.len(), touched.rows_affected())
}

async fn write_held(db: &mut PgConnection, lists: &[&StockList]) -> Result<(), StoreError> {
    let spans: Vec<(&StockList, HeldSpan)> = lists
        .iter()
        .flat_map(|list| list.held.iter().map(move |span| (*list, *span)))
        .collect();
    if spans.is_empty() {
        return Ok(());
    }
    let touched = sqlx::query!(
        "insert into stock_list_held (list_number, held_from, held_until)
         select * from unnest($1::text[], $2::timestamptz[], $3::timestamptz[])
         on conflict (list_number, held_from) do update set held_until = excluded.held_until",
        &column(&spans, |(list, _)| list.number.to_string()),
        &column(&spans, |(_, span)| span.from),
        &column(&spans, |(_, span)| span.until) as _,
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write held spans", spans.len(), touched.rows_affected())
}

async fn write_discrepancies(
    db: &mut PgConnection,
    lists: &[&StockList],
) -> Result<(), StoreError> {
    let all: Vec<(&StockList, u32, &Discrepancy)> = lists
        .iter()
        .flat_map(|list| {
            (1..)
                .zip(&list.discrepancies)
                .map(move |(ordinal, one)| (*list, ordinal, one))
        })
        .collect();
    if all.is_empty() {
        return Ok(());
    }
    let settled = |one: &Discrepancy| -> Option<Settled> { one.settled.clone() };
    let touched = sqlx::query!(
        "insert into discrepancy (discrepancy_id, list_number, ordinal, line_number, kind, expected, found, unit, opened_at,
                                  resolution, resolved_at, resolved_by_party, resolved_by_subject, reason)
         select * from unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::text[], $6::numeric[], $7::numeric[], $8::text[],
                              $9::timestamptz[], $10::text[], $11::timestamptz[], $12::text[], $13::text[], $14::text[])
         on conflict (discrepancy_id) do update set
             resolution = excluded.resolution, resolved_at = excluded.resolved_at,
             resolved_by_party = excluded.resolved_by_party, resolved_by_subject = excluded.resolved_by_subject,
             reason = excluded.reason",
        &column(&all, |(.., one)| one.id),
        &column(&all, |(list, ..)| list.number.to_string()),
        &column(&all, |(_, ordinal, _)| signed_number(*ordinal)),
        &column(&all, |(.., one)| signed_number(one.difference.line_number)),
        &column(&all, |(.., one)| one.difference.kind.as_str().to_owned()),
        &column(&all, |(.., one)| one.difference.expected.amount()),
        &column(&all, |(.., one)| one.difference.found.amount()),
        &column(&all, |(.., one)| one.difference.found.unit().to_string()),
        &column(&all, |(.., one)| one.opened_at),
        &column(&all, |(.., one)| settled(one).map(|settled| settled.resolution.as_str().to_owned())) as _,
        &column(&all, |(.., one)| settled(one).map(|settled| settled.at)) as _,
        &column(&all, |(.., one)| settled(one).map(|settled| settled.by_party)) as _,
        &column(&all, |(.., one)| settled(one).map(|settled| settled.by_subject)) as _,
        &column(&all, |(.., one)| settled(one).map(|settled| settled.reason)) as _,
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write discrepancies", all.len(), touched.rows_affected())
}

async fn write_passages(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let passages: Vec<&Passage> = state.passages.changed().map(|(_, one)| one).collect();
    if passages.is_empty() {
        return Ok(());
    }
    let touched = sqlx::query!(
        "insert into list_passage (list_number, version_epoch, version, closed, void_ask_id, void_applied)
         select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::boolean[], $5::text[], $6::boolean[])
         on conflict (list_number) do update set
             version_epoch = excluded.version_epoch, version = excluded.version, closed = excluded.closed,
             void_ask_id = excluded.void_ask_id, void_applied = excluded.void_applied",
        &column(&passages, |passage| passage.list_number.to_string()),
        &column(&passages, |passage| signed(passage.version.0)),
        &column(&passages, |passage| signed(passage.version.1)),
        &column(&passages, |passage| passage.closed),
        &column(&passages, |passage| passage.void_ask_id.clone()),
        &column(&passages, |passage| passage.void_applied),
    )
    .execute(&mut *db)
    .await?;
    StoreError::check_rows("write passages", passages.len(), touched.rows_affected())?;
    // The newest word on a list's passage is the whole of it.
    let numbers = column(&passages, |passage| passage.list_number.to_string());
    sqlx::query!(
        "with lines as (delete from list_pass_line where list_number = any($1)) delete from list_pass where list_number = any($1)",
        &numbers
    )
    .execute(&mut *db)
    .await?;
    let passes: Vec<(&Passage, &Pass)> = passages
        .iter()
        .flat_map(|passage| passage.passes.iter().map(move |pass| (*passage, pass)))
        .collect();
    if passes.is_empty() {
        return Ok(());
    }
    let touched = sqlx::query!(
        "insert into list_pass (list_number, pre_arrival_id, pass_number, state, passed_at)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])",
        &column(&passes, |(passage, _)| passage.list_number.to_string()),
        &column(&passes, |(_, pass)| pass.pre_arrival_id.clone()),
        &column(&passes, |(_, pass)| pass.pass_number.clone()),
        &column(&passes, |(_, pass)| pass.state.as_str().to_owned()),
        &column(&passes, |(_, pass)| pass.passed_at) as _,
    )
    .execute(&mut *db)
    .await?;
    StoreError::check_rows("write passes", passes.len(), touched.rows_affected())?;
    let lines: Vec<_> = passes
        .iter()
        .flat_map(|(passage, pass)| {
            pass.lines
                .iter()
                .map(move |(line, quantity)| (*passage, *pass, *line, quantity))
        })
        .collect();
    let touched = sqlx::query!(
        "insert into list_pass_line (list_number, pre_arrival_id, line_number, unit, quantity)
         select * from unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::numeric[])",
        &column(&lines, |(passage, ..)| passage.list_number.to_string()),
        &column(&lines, |(_, pass, ..)| pass.pre_arrival_id.clone()),
        &column(&lines, |(_, _, line, _)| signed_number(*line)),
        &column(&lines, |(.., quantity)| quantity.unit().to_string()),
        &column(&lines, |(.., quantity)| quantity.amount()),
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write pass lines", lines.len(), touched.rows_affected())
}

/// A declaration as one row: its list of lists does not fit into parallel arrays.
#[derive(serde::Serialize)]
struct DeclarationRow<'a> {
    declaration_id: &'a str,
    version_epoch: i64,
    version: i64,
    lrn: &'a str,
    filer_party: &'a str,
    trader_party: &'a str,
    procedure_kind: &'a str,
    released: bool,
    released_at: Option<chrono::DateTime<chrono::Utc>>,
    stock_lists: Vec<String>,
}

async fn write_declarations(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<DeclarationRow<'_>> = state
        .declarations
        .changed()
        .map(|(_, one): (_, &KnownDeclaration)| DeclarationRow {
            declaration_id: &one.declaration_id,
            version_epoch: signed(one.version.0),
            version: signed(one.version.1),
            lrn: &one.lrn,
            filer_party: &one.filer_party,
            trader_party: &one.trader_party,
            procedure_kind: &one.procedure_kind,
            released: one.released,
            released_at: one.released_at,
            stock_lists: one.stock_lists.iter().map(ToString::to_string).collect(),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let count = rows.len();
    let rows = serde_json::to_value(rows).map_err(|error| StoreError::Value(error.to_string()))?;
    let touched = sqlx::query!(
        "insert into known_declaration (declaration_id, version_epoch, version, lrn, filer_party, trader_party, procedure_kind, released, released_at, stock_lists)
         select * from jsonb_to_recordset($1) as row (declaration_id text, version_epoch bigint, version bigint, lrn text, filer_party text,
                                                      trader_party text, procedure_kind text, released boolean, released_at timestamptz, stock_lists text[])
         on conflict (declaration_id) do update set
             version_epoch = excluded.version_epoch, version = excluded.version, lrn = excluded.lrn,
             filer_party = excluded.filer_party, trader_party = excluded.trader_party,
             procedure_kind = excluded.procedure_kind, released = excluded.released,
             released_at = excluded.released_at, stock_lists = excluded.stock_lists",
        rows
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write declarations", count, touched.rows_affected())
}

async fn write_holds(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let holds: Vec<&ListHold> = state.holds.changed().map(|(_, hold)| hold).collect();
    if holds.is_empty() {
        return Ok(());
    }
    let touched = sqlx::query!(
        "insert into list_hold (topic, hold_id, list_number, kind, placed_by_party, reason, placed_at, lifted_at)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[])
         on conflict (topic, hold_id) do update set
             list_number = excluded.list_number, kind = excluded.kind, placed_by_party = excluded.placed_by_party,
             reason = excluded.reason, placed_at = excluded.placed_at, lifted_at = excluded.lifted_at",
        &column(&holds, |hold| hold.key.0.clone()),
        &column(&holds, |hold| hold.key.1.clone()),
        &column(&holds, |hold| hold.list_number.to_string()),
        &column(&holds, |hold| hold.kind.clone()),
        &column(&holds, |hold| hold.placed_by_party.clone()),
        &column(&holds, |hold| hold.reason.clone()),
        &column(&holds, |hold| hold.placed_at),
        &column(&holds, |hold| hold.lifted_at) as _,
    )
    .execute(db)
    .await?;
    StoreError::check_rows("write holds", holds.len(), touched.rows_affected())
}
