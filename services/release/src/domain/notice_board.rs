//! The notice board of one stay, stock list or declaration: the facts about it that everybody concerned is to
//! know. Each party is told each of them once, whether the fact was learnt before or after it was learnt
//! that the party is concerned: topics have no order among each other. It must not know who is concerned.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::notice::{Concerned, Notice, Sort, granted_text};

/// Facts that stay on a board; who comes when there were more reads the oldest in the timeline only.
pub const PINNED_FACTS_MAX: usize = 64;

/// The facts, and whom they were told to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeBoard {
    pinned: Vec<Pinned>,
}

/// One fact on the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Its sort.
    pub sort: Sort,
    /// What is told; to whom is filled in for each party.
    pub notice: Notice,
    /// The haulier, where a release is granted; empty where it is granted to none. Everybody is told in other
    /// words.
    pub granted_to: Option<String>,
    /// Whom it concerns besides those whom everything on the board concerns.
    pub concerned: Concerned,
    /// Who was told.
    pub told: BTreeSet<String>,
}

impl NoticeBoard {
    /// Pins a fact that nobody was told of yet. One that is there already stays as it is.
    pub fn pin(&mut self, fact: Pinned) {
        let id = &fact.notice.source_event_id;
        if !self
            .pinned
            .iter()
            .any(|pinned| pinned.notice.source_event_id == *id)
        {
            self.pinned.push(fact);
            self.pinned.sort_by(|one, other| age(one).cmp(&age(other)));
        }
    }

    /// The notices for those of the concerned who were not told yet, the oldest fact first.
    pub fn tell(&mut self, concerned: &Concerned) -> Vec<Notice> {
        let mut notices = Vec::new();
        for fact in &mut self.pinned {
            let all = concerned.with(&fact.concerned);
            for party in all.audience(fact.sort) {
                if fact.told.insert(party.to_owned()) {
                    notices.push(fact.notice_to(party, &all));
                }
            }
        }
        let beyond = self.pinned.len().saturating_sub(PINNED_FACTS_MAX);
        self.pinned.drain(..beyond);
        notices
    }

    /// Takes the decision off: another is on its way, and only the one that stands is told to newcomers.
    /// What became of a grant to somebody else before they came is none of their business.
    pub fn take_decision_off(&mut self) {
        self.pinned.retain(|fact| fact.sort != Sort::Decision);
    }

    /// Who was told of the grant that stands; none if none does.
    pub fn told_of_grant(&self) -> Option<&BTreeSet<String>> {
        self.pinned
            .iter()
            .find(|fact| fact.granted_to.is_some())
            .map(|fact| &fact.told)
    }

    /// Calls what it is about by another name in notices to come.
    pub fn rename(&mut self, title: &str) {
        for fact in &mut self.pinned {
            title.clone_into(&mut fact.notice.title);
        }
    }
}

impl Pinned {
    fn notice_to(&self, party: &str, concerned: &Concerned) -> Notice {
        let mut notice = Notice {
            party: party.to_owned(),
            ..self.notice.clone()
        };
        if let Some(haulier) = &self.granted_to {
            notice.text = granted_text(&notice.subject, party, haulier, concerned);
        }
        notice
    }
}

/// Numbers in event ids are not padded: the longer id is the later one.
fn age(fact: &Pinned) -> (chrono::DateTime<chrono::Utc>, usize, &str) {
    let id = fact.notice.source_event_id.as_str();
    (fact.notice.recorded_at, id.len(), id)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::domain::notice::Concern;

    fn fact(sort: Sort, number: i64) -> Pinned {
        Pinned {
            sort,
            notice: Notice {
                source_event_id: format!("e/{number}"),
                recorded_at: at(number),
                ..Notice::default()
            },
            granted_to: None,
            concerned: Concerned::default(),
            told: BTreeSet::new(),
        }
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + 60 * minute, 0).unwrap()
    }

    fn hauliers(parties: &[&str]) -> Concerned {
        let mut concerned = Concerned::default();
        concerned.add_all(Concern::Haulier, parties.iter().copied());
        concerned
    }

    fn told(notices: &[Notice]) -> Vec<(&str, &str)> {
        notices
            .iter()
            .map(|notice| (notice.party.as_str(), notice.source_event_id.as_str()))
            .collect()
    }

    #[test]
    fn who_comes_later_is_told_what_was_before_and_nobody_twice() {
        let mut board = NoticeBoard::default();
        board.pin(fact(Sort::Stay, 2));
        board.pin(fact(Sort::Stay, 1));
        assert_eq!(
            told(&board.tell(&hauliers(&["a"]))),
            [("a", "e/1"), ("a", "e/2")]
        );
        board.pin(fact(Sort::Stay, 2));
        assert_eq!(
            told(&board.tell(&hauliers(&["a", "b"]))),
            [("b", "e/1"), ("b", "e/2")]
        );
        assert!(board.tell(&hauliers(&["a", "b"])).is_empty());
    }

    #[test]
    fn a_decision_that_was_replaced_is_told_to_nobody_who_comes_later() {
        let mut board = NoticeBoard::default();
        board.pin(fact(Sort::Decision, 1));
        board.tell(&hauliers(&["a"]));
        board.take_decision_off();
        assert!(board.tell(&hauliers(&["a", "b"])).is_empty());
    }

    #[test]
    fn of_too_many_facts_the_newest_stay() {
        let mut board = NoticeBoard::default();
        let many = i64::try_from(PINNED_FACTS_MAX).unwrap() + 3;
        for number in 0..many {
            board.pin(fact(Sort::Stay, number));
            board.tell(&hauliers(&["a"]));
        }
        let notices = board.tell(&hauliers(&["b"]));
        assert_eq!(notices.len(), PINNED_FACTS_MAX);
        assert_eq!(notices[0].source_event_id, "e/3");
    }
}
