//! The timeline: entries appended once each, and read by whoever may.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use fabric::{Reads, Rights, StoreError, restrict};
use serde::Serialize;
use sqlx::PgConnection;

use super::reading::rights;
use super::write::json;
use crate::domain::reader::Reader;
use crate::domain::timeline::TimelineEntry;

/// Whose timeline to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Every stay of a container.
    ContainerNumber(String),
    /// One stay.
    ContainerVisit(String),
    /// A declaration by its id.
    Declaration(String),
    /// A declaration by its MRN.
    Mrn(String),
    /// A pre-arrival.
    PreArrival(String),
    /// A truck visit.
    TruckVisit(String),
    /// An account book.
    Book(String),
    /// A stock list.
    StockList(String),
}

/// Where a page ends: the last entry's recorded time and event.
pub type After = (DateTime<Utc>, String);

#[derive(Serialize)]
struct Row<'a> {
    event_id: &'a str,
    service: &'a str,
    fact: &'a str,
    subject: &'a str,
    party: &'a str,
    observed_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    title: &'a str,
    detail: &'a str,
    site_id: &'a str,
    container_numbers: &'a [String],
    container_visit_ids: &'a [String],
    transport_document: &'a str,
    declaration_id: &'a str,
    mrn: &'a str,
    pre_arrival_id: &'a str,
    truck_visit_id: &'a str,
    book_number: &'a str,
    list_number: &'a str,
    open_to_visit_readers: bool,
    reader_parties: Vec<&'a str>,
}

/// Adds a batch's entries. A fact that is there already stays as it is: a record is applied once, but
/// a topic may be stated again.
pub(super) async fn append(
    db: &mut PgConnection,
    entries: &[TimelineEntry],
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row<'_>> = entries
        .iter()
        .map(|entry| Row {
            event_id: &entry.event_id,
            service: &entry.service,
            fact: &entry.fact,
            subject: &entry.subject,
            party: &entry.party,
            observed_at: entry.observed_at,
            recorded_at: entry.recorded_at,
            title: &entry.title,
            detail: &entry.detail,
            site_id: &entry.site_id,
            container_numbers: &entry.container_numbers,
            container_visit_ids: &entry.container_visit_ids,
            transport_document: &entry.transport_document,
            declaration_id: &entry.declaration_id,
            mrn: &entry.mrn,
            pre_arrival_id: &entry.pre_arrival_id,
            truck_visit_id: &entry.truck_visit_id,
            book_number: &entry.book_number,
            list_number: &entry.list_number,
            open_to_visit_readers: entry.open_to_visit_readers,
            reader_parties: entry.reader_parties.iter().map(String::as_str).collect(),
        })
        .collect();
    sqlx::query!(
        "insert into timeline_entry (event_id, service, fact, subject, party, observed_at, recorded_at, title, detail, site_id,
                                     container_numbers, container_visit_ids, transport_document, declaration_id, mrn,
                                     pre_arrival_id, truck_visit_id, book_number, list_number, open_to_visit_readers,
                                     reader_parties)
         select * from jsonb_to_recordset($1) as r (event_id text, service text, fact text, subject text, party text,
              observed_at timestamptz, recorded_at timestamptz, title text, detail text, site_id text,
              container_numbers text[], container_visit_ids text[], transport_document text, declaration_id text, mrn text,
              pre_arrival_id text, truck_visit_id text, book_number text, list_number text, open_to_visit_readers boolean,
              reader_parties text[])
         on conflict (event_id) do nothing",
        json(&rows)?
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What a container, a stay, a stock list or an MRN leads to: facts that name a transport document, a
/// declaration or a list only are about the container all the same, whichever of the two was heard of first.
#[derive(Default)]
struct Leads {
    containers: Option<Vec<String>>,
    visits: Option<Vec<String>>,
    documents: Vec<String>,
    /// The stays' containers and sites: a fact about a document may be about one of them only.
    numbers: Vec<String>,
    sites: Vec<String>,
    declarations: Option<Vec<String>>,
    /// Stock lists in whose journey the container goes.
    lists: Vec<String>,
    /// The trucks announced for a stock list.
    pre_arrivals: Vec<String>,
}

impl Leads {
    async fn of(db: &mut PgConnection, whose: &Whose) -> Result<Self, sqlx::Error> {
        let mut leads = Self::to_stays_and_declarations(db, whose).await?;
        leads.add_lists(db, whose).await?;
        Ok(leads)
    }

    /// A list's journey is its declaration's and its trucks' too; and a container is in the journey of the list
    /// that its declaration names, that a pass takes it on, or that it came into a bonded centre under.
    async fn add_lists(&mut self, db: &mut PgConnection, whose: &Whose) -> Result<(), sqlx::Error> {
        if let Whose::StockList(number) = whose {
            let names = [number.clone()];
            let declarations = sqlx::query_scalar!(
                "select declaration_id from declaration where stock_lists && $1 and stock_lists <> '{}'",
                &names
            );
            self.declarations = Some(declarations.fetch_all(&mut *db).await?);
            self.lists = names.to_vec();
        } else {
            self.lists = sqlx::query_scalar!(
                r#"select l as "list!" from declaration d, unnest(d.stock_lists) as s (l)
                   where declaration_id = any($1) and stock_lists <> '{}'
                   union
                   select body->'stay'->>'list_number' from container_visit
                   where (container_number = any($2) or container_visit_id = any($3))
                     and coalesce(body->'stay'->>'list_number', '') <> ''
                   union
                   select list_number from pre_arrival
                   where list_number <> '' and not withdrawn
                     and (container_numbers && $2 or container_numbers && $4 and container_visit_ids && $3)"#,
                self.declarations.as_deref(),
                self.containers.as_deref(),
                self.visits.as_deref(),
                &self.numbers
            )
            .fetch_all(&mut *db)
            .await?;
        }
        if let Whose::StockList(number) = whose {
            self.pre_arrivals = sqlx::query_scalar!(
                "select pre_arrival_id from pre_arrival where list_number = $1 and list_number <> ''",
                number
            )
            .fetch_all(&mut *db)
            .await?;
        }
        Ok(())
    }

    async fn to_stays_and_declarations(
        db: &mut PgConnection,
        whose: &Whose,
    ) -> Result<Self, sqlx::Error> {
        let (number, visit) = match whose {
            Whose::ContainerNumber(number) => (Some(number.as_str()), None),
            Whose::ContainerVisit(visit) => (None, Some(visit.as_str())),
            Whose::Declaration(id) => {
                return Ok(Self {
                    declarations: Some(vec![id.clone()]),
                    ..Self::default()
                });
            }
            Whose::Mrn(mrn) => {
                let ids = sqlx::query_scalar!(
                    "select declaration_id from declaration where mrn = $1 and mrn <> ''",
                    mrn
                )
                .fetch_all(&mut *db)
                .await?;
                return Ok(Self {
                    declarations: Some(ids),
                    ..Self::default()
                });
            }
            Whose::PreArrival(_) | Whose::TruckVisit(_) | Whose::Book(_) | Whose::StockList(_) => {
                return Ok(Self::default());
            }
        };
        let stays = sqlx::query!(
            "select container_number, site_id, transport_documents from container_visit
             where container_number = $1 or container_visit_id = $2",
            number,
            visit
        )
        .fetch_all(&mut *db)
        .await?;
        let declarations = match number {
            Some(number) => {
                let names = [number.to_owned()];
                let ids = sqlx::query_scalar!(
                    "select declaration_id from declaration where container_numbers && $1",
                    &names
                );
                Some(ids.fetch_all(&mut *db).await?)
            }
            None => None,
        };
        Ok(Self {
            containers: number.map(|number| vec![number.to_owned()]),
            visits: visit.map(|visit| vec![visit.to_owned()]),
            documents: stays
                .iter()
                .flat_map(|stay| stay.transport_documents.iter().cloned())
                .collect(),
            numbers: stays
                .iter()
                .map(|stay| stay.container_number.clone())
                .collect(),
            sites: stays.into_iter().map(|stay| stay.site_id).collect(),
            declarations,
            ..Self::default()
        })
    }
}

/// The entries that the reader may see, oldest first. A terminal reads what happened at its sites and, of
/// what happened at none (declarations, commercial releases), what is about a container while it stays
/// there; a declaration's own parties read what is about it.
///
/// # Errors
/// If the database does not answer.
pub async fn read(
    reads: &Reads,
    whose: &Whose,
    reader: &Reader,
    after: Option<After>,
    limit: i64,
) -> Result<Vec<TimelineEntry>, sqlx::Error> {
    let mut db = reads.snapshot(&Rights::Everything).await?;
    let leads = Leads::of(&mut db, whose).await?;
    let (mut mrn, mut pre_arrival, mut truck_visit, mut book) = (None, None, None, None);
    match whose {
        Whose::Mrn(key) => mrn = Some(key.as_str()),
        Whose::PreArrival(key) => pre_arrival = Some(key.as_str()),
        Whose::TruckVisit(key) => truck_visit = Some(key.as_str()),
        Whose::Book(key) => book = Some(key.as_str()),
        Whose::ContainerNumber(_)
        | Whose::ContainerVisit(_)
        | Whose::Declaration(_)
        | Whose::StockList(_) => {}
    }
    let (after_at, after_id) = after.unzip();
    let rows = sqlx::query!(
        r#"select e.event_id, service, fact, subject, party, observed_at, e.recorded_at,
                  case when e.title = e.declaration_id and d.mrn <> '' then d.mrn else e.title end as "title!",
                  detail, site_id, e.container_numbers, container_visit_ids, transport_document, e.declaration_id,
                  case when e.mrn = '' then coalesce(d.mrn, '') else e.mrn end as "mrn!",
                  pre_arrival_id, truck_visit_id, book_number, list_number, open_to_visit_readers,
                  e.reader_parties || array[d.filer_party, d.trader_party] as "reader_parties!: Vec<Option<String>>"
           from timeline_entry e left join declaration d on d.declaration_id = e.declaration_id and e.declaration_id <> ''
           where (e.container_numbers && $1 or container_visit_ids && $2 or e.declaration_id = any($3) or e.mrn = $4
                  or (transport_document = any($14) and e.container_numbers <@ $16 and (site_id = '' or site_id = any($15)))
                  or pre_arrival_id = $5 or truck_visit_id = $6 or book_number = $7
                  or (list_number <> '' and list_number = any($17)) or (pre_arrival_id <> '' and pre_arrival_id = any($18)))
             and ($8 or site_id = any($9) or $10 = any(e.reader_parties) or $10 in (d.filer_party, d.trader_party)
                  or (site_id = '' and exists (select from container_visit v
                      where v.container_number = any(e.container_numbers || d.container_numbers) and v.site_id = any($9)
                        and (not v.over or e.recorded_at <= v.recorded_at)))
                  or (site_id = '' and transport_document <> '' and exists (select from container_visit v
                      where (v.container_number = any($1) or v.container_visit_id = any($2)) and v.site_id = any($9)
                        and transport_document = any(v.transport_documents) and (not v.over or e.recorded_at <= v.recorded_at)))
                  or (open_to_visit_readers and exists (select from container_visit v
                      where v.container_visit_id = any(e.container_visit_ids) and $10 = any(v.reader_parties)))
                  or (list_number <> '' and exists (select from stock_list l where l.list_number = e.list_number
                        and pre_arrival_id = ''
                        and ($10 = any(l.owner_parties)
                             or open_to_visit_readers and ($10 = any(l.reader_parties) or l.site_ids && $9)))))
             and ($11::timestamptz is null or (e.recorded_at, e.event_id) > ($11, $12))
           order by e.recorded_at, e.event_id limit $13"#,
        leads.containers.as_deref(),
        leads.visits.as_deref(),
        leads.declarations.as_deref(),
        mrn,
        pre_arrival,
        truck_visit,
        book,
        reader.reads_everything(),
        &reader.terminal_sites(),
        reader.party,
        after_at,
        after_id,
        limit,
        &leads.documents,
        &leads.sites,
        &leads.numbers,
        &leads.lists,
        &leads.pre_arrivals
    )
    .fetch_all(&mut *db)
    .await?;
    // No index finds a container's entries behind a policy: it looks at those that were found.
    let found: Vec<String> = rows.iter().map(|row| row.event_id.clone()).collect();
    restrict(&mut db, &rights(reader)).await?;
    let shown: BTreeSet<String> = sqlx::query_scalar!(
        "select event_id from timeline_entry where event_id = any($1)",
        &found
    )
    .fetch_all(&mut *db)
    .await?
    .into_iter()
    .collect();
    Ok(rows
        .into_iter()
        .filter(|row| shown.contains(&row.event_id))
        .map(|row| TimelineEntry {
            event_id: row.event_id,
            service: row.service,
            fact: row.fact,
            subject: row.subject,
            party: row.party,
            observed_at: row.observed_at,
            recorded_at: row.recorded_at,
            title: row.title,
            detail: row.detail,
            site_id: row.site_id,
            container_numbers: row.container_numbers,
            container_visit_ids: row.container_visit_ids,
            transport_document: row.transport_document,
            declaration_id: row.declaration_id,
            mrn: row.mrn,
            pre_arrival_id: row.pre_arrival_id,
            truck_visit_id: row.truck_visit_id,
            book_number: row.book_number,
            list_number: row.list_number,
            open_to_visit_readers: row.open_to_visit_readers,
            reader_parties: row
                .reader_parties
                .into_iter()
                .flatten()
                .filter(|party| !party.is_empty())
                .collect(),
        })
        .collect())
}
