//! `gate.answer`: whether a revocation could still be applied.

use fabric::{Record, Unreadable};
use prost::Message;
use proto::gate::events::v1 as gate;

use super::wire;
use crate::app::{Answer, Heading, Input};
use crate::domain::decision::Verdict;

/// Reads an answer. Asks of others than release have ids of another form; they are kept for the
/// timeline and answer nothing here.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = gate::AnswerEvent::decode(record.payload.clone())?;
    let verdict = match wire::known("verdict", event.verdict)? {
        gate::AnswerVerdict::Applied => Verdict::Applied,
        gate::AnswerVerdict::TooLate => Verdict::TooLate,
        gate::AnswerVerdict::Unspecified => {
            return Err(Unreadable(
                "the answer says neither applied nor too late".to_owned(),
            ));
        }
    };
    let recorded_at = wire::time("recorded_at", event.recorded_at.as_ref())?;
    let fact = match verdict {
        Verdict::Applied => "REVOCATION_APPLIED",
        Verdict::TooLate => "REVOCATION_TOO_LATE",
    };
    let heading = Heading {
        fact: fact.to_owned(),
        observed_at: wire::observed(event.observed_at.as_ref(), recorded_at)?,
        recorded_at,
        party: String::new(),
        restated: false,
    };
    let answer = Answer {
        ask_id: uuid::Uuid::parse_str(&event.ask_id).ok(),
        container_visit_id: wire::filled("container_visit_id", &event.container_visit_id)?,
        verdict,
    };
    Ok(Input::Answer(heading, answer))
}
