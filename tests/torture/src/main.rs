//! `cargo torture`: what of it a person starts. The last line is the verdict; the exit code is 1 if anything was
//! found, 2 if it could not be looked for.

// Its output is what it is for.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use torture::checker;
use torture::evidence::Evidence;

/// Looks for what may never happen
#[derive(Parser)]
#[command(
    name = "cargo torture",
    after_help = "Example: cargo torture check --state ~/.greenlane"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check a running site: sequences, chains, topics, positions, decisions, answers, notices, stock
    Check {
        /// The state folder of a running `greenlane up`
        #[arg(long, value_name = "FOLDER")]
        state: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Check { state } = Arguments::parse().command;
    match check(&state).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            println!("could not be checked: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn check(state: &std::path::Path) -> anyhow::Result<bool> {
    let path = state.join("endpoints.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} (is `greenlane up` running there?)", path.display()))?;
    let endpoints: serde_json::Value = serde_json::from_str(&text)?;
    let evidence = Evidence::read(&endpoints).await?;
    let violations = checker::violations(&evidence);
    for violation in &violations {
        println!("{violation}");
    }
    let looked_at = evidence.extent();
    if violations.is_empty() {
        println!("No violation in {looked_at}.");
    } else {
        println!("{} violations in {looked_at}.", violations.len());
    }
    Ok(violations.is_empty())
}
