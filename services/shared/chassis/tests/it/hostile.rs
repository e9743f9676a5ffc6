//! Whatever a stranger writes into a header, a token or a page token: it is read or refused, and the next caller is
//! answered as if nothing had been.

use std::fmt::Debug;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::page::{decode_page_token, encode_page_token};
use chassis::{DevelopmentIssuer, Verifier};
use kernel::SystemClock;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tonic::codegen::http;
use tonic::server::NamedService;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::support::{EchoService, serve, server_config, within};

/// A key that is read must be what its own token says.
fn read_as<K: Serialize + DeserializeOwned + PartialEq + Debug>(token: &str) {
    match decode_page_token::<K>(token) {
        Ok(Some(key)) => {
            let own = decode_page_token::<K>(&encode_page_token(&key));
            assert_eq!(own.expect("its own form"), Some(key));
        }
        Ok(None) => assert_eq!(token, ""),
        Err(refused) => assert_eq!(refused.reason, "PAGE_TOKEN_INVALID"),
    }
}

/// Text, or what lies under a page token of ours with something changed.
fn page_token() -> impl Strategy<Value = String> {
    let inner = prop_oneof![
        r#"\[("[a-z-]{0,9}",?|-?[0-9]{1,25},?|null,?|\[|\{|\]|\}){0,6}\]?"#,
        r#""[0-9a-f-]{30,40}""#,
        "-?[0-9]{1,40}(\\.[0-9e]{1,9})?",
        "(\\[|\\{\"a\":){1,300}",
    ];
    prop_oneof![
        "\\PC{0,80}",
        inner.prop_map(|json| URL_SAFE_NO_PAD.encode(json)),
        proptest::collection::vec(any::<u8>(), 0..200)
            .prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_page_token_of_any_text_is_a_key_or_refused(token in page_token()) {
        read_as::<Uuid>(&token);
        read_as::<String>(&token);
        read_as::<(String, i64)>(&token);
        read_as::<(String, u32, Option<String>)>(&token);
        read_as::<u64>(&token);
    }
}

/// A good token with some bytes replaced, or parts of other ones.
fn token(good: String) -> impl Strategy<Value = String> {
    let changed = (proptest::collection::vec((any::<prop::sample::Index>(), "[ -~]"), 1..4))
        .prop_map({
            let good = good.clone();
            move |changes| {
                let mut bytes = good.clone().into_bytes();
                for (place, with) in changes {
                    let place = place.index(bytes.len());
                    bytes[place] = with.as_bytes()[0];
                }
                String::from_utf8_lossy(&bytes).into_owned()
            }
        });
    let header = r#"\{("(alg|kid|jku|x5u|crit|b64|zip)":("(none|HS256|ES256|[./a-z]{0,30})"|\[\]|null|[0-9]{1,30}),?){0,5}\}?"#;
    let claims = good.split('.').nth(1).unwrap_or_default().to_owned();
    let forged = (header, "[A-Za-z0-9_-]{0,90}").prop_map(move |(header, signature)| {
        format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode(header))
    });
    prop_oneof![
        "[ -~]{0,200}",
        "(\\.|[A-Za-z0-9_-]){0,200}",
        changed,
        forged
    ]
}

#[tokio::test]
async fn a_token_of_any_text_says_who_calls_only_if_it_is_the_one_that_was_issued() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let believed = issuer.identity_config();
    let verifier = Verifier::open(&believed, Arc::new(SystemClock));
    let verifier = verifier.await.unwrap();
    let hour = chrono::TimeDelta::hours(1);
    let roles = [chassis::Role::Haulier];
    let good = issuer.token("haulier-a", &roles, &[], "driver", chrono::Utc::now(), hour);
    assert!(verifier.verify(&good).await.is_ok());
    let mut runner = TestRunner::deterministic();
    let tokens = token(good.clone());
    for _ in 0..3_000 {
        let written = tokens.new_tree(&mut runner).unwrap().current();
        if let Ok(identity) = verifier.verify(&written).await {
            assert_eq!(written, good, "{identity:?}");
        }
    }
}

#[tokio::test]
async fn headers_of_any_bytes_are_read_or_refused_and_the_next_call_is_answered() {
    let serving = serve(server_config()).await;
    let good = format!("Bearer {}", serving.haulier()).into_bytes();
    let stream = TcpStream::connect(serving.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut call = async |name: &str, value: &[u8]| {
        let value = http::HeaderValue::from_bytes(value).unwrap();
        let mut request =
            http::Request::post(format!("http://localhost/{}/Echo", EchoService::NAME))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("authorization", good.as_slice())
                .body(())
                .unwrap();
        request
            .headers_mut()
            .insert(http::HeaderName::try_from(name).unwrap(), value);
        client = client.clone().ready().await.unwrap();
        let (answer, mut body) = client.send_request(request, false).unwrap();
        // An empty message.
        body.send_data(vec![0; 5].into(), true).unwrap();
        let answer = within(answer).await.unwrap();
        Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code())
    };
    // Of what HTTP/2 lets through, and of what the headers of ours look like.
    let value = prop_oneof![
        proptest::collection::vec(prop_oneof![0x20..0x7f_u8, 0x80..=0xff_u8], 0..200),
        "[0-9]{0,12}[HMSmunx]?".prop_map(String::into_bytes),
        "(00|ff|0)-[0-9a-fA-F]{30,34}-[0-9a-f]{14,18}-[0-9a-f]{0,3}".prop_map(String::into_bytes),
        "(Bearer|bearer|Basic) {0,3}[ -~]{0,60}".prop_map(String::into_bytes),
    ];
    let mut runner = TestRunner::deterministic();
    for name in [
        "authorization",
        "grpc-timeout",
        "traceparent",
        "tracestate",
        "grpc-encoding",
        "user-agent",
    ] {
        for _ in 0..150 {
            let value = value.new_tree(&mut runner).unwrap().current();
            let code = call(name, &value).await;
            let told = String::from_utf8_lossy(&value).into_owned();
            match name {
                "authorization" => assert_eq!(code, Code::Unauthenticated, "{told}"),
                "grpc-timeout" => assert!(
                    matches!(code, Code::Ok | Code::DeadlineExceeded | Code::Cancelled),
                    "{code:?} {told}"
                ),
                "grpc-encoding" => assert!(
                    matches!(code, Code::Ok | Code::Unimplemented),
                    "{code:?} {told}"
                ),
                _ => assert_eq!(code, Code::Ok, "{name}: {told}"),
            }
        }
        assert_eq!(
            call("user-agent", b"the next").await,
            Code::Ok,
            "after {name}"
        );
    }
}
