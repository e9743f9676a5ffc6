//! Who may speak: development tokens work, and tokens that are old, strange or of the wrong role do not.

use chassis::{DevelopmentIssuer, Role};
use chrono::{DateTime, TimeDelta, Utc};
use kernel::{Clock as _, SystemClock};

use crate::site::{Output, Site};
use crate::world::world;

/// A question that hauliers may ask.
const QUESTION: [&str; 2] = ["haulier", "list"];

fn ask_with(site: &Site, token: &str) -> Output {
    site.run(&[&QUESTION[..], &["--token", token]].concat())
}

fn token_of(issuer: &DevelopmentIssuer, from: DateTime<Utc>) -> String {
    let lifetime = TimeDelta::hours(1);
    issuer.token(
        "haulier-a",
        &[Role::Haulier],
        &[],
        "somebody",
        from,
        lifetime,
    )
}

#[test]
fn a_development_token_speaks_for_its_party() {
    let site = world();
    let token = site.run(&["token", "--as", "haulier-a"]).done().stdout;
    ask_with(site, token.trim()).done();
}

#[test]
fn an_expired_token_is_refused_with_its_reason() {
    let site = world();
    let issuer = DevelopmentIssuer::create_or_open(&site.state()).unwrap();
    let expired = token_of(&issuer, SystemClock.now() - TimeDelta::hours(3));
    let output = ask_with(site, &expired).refused();
    assert!(output.stderr.contains("TOKEN_EXPIRED"), "{}", output.stderr);
    assert!(
        output.stderr.contains("docs/errors/TOKEN_EXPIRED.md"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_foreign_issuers_token_is_refused_with_its_reason() {
    let site = world();
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = DevelopmentIssuer::create_or_open(elsewhere.path()).unwrap();
    let output = ask_with(site, &token_of(&foreign, SystemClock.now())).refused();
    assert!(
        output.stderr.contains("TOKEN_KEY_UNKNOWN"),
        "{}",
        output.stderr
    );
}

#[test]
fn what_is_no_token_is_refused_with_its_reason() {
    let output = ask_with(world(), "not-a-token").refused();
    assert!(
        output.stderr.contains("TOKEN_MALFORMED"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_party_of_another_role_is_refused_with_the_roles_that_may() {
    let site = world();
    let output = site
        .run(&[&QUESTION[..], &["--as", "broker-a"]].concat())
        .refused();
    assert!(output.stderr.contains("ROLE_REQUIRED"), "{}", output.stderr);
    assert!(output.stderr.contains("haulier"), "{}", output.stderr);
}

#[test]
fn machines_read_a_refusal_as_one_object() {
    let site = world();
    let output = site
        .run_json(&[&QUESTION[..], &["--as", "broker-a"]].concat())
        .refused();
    let told: serde_json::Value = serde_json::from_str(output.stderr.trim()).unwrap();
    assert_eq!(told["error"]["reason"], "ROLE_REQUIRED");
}
