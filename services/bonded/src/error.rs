//! What keeps bonded from starting or going on, and the reasons for which it refuses, each
//! with a page under `docs/errors`.

use chassis::errors::catalogue::Entry;
use tonic::Code;

pub use chassis::service::RunError;
pub use fabric::MigrateError;

/// The reasons for which bonded refuses, besides those that all services share.
pub static CATALOGUE: &[Entry] = &[
    entry(
        "BOOK_INVALID",
        Code::InvalidArgument,
        "the trader",
        "A book cannot be opened as it was filed; all faults are listed.",
    ),
    entry(
        "BOOK_EXISTS",
        Code::AlreadyExists,
        "the trader",
        "There is a book with this number already.",
    ),
    entry(
        "TRADER_UNKNOWN",
        Code::FailedPrecondition,
        "customs, as the registrar",
        "The register does not name the party as a trader that may act, or cannot be heard about it.",
    ),
    entry(
        "BOOK_LINE_INVALID",
        Code::InvalidArgument,
        "the caller",
        "A line, or a change of its suspension, has faults; all are listed.",
    ),
    entry(
        "BOOK_FULL",
        Code::ResourceExhausted,
        "the trader",
        "The book has as many lines as a book may have.",
    ),
    entry(
        "BOOK_LINE_SUSPENDED",
        Code::FailedPrecondition,
        "the operator",
        "The line is suspended for what was to be posted.",
    ),
    entry(
        "MOVEMENT_POSTED",
        Code::AlreadyExists,
        "nobody",
        "The movement's cause was posted before; a cause is posted once.",
    ),
    entry(
        "MOVEMENT_INVALID",
        Code::InvalidArgument,
        "whoever posts",
        "The movement would break a rule of the ledger.",
    ),
    entry(
        "STOCK_QUERY_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The question about stock has faults; all are listed.",
    ),
    entry(
        "CHAIN_HEAD_INVALID",
        Code::InvalidArgument,
        "the caller",
        "What was given as a head of a chain is none.",
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
