//! The error catalogue: every reason that a refusal may carry, once. Programs branch on the reason, people
//! read its page under `docs/errors`. Here stand the reasons that all services share; each service has its
//! own in `src/error.rs`. The contract tests find a reason that is raised and stands in none of them.

use tonic::Code;

/// One reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, in upper snake case.
    pub reason: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// Who must do something about it.
    pub who_acts: &'static str,
    /// The gRPC code it travels with.
    pub code: Code,
}

/// Looks a reason up.
pub fn entry(reason: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.reason == reason)
}

/// An entry, as catalogues write them.
pub const fn reason(
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

/// Every reason there is.
pub static CATALOGUE: &[Entry] = &[
    // Shared by all services: identity and permission.
    reason(
        "TOKEN_MISSING",
        Code::Unauthenticated,
        "the caller",
        "The call carries no token.",
    ),
    reason(
        "TOKEN_MALFORMED",
        Code::Unauthenticated,
        "the caller",
        "What stands in the authorization header is not a token we can read.",
    ),
    reason(
        "TOKEN_ISSUER_UNKNOWN",
        Code::Unauthenticated,
        "the caller",
        "The token comes from an issuer that this service does not believe.",
    ),
    reason(
        "TOKEN_KEY_UNKNOWN",
        Code::Unauthenticated,
        "the caller",
        "The token names a key that its issuer does not publish.",
    ),
    reason(
        "TOKEN_SIGNATURE_INVALID",
        Code::Unauthenticated,
        "the caller",
        "The token's signature does not fit its content.",
    ),
    reason(
        "TOKEN_AUDIENCE_WRONG",
        Code::Unauthenticated,
        "the caller",
        "The token was made for another service.",
    ),
    reason(
        "CERTIFICATE_EXPIRED",
        Code::Unauthenticated,
        "the caller",
        "The time of the certificate that the connection was made with is over.",
    ),
    reason(
        "CERTIFICATE_UNKNOWN",
        Code::Unauthenticated,
        "the caller",
        "The certificate that the connection was made with does not say who calls.",
    ),
    reason(
        "TOKEN_EXPIRED",
        Code::Unauthenticated,
        "the caller",
        "The token's time is over.",
    ),
    reason(
        "TOKEN_NOT_YET_VALID",
        Code::Unauthenticated,
        "the caller",
        "The token's time has not begun.",
    ),
    reason(
        "TOKEN_CLAIM_MISSING",
        Code::Unauthenticated,
        "the caller's issuer",
        "The token lacks a claim that every token needs.",
    ),
    reason(
        "RPC_NOT_GRANTED",
        Code::PermissionDenied,
        "the operator of the service",
        "Nobody may call this RPC: it says not who may.",
    ),
    reason(
        "ROLE_REQUIRED",
        Code::PermissionDenied,
        "the caller",
        "The caller has none of the roles that this RPC asks for.",
    ),
    // Shared by all services: the request.
    reason(
        "REQUEST_ID_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The request id is not a UUID.",
    ),
    reason(
        "REQUEST_ID_REUSED",
        Code::InvalidArgument,
        "the caller",
        "The request id was used for another request.",
    ),
    reason(
        "PAGE_SIZE_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The page size is negative.",
    ),
    reason(
        "PAGE_TOKEN_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The page token was not given by this list.",
    ),
    reason(
        "TIME_INVALID",
        Code::InvalidArgument,
        "the caller",
        "A time is missing or is none.",
    ),
    reason(
        "MONEY_INVALID",
        Code::InvalidArgument,
        "the caller",
        "An amount of money is missing or is none.",
    ),
    reason(
        "QUANTITY_INVALID",
        Code::InvalidArgument,
        "the caller",
        "A quantity is missing or is none.",
    ),
    reason(
        "MESSAGE_INVALID",
        Code::InvalidArgument,
        "the caller",
        "The message cannot be read, or is larger than the service takes.",
    ),
    reason(
        "NOT_FOUND",
        Code::NotFound,
        "the caller",
        "There is no such thing, or none that the caller may see.",
    ),
    reason(
        "STALE_VERSION",
        Code::Aborted,
        "the caller",
        "The change was made against an older version.",
    ),
    reason(
        "CONTAINER_VISIT_AMBIGUOUS",
        Code::InvalidArgument,
        "the caller",
        "The container has more than one visit that is not over.",
    ),
    // Shared by all services: the exchange of facts.
    reason(
        "STOPPING",
        Code::Unavailable,
        "the caller",
        "The service is stopping and takes no more commands.",
    ),
    reason(
        "DATABASE_UNAVAILABLE",
        Code::Unavailable,
        "the operator",
        "The service's database does not answer.",
    ),
    reason(
        "SEQUENCE_NOT_KEPT",
        Code::InvalidArgument,
        "the operator",
        "Records from this sequence on are not kept any more.",
    ),
    reason(
        "REASON_MISSING",
        Code::InvalidArgument,
        "the caller",
        "What was asked for goes on record and needs a reason.",
    ),
    reason(
        "NOT_OLDEST_PARKED",
        Code::FailedPrecondition,
        "the operator",
        "An older record of the same key is parked.",
    ),
    // Shared by all services: the service itself.
    reason(
        "OVERLOADED",
        Code::ResourceExhausted,
        "nobody: send it again",
        "The service has as much in hand as it takes.",
    ),
    reason(
        "STREAMS_EXCEEDED",
        Code::ResourceExhausted,
        "the caller",
        "The party has as many streams open as it may.",
    ),
    reason(
        "QUOTA_EXCEEDED",
        Code::ResourceExhausted,
        "the caller",
        "The party makes more calls than its quota allows.",
    ),
    reason(
        "DEADLINE",
        Code::DeadlineExceeded,
        "the caller",
        "The answer did not come in time; the outcome is not known.",
    ),
    reason(
        "UNREACHABLE",
        Code::Unavailable,
        "the operator of the service",
        "The service could not be reached, or is shutting down.",
    ),
    reason(
        "UNIMPLEMENTED",
        Code::Unimplemented,
        "the caller",
        "The service has no such RPC: it is older than the caller.",
    ),
    reason(
        "INTERNAL",
        Code::Internal,
        "the operator of the service",
        "The service failed; the cause is in its log.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_once_and_in_upper_snake_case() {
        for (index, entry) in CATALOGUE.iter().enumerate() {
            let rest = CATALOGUE.get(index + 1..).unwrap_or_default();
            assert!(
                !rest.iter().any(|other| other.reason == entry.reason),
                "{} stands twice",
                entry.reason
            );
            assert!(
                entry
                    .reason
                    .chars()
                    .all(|letter| letter.is_ascii_uppercase()
                        || letter.is_ascii_digit()
                        || letter == '_')
            );
        }
    }
}
