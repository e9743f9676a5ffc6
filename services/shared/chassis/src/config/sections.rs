//! The sections that every service embeds in its own configuration: server, database, identity and
//! telemetry. It must not know a default: those stand, commented, in each service's default file.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::value::StringDeserializer;
use serde::de::{Deserializer, IntoDeserializer};

use super::faults::{Faults, Validate};
use crate::identity::Role;

/// The longest any time setting may be, in milliseconds: a day.
const MILLIS_MAX: u64 = 86_400_000;

/// The most calls of any quota.
const CALLS_MAX: u32 = 1_000_000;

/// Where and within which limits a service answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Where gRPC is served.
    pub listen: SocketAddr,
    /// Where metrics, health and readiness are served; not for strangers.
    pub admin_listen: SocketAddr,
    /// The certificate chain (PEM); with it and its key gRPC is served over TLS. Empty: plain text.
    #[serde(deserialize_with = "empty_is_none")]
    pub tls_certificate_file: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[serde(deserialize_with = "empty_is_none")]
    pub tls_key_file: Option<PathBuf>,
    /// The authorities (PEM) whose certificates machines may show instead of a token; who shows which stands in
    /// [`IdentityConfig::certificates`]. Empty: nobody is asked for one.
    #[serde(deserialize_with = "empty_is_none")]
    pub tls_client_ca_file: Option<PathBuf>,
    /// Whether gRPC is served in plain text where other machines reach it: behind something that ends TLS.
    pub plain_text: bool,
    /// So many connections are open at once; more are closed at once.
    pub connections_max: usize,
    /// So many of them may come from one address.
    pub connections_per_address_max: usize,
    /// A new connection has so long for TLS, and for saying that it speaks HTTP/2.
    pub handshake_timeout_ms: u64,
    /// The largest request or answer message, in bytes after decompression.
    pub message_bytes_max: usize,
    /// So many calls are worked on at once; more are answered RESOURCE_EXHAUSTED at once.
    pub concurrent_requests_max: usize,
    /// So many streaming calls are open at once; more are answered RESOURCE_EXHAUSTED at once.
    pub concurrent_streams_max: usize,
    /// So many calls one connection may have open.
    pub streams_per_connection_max: u32,
    /// A call that is not a stream is answered DEADLINE_EXCEEDED after so long.
    pub request_timeout_ms: u64,
    /// At shutdown, what is in hand has so long to finish.
    pub drain_timeout_ms: u64,
    /// A connection that says nothing for so long is asked whether it lives (HTTP/2 ping).
    pub keepalive_interval_ms: u64,
    /// A connection that does not answer for so long is closed.
    pub keepalive_timeout_ms: u64,
    /// The kernel probes an idle connection after so long.
    pub tcp_keepalive_ms: u64,
    /// How many calls a party may make.
    pub quota: QuotaConfig,
}

/// How many calls a party may make, over all its connections to one instance; more are answered RESOURCE_EXHAUSTED with
/// how long to wait. The opening of a stream is a call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaConfig {
    /// So many a second, ...
    pub calls_per_second_max: u32,
    /// ... and so many at once after a pause.
    pub calls_burst_max: u32,
    /// So many calls that are no streams may be in hand at once, ...
    pub calls_in_hand_max: u32,
    /// ... and so many streams open.
    pub streams_max: u32,
    /// Parties with a quota of their own.
    pub parties: Vec<PartyQuota>,
    /// RPCs of which each party may make fewer calls.
    pub rpcs: Vec<RpcQuota>,
}

/// The quota of one party.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyQuota {
    /// The party's id.
    pub party: String,
    /// As [`QuotaConfig::calls_per_second_max`].
    pub calls_per_second_max: u32,
    /// As [`QuotaConfig::calls_burst_max`].
    pub calls_burst_max: u32,
    /// As [`QuotaConfig::calls_in_hand_max`].
    pub calls_in_hand_max: u32,
    /// As [`QuotaConfig::streams_max`].
    pub streams_max: u32,
}

/// How many calls of one RPC each party may make, within its quota of all calls. A message of a stream is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RpcQuota {
    /// The RPC with its service: "greenlane.customs.v1.CustomsService/ListDeclarations".
    pub rpc: String,
    /// As [`QuotaConfig::calls_per_second_max`].
    pub calls_per_second_max: u32,
    /// As [`QuotaConfig::calls_burst_max`].
    pub calls_burst_max: u32,
}

impl Validate for QuotaConfig {
    fn faults(&self, faults: &mut Faults) {
        let calls = [self.calls_per_second_max, self.calls_burst_max];
        quota_within(calls, [self.calls_in_hand_max, self.streams_max], faults);
        for (index, own) in self.parties.iter().enumerate() {
            faults.section(&format!("parties.{index}"), own);
        }
        for (index, own) in self.rpcs.iter().enumerate() {
            faults.section(&format!("rpcs.{index}"), own);
        }
    }
}

impl Validate for PartyQuota {
    fn faults(&self, faults: &mut Faults) {
        if self.party.is_empty() {
            faults.add("party", "is empty, set the party's id");
        }
        let calls = [self.calls_per_second_max, self.calls_burst_max];
        quota_within(calls, [self.calls_in_hand_max, self.streams_max], faults);
    }
}

impl Validate for RpcQuota {
    fn faults(&self, faults: &mut Faults) {
        if !self.rpc.contains('/') {
            faults.add(
                "rpc",
                "names no RPC, write the service's full name, a slash and the RPC's",
            );
        }
        faults.within(
            "calls_per_second_max",
            self.calls_per_second_max,
            1,
            CALLS_MAX,
        );
        faults.within("calls_burst_max", self.calls_burst_max, 1, CALLS_MAX);
    }
}

fn quota_within(
    [calls_per_second, calls_burst]: [u32; 2],
    [calls_in_hand, streams]: [u32; 2],
    faults: &mut Faults,
) {
    for (name, max) in [
        ("calls_per_second_max", calls_per_second),
        ("calls_burst_max", calls_burst),
        ("calls_in_hand_max", calls_in_hand),
        ("streams_max", streams),
    ] {
        faults.within(name, max, 1, CALLS_MAX);
    }
}

impl Validate for ServerConfig {
    fn faults(&self, faults: &mut Faults) {
        if self.listen == self.admin_listen && self.listen.port() != 0 {
            faults.add("admin_listen", "is the address of listen, set another port");
        }
        match (&self.tls_certificate_file, &self.tls_key_file) {
            (Some(_), None) => faults.add(
                "tls_key_file",
                "is empty while tls_certificate_file is set, set both or none",
            ),
            (None, Some(_)) => faults.add(
                "tls_certificate_file",
                "is empty while tls_key_file is set, set both or none",
            ),
            (None, None) if !self.listen.ip().is_loopback() && !self.plain_text => faults.add(
                "tls_certificate_file",
                "is empty while listen is reached from other machines, set it and tls_key_file, or plain_text = true behind something that ends TLS",
            ),
            (None, None) if self.tls_client_ca_file.is_some() => faults.add(
                "tls_client_ca_file",
                "is set without TLS, set tls_certificate_file and tls_key_file too",
            ),
            _ => {}
        }
        faults.within("connections_max", self.connections_max, 1, 1_000_000);
        faults.within(
            "connections_per_address_max",
            self.connections_per_address_max,
            1,
            1_000_000,
        );
        faults.within(
            "message_bytes_max",
            self.message_bytes_max,
            1_024,
            67_108_864,
        );
        faults.within(
            "concurrent_requests_max",
            self.concurrent_requests_max,
            1,
            1_000_000,
        );
        faults.within(
            "concurrent_streams_max",
            self.concurrent_streams_max,
            1,
            1_000_000,
        );
        faults.within(
            "streams_per_connection_max",
            self.streams_per_connection_max,
            1,
            1_000_000,
        );
        for (name, millis) in [
            ("handshake_timeout_ms", self.handshake_timeout_ms),
            ("request_timeout_ms", self.request_timeout_ms),
            ("drain_timeout_ms", self.drain_timeout_ms),
            ("keepalive_interval_ms", self.keepalive_interval_ms),
            ("keepalive_timeout_ms", self.keepalive_timeout_ms),
            ("tcp_keepalive_ms", self.tcp_keepalive_ms),
        ] {
            faults.within(name, millis, 1, MILLIS_MAX);
        }
        faults.section("quota", &self.quota);
    }
}

/// The service's own database. How many writers it has is the loop's concern, not this section's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// The service role's address, `postgres://user:password@host/database`. Secret.
    pub url: SecretString,
    /// The owner role's address, for migrations. Secret; empty where others migrate.
    #[serde(deserialize_with = "empty_is_none")]
    pub owner_url: Option<SecretString>,
    /// So many connections serve reads.
    pub read_connections_max: u32,
    /// A statement is cut after so long.
    pub statement_timeout_ms: u64,
    /// A wait for a lock is cut after so long.
    pub lock_timeout_ms: u64,
    /// A transaction that says nothing for so long is cut.
    pub idle_in_transaction_timeout_ms: u64,
}

impl Validate for DatabaseConfig {
    fn faults(&self, faults: &mut Faults) {
        check_database_url("url", &self.url, faults);
        if let Some(owner_url) = &self.owner_url {
            check_database_url("owner_url", owner_url, faults);
        }
        faults.within("read_connections_max", self.read_connections_max, 1, 1_000);
        for (name, millis) in [
            ("statement_timeout_ms", self.statement_timeout_ms),
            ("lock_timeout_ms", self.lock_timeout_ms),
            (
                "idle_in_transaction_timeout_ms",
                self.idle_in_transaction_timeout_ms,
            ),
        ] {
            faults.within(name, millis, 1, MILLIS_MAX);
        }
    }
}

fn check_database_url(name: &str, url: &SecretString, faults: &mut Faults) {
    let url = url.expose_secret();
    if url.is_empty() {
        faults.add(name, "is empty, set postgres://user:password@host/database");
    } else if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        faults.add(
            name,
            "is no PostgreSQL address, write postgres://user:password@host/database",
        );
    }
}

/// Whose tokens are believed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {
    /// The OpenID Connect issuers; at least one.
    pub issuers: Vec<IssuerConfig>,
    /// Clocks may differ by so much when a token's times are judged.
    pub clock_skew_seconds: u32,
    /// So many verified tokens are remembered until they expire.
    pub token_cache_entries_max: usize,
    /// The machines that show a certificate instead of a token (see [`ServerConfig::tls_client_ca_file`]).
    pub certificates: Vec<CertificateConfig>,
}

/// A machine that is known by its certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateConfig {
    /// The certificate's name, exactly: a DNS name or URI among its subject alternative names.
    pub name: String,
    /// The party that the machine belongs to.
    pub party: String,
    /// What the party is, as tokens say it.
    pub roles: Vec<String>,
    /// The sites where the machine stands.
    #[serde(default)]
    pub sites: Vec<String>,
}

impl Validate for CertificateConfig {
    fn faults(&self, faults: &mut Faults) {
        if self.name.is_empty() {
            faults.add("name", "is empty, set a DNS name or URI of the certificate");
        }
        if self.party.is_empty() {
            faults.add("party", "is empty, set the party's id");
        }
        for (index, role) in self.roles.iter().enumerate() {
            if Role::parse(role).is_none() {
                let known = Role::ALL.map(Role::as_str).join(", ");
                faults.add(
                    format!("roles.{index}"),
                    format!("is no role, write one of {known}"),
                );
            }
        }
    }
}

/// One issuer of tokens and where its public keys are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` claim, exactly.
    #[serde(default)]
    pub issuer: String,
    /// The `aud` claim that a token for us carries.
    #[serde(default)]
    pub audience: String,
    /// Where the issuer publishes its keys (JWKS); either this or `jwks_file`.
    #[serde(default, deserialize_with = "empty_is_none")]
    pub jwks_url: Option<String>,
    /// A file with the issuer's keys (JWKS); either this or `jwks_url`.
    #[serde(default, deserialize_with = "empty_is_none")]
    pub jwks_file: Option<PathBuf>,
}

impl Validate for IdentityConfig {
    fn faults(&self, faults: &mut Faults) {
        if self.issuers.is_empty() {
            faults.add("issuers", "is empty, name at least one issuer of tokens");
        }
        for (index, issuer) in self.issuers.iter().enumerate() {
            faults.section(&format!("issuers.{index}"), issuer);
            let earlier = self.issuers.iter().take(index);
            if earlier
                .into_iter()
                .any(|earlier| earlier.issuer == issuer.issuer)
            {
                faults.add(
                    format!("issuers.{index}.issuer"),
                    "is named twice, remove one",
                );
            }
        }
        for (index, certificate) in self.certificates.iter().enumerate() {
            faults.section(&format!("certificates.{index}"), certificate);
            let mut earlier = self.certificates.iter().take(index);
            if earlier.any(|earlier| earlier.name == certificate.name) {
                faults.add(
                    format!("certificates.{index}.name"),
                    "is named twice, remove one",
                );
            }
        }
        faults.within("clock_skew_seconds", self.clock_skew_seconds, 0, 300);
        faults.within(
            "token_cache_entries_max",
            self.token_cache_entries_max,
            1,
            1_000_000,
        );
    }
}

impl Validate for IssuerConfig {
    fn faults(&self, faults: &mut Faults) {
        if self.issuer.is_empty() {
            faults.add(
                "issuer",
                "is empty, set the iss claim of the issuer's tokens",
            );
        }
        if self.audience.is_empty() {
            faults.add(
                "audience",
                "is empty, set the aud claim that tokens for this service carry",
            );
        }
        match (&self.jwks_url, &self.jwks_file) {
            (Some(_), Some(_)) => {
                faults.add("jwks_file", "is set beside jwks_url, set one of the two")
            }
            (None, None) => faults.add("jwks_url", "is empty, set it or jwks_file"),
            (Some(url), None) if !is_https_or_local(url) => {
                faults.add(
                    "jwks_url",
                    "is not https, keys fetched in the open can be replaced",
                );
            }
            _ => {}
        }
    }
}

/// Keys over plain HTTP are accepted from this machine only.
fn is_https_or_local(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return false;
    };
    let local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && local)
}

/// What is logged and traced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// How a log line is written.
    pub log_format: LogFormat,
    /// What is logged, as directives: `info,sqlx=warn`.
    pub log_filter: String,
    /// Where traces are sent (OTLP over gRPC). Empty: nowhere; trace ids are passed on all the same.
    #[serde(deserialize_with = "empty_is_none")]
    pub otlp_endpoint: Option<String>,
    /// So many of a hundred traces begun here are sent; one begun elsewhere keeps its own decision.
    pub sample_ratio_percent: u8,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl Validate for TelemetryConfig {
    fn faults(&self, faults: &mut Faults) {
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.log_filter) {
            faults.add(
                "log_filter",
                format!("cannot be read ({error}), write directives such as info,sqlx=warn"),
            );
        }
        if let Some(endpoint) = &self.otlp_endpoint
            && endpoint
                .parse::<http::Uri>()
                .ok()
                .and_then(|uri| uri.scheme_str().map(str::to_owned))
                .is_none()
        {
            faults.add("otlp_endpoint", "is no address, write http://host:4317");
        }
        faults.within("sample_ratio_percent", self.sample_ratio_percent, 0, 100);
    }
}

/// Reads an optional setting that stands in the default file as an empty string, TOML having no null:
/// `#[serde(deserialize_with = "chassis::config::empty_is_none")]`.
///
/// # Errors
///
/// Where the text is not empty and cannot be read as a `T`.
pub fn empty_is_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let text: StringDeserializer<D::Error> = text.into_deserializer();
    T::deserialize(text).map(Some)
}
