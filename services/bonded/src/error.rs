//! What keeps bonded from starting or going on, and the reasons for which it refuses, each
//! with a page under `docs/errors`.

use chassis::errors::catalogue::{Entry, reason};
use tonic::Code;

pub use chassis::service::RunError;
pub use fabric::MigrateError;

/// The reasons for which bonded refuses, besides those that all services share.
pub static CATALOGUE: &[Entry] = &[
    reason(
        "BOOK_INVALID",
        Code::InvalidArgument,
        "the trader",
        "A book cannot be opened as it was filed; all faults are listed.",
    ),
    reason(
        "BOOK_EXISTS",
        Code::AlreadyExists,
        "the trader",
        "There is a book with this number already.",
    ),
    reason(
        "TRADER_UNKNOWN",
        Code::FailedPrecondition,
        "customs, as the registrar",
        "The register does not name the party as a trader that may act, or cannot be heard about it.",
    ),
    reason(
        "BOOK_LINE_INVALID",
        Code::InvalidArgument,
        "the caller",
        "A line, or a change of its suspension, has faults; all are listed.",
    ),
    reason(
        "BOOK_FULL",
        Code::ResourceExhausted,
        "the trader",
        "The book has as many lines as a book may have.",
    ),
    reason(
        "BOOK_LINE_SUSPENDED",
        Code::FailedPrecondition,
        "the operator",
        "The line is suspended for what was to be posted.",
    ),
    reason(
        "MOVEMENT_POSTED",
        Code::AlreadyExists,
        "nobody",
        "The movement's cause was posted before; a cause is posted once.",
    ),
    reason(
        "MOVEMENT_INVALID",
        Code::InvalidArgument,
        "whoever posts",
        "The movement would break a rule of the ledger.",
    ),
    reason(
        "STOCK_LIST_INVALID",
        Code::InvalidArgument,
        "the filer",
        "A stock list cannot be taken as it was filed; all faults are listed.",
    ),
    reason(
        "STOCK_NOT_AVAILABLE",
        Code::FailedPrecondition,
        "the trader",
        "There is not enough stock that may be taken; what there is and what was passed over is listed.",
    ),
    reason(
        "MANDATE_MISSING",
        Code::PermissionDenied,
        "the trader",
        "The broker holds no mandate of the trader to file stock lists that counts now.",
    ),
    reason(
        "STOCK_LIST_STATE",
        Code::FailedPrecondition,
        "the caller",
        "The list is not in a state in which this can be done with it.",
    ),
    reason(
        "STOCK_LIST_NOTHING_PASSED",
        Code::FailedPrecondition,
        "the operator",
        "A list of which nothing has passed is not closed short but voided.",
    ),
    reason(
        "STOCK_LIST_NOT_COUNTED",
        Code::FailedPrecondition,
        "the operator",
        "What was counted is to be posted, and the line was not counted.",
    ),
    reason(
        "LIST_NUMBERS_EXHAUSTED",
        Code::ResourceExhausted,
        "the platform's operator",
        "All list numbers of a customs area, year and direction are given.",
    ),
    reason(
        "COUNT_INVALID",
        Code::InvalidArgument,
        "the operator",
        "A receipt count has faults; all are listed.",
    ),
    reason(
        "DISCREPANCY_SETTLED",
        Code::FailedPrecondition,
        "nobody",
        "The discrepancy is settled already.",
    ),
    reason(
        "DISCREPANCIES_EXHAUSTED",
        Code::ResourceExhausted,
        "the operator",
        "The list has as many discrepancies as a list may have.",
    ),
    reason(
        "RESOLUTION_INVALID",
        Code::InvalidArgument,
        "the operator",
        "A discrepancy is settled by what passed or by what was counted.",
    ),
    reason(
        "STOCK_QUERY_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The question about stock has faults; all are listed.",
    ),
    reason(
        "CHAIN_HEAD_INVALID",
        Code::InvalidArgument,
        "the caller",
        "What was given as a head of a chain is none.",
    ),
];
