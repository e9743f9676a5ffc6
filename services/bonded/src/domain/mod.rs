//! The rules of books and stock: state and command in, decision out. It must not
//! know how anything is stored, sent or asked for; time and new ids are arguments.

pub mod actor;
pub mod amount;
pub mod book;
pub mod declaration;
pub mod desk;
pub mod discrepancy;
pub mod hold;
pub mod ledger;
pub mod line;
pub mod list_commands;
pub mod list_filing;
pub mod list_posting;
pub mod lot;
pub mod mandate;
pub mod opening;
pub mod party;
pub mod passage;
pub mod stock_list;
pub mod verification;

use std::collections::BTreeMap;

use kernel::CustomsArea;

/// What an operator of the platform sets: parameters of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The sites that are bonded centres, with the customs area that their list numbers carry.
    pub centres: BTreeMap<String, CustomsArea>,
    /// How long a lot may be stored, from its entry (bonded rule 12).
    pub storage_limit_months: u32,
}
