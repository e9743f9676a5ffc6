//! Runs a private stack in a folder until it is told to end, and prints where it
//! is: for developers who need a database or a broker at hand (for instance for
//! `cargo sqlx prepare`), and for this crate's own tests.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use stack::{Stack, StackOptions};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: stack FOLDER [--no-kafka] [--small]\n\n\
    Runs PostgreSQL and Kafka with their state in FOLDER until Ctrl-C.\n  \
    --no-kafka  PostgreSQL only\n  \
    --small     ready sooner and smaller, slower under load";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(options) = options(std::env::args().skip(1)) else {
        let _ = writeln!(std::io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: impl Iterator<Item = String>) -> Option<StackOptions> {
    let mut folder = None;
    let mut options = StackOptions::lasting("");
    for argument in arguments {
        match argument.as_str() {
            "--no-kafka" => options.kafka = false,
            "--small" => options.durable_jvm = false,
            other if other.starts_with('-') || folder.is_some() => return None,
            _ => folder = Some(argument),
        }
    }
    options.folder = folder?.into();
    options.progress = Arc::new(|doing| {
        let _ = writeln!(std::io::stderr(), "{doing}");
    });
    Some(options)
}

async fn run(options: StackOptions) -> anyhow::Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let start = Stack::start(options);
    let stack = tokio::select! {
        started = start => started?,
        _ = interrupted.recv() => return Ok(()),
        _ = terminated.recv() => return Ok(()),
    };
    let where_it_is = serde_json::json!({
        "postgres": stack.postgres_admin_url(),
        "kafka": stack.brokers(),
    });
    writeln!(std::io::stdout(), "{where_it_is}")?;
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    Ok(stack.stop().await?)
}
