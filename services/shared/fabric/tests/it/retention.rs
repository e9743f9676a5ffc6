//! Published rows are dropped a day at a time, and never before the broker has
//! acknowledged all of them.

use sqlx::{Connection, PgConnection};

use crate::counter::{add, counter, database, total};

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
