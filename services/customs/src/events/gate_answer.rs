//! gate.answer: whether something that was asked to be taken back will still leave. Answers to every service's
//! asks stand in it; which one is customs' own, the ask's id says.

use fabric::Unreadable;
use prost::Message;
use proto::gate::events::v1::{AnswerEvent, AnswerVerdict};

use crate::app::learn::Answer;

/// Reads a record.
///
/// # Errors
/// A verdict that customs does not know.
pub fn read(payload: &[u8]) -> Result<Answer, Unreadable> {
    let event = AnswerEvent::decode(payload)?;
    let applied = match event.verdict() {
        AnswerVerdict::Applied => true,
        AnswerVerdict::TooLate => false,
        AnswerVerdict::Unspecified => {
            return Err(Unreadable(format!(
                "verdict {} of an answer is not known",
                event.verdict
            )));
        }
    };
    Ok(Answer {
        ask_id: event.ask_id,
        applied,
    })
}
