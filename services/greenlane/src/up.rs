//! `up`: everything on this machine, for as long as it runs. This file is the command; what it starts,
//! watches and stops is a [`Deployment`], which `demo` uses as well.

mod acquaintance;
mod child;
mod deployment;

use std::time::Duration;

use chassis::Shutdown;

use crate::cli::{ClientOptions, UpArguments};
use crate::client::ClientError;
use crate::output;
use crate::services::Service;

pub use deployment::{Deployment, DeploymentOptions, UpError};

/// How often `up` looks whether everything still runs.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

impl From<UpError> for ClientError {
    fn from(error: UpError) -> Self {
        ClientError::Failed(error.to_string())
    }
}

/// Starts everything, stays until it is told to stop, and stops in order.
///
/// # Errors
/// What could not be started or stopped.
pub async fn run(arguments: UpArguments, client: &ClientOptions) -> Result<(), ClientError> {
    let shutdown = Shutdown::on_signals()
        .map_err(|error| ClientError::Failed(format!("signals cannot be heard: {error}")))?;
    let options = DeploymentOptions {
        database_url: arguments.database_url,
        brokers: arguments.brokers,
        ..DeploymentOptions::in_folder(client.state_folder()?)
    };
    let starting = Deployment::start(options, output::note);
    let mut deployment = tokio::select! {
        started = starting => started?,
        // What was started meanwhile ends with the future that owns it.
        () = shutdown.requested() => {
            return Err(ClientError::Failed("stopped before everything was ready".to_owned()));
        }
    };
    show(&deployment)?;
    let mut ticks = tokio::time::interval(WATCH_INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.requested() => break,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = shutdown.requested() => break,
            () = deployment.watch_over() => {}
        }
    }
    deployment.stop().await?;
    output::note("stopped");
    Ok(())
}

fn show(deployment: &Deployment) -> Result<(), ClientError> {
    let endpoints = deployment.endpoints();
    let mut rows: Vec<Vec<String>> = Service::ALL
        .iter()
        .map(|service| {
            let own = endpoints.of(*service);
            vec![service.to_string(), own.grpc.clone(), own.admin.clone()]
        })
        .collect();
    rows.push(vec!["kafka".to_owned(), endpoints.kafka.clone()]);
    output::table(&["ready", "address", "metrics and readiness"], rows)?;
    output::line(&format!(
        "state and logs: {}; Ctrl-C stops",
        deployment.folder().display()
    ))
}
