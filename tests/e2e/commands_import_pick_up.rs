//! Journey A through the commands of its parties: a train brings a container, customs clears its goods, the
//! line and the terminal let it go, a truck takes it away.

use std::fs::{self, File};

use stack::process::Tied;

use crate::cargo::{Cargo, GREEN, HAULIER, codes, one};
use crate::site::{binary, until};
use crate::world::world;

#[test]
fn every_line_of_a_list_has_its_own_result() {
    let cargo = Cargo::new(GREEN);
    let list = cargo.write(
        "train.csv",
        &format!(
            "container_number,size_type,transport_document,line_party,packages,gross_mass_kg\n\
             {},22G1,{},line-a,500,150\n\
             CSQU3054384,22G1,{}-Y,line-a,ten,1\n\
             GRTU1234560,22G1,{}-X,line-a,1,1\n",
            cargo.container,
            cargo.transport_document,
            cargo.transport_document,
            cargo.transport_document
        ),
    );
    let arguments = [
        "rail",
        "announce",
        &list,
        "--conveyance",
        &cargo.train,
        "--eta",
        "2030-01-01T06:00:00Z",
    ];
    let first = cargo.site.run_json(&arguments).refused();
    assert!(first.stderr.contains("2 of 3 lines"), "{}", first.stderr);
    let [taken, unread, faulty] = first.objects().try_into().unwrap();
    assert_eq!(taken["outcome"], "LIST_LINE_OUTCOME_ACCEPTED");
    let visit = taken["container_visit_id"].as_str().unwrap();
    assert!(visit.contains(&cargo.container), "{visit}");
    assert_eq!(unread["outcome"], "LIST_LINE_OUTCOME_FAULTY");
    let paths = unread["faults"].as_array().unwrap().iter();
    let paths: Vec<_> = paths.map(|fault| &fault["path"]).collect();
    assert_eq!(
        paths,
        ["line 3, packages", "containers[1].container_number"]
    );
    assert_eq!(faulty["line_number"], 3);
    assert_eq!(faulty["outcome"], "LIST_LINE_OUTCOME_FAULTY");
    assert!(!codes(&faulty["faults"]).is_empty());
    let again = cargo.site.run_json(&arguments).refused();
    assert_eq!(again.objects()[0]["outcome"], "LIST_LINE_OUTCOME_REPEATED");
}

#[test]
fn a_barge_is_announced_as_a_train_is_from_json_too() {
    let cargo = Cargo::new(GREEN);
    let list = cargo.write(
        "barge.json",
        &format!(
            r#"[{{"container_number": "{}", "size_type": "22G1", "manifest_lines": [{{"transport_document": "{}", "line_party": "line-a"}}]}}]"#,
            cargo.container, cargo.transport_document
        ),
    );
    let barge = [
        "barge",
        "announce",
        &list,
        "--conveyance",
        &cargo.train,
        "--eta",
        "+2d",
    ];
    cargo.site.run(&barge).done();
    let visit = one(cargo
        .site
        .run_json(&["terminal", "show", &cargo.container])
        .done());
    assert_eq!(visit["arrival_mode"], "TRANSPORT_MODE_BARGE");
    assert_eq!(visit["phase"], "CONTAINER_VISIT_PHASE_ANNOUNCED");
}

#[test]
fn a_declaration_lodged_before_arrival_is_cleared_after_it() {
    let cargo = Cargo::new(GREEN);
    cargo.announce().done();
    let filed = cargo.lodge();
    assert_eq!(filed["outcome"], "registered", "{filed}");
    assert_eq!(filed["lrn"], cargo.lrn.as_str());
    let mrn = filed["mrn"].as_str().unwrap();
    cargo.arrive().done();
    until("the goods are cleared", || {
        cargo.declaration(mrn)["status"] == "DECLARATION_STATUS_CLEARED"
    });
    let inbox = cargo
        .site
        .run_json(&["broker", "inbox", "--declaration", mrn])
        .done();
    let names: Vec<_> = inbox
        .objects()
        .iter()
        .map(|notification| notification["name"].as_str().unwrap().to_owned())
        .collect();
    for name in ["DMSRCV", "DMSACC", "DMSTAX", "DMSCLE"] {
        assert!(names.iter().any(|told| told == name), "{name}: {names:?}");
    }
    assert!(inbox.stderr.contains("--from "), "{}", inbox.stderr);
}

#[test]
fn a_truck_is_blocked_until_everyone_has_acted_and_then_ready() {
    let cargo = Cargo::new(GREEN);
    cargo.announce().done();
    let filed = cargo.pre_arrive();
    assert_eq!(filed["state"], "PRE_ARRIVAL_STATE_BLOCKED");
    let id = filed["pre_arrival_id"].as_str().unwrap();
    until("why knows of the container", || {
        let why = cargo.site.run(&["why", &cargo.container]);
        why.code == 0 && why.stdout.contains("NOT_ARRIVED")
    });
    let mrn = cargo.lodge()["mrn"].as_str().unwrap().to_owned();
    cargo.arrive().done();
    until("the goods are cleared", || {
        cargo.declaration(&mrn)["status"] == "DECLARATION_STATUS_CLEARED"
    });
    cargo.until_missing(&["COMMERCIAL_RELEASE_MISSING", "NOT_AVAILABLE"]);
    let why = cargo.why("officer-1");
    let conditions = why["release"]["conditions"].as_array().unwrap();
    for condition in conditions {
        for field in ["who", "since", "description", "subject"] {
            let told = condition[field].as_str().unwrap_or_default();
            assert!(!told.is_empty(), "{field} is missing: {condition}");
        }
    }
    cargo.release_commercially().done();
    cargo.until_missing(&["NOT_AVAILABLE"]);
    let available = ["terminal", "available", &cargo.container];
    cargo.site.run(&available).done();
    cargo.until_ready(id);
    let told = cargo.site.run(&["why", &cargo.container, "--as", HAULIER]);
    assert!(
        told.done()
            .stdout
            .contains("may leave with haulier-a since"),
        "a person reads who may take it"
    );
}

#[test]
fn a_released_container_leaves_and_every_fact_stands_on_the_timeline() {
    let (cargo, mrn, id) = Cargo::expected(GREEN);
    let inside = one(cargo.check_in().done());
    assert_eq!(inside["state"], "TRUCK_VISIT_STATE_GATED_IN");
    let outside = one(cargo.check_out().done());
    assert_eq!(outside["state"], "TRUCK_VISIT_STATE_CLOSED");
    until("the release is consumed", || {
        cargo.why("officer-1")["release"]["state"] == "RELEASE_STATE_CONSUMED"
    });
    let facts = || {
        let entries = cargo
            .site
            .run_json(&["timeline", &cargo.container])
            .done()
            .objects();
        for entry in &entries {
            assert!(entry["observed_at"].is_string(), "{entry}");
            assert!(entry["recorded_at"].is_string(), "{entry}");
        }
        let names = entries
            .iter()
            .map(|entry| entry["fact"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    for fact in [
        "CONTAINER_VISIT_ANNOUNCED",
        "CONTAINER_VISIT_ARRIVED",
        "DECLARATION_CLEARED",
        "COMMERCIAL_RELEASE_GRANTED",
        "RELEASE_GRANTED",
        "PRE_ARRIVAL_READY",
        "TRUCK_VISIT_GATED_OUT",
        "CONTAINER_VISIT_DEPARTED",
    ] {
        until(&format!("{fact} stands on the timeline"), || {
            facts().iter().any(|told| told == fact)
        });
    }
    for subject in [mrn, format!("pre-arrival/{id}"), id] {
        cargo.site.run(&["timeline", &subject]).done();
    }
}

#[test]
fn a_commercial_release_that_is_taken_back_stops_the_truck() {
    let (cargo, _, id) = Cargo::expected(GREEN);
    cargo
        .site
        .run(&[
            "line",
            "revoke",
            "--transport-document",
            &cargo.transport_document,
            "--reason",
            "freight not paid",
        ])
        .done();
    until("the truck is blocked", || {
        cargo.pre_arrival(&id)["state"] == "PRE_ARRIVAL_STATE_BLOCKED"
    });
    cargo.until_missing(&["COMMERCIAL_RELEASE_MISSING"]);
}

#[test]
fn another_haulier_sees_nothing_of_it() {
    let (cargo, mrn) = Cargo::accepted(GREEN);
    let id = cargo.pre_arrive()["pre_arrival_id"]
        .as_str()
        .unwrap()
        .to_owned();
    for question in [
        ["haulier", "show", &id],
        ["why", "--", &cargo.container],
        ["timeline", "--", &mrn],
    ] {
        let mut arguments = vec!["--as", "haulier-b"];
        arguments.extend(question);
        let refused = cargo.site.run(&arguments).refused();
        assert!(refused.stderr.contains("NOT_FOUND"), "{}", refused.stderr);
    }
}

#[test]
fn a_filing_is_replaced_and_taken_back_without_naming_its_version() {
    let cargo = Cargo::new(GREEN);
    cargo.announce().done();
    let id = cargo.pre_arrive()["pre_arrival_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let replace = ["haulier", "replace", &id, "--plate", "渝E·99001"];
    let replaced = one(cargo.site.run_json(&replace).done());
    assert_eq!(replaced["vehicle"]["tractor"]["text"], "渝E·99001");
    let stale = ["haulier", "cancel", &id, "--expected-version", "1"];
    let refused = cargo.site.run(&stale).refused();
    assert!(
        refused.stderr.contains("STALE_VERSION"),
        "{}",
        refused.stderr
    );
    let cancelled = one(cargo.site.run_json(&["haulier", "cancel", &id]).done());
    assert_eq!(cancelled["state"], "PRE_ARRIVAL_STATE_CANCELLED");
}

#[test]
fn a_watch_goes_on_after_its_cursor_and_hears_what_happens() {
    let cargo = Cargo::new(GREEN);
    cargo.announce().done();
    let id = cargo.pre_arrive()["pre_arrival_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut cursor = String::new();
    let mut event_id = String::new();
    let text = |notice: Option<&serde_json::Value>, field: &str| {
        notice.map_or_else(String::new, |notice| {
            notice[field].as_str().unwrap().to_owned()
        })
    };
    until("the haulier is told that its truck is blocked", || {
        let stored = ["watch", "--as", HAULIER, "--stored"];
        let notices = cargo.site.run_json(&stored).done().objects();
        let found = notices.iter().find(|notice| {
            notice["fact"] == "PRE_ARRIVAL_BLOCKED"
                && notice["subject"].as_str().unwrap().contains(&id)
        });
        cursor = text(found, "cursor");
        event_id = text(found, "event_id");
        !cursor.is_empty()
    });
    let heard = cargo.write("heard.jsonl", "");
    let mut command = binary();
    command
        .args([
            "watch", "--as", HAULIER, "--from", &cursor, "--output", "json",
        ])
        .env("GREENLANE_STATE", cargo.site.state())
        .stdout(File::create(&heard).unwrap());
    let _watch = Tied::spawn(command).unwrap();
    cargo.site.run(&["haulier", "cancel", &id]).done();
    until("the watch hears of the cancellation", || {
        let told = fs::read_to_string(&heard).unwrap();
        told.contains("PRE_ARRIVAL_CANCELLED") && told.contains(&id)
    });
    let told = fs::read_to_string(&heard).unwrap();
    let repeated = told.contains(&format!("\"event_id\":\"{event_id}\""));
    assert!(
        !repeated,
        "what stands before the cursor is not told again: {told}"
    );
}

#[test]
fn a_faulty_filing_is_refused_with_all_its_faults() {
    let refused = world().run(&[
        "haulier",
        "pre-arrive",
        "--kind",
        "full-out",
        "--container",
        "GRTU1234560",
        "--plate",
        "12",
        "--driver",
        "Zhang Wei",
        "--licence",
        "500103198801012345",
        "--planned",
        "+30m",
    ]);
    let told = refused.refused().stderr;
    assert!(told.contains("containers[0]"), "{told}");
    assert!(told.contains("tractor"), "{told}");
}
