//! What the parties are told while the demo plays: each reads its own stream of notices, and every fact
//! becomes one line as soon as it has been told. It must not know what was sent to the services: a fact that
//! stands here was read back from a stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chassis::convert;
use chrono::{DateTime, TimeDelta, Utc};
use kernel::{Clock as _, SystemClock};
use proto::release::v1::release_service_client::ReleaseServiceClient;
use proto::release::v1::{Notice, StreamNoticesRequest};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::mishap::Mishap;
use super::narration::Narration;
use super::parties::Parties;
use crate::client::Transport;

/// A fact is shown when everybody concerned has had this time to be told of it.
const GATHERING: Duration = Duration::from_millis(75);
/// A stream that breaks off is read on from its cursor after this pause.
const RECONNECT_AFTER: Duration = Duration::from_millis(200);
/// How often that may happen to one stream.
const RECONNECTS_MAX: u32 = 50;
/// Facts that are kept; five journeys have about three hundred.
const FACTS_MAX: usize = 10_000;
/// What is told is shown within this time.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

/// The notices of everybody, from the beginning of the demo on. Lines are shown of the journey that is played.
pub struct Notices {
    board: Arc<Board>,
    tasks: Vec<JoinHandle<()>>,
}

/// A fact that was told.
#[derive(Clone, Debug)]
pub struct Heard {
    /// As the first party was told it.
    pub notice: Notice,
    /// Who was told, and how long after the fact was recorded.
    pub told: Vec<Told>,
    first: Instant,
    shown: bool,
}

/// One party was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who.
    pub party: String,
    /// From the fact's recording by its service to the notice's arrival here.
    pub after: TimeDelta,
}

struct Board {
    /// By the id of the fact's own event.
    facts: Mutex<BTreeMap<String, Heard>>,
    journey: Mutex<Option<Followed>>,
    news: watch::Sender<u64>,
    narration: Narration,
    since: DateTime<Utc>,
}

/// What belongs to the journey that is played.
#[derive(Clone, Debug)]
struct Followed {
    /// Numbers and ids of its things.
    things: BTreeSet<String>,
    /// What was recorded before is of an earlier journey.
    since: DateTime<Utc>,
}

impl Notices {
    /// Reads everybody's stream. What was recorded before `since` belongs to an earlier run.
    ///
    /// # Errors
    /// It is not known where release answers.
    pub fn read(
        parties: &Parties,
        narration: &Narration,
        since: DateTime<Utc>,
    ) -> Result<Notices, Mishap> {
        let board = Arc::new(Board {
            facts: Mutex::default(),
            journey: Mutex::default(),
            news: watch::Sender::new(0),
            narration: narration.clone(),
            since,
        });
        let showing = board.clone();
        let mut tasks = vec![tokio::spawn(async move { showing.show_what_comes().await })];
        for session in parties.told() {
            let (board, party) = (board.clone(), session.party().to_owned());
            let client = session.release()?;
            tasks.push(tokio::spawn(
                async move { board.listen(party, client).await },
            ));
        }
        Ok(Notices { board, tasks })
    }

    /// Changes whenever somebody is told something.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.board.news.subscribe()
    }

    /// From now on the facts about these things are shown, by their numbers, and no others.
    pub fn follow<'a>(&self, things: impl IntoIterator<Item = &'a str>) {
        *self.board.journey() = Some(Followed {
            things: things.into_iter().map(str::to_owned).collect(),
            since: SystemClock.now(),
        });
    }

    /// As well as about this thing, by its number or id.
    pub fn follow_also(&self, thing: &str) {
        if let Some(followed) = self.board.journey().as_mut()
            && !thing.is_empty()
        {
            followed.things.insert(thing.to_owned());
        }
    }

    /// Since when facts are those of the journey that is played.
    pub fn since(&self) -> DateTime<Utc> {
        let journey = self.board.journey();
        journey
            .as_ref()
            .map_or(self.board.since, |journey| journey.since)
    }

    /// The facts told so far of the journey that is played.
    pub fn facts(&self) -> Vec<Heard> {
        let journey = self.board.journey().clone();
        let facts = self.board.facts();
        let of_journey = facts
            .values()
            .filter(|heard| is_about(&heard.notice, journey.as_ref()));
        of_journey.cloned().collect()
    }

    /// Whether a party was told of a fact of the journey that is played.
    pub fn was_told(&self, party: &str, fact: &str) -> bool {
        let journey = self.board.journey().clone();
        self.board.facts().values().any(|heard| {
            heard.notice.fact == fact
                && is_about(&heard.notice, journey.as_ref())
                && heard.told.iter().any(|told| told.party == party)
        })
    }

    /// Waits until every fact that has been told is shown.
    pub async fn shown(&self) {
        let mut news = self.news();
        let all = async {
            while self.board.facts().values().any(|heard| !heard.shown)
                && news.changed().await.is_ok()
            {}
        };
        // The lines are for people; what is late comes under the next heading.
        let _ = timeout(SHOWN_WITHIN, all).await;
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Board {
    fn facts(&self) -> MutexGuard<'_, BTreeMap<String, Heard>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journey(&self) -> MutexGuard<'_, Option<Followed>> {
        self.journey.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn listen(&self, party: String, mut client: ReleaseServiceClient<Transport>) {
        let mut cursor = String::new();
        for _ in 0..=RECONNECTS_MAX {
            // Whatever ends the stream, it goes on from the cursor; what never comes fails the journey.
            let _ = self.follow(&party, &mut client, &mut cursor).await;
            tokio::time::sleep(RECONNECT_AFTER).await;
        }
    }

    async fn follow(
        &self,
        party: &str,
        client: &mut ReleaseServiceClient<Transport>,
        cursor: &mut String,
    ) -> Result<(), Mishap> {
        let request = StreamNoticesRequest {
            cursor: cursor.clone(),
        };
        let mut stream = client.stream_notices(request).await?.into_inner();
        while let Some(message) = stream.message().await? {
            let Some(notice) = message.notice else {
                continue;
            };
            cursor.clone_from(&notice.cursor);
            self.hear(party, notice, SystemClock.now());
        }
        Ok(())
    }

    fn hear(&self, party: &str, notice: Notice, now: DateTime<Utc>) {
        let recorded_at = recorded_at(&notice);
        if recorded_at < self.since {
            return;
        }
        let told = Told {
            party: party.to_owned(),
            after: now - recorded_at,
        };
        {
            let mut facts = self.facts();
            let full = facts.len() >= FACTS_MAX;
            match facts.get_mut(&notice.source_event_id) {
                Some(heard) if heard.told.iter().all(|told| told.party != party) => {
                    heard.told.push(told)
                }
                None if !full => {
                    let id = notice.source_event_id.clone();
                    let heard = Heard {
                        notice,
                        told: vec![told],
                        first: Instant::now(),
                        shown: false,
                    };
                    facts.insert(id, heard);
                }
                Some(_) | None => return,
            }
        }
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    async fn show_what_comes(&self) {
        let mut news = self.news.subscribe();
        loop {
            let next = self
                .facts()
                .values()
                .filter(|heard| !heard.shown)
                .map(|heard| heard.first)
                .min();
            match next {
                Some(first) => {
                    sleep_until(first + GATHERING).await;
                    self.show_what_is_due();
                }
                None if news.changed().await.is_err() => return,
                None => {}
            }
        }
    }

    fn show_what_is_due(&self) {
        let mut due = Vec::new();
        for heard in self.facts().values_mut() {
            if !heard.shown && heard.first.elapsed() >= GATHERING {
                due.push(heard.clone());
                heard.shown = true;
            }
        }
        let journey = self.journey().clone();
        due.retain(|heard| is_about(&heard.notice, journey.as_ref()));
        due.sort_by_cached_key(|heard| {
            order(recorded_at(&heard.notice), &heard.notice.source_event_id)
        });
        for heard in &due {
            self.narration.line(&live_line(heard));
        }
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Whether a fact is of a journey: about its container, its transport document alone, or another thing of it.
fn is_about(notice: &Notice, journey: Option<&Followed>) -> bool {
    let Some(Followed { things, since }) = journey else {
        return false;
    };
    let of_subject = notice.subject.split_once('/').map(|(_, key)| key);
    let mut names = [
        Some(notice.container_number.as_str()),
        Some(notice.title.as_str()),
        of_subject,
    ]
    .into_iter()
    .flatten();
    recorded_at(notice) >= *since && names.any(|name| things.contains(name))
}

/// What facts are sorted by: when they were recorded; those of one instant by topic, and in their sequence.
pub fn order(recorded_at: DateTime<Utc>, event_id: &str) -> (DateTime<Utc>, String, u64) {
    let (partition, sequence) = event_id.rsplit_once('/').unwrap_or((event_id, ""));
    (
        recorded_at,
        partition.to_owned(),
        sequence.parse().unwrap_or_default(),
    )
}

/// When the fact was recorded by its service.
pub fn recorded_at(notice: &Notice) -> DateTime<Utc> {
    // Release writes it into every notice; without one it belongs to no run.
    convert::time("recorded_at", notice.recorded_at.as_ref()).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

fn live_line(heard: &Heard) -> String {
    let notice = &heard.notice;
    let told: Vec<&str> = heard.told.iter().map(|told| told.party.as_str()).collect();
    let slowest = heard
        .told
        .iter()
        .map(|told| told.after)
        .max()
        .unwrap_or_default();
    format!(
        "         {} {:8} {:31} {:24} told {} ({})",
        recorded_at(notice).format("%H:%M:%S%.3f"),
        notice.service,
        notice.fact,
        shortened(&notice.title),
        told.join(", "),
        millis(slowest)
    )
}

/// Titles are numbers of containers and documents, or ids; of an id the end tells enough.
fn shortened(title: &str) -> String {
    const TITLE_CHARS_MAX: usize = 24;
    let characters = title.chars().count();
    if characters <= TITLE_CHARS_MAX {
        return title.to_owned();
    }
    let end: String = title
        .chars()
        .skip(characters - TITLE_CHARS_MAX + 1)
        .collect();
    format!("…{end}")
}

/// A duration for people: milliseconds with one decimal.
pub fn millis(duration: TimeDelta) -> String {
    let micros = duration.num_microseconds().unwrap_or(i64::MAX);
    format!("{}.{} ms", micros / 1_000, (micros % 1_000).abs() / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        Board {
            facts: Mutex::default(),
            journey: Mutex::default(),
            news: watch::Sender::new(0),
            narration: Narration::to(Box::new(std::io::sink())),
            since: DateTime::from_timestamp(1_000, 0).unwrap(),
        }
    }

    fn notice(source_event_id: &str, seconds: i64) -> Notice {
        Notice {
            source_event_id: source_event_id.to_owned(),
            fact: "RELEASE_GRANTED".to_owned(),
            subject: "container-visit/X".to_owned(),
            recorded_at: Some(prost_types::Timestamp { seconds, nanos: 0 }),
            ..Default::default()
        }
    }

    #[test]
    fn a_fact_is_one_however_many_are_told_and_however_often() {
        let board = board();
        let now = DateTime::from_timestamp(1_001, 12_000_000).unwrap();
        for party in ["haulier-a", "terminal", "haulier-a"] {
            board.hear(party, notice("a/0/1/1", 1_001), now);
        }
        let facts = board.facts();
        let heard = facts.get("a/0/1/1").unwrap();
        let told: Vec<&str> = heard.told.iter().map(|told| told.party.as_str()).collect();
        assert_eq!((facts.len(), told), (1, vec!["haulier-a", "terminal"]));
        assert_eq!(millis(heard.told[0].after), "12.0 ms");
    }

    #[test]
    fn facts_of_one_instant_stand_in_their_sequence() {
        let now = DateTime::from_timestamp(1_001, 0).unwrap();
        let mut ids = ["t/0/1/10", "t/0/1/9", "s/0/1/11"];
        ids.sort_by_cached_key(|id| order(now, id));
        assert_eq!(ids, ["s/0/1/11", "t/0/1/9", "t/0/1/10"]);
    }

    #[test]
    fn what_an_earlier_run_left_in_the_stream_is_not_heard() {
        let board = board();
        board.hear(
            "terminal",
            notice("a/0/1/1", 999),
            DateTime::from_timestamp(1_001, 0).unwrap(),
        );
        assert!(board.facts().is_empty());
    }

    #[test]
    fn a_fact_is_of_the_journey_that_has_its_thing_and_had_begun() {
        let followed = Followed {
            things: BTreeSet::from(["MSKU9070323".to_owned(), "QD1".to_owned()]),
            since: DateTime::from_timestamp(1_000, 0).unwrap(),
        };
        let about = |container: &str, subject: &str, seconds| Notice {
            container_number: container.to_owned(),
            subject: subject.to_owned(),
            ..notice("a/0/1/1", seconds)
        };
        for (notice, of_it) in [
            (about("MSKU9070323", "truck-visit/T", 1_001), true),
            (about("", "stock-list/QD1", 1_001), true),
            (about("", "stock-list/QD1", 999), false),
            (about("CSQU3054383", "stock-list/QD2", 1_001), false),
        ] {
            assert_eq!(is_about(&notice, Some(&followed)), of_it, "{notice:?}");
            assert!(!is_about(&notice, None));
        }
    }
}
