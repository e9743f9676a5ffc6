//! Bonded against a real PostgreSQL: the loop, the API and the ledger's tables, each test
//! with a database of its own.

#![allow(
    clippy::unwrap_used,
    clippy::result_large_err,
    reason = "a test that meets what it does not expect has failed"
)]

mod api;
mod books;
mod concurrency;
mod ledger;
mod lists;
mod orders;
mod parties;
mod process;
mod support;
