//! What holds of the whole tree, whoever changes it: permissions, the error catalogue, the architecture's
//! invariants, the bytes of published events and what the documents say. It reads protos, sources and documents
//! and asks the binary what it understands; only `compose` starts servers, as `docker-compose.yml` would.

// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used)]

mod architecture;
mod catalogue;
mod compose;
mod documents;
mod golden;
mod permissions;
mod sources;
mod written_commands;
