//! Release: puts the facts of a container visit together, decides whether it may leave and with whom,
//! explains every no, and tells everybody concerned. What it needs from gate, customs and bonded it
//! learns from their events; it calls nobody. See the crate's README for the way of one fact.

pub mod app;
pub mod config;
pub mod domain;
pub mod error;
pub mod events;
pub mod grpc;
mod metrics;
mod store;

use std::sync::Arc;

use chassis::service::Running;
use chassis::{Shutdown, configured};
use proto::release::v1::release_service_server::ReleaseServiceServer;

pub use config::Config;
pub use error::{CATALOGUE, MigrateError, RunError};

/// The default configuration: every setting, commented.
pub const CONFIG_DEFAULT: &str = include_str!("../config.default.toml");

/// Runs the service until shutdown is requested. Telemetry is the process's, and started before.
///
/// # Errors
/// What kept it from starting, or ended it.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    let running = Running::start(
        Arc::new(app::Release),
        config.frame(),
        &[],
        shutdown.clone(),
    )
    .await?;
    let handlers = grpc::Handlers::new(
        running.fabric.handle(),
        running.fabric.admin(),
        running.reads.clone(),
        shutdown,
    );
    running
        .serve(configured!(
            ReleaseServiceServer::new(handlers),
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
