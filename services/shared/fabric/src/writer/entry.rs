//! The inputs of a writer: as they wait in its queues, and decoded, with where
//! their answer goes.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::audit::Act;
use crate::handle::{Command, Origin, Reply};
use crate::platform::{Platform, Session};
use crate::restate::EPOCH_TYPE;
use crate::service::{Record, Service};
use crate::store::{Parked, Part, Stamp};

use super::Writer;
use super::mend::RetryOutcome;

/// An input in a writer's queue.
#[doc(hidden)]
pub enum Item<I> {
    /// A caller's command.
    Command {
        command: Command<I>,
        reply: oneshot::Sender<Reply>,
        queued_at: Instant,
    },
    /// A record of a consumed partition.
    Record(Box<Delivered>),
    /// A consumed partition's watermark.
    Stamp { part: Part, stamp: Stamp },
    /// A timer's input.
    Timer { name: &'static str, input: I },
    /// An operator asks for a key's parked records to be applied.
    Retry {
        topic: String,
        key: String,
        reply: oneshot::Sender<RetryOutcome>,
    },
    /// What an operator is about to do, for the record.
    Act {
        act: Box<Act>,
        reply: oneshot::Sender<()>,
    },
    /// A record given by hand, outside the sequence: for a service's own tests.
    Given {
        record: Box<Record>,
        reply: oneshot::Sender<Result<(), String>>,
    },
}

impl<I> Item<I> {
    pub(crate) fn command(command: Command<I>, reply: oneshot::Sender<Reply>) -> Self {
        Self::Command {
            command,
            reply,
            queued_at: Instant::now(),
        }
    }
}

/// A record with where it stood in the log.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The record.
    pub record: Record,
    /// The chain's value after it, as its producer says.
    pub chain: Bytes,
    /// Where it stood.
    pub kafka_offset: i64,
}

/// One input of a batch, decoded, with where its answer goes.
pub(super) struct Entry<I> {
    pub source: Source<I>,
    pub input: Option<I>,
    pub traceparent: Option<String>,
    pub queued_at: Instant,
    pub cause: Option<String>,
}

pub(super) enum Source<I> {
    Command {
        party: String,
        origin: Origin,
        request_id: Option<Uuid>,
        fingerprint: [u8; 32],
        reply: Option<oneshot::Sender<Reply>>,
    },
    Record {
        delivered: Box<Delivered>,
    },
    Parked {
        parked: Box<Parked>,
    },
    Given {
        record: Box<Record>,
        reply: Option<oneshot::Sender<Result<(), String>>>,
    },
    Act {
        act: Box<Act>,
        reply: Option<oneshot::Sender<()>>,
    },
    Timer {
        name: &'static str,
        marker: std::marker::PhantomData<fn() -> I>,
    },
}

impl<I> Entry<I> {
    pub(super) fn is_command(&self) -> bool {
        matches!(self.source, Source::Command { .. })
    }

    pub(super) fn is_record(&self) -> bool {
        matches!(self.source, Source::Record { .. })
    }

    /// Whether somebody still waits for the answer to a command: whoever called within a time that has passed, or has
    /// gone, does not. Everything else is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        match &self.source {
            Source::Command {
                reply: Some(reply), ..
            } => !reply.is_closed(),
            _ => true,
        }
    }

    pub(super) fn record_part(&self) -> Option<Part> {
        match &self.source {
            Source::Record { delivered } => Some(part_of(&delivered.record)),
            _ => None,
        }
    }
}

pub(super) fn part_of(record: &Record) -> Part {
    (record.topic.clone(), record.partition)
}

impl<S: Service, P: Platform<Session: Session<S>>> Writer<S, P> {
    pub(super) fn entry(&self, item: Item<S::Input>) -> Entry<S::Input> {
        match item {
            Item::Command {
                command,
                reply,
                queued_at,
            } => Entry {
                source: Source::Command {
                    party: command.party,
                    origin: command.origin,
                    request_id: command.request_id,
                    fingerprint: command.fingerprint,
                    reply: Some(reply),
                },
                input: Some(command.input),
                traceparent: command.traceparent,
                queued_at,
                cause: None,
            },
            Item::Record(delivered) => {
                let (input, cause) = self.decode(&delivered.record);
                let traceparent = delivered.record.traceparent.clone();
                Entry {
                    source: Source::Record { delivered },
                    input,
                    traceparent,
                    queued_at: self.platform.now(),
                    cause,
                }
            }
            Item::Given { record, reply } => {
                let (input, cause) = self.decode(&record);
                let traceparent = record.traceparent.clone();
                Entry {
                    source: Source::Given {
                        record,
                        reply: Some(reply),
                    },
                    input,
                    traceparent,
                    queued_at: self.platform.now(),
                    cause,
                }
            }
            Item::Act { act, reply } => Entry {
                source: Source::Act {
                    act,
                    reply: Some(reply),
                },
                input: None,
                traceparent: None,
                queued_at: self.platform.now(),
                cause: None,
            },
            Item::Timer { name, input } => timer_entry(name, Some(input), self.platform.now()),
            // Handled before: they are no inputs.
            Item::Stamp { .. } | Item::Retry { .. } => {
                timer_entry("none", None, self.platform.now())
            }
        }
    }

    pub(super) fn decode(&self, record: &Record) -> (Option<S::Input>, Option<String>) {
        if record.event_type == EPOCH_TYPE {
            return (None, None);
        }
        let decoded = std::panic::catch_unwind(AssertUnwindSafe(|| self.service.decode(record)));
        match decoded {
            Ok(Ok(input)) => (Some(input), None),
            Ok(Err(unreadable)) => (None, Some(unreadable.to_string())),
            Err(_) => (None, Some("the service's decoder panicked".into())),
        }
    }
}

fn timer_entry<I>(name: &'static str, input: Option<I>, queued_at: Instant) -> Entry<I> {
    Entry {
        source: Source::Timer {
            name,
            marker: std::marker::PhantomData,
        },
        input,
        traceparent: None,
        queued_at,
        cause: None,
    }
}
