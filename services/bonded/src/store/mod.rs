//! All of bonded's SQL: what a batch reads and writes, and what callers ask for, each
//! question filtered by who asks. It must not decide anything else.

pub mod batch;
pub mod books;
pub mod follow;
pub mod list_questions;
mod lists;
pub mod movements;
pub mod parties;
mod rows;
pub mod stock;
mod write_lists;
