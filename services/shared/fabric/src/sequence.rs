//! The numbers of an event: its partition, its place in the partition's
//! sequence, and the hash chain that makes the history tamper-evident. Pure.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Partitions of every topic. Another number is another topic.
pub const PARTITIONS: u32 = 8;

/// The largest event. The broker takes records of a megabyte, with their headers and key.
pub(crate) const EVENT_BYTES_MAX: usize = 900_000;

/// The chain's value before the first event.
pub(crate) const CHAIN_START: &[u8] = &[];

/// The partition of a key: the producer computes it and sends to it explicitly.
pub fn partition_of(key: &str) -> u32 {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % PARTITIONS
}

/// The id of an event, `ce_id`: topic (as in `gate.site`), partition, epoch, sequence.
pub fn event_id(topic: &str, partition: u32, epoch: u64, sequence: u64) -> String {
    format!("greenlane.{topic}.v1/{partition}/{epoch}/{sequence}")
}

/// The next value of a partition's chain: SHA-256 over the previous value and
/// the length-prefixed id, type, key and value of the event.
pub(crate) fn chain_after(
    previous: &[u8],
    event_id: &str,
    event_type: &str,
    key: &str,
    value: &[u8],
) -> Bytes {
    let mut hash = Sha256::new();
    for part in [
        previous,
        event_id.as_bytes(),
        event_type.as_bytes(),
        key.as_bytes(),
        value,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    Bytes::copy_from_slice(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_always_has_the_same_partition() {
        assert_eq!(partition_of("GUOYUAN-PORT"), partition_of("GUOYUAN-PORT"));
        assert!((0..1000).all(|key| partition_of(&key.to_string()) < PARTITIONS));
    }

    #[test]
    fn the_chain_changes_with_every_part_and_with_where_parts_end() {
        let base = chain_after(CHAIN_START, "id", "type", "key", b"value");
        assert_ne!(base, chain_after(b"x", "id", "type", "key", b"value"));
        assert_ne!(
            base,
            chain_after(CHAIN_START, "idt", "ype", "key", b"value")
        );
        assert_ne!(
            base,
            chain_after(CHAIN_START, "id", "type", "keyv", b"alue")
        );
    }
}
