//! What bonded knows of a party, from the register's facts.

/// A party as last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownParty {
    /// Its id: "trader-a".
    pub party_id: String,
    /// Of the fact: epoch of the register, then the party's counter. The highest wins.
    pub version: (u64, u64),
    /// Its name for people.
    pub name: String,
    /// What it is: "trader".
    pub roles: Vec<String>,
    /// It may not act.
    pub suspended: bool,
}

impl KnownParty {
    /// Whether it may own books.
    pub fn may_own_books(&self) -> bool {
        !self.suspended && self.roles.iter().any(|role| role == "trader")
    }

    /// Whether this fact replaces what is held.
    pub fn replaces(&self, held: Option<&KnownParty>) -> bool {
        held.is_none_or(|held| self.version > held.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(version: (u64, u64)) -> KnownParty {
        KnownParty {
            party_id: "trader-a".into(),
            version,
            name: "Trader A".into(),
            roles: vec!["trader".into()],
            suspended: false,
        }
    }

    #[test]
    fn the_highest_version_of_a_party_wins_and_an_epoch_counts_first() {
        assert!(party((1, 1)).replaces(None));
        assert!(!party((1, 1)).replaces(Some(&party((1, 1)))));
        assert!(!party((1, 1)).replaces(Some(&party((1, 2)))));
        assert!(party((2, 1)).replaces(Some(&party((1, 9)))));
    }

    #[test]
    fn only_a_trader_that_is_not_suspended_may_own_books() {
        assert!(party((1, 1)).may_own_books());
        assert!(
            !KnownParty {
                suspended: true,
                ..party((1, 1))
            }
            .may_own_books()
        );
        assert!(
            !KnownParty {
                roles: vec!["broker".into()],
                ..party((1, 1))
            }
            .may_own_books()
        );
    }
}
