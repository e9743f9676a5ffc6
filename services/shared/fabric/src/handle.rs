//! How a caller's command reaches the loop and its answer comes back.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use kernel::Refusal;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::audit::Attempts;
use crate::writer::Item;

/// Who called, and how: for the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The person or machine.
    pub subject: String,
    /// From where; none for what the service does itself.
    pub address: Option<IpAddr>,
    /// The RPC's name.
    pub method: &'static str,
}

/// A command on its way into the loop.
#[derive(Debug)]
pub struct Command<I> {
    /// The party that asks.
    pub party: String,
    /// How it came.
    pub origin: Origin,
    /// The caller's id for it: the same id and content is answered with the
    /// stored answer. None for a dry run, whose answer is not stored.
    pub request_id: Option<Uuid>,
    /// [`fingerprint`] of method and content.
    pub fingerprint: [u8; 32],
    /// W3C trace context of the call.
    pub traceparent: Option<String>,
    /// What is asked.
    pub input: I,
}

/// The answer to a command.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The encoded response, or why it was refused.
    pub outcome: Result<Bytes, Refusal>,
    /// Whether it is the stored answer to an earlier, equal request.
    pub repeated: bool,
}

/// What a command is compared by when its request id comes again.
pub fn fingerprint(method: &str, content: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((method.len() as u64).to_be_bytes());
    hash.update(method.as_bytes());
    hash.update(content);
    hash.finalize().into()
}

/// The way into a service's loop; cheap to clone.
pub struct Handle<I> {
    pub(crate) queues: Arc<[mpsc::Sender<Item<I>>]>,
    pub(crate) committed: watch::Receiver<u64>,
    pub(crate) attempts: Attempts,
}

impl<I> Clone for Handle<I> {
    fn clone(&self) -> Self {
        Self {
            queues: Arc::clone(&self.queues),
            committed: self.committed.clone(),
            attempts: self.attempts.clone(),
        }
    }
}

impl<I: Send + Sync + 'static> Handle<I> {
    /// Has a command decided, and waits for its commit. Whoever stops waiting does not know whether it was; one that was
    /// not begun by then is not begun any more.
    ///
    /// A full queue refuses at once with OVERLOADED; `lane` is any text that
    /// commands about the same thing share, so that they meet in one writer
    /// (only to save waiting: the locks keep them right).
    pub async fn submit(&self, lane: &str, command: Command<I>) -> Reply {
        let (reply, answer) = oneshot::channel();
        let index = crate::sequence::partition_of(lane) as usize % self.queues.len();
        let item = Item::command(command, reply);
        if let Err(error) = self.queues[index].try_send(item) {
            let refusal = match error {
                mpsc::error::TrySendError::Full(_) => overloaded(),
                mpsc::error::TrySendError::Closed(_) => stopping(),
            };
            return Reply {
                outcome: Err(refusal),
                repeated: false,
            };
        }
        answer.await.unwrap_or_else(|_| Reply {
            outcome: Err(stopping()),
            repeated: false,
        })
    }

    /// Where calls that are not let in are noted for the record.
    pub fn attempts(&self) -> Attempts {
        self.attempts.clone()
    }

    /// Changes whenever this instance has committed a batch.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }
}

fn overloaded() -> Refusal {
    Refusal::exhausted(
        "OVERLOADED",
        "too many requests are waiting; repeat it with the same request id after a moment",
    )
    .with_retry_after_millis(100)
}

fn stopping() -> Refusal {
    Refusal::unavailable(
        "STOPPING",
        "the service is stopping; repeat the request with the same request id, it is decided once",
    )
}
