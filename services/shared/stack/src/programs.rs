//! Finds the programs a stack needs, gets what can be got, and names the rest
//! with the command that gets it. It must not start any server.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::{Uid, User};

use crate::error::{Missing, StackError};
use crate::process::{self, Tied};
use crate::versions::{Coordinate, Versions};

const DEBIAN_POSTGRESQL: &str = "/usr/lib/postgresql";
/// Whoever installs packages for a stack holds this file.
const INSTALL_LOCK: &str = "/run/lock/greenlane-install.lock";
/// Tells Debian's packaging not to create and start a cluster of its own. It
/// lies there during the installation only.
const NO_MAIN_CLUSTER_FOLDER: &str = "/etc/postgresql-common/createcluster.d";
const NO_MAIN_CLUSTER_FILE: &str = "greenlane-install.conf";
const APT_SECONDS_MAX: u64 = 15 * 60;
const MAVEN_SECONDS_MAX: u64 = 15 * 60;
const VERSION_SECONDS_MAX: u64 = 30;
const INSTALL_WAIT_SECONDS_MAX: u64 = 20 * 60;

/// Where PostgreSQL's programs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostgresPrograms {
    pub folder: PathBuf,
    pub major: u32,
}

/// Tells the user what is being done.
pub(crate) type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// What a start needs, looked for before anything is started or installed.
pub(crate) struct Wanted<'a> {
    /// PostgreSQL is to run; the release that wrote the data folder, if there is one.
    pub postgres: Option<Option<u32>>,
    pub kafka: bool,
    pub versions: &'a Versions,
}

/// What was found.
pub(crate) struct Found {
    pub postgres: Option<PostgresPrograms>,
    pub java: Option<PathBuf>,
}

/// Names everything that is missing at once, or finds it, installing PostgreSQL
/// where that is possible.
pub(crate) async fn find(
    wanted: Wanted<'_>,
    logs: &Path,
    progress: Progress<'_>,
) -> Result<Found, StackError> {
    let versions = wanted.versions;
    let mut missing = Vec::new();
    let postgres = match wanted.postgres {
        None => None,
        Some(major) => postgres(versions, major).await,
    };
    let get_postgres = wanted.postgres.is_some() && postgres.is_none();
    if get_postgres && !(Uid::effective().is_root() && on_path("apt-get").is_some()) {
        missing.push(missing_postgres(versions));
    }
    let mut java_found = None;
    if wanted.kafka {
        java_found = java(versions).await;
        if java_found.is_none() {
            missing.push(missing_java(versions));
        }
        if kafka_folder(&cache_folder(), versions).is_err() && on_path("mvn").is_none() {
            missing.push(missing_maven());
        }
    }
    if !missing.is_empty() {
        return Err(StackError::Missing(missing));
    }
    let postgres = match wanted.postgres {
        Some(major) if get_postgres => {
            Some(install_postgres(versions, major, logs, progress).await?)
        }
        _ => postgres,
    };
    Ok(Found {
        postgres,
        java: java_found,
    })
}

/// PostgreSQL on the PATH or where Debian puts it: `major` where a data folder
/// asks for it, else the first on the PATH that is new enough, else the newest.
async fn postgres(versions: &Versions, major: Option<u32>) -> Option<PostgresPrograms> {
    let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let mut debian: Vec<PathBuf> = fs::read_dir(DEBIAN_POSTGRESQL)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    debian.sort_by_key(|path| {
        path.file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok())
            .unwrap_or_default()
    });
    let debian = debian.into_iter().rev().map(|path| path.join("bin"));
    for folder in on_path.into_iter().flatten().chain(debian) {
        if !folder.join("initdb").is_file() {
            continue;
        }
        let Some(found) = version_of(&folder.join("postgres"), "--version").await else {
            continue;
        };
        if found >= versions.postgresql.major_min && major.is_none_or(|major| major == found) {
            return Some(PostgresPrograms {
                folder,
                major: found,
            });
        }
    }
    None
}

async fn java(versions: &Versions) -> Option<PathBuf> {
    let home = env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin").join("java"));
    for program in home.into_iter().chain(on_path("java")) {
        if version_of(&program, "-version")
            .await
            .is_some_and(|major| major >= versions.java.major_min)
        {
            return Some(program);
        }
    }
    None
}

/// The major release a program reports on either output.
async fn version_of(program: &Path, option: &str) -> Option<u32> {
    if !program.is_file() {
        return None;
    }
    let output = tempfile::NamedTempFile::new().ok()?;
    let mut command = Command::new(program);
    command
        .arg(option)
        .stdout(output.reopen().ok()?)
        .stderr(output.reopen().ok()?);
    let mut child = Tied::spawn(command).ok()?;
    child
        .wait_with_deadline(Duration::from_secs(VERSION_SECONDS_MAX))
        .await
        .ok()??;
    major_in(&process::log_tail(output.path()))
}

/// The first number that begins a word: `postgres (PostgreSQL) 15.9 (Debian ...)`
/// or `openjdk version "17.0.15" 2025-04-15`; `"1.8.0"` means 1, which is too old anyway.
fn major_in(text: &str) -> Option<u32> {
    text.split_whitespace()
        .map(|word| word.trim_start_matches('"'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .and_then(|word| word.split(|c: char| !c.is_ascii_digit()).next())
        .and_then(|digits| digits.parse().ok())
}

/// The first executable of that name on the PATH.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

async fn install_postgres(
    versions: &Versions,
    major: Option<u32>,
    logs: &Path,
    progress: Progress<'_>,
) -> Result<PostgresPrograms, StackError> {
    let _lock = lock_patiently(Path::new(INSTALL_LOCK)).await?;
    // Another process may have installed it while this one waited.
    if postgres(versions, major).await.is_none() {
        let package = match major {
            Some(major) => format!("postgresql-{major}"),
            None => versions.postgresql.apt_package.clone(),
        };
        progress(&format!("installing PostgreSQL: apt-get install {package}"));
        let hint = NoMainCluster::put();
        apt_get(&["update"], &logs.join("apt-get-update.log")).await?;
        let install = ["install", "-y", "--no-install-recommends", &package];
        apt_get(&install, &logs.join("apt-get-install.log")).await?;
        drop(hint);
    }
    postgres(versions, major)
        .await
        .ok_or_else(|| StackError::Missing(vec![missing_postgres(versions)]))
}

async fn apt_get(arguments: &[&str], log: &Path) -> Result<(), StackError> {
    let mut command = Command::new("apt-get");
    command
        .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    process::run(command, log, Duration::from_secs(APT_SECONDS_MAX)).await
}

/// The file that keeps Debian from starting a cluster nobody asked for; taken
/// away again when dropped. Where it cannot be written, that cluster is started:
/// superfluous, but harmless.
struct NoMainCluster;

impl NoMainCluster {
    fn put() -> NoMainCluster {
        let folder = Path::new(NO_MAIN_CLUSTER_FOLDER);
        let _ = fs::create_dir_all(folder);
        let _ = fs::write(
            folder.join(NO_MAIN_CLUSTER_FILE),
            "create_main_cluster = false\n",
        );
        NoMainCluster
    }
}

impl Drop for NoMainCluster {
    fn drop(&mut self) {
        let _ = fs::remove_file(Path::new(NO_MAIN_CLUSTER_FOLDER).join(NO_MAIN_CLUSTER_FILE));
    }
}

/// Where downloads are kept: `$XDG_CACHE_HOME/greenlane`, else `~/.cache/greenlane`.
pub(crate) fn cache_folder() -> PathBuf {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let home = || {
        absolute("HOME")
            .or_else(|| Some(User::from_uid(Uid::effective()).ok()??.dir))
            .map(|home| home.join(".cache"))
    };
    absolute("XDG_CACHE_HOME")
        .or_else(home)
        .unwrap_or_else(env::temp_dir)
        .join("greenlane")
}

fn kafka_cache(cache: &Path, versions: &Versions) -> PathBuf {
    cache.join(format!(
        "kafka-{}-log4j-{}",
        versions.kafka.version, versions.logging.version
    ))
}

/// The folder with the broker's packages if it was installed; else where it belongs.
fn kafka_folder(cache: &Path, versions: &Versions) -> Result<PathBuf, PathBuf> {
    let folder = kafka_cache(cache, versions);
    let Coordinate {
        artifact, version, ..
    } = &versions.kafka;
    if folder.join(format!("{artifact}-{version}.jar")).is_file() {
        Ok(folder)
    } else {
        Err(folder)
    }
}

/// The folder with the broker's packages, fetched by Maven the first time. Of
/// several processes that come at once, one fetches and the others wait.
pub(crate) async fn kafka(
    cache: &Path,
    versions: &Versions,
    progress: Progress<'_>,
) -> Result<PathBuf, StackError> {
    let folder = match kafka_folder(cache, versions) {
        Ok(folder) => return Ok(folder),
        Err(folder) => folder,
    };
    fs::create_dir_all(cache).map_err(StackError::io("create", cache))?;
    let _lock = lock_patiently(&cache.join("install.lock")).await?;
    if let Ok(folder) = kafka_folder(cache, versions) {
        return Ok(folder);
    }
    let Some(maven) = on_path("mvn") else {
        return Err(StackError::Missing(vec![missing_maven()]));
    };
    progress(&format!(
        "fetching Kafka {} from Maven Central",
        versions.kafka.version
    ));
    let work = tempfile::Builder::new()
        .prefix("kafka-unfinished-")
        .tempdir_in(cache)
        .map_err(StackError::io("create a folder in", cache))?;
    let pom = work.path().join("pom.xml");
    fs::write(&pom, pom_of(versions)).map_err(StackError::io("write", &pom))?;
    let libs = work.path().join("libs");
    let Coordinate {
        group,
        artifact,
        version,
    } = &versions.copier;
    let mut command = Command::new(maven);
    command
        .args(["-q", "-B", "--strict-checksums", "-f"])
        .arg(&pom)
        .arg(format!("{group}:{artifact}:{version}:copy-dependencies"))
        .arg(format!("-DoutputDirectory={}", libs.display()))
        .arg("-DincludeScope=runtime")
        .current_dir(work.path());
    let log = cache.join("maven.log");
    process::run(command, &log, Duration::from_secs(MAVEN_SECONDS_MAX)).await?;
    // What an earlier, killed process or an emptied folder left is of no use.
    let _ = fs::remove_dir_all(&folder);
    fs::rename(&libs, &folder).map_err(StackError::io("move Kafka to", &folder))?;
    kafka_folder(cache, versions).map_err(|folder| StackError::Ended {
        program: "mvn".to_owned(),
        status: format!("success, but without the broker in {}", folder.display()),
        log: log.clone(),
        tail: process::log_tail(&log),
    })
}

fn pom_of(versions: &Versions) -> String {
    let dependency = |coordinate: &Coordinate| {
        let Coordinate {
            group,
            artifact,
            version,
        } = coordinate;
        format!(
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>\n"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  \
         <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>greenlane</groupId><artifactId>kafka</artifactId><version>1</version>\n  \
         <packaging>pom</packaging>\n  <dependencies>\n{}{}  </dependencies>\n</project>\n",
        dependency(&versions.kafka),
        dependency(&versions.logging),
    )
}

/// Holds a lock file, waiting for whoever holds it now.
async fn lock_patiently(path: &Path) -> Result<File, StackError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(StackError::io("open", path))?;
    let until = tokio::time::Instant::now() + Duration::from_secs(INSTALL_WAIT_SECONDS_MAX);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::Error(source)) => {
                return Err(StackError::io("lock", path)(source));
            }
            Err(fs::TryLockError::WouldBlock) if tokio::time::Instant::now() >= until => {
                return Err(StackError::TooSlow {
                    what: "an installation by another process".to_owned(),
                    seconds: INSTALL_WAIT_SECONDS_MAX,
                    log: path.to_owned(),
                    tail: String::new(),
                });
            }
            Err(fs::TryLockError::WouldBlock) => process::poll_pause().await,
        }
    }
}

fn missing_postgres(versions: &Versions) -> Missing {
    let command = if on_path("apt-get").is_some() {
        format!(
            "sudo apt-get install -y --no-install-recommends {}",
            versions.postgresql.apt_package
        )
    } else if on_path("dnf").is_some() {
        "sudo dnf install -y postgresql-server postgresql-contrib".to_owned()
    } else if on_path("pacman").is_some() {
        "sudo pacman -S --noconfirm postgresql".to_owned()
    } else if on_path("apk").is_some() {
        "sudo apk add postgresql postgresql-contrib".to_owned()
    } else {
        "your system's package manager, then put `postgres` and `initdb` on the PATH".to_owned()
    };
    let what = format!(
        "PostgreSQL {} or later (`postgres`, `initdb`), or give a server with --database-url",
        versions.postgresql.major_min
    );
    Missing { what, command }
}

fn missing_java(versions: &Versions) -> Missing {
    let major = versions.java.major_min;
    let command = if on_path("apt-get").is_some() {
        format!(
            "sudo apt-get install -y --no-install-recommends openjdk-{major}-jre-headless || sudo apt-get install -y --no-install-recommends default-jre-headless"
        )
    } else if on_path("dnf").is_some() {
        "sudo dnf install -y java-latest-openjdk-headless".to_owned()
    } else if on_path("pacman").is_some() {
        "sudo pacman -S --noconfirm jre-openjdk-headless".to_owned()
    } else if on_path("apk").is_some() {
        format!("sudo apk add openjdk{major}-jre-headless")
    } else {
        "your system's package manager, then put `java` on the PATH or set JAVA_HOME".to_owned()
    };
    Missing {
        what: format!("Java {major} or later for Kafka (`java`), or give brokers with --brokers"),
        command,
    }
}

fn missing_maven() -> Missing {
    let command = if on_path("apt-get").is_some() {
        "sudo apt-get install -y --no-install-recommends maven"
    } else if on_path("dnf").is_some() {
        "sudo dnf install -y maven"
    } else if on_path("pacman").is_some() {
        "sudo pacman -S --noconfirm maven"
    } else if on_path("apk").is_some() {
        "sudo apk add maven"
    } else {
        "your system's package manager, then put `mvn` on the PATH"
    };
    Missing {
        what: "Maven to fetch Kafka (`mvn`, once), or give brokers with --brokers".to_owned(),
        command: command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_release_is_read_from_what_programs_print() {
        let printed = [
            (
                "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)",
                Some(15),
            ),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            (
                "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6)",
                Some(17),
            ),
            ("java version \"1.8.0_202\"", Some(1)),
            ("openjdk version \"21-ea\" 2023-09-19", Some(21)),
            ("command not found", None),
            ("", None),
        ];
        for (text, major) in printed {
            assert_eq!(major_in(text), major, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_gets_it() {
        let versions = Versions::pinned().unwrap();
        let error = StackError::Missing(vec![
            missing_postgres(&versions),
            missing_java(&versions),
            missing_maven(),
        ]);
        let text = error.to_string();
        for part in [
            "nothing was started",
            "PostgreSQL 15",
            "Java 17",
            "Maven",
            "get it with: ",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
