//! From the commit that makes an event to the commit that applies it, over the
//! real Kafka: in order, without gaps, whatever stops in between.

use std::sync::Arc;
use std::time::Duration;

use fabric::{Fabric, partition_of};
use futures::future::join_all;
use sqlx::postgres::PgConnectOptions;

use crate::counter::{Counter, Mirror, add, config, database, eventually, stored, total};

const SOON: Duration = Duration::from_secs(60);

async fn start_counter(url: &str, prefix: &str) -> Fabric<Counter> {
    let brokers = stack::for_tests().await.kafka().await;
    Fabric::start(Arc::new(Counter), config(brokers, prefix), url)
        .await
        .unwrap()
}

async fn start_mirror(url: &str, prefix: &str) -> Fabric<Mirror> {
    let brokers = stack::for_tests().await.kafka().await;
    Fabric::start(Arc::new(Mirror::default()), config(brokers, prefix), url)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_committed_is_mirrored_and_its_age_is_known() {
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, "a.").await;
    let mirror = start_mirror(&target.service_url, "a.").await;
    let handle = counter.handle();
    for n in 0..100 {
        total(&handle.submit("x", add(&format!("k{}", n % 10), 1)).await);
    }
    eventually("every counter is mirrored", SOON, || async {
        stored(&target.service_url, "k9").await == Some(10)
            && stored(&target.service_url, "k0").await == Some(10)
    })
    .await;
    let admin = mirror.admin();
    eventually("knowledge is young", SOON, || async {
        let knowledge = admin.knowledge().await.unwrap();
        knowledge
            .oldest("test.counter")
            .is_some_and(|age| age < Duration::from_secs(2))
    })
    .await;
    counter.stop().await;
    eventually("knowledge ages when its producer is gone", SOON, || async {
        let knowledge = admin.knowledge().await.unwrap();
        knowledge
            .oldest("test.counter")
            .is_some_and(|age| age > Duration::from_secs(1))
    })
    .await;
    mirror.stop().await;
}

#[tokio::test]
async fn knowledge_is_known_again_as_soon_as_a_clock_that_was_fast_is_put_right() {
    let (source, target) = (database().await, database().await);
    let clocks: [PgConnectOptions; 2] =
        [&source, &target].map(|one| one.owner_url.parse().unwrap());
    for database in &clocks {
        stack::let_clock_step(database).await.unwrap();
    }
    let counter = start_counter(&source.service_url, "clock.").await;
    let mirror = start_mirror(&target.service_url, "clock.").await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    let admin = mirror.admin();
    for (seconds, what) in [
        (0, "knowledge is young"),
        (3_600, "it is young by a clock that is fast"),
        (0, "it is young by a clock that was fast"),
        (-3_600, "it is young by a clock that is slow"),
        (0, "it is young by a clock that was slow"),
    ] {
        for database in &clocks {
            stack::step_clock(database, seconds).await.unwrap();
        }
        eventually(what, SOON, || async {
            let knowledge = admin.knowledge().await.unwrap();
            knowledge
                .oldest("test.counter")
                .is_some_and(|age| age < Duration::from_secs(2))
        })
        .await;
    }
    mirror.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn of_two_instances_one_reads_a_partition_and_the_other_takes_over_when_it_ends() {
    let (source, target) = (database().await, database().await);
    let counters = [
        start_counter(&source.service_url, "b.").await,
        start_counter(&source.service_url, "b.").await,
    ];
    let first = start_mirror(&target.service_url, "b.").await;
    let second = start_mirror(&target.service_url, "b.").await;
    let handles = [counters[0].handle(), counters[1].handle()];
    join_all((0..200).map(|n| handles[n % 2].submit("x", add(&format!("k{}", n % 7), 1)))).await;
    eventually("all is mirrored", SOON, || async {
        stored(&target.service_url, "k6").await == Some(28)
    })
    .await;
    drop(first);
    join_all((0..70).map(|n| handles[n % 2].submit("x", add(&format!("k{}", n % 7), 1)))).await;
    eventually("the other instance went on", SOON, || async {
        stored(&target.service_url, "k6").await == Some(38)
    })
    .await;
    drop(second);
    let [a, b] = counters;
    drop(a);
    total(&b.handle().submit("x", add("k6", 2)).await);
    let third = start_mirror(&target.service_url, "b.").await;
    eventually("the other relay went on", SOON, || async {
        stored(&target.service_url, "k6").await == Some(40)
    })
    .await;
    third.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn a_consumer_that_lost_its_position_gets_everything_again_by_a_rewind() {
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, "c.").await;
    for n in 1..=20 {
        assert_eq!(total(&counter.handle().submit("x", add("k", 1)).await), n);
    }
    let admin = counter.admin();
    eventually("all is published", SOON, || async {
        admin
            .status()
            .await
            .unwrap()
            .produced
            .iter()
            .all(|p| p.acked_sequence == p.head_sequence)
    })
    .await;
    // The hint where to start lies behind every record: what is missing must be asked for.
    let mirror = start_mirror(&target.service_url, "c.").await;
    mirror.stop().await;
    let mut db = <sqlx::PgConnection as sqlx::Connection>::connect(&target.owner_url)
        .await
        .unwrap();
    sqlx::raw_sql("update fabric.position set epoch = 1, seq = 0, chain = '', kafka_offset = 20; delete from counter")
        .execute(&mut db)
        .await
        .unwrap();
    let mirror = start_mirror(&target.service_url, "c.").await;
    eventually("the rewind brought it", SOON, || async {
        stored(&target.service_url, "k").await == Some(20)
    })
    .await;
    mirror.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn republishing_is_dropped_by_who_has_it_already() {
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, "d.").await;
    let mirror = start_mirror(&target.service_url, "d.").await;
    for _ in 0..5 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    eventually("mirrored", SOON, || async {
        stored(&target.service_url, "k").await == Some(5)
    })
    .await;
    counter
        .admin()
        .republish("test.counter", partition_of("k"), 1)
        .await
        .unwrap();
    total(&counter.handle().submit("x", add("k", 1)).await);
    eventually("the next one came", SOON, || async {
        stored(&target.service_url, "k").await == Some(6)
    })
    .await;
    let status = mirror.admin().status().await.unwrap();
    let position = status
        .consumed
        .iter()
        .find(|c| c.partition == partition_of("k"))
        .unwrap();
    assert_eq!(
        (
            position.applied_sequence,
            position.stopped_because.as_deref()
        ),
        (6, None)
    );
    assert!(status.parked_keys.is_empty());
    mirror.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn a_broker_that_lost_its_log_is_filled_again_and_nothing_is_lost() {
    let folder = tempfile_folder();
    let options = stack::StackOptions {
        database_url: Some(stack::for_tests().await.admin_url().to_owned()),
        durable_jvm: false,
        ..stack::StackOptions::lasting(folder.clone())
    };
    let mut own = stack::Stack::start(options).await.unwrap();
    let brokers = own.brokers().unwrap().to_owned();
    let (source, target) = (database().await, database().await);
    let counter = Fabric::start(Arc::new(Counter), config(&brokers, ""), &source.service_url)
        .await
        .unwrap();
    let mirror = Fabric::start(
        Arc::new(Mirror::default()),
        config(&brokers, ""),
        &target.service_url,
    )
    .await
    .unwrap();
    for _ in 0..10 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    eventually("mirrored", SOON, || async {
        stored(&target.service_url, "k").await == Some(10)
    })
    .await;

    own.kill_kafka().await.unwrap();
    total(&counter.handle().submit("x", add("k", 1)).await);
    own.wipe_kafka().await.unwrap();
    own.start_kafka().await.unwrap();
    total(&counter.handle().submit("x", add("k", 1)).await);
    eventually("what was committed meanwhile came", SOON, || async {
        stored(&target.service_url, "k").await == Some(12)
    })
    .await;

    // A mirror that knows nothing finds the whole history in the new log.
    let late = database().await;
    let newcomer = Fabric::start(
        Arc::new(Mirror::default()),
        config(&brokers, ""),
        &late.service_url,
    )
    .await
    .unwrap();
    eventually("the newcomer has all of it", SOON, || async {
        let status = newcomer.admin().status().await.unwrap();
        let position = status
            .consumed
            .iter()
            .find(|c| c.partition == partition_of("k"))
            .unwrap();
        position.applied_sequence == 12 && stored(&late.service_url, "k").await == Some(12)
    })
    .await;
    newcomer.stop().await;
    mirror.stop().await;
    counter.stop().await;
    own.stop().await.unwrap();
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn a_database_older_than_what_was_published_is_an_alarm_and_sends_nothing() {
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, "e.").await;
    let mirror = start_mirror(&target.service_url, "e.").await;
    for _ in 0..5 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    eventually("mirrored", SOON, || async {
        stored(&target.service_url, "k").await == Some(5)
    })
    .await;
    counter.stop().await;
    // Restored from a backup of before the first addition.
    let restored = database().await;
    let older = start_counter(&restored.service_url, "e.").await;
    let health = older.health();
    eventually("the relay raises the alarm", SOON, || async {
        health.faults().contains_key("history")
    })
    .await;
    total(&older.handle().submit("x", add("k", 100)).await);
    let status = older.admin().status().await.unwrap();
    assert!(
        status
            .produced
            .iter()
            .all(|produced| produced.acked_sequence == 0)
    );
    assert_eq!(stored(&target.service_url, "k").await, Some(5));
    older.stop().await;
    mirror.stop().await;
}

fn tempfile_folder() -> std::path::PathBuf {
    let folder = stack::ground_for_tests().join(format!("fabric-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
