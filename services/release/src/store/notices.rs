//! A party's notices, read straight from the outbox: committed with the facts they are about, in the
//! order of their sequence, without gaps.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fabric::{Reads, Rights};

use super::{signed, unsigned};

/// A place in a party's stream: the epoch and sequence of its notices' partition.
pub type Cursor = (u64, u64);

/// A notice as it is stored.
#[derive(Clone, Debug)]
pub struct StoredNotice {
    /// Its partition.
    pub partition: u32,
    /// Its place.
    pub cursor: Cursor,
    /// The event.
    pub payload: Bytes,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// The party's notices after a place, in order.
///
/// # Errors
/// If the database does not answer.
pub async fn after(
    reads: &Reads,
    party: &str,
    cursor: Cursor,
    limit: i64,
) -> Result<Vec<StoredNotice>, sqlx::Error> {
    let rights = Rights::Own {
        party,
        roles: Vec::new(),
        sites: Vec::new(),
    };
    let mut db = reads.of(&rights).await?;
    let rows = sqlx::query!(
        "select partition, epoch, seq, payload, recorded_at from fabric.outbox
         where topic = 'release.notice' and key = $1 and (epoch, seq) > ($2, $3)
         order by epoch, seq limit $4",
        party,
        signed(cursor.0),
        signed(cursor.1),
        limit
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| StoredNotice {
            partition: row.partition.unsigned_abs(),
            cursor: (unsigned(row.epoch), unsigned(row.seq)),
            payload: row.payload.into(),
            recorded_at: row.recorded_at,
        })
        .collect())
}
