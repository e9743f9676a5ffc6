//! Stock lists on the command line: what the trader's and the operator's commands about them have in common. It must
//! not know who may do what; that is the service's to say.

use std::str::FromStr;

use clap::ValueEnum;
use proto::bonded::v1::{
    Discrepancy, FiledStockListLine, GetStockListRequest, ListStockListsRequest, ReceiptCount,
    StockAmount, StockList, StockListDirection, StockListState, VoidStockListRequest,
};
use proto::common::v1::Quantity;
use proto::gate::v1::PreArrivalListLine;

use super::arguments::Listing;
use super::show::{self, Shown, quantity, when, when_exactly, word, yes};
use crate::client::{ClientError, Session};

/// Which way a list moves stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DirectionArgument {
    /// Into bond
    Increase,
    /// Out of bond
    Decrease,
}

impl From<DirectionArgument> for StockListDirection {
    fn from(direction: DirectionArgument) -> Self {
        match direction {
            DirectionArgument::Increase => Self::Increase,
            DirectionArgument::Decrease => Self::Decrease,
        }
    }
}

/// Where a list is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateArgument {
    /// An increase that waits for the operator
    Filed,
    /// An increase that waits for its goods and customs
    Approved,
    /// A decrease that waits for its goods and customs
    Reserved,
    /// Gate is asked whether anything can still pass
    VoidAsked,
    /// Void
    Voided,
    /// Final
    Posted,
    /// Final, and taken back
    Reversed,
}

impl From<StateArgument> for StockListState {
    fn from(state: StateArgument) -> Self {
        match state {
            StateArgument::Filed => Self::Filed,
            StateArgument::Approved => Self::Approved,
            StateArgument::Reserved => Self::Reserved,
            StateArgument::VoidAsked => Self::VoidAsked,
            StateArgument::Voided => Self::Voided,
            StateArgument::Posted => Self::Posted,
            StateArgument::Reversed => Self::Reversed,
        }
    }
}

/// Which lists are listed.
#[derive(Clone, Debug, clap::Args)]
pub struct ListsArguments {
    /// Only in this state
    #[arg(long = "in")]
    state: Option<StateArgument>,
    /// Only this way
    #[arg(long)]
    direction: Option<DirectionArgument>,
    /// Only of this book
    #[arg(long, default_value = "", hide_default_value = true)]
    book: String,
    /// Only of this trader, where you may see several
    #[arg(long, default_value = "", hide_default_value = true)]
    trader: String,
    #[command(flatten)]
    listing: Listing,
}

/// Which list is to be void, and why.
#[derive(Clone, Debug, clap::Args)]
pub struct VoidArguments {
    /// The list
    list: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// The list's version that you have seen
    #[arg(long, default_value_t = 0, value_name = "VERSION")]
    expected_version: u64,
}

/// A line of a list that is filed: the book's line, its quantities, and for a decrease the lots, if not the oldest:
/// `1=50:NAR,150:KGM,50:NAR` or `1=50:NAR,lot=BOOKTRADERB1/1/2`.
#[derive(Clone, Debug, PartialEq)]
pub struct FiledLine(pub FiledStockListLine);

/// What was counted of a list's line: `1=48:NAR`.
#[derive(Clone, Debug, PartialEq)]
pub struct CountedLine(pub ReceiptCount);

/// What a truck carries of a list's line: `1=20:NAR`.
#[derive(Clone, Debug, PartialEq)]
pub struct CarriedLine(pub PreArrivalListLine);

/// Why a text is no line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not understood; write LINE=QUANTITY:UNIT, for an increase with the two statutory quantities behind it (1=50:NAR,150:KGM,50:NAR), for a decrease with lots if need be (1=50:NAR,lot=LOT)"
)]
pub struct LineError(String);

impl FromStr for FiledLine {
    type Err = LineError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let wrong = || LineError(written.to_owned());
        let (book_line, rest) = written.split_once('=').ok_or_else(wrong)?;
        let mut line = FiledStockListLine {
            book_line: book_line.trim().parse().map_err(|_| wrong())?,
            ..Default::default()
        };
        for part in rest.split(',') {
            if let Some(lot) = part.trim().strip_prefix("lot=") {
                line.lot_ids.push(lot.trim().to_owned());
                continue;
            }
            let place = [
                &mut line.declared,
                &mut line.statutory_1,
                &mut line.statutory_2,
            ]
            .into_iter()
            .find(|place| place.is_none());
            *place.ok_or_else(wrong)? = Some(measured(part).ok_or_else(wrong)?);
        }
        Ok(Self(line))
    }
}

impl FromStr for CountedLine {
    type Err = LineError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let (line_number, counted) = of_line(written)?;
        Ok(Self(ReceiptCount {
            line_number,
            counted: Some(counted),
        }))
    }
}

impl FromStr for CarriedLine {
    type Err = LineError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let (line_number, quantity) = of_line(written)?;
        Ok(Self(PreArrivalListLine {
            line_number,
            quantity: Some(quantity),
        }))
    }
}

/// `1=48:NAR`: a list's line and a quantity of it.
fn of_line(written: &str) -> Result<(u32, Quantity), LineError> {
    let wrong = || LineError(written.to_owned());
    let (line, quantity) = written.split_once('=').ok_or_else(wrong)?;
    let line = line.trim().parse().map_err(|_| wrong())?;
    Ok((line, measured(quantity).ok_or_else(wrong)?))
}

/// `50:NAR`; what stands on both sides goes to the service as typed.
fn measured(written: &str) -> Option<Quantity> {
    let (value, unit) = written.split_once(':')?;
    Some(Quantity {
        value: value.trim().to_owned(),
        unit_code: unit.trim().to_owned(),
    })
}

/// Shows one list: then, for machines, an object for each discrepancy.
///
/// # Errors
/// What bonded refuses.
pub async fn show(list: String, session: &Session) -> Result<(), ClientError> {
    let request = GetStockListRequest { list_number: list };
    let answer = session
        .bonded()?
        .get_stock_list(request)
        .await?
        .into_inner();
    show::one(session, &answer.stock_list.unwrap_or_default())?;
    if answer.discrepancies.is_empty() {
        return Ok(());
    }
    show::many(session, &answer.discrepancies)
}

/// Lists lists.
///
/// # Errors
/// What bonded refuses.
pub async fn list(arguments: ListsArguments, session: &Session) -> Result<(), ClientError> {
    let mut bonded = session.bonded()?;
    let state = arguments.state.map(StockListState::from);
    let direction = arguments.direction.map(StockListDirection::from);
    let lists: Vec<StockList> = arguments
        .listing
        .fetch(async |page| {
            let request = ListStockListsRequest {
                page: Some(page),
                book_number: arguments.book.clone(),
                trader_party: arguments.trader.clone(),
                state: state.unwrap_or_default().into(),
                direction: direction.unwrap_or_default().into(),
            };
            let answer = bonded.list_stock_lists(request).await?.into_inner();
            Ok((answer.stock_lists, answer.next_page_token))
        })
        .await?;
    show::many(session, &lists)
}

/// Asks for a list to be void.
///
/// # Errors
/// What bonded refuses.
pub async fn void(arguments: VoidArguments, session: &Session) -> Result<(), ClientError> {
    let request = VoidStockListRequest {
        request_id: session.request_id(),
        list_number: arguments.list,
        reason: arguments.reason,
        expected_version: arguments.expected_version,
    };
    let answer = session.bonded()?.void_stock_list(request).await?;
    show::one(session, &answer.into_inner().stock_list.unwrap_or_default())
}

fn declared(amount: Option<&StockAmount>) -> String {
    quantity(amount.and_then(|amount| amount.declared.as_ref()))
}

impl Shown for StockList {
    const MESSAGE: &'static str = "greenlane.bonded.v1.StockList";
    const COLUMNS: &'static [&'static str] = &[
        "list",
        "state",
        "way",
        "book",
        "trader",
        "filed by",
        "reference",
        "declaration",
        "lines",
        "passed",
        "all passed",
        "closed short",
        "waits for",
        "filed",
        "posted",
        "effective",
    ];

    fn cells(&self) -> Vec<String> {
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| declared(line.amount.as_ref()))
            .collect();
        let passed: Vec<_> = self
            .lines
            .iter()
            .map(|line| quantity(line.passed.as_ref()))
            .collect();
        vec![
            self.list_number.clone(),
            word(self.state().as_str_name(), "STOCK_LIST_STATE_"),
            word(self.direction().as_str_name(), "STOCK_LIST_DIRECTION_"),
            self.book_number.clone(),
            self.trader_party.clone(),
            self.filer_party.clone(),
            self.declaration_lrn.clone(),
            self.declaration_id.clone(),
            lines.join(", "),
            passed.join(", "),
            yes(self.passes_closed),
            yes(self.closed_short),
            show::condition_codes(&self.conditions),
            when(self.filed_at.as_ref()),
            when(self.posted_at.as_ref()),
            when_exactly(self.posted_effective_at.as_ref()),
        ]
    }

    fn below(&self) -> Vec<String> {
        let mut below = Vec::new();
        if self.void_too_late {
            below.push(
                "It was to be void, and gate answered TOO_LATE: goods of it had passed or were on a truck. It stands \
                 as before; if the rest is not to come, the operator closes it short."
                    .to_owned(),
            );
        }
        for line in &self.lines {
            for lot in &line.lots {
                let posted = match &lot.actual {
                    Some(actual) => format!(", posted {}", declared(Some(actual))),
                    None => String::new(),
                };
                below.push(format!(
                    "- line {} (book line {}), lot {}: {}{posted}",
                    line.line_number,
                    line.book_line,
                    lot.lot_id,
                    declared(lot.provisional.as_ref())
                ));
            }
            if line.counted.is_some() {
                below.push(format!(
                    "- line {} counted: {}",
                    line.line_number,
                    quantity(line.counted.as_ref())
                ));
            }
        }
        below.extend(show::conditions(&self.conditions));
        below
    }
}

impl Shown for Discrepancy {
    const MESSAGE: &'static str = "greenlane.bonded.v1.Discrepancy";
    const COLUMNS: &'static [&'static str] = &[
        "discrepancy",
        "list",
        "line",
        "kind",
        "expected",
        "found",
        "settled",
        "by",
        "reason",
        "opened",
        "resolved",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.discrepancy_id.clone(),
            self.list_number.clone(),
            self.line_number.to_string(),
            word(self.kind().as_str_name(), "DISCREPANCY_KIND_"),
            quantity(self.expected.as_ref()),
            quantity(self.found.as_ref()),
            word(self.resolution().as_str_name(), "DISCREPANCY_RESOLUTION_"),
            self.resolved_by_party.clone(),
            self.reason.clone(),
            when(self.opened_at.as_ref()),
            when(self.resolved_at.as_ref()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(value: &str, unit: &str) -> Option<Quantity> {
        Some(Quantity {
            value: value.to_owned(),
            unit_code: unit.to_owned(),
        })
    }

    #[test]
    fn a_line_carries_its_quantities_and_lots() {
        let FiledLine(line) = "1=50:NAR,150.5:KGM,50:NAR".parse().unwrap();
        assert_eq!(line.book_line, 1);
        assert_eq!(line.declared, measure("50", "NAR"));
        assert_eq!(line.statutory_1, measure("150.5", "KGM"));
        assert_eq!(line.statutory_2, measure("50", "NAR"));
        let FiledLine(line) = "2=7:NAR,lot=BOOKTRADERB1/2/1,lot=BOOKTRADERB1/2/4"
            .parse()
            .unwrap();
        assert_eq!(line.statutory_1, None);
        assert_eq!(line.lot_ids, ["BOOKTRADERB1/2/1", "BOOKTRADERB1/2/4"]);
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for written in ["", "1", "one=5:NAR", "1=5", "1=1:A,2:B,3:C,4:D"] {
            assert!(written.parse::<FiledLine>().is_err(), "{written}");
        }
        assert!("1=5:NAR".parse::<CountedLine>().is_ok());
        assert!("1:5=NAR".parse::<CountedLine>().is_err());
    }
}
