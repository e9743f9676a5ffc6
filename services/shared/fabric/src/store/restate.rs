//! The SQL of stating facts again and of opening an epoch.

use bytes::Bytes;
use sqlx::PgConnection;

use super::{OutboxRow, Part, signed, unsigned};
use crate::service::StoreError;

/// The newest fact of a key and aspect.
#[derive(Clone, Debug)]
pub(crate) struct LastWord {
    pub topic: String,
    pub key: String,
    pub aspect: String,
    pub event_type: String,
    pub payload: Bytes,
}

/// Where the last word on each key and aspect of a partition stands, in the order in which they were said:
/// (epoch, sequence).
pub(crate) async fn last_words(
    db: &mut PgConnection,
    part: &Part,
) -> Result<Vec<(u64, u64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select epoch as "epoch!", seq as "seq!" from (
               select distinct on (key, aspect) epoch, seq from (
                   select key, aspect, epoch, seq from fabric.outbox
                   where topic = $1 and partition = $2 and aspect is not null
                   union all
                   select key, aspect, epoch, seq from fabric.last_word
                   where topic = $1 and partition = $2) word
               order by key, aspect, epoch desc, seq desc) last
           order by epoch, seq"#,
        part.0,
        part.1.cast_signed()
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (unsigned(row.epoch), unsigned(row.seq)))
        .collect())
}

/// The words that stand at these places, in their order.
pub(crate) async fn words(
    db: &mut PgConnection,
    part: &Part,
    places: &[(u64, u64)],
) -> Result<Vec<LastWord>, sqlx::Error> {
    let (epochs, seqs): (Vec<i64>, Vec<i64>) = places
        .iter()
        .map(|(epoch, seq)| (signed(*epoch), signed(*seq)))
        .unzip();
    let rows = sqlx::query!(
        r#"select key as "key!", aspect as "aspect!", event_type as "event_type!", payload as "payload!" from (
               select key, aspect, event_type, payload, epoch, seq from fabric.outbox
               where topic = $1 and partition = $2
               union all
               select key, aspect, event_type, payload, epoch, seq from fabric.last_word
               where topic = $1 and partition = $2) word
           join unnest($3::bigint[], $4::bigint[]) as place (epoch, seq) using (epoch, seq)
           order by epoch, seq"#,
        part.0,
        part.1.cast_signed(),
        &epochs,
        &seqs
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| LastWord {
            topic: part.0.clone(),
            key: row.key,
            aspect: row.aspect,
            event_type: row.event_type,
            payload: row.payload.into(),
        })
        .collect())
}

/// Adds the records that open an epoch, also to the record of what was done, moves the heads behind them and the cursors
/// before them.
pub(crate) async fn open_epoch(
    db: &mut PgConnection,
    rows: &[OutboxRow],
) -> Result<(), StoreError> {
    let topics: Vec<String> = rows.iter().map(|row| row.topic.clone()).collect();
    let partitions: Vec<i32> = rows.iter().map(|row| row.partition.cast_signed()).collect();
    let epochs: Vec<i64> = rows.iter().map(|row| signed(row.epoch)).collect();
    let keys: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
    let types: Vec<String> = rows.iter().map(|row| row.event_type.clone()).collect();
    let payloads: Vec<Vec<u8>> = rows.iter().map(|row| row.payload.to_vec()).collect();
    let chains: Vec<Vec<u8>> = rows.iter().map(|row| row.chain.to_vec()).collect();
    let recorded: Vec<_> = rows.iter().map(|row| row.recorded_at).collect();
    let done = sqlx::query!(
        "with opened as (
             select * from unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::bytea[],
                                  $8::timestamptz[])
                 as o (topic, partition, epoch, key, event_type, payload, chain, recorded_at)
         ), headed as (
             update fabric.head h set epoch = o.epoch, seq = 1, chain = o.chain
             from opened o where h.topic = o.topic and h.partition = o.partition
         ), pointed as (
             update fabric.cursor c set epoch = o.epoch, acked_seq = 0, republish_from = null
             from opened o where c.topic = o.topic and c.partition = o.partition
         ), recorded as (
             insert into fabric.audit (partition, epoch, seq, key, recorded_at, entries, key_id, signature, chain)
             select partition, epoch, 1, key, recorded_at, payload, '', '', chain from opened where topic like '%.audit'
         )
         insert into fabric.outbox (topic, partition, epoch, seq, key, event_type, payload, chain, recorded_at, aspect)
         select topic, partition, epoch, 1, key, event_type, payload, chain, recorded_at, null from opened",
        &topics,
        &partitions,
        &epochs,
        &keys,
        &types,
        &payloads,
        &chains,
        &recorded
    )
    .execute(db)
    .await?;
    StoreError::check_rows("epoch", rows.len(), done.rows_affected())
}
