//! The in-memory table of a batch: rows read under the locks, changed by
//! decisions, written back at once. It knows which keys were read, so that a
//! decision that reaches for a key whose subject nobody named is found at the
//! first test instead of reading a torn state in production.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// Rows by key, with the knowledge of what was read and what was changed.
#[derive(Debug)]
pub struct Working<K: Ord, V> {
    rows: BTreeMap<K, Option<V>>,
    changed: BTreeSet<K>,
    /// Every row there is was read.
    whole: bool,
}

impl<K: Ord, V> Default for Working<K, V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            changed: BTreeSet::new(),
            whole: false,
        }
    }
}

impl<K: Ord + Clone + Debug, V> Working<K, V> {
    /// The rows found for the keys that were looked for. A key without a row is
    /// known to be absent; a row beyond the keys is taken too.
    pub fn loaded(
        keys: impl IntoIterator<Item = K>,
        rows: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut table: BTreeMap<K, Option<V>> = keys.into_iter().map(|key| (key, None)).collect();
        table.extend(rows.into_iter().map(|(key, row)| (key, Some(row))));
        Self {
            rows: table,
            changed: BTreeSet::new(),
            whole: false,
        }
    }

    /// A table that was read from end to end: any other key is known to be absent.
    pub fn whole(rows: impl IntoIterator<Item = (K, V)>) -> Self {
        Self {
            whole: true,
            ..Self::loaded([], rows)
        }
    }

    /// The row of a key, or none.
    ///
    /// # Panics
    /// If the key was not read: a subject was forgotten. The loop catches it and
    /// fails that input alone.
    pub fn get(&self, key: &K) -> Option<&V> {
        match self.rows.get(key) {
            Some(row) => row.as_ref(),
            None if self.whole => None,
            None => panic!("{key:?} was not read: its subject was not named"),
        }
    }

    /// Whether the key was read, found or not.
    pub fn is_loaded(&self, key: &K) -> bool {
        self.whole || self.rows.contains_key(key)
    }

    /// The row of a key to change it; it will be written.
    ///
    /// # Panics
    /// As [`Working::get`].
    pub fn edit(&mut self, key: &K) -> Option<&mut V> {
        match self.rows.get_mut(key) {
            Some(Some(row)) => {
                self.changed.insert(key.clone());
                Some(row)
            }
            Some(None) => None,
            None if self.whole => None,
            None => panic!("{key:?} was not read: its subject was not named"),
        }
    }

    /// Puts a new row, or another in the place of the one there. A key with a
    /// newly minted id need not have been read.
    pub fn put(&mut self, key: K, row: V) {
        self.changed.insert(key.clone());
        self.rows.insert(key, Some(row));
    }

    /// Every row there is, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows
            .iter()
            .filter_map(|(key, row)| row.as_ref().map(|row| (key, row)))
    }

    /// The rows that were put or edited, by key.
    pub fn changed(&self) -> impl Iterator<Item = (&K, &V)> {
        self.changed
            .iter()
            .filter_map(|key| Some((key, self.rows.get(key)?.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_put_or_edited_is_written() {
        let mut table = Working::loaded(["a", "b", "c"], [("a", 1), ("b", 2)]);
        *table.edit(&"b").unwrap() = 3;
        table.put("d", 4);
        assert_eq!(table.get(&"c"), None);
        assert_eq!(
            table.changed().collect::<Vec<_>>(),
            [(&"b", &3), (&"d", &4)]
        );
    }

    #[test]
    #[should_panic(expected = "its subject was not named")]
    fn reaching_for_a_key_that_was_not_read_fails() {
        Working::<&str, u8>::loaded(["a"], []).get(&"b");
    }

    #[test]
    fn of_a_table_that_was_read_whole_what_is_not_there_is_absent() {
        let mut table = Working::whole([("a", 1)]);
        assert_eq!((table.get(&"a"), table.get(&"b")), (Some(&1), None));
        assert!(table.is_loaded(&"b") && table.edit(&"b").is_none());
    }
}
