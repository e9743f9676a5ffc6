//! Rows as they are read, and what they become in the domain.

use sqlx::PgConnection;
use sqlx::types::Json;

use super::{undecodable, unsigned, visits_per_container_max};
use crate::domain::clearance::Clearance;
use crate::domain::commercial_release::{CommercialRelease, ReleaseScope, Revocation, Revoked};
use crate::domain::container_visit::ContainerVisit;
use crate::domain::declaration::{Declaration, DeclarationStanding};
use crate::domain::hold::{Hold, HoldId, HoldKind, Lifted, Scope};
use crate::domain::notice_board::NoticeBoard;
use crate::domain::party::KnownParty;
use crate::domain::pre_arrival::{PreArrival, PreArrivalContainer};
use crate::domain::site::Site;
use crate::domain::stock_list::StockList;
use crate::domain::version::Version;

/// The latest stays of these containers.
pub async fn visits(
    db: &mut PgConnection,
    containers: &[String],
) -> Result<Vec<ContainerVisit>, sqlx::Error> {
    if containers.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_scalar!(
        r#"select v.body as "body: Json<ContainerVisit>"
           from unnest($1::text[]) as n (container_number)
           cross join lateral (select body from container_visit v where v.container_number = n.container_number
                               order by v.known_since desc, v.container_visit_id desc limit $2) v"#,
        containers,
        visits_per_container_max()
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|body| body.0).collect())
}

/// What customs says under these keys.
pub async fn clearances(
    db: &mut PgConnection,
    keys: &[String],
) -> Result<Vec<Clearance>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_scalar!(
        r#"select body as "body: Json<Clearance>" from clearance where key = any($1)"#,
        keys
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|body| body.0).collect())
}

/// Every commercial release of these transport documents; what a line may give for one is limited.
pub async fn releases(
    db: &mut PgConnection,
    documents: &[String],
) -> Result<Vec<CommercialRelease>, sqlx::Error> {
    if documents.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"select commercial_release_id, version, line_party, transport_document, haulier_party, site_id, container_number,
                  granted_at, granted_by_subject, revoked_at, revoked_by_subject, revoke_reason, revoked_version,
                  revocation as "revocation: Json<Revocation>"
           from commercial_release where transport_document = any($1)"#,
        documents
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| CommercialRelease {
            id: row.commercial_release_id,
            version: unsigned(row.version),
            line_party: row.line_party,
            scope: ReleaseScope {
                transport_document: row.transport_document,
                site_id: row.site_id,
                container_number: row.container_number,
            },
            haulier_party: row.haulier_party,
            granted_at: row.granted_at,
            granted_by_subject: row.granted_by_subject,
            revoked: row.revoked_at.map(|at| Revoked {
                at,
                by_subject: row.revoked_by_subject.unwrap_or_default(),
                reason: row.revoke_reason.unwrap_or_default(),
                version: unsigned(row.revoked_version.unwrap_or(row.version)),
            }),
            revocation: row.revocation.map(|revocation| revocation.0),
        })
        .collect())
}

/// The holds that stand on these scopes, and these holds however they are.
pub async fn holds(
    db: &mut PgConnection,
    scopes: &[String],
    ids: &[String],
) -> Result<Vec<Hold>, sqlx::Error> {
    if scopes.is_empty() && ids.is_empty() {
        return Ok(Vec::new());
    }
    let (services, hold_ids): (Vec<String>, Vec<String>) = ids
        .iter()
        .filter_map(|id| id.split_once('/'))
        .map(|(service, id)| (service.to_owned(), id.to_owned()))
        .unzip();
    let rows = sqlx::query!(
        r#"select service as "service!", hold_id as "hold_id!", scope as "scope!", kind as "kind!", placed_by_party as "placed_by_party!",
                  placed_by_role as "placed_by_role!", placed_by_subject as "placed_by_subject!", reason as "reason!",
                  placed_at as "placed_at!", lifted_at, lifted_by_subject, lift_reason, event_id as "event_id!"
           from (select * from hold where scope = any($1) and lifted_at is null
                 union
                 select h.* from hold h join unnest($2::text[], $3::text[]) as n (service, hold_id)
                   on h.service = n.service and h.hold_id = n.hold_id) h"#,
        scopes,
        &services,
        &hold_ids
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Hold {
                scope: Scope::parse(&row.scope)
                    .ok_or_else(|| undecodable(format!("hold.scope {}", row.scope)))?,
                kind: HoldKind::of_name(&row.kind)
                    .ok_or_else(|| undecodable(format!("hold.kind {}", row.kind)))?,
                id: HoldId {
                    service: row.service,
                    id: row.hold_id,
                },
                placed_by_party: row.placed_by_party,
                placed_by_role: row.placed_by_role,
                placed_by_subject: row.placed_by_subject,
                reason: row.reason,
                placed_at: row.placed_at,
                lifted: row.lifted_at.map(|at| Lifted {
                    at,
                    by_subject: row.lifted_by_subject.unwrap_or_default(),
                    reason: row.lift_reason.unwrap_or_default(),
                }),
                event_id: row.event_id,
            })
        })
        .collect()
}

/// The notice boards of these scopes.
pub async fn boards(
    db: &mut PgConnection,
    scopes: &[String],
) -> Result<Vec<(Scope, NoticeBoard)>, sqlx::Error> {
    if scopes.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"select scope, body as "body: Json<NoticeBoard>" from notice_board where scope = any($1)"#,
        scopes
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let scope = Scope::parse(&row.scope)
                .ok_or_else(|| undecodable(format!("notice_board.scope {}", row.scope)))?;
            Ok((scope, row.body.0))
        })
        .collect()
}

/// These sites.
pub async fn sites(db: &mut PgConnection, ids: &[String]) -> Result<Vec<Site>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "select site_id, epoch, version, name, terminal_party from site where site_id = any($1)",
        ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Site {
            site_id: row.site_id,
            version: version(row.epoch, row.version),
            name: row.name,
            terminal_party: row.terminal_party,
        })
        .collect())
}

/// These parties.
pub async fn parties(
    db: &mut PgConnection,
    ids: &[String],
) -> Result<Vec<KnownParty>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!("select party_id, epoch, version, name, roles, suspended from known_party where party_id = any($1)", ids)
        .fetch_all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| KnownParty {
            party_id: row.party_id,
            version: version(row.epoch, row.version),
            name: row.name,
            roles: row.roles,
            suspended: row.suspended,
        })
        .collect())
}

/// The operators of bonded centres that may act. Two are enough to know that there is not one.
pub async fn operators(db: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select party_id from known_party where 'operator' = any(roles) and not suspended order by party_id limit 2"
    )
    .fetch_all(db)
    .await
}

/// These declarations.
pub async fn declarations(
    db: &mut PgConnection,
    ids: &[String],
) -> Result<Vec<Declaration>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"select declaration_id, epoch, version, event_id, recorded_at, mrn, lrn, filer_party, trader_party,
                coalesce(known_since, recorded_at) as "known_since!", container_numbers, procedure_kind, state, invalidation_asked, stock_lists
         from declaration where declaration_id = any($1)"#,
        ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Declaration {
            declaration_id: row.declaration_id,
            version: version(row.epoch, row.version),
            event_id: row.event_id,
            recorded_at: row.recorded_at,
            known_since: row.known_since,
            mrn: row.mrn,
            lrn: row.lrn,
            filer_party: row.filer_party,
            trader_party: row.trader_party,
            container_numbers: row.container_numbers,
            procedure_kind: row.procedure_kind,
            standing: DeclarationStanding::of_name(&row.state),
            invalidation_asked: row.invalidation_asked,
            stock_lists: row.stock_lists,
        })
        .collect())
}

/// These stock lists.
pub async fn lists(
    db: &mut PgConnection,
    numbers: &[String],
) -> Result<Vec<StockList>, sqlx::Error> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_scalar!(
        r#"select body as "body: Json<StockList>" from stock_list where list_number = any($1)"#,
        numbers
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|body| body.0).collect())
}

/// These pre-arrivals, and those for these containers and stock lists that are not withdrawn.
pub async fn pre_arrivals(
    db: &mut PgConnection,
    ids: &[String],
    containers: &[String],
    lists: &[String],
) -> Result<Vec<PreArrival>, sqlx::Error> {
    if ids.is_empty() && containers.is_empty() && lists.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"select pre_arrival_id as "pre_arrival_id!", epoch as "epoch!", version as "version!", site_id as "site_id!",
                  haulier_party as "haulier_party!", withdrawn as "withdrawn!", container_numbers as "container_numbers!",
                  container_visit_ids as "container_visit_ids!", second_site_id as "second_site_id!",
                  list_number as "list_number!", filer_party as "filer_party!"
           from (select * from pre_arrival where pre_arrival_id = any($1)
                 union
                 select * from pre_arrival where container_numbers && $2 and not withdrawn
                 union
                 select * from pre_arrival where list_number = any($3) and list_number <> '' and not withdrawn) p"#,
        ids,
        containers,
        lists
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PreArrival {
            pre_arrival_id: row.pre_arrival_id,
            version: version(row.epoch, row.version),
            site_id: row.site_id,
            second_site_id: row.second_site_id,
            list_number: row.list_number,
            filer_party: if row.filer_party.is_empty() {
                row.haulier_party.clone()
            } else {
                row.filer_party
            },
            haulier_party: row.haulier_party,
            withdrawn: row.withdrawn,
            containers: row
                .container_numbers
                .into_iter()
                .zip(row.container_visit_ids)
                .map(|(container_number, visit)| PreArrivalContainer {
                    container_number,
                    container_visit_id: Some(visit).filter(|id| !id.is_empty()),
                })
                .collect(),
        })
        .collect())
}

fn version(epoch: i64, number: i64) -> Version {
    Version::new(unsigned(epoch), unsigned(number))
}
