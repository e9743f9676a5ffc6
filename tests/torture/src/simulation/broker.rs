//! The simulated broker with the network before it: partitions that keep the order in which a client sends, acknowledgements
//! that take their time, a log that is lost whole or at its end, and records that reach their readers late. It must not
//! know what the records say.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use fabric::platform::{Outgoing, Part, Producer, Reader, Received, SendError, Tail};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::timeline::Timeline;
use super::witness::Witness;

/// How long a record is on its way, or its acknowledgement.
const WAY_LEAST: Duration = Duration::from_micros(50);
const WAY_MOST: Duration = Duration::from_millis(4);
/// One record in so many takes much longer.
const SLOW_ONE_IN: usize = 200;
const SLOW_MOST: Duration = Duration::from_millis(800);
/// A client gives up what is not acknowledged by then.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// Records that a client holds.
const HELD_MAX: usize = 256;
/// One request to send again in so many is lost.
const REQUEST_LOST_ONE_IN: usize = 10;
/// Requests to send again that may wait for a relay.
const REQUESTS_MAX: usize = 64;

/// The broker of one simulation.
pub struct Broker {
    timeline: Timeline,
    witness: Arc<Witness>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    down: bool,
    /// How often all connections were lost.
    losses: u64,
    logs: BTreeMap<Part, Vec<Received>>,
    /// What is on its way, by when it comes.
    coming: BTreeMap<(Duration, u64), Coming>,
    sent: u64,
    clients: u64,
    living: BTreeSet<u64>,
    /// Per client and partition: nothing comes before that, for it was sent later.
    not_before: BTreeMap<(u64, Part), Duration>,
    held: BTreeMap<u64, usize>,
    readers: Vec<Waker>,
    carrier: Option<Waker>,
    relays: Vec<Relay>,
}

/// A relay that reads what is asked to be sent again.
struct Relay {
    topics: &'static [&'static str],
    requests: mpsc::Sender<(Part, u64)>,
}

enum Coming {
    Record {
        client: u64,
        record: Received,
        ack: Arc<Slot>,
    },
    Ack {
        client: u64,
        numbers: Option<(Part, u64, u64)>,
        ack: Arc<Slot>,
    },
}

#[derive(Default)]
struct Slot(Mutex<Acked>);

#[derive(Default)]
struct Acked {
    result: Option<Result<(), SendError>>,
    waker: Option<Waker>,
}

impl Slot {
    fn fill(&self, result: Result<(), SendError>) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.result = Some(result);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }
}

impl Broker {
    /// An empty broker.
    pub fn new(timeline: &Timeline, witness: &Arc<Witness>) -> Arc<Self> {
        Arc::new(Self {
            timeline: timeline.clone(),
            witness: Arc::clone(witness),
            inner: Mutex::default(),
        })
    }

    /// Carries what is on its way, for ever.
    pub async fn carry(self: Arc<Self>) {
        loop {
            let next = self.inner().coming.keys().next().map(|(due, _)| *due);
            let woken = poll_fn(|context| {
                let mut inner = self.inner();
                let earlier = inner.coming.keys().next().map(|(due, _)| *due);
                if earlier != next {
                    return Poll::Ready(());
                }
                inner.carrier = Some(context.waker().clone());
                Poll::Pending
            });
            match next {
                None => woken.await,
                Some(due) => {
                    let wait = due.saturating_sub(self.timeline.now());
                    tokio::select! {
                        biased;
                        () = woken => {}
                        () = self.timeline.sleep(wait) => self.arrive(),
                    }
                }
            }
        }
    }

    /// Goes down: nothing is taken and nothing given, and every connection is lost.
    pub fn go_down(&self) {
        let mut inner = self.inner();
        inner.down = true;
        inner.losses += 1;
    }

    /// Is up again.
    pub fn come_up(&self) {
        let mut inner = self.inner();
        inner.down = false;
        inner.readers.drain(..).for_each(Waker::wake);
    }

    /// Loses the last records of each partition, at most so many, or all there are. It was down meanwhile.
    pub fn lose(&self, records_max: Option<usize>) {
        let mut inner = self.inner();
        inner.losses += 1;
        for log in inner.logs.values_mut() {
            let lost = records_max.map_or(log.len(), |most| self.timeline.below(most + 1));
            log.truncate(log.len().saturating_sub(lost));
        }
        inner.readers.drain(..).for_each(Waker::wake);
    }

    /// A client that sends.
    pub fn client(self: &Arc<Self>) -> Client {
        let mut inner = self.inner();
        inner.clients += 1;
        let id = inner.clients;
        inner.living.insert(id);
        Client {
            broker: Arc::clone(self),
            id,
        }
    }

    /// A client that reads.
    pub fn reader(self: &Arc<Self>) -> Reading {
        Reading {
            broker: Arc::clone(self),
            next: Mutex::default(),
            begins_anew: self.timeline.once_in(2),
        }
    }

    /// The records that each of these partitions ends with, newest first.
    ///
    /// # Errors
    /// The broker is down.
    pub async fn tails(
        &self,
        parts: Vec<Part>,
        records_max: usize,
    ) -> Result<BTreeMap<Part, Vec<Tail>>, String> {
        self.asked().await?;
        let inner = self.inner();
        let ends = parts.into_iter().filter_map(|part| {
            let log = inner.logs.get(&part).filter(|log| !log.is_empty())?;
            let last = log.iter().rev().take(records_max);
            let tails = last.map(|record| Tail {
                event_type: record.event_type.clone(),
                event_id: record.event_id.clone(),
                chain: record.chain.clone(),
                payload: record.payload.clone(),
            });
            Some((part, tails.collect()))
        });
        Ok(ends.collect())
    }

    /// A question and its answer.
    ///
    /// # Errors
    /// The broker is down.
    pub async fn asked(&self) -> Result<(), String> {
        self.timeline.sleep(self.way()).await;
        match self.inner().down {
            true => Err("the broker does not answer".to_owned()),
            false => Ok(()),
        }
    }

    /// What is asked to be sent again of these topics from now on.
    pub fn requests(&self, topics: &'static [&'static str]) -> mpsc::Receiver<(Part, u64)> {
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        self.inner().relays.push(Relay {
            topics,
            requests: sender,
        });
        requests
    }

    /// Asks for a partition to be sent again.
    pub fn request(&self, part: &Part, from: u64) {
        let mut inner = self.inner();
        if inner.down || self.timeline.once_in(REQUEST_LOST_ONE_IN) {
            return;
        }
        inner.relays.retain(|relay| !relay.requests.is_closed());
        for relay in &inner.relays {
            if relay.topics.contains(&part.0.as_str()) {
                let _ = relay.requests.try_send((part.clone(), from));
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn way(&self) -> Duration {
        match self.timeline.once_in(SLOW_ONE_IN) {
            true => self.timeline.between(WAY_MOST, SLOW_MOST),
            false => self.timeline.between(WAY_LEAST, WAY_MOST),
        }
    }

    /// What has come by now.
    fn arrive(&self) {
        let now = self.timeline.now();
        let mut inner = self.inner();
        while let Some(next) = inner.coming.first_entry() {
            if next.key().0 > now {
                break;
            }
            match next.remove() {
                Coming::Record {
                    client,
                    record,
                    ack,
                } => {
                    if inner.down && !inner.living.contains(&client) {
                        continue;
                    }
                    if inner.down {
                        // The client tries again.
                        let again = (now + self.timeline.between(WAY_MOST, SLOW_MOST), client);
                        self.hold_back(&mut inner, again, record, ack);
                    } else {
                        let numbers = numbers(&record.event_id);
                        let numbers = numbers.map(|(epoch, seq)| (record.part.clone(), epoch, seq));
                        self.append(&mut inner, record);
                        inner.sent += 1;
                        let key = (now + self.way(), inner.sent);
                        let ack = Coming::Ack {
                            client,
                            numbers,
                            ack,
                        };
                        inner.coming.insert(key, ack);
                    }
                }
                Coming::Ack {
                    client,
                    numbers,
                    ack,
                } => {
                    if let Some((part, epoch, seq)) = numbers {
                        self.witness.acked(&part, epoch, seq);
                    }
                    if let Some(held) = inner.held.get_mut(&client) {
                        *held = held.saturating_sub(1);
                    }
                    ack.fill(Ok(()));
                }
            }
        }
    }

    /// Has a record tried again, and behind it what the client sent after it to the same partition.
    fn hold_back(
        &self,
        inner: &mut Inner,
        (due, client): (Duration, u64),
        record: Received,
        ack: Arc<Slot>,
    ) {
        let part = record.part.clone();
        let same = |coming: &Coming| match coming {
            Coming::Record {
                client: theirs,
                record,
                ..
            } => *theirs == client && record.part == part,
            Coming::Ack { .. } => false,
        };
        let behind: Vec<(Duration, u64)> = inner
            .coming
            .iter()
            .filter(|(_, coming)| same(coming))
            .map(|(key, _)| *key)
            .collect();
        let mut held = vec![Coming::Record {
            client,
            record,
            ack,
        }];
        held.extend(behind.iter().filter_map(|key| inner.coming.remove(key)));
        for coming in held {
            inner.sent += 1;
            let key = (due, inner.sent);
            inner.coming.insert(key, coming);
        }
        inner.not_before.insert((client, part), due);
    }

    fn append(&self, inner: &mut Inner, mut record: Received) {
        let part = record.part.clone();
        let log = inner.logs.entry(part.clone()).or_default();
        record.kafka_offset = i64::try_from(log.len()).unwrap_or(i64::MAX);
        let numbers = numbers(&record.event_id);
        log.push(record);
        if let Some((epoch, seq)) = numbers {
            self.witness.appended(&part, epoch, seq);
        }
        inner.readers.drain(..).for_each(Waker::wake);
    }
}

/// Epoch and sequence of an event's id; none of a watermark.
fn numbers(event_id: &str) -> Option<(u64, u64)> {
    let mut parts = event_id.rsplit('/');
    let seq = parts.next()?.parse().ok()?;
    Some((parts.next()?.parse().ok()?, seq))
}

/// A client that sends.
pub struct Client {
    broker: Arc<Broker>,
    /// Which of the clients that there ever were.
    pub id: u64,
}

impl Drop for Client {
    /// What has not yet come by some moment after it does not come any more.
    fn drop(&mut self) {
        let timeline = &self.broker.timeline;
        let last = timeline.now() + timeline.between(Duration::ZERO, WAY_MOST);
        let mut inner = self.broker.inner();
        inner.living.remove(&self.id);
        inner.coming.retain(|(due, _), coming| match coming {
            Coming::Record { client, .. } => *client != self.id || *due <= last,
            Coming::Ack { .. } => true,
        });
    }
}

impl Producer for Client {
    type Ack = BoxFuture<'static, Result<(), SendError>>;

    fn send(&self, outgoing: &Outgoing<'_>) -> Result<Self::Ack, SendError> {
        let part = (outgoing.topic.to_owned(), outgoing.partition);
        if let Some((_, seq)) = numbers(outgoing.event_id) {
            self.broker.witness.sends(self.id, &part, seq);
        }
        let way = self.broker.way();
        let mut inner = self.broker.inner();
        let held = inner.held.entry(self.id).or_default();
        if *held >= HELD_MAX {
            return Err(SendError::Full);
        }
        *held += 1;
        let record = Received {
            part: part.clone(),
            kafka_offset: -1,
            key: outgoing.key.unwrap_or_default().to_owned(),
            event_id: outgoing.event_id.to_owned(),
            event_type: outgoing.event_type.to_owned(),
            chain: Bytes::copy_from_slice(outgoing.chain),
            traceparent: outgoing.traceparent.map(str::to_owned),
            payload: Bytes::copy_from_slice(outgoing.payload),
        };
        let before = inner.not_before.entry((self.id, part)).or_default();
        let due = (self.broker.timeline.now() + way).max(*before);
        *before = due;
        inner.sent += 1;
        let key = (due, inner.sent);
        let ack = Arc::new(Slot::default());
        let coming = Coming::Record {
            client: self.id,
            record,
            ack: Arc::clone(&ack),
        };
        inner.coming.insert(key, coming);
        if let Some(carrier) = inner.carrier.take() {
            carrier.wake();
        }
        let timeline = self.broker.timeline.clone();
        Ok(async move {
            tokio::select! {
                biased;
                result = Filled(ack) => result,
                () = timeline.sleep(ACK_WAIT) => Err(SendError::Failed("not acknowledged in time".to_owned())),
            }
        }
        .boxed())
    }

    fn losses(&self) -> u64 {
        self.broker.inner().losses
    }

    fn fatal_error(&self) -> Option<String> {
        None
    }

    fn close(self) {}
}

struct Filled(Arc<Slot>);

impl Future for Filled {
    type Output = Result<(), SendError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A client that reads.
pub struct Reading {
    broker: Arc<Broker>,
    next: Mutex<BTreeMap<Part, usize>>,
    /// What it does when a log ends before the place where it reads; otherwise it waits until there is as much again.
    begins_anew: bool,
}

impl Reading {
    fn places(&self) -> MutexGuard<'_, BTreeMap<Part, usize>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record that is there to be read, of any of the partitions.
    fn available(&self) -> Option<Received> {
        let mut places = self.places();
        let inner = self.broker.inner();
        if inner.down {
            return None;
        }
        let mut there = Vec::new();
        for (part, next) in places.iter_mut() {
            let Some(log) = inner.logs.get(part) else {
                continue;
            };
            if *next > log.len() && self.begins_anew {
                *next = 0;
            }
            if let Some(record) = log.get(*next) {
                there.push(record);
            }
        }
        match there.len() {
            0 => None,
            count => there
                .get(self.broker.timeline.below(count))
                .map(|record| (*record).clone()),
        }
    }
}

impl Reader for Reading {
    fn assign(&self, from: BTreeMap<Part, i64>) -> Result<(), String> {
        let places = from.into_iter();
        let offset = |next: i64| usize::try_from(next).unwrap_or_default();
        *self.places() = places.map(|(part, next)| (part, offset(next))).collect();
        Ok(())
    }

    async fn next(&self) -> Option<Received> {
        loop {
            let record = poll_fn(|context| match self.available() {
                Some(record) => Poll::Ready(record),
                None => {
                    self.broker.inner().readers.push(context.waker().clone());
                    Poll::Pending
                }
            })
            .await;
            self.broker.timeline.sleep(self.broker.way()).await;
            let mut places = self.places();
            let next = places.get_mut(&record.part);
            // Assigned anew meanwhile, or begun anew: another comes first.
            if let Some(next) = next
                && i64::try_from(*next) == Ok(record.kafka_offset)
            {
                *next += 1;
                return Some(record);
            }
        }
    }

    fn ends(&self, parts: Vec<Part>) -> BoxFuture<'static, Vec<(Part, i64)>> {
        let broker = Arc::clone(&self.broker);
        async move {
            if broker.asked().await.is_err() {
                return Vec::new();
            }
            let inner = broker.inner();
            let end = |part: &Part| inner.logs.get(part).map_or(0, Vec::len);
            let ends = parts.into_iter().map(|part| {
                let end = i64::try_from(end(&part)).unwrap_or(i64::MAX);
                (part, end)
            });
            ends.collect()
        }
        .boxed()
    }

    fn close(self) {}
}
