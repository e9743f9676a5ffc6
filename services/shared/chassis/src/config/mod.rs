//! Configuration: an embedded, commented default file, then the operator's file, then the environment;
//! read whole, checked whole, every fault told at once and no secret ever printed. It must not know what
//! a setting is for: each service checks its own by [`Validate`].

mod faults;
mod load;
mod sections;

pub use faults::{ConfigFault, ConfigFaults, Faults, Validate};
pub use load::{load, load_with};
pub use sections::{
    CertificateConfig, DatabaseConfig, IdentityConfig, IssuerConfig, LogFormat, PartyQuota,
    QuotaConfig, RpcQuota, ServerConfig, TelemetryConfig, empty_is_none,
};
