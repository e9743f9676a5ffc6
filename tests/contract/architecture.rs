//! The architecture's invariants, read from `cargo metadata` and from the sources: who may depend on whom,
//! where SQL, the wire, the clock and the environment may appear, and that the four services look alike.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::sources::{Source, below, root};

const SERVICES: [&str; 4] = ["gate", "customs", "bonded", "release"];
/// Shared crates that compute and do nothing else, with what they may use all the same: wco makes the
/// wire's messages out of documents.
const PURE: [(&str, &[&str]); 2] = [("kernel", &[]), ("wco", &["proto", "prost"])];
/// What a pure crate or module has no use for.
const IMPURE_CRATES: [&str; 10] = [
    "tokio", "tonic", "sqlx", "rdkafka", "prost", "proto", "chassis", "fabric", "stack", "reqwest",
];
/// What every service has below its folder.
const SERVICE_FILES: [&str; 15] = [
    "Cargo.toml",
    "README.md",
    "config.default.toml",
    "sqlx.toml",
    "migrations",
    "src/lib.rs",
    "src/config.rs",
    "src/metrics.rs",
    "src/error.rs",
    "src/domain/mod.rs",
    "src/app/mod.rs",
    "src/store/mod.rs",
    "src/grpc/mod.rs",
    "src/events/publish.rs",
    "tests/it/main.rs",
];

/// Each workspace crate's dependencies by name, development ones left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        metadata.status.success(),
        "{}",
        String::from_utf8_lossy(&metadata.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            let names = dependencies
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                .collect();
            (package["name"].as_str().unwrap().to_owned(), names)
        })
        .collect()
}

fn in_domain(source: &Source) -> bool {
    SERVICES
        .iter()
        .any(|service| source.is_in(&format!("services/{service}/src/domain")))
}

fn in_service_folder(source: &Source, folder: &str) -> bool {
    SERVICES.iter().any(|service| {
        let place = format!("services/{service}/src/{folder}");
        source.is_in(place.trim_end_matches('/'))
    })
}

/// Asserts that none of these words stands in a source that is not excepted.
fn nowhere_but(words: &[&str], excepted: impl Fn(&Source) -> bool) {
    let found: Vec<String> = below(&["services", "proto/src"])
        .iter()
        .filter(|source| source.path.contains("/src/") && !excepted(source))
        .flat_map(|source| source.lines_with(words))
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn no_service_depends_on_anothers_crate() {
    let dependencies = dependencies();
    for service in SERVICES {
        let foreign: Vec<&str> = SERVICES
            .into_iter()
            .filter(|other| *other != service && dependencies[service].contains(*other))
            .collect();
        assert!(foreign.is_empty(), "{service} depends on {foreign:?}");
        assert!(
            !dependencies[service].contains("stack"),
            "{service} depends on stack"
        );
        assert!(
            !dependencies[service].contains("greenlane"),
            "{service} depends on the binary"
        );
    }
}

#[test]
fn no_shared_crate_depends_on_a_service() {
    let dependencies = dependencies();
    // Nothing that ships depends on the rig, which simulates the services.
    let others = ["greenlane", "torture"];
    for (name, uses) in &dependencies {
        if others.contains(&name.as_str()) || SERVICES.contains(&name.as_str()) {
            continue;
        }
        let services: Vec<&str> = SERVICES
            .into_iter()
            .filter(|service| uses.contains(*service))
            .collect();
        assert!(services.is_empty(), "{name} depends on {services:?}");
    }
}

#[test]
fn what_judges_a_site_from_outside_believes_nothing_of_the_services_own_code() {
    let named = [
        "use bonded::",
        "use customs::",
        "use gate::",
        "use release::",
    ];
    let found: Vec<String> = below(&["tests/torture/src"])
        .iter()
        // What simulates the services is them; and what measures a loop judges no site.
        .filter(|source| !source.path.contains("/simulation/"))
        .filter(|source| !source.path.ends_with("/record_cost.rs"))
        .flat_map(|source| source.lines_with(&named))
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn kernel_and_wco_are_pure() {
    let dependencies = dependencies();
    for (name, allowed) in PURE {
        let impure: Vec<&str> = IMPURE_CRATES
            .into_iter()
            .filter(|other| dependencies[name].contains(*other) && !allowed.contains(other))
            .collect();
        assert!(impure.is_empty(), "{name} depends on {impure:?}");
    }
}

#[test]
fn the_domain_imports_nothing_async_of_sql_of_the_wire_or_of_the_clock() {
    let crates: Vec<String> = IMPURE_CRATES
        .iter()
        .map(|name| format!("{name}::"))
        .collect();
    let mut words: Vec<&str> = crates.iter().map(String::as_str).collect();
    words.extend([
        "Utc::now",
        "Instant::now",
        "SystemTime",
        "rand::",
        "new_v4",
        "now_v7",
        "kernel::new_id",
        "std::env",
        "std::fs",
        "std::net",
        "std::thread",
        "async ",
        ".await",
        "f32",
        "f64",
    ]);
    let found: Vec<String> = below(&["services"])
        .iter()
        .filter(|source| in_domain(source))
        .flat_map(|source| source.lines_with(&words))
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn sql_stands_only_in_the_stores_and_the_fabric() {
    let statements = [
        "sqlx::query",
        "query!(",
        "query_as!(",
        "query_scalar!(",
        "query(",
        "query_as(",
        "query_scalar(",
        "raw_sql(",
        "QueryBuilder",
    ];
    nowhere_but(&statements, |source| {
        in_service_folder(source, "store")
            || source.is_in("services/shared/fabric/src")
            || source.is_in("services/shared/stack/src")
    });
}

#[test]
fn only_the_fabric_opens_a_transaction_or_holds_a_producer() {
    let words = [
        "FutureProducer",
        "ThreadedProducer",
        "BaseProducer",
        "BaseConsumer",
        "StreamConsumer",
    ];
    nowhere_but(&words, |source| source.is_in("services/shared/fabric/src"));
    // What only reads may take a consistent picture.
    let begun: Vec<String> = below(&["services"])
        .iter()
        .filter(|source| in_service_folder(source, ""))
        .flat_map(|source| source.lines_with(&["begin()", "begin_with("]))
        .filter(|line| !line.contains("read only"))
        .collect();
    assert_eq!(begun, Vec::<String>::new());
}

#[test]
fn grpc_is_spoken_only_at_the_edge() {
    nowhere_but(&["tonic::"], |source| {
        in_service_folder(source, "grpc")
            // Puts the server together.
            || in_service_folder(source, "lib.rs")
            // The catalogue names each reason's code.
            || in_service_folder(source, "error.rs")
            || source.is_in("services/shared/chassis/src")
            || source.is_in("services/greenlane/src")
            // The wire itself.
            || source.is_in("proto/src")
    });
    let statuses: Vec<String> = below(&["services"])
        .iter()
        .filter(|source| {
            in_service_folder(source, "lib.rs") || in_service_folder(source, "error.rs")
        })
        .flat_map(|source| source.lines_with(&["tonic::Status", "Status::"]))
        .collect();
    assert_eq!(statuses, Vec::<String>::new());
}

#[test]
fn the_clock_chance_and_the_environment_are_asked_only_at_the_edges() {
    let words = [
        "std::env::",
        "env::var",
        "Utc::now",
        "Local::now",
        "SystemTime::now",
        "rand::",
        "new_v4(",
    ];
    nowhere_but(&words, |source| {
        [
            "services/shared/kernel/src",
            "services/shared/chassis/src/config",
            // Makes the development issuer's key.
            "services/shared/chassis/src/identity/development.rs",
            "services/shared/stack/src",
            "services/greenlane/src",
        ]
        .iter()
        .any(|place| source.is_in(place))
    });
}

#[test]
fn no_queue_is_unbounded() {
    nowhere_but(
        &["unbounded_channel", "mpsc::unbounded", "unbounded("],
        |_| false,
    );
}

#[test]
fn the_four_services_have_the_same_files() {
    let root = root();
    let missing: Vec<String> = SERVICES
        .iter()
        .flat_map(|service| {
            SERVICE_FILES
                .iter()
                .map(move |file| format!("services/{service}/{file}"))
        })
        .filter(|path| !root.join(path).exists())
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_source_says_what_it_is_for() {
    let root = root();
    let silent: Vec<String> = below(&["services", "proto", "tests"])
        .into_iter()
        .map(|source| source.path)
        .filter(|path| {
            let text = std::fs::read_to_string(root.join(path)).unwrap();
            !text.starts_with("//!")
        })
        .collect();
    assert_eq!(silent, Vec::<String>::new());
}

/// No doc test is compiled (`doctest = false`: to find none takes longer than many tests), so none may be there.
#[test]
fn documentation_shows_no_code_that_nothing_runs() {
    let root = root();
    let mut shown = Vec::new();
    for source in below(&["services", "proto", "tests"]) {
        let text = std::fs::read_to_string(root.join(&source.path)).unwrap();
        let mut inside = false;
        for (index, line) in text.lines().map(str::trim_start).enumerate() {
            let comment = line.strip_prefix("///").or(line.strip_prefix("//!"));
            let Some(fence) = comment.and_then(|comment| comment.trim_start().strip_prefix("```"))
            else {
                continue;
            };
            if !inside && matches!(fence.trim(), "" | "rust") {
                shown.push(format!("{}:{}", source.path, index + 1));
            }
            inside = !inside;
        }
    }
    assert_eq!(shown, Vec::<String>::new(), "say what it is: ```text");
}
