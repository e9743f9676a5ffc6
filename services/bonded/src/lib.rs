//! The stock of a bonded centre: traders' account books, their lines and lots, and the
//! append-only ledger of every movement below them, on two clocks and in a hash chain.
//!
//! Bonded answers what stock there is and was, and proves that its ledger was not
//! changed. It publishes what happens to books on `bonded.book` and learns parties from
//! `customs.party`. It must not know trucks, declarations or duty.

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

use chassis::{Permissions, Readiness, Server, Shutdown, Verifier, configured, fabric_admin};
use fabric::Fabric;
use kernel::{Clock, SystemClock};
use proto::bonded::v1::bonded_service_server::BondedServiceServer;
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};

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
    chassis::install_tls_provider();
    let rules = config.rules();
    let seeds = config
        .seed
        .map(|_| Seeds::development(&rules, SystemClock.now().date_naive()))
        .transpose()?;
    let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET)?;
    let verifier = Verifier::open(&config.identity, Arc::new(SystemClock)).await?;
    let reads = store::connect(&config.database)?;
    let service = Arc::new(Bonded::new(rules.clone()));
    let fabric = Fabric::start(
        service,
        config.fabric.clone(),
        config.database.url.expose_secret(),
    )
    .await?;
    let readiness = Readiness::awaiting(&["database", "history", "writer"]);
    let following = fabric_admin::follow_health(&fabric.health(), &readiness);
    let planting = seeds.map(|seeds| tokio::spawn(seeds.plant(fabric.handle(), reads.clone())));
    let api = Api::new(fabric.handle(), reads.clone(), rules);
    let served = Server::new(
        "bonded",
        config.server.clone(),
        verifier,
        permissions,
        shutdown,
    )
    .add_service(configured!(BondedServiceServer::new(api), &config.server))
    .add_service(fabric_admin::service(fabric.admin(), &config.server))
    .run(readiness)
    .await;
    if let Some(planting) = planting {
        planting.abort();
    }
    following.abort();
    fabric.stop().await;
    reads.close().await;
    Ok(served?)
}

/// Makes or updates the tables of the service; `owner_url` names the role that will own
/// them.
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
