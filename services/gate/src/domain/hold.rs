//! Holds: reasons, by somebody, why something may not move. Gate keeps its own (terminal, safety) and a
//! copy of customs' and release's. It must not know what a hold stops: that is readiness and admission.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The longest reason, in characters.
pub const HOLD_REASON_CHARS_MAX: usize = 500;

/// One hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Which service keeps it.
    pub keeper: Keeper,
    /// The id that its keeper gave.
    pub hold_id: String,
    /// What is held.
    pub scope: Scope,
    /// Which kind of reason.
    pub kind: HoldKind,
    /// The party that placed it, and so may lift it.
    pub placed_by_party: String,
    /// The person who placed it.
    pub placed_by_subject: String,
    /// Why.
    pub reason: String,
    /// When.
    pub placed_at: DateTime<Utc>,
    /// When it was lifted; none while it stands.
    pub lifted: Option<Lifting>,
    /// The event that told of it; empty for gate's own.
    pub event_id: String,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifting {
    /// When.
    pub at: DateTime<Utc>,
    /// The person.
    pub by_subject: String,
    /// Why.
    pub reason: String,
}

/// The service that keeps a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keeper {
    /// Terminal and safety holds.
    Gate,
    /// Customs and quarantine holds.
    Customs,
    /// Commercial, finance and legal holds.
    Release,
}

/// What a hold is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Which kind of thing.
    pub kind: ScopeKind,
    /// Its key.
    pub key: String,
}

/// The kinds of things that can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScopeKind {
    /// A container visit.
    ContainerVisit,
    /// A declaration.
    Declaration,
    /// A stock list.
    StockList,
    /// A plate, normalised.
    Plate,
    /// A party.
    Party,
}

/// The kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HoldKind {
    /// By customs.
    Customs,
    /// By a health, plant or animal authority.
    Quarantine,
    /// By the line or forwarder.
    Commercial,
    /// By the terminal.
    Terminal,
    /// For safety.
    Safety,
    /// For money owed.
    Finance,
    /// By order of a court or authority.
    Legal,
}

impl Hold {
    /// Whether it has not been lifted.
    pub fn stands(&self) -> bool {
        self.lifted.is_none()
    }

    /// The key under which gate keeps it: two services may give the same id.
    pub fn key(&self) -> HoldKey {
        (self.keeper, self.hold_id.clone())
    }

    /// What is known of the hold after another telling of it: lifted wins, in whatever order they come.
    #[must_use]
    pub fn told_again(&self, told: Self) -> Self {
        match (&self.lifted, &told.lifted) {
            (Some(_), None) => self.clone(),
            _ => told,
        }
    }
}

/// Keeper and id.
pub type HoldKey = (Keeper, String);

impl Scope {
    /// A scope.
    pub fn new(kind: ScopeKind, key: impl Into<String>) -> Self {
        Self {
            kind,
            key: key.into(),
        }
    }

    /// The key of the hold topics: "plate/渝A12345".
    pub fn topic_key(&self) -> String {
        format!("{}/{}", self.kind.as_str(), self.key)
    }
}

impl ScopeKind {
    /// The word in topic keys and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContainerVisit => "container-visit",
            Self::Declaration => "declaration",
            Self::StockList => "stock-list",
            Self::Plate => "plate",
            Self::Party => "party",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::ContainerVisit,
            Self::Declaration,
            Self::StockList,
            Self::Plate,
            Self::Party,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

impl Keeper {
    /// The service's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Customs => "customs",
            Self::Release => "release",
        }
    }

    /// The service of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Gate, Self::Customs, Self::Release]
            .into_iter()
            .find(|keeper| keeper.as_str() == name)
    }
}

impl HoldKind {
    const ALL: [Self; 7] = [
        Self::Customs,
        Self::Quarantine,
        Self::Commercial,
        Self::Terminal,
        Self::Safety,
        Self::Finance,
        Self::Legal,
    ];

    /// The word in tables and condition codes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customs => "CUSTOMS",
            Self::Quarantine => "QUARANTINE",
            Self::Commercial => "COMMERCIAL",
            Self::Terminal => "TERMINAL",
            Self::Safety => "SAFETY",
            Self::Finance => "FINANCE",
            Self::Legal => "LEGAL",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(lifted: bool) -> Hold {
        let at = DateTime::UNIX_EPOCH;
        Hold {
            keeper: Keeper::Customs,
            hold_id: "H1".into(),
            scope: Scope::new(ScopeKind::Plate, "渝A12345"),
            kind: HoldKind::Customs,
            placed_by_party: "officer-1".into(),
            placed_by_subject: "o1".into(),
            reason: "papers".into(),
            placed_at: at,
            lifted: lifted.then(|| Lifting {
                at,
                by_subject: "o1".into(),
                reason: "done".into(),
            }),
            event_id: String::new(),
        }
    }

    #[test]
    fn lifted_wins_in_any_order() {
        assert!(!hold(true).told_again(hold(false)).stands());
        assert!(!hold(false).told_again(hold(true)).stands());
        assert!(hold(false).told_again(hold(false)).stands());
    }
}
