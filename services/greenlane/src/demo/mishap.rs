//! Why the demo did not get where it was going. It must not know how that is told.

use std::io;
use std::path::PathBuf;

use crate::client::ClientError;
use crate::output::Output;
use crate::up::UpError;

/// Something went otherwise than the journey has it.
#[derive(Debug, thiserror::Error)]
pub enum Mishap {
    /// The embedded documents are not what the demo thinks they are.
    #[error("the embedded documents: {0}")]
    Documents(String),
    /// A service refused a call, or could not be reached.
    #[error(transparent)]
    Refused(#[from] ClientError),
    /// A consequence did not show in the services.
    #[error("waited {seconds} s until {awaited}; last seen: {seen}")]
    NotInTime {
        /// What was waited for.
        awaited: String,
        /// For how long.
        seconds: u64,
        /// What was there instead.
        seen: String,
    },
    /// A service answered something else than the journey has it.
    #[error("expected {expected}; the answer was {found}")]
    Otherwise {
        /// What should have come.
        expected: String,
        /// What came.
        found: String,
    },
    /// What went wrong in which step.
    #[error("{step}: {mishap}")]
    InStep {
        /// The step.
        step: String,
        /// What went wrong.
        mishap: Box<Mishap>,
    },
    /// A service could not be stopped, or started again.
    #[error(transparent)]
    Premises(#[from] UpError),
    /// The facts cannot be written where they were asked for.
    #[error("{}: {source}", .path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Mishap {
    /// Something else was expected.
    pub fn otherwise(expected: impl Into<String>, found: impl Into<String>) -> Mishap {
        Mishap::Otherwise {
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// Everything there is to say, in several lines where a service refused: what, where, who must act.
    pub fn told(&self) -> String {
        match self {
            Mishap::Refused(error) => {
                let account = error.account(Output::Table);
                account
                    .strip_prefix("greenlane: ")
                    .unwrap_or(&account)
                    .to_owned()
            }
            Mishap::InStep { step, mishap } => format!("{step}: {}", mishap.told()),
            other => other.to_string(),
        }
    }

    /// Whether a service could not be reached: one that ended is started again.
    pub fn is_passing(&self) -> bool {
        matches!(self, Mishap::Refused(ClientError::Refused(refusal)) if refusal.reason == "UNREACHABLE")
    }

    /// In this step.
    #[must_use]
    pub fn at(self, step: &str) -> Mishap {
        Mishap::InStep {
            step: step.to_owned(),
            mishap: Box::new(self),
        }
    }
}

impl From<tonic::Status> for Mishap {
    fn from(status: tonic::Status) -> Self {
        Mishap::Refused(status.into())
    }
}
