//! `docker-compose.yml` and the image, as far as a machine without a container engine can prove them. The image
//! is laid out in a bare folder by the Dockerfile's own steps; then every container of the file that is ours
//! runs from there, as a process, with exactly its command and its environment. It must not know what a setting
//! or a command means: the binary says whether it understands them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Map, Value};
use sqlx::{Connection, PgConnection};
use stack::{Stack, StackOptions};
use tempfile::TempDir;
use yaml_rust2::{Yaml, YamlLoader};

use crate::sources::{below, root};

const SERVICES: [&str; 4] = ["gate", "customs", "bonded", "release"];
/// What the image and `.env` say of the folder that holds a development issuer's key.
const STATE: &str = "/var/lib/greenlane";
/// A container that runs once, and one that is to be ready, has so long.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);

type Variables = BTreeMap<String, String>;

/// What `deploy/compose/new-env` writes for a new site.
fn variables() -> Variables {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    let made = Command::new(root().join("deploy/compose/new-env"))
        .arg(&file)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn compose_text() -> String {
    fs::read_to_string(root().join("docker-compose.yml")).unwrap()
}

/// The services of the file: aliases, merges and variables resolved, as Compose does it.
fn services(variables: &Variables) -> Map<String, Value> {
    let documents = YamlLoader::load_from_str(&compose_text()).unwrap();
    assert_eq!(documents.len(), 1);
    let Value::Object(mut file) = resolved(&documents[0], variables) else {
        panic!("docker-compose.yml is no mapping");
    };
    let Some(Value::Object(services)) = file.remove("services") else {
        panic!("docker-compose.yml has no services");
    };
    services
}

fn resolved(yaml: &Yaml, variables: &Variables) -> Value {
    match yaml {
        Yaml::Hash(hash) => {
            let mut merged = Map::new();
            let mut own = Map::new();
            for (key, value) in hash {
                let value = resolved(value, variables);
                match (key.as_str().unwrap(), value) {
                    ("<<", Value::Object(base)) => merged = base,
                    ("<<", other) => panic!("{other} cannot be merged"),
                    (key, value) => drop(own.insert(key.to_owned(), value)),
                }
            }
            merged.extend(own);
            Value::Object(merged)
        }
        Yaml::Array(values) => values
            .iter()
            .map(|value| resolved(value, variables))
            .collect(),
        Yaml::String(text) => Value::String(interpolated(text, variables)),
        Yaml::Integer(number) => Value::from(*number),
        Yaml::Boolean(truth) => Value::from(*truth),
        Yaml::Null => Value::Null,
        other => panic!("{other:?} has no place in docker-compose.yml"),
    }
}

/// `${NAME:?message}` must be set and not be empty, `${NAME-}` may be either.
fn interpolated(text: &str, variables: &Variables) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once("${") {
        let (reference, after) = reference.split_once('}').unwrap();
        let value = if let Some(name) = reference.strip_suffix('-') {
            variables.get(name).cloned().unwrap_or_default()
        } else {
            let (name, message) = reference.split_once(":?").unwrap();
            assert_eq!(message, "run deploy/compose/new-env");
            let value = variables.get(name).filter(|value| !value.is_empty());
            value.unwrap_or_else(|| panic!("{name} is not set")).clone()
        };
        done.extend([before, &value]);
        rest = after;
    }
    assert!(!rest.contains('$'), "{text} holds a dollar of another kind");
    done + rest
}

fn words(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn environment(service: &Value) -> Variables {
    let settings = service["environment"].as_object().into_iter().flatten();
    settings
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect()
}

/// The address behind `NAME_SERVER__LISTEN` or `NAME_SERVER__ADMIN_LISTEN`.
fn port(services: &Map<String, Value>, service: &str, listen: &str) -> String {
    let name = format!("{}_SERVER__{listen}", service.to_uppercase());
    let address = &environment(&services[service])[&name];
    address.strip_prefix("0.0.0.0:").unwrap().to_owned()
}

#[test]
fn a_new_env_names_all_that_compose_asks_for_and_nothing_else() {
    let text = compose_text();
    let asked: BTreeSet<String> = text
        .split("${")
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|letter| letter.is_ascii_uppercase() || *letter == '_')
                .collect()
        })
        .collect();
    assert_eq!(asked, variables().into_keys().collect());
}

#[test]
fn a_new_env_has_new_passwords_and_never_replaces_another() {
    let passwords = |variables: Variables| -> BTreeSet<String> {
        let passwords = variables.into_iter();
        passwords
            .filter(|(name, _)| name.ends_with("_PASSWORD"))
            .map(|(_, value)| value)
            .collect()
    };
    let (one, other) = (passwords(variables()), passwords(variables()));
    assert_eq!(one.len(), 9);
    assert!(one.is_disjoint(&other));
    let there = tempfile::NamedTempFile::new().unwrap();
    let refused = Command::new(root().join("deploy/compose/new-env"))
        .arg(there.path())
        .output()
        .unwrap();
    assert!(!refused.status.success());
    assert_eq!(fs::read(there.path()).unwrap(), b"");
}

#[test]
fn every_setting_in_compose_is_one_that_its_service_has() {
    let services = services(&variables());
    let mut unknown = Vec::new();
    for (container, service) in &services {
        for name in environment(service).into_keys() {
            let owner = SERVICES.iter().find_map(|service| {
                let rest = name
                    .strip_prefix(&service.to_uppercase())?
                    .strip_prefix('_')?;
                Some((service, rest.to_lowercase()))
            });
            // The passwords that `provision` is told are nobody's settings.
            let Some((service, key)) = owner.filter(|_| container != "provision") else {
                continue;
            };
            let defaults =
                fs::read_to_string(root().join(format!("services/{service}/config.default.toml")));
            let defaults: toml::Table = defaults.unwrap().parse().unwrap();
            let found = key
                .split("__")
                .try_fold(&toml::Value::Table(defaults), |value, key| {
                    value.get(key).ok_or(())
                })
                .is_ok();
            if !found {
                unknown.push(format!("{container}: {name}"));
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn clients_in_compose_find_the_services_where_they_listen() {
    let services = services(&variables());
    let text = fs::read_to_string(root().join("deploy/compose/endpoints.json")).unwrap();
    let endpoints: Value = serde_json::from_str(&text).unwrap();
    for service in SERVICES {
        let listen = port(&services, service, "LISTEN");
        let admin = port(&services, service, "ADMIN_LISTEN");
        assert_eq!(
            endpoints[service],
            serde_json::json!({
                "grpc": format!("http://{service}:{listen}"),
                "admin": format!("http://{service}:{admin}"),
            })
        );
        assert_eq!(
            words(&services[service]["ports"]),
            [format!("127.0.0.1:{listen}:{listen}")]
        );
        assert_eq!(
            words(&services[service]["healthcheck"]["test"]),
            ["CMD", "ready", &admin]
        );
    }
    assert_eq!(
        endpoints["kafka"],
        services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
            .as_str()
            .unwrap()
            .trim_start_matches("PLAINTEXT://")
    );
}

#[test]
fn one_container_builds_the_image_that_all_of_ours_run() {
    let services = services(&variables());
    let ours = SERVICES.into_iter().chain(["migrate", "issuer", "client"]);
    let official = ["postgres", "provision", "kafka"];
    let all: BTreeSet<&str> = ours.clone().chain(official).collect();
    assert_eq!(all, services.keys().map(String::as_str).collect());
    for container in ours {
        let service = &services[container];
        assert_eq!(service["image"], "greenlane:local");
        let builds = service["build"].is_object();
        assert_eq!(builds, container == "issuer", "{container}");
        let policy = if builds { "build" } else { "never" };
        assert_eq!(service["pull_policy"], policy, "{container}");
    }
    for (container, service) in &services {
        assert!(service["mem_limit"].is_string(), "{container} has no limit");
    }
}

#[test]
fn versions_in_compose_and_the_image_are_those_that_are_tested() {
    let services = services(&variables());
    let versions = stack::Versions::pinned().unwrap();
    let kafka = format!("apache/kafka:{}", versions.kafka.version);
    assert_eq!(services["kafka"]["image"], kafka);
    let postgres = format!("postgres:{}-bookworm", versions.postgresql.major_min);
    assert_eq!(services["postgres"]["image"], postgres);
    assert_eq!(services["provision"]["image"], postgres);
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    let toolchain: toml::Table = toolchain.parse().unwrap();
    let base = format!(
        "FROM rust:{}-slim-bookworm AS build",
        toolchain["toolchain"]["channel"].as_str().unwrap()
    );
    let dockerfile = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    assert!(dockerfile.lines().any(|line| line == base), "{base}");
}

#[test]
fn kafka_in_compose_is_set_as_up_sets_it() {
    let services = services(&variables());
    let stack = fs::read_to_string(root().join("services/shared/stack/src/kafka.rs")).unwrap();
    let stack: BTreeMap<&str, &str> = stack
        .lines()
        .filter_map(|line| line.trim().strip_suffix("\\n\\")?.split_once('='))
        .filter(|(_, value)| !value.contains('{'))
        .collect();
    let mut compared = 0;
    for (name, value) in environment(&services["kafka"]) {
        let key = name
            .replacen("KAFKA_", "", 1)
            .to_lowercase()
            .replace('_', ".");
        if let Some(expected) = stack.get(key.as_str()) {
            assert_eq!(value, *expected, "{key}");
            compared += 1;
        }
    }
    assert!(compared >= 9, "only {compared} settings were compared");
}

/// A folder that others can pass through: as root, PostgreSQL runs as another user.
fn folder() -> TempDir {
    let passable = Permissions::from_mode(0o711);
    tempfile::Builder::new()
        .permissions(passable)
        .tempdir()
        .unwrap()
}

/// Servers of the test's own: roles are a whole cluster's, and the ones here have the names of real ones.
async fn servers(folder: &Path, kafka: bool) -> Stack {
    let options = StackOptions {
        kafka,
        durable_jvm: false,
        ..StackOptions::lasting(folder)
    };
    Stack::start(options).await.unwrap()
}

/// The superuser's password and the port of a private cluster.
fn credentials(stack: &Stack) -> (String, String) {
    let rest = stack.postgres_admin_url().rsplit_once(':').unwrap();
    let port = rest.1.trim_end_matches("/postgres");
    let password = rest.0.rsplit_once('@').unwrap().0.rsplit_once(':').unwrap();
    (password.1.to_owned(), port.to_owned())
}

/// What stands in the file for this machine, instead of what stands there for a container.
struct Machine {
    /// In words and settings: what to find, what to put there.
    replaced: Vec<(String, String)>,
    path: String,
    folder: PathBuf,
}

impl Machine {
    fn new(services: &Map<String, Value>, image: &Path, postgres_port: &str) -> Machine {
        let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let path: Vec<String> = [image.join("usr/local/bin")]
            .into_iter()
            .chain([std::env::var_os("PATH").unwrap().into()])
            .chain(installed.map(|version| version.unwrap().path().join("bin")))
            .map(|folder| folder.to_str().unwrap().to_owned())
            .collect();
        let mut replaced = vec![(
            "@postgres:5432/".to_owned(),
            format!("@127.0.0.1:{postgres_port}/"),
        )];
        // A bound folder of ours is here, whatever the container calls it.
        for volume in services
            .values()
            .flat_map(|service| words(&service["volumes"]))
        {
            let parts: Vec<&str> = volume.split(':').collect();
            if let Some(ours) = parts[0].strip_prefix("./") {
                let ours = root().join(ours).to_str().unwrap().to_owned();
                replaced.push((parts[1].to_owned(), ours));
            }
        }
        let folder = image.join(STATE.trim_start_matches('/'));
        replaced.push((STATE.to_owned(), folder.to_str().unwrap().to_owned()));
        Machine {
            replaced,
            path: path.join(":"),
            folder,
        }
    }

    fn here(&self, text: &str) -> String {
        self.replaced
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    /// A container's process: the image's entrypoint unless the service has another, its command, its
    /// environment and no other.
    fn command(&self, service: &Value, arguments: &[&str]) -> Command {
        let mut words: Vec<String> = match words(&service["entrypoint"]) {
            entrypoint if entrypoint.is_empty() => vec!["greenlane".to_owned()],
            entrypoint => entrypoint,
        };
        words.extend(self::words(&service["command"]));
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        let mut command = self.program(&words[0]);
        command.args(words[1..].iter().map(|word| self.here(word)));
        for (name, value) in environment(service) {
            command.env(name, self.here(&value));
        }
        command
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("GREENLANE_STATE", &self.folder)
            .current_dir(&self.folder);
        command
    }
}

fn succeed(what: &str, command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{what} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn provision(machine: &Machine, services: &Map<String, Value>, postgres_port: &str) {
    let mut command = machine.command(&services["provision"], &[]);
    command
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", postgres_port);
    succeed("provision", &mut command);
}

/// Everything that says who may do what in a cluster, a line each.
async fn privileges(admin_url: &str) -> BTreeSet<String> {
    let mut found = Vec::new();
    let mut admin = PgConnection::connect(admin_url).await.unwrap();
    let cluster = "
        SELECT to_jsonb(role) - 'oid' - 'rolpassword' || jsonb_build_object('settings', rolconfig)
        FROM pg_roles AS role WHERE rolname LIKE 'greenlane\\_%'
        UNION ALL
        SELECT jsonb_build_object('member', member::regrole::text, 'of', roleid::regrole::text)
        FROM pg_auth_members WHERE roleid::regrole::text LIKE 'greenlane\\_%'
        UNION ALL
        SELECT jsonb_build_object(
            'database', datname, 'owner', datdba::regrole::text, 'encoding', encoding,
            'collate', datcollate, 'ctype', datctype, 'access', datacl::text)
        FROM pg_database";
    let lines = sqlx::query_scalar::<_, Value>(cluster);
    found.extend(lines.fetch_all(&mut admin).await.unwrap());
    for service in SERVICES {
        let server = admin_url.strip_suffix("/postgres").unwrap();
        let url = format!("{server}/greenlane_{service}");
        let mut inside = PgConnection::connect(&url).await.unwrap();
        let database = "
            SELECT jsonb_build_object(
                'in', current_database(), 'schema', nspname, 'owner', nspowner::regrole::text,
                'access', nspacl::text)
            FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
            UNION ALL
            SELECT jsonb_build_object(
                'in', current_database(), 'of', defaclrole::regrole::text, 'schema', defaclnamespace,
                'kind', defaclobjtype, 'access', defaclacl::text)
            FROM pg_default_acl";
        let lines = sqlx::query_scalar::<_, Value>(database);
        found.extend(lines.fetch_all(&mut inside).await.unwrap());
        inside.close().await.unwrap();
    }
    admin.close().await.unwrap();
    found.iter().map(Value::to_string).collect()
}

#[tokio::test]
async fn databases_and_roles_in_compose_may_do_what_those_of_up_may() {
    let folder = folder();
    let stack = servers(&folder.path().join("state"), false).await;
    let admin_url = stack.postgres_admin_url();
    for service in SERVICES {
        stack::provision(admin_url, service, "seed").await.unwrap();
    }
    let expected = privileges(admin_url).await;
    assert!(expected.len() >= 30, "{expected:#?}");
    let mut admin = PgConnection::connect(admin_url).await.unwrap();
    for service in SERVICES {
        for sql in [
            format!("DROP DATABASE greenlane_{service}"),
            format!(
                "DROP ROLE greenlane_{service}_owner, greenlane_{service}_service, greenlane_{service}_reader"
            ),
        ] {
            let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
            sql.execute(&mut admin).await.unwrap();
        }
    }
    let (password, port) = credentials(&stack);
    let mut variables = variables();
    variables.insert("POSTGRES_PASSWORD".to_owned(), password);
    let services = services(&variables);
    let image = folder.path().join("image");
    fs::create_dir_all(image.join(STATE.trim_start_matches('/'))).unwrap();
    let machine = Machine::new(&services, &image, &port);
    for time in ["first", "second"] {
        provision(&machine, &services, &port);
        let found = privileges(admin_url).await;
        let lacking: Vec<_> = expected.difference(&found).collect();
        let surplus: Vec<_> = found.difference(&expected).collect();
        assert!(
            lacking.is_empty() && surplus.is_empty(),
            "the {time} time: lacking {lacking:#?}, surplus {surplus:#?}"
        );
    }
    // What the server itself is told.
    let mut compared = 0;
    for setting in words(&services["postgres"]["command"]) {
        let Some((name, value)) = setting.strip_prefix("-c").and_then(|s| s.split_once('=')) else {
            continue;
        };
        let shown: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        // Tests run on less memory.
        if name != "shared_buffers" {
            assert_eq!(shown, value, "{name}");
        }
        compared += 1;
    }
    assert!(compared >= 7);
    admin.close().await.unwrap();
    stack.stop_and_remove().await.unwrap();
}

/// Lays the image out in a folder; gives the image's root.
fn image(folder: &Path) -> PathBuf {
    let mut command = Command::new(root().join("deploy/image/try"));
    command.arg(folder).arg(env!("CARGO_BIN_EXE_greenlane"));
    let told = succeed("deploy/image/try", &mut command);
    assert!(told.contains("greenlane "), "no version in {told}");
    folder.join("image")
}

/// Whatever the compiler takes into the binary besides modules must have been copied with them.
fn assert_embedded_files_are_in(build: &Path) {
    let mut embedded = 0;
    let mut missing = Vec::new();
    for source in below(&["services", "proto/src"]) {
        if !source.path.contains("/src/") {
            continue;
        }
        let calls = ["include_str!(\"", "include_bytes!(\""];
        for file in calls
            .iter()
            .flat_map(|call| source.code.split(call).skip(1))
        {
            let file = file.split_once('"').unwrap().0;
            let beside = build.join(&source.path);
            embedded += 1;
            if !beside.parent().unwrap().join(file).is_file() {
                missing.push(format!("{}: {file}", source.path));
            }
        }
    }
    assert!(embedded >= 15, "only {embedded} embedded files were found");
    assert_eq!(
        missing,
        Vec::<String>::new(),
        "COPY them in deploy/Dockerfile"
    );
}

/// A service's process; it does not outlive the test.
struct Running {
    service: &'static str,
    process: Child,
    log: PathBuf,
}

impl Running {
    fn start(service: &'static str, mut command: Command, folder: &Path) -> Running {
        let log = folder.join(format!("{service}.log"));
        let file = File::create(&log).unwrap();
        let process = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Running {
            service,
            process,
            log,
        }
    }

    fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Waits for something about this process.
    async fn until(&mut self, what: &str, mut met: impl FnMut(&mut Running) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !met(self) {
            assert!(
                Instant::now() < deadline,
                "{} {what}: not within {PATIENCE:?}\n{}",
                self.service,
                fs::read_to_string(&self.log).unwrap()
            );
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_image_made_in_a_bare_folder_serves_as_compose_starts_it() {
    let folder = folder();
    let image = image(folder.path());
    assert_embedded_files_are_in(&folder.path().join("build/src"));

    let mut stack = servers(&folder.path().join("state"), true).await;
    let (password, postgres_port) = credentials(&stack);
    let mut variables = variables();
    variables.insert("POSTGRES_PASSWORD".to_owned(), password);
    let services = services(&variables);
    let mut machine = Machine::new(&services, &image, &postgres_port);
    let brokers = stack.brokers().unwrap().to_owned();
    machine.replaced.push(("kafka:9092".to_owned(), brokers));
    for service in SERVICES {
        for listen in ["LISTEN", "ADMIN_LISTEN"] {
            let theirs = port(&services, service, listen);
            let ours = stack.port(&format!("{service}.{listen}")).unwrap();
            for host in ["0.0.0.0", service] {
                let (from, to) = (format!("{host}:{theirs}"), format!("127.0.0.1:{ours}"));
                machine.replaced.push((from, to));
            }
        }
    }

    provision(&machine, &services, &postgres_port);
    succeed("migrate", &mut machine.command(&services["migrate"], &[]));
    let told = succeed("issuer", &mut machine.command(&services["issuer"], &[]));
    assert_eq!(told, "", "a token must not get into a log");
    assert!(machine.folder.join("jwks.json").is_file());

    let mut running = Vec::new();
    for service in SERVICES {
        let settings = serde_json::json!({ "environment": services[service]["environment"] });
        let mut check = machine.command(&settings, &["check-config", service]);
        succeed(&format!("check-config {service}"), &mut check);
        let serve = machine.command(&services[service], &[]);
        running.push(Running::start(service, serve, folder.path()));
    }
    for service in &mut running {
        let probe = words(&services[service.service]["healthcheck"]["test"]);
        let [kind, program, admin] = &probe[..] else {
            panic!("{probe:?} is another probe");
        };
        assert_eq!(kind, "CMD");
        let admin = machine.here(&format!("0.0.0.0:{admin}"));
        let (_, admin) = admin.rsplit_once(':').unwrap();
        service
            .until("is ready", |service| {
                assert!(
                    !service.has_ended(),
                    "{}",
                    fs::read_to_string(&service.log).unwrap()
                );
                let asked = machine.program(program).arg(admin).output().unwrap();
                asked.status.success()
            })
            .await;
    }

    // As `client` sees them: the bound file, with this machine's addresses in it.
    let endpoints = fs::read_to_string(root().join("deploy/compose/endpoints.json")).unwrap();
    let bound = machine.folder.join("endpoints.json");
    fs::write(bound, machine.here(&endpoints)).unwrap();
    succeed(
        "client status",
        &mut machine.command(&services["client"], &["status"]),
    );

    for service in &mut running {
        let pid = i32::try_from(service.process.id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        service.until("ends when told to", Running::has_ended).await;
        assert!(service.process.wait().unwrap().success());
    }
    stack.stop_and_remove().await.unwrap();
}
