//! Why the service does not run, and the reasons for which it refuses: each has a page under
//! `docs/errors`.

use chassis::errors::catalogue::{Entry, reason};
use tonic::Code;

pub use chassis::service::RunError;
pub use fabric::MigrateError;

/// The reasons for which release refuses, besides those that all services share.
pub static CATALOGUE: &[Entry] = &[
    reason(
        "RELEASE_REQUEST_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The request has faults, all of them listed.",
    ),
    reason(
        "CURSOR_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The cursor was not given by the notices.",
    ),
    reason(
        "HAULIER_UNKNOWN",
        Code::InvalidArgument,
        "the line",
        "The haulier is not a registered one.",
    ),
    reason(
        "SITE_UNKNOWN",
        Code::InvalidArgument,
        "the caller",
        "There is no such site.",
    ),
    reason(
        "COMMERCIAL_RELEASE_EXISTS",
        Code::AlreadyExists,
        "the line",
        "The consignment is released to another haulier.",
    ),
    reason(
        "COMMERCIAL_RELEASE_REVOCATION_PENDING",
        Code::FailedPrecondition,
        "the line",
        "A revocation for the same consignment waits for gate's answer.",
    ),
    reason(
        "COMMERCIAL_RELEASE_CONSUMED",
        Code::FailedPrecondition,
        "nobody",
        "Every container of the commercial release has left.",
    ),
    reason(
        "COMMERCIAL_RELEASES_EXHAUSTED",
        Code::ResourceExhausted,
        "the line",
        "Too many releases were given for one transport document.",
    ),
    reason(
        "HOLD_NOT_ALLOWED",
        Code::PermissionDenied,
        "the caller",
        "None of the caller's roles may place this hold.",
    ),
    reason(
        "HOLD_NOT_YOURS",
        Code::PermissionDenied,
        "whoever placed the hold",
        "Somebody else placed the hold.",
    ),
    reason(
        "HOLDS_EXHAUSTED",
        Code::ResourceExhausted,
        "the caller",
        "Too many holds stand on one thing.",
    ),
    reason(
        "RELEASE_NOT_GRANTED",
        Code::FailedPrecondition,
        "nobody",
        "There is no granted release to take back.",
    ),
];
