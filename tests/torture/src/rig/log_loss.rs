//! A broker that has lost records which it had acknowledged: all of them, or the last of each partition. It is killed,
//! and its files are changed before `up`, which is stopped meanwhile, starts it again. It must not know what the records
//! say.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use stack::process::Signal;
use tokio::time::sleep;

use super::chaos::millis;
use crate::play::outage::{Target, Victim};
use crate::site::Site;

/// Files of a partition that Kafka makes anew of its records.
const DERIVED: [&str; 3] = ["index", "timeindex", "snapshot"];
/// Where, in a batch of records (format 2), its length stands, counted from behind that: four bytes, big-endian.
const LENGTH_AT: u64 = 8;
/// What comes before that count begins.
const BEFORE_LENGTH: u64 = 12;
/// Where the number of its records stands: four bytes.
const COUNT_AT: u64 = 57;
/// How soon it is looked whether the broker is gone.
const POLL_MILLIS: usize = 5;

/// What the broker loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All records of all topics, and the topics.
    Whole,
    /// At least so many of the last records of each partition.
    Tails(u64),
}

/// Has the broker lose it; returns when `up` may start it again.
///
/// # Errors
/// Its files cannot be changed.
pub async fn lose(site: &'static Site, loss: Loss) -> anyhow::Result<()> {
    let broker = Target::find(site, Victim::Kafka).await;
    // Nobody may start it while its files are changed.
    site.signal(Signal::SIGSTOP);
    broker.process.signal(Signal::SIGKILL);
    while broker.process.lives() {
        sleep(millis(POLL_MILLIS)).await;
    }
    let records = site.state().join("kafka").join("log");
    let lost = match loss {
        Loss::Whole => fs::remove_dir_all(&records).context("the log"),
        Loss::Tails(count) => cut_all(&records, count),
    };
    site.signal(Signal::SIGCONT);
    lost
}

fn cut_all(records: &Path, count: u64) -> anyhow::Result<()> {
    for partition in files(records)? {
        let name = partition.file_name().unwrap_or_default();
        // Kafka's own topics begin otherwise: `__consumer_offsets`, `__cluster_metadata`.
        if name.to_string_lossy().starts_with("greenlane.") {
            let cut = cut_partition(&partition, count);
            cut.with_context(|| partition.display().to_string())?;
        }
    }
    Ok(())
}

fn cut_partition(partition: &Path, count: u64) -> io::Result<()> {
    let mut segments = Vec::new();
    for file in files(partition)? {
        let ending = file.extension().and_then(|ending| ending.to_str());
        match ending {
            Some("log") => segments.push(file),
            Some(ending) if DERIVED.contains(&ending) => fs::remove_file(&file)?,
            _ => {}
        }
    }
    // Named by their first offset, in digits that sort.
    segments.sort();
    match segments.last() {
        Some(last) => cut_segment(last, count),
        None => Ok(()),
    }
}

/// Takes batches off the end until so many records are gone, or all.
fn cut_segment(segment: &Path, count: u64) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(segment)?;
    let length = file.metadata()?.len();
    let mut batches: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    while at + COUNT_AT + 4 <= length {
        let size = number(&file, at + LENGTH_AT)?;
        if size == 0 {
            // Room that was set aside.
            break;
        }
        batches.push((at, number(&file, at + COUNT_AT)?));
        at += BEFORE_LENGTH + size;
    }
    let mut gone = 0;
    while gone < count
        && let Some((begins, records)) = batches.pop()
    {
        file.set_len(begins)?;
        gone += records;
    }
    file.sync_all()
}

fn number(file: &File, at: u64) -> io::Result<u64> {
    let mut bytes = [0; 4];
    file.read_exact_at(&mut bytes, at)?;
    Ok(u32::from_be_bytes(bytes).into())
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch as far as it is looked at: its length, and its number of records.
    fn batch(size: u32, records: u32) -> Vec<u8> {
        let mut bytes = vec![0; 12 + size as usize];
        bytes[8..12].copy_from_slice(&size.to_be_bytes());
        bytes[57..61].copy_from_slice(&records.to_be_bytes());
        bytes
    }

    #[test]
    fn whole_batches_are_cut_until_enough_records_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let partition = folder.path().join("greenlane.gate.site.v1-0");
        fs::create_dir(&partition).unwrap();
        let segment = partition.join("00000000000000000000.log");
        let batches = [batch(60, 3), batch(70, 2), batch(80, 1)];
        for (lost, left) in [(1, 72 + 82), (2, 72), (4, 0), (9, 0)] {
            fs::write(&segment, batches.concat()).unwrap();
            fs::write(segment.with_extension("index"), "").unwrap();
            cut_all(folder.path(), lost).unwrap();
            assert_eq!(fs::metadata(&segment).unwrap().len(), left, "{lost}");
            assert!(!segment.with_extension("index").exists());
        }
    }
}
