//! Holds: reasons, by somebody, why something may not move. Release weighs those of every service and
//! keeps the commercial, finance and legal ones itself. Many may overlap; lifting one lifts no other.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use kernel::{Fault, Refusal};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::container_visit::Stay;
use super::reader::Reader;

/// Holds that may stand on one scope before another is refused.
pub const STANDING_HOLDS_PER_SCOPE_MAX: usize = 100;
/// The longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 500;

/// One hold, of any service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Which service keeps it, and its id there.
    pub id: HoldId,
    /// What is held.
    pub scope: Scope,
    /// Which kind of reason.
    pub kind: HoldKind,
    /// Who placed it.
    pub placed_by_party: String,
    /// In which role; empty where the kind says it.
    pub placed_by_role: String,
    /// The person who placed it.
    pub placed_by_subject: String,
    /// Why.
    pub reason: String,
    /// When.
    pub placed_at: DateTime<Utc>,
    /// How it was lifted; none while it stands.
    pub lifted: Option<Lifted>,
    /// The event that told of it; empty until one has.
    pub event_id: String,
}

/// A hold's id: services number their holds alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId {
    /// "gate", "customs", "release".
    pub service: String,
    /// The id that the service gave.
    pub id: String,
}

/// How a hold was lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// When.
    pub at: DateTime<Utc>,
    /// The person.
    pub by_subject: String,
    /// Why.
    pub reason: String,
}

/// What a hold is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Which kind of thing.
    pub kind: ScopeKind,
    /// Its key within the kind.
    pub key: String,
}

/// Of which parties holds were weighed last for a stay or a stock list, and which stood: by it those are found
/// that a hold on a party, placed or lifted, has yet to reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyHolds {
    /// The parties.
    pub parties: BTreeSet<String>,
    /// The holds that stood on them, as "service/id".
    pub standing: BTreeSet<String>,
}

/// The kinds of things that can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// The kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HoldKind {
    /// By customs.
    Customs,
    /// By a health, plant or animal authority.
    Quarantine,
    /// By the shipping line or forwarder.
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

impl ScopeKind {
    /// Every kind, with the word for it in keys.
    pub const ALL: [(ScopeKind, &'static str); 5] = [
        (ScopeKind::ContainerVisit, "container-visit"),
        (ScopeKind::Declaration, "declaration"),
        (ScopeKind::StockList, "stock-list"),
        (ScopeKind::Plate, "plate"),
        (ScopeKind::Party, "party"),
    ];

    /// The word for it in keys.
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, word)| word)
    }

    /// The kind that a word in a key names.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, named)| *named == word)
            .map(|(kind, _)| *kind)
    }
}

impl HoldKind {
    /// Every kind, with its name and the role that places it.
    pub const ALL: [(HoldKind, &'static str, &'static str); 7] = [
        (HoldKind::Customs, "CUSTOMS", "officer"),
        (HoldKind::Quarantine, "QUARANTINE", "officer"),
        (HoldKind::Commercial, "COMMERCIAL", "line"),
        (HoldKind::Terminal, "TERMINAL", "terminal"),
        (HoldKind::Safety, "SAFETY", "terminal"),
        (HoldKind::Finance, "FINANCE", "line"),
        (HoldKind::Legal, "LEGAL", "officer"),
    ];

    /// Its name: "TERMINAL".
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("", |(_, name, _)| name)
    }

    /// The kind of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, named, _)| *named == name)
            .map(|(kind, ..)| *kind)
    }

    /// The role that places and lifts it, where the hold does not say.
    pub fn usual_role(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("", |(.., role)| role)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.word(), self.key)
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.id)
    }
}

impl Scope {
    /// A scope of its kind and key.
    pub fn new(kind: ScopeKind, key: impl Into<String>) -> Self {
        Self {
            kind,
            key: key.into(),
        }
    }

    /// The scope that a key such as "container-visit/ID" names.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, key) = text.split_once('/')?;
        Some(Self::new(ScopeKind::of_word(word)?, key))
    }
}

impl PartyHolds {
    /// Of everything that was weighed.
    pub fn of(scopes: &[Scope], holds: &[&Hold]) -> Self {
        let parties = scopes.iter().filter(|scope| scope.kind == ScopeKind::Party);
        let standing = holds
            .iter()
            .filter(|hold| hold.scope.kind == ScopeKind::Party && hold.stands());
        Self {
            parties: parties.map(|scope| scope.key.clone()).collect(),
            standing: standing.map(|hold| hold.id.to_string()).collect(),
        }
    }
}

impl Hold {
    /// Whether it still stands.
    pub fn stands(&self) -> bool {
        self.lifted.is_none()
    }

    /// Joins what another event says of the same hold. Lifted wins in whatever order the two are
    /// learnt, and of two events that placed it the later one is the evidence.
    pub fn learn(&mut self, other: Hold) {
        // Numbers in event ids are not padded: the longer id is the later one.
        let place = |id: &str| (id.len(), id.to_owned());
        if place(&self.event_id) < place(&other.event_id) && other.lifted.is_none() {
            self.event_id = other.event_id;
        }
        if self.lifted.is_none() {
            self.lifted = other.lifted;
        }
    }

    /// The role of whoever must lift it.
    pub fn role(&self) -> &str {
        if self.placed_by_role.is_empty() {
            self.kind.usual_role()
        } else {
            &self.placed_by_role
        }
    }

    /// What a condition cites: the event, or for a hold of our own that has not come back, its id.
    pub fn evidence(&self) -> String {
        if self.event_id.is_empty() {
            format!("hold/{}", self.id.id)
        } else {
            self.event_id.clone()
        }
    }

    /// Lifts it. None: it was lifted already, which is as good.
    ///
    /// # Errors
    /// `HOLD_NOT_YOURS` where somebody else placed it, `NOT_FOUND` where the caller may not know it.
    pub fn lift(
        &self,
        by: &Reader,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Hold>, Box<Refusal>> {
        let same_authority = by.is("officer") && self.role() == "officer";
        if self.placed_by_party != by.party && !same_authority && !by.is("admin") {
            return Err(Box::new(if by.reads_everything() {
                Refusal::denied(
                    "HOLD_NOT_YOURS",
                    "Whoever places a hold lifts it; ask the party that placed this one.",
                )
                .with_resource("hold", &self.id.id)
            } else {
                Refusal::not_found("hold", &self.id.id)
            }));
        }
        if !self.stands() {
            return Ok(None);
        }
        let lifted = Lifted {
            at: now,
            by_subject: by.subject.clone(),
            reason: reason.to_owned(),
        };
        Ok(Some(Hold {
            lifted: Some(lifted),
            ..self.clone()
        }))
    }
}

/// A hold that somebody asks to place.
#[derive(Clone, Debug)]
pub struct Placing<'a> {
    /// What to hold; a container visit by its id.
    pub scope: Scope,
    /// Which kind.
    pub kind: HoldKind,
    /// Why.
    pub reason: &'a str,
}

/// Which role lets this caller place this hold: the rules of who may hold what.
///
/// # Errors
/// `HOLD_NOT_ALLOWED` where no role of the caller does; `NOT_FOUND` where the stay is not the caller's.
pub fn role_to_place(
    placing: &Placing<'_>,
    by: &Reader,
    stay: Option<&Stay>,
) -> Result<&'static str, Box<Refusal>> {
    let authority = by.is("officer") || by.is("admin");
    if placing.kind == HoldKind::Legal && authority {
        return if placing.scope.kind == ScopeKind::ContainerVisit && stay.is_none() {
            Err(Box::new(Refusal::not_found(
                "container visit",
                &placing.scope.key,
            )))
        } else {
            Ok(if by.is("officer") { "officer" } else { "admin" })
        };
    }
    let role = match placing.kind {
        HoldKind::Commercial | HoldKind::Finance if by.is("line") => "line",
        HoldKind::Finance if by.is("terminal") => "terminal",
        _ => return Err(Box::new(not_allowed(placing))),
    };
    if placing.scope.kind != ScopeKind::ContainerVisit {
        return Err(Box::new(not_allowed(placing)));
    }
    let concerns = |stay: &&Stay| match role {
        "line" => {
            stay.is_carried_for(&by.party)
                || (by.is("terminal") && by.is_terminal_of(&stay.site_id))
        }
        _ => by.is_terminal_of(&stay.site_id),
    };
    stay.filter(concerns)
        .map(|_| role)
        .ok_or_else(|| Box::new(Refusal::not_found("container visit", &placing.scope.key)))
}

/// Places it, if the scope has room for another.
///
/// # Errors
/// `HOLDS_EXHAUSTED`.
pub fn place(
    placing: &Placing<'_>,
    by: &Reader,
    role: &str,
    standing: usize,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Hold, Box<Refusal>> {
    if standing >= STANDING_HOLDS_PER_SCOPE_MAX {
        return Err(Box::new(
            Refusal::exhausted(
                "HOLDS_EXHAUSTED",
                "So many holds stand on it already that another changes nothing; lift one first.",
            )
            .with_metadata("standing_max", STANDING_HOLDS_PER_SCOPE_MAX.to_string()),
        ));
    }
    Ok(Hold {
        id: HoldId {
            service: "release".to_owned(),
            id: id.to_string(),
        },
        scope: placing.scope.clone(),
        kind: placing.kind,
        placed_by_party: by.party.clone(),
        placed_by_role: role.to_owned(),
        placed_by_subject: by.subject.clone(),
        reason: placing.reason.to_owned(),
        placed_at: now,
        lifted: None,
        event_id: String::new(),
    })
}

fn not_allowed(placing: &Placing<'_>) -> Refusal {
    Refusal::denied(
        "HOLD_NOT_ALLOWED",
        "Lines place commercial and finance holds on their container visits, terminals finance holds at their sites, officers and administrators legal holds on anything; customs and terminal holds are placed with customs and gate.",
    )
    .with_fault(Fault::new("HOLD_NOT_ALLOWED", "kind", placing.kind.name(), "domain: holds", "Choose a kind that your role may place."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(event_id: &str, lifted: bool) -> Hold {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Hold {
            id: HoldId {
                service: "gate".into(),
                id: "T1".into(),
            },
            scope: Scope::new(ScopeKind::ContainerVisit, "S/C/1"),
            kind: HoldKind::Terminal,
            placed_by_party: "terminal".into(),
            placed_by_role: String::new(),
            placed_by_subject: "yard".into(),
            reason: "damaged".into(),
            placed_at: at,
            lifted: lifted.then(|| Lifted {
                at,
                by_subject: "yard".into(),
                reason: "repaired".into(),
            }),
            event_id: event_id.into(),
        }
    }

    #[test]
    fn rule_2_lifted_wins_in_whatever_order_the_two_are_learnt() {
        let mut placed_first = hold("e/1", false);
        placed_first.learn(hold("e/2", true));
        let mut lifted_first = hold("e/2", true);
        lifted_first.learn(hold("e/1", false));
        assert!(!placed_first.stands() && !lifted_first.stands());
    }

    #[test]
    fn of_two_events_that_placed_a_hold_the_later_one_is_the_evidence() {
        for (first, second) in [("e/9", "e/10"), ("e/10", "e/9")] {
            let mut learnt = hold(first, false);
            learnt.learn(hold(second, false));
            assert_eq!(learnt.evidence(), "e/10");
        }
    }

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        let scope = Scope::new(ScopeKind::ContainerVisit, "GUOYUAN-PORT/MSKU0000000/1");
        assert_eq!(Scope::parse(&scope.to_string()), Some(scope));
        assert_eq!(Scope::parse("nonsense/1"), None);
    }

    #[test]
    fn rule_2_only_whoever_placed_a_hold_or_an_administrator_lifts_it() {
        let at = hold("", false).placed_at;
        let caller = |party: &str, role: &str| Reader {
            party: party.into(),
            roles: [role.to_owned()].into(),
            ..Reader::default()
        };
        assert!(
            hold("", false)
                .lift(&caller("terminal", "terminal"), "", at)
                .unwrap()
                .is_some()
        );
        assert!(
            hold("", false)
                .lift(&caller("admin", "admin"), "", at)
                .unwrap()
                .is_some()
        );
        assert_eq!(
            hold("", false)
                .lift(&caller("officer-1", "officer"), "", at)
                .unwrap_err()
                .reason,
            "HOLD_NOT_YOURS"
        );
        assert_eq!(
            hold("", false)
                .lift(&caller("line-a", "line"), "", at)
                .unwrap_err()
                .reason,
            "NOT_FOUND"
        );
        assert_eq!(
            hold("", true)
                .lift(&caller("terminal", "terminal"), "", at)
                .unwrap(),
            None
        );
    }
}
