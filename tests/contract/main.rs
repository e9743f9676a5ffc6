//! What holds of the whole tree, whoever changes it: permissions, the error catalogue, the architecture's
//! invariants and the bytes of published events. It reads protos, sources and documents; it starts nothing.

// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used)]

mod architecture;
mod catalogue;
mod golden;
mod permissions;
mod sources;
