//! Gate against a real PostgreSQL, without a broker: calls go through the handlers as the development
//! parties, what customs and release tell is given as records, what gate tells is read from its outbox.

// A helper that fails fails its test: that is what unwrap is for here.
#![allow(clippy::unwrap_used, clippy::result_large_err)]

mod admission;
mod audit;
mod commands;
mod departure;
mod endings;
mod export;
mod filings;
mod inspections;
mod lists;
mod loading;
mod passes;
mod random;
mod revocation;
mod tenancy;
mod world;
