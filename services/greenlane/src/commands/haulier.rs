//! The haulier's commands: one filing for each truck that will come, and what stands in its way.

use clap::{Subcommand, ValueEnum};
use proto::gate::v1::{
    CancelPreArrivalRequest, Driver, GetPreArrivalRequest, ListPreArrivalsRequest, PreArrival,
    PreArrivalContainer, PreArrivalKind, PreArrivalList, PreArrivalState, ReplaceVehicleRequest,
    SubmitPreArrivalRequest, Vehicle,
};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::arguments::{FiledContainer, Listing, Moment, VehicleArguments, kilograms, vehicle};
use super::show::{self, Shown, quantity, when, word};
use super::stock_list::CarriedLine;
use crate::client::{ClientError, Session};
use crate::parties::{CENTRE, PORT};

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
             --plate 渝B23456 --driver 'Chen Jie' --licence 500102198805051234 --phone '+86 23 5550 0102' --planned +5h
         greenlane haulier pre-arrive --kind full-in --container MSKU9070323 --verified-mass 24480 --seal CN482913 \\
             --declaration 26GB4ZK7Q1M0X9T2A6 --plate 渝A12345 --driver 'Li Wei' --licence 500101199001011234 --planned +3h
         greenlane haulier pre-arrive --kind bond-transfer --list QD800026I000000007 --line 1=20:NAR \\
             --container MSKU9070323 --plate 渝A12345 --driver 'Li Wei' --licence 500101199001011234 --planned +3h
         greenlane haulier pre-arrive --kind bond-exit --list QD800026E000000003 --plate 渝A12345 --driver 'Li Wei' \\
             --licence 500101199001011234 --planned +3h --as operator --haulier haulier-a"
    )]
    PreArrive(PreArriveArguments),
    /// Take a filing back while no truck has used it
    #[command(
        after_help = "Example: greenlane haulier cancel 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --reason 'box not needed'"
    )]
    Cancel {
        /// The pre-arrival's id
        #[arg(value_name = "PRE-ARRIVAL")]
        pre_arrival: String,
        /// Why
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// The version that you have seen; the current one if not given
        #[arg(long, value_name = "VERSION")]
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
        #[arg(value_name = "PRE-ARRIVAL")]
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
    /// A container: its number, and after commas size=, seal=, mass= and verified= (kilograms), class=,
    /// set-point= (degrees Celsius); may be repeated
    #[arg(long = "container", value_name = "CONTAINER")]
    containers: Vec<FiledContainer>,
    /// The verified gross mass of the only container, in kilograms; full-in needs it
    #[arg(long, value_name = "KILOGRAMS")]
    verified_mass: Option<String>,
    /// A seal of the only container; may be repeated
    #[arg(long = "seal", value_name = "SEAL")]
    seals: Vec<String>,
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
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    planned: Moment,
    /// A declaration it is about (MRN or LRN); may be repeated; full-in comes in on them and needs one
    #[arg(
        long = "declaration",
        visible_alias = "document",
        value_name = "DECLARATION"
    )]
    declarations: Vec<String>,
    /// The stock list whose goods it carries; bond-transfer and bond-exit need it
    #[arg(long, default_value = "", hide_default_value = true)]
    list: String,
    /// How much it carries of a line of the list: LINE=QUANTITY:UNIT, in the declared unit; may be repeated; all
    /// that is left of the list if not given
    #[arg(long = "line", requires = "list", value_name = "LINE")]
    lines: Vec<CarriedLine>,
    /// Of a bond-transfer: the bonded centre that it goes to; ours if not given
    #[arg(long, value_name = "SITE")]
    second_site: Option<String>,
    /// The firm whose truck it is, where the centre's operator files for it
    #[arg(long, default_value = "", hide_default_value = true)]
    haulier: String,
    /// The site; the port if not given, of a bond-exit the centre
    #[arg(long)]
    site: Option<String>,
    /// Only check: the same answer, and nothing is filed
    #[arg(long)]
    check: bool,
}

/// What changes about a filing.
#[derive(Debug, clap::Args)]
pub struct ReplaceArguments {
    /// The pre-arrival's id
    #[arg(value_name = "PRE-ARRIVAL")]
    pre_arrival: String,
    /// The tractor that will come
    #[arg(long, required_unless_present = "driver")]
    plate: Option<String>,
    /// The trailer that will come
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
    #[arg(long, value_name = "VERSION")]
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
    /// Brings a laden container for export
    FullIn,
    /// Takes goods of an increase list into the bonded centre
    BondTransfer,
    /// Takes goods of a decrease list out of the bonded centre
    BondExit,
}

impl KindArgument {
    /// Where such a truck comes to if no site is named.
    fn site(self) -> &'static str {
        match self {
            Self::BondExit => CENTRE,
            Self::FullOut
            | Self::EmptyIn
            | Self::EmptyOut
            | Self::EmptyVehicle
            | Self::FullIn
            | Self::BondTransfer => PORT,
        }
    }

    /// Where it goes on to if no second site is named; empty if nowhere.
    fn second_site(self) -> &'static str {
        match self {
            Self::BondTransfer => CENTRE,
            _ => "",
        }
    }
}

impl From<KindArgument> for PreArrivalKind {
    fn from(kind: KindArgument) -> Self {
        match kind {
            KindArgument::FullOut => Self::FullOut,
            KindArgument::EmptyIn => Self::EmptyIn,
            KindArgument::EmptyOut => Self::EmptyOut,
            KindArgument::EmptyVehicle => Self::EmptyVehicle,
            KindArgument::FullIn => Self::FullIn,
            KindArgument::BondTransfer => Self::BondTransfer,
            KindArgument::BondExit => Self::BondExit,
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

/// The containers as filed: mass and seals that are said beside them are the only container's.
fn filed_containers(
    containers: Vec<FiledContainer>,
    verified_mass: Option<String>,
    seals: Vec<String>,
) -> Result<Vec<PreArrivalContainer>, ClientError> {
    let mut containers: Vec<_> = containers
        .into_iter()
        .map(|FiledContainer(container)| container)
        .collect();
    if verified_mass.is_none() && seals.is_empty() {
        return Ok(containers);
    }
    let [only] = containers.as_mut_slice() else {
        return Err(ClientError::Usage(
            "--verified-mass and --seal are of one container; of two, write verified= and seal= behind each number"
                .to_owned(),
        ));
    };
    if let Some(verified) = verified_mass {
        only.verified_mass = Some(kilograms(&verified));
    }
    only.seals.extend(seals);
    Ok(containers)
}

async fn pre_arrive(arguments: PreArriveArguments, session: &Session) -> Result<(), ClientError> {
    let list = (!arguments.list.is_empty()).then(|| PreArrivalList {
        list_number: arguments.list,
        lines: arguments
            .lines
            .into_iter()
            .map(|CarriedLine(line)| line)
            .collect(),
    });
    let request = SubmitPreArrivalRequest {
        request_id: session.request_id(),
        validate_only: arguments.check,
        site_id: arguments
            .site
            .unwrap_or_else(|| arguments.kind.site().to_owned()),
        kind: PreArrivalKind::from(arguments.kind).into(),
        vehicle: Some(arguments.vehicle.vehicle()),
        driver: Some(Driver {
            name: arguments.driver,
            licence: arguments.licence,
            phone: arguments.phone,
        }),
        containers: filed_containers(
            arguments.containers,
            arguments.verified_mass,
            arguments.seals,
        )?,
        document_references: arguments.declarations,
        planned_arrival: Some(arguments.planned.timestamp()),
        list,
        second_site_id: arguments
            .second_site
            .unwrap_or_else(|| arguments.kind.second_site().to_owned()),
        haulier_party: arguments.haulier,
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
        "declarations",
        "list",
        "goes on to",
        "pass",
        "haulier",
        "filed by",
        "planned",
        "in the way",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.pre_arrival_id.clone(),
            self.number.clone(),
            word(self.state().as_str_name(), "PRE_ARRIVAL_STATE_"),
            word(self.kind().as_str_name(), "PRE_ARRIVAL_KIND_"),
            plates(self.vehicle.as_ref()),
            containers(&self.containers),
            self.document_references.join(", "),
            self.list.as_ref().map(carried).unwrap_or_default(),
            self.second_site_id.clone(),
            self.pass_number.clone(),
            self.haulier_party.clone(),
            self.filer_party.clone(),
            when(self.planned_arrival.as_ref()),
            show::condition_codes(&self.conditions),
        ]
    }

    fn below(&self) -> Vec<String> {
        let mut lines = show::conditions(&self.conditions);
        lines.extend(self.containers.iter().filter_map(known_of));
        for (site, truck_visit) in [
            (&self.site_id, &self.truck_visit_id),
            (&self.second_site_id, &self.second_truck_visit_id),
        ] {
            if !truck_visit.is_empty() {
                lines.push(format!("Truck visit {truck_visit} at {site}"));
            }
        }
        let usable = matches!(self.state(), PreArrivalState::Ready | PreArrivalState::Used);
        if usable && !self.pass_number.is_empty() {
            lines.extend(qr_code(&self.pass_number));
        }
        lines
    }
}

/// The part of a stock list in one text: all that is left, if no line is named.
fn carried(list: &PreArrivalList) -> String {
    let lines: Vec<_> = list
        .lines
        .iter()
        .map(|line| format!("{}: {}", line.line_number, quantity(line.quantity.as_ref())))
        .collect();
    if lines.is_empty() {
        return list.list_number.clone();
    }
    format!("{} ({})", list.list_number, lines.join(", "))
}

/// What is filed about a container beside its number.
fn known_of(container: &PreArrivalContainer) -> Option<String> {
    let known = [
        ("seals", container.seals.join(" ")),
        ("verified mass", quantity(container.verified_mass.as_ref())),
        ("set point", container.reefer_set_point_celsius.clone()),
    ];
    let known: Vec<_> = known
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(what, value)| format!("{what} {value}"))
        .collect();
    (!known.is_empty()).then(|| format!("{}: {}", container.container_number, known.join(", ")))
}

/// A pass as a lane's scanner reads it off a screen: light on the dark ground of a terminal.
fn qr_code(pass_number: &str) -> Vec<String> {
    let Ok(code) = QrCode::new(pass_number) else {
        // More than any code holds: the number itself stands above.
        return Vec::new();
    };
    code.render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Vec<FiledContainer> {
        vec!["MSKU9070323,seal=CN1".parse().unwrap()]
    }

    #[test]
    fn mass_and_seals_beside_a_container_are_the_only_ones() {
        let seals = vec!["CN2".to_owned()];
        let filed = filed_containers(one(), Some("24480".to_owned()), seals).unwrap();
        assert_eq!(filed[0].verified_mass, Some(kilograms("24480")));
        assert_eq!(filed[0].seals, ["CN1", "CN2"]);
        let two = [one(), one()].concat();
        assert_eq!(
            filed_containers(two.clone(), None, vec![]).unwrap().len(),
            2
        );
        let refused = filed_containers(two, Some("24480".to_owned()), vec![]);
        assert!(matches!(refused, Err(ClientError::Usage(_))));
    }

    #[test]
    fn a_pass_that_may_be_used_is_shown_as_a_square_for_the_scanner() {
        let shown = |state: PreArrivalState| {
            let filing = PreArrival {
                pass_number: "BLC026AAAAAAAAAAAAAAAAAA".to_owned(),
                state: state.into(),
                ..Default::default()
            };
            filing.below()
        };
        let square = shown(PreArrivalState::Ready);
        let width = square[0].chars().count();
        assert!(square.iter().all(|line| line.chars().count() == width));
        // A character is as high as two modules.
        assert_eq!(square.len(), width.div_ceil(2));
        assert_eq!(shown(PreArrivalState::Cancelled), Vec::<String>::new());
    }

    #[test]
    fn what_a_truck_carries_of_a_list_is_told_by_line() {
        let CarriedLine(line) = "1=20:NAR".parse().unwrap();
        let list = PreArrivalList {
            list_number: "QD800026I000000007".to_owned(),
            lines: vec![line],
        };
        assert_eq!(carried(&list), "QD800026I000000007 (1: 20 NAR)");
    }
}
