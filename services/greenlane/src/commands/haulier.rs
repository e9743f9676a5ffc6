//! The haulier's commands: one filing for each truck that will come, and what stands in its way.

use clap::{Subcommand, ValueEnum};
use proto::gate::v1::{
    CancelPreArrivalRequest, Driver, GetPreArrivalRequest, ListPreArrivalsRequest, PreArrival,
    PreArrivalContainer, PreArrivalKind, PreArrivalState, ReplaceVehicleRequest,
    SubmitPreArrivalRequest, Vehicle,
};

use super::arguments::{FiledContainer, Listing, Moment, VehicleArguments, vehicle};
use super::show::{self, Shown, when, word};
use crate::client::{ClientError, Session};
use crate::parties::PORT;

/// So often a change is tried that others' facts overtake.
const STALE_TRIES_MAX: u32 = 5;

/// The haulier's commands.
#[derive(Debug, Subcommand)]
pub enum HaulierCommand {
    /// File a truck's coming
    #[command(
        name = "pre-arrive",
        after_help = "\
Example: greenlane haulier pre-arrive --kind full-out --container MSKU9070323 --plate 渝A12345 \\
             --driver 'Li Wei' --licence 500101199001011234 --phone '+86 23 5550 0101' --planned +3h
         greenlane haulier pre-arrive --kind empty-in --container TGHU7599330,size=45G1,mass=4000 \\
             --plate 渝B23456 --driver 'Chen Jie' --licence 500102198805051234 --phone '+86 23 5550 0102' --planned +5h"
    )]
    PreArrive(PreArriveArguments),
    /// Take a filing back while no truck has used it
    #[command(
        after_help = "Example: greenlane haulier cancel 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --reason 'box not needed'"
    )]
    Cancel {
        /// The pre-arrival's id
        pre_arrival: String,
        /// Why
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// The version that you have seen; the current one if not given
        #[arg(long)]
        expected_version: Option<u64>,
    },
    /// Say that another truck or driver will come
    #[command(
        after_help = "Example: greenlane haulier replace 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --plate 渝A54321"
    )]
    Replace(ReplaceArguments),
    /// Show one filing and what stands in its way
    #[command(after_help = "Example: greenlane haulier show 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11")]
    Show {
        /// The pre-arrival's id, or the number that the driver shows
        pre_arrival: String,
    },
    /// List filings, newest first
    #[command(after_help = "Example: greenlane haulier list --in-state blocked")]
    List {
        /// Only in this state
        #[arg(long = "in-state")]
        state: Option<StateArgument>,
        /// Only of this truck
        #[arg(long, default_value = "", hide_default_value = true)]
        plate: String,
        /// Only naming this container
        #[arg(long, default_value = "", hide_default_value = true)]
        container: String,
        /// Only at this site
        #[arg(long, default_value = "", hide_default_value = true)]
        site: String,
        #[command(flatten)]
        listing: Listing,
    },
}

/// One truck's coming.
#[derive(Debug, clap::Args)]
pub struct PreArriveArguments {
    /// What the truck comes for
    #[arg(long)]
    kind: KindArgument,
    /// A container: its number, and after commas size=, seal=, mass= (kilograms), class=; may be repeated
    #[arg(long = "container")]
    containers: Vec<FiledContainer>,
    #[command(flatten)]
    vehicle: VehicleArguments,
    /// The driver's name
    #[arg(long)]
    driver: String,
    /// The driver's licence number
    #[arg(long)]
    licence: String,
    /// The driver's telephone
    #[arg(long, default_value = "", hide_default_value = true)]
    phone: String,
    /// When the truck will come: 2026-11-24T08:00:00Z, or from now: +3h
    #[arg(long, allow_hyphen_values = true)]
    planned: Moment,
    /// A declaration it is about (MRN or LRN), for people; may be repeated
    #[arg(long = "document")]
    documents: Vec<String>,
    /// The site
    #[arg(long, default_value = PORT)]
    site: String,
    /// Only check: the same answer, and nothing is filed
    #[arg(long)]
    check: bool,
}

/// What changes about a filing.
#[derive(Debug, clap::Args)]
pub struct ReplaceArguments {
    /// The pre-arrival's id
    pre_arrival: String,
    /// The tractor that will come
    #[arg(long, required_unless_present = "driver")]
    plate: Option<String>,
    /// The trailer that will come
    #[arg(long, requires = "plate")]
    trailer: Option<String>,
    /// Country of the plates, two letters; Chinese if not given
    #[arg(long, default_value = "", hide_default_value = true)]
    plate_country: String,
    /// The driver who will come
    #[arg(long, requires = "licence")]
    driver: Option<String>,
    /// The driver's licence number
    #[arg(long, default_value = "", hide_default_value = true)]
    licence: String,
    /// The driver's telephone
    #[arg(long, default_value = "", hide_default_value = true)]
    phone: String,
    /// The version that you have seen; the current one if not given
    #[arg(long)]
    expected_version: Option<u64>,
    /// Only check: the same answer, and nothing is changed
    #[arg(long)]
    check: bool,
}

/// What a truck comes for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KindArgument {
    /// Picks up a laden container
    FullOut,
    /// Brings an empty container
    EmptyIn,
    /// Picks up an empty container
    EmptyOut,
    /// Neither brings nor takes a container
    EmptyVehicle,
}

impl From<KindArgument> for PreArrivalKind {
    fn from(kind: KindArgument) -> Self {
        match kind {
            KindArgument::FullOut => Self::FullOut,
            KindArgument::EmptyIn => Self::EmptyIn,
            KindArgument::EmptyOut => Self::EmptyOut,
            KindArgument::EmptyVehicle => Self::EmptyVehicle,
        }
    }
}

/// Where a filing is in its life.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum StateArgument {
    /// Something is in its way
    Blocked,
    /// The truck may come
    Ready,
    /// The truck has been let in
    Used,
    /// Taken back
    Cancelled,
    /// The truck did not come
    Expired,
}

impl From<StateArgument> for PreArrivalState {
    fn from(state: StateArgument) -> Self {
        match state {
            StateArgument::Blocked => Self::Blocked,
            StateArgument::Ready => Self::Ready,
            StateArgument::Used => Self::Used,
            StateArgument::Cancelled => Self::Cancelled,
            StateArgument::Expired => Self::Expired,
        }
    }
}

/// Carries out a haulier's command.
///
/// # Errors
/// What gate refuses.
pub async fn run(command: HaulierCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        HaulierCommand::PreArrive(arguments) => pre_arrive(arguments, session).await,
        HaulierCommand::Cancel {
            pre_arrival,
            reason,
            expected_version,
        } => cancel(pre_arrival, reason, expected_version, session).await,
        HaulierCommand::Replace(arguments) => replace(arguments, session).await,
        HaulierCommand::Show { pre_arrival } => {
            show::one(session, &get(&pre_arrival, session).await?)
        }
        HaulierCommand::List {
            state,
            plate,
            container,
            site,
            listing,
        } => {
            let filter = ListPreArrivalsRequest {
                site_id: site,
                state: state.map(PreArrivalState::from).unwrap_or_default().into(),
                plate,
                container_number: container,
                page: None,
            };
            list(filter, listing, session).await
        }
    }
}

async fn pre_arrive(arguments: PreArriveArguments, session: &Session) -> Result<(), ClientError> {
    let request = SubmitPreArrivalRequest {
        request_id: session.request_id(),
        validate_only: arguments.check,
        site_id: arguments.site,
        kind: PreArrivalKind::from(arguments.kind).into(),
        vehicle: Some(arguments.vehicle.vehicle()),
        driver: Some(Driver {
            name: arguments.driver,
            licence: arguments.licence,
            phone: arguments.phone,
        }),
        containers: arguments
            .containers
            .into_iter()
            .map(|FiledContainer(container)| container)
            .collect(),
        document_references: arguments.documents,
        planned_arrival: Some(arguments.planned.timestamp()),
        ..Default::default()
    };
    let answer = session.gate()?.submit_pre_arrival(request).await?;
    show::one(
        session,
        &answer.into_inner().pre_arrival.unwrap_or_default(),
    )
}

async fn cancel(
    pre_arrival: String,
    reason: String,
    expected_version: Option<u64>,
    session: &Session,
) -> Result<(), ClientError> {
    let cancelled = changed(
        pre_arrival,
        expected_version,
        session,
        async |pre_arrival_id, expected_version| {
            let request = CancelPreArrivalRequest {
                request_id: session.request_id(),
                pre_arrival_id,
                expected_version,
                reason: reason.clone(),
            };
            let answer = session.gate()?.cancel_pre_arrival(request).await?;
            Ok(answer.into_inner().pre_arrival.unwrap_or_default())
        },
    );
    show::one(session, &cancelled.await?)
}

async fn replace(arguments: ReplaceArguments, session: &Session) -> Result<(), ClientError> {
    let coming = |plate: &String| {
        vehicle(
            plate,
            arguments.trailer.as_deref(),
            &arguments.plate_country,
        )
    };
    let replaced = changed(
        arguments.pre_arrival.clone(),
        arguments.expected_version,
        session,
        async |pre_arrival_id, expected_version| {
            let request = ReplaceVehicleRequest {
                request_id: session.request_id(),
                validate_only: arguments.check,
                pre_arrival_id,
                expected_version,
                vehicle: arguments.plate.as_ref().map(coming),
                driver: arguments.driver.as_ref().map(|name| Driver {
                    name: name.clone(),
                    licence: arguments.licence.clone(),
                    phone: arguments.phone.clone(),
                }),
            };
            let answer = session.gate()?.replace_vehicle(request).await?;
            Ok(answer.into_inner().pre_arrival.unwrap_or_default())
        },
    );
    show::one(session, &replaced.await?)
}

/// Changes a filing against the version that was given, else against the current one: whoever names none
/// means the filing as it is, also if a fact moves it between the look and the change.
async fn changed(
    pre_arrival: String,
    expected_version: Option<u64>,
    session: &Session,
    mut change: impl AsyncFnMut(String, u64) -> Result<PreArrival, ClientError>,
) -> Result<PreArrival, ClientError> {
    if let Some(version) = expected_version {
        return change(pre_arrival, version).await;
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let current = get(&pre_arrival, session).await?;
        match change(current.pre_arrival_id, current.version).await {
            Err(ClientError::Refused(refusal))
                if refusal.reason == "STALE_VERSION" && tries < STALE_TRIES_MAX => {}
            outcome => return outcome,
        }
    }
}

async fn get(pre_arrival: &str, session: &Session) -> Result<PreArrival, ClientError> {
    let request = GetPreArrivalRequest {
        pre_arrival_id: pre_arrival.to_owned(),
    };
    let answer = session.gate()?.get_pre_arrival(request).await?;
    Ok(answer.into_inner().pre_arrival.unwrap_or_default())
}

async fn list(
    filter: ListPreArrivalsRequest,
    listing: Listing,
    session: &Session,
) -> Result<(), ClientError> {
    let mut gate = session.gate()?;
    let rows = listing
        .fetch(async |page| {
            let request = ListPreArrivalsRequest {
                page: Some(page),
                ..filter.clone()
            };
            let answer = gate.list_pre_arrivals(request).await?.into_inner();
            Ok((answer.pre_arrivals, answer.next_page_token))
        })
        .await?;
    show::many(session, &rows)
}

/// A truck's plates in one text.
pub fn plates(vehicle: Option<&Vehicle>) -> String {
    let plates = vehicle
        .into_iter()
        .flat_map(|vehicle| [vehicle.tractor.as_ref(), vehicle.trailer.as_ref()]);
    plates
        .flatten()
        .map(|plate| plate.text.clone())
        .collect::<Vec<_>>()
        .join(" + ")
}

/// Containers in one text.
pub fn containers(containers: &[PreArrivalContainer]) -> String {
    containers
        .iter()
        .map(|container| container.container_number.clone())
        .collect::<Vec<_>>()
        .join(", ")
}

impl Shown for PreArrival {
    const MESSAGE: &'static str = "greenlane.gate.v1.PreArrival";
    const COLUMNS: &'static [&'static str] = &[
        "pre-arrival",
        "number",
        "state",
        "kind",
        "plates",
        "containers",
        "haulier",
        "planned",
        "in the way",
    ];

    fn cells(&self) -> Vec<String> {
        let in_the_way: Vec<_> = self
            .conditions
            .iter()
            .map(|condition| condition.code.clone())
            .collect();
        vec![
            self.pre_arrival_id.clone(),
            self.number.clone(),
            word(self.state().as_str_name(), "PRE_ARRIVAL_STATE_"),
            word(self.kind().as_str_name(), "PRE_ARRIVAL_KIND_"),
            plates(self.vehicle.as_ref()),
            containers(&self.containers),
            self.haulier_party.clone(),
            when(self.planned_arrival.as_ref()),
            in_the_way.join(", "),
        ]
    }

    fn below(&self) -> Vec<String> {
        show::conditions(&self.conditions)
    }
}
