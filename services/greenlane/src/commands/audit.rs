//! The record of what was done: whether it is as it was written, and what it says. Reads the service's database and
//! topic itself, so that no service vouches for its own record.

use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use fabric::audit::verify::{AuditReport, VerifyingKey};
use fabric::audit::{self, Recorded};
use fabric::{FabricConfig, ReadLimits, Reads};
use proto::fabric::v1::{AuditEntry, AuditedAct, AuditedAttempt, AuditedCommand, audit_entry};
use serde_json::{Value, json};

use crate::cli::ClientOptions;
use crate::client::{ClientError, Endpoints};
use crate::operate::faults_of;
use crate::output::{self, Output};
use crate::services::{Service, entry};

/// The public key that `up` leaves in its state folder.
const DEVELOPMENT_KEY_FILE: &str = "audit-key.pub.pem";

/// What to do with a record.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Whether no row was edited, taken out, put in or moved; and none is missing of what was published
    #[command(after_help = "\
Example: greenlane audit verify
         greenlane audit verify gate --config /etc/greenlane/gate.toml --key audit-key.pub.pem

Without --config the state folder says where the services' databases are, and holds the key. Exit code 1 where \
anything does not fit.")]
    Verify {
        /// Only of this service
        service: Option<Service>,
        /// The service's configuration file, and its environment
        #[arg(long, value_name = "FILE", requires = "service")]
        config: Option<PathBuf>,
        /// The public key in PEM; each that was ever in use
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
    },
    /// What was done, and tried, newest first
    #[command(after_help = "\
Example: greenlane audit list gate --party haulier-b
         greenlane audit list customs --refused --limit 20 --output json")]
    List {
        /// Of this service
        service: Service,
        /// The service's configuration file, and its environment
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Only what this party did, or had done
        #[arg(long)]
        party: Option<String>,
        /// Only what was refused
        #[arg(long)]
        refused: bool,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u16,
    },
}

/// Carries it out.
///
/// # Errors
/// Nothing says where the record is, its database does not answer, or it is not as it was written.
pub async fn run(command: AuditCommand, client: &ClientOptions) -> Result<(), ClientError> {
    match command {
        AuditCommand::Verify {
            service,
            config,
            key,
        } => verify(service, config.as_deref(), key, client).await,
        AuditCommand::List {
            service,
            config,
            party,
            refused,
            limit,
        } => {
            let (reads, _) = opened(service, config.as_deref(), client)?;
            let wanted = |entry: &AuditEntry| is_wanted(entry, party.as_deref(), refused);
            let found = audit::newest(&reads, wanted, limit.into()).await;
            show(&found.map_err(|error| unread(service, &error))?, client)
        }
    }
}

async fn verify(
    service: Option<Service>,
    config: Option<&Path>,
    mut key_files: Vec<PathBuf>,
    client: &ClientOptions,
) -> Result<(), ClientError> {
    if key_files.is_empty() && config.is_none() {
        let left_by_up = client.state_folder()?.join(DEVELOPMENT_KEY_FILE);
        key_files.extend(left_by_up.exists().then_some(left_by_up));
    }
    let keys: Result<Vec<VerifyingKey>, String> = key_files
        .iter()
        .map(|file| VerifyingKey::open(file))
        .collect();
    let keys = keys.map_err(ClientError::Failed)?;
    if keys.is_empty() {
        output::note("No key was given: chains are looked at, and signatures are not.");
    }
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for service in service.map_or_else(|| Service::ALL.to_vec(), |one| vec![one]) {
        let (reads, broker) = opened(service, config, client)?;
        let report = looked_at(service, &reads, &broker, &keys).await;
        let report = report.map_err(|error| unread(service, &error))?;
        wrong.extend(faults_in(service, &report));
        if client.output == Output::Json {
            output::object(&json_of(service, &report))?;
            continue;
        }
        rows.push(vec![
            service.to_string(),
            report.rows.to_string(),
            report.entries.to_string(),
            report.unsigned.to_string(),
            report.records.to_string(),
            report.faults.join("\n"),
        ]);
    }
    if client.output == Output::Table {
        let columns = [
            "service",
            "commits",
            "entries",
            "unsigned",
            "published",
            "wrong",
        ];
        output::table(&columns, rows)?;
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(ClientError::Failed(wrong.join("\n")))
}

async fn looked_at(
    service: Service,
    reads: &Reads,
    broker: &FabricConfig,
    keys: &[VerifyingKey],
) -> Result<AuditReport, sqlx::Error> {
    let mut report = audit::verify::rows(reads, service.name(), keys).await?;
    audit::verify::topic(reads, service.name(), broker, &mut report).await?;
    Ok(report)
}

fn faults_in(service: Service, report: &AuditReport) -> Vec<String> {
    let mut faults = Vec::new();
    if report.faults_found > 0 {
        faults.push(format!(
            "{service}: {} faults in its record: somebody changed it, or its database is older than what was published",
            report.faults_found
        ));
    }
    if let Some(why) = &report.topic_unread {
        faults.push(format!("{service}: its topic could not be read: {why}"));
    }
    faults
}

fn json_of(service: Service, report: &AuditReport) -> Value {
    json!({
        "service": service.name(),
        "commits": report.rows,
        "entries": report.entries,
        "unsigned": report.unsigned,
        "published": report.records,
        "faults": report.faults,
        "faults_found": report.faults_found,
        "topic_unread_because": report.topic_unread,
    })
}

/// Connections to the service's database, and its broker.
fn opened(
    service: Service,
    config: Option<&Path>,
    client: &ClientOptions,
) -> Result<(Reads, FabricConfig), ClientError> {
    let (url, broker) = match config {
        Some(file) => {
            entry::record_of(service, Some(file)).map_err(|faults| faults_of(service, &faults))?
        }
        None => {
            let endpoints = Endpoints::read(&client.state_folder()?)?;
            let url = endpoints.postgres.get(service.name()).cloned();
            let url = url.ok_or_else(|| {
                ClientError::Failed(format!("endpoints.json names no database of {service}"))
            })?;
            let broker = FabricConfig::for_brokers(&endpoints.kafka, &endpoints.topic_prefix);
            (url, broker)
        }
    };
    let reads = Reads::open(service.name(), &url, ReadLimits::FEW);
    Ok((reads.map_err(|error| unread(service, &error))?, broker))
}

fn unread(service: Service, error: &impl std::fmt::Display) -> ClientError {
    ClientError::Failed(format!("the record of {service} cannot be read: {error}"))
}

fn is_wanted(entry: &AuditEntry, party: Option<&str>, refused: bool) -> bool {
    let (parties, reason) = match &entry.what {
        Some(audit_entry::What::Command(command)) => (
            [command.party.as_str(), command.for_party.as_str()],
            command.refused_because.as_str(),
        ),
        Some(audit_entry::What::Attempt(attempt)) => {
            ([attempt.party.as_str(), ""], attempt.reason.as_str())
        }
        Some(audit_entry::What::Act(act)) => ([act.party.as_str(), ""], ""),
        _ => (["", ""], ""),
    };
    party.is_none_or(|party| parties.contains(&party)) && (!refused || !reason.is_empty())
}

fn show(found: &[Recorded], client: &ClientOptions) -> Result<(), ClientError> {
    if client.output == Output::Json {
        for Recorded { at, entry } in found {
            let mut object = output::json_of("greenlane.fabric.v1.AuditEntry", entry)?;
            if let Some(fields) = object.as_object_mut() {
                fields.insert("recorded_at".to_owned(), json!(written(*at)));
            }
            output::object(&object)?;
        }
        return Ok(());
    }
    let columns = ["when", "party", "who", "from", "what", "for", "outcome"];
    output::table(&columns, found.iter().map(row).collect())
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn row(Recorded { at, entry }: &Recorded) -> Vec<String> {
    let of_command = |command: &AuditedCommand| {
        let outcome = match (command.refused_because.as_str(), command.repeated) {
            ("", false) => "done",
            ("", true) => "answered again",
            (reason, _) => reason,
        };
        let what = match command.request_id.is_empty() {
            true => format!("{} (dry run)", command.method),
            false => command.method.clone(),
        };
        [
            command.party.clone(),
            command.subject.clone(),
            command.address.clone(),
            what,
            command.for_party.clone(),
            outcome.to_owned(),
        ]
    };
    let of_attempt = |attempt: &AuditedAttempt| {
        [
            attempt.party.clone(),
            attempt.subject.clone(),
            attempt.address.clone(),
            attempt.method.clone(),
            String::new(),
            format!("{} times {}", attempt.times, attempt.reason),
        ]
    };
    let of_act = |act: &AuditedAct| {
        [
            act.party.clone(),
            act.subject.clone(),
            act.address.clone(),
            act.method.clone(),
            String::new(),
            "asked for".to_owned(),
        ]
    };
    let of_service = |what: String, outcome: String| {
        let none = String::new;
        [none(), none(), none(), what, none(), outcome]
    };
    let cells = match &entry.what {
        Some(audit_entry::What::Command(command)) => of_command(command),
        Some(audit_entry::What::Attempt(attempt)) => of_attempt(attempt),
        Some(audit_entry::What::Act(act)) => of_act(act),
        Some(audit_entry::What::Records(run)) => of_service(
            format!(
                "{}/{} {}/{} to {}",
                run.topic, run.partition, run.epoch, run.first_sequence, run.last_sequence
            ),
            if run.parked { "parked" } else { "applied" }.to_owned(),
        ),
        Some(audit_entry::What::Timer(timer)) => {
            of_service(timer.name.clone(), format!("{} facts", timer.facts))
        }
        None => of_service(String::new(), "unknown to this version".to_owned()),
    };
    [written(*at)].into_iter().chain(cells).collect()
}
