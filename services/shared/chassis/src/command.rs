//! The way of every command from a handler into the loop and back: who asks,
//! under which id, with what content, and the stored bytes of the answer as the
//! RPC's message again.

use fabric::{Command, Handle, fingerprint};
use prost::Message;
use tonic::Status;
use uuid::Uuid;

use crate::errors::{internal, to_status};
use crate::identity::Caller;
use crate::request::request_id;
use crate::telemetry::traceparent_of_current_span;

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

/// Has a command decided by the loop.
///
/// `content` is the request message: the same request id with other content is
/// refused. A dry run is decided and forgotten.
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
        request_id: (!call.validate_only).then_some(id),
        fingerprint: fingerprint(call.method, &content.encode_to_vec()),
        traceparent: traceparent_of_current_span(),
        input,
    };
    let reply = handle.submit(call.lane, command).await;
    let bytes = reply.outcome.map_err(|refusal| to_status(&refusal))?;
    let response = R::decode(bytes).map_err(|error| internal(&error))?;
    Ok(Answered {
        response,
        repeated: reply.repeated,
    })
}
