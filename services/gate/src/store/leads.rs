//! The filings and trucks to which seeds lead. There is a small statement for each kind of seed that was sown: a single
//! one over all kinds takes the planner eight times as long, whatever was asked, and every batch asks.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::app::Seeds;
use crate::domain::pre_arrival::PreArrivalKind;

/// The most filings that one look for overdue ones takes.
const OVERDUE_MAX: i64 = 200;

/// The most filings that one look for those on unknown ground takes.
const UNKNOWN_MAX: i64 = 200;

/// The most trucks that one look for those long inside takes.
const LONG_INSIDE_MAX: i64 = 200;

/// A filing or truck that may be concerned.
pub(super) struct Lead {
    pub id: Uuid,
    pub is_truck: bool,
    pub containers: Vec<String>,
    pub plates: Vec<String>,
    /// The firm that filed, and the one that presents itself.
    pub firms: Vec<String>,
    pub pre_arrival_id: Option<Uuid>,
    /// What the driver may show: the filing's number and its pass's.
    numbers: Vec<String>,
    /// The declarations that a container comes in on.
    pub references: Vec<String>,
    /// The stock list of which it carries a part.
    pub list: Option<String>,
    overdue: bool,
    on_unknown: bool,
    /// Inside for so long that it must have left.
    long_inside: bool,
}

impl Lead {
    /// Whether these seeds lead here.
    pub fn is_named_by(&self, seeds: &Seeds) -> bool {
        let named = if self.is_truck {
            seeds.truck_visits.contains(&self.id) || (seeds.long_inside && self.long_inside)
        } else {
            seeds.pre_arrivals.contains(&self.id)
                || self
                    .numbers
                    .iter()
                    .any(|number| seeds.pre_arrival_numbers.contains(number))
                || (seeds.overdue && self.overdue)
                || (seeds.on_unknown && self.on_unknown)
                || self
                    .references
                    .iter()
                    .any(|name| seeds.references.contains(name))
        };
        let firms = self.firms.iter().map(String::as_str);
        let named = named
            || self
                .list
                .as_ref()
                .is_some_and(|list| seeds.lists.contains(list));
        named || seeds.concern(&self.containers, &self.plates, firms)
    }
}

/// The filings and trucks to which these seeds lead, those that may be concerned by any of them.
pub(super) async fn find_leads(
    db: &mut PgConnection,
    seeds: &Seeds,
    gone_after: TimeDelta,
) -> Result<Vec<Lead>, sqlx::Error> {
    let mut trucks = seeds.truck_visits.clone();
    trucks.extend(trucks_named(db, seeds).await?);
    let truck_rows = trucks_of_ids(db, trucks).await?;
    let mut filings = seeds.pre_arrivals.clone();
    filings.extend(truck_rows.iter().filter_map(|row| row.pre_arrival_id));
    let mut leads: Vec<Lead> = truck_rows.into_iter().map(TruckRow::lead).collect();
    if seeds.long_inside {
        let long_inside = trucks_long_inside(db, gone_after).await?;
        filings.extend(long_inside.iter().filter_map(|row| row.pre_arrival_id));
        leads.extend(long_inside.into_iter().map(|row| Lead {
            long_inside: true,
            ..row.lead()
        }));
    }
    filings.extend(filings_named(db, seeds).await?);
    let filing_rows = filings_of_ids(db, filings).await?;
    leads.extend(filing_rows.into_iter().map(FilingRow::lead));
    if seeds.overdue {
        let overdue = filings_overdue(db).await?.into_iter();
        leads.extend(overdue.map(|row| Lead {
            overdue: true,
            ..row.lead()
        }));
    }
    if seeds.on_unknown {
        let on_unknown = filings_on_unknown(db).await?.into_iter();
        leads.extend(on_unknown.map(|row| Lead {
            on_unknown: true,
            ..row.lead()
        }));
    }
    Ok(leads)
}

/// The trucks on the site, or before a barrier, that the seeds name otherwise than by id.
async fn trucks_named(db: &mut PgConnection, seeds: &Seeds) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut found = Vec::new();
    if let Some(containers) = sown(&seeds.containers) {
        let rows = sqlx::query_scalar!(
            "select truck_visit_id from truck_visit
             where state in ('MANUAL_REVIEW', 'GATED_IN_FIRST', 'GATED_IN', 'RECALLED') and containers && $1::text[]",
            &containers
        );
        found.extend(rows.fetch_all(&mut *db).await?);
    }
    if let Some(plates) = sown(&seeds.plates) {
        let rows = sqlx::query_scalar!(
            "select truck_visit_id from truck_visit
             where state in ('MANUAL_REVIEW', 'GATED_IN_FIRST', 'GATED_IN', 'RECALLED') and plates && $1::text[]",
            &plates
        );
        found.extend(rows.fetch_all(&mut *db).await?);
    }
    if let Some(parties) = sown(&seeds.parties) {
        let rows = sqlx::query_scalar!(
            "select truck_visit_id from truck_visit
             where state in ('MANUAL_REVIEW', 'GATED_IN_FIRST', 'GATED_IN', 'RECALLED')
               and (haulier_party = any($1::text[]) or carrier_party = any($1::text[]))",
            &parties
        );
        found.extend(rows.fetch_all(&mut *db).await?);
    }
    if let Some(lists) = sown(&seeds.lists) {
        let rows = sqlx::query_scalar!(
            "select truck_visit_id from truck_visit
             where state in ('MANUAL_REVIEW', 'GATED_IN_FIRST', 'GATED_IN', 'RECALLED')
               and list_number = any($1::text[])",
            &lists
        );
        found.extend(rows.fetch_all(&mut *db).await?);
    }
    Ok(found)
}

/// The filings that the seeds name otherwise than by id: what a driver may show finds any, all else the open ones.
async fn filings_named(db: &mut PgConnection, seeds: &Seeds) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut found = Vec::new();
    if let Some(numbers) = sown(&seeds.pre_arrival_numbers) {
        let rows = sqlx::query_scalar!(
            "select pre_arrival_id from pre_arrival where number = any($1::text[]) or pass_number = any($1::text[])",
            &numbers
        );
        found.extend(rows.fetch_all(&mut *db).await?);
    }
    if let Some(containers) = sown(&seeds.containers) {
        let rows = sqlx::query_scalar!(
            "select pre_arrival_id from pre_arrival
             where state in ('BLOCKED', 'READY') and containers && $1::text[]",
            &containers
        );
        found.extend(rows.fetch_all(&mut *db).await?);
    }
    if let Some(plates) = sown(&seeds.plates) {
        let rows = sqlx::query_scalar!(
            "select pre_arrival_id from pre_arrival
             where state in ('BLOCKED', 'READY') and plates && $1::text[]",
            &plates
        );
        found.extend(rows.fetch_all(&mut *db).await?);
    }
    if let Some(parties) = sown(&seeds.parties) {
        let rows = sqlx::query_scalar!(
            "select pre_arrival_id from pre_arrival
             where state in ('BLOCKED', 'READY') and haulier_party = any($1::text[])",
            &parties
        );
        found.extend(rows.fetch_all(&mut *db).await?);
    }
    if let Some(lists) = sown(&seeds.lists) {
        let rows = sqlx::query_scalar!(
            "select pre_arrival_id from pre_arrival
             where state in ('BLOCKED', 'READY') and list_number = any($1::text[])",
            &lists
        );
        found.extend(rows.fetch_all(&mut *db).await?);
    }
    if let Some(references) = sown(&seeds.references) {
        let rows = sqlx::query_scalar!(
            "select pre_arrival_id from pre_arrival
             where state in ('BLOCKED', 'READY') and body ->> 'kind' = 'FULL_IN'
               and body -> 'document_references' ?| $1::text[]",
            &references
        );
        found.extend(rows.fetch_all(&mut *db).await?);
    }
    Ok(found)
}

/// What is asked for, if anything is.
fn sown(names: &BTreeSet<String>) -> Option<Vec<String>> {
    (!names.is_empty()).then(|| names.iter().cloned().collect())
}

async fn trucks_of_ids(
    db: &mut PgConnection,
    ids: BTreeSet<Uuid>,
) -> Result<Vec<TruckRow>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = ids.into_iter().collect();
    sqlx::query_as!(
        TruckRow,
        "select truck_visit_id, pre_arrival_id, haulier_party, carrier_party, containers, plates, list_number
         from truck_visit where truck_visit_id = any($1::uuid[])",
        &ids
    )
    .fetch_all(db)
    .await
}

async fn filings_of_ids(
    db: &mut PgConnection,
    ids: BTreeSet<Uuid>,
) -> Result<Vec<FilingRow>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = ids.into_iter().collect();
    sqlx::query_as!(
        FilingRow,
        r#"select pre_arrival_id, number, pass_number, haulier_party, containers, plates, list_number,
                  body -> 'document_references' as "references: Json<Vec<String>>", body ->> 'kind' as kind
           from pre_arrival where pre_arrival_id = any($1::uuid[])"#,
        &ids
    )
    .fetch_all(db)
    .await
}

/// Of a truck's visit what leads further.
struct TruckRow {
    truck_visit_id: Uuid,
    pre_arrival_id: Option<Uuid>,
    haulier_party: Option<String>,
    carrier_party: Option<String>,
    containers: Vec<String>,
    plates: Vec<String>,
    list_number: Option<String>,
}

impl TruckRow {
    fn lead(self) -> Lead {
        Lead {
            id: self.truck_visit_id,
            is_truck: true,
            containers: self.containers,
            plates: self.plates,
            firms: self
                .haulier_party
                .into_iter()
                .chain(self.carrier_party)
                .collect(),
            pre_arrival_id: self.pre_arrival_id,
            numbers: Vec::new(),
            references: Vec::new(),
            list: self.list_number,
            overdue: false,
            on_unknown: false,
            long_inside: false,
        }
    }
}

/// Of a pre-arrival what leads further.
struct FilingRow {
    pre_arrival_id: Uuid,
    number: String,
    pass_number: Option<String>,
    haulier_party: String,
    containers: Vec<String>,
    plates: Vec<String>,
    list_number: Option<String>,
    references: Option<Json<Vec<String>>>,
    kind: Option<String>,
}

impl FilingRow {
    fn lead(self) -> Lead {
        let by_reference = self.kind.as_deref() == Some(PreArrivalKind::FullIn.as_str());
        let references = self.references.filter(|_| by_reference);
        Lead {
            id: self.pre_arrival_id,
            is_truck: false,
            containers: self.containers,
            plates: self.plates,
            firms: vec![self.haulier_party],
            pre_arrival_id: None,
            numbers: std::iter::once(self.number)
                .chain(self.pass_number)
                .collect(),
            references: references
                .map(|references| references.0)
                .unwrap_or_default(),
            list: self.list_number,
            overdue: false,
            on_unknown: false,
            long_inside: false,
        }
    }
}

/// The trucks that were let in longest ago, and so long ago that they must have left.
async fn trucks_long_inside(
    db: &mut PgConnection,
    gone_after: TimeDelta,
) -> Result<Vec<TruckRow>, sqlx::Error> {
    sqlx::query_as!(
        TruckRow,
        "select truck_visit_id, pre_arrival_id, haulier_party, carrier_party, containers, plates, list_number
         from truck_visit
         where state = 'GATED_IN' and arrived_at <= clock_timestamp() - make_interval(secs => $1)
         order by arrived_at limit $2",
        gone_after.as_seconds_f64(),
        LONG_INSIDE_MAX
    )
    .fetch_all(db)
    .await
}

/// Those that expire. A transfer whose truck is inside its first site does not.
async fn filings_overdue(db: &mut PgConnection) -> Result<Vec<FilingRow>, sqlx::Error> {
    sqlx::query_as!(
        FilingRow,
        r#"select pre_arrival_id, number, pass_number, haulier_party, containers, plates, list_number,
                  body -> 'document_references' as "references: Json<Vec<String>>", body ->> 'kind' as kind
           from pre_arrival
           where state in ('BLOCKED', 'READY') and expires_at <= clock_timestamp()
             and (body ->> 'truck_visit_id' is null or body ->> 'on_the_road_since' is not null)
           order by expires_at limit $1"#,
        OVERDUE_MAX
    )
    .fetch_all(db)
    .await
}

/// Those that are blocked because something was parked, which may be so no more; and those that are ready, and
/// something is parked about a thing that they name. Whether anything is parked at all is asked once, and not for
/// every filing.
async fn filings_on_unknown(db: &mut PgConnection) -> Result<Vec<FilingRow>, sqlx::Error> {
    sqlx::query_as!(
        FilingRow,
        r#"(select pre_arrival_id as "pre_arrival_id!", number as "number!", pass_number,
                   haulier_party as "haulier_party!", containers as "containers!", plates as "plates!", list_number,
                   body -> 'document_references' as "references: Json<Vec<String>>", body ->> 'kind' as kind
            from pre_arrival
            where state = 'BLOCKED' and body @> '{"conditions": [{"code": "KNOWLEDGE_UNKNOWN"}]}'
            order by pre_arrival_id limit $1)
           union all
           (select pre_arrival_id, number, pass_number, haulier_party, containers, plates, list_number,
                   body -> 'document_references', body ->> 'kind'
            from pre_arrival
            where state = 'READY' and exists (select from fabric.parked) and exists (
                select from fabric.parked p
                join unnest(containers || plates || haulier_party || list_number) as named (thing)
                  on position(thing in p.key) > 0)
            order by pre_arrival_id limit $1)"#,
        UNKNOWN_MAX
    )
    .fetch_all(db)
    .await
}
