//! A running `greenlane up`, for tests and for the rig: in a temporary folder, small and quick to start, gone with the
//! process that started it however that ends. It must not know what the commands do.

// Whoever starts a site is a test, or wants to end like one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use stack::process::{Signal, Tied};

/// Starting everything takes a quarter of a minute on an idle machine; tests run beside others.
const START_DEADLINE: Duration = Duration::from_secs(180);
/// Whatever else is waited for.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// How soon a condition is looked at again; each time half as long again, ...
const POLL: Duration = Duration::from_millis(20);
/// ... but never longer than this.
const POLL_MAX: Duration = Duration::from_millis(200);

/// The binary under test: built with whatever runs here, and beside it or, of a test, in the folder above.
pub fn binary() -> Command {
    let here = std::env::current_exe().expect("this program has a name");
    let program = here
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("greenlane"))
        .find(|program| program.is_file());
    let mut command = Command::new(program.expect("greenlane is built: cargo build -p greenlane"));
    // What stands in the developer's environment is not under test.
    for name in [
        "GREENLANE_STATE",
        "GREENLANE_TOKEN",
        "GREENLANE_DATABASE_URL",
        "GREENLANE_BROKERS",
    ] {
        command.env_remove(name);
    }
    command
        .env("GREENLANE_FAST_START", "1")
        .stdin(Stdio::null());
    command
}

/// What a command wrote, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code.
    pub code: i32,
}

impl Output {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Output {
        let output = command.output().unwrap();
        Output {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().expect("the command was killed"),
        }
    }

    /// Asserts that the command did what it was asked.
    #[track_caller]
    pub fn done(self) -> Output {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Asserts that it was refused or failed.
    #[track_caller]
    pub fn refused(self) -> Output {
        assert_eq!(self.code, 1, "{self:?}");
        assert!(
            !self.stderr.is_empty(),
            "the reason stands on standard error: {self:?}"
        );
        self
    }

    /// Standard output as one JSON object a line.
    #[track_caller]
    pub fn objects(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}

/// Runs `greenlane` with these arguments and nothing else.
pub fn greenlane(arguments: &[&str]) -> Output {
    Output::of(binary().args(arguments))
}

/// A folder that is removed when this process ends, however it ends; the folder of a static value is
/// removed too.
struct Folder {
    path: PathBuf,
    _remover: Remover,
}

/// A shell that waits until nobody holds the other end of its standard input.
struct Remover {
    _process: Child,
    _held: Option<ChildStdin>,
}

impl Folder {
    fn new() -> Folder {
        let path = tempfile::Builder::new()
            .prefix("site-")
            .tempdir_in(stack::ground_for_tests())
            .unwrap()
            .keep();
        let mut process = Command::new("sh")
            .args(["-c", REMOVE])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let held = process.stdin.take();
        Folder {
            path,
            _remover: Remover {
                _process: process,
                _held: held,
            },
        }
    }
}

/// Servers that are being killed may still write for a moment.
const REMOVE: &str = "trap '' INT TERM HUP; cat; for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf \"$0\" && exit; sleep 1; done";

/// One `greenlane up` and its state folder.
pub struct Site {
    folder: Folder,
    up: Option<Tied>,
    starts: u32,
    environment: Vec<(String, String)>,
}

impl Site {
    /// Starts one in a folder of its own, and waits until it is ready.
    pub fn start() -> Site {
        Site::start_with(Vec::new())
    }

    /// As [`Site::start`], with these variables in the environment of `up` and its services.
    pub fn start_with(environment: Vec<(String, String)>) -> Site {
        let mut site = Site {
            environment,
            ..Site::not_started()
        };
        site.start_again();
        site
    }

    /// A folder of its own, in which nothing runs.
    pub fn not_started() -> Site {
        Site {
            folder: Folder::new(),
            up: None,
            starts: 0,
            environment: Vec::new(),
        }
    }

    /// From its next start on this stands in the environment of `up` and its services too.
    pub fn with_environment(&mut self, variable: (String, String)) {
        self.environment.push(variable);
    }

    /// Starts `up` in the folder as it was left, and waits until it is ready.
    pub fn start_again(&mut self) {
        assert!(self.up.is_none(), "it runs");
        self.starts += 1;
        let mut command = binary();
        command.args(["up", "--state"]).arg(self.state());
        command.envs(self.environment.iter().cloned());
        command.stdout(File::create(self.said("stdout")).unwrap());
        command.stderr(File::create(self.said("stderr")).unwrap());
        let mut up = Tied::spawn(command).unwrap();
        // The table of addresses is printed when everything is published.
        let ready = || {
            fs::read_to_string(self.said("stdout"))
                .unwrap()
                .contains("Ctrl-C stops")
        };
        until_within(START_DEADLINE, "up is ready", || {
            if let Some(status) = up.try_wait().unwrap() {
                panic!("up ended with {status}: {}", self.told());
            }
            ready()
        });
        self.up = Some(up);
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path.join("state")
    }

    /// Runs a client command against this site.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Output::of(&mut self.command(arguments))
    }

    /// As [`Site::run`], with `--output json`.
    pub fn run_json(&self, arguments: &[&str]) -> Output {
        Output::of(self.command(arguments).args(["--output", "json"]))
    }

    /// What `endpoints.json` says, if it is there.
    pub fn endpoints(&self) -> Option<Value> {
        let text = fs::read_to_string(self.state().join("endpoints.json")).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// A service's database, as the superuser of the site's own cluster.
    ///
    /// # Errors
    /// Nothing runs, or the cluster is not the site's own.
    pub fn superuser_of(&self, service: &str) -> anyhow::Result<PgConnectOptions> {
        let endpoints = self.endpoints().context("up has published nothing")?;
        let address = endpoints["postgres"][service].as_str();
        let options: PgConnectOptions = address.context("it has no database")?.parse()?;
        let (name, password) = stack::superuser(&self.state())?;
        Ok(options.username(name).password(&password))
    }

    /// What the present `up` wrote to standard error.
    pub fn told(&self) -> String {
        fs::read_to_string(self.said("stderr")).unwrap()
    }

    /// Whether `up` was started and nobody has ended it.
    pub fn runs(&self) -> bool {
        self.up.is_some()
    }

    /// The process id of `up`.
    pub fn pid(&self) -> u32 {
        self.up.as_ref().expect("up runs").pid()
    }

    /// Every process below `up`.
    pub fn children(&self) -> BTreeSet<Process> {
        Process::below(self.pid())
    }

    /// The process of one service.
    pub fn service(&self, name: &str) -> Process {
        let wanted = format!("serve\0{name}\0");
        let found = self
            .children()
            .into_iter()
            .find(|child| child.command_line().contains(&wanted));
        found.unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// The process of Kafka, if there is one now.
    pub fn kafka(&self) -> Option<Process> {
        self.children()
            .into_iter()
            .find(|child| child.command_line().contains("kafka.Kafka\0"))
    }

    /// A signal to `up`.
    ///
    /// # Panics
    /// If it does not run.
    pub fn signal(&self, signal: Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// `kill -9` to `up`.
    pub fn kill(&mut self) {
        let mut up = self.up.take().expect("up runs");
        up.signal(Signal::SIGKILL).unwrap();
        until("up is dead", || up.try_wait().unwrap().is_some());
    }

    /// Ctrl-C to `up`; its exit code.
    pub fn interrupt(&mut self) -> Option<i32> {
        let mut up = self.up.take().expect("up runs");
        up.signal(Signal::SIGINT).unwrap();
        let mut status = None;
        until("up has stopped", || {
            status = up.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    /// A client command against this site, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary();
        command.args(arguments).env("GREENLANE_STATE", self.state());
        command
    }

    fn said(&self, stream: &str) -> PathBuf {
        self.folder
            .path
            .join(format!("up-{}.{stream}", self.starts))
    }
}

/// A process, told apart from a later one with the same number by when it began.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    began: String,
}

impl Process {
    /// Every process below another.
    pub fn below(parent: u32) -> BTreeSet<Process> {
        let all: Vec<(u32, Process)> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let pid = entry.unwrap().file_name().to_str()?.parse().ok()?;
                let (parent, began) = stat(pid)?;
                Some((parent, Process { pid, began }))
            })
            .collect();
        let mut found: BTreeSet<Process> = BTreeSet::new();
        let mut parents = vec![parent];
        while let Some(parent) = parents.pop() {
            for (_, child) in all.iter().filter(|(of, _)| *of == parent) {
                if found.insert(child.clone()) {
                    parents.push(child.pid);
                }
            }
        }
        found
    }

    /// Whether it is still there; one that is dead and not yet waited for is not.
    pub fn lives(&self) -> bool {
        stat(self.pid).is_some_and(|(_, began)| began == self.began)
    }

    /// `kill -9`.
    pub fn kill(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid).unwrap());
        nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
    }

    /// A signal; one that ended meanwhile needs none any more.
    pub fn signal(&self, signal: Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid).unwrap());
        let _ = nix::sys::signal::kill(pid, signal);
    }

    /// The environment that it was started with.
    pub fn environment(&self) -> Vec<(String, String)> {
        let bytes = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Its command line, a zero byte after each word.
    pub fn command_line(&self) -> String {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A living process's parent and when it began.
fn stat(pid: u32) -> Option<(u32, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything; what follows is plain.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let (state, parent, began) = (fields.first()?, fields.get(1)?, fields.get(19)?);
    (*state != "Z" && *state != "X").then_some(())?;
    Some((parent.parse().ok()?, (*began).to_owned()))
}

/// Waits for a condition.
///
/// # Panics
/// If it does not come.
#[track_caller]
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    until_within(DEADLINE, what, condition);
}

/// As [`until`], for as long as is said.
#[track_caller]
pub fn until_within(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + deadline;
    let mut poll = POLL;
    while !condition() {
        assert!(
            Instant::now() < end,
            "waited {} s: {what}",
            deadline.as_secs()
        );
        std::thread::sleep(poll);
        poll = (poll * 3 / 2).min(POLL_MAX);
    }
}

/// A document of the project's own copy of real declarations.
pub fn document(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../data/declarations")
        .join(path);
    path.canonicalize().unwrap().to_str().unwrap().to_owned()
}
