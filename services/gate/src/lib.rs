//! Gate: answers trucks and owns the barrier. It keeps the stays of containers and trucks, takes hauliers'
//! filings, and decides at the lane from its own database. What it needs from customs, bonded and release it
//! learns from their events; it calls nobody. What it cannot know is unknown, and unknown never opens a barrier.

// A refusal is an answer that travels, stored and sent like any other, not an exceptional path.
#![allow(clippy::result_large_err)]

pub mod app;
pub mod config;
pub mod domain;
pub mod error;
pub mod events;
pub mod grpc;
mod metrics;
pub mod seed;
mod store;

use std::sync::Arc;

use chassis::service::Running;
use chassis::{Shutdown, configured};
use fabric::Service as _;
use proto::gate::v1::gate_service_server::GateServiceServer;

pub use app::Gate;
pub use config::Config;
pub use error::{CATALOGUE, MigrateError, RunError};

/// The default configuration: every setting, commented.
pub const CONFIG_DEFAULT: &str = include_str!("../config.default.toml");

/// Runs the service until shutdown is requested. Telemetry is the process's, and started before.
///
/// # Errors
/// What kept it from starting, or ended it.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    let sites = config
        .seed
        .map(|_| seed::sites())
        .transpose()
        .map_err(|error| RunError::Seed(error.into()))?;
    let gate = Arc::new(Gate {
        rules: config.rules(),
    });
    let consumes = gate.consumes();
    let mut running = Running::start(gate, config.frame(), &[], shutdown).await?;
    if let Some(sites) = sites {
        running.beside(tokio::spawn(seed::plant(sites, running.fabric.handle())));
    }
    let handlers = grpc::Handlers::new(
        running.fabric.handle(),
        running.fabric.admin(),
        running.reads.clone(),
        consumes,
        config.rules().decision_age_max,
    );
    running
        .serve(configured!(
            GateServiceServer::new(handlers),
            &config.server
        ))
        .await
}

/// Makes or updates the service's tables; the role of `owner_url` will own them.
///
/// # Errors
/// If the database refuses.
pub async fn migrate(owner_url: &str) -> Result<(), MigrateError> {
    fabric::migrate_service(owner_url, &sqlx::migrate!()).await
}
