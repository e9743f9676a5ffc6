//! The one binary of Greenlane: runs one service, or all of them on one machine, and speaks for every
//! party. This file only sends each command to its place and turns what went wrong into an exit code.

// A refusal is an answer that travels, stored and sent like any other, not an exceptional path.
#![allow(clippy::result_large_err)]

mod cli;
mod client;
mod commands;
mod demo;
mod operate;
mod output;
mod parties;
mod services;
mod status;
mod up;

use std::io::ErrorKind;
use std::process::ExitCode;

use cli::{Cli, ClientOptions, Command};
use client::{ClientError, Session};
use parties::default;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::read();
    let output = cli.client.output;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the answer has read enough (`greenlane ... | head`).
        Err(ClientError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::note(&error.account(output));
            ExitCode::from(error.exit_code())
        }
    }
}

/// One thread answers calls faster than two on small machines, and it is all a client needs; what a
/// service has beside its calls runs on threads of its own.
fn run(cli: Cli) -> Result<(), ClientError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ClientError::Failed(format!("no runtime: {error}")))?;
    runtime.block_on(dispatch(cli.command, &cli.client))
}

async fn dispatch(command: Command, client: &ClientOptions) -> Result<(), ClientError> {
    let session = |default_party| Session::open(client, default_party);
    match command {
        Command::Up(arguments) => up::run(arguments, client).await,
        Command::Demo(arguments) => demo::run(arguments, client).await,
        Command::Serve(arguments) => operate::serve(arguments).await,
        Command::Migrate(arguments) => operate::migrate(arguments).await,
        Command::CheckConfig(arguments) => operate::check_config(&arguments),
        Command::Status => status::run(&session(default::ADMIN)?).await,
        Command::Token => operate::token(client),
        Command::Completion { shell } => operate::completion(shell),
        Command::Rail(command) => {
            commands::rail::run(
                command,
                commands::rail::Mode::Rail,
                &session(default::TERMINAL)?,
            )
            .await
        }
        Command::Barge(command) => {
            commands::rail::run(
                command,
                commands::rail::Mode::Barge,
                &session(default::TERMINAL)?,
            )
            .await
        }
        Command::Haulier(command) => {
            commands::haulier::run(command, &session(default::HAULIER)?).await
        }
        Command::Gate(command) => commands::gate::run(command, &session(default::TERMINAL)?).await,
        Command::Terminal(command) => {
            commands::terminal::run(command, &session(default::TERMINAL)?).await
        }
        Command::Line(command) => commands::line::run(command, &session(default::LINE)?).await,
        Command::Broker(command) => {
            commands::broker::run(command, &session(default::BROKER)?).await
        }
        Command::Officer(command) => {
            commands::officer::run(command, &session(default::OFFICER)?).await
        }
        Command::Trader(command) => {
            commands::trader::run(command, &session(default::TRADER)?).await
        }
        Command::Mandate(command) => {
            commands::mandate::run(command, &session(default::TRADER)?).await
        }
        Command::Operator(command) => {
            commands::operator::run(command, &session(default::OPERATOR)?).await
        }
        Command::Why(arguments) => commands::why::run(arguments, &session(default::OFFICER)?).await,
        Command::Timeline(arguments) => {
            commands::timeline::run(arguments, &session(default::OFFICER)?).await
        }
        Command::Watch(arguments) => {
            commands::watch::run(arguments, &session(default::HAULIER)?).await
        }
        Command::Audit(command) => commands::audit::run(command, client).await,
        Command::Fabric(command) => commands::fabric::run(command, &session(default::ADMIN)?).await,
    }
}
