//! A journey's timeline, as release has it at the end: every fact about its container, at whichever site, and about
//! its stock list and account book, by whom, on both clocks. It must not know what the facts mean.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proto::common::v1::Page;
use proto::release::v1::get_timeline_request::Subject;
use proto::release::v1::{GetTimelineRequest, TimelineEntry};

use super::journey::Journey;
use super::mishap::Mishap;
use super::record::{Fact, facts_of};
use super::waiting::{Look, if_there};

/// Entries asked for at once, and pages of them at most: a journey has about fifty.
const PAGE_ROWS: i32 = 200;
const PAGES_MAX: usize = 20;

/// A fact that a journey ends with: what was recorded a moment ago may still be on its way to the timeline.
#[derive(Clone, Copy, Debug)]
pub struct LastFact {
    /// What happened.
    pub fact: &'static str,
    /// What is said of it, in part; empty: whatever.
    pub detail: &'static str,
}

impl LastFact {
    /// A fact of which it does not matter what is said.
    pub const fn of(fact: &'static str) -> LastFact {
        LastFact { fact, detail: "" }
    }

    fn is(&self, entry: &TimelineEntry) -> bool {
        entry.fact == self.fact && entry.detail.contains(self.detail)
    }
}

/// The journey's facts, from notices and timeline; waits for the last ones if it is over. With them why the
/// timeline could not be read, if so.
pub async fn facts(
    journey: &Journey<'_>,
    last: &[LastFact],
    over: bool,
) -> (Vec<Fact>, Result<(), Mishap>) {
    let read = if over {
        until_complete(journey, last).await
    } else {
        read(journey).await
    };
    let (entries, outcome) = match read {
        Ok(entries) => (entries, Ok(())),
        Err(mishap) => (Vec::new(), Err(mishap)),
    };
    journey.notices.shown().await;
    let heard = journey.notices.facts();
    (facts_of(journey.name, &entries, &heard), outcome)
}

/// Tells the timeline, one line a fact.
pub fn tell(journey: &Journey<'_>, facts: &[Fact]) {
    journey.narration.gap();
    journey.narration.line(&format!(
        "  `timeline {}`: recorded, observed, by whom, what",
        journey.names.container
    ));
    for fact in facts {
        journey.narration.line(&format!(
            "    {} {} {:8} {:31} {:11} {}",
            clock(&fact.recorded_at),
            clock(&fact.observed_at),
            fact.service,
            fact.fact,
            if fact.party.is_empty() {
                "-"
            } else {
                &fact.party
            },
            fact.detail
        ));
    }
}

async fn until_complete(
    journey: &Journey<'_>,
    last: &[LastFact],
) -> Result<Vec<TimelineEntry>, Mishap> {
    journey
        .until("the timeline has the journey's last facts", async || {
            let entries = read(journey).await?;
            let missing = last
                .iter()
                .find(|last| !entries.iter().any(|entry| last.is(entry)));
            Ok(Look::if_so(
                missing.is_none(),
                entries,
                format!("no {missing:?}"),
            ))
        })
        .await
}

/// All there is about everything that belongs to the journey, each fact once.
async fn read(journey: &Journey<'_>) -> Result<Vec<TimelineEntry>, Mishap> {
    let ids = &journey.ids;
    let mut subjects = vec![Subject::ContainerNumber(
        journey.names.container.to_string(),
    )];
    if !ids.list.is_empty() {
        subjects.push(Subject::ListNumber(ids.list.clone()));
    }
    if let Some(book) = journey.book {
        subjects.push(Subject::BookNumber(book.to_owned()));
    }
    let mut entries = BTreeMap::new();
    for subject in subjects {
        for entry in read_about(journey, subject).await? {
            // A book and a container may have been in earlier journeys.
            if recorded_at(&entry) >= journey.notices.since() {
                entries.insert(entry.event_id.clone(), entry);
            }
        }
    }
    Ok(entries.into_values().collect())
}

fn recorded_at(entry: &TimelineEntry) -> DateTime<Utc> {
    // Release gives it with every entry.
    chassis::convert::time("recorded_at", entry.recorded_at.as_ref())
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Every page, as an officer: the terminal's timeline leaves out what only customs and the filer may read.
async fn read_about(journey: &Journey<'_>, subject: Subject) -> Result<Vec<TimelineEntry>, Mishap> {
    let mut entries = Vec::new();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let request = GetTimelineRequest {
            subject: Some(subject.clone()),
            page: Some(Page {
                page_size: PAGE_ROWS,
                page_token,
            }),
        };
        let answer = if_there(
            journey
                .parties
                .officer
                .release()?
                .get_timeline(request)
                .await,
        )?
        .unwrap_or_default();
        entries.extend(answer.entries);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(entries)
}

/// The time of day of an RFC 3339 time, to the millisecond.
fn clock(time: &str) -> &str {
    time.get(11..23).unwrap_or(time)
}
