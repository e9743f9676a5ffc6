//! What gate has told of a list's passage: which passes there are, what has passed of which line, whether more can
//! come, and how it answered an ask. It must not know trucks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kernel::{Quantity, StockListNumber, UnitCode};
use rust_decimal::Decimal;

/// The passage of one list, as last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The list.
    pub list_number: StockListNumber,
    /// Of the fact: epoch of gate, then the passage's counter. The highest wins.
    pub version: (u64, u64),
    /// Its passes, by pre-arrival.
    pub passes: Vec<Pass>,
    /// Nothing more will pass.
    pub closed: bool,
    /// The ask that was answered last; empty if none was.
    pub void_ask_id: String,
    /// Whether that ask was applied.
    pub void_applied: bool,
}

/// One truck's part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The pre-arrival.
    pub pre_arrival_id: String,
    /// Its number; empty until the truck was ready.
    pub pass_number: String,
    /// Where it stands.
    pub state: PassState,
    /// When it passed.
    pub passed_at: Option<DateTime<Utc>>,
    /// How much of each line.
    pub lines: Vec<(u32, Quantity)>,
}

/// Where a pass stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassState {
    /// Its truck may come.
    Issued,
    /// Its goods have passed.
    Passed,
    /// Its truck will not come, or brought nothing.
    Withdrawn,
}

impl Passage {
    /// What has passed, by line and unit.
    pub fn passed(&self) -> BTreeMap<(u32, UnitCode), Decimal> {
        let mut sums = BTreeMap::new();
        for (line, quantity) in self.passed_passes().flat_map(|pass| &pass.lines) {
            let sum: &mut Decimal = sums.entry((*line, quantity.unit().clone())).or_default();
            // A quantity has at most 21 digits; a decimal holds the sum of a million of them.
            *sum = sum.saturating_add(quantity.amount()).normalize();
        }
        sums
    }

    /// What has passed of a line in a unit.
    pub fn passed_of(&self, line: u32, unit: &UnitCode) -> Decimal {
        self.passed()
            .get(&(line, unit.clone()))
            .copied()
            .unwrap_or_default()
    }

    /// When the last goods passed.
    pub fn last_passed_at(&self) -> Option<DateTime<Utc>> {
        self.passed_passes().filter_map(|pass| pass.passed_at).max()
    }

    /// Whether this fact replaces what is held.
    pub fn replaces(&self, held: Option<&Self>) -> bool {
        held.is_none_or(|held| self.version > held.version)
    }

    fn passed_passes(&self) -> impl Iterator<Item = &Pass> {
        self.passes
            .iter()
            .filter(|pass| pass.state == PassState::Passed)
    }
}

impl PassState {
    /// Its name in gate's facts and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "ISSUED",
            Self::Passed => "PASSED",
            Self::Withdrawn => "WITHDRAWN",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Issued, Self::Passed, Self::Withdrawn]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}
