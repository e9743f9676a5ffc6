//! The four services by name: how the command line, `up` and the clients speak of them. What each is
//! made of stands in [`entry`], the only place of the binary that names the services' crates.

pub mod entry;

use std::fmt;

/// One of the four services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Service {
    /// Trucks, containers, barriers.
    Gate,
    /// Declarations, parties, mandates.
    Customs,
    /// The bonded centre's stock.
    Bonded,
    /// May it leave? And who is told.
    Release,
}

impl Service {
    /// All four, in the order in which they are listed everywhere.
    pub const ALL: [Service; 4] = [
        Service::Gate,
        Service::Customs,
        Service::Bonded,
        Service::Release,
    ];

    /// The service's name: in commands, endpoints, databases and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Service::Gate => "gate",
            Service::Customs => "customs",
            Service::Bonded => "bonded",
            Service::Release => "release",
        }
    }

    /// The prefix of the environment variables that configure it.
    pub const fn environment_prefix(self) -> &'static str {
        match self {
            Service::Gate => "GATE",
            Service::Customs => "CUSTOMS",
            Service::Bonded => "BONDED",
            Service::Release => "RELEASE",
        }
    }

    /// The service of this name, if there is one.
    pub fn of_name(name: &str) -> Option<Service> {
        Service::ALL
            .into_iter()
            .find(|service| service.name() == name)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_by_its_name() {
        for service in Service::ALL {
            assert_eq!(Service::of_name(service.name()), Some(service));
            assert_eq!(
                service.environment_prefix(),
                service.name().to_ascii_uppercase()
            );
        }
        assert_eq!(Service::of_name("fabric"), None);
    }
}
