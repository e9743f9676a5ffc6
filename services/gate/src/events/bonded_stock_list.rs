//! What bonded says of a stock list: how much of which line is to pass, whether more of it may come, its ask
//! whether the list can be void, and that its goods were unstuffed.

use chassis::event;
use fabric::{Record, Unreadable};
use kernel::{Direction, StockListNumber};
use prost::Message;
use proto::bonded::events::v1 as wire;

use super::told;
use crate::app::Input;
use crate::domain::list_passage::{LIST_LINES_MAX, ListLine, Standing, StockList};

pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::StockListEvent::decode(record.payload.as_ref())?;
    let list = event::required("list", event.list)?;
    let number = StockListNumber::parse(&list.list_number)
        .map_err(|error| Unreadable(format!("list.list_number: {error}")))?;
    let direction = match number.direction() {
        Direction::In => "INCREASE",
        Direction::Out => "DECREASE",
    };
    if list.direction != direction {
        return Err(Unreadable(format!(
            "list {number} is said to be {}, which its number is not",
            list.direction
        )));
    }
    let standing = standing(&list)?;
    let ask = (standing == Standing::VoidAsked).then_some(list.void_ask_id);
    if ask.as_ref().is_some_and(String::is_empty) {
        return Err(Unreadable("voiding is asked without an ask id".into()));
    }
    if list.lines.len() > LIST_LINES_MAX {
        return Err(Unreadable(format!(
            "list {number} has {} lines, more than {LIST_LINES_MAX}",
            list.lines.len()
        )));
    }
    let lines = list
        .lines
        .iter()
        .map(|line| {
            let quantity = chassis::convert::quantity("lines.declared", line.declared.as_ref())
                .map_err(|fault| Unreadable(fault.description))?;
            Ok(ListLine {
                line_number: line.line_number,
                quantity,
            })
        })
        .collect::<Result<_, Unreadable>>()?;
    let unstuffed_at = event::optional_time("list.unstuffed_at", list.unstuffed_at.as_ref())?;
    let read = StockList {
        told: told(record, list.version),
        site_id: list.site_id,
        trader_party: list.trader_party,
        standing,
        state: list.state,
        lines,
        unstuffed_at,
    };
    Ok(Input::StockList(Box::new((number, read)), ask))
}

fn standing(list: &wire::StockList) -> Result<Standing, Unreadable> {
    match list.state.as_str() {
        "FILED" | "APPROVED" | "RESERVED" if list.closed_short => Ok(Standing::ClosedShort),
        "FILED" | "APPROVED" | "RESERVED" => Ok(Standing::Open),
        "VOID_ASKED" => Ok(Standing::VoidAsked),
        "VOIDED" | "POSTED" | "REVERSED" => Ok(Standing::Over),
        state => Err(Unreadable(format!("list state {state} is not known"))),
    }
}
