//! The five journeys, played as their parties would by whoever looks at Greenlane under faults: what is asked, what must
//! come of it, and how somebody is stopped meanwhile. A play panics with what it did not see: it is played by tests and
//! by the rig, which takes that for its finding.

// A play panics like a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod balanced;
pub mod chance;
pub mod history;
pub mod journey;
pub mod opening;
pub mod outage;
pub mod parties;
pub mod script;
pub mod settling;
pub mod waiting;
