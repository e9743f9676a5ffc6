//! The gRPC server of a service: limits, health, reflection, and an end that finishes what is in
//! hand. It must not know which services it serves beyond their names.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use fabric::Attempts;
use http::Request;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Service;

use crate::admin::{self, MetricsError, Readiness};
use crate::config::ServerConfig;
use crate::connections::{self, Tls, TlsError};
use crate::identity::{Permissions, Verifier};
use crate::quotas::path_of;
use crate::rpc::{Surrounded, Surroundings};
use crate::shutdown::Shutdown;

/// What every server serves beside its own services.
const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
const REFLECTION_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// The largest header block of a request, in bytes: a token and what tracing adds.
const HEADERS_BYTES_MAX: u32 = 32_768;

/// Why a server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address for gRPC is not free.
    #[error("server.listen {0} cannot be bound, choose a free address: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The address of the admin port is not free.
    #[error("server.admin_listen {0} cannot be bound, choose a free address: {1}")]
    AdminListen(SocketAddr, #[source] std::io::Error),
    /// There is no TLS with the files that are configured.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// gRPC could not be served.
    #[error("gRPC cannot be served, check the server section: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptors cannot be served.
    #[error("the descriptors cannot be served, build the proto crate anew: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// Metrics cannot be recorded.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A service was added that the permissions do not know, so that every call would be refused.
    #[error("{0} is not among the descriptors that the permissions were read from, add its proto")]
    UnknownService(&'static str),
    /// A quota is for an RPC that is not served here.
    #[error(
        "server.quota.rpcs names {0}, which is no RPC of this service, correct it or leave it out"
    )]
    UnknownRpc(String),
}

/// Applies the configured message limit and gzip to a generated service; `Server::add_service` cannot,
/// because each generated type has these methods for itself.
///
/// ```text
/// server.add_service(chassis::configured!(GateServiceServer::new(handler), &config.server))
/// ```
#[macro_export]
macro_rules! configured {
    ($service:expr, $config:expr) => {
        $service
            .max_decoding_message_size($config.message_bytes_max)
            .max_encoding_message_size($config.message_bytes_max)
            .accept_compressed(::tonic::codec::CompressionEncoding::Gzip)
            .send_compressed(::tonic::codec::CompressionEncoding::Gzip)
    };
}

/// A gRPC server being put together.
pub struct Server {
    service: &'static str,
    config: ServerConfig,
    verifier: Verifier,
    permissions: Permissions,
    shutdown: Shutdown,
    attempts: Attempts,
    routes: Routes,
    names: BTreeSet<&'static str>,
}

impl Server {
    /// Begins a server for the service of this name (`gate`).
    pub fn new(
        service: &'static str,
        config: ServerConfig,
        verifier: Verifier,
        permissions: Permissions,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            service,
            config,
            verifier,
            permissions,
            shutdown,
            attempts: Attempts::default(),
            routes: Routes::default(),
            names: BTreeSet::new(),
        }
    }

    /// Whoever is not let in is noted here.
    #[must_use]
    pub fn note_attempts(mut self, attempts: Attempts) -> Self {
        self.attempts = attempts;
        self
    }

    /// Adds a generated service; wrap it in [`configured!`](crate::configured) first.
    #[must_use]
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.names.insert(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }

    /// Serves until shutdown is requested and what was in hand is finished, or its time is over.
    ///
    /// # Errors
    ///
    /// See [`bind`](Self::bind) and [`BoundServer::run`].
    pub async fn run(self, readiness: Readiness) -> Result<(), ServerError> {
        self.bind(readiness).await?.run().await
    }

    /// Takes the addresses and starts the admin port; gRPC connections wait until [`BoundServer::run`].
    ///
    /// # Errors
    ///
    /// Where an address is taken, the files of TLS cannot be used, or a service is not known to the
    /// permissions.
    pub async fn bind(self, readiness: Readiness) -> Result<BoundServer, ServerError> {
        if let Some(name) = self
            .names
            .iter()
            .find(|name| !self.permissions.has_service(name))
        {
            return Err(ServerError::UnknownService(name));
        }
        let mut limited = self.config.quota.rpcs.iter();
        if let Some(wrong) = limited.find(|own| !self.serves(&own.rpc)) {
            return Err(ServerError::UnknownRpc(wrong.rpc.clone()));
        }
        self.warn_of_closed_rpcs();
        let incoming = TcpIncoming::bind(self.config.listen)
            .map_err(|error| ServerError::Listen(self.config.listen, error))?
            .with_nodelay(Some(true))
            .with_keepalive(Some(Duration::from_millis(self.config.tcp_keepalive_ms)));
        let address = incoming
            .local_addr()
            .map_err(|error| ServerError::Listen(self.config.listen, error))?;
        let tls = Tls::open(&self.config).await?;
        let transport = transport(&self.config);
        let metrics = admin::install_metrics()?;
        let (health, health_service) = tonic_health::server::health_reporter();
        // The descriptors are the whole platform's; what is listed is what is served here.
        let reflection = |own_name: &str| {
            let all = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(self.permissions.descriptors())
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
            let beside = [HEALTH, own_name];
            let served = self.names.iter().copied().chain(beside);
            served.fold(all, |builder, name| builder.with_service_name(name))
        };
        // Many tools still speak only the older version; both say the same.
        let v1 = reflection(REFLECTION).build_v1()?;
        let v1alpha = reflection(REFLECTION_ALPHA).build_v1alpha()?;
        let routes = self
            .routes
            .add_service(health_service)
            .add_service(v1)
            .add_service(v1alpha)
            .prepare();
        let surroundings = Surroundings::new(
            &self.config,
            self.verifier,
            self.permissions,
            self.attempts.clone(),
        );
        let stopped = Shutdown::manual();
        let (admin_address, admin) = admin::serve(
            self.config.admin_listen,
            readiness.clone(),
            metrics,
            stopped.requested(),
        )
        .await
        .map_err(|error| ServerError::AdminListen(self.config.admin_listen, error))?;
        Ok(BoundServer {
            service: self.service,
            address,
            admin_address,
            transport,
            incoming,
            tls,
            config: self.config.clone(),
            attempts: self.attempts,
            routes: Surrounded::new(routes, surroundings),
            health: Health {
                reporter: health,
                names: self.names,
            },
            readiness,
            shutdown: self.shutdown,
            stopped,
            admin,
        })
    }

    /// Whether an RPC, with its service's full name, is among those that were added.
    fn serves(&self, rpc: &str) -> bool {
        let path = path_of(rpc);
        self.has_added(rpc) && self.permissions.paths().any(|known| known == path)
    }

    /// Whether the service of an RPC was added.
    fn has_added(&self, rpc: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|name| rpc.starts_with(&format!("{name}/")))
    }

    /// An RPC without a permission is safe but useless; the operator should hear of it once.
    fn warn_of_closed_rpcs(&self) {
        for path in self.permissions.paths() {
            let served = path
                .strip_prefix('/')
                .is_some_and(|rpc| self.has_added(rpc));
            if served && self.permissions.of(path).is_none() {
                tracing::warn!(
                    method = path,
                    "this call has no permission in the proto and answers nobody"
                );
            }
        }
    }
}

/// A server that has its addresses.
pub struct BoundServer {
    service: &'static str,
    address: SocketAddr,
    admin_address: SocketAddr,
    transport: tonic::transport::Server,
    incoming: TcpIncoming,
    tls: Option<Tls>,
    config: ServerConfig,
    attempts: Attempts,
    routes: Surrounded<Routes>,
    health: Health,
    readiness: Readiness,
    shutdown: Shutdown,
    stopped: Shutdown,
    admin: JoinHandle<()>,
}

impl BoundServer {
    /// Where gRPC is served, with the port the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the admin port is, with the port the system chose.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Serves until shutdown is requested: readiness goes off, no more connections are taken, what is in
    /// hand is finished or, after the drain limit, left.
    ///
    /// # Errors
    ///
    /// Where the transport fails.
    pub async fn run(self) -> Result<(), ServerError> {
        tracing::info!(service = self.service, address = %self.address, admin = %self.admin_address, "serving");
        let health = tokio::spawn(self.health.follow(self.readiness.clone()));
        let full = Shutdown::manual();
        let closing = closing(self.shutdown.clone(), self.readiness, full.clone());
        let accepted =
            connections::accepted(self.incoming, self.tls, &self.config, self.attempts, full);
        let serving = self
            .transport
            .serve_with_incoming_shutdown(self.routes, accepted, closing);
        let requested = self.shutdown.requested();
        let drain_timeout = Duration::from_millis(self.config.drain_timeout_ms);
        let served = tokio::select! {
            served = serving => served,
            () = async { requested.await; tokio::time::sleep(drain_timeout).await } => {
                tracing::warn!(drain_timeout_ms = drain_timeout.as_millis(), "calls were still in hand after the drain limit; leaving them");
                Ok(())
            }
        };
        health.abort();
        self.stopped.request();
        if let Err(error) = self.admin.await {
            tracing::error!(%error, "the admin port ended badly");
        }
        tracing::info!(service = self.service, "stopped");
        served.map_err(ServerError::from)
    }
}

/// Waits for the request to stop and tells the world first, so that nobody is sent here any more; only then is nobody
/// taken any more.
async fn closing(shutdown: Shutdown, readiness: Readiness, full: Shutdown) {
    shutdown.requested().await;
    readiness.set("shutdown", Err("shutting down"));
    full.request();
}

/// gRPC's health service, following readiness.
struct Health {
    reporter: HealthReporter,
    names: BTreeSet<&'static str>,
}

impl Health {
    async fn follow(self, readiness: Readiness) {
        let mut changes = readiness.changes();
        loop {
            changes.mark_unchanged();
            let status = if readiness.is_ready() {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            for name in self.names.iter().copied().chain([""]) {
                self.reporter.set_service_status(name, status).await;
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

fn transport(config: &ServerConfig) -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .max_concurrent_streams(config.streams_per_connection_max)
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
        .http2_keepalive_interval(Some(Duration::from_millis(config.keepalive_interval_ms)))
        .http2_keepalive_timeout(Some(Duration::from_millis(config.keepalive_timeout_ms)))
}
