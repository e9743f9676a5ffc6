//! Published rows are dropped a day at a time, and never before the broker has
//! acknowledged all of them; answers are dropped by their age.

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::counter::{add, add_as, counter, database, total};

#[tokio::test]
async fn an_old_day_is_dropped_once_all_of_it_is_acknowledged_and_not_before() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    total(&fabric.handle().submit("x", add("k", 1)).await);
    fabric.stop().await;
    let mut owner = PgConnection::connect(&database.owner_url).await.unwrap();
    sqlx::raw_sql(
        "create table fabric.outbox_20200101 partition of fabric.outbox for values from ('2020-01-01') to ('2020-01-02');
         update fabric.outbox set recorded_at = '2020-01-01 12:00Z'",
    )
    .execute(&mut owner)
    .await
    .unwrap();

    // The service's role owns nothing and still keeps the days in order.
    let mut service = PgConnection::connect(&database.service_url).await.unwrap();
    let mut dropped = async || -> i32 {
        sqlx::query_scalar("select fabric.maintain_outbox(7)")
            .fetch_one(&mut service)
            .await
            .unwrap()
    };
    assert_eq!(dropped().await, 0, "the row is not acknowledged yet");
    sqlx::query("update fabric.cursor set acked_seq = 1")
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(dropped().await, 1);
    let rows: i64 = sqlx::query_scalar("select count(*) from fabric.outbox")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn an_answer_is_dropped_once_it_is_older_than_its_retention_and_not_before() {
    let database = database().await;
    let (old, young) = (Uuid::new_v4(), Uuid::new_v4());
    let fabric = counter(&database.service_url).await;
    for id in [old, young] {
        total(&fabric.handle().submit("x", add_as(id, "k", 1)).await);
    }
    fabric.stop().await;
    let mut owner = PgConnection::connect(&database.owner_url).await.unwrap();
    for (id, days) in [(old, 31), (young, 29)] {
        sqlx::query("update fabric.answer set recorded_at = now() - make_interval(days => $2) where request_id = $1")
            .bind(id)
            .bind(days)
            .execute(&mut owner)
            .await
            .unwrap();
    }
    let fabric = counter(&database.service_url).await;
    let again = async |id| fabric.handle().submit("x", add_as(id, "k", 1)).await;
    let known = again(young).await;
    assert_eq!((total(&known), known.repeated), (2, true));
    // Nobody knows any more that it was asked.
    let new = again(old).await;
    assert_eq!((total(&new), new.repeated), (3, false));
    fabric.stop().await;
}

#[tokio::test]
async fn the_services_role_cannot_edit_the_schema_it_works_in() {
    let database = database().await;
    let mut service = PgConnection::connect(&database.service_url).await.unwrap();
    for forbidden in [
        "drop table fabric.head",
        "create table fabric.mine ()",
        "create table mine ()",
        "alter table fabric.answer add x int",
    ] {
        let refused = sqlx::query(forbidden)
            .execute(&mut service)
            .await
            .unwrap_err();
        let code = refused
            .as_database_error()
            .and_then(|error| error.code())
            .unwrap_or_default()
            .into_owned();
        assert_eq!(code, "42501", "{forbidden}: {refused}");
    }
}

#[tokio::test]
async fn every_start_makes_the_days_without_a_broker_and_moves_rows_that_came_before_them() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    for _ in 0..2 {
        total(&fabric.handle().submit("x", add("k", 1)).await);
    }
    fabric.stop().await;
    let mut owner = PgConnection::connect(&database.owner_url).await.unwrap();
    // A folder that nobody has opened for long: the first row's day was never made, and today's is not.
    sqlx::raw_sql("update fabric.outbox set recorded_at = '2020-01-01 12:00Z' where seq = 1")
        .execute(&mut owner)
        .await
        .unwrap();
    let today: String = sqlx::query_scalar("select 'outbox_' || to_char(current_date, 'YYYYMMDD')")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let unmake = format!(
        "create table kept as select * from fabric.{today}; drop table fabric.{today};
         insert into fabric.outbox select * from kept; drop table kept"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(unmake))
        .execute(&mut owner)
        .await
        .unwrap();
    let mut count = async |table: &str| -> i64 {
        let count = format!("select count(*) from fabric.{table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(count))
            .fetch_one(&mut owner)
            .await
            .unwrap()
    };
    assert_eq!(count("outbox_default").await, 2);

    let fabric = counter(&database.service_url).await;
    assert_eq!(count("outbox_default").await, 0);
    assert_eq!(count("outbox_20200101").await, 1, "not acknowledged yet");
    assert_eq!(count(&today).await, 1);
    assert_eq!(fabric.outbox().await.unwrap().len(), 2);
    fabric.stop().await;
    sqlx::query("update fabric.cursor set acked_seq = 1 where acked_seq = 0")
        .execute(&mut owner)
        .await
        .unwrap();
    let fabric = counter(&database.service_url).await;
    let left: Vec<u64> = fabric
        .outbox()
        .await
        .unwrap()
        .iter()
        .map(|row| row.seq)
        .collect();
    assert_eq!(left, [2], "the old day is dropped");
    fabric.stop().await;
}
