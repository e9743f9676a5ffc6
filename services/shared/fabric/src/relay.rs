//! Sends what was committed to the broker, in sequence, and moves the cursor
//! once the broker has it. One relay per service is active: it holds a session
//! lock on the connection on which it moves its cursor. The broker may lose its
//! whole log: at each start and reconnect the relay compares what the broker
//! has last with its own rows and goes back as far as needed.

pub(crate) mod days;
mod progress;
pub(crate) mod rewind;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use prost::Message as _;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::config::FabricConfig;
use crate::fabric::Health;
use crate::kafka::{self, Tail};
use crate::platform::{Outgoing, Platform, Producer, SendError, Tables, answered};
use crate::sequence::{PARTITIONS, event_id};
use crate::service::StoreError;
use crate::store::{Head, OutboxRow, Part};

use self::progress::{Handed, Progress, Refused};

/// Rows read at once when the relay was not handed them.
const READ_ROWS_MAX: usize = 1_000;
/// How long a failed relay waits before it starts again.
const RESTART_WAIT: Duration = Duration::from_millis(300);
/// How often an instance whose relay is not active tries to become it.
const STANDBY_WAIT: Duration = Duration::from_millis(200);
/// How often a relay looks for rows of other instances while there is none: to look all the time is most of what an
/// idle service would do.
const POLL_ALONE: Duration = Duration::from_millis(250);
/// How often moved cursors are written and watermarks that have become true are sent.
const CURSOR_EVERY: Duration = Duration::from_millis(50);
/// How often it is looked up how far back records can be sent again.
const LOWEST_EVERY: Duration = Duration::from_secs(60);
/// Records at the end of a partition among which one of ours is looked for.
const TAIL_RECORDS_MAX: i64 = 100;

/// What a relay shares with the rest of the fabric.
pub(crate) struct Links {
    pub committed: mpsc::Receiver<Vec<OutboxRow>>,
    pub health: Health,
    pub stop: watch::Receiver<bool>,
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("cursor: {0}")]
    Store(#[from] StoreError),
    #[error("broker: {0}")]
    Broker(String),
    #[error("{0}")]
    History(String),
    #[error("a new epoch was opened")]
    NewEpoch,
}

/// Relays until told to stop.
pub(crate) async fn run<P: Platform>(
    service: &'static str,
    topics: &'static [&'static str],
    config: FabricConfig,
    platform: P,
    mut links: Links,
) {
    while !*links.stop.borrow() {
        let outcome = Relay::serve(service, topics, &config, &platform, &mut links).await;
        if let Err(RelayError::NewEpoch) = outcome {
            tracing::warn!("a new epoch was opened; the relay begins with it");
        } else if let Err(error) = outcome {
            let fatal = matches!(error, RelayError::History(_));
            tracing::warn!(%error, "the relay starts again");
            links.health.set(
                if fatal { "history" } else { "broker" },
                Err(error.to_string()),
            );
            let mut stop = links.stop.clone();
            tokio::select! {
                () = platform.sleep(RESTART_WAIT) => {}
                () = crate::fabric::told_to_stop(&mut stop) => {}
            }
        }
    }
}

struct Relay<'a, P: Platform> {
    topics: &'static [&'static str],
    config: &'a FabricConfig,
    platform: &'a P,
    db: P::Session,
    owner: Uuid,
    producer: P::Producer,
    losses: u64,
    stamped_idle_at: Option<Instant>,
    /// Another instance was there when it was last looked.
    accompanied: bool,
    /// Rows came since it was last looked for news: there may have been more than its queue holds.
    handed: bool,
    health: Health,
    progress: BTreeMap<Part, Progress>,
    /// Never below what was sent.
    heads: BTreeMap<Part, Head>,
    lowest: BTreeMap<Part, u64>,
    heads_sum: i64,
    behind: bool,
    /// Rows are read again when no more records than these are under way.
    read_again_at: usize,
}

/// What became of a record that was sent.
struct Delivery {
    part: Part,
    seq: u64,
    of_try: u32,
    result: Result<(), SendError>,
}

type InFlight<P> = FuturesUnordered<Sent<<<P as Platform>::Producer as Producer>::Ack>>;

/// A record on its way.
struct Sent<A> {
    part: Part,
    seq: u64,
    of_try: u32,
    ack: A,
}

impl<A: Future<Output = Result<(), SendError>> + Unpin> Future for Sent<A> {
    type Output = Delivery;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Delivery> {
        self.ack.poll_unpin(context).map(|result| Delivery {
            part: std::mem::take(&mut self.part),
            seq: self.seq,
            of_try: self.of_try,
            result,
        })
    }
}

/// What a record in the broker says of its partition.
struct Said {
    epoch: u64,
    seq: u64,
    chain: Vec<u8>,
    acked: u64,
}

impl Said {
    /// None if it is no record of this partition.
    fn by(part: &Part, tail: &Tail) -> Option<Self> {
        if tail.event_type == kafka::WATERMARK_TYPE {
            let mark = proto::fabric::v1::Watermark::decode(tail.payload.as_ref()).ok()?;
            return Some(Self {
                epoch: mark.epoch,
                seq: mark.head_sequence,
                chain: mark.head_chain.to_vec(),
                acked: mark.acked_sequence,
            });
        }
        let (epoch, seq) = crate::consumer::numbers(&part.0, part.1, &tail.event_id)?;
        Some(Self {
            epoch,
            seq,
            chain: tail.chain.to_vec(),
            acked: seq,
        })
    }
}

impl<'a, P: Platform> Relay<'a, P> {
    async fn serve(
        service: &'static str,
        topics: &'static [&'static str],
        config: &'a FabricConfig,
        platform: &'a P,
        links: &mut Links,
    ) -> Result<(), RelayError> {
        let mut db = platform.connect().await?;
        loop {
            if answered(platform, db.try_relay()).await? {
                break;
            }
            // Another instance relays; what was handed over here it reads from the table.
            while links.committed.try_recv().is_ok() {}
            for part in ["broker", "relay"] {
                links.health.set(part, Ok(()));
            }
            tokio::select! {
                () = platform.sleep(STANDBY_WAIT) => {}
                () = crate::fabric::told_to_stop(&mut links.stop) => return Ok(()),
            }
        }
        let producer = platform.producer(service).map_err(RelayError::Broker)?;
        let losses = producer.losses();
        let mut relay = Relay {
            topics,
            config,
            platform,
            db,
            owner: platform.new_id(),
            producer,
            losses,
            stamped_idle_at: None,
            accompanied: true,
            handed: false,
            health: links.health.clone(),
            progress: BTreeMap::new(),
            heads: BTreeMap::new(),
            lowest: BTreeMap::new(),
            heads_sum: -1,
            behind: true,
            read_again_at: 0,
        };
        let result = relay.serve_as_active(links).await;
        relay.producer.close();
        relay.db.close().await;
        result
    }

    async fn serve_as_active(&mut self, links: &mut Links) -> Result<(), RelayError> {
        self.compare_with_broker().await?;
        for part in ["broker", "history", "relay"] {
            links.health.set(part, Ok(()));
        }
        let requests = self.platform.rewind_requests(self.topics);
        let result = self.relay(links, requests).await;
        if !matches!(result, Err(RelayError::NewEpoch)) {
            self.write_cursors().await?;
        }
        result
    }

    /// Creates topics, and finds from where on to send: the cursor, or less if
    /// the broker has lost some; an error if the broker has more than we do.
    async fn compare_with_broker(&mut self) -> Result<(), RelayError> {
        let mut topics = self.topics.to_vec();
        topics.push(kafka::REWIND_TOPIC);
        self.platform
            .create_topics(&topics)
            .await
            .map_err(RelayError::Broker)?;
        let tails = self.tails().await?;

        let cursors = answered(self.platform, self.db.take_cursors(self.owner)).await?;
        self.heads = answered(self.platform, self.db.all_heads()).await?;
        self.look_up_lowest().await?;
        for (part, (epoch, cursor)) in cursors {
            let Some(head) = self.heads.get(&part).cloned() else {
                continue;
            };
            let tail = match tails.get(&part) {
                Some(said) => self.judge_tail(&part, &head, said).await?,
                None => 0,
            };
            // What is not kept any more cannot be sent again, and whoever misses it must
            // see that: the cursor does not go back behind it.
            let kept_from = self.lowest.get(&part).copied().unwrap_or(1);
            let from = cursor.min(tail.max(kept_from.saturating_sub(1)));
            if from < cursor {
                tracing::warn!(
                    topic = part.0,
                    partition = part.1,
                    cursor,
                    from,
                    "the broker lost records; sending them again"
                );
            }
            self.progress
                .insert(part, Progress::starting(epoch, from, cursor));
        }
        self.behind = true;
        Ok(())
    }

    /// What the broker has last of each partition, by the last record there that is ours.
    async fn tails(&mut self) -> Result<BTreeMap<Part, Said>, RelayError> {
        let mut tails = BTreeMap::new();
        let topics = self.topics.iter();
        let mut asked: Vec<Part> = topics
            .flat_map(|topic| (0..PARTITIONS).map(|partition| ((*topic).to_owned(), partition)))
            .collect();
        for records_max in [1, TAIL_RECORDS_MAX] {
            let found = self
                .platform
                .tails(std::mem::take(&mut asked), records_max)
                .await
                .map_err(RelayError::Broker)?;
            for (part, records) in found {
                match records.iter().find_map(|tail| Said::by(&part, tail)) {
                    Some(said) => {
                        tails.insert(part, said);
                    }
                    None => asked.push(part),
                }
            }
            if asked.is_empty() {
                break;
            }
        }
        for (topic, partition) in asked {
            tracing::warn!(
                topic,
                partition,
                "the last records in the broker are foreign; sending again all that is kept"
            );
        }
        Ok(tails)
    }

    /// The sequence up to which the broker surely has this partition.
    async fn judge_tail(
        &mut self,
        part: &Part,
        head: &Head,
        said: &Said,
    ) -> Result<u64, RelayError> {
        let fork = |what: &str| {
            RelayError::History(format!(
                "{}/{}: the broker has {what} than this database: it is older than what was published; restore a newer backup, or open a new epoch (greenlane fabric new-epoch) and restate",
                part.0, part.1
            ))
        };
        let (epoch, seq) = (said.epoch, said.seq);
        if epoch > head.epoch || (epoch == head.epoch && seq > head.seq) {
            return Err(fork("more"));
        }
        if epoch < head.epoch {
            return Ok(0);
        }
        let own = if seq == head.seq {
            Some(head.chain.clone())
        } else {
            answered(
                self.platform,
                self.db.outbox_after(part, epoch, seq.saturating_sub(1), 1),
            )
            .await?
            .pop()
            .filter(|row| row.seq == seq)
            .map(|row| row.chain)
        };
        if seq > 0 && own.is_some_and(|own| own != said.chain) {
            return Err(fork("another history"));
        }
        Ok(said.acked)
    }

    /// Sends until told to stop. Timers come first, so that a long backlog keeps neither
    /// watermarks nor cursors nor the end waiting; what is still to be read when the end
    /// comes, the next relay reads.
    async fn relay(
        &mut self,
        links: &mut Links,
        mut requests: mpsc::Receiver<(Part, u64)>,
    ) -> Result<(), RelayError> {
        let mut in_flight = InFlight::<P>::new();
        let platform = self.platform;
        let mut duties = Duties::new(self.config, platform.now());
        let mut stopping = false;
        loop {
            if self.producer.losses() != self.losses {
                return Err(RelayError::Broker("the connection was lost".into()));
            }
            if stopping && in_flight.is_empty() {
                return Ok(());
            }
            // A read per acknowledgement would be a row per read.
            if self.behind && in_flight.len() <= self.read_again_at && !stopping {
                self.send_behind(&mut in_flight).await?;
            }
            tokio::select! {
                biased;
                () = crate::fabric::told_to_stop(&mut links.stop), if !stopping => stopping = true,
                duty = duties.next(platform) => match duty {
                    Duty::Stamp => {
                        answered(platform, self.db.plan_anew()).await?;
                        self.take_stamps().await?;
                    }
                    Duty::Cursor => {
                        self.write_cursors().await?;
                        self.send_watermarks()?;
                    }
                    Duty::Lowest => self.look_up_lowest().await?,
                    Duty::Poll => {
                        self.look_for_news().await?;
                        if !self.accompanied && !std::mem::take(&mut self.handed) {
                            duties.put_off(Duty::Poll, platform.now() + POLL_ALONE);
                        }
                    }
                },
                Some(delivery) = in_flight.next() => {
                    self.delivered(delivery)?;
                    while let Some(Some(delivery)) = in_flight.next().now_or_never() {
                        self.delivered(delivery)?;
                    }
                }
                Some((part, from)) = requests.recv() => self.rewind(&part, from).await?,
                Some(rows) = links.committed.recv(), if !stopping => {
                    self.handed = true;
                    for row in rows {
                        self.handed(row, &mut in_flight)?;
                    }
                }
            }
        }
    }

    fn room(&self, in_flight: &InFlight<P>) -> usize {
        (self.config.relay_in_flight_max as usize).saturating_sub(in_flight.len())
    }

    async fn look_for_news(&mut self) -> Result<(), RelayError> {
        let news = answered(self.platform, self.db.news()).await?;
        if news.heads_sum != self.heads_sum {
            self.heads_sum = news.heads_sum;
            self.behind = true;
        }
        if news.republish {
            for (part, from) in answered(self.platform, self.db.take_republish(self.owner)).await? {
                self.republish(&part, from);
            }
        }
        Ok(())
    }

    /// A hole that was found while sending stays the lowest that can be sent.
    async fn look_up_lowest(&mut self) -> Result<(), RelayError> {
        for (part, lowest) in answered(self.platform, self.db.lowest_kept()).await? {
            let known = self.lowest.entry(part).or_insert(lowest);
            *known = lowest.max(*known);
        }
        Ok(())
    }

    /// A row that a writer of this instance has just committed: sent at once if
    /// it is next, otherwise left to be read in order.
    fn handed(&mut self, row: OutboxRow, in_flight: &mut InFlight<P>) -> Result<(), RelayError> {
        let part = (row.topic.clone(), row.partition);
        let room = self.room(in_flight);
        match self.progress.get(&part).map(|at| at.place(&row)) {
            None | Some(Handed::Known) => {}
            Some(Handed::Next) if room > 0 => {
                self.send(row, in_flight)?;
            }
            Some(Handed::Next | Handed::Later) => self.behind = true,
        }
        Ok(())
    }

    /// Reads and sends what lies between what was sent and the heads, a share of each
    /// partition: one with a long backlog does not keep the others waiting.
    async fn send_behind(&mut self, in_flight: &mut InFlight<P>) -> Result<(), RelayError> {
        self.behind = false;
        self.read_again_at = self.config.relay_in_flight_max as usize / 2;
        self.heads = answered(self.platform, self.db.all_heads()).await?;
        self.must_be_of_this_epoch()?;
        let heads = &self.heads;
        let behind: Vec<(Part, u64)> = self
            .progress
            .iter()
            .filter(|(_, progress)| progress.may_send() > 0)
            .filter_map(|(part, progress)| {
                let head = heads.get(part)?;
                (head.seq > progress.sent).then(|| (part.clone(), head.seq))
            })
            .collect();
        let share = (self.room(in_flight) / behind.len().max(1)).clamp(1, READ_ROWS_MAX);
        for (part, head_seq) in behind {
            let room = self.room(in_flight);
            if room == 0 {
                self.behind = true;
                return Ok(());
            }
            let Some(progress) = self.progress.get(&part) else {
                continue;
            };
            let limit = share.min(room).min(progress.may_send());
            let (epoch, sent) = (progress.epoch, progress.sent);
            let rows = self.db.outbox_after(&part, epoch, sent, limit);
            let rows = answered(self.platform, rows).await?;
            if rows.is_empty() {
                self.pass_hole(&part, head_seq + 1)?;
            }
            for row in rows {
                self.pass_hole(&part, row.seq)?;
                if !self.send(row, in_flight)? {
                    break;
                }
            }
            if self
                .progress
                .get(&part)
                .is_some_and(|at| at.may_send() > 0 && at.sent < head_seq)
            {
                self.behind = true;
            }
        }
        Ok(())
    }

    /// Once a head is in a new epoch everything begins anew: what is on its way belongs to the old one.
    fn must_be_of_this_epoch(&self) -> Result<(), RelayError> {
        let moved = |(part, head): (&Part, &Head)| {
            self.progress
                .get(part)
                .is_some_and(|progress| progress.epoch != head.epoch)
        };
        if self.heads.iter().any(moved) {
            return Err(RelayError::NewEpoch);
        }
        Ok(())
    }

    /// Rows before `next` that are not there were dropped after their retention: consumers
    /// that miss them see in the watermark that they cannot have them. Never of rows that
    /// the broker has not acknowledged: those are lost.
    fn pass_hole(&mut self, part: &Part, next: u64) -> Result<(), RelayError> {
        let Some(progress) = self.progress.get_mut(part) else {
            return Ok(());
        };
        let missing = progress.sent + 1;
        if next == missing {
            return Ok(());
        }
        if !progress.pass_hole(next) {
            return Err(RelayError::History(format!(
                "{}/{}: sequences {missing} to {} were never sent and are missing from the outbox; restore them from a backup",
                part.0,
                part.1,
                next - 1
            )));
        }
        tracing::error!(
            topic = part.0,
            partition = part.1,
            missing,
            next,
            "what was dropped cannot be sent again; whoever misses it needs it restated (greenlane fabric restate)"
        );
        let lowest = self.lowest.entry(part.clone()).or_insert(next);
        *lowest = next.max(*lowest);
        Ok(())
    }

    /// Hands a row to the client. False if it is not on its way: the client holds as much
    /// as it may, or the record is one that it does not take.
    fn send(&mut self, row: OutboxRow, in_flight: &mut InFlight<P>) -> Result<bool, RelayError> {
        let id = event_id(&row.topic, row.partition, row.epoch, row.seq);
        let record = Outgoing {
            topic: &row.topic,
            partition: row.partition,
            key: Some(&row.key),
            event_id: &id,
            event_type: &row.event_type,
            chain: &row.chain,
            traceparent: row.traceparent.as_deref(),
            payload: &row.payload,
        };
        let part = (row.topic.clone(), row.partition);
        let seq = row.seq;
        let Some(progress) = self.progress.get_mut(&part) else {
            return Ok(false);
        };
        let of_try = progress.tries;
        match self.producer.send(&record) {
            Ok(ack) => {
                progress.sent(seq, self.platform.now());
                if let Some(head) = self.heads.get_mut(&part)
                    && head.seq < seq
                {
                    head.seq = seq;
                    head.chain = row.chain;
                }
                in_flight.push(Sent {
                    part,
                    seq,
                    of_try,
                    ack,
                });
                Ok(true)
            }
            Err(SendError::Full) => {
                self.behind = true;
                self.read_again_at = in_flight.len() / 2;
                Ok(false)
            }
            Err(SendError::Refused(why)) => {
                self.stop(&part, seq, &why);
                Ok(false)
            }
            Err(SendError::Failed(why)) => Err(RelayError::Broker(why)),
        }
    }

    /// A record that the broker does not take stops its partition. Any other failed send
    /// stops everything: the relay starts again from its cursor.
    fn delivered(&mut self, delivery: Delivery) -> Result<(), RelayError> {
        let Delivery {
            part,
            seq,
            of_try,
            result,
        } = delivery;
        match result {
            Ok(()) => {
                if let Some(progress) = self.progress.get_mut(&part)
                    && progress.acknowledged(seq, of_try)
                {
                    self.behind = true;
                }
                Ok(())
            }
            Err(SendError::Refused(why)) => {
                let progress = self.progress.get_mut(&part);
                match progress.map(|progress| progress.refuse(seq, of_try)) {
                    None | Some(Refused::Known) => {}
                    Some(Refused::OfMany) => self.behind = true,
                    Some(Refused::Alone) => self.stop(&part, seq, &why),
                }
                Ok(())
            }
            Err(error) => Err(RelayError::Broker(format!(
                "{}/{} {seq}: {error}",
                part.0, part.1
            ))),
        }
    }

    /// Without watermarks, which wait for the head, what is known of the partition ages
    /// at its consumers until it is unknown.
    fn stop(&mut self, part: &Part, seq: u64, why: &str) {
        tracing::error!(
            topic = part.0,
            partition = part.1,
            seq,
            why,
            "the broker does not take this record; its partition stops"
        );
        if let Some(progress) = self.progress.get_mut(part) {
            progress.stop(seq);
        }
        self.report_refused();
    }

    fn report_refused(&self) {
        let stopped: Vec<String> = self
            .progress
            .iter()
            .filter_map(|((topic, partition), progress)| {
                let seq = progress.refused?;
                Some(format!(
                    "{topic}/{partition} stopped: the broker does not take sequence {seq} for its size or form; raise the broker's max.message.bytes, then republish {topic} {partition} from {seq}"
                ))
            })
            .collect();
        let state = if stopped.is_empty() {
            Ok(())
        } else {
            Err(stopped.join("; "))
        };
        self.health.set("relay", state);
    }

    async fn write_cursors(&mut self) -> Result<(), RelayError> {
        let moves: BTreeMap<Part, (u64, u64)> = self
            .progress
            .iter()
            .filter(|(_, progress)| progress.acked > progress.written)
            .map(|(part, progress)| (part.clone(), (progress.epoch, progress.acked)))
            .collect();
        if moves.is_empty() {
            return Ok(());
        }
        answered(self.platform, self.db.move_cursors(self.owner, &moves)).await?;
        for (part, (_, acked)) in moves {
            if let Some(progress) = self.progress.get_mut(&part) {
                progress.written = acked;
            }
        }
        Ok(())
    }

    /// A consumer asks for a partition again.
    async fn rewind(&mut self, part: &Part, from: u64) -> Result<(), RelayError> {
        if !self
            .progress
            .get(part)
            .is_some_and(|progress| progress.serves(from, self.platform.now()))
        {
            return Ok(());
        }
        self.look_up_lowest().await?;
        let lowest = self.lowest.get(part).copied().unwrap_or(1);
        let Some(progress) = self.progress.get_mut(part) else {
            return Ok(());
        };
        if from >= lowest {
            self.go_back(part, from);
        } else if progress.not_kept != Some(from) {
            progress.not_kept = Some(from);
            tracing::error!(
                topic = part.0,
                partition = part.1,
                from,
                lowest,
                "asked to send what is not kept any more; restate it (greenlane fabric restate)"
            );
        }
        Ok(())
    }

    /// An operator asks for a partition again, and may have done something about what the
    /// broker did not take.
    fn republish(&mut self, part: &Part, from: u64) {
        if let Some(progress) = self.progress.get_mut(part)
            && (1..=progress.sent + 1).contains(&from)
        {
            progress.refused = None;
            self.go_back(part, from);
            self.report_refused();
        }
    }

    fn go_back(&mut self, part: &Part, from: u64) {
        tracing::info!(
            topic = part.0,
            partition = part.1,
            from,
            "sending again from here"
        );
        metrics::counter!("greenlane_rewinds_total").increment(1);
        if let Some(progress) = self.progress.get_mut(part) {
            progress.go_back(from);
        }
        self.behind = true;
    }

    /// Takes the time of the next watermark of the partitions that have news, and now and
    /// then of the idle ones.
    async fn take_stamps(&mut self) -> Result<(), RelayError> {
        let now = answered(self.platform, self.db.clock()).await?;
        self.heads = answered(self.platform, self.db.all_heads()).await?;
        self.accompanied = answered(self.platform, self.db.accompanied()).await?;
        self.must_be_of_this_epoch()?;
        // All idle partitions at once: whoever reads them wakes for each moment at which one comes, and asks the
        // broker for all its partitions again.
        let idle = Duration::from_millis(self.config.watermark_idle_millis.into());
        let also_idle = self
            .stamped_idle_at
            .is_none_or(|at| self.platform.now().saturating_duration_since(at) >= idle);
        if also_idle {
            self.stamped_idle_at = Some(self.platform.now());
        }
        for (part, progress) in &mut self.progress {
            let Some(head) = self.heads.get(part) else {
                continue;
            };
            let has_no_news = progress.stamped == Some((progress.acked, head.seq));
            if (also_idle || !has_no_news) && progress.stamp.is_none() {
                progress.stamp = Some((head.seq, now));
            }
        }
        self.write_cursors().await?;
        self.send_watermarks()?;
        match self.producer.fatal_error() {
            Some(why) => Err(RelayError::Broker(why)),
            None => Ok(()),
        }
    }

    /// Sends each watermark once all that had been committed at its time is acknowledged: who
    /// has read up to it knows everything of that time. A backlog makes knowledge old, not wrong.
    fn send_watermarks(&mut self) -> Result<(), RelayError> {
        for (part, progress) in &mut self.progress {
            let (Some((needed, at)), Some(head)) = (progress.stamp, self.heads.get(part)) else {
                continue;
            };
            if progress.acked < needed {
                continue;
            }
            let mark = proto::fabric::v1::Watermark {
                epoch: progress.epoch,
                acked_sequence: progress.acked,
                head_sequence: head.seq,
                head_chain: head.chain.clone(),
                lowest_kept_sequence: self.lowest.get(part).copied().unwrap_or(1),
                stamped_at: Some(prost_types::Timestamp {
                    seconds: at.timestamp(),
                    nanos: at.timestamp_subsec_nanos().cast_signed(),
                }),
            };
            let sent = self.producer.send(&Outgoing {
                topic: &part.0,
                partition: part.1,
                key: None,
                event_id: "",
                event_type: kafka::WATERMARK_TYPE,
                chain: &[],
                traceparent: None,
                payload: &mark.encode_to_vec(),
            });
            match sent {
                Ok(_) => {
                    progress.stamp = None;
                    progress.stamped = Some((progress.acked, head.seq));
                }
                Err(SendError::Full) => return Ok(()),
                Err(error) => return Err(RelayError::Broker(error.to_string())),
            }
        }
        Ok(())
    }
}

/// What the relay does by the clock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Duty {
    Stamp,
    Cursor,
    Lowest,
    Poll,
}

/// When each duty is due, at once the first time.
struct Duties([(Duty, Duration, Instant); 4]);

impl Duties {
    fn new(config: &FabricConfig, now: Instant) -> Self {
        let millis = |millis: u32| Duration::from_millis(millis.into());
        Self([
            (Duty::Stamp, millis(config.watermark_millis), now),
            (Duty::Cursor, CURSOR_EVERY, now),
            (Duty::Lowest, LOWEST_EVERY, now),
            (Duty::Poll, millis(config.relay_poll_millis), now),
        ])
    }

    /// Makes a duty due at `until`, if it was due before.
    fn put_off(&mut self, duty: Duty, until: Instant) {
        for (_, _, due) in self.0.iter_mut().filter(|(of, ..)| *of == duty) {
            *due = until.max(*due);
        }
    }

    /// Waits for the next duty. Dropped before, it is due at the same time.
    async fn next<P: Platform>(&mut self, platform: &P) -> Duty {
        let [first, others @ ..] = &mut self.0;
        let next = others.iter_mut().fold(
            first,
            |next, other| {
                if other.2 < next.2 { other } else { next }
            },
        );
        let now = platform.now();
        if now < next.2 {
            platform.sleep(next.2.duration_since(now)).await;
        }
        next.2 = platform.now() + next.1;
        next.0
    }
}
