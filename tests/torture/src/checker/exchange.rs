//! The exchange of facts: sequences without gaps, chains, cursors, and what readers have applied. It must not look into
//! a message.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Kind, Violation};
use crate::evidence::{Event, Evidence, Exchange, Standing};

/// Partitions of every topic.
const PARTITIONS: u32 = 8;
/// The first event of an epoch that an operator opened. It stands in every partition, whatever its key.
const EPOCH_TYPE: &str = "greenlane.fabric.epoch";

/// A partition: topic and number.
type Place<'a> = (&'a str, i32);

pub(super) fn violations(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    for exchange in evidence.exchanges.values() {
        found.extend(published(exchange));
    }
    let mut heads: BTreeMap<Place<'_>, &Standing> = BTreeMap::new();
    let mut chains = BTreeMap::new();
    for exchange in evidence.exchanges.values() {
        for head in &exchange.heads {
            heads.insert((head.topic.as_str(), head.partition), head);
        }
        for event in &exchange.events {
            let place = (event.topic.as_str(), event.partition);
            chains.insert((place, event.epoch, event.seq), event.chain.as_slice());
        }
    }
    for (reader, exchange) in &evidence.exchanges {
        for position in &exchange.positions {
            let place = (position.topic.as_str(), position.partition);
            let at = format!(
                "{reader} has applied {}/{} up to {}/{}",
                position.topic, position.partition, position.epoch, position.seq
            );
            let head = heads
                .get(&place)
                .map_or((1, 0), |head| (head.epoch, head.seq));
            if position.seq > 0 && (position.epoch, position.seq) > head {
                let what = format!(
                    "{at}, and its producer has published up to {}/{}",
                    head.0, head.1
                );
                found.push(Violation::new(Kind::PositionBeyondProducer, what));
                continue;
            }
            let chain = chains.get(&(place, position.epoch, position.seq));
            if chain.is_some_and(|chain| *chain != position.chain) {
                found.push(Violation::new(
                    Kind::PositionOnAnotherChain,
                    format!("{at}, with another history than its producer's"),
                ));
            }
        }
    }
    found
}

/// What one service has published.
fn published(exchange: &Exchange) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut last: BTreeMap<(Place<'_>, i64), &Event> = BTreeMap::new();
    for event in &exchange.events {
        let place = (event.topic.as_str(), event.partition);
        let id = event.id();
        let before = last.insert((place, event.epoch), event);
        if let Some(before) = before
            && before.seq + 1 != event.seq
        {
            let what = format!("{id} follows {}", before.id());
            found.push(Violation::new(Kind::SequenceGap, what));
        } else if before.is_some() || event.seq == 1 {
            // Of the oldest row that is kept nobody knows what stood before.
            let previous = before.map_or(&[][..], |before| before.chain.as_slice());
            if chain_after(previous, event) != event.chain {
                found.push(Violation::new(Kind::ChainBroken, id.clone()));
            }
        }
        let own = event.event_type == EPOCH_TYPE;
        if !own && u32::try_from(event.partition) != Ok(partition_of(&event.key)) {
            let what = format!("{id}, whose key is {}", event.key);
            found.push(Violation::new(Kind::WrongPartition, what));
        }
    }
    for head in &exchange.heads {
        let place = (head.topic.as_str(), head.partition);
        let at = format!("{}/{}", head.topic, head.partition);
        let newest = last.get(&(place, head.epoch));
        match newest {
            Some(event) if event.seq != head.seq => found.push(Violation::new(
                Kind::SequenceGap,
                format!(
                    "the head of {at} is {}/{}, its last event {}",
                    head.epoch,
                    head.seq,
                    event.id()
                ),
            )),
            Some(event) if event.chain != head.chain => found.push(Violation::new(
                Kind::ChainBroken,
                format!("the head of {at} has another chain than {}", event.id()),
            )),
            // All may have been dropped after their retention.
            _ => {}
        }
    }
    for cursor in &exchange.cursors {
        let head = exchange
            .heads
            .iter()
            .find(|head| head.topic == cursor.topic && head.partition == cursor.partition)
            .map_or((1, 0), |head| (head.epoch, head.seq));
        if cursor.acked_seq > 0 && (cursor.epoch, cursor.acked_seq) > head {
            found.push(Violation::new(
                Kind::CursorBeyondHead,
                format!(
                    "{}/{}: acknowledged up to {}/{}, published up to {}/{}",
                    cursor.topic, cursor.partition, cursor.epoch, cursor.acked_seq, head.0, head.1
                ),
            ));
        }
    }
    found
}

/// SHA-256 over the previous value and the length-prefixed id, type, key and message.
fn chain_after(previous: &[u8], event: &Event) -> Vec<u8> {
    let id = event.id();
    let mut hash = Sha256::new();
    for part in [
        previous,
        id.as_bytes(),
        event.event_type.as_bytes(),
        event.key.as_bytes(),
        &event.payload,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// The first four bytes of the key's SHA-256, modulo the number of partitions.
fn partition_of(key: &str) -> u32 {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % PARTITIONS
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A service that has published these under a key, in order, on one topic.
    pub fn having_published(topic: &str, key: &str, payloads: &[Vec<u8>]) -> Exchange {
        let mut exchange = Exchange::default();
        let partition = i32::try_from(partition_of(key)).expect("small");
        for (seq, payload) in (1..).zip(payloads) {
            let mut event = Event {
                topic: topic.to_owned(),
                partition,
                epoch: 1,
                seq,
                key: key.to_owned(),
                event_type: format!("greenlane.{topic}.v1"),
                payload: payload.clone(),
                chain: Vec::new(),
            };
            let previous = exchange
                .events
                .last()
                .map_or(&[][..], |event| event.chain.as_slice());
            event.chain = chain_after(previous, &event);
            exchange.events.push(event);
        }
        if let Some(last) = exchange.events.last() {
            exchange.heads.push(Standing {
                topic: topic.to_owned(),
                partition,
                epoch: 1,
                seq: last.seq,
                chain: last.chain.clone(),
            });
            exchange.cursors.push(crate::evidence::Cursor {
                topic: topic.to_owned(),
                partition,
                epoch: 1,
                acked_seq: last.seq,
            });
        }
        exchange
    }

    /// Gate has said three things, and release has applied two of them.
    fn sound() -> Evidence {
        let gate = having_published("gate.site", "GUOYUAN-PORT", &[vec![1], vec![2], vec![3]]);
        let second = &gate.events[1];
        let release = Exchange {
            positions: vec![Standing {
                topic: second.topic.clone(),
                partition: second.partition,
                epoch: 1,
                seq: 2,
                chain: second.chain.clone(),
            }],
            ..Exchange::default()
        };
        Evidence {
            exchanges: [("gate".to_owned(), gate), ("release".to_owned(), release)].into(),
            ..Evidence::default()
        }
    }

    /// The kinds that are found once this was done to what was sound.
    fn found_after(plant: impl FnOnce(&mut Exchange, &mut Exchange)) -> Vec<Kind> {
        let mut evidence = sound();
        let mut gate = evidence.exchanges.remove("gate").expect("there");
        let mut release = evidence.exchanges.remove("release").expect("there");
        plant(&mut gate, &mut release);
        evidence.exchanges.insert("gate".to_owned(), gate);
        evidence.exchanges.insert("release".to_owned(), release);
        violations(&evidence)
            .into_iter()
            .map(|violation| violation.kind)
            .collect()
    }

    #[test]
    fn a_sound_exchange_has_no_violation() {
        assert_eq!(found_after(|_, _| {}), []);
    }

    #[test]
    fn an_event_that_is_missing_is_a_gap_in_the_middle_and_at_the_end() {
        let middle = found_after(|gate, _| {
            gate.events.remove(1);
        });
        assert_eq!(middle, [Kind::SequenceGap]);
        let end = found_after(|gate, _| {
            gate.events.pop();
        });
        assert_eq!(end, [Kind::SequenceGap]);
    }

    #[test]
    fn the_oldest_events_may_have_been_dropped() {
        let dropped = found_after(|gate, _| {
            gate.events.remove(0);
        });
        assert_eq!(dropped, []);
    }

    #[test]
    fn an_event_that_was_edited_breaks_the_chain() {
        let edited = found_after(|gate, _| gate.events[2].payload = vec![9]);
        assert_eq!(edited, [Kind::ChainBroken]);
        let head = found_after(|gate, _| gate.heads[0].chain = vec![9]);
        assert_eq!(head, [Kind::ChainBroken]);
    }

    #[test]
    fn an_event_in_another_partition_than_its_keys_is_found() {
        let moved = found_after(|gate, release| {
            let other = (gate.heads[0].partition + 1) % 8;
            release.positions.clear();
            gate.heads[0].partition = other;
            gate.cursors[0].partition = other;
            let mut previous = Vec::new();
            for event in &mut gate.events {
                event.partition = other;
                event.chain = chain_after(&previous, event);
                previous.clone_from(&event.chain);
            }
            gate.heads[0].chain = previous;
        });
        assert_eq!(moved, [Kind::WrongPartition; 3]);
    }

    #[test]
    fn a_cursor_beyond_what_was_published_is_found() {
        let ahead = found_after(|gate, _| gate.cursors[0].acked_seq = 4);
        assert_eq!(ahead, [Kind::CursorBeyondHead]);
    }

    #[test]
    fn a_reader_that_has_applied_more_or_something_else_is_found() {
        let ahead = found_after(|_, release| release.positions[0].seq = 4);
        assert_eq!(ahead, [Kind::PositionBeyondProducer]);
        let other = found_after(|_, release| release.positions[0].chain = vec![9]);
        assert_eq!(other, [Kind::PositionOnAnotherChain]);
        let nobodys = found_after(|_, release| release.positions[0].topic = "gate.nothing".into());
        assert_eq!(nobodys, [Kind::PositionBeyondProducer]);
    }
}
