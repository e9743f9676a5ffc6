//! What callers read: each query filters by who asks. A haulier sees its own, and the trucks with which it
//! carries for another that nominated it; whoever filed for a haulier what it filed; a terminal its sites', of a
//! transfer at both; an officer all; a line the stays with its consignments on them.

use chrono::{DateTime, Utc};
use fabric::{Reads, Rights, restrict};
use sqlx::types::Json;
use uuid::Uuid;

use super::rows::HoldRow;
use crate::domain::Site;
use crate::domain::container_visit::ContainerVisit;
use crate::domain::hold::Hold;
use crate::domain::pre_arrival::{Driver, PreArrival};
use crate::domain::truck_visit::TruckVisit;

/// Stays under one transport document that are looked at.
const STAYS_OF_A_DOCUMENT_MAX: i64 = 10_000;

/// Who reads.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// The party.
    pub party: String,
    /// An officer reads all.
    pub is_officer: bool,
    /// A terminal reads its sites'.
    pub is_terminal: bool,
    /// A line reads the stays of its consignments.
    pub is_line: bool,
}

impl Reader {
    /// What the database lets through to it.
    fn rights(&self) -> Rights<'_> {
        if self.is_officer {
            return Rights::Everything;
        }
        let roles = [("terminal", self.is_terminal), ("line", self.is_line)];
        Rights::Own {
            party: &self.party,
            roles: roles
                .iter()
                .filter(|(_, has)| *has)
                .map(|(role, _)| *role)
                .collect(),
            sites: Vec::new(),
        }
    }

    /// A line shares a container with others, and sees its own consignments in it.
    fn shown(&self, mut visit: ContainerVisit) -> ContainerVisit {
        if !self.is_officer && !self.is_terminal {
            visit
                .manifest
                .lines
                .retain(|line| line.line_party == self.party);
        }
        visit
    }
}

/// Where a page begins: behind this row.
pub type After = (DateTime<Utc>, String);

/// Filters of container visits; empty matches all.
#[derive(Clone, Debug, Default)]
pub struct VisitFilter {
    /// Site.
    pub site_id: String,
    /// Container.
    pub container_number: String,
    /// Transport document.
    pub transport_document: String,
    /// Train or barge.
    pub conveyance: String,
    /// Phase.
    pub phase: String,
}

/// Filters of filings and trucks; empty matches all.
#[derive(Clone, Debug, Default)]
pub struct TruckFilter {
    /// Site.
    pub site_id: String,
    /// State.
    pub state: String,
    /// Normalised plate.
    pub plate: String,
    /// Container (filings).
    pub container_number: String,
    /// Pre-arrival (trucks).
    pub pre_arrival_id: Option<Uuid>,
}

/// The sites.
pub async fn sites(reads: &Reads) -> Result<Vec<Site>, sqlx::Error> {
    let mut db = reads.of(&Rights::Everything).await?;
    Ok(super::sites(&mut db)
        .await?
        .into_iter()
        .map(|(_, site)| site)
        .collect())
}

/// One container visit.
pub async fn container_visit(
    reads: &Reads,
    reader: &Reader,
    id: &str,
) -> Result<Option<ContainerVisit>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let row = sqlx::query!(
        r#"select v.body as "body: Json<ContainerVisit>" from container_visit v join site s using (site_id)
           where v.container_visit_id = $1
             and ($2 or ($3 and s.body ->> 'terminal_party' = $5) or ($4 and $5 = any(v.line_parties)))"#,
        id,
        reader.is_officer,
        reader.is_terminal,
        reader.is_line,
        reader.party
    )
    .fetch_optional(&mut *db)
    .await?;
    Ok(row.map(|row| reader.shown(row.body.0)))
}

/// Container visits, newest first, each with the time of its row.
pub async fn container_visits(
    reads: &Reads,
    reader: &Reader,
    filter: &VisitFilter,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<(DateTime<Utc>, ContainerVisit)>, sqlx::Error> {
    let mut db = reads.of(&Rights::Everything).await?;
    let under = match filter.transport_document.as_str() {
        "" => None,
        // No index finds them behind a policy: it looks at those that were found.
        document => Some(
            sqlx::query_scalar!(
                "select container_visit_id from container_visit where transport_documents @> array[$1] limit $2",
                document,
                STAYS_OF_A_DOCUMENT_MAX
            )
            .fetch_all(&mut *db)
            .await?,
        ),
    };
    restrict(&mut db, &reader.rights()).await?;
    let rows = sqlx::query!(
        r#"select v.recorded_at, v.body as "body: Json<ContainerVisit>" from container_visit v join site s using (site_id)
           where ($1 or ($2 and s.body ->> 'terminal_party' = $4) or ($3 and $4 = any(v.line_parties)))
             and ($5 = '' or v.site_id = $5) and ($6 = '' or v.container_number = $6)
             and ($7::text[] is null or v.container_visit_id = any($7)) and ($8 = '' or v.conveyance = $8 or v.loaded_on = $8)
             and ($9 = '' or v.phase = $9)
             and ($10::timestamptz is null or (v.recorded_at, v.container_visit_id) < ($10, $11))
           order by v.recorded_at desc, v.container_visit_id desc limit $12"#,
        reader.is_officer,
        reader.is_terminal,
        reader.is_line,
        reader.party,
        filter.site_id,
        filter.container_number,
        under.as_deref(),
        filter.conveyance,
        filter.phase,
        after.map(|after| after.0),
        after.map(|after| after.1.as_str()),
        limit
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.recorded_at, reader.shown(row.body.0)))
        .collect())
}

/// Standing holds on container visits that the reader was shown.
pub async fn holds(
    reads: &Reads,
    reader: &Reader,
    container_visit_ids: &[String],
) -> Result<Vec<Hold>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let rows = sqlx::query_as!(
        HoldRow,
        "select keeper, hold_id, scope_kind, scope_key, kind, placed_by_party, placed_by_subject, reason, placed_at,
                lifted_at, lifted_by_subject, lift_reason, event_id
         from hold where scope_kind = 'container-visit' and scope_key = any($1::text[]) and lifted_at is null
         order by placed_at",
        container_visit_ids
    )
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter().map(HoldRow::hold).collect()
}

/// One pre-arrival, by its id, its number or its pass's, with its driver.
pub async fn pre_arrival(
    reads: &Reads,
    reader: &Reader,
    name: &str,
) -> Result<Option<(PreArrival, Option<Driver>)>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let row = sqlx::query!(
        r#"select p.body as "body: Json<PreArrival>", d.driver_id as "driver_id?", d.haulier_party as "driver_haulier?",
                  d.name as "name?", d.licence as "licence?", d.phone as "phone?"
           from pre_arrival p left join driver d on d.driver_id = p.driver_id
           where (p.pre_arrival_id = $1 or p.number = $2 or p.pass_number = $2)
             and ($3 or p.haulier_party = $5 or p.body ->> 'filer_party' = $5
                  or ($4 and exists (select from site s where s.site_id in (p.site_id, p.body ->> 'second_site_id')
                                     and s.body ->> 'terminal_party' = $5)))"#,
        name.parse::<Uuid>().ok(),
        name.trim().to_uppercase(),
        reader.is_officer,
        reader.is_terminal,
        reader.party
    )
    .fetch_optional(&mut *db)
    .await?;
    Ok(row.map(|row| {
        let driver = row.driver_id.map(|driver_id| Driver {
            driver_id,
            haulier_party: row.driver_haulier.unwrap_or_default(),
            name: row.name.unwrap_or_default(),
            licence: row.licence.unwrap_or_default(),
            phone: row.phone.unwrap_or_default(),
        });
        (row.body.0, driver)
    }))
}

/// Pre-arrivals, newest first.
pub async fn pre_arrivals(
    reads: &Reads,
    reader: &Reader,
    filter: &TruckFilter,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<PreArrival>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let rows = sqlx::query!(
        r#"select p.body as "body: Json<PreArrival>" from pre_arrival p
           where ($1 or p.haulier_party = $3 or p.body ->> 'filer_party' = $3
                  or ($2 and exists (select from site s where s.site_id in (p.site_id, p.body ->> 'second_site_id')
                                     and s.body ->> 'terminal_party' = $3)))
             and ($4 = '' or p.site_id = $4 or p.body ->> 'second_site_id' = $4) and ($5 = '' or p.state = $5)
             and ($6 = '' or p.plates @> array[$6]) and ($7 = '' or p.containers @> array[$7])
             and ($8::timestamptz is null or (p.submitted_at, p.pre_arrival_id) < ($8, $9::uuid))
           order by p.submitted_at desc, p.pre_arrival_id desc limit $10"#,
        reader.is_officer,
        reader.is_terminal,
        reader.party,
        filter.site_id,
        filter.state,
        filter.plate,
        filter.container_number,
        after.map(|after| after.0),
        after.and_then(|after| after.1.parse::<Uuid>().ok()),
        limit
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(rows.into_iter().map(|row| row.body.0).collect())
}

/// One truck visit.
pub async fn truck_visit(
    reads: &Reads,
    reader: &Reader,
    id: Uuid,
) -> Result<Option<TruckVisit>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let row = sqlx::query!(
        r#"select t.body as "body: Json<TruckVisit>" from truck_visit t join site s using (site_id)
           where t.truck_visit_id = $1
             and ($2 or ($3 and s.body ->> 'terminal_party' = $4) or t.haulier_party = $4
                  or (t.carrier_party = $4 and not t.body @> '{"conditions": [{"code": "CARRIER_NOT_NOMINATED"}]}'))"#,
        id,
        reader.is_officer,
        reader.is_terminal,
        reader.party
    )
    .fetch_optional(&mut *db)
    .await?;
    Ok(row.map(|row| row.body.0))
}

/// Truck visits, newest first.
pub async fn truck_visits(
    reads: &Reads,
    reader: &Reader,
    filter: &TruckFilter,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<TruckVisit>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let rows = sqlx::query!(
        r#"select t.body as "body: Json<TruckVisit>" from truck_visit t join site s using (site_id)
           where ($1 or ($2 and s.body ->> 'terminal_party' = $3) or t.haulier_party = $3
                  or (t.carrier_party = $3 and not t.body @> '{"conditions": [{"code": "CARRIER_NOT_NOMINATED"}]}'))
             and ($4 = '' or t.site_id = $4) and ($5 = '' or t.state = $5)
             and ($6 = '' or t.plates @> array[$6]) and ($7::uuid is null or t.pre_arrival_id = $7)
             and ($8::timestamptz is null or (t.arrived_at, t.truck_visit_id) < ($8, $9::uuid))
           order by t.arrived_at desc, t.truck_visit_id desc limit $10"#,
        reader.is_officer,
        reader.is_terminal,
        reader.party,
        filter.site_id,
        filter.state,
        filter.plate,
        filter.pre_arrival_id,
        after.map(|after| after.0),
        after.and_then(|after| after.1.parse::<Uuid>().ok()),
        limit
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(rows.into_iter().map(|row| row.body.0).collect())
}
