//! What bonded measures beside the loop and the calls: whether its ledgers hold.

use crate::domain::verification::Fault;

/// A book's ledger was verified.
pub fn verified(fault: Option<&Fault>) {
    let outcome = if fault.is_none() { "intact" } else { "broken" };
    metrics::counter!("bonded_ledgers_verified_total", "outcome" => outcome).increment(1);
}
