//! All SQL of the loop: the tables of the schema `fabric`. It must not decide
//! anything; numbers that the database keeps signed are converted here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kernel::Refusal;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

pub(crate) mod audit;
pub(crate) mod restate;
pub(crate) mod verify;

use crate::service::{Knowledge, ParkedKeys, StoreError};
use crate::subject::SubjectSet;

/// A (topic, partition).
pub type Part = (String, u32);

/// Why the tables could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database refused.
    #[error("the tables could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database refused.
    #[error("the database cannot be reached, check database.owner_url: {0}")]
    Database(#[from] sqlx::Error),
}

/// Makes or updates the schema `fabric`; the connection's role will own it.
///
/// # Errors
/// If the database refuses, or an applied migration was edited.
pub async fn migrate(connection: &mut PgConnection) -> Result<(), MigrateError> {
    sqlx::migrate!().run(connection).await?;
    Ok(())
}

/// Makes or updates all tables of a service: the fabric's, then the service's own.
/// The role of `owner_url` will own them.
///
/// # Errors
/// If the database refuses, or an applied migration was edited.
pub async fn migrate_service(owner_url: &str, own: &Migrator) -> Result<(), MigrateError> {
    let mut connection = PgConnection::connect(owner_url).await?;
    migrate(&mut connection).await?;
    own.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// The role of the service, if it is above what protects the tables: row level security does not bind superusers,
/// those who may pass it by, and owners.
pub(crate) async fn role_above(db: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let role = sqlx::query!(
        r#"select r.rolname as "name!", r.rolsuper or r.rolbypassrls as "unbound!",
                exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                        where c.relowner = r.oid and c.relkind in ('r', 'p') and n.nspname !~ '^pg_') as "owns!"
         from pg_roles r where r.rolname = current_user"#
    )
    .fetch_one(db)
    .await?;
    Ok((role.unbound || role.owns).then_some(role.name))
}

/// How long a read waits for a connection before it fails, and a connection that is given back may take to show that
/// it still answers.
const READ_WAIT: Duration = Duration::from_secs(5);
/// So many old answers are dropped by one statement, which is then over soon.
pub(crate) const ANSWERS_DROPPED_MAX: i64 = 10_000;
/// How long the database may take to let a session in.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long a statement may go without an answer: longer than the database itself lets it take, so that only
/// a connection whose other end has gone without a word is given up. TCP alone notices after a quarter of an
/// hour, or never.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(45);

/// An answer of the database that comes in time, or an error that passes by itself.
///
/// # Errors
/// The database's own, or that it did not answer.
pub async fn answered<T, E: From<sqlx::Error>>(
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    within(ANSWER_WAIT, asked).await
}

async fn within<T, E: From<sqlx::Error>>(
    wait: Duration,
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let answer = tokio::time::timeout(wait, asked).await;
    answer.unwrap_or_else(|_| Err(late(wait).into()))
}

/// An answer that did not come in time.
pub(crate) fn late(wait: Duration) -> sqlx::Error {
    let why = format!("no answer within {} s", wait.as_secs());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
}

/// Connections that are lent one by one. One that does not answer when it is given back is closed: it would
/// never be lent again, and never be missed.
pub(crate) fn lent(connections_max: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(READ_WAIT)
        .after_release(|db, _| {
            Box::pin(async move {
                within(READ_WAIT, db.ping()).await?;
                Ok(true)
            })
        })
}

pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn part(topic: String, partition: i32) -> Part {
    (topic, partition.unsigned_abs())
}

fn split(parts: &[Part]) -> (Vec<String>, Vec<i32>) {
    parts
        .iter()
        .map(|(topic, partition)| (topic.clone(), partition.cast_signed()))
        .unzip()
}

/// Whether the failure passes by itself, so that the batch is repeated whole.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            let code = code.as_ref();
            // 25P03: this process stood still in a transaction, and the server cut the session.
            ["55P03", "25P03"].contains(&code)
                || ["08", "40", "53", "58"].contains(&&code[..2.min(code.len())])
                || code.starts_with("57P")
        }),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Settings of a session that holds locks: what freezes is cut, and with it goes its right to read a
/// partition or to send. Whoever lives says something at least every second. Plans are kept, until
/// [`plan_anew`]: to make them takes longer than to carry them out.
pub(crate) async fn prepare_session(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "set plan_cache_mode = force_generic_plan; set lock_timeout = '10s'; set statement_timeout = '30s'; \
         set idle_in_transaction_session_timeout = '10s'; set idle_session_timeout = '30s'; \
         set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; \
         set tcp_keepalives_count = 3; set application_name = 'greenlane-writer'",
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets plans. One that was made on an empty table reads it from end to end, also when it is full.
pub(crate) async fn plan_anew(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("discard plans").execute(db).await?;
    Ok(())
}

/// Begins a transaction. It is not sqlx's own: a session on which one is left open is given up, never used again.
pub(crate) async fn begin(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("begin").execute(db).await?;
    Ok(())
}

/// Makes a transaction durable.
pub(crate) async fn commit(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("commit").execute(db).await?;
    Ok(())
}

/// Takes a transaction back.
pub(crate) async fn rollback(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("rollback").execute(db).await?;
    Ok(())
}

/// Where a produced partition stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The epoch.
    pub epoch: u64,
    /// The last sequence.
    pub seq: u64,
    /// The chain's value after it.
    pub chain: Bytes,
}

/// Where a consumed partition stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch.
    pub epoch: u64,
    /// The last sequence that was applied.
    pub seq: u64,
    /// The chain's value after it.
    pub chain: Bytes,
    /// Where the broker had it: a hint where to read on; -1 is before the first.
    pub kafka_offset: i64,
    /// Why nothing more is applied; none if it is.
    pub stopped_because: Option<String>,
}

/// Where a consumed partition stands after a watermark was kept.
#[derive(Clone, Debug)]
pub struct Stamped {
    /// Where it stands.
    pub position: Position,
    /// The watermark is so much younger than the position's last move that it must know of it.
    pub is_later: bool,
}

/// A published row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The topic, without prefix and version.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The epoch.
    pub epoch: u64,
    /// The place in the partition's sequence.
    pub seq: u64,
    /// The subject.
    pub key: String,
    /// `ce_type`.
    pub event_type: String,
    /// The event, protobuf.
    pub payload: Bytes,
    /// The chain's value after it.
    pub chain: Bytes,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Which part of the key's state it is; none if it is no state.
    pub aspect: Option<String>,
}

/// What a commit did, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// The partition of the service's audit topic in which a fact tells of it.
    pub partition: u32,
    /// The epoch.
    pub epoch: u64,
    /// The place in the partition's sequence.
    pub seq: u64,
    /// The fact's key: of the writer.
    pub key: String,
    /// When.
    pub recorded_at: DateTime<Utc>,
    /// What, encoded.
    pub entries: Bytes,
    /// By which key it is signed; empty if it is not.
    pub key_id: String,
    /// The signature.
    pub signature: Bytes,
    /// The chain's value after it.
    pub chain: Bytes,
}

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the request is compared by.
    pub fingerprint: Vec<u8>,
    /// Whether the body is a refusal.
    pub refused: bool,
    /// The encoded response, or the refusal as JSON.
    pub body: Bytes,
}

impl Answer {
    pub(crate) fn of(
        fingerprint: &[u8; 32],
        outcome: &Result<Vec<u8>, Refusal>,
    ) -> Result<Self, StoreError> {
        let (refused, body) = match outcome {
            Ok(body) => (false, Bytes::copy_from_slice(body)),
            Err(refusal) => {
                let body = serde_json::to_vec(refusal)
                    .map_err(|error| StoreError::Value(format!("refusal: {error}")))?;
                (true, Bytes::from(body))
            }
        };
        Ok(Self {
            fingerprint: fingerprint.to_vec(),
            refused,
            body,
        })
    }

    pub(crate) fn outcome(&self) -> Result<Bytes, Refusal> {
        if !self.refused {
            return Ok(self.body.clone());
        }
        Err(serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            Refusal::internal(
                "INTERNAL",
                format!("a stored refusal cannot be read: {error}"),
            )
        }))
    }
}

/// Everything that the loop writes beside the service's own tables.
#[derive(Debug, Default)]
pub struct BatchWrite {
    /// From where to where each head moves.
    pub heads: BTreeMap<Part, (Head, Head)>,
    /// The events.
    pub outbox: Vec<OutboxRow>,
    /// The answers, by party and request id.
    pub answers: BTreeMap<(String, Uuid), Answer>,
    /// Where consumed partitions stand now.
    pub positions: BTreeMap<Part, Position>,
    /// What is recorded of it all.
    pub audit: Option<AuditRow>,
}

/// What came of writing a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Everything is in.
    All,
    /// Another writer moved a head: roll back, read the heads anew, repeat.
    HeadsMoved,
}

/// Makes the rows of produced and consumed partitions that are not there yet.
pub(crate) async fn prepare_partitions(
    db: &mut PgConnection,
    produces: &[&str],
    consumes: &[&str],
) -> Result<(), sqlx::Error> {
    let grid = |topics: &[&str]| -> (Vec<String>, Vec<i32>) {
        topics
            .iter()
            .flat_map(|topic| {
                (0..crate::PARTITIONS.cast_signed()).map(|p| ((*topic).to_owned(), p))
            })
            .unzip()
    };
    let (topics, partitions) = grid(produces);
    sqlx::query!(
        "with new as (select * from unnest($1::text[], $2::int[]) as n (topic, partition)),
              heads as (insert into fabric.head select topic, partition, 1, 0, '' from new on conflict do nothing)
         insert into fabric.cursor select topic, partition, 1, 0, null from new on conflict do nothing",
        &topics,
        &partitions
    )
    .execute(&mut *db)
    .await?;
    let (topics, partitions) = grid(consumes);
    sqlx::query!(
        "insert into fabric.position (topic, partition)
         select * from unnest($1::text[], $2::int[]) on conflict do nothing",
        &topics,
        &partitions
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Locks every subject of a batch in its one order.
pub(crate) async fn lock_subjects(
    db: &mut PgConnection,
    subjects: &SubjectSet,
) -> Result<(), sqlx::Error> {
    let (keys, shared) = subjects.locks();
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "select count(case when l.shared then pg_advisory_xact_lock_shared(l.key)::text
                           else pg_advisory_xact_lock(l.key)::text end)
         from unnest($1::bigint[], $2::bool[]) as l (key, shared)",
        &keys,
        &shared
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// The database's clock.
pub(crate) async fn clock(db: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(db)
        .await
}

/// The stored answers to these requests, with the database's clock.
pub(crate) async fn answers(
    db: &mut PgConnection,
    requests: &[(String, Uuid)],
) -> Result<BTreeMap<(String, Uuid), Answer>, sqlx::Error> {
    if requests.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (parties, ids): (Vec<String>, Vec<Uuid>) = requests.iter().cloned().unzip();
    let rows = sqlx::query!(
        "select a.party, a.request_id, a.fingerprint, a.refused, a.body
         from fabric.answer a
         join unnest($1::text[], $2::uuid[]) as r (party, request_id)
           on a.party = r.party and a.request_id = r.request_id",
        &parties,
        &ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let answer = Answer {
                fingerprint: row.fingerprint,
                refused: row.refused,
                body: row.body.into(),
            };
            ((row.party, row.request_id), answer)
        })
        .collect())
}

/// Where these consumed partitions stand.
pub(crate) async fn positions(
    db: &mut PgConnection,
    parts: &[Part],
) -> Result<BTreeMap<Part, Position>, sqlx::Error> {
    if parts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (topics, partitions) = split(parts);
    let rows = sqlx::query!(
        "select p.topic, p.partition, p.epoch, p.seq, p.chain, p.kafka_offset, p.stopped_because
         from fabric.position p
         join unnest($1::text[], $2::int[]) as r (topic, partition)
           on p.topic = r.topic and p.partition = r.partition",
        &topics,
        &partitions
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let position = Position {
                epoch: unsigned(row.epoch),
                seq: unsigned(row.seq),
                chain: row.chain.into(),
                kafka_offset: row.kafka_offset,
                stopped_because: row.stopped_because,
            };
            (part(row.topic, row.partition), position)
        })
        .collect())
}

/// Every key with parked records.
pub(crate) async fn parked_keys(db: &mut PgConnection) -> Result<ParkedKeys, sqlx::Error> {
    let rows = sqlx::query!("select distinct topic, key from fabric.parked")
        .fetch_all(db)
        .await?;
    Ok(ParkedKeys(
        rows.into_iter().map(|row| (row.topic, row.key)).collect(),
    ))
}

/// Age of what is known, by consumed partition: the larger of the watermark's
/// own age and the time since it was received; unknown if it is negative, the
/// partition stopped, or the position is behind what the watermark names.
pub(crate) async fn knowledge(db: &mut PgConnection) -> Result<Knowledge, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select topic, partition,
                  floor(extract(epoch from least(clock_timestamp() - watermark_stamped_at,
                                           clock_timestamp() - watermark_received_at)) * 1000)::bigint as "least!",
                  floor(extract(epoch from greatest(clock_timestamp() - watermark_stamped_at,
                                              clock_timestamp() - watermark_received_at)) * 1000)::bigint as "age!"
           from fabric.position
           where stopped_because is null and watermark_epoch = epoch and seq >= watermark_acked_seq
             and watermark_stamped_at is not null"#
    )
    .fetch_all(db)
    .await?;
    Ok(Knowledge(
        rows.into_iter()
            .filter(|row| row.least >= 0)
            .map(|row| {
                (
                    part(row.topic, row.partition),
                    Duration::from_millis(unsigned(row.age)),
                )
            })
            .collect(),
    ))
}

/// A watermark as a consumer received it.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The producer's epoch.
    pub epoch: u64,
    /// Up to here the broker has acknowledged all.
    pub acked_seq: u64,
    /// The last sequence that the producer had committed.
    pub head_seq: u64,
    /// When, by the producer's database.
    pub stamped_at: DateTime<Utc>,
    /// When it was received, on the monotonic clock.
    pub received_at: Instant,
}

/// A watermark that was stamped so long after a record was applied knows that record, if the two databases' clocks
/// differ by less; one from a farther future shows that they do not.
pub const STAMP_LATER_SECONDS: i32 = 10;

/// Keeps each watermark that is newer than the one held, and gives where those
/// partitions stand. One held from the future says nothing, and gives way to any: a
/// clock was fast and has been put right.
pub(crate) async fn write_stamps(
    db: &mut PgConnection,
    stamps: &BTreeMap<Part, Stamp>,
) -> Result<BTreeMap<Part, Stamped>, sqlx::Error> {
    let parts: Vec<Part> = stamps.keys().cloned().collect();
    let (topics, partitions) = split(&parts);
    let epochs: Vec<i64> = stamps.values().map(|s| signed(s.epoch)).collect();
    let acked: Vec<i64> = stamps.values().map(|s| signed(s.acked_seq)).collect();
    let heads: Vec<i64> = stamps.values().map(|s| signed(s.head_seq)).collect();
    let stamped: Vec<DateTime<Utc>> = stamps.values().map(|s| s.stamped_at).collect();
    let ago: Vec<i64> = stamps
        .values()
        .map(|s| i64::try_from(s.received_at.elapsed().as_micros()).unwrap_or(i64::MAX))
        .collect();
    let rows = sqlx::query!(
        r#"update fabric.position p
         set watermark_epoch = n.epoch, watermark_acked_seq = n.acked, watermark_head_seq = n.head,
             watermark_stamped_at = n.stamped_at,
             watermark_received_at = clock_timestamp() - n.ago_micros * interval '1 microsecond'
         from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::bigint[])
             as n (topic, partition, epoch, acked, head, stamped_at, ago_micros)
         where p.topic = n.topic and p.partition = n.partition
           and (p.watermark_stamped_at is null or p.watermark_stamped_at < n.stamped_at
                or p.watermark_stamped_at > clock_timestamp())
         returning p.topic, p.partition, p.epoch, p.seq, p.chain, p.kafka_offset, p.stopped_because,
             (n.stamped_at > p.moved_at + $8 * interval '1 second'
              and n.stamped_at < clock_timestamp() + $8 * interval '1 second') as "is_later!""#,
        &topics,
        &partitions,
        &epochs,
        &acked,
        &heads,
        &stamped,
        &ago,
        f64::from(STAMP_LATER_SECONDS)
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let position = Position {
                epoch: unsigned(row.epoch),
                seq: unsigned(row.seq),
                chain: row.chain.into(),
                kafka_offset: row.kafka_offset,
                stopped_because: row.stopped_because,
            };
            let stamped = Stamped {
                position,
                is_later: row.is_later,
            };
            (part(row.topic, row.partition), stamped)
        })
        .collect())
}

/// Stops a consumed partition, under its position's lock. Nothing changes if it was moved meanwhile.
pub(crate) async fn stop_partition(
    db: &mut PgConnection,
    part: &Part,
    at: &Position,
    why: &str,
) -> Result<(), sqlx::Error> {
    let mut lock = SubjectSet::default();
    lock.add_position(&part.0, part.1);
    let mut transaction = db.begin().await?;
    lock_subjects(&mut transaction, &lock).await?;
    sqlx::query!(
        "update fabric.position set stopped_because = $5
         where topic = $1 and partition = $2 and epoch = $3 and seq = $4 and stopped_because is null",
        part.0,
        part.1.cast_signed(),
        signed(at.epoch),
        signed(at.seq),
        why
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Where produced partitions stand; locked, in order, if this follows a
/// collision with another writer.
pub(crate) async fn heads(
    db: &mut PgConnection,
    parts: &[Part],
    lock: bool,
) -> Result<BTreeMap<Part, Head>, sqlx::Error> {
    let (topics, partitions) = split(parts);
    if lock {
        sqlx::query!(
            "select 1 as one from fabric.head h
             join unnest($1::text[], $2::int[]) as r (topic, partition)
               on h.topic = r.topic and h.partition = r.partition
             order by h.topic, h.partition for no key update of h",
            &topics,
            &partitions
        )
        .fetch_all(&mut *db)
        .await?;
    }
    let rows = sqlx::query!(
        "select h.topic, h.partition, h.epoch, h.seq, h.chain
         from fabric.head h
         join unnest($1::text[], $2::int[]) as r (topic, partition)
           on h.topic = r.topic and h.partition = r.partition",
        &topics,
        &partitions
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let head = Head {
                epoch: unsigned(row.epoch),
                seq: unsigned(row.seq),
                chain: row.chain.into(),
            };
            (part(row.topic, row.partition), head)
        })
        .collect())
}

/// Adds events, answers and positions to the batch's transaction.
pub(crate) async fn write_batch(
    db: &mut PgConnection,
    write: &BatchWrite,
    now: DateTime<Utc>,
) -> Result<Written, StoreError> {
    let (head_topics, head_partitions) = split(&write.heads.keys().cloned().collect::<Vec<_>>());
    let head_epochs: Vec<i64> = write
        .heads
        .values()
        .map(|(from, _)| signed(from.epoch))
        .collect();
    let from_seqs: Vec<i64> = write
        .heads
        .values()
        .map(|(from, _)| signed(from.seq))
        .collect();
    let from_chains: Vec<Vec<u8>> = write
        .heads
        .values()
        .map(|(from, _)| from.chain.to_vec())
        .collect();
    let to_seqs: Vec<i64> = write.heads.values().map(|(_, to)| signed(to.seq)).collect();
    let to_chains: Vec<Vec<u8>> = write
        .heads
        .values()
        .map(|(_, to)| to.chain.to_vec())
        .collect();

    let rows = &write.outbox;
    let topics: Vec<String> = rows.iter().map(|row| row.topic.clone()).collect();
    let partitions: Vec<i32> = rows.iter().map(|row| row.partition.cast_signed()).collect();
    let epochs: Vec<i64> = rows.iter().map(|row| signed(row.epoch)).collect();
    let seqs: Vec<i64> = rows.iter().map(|row| signed(row.seq)).collect();
    let keys: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
    let types: Vec<String> = rows.iter().map(|row| row.event_type.clone()).collect();
    let payloads: Vec<Vec<u8>> = rows.iter().map(|row| row.payload.to_vec()).collect();
    let chains: Vec<Vec<u8>> = rows.iter().map(|row| row.chain.to_vec()).collect();
    let traces: Vec<Option<String>> = rows.iter().map(|row| row.traceparent.clone()).collect();
    let recorded: Vec<DateTime<Utc>> = rows.iter().map(|row| row.recorded_at).collect();
    let aspects: Vec<Option<String>> = rows.iter().map(|row| row.aspect.clone()).collect();

    let (parties, request_ids): (Vec<String>, Vec<Uuid>) = write.answers.keys().cloned().unzip();
    let fingerprints: Vec<Vec<u8>> = write
        .answers
        .values()
        .map(|a| a.fingerprint.clone())
        .collect();
    let refused: Vec<bool> = write.answers.values().map(|a| a.refused).collect();
    let bodies: Vec<Vec<u8>> = write.answers.values().map(|a| a.body.to_vec()).collect();

    let (position_topics, position_partitions) =
        split(&write.positions.keys().cloned().collect::<Vec<_>>());
    let position_epochs: Vec<i64> = write.positions.values().map(|p| signed(p.epoch)).collect();
    let position_seqs: Vec<i64> = write.positions.values().map(|p| signed(p.seq)).collect();
    let position_chains: Vec<Vec<u8>> =
        write.positions.values().map(|p| p.chain.to_vec()).collect();
    let offsets: Vec<i64> = write.positions.values().map(|p| p.kafka_offset).collect();
    let stopped: Vec<Option<String>> = write
        .positions
        .values()
        .map(|p| p.stopped_because.clone())
        .collect();

    let audit = write.audit.as_ref();

    let counts = sqlx::query_file!(
        "sql/write_batch.sql",
        &head_topics,
        &head_partitions,
        &head_epochs,
        &from_seqs,
        &from_chains,
        &to_seqs,
        &to_chains,
        &topics,
        &partitions,
        &epochs,
        &seqs,
        &keys,
        &types,
        &payloads,
        &chains,
        &traces as &[Option<String>],
        &recorded,
        now,
        &parties,
        &request_ids,
        &fingerprints,
        &refused,
        &bodies,
        &position_topics,
        &position_partitions,
        &position_epochs,
        &position_seqs,
        &position_chains,
        &offsets,
        &stopped as &[Option<String>],
        &aspects as &[Option<String>],
        audit.map(|row| row.partition.cast_signed()),
        audit.map(|row| signed(row.epoch)),
        audit.map(|row| signed(row.seq)),
        audit.map(|row| row.key.as_str()),
        audit.map(|row| row.recorded_at),
        audit.map(|row| row.entries.as_ref()),
        audit.map(|row| row.key_id.as_str()),
        audit.map(|row| row.signature.as_ref()),
        audit.map(|row| row.chain.as_ref()),
    )
    .fetch_one(db)
    .await?;
    if unsigned(counts.moved) != write.heads.len() as u64 {
        return Ok(Written::HeadsMoved);
    }
    StoreError::check_rows("outbox", rows.len(), unsigned(counts.published))?;
    StoreError::check_rows("answer", write.answers.len(), unsigned(counts.answered))?;
    StoreError::check_rows(
        "position",
        write.positions.len(),
        unsigned(counts.positioned),
    )?;
    StoreError::check_rows(
        "audit",
        usize::from(audit.is_some()),
        unsigned(counts.recorded),
    )?;
    Ok(Written::All)
}

/// A record set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// `ce_id`.
    pub event_id: String,
    /// The topic, without prefix and version.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The producer's epoch.
    pub epoch: u64,
    /// Its place in the partition's sequence.
    pub seq: u64,
    /// The subject.
    pub key: String,
    /// `ce_type`.
    pub event_type: String,
    /// The event, protobuf.
    pub payload: Bytes,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Why it was set aside.
    pub cause: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When, by the database.
    pub parked_at: DateTime<Utc>,
}

/// Sets records aside.
pub(crate) async fn park(db: &mut PgConnection, records: &[Parked]) -> Result<(), StoreError> {
    let ids: Vec<String> = records.iter().map(|r| r.event_id.clone()).collect();
    let topics: Vec<String> = records.iter().map(|r| r.topic.clone()).collect();
    let partitions: Vec<i32> = records.iter().map(|r| r.partition.cast_signed()).collect();
    let epochs: Vec<i64> = records.iter().map(|r| signed(r.epoch)).collect();
    let seqs: Vec<i64> = records.iter().map(|r| signed(r.seq)).collect();
    let keys: Vec<String> = records.iter().map(|r| r.key.clone()).collect();
    let types: Vec<String> = records.iter().map(|r| r.event_type.clone()).collect();
    let payloads: Vec<Vec<u8>> = records.iter().map(|r| r.payload.to_vec()).collect();
    let traces: Vec<Option<String>> = records.iter().map(|r| r.traceparent.clone()).collect();
    let causes: Vec<String> = records.iter().map(|r| r.cause.clone()).collect();
    let at: Vec<DateTime<Utc>> = records.iter().map(|r| r.parked_at).collect();
    let done = sqlx::query!(
        "insert into fabric.parked (event_id, topic, partition, epoch, seq, key, event_type, payload, traceparent, cause, parked_at)
         select * from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
                              $8::bytea[], $9::text[], $10::text[], $11::timestamptz[])",
        &ids,
        &topics,
        &partitions,
        &epochs,
        &seqs,
        &keys,
        &types,
        &payloads,
        &traces as &[Option<String>],
        &causes,
        &at
    )
    .execute(db)
    .await?;
    StoreError::check_rows("parked", records.len(), done.rows_affected())
}

/// Where a page of parked records ended: topic, key, epoch, sequence. It stays a place when the record
/// that stood there is parked no more.
pub type ParkedPlace = (String, String, u64, u64);

/// The parked records of a topic and key, oldest first; or of all, by page.
pub(crate) async fn parked(
    db: &mut PgConnection,
    topic: Option<&str>,
    key: Option<&str>,
    event_id: Option<&str>,
    after: Option<&ParkedPlace>,
    limit: i64,
) -> Result<Vec<Parked>, sqlx::Error> {
    let after_topic = after.map(|place| place.0.as_str());
    let after_key = after.map(|place| place.1.as_str());
    let after_epoch = after.map(|place| signed(place.2));
    let after_seq = after.map(|place| signed(place.3));
    let rows = sqlx::query!(
        "select event_id, topic, partition, epoch, seq, key, event_type, payload, traceparent, cause, attempts, parked_at
         from fabric.parked
         where ($1::text is null or topic = $1) and ($2::text is null or key = $2)
           and ($3::text is null or event_id = $3)
           and ($4::text is null or (topic, key, epoch, seq) > ($4, $5::text, $6::bigint, $7::bigint))
         order by topic, key, epoch, seq limit $8",
        topic,
        key,
        event_id,
        after_topic,
        after_key,
        after_epoch,
        after_seq,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Parked {
            event_id: row.event_id,
            topic: row.topic,
            partition: row.partition.unsigned_abs(),
            epoch: unsigned(row.epoch),
            seq: unsigned(row.seq),
            key: row.key,
            event_type: row.event_type,
            payload: row.payload.into(),
            traceparent: row.traceparent,
            cause: row.cause,
            attempts: row.attempts.unsigned_abs(),
            parked_at: row.parked_at,
        })
        .collect())
}

/// How many records of a key are parked.
pub(crate) async fn parked_of_key(
    db: &mut PgConnection,
    topic: &str,
    key: &str,
) -> Result<u32, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from fabric.parked where topic = $1 and key = $2"#,
        topic,
        key
    )
    .fetch_one(db)
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Keys parked, by topic.
pub(crate) async fn parked_keys_by_topic(
    db: &mut PgConnection,
) -> Result<BTreeMap<String, u32>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select topic, count(distinct key) as "keys!" from fabric.parked group by topic"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.topic, u32::try_from(row.keys).unwrap_or(u32::MAX)))
        .collect())
}

/// Keys parked in a partition.
pub(crate) async fn parked_keys_of(
    db: &mut PgConnection,
    topic: &str,
    partition: u32,
) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"select count(distinct key) as "count!" from fabric.parked where topic = $1 and partition = $2"#,
        topic,
        partition.cast_signed()
    )
    .fetch_one(db)
    .await?;
    Ok(unsigned(count))
}

/// A parked record was applied after all.
pub(crate) async fn unpark(db: &mut PgConnection, event_id: &str) -> Result<(), StoreError> {
    let done = sqlx::query!("delete from fabric.parked where event_id = $1", event_id)
        .execute(db)
        .await?;
    StoreError::check_rows("unpark", 1, done.rows_affected())
}

/// A parked record failed again.
pub(crate) async fn parked_again(
    db: &mut PgConnection,
    event_id: &str,
    cause: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update fabric.parked set attempts = attempts + 1, cause = $2 where event_id = $1",
        event_id,
        cause
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives up on the oldest parked record of its key. False if it is not that.
pub(crate) async fn discard(
    db: &mut PgConnection,
    event_id: &str,
    by: &str,
    reason: &str,
) -> Result<bool, sqlx::Error> {
    let mut transaction = db.begin().await?;
    let done = sqlx::query!(
        "with gone as (
             delete from fabric.parked p where event_id = $1
               and not exists (select from fabric.parked o
                               where o.topic = p.topic and o.key = p.key and (o.epoch, o.seq) < (p.epoch, p.seq))
             returning event_id, topic, key, event_type, payload, cause)
         insert into fabric.discarded (event_id, topic, key, event_type, payload, cause, discarded_by, reason)
         select event_id, topic, key, event_type, payload, cause, $2, $3 from gone",
        event_id,
        by,
        reason
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Tries to become the one who reads a partition, for this session.
pub(crate) async fn try_own(
    db: &mut PgConnection,
    parts: &[Part],
) -> Result<Vec<Part>, sqlx::Error> {
    let (topics, partitions) = split(parts);
    let rows = sqlx::query!(
        r#"select r.topic as "topic!", r.partition as "partition!"
           from unnest($1::text[], $2::int[]) as r (topic, partition)
           where pg_try_advisory_lock(hashtext('greenlane.consume/' || r.topic), r.partition)"#,
        &topics,
        &partitions
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| part(row.topic, row.partition))
        .collect())
}

/// Tries to become the active relay, for this session; from then on it is known as a relay's, whether it is active or
/// stands by.
pub(crate) async fn try_relay(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select pg_try_advisory_lock(hashtext('greenlane.relay'), 0) as "held!"
           from set_config('application_name', 'greenlane-relay', false)"#
    )
    .fetch_one(db)
    .await
}

/// Whether another session is known as a relay's: another instance of the service runs.
pub(crate) async fn accompanied(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from pg_stat_activity
               where datname = current_database() and application_name = 'greenlane-relay'
                 and pid <> pg_backend_pid()
           ) as "accompanied!""#
    )
    .fetch_one(db)
    .await
}

/// How far the broker has acknowledged each produced partition.
pub(crate) async fn take_cursors(
    db: &mut PgConnection,
    owner: Uuid,
) -> Result<BTreeMap<Part, (u64, u64)>, sqlx::Error> {
    let rows = sqlx::query!(
        "update fabric.cursor set owner = $1 returning topic, partition, epoch, acked_seq",
        owner
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            (
                part(row.topic, row.partition),
                (unsigned(row.epoch), unsigned(row.acked_seq)),
            )
        })
        .collect())
}

/// Moves the cursors that this relay owns, forward only, to (epoch, sequence).
pub(crate) async fn move_cursors(
    db: &mut PgConnection,
    owner: Uuid,
    moves: &BTreeMap<Part, (u64, u64)>,
) -> Result<(), StoreError> {
    let (topics, partitions) = split(&moves.keys().cloned().collect::<Vec<_>>());
    let epochs: Vec<i64> = moves.values().map(|(epoch, _)| signed(*epoch)).collect();
    let seqs: Vec<i64> = moves.values().map(|(_, seq)| signed(*seq)).collect();
    let done = sqlx::query!(
        "update fabric.cursor c set acked_seq = greatest(c.acked_seq, n.seq)
         from unnest($1::text[], $2::int[], $3::bigint[], $5::bigint[]) as n (topic, partition, seq, epoch)
         where c.topic = n.topic and c.partition = n.partition and c.epoch = n.epoch and c.owner = $4",
        &topics,
        &partitions,
        &seqs,
        owner,
        &epochs
    )
    .execute(db)
    .await?;
    StoreError::check_rows("cursor", moves.len(), done.rows_affected())
}

/// Where every produced partition stands.
pub(crate) async fn all_heads(db: &mut PgConnection) -> Result<BTreeMap<Part, Head>, sqlx::Error> {
    let rows = sqlx::query!("select topic, partition, epoch, seq, chain from fabric.head")
        .fetch_all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let head = Head {
                epoch: unsigned(row.epoch),
                seq: unsigned(row.seq),
                chain: row.chain.into(),
            };
            (part(row.topic, row.partition), head)
        })
        .collect())
}

/// What a relay looks for all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// The sum of all heads: changes with every published fact, whoever wrote it.
    pub heads_sum: i64,
    /// An operator asks for something to be sent again.
    pub republish: bool,
}

/// Whether there is something to send.
pub(crate) async fn news(db: &mut PgConnection) -> Result<News, sqlx::Error> {
    sqlx::query_as!(
        News,
        r#"select (select coalesce(sum(seq), 0)::bigint from fabric.head) as "heads_sum!",
                  exists (select from fabric.cursor where republish_from is not null) as "republish!""#
    )
    .fetch_one(db)
    .await
}

/// Asks the active relay, whichever instance it is in, to send again from a sequence on.
pub(crate) async fn ask_republish(
    db: &mut PgConnection,
    part: &Part,
    from_seq: u64,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update fabric.cursor set republish_from = $3 where topic = $1 and partition = $2",
        part.0,
        part.1.cast_signed(),
        signed(from_seq)
    )
    .execute(db)
    .await?;
    StoreError::check_rows("republish", 1, done.rows_affected())
}

/// Takes what operators ask to be sent again.
pub(crate) async fn take_republish(
    db: &mut PgConnection,
    owner: Uuid,
) -> Result<BTreeMap<Part, u64>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with asked as (select topic, partition, republish_from from fabric.cursor
                          where republish_from is not null and owner = $1 for update)
           update fabric.cursor c set republish_from = null
           from asked a where c.topic = a.topic and c.partition = a.partition
           returning a.topic, a.partition, a.republish_from as "from_seq!""#,
        owner
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (part(row.topic, row.partition), unsigned(row.from_seq)))
        .collect())
}

/// The rows of a partition after a sequence, in order.
pub(crate) async fn outbox_after(
    db: &mut PgConnection,
    topic: &str,
    partition: u32,
    epoch: u64,
    after_seq: u64,
    limit: i64,
) -> Result<Vec<OutboxRow>, sqlx::Error> {
    let rows = sqlx::query!(
        "select key, seq, event_type, payload, chain, traceparent, recorded_at, aspect
         from fabric.outbox
         where topic = $1 and partition = $2 and epoch = $3 and seq > $4
         order by seq limit $5",
        topic,
        partition.cast_signed(),
        signed(epoch),
        signed(after_seq),
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| OutboxRow {
            topic: topic.to_owned(),
            partition,
            epoch,
            seq: unsigned(row.seq),
            key: row.key,
            event_type: row.event_type,
            payload: row.payload.into(),
            chain: row.chain.into(),
            traceparent: row.traceparent,
            recorded_at: row.recorded_at,
            aspect: row.aspect,
        })
        .collect())
}

/// What was published in the present epochs beyond these (epoch, sequence) of each partition, by topic, partition and
/// sequence: without a bound, for tests.
pub(crate) async fn outbox_beyond(
    db: &mut PgConnection,
    seen: &BTreeMap<Part, (u64, u64)>,
) -> Result<Vec<OutboxRow>, sqlx::Error> {
    let (topics, partitions) = split(&seen.keys().cloned().collect::<Vec<_>>());
    let epochs: Vec<i64> = seen.values().map(|(epoch, _)| signed(*epoch)).collect();
    let seqs: Vec<i64> = seen.values().map(|(_, seq)| signed(*seq)).collect();
    let rows = sqlx::query!(
        "select o.topic, o.partition, o.epoch, o.seq, o.key, o.event_type, o.payload, o.chain,
                o.traceparent, o.recorded_at, o.aspect
         from fabric.outbox o join fabric.head h using (topic, partition, epoch)
         where not exists (
             select from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) as s (topic, partition, epoch, seq)
             where s.topic = o.topic and s.partition = o.partition and (o.epoch, o.seq) <= (s.epoch, s.seq))
         order by o.topic, o.partition, o.seq",
        &topics,
        &partitions,
        &epochs,
        &seqs
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| OutboxRow {
            topic: row.topic,
            partition: row.partition.cast_unsigned(),
            epoch: unsigned(row.epoch),
            seq: unsigned(row.seq),
            key: row.key,
            event_type: row.event_type,
            payload: row.payload.into(),
            chain: row.chain.into(),
            traceparent: row.traceparent,
            recorded_at: row.recorded_at,
            aspect: row.aspect,
        })
        .collect())
}

/// The epoch in which the service of this database publishes, from 1: what is numbered by a service itself begins anew
/// with each, as nobody knows which numbers were given in a time that a restore has lost.
///
/// # Errors
/// If the database does not answer.
pub async fn epoch(db: &mut PgConnection) -> Result<u32, sqlx::Error> {
    let epoch =
        sqlx::query_scalar!(r#"select coalesce(max(epoch), 1) as "epoch!" from fabric.head"#)
            .fetch_one(db)
            .await?;
    Ok(u32::try_from(epoch).unwrap_or(u32::MAX))
}

/// The lowest sequence of each partition that can still be sent.
pub(crate) async fn lowest_kept(db: &mut PgConnection) -> Result<BTreeMap<Part, u64>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select h.topic, h.partition,
                  coalesce((select min(o.seq) from fabric.outbox o
                            where o.topic = h.topic and o.partition = h.partition and o.epoch = h.epoch), h.seq + 1)
                      as "lowest!"
           from fabric.head h"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (part(row.topic, row.partition), unsigned(row.lowest)))
        .collect())
}

/// Makes the days to come and drops those beyond retention.
pub(crate) async fn maintain_outbox(
    db: &mut PgConnection,
    retention_days: u32,
) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select fabric.maintain_outbox($1) as "dropped!""#,
        retention_days.cast_signed()
    )
    .fetch_one(db)
    .await
}

/// Drops answers that are older than their retention, as many as one statement may: gives how many. A request that is
/// repeated after that is a new one.
pub(crate) async fn drop_answers(
    db: &mut PgConnection,
    retention_days: u32,
) -> Result<u64, sqlx::Error> {
    let dropped = sqlx::query!(
        "delete from fabric.answer where ctid = any(array(
             select ctid from fabric.answer
             where recorded_at < clock_timestamp() - make_interval(days => $1) limit $2))",
        retention_days.cast_signed(),
        ANSWERS_DROPPED_MAX
    )
    .execute(db)
    .await?;
    Ok(dropped.rows_affected())
}

/// What a produced partition's status is made of.
pub(crate) struct ProducedRow {
    pub part: Part,
    pub head: Head,
    pub acked_seq: u64,
    pub oldest_unpublished_millis: u64,
}

/// The status of every produced partition.
pub(crate) async fn produced(pool: &PgPool) -> Result<Vec<ProducedRow>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select h.topic, h.partition, h.epoch, h.seq, h.chain, c.acked_seq,
                  coalesce((select greatest(0, floor(extract(epoch from clock_timestamp() - o.recorded_at) * 1000))
                            from fabric.outbox o
                            where h.seq > c.acked_seq and o.topic = h.topic and o.partition = h.partition
                              and o.epoch = h.epoch and o.seq > c.acked_seq
                            order by o.seq limit 1), 0)::bigint as "oldest!"
           from fabric.head h join fabric.cursor c using (topic, partition)
           order by h.topic, h.partition"#
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ProducedRow {
            part: part(row.topic, row.partition),
            head: Head {
                epoch: unsigned(row.epoch),
                seq: unsigned(row.seq),
                chain: row.chain.into(),
            },
            acked_seq: unsigned(row.acked_seq),
            oldest_unpublished_millis: unsigned(row.oldest),
        })
        .collect())
}

/// What a consumed partition's status is made of.
pub(crate) struct ConsumedRow {
    pub part: Part,
    pub epoch: u64,
    pub seq: u64,
    pub known_head_seq: u64,
    pub stopped_because: Option<String>,
}

/// The status of every consumed partition.
pub(crate) async fn consumed(pool: &PgPool) -> Result<Vec<ConsumedRow>, sqlx::Error> {
    let rows = sqlx::query!(
        "select topic, partition, epoch, seq, watermark_head_seq, stopped_because
         from fabric.position order by topic, partition"
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ConsumedRow {
            part: part(row.topic, row.partition),
            epoch: unsigned(row.epoch),
            seq: unsigned(row.seq),
            known_head_seq: unsigned(row.watermark_head_seq.unwrap_or(0)),
            stopped_because: row.stopped_because,
        })
        .collect())
}

/// Opens a connection that answers, or says why not.
pub(crate) async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    let opened = async {
        let mut connection = PgConnection::connect(url).await?;
        prepare_session(&mut connection).await?;
        Ok(connection)
    };
    within(CONNECT_WAIT, opened).await
}
