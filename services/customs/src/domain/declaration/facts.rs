//! The facts of a declaration, and where it stands by them (rule 12): for the same set the same answer, in
//! whatever order they were learnt. It must not know what led to a fact, nor anything else of the declaration.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The facts that the main state is derived from, each with the earliest time at which it was so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts(BTreeMap<FactKind, DateTime<Utc>>);

/// The kinds of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FactKind {
    /// It was filed.
    Filed,
    /// It was found faulty.
    Rejected,
    /// It was lodged before the goods arrived.
    Registered,
    /// An officer or terminal said that the goods are there.
    Presented,
    /// It was accepted.
    Accepted,
    /// A control was ordered before goods were released.
    ControlOrdered,
    /// Goods of it were released.
    Released,
    /// All of it is released and nothing is left to do.
    Cleared,
    /// It is void.
    Invalidated,
    /// All goods of an export have left by train or barge.
    Exited,
    /// An export was released, and its goods did not leave in time.
    ExitOverdue,
}

/// Where a declaration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Faulty.
    Rejected,
    /// Pre-lodged.
    Registered,
    /// Accepted.
    Accepted,
    /// Accepted, and controls were ordered.
    UnderControl,
    /// Goods are released.
    Released,
    /// Nothing is left to do.
    Cleared,
    /// Its goods are detained.
    Detained,
    /// Void.
    Invalidated,
}

/// Where a declaration with these facts stands (rule 12): for the same set the same answer, in whatever
/// order they were learnt. A detention stands over everything but what is final, and leaves no trace in the
/// facts: with its end the declaration stands where they put it.
pub fn status(facts: &Facts, detained: bool) -> Status {
    const FINAL: [(FactKind, Status); 2] = [
        (FactKind::Rejected, Status::Rejected),
        (FactKind::Invalidated, Status::Invalidated),
    ];
    const FROM_THE_END: [(FactKind, Status); 5] = [
        (FactKind::Cleared, Status::Cleared),
        (FactKind::Released, Status::Released),
        (FactKind::ControlOrdered, Status::UnderControl),
        (FactKind::Accepted, Status::Accepted),
        (FactKind::Registered, Status::Registered),
    ];
    let holds = |(fact, _): &(FactKind, Status)| facts.when(*fact).is_some();
    if let Some((_, last)) = FINAL.into_iter().find(holds) {
        return last;
    }
    if detained {
        return Status::Detained;
    }
    FROM_THE_END
        .into_iter()
        .find(holds)
        .map_or(Status::Registered, |(_, status)| status)
}

impl Facts {
    /// Adds a fact; of the same fact learnt twice the earlier time stays.
    pub fn learn(&mut self, fact: FactKind, at: DateTime<Utc>) {
        self.0
            .entry(fact)
            .and_modify(|known| *known = at.min(*known))
            .or_insert(at);
    }

    /// Since when it is so; none if it is not.
    pub fn when(&self, fact: FactKind) -> Option<DateTime<Utc>> {
        self.0.get(&fact).copied()
    }
}

impl Status {
    /// The name in events and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "REJECTED",
            Self::Registered => "REGISTERED",
            Self::Accepted => "ACCEPTED",
            Self::UnderControl => "UNDER_CONTROL",
            Self::Released => "RELEASED",
            Self::Cleared => "CLEARED",
            Self::Detained => "DETAINED",
            Self::Invalidated => "INVALIDATED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::declaration::exit_state;
    use crate::domain::declaration::tests::at;
    use proptest::prelude::*;

    const ALL: [FactKind; 11] = [
        FactKind::Filed,
        FactKind::Rejected,
        FactKind::Registered,
        FactKind::Presented,
        FactKind::Accepted,
        FactKind::ControlOrdered,
        FactKind::Released,
        FactKind::Cleared,
        FactKind::Invalidated,
        FactKind::Exited,
        FactKind::ExitOverdue,
    ];

    fn of(kinds: &[FactKind]) -> Status {
        let mut facts = Facts::default();
        kinds.iter().for_each(|kind| facts.learn(*kind, at(0)));
        status(&facts, false)
    }

    #[test]
    fn rule_12_the_furthest_fact_decides_and_cleared_implies_released() {
        use FactKind::*;
        assert_eq!(of(&[Filed, Rejected]), Status::Rejected);
        assert_eq!(of(&[Filed, Registered]), Status::Registered);
        assert_eq!(of(&[Accepted, Registered]), Status::Accepted);
        assert_eq!(of(&[ControlOrdered, Accepted]), Status::UnderControl);
        assert_eq!(of(&[Released, ControlOrdered, Accepted]), Status::Released);
        assert_eq!(of(&[Cleared, Accepted]), Status::Cleared);
        assert_eq!(of(&[Invalidated, Cleared, Exited]), Status::Invalidated);
    }

    #[test]
    fn rule_12_a_detention_stands_over_everything_that_is_not_final_and_its_end_leaves_the_facts() {
        use FactKind::*;
        for kinds in [&[Registered][..], &[Accepted], &[Cleared, Released]] {
            let mut facts = Facts::default();
            kinds.iter().for_each(|kind| facts.learn(*kind, at(0)));
            assert_eq!(status(&facts, true), Status::Detained);
            assert_eq!(status(&facts, false), of(kinds));
            facts.learn(Invalidated, at(1));
            assert_eq!(status(&facts, true), Status::Invalidated);
        }
    }

    proptest! {
        #[test]
        fn rule_12_the_status_is_the_same_for_every_order_and_repetition(
            facts in prop::collection::vec((0usize..ALL.len(), 0u32..60), 0..30),
            seed in any::<u64>(),
        ) {
            let mut shuffled: Vec<_> = facts.iter().chain(&facts).copied().collect();
            // A plain shuffle by the seed: what matters is that the order is another one.
            let length = shuffled.len().max(1) as u64;
            for index in 0..shuffled.len() {
                let other = (seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(index as u64) % length) as usize;
                shuffled.swap(index, other);
            }
            let learnt = |all: &[(usize, u32)]| {
                let mut set = Facts::default();
                all.iter().for_each(|(kind, second)| set.learn(ALL[*kind], at(*second)));
                set
            };
            let (one, other) = (learnt(&facts), learnt(&shuffled));
            for detained in [false, true] {
                prop_assert_eq!(status(&one, detained), status(&other, detained));
            }
            prop_assert_eq!(exit_state(&one), exit_state(&other));
            prop_assert_eq!(one, other);
        }
    }
}
