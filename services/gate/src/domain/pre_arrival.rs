//! The pre-arrival: a haulier's filing for one truck. It is read whole (all faults at once), and its state
//! between filing and use is derived from the conditions, never set by hand. It must not know how the
//! conditions are found: that is `readiness`.
//!
//! ```text
//! SUBMITTED -> BLOCKED | READY      BLOCKED <-> READY
//! BLOCKED | READY -> CANCELLED | EXPIRED | USED
//! ```

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{
    ContainerNumber, Direction, Fault, GatePassNumber, Mrn, Plate, Quantity, Refusal, SizeType,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::condition::{self, Condition};
use super::filing::{self, Faults, WrittenPlate, WrittenQuantity};
use super::list_passage::{self, FiledList, WrittenList};

/// The most containers on one truck: two of twenty feet.
pub const CONTAINERS_MAX: usize = 2;
/// The most declarations that a filing names.
pub const DOCUMENT_REFERENCES_MAX: usize = 20;
/// The longest document reference, in characters.
const DOCUMENT_REFERENCE_CHARS_MAX: usize = 35;
/// How far ahead a truck can be filed, in days.
const PLANNED_AHEAD_DAYS_MAX: i64 = 60;
/// The longest name of a driver, in characters.
const DRIVER_NAME_CHARS_MAX: usize = 100;
/// The longest licence number, in characters.
const DRIVER_LICENCE_CHARS_MAX: usize = 32;
/// The farthest set point of a reefer from zero, in degrees Celsius.
const SET_POINT_CELSIUS_MAX: u32 = 70;
/// The longest telephone number, in characters.
const DRIVER_PHONE_CHARS_MAX: usize = 32;

/// What a truck comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PreArrivalKind {
    /// Picks up a laden container.
    FullOut,
    /// Brings an empty container.
    EmptyIn,
    /// Picks up an empty container.
    EmptyOut,
    /// Neither brings nor takes one.
    EmptyVehicle,
    /// Brings a laden container for export.
    FullIn,
    /// Takes goods of an increase list from a site into a bonded centre: two sites, two truck visits.
    BondTransfer,
    /// Takes goods of a decrease list out of a bonded centre.
    BondExit,
}

impl PreArrivalKind {
    /// The word in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullOut => "FULL_OUT",
            Self::EmptyIn => "EMPTY_IN",
            Self::EmptyOut => "EMPTY_OUT",
            Self::EmptyVehicle => "EMPTY_VEHICLE",
            Self::FullIn => "FULL_IN",
            Self::BondTransfer => "BOND_TRANSFER",
            Self::BondExit => "BOND_EXIT",
        }
    }

    /// Whether the truck takes a container away.
    pub fn picks_up(self) -> bool {
        matches!(
            self,
            Self::FullOut | Self::EmptyOut | Self::BondTransfer | Self::BondExit
        )
    }

    /// Whether it carries a part of a stock list: the filing is a pass.
    pub fn carries_list(self) -> bool {
        matches!(self, Self::BondTransfer | Self::BondExit)
    }

    /// Whether what the truck takes leaves on a decision of release.
    pub fn leaves_on_decision(self) -> bool {
        self == Self::FullOut || self.carries_list()
    }

    /// Whether the truck brings a container, whose stay begins when it is let in.
    pub fn brings(self) -> bool {
        matches!(self, Self::EmptyIn | Self::FullIn)
    }
}

/// The state of a pre-arrival; SUBMITTED passes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PreArrivalState {
    /// Something is in its way.
    Blocked,
    /// The truck may come.
    Ready,
    /// The truck was let in on it.
    Used,
    /// Taken back.
    Cancelled,
    /// The truck did not come in time.
    Expired,
}

impl PreArrivalState {
    /// The word in tables and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "BLOCKED",
            Self::Ready => "READY",
            Self::Used => "USED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// A truck: one or two plates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vehicle {
    /// The tractor.
    pub tractor: Plate,
    /// The trailer, if there is one.
    pub trailer: Option<Plate>,
}

impl Vehicle {
    /// The normalised plates, tractor first.
    pub fn plates(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.tractor.as_str()).chain(self.trailer.as_ref().map(Plate::as_str))
    }
}

/// A driver: personal data, kept in one table only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// The record's id, by which everything else refers to it.
    pub driver_id: Uuid,
    /// Who employs the driver, and sees the record.
    pub haulier_party: String,
    /// Name.
    pub name: String,
    /// Licence number.
    pub licence: String,
    /// Telephone.
    pub phone: String,
}

/// A container of a filing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiledContainer {
    /// Its number.
    pub number: ContainerNumber,
    /// Its size-type.
    pub size_type: Option<SizeType>,
    /// Its seals as the haulier knows them.
    pub seals: Vec<String>,
    /// Gross mass with the container, in kilograms.
    pub gross_mass: Option<Quantity>,
    /// Dangerous-goods class; empty if none.
    pub dangerous_goods_class: String,
    /// The container visit it is bound to.
    pub container_visit_id: Option<String>,
    /// The haulier is told of that visit.
    #[serde(default)]
    pub visit_is_told: bool,
    /// Verified gross mass (SOLAS), in kilograms.
    #[serde(default)]
    pub verified_mass: Option<Quantity>,
    /// Set point of a reefer in degrees Celsius.
    #[serde(default)]
    pub reefer_set_point_celsius: Option<Decimal>,
}

/// A filing for one truck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreArrival {
    /// Its id.
    pub pre_arrival_id: Uuid,
    /// What the driver shows at the lane.
    pub number: String,
    /// Grows by one with every fact.
    pub version: u64,
    /// Where it is.
    pub state: PreArrivalState,
    /// What is in its way: for the site's own people.
    pub conditions: Vec<Condition>,
    /// What its haulier is told of that; published, too.
    #[serde(default)]
    pub told: Vec<Condition>,
    /// The site.
    pub site_id: String,
    /// What the truck comes for.
    pub kind: PreArrivalKind,
    /// The firm that filed and whose truck it is.
    pub haulier_party: String,
    /// The truck.
    pub vehicle: Vehicle,
    /// The driver's record.
    pub driver_id: Uuid,
    /// The containers.
    pub containers: Vec<FiledContainer>,
    /// Declarations it names, by MRN or LRN: a laden container comes in on them, otherwise they are for people.
    pub document_references: Vec<String>,
    /// When the truck is planned to come.
    pub planned_arrival: DateTime<Utc>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// When it was filed.
    pub submitted_at: DateTime<Utc>,
    /// The truck visit that used it; of a transfer, the one at the first site, while it is there and after it left
    /// with the goods.
    pub truck_visit_id: Option<Uuid>,
    /// Who filed, where it was not the haulier.
    #[serde(default)]
    pub filer_party: Option<String>,
    /// The part of a stock list that the truck carries.
    #[serde(default)]
    pub list: Option<FiledList>,
    /// Of a transfer: the bonded centre that the truck goes to.
    #[serde(default)]
    pub second_site_id: Option<String>,
    /// The number of the pass, from when it was READY.
    #[serde(default)]
    pub pass_number: Option<GatePassNumber>,
    /// Of a transfer: when the truck left the first site with the goods.
    #[serde(default)]
    pub on_the_road_since: Option<DateTime<Utc>>,
    /// Of a transfer: the truck visit at the second site.
    #[serde(default)]
    pub second_truck_visit_id: Option<Uuid>,
}

/// What can happen to a pre-arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreArrivalFact {
    /// Filed.
    Submitted,
    /// Nothing is in its way any more.
    Ready,
    /// Something is, or something else than before.
    Blocked,
    /// Another truck or driver.
    Replaced,
    /// The truck went in on it.
    Used,
    /// Taken back.
    Cancelled,
    /// The truck did not come in time.
    Expired,
}

/// What was found about a filing that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The visits that its containers are bound to, in the filing's order.
    pub visits: Vec<Option<BoundVisit>>,
    /// What is in its way.
    pub conditions: Vec<Condition>,
    /// What its haulier is told of that.
    pub told: Vec<Condition>,
}

/// A container visit to which a filing's container is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundVisit {
    /// Its id.
    pub container_visit_id: String,
    /// The haulier is told of it.
    pub is_told: bool,
}

/// A filing as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenPreArrival {
    /// The site.
    pub site_id: String,
    /// What the truck comes for; none if the filing does not say.
    pub kind: Option<PreArrivalKind>,
    /// The truck.
    pub vehicle: Option<WrittenVehicle>,
    /// The driver.
    pub driver: Option<WrittenDriver>,
    /// The containers.
    pub containers: Vec<WrittenContainer>,
    /// Declarations.
    pub document_references: Vec<String>,
    /// When the truck is planned to come.
    pub planned_arrival: Option<DateTime<Utc>>,
    /// The part of a stock list that the truck carries.
    pub list: Option<WrittenList>,
    /// Of a transfer: the bonded centre that the truck goes to.
    pub second_site_id: String,
    /// The firm whose truck it is, where another files for it.
    pub haulier_party: String,
}

/// A truck as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenVehicle {
    /// The tractor's plate.
    pub tractor: Option<WrittenPlate>,
    /// The trailer's.
    pub trailer: Option<WrittenPlate>,
}

/// A driver as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenDriver {
    /// Name.
    pub name: String,
    /// Licence number.
    pub licence: String,
    /// Telephone.
    pub phone: String,
}

/// A container as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenContainer {
    /// Its number.
    pub number: String,
    /// Its size-type.
    pub size_type: String,
    /// Its seals.
    pub seals: Vec<String>,
    /// Gross mass.
    pub gross_mass: Option<WrittenQuantity>,
    /// Dangerous-goods class.
    pub dangerous_goods_class: String,
    /// Verified gross mass.
    pub verified_mass: Option<WrittenQuantity>,
    /// Set point of a reefer in degrees Celsius.
    pub reefer_set_point_celsius: String,
}

/// A filing that can be taken, before it has an id and conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPreArrival {
    /// What the truck comes for.
    pub kind: PreArrivalKind,
    /// The truck.
    pub vehicle: Vehicle,
    /// The driver.
    pub driver: WrittenDriver,
    /// The containers, unbound.
    pub containers: Vec<FiledContainer>,
    /// Declarations.
    pub document_references: Vec<String>,
    /// When the truck is planned to come.
    pub planned_arrival: DateTime<Utc>,
    /// The part of a stock list that the truck carries.
    pub list: Option<FiledList>,
    /// Of a transfer: the bonded centre that the truck goes to.
    pub second_site_id: Option<String>,
}

/// Reads a filing; all its faults are noted.
pub fn read(
    written: &WrittenPreArrival,
    now: DateTime<Utc>,
    faults: &mut Faults,
) -> Option<ReadPreArrival> {
    if written.kind.is_none() {
        faults.add(
            "KIND_INVALID",
            "kind",
            "",
            "FULL_OUT, FULL_IN, EMPTY_IN, EMPTY_OUT, EMPTY_VEHICLE, BOND_TRANSFER or BOND_EXIT",
            "Say what the truck comes for.",
        );
    }
    let vehicle = read_vehicle(written.vehicle.as_ref(), faults);
    let driver = read_driver(written.driver.as_ref(), faults);
    let containers = read_containers(written, faults);
    let document_references = read_references(&written.document_references, faults);
    if written.kind == Some(PreArrivalKind::FullIn) && written.document_references.is_empty() {
        faults.add(
            "DECLARATION_MISSING",
            "document_references",
            "",
            "a laden container comes in on at least one declaration",
            "Name the export declaration by its MRN or LRN.",
        );
    }
    let planned_arrival = read_planned(written.planned_arrival, now, faults);
    let list = read_list(written, faults);
    let second_site_id = read_second_site(written, faults);
    Some(ReadPreArrival {
        kind: written.kind?,
        vehicle: vehicle?,
        driver: driver?,
        containers,
        document_references,
        planned_arrival: planned_arrival?,
        list,
        second_site_id,
    })
}

/// The part of a stock list that the truck carries: where its kind asks for one, and nowhere else.
fn read_list(written: &WrittenPreArrival, faults: &mut Faults) -> Option<FiledList> {
    let carries = written.kind.is_some_and(PreArrivalKind::carries_list);
    match (&written.list, carries) {
        (Some(list), true) => {
            let list = list_passage::read(list, faults)?;
            let (direction, rule) = if written.kind == Some(PreArrivalKind::BondTransfer) {
                (Direction::In, "an increase list (QD...I...)")
            } else {
                (Direction::Out, "a decrease list (QD...E...)")
            };
            if list.list_number.direction() != direction {
                faults.add(
                    "LIST_DIRECTION",
                    "list.list_number",
                    list.list_number.as_str(),
                    rule,
                    "BOND_TRANSFER brings goods of an increase into the centre, BOND_EXIT takes goods of a decrease out.",
                );
            }
            Some(list)
        }
        (Some(list), false) => {
            faults.add(
                "LIST_NOT_EXPECTED",
                "list",
                &list.list_number,
                "BOND_TRANSFER and BOND_EXIT alone carry a list",
                "Leave the list out, or give another kind.",
            );
            None
        }
        (None, true) => {
            faults.add(
                "LIST_MISSING",
                "list",
                "",
                "the stock list whose goods the truck carries",
                "Name the list and how much of it the truck carries.",
            );
            None
        }
        (None, false) => None,
    }
}

/// The bonded centre that a transfer goes to.
fn read_second_site(written: &WrittenPreArrival, faults: &mut Faults) -> Option<String> {
    let second = written.second_site_id.trim();
    let is_transfer = written.kind == Some(PreArrivalKind::BondTransfer);
    if is_transfer && (second.is_empty() || second == written.site_id.trim()) {
        faults.add(
            "SECOND_SITE_INVALID",
            "second_site_id",
            second,
            "a bonded centre other than the first site",
            "Name the centre that the truck goes to.",
        );
    }
    if !is_transfer && !second.is_empty() {
        faults.add(
            "SECOND_SITE_INVALID",
            "second_site_id",
            second,
            "BOND_TRANSFER alone goes to two sites",
            "Leave it out.",
        );
    }
    Some(second.to_owned()).filter(|second| is_transfer && !second.is_empty())
}

/// Reads a truck.
pub fn read_vehicle(written: Option<&WrittenVehicle>, faults: &mut Faults) -> Option<Vehicle> {
    let Some(tractor) = written.and_then(|vehicle| vehicle.tractor.as_ref()) else {
        faults.add(
            "PLATE_INVALID",
            "vehicle.tractor",
            "",
            "every truck has a plate",
            "Give the tractor's plate.",
        );
        return None;
    };
    let tractor = faults.plate("vehicle.tractor", tractor);
    let trailer = match written.and_then(|vehicle| vehicle.trailer.as_ref()) {
        Some(trailer) => Some(faults.plate("vehicle.trailer", trailer)?),
        None => None,
    };
    Some(Vehicle {
        tractor: tractor?,
        trailer,
    })
}

/// Reads a driver.
pub fn read_driver(written: Option<&WrittenDriver>, faults: &mut Faults) -> Option<WrittenDriver> {
    let Some(written) = written else {
        faults.add(
            "DRIVER_MISSING",
            "driver",
            "",
            "a filing names the driver",
            "Give the driver's name, licence and telephone.",
        );
        return None;
    };
    let name = faults.text("driver.name", &written.name, DRIVER_NAME_CHARS_MAX);
    let licence = faults.text("driver.licence", &written.licence, DRIVER_LICENCE_CHARS_MAX);
    let phone = faults.optional_text("driver.phone", &written.phone, DRIVER_PHONE_CHARS_MAX);
    Some(WrittenDriver {
        name: name?,
        licence: licence?,
        phone,
    })
}

fn read_containers(written: &WrittenPreArrival, faults: &mut Faults) -> Vec<FiledContainer> {
    let count = written.containers.len();
    let shown = count.to_string();
    match written.kind {
        Some(PreArrivalKind::EmptyVehicle) if count > 0 => {
            faults.add(
                "CONTAINERS_NOT_EXPECTED",
                "containers",
                &shown,
                "an empty vehicle has none",
                "Leave the containers out, or give another kind.",
            );
        }
        // Goods out of bond may travel without a container.
        Some(PreArrivalKind::BondExit) => {}
        Some(kind) if kind != PreArrivalKind::EmptyVehicle && count == 0 => {
            faults.add(
                "CONTAINERS_MISSING",
                "containers",
                "",
                "at least one container",
                "Name the containers that the truck brings or takes.",
            );
        }
        _ => {}
    }
    if count > CONTAINERS_MAX {
        faults.add(
            "TOO_MANY",
            "containers",
            &shown,
            "at most 2 containers",
            "A truck carries one container, or two of twenty feet.",
        );
        return Vec::new();
    }
    let mut containers: Vec<FiledContainer> = Vec::new();
    for (index, container) in written.containers.iter().enumerate() {
        let path = format!("containers[{index}]");
        let number_path = format!("{path}.container_number");
        let number = faults.container(&number_path, &container.number);
        let size_type = faults.size_type(&format!("{path}.size_type"), &container.size_type);
        let seals = faults.seals(&format!("{path}.seals"), &container.seals);
        let gross_mass = faults.mass(&format!("{path}.gross_mass"), container.gross_mass.as_ref());
        let dangerous_goods_class = read_class(&path, &container.dangerous_goods_class, faults);
        let verified_mass = read_verified_mass(written.kind, &path, container, faults);
        let reefer_set_point_celsius =
            read_set_point(&path, &container.reefer_set_point_celsius, faults);
        let Some(number) = number else { continue };
        if containers.iter().any(|earlier| earlier.number == number) {
            faults.add(
                "CONTAINER_TWICE",
                &number_path,
                number.as_str(),
                "each container once",
                "Check the second number.",
            );
        }
        containers.push(FiledContainer {
            number,
            size_type,
            seals,
            gross_mass,
            dangerous_goods_class,
            container_visit_id: None,
            visit_is_told: false,
            verified_mass,
            reefer_set_point_celsius,
        });
    }
    containers
}

/// What of the containers, which stand in the order of the filing, is worth a look.
pub fn worth_a_look(containers: &[FiledContainer]) -> Vec<Fault> {
    let look = |(index, container): (usize, &FiledContainer)| {
        let path = format!("containers[{index}].container_number");
        filing::worth_a_look(&path, &container.number)
    };
    containers.iter().enumerate().filter_map(look).collect()
}

/// A laden container comes in with its verified gross mass (SOLAS): no ship or train takes it without.
fn read_verified_mass(
    kind: Option<PreArrivalKind>,
    path: &str,
    container: &WrittenContainer,
    faults: &mut Faults,
) -> Option<Quantity> {
    let path = format!("{path}.verified_mass");
    if kind == Some(PreArrivalKind::FullIn) && container.verified_mass.is_none() {
        faults.add(
            "VERIFIED_MASS_MISSING",
            &path,
            "",
            "a laden container comes in with its verified gross mass",
            "Give the verified gross mass (SOLAS) in KGM.",
        );
    }
    faults.mass(&path, container.verified_mass.as_ref())
}

/// A temperature that may be left out.
fn read_set_point(path: &str, written: &str, faults: &mut Faults) -> Option<Decimal> {
    let written = written.trim();
    if written.is_empty() {
        return None;
    }
    let read = Decimal::from_str_exact(written).ok();
    let limit = Decimal::from(SET_POINT_CELSIUS_MAX);
    let read = read.filter(|celsius| celsius.abs() <= limit && celsius.scale() <= 1);
    if read.is_none() {
        faults.add(
            "SET_POINT_INVALID",
            &format!("{path}.reefer_set_point_celsius"),
            written,
            "degrees Celsius, -70 to 70, at most one decimal",
            "Give the set point, such as -18.5; leave it out where the container is no reefer.",
        );
    }
    read
}

/// "1" to "9", with a division where there is one: "2.1".
fn read_class(path: &str, written: &str, faults: &mut Faults) -> String {
    let class = written.trim();
    let mut parts = class.split('.');
    let digit = |part: Option<&str>| {
        part.is_some_and(|part| {
            part.len() == 1 && part.chars().all(|c| c.is_ascii_digit() && c != '0')
        })
    };
    let well_formed = class.is_empty()
        || (digit(parts.next())
            && parts.next().is_none_or(|part| digit(Some(part)))
            && parts.next().is_none());
    if !well_formed {
        faults.add(
            "DANGEROUS_GOODS_CLASS_INVALID",
            &format!("{path}.dangerous_goods_class"),
            class,
            "ADR classes 1 to 9",
            "Give the class, such as 3 or 2.1; leave it empty where the goods are not dangerous.",
        );
    }
    class.to_owned()
}

fn read_references(written: &[String], faults: &mut Faults) -> Vec<String> {
    if written.len() > DOCUMENT_REFERENCES_MAX {
        faults.add(
            "TOO_MANY",
            "document_references",
            &written.len().to_string(),
            "at most 20 references",
            "Name the declarations that matter to the driver.",
        );
        return Vec::new();
    }
    written
        .iter()
        .enumerate()
        .filter_map(|(index, reference)| {
            faults
                .text(
                    &format!("document_references[{index}]"),
                    reference,
                    DOCUMENT_REFERENCE_CHARS_MAX,
                )
                .map(|reference| reference_key(&reference))
        })
        .collect()
}

/// A reference as declarations are known by it: an MRN in its normal form, an LRN as its filer wrote it.
pub fn reference_key(written: &str) -> String {
    Mrn::parse(written).map_or_else(|_| written.trim().to_owned(), |mrn| mrn.to_string())
}

fn read_planned(
    planned: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    faults: &mut Faults,
) -> Option<DateTime<Utc>> {
    let Some(planned) = planned else {
        faults.add(
            "PLANNED_ARRIVAL_MISSING",
            "planned_arrival",
            "",
            "a filing says when the truck comes",
            "Give the planned arrival.",
        );
        return None;
    };
    if planned < now - TimeDelta::hours(1)
        || planned > now + TimeDelta::days(PLANNED_AHEAD_DAYS_MAX)
    {
        faults.add(
            "PLANNED_ARRIVAL_INVALID",
            "planned_arrival",
            &planned.to_rfc3339(),
            "from now on, within 60 days",
            "Give the time at which the truck will come.",
        );
        return None;
    }
    Some(planned)
}

impl PreArrival {
    /// A filing just taken; its conditions are still to be found.
    pub fn submitted(
        read: ReadPreArrival,
        site_id: &str,
        haulier_party: &str,
        ids: (Uuid, Uuid),
        now: DateTime<Utc>,
        grace: TimeDelta,
    ) -> Self {
        let (pre_arrival_id, driver_id) = ids;
        Self {
            pre_arrival_id,
            number: number_of(pre_arrival_id),
            version: 1,
            state: PreArrivalState::Blocked,
            conditions: Vec::new(),
            told: Vec::new(),
            site_id: site_id.to_owned(),
            kind: read.kind,
            haulier_party: haulier_party.to_owned(),
            vehicle: read.vehicle,
            driver_id,
            containers: read.containers,
            document_references: read.document_references,
            planned_arrival: read.planned_arrival,
            expires_at: read.planned_arrival.max(now) + grace,
            submitted_at: now,
            truck_visit_id: None,
            filer_party: None,
            list: read.list,
            second_site_id: read.second_site_id,
            pass_number: None,
            on_the_road_since: None,
            second_truck_visit_id: None,
        }
    }

    /// Who filed.
    pub fn filer(&self) -> &str {
        self.filer_party.as_deref().unwrap_or(&self.haulier_party)
    }

    /// The stock list of which the truck carries a part.
    pub fn list_number(&self) -> Option<&str> {
        self.list.as_ref().map(|list| list.list_number.as_str())
    }

    /// A transfer whose truck has left the first site with the goods, and has not come to the second.
    pub fn is_on_the_road(&self) -> bool {
        self.is_open() && self.on_the_road_since.is_some()
    }

    /// A transfer whose truck is inside the first site.
    pub fn is_at_first_site(&self) -> bool {
        self.is_open() && self.truck_visit_id.is_some() && self.on_the_road_since.is_none()
    }

    /// The site where the truck is expected next.
    pub fn next_site_id(&self) -> &str {
        match &self.second_site_id {
            Some(second) if self.on_the_road_since.is_some() => second,
            _ => &self.site_id,
        }
    }

    /// The declarations that a container comes in on; of other kinds none.
    pub fn comes_in_on(&self) -> &[String] {
        match self.kind {
            PreArrivalKind::FullIn => &self.document_references,
            _ => &[],
        }
    }

    /// Whether a truck may still come on it.
    pub fn is_open(&self) -> bool {
        matches!(
            self.state,
            PreArrivalState::Blocked | PreArrivalState::Ready
        )
    }

    /// Takes what was found about it. Gives the fact to tell, if its state changed or what its haulier is told.
    pub fn reconsidered(&mut self, standing: Standing) -> Option<PreArrivalFact> {
        if !self.is_open() {
            return None;
        }
        // On the road a container stands nowhere: the stay that it left stays named.
        if !self.is_on_the_road() {
            for (container, bound) in self.containers.iter_mut().zip(standing.visits) {
                container.visit_is_told = bound.as_ref().is_some_and(|visit| visit.is_told);
                container.container_visit_id = bound.map(|visit| visit.container_visit_id);
            }
        }
        let state = if standing.conditions.is_empty() {
            PreArrivalState::Ready
        } else {
            PreArrivalState::Blocked
        };
        let news = state != self.state || !condition::same(&standing.told, &self.told);
        self.state = state;
        self.conditions = standing.conditions;
        self.told = standing.told;
        if !news {
            return None;
        }
        self.version += 1;
        Some(if state == PreArrivalState::Ready {
            PreArrivalFact::Ready
        } else {
            PreArrivalFact::Blocked
        })
    }

    /// The truck has gone in on it. A transfer is used only at the second site (gate, "BOND_TRANSFER").
    pub fn used(&mut self, truck_visit_id: Uuid) -> Option<PreArrivalFact> {
        if self.kind == PreArrivalKind::BondTransfer {
            if self.on_the_road_since.is_none() {
                self.truck_visit_id = Some(truck_visit_id);
                return None;
            }
            self.second_truck_visit_id = Some(truck_visit_id);
        } else {
            self.truck_visit_id = Some(truck_visit_id);
        }
        self.end(PreArrivalState::Used);
        Some(PreArrivalFact::Used)
    }

    /// The truck of a transfer has left the first site with the goods; they are taken for passed if nobody sees
    /// them come in time (gate rule 15).
    pub fn left_first_site(&mut self, at: DateTime<Utc>, inferred_after: TimeDelta) {
        self.on_the_road_since = Some(at);
        self.expires_at = at + inferred_after;
    }

    /// The truck of a transfer has left the first site without the goods, and may come again.
    pub fn left_first_site_empty(&mut self) {
        self.truck_visit_id = None;
    }

    /// The goods of a transfer are taken for passed: nobody saw them come, and the time is over.
    pub fn taken_for_passed(&mut self, now: DateTime<Utc>) -> Option<PreArrivalFact> {
        if !self.is_on_the_road() || now < self.expires_at {
            return None;
        }
        self.end(PreArrivalState::Used);
        Some(PreArrivalFact::Used)
    }

    /// The check-in that used it was a mistake: it is open again, and is looked at anew.
    pub fn reopened(&mut self) {
        self.state = PreArrivalState::Blocked;
        self.truck_visit_id = None;
    }

    /// The haulier takes it back.
    ///
    /// # Errors
    /// Stale version, or it is over.
    pub fn cancelled(&mut self, expected_version: u64) -> Result<PreArrivalFact, Refusal> {
        self.must_be_open_at(expected_version)?;
        if self.is_on_the_road() {
            return Err(under_way());
        }
        self.end(PreArrivalState::Cancelled);
        Ok(PreArrivalFact::Cancelled)
    }

    /// The truck did not come in time; none while it still may.
    pub fn expired(&mut self, now: DateTime<Utc>) -> Option<PreArrivalFact> {
        let under_way = self.is_at_first_site() || self.is_on_the_road();
        if !self.is_open() || under_way || now < self.expires_at {
            return None;
        }
        self.end(PreArrivalState::Expired);
        Some(PreArrivalFact::Expired)
    }

    /// Another truck or driver will come.
    ///
    /// # Errors
    /// Stale version, or it is over.
    pub fn replaced(
        &mut self,
        expected_version: u64,
        vehicle: Option<Vehicle>,
        driver_id: Option<Uuid>,
    ) -> Result<PreArrivalFact, Refusal> {
        self.must_be_open_at(expected_version)?;
        if let Some(vehicle) = vehicle {
            self.vehicle = vehicle;
        }
        if let Some(driver_id) = driver_id {
            self.driver_id = driver_id;
        }
        self.version += 1;
        Ok(PreArrivalFact::Replaced)
    }

    fn end(&mut self, state: PreArrivalState) {
        self.state = state;
        self.conditions.clear();
        self.told.clear();
        self.version += 1;
    }

    fn must_be_open_at(&self, expected_version: u64) -> Result<(), Refusal> {
        if !self.is_open() {
            return Err(Refusal::unmet(
                "PRE_ARRIVAL_OVER",
                format!(
                    "The pre-arrival is {}; file a new one.",
                    self.state.as_str()
                ),
                Vec::new(),
            ));
        }
        if self.is_at_first_site() {
            return Err(under_way());
        }
        if expected_version != self.version {
            return Err(Refusal::stale(self.version));
        }
        Ok(())
    }
}

fn under_way() -> Refusal {
    Refusal::unmet(
        "PRE_ARRIVAL_UNDER_WAY",
        "Its truck is inside, or on the road with the goods; wait until it is out, or has come.",
        Vec::new(),
    )
}

/// Twelve letters and digits out of the id, without those that are misread.
fn number_of(id: Uuid) -> String {
    const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut rest = id.as_u128();
    (0..12)
        .map(|_| {
            let letter = LETTERS[usize::try_from(rest % 32).unwrap_or(0)];
            rest /= 32;
            char::from(letter)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> WrittenPreArrival {
        WrittenPreArrival {
            site_id: "PORT".into(),
            kind: Some(PreArrivalKind::FullOut),
            vehicle: Some(WrittenVehicle {
                tractor: Some(WrittenPlate {
                    text: "渝a·12345".into(),
                    country: String::new(),
                }),
                trailer: None,
            }),
            driver: Some(WrittenDriver {
                name: "Li".into(),
                licence: "L1".into(),
                phone: String::new(),
            }),
            containers: vec![WrittenContainer {
                number: "MSKU9070323".into(),
                ..WrittenContainer::default()
            }],
            document_references: Vec::new(),
            planned_arrival: Some(DateTime::UNIX_EPOCH),
            haulier_party: String::new(),
            second_site_id: String::new(),
            list: None,
        }
    }

    fn filed() -> PreArrival {
        let mut faults = Faults::default();
        let read = read(&written(), DateTime::UNIX_EPOCH, &mut faults).unwrap();
        let ids = (Uuid::from_u128(7), Uuid::from_u128(8));
        PreArrival::submitted(
            read,
            "PORT",
            "haulier-a",
            ids,
            DateTime::UNIX_EPOCH,
            TimeDelta::hours(1),
        )
    }

    /// What is told of a filing that these conditions stand against, and that its haulier may know all of.
    fn standing(codes: &[&str]) -> Standing {
        let condition =
            |code: &&str| Condition::new(super::super::Gravity::Refuses, code, "s", "w", "d");
        let conditions: Vec<Condition> = codes.iter().map(condition).collect();
        Standing {
            visits: vec![None],
            told: conditions.clone(),
            conditions,
        }
    }

    #[test]
    fn a_faulty_filing_is_refused_with_all_its_faults() {
        let mut faults = Faults::default();
        let faulty = WrittenPreArrival {
            kind: None,
            vehicle: None,
            driver: None,
            planned_arrival: None,
            containers: vec![WrittenContainer {
                number: "MSKU9070324".into(),
                dangerous_goods_class: "x".into(),
                ..WrittenContainer::default()
            }],
            ..written()
        };
        assert!(read(&faulty, DateTime::UNIX_EPOCH, &mut faults).is_none());
        let codes: Vec<_> = faults
            .into_vec()
            .into_iter()
            .map(|fault| fault.code)
            .collect();
        let expected = [
            "KIND_INVALID",
            "PLATE_INVALID",
            "DRIVER_MISSING",
            "CONTAINER_NUMBER_INVALID",
            "DANGEROUS_GOODS_CLASS_INVALID",
            "PLANNED_ARRIVAL_MISSING",
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn ready_and_blocked_follow_from_the_conditions_and_only_news_is_told() {
        let mut pre_arrival = filed();
        assert_eq!(
            pre_arrival.reconsidered(standing(&["A"])),
            Some(PreArrivalFact::Blocked)
        );
        assert_eq!(pre_arrival.reconsidered(standing(&["A"])), None);
        assert_eq!(
            pre_arrival.reconsidered(standing(&["B"])),
            Some(PreArrivalFact::Blocked)
        );
        assert_eq!(
            pre_arrival.reconsidered(standing(&[])),
            Some(PreArrivalFact::Ready)
        );
        assert_eq!(
            (pre_arrival.state, pre_arrival.version),
            (PreArrivalState::Ready, 4)
        );
    }

    #[test]
    fn what_is_over_does_not_come_back() {
        let mut pre_arrival = filed();
        assert!(pre_arrival.cancelled(9).is_err());
        pre_arrival.cancelled(1).unwrap();
        assert_eq!(pre_arrival.reconsidered(standing(&[])), None);
        assert_eq!(
            pre_arrival.cancelled(2).unwrap_err().reason,
            "PRE_ARRIVAL_OVER"
        );
        assert_eq!(
            pre_arrival.expired(DateTime::UNIX_EPOCH + TimeDelta::days(9)),
            None
        );
    }

    #[test]
    fn it_expires_a_grace_after_the_planned_arrival() {
        let mut pre_arrival = filed();
        assert_eq!(
            pre_arrival.expired(DateTime::UNIX_EPOCH + TimeDelta::minutes(59)),
            None
        );
        assert_eq!(
            pre_arrival.expired(DateTime::UNIX_EPOCH + TimeDelta::minutes(60)),
            Some(PreArrivalFact::Expired)
        );
    }
}
