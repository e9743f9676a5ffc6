//! `up`: what it publishes, that it goes on where it was left, that nothing outlives it, and that nothing
//! is lost by whatever kills it.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::site::{Output, Process, Site, binary, document, until, world};

const SERVICES: [&str; 4] = ["gate", "customs", "bonded", "release"];

/// Files a declaration and gives what a restart must not change, and whether it was filed before.
fn file(site: &Site) -> (Value, bool) {
    let path = document("TT_IM109a/TT_IM109a.xml");
    let answers = site.run_json(&["broker", "file", &path]).done().objects();
    let [answer] = answers.as_slice() else {
        panic!("one answer is expected: {answers:?}");
    };
    let id = answer["declaration_id"].clone();
    assert!(id.is_string(), "{answer}");
    (id, answer["repeated"] == true)
}

fn until_none_lives(children: &BTreeSet<Process>) {
    assert!(
        children.len() >= 6,
        "four services, PostgreSQL and Kafka: {children:?}"
    );
    until("no child lives", || !children.iter().any(Process::lives));
}

#[test]
fn up_publishes_endpoints_and_every_service_is_ready() {
    let site = world();
    let endpoints = site.endpoints().unwrap();
    for service in SERVICES {
        for kind in ["grpc", "admin"] {
            let url = endpoints[service][kind].as_str().unwrap();
            assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        }
        assert!(
            endpoints["postgres"][service]
                .as_str()
                .unwrap()
                .starts_with("postgres://")
        );
    }
    assert!(
        endpoints["kafka"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    assert_eq!(endpoints["issuer"], "https://greenlane.invalid/development");

    let status = site.run_json(&["status"]).done().objects();
    let services: Vec<&str> = status
        .iter()
        .map(|one| one["service"].as_str().unwrap())
        .collect();
    assert_eq!(services, SERVICES);
    assert!(status.iter().all(|one| one["ready"] == true), "{status:?}");
    let table = site.run(&["status"]).done().stdout;
    assert!(table.starts_with("SERVICE"), "{table}");
}

#[test]
fn every_service_learns_how_old_its_knowledge_of_the_others_is() {
    let site = world();
    until("all knowledge has an age", || {
        let status = site.run_json(&["status"]).done().objects();
        status.iter().all(|one| {
            let knowledge = one["knowledge"].as_array().unwrap();
            knowledge.iter().all(|source| source["age_millis"].is_u64())
        })
    });
}

#[test]
fn a_second_up_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let site = world();
    let second = Output::of(binary().args(["up", "--state"]).arg(site.state())).refused();
    let pid = format!("pid {}", site.pid());
    assert!(
        second.stderr.contains("another `up` runs in"),
        "{}",
        second.stderr
    );
    assert!(second.stderr.contains(&pid), "{}", second.stderr);
    assert!(site.endpoints().is_some(), "the first's endpoints are gone");
    site.run(&["status"]).done();
}

#[test]
fn kill_9_of_up_leaves_no_child_and_loses_nothing() {
    let mut site = Site::start();
    let (declaration, repeated) = file(&site);
    assert!(!repeated);
    let children = site.children();
    site.kill();
    until_none_lives(&children);

    let unreachable = site.run(&["broker", "list"]).refused();
    assert!(
        unreachable.stderr.contains("UNREACHABLE"),
        "{}",
        unreachable.stderr
    );

    site.start_again();
    assert_eq!(file(&site), (declaration, true));
}

#[test]
fn ctrl_c_stops_in_order_and_an_old_folder_goes_on() {
    let mut site = Site::start();
    let before = site.endpoints().unwrap();
    let (declaration, _) = file(&site);
    let children = site.children();

    assert_eq!(site.interrupt(), Some(0), "{}", site.told());
    until_none_lives(&children);
    assert!(site.endpoints().is_none(), "endpoints of what does not run");
    let told = site.told();
    let place = |line: &str| {
        told.find(line)
            .unwrap_or_else(|| panic!("{line} is not in {told}"))
    };
    assert!(
        place("stopping the services") < place("stopping Kafka and PostgreSQL"),
        "{told}"
    );
    assert!(
        place("stopping Kafka and PostgreSQL") < place("\nstopped"),
        "{told}"
    );
    let postgres = fs::read_to_string(site.state().join("logs/postgres.log")).unwrap();
    assert!(
        postgres.contains("database system is shut down"),
        "{postgres}"
    );

    site.start_again();
    assert_eq!(site.endpoints().unwrap(), before, "ports are kept");
    assert_eq!(file(&site), (declaration, true));
}

#[test]
fn a_service_that_is_killed_is_started_again() {
    let site = Site::start();
    let killed = site.service("release");
    killed.kill();
    until("release is dead", || !killed.lives());
    until("all are ready again", || site.run(&["status"]).code == 0);
    assert_ne!(site.service("release"), killed);
    assert!(site.told().contains("release ended"), "{}", site.told());
}

#[test]
fn a_kafka_that_ends_while_it_is_being_started_again_is_started_once_more() {
    let site = Site::start();
    let first = site.kafka().unwrap();
    first.kill();
    let mut second = None;
    until("Kafka is being started again", || {
        second = site.kafka().filter(|process| *process != first);
        second.is_some()
    });
    let second = second.unwrap();
    second.kill();
    until("it is started once more", || {
        site.kafka()
            .is_some_and(|process| process != first && process != second)
    });
    until("all are ready again", || site.run(&["status"]).code == 0);
}
