//! Records that cannot be applied: set aside by key while the partition goes on,
//! listed, shown, applied later in order, or given up with a reason.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fabric::{Fabric, FabricConfig};

use crate::counter::{Counter, Mirror, add, as_owner, config, database, eventually, stored, total};

const SOON: Duration = Duration::from_secs(60);

struct Pair {
    counter: Fabric<Counter>,
    mirror: Fabric<Mirror>,
    confused: Arc<AtomicBool>,
    decided_while_parked: Arc<Mutex<Vec<bool>>>,
    target: stack::ServiceDatabase,
}

async fn pair(prefix: &str, adjust: impl FnOnce(FabricConfig) -> FabricConfig) -> Pair {
    let brokers = stack::for_tests().await.kafka().await;
    let (source, target) = (database().await, database().await);
    let confused = Arc::new(AtomicBool::new(true));
    let decided_while_parked = Arc::new(Mutex::new(Vec::new()));
    let service = Mirror {
        confused: Arc::clone(&confused),
        decided_while_parked: Arc::clone(&decided_while_parked),
        ..Mirror::default()
    };
    let counter = Fabric::start(
        Arc::new(Counter),
        config(brokers, prefix),
        &source.service_url,
    )
    .await
    .unwrap();
    let mirror = Fabric::start(
        Arc::new(service),
        adjust(config(brokers, prefix)),
        &target.service_url,
    )
    .await
    .unwrap();
    Pair {
        counter,
        mirror,
        confused,
        decided_while_parked,
        target,
    }
}

#[tokio::test]
async fn a_parked_key_waits_while_others_go_on_and_is_applied_in_order_on_retry() {
    let pair = pair("p.", |config| config).await;
    let handle = pair.counter.handle();
    for _ in 0..3 {
        total(&handle.submit("x", add("odd", 1)).await);
        total(&handle.submit("x", add("even", 1)).await);
    }
    let admin = pair.mirror.admin();
    eventually(
        "three are parked and the other key is mirrored",
        SOON,
        || async {
            admin.parked(None, None, 10).await.unwrap().len() == 3
                && stored(&pair.target.service_url, "even").await == Some(3)
        },
    )
    .await;
    let parked = admin.parked(Some("test.counter"), None, 10).await.unwrap();
    assert_eq!(parked[0].cause, "this mirror is confused");
    assert_eq!(
        admin
            .parked_record(&parked[1].event_id)
            .await
            .unwrap()
            .payload
            .as_ref(),
        2_i64.to_be_bytes()
    );

    let (applied, left, cause) = admin.retry_parked("test.counter", "odd").await.unwrap();
    assert_eq!(
        (applied, left, cause.as_str()),
        (0, 3, "this mirror is confused")
    );
    assert_eq!(admin.parked(None, None, 10).await.unwrap()[0].attempts, 2);

    // Understood again, but what comes meanwhile still waits behind what is parked.
    pair.confused.store(false, Ordering::SeqCst);
    total(&handle.submit("x", add("odd", 1)).await);
    eventually("the fourth waits too", SOON, || async {
        admin.parked(None, None, 10).await.unwrap().len() == 4
    })
    .await;
    let (applied, left, _) = admin.retry_parked("test.counter", "odd").await.unwrap();
    assert_eq!((applied, left), (4, 0));
    // Only the last of them was decided on a key of which nothing is unknown any more.
    let decided = pair.decided_while_parked.lock().unwrap().clone();
    assert_eq!(
        (decided.first(), decided.last()),
        (Some(&true), Some(&false))
    );
    assert_eq!(stored(&pair.target.service_url, "odd").await, Some(4));
    total(&handle.submit("x", add("odd", 1)).await);
    eventually("the key goes on", SOON, || async {
        stored(&pair.target.service_url, "odd").await == Some(5)
    })
    .await;
    pair.mirror.stop().await;
    pair.counter.stop().await;
}

#[tokio::test]
async fn the_oldest_parked_record_can_be_given_up_with_a_reason() {
    let pair = pair("q.", |config| config).await;
    let handle = pair.counter.handle();
    total(&handle.submit("x", add("odd", 1)).await);
    total(&handle.submit("x", add("odd", 1)).await);
    let admin = pair.mirror.admin();
    eventually("both are parked", SOON, || async {
        admin.parked(None, None, 10).await.unwrap().len() == 2
    })
    .await;
    let parked = admin.parked(None, None, 10).await.unwrap();
    assert_eq!(
        admin
            .discard_parked(&parked[1].event_id, "admin", "superseded")
            .await
            .unwrap_err()
            .reason,
        "NOT_OLDEST_PARKED"
    );
    assert_eq!(
        admin
            .discard_parked(&parked[0].event_id, "admin", " ")
            .await
            .unwrap_err()
            .reason,
        "REASON_MISSING"
    );
    assert_eq!(
        admin
            .discard_parked(&parked[0].event_id, "admin", "superseded")
            .await
            .unwrap(),
        1
    );
    pair.confused.store(false, Ordering::SeqCst);
    assert_eq!(
        admin.retry_parked("test.counter", "odd").await.unwrap().0,
        1
    );
    assert_eq!(stored(&pair.target.service_url, "odd").await, Some(2));
    pair.mirror.stop().await;
    pair.counter.stop().await;
}

#[tokio::test]
async fn a_partition_with_too_many_parked_keys_stops_until_it_is_set_going_by_one_that_understands()
{
    let pair = pair("r.", |config| FabricConfig {
        parked_keys_max: 2,
        ..config
    })
    .await;
    let keys: Vec<String> = (0..1000)
        .map(|n| format!("odd-{n}"))
        .filter(|key| fabric::partition_of(key) == 0)
        .take(4)
        .collect();
    for key in &keys {
        total(&pair.counter.handle().submit("x", add(key, 1)).await);
    }
    let admin = pair.mirror.admin();
    eventually("the partition stops", SOON, || async {
        admin.status().await.unwrap().consumed[0]
            .stopped_because
            .is_some()
    })
    .await;
    assert_eq!(
        admin.knowledge().await.unwrap().oldest("test.counter"),
        None
    );

    // What the runbook says to do then: the right version, and the partition set going with the service stopped.
    pair.mirror.stop().await;
    as_owner(
        &pair.target,
        "update fabric.position set stopped_because = null where topic = 'test.counter' and partition = 0",
    )
    .await;
    let settings = config(stack::for_tests().await.kafka().await, "r.");
    let understands = Arc::new(Mirror::default());
    let mirror = Fabric::start(understands, settings, &pair.target.service_url)
        .await
        .unwrap();
    total(&pair.counter.handle().submit("x", add(&keys[3], 1)).await);
    let admin = mirror.admin();
    for (key, sum) in keys.iter().zip([1, 1, 1, 2]) {
        eventually(
            "it is applied, or was parked and is tried again",
            SOON,
            || async {
                admin.retry_parked("test.counter", key).await.unwrap();
                stored(&pair.target.service_url, key).await == Some(sum)
            },
        )
        .await;
    }
    assert!(admin.parked(None, None, 10).await.unwrap().is_empty());
    mirror.stop().await;
    pair.counter.stop().await;
}
