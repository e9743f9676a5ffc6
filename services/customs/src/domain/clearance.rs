//! What customs says under one key, a container or a transport document: the position of every declaration's
//! goods there. A counter per key makes the newest word win. It must not know how a position comes about.

use std::collections::{BTreeMap, BTreeSet};

use kernel::Unmet;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most consignments kept under one key. A container number that many declarations name without ever
/// being bound would grow without end; beyond this the oldest that is bound to no visit is dropped, and if
/// there is none, the oldest that has left or else is released: then the goods count as not declared, which
/// withholds. What is bound, here and not released is never dropped: without it the container would look as
/// if nothing were missing.
pub const CONSIGNMENTS_MAX: usize = 500;

/// Everything under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clearance {
    /// Counts up by one with every change.
    pub version: u64,
    /// The positions, by declaration and transport document.
    pub positions: BTreeMap<PositionKey, Position>,
}

/// Whose goods a position is about: declaration (ids sort by time) and transport document.
pub type PositionKey = (Uuid, String);

/// Customs' position on one consignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The declaration's number.
    pub mrn: String,
    /// The container visit, once bound.
    pub visit_id: String,
    /// Why it is not bound, in a sentence; empty once it is.
    pub unbound_because: String,
    /// Released, and not held by customs.
    pub released: bool,
    /// Released and nothing left to do.
    pub cleared: bool,
    /// Whether the goods are to be inspected; none while nobody has said.
    pub inspection: Option<bool>,
    /// What customs still misses.
    pub conditions: Vec<Unmet>,
    /// Who filed.
    pub filer: String,
    /// Whose goods they are.
    pub trader: String,
    /// The declaration's version that this rests on.
    pub declaration_version: u64,
    /// IMPORT or EXPORT.
    pub direction: String,
    /// They have left with their visit.
    #[serde(default)]
    pub departed: bool,
}

impl Clearance {
    /// Replaces the positions of one declaration; whether anything that a reader acts on has changed. What has left
    /// stays until goods of another visit come under the key: whoever hears of the departure only later, from
    /// another topic, would otherwise take goods on their way for goods that nobody has declared.
    pub fn replace(&mut self, declaration_id: Uuid, positions: Vec<(String, Position)>) -> bool {
        let mut next: BTreeMap<PositionKey, Position> = self
            .positions
            .iter()
            .filter(|((id, _), _)| *id != declaration_id)
            .map(|(key, position)| (key.clone(), position.clone()))
            .collect();
        next.extend(
            positions
                .into_iter()
                .map(|(document, position)| ((declaration_id, document), position)),
        );
        let here: BTreeSet<String> = next
            .values()
            .filter(|position| !position.departed && !position.visit_id.is_empty())
            .map(|position| position.visit_id.clone())
            .collect();
        next.retain(|_, position| {
            !position.departed || here.is_empty() || here.contains(&position.visit_id)
        });
        while next.len() > CONSIGNMENTS_MAX {
            let oldest = next
                .iter()
                .find(|(_, position)| position.visit_id.is_empty())
                .or_else(|| next.iter().find(|(_, position)| position.departed))
                .or_else(|| next.iter().find(|(_, position)| position.released));
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            next.remove(&key);
        }
        if same_to_a_reader(&self.positions, &next) {
            return false;
        }
        self.positions = next;
        self.version += 1;
        true
    }
}

/// A new version of the declaration alone is no news under the key.
fn same_to_a_reader(
    before: &BTreeMap<PositionKey, Position>,
    after: &BTreeMap<PositionKey, Position>,
) -> bool {
    before.len() == after.len()
        && before.iter().zip(after).all(|((key, old), (other, new))| {
            key == other
                && *old
                    == Position {
                        declaration_version: old.declaration_version,
                        ..new.clone()
                    }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(visit_id: &str, version: u64) -> Position {
        Position {
            mrn: "M".into(),
            visit_id: visit_id.into(),
            unbound_because: String::new(),
            released: false,
            cleared: false,
            inspection: None,
            conditions: Vec::new(),
            filer: "broker-a".into(),
            trader: String::new(),
            declaration_version: version,
            direction: "IMPORT".into(),
            departed: false,
        }
    }

    fn departed(visit_id: &str) -> Position {
        Position {
            departed: true,
            ..position(visit_id, 1)
        }
    }

    #[test]
    fn the_counter_grows_only_with_news() {
        let mut clearance = Clearance::default();
        let id = Uuid::from_u128(1);
        assert!(clearance.replace(id, vec![("BL1".into(), position("v", 1))]));
        assert!(!clearance.replace(id, vec![("BL1".into(), position("v", 2))]));
        assert!(clearance.replace(
            id,
            vec![(
                "BL1".into(),
                Position {
                    released: true,
                    ..position("v", 3)
                }
            )]
        ));
        assert_eq!(clearance.version, 2);
        assert!(clearance.replace(id, Vec::new()));
        assert!(clearance.positions.is_empty());
    }

    #[test]
    fn other_declarations_under_the_key_stay() {
        let mut clearance = Clearance::default();
        clearance.replace(Uuid::from_u128(1), vec![("BL1".into(), position("v", 1))]);
        clearance.replace(Uuid::from_u128(2), vec![("BL2".into(), position("v", 1))]);
        assert_eq!(clearance.positions.len(), 2);
    }

    #[test]
    fn what_has_left_stays_until_goods_of_another_visit_come() {
        let mut clearance = Clearance::default();
        for id in [1, 2] {
            clearance.replace(Uuid::from_u128(id), vec![("BL".into(), position("v/1", 1))]);
        }
        for id in [1, 2] {
            clearance.replace(Uuid::from_u128(id), vec![("BL".into(), departed("v/1"))]);
        }
        let lodged = position("", 1);
        clearance.replace(Uuid::from_u128(3), vec![("BL".into(), lodged)]);
        assert_eq!(clearance.positions.len(), 3, "nothing of a next visit yet");
        clearance.replace(Uuid::from_u128(3), vec![("BL".into(), position("v/2", 1))]);
        let visits = clearance
            .positions
            .values()
            .map(|position| &position.visit_id);
        assert_eq!(visits.collect::<Vec<_>>(), ["v/2"]);
    }

    #[test]
    fn what_is_bound_and_not_released_is_never_dropped() {
        let mut clearance = Clearance::default();
        clearance.replace(Uuid::from_u128(0), vec![("BL".into(), position("v", 1))]);
        for number in 1..=CONSIGNMENTS_MAX as u128 + 1 {
            let released = Position {
                released: true,
                ..position("v", 1)
            };
            clearance.replace(Uuid::from_u128(number), vec![("BL".into(), released)]);
        }
        assert_eq!(clearance.positions.len(), CONSIGNMENTS_MAX);
        let first = clearance.positions.get(&(Uuid::from_u128(0), "BL".into()));
        assert!(
            first.is_some_and(|position| !position.released),
            "else the container would leave with goods that customs has not released"
        );
        for number in 0..=CONSIGNMENTS_MAX as u128 + 1 {
            clearance.replace(
                Uuid::from_u128(number),
                vec![("BL".into(), position("v", 1))],
            );
        }
        assert_eq!(clearance.positions.len(), CONSIGNMENTS_MAX + 2);
    }

    #[test]
    fn what_is_bound_to_nothing_makes_room_first() {
        let mut clearance = Clearance::default();
        clearance.replace(Uuid::from_u128(0), vec![("BL".into(), position("v", 1))]);
        for number in 1..=CONSIGNMENTS_MAX {
            clearance.replace(
                Uuid::from_u128(number as u128),
                vec![("BL".into(), position("", 1))],
            );
        }
        assert_eq!(clearance.positions.len(), CONSIGNMENTS_MAX);
        assert!(
            clearance
                .positions
                .contains_key(&(Uuid::from_u128(0), "BL".into()))
        );
        assert!(
            !clearance
                .positions
                .contains_key(&(Uuid::from_u128(1), "BL".into()))
        );
    }
}
