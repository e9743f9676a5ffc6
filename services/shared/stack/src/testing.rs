//! One PostgreSQL, and if asked for one Kafka, per test process, with a fresh
//! database for every test. For tests only: what fails here panics with what to
//! do, as a test wants it.

use std::collections::HashMap;
use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::unistd::Uid;
use sqlx::{Connection as _, Executor as _};
use tokio::sync::OnceCell;

use crate::error::StackError;
use crate::folder::Folder;
use crate::kafka::{Kafka, KafkaPorts, Machine};
use crate::postgres::{connect, hex};
use crate::programs::{self, Wanted};
use crate::provision::{self, Roles, ServiceDatabase};
use crate::versions::Versions;
use crate::{Stack, StackOptions};

/// A server that tests use instead of a private one.
const DATABASE_URL_VARIABLE: &str = "GREENLANE_DATABASE_URL";
/// Brokers that tests use instead of a private one.
const BROKERS_VARIABLE: &str = "GREENLANE_BROKERS";
/// In the temporary folder, followed by the user's number.
const GROUND_PREFIX: &str = "greenlane-tests-";
const FOLDER_PREFIX: &str = "process-";
/// The same in all test processes: they may share one server, and its roles.
const PASSWORDS_SEED: &str = "for tests only";

static SHARED: OnceCell<TestStack> = OnceCell::const_new();

/// The stack of this test process, started at the first call. It ends with the
/// process; its folder is removed by a later test process.
///
/// # Panics
/// PostgreSQL cannot be started; the message says what to do.
pub async fn for_tests() -> &'static TestStack {
    SHARED
        .get_or_init(|| async { succeed(TestStack::start().await) })
        .await
}

/// The servers of a test process.
pub struct TestStack {
    stack: Stack,
    kafka_ports: KafkaPorts,
    kafka: OnceCell<Kafka>,
    /// Tells this process's databases from those of others on a shared server.
    token: String,
    templates: Mutex<HashMap<String, Arc<OnceCell<Template>>>>,
    databases: AtomicU32,
}

/// A migrated database that is only ever copied.
struct Template {
    name: String,
    roles: Roles,
}

impl TestStack {
    async fn start() -> Result<TestStack, StackError> {
        let mut folder = fresh_folder(&ground_for_tests())?;
        let kafka_ports = KafkaPorts::of(&mut folder)?;
        let options = StackOptions {
            folder: folder.path().to_owned(),
            database_url: env::var(DATABASE_URL_VARIABLE).ok(),
            brokers: env::var(BROKERS_VARIABLE).ok(),
            kafka: false,
            kafka_passed_on_at: None,
            kafka_guard: None,
            durable_jvm: false,
            progress: Arc::new(|_| {}),
        };
        let stack = Stack::start_in(folder, options).await?;
        Ok(TestStack {
            stack,
            kafka_ports,
            kafka: OnceCell::new(),
            token: hex(&rand::random::<[u8; 4]>()),
            templates: Mutex::new(HashMap::new()),
            databases: AtomicU32::new(0),
        })
    }

    /// The superuser's address of the database `postgres`.
    pub fn admin_url(&self) -> &str {
        self.stack.postgres_admin_url()
    }

    /// The broker's address; Kafka is started at the first call.
    ///
    /// # Panics
    /// Kafka cannot be started; the message says what to do.
    pub async fn kafka(&self) -> &str {
        if let Some(given) = self.stack.brokers() {
            return given;
        }
        self.kafka
            .get_or_init(|| async { succeed(self.start_kafka().await) })
            .await
            .brokers()
    }

    async fn start_kafka(&self) -> Result<Kafka, StackError> {
        let versions = Versions::pinned()?;
        let progress = &|_: &str| {};
        let wanted = Wanted {
            postgres: None,
            kafka: true,
            versions: &versions,
        };
        let found = programs::find(wanted, &self.stack.folder().join("logs"), progress).await?;
        let java = found.java.ok_or(StackError::Missing(Vec::new()))?;
        let libs = programs::kafka(&programs::cache_folder(), &versions, progress).await?;
        Kafka::start(
            &self.stack.folder,
            self.kafka_ports,
            None,
            java,
            libs,
            Machine::FastStart,
            progress,
        )
        .await
    }

    /// A database of its own for one test, with roles and rights as
    /// [`crate::provision`] gives them. The first call for a `service` in this
    /// process makes a template, on which it runs `migrate` with the owner's
    /// address; all calls get copies of that.
    ///
    /// # Panics
    /// The database cannot be made, or the migration fails.
    pub async fn database(
        &self,
        service: &str,
        migrate: impl AsyncFnOnce(&str) -> anyhow::Result<()>,
    ) -> ServiceDatabase {
        let cell = {
            let mut templates = self
                .templates
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            templates.entry(service.to_owned()).or_default().clone()
        };
        let template = cell
            .get_or_init(|| async { succeed(self.template(service, migrate).await) })
            .await;
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("greenlane_test_{}_{service}_{number}", self.token);
        succeed(provision::copy(self.admin_url(), &template.roles, &template.name, &name).await)
    }

    async fn template(
        &self,
        service: &str,
        migrate: impl AsyncFnOnce(&str) -> anyhow::Result<()>,
    ) -> Result<Template, StackError> {
        let roles = Roles::of(service, PASSWORDS_SEED)?;
        let name = format!("greenlane_test_{}_{service}_template", self.token);
        let database = provision::provision_named(self.admin_url(), &roles, &name).await?;
        migrate(&database.owner_url)
            .await
            .map_err(|error| StackError::Migration {
                service: service.to_owned(),
                cause: format!("{error:#}"),
            })?;
        provision::seal(self.admin_url(), &name).await?;
        Ok(Template { name, roles })
    }
}

/// From now on the database lets every reader through to all rows of the tables that readers read: whether a service's
/// own filters are enough shows only so.
///
/// # Panics
/// The database refuses.
pub async fn without_row_security(database: &ServiceDatabase) {
    const OFF: &str = "do $$ declare opened regclass; begin
        for opened in select polrelid::regclass from pg_policy where polname = 'readers' loop
            execute format('alter table %s disable row level security', opened);
        end loop; end $$";
    let done = async {
        let mut owner = connect(&database.owner_url).await?;
        owner.execute(OFF).await?;
        owner.close().await
    };
    succeed(
        done.await
            .map_err(StackError::database("switching row level security off")),
    );
}

/// The folder in which tests make theirs, one for each user of the machine.
///
/// Every test has a database, of some 400 files. Where as many were removed less than minutes ago, ext4 looks at
/// each of their inodes for every file that it makes: a third of the time of a whole run. So it is told that what
/// is made here has nothing to do with each other, and spreads it over the disk. Elsewhere that is not needed.
///
/// # Panics
/// The folder cannot be made, or belongs to somebody else.
pub fn ground_for_tests() -> PathBuf {
    let own = Uid::effective();
    let ground = env::temp_dir().join(format!("{GROUND_PREFIX}{own}"));
    // Searchable: servers may run as another user.
    match DirBuilder::new().mode(0o711).create(&ground) {
        Ok(()) => {
            let mut spread = Command::new("chattr");
            spread.arg("+T").arg(&ground).stderr(Stdio::null());
            // Without it tests are slower, nothing else.
            let _ = spread.status();
        }
        Err(error) => match fs::symlink_metadata(&ground) {
            Ok(there) if there.is_dir() && there.uid() == own.as_raw() => {}
            _ => panic!(
                "tests need {} for themselves: {error}; remove it, or set TMPDIR to another folder",
                ground.display()
            ),
        },
    }
    ground
}

/// A new folder in `ground`, held by this process; the folders of test
/// processes that are gone are removed meanwhile.
fn fresh_folder(ground: &Path) -> Result<Folder, StackError> {
    // Nobody sweeps between the creation of a folder and its being held.
    let path = ground.join("sweeping.lock");
    let sweeping = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(StackError::io("open", &path))?;
    sweeping.lock().map_err(StackError::io("lock", &path))?;
    let left = left_behind(ground);
    let created = tempfile::Builder::new()
        .prefix(FOLDER_PREFIX)
        .tempdir_in(ground)
        .map_err(StackError::io("create a folder in", ground))?;
    let fresh = Folder::hold(&created.keep())?;
    // A hundred thousand files take seconds, for which no test should wait.
    thread::spawn(move || sweep(left));
    Ok(fresh)
}

/// The folders of test processes that are gone, held by this one.
fn left_behind(ground: &Path) -> Vec<Folder> {
    let named = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(FOLDER_PREFIX)
    };
    fs::read_dir(ground)
        .into_iter()
        .flatten()
        .flatten()
        .filter(named)
        .filter_map(|entry| Folder::hold(&entry.path()).ok())
        .collect()
}

/// What cannot be removed now, or not before this process ends, is left to the next.
fn sweep(left: Vec<Folder>) {
    for folder in left {
        let _ = crate::remove(folder.path());
    }
}

fn succeed<T>(result: Result<T, StackError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the test stack does not work: {error}"),
    }
}
