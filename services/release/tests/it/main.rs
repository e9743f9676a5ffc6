//! Release against a real PostgreSQL, without a broker: records are given to the loop, and what it
//! publishes is given back as the broker would.

// A helper that fails fails its test: that is what unwrap is for here.
#![allow(clippy::unwrap_used)]

mod commands;
mod concurrency;
mod crossings;
mod exports;
mod journeys;
mod latecomers;
mod list_releases;
mod lists;
mod notices;
mod orders;
mod party_holds;
mod revocations;
mod tenancy;
mod timeline;
mod unknown;
mod world;

/// Two fifths of what the tests of all orders take is memory that comes and goes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
