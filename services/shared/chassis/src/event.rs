//! Reading the fields of a consumed event: what is missing, out of bounds or newer than this version makes the record
//! unreadable, and parks its key. It must not know the event of any service.

use chrono::{DateTime, Utc};
use fabric::Unreadable;
use kernel::Fault;
use prost_types::Timestamp;

use crate::convert;

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

fn unreadable(fault: Fault) -> Unreadable {
    Unreadable(format!("{}: {}", fault.path, fault.description))
}
