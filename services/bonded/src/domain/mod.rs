//! The rules of books and stock: state and command in, decision out. It must not
//! know how anything is stored, sent or asked for; time and new ids are arguments.

pub mod actor;
pub mod amount;
pub mod book;
pub mod ledger;
pub mod line;
pub mod opening;
pub mod party;
pub mod verification;

use std::collections::BTreeSet;

/// What an operator of the platform sets: parameters of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The sites that are bonded centres.
    pub centres: BTreeSet<String>,
    /// How long a lot may be stored, from its entry (bonded rule 12).
    pub storage_limit_months: u32,
}
