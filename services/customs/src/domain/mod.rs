//! What customs decides, without anything it is written with: no runtime, no SQL, no wire, no clock. State
//! goes in, decisions come out.

pub mod account;
pub mod assessing;
pub mod clearance;
pub mod debt;
pub mod declaration;
pub mod duty;
pub mod filing;
pub mod guarantee;
pub mod hold;
pub mod location;
pub mod matching;
pub mod notification;
pub mod party;
pub mod risk;
pub mod stock_list;
pub mod tariff;
pub mod validation;
pub mod visit;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Who does something: every fact that a person caused carries this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The party they act for.
    pub party: String,
    /// The person or machine.
    pub subject: String,
}

/// An act of a person: who, when, why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: String,
}
