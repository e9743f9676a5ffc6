//! Judges the exchange between simulated services, whatever it is about: what is still under way, and what may never
//! be.

use std::collections::BTreeMap;

use fabric::platform::Part;

use super::database::{Database, Key, Row};
use super::witness::Witness;

/// Says everything that may never be and is.
pub fn judge(witness: &Witness, all: &[&Database]) {
    let heads = all_heads(all);
    for database in all {
        conflicts(witness, database);
        outboxes(witness, database);
        positions(witness, database, &heads);
    }
}

/// What is not sent, applied and tried again yet.
pub fn unsettled(all: &[&Database]) -> Vec<String> {
    let heads = all_heads(all);
    let mut open = Vec::new();
    for database in all {
        database.committed(|rows| {
            for (key, row) in rows {
                open.extend(under_way(&heads, key, row));
            }
        });
    }
    open
}

fn under_way(heads: &BTreeMap<Part, (u64, u64)>, key: &Key, row: &Row) -> Option<String> {
    let head_of = |part: &Part| heads.get(part).copied().unwrap_or((1, 0));
    match (key, row) {
        (Key::Cursor(part), Row::Cursor(cursor)) => {
            let head = head_of(part);
            let what = format!("{}/{}: {} of {} are", part.0, part.1, cursor.acked, head.1);
            ((cursor.epoch, cursor.acked) != head).then(|| format!("{what} acknowledged"))
        }
        (Key::Position(part), Row::Position(applied)) => {
            let (head, position) = (head_of(part), &applied.position);
            if let Some(why) = &position.stopped_because {
                return Some(format!("{}/{} has stopped: {why}", part.0, part.1));
            }
            let what = format!("{}/{}: {} of {} are", part.0, part.1, position.seq, head.1);
            ((position.epoch, position.seq) != head).then(|| format!("{what} applied"))
        }
        (Key::Parked(event_id), Row::Parked(parked)) => {
            Some(format!("{event_id} is parked: {}", parked.cause))
        }
        _ => None,
    }
}

/// The topics and keys of which something is parked.
pub fn parked(database: &Database) -> Vec<(String, String)> {
    database.committed(|rows| {
        let parked = rows.values().filter_map(|row| match row {
            Row::Parked(parked) => Some((parked.topic.clone(), parked.key.clone())),
            _ => None,
        });
        let mut keys: Vec<(String, String)> = parked.collect();
        keys.sort();
        keys.dedup();
        keys
    })
}

fn conflicts(witness: &Witness, database: &Database) {
    let (deadlocks, duplicates) = database.conflicts();
    if deadlocks > 0 {
        witness.found(format!(
            "{}: {deadlocks} deadlocks, although locks are taken in one order",
            database.name
        ));
    }
    if duplicates > 0 {
        witness.found(format!(
            "{}: {duplicates} rows were there already, although their subjects are locked",
            database.name
        ));
    }
}

/// The rows of each partition are numbered without a gap, up to its head.
fn outboxes(witness: &Witness, database: &Database) {
    let mut seen: BTreeMap<Part, u64> = BTreeMap::new();
    database.published(|published| {
        for fact in published {
            let part = (fact.row.topic.clone(), fact.row.partition);
            let last = seen.entry(part).or_default();
            if fact.row.seq != *last + 1 {
                witness.found(format!(
                    "{}/{}: {} is committed after {last}",
                    fact.row.topic, fact.row.partition, fact.row.seq
                ));
            }
            *last = (*last).max(fact.row.seq);
        }
    });
    for (part, (_, head)) in heads(database) {
        let last = seen.get(&part).copied().unwrap_or(0);
        if last != head {
            witness.found(format!(
                "{}/{}: the head stands at {head}, and the last row is {last}",
                part.0, part.1
            ));
        }
    }
}

/// No position is beyond its producer.
fn positions(witness: &Witness, database: &Database, heads: &BTreeMap<Part, (u64, u64)>) {
    database.committed(|rows| {
        for (key, row) in rows {
            let (Key::Position(part), Row::Position(applied)) = (key, row) else {
                continue;
            };
            let at = (applied.position.epoch, applied.position.seq);
            if at > heads.get(part).copied().unwrap_or((1, 0)) {
                witness.found(format!(
                    "{}/{}: {} is applied, beyond its producer",
                    part.0, part.1, at.1
                ));
            }
        }
    });
}

fn all_heads(all: &[&Database]) -> BTreeMap<Part, (u64, u64)> {
    all.iter().flat_map(|database| heads(database)).collect()
}

fn heads(database: &Database) -> BTreeMap<Part, (u64, u64)> {
    database.committed(|rows| {
        let heads = rows.iter().filter_map(|row| match row {
            (Key::Head(part), Row::Head(head)) => Some((part.clone(), (head.epoch, head.seq))),
            _ => None,
        });
        heads.collect()
    })
}
