//! What gate knows from the other services: release's decisions, customs' word on a container, parties and
//! their CARRY mandates. Copies, each with the version and event it came by; the highest version wins, so
//! nothing rests on the order of two topics. It must not know how the copies are kept.

use chrono::{DateTime, Utc};
use kernel::ContainerNumber;
use serde::{Deserialize, Serialize};

use super::condition::Condition;

/// The version of a fact and the event that told it. Restated facts open a new epoch and win over lost ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The producer's epoch.
    pub epoch: u64,
    /// The subject's version within it.
    pub version: u64,
    /// The event.
    pub event_id: String,
}

impl Told {
    /// Whether this is newer than what is held.
    pub fn is_newer_than(&self, held: &Self) -> bool {
        (self.epoch, self.version) > (held.epoch, held.version)
    }
}

/// Release's decision on a container visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseDecision {
    /// The container visit; of a decision on a stock list, "list/" and its number.
    pub container_visit_id: String,
    /// Version and event.
    pub told: Told,
    /// What was decided.
    pub state: DecisionState,
    /// What it lets happen, where it is granted.
    pub journey: Journey,
    /// To whom it is granted; empty unless granted.
    pub haulier_party: String,
    /// When it was decided.
    pub decided_at: DateTime<Utc>,
    /// What is missing.
    pub conditions: Vec<Condition>,
    /// Of a decision on a stock list: the containers that its declaration names.
    pub list_containers: Vec<String>,
    /// The declaration that customs takes back, where gate has answered that nothing goes on it: the decision opens
    /// no barrier until release has said otherwise than granted, or customs lets the declaration stand.
    pub barred_by: Option<String>,
}

impl ReleaseDecision {
    /// As it is held once this was told, where another was: what customs takes back stays barred until release
    /// has understood.
    #[must_use]
    pub fn told_after(&self, held: Option<&Self>) -> Self {
        let barred_by = held.and_then(|held| held.barred_by.clone());
        Self {
            barred_by: barred_by.filter(|_| self.state == DecisionState::Granted),
            ..self.clone()
        }
    }

    /// The stock list that it is on; none if it is on a container visit.
    pub fn list_number(&self) -> Option<&str> {
        list_of_decision_key(&self.container_visit_id)
    }

    /// Release has not decided on this yet.
    pub fn none_yet(about: &str, now: DateTime<Utc>) -> Self {
        Self {
            container_visit_id: about.to_owned(),
            told: Told::default(),
            state: DecisionState::Withheld,
            journey: Journey::ImportPickUp,
            haulier_party: String::new(),
            decided_at: now,
            conditions: Vec::new(),
            list_containers: Vec::new(),
            barred_by: None,
        }
    }
}

/// The key of release's decision on a stock list.
pub fn list_decision_key(list_number: &str) -> String {
    format!("list/{list_number}")
}

/// The stock list of such a key; none of a container visit.
pub fn list_of_decision_key(key: &str) -> Option<&str> {
    key.strip_prefix("list/")
}

/// What a decision on a container visit or stock list lets happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journey {
    /// A haulier picks it up.
    ImportPickUp,
    /// It is loaded onto a train or barge: "may load".
    Export,
    /// Goods of an increase list go into a bonded centre.
    BondTransfer,
    /// Goods of a decrease list go out of it.
    BondExit,
}

impl Journey {
    const ALL: [Self; 4] = [
        Self::ImportPickUp,
        Self::Export,
        Self::BondTransfer,
        Self::BondExit,
    ];

    /// Release's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ImportPickUp => "IMPORT_PICK_UP",
            Self::Export => "EXPORT",
            Self::BondTransfer => "BOND_TRANSFER",
            Self::BondExit => "BOND_EXIT",
        }
    }

    /// The journey of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|journey| journey.as_str() == word)
    }
}

/// The state of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionState {
    /// Something is missing.
    Withheld,
    /// The haulier may take it.
    Granted,
    /// Being withdrawn: the barrier does not open on it.
    RevocationAsked,
    /// Withdrawn.
    Revoked,
    /// The container left on it.
    Consumed,
}

impl DecisionState {
    const ALL: [Self; 5] = [
        Self::Withheld,
        Self::Granted,
        Self::RevocationAsked,
        Self::Revoked,
        Self::Consumed,
    ];

    /// Release's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Withheld => "WITHHELD",
            Self::Granted => "GRANTED",
            Self::RevocationAsked => "REVOCATION_ASKED",
            Self::Revoked => "REVOKED",
            Self::Consumed => "CONSUMED",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A revocation that gate has answered (gate rule 12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredAsk {
    /// The ask.
    pub ask_id: String,
    /// The container visit; empty if the ask is about a stock list.
    pub container_visit_id: String,
    /// The stock list; empty if the ask is about a container visit.
    pub list_number: String,
    /// The goods had left.
    pub too_late: bool,
}

/// An ask of customs: can what a declaration is about still be kept from leaving? (gate rule 12)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidationAsk {
    /// Its id.
    pub ask_id: String,
    /// The container visit, or "list/" and the number of a stock list: as release's decisions are kept.
    pub about: String,
}

/// The most containers of one declaration that customs takes.
pub const DECLARATION_CONTAINERS_MAX: usize = 999;
/// The most stock lists that one declaration names.
pub const DECLARATION_STOCK_LISTS_MAX: usize = 999;

/// A declaration, as far as gate needs it: what comes in laden comes in on one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDeclaration {
    /// Its id.
    pub declaration_id: String,
    /// Version and event.
    pub told: Told,
    /// Movement reference number; empty before it has one.
    pub mrn: String,
    /// The filer's own reference.
    pub lrn: String,
    /// The party that filed it.
    pub filer_party: String,
    /// Where it stands.
    pub state: DeclarationStanding,
    /// Which way its goods go.
    pub direction: Direction,
    /// The containers that it names.
    pub containers: Vec<String>,
    /// The stock lists that it names.
    pub stock_lists: Vec<String>,
}

impl KnownDeclaration {
    /// Customs lets it stand: nothing that was asked back on its account is barred any more.
    pub fn stands(&self, asks: &[InvalidationAsk]) -> bool {
        asks.is_empty() && self.state != DeclarationStanding::Invalidated
    }

    /// Whether somebody who writes this reference may mean it.
    pub fn is_called(&self, reference: &str) -> bool {
        !reference.is_empty() && (self.mrn == reference || self.lrn == reference)
    }

    /// Whether its goods may be in this container: it names it, or none at all.
    pub fn covers(&self, container: &ContainerNumber) -> bool {
        self.containers.is_empty() || self.names(container)
    }

    /// Whether it names this container.
    pub fn names(&self, container: &ContainerNumber) -> bool {
        self.containers
            .iter()
            .any(|named| named == container.as_str())
    }
}

/// Where a declaration stands, in customs' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclarationStanding {
    /// Filed and not judged yet.
    Submitted,
    /// Refused.
    Rejected,
    /// Pre-lodged.
    Registered,
    /// Goods arrived.
    Accepted,
    /// A control is open.
    UnderControl,
    /// Released, with something still to do.
    Released,
    /// Nothing is left to do.
    Cleared,
    /// Its goods are detained.
    Detained,
    /// Void.
    Invalidated,
    /// Pre-lodged, and its goods never came.
    Expired,
}

impl DeclarationStanding {
    const ALL: [Self; 10] = [
        Self::Submitted,
        Self::Rejected,
        Self::Registered,
        Self::Accepted,
        Self::UnderControl,
        Self::Released,
        Self::Cleared,
        Self::Detained,
        Self::Invalidated,
        Self::Expired,
    ];

    /// Customs' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Rejected => "REJECTED",
            Self::Registered => "REGISTERED",
            Self::Accepted => "ACCEPTED",
            Self::UnderControl => "UNDER_CONTROL",
            Self::Released => "RELEASED",
            Self::Cleared => "CLEARED",
            Self::Detained => "DETAINED",
            Self::Invalidated => "INVALIDATED",
            Self::Expired => "EXPIRED",
        }
    }

    /// The standing of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Nothing can come in on it any more: its reference may be another's by now.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Rejected | Self::Invalidated | Self::Expired)
    }
}

/// Which way the goods of a declaration go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the country.
    Import,
    /// Out of it.
    Export,
    /// Neither.
    None,
}

impl Direction {
    const ALL: [Self; 3] = [Self::Import, Self::Export, Self::None];

    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "IMPORT",
            Self::Export => "EXPORT",
            Self::None => "NONE",
        }
    }

    /// The direction of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|direction| direction.as_str() == word)
    }

    /// The direction of a declaration's type, "IMA", "EXD"; and where that says none ("COA"), of what its procedure
    /// does.
    pub fn of(type_code: &str, procedure_kind: &str) -> Self {
        match (type_code.get(..2), procedure_kind) {
            (Some("IM"), _) => Self::Import,
            (Some("EX"), _) => Self::Export,
            (_, "HOME_USE" | "INTO_BOND") => Self::Import,
            (_, "EXPORT") => Self::Export,
            _ => Self::None,
        }
    }
}

/// What customs says under one container number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clearance {
    /// The container.
    pub container_number: String,
    /// Version and event.
    pub told: Told,
    /// Its consignments.
    pub consignments: Vec<ConsignmentClearance>,
}

/// What customs says of one declaration's goods in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsignmentClearance {
    /// The declaration.
    pub declaration_id: String,
    /// The container visit; empty while unbound.
    pub container_visit_id: String,
    /// Whether customs asks for an inspection.
    pub inspection: InspectionFlag,
}

/// Whether an inspection is asked for (gate rule 2). Unknown never means no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InspectionFlag {
    /// None is asked for.
    No,
    /// Nobody has said.
    Unknown,
    /// One is asked for.
    Yes,
}

impl Clearance {
    /// What customs asks for one container visit: the strictest of its consignments; unknown if it has none.
    pub fn inspection(&self, container_visit_id: &str) -> InspectionFlag {
        self.bound_to(container_visit_id)
            .map(|consignment| consignment.inspection)
            .max()
            .unwrap_or(InspectionFlag::Unknown)
    }

    /// The declarations that are bound to a container visit.
    pub fn declarations<'a>(
        &'a self,
        container_visit_id: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        self.bound_to(container_visit_id)
            .map(|consignment| consignment.declaration_id.as_str())
    }

    fn bound_to<'a>(
        &'a self,
        container_visit_id: &'a str,
    ) -> impl Iterator<Item = &'a ConsignmentClearance> {
        self.consignments
            .iter()
            .filter(move |consignment| consignment.container_visit_id == container_visit_id)
    }
}

impl InspectionFlag {
    /// The word in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "NO",
            Self::Unknown => "UNKNOWN",
            Self::Yes => "YES",
        }
    }
}

/// A party, as far as gate needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownParty {
    /// Our id.
    pub party_id: String,
    /// Version and event.
    pub told: Told,
    /// Its name for people.
    pub name: String,
    /// It may not act now.
    pub suspended: bool,
}

/// A firm's word that another may carry for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarryMandate {
    /// Its id.
    pub mandate_id: String,
    /// Version and event.
    pub told: Told,
    /// For whom its holder may carry.
    pub grantor_party: String,
    /// Who holds it.
    pub agent_party: String,
    /// It allows to carry: the newest version may have dropped that.
    pub carries: bool,
    /// The containers to which it is limited; none: any.
    pub containers: Vec<String>,
    /// From when.
    pub valid_from: DateTime<Utc>,
    /// Until when; none: until revoked.
    pub valid_until: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl CarryMandate {
    /// Whether it holds at this instant, for all of these containers. One that is limited to some is none for a truck
    /// without any.
    pub fn holds_at(&self, now: DateTime<Utc>, containers: &[&ContainerNumber]) -> bool {
        let covered =
            |number: &&ContainerNumber| self.containers.iter().any(|one| one == number.as_str());
        let within = self.containers.is_empty()
            || (!containers.is_empty() && containers.iter().all(covered));
        within
            && self.carries
            && self.valid_from <= now
            && self.valid_until.is_none_or(|until| now < until)
            && self.revoked_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consignment(visit: &str, inspection: InspectionFlag) -> ConsignmentClearance {
        ConsignmentClearance {
            declaration_id: "D".into(),
            container_visit_id: visit.into(),
            inspection,
        }
    }

    #[test]
    fn rule_2_unknown_never_means_no_and_the_strictest_consignment_counts() {
        let mut clearance = Clearance {
            container_number: "C".into(),
            told: Told::default(),
            consignments: vec![consignment("other", InspectionFlag::No)],
        };
        assert_eq!(clearance.inspection("visit"), InspectionFlag::Unknown);
        clearance
            .consignments
            .push(consignment("visit", InspectionFlag::No));
        assert_eq!(clearance.inspection("visit"), InspectionFlag::No);
        clearance
            .consignments
            .push(consignment("visit", InspectionFlag::Unknown));
        assert_eq!(clearance.inspection("visit"), InspectionFlag::Unknown);
        clearance
            .consignments
            .push(consignment("visit", InspectionFlag::Yes));
        assert_eq!(clearance.inspection("visit"), InspectionFlag::Yes);
    }

    #[test]
    fn a_higher_epoch_wins_over_a_higher_version() {
        let told = |epoch, version| Told {
            epoch,
            version,
            event_id: String::new(),
        };
        assert!(told(2, 1).is_newer_than(&told(1, 9)));
        assert!(!told(1, 9).is_newer_than(&told(1, 9)));
    }
}
