//! What release's topics have in common on the wire beyond `chassis::event`: conditions and names of facts.

use chassis::{convert, event};
use fabric::Unreadable;
use proto::common::v1 as common;

use crate::domain::condition::{Condition, Who};

/// The name of a fact as notices and timelines have it: "CONTAINER_VISIT_FACT_ARRIVED" is "CONTAINER_VISIT_ARRIVED".
///
/// # Errors
/// If nothing is said.
pub fn fact_name(enum_name: &str) -> Result<String, Unreadable> {
    if enum_name.ends_with("_UNSPECIFIED") {
        return Err(Unreadable(
            "the event does not say what happened".to_owned(),
        ));
    }
    Ok(enum_name.replacen("_FACT_", "_", 1))
}

/// A condition as another service states it; `who` says what its text means.
///
/// # Errors
/// If its time is out of bounds.
pub fn condition(
    condition: &common::Condition,
    who: impl Fn(&str) -> Who,
) -> Result<Condition, Unreadable> {
    Ok(Condition {
        code: condition.code.clone(),
        subject: condition.subject.clone(),
        who: who(&condition.who),
        since: event::optional_time("since", condition.since.as_ref())?,
        evidence: condition.evidence.clone(),
        description: condition.description.clone(),
    })
}

/// Conditions passed on as they came: whoever states them has decided whom to name.
///
/// # Errors
/// If a time is out of bounds.
pub fn conditions(conditions: &[common::Condition]) -> Result<Vec<Condition>, Unreadable> {
    conditions
        .iter()
        .map(|named| condition(named, Who::role))
        .collect()
}

/// A condition for the wire; `who` as its reader may see it.
pub fn condition_message(condition: &Condition, who: &str) -> common::Condition {
    common::Condition {
        code: condition.code.clone(),
        subject: condition.subject.clone(),
        who: who.to_owned(),
        since: condition.since.map(convert::timestamp),
        evidence: condition.evidence.clone(),
        description: condition.description.clone(),
    }
}

/// Conditions for everybody's eyes.
pub fn public_conditions(conditions: &[Condition]) -> Vec<common::Condition> {
    conditions
        .iter()
        .map(|condition| condition_message(condition, condition.who.public()))
        .collect()
}
