//! How answers are shown: one JSON object a line for machines, tables and a few plain lines for people. It
//! must not know any service's message; each message says in [`Shown`] what people want to see of it.

use chrono::{DateTime, SecondsFormat};
use prost_types::Timestamp;
use proto::common::v1::{Condition, Fault, Hold, Money, Quantity};

use crate::client::{ClientError, Session};
use crate::output::{self, Output};

/// A message as people see it.
pub trait Shown: prost::Message {
    /// The message's full name, by which machines get it as JSON.
    const MESSAGE: &'static str;
    /// The headings of a table of such messages.
    const COLUMNS: &'static [&'static str];

    /// One cell for each heading.
    fn cells(&self) -> Vec<String>;

    /// What stands below the message where it is shown alone.
    fn below(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Shows one message.
///
/// # Errors
/// Standard output is gone.
pub fn one<M: Shown>(session: &Session, message: &M) -> Result<(), ClientError> {
    if session.output() == Output::Json {
        return output::json(M::MESSAGE, message);
    }
    let rows = M::COLUMNS
        .iter()
        .zip(message.cells())
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(heading, cell)| vec![(*heading).to_owned(), cell]);
    output::table(&[], rows.collect())?;
    message
        .below()
        .iter()
        .try_for_each(|text| output::line(text))
}

/// Shows a list of messages.
///
/// # Errors
/// Standard output is gone.
pub fn many<M: Shown>(session: &Session, messages: &[M]) -> Result<(), ClientError> {
    if session.output() == Output::Json {
        return messages
            .iter()
            .try_for_each(|message| output::json(M::MESSAGE, message));
    }
    if messages.is_empty() {
        return output::line("Nothing.");
    }
    output::table(M::COLUMNS, messages.iter().map(Shown::cells).collect())
}

/// A value of an enum for people, without the prefix that all its values share; empty where nothing was
/// said.
pub fn word(value: &str, prefix: &str) -> String {
    match value.strip_prefix(prefix).unwrap_or(value) {
        "UNSPECIFIED" => String::new(),
        word => word.to_lowercase().replace('_', " "),
    }
}

/// A time for people: UTC, to the second; empty where there is none.
pub fn when(time: Option<&Timestamp>) -> String {
    spelled(time, SecondsFormat::Secs)
}

/// A time for people: UTC, to the millisecond; empty where there is none.
pub fn when_exactly(time: Option<&Timestamp>) -> String {
    spelled(time, SecondsFormat::Millis)
}

fn spelled(time: Option<&Timestamp>, format: SecondsFormat) -> String {
    time.and_then(|time| {
        let nanos = u32::try_from(time.nanos).ok()?;
        let time = DateTime::from_timestamp(time.seconds, nanos)?;
        Some(time.to_rfc3339_opts(format, true))
    })
    .unwrap_or_default()
}

/// A quantity with its unit; empty where there is none.
pub fn quantity(quantity: Option<&Quantity>) -> String {
    quantity
        .map(|quantity| format!("{} {}", quantity.value, quantity.unit_code))
        .unwrap_or_default()
}

/// An amount of money with its currency; empty where there is none.
pub fn money(money: Option<&Money>) -> String {
    chassis::convert::money("amount", money)
        .map(|money| money.to_string())
        .unwrap_or_default()
}

/// Yes or nothing, so that the eye finds the yes.
pub fn yes(is: bool) -> String {
    if is { "yes".to_owned() } else { String::new() }
}

/// Conditions as lines: what is missing, about what, who must act, since when, what clears it.
pub fn conditions(conditions: &[Condition]) -> Vec<String> {
    conditions.iter().map(condition).collect()
}

/// The codes of conditions in one cell, each once: several may differ only in what they are about.
pub fn condition_codes(conditions: &[Condition]) -> String {
    let mut codes: Vec<&str> = Vec::new();
    for condition in conditions {
        if !codes.contains(&condition.code.as_str()) {
            codes.push(&condition.code);
        }
    }
    codes.join(", ")
}

/// One condition as a line.
pub fn condition(condition: &Condition) -> String {
    let since = when(condition.since.as_ref());
    let since = if since.is_empty() {
        String::new()
    } else {
        format!(", since {since}")
    };
    format!(
        "- {} on {}: {} must act{since}. {}",
        condition.code, condition.subject, condition.who, condition.description
    )
}

/// Faults as lines: where, what stands there, which rule, what to do.
pub fn faults(heading: &str, faults: &[Fault]) -> Vec<String> {
    faults
        .iter()
        .map(|fault| format!("- {heading} {}", fault_text(fault)))
        .collect()
}

/// One fault in a line.
pub fn fault_text(fault: &Fault) -> String {
    let value = if fault.value.is_empty() {
        String::new()
    } else {
        format!(" is `{}`", fault.value)
    };
    let rule = if fault.rule.is_empty() {
        String::new()
    } else {
        format!(" ({})", fault.rule)
    };
    format!(
        "{} at {}{value}: {}{rule}",
        fault.code, fault.path, fault.description
    )
}

/// A hold in a line: its kind, why, by whom, since when.
pub fn hold(hold: &Hold) -> String {
    let lifted = match when(hold.lifted_at.as_ref()) {
        lifted if lifted.is_empty() => String::new(),
        lifted => format!(", lifted {lifted}"),
    };
    format!(
        "Hold {} ({}) by {}, placed {}{lifted}: {}",
        hold.hold_id,
        word(hold.kind().as_str_name(), "HOLD_KIND_"),
        hold.placed_by_party,
        when(hold.placed_at.as_ref()),
        hold.reason
    )
}

impl Shown for Hold {
    const MESSAGE: &'static str = "greenlane.common.v1.Hold";
    const COLUMNS: &'static [&'static str] = &[
        "hold",
        "on",
        "kind",
        "by",
        "reason",
        "placed",
        "lifted",
        "lift reason",
    ];

    fn cells(&self) -> Vec<String> {
        let on = self.scope.as_ref().map(|scope| {
            let kind = word(scope.kind().as_str_name(), "HOLD_SCOPE_KIND_");
            format!("{kind} {}", scope.key)
        });
        vec![
            self.hold_id.clone(),
            on.unwrap_or_default(),
            word(self.kind().as_str_name(), "HOLD_KIND_"),
            self.placed_by_party.clone(),
            self.reason.clone(),
            when(self.placed_at.as_ref()),
            when(self.lifted_at.as_ref()),
            self.lift_reason.clone(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_without_what_all_values_share() {
        assert_eq!(word("HOLD_KIND_CUSTOMS", "HOLD_KIND_"), "customs");
        assert_eq!(word("HOLD_KIND_UNSPECIFIED", "HOLD_KIND_"), "");
    }

    #[test]
    fn a_time_is_shown_in_utc() {
        let time = Timestamp {
            seconds: 1_795_507_200,
            nanos: 5_000_000,
        };
        assert_eq!(when(Some(&time)), "2026-11-24T08:00:00Z");
        assert_eq!(when_exactly(Some(&time)), "2026-11-24T08:00:00.005Z");
        assert_eq!(when(None), "");
    }

    #[test]
    fn a_code_is_named_once_however_many_conditions_have_it() {
        let coded = |code: &str, subject: &str| Condition {
            code: code.to_owned(),
            subject: subject.to_owned(),
            ..Default::default()
        };
        let shown = condition_codes(&[
            coded("DISCREPANCY_OPEN", "stock-list/1/1"),
            coded("NOT_PASSED", "stock-list/1"),
            coded("DISCREPANCY_OPEN", "stock-list/1/2"),
        ]);
        assert_eq!(shown, "DISCREPANCY_OPEN, NOT_PASSED");
        assert_eq!(condition_codes(&[]), "");
    }

    #[test]
    fn a_condition_says_who_must_act() {
        let shown = condition(&Condition {
            code: "TERMINAL_HOLD".to_owned(),
            subject: "hold 7".to_owned(),
            who: "terminal".to_owned(),
            description: "The terminal lifts its hold.".to_owned(),
            ..Default::default()
        });
        assert_eq!(
            shown,
            "- TERMINAL_HOLD on hold 7: terminal must act. The terminal lifts its hold."
        );
    }
}
