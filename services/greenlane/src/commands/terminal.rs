//! The terminal's commands: its holds, and what of its yard can be picked up.

use clap::{Subcommand, ValueEnum};
use proto::common::v1::HoldKind;
use proto::gate::v1::{
    ContainerVisit, ContainerVisitPhase, GetContainerVisitRequest, LiftHoldRequest,
    ListContainerVisitsRequest, PlaceHoldRequest, SetAvailabilityRequest,
};

use super::arguments::{Held, Listing, container_visit_id};
use super::show::{self, Shown, quantity, when, word, yes};
use crate::client::{ClientError, Session};
use crate::parties::PORT;

/// The terminal's commands.
#[derive(Debug, Subcommand)]
pub enum TerminalCommand {
    /// Hold a container, a truck or a firm
    #[command(after_help = "\
Example: greenlane terminal hold MSKU9070323 --reason 'storage not paid'
         greenlane terminal hold plate/渝A12345 --kind safety --reason 'leaking diesel'
         greenlane terminal hold party/haulier-b --reason 'insurance ran out'")]
    Hold {
        /// A container number or visit, plate/PLATE or party/PARTY
        subject: Held,
        /// Which kind of reason
        #[arg(long, default_value = "terminal")]
        kind: TerminalHoldKind,
        /// Why
        #[arg(long)]
        reason: String,
        /// The site
        #[arg(long, default_value = PORT)]
        site: String,
        /// Only check: the same answer, and nothing is held
        #[arg(long)]
        check: bool,
    },
    /// Lift one hold that your terminal placed
    #[command(
        after_help = "Example: greenlane terminal lift 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --reason paid"
    )]
    Lift {
        /// The hold's id
        hold: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Say that a container can be picked up, or that it cannot
    #[command(after_help = "\
Example: greenlane terminal available MSKU9070323
         greenlane terminal available MSKU9070323 --not --reason 'under three others'")]
    Available {
        /// A container number or visit
        container: String,
        /// It cannot be picked up
        #[arg(long)]
        not: bool,
        /// Why not
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// The site, where a number is given
        #[arg(long, default_value = PORT)]
        site: String,
        /// The visit's version that you have seen
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
    },
    /// Show one container visit with its holds
    #[command(after_help = "Example: greenlane terminal show MSKU9070323")]
    Show {
        /// A container number (its open visit) or a visit
        container: String,
        /// The site, where a number is given
        #[arg(long, default_value = PORT)]
        site: String,
    },
    /// List container visits, newest first
    #[command(after_help = "Example: greenlane terminal list --phase arrived")]
    List {
        /// Only in this phase
        #[arg(long)]
        phase: Option<PhaseArgument>,
        /// Only of this container
        #[arg(long, default_value = "", hide_default_value = true)]
        container: String,
        /// Only with this transport document on the manifest
        #[arg(
            long,
            default_value = "",
            hide_default_value = true,
            value_name = "TRANSPORT-DOCUMENT"
        )]
        transport_document: String,
        /// Only of this train or barge
        #[arg(long, default_value = "", hide_default_value = true)]
        conveyance: String,
        /// Only at this site
        #[arg(long, default_value = "", hide_default_value = true)]
        site: String,
        #[command(flatten)]
        listing: Listing,
    },
}

/// The kinds of holds that are the terminal's.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TerminalHoldKind {
    /// The terminal's own reasons
    Terminal,
    /// Damage, leaks, dangerous goods
    Safety,
}

/// Where a container visit is in its life.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PhaseArgument {
    /// On its way
    Announced,
    /// At the site
    Arrived,
    /// Gone
    Departed,
    /// Announced and not landed
    ShortLanded,
}

impl From<PhaseArgument> for ContainerVisitPhase {
    fn from(phase: PhaseArgument) -> Self {
        match phase {
            PhaseArgument::Announced => Self::Announced,
            PhaseArgument::Arrived => Self::Arrived,
            PhaseArgument::Departed => Self::Departed,
            PhaseArgument::ShortLanded => Self::ShortLanded,
        }
    }
}

/// Carries out a terminal's command.
///
/// # Errors
/// What gate refuses.
pub async fn run(command: TerminalCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        TerminalCommand::Hold {
            subject: Held(scope),
            kind,
            reason,
            site,
            check,
        } => {
            let kind = match kind {
                TerminalHoldKind::Terminal => HoldKind::Terminal,
                TerminalHoldKind::Safety => HoldKind::Safety,
            };
            let request = PlaceHoldRequest {
                request_id: session.request_id(),
                validate_only: check,
                site_id: site,
                scope: Some(scope),
                kind: kind.into(),
                reason,
            };
            let answer = session.gate()?.place_hold(request).await?;
            show::one(session, &answer.into_inner().hold.unwrap_or_default())
        }
        TerminalCommand::Lift { hold, reason } => {
            let request = LiftHoldRequest {
                request_id: session.request_id(),
                hold_id: hold,
                reason,
            };
            let answer = session.gate()?.lift_hold(request).await?;
            show::one(session, &answer.into_inner().hold.unwrap_or_default())
        }
        TerminalCommand::Available {
            container,
            not,
            reason,
            site,
            expected_version,
        } => {
            let request = SetAvailabilityRequest {
                request_id: session.request_id(),
                container_visit_id: container_visit_id(session, &site, &container).await?,
                available: !not,
                reason,
                expected_version,
            };
            let answer = session.gate()?.set_availability(request).await?;
            show::one(
                session,
                &answer.into_inner().container_visit.unwrap_or_default(),
            )
        }
        TerminalCommand::Show { container, site } => {
            let request = GetContainerVisitRequest {
                container_visit_id: container_visit_id(session, &site, &container).await?,
            };
            let answer = session.gate()?.get_container_visit(request).await?;
            show::one(
                session,
                &answer.into_inner().container_visit.unwrap_or_default(),
            )
        }
        TerminalCommand::List {
            phase,
            container,
            transport_document,
            conveyance,
            site,
            listing,
        } => {
            let filter = ListContainerVisitsRequest {
                site_id: site,
                container_number: container,
                transport_document,
                conveyance,
                phase: phase
                    .map(ContainerVisitPhase::from)
                    .unwrap_or_default()
                    .into(),
                page: None,
            };
            list(filter, listing, session).await
        }
    }
}

async fn list(
    filter: ListContainerVisitsRequest,
    listing: Listing,
    session: &Session,
) -> Result<(), ClientError> {
    let mut gate = session.gate()?;
    let rows = listing
        .fetch(async |page| {
            let request = ListContainerVisitsRequest {
                page: Some(page),
                ..filter.clone()
            };
            let answer = gate.list_container_visits(request).await?.into_inner();
            Ok((answer.container_visits, answer.next_page_token))
        })
        .await?;
    show::many(session, &rows)
}

/// The train, barge or truck that took a container; empty while it is here.
fn left_by(visit: &ContainerVisit) -> String {
    match visit.departed_with_truck_visit_id.as_str() {
        "" => visit.departure_conveyance.clone(),
        truck_visit => format!("truck visit {truck_visit}"),
    }
}

impl Shown for ContainerVisit {
    const MESSAGE: &'static str = "greenlane.gate.v1.ContainerVisit";
    const COLUMNS: &'static [&'static str] = &[
        "container visit",
        "phase",
        "came by",
        "transport documents",
        "declarations",
        "list",
        "verified mass",
        "available",
        "empty",
        "seal mismatch",
        "over-landed",
        "arrived",
        "loaded on",
        "departed",
        "left by",
    ];

    fn cells(&self) -> Vec<String> {
        let documents: Vec<_> = self
            .manifest_lines
            .iter()
            .map(|line| line.transport_document.clone())
            .collect();
        let mode = word(self.arrival_mode().as_str_name(), "TRANSPORT_MODE_");
        vec![
            self.container_visit_id.clone(),
            word(self.phase().as_str_name(), "CONTAINER_VISIT_PHASE_"),
            format!("{mode} {}", self.arrival_conveyance)
                .trim()
                .to_owned(),
            documents.join(", "),
            self.document_references.join(", "),
            self.list_number.clone(),
            quantity(self.verified_mass.as_ref()),
            yes(self.available),
            yes(self.empty),
            yes(self.seal_mismatch),
            yes(self.over_landed),
            when(self.arrived_at.as_ref()),
            self.loaded_on.clone(),
            when(self.departed_at.as_ref()),
            left_by(self),
        ]
    }

    fn below(&self) -> Vec<String> {
        self.holds.iter().map(show::hold).collect()
    }
}
