//! The SQL of comparing what the topics hold with what was committed.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{Part, part, signed, unsigned};
use crate::verify::Published;

/// The chain of each of these records as it was committed; nothing for one that is not there.
pub(crate) async fn chains_of(
    db: &mut PgConnection,
    records: &[Published],
) -> Result<BTreeMap<(Part, u64, u64), Vec<u8>>, sqlx::Error> {
    let topics: Vec<String> = records.iter().map(|one| one.part.0.clone()).collect();
    let partitions: Vec<i32> = records.iter().map(|one| one.part.1.cast_signed()).collect();
    let epochs: Vec<i64> = records.iter().map(|one| signed(one.epoch)).collect();
    let seqs: Vec<i64> = records.iter().map(|one| signed(one.seq)).collect();
    let rows = sqlx::query!(
        "select o.topic, o.partition, o.epoch, o.seq, o.chain
         from fabric.outbox o
         join unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) as r (topic, partition, epoch, seq)
           on o.topic = r.topic and o.partition = r.partition and o.epoch = r.epoch and o.seq = r.seq",
        &topics,
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
                part(row.topic, row.partition),
                unsigned(row.epoch),
                unsigned(row.seq),
            );
            (place, row.chain)
        })
        .collect())
}

/// The first row that is kept of each partition: epoch and sequence; nothing for one of which none is.
pub(crate) async fn oldest(
    db: &mut PgConnection,
) -> Result<BTreeMap<Part, (u64, u64)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select distinct on (topic, partition) topic, partition, epoch, seq
         from fabric.outbox order by topic, partition, epoch, seq"
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let place = (unsigned(row.epoch), unsigned(row.seq));
            (part(row.topic, row.partition), place)
        })
        .collect())
}
