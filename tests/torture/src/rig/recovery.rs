//! How soon a service that was killed answers again: after it is ready, or, where a second instance runs, after the kill;
//! and for how long services gave no answer at all. Taken from what callers remember, and only of times in which somebody
//! waited; it must not ask anything itself.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::evidence::{Evidence, SERVICES};
use crate::play::history::Acknowledged;
use crate::site::Site;

/// How soon it is looked at again whether a service is ready.
const POLL: Duration = Duration::from_millis(10);
/// One that is not ready by then is not measured.
const READY_WAIT: Duration = Duration::from_secs(60);
/// How long its word on that may take.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// A service that was killed.
#[derive(Clone, Copy, Debug)]
pub struct Killed {
    /// Which.
    pub service: &'static str,
    /// From when on it is to answer: when it was ready again, or, with a second instance, when it was killed.
    pub from: Instant,
    /// Whether a second instance ran.
    pub doubled: bool,
}

/// Waits until a service says that it is ready; none if it does not for long.
pub async fn ready(site: &Site, service: &str) -> Option<Instant> {
    let endpoints = site.endpoints()?;
    let address = endpoints[service]["admin"].as_str()?;
    let address = address.strip_prefix("http://")?.to_owned();
    let until = Instant::now() + READY_WAIT;
    while Instant::now() < until {
        if timeout(ANSWER_WAIT, says_ready(&address)).await == Ok(Some(true)) {
            return Some(Instant::now());
        }
        sleep(POLL).await;
    }
    None
}

async fn says_ready(address: &str) -> Option<bool> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream
        .write_all(b"GET /readyz HTTP/1.0\r\n\r\n")
        .await
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer.split_whitespace().nth(1) == Some("200"))
}

/// How long it took, in all cases of one sort.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits(Vec<Wait>);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Who was waited for; not known of what callers wait for.
    pub service: Option<&'static str>,
    /// From when on.
    pub from: Instant,
    /// For how long.
    pub time: Duration,
}

impl Waits {
    /// Those that were longer than this, in their order.
    pub fn beyond(&self, limit: Duration) -> impl Iterator<Item = &Wait> {
        self.0.iter().filter(move |wait| wait.time > limit)
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut waits: Vec<Duration> = self.0.iter().map(|wait| wait.time).collect();
        waits.sort();
        let (Some(median), Some(longest)) = (waits.get(waits.len() / 2), waits.last()) else {
            return write!(formatter, "not seen");
        };
        write!(
            formatter,
            "{} ms, 99 in 100 {} ms, at most {} ms, {} times",
            median.as_millis(),
            waits[waits.len() * 99 / 100].as_millis(),
            longest.as_millis(),
            waits.len()
        )
    }
}

/// The waits for all answers that callers had asked for, again and again where they were lost.
pub fn of_callers(acknowledged: &[Acknowledged]) -> Waits {
    let wait = |one: &Acknowledged| {
        let time = one.waited?;
        Some(Wait {
            service: None,
            from: one.at.checked_sub(time)?,
            time,
        })
    };
    Waits(acknowledged.iter().filter_map(wait).collect())
}

/// When each service answered, and since when that had been asked for.
pub struct Answers(BTreeMap<&'static str, Vec<Answered>>);

#[derive(Clone, Copy)]
struct Answered {
    at: Instant,
    /// Since when this or anything that was answered later had been asked for.
    asked: Instant,
}

impl Answers {
    /// Of what callers remember, each by the service whose database holds the answer.
    pub fn of(acknowledged: &[Acknowledged], evidence: &Evidence) -> Answers {
        let mut all = BTreeMap::new();
        for service in SERVICES {
            let Some(exchange) = evidence.exchanges.get(service) else {
                continue;
            };
            let own = acknowledged
                .iter()
                .filter(|one| exchange.answered.contains(&one.request_id));
            let mut answers: Vec<Answered> = own
                .map(|one| Answered {
                    at: one.at,
                    asked: one
                        .waited
                        .and_then(|time| one.at.checked_sub(time))
                        .unwrap_or(one.at),
                })
                .collect();
            answers.sort_by_key(|answer| answer.at);
            for place in (1..answers.len()).rev() {
                answers[place - 1].asked = answers[place - 1].asked.min(answers[place].asked);
            }
            all.insert(service, answers);
        }
        Answers(all)
    }

    /// How long a service answered nothing from then on though somebody asked it; none if nobody did.
    fn pause(&self, service: &'static str, from: Instant) -> Option<Wait> {
        let answers = self.0.get(service)?;
        let first = answers.get(answers.partition_point(|answer| answer.at <= from))?;
        let from = from.max(first.asked);
        Some(Wait {
            service: Some(service),
            from,
            time: first.at.duration_since(from),
        })
    }

    /// All times between two answers of a service in which somebody waited for one.
    pub fn pauses(&self) -> Waits {
        let between = self.0.iter().flat_map(|(service, answers)| {
            let from = |answer: &Answered| self.pause(service, answer.at);
            answers.iter().filter_map(from)
        });
        Waits(between.collect())
    }

    /// The waits for a service's first answer after it was ready again, and those after a kill where a second instance ran:
    /// from when on somebody asked. A kill that nobody asked the service anything after is in neither.
    pub fn after(&self, killed: &[Killed]) -> (Waits, Waits) {
        let (mut alone, mut doubled) = (Waits::default(), Waits::default());
        for one in killed {
            let waits = if one.doubled {
                &mut doubled
            } else {
                &mut alone
            };
            waits.0.extend(self.pause(one.service, one.from));
        }
        (alone, doubled)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::evidence::Exchange;

    /// Gate's requests: the milliseconds at which they were asked and answered.
    fn answers(start: Instant, requests: &[(u64, u64)]) -> Answers {
        let acknowledged = requests.iter().enumerate().map(|(number, (asked, at))| {
            let at = start + Duration::from_millis(*at);
            Acknowledged {
                what: String::new(),
                request_id: Uuid::from_u128(number as u128),
                at,
                waited: Some(at - (start + Duration::from_millis(*asked))),
            }
        });
        let acknowledged: Vec<Acknowledged> = acknowledged.collect();
        let answered = acknowledged.iter().map(|one| one.request_id);
        let exchange = Exchange {
            answered: answered.collect(),
            ..Exchange::default()
        };
        let evidence = Evidence {
            exchanges: [("gate".to_owned(), exchange)].into(),
            ..Evidence::default()
        };
        Answers::of(&acknowledged, &evidence)
    }

    fn killed(service: &'static str, from: Instant, doubled: bool) -> Killed {
        Killed {
            service,
            from,
            doubled,
        }
    }

    fn millis(waits: &Waits) -> Vec<u128> {
        waits.0.iter().map(|wait| wait.time.as_millis()).collect()
    }

    #[test]
    fn the_first_answer_of_the_same_service_counts_from_when_it_was_ready() {
        let start = Instant::now();
        let from = start + Duration::from_millis(100);
        let answers = answers(start, &[(0, 10), (20, 300)]);
        let (alone, doubled) = answers.after(&[killed("gate", from, false)]);
        assert_eq!(millis(&alone), [200]);
        assert_eq!(doubled, Waits::default());
        let (_, doubled) = answers.after(&[killed("gate", from, true)]);
        assert_eq!(
            doubled.to_string(),
            "200 ms, 99 in 100 200 ms, at most 200 ms, 1 times"
        );
        let (alone, _) = answers.after(&[killed("customs", from, false)]);
        assert_eq!(alone, Waits::default());
    }

    #[test]
    fn the_time_in_which_nobody_asked_does_not_count() {
        let start = Instant::now();
        let from = start + Duration::from_millis(100);
        let answers = answers(start, &[(700, 750), (600, 900)]);
        let (alone, _) = answers.after(&[killed("gate", from, false)]);
        // The one that was answered later had been asked for first.
        assert_eq!(millis(&alone), [150]);
    }

    #[test]
    fn a_pause_is_a_time_without_answers_in_which_somebody_waits() {
        let start = Instant::now();
        let answers = answers(start, &[(0, 10), (5, 20), (50, 90), (60, 290)]);
        assert_eq!(millis(&answers.pauses()), [10, 40, 200]);
        let pauses = answers.pauses();
        assert_eq!(pauses.beyond(Duration::from_millis(100)).count(), 1);
    }
}
