//! `customs.declaration`: whose declaration it is and for what, which lists it names, and whether it is released.

use fabric::{Record, Unreadable};
use kernel::StockListNumber;
use prost::Message;
use proto::customs::events::v1 as wire;

use super::{optional_time, required, time};
use crate::app::Input;
use crate::domain::declaration::KnownDeclaration;

/// The topic.
pub const TOPIC: &str = "customs.declaration";

/// The states in which customs has released the goods.
const RELEASED: [&str; 2] = ["RELEASED", "CLEARED"];

/// Reads a record.
///
/// # Errors
/// It is no declaration event, or one that says nothing we understand.
pub fn decode(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::DeclarationEvent::decode(record.payload.clone())?;
    let state = required(event.declaration, "declaration")?;
    if state.declaration_id.is_empty() {
        return Err(Unreadable("the declaration has no id".into()));
    }
    let recorded_at = time(event.recorded_at.as_ref(), "recorded_at")?;
    let observed_at = optional_time(event.observed_at.as_ref(), "observed_at")?;
    let released = RELEASED.contains(&state.state.as_str());
    Ok(Input::Declaration(KnownDeclaration {
        version: (record.epoch, state.version),
        released,
        released_at: released.then_some(observed_at.unwrap_or(recorded_at)),
        // What is no list number is no list of ours; the broker is told so by customs.
        stock_lists: state
            .stock_lists
            .iter()
            .filter_map(|number| StockListNumber::parse(number).ok())
            .collect(),
        declaration_id: state.declaration_id,
        lrn: state.lrn,
        filer_party: state.filer_party,
        trader_party: state.trader_party,
        procedure_kind: state.procedure_kind,
    }))
}
