//! The topics: every record is what was committed, each after the one before it, up to what was taken for acknowledged.
//! Records may come again: after a lost log, or whenever a reader asks. It must not look into a message.

use std::collections::BTreeMap;

use super::{Kind, Violation};
use crate::evidence::Evidence;

pub(super) fn violations(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut published = BTreeMap::new();
    let mut heads = BTreeMap::new();
    for exchange in evidence.exchanges.values() {
        for event in &exchange.events {
            let place = (event.topic.as_str(), event.partition);
            published.insert((place, event.epoch, event.seq), event);
        }
        for head in &exchange.heads {
            heads.insert(
                (head.topic.as_str(), head.partition),
                (head.epoch, head.seq),
            );
        }
    }
    let mut newest: BTreeMap<((&str, i32), i64), i64> = BTreeMap::new();
    for record in &evidence.delivered {
        let place = (record.topic.as_str(), record.partition);
        let at = format!("{}/{}: {}", record.topic, record.partition, record.id);
        let Some((epoch, seq)) = record.place() else {
            found.push(Violation::new(Kind::DeliveredUncommitted, at));
            continue;
        };
        match published.get(&(place, epoch, seq)) {
            Some(event) => {
                let same = event.key == record.key
                    && event.event_type == record.event_type
                    && event.payload == record.payload
                    && event.chain == record.chain;
                if !same {
                    let what = format!("{at} is not what was committed under this id");
                    found.push(Violation::new(Kind::DeliveredDiffers, what));
                }
            }
            None if heads.get(&place).is_none_or(|head| (epoch, seq) > *head) => {
                found.push(Violation::new(Kind::DeliveredUncommitted, at.clone()));
            }
            // Dropped after its retention.
            None => {}
        }
        let before = newest.get(&(place, epoch)).copied();
        if before.is_some_and(|before| seq > before + 1) {
            let what = format!("{at} follows {}", before.unwrap_or_default());
            found.push(Violation::new(Kind::DeliveredOutOfOrder, what));
        }
        newest.insert((place, epoch), before.unwrap_or(seq).max(seq));
    }
    if evidence.delivered.is_empty() {
        // The topics were not read.
        return found;
    }
    for exchange in evidence.exchanges.values() {
        for cursor in exchange
            .cursors
            .iter()
            .filter(|cursor| cursor.acked_seq > 0)
        {
            let place = (cursor.topic.as_str(), cursor.partition);
            let there = newest.get(&(place, cursor.epoch)).copied().unwrap_or(0);
            if there < cursor.acked_seq {
                found.push(Violation::new(
                    Kind::AcknowledgedLost,
                    format!(
                        "{}/{}: acknowledged up to {}/{}, and the topic ends with {there}",
                        cursor.topic, cursor.partition, cursor.epoch, cursor.acked_seq
                    ),
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::exchange::tests::having_published;
    use super::*;
    use crate::topics::Delivered;

    /// Gate has said three things, and all are in the topic.
    fn sound() -> Evidence {
        let gate = having_published("gate.site", "GUOYUAN-PORT", &[vec![1], vec![2], vec![3]]);
        let delivered = gate.events.iter().map(|event| Delivered {
            topic: event.topic.clone(),
            partition: event.partition,
            id: event.id(),
            event_type: event.event_type.clone(),
            key: event.key.clone(),
            payload: event.payload.clone(),
            chain: event.chain.clone(),
        });
        Evidence {
            delivered: delivered.collect(),
            exchanges: [("gate".to_owned(), gate)].into(),
            ..Evidence::default()
        }
    }

    fn found_after(plant: impl FnOnce(&mut Evidence)) -> Vec<Kind> {
        let mut evidence = sound();
        plant(&mut evidence);
        violations(&evidence)
            .into_iter()
            .map(|violation| violation.kind)
            .collect()
    }

    #[test]
    fn records_may_come_again_from_any_place_on() {
        assert_eq!(found_after(|_| {}), []);
        let again = found_after(|evidence| {
            let again = evidence.delivered[1..].to_vec();
            evidence.delivered.extend(again);
        });
        assert_eq!(again, []);
        let lost_and_sent_again = found_after(|evidence| {
            evidence.delivered.remove(0);
        });
        assert_eq!(lost_and_sent_again, []);
    }

    #[test]
    fn a_record_that_overtakes_another_is_found() {
        let swapped = found_after(|evidence| evidence.delivered.swap(1, 2));
        assert_eq!(swapped, [Kind::DeliveredOutOfOrder]);
        let left_out = found_after(|evidence| {
            evidence.delivered.remove(1);
        });
        assert_eq!(left_out, [Kind::DeliveredOutOfOrder]);
    }

    #[test]
    fn a_record_that_is_not_what_was_committed_is_found() {
        let edited = found_after(|evidence| evidence.delivered[1].payload = vec![9]);
        assert_eq!(edited, [Kind::DeliveredDiffers]);
        let uncommitted = found_after(|evidence| {
            let mut ghost = evidence.delivered[2].clone();
            ghost.id = ghost.id.replace("/1/3", "/1/4");
            evidence.delivered.push(ghost);
        });
        assert_eq!(uncommitted, [Kind::DeliveredUncommitted]);
        let nothing = found_after(|evidence| evidence.delivered[2].id = "?".into());
        assert_eq!(
            nothing,
            [Kind::DeliveredUncommitted, Kind::AcknowledgedLost]
        );
    }

    #[test]
    fn what_was_acknowledged_and_is_not_there_is_found() {
        let lost = found_after(|evidence| {
            evidence.delivered.pop();
        });
        assert_eq!(lost, [Kind::AcknowledgedLost]);
    }
}
