//! What a batch changed: one statement per table, whatever its size. Rows travel as one JSON array.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use fabric::StoreError;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{signed, timeline};
use crate::app::state::State;
use crate::domain::clearance::Clearance;
use crate::domain::commercial_release::{CommercialRelease, Revocation};
use crate::domain::container_visit::ContainerVisit;
use crate::domain::decision::Decision;
use crate::domain::declaration::DeclarationStanding;
use crate::domain::hold::Hold;
use crate::domain::stock_list::StockList;

/// Writes everything that changed.
///
/// # Errors
/// If the database refuses, or touches another number of rows than it was given.
pub async fn store(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sites(db, state).await?;
    parties(db, state).await?;
    declarations(db, state).await?;
    pre_arrivals(db, state).await?;
    visits(db, state, now).await?;
    lists(db, state, now).await?;
    clearances(db, state).await?;
    releases(db, state, now).await?;
    holds(db, state, now).await?;
    boards(db, state, now).await?;
    timeline::append(db, &state.timeline).await
}

#[derive(Serialize)]
struct VisitRow<'a> {
    container_visit_id: &'a str,
    container_number: &'a str,
    site_id: &'a str,
    over: bool,
    unknown: bool,
    transport_documents: Vec<&'a str>,
    reader_parties: Vec<String>,
    goods_parties: &'a BTreeSet<String>,
    party_holds: &'a BTreeSet<String>,
    decision_state: Option<&'static str>,
    decision_version: i64,
    known_since: DateTime<Utc>,
    body: &'a ContainerVisit,
}

impl<'a> VisitRow<'a> {
    fn of(visit: &'a ContainerVisit) -> Self {
        let stay = &visit.stay;
        Self {
            container_visit_id: &stay.container_visit_id,
            container_number: &stay.container_number,
            site_id: &stay.site_id,
            over: stay.is_over(),
            unknown: is_unknown(&visit.decision),
            transport_documents: stay.transport_documents().into_iter().collect(),
            reader_parties: visit.concerned.readers().into_iter().collect(),
            goods_parties: &visit.party_holds.parties,
            party_holds: &visit.party_holds.standing,
            decision_state: visit.decision.state.map(|state| state.name()),
            decision_version: signed(visit.decision.version),
            known_since: visit.known_since,
            body: visit,
        }
    }
}

async fn visits(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<VisitRow<'_>> = state
        .containers
        .changed()
        .flat_map(|(_, visits)| visits.changed())
        .map(VisitRow::of)
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into container_visit (container_visit_id, container_number, site_id, over, unknown, transport_documents,
                                      reader_parties, goods_parties, party_holds, decision_state, decision_version,
                                      known_since, recorded_at, body)
         select r.container_visit_id, r.container_number, r.site_id, r.over, r.unknown, r.transport_documents,
                r.reader_parties, r.goods_parties, r.party_holds, r.decision_state, r.decision_version, r.known_since, $2, r.body
         from jsonb_to_recordset($1) as r (container_visit_id text, container_number text, site_id text, over boolean,
              unknown boolean, transport_documents text[], reader_parties text[], goods_parties text[],
              party_holds text[], decision_state text,
              decision_version bigint, known_since timestamptz, body jsonb)
         on conflict (container_visit_id) do update set
             over = excluded.over, unknown = excluded.unknown, transport_documents = excluded.transport_documents,
             reader_parties = excluded.reader_parties, goods_parties = excluded.goods_parties,
             party_holds = excluded.party_holds, decision_state = excluded.decision_state,
             decision_version = excluded.decision_version, known_since = excluded.known_since,
             recorded_at = excluded.recorded_at, body = excluded.body",
        json(&rows)?,
        now
    )
    .execute(db)
    .await?;
    StoreError::check_rows("container_visit", rows.len(), done.rows_affected())
}

#[derive(Serialize)]
struct ListRow<'a> {
    list_number: &'a str,
    site_ids: &'a BTreeSet<String>,
    over: bool,
    unknown: bool,
    reader_parties: BTreeSet<String>,
    owner_parties: BTreeSet<String>,
    goods_parties: &'a BTreeSet<String>,
    party_holds: &'a BTreeSet<String>,
    decision_state: Option<&'static str>,
    decision_version: i64,
    body: &'a StockList,
}

impl<'a> ListRow<'a> {
    fn of(list: &'a StockList) -> Self {
        let decision = &list.decision;
        Self {
            list_number: &list.list_number,
            site_ids: &list.site_ids,
            over: list.is_over(),
            unknown: is_unknown(decision),
            reader_parties: list.concerned.readers(),
            owner_parties: list.concerned.owners(),
            goods_parties: &list.party_holds.parties,
            party_holds: &list.party_holds.standing,
            decision_state: decision.state.map(|state| state.name()),
            decision_version: signed(decision.version),
            body: list,
        }
    }
}

async fn lists(db: &mut PgConnection, state: &State, now: DateTime<Utc>) -> Result<(), StoreError> {
    let rows: Vec<ListRow<'_>> = state
        .lists
        .changed()
        .map(|(_, list)| ListRow::of(list))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into stock_list (list_number, site_ids, over, unknown, reader_parties, owner_parties, goods_parties,
                                 party_holds, decision_state, decision_version, recorded_at, body)
         select r.list_number, r.site_ids, r.over, r.unknown, r.reader_parties, r.owner_parties, r.goods_parties,
                r.party_holds, r.decision_state, r.decision_version, $2, r.body
         from jsonb_to_recordset($1) as r (list_number text, site_ids text[], over boolean, unknown boolean,
              reader_parties text[], owner_parties text[], goods_parties text[], party_holds text[],
              decision_state text, decision_version bigint, body jsonb)
         on conflict (list_number) do update set site_ids = excluded.site_ids, over = excluded.over,
             unknown = excluded.unknown, reader_parties = excluded.reader_parties, owner_parties = excluded.owner_parties,
             goods_parties = excluded.goods_parties, party_holds = excluded.party_holds,
             decision_state = excluded.decision_state, decision_version = excluded.decision_version,
             recorded_at = excluded.recorded_at, body = excluded.body",
        json(&rows)?,
        now
    )
    .execute(db)
    .await?;
    StoreError::check_rows("stock_list", rows.len(), done.rows_affected())
}

/// Whether the decision counts something as unknown.
fn is_unknown(decision: &Decision) -> bool {
    let conditions = &decision.conditions;
    conditions
        .iter()
        .any(|condition| condition.code == "UNKNOWN")
}

#[derive(Serialize)]
struct ClearanceRow<'a> {
    key: &'a str,
    epoch: i64,
    version: i64,
    declaration_ids: Vec<&'a str>,
    recorded_at: DateTime<Utc>,
    body: &'a Clearance,
}

async fn clearances(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<ClearanceRow<'_>> = state
        .clearances
        .changed()
        .map(|(_, clearance)| ClearanceRow {
            key: &clearance.key,
            epoch: signed(clearance.version.epoch),
            version: signed(clearance.version.number),
            declaration_ids: clearance
                .consignments
                .iter()
                .map(|consignment| consignment.declaration_id.as_str())
                .collect(),
            recorded_at: clearance.recorded_at,
            body: clearance,
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into clearance (key, epoch, version, declaration_ids, recorded_at, body)
         select * from jsonb_to_recordset($1) as r (key text, epoch bigint, version bigint, declaration_ids text[],
                                                    recorded_at timestamptz, body jsonb)
         on conflict (key) do update set epoch = excluded.epoch, version = excluded.version,
             declaration_ids = excluded.declaration_ids, recorded_at = excluded.recorded_at, body = excluded.body",
        json(&rows)?
    )
    .execute(db)
    .await?;
    StoreError::check_rows("clearance", rows.len(), done.rows_affected())
}

#[derive(Serialize)]
struct ReleaseRow<'a> {
    commercial_release_id: Uuid,
    version: i64,
    line_party: &'a str,
    transport_document: &'a str,
    haulier_party: &'a str,
    site_id: Option<&'a str>,
    container_number: Option<&'a str>,
    granted_at: DateTime<Utc>,
    granted_by_subject: &'a str,
    revoked_at: Option<DateTime<Utc>>,
    revoked_by_subject: Option<&'a str>,
    revoke_reason: Option<&'a str>,
    revoked_version: Option<i64>,
    revocation: Option<&'a Revocation>,
    revocation_ask_ids: Vec<Uuid>,
}

impl<'a> ReleaseRow<'a> {
    fn of(release: &'a CommercialRelease) -> Self {
        let revoked = release.revoked.as_ref();
        Self {
            commercial_release_id: release.id,
            version: signed(release.version),
            line_party: &release.line_party,
            transport_document: &release.scope.transport_document,
            haulier_party: &release.haulier_party,
            site_id: release.scope.site_id.as_deref(),
            container_number: release.scope.container_number.as_deref(),
            granted_at: release.granted_at,
            granted_by_subject: &release.granted_by_subject,
            revoked_at: revoked.map(|revoked| revoked.at),
            revoked_by_subject: revoked.map(|revoked| revoked.by_subject.as_str()),
            revoke_reason: revoked.map(|revoked| revoked.reason.as_str()),
            revoked_version: revoked.map(|revoked| signed(revoked.version)),
            revocation: release.revocation.as_ref(),
            revocation_ask_ids: release
                .revocation
                .iter()
                .flat_map(|revocation| &revocation.asks)
                .map(|ask| ask.ask_id)
                .collect(),
        }
    }
}

async fn releases(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<ReleaseRow<'_>> = state
        .releases
        .changed()
        .flat_map(|(_, releases)| releases.changed())
        .map(ReleaseRow::of)
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    // Revoked ones first: a scope has one standing release at every instant.
    let done = sqlx::query!(
        "insert into commercial_release (commercial_release_id, version, line_party, transport_document, haulier_party, site_id,
                                         container_number, granted_at, granted_by_subject, revoked_at, revoked_by_subject,
                                         revoke_reason, revoked_version, revocation, revocation_ask_ids, recorded_at)
         select r.*, $2 from jsonb_to_recordset($1) as r (commercial_release_id uuid, version bigint, line_party text,
              transport_document text, haulier_party text, site_id text, container_number text, granted_at timestamptz,
              granted_by_subject text, revoked_at timestamptz, revoked_by_subject text, revoke_reason text,
              revoked_version bigint, revocation jsonb, revocation_ask_ids uuid[])
         order by r.revoked_at is null
         on conflict (commercial_release_id) do update set version = excluded.version, revoked_at = excluded.revoked_at,
             revoked_by_subject = excluded.revoked_by_subject, revoke_reason = excluded.revoke_reason,
             revoked_version = excluded.revoked_version, revocation = excluded.revocation,
             revocation_ask_ids = excluded.revocation_ask_ids, recorded_at = excluded.recorded_at",
        json(&rows)?,
        now
    )
    .execute(db)
    .await?;
    StoreError::check_rows("commercial_release", rows.len(), done.rows_affected())
}

#[derive(Serialize)]
struct HoldRow<'a> {
    service: &'a str,
    hold_id: &'a str,
    scope: String,
    kind: &'static str,
    placed_by_party: &'a str,
    placed_by_role: &'a str,
    placed_by_subject: &'a str,
    reason: &'a str,
    placed_at: DateTime<Utc>,
    lifted_at: Option<DateTime<Utc>>,
    lifted_by_subject: Option<&'a str>,
    lift_reason: Option<&'a str>,
    event_id: &'a str,
}

impl<'a> HoldRow<'a> {
    fn of(hold: &'a Hold) -> Self {
        let lifted = hold.lifted.as_ref();
        Self {
            service: &hold.id.service,
            hold_id: &hold.id.id,
            scope: hold.scope.to_string(),
            kind: hold.kind.name(),
            placed_by_party: &hold.placed_by_party,
            placed_by_role: &hold.placed_by_role,
            placed_by_subject: &hold.placed_by_subject,
            reason: &hold.reason,
            placed_at: hold.placed_at,
            lifted_at: lifted.map(|lifted| lifted.at),
            lifted_by_subject: lifted.map(|lifted| lifted.by_subject.as_str()),
            lift_reason: lifted.map(|lifted| lifted.reason.as_str()),
            event_id: &hold.event_id,
        }
    }
}

async fn holds(db: &mut PgConnection, state: &State, now: DateTime<Utc>) -> Result<(), StoreError> {
    let rows: Vec<HoldRow<'_>> = state
        .holds
        .changed()
        .flat_map(|(_, holds)| holds.changed())
        .map(HoldRow::of)
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into hold (service, hold_id, scope, kind, placed_by_party, placed_by_role, placed_by_subject, reason, placed_at,
                           lifted_at, lifted_by_subject, lift_reason, event_id, recorded_at)
         select r.*, $2 from jsonb_to_recordset($1) as r (service text, hold_id text, scope text, kind text,
              placed_by_party text, placed_by_role text, placed_by_subject text, reason text, placed_at timestamptz,
              lifted_at timestamptz, lifted_by_subject text, lift_reason text, event_id text)
         on conflict (service, hold_id) do update set lifted_at = excluded.lifted_at,
             lifted_by_subject = excluded.lifted_by_subject, lift_reason = excluded.lift_reason,
             event_id = excluded.event_id, recorded_at = excluded.recorded_at",
        json(&rows)?,
        now
    )
    .execute(db)
    .await?;
    StoreError::check_rows("hold", rows.len(), done.rows_affected())
}

async fn boards(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<Value> = state
        .boards
        .changed()
        .map(|(scope, board)| serde_json::json!({ "scope": scope.to_string(), "body": board }))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into notice_board (scope, recorded_at, body)
         select r.scope, $2, r.body from jsonb_to_recordset($1) as r (scope text, body jsonb)
         on conflict (scope) do update set recorded_at = excluded.recorded_at, body = excluded.body",
        json(&rows)?,
        now
    )
    .execute(db)
    .await?;
    StoreError::check_rows("notice_board", rows.len(), done.rows_affected())
}

async fn sites(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<Value> = state
        .sites
        .changed()
        .map(|(_, site)| {
            serde_json::json!({ "site_id": site.site_id, "epoch": site.version.epoch, "version": site.version.number,
                                "name": site.name, "terminal_party": site.terminal_party })
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into site (site_id, epoch, version, name, terminal_party)
         select * from jsonb_to_recordset($1) as r (site_id text, epoch bigint, version bigint, name text, terminal_party text)
         on conflict (site_id) do update set epoch = excluded.epoch, version = excluded.version, name = excluded.name,
             terminal_party = excluded.terminal_party",
        json(&rows)?
    )
    .execute(db)
    .await?;
    StoreError::check_rows("site", rows.len(), done.rows_affected())
}

async fn parties(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<Value> = state
        .parties
        .changed()
        .map(|(_, party)| {
            serde_json::json!({ "party_id": party.party_id, "epoch": party.version.epoch, "version": party.version.number,
                                "name": party.name, "roles": party.roles, "suspended": party.suspended })
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into known_party (party_id, epoch, version, name, roles, suspended)
         select * from jsonb_to_recordset($1) as r (party_id text, epoch bigint, version bigint, name text, roles text[],
                                                    suspended boolean)
         on conflict (party_id) do update set epoch = excluded.epoch, version = excluded.version, name = excluded.name,
             roles = excluded.roles, suspended = excluded.suspended",
        json(&rows)?
    )
    .execute(db)
    .await?;
    StoreError::check_rows("known_party", rows.len(), done.rows_affected())
}

async fn declarations(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<Value> = state
        .declarations
        .changed()
        .map(|(_, declaration)| {
            serde_json::json!({ "declaration_id": declaration.declaration_id, "epoch": declaration.version.epoch,
                                "version": declaration.version.number, "event_id": declaration.event_id,
                                "recorded_at": declaration.recorded_at,
                                "known_since": declaration.known_since, "mrn": declaration.mrn, "lrn": declaration.lrn,
                                "filer_party": declaration.filer_party, "trader_party": declaration.trader_party,
                                "container_numbers": declaration.container_numbers,
                                "procedure_kind": declaration.procedure_kind,
                                "state": declaration.standing.map_or("", DeclarationStanding::name),
                                "invalidation_asked": declaration.invalidation_asked,
                                "stock_lists": declaration.stock_lists })
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into declaration (declaration_id, epoch, version, event_id, recorded_at, known_since, mrn, lrn, filer_party, trader_party,
                                  container_numbers, procedure_kind, state, invalidation_asked, stock_lists)
         select * from jsonb_to_recordset($1) as r (declaration_id text, epoch bigint, version bigint, event_id text,
              recorded_at timestamptz, known_since timestamptz, mrn text, lrn text, filer_party text, trader_party text,
              container_numbers text[], procedure_kind text, state text, invalidation_asked boolean, stock_lists text[])
         on conflict (declaration_id) do update set epoch = excluded.epoch, version = excluded.version,
             event_id = excluded.event_id, recorded_at = excluded.recorded_at, known_since = excluded.known_since, mrn = excluded.mrn, lrn = excluded.lrn,
             filer_party = excluded.filer_party, trader_party = excluded.trader_party,
             container_numbers = excluded.container_numbers, procedure_kind = excluded.procedure_kind,
             state = excluded.state, invalidation_asked = excluded.invalidation_asked, stock_lists = excluded.stock_lists",
        json(&rows)?
    )
    .execute(db)
    .await?;
    StoreError::check_rows("declaration", rows.len(), done.rows_affected())
}

async fn pre_arrivals(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<Value> = state
        .pre_arrivals
        .changed()
        .map(|(_, pre_arrival)| {
            let numbers: Vec<&str> = pre_arrival.containers.iter().map(|container| container.container_number.as_str()).collect();
            let visits: Vec<&str> = pre_arrival.containers.iter().map(|container| container.container_visit_id.as_deref().unwrap_or_default()).collect();
            serde_json::json!({ "pre_arrival_id": pre_arrival.pre_arrival_id, "epoch": pre_arrival.version.epoch,
                                "version": pre_arrival.version.number, "site_id": pre_arrival.site_id,
                                "haulier_party": pre_arrival.haulier_party, "withdrawn": pre_arrival.withdrawn,
                                "container_numbers": numbers, "container_visit_ids": visits,
                                "second_site_id": pre_arrival.second_site_id, "list_number": pre_arrival.list_number,
                                "filer_party": pre_arrival.filer_party })
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into pre_arrival (pre_arrival_id, epoch, version, site_id, haulier_party, withdrawn, container_numbers,
                                  container_visit_ids, second_site_id, list_number, filer_party)
         select * from jsonb_to_recordset($1) as r (pre_arrival_id text, epoch bigint, version bigint, site_id text,
              haulier_party text, withdrawn boolean, container_numbers text[], container_visit_ids text[],
              second_site_id text, list_number text, filer_party text)
         on conflict (pre_arrival_id) do update set epoch = excluded.epoch, version = excluded.version,
             site_id = excluded.site_id, haulier_party = excluded.haulier_party, withdrawn = excluded.withdrawn,
             container_numbers = excluded.container_numbers, container_visit_ids = excluded.container_visit_ids,
             second_site_id = excluded.second_site_id, list_number = excluded.list_number,
             filer_party = excluded.filer_party",
        json(&rows)?
    )
    .execute(db)
    .await?;
    StoreError::check_rows("pre_arrival", rows.len(), done.rows_affected())
}

/// Rows as one parameter.
pub(super) fn json<T: Serialize>(rows: &[T]) -> Result<Value, StoreError> {
    serde_json::to_value(rows).map_err(|error| StoreError::Value(error.to_string()))
}
