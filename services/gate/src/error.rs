//! Why the service does not run, and the reasons for which it refuses: each has a page under
//! `docs/errors`.

use chassis::errors::catalogue::{Entry, reason};
use tonic::Code;

pub use chassis::service::RunError;
pub use fabric::MigrateError;

/// The reasons for which gate refuses, besides those that all services share.
pub static CATALOGUE: &[Entry] = &[
    reason(
        "FILING_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The filing has faults, all of them listed.",
    ),
    reason(
        "PRE_ARRIVAL_OVER",
        Code::FailedPrecondition,
        "the haulier",
        "The pre-arrival is used, cancelled or expired.",
    ),
    reason(
        "PRE_ARRIVAL_UNDER_WAY",
        Code::FailedPrecondition,
        "the haulier",
        "The truck of a transfer is inside its first site, or on the road with the goods.",
    ),
    reason(
        "STOCK_LIST_NOT_OPEN",
        Code::FailedPrecondition,
        "the trader",
        "No more of the stock list passes: it is void, closed short, posted, or its voiding is asked.",
    ),
    reason(
        "STOCK_LIST_EXCEEDED",
        Code::FailedPrecondition,
        "the caller",
        "Less is left of the stock list than is asked for the truck.",
    ),
    reason(
        "PASSES_EXHAUSTED",
        Code::ResourceExhausted,
        "the trader",
        "The stock list has as many passes as its numbers can tell apart.",
    ),
    reason(
        "CONTAINER_NOT_HERE",
        Code::FailedPrecondition,
        "the terminal",
        "The container does not stand at the site.",
    ),
    reason(
        "INSPECTIONS_EXHAUSTED",
        Code::ResourceExhausted,
        "the terminal",
        "The truck has too many inspections.",
    ),
    reason(
        "INSPECTION_OUT_OF_ORDER",
        Code::FailedPrecondition,
        "whoever inspects",
        "An earlier inspection site has not passed the truck.",
    ),
    reason(
        "INSPECTION_NOT_YOURS",
        Code::PermissionDenied,
        "whoever ordered the inspection",
        "Somebody else ordered the inspection.",
    ),
    reason(
        "INSPECTION_OVER",
        Code::FailedPrecondition,
        "the caller",
        "The inspection is over.",
    ),
    reason(
        "NOTHING_TO_DECIDE",
        Code::FailedPrecondition,
        "the caller",
        "Nothing waits for a person's decision.",
    ),
    reason(
        "CONDITIONS_CHANGED",
        Code::FailedPrecondition,
        "the caller",
        "Something else stands in the way than the person saw who decided.",
    ),
    reason(
        "HELD",
        Code::FailedPrecondition,
        "whoever placed the hold or ordered the inspection",
        "A hold or an inspection stands in the way of a person's decision.",
    ),
    reason(
        "TRUCK_VISIT_OVER",
        Code::FailedPrecondition,
        "the caller",
        "The truck visit is over.",
    ),
    reason(
        "TRUCK_ALREADY_INSIDE",
        Code::FailedPrecondition,
        "the terminal",
        "A truck of this plate is recorded as being inside.",
    ),
    reason(
        "NOT_ADMISSIBLE",
        Code::FailedPrecondition,
        "whoever the conditions name",
        "More stands against letting the truck in than a person may set aside.",
    ),
    reason(
        "CHECK_IN_FINAL",
        Code::FailedPrecondition,
        "the terminal",
        "The check-in cannot be taken back: the truck or its goods have gone on.",
    ),
    reason(
        "TRUCK_NOT_HERE",
        Code::FailedPrecondition,
        "the terminal",
        "No visit of this truck is open at the site.",
    ),
];
