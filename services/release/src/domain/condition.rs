//! One unmet condition: what is missing, who must act, since when, on what evidence, what would clear
//! it. The answer to "may it leave?" is a list of these, never a bare no.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Something that is in the way of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Condition {
    /// Stable for programs: "NOT_ARRIVED".
    pub code: String,
    /// What it is about: "container-visit/ID", "transport-document/NUMBER", "hold/ID".
    pub subject: String,
    /// Who must act.
    pub who: Who,
    /// Since when, by the clock of the fact that it rests on; none if no fact says.
    pub since: Option<DateTime<Utc>>,
    /// The facts it rests on: event ids, or own records.
    pub evidence: Vec<String>,
    /// What is missing and what would clear it, for a person.
    pub description: String,
}

impl Condition {
    /// What makes it the same condition when the facts behind it are learnt anew.
    pub fn identity(&self) -> (String, String, String) {
        (
            self.code.clone(),
            self.subject.clone(),
            self.who.role.clone(),
        )
    }
}

/// Who must act: a role, and the party where one is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Who {
    /// haulier, broker, trader, line, terminal, officer, admin.
    pub role: String,
    /// The party, where one is known.
    pub party: Option<String>,
}

impl Who {
    /// Whoever has the role.
    pub fn role(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            party: None,
        }
    }

    /// This party, in this role. An empty party is none.
    pub fn party(role: &str, party: &str) -> Self {
        Self {
            role: role.to_owned(),
            party: (!party.is_empty()).then(|| party.to_owned()),
        }
    }

    /// As everyone may read it: lines and terminals by name, because whoever collects a container
    /// must call them; everyone else by role.
    pub fn public(&self) -> &str {
        match (&self.party, self.role.as_str()) {
            (Some(party), "line" | "terminal") => party,
            _ => &self.role,
        }
    }

    /// As this reader may see it: by name if it sees names, or if it is the one.
    pub fn shown_to(&self, party: &str, sees_names: bool) -> &str {
        match &self.party {
            Some(named) if sees_names || named == party => named,
            _ => self.public(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_named_to_itself_and_to_authorities_only() {
        let who = Who::party("broker", "broker-a");
        assert_eq!(who.shown_to("broker-a", false), "broker-a");
        assert_eq!(who.shown_to("haulier-a", false), "broker");
        assert_eq!(who.shown_to("officer-1", true), "broker-a");
    }

    #[test]
    fn a_line_is_named_to_everyone_who_may_read() {
        assert_eq!(Who::party("line", "line-a").public(), "line-a");
        assert_eq!(Who::role("line").public(), "line");
    }
}
