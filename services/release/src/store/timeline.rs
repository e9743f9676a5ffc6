//! The timeline: entries appended once each, and read by whoever may.

use chrono::{DateTime, Utc};
use fabric::StoreError;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

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
    declaration_id: &'a str,
    mrn: &'a str,
    pre_arrival_id: &'a str,
    truck_visit_id: &'a str,
    book_number: &'a str,
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
            declaration_id: &entry.declaration_id,
            mrn: &entry.mrn,
            pre_arrival_id: &entry.pre_arrival_id,
            truck_visit_id: &entry.truck_visit_id,
            book_number: &entry.book_number,
            open_to_visit_readers: entry.open_to_visit_readers,
            reader_parties: entry.reader_parties.iter().map(String::as_str).collect(),
        })
        .collect();
    sqlx::query!(
        "insert into timeline_entry (event_id, service, fact, subject, party, observed_at, recorded_at, title, detail, site_id,
                                     container_numbers, container_visit_ids, declaration_id, mrn, pre_arrival_id,
                                     truck_visit_id, book_number, open_to_visit_readers, reader_parties)
         select * from jsonb_to_recordset($1) as r (event_id text, service text, fact text, subject text, party text,
              observed_at timestamptz, recorded_at timestamptz, title text, detail text, site_id text,
              container_numbers text[], container_visit_ids text[], declaration_id text, mrn text, pre_arrival_id text,
              truck_visit_id text, book_number text, open_to_visit_readers boolean, reader_parties text[])
         on conflict (event_id) do nothing",
        json(&rows)?
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The entries that the reader may see, oldest first. A terminal reads what happened at its sites and,
/// of what happened at none (declarations, commercial releases), what is about a container while it
/// stays there.
///
/// # Errors
/// If the database does not answer.
pub async fn read(
    pool: &PgPool,
    whose: &Whose,
    reader: &Reader,
    after: Option<After>,
    limit: i64,
) -> Result<Vec<TimelineEntry>, sqlx::Error> {
    let (
        mut number,
        mut visit,
        mut declaration,
        mut mrn,
        mut pre_arrival,
        mut truck_visit,
        mut book,
    ) = (None, None, None, None, None, None, None);
    match whose {
        Whose::ContainerNumber(key) => number = Some(vec![key.clone()]),
        Whose::ContainerVisit(key) => visit = Some(vec![key.clone()]),
        Whose::Declaration(key) => declaration = Some(key.as_str()),
        Whose::Mrn(key) => mrn = Some(key.as_str()),
        Whose::PreArrival(key) => pre_arrival = Some(key.as_str()),
        Whose::TruckVisit(key) => truck_visit = Some(key.as_str()),
        Whose::Book(key) => book = Some(key.as_str()),
    }
    let (after_at, after_id) = after.unzip();
    let rows = sqlx::query!(
        "select event_id, service, fact, subject, party, observed_at, recorded_at, title, detail, site_id, container_numbers,
                container_visit_ids, declaration_id, mrn, pre_arrival_id, truck_visit_id, book_number, open_to_visit_readers,
                reader_parties
         from timeline_entry e
         where ($1::text[] is null or container_numbers && $1)
           and ($2::text[] is null or container_visit_ids && $2)
           and ($3::text is null or declaration_id = $3)
           and ($4::text is null or mrn = $4)
           and ($5::text is null or pre_arrival_id = $5)
           and ($6::text is null or truck_visit_id = $6)
           and ($7::text is null or book_number = $7)
           and ($8 or site_id = any($9) or $10 = any(reader_parties)
                or (site_id = '' and exists (select from container_visit v
                    where v.container_number = any(e.container_numbers) and v.site_id = any($9)
                      and (not v.over or e.recorded_at <= v.recorded_at)))
                or (open_to_visit_readers and exists (select from container_visit v
                    where v.container_visit_id = any(e.container_visit_ids) and $10 = any(v.reader_parties))))
           and ($11::timestamptz is null or (recorded_at, event_id) > ($11, $12))
         order by recorded_at, event_id limit $13",
        number.as_deref(),
        visit.as_deref(),
        declaration,
        mrn,
        pre_arrival,
        truck_visit,
        book,
        reader.reads_everything(),
        &reader.terminal_sites(),
        reader.party,
        after_at,
        after_id,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
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
            declaration_id: row.declaration_id,
            mrn: row.mrn,
            pre_arrival_id: row.pre_arrival_id,
            truck_visit_id: row.truck_visit_id,
            book_number: row.book_number,
            open_to_visit_readers: row.open_to_visit_readers,
            reader_parties: row.reader_parties.into_iter().collect(),
        })
        .collect())
}
