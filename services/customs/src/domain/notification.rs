//! The notifications that brokers' software knows, by their numbers. It must not know what led to one.

use chrono::{DateTime, Utc};
use kernel::Fault;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::duty::Assessment;

/// A notification to the filer of a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What it says.
    pub code: Code,
    /// The declaration.
    pub declaration_id: Uuid,
    /// Its number; empty if it was rejected.
    pub mrn: String,
    /// The filer's own reference.
    pub lrn: String,
    /// The version of the filing that it is about.
    pub filing_version: u32,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// What it carries besides.
    pub detail: Detail,
}

/// What a notification carries besides its code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The faults of a rejection.
    pub faults: Vec<Fault>,
    /// What is payable.
    pub duty: Option<TaxStatement>,
    /// The control.
    pub control_id: Option<Uuid>,
    /// For a person.
    pub text: String,
}

/// What is payable, at one stage of a debt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxStatement {
    /// The reckoning.
    pub assessment: Assessment,
    /// Only indicated.
    pub indicated: bool,
    /// Final.
    pub is_final: bool,
}

/// The codes in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 01 DMSACC.
    Accepted,
    /// 02 DMSRCV.
    Received,
    /// 03 DMSREJ.
    Rejected,
    /// 05 DMSCTL.
    Control,
    /// 06 DMSDOC.
    Documents,
    /// 08 DMSROG.
    Released,
    /// 09 DMSCLE.
    Cleared,
    /// 10 DMSINV.
    Invalidated,
    /// 13 DMSTAX.
    Tax,
    /// 14 DMSCPI.
    InsufficientFunds,
    /// 16 DMSEOG.
    Exited,
    /// 18 DMSGER.
    ExitOverdue,
}

impl Code {
    /// The number that brokers' software knows.
    pub fn number(self) -> i16 {
        match self {
            Self::Accepted => 1,
            Self::Received => 2,
            Self::Rejected => 3,
            Self::Control => 5,
            Self::Documents => 6,
            Self::Released => 8,
            Self::Cleared => 9,
            Self::Invalidated => 10,
            Self::Tax => 13,
            Self::InsufficientFunds => 14,
            Self::Exited => 16,
            Self::ExitOverdue => 18,
        }
    }

    /// The name that brokers know.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "DMSACC",
            Self::Received => "DMSRCV",
            Self::Rejected => "DMSREJ",
            Self::Control => "DMSCTL",
            Self::Documents => "DMSDOC",
            Self::Released => "DMSROG",
            Self::Cleared => "DMSCLE",
            Self::Invalidated => "DMSINV",
            Self::Tax => "DMSTAX",
            Self::InsufficientFunds => "DMSCPI",
            Self::Exited => "DMSEOG",
            Self::ExitOverdue => "DMSGER",
        }
    }

    /// The code of a number.
    pub fn of_number(number: i16) -> Option<Self> {
        const ALL: [Code; 12] = [
            Code::Accepted,
            Code::Received,
            Code::Rejected,
            Code::Control,
            Code::Documents,
            Code::Released,
            Code::Cleared,
            Code::Invalidated,
            Code::Tax,
            Code::InsufficientFunds,
            Code::Exited,
            Code::ExitOverdue,
        ];
        ALL.into_iter().find(|code| code.number() == number)
    }
}
