//! What callers remember: which of their requests were answered. Nobody may lose one of those. It must not know what was
//! asked.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// A request that was answered: its service has said that it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// What the answer meant to the caller.
    pub what: String,
    /// The request's id.
    pub request_id: Uuid,
    /// When the answer came.
    pub at: Instant,
    /// How long it had been asked for, again and again; not known of what waits for other things too.
    pub waited: Option<Duration>,
}

thread_local! {
    static ACKNOWLEDGED: RefCell<Vec<Acknowledged>> = const { RefCell::new(Vec::new()) };
}

/// Remembers that a request was answered, and for how long it had been asked for.
pub fn acknowledged(what: &str, request_id: &str, waited: Option<Duration>) {
    let request_id = Uuid::parse_str(request_id).expect("a request id is a UUID");
    let acknowledged = Acknowledged {
        what: what.to_owned(),
        request_id,
        at: Instant::now(),
        waited,
    };
    ACKNOWLEDGED.with_borrow_mut(|all| all.push(acknowledged));
}

/// Every request of this thread that was answered.
pub fn all() -> Vec<Acknowledged> {
    ACKNOWLEDGED.with_borrow(Clone::clone)
}
