//! Discrepancies: what differs between a list and what passed or was counted of it, and how that was settled
//! (bonded rule 4). It must not know how stock is posted.

use chrono::{DateTime, Utc};
use kernel::Quantity;
use uuid::Uuid;

/// A difference, as the facts stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The list's line.
    pub line_number: u32,
    /// What differs.
    pub kind: DiscrepancyKind,
    /// What was expected.
    pub expected: Quantity,
    /// What was found.
    pub found: Quantity,
}

/// A difference on record.
#[derive(Clone, Debug, PartialEq)]
pub struct Discrepancy {
    /// Its id.
    pub id: Uuid,
    /// What differs.
    pub difference: Difference,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// How it was settled; none while it is open.
    pub settled: Option<Settled>,
}

/// The end of a discrepancy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// How.
    pub resolution: Resolution,
    /// When.
    pub at: DateTime<Utc>,
    /// The party; empty where the facts did.
    pub by_party: String,
    /// The person.
    pub by_subject: String,
    /// Why.
    pub reason: String,
}

/// What can differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiscrepancyKind {
    /// More passed than is listed.
    OverDelivery,
    /// Less passed than is listed.
    UnderDelivery,
    /// Something else was counted.
    Count,
}

/// How a discrepancy is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// What passed is posted.
    PostPassed,
    /// What was counted is posted.
    PostCounted,
    /// The difference is gone.
    Explained,
}

impl Discrepancy {
    /// Whether nobody and nothing has settled it.
    pub fn is_open(&self) -> bool {
        self.settled.is_none()
    }

    /// Whether it is this difference, and a decision on it stands.
    pub fn decides(&self, difference: &Difference) -> bool {
        let decided = self
            .settled
            .as_ref()
            .is_some_and(|settled| settled.resolution != Resolution::Explained);
        decided && self.difference == *difference
    }
}

impl DiscrepancyKind {
    const ALL: [Self; 3] = [Self::OverDelivery, Self::UnderDelivery, Self::Count];

    /// Its name in tables and facts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OverDelivery => "OVER_DELIVERY",
            Self::UnderDelivery => "UNDER_DELIVERY",
            Self::Count => "COUNT",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Resolution {
    const ALL: [Self; 3] = [Self::PostPassed, Self::PostCounted, Self::Explained];

    /// Its name in tables and facts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PostPassed => "POST_PASSED",
            Self::PostCounted => "POST_COUNTED",
            Self::Explained => "EXPLAINED",
        }
    }

    /// The resolution of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|resolution| resolution.as_str() == name)
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let found = match self.kind {
            DiscrepancyKind::Count => "counted",
            DiscrepancyKind::OverDelivery | DiscrepancyKind::UnderDelivery => "passed",
        };
        write!(
            formatter,
            "{} on line {}: {} expected, {} {found}",
            self.kind.as_str(),
            self.line_number,
            self.expected,
            self.found
        )
    }
}
