//! What customs says about the goods under one key, a container or a transport document. The highest
//! version is the whole of it; of the others is kept only which goods were bound and are no longer, and since when.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::version::Version;

/// What has ceased to be bound and is kept under a key: the newest.
pub const ENDED_MAX: usize = 64;

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
    /// What was bound under the key and is no longer.
    #[serde(default)]
    pub ended: Vec<Ended>,
}

/// Goods that a declaration, void since or amended, no longer says anything about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The declaration.
    pub declaration_id: String,
    /// The stay that they were bound to.
    pub container_visit_id: String,
    /// The transport document that joined them; empty if none.
    pub transport_document: String,
    /// What the declaration did.
    pub direction: Direction,
    /// When customs recorded that they are no longer.
    pub at: DateTime<Utc>,
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
    /// As it is held once this was told, where another was. The newest counts; what only the older one binds has ended
    /// with the newer.
    #[must_use]
    pub fn told_after(&self, held: Option<&Self>) -> Self {
        let Some(held) = held else {
            return self.clone();
        };
        let (newer, older) = if held.version < self.version {
            (self, held)
        } else {
            (held, self)
        };
        let binds =
            |goods: &Consignment| newer.consignments.iter().any(|one| one.is_bound_as(goods));
        let with_it = older
            .consignments
            .iter()
            .filter(|goods| !binds(goods))
            .filter_map(|goods| {
                Some(Ended {
                    declaration_id: goods.declaration_id.clone(),
                    container_visit_id: goods.container_visit_id.clone()?,
                    transport_document: goods.transport_document.clone(),
                    direction: goods.direction,
                    at: newer.recorded_at,
                })
            });
        let mut ended: Vec<Ended> = newer.ended.clone();
        for one in with_it.chain(older.ended.iter().cloned()) {
            let bound_again = newer.consignments.iter().any(|goods| one.is_of(goods));
            if !bound_again && !ended.iter().any(|known| known.is_same(&one)) {
                ended.push(one);
            }
        }
        ended.sort_by_key(|one| std::cmp::Reverse(one.at));
        ended.truncate(ENDED_MAX);
        Self {
            ended,
            ..newer.clone()
        }
    }

    /// The stays that its consignments are bound to.
    pub fn bound_visits(&self) -> impl Iterator<Item = &str> {
        self.consignments
            .iter()
            .filter_map(|consignment| consignment.container_visit_id.as_deref())
    }
}

impl Ended {
    /// Whether this consignment is bound as it was.
    fn is_of(&self, goods: &Consignment) -> bool {
        goods.declaration_id == self.declaration_id
            && goods.container_visit_id.as_ref() == Some(&self.container_visit_id)
            && goods.transport_document == self.transport_document
    }

    /// Whether it is about the same goods.
    pub fn is_same(&self, other: &Self) -> bool {
        self.declaration_id == other.declaration_id
            && self.container_visit_id == other.container_visit_id
            && self.transport_document == other.transport_document
    }
}

impl Consignment {
    /// Whether it binds the same goods to the same stay.
    fn is_bound_as(&self, other: &Self) -> bool {
        self.declaration_id == other.declaration_id
            && self.container_visit_id == other.container_visit_id
            && self.transport_document == other.transport_document
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + i64::try_from(minute).unwrap() * 60, 0).unwrap()
    }

    fn told(version: u64, bound: &[&str]) -> Clearance {
        let consignment = |declaration: &&str| Consignment {
            declaration_id: (*declaration).to_owned(),
            mrn: String::new(),
            container_visit_id: Some("S/C/1".to_owned()),
            transport_document: "TD-1".to_owned(),
            unbound_because: String::new(),
            released: true,
            conditions: Vec::new(),
            filer_party: String::new(),
            trader_party: String::new(),
            direction: Direction::Import,
        };
        Clearance {
            key: "container/C".to_owned(),
            version: Version::new(1, version),
            event_id: format!("clearance/{version}"),
            recorded_at: at(version),
            consignments: bound.iter().map(consignment).collect(),
            ended: Vec::new(),
        }
    }

    fn ended(heard: &[(u64, &[&str])]) -> Vec<(String, DateTime<Utc>)> {
        let mut held: Option<Clearance> = None;
        for (version, bound) in heard {
            held = Some(told(*version, bound).told_after(held.as_ref()));
        }
        let ended = held.unwrap().ended.into_iter();
        ended.map(|one| (one.declaration_id, one.at)).collect()
    }

    #[test]
    fn what_is_no_longer_bound_has_ended_once_and_is_forgotten_if_it_is_bound_again() {
        let one = |minute| vec![("one".to_owned(), at(minute))];
        assert_eq!(
            ended(&[(1, &["one"]), (2, &[]), (3, &[]), (2, &[])]),
            one(2)
        );
        assert_eq!(ended(&[(1, &["one", "two"]), (2, &["two"])]), one(2));
        assert_eq!(ended(&[(2, &[]), (1, &["one"]), (1, &["one"])]), one(2));
        assert_eq!(ended(&[(1, &["one"]), (2, &[]), (3, &["one"])]), []);
        assert_eq!(
            ended(&[(1, &["one"]), (2, &[]), (3, &["one"]), (4, &[])]),
            one(4)
        );
    }
}
