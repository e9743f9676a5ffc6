//! Why something may not move: a list of conditions, never a bare no. Each says what is missing, who must
//! act, since when, on what evidence, and how grave it is. This file must not know how conditions are found.

use chrono::{DateTime, Utc};
use kernel::Unmet;
use serde::{Deserialize, Serialize};

/// The codes of the conditions that gate itself finds. Others come from release and are passed on.
pub mod code {
    /// The container has no visit at the site that is announced or there.
    pub const CONTAINER_UNKNOWN: &str = "CONTAINER_UNKNOWN";
    /// The container is announced and not here yet.
    pub const NOT_ARRIVED: &str = "NOT_ARRIVED";
    /// The terminal has not said that the container can be picked up.
    pub const NOT_AVAILABLE: &str = "NOT_AVAILABLE";
    /// The container is not known to be empty.
    pub const NOT_KNOWN_EMPTY: &str = "NOT_KNOWN_EMPTY";
    /// The container that the truck brings stands here, or is announced, already.
    pub const CONTAINER_ALREADY_HERE: &str = "CONTAINER_ALREADY_HERE";
    /// It was lifted onto a train or barge.
    pub const LOADED: &str = "LOADED";
    /// No declaration of this reference is known.
    pub const DECLARATION_UNKNOWN: &str = "DECLARATION_UNKNOWN";
    /// Several filers' declarations have this reference.
    pub const DECLARATION_AMBIGUOUS: &str = "DECLARATION_AMBIGUOUS";
    /// Customs has not registered the declaration.
    pub const DECLARATION_NOT_REGISTERED: &str = "DECLARATION_NOT_REGISTERED";
    /// The declaration is rejected, expired or void.
    pub const DECLARATION_OVER: &str = "DECLARATION_OVER";
    /// The declaration is of goods that come into the country.
    pub const DECLARATION_NOT_EXPORT: &str = "DECLARATION_NOT_EXPORT";
    /// The declaration names other containers.
    pub const DECLARATION_OF_OTHER_CONTAINER: &str = "DECLARATION_OF_OTHER_CONTAINER";
    /// No declaration that the filing names is of this container.
    pub const CONTAINER_NOT_DECLARED: &str = "CONTAINER_NOT_DECLARED";
    /// The truck did not pass the first of two barriers.
    pub const FIRST_BARRIER_NOT_PASSED: &str = "FIRST_BARRIER_NOT_PASSED";
    /// Bonded has not told of the stock list.
    pub const STOCK_LIST_UNKNOWN: &str = "STOCK_LIST_UNKNOWN";
    /// No more of the stock list passes.
    pub const STOCK_LIST_NOT_OPEN: &str = "STOCK_LIST_NOT_OPEN";
    /// The passes come to more than the stock list.
    pub const STOCK_LIST_EXCEEDED: &str = "STOCK_LIST_EXCEEDED";
    /// The pass was taken back: the stock list is void, or was closed short.
    pub const PASS_WITHDRAWN: &str = "PASS_WITHDRAWN";
    /// The declaration of the stock list names other containers.
    pub const CONTAINER_NOT_ON_LIST: &str = "CONTAINER_NOT_ON_LIST";
    /// The declaration of the stock list names containers, and the pass none.
    pub const CONTAINER_NOT_NAMED: &str = "CONTAINER_NOT_NAMED";
    /// Release has not granted the container visit.
    pub const RELEASE_NOT_GRANTED: &str = "RELEASE_NOT_GRANTED";
    /// Release has granted it to somebody else.
    pub const RELEASED_TO_ANOTHER_HAULIER: &str = "RELEASED_TO_ANOTHER_HAULIER";
    /// The release was revoked.
    pub const RELEASE_REVOKED: &str = "RELEASE_REVOKED";
    /// Something that gate would have to know cannot be known now.
    pub const KNOWLEDGE_UNKNOWN: &str = "KNOWLEDGE_UNKNOWN";
    /// What gate knows of the decision is older than the site allows.
    pub const KNOWLEDGE_TOO_OLD: &str = "KNOWLEDGE_TOO_OLD";
    /// Nobody has said whether an inspection is asked for.
    pub const INSPECTION_UNKNOWN: &str = "INSPECTION_UNKNOWN";
    /// An inspection is not over.
    pub const INSPECTION_OPEN: &str = "INSPECTION_OPEN";
    /// The firm is not known.
    pub const PARTY_UNKNOWN: &str = "PARTY_UNKNOWN";
    /// The firm is suspended.
    pub const PARTY_SUSPENDED: &str = "PARTY_SUSPENDED";
    /// Nothing is filed for this truck.
    pub const NO_PRE_ARRIVAL: &str = "NO_PRE_ARRIVAL";
    /// More than one filing fits.
    pub const PRE_ARRIVAL_AMBIGUOUS: &str = "PRE_ARRIVAL_AMBIGUOUS";
    /// The filing is used, cancelled or expired.
    pub const PRE_ARRIVAL_OVER: &str = "PRE_ARRIVAL_OVER";
    /// The truck's plate is not the one filed, or not the one that went in.
    pub const PLATE_DIFFERS: &str = "PLATE_DIFFERS";
    /// The filing names a trailer, and none was read.
    pub const TRAILER_NOT_READ: &str = "TRAILER_NOT_READ";
    /// The containers are not those filed.
    pub const CONTAINERS_DIFFER: &str = "CONTAINERS_DIFFER";
    /// The container on the truck is not on the filing.
    pub const CONTAINER_NOT_FILED: &str = "CONTAINER_NOT_FILED";
    /// The lane did not learn who presents himself.
    pub const CARRIER_UNKNOWN: &str = "CARRIER_UNKNOWN";
    /// The firm that presents itself neither filed nor is nominated.
    pub const CARRIER_NOT_NOMINATED: &str = "CARRIER_NOT_NOMINATED";
    /// There is no weight reading, and the site wants one.
    pub const WEIGHT_MISSING: &str = "WEIGHT_MISSING";
    /// The load differs from what was filed by more than the site allows.
    pub const WEIGHT_OUT_OF_TOLERANCE: &str = "WEIGHT_OUT_OF_TOLERANCE";
    /// The truck is recorded as being inside.
    pub const TRUCK_ALREADY_INSIDE: &str = "TRUCK_ALREADY_INSIDE";
    /// The truck leaves, and its coming was not recorded.
    pub const ENTRY_NOT_RECORDED: &str = "ENTRY_NOT_RECORDED";
}

/// How grave a condition is at a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Gravity {
    /// It cannot be told: a person must decide.
    NeedsPerson,
    /// No. At the way out a named person may still decide otherwise (gate rule 11).
    Refuses,
    /// No, until whoever ordered it ends it: a hold, an inspection. No person at the gate sets it aside.
    Binding,
}

/// One condition that is not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What is missing: one of [`code`], or release's own word.
    pub code: String,
    /// What it is about.
    pub subject: String,
    /// Who must act: a party, or a role.
    pub who: String,
    /// Since when, where that is known.
    pub since: Option<DateTime<Utc>>,
    /// The events that it rests on.
    pub evidence: Vec<String>,
    /// What would meet it, for a person.
    pub description: String,
    /// How grave it is.
    pub gravity: Gravity,
}

impl Condition {
    /// A condition without date and evidence.
    pub fn new(
        gravity: Gravity,
        code: &str,
        subject: impl Into<String>,
        who: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Self {
            code: code.to_owned(),
            subject: subject.into(),
            who: who.into(),
            since: None,
            evidence: Vec::new(),
            description: description.into(),
            gravity,
        }
    }

    /// Since when it stands.
    #[must_use]
    pub fn since(mut self, since: DateTime<Utc>) -> Self {
        self.since = Some(since);
        self
    }

    /// An event that it rests on; an empty id is none.
    #[must_use]
    pub fn on_evidence(mut self, event_id: &str) -> Self {
        if !event_id.is_empty() {
            self.evidence.push(event_id.to_owned());
        }
        self
    }

    /// Whether it is the same condition, whatever the evidence is now.
    pub fn is_same_as(&self, other: &Self) -> bool {
        (&self.code, &self.subject, &self.who, self.gravity)
            == (&other.code, &other.subject, &other.who, other.gravity)
    }
}

/// Whether two lists name the same conditions. Newer evidence for the same reason is no news.
pub fn same(one: &[Condition], other: &[Condition]) -> bool {
    one.len() == other.len() && were_seen(one, other)
}

/// Whether each of these conditions is among those that a person saw.
pub fn were_seen(standing: &[Condition], seen: &[Condition]) -> bool {
    standing
        .iter()
        .all(|condition| seen.iter().any(|there| there.is_same_as(condition)))
}

/// The gravest of some conditions; none if there are none.
pub fn gravest(conditions: &[Condition]) -> Option<Gravity> {
    conditions.iter().map(|condition| condition.gravity).max()
}

/// Adds conditions that are not in the list yet.
pub fn merge(into: &mut Vec<Condition>, more: impl IntoIterator<Item = Condition>) {
    for condition in more {
        // The same hold is known from release's decision and from its keeper: the graver telling stays.
        let known = into
            .iter_mut()
            .find(|there| (&there.code, &there.subject) == (&condition.code, &condition.subject));
        match known {
            Some(there) if condition.gravity > there.gravity => *there = condition,
            Some(_) => {}
            None => into.push(condition),
        }
    }
}

/// The conditions as a refusal's unmet list.
pub fn unmet(conditions: &[Condition]) -> Vec<Unmet> {
    let unmet = |condition: &Condition| Unmet {
        condition: condition.code.clone(),
        subject: condition.subject.clone(),
        who: condition.who.clone(),
        since: condition.since,
        evidence: condition.evidence.join(" "),
        description: condition.description.clone(),
    };
    conditions.iter().map(unmet).collect()
}
