//! What the services said: decisions in order and on what they stand under, one answer to an ask, one notice of a fact.
//! It must not look at the sequence that carries them.

use std::collections::BTreeMap;

use prost::Message;
use proto::gate::events::v1::AnswerEvent;
use proto::release::events::v1::{DecisionEvent, NoticeEvent};

use super::{Kind, Violation};
use crate::evidence::{Event, Evidence};

pub(super) fn violations(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    let mut verdicts: BTreeMap<String, (i32, String)> = BTreeMap::new();
    let mut told: BTreeMap<(String, String, String), String> = BTreeMap::new();
    let events = evidence.exchanges.values().flat_map(|one| &one.events);
    for event in events {
        match event.topic.as_str() {
            "release.decision" => {
                let Some(said) = read::<DecisionEvent>(event, &mut found) else {
                    continue;
                };
                let decision = said.decision.unwrap_or_default();
                let about = if decision.list_number.is_empty() {
                    decision.container_visit_id
                } else {
                    format!("list/{}", decision.list_number)
                };
                if about != event.key {
                    let what = format!("{} under {} is about {about}", event.id(), event.key);
                    found.push(Violation::new(Kind::DecisionCarriedOver, what));
                }
                let before = versions.insert(&event.key, decision.version);
                // Stated again it is the same version.
                let follows = before.is_none_or(|before| {
                    decision.version == before || decision.version == before + 1
                });
                if !follows {
                    let what = format!(
                        "{}: version {} of the decision on {} follows {}",
                        event.id(),
                        decision.version,
                        event.key,
                        before.unwrap_or_default()
                    );
                    found.push(Violation::new(Kind::DecisionOutOfOrder, what));
                }
            }
            "gate.answer" => {
                let Some(answer) = read::<AnswerEvent>(event, &mut found) else {
                    continue;
                };
                let before = verdicts.insert(answer.ask_id.clone(), (answer.verdict, event.id()));
                if let Some((verdict, id)) = before
                    && verdict != answer.verdict
                {
                    let what = format!("ask {}: {id} and {}", answer.ask_id, event.id());
                    found.push(Violation::new(Kind::AskAnsweredTwice, what));
                }
            }
            "release.notice" => {
                let Some(notice) = read::<NoticeEvent>(event, &mut found) else {
                    continue;
                };
                if notice.source_event_id.is_empty() {
                    continue;
                }
                let fact = (notice.party_id, notice.source_event_id, notice.fact);
                if let Some(id) = told.insert(fact.clone(), event.id()) {
                    let (party, source, fact) = fact;
                    let what = format!(
                        "{party} was told {fact} ({source}): {id} and {}",
                        event.id()
                    );
                    found.push(Violation::new(Kind::NoticeRepeated, what));
                }
            }
            _ => {}
        }
    }
    found
}

fn read<M: Message + Default>(event: &Event, found: &mut Vec<Violation>) -> Option<M> {
    let message = M::decode(event.payload.as_slice());
    if let Err(error) = &message {
        let what = format!("{}: {error}", event.id());
        found.push(Violation::new(Kind::Unreadable, what));
    }
    message.ok()
}

#[cfg(test)]
mod tests {
    use proto::release::events::v1::Decision;

    use super::super::exchange::tests::having_published;
    use super::*;

    const VISIT: &str = "GUOYUAN-PORT/MSKU9070323/1";

    fn found(service: &str, topic: &str, key: &str, payloads: &[Vec<u8>]) -> Vec<Kind> {
        let exchange = having_published(topic, key, payloads);
        let evidence = Evidence {
            exchanges: [(service.to_owned(), exchange)].into(),
            ..Evidence::default()
        };
        violations(&evidence)
            .into_iter()
            .map(|violation| violation.kind)
            .collect()
    }

    fn decision(visit: &str, version: u64) -> Vec<u8> {
        let event = DecisionEvent {
            decision: Some(Decision {
                container_visit_id: visit.to_owned(),
                version,
                ..Decision::default()
            }),
            ..DecisionEvent::default()
        };
        event.encode_to_vec()
    }

    #[test]
    fn decisions_count_up_by_one_and_may_be_stated_again() {
        let of = |versions: &[u64]| {
            let payloads: Vec<_> = versions.iter().map(|one| decision(VISIT, *one)).collect();
            found("release", "release.decision", VISIT, &payloads)
        };
        assert_eq!(of(&[1, 2, 2, 3]), []);
        assert_eq!(of(&[1, 3]), [Kind::DecisionOutOfOrder]);
        assert_eq!(of(&[2, 1]), [Kind::DecisionOutOfOrder]);
    }

    #[test]
    fn a_decision_of_another_visit_is_carried_over() {
        let other = decision("GUOYUAN-PORT/MSKU9070323/2", 1);
        let kinds = found("release", "release.decision", VISIT, &[other]);
        assert_eq!(kinds, [Kind::DecisionCarriedOver]);
    }

    #[test]
    fn an_ask_that_is_answered_both_ways_is_found() {
        let answer = |verdict| {
            let event = AnswerEvent {
                ask_id: "ask".into(),
                verdict,
                ..AnswerEvent::default()
            };
            event.encode_to_vec()
        };
        let of = |verdicts: [i32; 2]| {
            let payloads = verdicts.map(answer);
            found("gate", "gate.answer", VISIT, &payloads)
        };
        assert_eq!(of([1, 1]), []);
        assert_eq!(of([1, 2]), [Kind::AskAnsweredTwice]);
    }

    #[test]
    fn a_party_that_is_told_twice_of_one_fact_is_found() {
        let notice = |source: &str| {
            let event = NoticeEvent {
                party_id: "haulier-a".into(),
                fact: "RELEASE_GRANTED".into(),
                source_event_id: source.into(),
                ..NoticeEvent::default()
            };
            event.encode_to_vec()
        };
        let of = |sources: [&str; 2]| {
            let payloads = sources.map(notice);
            found("release", "release.notice", "haulier-a", &payloads)
        };
        assert_eq!(of(["one", "two"]), []);
        assert_eq!(of(["one", "one"]), [Kind::NoticeRepeated]);
    }

    #[test]
    fn a_message_that_cannot_be_read_is_found() {
        let kinds = found("gate", "gate.answer", VISIT, &[vec![0xff]]);
        assert_eq!(kinds, [Kind::Unreadable]);
    }
}
