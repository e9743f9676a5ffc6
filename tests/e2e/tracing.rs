//! One trace from the broker's call over two hops to the notice: the spans of three services are collected
//! as a deployment's collector would, and the notice's row names the same trace.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use sqlx::Connection;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::canaries;
use crate::site::{document, until};
use crate::world::world;

/// A span as the collector got it: service, name, trace.
#[derive(Clone, Debug)]
struct Span {
    service: String,
    name: String,
    trace: String,
}

/// The part of the spans that is asked for here; a site has many.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    canaries: Arc<Mutex<BTreeSet<String>>>,
}

/// The call, and the decisions that follow from it.
const COLLECTED: [&str; 2] = ["FileDocument", "decide"];

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let text = request.encode_to_vec();
        let found = canaries::in_text(&String::from_utf8_lossy(&text));
        self.canaries.lock().unwrap().extend(found);
        for resource_spans in request.resource_spans {
            let attributes = resource_spans
                .resource
                .map(|resource| resource.attributes)
                .unwrap_or_default();
            let service = attributes
                .into_iter()
                .find(|attribute| attribute.key == "service.name")
                .map(|attribute| format!("{:?}", attribute.value))
                .unwrap_or_default();
            for span in resource_spans
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans)
                .filter(|span| COLLECTED.iter().any(|name| span.name.contains(name)))
            {
                let trace = span
                    .trace_id
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                self.spans.lock().unwrap().push(Span {
                    service: service.clone(),
                    name: span.name,
                    trace,
                });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

/// What collects the spans of the site that tests share, and where it listens.
fn collector() -> &'static (Runtime, Collector, SocketAddr) {
    static COLLECTOR: OnceLock<(Runtime, Collector, SocketAddr)> = OnceLock::new();
    COLLECTOR.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let collector = Collector::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        runtime.spawn(server);
        (runtime, collector, address)
    })
}

/// The canaries that have stood in a span so far.
pub fn canaries_seen() -> BTreeSet<String> {
    let (_, collector, _) = collector();
    collector.canaries.lock().unwrap().clone()
}

/// The environment in which every service of a site sends every span to the collector.
pub fn environment() -> Vec<(String, String)> {
    let (_, _, address) = collector();
    ["GATE", "CUSTOMS", "BONDED", "RELEASE"]
        .into_iter()
        .flat_map(|service| {
            [
                (
                    format!("{service}_TELEMETRY__OTLP_ENDPOINT"),
                    format!("http://{address}"),
                ),
                (
                    format!("{service}_TELEMETRY__SAMPLE_RATIO_PERCENT"),
                    "100".to_owned(),
                ),
            ]
        })
        .collect()
}

#[test]
fn a_filing_and_its_notice_are_one_trace() {
    let site = world();
    let (runtime, collector, _) = collector();
    let file = document("TT_IM109a/TT_IM109a.xml");
    site.run_json(&["broker", "file", &file]).done();

    until(
        "the filing's trace reaches the decision about its notice",
        || {
            let spans = collector.spans();
            let filings = spans
                .iter()
                .filter(|span| span.name.contains("FileDocument"));
            filings.map(|filing| &filing.trace).any(|trace| {
                let of = |service: &str, name: &str| {
                    spans.iter().any(|span| {
                        span.trace == *trace
                            && span.service.contains(service)
                            && span.name.contains(name)
                    })
                };
                of("customs", "decide") && of("release", "decide")
            })
        },
    );
    let filed: BTreeSet<String> = collector
        .spans()
        .into_iter()
        .filter(|span| span.name.contains("FileDocument"))
        .map(|span| span.trace)
        .collect();
    let release = site.endpoints().unwrap()["postgres"]["release"]
        .as_str()
        .unwrap()
        .to_owned();
    until("the notice's row names the filing's trace", || {
        let notices: Vec<Option<String>> = runtime.block_on(async {
            let mut db = sqlx::PgConnection::connect(&release).await.unwrap();
            sqlx::query_scalar("select traceparent from fabric.outbox where topic = 'release.notice' and key = 'broker-a'")
                .fetch_all(&mut db)
                .await
                .unwrap()
        });
        // W3C: version, trace, span, flags.
        let traces = notices
            .iter()
            .flatten()
            .filter_map(|parent| parent.split('-').nth(1));
        traces.into_iter().any(|trace| filed.contains(trace))
    });
}
