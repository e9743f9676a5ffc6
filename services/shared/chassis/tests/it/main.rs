//! The chassis as a service uses it: configured, serving over real sockets, refusing and shutting down.

// A helper of a test may fail the test, as the test itself may.
#![allow(clippy::unwrap_used)]

mod config;
mod connections;
mod errors;
mod hostile;
mod identity;
mod server;
mod shutdown;
mod support;
mod telemetry;
