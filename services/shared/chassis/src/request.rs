//! What every handler asks of a request before it makes a command: who calls, and under which request id.
//! It must not know any service's messages.

use std::sync::Arc;

use kernel::{Fault, Refusal};
use tonic::Status;
use uuid::Uuid;

use crate::errors::to_status;
use crate::identity::Caller;

/// Who is calling; put there by the server after the token was verified.
///
/// # Errors
///
/// `TOKEN_MISSING` on an RPC that is open to everybody: nobody has to say who they are there.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<&Caller, Status> {
    request
        .extensions()
        .get::<Arc<Caller>>()
        .map(Arc::as_ref)
        .ok_or_else(|| {
            to_status(&Refusal::unauthenticated(
                "TOKEN_MISSING",
                "Say who you are: send a token in the authorization header.",
            ))
        })
}

/// The id under which a command may be repeated: a UUID in its usual form of 36 characters.
///
/// # Errors
///
/// `REQUEST_ID_INVALID`.
pub fn request_id(text: &str) -> Result<Uuid, Refusal> {
    const HYPHENATED_CHARS: usize = 36;
    let parsed = (text.len() == HYPHENATED_CHARS)
        .then(|| Uuid::parse_str(text).ok())
        .flatten();
    parsed.filter(|id| !id.is_nil()).ok_or_else(|| {
        Refusal::invalid("REQUEST_ID_INVALID", "Every command needs a request id of its own; send a new UUID, and the same one only to repeat the same command.")
            .with_fault(Fault::new("REQUEST_ID_INVALID", "request_id", text, "RFC 9562", "Send a UUID such as 0198c9a4-7c1e-7d5e-8a57-3f0d5a1c9b2e."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_a_uuid_in_its_usual_form() {
        assert!(request_id("0198c9a4-7c1e-7d5e-8a57-3f0d5a1c9b2e").is_ok());
        for wrong in [
            "",
            "1",
            "00000000-0000-0000-0000-000000000000",
            "0198c9a47c1e7d5e8a573f0d5a1c9b2e",
        ] {
            assert_eq!(
                request_id(wrong).unwrap_err().reason,
                "REQUEST_ID_INVALID",
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_request_without_a_caller_is_unauthenticated() {
        let status = caller(&tonic::Request::new(())).unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unauthenticated);
    }
}
