//! The pinned versions and coordinates of `versions.toml`, embedded. It only
//! names things; it must not know how they are found or installed.

use serde::Deserialize;

use crate::error::StackError;

const VERSIONS: &str = include_str!("../versions.toml");

/// Everything the stack is made of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// The database server.
    pub postgresql: Postgresql,
    /// The Java runtime that Kafka needs.
    pub java: Java,
    /// The broker.
    pub kafka: Coordinate,
    /// The binding between the broker's logging interface and Log4j.
    pub logging: Coordinate,
    /// The Maven plugin that copies packages into a folder.
    pub copier: Coordinate,
}

/// Which PostgreSQL will do, and what Debian calls it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgresql {
    /// The oldest major release that works.
    pub major_min: u32,
    /// The package that `apt-get install` gets.
    pub apt_package: String,
}

/// Which Java will do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Java {
    /// The oldest major release that works.
    pub major_min: u32,
}

/// A package of Maven Central.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordinate {
    /// The group id.
    pub group: String,
    /// The artifact id.
    pub artifact: String,
    /// The exact version.
    pub version: String,
}

impl Versions {
    /// Reads the embedded `versions.toml`; fails only if somebody broke that file.
    pub fn pinned() -> Result<Versions, StackError> {
        toml::from_str(VERSIONS).map_err(|error| StackError::Versions(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_versions_are_readable_and_exact() {
        let versions = Versions::pinned().unwrap();
        assert!(versions.postgresql.major_min >= 15);
        for coordinate in [&versions.kafka, &versions.logging, &versions.copier] {
            assert!(
                coordinate
                    .version
                    .chars()
                    .all(|c| c.is_ascii_digit() || c == '.'),
                "{coordinate:?} must name one exact version"
            );
        }
    }
}
