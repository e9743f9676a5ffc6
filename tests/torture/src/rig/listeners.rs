//! Parties that read their notices all the while, as their own software would: a stream that ends, fails or is silent for
//! long is opened again behind the last notice. It must not know what they are told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::release::v1::StreamNoticesRequest;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tonic::Status;

use crate::checker::streams::{self, Heard};
use crate::evidence::Evidence;
use crate::play::parties::{Parties, Party};
use crate::play::waiting::{if_so, seen};

/// A stream that says nothing for so long may be one that nobody writes to any more.
const SILENT_AFTER: Duration = Duration::from_secs(10);
/// Before a stream is opened again.
const PAUSE: Duration = Duration::from_millis(200);

/// What one party was given.
#[derive(Clone, Default)]
struct Given {
    ids: Vec<String>,
    cursor: String,
}

/// The parties that listen.
pub struct Listeners(BTreeMap<&'static str, (Arc<Mutex<Given>>, JoinHandle<()>)>);

impl Listeners {
    /// They begin to read, each from its oldest notice on.
    pub fn of(parties: &'static Parties) -> Listeners {
        let all = [
            &parties.haulier,
            &parties.broker,
            &parties.trader,
            &parties.line,
            &parties.terminal,
        ];
        let listening = all.map(|party| {
            let given = Arc::new(Mutex::new(Given::default()));
            (
                party.name,
                (given.clone(), tokio::spawn(listen(party, given))),
            )
        });
        Listeners(listening.into())
    }

    /// Waits until each has as many notices as there are to it; returns what each was given, and nobody listens any more.
    pub async fn end(self, evidence: &Evidence) -> Heard {
        for (party, (given, _)) in &self.0 {
            let wanted = streams::told(evidence, party).len();
            seen(&format!("{party} has been given its notices"), async || {
                let so_far = copy(given).ids.len();
                let instead = format!("{so_far} of {wanted}");
                Ok(if_so(so_far >= wanted, (), instead))
            })
            .await;
        }
        let ended = self.0.into_iter().map(|(party, (given, listening))| {
            listening.abort();
            (party, copy(&given).ids)
        });
        ended.collect()
    }
}

fn copy(given: &Mutex<Given>) -> Given {
    given.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

async fn listen(party: &'static Party, given: Arc<Mutex<Given>>) {
    loop {
        // Whatever ended it, it is taken up again.
        let _ = read(party, &given).await;
        sleep(PAUSE).await;
    }
}

async fn read(party: &Party, given: &Mutex<Given>) -> Result<(), Status> {
    let cursor = copy(given).cursor;
    let mut release = party.release();
    let request = StreamNoticesRequest { cursor };
    let mut stream = release.stream_notices(request).await?.into_inner();
    while let Ok(next) = timeout(SILENT_AFTER, stream.message()).await {
        let Some(notice) = next?.and_then(|answer| answer.notice) else {
            break;
        };
        let mut given = given.lock().unwrap_or_else(PoisonError::into_inner);
        given.ids.push(notice.event_id);
        given.cursor = notice.cursor;
    }
    Ok(())
}
