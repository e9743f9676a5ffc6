//! A service that may answer at several addresses, called as through a load balancer: in turn, and for a while not at an
//! address that could not be reached. A call that fails is not made again here: that is for whoever knows what it asks.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::{Channel, Error};

/// After so long one call is made to an address that could not be reached.
const TRIED_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// All addresses of a service.
#[derive(Clone)]
pub struct Balanced(Arc<Addresses>);

struct Addresses {
    all: Vec<Address>,
    turn: AtomicUsize,
}

struct Address {
    channel: Channel,
    /// None: it was reached the last time.
    avoided_until: Mutex<Option<Instant>>,
}

impl Balanced {
    /// At least one channel, each of which connects by itself.
    pub fn over(channels: impl IntoIterator<Item = Channel>) -> Balanced {
        let address = |channel| Address {
            channel,
            avoided_until: Mutex::default(),
        };
        Balanced(Arc::new(Addresses {
            all: channels.into_iter().map(address).collect(),
            turn: AtomicUsize::new(0),
        }))
    }
}

impl Addresses {
    /// The next that may be reached; if none may, the next.
    fn choose(&self) -> &Address {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let next = |more: usize| &self.all[(turn + more) % self.all.len()];
        let mut sound = (0..self.all.len()).map(next);
        sound.find(|one| one.may_be_tried()).unwrap_or(next(0))
    }
}

impl Address {
    fn may_be_tried(&self) -> bool {
        let mut avoided_until = self.avoided_until();
        let now = Instant::now();
        match *avoided_until {
            Some(until) if now < until => false,
            Some(_) => {
                // One call tries it; the others wait for what comes of that.
                *avoided_until = Some(now + TRIED_AGAIN_AFTER);
                true
            }
            None => true,
        }
    }

    fn answered(&self, reached: bool) {
        *self.avoided_until() = match reached {
            true => None,
            false => Some(Instant::now() + TRIED_AGAIN_AFTER),
        };
    }

    fn avoided_until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        let held = self.avoided_until.lock();
        held.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service<http::Request<Body>> for Balanced {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let addresses = self.0.clone();
        Box::pin(async move {
            let address = addresses.choose();
            let mut channel = address.channel.clone();
            let ready = poll_fn(|context| channel.poll_ready(context)).await;
            let answer = match ready {
                Ok(()) => channel.call(request).await,
                Err(error) => Err(error),
            };
            address.answered(answer.is_ok());
            answer
        })
    }
}
