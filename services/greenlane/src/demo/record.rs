//! The facts of the journeys as the services' streams gave them back, for machines: one object a line, and a
//! summary. It must not know what was sent: a fact without a record in Kafka has no place here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use proto::release::v1::TimelineEntry;
use serde::Serialize;

use super::ending::Ending;
use super::mishap::Mishap;
use super::notices::{Heard, order, recorded_at};

/// Release says this of facts that are told by notices only: they have no record of their own.
const TOLD_BY_NOTICE_ONLY: &str = "commercial-release/";

/// A fact of a journey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The journey.
    pub journey: String,
    /// The service that recorded it.
    pub service: String,
    /// By whom; empty where a rule or another fact caused it.
    pub party: String,
    /// What happened.
    pub fact: String,
    /// The subject's kind and key.
    pub subject: String,
    /// When it happened, RFC 3339.
    pub observed_at: String,
    /// When its service recorded it, RFC 3339.
    pub recorded_at: String,
    /// The `ce_id` of its record in Kafka. A commercial release is told by notice only: its notice's.
    pub event_id: String,
    /// Who was told, in the order in which they were.
    pub told: Vec<String>,
    /// How long after its recording each of them was.
    #[serde(skip)]
    pub after: Vec<TimeDelta>,
    /// What happened, in a person's words.
    #[serde(skip)]
    pub detail: String,
}

/// How a journey went.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// Its name.
    pub name: &'static str,
    /// Whether the services say that it is over.
    pub reached: bool,
    /// What they say.
    #[serde(rename = "final")]
    pub ending: Ending,
    /// How many facts it has.
    pub facts: usize,
    /// How long it took.
    pub milliseconds: u64,
}

/// How everything went.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The journeys, in the order in which they were played.
    pub journeys: Vec<Played>,
    /// From a fact's recording to a notice's arrival at a party: half of the notices came within this time.
    pub notice_microseconds_p50: i64,
    /// And all of them within this.
    pub notice_microseconds_max: i64,
    /// How many notices were read.
    pub notices: usize,
}

#[derive(Serialize)]
struct LastLine<'a> {
    summary: &'a Summary,
}

/// The facts of one journey, oldest first: those that notices told and those that only the timeline has.
pub fn facts_of(journey: &str, timeline: &[TimelineEntry], heard: &[Heard]) -> Vec<Fact> {
    let mut facts: BTreeMap<&str, (DateTime<Utc>, Fact)> = BTreeMap::new();
    for one in heard {
        let notice = &one.notice;
        let fact = Fact {
            journey: journey.to_owned(),
            service: notice.service.clone(),
            party: String::new(),
            fact: notice.fact.clone(),
            subject: notice.subject.clone(),
            observed_at: written(time(notice.observed_at.as_ref())),
            recorded_at: written(recorded_at(notice)),
            event_id: own_record(&notice.source_event_id, &notice.event_id),
            told: one.told.iter().map(|told| told.party.clone()).collect(),
            after: one.told.iter().map(|told| told.after).collect(),
            detail: notice.text.clone(),
        };
        facts.insert(&notice.source_event_id, (recorded_at(notice), fact));
    }
    for entry in timeline {
        match facts.get_mut(entry.event_id.as_str()) {
            Some((_, fact)) => {
                fact.party.clone_from(&entry.party);
                fact.detail.clone_from(&entry.detail);
            }
            // Its notice has not come, so nothing in Kafka can be named for it.
            None if entry.event_id.starts_with(TOLD_BY_NOTICE_ONLY) => {}
            None => {
                let recorded = time(entry.recorded_at.as_ref());
                facts.insert(&entry.event_id, (recorded, from_timeline(journey, entry)));
            }
        }
    }
    let mut facts: Vec<(DateTime<Utc>, Fact)> = facts.into_values().collect();
    facts.sort_by_cached_key(|(recorded_at, fact)| order(*recorded_at, &fact.event_id));
    facts.into_iter().map(|(_, fact)| fact).collect()
}

fn from_timeline(journey: &str, entry: &TimelineEntry) -> Fact {
    Fact {
        journey: journey.to_owned(),
        service: entry.service.clone(),
        party: entry.party.clone(),
        fact: entry.fact.clone(),
        subject: entry.subject.clone(),
        observed_at: written(time(entry.observed_at.as_ref())),
        recorded_at: written(time(entry.recorded_at.as_ref())),
        event_id: entry.event_id.clone(),
        told: Vec::new(),
        after: Vec::new(),
        detail: entry.detail.clone(),
    }
}

fn own_record(source_event_id: &str, notice_event_id: &str) -> String {
    if source_event_id.starts_with(TOLD_BY_NOTICE_ONLY) {
        notice_event_id.to_owned()
    } else {
        source_event_id.to_owned()
    }
}

/// How long notices took: how many there were, half of them, and the slowest.
pub fn latencies(facts: &[Fact]) -> (usize, TimeDelta, TimeDelta) {
    let mut after: Vec<TimeDelta> = facts.iter().flat_map(|fact| fact.after.clone()).collect();
    after.sort_unstable();
    let half = after.get(after.len() / 2).copied().unwrap_or_default();
    let slowest = after.last().copied().unwrap_or_default();
    (after.len(), half, slowest)
}

/// Opens the file before anything is started: who cannot have the facts is told at once.
///
/// # Errors
/// It cannot be created.
pub fn open(path: &Path) -> Result<File, Mishap> {
    File::create(path).map_err(|source| Mishap::File {
        path: path.to_owned(),
        source,
    })
}

/// Writes the facts and the summary.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, file: File, facts: &[Fact], summary: &Summary) -> Result<(), Mishap> {
    let mut to = BufWriter::new(file);
    let mut write = || {
        for fact in facts {
            serde_json::to_writer(&mut to, fact)?;
            writeln!(to)?;
        }
        serde_json::to_writer(&mut to, &LastLine { summary })?;
        writeln!(to)?;
        to.flush()
    };
    write().map_err(|source| Mishap::File {
        path: path.to_owned(),
        source,
    })
}

fn time(time: Option<&prost_types::Timestamp>) -> DateTime<Utc> {
    // Release gives both times with every fact.
    chassis::convert::time("time", time).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(event_id: &str, seconds: i64) -> TimelineEntry {
        TimelineEntry {
            event_id: event_id.to_owned(),
            fact: "CONTAINER_VISIT_ARRIVED".to_owned(),
            party: "terminal".to_owned(),
            recorded_at: Some(prost_types::Timestamp { seconds, nanos: 0 }),
            observed_at: Some(prost_types::Timestamp { seconds, nanos: 0 }),
            ..Default::default()
        }
    }

    #[test]
    fn what_no_notice_told_comes_from_the_timeline_in_its_place() {
        let facts = facts_of(
            "import-pick-up",
            &[entry("t/0/1/2", 20), entry("t/0/1/1", 10)],
            &[],
        );
        let ids: Vec<&str> = facts.iter().map(|fact| fact.event_id.as_str()).collect();
        assert_eq!(ids, ["t/0/1/1", "t/0/1/2"]);
        assert_eq!(facts[0].recorded_at, "1970-01-01T00:00:10.000000Z");
    }

    #[test]
    fn a_fact_without_a_record_of_its_own_is_named_by_its_notice_or_left_out() {
        assert_eq!(
            own_record(
                "commercial-release/1/1",
                "greenlane.release.notice.v1/0/1/1"
            ),
            "greenlane.release.notice.v1/0/1/1"
        );
        assert_eq!(
            own_record("greenlane.gate.hold.v1/0/1/1", "x"),
            "greenlane.gate.hold.v1/0/1/1"
        );
        assert!(facts_of("not-today", &[entry("commercial-release/1/1", 10)], &[]).is_empty());
    }

    #[test]
    fn the_last_line_is_the_summary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts.jsonl");
        let facts = facts_of("import-pick-up", &[entry("t/0/1/1", 10)], &[]);
        let played = Played {
            name: "import-pick-up",
            reached: true,
            ending: Ending::default().with("declaration", "CLEARED", &["CLEARED"]),
            facts: 1,
            milliseconds: 5,
        };
        let summary = Summary {
            journeys: vec![played],
            ..Summary::default()
        };
        write(&path, open(&path).unwrap(), &facts, &summary).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["event_id"], "t/0/1/1");
        assert_eq!(lines[1]["summary"]["journeys"][0]["reached"], true);
        assert_eq!(
            lines[1]["summary"]["journeys"][0]["final"]["declaration"],
            "CLEARED"
        );
    }
}
