//! What customs holds of the sites and of the container visits at them: its own copy of gate's facts. Gate
//! alone mints visits; nothing here decides whether goods may move.

use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, Lrn, Mrn, TransportDocumentNumber};
use serde::{Deserialize, Serialize};

/// A site of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its id: "GUOYUAN-PORT".
    pub site_id: String,
    /// The highest wins.
    pub version: u64,
    /// The party that runs its gate and yard.
    pub terminal_party: String,
    /// The codes by which declarations name it.
    pub goods_location_codes: Vec<String>,
    /// It is a bonded centre: goods stand there under stock lists.
    pub bonded: bool,
}

impl Site {
    /// Whether a declaration that names this goods location means this site.
    pub fn is_at(&self, goods_location: &str) -> bool {
        self.goods_location_codes
            .iter()
            .any(|code| code.eq_ignore_ascii_case(goods_location.trim()))
    }
}

/// One stay of one container at one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Gate's id: site, container number and ordinal.
    pub visit_id: String,
    /// The site.
    pub site_id: String,
    /// The container.
    pub container: ContainerNumber,
    /// The highest wins.
    pub version: u64,
    /// Where it is in its life.
    pub phase: Phase,
    /// When it arrived.
    pub arrived_at: Option<DateTime<Utc>>,
    /// The consignments on it.
    pub lines: Vec<ManifestLine>,
    /// It came by truck: what an export arrives by.
    pub by_truck: bool,
    /// The declarations that the truck's filing named: MRNs and LRNs, each in its one spelling.
    pub named: Vec<String>,
    /// It left by train or barge.
    pub exited: bool,
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

/// One consignment of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestLine {
    /// The transport document; none where the list names none that can be read.
    pub transport_document: Option<TransportDocumentNumber>,
    /// Packages, where the list says.
    pub packages: Option<u32>,
}

impl Phase {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Announced => "ANNOUNCED",
            Self::Arrived => "ARRIVED",
            Self::Departed => "DEPARTED",
            Self::ShortLanded => "SHORT_LANDED",
        }
    }

    /// The phase of a name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Announced,
            Self::Arrived,
            Self::Departed,
            Self::ShortLanded,
        ]
        .into_iter()
        .find(|phase| phase.name() == name)
    }

    /// Nothing more can happen to the goods there.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Departed | Self::ShortLanded)
    }
}

/// The one spelling of a number by which a truck's filing names a declaration; none if it is neither MRN nor
/// LRN.
pub fn name_of(written: &str) -> Option<String> {
    if let Ok(mrn) = Mrn::parse(written) {
        return Some(mrn.to_string());
    }
    Lrn::parse(written).ok().map(|lrn| lrn.to_string())
}

/// The container number within a visit's id: "GUOYUAN-PORT/MSKU9070323/1".
pub fn container_of(visit_id: &str) -> Option<ContainerNumber> {
    let mut parts = visit_id.rsplit('/');
    let (_ordinal, container) = (parts.next()?, parts.next()?);
    parts.next()?;
    ContainerNumber::parse(container).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visits_id_names_its_container() {
        assert_eq!(
            container_of("GUOYUAN-PORT/MSKU9070323/2")
                .map(String::from)
                .as_deref(),
            Some("MSKU9070323")
        );
        for other in ["", "MSKU9070323/2", "P/MSKU9070324/1", "P/MSKU9070323"] {
            assert_eq!(container_of(other), None, "{other}");
        }
    }
}
