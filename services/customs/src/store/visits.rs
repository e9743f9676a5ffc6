//! Gate's sites and container visits as customs has learnt them, and customs' own holds.

use chrono::{DateTime, Utc};
use fabric::{StoreError, SubjectSet, Working};
use kernel::ContainerNumber;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::{containers_of, count, json, number, unreadable};
use crate::app::state::{State, subject};
use crate::domain::hold::{Hold, HoldKind, Lifted, Scope, ScopeKind};
use crate::domain::visit::{ManifestLine, Phase, Site, Visit};

/// Reads sites and visits.
pub async fn load(
    db: &mut PgConnection,
    subjects: &SubjectSet,
    state: &mut State,
) -> Result<(), sqlx::Error> {
    if subjects.has(subject::SITES) {
        let rows = sqlx::query!(
            "select site_id, version, terminal_party, goods_location_codes, bonded from site"
        )
        .fetch_all(&mut *db)
        .await?;
        let sites = rows.into_iter().map(|row| {
            let site = Site {
                site_id: row.site_id.clone(),
                version: count(row.version),
                terminal_party: row.terminal_party,
                goods_location_codes: row.goods_location_codes,
                bonded: row.bonded,
            };
            (row.site_id, site)
        });
        state.sites = Working::loaded([], sites);
    }
    let containers = containers_of(subjects);
    let ids = subjects.keys(subject::VISIT);
    let names = subjects.keys(subject::NAME);
    if !containers.is_empty() || !ids.is_empty() || !names.is_empty() {
        state.visits = visits(db, containers, &ids, &names).await?;
    }
    Ok(())
}

async fn visits(
    db: &mut PgConnection,
    containers: Vec<String>,
    ids: &[String],
    names: &[String],
) -> Result<Working<String, Vec<Visit>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select visit_id, site_id, container, version, phase, arrived_at, lines as "lines: Json<Vec<ManifestLine>>",
                  by_truck, named, exited
           from visit where (container = any($1) and phase in ('ANNOUNCED', 'ARRIVED')) or visit_id = any($2)
              or (named && $3 and phase = 'ARRIVED')
           order by visit_id"#,
        &containers,
        ids,
        names
    )
    .fetch_all(db)
    .await?;
    let mut found: std::collections::BTreeMap<String, Vec<Visit>> =
        std::collections::BTreeMap::new();
    for row in rows {
        let visit = Visit {
            visit_id: row.visit_id,
            site_id: row.site_id,
            container: ContainerNumber::parse(&row.container)
                .map_err(|error| unreadable("visit.container", error))?,
            version: count(row.version),
            phase: Phase::parse(&row.phase).ok_or_else(|| unreadable("visit.phase", &row.phase))?,
            arrived_at: row.arrived_at,
            lines: row.lines.0,
            by_truck: row.by_truck,
            named: row.named,
            exited: row.exited,
        };
        found.entry(row.container).or_default().push(visit);
    }
    Ok(Working::loaded(containers, found))
}

/// Reads the holds on everything that was read before: declarations and visits, and what is asked for by id
/// or scope.
pub async fn load_holds(
    db: &mut PgConnection,
    subjects: &SubjectSet,
    state: &mut State,
) -> Result<(), sqlx::Error> {
    let mut scopes: Vec<Scope> = state
        .visits
        .iter()
        .flat_map(|(_, visits)| visits)
        .map(|visit| Scope::new(ScopeKind::ContainerVisit, &visit.visit_id))
        .collect();
    for (_, declaration) in state.declarations.iter() {
        scopes.extend(declaration.hold_scopes());
    }
    scopes.extend(subjects.keys(subject::SCOPE).iter().filter_map(|key| {
        let (kind, key) = key.split_once('/')?;
        Some(Scope {
            kind: ScopeKind::parse(kind)?,
            key: key.to_owned(),
        })
    }));
    let ids: Vec<Uuid> = subjects
        .keys(subject::HOLD)
        .iter()
        .filter_map(|id| Uuid::parse_str(id).ok())
        .collect();
    if scopes.is_empty() && ids.is_empty() {
        return Ok(());
    }
    let (kinds, keys): (Vec<String>, Vec<String>) = scopes
        .iter()
        .map(|scope| (scope.kind.name().to_owned(), scope.key.clone()))
        .unzip();
    let rows = sqlx::query_as!(
        HoldRow,
        "select hold_id, scope_kind, scope_key, kind, placed_by_party, placed_by_subject, reason, placed_at,
                lifted_at, lifted_by_subject, lift_reason
         from hold join (
             select hold_id from hold
             where lifted_at is null and (scope_kind, scope_key) in (select * from unnest($1::text[], $2::text[]))
             union
             select unnest($3::uuid[])
         ) as wanted (hold_id) using (hold_id)",
        &kinds,
        &keys,
        &ids
    )
    .fetch_all(db)
    .await?;
    let mut found: std::collections::BTreeMap<String, Vec<Hold>> =
        std::collections::BTreeMap::new();
    for row in rows {
        let hold = row.hold()?;
        found.entry(hold.scope.topic_key()).or_default().push(hold);
    }
    state.holds = Working::loaded(scopes.iter().map(Scope::topic_key), found);
    Ok(())
}

/// A row of the hold table.
pub struct HoldRow {
    pub(super) hold_id: Uuid,
    pub(super) scope_kind: String,
    pub(super) scope_key: String,
    pub(super) kind: String,
    pub(super) placed_by_party: String,
    pub(super) placed_by_subject: String,
    pub(super) reason: String,
    pub(super) placed_at: DateTime<Utc>,
    pub(super) lifted_at: Option<DateTime<Utc>>,
    pub(super) lifted_by_subject: Option<String>,
    pub(super) lift_reason: Option<String>,
}

impl HoldRow {
    /// The hold that the row says.
    ///
    /// # Errors
    /// A kind that no program wrote.
    pub fn hold(self) -> Result<Hold, sqlx::Error> {
        let kind = [HoldKind::Customs, HoldKind::Quarantine]
            .into_iter()
            .find(|kind| kind.name() == self.kind);
        Ok(Hold {
            hold_id: self.hold_id,
            scope: Scope {
                kind: ScopeKind::parse(&self.scope_kind)
                    .ok_or_else(|| unreadable("hold.scope_kind", &self.scope_kind))?,
                key: self.scope_key,
            },
            kind: kind.ok_or_else(|| unreadable("hold.kind", &self.kind))?,
            placed_by_party: self.placed_by_party,
            placed_by_subject: self.placed_by_subject,
            reason: self.reason,
            placed_at: self.placed_at,
            lifted: self.lifted_at.map(|at| Lifted {
                at,
                by_subject: self.lifted_by_subject.unwrap_or_default(),
                reason: self.lift_reason.unwrap_or_default(),
            }),
        })
    }
}

/// Writes sites, visits and holds.
pub async fn store(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    store_sites(db, state).await?;
    store_visits(db, state).await?;
    store_holds(db, state).await
}

async fn store_sites(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    // Two sites and hardly a change a year: a row each is a statement each.
    for (_, site) in state.sites.changed() {
        sqlx::query!(
            "insert into site (site_id, version, terminal_party, goods_location_codes, bonded) values ($1, $2, $3, $4, $5)
             on conflict (site_id) do update set version = excluded.version, terminal_party = excluded.terminal_party,
                 goods_location_codes = excluded.goods_location_codes, bonded = excluded.bonded",
            site.site_id,
            number(site.version)?,
            site.terminal_party,
            &site.goods_location_codes,
            site.bonded
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn store_visits(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let visits: Vec<&Visit> = state
        .visits
        .changed()
        .flat_map(|(_, visits)| visits)
        .collect();
    if visits.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = visits.iter().map(|visit| visit.visit_id.clone()).collect();
    let sites: Vec<String> = visits.iter().map(|visit| visit.site_id.clone()).collect();
    let containers: Vec<String> = visits
        .iter()
        .map(|visit| visit.container.to_string())
        .collect();
    let versions = visits
        .iter()
        .map(|visit| number(visit.version))
        .collect::<Result<Vec<i64>, _>>()?;
    let phases: Vec<String> = visits
        .iter()
        .map(|visit| visit.phase.name().to_owned())
        .collect();
    let arrived: Vec<Option<DateTime<Utc>>> = visits.iter().map(|visit| visit.arrived_at).collect();
    let lines = visits
        .iter()
        .map(|visit| json(&visit.lines))
        .collect::<Result<Vec<_>, _>>()?;
    let by_truck: Vec<bool> = visits.iter().map(|visit| visit.by_truck).collect();
    let exited: Vec<bool> = visits.iter().map(|visit| visit.exited).collect();
    // An array of arrays has to be rectangular; JSON has not.
    let named = visits
        .iter()
        .map(|visit| json(&visit.named))
        .collect::<Result<Vec<_>, _>>()?;
    let done = sqlx::query!(
        "insert into visit (visit_id, site_id, container, version, phase, arrived_at, lines, by_truck, exited, named)
         select visit_id, site_id, container, version, phase, arrived_at, lines, by_truck, exited,
                array(select jsonb_array_elements_text(named))
         from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[], $7::jsonb[],
                     $8::boolean[], $9::boolean[], $10::jsonb[])
              as row (visit_id, site_id, container, version, phase, arrived_at, lines, by_truck, exited, named)
         on conflict (visit_id) do update set version = excluded.version, phase = excluded.phase,
             arrived_at = excluded.arrived_at, lines = excluded.lines, by_truck = excluded.by_truck,
             exited = excluded.exited, named = excluded.named",
        &ids,
        &sites,
        &containers,
        &versions,
        &phases,
        &arrived as &[Option<DateTime<Utc>>],
        &lines,
        &by_truck,
        &exited,
        &named
    )
    .execute(db)
    .await?;
    StoreError::check_rows("store visits", ids.len(), done.rows_affected())
}

async fn store_holds(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    let holds: Vec<&Hold> = state.holds.changed().flat_map(|(_, holds)| holds).collect();
    if holds.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = holds.iter().map(|hold| hold.hold_id).collect();
    let scope_kinds: Vec<String> = holds
        .iter()
        .map(|hold| hold.scope.kind.name().to_owned())
        .collect();
    let scope_keys: Vec<String> = holds.iter().map(|hold| hold.scope.key.clone()).collect();
    let kinds: Vec<String> = holds
        .iter()
        .map(|hold| hold.kind.name().to_owned())
        .collect();
    let parties: Vec<String> = holds
        .iter()
        .map(|hold| hold.placed_by_party.clone())
        .collect();
    let people: Vec<String> = holds
        .iter()
        .map(|hold| hold.placed_by_subject.clone())
        .collect();
    let reasons: Vec<String> = holds.iter().map(|hold| hold.reason.clone()).collect();
    let placed: Vec<DateTime<Utc>> = holds.iter().map(|hold| hold.placed_at).collect();
    let lifted: Vec<Option<DateTime<Utc>>> = holds
        .iter()
        .map(|hold| hold.lifted.as_ref().map(|lifted| lifted.at))
        .collect();
    let lifters: Vec<Option<String>> = holds
        .iter()
        .map(|hold| hold.lifted.as_ref().map(|lifted| lifted.by_subject.clone()))
        .collect();
    let why: Vec<Option<String>> = holds
        .iter()
        .map(|hold| hold.lifted.as_ref().map(|lifted| lifted.reason.clone()))
        .collect();
    let done = sqlx::query!(
        "insert into hold (hold_id, scope_kind, scope_key, kind, placed_by_party, placed_by_subject, reason, placed_at,
                           lifted_at, lifted_by_subject, lift_reason)
         select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                              $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[])
         on conflict (hold_id) do update set lifted_at = excluded.lifted_at, lifted_by_subject = excluded.lifted_by_subject,
             lift_reason = excluded.lift_reason",
        &ids,
        &scope_kinds,
        &scope_keys,
        &kinds,
        &parties,
        &people,
        &reasons,
        &placed,
        &lifted as &[Option<DateTime<Utc>>],
        &lifters as &[Option<String>],
        &why as &[Option<String>]
    )
    .execute(db)
    .await?;
    StoreError::check_rows("store holds", ids.len(), done.rows_affected())
}
