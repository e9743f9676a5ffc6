//! Waiting, with a deadline: for an answer, by asking the same again whenever one was lost, and for a
//! consequence, by looking; in vain, and the site says how it stands. It must not know what is asked or awaited.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Code, Response, Status};

use crate::play::chance::Chance;
use crate::play::history;
use crate::site::Site;

/// Whatever is waited for, unless more patience is asked for.
const DEADLINE: Duration = Duration::from_secs(60);
/// How soon it is looked at, or asked for, again; each time half as long again, as what does not come soon takes
/// longer, and every look is work for those who are waited for, ...
const POLL: Duration = Duration::from_millis(20);
/// ... but never longer than this.
const POLL_MAX: Duration = Duration::from_millis(200);
/// Of so many answered calls one is made again, where calls are.
const ASKED_AGAIN_ONE_OF: usize = 4;

thread_local! {
    static SITE: Cell<Option<&'static Site>> = const { Cell::new(None) };
    static PATIENCE: Cell<Duration> = const { Cell::new(DEADLINE) };
    static ASKS_AGAIN: RefCell<Option<Chance>> = const { RefCell::new(None) };
}

/// From now on some of this thread's answered calls are made again, as by somebody who has lost the answer: it must be
/// the same.
pub fn asking_again(chance: Chance) {
    ASKS_AGAIN.set(Some(chance));
}

/// What this thread waits for in vain from now on, is told with how this site stands.
pub fn on_site(site: &'static Site) {
    SITE.set(Some(site));
}

/// How long this thread waits from now on.
pub fn with_patience(patience: Duration) {
    PATIENCE.set(patience);
}

/// Makes a call until it is answered. The request must be the same each time, with this id: then it does
/// not matter whether the call or the answer was lost.
pub async fn answered<T: fmt::Debug>(
    what: &str,
    request_id: &str,
    mut call: impl AsyncFnMut() -> Result<Response<T>, Status>,
) -> T {
    let began = Instant::now();
    let end = began + PATIENCE.get();
    let mut poll = POLL;
    loop {
        match call().await {
            Ok(answer) => {
                history::acknowledged(what, request_id, Some(began.elapsed()));
                let answer = answer.into_inner();
                if asks_again() {
                    must_be_answered_alike(what, &answer, &mut call).await;
                }
                return answer;
            }
            Err(status) if is_lost(&status) => {
                assert!(Instant::now() < end, "{what}: no answer: {status:?}");
                pause(&mut poll).await;
            }
            Err(status) => panic!("{what}: refused: {status:?}"),
        }
    }
}

fn asks_again() -> bool {
    ASKS_AGAIN.with_borrow(|chance| {
        let chance = chance.as_ref();
        chance.is_some_and(|chance| chance.below(ASKED_AGAIN_ONE_OF) == 0)
    })
}

async fn must_be_answered_alike<T: fmt::Debug>(
    what: &str,
    answer: &T,
    call: &mut impl AsyncFnMut() -> Result<Response<T>, Status>,
) {
    match call().await {
        Ok(again) => {
            let (first, again) = (format!("{answer:?}"), format!("{:?}", again.into_inner()));
            assert_eq!(
                first, again,
                "{what}: the same request is answered otherwise"
            );
        }
        // Whoever answered may be away now.
        Err(status) if is_lost(&status) => {}
        Err(status) => panic!("{what}: answered, and refused when asked again: {status:?}"),
    }
}

/// Looks until it is there: `Ok(Err(...))` and a status say what is there instead.
pub async fn seen<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Result<T, String>, Status>,
) -> T {
    let patience = PATIENCE.get();
    let end = Instant::now() + patience;
    let mut poll = POLL;
    loop {
        let instead = match look().await {
            Ok(Ok(thing)) => return thing,
            Ok(Err(instead)) => instead,
            Err(status) => status.to_string(),
        };
        if Instant::now() >= end {
            let seconds = patience.as_secs();
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
    let Some(site) = SITE.get() else {
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
