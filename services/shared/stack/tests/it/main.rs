//! The stack on this machine: real PostgreSQL, real Kafka, real `kill -9`.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod crash;
mod databases;
mod kafka;
mod support;
