//! The SQL of reading the record of what was done.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{AuditRow, signed, unsigned};
use crate::verify::Published;

/// A row as it is read.
macro_rules! row {
    ($row:expr) => {
        AuditRow {
            partition: $row.partition.unsigned_abs(),
            epoch: unsigned($row.epoch),
            seq: unsigned($row.seq),
            key: $row.key,
            recorded_at: $row.recorded_at,
            entries: $row.entries.into(),
            key_id: $row.key_id,
            signature: $row.signature.into(),
            chain: $row.chain.into(),
        }
    };
}

/// The rows of a partition behind a place, in order, at most so many.
pub(crate) async fn rows_after(
    db: &mut PgConnection,
    partition: u32,
    (epoch, seq): (u64, u64),
    rows_max: i64,
) -> Result<Vec<AuditRow>, sqlx::Error> {
    let rows = sqlx::query!(
        "select partition, epoch, seq, key, recorded_at, entries, key_id, signature, chain
         from fabric.audit where partition = $1 and (epoch, seq) > ($2, $3) order by epoch, seq limit $4",
        partition.cast_signed(),
        signed(epoch),
        signed(seq),
        rows_max
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row!(row)).collect())
}

/// The newest rows before an instant, newest first, at most so many.
pub(crate) async fn newest(
    db: &mut PgConnection,
    before: Option<DateTime<Utc>>,
    rows_max: i64,
) -> Result<Vec<AuditRow>, sqlx::Error> {
    let rows = sqlx::query!(
        "select partition, epoch, seq, key, recorded_at, entries, key_id, signature, chain
         from fabric.audit where $1::timestamptz is null or recorded_at < $1 order by recorded_at desc limit $2",
        before,
        rows_max
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row!(row)).collect())
}

/// The chain of each of these records as it was recorded, by partition, epoch and sequence; nothing for one that is not
/// there.
pub(crate) async fn chains_of(
    db: &mut PgConnection,
    records: &[Published],
) -> Result<BTreeMap<(u32, u64, u64), Vec<u8>>, sqlx::Error> {
    let partitions: Vec<i32> = records.iter().map(|one| one.part.1.cast_signed()).collect();
    let epochs: Vec<i64> = records.iter().map(|one| signed(one.epoch)).collect();
    let seqs: Vec<i64> = records.iter().map(|one| signed(one.seq)).collect();
    let rows = sqlx::query!(
        "select a.partition, a.epoch, a.seq, a.chain
         from fabric.audit a
         join unnest($1::int[], $2::bigint[], $3::bigint[]) as r (partition, epoch, seq)
           on a.partition = r.partition and a.epoch = r.epoch and a.seq = r.seq",
        &partitions,
        &epochs,
        &seqs
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let place = (
                row.partition.unsigned_abs(),
                unsigned(row.epoch),
                unsigned(row.seq),
            );
            (place, row.chain)
        })
        .collect())
}
