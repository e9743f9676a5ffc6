//! What a command may fail with, and how it is told: one readable account on standard error, and an exit
//! code. It must not decide anything; what a service refused is repeated, not interpreted.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use chassis::errors::catalogue;
use kernel::{Fault, Refusal, Unmet};
use serde_json::json;
use tonic::Status;

use crate::output::Output;
use crate::parties;
use crate::services::Service;

/// Refused or failed.
pub const EXIT_FAILED: u8 = 1;
/// Used wrongly.
pub const EXIT_USAGE: u8 = 2;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A service refused, or could not be reached.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// Nothing runs in the state folder.
    #[error(
        "nothing runs in {}: start `greenlane up` there, name another folder with --state, or a deployment \
         with --endpoint and --token", .0.display()
    )]
    NotRunning(PathBuf),
    /// What was given as `--endpoint` is no address.
    #[error(
        "{0:?} is no address: give --endpoint http(s)://HOST:PORT, or SERVICE=URL for each service"
    )]
    Endpoint(String),
    /// Only other services' addresses were given.
    #[error("no address is known for {0}: give --endpoint {0}=URL too")]
    EndpointMissing(Service),
    /// A deployment was named without a token.
    #[error("--endpoint needs a token: give --token, or set GREENLANE_TOKEN")]
    TokenMissing,
    /// The token cannot be sent.
    #[error("the token holds characters that no token has: give it as its issuer did")]
    TokenUnusable,
    /// A given token speaks for one party only.
    #[error("the given token is not {0}'s: leave --token out, or speak as its own party")]
    TokenOfAnother(String),
    /// There is no such development party.
    #[error("there is no development party {0:?}: use one of {known}", known = parties::names().join(", "))]
    PartyUnknown(String),
    /// The command needs to be told for whom.
    #[error("say for whom: --as PARTY, one of {known}", known = parties::names().join(", "))]
    PartyMissing,
    /// The development issuer's key cannot be used.
    #[error(transparent)]
    Issuer(#[from] chassis::identity::DevelopmentIssuerError),
    /// The environment names no home.
    #[error("there is no home folder to keep state in: give --state DIR, or set GREENLANE_STATE")]
    NoHome,
    /// This system has no list of trusted authorities.
    #[error("this system lists no certificate authorities: give --ca-certificate FILE")]
    NoAuthorities,
    /// A file or folder could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What was given cannot be understood: wrong use.
    #[error("{0}")]
    Usage(String),
    /// Anything else that a person can read and act on.
    #[error("{0}")]
    Failed(String),
    /// Standard output is gone.
    #[error("the answer could not be written: {0}")]
    Output(#[source] io::Error),
}

impl ClientError {
    /// A file that could not be read or written.
    pub fn file(path: &Path, source: io::Error) -> ClientError {
        ClientError::File {
            path: path.to_owned(),
            source,
        }
    }

    /// The process's exit code: 2 for wrong use, otherwise 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            ClientError::Usage(_)
            | ClientError::Endpoint(_)
            | ClientError::EndpointMissing(_)
            | ClientError::TokenMissing
            | ClientError::TokenOfAnother(_)
            | ClientError::PartyUnknown(_)
            | ClientError::PartyMissing => EXIT_USAGE,
            _ => EXIT_FAILED,
        }
    }

    /// The account for standard error: for people, several lines; for machines, one JSON object.
    pub fn account(&self, output: Output) -> String {
        match (self, output) {
            (ClientError::Refused(refusal), Output::Table) => account_of(refusal),
            (ClientError::Refused(refusal), Output::Json) => {
                json!({ "error": refusal }).to_string()
            }
            (other, Output::Table) => format!("greenlane: {other}"),
            (other, Output::Json) => {
                json!({ "error": { "message": other.to_string() } }).to_string()
            }
        }
    }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        ClientError::Refused(Box::new(chassis::from_status(&status)))
    }
}

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        ClientError::Refused(Box::new(refusal))
    }
}

/// Everything a refusal says, in the order in which a person asks: what, where, who must act, what to do.
fn account_of(refusal: &Refusal) -> String {
    let mut text = format!("greenlane: {}: {}", refusal.reason, refusal.message);
    for fault in &refusal.faults {
        push_fault(&mut text, fault);
    }
    for unmet in &refusal.unmet {
        push_unmet(&mut text, unmet);
    }
    for (name, what) in [
        ("faults_omitted", "faults"),
        ("unmet_omitted", "conditions"),
    ] {
        if let Some(count) = refusal.metadata.get(name) {
            push_line(&mut text, &format!("and {count} more {what}"));
        }
    }
    if let Some(millis) = refusal.retry_after_millis {
        push_line(&mut text, &format!("try again in {millis} ms"));
    }
    if refusal.reason == "UNREACHABLE" {
        push_line(
            &mut text,
            "is `greenlane up` running? `greenlane status` tells",
        );
    }
    match catalogue::entry(&refusal.reason) {
        Some(entry) => push_line(
            &mut text,
            &format!(
                "{} Who must act: {}. See docs/errors/{}.md",
                entry.meaning, entry.who_acts, entry.reason
            ),
        ),
        // A newer service knows reasons that this client does not.
        None => push_line(&mut text, &format!("see docs/errors/{}.md", refusal.reason)),
    }
    text
}

fn push_fault(text: &mut String, fault: &Fault) {
    let mut line = format!("{}: {}", fault.path, fault.description);
    let mut details = Vec::new();
    for (name, value) in [
        ("code", &fault.code),
        ("value", &fault.value),
        ("rule", &fault.rule),
        ("pointer", &fault.pointer),
    ] {
        if !value.is_empty() {
            details.push(format!("{name} {value}"));
        }
    }
    if !details.is_empty() {
        // Writing to a string does not fail.
        let _ = write!(line, " [{}]", details.join(", "));
    }
    push_line(text, &line);
}

fn push_unmet(text: &mut String, unmet: &Unmet) {
    let mut line = format!(
        "{} {}: {}",
        unmet.condition, unmet.subject, unmet.description
    );
    if !unmet.who.is_empty() {
        let _ = write!(line, " Who must act: {}", unmet.who);
        if let Some(since) = unmet.since {
            let _ = write!(line, ", since {}", since.format("%Y-%m-%dT%H:%M:%SZ"));
        }
        line.push('.');
    }
    if !unmet.evidence.is_empty() {
        let _ = write!(line, " Evidence: {}.", unmet.evidence);
    }
    push_line(text, &line);
}

fn push_line(text: &mut String, line: &str) {
    text.push_str("\n  ");
    text.push_str(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_every_fault_with_its_path() {
        let refusal = Refusal::invalid("REQUEST_ID_INVALID", "Correct the faults.")
            .with_fault(Fault::new(
                "A",
                "lines[0].seal",
                "x",
                "rule 5",
                "Give the seal.",
            ))
            .with_fault(Fault::new("B", "lines[1].mass", "", "", "Give the mass."));
        let account = ClientError::from(refusal).account(Output::Table);
        assert!(account.starts_with("greenlane: REQUEST_ID_INVALID: Correct the faults."));
        assert!(
            account.contains("\n  lines[0].seal: Give the seal. [code A, value x, rule rule 5]"),
            "{account}"
        );
        assert!(
            account.contains("\n  lines[1].mass: Give the mass. [code B]"),
            "{account}"
        );
        assert!(
            account.contains("docs/errors/REQUEST_ID_INVALID.md"),
            "{account}"
        );
    }

    #[test]
    fn an_unmet_condition_tells_who_must_act_and_since_when() {
        let unmet = Unmet {
            condition: "COMMERCIAL_RELEASE_MISSING".to_owned(),
            subject: "GUOYUAN-PORT/CSQU3054383/1".to_owned(),
            who: "line-a".to_owned(),
            since: chrono::DateTime::from_timestamp(1_767_225_600, 0),
            evidence: "greenlane.gate.container-visit.v1/3/1/17".to_owned(),
            description: "Release the consignment to the haulier.".to_owned(),
        };
        let refusal = Refusal::unmet("NOT_FOUND", "It may not leave.", vec![unmet]);
        let account = ClientError::from(refusal).account(Output::Table);
        assert!(
            account.contains("Who must act: line-a, since 2026-01-01T00:00:00Z."),
            "{account}"
        );
        assert!(account.contains("Evidence: greenlane.gate"), "{account}");
    }

    #[test]
    fn a_refusal_comes_through_a_status_whole_and_as_one_line_of_json() {
        let status = chassis::to_status(&Refusal::not_found("declaration", "D-1"));
        let account = ClientError::from(status).account(Output::Json);
        assert!(!account.contains('\n'));
        let told: serde_json::Value = serde_json::from_str(&account).unwrap();
        assert_eq!(told["error"]["reason"], "NOT_FOUND");
        assert_eq!(told["error"]["resource"][1], "D-1");
    }

    #[test]
    fn wrong_use_and_failure_have_their_own_exit_codes() {
        assert_eq!(ClientError::PartyMissing.exit_code(), EXIT_USAGE);
        assert_eq!(ClientError::NoHome.exit_code(), EXIT_FAILED);
        assert_eq!(
            ClientError::from(Refusal::not_found("x", "y")).exit_code(),
            EXIT_FAILED
        );
    }
}
