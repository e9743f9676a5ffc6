//! All faults of a configuration at once, each where it is, and no secret in any of them.

use std::io::Write as _;

use chassis::config::{
    ConfigFaults, DatabaseConfig, Faults, IdentityConfig, LogFormat, ServerConfig, TelemetryConfig,
    Validate, load_with,
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use tempfile::NamedTempFile;

const DEFAULTS: &str = include_str!("../testdata/sections.toml");
const GOOD: &str = r#"
[database]
url = "postgres://gate:s3cret@db/gate"
[[identity.issuers]]
issuer = "https://id.example.org"
audience = "greenlane"
jwks_url = "https://id.example.org/keys"
"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    server: ServerConfig,
    database: DatabaseConfig,
    identity: IdentityConfig,
    telemetry: TelemetryConfig,
}

impl Validate for Config {
    fn faults(&self, faults: &mut Faults) {
        faults.section("server", &self.server);
        faults.section("database", &self.database);
        faults.section("identity", &self.identity);
        faults.section("telemetry", &self.telemetry);
    }
}

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigFaults> {
    let mut written = NamedTempFile::new().unwrap();
    written.write_all(file.as_bytes()).unwrap();
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load_with(DEFAULTS, Some(written.path()), "GATE", variables)
}

fn faults(file: &str, variables: &[(&str, &str)]) -> String {
    load(file, variables).unwrap_err().to_string()
}

#[test]
fn file_overrides_default_and_environment_overrides_file() {
    let file = format!(
        "{GOOD}\n[server]\nlisten = \"127.0.0.1:1\"\nrequest_timeout_ms = 7\n[telemetry]\nlog_format = \"json\""
    );
    let config = load(
        &file,
        &[("GATE_SERVER__LISTEN", "127.0.0.1:2"), ("PATH", "/bin")],
    )
    .unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.server.request_timeout_ms, 7);
    assert_eq!(config.server.concurrent_requests_max, 2048);
    assert_eq!(config.server.tls_certificate_file, None);
    assert_eq!(config.telemetry.log_format, LogFormat::Json);
    assert_eq!(
        config.database.url.expose_secret(),
        "postgres://gate:s3cret@db/gate"
    );
    assert!(config.database.owner_url.is_none());
}

#[test]
fn all_faults_are_told_at_once() {
    let file = r#"
        [server]
        lisen = "127.0.0.1:1"
        admin_listen = "nowhere"
        message_bytes_max = "much"
        tls_key_file = "key.pem"
        [telemetry]
        log_format = "xml"
        sample_ratio_percent = 101
        [databse]
        url = "x"
        [[identity.issuers]]
        issuer = "https://id.example.org"
        audiense = "greenlane"
        jwks_url = "http://id.example.org/keys"
    "#;
    let told = faults(
        file,
        &[
            ("GATE_SERVER__REQUEST_TIMEOUT_MS", "soon"),
            ("GATE_SERVER__LISTENN", "x"),
        ],
    );
    for expected in [
        "server.lisen: there is no such key, did you mean listen?",
        "server.admin_listen: ",
        "server.message_bytes_max: is text in quotes, write a whole number",
        "server.tls_certificate_file: is empty while tls_key_file is set",
        "telemetry.log_format: is not known, set one of text, json",
        "telemetry.sample_ratio_percent: 101 is out of range, set 0 to 100",
        "databse: there is no such key, did you mean database?",
        "database.url: is empty",
        "identity.issuers.0.audiense: there is no such key, did you mean audience?",
        "identity.issuers.0.audience: is empty",
        "identity.issuers.0.jwks_url: is not https",
        "GATE_SERVER__REQUEST_TIMEOUT_MS: cannot be read, write a whole number",
        "GATE_SERVER__LISTENN: there is no such variable, did you mean GATE_SERVER__LISTEN?",
    ] {
        assert!(
            told.lines().any(|line| line.starts_with(expected)),
            "missing {expected:?} in\n{told}"
        );
    }
    assert_eq!(told.lines().count(), 13, "{told}");
}

#[test]
fn no_fault_and_no_debug_print_shows_a_secret() {
    let config = load(GOOD, &[]).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    for file in [
        "[database]\nurl = [\"s3cret\"]",
        "[database]\nurl = \"s3cret",
        "[database]\nurl = \"mysql://s3cret\"",
        "[database]\nowner_url = { s3cret = 1 }",
        "[database]\nurl = s3cret",
        "[identity]\nissuers = [{ jwks_url = { s3cret = 1 } }]",
    ] {
        let told = faults(file, &[]);
        assert!(!told.contains("s3cret"), "{told}");
    }
    let told = faults(
        GOOD,
        &[
            ("GATE_DATABASE__URL", "s3cret"),
            ("GATE_DATABASE__READ_CONNECTIONS_MAX", "s3cret"),
        ],
    );
    assert!(!told.contains("s3cret"), "{told}");
}

#[test]
fn plain_text_is_for_this_machine_unless_it_is_asked_for() {
    let beyond = ("GATE_SERVER__LISTEN", "0.0.0.0:7001");
    let told = faults(GOOD, &[beyond]);
    assert!(
        told.starts_with("server.tls_certificate_file: is empty while listen is reached"),
        "{told}"
    );
    load(GOOD, &[beyond, ("GATE_SERVER__PLAIN_TEXT", "true")]).unwrap();
    let files = [
        ("GATE_SERVER__TLS_CERTIFICATE_FILE", "gate.pem"),
        ("GATE_SERVER__TLS_KEY_FILE", "gate.key.pem"),
    ];
    load(GOOD, &[beyond, files[0], files[1]]).unwrap();
    let told = faults(GOOD, &[("GATE_SERVER__TLS_CLIENT_CA_FILE", "ca.pem")]);
    assert!(
        told.starts_with("server.tls_client_ca_file: is set without TLS"),
        "{told}"
    );
}

#[test]
fn a_machine_without_name_or_party_or_with_an_unknown_role_is_a_fault() {
    let machines = r#"[{ name = "a", party = "", roles = ["lane"] }, { name = "a", party = "b", roles = [] }]"#;
    let told = faults(GOOD, &[("GATE_IDENTITY__CERTIFICATES", machines)]);
    for expected in [
        "identity.certificates.0.party: is empty",
        "identity.certificates.0.roles.0: is no role, write one of haulier, broker",
        "identity.certificates.1.name: is named twice",
    ] {
        assert!(
            told.lines().any(|line| line.starts_with(expected)),
            "missing {expected:?} in\n{told}"
        );
    }
}

#[test]
fn a_secret_of_digits_stays_text() {
    let told = faults(GOOD, &[("GATE_DATABASE__URL", "12345")]);
    assert!(
        told.starts_with("database.url: is no PostgreSQL address"),
        "{told}"
    );
}

#[test]
fn variables_of_other_tools_are_left_alone() {
    load(
        GOOD,
        &[
            ("GATE_DATABASE_URL", "postgres://elsewhere"),
            ("GATEWAY_SERVER__LISTEN", "x"),
        ],
    )
    .unwrap();
}

#[test]
fn a_list_may_come_from_the_environment() {
    let issuers = r#"[{ issuer = "https://a", audience = "g", jwks_file = "/keys.json" }]"#;
    let config = load(GOOD, &[("GATE_IDENTITY__ISSUERS", issuers)]).unwrap();
    assert_eq!(config.identity.issuers.len(), 1);
    assert_eq!(config.identity.issuers[0].issuer, "https://a");
}

#[test]
fn a_file_that_is_not_there_is_a_fault_like_any_other() {
    let missing = std::path::Path::new("/nowhere/gate.toml");
    let told = load_with::<Config>(DEFAULTS, Some(missing), "GATE", [])
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("/nowhere/gate.toml: cannot be read"),
        "{told}"
    );
    assert!(told.contains("database.url: is empty"), "{told}");
}

#[test]
fn a_line_that_is_no_toml_is_named_by_its_number() {
    assert!(faults("[server]\nlisten = \n", &[]).contains("line 2 is not TOML"));
}
