//! Journey E through the commands of its parties: customs looks closer, two holds come on top, and the truck
//! comes all the same.

use serde_json::Value;

use crate::cargo::{Cargo, RED, codes, one};
use crate::site::{greenlane, until};

const CONTROLS: [&str; 2] = ["DOCUMENTS_CONTROL_OPEN", "PHYSICAL_CONTROL_OPEN"];

/// Everything is done but what customs asks for; the pre-arrival and the MRN.
fn only_customs_is_missing() -> (Cargo, String, String) {
    let (cargo, mrn) = Cargo::accepted(RED);
    let id = cargo.pre_arrive()["pre_arrival_id"]
        .as_str()
        .unwrap()
        .to_owned();
    cargo.let_go();
    cargo.until_missing(&CONTROLS);
    (cargo, mrn, id)
}

fn done(cargo: &Cargo, mrn: &str, control: &str) -> Value {
    one(cargo
        .site
        .run_json(&[
            "officer",
            "control",
            "done",
            mrn,
            control,
            "--result",
            "conform",
            "--reason",
            "as declared",
        ])
        .done())
}

#[test]
fn why_names_two_customs_conditions_and_the_officer_as_the_one_to_act() {
    let (cargo, mrn, _) = only_customs_is_missing();
    let why = cargo.why("officer-1");
    for condition in why["release"]["conditions"].as_array().unwrap() {
        assert_eq!(condition["who"], "officer", "{condition}");
    }
    let queue = cargo.site.run_json(&["officer", "queue", "--mrn", &mrn]);
    assert_eq!(one(queue.done())["channel"], "CHANNEL_RED");
}

#[test]
fn controls_are_ended_by_their_kind_and_then_the_truck_may_come() {
    let (cargo, mrn, id) = only_customs_is_missing();
    done(&cargo, &mrn, "documents");
    cargo.until_missing(&["PHYSICAL_CONTROL_OPEN"]);
    let cleared = done(&cargo, &mrn, "physical");
    assert_eq!(cleared["status"], "DECLARATION_STATUS_CLEARED");
    cargo.until_ready(&id);
    let again = cargo.site.run(&[
        "officer", "control", "done", &mrn, "physical", "--result", "conform", "--reason", "x",
    ]);
    assert!(again.refused().stderr.contains("No physical control"));
}

#[test]
fn lifting_one_hold_lifts_no_other() {
    let (cargo, mrn, id) = only_customs_is_missing();
    let hold = |arguments: &[&str]| {
        let hold = one(cargo.site.run_json(arguments).done());
        hold["hold_id"].as_str().unwrap().to_owned()
    };
    let t1 = hold(&[
        "terminal",
        "hold",
        &cargo.container,
        "--reason",
        "T1: damaged",
    ]);
    let h1 = hold(&[
        "officer",
        "hold",
        &cargo.container,
        "--reason",
        "H1: the seal",
    ]);
    cargo.until_missing(&[CONTROLS[0], CONTROLS[1], "TERMINAL_HOLD", "CUSTOMS_HOLD"]);
    until("gate knows of both holds", || {
        let known = codes(&cargo.pre_arrival(&id)["conditions"]);
        ["TERMINAL_HOLD", "CUSTOMS_HOLD"]
            .iter()
            .all(|code| known.iter().any(|told| told == code))
    });

    let turned_away = cargo.check_in().refused();
    let [visit] = turned_away.objects().try_into().unwrap();
    assert_eq!(visit["state"], "TRUCK_VISIT_STATE_TURNED_AWAY");
    let reasons = codes(&visit["conditions"]);
    for reason in ["TERMINAL_HOLD", "CUSTOMS_HOLD"] {
        assert!(reasons.iter().any(|told| told == reason), "{reasons:?}");
    }

    done(&cargo, &mrn, "documents");
    done(&cargo, &mrn, "physical");
    cargo
        .site
        .run(&["officer", "lift", &h1, "--reason", "the seal is in order"])
        .done();
    cargo.until_missing(&["TERMINAL_HOLD"]);
    cargo
        .site
        .run(&["terminal", "lift", &t1, "--reason", "only paint"])
        .done();
    cargo.until_ready(&id);
}

#[test]
fn an_inspection_ordered_after_gate_in_keeps_the_truck_inside() {
    let (cargo, mrn, id) = only_customs_is_missing();
    done(&cargo, &mrn, "documents");
    done(&cargo, &mrn, "physical");
    cargo.until_ready(&id);
    let visit = one(cargo.check_in().done());
    let visit = visit["truck_visit_id"].as_str().unwrap();
    let officer = |arguments: &[&str]| {
        let mut all = vec!["--as", "officer-1", "gate", "inspect"];
        all.extend(arguments);
        one(cargo.site.run_json(&all).done())
    };
    let recalled = officer(&["order", visit, "--reason", "density not declared"]);
    assert_eq!(recalled["state"], "TRUCK_VISIT_STATE_RECALLED");
    let sites = recalled["inspections"][0]["steps"]
        .as_array()
        .unwrap()
        .len();
    let refused = cargo.check_out().refused();
    assert!(refused.stderr.contains("not let out"), "{}", refused.stderr);
    for _ in 0..sites {
        officer(&["record", visit, "--result", "passed"]);
    }
    let outside = one(cargo.check_out().done());
    assert_eq!(outside["state"], "TRUCK_VISIT_STATE_CLOSED");
}

#[test]
fn an_officer_acts_with_a_reason_or_not_at_all() {
    for act in [
        &["control", "open", "D", "--kind", "physical"][..],
        &["control", "done", "D", "physical", "--result", "conform"],
        &["hold", "GRTU0000012"],
        &["lift", "H"],
        &["release", "D"],
        &["reroute", "D", "green"],
        &["match", "override", "D", "V"],
        &["present", "D"],
    ] {
        let mut arguments = vec!["officer"];
        arguments.extend(act);
        let refused = greenlane(&arguments);
        assert_eq!(refused.code, 2, "{act:?}: {refused:?}");
        assert!(refused.stderr.contains("--reason"), "{}", refused.stderr);
    }
}
