//! How soon a service that was killed answers again: after it is ready, or, where a second instance runs, after the kill.
//! Taken from what callers remember; it must not ask anything itself.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::evidence::Evidence;
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
pub struct Waits(Vec<Duration>);

impl fmt::Display for Waits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut waits = self.0.clone();
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
    Waits(acknowledged.iter().filter_map(|one| one.waited).collect())
}

/// The waits for a service's first answer after it was ready again, and those after a kill where a second instance ran. A
/// kill that nobody asked the service anything after is in neither.
pub fn waits(
    killed: &[Killed],
    acknowledged: &[Acknowledged],
    evidence: &Evidence,
) -> (Waits, Waits) {
    let mut answers: BTreeMap<&str, Vec<Instant>> = BTreeMap::new();
    for one in acknowledged {
        let exchanges = evidence.exchanges.iter();
        let by = exchanges.filter(|(_, exchange)| exchange.answered.contains(&one.request_id));
        for (service, _) in by {
            answers.entry(service).or_default().push(one.at);
        }
    }
    let (mut alone, mut doubled) = (Waits::default(), Waits::default());
    for one in killed {
        let all = answers.get(one.service).into_iter().flatten();
        let first = all.filter(|at| **at > one.from).min();
        if let Some(first) = first {
            let waits = if one.doubled {
                &mut doubled
            } else {
                &mut alone
            };
            waits.0.push(first.duration_since(one.from));
        }
    }
    (alone, doubled)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::evidence::Exchange;

    #[test]
    fn the_first_answer_of_the_same_service_after_it_is_ready_counts() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let request = |number: u128, millis| Acknowledged {
            what: String::new(),
            request_id: Uuid::from_u128(number),
            at: at(millis),
            waited: None,
        };
        let exchange = |numbers: &[u128]| Exchange {
            answered: numbers.iter().map(|n| Uuid::from_u128(*n)).collect(),
            ..Exchange::default()
        };
        let evidence = Evidence {
            exchanges: [
                ("gate".to_owned(), exchange(&[1, 2])),
                ("customs".to_owned(), exchange(&[3])),
            ]
            .into(),
            ..Evidence::default()
        };
        let acknowledged = [request(1, 10), request(3, 120), request(2, 300)];
        let killed = |doubled| Killed {
            service: "gate",
            from: at(100),
            doubled,
        };
        let (alone, doubled) = waits(&[killed(false)], &acknowledged, &evidence);
        assert_eq!(alone, Waits(vec![Duration::from_millis(200)]));
        assert_eq!(doubled, Waits::default());
        let (_, doubled) = waits(&[killed(true)], &acknowledged, &evidence);
        assert_eq!(
            doubled.to_string(),
            "200 ms, 99 in 100 200 ms, at most 200 ms, 1 times"
        );
    }
}
