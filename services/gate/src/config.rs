//! What an operator can set. The defaults, with a comment each, stand in `config.default.toml`.

use std::time::Duration;

use chassis::config::empty_is_none;
use chassis::{DatabaseConfig, Faults, IdentityConfig, ServerConfig, TelemetryConfig, Validate};
use chrono::TimeDelta;
use fabric::FabricConfig;
use serde::Deserialize;

use crate::app::Rules;

/// The service's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What is put into an empty database; none in production.
    #[serde(deserialize_with = "empty_is_none")]
    pub seed: Option<Seed>,
    /// How the barrier is decided.
    pub barrier: BarrierConfig,
    /// How long drivers are remembered.
    pub personal_data: PersonalDataConfig,
    /// Where and within which limits it answers.
    pub server: ServerConfig,
    /// Its database.
    pub database: DatabaseConfig,
    /// Whose tokens it believes.
    pub identity: IdentityConfig,
    /// What it logs and traces.
    pub telemetry: TelemetryConfig,
    /// The loop and the broker.
    pub fabric: FabricConfig,
}

/// What is put into an empty database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seed {
    /// The sites of the model.
    Development,
}

/// How the barrier is decided.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BarrierConfig {
    /// A full container leaves on knowledge of its release that is at most so old; beyond it a person decides.
    pub decision_age_max_ms: u64,
    /// A pre-arrival expires so long after its planned arrival.
    pub expiry_grace_minutes: u32,
    /// A truck that nobody saw leave is taken for gone so long after it was let in.
    pub inferred_gone_hours: u32,
}

/// How long drivers are remembered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonalDataConfig {
    /// A driver's name, licence and phone are erased so long after they were filed, unless a filing that is open or a
    /// truck that is inside needs them.
    pub driver_retention_days: u32,
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

    /// The parameters of the rules.
    pub fn rules(&self) -> Rules {
        Rules {
            expiry_grace: TimeDelta::minutes(self.barrier.expiry_grace_minutes.into()),
            decision_age_max: Duration::from_millis(self.barrier.decision_age_max_ms),
            gone_after: TimeDelta::hours(self.barrier.inferred_gone_hours.into()),
            driver_retention: TimeDelta::days(self.personal_data.driver_retention_days.into()),
        }
    }
}

impl Validate for Config {
    fn faults(&self, faults: &mut Faults) {
        faults.within(
            "barrier.decision_age_max_ms",
            self.barrier.decision_age_max_ms,
            1_000,
            86_400_000,
        );
        faults.within(
            "barrier.expiry_grace_minutes",
            u64::from(self.barrier.expiry_grace_minutes),
            0,
            10_080,
        );
        faults.within(
            "personal_data.driver_retention_days",
            u64::from(self.personal_data.driver_retention_days),
            1,
            3_650,
        );
        faults.within(
            "barrier.inferred_gone_hours",
            u64::from(self.barrier.inferred_gone_hours),
            24,
            8_760,
        );
        faults.section("server", &self.server);
        faults.section("database", &self.database);
        faults.section("identity", &self.identity);
        faults.section("telemetry", &self.telemetry);
        for (key, message) in self.fabric.faults() {
            faults.add(format!("fabric.{key}"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_lacks_only_what_has_no_default() {
        let loaded = chassis::config::load_with::<Config>(crate::CONFIG_DEFAULT, None, "GATE", []);
        let faults: Vec<String> = loaded
            .unwrap_err()
            .0
            .into_iter()
            .map(|fault| fault.path)
            .collect();
        assert_eq!(
            faults,
            ["database.url", "identity.issuers", "fabric.brokers"]
        );
    }
}
