//! The streams of notices as parties read them, cut and taken up again: every notice to the party once, under its own id,
//! in order. It must not know how they were read.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use proto::release::events::v1::NoticeEvent;

use super::{Kind, Violation};
use crate::evidence::{Event, Evidence};

/// The ids of the notices that a party was given, in the order in which they came.
pub type Heard = BTreeMap<&'static str, Vec<String>>;

/// The ids of the notices to a party, in order.
pub fn told(evidence: &Evidence, party: &str) -> Vec<String> {
    let events = evidence.exchanges.values().flat_map(|one| &one.events);
    let notices = events.filter(|event| event.topic == "release.notice");
    let to_party = |event: &&Event| {
        let notice = NoticeEvent::decode(event.payload.as_slice()).unwrap_or_default();
        notice.party_id == party
    };
    notices.filter(to_party).map(Event::id).collect()
}

/// What differs between what parties were given and what was said to them.
pub fn violations(evidence: &Evidence, heard: &Heard) -> Vec<Violation> {
    let mut found = Vec::new();
    for (party, ids) in heard {
        let told = told(evidence, party);
        let places: BTreeMap<&String, usize> = told.iter().zip(0..).collect();
        let mut given = BTreeSet::new();
        let mut last = None;
        for id in ids {
            let Some(place) = places.get(id).copied() else {
                let what = format!("{party} was given {id}");
                found.push(Violation::new(Kind::NoticeOfNobody, what));
                continue;
            };
            if !given.insert(id) {
                let what = format!("{party} was given {id} again");
                found.push(Violation::new(Kind::NoticeGivenTwice, what));
            } else if last.is_some_and(|last| place < last) {
                let what = format!("{party} was given {id} after a later one");
                found.push(Violation::new(Kind::NoticeOutOfOrder, what));
            }
            last = last.max(Some(place));
        }
        let missing = told.iter().filter(|id| !given.contains(id));
        found.extend(missing.map(|id| {
            let what = format!("{party} was not given {id}");
            Violation::new(Kind::NoticeMissing, what)
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::exchange::tests::having_published;
    use super::*;

    const PARTY: &str = "haulier-a";

    fn found(given: impl Fn(&mut Vec<String>)) -> Vec<Kind> {
        let notice = NoticeEvent {
            party_id: PARTY.to_owned(),
            ..NoticeEvent::default()
        };
        let payloads = vec![notice.encode_to_vec(); 3];
        let exchange = having_published("release.notice", PARTY, &payloads);
        let evidence = Evidence {
            exchanges: [("release".to_owned(), exchange)].into(),
            ..Evidence::default()
        };
        let mut ids = told(&evidence, PARTY);
        given(&mut ids);
        let violations = violations(&evidence, &[(PARTY, ids)].into());
        violations.into_iter().map(|one| one.kind).collect()
    }

    #[test]
    fn a_stream_with_every_notice_once_in_order_is_sound() {
        assert_eq!(found(|_| ()), []);
    }

    #[test]
    fn a_hole_a_repeat_and_a_wrong_order_of_a_stream_are_found() {
        let hole = found(|ids| drop(ids.remove(1)));
        assert_eq!(hole, [Kind::NoticeMissing]);
        let repeat = found(|ids| ids.push(ids[2].clone()));
        assert_eq!(repeat, [Kind::NoticeGivenTwice]);
        assert_eq!(found(|ids| ids.swap(1, 2)), [Kind::NoticeOutOfOrder]);
    }

    #[test]
    fn a_notice_to_somebody_else_is_found() {
        let other = found(|ids| ids.push("greenlane.release.notice.v1/0/1/9".to_owned()));
        assert_eq!(other, [Kind::NoticeOfNobody]);
    }
}
