//! The doors of the four services: configuration, migration, serving. The only file of the binary that
//! names their crates, so that everything else treats the four alike.

use std::path::Path;

use chassis::{ConfigFaults, Faults, Shutdown, Validate};
use fabric::FabricConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::Service;

/// Does the same to whichever of the four crates is meant.
macro_rules! in_crate_of {
    ($service:expr, |$crate_name:ident| $body:expr) => {
        match $service {
            Service::Gate => {
                use ::gate as $crate_name;
                $body
            }
            Service::Customs => {
                use ::customs as $crate_name;
                $body
            }
            Service::Bonded => {
                use ::bonded as $crate_name;
                $body
            }
            Service::Release => {
                use ::release as $crate_name;
                $body
            }
        }
    };
}

/// Loads the service's configuration (embedded defaults, then `file`, then the environment) and serves
/// until `shutdown` is requested. The logs, traces and metrics of this process become the service's.
///
/// # Errors
/// Every fault of the configuration at once, or why the service could not start or go on.
pub async fn serve(
    service: Service,
    file: Option<&Path>,
    shutdown: Shutdown,
) -> Result<(), anyhow::Error> {
    in_crate_of!(service, |entered| {
        let config: entered::Config =
            chassis::config::load(entered::CONFIG_DEFAULT, file, service.environment_prefix())?;
        let telemetry = chassis::telemetry::init(service.name(), &config.telemetry)?;
        let served = entered::run(config, shutdown).await;
        telemetry.shutdown().await;
        Ok(served?)
    })
}

/// Brings the service's database up to date, as its owner role: again and again does no harm.
///
/// # Errors
/// What the database refuses.
pub async fn migrate(service: Service, owner_url: &str) -> Result<(), anyhow::Error> {
    in_crate_of!(service, |entered| Ok(entered::migrate(owner_url).await?))
}

/// Checks the service's configuration as [`serve`] would load it.
///
/// # Errors
/// Every fault at once.
pub fn check_config(service: Service, file: Option<&Path>) -> Result<(), ConfigFaults> {
    in_crate_of!(service, |entered| {
        chassis::config::load::<entered::Config>(
            entered::CONFIG_DEFAULT,
            file,
            service.environment_prefix(),
        )
        .map(drop)
    })
}

/// The owner role's database address as the service's configuration has it. Nothing else of the
/// configuration needs to be there: who migrates does not serve.
///
/// # Errors
/// There is no such address, or a setting cannot be read.
pub fn owner_url(service: Service, file: Option<&Path>) -> Result<String, ConfigFaults> {
    let defaults = in_crate_of!(service, |entered| entered::CONFIG_DEFAULT);
    let migration: Migration = chassis::config::load(defaults, file, service.environment_prefix())?;
    let owner_url = migration.database.owner_url;
    // `Migration` is not valid without it.
    Ok(owner_url.map_or_else(String::new, |url| url.expose_secret().to_owned()))
}

/// Where a service's record of what was done stands, as its configuration has it: the address of its database, and the
/// broker.
///
/// # Errors
/// Every fault at once.
pub fn record_of(
    service: Service,
    file: Option<&Path>,
) -> Result<(String, FabricConfig), ConfigFaults> {
    let defaults = in_crate_of!(service, |entered| entered::CONFIG_DEFAULT);
    let read: Recording = chassis::config::load(defaults, file, service.environment_prefix())?;
    Ok((read.database.url.expose_secret().to_owned(), read.fabric))
}

/// What of a service's configuration it takes to read its record.
#[derive(Deserialize)]
struct Recording {
    database: Address,
    fabric: FabricConfig,
}

#[derive(Deserialize)]
struct Address {
    url: SecretString,
}

impl Validate for Recording {
    fn faults(&self, faults: &mut Faults) {
        if self.database.url.expose_secret().is_empty() {
            faults.add(
                "database.url",
                "is empty, set the address of the service's database: postgres://user:password@host/database",
            );
        }
    }
}

/// What of a service's configuration a migration needs.
#[derive(Deserialize)]
struct Migration {
    database: Ownership,
}

#[derive(Deserialize)]
struct Ownership {
    #[serde(deserialize_with = "chassis::config::empty_is_none")]
    owner_url: Option<SecretString>,
}

impl Validate for Migration {
    fn faults(&self, faults: &mut Faults) {
        if self.database.owner_url.is_none() {
            faults.add(
                "database.owner_url",
                "is empty, set the address of the role that owns the database: \
                 postgres://user:password@host/database",
            );
        }
    }
}
