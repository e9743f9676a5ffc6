//! Judges a simulation of the counters when everything is quiet: what was answered against what the databases hold, and
//! what the mirror holds against the fold of what was published.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::callers::Answered;
use super::database::{Database, Published, Row};
use super::exchange;
use super::services::{KNOWN_FOR_MOST, MIRRORED, SMALL, SUMS, UNSTORABLE, folded, numbers, sum_of};
use super::witness::Witness;

/// Ages are kept in milliseconds.
const AGE_GRAIN: Duration = Duration::from_millis(2);

/// What is judged.
pub struct Evidence<'a> {
    /// Where what may never happen is said.
    pub witness: &'a Witness,
    /// The database that the counters stand in.
    pub counter: &'a Database,
    /// And the one of the mirror.
    pub mirror: &'a Database,
    /// What the counters answered.
    pub asked: &'a [Answered],
    /// What the gates answered.
    pub looked: &'a [Answered],
    /// Whether a database's clock was set.
    pub clocks_set: bool,
}

/// Says everything that may never happen and did.
pub fn judge(evidence: &Evidence<'_>) {
    exchange::judge(evidence.witness, &[evidence.counter, evidence.mirror]);
    sums(evidence);
    folds(evidence);
    if !evidence.clocks_set {
        gates(evidence);
    }
}

/// Every sum that a counter has was answered once to somebody, and none that it has not.
fn sums(evidence: &Evidence<'_>) {
    let mut answered: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for answer in evidence.asked {
        match &answer.answer {
            Ok(response) => {
                let response = String::from_utf8_lossy(response);
                if let Some((name, sum)) = response.rsplit_once('=') {
                    let sum = sum.parse().unwrap_or_default();
                    answered.entry(name.to_owned()).or_default().push(sum);
                }
            }
            Err(reason) if reason == "FULL" => {}
            // Only what cannot be stored may fail, and only alone.
            Err(reason) if reason == "INTERNAL" => {}
            Err(reason) => evidence
                .witness
                .found(format!("somebody is refused with {reason}")),
        }
    }
    let held = numbers(&evidence.counter.own_rows());
    let names: BTreeSet<String> = answered.keys().chain(held.keys()).cloned().collect();
    for name in names
        .into_iter()
        .filter(|name| !name.starts_with("pointer/"))
    {
        let held = held.get(&name).and_then(|numbers| numbers.first()).copied();
        let mut sums = answered.remove(&name).unwrap_or_default();
        sums.sort_unstable();
        let wanted: Vec<i64> = (1..=held.unwrap_or(0)).collect();
        if sums != wanted {
            evidence.witness.found(format!(
                "counter {name} stands at {held:?}, and its callers were answered {sums:?}"
            ));
        }
    }
    if held.contains_key(UNSTORABLE) {
        evidence
            .witness
            .found("what cannot be stored is stored".to_owned());
    }
    if held.get(SMALL.0).and_then(|numbers| numbers.first()) > Some(&SMALL.1) {
        evidence
            .witness
            .found("a counter took more than it takes".to_owned());
    }
}

/// The mirror holds the fold over what the counter published, and has published on each sum once and in order.
fn folds(evidence: &Evidence<'_>) {
    let published = by_key(evidence.counter, SUMS);
    let mirrored = by_key(evidence.mirror, MIRRORED);
    let held = numbers(&evidence.mirror.own_rows());
    for (key, sums) in &published {
        let fold = sums.iter().fold(0, |fold, sum| folded(fold, *sum));
        let last = sums.last().copied().unwrap_or(0);
        let numbers = held.get(key).cloned().unwrap_or_default();
        if numbers != [last, fold] {
            evidence.witness.found(format!(
                "the mirror of {key} is not the fold of {sums:?}; its last sum is {:?}",
                numbers.first()
            ));
        }
        let on = mirrored.get(key).cloned().unwrap_or_default();
        if on != *sums {
            evidence.witness.found(format!(
                "of {key} {sums:?} was published, and {on:?} published on"
            ));
        }
    }
    for key in held.keys().filter(|key| !published.contains_key(*key)) {
        evidence
            .witness
            .found(format!("the mirror holds {key}, which nobody published"));
    }
}

/// No gate was opened on a sum that was older than knowledge may be.
fn gates(evidence: &Evidence<'_>) {
    let facts: Vec<Published> = evidence.counter.published(<[Published]>::to_vec);
    for looked in evidence.looked {
        let Some((key, sum)) = opened(looked) else {
            continue;
        };
        let of_key: Vec<&Published> = facts.iter().filter(|fact| fact.row.key == key).collect();
        let is = |fact: &&&Published| sum_of(&fact.row.payload).is_ok_and(|one| one == sum);
        let next = match of_key.iter().position(|fact| is(&fact)) {
            Some(at) => of_key.get(at + 1),
            None if sum == 0 => of_key.first(),
            None => {
                evidence.witness.found(format!(
                    "the gate of {key} opened on {sum}, which was never"
                ));
                continue;
            }
        };
        let oldest = looked.asked_at.saturating_sub(KNOWN_FOR_MOST + AGE_GRAIN);
        if let Some(next) = next.filter(|next| next.at < oldest) {
            evidence.witness.found(format!(
                "the gate of {key} opened on {sum} at {:?}, {:?} after the next sum was committed",
                looked.asked_at,
                looked.asked_at.saturating_sub(next.at)
            ));
        }
    }
}

fn opened(looked: &Answered) -> Option<(String, i64)> {
    let response = String::from_utf8_lossy(looked.answer.as_ref().ok()?);
    let rest = response.strip_prefix("open ")?;
    let (key, sum) = rest.rsplit_once('=')?;
    Some((key.to_owned(), sum.parse().ok()?))
}

/// The sums of each key in the order of their sequence.
fn by_key(database: &Database, topic: &str) -> BTreeMap<String, Vec<i64>> {
    database.committed(|rows| {
        let mut sums: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for row in rows.values() {
            if let Row::Outbox(row) = row
                && row.topic == topic
            {
                let sum = sum_of(&row.payload).unwrap_or_default();
                sums.entry(row.key.clone()).or_default().push(sum);
            }
        }
        sums
    })
}
