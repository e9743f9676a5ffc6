//! Starts and stops the parts of a service's fabric: writers, consumers, relay,
//! timers. They run on a thread of their own, so that calls being answered and
//! batches being written do not wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::Connection as _;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::admin::Admin;
use crate::audit::{Attempts, AuditKeyError, Signer, topic_of};
use crate::config::FabricConfig;
use crate::handle::Handle;
use crate::platform::servers::Servers;
use crate::platform::{Platform, Session};
use crate::sequence::PARTITIONS;
use crate::service::{Record, Service, Timer};
use crate::store::{self, OutboxRow, Part};
use crate::writer::{Assignment, Item, Links, Writer};
use crate::{consumer, relay};

/// Threads of the fabric's own runtime.
const THREADS: usize = 1;
/// Committed batches that may wait for the relay; more are read from the table.
const RELAY_QUEUE_MAX: usize = 256;
/// Requests to send again that may wait.
const REWIND_QUEUE_MAX: usize = 64;
/// Timer inputs and operators' requests that may wait.
const BACKGROUND_QUEUE_MAX: usize = 64;
/// Connections for status and parked records.
const ADMIN_CONNECTIONS_MAX: u32 = 2;
/// How long the fabric may take to finish what it has in hand.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Why the fabric did not start.
#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    /// The database refused or does not answer.
    #[error("the service's database: {0}")]
    Database(#[from] sqlx::Error),
    /// Nothing that protects the tables would bind the service.
    #[error(
        "the role {0} of database.url owns tables, is a superuser or bypasses row level security: give the service a \
         role of its own (docs/runbook.md, Roles)"
    )]
    RoleAbove(String),
    /// The record cannot be signed.
    #[error(transparent)]
    AuditKey(#[from] AuditKeyError),
    /// No client of the broker can be made as it is configured.
    #[error("fabric.kafka: {0}: correct the section")]
    KafkaAccess(#[from] rdkafka::error::KafkaError),
    /// The machine refused a thread.
    #[error("no thread for the fabric: {0}")]
    Thread(#[from] std::io::Error),
}

/// What is wrong, by part; empty if nothing is.
#[derive(Clone)]
pub struct Health(Arc<watch::Sender<BTreeMap<&'static str, String>>>);

impl Health {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }

    /// Sets or clears what is wrong with a part.
    pub fn set(&self, part: &'static str, state: Result<(), String>) {
        self.0.send_if_modified(|faults| match state {
            Ok(()) => faults.remove(part).is_some(),
            Err(why) => faults.insert(part, why.clone()) != Some(why),
        });
    }

    /// What is wrong now.
    pub fn faults(&self) -> BTreeMap<&'static str, String> {
        self.0.borrow().clone()
    }

    /// Changes with what is wrong.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<&'static str, String>> {
        self.0.subscribe()
    }
}

/// A running fabric.
pub struct Fabric<S: Service> {
    handle: Handle<S::Input>,
    admin: Admin<S::Input>,
    health: Health,
    stop: watch::Sender<bool>,
    tasks: Option<JoinSet<()>>,
    runtime: Option<Runtime>,
}

impl<S: Service> Fabric<S> {
    /// Starts the loop, the consumers of [`Service::consumes`] and the relay of
    /// [`Service::produces`]. The database must be migrated; the broker may be
    /// away for now.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn start(
        service: Arc<S>,
        config: FabricConfig,
        database_url: &str,
    ) -> Result<Self, FabricError> {
        Self::launch(service, config, database_url, true).await
    }

    /// The loop alone, for a service's own tests: nothing is sent or read, records
    /// are given with [`Fabric::apply`] and events read with [`Fabric::outbox`].
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn start_without_broker(
        service: Arc<S>,
        config: FabricConfig,
        database_url: &str,
    ) -> Result<Self, FabricError> {
        Self::launch(service, config, database_url, false).await
    }

    async fn launch(
        service: Arc<S>,
        config: FabricConfig,
        url: &str,
        broker: bool,
    ) -> Result<Self, FabricError> {
        // A variable that is set to nothing sets nothing.
        let key_file = config.audit_key_file.as_deref();
        let signer = match key_file.filter(|file| !file.as_os_str().is_empty()) {
            Some(file) => Some(Signer::open(file)?),
            None => None,
        };
        if broker {
            crate::kafka::check(&config)?;
        }
        let mut connection = store::connect(url).await?;
        if let Some(role) = store::role_above(&mut connection).await? {
            return Err(FabricError::RoleAbove(role));
        }
        store::prepare_partitions(&mut connection, service.produces(), service.consumes()).await?;
        if let Err(error) =
            store::maintain_outbox(&mut connection, config.outbox_retention_days).await
        {
            tracing::warn!(%error, "the outbox's days could not be kept; trying again later");
        }
        if let Err(error) = store::drop_answers(&mut connection, config.answer_retention_days).await
        {
            tracing::warn!(%error, "old answers could not be dropped; trying again later");
        }
        connection.close().await?;
        let pool = store::lent(ADMIN_CONNECTIONS_MAX).connect_lazy(url)?;

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name(format!("{}-fabric", S::NAME))
            .enable_all()
            .build()?;
        let platform = Servers::at(&config, url, signer);
        let assembled = assemble(&service, &config, &platform, broker);
        let spawner = runtime.handle().clone();
        let mut tasks = JoinSet::new();
        for writer in assembled.writers {
            let faults = assembled.health.clone();
            let work = spawner.spawn(writer);
            tasks.spawn_on(
                async move {
                    if work.await.is_err() {
                        tracing::error!(
                            "a writer ended by a panic outside of a decision; restart the service"
                        );
                        faults.set(
                            "writer",
                            Err("a writer has ended; restart the service".into()),
                        );
                    }
                },
                &spawner,
            );
        }
        for other in assembled.others {
            tasks.spawn_on(other, &spawner);
        }
        tasks.spawn_on(
            relay::days::keep(url.to_owned(), config.clone(), assembled.stop.subscribe()),
            &spawner,
        );
        let (handle, health, stop) = (assembled.handle, assembled.health, assembled.stop);
        let backgrounds = assembled.backgrounds;
        let admin = Admin::new(
            S::NAME,
            url.to_owned(),
            pool,
            health.clone(),
            broker.then_some(config),
            backgrounds,
        );
        Ok(Self {
            handle,
            admin,
            health,
            stop,
            tasks: Some(tasks),
            runtime: Some(runtime),
        })
    }

    /// The way into the loop.
    pub fn handle(&self) -> Handle<S::Input> {
        self.handle.clone()
    }

    /// Status and parked records.
    pub fn admin(&self) -> Admin<S::Input> {
        self.admin.clone()
    }

    /// What is wrong.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Applies a record as if it had come from the broker, outside the sequence:
    /// for a service's own tests.
    ///
    /// # Errors
    /// Why it could not be applied.
    pub async fn apply(
        &self,
        topic: &str,
        key: &str,
        event_type: &str,
        payload: Vec<u8>,
    ) -> Result<(), String> {
        let partition = crate::partition_of(key);
        let id = kernel::new_id();
        let record = Record {
            topic: topic.to_owned(),
            partition,
            epoch: 1,
            sequence: 0,
            key: key.to_owned(),
            event_id: format!("given/{id}"),
            event_type: event_type.to_owned(),
            payload: payload.into(),
            traceparent: None,
        };
        let (reply, answer) = oneshot::channel();
        self.admin
            .background(Item::Given {
                record: Box::new(record),
                reply,
            })
            .await
            .map_err(|error| error.to_string())?;
        answer.await.map_err(|_| "the loop ended".to_owned())?
    }

    /// Every fact published so far, by topic, partition and sequence, the record of
    /// what was done aside: for a service's own tests.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn outbox(&self) -> Result<Vec<OutboxRow>, sqlx::Error> {
        self.outbox_beyond(&BTreeMap::new()).await
    }

    /// As [`Fabric::outbox`], without what lies up to these (epoch, sequence) of a (topic, partition).
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn outbox_beyond(
        &self,
        seen: &BTreeMap<Part, (u64, u64)>,
    ) -> Result<Vec<OutboxRow>, sqlx::Error> {
        let mut rows = self.admin.outbox_beyond(seen).await?;
        let record = topic_of(S::NAME);
        rows.retain(|row| row.topic != record);
        Ok(rows)
    }

    /// Finishes what is in hand, commits it and ends.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        if let Some(mut tasks) = self.tasks.take() {
            let all = async { while tasks.join_next().await.is_some() {} };
            if tokio::time::timeout(STOP_WAIT, all).await.is_err() {
                tracing::warn!("the fabric did not end in time; what is committed is kept");
            }
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl<S: Service> Drop for Fabric<S> {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Every partition of these topics.
fn partitions_of(topics: &[&str]) -> Vec<Part> {
    topics
        .iter()
        .flat_map(|topic| (0..PARTITIONS).map(|partition| ((*topic).to_owned(), partition)))
        .collect()
}

/// Ends when the fabric is told to stop, or is gone.
pub async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The parts of an instance's fabric, tied to each other; nothing runs yet.
pub struct Assembled<I> {
    /// The way into the loop.
    pub handle: Handle<I>,
    /// The writers' queues for what comes by itself.
    pub backgrounds: Vec<mpsc::Sender<Item<I>>>,
    /// What is wrong.
    pub health: Health,
    /// Tells all to finish what is in hand, and end.
    pub stop: watch::Sender<bool>,
    /// The writers.
    pub writers: Vec<BoxFuture<'static, ()>>,
    /// The readers, the relay and the timers.
    pub others: Vec<BoxFuture<'static, ()>>,
}

/// Ties the parts of an instance to each other; without a broker, nothing is sent or read.
pub fn assemble<S: Service, P: Platform<Session: Session<S>>>(
    service: &Arc<S>,
    config: &FabricConfig,
    platform: &P,
    broker: bool,
) -> Assembled<S::Input> {
    let (stop, stopping) = watch::channel(false);
    let (committed, commits) = watch::channel(0);
    let committed = Arc::new(committed);
    let (relay_rows, relay_queue) = mpsc::channel(RELAY_QUEUE_MAX);
    let (asks, ask_queue) = mpsc::channel(REWIND_QUEUE_MAX);
    let health = Health::new();
    let attempts = Attempts::default();
    let (mut writers, mut others) = (Vec::new(), Vec::new());
    let (mut queues, mut backgrounds) = (Vec::new(), Vec::new());
    let parts = partitions_of(service.consumes());
    for index in 0..config.writers as usize {
        let (queue, calls) = mpsc::channel(config.call_queue_max as usize);
        let (records_in, records) = mpsc::channel(config.record_queue_max as usize);
        let (background_in, background) = mpsc::channel(BACKGROUND_QUEUE_MAX);
        let (assign, assigned) = watch::channel(Assignment::Read(BTreeMap::new()));
        let own: Vec<Part> = parts
            .iter()
            .enumerate()
            .filter(|(at, _)| broker && at % config.writers as usize == index)
            .map(|(_, p)| p.clone())
            .collect();
        let links = Links {
            queue: calls,
            records,
            background,
            committed: Arc::clone(&committed),
            relay: relay_rows.clone(),
            assignment: assign,
            rewinds: asks.clone(),
            health: health.clone(),
            stop: stopping.clone(),
        };
        let reads = !own.is_empty();
        let writer = Writer::new(
            Arc::clone(service),
            config.clone(),
            platform.clone(),
            own,
            links,
            (index == 0).then(|| attempts.clone()),
        );
        writers.push(writer.run().boxed());
        if reads {
            let (platform, stop) = (platform.clone(), stopping.clone());
            let reading = consumer::run(config.clone(), platform, assigned, records_in, stop);
            others.push(reading.boxed());
        }
        queues.push(queue);
        backgrounds.push(background_in);
    }
    if let Some(background) = backgrounds.first() {
        for timer in service.timers() {
            let (platform, stop) = (platform.clone(), stopping.clone());
            others.push(tick(platform, timer, background.clone(), stop).boxed());
        }
    }
    if broker {
        health.set("broker", Err("not connected yet".into()));
        let links = relay::Links {
            committed: relay_queue,
            health: health.clone(),
            stop: stopping.clone(),
        };
        let asking = platform.clone();
        others.push(async move { asking.ask_rewinds(S::NAME, ask_queue, stopping).await }.boxed());
        let relaying = relay::run(
            S::NAME,
            service.produces(),
            config.clone(),
            platform.clone(),
            links,
        );
        others.push(relaying.boxed());
    }
    Assembled {
        handle: Handle {
            queues: queues.into(),
            committed: commits,
            attempts,
        },
        backgrounds,
        health,
        stop,
        writers,
        others,
    }
}

async fn tick<P: Platform, I: Send + 'static>(
    platform: P,
    timer: Timer<I>,
    background: mpsc::Sender<Item<I>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let item = Item::Timer {
            name: timer.name,
            input: (timer.input)(),
        };
        // A full queue means the last one still waits.
        let _ = background.try_send(item);
        tokio::select! {
            () = platform.sleep(timer.every) => {}
            () = told_to_stop(&mut stop) => return,
        }
    }
}
