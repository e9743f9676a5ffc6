//! Child processes that never outlive their parent: not when it returns, not
//! when it panics, not on `kill -9`. Knows processes, signals and log files; it
//! must not know which programs they run.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

use nix::sys::prctl;
pub use nix::sys::signal::Signal;
use nix::unistd::{self, Pid};
use tokio::time::{Instant, sleep};

use crate::error::StackError;

/// How often a condition is looked at while it is waited for.
const POLL_MILLISECONDS: u64 = 10;
/// How long a dropped child may take to die of its death signal before it is killed.
const DROP_GRACE_SECONDS: u64 = 5;
/// How much of the end of a log an error shows.
const LOG_TAIL_BYTES_MAX: u64 = 4 * 1024;
const LOG_TAIL_LINES_MAX: usize = 20;

/// A child process that dies with this one.
///
/// The kernel sends it its death signal (`SIGKILL` unless another was asked
/// for) when this process ends, however it ends. Dropping it does the same and
/// waits. It runs in a process group of its own, so that Ctrl-C in a terminal
/// reaches this process only, which then stops its children in its own order.
#[derive(Debug)]
pub struct Tied {
    child: Child,
    pid: u32,
    death: Signal,
    ended: Option<ExitStatus>,
}

impl Tied {
    /// Starts `command`, to be killed with this process. Standard input is empty.
    ///
    /// # Errors
    /// What the system says to starting it, for instance that it does not exist.
    pub fn spawn(command: Command) -> io::Result<Tied> {
        Tied::spawn_with_death(command, Signal::SIGKILL)
    }

    /// As [`Tied::spawn`], with `death` as the signal that follows from this
    /// process's end: for programs that have children of their own to take along.
    ///
    /// # Errors
    /// As [`Tied::spawn`].
    pub fn spawn_with_death(mut command: Command, death: Signal) -> io::Result<Tied> {
        command.stdin(Stdio::null()).process_group(0);
        tie(&mut command, death);
        let child = spawn_from_lasting_thread(command)?;
        let pid = child.id();
        Ok(Tied {
            child,
            pid,
            death,
            ended: None,
        })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal. Nothing happens to a child that has already ended.
    ///
    /// # Errors
    /// What the system says to sending it.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // Not yet waited for, so the number cannot belong to another process.
        if self.try_wait()?.is_none() {
            nix::sys::signal::kill(pid_of(self.pid)?, signal)?;
        }
        Ok(())
    }

    /// The exit status, if the child has ended.
    ///
    /// # Errors
    /// What the system says to asking.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Waits until the child has ended, `deadline` at most; `None` if it has not.
    ///
    /// # Errors
    /// What the system says to asking.
    pub async fn wait_with_deadline(
        &mut self,
        deadline: Duration,
    ) -> io::Result<Option<ExitStatus>> {
        let until = Instant::now() + deadline;
        loop {
            let status = self.try_wait()?;
            if status.is_some() || Instant::now() >= until {
                return Ok(status);
            }
            poll_pause().await;
        }
    }

    /// Sends each signal in turn and gives it its time, until the child ends;
    /// then `SIGKILL`, which needs no time.
    ///
    /// # Errors
    /// What the system says to signalling or asking.
    pub async fn end(&mut self, steps: &[(Signal, Duration)]) -> io::Result<()> {
        for (signal, grace) in steps {
            self.signal(*signal)?;
            if self.wait_with_deadline(*grace).await?.is_some() {
                return Ok(());
            }
        }
        self.signal(Signal::SIGKILL)?;
        self.wait_with_deadline(Duration::from_secs(DROP_GRACE_SECONDS))
            .await?;
        Ok(())
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        let until = std::time::Instant::now() + Duration::from_secs(DROP_GRACE_SECONDS);
        if self.signal(self.death).is_err() {
            return;
        }
        while let Ok(None) = self.try_wait() {
            if std::time::Instant::now() >= until {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(POLL_MILLISECONDS));
        }
    }
}

/// Makes the child ask the kernel for `death` at its parent's end.
#[expect(
    unsafe_code,
    reason = "only a child itself can ask for its death signal, between fork and exec"
)]
fn tie(command: &mut Command, death: Signal) {
    let parent = unistd::getpid();
    // SAFETY: the closure makes two system calls, both async-signal-safe, and
    // allocates nothing. The standard library runs it after it has changed the
    // user, which would otherwise clear the death signal again.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(death)?;
            // The parent may have died before the kernel was told.
            if unistd::getppid() != parent {
                return Err(nix::errno::Errno::ESRCH.into());
            }
            Ok(())
        });
    }
}

struct Order {
    command: Command,
    answer: SyncSender<io::Result<Child>>,
}

static SPAWNER: Mutex<Option<SyncSender<Order>>> = Mutex::new(None);

/// The kernel sends the death signal when the *thread* that started the child
/// ends. Tests and runtimes end threads all the time, so one thread starts all
/// children and lasts as long as the process.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    let (answer, answered) = mpsc::sync_channel(1);
    lasting_thread()?
        .send(Order { command, answer })
        .map_err(|_| io::Error::other("the thread that starts children has ended"))?;
    answered
        .recv()
        .map_err(|_| io::Error::other("the thread that starts children has ended"))?
}

fn lasting_thread() -> io::Result<SyncSender<Order>> {
    let mut spawner = SPAWNER
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(orders) = spawner.as_ref() {
        return Ok(orders.clone());
    }
    let (orders, taken) = mpsc::sync_channel::<Order>(0);
    std::thread::Builder::new()
        .name("stack-spawner".to_owned())
        .spawn(move || {
            while let Ok(mut order) = taken.recv() {
                let _ = order.answer.send(order.command.spawn());
            }
        })?;
    *spawner = Some(orders.clone());
    Ok(orders)
}

/// Opens `path` anew for a program's output; what stood there before is kept
/// beside it with the ending `.previous`.
///
/// # Errors
/// The file or its folder cannot be written.
pub fn log_file(path: &Path) -> Result<File, StackError> {
    if path.exists() {
        let previous = PathBuf::from(format!("{}.previous", path.display()));
        fs::rename(path, &previous).map_err(StackError::io("rename", path))?;
    }
    File::create(path).map_err(StackError::io("create", path))
}

/// Sends a command's output, both kinds, to the log file at `path`.
///
/// # Errors
/// As [`log_file`].
pub fn log_to(command: &mut Command, path: &Path) -> Result<(), StackError> {
    let log = log_file(path)?;
    let copy = log.try_clone().map_err(StackError::io("open", path))?;
    command.stdout(log).stderr(copy);
    Ok(())
}

/// The last lines of a log, for an error message; empty if there is none.
pub fn log_tail(path: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LOG_TAIL_LINES_MAX);
    lines
        .iter()
        .skip(first)
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}

/// Runs a program to its end, its output going to `log`.
///
/// # Errors
/// It cannot be started, fails, or takes longer than `deadline` (it is killed then).
pub async fn run(mut command: Command, log: &Path, deadline: Duration) -> Result<(), StackError> {
    let program = command.get_program().to_string_lossy().into_owned();
    log_to(&mut command, log)?;
    let mut child = Tied::spawn(command).map_err(StackError::io("run", Path::new(&program)))?;
    match child
        .wait_with_deadline(deadline)
        .await
        .map_err(StackError::io("wait for", Path::new(&program)))?
    {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(StackError::Ended {
            program,
            status: status.to_string(),
            log: log.to_owned(),
            tail: log_tail(log),
        }),
        None => Err(StackError::TooSlow {
            what: format!("`{program}`"),
            seconds: deadline.as_secs(),
            log: log.to_owned(),
            tail: log_tail(log),
        }),
    }
}

/// Makes sure that no `program` works in `folder` any more: what a killed
/// parent left behind is told to end, waited for, and killed if need be.
///
/// A process counts when `folder` is its working directory and its executable
/// has that name; a shell that stands there is left alone.
pub(crate) async fn evict(
    program: &str,
    folder: &Path,
    steps: &[(Signal, Duration)],
) -> Result<(), StackError> {
    let kill = (Signal::SIGKILL, Duration::from_secs(DROP_GRACE_SECONDS));
    for (signal, grace) in steps.iter().copied().chain([kill]) {
        let until = Instant::now() + grace;
        for pid in occupants(program, folder) {
            // Gone in the meantime is as good.
            let _ = nix::sys::signal::kill(pid, signal);
        }
        while !occupants(program, folder).is_empty() {
            if Instant::now() >= until {
                break;
            }
            poll_pause().await;
        }
    }
    match occupants(program, folder).first() {
        None => Ok(()),
        Some(pid) => Err(StackError::Io {
            doing: format!(
                "end the {program} of pid {pid} which still works in {}",
                folder.display()
            ),
            source: io::Error::from(io::ErrorKind::TimedOut),
        }),
    }
}

/// The processes running `program` whose working directory is `folder`.
pub(crate) fn occupants(program: &str, folder: &Path) -> Vec<Pid> {
    let (Ok(folder), Ok(processes)) = (folder.canonicalize(), fs::read_dir("/proc")) else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let cwd = fs::read_link(entry.path().join("cwd")).ok()?;
            let executable = fs::read_link(entry.path().join("exe"));
            let named = match &executable {
                // A replaced executable reads `postgres (deleted)`.
                Ok(path) => {
                    let name = path.file_name().and_then(OsStr::to_str)?;
                    name.split(' ').next() == Some(program)
                }
                // One that is ending has let go of its executable, and not yet of its files.
                Err(_) => {
                    fs::read_to_string(entry.path().join("comm"))
                        .ok()?
                        .trim_end()
                        == program
                }
            };
            (named && cwd == folder).then(|| Pid::from_raw(pid))
        })
        .collect()
}

/// The pause between two looks at a condition.
pub(crate) async fn poll_pause() {
    sleep(Duration::from_millis(POLL_MILLISECONDS)).await;
}

fn pid_of(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid)
        .map(Pid::from_raw)
        .map_err(|_| io::Error::other(format!("{pid} is not a process id")))
}
