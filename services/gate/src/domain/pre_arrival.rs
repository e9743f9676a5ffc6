//! The pre-arrival: a haulier's filing for one truck. It is read whole (all faults at once), and its state
//! between filing and use is derived from the conditions, never set by hand. It must not know how the
//! conditions are found: that is `readiness`.
//!
//! ```text
//! SUBMITTED -> BLOCKED | READY      BLOCKED <-> READY
//! BLOCKED | READY -> CANCELLED | EXPIRED | USED
//! ```

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{ContainerNumber, Plate, Quantity, Refusal, SizeType};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::condition::{self, Condition};
use super::filing::{Faults, WrittenPlate, WrittenQuantity};

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
}

impl PreArrivalKind {
    /// The word in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullOut => "FULL_OUT",
            Self::EmptyIn => "EMPTY_IN",
            Self::EmptyOut => "EMPTY_OUT",
            Self::EmptyVehicle => "EMPTY_VEHICLE",
        }
    }

    /// Whether the truck takes a container away.
    pub fn picks_up(self) -> bool {
        matches!(self, Self::FullOut | Self::EmptyOut)
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
    /// What is in its way.
    pub conditions: Vec<Condition>,
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
    /// Declarations it names; for people.
    pub document_references: Vec<String>,
    /// When the truck is planned to come.
    pub planned_arrival: DateTime<Utc>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// When it was filed.
    pub submitted_at: DateTime<Utc>,
    /// The truck visit that used it.
    pub truck_visit_id: Option<Uuid>,
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
            "FULL_OUT, EMPTY_IN, EMPTY_OUT or EMPTY_VEHICLE",
            "Say what the truck comes for.",
        );
    }
    let vehicle = read_vehicle(written.vehicle.as_ref(), faults);
    let driver = read_driver(written.driver.as_ref(), faults);
    let containers = read_containers(written, faults);
    let document_references = read_references(&written.document_references, faults);
    let planned_arrival = read_planned(written.planned_arrival, now, faults);
    Some(ReadPreArrival {
        kind: written.kind?,
        vehicle: vehicle?,
        driver: driver?,
        containers,
        document_references,
        planned_arrival: planned_arrival?,
    })
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
        });
    }
    containers
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
            faults.text(
                &format!("document_references[{index}]"),
                reference,
                DOCUMENT_REFERENCE_CHARS_MAX,
            )
        })
        .collect()
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
        }
    }

    /// Whether a truck may still come on it.
    pub fn is_open(&self) -> bool {
        matches!(
            self.state,
            PreArrivalState::Blocked | PreArrivalState::Ready
        )
    }

    /// Takes what was found about it: the visits its containers are bound to and the conditions. Gives the
    /// fact to tell, if its state or its conditions changed.
    pub fn reconsidered(
        &mut self,
        bound: Vec<Option<String>>,
        conditions: Vec<Condition>,
    ) -> Option<PreArrivalFact> {
        if !self.is_open() {
            return None;
        }
        for (container, visit) in self.containers.iter_mut().zip(bound) {
            container.container_visit_id = visit;
        }
        let state = if conditions.is_empty() {
            PreArrivalState::Ready
        } else {
            PreArrivalState::Blocked
        };
        let news = state != self.state || !condition::same(&conditions, &self.conditions);
        self.state = state;
        self.conditions = conditions;
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

    /// The truck has gone in on it.
    pub fn used(&mut self, truck_visit_id: Uuid) -> PreArrivalFact {
        self.end(PreArrivalState::Used);
        self.truck_visit_id = Some(truck_visit_id);
        PreArrivalFact::Used
    }

    /// The haulier takes it back.
    ///
    /// # Errors
    /// Stale version, or it is over.
    pub fn cancelled(&mut self, expected_version: u64) -> Result<PreArrivalFact, Refusal> {
        self.must_be_open_at(expected_version)?;
        self.end(PreArrivalState::Cancelled);
        Ok(PreArrivalFact::Cancelled)
    }

    /// The truck did not come in time; none while it still may.
    pub fn expired(&mut self, now: DateTime<Utc>) -> Option<PreArrivalFact> {
        if !self.is_open() || now < self.expires_at {
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
        if expected_version != self.version {
            return Err(Refusal::stale(self.version));
        }
        Ok(())
    }
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

    fn blocked_by(code: &str) -> Condition {
        Condition::new(super::super::Gravity::Refuses, code, "s", "w", "d")
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
        let blocked = vec![blocked_by("A")];
        assert_eq!(
            pre_arrival.reconsidered(vec![None], blocked.clone()),
            Some(PreArrivalFact::Blocked)
        );
        assert_eq!(pre_arrival.reconsidered(vec![None], blocked), None);
        assert_eq!(
            pre_arrival.reconsidered(vec![None], vec![blocked_by("B")]),
            Some(PreArrivalFact::Blocked)
        );
        assert_eq!(
            pre_arrival.reconsidered(vec![None], Vec::new()),
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
        assert_eq!(pre_arrival.reconsidered(vec![None], Vec::new()), None);
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
