//! The one place where a refusal becomes a gRPC status and a status a refusal again: `ErrorInfo` with the
//! catalogued reason, `BadRequest` with the faults, `PreconditionFailure` with who must act, and what else
//! fits. It must not decide anything, and nothing of an internal error's cause leaves it but an id.

pub mod catalogue;
mod wording;

use std::collections::HashMap;
use std::time::Duration;

use http::HeaderMap;
use kernel::{Refusal, RefusalKind};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt};

/// The `domain` of every `ErrorInfo`.
pub const ERROR_DOMAIN: &str = "greenlane";

/// Message and details travel in HTTP/2 trailers, the details base64-coded, and clients accept 16 KiB of
/// trailers by default. What exceeds this many bytes of text is left out, and faults and conditions that
/// are left out are counted.
pub const DETAILS_BYTES_MAX: usize = 8_000;

/// The longest message of a status, in characters; it travels twice, once percent-encoded.
pub const MESSAGE_CHARS_MAX: usize = 400;

/// A caller that met a full queue is asked to wait so long.
pub const OVERLOAD_RETRY_MILLIS: u64 = 250;

/// Says a refusal in gRPC's words.
///
/// Faults and unmet conditions are given in order until [`DETAILS_BYTES_MAX`]; what had to be left out is
/// counted in the metadata (`faults_omitted`, `unmet_omitted`).
pub fn to_status(refusal: &Refusal) -> Status {
    status_with_code(code_of(refusal), refusal)
}

fn status_with_code(code: Code, refusal: &Refusal) -> Status {
    let message = clipped(&refusal.message);
    // The message stands in the details too, and once more in a quota's failure.
    let mut room = Room(DETAILS_BYTES_MAX.saturating_sub(2 * message.len()));
    let mut details = ErrorDetails::new();
    let mut metadata: HashMap<String, String> = HashMap::new();
    for (name, value) in &refusal.metadata {
        if room.takes(name.len() + value.len()) {
            metadata.insert(name.clone(), value.clone());
        }
    }
    let violations: Vec<_> = refusal
        .faults
        .iter()
        .map(|fault| FieldViolation::new(fault.path.as_str(), wording::of_fault(fault)))
        .take_while(|violation| room.takes(violation.field.len() + violation.description.len()))
        .collect();
    count_omitted(
        &mut metadata,
        "faults_omitted",
        refusal.faults.len() - violations.len(),
    );
    if !violations.is_empty() {
        details.set_bad_request(violations);
    }
    let conditions: Vec<_> = refusal
        .unmet
        .iter()
        .map(|unmet| {
            PreconditionViolation::new(
                unmet.condition.as_str(),
                unmet.subject.as_str(),
                wording::of_unmet(unmet),
            )
        })
        .take_while(|violation| {
            room.takes(
                violation.r#type.len() + violation.subject.len() + violation.description.len(),
            )
        })
        .collect();
    count_omitted(
        &mut metadata,
        "unmet_omitted",
        refusal.unmet.len() - conditions.len(),
    );
    if !conditions.is_empty() {
        details.set_precondition_failure(conditions);
    }
    if let Some((resource_type, name)) = &refusal.resource {
        details.set_resource_info(resource_type, clipped(name), "", "");
    }
    if let Some(millis) = refusal.retry_after_millis {
        details.set_retry_info(Some(Duration::from_millis(millis)));
    }
    if refusal.kind == RefusalKind::Exhausted {
        details.add_quota_failure_violation(&refusal.reason, &message);
    }
    details.set_error_info(&refusal.reason, ERROR_DOMAIN, metadata);
    Status::with_error_details(code, message, details)
}

/// Reads a status as the refusal it was; for clients.
///
/// A status without our details (a proxy's, a broken connection's) becomes a refusal of the nearest kind,
/// with a reason made of its code.
pub fn from_status(status: &Status) -> Refusal {
    let details = status.get_error_details();
    let kind = kind_of(status.code());
    let info = details.error_info();
    let reason = match info {
        Some(info) => info.reason.as_str(),
        None => transport_reason(status.code()),
    };
    let mut refusal = Refusal::internal(reason, status.message());
    refusal.kind = kind;
    if let Some(info) = info {
        refusal.metadata = info
            .metadata
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
    }
    if let Some(request) = details.bad_request() {
        let violations = &request.field_violations;
        refusal.faults = violations
            .iter()
            .map(|violation| wording::to_fault(&violation.field, &violation.description))
            .collect();
    }
    if let Some(precondition) = details.precondition_failure() {
        let violations = &precondition.violations;
        refusal.unmet = violations
            .iter()
            .map(|violation| {
                wording::to_unmet(
                    &violation.r#type,
                    &violation.subject,
                    &violation.description,
                )
            })
            .collect();
    }
    refusal.resource = details.resource_info().map(|resource| {
        (
            resource.resource_type.clone(),
            resource.resource_name.clone(),
        )
    });
    refusal.retry_after_millis = details
        .retry_info()
        .and_then(|retry| retry.retry_delay)
        .and_then(|delay| u64::try_from(delay.as_millis()).ok());
    refusal
}

/// Answers an error of ours: its cause goes to the log, once, under an id, and the caller learns the id.
pub fn internal(error: &dyn std::error::Error) -> Status {
    let mut causes = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        source = cause.source();
    }
    internal_because(&causes)
}

pub(crate) fn internal_because(cause: &str) -> Status {
    let error_id = kernel::new_id().to_string();
    tracing::error!(%error_id, cause, "a call failed");
    let message = format!("The service failed; quote {error_id} to its operator.");
    to_status(&Refusal::internal("INTERNAL", message).with_metadata("error_id", error_id))
}

/// The answer of a full service: come back in a moment.
pub fn overloaded() -> Status {
    to_status(
        &Refusal::exhausted(
            "OVERLOADED",
            "The service has as much in hand as it takes; send the same request again in a moment.",
        )
        .with_retry_after_millis(OVERLOAD_RETRY_MILLIS),
    )
}

pub(crate) fn deadline_exceeded(timeout: Duration) -> Status {
    let message = format!(
        "No answer within {} ms; repeat the request with the same request id to learn its outcome.",
        timeout.as_millis()
    );
    to_status(&Refusal::unavailable("DEADLINE", message))
}

/// The catalogued form of a status that carries no details of ours: what the gRPC library answered by
/// itself (too large, cannot be decoded, no such RPC), or a handler's bare status. `None` where the
/// headers carry no error, or one with details. An internal error's text is never passed on.
pub(crate) fn catalogued(headers: &HeaderMap) -> Option<Status> {
    let status = Status::from_header_map(headers)?;
    if status.code() == Code::Ok || !status.details().is_empty() {
        return None;
    }
    // The library calls a message that it cannot decode an internal error; it is the caller's.
    if status.code() == Code::Internal
        && status
            .message()
            .starts_with("failed to decode Protobuf message")
    {
        let message = format!(
            "The message cannot be read; build it from the published proto: {}",
            status.message()
        );
        return Some(to_status(&Refusal::invalid("MESSAGE_INVALID", message)));
    }
    Some(match status.code() {
        Code::Internal | Code::Unknown | Code::DataLoss => internal_because(status.message()),
        // Kept, because clients ask for this code to learn what a service can do.
        code => status_with_code(code, &from_status(&status)),
    })
}

/// A kind has one code; the one reason with a code of its own is an answer that did not come in time.
fn code_of(refusal: &Refusal) -> Code {
    match refusal.kind {
        _ if refusal.reason == "DEADLINE" => Code::DeadlineExceeded,
        RefusalKind::Invalid => Code::InvalidArgument,
        RefusalKind::NotFound => Code::NotFound,
        RefusalKind::AlreadyExists => Code::AlreadyExists,
        RefusalKind::Denied => Code::PermissionDenied,
        RefusalKind::Unmet => Code::FailedPrecondition,
        RefusalKind::Stale => Code::Aborted,
        RefusalKind::Exhausted => Code::ResourceExhausted,
        RefusalKind::Unauthenticated => Code::Unauthenticated,
        RefusalKind::Unavailable => Code::Unavailable,
        RefusalKind::Internal => Code::Internal,
    }
}

fn kind_of(code: Code) -> RefusalKind {
    match code {
        Code::InvalidArgument | Code::OutOfRange => RefusalKind::Invalid,
        Code::NotFound => RefusalKind::NotFound,
        Code::AlreadyExists => RefusalKind::AlreadyExists,
        Code::PermissionDenied => RefusalKind::Denied,
        Code::FailedPrecondition => RefusalKind::Unmet,
        Code::Aborted => RefusalKind::Stale,
        Code::ResourceExhausted => RefusalKind::Exhausted,
        Code::Unauthenticated => RefusalKind::Unauthenticated,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => RefusalKind::Unavailable,
        Code::Ok | Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => {
            RefusalKind::Internal
        }
    }
}

/// The reason of a status that carries none of ours.
fn transport_reason(code: Code) -> &'static str {
    match code {
        Code::DeadlineExceeded => "DEADLINE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Unavailable | Code::Cancelled | Code::Unknown => "UNREACHABLE",
        Code::ResourceExhausted => "OVERLOADED",
        Code::InvalidArgument | Code::OutOfRange => "MESSAGE_INVALID",
        Code::Unauthenticated => "TOKEN_MISSING",
        Code::PermissionDenied => "RPC_NOT_GRANTED",
        Code::NotFound => "NOT_FOUND",
        _ => "INTERNAL",
    }
}

/// The bytes that are left for details.
struct Room(usize);

impl Room {
    fn takes(&mut self, bytes: usize) -> bool {
        // Each detail is wrapped in a message or two of its own.
        const OVERHEAD_BYTES: usize = 16;
        match self.0.checked_sub(bytes + OVERHEAD_BYTES) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

fn count_omitted(metadata: &mut HashMap<String, String>, name: &str, omitted: usize) {
    if omitted > 0 {
        metadata.insert(name.to_owned(), omitted.to_string());
    }
}

fn clipped(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}
