//! What an operator sees and does: how far producing and consuming have come,
//! parked records, sending again, and whether all that was published still stands.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kernel::Refusal;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use crate::audit::Act;
use crate::config::FabricConfig;
use crate::fabric::Health;
use crate::service::{Knowledge, StoreError};
pub use crate::store::ParkedPlace;
use crate::store::{self, OutboxRow, Parked, Part};
use crate::verify::{self, VerifyReport};
use crate::writer::Item;

/// Parked records given at once.
const PAGE_ROWS_MAX: u32 = 200;
/// Longest reason for a discard, in characters.
const REASON_CHARS_MAX: usize = 500;

/// One produced partition.
#[derive(Clone, Debug)]
pub struct ProducedStatus {
    /// The topic, without prefix and version.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The epoch.
    pub epoch: u64,
    /// The last committed sequence.
    pub head_sequence: u64,
    /// The last acknowledged sequence.
    pub acked_sequence: u64,
    /// The chain at the head.
    pub head_chain: Bytes,
    /// Age of the oldest row that is not acknowledged; zero if none.
    pub oldest_unpublished: Duration,
}

/// One consumed partition.
#[derive(Clone, Debug)]
pub struct ConsumedStatus {
    /// The topic, without prefix and version.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The epoch applied.
    pub epoch: u64,
    /// The sequence applied.
    pub applied_sequence: u64,
    /// The producer's head as its last watermark gave it.
    pub known_head_sequence: u64,
    /// Age of what is known; none where it is unknown.
    pub knowledge_age: Option<Duration>,
    /// Why nothing more is applied.
    pub stopped_because: Option<String>,
}

/// How far a service has come.
#[derive(Clone, Debug)]
pub struct FabricStatus {
    /// The service.
    pub service: &'static str,
    /// What is wrong; empty if it is ready.
    pub faults: BTreeMap<&'static str, String>,
    /// What it produces.
    pub produced: Vec<ProducedStatus>,
    /// What it consumes.
    pub consumed: Vec<ConsumedStatus>,
    /// Keys with parked records, by topic; a topic without any is left out.
    pub parked_keys: BTreeMap<String, u32>,
}

/// A record that could not be applied.
#[derive(Clone, Debug)]
pub struct ParkedRecord {
    /// `ce_id`.
    pub event_id: String,
    /// The topic, without prefix and version.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The epoch.
    pub epoch: u64,
    /// The sequence.
    pub sequence: u64,
    /// The subject.
    pub key: String,
    /// `ce_type`.
    pub event_type: String,
    /// The event.
    pub payload: Bytes,
    /// Why it was parked.
    pub cause: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
}

impl ParkedRecord {
    /// Where it stands among the parked: a page ends here.
    pub fn place(&self) -> ParkedPlace {
        let (topic, key) = (self.topic.clone(), self.key.clone());
        (topic, key, self.epoch, self.sequence)
    }
}

impl From<Parked> for ParkedRecord {
    fn from(parked: Parked) -> Self {
        Self {
            event_id: parked.event_id,
            topic: parked.topic,
            partition: parked.partition,
            epoch: parked.epoch,
            sequence: parked.seq,
            key: parked.key,
            event_type: parked.event_type,
            payload: parked.payload,
            cause: parked.cause,
            attempts: parked.attempts,
            parked_at: parked.parked_at,
        }
    }
}

/// An operator's way into a service's fabric; cheap to clone.
pub struct Admin<I> {
    service: &'static str,
    url: String,
    pool: PgPool,
    health: Health,
    /// None: nothing is sent or read.
    broker: Option<FabricConfig>,
    backgrounds: Vec<mpsc::Sender<Item<I>>>,
}

impl<I> Clone for Admin<I> {
    fn clone(&self) -> Self {
        Self {
            service: self.service,
            url: self.url.clone(),
            pool: self.pool.clone(),
            health: self.health.clone(),
            broker: self.broker.clone(),
            backgrounds: self.backgrounds.clone(),
        }
    }
}

impl<I: Send + 'static> Admin<I> {
    pub(crate) fn new(
        service: &'static str,
        url: String,
        pool: PgPool,
        health: Health,
        broker: Option<FabricConfig>,
        backgrounds: Vec<mpsc::Sender<Item<I>>>,
    ) -> Self {
        Self {
            service,
            url,
            pool,
            health,
            broker,
            backgrounds,
        }
    }

    /// How far producing and consuming have come.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn status(&self) -> Result<FabricStatus, Refusal> {
        let ages = self.knowledge().await?;
        let produced = store::produced(&self.pool).await.map_err(unavailable)?;
        let consumed = store::consumed(&self.pool).await.map_err(unavailable)?;
        let parked = {
            let mut db = self.pool.acquire().await.map_err(unavailable)?;
            store::parked_keys_by_topic(&mut db)
                .await
                .map_err(unavailable)?
        };
        Ok(FabricStatus {
            service: self.service,
            faults: self.health.faults(),
            produced: produced
                .into_iter()
                .map(|row| ProducedStatus {
                    topic: row.part.0,
                    partition: row.part.1,
                    epoch: row.head.epoch,
                    head_sequence: row.head.seq,
                    acked_sequence: row.acked_seq,
                    head_chain: row.head.chain,
                    oldest_unpublished: Duration::from_millis(row.oldest_unpublished_millis),
                })
                .collect(),
            consumed: consumed
                .into_iter()
                .map(|row| ConsumedStatus {
                    knowledge_age: ages.0.get(&row.part).copied(),
                    topic: row.part.0,
                    partition: row.part.1,
                    epoch: row.epoch,
                    applied_sequence: row.seq,
                    known_head_sequence: row.known_head_seq,
                    stopped_because: row.stopped_because,
                })
                .collect(),
            parked_keys: parked,
        })
    }

    /// How old what is known of each consumed partition is.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn knowledge(&self) -> Result<Knowledge, Refusal> {
        let mut db = self.pool.acquire().await.map_err(unavailable)?;
        store::knowledge(&mut db).await.map_err(unavailable)
    }

    /// Puts on record what an operator is about to do. What is done by [`Self::republish`], [`Self::restate`],
    /// [`Self::retry_parked`] and [`Self::discard_parked`] has gone on record before; a new epoch begins with a record of
    /// its own.
    ///
    /// # Errors
    /// It could not be recorded: then it must not be done.
    pub async fn record(&self, act: Act) -> Result<(), Refusal> {
        let (reply, recorded) = oneshot::channel();
        let act = Box::new(act);
        self.background(Item::Act { act, reply }).await?;
        recorded.await.map_err(|_| {
            Refusal::unavailable(
                "STOPPING",
                "the service is stopping, or cannot record what you ask for; nothing was done",
            )
        })
    }

    /// Has a produced partition sent again from a sequence on by the active relay,
    /// whichever instance it is in; a request not yet taken up is replaced. Gives the
    /// head to which it will send.
    ///
    /// # Errors
    /// No such partition, or nothing kept from there.
    pub async fn republish(
        &self,
        topic: &str,
        partition: u32,
        from_sequence: u64,
    ) -> Result<u64, Refusal> {
        let produced = store::produced(&self.pool).await.map_err(unavailable)?;
        let part = (topic.to_owned(), partition);
        let Some(row) = produced.into_iter().find(|row| row.part == part) else {
            return Err(Refusal::not_found(
                "partition",
                format!("{topic}/{partition}"),
            ));
        };
        let kept = {
            let mut db = self.pool.acquire().await.map_err(unavailable)?;
            store::lowest_kept(&mut db).await.map_err(unavailable)?
        };
        let lowest = kept.get(&part).copied().unwrap_or(1);
        if from_sequence < lowest {
            return Err(Refusal::invalid(
                "SEQUENCE_NOT_KEPT",
                format!(
                    "{topic}/{partition} can be sent again from sequence {lowest} on; what lies below was dropped after its retention"
                ),
            ));
        }
        let mut db = self.pool.acquire().await.map_err(unavailable)?;
        store::ask_republish(&mut db, &part, from_sequence)
            .await
            .map_err(|error| match error {
                StoreError::Database(error) => unavailable(error),
                other => Refusal::internal("INTERNAL", other.to_string()),
            })?;
        Ok(row.head.seq)
    }

    /// Publishes the last word on every key of a topic again, or of every topic produced: how many facts,
    /// by topic.
    ///
    /// # Errors
    /// No such topic, or the database does not answer.
    pub async fn restate(&self, topic: Option<&str>) -> Result<BTreeMap<String, u64>, Refusal> {
        let produced = store::produced(&self.pool).await.map_err(unavailable)?;
        let mut facts = BTreeMap::new();
        for row in produced {
            if topic.is_some_and(|topic| topic != row.part.0) {
                continue;
            }
            let stated = crate::restate::restate(&self.url, &row.part)
                .await
                .map_err(not_stated)?;
            *facts.entry(row.part.0).or_default() += stated;
        }
        match topic {
            Some(topic) if facts.is_empty() => Err(Refusal::not_found("topic", topic)),
            _ => Ok(facts),
        }
    }

    /// Opens a new epoch in every partition produced, and gives it.
    ///
    /// # Errors
    /// No reason, or the database does not answer.
    pub async fn open_epoch(&self, by: &str, reason: &str) -> Result<u64, Refusal> {
        let reason = reason_of(reason, "the new epoch")?;
        tracing::warn!(by, reason, "opens a new epoch");
        crate::restate::open_epoch(&self.url, by, &reason)
            .await
            .map_err(not_stated)
    }

    /// Parked records by topic, key and sequence, after the given place: a page, and one more if there
    /// are more.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn parked(
        &self,
        topic: Option<&str>,
        after: Option<&ParkedPlace>,
        rows_max: u32,
    ) -> Result<Vec<ParkedRecord>, Refusal> {
        let limit = i64::from(rows_max.clamp(1, PAGE_ROWS_MAX)) + 1;
        let mut db = self.pool.acquire().await.map_err(unavailable)?;
        let rows = store::parked(&mut db, topic, None, None, after, limit)
            .await
            .map_err(unavailable)?;
        Ok(rows.into_iter().map(ParkedRecord::from).collect())
    }

    /// One parked record.
    ///
    /// # Errors
    /// No such record.
    pub async fn parked_record(&self, event_id: &str) -> Result<ParkedRecord, Refusal> {
        let mut db = self.pool.acquire().await.map_err(unavailable)?;
        let rows = store::parked(&mut db, None, None, Some(event_id), None, 1)
            .await
            .map_err(unavailable)?;
        rows.into_iter()
            .next()
            .map(ParkedRecord::from)
            .ok_or_else(|| Refusal::not_found("parked record", event_id))
    }

    /// Applies a key's parked records again, in order: (applied, still parked, cause).
    ///
    /// # Errors
    /// The loop is busy or ended.
    pub async fn retry_parked(
        &self,
        topic: &str,
        key: &str,
    ) -> Result<(u32, u32, String), Refusal> {
        let (reply, answer) = oneshot::channel();
        let item = Item::Retry {
            topic: topic.to_owned(),
            key: key.to_owned(),
            reply,
        };
        self.background(item).await?;
        let outcome = answer
            .await
            .map_err(|_| Refusal::unavailable("STOPPING", "the service is stopping; try again"))?;
        Ok((outcome.applied, outcome.still_parked, outcome.cause))
    }

    /// Gives up on the oldest parked record of its key. Gives how many of the
    /// key are left.
    ///
    /// # Errors
    /// No such record, not the oldest of its key, or no reason.
    pub async fn discard_parked(
        &self,
        event_id: &str,
        by: &str,
        reason: &str,
    ) -> Result<u32, Refusal> {
        let reason = reason_of(reason, "the record")?;
        let record = self.parked_record(event_id).await?;
        let mut db = self.pool.acquire().await.map_err(unavailable)?;
        let done = store::discard(&mut db, event_id, by, &reason)
            .await
            .map_err(unavailable)?;
        if !done {
            return Err(Refusal::unmet(
                "NOT_OLDEST_PARKED",
                format!(
                    "an older record of {} is parked; retry or discard that one first",
                    record.key
                ),
                Vec::new(),
            ));
        }
        store::parked_of_key(&mut db, &record.topic, &record.key)
            .await
            .map_err(unavailable)
    }

    /// Computes every produced partition's chain anew from the rows kept, and reads the topics through. A broker
    /// that does not answer is told in the report.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn verify(&self) -> Result<VerifyReport, Refusal> {
        let mut report = verify::chains(&self.pool).await.map_err(unavailable)?;
        if let Some(config) = &self.broker {
            verify::topics(&self.pool, config, &mut report)
                .await
                .map_err(unavailable)?;
        }
        Ok(report)
    }

    pub(crate) async fn background(&self, item: Item<I>) -> Result<(), Refusal> {
        let Some(queue) = self.backgrounds.first() else {
            return Err(Refusal::unavailable(
                "STOPPING",
                "the service is stopping; try again",
            ));
        };
        queue
            .send(item)
            .await
            .map_err(|_| Refusal::unavailable("STOPPING", "the service is stopping; try again"))
    }

    pub(crate) async fn outbox_beyond(
        &self,
        seen: &BTreeMap<Part, (u64, u64)>,
    ) -> Result<Vec<OutboxRow>, sqlx::Error> {
        let mut db = self.pool.acquire().await?;
        store::outbox_beyond(&mut db, seen).await
    }
}

fn reason_of(written: &str, what: &str) -> Result<String, Refusal> {
    kernel::Text::parse(written, REASON_CHARS_MAX).map_err(|error| {
        Refusal::invalid(
            "REASON_MISSING",
            format!("give a reason for {what}: {error}"),
        )
    })
}

fn not_stated(error: StoreError) -> Refusal {
    match error {
        StoreError::Database(error) => unavailable(error),
        other => Refusal::unavailable("OVERLOADED", other.to_string()).with_retry_after_millis(500),
    }
}

fn unavailable(error: sqlx::Error) -> Refusal {
    tracing::warn!(%error, "the fabric's tables could not be read");
    Refusal::unavailable(
        "DATABASE_UNAVAILABLE",
        "the service's database does not answer; try again",
    )
    .with_retry_after_millis(1_000)
}
