//! Customs against a real PostgreSQL and the authority's real documents: the loop, the API and the tables,
//! each test with a database of its own.

#![allow(
    clippy::unwrap_used,
    clippy::result_large_err,
    reason = "a test that meets what it does not expect has failed"
)]

mod assessing;
mod bond;
mod duty;
mod export;
mod filing;
mod findings;
mod import;
mod invalidation;
/// The naive reader that the documents' own reader is checked against.
#[path = "../../../shared/wco/tests/it/leaves.rs"]
mod leaves;
mod money;
mod outcomes;
mod parties;
mod process;
mod release;
mod support;
