//! Stating facts again. The last word on each key and aspect of a topic is published once more, in
//! sequence like any other fact: for readers that are new when the first rows are dropped already. After a
//! restore from a backup an operator first opens a new epoch: versions of facts compare as (epoch,
//! version), so what is stated again then wins over what was lost. It must not know what the facts say.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use prost::Message as _;
use sqlx::{Connection as _, PgConnection};

use crate::sequence::{CHAIN_START, chain_after, event_id};
use crate::service::{Record, StoreError};
use crate::store::{self, BatchWrite, Head, OutboxRow, Part, Written};

/// The type of the record that opens an epoch; it stands first in every partition.
pub(crate) const EPOCH_TYPE: &str = "greenlane.fabric.epoch";
/// What the type of a fact ends with when it is stated again.
const RESTATED: &str = ".restated";
/// Facts that are stated again in one commit: other writers of the partition wait for it.
const RESTATED_AT_ONCE: usize = 200;

/// Whether an event of this type states again what was published before.
pub(crate) fn is_restated(event_type: &str) -> bool {
    event_type.ends_with(RESTATED)
}

/// A fact that has no number yet.
pub(crate) struct Unnumbered {
    pub topic: String,
    pub key: String,
    pub event_type: String,
    pub payload: Bytes,
    pub traceparent: Option<String>,
    pub aspect: Option<String>,
}

impl From<store::restate::LastWord> for Unnumbered {
    fn from(word: store::restate::LastWord) -> Self {
        let event_type = if is_restated(&word.event_type) {
            word.event_type
        } else {
            word.event_type + RESTATED
        };
        Self {
            topic: word.topic,
            key: word.key,
            event_type,
            payload: word.payload,
            traceparent: None,
            aspect: Some(word.aspect),
        }
    }
}

/// Gives a fact the next number of its partition, and moves the head.
pub(crate) fn next_row(head: &mut Head, fact: Unnumbered, now: DateTime<Utc>) -> OutboxRow {
    let partition = crate::partition_of(&fact.key);
    head.seq += 1;
    let id = event_id(&fact.topic, partition, head.epoch, head.seq);
    head.chain = chain_after(&head.chain, &id, &fact.event_type, &fact.key, &fact.payload);
    OutboxRow {
        topic: fact.topic,
        partition,
        epoch: head.epoch,
        seq: head.seq,
        key: fact.key,
        event_type: fact.event_type,
        payload: fact.payload,
        chain: head.chain.clone(),
        traceparent: fact.traceparent,
        recorded_at: now,
        aspect: fact.aspect,
    }
}

/// The record that opens an epoch of a partition: the first of a new chain.
pub(crate) struct EpochRecord;

impl EpochRecord {
    fn row(part: &Part, before: &Head, by: &str, reason: &str, now: DateTime<Utc>) -> OutboxRow {
        let opened = proto::fabric::v1::EpochOpened {
            previous_epoch: before.epoch,
            previous_sequence: before.seq,
            previous_chain: before.chain.clone(),
            opened_by: by.to_owned(),
            reason: reason.to_owned(),
            opened_at: Some(prost_types::Timestamp {
                seconds: now.timestamp(),
                nanos: now.timestamp_subsec_nanos().cast_signed(),
            }),
        };
        let (topic, partition) = part;
        let (epoch, key) = (before.epoch + 1, format!("{topic}/{partition}"));
        let payload = opened.encode_to_vec();
        let id = event_id(topic, *partition, epoch, 1);
        OutboxRow {
            topic: topic.clone(),
            partition: *partition,
            epoch,
            seq: 1,
            chain: chain_after(CHAIN_START, &id, EPOCH_TYPE, &key, &payload),
            key,
            event_type: EPOCH_TYPE.to_owned(),
            payload: payload.into(),
            traceparent: None,
            recorded_at: now,
            aspect: None,
        }
    }

    /// The chain that such a record begins; none if it is another record.
    pub(crate) fn chain(record: &Record) -> Option<Bytes> {
        (record.event_type == EPOCH_TYPE && record.sequence == 1).then(|| {
            chain_after(
                CHAIN_START,
                &record.event_id,
                &record.event_type,
                &record.key,
                &record.payload,
            )
        })
    }
}

/// Opens a new epoch in every partition that the service produces; gives the highest.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn open_epoch(url: &str, by: &str, reason: &str) -> Result<u64, StoreError> {
    let mut db = store::connect(url).await?;
    let mut transaction = db.begin().await?;
    let parts: Vec<Part> = store::all_heads(&mut transaction)
        .await?
        .into_keys()
        .collect();
    let heads = store::heads(&mut transaction, &parts, true).await?;
    let now = store::clock(&mut transaction).await?;
    let rows: Vec<OutboxRow> = heads
        .iter()
        .map(|(part, head)| EpochRecord::row(part, head, by, reason, now))
        .collect();
    store::restate::open_epoch(&mut transaction, &rows).await?;
    transaction.commit().await?;
    db.close().await?;
    Ok(rows.iter().map(|row| row.epoch).max().unwrap_or_default())
}

/// Publishes the last word on every key and aspect of a partition again; gives how many. A fact that
/// changes meanwhile may be followed by what it was before: readers keep the higher version.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn restate(url: &str, part: &Part) -> Result<u64, StoreError> {
    let mut db = store::connect(url).await?;
    let places = store::restate::last_words(&mut db, part).await?;
    for places in places.chunks(RESTATED_AT_ONCE) {
        let words = store::restate::words(&mut db, part, places).await?;
        publish(&mut db, part, words).await?;
    }
    db.close().await?;
    Ok(places.len() as u64)
}

async fn publish(
    db: &mut PgConnection,
    part: &Part,
    words: Vec<store::restate::LastWord>,
) -> Result<(), StoreError> {
    let mut transaction = db.begin().await?;
    let now = store::clock(&mut transaction).await?;
    let heads = store::heads(&mut transaction, std::slice::from_ref(part), true).await?;
    let Some(from) = heads.get(part).cloned() else {
        return Ok(());
    };
    let mut to = from.clone();
    let words = words.into_iter().map(Unnumbered::from);
    let outbox = words.map(|word| next_row(&mut to, word, now)).collect();
    let write = BatchWrite {
        outbox,
        heads: BTreeMap::from([(part.clone(), (from, to))]),
        ..BatchWrite::default()
    };
    // Nobody moves a head that is locked here.
    match store::write_batch(&mut transaction, &write, now).await? {
        Written::All => Ok(transaction.commit().await?),
        Written::HeadsMoved => Err(StoreError::Value(format!(
            "the head of {}/{} moved under its lock",
            part.0, part.1
        ))),
    }
}
