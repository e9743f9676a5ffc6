//! Holds that customs and release keep.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::common::v1 as wire;

use crate::app::Input;
use crate::domain::hold::{Hold, HoldKind, Keeper, Lifting, Scope, ScopeKind};

pub fn read(record: &Record, keeper: Keeper) -> Result<Input, Unreadable> {
    let event = wire::HoldEvent::decode(record.payload.as_ref())?;
    let hold = event::required("hold", event.hold)?;
    let scope = event::required("hold.scope", hold.scope)?;
    let lifted_at = event::optional_time("hold.lifted_at", hold.lifted_at.as_ref())?;
    let lifted = lifted_at.map(|at| Lifting {
        at,
        by_subject: hold.lifted_by_subject.clone(),
        reason: hold.lift_reason.clone(),
    });
    Ok(Input::Hold(Box::new(Hold {
        keeper,
        hold_id: hold.hold_id,
        scope: Scope::new(scope_kind(scope.kind)?, scope.key),
        kind: hold_kind(hold.kind)?,
        placed_by_party: hold.placed_by_party,
        placed_by_subject: hold.placed_by_subject,
        reason: hold.reason,
        placed_at: event::time("hold.placed_at", hold.placed_at.as_ref())?,
        lifted,
        event_id: record.event_id.clone(),
    })))
}

fn scope_kind(kind: i32) -> Result<ScopeKind, Unreadable> {
    use wire::HoldScopeKind as Wire;
    match Wire::try_from(kind) {
        Ok(Wire::ContainerVisit) => Ok(ScopeKind::ContainerVisit),
        Ok(Wire::Declaration) => Ok(ScopeKind::Declaration),
        Ok(Wire::StockList) => Ok(ScopeKind::StockList),
        Ok(Wire::Plate) => Ok(ScopeKind::Plate),
        Ok(Wire::Party) => Ok(ScopeKind::Party),
        Ok(Wire::Unspecified) | Err(_) => {
            Err(Unreadable(format!("hold scope kind {kind} is not known")))
        }
    }
}

fn hold_kind(kind: i32) -> Result<HoldKind, Unreadable> {
    use wire::HoldKind as Wire;
    match Wire::try_from(kind) {
        Ok(Wire::Customs) => Ok(HoldKind::Customs),
        Ok(Wire::Quarantine) => Ok(HoldKind::Quarantine),
        Ok(Wire::Commercial) => Ok(HoldKind::Commercial),
        Ok(Wire::Terminal) => Ok(HoldKind::Terminal),
        Ok(Wire::Safety) => Ok(HoldKind::Safety),
        Ok(Wire::Finance) => Ok(HoldKind::Finance),
        Ok(Wire::Legal) => Ok(HoldKind::Legal),
        Ok(Wire::Unspecified) | Err(_) => Err(Unreadable(format!("hold kind {kind} is not known"))),
    }
}
