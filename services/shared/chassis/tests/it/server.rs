//! A service on the chassis as its callers meet it, over a real socket.

use std::sync::Arc;

use chassis::config::{RpcQuota, ServerConfig};
use chassis::server::ServerError;
use chassis::{
    DevelopmentIssuer, Permissions, Readiness, Role, Server, Shutdown, Verifier, from_status,
};
use chrono::TimeDelta;
use kernel::{Clock as _, SystemClock};
use tokio_stream::StreamExt as _;
use tonic::server::NamedService as _;
use tonic::{Code, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_types::StatusExt as _;

use crate::support::{
    Client, EchoService, descriptors, patient, serve, server_config, try_serve, within,
};

fn reason(answer: Result<String, Status>) -> String {
    from_status(&answer.unwrap_err()).reason
}

#[tokio::test]
async fn a_caller_with_the_role_is_served_and_known_by_party() {
    let serving = serve(server_config()).await;
    let client = serving.client().await;
    let token = serving.haulier();
    assert_eq!(
        client.call("Echo", Some(&token), "who").await.unwrap(),
        "haulier-a"
    );
    assert_eq!(
        client.call("EchoAny", Some(&token), "hello").await.unwrap(),
        "hello"
    );
}

#[tokio::test]
async fn a_caller_without_token_or_role_is_refused_and_a_closed_rpc_answers_nobody() {
    let serving = serve(server_config()).await;
    let client = serving.client().await;
    assert_eq!(
        reason(client.call("Echo", None, "who").await),
        "TOKEN_MISSING"
    );
    assert_eq!(
        reason(client.call("Echo", Some("no token"), "who").await),
        "TOKEN_MALFORMED"
    );
    let line = serving.token(&[Role::Line]);
    let refused = client.call("Echo", Some(&line), "who").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(
        refused.get_details_error_info().unwrap().metadata["roles"],
        "haulier, officer"
    );
    let everyone = serving.token(&Role::ALL);
    assert_eq!(
        reason(client.call("EchoClosed", Some(&everyone), "who").await),
        "RPC_NOT_GRANTED"
    );
    assert_eq!(
        reason(client.call("NoSuchCall", Some(&everyone), "who").await),
        "RPC_NOT_GRANTED"
    );
}

#[tokio::test]
async fn a_full_service_answers_at_once_and_says_when_to_come_back() {
    let serving = serve(ServerConfig {
        concurrent_requests_max: 2,
        ..server_config()
    })
    .await;
    let (client, token) = (serving.client().await, serving.haulier());
    let held: Vec<_> = (0..2)
        .map(|_| tokio::spawn(hold(&client, &token)))
        .collect();
    serving.holding(2).await;
    let refused = within(client.call("Echo", Some(&token), "one more"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(from_status(&refused).reason, "OVERLOADED");
    assert!(
        refused
            .get_details_retry_info()
            .unwrap()
            .retry_delay
            .is_some()
    );
    assert!(refused.get_details_quota_failure().is_some());
    serving.echo.gate.add_permits(2);
    for call in held {
        assert_eq!(within(call).await.unwrap().unwrap(), "hold");
    }
    assert_eq!(
        client.call("Echo", Some(&token), "again").await.unwrap(),
        "again"
    );
}

fn hold(client: &Client, token: &str) -> impl Future<Output = Result<String, Status>> + use<> {
    let (client, token) = (client.clone(), token.to_owned());
    async move { client.call("Echo", Some(&token), "hold").await }
}

#[tokio::test]
async fn streams_have_a_limit_of_their_own_and_give_their_place_back() {
    let config = ServerConfig {
        concurrent_streams_max: 1,
        concurrent_requests_max: 1,
        ..server_config()
    };
    let serving = serve(config).await;
    let (client, token) = (serving.client().await, serving.haulier());
    let mut stream = client.watch(&token).await.unwrap();
    assert_eq!(within(stream.next()).await.unwrap().unwrap(), "first");
    assert_eq!(
        client.watch(&token).await.err().map(|status| status.code()),
        Some(Code::ResourceExhausted)
    );
    assert_eq!(
        client.call("Echo", Some(&token), "hello").await.unwrap(),
        "hello"
    );
    drop(stream);
    let next = async {
        loop {
            match client.watch(&token).await {
                Ok(stream) => return stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    within(next).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_gives_its_place_back() {
    let config = ServerConfig {
        concurrent_streams_max: 1,
        ..server_config()
    };
    let serving = serve(config).await;
    let client = serving.client().await;
    // Over; five seconds are forgiven, of which one or two are left.
    let short = serving.token_for(TimeDelta::seconds(-3));
    let mut stream = client.watch(&short).await.unwrap();
    assert_eq!(within(stream.next()).await.unwrap().unwrap(), "first");
    let ended = within(stream.next()).await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Unauthenticated);
    assert_eq!(from_status(&ended).reason, "TOKEN_EXPIRED");
    assert!(within(stream.next()).await.is_none());
    let refused = client.watch(&short).await.err().unwrap();
    assert_eq!(from_status(&refused).reason, "TOKEN_EXPIRED");
    let mut renewed = within(client.watch(&serving.haulier())).await.unwrap();
    assert_eq!(within(renewed.next()).await.unwrap().unwrap(), "first");
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_answered_with_the_deadline() {
    let serving = serve(ServerConfig {
        request_timeout_ms: 50,
        ..server_config()
    })
    .await;
    let (client, token) = (serving.client().await, serving.haulier());
    let late = within(client.call("Echo", Some(&token), "hold"))
        .await
        .unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert_eq!(from_status(&late).reason, "DEADLINE");
}

#[tokio::test]
async fn a_party_that_calls_too_often_is_told_how_long_to_wait() {
    let mut config = server_config();
    config.quota.calls_per_second_max = 1;
    config.quota.calls_burst_max = 2;
    let serving = serve(config).await;
    let (client, token) = (serving.client().await, serving.haulier());
    for _ in 0..2 {
        client.call("Echo", Some(&token), "hello").await.unwrap();
    }
    let refused = client
        .call("Echo", Some(&token), "hello")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(from_status(&refused).reason, "QUOTA_EXCEEDED");
    assert!(refused.get_details_retry_info().is_some());
    assert!(refused.get_details_quota_failure().is_some());
    let whose = refused.get_details_resource_info().unwrap();
    assert_eq!(
        (whose.resource_type, whose.resource_name),
        ("party".into(), "haulier-a".into())
    );
}

#[tokio::test]
async fn an_rpc_with_a_quota_of_its_own_leaves_the_others_to_the_party_and_a_wrong_name_is_told() {
    let limited = |rpc: &str| {
        let mut config = server_config();
        config.quota.rpcs = vec![RpcQuota {
            rpc: format!("{}/{rpc}", EchoService::NAME),
            calls_per_second_max: 1,
            calls_burst_max: 1,
        }];
        config
    };
    let serving = serve(limited("Echo")).await;
    let (client, token) = (serving.client().await, serving.haulier());
    client.call("Echo", Some(&token), "hello").await.unwrap();
    let again = client.call("Echo", Some(&token), "hello").await;
    let refused = again.unwrap_err();
    assert_eq!(from_status(&refused).reason, "QUOTA_EXCEEDED");
    assert!(refused.message().contains("calls of Echo a second"));
    assert!(client.watch(&token).await.is_ok());
    let wrong = try_serve(limited("Ecko"), Vec::new()).await;
    let told = wrong.err().unwrap().to_string();
    assert!(told.contains("EchoService/Ecko"), "{told}");
}

#[tokio::test]
async fn a_party_with_all_its_streams_open_is_told_so_and_may_open_another_when_one_ends() {
    let mut config = server_config();
    config.quota.streams_max = 1;
    let serving = serve(config).await;
    let (client, token) = (serving.client().await, serving.haulier());
    let stream = client.watch(&token).await.unwrap();
    let refused = client.watch(&token).await.err().unwrap();
    assert_eq!(from_status(&refused).reason, "STREAMS_EXCEEDED");
    assert!(refused.get_details_retry_info().is_some());
    assert!(refused.get_details_quota_failure().is_some());
    drop(stream);
    let next = async {
        while client.watch(&token).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    within(next).await;
}

#[tokio::test]
async fn a_party_with_as_many_calls_in_hand_as_it_may_have_is_told_so_and_others_are_served() {
    let mut config = server_config();
    config.quota.calls_in_hand_max = 1;
    let serving = serve(config).await;
    let (client, token) = (serving.client().await, serving.haulier());
    let held = tokio::spawn(hold(&client, &token));
    serving.holding(1).await;
    let refused = client
        .call("Echo", Some(&token), "hello")
        .await
        .unwrap_err();
    assert_eq!(from_status(&refused).reason, "QUOTA_EXCEEDED");
    assert!(refused.get_details_retry_info().is_some());
    let other = serving.issuer.token(
        "haulier-b",
        &[Role::Haulier],
        &[],
        "driver",
        SystemClock.now(),
        TimeDelta::hours(1),
    );
    client.call("Echo", Some(&other), "hello").await.unwrap();
    serving.echo.gate.add_permits(1);
    within(held).await.unwrap().unwrap();
    client.call("Echo", Some(&token), "hello").await.unwrap();
}

#[tokio::test]
async fn a_call_is_answered_in_the_time_that_its_caller_waits_and_not_begun_without_any() {
    let serving = serve(server_config()).await;
    for none in ["0m", "1n", "999u"] {
        let refused = patient(&serving, "hold", none).await.unwrap_err();
        assert_eq!(from_status(&refused).reason, "DEADLINE", "{none}");
    }
    assert_eq!(*serving.echo.held.borrow(), 0);
    let refused = patient(&serving, "hold", "50m").await.unwrap_err();
    assert_eq!(from_status(&refused).reason, "DEADLINE");
    assert_eq!(*serving.echo.held.borrow(), 1);
    for enough in ["10S", "99999999H", "unreadable"] {
        patient(&serving, "hello", enough).await.unwrap();
    }
}

#[tokio::test]
async fn a_panic_or_a_bare_error_is_internal_and_keeps_its_secret() {
    let serving = serve(server_config()).await;
    let (client, token) = (serving.client().await, serving.haulier());
    for failing in ["panic", "bare"] {
        let failed = client
            .call("Echo", Some(&token), failing)
            .await
            .unwrap_err();
        assert_eq!(failed.code(), Code::Internal, "{failing}");
        assert!(!format!("{failed:?}").contains("secret"), "{failed:?}");
        assert!(
            failed
                .get_details_error_info()
                .unwrap()
                .metadata
                .contains_key("error_id")
        );
    }
    assert_eq!(
        client
            .call("Echo", Some(&token), "still there")
            .await
            .unwrap(),
        "still there"
    );
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_with_a_catalogued_reason() {
    let serving = serve(ServerConfig {
        message_bytes_max: 1_024,
        ..server_config()
    })
    .await;
    let (client, token) = (serving.client().await, serving.haulier());
    assert!(
        client
            .call("Echo", Some(&token), &"x".repeat(1_000))
            .await
            .is_ok()
    );
    assert_eq!(
        reason(client.call("Echo", Some(&token), &"x".repeat(2_000)).await),
        "MESSAGE_INVALID"
    );
}

#[tokio::test]
async fn health_and_the_admin_port_follow_readiness() {
    let serving = serve(server_config()).await;
    let mut health = HealthClient::new(serving.client().await.channel());
    let mut states = health
        .watch(HealthCheckRequest {
            service: "greenlane.chassistest.v1.EchoService".to_owned(),
        })
        .await
        .unwrap()
        .into_inner();
    let (status, body) = serving.admin("/readyz").await;
    assert_eq!(
        (status, body.as_str()),
        (
            503,
            r#"{"ready":false,"unmet":{"database":"not reported yet"}}"#
        )
    );
    serving.readiness.set("database", Ok(()));
    let serves = async {
        while states.next().await.unwrap().unwrap().status != ServingStatus::Serving as i32 {}
    };
    within(serves).await;
    assert_eq!(
        serving.admin("/readyz").await,
        (200, r#"{"ready":true,"unmet":{}}"#.to_owned())
    );
    assert_eq!(serving.admin("/healthz").await.0, 200);
    serving.readiness.set("database", Err("connection lost"));
    let stops = async {
        while states.next().await.unwrap().unwrap().status != ServingStatus::NotServing as i32 {}
    };
    within(stops).await;
}

#[tokio::test]
async fn calls_are_measured_by_method_and_code_and_strangers_paths_are_not_names() {
    let serving = serve(server_config()).await;
    let (client, token) = (serving.client().await, serving.haulier());
    client.call("EchoAny", Some(&token), "hello").await.unwrap();
    client.call("EchoAny", None, "hello").await.unwrap_err();
    client
        .call("AnyStrangersText", Some(&token), "hello")
        .await
        .unwrap_err();
    // A call is counted when its last byte has left, which its caller may notice earlier.
    let counted = async {
        loop {
            let metrics = serving.admin("/metrics").await.1;
            let has = |method: &str, code: &str| {
                let labels =
                    format!("greenlane_rpc_seconds_count{{method=\"{method}\",code=\"{code}\"}}");
                metrics.contains(&labels)
            };
            let echo_any = "/greenlane.chassistest.v1.EchoService/EchoAny";
            if has(echo_any, "OK")
                && has(echo_any, "UNAUTHENTICATED")
                && has("unknown", "PERMISSION_DENIED")
            {
                return metrics;
            }
        }
    };
    assert!(!within(counted).await.contains("AnyStrangersText"));
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_hand_and_takes_nothing_new() {
    let serving = serve(server_config()).await;
    serving.readiness.set("database", Ok(()));
    let (client, token) = (serving.client().await, serving.haulier());
    let held = tokio::spawn(hold(&client, &token));
    serving.holding(1).await;
    let mut stream = client.watch(&token).await.unwrap();
    assert_eq!(within(stream.next()).await.unwrap().unwrap(), "first");
    serving.shutdown.request();
    assert!(
        within(stream.next()).await.is_none(),
        "a stream ends in order"
    );
    let closed = async {
        while tokio::net::TcpStream::connect(serving.address)
            .await
            .is_ok()
        {}
    };
    within(closed).await;
    assert_eq!(serving.readiness.unmet()["shutdown"], "shutting down");
    assert_eq!(serving.admin("/readyz").await.0, 503);
    assert!(!serving.running.is_finished());
    serving.echo.gate.add_permits(1);
    assert_eq!(within(held).await.unwrap().unwrap(), "hold");
    within(serving.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_that_never_ends_does_not_keep_the_service_beyond_its_drain_limit() {
    let serving = serve(ServerConfig {
        drain_timeout_ms: 50,
        ..server_config()
    })
    .await;
    let (client, token) = (serving.client().await, serving.haulier());
    let held = tokio::spawn(hold(&client, &token));
    serving.holding(1).await;
    serving.shutdown.request();
    within(serving.running).await.unwrap().unwrap();
    held.abort();
}

#[tokio::test]
async fn a_service_whose_permissions_are_not_known_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let verifier = Verifier::open(&issuer.identity_config(), Arc::new(SystemClock))
        .await
        .unwrap();
    let permissions = Permissions::from_descriptors(descriptors()).unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let config = server_config();
    let server = Server::new(
        "echo",
        config.clone(),
        verifier,
        permissions,
        Shutdown::manual(),
    )
    .add_service(chassis::configured!(health, config));
    let refused = server.bind(Readiness::awaiting(&[])).await.err();
    assert!(matches!(
        refused,
        Some(ServerError::UnknownService("grpc.health.v1.Health"))
    ));
}

#[tokio::test]
async fn reflection_lists_what_is_served_without_a_token() {
    let serving = serve(server_config()).await;
    let mut reflection = ServerReflectionClient::new(serving.client().await.channel());
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = reflection
        .server_reflection_info(tokio_stream::once(list))
        .await
        .unwrap()
        .into_inner();
    let answer = within(answers.next()).await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else {
        panic!("not a list: {answer:?}");
    };
    let mut names: Vec<_> = listed
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "greenlane.chassistest.v1.EchoService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection"
        ]
    );
}
