//! Customs' declarations: what comes in laden comes in on one. Only that is read which gate needs.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::customs::events::v1 as wire;

use super::told;
use crate::app::Input;
use crate::domain::knowledge::{
    DECLARATION_CONTAINERS_MAX, DECLARATION_STOCK_LISTS_MAX, DeclarationStanding, Direction,
    InvalidationAsk, KnownDeclaration, list_decision_key,
};

pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::DeclarationEvent::decode(record.payload.as_ref())?;
    let declaration = event::required("declaration", event.declaration)?;
    let state = DeclarationStanding::parse(&declaration.state).ok_or_else(|| {
        Unreadable(format!(
            "declaration state {} is not known",
            declaration.state
        ))
    })?;
    at_most(
        "containers",
        declaration.containers.len(),
        DECLARATION_CONTAINERS_MAX,
    )?;
    at_most(
        "invalidation_asks",
        declaration.invalidation_asks.len(),
        DECLARATION_CONTAINERS_MAX + DECLARATION_STOCK_LISTS_MAX,
    )?;
    at_most(
        "stock_lists",
        declaration.stock_lists.len(),
        DECLARATION_STOCK_LISTS_MAX,
    )?;
    let asks = declaration
        .invalidation_asks
        .iter()
        .map(ask)
        .collect::<Result<Vec<_>, _>>()?;
    let known = KnownDeclaration {
        told: told(record, declaration.version),
        state,
        direction: Direction::of(&declaration.type_code, &declaration.procedure_kind),
        declaration_id: declaration.declaration_id,
        mrn: declaration.mrn,
        lrn: declaration.lrn,
        filer_party: declaration.filer_party,
        containers: declaration.containers,
        stock_lists: declaration.stock_lists,
    };
    Ok(Input::Declaration(Box::new(known), asks))
}

fn ask(ask: &wire::InvalidationAsk) -> Result<InvalidationAsk, Unreadable> {
    let about = match (ask.container_visit_id.as_str(), ask.list_number.as_str()) {
        (visit, "") if !visit.is_empty() => visit.to_owned(),
        ("", list) if !list.is_empty() => list_decision_key(list),
        _ => {
            return Err(Unreadable(
                "invalidation is asked of neither or both of a container visit and a list".into(),
            ));
        }
    };
    if ask.ask_id.is_empty() {
        return Err(Unreadable("invalidation is asked without an ask id".into()));
    }
    Ok(InvalidationAsk {
        ask_id: ask.ask_id.clone(),
        about,
    })
}

fn at_most(field: &str, count: usize, max: usize) -> Result<(), Unreadable> {
    if count > max {
        return Err(Unreadable(format!(
            "{field} has {count} entries, more than {max}"
        )));
    }
    Ok(())
}
