//! One trace from a call through the broker to what it causes: spans around
//! decisions, their W3C context kept in the outbox and given back on reading.

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use std::collections::HashMap;

const TRACEPARENT: &str = "traceparent";

fn propagator() -> opentelemetry_sdk::propagation::TraceContextPropagator {
    opentelemetry_sdk::propagation::TraceContextPropagator::new()
}

/// The span of one decision, below the call or record that caused it.
pub(crate) fn decide_span(
    service: &'static str,
    traceparent: Option<&str>,
    event_type: Option<&str>,
) -> Span {
    let span = tracing::info_span!("decide", service, event_type);
    if let Some(traceparent) = traceparent {
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
        let _ = span.set_parent(propagator().extract(&carrier));
    }
    span
}

/// The span's own W3C context; none if nothing records it.
pub(crate) fn traceparent(span: &Span) -> Option<String> {
    let context = span.context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = HashMap::new();
    propagator().inject_context(&context, &mut carrier);
    carrier.remove(TRACEPARENT)
}
