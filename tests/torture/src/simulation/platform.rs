//! What one simulated instance of a service stands on: the same that fabric's own `Servers` are to a real one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fabric::platform::{Part, Platform, Tail, told_to_stop};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::broker::{Broker, Client, Reading};
use super::database::{Database, Session};
use super::timeline::Timeline;

/// The platform of one simulated instance.
#[derive(Clone)]
pub struct Simulated {
    /// Its time and chance.
    pub timeline: Timeline,
    /// Its service's database.
    pub database: Arc<Database>,
    /// The broker.
    pub broker: Arc<Broker>,
    /// Which of the instances that there ever were.
    pub instance: u64,
    /// By which client its relay sends.
    pub relay: Arc<AtomicU64>,
}

impl Platform for Simulated {
    type Session = Session;
    type Producer = Client;
    type Reader = Reading;

    async fn connect(&self) -> Result<Session, sqlx::Error> {
        self.database.connect(self.instance, &self.relay).await
    }

    fn now(&self) -> Instant {
        self.timeline.instant()
    }

    fn sleep(&self, wait: Duration) -> impl Future<Output = ()> + Send {
        self.timeline.sleep(wait)
    }

    fn new_id(&self) -> Uuid {
        self.timeline.new_id()
    }

    async fn create_topics(&self, _topics: &[&'static str]) -> Result<(), String> {
        self.broker.asked().await
    }

    async fn tails(
        &self,
        parts: Vec<Part>,
        records_max: i64,
    ) -> Result<BTreeMap<Part, Vec<Tail>>, String> {
        let records_max = usize::try_from(records_max).unwrap_or_default();
        self.broker.tails(parts, records_max).await
    }

    fn producer(&self, _service: &'static str) -> Result<Client, String> {
        let client = self.broker.client();
        self.relay.store(client.id, Ordering::Relaxed);
        Ok(client)
    }

    fn reader(&self) -> Result<Reading, String> {
        Ok(self.broker.reader())
    }

    fn rewind_requests(&self, topics: &'static [&'static str]) -> mpsc::Receiver<(Part, u64)> {
        self.broker.requests(topics)
    }

    async fn ask_rewinds(
        &self,
        _service: &'static str,
        mut asks: mpsc::Receiver<(Part, u64)>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            tokio::select! {
                biased;
                () = told_to_stop(&mut stop) => return,
                ask = asks.recv() => {
                    let Some((part, from)) = ask else { return };
                    self.broker.request(&part, from);
                }
            }
        }
    }
}
