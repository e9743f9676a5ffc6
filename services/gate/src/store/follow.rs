//! What an input leads to, as far as only the tables know: a container to the filings and trucks that name
//! it, those to their plates, firms, stays and holds.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use fabric::Subjects;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::app::{Seeds, kind};
use crate::domain::pre_arrival::PreArrivalKind;

/// The most filings that one look for overdue ones takes.
const OVERDUE_MAX: i64 = 200;

/// The most filings that one look for those on unknown ground takes.
const UNKNOWN_MAX: i64 = 200;

/// The most trucks that one look for those long inside takes.
const LONG_INSIDE_MAX: i64 = 200;

/// A filing or truck that may be concerned.
struct Lead {
    id: Uuid,
    is_truck: bool,
    containers: Vec<String>,
    plates: Vec<String>,
    /// The firm that filed, and the one that presents itself.
    firms: Vec<String>,
    pre_arrival_id: Option<Uuid>,
    /// What the driver may show: the filing's number and its pass's.
    numbers: Vec<String>,
    /// The declarations that a container comes in on.
    references: Vec<String>,
    /// The stock list of which it carries a part.
    list: Option<String>,
    overdue: bool,
    on_unknown: bool,
    /// Inside for so long that it must have left.
    long_inside: bool,
}

impl Lead {
    /// Whether these seeds lead here.
    fn is_named_by(&self, seeds: &Seeds) -> bool {
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

/// One [`Subjects`] for each input's seeds. A truck that was let in before a time must have left.
pub async fn follow(
    db: &mut PgConnection,
    seeds: &[Seeds],
    gone_after: TimeDelta,
) -> Result<Vec<Subjects>, sqlx::Error> {
    let mut all = Seeds::default();
    for each in seeds {
        all.add(each.clone());
    }
    let scopes = scopes_of_holds(db, &all).await?;
    let mut wide: Vec<Seeds> = seeds.to_vec();
    for each in &mut wide {
        for (key, scope) in &scopes {
            if each.holds.contains(key) {
                each.add(Seeds::of_scope(scope));
            }
        }
    }
    for each in &wide {
        all.add(each.clone());
    }
    let declared = containers_of_declarations(db, &all).await?;
    let called = references_of_declarations(db, &all).await?;
    let barred = decisions_barred_by(db, &all).await?;
    let announced = containers_of_conveyances(db, &all).await?;
    let loaded = containers_loaded_on(db, &all).await?;
    let unstuffed = containers_unstuffed(db, &all).await?;
    for each in &mut wide {
        for (declaration, container) in &declared {
            if each.declarations.contains(declaration) {
                each.containers.insert(container.clone());
            }
        }
        for (declaration, decision) in &barred {
            if each.barring.contains(declaration) {
                each.add(Seeds::of_decision(decision));
            }
        }
        for (declaration, reference) in &called {
            if each.declarations.contains(declaration) {
                each.references.insert(reference.clone());
            }
        }
        for (conveyance, container) in &announced {
            if each.conveyances.contains(conveyance) {
                each.containers.insert(container.clone());
            }
        }
        for (list, container) in &unstuffed {
            if each.unstuffed_lists.contains(list) {
                each.containers.insert(container.clone());
            }
        }
        for (conveyance, container) in &loaded {
            if each.departing.contains(conveyance) {
                each.containers.insert(container.clone());
            }
        }
        all.add(each.clone());
    }
    let mut leads = find_leads(db, &all, gone_after).await?;
    if all.moves {
        for each in wide.iter_mut().filter(|each| each.moves) {
            let moved: Vec<String> = leads
                .iter()
                .filter(|lead| lead.is_named_by(each))
                .flat_map(|lead| lead.containers.iter().cloned())
                .collect();
            each.containers.extend(moved);
            all.add(each.clone());
        }
        leads = find_leads(db, &all, gone_after).await?;
    }
    let mut containers: BTreeSet<String> = all.containers.clone();
    containers.extend(
        leads
            .iter()
            .flat_map(|lead| lead.containers.iter().cloned()),
    );
    let around = scopes_around(db, &containers).await?;
    let references = leads.iter().flat_map(|lead| lead.references.iter());
    let references = references
        .chain(&all.references)
        .chain(&all.named_references);
    let declared = declarations_called(db, references.cloned().collect()).await?;
    Ok(wide
        .iter()
        .map(|each| subjects(each, &leads, &around, &declared))
        .collect())
}

fn subjects(
    seeds: &Seeds,
    leads: &[Lead],
    around: &BTreeMap<String, Vec<String>>,
    declared: &[(String, String)],
) -> Subjects {
    let mut subjects = seeds.subjects();
    let mut references: BTreeSet<&String> = seeds.references.iter().collect();
    references.extend(&seeds.named_references);
    let mut containers: BTreeSet<&String> = seeds.containers.iter().collect();
    let named: Vec<&Lead> = leads
        .iter()
        .filter(|lead| lead.is_named_by(seeds))
        .collect();
    // A truck's filing is looked at with it: the trailer filed may be one that was not read.
    let filings: BTreeSet<Uuid> = named
        .iter()
        .filter_map(|lead| lead.pre_arrival_id)
        .collect();
    let of_trucks = leads
        .iter()
        .filter(|lead| !lead.is_truck && filings.contains(&lead.id));
    for lead in named.iter().copied().chain(of_trucks) {
        subjects = subjects.write(
            if lead.is_truck {
                kind::TRUCK_VISIT
            } else {
                kind::PRE_ARRIVAL
            },
            lead.id.to_string(),
        );
        for plate in &lead.plates {
            subjects = subjects.read(kind::HOLD_SCOPE, format!("plate/{plate}"));
        }
        for firm in &lead.firms {
            subjects = subjects
                .read(kind::PARTY, firm.as_str())
                .read(kind::HOLD_SCOPE, format!("party/{firm}"));
        }
        containers.extend(&lead.containers);
        references.extend(&lead.references);
        if let Some(list) = &lead.list {
            subjects = subjects
                .write(kind::LIST, list.as_str())
                .read(kind::HOLD_SCOPE, format!("stock-list/{list}"));
        }
    }
    for filing in filings {
        subjects = subjects.write(kind::PRE_ARRIVAL, filing.to_string());
    }
    for reference in &references {
        subjects = subjects.read(kind::REFERENCE, reference.as_str());
    }
    let of_these = declared
        .iter()
        .filter(|(reference, _)| references.contains(reference));
    for (_, declaration) in of_these {
        subjects = subjects.read(kind::HOLD_SCOPE, format!("declaration/{declaration}"));
    }
    for container in containers {
        subjects = subjects.write(kind::CONTAINER, container.as_str());
        for scope in around.get(container).into_iter().flatten() {
            subjects = subjects.read(kind::HOLD_SCOPE, scope.as_str());
        }
    }
    subjects
}

async fn scopes_of_holds(
    db: &mut PgConnection,
    seeds: &Seeds,
) -> Result<Vec<(crate::domain::hold::HoldKey, crate::domain::hold::Scope)>, sqlx::Error> {
    if seeds.holds.is_empty() {
        return Ok(Vec::new());
    }
    let (keepers, ids): (Vec<String>, Vec<String>) = seeds
        .holds
        .iter()
        .map(|(keeper, id)| (keeper.as_str().to_owned(), id.clone()))
        .unzip();
    let rows = sqlx::query!(
        "select h.keeper, h.hold_id, h.scope_kind, h.scope_key from hold h
         join unnest($1::text[], $2::text[]) as k (keeper, hold_id) on h.keeper = k.keeper and h.hold_id = k.hold_id",
        &keepers,
        &ids
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let keeper = super::rows::keeper(&row.keeper)?;
            Ok((
                (keeper, row.hold_id),
                super::rows::scope(&row.scope_kind, row.scope_key)?,
            ))
        })
        .collect()
}

async fn containers_of_declarations(
    db: &mut PgConnection,
    seeds: &Seeds,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    if seeds.declarations.is_empty() {
        return Ok(Vec::new());
    }
    let declarations: Vec<String> = seeds.declarations.iter().cloned().collect();
    let rows = sqlx::query!(
        "select container_number, declarations from known_clearance where declarations && $1::text[]",
        &declarations
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .flat_map(|row| {
            let container = row.container_number;
            row.declarations
                .into_iter()
                .map(move |declaration| (declaration, container.clone()))
        })
        .collect())
}

/// The decisions that opened no barrier because customs takes declarations back.
async fn decisions_barred_by(
    db: &mut PgConnection,
    seeds: &Seeds,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    if seeds.barring.is_empty() {
        return Ok(Vec::new());
    }
    let declarations: Vec<String> = seeds.barring.iter().cloned().collect();
    let rows = sqlx::query!(
        "select barred_by, container_visit_id from known_decision where barred_by <> '' and barred_by = any($1::text[])",
        &declarations
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.barred_by, row.container_visit_id))
        .collect())
}

/// The references by which filings name declarations.
async fn references_of_declarations(
    db: &mut PgConnection,
    seeds: &Seeds,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    if seeds.declarations.is_empty() {
        return Ok(Vec::new());
    }
    let declarations: Vec<String> = seeds.declarations.iter().cloned().collect();
    let rows = sqlx::query!(
        "select declaration_id, mrn, lrn from known_declaration where declaration_id = any($1::text[])",
        &declarations
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .flat_map(|row| {
            let declaration = row.declaration_id;
            let names = [row.mrn, row.lrn]
                .into_iter()
                .filter(|name| !name.is_empty());
            names.map(move |name| (declaration.clone(), name))
        })
        .collect())
}

/// The declarations that somebody who writes these references may mean.
async fn declarations_called(
    db: &mut PgConnection,
    references: BTreeSet<String>,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    if references.is_empty() {
        return Ok(Vec::new());
    }
    let references: Vec<String> = references.into_iter().collect();
    let rows = sqlx::query!(
        r#"select r.reference as "reference!", d.declaration_id from unnest($1::text[]) as r (reference)
           join known_declaration d on d.mrn = r.reference or d.lrn = r.reference"#,
        &references
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.reference, row.declaration_id))
        .collect())
}

/// What was lifted onto trains and barges that leave, and of each the one that it took along last: by that it is
/// known to have left already.
async fn containers_loaded_on(
    db: &mut PgConnection,
    seeds: &Seeds,
) -> Result<Vec<((String, String), String)>, sqlx::Error> {
    if seeds.departing.is_empty() {
        return Ok(Vec::new());
    }
    let (sites, conveyances): (Vec<String>, Vec<String>) = seeds.departing.iter().cloned().unzip();
    let rows = sqlx::query!(
        r#"select k.site_id as "site_id!", k.conveyance as "loaded_on!", v.container_number as "container_number!"
           from unnest($1::text[], $2::text[]) as k (site_id, conveyance)
           cross join lateral (
               select container_number from container_visit
               where site_id = k.site_id and loaded_on = k.conveyance and phase = 'ARRIVED'
               union all
               (select container_number from container_visit
                where site_id = k.site_id and loaded_on = k.conveyance and phase = 'DEPARTED'
                order by (body ->> 'departed_at') collate "C" desc limit 1)) as v"#,
        &sites,
        &conveyances
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.site_id, row.loaded_on), row.container_number))
        .collect())
}

/// What brought goods of stock lists into a centre, and is not known to be empty.
async fn containers_unstuffed(
    db: &mut PgConnection,
    seeds: &Seeds,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    if seeds.unstuffed_lists.is_empty() {
        return Ok(Vec::new());
    }
    let lists: Vec<String> = seeds.unstuffed_lists.iter().cloned().collect();
    let rows = sqlx::query!(
        r#"select list_number as "list_number!", container_number from container_visit
           where list_number = any($1::text[]) and phase = 'ARRIVED' and not (body -> 'manifest' ->> 'empty')::boolean"#,
        &lists
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.list_number, row.container_number))
        .collect())
}

async fn containers_of_conveyances(
    db: &mut PgConnection,
    seeds: &Seeds,
) -> Result<Vec<((String, String), String)>, sqlx::Error> {
    if seeds.conveyances.is_empty() {
        return Ok(Vec::new());
    }
    let (sites, conveyances): (Vec<String>, Vec<String>) =
        seeds.conveyances.iter().cloned().unzip();
    let rows = sqlx::query!(
        r#"select v.site_id, v.conveyance as "conveyance!", v.container_number from container_visit v
           join unnest($1::text[], $2::text[]) as k (site_id, conveyance)
             on v.site_id = k.site_id and v.conveyance = k.conveyance
           where v.phase = 'ANNOUNCED'"#,
        &sites,
        &conveyances
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.site_id, row.conveyance), row.container_number))
        .collect())
}

async fn find_leads(
    db: &mut PgConnection,
    seeds: &Seeds,
    gone_after: TimeDelta,
) -> Result<Vec<Lead>, sqlx::Error> {
    let containers: Vec<String> = seeds.containers.iter().cloned().collect();
    let plates: Vec<String> = seeds.plates.iter().cloned().collect();
    let parties: Vec<String> = seeds.parties.iter().cloned().collect();
    let trucks: Vec<Uuid> = seeds.truck_visits.iter().copied().collect();
    let numbers: Vec<String> = seeds.pre_arrival_numbers.iter().cloned().collect();
    let references: Vec<String> = seeds.references.iter().cloned().collect();
    let lists: Vec<String> = seeds.lists.iter().cloned().collect();
    let mut truck_rows = sqlx::query_as!(
        TruckRow,
        "select truck_visit_id, pre_arrival_id, haulier_party, carrier_party, containers, plates, list_number
         from truck_visit
         where truck_visit_id = any($1::uuid[])
            or (state in ('MANUAL_REVIEW', 'GATED_IN', 'RECALLED')
                and (containers && $2::text[] or plates && $3::text[] or list_number = any($5::text[])
                     or haulier_party = any($4::text[]) or carrier_party = any($4::text[])))
            or (state = 'GATED_IN_FIRST'
                and (containers && $2::text[] or plates && $3::text[] or list_number = any($5::text[])
                     or haulier_party = any($4::text[]) or carrier_party = any($4::text[])))",
        &trucks,
        &containers,
        &plates,
        &parties,
        &lists
    )
    .fetch_all(&mut *db)
    .await?;
    let named = truck_rows.len();
    if seeds.long_inside {
        truck_rows.extend(trucks_long_inside(db, gone_after).await?);
    }
    let of_trucks = truck_rows.iter().filter_map(|row| row.pre_arrival_id);
    let filings: Vec<Uuid> = seeds
        .pre_arrivals
        .iter()
        .copied()
        .chain(of_trucks)
        .collect();
    let mut leads: Vec<Lead> = truck_rows
        .into_iter()
        .enumerate()
        .map(|(place, row)| row.lead(place >= named))
        .collect();
    let filing_rows = sqlx::query_as!(
        FilingRow,
        r#"select pre_arrival_id, number, pass_number, haulier_party, containers, plates, list_number,
                  body -> 'document_references' as "references: Json<Vec<String>>", body ->> 'kind' as kind
           from pre_arrival
           where pre_arrival_id = any($1::uuid[]) or number = any($2::text[]) or pass_number = any($2::text[])
              or (state in ('BLOCKED', 'READY')
                  and (containers && $3::text[] or plates && $4::text[] or haulier_party = any($5::text[])
                       or list_number = any($7::text[])))
              or (state in ('BLOCKED', 'READY') and body ->> 'kind' = 'FULL_IN'
                  and body -> 'document_references' ?| $6::text[])"#,
        &filings,
        &numbers,
        &containers,
        &plates,
        &parties,
        &references,
        &lists
    )
    .fetch_all(&mut *db)
    .await?;
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
    fn lead(self, long_inside: bool) -> Lead {
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
            long_inside,
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
/// something is parked about a thing that they name.
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
            where state = 'READY' and exists (
                select from fabric.parked p
                join unnest(containers || plates || haulier_party || list_number) as named (thing)
                  on position(thing in p.key) > 0)
            order by pre_arrival_id limit $1)"#,
        UNKNOWN_MAX
    )
    .fetch_all(db)
    .await
}

/// The hold scopes around containers: their open stays and the declarations bound to them.
async fn scopes_around(
    db: &mut PgConnection,
    containers: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    let mut around: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if containers.is_empty() {
        return Ok(around);
    }
    let containers: Vec<String> = containers.iter().cloned().collect();
    let visits = sqlx::query!(
        "select container_number, container_visit_id from container_visit
         where container_number = any($1::text[]) and phase in ('ANNOUNCED', 'ARRIVED')",
        &containers
    )
    .fetch_all(&mut *db)
    .await?;
    for row in visits {
        around
            .entry(row.container_number)
            .or_default()
            .push(format!("container-visit/{}", row.container_visit_id));
    }
    let clearances = sqlx::query!(
        "select container_number, declarations from known_clearance where container_number = any($1::text[])",
        &containers
    )
    .fetch_all(db)
    .await?;
    for row in clearances {
        let scopes = row
            .declarations
            .into_iter()
            .map(|id| format!("declaration/{id}"));
        around
            .entry(row.container_number)
            .or_default()
            .extend(scopes);
    }
    Ok(around)
}
