//! Who calls and what they may call: tokens of any OpenID Connect issuer, certificates of machines, and the permission
//! that stands beside each RPC in the proto. It must not know which rows a party may see; the stores filter those.

mod certificates;
mod development;
mod keys;
mod permissions;
mod verifier;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

pub use development::{
    DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER, DevelopmentIssuer, DevelopmentIssuerError,
    development_audit_key,
};
pub(crate) use permissions::Treatment;
pub use permissions::{Permission, Permissions, PermissionsError};
pub(crate) use verifier::expired;
pub use verifier::{Verifier, VerifierError};

/// The party and person behind a call, as their token or certificate says. In the request's extensions as `Arc<Caller>`;
/// handlers ask [`caller`](crate::caller).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person or machine (`sub`, or the certificate's name): for the record, not for logs.
    pub subject: String,
    /// The party they act for; what rows they see follows from it.
    pub party: String,
    /// What the party is.
    pub roles: BTreeSet<Role>,
    /// The sites where they work; empty for those who work at none.
    pub sites: BTreeSet<String>,
    /// From where they call: for the record.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// Whether the caller has this role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// What a party is, and so which RPCs it may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A trucking firm.
    Haulier,
    /// A customs broker.
    Broker,
    /// An importer, exporter or resident of the bonded centre.
    Trader,
    /// A shipping line or forwarder.
    Line,
    /// The operator of the bonded centre.
    Operator,
    /// Gate, yard, rail and barge desk of a site.
    Terminal,
    /// A customs officer.
    Officer,
    /// Whoever runs the platform.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::Haulier,
        Self::Broker,
        Self::Trader,
        Self::Line,
        Self::Operator,
        Self::Terminal,
        Self::Officer,
        Self::Admin,
    ];

    /// The role's name in tokens and in the proto's permissions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Haulier => "haulier",
            Self::Broker => "broker",
            Self::Trader => "trader",
            Self::Line => "line",
            Self::Operator => "operator",
            Self::Terminal => "terminal",
            Self::Officer => "officer",
            Self::Admin => "admin",
        }
    }

    /// The role of this name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
