//! `gate.list-passage`: what has passed of a list, whether more can, and how gate answered an ask.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::gate::events::v1 as wire;

use super::list_number;
use crate::app::Input;
use crate::domain::passage::{Pass, PassState, Passage};

/// The topic.
pub const TOPIC: &str = "gate.list-passage";

/// Reads a record.
///
/// # Errors
/// It is no passage event, or one that says something we do not understand.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::ListPassageEvent::decode(record.payload.clone())?;
    let passage = event::required("passage", event.passage)?;
    let mut passes = passage
        .passes
        .into_iter()
        .map(pass)
        .collect::<Result<Vec<_>, _>>()?;
    passes.sort_by(|one, other| one.pre_arrival_id.cmp(&other.pre_arrival_id));
    if passes
        .windows(2)
        .any(|pair| pair[0].pre_arrival_id == pair[1].pre_arrival_id)
    {
        return Err(Unreadable("a pre-arrival has two passes".into()));
    }
    Ok(Input::Passage(Passage {
        list_number: list_number(&passage.list_number)?,
        version: (record.epoch, passage.version),
        passes,
        closed: passage.closed,
        void_ask_id: passage.void_ask_id,
        void_applied: passage.void_applied,
    }))
}

fn pass(pass: wire::ListPass) -> Result<Pass, Unreadable> {
    let state = PassState::parse(&pass.state)
        .ok_or_else(|| Unreadable(format!("pass state {} is not known", pass.state)))?;
    let mut lines = pass
        .lines
        .into_iter()
        .map(|line| {
            chassis::convert::quantity("quantity", line.quantity.as_ref())
                .map(|quantity| (line.line_number, quantity))
                .map_err(|fault| Unreadable(fault.description))
        })
        .collect::<Result<Vec<_>, _>>()?;
    lines.sort_by(|one, other| {
        (one.0, one.1.unit().as_str()).cmp(&(other.0, other.1.unit().as_str()))
    });
    if lines
        .windows(2)
        .any(|pair| pair[0].0 == pair[1].0 && pair[0].1.unit() == pair[1].1.unit())
    {
        return Err(Unreadable("a pass names a line twice".into()));
    }
    Ok(Pass {
        state,
        passed_at: event::optional_time("passed_at", pass.passed_at.as_ref())?,
        pre_arrival_id: pass.pre_arrival_id,
        pass_number: pass.pass_number,
        lines,
    })
}
