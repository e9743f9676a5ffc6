//! The commands of those who run services: `serve`, `migrate`, `check-config`, `token`, `completion`. It
//! must not know what is in a service's configuration; [`crate::services::entry`] does.

use std::io;

use chassis::{ConfigFaults, Shutdown};
use chrono::SecondsFormat;
use clap::CommandFactory as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::cli::{Cli, ClientOptions, MigrateArguments, ServeArguments, ServiceOrAll};
use crate::client::{ClientError, DevelopmentToken, development_token};
use crate::output::{self, Output};
use crate::services::{Service, entry};

/// Runs one service until it is told to stop.
///
/// # Errors
/// Every fault of its configuration, or why it could not start or go on.
pub async fn serve(arguments: ServeArguments) -> Result<(), ClientError> {
    let service = arguments.service;
    raise_file_limit();
    let shutdown = Shutdown::on_signals()
        .map_err(|error| ClientError::Failed(format!("signals cannot be heard: {error}")))?;
    let served = entry::serve(service, arguments.config.as_deref(), shutdown).await;
    served.map_err(|error| match error.downcast_ref::<ConfigFaults>() {
        Some(faults) => faults_of(service, faults),
        None => ClientError::Failed(format!("{service} ended: {error:#}")),
    })
}

/// Each connection is a file, and systems begin with few: as many as this process may have. Where that cannot be
/// changed the limit stays, and the server closes connections beyond it.
fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        output::note(&format!("the limit of open files stays as it is: {error}"));
    }
}

/// Brings databases up to date.
///
/// # Errors
/// The faults of a configuration, for want of an owner role above all, or what the database refuses.
pub async fn migrate(arguments: MigrateArguments) -> Result<(), ClientError> {
    if arguments.service == ServiceOrAll::All && arguments.config.is_some() {
        return Err(ClientError::Usage(
            "a configuration file is one service's: migrate each service with its own, or `all` from the \
             environment"
                .to_owned(),
        ));
    }
    for service in arguments.service.services() {
        let owner_url = entry::owner_url(service, arguments.config.as_deref())
            .map_err(|faults| faults_of(service, &faults))?;
        entry::migrate(service, &owner_url).await.map_err(|error| {
            ClientError::Failed(format!("{service} was not migrated: {error:#}"))
        })?;
        output::line(&format!("{service} is up to date"))?;
    }
    Ok(())
}

/// Tells every fault of a service's configuration.
///
/// # Errors
/// The faults.
pub fn check_config(arguments: &ServeArguments) -> Result<(), ClientError> {
    entry::check_config(arguments.service, arguments.config.as_deref())
        .map_err(|faults| faults_of(arguments.service, &faults))?;
    output::line("config is valid")
}

/// Prints a development token: as it is for people, for machines with whose it is and when it expires.
///
/// # Errors
/// No party was named, there is no such party, or nothing was ever started in the state folder.
pub fn token(client: &ClientOptions) -> Result<(), ClientError> {
    let party = client.party.as_deref().ok_or(ClientError::PartyMissing)?;
    let state = client.state_folder()?;
    if !state.exists() {
        return Err(ClientError::NotRunning(state));
    }
    let issued = development_token(party, &state)?;
    match client.output {
        Output::Table => output::line(&issued.token),
        Output::Json => output::object(&token_object(&issued)),
    }
}

fn token_object(issued: &DevelopmentToken) -> Value {
    json!({
        "token": issued.token,
        "party": issued.party,
        "expires_at": issued.expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}

/// Prints the completions of a shell.
///
/// # Errors
/// Standard output is gone.
pub fn completion(shell: clap_complete::Shell) -> Result<(), ClientError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "greenlane", &mut script);
    io::Write::write_all(&mut io::stdout().lock(), &script).map_err(ClientError::Output)
}

/// What is wrong with a service's configuration, as a failure of the command.
pub fn faults_of(service: Service, faults: &ConfigFaults) -> ClientError {
    let count = faults.0.len();
    let lines: Vec<String> = faults
        .to_string()
        .lines()
        .map(|line| format!("  {line}"))
        .collect();
    ClientError::Failed(format!(
        "the configuration of {service} has {count} {}:\n{}",
        if count == 1 { "fault" } else { "faults" },
        lines.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    #[test]
    fn machines_are_told_whose_a_token_is_and_when_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let begun = Utc::now();
        let issued = development_token("haulier-a", folder.path()).unwrap();
        let told = token_object(&issued);
        assert_eq!(told["token"], issued.token);
        assert!(issued.token.starts_with("ey"), "{told}");
        assert_eq!(told["party"], "haulier-a");
        let expires_at = DateTime::parse_from_rfc3339(told["expires_at"].as_str().unwrap());
        let left = expires_at.unwrap().to_utc() - begun;
        assert!(
            left > TimeDelta::minutes(59) && left < TimeDelta::minutes(61),
            "{told}"
        );
    }
}
