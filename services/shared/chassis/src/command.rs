//! The way of every command from a handler into the loop and back: who asks,
//! under which id, with what content, and the stored bytes of the answer as the
//! RPC's message again.

use fabric::{Command, Handle, Origin, fingerprint};
use kernel::Refusal;
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Response, Status};
use uuid::Uuid;

use crate::errors::{internal, to_status};
use crate::identity::Caller;
use crate::request::request_id;
use crate::telemetry::traceparent_of_current_span;

/// Says on a response, and on a refusal, that it is the stored answer to an
/// earlier, equal request.
pub const REPEATED_METADATA: &str = "greenlane-repeated";

/// A command as a handler hands it over.
pub struct Call<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The RPC's name: a request id may be used for one RPC and content only.
    pub method: &'static str,
    /// The caller's id for the command, as it was sent.
    pub request_id: &'a str,
    /// Nothing is kept, not even the answer.
    pub validate_only: bool,
    /// Text that commands about the same thing share: a hint which writer to take.
    pub lane: &'a str,
}

/// A command's answer.
#[derive(Clone, Debug)]
pub struct Answered<R> {
    /// The RPC's response.
    pub response: R,
    /// Whether it is the stored answer to an earlier, equal request.
    pub repeated: bool,
}

impl<R> Answered<R> {
    /// The response as it is sent: with a word in its metadata if it is a repeated one.
    pub fn into_response(self) -> Response<R> {
        let mut response = Response::new(self.response);
        mark(response.metadata_mut(), self.repeated);
        response
    }
}

/// A refusal as it is sent: with a word in its metadata if it is a repeated one.
pub fn refused(refusal: &Refusal, repeated: bool) -> Status {
    let mut status = to_status(refusal);
    mark(status.metadata_mut(), repeated);
    status
}

fn mark(metadata: &mut MetadataMap, repeated: bool) {
    if repeated {
        metadata.insert(REPEATED_METADATA, MetadataValue::from_static("true"));
    }
}

/// Who called an RPC, and from where: for the record.
pub fn origin(caller: &Caller, method: &'static str) -> Origin {
    Origin {
        subject: caller.subject.clone(),
        address: caller.address,
        method,
    }
}

/// Has a command decided by the loop.
///
/// `content` is the request message: the same request id with other content is
/// refused. A dry run is decided and forgotten. A refusal that is the stored
/// answer to an earlier, equal request says so, as [`refused`] does.
///
/// # Errors
///
/// `REQUEST_ID_INVALID`, `REQUEST_ID_REUSED`, `OVERLOADED`, `STOPPING`, and whatever the decision refuses.
pub async fn decide<I, R>(
    handle: &Handle<I>,
    call: Call<'_>,
    content: &impl Message,
    input: I,
) -> Result<Answered<R>, Status>
where
    I: Send + Sync + 'static,
    R: Message + Default,
{
    let id: Uuid = request_id(call.request_id).map_err(|refusal| to_status(&refusal))?;
    let command = Command {
        party: call.caller.party.clone(),
        origin: origin(call.caller, call.method),
        request_id: (!call.validate_only).then_some(id),
        fingerprint: fingerprint(call.method, &content.encode_to_vec()),
        traceparent: traceparent_of_current_span(),
        input,
    };
    let reply = handle.submit(call.lane, command).await;
    let repeated = reply.repeated;
    let bytes = reply
        .outcome
        .map_err(|refusal| refused(&refusal, repeated))?;
    let response = R::decode(bytes).map_err(|error| internal(&error))?;
    Ok(Answered { response, repeated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_answer_says_so_and_a_first_one_does_not() {
        for repeated in [false, true] {
            let answered = Answered {
                response: (),
                repeated,
            };
            let response = answered.into_response();
            let status = refused(&Refusal::not_found("hold", "H1"), repeated);
            for metadata in [response.metadata(), status.metadata()] {
                let said = metadata
                    .get(REPEATED_METADATA)
                    .map(|value| value.as_bytes());
                assert_eq!(said, repeated.then_some(b"true".as_slice()));
            }
        }
    }
}
