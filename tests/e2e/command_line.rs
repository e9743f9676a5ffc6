//! What needs no servers, or only a database: help, completions, configuration, migrations, exit codes.

use std::fs;

use crate::site::{Output, binary, greenlane};

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let printed = greenlane(&["completion", shell]).done();
        assert!(printed.stdout.contains("check-config"), "{shell}");
    }
}

#[test]
fn every_command_of_the_interface_is_there_with_help() {
    for command in [
        "up",
        "demo",
        "serve",
        "migrate",
        "check-config",
        "status",
        "token",
        "completion",
        "rail",
        "barge",
        "haulier",
        "gate",
        "terminal",
        "line",
        "broker",
        "officer",
        "trader",
        "why",
        "timeline",
        "watch",
        "fabric",
    ] {
        let help = greenlane(&[command, "--help"]).done();
        assert!(
            help.stdout.contains("Usage: greenlane"),
            "{command}: {}",
            help.stdout
        );
    }
}

#[test]
fn wrong_use_has_exit_code_2_and_a_way_out() {
    for arguments in [
        &["serve", "warehouse"][..],
        &["no-such-command"],
        &["token"],
        &["status", "--endpoint", "http://127.0.0.1:1"],
        &["status", "--endpoint", "127.0.0.1:1", "--token", "x"],
    ] {
        let output = greenlane(arguments);
        assert_eq!(output.code, 2, "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn a_client_says_when_nothing_runs_in_the_state_folder() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let output = greenlane(&["status", "--state", state]).refused();
    assert!(
        output.stderr.contains("nothing runs in"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("greenlane up"), "{}", output.stderr);
}

#[test]
fn a_bad_configuration_is_told_with_all_its_faults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gate.toml");
    fs::write(
        &file,
        "[server]\nlisten = \"nowhere\"\nmessage_bytes_max = 1\nlisten_admin = \"x\"\n[database]\nurl = \"mysql://user:hunter2@host/gate\"\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let output = greenlane(&["check-config", "gate", "--config", file]).refused();
    for told in [
        "server.listen:",
        "server.message_bytes_max:",
        "server.listen_admin: there is no such key",
        "database.url:",
        "identity.issuers:",
        "fabric.brokers:",
    ] {
        assert!(
            output.stderr.contains(told),
            "{told} is not in: {}",
            output.stderr
        );
    }
    assert!(
        !output.stderr.contains("hunter2"),
        "a password is printed: {}",
        output.stderr
    );
}

#[test]
fn a_good_configuration_of_every_service_is_valid() {
    for service in ["gate", "customs", "bonded", "release"] {
        let prefix = service.to_uppercase();
        let checked = Output::of(
            binary()
                .args(["check-config", service])
                .env(format!("{prefix}_DATABASE__URL"), "postgres://u:p@127.0.0.1/d")
                .env(
                    format!("{prefix}_IDENTITY__ISSUERS"),
                    r#"[{ issuer = "https://id.example", audience = "greenlane", jwks_url = "https://id.example/keys" }]"#,
                )
                .env(format!("{prefix}_FABRIC__BROKERS"), "127.0.0.1:9092"),
        );
        assert_eq!(checked.done().stdout, "config is valid\n", "{service}");
    }
}

#[test]
fn serving_with_a_bad_configuration_tells_its_faults_and_ends() {
    let output = greenlane(&["serve", "release"]).refused();
    assert!(
        output.stderr.contains("database.url: is empty"),
        "{}",
        output.stderr
    );
}

#[test]
fn migrating_twice_does_no_harm() {
    let owner_urls = owner_urls();
    let migrate = || {
        let mut command = binary();
        command.args(["migrate", "all"]);
        for (service, url) in &owner_urls {
            command.env(
                format!("{}_DATABASE__OWNER_URL", service.to_uppercase()),
                url,
            );
        }
        Output::of(&mut command).done().stdout
    };
    let told =
        "gate is up to date\ncustoms is up to date\nbonded is up to date\nrelease is up to date\n";
    assert_eq!(migrate(), told);
    assert_eq!(migrate(), told);
}

#[test]
fn migrating_without_an_owner_role_says_what_to_set() {
    let output = greenlane(&["migrate", "customs"]).refused();
    assert!(
        output.stderr.contains("database.owner_url"),
        "{}",
        output.stderr
    );
}

/// An empty database for each service.
fn owner_urls() -> Vec<(&'static str, String)> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let admin_url = stack::for_tests().await.admin_url();
        let mut urls = Vec::new();
        for service in ["gate", "customs", "bonded", "release"] {
            let database = stack::provision(admin_url, service, "e2e").await.unwrap();
            urls.push((service, database.owner_url));
        }
        urls
    })
}
