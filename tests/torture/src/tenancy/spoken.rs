//! How any RPC is called without code made for it: messages by their descriptors, as the services' reflection gives them.
//! It must not know what is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Buf as _;
use chassis::{Permissions, Role};
use futures::StreamExt as _;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

/// A stream that does not end gives at once what it has; what comes later is not waited for.
const STREAM_WAIT: Duration = Duration::from_millis(150);
/// A call that takes longer has no answer.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// An RPC, and who may call it.
#[derive(Clone, Debug)]
pub struct Rpc {
    /// The service's database and process: "gate".
    pub service: String,
    path: String,
    method: MethodDescriptor,
    roles: BTreeSet<Role>,
    any_authenticated: bool,
}

impl Rpc {
    /// Every RPC of the four services.
    pub fn all() -> anyhow::Result<Vec<Rpc>> {
        let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET)?;
        let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET)?;
        let mut all = Vec::new();
        for service in pool.services() {
            let package = service.package_name().split('.').nth(1).unwrap_or_default();
            // Each service has its own: what it tells is the same.
            let owner = if package == "fabric" { "gate" } else { package };
            for method in service.methods() {
                let path = path(&method);
                if let Some(permission) = permissions.of(&path) {
                    all.push(Rpc {
                        service: owner.to_owned(),
                        path,
                        method,
                        roles: permission.roles.clone(),
                        any_authenticated: permission.any_authenticated,
                    });
                }
            }
        }
        Ok(all)
    }

    /// "GetPreArrival".
    pub fn name(&self) -> &str {
        self.method.name()
    }

    /// What it is asked with.
    pub fn input(&self) -> MessageDescriptor {
        self.method.input()
    }

    /// Whether somebody of this role reaches it.
    pub fn admits(&self, role: Role) -> bool {
        self.any_authenticated || self.roles.contains(&role)
    }

    /// Asks, and takes what comes.
    pub async fn ask(&self, channel: &Channel, bearer: &str, message: DynamicMessage) -> Answer {
        let asked = tokio::time::timeout(ANSWER_WAIT, self.asked(channel, bearer, message)).await;
        match asked {
            Ok(Ok(messages)) => Answer::Given(messages),
            Ok(Err(status)) => Answer::refused(&status),
            Err(_) => Answer::refused(&Status::deadline_exceeded("no answer")),
        }
    }

    async fn asked(
        &self,
        channel: &Channel,
        bearer: &str,
        message: DynamicMessage,
    ) -> Result<Vec<DynamicMessage>, Status> {
        let path = PathAndQuery::try_from(self.path.as_str());
        let path = path.map_err(|_| Status::internal("no such path"))?;
        let codec = Described(self.method.output());
        let mut client = Grpc::new(channel.clone());
        client
            .ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        if !self.method.is_server_streaming() {
            let request = authorized(message, bearer)?;
            let answer = client.unary(request, path, codec).await?;
            return Ok(vec![answer.into_inner()]);
        }
        let stream = if self.method.is_client_streaming() {
            let messages = futures::stream::iter([message]);
            client
                .streaming(authorized(messages, bearer)?, path, codec)
                .await?
        } else {
            client
                .server_streaming(authorized(message, bearer)?, path, codec)
                .await?
        };
        let mut stream = stream.into_inner();
        let wait = match self.method.is_client_streaming() {
            true => ANSWER_WAIT,
            false => STREAM_WAIT,
        };
        let mut messages = Vec::new();
        while let Ok(Some(next)) = tokio::time::timeout(wait, stream.next()).await {
            messages.push(next?);
        }
        Ok(messages)
    }
}

fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

fn authorized<T>(message: T, bearer: &str) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    let value = bearer.parse().map_err(|_| Status::internal("no header"))?;
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}

/// What came of a call.
#[derive(Clone, Debug)]
pub enum Answer {
    /// One message, or those of a stream.
    Given(Vec<DynamicMessage>),
    /// None.
    Refused {
        /// Which sort of refusal.
        code: Code,
        /// The catalogue's reason; empty where there is none.
        reason: String,
        /// All that it says beside the code: text and details.
        text: String,
        /// The fields that it finds fault with: "containers[0].seals".
        faults: Vec<String>,
    },
}

impl Answer {
    fn refused(status: &Status) -> Answer {
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone());
        let violations = details.bad_request().map(|bad| &bad.field_violations);
        let violations = violations.into_iter().flatten();
        Answer::Refused {
            faults: violations
                .map(|violation| violation.field.clone())
                .collect(),
            code: status.code(),
            reason: reason.unwrap_or_default(),
            text: format!("{}\n{details:?}", status.message()),
        }
    }
}

/// Messages by their descriptor.
struct Described(MessageDescriptor);

impl Codec for Described {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Written;
    type Decoder = Described;

    fn encoder(&mut self) -> Written {
        Written
    }

    fn decoder(&mut self) -> Described {
        Described(self.0.clone())
    }
}

struct Written;

impl Encoder for Written {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Described {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        DynamicMessage::decode(self.0.clone(), bytes)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
