//! What is read for the checker: the rows of the four databases as they stand, and the topics, without an opinion. It
//! must not judge.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{Connection as _, FromRow, PgConnection};
use uuid::Uuid;

use crate::topics::{self, Delivered};

/// The services, each with a database of its own.
pub const SERVICES: [&str; 4] = ["gate", "customs", "bonded", "release"];

/// Where a partition stands: in its producer (`fabric.head`), or in a reader (`fabric.position`).
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Standing {
    /// The topic, as in `gate.site`.
    pub topic: String,
    /// The partition, from 0.
    pub partition: i32,
    /// The epoch.
    pub epoch: i64,
    /// The sequence within it; 0 before the first.
    pub seq: i64,
    /// The chain at that sequence; empty before the first.
    pub chain: Vec<u8>,
}

/// How far the broker has acknowledged (`fabric.cursor`).
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Cursor {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The epoch.
    pub epoch: i64,
    /// The last sequence acknowledged.
    pub acked_seq: i64,
}

/// A published fact (`fabric.outbox`).
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Event {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The epoch.
    pub epoch: i64,
    /// The sequence within it, from 1.
    pub seq: i64,
    /// What it is about.
    pub key: String,
    /// Its type.
    pub event_type: String,
    /// The message.
    pub payload: Vec<u8>,
    /// The chain after it.
    pub chain: Vec<u8>,
}

impl Event {
    /// Its id, as on the wire.
    pub fn id(&self) -> String {
        let Event {
            topic,
            partition,
            epoch,
            seq,
            ..
        } = self;
        format!("greenlane.{topic}.v1/{partition}/{epoch}/{seq}")
    }
}

/// What one service keeps of the exchange of facts.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// What it has applied of others.
    pub positions: Vec<Standing>,
    /// How far the broker has its facts.
    pub cursors: Vec<Cursor>,
    /// What it has published, by topic, partition, epoch, sequence.
    pub events: Vec<Event>,
    /// Where its own partitions stand.
    pub heads: Vec<Standing>,
    /// The ids of the requests whose answers it keeps.
    pub answered: BTreeSet<Uuid>,
}

/// The three quantities of stock: declared, first and second statutory.
pub type Quantities = [Decimal; 3];

/// One entry of the ledger (`movement`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Its id.
    pub id: Uuid,
    /// The account book.
    pub book: String,
    /// Its place in the book, from 1.
    pub ordinal: i64,
    /// The lot.
    pub lot: String,
    /// Which total it changes: `ACTUAL_INCREASE` and the like.
    pub total: String,
    /// By how much.
    pub quantities: Quantities,
}

/// What is kept as the sum of a lot's movements (`balance`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The lot.
    pub lot: String,
    /// By total, as in a movement.
    pub totals: BTreeMap<String, Quantities>,
}

/// What a list that is not over expects of a lot, or has reserved of it (`stock_list_part`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The list.
    pub list: String,
    /// The lot.
    pub lot: String,
    /// Which total holds it.
    pub total: String,
    /// How much.
    pub quantities: Quantities,
}

/// The stock ledger.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Every book with the ordinal of its last movement.
    pub books: BTreeMap<String, i64>,
    /// All movements, by book and ordinal.
    pub movements: Vec<Movement>,
    /// All balances.
    pub balances: Vec<Balance>,
    /// What the lists that are not over have provisionally.
    pub expected: Vec<Expected>,
}

/// A decision that opened a barrier, as gate has it on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The truck's visit.
    pub truck_visit: String,
    /// A person has decided, or taken a decision back.
    pub by_a_person: bool,
    /// What it stood on.
    pub known: Vec<Known>,
}

/// Something that a decision stood on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it is about, as in `decision/GUOYUAN-PORT/MSKU9070323/1`.
    pub subject: String,
    /// The event that told it; empty for gate's own facts.
    pub event_id: String,
    /// How old gate's knowledge of its source was; none if unknown, or gate's own.
    pub knowledge_age_millis: Option<u64>,
}

/// For a while the clocks of all databases were wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When they began to be, by a clock that was right.
    pub from: DateTime<Utc>,
    /// When they were right again.
    pub until: DateTime<Utc>,
    /// By how much they were fast; negative: slow.
    pub seconds: i64,
}

impl Step {
    /// What was recorded then was recorded when, if it was then.
    fn right(self, recorded: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let right = recorded - TimeDelta::seconds(self.seconds);
        (self.from..=self.until).contains(&right).then_some(right)
    }
}

/// Everything that was read.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// When the clocks were wrong; each time by more than the whole play took.
    pub steps: Vec<Step>,
    /// By service.
    pub exchanges: BTreeMap<String, Exchange>,
    /// What the topics hold.
    pub delivered: Vec<Delivered>,
    /// Bonded's.
    pub ledger: Ledger,
    /// Gate's.
    pub admissions: Vec<Admission>,
}

/// How much was looked at, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    events: usize,
    partitions: usize,
    delivered: usize,
    movements: usize,
}

impl fmt::Display for Extent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} events of {} partitions, {} records of their topics and {} movements of stock",
            self.events, self.partitions, self.delivered, self.movements
        )
    }
}

/// The totals that a balance keeps, as its columns begin.
const TOTALS: [&str; 4] = [
    "PROVISIONAL_INCREASE",
    "PROVISIONAL_DECREASE",
    "ACTUAL_INCREASE",
    "ACTUAL_DECREASE",
];

impl Evidence {
    /// Reads a site by what its `endpoints.json` says. The services may run meanwhile: what is applied and delivered is
    /// read before what was published, so that nobody seems to know what was not said.
    ///
    /// # Errors
    /// An address is missing, or a database or the broker does not answer.
    pub async fn read(endpoints: &serde_json::Value) -> anyhow::Result<Evidence> {
        let addresses = &endpoints["postgres"];
        let mut databases = BTreeMap::new();
        for service in SERVICES {
            let address = addresses[service]
                .as_str()
                .with_context(|| format!("no address of {service}'s database"))?;
            let database = PgConnection::connect(address)
                .await
                .with_context(|| format!("{service}'s database"))?;
            databases.insert(service.to_owned(), database);
        }
        let mut evidence = Evidence::default();
        for (service, database) in &mut databases {
            let exchange = evidence.exchanges.entry(service.clone()).or_default();
            exchange.positions = sqlx::query_as(
                "select topic, partition, epoch, seq, chain from fabric.position order by 1, 2",
            )
            .fetch_all(&mut *database)
            .await?;
            exchange.cursors = sqlx::query_as(
                "select topic, partition, epoch, acked_seq from fabric.cursor order by 1, 2",
            )
            .fetch_all(database)
            .await?;
        }
        let brokers = endpoints["kafka"]
            .as_str()
            .context("no address of Kafka")?
            .to_owned();
        let cursors = evidence.exchanges.values().flat_map(|one| &one.cursors);
        let topics: BTreeSet<String> = cursors.map(|cursor| cursor.topic.clone()).collect();
        let topics: Vec<String> = topics.into_iter().collect();
        evidence.delivered =
            tokio::task::spawn_blocking(move || topics::read(&brokers, &topics)).await??;
        for (service, database) in &mut databases {
            let exchange = evidence.exchanges.entry(service.clone()).or_default();
            let mut snapshot = database.begin().await?;
            sqlx::query("set transaction isolation level repeatable read, read only")
                .execute(&mut *snapshot)
                .await?;
            exchange.heads = sqlx::query_as(
                "select topic, partition, epoch, seq, chain from fabric.head order by 1, 2",
            )
            .fetch_all(&mut *snapshot)
            .await?;
            exchange.events = sqlx::query_as(
                "select topic, partition, epoch, seq, key, event_type, payload, chain
                 from fabric.outbox order by 1, 2, 3, 4",
            )
            .fetch_all(&mut *snapshot)
            .await?;
            let answered: Vec<Uuid> = sqlx::query_scalar("select request_id from fabric.answer")
                .fetch_all(&mut *snapshot)
                .await?;
            exchange.answered = answered.into_iter().collect();
            match service.as_str() {
                "bonded" => evidence.ledger = ledger(&mut snapshot).await?,
                "gate" => evidence.admissions = admissions(&mut snapshot).await?,
                _ => {}
            }
            snapshot.commit().await?;
        }
        Ok(evidence)
    }

    /// When something was recorded, by a clock that was right all the while.
    pub fn right(&self, recorded: DateTime<Utc>) -> DateTime<Utc> {
        let mut steps = self.steps.iter();
        steps
            .find_map(|step| step.right(recorded))
            .unwrap_or(recorded)
    }

    /// How much was read.
    pub fn extent(&self) -> Extent {
        Extent {
            events: self.exchanges.values().map(|one| one.events.len()).sum(),
            partitions: self.exchanges.values().map(|one| one.heads.len()).sum(),
            delivered: self.delivered.len(),
            movements: self.ledger.movements.len(),
        }
    }
}

async fn admissions(database: &mut PgConnection) -> anyhow::Result<Vec<Admission>> {
    let rows: Vec<(Uuid, Json<Value>)> = sqlx::query_as(
        "select truck_visit_id, admission
         from truck_visit, jsonb_array_elements(body -> 'admissions') with ordinality as a (admission, place)
         order by truck_visit_id, place",
    )
    .fetch_all(database)
    .await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let known = |value: &Value| Known {
        subject: text(&value["subject"]),
        event_id: text(&value["event_id"]),
        knowledge_age_millis: value["knowledge_age_millis"].as_u64(),
    };
    let admission = |(truck, Json(said)): (Uuid, Json<Value>)| Admission {
        truck_visit: truck.to_string(),
        by_a_person: said["contra"] == true || said["reason"] != "",
        known: said["evidence"]
            .as_array()
            .map(|all| all.iter().map(known).collect())
            .unwrap_or_default(),
    };
    Ok(rows.into_iter().map(admission).collect())
}

async fn ledger(database: &mut PgConnection) -> anyhow::Result<Ledger> {
    let books: Vec<(String, i64)> = sqlx::query_as("select book_number, head_ordinal from book")
        .fetch_all(&mut *database)
        .await?;
    #[derive(FromRow)]
    struct Row {
        movement_id: Uuid,
        book_number: String,
        ordinal: i64,
        lot_id: String,
        total: String,
        declared: Decimal,
        statutory_1: Decimal,
        statutory_2: Decimal,
    }
    let movements: Vec<Row> = sqlx::query_as(
        "select movement_id, book_number, ordinal, lot_id, total, declared, statutory_1, statutory_2
         from movement order by book_number, ordinal",
    )
    .fetch_all(&mut *database)
    .await?;
    let balances: Vec<(String, Vec<Decimal>)> = sqlx::query_as(
        "select lot_id, array[
             provisional_increase_declared, provisional_increase_statutory_1, provisional_increase_statutory_2,
             provisional_decrease_declared, provisional_decrease_statutory_1, provisional_decrease_statutory_2,
             actual_increase_declared, actual_increase_statutory_1, actual_increase_statutory_2,
             actual_decrease_declared, actual_decrease_statutory_1, actual_decrease_statutory_2]
         from balance",
    )
    .fetch_all(&mut *database)
    .await?;
    type Part = (String, String, String, Decimal, Decimal, Decimal);
    let parts: Vec<Part> = sqlx::query_as(
        "select list_number, lot_id, 'PROVISIONAL_' || direction,
                provisional_declared, provisional_statutory_1, provisional_statutory_2
         from stock_list_part join stock_list using (list_number)
         where state in ('FILED', 'APPROVED', 'RESERVED', 'VOID_ASKED')",
    )
    .fetch_all(database)
    .await?;
    Ok(Ledger {
        expected: parts
            .into_iter()
            .map(|(list, lot, total, declared, first, second)| Expected {
                list,
                lot,
                total,
                quantities: [declared, first, second],
            })
            .collect(),
        books: books.into_iter().collect(),
        movements: movements
            .into_iter()
            .map(|row| Movement {
                id: row.movement_id,
                book: row.book_number,
                ordinal: row.ordinal,
                lot: row.lot_id,
                total: row.total,
                quantities: [row.declared, row.statutory_1, row.statutory_2],
            })
            .collect(),
        balances: balances
            .into_iter()
            .map(|(lot, columns)| Balance {
                lot,
                totals: TOTALS
                    .iter()
                    .zip(columns.chunks(3))
                    .filter_map(|(total, three)| {
                        Some(((*total).to_owned(), <[Decimal; 3]>::try_from(three).ok()?))
                    })
                    .collect(),
            })
            .collect(),
    })
}
