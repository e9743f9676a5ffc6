//! A party, as customs registers it: release keeps a copy to know who is a haulier.

use super::version::Version;

/// A firm or an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownParty {
    /// Its id: "haulier-a".
    pub party_id: String,
    /// Of the fact that it was learnt from.
    pub version: Version,
    /// Its name for people.
    pub name: String,
    /// haulier, broker, trader, line, operator, terminal, officer, admin.
    pub roles: Vec<String>,
    /// Whether it may act at all.
    pub suspended: bool,
}

impl KnownParty {
    /// Whether a line may release a consignment to it.
    pub fn may_collect(&self) -> bool {
        !self.suspended && self.roles.iter().any(|role| role == "haulier")
    }
}
