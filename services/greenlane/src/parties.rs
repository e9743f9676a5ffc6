//! The development parties: who may be named with `--as`, what each is and where it works, and who
//! speaks by default in each command group. The one place of the binary that knows them; the services
//! learn parties from customs' seeds and must not look here.

use chassis::Role;

/// The river port.
pub const PORT: &str = "GUOYUAN-PORT";
/// The bonded logistics centre, a road away.
pub const CENTRE: &str = "GUOYUAN-BLC";

/// A development identity: what its token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevelopmentParty {
    /// The party's id, and the name for `--as`.
    pub party: &'static str,
    /// What it is.
    pub roles: &'static [Role],
    /// The sites where it works; empty for those who work at none.
    pub sites: &'static [&'static str],
}

const fn party(
    party: &'static str,
    roles: &'static [Role],
    sites: &'static [&'static str],
) -> DevelopmentParty {
    DevelopmentParty {
        party,
        roles,
        sites,
    }
}

/// Every development party.
pub const DEVELOPMENT_PARTIES: [DevelopmentParty; 13] = [
    party("haulier-a", &[Role::Haulier], &[]),
    party("haulier-b", &[Role::Haulier], &[]),
    party("broker-a", &[Role::Broker], &[]),
    party("broker-b", &[Role::Broker], &[]),
    party("trader-a", &[Role::Trader], &[]),
    party("trader-b", &[Role::Trader], &[]),
    party("line-a", &[Role::Line], &[]),
    party("operator", &[Role::Operator], &[CENTRE]),
    party("terminal", &[Role::Terminal], &[PORT]),
    party("centre-gate", &[Role::Terminal], &[CENTRE]),
    party("officer-1", &[Role::Officer], &[PORT, CENTRE]),
    party("officer-2", &[Role::Officer], &[PORT, CENTRE]),
    party("admin", &[Role::Admin], &[]),
];

/// Who speaks where `--as` is not given.
pub mod default {
    /// `rail`, `barge`, `gate` and `terminal`: the port's desks and lanes.
    pub const TERMINAL: &str = "terminal";
    /// `haulier`.
    pub const HAULIER: &str = "haulier-a";
    /// `broker`.
    pub const BROKER: &str = "broker-a";
    /// `trader`.
    pub const TRADER: &str = "trader-a";
    /// `operator`.
    pub const OPERATOR: &str = "operator";
    /// `line`.
    pub const LINE: &str = "line-a";
    /// `officer`, and `why` and `timeline`, since an officer sees every site and party.
    pub const OFFICER: &str = "officer-1";
    /// `status` and `fabric`.
    pub const ADMIN: &str = "admin";
}

/// The party of this name, if it is one of the development parties.
pub fn find(name: &str) -> Option<&'static DevelopmentParty> {
    DEVELOPMENT_PARTIES.iter().find(|known| known.party == name)
}

/// Every party's name, for messages and completions.
pub fn names() -> Vec<&'static str> {
    DEVELOPMENT_PARTIES
        .iter()
        .map(|known| known.party)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_speaker_is_a_development_party() {
        for name in [
            default::TERMINAL,
            default::HAULIER,
            default::BROKER,
            default::TRADER,
            default::LINE,
            default::OFFICER,
            default::ADMIN,
        ] {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_stranger_is_nobody() {
        assert_eq!(find("broker-z"), None);
    }
}
