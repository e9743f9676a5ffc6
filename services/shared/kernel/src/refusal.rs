//! What a decision answers when it says no: one kind, one catalogued reason, and everything the caller
//! needs to do better next time. It must not know how a refusal travels: the gRPC form is made elsewhere.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The longest offending value a [`Fault`] repeats, in characters; longer ones are cut and end in "…".
pub const FAULT_VALUE_CHARS_MAX: usize = 256;

/// A command refused: a value of the decision, stored and answered like any other outcome.
///
/// The reason names a page of the error catalogue, so programs branch on `reason` and people read `message`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refusal {
    /// What sort of refusal it is, which says whether and when to try again.
    pub kind: RefusalKind,
    /// The entry in the error catalogue, in upper snake case (`STALE_VERSION`).
    pub reason: String,
    /// One sentence for a person: what is wrong and what to do about it.
    pub message: String,
    /// Every fault found in the filing, not only the first.
    pub faults: Vec<Fault>,
    /// Every condition that is not met, each with the party that must act.
    pub unmet: Vec<Unmet>,
    /// The thing the refusal is about, as (type, name), where it is about one.
    pub resource: Option<(String, String)>,
    /// How long to wait before trying again, in milliseconds, where waiting helps.
    pub retry_after_millis: Option<u64>,
    /// Further facts for programs, by name in lower snake case.
    pub metadata: BTreeMap<String, String>,
}

/// How a command was refused; maps one to one to a gRPC code in `chassis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefusalKind {
    /// The command itself is faulty, whatever the state; correct it (INVALID_ARGUMENT).
    Invalid,
    /// What the command names is not there, or not visible to the caller (NOT_FOUND).
    NotFound,
    /// What the command would create is there already (ALREADY_EXISTS).
    AlreadyExists,
    /// The caller may not do this (PERMISSION_DENIED).
    Denied,
    /// The command is right, but something must happen first (FAILED_PRECONDITION).
    Unmet,
    /// The command was made against an older version; read again and decide again (ABORTED).
    Stale,
    /// A limit or quota is reached; wait or ask for less (RESOURCE_EXHAUSTED).
    Exhausted,
    /// The caller did not say credibly who it is (UNAUTHENTICATED).
    Unauthenticated,
    /// The service cannot answer now; the same command may be sent again (UNAVAILABLE).
    Unavailable,
    /// The service failed; the cause is in its log (INTERNAL).
    Internal,
}

/// One fault in a filing: where it stands, what stands there, and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The fault's code, stable for programs.
    pub code: String,
    /// The field's path in the message or document.
    pub path: String,
    /// The field's WCO pointer (`42A/67A/68A`), or empty.
    pub pointer: String,
    /// The offending value as filed, at most [`FAULT_VALUE_CHARS_MAX`] characters of it.
    pub value: String,
    /// The rule that is broken, by its name.
    pub rule: String,
    /// One sentence for a person.
    pub description: String,
}

/// One unmet condition: what is missing, who must act, since when, on what evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// The condition's name, stable for programs.
    pub condition: String,
    /// What the condition is about: a container visit, declaration, list or plate.
    pub subject: String,
    /// The party or role that must act.
    pub who: String,
    /// Since when the condition has been unmet, where that is known.
    pub since: Option<DateTime<Utc>>,
    /// The fact this rests on, so that it can be looked up.
    pub evidence: String,
    /// One sentence for a person: what would meet the condition.
    pub description: String,
}

impl Refusal {
    /// The command itself is faulty. Add what is wrong with [`with_fault`](Self::with_fault).
    pub fn invalid(reason: &str, message: impl Into<String>) -> Self {
        Self::of(RefusalKind::Invalid, reason, message)
    }

    /// There is no such thing, or none that the caller may see: reason `NOT_FOUND`.
    pub fn not_found(resource_type: impl Into<String>, name: impl Into<String>) -> Self {
        let (resource_type, name) = (resource_type.into(), name.into());
        let message = format!(
            "There is no {resource_type} {name} that you may see; check the number and the party you act for."
        );
        Self::of(RefusalKind::NotFound, "NOT_FOUND", message).with_resource(resource_type, name)
    }

    /// What the command would create exists. Name it with [`with_resource`](Self::with_resource).
    pub fn already_exists(reason: &str, message: impl Into<String>) -> Self {
        Self::of(RefusalKind::AlreadyExists, reason, message)
    }

    /// The caller may not do this, for want of a role, a mandate or ownership.
    pub fn denied(reason: &str, message: impl Into<String>) -> Self {
        Self::of(RefusalKind::Denied, reason, message)
    }

    /// Something must happen first: every unmet condition, each with who must act.
    pub fn unmet(reason: &str, message: impl Into<String>, unmet: Vec<Unmet>) -> Self {
        Self {
            unmet,
            ..Self::of(RefusalKind::Unmet, reason, message)
        }
    }

    /// The expected version is not the current one: reason `STALE_VERSION`, metadata `current_version`.
    pub fn stale(current_version: impl std::fmt::Display) -> Self {
        let message = format!(
            "The current version is {current_version}; read it again and decide whether your change still holds."
        );
        Self::of(RefusalKind::Stale, "STALE_VERSION", message)
            .with_metadata("current_version", current_version.to_string())
    }

    /// A limit is reached. Say when to come back with [`with_retry_after_millis`](Self::with_retry_after_millis).
    pub fn exhausted(reason: &str, message: impl Into<String>) -> Self {
        Self::of(RefusalKind::Exhausted, reason, message)
    }

    /// The caller did not prove who it is.
    pub fn unauthenticated(reason: &str, message: impl Into<String>) -> Self {
        Self::of(RefusalKind::Unauthenticated, reason, message)
    }

    /// The service cannot answer now; the same command may be sent again.
    pub fn unavailable(reason: &str, message: impl Into<String>) -> Self {
        Self::of(RefusalKind::Unavailable, reason, message)
    }

    /// The service failed. The message goes to the caller: an id to quote, never the cause.
    pub fn internal(reason: &str, message: impl Into<String>) -> Self {
        Self::of(RefusalKind::Internal, reason, message)
    }

    /// Adds one fault.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Adds faults, keeping their order.
    #[must_use]
    pub fn with_faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }

    /// Adds or replaces one fact for programs.
    #[must_use]
    pub fn with_metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Names the thing the refusal is about.
    #[must_use]
    pub fn with_resource(
        mut self,
        resource_type: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        self.resource = Some((resource_type.into(), name.into()));
        self
    }

    /// Says how long to wait before trying again, in milliseconds.
    #[must_use]
    pub fn with_retry_after_millis(mut self, millis: u64) -> Self {
        self.retry_after_millis = Some(millis);
        self
    }

    fn of(kind: RefusalKind, reason: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.to_owned(),
            message: message.into(),
            faults: Vec::new(),
            unmet: Vec::new(),
            resource: None,
            retry_after_millis: None,
            metadata: BTreeMap::new(),
        }
    }
}

impl Fault {
    /// A fault without a WCO pointer; the value is cut to [`FAULT_VALUE_CHARS_MAX`] characters.
    pub fn new(
        code: impl Into<String>,
        path: impl Into<String>,
        value: impl AsRef<str>,
        rule: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            path: path.into(),
            pointer: String::new(),
            value: clipped(value.as_ref()),
            rule: rule.into(),
            description: description.into(),
        }
    }

    /// Adds the field's WCO pointer.
    #[must_use]
    pub fn with_pointer(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = pointer.into();
        self
    }
}

/// The value, or so much of it that it and the mark of the cut stay within the limit.
fn clipped(value: &str) -> String {
    if value.chars().nth(FAULT_VALUE_CHARS_MAX).is_none() {
        return value.to_owned();
    }
    let mut kept: String = value.chars().take(FAULT_VALUE_CHARS_MAX - 1).collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_found_names_the_resource() {
        let refusal = Refusal::not_found("declaration", "D-1");
        assert_eq!(refusal.kind, RefusalKind::NotFound);
        assert_eq!(refusal.reason, "NOT_FOUND");
        assert_eq!(
            refusal.resource,
            Some(("declaration".to_owned(), "D-1".to_owned()))
        );
    }

    #[test]
    fn a_stale_version_tells_the_current_one() {
        let refusal = Refusal::stale(7);
        assert_eq!(refusal.reason, "STALE_VERSION");
        assert_eq!(
            refusal.metadata.get("current_version").map(String::as_str),
            Some("7")
        );
    }

    #[test]
    fn a_refusal_keeps_all_faults_in_order() {
        let fault = |code: &str| Fault::new(code, "items[0]", "x", "rule", "text");
        let refusal = Refusal::invalid("FAULTY", "Correct the faults.")
            .with_fault(fault("A"))
            .with_faults([fault("B"), fault("C")]);
        let codes: Vec<_> = refusal
            .faults
            .iter()
            .map(|fault| fault.code.as_str())
            .collect();
        assert_eq!(codes, ["A", "B", "C"]);
    }

    #[test]
    fn a_fault_repeats_no_more_of_a_value_than_the_limit() {
        let whole = "字".repeat(FAULT_VALUE_CHARS_MAX);
        assert_eq!(Fault::new("C", "p", &whole, "r", "d").value, whole);
        let cut = Fault::new("C", "p", whole + "字", "r", "d").value;
        assert_eq!(cut.chars().count(), FAULT_VALUE_CHARS_MAX);
        assert!(cut.ends_with('…'));
    }
}
