//! The frame that is the same around every service: the loop, connections for reading, tokens, permissions,
//! health, the server, and the order in which they start and stop. It must not know what the service does.

use std::sync::Arc;

use fabric::{Fabric, FabricConfig, FabricError, ReadLimits, Reads};
use http::Request;
use kernel::SystemClock;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::server::NamedService;

use crate::admin::{Readiness, install_metrics};
use crate::ages;
use crate::config::{DatabaseConfig, IdentityConfig, ServerConfig};
use crate::fabric_admin;
use crate::identity::{Permissions, PermissionsError, Verifier, VerifierError};
use crate::server::{Server, ServerError};
use crate::shutdown::Shutdown;

/// Why a service does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The loop or the connections for reading did not start.
    #[error(transparent)]
    Fabric(#[from] FabricError),
    /// The permissions cannot be read from the protos.
    #[error(transparent)]
    Permissions(#[from] PermissionsError),
    /// Tokens cannot be verified.
    #[error(transparent)]
    Identity(#[from] VerifierError),
    /// What is put into an empty database, or decided by, cannot be read.
    #[error("the seeds cannot be read: {0}")]
    Seed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server could not start or go on.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// The parts of a service's configuration that its frame is made of.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Where and within which limits it answers.
    pub server: &'a ServerConfig,
    /// Its database.
    pub database: &'a DatabaseConfig,
    /// Whose tokens it believes.
    pub identity: &'a IdentityConfig,
    /// The loop and the broker.
    pub fabric: &'a FabricConfig,
}

/// A service whose loop runs and which does not answer calls yet.
pub struct Running<S: fabric::Service> {
    /// The loop.
    pub fabric: Fabric<S>,
    /// Connections for what callers read.
    pub reads: Reads,
    /// What readiness waits for; the service may add conditions of its own.
    pub readiness: Readiness,
    server: Server,
    config: ServerConfig,
    tasks: Vec<JoinHandle<()>>,
}

impl<S: fabric::Service> Running<S> {
    /// Starts the loop and opens what the server needs. Telemetry is the process's, and started before; the
    /// database is migrated. `conditions` are what readiness waits for beyond the loop's own.
    ///
    /// # Errors
    /// What kept it from starting.
    pub async fn start(
        service: Arc<S>,
        frame: Frame<'_>,
        conditions: &[&'static str],
        shutdown: Shutdown,
    ) -> Result<Self, RunError> {
        crate::install_tls_provider();
        // Before the loop, whose first batches count too.
        install_metrics().map_err(ServerError::from)?;
        let url = frame.database.url.expose_secret();
        let limits = ReadLimits {
            connections_max: frame.database.read_connections_max,
            statement_timeout_ms: frame.database.statement_timeout_ms,
            lock_timeout_ms: frame.database.lock_timeout_ms,
            idle_in_transaction_timeout_ms: frame.database.idle_in_transaction_timeout_ms,
        };
        let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET)?;
        let verifier = Verifier::open(frame.identity, Arc::new(SystemClock)).await?;
        let reads = Reads::open(S::NAME, url, limits).map_err(FabricError::from)?;
        let fabric = Fabric::start(service, frame.fabric.clone(), url).await?;
        let awaited: Vec<&'static str> = fabric_admin::NEEDED
            .iter()
            .chain(conditions)
            .copied()
            .collect();
        let readiness = Readiness::awaiting(&awaited);
        let following = fabric_admin::follow_health(&fabric.health(), &readiness);
        let measuring = ages::follow(fabric.admin());
        let server = Server::new(
            S::NAME,
            frame.server.clone(),
            verifier,
            permissions,
            shutdown,
        )
        .note_attempts(fabric.handle().attempts());
        Ok(Self {
            fabric,
            reads,
            readiness,
            server,
            config: frame.server.clone(),
            tasks: vec![following, measuring],
        })
    }

    /// A task beside the calls (planting seeds, say); it ends with the service.
    pub fn beside(&mut self, task: JoinHandle<()>) {
        self.tasks.push(task);
    }

    /// Answers calls until shutdown is requested, finishes what is in hand, commits it, and ends.
    ///
    /// # Errors
    /// The server could not start or go on.
    pub async fn serve<T>(self, api: T) -> Result<(), RunError>
    where
        T: tower::Service<
                Request<Body>,
                Response = http::Response<Body>,
                Error = std::convert::Infallible,
            > + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        T::Future: Send + 'static,
    {
        let served = self
            .server
            .add_service(api)
            .add_service(fabric_admin::service(self.fabric.admin(), &self.config))
            .run(self.readiness)
            .await;
        for task in self.tasks {
            task.abort();
        }
        self.fabric.stop().await;
        self.reads.close().await;
        Ok(served?)
    }
}
