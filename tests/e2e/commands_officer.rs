//! The officer's commands that change a declaration's course: another control, a decision on what a control
//! found, another channel, goods matched by hand, goods seen where no container says so, goods detained, a
//! declaration made void; and a trader's guarantee.

use std::fs;

use serde_json::Value;

use crate::cargo::{Cargo, GREEN, RED, one};
use crate::site::until;
use crate::world::world;

/// What an officer does, and the declaration after it.
fn officer(cargo: &Cargo, arguments: &[&str]) -> Value {
    one(cargo
        .site
        .run_json(&[&["officer"], arguments].concat())
        .done())
}

/// The kinds of the controls that are open.
fn open_controls(declaration: &Value) -> Vec<String> {
    let controls = declaration["controls"].as_array().unwrap();
    controls
        .iter()
        .filter(|control| control["done_at"].is_null())
        .map(|control| control["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn another_control_is_opened_and_what_it_found_is_decided_by_an_officers_release() {
    let (cargo, mrn) = Cargo::accepted(RED);
    let open = [
        "control",
        "open",
        &mrn,
        "--kind",
        "agency",
        "--reason",
        "batteries inside",
    ];
    let opened = officer(&cargo, &open);
    assert_eq!(
        open_controls(&opened),
        [
            "CONTROL_KIND_DOCUMENTS",
            "CONTROL_KIND_PHYSICAL",
            "CONTROL_KIND_AGENCY"
        ]
    );
    let shown = cargo.site.run(&["officer", "show", &mrn]).done().stdout;
    assert!(shown.contains(&mrn), "{shown}");
    assert!(
        shown.contains("of agency: open, the goods wait for it. batteries inside"),
        "{shown}"
    );
    let queue = cargo.site.run(&["officer", "queue", "--mrn", &mrn]).done();
    assert!(queue.stdout.contains("under control"), "{}", queue.stdout);

    let release = ["release", &mrn, "--reason", "it is only two cells"];
    let early = [&["officer"], &release[..]].concat();
    let early = cargo.site.run(&early).refused();
    assert!(early.stderr.contains("NOT_RELEASABLE"), "{}", early.stderr);
    for (kind, result) in [
        ("documents", "conform"),
        ("physical", "conform"),
        ("agency", "not-conform"),
    ] {
        let done = [
            "control",
            "done",
            &mrn,
            kind,
            "--result",
            result,
            "--reason",
            "looked at",
        ];
        officer(&cargo, &done);
    }
    let waiting = officer(&cargo, &["show", &mrn]);
    assert_ne!(waiting["status"], "DECLARATION_STATUS_CLEARED");
    let released = officer(&cargo, &release);
    assert_eq!(released["status"], "DECLARATION_STATUS_CLEARED");
}

#[test]
fn another_channel_withdraws_the_controls_that_risk_asked_for() {
    let (cargo, mrn) = Cargo::accepted(RED);
    let reroute = ["reroute", &mrn, "green", "--reason", "a trusted trader"];
    let stale = [&["officer"], &reroute[..], &["--expected-version", "99"]].concat();
    let stale = cargo.site.run(&stale).refused();
    assert!(stale.stderr.contains("STALE_VERSION"), "{}", stale.stderr);
    let rerouted = officer(&cargo, &reroute);
    assert_eq!(rerouted["channel"], "CHANNEL_GREEN");
    assert_eq!(open_controls(&rerouted), Vec::<String>::new());
    assert_eq!(rerouted["status"], "DECLARATION_STATUS_CLEARED");
    let again = [&["officer"], &reroute[..]].concat();
    let again = cargo.site.run(&again).refused();
    assert!(again.stderr.contains("ALREADY_CLEARED"), "{}", again.stderr);
}

#[test]
fn goods_that_do_not_agree_with_the_manifest_are_matched_by_an_officer() {
    let cargo = Cargo::new(GREEN);
    let manifest = cargo.write(
        "train.csv",
        &format!(
            "container_number,size_type,transport_document,line_party,packages\n{},22G1,{},line-a,7\n",
            cargo.container, cargo.transport_document
        ),
    );
    let announced = one(cargo
        .site
        .run_json(&[
            "rail",
            "announce",
            &manifest,
            "--conveyance",
            &cargo.train,
            "--eta",
            "+1h",
        ])
        .done());
    let visit = announced["container_visit_id"].as_str().unwrap();
    let mrn = cargo.lodge()["mrn"].as_str().unwrap().to_owned();
    cargo.arrive().done();
    let matched = |state: &str| {
        let declaration = officer(&cargo, &["show", &mrn]);
        declaration["consignments"][0]["match"] == state
    };
    until("customs sees that the packages differ", || {
        matched("MATCH_STATE_MISMATCH")
    });
    let shown = cargo.site.run(&["officer", "show", &mrn]).done().stdout;
    assert!(shown.contains("are mismatch"), "{shown}");
    let overridden = officer(
        &cargo,
        &[
            "match",
            "override",
            &mrn,
            visit,
            "--transport-document",
            &cargo.transport_document,
            "--reason",
            "packed on seven pallets",
        ],
    );
    assert_eq!(
        overridden["consignments"][0]["match"],
        "MATCH_STATE_OVERRIDDEN"
    );
    until("the goods are cleared", || {
        cargo.declaration(&mrn)["status"] == "DECLARATION_STATUS_CLEARED"
    });
}

#[test]
fn goods_in_no_container_are_presented_by_an_officer() {
    let cargo = Cargo::new(GREEN);
    let text = fs::read_to_string(cargo.document()).unwrap();
    let (before, rest) = text.split_once("<TransportEquipment>").unwrap();
    let (_, after) = rest.split_once("</TransportEquipment>").unwrap();
    // Lodged before the goods are there; whether they are, no container visit can say.
    let loose =
        format!("{before}{after}").replace("<TypeCode>IMA</TypeCode>", "<TypeCode>IMD</TypeCode>");
    let path = cargo.write("loose.xml", &loose);
    let filed = one(cargo.site.run(&["broker", "file", &path]).done());
    assert_eq!(filed["outcome"], "registered", "{filed}");
    let mrn = filed["mrn"].as_str().unwrap();
    let present = ["officer", "present", mrn, "--reason", "seen in shed 4"];
    let presented = one(cargo.site.run_json(&present).done());
    assert!(presented["accepted_at"].is_string(), "{presented}");
    let shown = cargo.site.run(&["officer", "show", mrn]).done().stdout;
    assert!(shown.contains("by officer-1"), "{shown}");
}

#[test]
fn detained_goods_go_nowhere_until_the_detention_ends() {
    let (cargo, mrn) = Cargo::accepted(GREEN);
    until("the goods are cleared", || {
        cargo.declaration(&mrn)["status"] == "DECLARATION_STATUS_CLEARED"
    });
    let detain = ["detain", &mrn, "--reason", "counterfeits are suspected"];
    let detained = officer(&cargo, &detain);
    assert_eq!(detained["status"], "DECLARATION_STATUS_DETAINED");
    let again = cargo.site.run(&[&["officer"], &detain[..]].concat());
    let again = again.refused().stderr;
    assert!(again.contains("ALREADY_DETAINED"), "{again}");
    cargo.let_go();
    let why = || cargo.why("officer-1");
    until("release knows of the detention", || {
        let missing = cargo.missing();
        why()["may_leave"] == false && missing.iter().any(|code| code == "GOODS_DETAINED")
    });
    let end = ["end-detention", &mrn, "--reason", "they are genuine"];
    let ended = officer(&cargo, &end);
    assert_eq!(ended["status"], "DECLARATION_STATUS_CLEARED");
    let again = cargo.site.run(&[&["officer"], &end[..]].concat());
    let again = again.refused().stderr;
    assert!(again.contains("NOT_DETAINED"), "{again}");
    until("the container may leave", || {
        why()["release"]["state"] == "RELEASE_STATE_GRANTED"
    });
}

#[test]
fn a_declaration_is_void_once_gate_has_answered_that_nothing_has_left() {
    let (cargo, mrn) = Cargo::accepted(GREEN);
    let invalidate = ["invalidate", &mrn, "--reason", "filed twice"];
    let stale = [&["officer"], &invalidate[..], &["--expected-version", "99"]].concat();
    let stale = cargo.site.run(&stale).refused().stderr;
    assert!(stale.contains("STALE_VERSION"), "{stale}");
    let asked = officer(&cargo, &invalidate);
    let void = asked["status"] == "DECLARATION_STATUS_INVALIDATED";
    assert!(void || asked["invalidation_asked"] == true, "{asked}");
    until("gate has answered", || {
        cargo.declaration(&mrn)["status"] == "DECLARATION_STATUS_INVALIDATED"
    });
    let again = cargo.site.run(&[&["officer"], &invalidate[..]].concat());
    let again = again.refused().stderr;
    assert!(again.contains("DECLARATION_VOID"), "{again}");
}

#[test]
fn an_officer_sets_what_a_traders_guarantee_covers_and_the_trader_sees_it() {
    let seen = || {
        let arguments = ["trader", "guarantee", "--as", "trader-b"];
        one(world().run_json(&arguments).done())
    };
    let before = seen()["version"].as_u64().unwrap();
    let set = |amount: &str, extra: &[&str]| {
        let arguments = ["officer", "guarantee", "trader-b", amount, "GBP"];
        let reason = ["--reason", "letter of the bank"];
        world().run_json(&[&arguments[..], &reason, extra].concat())
    };
    let after = one(set("120000.50", &[]).done());
    assert_eq!(after, seen());
    assert_eq!(after["version"].as_u64(), Some(before + 1));
    assert_eq!(after["amount"]["units"], 120_000);
    assert_eq!(after["amount"]["nanos"], 500_000_000);
    let table = ["trader", "guarantee", "--trader", "trader-b", "--as"];
    let shown = world().run(&[&table[..], &["officer-1"]].concat());
    let shown = shown.done().stdout;
    assert!(shown.contains("120000.50 GBP"), "{shown}");
    // Another trader's is nobody's business.
    world().run(&[&table[..], &["trader-a"]].concat()).refused();
    let stale = set("1.00", &["--expected-version", "999"]).refused();
    assert!(stale.stderr.contains("STALE_VERSION"), "{}", stale.stderr);
    assert_eq!(set("much", &[]).code, 2);
}
