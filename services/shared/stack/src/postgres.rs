//! A private PostgreSQL cluster: created once, started, stopped, killed and
//! started again on the same port. It must not know which databases are in it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::{Gid, Uid, User};
use rand::RngCore;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::time::Instant;

use crate::error::StackError;
use crate::folder::Folder;
use crate::process::{self, Signal, Tied};
use crate::programs::{PostgresPrograms, Progress};

/// The superuser of a private cluster.
const SUPERUSER: &str = "greenlane";
/// Where its password is kept, beside the cluster's data.
const PASSWORD_FILE: &str = "superuser.password";
/// Whom PostgreSQL runs as when this process is root, which it refuses to be.
const SYSTEM_USER: &str = "postgres";
/// Where root's data folder goes when the state folder lies where that user
/// cannot go, such as in `/root`.
const SYSTEM_FOLDER: &str = "/var/lib/greenlane";

const CONNECTIONS_MAX: u32 = 200;
/// Every input of a batch locks each of its subjects.
const LOCKS_PER_TRANSACTION_MAX: u32 = 1024;

const INITDB_SECONDS_MAX: u64 = 120;
/// Long, because a start after a crash replays the log first.
const START_SECONDS_MAX: u64 = 180;
const ADD_USER_SECONDS_MAX: u64 = 60;
const CONNECT_SECONDS_MAX: u64 = 10;
const STOP_SECONDS_MAX: u64 = 30;
const QUIT_SECONDS_MAX: u64 = 10;

/// How much memory the cluster takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// For tests: small.
    Small,
    /// For `up`.
    Usual,
}

impl Size {
    fn shared_buffers(self) -> &'static str {
        match self {
            Size::Small => "48MB",
            Size::Usual => "256MB",
        }
    }
}

/// A private cluster and its server, if that runs.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PostgresPrograms,
    home: Home,
    size: Size,
    port: u16,
    log: PathBuf,
    admin_url: String,
    server: Option<Tied>,
}

impl Postgres {
    /// Starts the cluster of a state folder; creates it if there is none.
    pub async fn start(
        folder: &Folder,
        port: u16,
        programs: PostgresPrograms,
        size: Size,
        progress: Progress<'_>,
    ) -> Result<Postgres, StackError> {
        let home = Home::of(folder.path()).await?;
        let log = folder.log("postgres");
        if !home.data().exists() {
            progress("creating the PostgreSQL cluster");
            let log = folder.log("initdb");
            match size {
                Size::Small => copy_what_is_kept(&programs, &home, &log).await?,
                Size::Usual => initdb(&programs, &home, &log).await?,
            }
        }
        let password = home.password()?;
        let admin_url = format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres");
        let mut postgres = Postgres {
            programs,
            home,
            size,
            port,
            log,
            admin_url,
            server: None,
        };
        progress("starting PostgreSQL");
        postgres.start_server().await?;
        postgres.close_to_the_public().await?;
        Ok(postgres)
    }

    /// The superuser's address of the database `postgres`.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// The server's process, if it was started and not stopped.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Tied::pid)
    }

    /// Starts the server unless it runs, and waits until it answers a query.
    pub async fn start_server(&mut self) -> Result<(), StackError> {
        let program = self.programs.folder.join("postgres");
        if let Some(server) = &mut self.server
            && server
                .try_wait()
                .map_err(StackError::io("ask for", &program))?
                .is_none()
        {
            return Ok(());
        }
        self.clear_the_dead().await?;
        let mut command = Command::new(&program);
        command
            .arg("-D")
            .arg(self.home.data())
            .args(["-p", &self.port.to_string()])
            .current_dir(self.home.data());
        for (name, value) in self.settings() {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        self.home.run_as(&mut command);
        process::log_to(&mut command, &self.log)?;
        // An immediate shutdown takes the server's own children along.
        let server = Tied::spawn_with_death(command, Signal::SIGQUIT)
            .map_err(StackError::io("run", &program))?;
        self.server = Some(server);
        self.wait_until_ready().await
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", String::new()),
            ("cluster_name", "greenlane".to_owned()),
            // Never to be relaxed, in tests neither: they are what a commit means.
            ("fsync", "on".to_owned()),
            ("full_page_writes", "on".to_owned()),
            ("synchronous_commit", "on".to_owned()),
            ("max_connections", CONNECTIONS_MAX.to_string()),
            (
                "max_locks_per_transaction",
                LOCKS_PER_TRANSACTION_MAX.to_string(),
            ),
            ("shared_buffers", self.size.shared_buffers().to_owned()),
            ("jit", "off".to_owned()),
            ("password_encryption", "scram-sha-256".to_owned()),
            ("log_line_prefix", "%m [%p] %u@%d ".to_owned()),
            ("logging_collector", "off".to_owned()),
            ("log_checkpoints", "off".to_owned()),
        ]
    }

    async fn wait_until_ready(&mut self) -> Result<(), StackError> {
        let until = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        loop {
            if self.answers().await {
                return Ok(());
            }
            let ended = match &mut self.server {
                Some(server) => server
                    .try_wait()
                    .map_err(StackError::io("ask for", Path::new("postgres")))?,
                None => None,
            };
            if let Some(status) = ended {
                self.server = None;
                return Err(StackError::Ended {
                    program: "postgres".to_owned(),
                    status: status.to_string(),
                    log: self.log.clone(),
                    tail: process::log_tail(&self.log),
                });
            }
            if Instant::now() >= until {
                return Err(StackError::TooSlow {
                    what: "starting PostgreSQL".to_owned(),
                    seconds: START_SECONDS_MAX,
                    log: self.log.clone(),
                    tail: process::log_tail(&self.log),
                });
            }
            process::poll_pause().await;
        }
    }

    async fn answers(&self) -> bool {
        let Ok(mut connection) = connect(&self.admin_url).await else {
            return false;
        };
        let answered = connection.execute("SELECT 1").await.is_ok();
        let _ = connection.close().await;
        answered
    }

    /// Everybody may connect to the stock databases by default; a service's role
    /// is to reach its own database and no other.
    async fn close_to_the_public(&self) -> Result<(), StackError> {
        let doing = "taking the public's access to the stock databases";
        let mut connection = connect(&self.admin_url)
            .await
            .map_err(StackError::database(doing))?;
        connection
            .execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
            .await
            .map_err(StackError::database(doing))?;
        connection
            .close()
            .await
            .map_err(StackError::database(doing))
    }

    /// An orderly end (fast shutdown): open transactions are rolled back, everything is written.
    pub async fn stop(&mut self) -> Result<(), StackError> {
        self.end(&[
            (Signal::SIGINT, Duration::from_secs(STOP_SECONDS_MAX)),
            (Signal::SIGQUIT, Duration::from_secs(QUIT_SECONDS_MAX)),
        ])
        .await
    }

    /// `kill -9`, as a crash would have it. Returns when nothing of the server runs any more.
    pub async fn kill(&mut self) -> Result<(), StackError> {
        self.end(&[]).await
    }

    async fn end(&mut self, steps: &[(Signal, Duration)]) -> Result<(), StackError> {
        if let Some(mut server) = self.server.take() {
            server
                .end(steps)
                .await
                .map_err(StackError::io("end", Path::new("postgres")))?;
        }
        self.clear_the_dead().await
    }

    /// Ends what is left of an earlier server, and takes away its lock file: its
    /// number may belong to any process by now, which PostgreSQL would take for
    /// a running server.
    async fn clear_the_dead(&self) -> Result<(), StackError> {
        let data = self.home.data();
        evict_from(&data).await?;
        let lock = data.join("postmaster.pid");
        match fs::remove_file(&lock) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StackError::io("remove", &lock)(error))
            }
            _ => Ok(()),
        }
    }
}

/// Ends what is left of an earlier server of a state folder: as long as it is there its port is not free.
pub(crate) async fn evict_of(state: &Path) -> Result<(), StackError> {
    evict_from(&state.join("postgres").join("data")).await
}

async fn evict_from(data: &Path) -> Result<(), StackError> {
    let quit = [(Signal::SIGQUIT, Duration::from_secs(QUIT_SECONDS_MAX))];
    process::evict("postgres", data, &quit).await
}

/// Connects once, within a deadline.
pub(crate) async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    connect_with(&url.parse()?).await
}

pub(crate) async fn connect_with(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    match tokio::time::timeout(Duration::from_secs(CONNECT_SECONDS_MAX), options.connect()).await {
        Ok(connected) => connected,
        Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
    }
}

/// Creates the cluster beside its place and moves it there when it is whole, so
/// that a crash in between leaves nothing half done.
async fn initdb(programs: &PostgresPrograms, home: &Home, log: &Path) -> Result<(), StackError> {
    let unfinished = home.unfinished()?;
    let password = home.new_password()?;
    let mut command = Command::new(programs.folder.join("initdb"));
    command
        .arg("-D")
        .arg(&unfinished)
        .arg(format!("--username={SUPERUSER}"))
        .arg(format!("--pwfile={}", password.display()))
        .args([
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
        ])
        .current_dir(&home.folder);
    home.run_as(&mut command);
    process::run(command, log, Duration::from_secs(INITDB_SECONDS_MAX)).await?;
    fs::rename(&unfinished, home.data()).map_err(StackError::io("rename", &unfinished))
}

/// A test's cluster is a copy of one that `initdb` made for all tests of this user: it takes a second of processor
/// time, a copy a tenth of that.
async fn copy_what_is_kept(
    programs: &PostgresPrograms,
    home: &Home,
    log: &Path,
) -> Result<(), StackError> {
    let initdb_itself = programs.folder.join("initdb");
    let made = fs::metadata(&initdb_itself).map_err(StackError::io("look at", &initdb_itself))?;
    // Another release needs another cluster.
    let state = crate::ground_for_tests().join(format!("cluster-{}", made.mtime()));
    let logs = state.join("logs");
    fs::create_dir_all(&logs).map_err(StackError::io("create", &logs))?;
    // Whoever comes while it is made waits for it.
    let lock = state.join("lock");
    let locked = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock)
        .map_err(StackError::io("open", &lock))?;
    locked.lock().map_err(StackError::io("lock", &lock))?;
    let kept = Home::of(&state).await?;
    if !kept.data().exists() {
        initdb(programs, &kept, log).await?;
    }
    drop(locked);
    let unfinished = home.unfinished()?;
    for (from, to) in [
        (kept.folder.join(PASSWORD_FILE), &home.folder),
        (kept.data(), &unfinished),
    ] {
        let mut command = Command::new("cp");
        command.args(["-a", "--reflink=auto"]).arg(from).arg(to);
        home.run_as(&mut command);
        process::run(command, log, Duration::from_secs(INITDB_SECONDS_MAX)).await?;
    }
    fs::rename(&unfinished, home.data()).map_err(StackError::io("rename", &unfinished))
}

/// The release that wrote a state folder's cluster, if there is one.
pub(crate) fn major_of(state: &Path) -> Option<u32> {
    fs::read_to_string(state.join("postgres").join("data").join("PG_VERSION"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The superuser of a state folder's own cluster, who may do what no service may: name and password.
///
/// # Errors
/// There is no cluster yet, or its password may not be read.
pub fn superuser(state: &Path) -> Result<(&'static str, String), StackError> {
    Ok((SUPERUSER, password_in(&state.join("postgres"))?))
}

fn password_in(home: &Path) -> Result<String, StackError> {
    let path = home.join(PASSWORD_FILE);
    let text = fs::read_to_string(&path).map_err(StackError::io("read", &path))?;
    Ok(text.trim().to_owned())
}

/// Removes what a state folder keeps elsewhere.
pub(crate) fn remove_elsewhere(state: &Path) -> Result<(), StackError> {
    match fs::read_link(state.join("postgres")) {
        Ok(target) if target.starts_with(SYSTEM_FOLDER) && target.exists() => {
            fs::remove_dir_all(&target).map_err(StackError::io("remove", &target))
        }
        _ => Ok(()),
    }
}

/// Where the cluster lies and whose it is.
#[derive(Debug)]
struct Home {
    folder: PathBuf,
    /// Whom to run as; `None`: as this process, which is not root.
    user: Option<(Uid, Gid)>,
}

impl Home {
    /// `postgres` in the state folder, or, where root's state folder lies where
    /// the user PostgreSQL runs as cannot go, a link there to a folder where it can.
    async fn of(state: &Path) -> Result<Home, StackError> {
        let place = state.join("postgres");
        if !Uid::effective().is_root() {
            create_private(&place)?;
            return Ok(Home {
                folder: place,
                user: None,
            });
        }
        let (uid, gid) = match owner_of(&place.join("data")) {
            Some(owner) => owner,
            None => system_user(&state.join("logs").join("adduser.log")).await?,
        };
        let linked = fs::read_link(&place).ok();
        let folder = if linked.is_none()
            && state
                .ancestors()
                .skip(1)
                .all(|above| may_search(above, uid))
        {
            if !may_search(state, uid) {
                let mode = mode_of(state)? | OTHERS_SEARCH;
                fs::set_permissions(state, Permissions::from_mode(mode))
                    .map_err(StackError::io("open", state))?;
            }
            place
        } else {
            let elsewhere = match linked {
                Some(target) => target,
                None => {
                    let target = Path::new(SYSTEM_FOLDER).join(short_hash(state));
                    symlink(&target, &place).map_err(StackError::io("link", &place))?;
                    target
                }
            };
            fs::create_dir_all(SYSTEM_FOLDER)
                .map_err(StackError::io("create", Path::new(SYSTEM_FOLDER)))?;
            elsewhere
        };
        create_private(&folder)?;
        std::os::unix::fs::chown(&folder, Some(uid.as_raw()), Some(gid.as_raw()))
            .map_err(StackError::io("give away", &folder))?;
        Ok(Home {
            folder,
            user: Some((uid, gid)),
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where the data is made, before it is whole.
    fn unfinished(&self) -> Result<PathBuf, StackError> {
        let unfinished = self.folder.join("data.new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(StackError::io("remove", &unfinished))?;
        }
        Ok(unfinished)
    }

    fn run_as(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        for variable in [
            "PGDATA",
            "PGPORT",
            "PGHOST",
            "PGUSER",
            "PGPASSWORD",
            "PGOPTIONS",
            "PGSERVICE",
        ] {
            command.env_remove(variable);
        }
        command.env("LC_ALL", "C");
    }

    fn password(&self) -> Result<String, StackError> {
        password_in(&self.folder)
    }

    fn new_password(&self) -> Result<PathBuf, StackError> {
        let path = self.folder.join(PASSWORD_FILE);
        let mut random = [0_u8; 24];
        rand::thread_rng().fill_bytes(&mut random);
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)?;
            writeln!(file, "{}", hex(&random))?;
            if let Some((uid, gid)) = self.user {
                std::os::unix::fs::chown(&path, Some(uid.as_raw()), Some(gid.as_raw()))?;
            }
            file.sync_all()
        };
        write().map_err(StackError::io("write", &path))?;
        Ok(path)
    }
}

const OTHERS_SEARCH: u32 = 0o001;
const OWNER_SEARCH: u32 = 0o100;

fn create_private(folder: &Path) -> Result<(), StackError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(StackError::io("create", folder))
}

/// Who owns an existing data folder; never root, who cannot run PostgreSQL.
fn owner_of(data: &Path) -> Option<(Uid, Gid)> {
    let metadata = fs::metadata(data).ok()?;
    (metadata.uid() != 0).then(|| (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid())))
}

fn mode_of(folder: &Path) -> Result<u32, StackError> {
    Ok(fs::metadata(folder)
        .map_err(StackError::io("look at", folder))?
        .mode()
        & 0o7777)
}

/// Whether a user may pass through a folder. Groups are left out: their folders
/// count as closed, which only moves the data folder elsewhere.
fn may_search(folder: &Path, user: Uid) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| {
        let needed = if metadata.uid() == user.as_raw() {
            OWNER_SEARCH
        } else {
            OTHERS_SEARCH
        };
        metadata.mode() & needed != 0
    })
}

/// The user PostgreSQL runs as when this process is root, created if missing.
async fn system_user(log: &Path) -> Result<(Uid, Gid), StackError> {
    let look = || {
        User::from_name(SYSTEM_USER)
            .map_err(|error| StackError::io("look up", Path::new(SYSTEM_USER))(error.into()))
    };
    if let Some(user) = look()? {
        return Ok((user.uid, user.gid));
    }
    let mut command;
    if crate::programs::on_path("adduser").is_some() {
        command = Command::new("adduser");
        command.args([
            "--system",
            "--group",
            "--no-create-home",
            "--home",
            "/var/lib/postgresql",
            SYSTEM_USER,
        ]);
    } else {
        command = Command::new("useradd");
        command.args(["--system", "--user-group", "--no-create-home", SYSTEM_USER]);
    }
    process::run(command, log, Duration::from_secs(ADD_USER_SECONDS_MAX)).await?;
    match look()? {
        Some(user) => Ok((user.uid, user.gid)),
        None => Err(StackError::io("find", Path::new(SYSTEM_USER))(
            io::ErrorKind::NotFound.into(),
        )),
    }
}

fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hex(digest.as_slice().get(..8).unwrap_or_default())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
