//! What the four services share around gRPC: configuration, telemetry, the server, identity, the way a
//! refusal becomes a status, the admin port and shutdown. It must not know customs, gates, stock or
//! releases, no topic and no table: whoever adds a rule of the field here has put it in the wrong crate.

// A refusal is an answer that travels, stored and sent like any other, not an exceptional path.
#![allow(clippy::result_large_err)]

pub mod admin;
pub mod command;
pub mod config;
pub mod convert;
pub mod errors;
pub mod event;
pub mod fabric_admin;
pub mod identity;
pub mod page;
pub mod request;
pub mod server;
pub mod service;
pub mod shutdown;
pub mod telemetry;

mod ages;
mod connections;
mod metered;
mod quotas;
mod rpc;

pub use admin::Readiness;
pub use config::{
    ConfigFaults, DatabaseConfig, Faults, IdentityConfig, IssuerConfig, ServerConfig,
    TelemetryConfig, Validate,
};
pub use errors::{from_status, internal, to_status};
pub use identity::{Caller, DevelopmentIssuer, Permissions, Role, Verifier, development_audit_key};
pub use page::PageSize;
pub use request::{caller, request_id};
pub use server::Server;
pub use shutdown::Shutdown;

/// Makes ring the process's only source of TLS cryptography; more than one call does no harm.
///
/// Needed before anything speaks TLS, since rustls refuses to choose between providers by itself.
pub fn install_tls_provider() {
    // The only error says that a provider is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
