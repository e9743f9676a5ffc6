//! One service as a child process: started, watched, started again when it ends by itself, stopped. It
//! must not know what the service needs to run; its environment is given.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use stack::process::{self, Signal, Tied};
use tokio::time::Instant;

use super::deployment::UpError;
use crate::services::Service;

/// A service finishes what it has in hand; after so long it is killed.
const STOP_GRACE: Duration = Duration::from_secs(20);
/// The pause before a service that ended is started again: doubled each time, up to the longest.
const RESTART_PAUSE_FIRST: Duration = Duration::from_millis(500);
const RESTART_PAUSE_LONGEST: Duration = Duration::from_secs(30);
/// A service that ran for so long is thought healthy again.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// A service's process, and what it takes to start it.
pub struct ServiceChild {
    service: Service,
    program: PathBuf,
    environment: Vec<(String, String)>,
    log: PathBuf,
    process: Option<Tied>,
    started: Instant,
    restart_pause: Duration,
    restart_at: Option<Instant>,
}

impl ServiceChild {
    /// A service that does not run yet.
    pub fn new(
        service: Service,
        program: PathBuf,
        environment: Vec<(String, String)>,
        log: PathBuf,
    ) -> ServiceChild {
        ServiceChild {
            service,
            program,
            environment,
            log,
            process: None,
            started: Instant::now(),
            restart_pause: RESTART_PAUSE_FIRST,
            restart_at: None,
        }
    }

    /// Starts the process; one that runs is left alone.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start(&mut self) -> Result<(), UpError> {
        if self.is_running()? {
            return Ok(());
        }
        let mut command = Command::new(&self.program);
        command.args(["serve", self.service.name()]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        process::log_to(&mut command, &self.log)?;
        let process = Tied::spawn(command).map_err(|source| self.io("started", source))?;
        self.process = Some(process);
        self.started = Instant::now();
        self.restart_at = None;
        Ok(())
    }

    /// Whether the process is there.
    ///
    /// # Errors
    /// The system refuses to say.
    pub fn is_running(&mut self) -> Result<bool, UpError> {
        match self.process.as_mut().map(Tied::try_wait) {
            None => Ok(false),
            Some(Ok(ended)) => Ok(ended.is_none()),
            Some(Err(source)) => Err(self.io("asked for", source)),
        }
    }

    /// Starts the process again if it ended by itself, after a pause that grows; tells so.
    ///
    /// # Errors
    /// The system refuses.
    pub fn watch_over(&mut self, tell: &dyn Fn(&str)) -> Result<(), UpError> {
        // A service that was stopped has no process, and is left alone.
        let Some(process) = self.process.as_mut() else {
            return Ok(());
        };
        let now = Instant::now();
        let status = match process.try_wait() {
            Ok(None) => return Ok(()),
            Ok(Some(status)) => status,
            Err(source) => return Err(self.io("asked for", source)),
        };
        match self.restart_at {
            None => {
                if now.duration_since(self.started) >= HEALTHY_AFTER {
                    self.restart_pause = RESTART_PAUSE_FIRST;
                }
                let pause = self.restart_pause;
                self.restart_at = Some(now + pause);
                self.restart_pause = pause.saturating_mul(2).min(RESTART_PAUSE_LONGEST);
                tell(&format!(
                    "{} ended ({status}); starting it again in {} ms; its log is kept as {}.previous",
                    self.service,
                    pause.as_millis(),
                    self.log.display()
                ));
                Ok(())
            }
            Some(due) if now >= due => self.start(),
            Some(_) => Ok(()),
        }
    }

    /// Asks the process to finish and waits; kills it when its time is over.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn stop(&mut self) -> Result<(), UpError> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        let ended = process.end(&[(Signal::SIGTERM, STOP_GRACE)]).await;
        ended.map_err(|source| self.io("stopped", source))
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    fn io(&self, doing: &'static str, source: std::io::Error) -> UpError {
        UpError::Process {
            service: self.service,
            doing,
            source,
        }
    }
}
