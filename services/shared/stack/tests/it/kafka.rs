//! The broker: installed once, always on its port.

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use stack::{Stack, StackOptions, for_tests};

use crate::support::{Parent, files_mapped_in, open_folder, wait_until_deserted};

/// The id of the broker's log, which formatting makes anew.
fn cluster_id(folder: &Path) -> String {
    let meta =
        fs::read_to_string(folder.join("kafka").join("log").join("meta.properties")).unwrap();
    meta.lines()
        .find_map(|line| line.strip_prefix("cluster.id="))
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn the_broker_comes_back_on_its_port_after_stop_kill_and_wipe() {
    let (_room, folder) = open_folder();
    let mut stack = Stack::start(StackOptions {
        durable_jvm: false,
        ..StackOptions::lasting(&folder)
    })
    .await
    .unwrap();
    let brokers = stack.brokers().unwrap().to_owned();
    let log = cluster_id(&folder);

    stack.stop_kafka().await.unwrap();
    assert!(TcpStream::connect(&brokers).is_err());
    assert_eq!(stack.kafka_pid(), None);
    stack.stop_kafka().await.unwrap();
    stack.start_kafka().await.unwrap();
    stack.start_kafka().await.unwrap();
    TcpStream::connect(&brokers).unwrap();

    stack.kill_kafka().await.unwrap();
    assert!(TcpStream::connect(&brokers).is_err());
    stack.start_kafka().await.unwrap();
    TcpStream::connect(&brokers).unwrap();
    assert_eq!(cluster_id(&folder), log, "a crash loses nothing");

    stack.wipe_kafka().await.unwrap();
    TcpStream::connect(&brokers).unwrap();
    assert_ne!(cluster_id(&folder), log, "a wiped broker is a new one");
    assert_eq!(stack.brokers(), Some(brokers.as_str()));

    stack.stop().await.unwrap();
    wait_until_deserted(&folder).await;
}

#[tokio::test]
async fn tests_share_one_broker_that_starts_when_asked_for() {
    let stack = for_tests().await;
    let (one, two) = tokio::join!(stack.kafka(), stack.kafka());
    assert_eq!(one, two);
    TcpStream::connect(one).unwrap();
}

#[tokio::test]
async fn two_starts_at_once_fetch_kafka_once_and_share_no_port_and_their_end_makes_the_next_faster()
{
    let (room, _) = open_folder();
    let cache = room.path().canonicalize().unwrap().join("cache");
    let mut parents = ["one", "two"].map(|name| {
        Parent::begin(&room.path().join(name), |command| {
            command.env("XDG_CACHE_HOME", &cache);
        })
    });
    for parent in &mut parents {
        parent.ready().await;
    }
    let fetched = parents
        .iter()
        .filter(|parent| parent.output().contains("fetching Kafka"))
        .count();
    assert_eq!(fetched, 1);
    let [one, two] = &parents;
    assert_ne!(one.kafka, two.kafka);
    assert_ne!(one.postgres, two.postgres);
    for parent in &mut parents {
        parent.terminate().await;
    }
    wait_until_deserted(room.path()).await;

    let third = room.path().join("three");
    let mut next = Parent::start(&third, |command| {
        command.env("XDG_CACHE_HOME", &cache);
    })
    .await;
    let formatted = |folder: &Path| folder.join("logs").join("kafka-format.log").exists();
    assert!(formatted(&room.path().join("one")));
    assert!(!formatted(&third), "by a virtual machine of its own");
    let mapped = files_mapped_in(&third.join("kafka"));
    let cached = |file: &String| file.starts_with(cache.to_str().unwrap());
    let classes = mapped
        .iter()
        .any(|file| cached(file) && file.ends_with(".jsa"));
    assert!(classes, "{mapped:?}");
    next.terminate().await;
}
