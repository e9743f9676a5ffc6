//! What gate knows from the other services: release's decisions, customs' word on a container, parties and
//! their CARRY mandates. Copies, each with the version and event it came by; the highest version wins, so
//! nothing rests on the order of two topics. It must not know how the copies are kept.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::condition::Condition;

/// The version of a fact and the event that told it. Restated facts open a new epoch and win over lost ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// The container visit.
    pub container_visit_id: String,
    /// Version and event.
    pub told: Told,
    /// What was decided.
    pub state: DecisionState,
    /// To whom it is granted; empty unless granted.
    pub haulier_party: String,
    /// When it was decided.
    pub decided_at: DateTime<Utc>,
    /// What is missing.
    pub conditions: Vec<Condition>,
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
    /// The container visit.
    pub container_visit_id: String,
    /// The goods had left.
    pub too_late: bool,
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
    /// Who gave it.
    pub grantor_party: String,
    /// Who holds it.
    pub agent_party: String,
    /// It allows to carry: the newest version may have dropped that.
    pub carries: bool,
    /// From when.
    pub valid_from: DateTime<Utc>,
    /// Until when; none: until revoked.
    pub valid_until: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl CarryMandate {
    /// Whether it holds at this instant.
    pub fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.carries
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
