//! What an operator of the platform sets. The defaults stand, commented, in
//! `config.default.toml`; nothing here knows one.

use std::collections::BTreeMap;

use chassis::config::{
    DatabaseConfig, Faults, IdentityConfig, ServerConfig, TelemetryConfig, Validate, empty_is_none,
};
use fabric::FabricConfig;
use kernel::CustomsArea;
use serde::Deserialize;

use crate::domain::Rules;

/// The longest storage limit that makes sense, in months.
const STORAGE_LIMIT_MONTHS_MAX: u32 = 600;

/// The whole configuration of bonded.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The sites that are bonded centres.
    pub centres: Vec<String>,
    /// The customs area of each, four digits: it stands in the numbers of its stock lists.
    pub customs_areas: BTreeMap<String, String>,
    /// What is put into an empty database; none in production.
    #[serde(deserialize_with = "empty_is_none")]
    pub seed: Option<Seed>,
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
    /// How long stock may stay.
    pub storage: StorageConfig,
}

/// What is put into an empty database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seed {
    /// Books and opening stock of the development traders.
    Development,
}

/// How long stock may stay in bond.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    /// From the entry of a lot, in months.
    pub limit_months: u32,
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
            centres: self
                .centres
                .iter()
                .filter_map(|centre| {
                    let area = CustomsArea::parse(self.customs_areas.get(centre)?).ok()?;
                    Some((centre.clone(), area))
                })
                .collect(),
            storage_limit_months: self.storage.limit_months,
        }
    }
}

impl Validate for Config {
    fn faults(&self, faults: &mut Faults) {
        if self.centres.is_empty() || self.centres.iter().any(|centre| centre.trim().is_empty()) {
            faults.add(
                "centres",
                "names no site, list the ids of the bonded centres",
            );
        }
        for centre in &self.centres {
            let area = self.customs_areas.get(centre);
            if area.is_none_or(|area| CustomsArea::parse(area).is_err()) {
                faults.add(
                    format!("customs_areas.{centre}"),
                    "is no customs area, give the four digits that stand in the centre's list numbers",
                );
            }
        }
        faults.section("server", &self.server);
        faults.section("database", &self.database);
        for (key, message) in self.fabric.faults() {
            faults.add(format!("fabric.{key}"), message);
        }
        faults.section("identity", &self.identity);
        faults.section("telemetry", &self.telemetry);
        faults.within(
            "storage.limit_months",
            self.storage.limit_months,
            1,
            STORAGE_LIMIT_MONTHS_MAX,
        );
    }
}
