//! The ledger: opening stock, both clocks, the chain, and who may not touch it.

use std::collections::BTreeMap;

use bonded::app::Input;
use bonded::domain::ledger::Head;
use chrono::{DateTime, TimeDelta, Utc};
use kernel::{BookNumber, new_id};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use proto::bonded::events::v1::book_event::Fact;
use proto::bonded::v1 as wire;
use proto::bonded::v1::ChainBreakKind;
use proto::bonded::v1::bonded_service_server::BondedService;
use proto::common::v1::Page;
use rust_decimal::Decimal;

use crate::support::{
    BOOK_A, BOOK_B, CENTRE, DEADLINE, Harness, as_operator, as_trader, available, id, opening,
    reason, stock_of, time,
};

fn at(time: DateTime<Utc>) -> Option<prost_types::Timestamp> {
    Some(chassis::convert::timestamp(time))
}

#[tokio::test]
async fn opening_stock_stands_in_lots_with_entry_date_limit_and_three_units() {
    let harness = Harness::with_books().await;
    harness
        .take_over(opening("trader-a", BOOK_A, "1", 10_000, "2025-01-31"))
        .await
        .unwrap();
    harness
        .take_over(opening("trader-a", BOOK_A, "2", 6_000, "2025-03-01"))
        .await
        .unwrap();
    let rows = harness
        .stock(as_trader("trader-a", stock_of(BOOK_A)))
        .await
        .unwrap();
    let lots: Vec<_> = rows
        .iter()
        .map(|row| (row.lot.as_ref().unwrap().lot_id.as_str(), available(row)))
        .collect();
    assert_eq!(
        lots,
        [("BOOKTRADERA1/1/1", "10000"), ("BOOKTRADERA1/1/2", "6000")]
    );
    let lot = rows[0].lot.as_ref().unwrap();
    assert_eq!(
        time(&lot.entry_date).to_rfc3339(),
        "2025-01-31T00:00:00+00:00"
    );
    assert_eq!(
        time(&lot.storage_until).to_rfc3339(),
        "2027-01-31T00:00:00+00:00"
    );
    let totals = rows[0].totals.as_ref().unwrap();
    assert_eq!(totals.actual_increase, totals.available);
    assert_eq!(totals.book, totals.available);
    let boxes = totals
        .available
        .as_ref()
        .unwrap()
        .statutory_2
        .as_ref()
        .unwrap();
    assert_eq!(
        (boxes.value.as_str(), boxes.unit_code.as_str()),
        ("250", "XBX")
    );
    let nothing = &totals
        .reserved
        .as_ref()
        .unwrap()
        .declared
        .as_ref()
        .unwrap()
        .value;
    assert_eq!(nothing, "0");

    let by_line = wire::GetStockRequest {
        detail: wire::StockDetail::Line.into(),
        ..stock_of(BOOK_A)
    };
    let rows = harness.stock(as_trader("trader-a", by_line)).await.unwrap();
    assert_eq!(rows.iter().map(available).collect::<Vec<_>>(), ["16000"]);
    assert!(rows[0].lot.is_none());
}

#[tokio::test]
async fn a_movement_is_published_with_its_chain_and_cause() {
    let harness = Harness::with_books().await;
    let movement = harness
        .take_over(opening("trader-a", BOOK_A, "1", 100, "2025-01-31"))
        .await
        .unwrap();
    let (row, event) = harness
        .published()
        .await
        .into_iter()
        .rfind(|(row, _)| row.key == BOOK_A)
        .unwrap();
    assert_eq!(
        (row.event_type.as_str(), event.version),
        ("greenlane.bonded.book.movement-posted", 3)
    );
    let Some(Fact::MovementPosted(posted)) = event.fact else {
        panic!("no movement was published")
    };
    assert_eq!(posted.movement_id, movement.movement_id);
    assert_eq!(
        (posted.total.as_str(), posted.cause.as_str()),
        ("ACTUAL_INCREASE", "OPENING 1")
    );
    assert_eq!(posted.chain, movement.chain);
    assert_eq!(event.recorded_at, movement.recorded_at);
    let head = harness.open_head(BOOK_A).await;
    assert_eq!((head.ordinal, head.chain), (1, movement.chain));
}

impl Harness {
    async fn open_head(&self, number: &str) -> wire::ChainHead {
        let request = wire::GetBookRequest {
            book_number: number.into(),
            page: None,
        };
        self.api
            .get_book(as_operator(CENTRE, request))
            .await
            .unwrap()
            .into_inner()
            .book
            .unwrap()
            .head
            .unwrap()
    }
}

#[tokio::test]
async fn rule_9_a_cause_is_posted_once_however_often_it_comes() {
    let harness = Harness::with_books().await;
    let request = new_id();
    let command = opening("trader-a", BOOK_A, "1", 100, "2025-01-31");
    let first = harness.post(request, command.clone()).await;
    let again = harness.post(request, command.clone()).await;
    assert!(again.repeated && first.outcome == again.outcome);
    assert_eq!(
        harness.take_over(command.clone()).await.unwrap_err().reason,
        "MOVEMENT_POSTED"
    );
    let twice = futures::future::join_all(
        (0..10).map(|_| harness.take_over(opening("trader-a", BOOK_A, "a/b", 1, "2025-01-31"))),
    )
    .await;
    assert_eq!(twice.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(harness.movements("trader-a", BOOK_A).await.len(), 2);
}

#[tokio::test]
async fn rule_7_nothing_is_posted_to_a_line_suspended_for_increase() {
    let harness = Harness::with_books().await;
    let request = wire::SuspendBookLineRequest {
        request_id: id(),
        book_number: BOOK_A.into(),
        line_number: 1,
        suspended_for_increase: true,
        reason: "leak".into(),
        ..Default::default()
    };
    harness
        .api
        .suspend_book_line(as_operator(CENTRE, request))
        .await
        .unwrap();
    let refusal = harness
        .take_over(opening("trader-a", BOOK_A, "1", 1, "2025-01-31"))
        .await
        .unwrap_err();
    assert_eq!(refusal.reason, "BOOK_LINE_SUSPENDED");
    assert!(harness.movements("trader-a", BOOK_A).await.is_empty());
}

#[tokio::test]
async fn nobody_posts_to_another_traders_book() {
    let harness = Harness::with_books().await;
    let mut command = opening("trader-b", BOOK_A, "1", 1, "2025-01-31");
    assert_eq!(
        harness.take_over(command.clone()).await.unwrap_err().reason,
        "NOT_FOUND"
    );
    command.line.line_number = 7;
    let outcome = harness
        .decide("trader-b", Input::PostOpening(command))
        .await;
    assert_eq!(outcome.unwrap_err().reason, "NOT_FOUND");
}

#[tokio::test]
async fn rule_8_postings_at_once_are_recorded_at_growing_times_without_gaps() {
    let harness = Harness::with_books().await;
    let posted = futures::future::join_all((0..60).map(|number| {
        let (party, book) = if number % 3 == 0 {
            ("trader-b", BOOK_B)
        } else {
            ("trader-a", BOOK_A)
        };
        harness.take_over(opening(
            party,
            book,
            &number.to_string(),
            number + 1,
            "2025-01-31",
        ))
    }))
    .await;
    assert!(posted.iter().all(Result::is_ok));
    for (party, book, count) in [("trader-a", BOOK_A, 40), ("trader-b", BOOK_B, 20)] {
        let movements = harness.movements(party, book).await;
        assert_eq!(
            movements
                .iter()
                .map(|movement| movement.ordinal)
                .collect::<Vec<_>>(),
            (1..=count).collect::<Vec<_>>()
        );
        assert!(
            movements
                .windows(2)
                .all(|pair| time(&pair[0].recorded_at) < time(&pair[1].recorded_at))
        );
        let verified = harness.verify(party, book, None).await;
        assert!(verified.intact, "{verified:?}");
        assert_eq!(verified.movements_verified, count);
    }
}

#[tokio::test]
async fn rule_8_the_clock_of_recording_does_not_step_back_with_the_database() {
    let harness = Harness::with_books().await;
    harness
        .take_over(opening("trader-a", BOOK_A, "1", 1, "2025-01-31"))
        .await
        .unwrap();
    // As if the last movement had been recorded by a clock that was ahead.
    harness
        .as_owner(
            "update book set head_recorded_at = '2099-01-01T00:00:00Z' where head_ordinal > 0",
        )
        .await;
    let movement = harness
        .take_over(opening("trader-a", BOOK_A, "2", 1, "2025-01-31"))
        .await
        .unwrap();
    assert_eq!(
        time(&movement.recorded_at).to_rfc3339(),
        "2099-01-01T00:00:00.000001+00:00"
    );
}

#[tokio::test]
async fn rule_8_stock_is_told_as_of_either_clock_and_of_both() {
    let harness = Harness::with_books().await;
    let mut recorded = Vec::new();
    // Recorded in this order, effective in another.
    for (reference, kilograms, entry_date) in [
        ("1", 1, "2025-03-01"),
        ("2", 10, "2025-01-01"),
        ("3", 100, "2025-02-01"),
    ] {
        let movement = harness
            .take_over(opening(
                "trader-a", BOOK_A, reference, kilograms, entry_date,
            ))
            .await
            .unwrap();
        recorded.push(time(&movement.recorded_at));
    }
    let effective = |date: &str| {
        Some(
            format!("{date}T00:00:00Z")
                .parse::<DateTime<Utc>>()
                .unwrap(),
        )
    };
    let before = |time: DateTime<Utc>| time - TimeDelta::microseconds(1);
    for (effective_at, recorded_at, expected) in [
        (None, None, Some("111")),
        (effective("2025-02-28"), None, Some("110")),
        (effective("2025-01-01"), None, Some("10")),
        (effective("2024-12-31"), None, None),
        (None, Some(recorded[1]), Some("11")),
        (None, Some(before(recorded[1])), Some("1")),
        (None, Some(before(recorded[0])), None),
        (effective("2025-02-01"), Some(recorded[1]), Some("10")),
        (effective("2025-02-01"), Some(recorded[2]), Some("110")),
    ] {
        let request = wire::GetStockRequest {
            detail: wire::StockDetail::Line.into(),
            effective_at: effective_at.and_then(at),
            recorded_at: recorded_at.and_then(at),
            ..stock_of(BOOK_A)
        };
        let rows = harness.stock(as_trader("trader-a", request)).await.unwrap();
        assert_eq!(
            rows.first().map(available),
            expected,
            "{effective_at:?} {recorded_at:?}"
        );
    }
}

#[tokio::test]
async fn rule_8_a_row_says_how_far_it_reaches_and_never_changes_as_of_then() {
    let harness = Harness::with_books().await;
    harness
        .take_over(opening("trader-a", BOOK_A, "1", 5, "2025-01-31"))
        .await
        .unwrap();
    let answered = harness
        .stock(as_trader("trader-a", stock_of(BOOK_A)))
        .await
        .unwrap();
    // A time that is not over reaches no further than the last movement.
    let ahead = wire::GetStockRequest {
        recorded_at: at(Utc::now() + TimeDelta::days(365)),
        ..stock_of(BOOK_A)
    };
    assert_eq!(
        harness.stock(as_trader("trader-a", ahead)).await.unwrap(),
        answered
    );
    let as_of_then = || wire::GetStockRequest {
        recorded_at: answered[0].recorded_at,
        ..stock_of(BOOK_A)
    };
    for number in 2..10 {
        harness
            .take_over(opening(
                "trader-a",
                BOOK_A,
                &number.to_string(),
                number,
                "2024-06-01",
            ))
            .await
            .unwrap();
        assert_eq!(
            harness
                .stock(as_trader("trader-a", as_of_then()))
                .await
                .unwrap(),
            answered
        );
    }
}

#[tokio::test]
async fn rule_8_what_is_answered_while_stock_is_posted_never_changes() {
    let harness = Harness::with_books().await;
    let by_line = |recorded_at| wire::GetStockRequest {
        detail: wire::StockDetail::Line.into(),
        recorded_at,
        ..stock_of(BOOK_A)
    };
    let posting = futures::future::join_all((1..=80).map(|number| {
        harness.take_over(opening(
            "trader-a",
            BOOK_A,
            &number.to_string(),
            number,
            "2025-01-31",
        ))
    }));
    let asking = async {
        let mut answers = Vec::new();
        loop {
            let rows = harness
                .stock(as_trader("trader-a", by_line(None)))
                .await
                .unwrap();
            let complete = rows.first().map(available) == Some("3240");
            answers.extend(rows);
            if complete {
                return answers;
            }
        }
    };
    let (posted, answers) = tokio::join!(posting, tokio::time::timeout(DEADLINE, asking));
    assert!(posted.iter().all(Result::is_ok));
    for answer in answers.expect("all is posted in time") {
        let again = harness
            .stock(as_trader("trader-a", by_line(answer.recorded_at)))
            .await
            .unwrap();
        assert_eq!(again, [answer]);
    }
}

#[tokio::test]
async fn the_sum_of_movements_equals_the_balance_and_pages_add_up_to_the_whole() {
    let harness = Harness::with_books().await;
    for number in 1..=7 {
        harness
            .take_over(opening(
                "trader-a",
                BOOK_A,
                &number.to_string(),
                number * 11,
                "2025-01-31",
            ))
            .await
            .unwrap();
        harness
            .take_over(opening(
                "trader-b",
                BOOK_B,
                &number.to_string(),
                number * 7,
                "2025-01-31",
            ))
            .await
            .unwrap();
    }
    let mut now = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = Some(Page {
            page_size: 3,
            page_token,
        });
        let answer = harness
            .api
            .get_stock(as_operator(
                CENTRE,
                wire::GetStockRequest {
                    page,
                    ..Default::default()
                },
            ))
            .await
            .unwrap()
            .into_inner();
        now.extend(answer.rows);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(now.len(), 14);
    let ahead = wire::GetStockRequest {
        recorded_at: at(Utc::now() + TimeDelta::days(1)),
        ..Default::default()
    };
    assert_eq!(
        harness.stock(as_operator(CENTRE, ahead)).await.unwrap(),
        now,
        "balances and movements agree"
    );
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for (party, book) in [("trader-a", BOOK_A), ("trader-b", BOOK_B)] {
        for movement in harness.movements(party, book).await {
            let declared: Decimal = movement
                .amount
                .unwrap()
                .declared
                .unwrap()
                .value
                .parse()
                .unwrap();
            *sums.entry(movement.lot_id).or_default() += declared;
        }
    }
    let balances: BTreeMap<String, Decimal> = now
        .iter()
        .map(|row| {
            (
                row.lot.as_ref().unwrap().lot_id.clone(),
                available(row).parse().unwrap(),
            )
        })
        .collect();
    assert_eq!(sums, balances);
}

#[tokio::test]
async fn a_trader_sees_its_own_stock_only() {
    let harness = Harness::with_books().await;
    stack::without_row_security(&harness.database).await;
    harness
        .take_over(opening("trader-a", BOOK_A, "1", 5, "2025-01-31"))
        .await
        .unwrap();
    harness
        .take_over(opening("trader-b", BOOK_B, "1", 7, "2025-01-31"))
        .await
        .unwrap();
    let all = wire::GetStockRequest::default;
    let of = |rows: Vec<wire::StockRow>| {
        rows.into_iter()
            .map(|row| row.trader_party)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(harness.stock(as_trader("trader-a", all())).await.unwrap()),
        ["trader-a"]
    );
    assert_eq!(
        of(harness.stock(as_operator(CENTRE, all())).await.unwrap()),
        ["trader-a", "trader-b"]
    );
    assert!(
        of(harness
            .stock(as_operator("GUOYUAN-PORT", all()))
            .await
            .unwrap())
        .is_empty()
    );
    let others = wire::GetStockRequest {
        trader_party: "trader-b".into(),
        recorded_at: at(Utc::now()),
        ..all()
    };
    assert!(of(harness.stock(as_trader("trader-a", others)).await.unwrap()).is_empty());
}

#[tokio::test]
async fn movements_are_listed_page_by_page_and_by_lot() {
    let harness = Harness::with_books().await;
    for number in 1..=5 {
        harness
            .take_over(opening(
                "trader-a",
                BOOK_A,
                &number.to_string(),
                number,
                "2025-01-31",
            ))
            .await
            .unwrap();
    }
    let request = |page_token: String| wire::ListMovementsRequest {
        book_number: BOOK_A.into(),
        page: Some(Page {
            page_size: 3,
            page_token,
        }),
        ..Default::default()
    };
    let first = harness
        .api
        .list_movements(as_trader("trader-a", request(String::new())))
        .await
        .unwrap()
        .into_inner();
    let second = harness
        .api
        .list_movements(as_trader("trader-a", request(first.next_page_token)))
        .await
        .unwrap()
        .into_inner();
    let ordinals: Vec<_> = first
        .movements
        .iter()
        .chain(&second.movements)
        .map(|movement| movement.ordinal)
        .collect();
    assert_eq!(
        (ordinals, second.next_page_token.as_str()),
        (vec![1, 2, 3, 4, 5], "")
    );
    let of_lot = wire::ListMovementsRequest {
        book_number: BOOK_A.into(),
        lot_id: "BOOKTRADERA1/1/4".into(),
        ..Default::default()
    };
    let of_lot = harness
        .api
        .list_movements(as_trader("trader-a", of_lot))
        .await
        .unwrap()
        .into_inner()
        .movements;
    assert_eq!(
        of_lot
            .iter()
            .map(|movement| movement.ordinal)
            .collect::<Vec<_>>(),
        [4]
    );
    let of_line = wire::ListMovementsRequest {
        book_number: BOOK_A.into(),
        line_number: u32::MAX,
        ..Default::default()
    };
    assert!(
        harness
            .api
            .list_movements(as_trader("trader-a", of_line))
            .await
            .unwrap()
            .into_inner()
            .movements
            .is_empty()
    );
    let other = wire::ListMovementsRequest {
        page: Some(Page {
            page_size: -1,
            page_token: String::new(),
        }),
        ..request(String::new())
    };
    assert_eq!(
        reason(
            &harness
                .api
                .list_movements(as_trader("trader-a", other))
                .await
                .unwrap_err()
        ),
        "PAGE_SIZE_INVALID"
    );
}

#[tokio::test]
async fn rule_14_the_services_role_may_neither_change_nor_remove_a_movement() {
    let harness = Harness::with_books().await;
    harness
        .take_over(opening("trader-a", BOOK_A, "1", 5, "2025-01-31"))
        .await
        .unwrap();
    let mut service =
        <sqlx::PgConnection as sqlx::Connection>::connect(&harness.database.service_url)
            .await
            .unwrap();
    for sql in [
        "update movement set declared = 6",
        "delete from movement",
        "truncate movement",
        "drop table movement",
    ] {
        let error = sqlx::raw_sql(sql).execute(&mut service).await.unwrap_err();
        let code = error
            .as_database_error()
            .and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(
            code.as_deref(),
            Some("42501"),
            "{sql}: insufficient privilege"
        );
    }
}

/// What somebody with the owner's rights might do to a ledger of twelve movements.
fn any_edit() -> impl Strategy<Value = String> {
    let column = prop_oneof![
        Just("declared = declared + 0.000001"),
        Just("statutory_1 = statutory_1 - 0.000001"),
        Just("statutory_2 = statutory_2 + 1"),
        Just("total = 'ACTUAL_DECREASE'"),
        Just("lot_id = 'BOOKTRADERB1/1/1'"),
        Just("unit_declared = 'TNE'"),
        Just("unit_statutory_1 = 'no unit at all'"),
        Just("unit_statutory_2 = 'NAR'"),
        Just("cause_reference = cause_reference || 'x'"),
        Just("cause_kind = 'GIFT'"),
        Just("effective_at = effective_at - interval '1 microsecond'"),
        Just("recorded_at = recorded_at + interval '1 microsecond'"),
        Just("recorded_by_party = 'trader-b'"),
        Just("recorded_by_subject = 'nobody'"),
        Just("movement_id = gen_random_uuid()"),
        Just("book_number = 'BOOKTRADERB1', ordinal = ordinal + 100"),
        Just("ordinal = ordinal + 100"),
        Just("chain = sha256(chain)"),
    ];
    let of = |ordinal: u32| format!("book_number = 'BOOKTRADERA1' and ordinal = {ordinal}");
    prop_oneof![
        8 => (column, 1u32..=12).prop_map(move |(column, ordinal)| format!("update movement set {column} where {}", of(ordinal))),
        1 => (1u32..=12).prop_map(move |ordinal| format!("delete from movement where {}", of(ordinal))),
        1 => (1u32..=12).prop_map(|ordinal| format!("update balance set actual_increase_declared = actual_increase_declared + 1 where lot_id = 'BOOKTRADERA1/1/{ordinal}'")),
        1 => (1u32..=12).prop_map(|ordinal| format!("delete from balance where lot_id = 'BOOKTRADERA1/1/{ordinal}'")),
        1 => (1u32..12).prop_map(|ordinal| format!("update book set head_ordinal = {ordinal} where book_number = 'BOOKTRADERA1'")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_14_verification_finds_each_of_100_random_edits() {
    let harness = Harness::with_books().await;
    harness
        .take_over(opening("trader-b", BOOK_B, "only", 5, "2025-01-31"))
        .await
        .unwrap();
    for number in 1..=12 {
        harness
            .take_over(opening(
                "trader-a",
                BOOK_A,
                &number.to_string(),
                number,
                "2025-01-31",
            ))
            .await
            .unwrap();
    }
    // Kept aside, so that each edit meets the ledger as it was written.
    harness.as_owner("create table kept_movement as table movement; create table kept_balance as table balance; create table kept_book as table book").await;
    let seed = [new_id().into_bytes(), new_id().into_bytes()].concat();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let runtime = tokio::runtime::Handle::current();
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&any_edit(), |edit| {
            let verified = runtime.block_on(async {
                harness.as_owner(&edit).await;
                let verified = harness.verify("trader-a", BOOK_A, None).await;
                harness
                    .as_owner(
                        "delete from movement; delete from balance; insert into movement table kept_movement; insert into balance table kept_balance; \
                         update book set head_ordinal = kept.head_ordinal from kept_book kept where kept.book_number = book.book_number",
                    )
                    .await;
                verified
            });
            prop_assert!(!verified.intact && verified.broken.is_some(), "{} was not found", edit);
            Ok(())
        })
    });
    if let Err(TestError::Fail(why, edit)) = &outcome {
        panic!("with the seed {seed:?}: {why}: {edit}");
    }
    outcome.unwrap();
    assert!(
        harness.verify("trader-a", BOOK_A, None).await.intact,
        "what was restored is intact again"
    );
}

#[tokio::test]
async fn rule_14_verification_says_where_the_ledger_breaks() {
    let harness = Harness::with_books().await;
    for number in 1..=6 {
        harness
            .take_over(opening(
                "trader-a",
                BOOK_A,
                &number.to_string(),
                number,
                "2025-01-31",
            ))
            .await
            .unwrap();
    }
    let head = harness.open_head(BOOK_A).await;
    let movements = harness.movements("trader-a", BOOK_A).await;
    harness
        .as_owner(
            "update balance set actual_increase_declared = 77 where lot_id = 'BOOKTRADERA1/1/5'",
        )
        .await;
    let broken = harness
        .verify("trader-a", BOOK_A, None)
        .await
        .broken
        .unwrap();
    assert_eq!(
        (broken.kind(), broken.lot_id.as_str()),
        (ChainBreakKind::Balance, "BOOKTRADERA1/1/5")
    );
    harness
        .as_owner("update movement set declared = 77 where ordinal = 4")
        .await;
    let verified = harness.verify("trader-a", BOOK_A, None).await;
    let broken = verified.broken.unwrap();
    assert_eq!(
        (verified.movements_verified, broken.kind(), broken.ordinal),
        (3, ChainBreakKind::Content, 4)
    );
    assert_eq!(broken.movement_id, movements[3].movement_id);
    harness
        .as_owner("delete from movement where ordinal = 2")
        .await;
    assert_eq!(
        harness
            .verify("trader-a", BOOK_A, None)
            .await
            .broken
            .unwrap()
            .kind(),
        ChainBreakKind::Ordinal
    );
    harness
        .as_owner("delete from movement where ordinal > 1")
        .await;
    let broken = harness
        .verify("trader-a", BOOK_A, None)
        .await
        .broken
        .unwrap();
    assert_eq!((broken.kind(), broken.ordinal), (ChainBreakKind::Head, 1));
    assert_eq!(head.ordinal, 6);
}

#[tokio::test]
async fn rule_14_a_ledger_rewritten_whole_is_found_by_a_head_that_somebody_kept() {
    let harness = Harness::with_books().await;
    for number in 1..=3 {
        harness
            .take_over(opening(
                "trader-a",
                BOOK_A,
                &number.to_string(),
                number,
                "2025-01-31",
            ))
            .await
            .unwrap();
    }
    let kept = harness.open_head(BOOK_A).await;
    harness
        .take_over(opening("trader-a", BOOK_A, "4", 4, "2025-01-31"))
        .await
        .unwrap();
    assert!(
        harness
            .verify("trader-a", BOOK_A, Some(kept.clone()))
            .await
            .intact
    );
    // Everything is taken away and written anew, with a chain that holds in itself.
    let start: String = Head::start(&BookNumber::parse(BOOK_A).unwrap())
        .chain
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    harness
        .as_owner(&format!(
            "delete from movement; delete from balance; delete from lot; update book_line set lots = 0; \
             update book set head_ordinal = 0, head_recorded_at = null, head_chain = '\\x{start}' where book_number = '{BOOK_A}'"
        ))
        .await;
    for number in 1..=4 {
        harness
            .take_over(opening(
                "trader-a",
                BOOK_A,
                &number.to_string(),
                number * 10,
                "2025-01-31",
            ))
            .await
            .unwrap();
    }
    assert!(
        harness.verify("trader-a", BOOK_A, None).await.intact,
        "in itself it holds"
    );
    let broken = harness
        .verify("trader-a", BOOK_A, Some(kept))
        .await
        .broken
        .unwrap();
    assert_eq!(
        (broken.kind(), broken.ordinal),
        (ChainBreakKind::KnownHead, 3)
    );
}
