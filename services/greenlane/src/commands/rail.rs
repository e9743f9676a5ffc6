//! The rail and barge desks' commands: what a train or barge will bring, and what it brought. Both desks have
//! the same commands; only the way of transport differs. Every line of a list has its own result.

use std::path::PathBuf;

use clap::Subcommand;
use proto::gate::v1::{
    AnnounceArrivalRequest, LandedContainer, ListLineOutcome, ListLineResult, RecordArrivalRequest,
    TransportMode,
};

use super::arguments::Moment;
use super::list_file;
use super::show::{self, Shown, word};
use crate::client::{ClientError, Session};
use crate::parties::PORT;

/// The commands of the desks.
#[derive(Debug, Subcommand)]
pub enum RailCommand {
    /// Announce what a train or barge will bring, from a CSV or JSON list
    #[command(after_help = "\
A CSV list has a heading with any of these columns; rows of one container are its consignments:

  container_number,size_type,seals,empty,transport_document,line_party,packages,gross_mass_kg,goods_description
  MSKU9070323,22G1,CN482913 CN482914,no,CKGHAM2611001,line-a,420,18250.5,bicycle parts
  TGHU7599330,45G1,,yes,,,,,

A JSON list is an array of the gate's AnnouncedContainer messages, or the whole AnnounceArrivalRequest.

Example: greenlane rail announce train.csv --conveyance X8044 --eta +6h")]
    Announce {
        /// The list, CSV or JSON
        file: PathBuf,
        /// The train's or barge's number
        #[arg(long, default_value = "", hide_default_value = true)]
        conveyance: String,
        /// When it is expected: 2026-11-24T08:00:00Z, or from now: +6h
        #[arg(long, allow_hyphen_values = true)]
        eta: Option<Moment>,
        /// The site
        #[arg(long)]
        site: Option<String>,
        /// Only check: the same results, and nothing is recorded
        #[arg(long)]
        check: bool,
    },
    /// Record what was lifted off a train or barge
    #[command(after_help = "\
A CSV list has a heading with any of these columns:

  container_number,seals_found,size_type,empty
  MSKU9070323,CN482913 CN482914,,

A JSON list is an array of the gate's LandedContainer messages, or the whole RecordArrivalRequest.

Example: greenlane rail arrive --conveyance X8044 --container MSKU9070323 --complete
         greenlane rail arrive found.csv --conveyance X8044")]
    Arrive {
        /// The list, CSV or JSON
        #[arg(required_unless_present = "containers")]
        file: Option<PathBuf>,
        /// A container that was found; may be repeated
        #[arg(long = "container")]
        containers: Vec<String>,
        /// The train's or barge's number, as announced
        #[arg(long, default_value = "", hide_default_value = true)]
        conveyance: String,
        /// When they stood at the site; now if not given
        #[arg(long, allow_hyphen_values = true)]
        at: Option<Moment>,
        /// This ends the unloading: what was announced and not found is short-landed
        #[arg(long)]
        complete: bool,
        /// The site
        #[arg(long)]
        site: Option<String>,
        /// Only check: the same results, and nothing is recorded
        #[arg(long)]
        check: bool,
    },
}

/// Which desk speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The rail desk.
    Rail,
    /// The barge desk.
    Barge,
}

/// Carries out a command of a desk.
///
/// # Errors
/// The list cannot be read, gate refuses it whole, or a line of it is faulty.
pub async fn run(command: RailCommand, mode: Mode, session: &Session) -> Result<(), ClientError> {
    let mode = match mode {
        Mode::Rail => TransportMode::Rail,
        Mode::Barge => TransportMode::Barge,
    };
    match command {
        RailCommand::Announce {
            file,
            conveyance,
            eta,
            site,
            check,
        } => {
            let mut request = list_file::announced(&file)?;
            set_unless_empty(&mut request.conveyance, conveyance);
            set_site(&mut request.site_id, site);
            request.mode = mode.into();
            request.validate_only |= check;
            if let Some(eta) = eta {
                request.estimated_arrival = Some(eta.timestamp());
            }
            announce(request, session).await
        }
        RailCommand::Arrive {
            file,
            containers,
            conveyance,
            at,
            complete,
            site,
            check,
        } => {
            let mut request = match file {
                Some(file) => list_file::landed(&file)?,
                None => RecordArrivalRequest::default(),
            };
            let named = containers
                .into_iter()
                .map(|container_number| LandedContainer {
                    container_number,
                    ..Default::default()
                });
            request.containers.extend(named);
            set_unless_empty(&mut request.conveyance, conveyance);
            set_site(&mut request.site_id, site);
            request.mode = mode.into();
            request.validate_only |= check;
            request.complete |= complete;
            if let Some(at) = at {
                request.arrived_at = Some(at.timestamp());
            }
            arrive(request, session).await
        }
    }
}

/// What the command line says counts more than what the file says.
fn set_unless_empty(field: &mut String, value: String) {
    if !value.is_empty() {
        *field = value;
    }
}

fn set_site(field: &mut String, site: Option<String>) {
    match site {
        Some(site) => *field = site,
        None if field.is_empty() => *field = PORT.to_owned(),
        None => {}
    }
}

async fn announce(
    mut request: AnnounceArrivalRequest,
    session: &Session,
) -> Result<(), ClientError> {
    set_request_id(&mut request.request_id, session);
    let answer = session.gate()?.announce_arrival(request).await?;
    show_results(session, &answer.into_inner().results)
}

async fn arrive(mut request: RecordArrivalRequest, session: &Session) -> Result<(), ClientError> {
    set_request_id(&mut request.request_id, session);
    let answer = session.gate()?.record_arrival(request).await?;
    show_results(session, &answer.into_inner().results)
}

/// A request read whole from a file may bring its own id, so that it can be sent again safely.
fn set_request_id(request_id: &mut String, session: &Session) {
    if request_id.is_empty() {
        *request_id = session.request_id();
    }
}

fn show_results(session: &Session, results: &[ListLineResult]) -> Result<(), ClientError> {
    show::many(session, results)?;
    let faulty = results
        .iter()
        .filter(|result| result.outcome() == ListLineOutcome::Faulty)
        .count();
    if faulty > 0 {
        return Err(ClientError::Failed(format!(
            "{faulty} of {} lines are faulty and were not taken; correct them and send the list again.",
            results.len()
        )));
    }
    Ok(())
}

impl Shown for ListLineResult {
    const MESSAGE: &'static str = "greenlane.gate.v1.ListLineResult";
    const COLUMNS: &'static [&'static str] =
        &["entry", "container", "outcome", "container visit", "faults"];

    fn cells(&self) -> Vec<String> {
        let entry = match self.line_number {
            0 => String::new(),
            number => number.to_string(),
        };
        vec![
            entry,
            self.container_number.clone(),
            word(self.outcome().as_str_name(), "LIST_LINE_OUTCOME_"),
            self.container_visit_id.clone(),
            self.faults
                .iter()
                .map(show::fault_text)
                .collect::<Vec<_>>()
                .join(", "),
        ]
    }
}
