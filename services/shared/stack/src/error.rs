//! What can go wrong while a stack is found, installed, started or stopped.
//! Every message says what to do next; none carries a password.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a stack could not be started, stopped or used.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// Programs are missing that cannot be installed from here. Nothing was started.
    #[error("this machine lacks what the stack needs; nothing was started:\n{}", list(.0))]
    Missing(Vec<Missing>),
    /// Another process uses the state folder.
    #[error(
        "{} is in use by another process{}: stop that one, or choose another state folder",
        .folder.display(), .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    FolderInUse {
        /// The state folder.
        folder: PathBuf,
        /// The process that holds it, where it said so.
        pid: Option<u32>,
    },
    /// The data folder was written by a PostgreSQL release that is not installed.
    #[error(
        "{} was written by PostgreSQL {major}, which is not installed here: \
         install postgresql-{major}, or choose another state folder", .folder.display()
    )]
    OtherMajor {
        /// The data folder.
        folder: PathBuf,
        /// The major release that wrote it.
        major: u32,
    },
    /// A program that ought to stay ended, or one that ought to succeed failed.
    #[error("`{program}` ended with {status}; see {}\n{tail}", .log.display())]
    Ended {
        /// The program.
        program: String,
        /// Its exit status.
        status: String,
        /// Where its output is.
        log: PathBuf,
        /// The last lines of its output.
        tail: String,
    },
    /// A program did not do in time what was waited for.
    #[error("{what} took longer than {seconds} s; see {}\n{tail}", .log.display())]
    TooSlow {
        /// What was waited for.
        what: String,
        /// How long, in seconds.
        seconds: u64,
        /// Where the program's output is.
        log: PathBuf,
        /// The last lines of its output.
        tail: String,
    },
    /// No free port was found.
    #[error(
        "no free port between {from} and {to} on 127.0.0.1 after {attempts} attempts: \
         end some of the programs that listen there"
    )]
    NoFreePort {
        /// The first port of the range.
        from: u16,
        /// The last port of the range.
        to: u16,
        /// How many were tried.
        attempts: u32,
    },
    /// What was asked for belongs to a server that the caller gave and that is not ours to manage.
    #[error("{0} was given from outside and is not managed here: stop or start it where it runs")]
    NotOurs(&'static str),
    /// A service's name cannot be part of a database name.
    #[error(
        "`{0}` cannot name a service's database: use at most {max} of a-z, 0-9 and _, \
         beginning with a letter", max = crate::provision::SERVICE_NAME_CHARACTERS_MAX
    )]
    ServiceName(String),
    /// A database address could not be understood.
    #[error("the database address is not a PostgreSQL URL with host and port: {0}")]
    DatabaseUrl(String),
    /// PostgreSQL refused, or could not be reached.
    #[error("{doing}: {source}")]
    Database {
        /// What was being done.
        doing: String,
        /// The database's answer.
        #[source]
        source: sqlx::Error,
    },
    /// A service's migration failed.
    #[error("the migrations of {service} failed: {cause}")]
    Migration {
        /// The service.
        service: String,
        /// Its migration's error, with causes.
        cause: String,
    },
    /// A file, folder or process could not be handled.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// `versions.toml` is broken.
    #[error("services/shared/stack/versions.toml is not readable: {0}")]
    Versions(String),
}

/// A program that is missing, and how to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is missing, and why it is needed.
    pub what: String,
    /// The exact command that gets it on this kind of system.
    pub command: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}\n    get it with: {}", self.what, self.command)
    }
}

fn list(missing: &[Missing]) -> String {
    missing
        .iter()
        .map(Missing::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

impl StackError {
    pub(crate) fn io(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> StackError {
        let doing = format!("{doing} {}", path.display());
        move |source| StackError::Io { doing, source }
    }

    pub(crate) fn database(doing: impl Into<String>) -> impl FnOnce(sqlx::Error) -> StackError {
        let doing = doing.into();
        move |source| StackError::Database { doing, source }
    }
}
