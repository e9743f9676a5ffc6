//! How the loop's statements find their rows is kept from batch to batch, and found anew as tables grow.

use std::time::Duration;

use sqlx::PgPool;

use crate::counter::{add, as_owner, counter, database, eventually, total};

/// Longer than a session of the server keeps to itself what it counted.
const COUNTED: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn a_plan_made_for_a_small_table_is_not_kept_when_the_table_is_large() {
    let database = database().await;
    // Nobody but the loop is to notice that the table has grown.
    let small = "alter table counter set (autovacuum_enabled = off); insert into counter values ('one', 1); analyze counter";
    as_owner(&database, small).await;
    let fabric = counter(&database.service_url).await;
    let pool = PgPool::connect(&database.service_url).await.unwrap();
    let (fabric, pool) = (&fabric, &pool);
    // How often the table was read from end to end, with one batch more.
    let scans = || async move {
        total(&fabric.handle().submit("x", add("k", 1)).await);
        tokio::time::sleep(COUNTED).await;
        let counted = "select seq_scan from pg_stat_user_tables where relname = 'counter'";
        let scans: i64 = sqlx::query_scalar(counted).fetch_one(pool).await.unwrap();
        scans
    };
    let within = Duration::from_secs(30);
    eventually("a small table is read from end to end", within, || async {
        scans().await > 0
    })
    .await;
    let large = "insert into counter select 'other' || n, 1 from generate_series(1, 50000) n";
    as_owner(&database, large).await;
    eventually("a large one is not", within, || async {
        scans().await == scans().await
    })
    .await;
}
