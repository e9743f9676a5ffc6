//! Metrics by age: how long the oldest event has waited to be published, how long ago what is read was last
//! known whole, how long a record has waited to be applied; and what is parked or stopped. They are read from
//! the fabric's status now and then, and go on growing between and while the database is away. It must not
//! judge an age: what is too old, alarms and decisions say.

use std::collections::BTreeMap;
use std::time::Duration;

use fabric::{Admin, ConsumedStatus, FabricStatus};
use metrics::Unit;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

/// How often the fabric's status is read, and how long reading it may take.
const LOOK_EVERY: Duration = Duration::from_secs(5);

const OLDEST_UNPUBLISHED: &str = "greenlane_oldest_unpublished_seconds";
const WATERMARK_AGE: &str = "greenlane_watermark_age_seconds";
const CONSUMER_LAG: &str = "greenlane_consumer_lag_seconds";
const PARKED_KEYS: &str = "greenlane_parked_keys";
const STOPPED_PARTITIONS: &str = "greenlane_stopped_partitions";

/// Keeps the gauges for as long as the task lives.
pub(crate) fn follow<I: Send + Sync + 'static>(admin: Admin<I>) -> JoinHandle<()> {
    describe();
    tokio::spawn(async move {
        let mut ages = Ages::begun(Instant::now());
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            // That the database does not answer is told by the fabric's health; here ages grow.
            if let Ok(Ok(status)) = tokio::time::timeout(LOOK_EVERY, admin.status()).await {
                ages.learn(&status, Instant::now());
            }
            for figure in ages.figures(Instant::now()) {
                metrics::gauge!(figure.name, "topic" => figure.topic).set(figure.value);
            }
        }
    })
}

fn describe() {
    metrics::describe_gauge!(
        OLDEST_UNPUBLISHED,
        Unit::Seconds,
        "How long the oldest event of a topic has waited for the broker to take it; 0 if none waits"
    );
    metrics::describe_gauge!(
        WATERMARK_AGE,
        Unit::Seconds,
        "Age of the newest watermark that a topic's reading has caught up with, of the worst partition; before the first one, how long the service runs"
    );
    metrics::describe_gauge!(
        CONSUMER_LAG,
        Unit::Seconds,
        "How long a record that is known to be published has waited to be applied, of the worst partition; 0 if none waits"
    );
    metrics::describe_gauge!(
        PARKED_KEYS,
        Unit::Count,
        "Keys of a topic with records that could not be applied"
    );
    metrics::describe_gauge!(
        STOPPED_PARTITIONS,
        Unit::Count,
        "Partitions of a topic from which nothing more is applied until an operator acts"
    );
}

/// A gauge's value.
#[derive(Clone, Debug, PartialEq)]
struct Figure {
    name: &'static str,
    topic: String,
    value: f64,
}

/// An age that goes on growing after it was read.
#[derive(Clone, Copy, Debug)]
struct Aged {
    age: Duration,
    read_at: Instant,
}

impl Aged {
    fn at(self, now: Instant) -> Duration {
        self.age
            .saturating_add(now.saturating_duration_since(self.read_at))
    }
}

/// A head that was published and not yet applied when it became known.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    head_sequence: u64,
    known_at: Instant,
}

/// What is remembered of a consumed partition.
#[derive(Clone, Debug)]
struct Reading {
    caught_up: Aged,
    waiting: Option<Waiting>,
    stopped: bool,
}

/// What the gauges are computed from.
struct Ages {
    begun_at: Instant,
    unpublished: BTreeMap<String, Option<Aged>>,
    readings: BTreeMap<(String, u32), Reading>,
    parked: BTreeMap<String, u32>,
}

impl Ages {
    fn begun(now: Instant) -> Self {
        Self {
            begun_at: now,
            unpublished: BTreeMap::new(),
            readings: BTreeMap::new(),
            parked: BTreeMap::new(),
        }
    }

    fn learn(&mut self, status: &FabricStatus, now: Instant) {
        self.unpublished.clear();
        for produced in &status.produced {
            let age = produced.oldest_unpublished;
            let oldest = self.unpublished.entry(produced.topic.clone()).or_default();
            if !age.is_zero() && oldest.is_none_or(|known| known.age < age) {
                *oldest = Some(Aged { age, read_at: now });
            }
        }
        for consumed in &status.consumed {
            self.learn_reading(consumed, now);
        }
        self.parked = status.parked_keys.clone();
    }

    fn learn_reading(&mut self, consumed: &ConsumedStatus, now: Instant) {
        let never = Aged {
            age: Duration::ZERO,
            read_at: self.begun_at,
        };
        let reading = self
            .readings
            .entry((consumed.topic.clone(), consumed.partition))
            .or_insert(Reading {
                caught_up: never,
                waiting: None,
                stopped: false,
            });
        if let Some(age) = consumed.knowledge_age {
            reading.caught_up = Aged { age, read_at: now };
        }
        let (applied, head) = (consumed.applied_sequence, consumed.known_head_sequence);
        reading.waiting = match reading.waiting {
            Some(waiting) if applied < waiting.head_sequence => Some(waiting),
            _ if applied < head => Some(Waiting {
                head_sequence: head,
                known_at: now,
            }),
            _ => None,
        };
        reading.stopped = consumed.stopped_because.is_some();
    }

    fn figures(&self, now: Instant) -> Vec<Figure> {
        let mut figures = Vec::new();
        for (topic, oldest) in &self.unpublished {
            let age = oldest.map_or(Duration::ZERO, |oldest| oldest.at(now));
            figures.push(figure(OLDEST_UNPUBLISHED, topic, age.as_secs_f64()));
        }
        let mut topics: BTreeMap<&str, Worst> = BTreeMap::new();
        for ((topic, _), reading) in &self.readings {
            let worst = topics.entry(topic).or_default();
            worst.watermark = worst.watermark.max(reading.caught_up.at(now));
            let lag = reading.waiting.map(|waiting| waiting.known_at);
            let lag = lag.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
            worst.lag = worst.lag.max(lag);
            worst.stopped += u32::from(reading.stopped);
        }
        for (topic, worst) in topics {
            let parked = self.parked.get(topic).copied().unwrap_or_default();
            figures.extend([
                figure(WATERMARK_AGE, topic, worst.watermark.as_secs_f64()),
                figure(CONSUMER_LAG, topic, worst.lag.as_secs_f64()),
                figure(PARKED_KEYS, topic, f64::from(parked)),
                figure(STOPPED_PARTITIONS, topic, f64::from(worst.stopped)),
            ]);
        }
        figures
    }
}

/// What the partitions of one topic come to.
#[derive(Default)]
struct Worst {
    watermark: Duration,
    lag: Duration,
    stopped: u32,
}

fn figure(name: &'static str, topic: &str, value: f64) -> Figure {
    Figure {
        name,
        topic: topic.to_owned(),
        value,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fabric::ProducedStatus;

    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn produced(partition: u32, oldest_unpublished: Duration) -> ProducedStatus {
        ProducedStatus {
            topic: "gate.site".to_owned(),
            partition,
            epoch: 1,
            head_sequence: 0,
            acked_sequence: 0,
            head_chain: Bytes::new(),
            oldest_unpublished,
        }
    }

    fn consumed(partition: u32, applied: u64, head: u64, age: Option<Duration>) -> ConsumedStatus {
        ConsumedStatus {
            topic: "customs.party".to_owned(),
            partition,
            epoch: 1,
            applied_sequence: applied,
            known_head_sequence: head,
            knowledge_age: age,
            stopped_because: None,
        }
    }

    fn status(produced: Vec<ProducedStatus>, consumed: Vec<ConsumedStatus>) -> FabricStatus {
        FabricStatus {
            service: "gate",
            faults: BTreeMap::new(),
            produced,
            consumed,
            parked_keys: BTreeMap::new(),
        }
    }

    #[track_caller]
    fn value(ages: &Ages, name: &str, now: Instant) -> f64 {
        let figures = ages.figures(now);
        let found: Vec<&Figure> = figures.iter().filter(|found| found.name == name).collect();
        assert_eq!(found.len(), 1, "{name}: {figures:?}");
        found[0].value
    }

    #[test]
    fn the_oldest_unpublished_event_of_a_topic_counts_and_goes_on_ageing() {
        let now = Instant::now();
        let mut ages = Ages::begun(now);
        let waiting = vec![
            produced(0, Duration::ZERO),
            produced(1, seconds(7)),
            produced(2, seconds(3)),
        ];
        ages.learn(&status(waiting, Vec::new()), now);
        assert_eq!(value(&ages, OLDEST_UNPUBLISHED, now + seconds(2)), 9.0);
        ages.learn(
            &status(vec![produced(1, Duration::ZERO)], Vec::new()),
            now + seconds(2),
        );
        assert_eq!(value(&ages, OLDEST_UNPUBLISHED, now + seconds(60)), 0.0);
    }

    #[test]
    fn a_watermark_ages_from_where_reading_last_caught_up_with_it() {
        let now = Instant::now();
        let mut ages = Ages::begun(now);
        let unknown = || status(Vec::new(), vec![consumed(0, 0, 0, None)]);
        ages.learn(&unknown(), now + seconds(5));
        assert_eq!(
            value(&ages, WATERMARK_AGE, now + seconds(5)),
            5.0,
            "nothing was ever heard"
        );
        let known = vec![
            consumed(0, 4, 4, Some(seconds(1))),
            consumed(1, 0, 0, Some(seconds(4))),
        ];
        ages.learn(&status(Vec::new(), known), now + seconds(10));
        assert_eq!(value(&ages, WATERMARK_AGE, now + seconds(10)), 4.0);
        ages.learn(&unknown(), now + seconds(15));
        assert_eq!(value(&ages, WATERMARK_AGE, now + seconds(15)), 9.0);
    }

    #[test]
    fn a_record_lags_from_when_it_was_known_until_it_is_applied() {
        let now = Instant::now();
        let mut ages = Ages::begun(now);
        let mut at = |second: u64, applied: u64, head: u64| {
            let now = now + seconds(second);
            let reading = vec![consumed(0, applied, head, None)];
            ages.learn(&status(Vec::new(), reading), now);
            value(&ages, CONSUMER_LAG, now)
        };
        assert_eq!(at(0, 3, 3), 0.0);
        assert_eq!(at(5, 3, 8), 0.0);
        assert_eq!(
            at(10, 7, 20),
            5.0,
            "the head of five seconds ago is not there yet"
        );
        assert_eq!(
            at(15, 9, 30),
            0.0,
            "it is; how old the next is, is not known yet"
        );
        assert_eq!(at(20, 30, 30), 0.0);
    }

    #[test]
    fn parked_keys_and_stopped_partitions_are_counted_by_topic() {
        let now = Instant::now();
        let mut ages = Ages::begun(now);
        let mut stopped = consumed(1, 0, 0, None);
        stopped.stopped_because = Some("another chain".to_owned());
        let mut told = status(Vec::new(), vec![consumed(0, 0, 0, None), stopped]);
        told.parked_keys.insert("customs.party".to_owned(), 3);
        ages.learn(&told, now);
        assert_eq!(value(&ages, PARKED_KEYS, now), 3.0);
        assert_eq!(value(&ages, STOPPED_PARTITIONS, now), 1.0);
        ages.learn(&status(Vec::new(), vec![consumed(1, 0, 0, None)]), now);
        assert_eq!(value(&ages, PARKED_KEYS, now), 0.0);
        assert_eq!(value(&ages, STOPPED_PARTITIONS, now), 0.0);
    }
}
