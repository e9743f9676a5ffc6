//! What an operator of the platform sets. The defaults stand, commented, in `config.default.toml`; nothing
//! here knows one.

use chassis::config::{
    DatabaseConfig, Faults, IdentityConfig, ServerConfig, TelemetryConfig, Validate, empty_is_none,
};
use fabric::FabricConfig;
use kernel::{CountryCode, Rounding};
use serde::Deserialize;

/// The whole configuration of customs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What is put into an empty database; none in production.
    #[serde(deserialize_with = "empty_is_none")]
    pub seed: Option<Seed>,
    /// The two letters in our movement reference numbers.
    pub mrn_country: String,
    /// What becomes of the part of a duty below the minor unit.
    pub duty_rounding: Rounding,
    /// A released export that has not left after so many days is overdue.
    pub exit_overdue_days: u32,
    /// So many filings of one stream are worked on at once.
    pub stream_filings_in_flight_max: u32,
    /// Where and within which limits it answers.
    pub server: ServerConfig,
    /// Its database.
    pub database: DatabaseConfig,
    /// The loop and the broker.
    pub fabric: FabricConfig,
    /// Whose tokens are believed.
    pub identity: IdentityConfig,
    /// What is logged and traced.
    pub telemetry: TelemetryConfig,
}

/// What is put into an empty database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seed {
    /// The development parties with mandates and accounts.
    Development,
}

impl Config {
    /// What the service's frame is made of.
    pub fn frame(&self) -> chassis::service::Frame<'_> {
        chassis::service::Frame {
            server: &self.server,
            database: &self.database,
            identity: &self.identity,
            fabric: &self.fabric,
        }
    }
}

impl Validate for Config {
    fn faults(&self, faults: &mut Faults) {
        if CountryCode::parse(&self.mrn_country).is_err() {
            faults.add("mrn_country", "is no country, set two letters such as GB");
        }
        faults.within("exit_overdue_days", self.exit_overdue_days, 1, 3_650);
        faults.within(
            "stream_filings_in_flight_max",
            self.stream_filings_in_flight_max,
            1,
            65_536,
        );
        faults.section("server", &self.server);
        faults.section("database", &self.database);
        for (key, message) in self.fabric.faults() {
            faults.add(format!("fabric.{key}"), message);
        }
        faults.section("identity", &self.identity);
        faults.section("telemetry", &self.telemetry);
    }
}
