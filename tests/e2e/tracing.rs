//! One trace from the broker's call over two hops to the notice: the spans of three services are collected
//! as a deployment's collector would, and the notice's row names the same trace.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use sqlx::Connection;
use tonic::{Request, Response, Status};

use crate::site::{Site, document, until};

/// A span as the collector got it: service, name, trace.
#[derive(Clone, Debug)]
struct Span {
    service: String,
    name: String,
    trace: String,
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource_spans in request.into_inner().resource_spans {
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
            {
                let trace = span
                    .trace_id
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                self.0.lock().unwrap().push(Span {
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
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn a_filing_and_its_notice_are_one_trace() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let collector = Collector::default();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
    runtime.spawn(server);

    let mut environment = Vec::new();
    for service in ["GATE", "CUSTOMS", "BONDED", "RELEASE"] {
        environment.push((
            format!("{service}_TELEMETRY__OTLP_ENDPOINT"),
            format!("http://{address}"),
        ));
        environment.push((
            format!("{service}_TELEMETRY__SAMPLE_RATIO_PERCENT"),
            "100".to_owned(),
        ));
    }
    let site = Site::start_with(environment);
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
