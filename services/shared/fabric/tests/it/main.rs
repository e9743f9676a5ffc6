//! The fabric against the real PostgreSQL and the real Kafka, on one small
//! aggregate: a counter that one service keeps and another mirrors.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

mod access;
mod atomicity;
mod counter;
mod exchange;
mod group_commit;
mod half_open;
mod history;
mod parking;
mod plans;
mod relay;
mod restate;
mod retention;
mod roles;
mod wrong_ways;
