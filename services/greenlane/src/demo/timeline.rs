//! A journey's timeline, as release has it at the end: every fact, by whom, on both clocks. It must not know
//! what the facts mean.

use proto::common::v1::Page;
use proto::release::v1::{GetTimelineRequest, TimelineEntry, get_timeline_request};

use super::journey::Journey;
use super::mishap::Mishap;
use super::record::{Fact, facts_of};
use super::waiting::Look;

/// Entries asked for at once, and pages of them at most: a journey has about fifty.
const PAGE_ROWS: i32 = 200;
const PAGES_MAX: usize = 20;
/// The last facts of a journey: what was recorded a moment ago may still be on its way to the timeline.
const LAST_FACTS: [&str; 4] = [
    "DECLARATION_CLEARED",
    "TRUCK_VISIT_GATED_OUT",
    "CONTAINER_VISIT_DEPARTED",
    "RELEASE_CONSUMED",
];

/// The journey's facts, from notices and timeline; waits for the last ones if it is over. With them why the
/// timeline could not be read, if so.
pub async fn facts(journey: &Journey<'_>, over: bool) -> (Vec<Fact>, Result<(), Mishap>) {
    let read = if over {
        until_complete(journey).await
    } else {
        read(journey).await
    };
    let (entries, outcome) = match read {
        Ok(entries) => (entries, Ok(())),
        Err(mishap) => (Vec::new(), Err(mishap)),
    };
    journey.notices.shown().await;
    let heard = journey.notices.facts(&journey.names);
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
            "    {} {} {:8} {:30} {:10} {}",
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

async fn until_complete(journey: &Journey<'_>) -> Result<Vec<TimelineEntry>, Mishap> {
    journey
        .until("the timeline has the journey's last facts", async || {
            let entries = read(journey).await?;
            let missing = LAST_FACTS
                .iter()
                .find(|last| !entries.iter().any(|entry| entry.fact == **last));
            Ok(Look::if_so(
                missing.is_none(),
                entries,
                format!("no {}", missing.unwrap_or(&"entry")),
            ))
        })
        .await
}

/// Every page, as an officer: the terminal's timeline leaves out what only customs and the filer may read.
async fn read(journey: &Journey<'_>) -> Result<Vec<TimelineEntry>, Mishap> {
    let mut entries = Vec::new();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let request = GetTimelineRequest {
            subject: Some(get_timeline_request::Subject::ContainerNumber(
                journey.names.container.to_string(),
            )),
            page: Some(Page {
                page_size: PAGE_ROWS,
                page_token,
            }),
        };
        let answer = journey
            .parties
            .officer
            .release()?
            .get_timeline(request)
            .await?
            .into_inner();
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
