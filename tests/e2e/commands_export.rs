//! The export drop-off through everyone's commands: the broker lodges, the haulier files its laden container on
//! the declaration, the lane lets it in, the rail or barge desk loads it and says that the train or barge has left.

use serde_json::Value;

use crate::cargo::{Cargo, EXPORT, codes, one};
use crate::site::{Output, until};

/// An export that is lodged and whose truck may come: the cargo, its MRN and its pre-arrival.
fn expected() -> (Cargo, String, String) {
    let cargo = Cargo::new(EXPORT);
    let filed = cargo.lodge();
    assert_eq!(filed["outcome"], "registered", "{filed}");
    let mrn = filed["mrn"].as_str().unwrap().to_owned();
    let id = cargo.pre_arrive_with_export(&mrn)["pre_arrival_id"]
        .as_str()
        .unwrap()
        .to_owned();
    cargo.until_ready(&id);
    (cargo, mrn, id)
}

/// An export whose container a truck has brought: the cargo, its MRN and the truck visit.
fn brought() -> (Cargo, String, Value) {
    let (cargo, mrn, _) = expected();
    let truck = one(cargo.check_in_with_export().done());
    (cargo, mrn, truck)
}

/// A desk, `rail` or `barge`, says something of this container and its train or barge.
fn desk(desk: &str, cargo: &Cargo, act: &str) -> Output {
    cargo.site.run_json(&[
        desk,
        act,
        "--conveyance",
        &cargo.train,
        "--container",
        &cargo.container,
    ])
}

#[test]
fn an_export_is_brought_on_its_declaration_and_accepted_when_it_comes() {
    let (cargo, mrn, id) = expected();
    let shown = cargo.site.run(&["haulier", "show", &id]).done().stdout;
    assert!(shown.contains("full in"), "{shown}");
    assert!(shown.contains(&mrn), "{shown}");
    assert!(
        shown.contains("seals CN1, verified mass 2260 KGM"),
        "{shown}"
    );
    let truck = one(cargo.check_in_with_export().done());
    assert_eq!(truck["state"], "TRUCK_VISIT_STATE_GATED_IN");
    let stay = cargo.container_visit();
    assert_eq!(stay["phase"], "CONTAINER_VISIT_PHASE_ARRIVED");
    assert_eq!(stay["arrived_with_truck_visit_id"], truck["truck_visit_id"]);
    assert_eq!(stay["document_references"][0], mrn.as_str());
    assert_eq!(stay["verified_mass"]["value"], "2260");
    let table = ["terminal", "show", &cargo.container];
    let table = cargo.site.run(&table).done().stdout;
    assert!(table.contains(&mrn), "{table}");
    until("customs has accepted", || {
        cargo.declaration(&mrn)["accepted_at"].is_string()
    });
    let declaration = cargo.declaration(&mrn);
    assert_eq!(declaration["exit"], "EXIT_STATE_NONE", "{declaration}");
    // The truck leaves without its container, which stays.
    let plate = ["gate", "check-out", "--plate", &cargo.plate];
    let left = one(cargo.site.run_json(&plate).done());
    assert_eq!(left["state"], "TRUCK_VISIT_STATE_CLOSED");
    assert_eq!(left["completion"], "COMPLETION_OBSERVED");
    // Once more, as if its coming had not been recorded: it has no goods, so the barrier opens.
    let told = cargo.site.run(&plate).done().stdout;
    assert!(told.contains("Outcome: let out"), "{told}");
    assert!(told.contains("never let in"), "{told}");
    assert_eq!(
        cargo.container_visit()["phase"],
        "CONTAINER_VISIT_PHASE_ARRIVED"
    );
}

#[test]
fn a_full_in_says_its_mass_and_declaration_or_is_refused_whole() {
    let cargo = Cargo::new(EXPORT);
    let filed = |extra: &[&str]| {
        let mut arguments = vec![
            "haulier",
            "pre-arrive",
            "--kind",
            "full-in",
            "--container",
            &cargo.container,
            "--plate",
            &cargo.plate,
            "--driver",
            "Zhang Wei",
            "--licence",
            "500103198801012345",
            "--planned",
            "+30m",
        ];
        arguments.extend(extra);
        cargo.site.run(&arguments)
    };
    let told = filed(&[]).refused().stderr;
    assert!(told.contains("verified_mass"), "{told}");
    assert!(told.contains("document_references"), "{told}");
    let two = ["--container", "GRTU1234560", "--verified-mass", "2260"];
    let misused = filed(&two);
    assert_eq!(misused.code, 2, "{misused:?}");
    assert!(misused.stderr.contains("verified="), "{misused:?}");
}

#[test]
fn a_mistaken_check_in_is_taken_back_and_the_filing_is_open_again() {
    let (cargo, _, id) = expected();
    let truck = one(cargo.check_in_with_export().done());
    let truck = truck["truck_visit_id"].as_str().unwrap();
    let reason = ["--reason", "the plate was misread"];
    let correct = [&["gate", "correct", truck], &reason[..]].concat();
    let stale = [&correct[..], &["--expected-version", "999"]].concat();
    let stale = cargo.site.run(&stale).refused();
    assert!(stale.stderr.contains("STALE_VERSION"), "{}", stale.stderr);
    let corrected = one(cargo.site.run_json(&correct).done());
    assert_eq!(corrected["state"], "TRUCK_VISIT_STATE_CLOSED");
    let shown = cargo.site.run(&["gate", "show", truck]).done().stdout;
    assert!(shown.contains("Barrier in taken back"), "{shown}");
    cargo.until_ready(&id);
    let again = one(cargo.check_in_with_export().done());
    assert_eq!(again["state"], "TRUCK_VISIT_STATE_GATED_IN");
    assert_ne!(again["truck_visit_id"], truck);
}

#[test]
fn a_barrier_that_the_site_does_not_have_is_refused() {
    let cargo = Cargo::new(EXPORT);
    let check_in = ["gate", "check-in", "--plate", &cargo.plate];
    let second = [&check_in[..], &["--barrier", "2"]].concat();
    let told = cargo.site.run(&second).refused().stderr;
    assert!(told.contains("barrier_number"), "{told}");
}

#[test]
fn what_is_held_is_not_loaded_and_stays_when_the_barge_leaves_until_it_is_lifted() {
    let (cargo, _, _) = brought();
    let hold = ["terminal", "hold", &cargo.container, "--reason", "leaking"];
    let hold = one(cargo.site.run_json(&hold).done());
    let refused = desk("barge", &cargo, "load").refused();
    assert!(
        refused.stderr.contains("1 of 1 lines may not be loaded"),
        "{}",
        refused.stderr
    );
    let line = one(refused);
    assert_eq!(line["outcome"], "LIST_LINE_OUTCOME_REFUSED");
    let missing = codes(&line["conditions"]);
    assert!(
        missing.iter().any(|code| code == "TERMINAL_HOLD"),
        "{missing:?}"
    );
    let list = cargo.write(
        "lifted.csv",
        &format!("container_number,seals_found\n{},CN1\n", cargo.container),
    );
    let load = ["barge", "load", &list, "--conveyance", &cargo.train];
    let told = cargo.site.run(&load).refused().stdout;
    assert!(
        told.contains(&format!("{} - TERMINAL_HOLD on", cargo.container)),
        "{told}"
    );
    let left = desk("barge", &cargo, "depart").refused();
    assert!(left.stderr.contains("were not loaded"), "{}", left.stderr);
    assert_eq!(one(left)["outcome"], "LIST_LINE_OUTCOME_NOT_LOADED");
    let stay = cargo.container_visit();
    assert_eq!(stay["phase"], "CONTAINER_VISIT_PHASE_ARRIVED");
    assert_eq!(stay["loaded_on"], "");
    let empty = cargo.write("departed.csv", "container_number\n");
    let empty = ["barge", "depart", &empty, "--conveyance", &cargo.train];
    let told = cargo.site.run(&empty).refused().stderr;
    assert!(told.contains("names no container"), "{told}");

    let hold = hold["hold_id"].as_str().unwrap();
    let lift = ["terminal", "lift", hold, "--reason", "repacked"];
    cargo.site.run(&lift).done();
    // What release made of the hold may reach gate after the lift, and takes the container off again until
    // release has heard of the lift too.
    until("it is loaded and has left", || {
        let loaded = desk("barge", &cargo, "load").code == 0;
        loaded && desk("barge", &cargo, "depart").code == 0
    });
    let stay = cargo.container_visit();
    assert_eq!(stay["phase"], "CONTAINER_VISIT_PHASE_DEPARTED");
    assert_eq!(stay["departure_conveyance"], cargo.train.as_str());
}

#[test]
fn an_export_that_may_be_loaded_leaves_by_train_and_has_exited() {
    let (cargo, mrn, _) = brought();
    until("it may be loaded", || {
        let why = cargo.site.run(&["why", &cargo.container]);
        why.code == 0 && why.stdout.contains("may be loaded since")
    });
    let why = cargo.site.run(&["why", &cargo.container]).done().stdout;
    let goods = format!("declared by {mrn}; customs has released it\n");
    assert!(why.contains(&goods), "no line lets it be collected: {why}");
    until("it is loaded", || desk("rail", &cargo, "load").code == 0);
    assert_eq!(
        one(desk("rail", &cargo, "load").done())["outcome"],
        "LIST_LINE_OUTCOME_REPEATED"
    );
    assert_eq!(cargo.container_visit()["loaded_on"], cargo.train.as_str());
    // Without a list all that was loaded has left.
    let depart = ["rail", "depart", "--conveyance", &cargo.train];
    let left = one(cargo.site.run_json(&depart).done());
    assert_eq!(left["container_number"], cargo.container.as_str());
    let stay = cargo.container_visit();
    assert_eq!(stay["phase"], "CONTAINER_VISIT_PHASE_DEPARTED");
    assert_eq!(stay["departure_conveyance"], cargo.train.as_str());
    until("the goods have left for customs too", || {
        cargo.declaration(&mrn)["exit"] == "EXIT_STATE_EXITED"
    });
    let shown = cargo.site.run(&["broker", "show", &mrn]).done().stdout;
    assert!(shown.contains("exited"), "{shown}");
}
