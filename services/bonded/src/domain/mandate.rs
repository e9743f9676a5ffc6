//! What bonded knows of the mandates to file stock lists for a trader, from the register's facts. It must not know
//! other mandates.

use chrono::{DateTime, Utc};
use kernel::HsCode;

/// A mandate as last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownMandate {
    /// Its id.
    pub mandate_id: String,
    /// Of the fact: epoch of the register, then the mandate's counter. The highest wins.
    pub version: (u64, u64),
    /// For whom its holder may file.
    pub grantor_party: String,
    /// Who holds it.
    pub agent_party: String,
    /// Whether it allows to file stock lists.
    pub files_stock_lists: bool,
    /// The goods to which it is limited, by the first digits of their codes; none: any.
    pub goods: Vec<String>,
    /// From when.
    pub valid_from: DateTime<Utc>,
    /// Until when; none: until revoked.
    pub valid_until: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl KnownMandate {
    /// Whether it is for all of these goods. One that is limited to some is none for a list without any.
    pub fn covers(&self, goods: &[&HsCode]) -> bool {
        let within = |code: &&HsCode| {
            let mut limits = self.goods.iter();
            limits.any(|limit| code.as_str().starts_with(limit.as_str()))
        };
        self.goods.is_empty() || (!goods.is_empty() && goods.iter().all(within))
    }

    /// Whether it lets its holder file lists for its giver at this instant, within its limits.
    pub fn allows(&self, now: DateTime<Utc>) -> bool {
        self.files_stock_lists
            && self.valid_from <= now
            && self.valid_until.is_none_or(|until| now < until)
            && self.revoked_at.is_none_or(|revoked| now < revoked)
    }

    /// Whether this fact replaces what is held.
    pub fn replaces(&self, held: Option<&Self>) -> bool {
        held.is_none_or(|held| self.version > held.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::tests::instant;

    fn mandate(goods: &[&str]) -> KnownMandate {
        KnownMandate {
            mandate_id: "m".into(),
            version: (1, 1),
            grantor_party: "trader-a".into(),
            agent_party: "broker-a".into(),
            files_stock_lists: true,
            goods: goods.iter().map(|code| (*code).to_owned()).collect(),
            valid_from: instant(10),
            valid_until: Some(instant(30)),
            revoked_at: Some(instant(20)),
        }
    }

    #[test]
    fn a_mandate_counts_from_when_it_is_valid_until_it_ends_or_is_revoked() {
        let mandate = mandate(&[]);
        let allowed: Vec<i64> = (0..40).filter(|at| mandate.allows(instant(*at))).collect();
        assert_eq!(allowed, (10..20).collect::<Vec<_>>());
        let other = KnownMandate {
            files_stock_lists: false,
            ..mandate
        };
        assert!(!other.allows(instant(15)));
    }

    #[test]
    fn a_mandate_for_some_goods_is_none_for_a_list_with_others() {
        let [computer, phone, bolt] =
            ["847130", "851713", "731815"].map(|code| HsCode::parse(code).expect("a code"));
        let some = mandate(&["8471", "85"]);
        assert!(some.covers(&[&computer, &phone]));
        assert!(!some.covers(&[&computer, &bolt]));
        assert!(!some.covers(&[]));
        let any = mandate(&[]);
        assert!(any.covers(&[&bolt]) && any.covers(&[]));
    }
}
