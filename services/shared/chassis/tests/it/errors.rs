//! A refusal survives the journey to a client, within the limits of what travels.

use chassis::errors::{DETAILS_BYTES_MAX, from_status, internal, to_status};
use chrono::DateTime;
use kernel::{Fault, Refusal, RefusalKind, Unmet};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The status as a client receives it: through headers.
fn over_the_wire(status: Status) -> Status {
    let response = status.into_http::<()>();
    Status::from_header_map(response.headers()).unwrap()
}

fn unmet() -> Unmet {
    Unmet {
        condition: "CUSTOMS_NOT_RELEASED".to_owned(),
        subject: "declaration D-1".to_owned(),
        who: "officer".to_owned(),
        since: DateTime::from_timestamp(1_767_225_600, 0),
        evidence: "greenlane.customs.declaration.v1/3/1/7".to_owned(),
        description: "The documents control must be completed.".to_owned(),
    }
}

#[test]
fn every_kind_of_refusal_comes_back_as_it_went() {
    let kinds = [
        (RefusalKind::Invalid, Code::InvalidArgument),
        (RefusalKind::NotFound, Code::NotFound),
        (RefusalKind::AlreadyExists, Code::AlreadyExists),
        (RefusalKind::Denied, Code::PermissionDenied),
        (RefusalKind::Unmet, Code::FailedPrecondition),
        (RefusalKind::Stale, Code::Aborted),
        (RefusalKind::Exhausted, Code::ResourceExhausted),
        (RefusalKind::Unauthenticated, Code::Unauthenticated),
        (RefusalKind::Unavailable, Code::Unavailable),
        (RefusalKind::Internal, Code::Internal),
    ];
    for (kind, code) in kinds {
        let mut refusal = Refusal::invalid(
            "REQUEST_ID_INVALID",
            "What is wrong, and 什么要做 about it.",
        )
        .with_fault(
            Fault::new("A", "items[0].mass", "-1", "mass >= 0", "Give {a} mass.")
                .with_pointer("42A/67A"),
        )
        .with_fault(Fault::new("B", "", "", "", ""))
        .with_resource("declaration", "D-1")
        .with_metadata("current_version", "7")
        .with_retry_after_millis(1_500);
        refusal.kind = kind;
        refusal.unmet = vec![
            unmet(),
            Unmet {
                since: None,
                evidence: String::new(),
                ..unmet()
            },
        ];
        let status = over_the_wire(to_status(&refusal));
        assert_eq!(status.code(), code);
        assert_eq!(from_status(&status), refusal);
    }
}

#[test]
fn faults_name_code_value_and_rule_and_conditions_name_who_must_act() {
    let fault = Fault::new(
        "CONTAINER_CHECK_DIGIT",
        "containers[0]",
        "MRKU0000000",
        "ISO 6346",
        "Check the number.",
    );
    let status =
        to_status(&Refusal::unmet("STALE_VERSION", "Not yet.", vec![unmet()]).with_fault(fault));
    let request = status.get_details_bad_request().unwrap();
    let violation = &request.field_violations[0];
    assert_eq!(violation.field, "containers[0]");
    assert_eq!(
        violation.description,
        r#"Check the number. {"code":"CONTAINER_CHECK_DIGIT","value":"MRKU0000000","rule":"ISO 6346"}"#
    );
    let precondition = status.get_details_precondition_failure().unwrap();
    assert!(
        precondition.violations[0]
            .description
            .starts_with("officer must act: The documents control")
    );
    assert_eq!(precondition.violations[0].subject, "declaration D-1");
    assert_eq!(status.get_details_error_info().unwrap().domain, "greenlane");
}

#[test]
fn more_faults_than_travel_are_counted() {
    let faults = (0..1_000).map(|item| {
        Fault::new(
            "MASS",
            format!("items[{item}].mass"),
            "-1",
            "mass >= 0",
            "Give a mass.",
        )
    });
    let status = to_status(&Refusal::invalid("REQUEST_ID_INVALID", "Faulty.").with_faults(faults));
    assert!(
        status.details().len() <= DETAILS_BYTES_MAX + 500,
        "{} bytes",
        status.details().len()
    );
    let back = from_status(&over_the_wire(status));
    let omitted: usize = back.metadata["faults_omitted"].parse().unwrap();
    assert!(back.faults.len() > 50);
    assert_eq!(back.faults.len() + omitted, 1_000);
}

#[test]
fn the_largest_refusal_fits_into_the_trailers_that_clients_accept() {
    const CLIENT_HEADERS_BYTES_MAX: usize = 16_384;
    let long = "箱".repeat(2_000);
    let faults = (0..1_000).map(|item| {
        Fault::new(
            "MASS",
            format!("items[{item}]"),
            &long,
            "rule",
            "Give a mass.",
        )
    });
    let refusal = Refusal::exhausted("OVERLOADED", &long)
        .with_faults(faults)
        .with_resource("container", &long)
        .with_metadata("much", &long);
    let response = to_status(&refusal).into_http::<()>();
    // HTTP/2 counts 32 bytes more for each header (RFC 9113, section 6.5.2).
    let bytes: usize = response
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 32)
        .sum();
    assert!(bytes < CLIENT_HEADERS_BYTES_MAX, "{bytes} bytes");
}

#[test]
fn an_internal_error_tells_its_id_and_nothing_else() {
    let status = internal(&std::io::Error::other("password s3cret"));
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "INTERNAL");
    assert!(status.message().contains(&info.metadata["error_id"]));
    assert!(!format!("{status:?}").contains("s3cret"));
}

#[test]
fn a_status_of_somebody_else_becomes_the_nearest_refusal() {
    let refusal = from_status(&Status::unavailable("connection refused"));
    assert_eq!(
        (refusal.kind, refusal.reason.as_str()),
        (RefusalKind::Unavailable, "UNREACHABLE")
    );
    let refusal = from_status(&Status::deadline_exceeded("too late"));
    assert_eq!(
        (refusal.kind, refusal.reason.as_str()),
        (RefusalKind::Unavailable, "DEADLINE")
    );
    assert_eq!(to_status(&refusal).code(), Code::DeadlineExceeded);
}
