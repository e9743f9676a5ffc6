//! Where the demo is played: a deployment in a folder of its own, or in one that was named and stays. Knows
//! how it is opened and how it is left: clean, or kept with its logs after a failure. It must not know what is
//! played.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::Shutdown;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use super::mishap::Mishap;
use crate::client::ClientError;
use crate::output::{self, Progress};
use crate::services::Service;
use crate::up::{Deployment, DeploymentOptions, UpError};

/// How often it is looked whether everything still runs.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// A running deployment and its folder.
pub struct Premises {
    deployment: Deployment,
    /// Ours to remove; none where a folder was named.
    temporary: Option<TempDir>,
    orders: mpsc::Receiver<Order>,
    caretaker: Caretaker,
}

/// Stops a service and starts it again, while the premises are watched over.
#[derive(Clone)]
pub struct Caretaker {
    orders: mpsc::Sender<Order>,
}

struct Order {
    service: Service,
    runs: bool,
    done: oneshot::Sender<Result<(), UpError>>,
}

impl Caretaker {
    /// Stops a service: it stays away until it is started.
    ///
    /// # Errors
    /// It cannot be stopped.
    pub async fn stop(&self, service: Service) -> Result<(), Mishap> {
        self.order(service, false).await
    }

    /// Starts a service that was stopped, and waits until it is ready.
    ///
    /// # Errors
    /// It cannot be started, or does not become ready.
    pub async fn start(&self, service: Service) -> Result<(), Mishap> {
        self.order(service, true).await
    }

    async fn order(&self, service: Service, runs: bool) -> Result<(), Mishap> {
        let (done, carried_out) = oneshot::channel();
        let order = Order {
            service,
            runs,
            done,
        };
        let nobody = || Mishap::otherwise("somebody who watches over the services", "nobody");
        self.orders.send(order).await.map_err(|_| nobody())?;
        Ok(carried_out.await.map_err(|_| nobody())??)
    }
}

impl Premises {
    /// Starts everything: in `named`, or in a temporary folder.
    ///
    /// # Errors
    /// Something could not be started, or it was stopped before it was.
    pub async fn open(
        named: Option<PathBuf>,
        shutdown: &Shutdown,
    ) -> Result<Premises, ClientError> {
        let temporary = match named {
            Some(_) => None,
            None => Some(temporary_folder()?),
        };
        let folder = match (&named, &temporary) {
            (Some(named), _) => named.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => return Err(ClientError::NoHome),
        };
        let telling = Telling::begin();
        let tell = telling.clone();
        let starting = Deployment::start(DeploymentOptions::in_folder(&folder), move |text| {
            tell.say(text)
        });
        tokio::pin!(starting);
        let (started, stopped) = tokio::select! {
            started = &mut starting => (started, false),
            () = shutdown.requested() => {
                output::note("stopping once everything has started, so that nothing is left behind");
                (starting.await, true)
            }
        };
        telling.end();
        match started {
            Ok(deployment) => {
                // One journey is played at a time, and gives one order at a time.
                let (sender, orders) = mpsc::channel(1);
                let premises = Premises {
                    deployment,
                    temporary,
                    orders,
                    caretaker: Caretaker { orders: sender },
                };
                if stopped {
                    premises.close().await?;
                    return Err(ClientError::Failed(
                        "stopped before anything was played".to_owned(),
                    ));
                }
                Ok(premises)
            }
            Err(error) => Err(ClientError::Failed(format!(
                "{error}{}",
                kept(temporary, &folder)
            ))),
        }
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        self.deployment.folder()
    }

    /// Who stops and starts services, as long as the premises are watched over.
    pub fn caretaker(&self) -> Caretaker {
        self.caretaker.clone()
    }

    /// Starts again whatever ends by itself and does what the caretaker is asked, for ever.
    pub async fn watch_over(&mut self) {
        let mut ticks = tokio::time::interval(WATCH_INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.deployment.watch_over().await,
                // The premises hold a sender themselves, so the orders never end.
                Some(order) = self.orders.recv() => {
                    let done = if order.runs {
                        self.deployment.start_service(order.service).await
                    } else {
                        self.deployment.stop_service(order.service).await
                    };
                    // Whoever asked may have gone meanwhile.
                    let _ = order.done.send(done);
                }
            }
        }
    }

    /// Stops everything in order; removes the folder unless it was named.
    ///
    /// # Errors
    /// Something could not be stopped or removed.
    pub async fn close(self) -> Result<(), ClientError> {
        match self.temporary {
            Some(_) => Ok(self.deployment.stop_and_remove().await?),
            None => Ok(self.deployment.stop().await?),
        }
    }

    /// Stops everything in order and keeps the folder; the error says what went wrong and where to look.
    pub async fn close_after_failure(self, mishap: &Mishap) -> ClientError {
        let folder = self.folder().to_owned();
        let stopped = self.deployment.stop().await;
        let mut text = mishap.told();
        if let Err(error) = stopped {
            text.push_str(&format!("\n  and stopping failed: {error}"));
        }
        text.push_str(&kept(self.temporary, &folder));
        ClientError::Failed(text)
    }
}

/// What is kept after a failure, and how to look at it.
fn kept(temporary: Option<TempDir>, folder: &Path) -> String {
    if let Some(temporary) = temporary {
        let _ = temporary.keep();
    }
    let folder = folder.display();
    format!(
        "\n  logs: {folder}/logs\n  everything is kept: `greenlane up --state {folder}` starts it again, `greenlane why CONTAINER --state {folder}` asks it"
    )
}

fn temporary_folder() -> Result<TempDir, ClientError> {
    tempfile::Builder::new()
        .prefix("greenlane-demo-")
        .tempdir()
        .map_err(|error| {
            ClientError::Failed(format!(
                "no temporary folder can be made: {error}; name one with --state DIR"
            ))
        })
}

/// What is being started: a spinner where a person watches, else plain lines.
#[derive(Clone)]
struct Telling {
    spinner: Arc<Mutex<Option<Progress>>>,
}

impl Telling {
    fn begin() -> Telling {
        let spinner = io::stderr()
            .is_terminal()
            .then(|| Progress::begin("starting", None));
        Telling {
            spinner: Arc::new(Mutex::new(spinner)),
        }
    }

    fn say(&self, text: &str) {
        match self
            .spinner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
        {
            Some(spinner) => spinner.say(text),
            None => output::note(text),
        }
    }

    /// From now on plain lines: what is told later must not be wiped away.
    fn end(&self) {
        self.spinner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}
