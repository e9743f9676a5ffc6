//! The clock of a database, so that it can be wrong: for tests, and for whoever disturbs a site. Services take the time
//! from their database alone, and what they ask there is answered by a function that stands before PostgreSQL's own. It
//! must not know who asks for the time.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::error::StackError;
use crate::postgres::connect_with;

/// `clock_timestamp()` is looked for in the schema `clock` first, by every session that begins from now on; those that
/// have begun are ended.
const CAN_STEP: &str = r#"
    create schema clock;
    create table clock.step (seconds bigint not null);
    insert into clock.step values (0);
    create function clock.clock_timestamp() returns timestamptz
        language sql volatile security definer set search_path = pg_catalog
        as 'select pg_catalog.clock_timestamp() + (select seconds from clock.step) * interval ''1 second''';
    do $$ begin
        execute format('alter database %I set search_path = clock, pg_catalog, "$user", public', current_database());
    end $$;
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"#;

/// Lets the clock of a database step, asked by the database's owner or a superuser. Whoever is connected must connect
/// again.
///
/// # Errors
/// The database refuses: it may be so already.
pub async fn let_clock_step(database: &PgConnectOptions) -> Result<(), StackError> {
    run(database, "letting a clock step", CAN_STEP.to_owned()).await
}

/// From now on the database's clock is so many seconds fast, or slow if negative.
///
/// # Errors
/// The database does not answer, or its clock cannot step.
pub async fn step_clock(database: &PgConnectOptions, seconds: i64) -> Result<(), StackError> {
    let sql = format!("update clock.step set seconds = {seconds}");
    run(database, "stepping a clock", sql).await
}

async fn run(database: &PgConnectOptions, doing: &str, sql: String) -> Result<(), StackError> {
    let ran = async {
        let mut session = connect_with(database).await?;
        session.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        session.close().await
    };
    ran.await.map_err(StackError::database(doing))
}
