//! What of a batch is seen when: state, events, answers and positions at once or not at all, and nobody is
//! told before. Each test holds a batch where it could come apart, and looks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fabric::{Command, Fabric, FabricConfig, Origin, partition_of};
use futures::future::join_all;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::counter::{
    Counter, Input, Mirror, TOPIC, add, add_as, as_owner, config, count_sessions, counter,
    database, eventually, holding, stored, total, writers_wait,
};

const SOON: Duration = Duration::from_secs(60);

/// Has a function called by every commit that changes a counter, as the last thing it does.
async fn at_commit(database: &stack::ServiceDatabase, body: &str) {
    let statement = format!(
        "create function at_commit() returns trigger language plpgsql security definer as
         $$ begin {body}; return null; end $$;
         create constraint trigger at_commit after insert or update on counter
             deferrable initially deferred for each row execute function at_commit()"
    );
    as_owner(database, &statement).await;
}

fn submit(
    fabric: &Fabric<Counter>,
    command: Command<Input>,
) -> tokio::task::JoinHandle<fabric::Reply> {
    let handle = fabric.handle();
    tokio::spawn(async move { handle.submit("lane", command).await })
}

#[tokio::test]
async fn a_caller_is_not_answered_before_the_commit() {
    let database = database().await;
    at_commit(&database, "perform pg_advisory_xact_lock(7)").await;
    let held = holding(&database, "select pg_advisory_lock(7)").await;
    let fabric = counter(&database.service_url).await;
    let handle = fabric.handle();
    let mut answer = std::pin::pin!(handle.submit("lane", add("a", 1)));
    let commits = eventually("it commits", SOON, || async {
        count_sessions(
            &database,
            "wait_event_type = 'Lock' and query ilike 'commit'",
        )
        .await
            == 1
    });
    tokio::select! {
        biased;
        _ = &mut answer => panic!("answered before the commit"),
        () = commits => {}
    }
    held.close().await.unwrap();
    assert_eq!(total(&answer.await), 1);
    assert_eq!(stored(&database.service_url, "a").await, Some(1));
    fabric.stop().await;
}

#[tokio::test]
async fn a_change_is_not_seen_before_its_event() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let held = holding(&database, "begin; select from fabric.head for update").await;
    let answer = submit(&fabric, add("a", 1));
    writers_wait(&database, 1).await;
    assert_eq!(stored(&database.service_url, "a").await, None);
    held.close().await.unwrap();
    assert_eq!(total(&answer.await.unwrap()), 1);
    assert_eq!(stored(&database.service_url, "a").await, Some(1));
    fabric.stop().await;
}

#[tokio::test]
async fn a_batch_whose_commit_fails_is_decided_again_as_a_whole() {
    let database = database().await;
    as_owner(&database, "create sequence commits").await;
    // The first that adds more than once.
    at_commit(
        &database,
        "if new.total > coalesce(old.total, 0) + 1 and nextval('commits') = 1 then
             raise exception 'once' using errcode = '40001';
         end if",
    )
    .await;
    let fabric = counter(&database.service_url).await;
    let handle = fabric.handle();
    let replies = join_all((0..100).map(|_| handle.submit("lane", add("a", 1)))).await;
    let sums: BTreeSet<i64> = replies.iter().map(total).collect();
    assert_eq!(sums, (1..=100).collect());
    assert!(replies.iter().all(|reply| !reply.repeated));
    assert_eq!(stored(&database.service_url, "a").await, Some(100));
    assert_eq!(fabric.outbox().await.unwrap().len(), 100);
    let mut db = PgConnection::connect(&database.owner_url).await.unwrap();
    let failed: bool = sqlx::query_scalar("select is_called from commits")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert!(failed, "no commit failed");
    fabric.stop().await;
}

#[tokio::test]
async fn every_commit_waits_until_it_is_durable() {
    let database = database().await;
    as_owner(&database, "create table commits (durable text)").await;
    at_commit(
        &database,
        "insert into commits values (current_setting('synchronous_commit'))",
    )
    .await;
    let fabric = counter(&database.service_url).await;
    total(&fabric.handle().submit("lane", add("a", 1)).await);
    let mut db = PgConnection::connect(&database.owner_url).await.unwrap();
    let durable: Vec<String> = sqlx::query_scalar("select durable from commits")
        .fetch_all(&mut db)
        .await
        .unwrap();
    assert_eq!(durable, ["on"]);
    fabric.stop().await;
}

/// A key whose events go to this partition.
fn key_of(partition: u32, nth: usize) -> String {
    let keys = (0..1_000).map(|n| format!("k{n}"));
    let mut of_partition = keys.filter(|key| partition_of(key) == partition);
    of_partition.nth(nth).unwrap()
}

#[tokio::test]
async fn batches_lock_heads_in_one_order_whatever_the_order_of_their_facts() {
    let database = database().await;
    let one = counter(&database.service_url).await;
    let other = counter(&database.service_url).await;
    let first = "begin; select from fabric.head where partition = 0 for update";
    let held = holding(&database, first).await;
    let upwards = format!("{}&{}", key_of(0, 0), key_of(1, 0));
    let upwards = submit(&one, add(&upwards, 1));
    writers_wait(&database, 1).await;
    let downwards = format!("{}&{}", key_of(1, 1), key_of(0, 1));
    let downwards = submit(&other, add(&downwards, 1));
    writers_wait(&database, 2).await;
    held.close().await.unwrap();
    assert_eq!(total(&upwards.await.unwrap()), 1);
    assert_eq!(total(&downwards.await.unwrap()), 1);
    one.stop().await;
    other.stop().await;
    // What a session counted is known when it has ended.
    eventually("the sessions end", SOON, || async {
        count_sessions(&database, "true").await == 0
    })
    .await;
    let mut db = PgConnection::connect(&database.owner_url).await.unwrap();
    let deadlocks: i64 = sqlx::query_scalar(
        "select deadlocks from pg_stat_database where datname = current_database()",
    )
    .fetch_one(&mut db)
    .await
    .unwrap();
    assert_eq!(deadlocks, 0);
}

fn add_by(party: &str, request_id: Uuid) -> Command<Input> {
    Command {
        party: party.to_owned(),
        origin: Origin::default(),
        ..add_as(request_id, "a", 1)
    }
}

#[tokio::test]
async fn two_parties_that_use_the_same_request_id_have_an_answer_each() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let id = Uuid::new_v4();
    for (party, sum) in [("one", 1), ("other", 2)] {
        let reply = fabric.handle().submit("lane", add_by(party, id)).await;
        assert_eq!((total(&reply), reply.repeated), (sum, false));
    }
    for (party, sum) in [("one", 1), ("other", 2)] {
        let reply = fabric.handle().submit("lane", add_by(party, id)).await;
        assert_eq!((total(&reply), reply.repeated), (sum, true));
    }
    fabric.stop().await;
}

#[tokio::test]
async fn a_request_id_that_comes_again_before_it_is_answered_waits_for_its_answer() {
    let database = database().await;
    let one = counter(&database.service_url).await;
    let other = counter(&database.service_url).await;
    let id = Uuid::new_v4();
    let held = holding(&database, "begin; select from fabric.head for update").await;
    let decided = submit(&one, add_as(id, &key_of(0, 0), 1));
    writers_wait(&database, 1).await;
    let again = submit(&other, add_as(id, &key_of(1, 0), 1));
    writers_wait(&database, 2).await;
    held.close().await.unwrap();
    assert_eq!(total(&decided.await.unwrap()), 1);
    let refused = again.await.unwrap().outcome.unwrap_err();
    assert_eq!(refused.reason, "REQUEST_ID_REUSED");
    one.stop().await;
    other.stop().await;
}

/// A counter and its mirror, which has applied the first sum and will get no watermark for a minute: whatever
/// its writer does next, it does for a record.
async fn quiet_pair(
    prefix: &str,
    target: &stack::ServiceDatabase,
) -> (Fabric<Counter>, Fabric<Mirror>) {
    let rarely = FabricConfig {
        watermark_millis: 60_000,
        watermark_idle_millis: 600_000,
        ..config(stack::for_tests().await.kafka().await, prefix)
    };
    let source = database().await;
    let counter = Fabric::start(Arc::new(Counter), rarely.clone(), &source.service_url)
        .await
        .unwrap();
    let mirror = Arc::new(Mirror::default());
    let mirror = Fabric::start(mirror, rarely, &target.service_url)
        .await
        .unwrap();
    total(&counter.handle().submit("x", add("k", 1)).await);
    let admin = mirror.admin();
    eventually("the first sum and the watermark came", SOON, || async {
        let knowledge = admin.knowledge().await.unwrap();
        knowledge.oldest(TOPIC).is_some() && stored(&target.service_url, "k").await == Some(1)
    })
    .await;
    (counter, mirror)
}

async fn applied(mirror: &Fabric<Mirror>) -> u64 {
    let status = mirror.admin().status().await.unwrap();
    let mut consumed = status.consumed.iter();
    let of_key = consumed.find(|at| at.partition == partition_of("k"));
    of_key.unwrap().applied_sequence
}

#[tokio::test]
async fn the_effect_of_a_record_is_not_seen_before_its_position() {
    let target = database().await;
    let (counter, mirror) = quiet_pair("commit-a.", &target).await;
    let held = holding(&target, "begin; select from fabric.position for update").await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    writers_wait(&target, 1).await;
    assert_eq!(stored(&target.service_url, "k").await, Some(1));
    held.close().await.unwrap();
    eventually("the second sum is mirrored", SOON, || async {
        stored(&target.service_url, "k").await == Some(2) && applied(&mirror).await == 2
    })
    .await;
    mirror.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn the_position_of_a_record_is_not_seen_before_its_effect() {
    let target = database().await;
    let (counter, mirror) = quiet_pair("commit-b.", &target).await;
    let held = holding(&target, "begin; lock table counter in exclusive mode").await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    writers_wait(&target, 1).await;
    assert_eq!(applied(&mirror).await, 1);
    held.close().await.unwrap();
    eventually("the second sum is mirrored", SOON, || async {
        stored(&target.service_url, "k").await == Some(2) && applied(&mirror).await == 2
    })
    .await;
    mirror.stop().await;
    counter.stop().await;
}
