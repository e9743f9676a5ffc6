//! Ids. Decisions are given new ids as arguments; this is the only place that makes them, and the only one
//! that uses randomness.

use uuid::Uuid;

/// A new id (UUID version 7): later ids sort after earlier ones, which keeps indexes dense.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// The id that follows from a name (UUID version 5): the same namespace and name always give the same id.
pub fn derived_id(namespace: Uuid, name: &[u8]) -> Uuid {
    Uuid::new_v5(&namespace, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let ids: Vec<_> = (0..1_000).map(|_| new_id()).collect();
        assert!(ids.is_sorted_by(|earlier, later| earlier < later));
    }

    #[test]
    fn the_same_name_gives_the_same_id() {
        // The example of RFC 9562, appendix A.4.
        let id = derived_id(Uuid::NAMESPACE_DNS, b"www.example.com");
        assert_eq!(id.to_string(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
        assert_ne!(id, derived_id(Uuid::NAMESPACE_URL, b"www.example.com"));
    }
}
