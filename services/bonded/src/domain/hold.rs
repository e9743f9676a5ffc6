//! Holds on stock lists, told by customs, gate and release. A standing hold keeps a list from being posted, and the
//! goods that came by it from going out (bonded rule 6). It must not know what else can be held.

use chrono::{DateTime, Utc};
use kernel::StockListNumber;

/// A hold on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListHold {
    /// The topic by which it is told, and its id there: two services may give the same id.
    pub key: HoldKey,
    /// The list.
    pub list_number: StockListNumber,
    /// Which kind of reason: "CUSTOMS".
    pub kind: String,
    /// The party that placed it, and so may lift it.
    pub placed_by_party: String,
    /// Why.
    pub reason: String,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// When it was lifted; none while it stands.
    pub lifted_at: Option<DateTime<Utc>>,
}

/// Topic and id.
pub type HoldKey = (String, String);

impl ListHold {
    /// Whether it stands.
    pub fn stands(&self) -> bool {
        self.lifted_at.is_none()
    }

    /// What is known after another telling of it: lifted wins, in whatever order they come.
    #[must_use]
    pub fn after(self, held: Option<&Self>) -> Self {
        match held {
            Some(held) if !held.stands() && self.stands() => held.clone(),
            _ => self,
        }
    }
}
