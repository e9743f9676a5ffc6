//! The gate's commands for a truck that a lane does not let through by itself: put before a person, weighed
//! again, inspected; each time read by people and by machines.

use crate::cargo::{Cargo, GREEN, codes, one};
use crate::site::until;

/// A cargo whose truck is inside, and its truck visit.
fn inside() -> (Cargo, String) {
    let (cargo, ..) = Cargo::expected(GREEN);
    let visit = one(cargo.check_in().done());
    let id = visit["truck_visit_id"].as_str().unwrap().to_owned();
    (cargo, id)
}

#[test]
fn a_person_lets_in_the_truck_of_a_driver_who_did_not_say_for_whom_he_comes() {
    let (cargo, ..) = Cargo::expected(GREEN);
    let site = cargo.site;
    let arrived = site.run_json(&[
        "gate",
        "check-in",
        "--plate",
        &cargo.plate,
        "--container",
        &cargo.container,
        "--weight",
        "15200",
    ]);
    let arrived = arrived.refused();
    let visit = one(arrived.clone());
    assert_eq!(visit["state"], "TRUCK_VISIT_STATE_MANUAL_REVIEW");
    assert_eq!(codes(&visit["conditions"]), ["CARRIER_UNKNOWN"]);
    let id = visit["truck_visit_id"].as_str().unwrap();
    let way_out = format!("greenlane gate review {id} --verdict let-in|turn-away");
    assert!(arrived.stderr.contains(&way_out), "{}", arrived.stderr);

    let waiting = [
        "gate",
        "list",
        "--in-state",
        "manual-review",
        "--plate",
        &cargo.plate,
    ];
    assert_eq!(one(site.run_json(&waiting).done())["truck_visit_id"], id);
    let table = site.run(&waiting).done().stdout;
    assert!(table.starts_with("TRUCK VISIT"), "{table}");
    assert!(table.contains("manual review"), "{table}");

    let wrong = [
        "gate",
        "review",
        id,
        "--verdict",
        "let-out",
        "--reason",
        "x",
    ];
    let wrong = site.run(&wrong).refused();
    assert!(
        wrong.stderr.contains("NOTHING_TO_DECIDE"),
        "{}",
        wrong.stderr
    );
    let review = [
        "gate",
        "review",
        id,
        "--verdict",
        "let-in",
        "--reason",
        "he showed the waybill",
    ];
    let told = site.run(&review).done().stdout;
    assert!(told.contains("gated in"), "{told}");
    let shown = site.run(&["gate", "show", id]).done().stdout;
    assert!(
        shown.contains("Barrier in opened") && shown.contains("because he showed the waybill"),
        "{shown}"
    );
    let shown = one(site.run_json(&["gate", "show", id]).done());
    assert_eq!(shown["state"], "TRUCK_VISIT_STATE_GATED_IN");
    assert_eq!(shown["admissions"][0]["reason"], "he showed the waybill");
}

#[test]
fn a_weight_that_is_not_what_was_filed_is_decided_by_a_person_on_the_way_out() {
    let (cargo, ..) = Cargo::expected(GREEN);
    let site = cargo.site;
    // Another filing of the same container names the mass of the goods in it; the first is taken back.
    let listed = ["haulier", "list", "--container", &cargo.container];
    let first = one(site.run_json(&listed).done());
    let first = first["pre_arrival_id"].as_str().unwrap();
    site.run(&["haulier", "cancel", first]).done();
    let container = format!("{},mass=2400", cargo.container);
    let filed = one(site
        .run_json(&[
            "haulier",
            "pre-arrive",
            "--kind",
            "full-out",
            "--container",
            &container,
            "--plate",
            &cargo.plate,
            "--driver",
            "Zhang Wei",
            "--licence",
            "500103198801012345",
            "--planned",
            "+30m",
        ])
        .done());
    cargo.until_ready(filed["pre_arrival_id"].as_str().unwrap());
    let visit = one(cargo.check_in().done());
    let id = visit["truck_visit_id"].as_str().unwrap();

    let heavy = site.run_json(&[
        "gate",
        "check-out",
        id,
        "--container",
        &cargo.container,
        "--weight",
        "39000",
    ]);
    let heavy = heavy.refused();
    let way_out = format!("greenlane gate review {id} --verdict let-out|keep-in");
    assert!(heavy.stderr.contains(&way_out), "{}", heavy.stderr);
    let reasons = codes(&one(heavy)["conditions"]);
    assert_eq!(reasons, ["WEIGHT_OUT_OF_TOLERANCE"]);

    let weigh = |extra: &[&str]| {
        let weigh = ["gate", "weigh", id, "--barrier", "out"];
        site.run_json(&[&weigh[..], extra].concat())
    };
    let refused = weigh(&["--weight", "heavy"]).refused();
    assert!(refused.stderr.contains("weight"), "{}", refused.stderr);
    let none = one(weigh(&[]).done());
    assert!(
        none["weight_out"].is_null(),
        "no reading is none, not zero: {none}"
    );
    let weighed = one(weigh(&["--weight", "39000.5"]).done());
    assert_eq!(weighed["weight_out"]["value"], "39000.5");
    let table = site.run(&["gate", "show", id]).done().stdout;
    assert!(table.contains("39000.5 KGM"), "{table}");

    let review = [
        "gate",
        "review",
        id,
        "--verdict",
        "let-out",
        "--reason",
        "the scale stood in water",
    ];
    let outside = one(site.run_json(&review).done());
    assert_eq!(outside["state"], "TRUCK_VISIT_STATE_CLOSED");
}

#[test]
fn an_inspection_is_ended_by_the_party_that_ordered_it_and_by_no_other() {
    let (cargo, id) = inside();
    let site = cargo.site;
    let inspect = |party: &str, arguments: &[&str]| {
        let inspect = ["--as", party, "gate", "inspect"];
        site.run_json(&[&inspect[..], arguments].concat())
    };
    let order = [
        "order",
        &id,
        "--at-site",
        "SCANNER",
        "--reason",
        "the seal looks cut",
    ];
    let recalled = one(inspect("terminal", &order).done());
    assert_eq!(recalled["state"], "TRUCK_VISIT_STATE_RECALLED");
    let table = site.run(&["gate", "show", &id]).done().stdout;
    assert!(table.contains("the seal looks cut"), "{table}");
    assert!(table.contains("- SCANNER: not yet"), "{table}");

    let end = ["end", &id, "--reason", "the seal is whole"];
    let refused = inspect("officer-1", &end).refused();
    assert!(
        refused.stderr.contains("INSPECTION_NOT_YOURS"),
        "{}",
        refused.stderr
    );
    let ended = one(inspect("terminal", &end).done());
    assert_eq!(ended["state"], "TRUCK_VISIT_STATE_GATED_IN");
    assert_eq!(ended["inspections"][0]["end_reason"], "the seal is whole");
    let nothing = inspect("terminal", &end).refused();
    assert!(
        nothing.stderr.contains("no such open inspection"),
        "{}",
        nothing.stderr
    );
    let outside = one(cargo.check_out().done());
    assert_eq!(outside["state"], "TRUCK_VISIT_STATE_CLOSED");
}

#[test]
fn a_truck_is_seen_once_however_often_the_lane_reads_it() {
    let (cargo, id) = inside();
    let again = one(cargo.check_in().done());
    assert_eq!(again["truck_visit_id"], id.as_str());
    let table = cargo
        .site
        .run(&["gate", "list", "--plate", &cargo.plate])
        .done()
        .stdout;
    assert_eq!(table.lines().count(), 2, "a heading and one visit: {table}");
    cargo.check_out().done();
    until("the visit is over", || {
        let closed = [
            "gate",
            "list",
            "--in-state",
            "closed",
            "--plate",
            &cargo.plate,
        ];
        !cargo.site.run_json(&closed).done().stdout.is_empty()
    });
}
