//! The ways that look right and are not, shown wrong on the real PostgreSQL, so
//! that nobody brings them back: why the relay reads a sequence that is taken
//! under the head's lock and nothing else.

use sqlx::{Connection, PgConnection, Row};

use crate::counter::database;

async fn sessions() -> (PgConnection, PgConnection, PgConnection) {
    let url = database().await.owner_url;
    let mut one = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "create table naive (id bigserial primary key, xid xid8 not null default pg_current_xact_id(), fact text);
         create table naive_head (only_one int primary key, seq bigint not null);
         insert into naive_head values (1, 0)",
    )
    .execute(&mut one)
    .await
    .unwrap();
    (
        one,
        PgConnection::connect(&url).await.unwrap(),
        PgConnection::connect(&url).await.unwrap(),
    )
}

async fn facts(db: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query(sql)
        .fetch_all(db)
        .await
        .unwrap()
        .iter()
        .map(|row| row.get("fact"))
        .collect()
}

async fn run(db: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(db).await.unwrap();
}

#[tokio::test]
async fn a_cursor_over_a_serial_column_misses_a_late_commit() {
    let (mut slow, mut fast, mut relay) = sessions().await;
    run(&mut slow, "begin; insert into naive (fact) values ('slow')").await;
    run(&mut fast, "insert into naive (fact) values ('fast')").await;
    assert_eq!(
        facts(
            &mut relay,
            "select fact from naive where id > 0 order by id"
        )
        .await,
        ["fast"]
    );
    // The relay's cursor now stands at 2, the id of "fast".
    run(&mut slow, "commit").await;
    let missed = facts(
        &mut relay,
        "select fact from naive where id > 2 order by id",
    )
    .await;
    assert!(
        missed.is_empty(),
        "\"slow\" has id 1 and is never sent: {missed:?}"
    );
}

#[tokio::test]
async fn relays_that_skip_locked_rows_send_out_of_order() {
    let (mut one, mut other, _) = sessions().await;
    run(
        &mut one,
        "insert into naive (fact) values ('first'), ('second')",
    )
    .await;
    run(&mut one, "begin").await;
    let held = facts(
        &mut one,
        "select fact from naive order by id limit 1 for update skip locked",
    )
    .await;
    let sent = facts(
        &mut other,
        "select fact from naive order by id limit 1 for update skip locked",
    )
    .await;
    assert_eq!(
        (held, sent),
        (vec!["first".to_owned()], vec!["second".to_owned()])
    );
    run(&mut one, "rollback").await;
}

#[tokio::test]
async fn order_by_transaction_id_breaks_with_late_locks() {
    let (mut early, mut late, mut relay) = sessions().await;
    // The early transaction takes its id first, and waits for the row the late one writes.
    run(&mut early, "begin; select pg_current_xact_id()").await;
    run(&mut late, "begin; update naive_head set seq = seq + 1; insert into naive (fact) values ('cause'); commit").await;
    run(
        &mut early,
        "update naive_head set seq = seq + 1; insert into naive (fact) values ('effect'); commit",
    )
    .await;
    let by_transaction = facts(&mut relay, "select fact from naive order by xid").await;
    assert_eq!(by_transaction, ["effect", "cause"]);
}

#[tokio::test]
async fn a_number_taken_under_the_heads_lock_is_in_commit_order_and_a_rollback_leaves_no_gap() {
    let (mut one, mut other, mut relay) = sessions().await;
    run(&mut one, "begin; update naive_head set seq = seq + 1").await;
    let blocked = tokio::spawn(async move {
        run(&mut other, "begin; update naive_head set seq = seq + 1; insert into naive (id, fact) select seq, 'second' from naive_head; commit").await;
    });
    run(
        &mut one,
        "insert into naive (id, fact) select seq, 'rolled back' from naive_head; rollback",
    )
    .await;
    blocked.await.unwrap();
    run(&mut one, "begin; update naive_head set seq = seq + 1; insert into naive (id, fact) select seq, 'third' from naive_head; commit").await;
    let rows = sqlx::query("select id, fact from naive order by id")
        .fetch_all(&mut relay)
        .await
        .unwrap();
    let rows: Vec<(i64, String)> = rows
        .iter()
        .map(|row| (row.get("id"), row.get("fact")))
        .collect();
    assert_eq!(rows, [(1, "second".to_owned()), (2, "third".to_owned())]);
}
