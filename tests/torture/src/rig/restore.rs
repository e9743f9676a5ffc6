//! A service's database that is replaced by a backup from the middle of the play: what was committed since is lost to it,
//! while others have read of it and callers were answered. Looked for is what must come of that: the fabric says so before
//! anything else, names every fact that others know, goes on in a new epoch once an operator says so, and what is asked
//! anew is decided. It must not know what the facts say.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use stack::process::Signal;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::evidence::Evidence;
use crate::play::history::Acknowledged;
use crate::play::outage::Victim;
use crate::play::waiting::{if_so, seen};
use crate::site::Site;

/// A database that is just away can be copied a moment later; it is tried for so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How soon it is tried again.
const POLL: Duration = Duration::from_millis(200);
/// So many lost requests are named.
const NAMED_MAX: usize = 20;

/// A copy of a service's database, as it stood in one moment.
pub struct Backup {
    /// Whose.
    pub service: &'static str,
    file: tempfile::TempPath,
    /// The requests that had been answered when it was begun.
    answered: BTreeSet<Uuid>,
}

/// What is known of a loss when the service is there again.
pub struct Loss {
    /// Event ids of the facts that were published, and that the database does not know.
    pub facts: BTreeSet<String>,
    /// What should not be, a line each.
    pub violations: Vec<String>,
}

impl Backup {
    /// Copies the database while it is used.
    ///
    /// # Errors
    /// It cannot be copied for long.
    pub async fn take(site: &'static Site, service: &'static str) -> anyhow::Result<Backup> {
        let until = Instant::now() + PATIENCE;
        loop {
            match Backup::try_take(site, service).await {
                Ok(backup) => return Ok(backup),
                Err(error) if Instant::now() >= until => return Err(error),
                Err(_) => sleep(POLL).await,
            }
        }
    }

    async fn try_take(site: &'static Site, service: &'static str) -> anyhow::Result<Backup> {
        let database = site.superuser_of(service)?;
        let answered = answered(&database).await?;
        let file = tempfile::NamedTempFile::new()?.into_temp_path();
        let mut dump = program(site, "pg_dump", &database)?;
        dump.args(["--format=custom", "--file"]).arg(&*file);
        dump.arg(database.get_database().unwrap_or(service));
        done(dump).await?;
        Ok(Backup {
            service,
            file,
            answered,
        })
    }

    /// Replaces the database by this copy, and has `up` start the service on it.
    ///
    /// # Errors
    /// It cannot be replaced.
    pub async fn restore(&self, site: &'static Site) -> anyhow::Result<()> {
        let database = site.superuser_of(self.service)?;
        let name = database.get_database().context("it has no name")?;
        // Nobody may start the service meanwhile.
        site.signal(Signal::SIGSTOP);
        site.service(self.service).kill();
        let mut admin = database.clone().database("postgres").connect().await?;
        let drop = format!("drop database {name} with (force)");
        sqlx::query(AssertSqlSafe(drop)).execute(&mut admin).await?;
        admin.close().await?;
        let mut load = program(site, "pg_restore", &database)?;
        load.args(["--create", "--exit-on-error", "--dbname", "postgres"]);
        load.arg(&*self.file);
        let loaded = done(load).await;
        site.signal(Signal::SIGCONT);
        loaded
    }

    /// Waits until the fabric says that the database is older than what was published, asks it for all that was lost, and
    /// goes on in a new epoch, as the runbook says. `before` is what stood just before the restore.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn go_on(&self, site: &'static Site, before: &Evidence) -> anyhow::Result<Loss> {
        let service = self.service;
        let facts = self.facts_lost(site, before).await?;
        let mut violations = Vec::new();
        if facts.is_empty() {
            return Ok(Loss { facts, violations });
        }
        seen(&format!("{service} says that it is behind"), async || {
            let status = site.run_json(&["fabric", "status", "--service", service]);
            let says = status.stdout.contains("history: ");
            Ok(if_so(says, (), status.stdout + &status.stderr))
        })
        .await;
        let verified = site.run_json(&["fabric", "verify", "--service", service]);
        let report: Value = serde_json::from_str(&verified.stdout).unwrap_or_default();
        let named = report["unknown"].as_array().cloned().unwrap_or_default();
        let named: BTreeSet<String> = named
            .iter()
            .filter_map(|fact| Some(fact["event_id"].as_str()?.to_owned()))
            .collect();
        if verified.code == 0 {
            violations.push(format!("LossNotTold: {}", verified.stdout));
        }
        let unnamed = facts.difference(&named);
        violations.extend(unnamed.map(|id| format!("LostFactNotNamed: {id}")));
        let known = named.difference(&facts);
        violations.extend(known.map(|id| format!("KnownFactNamedLost: {id}")));

        let reason = "restored from a backup";
        site.run(&["fabric", "new-epoch", service, "--reason", reason])
            .done();
        site.run(&["fabric", "restate", service]).done();
        Ok(Loss { facts, violations })
    }

    /// The facts that had been published and that the copy does not hold.
    async fn facts_lost(
        &self,
        site: &'static Site,
        before: &Evidence,
    ) -> anyhow::Result<BTreeSet<String>> {
        let mut database = site.superuser_of(self.service)?.connect().await?;
        // The service may have committed meanwhile, under a number that was lost.
        let kept: Vec<(String, i32, i64, i64, Vec<u8>)> =
            sqlx::query_as("select topic, partition, epoch, seq, chain from fabric.outbox")
                .fetch_all(&mut database)
                .await?;
        database.close().await?;
        let kept: BTreeSet<_> = kept.into_iter().collect();
        let events = before.exchanges.get(self.service).into_iter();
        let events = events.flat_map(|exchange| &exchange.events);
        let lost = events.filter(|event| {
            let (topic, chain) = (event.topic.clone(), event.chain.clone());
            !kept.contains(&(topic, event.partition, event.epoch, event.seq, chain))
        });
        Ok(lost.map(|event| event.id()).collect())
    }

    /// What only callers know: requests that were answered, and whose answers went with the loss. Any other that is
    /// missing may not be.
    pub fn only_callers_know(
        &self,
        acknowledged: &[Acknowledged],
        before: &Evidence,
        after: &Evidence,
    ) -> (Vec<String>, Vec<String>) {
        let of = |evidence: &Evidence| -> BTreeSet<Uuid> {
            let exchanges = evidence.exchanges.values();
            exchanges.flat_map(|one| one.answered.clone()).collect()
        };
        let kept = of(after);
        let service = before.exchanges.get(self.service);
        let gone = |request: &Uuid| {
            service.is_some_and(|one| one.answered.contains(request))
                && !self.answered.contains(request)
        };
        let missing = acknowledged
            .iter()
            .filter(|one| !kept.contains(&one.request_id));
        let (lost, wrong): (Vec<_>, Vec<_>) = missing.partition(|one| gone(&one.request_id));
        let told = |one: &Acknowledged| format!("{} ({})", one.what, one.request_id);
        (
            lost.into_iter().map(told).collect(),
            wrong.into_iter().map(told).collect(),
        )
    }
}

/// The first of them, and how many there are.
pub fn named(all: &[String]) -> String {
    let first = all.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>();
    let more = all.len().saturating_sub(NAMED_MAX);
    match more {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

async fn answered(database: &PgConnectOptions) -> anyhow::Result<BTreeSet<Uuid>> {
    let mut database = database.connect().await?;
    let answered: Vec<Uuid> = sqlx::query_scalar("select request_id from fabric.answer")
        .fetch_all(&mut database)
        .await?;
    database.close().await?;
    Ok(answered.into_iter().collect())
}

/// One of PostgreSQL's programs, of the release that runs, told how to reach it.
fn program(site: &Site, name: &str, database: &PgConnectOptions) -> anyhow::Result<Command> {
    let server = Victim::Postgres
        .process(site)
        .context("PostgreSQL does not run")?;
    let server = std::fs::read_link(format!("/proc/{}/exe", server.pid))?;
    let folder: PathBuf = server.parent().context("it stands nowhere")?.to_owned();
    let (user, password) = stack::superuser(&site.state())?;
    let mut command = Command::new(folder.join(name));
    command
        .args(["--host", database.get_host(), "--username", user])
        .args(["--port", &database.get_port().to_string()])
        .env("PGPASSWORD", password);
    Ok(command)
}

async fn done(mut command: Command) -> anyhow::Result<()> {
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let told = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{told}");
    Ok(())
}
