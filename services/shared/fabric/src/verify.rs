//! Whether what was published is what the database says: the chains computed anew from the rows that are kept, and the
//! topics read through. After a restore from a backup it names every fact that others have read and this database does
//! not know. It must not know what the facts say.

use std::collections::BTreeMap;

use sqlx::PgPool;
use tokio::sync::mpsc;

use crate::config::FabricConfig;
use crate::kafka;
use crate::restate::EPOCH_TYPE;
use crate::sequence::{PARTITIONS, chain_after, event_id, partition_of};
use crate::store::{self, Head, OutboxRow, Part};

/// Rows and records that are looked at together.
const LOOKED_AT_ONCE: usize = 2_000;
/// Facts that are named; more are counted.
const UNKNOWN_FACTS_MAX: usize = 10_000;
/// Runs of sequences of one partition that are kept apart; more are taken for one fault.
const RUNS_MAX: usize = 1_000;

/// What came of looking.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// Partitions looked at.
    pub partitions: u32,
    /// Rows looked at.
    pub rows: u64,
    /// Where a chain does not hold.
    pub breaks: Vec<String>,
    /// Records of the topics looked at.
    pub records: u64,
    /// Sequences that the topics lack between others that they hold.
    pub missing: Vec<String>,
    /// Facts that the topics hold and this database does not know, by event id: at most 10,000.
    pub unknown: Vec<UnknownFact>,
    /// How many of those there are; of more than are named, one that comes again is counted again.
    pub unknown_facts: u64,
    /// Why the topics could not be read.
    pub topics_unread: Option<String>,
}

/// A fact that was published, and that the database does not know: it is older than what was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFact {
    /// `ce_id`.
    pub event_id: String,
    /// The topic, without prefix and version.
    pub topic: String,
    /// The subject.
    pub key: String,
    /// `ce_type`.
    pub event_type: String,
    /// An operator has opened a new epoch since: what is said there wins over it.
    pub given_up: bool,
}

/// A record of a topic, as far as it is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub part: Part,
    pub epoch: u64,
    pub seq: u64,
    pub event_id: String,
    pub event_type: String,
    pub key: String,
    pub chain: Vec<u8>,
}

/// Computes every produced partition's chain anew from the rows kept.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn chains(pool: &PgPool) -> Result<VerifyReport, sqlx::Error> {
    let mut report = VerifyReport::default();
    // Before a connection is held: two that each hold one and want another wait for ever.
    let produced = store::produced(pool).await?;
    let mut db = pool.acquire().await?;
    for row in produced {
        report.partitions += 1;
        let (topic, partition) = row.part;
        let mut after = 0;
        let mut previous: Option<OutboxRow> = None;
        loop {
            let limit = i64::try_from(LOOKED_AT_ONCE).unwrap_or(i64::MAX);
            let epoch = row.head.epoch;
            let rows = store::outbox_after(&mut db, &topic, partition, epoch, after, limit).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for next in rows {
                report.rows += 1;
                if let Some(fault) = chain_fault(previous.as_ref(), &next) {
                    report.breaks.push(fault);
                }
                previous = Some(next);
            }
        }
        if previous.is_some_and(|last| last.seq == row.head.seq && last.chain != row.head.chain) {
            report.breaks.push(format!(
                "{topic}/{partition}: the head's chain is not its last row's"
            ));
        }
    }
    Ok(report)
}

/// Reads the topics through, and adds to the report what they hold or lack.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn topics(
    pool: &PgPool,
    config: &FabricConfig,
    report: &mut VerifyReport,
) -> Result<(), sqlx::Error> {
    let mut db = pool.acquire().await?;
    let heads = store::all_heads(&mut db).await?;
    let oldest = store::verify::oldest(&mut db).await?;
    let parts: Vec<Part> = heads.keys().cloned().collect();
    let mut looked = Looked::at(heads, oldest);
    let (found, mut records) = mpsc::channel(LOOKED_AT_ONCE);
    let config = config.clone();
    let reading = tokio::task::spawn_blocking(move || {
        kafka::read_all(&config, &parts, |record| {
            // Nobody looks any more: the database does not answer.
            found.blocking_send(record).is_ok()
        })
    });
    let mut together = Vec::with_capacity(LOOKED_AT_ONCE);
    while records.recv_many(&mut together, LOOKED_AT_ONCE).await > 0 {
        let known = store::verify::chains_of(&mut db, &together).await?;
        for record in together.drain(..) {
            let chain = known.get(&(record.part.clone(), record.epoch, record.seq));
            looked.look(record, chain.map(Vec::as_slice));
        }
    }
    let read = reading.await;
    report.topics_unread = match read {
        Ok(read) => read.err(),
        Err(error) => Some(error.to_string()),
    };
    report.records = looked.records;
    report.missing = looked.missing();
    report.unknown_facts = looked.unknown.len() as u64 + looked.unknown_beyond;
    report.unknown = looked.unknown.into_values().collect();
    Ok(())
}

/// What was seen of the topics.
struct Looked {
    heads: BTreeMap<Part, Head>,
    /// The first row that is kept: epoch and sequence.
    oldest: BTreeMap<Part, (u64, u64)>,
    records: u64,
    /// The sequences seen of each partition and epoch: runs, by their first, with their last.
    runs: BTreeMap<(Part, u64), BTreeMap<u64, u64>>,
    /// By partition, epoch, sequence and chain: a record may come again.
    unknown: BTreeMap<(Part, u64, u64, Vec<u8>), UnknownFact>,
    /// Records of those that are not named any more.
    unknown_beyond: u64,
}

impl Looked {
    fn at(heads: BTreeMap<Part, Head>, oldest: BTreeMap<Part, (u64, u64)>) -> Self {
        Self {
            heads,
            oldest,
            records: 0,
            runs: BTreeMap::new(),
            unknown: BTreeMap::new(),
            unknown_beyond: 0,
        }
    }

    /// A record, and the chain of the row that has its place in the database.
    fn look(&mut self, record: Published, known: Option<&[u8]>) {
        self.records += 1;
        let runs = self
            .runs
            .entry((record.part.clone(), record.epoch))
            .or_default();
        add(runs, record.seq);
        let Some(head) = self.heads.get(&record.part) else {
            return;
        };
        let place = (record.epoch, record.seq);
        let oldest = self.oldest.get(&record.part);
        // What was dropped after its retention was known.
        let was_dropped = known.is_none()
            && place <= (head.epoch, head.seq)
            && oldest.is_none_or(|oldest| place < *oldest);
        if was_dropped || known.is_some_and(|chain| chain == record.chain) {
            return;
        }
        if self.unknown.len() >= UNKNOWN_FACTS_MAX {
            self.unknown_beyond += 1;
            return;
        }
        let fact = UnknownFact {
            given_up: record.epoch < head.epoch,
            event_id: record.event_id,
            topic: record.part.0.clone(),
            key: record.key,
            event_type: record.event_type,
        };
        let id = (record.part, record.epoch, record.seq, record.chain);
        self.unknown.insert(id, fact);
    }

    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (((topic, partition), epoch), runs) in &self.runs {
            let ends = runs.values();
            let begins = runs.keys().skip(1);
            missing.extend(ends.zip(begins).map(|(end, begin)| {
                let (from, to) = (end + 1, begin - 1);
                format!("{topic}/{partition}: the topic lacks {epoch}/{from} to {epoch}/{to}")
            }));
        }
        missing
    }
}

/// Adds a sequence to runs of them.
fn add(runs: &mut BTreeMap<u64, u64>, seq: u64) {
    let before = runs
        .range(..=seq)
        .next_back()
        .map(|(from, to)| (*from, *to));
    let from = match before {
        Some((_, to)) if seq <= to => return,
        Some((from, to)) if seq == to + 1 => from,
        _ if runs.len() >= RUNS_MAX => return,
        _ => seq,
    };
    // It may close the hole before the next run.
    let to = runs.remove(&(seq + 1)).unwrap_or(seq);
    runs.insert(from, to);
}

/// What is wrong with a row's place in its chain; the first row kept has no
/// predecessor to check against.
fn chain_fault(previous: Option<&OutboxRow>, row: &OutboxRow) -> Option<String> {
    let id = event_id(&row.topic, row.partition, row.epoch, row.seq);
    let before: &[u8] = match previous {
        Some(previous) if previous.seq + 1 != row.seq => {
            return Some(format!("{id}: the row before it is missing"));
        }
        Some(previous) => &previous.chain,
        None if row.seq == 1 => crate::sequence::CHAIN_START,
        None => return None,
    };
    let elsewhere = row.partition != partition_of(&row.key) && row.event_type != EPOCH_TYPE;
    if elsewhere || row.partition >= PARTITIONS {
        return Some(format!("{id}: its key belongs to another partition"));
    }
    let expected = chain_after(before, &id, &row.event_type, &row.key, &row.payload);
    (expected != row.chain).then(|| format!("{id}: its chain does not follow from its content"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn part() -> Part {
        ("test.counter".to_owned(), 0)
    }

    fn looked((epoch, seq): (u64, u64), oldest: (u64, u64)) -> Looked {
        let head = Head {
            epoch,
            seq,
            chain: Bytes::new(),
        };
        Looked::at([(part(), head)].into(), [(part(), oldest)].into())
    }

    fn record(epoch: u64, seq: u64) -> Published {
        Published {
            part: part(),
            epoch,
            seq,
            event_id: event_id("test.counter", 0, epoch, seq),
            event_type: "greenlane.test.counter.added".to_owned(),
            key: "k".to_owned(),
            chain: vec![1],
        }
    }

    #[test]
    fn sequences_that_come_again_or_late_leave_no_hole_and_one_that_never_comes_does() {
        let mut looked = looked((1, 9), (1, 1));
        for seq in [1, 2, 5, 3, 2, 4, 7] {
            looked.look(record(1, seq), Some(&[1]));
        }
        assert_eq!(
            looked.missing(),
            ["test.counter/0: the topic lacks 1/6 to 1/6"]
        );
        looked.look(record(1, 6), Some(&[1]));
        assert_eq!(looked.missing(), Vec::<String>::new());
        assert_eq!(looked.records, 8);
    }

    #[test]
    fn what_the_database_does_not_know_is_named_once_and_what_it_has_dropped_is_not() {
        let mut looked = looked((1, 4), (1, 3));
        looked.look(record(1, 2), None);
        looked.look(record(1, 3), Some(&[1]));
        looked.look(record(1, 4), Some(&[2]));
        looked.look(record(1, 5), None);
        looked.look(record(1, 5), None);
        let named: Vec<_> = looked.unknown.values().map(|fact| &fact.event_id).collect();
        assert_eq!(named, [&record(1, 4).event_id, &record(1, 5).event_id]);
        assert!(looked.unknown.values().all(|fact| !fact.given_up));
    }

    #[test]
    fn a_fact_of_an_epoch_that_is_over_is_given_up() {
        let mut looked = looked((2, 1), (1, 1));
        looked.look(record(1, 7), None);
        assert!(looked.unknown.values().all(|fact| fact.given_up));
        assert_eq!(looked.unknown.len(), 1);
    }
}
