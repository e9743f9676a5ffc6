//! What all topics have in common on the wire: times, conditions, names of facts.

use chassis::convert;
use chrono::{DateTime, Utc};
use fabric::Unreadable;
use kernel::Fault;
use prost_types::Timestamp;
use proto::common::v1 as common;

use crate::domain::condition::{Condition, Who};

/// A time that must be there.
///
/// # Errors
/// If it is missing or out of bounds.
pub fn time(field: &str, timestamp: Option<&Timestamp>) -> Result<DateTime<Utc>, Unreadable> {
    convert::time(field, timestamp).map_err(unreadable)
}

/// A time that may be missing.
///
/// # Errors
/// If it is out of bounds.
pub fn optional_time(
    field: &str,
    timestamp: Option<&Timestamp>,
) -> Result<Option<DateTime<Utc>>, Unreadable> {
    convert::optional_time(field, timestamp).map_err(unreadable)
}

/// When something happened: where nobody says, when it was recorded.
///
/// # Errors
/// If it is out of bounds.
pub fn observed(
    observed_at: Option<&Timestamp>,
    recorded_at: DateTime<Utc>,
) -> Result<DateTime<Utc>, Unreadable> {
    Ok(optional_time("observed_at", observed_at)?.unwrap_or(recorded_at))
}

/// A message that must be there.
///
/// # Errors
/// If it is missing.
pub fn required<T>(field: &str, message: Option<T>) -> Result<T, Unreadable> {
    message.ok_or_else(|| Unreadable(format!("{field} is missing")))
}

/// A text that must not be empty.
///
/// # Errors
/// If it is.
pub fn filled(field: &str, text: &str) -> Result<String, Unreadable> {
    if text.is_empty() {
        Err(Unreadable(format!("{field} is empty")))
    } else {
        Ok(text.to_owned())
    }
}

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

/// A value of an enum that this version knows.
///
/// # Errors
/// If it is newer than this version.
pub fn known<E: TryFrom<i32>>(field: &str, value: i32) -> Result<E, Unreadable> {
    E::try_from(value).map_err(|_| {
        Unreadable(format!(
            "{field} {value} is not known to this version; upgrade it and retry the record"
        ))
    })
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
        since: optional_time("since", condition.since.as_ref())?,
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

fn unreadable(fault: Fault) -> Unreadable {
    Unreadable(format!("{}: {}", fault.path, fault.description))
}
