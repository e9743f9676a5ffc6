//! The lane's and the gate staff's commands: a truck in, weighed, inspected, decided on by a person, out. A
//! truck that is not let through makes the command fail, with every reason, so that a lane's script notices.

use clap::{Subcommand, ValueEnum};
use proto::gate::v1::{
    Barrier, CheckInRequest, CheckOutOutcome, CheckOutRequest, CorrectCheckInRequest,
    DecideReviewRequest, EndInspectionRequest, GetTruckVisitRequest, InspectionResult,
    ListTruckVisitsRequest, OrderInspectionRequest, RecordInspectionRequest, RecordWeightRequest,
    ReviewVerdict, TruckVisit, TruckVisitState,
};

use super::arguments::{Listing, Moment, VehicleArguments, kilograms, vehicle};
use super::haulier::{containers, plates};
use super::show::{self, Shown, quantity, when, word};
use crate::client::{ClientError, Session};
use crate::output::{self, Output};
use crate::parties::PORT;

/// The gate's commands.
#[derive(Debug, Subcommand)]
pub enum GateCommand {
    /// A truck stands at a lane on its way in
    #[command(
        name = "check-in",
        after_help = "\
Example: greenlane gate check-in --plate 渝A12345 --container MSKU9070323 --carrier haulier-a --weight 15200
         greenlane gate check-in --plate 渝A12345 --pre-arrival 4KZ7Q1M0X9T2 --carrier haulier-a --barrier 1"
    )]
    CheckIn(CheckInArguments),
    /// Record a weighbridge's reading, or that it gave none
    #[command(after_help = "\
Example: greenlane gate weigh 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --barrier out --weight 38400")]
    Weigh {
        /// The truck visit's id
        #[arg(value_name = "TRUCK-VISIT")]
        truck_visit: String,
        /// At which barrier
        #[arg(long)]
        barrier: BarrierArgument,
        /// The reading in kilograms; left out: the weighbridge gave none
        #[arg(long, value_name = "KILOGRAMS")]
        weight: Option<String>,
        /// When; now if not given
        #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
        at: Option<Moment>,
    },
    /// Order an inspection, record its results, end it
    #[command(
        subcommand,
        after_help = "\
Example: greenlane gate inspect order 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --at-site SCANNER --reason 'seal looks cut'
         greenlane gate inspect record 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --at-site SCANNER --result passed"
    )]
    Inspect(InspectCommand),
    /// Decide what the lane could not; goes on record with your name
    #[command(after_help = "\
Example: greenlane gate review 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --verdict let-in --reason 'driver known, scanner dirty'")]
    Review {
        /// The truck visit's id
        #[arg(value_name = "TRUCK-VISIT")]
        truck_visit: String,
        /// What you decide
        #[arg(long)]
        verdict: VerdictArgument,
        /// Why
        #[arg(long)]
        reason: String,
        /// The visit's version that you have seen
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
    },
    /// Take a mistaken check-in back: the record of it stays, and the filing is open again
    #[command(after_help = "\
Example: greenlane gate correct 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --reason 'the plate was misread'")]
    Correct {
        /// The truck visit's id
        #[arg(value_name = "TRUCK-VISIT")]
        truck_visit: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// The visit's version that you have seen
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
    },
    /// A truck stands at a lane on its way out
    #[command(
        name = "check-out",
        after_help = "\
Example: greenlane gate check-out --plate 渝A12345 --container MSKU9070323 --weight 38400
         greenlane gate check-out --plate 渝A12345 --without-goods --site GUOYUAN-BLC --as centre-gate"
    )]
    CheckOut(CheckOutArguments),
    /// Show one truck visit
    #[command(after_help = "Example: greenlane gate show 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11")]
    Show {
        /// The truck visit's id
        #[arg(value_name = "TRUCK-VISIT")]
        truck_visit: String,
    },
    /// List truck visits, newest first
    #[command(after_help = "Example: greenlane gate list --in-state manual-review")]
    List {
        /// Only in this state
        #[arg(long = "in-state")]
        state: Option<VisitStateArgument>,
        /// Only of this truck
        #[arg(long, default_value = "", hide_default_value = true)]
        plate: String,
        /// Only at this site
        #[arg(long, default_value = "", hide_default_value = true)]
        site: String,
        #[command(flatten)]
        listing: Listing,
    },
}

/// A truck at the way in.
#[derive(Debug, clap::Args)]
pub struct CheckInArguments {
    #[command(flatten)]
    vehicle: VehicleArguments,
    /// A container that it brings or came for; may be repeated
    #[arg(long = "container", value_name = "CONTAINER")]
    containers: Vec<String>,
    /// The firm that the driver presents himself for
    #[arg(long, default_value = "", hide_default_value = true)]
    carrier: String,
    /// The pre-arrival's id or number, as scanned; found by the plate if not given
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "PRE-ARRIVAL"
    )]
    pre_arrival: String,
    /// The weighbridge's reading in kilograms; left out: there is none
    #[arg(long, value_name = "KILOGRAMS")]
    weight: Option<String>,
    /// Where two barriers stand on the way in: which of them, 1 or 2; left out: the only one, or the second
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    barrier: u32,
    /// The lane
    #[arg(long, default_value = "IN-1")]
    lane: String,
    /// The site
    #[arg(long, default_value = PORT)]
    site: String,
    /// When it was recognised; now if not given
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    at: Option<Moment>,
}

/// A truck at the way out.
#[derive(Debug, clap::Args)]
pub struct CheckOutArguments {
    /// The truck visit's id; found by the plate if not given
    #[arg(
        required_unless_present = "plate",
        default_value = "",
        hide_default_value = true,
        value_name = "TRUCK-VISIT"
    )]
    truck_visit: String,
    /// The tractor's plate
    #[arg(long)]
    plate: Option<String>,
    /// The trailer's plate
    #[arg(long, requires = "plate")]
    trailer: Option<String>,
    /// Country of the plates, two letters; Chinese if not given
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "COUNTRY"
    )]
    plate_country: String,
    /// A container on the truck; may be repeated; none for a truck without a container
    #[arg(long = "container", value_name = "CONTAINER")]
    containers: Vec<String>,
    /// It came for goods out of bond and leaves without them: its pass is withdrawn
    #[arg(long)]
    without_goods: bool,
    /// The weighbridge's reading in kilograms; left out: there is none
    #[arg(long, value_name = "KILOGRAMS")]
    weight: Option<String>,
    /// The lane
    #[arg(long, default_value = "OUT-1")]
    lane: String,
    /// The site
    #[arg(long, default_value = PORT)]
    site: String,
    /// When it was recognised; now if not given
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    at: Option<Moment>,
}

/// The commands about inspections.
#[derive(Debug, Subcommand)]
pub enum InspectCommand {
    /// Order an inspection of a truck that is here
    #[command(after_help = "\
Example: greenlane gate inspect order 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --at-site SCANNER --reason 'seal looks cut'")]
    Order {
        /// The truck visit's id
        #[arg(value_name = "TRUCK-VISIT")]
        truck_visit: String,
        /// Where, in order; may be repeated; the site's usual places if not given
        #[arg(long = "at-site", value_name = "INSPECTION-SITE")]
        inspection_sites: Vec<String>,
        /// Why
        #[arg(long)]
        reason: String,
        /// The visit's version that you have seen
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
    },
    /// Record the result of one inspection site
    #[command(after_help = "\
Example: greenlane gate inspect record 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --at-site SCANNER --result passed")]
    Record {
        /// The truck visit's id
        #[arg(value_name = "TRUCK-VISIT")]
        truck_visit: String,
        /// The inspection's id; the truck's first open one if not given
        #[arg(long)]
        inspection: Option<String>,
        /// The inspection site; the first one without a result if not given
        #[arg(long, value_name = "INSPECTION-SITE")]
        at_site: Option<String>,
        /// The result
        #[arg(long)]
        result: InspectionResultArgument,
        /// What was found
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
    },
    /// End an inspection that your party ordered
    #[command(after_help = "\
Example: greenlane gate inspect end 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --reason 'seal replaced, number recorded'")]
    End {
        /// The truck visit's id
        #[arg(value_name = "TRUCK-VISIT")]
        truck_visit: String,
        /// The inspection's id; the truck's first open one if not given
        #[arg(long)]
        inspection: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// A barrier.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum BarrierArgument {
    /// The way in
    In,
    /// The way out
    Out,
}

/// What a person decides.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum VerdictArgument {
    /// Let in, from manual review
    LetIn,
    /// Sent away, from manual review
    TurnAway,
    /// Let out with the containers of the pending departure
    LetOut,
    /// Stays; the pending departure is dropped
    KeepIn,
}

/// The result at an inspection site.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum InspectionResultArgument {
    /// In order
    Passed,
    /// Not in order
    Failed,
}

/// Where a truck visit is in its life.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum VisitStateArgument {
    /// A person must decide
    ManualReview,
    /// Sent away
    TurnedAway,
    /// In
    GatedIn,
    /// Through the first of two barriers, not yet in
    GatedInFirst,
    /// In, and must not leave with what it carries
    Recalled,
    /// Out
    GatedOut,
    /// Over
    Closed,
}

impl From<VisitStateArgument> for TruckVisitState {
    fn from(state: VisitStateArgument) -> Self {
        match state {
            VisitStateArgument::ManualReview => Self::ManualReview,
            VisitStateArgument::TurnedAway => Self::TurnedAway,
            VisitStateArgument::GatedIn => Self::GatedIn,
            VisitStateArgument::GatedInFirst => Self::GatedInFirst,
            VisitStateArgument::Recalled => Self::Recalled,
            VisitStateArgument::GatedOut => Self::GatedOut,
            VisitStateArgument::Closed => Self::Closed,
        }
    }
}

/// Carries out a gate command.
///
/// # Errors
/// What gate refuses; and a truck that is not let in or out.
pub async fn run(command: GateCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        GateCommand::CheckIn(arguments) => check_in(arguments, session).await,
        GateCommand::Weigh {
            truck_visit,
            barrier,
            weight,
            at,
        } => {
            let barrier = match barrier {
                BarrierArgument::In => Barrier::In,
                BarrierArgument::Out => Barrier::Out,
            };
            let request = RecordWeightRequest {
                request_id: session.request_id(),
                truck_visit_id: truck_visit,
                barrier: barrier.into(),
                weight: weight.as_deref().map(kilograms),
                observed_at: at.map(Moment::timestamp),
            };
            let answer = session.gate()?.record_weight(request).await?;
            show_visit(session, answer.into_inner().truck_visit)
        }
        GateCommand::Inspect(command) => inspect(command, session).await,
        GateCommand::Review {
            truck_visit,
            verdict,
            reason,
            expected_version,
        } => {
            let request = DecideReviewRequest {
                request_id: session.request_id(),
                truck_visit_id: truck_visit,
                verdict: verdict_of(verdict).into(),
                reason,
                expected_version,
            };
            let answer = session.gate()?.decide_review(request).await?;
            show_visit(session, answer.into_inner().truck_visit)
        }
        GateCommand::Correct {
            truck_visit,
            reason,
            expected_version,
        } => {
            let request = CorrectCheckInRequest {
                request_id: session.request_id(),
                truck_visit_id: truck_visit,
                reason,
                expected_version,
            };
            let answer = session.gate()?.correct_check_in(request).await?;
            show_visit(session, answer.into_inner().truck_visit)
        }
        GateCommand::CheckOut(arguments) => check_out(arguments, session).await,
        GateCommand::Show { truck_visit } => {
            show::one(session, &visit(&truck_visit, session).await?)
        }
        GateCommand::List {
            state,
            plate,
            site,
            listing,
        } => {
            let filter = ListTruckVisitsRequest {
                site_id: site,
                state: state.map(TruckVisitState::from).unwrap_or_default().into(),
                plate,
                ..Default::default()
            };
            list(filter, listing, session).await
        }
    }
}

fn verdict_of(verdict: VerdictArgument) -> ReviewVerdict {
    match verdict {
        VerdictArgument::LetIn => ReviewVerdict::LetIn,
        VerdictArgument::TurnAway => ReviewVerdict::TurnAway,
        VerdictArgument::LetOut => ReviewVerdict::LetOut,
        VerdictArgument::KeepIn => ReviewVerdict::KeepIn,
    }
}

async fn check_in(arguments: CheckInArguments, session: &Session) -> Result<(), ClientError> {
    let request = CheckInRequest {
        request_id: session.request_id(),
        site_id: arguments.site,
        lane: arguments.lane,
        vehicle: Some(arguments.vehicle.vehicle()),
        container_numbers: arguments.containers,
        carrier_party: arguments.carrier,
        pre_arrival: arguments.pre_arrival,
        weight: arguments.weight.as_deref().map(kilograms),
        observed_at: arguments.at.map(Moment::timestamp),
        barrier_number: arguments.barrier,
    };
    let answer = session.gate()?.check_in(request).await?.into_inner();
    let visit = answer.truck_visit.unwrap_or_default();
    show::one(session, &visit)?;
    match visit.state() {
        TruckVisitState::TurnedAway => Err(ClientError::Failed(
            "Outcome: turned away. The barrier stays shut: the truck is not let in. Every reason stands above, with who must act; clear them, then it may come again."
                .to_owned(),
        )),
        TruckVisitState::ManualReview => Err(ClientError::Failed(format!(
            "Outcome: manual review. The barrier stays shut. A person must decide: greenlane gate review {} --verdict let-in|turn-away --reason ...",
            visit.truck_visit_id
        ))),
        _ => Ok(()),
    }
}

async fn check_out(arguments: CheckOutArguments, session: &Session) -> Result<(), ClientError> {
    let recognised = |plate: String| {
        vehicle(
            &plate,
            arguments.trailer.as_deref(),
            &arguments.plate_country,
        )
    };
    let request = CheckOutRequest {
        request_id: session.request_id(),
        site_id: arguments.site,
        lane: arguments.lane,
        truck_visit_id: arguments.truck_visit,
        vehicle: arguments.plate.map(recognised),
        container_numbers: arguments.containers,
        weight: arguments.weight.as_deref().map(kilograms),
        observed_at: arguments.at.map(Moment::timestamp),
        without_goods: arguments.without_goods,
    };
    let answer = session.gate()?.check_out(request).await?.into_inner();
    let outcome = answer.outcome();
    let visit = answer.truck_visit.unwrap_or_default();
    show::one(session, &visit)?;
    let opens = way_out(outcome, &visit)?;
    if session.output() == Output::Json {
        return Ok(());
    }
    output::line(opens)
}

/// What becomes of the barrier at the way out, and what to do: a barrier that stays shut is a failure, as it is at
/// the way in.
fn way_out(outcome: CheckOutOutcome, visit: &TruckVisit) -> Result<&'static str, ClientError> {
    match outcome {
        CheckOutOutcome::LetOut if visit.state() == TruckVisitState::TurnedAway => Ok(
            "Outcome: let out. The barrier opens: a truck without goods always may leave. It was never let in here, so its visit ends as turned away.",
        ),
        CheckOutOutcome::LetOut => Ok("Outcome: let out. The barrier opens."),
        CheckOutOutcome::Refused => Err(ClientError::Failed(
            "Outcome: refused. The barrier stays shut: the truck is not let out with what it carries. Every reason stands above, with who must act; clear them and check it out again, or let it leave without the goods."
                .to_owned(),
        )),
        CheckOutOutcome::ManualReview => Err(ClientError::Failed(format!(
            "Outcome: manual review. The barrier stays shut. A person must decide: greenlane gate review {} --verdict let-out|keep-in --reason ...",
            visit.truck_visit_id
        ))),
        CheckOutOutcome::Unspecified => Err(ClientError::Failed(
            "The gate's answer does not say whether the barrier opens: take it for shut, and look with greenlane gate show."
                .to_owned(),
        )),
    }
}

async fn inspect(command: InspectCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        InspectCommand::Order {
            truck_visit,
            inspection_sites,
            reason,
            expected_version,
        } => {
            let request = OrderInspectionRequest {
                request_id: session.request_id(),
                truck_visit_id: truck_visit,
                inspection_sites,
                reason,
                expected_version,
            };
            let answer = session.gate()?.order_inspection(request).await?;
            show_visit(session, answer.into_inner().truck_visit)
        }
        InspectCommand::Record {
            truck_visit,
            inspection,
            at_site,
            result,
            note,
        } => {
            let (inspection_id, next_site) =
                open_inspection(&truck_visit, inspection, session).await?;
            let result = match result {
                InspectionResultArgument::Passed => InspectionResult::Passed,
                InspectionResultArgument::Failed => InspectionResult::Failed,
            };
            let request = RecordInspectionRequest {
                request_id: session.request_id(),
                truck_visit_id: truck_visit,
                inspection_id,
                inspection_site: at_site.unwrap_or(next_site),
                result: result.into(),
                note,
                observed_at: None,
            };
            let answer = session.gate()?.record_inspection(request).await?;
            show_visit(session, answer.into_inner().truck_visit)
        }
        InspectCommand::End {
            truck_visit,
            inspection,
            reason,
        } => {
            let (inspection_id, _) = open_inspection(&truck_visit, inspection, session).await?;
            let request = EndInspectionRequest {
                request_id: session.request_id(),
                truck_visit_id: truck_visit,
                inspection_id,
                reason,
            };
            let answer = session.gate()?.end_inspection(request).await?;
            show_visit(session, answer.into_inner().truck_visit)
        }
    }
}

/// The inspection meant, and its first site that has not passed (empty if all have).
async fn open_inspection(
    truck_visit: &str,
    named: Option<String>,
    session: &Session,
) -> Result<(String, String), ClientError> {
    let visit = visit(truck_visit, session).await?;
    let found = visit.inspections.iter().find(|inspection| match &named {
        Some(id) => inspection.inspection_id == *id,
        None => inspection.ended_at.is_none(),
    });
    let inspection = found.ok_or_else(|| {
        ClientError::Failed(
            "The truck visit has no such open inspection; greenlane gate show lists them."
                .to_owned(),
        )
    })?;
    let next = inspection
        .steps
        .iter()
        .find(|step| step.result() != InspectionResult::Passed)
        .map(|step| step.inspection_site.clone());
    Ok((inspection.inspection_id.clone(), next.unwrap_or_default()))
}

async fn visit(truck_visit: &str, session: &Session) -> Result<TruckVisit, ClientError> {
    let request = GetTruckVisitRequest {
        truck_visit_id: truck_visit.to_owned(),
    };
    let answer = session.gate()?.get_truck_visit(request).await?;
    Ok(answer.into_inner().truck_visit.unwrap_or_default())
}

fn show_visit(session: &Session, visit: Option<TruckVisit>) -> Result<(), ClientError> {
    show::one(session, &visit.unwrap_or_default())
}

async fn list(
    filter: ListTruckVisitsRequest,
    listing: Listing,
    session: &Session,
) -> Result<(), ClientError> {
    let mut gate = session.gate()?;
    let rows = listing
        .fetch(async |page| {
            let request = ListTruckVisitsRequest {
                page: Some(page),
                ..filter.clone()
            };
            let answer = gate.list_truck_visits(request).await?.into_inner();
            Ok((answer.truck_visits, answer.next_page_token))
        })
        .await?;
    show::many(session, &rows)
}

impl Shown for TruckVisit {
    const MESSAGE: &'static str = "greenlane.gate.v1.TruckVisit";
    const COLUMNS: &'static [&'static str] = &[
        "truck visit",
        "state",
        "site",
        "plates",
        "containers",
        "haulier",
        "pre-arrival",
        "weight in",
        "weight out",
        "next inspection",
        "arrived",
        "in",
        "out",
        "end",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.truck_visit_id.clone(),
            word(self.state().as_str_name(), "TRUCK_VISIT_STATE_"),
            self.site_id.clone(),
            plates(self.vehicle.as_ref()),
            containers(&self.containers),
            self.haulier_party.clone(),
            self.pre_arrival_id.clone(),
            quantity(self.weight_in.as_ref()),
            quantity(self.weight_out.as_ref()),
            self.next_inspection_site.clone(),
            when(self.arrived_at.as_ref()),
            when(self.gated_in_at.as_ref()),
            when(self.gated_out_at.as_ref()),
            word(self.completion().as_str_name(), "COMPLETION_"),
        ]
    }

    fn below(&self) -> Vec<String> {
        let mut lines = show::conditions(&self.conditions);
        for inspection in &self.inspections {
            let ended = match when(inspection.ended_at.as_ref()) {
                ended if ended.is_empty() => "open".to_owned(),
                ended => format!("ended {ended}"),
            };
            lines.push(format!(
                "Inspection {} ({ended}), ordered by {}: {}",
                inspection.inspection_id, inspection.ordered_by_party, inspection.reason
            ));
            lines.extend(inspection.steps.iter().map(|step| {
                let result = word(step.result().as_str_name(), "INSPECTION_RESULT_");
                let result = if result.is_empty() {
                    "not yet"
                } else {
                    &result
                };
                format!("- {}: {result} {}", step.inspection_site, step.note)
            }));
        }
        for admission in &self.admissions {
            let by = match admission.decided_by_subject.as_str() {
                "" => "the lane".to_owned(),
                person => format!("{person}, because {}", admission.reason),
            };
            let act = if admission.contra {
                "taken back"
            } else {
                "opened"
            };
            lines.push(format!(
                "Barrier {} {act} {} by {by}, on {} facts",
                word(admission.barrier().as_str_name(), "BARRIER_"),
                when(admission.decided_at.as_ref()),
                admission.evidence.len()
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(state: TruckVisitState) -> TruckVisit {
        TruckVisit {
            truck_visit_id: "truck-1".to_owned(),
            state: state.into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_barrier_that_opens_is_done_as_asked_and_one_that_stays_shut_is_a_failure() {
        let inside = visit(TruckVisitState::GatedIn);
        let closed = visit(TruckVisitState::Closed);
        let told = way_out(CheckOutOutcome::LetOut, &closed).unwrap();
        assert!(told.starts_with("Outcome: let out"), "{told}");
        for (outcome, named) in [
            (CheckOutOutcome::Refused, "Outcome: refused"),
            (CheckOutOutcome::ManualReview, "gate review truck-1"),
            (CheckOutOutcome::Unspecified, "take it for shut"),
        ] {
            let error = way_out(outcome, &inside).unwrap_err();
            assert_eq!(error.exit_code(), 1);
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn an_empty_truck_that_never_checked_in_leaves_and_is_told_why_its_visit_ends_as_turned_away() {
        let away = visit(TruckVisitState::TurnedAway);
        let told = way_out(CheckOutOutcome::LetOut, &away).unwrap();
        assert!(told.contains("The barrier opens"), "{told}");
        assert!(told.contains("never let in"), "{told}");
    }
}
