//! What an operator can set. The defaults, with a comment each, stand in `config.default.toml`.

use chassis::{DatabaseConfig, Faults, IdentityConfig, ServerConfig, TelemetryConfig, Validate};
use fabric::FabricConfig;
use serde::Deserialize;

/// The service's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
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
        let loaded =
            chassis::config::load_with::<Config>(crate::CONFIG_DEFAULT, None, "RELEASE", []);
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
