//! Goods of stock lists, into the bonded centre and out of it: the list, release's decision on it, and what
//! bonded makes of both facts. It must not know trucks.

use proto::bonded::v1 as bonded;
use proto::common::v1::{Money, Quantity};
use proto::customs::v1 as customs;
use proto::release::v1 as release;

use super::lane::all_is_read;
use super::{Journey, kilograms, request_id};
use crate::play::parties::Parties;
use crate::play::waiting::{answered, if_so, seen};

const TRADER_INTO_BOND: &str = "trader-a";
const TRADER_OUT_OF_BOND: &str = "trader-b";

/// A line of a seeded account book, and how much of it a journey moves.
struct Stock {
    direction: bonded::StockListDirection,
    book: &'static str,
    line: u32,
    declared: u32,
    unit: &'static str,
    filed_as: bonded::StockListState,
}

/// trader-a's vanity cases: each play adds to them.
const CASES_IN: Stock = Stock {
    direction: bonded::StockListDirection::Increase,
    book: "BOOKTRADERA1",
    line: 1,
    declared: 50,
    unit: "NAR",
    filed_as: bonded::StockListState::Filed,
};

/// trader-b's manioc. Each play takes ten boxes and those that only reserve ten more, of hundreds that are
/// seeded in one lot: enough for all plays of a run, and always the same statutory quantities to the last digit.
const MANIOC_OUT: Stock = Stock {
    direction: bonded::StockListDirection::Decrease,
    book: "BOOKTRADERB1",
    line: 2,
    declared: 400,
    unit: "KGM",
    filed_as: bonded::StockListState::Reserved,
};

impl Journey<'_> {
    fn stock(&self) -> &'static Stock {
        match self.script.letter {
            'C' => &CASES_IN,
            'D' => &MANIOC_OUT,
            other => panic!("journey {other} moves no stock"),
        }
    }

    pub(super) async fn file_list(&mut self) {
        let stock = self.stock();
        let comes = stock.direction == bonded::StockListDirection::Increase;
        let request = bonded::FileStockListRequest {
            request_id: request_id(),
            validate_only: false,
            direction: stock.direction.into(),
            book_number: stock.book.to_owned(),
            declaration_lrn: self.lrn.clone(),
            declaration_filer_party: self.broker.name.to_owned(),
            lines: vec![bonded::FiledStockListLine {
                book_line: stock.line,
                declared: Some(declared(stock)),
                // What goes out is so much of its lots.
                statutory_1: comes.then(|| kilograms(self.cargo.gross_kilograms)),
                statutory_2: comes.then(|| declared(stock)),
                lot_ids: Vec::new(),
            }],
        };
        let answer = answered("the stock list is filed", &request.request_id, async || {
            let mut bonded = self.trader.bonded();
            bonded.file_stock_list(request.clone()).await
        })
        .await;
        let list = answer.stock_list.unwrap_or_default();
        assert_eq!(list.state(), stock.filed_as, "{list:?}");
        self.list = list.list_number;
    }

    pub(super) async fn approve_list(&mut self) {
        let request = bonded::ApproveStockListRequest {
            request_id: request_id(),
            list_number: self.list.clone(),
            expected_version: 0,
        };
        let answer = answered(
            "the stock list is approved",
            &request.request_id,
            async || {
                let mut bonded = self.parties.operator.bonded();
                bonded.approve_stock_list(request.clone()).await
            },
        )
        .await;
        let list = answer.stock_list.unwrap_or_default();
        assert_eq!(list.state(), bonded::StockListState::Approved, "{list:?}");
    }

    /// Release has decided, and gate has heard it.
    pub(super) async fn until_goods_may_move(&self) {
        self.until_list_is("GRANTED", release::ReleaseState::Granted)
            .await;
        self.until_truck_would_be_ready().await;
        all_is_read(self.parties, self.weighed()).await;
    }

    async fn until_list_is(&self, what: &str, wanted: release::ReleaseState) {
        seen(&format!("the list's release is {what}"), async || {
            let subject = release::explain_release_request::Subject::ListNumber(self.list.clone());
            let request = release::ExplainReleaseRequest {
                subject: Some(subject),
                site_id: String::new(),
            };
            let mut release = self.parties.officer.release();
            let answer = release.explain_release(request).await?.into_inner();
            let decision = answer.release.unwrap_or_default();
            let instead = format!(
                "{:?} {:?}",
                decision.state(),
                super::codes(&decision.conditions)
            );
            Ok(if_so(decision.state() == wanted, (), instead))
        })
        .await;
    }

    pub(super) async fn until_passed(&self) {
        self.until_list("the goods have passed", |list| {
            list.passes_closed && list.passes.iter().all(|pass| pass.state == "PASSED")
        })
        .await;
    }

    pub(super) async fn count(&mut self) {
        let request = bonded::RecordReceiptCountRequest {
            request_id: request_id(),
            list_number: self.list.clone(),
            counts: vec![bonded::ReceiptCount {
                line_number: 1,
                counted: Some(declared(self.stock())),
            }],
            expected_version: 0,
        };
        answered("the goods are counted", &request.request_id, async || {
            let mut bonded = self.parties.operator.bonded();
            bonded.record_receipt_count(request.clone()).await
        })
        .await;
    }

    pub(super) async fn until_posted(&self) {
        self.until_list("the list is final", |list| {
            list.state() == bonded::StockListState::Posted
        })
        .await;
        self.until_list_is("CONSUMED", release::ReleaseState::Consumed)
            .await;
    }

    async fn until_list(&self, what: &str, is_so: impl Fn(&bonded::StockList) -> bool) {
        seen(what, async || {
            let request = bonded::GetStockListRequest {
                list_number: self.list.clone(),
            };
            let mut bonded = self.parties.operator.bonded();
            let answer = bonded.get_stock_list(request).await?.into_inner();
            let list = answer.stock_list.unwrap_or_default();
            Ok(if_so(is_so(&list), (), format!("{list:?}")))
        })
        .await;
    }
}

/// An officer lets the traders' guarantees cover whatever a long play brings into bond: each time adds a debt that
/// stays suspended, and the seeded amounts are those of a few hundred.
pub async fn guarantees_cover_a_long_play(parties: &Parties) {
    for trader in [TRADER_INTO_BOND, TRADER_OUT_OF_BOND] {
        let version = seen("the guarantees are seeded", async || {
            let request = customs::GetGuaranteeRequest {
                trader_party: trader.to_owned(),
            };
            let answer = parties.officer.customs().get_guarantee(request).await?;
            let guarantee = answer.into_inner().guarantee.unwrap_or_default();
            Ok(if_so(
                guarantee.version > 0,
                guarantee.version,
                format!("{guarantee:?}"),
            ))
        })
        .await;
        let id = request_id();
        let request = customs::PutGuaranteeRequest {
            request_id: id.clone(),
            trader_party: trader.to_owned(),
            amount: Some(Money {
                currency_code: "GBP".to_owned(),
                units: 1_000_000_000,
                nanos: 0,
            }),
            reason: "a long play".to_owned(),
            expected_version: version,
        };
        answered("an officer sets a guarantee", &id, async || {
            let mut customs = parties.officer.customs();
            customs.put_guarantee(request.clone()).await
        })
        .await;
    }
}

/// Waits until the account books are there, with what stands in them from the start: bonded puts it in when it
/// has heard of their traders.
pub async fn stock_is_seeded(parties: &Parties) {
    for (trader, stock) in [
        (&parties.trader, &CASES_IN),
        (&parties.other_trader, &MANIOC_OUT),
    ] {
        seen("the account books are seeded", async || {
            let request = bonded::GetBookRequest {
                book_number: stock.book.to_owned(),
                page: None,
            };
            let book = trader.bonded().get_book(request).await?.into_inner();
            let request = bonded::GetStockRequest {
                book_number: stock.book.to_owned(),
                line_number: stock.line,
                ..Default::default()
            };
            let rows = trader.bonded().get_stock(request).await?.into_inner().rows;
            let comes = stock.direction == bonded::StockListDirection::Increase;
            let lines = book.lines.iter();
            let there = lines.filter(|line| line.line_number == stock.line).count() == 1;
            Ok(if_so(
                there && (comes || !rows.is_empty()),
                (),
                format!("{book:?} {rows:?}"),
            ))
        })
        .await;
    }
}

fn declared(stock: &Stock) -> Quantity {
    Quantity {
        value: stock.declared.to_string(),
        unit_code: stock.unit.to_owned(),
    }
}
