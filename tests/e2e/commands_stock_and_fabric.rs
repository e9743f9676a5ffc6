//! The trader's and the operator's commands: books, stock on both clocks, the deferment account, mandates, and the
//! exchange of facts between the services.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cargo::{Cargo, GREEN, on_record, one};
use crate::site::until;
use crate::world::world;

#[test]
fn a_trader_opens_a_book_and_adds_a_line() {
    let book = one(world()
        .run_json(&["trader", "book", "open", "--as", "trader-b"])
        .done());
    let number = book["book_number"].as_str().unwrap();
    assert_eq!(number.len(), 12);
    let line = one(world()
        .run_json(&[
            "trader",
            "book",
            "line",
            number,
            "--hs",
            "8471.30",
            "--goods",
            "portable computers",
            "--units",
            "NAR,KGM",
            "--as",
            "trader-b",
        ])
        .done());
    assert_eq!(line["line_number"], 1);
    assert_eq!(line["units"]["statutory_2"], "KGM");
    let shown = world()
        .run_json(&["trader", "book", "show", number, "--as", "trader-b"])
        .done();
    assert_eq!(shown.objects().len(), 2, "the book and its line");
    let refused = world().run(&["trader", "book", "show", number, "--as", "trader-a"]);
    assert!(refused.refused().stderr.contains("NOT_FOUND"));
}

#[test]
fn stock_as_of_an_earlier_recording_does_not_change() {
    let stock = |extra: &[&str]| {
        let mut arguments = vec!["trader", "stock", "--as", "trader-a"];
        arguments.extend(extra);
        world().run_json(&arguments).done().objects()
    };
    until("the opening stock is there", || !stock(&[]).is_empty());
    let row = stock(&[]).remove(0);
    let recorded = row["recorded_at"].as_str().unwrap().to_owned();
    let book = row["book_number"].as_str().unwrap();
    let then = stock(&["--book", book, "--recorded-by", &recorded]);
    assert!(then.contains(&row), "{row} is not among {then:?}");
    assert!(stock(&["--as-of", "1999-01-01T00:00:00Z"]).is_empty());
    let lines = stock(&["--book", book, "--by-line"]);
    assert!(lines.iter().all(|row| row["lot"].is_null()), "{lines:?}");
    let movements = ["trader", "movements", book, "--as", "trader-a"];
    let movements = world().run_json(&movements).done().objects();
    assert_eq!(movements[0]["ordinal"], 1);
}

#[test]
fn a_payment_stands_on_the_account() {
    world()
        .run(&[
            "trader",
            "pay",
            "125.00",
            "GBP",
            "--reference",
            "BANK-E2E",
            "--as",
            "trader-b",
        ])
        .done();
    // Other tests charge the same account meanwhile.
    let account = ["trader", "balance", "--as", "trader-b"];
    let account = one(world().run_json(&account).done());
    let entries = account["entries"].as_array().unwrap();
    let paid: Vec<&Value> = entries
        .iter()
        .filter(|entry| entry["reference"] == "BANK-E2E")
        .collect();
    assert_eq!(paid.len(), 1, "{account}");
    assert_eq!(paid[0]["kind"], "PAID_IN");
    assert_eq!(paid[0]["amount"]["units"].as_i64(), Some(125));
    let wrong = world().run(&["trader", "pay", "many", "GBP", "--reference", "x"]);
    assert_eq!(wrong.code, 2);
}

#[test]
fn the_exchange_of_facts_is_shown_for_every_service_and_its_chains_hold() {
    let status = world().run_json(&["fabric", "status"]).done().objects();
    let services: BTreeSet<_> = status
        .iter()
        .map(|status| status["service"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(services.len(), 4, "{services:?}");
    let verified = world().run_json(&["fabric", "verify"]).done().objects();
    assert_eq!(verified.len(), 4);
    let none = serde_json::json!([]);
    for found in verified {
        for wrong in ["breaks", "missing", "unknown"] {
            assert_eq!(found[wrong], none, "{found}");
        }
        assert_eq!(found["topics_unread_because"], "", "{found}");
        assert_ne!(found["records"], "0", "{found}");
    }
    let parked = ["fabric", "parked", "list", "--topic", "gate.site"];
    assert_eq!(world().run_json(&parked).done().stdout, "");
    let told = world().run(&parked).done().stdout;
    assert_eq!(told, "Nothing is parked.\n");
}

#[test]
fn what_was_done_and_tried_is_on_record_signed_and_published() {
    let denied = [
        "--as",
        "trader-a",
        "fabric",
        "status",
        "--service",
        "customs",
    ];
    assert_ne!(world().run(&denied).code, 0);
    Cargo::accepted(GREEN);
    let tried = || {
        let listed = [
            "audit",
            "list",
            "customs",
            "--refused",
            "--party",
            "trader-a",
        ];
        let listed = world().run_json(&listed).done().objects();
        listed
            .into_iter()
            .find(|entry| entry["attempt"]["reason"] == "ROLE_REQUIRED")
    };
    until("the attempt is on record", || tried().is_some());
    let attempt = tried().unwrap();
    assert_eq!(attempt["attempt"]["method"], "GetFabricStatus");
    assert_eq!(attempt["attempt"]["address"], "127.0.0.1");
    let filed = world().run(&["audit", "list", "customs"]).done().stdout;
    assert!(filed.contains("FileDocument"), "{filed}");
    let verified = world().run_json(&["audit", "verify"]).done().objects();
    assert_eq!(verified.len(), 4);
    for found in verified {
        assert_eq!(found["faults"], serde_json::json!([]), "{found}");
        assert_eq!(found["unsigned"], 0, "{found}");
        assert!(found["published"].as_u64() > Some(0), "{found}");
    }
    // A key that signed none of it.
    let other = tempfile::tempdir().unwrap();
    let (_, public) = chassis::development_audit_key(other.path()).unwrap();
    let key = public.to_string_lossy();
    let doubted = world().run(&["audit", "verify", "gate", "--key", &key]);
    assert_eq!(doubted.code, 1);
    assert!(
        doubted.stdout.contains("which was not given"),
        "{doubted:?}"
    );
}

#[test]
fn what_was_published_can_be_sent_again_and_changes_nothing() {
    let (cargo, mrn) = Cargo::accepted(GREEN);
    let before = cargo.declaration(&mrn)["version"].clone();
    for partition in 0..8 {
        let partition = partition.to_string();
        world()
            .run(&[
                "fabric",
                "republish",
                "gate",
                "--topic",
                "gate.container-visit",
                "--partition",
                &partition,
                "--from-sequence",
                "1",
            ])
            .done();
    }
    on_record(world(), "gate", "Republish");
    // Whatever comes after the repetition on the same way has passed it.
    cargo.let_go();
    until("release has heard", || {
        !cargo.missing().iter().any(|code| code == "NOT_AVAILABLE")
    });
    let now = cargo.declaration(&mrn)["version"].clone();
    assert!(now.as_u64() >= before.as_u64());
    let refused = world().run(&[
        "--as",
        "trader-a",
        "fabric",
        "republish",
        "gate",
        "--topic",
        "gate.container-visit",
        "--partition",
        "0",
        "--from-sequence",
        "1",
    ]);
    assert!(refused.refused().stderr.contains("ROLE_REQUIRED"));
}

#[test]
fn a_mandate_is_given_passed_on_listed_and_ends_with_what_it_came_from() {
    let grant = |agent: &str, extra: &[&str]| {
        let mut arguments = vec!["mandate", "grant", agent, "file-stock-list"];
        arguments.extend(extra);
        one(world().run_json(&arguments).done())
    };
    let id = |mandate: &Value| mandate["mandate_id"].as_str().unwrap().to_owned();
    // Of goods that nobody has, for the other tests of this site.
    let given = grant("broker-b", &["--goods", "9999", "--may-be-passed-on", "1"]);
    let given = id(&given);
    let passed_on = grant("haulier-b", &["--pass-on", &given, "--as", "broker-b"]);
    assert_eq!(passed_on["grantor_party"], "trader-a");
    assert_eq!(passed_on["passed_on_by_party"], "broker-b");
    assert_eq!(passed_on["goods"][0], "9999");
    let passed_on = id(&passed_on);
    let held = |extra: &[&str]| {
        let mut arguments = vec!["mandate", "list", "--as", "haulier-b"];
        arguments.extend(extra);
        let mandates = world().run_json(&arguments).done().objects();
        mandates.iter().any(|mandate| id(mandate) == passed_on)
    };
    assert!(held(&[]));
    let further = [
        "mandate",
        "grant",
        "haulier-a",
        "carry",
        "--pass-on",
        &passed_on,
        "--as",
        "haulier-b",
    ];
    let refused = world().run(&further);
    assert!(refused.refused().stderr.contains("MANDATE_INVALID"));
    let revoke = ["mandate", "revoke", &given, "--reason", "another broker"];
    assert!(one(world().run_json(&revoke).done())["revoked_at"].is_string());
    assert!(!held(&[]) && held(&["--ended"]));
}
