//! Customs: brokers file declarations; customs matches them with what the gates report, assesses duty and
//! risk, controls, holds and releases; and it is the registrar of parties and mandates. It learns container
//! visits and sites from gate's events, publishes what it decides, and calls nobody. See the crate's README
//! for the way of one filing.

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
pub mod store;

use std::sync::Arc;
use std::time::Duration;

use chassis::{Permissions, Readiness, Server, Shutdown, Verifier, configured, fabric_admin};
use fabric::Fabric;
use kernel::SystemClock;
use proto::customs::v1::customs_service_server::CustomsServiceServer;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

pub use app::Customs;
pub use config::Config;
pub use error::{CATALOGUE, MigrateError, RunError};
use grpc::Api;
use seed::Seeds;

/// Every setting, with its default and a comment.
pub const CONFIG_DEFAULT: &str = include_str!("../config.default.toml");

/// How long a read waits for a connection before it is answered UNAVAILABLE.
const READ_WAIT: Duration = Duration::from_secs(5);
/// How often customs looks whether gate has named a site.
const SITES_LOOK_EVERY: Duration = Duration::from_millis(250);
/// The readiness condition that gate has named a site.
const SITES: &str = "sites";

/// Serves until shutdown is asked for and what is in hand is finished. The caller has started telemetry, and
/// the database is migrated.
///
/// # Errors
/// Something of the configuration cannot be used, or the database does not answer.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    chassis::install_tls_provider();
    let books = seed::books(config.duty_rounding)?;
    let currency = books.currency().clone();
    let seeds = config.seed.map(|_| Seeds::development()).transpose()?;
    let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET)?;
    let verifier = Verifier::open(&config.identity, Arc::new(SystemClock)).await?;
    let reads = read_pool(&config)?;
    let service = Arc::new(Customs {
        books,
        mrn_country: config.mrn_country.clone(),
    });
    let fabric = Fabric::start(
        service,
        config.fabric.clone(),
        config.database.url.expose_secret(),
    )
    .await?;
    let readiness = Readiness::awaiting(&["database", "history", "writer", SITES]);
    let following = fabric_admin::follow_health(&fabric.health(), &readiness);
    let looking = tokio::spawn(await_a_site(reads.clone(), readiness.clone()));
    let planting = seeds.map(|seeds| tokio::spawn(seeds.plant(fabric.handle())));
    let in_flight = usize::try_from(config.stream_filings_in_flight_max).unwrap_or(usize::MAX);
    let api = Api::new(fabric.handle(), reads.clone(), currency, in_flight);
    let served = Server::new(
        "customs",
        config.server.clone(),
        verifier,
        permissions,
        shutdown,
    )
    .add_service(configured!(CustomsServiceServer::new(api), &config.server))
    .add_service(fabric_admin::service(fabric.admin(), &config.server))
    .run(readiness)
    .await;
    for task in [Some(following), Some(looking), planting]
        .into_iter()
        .flatten()
    {
        task.abort();
    }
    fabric.stop().await;
    reads.close().await;
    Ok(served?)
}

/// Makes or updates the tables of the service; `owner_url` names the role that will own them.
///
/// # Errors
/// The database refuses, or an applied migration was edited.
pub async fn migrate(owner_url: &str) -> Result<(), MigrateError> {
    let mut connection = PgConnection::connect(owner_url).await?;
    fabric::migrate(&mut connection).await?;
    sqlx::migrate!().run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// The connections that answer questions; they are opened when the first question comes.
fn read_pool(config: &Config) -> Result<PgPool, sqlx::Error> {
    let database = &config.database;
    let options: PgConnectOptions = database.url.expose_secret().parse()?;
    let options = options.application_name("customs-reads").options([
        ("default_transaction_read_only", "on".to_owned()),
        (
            "statement_timeout",
            database.statement_timeout_ms.to_string(),
        ),
        ("lock_timeout", database.lock_timeout_ms.to_string()),
        (
            "idle_in_transaction_session_timeout",
            database.idle_in_transaction_timeout_ms.to_string(),
        ),
    ]);
    Ok(PgPoolOptions::new()
        .max_connections(database.read_connections_max)
        .acquire_timeout(READ_WAIT)
        .connect_lazy_with(options))
}

/// Until gate has named the first site, customs would take every goods location for one that is not ours and
/// accept on the filer's word what has not arrived. So it is not ready before.
async fn await_a_site(reads: PgPool, readiness: Readiness) {
    let mut looks = tokio::time::interval(SITES_LOOK_EVERY);
    loop {
        looks.tick().await;
        match store::queries::knows_a_site(&reads).await {
            Ok(true) => return readiness.set(SITES, Ok(())),
            Ok(false) => readiness.set(SITES, Err("gate has not named a site yet")),
            Err(error) => {
                tracing::debug!(%error, "the database does not say which sites are known")
            }
        }
    }
}
