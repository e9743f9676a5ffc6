//! The relations that lead from one subject to others, read for a whole batch: a hold to its scope, a document
//! or a party to containers, a container to the documents and declarations of its open stays, a stock list to
//! its declarations and their containers.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use sqlx::types::Json;

use super::undecodable;
use crate::app::{Links, Seeds};
use crate::domain::clearance::{Clearance, container_key, transport_document_key};
use crate::domain::commercial_release::Revocation;
use crate::domain::container_visit::{self, ContainerVisit};
use crate::domain::hold::{HoldId, Scope, ScopeKind};
use crate::domain::requirements;

/// Containers looked at again at once because of parked records. Those that do not count theirs yet come
/// first; of the others each has its turn at one of the next ticks.
const UNKNOWN_CONTAINERS_MAX: i64 = 200;
/// Containers looked at again at once because of stopped partitions.
const STOPPED_CONTAINERS_MAX: usize = 200;
/// Stays of which it is looked up at once whether a stopped partition is about them.
const STAYS_SEARCHED_MAX: i64 = 2_000;
/// Stock lists of which it is looked up at once whether anything about them could not be read.
const LISTS_SEARCHED_MAX: i64 = 500;
/// Stock lists looked at again at once because of that.
const UNKNOWN_LISTS_MAX: usize = 50;

/// Containers looked at at once because a party is held or no longer: granted ones first, the rest at the next ticks.
const PARTY_CONTAINERS_MAX: i64 = 200;
/// Stock lists likewise.
const PARTY_LISTS_MAX: i64 = 50;
/// Containers that have left which are read to say that a commercial release of theirs comes too late to be taken back.
const LEFT_CONTAINERS_MAX: i64 = 200;

/// Reads what follows from these seeds: one statement per relation.
///
/// # Errors
/// If the database does not answer.
pub async fn read(db: &mut PgConnection, seeds: &Seeds) -> Result<Links, sqlx::Error> {
    let mut seeds = seeds.clone();
    let mut links = Links::default();
    if seeds.due {
        links.due_containers = unknown_containers(db).await?;
        links
            .due_containers
            .extend(containers_behind_a_stop(db).await?);
        links
            .due_containers
            .extend(containers_behind_a_party_hold(db).await?);
        seeds
            .containers
            .extend(links.due_containers.iter().cloned());
        links.due_lists = unknown_lists(db).await?;
        links.due_lists.extend(lists_behind_a_party_hold(db).await?);
        seeds.lists.extend(links.due_lists.iter().cloned());
    }
    waiting_revocations(db, &mut seeds, &mut links).await?;
    release_documents(db, &mut seeds, &mut links).await?;
    hold_scopes(db, &mut seeds, &mut links).await?;
    of_parties(db, &mut seeds, &mut links).await?;
    containers_left(db, &seeds, &mut links).await?;
    visit_containers(db, &mut seeds, &mut links).await?;
    let declaration_keys = declaration_keys(db, &seeds).await?;
    seeds.documents.extend(
        declaration_keys
            .values()
            .flatten()
            .filter_map(|key| key.strip_prefix("transport-document/"))
            .map(str::to_owned),
    );
    document_containers(db, &mut seeds, &mut links).await?;
    let reached = links.visit_container.values();
    let reached = reached.chain(links.document_containers.values().flatten());
    seeds.list_containers.extend(reached.cloned());
    declaration_lists(db, &mut seeds, &mut links).await?;
    container_lists(db, &mut seeds, &mut links).await?;
    list_links(db, &mut seeds, &mut links).await?;
    for (declaration, keys) in declaration_keys {
        let containers: BTreeSet<String> = keys
            .iter()
            .flat_map(|key| containers_of_key(key, &links))
            .collect();
        seeds.containers.extend(containers.iter().cloned());
        links.declaration_containers.insert(declaration, containers);
    }
    open_stays(db, &seeds, &mut links).await?;
    key_declarations(db, &seeds, &mut links).await?;
    document_hauliers(db, &seeds, &mut links).await?;
    Ok(links)
}

fn containers_of_key(key: &str, links: &Links) -> Vec<String> {
    match key.split_once('/') {
        Some(("container", number)) => vec![number.to_owned()],
        Some(("transport-document", document)) => links
            .document_containers
            .get(document)
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        _ => Vec::new(),
    }
}

/// The containers on whose decisions a parked record weighs that is not yet counted as unknown, or
/// that count one which is not parked any more; and, cheaply, those that may be either. The order is the
/// same for a while: asked again under the locks, the answer must not be another.
async fn unknown_containers(db: &mut PgConnection) -> Result<BTreeSet<String>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"with parked as (select distinct topic, key from fabric.parked)
           select container_number as "container_number!" from (
               select container_number, true as known from container_visit where unknown and not over
               union
               select v.container_number, v.unknown from container_visit v join parked p
                 on (p.topic = 'gate.container-visit' and p.key = v.site_id || '/' || v.container_number)
                 or (p.topic = 'customs.clearance' and p.key = 'container/' || v.container_number)
               where not v.over
               union
               select v.container_number, v.unknown from parked p join container_visit v
                 on v.transport_documents && array[substr(p.key, 20)]
               where p.topic = 'customs.clearance' and p.key like 'transport-document/%' and not v.over
               union
               select v.container_number, v.unknown from parked p join container_visit v on v.container_visit_id = substr(p.key, 17)
               where p.topic in ('gate.hold', 'customs.hold') and p.key like 'container-visit/%' and not v.over
               union
               select v.container_number, v.unknown from parked p join clearance c on c.declaration_ids && array[substr(p.key, 13)]
                 join container_visit v on v.container_number = substr(c.key, 11)
               where p.topic in ('gate.hold', 'customs.hold') and p.key like 'declaration/%' and c.key like 'container/%'
                 and not v.over
               union
               select v.container_number, v.unknown from parked p join container_visit v
                 on v.goods_parties && array[substr(p.key, 7)]
               where p.topic in ('gate.hold', 'customs.hold') and p.key like 'party/%' and not v.over
           ) u
           group by container_number
           order by bool_and(known), md5(container_number || floor(extract(epoch from clock_timestamp()) / 2)::text)
           limit $1"#,
        UNKNOWN_CONTAINERS_MAX
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().collect())
}

/// The containers for which a hold on a party stands that was not weighed, or was weighed one that stands no longer.
async fn containers_behind_a_party_hold(
    db: &mut PgConnection,
) -> Result<BTreeSet<String>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"select container_number as "container_number!" from (
               select v.container_number from hold h join container_visit v on v.goods_parties && array[substr(h.scope, 7)]
               where h.lifted_at is null and h.scope like 'party/%' and not v.over
                 and not v.party_holds && array[h.service || '/' || h.hold_id]
               union
               select v.container_number from container_visit v, unnest(v.party_holds) as w (id)
               where v.party_holds <> '{}' and not v.over
                 and not exists (select from hold h where h.service = split_part(w.id, '/', 1)
                                 and h.hold_id = substr(w.id, strpos(w.id, '/') + 1) and h.lifted_at is null)
           ) u
           order by md5(container_number || floor(extract(epoch from clock_timestamp()) / 2)::text)
           limit $1"#,
        PARTY_CONTAINERS_MAX
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().collect())
}

/// The stock lists likewise.
async fn lists_behind_a_party_hold(db: &mut PgConnection) -> Result<BTreeSet<String>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"select list_number as "list_number!" from (
               select l.list_number from hold h join stock_list l on l.goods_parties && array[substr(h.scope, 7)]
               where h.lifted_at is null and h.scope like 'party/%' and not l.over
                 and not l.party_holds && array[h.service || '/' || h.hold_id]
               union
               select l.list_number from stock_list l, unnest(l.party_holds) as w (id)
               where l.party_holds <> '{}' and not l.over
                 and not exists (select from hold h where h.service = split_part(w.id, '/', 1)
                                 and h.hold_id = substr(w.id, strpos(w.id, '/') + 1) and h.lifted_at is null)
           ) u
           order by md5(list_number || floor(extract(epoch from clock_timestamp()) / 2)::text)
           limit $1"#,
        PARTY_LISTS_MAX
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().collect())
}

/// The open containers and stock lists that parties concern.
async fn of_parties(
    db: &mut PgConnection,
    seeds: &mut Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    if seeds.parties.is_empty() {
        return Ok(());
    }
    let parties: Vec<String> = seeds.parties.iter().cloned().collect();
    let containers = sqlx::query!(
        r#"select p.party as "party!", v.container_number as "container_number!"
           from unnest($1::text[]) as p (party)
           cross join lateral (select container_number from container_visit
                               where goods_parties && array[p.party] and not over
                               order by decision_state is distinct from 'GRANTED', container_visit_id limit $2) v"#,
        &parties,
        PARTY_CONTAINERS_MAX
    )
    .fetch_all(&mut *db)
    .await?;
    for row in containers {
        seeds.containers.insert(row.container_number.clone());
        let own = links.party_containers.entry(row.party).or_default();
        own.insert(row.container_number);
    }
    let lists = sqlx::query!(
        r#"select p.party as "party!", l.list_number as "list_number!"
           from unnest($1::text[]) as p (party)
           cross join lateral (select list_number from stock_list
                               where goods_parties && array[p.party] and not over
                               order by decision_state is distinct from 'GRANTED', list_number limit $2) l"#,
        &parties,
        PARTY_LISTS_MAX
    )
    .fetch_all(db)
    .await?;
    for row in lists {
        seeds.lists.insert(row.list_number.clone());
        let own = links.party_lists.entry(row.party).or_default();
        own.insert(row.list_number);
    }
    Ok(())
}

/// The containers that have left, of documents of which a release is taken back.
async fn containers_left(
    db: &mut PgConnection,
    seeds: &Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    let taken_back = seeds
        .taken_back
        .iter()
        .chain(links.release_document.values());
    let documents: Vec<String> = taken_back.cloned().collect();
    if documents.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"select d.document as "document!", v.container_number as "container_number!"
           from unnest($1::text[]) as d (document)
           cross join lateral (select container_number from container_visit
                               where transport_documents && array[d.document] and over
                               order by known_since desc, container_visit_id desc limit $2) v"#,
        &documents,
        LEFT_CONTAINERS_MAX
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        let own = links.document_left.entry(row.document).or_default();
        own.insert(row.container_number);
    }
    Ok(())
}

/// The containers about which a stopped partition may hold something that is not counted as unknown yet,
/// granted ones first. Which partition holds a key is not for SQL to know, so stays are searched.
async fn containers_behind_a_stop(db: &mut PgConnection) -> Result<BTreeSet<String>, sqlx::Error> {
    let stopped = super::stopped_partitions(db).await?;
    if stopped.is_empty() {
        return Ok(BTreeSet::new());
    }
    let visits = sqlx::query_scalar!(
        r#"select body as "body: Json<ContainerVisit>" from container_visit where not over and not unknown
           order by decision_state is distinct from 'GRANTED',
                    md5(container_visit_id || floor(extract(epoch from clock_timestamp()) / 2)::text)
           limit $1"#,
        STAYS_SEARCHED_MAX
    )
    .fetch_all(&mut *db)
    .await?;
    let keys: BTreeSet<String> = visits
        .iter()
        .flat_map(|visit| requirements::clearance_keys(&visit.0.stay))
        .collect();
    let keys: Vec<String> = keys.into_iter().collect();
    let clearances: BTreeMap<String, Clearance> = super::rows::clearances(db, &keys)
        .await?
        .into_iter()
        .map(|clearance| (clearance.key.clone(), clearance))
        .collect();
    let behind_a_stop = |visit: &ContainerVisit| {
        let stay = &visit.stay;
        let parties = visit.party_holds.parties.iter();
        let parties = parties.map(String::as_str).collect();
        let keys = requirements::clearance_keys(stay);
        let own: Vec<&Clearance> = keys.iter().filter_map(|key| clearances.get(key)).collect();
        requirements::sources(stay, &own, &parties)
            .iter()
            .any(|source| stopped.hold(source.topic, &source.key))
    };
    Ok(visits
        .iter()
        .filter(|visit| behind_a_stop(&visit.0))
        .map(|visit| visit.0.stay.container_number.clone())
        .take(STOPPED_CONTAINERS_MAX)
        .collect())
}

/// The commercial releases whose revocation waits for one of these answers.
async fn waiting_revocations(
    db: &mut PgConnection,
    seeds: &mut Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    if seeds.asks.is_empty() {
        return Ok(());
    }
    let asks: Vec<_> = seeds.asks.iter().copied().collect();
    let rows = sqlx::query!(
        r#"select transport_document, revocation as "revocation!: Json<Revocation>" from commercial_release
           where revocation is not null and revocation_ask_ids && $1"#,
        &asks
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        let asked = &row.revocation.0.asks;
        seeds.documents.insert(row.transport_document.clone());
        for ask in asked {
            seeds.visits.insert(ask.container_visit_id.clone());
            let (documents, visits) = links.ask_waits.entry(ask.ask_id).or_default();
            documents.insert(row.transport_document.clone());
            visits.extend(asked.iter().map(|ask| ask.container_visit_id.clone()));
        }
    }
    Ok(())
}

async fn release_documents(
    db: &mut PgConnection,
    seeds: &mut Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    if seeds.releases.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = seeds.releases.iter().copied().collect();
    let rows = sqlx::query!(
        "select commercial_release_id, transport_document from commercial_release where commercial_release_id = any($1)",
        &ids
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        seeds.documents.insert(row.transport_document.clone());
        links
            .release_document
            .insert(row.commercial_release_id, row.transport_document);
    }
    Ok(())
}

async fn hold_scopes(
    db: &mut PgConnection,
    seeds: &mut Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    if seeds.holds.is_empty() {
        return Ok(());
    }
    let (services, ids): (Vec<String>, Vec<String>) = seeds
        .holds
        .iter()
        .map(|hold| (hold.service.clone(), hold.id.clone()))
        .unzip();
    let rows = sqlx::query!(
        "select h.service, h.hold_id, h.scope from hold h join unnest($1::text[], $2::text[]) as n (service, hold_id)
           on h.service = n.service and h.hold_id = n.hold_id",
        &services,
        &ids
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        let scope = Scope::parse(&row.scope)
            .ok_or_else(|| undecodable(format!("hold.scope {}", row.scope)))?;
        match scope.kind {
            ScopeKind::ContainerVisit => {
                seeds.visits.insert(scope.key.clone());
                seeds.list_containers.extend(
                    container_visit::named_by(&scope.key).map(|(_, number)| number.to_owned()),
                );
            }
            ScopeKind::Declaration => {
                seeds.declarations.insert(scope.key.clone());
                seeds.list_declarations.insert(scope.key.clone());
            }
            ScopeKind::StockList => {
                seeds.lists.insert(scope.key.clone());
            }
            ScopeKind::Party => {
                seeds.parties.insert(scope.key.clone());
            }
            ScopeKind::Plate => {}
        }
        links.hold_scope.insert(
            HoldId {
                service: row.service,
                id: row.hold_id,
            },
            scope,
        );
    }
    Ok(())
}

async fn visit_containers(
    db: &mut PgConnection,
    seeds: &mut Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    if seeds.visits.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = seeds.visits.iter().cloned().collect();
    let rows = sqlx::query!("select container_visit_id, container_number from container_visit where container_visit_id = any($1)", &ids)
        .fetch_all(db)
        .await?;
    for row in rows {
        seeds.containers.insert(row.container_number.clone());
        links
            .visit_container
            .insert(row.container_visit_id, row.container_number);
    }
    Ok(())
}

/// The stock lists that declarations named when they were last heard of.
async fn declaration_lists(
    db: &mut PgConnection,
    seeds: &mut Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    if seeds.list_declarations.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = seeds.list_declarations.iter().cloned().collect();
    let rows = sqlx::query!(
        "select declaration_id, stock_lists from declaration
         where declaration_id = any($1) and stock_lists <> '{}'",
        &ids
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        seeds.lists.extend(row.stock_lists.iter().cloned());
        links
            .declaration_lists
            .insert(row.declaration_id, row.stock_lists.into_iter().collect());
    }
    Ok(())
}

/// The stock lists that are not over and that declarations of these containers name.
async fn container_lists(
    db: &mut PgConnection,
    seeds: &mut Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    if seeds.list_containers.is_empty() {
        return Ok(());
    }
    let numbers: Vec<String> = seeds.list_containers.iter().cloned().collect();
    let rows = sqlx::query!(
        "select l.list_number, d.container_numbers from declaration d join stock_list l on l.list_number = any(d.stock_lists)
         where d.container_numbers && $1 and d.stock_lists <> '{}' and not l.over",
        &numbers
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        let named = row.container_numbers.into_iter();
        for number in named.filter(|number| seeds.list_containers.contains(number)) {
            links
                .container_lists
                .entry(number)
                .or_default()
                .insert(row.list_number.clone());
        }
        seeds.lists.insert(row.list_number);
    }
    Ok(())
}

/// What stock lists lead to: their declarations, the containers that these name, the sites of their passes.
async fn list_links(
    db: &mut PgConnection,
    seeds: &mut Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    if seeds.lists.is_empty() {
        return Ok(());
    }
    let numbers: Vec<String> = seeds.lists.iter().cloned().collect();
    let declarations = sqlx::query!(
        "select declaration_id, stock_lists, container_numbers, filer_party, trader_party from declaration
         where stock_lists && $1 and stock_lists <> '{}'",
        &numbers
    )
    .fetch_all(&mut *db)
    .await?;
    for row in declarations {
        seeds
            .containers
            .extend(row.container_numbers.iter().cloned());
        for number in row
            .stock_lists
            .into_iter()
            .filter(|number| seeds.lists.contains(number))
        {
            let own = links.lists.entry(number).or_default();
            own.declarations.insert(row.declaration_id.clone());
            own.containers.extend(row.container_numbers.iter().cloned());
            own.parties
                .extend([row.filer_party.clone(), row.trader_party.clone()]);
        }
    }
    let traders = sqlx::query!(
        r#"select list_number, body -> 'filed' ->> 'trader_party' as "trader_party!" from stock_list
           where list_number = any($1) and body -> 'filed' ->> 'trader_party' is not null"#,
        &numbers
    )
    .fetch_all(&mut *db)
    .await?;
    for row in traders {
        let own = links.lists.entry(row.list_number).or_default();
        own.parties.insert(row.trader_party);
    }
    let sites = sqlx::query!(
        r#"select list_number as "list_number!", site_id as "site_id!" from stock_list, unnest(site_ids) as s (site_id)
           where list_number = any($1)
           union
           select list_number, s.site_id from pre_arrival, unnest(array[site_id, second_site_id]) as s (site_id)
           where list_number = any($1) and list_number <> '' and s.site_id <> ''"#,
        &numbers
    )
    .fetch_all(db)
    .await?;
    for row in sites {
        let own = links.lists.entry(row.list_number).or_default();
        own.sites.insert(row.site_id);
    }
    Ok(())
}

/// The stock lists about which something could not be read that is not counted as unknown yet, and those that
/// count something so. Which partition holds a key is not for SQL to know, so lists are searched, with
/// everything that they rest on. The order is the same for a while, as with containers.
async fn unknown_lists(db: &mut PgConnection) -> Result<BTreeSet<String>, sqlx::Error> {
    let stopped = super::stopped_partitions(db).await?;
    let any = sqlx::query_scalar!(
        r#"select exists(select from fabric.parked) or exists(select from stock_list where unknown and not over) as "any!""#
    )
    .fetch_one(&mut *db)
    .await?;
    if !any && stopped.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = sqlx::query!(
        r#"with open_list as (
               select list_number, unknown, goods_parties from stock_list where not over
               order by unknown desc, decision_state is distinct from 'GRANTED',
                        md5(list_number || floor(extract(epoch from clock_timestamp()) / 2)::text)
               limit $1),
           named as (
               select l.list_number, d.declaration_id, d.container_numbers
               from open_list l join declaration d
                 on d.stock_lists && array[l.list_number] and d.stock_lists <> '{}'),
           stay as (
               select n.list_number, v.container_visit_id, v.container_number, v.transport_documents,
                      v.site_id || '/' || v.container_number as key
               from named n join container_visit v on v.container_number = any(n.container_numbers) and not v.over),
           scope as (
               select list_number, 'stock-list/' || list_number as key from open_list
               union select list_number, 'declaration/' || declaration_id from named
               union select list_number, 'container-visit/' || container_visit_id from stay
               union select list_number, 'party/' || p from open_list, unnest(goods_parties) as t (p)),
           source as (
               select list_number, 'bonded.stock-list' as topic, list_number as key from open_list
               union select list_number, 'gate.list-passage', list_number from open_list
               union select list_number, 'customs.declaration', declaration_id from named
               union select list_number, 'gate.container-visit', key from stay
               union select list_number, 'customs.clearance', 'container/' || container_number from stay
               union select list_number, 'customs.clearance', 'transport-document/' || d
                     from stay, unnest(transport_documents) as t (d)
               union select list_number, 'gate.hold', key from scope
               union select list_number, 'customs.hold', key from scope)
           select s.list_number as "list_number!", l.unknown as "unknown!", s.topic as "topic!", s.key as "key!",
                  exists(select from fabric.parked p where p.topic = s.topic and p.key = s.key) as "parked!"
           from source s join open_list l on l.list_number = s.list_number
           order by l.unknown, s.list_number"#,
        LISTS_SEARCHED_MAX
    )
    .fetch_all(db)
    .await?;
    let mut unknown = BTreeSet::new();
    for row in rows {
        let due = row.unknown || row.parked || stopped.hold(&row.topic, &row.key);
        if due && (unknown.len() < UNKNOWN_LISTS_MAX) {
            unknown.insert(row.list_number);
        }
    }
    Ok(unknown)
}

/// The keys of customs that name a declaration.
async fn declaration_keys(
    db: &mut PgConnection,
    seeds: &Seeds,
) -> Result<BTreeMap<String, BTreeSet<String>>, sqlx::Error> {
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    if seeds.declarations.is_empty() {
        return Ok(keys);
    }
    let ids: Vec<String> = seeds.declarations.iter().cloned().collect();
    let rows = sqlx::query!(
        "select key, declaration_ids from clearance where declaration_ids && $1",
        &ids
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        for declaration in row
            .declaration_ids
            .into_iter()
            .filter(|id| seeds.declarations.contains(id))
        {
            keys.entry(declaration).or_default().insert(row.key.clone());
        }
    }
    Ok(keys)
}

async fn document_containers(
    db: &mut PgConnection,
    seeds: &mut Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    if seeds.documents.is_empty() {
        return Ok(());
    }
    let documents: Vec<String> = seeds.documents.iter().cloned().collect();
    let rows = sqlx::query!("select container_number, transport_documents from container_visit where transport_documents && $1 and not over", &documents)
        .fetch_all(db)
        .await?;
    for row in rows {
        for document in row
            .transport_documents
            .into_iter()
            .filter(|document| seeds.documents.contains(document))
        {
            links
                .document_containers
                .entry(document)
                .or_default()
                .insert(row.container_number.clone());
        }
        seeds.containers.insert(row.container_number);
    }
    Ok(())
}

async fn open_stays(
    db: &mut PgConnection,
    seeds: &Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    if seeds.containers.is_empty() {
        return Ok(());
    }
    let numbers: Vec<String> = seeds.containers.iter().cloned().collect();
    // A stay that is named itself is weighed even if it is over.
    let named: Vec<String> = seeds.visits.iter().cloned().collect();
    let rows = sqlx::query!(
        r#"select container_number, container_visit_id, site_id, transport_documents,
                  array(select l ->> 'line_party' from jsonb_array_elements(body -> 'stay' -> 'manifest_lines') as m (l)) as "lines!"
           from container_visit where container_number = any($1) and (not over or container_visit_id = any($2))"#,
        &numbers,
        &named
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        let own = links.containers.entry(row.container_number).or_default();
        own.visits.insert(row.container_visit_id);
        own.sites.insert(row.site_id);
        own.documents.extend(row.transport_documents);
        own.lines.extend(row.lines);
    }
    Ok(())
}

/// The transport documents that were named, and those of the containers that were found.
fn documents<'a>(seeds: &'a Seeds, links: &'a Links) -> impl Iterator<Item = &'a String> {
    let found = links.containers.values().flat_map(|own| &own.documents);
    seeds.documents.iter().chain(found)
}

async fn key_declarations(
    db: &mut PgConnection,
    seeds: &Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    let keys: BTreeSet<String> = seeds
        .containers
        .iter()
        .map(|number| container_key(number))
        .chain(documents(seeds, links).map(|document| transport_document_key(document)))
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let rows = sqlx::query!(
        r#"select key, declaration_ids,
                  array(select distinct p.party from jsonb_array_elements(body -> 'consignments') as c (goods),
                               unnest(array[goods ->> 'filer_party', goods ->> 'trader_party']) as p (party)) as "parties!"
           from clearance where key = any($1)"#,
        &keys
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        links
            .key_parties
            .insert(row.key.clone(), row.parties.into_iter().collect());
        links
            .key_declarations
            .insert(row.key, row.declaration_ids.into_iter().collect());
    }
    Ok(())
}

/// The hauliers to whom the lines release the transport documents.
async fn document_hauliers(
    db: &mut PgConnection,
    seeds: &Seeds,
    links: &mut Links,
) -> Result<(), sqlx::Error> {
    let documents: BTreeSet<String> = documents(seeds, links).cloned().collect();
    if documents.is_empty() {
        return Ok(());
    }
    let documents: Vec<String> = documents.into_iter().collect();
    let rows = sqlx::query!(
        "select distinct transport_document, haulier_party from commercial_release
         where transport_document = any($1) and revoked_at is null",
        &documents
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        let key = transport_document_key(&row.transport_document);
        let own = links.key_parties.entry(key).or_default();
        own.insert(row.haulier_party);
    }
    Ok(())
}
