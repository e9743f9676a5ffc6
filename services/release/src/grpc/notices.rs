//! The party's notices: a page, or the stream that first gives what is stored and then goes on live.

use std::collections::VecDeque;
use std::time::Duration;

use chassis::convert::timestamp;
use chassis::page::{decode_page_token, encode_page_token};
use fabric::Reads;
use futures::Stream;
use kernel::{Fault, Refusal};
use prost::Message;
use proto::release::events::v1::NoticeEvent;
use proto::release::v1 as api;
use tokio::sync::watch;
use tonic::Status;

use super::database;
use crate::events::publish::NOTICE_TOPIC;
use crate::metrics;
use crate::store::notices::{Cursor, StoredNotice, after};

/// Notices read at once for a stream.
const STREAM_PAGE_ROWS: i64 = 200;
/// How long a stream waits at most before it looks again: another instance may have committed.
const STREAM_POLL: Duration = Duration::from_millis(250);

/// The place after which to read; an empty cursor is the beginning.
pub fn cursor(path: &str, text: &str) -> Result<Cursor, Box<Refusal>> {
    decode_page_token::<Cursor>(text)
        .map(Option::unwrap_or_default)
        .map_err(|_| {
            Box::new(
                Refusal::invalid(
                    "CURSOR_INVALID",
                    "This cursor is not one that the notices gave; start again without one.",
                )
                .with_fault(Fault::new(
                    "CURSOR_INVALID",
                    path,
                    text,
                    "the cursor of a notice",
                    "Repeat the cursor exactly as it was given.",
                )),
            )
        })
}

/// A stored notice as a message.
pub fn notice(stored: &StoredNotice) -> Result<api::Notice, Status> {
    let event =
        NoticeEvent::decode(stored.payload.clone()).map_err(|error| chassis::internal(&error))?;
    let (epoch, sequence) = stored.cursor;
    Ok(api::Notice {
        event_id: fabric::event_id(NOTICE_TOPIC, stored.partition, epoch, sequence),
        cursor: encode_page_token(&stored.cursor),
        fact: event.fact,
        service: event.service,
        subject: event.subject,
        title: event.title,
        text: event.text,
        observed_at: event.observed_at,
        recorded_at: event.recorded_at,
        noticed_at: Some(timestamp(stored.recorded_at)),
        source_event_id: event.source_event_id,
        container_number: event.container_number,
        conditions: event.conditions,
    })
}

struct Reading {
    reads: Reads,
    committed: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    party: String,
    cursor: Cursor,
    ready: VecDeque<StoredNotice>,
}

/// Every notice of the party after the cursor, for as long as the caller stays. One page is held in
/// hand; a slow caller delays nobody, because nothing is read for it that it has not asked for.
pub fn stream(
    reads: Reads,
    committed: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    party: String,
    cursor: Cursor,
) -> impl Stream<Item = Result<api::StreamNoticesResponse, Status>> + Send {
    let reading = Reading {
        reads,
        committed,
        stopping,
        party,
        cursor,
        ready: VecDeque::new(),
    };
    futures::stream::try_unfold(reading, |mut reading| async move {
        loop {
            if *reading.stopping.borrow() {
                return Ok(None);
            }
            if let Some(stored) = reading.ready.pop_front() {
                reading.cursor = stored.cursor;
                let notice = notice(&stored)?;
                metrics::notice_streamed(&notice);
                return Ok(Some((
                    api::StreamNoticesResponse {
                        notice: Some(notice),
                    },
                    reading,
                )));
            }
            // Marked as seen before the read: a commit during it wakes the next wait.
            reading.committed.borrow_and_update();
            // A call has its deadline; a stream has none.
            let page = fabric::answered(after(
                &reading.reads,
                &reading.party,
                reading.cursor,
                STREAM_PAGE_ROWS,
            ))
            .await
            .map_err(database)?;
            if page.is_empty() {
                wait(&mut reading).await;
            }
            reading.ready = page.into();
        }
    })
}

/// Waits for a commit of this instance, for the time to look for another's, or for the end.
async fn wait(reading: &mut Reading) {
    tokio::select! {
        committed = reading.committed.changed() => {
            if committed.is_err() {
                // The loop has ended before the server: the end is near, and nothing new will come.
                tokio::time::sleep(STREAM_POLL).await;
            }
        }
        _ = reading.stopping.changed() => {}
        () = tokio::time::sleep(STREAM_POLL) => {}
    }
}
