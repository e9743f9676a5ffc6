//! `customs.declaration`: whose declaration it is and for what, which lists it names, and whether it is released.

use chassis::event;
use fabric::{Record, Unreadable};
use kernel::StockListNumber;
use prost::Message;
use proto::customs::events::v1 as wire;

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
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::DeclarationEvent::decode(record.payload.clone())?;
    let state = event::required("declaration", event.declaration)?;
    if state.declaration_id.is_empty() {
        return Err(Unreadable("the declaration has no id".into()));
    }
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let observed_at = event::optional_time("observed_at", event.observed_at.as_ref())?;
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
