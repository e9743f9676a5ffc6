//! `gate.answer`: whether a revocation could still be applied.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::gate::events::v1 as gate;

use crate::app::{Answer, Heading, Input};
use crate::domain::decision::Verdict;

/// Reads an answer. Asks of others than release have ids of another form; they are kept for the
/// timeline and answer nothing here.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = gate::AnswerEvent::decode(record.payload.clone())?;
    let verdict = match event::known("verdict", event.verdict)? {
        gate::AnswerVerdict::Applied => Verdict::Applied,
        gate::AnswerVerdict::TooLate => Verdict::TooLate,
        gate::AnswerVerdict::Unspecified => {
            return Err(Unreadable(
                "the answer says neither applied nor too late".to_owned(),
            ));
        }
    };
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let fact = match verdict {
        Verdict::Applied => "REVOCATION_APPLIED",
        Verdict::TooLate => "REVOCATION_TOO_LATE",
    };
    let heading = Heading {
        fact: fact.to_owned(),
        observed_at: event::observed(event.observed_at.as_ref(), recorded_at)?,
        recorded_at,
        party: String::new(),
        restated: false,
    };
    if event.container_visit_id.is_empty() && event.list_number.is_empty() {
        return Err(Unreadable(
            "the answer names neither a container visit nor a stock list".to_owned(),
        ));
    }
    let answer = Answer {
        ask_id: uuid::Uuid::parse_str(&event.ask_id).ok(),
        container_visit_id: event.container_visit_id,
        list_number: event.list_number,
        verdict,
    };
    Ok(Input::Answer(heading, answer))
}
