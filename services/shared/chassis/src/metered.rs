//! Streams of requests count as the calls that they save: each message after the first is one, and where its party has
//! made as many as it may, the stream is read no further until it may make the next. Whoever sends is slowed down by the
//! flow control of the connection, and refused nothing. It must not know what the messages say.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;

use crate::quotas::Quotas;

/// Before each message: a flag, and the message's length in four bytes (gRPC over HTTP/2, "Length-Prefixed-Message").
const HEAD_BYTES: usize = 5;

/// Where in a stream of messages its bytes have come to.
#[derive(Default)]
struct Place {
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// So many of the message are still to come.
    left: usize,
}

impl Place {
    /// How many messages begin in these bytes.
    fn begun_in(&mut self, mut bytes: &[u8]) -> u64 {
        let mut begun = 0;
        while !bytes.is_empty() {
            if self.left == 0 {
                begun += u64::from(self.head_bytes == 0);
                let wanted = (HEAD_BYTES - self.head_bytes).min(bytes.len());
                let (head, rest) = bytes.split_at(wanted);
                if let Some(free) = self.head.get_mut(self.head_bytes..self.head_bytes + wanted) {
                    free.copy_from_slice(head);
                }
                self.head_bytes += wanted;
                bytes = rest;
                if self.head_bytes == HEAD_BYTES {
                    let [_, length @ ..] = self.head;
                    self.left = u32::from_be_bytes(length) as usize;
                    self.head_bytes = 0;
                }
            } else {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                bytes = bytes.get(taken..).unwrap_or_default();
            }
        }
        begun
    }
}

/// The requests of a stream on their way in.
pub(crate) struct Metered {
    body: Body,
    party: String,
    quotas: Arc<Quotas>,
    place: Place,
    /// The call itself was counted when it was let in.
    first_seen: bool,
    /// Messages of the held frame that are still to be counted.
    owed: u64,
    held: Option<Frame<Bytes>>,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Metered {
    pub(crate) fn of(body: Body, party: String, quotas: Arc<Quotas>) -> Body {
        Body::new(Self {
            body,
            party,
            quotas,
            place: Place::default(),
            first_seen: false,
            owed: 0,
            held: None,
            waiting: None,
        })
    }

    fn hold(&mut self, frame: Frame<Bytes>) {
        if let Some(data) = frame.data_ref() {
            let mut begun = self.place.begun_in(data);
            if begun > 0 && !self.first_seen {
                self.first_seen = true;
                begun -= 1;
            }
            self.owed = begun;
        }
        self.held = Some(frame);
    }
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.held.is_none() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => self.hold(frame),
                other => return other,
            }
        }
        while self.owed > 0 {
            if let Some(waiting) = &mut self.waiting {
                if waiting.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.waiting = None;
            }
            match self.quotas.count_message(&self.party) {
                Ok(()) => self.owed -= 1,
                Err(wait) => self.waiting = Some(Box::pin(tokio::time::sleep(wait))),
            }
        }
        Poll::Ready(self.held.take().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;
    use crate::config::QuotaConfig;

    fn message(bytes: usize) -> Vec<u8> {
        let mut message = vec![0];
        message.extend(u32::try_from(bytes).unwrap().to_be_bytes());
        message.resize(HEAD_BYTES + bytes, 7);
        message
    }

    #[test]
    fn messages_are_counted_however_they_are_cut_into_frames() {
        let messages = [0, 3, 1_000, 0, 1].map(message).concat();
        for size in 1..=messages.len() {
            let mut place = Place::default();
            let begun = messages.chunks(size).map(|part| place.begun_in(part));
            assert_eq!(begun.sum::<u64>(), 5, "in parts of {size}");
            assert_eq!((place.left, place.head_bytes), (0, 0));
        }
    }

    #[tokio::test]
    async fn a_stream_brings_no_more_messages_than_its_party_may_make_calls_and_loses_none() {
        let quotas = Arc::new(Quotas::new(&QuotaConfig {
            calls_per_second_max: 100,
            calls_burst_max: 1,
            calls_in_hand_max: 1,
            streams_max: 1,
            rpcs: Vec::new(),
            parties: Vec::new(),
        }));
        let sent = Bytes::from(message(9).repeat(11));
        let frames = sent
            .chunks(50)
            .map(|part| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(part))));
        let frames: Vec<_> = frames.collect();
        let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
        let metered = Metered::of(body, "broker-a".to_owned(), Arc::clone(&quotas));
        let begin = Instant::now();
        let received = metered.collect().await.unwrap().to_bytes();
        // The first was counted with the call, the second is there at once, nine wait for theirs.
        assert!(
            begin.elapsed() >= Duration::from_millis(85),
            "{:?}",
            begin.elapsed()
        );
        assert_eq!(received, sent);
        assert!(quotas.count_message(&"broker-a".to_owned()).is_err());
    }
}
