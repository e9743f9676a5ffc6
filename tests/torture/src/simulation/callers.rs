//! Those who ask the simulated services, and what they were answered. A caller repeats what was not answered under the
//! same request id, at whichever instance; some repeat what was answered, ask twice at once, or use an id again for
//! something else. It must not look into a database.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fabric::{Command, Handle, Origin, Reply, fingerprint};
use uuid::Uuid;

use super::timeline::Timeline;
use super::witness::Witness;

/// How long a caller waits for an answer before the request is repeated.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long before one that was not taken is repeated.
const AGAIN_AFTER: Duration = Duration::from_millis(60);
/// The longest pause between two requests.
const PAUSE_MOST: Duration = Duration::from_millis(500);

/// The instances of a service that can be asked.
pub struct Doors<I>(Mutex<BTreeMap<u64, Handle<I>>>);

impl<I> Default for Doors<I> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<I> Doors<I> {
    /// An instance can be asked.
    pub fn open(&self, instance: u64, handle: Handle<I>) {
        self.lock().insert(instance, handle);
    }

    /// It cannot any more.
    pub fn close(&self, instance: u64) {
        self.lock().remove(&instance);
    }

    /// Every instance.
    pub fn all(&self) -> Vec<(u64, Handle<I>)> {
        let doors = self.lock();
        let all = doors.iter().map(|(id, handle)| (*id, handle.clone()));
        all.collect()
    }

    fn any(&self, timeline: &Timeline) -> Option<(u64, Handle<I>)> {
        let doors = self.lock();
        let (instance, handle) = match doors.len() {
            0 => None,
            count => doors.iter().nth(timeline.below(count)),
        }?;
        Some((*instance, handle.clone()))
    }

    fn is_open(&self, instance: u64) -> bool {
        self.lock().contains_key(&instance)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Handle<I>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// When it was first sent.
    pub asked_at: Duration,
    /// The response, or the reason of the refusal.
    pub answer: Result<Bytes, String>,
}

/// What all callers were answered, by what was asked.
#[derive(Default)]
pub struct History(Mutex<Vec<Answered>>);

impl History {
    /// Everything so far.
    pub fn all(&self) -> Vec<Answered> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn add(&self, answered: Answered) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(answered);
    }
}

/// Somebody who asks.
pub struct Caller<A, I> {
    /// Its time and chance.
    pub timeline: Timeline,
    /// The instances that it can ask.
    pub doors: Arc<Doors<I>>,
    /// Where its answers are kept.
    pub history: Arc<History>,
    /// Where what may never happen is said.
    pub witness: Arc<Witness>,
    /// For whom it asks.
    pub party: String,
    /// What it asks, one after the other.
    pub asks: Vec<A>,
    /// What that is to the service.
    pub input: fn(&A) -> I,
}

impl<A: Debug + Send + Sync, I: Send + Sync + 'static> Caller<A, I> {
    /// Asks until all is answered.
    pub async fn ask_all(self) {
        for (at, ask) in self.asks.iter().enumerate() {
            let pause = self.timeline.between(Duration::ZERO, PAUSE_MOST);
            self.timeline.sleep(pause).await;
            // Every party has the same ids: they are its own all the same.
            let id = Uuid::from_u128(at as u128 + 1);
            let asked_at = self.timeline.now();
            let mut kept = ask;
            let answer = match self.timeline.below(6) {
                0 => {
                    let (one, other) = futures::join!(self.ask(id, ask), self.ask(id, ask));
                    self.must_be_equal(id, &one, &other);
                    one
                }
                1 => {
                    let other = &self.asks[(at + 1) % self.asks.len()];
                    let (first, answer) = self.ask_with_another(id, ask, other).await;
                    kept = if first { ask } else { other };
                    answer
                }
                _ => self.ask(id, ask).await,
            };
            self.timeline
                .trace(|| format!("{} {id} {kept:?}: {answer:?}", self.party));
            self.history.add(Answered {
                asked_at,
                answer: answer.clone(),
            });
            self.sometimes_repeat(id, kept, &answer).await;
        }
    }

    /// Asks for one thing, and sometimes again.
    pub async fn ask_once(&self, id: Uuid, ask: &A) -> Result<Bytes, String> {
        let asked_at = self.timeline.now();
        let answer = self.ask(id, ask).await;
        self.timeline
            .trace(|| format!("{} {id} {ask:?}: {answer:?}", self.party));
        self.history.add(Answered {
            asked_at,
            answer: answer.clone(),
        });
        self.sometimes_repeat(id, ask, &answer).await;
        answer
    }

    async fn sometimes_repeat(&self, id: Uuid, ask: &A, answer: &Result<Bytes, String>) {
        if !is_internal(answer) && self.timeline.once_in(4) {
            let again = self.ask(id, ask).await;
            self.must_be_equal(id, answer, &again);
        }
    }

    /// Asks something else under the same id at the same time: one of both is told so. Whether the first was kept, and
    /// what it or the other was answered.
    async fn ask_with_another(
        &self,
        id: Uuid,
        ask: &A,
        other: &A,
    ) -> (bool, Result<Bytes, String>) {
        let (one, another) = futures::join!(self.ask(id, ask), self.ask(id, other));
        let is_reused = |answer: &Result<Bytes, String>| {
            answer
                .as_ref()
                .is_err_and(|reason| reason == "REQUEST_ID_REUSED")
        };
        if format!("{ask:?}") == format!("{other:?}") {
            self.must_be_equal(id, &one, &another);
            return (true, one);
        }
        match (is_reused(&one), is_reused(&another)) {
            (false, true) => (true, one),
            (true, false) => (false, another),
            // What failed is not kept, so that its id is free again.
            (false, false) if is_internal(&one) => (false, another),
            (false, false) if is_internal(&another) => (true, one),
            _ => {
                self.witness.found(format!(
                    "{} {id}: two requests of one id are answered {one:?} and {another:?}",
                    self.party
                ));
                (true, one)
            }
        }
    }

    /// Asks until that is answered.
    pub async fn ask(&self, id: Uuid, ask: &A) -> Result<Bytes, String> {
        let content = format!("{ask:?}");
        loop {
            let Some((instance, door)) = self.doors.any(&self.timeline) else {
                self.timeline.sleep(AGAIN_AFTER).await;
                continue;
            };
            let command = Command {
                party: self.party.clone(),
                origin: Origin::default(),
                request_id: Some(id),
                fingerprint: fingerprint("Ask", content.as_bytes()),
                traceparent: None,
                input: (self.input)(ask),
            };
            let reply = tokio::select! {
                biased;
                reply = door.submit("lane", command) => Some(reply),
                () = self.timeline.sleep(PATIENCE) => None,
            };
            match reply.map(said) {
                Some(Err(reason)) if reason == "STOPPING" && self.doors.is_open(instance) => {
                    self.witness.found(format!(
                        "{} {id}: an instance that goes on dropped the request",
                        self.party
                    ));
                }
                Some(Err(reason)) if ["OVERLOADED", "STOPPING"].contains(&reason.as_str()) => {}
                Some(answer) => return answer,
                None => {}
            }
            self.timeline.sleep(AGAIN_AFTER).await;
        }
    }

    fn must_be_equal(&self, id: Uuid, one: &Result<Bytes, String>, other: &Result<Bytes, String>) {
        if one != other && !is_internal(one) && !is_internal(other) {
            self.witness.found(format!(
                "{} {id}: the same request is answered {one:?} and {other:?}",
                self.party
            ));
        }
    }
}

/// Whether the request failed for a reason of the service's own, and nothing of it is kept.
fn is_internal(answer: &Result<Bytes, String>) -> bool {
    answer.as_ref().is_err_and(|reason| reason == "INTERNAL")
}

fn said(reply: Reply) -> Result<Bytes, String> {
    match reply.outcome {
        Ok(response) => Ok(response),
        Err(refusal) => Err(refusal.reason),
    }
}
