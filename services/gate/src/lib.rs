//! Gate: answers trucks and owns the barrier. It keeps the stays of containers and trucks, takes hauliers'
//! filings, and decides at the lane from its own database. What it needs from customs and release it learns
//! from their events; it calls nobody. What it cannot know is unknown, and unknown never opens a barrier.

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
use std::time::Duration;

use chassis::{Permissions, Readiness, Server, Shutdown, Verifier, fabric_admin};
use fabric::{Fabric, Service as _};
use kernel::SystemClock;
use proto::gate::v1::gate_service_server::GateServiceServer;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

pub use app::Gate;
pub use config::Config;
pub use error::{CATALOGUE, MigrateError, RunError};

/// The default configuration: every setting, commented.
pub const CONFIG_DEFAULT: &str = include_str!("../config.default.toml");

/// How long a read waits for a connection before it is answered UNAVAILABLE.
const READ_WAIT: Duration = Duration::from_secs(5);

/// Runs the service until shutdown is requested. Telemetry is the process's, and started before.
///
/// # Errors
/// What kept it from starting, or ended it.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    chassis::install_tls_provider();
    let readiness = Readiness::awaiting(&["database", "history", "writer"]);
    let pool = read_pool(&config)?;
    let gate = Arc::new(Gate {
        rules: config.rules(),
    });
    let consumes = gate.consumes();
    let sites = config.seed.map(|_| seed::sites()).transpose()?;
    let fabric = Fabric::start(
        gate,
        config.fabric.clone(),
        config.database.url.expose_secret(),
    )
    .await?;
    let following = fabric_admin::follow_health(&fabric.health(), &readiness);
    let planting = sites.map(|sites| tokio::spawn(seed::plant(sites, fabric.handle())));
    let verifier = Verifier::open(&config.identity, Arc::new(SystemClock)).await?;
    let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET)?;
    let age_max = config.rules().decision_age_max;
    let handlers = grpc::Handlers::new(
        fabric.handle(),
        fabric.admin(),
        pool.clone(),
        consumes,
        age_max,
    );
    let served = Server::new(
        "gate",
        config.server.clone(),
        verifier,
        permissions,
        shutdown,
    )
    .add_service(chassis::configured!(
        GateServiceServer::new(handlers),
        &config.server
    ))
    .add_service(fabric_admin::service(fabric.admin(), &config.server))
    .run(readiness)
    .await;
    if let Some(planting) = planting {
        planting.abort();
    }
    following.abort();
    fabric.stop().await;
    pool.close().await;
    Ok(served?)
}

/// Makes or updates the service's tables; the role of `owner_url` will own them.
///
/// # Errors
/// If the database refuses.
pub async fn migrate(owner_url: &str) -> Result<(), MigrateError> {
    let mut connection = PgConnection::connect(owner_url).await?;
    fabric::migrate(&mut connection).await?;
    sqlx::migrate!().run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Connections for what callers read; the loop has its own.
fn read_pool(config: &Config) -> Result<PgPool, sqlx::Error> {
    let database = &config.database;
    let millis = |millis: u64| format!("{millis}ms");
    let options: PgConnectOptions = database.url.expose_secret().parse()?;
    let options = options.application_name("greenlane-gate-reads").options([
        ("statement_timeout", millis(database.statement_timeout_ms)),
        ("lock_timeout", millis(database.lock_timeout_ms)),
        (
            "idle_in_transaction_session_timeout",
            millis(database.idle_in_transaction_timeout_ms),
        ),
    ]);
    Ok(PgPoolOptions::new()
        .max_connections(database.read_connections_max)
        .acquire_timeout(READ_WAIT)
        .connect_lazy_with(options))
}
