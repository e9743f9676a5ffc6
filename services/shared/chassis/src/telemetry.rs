//! Logs and traces: one message a person can read plus fields, spans that are sent to a collector, and the
//! W3C trace context by which a trace goes on over a topic. It must not see personal data or tokens: spans
//! carry the method, the party and the outcome.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::{LogFormat, TelemetryConfig};

/// The name of the header that carries a trace context (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// One export of spans to the collector may take so long.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The last spans have so long to leave at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Why telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter's directives cannot be read.
    #[error("telemetry.log_filter cannot be read ({0}), write directives such as info,sqlx=warn")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter of traces cannot be made.
    #[error("telemetry.otlp_endpoint cannot be used ({0}), write http://host:4317")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Telemetry was started before in this process.
    #[error("telemetry is started already in this process, start it once")]
    Started(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps telemetry running; sends what is left when it goes.
#[derive(Debug)]
pub struct TelemetryGuard {
    provider: SdkTracerProvider,
}

impl TelemetryGuard {
    /// Sends what is left without blocking the runtime; the orderly end.
    pub async fn shutdown(self) {
        // The last spans of a process are worth a moment, not an error: the guard's drop is the fallback.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        // A second shutdown, or a collector that is gone, is no news at the very end.
        let _ = self.provider.shutdown_with_timeout(FLUSH_TIMEOUT);
    }
}

/// Starts logging to stderr and tracing, once per process and within a Tokio runtime.
///
/// # Errors
///
/// Where a setting cannot be used, or telemetry was started before.
pub fn init(
    service: &'static str,
    config: &TelemetryConfig,
) -> Result<TelemetryGuard, TelemetryError> {
    let filter = EnvFilter::try_new(&config.log_filter)?;
    let provider = tracer_provider(service, config)?;
    let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("greenlane"));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(traces)
        .try_init()?;
    Ok(TelemetryGuard { provider })
}

fn tracer_provider(
    service: &'static str,
    config: &TelemetryConfig,
) -> Result<SdkTracerProvider, TelemetryError> {
    let resource = Resource::builder().with_service_name(service).build();
    let provider = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &config.otlp_endpoint else {
        // Nothing is sent, but ids are still made and passed on, so that a trace begun elsewhere is whole.
        return Ok(provider
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)))
            .build());
    };
    crate::install_tls_provider();
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()?;
    let begun_here = Sampler::TraceIdRatioBased(ratio(config.sample_ratio_percent));
    Ok(provider
        .with_sampler(Sampler::ParentBased(Box::new(begun_here)))
        .with_batch_exporter(exporter)
        .build())
}

#[expect(
    clippy::float_arithmetic,
    reason = "the sampler asks for a fraction; neither money nor goods"
)]
fn ratio(percent: u8) -> f64 {
    f64::from(percent.min(100)) / 100.0
}

/// The current span as a `traceparent` header, to store beside what a later reader continues from; `None`
/// outside any trace.
pub fn traceparent_of_current_span() -> Option<String> {
    let context = tracing::Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut headers = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut headers);
    headers.remove(TRACEPARENT)
}

/// Makes a span, not yet entered, the child of the trace a `traceparent` header names; without a header,
/// or with one that cannot be read, the span begins its own trace.
pub fn span_with_parent(span: &tracing::Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else {
        return;
    };
    let headers = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract(&headers);
    if parent.span().span_context().is_valid() {
        // Fails only where nothing is traced, and then there is nothing to continue.
        let _ = span.set_parent(parent);
    }
}
