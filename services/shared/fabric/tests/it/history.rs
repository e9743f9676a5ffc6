//! A history that does not fit: a gap is asked for and never skipped, another chain or a producer that
//! lost what it had published stops the partition, and what a stopped partition says is unknown.

use std::sync::Arc;
use std::time::Duration;

use fabric::{ConsumedStatus, Fabric, FabricConfig, partition_of};

use crate::counter::{Counter, Mirror, add, as_owner, config, database, eventually, stored, total};

const SOON: Duration = Duration::from_secs(60);

async fn start_counter(url: &str, config: FabricConfig) -> Fabric<Counter> {
    Fabric::start(Arc::new(Counter), config, url).await.unwrap()
}

async fn start_mirror(url: &str, config: FabricConfig) -> Fabric<Mirror> {
    Fabric::start(Arc::new(Mirror::default()), config, url)
        .await
        .unwrap()
}

async fn position(mirror: &Fabric<Mirror>, key: &str) -> ConsumedStatus {
    let status = mirror.admin().status().await.unwrap();
    let of_key = |consumed: &ConsumedStatus| consumed.partition == partition_of(key);
    status.consumed.into_iter().find(of_key).unwrap()
}

async fn mirrored(target: &stack::ServiceDatabase, key: &str, sum: i64) {
    eventually("it is mirrored", SOON, || async {
        stored(&target.service_url, key).await == Some(sum)
    })
    .await;
}

#[tokio::test]
async fn a_record_beyond_a_gap_is_not_applied_before_what_is_missing_came() {
    let brokers = stack::for_tests().await.kafka().await;
    // So rare that only the record itself can show the gap.
    let rarely = FabricConfig {
        watermark_millis: 60_000,
        watermark_idle_millis: 600_000,
        ..config(brokers, "g.")
    };
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, rarely.clone()).await;
    let mirror = start_mirror(&target.service_url, rarely.clone()).await;
    for _ in 0..3 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    let neighbour = (0..100)
        .map(|n| format!("near-{n}"))
        .find(|key| partition_of(key) == partition_of("k"))
        .unwrap();
    total(&counter.handle().submit("x", add(&neighbour, 1)).await);
    mirrored(&target, &neighbour, 1).await;
    mirror.stop().await;
    // The hint where to start stays behind the fourth record; the position falls back to none.
    as_owner(
        &target,
        "update fabric.position set seq = 0, chain = '' where seq > 0; delete from counter",
    )
    .await;
    let mirror = start_mirror(&target.service_url, rarely).await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    mirrored(&target, "k", 4).await;
    assert_eq!(stored(&target.service_url, &neighbour).await, Some(1));
    assert_eq!(position(&mirror, "k").await.applied_sequence, 5);
    mirror.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn the_last_records_of_a_partition_are_missed_although_none_follows_them() {
    let brokers = stack::for_tests().await.kafka().await;
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, config(brokers, "k.")).await;
    let mirror = start_mirror(&target.service_url, config(brokers, "k.")).await;
    for _ in 0..3 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    mirrored(&target, "k", 3).await;
    mirror.stop().await;
    // The hint where to start stays behind all that there is.
    as_owner(
        &target,
        "update fabric.position set seq = 0, chain = '' where seq > 0; delete from counter",
    )
    .await;
    let mirror = start_mirror(&target.service_url, config(brokers, "k.")).await;
    mirrored(&target, "k", 3).await;
    mirror.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn a_record_whose_chain_does_not_follow_stops_its_partition_and_no_other() {
    let brokers = stack::for_tests().await.kafka().await;
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, config(brokers, "h.")).await;
    let mirror = start_mirror(&target.service_url, config(brokers, "h.")).await;
    let other = (0..100)
        .map(|n| format!("other-{n}"))
        .find(|key| partition_of(key) != partition_of("k"))
        .unwrap();
    total(&counter.handle().submit("x", add("k", 1)).await);
    mirrored(&target, "k", 1).await;
    as_owner(
        &target,
        "update fabric.position set chain = sha256('another history') where seq > 0",
    )
    .await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    total(&counter.handle().submit("x", add(&other, 1)).await);
    mirrored(&target, &other, 1).await;
    eventually("the partition stops", SOON, || async {
        position(&mirror, "k").await.stopped_because.is_some()
    })
    .await;
    assert_eq!(stored(&target.service_url, "k").await, Some(1));
    let knowledge = mirror.admin().knowledge().await.unwrap();
    assert_eq!(knowledge.age("test.counter", "k"), None);
    mirror.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn a_head_below_what_was_applied_stops_the_partition_and_its_knowledge_is_unknown() {
    let brokers = stack::for_tests().await.kafka().await;
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, config(brokers, "i.")).await;
    let mirror = start_mirror(&target.service_url, config(brokers, "i.")).await;
    for _ in 0..3 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    mirrored(&target, "k", 3).await;
    mirror.stop().await;
    counter.stop().await;
    // The producer lost its database and the broker its log: to the relay all is well.
    let (emptied, elsewhere) = (database().await, "j.");
    as_owner(
        &target,
        "update fabric.position set moved_at = moved_at - interval '1 minute'",
    )
    .await;
    let counter = start_counter(&emptied.service_url, config(brokers, elsewhere)).await;
    let mirror = start_mirror(&target.service_url, config(brokers, elsewhere)).await;
    eventually("the partition stops", SOON, || async {
        position(&mirror, "k").await.stopped_because.is_some()
    })
    .await;
    let knowledge = mirror.admin().knowledge().await.unwrap();
    assert_eq!(knowledge.age("test.counter", "k"), None);
    total(&counter.handle().submit("x", add("k", 100)).await);
    assert_eq!(stored(&target.service_url, "k").await, Some(3));
    mirror.stop().await;
    counter.stop().await;
}
