//! Kafka's classes, loaded and checked, in a file that the virtual machine maps into memory (class data sharing): a
//! start takes little more than half of its processor time. The first broker that is stopped in order writes it. The
//! machine itself passes over a file that does not suit it, so nothing here must be right for a broker to start.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where the classes are kept, and where a broker puts what it has learnt.
#[derive(Debug)]
pub(crate) struct Classes {
    /// Beside Kafka's packages, for all brokers of this user.
    kept: PathBuf,
    /// In the state folder, where an ending broker writes them.
    learnt: PathBuf,
}

impl Classes {
    pub fn of(java: &Path, libs: &Path, home: &Path) -> Classes {
        // Another release of Java needs another file.
        let release = fs::metadata(java)
            .map(|program| program.mtime())
            .unwrap_or_default();
        Classes {
            kept: libs.join(format!("classes-{release}.jsa")),
            learnt: home.join("classes.jsa"),
        }
    }

    /// What a virtual machine is told where classes are kept.
    pub fn known(&self) -> Option<OsString> {
        self.kept
            .is_file()
            .then(|| option("-XX:SharedArchiveFile=", &self.kept))
    }

    /// What a broker is told where none are.
    pub fn to_be_learnt(&self) -> Option<OsString> {
        (!self.kept.is_file()).then(|| option("-XX:ArchiveClassesAtExit=", &self.learnt))
    }

    /// Puts what a broker wrote at its end where the next finds it. Where that cannot be, brokers start more slowly,
    /// nothing else.
    pub fn keep(&self) {
        let keep = || -> io::Result<()> {
            if self.kept.is_file() || !self.learnt.is_file() {
                return Ok(());
            }
            let folder = self.kept.parent().unwrap_or(Path::new("."));
            let unfinished = tempfile::NamedTempFile::new_in(folder)?;
            fs::copy(&self.learnt, unfinished.path())?;
            unfinished.persist(&self.kept)?;
            Ok(())
        };
        let _ = keep();
        let _ = fs::remove_file(&self.learnt);
    }
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}
