//! What a developer's tool (`grpcurl`, say) does with a running service, over the public wire and with
//! nothing of ours compiled in: it asks what is there, resolves the descriptors with their imports, builds a
//! message from JSON, calls, and reads the answer. So the codec carries bytes, and the few messages of the
//! reflection protocol are written down here.

use std::collections::BTreeSet;

use bytes::{Buf as _, BufMut as _};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use prost_types::FileDescriptorProto;
use serde_json::{Value, json};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::site::Site;
use crate::world::world;

const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const REFLECTION_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
const FABRIC_ADMIN: &str = "greenlane.fabric.v1.FabricAdminService";
const HEALTH: &str = "grpc.health.v1.Health";

/// A service and a question that anybody with its role may ask: whose, which, the request, and what the
/// answer must have.
const QUESTIONS: [(&str, &str, &str, &str, &str); 4] = [
    (
        "gate",
        "greenlane.gate.v1.GateService",
        "ListSites",
        "terminal",
        "sites",
    ),
    (
        "customs",
        "greenlane.customs.v1.CustomsService",
        "ListDeclarations",
        "officer-1",
        "declarations",
    ),
    (
        "bonded",
        "greenlane.bonded.v1.BondedService",
        "ListBooks",
        "operator",
        "books",
    ),
    (
        "release",
        "greenlane.release.v1.ReleaseService",
        "ListNotices",
        "haulier-a",
        "notices",
    ),
];

/// Messages as the bytes they are.
#[derive(Clone, Copy, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Bytes;
    type Decoder = Bytes;

    fn encoder(&mut self) -> Bytes {
        Bytes
    }

    fn decoder(&mut self) -> Bytes {
        Bytes
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; from.remaining()];
        from.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}

/// `ServerReflectionRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct Asked {
    #[prost(oneof = "Ask", tags = "3, 4, 7")]
    ask: Option<Ask>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Ask {
    #[prost(string, tag = "3")]
    FileByFilename(String),
    #[prost(string, tag = "4")]
    FileContainingSymbol(String),
    #[prost(string, tag = "7")]
    ListServices(String),
}

/// `ServerReflectionResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct Answered {
    #[prost(oneof = "Answer", tags = "4, 6, 7")]
    answer: Option<Answer>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Answer {
    #[prost(message, tag = "4")]
    Files(Files),
    #[prost(message, tag = "6")]
    Services(Services),
    #[prost(message, tag = "7")]
    Error(ReflectionError),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    files: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    services: Vec<ServiceName>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ServiceName {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ReflectionError {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// A tool connected to one service.
struct Tool {
    /// By which version of the protocol it asks.
    reflection: &'static str,
    channel: Channel,
    descriptors: DescriptorPool,
}

impl Tool {
    async fn connected_to(site: &Site, service: &str, reflection: &'static str) -> Tool {
        let address = site.endpoints().unwrap()[service]["grpc"]
            .as_str()
            .unwrap()
            .to_owned();
        let endpoint = Endpoint::from_shared(address).unwrap();
        Tool {
            reflection,
            channel: endpoint.connect().await.unwrap(),
            descriptors: DescriptorPool::new(),
        }
    }

    async fn reflect(&self, ask: Ask) -> Answer {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let asked = Asked { ask: Some(ask) }.encode_to_vec();
        let answers = grpc
            .streaming(
                Request::new(tokio_stream::once(asked)),
                self.reflection.parse().unwrap(),
                Bytes,
            )
            .await
            .unwrap();
        let first = answers.into_inner().message().await.unwrap().unwrap();
        Answered::decode(first.as_slice()).unwrap().answer.unwrap()
    }

    /// What is served beside the reflection itself.
    async fn list(&self) -> BTreeSet<String> {
        match self.reflect(Ask::ListServices(String::new())).await {
            Answer::Services(listed) => listed
                .services
                .into_iter()
                .map(|one| one.name)
                .filter(|name| !self.reflection.starts_with(&format!("/{name}/")))
                .collect(),
            other => panic!("no list of services: {other:?}"),
        }
    }

    /// Takes over the file that declares a symbol, after all that it imports.
    async fn resolve(&mut self, symbol: &str) {
        let mut wanted = vec![Ask::FileContainingSymbol(symbol.to_owned())];
        let mut files: Vec<FileDescriptorProto> = Vec::new();
        while let Some(ask) = wanted.pop() {
            let Answer::Files(found) = self.reflect(ask.clone()).await else {
                panic!("{ask:?} is not answered with a file");
            };
            for bytes in found.files {
                let file = FileDescriptorProto::decode(bytes.as_slice()).unwrap();
                if files.iter().any(|known| known.name == file.name) {
                    continue;
                }
                let imports = file.dependency.iter().cloned();
                wanted.extend(imports.map(Ask::FileByFilename));
                files.push(file);
            }
        }
        self.descriptors.add_file_descriptor_protos(files).unwrap();
    }

    fn method(&self, service: &str, name: &str) -> MethodDescriptor {
        let service = self.descriptors.get_service_by_name(service).unwrap();
        service
            .methods()
            .find(|method| method.name() == name)
            .unwrap()
    }

    /// Calls with a message of this JSON; the answer as JSON.
    async fn call(
        &self,
        service: &str,
        name: &str,
        message: Value,
        token: Option<&str>,
    ) -> Result<Value, Status> {
        let method = self.method(service, name);
        let message = DynamicMessage::deserialize(method.input(), message).unwrap();
        let mut request = Request::new(message.encode_to_vec());
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", bearer);
        }
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let path = format!("/{service}/{name}").parse().unwrap();
        let answer: Vec<u8> = grpc.unary(request, path, Bytes).await?.into_inner();
        let answer = DynamicMessage::decode(method.output(), answer.as_slice()).unwrap();
        let options = SerializeOptions::new()
            .use_proto_field_name(true)
            .skip_default_fields(false);
        Ok(answer
            .serialize_with_options(serde_json::value::Serializer, &options)
            .unwrap())
    }
}

/// What the process of a service serves: itself and nothing of the others.
fn served(service: &str) -> BTreeSet<String> {
    BTreeSet::from([service, FABRIC_ADMIN, HEALTH].map(str::to_owned))
}

fn token(site: &Site, party: &str) -> String {
    let printed = site.run(&["token", "--as", party]).done().stdout;
    printed.trim().to_owned()
}

#[test]
fn a_tool_that_knows_nothing_lists_and_calls_every_service() {
    let site = world();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (process, service, question, party, field) in QUESTIONS {
        let token = token(site, party);
        let admin = self::token(site, "admin");
        runtime.block_on(async {
            let mut tool = Tool::connected_to(site, process, REFLECTION).await;
            assert_eq!(tool.list().await, served(service), "{process}");
            for name in served(service) {
                tool.resolve(&name).await;
            }
            let page = json!({ "page": { "page_size": 1 } });
            let message = if question == "ListSites" {
                json!({})
            } else {
                page
            };
            let answer = tool
                .call(service, question, message.clone(), Some(&token))
                .await
                .unwrap();
            assert!(answer[field].is_array(), "{answer}");
            let refused = tool.call(service, question, message, None).await;
            assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
            let status = tool
                .call(FABRIC_ADMIN, "GetFabricStatus", json!({}), Some(&admin))
                .await
                .unwrap();
            assert_eq!(status["service"], process);
            let health = tool
                .call(HEALTH, "Check", json!({ "service": service }), None)
                .await
                .unwrap();
            assert_eq!(health["status"], "SERVING");
        });
    }
}

#[test]
fn every_call_of_a_service_can_be_described_by_the_older_reflection_too() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (process, service, ..) in QUESTIONS {
        runtime.block_on(async {
            let mut tool = Tool::connected_to(world(), process, REFLECTION_ALPHA).await;
            assert_eq!(tool.list().await, served(service), "{process}");
            for name in served(service) {
                tool.resolve(&name).await;
                let described = tool.descriptors.get_service_by_name(&name).unwrap();
                for method in described.methods() {
                    let request = DynamicMessage::new(method.input());
                    assert!(request.encode_to_vec().is_empty(), "{}", method.full_name());
                }
            }
        });
    }
}
