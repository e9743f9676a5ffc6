//! What cannot be read is unknown, and unknown never releases.

use std::time::{Duration, Instant};

use crate::world::{CONTAINER, DOCUMENT, VISIT, World};

const DEADLINE: Duration = Duration::from_secs(20);

/// Parks a key as the loop would: without telling the service.
async fn park(world: &World, topic: &str, key: &str) {
    sqlx::query(
        "insert into fabric.parked (event_id, topic, partition, epoch, seq, key, event_type, payload, cause, parked_at)
         values ($1 || '/' || $2, $1, 0, 1, 1, $2, 'test', '', 'cannot be read', now())",
    )
    .bind(topic)
    .bind(key)
    .execute(&world.pool)
    .await
    .unwrap();
}

async fn until(world: &World, state: &str) {
    let begin = Instant::now();
    while world.state().await != state {
        assert!(
            begin.elapsed() < DEADLINE,
            "{state} was not reached: {:?}",
            world.states().await
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_parked_key_about_the_container_takes_a_grant_back_and_its_end_gives_it_again() {
    for (topic, key) in [
        ("customs.clearance", format!("container/{CONTAINER}")),
        (
            "customs.clearance",
            format!("transport-document/{DOCUMENT}"),
        ),
        ("customs.hold", format!("container-visit/{VISIT}")),
        ("gate.hold", "declaration/declaration-1".to_owned()),
        ("gate.container-visit", format!("GUOYUAN-PORT/{CONTAINER}")),
    ] {
        let world = World::new().await;
        world.granted().await;
        park(&world, topic, &key).await;
        let explained = world.explain("terminal").await.unwrap();
        assert!(
            !explained.may_leave,
            "{topic} {key}: unknown at once to who asks"
        );
        let condition = &explained.release.unwrap().conditions[0];
        assert_eq!(
            (condition.code.as_str(), condition.who.as_str()),
            ("UNKNOWN", "admin")
        );
        assert!(condition.subject.contains(&key), "{}", condition.subject);
        assert!(
            explained
                .knowledge
                .iter()
                .any(|age| age.parked && age.key == key)
        );
        until(&world, "REVOCATION_ASKED").await;
        let ask = world.decisions().await.pop().unwrap().ask_id;
        sqlx::query("delete from fabric.parked")
            .execute(&world.pool)
            .await
            .unwrap();
        world
            .answer(&ask, proto::gate::events::v1::AnswerVerdict::Applied)
            .await;
        until(&world, "GRANTED").await;
    }
}
