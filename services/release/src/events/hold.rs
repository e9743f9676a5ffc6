//! `gate.hold`, `customs.hold` and our own `release.hold`: one message, three keepers.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::common::v1 as common;

use super::wire;
use crate::app::{Heading, Input};
use crate::domain::hold::{Hold, HoldId, HoldKind, Lifted, Scope, ScopeKind};

/// Reads a fact about a hold that `service` keeps.
///
/// # Errors
/// If it cannot be understood.
pub fn read(service: &str, record: &Record) -> Result<Input, Unreadable> {
    let event = common::HoldEvent::decode(record.payload.clone())?;
    let fact: common::HoldFact = event::known("fact", event.fact)?;
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let observed_at = event::observed(event.observed_at.as_ref(), recorded_at)?;
    let message = event::required("hold", event.hold)?;
    let scope = scope(event::required("scope", message.scope.as_ref())?)?;
    let kind = kind(event::known("kind", message.kind)?)
        .ok_or_else(|| Unreadable("the hold does not say its kind".to_owned()))?;
    let lifted = match fact {
        common::HoldFact::Lifted => Some(Lifted {
            at: event::optional_time("lifted_at", message.lifted_at.as_ref())?
                .unwrap_or(observed_at),
            by_subject: message.lifted_by_subject,
            reason: message.lift_reason,
        }),
        common::HoldFact::Placed => None,
        common::HoldFact::Unspecified => {
            return Err(Unreadable(
                "the event says neither placed nor lifted".to_owned(),
            ));
        }
    };
    let heading = Heading {
        fact: wire::fact_name(fact.as_str_name())?,
        observed_at,
        recorded_at,
        party: message.placed_by_party.clone(),
        restated: false,
    };
    Ok(Input::Hold(
        heading,
        Hold {
            id: HoldId {
                service: service.to_owned(),
                id: event::filled("hold_id", &message.hold_id)?,
            },
            scope,
            kind,
            placed_by_party: message.placed_by_party,
            placed_by_role: String::new(),
            placed_by_subject: message.placed_by_subject,
            reason: message.reason,
            placed_at: event::optional_time("placed_at", message.placed_at.as_ref())?
                .unwrap_or(observed_at),
            lifted,
            event_id: record.event_id.clone(),
        },
    ))
}

/// What a hold is on.
///
/// # Errors
/// If it does not say.
pub fn scope(scope: &common::HoldScope) -> Result<Scope, Unreadable> {
    let kind = scope_kind(event::known("scope.kind", scope.kind)?).ok_or_else(|| {
        Unreadable("the hold does not say on what kind of thing it is".to_owned())
    })?;
    Ok(Scope::new(kind, event::filled("scope.key", &scope.key)?))
}

/// The kind of a scope; none if it is not said.
pub fn scope_kind(kind: common::HoldScopeKind) -> Option<ScopeKind> {
    match kind {
        common::HoldScopeKind::Unspecified => None,
        common::HoldScopeKind::ContainerVisit => Some(ScopeKind::ContainerVisit),
        common::HoldScopeKind::Declaration => Some(ScopeKind::Declaration),
        common::HoldScopeKind::StockList => Some(ScopeKind::StockList),
        common::HoldScopeKind::Plate => Some(ScopeKind::Plate),
        common::HoldScopeKind::Party => Some(ScopeKind::Party),
    }
}

/// The kind of a hold; none if it is not said.
pub fn kind(kind: common::HoldKind) -> Option<HoldKind> {
    match kind {
        common::HoldKind::Unspecified => None,
        common::HoldKind::Customs => Some(HoldKind::Customs),
        common::HoldKind::Quarantine => Some(HoldKind::Quarantine),
        common::HoldKind::Commercial => Some(HoldKind::Commercial),
        common::HoldKind::Terminal => Some(HoldKind::Terminal),
        common::HoldKind::Safety => Some(HoldKind::Safety),
        common::HoldKind::Finance => Some(HoldKind::Finance),
        common::HoldKind::Legal => Some(HoldKind::Legal),
    }
}
