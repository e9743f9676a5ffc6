//! Holds of customs and quarantine: a reason, by somebody, why something may not move. Many may overlap, and
//! lifting one lifts no other. It must not know what a hold does to a declaration.

use chrono::{DateTime, Utc};
use kernel::Plate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest reason of an officer, in characters.
pub const REASON_CHARS_MAX: usize = 500;

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub hold_id: Uuid,
    /// On what.
    pub scope: Scope,
    /// Which kind of reason.
    pub kind: HoldKind,
    /// The party that placed it.
    pub placed_by_party: String,
    /// The person.
    pub placed_by_subject: String,
    /// Why.
    pub reason: String,
    /// When.
    pub placed_at: DateTime<Utc>,
    /// Its end; none while it stands.
    pub lifted: Option<Lifted>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    /// When.
    pub at: DateTime<Utc>,
    /// The person.
    pub by_subject: String,
    /// Why.
    pub reason: String,
}

/// What a hold is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// Which kind of thing.
    pub kind: ScopeKind,
    /// Its key.
    pub key: String,
}

/// The kinds of things that can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScopeKind {
    /// One stay of one container.
    ContainerVisit,
    /// A declaration.
    Declaration,
    /// A stock list.
    StockList,
    /// A truck's plate.
    Plate,
    /// A party.
    Party,
}

/// The kinds of holds that live in customs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HoldKind {
    /// By customs.
    Customs,
    /// By a health, plant or animal authority.
    Quarantine,
}

impl HoldKind {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Customs => "CUSTOMS",
            Self::Quarantine => "QUARANTINE",
        }
    }
}

impl ScopeKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::ContainerVisit,
        Self::Declaration,
        Self::StockList,
        Self::Plate,
        Self::Party,
    ];

    /// The name in keys: "container-visit".
    pub fn name(self) -> &'static str {
        match self {
            Self::ContainerVisit => "container-visit",
            Self::Declaration => "declaration",
            Self::StockList => "stock-list",
            Self::Plate => "plate",
            Self::Party => "party",
        }
    }

    /// The kind of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Scope {
    /// A scope whose key is not read any further.
    pub fn new(kind: ScopeKind, key: impl Into<String>) -> Self {
        let key = key.into();
        // A plate is one plate however it is written.
        let key = match kind {
            ScopeKind::Plate => Plate::normalise(&key).unwrap_or(key),
            _ => key,
        };
        Self { kind, key }
    }

    /// The key of the topic and of the lock: "container-visit/ID".
    pub fn topic_key(&self) -> String {
        format!("{}/{}", self.kind.name(), self.key)
    }
}

impl Hold {
    /// Whether it stands.
    pub fn stands(&self) -> bool {
        self.lifted.is_none()
    }

    /// The hold after it was lifted; none if it was lifted before, for lifting twice changes nothing.
    pub fn lift(&self, by_subject: &str, reason: &str, now: DateTime<Utc>) -> Option<Self> {
        self.stands().then(|| Self {
            lifted: Some(Lifted {
                at: now,
                by_subject: by_subject.to_owned(),
                reason: reason.to_owned(),
            }),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn lifting_twice_changes_nothing() {
        let now = Utc
            .with_ymd_and_hms(2026, 1, 1, 0, 0, 0)
            .single()
            .expect("a time");
        let hold = Hold {
            hold_id: Uuid::nil(),
            scope: Scope::new(ScopeKind::Declaration, "d"),
            kind: HoldKind::Customs,
            placed_by_party: "officer-1".into(),
            placed_by_subject: "o".into(),
            reason: "look".into(),
            placed_at: now,
            lifted: None,
        };
        let lifted = hold.lift("o2", "seen", now).expect("lifted");
        assert!(!lifted.stands());
        assert_eq!(lifted.lift("o3", "again", now), None);
    }

    #[test]
    fn a_scope_is_keyed_by_kind_and_key() {
        assert_eq!(
            Scope::new(ScopeKind::ContainerVisit, "P/C/1").topic_key(),
            "container-visit/P/C/1"
        );
        assert_eq!(
            ScopeKind::parse("container-visit"),
            Some(ScopeKind::ContainerVisit)
        );
    }
}
