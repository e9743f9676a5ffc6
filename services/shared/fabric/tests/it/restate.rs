//! Stating facts again: for a reader that is newer than the rows that are kept, and after a restore from a
//! backup, in a new epoch that wins over what was lost.

use std::sync::Arc;
use std::time::Duration;

use fabric::{Fabric, partition_of};
use sqlx::{Connection, PgConnection};

use crate::counter::{Counter, Mirror, add, config, counter, database, eventually, stored, total};

const SOON: Duration = Duration::from_secs(60);

async fn start_counter(url: &str, prefix: &str) -> Fabric<Counter> {
    let brokers = stack::for_tests().await.kafka().await;
    Fabric::start(Arc::new(Counter), config(brokers, prefix), url)
        .await
        .unwrap()
}

async fn start_mirror(mirror: Mirror, url: &str, prefix: &str) -> Fabric<Mirror> {
    let brokers = stack::for_tests().await.kafka().await;
    Fabric::start(Arc::new(mirror), config(brokers, prefix), url)
        .await
        .unwrap()
}

async fn mirrored(url: &str, key: &str, sum: i64) {
    eventually("it is mirrored", SOON, || async {
        stored(url, key).await == Some(sum)
    })
    .await;
}

#[tokio::test]
async fn the_last_word_on_every_key_is_kept_when_its_day_is_dropped_and_stated_again() {
    let (source, target) = (database().await, database().await);
    let first = counter(&source.service_url).await;
    for amount in [1, 2, 3] {
        total(&first.handle().submit("x", add("old", amount)).await);
    }
    total(&first.handle().submit("x", add("older", 7)).await);
    first.stop().await;
    let mut owner = PgConnection::connect(&source.owner_url).await.unwrap();
    // As if the broker had had them all, and lost its log since.
    sqlx::raw_sql(
        "update fabric.outbox set recorded_at = '2020-01-01 12:00Z';
         update fabric.cursor c set acked_seq = h.seq from fabric.head h
         where h.topic = c.topic and h.partition = c.partition;
         select fabric.maintain_outbox(7)",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let rows: i64 = sqlx::query_scalar("select count(*) from fabric.outbox")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(rows, 0);

    let counter = start_counter(&source.service_url, "s.").await;
    total(&counter.handle().submit("x", add("new", 1)).await);
    assert_eq!(
        counter
            .admin()
            .restate(Some("test.other"))
            .await
            .unwrap_err()
            .reason,
        "NOT_FOUND"
    );
    let stated = counter.admin().restate(Some("test.counter")).await.unwrap();
    assert_eq!(stated["test.counter"], 3);
    let outbox = counter.outbox().await.unwrap();
    let mut again: Vec<(String, i64)> = outbox
        .iter()
        .filter(|row| row.event_type.ends_with(".restated"))
        .map(|row| {
            (
                row.key.clone(),
                i64::from_be_bytes(row.payload.as_ref().try_into().unwrap()),
            )
        })
        .collect();
    again.sort();
    assert_eq!(
        again,
        [("new".into(), 1), ("old".into(), 6), ("older".into(), 7)]
    );
    // Stated once more it is the same, and the chain holds through all of it.
    assert_eq!(
        counter.admin().restate(None).await.unwrap()["test.counter"],
        3
    );
    assert_eq!(
        counter.admin().verify().await.unwrap().breaks,
        Vec::<String>::new()
    );
    counter.stop().await;
    drop(target);
}

#[tokio::test]
async fn after_a_restore_a_new_epoch_wins_over_what_was_lost() {
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, "t.").await;
    let mirror = Mirror::default();
    let restated = Arc::clone(&mirror.restated);
    let mirror = start_mirror(mirror, &target.service_url, "t.").await;
    for _ in 0..5 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    mirrored(&target.service_url, "k", 5).await;
    counter.stop().await;

    // Restored from a backup of before the third addition.
    let restored = database().await;
    let early = crate::counter::counter(&restored.service_url).await;
    for _ in 0..2 {
        total(&early.handle().submit("x", add("k", 1)).await);
    }
    early.stop().await;
    let older = start_counter(&restored.service_url, "t.").await;
    let health = older.health();
    eventually("the relay raises the alarm", SOON, || async {
        health.faults().contains_key("history")
    })
    .await;
    let admin = older.admin();
    let lost: Vec<String> = (3..=5)
        .map(|sequence| fabric::event_id("test.counter", partition_of("k"), 1, sequence))
        .collect();
    let report = admin.verify().await.unwrap();
    let named: Vec<&String> = report.unknown.iter().map(|fact| &fact.event_id).collect();
    assert_eq!(named, lost.iter().collect::<Vec<_>>());
    assert!(
        report
            .unknown
            .iter()
            .all(|fact| fact.key == "k" && !fact.given_up)
    );
    assert_eq!(
        admin.open_epoch("admin", " ").await.unwrap_err().reason,
        "REASON_MISSING"
    );
    assert_eq!(admin.open_epoch("admin", "restored").await.unwrap(), 2);
    eventually("the alarm is over", SOON, || async {
        health.faults().is_empty()
    })
    .await;
    admin.restate(None).await.unwrap();
    mirrored(&target.service_url, "k", 2).await;
    assert_eq!(*restated.lock().unwrap(), 1);
    total(&older.handle().submit("x", add("k", 1)).await);
    mirrored(&target.service_url, "k", 3).await;
    let status = mirror.admin().status().await.unwrap();
    let position = status
        .consumed
        .iter()
        .find(|consumed| consumed.partition == partition_of("k"))
        .unwrap();
    // The epoch's record, the word stated again, the addition.
    assert_eq!((position.epoch, position.applied_sequence), (2, 3));
    eventually("its knowledge is young again", SOON, || async {
        let knowledge = mirror.admin().knowledge().await.unwrap();
        knowledge.age("test.counter", "k").is_some()
    })
    .await;
    eventually("the topic has all", SOON, || async {
        let report = admin.verify().await.unwrap();
        // The five of the first epoch, and those three.
        report.records == 8 + 7
    })
    .await;
    let report = admin.verify().await.unwrap();
    assert_eq!((report.breaks, report.missing), (Vec::new(), Vec::new()));
    assert_eq!((report.unknown_facts, report.topics_unread), (3, None));
    assert!(report.unknown.iter().all(|fact| fact.given_up));
    mirror.stop().await;
    older.stop().await;
}

#[tokio::test]
async fn a_partition_that_stopped_at_a_fork_goes_on_in_a_new_epoch() {
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, "u.").await;
    let mirror = start_mirror(Mirror::default(), &target.service_url, "u.").await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    mirrored(&target.service_url, "k", 1).await;
    let mut owner = PgConnection::connect(&target.owner_url).await.unwrap();
    sqlx::raw_sql("update fabric.position set chain = sha256('another history') where seq > 0")
        .execute(&mut owner)
        .await
        .unwrap();
    total(&counter.handle().submit("x", add("k", 1)).await);
    eventually("the partition stops", SOON, || async {
        let status = mirror.admin().status().await.unwrap();
        status
            .consumed
            .iter()
            .any(|consumed| consumed.stopped_because.is_some())
    })
    .await;
    counter
        .admin()
        .open_epoch("admin", "the fork is understood")
        .await
        .unwrap();
    counter.admin().restate(None).await.unwrap();
    mirrored(&target.service_url, "k", 2).await;
    mirror.stop().await;
    counter.stop().await;
}
