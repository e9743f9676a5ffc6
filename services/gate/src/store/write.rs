//! Writes what a batch changed, a statement per table. Rows with lists in them travel as one JSON array,
//! because they do not fit into parallel arrays.

use chrono::{DateTime, Utc};
use fabric::StoreError;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::app::State;
use crate::domain::container_visit::{ContainerVisit, ContainerVisitId};
use crate::domain::pre_arrival::PreArrival;
use crate::domain::truck_visit::TruckVisit;

/// So many drivers are forgotten at once; the others a moment later.
const FORGOTTEN_MAX: i64 = 500;

/// Writes what changed.
pub async fn store(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sites(db, state).await?;
    visits(db, state, now).await?;
    drivers(db, state, now).await?;
    pre_arrivals(db, state).await?;
    truck_visits(db, state).await?;
    forget_drivers(db, state).await?;
    list_passages(db, state).await?;
    holds(db, state).await?;
    parties(db, state).await?;
    mandates(db, state).await?;
    declarations(db, state).await?;
    decisions(db, state).await?;
    clearances(db, state).await?;
    asks(db, state, now).await
}

fn body(value: &impl Serialize) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|error| StoreError::Value(error.to_string()))
}

async fn sites(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows = state
        .sites
        .changed()
        .map(|(id, site)| {
            Ok(json!({"site_id": id, "version": state.site_versions.get(id), "body": body(site)?}))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into site (site_id, version, body)
         select site_id, version, body from jsonb_to_recordset($1) as r (site_id text, version bigint, body jsonb)
         on conflict (site_id) do update set version = excluded.version, body = excluded.body",
        json!(rows)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("site", rows.len(), done.rows_affected())
}

async fn visits(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows = state
        .visits
        .changed()
        .map(|(_, visit)| visit_row(visit))
        .collect::<Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into container_visit (container_visit_id, site_id, container_number, ordinal, version, phase, conveyance,
                                      line_parties, transport_documents, recorded_at, body)
         select container_visit_id, site_id, container_number, ordinal, version, phase, conveyance,
                line_parties, transport_documents, $2, body
         from jsonb_to_recordset($1) as r (container_visit_id text, site_id text, container_number text, ordinal integer,
              version bigint, phase text, conveyance text, line_parties text[], transport_documents text[], body jsonb)
         on conflict (container_visit_id) do update
         set version = excluded.version, phase = excluded.phase, conveyance = excluded.conveyance,
             line_parties = excluded.line_parties, transport_documents = excluded.transport_documents, body = excluded.body",
        json!(rows),
        now
    )
    .execute(db)
    .await?;
    StoreError::check_rows("container_visit", rows.len(), done.rows_affected())
}

fn visit_row(visit: &ContainerVisit) -> Result<Value, StoreError> {
    let lines = &visit.manifest.lines;
    let documents: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.transport_document.as_ref().map(AsRef::as_ref))
        .collect();
    let line_parties: Vec<&str> = lines.iter().map(|line| line.line_party.as_str()).collect();
    Ok(json!({
        "container_visit_id": visit.id.as_str(),
        "site_id": visit.site_id,
        "container_number": visit.container.as_str(),
        "ordinal": visit.ordinal,
        "version": visit.version,
        "phase": visit.phase.as_str(),
        "conveyance": visit.conveyance,
        "line_parties": line_parties,
        "transport_documents": documents,
        "body": body(visit)?,
    }))
}

async fn drivers(
    db: &mut PgConnection,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if state.drivers.is_empty() {
        return Ok(());
    }
    let rows: Vec<Value> = state
        .drivers
        .iter()
        .map(|driver| {
            json!({"driver_id": driver.driver_id, "haulier_party": driver.haulier_party, "name": driver.name,
                   "licence": driver.licence, "phone": driver.phone})
        })
        .collect();
    let done = sqlx::query!(
        "insert into driver (driver_id, haulier_party, name, licence, phone, recorded_at)
         select driver_id, haulier_party, name, licence, phone, $2
         from jsonb_to_recordset($1) as r (driver_id uuid, haulier_party text, name text, licence text, phone text)",
        json!(rows),
        now
    )
    .execute(db)
    .await?;
    StoreError::check_rows("driver", rows.len(), done.rows_affected())
}

/// After the filings and trucks: whom they name now is kept.
async fn forget_drivers(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let Some(before) = state.forget_drivers_before else {
        return Ok(());
    };
    sqlx::query!(
        "delete from driver where driver_id in (
             select d.driver_id from driver d
             where d.recorded_at < $1 and not exists (
                 select from pre_arrival p
                 where p.driver_id = d.driver_id and (
                     p.state in ('BLOCKED', 'READY') or exists (
                         select from truck_visit t
                         where t.pre_arrival_id = p.pre_arrival_id
                           and t.state in ('MANUAL_REVIEW', 'GATED_IN_FIRST', 'GATED_IN', 'RECALLED'))))
             order by d.recorded_at limit $2)",
        before,
        FORGOTTEN_MAX
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn pre_arrivals(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows = state
        .pre_arrivals
        .changed()
        .map(|(_, filing)| filing_row(filing))
        .collect::<Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into pre_arrival (pre_arrival_id, number, site_id, haulier_party, driver_id, containers, plates, state, version,
                                  expires_at, submitted_at, body)
         select pre_arrival_id, number, site_id, haulier_party, driver_id, containers, plates, state, version,
                expires_at, submitted_at, body
         from jsonb_to_recordset($1) as r (pre_arrival_id uuid, number text, site_id text, haulier_party text, driver_id uuid,
              containers text[], plates text[], state text, version bigint, expires_at timestamptz, submitted_at timestamptz,
              body jsonb)
         on conflict (pre_arrival_id) do update
         set driver_id = excluded.driver_id, plates = excluded.plates, state = excluded.state, version = excluded.version,
             expires_at = excluded.expires_at, body = excluded.body",
        json!(rows)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("pre_arrival", rows.len(), done.rows_affected())
}

fn filing_row(filing: &PreArrival) -> Result<Value, StoreError> {
    let containers: Vec<&str> = filing
        .containers
        .iter()
        .map(|container| container.number.as_str())
        .collect();
    let plates: Vec<&str> = filing.vehicle.plates().collect();
    Ok(json!({
        "pre_arrival_id": filing.pre_arrival_id,
        "number": filing.number,
        "site_id": filing.site_id,
        "haulier_party": filing.haulier_party,
        "driver_id": filing.driver_id,
        "containers": containers,
        "plates": plates,
        "state": filing.state.as_str(),
        "version": filing.version,
        "expires_at": filing.expires_at,
        "submitted_at": filing.submitted_at,
        "body": body(filing)?,
    }))
}

async fn truck_visits(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows = state
        .truck_visits
        .changed()
        .map(|(_, truck)| truck_row(truck))
        .collect::<Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into truck_visit (truck_visit_id, site_id, pre_arrival_id, haulier_party, containers, plates, state, version,
                                  arrived_at, body)
         select truck_visit_id, site_id, pre_arrival_id, haulier_party, containers, plates, state, version, arrived_at, body
         from jsonb_to_recordset($1) as r (truck_visit_id uuid, site_id text, pre_arrival_id uuid, haulier_party text,
              containers text[], plates text[], state text, version bigint, arrived_at timestamptz, body jsonb)
         on conflict (truck_visit_id) do update
         set pre_arrival_id = excluded.pre_arrival_id, haulier_party = excluded.haulier_party,
             containers = excluded.containers, plates = excluded.plates, state = excluded.state, version = excluded.version,
             body = excluded.body",
        json!(rows)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("truck_visit", rows.len(), done.rows_affected())
}

fn truck_row(truck: &TruckVisit) -> Result<Value, StoreError> {
    let containers: Vec<&str> = truck
        .containers
        .iter()
        .map(|container| container.number.as_str())
        .collect();
    let pending = truck
        .departure_pending
        .iter()
        .flat_map(|pending| &pending.containers)
        .map(AsRef::as_ref);
    let containers: std::collections::BTreeSet<&str> =
        containers.into_iter().chain(pending).collect();
    let pending = truck.departure_pending.iter();
    let pending = pending.flat_map(|pending| pending.plates.iter());
    let plates: std::collections::BTreeSet<&str> = truck.vehicle.plates().chain(pending).collect();
    Ok(json!({
        "truck_visit_id": truck.truck_visit_id,
        "site_id": truck.site_id,
        "pre_arrival_id": truck.pre_arrival_id,
        "haulier_party": truck.haulier_party,
        "containers": containers,
        "plates": plates,
        "state": truck.state.as_str(),
        "version": truck.version,
        "arrived_at": truck.arrived_at,
        "body": body(truck)?,
    }))
}

async fn list_passages(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows = state
        .lists
        .changed()
        .map(|(number, passage)| {
            Ok(json!({"list_number": number, "version": passage.version, "body": body(passage)?}))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into list_passage (list_number, version, body)
         select list_number, version, body from jsonb_to_recordset($1) as r (list_number text, version bigint, body jsonb)
         on conflict (list_number) do update set version = excluded.version, body = excluded.body",
        json!(rows)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("list_passage", rows.len(), done.rows_affected())
}

async fn holds(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<Value> = state
        .holds
        .changed()
        .map(|(_, hold)| {
            let lifted = hold.lifted.as_ref();
            json!({
                "keeper": hold.keeper.as_str(),
                "hold_id": hold.hold_id,
                "scope_kind": hold.scope.kind.as_str(),
                "scope_key": hold.scope.key,
                "kind": hold.kind.as_str(),
                "placed_by_party": hold.placed_by_party,
                "placed_by_subject": hold.placed_by_subject,
                "reason": hold.reason,
                "placed_at": hold.placed_at,
                "lifted_at": lifted.map(|lifted| lifted.at),
                "lifted_by_subject": lifted.map(|lifted| lifted.by_subject.as_str()).unwrap_or_default(),
                "lift_reason": lifted.map(|lifted| lifted.reason.as_str()).unwrap_or_default(),
                "event_id": hold.event_id,
            })
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into hold (keeper, hold_id, scope_kind, scope_key, kind, placed_by_party, placed_by_subject, reason, placed_at,
                           lifted_at, lifted_by_subject, lift_reason, event_id)
         select keeper, hold_id, scope_kind, scope_key, kind, placed_by_party, placed_by_subject, reason, placed_at,
                lifted_at, lifted_by_subject, lift_reason, event_id
         from jsonb_to_recordset($1) as r (keeper text, hold_id text, scope_kind text, scope_key text, kind text,
              placed_by_party text, placed_by_subject text, reason text, placed_at timestamptz, lifted_at timestamptz,
              lifted_by_subject text, lift_reason text, event_id text)
         on conflict (keeper, hold_id) do update
         set lifted_at = excluded.lifted_at, lifted_by_subject = excluded.lifted_by_subject,
             lift_reason = excluded.lift_reason, event_id = excluded.event_id",
        json!(rows)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("hold", rows.len(), done.rows_affected())
}

async fn parties(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<Value> = state
        .parties
        .changed()
        .map(|(id, party)| {
            json!({"party_id": id, "epoch": party.told.epoch, "version": party.told.version, "event_id": party.told.event_id,
                   "name": party.name, "suspended": party.suspended})
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into known_party (party_id, epoch, version, event_id, name, suspended)
         select party_id, epoch, version, event_id, name, suspended
         from jsonb_to_recordset($1) as r (party_id text, epoch bigint, version bigint, event_id text, name text, suspended boolean)
         on conflict (party_id) do update
         set epoch = excluded.epoch, version = excluded.version, event_id = excluded.event_id, name = excluded.name,
             suspended = excluded.suspended",
        json!(rows)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("known_party", rows.len(), done.rows_affected())
}

async fn mandates(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<Value> = state
        .mandates
        .changed()
        .map(|(id, mandate)| {
            json!({"mandate_id": id, "epoch": mandate.told.epoch, "version": mandate.told.version,
                   "event_id": mandate.told.event_id, "grantor_party": mandate.grantor_party,
                   "agent_party": mandate.agent_party, "carries": mandate.carries, "containers": mandate.containers,
                   "valid_from": mandate.valid_from, "valid_until": mandate.valid_until, "revoked_at": mandate.revoked_at})
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into carry_mandate (mandate_id, epoch, version, event_id, grantor_party, agent_party, carries, containers,
                                    valid_from, valid_until, revoked_at)
         select mandate_id, epoch, version, event_id, grantor_party, agent_party, carries, containers, valid_from, valid_until,
                revoked_at
         from jsonb_to_recordset($1) as r (mandate_id text, epoch bigint, version bigint, event_id text, grantor_party text,
              agent_party text, carries boolean, containers text[], valid_from timestamptz, valid_until timestamptz, revoked_at timestamptz)
         on conflict (mandate_id) do update
         set epoch = excluded.epoch, version = excluded.version, event_id = excluded.event_id, carries = excluded.carries,
             containers = excluded.containers, valid_from = excluded.valid_from, valid_until = excluded.valid_until, revoked_at = excluded.revoked_at",
        json!(rows)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("carry_mandate", rows.len(), done.rows_affected())
}

async fn declarations(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows: Vec<Value> = state
        .declarations
        .changed()
        .map(|(id, declaration)| {
            json!({"declaration_id": id, "epoch": declaration.told.epoch, "version": declaration.told.version,
                   "event_id": declaration.told.event_id, "mrn": declaration.mrn, "lrn": declaration.lrn,
                   "filer_party": declaration.filer_party, "state": declaration.state.as_str(),
                   "direction": declaration.direction.as_str(), "containers": declaration.containers,
                   "stock_lists": declaration.stock_lists})
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into known_declaration (declaration_id, epoch, version, event_id, mrn, lrn, filer_party, state, direction,
                                        containers, stock_lists)
         select declaration_id, epoch, version, event_id, mrn, lrn, filer_party, state, direction, containers, stock_lists
         from jsonb_to_recordset($1) as r (declaration_id text, epoch bigint, version bigint, event_id text, mrn text, lrn text,
              filer_party text, state text, direction text, containers text[], stock_lists text[])
         on conflict (declaration_id) do update
         set epoch = excluded.epoch, version = excluded.version, event_id = excluded.event_id, mrn = excluded.mrn,
             lrn = excluded.lrn, filer_party = excluded.filer_party, state = excluded.state, direction = excluded.direction,
             containers = excluded.containers, stock_lists = excluded.stock_lists",
        json!(rows)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("known_declaration", rows.len(), done.rows_affected())
}

async fn decisions(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows = state
        .decisions
        .changed()
        .map(|(id, decision)| {
            // A decision on a list belongs to no container.
            let container = id.rsplit('/').nth(1).filter(|_| ContainerVisitId::parse(id).is_some());
            Ok(json!({"container_visit_id": id, "container_number": container.unwrap_or_default(),
                      "list_containers": decision.list_containers,
                      "barred_by": decision.barred_by.as_deref().unwrap_or_default(),
                      "epoch": decision.told.epoch, "version": decision.told.version, "event_id": decision.told.event_id,
                      "state": decision.state.as_str(), "journey": decision.journey.as_str(),
                      "haulier_party": decision.haulier_party,
                      "decided_at": decision.decided_at, "conditions": body(&decision.conditions)?}))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into known_decision (container_visit_id, container_number, epoch, version, event_id, state, journey,
                                     haulier_party, decided_at, conditions, list_containers, barred_by)
         select container_visit_id, container_number, epoch, version, event_id, state, journey, haulier_party, decided_at,
                conditions, list_containers, barred_by
         from jsonb_to_recordset($1) as r (container_visit_id text, container_number text, epoch bigint, version bigint,
              event_id text, state text, journey text, haulier_party text, decided_at timestamptz, conditions jsonb,
              list_containers text[], barred_by text)
         on conflict (container_visit_id) do update
         set epoch = excluded.epoch, version = excluded.version, event_id = excluded.event_id, state = excluded.state,
             journey = excluded.journey, haulier_party = excluded.haulier_party, decided_at = excluded.decided_at, conditions = excluded.conditions,
             list_containers = excluded.list_containers, barred_by = excluded.barred_by",
        json!(rows)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("known_decision", rows.len(), done.rows_affected())
}

async fn clearances(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let rows = state
        .clearances
        .changed()
        .map(|(number, clearance)| {
            let declarations: Vec<&str> = clearance.consignments.iter().map(|c| c.declaration_id.as_str()).collect();
            Ok(json!({"container_number": number, "epoch": clearance.told.epoch, "version": clearance.told.version,
                      "event_id": clearance.told.event_id, "declarations": declarations,
                      "consignments": body(&clearance.consignments)?}))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into known_clearance (container_number, epoch, version, event_id, declarations, consignments)
         select container_number, epoch, version, event_id, declarations, consignments
         from jsonb_to_recordset($1) as r (container_number text, epoch bigint, version bigint, event_id text,
              declarations text[], consignments jsonb)
         on conflict (container_number) do update
         set epoch = excluded.epoch, version = excluded.version, event_id = excluded.event_id,
             declarations = excluded.declarations, consignments = excluded.consignments",
        json!(rows)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("known_clearance", rows.len(), done.rows_affected())
}

async fn asks(db: &mut PgConnection, state: &State, now: DateTime<Utc>) -> Result<(), StoreError> {
    let rows: Vec<Value> = state
        .asks
        .changed()
        .map(|(id, ask)| json!({"ask_id": id, "container_visit_id": ask.container_visit_id, "list_number": ask.list_number,
                              "too_late": ask.too_late}))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query!(
        "insert into answered_ask (ask_id, container_visit_id, list_number, too_late, recorded_at)
         select ask_id, container_visit_id, list_number, too_late, $2
         from jsonb_to_recordset($1) as r (ask_id text, container_visit_id text, list_number text, too_late boolean)",
        json!(rows),
        now
    )
    .execute(db)
    .await?;
    StoreError::check_rows("answered_ask", rows.len(), done.rows_affected())
}
