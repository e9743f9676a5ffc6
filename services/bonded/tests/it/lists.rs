//! Stock lists from their filing to their final posting, through the API, the loop and the tables; customs, gate and
//! release are given by hand.

use chassis::Role;
use chrono::{DateTime, TimeDelta, Utc};
use proto::bonded::events::v1::{StockListEvent, StockListFact};
use proto::bonded::v1 as wire;
use proto::bonded::v1::bonded_service_server::BondedService;
use proto::bonded::v1::{DiscrepancyKind, DiscrepancyResolution, StockListState};
use proto::common::v1::Page;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use tonic::Code;

use crate::support::{
    BOOK_A, BOOK_B, CENTRE, DEADLINE, Harness, as_caller, as_operator, as_trader, available,
    decrease, filed_line, id, increase, list_of, moment, opening, quantity, reason, stock_of, time,
};

async fn with_stock() -> Harness {
    let harness = Harness::with_books().await;
    for (reference, kilograms, entered) in [("1", 1_000, "2025-06-01"), ("2", 600, "2025-09-01")] {
        harness
            .take_over(opening("trader-a", BOOK_A, reference, kilograms, entered))
            .await
            .unwrap();
    }
    harness
}

fn declared(quantity: &Option<wire::StockAmount>) -> &str {
    &quantity.as_ref().unwrap().declared.as_ref().unwrap().value
}

fn facts(told: &[proto::bonded::events::v1::StockListEvent]) -> Vec<StockListFact> {
    told.iter().map(|event| event.fact()).collect()
}

impl Harness {
    async fn resolve(
        &self,
        discrepancy: &wire::Discrepancy,
        resolution: DiscrepancyResolution,
    ) -> Result<wire::ResolveDiscrepancyResponse, tonic::Status> {
        let request = wire::ResolveDiscrepancyRequest {
            request_id: id(),
            discrepancy_id: discrepancy.discrepancy_id.clone(),
            resolution: resolution.into(),
            reason: "seen with customs".into(),
            expected_version: 0,
        };
        let answer = self
            .api
            .resolve_discrepancy(as_operator(CENTRE, request))
            .await?;
        Ok(answer.into_inner())
    }

    async fn count(
        &self,
        list: &str,
        kilograms: u32,
    ) -> Result<wire::RecordReceiptCountResponse, tonic::Status> {
        let request = wire::RecordReceiptCountRequest {
            request_id: id(),
            list_number: list.into(),
            counts: vec![wire::ReceiptCount {
                line_number: 1,
                counted: Some(quantity(kilograms, "KGM")),
            }],
            expected_version: 0,
        };
        let answer = self
            .api
            .record_receipt_count(as_operator(CENTRE, request))
            .await?;
        Ok(answer.into_inner())
    }

    async fn of_line(&self) -> wire::StockTotals {
        let request = wire::GetStockRequest {
            detail: wire::StockDetail::Line.into(),
            line_number: 1,
            include_empty: true,
            ..stock_of(BOOK_A)
        };
        let rows = self.stock(as_trader("trader-a", request)).await.unwrap();
        rows.into_iter().next().unwrap().totals.unwrap()
    }
}

#[tokio::test]
async fn an_increase_goes_from_expected_to_a_lot_once_both_facts_are_there() {
    let harness = Harness::with_books().await;
    let list = harness.file("trader-a", increase(100)).await.unwrap();
    let number = list.list_number.as_str();
    assert_eq!(
        (number.len(), &number[..6], &number[8..9]),
        (18, "QD8000", "I")
    );
    assert_eq!(list.state(), StockListState::Filed);
    let totals = harness.of_line().await;
    assert_eq!(declared(&totals.incoming), "100");
    assert_eq!(
        declared(&totals.available),
        "0",
        "what is expected is never available"
    );

    assert_eq!(
        harness.approve(number).await.unwrap().state(),
        StockListState::Approved
    );
    let again = harness.approve(number).await.unwrap_err();
    assert_eq!(reason(&again), "STOCK_LIST_STATE");

    harness.pass(number, 1, &[60], false).await;
    harness.declare("D1", 1, "ACCEPTED", &[number]).await;
    harness.declare("D1", 2, "RELEASED", &[number]).await;
    let waiting = harness.list(number).await.stock_list.unwrap();
    assert_eq!(waiting.lines[0].passed, Some(quantity(60, "KGM")));
    assert_eq!(
        waiting
            .conditions
            .iter()
            .map(|one| one.code.as_str())
            .collect::<Vec<_>>(),
        ["GOODS_NOT_PASSED"]
    );
    harness.pass(number, 2, &[60, 40], true).await;
    let posted = harness.list(number).await.stock_list.unwrap();
    assert_eq!(posted.state(), StockListState::Posted);
    assert_eq!(posted.declaration_id, "D1");
    assert!(posted.conditions.is_empty());

    let rows = harness
        .stock(as_trader("trader-a", stock_of(BOOK_A)))
        .await
        .unwrap();
    let [row] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    let lot = row.lot.as_ref().unwrap();
    assert_eq!(lot.list_number, number);
    assert_eq!(
        time(&lot.entry_date).to_rfc3339(),
        "2026-03-01T00:00:00+00:00"
    );
    assert_eq!(
        time(&lot.storage_until).to_rfc3339(),
        "2028-03-01T00:00:00+00:00"
    );
    let totals = row.totals.as_ref().unwrap();
    assert_eq!(
        (declared(&totals.available), declared(&totals.incoming)),
        ("100", "0")
    );
    assert_eq!(
        facts(&harness.told(number).await),
        [
            StockListFact::Filed,
            StockListFact::Approved,
            StockListFact::Posted
        ]
    );
    let told = harness.told(number).await;
    let versions: Vec<u64> = told
        .iter()
        .map(|event| event.list.as_ref().unwrap().version)
        .collect();
    assert_eq!(versions, [1, 2, 3]);
    assert_eq!(told[2].list.as_ref().unwrap().declaration_id, "D1");
    assert!(harness.verify("trader-a", BOOK_A, None).await.intact);
}

#[tokio::test]
async fn rule_6_a_decrease_is_reserved_oldest_first_and_goes_out_once_both_facts_are_there() {
    let harness = with_stock().await;
    let list = harness.file("trader-a", decrease(1_200)).await.unwrap();
    assert_eq!(list.state(), StockListState::Reserved);
    let lots: Vec<_> = list.lines[0]
        .lots
        .iter()
        .map(|lot| (lot.lot_id.as_str(), declared(&lot.provisional)))
        .collect();
    assert_eq!(
        lots,
        [("BOOKTRADERA1/1/1", "1000"), ("BOOKTRADERA1/1/2", "200")]
    );
    // Of the second lot 200 of 600 kilograms, and so 5 of its 15 boxes.
    let second = list.lines[0].lots[1].provisional.as_ref().unwrap();
    assert_eq!(second.statutory_2.as_ref().unwrap().value, "5");
    let totals = harness.of_line().await;
    assert_eq!(
        (declared(&totals.reserved), declared(&totals.available)),
        ("1200", "400")
    );

    let number = list.list_number.as_str();
    harness.declare("D1", 1, "CLEARED", &[number]).await;
    harness.pass(number, 1, &[700, 500], true).await;
    harness.pass(number, 1, &[700, 500], true).await;
    assert_eq!(harness.state(number).await, StockListState::Posted);
    let totals = harness.of_line().await;
    assert_eq!(declared(&totals.book), "400");
    assert_eq!(declared(&totals.reserved), "0");
    // The first lot is closed: at zero in all three units.
    let rows = harness
        .stock(as_trader("trader-a", stock_of(BOOK_A)))
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(available(&rows[0]), "400");
    let movements = harness.movements("trader-a", BOOK_A).await;
    let contra: Vec<_> = movements
        .iter()
        .filter(|one| !one.reverses_movement_id.is_empty())
        .collect();
    assert_eq!(
        contra.len(),
        2,
        "each reservation is taken back by a movement that names it"
    );
    assert!(
        movements
            .iter()
            .all(|one| !one.cause.as_ref().unwrap().reference.is_empty())
    );
    assert!(harness.verify("trader-a", BOOK_A, None).await.intact);
}

#[tokio::test]
async fn rule_1_a_decrease_is_refused_whole_with_what_is_available_and_what_was_skipped() {
    let harness = with_stock().await;
    harness
        .take_over(opening("trader-a", BOOK_A, "old", 50, "2020-01-01"))
        .await
        .unwrap();
    let request = list_of(
        wire::StockListDirection::Decrease,
        vec![filed_line(1, 1_500, None), filed_line(1, 200, None)],
    );
    let refused = harness.file("trader-a", request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let refusal = chassis::from_status(&refused);
    assert_eq!(refusal.reason, "STOCK_NOT_AVAILABLE");
    assert_eq!(refusal.metadata["available_1"], "100 KGM");
    let told: Vec<_> = refusal
        .unmet
        .iter()
        .map(|unmet| (unmet.condition.as_str(), unmet.subject.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("STOCK_NOT_AVAILABLE", "BOOKTRADERA1/1"),
            ("LOT_PAST_STORAGE_LIMIT", "BOOKTRADERA1/1/3")
        ]
    );
    assert_eq!(
        declared(&harness.of_line().await.reserved),
        "0",
        "nothing is reserved"
    );
    // What is enough is reserved, and the skipped lot is reported all the same.
    let request = decrease(1_600);
    let answer = harness
        .api
        .file_stock_list(as_trader("trader-a", request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.skipped.len(), 1);
    assert_eq!(answer.skipped[0].reason, "LOT_PAST_STORAGE_LIMIT");
    // A named lot is taken, and no other.
    let mut named = decrease(10);
    named.lines[0].lot_ids = vec!["BOOKTRADERA1/1/2".into()];
    assert_eq!(
        reason(&harness.file("trader-a", named.clone()).await.unwrap_err()),
        "STOCK_NOT_AVAILABLE"
    );
    named.request_id = id();
    named.lines[0].lot_ids = vec!["BOOKTRADERB1/1/1".into()];
    assert_eq!(
        reason(&harness.file("trader-a", named).await.unwrap_err()),
        "STOCK_LIST_INVALID"
    );
}

#[tokio::test]
async fn all_faults_of_a_filing_are_told_at_once_and_a_check_writes_nothing() {
    let harness = with_stock().await;
    let mut request = increase(100);
    request.declaration_lrn = "x".repeat(23);
    request.direction = 0;
    request.lines[0].book_line = 0;
    request.lines[0].statutory_1 = None;
    request.lines[0].declared = Some(quantity(0, "KGM"));
    let refusal = chassis::from_status(&harness.file("trader-a", request).await.unwrap_err());
    let codes: Vec<_> = refusal
        .faults
        .iter()
        .map(|fault| fault.code.as_str())
        .collect();
    assert_eq!(refusal.reason, "STOCK_LIST_INVALID");
    assert_eq!(
        codes,
        [
            "DIRECTION_MISSING",
            "LRN_FORM",
            "BOOK_LINE_MISSING",
            "QUANTITY_ZERO",
            "QUANTITY_INVALID"
        ]
    );
    // Under the locks too: an unknown line, a wrong unit and a shortage in one answer.
    let mut request = decrease(9_999);
    request.lines.push(filed_line(7, 1, None));
    request.lines.push(wire::FiledStockListLine {
        declared: Some(quantity(1, "XBX")),
        ..filed_line(1, 1, None)
    });
    let refusal = chassis::from_status(&harness.file("trader-a", request).await.unwrap_err());
    let codes: Vec<_> = refusal
        .faults
        .iter()
        .map(|fault| fault.code.as_str())
        .collect();
    assert_eq!(codes, ["BOOK_LINE_UNKNOWN", "QUANTITY_INVALID"]);
    // What the lines themselves have wrong, and what the book finds.
    let mut request = increase(5);
    request.lines[0].declared = Some(quantity(0, "KGM"));
    request.lines[0].statutory_2 = Some(quantity(1, "KGM"));
    request.lines.push(wire::FiledStockListLine {
        book_line: 7,
        ..request.lines[0].clone()
    });
    let refusal = chassis::from_status(&harness.file("trader-a", request).await.unwrap_err());
    let mut faults: Vec<_> = refusal
        .faults
        .iter()
        .map(|fault| (fault.path.as_str(), fault.code.as_str()))
        .collect();
    faults.sort_unstable();
    assert_eq!(
        faults,
        [
            ("lines[0].declared", "QUANTITY_ZERO"),
            ("lines[0].statutory_2", "QUANTITY_INVALID"),
            ("lines[1].book_line", "BOOK_LINE_UNKNOWN"),
            ("lines[1].declared", "QUANTITY_ZERO"),
        ]
    );

    let published = harness.fabric.outbox().await.unwrap().len();
    for request in [increase(5), decrease(5)] {
        let check = wire::FileStockListRequest {
            validate_only: true,
            ..request
        };
        let would = harness.file("trader-a", check).await.unwrap();
        assert_eq!(would.list_number, "", "a check gives no number");
        assert_eq!(would.lines.len(), 1);
    }
    assert_eq!(harness.fabric.outbox().await.unwrap().len(), published);
    assert_eq!(declared(&harness.of_line().await.reserved), "0");
}

#[tokio::test]
async fn a_request_that_is_repeated_is_answered_the_same_and_files_nothing_anew() {
    let harness = with_stock().await;
    let request = decrease(10);
    let first = harness.file("trader-a", request.clone()).await.unwrap();
    let again = harness.file("trader-a", request.clone()).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(declared(&harness.of_line().await.reserved), "10");
    let other = wire::FileStockListRequest {
        lines: decrease(11).lines,
        ..request
    };
    assert_eq!(
        reason(&harness.file("trader-a", other).await.unwrap_err()),
        "REQUEST_ID_REUSED"
    );
}

#[tokio::test]
async fn a_broker_files_under_a_mandate_that_counts_now_and_sees_what_it_filed() {
    let harness = with_stock().await;
    stack::without_row_security(&harness.database).await;
    let as_broker = |request| as_caller("broker-a", Role::Broker, &[], request);
    let denied = harness
        .api
        .file_stock_list(as_broker(decrease(1)))
        .await
        .unwrap_err();
    assert_eq!(
        (denied.code(), reason(&denied).as_str()),
        (Code::PermissionDenied, "MANDATE_MISSING")
    );
    let mut nowhere = decrease(1);
    nowhere.book_number = "NOSUCHBOOK01".into();
    let same = harness
        .api
        .file_stock_list(as_broker(nowhere))
        .await
        .unwrap_err();
    assert_eq!(
        reason(&same),
        "MANDATE_MISSING",
        "whether there is a book is told to nobody"
    );
    harness
        .mandate("broker-a", 1, &["FILE_DECLARATION"], false)
        .await;
    assert!(
        harness
            .api
            .file_stock_list(as_broker(decrease(1)))
            .await
            .is_err()
    );
    harness
        .mandate("broker-a", 2, &["FILE_STOCK_LIST"], false)
        .await;
    let list = harness
        .api
        .file_stock_list(as_broker(decrease(1)))
        .await
        .unwrap();
    let list = list.into_inner().stock_list.unwrap();
    assert_eq!(
        (list.filer_party.as_str(), list.trader_party.as_str()),
        ("broker-a", "trader-a")
    );

    let get = |number: &str| wire::GetStockListRequest {
        list_number: number.into(),
    };
    let number = list.list_number.as_str();
    assert!(
        harness
            .api
            .get_stock_list(as_caller("broker-a", Role::Broker, &[], get(number)))
            .await
            .is_ok()
    );
    for request in [
        as_caller("broker-b", Role::Broker, &[], get(number)),
        as_trader("trader-b", get(number)),
        as_operator("GUOYUAN-PORT", get(number)),
        as_operator(CENTRE, get("no list")),
    ] {
        let missing = harness.api.get_stock_list(request).await.unwrap_err();
        assert_eq!(missing.code(), Code::NotFound);
    }
    harness
        .mandate("broker-a", 3, &["FILE_STOCK_LIST"], true)
        .await;
    let void = wire::VoidStockListRequest {
        request_id: id(),
        list_number: number.into(),
        reason: "too late".into(),
        expected_version: 0,
    };
    let denied = harness
        .api
        .void_stock_list(as_caller("broker-a", Role::Broker, &[], void))
        .await
        .unwrap_err();
    assert_eq!(reason(&denied), "MANDATE_MISSING", "revoked at once");
}

#[tokio::test]
async fn an_older_word_does_not_bring_a_revoked_mandate_back() {
    let harness = with_stock().await;
    for (version, revoked) in [(1, false), (2, true), (1, false)] {
        harness
            .mandate("broker-a", version, &["FILE_STOCK_LIST"], revoked)
            .await;
    }
    let filed = as_caller("broker-a", Role::Broker, &[], decrease(1));
    let denied = harness.api.file_stock_list(filed).await.unwrap_err();
    assert_eq!(reason(&denied), "MANDATE_MISSING");
}

#[tokio::test]
async fn a_mandate_for_some_goods_lets_file_lists_of_those_and_the_list_says_by_which() {
    let harness = with_stock().await;
    let file = || {
        let request = as_caller("broker-a", Role::Broker, &[], decrease(1));
        harness.api.file_stock_list(request)
    };
    harness
        .mandate_for_goods("broker-a", 1, &["01", "99"])
        .await;
    let denied = file().await.unwrap_err();
    assert_eq!(reason(&denied), "MANDATE_MISSING");
    harness
        .mandate_for_goods("broker-a", 2, &["01", "0714"])
        .await;
    let list = file().await.unwrap().into_inner().stock_list.unwrap();
    assert_eq!(list.mandate_id, "mandate-broker-a");
    let read = harness.list(&list.list_number).await.stock_list.unwrap();
    assert_eq!(read.mandate_id, "mandate-broker-a");
    let own = harness.file("trader-a", decrease(1)).await.unwrap();
    assert_eq!(own.mandate_id, "");
}

#[tokio::test]
async fn a_party_that_is_suspended_files_no_list() {
    let harness = with_stock().await;
    harness.register("trader-a", 2, &["trader"], true).await;
    let refused = harness.file("trader-a", decrease(1)).await.unwrap_err();
    assert_eq!(reason(&refused), "PARTY_SUSPENDED");
    harness.register("trader-a", 3, &["trader"], false).await;
    harness.file("trader-a", decrease(1)).await.unwrap();
}

#[tokio::test]
async fn a_mandate_of_which_a_record_is_parked_does_not_count() {
    let harness = with_stock().await;
    harness
        .mandate("broker-a", 1, &["FILE_STOCK_LIST"], false)
        .await;
    harness.park("customs.party", "trader-a").await;
    let denied = harness
        .api
        .file_stock_list(as_caller("broker-a", Role::Broker, &[], decrease(1)))
        .await
        .unwrap_err();
    assert_eq!(reason(&denied), "MANDATE_MISSING");
}

impl Harness {
    /// As if a record of this key could not be applied.
    async fn park(&self, topic: &str, key: &str) {
        let sql = format!(
            "insert into fabric.parked (topic, partition, epoch, seq, key, event_id, event_type, payload, cause, attempts, parked_at)
             values ('{topic}', {}, 1, 1, '{key}', 'parked/1', 'told', '', 'a test', 1, now())",
            fabric::partition_of(key)
        );
        self.as_owner(&sql).await;
    }

    async fn unpark(&self) {
        self.as_owner("delete from fabric.parked").await;
    }

    async fn until_posted(&self, list: &str) {
        let posted = async {
            let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
            while self.state(list).await != StockListState::Posted {
                looks.tick().await;
            }
        };
        tokio::time::timeout(DEADLINE, posted)
            .await
            .expect("the list is posted in time");
    }
}

#[tokio::test]
async fn nothing_is_posted_on_what_is_unknown_and_it_is_once_that_is_over() {
    let harness = with_stock().await;
    let number = harness
        .file("trader-a", decrease(10))
        .await
        .unwrap()
        .list_number;
    let hold_key = format!("stock-list/{number}");
    for (topic, key) in [
        ("gate.list-passage", number.as_str()),
        ("customs.hold", &hold_key),
        ("gate.hold", &hold_key),
        ("release.hold", &hold_key),
        ("customs.declaration", "D1"),
    ] {
        harness.park(topic, key).await;
        harness.declare("D1", 1, "CLEARED", &[&number]).await;
        harness.pass(&number, 1, &[10], true).await;
        assert_eq!(
            harness.state(&number).await,
            StockListState::Reserved,
            "{topic} is unknown"
        );
        // The last one is discarded: that tells nobody, and yet the list is posted.
        if topic != "customs.declaration" {
            harness
                .as_owner("delete from fabric.parked; delete from list_pass_line; delete from list_pass; delete from list_passage")
                .await;
        }
    }
    harness.unpark().await;
    harness.until_posted(&number).await;
}

#[tokio::test]
async fn rule_7_a_list_waits_for_a_suspended_line_and_is_posted_once_that_is_lifted() {
    let harness = with_stock().await;
    let number = harness
        .file("trader-a", decrease(10))
        .await
        .unwrap()
        .list_number;
    let suspend = |suspended| wire::SuspendBookLineRequest {
        request_id: id(),
        book_number: BOOK_A.into(),
        line_number: 1,
        suspended_for_decrease: suspended,
        reason: "stock-taking".into(),
        ..Default::default()
    };
    harness
        .api
        .suspend_book_line(as_operator(CENTRE, suspend(true)))
        .await
        .unwrap();
    let refused = harness.file("trader-a", decrease(10)).await.unwrap_err();
    let refusal = chassis::from_status(&refused);
    let told: Vec<_> = refusal
        .unmet
        .iter()
        .map(|one| one.condition.as_str())
        .collect();
    assert_eq!(told[0], "BOOK_LINE_SUSPENDED");
    harness.declare("D1", 1, "CLEARED", &[&number]).await;
    harness.pass(&number, 1, &[10], true).await;
    let list = harness.list(&number).await.stock_list.unwrap();
    assert_eq!(list.state(), StockListState::Reserved);
    assert_eq!(list.conditions[0].code, "BOOK_LINE_SUSPENDED");
    harness
        .api
        .suspend_book_line(as_operator(CENTRE, suspend(false)))
        .await
        .unwrap();
    harness.until_posted(&number).await;
}

#[tokio::test]
async fn rule_3_a_void_is_asked_and_final_once_gate_has_answered() {
    let harness = with_stock().await;
    let number = harness
        .file("trader-a", decrease(100))
        .await
        .unwrap()
        .list_number;
    let asked = harness.void(&number).await.unwrap();
    assert_eq!(asked.state(), StockListState::VoidAsked);
    assert_eq!(
        declared(&harness.of_line().await.reserved),
        "100",
        "nothing is freed before the answer"
    );
    let told = harness.told(&number).await;
    assert_eq!(
        told.last().unwrap().list.as_ref().unwrap().void_ask_id,
        asked.void_ask_id
    );
    harness
        .answer_void(&number, 1, &asked.void_ask_id, false)
        .await;
    let stands = harness.list(&number).await.stock_list.unwrap();
    assert_eq!(stands.state(), StockListState::Reserved);
    assert!(stands.void_too_late, "{stands:?}");
    let again = harness.void(&number).await.unwrap();
    assert_ne!(again.void_ask_id, asked.void_ask_id);
    assert!(!again.void_too_late, "it is asked anew: {again:?}");
    harness
        .answer_void(&number, 2, &asked.void_ask_id, true)
        .await;
    assert_eq!(
        harness.state(&number).await,
        StockListState::VoidAsked,
        "that was the earlier ask"
    );
    harness
        .answer_void(&number, 3, &again.void_ask_id, true)
        .await;
    assert_eq!(harness.state(&number).await, StockListState::Voided);
    assert_eq!(declared(&harness.of_line().await.reserved), "0");
    assert_eq!(
        facts(&harness.told(&number).await),
        [
            StockListFact::Reserved,
            StockListFact::VoidAsked,
            StockListFact::VoidTooLate,
            StockListFact::VoidAsked,
            StockListFact::Voided,
        ]
    );
    assert_eq!(
        reason(&harness.void(&number).await.unwrap_err()),
        "STOCK_LIST_STATE"
    );
    assert!(harness.verify("trader-a", BOOK_A, None).await.intact);
}

#[tokio::test]
async fn after_a_restore_no_list_is_given_a_number_that_others_may_know_of_the_lost_time() {
    let harness = Harness::with_books().await;
    let first = harness.file("trader-a", increase(1)).await.unwrap();
    assert!(first.list_number.ends_with("I000000001"), "{first:?}");
    let admin = harness.fabric.admin();
    assert_eq!(admin.open_epoch("admin", "restored").await.unwrap(), 2);
    for serial in ["010000001", "010000002"] {
        let next = harness.file("trader-a", increase(1)).await.unwrap();
        assert!(next.list_number.ends_with(serial), "{next:?}");
    }
}

#[tokio::test]
async fn rule_4_a_difference_opens_a_discrepancy_that_the_operator_settles() {
    let harness = Harness::with_books().await;
    let number = harness
        .file("trader-a", increase(100))
        .await
        .unwrap()
        .list_number;
    harness.approve(&number).await.unwrap();
    harness.declare("D1", 1, "CLEARED", &[&number]).await;
    harness.pass(&number, 1, &[60, 30], true).await;
    let found = harness.list(&number).await;
    assert_eq!(
        found.stock_list.as_ref().unwrap().state(),
        StockListState::Approved
    );
    let discrepancy = &found.discrepancies[0];
    assert_eq!(discrepancy.kind(), DiscrepancyKind::UnderDelivery);
    assert_eq!(discrepancy.expected, Some(quantity(100, "KGM")));
    assert_eq!(discrepancy.found, Some(quantity(90, "KGM")));
    let early = harness
        .resolve(discrepancy, DiscrepancyResolution::PostCounted)
        .await
        .unwrap_err();
    assert_eq!(reason(&early), "STOCK_LIST_NOT_COUNTED");
    let wrong = harness
        .resolve(discrepancy, DiscrepancyResolution::Explained)
        .await
        .unwrap_err();
    assert_eq!(reason(&wrong), "RESOLUTION_INVALID");

    // Unstuffed: 88. A difference from what passed is a discrepancy of its own.
    let counted = harness.count(&number, 88).await.unwrap();
    assert_eq!(counted.discrepancies.len(), 2);
    assert_eq!(counted.discrepancies[1].kind(), DiscrepancyKind::Count);
    assert_eq!(counted.discrepancies[1].expected, Some(quantity(90, "KGM")));
    let settled = harness
        .resolve(&counted.discrepancies[0], DiscrepancyResolution::PostPassed)
        .await
        .unwrap();
    assert_eq!(
        settled.stock_list.unwrap().state(),
        StockListState::Approved,
        "one is open still"
    );
    let list = wire::ListDiscrepanciesRequest {
        open_only: true,
        ..Default::default()
    };
    let open = harness
        .api
        .list_discrepancies(as_trader("trader-a", list.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(open.discrepancies.len(), 1);
    assert!(
        harness
            .api
            .list_discrepancies(as_trader("trader-b", list))
            .await
            .unwrap()
            .into_inner()
            .discrepancies
            .is_empty()
    );
    let settled = harness
        .resolve(
            &counted.discrepancies[1],
            DiscrepancyResolution::PostCounted,
        )
        .await
        .unwrap();
    assert_eq!(settled.stock_list.unwrap().state(), StockListState::Posted);
    assert_eq!(settled.discrepancy.unwrap().resolved_by_party, "operator");
    let twice = harness
        .resolve(
            &counted.discrepancies[1],
            DiscrepancyResolution::PostCounted,
        )
        .await
        .unwrap_err();
    assert_eq!(reason(&twice), "DISCREPANCY_SETTLED");
    let totals = harness.of_line().await;
    assert_eq!(
        (declared(&totals.available), declared(&totals.incoming)),
        ("88", "0")
    );
    let movement = harness.movements("trader-a", BOOK_A).await.pop().unwrap();
    assert_eq!(movement.cause.unwrap().kind(), wire::CauseKind::Count);
    // Gate learns that the containers are empty, once nobody looks for the rest in them.
    let unstuffed = |told: &StockListEvent| {
        let known = told.list.as_ref().unwrap().unstuffed_at.is_some();
        (told.fact(), known)
    };
    let told = harness.told(&number).await;
    let counted = told
        .iter()
        .position(|told| told.fact() == StockListFact::Counted);
    let since: Vec<_> = told[counted.unwrap()..].iter().map(unstuffed).collect();
    assert_eq!(
        since,
        [
            (StockListFact::Counted, false),
            (StockListFact::DiscrepancyOpened, false),
            (StockListFact::DiscrepancyResolved, false),
            (StockListFact::DiscrepancyResolved, true),
            (StockListFact::Posted, true),
        ]
    );
}

#[tokio::test]
async fn rule_4_a_count_after_the_posting_is_compared_with_what_is_posted() {
    let harness = Harness::with_books().await;
    let filed = harness.file("trader-a", increase(100)).await.unwrap();
    let number = filed.list_number;
    harness.approve(&number).await.unwrap();
    harness.declare("D1", 1, "CLEARED", &[&number]).await;
    harness.count(&number, 88).await.unwrap();
    harness.pass(&number, 1, &[100], true).await;
    let found = harness.list(&number).await;
    harness
        .resolve(
            found.discrepancies.last().unwrap(),
            DiscrepancyResolution::PostCounted,
        )
        .await
        .unwrap();
    let posted = harness.list(&number).await.stock_list.unwrap();
    assert_eq!(posted.state(), StockListState::Posted);
    let open = |answer: wire::RecordReceiptCountResponse| {
        let open = answer
            .discrepancies
            .into_iter()
            .filter(|one| one.resolved_at.is_none());
        open.map(|one| (one.expected, one.found))
            .collect::<Vec<_>>()
    };
    // As much as passed, but not as much as stands in the book.
    let again = harness.count(&number, 100).await.unwrap();
    assert_eq!(
        open(again),
        [(Some(quantity(88, "KGM")), Some(quantity(100, "KGM")))]
    );
    let right = harness.count(&number, 88).await.unwrap();
    assert_eq!(open(right), []);
}

#[tokio::test]
async fn a_list_is_closed_short_and_what_passed_is_posted() {
    let harness = with_stock().await;
    let number = harness
        .file("trader-a", decrease(100))
        .await
        .unwrap()
        .list_number;
    let close = |number: &str| wire::CloseStockListShortRequest {
        request_id: id(),
        list_number: number.into(),
        reason: "the last truck never came".into(),
        expected_version: 0,
    };
    let nothing = harness
        .api
        .close_stock_list_short(as_operator(CENTRE, close(&number)))
        .await
        .unwrap_err();
    assert_eq!(reason(&nothing), "STOCK_LIST_NOTHING_PASSED");
    harness.pass(&number, 1, &[70], false).await;
    let closed = harness
        .api
        .close_stock_list_short(as_operator(CENTRE, close(&number)))
        .await
        .unwrap();
    assert!(closed.into_inner().stock_list.unwrap().closed_short);
    assert_eq!(
        reason(&harness.void(&number).await.unwrap_err()),
        "STOCK_LIST_STATE"
    );
    harness.pass(&number, 2, &[70], true).await;
    harness.declare("D1", 1, "RELEASED", &[&number]).await;
    assert_eq!(harness.state(&number).await, StockListState::Posted);
    let totals = harness.of_line().await;
    assert_eq!(
        (declared(&totals.book), declared(&totals.reserved)),
        ("1530", "0")
    );
    assert_eq!(
        facts(&harness.told(&number).await),
        [
            StockListFact::Reserved,
            StockListFact::ClosedShort,
            StockListFact::DiscrepancyOpened,
            StockListFact::DiscrepancyResolved,
            StockListFact::Posted,
        ]
    );
}

#[tokio::test]
async fn rule_3_a_posting_is_taken_back_by_contra_entries() {
    let harness = Harness::with_books().await;
    let number = harness.posted_increase(100).await;
    let reverse = |version| wire::ReversePostingRequest {
        request_id: id(),
        list_number: number.clone(),
        reason: "wrong book".into(),
        expected_version: version,
    };
    let stale = harness
        .api
        .reverse_posting(as_operator(CENTRE, reverse(1)))
        .await
        .unwrap_err();
    assert_eq!(
        (stale.code(), reason(&stale).as_str()),
        (Code::Aborted, "STALE_VERSION")
    );
    let stranger = harness
        .api
        .reverse_posting(as_operator("GUOYUAN-PORT", reverse(0)))
        .await
        .unwrap_err();
    assert_eq!(stranger.code(), Code::NotFound);
    let out = harness.file("trader-a", decrease(1)).await.unwrap();
    let reserved = harness
        .api
        .reverse_posting(as_operator(CENTRE, reverse(0)))
        .await
        .unwrap_err();
    assert_eq!(reason(&reserved), "STOCK_NOT_AVAILABLE");
    let asked = harness.void(&out.list_number).await.unwrap();
    harness
        .answer_void(&out.list_number, 1, &asked.void_ask_id, true)
        .await;
    harness
        .api
        .reverse_posting(as_operator(CENTRE, reverse(0)))
        .await
        .unwrap();
    assert_eq!(harness.state(&number).await, StockListState::Reversed);
    assert_eq!(declared(&harness.of_line().await.available), "0");
    let movements = harness.movements("trader-a", BOOK_A).await;
    let contra = movements.last().unwrap();
    assert_eq!(
        contra.cause.as_ref().unwrap().kind(),
        wire::CauseKind::Reversal
    );
    let reversed = movements
        .iter()
        .find(|one| one.movement_id == contra.reverses_movement_id)
        .unwrap();
    assert_eq!(reversed.total(), wire::StockTotal::ActualIncrease);
    assert!(harness.verify("trader-a", BOOK_A, None).await.intact);
}

#[tokio::test]
async fn a_hold_keeps_a_list_from_being_posted_and_its_goods_from_going_out() {
    let harness = Harness::with_books().await;
    let number = harness
        .file("trader-a", increase(100))
        .await
        .unwrap()
        .list_number;
    harness.approve(&number).await.unwrap();
    harness.hold("customs.hold", "H1", &number, false).await;
    harness.hold("gate.hold", "H1", &number, false).await;
    harness.declare("D1", 1, "CLEARED", &[&number]).await;
    harness.pass(&number, 1, &[100], true).await;
    assert_eq!(harness.state(&number).await, StockListState::Approved);
    harness.hold("customs.hold", "H1", &number, true).await;
    assert_eq!(
        harness.state(&number).await,
        StockListState::Approved,
        "lifting one lifts no other"
    );
    harness.hold("gate.hold", "H1", &number, true).await;
    harness.hold("gate.hold", "H1", &number, false).await;
    assert_eq!(
        harness.state(&number).await,
        StockListState::Posted,
        "lifted wins in any order"
    );

    let rows = || async {
        harness
            .stock(as_trader("trader-a", stock_of(BOOK_A)))
            .await
            .unwrap()
    };
    let free = rows().await;
    harness.hold("release.hold", "H2", &number, false).await;
    let held = rows().await;
    let totals = held[0].totals.as_ref().unwrap();
    assert_eq!((declared(&totals.held), available(&held[0])), ("100", "0"));
    let refusal = chassis::from_status(&harness.file("trader-a", decrease(1)).await.unwrap_err());
    assert_eq!(refusal.unmet[1].condition, "LOT_HELD");
    // Rule 8: what was answered as of an earlier recording never changes, holds included.
    for answered in [&free, &held] {
        let as_of = wire::GetStockRequest {
            recorded_at: answered[0].recorded_at,
            ..stock_of(BOOK_A)
        };
        assert_eq!(
            &harness.stock(as_trader("trader-a", as_of)).await.unwrap(),
            answered
        );
    }
    harness.hold("release.hold", "H2", &number, true).await;
    assert_eq!(available(&rows().await[0]), "100");
    let as_of = wire::GetStockRequest {
        recorded_at: held[0].recorded_at,
        ..stock_of(BOOK_A)
    };
    assert_eq!(
        harness.stock(as_trader("trader-a", as_of)).await.unwrap(),
        held
    );
    assert!(harness.verify("trader-a", BOOK_A, None).await.intact);
}

#[tokio::test]
async fn rule_8_a_late_fact_shows_stock_as_it_was_answered_and_as_it_is_known_now() {
    let harness = Harness::with_books().await;
    let number = harness
        .file("trader-a", increase(100))
        .await
        .unwrap()
        .list_number;
    harness.approve(&number).await.unwrap();
    harness.declare("D1", 1, "CLEARED", &[&number]).await;
    let filed = time(&harness.list(&number).await.stock_list.unwrap().filed_at);
    let answered = harness.of_line().await;
    let known_until = harness
        .movements("trader-a", BOOK_A)
        .await
        .pop()
        .unwrap()
        .recorded_at;
    // The pass was an hour ago; gate tells of it only now.
    harness.pass(&number, 1, &[100], true).await;
    let at = |time: DateTime<Utc>| Some(chassis::convert::timestamp(time));
    let ask = |effective, recorded| wire::GetStockRequest {
        detail: wire::StockDetail::Line.into(),
        effective_at: effective,
        recorded_at: recorded,
        ..stock_of(BOOK_A)
    };
    let then = harness
        .stock(as_trader("trader-a", ask(None, known_until)))
        .await
        .unwrap();
    assert_eq!(then[0].totals.as_ref().unwrap(), &answered);
    let now = harness
        .stock(as_trader("trader-a", ask(at(filed), None)))
        .await
        .unwrap();
    assert_eq!(
        available(&now[0]),
        "100",
        "in effect since the filing at the latest, as is known now"
    );
    let before = harness
        .stock(as_trader(
            "trader-a",
            ask(at(filed - TimeDelta::seconds(1)), None),
        ))
        .await
        .unwrap();
    assert!(before.is_empty());
}

#[tokio::test]
async fn rule_2_a_declaration_under_another_reference_or_for_somebody_else_is_not_the_lists() {
    let harness = with_stock().await;
    // Another trader's declaration opens nothing, whoever files it; nor does one for another procedure.
    let mut request = decrease(10);
    request.declaration_filer_party = "broker-a".into();
    let number = harness.file("trader-a", request).await.unwrap().list_number;
    harness.pass(&number, 1, &[10], true).await;
    let wrong: [fn(&mut customs::DeclarationState); 3] = [
        |declaration| declaration.trader_party = "trader-b".into(),
        |declaration| declaration.procedure_kind = "HOME_USE".into(),
        |declaration| declaration.lrn = "LRN-2".into(),
    ];
    for (version, change) in (1..).zip(wrong) {
        harness
            .declare_as("D1", version, "CLEARED", &[&number], change)
            .await;
        let list = harness.list(&number).await.stock_list.unwrap();
        assert_eq!(list.state(), StockListState::Reserved);
        assert_eq!(list.conditions[0].code, "DECLARATION_MISSING");
        assert_eq!(list.declaration_id, "");
    }
    // Its own trader's does, whoever files it and however the reference is spaced.
    harness
        .declare_as("D1", 4, "CLEARED", &[&number], |declaration| {
            declaration.filer_party = "broker-b".into();
            declaration.lrn = " LRN-1 ".into();
        })
        .await;
    assert_eq!(harness.state(&number).await, StockListState::Posted);
    let other = harness
        .file("trader-a", decrease(10))
        .await
        .unwrap()
        .list_number;
    harness.pass(&other, 1, &[10], true).await;
    harness.declare("D2", 1, "CLEARED", &[&other]).await;
    assert_eq!(harness.state(&other).await, StockListState::Posted);
    // A declaration that names the list no more does not release it.
    let third = harness
        .file("trader-a", decrease(10))
        .await
        .unwrap()
        .list_number;
    harness.declare("D3", 1, "ACCEPTED", &[&third]).await;
    harness.declare("D3", 2, "RELEASED", &[]).await;
    harness.pass(&third, 1, &[10], true).await;
    assert_eq!(harness.state(&third).await, StockListState::Reserved);
}

#[tokio::test]
async fn lists_are_listed_newest_first_page_by_page_and_filtered() {
    let harness = with_stock().await;
    let mut numbers = Vec::new();
    for kilograms in 1..=5 {
        let request = if kilograms % 2 == 0 {
            increase(kilograms)
        } else {
            decrease(kilograms)
        };
        numbers.push(harness.file("trader-a", request).await.unwrap().list_number);
    }
    numbers.reverse();
    let page = |token: String| wire::ListStockListsRequest {
        page: Some(Page {
            page_size: 2,
            page_token: token,
        }),
        ..Default::default()
    };
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let answer = harness
            .api
            .list_stock_lists(as_trader("trader-a", page(token)))
            .await
            .unwrap()
            .into_inner();
        seen.extend(answer.stock_lists.into_iter().map(|list| list.list_number));
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, numbers);
    let only = |state: StockListState| wire::ListStockListsRequest {
        state: state.into(),
        ..Default::default()
    };
    let filed = harness
        .api
        .list_stock_lists(as_operator(CENTRE, only(StockListState::Filed)))
        .await
        .unwrap();
    assert_eq!(filed.into_inner().stock_lists.len(), 2);
    let out = wire::ListStockListsRequest {
        direction: wire::StockListDirection::Decrease.into(),
        book_number: BOOK_A.into(),
        ..Default::default()
    };
    let out = harness
        .api
        .list_stock_lists(as_operator(CENTRE, out))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(out.stock_lists.len(), 3);
    let none = wire::ListStockListsRequest {
        book_number: BOOK_B.into(),
        ..Default::default()
    };
    assert!(
        harness
            .api
            .list_stock_lists(as_operator(CENTRE, none))
            .await
            .unwrap()
            .into_inner()
            .stock_lists
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_no_word_on_a_list_is_not_applied() {
    let harness = with_stock().await;
    let number = harness
        .file("trader-a", decrease(10))
        .await
        .unwrap()
        .list_number;
    let passage = |state: &str, twice: bool| gate::ListPassage {
        list_number: number.clone(),
        version: 1,
        passes: (0..if twice { 2 } else { 1 })
            .map(|_| gate::ListPass {
                pre_arrival_id: "P".into(),
                state: state.into(),
                passed_at: moment(1),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    for wrong in [passage("FLOWN", false), passage("PASSED", true)] {
        let event = gate::ListPassageEvent {
            passage: Some(wrong),
            ..Default::default()
        };
        let outcome = harness
            .fabric
            .apply(
                "gate.list-passage",
                &number,
                "told",
                prost::Message::encode_to_vec(&event),
            )
            .await;
        assert!(outcome.is_err());
    }
}
