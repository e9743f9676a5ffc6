//! What callers read: the stays they may see, and the facts behind one. The filter stands in the
//! query: what a caller may not see is not there.

use std::collections::BTreeSet;

use fabric::{ParkedKeys, Reads, Rights, restrict};
use sqlx::types::Json;
use sqlx::{PgConnection, Postgres, Transaction};

use super::{Keys, load_keys, rows, visits_per_container_max};
use crate::app::Seeds;
use crate::app::state::State;
use crate::domain::container_visit::ContainerVisit;
use crate::domain::hold::{Scope, ScopeKind};
use crate::domain::list_requirements;
use crate::domain::reader::Reader;
use crate::domain::requirements::{self, Source};
use crate::domain::stock_list::StockList;

/// Which stays are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// One stay.
    Visit(String),
    /// A stock list.
    List(String),
    /// The stays of a container, at one site or at any.
    Container {
        /// The container.
        number: String,
        /// The site; none: any.
        site_id: Option<String>,
    },
}

/// The stays that the reader may see: those that are not over first, then the newest. The connection is one that
/// [`snapshot`] began for that reader.
///
/// # Errors
/// If the database does not answer.
pub async fn visits(
    db: &mut PgConnection,
    which: &Which,
    reader: &Reader,
) -> Result<Vec<ContainerVisit>, sqlx::Error> {
    let (visit, number, site_id) = match which {
        Which::Visit(id) => (Some(id.as_str()), None, None),
        Which::Container { number, site_id } => (None, Some(number.as_str()), site_id.as_deref()),
        Which::List(_) => return Ok(Vec::new()),
    };
    let rows = sqlx::query_scalar!(
        r#"select body as "body: Json<ContainerVisit>" from container_visit
           where ($1::text is null or container_visit_id = $1)
             and ($2::text is null or container_number = $2)
             and ($3::text is null or site_id = $3)
             and ($4 or site_id = any($5) or $6 = any(reader_parties))
           order by over, known_since desc, container_visit_id desc limit $7"#,
        visit,
        number,
        site_id,
        reader.reads_everything(),
        &reader.terminal_sites(),
        reader.party,
        visits_per_container_max()
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|body| body.0).collect())
}

/// Of these stock lists those that the reader may see.
///
/// # Errors
/// If the database does not answer.
pub async fn lists(
    db: &mut PgConnection,
    numbers: &[String],
    reader: &Reader,
) -> Result<Vec<StockList>, sqlx::Error> {
    restrict(db, &rights(reader)).await?;
    let rows = sqlx::query_scalar!(
        r#"select body as "body: Json<StockList>" from stock_list
           where list_number = any($1) and ($2 or site_ids && $3 or $4 = any(reader_parties))
           order by list_number"#,
        numbers,
        reader.reads_everything(),
        &reader.terminal_sites(),
        reader.party
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|body| body.0).collect())
}

/// The stock lists that these declarations name, whosever they are.
///
/// # Errors
/// If the database does not answer.
pub async fn lists_named(
    db: &mut PgConnection,
    declarations: &[String],
) -> Result<Vec<String>, sqlx::Error> {
    restrict(db, &Rights::Everything).await?;
    sqlx::query_scalar!(
        r#"select distinct l as "list!" from declaration d, unnest(d.stock_lists) as s (l) where declaration_id = any($1)"#,
        declarations
    )
    .fetch_all(db)
    .await
}

/// Everything that is weighed for a stay or a stock list, and which of it could not be read: one snapshot.
#[derive(Debug)]
pub struct Behind {
    /// The facts.
    pub state: State,
    /// What is parked of what they rest on.
    pub parked: ParkedKeys,
    /// What they rest on.
    pub sources: Vec<Source>,
}

/// What the database lets through to the reader.
pub(super) fn rights(reader: &Reader) -> Rights<'_> {
    if reader.reads_everything() {
        return Rights::Everything;
    }
    let own = reader.is("terminal").then_some(&reader.sites);
    Rights::Own {
        party: &reader.party,
        roles: Vec::new(),
        sites: own.into_iter().flatten().map(String::as_str).collect(),
    }
}

/// Begins a read for somebody that sees one instant.
///
/// # Errors
/// If the database does not answer.
pub async fn snapshot(
    reads: &Reads,
    reader: &Reader,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    reads.snapshot(&rights(reader)).await
}

/// Reads what is behind a decision that the reader was shown, whosever it is: what of it is said, and in which words,
/// the answer decides.
///
/// # Errors
/// If the database does not answer.
pub async fn behind(db: &mut PgConnection, visit: &ContainerVisit) -> Result<Behind, sqlx::Error> {
    restrict(db, &Rights::Everything).await?;
    let stay = &visit.stay;
    let clearances = rows::clearances(db, &requirements::clearance_keys(stay)).await?;
    let clearances: Vec<_> = clearances.iter().collect();
    let documents = stay.transport_documents().into_iter();
    let documents: Vec<String> = documents.map(str::to_owned).collect();
    // Which of them count is known once everything is read.
    let releases = rows::releases(db, &documents).await?;
    let hauliers = releases.iter().filter(|release| release.revoked.is_none());
    let hauliers = hauliers
        .map(|release| release.haulier_party.as_str())
        .collect();
    let keys = Keys {
        containers: vec![stay.container_number.clone()],
        documents,
        scopes: requirements::hold_scopes(stay, &clearances, &hauliers)
            .iter()
            .map(ToString::to_string)
            .collect(),
        ..Keys::default()
    };
    let state = load_keys(db, &keys).await?;
    let sources = requirements::sources(stay, &clearances, &state.hauliers(stay));
    let parked = parked(db, &sources).await?;
    Ok(Behind {
        state,
        parked,
        sources,
    })
}

/// Reads what is behind a decision on a stock list that the reader was shown, as [`behind`] does.
///
/// # Errors
/// If the database does not answer.
pub async fn behind_list(db: &mut PgConnection, list: &StockList) -> Result<Behind, sqlx::Error> {
    restrict(db, &Rights::Everything).await?;
    let number = list.list_number.clone();
    let mut seeds = Seeds::default();
    seeds.lists.insert(number.clone());
    let links = super::links::read(db, &seeds).await?;
    let own = links.lists.get(&number).cloned().unwrap_or_default();
    let containers: Vec<String> = own.containers.into_iter().collect();
    let visits = containers
        .iter()
        .filter_map(|number| links.containers.get(number))
        .flat_map(|own| &own.visits)
        .map(|visit| Scope::new(ScopeKind::ContainerVisit, visit));
    let declarations: Vec<String> = own.declarations.into_iter().collect();
    let scopes = declarations
        .iter()
        .map(|id| Scope::new(ScopeKind::Declaration, id))
        .chain(visits)
        .chain([Scope::new(ScopeKind::StockList, &number)])
        .chain(
            own.parties
                .iter()
                .filter(|party| !party.is_empty())
                .map(|party| Scope::new(ScopeKind::Party, party)),
        )
        .map(|scope| scope.to_string())
        .collect();
    let documents: BTreeSet<String> = containers
        .iter()
        .filter_map(|number| links.containers.get(number))
        .flat_map(|own| own.documents.iter().cloned())
        .collect();
    let keys = Keys {
        containers,
        documents: documents.into_iter().collect(),
        scopes,
        declarations,
        lists: vec![number.clone()],
        ..Keys::default()
    };
    let state = load_keys(db, &keys).await?;
    let named = state.declarations_naming(&number);
    let stays = state.stays_of_list(list, &named);
    let sources = list_requirements::sources(list, &named, &stays);
    let parked = parked(db, &sources).await?;
    Ok(Behind {
        state,
        parked,
        sources,
    })
}

async fn parked(db: &mut PgConnection, sources: &[Source]) -> Result<ParkedKeys, sqlx::Error> {
    let (topics, keys): (Vec<String>, Vec<String>) = sources
        .iter()
        .map(|source| (source.topic.to_owned(), source.key.clone()))
        .unzip();
    let rows = sqlx::query!(
        "select distinct p.topic, p.key from fabric.parked p join unnest($1::text[], $2::text[]) as n (topic, key)
           on p.topic = n.topic and p.key = n.key",
        &topics,
        &keys
    )
    .fetch_all(db)
    .await?;
    Ok(ParkedKeys::of(
        rows.iter()
            .map(|row| (row.topic.as_str(), row.key.as_str())),
    ))
}
