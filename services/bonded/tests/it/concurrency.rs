//! Many at once through the real loop on the real PostgreSQL, and the known bugs of well-known stock systems, each as a
//! test. At the end of each the sum of movements is the balance and the chain holds.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use kernel::new_id;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use proto::bonded::v1 as wire;
use proto::bonded::v1::StockListState;
use rust_decimal::Decimal;
use sqlx::AssertSqlSafe;

use crate::support::{
    BOOK_A, CENTRE, Harness, as_operator, as_trader, available, decrease, increase, opening,
    reason, stock_of, time,
};

async fn with_stock(kilograms: u32) -> Harness {
    let harness = Harness::with_books().await;
    harness
        .take_over(opening("trader-a", BOOK_A, "1", kilograms, "2025-06-01"))
        .await
        .unwrap();
    harness
}

fn number(quantity: &Option<wire::StockAmount>) -> Decimal {
    quantity
        .as_ref()
        .unwrap()
        .declared
        .as_ref()
        .unwrap()
        .value
        .parse()
        .unwrap()
}

impl Harness {
    /// The ledger verifies: the chain holds, and every balance is the sum of its movements.
    async fn assert_sound(&self) {
        let verified = self.verify("trader-a", BOOK_A, None).await;
        assert!(verified.intact, "{verified:?}");
        let open: Vec<(String, Decimal, Decimal)> = sqlx::query_as(
            "select b.lot_id, b.provisional_decrease_declared, b.provisional_increase_declared from balance b
             where (b.provisional_decrease_declared, b.provisional_increase_declared) <> (
                 select coalesce(sum(p.provisional_declared) filter (where s.direction = 'DECREASE'), 0),
                        coalesce(sum(p.provisional_declared) filter (where s.direction = 'INCREASE'), 0)
                 from stock_list_part p join stock_list s using (list_number)
                 where p.lot_id = b.lot_id and s.state in ('FILED', 'APPROVED', 'RESERVED', 'VOID_ASKED'))",
        )
        .fetch_all(&mut self.owner().await)
        .await
        .unwrap();
        assert_eq!(open, [], "provisional totals are the sum over open lists");
    }

    async fn line(&self) -> wire::StockTotals {
        let request = wire::GetStockRequest {
            detail: wire::StockDetail::Line.into(),
            include_empty: true,
            ..stock_of(BOOK_A)
        };
        let rows = self.stock(as_trader("trader-a", request)).await.unwrap();
        rows.into_iter().next().unwrap().totals.unwrap()
    }

    /// Some life on the book: increases and decreases, posted, voided, short and taken back.
    async fn lived(&self) {
        for kilograms in [40, 35, 7] {
            self.posted_increase(kilograms).await;
        }
        for (at, kilograms) in [3, 50, 11, 29, 6, 1].into_iter().enumerate() {
            let Ok(list) = self.file("trader-a", decrease(kilograms)).await else {
                continue;
            };
            let list = list.list_number;
            match at % 3 {
                0 => {
                    self.pass(&list, 1, &[kilograms], true).await;
                    self.declare(&format!("D-{list}"), 1, "CLEARED", &[&list])
                        .await;
                }
                1 => {
                    let asked = self.void(&list).await.unwrap();
                    self.answer_void(&list, 1, &asked.void_ask_id, true).await;
                }
                _ => {}
            }
        }
        let last = self.posted_increase(5).await;
        let request = wire::ReversePostingRequest {
            request_id: crate::support::id(),
            list_number: last,
            reason: "wrong book".into(),
            expected_version: 0,
        };
        proto::bonded::v1::bonded_service_server::BondedService::reverse_posting(
            &self.api,
            as_operator(CENTRE, request),
        )
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_concurrent_reservations_of_the_last_unit_one_wins() {
    let harness = with_stock(1).await;
    let answers = join_all((0..64).map(|_| harness.file("trader-a", decrease(1)))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 63));
    for refused in lost {
        assert_eq!(reason(&refused.unwrap_err()), "STOCK_NOT_AVAILABLE");
    }
    assert_eq!(number(&harness.line().await.available), Decimal::ZERO);
    harness.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_bug_concurrent_reservations_oversell() {
    let harness = with_stock(100).await;
    let answers = join_all((0..60).map(|_| harness.file("trader-a", decrease(3)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 33);
    let totals = harness.line().await;
    assert_eq!(
        (number(&totals.reserved), number(&totals.available)),
        (99.into(), 1.into())
    );
    let numbers: BTreeSet<String> = answers
        .into_iter()
        .flatten()
        .map(|list| list.list_number)
        .collect();
    assert_eq!(numbers.len(), 33, "every list has a number of its own");
    let last = numbers.last().unwrap();
    assert!(
        last.ends_with("000000033"),
        "{last}: numbers are given without gaps"
    );
    harness.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_bug_the_reserved_quantity_kept_twice_drifts_apart() {
    let harness = with_stock(1_000).await;
    let lists = join_all((0..24).map(|_| harness.file("trader-a", decrease(10)))).await;
    let lists: Vec<String> = lists
        .into_iter()
        .map(|list| list.unwrap().list_number)
        .collect();
    // At once: a third is voided, a third goes out, a third stays reserved; much of it told twice.
    join_all(lists.iter().enumerate().map(|(at, list)| {
        let harness = &harness;
        async move {
            match at % 3 {
                0 => {
                    let asked = harness.void(list).await.unwrap();
                    harness.answer_void(list, 1, &asked.void_ask_id, true).await;
                    harness.answer_void(list, 1, &asked.void_ask_id, true).await;
                }
                1 => {
                    let (declaration, named) = (format!("D{at}"), [list.as_str()]);
                    tokio::join!(
                        harness.declare(&declaration, 1, "CLEARED", &named),
                        harness.pass(list, 1, &[10], true),
                        harness.declare(&declaration, 1, "CLEARED", &named),
                        harness.pass(list, 1, &[10], true),
                    );
                }
                _ => {}
            }
        }
    }))
    .await;
    let totals = harness.line().await;
    assert_eq!(
        (number(&totals.reserved), number(&totals.book)),
        (80.into(), 920.into())
    );
    harness.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_bug_two_postings_in_the_same_instant_give_a_wrong_running_balance() {
    let harness = with_stock(500).await;
    let lists = join_all((0..20).map(|_| harness.file("trader-a", decrease(5)))).await;
    let lists: Vec<String> = lists
        .into_iter()
        .map(|list| list.unwrap().list_number)
        .collect();
    // One fact releases them all: twenty postings in one instant of one batch.
    for list in &lists {
        harness.pass(list, 1, &[5], true).await;
    }
    let all: Vec<&str> = lists.iter().map(String::as_str).collect();
    harness.declare("D1", 1, "CLEARED", &all).await;
    let movements = harness.movements("trader-a", BOOK_A).await;
    let recorded: Vec<_> = movements.iter().map(|one| time(&one.recorded_at)).collect();
    assert!(recorded.windows(2).all(|pair| pair[0] < pair[1]));
    let mut book = Decimal::ZERO;
    for movement in &movements {
        let amount = number(&movement.amount);
        match movement.total() {
            wire::StockTotal::ActualIncrease => book += amount,
            wire::StockTotal::ActualDecrease => book -= amount,
            _ => {}
        }
        let request = wire::GetStockRequest {
            recorded_at: movement.recorded_at,
            include_empty: true,
            ..stock_of(BOOK_A)
        };
        let rows = harness.stock(as_trader("trader-a", request)).await.unwrap();
        assert_eq!(number(&rows[0].totals.as_ref().unwrap().book), book);
    }
    assert_eq!(book, 400.into());
    harness.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_bug_a_posting_made_while_another_recalculates_is_lost() {
    let harness = with_stock(1_000).await;
    let posting = join_all((0..30).map(|at| {
        let harness = &harness;
        async move {
            if at % 2 == 0 {
                harness.posted_increase(10).await;
            } else {
                let list = harness
                    .file("trader-a", decrease(10))
                    .await
                    .unwrap()
                    .list_number;
                harness.pass(&list, 1, &[10], true).await;
                harness
                    .declare(&format!("D{at}"), 1, "CLEARED", &[&list])
                    .await;
                assert_eq!(harness.state(&list).await, StockListState::Posted);
            }
        }
    }));
    let verifying = async {
        for _ in 0..20 {
            assert!(harness.verify("trader-a", BOOK_A, None).await.intact);
        }
    };
    tokio::join!(posting, verifying);
    let totals = harness.line().await;
    assert_eq!(number(&totals.actual_increase), 1_150.into());
    assert_eq!(number(&totals.actual_decrease), 150.into());
    harness.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaying_the_movements_from_empty_gives_the_same_balances() {
    let harness = with_stock(100).await;
    harness.lived().await;
    harness.assert_sound().await;
    let mut owner = harness.owner().await;
    let dump = "select jsonb_agg(to_jsonb(b) order by b.lot_id)::text from balance b";
    let before: String = sqlx::query_scalar(dump)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    sqlx::raw_sql(
        "create table replayed as table balance with no data;
         insert into replayed select lot_id, book_number, line_number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from balance",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    // One movement after the other, as they were recorded.
    for movement in harness.movements("trader-a", BOOK_A).await {
        let total = movement
            .total()
            .as_str_name()
            .trim_start_matches("STOCK_TOTAL_")
            .to_lowercase();
        let amount = movement.amount.unwrap();
        let of = |quantity: &Option<proto::common::v1::Quantity>| {
            quantity.as_ref().unwrap().value.clone()
        };
        let sql = format!(
            "update replayed set {total}_declared = {total}_declared + {}, {total}_statutory_1 = {total}_statutory_1 + {},
             {total}_statutory_2 = {total}_statutory_2 + {} where lot_id = '{}'",
            of(&amount.declared),
            of(&amount.statutory_1),
            of(&amount.statutory_2),
            movement.lot_id
        );
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut owner)
            .await
            .unwrap();
    }
    let dump = "select jsonb_agg(to_jsonb(b) order by b.lot_id)::text from replayed b";
    let after: String = sqlx::query_scalar(dump)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(after, before);
}

/// One movement, as far as sums need it.
struct Moved {
    lot: String,
    total: wire::StockTotal,
    declared: Decimal,
    effective: DateTime<Utc>,
    recorded: DateTime<Utc>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_8_stock_at_1000_random_pairs_of_instants_is_a_plain_sum_over_movements() {
    let harness = with_stock(100).await;
    harness.lived().await;
    let moved: Vec<Moved> = harness
        .movements("trader-a", BOOK_A)
        .await
        .into_iter()
        .map(|movement| Moved {
            total: movement.total(),
            declared: number(&movement.amount),
            effective: time(&movement.effective_at),
            recorded: time(&movement.recorded_at),
            lot: movement.lot_id,
        })
        .collect();
    let instants: Vec<DateTime<Utc>> = moved
        .iter()
        .flat_map(|one| [one.effective, one.recorded])
        .collect();
    let seed = [new_id().into_bytes(), new_id().into_bytes()].concat();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1_000)
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let instant = || {
        let known = prop::sample::select(instants.clone());
        (known, -2i64..3).prop_map(|(time, micros)| time + TimeDelta::microseconds(micros))
    };
    let runtime = tokio::runtime::Handle::current();
    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new_with_rng(config, rng).run(
            &(instant(), instant()),
            |(effective, recorded)| {
                let request = wire::GetStockRequest {
                    effective_at: Some(chassis::convert::timestamp(effective)),
                    recorded_at: Some(chassis::convert::timestamp(recorded)),
                    include_empty: true,
                    ..stock_of(BOOK_A)
                };
                let rows = runtime
                    .block_on(harness.stock(as_trader("trader-a", request)))
                    .unwrap();
                let told: BTreeMap<String, [Decimal; 4]> = rows
                    .iter()
                    .map(|row| {
                        let totals = row.totals.as_ref().unwrap();
                        let four = [
                            number(&totals.provisional_increase),
                            number(&totals.provisional_decrease),
                            number(&totals.actual_increase),
                            number(&totals.actual_decrease),
                        ];
                        (row.lot.as_ref().unwrap().lot_id.clone(), four)
                    })
                    .collect();
                let mut sums: BTreeMap<String, [Decimal; 4]> = BTreeMap::new();
                for one in moved
                    .iter()
                    .filter(|one| one.effective <= effective && one.recorded <= recorded)
                {
                    let at = match one.total {
                        wire::StockTotal::ProvisionalIncrease => 0,
                        wire::StockTotal::ProvisionalDecrease => 1,
                        wire::StockTotal::ActualIncrease => 2,
                        wire::StockTotal::ActualDecrease => 3,
                        wire::StockTotal::Unspecified => unreachable!(),
                    };
                    sums.entry(one.lot.clone()).or_default()[at] += one.declared;
                }
                prop_assert_eq!(told, sums);
                for row in &rows {
                    prop_assert!(
                        !available(row).starts_with('-'),
                        "available is never below zero: {:?}",
                        row
                    );
                }
                Ok(())
            },
        )
    });
    if let Err(TestError::Fail(why, pair)) = &outcome {
        panic!("with the seed {seed:?}: {why}: {pair:?}");
    }
    outcome.unwrap();
}

/// What somebody with the owner's rights might do to a ledger of lists.
fn any_edit(movements: u32) -> impl Strategy<Value = String> {
    let column = prop_oneof![
        Just("declared = declared + 0.000001"),
        Just("statutory_1 = statutory_1 - 0.000001"),
        Just("statutory_2 = statutory_2 + 1"),
        Just(
            "total = case total when 'ACTUAL_INCREASE' then 'ACTUAL_DECREASE' else 'ACTUAL_INCREASE' end"
        ),
        Just("unit_declared = 'TNE'"),
        Just("cause_reference = cause_reference || 'x'"),
        Just("cause_kind = 'GIFT'"),
        Just("effective_at = effective_at - interval '1 microsecond'"),
        Just("recorded_at = recorded_at + interval '1 microsecond'"),
        Just("recorded_by_party = recorded_by_party || 'x'"),
        Just("movement_id = gen_random_uuid()"),
        Just("reverses_movement_id = case when reverses_movement_id is null then movement_id end"),
        Just("ordinal = ordinal + 1000"),
        Just("chain = sha256(chain)"),
    ];
    let of = |ordinal: u32| format!("book_number = 'BOOKTRADERA1' and ordinal = {ordinal}");
    prop_oneof![
        8 => (column, 1..=movements).prop_map(move |(column, ordinal)| format!("update movement set {column} where {}", of(ordinal))),
        1 => (1..=movements).prop_map(move |ordinal| format!("delete from movement where {}", of(ordinal))),
        1 => (1u32..=4).prop_map(|lot| format!("update balance set provisional_increase_declared = provisional_increase_declared + 1 where lot_id = 'BOOKTRADERA1/1/{lot}'")),
        1 => (1u32..=4).prop_map(|lot| format!("delete from balance where lot_id = 'BOOKTRADERA1/1/{lot}'")),
        1 => (1..movements).prop_map(|ordinal| format!("update book set head_ordinal = {ordinal} where book_number = 'BOOKTRADERA1'")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_14_verification_finds_each_of_100_random_edits_of_a_ledger_of_lists() {
    let harness = with_stock(100).await;
    harness.lived().await;
    let movements = u32::try_from(harness.movements("trader-a", BOOK_A).await.len()).unwrap();
    // Whoever owns the tables would take away what refers to the movements, and the checks, first.
    harness.as_owner("alter table stock_list_part drop constraint stock_list_part_provisional_movement_id_fkey,
                                     drop constraint stock_list_part_actual_movement_id_fkey;
         alter table movement drop constraint movement_reverses_movement_id_fkey,
                              drop constraint movement_book_number_recorded_at_key,
                              drop constraint movement_book_number_cause_kind_cause_reference_lot_id_tota_key;
         create table kept_movement as table movement; create table kept_balance as table balance; create table kept_book as table book")
        .await;
    let seed = [new_id().into_bytes(), new_id().into_bytes()].concat();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let runtime = tokio::runtime::Handle::current();
    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new_with_rng(config, rng).run(&any_edit(movements), |edit| {
            let verified = runtime.block_on(async {
                harness.as_owner(&edit).await;
                let verified = harness.verify("trader-a", BOOK_A, None).await;
                harness.as_owner("delete from movement; delete from balance; insert into movement table kept_movement; insert into balance table kept_balance;
                     update book set head_ordinal = kept.head_ordinal from kept_book kept where kept.book_number = book.book_number").await;
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
    harness.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn increases_and_decreases_have_serial_numbers_of_their_own() {
    let harness = with_stock(100).await;
    let filings = (0..20).map(|at| {
        let request = if at % 2 == 0 {
            increase(1)
        } else {
            decrease(1)
        };
        harness.file("trader-a", request)
    });
    let lists: BTreeSet<String> = join_all(filings)
        .await
        .into_iter()
        .map(|list| list.unwrap().list_number)
        .collect();
    let year = Utc::now().format("%y").to_string();
    for letter in ["I", "E"] {
        let expected: Vec<String> = (1..=10)
            .map(|serial| format!("QD8000{year}{letter}{serial:09}"))
            .collect();
        let given: Vec<String> = lists
            .iter()
            .filter(|list| &list[8..9] == letter)
            .cloned()
            .collect();
        assert_eq!(given, expected);
    }
    harness.assert_sound().await;
}
