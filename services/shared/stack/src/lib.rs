//! A private PostgreSQL and Kafka for one machine: looks for what is given, then
//! for what is installed, then gets it, runs it in a state folder, and takes it
//! down with this process, however that ends. Serves `greenlane up` and the
//! tests; no service depends on it, and it must not know any service.
//!
//! The order of business: hold the state folder, name everything that is
//! missing, and only then install and start.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod classes;
mod clock;
mod error;
mod folder;
mod formatted;
mod kafka;
mod postgres;
pub mod process;
mod programs;
mod provision;
mod testing;
mod versions;

pub use clock::{let_clock_step, step_clock};
pub use error::{Missing, StackError};
pub use kafka::KafkaGuard;
pub use postgres::superuser;
pub use provision::{ServiceDatabase, provision};
pub use testing::{TestStack, for_tests, ground_for_tests, without_row_security};
pub use versions::{Coordinate, Java, Postgresql, Versions};

use folder::Folder;
use kafka::{Kafka, KafkaPorts, Machine};
use postgres::{Postgres, Size};
use programs::{Found, Wanted};

/// What to run, and where.
#[derive(Clone)]
pub struct StackOptions {
    /// The state folder: data, logs, ports. Created if there is none.
    pub folder: PathBuf,
    /// A PostgreSQL that is there already: superuser or a role that may create
    /// roles and databases, with its database. None is started then.
    pub database_url: Option<String>,
    /// Kafka brokers that are there already, `host:port,...`. None is started then.
    pub brokers: Option<String>,
    /// Whether Kafka is wanted at all.
    pub kafka: bool,
    /// The port under which clients reach a private broker, where somebody listens there and passes on what it
    /// hears; none: the broker's own.
    pub kafka_passed_on_at: Option<u16>,
    /// Whom a private broker lets in at two more ports, over TLS; none: it has but the open one.
    pub kafka_guard: Option<KafkaGuard>,
    /// True for what is to last or to be measured; false for a small stack that
    /// is ready sooner. Durability of commits is the same.
    pub durable_jvm: bool,
    /// Told, in short sentences, what is being done.
    pub progress: Arc<dyn Fn(&str) + Send + Sync>,
}

impl StackOptions {
    /// PostgreSQL and Kafka, private and lasting, in `folder`; tells nobody.
    pub fn lasting(folder: impl Into<PathBuf>) -> StackOptions {
        StackOptions {
            folder: folder.into(),
            database_url: None,
            brokers: None,
            kafka: true,
            kafka_passed_on_at: None,
            kafka_guard: None,
            durable_jvm: true,
            progress: Arc::new(|_| {}),
        }
    }
}

/// A running stack. Dropping it ends its servers at once; [`Stack::stop`] does
/// so in order.
pub struct Stack {
    // The servers stand before the folder: they end before it is let go.
    kafka: Option<Kafka>,
    postgres: Option<Postgres>,
    folder: Folder,
    admin_url: String,
    brokers: Option<String>,
}

impl Stack {
    /// Starts what was not given, and waits until it answers. A state folder
    /// that a crash left behind is taken up again, with its data and ports.
    ///
    /// # Errors
    /// [`StackError::Missing`] before anything is started; [`StackError::FolderInUse`]
    /// if another process runs a stack there; otherwise what failed, with the
    /// last lines of the log concerned.
    pub async fn start(options: StackOptions) -> Result<Stack, StackError> {
        let folder = Folder::hold(&options.folder)?;
        Stack::start_in(folder, options).await
    }

    pub(crate) async fn start_in(
        mut folder: Folder,
        options: StackOptions,
    ) -> Result<Stack, StackError> {
        let StackOptions {
            database_url,
            brokers,
            kafka,
            kafka_passed_on_at,
            kafka_guard,
            durable_jvm,
            progress,
            ..
        } = options;
        let progress = progress.as_ref();
        let versions = Versions::pinned()?;
        let own_kafka = kafka && brokers.is_none();
        let wanted = Wanted {
            postgres: database_url
                .is_none()
                .then(|| postgres::major_of(folder.path())),
            kafka: own_kafka,
            versions: &versions,
        };
        let found = programs::find(wanted, &folder.path().join("logs"), progress).await?;
        let Found {
            postgres: postgres_programs,
            java,
        } = found;
        // Before the ports are asked for, which it may still hold.
        tokio::try_join!(
            postgres::evict_of(folder.path()),
            kafka::evict_of(folder.path())
        )?;
        let postgres_port = folder.port("postgres")?;
        let mut kafka_ports = KafkaPorts::of(&mut folder)?;
        kafka_ports.clients = kafka_passed_on_at.unwrap_or(kafka_ports.clients);
        let guarded = match kafka_guard {
            Some(guard) => Some(guard.at(&mut folder)?),
            None => None,
        };

        let start_postgres = async {
            let Some(programs) = postgres_programs else {
                return Ok(None);
            };
            let size = if durable_jvm {
                Size::Usual
            } else {
                Size::Small
            };
            Postgres::start(&folder, postgres_port, programs, size, progress)
                .await
                .map(Some)
        };
        let start_kafka = async {
            let Some(java) = java else { return Ok(None) };
            let libs = programs::kafka(&programs::cache_folder(), &versions, progress).await?;
            let machine = if durable_jvm {
                Machine::Lasting
            } else {
                Machine::FastStart
            };
            Kafka::start(&folder, kafka_ports, guarded, java, libs, machine, progress)
                .await
                .map(Some)
        };
        // If one fails the other is dropped, and thereby ended.
        let (postgres, own) = tokio::try_join!(start_postgres, start_kafka)?;
        let admin_url = match (database_url, &postgres) {
            (Some(given), _) => given,
            (None, Some(postgres)) => postgres.admin_url().to_owned(),
            (None, None) => return Err(StackError::NotOurs("PostgreSQL")),
        };
        let brokers = brokers.or_else(|| own.as_ref().map(|kafka| kafka.brokers().to_owned()));
        Ok(Stack {
            kafka: own,
            postgres,
            folder,
            admin_url,
            brokers,
        })
    }

    /// The superuser's address of the database `postgres`, or what was given.
    pub fn postgres_admin_url(&self) -> &str {
        &self.admin_url
    }

    /// The brokers' address for clients, `127.0.0.1:PORT` or what was given;
    /// `None` if Kafka was neither given nor wanted.
    pub fn brokers(&self) -> Option<&str> {
        self.brokers.as_deref()
    }

    /// Where the guarded broker asks for a password, `127.0.0.1:PORT`; `None` without one.
    pub fn brokers_by_password(&self) -> Option<String> {
        self.kafka.as_ref()?.by_password()
    }

    /// Where the guarded broker asks for a certificate.
    pub fn brokers_by_certificate(&self) -> Option<String> {
        self.kafka.as_ref()?.by_certificate()
    }

    /// The absolute path of the state folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A port of 127.0.0.1 for something else that belongs to this stack, by
    /// name: the same as last time unless somebody took it meanwhile. No other
    /// stack of this machine takes it as long as this one lives.
    ///
    /// # Errors
    /// No port is free, or the state folder cannot be written.
    pub fn port(&mut self, name: &str) -> Result<u16, StackError> {
        self.folder.port(name)
    }

    /// The log file for a program of this stack, by its name.
    pub fn log(&self, program: &str) -> PathBuf {
        self.folder.log(program)
    }

    /// Stops Kafka, then PostgreSQL, in order and each within a deadline, after
    /// which it is killed. What was given from outside is left alone.
    ///
    /// # Errors
    /// A server could not be signalled or is still there.
    pub async fn stop(mut self) -> Result<(), StackError> {
        self.stop_servers().await
    }

    /// As [`Stack::stop`], and removes the state folder with all that belongs to
    /// it, also where PostgreSQL's data had to be put elsewhere.
    ///
    /// # Errors
    /// As [`Stack::stop`], or a folder cannot be removed.
    pub async fn stop_and_remove(mut self) -> Result<(), StackError> {
        self.stop_servers().await?;
        remove(self.folder.path())
    }

    async fn stop_servers(&mut self) -> Result<(), StackError> {
        let kafka = match &mut self.kafka {
            Some(kafka) => kafka.stop().await,
            None => Ok(()),
        };
        let postgres = match &mut self.postgres {
            Some(postgres) => postgres.stop().await,
            None => Ok(()),
        };
        kafka.and(postgres)
    }

    /// Stops the broker in order. Stopping one that is stopped does nothing.
    ///
    /// # Errors
    /// The broker was given from outside, or cannot be signalled.
    pub async fn stop_kafka(&mut self) -> Result<(), StackError> {
        self.own_kafka()?.stop().await
    }

    /// Starts the broker again, on the same port and log. Starting one that runs does nothing.
    ///
    /// # Errors
    /// The broker was given from outside, ends, or takes too long.
    pub async fn start_kafka(&mut self) -> Result<(), StackError> {
        self.own_kafka()?.start_broker().await
    }

    /// `kill -9` to the broker.
    ///
    /// # Errors
    /// As [`Stack::stop_kafka`].
    pub async fn kill_kafka(&mut self) -> Result<(), StackError> {
        self.own_kafka()?.kill().await
    }

    /// Loses the broker's whole log: kills it if it runs, removes the log,
    /// formats a new one and starts the broker, empty, on the same port.
    ///
    /// # Errors
    /// As [`Stack::start_kafka`].
    pub async fn wipe_kafka(&mut self) -> Result<(), StackError> {
        self.own_kafka()?.wipe().await
    }

    /// Stops PostgreSQL in order (fast shutdown).
    ///
    /// # Errors
    /// PostgreSQL was given from outside, or cannot be signalled.
    pub async fn stop_postgres(&mut self) -> Result<(), StackError> {
        self.own_postgres()?.stop().await
    }

    /// `kill -9` to the PostgreSQL server; returns when its backends are gone too.
    ///
    /// # Errors
    /// As [`Stack::stop_postgres`].
    pub async fn kill_postgres(&mut self) -> Result<(), StackError> {
        self.own_postgres()?.kill().await
    }

    /// Starts PostgreSQL again, on the same port and data, recovering if it was
    /// killed. Starting one that runs does nothing.
    ///
    /// # Errors
    /// PostgreSQL was given from outside, ends, or takes too long.
    pub async fn start_postgres(&mut self) -> Result<(), StackError> {
        self.own_postgres()?.start_server().await
    }

    /// Whether the broker is this stack's own, running or not.
    pub fn has_own_kafka(&self) -> bool {
        self.kafka.is_some()
    }

    /// Whether the PostgreSQL server is this stack's own, running or not.
    pub fn has_own_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    /// The broker's process id while it runs, for instance to pause it.
    pub fn kafka_pid(&self) -> Option<u32> {
        self.kafka.as_ref().and_then(Kafka::pid)
    }

    /// The PostgreSQL server's process id while it runs.
    pub fn postgres_pid(&self) -> Option<u32> {
        self.postgres.as_ref().and_then(Postgres::pid)
    }

    fn own_kafka(&mut self) -> Result<&mut Kafka, StackError> {
        self.kafka.as_mut().ok_or(StackError::NotOurs("Kafka"))
    }

    fn own_postgres(&mut self) -> Result<&mut Postgres, StackError> {
        self.postgres
            .as_mut()
            .ok_or(StackError::NotOurs("PostgreSQL"))
    }
}

/// Removes a state folder, and what it keeps elsewhere.
fn remove(folder: &Path) -> Result<(), StackError> {
    postgres::remove_elsewhere(folder)?;
    fs::remove_dir_all(folder).map_err(StackError::io("remove", folder))
}
