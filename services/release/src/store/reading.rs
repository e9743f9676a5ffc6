//! What callers read: the stays they may see, and the facts behind one. The filter stands in the
//! query: what a caller may not see is not there.

use fabric::ParkedKeys;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

use super::{Keys, load_keys, rows, visits_per_container_max};
use crate::app::state::State;
use crate::domain::container_visit::ContainerVisit;
use crate::domain::reader::Reader;
use crate::domain::requirements::{self, Source};

/// Which stays are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// One stay.
    Visit(String),
    /// The stays of a container, at one site or at any.
    Container {
        /// The container.
        number: String,
        /// The site; none: any.
        site_id: Option<String>,
    },
}

/// The stays that the reader may see: those that are not over first, then the newest.
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

/// Everything that is weighed for a stay, and which of it could not be read: one snapshot.
#[derive(Debug)]
pub struct Behind {
    /// The facts.
    pub state: State,
    /// What is parked of what they rest on.
    pub parked: ParkedKeys,
    /// What they rest on.
    pub sources: Vec<Source>,
}

/// Begins a read that sees one instant.
///
/// # Errors
/// If the database does not answer.
pub async fn snapshot(
    pool: &PgPool,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, sqlx::Error> {
    pool.begin_with("begin isolation level repeatable read read only")
        .await
}

/// Reads what is behind a decision.
///
/// # Errors
/// If the database does not answer.
pub async fn behind(db: &mut PgConnection, visit: &ContainerVisit) -> Result<Behind, sqlx::Error> {
    let stay = &visit.stay;
    let clearances = rows::clearances(db, &requirements::clearance_keys(stay)).await?;
    let clearances: Vec<_> = clearances.iter().collect();
    let keys = Keys {
        containers: vec![stay.container_number.clone()],
        documents: stay
            .transport_documents()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        scopes: requirements::hold_scopes(stay, &clearances)
            .iter()
            .map(ToString::to_string)
            .collect(),
        ..Keys::default()
    };
    let sources = requirements::sources(stay, &clearances);
    let state = load_keys(db, &keys).await?;
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
