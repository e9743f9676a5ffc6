//! What callers remember: which of their requests were answered. Nobody may lose one of those. It must not know what was
//! asked.

use std::cell::RefCell;

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
}

thread_local! {
    static ACKNOWLEDGED: RefCell<Vec<Acknowledged>> = const { RefCell::new(Vec::new()) };
}

/// Remembers that a request was answered.
pub fn acknowledged(what: &str, request_id: &str) {
    let request_id = Uuid::parse_str(request_id).expect("a request id is a UUID");
    let acknowledged = Acknowledged {
        what: what.to_owned(),
        request_id,
        at: Instant::now(),
    };
    ACKNOWLEDGED.with_borrow_mut(|all| all.push(acknowledged));
}

/// Every request of this thread that was answered.
pub fn all() -> Vec<Acknowledged> {
    ACKNOWLEDGED.with_borrow(Clone::clone)
}
