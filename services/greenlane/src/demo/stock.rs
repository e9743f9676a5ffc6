//! Bonded stock: what trader and operator do with account books and stock lists, and what bonded answers about
//! stock on either clock. It must not know trucks, nor in which order things happen.

use chrono::{DateTime, Utc};
use proto::bonded::v1 as bonded;
use proto::common::v1::Quantity;

use super::acts::codes;
use super::journey::{Journey, state_name};
use super::mishap::Mishap;
use super::waiting::Look;
use crate::client::ClientError;
use crate::commands::show;

/// A line of an account book, with the goods of a journey on it.
#[derive(Clone, Copy, Debug)]
pub struct BookLine {
    /// The account book, as it is seeded.
    pub book: &'static str,
    /// Its line.
    pub line: u32,
    /// The unit in which its goods are declared.
    pub unit: &'static str,
}

impl BookLine {
    /// So much of it, in the declared unit.
    pub fn quantity(&self, value: impl ToString) -> Quantity {
        quantity(value, self.unit)
    }
}

/// So much of a unit.
pub fn quantity(value: impl ToString, unit: &str) -> Quantity {
    Quantity {
        value: value.to_string(),
        unit_code: unit.to_owned(),
    }
}

impl Journey<'_> {
    /// The trader files a stock list, for the declaration that its broker will lodge.
    ///
    /// # Errors
    /// Bonded refuses it, or has it in another state than `wanted`.
    pub async fn file_list(
        &mut self,
        direction: bonded::StockListDirection,
        on: BookLine,
        line: bonded::FiledStockListLine,
        wanted: bonded::StockListState,
    ) -> Result<bonded::StockList, Mishap> {
        let request = self.list_request(direction, on, line);
        let answer = self.trader.bonded()?.file_stock_list(request).await?;
        let list = answer.into_inner().stock_list.unwrap_or_default();
        if list.state() != wanted {
            return Err(Mishap::otherwise(
                format!("a stock list {}", list_state_name(wanted)),
                list_told(&list),
            ));
        }
        self.ids.list.clone_from(&list.list_number);
        self.notices.follow_also(&list.list_number);
        self.notices.follow_also(on.book);
        self.outcome(format!(
            "stock list {}: {}",
            list.list_number,
            list_told(&list)
        ));
        Ok(list)
    }

    /// The trader files a list of more than there is: it is refused, with what is available.
    ///
    /// # Errors
    /// Bonded takes it, or refuses it for another reason.
    pub async fn file_too_much(
        &self,
        on: BookLine,
        line: bonded::FiledStockListLine,
    ) -> Result<(), Mishap> {
        let direction = bonded::StockListDirection::Decrease;
        let asked = show::quantity(line.declared.as_ref());
        let request = self.list_request(direction, on, line);
        let status = match self.trader.bonded()?.file_stock_list(request).await {
            Ok(answer) => {
                let list = answer.into_inner().stock_list.unwrap_or_default();
                return Err(Mishap::otherwise(
                    format!("a list of {asked} refused"),
                    list_told(&list),
                ));
            }
            Err(status) => status,
        };
        match ClientError::from(status) {
            ClientError::Refused(refusal) if refusal.reason == "STOCK_NOT_AVAILABLE" => {
                self.outcome(format!("{asked} are refused: {}", refusal.message));
                for fault in &refusal.faults {
                    self.outcome(format!("  {}: {}", fault.path, fault.description));
                }
                for unmet in &refusal.unmet {
                    self.outcome(format!("  {}: {}", unmet.subject, unmet.description));
                }
                Ok(())
            }
            other => Err(other.into()),
        }
    }

    fn list_request(
        &self,
        direction: bonded::StockListDirection,
        on: BookLine,
        line: bonded::FiledStockListLine,
    ) -> bonded::FileStockListRequest {
        bonded::FileStockListRequest {
            request_id: self.trader.request_id(),
            validate_only: false,
            direction: direction.into(),
            book_number: on.book.to_owned(),
            declaration_lrn: self.names.lrn.clone(),
            declaration_filer_party: self.broker.party().to_owned(),
            lines: vec![line],
        }
    }

    /// The operator approves the list.
    ///
    /// # Errors
    /// Bonded refuses.
    pub async fn approve_list(&self) -> Result<(), Mishap> {
        let operator = &self.parties.operator;
        let request = bonded::ApproveStockListRequest {
            request_id: operator.request_id(),
            list_number: self.ids.list.clone(),
            expected_version: 0,
        };
        let answer = operator.bonded()?.approve_stock_list(request).await?;
        let list = answer.into_inner().stock_list.unwrap_or_default();
        self.outcome(format!("operator approves it: {}", list_told(&list)));
        Ok(())
    }

    /// The operator records what was counted when the container was unstuffed.
    ///
    /// # Errors
    /// Bonded refuses.
    pub async fn count(
        &self,
        counted: Quantity,
    ) -> Result<bonded::RecordReceiptCountResponse, Mishap> {
        let operator = &self.parties.operator;
        let told = show::quantity(Some(&counted));
        let request = bonded::RecordReceiptCountRequest {
            request_id: operator.request_id(),
            list_number: self.ids.list.clone(),
            counts: vec![bonded::ReceiptCount {
                line_number: 1,
                counted: Some(counted),
            }],
            expected_version: 0,
        };
        let answer = operator.bonded()?.record_receipt_count(request).await?;
        let answer = answer.into_inner();
        let list = answer.stock_list.clone().unwrap_or_default();
        self.outcome(format!("counted {told}: {}", list_told(&list)));
        for discrepancy in &answer.discrepancies {
            self.outcome(format!("  {}", discrepancy_told(discrepancy)));
        }
        Ok(answer)
    }

    /// The list as the operator sees it, with its discrepancies; an empty one before it is filed.
    ///
    /// # Errors
    /// Bonded refuses.
    pub async fn list(&self) -> Result<bonded::GetStockListResponse, Mishap> {
        if self.ids.list.is_empty() {
            return Ok(bonded::GetStockListResponse::default());
        }
        let request = bonded::GetStockListRequest {
            list_number: self.ids.list.clone(),
        };
        let answer = self
            .parties
            .operator
            .bonded()?
            .get_stock_list(request)
            .await?;
        Ok(answer.into_inner())
    }

    /// Waits until bonded says this of the list.
    ///
    /// # Errors
    /// It does not.
    pub async fn until_list(
        &self,
        awaited: &str,
        is_so: impl Fn(&bonded::StockList) -> bool,
    ) -> Result<bonded::StockList, Mishap> {
        self.until(awaited, async || {
            let list = self.list().await?.stock_list.unwrap_or_default();
            let seen = list_told(&list);
            Ok(Look::if_so(is_so(&list), list, seen))
        })
        .await
    }

    /// The stock of a line as its trader is told, on both clocks where they are named; none if there is nothing.
    ///
    /// # Errors
    /// Bonded refuses.
    pub async fn stock(
        &self,
        on: BookLine,
        effective_at: Option<DateTime<Utc>>,
        recorded_at: Option<prost_types::Timestamp>,
    ) -> Result<bonded::StockRow, Mishap> {
        let request = bonded::GetStockRequest {
            book_number: on.book.to_owned(),
            line_number: on.line,
            effective_at: effective_at.map(chassis::convert::timestamp),
            recorded_at,
            detail: bonded::StockDetail::Line.into(),
            include_empty: true,
            ..Default::default()
        };
        let answer = self.trader.bonded()?.get_stock(request).await?;
        let row = answer.into_inner().rows.into_iter().next();
        row.ok_or_else(|| {
            Mishap::otherwise(format!("stock on {} line {}", on.book, on.line), "none")
        })
    }

    /// A lot of a line as its trader is told now.
    ///
    /// # Errors
    /// Bonded refuses, or has no such lot.
    pub async fn lot(&self, on: BookLine, lot_id: &str) -> Result<bonded::StockRow, Mishap> {
        let request = bonded::GetStockRequest {
            book_number: on.book.to_owned(),
            line_number: on.line,
            detail: bonded::StockDetail::Lot.into(),
            include_empty: true,
            page: Some(proto::common::v1::Page {
                page_size: LOTS_MAX,
                page_token: String::new(),
            }),
            ..Default::default()
        };
        let answer = self.trader.bonded()?.get_stock(request).await?;
        let mut rows = answer.into_inner().rows.into_iter();
        rows.find(|row| row.lot.as_ref().is_some_and(|lot| lot.lot_id == lot_id))
            .ok_or_else(|| Mishap::otherwise(format!("lot {lot_id}"), "none"))
    }
}

/// Lots of a line that are read; each play of the demo in one state folder adds one at most.
const LOTS_MAX: i32 = 500;

/// Totals in one line: what is on the book, reserved, incoming and available, in the declared unit.
pub fn totals_told(row: &bonded::StockRow) -> String {
    let totals = row.totals.clone().unwrap_or_default();
    let told = |name: &str, amount: &Option<bonded::StockAmount>| {
        format!("{name} {}", show::quantity(declared(amount.as_ref())))
    };
    [
        told("book", &totals.book),
        told("reserved", &totals.reserved),
        told("incoming", &totals.incoming),
        told("available", &totals.available),
    ]
    .join(", ")
}

/// The declared part of an amount.
pub fn declared(amount: Option<&bonded::StockAmount>) -> Option<&Quantity> {
    amount.and_then(|amount| amount.declared.as_ref())
}

/// An amount in all three units.
pub fn amount_told(amount: Option<&bonded::StockAmount>) -> String {
    let Some(amount) = amount else {
        return "nothing".to_owned();
    };
    let units = [&amount.declared, &amount.statutory_1, &amount.statutory_2];
    units
        .map(|quantity| show::quantity(quantity.as_ref()))
        .join(" / ")
}

/// Where a list is: "POSTED".
pub fn list_state(list: &bonded::StockList) -> String {
    if list.list_number.is_empty() {
        return String::new();
    }
    list_state_name(list.state())
}

fn list_state_name(state: bonded::StockListState) -> String {
    state_name(state.as_str_name(), "STOCK_LIST_STATE_")
}

fn list_told(list: &bonded::StockList) -> String {
    let waits = if list.conditions.is_empty() {
        String::new()
    } else {
        format!(", waits for {}", codes(&list.conditions))
    };
    let amounts: Vec<String> = list
        .lines
        .iter()
        .map(|line| amount_told(line.amount.as_ref()))
        .collect();
    format!("{}, {}{waits}", list_state(list), amounts.join("; "))
}

fn discrepancy_told(discrepancy: &bonded::Discrepancy) -> String {
    let kind = state_name(discrepancy.kind().as_str_name(), "DISCREPANCY_KIND_");
    let resolution = state_name(
        discrepancy.resolution().as_str_name(),
        "DISCREPANCY_RESOLUTION_",
    );
    format!(
        "discrepancy {kind} on line {}: expected {}, found {}: {}",
        discrepancy.line_number,
        show::quantity(discrepancy.expected.as_ref()),
        show::quantity(discrepancy.found.as_ref()),
        if resolution.is_empty() {
            "OPEN"
        } else {
            &resolution
        }
    )
}
