//! What bonded knows of the mandates to file stock lists for a trader, from the register's facts. It must not know
//! other mandates.

use chrono::{DateTime, Utc};

/// A mandate as last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownMandate {
    /// Its id.
    pub mandate_id: String,
    /// Of the fact: epoch of the register, then the mandate's counter. The highest wins.
    pub version: (u64, u64),
    /// Who gave it.
    pub grantor_party: String,
    /// Who holds it.
    pub agent_party: String,
    /// Whether it allows to file stock lists.
    pub files_stock_lists: bool,
    /// From when.
    pub valid_from: DateTime<Utc>,
    /// Until when; none: until revoked.
    pub valid_until: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl KnownMandate {
    /// Whether it lets its holder file lists for its giver at this instant.
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

    #[test]
    fn a_mandate_counts_from_when_it_is_valid_until_it_ends_or_is_revoked() {
        let mandate = KnownMandate {
            mandate_id: "m".into(),
            version: (1, 1),
            grantor_party: "trader-a".into(),
            agent_party: "broker-a".into(),
            files_stock_lists: true,
            valid_from: instant(10),
            valid_until: Some(instant(30)),
            revoked_at: Some(instant(20)),
        };
        let allowed: Vec<i64> = (0..40).filter(|at| mandate.allows(instant(*at))).collect();
        assert_eq!(allowed, (10..20).collect::<Vec<_>>());
        let other = KnownMandate {
            files_stock_lists: false,
            ..mandate
        };
        assert!(!other.allows(instant(15)));
    }
}
