//! Waiting for consequences: a condition is looked at again whenever a notice has come, and now and then
//! besides, until a deadline. It must not know what is waited for.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::mishap::Mishap;
use super::notices::Notices;

/// A consequence shows within this time, or the demo has failed. Most take milliseconds; a busy machine that
/// has just started six servers is given its time.
const CONSEQUENCE_SECONDS_MAX: u64 = 20;
/// Not every consequence comes with a notice.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What a look at the services shows.
pub enum Look<T> {
    /// It is there.
    Seen(T),
    /// It is not; this is there instead.
    NotYet(String),
}

impl<T> Look<T> {
    /// Seen, if it is so.
    pub fn if_so(is_so: bool, thing: T, instead: impl Into<String>) -> Look<T> {
        if is_so {
            Look::Seen(thing)
        } else {
            Look::NotYet(instead.into())
        }
    }
}

/// Looks until it is there.
///
/// # Errors
/// It is not there in time, or a look failed.
pub async fn until<T>(
    notices: &Notices,
    awaited: &str,
    mut look: impl AsyncFnMut() -> Result<Look<T>, Mishap>,
) -> Result<T, Mishap> {
    let deadline = Instant::now() + Duration::from_secs(CONSEQUENCE_SECONDS_MAX);
    let mut news = notices.news();
    let mut seen = "no answer yet".to_owned();
    loop {
        // Marked as read before the look: what comes during it makes the next one.
        news.borrow_and_update();
        match timeout_at(deadline, look()).await {
            Ok(Ok(Look::Seen(thing))) => return Ok(thing),
            Ok(Ok(Look::NotYet(instead))) => seen = instead,
            Ok(Err(mishap)) if mishap.is_passing() => seen = mishap.to_string(),
            Ok(Err(mishap)) => return Err(mishap),
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            let awaited = awaited.to_owned();
            return Err(Mishap::NotInTime {
                awaited,
                seconds: CONSEQUENCE_SECONDS_MAX,
                seen,
            });
        }
        // Either will do: news, or the time to look without.
        let _ = timeout(LOOK_AGAIN, news.changed()).await;
    }
}

/// The answer to a look, where what is looked for need not exist yet.
///
/// # Errors
/// Any other refusal.
pub fn if_there<T>(answer: Result<tonic::Response<T>, tonic::Status>) -> Result<Option<T>, Mishap> {
    match answer {
        Ok(response) => Ok(Some(response.into_inner())),
        Err(status) if status.code() == tonic::Code::NotFound => Ok(None),
        Err(status) => Err(status.into()),
    }
}
