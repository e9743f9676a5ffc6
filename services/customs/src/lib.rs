//! Customs: brokers file declarations; customs matches them with what the gates report, assesses duty and
//! risk, controls, holds and releases; and it is the registrar of parties and mandates. It learns container
//! visits and sites from gate's events and stock lists from bonded's, publishes what it decides, and calls nobody. See the crate's README
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

use chassis::service::Running;
use chassis::{Readiness, Shutdown, configured};
use fabric::Reads;
use proto::customs::v1::customs_service_server::CustomsServiceServer;

pub use app::Customs;
pub use config::Config;
pub use error::{CATALOGUE, MigrateError, RunError};
use grpc::Api;
use seed::Seeds;

/// Every setting, with its default and a comment.
pub const CONFIG_DEFAULT: &str = include_str!("../config.default.toml");

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
    let unreadable = |error: seed::SeedError| RunError::Seed(error.into());
    let books = seed::books(config.duty_rounding).map_err(unreadable)?;
    let currency = books.currency().clone();
    let seeds = config
        .seed
        .map(|_| Seeds::development())
        .transpose()
        .map_err(unreadable)?;
    let service = Arc::new(Customs {
        books,
        mrn_country: config.mrn_country.clone(),
        exit_overdue_days: config.exit_overdue_days,
    });
    let mut running = Running::start(service, config.frame(), &[SITES], shutdown).await?;
    running.beside(tokio::spawn(await_a_site(
        running.reads.clone(),
        running.readiness.clone(),
    )));
    if let Some(seeds) = seeds {
        running.beside(tokio::spawn(seeds.plant(running.fabric.handle())));
    }
    let in_flight = usize::try_from(config.stream_filings_in_flight_max).unwrap_or(usize::MAX);
    let api = Api::new(
        running.fabric.handle(),
        running.reads.clone(),
        currency,
        in_flight,
    );
    running
        .serve(configured!(CustomsServiceServer::new(api), &config.server))
        .await
}

/// Makes or updates the tables of the service; `owner_url` names the role that will own them.
///
/// # Errors
/// The database refuses, or an applied migration was edited.
pub async fn migrate(owner_url: &str) -> Result<(), MigrateError> {
    fabric::migrate_service(owner_url, &sqlx::migrate!()).await
}

/// Until gate has named the first site, customs would take every goods location for one that is not ours and
/// accept on the filer's word what has not arrived. So it is not ready before.
async fn await_a_site(reads: Reads, readiness: Readiness) {
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
