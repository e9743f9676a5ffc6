//! How a fault and an unmet condition are said in one line of text: a sentence for people, then what
//! programs need as a JSON object, so that the line can be read back. gRPC's standard messages have no
//! fields for a fault's code, value and rule. It must not know gRPC.

use chrono::{DateTime, Utc};
use kernel::{Fault, Unmet};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultTail {
    code: String,
    value: String,
    rule: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pointer: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnmetTail {
    who: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    evidence: String,
}

/// `Send a UUID. {"code":"REQUEST_ID_INVALID","value":"1","rule":"RFC 9562"}`
pub(super) fn of_fault(fault: &Fault) -> String {
    let tail = FaultTail {
        code: fault.code.clone(),
        value: fault.value.clone(),
        rule: fault.rule.clone(),
        pointer: fault.pointer.clone(),
    };
    with_tail(&fault.description, &tail)
}

/// `customs-1 must act: release the goods. {"who":"customs-1","since":"2026-01-01T08:00:00Z"}`
pub(super) fn of_unmet(unmet: &Unmet) -> String {
    let tail = UnmetTail {
        who: unmet.who.clone(),
        since: unmet.since,
        evidence: unmet.evidence.clone(),
    };
    with_tail(
        &format!("{}{}", must_act(&unmet.who), unmet.description),
        &tail,
    )
}

/// The fault that a line was made of; a line of somebody else's is a description without a code.
pub(super) fn to_fault(path: &str, line: &str) -> Fault {
    let Some((description, tail)) = split_tail::<FaultTail>(line) else {
        return Fault::new("", path, "", "", line);
    };
    Fault {
        code: tail.code,
        path: path.to_owned(),
        pointer: tail.pointer,
        value: tail.value,
        rule: tail.rule,
        description: description.to_owned(),
    }
}

/// The condition that a line was made of; a line of somebody else's says not who must act.
pub(super) fn to_unmet(condition: &str, subject: &str, line: &str) -> Unmet {
    let (description, tail) = match split_tail::<UnmetTail>(line) {
        Some((description, tail)) => (
            description
                .strip_prefix(&must_act(&tail.who))
                .unwrap_or(description),
            tail,
        ),
        None => (
            line,
            UnmetTail {
                who: String::new(),
                since: None,
                evidence: String::new(),
            },
        ),
    };
    Unmet {
        condition: condition.to_owned(),
        subject: subject.to_owned(),
        who: tail.who,
        since: tail.since,
        evidence: tail.evidence,
        description: description.to_owned(),
    }
}

fn must_act(who: &str) -> String {
    format!("{who} must act: ")
}

fn with_tail<T: Serialize>(sentence: &str, tail: &T) -> String {
    // Text and times always make JSON; were it otherwise, people would still have the sentence.
    let tail = serde_json::to_string(tail).unwrap_or_default();
    format!("{sentence} {tail}")
}

/// The tail is the first object from which the rest of the line is one whole tail, so braces in the
/// sentence do no harm.
fn split_tail<T: DeserializeOwned>(line: &str) -> Option<(&str, T)> {
    line.match_indices(" {").find_map(|(start, _)| {
        let (sentence, tail) = line.split_at(start);
        Some((sentence, serde_json::from_str(tail.trim_start()).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_back_whatever_its_text_contains() {
        let fault = Fault::new(
            "CODE",
            "items[0].weight",
            r#"a "quoted" {"value":"x"}"#,
            "rule {5}",
            r#"Brace {"a":1} yourself"#,
        )
        .with_pointer("42A/67A/68A");
        assert_eq!(to_fault(&fault.path, &of_fault(&fault)), fault);
    }

    #[test]
    fn a_line_of_somebody_else_is_a_description() {
        let fault = to_fault("name", "must not be empty");
        assert_eq!(
            (fault.description.as_str(), fault.code.as_str()),
            ("must not be empty", "")
        );
        assert_eq!(
            to_unmet("TERMS", "account", "accept the terms").description,
            "accept the terms"
        );
    }
}
