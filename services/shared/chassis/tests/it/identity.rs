//! Which tokens are believed, and with which reason the others are not.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chassis::identity::{DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER, PermissionsError};
use chassis::{Caller, DevelopmentIssuer, Permissions, Role, Verifier};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::{SetClock, believing, descriptors};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

fn clock() -> Arc<SetClock> {
    Arc::new(SetClock(Mutex::new(now())))
}

fn claims(issuer: &str) -> Value {
    let seconds = now().timestamp();
    json!({
        "iss": issuer, "aud": DEVELOPMENT_AUDIENCE, "sub": "s", "party": "broker-a", "roles": ["broker", "somebody-elses-role"],
        "sites": ["GUOYUAN-PORT"], "nbf": seconds, "exp": seconds + 3_600,
    })
}

/// The good claims of the development issuer with one replaced, or with `null` removed.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims(DEVELOPMENT_ISSUER);
    match value {
        Value::Null => claims.as_object_mut().unwrap().remove(name),
        value => claims
            .as_object_mut()
            .unwrap()
            .insert(name.to_owned(), value),
    };
    claims
}

async fn verifier(issuer: &DevelopmentIssuer) -> Verifier {
    Verifier::open(&issuer.identity_config(), clock())
        .await
        .unwrap()
}

async fn reason(verifier: &Verifier, token: &str) -> String {
    verifier.verify(token).await.unwrap_err().reason
}

#[tokio::test]
async fn a_good_token_says_who_calls() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let token = issuer.token(
        "officer-1",
        &[Role::Officer],
        &["GUOYUAN-PORT"],
        "li",
        now(),
        TimeDelta::hours(1),
    );
    let caller = verifier(&issuer).await.verify(&token).await.unwrap();
    let expected = Caller {
        subject: "li".to_owned(),
        party: "officer-1".to_owned(),
        roles: BTreeSet::from([Role::Officer]),
        sites: BTreeSet::from(["GUOYUAN-PORT".to_owned()]),
        address: None,
    };
    assert_eq!(*caller, expected);
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let verifier = verifier(&issuer).await;
    let seconds = now().timestamp();
    for (name, value, expected) in [
        ("exp", json!(seconds - 6), "TOKEN_EXPIRED"),
        ("nbf", json!(seconds + 6), "TOKEN_NOT_YET_VALID"),
        ("aud", json!("another-service"), "TOKEN_AUDIENCE_WRONG"),
        ("aud", json!(["another-service"]), "TOKEN_AUDIENCE_WRONG"),
        (
            "iss",
            json!("https://id.example.org"),
            "TOKEN_ISSUER_UNKNOWN",
        ),
        ("iss", Value::Null, "TOKEN_CLAIM_MISSING"),
        ("aud", Value::Null, "TOKEN_CLAIM_MISSING"),
        ("exp", Value::Null, "TOKEN_CLAIM_MISSING"),
        ("nbf", Value::Null, "TOKEN_CLAIM_MISSING"),
        ("sub", Value::Null, "TOKEN_CLAIM_MISSING"),
        ("party", Value::Null, "TOKEN_CLAIM_MISSING"),
        ("party", json!(""), "TOKEN_CLAIM_MISSING"),
        ("exp", json!("tomorrow"), "TOKEN_MALFORMED"),
        ("sites", json!(["s".repeat(300)]), "TOKEN_MALFORMED"),
    ] {
        let token = issuer.sign(&claims_with(name, value.clone()));
        assert_eq!(
            reason(&verifier, &token).await,
            expected,
            "{name} = {value}"
        );
    }
    for garbage in ["", "a.b", "a.b.c", &"x".repeat(10_000)] {
        assert_eq!(reason(&verifier, garbage).await, "TOKEN_MALFORMED");
    }
    assert!(
        verifier
            .verify(&issuer.sign(&claims(DEVELOPMENT_ISSUER)))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn clocks_may_differ_a_little_and_an_audience_may_be_one_of_several() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let verifier = verifier(&issuer).await;
    let seconds = now().timestamp();
    for (name, value) in [
        ("exp", json!(seconds - 4)),
        ("nbf", json!(seconds + 5)),
        ("aud", json!(["x", DEVELOPMENT_AUDIENCE])),
    ] {
        assert!(
            verifier
                .verify(&issuer.sign(&claims_with(name, value)))
                .await
                .is_ok(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_token_of_another_key_or_with_changed_content_is_refused() {
    let (folder, foreign_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let foreign = DevelopmentIssuer::create_or_open(foreign_folder.path()).unwrap();
    let verifier = verifier(&issuer).await;
    let good = issuer.sign(&claims(DEVELOPMENT_ISSUER));
    let other = issuer.sign(&claims_with("party", json!("broker-b")));
    assert_eq!(
        reason(&verifier, &foreign.sign(&claims(DEVELOPMENT_ISSUER))).await,
        "TOKEN_KEY_UNKNOWN"
    );
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (good, other) = (parts(&good), parts(&other));
    let changed = format!("{}.{}.{}", good[0], other[1], good[2]);
    assert_eq!(reason(&verifier, &changed).await, "TOKEN_SIGNATURE_INVALID");
}

/// Publishes the public half of a key and believes it under the issuer name `https://id.test`.
async fn believing_key(folder: &Path, key: &EncodingKey, algorithm: Algorithm) -> Verifier {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some("one".to_owned());
    let unusable = json!({ "kty": "post-quantum", "kid": "two" });
    let file = folder.join("keys.json");
    std::fs::write(&file, json!({ "keys": [unusable, jwk] }).to_string()).unwrap();
    Verifier::open(&believing("https://id.test", &file), clock())
        .await
        .unwrap()
}

fn signed(key: &EncodingKey, algorithm: Algorithm) -> String {
    let header = Header {
        kid: Some("one".to_owned()),
        ..Header::new(algorithm)
    };
    jsonwebtoken::encode(&header, &claims("https://id.test"), key).unwrap()
}

#[tokio::test]
async fn es256_and_rs256_are_believed_too() {
    let folder = tempfile::tempdir().unwrap();
    let elliptic = EncodingKey::from_ec_pem(include_bytes!("../testdata/es256.pem")).unwrap();
    let verifier = believing_key(folder.path(), &elliptic, Algorithm::ES256).await;
    assert_eq!(
        verifier
            .verify(&signed(&elliptic, Algorithm::ES256))
            .await
            .unwrap()
            .party,
        "broker-a"
    );
    let rsa = EncodingKey::from_rsa_pem(include_bytes!("../testdata/rs256.pem")).unwrap();
    let verifier = believing_key(folder.path(), &rsa, Algorithm::RS256).await;
    assert_eq!(
        verifier
            .verify(&signed(&rsa, Algorithm::RS256))
            .await
            .unwrap()
            .roles,
        BTreeSet::from([Role::Broker])
    );
}

#[tokio::test]
async fn the_key_says_which_algorithm_is_used_and_not_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let rsa = EncodingKey::from_rsa_pem(include_bytes!("../testdata/rs256.pem")).unwrap();
    let verifier = believing_key(folder.path(), &rsa, Algorithm::RS256).await;
    // The classic forgery: the public key used as the secret of a symmetric signature.
    let forged = EncodingKey::from_secret(include_bytes!("../testdata/rs256.public.pem"));
    assert_eq!(
        reason(&verifier, &signed(&forged, Algorithm::HS256)).await,
        "TOKEN_SIGNATURE_INVALID"
    );
    assert_eq!(
        reason(&verifier, &signed(&rsa, Algorithm::RS512)).await,
        "TOKEN_SIGNATURE_INVALID"
    );
}

#[tokio::test]
async fn a_remembered_token_is_refused_once_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let clock = clock();
    let verifier = Verifier::open(&issuer.identity_config(), clock.clone())
        .await
        .unwrap();
    let token = issuer.sign(&claims(DEVELOPMENT_ISSUER));
    assert!(verifier.verify(&token).await.is_ok());
    assert!(verifier.verify(&token).await.is_ok());
    *clock.0.lock().unwrap() = now() + TimeDelta::hours(2);
    assert_eq!(reason(&verifier, &token).await, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn an_issuers_address_is_asked_for_unknown_keys_but_seldom() {
    let (folder, foreign_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let foreign = DevelopmentIssuer::create_or_open(foreign_folder.path()).unwrap();
    let fetches = Arc::new(AtomicUsize::new(0));
    let (counted, published) = (fetches.clone(), issuer.jwks_file().to_owned());
    // The first fetch finds an empty set, as if the key were published after the service started.
    let keys = axum::routing::get(move || {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let keys = if first {
            r#"{"keys":[]}"#.to_owned()
        } else {
            std::fs::read_to_string(&published).unwrap()
        };
        async move { keys }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        axum::serve(listener, axum::Router::new().route("/keys", keys)).await
    });
    let mut config = issuer.identity_config();
    config.issuers[0].jwks_file = None;
    config.issuers[0].jwks_url = Some(url);
    let verifier = Verifier::open(&config, clock()).await.unwrap();
    assert!(
        verifier
            .verify(&issuer.sign(&claims(DEVELOPMENT_ISSUER)))
            .await
            .is_ok()
    );
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
    for attempt in 0..20 {
        let token = foreign.sign(&claims_with("sub", json!(attempt.to_string())));
        assert_eq!(reason(&verifier, &token).await, "TOKEN_KEY_UNKNOWN");
    }
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
    serving.abort();
}

#[tokio::test]
async fn an_issuer_that_is_down_does_not_keep_a_service_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let mut config = issuer.identity_config();
    config.issuers[0].jwks_file = None;
    config.issuers[0].jwks_url = Some("http://127.0.0.1:1/keys".to_owned());
    let verifier = Verifier::open(&config, clock()).await.unwrap();
    assert_eq!(
        reason(&verifier, &issuer.sign(&claims(DEVELOPMENT_ISSUER))).await,
        "TOKEN_KEY_UNKNOWN"
    );
    config.issuers[0].jwks_url = None;
    config.issuers[0].jwks_file = Some(folder.path().join("missing.json"));
    assert!(Verifier::open(&config, clock()).await.is_err());
}

#[test]
fn the_development_key_is_kept_and_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let second = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let claims = claims(DEVELOPMENT_ISSUER);
    assert_eq!(first.sign(&claims), second.sign(&claims));
    let key = folder.path().join("development-issuer.pem");
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    std::fs::write(&key, "no key").unwrap();
    assert!(DevelopmentIssuer::create_or_open(folder.path()).is_err());
}

fn caller(roles: &[Role]) -> Caller {
    Caller {
        subject: "s".into(),
        party: "p".into(),
        roles: roles.iter().copied().collect(),
        sites: BTreeSet::new(),
        address: None,
    }
}

#[test]
fn an_rpc_answers_those_its_permission_names_and_without_one_nobody() {
    let permissions = Permissions::from_descriptors(descriptors()).unwrap();
    let check = |rpc: &str, roles: &[Role]| {
        let path = format!("/greenlane.chassistest.v1.EchoService/{rpc}");
        permissions
            .check(&path, &caller(roles))
            .map_err(|refusal| refusal.reason)
    };
    assert_eq!(check("Echo", &[Role::Haulier]), Ok(()));
    assert_eq!(check("Echo", &[Role::Line, Role::Officer]), Ok(()));
    assert_eq!(
        check("Echo", &[Role::Line, Role::Admin]),
        Err("ROLE_REQUIRED".to_owned())
    );
    assert_eq!(check("EchoAny", &[]), Ok(()));
    assert_eq!(
        check("EchoClosed", &Role::ALL),
        Err("RPC_NOT_GRANTED".to_owned())
    );
    assert_eq!(
        check("NoSuchCall", &Role::ALL),
        Err("RPC_NOT_GRANTED".to_owned())
    );
}

#[test]
fn the_projects_own_permissions_can_be_read_and_leave_no_rpc_closed() {
    let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET).unwrap();
    let closed: Vec<_> = permissions
        .paths()
        .filter(|path| permissions.of(path).is_none())
        .collect();
    assert_eq!(closed, Vec::<&str>::new());
    assert!(permissions.paths().count() > 0);
}

#[test]
fn a_permission_for_a_role_that_does_not_exist_is_found_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let project = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../proto");
    let source = r#"
        syntax = "proto3";
        package wrong.v1;
        import "greenlane/common/v1/permission.proto";
        message Nothing {}
        service WrongService {
          rpc Call(Nothing) returns (Nothing) { option (greenlane.common.v1.permission) = {roles: ["hauler"]}; }
        }
    "#;
    std::fs::write(folder.path().join("wrong.proto"), source).unwrap();
    let mut compiler = protox::Compiler::new([folder.path(), Path::new(project)]).unwrap();
    compiler
        .include_imports(true)
        .open_file("wrong.proto")
        .unwrap();
    let error =
        Permissions::from_descriptors(compiler.encode_file_descriptor_set().leak()).unwrap_err();
    assert!(matches!(error, PermissionsError::Role { role, .. } if role == "hauler"));
}
