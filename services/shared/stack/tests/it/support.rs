//! Helpers: the `stack` program as a parent that can be killed, and who is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use stack::process::{Signal, Tied, log_to};
use tempfile::TempDir;

pub const DEADLINE: Duration = Duration::from_secs(180);

/// A running `stack` program.
pub struct Parent {
    pub process: Tied,
    pub postgres: String,
    pub kafka: Option<String>,
    log: PathBuf,
}

impl Parent {
    /// Starts the program on `folder` and waits until it says where its servers are.
    pub async fn start(folder: &Path, configure: impl FnOnce(&mut Command)) -> Parent {
        let mut parent = Parent::begin(folder, configure);
        parent.ready().await;
        parent
    }

    /// Starts the program; its output goes beside `folder`.
    pub fn begin(folder: &Path, configure: impl FnOnce(&mut Command)) -> Parent {
        let log = folder.with_extension("parent.log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
        command.arg(folder).arg("--small");
        log_to(&mut command, &log).unwrap();
        configure(&mut command);
        let process = Tied::spawn_with_death(command, Signal::SIGTERM).unwrap();
        Parent {
            process,
            postgres: String::new(),
            kafka: None,
            log,
        }
    }

    /// Waits until the servers answer.
    pub async fn ready(&mut self) {
        let until = Instant::now() + DEADLINE;
        loop {
            let output = self.output();
            if let Some(line) = output
                .lines()
                .find(|line| line.starts_with('{') && line.ends_with('}'))
            {
                let said: serde_json::Value = serde_json::from_str(line).unwrap();
                self.postgres = said["postgres"].as_str().unwrap().to_owned();
                self.kafka = said["kafka"].as_str().map(str::to_owned);
                return;
            }
            assert!(
                self.process.try_wait().unwrap().is_none(),
                "the stack ended: {output}"
            );
            assert!(Instant::now() < until, "the stack is not ready: {output}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub async fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL).unwrap();
        self.process
            .wait_with_deadline(DEADLINE)
            .await
            .unwrap()
            .expect("killed");
    }

    pub async fn terminate(&mut self) {
        self.process.signal(Signal::SIGTERM).unwrap();
        let status = self
            .process
            .wait_with_deadline(DEADLINE)
            .await
            .unwrap()
            .expect("stopped");
        assert!(status.success(), "{status}: {}", self.output());
    }
}

/// A state folder that the user PostgreSQL runs as can reach, with room beside it.
pub fn open_folder() -> (TempDir, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let temporary = tempfile::tempdir_in(stack::ground_for_tests()).unwrap();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let folder = temporary.path().join("state");
    (temporary, folder)
}

/// Processes whose working directory is in `folder`: PostgreSQL with all its
/// workers, and Kafka.
pub fn processes_in(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder))
        })
        .map(|entry| {
            fs::read_to_string(entry.path().join("comm"))
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .collect()
}

/// The files that the processes whose working directory is `folder` have mapped into memory.
pub fn files_mapped_in(folder: &Path) -> BTreeSet<String> {
    let folder = folder.canonicalize().unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder))
        .filter_map(|entry| fs::read_to_string(entry.path().join("maps")).ok())
        .flat_map(|maps| {
            maps.lines()
                .filter_map(|line| line.find('/').map(|path| line[path..].to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

pub async fn wait_until_deserted(folder: &Path) {
    let until = Instant::now() + DEADLINE;
    while !processes_in(folder).is_empty() {
        assert!(
            Instant::now() < until,
            "still there: {:?}",
            processes_in(folder)
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// Runs statements and gives back the error's SQLSTATE, if there is one.
pub async fn execute(connection: &mut PgConnection, sql: &str) -> Result<(), String> {
    match connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
    {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) => Err(error.code().unwrap_or_default().into_owned()),
        Err(error) => panic!("{sql}: {error}"),
    }
}

pub async fn text(connection: &mut PgConnection, sql: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(connection)
        .await
        .unwrap()
}
