//! Subjects: the names of the things whose state an input reads or writes,
//! also of those that do not exist yet. All subjects of a batch are locked in
//! one order before anything is read, so that a declaration naming a container
//! and that container's arrival cannot miss each other.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

/// How an input uses a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    /// Only read: shared with other readers.
    Read,
    /// Read and written: for this batch alone.
    Write,
}

/// The subjects of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    named: BTreeMap<(&'static str, String), Access>,
}

impl Subjects {
    /// No subjects yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a subject whose state the input may change. `kind` is the service's
    /// own word ("container", "plate"); keys are compared within a kind.
    pub fn write(mut self, kind: &'static str, key: impl Into<String>) -> Self {
        self.named.insert((kind, key.into()), Access::Write);
        self
    }

    /// Adds a subject whose state the input only reads (a party, a mandate).
    pub fn read(mut self, kind: &'static str, key: impl Into<String>) -> Self {
        self.named.entry((kind, key.into())).or_insert(Access::Read);
        self
    }

    /// Adds all of another's subjects.
    pub fn and(mut self, other: Subjects) -> Self {
        for (name, access) in other.named {
            let held = self.named.entry(name).or_insert(access);
            *held = (*held).max(access);
        }
        self
    }

    /// How many subjects are named.
    pub(crate) fn len(&self) -> usize {
        self.named.len()
    }

    /// Whether every subject of `other` is among these, with at least its access.
    pub(crate) fn covers(&self, other: &Subjects) -> bool {
        other
            .named
            .iter()
            .all(|(name, access)| self.named.get(name).is_some_and(|held| held >= access))
    }

    /// The subjects whose state the input may change.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let named = self.named.iter();
        let written = named.filter(|(_, access)| **access == Access::Write);
        written.map(|((kind, key), _)| (*kind, key.as_str()))
    }

    /// Whether the input would see what was written of these.
    pub(crate) fn names_any_of(&self, written: &BTreeSet<(&'static str, &str)>) -> bool {
        let mut names = self.named.keys();
        names.any(|(kind, key)| written.contains(&(*kind, key.as_str())))
    }
}

/// The subjects of a whole batch: what [`crate::Service::load`] reads.
#[derive(Clone, Debug, Default)]
pub struct SubjectSet {
    kinds: BTreeMap<&'static str, BTreeSet<String>>,
    locks: BTreeMap<u64, Access>,
}

/// The classes of locks, in the order in which they are taken.
#[derive(Clone, Copy)]
pub(crate) enum LockClass {
    Position = 0,
    Request = 1,
    Subject = 2,
}

impl SubjectSet {
    /// Every distinct key of a kind, sorted.
    pub fn keys(&self, kind: &str) -> Vec<String> {
        self.kinds
            .get(kind)
            .map(|keys| keys.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Whether any subject of the kind was named.
    pub fn has(&self, kind: &str) -> bool {
        self.kinds.contains_key(kind)
    }

    pub(crate) fn add(&mut self, subjects: &Subjects) {
        for ((kind, key), access) in &subjects.named {
            self.kinds.entry(kind).or_default().insert(key.clone());
            self.lock(LockClass::Subject, &[kind, key], *access);
        }
    }

    pub(crate) fn add_position(&mut self, topic: &str, partition: u32) {
        let partition = partition.to_string();
        self.lock(LockClass::Position, &[topic, &partition], Access::Write);
    }

    pub(crate) fn add_request(&mut self, party: &str, request_id: &str) {
        self.lock(LockClass::Request, &[party, request_id], Access::Write);
    }

    fn lock(&mut self, class: LockClass, parts: &[&str], access: Access) {
        let held = self.locks.entry(lock_key(class, parts)).or_insert(access);
        *held = (*held).max(access);
    }

    /// Advisory lock keys with "shared" flags, in the one order everybody uses.
    pub fn locks(&self) -> (Vec<i64>, Vec<bool>) {
        self.locks
            .iter()
            .map(|(key, access)| (key.cast_signed(), *access == Access::Read))
            .unzip()
    }
}

/// A 64-bit lock key. The class stands in the top bits, so that sorting by key
/// sorts by class; two subjects that share a hash only wait for each other.
fn lock_key(class: LockClass, parts: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    ((class as u64) << 60) | (u64::from_be_bytes(head) >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_locked_before_requests_and_those_before_subjects() {
        let mut set = SubjectSet::default();
        set.add(&Subjects::new().write("container", "A").read("party", "p"));
        set.add_request("p", "1");
        set.add_position("gate.site", 3);
        let (keys, shared) = set.locks();
        let classes: Vec<i64> = keys.iter().map(|key| key >> 60).collect();
        assert_eq!(classes, [0, 1, 2, 2]);
        assert_eq!(shared.iter().filter(|shared| **shared).count(), 1);
    }

    #[test]
    fn a_subject_read_by_one_input_and_written_by_another_is_locked_for_writing() {
        let mut set = SubjectSet::default();
        set.add(&Subjects::new().read("party", "p"));
        set.add(&Subjects::new().write("party", "p"));
        assert_eq!(set.locks().1, [false]);
        assert_eq!(set.keys("party"), ["p"]);
    }

    #[test]
    fn a_set_that_grew_is_not_covered() {
        let locked = Subjects::new().write("plate", "A").read("visit", "1");
        assert!(locked.covers(&Subjects::new().read("plate", "A")));
        assert!(!locked.covers(&Subjects::new().write("visit", "1")));
        assert!(!locked.covers(&Subjects::new().read("visit", "2")));
    }
}
