//! Declarations with what belongs to each: references, document, history, the filer's inbox, and clearances.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use fabric::{StoreError, SubjectSet, Working};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::{count, json, number, unreadable};
use crate::app::state::{LrnClaim, State, subject};
use crate::domain::clearance::{Clearance, Position};
use crate::domain::debt::DebtState;
use crate::domain::declaration::{Declaration, FactKind};

/// Reads declarations, references, inboxes and clearances.
pub async fn load(
    db: &mut PgConnection,
    subjects: &SubjectSet,
    state: &mut State,
) -> Result<(), sqlx::Error> {
    state.declarations = declarations(db, subjects).await?;
    state.lrns = lrns(db, subjects).await?;
    state.clearances = clearances(db, subjects).await?;
    state.namesakes = namesakes(db, subjects).await?;
    let filers = subjects.keys(subject::INBOX);
    if !filers.is_empty() {
        let rows = sqlx::query!(
            "select filer, head from inbox where filer = any($1)",
            &filers
        )
        .fetch_all(db)
        .await?;
        state.inboxes = Working::loaded(
            filers,
            rows.into_iter().map(|row| (row.filer, count(row.head))),
        );
    }
    Ok(())
}

async fn declarations(
    db: &mut PgConnection,
    subjects: &SubjectSet,
) -> Result<Working<Uuid, Declaration>, sqlx::Error> {
    let ids: Vec<Uuid> = subjects
        .keys(subject::DECLARATION)
        .iter()
        .filter_map(|id| Uuid::parse_str(id).ok())
        .collect();
    if ids.is_empty() {
        return Ok(Working::default());
    }
    let rows = sqlx::query!(
        r#"select id, body as "body: Json<Declaration>" from declaration where id = any($1)"#,
        &ids
    )
    .fetch_all(db)
    .await?;
    Ok(Working::loaded(
        ids,
        rows.into_iter().map(|row| (row.id, row.body.0)),
    ))
}

async fn lrns(
    db: &mut PgConnection,
    subjects: &SubjectSet,
) -> Result<Working<(String, String), LrnClaim>, sqlx::Error> {
    let keys: Vec<(String, String)> = subjects
        .keys(subject::LRN)
        .iter()
        .filter_map(|key| {
            key.split_once('/')
                .map(|(filer, lrn)| (filer.to_owned(), lrn.to_owned()))
        })
        .collect();
    if keys.is_empty() {
        return Ok(Working::default());
    }
    let (filers, lrns): (Vec<String>, Vec<String>) = keys.iter().cloned().unzip();
    let rows = sqlx::query!(
        "select filer, lrn, declaration_id, digest, answer from lrn
         where (filer, lrn) in (select * from unnest($1::text[], $2::text[]))",
        &filers,
        &lrns
    )
    .fetch_all(db)
    .await?;
    let mut claims = Vec::with_capacity(rows.len());
    for row in rows {
        let digest = row
            .digest
            .try_into()
            .map_err(|_| unreadable("lrn.digest", "not 32 bytes"))?;
        claims.push((
            (row.filer, row.lrn),
            LrnClaim {
                declaration_id: row.declaration_id,
                digest,
                answer: row.answer,
            },
        ));
    }
    Ok(Working::loaded(keys, claims))
}

/// Who has an open export under a name. A number of customs' own has one filer.
async fn namesakes(
    db: &mut PgConnection,
    subjects: &SubjectSet,
) -> Result<Working<String, BTreeSet<String>>, sqlx::Error> {
    let names = subjects.keys(subject::NAME);
    if names.is_empty() {
        return Ok(Working::default());
    }
    let rows = sqlx::query!(
        "select distinct r.value, d.filer from declaration_reference r join declaration d on d.id = r.declaration_id
         where r.kind = 'name' and r.value = any($1) and d.open",
        &names
    )
    .fetch_all(db)
    .await?;
    let mut filers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        filers.entry(row.value).or_default().insert(row.filer);
    }
    Ok(Working::loaded(names, filers))
}

async fn clearances(
    db: &mut PgConnection,
    subjects: &SubjectSet,
) -> Result<Working<String, Clearance>, sqlx::Error> {
    let keys = subjects.keys(subject::KEY);
    if keys.is_empty() {
        return Ok(Working::default());
    }
    let rows = sqlx::query!(
        r#"select key, version, positions as "positions: Json<Vec<PositionRow>>" from clearance where key = any($1)"#,
        &keys
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let positions = row
            .positions
            .0
            .into_iter()
            .map(|row| ((row.declaration_id, row.transport_document), row.position))
            .collect();
        (
            row.key,
            Clearance {
                version: count(row.version),
                positions,
            },
        )
    });
    Ok(Working::loaded(keys, found))
}

/// A position as it stands in its column: JSON objects have no keys of two parts.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct PositionRow {
    declaration_id: Uuid,
    transport_document: String,
    position: Position,
}

/// Writes everything of declarations.
pub async fn store(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    store_declarations(db, state, now).await?;
    store_references(db, state).await?;
    store_documents(db, state).await?;
    store_history(db, state, now).await?;
    store_lrns(db, state).await?;
    store_inboxes(db, state).await?;
    store_clearances(db, state).await
}

/// One row of the declaration table, by columns.
#[derive(Default)]
struct Columns {
    id: Vec<Uuid>,
    version: Vec<i64>,
    mrn: Vec<Option<String>>,
    lrn: Vec<String>,
    type_code: Vec<String>,
    filer: Vec<String>,
    trader: Vec<Option<String>>,
    payer: Vec<Option<String>>,
    status: Vec<String>,
    debt: Vec<String>,
    outstanding: Vec<Option<Decimal>>,
    to_guarantee: Vec<Option<Decimal>>,
    exit_awaited_since: Vec<Option<DateTime<Utc>>>,
    open: Vec<bool>,
    party_held: Vec<bool>,
    filed_at: Vec<DateTime<Utc>>,
    body: Vec<serde_json::Value>,
}

impl Columns {
    fn push(&mut self, declaration: &Declaration, now: DateTime<Utc>) -> Result<(), StoreError> {
        let debt = declaration.debt.state();
        let waits = matches!(debt, DebtState::Short | DebtState::Assessed);
        self.id.push(declaration.id);
        self.version.push(number(declaration.version)?);
        self.mrn
            .push(declaration.mrn.as_ref().map(ToString::to_string));
        self.lrn.push(declaration.filing.lrn.clone());
        self.type_code.push(declaration.filing.type_code.clone());
        self.filer.push(declaration.filer.clone());
        self.trader.push(declaration.trader.clone());
        self.payer.push(declaration.payer.clone());
        self.status.push(declaration.status().name().to_owned());
        self.debt.push(debt.name().to_owned());
        self.outstanding.push(
            declaration
                .debt
                .outstanding()
                .ok()
                .filter(|_| waits)
                .map(|money| money.amount()),
        );
        self.to_guarantee.push(
            declaration
                .debt
                .uncovered()
                .filter(|_| waits)
                .map(|money| money.amount()),
        );
        self.exit_awaited_since
            .push(declaration.exit_awaited_since());
        self.open.push(declaration.is_open());
        self.party_held.push(declaration.party_held);
        self.filed_at
            .push(declaration.facts.when(FactKind::Filed).unwrap_or(now));
        self.body.push(json(declaration)?);
        Ok(())
    }
}

async fn store_declarations(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut rows = Columns::default();
    for (_, declaration) in state.declarations.changed() {
        rows.push(declaration, now)?;
    }
    if rows.id.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into declaration
             (id, version, mrn, lrn, type_code, filer, trader, payer, status, debt, outstanding, open, filed_at, recorded_at, body,
              to_guarantee, exit_awaited_since, party_held)
         select id, version, mrn, lrn, type_code, filer, trader, payer, status, debt, outstanding, open, filed_at, $15, body,
                to_guarantee, exit_awaited_since, party_held
         from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::text[], $11::numeric[], $12::boolean[], $13::timestamptz[], $14::jsonb[],
                     $16::numeric[], $17::timestamptz[], $18::boolean[])
              as row (id, version, mrn, lrn, type_code, filer, trader, payer, status, debt, outstanding, open, filed_at, body,
                      to_guarantee, exit_awaited_since, party_held)
         on conflict (id) do update set
             version = excluded.version, status = excluded.status, debt = excluded.debt, outstanding = excluded.outstanding,
             to_guarantee = excluded.to_guarantee, exit_awaited_since = excluded.exit_awaited_since, party_held = excluded.party_held, open = excluded.open, recorded_at = excluded.recorded_at, body = excluded.body
         where declaration.version <= excluded.version",
        &rows.id,
        &rows.version,
        &rows.mrn as &[Option<String>],
        &rows.lrn,
        &rows.type_code,
        &rows.filer,
        &rows.trader as &[Option<String>],
        &rows.payer as &[Option<String>],
        &rows.status,
        &rows.debt,
        &rows.outstanding as &[Option<Decimal>],
        &rows.open,
        &rows.filed_at,
        &rows.body,
        now,
        &rows.to_guarantee as &[Option<Decimal>],
        &rows.exit_awaited_since as &[Option<DateTime<Utc>>],
        &rows.party_held,
    )
    .execute(db)
    .await?;
    StoreError::check_rows("store declarations", rows.id.len(), done.rows_affected())
}

async fn store_references(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let (mut kinds, mut values, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for (id, declaration) in state
        .declarations
        .changed()
        .filter(|(_, declaration)| !declaration.is_rejected())
    {
        for (kind, value) in declaration
            .references()
            .iter()
            .filter_map(|reference| reference.split_once('/'))
        {
            kinds.push(kind.to_owned());
            values.push(value.to_owned());
            ids.push(*id);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into declaration_reference (kind, value, declaration_id)
         select * from unnest($1::text[], $2::text[], $3::uuid[]) on conflict do nothing",
        &kinds,
        &values,
        &ids
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn store_documents(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    if state.documents.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = state
        .documents
        .iter()
        .map(|document| document.declaration_id)
        .collect();
    let types: Vec<String> = state
        .documents
        .iter()
        .map(|document| document.content_type.to_owned())
        .collect();
    let bytes: Vec<Vec<u8>> = state
        .documents
        .iter()
        .map(|document| document.bytes.to_vec())
        .collect();
    let done = sqlx::query!(
        "insert into document (declaration_id, content_type, bytes) select * from unnest($1::uuid[], $2::text[], $3::bytea[])",
        &ids,
        &types,
        &bytes
    )
    .execute(db)
    .await?;
    StoreError::check_rows("store documents", ids.len(), done.rows_affected())
}

async fn store_history(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if state.history.is_empty() {
        return Ok(());
    }
    let entries = &state.history;
    let ids: Vec<Uuid> = entries.iter().map(|entry| entry.declaration_id).collect();
    let versions = entries
        .iter()
        .map(|entry| number(entry.version))
        .collect::<Result<Vec<i64>, _>>()?;
    let facts: Vec<String> = entries.iter().map(|entry| entry.fact.to_owned()).collect();
    let observed: Vec<DateTime<Utc>> = entries.iter().map(|entry| entry.observed_at).collect();
    let parties: Vec<String> = entries.iter().map(|entry| entry.by_party.clone()).collect();
    let people: Vec<String> = entries
        .iter()
        .map(|entry| entry.by_subject.clone())
        .collect();
    let details: Vec<String> = entries.iter().map(|entry| entry.detail.clone()).collect();
    let done = sqlx::query!(
        "insert into declaration_history (declaration_id, version, fact, observed_at, recorded_at, by_party, by_subject, detail)
         select id, version, fact, observed_at, $8, by_party, by_subject, detail
         from unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
              as row (id, version, fact, observed_at, by_party, by_subject, detail)",
        &ids,
        &versions,
        &facts,
        &observed,
        &parties,
        &people,
        &details,
        now
    )
    .execute(db)
    .await?;
    StoreError::check_rows("store history", ids.len(), done.rows_affected())
}

async fn store_lrns(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let (mut filers, mut lrns, mut ids, mut digests, mut answers) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((filer, lrn), claim) in state.lrns.changed() {
        filers.push(filer.clone());
        lrns.push(lrn.clone());
        ids.push(claim.declaration_id);
        digests.push(claim.digest.to_vec());
        answers.push(claim.answer.clone());
    }
    if ids.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into lrn (filer, lrn, declaration_id, digest, answer)
         select * from unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[], $5::bytea[])",
        &filers,
        &lrns,
        &ids,
        &digests,
        &answers
    )
    .execute(db)
    .await?;
    StoreError::check_rows(
        "store references of filers",
        ids.len(),
        done.rows_affected(),
    )
}

async fn store_inboxes(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let (mut filers, mut heads) = (Vec::new(), Vec::new());
    for (filer, head) in state.inboxes.changed() {
        filers.push(filer.clone());
        heads.push(number(*head)?);
    }
    if filers.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into inbox (filer, head) select * from unnest($1::text[], $2::bigint[])
         on conflict (filer) do update set head = excluded.head where inbox.head < excluded.head",
        &filers,
        &heads
    )
    .execute(&mut *db)
    .await?;
    StoreError::check_rows("store inboxes", filers.len(), done.rows_affected())?;
    store_notifications(db, state).await
}

async fn store_notifications(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let posted = &state.notifications;
    let filers: Vec<String> = posted.iter().map(|posted| posted.filer.clone()).collect();
    let sequences = posted
        .iter()
        .map(|posted| number(posted.sequence))
        .collect::<Result<Vec<i64>, _>>()?;
    let ids: Vec<Uuid> = posted
        .iter()
        .map(|posted| posted.notification.declaration_id)
        .collect();
    let mrns: Vec<String> = posted
        .iter()
        .map(|posted| posted.notification.mrn.clone())
        .collect();
    let lrns: Vec<String> = posted
        .iter()
        .map(|posted| posted.notification.lrn.clone())
        .collect();
    let codes: Vec<i16> = posted
        .iter()
        .map(|posted| posted.notification.code.number())
        .collect();
    let versions: Vec<i32> = posted
        .iter()
        .map(|posted| i32::try_from(posted.notification.filing_version).unwrap_or(i32::MAX))
        .collect();
    let issued: Vec<DateTime<Utc>> = posted
        .iter()
        .map(|posted| posted.notification.issued_at)
        .collect();
    let details = posted
        .iter()
        .map(|posted| json(&posted.notification.detail))
        .collect::<Result<Vec<_>, _>>()?;
    let done = sqlx::query!(
        "insert into notification (filer, sequence, declaration_id, mrn, lrn, code, filing_version, issued_at, detail)
         select * from unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::smallint[], $7::integer[], $8::timestamptz[], $9::jsonb[])",
        &filers,
        &sequences,
        &ids,
        &mrns,
        &lrns,
        &codes,
        &versions,
        &issued,
        &details
    )
    .execute(db)
    .await?;
    StoreError::check_rows("store notifications", posted.len(), done.rows_affected())
}

async fn store_clearances(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let (mut keys, mut versions, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    for (key, clearance) in state.clearances.changed() {
        let rows: Vec<PositionRow> = clearance
            .positions
            .iter()
            .map(|((declaration_id, document), position)| PositionRow {
                declaration_id: *declaration_id,
                transport_document: document.clone(),
                position: position.clone(),
            })
            .collect();
        keys.push(key.clone());
        versions.push(number(clearance.version)?);
        positions.push(json(&rows)?);
    }
    if keys.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into clearance (key, version, positions) select * from unnest($1::text[], $2::bigint[], $3::jsonb[])
         on conflict (key) do update set version = excluded.version, positions = excluded.positions
         where clearance.version < excluded.version",
        &keys,
        &versions,
        &positions
    )
    .execute(db)
    .await?;
    StoreError::check_rows("store clearances", keys.len(), done.rows_affected())
}
