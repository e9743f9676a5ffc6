//! Our own `release.decision`, come back: only now has a decision an event id, so notices and timeline
//! are made of the record and not of the decision in hand.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::release::events::v1 as release;

use super::wire;
use crate::app::{DecisionHeard, Heading, Input};
use crate::domain::hold::{Scope, ScopeKind};

/// Reads a decision.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = release::DecisionEvent::decode(record.payload.clone())?;
    let fact: release::DecisionFact = event::known("fact", event.fact)?;
    let decision = event::required("decision", event.decision)?;
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let name = wire::fact_name(fact.as_str_name())?.replacen("DECISION_", "RELEASE_", 1);
    let heading = Heading {
        fact: name,
        observed_at: event::observed(event.observed_at.as_ref(), recorded_at)?,
        recorded_at,
        party: String::new(),
        restated: false,
    };
    let (about, container_number) = if decision.list_number.is_empty() {
        let visit = event::filled("container_visit_id", &decision.container_visit_id)?;
        let number = event::filled("container_number", &decision.container_number)?;
        (Scope::new(ScopeKind::ContainerVisit, visit), number)
    } else {
        let list = Scope::new(ScopeKind::StockList, decision.list_number);
        (list, String::new())
    };
    Ok(Input::Decision(
        heading,
        DecisionHeard {
            about,
            version: decision.version,
            site_id: decision.site_id,
            container_number,
            haulier_party: decision.haulier_party,
            conditions: wire::conditions(&decision.conditions)?,
            granted: fact == release::DecisionFact::Granted,
            taken_back: matches!(
                fact,
                release::DecisionFact::RevocationAsked | release::DecisionFact::Revoked
            ),
        },
    ))
}
