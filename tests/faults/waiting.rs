//! Waiting, with a deadline: for an answer, by asking the same again whenever one was lost, and for a
//! consequence, by looking; in vain, and the site says how it stands. It must not know what is asked or awaited.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Code, Response, Status};

use crate::sites;

/// Whatever is waited for.
const DEADLINE: Duration = Duration::from_secs(60);
/// How soon it is looked at, or asked for, again; each time half as long again, as what does not come soon takes
/// longer, and every look is work for those who are waited for, ...
const POLL: Duration = Duration::from_millis(20);
/// ... but never longer than this.
const POLL_MAX: Duration = Duration::from_millis(200);

/// Makes a call until it is answered. The request must be the same each time, with the same id: then it does
/// not matter whether the call or the answer was lost.
pub async fn answered<T>(
    what: &str,
    mut call: impl AsyncFnMut() -> Result<Response<T>, Status>,
) -> T {
    let end = Instant::now() + DEADLINE;
    let mut poll = POLL;
    loop {
        match call().await {
            Ok(answer) => return answer.into_inner(),
            Err(status) if is_lost(&status) => {
                assert!(Instant::now() < end, "{what}: no answer: {status:?}");
                pause(&mut poll).await;
            }
            Err(status) => panic!("{what}: refused: {status:?}"),
        }
    }
}

/// Looks until it is there: `Ok(Err(...))` and a status say what is there instead.
pub async fn seen<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Result<T, String>, Status>,
) -> T {
    let end = Instant::now() + DEADLINE;
    let mut poll = POLL;
    loop {
        let instead = match look().await {
            Ok(Ok(thing)) => return thing,
            Ok(Err(instead)) => instead,
            Err(status) => status.to_string(),
        };
        if Instant::now() >= end {
            let seconds = DEADLINE.as_secs();
            panic!(
                "{what}: not within {seconds} s: {instead}\n{}",
                how_the_site_stands()
            );
        }
        pause(&mut poll).await;
    }
}

async fn pause(poll: &mut Duration) {
    sleep(*poll).await;
    *poll = (*poll * 3 / 2).min(POLL_MAX);
}

fn how_the_site_stands() -> String {
    let Some(site) = sites::present() else {
        return String::new();
    };
    let status = site.run(&["fabric", "status"]);
    format!("{}{}{}", status.stdout, status.stderr, site.told())
}

/// The thing if it is so, or what is there instead.
pub fn if_so<T>(is_so: bool, thing: T, instead: impl Into<String>) -> Result<T, String> {
    if is_so {
        Ok(thing)
    } else {
        Err(instead.into())
    }
}

/// Whether a call was not answered by its service: it was away, or went away meanwhile.
fn is_lost(status: &Status) -> bool {
    let by_transport = std::error::Error::source(status).is_some();
    by_transport
        || matches!(
            status.code(),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled
        )
}
