//! When nothing more will come of anything: everybody has read all that the others published. It must not know what was
//! published.

use std::collections::BTreeMap;

use sqlx::postgres::{PgPool, PgPoolOptions};

use crate::evidence::SERVICES;
use crate::play::waiting::{if_so, seen};
use crate::site::Site;

/// Queries come one after the other.
const CONNECTIONS_MAX: u32 = 1;

/// How far a service has read.
const POSITIONS: &str = "select topic, partition, epoch, seq from fabric.position";

/// The four databases, by service.
pub type Databases = BTreeMap<&'static str, PgPool>;
/// Epoch and sequence of partitions, by topic and number.
type Standing = BTreeMap<(String, i32), (i64, i64)>;

/// Those of a site that runs.
pub fn open(site: &Site) -> Databases {
    let endpoints = site.endpoints().expect("up has published its endpoints");
    let open = |service: &'static str| {
        let url = endpoints["postgres"][service].as_str().unwrap();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX);
        (service, pool.connect_lazy(url).unwrap())
    };
    SERVICES.into_iter().map(open).collect()
}

/// Waits until everybody has read all that the others published, and nothing new came of it.
pub async fn settled(databases: &Databases) {
    seen("everything is read by everybody", async || {
        // A database that was away gives an error: then it is looked again.
        let looked = look(databases).await;
        Ok(looked.unwrap_or_else(|error| Err(error.to_string())))
    })
    .await;
}

/// How many records a service has applied of what the others published, and how many it has still to apply.
///
/// # Errors
/// A database cannot be read.
pub async fn applied_and_behind(databases: &Databases, service: &str) -> sqlx::Result<(u64, u64)> {
    let Some(pool) = databases.get(service) else {
        return Ok((0, 0));
    };
    // What is published in between is not counted, rather than counted as read.
    let heads = heads(databases).await?;
    let (mut applied, mut behind) = (0, 0);
    for (partition, (_, seq)) in standing(pool, POSITIONS).await? {
        let head = heads.get(&partition).map_or(seq, |(_, head)| *head);
        applied += seq.unsigned_abs();
        behind += u64::try_from(head - seq).unwrap_or_default();
    }
    Ok((applied, behind))
}

async fn look(databases: &Databases) -> sqlx::Result<Result<(), String>> {
    let before = heads(databases).await?;
    if let Some(behind) = behind(databases, &before).await? {
        return Ok(Err(behind));
    }
    let quiet = heads(databases).await? == before;
    Ok(if_so(quiet, (), "more is being published"))
}

async fn heads(databases: &Databases) -> sqlx::Result<Standing> {
    let mut heads = BTreeMap::new();
    for pool in databases.values() {
        heads.extend(standing(pool, "select topic, partition, epoch, seq from fabric.head").await?);
    }
    Ok(heads)
}

/// The first partition that somebody has not read to its end, has stopped reading, or put records of aside.
async fn behind(databases: &Databases, heads: &Standing) -> sqlx::Result<Option<String>> {
    for (service, pool) in databases {
        let parked: Vec<String> =
            sqlx::query_scalar("select event_id || ': ' || cause from fabric.parked")
                .fetch_all(pool)
                .await?;
        if !parked.is_empty() {
            return Ok(Some(format!("{service} has parked {parked:?}")));
        }
        for (partition, applied) in standing(pool, POSITIONS).await? {
            let head = heads.get(&partition);
            if head.is_some_and(|head| *head != applied) {
                return Ok(Some(format!(
                    "{service} has read {partition:?} up to {applied:?} of {head:?}"
                )));
            }
        }
    }
    Ok(None)
}

async fn standing(pool: &PgPool, statement: &'static str) -> sqlx::Result<Standing> {
    let rows: Vec<(String, i32, i64, i64)> = sqlx::query_as(statement).fetch_all(pool).await?;
    let rows = rows.into_iter();
    let standing = rows.map(|(topic, partition, epoch, seq)| ((topic, partition), (epoch, seq)));
    Ok(standing.collect())
}
