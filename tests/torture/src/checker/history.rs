//! What callers were told is kept: every request that was answered still has its answer in its service's database. It must
//! not know what was asked.

use std::collections::BTreeSet;

use super::{Kind, Violation};
use crate::evidence::Evidence;
use crate::play::history::Acknowledged;

/// The requests that were answered and that no database knows.
pub fn violations(evidence: &Evidence, acknowledged: &[Acknowledged]) -> Vec<Violation> {
    let exchanges = evidence.exchanges.values();
    let kept: BTreeSet<_> = exchanges.flat_map(|one| &one.answered).collect();
    let lost = acknowledged
        .iter()
        .filter(|one| !kept.contains(&one.request_id));
    let violation = |one: &Acknowledged| {
        let what = format!("{}, request {}", one.what, one.request_id);
        Violation::new(Kind::AcknowledgedMissing, what)
    };
    lost.map(violation).collect()
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;
    use crate::evidence::Exchange;

    #[test]
    fn a_request_that_was_answered_and_is_not_kept_is_found() {
        let request = |number| Acknowledged {
            what: "the truck is filed".to_owned(),
            request_id: Uuid::from_u128(number),
            at: Instant::now(),
            waited: None,
        };
        let exchange = Exchange {
            answered: [Uuid::from_u128(1)].into(),
            ..Exchange::default()
        };
        let evidence = Evidence {
            exchanges: [("gate".to_owned(), exchange)].into(),
            ..Evidence::default()
        };
        assert_eq!(violations(&evidence, &[request(1)]), []);
        let found = violations(&evidence, &[request(1), request(2)]);
        let kinds: Vec<_> = found.iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [Kind::AcknowledgedMissing]);
    }
}
