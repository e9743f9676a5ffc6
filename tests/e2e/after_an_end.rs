//! After an end: whatever ends is started again or goes on where it was left, nothing outlives `up`, and nothing
//! is lost by whatever kills it.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde_json::Value;

use crate::site::{Process, Site, document, until};

/// A site of these tests, which ends with the last of those that run at once.
type Shared = Mutex<Weak<Mutex<Site>>>;
/// Here `up` itself ends, ...
static ITSELF: Shared = Shared::new(Weak::new());
/// ... and here what it looks after.
static PARTS: Shared = Shared::new(Weak::new());

/// The site, started for the first. Each test has it for itself as long as it locks it: it ends something of it.
fn shared(place: &Shared) -> Arc<Mutex<Site>> {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    place.upgrade().unwrap_or_else(|| {
        let site = Arc::new(Mutex::new(Site::start()));
        *place = Arc::downgrade(&site);
        site
    })
}

/// A test that failed may have left it stopped.
fn alone(site: &Mutex<Site>) -> MutexGuard<'_, Site> {
    let mut site = site.lock().unwrap_or_else(PoisonError::into_inner);
    if !site.runs() {
        site.start_again();
    }
    site
}

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

/// `up` is ready when nothing that they could know of each other is unknown.
fn every_service_knows_the_others(site: &Site) {
    for status in site.run_json(&["status"]).done().objects() {
        let knowledge = status["knowledge"].as_array().unwrap();
        let known = |source: &Value| source["age_millis"].is_u64();
        assert!(knowledge.iter().all(known), "{status}");
    }
}

#[test]
fn kill_9_of_up_leaves_no_child_and_loses_nothing() {
    let site = shared(&ITSELF);
    let mut site = alone(&site);
    let (declaration, _) = file(&site);
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
    every_service_knows_the_others(&site);
    assert_eq!(file(&site), (declaration, true));
}

#[test]
fn ctrl_c_stops_in_order_and_an_old_folder_goes_on() {
    let site = shared(&ITSELF);
    let mut site = alone(&site);
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
    let site = shared(&PARTS);
    let site = alone(&site);
    let killed = site.service("release");
    killed.kill();
    until("release is dead", || !killed.lives());
    until("all are ready again", || site.run(&["status"]).code == 0);
    assert_ne!(site.service("release"), killed);
    assert!(site.told().contains("release ended"), "{}", site.told());
}

#[test]
fn a_kafka_that_ends_while_it_is_being_started_again_is_started_once_more() {
    let site = shared(&PARTS);
    let site = alone(&site);
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
