//! One word for "stop", heard by everything in the process: the first signal asks for an orderly end, the
//! second ends at once. It must not know what is being stopped.

use std::future::Future;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// A request to stop that anyone may await; clones speak of the same one.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: Arc<watch::Sender<bool>>,
}

impl Shutdown {
    /// Listens for SIGTERM and SIGINT: the first is a request, the second exits the process at once with
    /// the shell's code for a death by that signal. `kill -9` loses nothing, so neither does the second.
    ///
    /// # Errors
    ///
    /// Where the operating system refuses the handlers. Must be called within a Tokio runtime.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::manual();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(obey(shutdown.clone(), terminate, interrupt));
        Ok(shutdown)
    }

    /// One that only [`request`](Self::request) triggers: for tests, and for what runs inside another.
    pub fn manual() -> Self {
        Self {
            requested: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Asks for the orderly end. Asking twice is asking once.
    pub fn request(&self) {
        self.requested.send_replace(true);
    }

    /// Whether the end has been asked for.
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Waits until the end is asked for; returns at once if it has been.
    pub fn requested(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut token = self.token();
        async move {
            // The only error is a sender gone, which is an end too.
            let _ = token.wait_for(|requested| *requested).await;
        }
    }

    /// The bare flag, for loops that select on its change.
    pub fn token(&self) -> watch::Receiver<bool> {
        self.requested.subscribe()
    }
}

async fn obey(shutdown: Shutdown, mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("asked to stop: finishing what is in hand; a second signal ends at once");
    shutdown.request();
    let code = tokio::select! {
        _ = terminate.recv() => 128 + SignalKind::terminate().as_raw_value(),
        _ = interrupt.recv() => 128 + SignalKind::interrupt().as_raw_value(),
    };
    std::process::exit(code);
}
