//! All of gate's SQL. A batch is read by the keys of its subjects and written with a statement per table.
//! It decides nothing but who may read which row.

pub mod follow;
mod leads;
pub mod queries;
pub(crate) mod rows;
pub mod write;

use fabric::{SubjectSet, Working};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::app::{State, kind};
use crate::domain::container_visit::ContainerVisit;
use crate::domain::knowledge::{
    AnsweredAsk, CarryMandate, Clearance, ConsignmentClearance, DecisionState, DeclarationStanding,
    Direction, Journey, KnownDeclaration, KnownParty, ReleaseDecision, Told, list_decision_key,
};
use crate::domain::list_passage::ListPassage;
use crate::domain::pre_arrival::PreArrival;
use crate::domain::site::Site;
use crate::domain::truck_visit::TruckVisit;

/// A clearance's consignments, as its row has them.
type Consignments = Vec<ConsignmentClearance>;

/// The last stays of a container at a site that are looked at, beside those named by id.
const STAYS_MAX: i64 = 16;

/// Reads the state of every locked subject.
pub async fn load(db: &mut PgConnection, subjects: &SubjectSet) -> Result<State, sqlx::Error> {
    let containers = subjects.keys(kind::CONTAINER);
    let visits = visits(db, &containers, &subjects.keys(kind::STAY)).await?;
    let lists = subjects.keys(kind::LIST);
    let on_lists: Vec<String> = lists.iter().map(|list| list_decision_key(list)).collect();
    let decisions = decisions(db, &containers, &on_lists).await?;
    let decided = visits.iter().map(|visit| visit.id.as_str().to_owned());
    let decided: Vec<String> = decided.chain(on_lists).collect();
    let filings = uuids(&subjects.keys(kind::PRE_ARRIVAL));
    let trucks = uuids(&subjects.keys(kind::TRUCK_VISIT));
    let parties = subjects.keys(kind::PARTY);
    let asks = subjects.keys(kind::ASK);
    let sites = sites(db).await?;
    let hold_keys = subjects
        .keys(kind::HOLD)
        .iter()
        .filter_map(|key| rows::hold_key(key))
        .collect::<Vec<_>>();
    let holds = holds(db, &subjects.keys(kind::HOLD_SCOPE), &hold_keys).await?;
    let declarations = subjects.keys(kind::DECLARATION);
    Ok(State {
        epoch: epoch(db, &containers).await?,
        declarations: Working::loaded(
            declarations.clone(),
            known_declarations(db, &declarations, &subjects.keys(kind::REFERENCE))
                .await?
                .into_iter()
                .map(|d| (d.declaration_id.clone(), d)),
        ),
        site_versions: sites
            .iter()
            .map(|(version, site)| (site.site_id.clone(), *version))
            .collect(),
        sites: Working::loaded(
            [],
            sites
                .into_iter()
                .map(|(_, site)| (site.site_id.clone(), site)),
        ),
        visits: Working::loaded(
            [],
            visits
                .into_iter()
                .map(|visit| (visit.id.as_str().to_owned(), visit)),
        ),
        lists: Working::loaded(
            lists.clone(),
            list_passages(db, &lists)
                .await?
                .into_iter()
                .map(|passage| (passage.list_number.to_string(), passage)),
        ),
        decisions: Working::loaded(
            decided,
            decisions
                .into_iter()
                .map(|d| (d.container_visit_id.clone(), d)),
        ),
        clearances: Working::loaded(
            containers.clone(),
            clearances(db, &containers)
                .await?
                .into_iter()
                .map(|c| (c.container_number.clone(), c)),
        ),
        holds: Working::loaded(hold_keys, holds.into_iter().map(|hold| (hold.key(), hold))),
        parties: Working::loaded(
            parties.clone(),
            known_parties(db, &parties)
                .await?
                .into_iter()
                .map(|party| (party.party_id.clone(), party)),
        ),
        mandates: Working::loaded(
            [],
            mandates(db, &parties, &subjects.keys(kind::MANDATE))
                .await?
                .into_iter()
                .map(|m| (m.mandate_id.clone(), m)),
        ),
        pre_arrivals: Working::loaded(
            filings.clone(),
            pre_arrivals(db, &filings)
                .await?
                .into_iter()
                .map(|filing| (filing.pre_arrival_id, filing)),
        ),
        truck_visits: Working::loaded(
            trucks.clone(),
            truck_visits(db, &trucks)
                .await?
                .into_iter()
                .map(|truck| (truck.truck_visit_id, truck)),
        ),
        asks: Working::loaded(
            asks.clone(),
            answered_asks(db, &asks)
                .await?
                .into_iter()
                .map(|a| (a.ask_id.clone(), a)),
        ),
        drivers: Vec::new(),
        forget_drivers_before: None,
    })
}

/// The epoch in which gate publishes, where stays of containers may begin.
async fn epoch(db: &mut PgConnection, containers: &[String]) -> Result<u32, sqlx::Error> {
    if containers.is_empty() {
        return Ok(1);
    }
    fabric::epoch(db).await
}

fn uuids(keys: &[String]) -> Vec<Uuid> {
    keys.iter().filter_map(|key| key.parse().ok()).collect()
}

fn told(epoch: i64, version: i64, event_id: String) -> Told {
    Told {
        epoch: epoch.unsigned_abs(),
        version: version.unsigned_abs(),
        event_id,
    }
}

pub(crate) async fn sites(db: &mut PgConnection) -> Result<Vec<(u64, Site)>, sqlx::Error> {
    let rows =
        sqlx::query!(r#"select version, body as "body: Json<Site>" from site order by site_id"#)
            .fetch_all(db)
            .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.version.unsigned_abs(), row.body.0))
        .collect())
}

async fn visits(
    db: &mut PgConnection,
    containers: &[String],
    named: &[String],
) -> Result<Vec<ContainerVisit>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select body as "body!: Json<ContainerVisit>"
           from (select container_visit_id, body,
                        row_number() over (partition by container_number, site_id order by ordinal desc) as place
                 from container_visit where container_number = any($1::text[])) v
           where place <= $2 or container_visit_id = any($3::text[])"#,
        containers,
        STAYS_MAX,
        named
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.body.0).collect())
}

async fn list_passages(
    db: &mut PgConnection,
    lists: &[String],
) -> Result<Vec<ListPassage>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select body as "body: Json<ListPassage>" from list_passage where list_number = any($1::text[])"#,
        lists
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.body.0).collect())
}

async fn decisions(
    db: &mut PgConnection,
    containers: &[String],
    on_lists: &[String],
) -> Result<Vec<ReleaseDecision>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select container_visit_id, epoch, version, event_id, state, journey, haulier_party, decided_at,
                  list_containers, barred_by, conditions as "conditions: Json<Vec<crate::domain::Condition>>"
           from known_decision where container_number = any($1::text[]) or container_visit_id = any($2::text[])"#,
        containers,
        on_lists
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ReleaseDecision {
                container_visit_id: row.container_visit_id,
                told: told(row.epoch, row.version, row.event_id),
                state: rows::word("state", &row.state, DecisionState::parse)?,
                journey: rows::word("journey", &row.journey, Journey::parse)?,
                haulier_party: row.haulier_party,
                decided_at: row.decided_at,
                conditions: row.conditions.0,
                list_containers: row.list_containers,
                barred_by: Some(row.barred_by).filter(|declaration| !declaration.is_empty()),
            })
        })
        .collect()
}

async fn known_declarations(
    db: &mut PgConnection,
    ids: &[String],
    references: &[String],
) -> Result<Vec<KnownDeclaration>, sqlx::Error> {
    let rows = sqlx::query!(
        "select declaration_id, epoch, version, event_id, mrn, lrn, filer_party, state, direction, containers, stock_lists
         from known_declaration
         where declaration_id = any($1::text[]) or (mrn = any($2::text[]) and mrn <> '') or lrn = any($2::text[])",
        ids,
        references
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(KnownDeclaration {
                declaration_id: row.declaration_id,
                told: told(row.epoch, row.version, row.event_id),
                mrn: row.mrn,
                lrn: row.lrn,
                filer_party: row.filer_party,
                state: rows::word("state", &row.state, DeclarationStanding::parse)?,
                direction: rows::word("direction", &row.direction, Direction::parse)?,
                containers: row.containers,
                stock_lists: row.stock_lists,
            })
        })
        .collect()
}

async fn clearances(
    db: &mut PgConnection,
    containers: &[String],
) -> Result<Vec<Clearance>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select container_number, epoch, version, event_id,
                  consignments as "consignments: Json<Consignments>"
           from known_clearance where container_number = any($1::text[])"#,
        containers
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Clearance {
            container_number: row.container_number,
            told: told(row.epoch, row.version, row.event_id),
            consignments: row.consignments.0,
        })
        .collect())
}

async fn holds(
    db: &mut PgConnection,
    scopes: &[String],
    keys: &[crate::domain::hold::HoldKey],
) -> Result<Vec<crate::domain::hold::Hold>, sqlx::Error> {
    let (kinds, scope_keys): (Vec<String>, Vec<String>) = scopes
        .iter()
        .filter_map(|scope| scope.split_once('/'))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unzip();
    let (keepers, ids): (Vec<String>, Vec<String>) = keys
        .iter()
        .map(|(keeper, id)| (keeper.as_str().to_owned(), id.clone()))
        .unzip();
    let rows = sqlx::query_as!(
        rows::HoldRow,
        "select keeper, hold_id, scope_kind, scope_key, kind, placed_by_party, placed_by_subject, reason, placed_at,
                lifted_at, lifted_by_subject, lift_reason, event_id
         from hold join (
             select keeper, hold_id from hold
             where lifted_at is null and (scope_kind, scope_key) in (select * from unnest($1::text[], $2::text[]))
             union
             select * from unnest($3::text[], $4::text[])
         ) as wanted (keeper, hold_id) using (keeper, hold_id)",
        &kinds,
        &scope_keys,
        &keepers,
        &ids
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(rows::HoldRow::hold).collect()
}

async fn known_parties(
    db: &mut PgConnection,
    parties: &[String],
) -> Result<Vec<KnownParty>, sqlx::Error> {
    let rows = sqlx::query!(
        "select party_id, epoch, version, event_id, name, suspended from known_party where party_id = any($1::text[])",
        parties
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| KnownParty {
            party_id: row.party_id,
            told: told(row.epoch, row.version, row.event_id),
            name: row.name,
            suspended: row.suspended,
        })
        .collect())
}

/// Those of the grantors that may count when a batch is decided, which has begun by then, and those of these ids: of what
/// is over there may be any number.
async fn mandates(
    db: &mut PgConnection,
    grantors: &[String],
    ids: &[String],
) -> Result<Vec<CarryMandate>, sqlx::Error> {
    let rows = sqlx::query!(
        "select mandate_id, epoch, version, event_id, grantor_party, agent_party, carries, containers, valid_from, valid_until,
                revoked_at
         from carry_mandate where mandate_id = any($2::text[])
            or grantor_party = any($1::text[]) and carries and revoked_at is null
               and (valid_until is null or valid_until > clock_timestamp() - interval '1 minute')",
        grantors,
        ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| CarryMandate {
            mandate_id: row.mandate_id,
            told: told(row.epoch, row.version, row.event_id),
            grantor_party: row.grantor_party,
            agent_party: row.agent_party,
            carries: row.carries,
            containers: row.containers,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            revoked_at: row.revoked_at,
        })
        .collect())
}

async fn pre_arrivals(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<PreArrival>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select body as "body: Json<PreArrival>" from pre_arrival where pre_arrival_id = any($1::uuid[])"#,
        ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.body.0).collect())
}

async fn truck_visits(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<TruckVisit>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select body as "body: Json<TruckVisit>" from truck_visit where truck_visit_id = any($1::uuid[])"#,
        ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.body.0).collect())
}

async fn answered_asks(
    db: &mut PgConnection,
    asks: &[String],
) -> Result<Vec<AnsweredAsk>, sqlx::Error> {
    let rows = sqlx::query!(
        "select ask_id, container_visit_id, list_number, too_late from answered_ask where ask_id = any($1::text[])",
        asks
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| AnsweredAsk {
            ask_id: row.ask_id,
            container_visit_id: row.container_visit_id,
            list_number: row.list_number,
            too_late: row.too_late,
        })
        .collect())
}
