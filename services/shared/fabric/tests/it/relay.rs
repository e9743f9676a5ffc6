//! The one active relay of a service beside its standbys: what it sends and in which
//! order, what it does about records that it cannot send (again), and that none of it
//! keeps other partitions, watermarks or the end waiting.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fabric::{
    Context, Decision, Fabric, FabricConfig, Record, Service, StoreError, SubjectSet, Subjects,
    Unreadable, partition_of,
};
use futures::future::join_all;
use prost::Message as _;
use proto::fabric::v1::Watermark;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::counter::{
    Counter, Mirror, TOPIC, add, add_as, as_owner, config, database, eventually, holding, stored,
    total, writers_wait,
};

const SOON: Duration = Duration::from_secs(60);

async fn brokers() -> &'static str {
    stack::for_tests().await.kafka().await
}

async fn start_counter(url: &str, config: FabricConfig) -> Fabric<Counter> {
    Fabric::start(Arc::new(Counter), config, url).await.unwrap()
}

async fn start_mirror(url: &str, config: FabricConfig) -> Fabric<Mirror> {
    Fabric::start(Arc::new(Mirror::default()), config, url)
        .await
        .unwrap()
}

/// Waits until the broker has acknowledged a partition up to here.
async fn acknowledged(counter: &Fabric<Counter>, partition: u32, sequence: u64) {
    let admin = counter.admin();
    eventually("it is acknowledged", SOON, || async {
        let status = admin.status().await.unwrap();
        let mut produced = status.produced.iter();
        produced.any(|at| at.partition == partition && at.acked_sequence == sequence)
    })
    .await;
}

/// Keys like this one, the first of them in its partition, the second in another.
fn neighbour_and_other(of: &str) -> (String, String) {
    let key = |same: bool| {
        (0..1_000)
            .map(|n| format!("near-{n}"))
            .find(|key| (partition_of(key) == partition_of(of)) == same)
            .unwrap()
    };
    (key(true), key(false))
}

/// A record as it lies in the broker.
struct Lying {
    offset: i64,
    sent_at: i64,
    sequence: Option<u64>,
    watermark: Option<Watermark>,
}

/// What lies in a partition of the counter's topic, from an offset to its end.
async fn log(prefix: &str, partition: u32, from: i64) -> Vec<Lying> {
    let brokers = brokers().await;
    let topic = fabric::topic_name(prefix, TOPIC);
    tokio::task::spawn_blocking(move || read(brokers, &topic, partition.cast_signed(), from))
        .await
        .unwrap()
}

fn read(brokers: &str, topic: &str, partition: i32, from: i64) -> Vec<Lying> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let Ok((_, end)) = consumer.fetch_watermarks(topic, partition, SOON) else {
        return Vec::new();
    };
    let mut lying = Vec::new();
    if end <= from {
        return lying;
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(from))
        .unwrap();
    consumer.assign(&list).unwrap();
    while lying
        .last()
        .is_none_or(|last: &Lying| last.offset + 1 < end)
    {
        let message = consumer.poll(SOON).unwrap().unwrap();
        let header = |name: &str| {
            let header = message
                .headers()?
                .iter()
                .find(|header| header.key == name)?;
            Some(String::from_utf8_lossy(header.value?).into_owned())
        };
        let is_watermark = header("ce_type").is_some_and(|kind| kind.ends_with("watermark"));
        let id = header("ce_id").unwrap_or_default();
        lying.push(Lying {
            offset: message.offset(),
            sent_at: message.timestamp().to_millis().unwrap_or_default(),
            sequence: id.rsplit('/').next().and_then(|last| last.parse().ok()),
            watermark: is_watermark
                .then(|| Watermark::decode(message.payload().unwrap_or_default()).unwrap()),
        });
    }
    lying
}

fn sequences(log: &[Lying]) -> Vec<u64> {
    log.iter().filter_map(|lying| lying.sequence).collect()
}

/// An instance of the mirror's service that reads nothing: it only relays.
struct Bystander;

impl Service for Bystander {
    const NAME: &'static str = "mirror";
    type Input = ();
    type State = ();

    fn produces(&self) -> &'static [&'static str] {
        &[]
    }

    fn consumes(&self) -> &'static [&'static str] {
        &[]
    }

    fn decode(&self, record: &Record) -> Result<(), Unreadable> {
        Err(Unreadable(format!("{} is not consumed", record.topic)))
    }

    fn subjects(&self, _input: &()) -> Subjects {
        Subjects::new()
    }

    async fn load(&self, _: &mut PgConnection, _: &SubjectSet) -> Result<(), sqlx::Error> {
        Ok(())
    }

    fn decide(&self, _: &mut (), _: &(), _: &Context<'_>) -> Decision {
        Decision::applied()
    }

    async fn store(
        &self,
        _: &mut PgConnection,
        _: &(),
        _: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Waits until somebody holds the relay's lock.
async fn somebody_relays(database: &stack::ServiceDatabase) {
    eventually("an instance relays", SOON, || async {
        let mut db = PgConnection::connect(&database.owner_url).await.unwrap();
        sqlx::query_scalar::<_, bool>(
            "select exists (select from pg_locks
             where locktype = 'advisory' and objsubid = 2 and granted
               and classid::bigint = hashtext('greenlane.relay')::bigint & 4294967295
               and database = (select oid from pg_database where datname = current_database()))",
        )
        .fetch_one(&mut db)
        .await
        .unwrap()
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_reads_but_does_not_relay_gets_what_it_misses() {
    let settings = config(brokers().await, "relay-a.");
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, settings.clone()).await;
    let mirror = start_mirror(&target.service_url, settings.clone()).await;
    for _ in 0..20 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    eventually("all is mirrored", SOON, || async {
        stored(&target.service_url, "k").await == Some(20)
    })
    .await;
    mirror.stop().await;
    as_owner(
        &target,
        "update fabric.position set seq = 0, chain = '', kafka_offset = 20; delete from counter",
    )
    .await;

    let relays = Fabric::start(Arc::new(Bystander), settings.clone(), &target.service_url)
        .await
        .unwrap();
    somebody_relays(&target).await;
    let reads = start_mirror(&target.service_url, settings).await;
    eventually("a rewind brought what was missing", SOON, || async {
        stored(&target.service_url, "k").await == Some(20)
    })
    .await;
    reads.stop().await;
    relays.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn what_an_operator_asks_of_a_standby_the_active_relay_sends_again() {
    let settings = config(brokers().await, "relay-b.");
    let source = database().await;
    let active = start_counter(&source.service_url, settings.clone()).await;
    for _ in 0..3 {
        total(&active.handle().submit("x", add("k", 1)).await);
    }
    let partition = partition_of("k");
    acknowledged(&active, partition, 3).await;
    let standby = start_counter(&source.service_url, settings).await;
    let head = standby.admin().republish(TOPIC, partition, 2).await;
    assert_eq!(head.unwrap(), 3);
    eventually("it lies there twice", SOON, || async {
        sequences(&log("relay-b.", partition, 0).await) == [1, 2, 3, 2, 3]
    })
    .await;
    standby.stop().await;
    active.stop().await;
}

#[tokio::test]
async fn a_relay_looks_all_the_time_for_what_others_commit_and_seldom_while_there_is_nobody_else() {
    let settings = FabricConfig {
        relay_poll_millis: 5,
        watermark_millis: 1_000,
        ..config(brokers().await, "relay-q.")
    };
    let source = database().await;
    let looked = async |since: i64| {
        let admin = stack::for_tests().await.admin_url();
        let mut db = PgConnection::connect(admin).await.unwrap();
        let sum = "select xact_commit from pg_stat_database where datname = $1";
        let asked = sqlx::query_scalar::<_, i64>(sum).bind(&source.name);
        asked.fetch_one(&mut db).await.unwrap() - since
    };
    // The server counts what a session does with a delay of up to a second.
    let in_two_seconds = async || {
        let before = looked(0).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        looked(before).await
    };
    let active = start_counter(&source.service_url, settings.clone()).await;
    total(&active.handle().submit("x", add("k", 1)).await);
    eventually("it looks seldom", SOON, || async {
        in_two_seconds().await < 50
    })
    .await;
    let standby = start_counter(&source.service_url, settings).await;
    eventually("it looks all the time", SOON, || async {
        in_two_seconds().await > 150
    })
    .await;
    standby.stop().await;
    eventually("it looks seldom again", SOON, || async {
        in_two_seconds().await < 50
    })
    .await;
    active.stop().await;
}

#[tokio::test]
async fn a_row_that_is_handed_over_before_its_predecessor_is_sent_behind_it() {
    // So rare that nothing is found by looking: only what is handed over is sent.
    let settings = FabricConfig {
        relay_poll_millis: 10_000,
        ..config(brokers().await, "relay-c.")
    };
    let source = database().await;
    let active = start_counter(&source.service_url, settings.clone()).await;
    total(&active.handle().submit("x", add("k", 1)).await);
    acknowledged(&active, partition_of("k"), 1).await;
    let standby = start_counter(&source.service_url, settings).await;
    for _ in 0..10 {
        // Of these the active relay is handed every second one.
        total(&standby.handle().submit("x", add("k", 1)).await);
        total(&active.handle().submit("x", add("k", 1)).await);
    }
    eventually("all are sent in sequence", SOON, || async {
        let sent = sequences(&log("relay-c.", partition_of("k"), 0).await);
        assert!(
            sent.iter().zip(1..).all(|(is, ought)| *is == ought),
            "{sent:?}"
        );
        sent.len() == 21
    })
    .await;
    standby.stop().await;
    active.stop().await;
}

#[tokio::test]
async fn what_two_writers_hand_over_as_it_comes_is_sent_in_sequence_and_once() {
    let settings = FabricConfig {
        writers: 2,
        batch_spacing_micros: 0,
        ..config(brokers().await, "relay-d.")
    };
    let source = database().await;
    let counter = start_counter(&source.service_url, settings).await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    acknowledged(&counter, partition_of("k"), 1).await;
    let (handle, lanes) = (counter.handle(), ["a", "b", "c", "d", "e", "f", "g"]);
    let calls = (0..500).map(|n| handle.submit(lanes[n % lanes.len()], add("k", 1)));
    join_all(calls).await.iter().for_each(|reply| {
        total(reply);
    });
    acknowledged(&counter, partition_of("k"), 501).await;
    let sent = sequences(&log("relay-d.", partition_of("k"), 0).await);
    assert_eq!(sent, (1..=501).collect::<Vec<u64>>());
    counter.stop().await;
}

fn admin_client(brokers: &str) -> AdminClient<DefaultClientContext> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", brokers).create().unwrap()
}

/// The counter's topic, made with a setting of its own.
async fn topic_with(prefix: &str, setting: &str, value: &str) {
    let name = fabric::topic_name(prefix, TOPIC);
    let topic = NewTopic::new(&name, 8, TopicReplication::Fixed(1)).set(setting, value);
    let admin = admin_client(brokers().await);
    let made = admin.create_topics([&topic], &AdminOptions::new()).await;
    assert_eq!(made.unwrap(), [Ok(name)]);
}

/// A topic that takes what these tests send one by one, and little more.
async fn topic_for_small_records(prefix: &str) {
    topic_with(prefix, "max.message.bytes", "1500").await;
}

async fn set_of_topic(prefix: &str, setting: &str, value: &str) {
    let name = fabric::topic_name(prefix, TOPIC);
    let change = AlterConfig::new(ResourceSpecifier::Topic(&name)).set(setting, value);
    admin_client(brokers().await)
        .alter_configs([&change], &AdminOptions::new())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_record_that_the_broker_does_not_take_stops_its_partition_alone_until_it_is_sent_again() {
    let settings = config(brokers().await, "relay-e.");
    topic_for_small_records("relay-e.").await;
    let (source, target) = (database().await, database().await);
    let counter = start_counter(&source.service_url, settings.clone()).await;
    let mirror = start_mirror(&target.service_url, settings).await;
    let long = "k".repeat(2_000);
    let (neighbour, other) = neighbour_and_other(&long);
    let partition = partition_of(&long);
    total(&counter.handle().submit("x", add(&neighbour, 1)).await);
    acknowledged(&counter, partition, 1).await;

    total(&counter.handle().submit("x", add(&long, 1)).await);
    let health = counter.health();
    eventually("the alarm is raised", SOON, || async {
        let faults = health.faults();
        faults
            .get("relay")
            .is_some_and(|why| why.contains("sequence 2"))
    })
    .await;
    total(&counter.handle().submit("x", add(&neighbour, 1)).await);
    total(&counter.handle().submit("x", add(&other, 1)).await);
    eventually("another partition goes on", SOON, || async {
        stored(&target.service_url, &other).await == Some(1)
    })
    .await;
    let knowing = mirror.admin();
    let age = async |key: &str| knowing.knowledge().await.unwrap().age(TOPIC, key);
    eventually("what is known of the partition ages", SOON, || async {
        age(&neighbour).await > Some(Duration::from_secs(2))
            && age(&other).await < Some(Duration::from_secs(2))
    })
    .await;
    assert_eq!(stored(&target.service_url, &neighbour).await, Some(1));
    acknowledged(&counter, partition, 1).await;

    set_of_topic("relay-e.", "max.message.bytes", "1000000").await;
    let operator = counter.admin();
    eventually("it is sent again, and what follows it", SOON, || async {
        operator.republish(TOPIC, partition, 2).await.unwrap();
        stored(&target.service_url, &long).await == Some(1)
            && stored(&target.service_url, &neighbour).await == Some(2)
    })
    .await;
    eventually("the alarm ends", SOON, || async {
        health.faults().is_empty()
    })
    .await;
    mirror.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn records_that_the_broker_refuses_only_together_are_sent_one_by_one() {
    let settings = config(brokers().await, "relay-m.");
    topic_for_small_records("relay-m.").await;
    let source = database().await;
    let earlier = crate::counter::counter(&source.service_url).await;
    let handle = earlier.handle();
    join_all((0..50).map(|_| handle.submit("x", add("k", 1)))).await;
    earlier.stop().await;
    let counter = start_counter(&source.service_url, settings).await;
    acknowledged(&counter, partition_of("k"), 50).await;
    let sent = sequences(&log("relay-m.", partition_of("k"), 0).await);
    let distinct: BTreeSet<u64> = sent.into_iter().collect();
    assert_eq!(distinct, (1..=50).collect());
    assert_eq!(counter.health().faults().len(), 0);
    counter.stop().await;
}

#[tokio::test]
async fn a_row_that_is_too_large_for_the_client_stops_its_partition_alone() {
    let source = database().await;
    let first = crate::counter::counter(&source.service_url).await;
    first.stop().await;
    let (partition, (_, other)) = (partition_of("k"), neighbour_and_other("k"));
    as_owner(
        &source,
        &format!(
            "insert into fabric.outbox
             values ('{TOPIC}', {partition}, 1, 1, 'k', 'large', convert_to(repeat('x', 1100000), 'UTF8'), 'c', null, now());
             update fabric.head set seq = 1, chain = 'c' where partition = {partition}"
        ),
    )
    .await;
    let counter = start_counter(&source.service_url, config(brokers().await, "relay-f.")).await;
    total(&counter.handle().submit("x", add(&other, 1)).await);
    acknowledged(&counter, partition_of(&other), 1).await;
    let health = counter.health();
    eventually("the alarm is raised", SOON, || async {
        health.faults().contains_key("relay") && !health.faults().contains_key("broker")
    })
    .await;
    acknowledged(&counter, partition, 0).await;
    counter.stop().await;
}

#[tokio::test]
async fn a_hole_among_the_rows_is_not_kept_and_the_relay_goes_on_behind_it() {
    let source = database().await;
    let settings = config(brokers().await, "relay-g.");
    let partition = partition_of("k");
    let counter = start_counter(&source.service_url, settings).await;
    for _ in 0..10 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    acknowledged(&counter, partition, 10).await;
    as_owner(
        &source,
        "delete from fabric.outbox where seq between 3 and 5",
    )
    .await;
    counter
        .admin()
        .republish(TOPIC, partition, 1)
        .await
        .unwrap();
    let sent: Vec<u64> = (1..=10).chain([1, 2]).chain(6..=10).collect();
    eventually("what is there is sent again", SOON, || async {
        sequences(&log("relay-g.", partition, 0).await) == sent
    })
    .await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    acknowledged(&counter, partition, 11).await;
    eventually("the watermark says what is kept", SOON, || async {
        let log = log("relay-g.", partition, 0).await;
        let marks = log.iter().filter_map(|lying| lying.watermark.as_ref());
        marks.last().map(|mark| mark.lowest_kept_sequence) == Some(6)
    })
    .await;
    assert_eq!(counter.health().faults().len(), 0);
    counter.stop().await;
}

#[tokio::test]
async fn a_hole_that_reaches_the_head_is_not_kept_either() {
    let source = database().await;
    let settings = config(brokers().await, "relay-h.");
    let partition = partition_of("k");
    let counter = start_counter(&source.service_url, settings).await;
    for _ in 0..5 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    acknowledged(&counter, partition, 5).await;
    as_owner(&source, "delete from fabric.outbox where seq > 2").await;
    counter
        .admin()
        .republish(TOPIC, partition, 1)
        .await
        .unwrap();
    eventually("what is there is sent again", SOON, || async {
        sequences(&log("relay-h.", partition, 0).await) == [1, 2, 3, 4, 5, 1, 2]
    })
    .await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    acknowledged(&counter, partition, 6).await;
    assert_eq!(counter.health().faults().len(), 0);
    counter.stop().await;
}

#[tokio::test]
async fn while_much_is_sent_again_nothing_else_waits() {
    const ROWS: u64 = 4_000;
    let source = database().await;
    let first = crate::counter::counter(&source.service_url).await;
    first.stop().await;
    let (partition, (_, other)) = (partition_of("k"), neighbour_and_other("k"));
    as_owner(
        &source,
        &format!(
            "insert into fabric.outbox
             select '{TOPIC}', {partition}, 1, n, 'k', 'many', 'x', 'c', null, now() from generate_series(1, {ROWS}) n;
             update fabric.head set seq = {ROWS}, chain = 'c' where partition = {partition}"
        ),
    )
    .await;
    let narrow = FabricConfig {
        relay_in_flight_max: 16,
        watermark_millis: 50,
        ..config(brokers().await, "relay-i.")
    };
    let counter = start_counter(&source.service_url, narrow).await;
    acknowledged(&counter, partition, ROWS).await;
    let again_from = log("relay-i.", partition, 0).await.last().unwrap().offset + 1;
    let admin = counter.admin();
    admin.republish(TOPIC, partition, 1).await.unwrap();
    // Until all of it lies there again, new facts are committed elsewhere.
    let (done, handle) = (AtomicBool::new(false), counter.handle());
    let meanwhile = async {
        while !done.load(Ordering::SeqCst) {
            total(&handle.submit("x", add(&other, 1)).await);
        }
    };
    let again = async {
        eventually("all of it lies there again", SOON, || async {
            sequences(&log("relay-i.", partition, again_from).await).contains(&ROWS)
        })
        .await;
        done.store(true, Ordering::SeqCst);
    };
    tokio::join!(meanwhile, again);
    let again = log("relay-i.", partition, again_from).await;
    let place = |sequence| {
        again
            .iter()
            .position(|lying| lying.sequence == Some(sequence))
    };
    let (begin, end) = (place(1).unwrap(), place(ROWS).unwrap());
    let marks = again[begin..end]
        .iter()
        .filter(|lying| lying.watermark.is_some());
    assert!(marks.count() > 0, "no watermark while it was sent again");
    let between = again[begin].sent_at..=again[end].sent_at;
    let elsewhere = log("relay-i.", partition_of(&other), 0).await;
    let mut facts = elsewhere.iter().filter(|lying| lying.sequence.is_some());
    assert!(
        facts.any(|fact| between.contains(&fact.sent_at)),
        "new facts waited for old ones"
    );

    // Nor does the end wait until everything was sent once more.
    let again_from = again.last().unwrap().offset + 1;
    admin.republish(TOPIC, partition, 1).await.unwrap();
    eventually("the relay has taken the request", SOON, || async {
        let mut db = PgConnection::connect(&source.owner_url).await.unwrap();
        sqlx::query_scalar::<_, bool>(
            "select not exists (select from fabric.cursor where republish_from is not null)",
        )
        .fetch_one(&mut db)
        .await
        .unwrap()
    })
    .await;
    counter.stop().await;
    let sent = sequences(&log("relay-i.", partition, again_from).await);
    assert!(!sent.contains(&ROWS), "stopping waited for the backlog");
}

#[tokio::test]
async fn a_lost_log_does_not_make_what_is_not_kept_look_as_if_it_had_never_been() {
    let (source, target) = (database().await, database().await);
    let partition = partition_of("k");
    let counter = start_counter(&source.service_url, config(brokers().await, "relay-j.")).await;
    for _ in 0..5 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    acknowledged(&counter, partition, 5).await;
    counter.stop().await;
    // All were dropped after their retention, and the broker's log is lost: another prefix has none.
    as_owner(&source, "delete from fabric.outbox").await;
    let elsewhere = config(brokers().await, "relay-k.");
    let counter = start_counter(&source.service_url, elsewhere.clone()).await;
    let newcomer = start_mirror(&target.service_url, elsewhere).await;
    let (admin, (_, other)) = (newcomer.admin(), neighbour_and_other("k"));
    eventually("the newcomer has read watermarks", SOON, || async {
        let status = admin.status().await.unwrap();
        let mut consumed = status.consumed.iter();
        let of_key = consumed.find(|at| at.partition == partition).unwrap();
        let knowledge = admin.knowledge().await.unwrap();
        of_key.known_head_sequence == 5 && knowledge.age(TOPIC, &other).is_some()
    })
    .await;
    let knowledge = admin.knowledge().await.unwrap();
    assert_eq!(knowledge.age(TOPIC, "k"), None, "five facts are unknown");
    let log = log("relay-k.", partition, 0).await;
    let mut marks = log.iter().filter_map(|lying| lying.watermark.as_ref());
    assert!(marks.all(|mark| mark.acked_sequence == 5 && mark.lowest_kept_sequence == 6));
    newcomer.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn foreign_records_at_the_end_of_a_partition_are_passed_over() {
    let settings = config(brokers().await, "relay-l.");
    let (source, target) = (database().await, database().await);
    let partition = partition_of("k");
    let counter = start_counter(&source.service_url, settings.clone()).await;
    for _ in 0..3 {
        total(&counter.handle().submit("x", add("k", 1)).await);
    }
    acknowledged(&counter, partition, 3).await;
    counter.stop().await;
    let name = fabric::topic_name("relay-l.", TOPIC);
    let stranger: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers().await)
        .create()
        .unwrap();
    for _ in 0..2 {
        let record: FutureRecord<'_, str, str> = FutureRecord::to(&name)
            .partition(partition.cast_signed())
            .payload("who am I?");
        stranger.send(record, SOON).await.unwrap();
    }
    let counter = start_counter(&source.service_url, settings.clone()).await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    acknowledged(&counter, partition, 4).await;
    assert_eq!(
        sequences(&log("relay-l.", partition, 0).await),
        [1, 2, 3, 4]
    );
    let mirror = start_mirror(&target.service_url, settings).await;
    eventually("its readers pass over them too", SOON, || async {
        stored(&target.service_url, "k").await == Some(4)
    })
    .await;
    mirror.stop().await;
    counter.stop().await;
}

#[tokio::test]
async fn the_cursor_does_not_move_while_the_broker_has_not_acknowledged() {
    // It wants two copies before it acknowledges, and there is one broker.
    topic_with("relay-n.", "min.insync.replicas", "2").await;
    let source = database().await;
    let counter = start_counter(&source.service_url, config(brokers().await, "relay-n.")).await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    let health = counter.health();
    eventually("the relay gives up waiting for it", SOON, || async {
        health.faults().contains_key("broker")
    })
    .await;
    let status = counter.admin().status().await.unwrap();
    assert!(status.produced.iter().all(|at| at.acked_sequence == 0));
    set_of_topic("relay-n.", "min.insync.replicas", "1").await;
    acknowledged(&counter, partition_of("k"), 1).await;
    counter.stop().await;
}

#[tokio::test]
async fn a_relay_whose_cursors_another_owns_moves_none_and_starts_again() {
    let source = database().await;
    let counter = start_counter(&source.service_url, config(brokers().await, "relay-o.")).await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    acknowledged(&counter, partition_of("k"), 1).await;
    // As one would that relays since this one's lock was lost, and has gone again.
    let another = Uuid::new_v4();
    let taken = format!(
        "create table moved (seq bigint, owner uuid);
         create function noted() returns trigger language plpgsql security definer as
         $$ begin insert into moved values (new.acked_seq, new.owner); return null; end $$;
         create trigger noted after update on fabric.cursor for each row
             when (new.acked_seq > old.acked_seq) execute function noted();
         update fabric.cursor set owner = '{another}'"
    );
    as_owner(&source, &taken).await;
    total(&counter.handle().submit("x", add("k", 1)).await);
    acknowledged(&counter, partition_of("k"), 2).await;
    let mut db = PgConnection::connect(&source.owner_url).await.unwrap();
    let moved_by: Vec<Uuid> = sqlx::query_scalar("select owner from moved")
        .fetch_all(&mut db)
        .await
        .unwrap();
    assert_eq!(moved_by.len(), 1);
    assert_ne!(moved_by, [another], "it moved what another owned");
    counter.stop().await;
}

#[tokio::test]
async fn what_is_committed_after_later_facts_of_other_partitions_is_sent_too() {
    let source = database().await;
    let settings = config(brokers().await, "relay-p.");
    let (late, (_, early)) = ("k", neighbour_and_other("k"));
    let active = start_counter(&source.service_url, settings.clone()).await;
    total(&active.handle().submit("x", add(late, 1)).await);
    acknowledged(&active, partition_of(late), 1).await;
    let standby = start_counter(&source.service_url, settings).await;
    // The batch waits behind its outbox rows: for another that stores an answer to the same request.
    let id = Uuid::new_v4();
    let same = format!("insert into fabric.answer values ('tester', '{id}', '', false, '', now())");
    let held = holding(&source, &format!("begin; {same}")).await;
    let handle = standby.handle();
    let waiting = tokio::spawn(async move { handle.submit("x", add_as(id, late, 1)).await });
    writers_wait(&source, 1).await;
    total(&active.handle().submit("x", add(&early, 1)).await);
    acknowledged(&active, partition_of(&early), 1).await;
    held.close().await.unwrap();
    total(&waiting.await.unwrap());
    acknowledged(&active, partition_of(late), 2).await;
    standby.stop().await;
    active.stop().await;
}
