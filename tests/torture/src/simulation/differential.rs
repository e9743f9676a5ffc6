//! Holds [`Rows`] to the real PostgreSQL: the same statements in the same random order on both, and after each of them
//! the same sessions wait, and what is said to the others is the same.

use std::collections::BTreeMap;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};
use tokio::task::JoinHandle;

use super::rows::{Mode, Refused, Rows, SessionId};
use crate::play::chance::Chance;

const SCRIPTS: u64 = 20;
const STATEMENTS_OF_EACH: usize = 40;
const SESSIONS: usize = 3;
const KEYS: usize = 3;
/// How long the server lets a session wait before it looks whether all wait for each other.
const DEADLOCK_TIMEOUT_MILLIS: u64 = 15;
/// By then a statement is answered, or waits.
const SOON: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
enum Statement {
    Begin,
    Commit,
    Rollback,
    Lock(i64, Mode),
    TryLock(i64),
    Read,
    LockRow(i32),
    /// Where it has that value, if one is named.
    Update(i32, Option<i64>, i64),
    Insert(i32, i64),
    Put(i32, i64),
    Delete(i32),
}

impl Statement {
    fn drawn(chance: &Chance) -> Self {
        let key = i32::try_from(chance.below(KEYS)).unwrap();
        let value = i64::try_from(chance.below(3)).unwrap();
        let lock = i64::try_from(chance.below(2)).unwrap();
        match chance.below(20) {
            0..4 => Self::Begin,
            4..6 => Self::Commit,
            6 => Self::Rollback,
            7 => Self::Lock(lock, Mode::Exclusive),
            8 => Self::Lock(lock, Mode::Shared),
            9 => Self::TryLock(lock),
            10 | 11 => Self::Read,
            12 => Self::LockRow(key),
            13 | 14 => Self::Update(key, None, value),
            15 => Self::Update(key, Some(value), value + 1),
            16 | 17 => Self::Insert(key, value),
            18 => Self::Put(key, value),
            _ => Self::Delete(key),
        }
    }

    /// The row that it may wait for.
    fn row(self) -> Option<i32> {
        match self {
            Self::LockRow(key)
            | Self::Update(key, ..)
            | Self::Insert(key, _)
            | Self::Put(key, _)
            | Self::Delete(key) => Some(key),
            _ => None,
        }
    }
}

/// What is said to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Done,
    Touched(bool),
    Rows(BTreeMap<i32, i64>),
    Refused(String),
}

/// A session of the simulated database.
struct Simulated {
    id: SessionId,
    waits: Option<Statement>,
}

/// A session of the real one.
struct Real {
    pid: i32,
    idle: Option<PgConnection>,
    working: Option<JoinHandle<(PgConnection, Said)>>,
}

#[tokio::test]
async fn the_simulated_database_waits_refuses_and_shows_as_postgresql_does() {
    let database = stack::for_tests()
        .await
        .database("differential", async |owner_url: &str| {
            let mut db = PgConnection::connect(owner_url).await?;
            let table = "create table row (key int primary key, value bigint not null)";
            sqlx::raw_sql(table).execute(&mut db).await?;
            Ok(())
        })
        .await;
    let options: PgConnectOptions = stack::for_tests().await.admin_url().parse().unwrap();
    let options = options.database(&database.name);
    let mut admin = options.connect().await.unwrap();
    let mut waited = 0;
    for script in 0..SCRIPTS {
        waited += play(script, &options, &mut admin).await;
    }
    assert!(waited > SCRIPTS, "only {waited} statements waited");
}

/// Plays one script on both; gives how many statements had to wait.
async fn play(script: u64, options: &PgConnectOptions, admin: &mut PgConnection) -> u64 {
    let chance = Chance::of(script, "differential");
    sqlx::raw_sql("truncate row; insert into row values (0, 0), (1, 1)")
        .execute(&mut *admin)
        .await
        .unwrap();
    let mut rows = Rows::default();
    rows.seed(0, 0);
    rows.seed(1, 1);
    let mut simulated: Vec<Simulated> = Vec::new();
    let mut real: Vec<Real> = Vec::new();
    for _ in 0..SESSIONS {
        simulated.push(Simulated {
            id: rows.open(),
            waits: None,
        });
        real.push(Real::open(options).await);
    }
    let mut said = Vec::new();
    let mut waited = 0;
    for _ in 0..STATEMENTS_OF_EACH {
        let at = chance.below(SESSIONS);
        if chance.below(15) == 0 {
            said.push(format!("{at} is cut"));
            rows.end(simulated[at].id);
            simulated[at] = Simulated {
                id: rows.open(),
                waits: None,
            };
            real[at].cut(admin).await;
            real[at] = Real::open(options).await;
        } else {
            let statement = Statement::drawn(&chance);
            let same_row = |one: &Simulated| {
                let row = one.waits.and_then(Statement::row);
                row.is_some() && row == statement.row()
            };
            // Of two who wait for one row the real one may let either go on.
            if simulated[at].waits.is_some() || simulated.iter().any(same_row) {
                continue;
            }
            said.push(format!("{at} {statement:?}"));
            simulated[at].waits = Some(statement);
            real[at].start(statement);
        }
        let theirs = answers(&mut real, admin).await;
        let ours = go_on(&mut rows, &mut simulated);
        assert_eq!(ours, theirs, "script {script}: {said:#?}");
        if simulated[at].waits.is_some() {
            waited += 1;
            // Whoever waits has looked by now whether all wait for each other, so that it is the last one who finds it.
            tokio::time::sleep(Duration::from_millis(2 * DEADLOCK_TIMEOUT_MILLIS)).await;
        }
    }
    // Whoever waits goes on once the others are gone.
    for at in 0..SESSIONS {
        real[at].cut(admin).await;
        rows.end(simulated[at].id);
        simulated[at].waits = None;
        let theirs = answers(&mut real, admin).await;
        let ours = go_on(&mut rows, &mut simulated);
        assert_eq!(ours, theirs, "script {script}: {said:#?}");
    }
    assert_eq!(
        rows.committed(),
        &all(admin).await,
        "script {script}: {said:#?}"
    );
    waited
}

/// What each session that does not wait any more is told.
fn go_on(rows: &mut Rows<i32, i64>, sessions: &mut [Simulated]) -> BTreeMap<usize, Said> {
    let mut said = BTreeMap::new();
    loop {
        let mut moved = false;
        for (at, session) in sessions.iter_mut().enumerate() {
            let Some(statement) = session.waits else {
                continue;
            };
            if let Poll::Ready(answer) = carry_out(rows, session.id, statement) {
                session.waits = None;
                said.insert(at, answer);
                moved = true;
            }
        }
        if !moved {
            return said;
        }
    }
}

fn carry_out(rows: &mut Rows<i32, i64>, id: SessionId, statement: Statement) -> Poll<Said> {
    let waker = Waker::noop();
    match statement {
        Statement::Begin => {
            let begun = rows.begin(id);
            return Poll::Ready(begun.map_or_else(told, |()| Said::Done));
        }
        Statement::Commit => {
            rows.commit(id);
        }
        Statement::Rollback => rows.roll_back(id),
        other => return carry_out_in_transaction(rows, id, other, waker),
    }
    Poll::Ready(Said::Done)
}

fn carry_out_in_transaction(
    rows: &mut Rows<i32, i64>,
    id: SessionId,
    statement: Statement,
    waker: &Waker,
) -> Poll<Said> {
    let polled = match rows.statement(id) {
        Err(refused) => Poll::Ready(Err(refused)),
        Ok(()) => match statement {
            Statement::Lock(key, mode) => rows.lock(id, key, mode, waker).map_ok(|()| Said::Done),
            Statement::TryLock(key) => Poll::Ready(Ok(Said::Touched(rows.try_lock(id, key)))),
            Statement::Read => Poll::Ready(Ok(Said::Rows(rows.scan(id, ..)))),
            Statement::LockRow(key) => {
                let locked = rows.lock_row(id, &key, |_| true, waker);
                locked.map_ok(Said::Touched)
            }
            Statement::Update(key, from, to) => {
                let fits = |value: &i64| from.is_none_or(|from| from == *value);
                let updated = rows.update(id, &key, fits, |value| *value = to, waker);
                updated.map_ok(Said::Touched)
            }
            Statement::Insert(key, value) => rows
                .insert(id, &key, value, waker)
                .map_ok(|()| Said::Touched(true)),
            Statement::Put(key, value) => rows
                .put(id, &key, value, waker)
                .map_ok(|()| Said::Touched(true)),
            Statement::Delete(key) => rows.delete(id, &key, waker).map_ok(Said::Touched),
            Statement::Begin | Statement::Commit | Statement::Rollback => {
                Poll::Ready(Ok(Said::Done))
            }
        },
    };
    match polled {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Ok(said)) => {
            if !rows.in_transaction(id) {
                rows.commit(id);
            }
            Poll::Ready(said)
        }
        Poll::Ready(Err(refused)) => {
            rows.abort(id);
            Poll::Ready(told(refused))
        }
    }
}

fn told(refused: Refused) -> Said {
    let code = match refused {
        Refused::Deadlock => "40P01",
        Refused::Duplicate => "23505",
        Refused::Aborted => "25P02",
    };
    Said::Refused(code.to_owned())
}

impl Real {
    async fn open(options: &PgConnectOptions) -> Self {
        let mut db = options.connect().await.unwrap();
        let settings = format!("set deadlock_timeout = {DEADLOCK_TIMEOUT_MILLIS}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(settings))
            .execute(&mut db)
            .await
            .unwrap();
        let pid = sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&mut db)
            .await
            .unwrap();
        Self {
            pid,
            idle: Some(db),
            working: None,
        }
    }

    fn start(&mut self, statement: Statement) {
        let mut db = self.idle.take().expect("it does nothing");
        self.working = Some(tokio::spawn(async move {
            let said = match run(&mut db, statement).await {
                Ok(said) => said,
                Err(sqlx::Error::Database(refused)) => {
                    Said::Refused(refused.code().unwrap_or_default().into_owned())
                }
                Err(error) => Said::Refused(error.to_string()),
            };
            (db, said)
        }));
    }

    /// Ends the session, and waits until that is done.
    async fn cut(&mut self, admin: &mut PgConnection) {
        sqlx::query("select pg_terminate_backend($1)")
            .bind(self.pid)
            .execute(&mut *admin)
            .await
            .unwrap();
        let deadline = Instant::now() + SOON;
        loop {
            let there: bool =
                sqlx::query_scalar("select exists (select from pg_stat_activity where pid = $1)")
                    .bind(self.pid)
                    .fetch_one(&mut *admin)
                    .await
                    .unwrap();
            if !there {
                break;
            }
            assert!(Instant::now() < deadline, "a session does not end");
        }
        self.working = None;
        self.idle = None;
    }
}

/// What each real session is told that works and does not wait.
async fn answers(sessions: &mut [Real], admin: &mut PgConnection) -> BTreeMap<usize, Said> {
    let mut said = BTreeMap::new();
    let deadline = Instant::now() + SOON;
    loop {
        let mut under_way = 0;
        for (at, session) in sessions.iter_mut().enumerate() {
            let Some(working) = &mut session.working else {
                continue;
            };
            if working.is_finished() {
                let (db, answer) = working.await.expect("it does not panic");
                session.working = None;
                session.idle = Some(db);
                said.insert(at, answer);
                // What it held others may have waited for.
                under_way += 1;
                continue;
            }
            let blocked: bool = sqlx::query_scalar("select cardinality(pg_blocking_pids($1)) > 0")
                .bind(session.pid)
                .fetch_one(&mut *admin)
                .await
                .unwrap();
            under_way += usize::from(!blocked);
        }
        if under_way == 0 {
            return said;
        }
        assert!(Instant::now() < deadline, "neither answered nor waiting");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn run(db: &mut PgConnection, statement: Statement) -> Result<Said, sqlx::Error> {
    let touching = match statement {
        Statement::Begin => return simple(db, "begin").await,
        Statement::Commit => return simple(db, "commit").await,
        Statement::Rollback => return simple(db, "rollback").await,
        Statement::Lock(key, mode) => {
            let lock = match mode {
                Mode::Exclusive => "select pg_advisory_xact_lock($1)",
                Mode::Shared => "select pg_advisory_xact_lock_shared($1)",
            };
            sqlx::query(lock).bind(key).execute(db).await?;
            return Ok(Said::Done);
        }
        Statement::TryLock(key) => {
            let free = sqlx::query_scalar("select pg_try_advisory_lock($1)");
            return Ok(Said::Touched(free.bind(key).fetch_one(db).await?));
        }
        Statement::Read => return Ok(Said::Rows(read(db).await?)),
        Statement::LockRow(key) => {
            let row = sqlx::query("select value from row where key = $1 for no key update");
            let row = row.bind(key).fetch_optional(db).await?;
            return Ok(Said::Touched(row.is_some()));
        }
        Statement::Update(key, from, to) => sqlx::query(
            "update row set value = $3 where key = $1 and ($2::bigint is null or value = $2)",
        )
        .bind(key)
        .bind(from)
        .bind(to),
        Statement::Insert(key, value) => {
            sqlx::query("insert into row values ($1, $2)").bind(key).bind(value)
        }
        Statement::Put(key, value) => sqlx::query(
            "insert into row values ($1, $2) on conflict (key) do update set value = excluded.value",
        )
        .bind(key)
        .bind(value),
        Statement::Delete(key) => sqlx::query("delete from row where key = $1").bind(key),
    };
    let touched = touching.execute(db).await?.rows_affected();
    Ok(Said::Touched(touched > 0))
}

async fn simple(db: &mut PgConnection, statement: &'static str) -> Result<Said, sqlx::Error> {
    sqlx::raw_sql(statement).execute(db).await?;
    Ok(Said::Done)
}

async fn read(db: &mut PgConnection) -> Result<BTreeMap<i32, i64>, sqlx::Error> {
    let rows = sqlx::query("select key, value from row")
        .fetch_all(db)
        .await?;
    Ok(rows
        .iter()
        .map(|row| (row.get("key"), row.get("value")))
        .collect())
}

async fn all(admin: &mut PgConnection) -> BTreeMap<i32, i64> {
    read(admin).await.unwrap()
}
