//! A formatted log folder without another virtual machine: Kafka's own tool formats the first, and what it wrote there
//! but the ids, the features of the release, is the same in every folder. What was kept is only ever what it wrote.

use std::path::{Path, PathBuf};
use std::{fs, io};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;

/// The first snapshot of the broker's metadata, in a log folder: the features that are on from the beginning.
const FEATURES: &str = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
/// Whose folder it is.
const IDS: &str = "meta.properties";

/// What formatting left, beside Kafka's packages, for all brokers of this user.
#[derive(Debug)]
pub(crate) struct Formatted {
    features: PathBuf,
}

impl Formatted {
    pub fn of(libs: &Path) -> Formatted {
        Formatted {
            features: libs.join("features.checkpoint"),
        }
    }

    /// Formats a folder that is not there yet, with new ids. False: nothing was kept so far.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn repeat(&self, node_id: u32, folder: &Path) -> io::Result<bool> {
        let features = match fs::read(&self.features) {
            Ok(features) => features,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let place = folder.join(FEATURES);
        fs::create_dir_all(place.parent().unwrap_or(folder))?;
        fs::write(place, features)?;
        let (cluster, directory) = (new_id(), new_id());
        let ids = format!(
            "version=1\nnode.id={node_id}\ncluster.id={cluster}\ndirectory.id={directory}\n"
        );
        fs::write(folder.join(IDS), ids)?;
        Ok(true)
    }

    /// Keeps what was formatted. Where that cannot be, the next is formatted like this one.
    pub fn keep(&self, folder: &Path) {
        let keep = || -> io::Result<()> {
            let beside = self.features.parent().unwrap_or(Path::new("."));
            let unfinished = tempfile::NamedTempFile::new_in(beside)?;
            fs::write(unfinished.path(), fs::read(folder.join(FEATURES))?)?;
            unfinished.as_file().sync_all()?;
            unfinished.persist(&self.features)?;
            Ok(())
        };
        let _ = keep();
    }
}

/// An id as Kafka writes them. One that began with a dash would be taken for an option.
pub(crate) fn new_id() -> String {
    let mut id = [0_u8; 16];
    rand::thread_rng().fill_bytes(&mut id);
    id[0] &= 0x7f;
    URL_SAFE_NO_PAD.encode(id)
}
