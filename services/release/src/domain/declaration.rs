//! A declaration, as far as release must know it: whose it is, to tell the right parties and to say who may
//! read its timeline; and of goods that go into bond or out of it, where it stands. What it means for the
//! goods in a container comes with the clearance.

use chrono::{DateTime, Utc};

use super::version::Version;

/// Whose declaration it is, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Customs' id.
    pub declaration_id: String,
    /// Of the fact that it was learnt from.
    pub version: Version,
    /// That fact's event; empty if it was learnt by a version of release that kept none.
    pub event_id: String,
    /// When customs recorded that fact.
    pub recorded_at: DateTime<Utc>,
    /// The earliest time at which customs recorded anything of it, whatever order that is learnt in.
    pub known_since: DateTime<Utc>,
    /// Movement reference number; empty before there is one.
    pub mrn: String,
    /// The filer's own reference.
    pub lrn: String,
    /// Who filed it.
    pub filer_party: String,
    /// Whose goods they are; empty if nobody we know.
    pub trader_party: String,
    /// The containers that it names.
    pub container_numbers: Vec<String>,
    /// What its procedure does, in customs' word: "INTO_BOND".
    pub procedure_kind: String,
    /// Where it stands; none if release does not know the word, and then it lets nothing move.
    pub standing: Option<DeclarationStanding>,
    /// Customs asks gate whether it can be void.
    pub invalidation_asked: bool,
    /// The stock lists that it names.
    pub stock_lists: Vec<String>,
}

/// Where a declaration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeclarationStanding {
    /// Filed and not judged yet.
    Submitted,
    /// Refused.
    Rejected,
    /// Pre-lodged.
    Registered,
    /// Its goods have arrived.
    Accepted,
    /// A control is open.
    UnderControl,
    /// Released, with something still to do.
    Released,
    /// Nothing is left to do.
    Cleared,
    /// Its goods are detained.
    Detained,
    /// Void.
    Invalidated,
    /// Pre-lodged, and its goods never came.
    Expired,
}

impl DeclarationStanding {
    /// Every standing, with customs' word for it.
    pub const ALL: [(DeclarationStanding, &'static str); 10] = [
        (DeclarationStanding::Submitted, "SUBMITTED"),
        (DeclarationStanding::Rejected, "REJECTED"),
        (DeclarationStanding::Registered, "REGISTERED"),
        (DeclarationStanding::Accepted, "ACCEPTED"),
        (DeclarationStanding::UnderControl, "UNDER_CONTROL"),
        (DeclarationStanding::Released, "RELEASED"),
        (DeclarationStanding::Cleared, "CLEARED"),
        (DeclarationStanding::Detained, "DETAINED"),
        (DeclarationStanding::Invalidated, "INVALIDATED"),
        (DeclarationStanding::Expired, "EXPIRED"),
    ];

    /// Customs' word.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(standing, _)| *standing == self)
            .map_or("", |(_, name)| name)
    }

    /// The standing of a word.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, named)| *named == name)
            .map(|(standing, _)| *standing)
    }

    /// Nothing can move on it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Rejected | Self::Invalidated | Self::Expired)
    }
}

impl Declaration {
    /// As it is held once this was told, where another was. The newest fact counts, and the earliest mention is
    /// kept, so that "since" does not depend on the order of arrival, nor on what else has changed meanwhile. What
    /// was learnt without its event says no time, and is told again at the same version when customs states its
    /// facts again.
    #[must_use]
    pub fn told_after(&self, held: Option<&Self>) -> Self {
        let Some(held) = held else {
            return self.clone();
        };
        let is_whole = !held.event_id.is_empty();
        let is_news = held.version < self.version || (!is_whole && held.version == self.version);
        let newest = if is_news { self } else { held };
        Self {
            known_since: if is_whole {
                self.known_since.min(held.known_since)
            } else {
                self.known_since
            },
            ..newest.clone()
        }
    }

    /// The declaration in a person's words: its MRN where it has one.
    pub fn title(&self) -> &str {
        if self.mrn.is_empty() {
            &self.declaration_id
        } else {
            &self.mrn
        }
    }

    /// The declaration as conditions name it.
    pub fn subject(&self) -> String {
        format!("declaration/{}", self.declaration_id)
    }

    /// Whether it names this stock list.
    pub fn names_list(&self, list_number: &str) -> bool {
        self.stock_lists.iter().any(|named| named == list_number)
    }

    /// Whether nothing can move on it any more.
    pub fn is_over(&self) -> bool {
        self.standing.is_some_and(DeclarationStanding::is_over)
    }

    /// Whether customs has had it void: gate was asked for everything that could move on it.
    pub fn is_void(&self) -> bool {
        self.standing == Some(DeclarationStanding::Invalidated)
    }

    /// The parties that it belongs to.
    pub fn parties(&self) -> impl Iterator<Item = &str> {
        [self.filer_party.as_str(), self.trader_party.as_str()]
            .into_iter()
            .filter(|party| !party.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_fact_counts_and_it_is_known_since_the_first() {
        let at = |second: i64| DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap();
        let told = |version: u64, event_id: &str, since: i64| Declaration {
            declaration_id: "d".into(),
            version: Version::new(1, version),
            event_id: event_id.into(),
            recorded_at: at(i64::try_from(version).unwrap()),
            known_since: at(since),
            mrn: String::new(),
            lrn: String::new(),
            filer_party: String::new(),
            trader_party: String::new(),
            container_numbers: Vec::new(),
            procedure_kind: String::new(),
            standing: None,
            invalidation_asked: false,
            stock_lists: Vec::new(),
        };
        for (heard, held, then) in [
            (told(2, "e/2", 2), told(2, "", 0), told(2, "e/2", 2)),
            (told(2, "e/2", 2), told(2, "e/2", 2), told(2, "e/2", 2)),
            (told(3, "e/3", 3), told(2, "e/2", 2), told(3, "e/3", 2)),
            (told(1, "e/1", 1), told(2, "e/2", 2), told(2, "e/2", 1)),
        ] {
            assert_eq!(heard.told_after(Some(&held)), then);
        }
        assert_eq!(told(1, "e/1", 1).told_after(None), told(1, "e/1", 1));
    }

    #[test]
    fn every_word_of_customs_is_read_as_it_is_written() {
        for (standing, name) in DeclarationStanding::ALL {
            assert_eq!(DeclarationStanding::of_name(name), Some(standing));
            assert_eq!(standing.name(), name);
        }
        assert_eq!(DeclarationStanding::of_name(""), None);
    }
}
