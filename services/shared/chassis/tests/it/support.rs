//! A tiny service on the chassis, served over a real socket, and a client for it. What the service does is
//! said in the message: the tests need no more than an echo that can be held, fail and last.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use chassis::config::{CertificateConfig, IdentityConfig, ServerConfig};
use chassis::server::ServerError;
use chassis::{
    DevelopmentIssuer, Permissions, Readiness, Role, Server, Shutdown, Verifier, caller,
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use kernel::{Clock, SystemClock};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::Service;

/// What a test waits for comes within this time or not at all.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A clock that stands where the test puts it.
pub struct SetClock(pub Mutex<DateTime<Utc>>);

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// The descriptors of the echo service, as the proto crate makes those of the real ones.
pub fn descriptors() -> &'static [u8] {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testdata");
    let project = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../proto");
    let mut compiler = protox::Compiler::new([own, project]).unwrap();
    compiler
        .include_imports(true)
        .open_file("greenlane/chassistest/v1/echo.proto")
        .unwrap();
    compiler.encode_file_descriptor_set().leak()
}

/// The shared sections, listening on any free port.
pub fn server_config() -> ServerConfig {
    #[derive(serde::Deserialize)]
    struct Sections {
        server: ServerConfig,
    }
    let sections: Sections = toml::from_str(include_str!("../testdata/sections.toml")).unwrap();
    let free: SocketAddr = "127.0.0.1:0".parse().unwrap();
    ServerConfig {
        listen: free,
        admin_listen: free,
        ..sections.server
    }
}

/// The echo service: answers the message, unless the message asks for something else.
#[derive(Clone)]
pub struct EchoService {
    /// Held calls wait for a permit of this.
    pub gate: Arc<Semaphore>,
    /// How many calls are being held.
    pub held: Arc<watch::Sender<usize>>,
    /// Ends the streams.
    pub shutdown: Shutdown,
    message_bytes_max: usize,
}

impl EchoService {
    async fn echo(self, request: Request<String>) -> Result<Response<String>, Status> {
        let party = caller(&request)?.party.clone();
        match request.get_ref().as_str() {
            "who" => return Ok(Response::new(party)),
            "hold" => {
                self.held.send_modify(|held| *held += 1);
                let permit = self.gate.acquire().await.unwrap();
                permit.forget();
            }
            "panic" => panic!("a handler's secret"),
            "bare" => return Err(Status::internal("a handler's secret")),
            _ => {}
        }
        Ok(Response::new(request.into_inner()))
    }

    async fn watch(
        self,
        _: Request<String>,
    ) -> Result<Response<ReceiverStream<Result<String, Status>>>, Status> {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            if sender.send(Ok("first".to_owned())).await.is_ok() {
                tokio::select! {
                    () = self.shutdown.requested() => {}
                    () = sender.closed() => {}
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl NamedService for EchoService {
    const NAME: &'static str = "greenlane.chassistest.v1.EchoService";
}

impl Service<http::Request<Body>> for EchoService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default())
                .apply_max_message_size_config(Some(service.message_bytes_max), None);
            Ok(if request.uri().path().ends_with("/Watch") {
                grpc.server_streaming(
                    tower::service_fn(move |request| service.clone().watch(request)),
                    request,
                )
                .await
            } else {
                grpc.unary(
                    tower::service_fn(move |request| service.clone().echo(request)),
                    request,
                )
                .await
            })
        })
    }
}

/// The echo service being served.
pub struct Serving {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub readiness: Readiness,
    pub shutdown: Shutdown,
    pub echo: EchoService,
    pub issuer: DevelopmentIssuer,
    pub running: JoinHandle<Result<(), ServerError>>,
    _folder: TempDir,
}

/// Serves the echo service with this configuration.
pub async fn serve(config: ServerConfig) -> Serving {
    serve_known(config, Vec::new()).await
}

/// The same, to machines with these certificates too.
pub async fn serve_known(config: ServerConfig, certificates: Vec<CertificateConfig>) -> Serving {
    try_serve(config, certificates).await.unwrap()
}

/// The same; why it is not served, if it is not.
pub async fn try_serve(
    config: ServerConfig,
    certificates: Vec<CertificateConfig>,
) -> Result<Serving, ServerError> {
    let folder = tempfile::tempdir().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let identity = IdentityConfig {
        certificates,
        ..issuer.identity_config()
    };
    let verifier = Verifier::open(&identity, Arc::new(SystemClock))
        .await
        .unwrap();
    let permissions = Permissions::from_descriptors(descriptors()).unwrap();
    let shutdown = Shutdown::manual();
    let readiness = Readiness::awaiting(&["database"]);
    let echo = EchoService {
        gate: Arc::new(Semaphore::new(0)),
        held: Arc::new(watch::Sender::new(0)),
        shutdown: shutdown.clone(),
        message_bytes_max: config.message_bytes_max,
    };
    let server = Server::new("echo", config, verifier, permissions, shutdown.clone())
        .add_service(echo.clone());
    let bound = server.bind(readiness.clone()).await?;
    let (address, admin) = (bound.address(), bound.admin_address());
    let running = tokio::spawn(bound.run());
    Ok(Serving {
        address,
        admin,
        readiness,
        shutdown,
        echo,
        issuer,
        running,
        _folder: folder,
    })
}

impl Serving {
    /// A token for a haulier, good for an hour.
    pub fn haulier(&self) -> String {
        self.token(&[Role::Haulier])
    }

    /// A token with these roles, good for an hour.
    pub fn token(&self, roles: &[Role]) -> String {
        self.issued(roles, TimeDelta::hours(1))
    }

    /// A token for a haulier that is over after so long.
    pub fn token_for(&self, lifetime: TimeDelta) -> String {
        self.issued(&[Role::Haulier], lifetime)
    }

    fn issued(&self, roles: &[Role], lifetime: TimeDelta) -> String {
        self.issuer.token(
            "haulier-a",
            roles,
            &[],
            "driver",
            SystemClock.now(),
            lifetime,
        )
    }

    /// A new connection.
    pub async fn client(&self) -> Client {
        Client {
            channel: Endpoint::from_shared(format!("http://{}", self.address))
                .unwrap()
                .connect()
                .await
                .unwrap(),
        }
    }

    /// Waits until so many calls are being held.
    pub async fn holding(&self, calls: usize) {
        let mut held = self.echo.held.subscribe();
        within(held.wait_for(|held| *held >= calls)).await.unwrap();
    }

    /// What the admin port answers: status and body.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        chassis::install_tls_provider();
        let response = reqwest::get(format!("http://{}{path}", self.admin))
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

/// Calls `Echo` and says how long it waits for the answer, as gRPC writes it ("50m"), but waits as long as it takes:
/// tonic's own client would give up by itself.
pub async fn patient(serving: &Serving, message: &str, said: &str) -> Result<(), Status> {
    let stream = TcpStream::connect(serving.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(format!("http://localhost/{}/Echo", EchoService::NAME))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {}", serving.haulier()))
        .header("grpc-timeout", said)
        .body(())
        .unwrap();
    let (answer, mut body) = client.send_request(request, false).unwrap();
    let encoded = prost::Message::encode_to_vec(&message.to_owned());
    let length = u32::try_from(encoded.len()).unwrap().to_be_bytes();
    let framed = [&[0][..], &length, &encoded].concat();
    body.send_data(framed.into(), true).unwrap();
    let answer = within(answer).await.unwrap();
    match Status::from_header_map(answer.headers()) {
        Some(status) if status.code() != tonic::Code::Ok => Err(status),
        _ => Ok(()),
    }
}

/// A client of the echo service.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
}

impl Client {
    /// A client over a connection made elsewhere.
    pub fn over(channel: Channel) -> Self {
        Self { channel }
    }

    /// Calls an RPC of the echo service.
    pub async fn call(
        &self,
        rpc: &str,
        token: Option<&str>,
        message: &str,
    ) -> Result<String, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let path = format!("/{}/{rpc}", EchoService::NAME).parse().unwrap();
        let codec = ProstCodec::<String, String>::default();
        grpc.unary(request(token, message), path, codec)
            .await
            .map(Response::into_inner)
    }

    /// Opens a stream.
    pub async fn watch(&self, token: &str) -> Result<tonic::Streaming<String>, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let path = format!("/{}/Watch", EchoService::NAME).parse().unwrap();
        let codec = ProstCodec::<String, String>::default();
        grpc.server_streaming(request(Some(token), ""), path, codec)
            .await
            .map(Response::into_inner)
    }

    /// The connection, for other clients.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

fn request(token: Option<&str>, message: &str) -> Request<String> {
    let mut request = Request::new(message.to_owned());
    if let Some(token) = token {
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

/// Awaits what must come.
pub async fn within<F: Future>(awaited: F) -> F::Output {
    tokio::time::timeout(DEADLINE, awaited)
        .await
        .expect("it did not come in time")
}

/// A configuration that believes one issuer by a key file.
pub fn believing(issuer: &str, jwks_file: &Path) -> IdentityConfig {
    IdentityConfig {
        issuers: vec![chassis::IssuerConfig {
            issuer: issuer.to_owned(),
            audience: "greenlane".to_owned(),
            jwks_url: None,
            jwks_file: Some(jwks_file.to_owned()),
        }],
        clock_skew_seconds: 5,
        token_cache_entries_max: 100,
        certificates: Vec::new(),
    }
}
