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
use std::time::Duration;

use chassis::{Permissions, Readiness, Server, Shutdown, Verifier, fabric_admin};
use fabric::Fabric;
use kernel::SystemClock;
use proto::release::v1::release_service_server::ReleaseServiceServer;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

pub use config::Config;
pub use error::{MigrateError, RunError};

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
    let fabric = Fabric::start(
        Arc::new(app::Release),
        config.fabric.clone(),
        config.database.url.expose_secret(),
    )
    .await?;
    let follower = fabric_admin::follow_health(&fabric.health(), &readiness);
    let verifier = Verifier::open(&config.identity, Arc::new(SystemClock)).await?;
    let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET)?;
    let handlers = grpc::Handlers::new(
        fabric.handle(),
        fabric.admin(),
        pool.clone(),
        shutdown.clone(),
    );
    let served = Server::new(
        "release",
        config.server.clone(),
        verifier,
        permissions,
        shutdown,
    )
    .add_service(chassis::configured!(
        ReleaseServiceServer::new(handlers),
        &config.server
    ))
    .add_service(fabric_admin::service(fabric.admin(), &config.server))
    .run(readiness)
    .await;
    follower.abort();
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
    let options = options
        .application_name("greenlane-release-reads")
        .options([
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
