//! What cannot be read is unknown, and unknown never releases.

use std::time::{Duration, Instant};

use futures::future::join_all;
use proto::gate::events::v1 as gate;

use crate::lists::{DECLARATION, INTO, centre, into_bond, key};
use crate::world::{CONTAINER, DOCUMENT, VISIT, World, arrived};

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
    until_about(world, VISIT, state).await;
}

async fn until_about(world: &World, about: &str, state: &str) {
    let begin = Instant::now();
    loop {
        let decisions = world.decisions_on(about).await;
        if decisions.last().is_some_and(|last| last.state == state) {
            return;
        }
        assert!(
            begin.elapsed() < DEADLINE,
            "{state} was not reached: {decisions:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_parked_key_about_the_container_takes_a_grant_back_and_its_end_gives_it_again() {
    let sources = [
        ("customs.clearance", format!("container/{CONTAINER}")),
        (
            "customs.clearance",
            format!("transport-document/{DOCUMENT}"),
        ),
        ("customs.hold", format!("container-visit/{VISIT}")),
        ("gate.hold", "declaration/declaration-1".to_owned()),
        ("gate.container-visit", format!("GUOYUAN-PORT/{CONTAINER}")),
    ];
    join_all(sources.map(async |(topic, key)| {
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
    }))
    .await;
}

/// Stops, or sets going again, the partition that holds a key, as the loop would: without telling the service.
async fn stop(world: &World, topic: &str, key: &str, because: Option<&str>) {
    let stopped = sqlx::query(
        "update fabric.position set stopped_because = $3 where topic = $1 and partition = $2",
    )
    .bind(topic)
    .bind(fabric::partition_of(key).cast_signed())
    .bind(because)
    .execute(&world.pool)
    .await
    .unwrap();
    assert_eq!(stopped.rows_affected(), 1, "{topic} is read");
}

#[tokio::test]
async fn a_stopped_partition_takes_a_grant_back_and_its_end_gives_it_again() {
    let sources = [
        ("customs.clearance", format!("container/{CONTAINER}")),
        ("customs.hold", format!("container-visit/{VISIT}")),
        ("gate.hold", "declaration/declaration-1".to_owned()),
        ("gate.container-visit", format!("GUOYUAN-PORT/{CONTAINER}")),
    ];
    join_all(sources.map(async |(topic, key)| {
        let world = World::new().await;
        world.granted().await;
        stop(&world, topic, &key, Some("another chain")).await;
        let explained = world.explain("terminal").await.unwrap();
        assert!(
            !explained.may_leave,
            "{topic} {key}: unknown at once to who asks"
        );
        let unknown = explained.release.unwrap().conditions;
        assert!(
            unknown
                .iter()
                .any(|condition| condition.code == "UNKNOWN" && condition.subject.contains(&key)),
            "{unknown:?}"
        );
        until(&world, "REVOCATION_ASKED").await;
        let ask = world.decisions().await.pop().unwrap().ask_id;
        stop(&world, topic, &key, None).await;
        world
            .answer(&ask, proto::gate::events::v1::AnswerVerdict::Applied)
            .await;
        until(&world, "GRANTED").await;
    }))
    .await;
}

/// A list that is granted for a container at the port.
async fn list_granted() -> World {
    let world = centre().await;
    world
        .visit(gate::ContainerVisitFact::Arrived, arrived())
        .await;
    world.clearance(vec![into_bond(true)]).await;
    world.list_granted_for(INTO, vec![CONTAINER.into()]).await;
    world
}

/// Every key on which such a list rests.
fn sources_of_the_list() -> Vec<(&'static str, String)> {
    vec![
        ("bonded.stock-list", INTO.to_owned()),
        ("gate.list-passage", INTO.to_owned()),
        ("customs.declaration", DECLARATION.to_owned()),
        ("customs.hold", format!("stock-list/{INTO}")),
        ("gate.hold", format!("declaration/{DECLARATION}")),
        ("customs.hold", format!("container-visit/{VISIT}")),
        ("gate.container-visit", format!("GUOYUAN-PORT/{CONTAINER}")),
        ("customs.clearance", format!("container/{CONTAINER}")),
        (
            "customs.clearance",
            format!("transport-document/{DOCUMENT}"),
        ),
    ]
}

#[tokio::test]
async fn a_parked_key_about_a_stock_list_takes_a_grant_back_and_its_end_gives_it_again() {
    let sources = sources_of_the_list().into_iter();
    join_all(sources.map(async |(topic, about)| {
        let world = list_granted().await;
        park(&world, topic, &about).await;
        let explained = world.explain_list("operator", INTO).await.unwrap();
        assert!(
            !explained.may_leave,
            "{topic} {about}: unknown at once to who asks"
        );
        let condition = &explained.release.unwrap().conditions[0];
        assert_eq!(
            (condition.code.as_str(), condition.who.as_str()),
            ("UNKNOWN", "admin")
        );
        assert!(condition.subject.contains(&about), "{}", condition.subject);
        until_about(&world, &key(INTO), "REVOCATION_ASKED").await;
        let ask = world.list_ask(INTO).await;
        sqlx::query("delete from fabric.parked")
            .execute(&world.pool)
            .await
            .unwrap();
        world
            .answer_about_list(INTO, &ask, gate::AnswerVerdict::Applied)
            .await;
        until_about(&world, &key(INTO), "GRANTED").await;
    }))
    .await;
}

#[tokio::test]
async fn a_stopped_partition_takes_a_stock_lists_grant_back_and_its_end_gives_it_again() {
    let sources = sources_of_the_list().into_iter();
    // A partition that nothing was read of has no position to stop at.
    let read = |topic: &&str| !["gate.list-passage", "customs.hold", "gate.hold"].contains(topic);
    let sources = sources.filter(|(topic, _)| read(topic));
    join_all(sources.map(async |(topic, about)| {
        let world = list_granted().await;
        stop(&world, topic, &about, Some("another chain")).await;
        let explained = world.explain_list("operator", INTO).await.unwrap();
        assert!(!explained.may_leave, "{topic} {about}");
        until_about(&world, &key(INTO), "REVOCATION_ASKED").await;
        let ask = world.list_ask(INTO).await;
        stop(&world, topic, &about, None).await;
        world
            .answer_about_list(INTO, &ask, gate::AnswerVerdict::Applied)
            .await;
        until_about(&world, &key(INTO), "GRANTED").await;
    }))
    .await;
}

#[tokio::test]
async fn nothing_is_granted_while_a_partition_about_it_is_stopped() {
    let world = World::new().await;
    world.announced().await;
    world.arrived().await;
    world.customs_released().await;
    let key = format!("container-visit/{VISIT}");
    stop(&world, "customs.hold", &key, Some("another chain")).await;
    world.line_releases_to("haulier-a").await;
    world.available().await;
    assert_eq!(world.state().await, "WITHHELD");
    assert!(!world.states().await.contains(&"GRANTED".to_owned()));
}

/// Other containers with a parked record each: more than are looked at together.
#[tokio::test]
async fn a_parked_key_takes_a_grant_back_however_many_others_are_unknown() {
    let world = World::new().await;
    world.granted().await;
    sqlx::query(
        "insert into container_visit
         select 'GUOYUAN-PORT/OTHR' || n || '/1', 'OTHR' || n, site_id, over, unknown, transport_documents, reader_parties,
                decision_state, decision_version, known_since, recorded_at,
                jsonb_set(jsonb_set(body, '{stay,container_number}', to_jsonb('OTHR' || n)),
                          '{stay,container_visit_id}', to_jsonb('GUOYUAN-PORT/OTHR' || n || '/1'))
         from container_visit, generate_series(1000, 1450) as n",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into fabric.parked (event_id, topic, partition, epoch, seq, key, event_type, payload, cause, parked_at)
         select 'parked/' || container_number, 'gate.container-visit', 0, 1, 1, site_id || '/' || container_number,
                'test', '', 'cannot be read', now() from container_visit",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    until(&world, "REVOCATION_ASKED").await;
}
