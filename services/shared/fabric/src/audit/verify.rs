//! Whether the record of what was done is what was written: each row's hash, chain and signature computed anew, and the
//! chains compared with the heads and with the topic. So an edit is found, and a row that was taken out, put in or put
//! elsewhere; and one that is missing at the end, up to what the topic holds. It must not know what the rows mean.

use std::path::Path;

use prost::Message as _;
use proto::fabric::v1::{AuditEntries, EpochOpened};
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{AUDIT_TYPE, Place, checkpoint, key_id, topic_of};
use crate::config::FabricConfig;
use crate::kafka;
use crate::reads::{Reads, Rights};
use crate::restate::EPOCH_TYPE;
use crate::sequence::{CHAIN_START, PARTITIONS, chain_after, event_id};
use crate::store::{self, AuditRow, Head, Part};
use crate::verify::Published;

/// Rows and records that are looked at together.
const LOOKED_AT_ONCE: usize = 1_000;
/// Faults that are named; more are counted.
const FAULTS_MAX: usize = 1_000;
/// Before the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410, 10.1).
const SPKI_HEAD: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// A public key by which the record is verified.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    key_id: String,
    public: Vec<u8>,
}

impl VerifyingKey {
    /// Reads it from a PEM file.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn open(file: &Path) -> Result<Self, String> {
        let der = SubjectPublicKeyInfoDer::from_pem_file(file)
            .map_err(|error| format!("{} is no public key in PEM: {error}", file.display()))?;
        let public = der.as_ref().strip_prefix(&SPKI_HEAD);
        let public = public.filter(|key| key.len() == 32);
        public.map(Self::of).ok_or_else(|| {
            format!(
                "{} holds no Ed25519 key; make it of the private one: openssl pkey -pubout",
                file.display()
            )
        })
    }

    pub(crate) fn of(public: &[u8]) -> Self {
        Self {
            key_id: key_id(public),
            public: public.to_vec(),
        }
    }
}

/// What came of looking.
#[derive(Clone, Debug, Default)]
pub struct AuditReport {
    /// Rows looked at.
    pub rows: u64,
    /// What they record.
    pub entries: u64,
    /// Rows without signature.
    pub unsigned: u64,
    /// What does not fit: at most 1,000.
    pub faults: Vec<String>,
    /// How many of those there are.
    pub faults_found: u64,
    /// Records of the topic looked at.
    pub records: u64,
    /// Why the topic could not be read.
    pub topic_unread: Option<String>,
}

impl AuditReport {
    fn fault(&mut self, fault: String) {
        self.faults_found += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}

/// Looks at the rows of a service's record. Without keys signatures are counted and not verified.
///
/// # Errors
/// If the database does not answer.
pub async fn rows(
    reads: &Reads,
    service: &str,
    keys: &[VerifyingKey],
) -> Result<AuditReport, sqlx::Error> {
    let topic = topic_of(service);
    let mut report = AuditReport::default();
    // Heads and rows of one instant: others go on writing.
    let mut db = reads.snapshot(&Rights::Everything).await?;
    let heads = store::all_heads(&mut db).await?;
    let limit = i64::try_from(LOOKED_AT_ONCE).unwrap_or(i64::MAX);
    for partition in 0..PARTITIONS {
        let mut walk = Walk::new(&topic, partition, keys);
        loop {
            let rows = store::audit::rows_after(&mut db, partition, walk.place(), limit).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                walk.next(row, &mut report);
            }
        }
        walk.end(heads.get(&(topic.clone(), partition)), &mut report);
    }
    Ok(report)
}

/// Looks at the topic of a service's record, and adds to the report what was published and is not in it.
///
/// # Errors
/// If the database does not answer.
pub async fn topic(
    reads: &Reads,
    service: &str,
    config: &FabricConfig,
    report: &mut AuditReport,
) -> Result<(), sqlx::Error> {
    let topic = topic_of(service);
    let mut db = reads.of(&Rights::Everything).await?;
    let parts: Vec<Part> = (0..PARTITIONS)
        .map(|partition| (topic.clone(), partition))
        .collect();
    let (found, mut records) = mpsc::channel::<Published>(LOOKED_AT_ONCE);
    let config = config.clone();
    let reading = tokio::task::spawn_blocking(move || {
        kafka::read_all(&config, &parts, |record| {
            found.blocking_send(record).is_ok()
        })
    });
    let mut together = Vec::with_capacity(LOOKED_AT_ONCE);
    while records.recv_many(&mut together, LOOKED_AT_ONCE).await > 0 {
        let known = store::audit::chains_of(&mut db, &together).await?;
        for record in together.drain(..) {
            report.records += 1;
            let id = &record.event_id;
            match known.get(&(record.part.1, record.epoch, record.seq)) {
                Some(chain) if *chain == record.chain => {}
                Some(_) => report.fault(format!("{id}: what was published is another")),
                None => report.fault(format!("{id}: it was published and is not in the record")),
            }
        }
    }
    report.topic_unread = match reading.await {
        Ok(read) => read.err(),
        Err(error) => Some(error.to_string()),
    };
    Ok(())
}

/// A partition's rows, one after the other.
struct Walk<'a> {
    part: Part,
    keys: &'a [VerifyingKey],
    last: Option<AuditRow>,
}

impl<'a> Walk<'a> {
    fn new(topic: &str, partition: u32, keys: &'a [VerifyingKey]) -> Self {
        Self {
            part: (topic.to_owned(), partition),
            keys,
            last: None,
        }
    }

    /// The place of the last row.
    fn place(&self) -> (u64, u64) {
        self.last
            .as_ref()
            .map_or((0, 0), |last| (last.epoch, last.seq))
    }

    fn next(&mut self, row: AuditRow, report: &mut AuditReport) {
        report.rows += 1;
        let id = event_id(&self.part.0, row.partition, row.epoch, row.seq);
        if let Err(fault) = self.check(&row, &id, report) {
            report.fault(format!("{id}: {fault}"));
        }
        self.last = Some(row);
    }

    fn check(&self, row: &AuditRow, id: &str, report: &mut AuditReport) -> Result<(), String> {
        let begins_epoch = row.epoch > 1 && row.seq == 1;
        let follows = match &self.last {
            // The first of an epoch says itself whether there was one before.
            None => row.seq == 1,
            Some(last) if last.epoch == row.epoch => last.seq + 1 == row.seq,
            Some(last) => last.epoch < row.epoch && begins_epoch,
        };
        if !follows {
            return Err("the row before it is missing".into());
        }
        if begins_epoch {
            return self.check_epoch(row, id);
        }
        let previous = match &self.last {
            Some(last) => last.chain.clone(),
            None => bytes::Bytes::from_static(CHAIN_START),
        };
        let entries = AuditEntries::decode(row.entries.clone())
            .map_err(|error| format!("its entries cannot be read: {error}"))?;
        report.entries += entries.entries.len() as u64;
        let number = u32::try_from(entries.entries.len()).unwrap_or(u32::MAX);
        let hash = Sha256::digest(&row.entries);
        let signed = (row.key_id.as_str(), &row.signature);
        let payload = checkpoint(&hash, number, signed, row.recorded_at);
        if chain_after(&previous, id, AUDIT_TYPE, &row.key, &payload) != row.chain {
            return Err("its chain does not follow from its content".into());
        }
        if row.key_id.is_empty() {
            report.unsigned += 1;
        }
        if self.keys.is_empty() {
            return Ok(());
        }
        let place = Place {
            part: self.part.clone(),
            epoch: row.epoch,
            seq: row.seq,
            recorded_at: row.recorded_at,
            previous,
        };
        let mut keys = self.keys.iter();
        let Some(key) = keys.find(|key| key.key_id == row.key_id) else {
            return Err(if row.key_id.is_empty() {
                "it is not signed".into()
            } else {
                format!(
                    "it is signed by the key {}, which was not given",
                    row.key_id
                )
            });
        };
        UnparsedPublicKey::new(&ED25519, &key.public)
            .verify(&place.message(&hash), &row.signature)
            .map_err(|_| "its signature is not good".into())
    }

    /// The row that opens an epoch says where the one before had come.
    fn check_epoch(&self, row: &AuditRow, id: &str) -> Result<(), String> {
        let chain = chain_after(CHAIN_START, id, EPOCH_TYPE, &row.key, &row.entries);
        if chain != row.chain {
            return Err("its chain does not follow from its content".into());
        }
        let opened = EpochOpened::decode(row.entries.clone())
            .map_err(|error| format!("it cannot be read: {error}"))?;
        let (epoch, seq) = self.place();
        let before: &[u8] = self.last.as_ref().map_or(&[], |last| last.chain.as_ref());
        // Nothing was recorded in the epoch before, or what it says.
        let is_next = opened.previous_sequence == 0
            || ((opened.previous_epoch, opened.previous_sequence) == (epoch, seq)
                && opened.previous_chain == before);
        if is_next {
            Ok(())
        } else {
            Err(format!(
                "the epoch before ended with {}/{}, and the record ends with {epoch}/{seq}",
                opened.previous_epoch, opened.previous_sequence
            ))
        }
    }

    fn end(self, head: Option<&Head>, report: &mut AuditReport) {
        let (topic, partition) = &self.part;
        let (epoch, seq) = self.place();
        let fits = match (head, &self.last) {
            (Some(head), Some(last)) => {
                (head.epoch, head.seq) == (epoch, seq) && head.chain == last.chain
            }
            (Some(head), None) => head.seq == 0,
            (None, last) => last.is_none(),
        };
        if !fits {
            report.fault(format!(
                "{topic}/{partition}: the record ends with {epoch}/{seq}, and the partition's head says otherwise"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::{DateTime, Utc};
    use proptest::prelude::{Strategy, any};
    use proto::fabric::v1::{AuditEntry, AuditedTimer, audit_entry};
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;
    use crate::audit::{Signed, seal};
    use crate::restate::{Unnumbered, next_row};

    const TOPIC: &str = "test.audit";
    const KEY: &str = "one";

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn signing(pair: &Ed25519KeyPair) -> impl Fn(&[u8]) -> Option<Signed> {
        |message| {
            Some(Signed {
                key_id: key_id(pair.public_key().as_ref()),
                signature: Bytes::copy_from_slice(pair.sign(message).as_ref()),
            })
        }
    }

    fn done(number: u64) -> Vec<AuditEntry> {
        let timer = AuditedTimer {
            name: format!("timer-{number}"),
            facts: 1,
        };
        vec![AuditEntry {
            what: Some(audit_entry::What::Timer(timer)),
        }]
    }

    /// So many rows, as a writer makes them, and the head behind them.
    fn record(rows: u64, sign: impl Fn(&[u8]) -> Option<Signed>) -> (Vec<AuditRow>, Head) {
        let part = (TOPIC.to_owned(), crate::partition_of(KEY));
        let mut head = Head {
            epoch: 1,
            seq: 0,
            chain: Bytes::from_static(CHAIN_START),
        };
        let mut written = Vec::new();
        for number in 0..rows {
            let now = DateTime::from_timestamp(1_700_000_000 + number.cast_signed(), 0).unwrap();
            written.push(write(&part, &mut head, done(number), now, &sign));
        }
        (written, head)
    }

    fn write(
        part: &Part,
        head: &mut Head,
        entries: Vec<AuditEntry>,
        now: DateTime<Utc>,
        sign: &impl Fn(&[u8]) -> Option<Signed>,
    ) -> AuditRow {
        let sealed = seal(entries, &Place::after(part, head, now), sign);
        let fact = Unnumbered {
            topic: TOPIC.to_owned(),
            key: KEY.to_owned(),
            event_type: AUDIT_TYPE.to_owned(),
            payload: sealed.checkpoint,
            traceparent: None,
            aspect: None,
        };
        let row = next_row(head, fact, now);
        AuditRow {
            partition: row.partition,
            epoch: row.epoch,
            seq: row.seq,
            key: row.key,
            recorded_at: now,
            entries: sealed.entries,
            key_id: sealed.key_id,
            signature: sealed.signature,
            chain: row.chain,
        }
    }

    fn faults(rows: &[AuditRow], head: &Head, keys: &[VerifyingKey]) -> Vec<String> {
        let mut report = AuditReport::default();
        let mut walk = Walk::new(TOPIC, crate::partition_of(KEY), keys);
        for row in rows {
            walk.next(row.clone(), &mut report);
        }
        walk.end(Some(head), &mut report);
        report.faults
    }

    #[test]
    fn a_record_as_it_was_written_has_no_fault_and_says_whether_it_is_signed() {
        let pair = pair(1);
        let keys = [VerifyingKey::of(pair.public_key().as_ref())];
        let (rows, head) = record(5, signing(&pair));
        assert_eq!(faults(&rows, &head, &keys), Vec::<String>::new());
        let (unsigned, head) = record(5, |_| None);
        assert_eq!(faults(&unsigned, &head, &[]), Vec::<String>::new());
        assert_eq!(faults(&unsigned, &head, &keys).len(), 5);
    }

    #[test]
    fn whoever_writes_the_chain_anew_without_the_key_is_found() {
        let (owner, other) = (pair(1), pair(2));
        let keys = [VerifyingKey::of(owner.public_key().as_ref())];
        let (forged, head) = record(5, signing(&other));
        assert_eq!(faults(&forged, &head, &[]), Vec::<String>::new());
        assert_eq!(faults(&forged, &head, &keys).len(), 5);
        // Also by a signature that is good elsewhere.
        let (mut rows, head) = record(5, signing(&owner));
        rows[2].signature = rows[1].signature.clone();
        assert!(!faults(&rows, &head, &keys).is_empty());
    }

    /// One change of a record.
    #[derive(Clone, Debug)]
    enum Edit {
        Remove,
        Repeat,
        Swap,
        Time,
        Key,
        KeyId,
        Flip { field: u8, byte: usize, bit: u8 },
        Cut { field: u8 },
    }

    fn edits() -> impl Strategy<Value = (usize, Edit)> {
        let edit =
            (0_u8..8, 0_u8..3, any::<usize>(), 0_u8..8).prop_map(|(kind, field, byte, bit)| {
                match kind {
                    0 => Edit::Remove,
                    1 => Edit::Repeat,
                    2 => Edit::Swap,
                    3 => Edit::Time,
                    4 => Edit::Key,
                    5 => Edit::KeyId,
                    6 => Edit::Cut { field },
                    _ => Edit::Flip { field, byte, bit },
                }
            });
        (0_usize..6, edit)
    }

    fn field(row: &mut AuditRow, field: u8) -> &mut Bytes {
        match field {
            0 => &mut row.entries,
            1 => &mut row.signature,
            _ => &mut row.chain,
        }
    }

    fn edited(mut rows: Vec<AuditRow>, at: usize, edit: &Edit) -> Vec<AuditRow> {
        match edit {
            Edit::Remove => {
                rows.remove(at);
            }
            Edit::Repeat => rows.insert(at, rows[at].clone()),
            Edit::Swap => {
                let other = (at + 1) % rows.len();
                rows.swap(at, other);
            }
            Edit::Time => rows[at].recorded_at += chrono::TimeDelta::microseconds(1),
            Edit::Key => rows[at].key.push('x'),
            Edit::KeyId => rows[at].key_id.push('x'),
            Edit::Flip {
                field: of,
                byte,
                bit,
            } => {
                let place = field(&mut rows[at], *of);
                let mut bytes = place.to_vec();
                let byte = byte % bytes.len();
                bytes[byte] ^= 1 << bit;
                *place = bytes.into();
            }
            Edit::Cut { field: of } => {
                let place = field(&mut rows[at], *of);
                *place = place.slice(..place.len() - 1);
            }
        }
        rows
    }

    #[test]
    fn ten_thousand_random_edits_are_all_found_also_without_the_key() {
        let (rows, head) = record(6, signing(&pair(1)));
        let config = proptest::test_runner::Config::with_cases(10_000);
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let ran = runner.run(&edits(), |(at, edit)| {
            let edited = edited(rows.clone(), at, &edit);
            proptest::prop_assert_ne!(&edited, &rows);
            proptest::prop_assert!(!faults(&edited, &head, &[]).is_empty(), "{:?}", edit);
            Ok(())
        });
        ran.unwrap();
    }
}
