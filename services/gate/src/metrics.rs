//! What gate measures besides what the loop and the server measure: what its barriers decided.

use crate::app::Answer;

/// Counts decisions at the barriers, by what came of them.
pub fn decided(answer: &Answer) {
    match answer {
        Answer::CheckedIn(truck, false) => {
            metrics::counter!("gate_check_ins_total", "state" => truck.state.as_str()).increment(1);
        }
        Answer::CheckedOut(_, exit, _) => {
            let outcome = match exit {
                crate::app::Exit::LetOut => "LET_OUT",
                crate::app::Exit::Refused => "REFUSED",
                crate::app::Exit::ManualReview => "MANUAL_REVIEW",
            };
            metrics::counter!("gate_check_outs_total", "outcome" => outcome).increment(1);
        }
        _ => {}
    }
}
