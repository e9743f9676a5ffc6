//! The stock of a bonded centre: traders' account books, their lines and lots, and the
//! append-only ledger of every movement below them, on two clocks and in a hash chain.
//!
//! Bonded answers what stock there is and was, and proves that its ledger was not
//! changed. It publishes what happens to books and stock lists, and learns from the
//! others' events what a list waits for: parties and mandates, the declaration that names
//! it, what of it has passed the gate, holds. It must not know trucks or duty.

// A refusal is an answer that travels, stored and sent like any other, not an exceptional path.
#![allow(clippy::result_large_err)]

pub mod app;
pub mod config;
pub mod domain;
pub mod error;
mod events;
pub mod grpc;
mod metrics;
pub mod seed;
pub mod store;

use std::sync::Arc;

use chassis::service::Running;
use chassis::{Shutdown, configured};
use kernel::{Clock, SystemClock};
use proto::bonded::v1::bonded_service_server::BondedServiceServer;

pub use app::Bonded;
pub use config::Config;
pub use error::{CATALOGUE, MigrateError, RunError};
use grpc::Api;
use seed::Seeds;

/// Every setting, with its default and a comment.
pub const CONFIG_DEFAULT: &str = include_str!("../config.default.toml");

/// Serves until shutdown is asked for and what is in hand is finished. The caller has
/// started telemetry, and the database is migrated.
///
/// # Errors
/// Something of the configuration cannot be used, or the database does not answer.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    let rules = config.rules();
    let seeds = config
        .seed
        .map(|_| Seeds::development(&rules, SystemClock.now().date_naive()))
        .transpose()
        .map_err(|error| RunError::Seed(error.into()))?;
    let service = Arc::new(Bonded::new(rules.clone()));
    let mut running = Running::start(service, config.frame(), &[], shutdown).await?;
    if let Some(seeds) = seeds {
        let planting = seeds.plant(running.fabric.handle(), running.reads.clone());
        running.beside(tokio::spawn(planting));
    }
    let api = Api::new(running.fabric.handle(), running.reads.clone(), rules);
    running
        .serve(configured!(BondedServiceServer::new(api), &config.server))
        .await
}

/// Makes or updates the tables of the service; `owner_url` names the role that will own
/// them.
///
/// # Errors
/// The database refuses, or an applied migration was edited.
pub async fn migrate(owner_url: &str) -> Result<(), MigrateError> {
    fabric::migrate_service(owner_url, &sqlx::migrate!()).await
}
