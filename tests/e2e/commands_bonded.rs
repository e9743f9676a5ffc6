//! Stock lists through the commands of trader, broker and operator: filed, reserved, approved, refused, void asked,
//! explained. Each test has a book of its own, so that tests share a site without meeting.

use std::fs;

use serde_json::Value;

use crate::cargo::{Cargo, GREEN, HAULIER, codes, one};
use crate::site::{Output, document, until};
use crate::world::world;

/// A new book of trader-a with one line in pieces, kilograms and pieces.
fn book() -> String {
    // By then bonded has heard of the traders.
    seeded("trader-a", "BOOKTRADERA1");
    let book = one(world().run_json(&["trader", "book", "open"]).done());
    let number = book["book_number"].as_str().unwrap().to_owned();
    world()
        .run(&[
            "trader",
            "book",
            "line",
            &number,
            "--hs",
            "4202.1219",
            "--goods",
            "vanity cases",
            "--units",
            "NAR,KGM,NAR",
        ])
        .done();
    number
}

fn file(direction: &str, book: &str, line: &str, extra: &[&str]) -> Output {
    let mut arguments = vec![
        "trader", "list", "file", direction, book, "--lrn", "E2E-BOND", "--line", line,
    ];
    arguments.extend(extra);
    world().run_json(&arguments)
}

fn number(list: &Value) -> String {
    list["list_number"].as_str().unwrap().to_owned()
}

fn declared(amount: &Value) -> &str {
    amount["declared"]["value"].as_str().unwrap()
}

/// Waits until the seeded books hold their opening stock.
fn seeded(trader: &str, book: &str) -> Vec<Value> {
    let stock = || {
        let arguments = ["trader", "stock", "--as", trader, "--book", book];
        let output = world().run_json(&arguments);
        if output.code == 0 {
            output.objects()
        } else {
            Vec::new()
        }
    };
    until("the opening stock is there", || !stock().is_empty());
    stock()
}

#[test]
fn an_increase_is_filed_approved_and_expected() {
    let book = book();
    let checked = one(file("increase", &book, "1=50:NAR,150:KGM,50:NAR", &["--check"]).done());
    assert_eq!(checked["list_number"], "");
    let list = one(file("increase", &book, "1=50:NAR,150:KGM,50:NAR", &[]).done());
    let number = number(&list);
    assert_eq!(number.len(), 18);
    assert_eq!(list["state"], "STOCK_LIST_STATE_FILED");
    assert_eq!(
        codes(&list["conditions"]),
        [
            "LIST_NOT_APPROVED",
            "DECLARATION_MISSING",
            "GOODS_NOT_PASSED"
        ]
    );
    let approved = one(world()
        .run_json(&["operator", "list", "approve", &number])
        .done());
    assert_eq!(approved["state"], "STOCK_LIST_STATE_APPROVED");
    let again = world().run(&["operator", "list", "approve", &number]);
    assert!(again.refused().stderr.contains("STOCK_LIST_STATE"));
    let stock = ["trader", "stock", "--book", &book, "--by-line"];
    let row = one(world().run_json(&stock).done());
    assert_eq!(declared(&row["totals"]["incoming"]), "50");
    assert_eq!(declared(&row["totals"]["available"]), "0");
    let movements = world()
        .run_json(&["trader", "movements", &book])
        .done()
        .objects();
    assert_eq!(movements[0]["cause"]["kind"], "CAUSE_KIND_LIST_LINE");
    // For people, a table.
    let shown = world()
        .run(&["trader", "list", "show", &number])
        .done()
        .stdout;
    assert!(shown.contains("GOODS_NOT_PASSED"), "{shown}");
}

#[test]
fn all_faults_of_a_list_are_told_at_once() {
    let book = book();
    let refused = file("increase", &book, "7=0:NAR,150:KGM", &[]);
    let told = refused.refused().stderr;
    for code in ["STOCK_LIST_INVALID", "QUANTITY_ZERO", "QUANTITY_INVALID"] {
        assert!(told.contains(code), "{code}: {told}");
    }
    let misused = file("increase", &book, "seven pieces", &[]);
    assert_eq!(misused.code, 2);
}

#[test]
fn a_decrease_is_reserved_by_a_broker_or_refused_with_what_is_available() {
    let rows = seeded("trader-b", "BOOKTRADERB1");
    assert!(!rows.is_empty());
    let file = |line: &str, party: &str| {
        let arguments = [
            "trader",
            "list",
            "file",
            "decrease",
            "BOOKTRADERB1",
            "--lrn",
            "E2E-OUT",
            "--line",
            line,
            "--as",
            party,
        ];
        world().run_json(&arguments)
    };
    let refused = file("1=999999:NAR", "trader-b").refused().stderr;
    assert!(refused.contains("STOCK_NOT_AVAILABLE"), "{refused}");
    assert!(refused.contains("is available"), "{refused}");
    // The trader and its mandate are heard of one after the other.
    let mut filed = None;
    until("the broker may file for the trader", || {
        let output = file("1=1:NAR", "broker-b");
        filed = (output.code == 0).then_some(output);
        filed.is_some()
    });
    assert_eq!(one(filed.unwrap())["filer_party"], "broker-b");
    let other = file("1=1:NAR", "trader-a").refused().stderr;
    assert!(other.contains("NOT_FOUND"), "{other}");

    let list = one(file("1=55:NAR", "trader-b").done());
    assert_eq!(list["state"], "STOCK_LIST_STATE_RESERVED");
    let lot = &list["lines"][0]["lots"][0];
    assert_eq!(lot["lot_id"], "BOOKTRADERB1/1/1");
    // 55 of 5,500 pieces, and so 1 of 100 kilograms.
    assert_eq!(lot["provisional"]["statutory_1"]["value"], "1");
    let number = number(&list);
    let asked = one(world()
        .run_json(&[
            "trader",
            "list",
            "void",
            &number,
            "--reason",
            "order cancelled",
            "--as",
            "trader-b",
        ])
        .done());
    assert_eq!(asked["state"], "STOCK_LIST_STATE_VOID_ASKED");
    assert_ne!(asked["void_ask_id"], "");
    let listed = [
        "trader",
        "list",
        "list",
        "--as",
        "trader-b",
        "--book",
        "BOOKTRADERB1",
    ];
    let listed = world().run_json(&listed).done().objects();
    assert!(
        listed
            .iter()
            .any(|one| one["list_number"] == number.as_str())
    );
}

#[test]
fn the_operator_looks_counts_and_is_refused_what_cannot_be_done() {
    let book = book();
    let list = one(file("increase", &book, "1=10:NAR,30:KGM,10:NAR", &[]).done());
    let number = number(&list);
    let filed = ["operator", "list", "list", "--in", "filed", "--book", &book];
    assert_eq!(world().run_json(&filed).done().objects().len(), 1);
    world()
        .run(&["operator", "list", "approve", &number])
        .done();
    let nothing = [
        "operator",
        "list",
        "close-short",
        &number,
        "--reason",
        "cancelled",
    ];
    assert!(
        world()
            .run(&nothing)
            .refused()
            .stderr
            .contains("STOCK_LIST_NOTHING_PASSED")
    );

    // Counted nine: the list and its discrepancy.
    let counted = world()
        .run_json(&["operator", "receive", &number, "1=9:NAR"])
        .done()
        .objects();
    let [list, discrepancy] = counted.as_slice() else {
        panic!("{counted:?}")
    };
    assert_eq!(list["lines"][0]["counted"]["value"], "9");
    assert_eq!(discrepancy["kind"], "DISCREPANCY_KIND_COUNT");
    let open = ["operator", "discrepancies", "--open", "--list", &number];
    assert_eq!(world().run_json(&open).done().objects().len(), 1);
    let id = discrepancy["discrepancy_id"].as_str().unwrap();
    let resolve = [
        "operator",
        "discrepancies",
        "resolve",
        id,
        "--post",
        "counted",
        "--reason",
        "one is broken",
    ];
    let settled = world().run_json(&resolve).done().objects();
    assert_eq!(
        settled[0]["resolution"],
        "DISCREPANCY_RESOLUTION_POST_COUNTED"
    );
    assert!(world().run_json(&open).done().objects().is_empty());
    assert!(
        world()
            .run(&resolve)
            .refused()
            .stderr
            .contains("DISCREPANCY_SETTLED")
    );

    let reverse = ["operator", "reverse", &number, "--reason", "wrong book"];
    assert!(
        world()
            .run(&reverse)
            .refused()
            .stderr
            .contains("STOCK_LIST_STATE")
    );
    let stock = ["operator", "stock", "--book", &book];
    let rows = world().run_json(&stock).done().objects();
    assert_eq!(declared(&rows[0]["totals"]["incoming"]), "10");
    assert!(
        rows[0]["lot"]["entry_date"].is_null(),
        "it is only expected: {}",
        rows[0]
    );
    let void = [
        "operator",
        "list",
        "void",
        &number,
        "--reason",
        "filed twice",
    ];
    assert_eq!(
        one(world().run_json(&void).done())["state"],
        "STOCK_LIST_STATE_VOID_ASKED"
    );
    let shown = world()
        .run_json(&["operator", "list", "show", &number])
        .done()
        .objects();
    assert_eq!(shown.len(), 2, "the list and its discrepancy");
    let trader = ["operator", "list", "approve", &number, "--as", "trader-a"];
    assert!(
        world()
            .run(&trader)
            .refused()
            .stderr
            .contains("ROLE_REQUIRED")
    );
}

/// The operator files a truck of a haulier that takes goods of a list into the centre: all, or what is said besides.
fn truck_for(cargo: &Cargo, list: &str, haulier: &str, besides: &[&str]) -> Output {
    let mut arguments = vec![
        "haulier",
        "pre-arrive",
        "--kind",
        "bond-transfer",
        "--list",
        list,
        "--container",
        &cargo.container,
        "--haulier",
        haulier,
        "--plate",
        &cargo.plate,
        "--driver",
        "Zhang Wei",
        "--licence",
        "500103198801012345",
        "--planned",
        "+30m",
        "--as",
        "operator",
    ];
    arguments.extend(besides);
    world().run_json(&arguments)
}

#[test]
fn the_operator_files_a_truck_for_a_part_of_a_list_and_its_haulier_sees_it() {
    let book = book();
    let list = one(file("increase", &book, "1=50:NAR,150:KGM,50:NAR", &[]).done());
    let number = number(&list);
    world()
        .run(&["operator", "list", "approve", &number])
        .done();
    let cargo = Cargo::new(GREEN);
    let truck = |line: &str| truck_for(&cargo, &number, "haulier-b", &["--line", line]);
    let mut filed = None;
    until("gate has heard of the list", || {
        let output = truck("1=20:NAR");
        filed = (output.code == 0).then_some(output);
        filed.is_some()
    });
    let filed = one(filed.unwrap());
    assert_eq!(filed["kind"], "PRE_ARRIVAL_KIND_BOND_TRANSFER");
    assert_eq!(filed["site_id"], "GUOYUAN-PORT");
    assert_eq!(filed["second_site_id"], "GUOYUAN-BLC");
    assert_eq!(filed["haulier_party"], "haulier-b");
    assert_eq!(filed["filer_party"], "operator");
    assert_eq!(filed["list"]["lines"][0]["quantity"]["value"], "20");
    // No declaration names the list yet: nothing may be carried, and no pass is given.
    assert_eq!(filed["state"], "PRE_ARRIVAL_STATE_BLOCKED");
    assert_eq!(filed["pass_number"], "");
    let id = filed["pre_arrival_id"].as_str().unwrap();
    let shown = ["haulier", "show", id, "--as", "haulier-b"];
    let shown = world().run(&shown).done().stdout;
    assert!(shown.contains(&format!("{number} (1: 20 NAR)")), "{shown}");
    assert!(shown.contains("operator"), "{shown}");
    let misused = truck("twenty");
    assert_eq!(misused.code, 2, "{misused:?}");
}

/// The real warehousing declaration of trader-a's vanity cases, which names the stock list: the file's path.
fn warehousing(cargo: &Cargo, list: &str) -> String {
    let element = |name: &str, value: &str| format!("<{name}>{value}</{name}>");
    let published = fs::read_to_string(document("TT_IM012a/TT_IM012a.xml")).unwrap();
    let replaced = [
        ("TT_IM12a_2402_01", cargo.lrn.clone()),
        ("<ID>AD12345</ID>", element("ID", &cargo.container)),
        (
            "</Consignment>",
            format!(
                "<TransportContractDocument><ID>{}</ID><TypeCode>720</TypeCode></TransportContractDocument></Consignment>",
                cargo.transport_document
            ),
        ),
        ("<Name>WLALONBTW</Name>", element("Name", "GUOYUANPORT")),
        ("<ID>GB201909014000</ID>", element("ID", "GB270000000021")),
        // They come into bond for the first time.
        (
            "<PreviousCode>22</PreviousCode>",
            element("PreviousCode", "00"),
        ),
        (
            "<CurrentCode>B02</CurrentCode>",
            element("CurrentCode", "000"),
        ),
        ("<ID>21GBCDS123456789B1</ID>", element("ID", list)),
        ("<TypeCode>MRN</TypeCode>", element("TypeCode", "ZZZ")),
    ];
    let text = replaced.into_iter().fold(published, |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, &new)
    });
    cargo.write("warehousing.xml", &text)
}

/// An increase list for the goods of the warehousing declaration: its number.
fn expected_on_list(cargo: &Cargo, book: &str) -> String {
    let filing = ["trader", "list", "file", "increase", book];
    let line = ["--lrn", &cargo.lrn, "--line", "1=50:NAR,150:KGM,50:NAR"];
    let filed = world().run_json(&[&filing[..], &line].concat());
    number(&one(filed.done()))
}

/// The container with the goods of the warehousing declaration is announced, and stands at the port.
fn comes_by_train(cargo: &Cargo) {
    let train = cargo.write(
        "bond.csv",
        &format!(
            "container_number,size_type,seals,transport_document,line_party,packages,gross_mass_kg\n\
             {},22G1,CN1,{},line-a,50,150\n",
            cargo.container, cargo.transport_document
        ),
    );
    let announce = ["rail", "announce", &train, "--conveyance", &cargo.train];
    world()
        .run(&[&announce[..], &["--eta", "+1h"]].concat())
        .done();
    cargo.arrive().done();
}

#[test]
fn goods_into_bond_pass_two_sites_a_void_comes_too_late_and_the_timeline_tells_of_both() {
    let book = book();
    let cargo = Cargo::new(GREEN);
    let number = expected_on_list(&cargo, &book);
    let approve = ["operator", "list", "approve", &number];
    world().run(&approve).done();
    comes_by_train(&cargo);
    let declare = ["broker", "file", &warehousing(&cargo, &number)];
    world().run(&declare).done();
    until("gate has heard of the list and lets its truck come", || {
        let filed = truck_for(&cargo, &number, HAULIER, &[]);
        filed.code == 0 && {
            let id = one(filed)["pre_arrival_id"].as_str().unwrap().to_owned();
            cargo.until_ready(&id);
            true
        }
    });
    let in_port = one(cargo.check_in().done());
    assert_eq!(in_port["state"], "TRUCK_VISIT_STATE_GATED_IN");
    let out_of_port = cargo.check_out().done().stdout;
    assert!(out_of_port.contains("CLOSED"), "{out_of_port}");

    // On the road: it cannot be void any more, and whoever looks is told so.
    let list = ["trader", "list"];
    let void = ["void", &number, "--reason", "sold instead"];
    world().run(&[&list[..], &void].concat()).done();
    let show = [&list[..], &["show", &number]].concat();
    until("gate has answered that it is too late", || {
        world().run(&show).done().stdout.contains("TOO_LATE")
    });
    let stands = world().run_json(&show).done().objects();
    assert_eq!(stands[0]["state"], "STOCK_LIST_STATE_APPROVED");
    assert_eq!(stands[0]["void_too_late"], true);

    let in_centre = [
        "gate",
        "check-in",
        "--site",
        "GUOYUAN-BLC",
        "--plate",
        &cargo.plate,
        "--container",
        &cargo.container,
        "--carrier",
        HAULIER,
        "--as",
        "centre-gate",
    ];
    let in_centre = one(world().run_json(&in_centre).done());
    assert_eq!(in_centre["state"], "TRUCK_VISIT_STATE_GATED_IN");
    let timeline = ["timeline", &cargo.container];
    let stays = ["GUOYUAN-PORT", "GUOYUAN-BLC"].map(|site| format!("{site}/{}/1", cargo.container));
    until("the timeline has the stay at either site", || {
        let facts = world().run_json(&timeline).done().objects();
        let told = |stay: &String| {
            facts
                .iter()
                .any(|fact| fact["container_visit_id"] == **stay)
        };
        stays.iter().all(told)
    });
}

#[test]
fn why_and_timeline_tell_of_a_stock_list_what_keeps_its_goods_and_when_they_may_move() {
    let book = book();
    let cargo = Cargo::new(GREEN);
    let number = expected_on_list(&cargo, &book);
    let why = |party: &str| world().run_json(&["why", &number, "--as", party]);
    let missing = |wanted: &[&str]| {
        until(&format!("why names {wanted:?}"), || {
            let why = why("trader-a");
            why.code == 0 && codes(&one(why)["release"]["conditions"]) == wanted
        });
    };
    missing(&["STOCK_LIST_NOT_APPROVED", "NOT_DECLARED"]);
    let table = world().run(&["why", &number, "--as", "trader-a"]).done();
    let lrn = cargo.lrn.as_str();
    for text in ["may not go into the bonded centre", "operator", lrn] {
        assert!(table.stdout.contains(text), "{text}: {}", table.stdout);
    }
    let other = why("trader-b").refused().stderr;
    assert!(other.contains("NOT_FOUND"), "{other}");
    let approve = ["operator", "list", "approve", &number];
    world().run(&approve).done();
    missing(&["NOT_DECLARED"]);

    // Declared before its container is known: what keeps the container is told by itself.
    let declared = ["broker", "file", &warehousing(&cargo, &number)];
    let declared = world().run(&declared).done().objects();
    assert_eq!(declared[0]["outcome"], "registered", "{declared:?}");
    missing(&["DECLARATION_NOT_ACCEPTED", "CONTAINER_UNKNOWN"]);
    let left_out = one(why("trader-a"))["release"]["left_out"].clone();
    assert_eq!(codes(&left_out), ["CONTAINER_UNKNOWN"]);
    let table = world().run(&["why", &number, "--as", "trader-a"]).done();
    let left_out = "these containers do not go with it yet";
    assert!(table.stdout.contains(left_out), "{}", table.stdout);

    // It comes, and the goods may move in it.
    comes_by_train(&cargo);
    until("the goods of the list may move", || {
        one(why("trader-a"))["may_leave"] == true
    });
    let release = one(why("trader-a"))["release"].clone();
    assert_eq!(release["list_number"], number.as_str());
    assert_eq!(release["journey"], "BOND_TRANSFER");
    assert_eq!(release["list_containers"][0], cargo.container.as_str());
    let table = world().run(&["why", &number, "--as", "trader-a"]).done();
    let may = "may go into the bonded centre since";
    assert!(table.stdout.contains(may), "{}", table.stdout);
    assert!(table.stdout.contains(&cargo.container), "{}", table.stdout);
    // Of the container both are told: no pick-up, and the list.
    let of_container = ["why", &cargo.container, "--as", "officer-1"];
    let told = one(world().run_json(&of_container).done());
    let list = &told["list_releases"][0];
    assert_eq!(list["list_number"], number.as_str(), "{told}");
    let table = world().run(&of_container).done().stdout;
    let on_its_list = "into bond it leaves on its stock list";
    for text in ["on a pass of a stock list below", may, on_its_list] {
        assert!(table.contains(text), "{text}: {table}");
    }
    assert!(!table.contains("not declared;"), "{table}");

    let timeline = ["timeline", &number, "--as", "trader-a"];
    let facts = world().run_json(&timeline).done().objects();
    let facts: Vec<&str> = facts
        .iter()
        .filter_map(|fact| fact["fact"].as_str())
        .collect();
    for fact in ["STOCK_LIST_FILED", "STOCK_LIST_APPROVED"] {
        assert!(facts.contains(&fact), "{facts:?}");
    }
    let named = format!("stock-list/{number}");
    let table = world()
        .run(&["timeline", &named, "--as", "trader-a"])
        .done();
    assert!(
        table.stdout.contains("STOCK_LIST_APPROVED"),
        "{}",
        table.stdout
    );
    let other = world().run(&["timeline", &number, "--as", "trader-b"]);
    assert!(other.refused().stderr.contains("NOT_FOUND"));
    for command in ["why", "timeline"] {
        let help = world().run(&[command, "--help"]).done().stdout;
        let example = format!("greenlane {command} QD8000");
        assert!(help.contains(&example), "{help}");
    }
}
