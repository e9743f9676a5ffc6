//! What keeps customs from starting or going on, and the reasons for which it refuses, each with a page under
//! `docs/errors`.

use chassis::errors::catalogue::Entry;
use tonic::Code;

pub use chassis::service::RunError;
pub use fabric::MigrateError;

/// The reasons for which customs refuses, besides those that all services share.
pub static CATALOGUE: &[Entry] = &[
    entry(
        "CUSTOMS_REQUEST_INVALID",
        Code::InvalidArgument,
        "the caller",
        "A field of the request is missing or wrong; it is named.",
    ),
    entry(
        "LRN_IN_USE",
        Code::AlreadyExists,
        "the filer",
        "The filer's own reference belongs to another declaration of the filer.",
    ),
    entry(
        "PARTY_SUSPENDED",
        Code::PermissionDenied,
        "customs, as the registrar",
        "The filer's party is suspended and may not file.",
    ),
    entry(
        "PARTY_INVALID",
        Code::InvalidArgument,
        "the caller",
        "A party cannot be entered as it was given; all faults are listed.",
    ),
    entry(
        "IDENTIFIER_TAKEN",
        Code::AlreadyExists,
        "the caller",
        "Another party has the identifier.",
    ),
    entry(
        "MANDATE_INVALID",
        Code::InvalidArgument,
        "the caller",
        "A mandate would allow nothing, or nobody, or be over.",
    ),
    entry(
        "MANDATE_NOT_YOURS",
        Code::PermissionDenied,
        "the party itself",
        "Only the party itself or an officer gives its mandates.",
    ),
    entry(
        "ALREADY_ACCEPTED",
        Code::FailedPrecondition,
        "nobody",
        "The declaration is accepted; nothing has to be presented.",
    ),
    entry(
        "ARRIVAL_DECIDED_BY_VISIT",
        Code::FailedPrecondition,
        "the terminal",
        "The goods are bound to a container visit, whose arrival decides.",
    ),
    entry(
        "MATCH_NOT_POSSIBLE",
        Code::FailedPrecondition,
        "the officer",
        "No such goods, visit or manifest line can be meant.",
    ),
    entry(
        "NOT_ACCEPTED",
        Code::FailedPrecondition,
        "the terminal",
        "The declaration is not accepted: its goods have not arrived.",
    ),
    entry(
        "ALREADY_CLEARED",
        Code::FailedPrecondition,
        "the officer",
        "The declaration is cleared; nothing is left to decide.",
    ),
    entry(
        "RELEASED_ALREADY",
        Code::FailedPrecondition,
        "the officer",
        "Goods are released, and a release is not taken back.",
    ),
    entry(
        "TOO_MANY_CONTROLS",
        Code::ResourceExhausted,
        "the officer",
        "The declaration has as many controls as it may have.",
    ),
    entry(
        "CONTROL_DONE",
        Code::FailedPrecondition,
        "the officer",
        "The control is done already.",
    ),
    entry(
        "NOT_RELEASABLE",
        Code::FailedPrecondition,
        "whoever the conditions name",
        "More than an officer's decision is missing; everything is listed.",
    ),
    entry(
        "MANUAL_DUTY_INVALID",
        Code::InvalidArgument,
        "the officer",
        "The officer's assessment leaves an item out, or names one that the tariff covers.",
    ),
    entry(
        "DECLARATION_VOID",
        Code::FailedPrecondition,
        "the broker",
        "The declaration is void; nothing can be decided about it.",
    ),
    entry(
        "ALREADY_DETAINED",
        Code::FailedPrecondition,
        "nobody",
        "The goods are detained already.",
    ),
    entry(
        "NOT_DETAINED",
        Code::FailedPrecondition,
        "nobody",
        "The goods are not detained.",
    ),
    entry(
        "GOODS_HAVE_LEFT",
        Code::FailedPrecondition,
        "nobody",
        "Goods have left: they can be detained no more, and the declaration stands.",
    ),
    entry(
        "INVALIDATION_PENDING",
        Code::FailedPrecondition,
        "the terminal",
        "The declaration is to be void already, and gate has not answered.",
    ),
    entry(
        "GUARANTEE_IN_USE",
        Code::FailedPrecondition,
        "the officer",
        "Goods in bond stand on more of the guarantee than it shall cover.",
    ),
    entry(
        "DEBT_NOT_PAYABLE",
        Code::FailedPrecondition,
        "the payer",
        "Nothing of the debt is to be paid now.",
    ),
    entry(
        "PAYMENT_EXCEEDS_DEBT",
        Code::FailedPrecondition,
        "the payer",
        "The payment is larger than what is open.",
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
