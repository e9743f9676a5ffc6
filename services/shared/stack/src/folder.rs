//! The state folder: who holds it, which ports belong to it, how it is removed.
//! It must not know what runs in it.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use rand::Rng;

use crate::error::StackError;

/// Below the range from which Linux takes ports for outgoing connections
/// (32768 on), so that a port is not taken by a passing client meanwhile.
const PORT_FIRST: u16 = 20_000;
const PORT_LAST: u16 = 31_999;
const PORT_ATTEMPTS_MAX: u32 = 500;
/// A `ports.json` is a few lines; more is not ours.
const PORTS_FILE_BYTES_MAX: u64 = 64 * 1024;
/// A lock file holds a process id.
const LOCK_FILE_BYTES_MAX: u64 = 32;

/// A state folder held by this process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    ports: Ports,
    // Held until dropped; the system lets go of it when the process dies.
    lock: File,
}

impl Drop for Folder {
    /// A process that is just being started has a copy of every open file until it runs its program: closing the
    /// file alone would leave the folder in use as long.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Folder {
    /// Creates the folder where there is none, and holds it.
    ///
    /// # Errors
    /// It cannot be written, or another process holds it ([`StackError::FolderInUse`]).
    pub fn hold(path: &Path) -> Result<Folder, StackError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(StackError::io("create", path))?;
        let path = path.canonicalize().map_err(StackError::io("open", path))?;
        let lock = locked(&path)?;
        let logs = path.join("logs");
        fs::create_dir_all(&logs).map_err(StackError::io("create", &logs))?;
        let ports = Ports::kept_in(&path.join("ports.json"));
        Ok(Folder { path, ports, lock })
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log file of a program.
    pub fn log(&self, program: &str) -> PathBuf {
        self.path.join("logs").join(format!("{program}.log"))
    }

    /// The port of `name`: the one it had before unless somebody else has taken
    /// it, otherwise a free one. It stays this process's until the folder is let go.
    ///
    /// # Errors
    /// No port is free, or `ports.json` cannot be written.
    pub fn port(&mut self, name: &str) -> Result<u16, StackError> {
        self.ports.claim(name)
    }
}

fn locked(folder: &Path) -> Result<File, StackError> {
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(StackError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = (&file).take(LOCK_FILE_BYTES_MAX).read_to_string(&mut text);
            return Err(StackError::FolderInUse {
                folder: folder.to_owned(),
                pid: text.trim().parse().ok(),
            });
        }
        Err(fs::TryLockError::Error(source)) => return Err(StackError::io("lock", &path)(source)),
    }
    let write = |file: &mut File| -> io::Result<()> {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(StackError::io("write", &path))?;
    Ok(file)
}

/// Named ports, remembered in a file.
#[derive(Debug)]
struct Ports {
    path: PathBuf,
    kept: BTreeMap<String, u16>,
    reserved: BTreeMap<String, Reservation>,
}

impl Ports {
    /// A file that is missing or unreadable means that there are none yet.
    fn kept_in(path: &Path) -> Ports {
        let read = || -> Option<BTreeMap<String, u16>> {
            let mut text = String::new();
            File::open(path)
                .ok()?
                .take(PORTS_FILE_BYTES_MAX)
                .read_to_string(&mut text)
                .ok()?;
            serde_json::from_str(&text).ok()
        };
        Ports {
            path: path.to_owned(),
            kept: read().unwrap_or_default(),
            reserved: BTreeMap::new(),
        }
    }

    fn claim(&mut self, name: &str) -> Result<u16, StackError> {
        if let Some(reservation) = self.reserved.get(name) {
            return Ok(reservation.port);
        }
        let kept = self.kept.get(name).and_then(|port| Reservation::of(*port));
        let reservation = match kept {
            Some(reservation) => reservation,
            None => Reservation::any()?,
        };
        let port = reservation.port;
        self.reserved.insert(name.to_owned(), reservation);
        if self.kept.insert(name.to_owned(), port) != Some(port) {
            self.write()?;
        }
        Ok(port)
    }

    fn write(&self) -> Result<(), StackError> {
        let text = serde_json::to_string_pretty(&self.kept).map_err(|error| StackError::Io {
            doing: format!("write {}", self.path.display()),
            source: error.into(),
        })?;
        let unfinished = self.path.with_extension("json.new");
        fs::write(&unfinished, text).map_err(StackError::io("write", &unfinished))?;
        fs::rename(&unfinished, &self.path).map_err(StackError::io("write", &self.path))
    }
}

/// A port that nobody listens on and that no other stack of this machine takes
/// as long as this value lives.
#[derive(Debug)]
struct Reservation {
    port: u16,
    _claim: UnixListener,
}

impl Reservation {
    fn of(port: u16) -> Option<Reservation> {
        // A name in the abstract socket namespace serves as the lock: like the
        // ports it belongs to the network namespace, needs no file, and is
        // free again when its process is gone.
        let name = SocketAddr::from_abstract_name(format!("greenlane-port-{port}")).ok()?;
        let claim = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        Some(Reservation {
            port,
            _claim: claim,
        })
    }

    fn any() -> Result<Reservation, StackError> {
        let mut random = rand::thread_rng();
        (0..PORT_ATTEMPTS_MAX)
            .find_map(|_| Reservation::of(random.gen_range(PORT_FIRST..=PORT_LAST)))
            .ok_or(StackError::NoFreePort {
                from: PORT_FIRST,
                to: PORT_LAST,
                attempts: PORT_ATTEMPTS_MAX,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_folder_is_refused_to_the_next_and_names_its_holder() {
        let temporary = tempfile::tempdir().unwrap();
        let held = Folder::hold(temporary.path()).unwrap();
        let refused = Folder::hold(temporary.path()).unwrap_err();
        assert!(
            matches!(refused, StackError::FolderInUse { pid: Some(pid), .. } if pid == std::process::id()),
            "{refused}"
        );
        drop(held);
        Folder::hold(temporary.path()).unwrap();
    }

    #[test]
    fn a_folder_is_let_go_even_while_a_process_that_is_being_started_has_its_files_open() {
        let temporary = tempfile::tempdir().unwrap();
        let held = Folder::hold(temporary.path()).unwrap();
        let _inherited = held.lock.try_clone().unwrap();
        drop(held);
        Folder::hold(temporary.path()).unwrap();
    }

    #[test]
    fn a_port_is_kept_from_one_holder_to_the_next() {
        let temporary = tempfile::tempdir().unwrap();
        let port = Folder::hold(temporary.path())
            .unwrap()
            .port("kafka")
            .unwrap();
        let mut folder = Folder::hold(temporary.path()).unwrap();
        assert_eq!(folder.port("kafka").unwrap(), port);
        assert_eq!(folder.port("kafka").unwrap(), port, "asked twice");
        assert_ne!(folder.port("postgres").unwrap(), port);
    }

    #[test]
    fn a_port_that_somebody_took_is_chosen_anew() {
        let temporary = tempfile::tempdir().unwrap();
        let port = Folder::hold(temporary.path())
            .unwrap()
            .port("kafka")
            .unwrap();
        let _stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert_ne!(
            Folder::hold(temporary.path())
                .unwrap()
                .port("kafka")
                .unwrap(),
            port
        );
    }

    #[test]
    fn two_folders_never_share_a_reserved_port() {
        let port = Reservation::any().unwrap();
        assert!(Reservation::of(port.port).is_none());
    }

    #[test]
    fn an_unreadable_list_of_ports_counts_as_none() {
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join("ports.json"), "{half").unwrap();
        let mut folder = Folder::hold(temporary.path()).unwrap();
        assert!((PORT_FIRST..=PORT_LAST).contains(&folder.port("kafka").unwrap()));
    }
}
