//! A container visit as release keeps it: the highest version of what gate said about the stay, the
//! decision on it, and who was told. What it does not know: customs, lines, holds.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::decision::Decision;
use super::hold::PartyHolds;
use super::notice::Concerned;
use super::version::Version;

/// The latest stays of one container that are weighed together; older ones are history.
pub const VISITS_PER_CONTAINER_MAX: usize = 64;

/// One stay of one container at one site, and what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerVisit {
    /// What gate said.
    pub stay: Stay,
    /// The earliest time at which gate recorded anything about it, whatever order it is learnt in.
    pub known_since: DateTime<Utc>,
    /// The decision, once there was one.
    pub decision: Decision,
    /// The parties that were told of a grant: a revocation reaches them too.
    pub told_parties: BTreeSet<String>,
    /// The parties concerned, but for the terminal: they are told of it and may read it.
    pub concerned: Concerned,
    /// The holds on parties that were weighed last.
    #[serde(default)]
    pub party_holds: PartyHolds,
}

/// The stay, as one event of gate states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// Minted by gate.
    pub container_visit_id: String,
    /// The site.
    pub site_id: String,
    /// The container's number.
    pub container_number: String,
    /// Of the fact that it was learnt from.
    pub version: Version,
    /// The event it was learnt from.
    pub event_id: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// How the container came.
    pub came_by: Mode,
    /// The consignments on it.
    pub manifest_lines: Vec<ManifestLine>,
    /// The terminal says that it can be picked up.
    pub available: bool,
    /// It is known to be empty.
    pub empty: bool,
    /// The stock list whose goods it brought into a bonded centre; empty if none.
    #[serde(default)]
    pub list_number: String,
    /// When it arrived.
    pub arrived_at: Option<DateTime<Utc>>,
    /// When it left.
    pub departed_at: Option<DateTime<Utc>>,
    /// When gate first recorded that the stay was over, whatever a device's clock said.
    #[serde(default)]
    pub over_since: Option<DateTime<Utc>>,
}

/// One consignment of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestLine {
    /// The transport document; empty if the list does not say.
    pub transport_document: String,
    /// The line whose release it needs; empty if the list does not say.
    pub line_party: String,
}

/// Where a stay is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// On its way.
    Announced,
    /// At the site.
    Arrived,
    /// Gone.
    Departed,
    /// Announced and not landed: over without an arrival.
    ShortLanded,
}

/// How a container came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// Nobody said.
    Unknown,
    /// By train.
    Rail,
    /// By barge.
    Barge,
    /// By truck.
    Truck,
}

impl ContainerVisit {
    /// A stay heard of for the first time.
    pub fn first_heard(stay: Stay, recorded_at: DateTime<Utc>) -> Self {
        Self {
            stay,
            known_since: recorded_at,
            decision: Decision::default(),
            told_parties: BTreeSet::new(),
            concerned: Concerned::default(),
            party_holds: PartyHolds::default(),
        }
    }

    /// Takes what gate says if it is newer than what is held. Either way the earliest mention is kept,
    /// so that "since" does not depend on the order of arrival.
    pub fn learn(&mut self, stay: Stay, recorded_at: DateTime<Utc>) {
        self.known_since = self.known_since.min(recorded_at);
        let over_since = [self.stay.over_since, stay.over_since]
            .into_iter()
            .flatten()
            .min();
        if stay.version > self.stay.version {
            self.stay = stay;
        }
        self.stay.over_since = over_since.filter(|_| self.stay.is_over());
    }
}

/// The site and the container that a container visit's id names: gate mints it of site, container
/// number and ordinal. None if it is not such an id.
pub fn named_by(container_visit_id: &str) -> Option<(&str, &str)> {
    let (rest, ordinal) = container_visit_id.rsplit_once('/')?;
    let (site_id, container_number) = rest.rsplit_once('/')?;
    let whole = !site_id.is_empty() && !container_number.is_empty() && !ordinal.is_empty();
    whole.then_some((site_id, container_number))
}

impl Stay {
    /// Whether the stay has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Departed | Phase::ShortLanded)
    }

    /// When the container left, by the clock of gate's record: the lanes' clocks may be wrong.
    pub fn left_at(&self) -> Option<DateTime<Utc>> {
        (self.phase == Phase::Departed)
            .then(|| self.over_since.or(self.departed_at))
            .flatten()
    }

    /// Whether the container is, or was, at the site.
    pub fn has_arrived(&self) -> bool {
        matches!(self.phase, Phase::Arrived | Phase::Departed)
    }

    /// The distinct transport documents of the manifest.
    pub fn transport_documents(&self) -> BTreeSet<&str> {
        self.manifest_lines
            .iter()
            .map(|line| line.transport_document.as_str())
            .filter(|document| !document.is_empty())
            .collect()
    }

    /// Whether the manifest names this consignment of this line.
    pub fn carries(&self, transport_document: &str, line_party: &str) -> bool {
        self.manifest_lines.iter().any(|line| {
            line.transport_document == transport_document && line.line_party == line_party
        })
    }

    /// Whether the manifest names this line at all.
    pub fn is_carried_for(&self, line_party: &str) -> bool {
        !line_party.is_empty()
            && self
                .manifest_lines
                .iter()
                .any(|line| line.line_party == line_party)
    }

    /// The stay as conditions and notices name it.
    pub fn subject(&self) -> String {
        format!("container-visit/{}", self.container_visit_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_site_and_its_container() {
        assert_eq!(
            named_by("GUOYUAN-PORT/MRKU4976720/2"),
            Some(("GUOYUAN-PORT", "MRKU4976720"))
        );
        for other in ["", "MRKU4976720", "GUOYUAN-PORT/MRKU4976720", "//1", "S/C/"] {
            assert_eq!(named_by(other), None, "{other}");
        }
    }
}
