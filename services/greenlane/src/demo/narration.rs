//! What the demo says, line by line, on standard output. It must not know what it is about.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use proto::common::v1::Condition;

use crate::commands::show;

/// One voice for everything that happens at the same time: lines never mix.
#[derive(Clone)]
pub struct Narration {
    to: Arc<Mutex<Box<dyn Write + Send>>>,
}

impl Narration {
    /// Speaks on standard output.
    pub fn on_standard_output() -> Narration {
        Narration::to(Box::new(io::stdout()))
    }

    /// Speaks wherever it is told to.
    pub fn to(writer: Box<dyn Write + Send>) -> Narration {
        Narration {
            to: Arc::new(Mutex::new(writer)),
        }
    }

    /// One line. Where nobody listens any more, the demo plays on and cleans up all the same.
    pub fn line(&self, line: &str) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(to, "{line}").and_then(|()| to.flush());
    }

    /// An empty line.
    pub fn gap(&self) {
        self.line("");
    }

    /// What came of a step.
    pub fn outcome(&self, text: &str) {
        self.line(&format!("       {text}"));
    }

    /// The reasons why not, each with who must act.
    pub fn conditions(&self, conditions: &[Condition]) {
        for condition in conditions {
            self.outcome(&format!("  {}", show::condition(condition)));
        }
    }
}
