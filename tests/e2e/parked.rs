//! A record that nobody can read, followed from the topic to the barrier: its key is parked, the truck that
//! depends on it stays out, and an operator looks at it, tries again, gives it up, and the truck goes in.

use sqlx::{Connection, PgConnection};

use crate::cargo::{self, Cargo, GREEN, codes, one};
use crate::site::{greenlane, until};

const TOPIC: &str = "customs.clearance";
/// Who reads what customs says of a container.
const READERS: [&str; 2] = ["gate", "release"];
/// No protobuf message begins so.
const UNREADABLE: [u8; 3] = [0xff, 0xff, 0xff];

/// Moves the head and adds the row, chained as the fabric chains: SHA-256 over the previous value and the
/// length-prefixed id, type, key and value.
const PUBLISH: &str = "
    with said as (
        select convert_to($3, 'UTF8') as id, convert_to($4, 'UTF8') as type, convert_to($5, 'UTF8') as key
    ), next as (
        select h.topic, h.partition, h.epoch, h.seq + 1 as seq,
               sha256(int8send(octet_length(h.chain)::bigint) || h.chain
                   || int8send(octet_length(s.id)::bigint) || s.id
                   || int8send(octet_length(s.type)::bigint) || s.type
                   || int8send(octet_length(s.key)::bigint) || s.key
                   || int8send(octet_length($6::bytea)::bigint) || $6::bytea) as chain
        from fabric.head h, said s where h.topic = $1 and h.partition = $2
    ), moved as (
        update fabric.head h set seq = n.seq, chain = n.chain
        from next n where h.topic = n.topic and h.partition = n.partition
    )
    insert into fabric.outbox (topic, partition, epoch, seq, key, event_type, payload, chain, recorded_at)
    select topic, partition, epoch, seq, $5, $4, $6, chain, clock_timestamp() from next";

/// Publishes a word of customs about a container that today's readers cannot read, as an instance of a
/// version to come might: one transaction on customs' own database, next in sequence and in the chain, which
/// customs' relay sends like any other. Gives the key and the event's id.
async fn say_what_nobody_can_read(customs: &str, container: &str) -> (String, String) {
    let mut db = PgConnection::connect(customs).await.unwrap();
    let mut transaction = db.begin().await.unwrap();
    let (key, event_type): (String, String) = sqlx::query_as(
        "select key, event_type from fabric.outbox where topic = $1 and key like '%' || $2 limit 1",
    )
    .bind(TOPIC)
    .bind(container)
    .fetch_one(&mut *transaction)
    .await
    .unwrap();
    let partition = fabric::partition_of(&key);
    let (epoch, sequence): (i64, i64) = sqlx::query_as(
        "select epoch, seq + 1 from fabric.head where topic = $1 and partition = $2 for update",
    )
    .bind(TOPIC)
    .bind(partition.cast_signed())
    .fetch_one(&mut *transaction)
    .await
    .unwrap();
    let id = fabric::event_id(
        TOPIC,
        partition,
        epoch.cast_unsigned(),
        sequence.cast_unsigned(),
    );
    let done = sqlx::query(PUBLISH)
        .bind(TOPIC)
        .bind(partition.cast_signed())
        .bind(&id)
        .bind(&event_type)
        .bind(&key)
        .bind(UNREADABLE.as_slice())
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 1);
    transaction.commit().await.unwrap();
    (key, id)
}

/// The services in which this record is parked.
fn parked_in(cargo: &Cargo, event: &str) -> Vec<String> {
    let listed = ["fabric", "parked", "list", "--topic", TOPIC];
    let rows = cargo.site.run_json(&listed).done().objects();
    rows.iter()
        .filter(|row| row["event_id"] == event)
        .map(|row| row["service"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn rule_14_a_record_that_nobody_can_read_keeps_the_barrier_shut_until_an_operator_gives_it_up() {
    let (cargo, _) = Cargo::accepted(GREEN);
    let site = cargo.site;
    let pre_arrival = cargo.pre_arrive()["pre_arrival_id"]
        .as_str()
        .unwrap()
        .to_owned();
    cargo.let_go();
    cargo.until_ready(&pre_arrival);

    let customs = site.endpoints().unwrap()["postgres"]["customs"]
        .as_str()
        .unwrap()
        .to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let said = say_what_nobody_can_read(&customs, &cargo.container);
    let (key, event) = runtime.block_on(said);
    until("gate and release have parked it", || {
        parked_in(&cargo, &event) == READERS
    });

    let turned_away = cargo.check_in().refused();
    let [visit] = turned_away.objects().try_into().unwrap();
    assert_eq!(visit["state"], "TRUCK_VISIT_STATE_TURNED_AWAY");
    let reasons = codes(&visit["conditions"]);
    assert!(
        reasons.iter().any(|code| code == "KNOWLEDGE_UNKNOWN"),
        "{reasons:?}"
    );
    let why = site.run(&["why", &cargo.container]).done().stdout;
    assert!(why.contains("waits for an operator"), "{why}");

    look_at(&cargo, &event, &key);
    for reader in READERS {
        try_again_and_give_up(&cargo, reader, &event, &key);
        for method in ["RetryParked", "DiscardParked"] {
            cargo::on_record(site, reader, method);
        }
    }
    assert_eq!(parked_in(&cargo, &event), Vec::<String>::new());

    cargo.until_ready(&pre_arrival);
    let inside = one(cargo.check_in().done());
    assert_eq!(inside["state"], "TRUCK_VISIT_STATE_GATED_IN");
}

/// Lists and shows what is parked, for people and for machines.
fn look_at(cargo: &Cargo, event: &str, key: &str) {
    let site = cargo.site;
    let listed = site.run(&["fabric", "parked", "list", "--service", "gate"]);
    let listed = listed.done().stdout;
    assert!(listed.starts_with("SERVICE"), "{listed}");
    let row = listed.lines().find(|line| line.contains(event)).unwrap();
    assert!(
        row.contains(key) && row.contains("not the expected message"),
        "{row}"
    );
    let shown = site.run(&["fabric", "parked", "show", "gate", event]);
    let shown = shown.done().stdout;
    assert!(shown.contains("payload: 3 bytes"), "{shown}");
    assert!(shown.contains("ff ff ff"), "{shown}");
    let shown = one(site
        .run_json(&["fabric", "parked", "show", "release", event])
        .done());
    assert_eq!(
        (&shown["key"], &shown["topic"]),
        (&key.into(), &TOPIC.into())
    );
    assert_eq!(shown["payload"], "////", "base64");
    let unknown = site.run(&["fabric", "parked", "show", "bonded", event]);
    assert!(unknown.refused().stderr.contains("NOT_FOUND"));
    let denied = [
        "--as",
        "haulier-a",
        "fabric",
        "parked",
        "show",
        "gate",
        event,
    ];
    assert!(site.run(&denied).refused().stderr.contains("ROLE_REQUIRED"));
}

/// Retries in vain, then discards with a reason; not without one.
fn try_again_and_give_up(cargo: &Cargo, reader: &str, event: &str, key: &str) {
    let site = cargo.site;
    let retry = [
        "fabric", "parked", "retry", reader, "--topic", TOPIC, "--key", key,
    ];
    let retried = site.run_json(&retry).refused();
    assert_eq!(one(retried.clone())["still_parked"], 1);
    assert!(
        retried.stderr.contains("not the expected message"),
        "{}",
        retried.stderr
    );
    let told = site.run(&retry).refused().stdout;
    assert_eq!(told, "0 applied, 1 still parked.\n");
    let shown = one(site
        .run_json(&["fabric", "parked", "show", reader, event])
        .done());
    assert!(shown["attempts"].as_u64() >= Some(3), "{shown}");

    let discard = ["fabric", "parked", "discard", reader, event];
    assert_eq!(greenlane(&discard).code, 2, "a reason is asked for");
    let with_reason = [&discard[..], &["--reason", "sent by a version to come"]].concat();
    let discarded = site.run_json(&with_reason).done();
    assert_eq!(one(discarded)["still_parked"], 0);
    let again = site.run(&with_reason).refused();
    assert!(again.stderr.contains("NOT_FOUND"), "{}", again.stderr);
}
