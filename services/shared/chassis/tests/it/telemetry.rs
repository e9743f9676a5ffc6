//! A trace goes on where a header says so. One test, because telemetry starts once in a process.

use chassis::TelemetryConfig;
use chassis::config::LogFormat;
use chassis::telemetry::{TelemetryError, init, span_with_parent, traceparent_of_current_span};

#[tokio::test]
async fn a_span_continues_the_trace_of_its_header() {
    let config = TelemetryConfig {
        log_format: LogFormat::Json,
        log_filter: "off,it::telemetry=info".to_owned(),
        otlp_endpoint: None,
        sample_ratio_percent: 100,
    };
    assert_eq!(traceparent_of_current_span(), None);
    let guard = init("test", &config).unwrap();
    assert!(matches!(
        init("test", &config),
        Err(TelemetryError::Started(_))
    ));

    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let child = tracing::info_span!("child");
    span_with_parent(&child, Some(header));
    let passed_on = child.in_scope(traceparent_of_current_span).unwrap();
    assert!(
        passed_on.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"),
        "{passed_on}"
    );
    assert_ne!(passed_on, header);

    let own = tracing::info_span!("own");
    span_with_parent(&own, Some("not a header"));
    let begun = own.in_scope(traceparent_of_current_span).unwrap();
    assert!(
        !begun.contains("4bf92f3577b34da6a3ce929d0e0e4736"),
        "{begun}"
    );
    assert_eq!(traceparent_of_current_span(), None);
    guard.shutdown().await;
}
