//! Everything that one site needs, on one machine: PostgreSQL, Kafka, four databases, four service
//! processes. Started in order, published when ready, watched over, stopped in order; all of it dies with
//! this process. It must not know what the services do: it knows their names and their configuration.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chassis::identity::{DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER};
use chassis::{DevelopmentIssuer, development_audit_key};
use stack::{ServiceDatabase, Stack, StackError, StackOptions};
use tokio::time::Instant;

use super::acquaintance::until_acquainted;
use super::child::ServiceChild;
use crate::client::{Endpoints, ServiceEndpoints};
use crate::services::{Service, entry};

/// A service is ready so long after it was started, or something is wrong.
const READY_DEADLINE: Duration = Duration::from_secs(90);
/// How often a service is asked whether it is ready, and how long it may think about it.
const READY_POLL: Duration = Duration::from_millis(50);
const READY_ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// So much of a service's reasons for not being ready is repeated, in bytes.
const REASONS_BYTES_MAX: usize = 2_000;
/// The pause after PostgreSQL or Kafka could not be started again.
const SERVER_RESTART_PAUSE: Duration = Duration::from_secs(5);

/// Who holds the state folder; its text is the holder's process id.
const LOCK_FILE: &str = "up.lock";
const LOCK_FILE_BYTES_MAX: u64 = 32;
/// What the databases' passwords and a shared broker's topic prefix follow from.
const SEED_FILE: &str = "passwords.seed";
const SEED_FILE_BYTES_MAX: u64 = 256;

/// What to deploy, and where.
#[derive(Clone, Debug)]
pub struct DeploymentOptions {
    /// The state folder. Created where there is none; an old one goes on.
    pub folder: PathBuf,
    /// A PostgreSQL that is there already.
    pub database_url: Option<String>,
    /// Kafka brokers that are there already.
    pub brokers: Option<String>,
    /// Servers that are ready sooner and slower afterwards, and services that are idle while nothing happens: for
    /// tests. Durability is the same.
    pub fast_start: bool,
    /// Where the services reach PostgreSQL and Kafka, if not where these listen: for tests of what becomes of
    /// connections.
    pub passed_on_at: Option<PassedOnAt>,
}

/// Ports of this machine at which somebody listens and passes on to a server what it hears.
#[derive(Clone, Copy, Debug)]
pub struct PassedOnAt {
    /// To PostgreSQL.
    pub postgres: u16,
    /// To Kafka.
    pub kafka: u16,
}

impl PassedOnAt {
    /// From `POSTGRES,KAFKA`.
    fn parse(text: &str) -> Option<PassedOnAt> {
        let (postgres, kafka) = text.split_once(',')?;
        Some(PassedOnAt {
            postgres: postgres.parse().ok()?,
            kafka: kafka.parse().ok()?,
        })
    }

    /// The address of a database there.
    fn database_url(self, url: &str) -> String {
        let passed_on = || {
            let (user, rest) = url.rsplit_once('@')?;
            let (host, name) = rest.split_once('/')?;
            let host = host.split_once(':').map_or(host, |(host, _)| host);
            Some(format!("{user}@{host}:{}/{name}", self.postgres))
        };
        passed_on().unwrap_or_else(|| url.to_owned())
    }
}

impl DeploymentOptions {
    /// Everything private and lasting, in `folder`. `GREENLANE_FAST_START=1` in the environment makes it
    /// fast to start instead; `GREENLANE_PASSED_ON_AT=POSTGRES_PORT,KAFKA_PORT` is [`PassedOnAt`].
    pub fn in_folder(folder: impl Into<PathBuf>) -> DeploymentOptions {
        DeploymentOptions {
            folder: folder.into(),
            database_url: None,
            brokers: None,
            fast_start: std::env::var_os("GREENLANE_FAST_START").is_some_and(|value| value == "1"),
            passed_on_at: std::env::var("GREENLANE_PASSED_ON_AT")
                .ok()
                .and_then(|ports| PassedOnAt::parse(&ports)),
        }
    }
}

/// Why a deployment could not be started, watched or stopped.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// Another `up` holds the state folder.
    #[error(
        "another `up` runs in {}{}: use it, stop it, or name another folder with --state",
        .folder.display(), .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    AlreadyUp {
        /// The state folder.
        folder: PathBuf,
        /// The process that holds it, where it said so.
        pid: Option<u32>,
    },
    /// The state folder cannot be used.
    #[error("{} cannot be used: {source}; check its permissions and the space on its disk", .path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// PostgreSQL or Kafka.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The development issuer's key.
    #[error(transparent)]
    Issuer(#[from] chassis::identity::DevelopmentIssuerError),
    /// A database could not be brought up to date.
    #[error("the database of {service} could not be brought up to date: {cause}")]
    Migration {
        /// Whose database.
        service: Service,
        /// What it said.
        cause: String,
    },
    /// A service's process could not be handled.
    #[error("{service} could not be {doing}: {source}")]
    Process {
        /// The service.
        service: Service,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A service ended instead of becoming ready.
    #[error("{service} ended before it was ready; see {}\n{tail}", .log.display())]
    Ended {
        /// The service.
        service: Service,
        /// Where its output is.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A service did not become ready.
    #[error("{service} was not ready within {seconds} s: {why}; see {}\n{tail}", .log.display())]
    NotReady {
        /// The service.
        service: Service,
        /// How long was waited, in seconds.
        seconds: u64,
        /// What it said about itself.
        why: String,
        /// Where its output is.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// The readiness of services cannot be asked for.
    #[error("services cannot be asked whether they are ready: {0}")]
    Asking(#[source] reqwest::Error),
}

type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Everything that runs for one state folder. Dropped, it ends at once; [`Deployment::stop`] ends it in
/// order.
pub struct Deployment {
    // Fields end in this order: services, then servers, then the claim on the folder.
    children: BTreeMap<Service, ServiceChild>,
    stack: Stack,
    lock: File,
    folder: PathBuf,
    endpoints: Endpoints,
    asker: reqwest::Client,
    tell: Tell,
    servers_again_at: Instant,
}

impl Deployment {
    /// Starts everything, waits until every service is ready and knows the others' parties, sites and state, and
    /// publishes `endpoints.json` last.
    /// `progress` is told, in short sentences, what is being done.
    ///
    /// # Errors
    /// The folder is in use, or whatever could not be started, with the last lines of its log.
    pub async fn start(
        options: DeploymentOptions,
        progress: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Deployment, UpError> {
        let tell: Tell = Arc::new(progress);
        let folder = create(&options.folder)?;
        let lock = hold(&folder)?;
        // Left by one that was killed: nobody may think that it runs.
        Endpoints::remove(&folder).map_err(unusable(&folder))?;
        let seed = seed_of(&folder)?;
        let mut stack = Stack::start(StackOptions {
            database_url: options.database_url.clone(),
            brokers: options.brokers.clone(),
            durable_jvm: !options.fast_start,
            kafka_passed_on_at: options.passed_on_at.map(|at| at.kafka),
            progress: tell.clone(),
            ..StackOptions::lasting(&folder)
        })
        .await?;
        tell("bringing the databases up to date");
        let databases = prepare_databases(stack.postgres_admin_url(), &seed).await?;
        let issuer = DevelopmentIssuer::create_or_open(&folder)?;
        let (audit_key_file, _) = development_audit_key(&folder)?;
        let ground = Ground {
            brokers: stack.brokers().unwrap_or_default().to_owned(),
            topic_prefix: topic_prefix(&options, &seed),
            jwks_file: issuer.jwks_file().to_owned(),
            audit_key_file,
            databases,
            fast_start: options.fast_start,
            passed_on_at: options.passed_on_at,
        };
        let (children, endpoints) = ground.plan(&mut stack)?;
        let mut deployment = Deployment {
            children,
            stack,
            lock,
            folder,
            endpoints,
            asker: asker()?,
            tell,
            servers_again_at: Instant::now(),
        };
        deployment.start_services().await?;
        if let Some(missing) = until_acquainted(&deployment.endpoints, &deployment.folder).await {
            (deployment.tell)(&format!(
                "going on, although {missing}: until then trucks may be sent to a person; see `greenlane status`"
            ));
        }
        let published = deployment.endpoints.write(&deployment.folder);
        published.map_err(unusable(&deployment.folder))?;
        Ok(deployment)
    }

    /// Where everything answers; also in the state folder's `endpoints.json`.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts whatever ended by itself, services and servers, with pauses that grow; tells so. To be called
    /// again and again.
    pub async fn watch_over(&mut self) {
        let tell = self.tell.clone();
        for child in self.children.values_mut() {
            if let Err(error) = child.watch_over(tell.as_ref()) {
                tell(&error.to_string());
            }
        }
        if Instant::now() >= self.servers_again_at
            && let Err(error) = self.watch_over_servers().await
        {
            tell(&error.to_string());
            self.servers_again_at = Instant::now() + SERVER_RESTART_PAUSE;
        }
    }

    /// Stops one service, which finishes what it has in hand; the others go on without it. It stays away until
    /// [`Deployment::start_service`].
    ///
    /// # Errors
    /// The system refuses.
    pub async fn stop_service(&mut self, service: Service) -> Result<(), UpError> {
        match self.children.get_mut(&service) {
            Some(child) => child.stop().await,
            None => Ok(()),
        }
    }

    /// Starts one service again and waits until it is ready.
    ///
    /// # Errors
    /// The system refuses, or it does not become ready.
    pub async fn start_service(&mut self, service: Service) -> Result<(), UpError> {
        if let Some(child) = self.children.get_mut(&service) {
            child.start()?;
        }
        self.wait_until_ready(service).await
    }

    /// Stops in order: the services, which finish what they have in hand, then Kafka, then PostgreSQL. The
    /// folder stays, and goes on the next time.
    ///
    /// # Errors
    /// Something could not be stopped; the rest was.
    pub async fn stop(mut self) -> Result<(), UpError> {
        let services = self.stop_services().await;
        let servers = self.stack.stop().await;
        drop(self.lock);
        services.and(servers.map_err(UpError::from))
    }

    /// As [`Deployment::stop`], and removes the state folder.
    ///
    /// # Errors
    /// As [`Deployment::stop`], or a folder cannot be removed.
    pub async fn stop_and_remove(mut self) -> Result<(), UpError> {
        let services = self.stop_services().await;
        let servers = self.stack.stop_and_remove().await;
        drop(self.lock);
        services.and(servers.map_err(UpError::from))
    }

    /// All four at once, since each waits for others' topics; then waits for each.
    async fn start_services(&mut self) -> Result<(), UpError> {
        (self.tell)("starting the services");
        for child in self.children.values_mut() {
            child.start()?;
        }
        for service in Service::ALL {
            self.wait_until_ready(service).await?;
        }
        Ok(())
    }

    async fn stop_services(&mut self) -> Result<(), UpError> {
        // First nobody is sent here any more.
        let hidden = Endpoints::remove(&self.folder).map_err(unusable(&self.folder));
        (self.tell)("stopping the services");
        let stopping = self.children.values_mut().map(ServiceChild::stop);
        let stopped = futures::future::join_all(stopping).await;
        (self.tell)("stopping Kafka and PostgreSQL");
        stopped.into_iter().fold(hidden, Result::and)
    }

    async fn watch_over_servers(&mut self) -> Result<(), StackError> {
        // Starting what runs does nothing; what ended while it was being started is started once more.
        let (postgres, kafka) = (self.stack.postgres_pid(), self.stack.kafka_pid());
        if self.stack.has_own_postgres() {
            self.stack.start_postgres().await?;
        }
        if self.stack.has_own_kafka() {
            self.stack.start_kafka().await?;
        }
        if self.stack.postgres_pid() != postgres {
            (self.tell)("PostgreSQL had ended and was started again");
        }
        if self.stack.kafka_pid() != kafka {
            (self.tell)("Kafka had ended and was started again");
        }
        Ok(())
    }

    async fn wait_until_ready(&mut self, service: Service) -> Result<(), UpError> {
        let Some(child) = self.children.get_mut(&service) else {
            return Ok(());
        };
        let url = format!("{}/readyz", self.endpoints.of(service).admin);
        let until = Instant::now() + READY_DEADLINE;
        loop {
            let why = match ask(&self.asker, &url).await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            let log = child.log().to_owned();
            if !child.is_running()? {
                let tail = stack::process::log_tail(&log);
                return Err(UpError::Ended { service, log, tail });
            }
            if Instant::now() >= until {
                let tail = stack::process::log_tail(&log);
                let seconds = READY_DEADLINE.as_secs();
                return Err(UpError::NotReady {
                    service,
                    seconds,
                    why,
                    log,
                    tail,
                });
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }
}

/// What the services stand on.
struct Ground {
    brokers: String,
    topic_prefix: String,
    audit_key_file: PathBuf,
    jwks_file: PathBuf,
    databases: BTreeMap<Service, ServiceDatabase>,
    fast_start: bool,
    passed_on_at: Option<PassedOnAt>,
}

impl Ground {
    /// The services, not yet started, and where they will answer.
    fn plan(
        &self,
        stack: &mut Stack,
    ) -> Result<(BTreeMap<Service, ServiceChild>, Endpoints), UpError> {
        let program = std::env::current_exe().map_err(unusable(Path::new("this program")))?;
        let mut children = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        let mut postgres = BTreeMap::new();
        for (service, database) in &self.databases {
            let grpc = format!("127.0.0.1:{}", stack.port(&format!("{service}.grpc"))?);
            let admin = format!("127.0.0.1:{}", stack.port(&format!("{service}.admin"))?);
            let environment = self.environment(*service, database, &grpc, &admin);
            let log = stack.log(service.name());
            children.insert(
                *service,
                ServiceChild::new(*service, program.clone(), environment, log),
            );
            addresses.insert(*service, (grpc, admin));
            postgres.insert(service.name().to_owned(), database.service_url.clone());
        }
        let at = |service: Service| {
            let (grpc, admin) = addresses.get(&service).cloned().unwrap_or_default();
            ServiceEndpoints {
                grpc: format!("http://{grpc}"),
                admin: format!("http://{admin}"),
            }
        };
        let endpoints = Endpoints {
            gate: at(Service::Gate),
            customs: at(Service::Customs),
            bonded: at(Service::Bonded),
            release: at(Service::Release),
            kafka: self.brokers.clone(),
            topic_prefix: self.topic_prefix.clone(),
            postgres,
            issuer: DEVELOPMENT_ISSUER.to_owned(),
        };
        Ok((children, endpoints))
    }

    /// A service's configuration, as environment variables: other processes of this user aside, nobody
    /// reads them.
    fn environment(
        &self,
        service: Service,
        database: &ServiceDatabase,
        grpc: &str,
        admin: &str,
    ) -> Vec<(String, String)> {
        let issuers = toml_list_of_one(&[
            ("issuer", DEVELOPMENT_ISSUER),
            ("audience", DEVELOPMENT_AUDIENCE),
            ("jwks_file", &self.jwks_file.to_string_lossy()),
        ]);
        // Only what another instance has committed is found by looking, and here each is alone.
        let relay_poll = self
            .fast_start
            .then_some(("FABRIC__RELAY_POLL_MILLIS", "100"));
        let database_url = match self.passed_on_at {
            Some(at) => at.database_url(&database.service_url),
            None => database.service_url.clone(),
        };
        let settings = [
            ("SERVER__LISTEN", grpc),
            ("SERVER__ADMIN_LISTEN", admin),
            ("DATABASE__URL", &database_url),
            ("IDENTITY__ISSUERS", &issuers),
            ("FABRIC__BROKERS", &self.brokers),
            ("FABRIC__TOPIC_PREFIX", &self.topic_prefix),
            (
                "FABRIC__AUDIT_KEY_FILE",
                &self.audit_key_file.to_string_lossy(),
            ),
            // Services without seeds have no such setting, and leave the variable alone.
            ("SEED", "development"),
        ];
        // Logs go to files, where colours are noise.
        let plain = ("NO_COLOR".to_owned(), "1".to_owned());
        let settings = settings.into_iter().chain(relay_poll).map(|(name, value)| {
            (
                format!("{}_{name}", service.environment_prefix()),
                value.to_owned(),
            )
        });
        settings.chain([plain]).collect()
    }
}

/// `[{ name = "value", ... }]`; JSON's strings are TOML's.
fn toml_list_of_one(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name} = {}", serde_json::Value::from(*value)))
        .collect();
    format!("[{{ {} }}]", pairs.join(", "))
}

/// A database and two roles for each service, and its tables.
async fn prepare_databases(
    admin_url: &str,
    seed: &str,
) -> Result<BTreeMap<Service, ServiceDatabase>, UpError> {
    let prepare = async |service: Service| -> Result<(Service, ServiceDatabase), UpError> {
        let database = stack::provision(admin_url, service.name(), seed).await?;
        let migrated = entry::migrate(service, &database.owner_url).await;
        migrated.map_err(|error| UpError::Migration {
            service,
            cause: format!("{error:#}"),
        })?;
        Ok((service, database))
    };
    let prepared = futures::future::try_join_all(Service::ALL.map(prepare)).await?;
    Ok(prepared.into_iter().collect())
}

/// Databases of our own on a broker that others use too would read others' topics as their own.
fn topic_prefix(options: &DeploymentOptions, seed: &str) -> String {
    if options.brokers.is_some() && options.database_url.is_none() {
        let own: String = seed.chars().take(8).collect();
        return format!("up-{own}.");
    }
    String::new()
}

fn create(folder: &Path) -> Result<PathBuf, UpError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(unusable(folder))?;
    folder.canonicalize().map_err(unusable(folder))
}

/// Claims the folder for this process; the system lets go of the claim when the process ends.
fn hold(folder: &Path) -> Result<File, UpError> {
    let path = folder.join(LOCK_FILE);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(unusable(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Who holds it is a courtesy; that somebody does is what counts.
            let _ = file.take(LOCK_FILE_BYTES_MAX).read_to_string(&mut text);
            return Err(UpError::AlreadyUp {
                folder: folder.to_owned(),
                pid: text.trim().parse().ok(),
            });
        }
        Err(fs::TryLockError::Error(source)) => return Err(unusable(&path)(source)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(unusable(&path))?;
    Ok(file)
}

/// The folder's own secret, made once.
fn seed_of(folder: &Path) -> Result<String, UpError> {
    let path = folder.join(SEED_FILE);
    let mut seed = String::new();
    match File::open(&path) {
        Ok(file) => {
            let mut bounded = file.take(SEED_FILE_BYTES_MAX);
            bounded.read_to_string(&mut seed).map_err(unusable(&path))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(unusable(&path)(source)),
    }
    if !seed.trim().is_empty() {
        return Ok(seed.trim().to_owned());
    }
    let made = format!(
        "{}{}",
        uuid::Uuid::new_v4().simple(),
        uuid::Uuid::new_v4().simple()
    );
    let beside = folder.join(format!("{SEED_FILE}.new"));
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        writeln!(file, "{made}")?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    };
    write().map_err(unusable(&path))?;
    Ok(made)
}

fn asker() -> Result<reqwest::Client, UpError> {
    chassis::install_tls_provider();
    reqwest::Client::builder()
        .timeout(READY_ANSWER_TIMEOUT)
        .no_proxy()
        .build()
        .map_err(UpError::Asking)
}

/// Whether a service is ready, or what it says is missing.
async fn ask(asker: &reqwest::Client, url: &str) -> Result<(), String> {
    let answer = asker
        .get(url)
        .send()
        .await
        .map_err(|_| "it does not answer yet".to_owned())?;
    if answer.status().is_success() {
        return Ok(());
    }
    let mut why = answer.text().await.unwrap_or_default();
    if let Some((end, _)) = why.char_indices().nth(REASONS_BYTES_MAX) {
        why.truncate(end);
    }
    Err(why)
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> UpError {
    let path = path.to_owned();
    move |source| UpError::Folder { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_passed_on_is_reached_at_another_port() {
        let at = PassedOnAt::parse("7001,7002").unwrap();
        assert_eq!(at.kafka, 7002);
        assert_eq!(
            at.database_url("postgres://gate:p@127.0.0.1:5432/gate?x=1"),
            "postgres://gate:p@127.0.0.1:7001/gate?x=1"
        );
        assert!(PassedOnAt::parse("7001").is_none());
    }

    #[test]
    fn a_folder_is_held_by_one_and_names_its_holder() {
        let temporary = tempfile::tempdir().unwrap();
        let held = hold(temporary.path()).unwrap();
        let refused = hold(temporary.path()).unwrap_err();
        let own = std::process::id();
        assert!(
            matches!(refused, UpError::AlreadyUp { pid: Some(pid), .. } if pid == own),
            "{refused}"
        );
        drop(held);
        hold(temporary.path()).unwrap();
    }

    #[test]
    fn a_folder_keeps_its_seed() {
        let temporary = tempfile::tempdir().unwrap();
        let made = seed_of(temporary.path()).unwrap();
        assert_eq!(made.len(), 64);
        assert_eq!(seed_of(temporary.path()).unwrap(), made);
    }

    #[test]
    fn own_databases_on_a_shared_broker_have_topics_of_their_own() {
        let mut options = DeploymentOptions::in_folder("/nowhere");
        assert_eq!(topic_prefix(&options, "0123456789"), "");
        options.brokers = Some("kafka:9092".to_owned());
        assert_eq!(topic_prefix(&options, "0123456789"), "up-01234567.");
        options.database_url = Some("postgres://db/postgres".to_owned());
        assert_eq!(topic_prefix(&options, "0123456789"), "");
    }

    #[test]
    fn an_issuer_is_written_as_a_list_of_tables() {
        let list = toml_list_of_one(&[
            ("issuer", "https://x"),
            ("jwks_file", "/tmp/a \"b\"/j.json"),
        ]);
        assert_eq!(
            list,
            r#"[{ issuer = "https://x", jwks_file = "/tmp/a \"b\"/j.json" }]"#
        );
    }
}
