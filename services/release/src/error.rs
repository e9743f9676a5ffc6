//! Why the service does not run, and the reasons for which it refuses: each has a page under
//! `docs/errors`.

use chassis::errors::catalogue::Entry;
use tonic::Code;

pub use chassis::service::RunError;
pub use fabric::MigrateError;

/// The reasons for which release refuses, besides those that all services share.
pub static CATALOGUE: &[Entry] = &[
    entry(
        "RELEASE_REQUEST_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The request has faults, all of them listed.",
    ),
    entry(
        "CURSOR_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The cursor was not given by the notices.",
    ),
    entry(
        "HAULIER_UNKNOWN",
        Code::InvalidArgument,
        "the line",
        "The haulier is not a registered one.",
    ),
    entry(
        "SITE_UNKNOWN",
        Code::InvalidArgument,
        "the caller",
        "There is no such site.",
    ),
    entry(
        "COMMERCIAL_RELEASE_EXISTS",
        Code::AlreadyExists,
        "the line",
        "The consignment is released to another haulier.",
    ),
    entry(
        "COMMERCIAL_RELEASE_REVOCATION_PENDING",
        Code::FailedPrecondition,
        "the line",
        "A revocation for the same consignment waits for gate's answer.",
    ),
    entry(
        "COMMERCIAL_RELEASES_EXHAUSTED",
        Code::ResourceExhausted,
        "the line",
        "Too many releases were given for one transport document.",
    ),
    entry(
        "HOLD_NOT_ALLOWED",
        Code::PermissionDenied,
        "the caller",
        "None of the caller's roles may place this hold.",
    ),
    entry(
        "HOLD_NOT_YOURS",
        Code::PermissionDenied,
        "whoever placed the hold",
        "Somebody else placed the hold.",
    ),
    entry(
        "HOLDS_EXHAUSTED",
        Code::ResourceExhausted,
        "the caller",
        "Too many holds stand on one thing.",
    ),
    entry(
        "RELEASE_NOT_GRANTED",
        Code::FailedPrecondition,
        "nobody",
        "There is no granted release to take back.",
    ),
];

const fn entry(
    reason: &'static str,
    code: Code,
    who_acts: &'static str,
    meaning: &'static str,
) -> Entry {
    Entry {
        reason,
        meaning,
        who_acts,
        code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_page() {
        for entry in CATALOGUE {
            let page = format!(
                "{}/../../docs/errors/{}.md",
                env!("CARGO_MANIFEST_DIR"),
                entry.reason
            );
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            assert!(
                text.starts_with(&format!("# {}\n", entry.reason)),
                "write {page}"
            );
        }
    }
}
