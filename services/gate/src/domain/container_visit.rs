//! The container visit: one stay of one container at one site, from announcement or entry to departure.
//! Nothing ever carries over to the next. It must not know trucks' filings or releases.
//!
//! ```text
//! ANNOUNCED -> ARRIVED -> DEPARTED      lifted onto a train or barge it is ARRIVED still: it may be taken off
//! ANNOUNCED -> SHORT_LANDED
//! ARRIVED -> SHORT_LANDED               its check-in was a mistake
//! ```

use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, Quantity, SizeType, TransportDocumentNumber};
use serde::{Deserialize, Serialize};

use super::truck_visit::Evidence;

/// So many ordinals are kept for each epoch. After a restore from a backup nobody here knows which stays of a container
/// began in the lost time, while others do, and may have released them: a stay of the new epoch is none of those.
const ORDINALS_PER_EPOCH: u32 = 100_000;

/// `SITE/CONTAINER/ORDINAL`; minted by gate alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerVisitId(String);

impl ContainerVisitId {
    /// The id of this stay.
    pub fn mint(site_id: &str, container: &ContainerNumber, ordinal: u32) -> Self {
        Self(format!("{site_id}/{container}/{ordinal}"))
    }

    /// Reads an id that gate once minted; none if it is not of that form.
    pub fn parse(text: &str) -> Option<Self> {
        let (site_and_container, ordinal) = text.rsplit_once('/')?;
        let (site, container) = site_and_container.rsplit_once('/')?;
        let ordinal: u32 = ordinal.parse().ok()?;
        let container = ContainerNumber::parse(container).ok()?;
        let minted = Self::mint(site, &container, ordinal);
        (!site.is_empty() && minted.0 == text).then_some(minted)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The container's number.
    pub fn container_number(&self) -> &str {
        self.0.rsplit('/').nth(1).unwrap_or_default()
    }

    /// The site.
    pub fn site_id(&self) -> &str {
        self.0.rsplitn(3, '/').nth(2).unwrap_or_default()
    }
}

impl std::fmt::Display for ContainerVisitId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One stay of one container at one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerVisit {
    /// Its id.
    pub id: ContainerVisitId,
    /// The site.
    pub site_id: String,
    /// The container.
    pub container: ContainerNumber,
    /// Which stay of this container at this site, from 1.
    pub ordinal: u32,
    /// Grows by one with every fact.
    pub version: u64,
    /// Where it is in its life.
    pub phase: Phase,
    /// What announcement or entry told of it.
    pub manifest: Manifest,
    /// How it came or will come.
    pub arrival_mode: TransportMode,
    /// The train or barge.
    pub conveyance: Option<String>,
    /// When the train or barge was announced for.
    pub estimated_arrival: Option<DateTime<Utc>>,
    /// The seals as found; empty if nobody looked.
    pub seals_found: Vec<String>,
    /// The terminal says that it can be picked up.
    pub available: bool,
    /// It came without being announced.
    pub over_landed: bool,
    /// When it arrived.
    pub arrived_at: Option<DateTime<Utc>>,
    /// When it left.
    pub departed_at: Option<DateTime<Utc>>,
    /// The truck visit that brought it.
    pub arrived_with: Option<String>,
    /// The truck visit that took it.
    pub departed_with: Option<String>,
    /// The declarations that the filing of the truck that brought it named.
    #[serde(default)]
    pub document_references: Vec<String>,
    /// Verified gross mass in kilograms, as the haulier that brought it filed it.
    #[serde(default)]
    pub verified_mass: Option<Quantity>,
    /// The train or barge that it was lifted onto; none while it stands in the yard.
    #[serde(default)]
    pub loaded: Option<Loading>,
    /// The stock list whose goods it brought into a bonded centre.
    #[serde(default)]
    pub list_number: Option<String>,
}

/// On which train or barge a container was lifted, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loading {
    /// By train or barge.
    pub mode: TransportMode,
    /// Its number.
    pub conveyance: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What was known when it was let onto it (gate rule 13).
    pub evidence: Vec<Evidence>,
}

/// What is in a container, as a list says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Size and type.
    pub size_type: Option<SizeType>,
    /// The seals.
    pub seals: Vec<String>,
    /// It is known to be empty.
    pub empty: bool,
    /// Its consignments.
    pub lines: Vec<ManifestLine>,
}

/// One consignment in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestLine {
    /// The transport document; without one nothing can be bound to the line.
    pub transport_document: Option<TransportDocumentNumber>,
    /// The shipping line or forwarder.
    pub line_party: String,
    /// Packages, if the list says.
    pub packages: Option<u32>,
    /// Gross mass in kilograms, if the list says.
    pub gross_mass: Option<Quantity>,
    /// What the list says about the goods.
    pub goods_description: String,
}

/// Where a container visit is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// On its way.
    Announced,
    /// At the site.
    Arrived,
    /// Gone.
    Departed,
    /// Announced and not landed.
    ShortLanded,
}

impl Phase {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "ANNOUNCED",
            Self::Arrived => "ARRIVED",
            Self::Departed => "DEPARTED",
            Self::ShortLanded => "SHORT_LANDED",
        }
    }
}

/// How a container comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TransportMode {
    /// By train.
    Rail,
    /// By barge.
    Barge,
    /// By truck.
    Truck,
}

impl TransportMode {
    /// The word in tables and keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rail => "RAIL",
            Self::Barge => "BARGE",
            Self::Truck => "TRUCK",
        }
    }
}

/// What can happen to a container visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerVisitFact {
    /// On a list.
    Announced,
    /// The list was sent again with other content.
    Amended,
    /// It stands at the site.
    Arrived,
    /// It can be picked up.
    Available,
    /// It cannot.
    Unavailable,
    /// It was lifted onto a train or barge.
    Loaded,
    /// It has left.
    Departed,
    /// It did not come.
    ShortLanded,
    /// The goods that it brought into a bonded centre were unstuffed.
    Emptied,
}

impl ContainerVisit {
    /// Whether the stay is not over.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Announced | Phase::Arrived)
    }

    /// The seals found are not the seals announced. Where nobody looked, or none were announced, there is
    /// nothing to compare.
    pub fn seal_mismatch(&self) -> bool {
        if self.manifest.seals.is_empty() || self.seals_found.is_empty() {
            return false;
        }
        let sorted = |seals: &[String]| {
            let mut seals = seals.to_vec();
            seals.sort();
            seals
        };
        sorted(&self.manifest.seals) != sorted(&self.seals_found)
    }

    /// The ordinal of the stay after the `last` of a container at a site, in this epoch of gate's.
    pub fn next_ordinal(last: Option<&Self>, epoch: u32) -> u32 {
        let before_epoch = epoch.saturating_sub(1).saturating_mul(ORDINALS_PER_EPOCH);
        let last = last.map_or(0, |last| last.ordinal);
        last.max(before_epoch).saturating_add(1)
    }

    /// A stay that begins when a truck brings a container.
    pub fn brought(
        site_id: &str,
        container: ContainerNumber,
        ordinal: u32,
        manifest: Manifest,
        truck_visit_id: &str,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            id: ContainerVisitId::mint(site_id, &container, ordinal),
            site_id: site_id.to_owned(),
            container,
            ordinal,
            version: 1,
            phase: Phase::Arrived,
            manifest,
            arrival_mode: TransportMode::Truck,
            conveyance: None,
            estimated_arrival: None,
            seals_found: Vec::new(),
            available: false,
            over_landed: false,
            arrived_at: Some(at),
            departed_at: None,
            arrived_with: Some(truck_visit_id.to_owned()),
            departed_with: None,
            document_references: Vec::new(),
            verified_mass: None,
            loaded: None,
            list_number: None,
        }
    }

    /// After the terminal's word on whether it can be picked up; none where that is known already.
    pub fn made_available(&self, available: bool) -> Option<(Self, ContainerVisitFact)> {
        if self.available == available {
            return None;
        }
        let fact = if available {
            ContainerVisitFact::Available
        } else {
            ContainerVisitFact::Unavailable
        };
        Some((
            Self {
                available,
                ..self.next()
            },
            fact,
        ))
    }

    /// After it left on a truck.
    #[must_use]
    pub fn departed(&self, truck_visit_id: &str, at: DateTime<Utc>) -> Self {
        Self {
            phase: Phase::Departed,
            available: false,
            departed_at: Some(at),
            departed_with: Some(truck_visit_id.to_owned()),
            loaded: None,
            ..self.next()
        }
    }

    /// Whether it was lifted onto this train or barge.
    pub fn is_loaded_on(&self, mode: TransportMode, conveyance: &str) -> bool {
        let on = |loading: &Loading| loading.mode == mode && loading.conveyance == conveyance;
        self.loaded.as_ref().is_some_and(on)
    }

    /// The train or barge that took it.
    pub fn departure_conveyance(&self) -> Option<&Loading> {
        self.loaded
            .as_ref()
            .filter(|_| self.phase == Phase::Departed)
    }

    /// After it was lifted onto a train or barge, with these seals where somebody looked.
    #[must_use]
    pub fn lifted_on(&self, loading: Loading, seals_found: &[String]) -> Self {
        Self {
            available: false,
            seals_found: if seals_found.is_empty() {
                self.seals_found.clone()
            } else {
                seals_found.to_vec()
            },
            loaded: Some(loading),
            ..self.next()
        }
    }

    /// After it was taken off again, or had to be: it stands in the yard.
    #[must_use]
    pub fn taken_off(&self) -> Self {
        Self {
            loaded: None,
            ..self.next()
        }
    }

    /// After the train or barge that it was lifted onto has left.
    #[must_use]
    pub fn carried_off(&self, at: DateTime<Utc>) -> Self {
        Self {
            phase: Phase::Departed,
            departed_at: Some(at),
            ..self.next()
        }
    }

    /// Whether it brought goods of this list, and was here with them when they were unstuffed.
    pub fn is_unstuffed(&self, list_number: &str, at: DateTime<Utc>) -> bool {
        self.phase == Phase::Arrived
            && !self.manifest.empty
            && self.list_number.as_deref() == Some(list_number)
            && self.arrived_at.is_some_and(|arrived_at| arrived_at <= at)
    }

    /// After its goods were unstuffed.
    #[must_use]
    pub fn emptied(&self) -> Self {
        let mut next = self.next();
        next.manifest.empty = true;
        next
    }

    /// After the check-in that began it turned out a mistake: it is not here, and the stay is over without
    /// arrival.
    #[must_use]
    pub fn never_came(&self) -> Self {
        Self {
            phase: Phase::ShortLanded,
            available: false,
            arrived_at: None,
            ..self.next()
        }
    }

    /// The same, one version on.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            version: self.version + 1,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_only_in_the_form_in_which_it_was_minted() {
        let id = ContainerVisitId::parse("GUOYUAN-PORT/MSKU9070323/2").unwrap();
        assert_eq!(id.container_number(), "MSKU9070323");
        assert_eq!(id.site_id(), "GUOYUAN-PORT");
        for other in [
            "GUOYUAN-PORT/MSKU9070323/02",
            "/MSKU9070323/1",
            "GUOYUAN-PORT/MSKU9070324/1",
            "x",
            "",
        ] {
            assert_eq!(ContainerVisitId::parse(other), None, "{other}");
        }
    }
}
