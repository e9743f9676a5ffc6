//! The record of what was done: by each commit one row of `fabric.audit`, and a fact on the topic `<service>.audit` that
//! holds the row's hash, with the chain that every fact has and the signature of whoever runs the service. So the record
//! is as complete, as ordered and as published as everything else, and costs no flush of its own. It must not know what
//! the commands mean.

pub mod verify;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kernel::Refusal;
use prost::Message as _;
use proto::fabric::v1::{
    AuditCheckpoint, AuditEntries, AuditEntry, AuditedAct, AuditedAttempt, AuditedCommand,
    AuditedRecords, AuditedTimer, audit_entry,
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::handle::Origin;
use crate::reads::{Reads, Rights};
use crate::store::{self, Head, Part};

/// The type of the facts.
pub(crate) const AUDIT_TYPE: &str = "greenlane.fabric.audit";
/// Calls not let in that are told apart between two commits; of more only the number is kept.
pub(crate) const ATTEMPTS_MAX: usize = 1_000;
/// Commits that are looked through for what is wanted of the record.
pub const ROWS_LOOKED_AT_MAX: usize = 100_000;
const ROWS_AT_ONCE: i64 = 1_000;

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum AuditKeyError {
    /// No PEM in the file.
    #[error("fabric.audit_key_file {0} cannot be read as a private key in PEM: {1}")]
    File(PathBuf, String),
    /// Another key.
    #[error("{0} holds no Ed25519 key in PKCS #8; make one: openssl genpkey -algorithm ed25519")]
    Key(PathBuf),
}

/// Signs the record.
pub(crate) struct Signer {
    key: Ed25519KeyPair,
    key_id: String,
}

impl Signer {
    /// Reads the key.
    ///
    /// # Errors
    /// The file holds none.
    pub(crate) fn open(file: &Path) -> Result<Self, AuditKeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_file(file)
            .map_err(|error| AuditKeyError::File(file.to_owned(), error.to_string()))?;
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map_err(|_| AuditKeyError::Key(file.to_owned()))?;
        let key_id = key_id(key.public_key().as_ref());
        Ok(Self { key, key_id })
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signed {
        Signed {
            key_id: self.key_id.clone(),
            signature: Bytes::copy_from_slice(self.key.sign(message).as_ref()),
        }
    }
}

/// A signature and whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// The key by which it is verified.
    pub key_id: String,
    /// Ed25519.
    pub signature: Bytes,
}

/// By which a public key is known.
pub(crate) fn key_id(public: &[u8]) -> String {
    let hash = Sha256::digest(public);
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Where a row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub part: Part,
    pub epoch: u64,
    pub seq: u64,
    pub recorded_at: DateTime<Utc>,
    /// The chain's value before it.
    pub previous: Bytes,
}

impl Place {
    /// Behind this head.
    pub(crate) fn after(part: &Part, head: &Head, recorded_at: DateTime<Utc>) -> Self {
        Self {
            part: part.clone(),
            epoch: head.epoch,
            seq: head.seq + 1,
            recorded_at,
            previous: head.chain.clone(),
        }
    }

    /// What is signed: a word of its own, the place, the chain before it and the hash of the entries.
    fn message(&self, entries_sha256: &[u8]) -> Vec<u8> {
        let mut message = b"greenlane audit 1".to_vec();
        let mut part = |bytes: &[u8]| {
            message.extend((bytes.len() as u64).to_be_bytes());
            message.extend(bytes);
        };
        part(self.part.0.as_bytes());
        part(&self.part.1.to_be_bytes());
        part(&self.epoch.to_be_bytes());
        part(&self.seq.to_be_bytes());
        part(&self.recorded_at.timestamp_micros().to_be_bytes());
        part(&self.previous);
        part(entries_sha256);
        message
    }
}

/// What a row says, and the fact that tells of it.
pub(crate) struct Sealed {
    pub entries: Bytes,
    pub key_id: String,
    pub signature: Bytes,
    /// The fact's payload.
    pub checkpoint: Bytes,
}

/// Writes entries for their place, and has them signed.
pub(crate) fn seal(
    entries: Vec<AuditEntry>,
    place: &Place,
    sign: impl Fn(&[u8]) -> Option<Signed>,
) -> Sealed {
    let number = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    let entries = AuditEntries { entries }.encode_to_vec();
    let hash = Sha256::digest(&entries);
    let Signed { key_id, signature } = sign(&place.message(&hash)).unwrap_or_default();
    Sealed {
        checkpoint: checkpoint(&hash, number, (&key_id, &signature), place.recorded_at),
        entries: entries.into(),
        key_id,
        signature,
    }
}

/// The fact's payload.
fn checkpoint(
    entries_sha256: &[u8],
    entries: u32,
    (key_id, signature): (&str, &Bytes),
    recorded_at: DateTime<Utc>,
) -> Bytes {
    let checkpoint = AuditCheckpoint {
        entries_sha256: Bytes::copy_from_slice(entries_sha256),
        entries,
        key_id: key_id.to_owned(),
        signature: signature.clone(),
        recorded_at: Some(prost_types::Timestamp {
            seconds: recorded_at.timestamp(),
            nanos: recorded_at.timestamp_subsec_nanos().cast_signed(),
        }),
    };
    checkpoint.encode_to_vec().into()
}

/// What a batch did, as it is decided.
#[derive(Default)]
pub(crate) struct Entries(Vec<AuditEntry>);

impl Entries {
    pub(crate) fn add(&mut self, what: audit_entry::What) {
        self.0.push(AuditEntry { what: Some(what) });
    }

    /// A record was applied, or set aside; those that follow each other are one entry.
    pub(crate) fn records(
        &mut self,
        (topic, partition): (&str, u32),
        epoch: u64,
        sequence: u64,
        parked: bool,
    ) {
        if let Some(AuditEntry {
            what: Some(audit_entry::What::Records(run)),
        }) = self.0.last_mut()
            && (run.topic.as_str(), run.partition) == (topic, partition)
            && (run.epoch, run.parked) == (epoch, parked)
            && run.last_sequence + 1 == sequence
        {
            run.last_sequence = sequence;
            return;
        }
        self.add(audit_entry::What::Records(AuditedRecords {
            topic: topic.to_owned(),
            partition,
            epoch,
            first_sequence: sequence,
            last_sequence: sequence,
            parked,
        }));
    }

    /// A timer made facts.
    pub(crate) fn timer(&mut self, name: &str, facts: usize) {
        if facts > 0 {
            self.add(audit_entry::What::Timer(AuditedTimer {
                name: name.to_owned(),
                facts: u32::try_from(facts).unwrap_or(u32::MAX),
            }));
        }
    }

    /// Calls were not let in.
    pub(crate) fn attempts<'a>(
        &mut self,
        attempts: impl IntoIterator<Item = (&'a Attempt, &'a u64)>,
    ) {
        for (attempt, times) in attempts {
            self.add(audit_entry::What::Attempt(AuditedAttempt {
                party: attempt.party.clone(),
                subject: attempt.subject.clone(),
                address: written(attempt.address),
                method: attempt.method.clone(),
                reason: attempt.reason.clone(),
                times: *times,
            }));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self) -> Vec<AuditEntry> {
        std::mem::take(&mut self.0)
    }
}

fn written(address: Option<IpAddr>) -> String {
    address
        .map(|address| address.to_string())
        .unwrap_or_default()
}

/// A command and its answer.
pub(crate) struct Commanded<'a> {
    pub party: &'a str,
    pub origin: &'a Origin,
    pub request_id: Option<Uuid>,
    pub fingerprint: &'a [u8; 32],
    /// The party for whom it was done.
    pub for_party: Option<String>,
    pub outcome: &'a Result<Bytes, Refusal>,
    pub repeated: bool,
}

impl Commanded<'_> {
    pub(crate) fn entry(self) -> audit_entry::What {
        let (refused_because, answer_sha256) = match self.outcome {
            Ok(body) => (String::new(), Sha256::digest(body).to_vec().into()),
            Err(refusal) => (refusal.reason.clone(), Bytes::new()),
        };
        let for_party = self.for_party.filter(|other| other != self.party);
        audit_entry::What::Command(AuditedCommand {
            party: self.party.to_owned(),
            subject: self.origin.subject.clone(),
            address: written(self.origin.address),
            method: self.origin.method.to_owned(),
            for_party: for_party.unwrap_or_default(),
            request_id: self.request_id.map(|id| id.to_string()).unwrap_or_default(),
            content_sha256: Bytes::copy_from_slice(self.fingerprint),
            repeated: self.repeated,
            refused_because,
            answer_sha256,
        })
    }
}

/// What an operator asks of the exchange of facts: it goes on record before it is done.
#[derive(Clone, Debug)]
pub struct Act {
    /// The operator's party.
    pub party: String,
    /// How it came.
    pub origin: Origin,
    /// [`crate::fingerprint`] of method and content.
    pub fingerprint: [u8; 32],
}

impl Act {
    pub(crate) fn entry(&self) -> audit_entry::What {
        audit_entry::What::Act(AuditedAct {
            party: self.party.clone(),
            subject: self.origin.subject.clone(),
            address: written(self.origin.address),
            method: self.origin.method.to_owned(),
            content_sha256: Bytes::copy_from_slice(&self.fingerprint),
        })
    }
}

/// A call that was not let in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// The party; empty where nobody was known.
    pub party: String,
    /// The person or machine.
    pub subject: String,
    /// From where.
    pub address: Option<IpAddr>,
    /// The RPC's name; empty where it is none of ours.
    pub method: String,
    /// Why.
    pub reason: String,
}

/// Calls that were not let in, until a commit takes them into the record. Those that are alike are counted, and however
/// many different ones there are, they take little room.
#[derive(Clone, Debug, Default)]
pub struct Attempts(Arc<Mutex<BTreeMap<Attempt, u64>>>);

impl Attempts {
    /// Notes one.
    pub fn note(&self, attempt: Attempt) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_one_too_many = noted.len() >= ATTEMPTS_MAX && !noted.contains_key(&attempt);
        let attempt = if is_one_too_many {
            Attempt {
                reason: "OTHERS".to_owned(),
                ..Attempt::default()
            }
        } else {
            attempt
        };
        *noted.entry(attempt).or_default() += 1;
    }

    pub(crate) fn take(&self) -> BTreeMap<Attempt, u64> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Something that was done, or tried, and when it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// When, by the database.
    pub at: DateTime<Utc>,
    /// What.
    pub entry: AuditEntry,
}

/// The newest of the record that are wanted, newest first: at most so many, out of at most [`ROWS_LOOKED_AT_MAX`]
/// commits.
///
/// # Errors
/// If the database does not answer.
pub async fn newest(
    reads: &Reads,
    wanted: impl Fn(&AuditEntry) -> bool,
    entries_max: usize,
) -> Result<Vec<Recorded>, sqlx::Error> {
    let (mut found, mut before, mut looked_at) = (Vec::new(), None, 0);
    let mut db = reads.of(&Rights::Everything).await?;
    while found.len() < entries_max && looked_at < ROWS_LOOKED_AT_MAX {
        let rows = store::audit::newest(&mut db, before, ROWS_AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        before = Some(last.recorded_at);
        looked_at += rows.len();
        for row in rows {
            let read = AuditEntries::decode(row.entries).unwrap_or_default();
            let entries = read.entries.into_iter().rev().filter(|entry| wanted(entry));
            found.extend(entries.map(|entry| Recorded {
                at: row.recorded_at,
                entry,
            }));
        }
    }
    found.truncate(entries_max);
    Ok(found)
}

/// The topic of a service's record.
pub(crate) fn topic_of(service: &str) -> String {
    format!("{service}.audit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(entries: &Entries) -> Vec<(u64, u64, bool)> {
        let runs = entries.0.iter().filter_map(|entry| match &entry.what {
            Some(audit_entry::What::Records(run)) => {
                Some((run.first_sequence, run.last_sequence, run.parked))
            }
            _ => None,
        });
        runs.collect()
    }

    #[test]
    fn records_that_follow_each_other_are_one_entry() {
        let mut entries = Entries::default();
        for (sequence, parked) in [(1, false), (2, false), (3, true), (5, false)] {
            entries.records(("gate.hold", 3), 1, sequence, parked);
        }
        assert_eq!(
            records(&entries),
            [(1, 2, false), (3, 3, true), (5, 5, false)]
        );
    }

    #[test]
    fn attempts_that_are_alike_are_counted_and_many_different_ones_take_little_room() {
        let attempts = Attempts::default();
        let of = |party: usize| Attempt {
            party: format!("party-{party}"),
            ..Attempt::default()
        };
        for _ in 0..3 {
            attempts.note(of(0));
        }
        for party in 0..ATTEMPTS_MAX * 2 {
            attempts.note(of(party));
        }
        let taken = attempts.take();
        assert_eq!(taken.get(&of(0)), Some(&4));
        assert_eq!(taken.len(), ATTEMPTS_MAX + 1);
        assert_eq!(taken.values().sum::<u64>(), 3 + 2 * ATTEMPTS_MAX as u64);
        assert!(attempts.take().is_empty());
    }
}
