//! The rail and barge desks' commands: what a train or barge will bring, what it brought, what was lifted on,
//! and that it has left. Both desks have the same commands; only the way of transport differs. Every line of a list has its own result.

use std::path::PathBuf;

use clap::Subcommand;
use proto::gate::v1::{
    AnnounceArrivalRequest, LandedContainer, ListLineOutcome, ListLineResult, LoadedContainer,
    RecordArrivalRequest, RecordDepartureRequest, TransportMode,
};

use super::arguments::Moment;
use super::list_file::{self, Unread};
use super::show::{self, Shown, word};
use crate::client::{ClientError, Session};
use crate::output::{self, Output};
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

A JSON list is an array of the gate's AnnouncedContainer messages, or the whole AnnounceArrivalRequest. A list
sent again with a time from now (+6h) says another time than before: its lines are amended, not repeated.

Example: greenlane rail announce train.csv --conveyance X8044 --eta +6h
         greenlane barge announce barge.csv --conveyance CQ-2618 --eta +6h")]
    Announce {
        /// The list, CSV or JSON
        file: PathBuf,
        /// The train's or barge's number
        #[arg(long, default_value = "", hide_default_value = true)]
        conveyance: String,
        /// When it is expected: 2026-11-24T08:00:00Z, or from now: +6h
        #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
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
         greenlane rail arrive found.csv --conveyance X8044
         greenlane barge arrive found.csv --conveyance CQ-2618")]
    Arrive {
        /// The list, CSV or JSON
        #[arg(required_unless_present = "containers")]
        file: Option<PathBuf>,
        /// A container that was found; may be repeated
        #[arg(long = "container", value_name = "CONTAINER")]
        containers: Vec<String>,
        /// The train's or barge's number, as announced
        #[arg(long, default_value = "", hide_default_value = true)]
        conveyance: String,
        /// When they stood at the site; now if not given
        #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
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
    /// Record what was lifted onto a train or barge
    #[command(after_help = "\
A CSV list has a heading with any of these columns:

  container_number,seals_found
  MSKU9070323,CN482913 CN482914

A JSON list is an array of the gate's LoadedContainer messages, or the whole RecordLoadingRequest. What may not
be loaded is refused with what is missing, and stays in the yard.

Example: greenlane rail load --conveyance X8045 --container MSKU9070323
         greenlane barge load lifted.csv --conveyance CQ-2618")]
    Load {
        /// The list, CSV or JSON
        #[arg(required_unless_present = "containers")]
        file: Option<PathBuf>,
        #[command(flatten)]
        outbound: OutboundArguments,
    },
    /// Record that a train or barge has left
    #[command(after_help = "\
A CSV list has a heading with one column:

  container_number
  MSKU9070323

A JSON list is an array of container numbers, or the gate's whole RecordDepartureRequest. Without a list and
without --container all that were loaded have left; with one, what was loaded and is not on it stays.

Example: greenlane rail depart --conveyance X8045
         greenlane barge depart departed.csv --conveyance CQ-2618 --at -20m")]
    Depart {
        /// The departure list, CSV or JSON; all that were loaded if not given
        file: Option<PathBuf>,
        #[command(flatten)]
        outbound: OutboundArguments,
    },
}

/// What is said alike of a loading and of a departure.
#[derive(Debug, clap::Args)]
pub struct OutboundArguments {
    /// A container on the list; may be repeated
    #[arg(long = "container", value_name = "CONTAINER")]
    containers: Vec<String>,
    /// The train's or barge's number
    #[arg(long, default_value = "", hide_default_value = true)]
    conveyance: String,
    /// When; now if not given
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    at: Option<Moment>,
    /// The site
    #[arg(long)]
    site: Option<String>,
    /// Only check: the same results, and nothing is recorded
    #[arg(long)]
    check: bool,
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
            let (mut request, unread) = list_file::announced(&file)?;
            set_unless_empty(&mut request.conveyance, conveyance);
            set_site(&mut request.site_id, site);
            request.mode = mode.into();
            request.validate_only |= check;
            if let Some(eta) = eta {
                request.estimated_arrival = Some(eta.timestamp());
            }
            announce(request, unread, session).await
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
            let (mut request, unread) = match file {
                Some(file) => list_file::landed(&file)?,
                None => Default::default(),
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
            if request.complete && !unread.is_empty() {
                // Gate would take what it does not hear of for what did not come.
                request.complete = false;
                output::note(
                    "The unloading is not ended: a line that cannot be read may have come.",
                );
            }
            if let Some(at) = at {
                request.arrived_at = Some(at.timestamp());
            }
            arrive(request, unread, session).await
        }
        RailCommand::Load { file, outbound } => load(file, outbound, mode, session).await,
        RailCommand::Depart { file, outbound } => depart(file, outbound, mode, session).await,
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
    unread: Unread,
    session: &Session,
) -> Result<(), ClientError> {
    set_request_id(&mut request.request_id, session);
    let listed = Listed {
        request,
        only_check: |request| request.validate_only = true,
        leave_out: |request, unread| unread.leave_out(&mut request.containers),
    };
    let call = async |request| {
        let answer = session.gate()?.announce_arrival(request).await?;
        Ok(answer.into_inner().results)
    };
    listed.take(unread, session, call).await
}

async fn arrive(
    mut request: RecordArrivalRequest,
    unread: Unread,
    session: &Session,
) -> Result<(), ClientError> {
    set_request_id(&mut request.request_id, session);
    let listed = Listed {
        request,
        only_check: |request| request.validate_only = true,
        leave_out: |request, unread| unread.leave_out(&mut request.containers),
    };
    let call = async |request| {
        let answer = session.gate()?.record_arrival(request).await?;
        Ok(answer.into_inner().results)
    };
    listed.take(unread, session, call).await
}

/// A request with all entries of a list, and what is made of it where some cannot be read.
struct Listed<R> {
    request: R,
    only_check: fn(&mut R),
    leave_out: fn(&mut R, &Unread),
}

impl<R: Clone> Listed<R> {
    /// Has the list taken, and shows the result of every line. Of entries that cannot be read whole gate says what else
    /// is wrong with them, and records nothing.
    async fn take(
        self,
        unread: Unread,
        session: &Session,
        call: impl AsyncFn(R) -> Result<Vec<ListLineResult>, ClientError>,
    ) -> Result<(), ClientError> {
        let Listed {
            mut request,
            only_check,
            leave_out,
        } = self;
        if unread.is_empty() {
            return show_results(session, &call(request).await?);
        }
        let mut whole = request.clone();
        only_check(&mut whole);
        let checked = call(whole).await?;
        leave_out(&mut request, &unread);
        let answered = if unread.is_all_of(checked.len()) {
            Vec::new()
        } else {
            call(request).await?
        };
        show_results(session, &unread.among(checked, answered))
    }
}

async fn load(
    file: Option<PathBuf>,
    outbound: OutboundArguments,
    mode: TransportMode,
    session: &Session,
) -> Result<(), ClientError> {
    let (mut request, unread) = match file {
        Some(file) => list_file::loaded(&file)?,
        None => Default::default(),
    };
    let named = outbound
        .containers
        .into_iter()
        .map(|container_number| LoadedContainer {
            container_number,
            ..Default::default()
        });
    request.containers.extend(named);
    set_unless_empty(&mut request.conveyance, outbound.conveyance);
    set_site(&mut request.site_id, outbound.site);
    set_request_id(&mut request.request_id, session);
    request.mode = mode.into();
    request.validate_only |= outbound.check;
    if let Some(at) = outbound.at {
        request.loaded_at = Some(at.timestamp());
    }
    let listed = Listed {
        request,
        only_check: |request| request.validate_only = true,
        leave_out: |request, unread| unread.leave_out(&mut request.containers),
    };
    let call = async |request| {
        let answer = session.gate()?.record_loading(request).await?;
        Ok(answer.into_inner().results)
    };
    listed.take(unread, session, call).await
}

async fn depart(
    file: Option<PathBuf>,
    outbound: OutboundArguments,
    mode: TransportMode,
    session: &Session,
) -> Result<(), ClientError> {
    let mut request = match file {
        Some(file) => list_file::departed(&file)?,
        None => RecordDepartureRequest::default(),
    };
    request.container_numbers.extend(outbound.containers);
    set_unless_empty(&mut request.conveyance, outbound.conveyance);
    set_site(&mut request.site_id, outbound.site);
    set_request_id(&mut request.request_id, session);
    request.mode = mode.into();
    request.validate_only |= outbound.check;
    if let Some(at) = outbound.at {
        request.departed_at = Some(at.timestamp());
    }
    let answer = session.gate()?.record_departure(request).await?;
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
    if session.output() == Output::Table {
        for result in results {
            for condition in show::conditions(&result.conditions) {
                output::line(&format!("{} {condition}", result.container_number))?;
            }
        }
    }
    match not_done(results) {
        told if told.is_empty() => Ok(()),
        told => Err(ClientError::Failed(told)),
    }
}

/// What of a list was not done as asked; empty if all was. What the request does not name was not asked.
fn not_done(results: &[ListLineResult]) -> String {
    let told = [
        (
            ListLineOutcome::Faulty,
            "are faulty and were not taken; correct them and send the list again.",
        ),
        (
            ListLineOutcome::Refused,
            "may not be loaded and stay in the yard; every reason stands above.",
        ),
        (
            ListLineOutcome::NotLoaded,
            "were not loaded and stay in the yard; record what was lifted on first.",
        ),
    ]
    .into_iter()
    .filter_map(|(outcome, why)| {
        let count = results
            .iter()
            .filter(|result| result.outcome() == outcome && result.line_number > 0)
            .count();
        (count > 0).then(|| format!("{count} of {} lines {why}", results.len()))
    });
    told.collect::<Vec<_>>().join(" ")
}

impl Shown for ListLineResult {
    const MESSAGE: &'static str = "greenlane.gate.v1.ListLineResult";
    const COLUMNS: &'static [&'static str] = &[
        "entry",
        "container",
        "outcome",
        "container visit",
        "faults",
        "missing",
    ];

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
            show::condition_codes(&self.conditions),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(line_number: u32, outcome: ListLineOutcome) -> ListLineResult {
        ListLineResult {
            line_number,
            outcome: outcome.into(),
            ..Default::default()
        }
    }

    #[test]
    fn what_the_list_does_not_name_was_not_asked_for() {
        let stays = result(0, ListLineOutcome::NotLoaded);
        assert_eq!(not_done(&[result(1, ListLineOutcome::Accepted), stays]), "");
    }

    #[test]
    fn every_way_in_which_a_line_was_not_done_is_told() {
        let told = not_done(&[
            result(1, ListLineOutcome::Refused),
            result(2, ListLineOutcome::Faulty),
            result(3, ListLineOutcome::SealMismatch),
        ]);
        assert!(told.contains("1 of 3 lines are faulty"), "{told}");
        assert!(told.contains("1 of 3 lines may not be loaded"), "{told}");
        assert!(!told.contains("were not loaded"), "{told}");
    }
}
