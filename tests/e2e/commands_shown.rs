//! What every command that shows or lists something prints: a table for people, with the heading and the row
//! that were asked for, and for machines the same things as one object a line.

use crate::cargo::{Cargo, GREEN, HAULIER, one};
use crate::site::{Site, until};

/// A listing or showing command, the first words of its table, and what machines find in which field.
struct Shown<'a> {
    command: &'a [&'a str],
    heading: &'a str,
    field: &'a str,
    value: &'a str,
}

#[track_caller]
fn check(site: &Site, shown: &Shown<'_>) {
    let objects = site.run_json(shown.command).done().objects();
    let found = objects.iter().any(|object| {
        object
            .pointer(&format!("/{}", shown.field))
            .is_some_and(|value| value == shown.value)
    });
    assert!(
        found,
        "{:?}: no {} in {objects:?}",
        shown.command, shown.value
    );
    let table = site.run(shown.command).done().stdout;
    assert!(
        table.contains(shown.heading),
        "{:?}: {table}",
        shown.command
    );
    assert!(table.contains(shown.value), "{:?}: {table}", shown.command);
    assert!(!table.contains('{'), "no JSON for people: {table}");
}

#[test]
fn what_is_listed_is_listed_for_people_and_for_machines() {
    let (cargo, mrn) = Cargo::accepted(GREEN);
    let site = cargo.site;
    let pre_arrival = cargo.pre_arrive()["pre_arrival_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let visit = one(site
        .run_json(&["terminal", "show", &cargo.container])
        .done());
    let visit = visit["container_visit_id"].as_str().unwrap();
    let book = site
        .run_json(&["trader", "book", "open", "--as", "trader-b"])
        .done();
    let book = one(book)["book_number"].as_str().unwrap().to_owned();
    until("release knows of the container", || {
        site.run(&["why", &cargo.container]).code == 0
    });
    for shown in [
        Shown {
            command: &["haulier", "list", "--container", &cargo.container],
            heading: "PRE-ARRIVAL",
            field: "pre_arrival_id",
            value: &pre_arrival,
        },
        Shown {
            command: &[
                "haulier",
                "list",
                "--in-state",
                "blocked",
                "--plate",
                &cargo.plate,
            ],
            heading: "IN THE WAY",
            field: "pre_arrival_id",
            value: &pre_arrival,
        },
        Shown {
            command: &["haulier", "show", &pre_arrival],
            heading: "must act",
            field: "haulier_party",
            value: HAULIER,
        },
        Shown {
            command: &["terminal", "list", "--conveyance", &cargo.train],
            heading: "CONTAINER VISIT",
            field: "container_visit_id",
            value: visit,
        },
        Shown {
            command: &[
                "terminal",
                "list",
                "--phase",
                "arrived",
                "--container",
                &cargo.container,
            ],
            heading: "TRANSPORT DOCUMENTS",
            field: "container_visit_id",
            value: visit,
        },
        Shown {
            command: &["terminal", "show", visit],
            heading: "container visit",
            field: "container_number",
            value: &cargo.container,
        },
        Shown {
            command: &["broker", "list", "--container", &cargo.container],
            heading: "MRN",
            field: "mrn",
            value: &mrn,
        },
        Shown {
            command: &["broker", "list", "--lrn", &cargo.lrn],
            heading: "STATUS",
            field: "lrn",
            value: &cargo.lrn,
        },
        Shown {
            command: &["broker", "show", &mrn],
            heading: "Goods of",
            field: "mrn",
            value: &mrn,
        },
        Shown {
            command: &["broker", "inbox", "--declaration", &mrn],
            heading: "NOTIFICATION",
            field: "name",
            value: "DMSACC",
        },
        Shown {
            command: &["officer", "queue", "--all", "--container", &cargo.container],
            heading: "CHANNEL",
            field: "mrn",
            value: &mrn,
        },
        Shown {
            command: &["officer", "show", &mrn],
            heading: "by broker-a",
            field: "mrn",
            value: &mrn,
        },
        Shown {
            command: &["why", &cargo.container],
            heading: "WHO MUST ACT",
            field: "release/container_visit_id",
            value: visit,
        },
        Shown {
            command: &["timeline", &cargo.container],
            heading: "HAPPENED",
            field: "fact",
            value: "CONTAINER_VISIT_ANNOUNCED",
        },
        Shown {
            command: &[
                "trader", "book", "list", "--as", "trader-b", "--limit", "1000",
            ],
            heading: "MOVEMENTS",
            field: "book_number",
            value: &book,
        },
        Shown {
            command: &["trader", "balance", "--as", "trader-a"],
            heading: "account of",
            field: "payer_party",
            value: "trader-a",
        },
        Shown {
            command: &["fabric", "status", "--service", "gate"],
            heading: "STOPPED BECAUSE",
            field: "service",
            value: "gate",
        },
        Shown {
            command: &["fabric", "verify", "--service", "bonded"],
            heading: "WRONG",
            field: "service",
            value: "bonded",
        },
    ] {
        check(site, &shown);
    }
}

#[test]
fn what_is_done_is_answered_for_people_and_for_machines() {
    let cargo = Cargo::new(GREEN);
    let site = cargo.site;
    let told = |arguments: &[&str], heading: &str| {
        let table = site.run(arguments).done().stdout;
        assert!(table.contains(heading), "{arguments:?}: {table}");
    };
    cargo.announce().done();
    let arrive = [
        "rail",
        "arrive",
        "--conveyance",
        &cargo.train,
        "--container",
        &cargo.container,
    ];
    told(&[&arrive[..], &["--check"]].concat(), "accepted");
    told(&arrive, "OUTCOME");
    let release = ["line", "release", &cargo.transport_document, HAULIER];
    told(&[&release[..], &["--check"]].concat(), HAULIER);
    let released = one(site.run_json(&release).done());
    assert_eq!(released["state"], "COMMERCIAL_RELEASE_STATE_GRANTED");
    let id = released["commercial_release_id"].as_str().unwrap();
    told(
        &["line", "revoke", id, "--reason", "freight not paid"],
        "revoked",
    );
    told(&["terminal", "available", &cargo.container], "yes");
    let not = [
        "terminal",
        "available",
        &cargo.container,
        "--not",
        "--reason",
        "under three others",
    ];
    assert_eq!(one(site.run_json(&not).done())["available"], false);
    let hold = one(site
        .run_json(&[
            "terminal",
            "hold",
            &cargo.container,
            "--kind",
            "safety",
            "--reason",
            "it leaks",
        ])
        .done());
    assert_eq!(hold["kind"], "HOLD_KIND_SAFETY");
    let hold = hold["hold_id"].as_str().unwrap();
    told(
        &["terminal", "lift", hold, "--reason", "only rain"],
        "only rain",
    );
    told(
        &[
            "trader",
            "pay",
            "1.00",
            "GBP",
            "--reference",
            "TOLD",
            "--as",
            "trader-b",
        ],
        "balance",
    );
}

#[test]
fn what_was_noticed_is_read_by_people_and_counted_by_machines() {
    let cargo = Cargo::new(GREEN);
    cargo.announce().done();
    cargo.pre_arrive();
    let watch = ["watch", "--as", HAULIER, "--stored"];
    let mut told = String::new();
    until("the haulier is told", || {
        told = cargo.site.run(&watch).done().stdout;
        told.lines()
            .any(|line| line.contains(" PRE_ARRIVAL_BLOCKED "))
    });
    assert!(
        told.contains("must act"),
        "who must act stands below: {told}"
    );
    let two = cargo
        .site
        .run_json(&[&watch[..], &["--limit", "2"]].concat());
    let two = two.done();
    assert_eq!(two.objects().len(), 2);
    assert!(
        two.stderr.contains("To go on from here: --from "),
        "{}",
        two.stderr
    );
}
