//! `demo`: plays the five journeys to their ends on a deployment of its own, and tells machines what the services
//! said. What happens in a journey is its own business; that its end was reached is judged here from what was read
//! back.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::site::{Output, binary};

/// The journeys, and the states in which each must end.
const JOURNEYS: [(&str, &[(&str, &str)]); 5] = [
    (
        "import-pick-up",
        &[
            ("container_visit", "DEPARTED"),
            ("release", "CONSUMED"),
            ("declaration", "CLEARED"),
        ],
    ),
    (
        "export-drop-off",
        &[
            ("container_visit", "DEPARTED"),
            ("release", "CONSUMED"),
            ("truck_visit", "CLOSED"),
            ("exit", "EXITED"),
        ],
    ),
    (
        "into-bond",
        &[
            ("container_visit", "DEPARTED"),
            ("second_container_visit", "ARRIVED"),
            ("transfer", "CONSUMED"),
            ("stock_list", "POSTED"),
            ("open_discrepancies", "0"),
            ("debt", "SUSPENDED"),
        ],
    ),
    (
        "out-of-bond",
        &[
            ("container_visit", "DEPARTED"),
            ("exit", "CONSUMED"),
            ("stock_list", "POSTED"),
            ("declaration", "CLEARED"),
        ],
    ),
    (
        "not-today",
        &[
            ("container_visit", "DEPARTED"),
            ("release", "CONSUMED"),
            ("declaration", "CLEARED"),
        ],
    ),
];

/// What every fact says.
const MEMBERS: [&str; 8] = [
    "journey",
    "service",
    "party",
    "fact",
    "subject",
    "observed_at",
    "recorded_at",
    "event_id",
];

#[test]
fn the_demo_plays_five_journeys_to_their_ends_and_tells_each_fact_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("facts.jsonl");
    let json = path.to_str().unwrap();
    let shown = Output::of(binary().args(["demo", "--json", json])).done();
    let last = shown.stdout.lines().last().unwrap();
    assert!(last.starts_with("All five journeys"), "{last}");

    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (summary, facts) = lines.split_last().unwrap();
    let played = summary["summary"]["journeys"].as_array().unwrap();
    assert_eq!(played.len(), JOURNEYS.len(), "{summary}");
    for (journey, (name, states)) in played.iter().zip(JOURNEYS) {
        assert_eq!(journey["name"], name);
        assert_eq!(journey["reached"], true, "{journey}");
        for (state, wanted) in states {
            assert_eq!(journey["final"][state], *wanted, "{name}: {state}");
        }
        let of_journey = facts.iter().filter(|fact| fact["journey"] == name);
        assert!(of_journey.count() > 20, "{name} has few facts");
    }

    let mut told = BTreeSet::new();
    for fact in facts {
        for member in MEMBERS {
            assert!(fact[member].is_string(), "{member} is missing: {fact}");
        }
        let id = fact["event_id"].as_str().unwrap();
        assert!(id.starts_with("greenlane."), "{fact}");
        assert!(
            told.insert((fact["journey"].to_string(), id)),
            "{fact} stands twice"
        );
    }
    let services = facts.iter().map(|fact| fact["service"].as_str().unwrap());
    assert_eq!(
        services.collect::<BTreeSet<_>>(),
        BTreeSet::from(["bonded", "customs", "gate", "release"])
    );
    both_clocks(&played[3]["final"]);
}

/// Bonded rule 8: what was answered for an earlier time of recording is answered again, whatever came late.
#[track_caller]
fn both_clocks(ending: &Value) {
    let stock = |name: &str| {
        ending[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {ending}"))
    };
    assert_eq!(stock("stock_as_answered"), stock("stock_asked_again"));
    assert_ne!(stock("stock_as_answered"), stock("stock_as_known_now"));
}
