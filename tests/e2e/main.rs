//! End to end: the real binary, its four service processes, real PostgreSQL and Kafka. What a test does,
//! it does as a person would: through `greenlane`'s commands, and by signals to processes.

// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod after_an_end;
mod canaries;
mod cargo;
mod command_line;
mod commands_bonded;
mod commands_export;
mod commands_filing;
mod commands_gate;
mod commands_import_pick_up;
mod commands_not_today;
mod commands_officer;
mod commands_shown;
mod commands_stock_and_fabric;
mod demo;
mod identity;
mod metrics;
mod parked;
mod readers;
mod readme;
mod reflection;
mod tracing;
mod up;
mod world;

use torture::site;
