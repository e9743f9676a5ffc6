//! What an input leads to, as far as only the tables know: a container to the filings and trucks that name
//! it, those to their plates, firms, stays and holds.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use fabric::Subjects;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::{Seeds, kind};

use super::leads::{Lead, find_leads};

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
           join known_declaration d on (d.mrn = r.reference and d.mrn <> '') or d.lrn = r.reference"#,
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
