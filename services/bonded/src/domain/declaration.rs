//! What bonded knows of a declaration that names stock lists: whose it is, under which reference, for what, and
//! whether customs has released it. It must not know duty, controls or goods.

use chrono::{DateTime, Utc};
use kernel::StockListNumber;

/// A declaration as last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDeclaration {
    /// Its id.
    pub declaration_id: String,
    /// Of the fact: epoch of customs, then the declaration's counter. The highest wins.
    pub version: (u64, u64),
    /// The filer's own reference.
    pub lrn: String,
    /// The party that filed it.
    pub filer_party: String,
    /// The party whose goods they are; empty if customs does not know it.
    pub trader_party: String,
    /// What its procedure does with the goods, in customs' word: INTO_BOND, OUT_OF_BOND, ...
    pub procedure_kind: String,
    /// Whether customs has released it, or cleared it.
    pub released: bool,
    /// When that was first said to have happened.
    pub released_at: Option<DateTime<Utc>>,
    /// The lists that it names.
    pub stock_lists: Vec<StockListNumber>,
}

impl KnownDeclaration {
    /// What is known after this fact: the highest version, and the earliest release that was told of. The same
    /// version told again may tell more than was read of it before.
    #[must_use]
    pub fn after(self, held: Option<&Self>) -> Self {
        let Some(held) = held else { return self };
        let released_at = match (held.released_at, self.released_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let newest = if self.version >= held.version {
            self
        } else {
            held.clone()
        };
        Self {
            released_at,
            ..newest
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::tests::instant;

    #[test]
    fn the_highest_version_wins_and_the_first_release_is_the_time() {
        let told = |version, released: bool, at| KnownDeclaration {
            declaration_id: "d".into(),
            version: (1, version),
            lrn: "L".into(),
            filer_party: "broker-a".into(),
            trader_party: "trader-a".into(),
            procedure_kind: "INTO_BOND".into(),
            released,
            released_at: released.then(|| instant(at)),
            stock_lists: Vec::new(),
        };
        let (accepted, released, cleared) = (told(1, false, 0), told(2, true, 5), told(3, true, 9));
        for order in [
            [&accepted, &released, &cleared],
            [&cleared, &released, &accepted],
            [&released, &cleared, &accepted],
        ] {
            let known = order
                .into_iter()
                .fold(None, |held: Option<KnownDeclaration>, fact| {
                    Some(fact.clone().after(held.as_ref()))
                })
                .unwrap();
            assert_eq!(
                (known.version.1, known.released, known.released_at),
                (3, true, Some(instant(5)))
            );
        }
    }
}
