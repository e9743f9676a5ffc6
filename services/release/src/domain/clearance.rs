//! What customs says about the goods under one key, a container or a transport document. The highest
//! version is the whole of it; nothing is added up from several.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::version::Version;

/// Everything customs knows under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clearance {
    /// "container/NUMBER" or "transport-document/NUMBER".
    pub key: String,
    /// Of the event it was learnt from.
    pub version: Version,
    /// That event.
    pub event_id: String,
    /// When customs recorded it.
    pub recorded_at: DateTime<Utc>,
    /// Every consignment that customs knows of under the key.
    pub consignments: Vec<Consignment>,
}

/// Customs' position on one declaration's goods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consignment {
    /// The declaration.
    pub declaration_id: String,
    /// Its MRN; empty if it has none.
    pub mrn: String,
    /// The stay it is bound to; none while unbound.
    pub container_visit_id: Option<String>,
    /// The transport document that joined them; empty if none.
    pub transport_document: String,
    /// Why it is not bound.
    pub unbound_because: String,
    /// Whether customs has released the goods, after its own holds.
    pub released: bool,
    /// What customs still misses.
    pub conditions: Vec<Condition>,
    /// Who filed.
    pub filer_party: String,
    /// Whose goods they are; empty if unknown.
    pub trader_party: String,
    /// What the declaration does. Only an import releases a pick-up, and only an export a loading.
    pub direction: Direction,
}

/// What a declaration does with the goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// Brings them in.
    Import,
    /// Takes them out.
    Export,
    /// Neither: supplementary and special declarations never release.
    Neither,
}

impl Clearance {
    /// The stays that its consignments are bound to.
    pub fn bound_visits(&self) -> impl Iterator<Item = &str> {
        self.consignments
            .iter()
            .filter_map(|consignment| consignment.container_visit_id.as_deref())
    }
}

impl Consignment {
    /// Whether it is bound to this stay, and its goods go this way.
    pub fn counts_for(&self, container_visit_id: &str, direction: Direction) -> bool {
        self.direction == direction
            && self.container_visit_id.as_deref() == Some(container_visit_id)
    }

    /// The declaration in a person's words.
    pub fn title(&self) -> &str {
        if self.mrn.is_empty() {
            &self.declaration_id
        } else {
            &self.mrn
        }
    }

    /// The parties that the declaration belongs to.
    pub fn parties(&self) -> impl Iterator<Item = &str> {
        [self.filer_party.as_str(), self.trader_party.as_str()]
            .into_iter()
            .filter(|party| !party.is_empty())
    }
}

/// The key under which customs speaks about a container.
pub fn container_key(container_number: &str) -> String {
    format!("container/{container_number}")
}

/// The key under which customs speaks about a consignment without a container.
pub fn transport_document_key(transport_document: &str) -> String {
    format!("transport-document/{transport_document}")
}
