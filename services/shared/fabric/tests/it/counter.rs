//! The aggregate of these tests. `Counter` adds to named counters and publishes
//! each sum; `Mirror` keeps the sums it reads. Adding to "bad" panics, so that
//! there is an input that breaks its batch; the first addition to "frozen" stands
//! still until its session is cut; the event of "huge" is too large for a broker;
//! adding to "a&b" publishes an event about "a" and one about "b"; a mirror that is
//! confused does not understand the sums of what begins with "odd", and panics over
//! those of what begins with "broken". What adds to "followed" follows what was added before: one in each batch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use fabric::{
    Command, Context, Decision, Fabric, FabricConfig, Fact, Origin, Record, Reply, Service,
    StoreError, SubjectSet, Subjects, Unreadable, Working, fingerprint,
};
use kernel::Refusal;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

pub const TOPIC: &str = "test.counter";
/// Records that ask to add their first byte to their key.
pub const ASKED: &str = "test.asked";

pub enum Input {
    Add {
        key: String,
        amount: i64,
        repeats_max: Option<i64>,
    },
}

pub struct Counter;

/// Whether an addition to "frozen" has stood still already.
static STOOD_STILL: AtomicBool = AtomicBool::new(false);

impl Service for Counter {
    const NAME: &'static str = "counter";
    type Input = Input;
    type State = Working<String, i64>;

    fn produces(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn consumes(&self) -> &'static [&'static str] {
        &[]
    }

    fn decode(&self, record: &Record) -> Result<Input, Unreadable> {
        match record.payload.first() {
            Some(amount) if record.topic == ASKED => Ok(Input::Add {
                key: record.key.clone(),
                amount: i64::from(*amount),
                repeats_max: None,
            }),
            _ => Err(Unreadable(format!("{} is not consumed", record.topic))),
        }
    }

    fn subjects(&self, input: &Input) -> Subjects {
        let Input::Add { key, .. } = input;
        Subjects::new().write("counter", key.as_str())
    }

    fn follows(&self, input: &Input) -> bool {
        let Input::Add { key, .. } = input;
        key == "followed"
    }

    async fn load(
        &self,
        db: &mut PgConnection,
        subjects: &SubjectSet,
    ) -> Result<Self::State, sqlx::Error> {
        let keys = subjects.keys("counter");
        let stands_still = !STOOD_STILL.load(Ordering::SeqCst);
        if stands_still && keys.iter().any(|key| key == "frozen") {
            sqlx::query("set local idle_in_transaction_session_timeout = '20ms'")
                .execute(&mut *db)
                .await?;
        }
        load(db, keys).await
    }

    fn decide(&self, state: &mut Self::State, input: &Input, _context: &Context<'_>) -> Decision {
        let Input::Add {
            key,
            amount,
            repeats_max,
        } = input;
        assert_ne!(key, "bad", "this counter cannot be added to");
        if key == "frozen" && !STOOD_STILL.swap(true, Ordering::SeqCst) {
            // As a process that is paused: longer than the session may be idle in its transaction.
            std::thread::sleep(Duration::from_millis(500));
        }
        let total = state.get(key).copied().unwrap_or(0);
        if repeats_max.is_some_and(|max| total + amount > max) {
            return Decision::refuse(Refusal::unmet("FULL", "the counter is full", Vec::new()));
        }
        let total = total + amount;
        state.put(key.clone(), total);
        let facts = key.split('&').map(|key| Fact {
            topic: TOPIC,
            key: key.to_owned(),
            event_type: "greenlane.test.counter.added",
            payload: if key == "huge" {
                vec![0; 1_000_000]
            } else {
                total.to_be_bytes().to_vec()
            },
        });
        Decision::respond(total.to_be_bytes().to_vec()).with_facts(facts.collect())
    }

    async fn store(
        &self,
        db: &mut PgConnection,
        state: &Self::State,
        _now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        store(db, state).await
    }
}

/// Mirrors the sums; some of them not while `confused`.
#[derive(Default)]
pub struct Mirror {
    pub confused: Arc<AtomicBool>,
    /// For each sum of "odd": whether its key was parked when it was decided.
    pub decided_while_parked: Arc<Mutex<Vec<bool>>>,
    /// How many sums were stated again.
    pub restated: Arc<Mutex<u32>>,
}

pub struct Sum {
    key: String,
    total: i64,
}

impl Service for Mirror {
    const NAME: &'static str = "mirror";
    type Input = Sum;
    type State = Working<String, i64>;

    fn produces(&self) -> &'static [&'static str] {
        &[]
    }

    fn consumes(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn decode(&self, record: &Record) -> Result<Sum, Unreadable> {
        if self.confused.load(Ordering::SeqCst) && record.key.starts_with("odd") {
            return Err(Unreadable("this mirror is confused".into()));
        }
        if record.is_restated() {
            *self.restated.lock().unwrap() += 1;
        }
        let bytes: [u8; 8] = record
            .payload
            .as_ref()
            .try_into()
            .map_err(|_| Unreadable("a sum has eight bytes".into()))?;
        Ok(Sum {
            key: record.key.clone(),
            total: i64::from_be_bytes(bytes),
        })
    }

    fn subjects(&self, input: &Sum) -> Subjects {
        Subjects::new().write("counter", input.key.as_str())
    }

    async fn load(
        &self,
        db: &mut PgConnection,
        subjects: &SubjectSet,
    ) -> Result<Self::State, sqlx::Error> {
        load(db, subjects.keys("counter")).await
    }

    fn decide(&self, state: &mut Self::State, input: &Sum, context: &Context<'_>) -> Decision {
        assert!(context.record.is_some());
        let confused = self.confused.load(Ordering::SeqCst);
        assert!(
            !confused || !input.key.starts_with("broken"),
            "this mirror is confused"
        );
        if input.key == "odd" {
            let parked = context.parked.contains(TOPIC, &input.key);
            self.decided_while_parked.lock().unwrap().push(parked);
        }
        state.put(input.key.clone(), input.total);
        Decision::applied()
    }

    async fn store(
        &self,
        db: &mut PgConnection,
        state: &Self::State,
        _now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        store(db, state).await
    }
}

async fn load(
    db: &mut PgConnection,
    keys: Vec<String>,
) -> Result<Working<String, i64>, sqlx::Error> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select key, total from counter where key = any($1)")
            .bind(&keys)
            .fetch_all(db)
            .await?;
    Ok(Working::loaded(keys, rows))
}

async fn store(db: &mut PgConnection, state: &Working<String, i64>) -> Result<(), StoreError> {
    let (keys, totals): (Vec<String>, Vec<i64>) = state
        .changed()
        .map(|(key, total)| (key.clone(), *total))
        .unzip();
    let done = sqlx::query(
        "insert into counter (key, total) select * from unnest($1::text[], $2::bigint[])
         on conflict (key) do update set total = excluded.total",
    )
    .bind(&keys)
    .bind(&totals)
    .execute(db)
    .await?;
    StoreError::check_rows("counter", keys.len(), done.rows_affected())
}

/// A database with the fabric's tables and the counters.
pub async fn database() -> stack::ServiceDatabase {
    stack::for_tests()
        .await
        .database("counter", async |owner_url: &str| {
            let mut connection = PgConnection::connect(owner_url).await?;
            fabric::migrate(&mut connection).await?;
            sqlx::raw_sql("create table counter (key text primary key, total bigint not null)")
                .execute(&mut connection)
                .await?;
            connection.close().await?;
            Ok(())
        })
        .await
}

pub fn config(brokers: &str, prefix: &str) -> FabricConfig {
    FabricConfig {
        watermark_millis: 100,
        watermark_idle_millis: 200,
        ..FabricConfig::for_brokers(brokers, prefix)
    }
}

/// A counter service without a broker.
pub async fn counter(url: &str) -> Fabric<Counter> {
    Fabric::start_without_broker(Arc::new(Counter), config("none:1", ""), url)
        .await
        .expect("the fabric starts")
}

pub fn add(key: &str, amount: i64) -> Command<Input> {
    add_as(Uuid::new_v4(), key, amount)
}

pub fn add_as(request_id: Uuid, key: &str, amount: i64) -> Command<Input> {
    Command {
        party: "tester".into(),
        origin: Origin::default(),
        request_id: Some(request_id),
        fingerprint: fingerprint("Add", format!("{key}/{amount}").as_bytes()),
        traceparent: None,
        input: Input::Add {
            key: key.into(),
            amount,
            repeats_max: None,
        },
    }
}

pub fn total(reply: &Reply) -> i64 {
    let bytes = reply.outcome.as_ref().expect("not refused");
    i64::from_be_bytes(bytes.as_ref().try_into().expect("eight bytes"))
}

/// As the owner of the tables can and the service cannot.
pub async fn as_owner(database: &stack::ServiceDatabase, statement: &str) {
    holding(database, statement).await;
}

/// The owner's session after a statement: in a transaction it holds what it locked until it is closed.
pub async fn holding(database: &stack::ServiceDatabase, statement: &str) -> PgConnection {
    let mut db = PgConnection::connect(&database.owner_url)
        .await
        .expect("the database answers");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(&mut db)
        .await
        .expect("the statement is right");
    db
}

/// What the server says of the sessions that hold locks in a database.
pub async fn count_sessions(database: &stack::ServiceDatabase, condition: &str) -> i64 {
    let admin = stack::for_tests().await.admin_url();
    let mut db = PgConnection::connect(admin)
        .await
        .expect("the database answers");
    let count = format!(
        "select count(*) from pg_stat_activity
         where datname = $1 and application_name in ('greenlane-writer', 'greenlane-relay') and {condition}"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(count))
        .bind(&database.name)
        .fetch_one(&mut db)
        .await
        .expect("the server says what its sessions do")
}

/// Waits until so many sessions of a service wait for a lock that another holds.
pub async fn writers_wait(database: &stack::ServiceDatabase, sessions: i64) {
    eventually("writers wait", Duration::from_secs(60), || async {
        count_sessions(database, "wait_event_type = 'Lock'").await == sessions
    })
    .await;
}

/// Waits until a condition holds, at most so long.
pub async fn eventually<F: Future<Output = bool>>(
    what: &str,
    within: Duration,
    mut holds: impl FnMut() -> F,
) {
    let deadline = Instant::now() + within;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The sum that a database holds for a counter.
pub async fn stored(url: &str, key: &str) -> Option<i64> {
    let mut db = PgConnection::connect(url)
        .await
        .expect("the database answers");
    sqlx::query_scalar("select total from counter where key = $1")
        .bind(key)
        .fetch_optional(&mut db)
        .await
        .expect("the table is there")
}
