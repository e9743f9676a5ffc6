//! What keeps customs from starting or going on, and the reasons for which it refuses, each with a page under
//! `docs/errors`.

use chassis::errors::catalogue::{Entry, reason};
use tonic::Code;

pub use chassis::service::RunError;
pub use fabric::MigrateError;

/// The reasons for which customs refuses, besides those that all services share.
pub static CATALOGUE: &[Entry] = &[
    reason(
        "CUSTOMS_REQUEST_INVALID",
        Code::InvalidArgument,
        "the caller",
        "A field of the request is missing or wrong; it is named.",
    ),
    reason(
        "LRN_IN_USE",
        Code::AlreadyExists,
        "the filer",
        "The filer's own reference belongs to another declaration of the filer.",
    ),
    reason(
        "PARTY_SUSPENDED",
        Code::PermissionDenied,
        "customs, as the registrar",
        "The filer's party is suspended and may not file.",
    ),
    reason(
        "PARTY_INVALID",
        Code::InvalidArgument,
        "the caller",
        "A party cannot be entered as it was given; all faults are listed.",
    ),
    reason(
        "IDENTIFIER_TAKEN",
        Code::AlreadyExists,
        "the caller",
        "Another party has the identifier.",
    ),
    reason(
        "MANDATE_INVALID",
        Code::InvalidArgument,
        "the caller",
        "A mandate would allow nothing, or nobody, or be over.",
    ),
    reason(
        "MANDATE_NOT_YOURS",
        Code::PermissionDenied,
        "the party itself",
        "Only the party itself or an officer gives its mandates.",
    ),
    reason(
        "ALREADY_ACCEPTED",
        Code::FailedPrecondition,
        "nobody",
        "The declaration is accepted; nothing has to be presented.",
    ),
    reason(
        "ARRIVAL_DECIDED_BY_VISIT",
        Code::FailedPrecondition,
        "the terminal",
        "The goods are bound to a container visit, whose arrival decides.",
    ),
    reason(
        "MATCH_NOT_POSSIBLE",
        Code::FailedPrecondition,
        "the officer",
        "No such goods, visit or manifest line can be meant.",
    ),
    reason(
        "NOT_ACCEPTED",
        Code::FailedPrecondition,
        "the terminal",
        "The declaration is not accepted: its goods have not arrived.",
    ),
    reason(
        "ALREADY_CLEARED",
        Code::FailedPrecondition,
        "the officer",
        "The declaration is cleared; nothing is left to decide.",
    ),
    reason(
        "RELEASED_ALREADY",
        Code::FailedPrecondition,
        "the officer",
        "Goods are released, and a release is not taken back.",
    ),
    reason(
        "TOO_MANY_CONTROLS",
        Code::ResourceExhausted,
        "the officer",
        "The declaration has as many controls as it may have.",
    ),
    reason(
        "CONTROL_DONE",
        Code::FailedPrecondition,
        "the officer",
        "The control is done already.",
    ),
    reason(
        "NOT_RELEASABLE",
        Code::FailedPrecondition,
        "whoever the conditions name",
        "More than an officer's decision is missing; everything is listed.",
    ),
    reason(
        "MANUAL_DUTY_INVALID",
        Code::InvalidArgument,
        "the officer",
        "The officer's assessment leaves an item out, or names one that the tariff covers.",
    ),
    reason(
        "DECLARATION_VOID",
        Code::FailedPrecondition,
        "the broker",
        "The declaration is void; nothing can be decided about it.",
    ),
    reason(
        "ALREADY_DETAINED",
        Code::FailedPrecondition,
        "nobody",
        "The goods are detained already.",
    ),
    reason(
        "NOT_DETAINED",
        Code::FailedPrecondition,
        "nobody",
        "The goods are not detained.",
    ),
    reason(
        "GOODS_HAVE_LEFT",
        Code::FailedPrecondition,
        "nobody",
        "Goods have left: they can be detained no more, and the declaration stands.",
    ),
    reason(
        "INVALIDATION_PENDING",
        Code::FailedPrecondition,
        "the terminal",
        "The declaration is to be void already, and gate has not answered.",
    ),
    reason(
        "GUARANTEE_IN_USE",
        Code::FailedPrecondition,
        "the officer",
        "Goods in bond stand on more of the guarantee than it shall cover.",
    ),
    reason(
        "DEBT_NOT_PAYABLE",
        Code::FailedPrecondition,
        "the payer",
        "Nothing of the debt is to be paid now.",
    ),
    reason(
        "PAYMENT_REFERENCE_USED",
        Code::AlreadyExists,
        "the payer",
        "Another amount was credited under the payment's reference.",
    ),
    reason(
        "PAYMENT_EXCEEDS_DEBT",
        Code::FailedPrecondition,
        "the payer",
        "The payment is larger than what is open.",
    ),
];
