//! The second instance of a service: the same program with the environment of the first, at other addresses. It must
//! not know when it is wanted.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use stack::process::{Signal, Tied};

use crate::evidence::SERVICES;
use crate::site::{Site, binary};

/// It finishes what it has in hand within this time.
const END_DEADLINE: Duration = Duration::from_secs(30);
/// How soon it is looked whether it has ended.
const END_POLL: Duration = Duration::from_millis(20);

/// A second instance, running or not; it always answers at the same address.
pub struct Second {
    /// Of which service.
    pub service: &'static str,
    environment: Vec<(String, String)>,
    grpc: String,
    log: PathBuf,
    process: Option<Tied>,
}

impl Second {
    /// One of each service of a site that runs; none is started.
    ///
    /// # Errors
    /// No port is free.
    pub fn of_each(site: &Site) -> anyhow::Result<Vec<Second>> {
        let second = |service| Second::of(site, service);
        SERVICES.into_iter().map(second).collect()
    }

    fn of(site: &Site, service: &'static str) -> anyhow::Result<Second> {
        let (grpc, admin) = (free_address()?, free_address()?);
        let prefix = service.to_uppercase();
        let own = [
            (format!("{prefix}_SERVER__LISTEN"), grpc.clone()),
            (format!("{prefix}_SERVER__ADMIN_LISTEN"), admin),
        ];
        let mut environment = site.service(service).environment();
        environment.retain(|(name, _)| own.iter().all(|(changed, _)| changed != name));
        environment.extend(own);
        Ok(Second {
            service,
            environment,
            grpc,
            log: site.state().join(format!("{service}-second.log")),
            process: None,
        })
    }

    /// Where it answers when it runs.
    pub fn address(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        let process = self.process.as_mut();
        process.is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// Starts it; it may take a moment to answer.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let mut log = fs::OpenOptions::new();
        let log: File = log.create(true).append(true).open(&self.log)?;
        let mut command = binary();
        command
            .args(["serve", self.service])
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdout(log.try_clone()?)
            .stderr(log);
        let process = Tied::spawn(command);
        self.process = Some(process.with_context(|| format!("a second {}", self.service))?);
        Ok(())
    }

    /// Ends it, in order or at once.
    ///
    /// # Errors
    /// It does not end.
    pub async fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        process.signal(signal)?;
        let ended = tokio::time::timeout(END_DEADLINE, async {
            while process.try_wait()?.is_none() {
                tokio::time::sleep(END_POLL).await;
            }
            anyhow::Ok(())
        });
        ended
            .await
            .with_context(|| format!("the second {} does not end", self.service))?
    }
}

/// An address of this machine that nobody uses now.
fn free_address() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(listener.local_addr()?.to_string())
}
