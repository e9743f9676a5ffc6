//! What customs holds of the stock lists of a bonded centre: its own copy of bonded's facts. Bonded alone
//! keeps stock; nothing here decides whether goods may move.

use chrono::{DateTime, Utc};
use kernel::{Lrn, StockListNumber};

/// A list of goods that come into bond or leave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockList {
    /// Its number, which says whether it increases or decreases the stock.
    pub number: StockListNumber,
    /// The highest wins.
    pub version: u64,
    /// The bonded centre.
    pub site_id: String,
    /// Whose stock it is.
    pub trader: String,
    /// The reference of the declaration that it is to go with; none where bonded's word of it came before customs
    /// kept references.
    pub declaration_lrn: Option<Lrn>,
    /// Where it stands.
    pub state: ListState,
    /// Since when the goods of a decrease have been set aside, as far as we know.
    pub reserved_at: Option<DateTime<Utc>>,
}

impl StockList {
    /// Whether it is to go with the declaration of this reference. One whose reference we do not know says nothing
    /// against any.
    pub fn names(&self, reference: &str) -> bool {
        self.declaration_lrn
            .as_ref()
            .is_none_or(|named| Lrn::parse(reference).is_ok_and(|lrn| lrn == *named))
    }
}

/// Where a stock list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListState {
    /// An increase was filed.
    Filed,
    /// An increase was approved.
    Approved,
    /// The goods of a decrease are set aside.
    Reserved,
    /// Gate is asked whether it can still be void.
    VoidAsked,
    /// Void.
    Voided,
    /// Final: the goods have come in or left.
    Posted,
    /// The final posting was reversed.
    Reversed,
}

impl ListState {
    /// Every state.
    const ALL: [Self; 7] = [
        Self::Filed,
        Self::Approved,
        Self::Reserved,
        Self::VoidAsked,
        Self::Voided,
        Self::Posted,
        Self::Reversed,
    ];

    /// The name in events and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filed => "FILED",
            Self::Approved => "APPROVED",
            Self::Reserved => "RESERVED",
            Self::VoidAsked => "VOID_ASKED",
            Self::Voided => "VOIDED",
            Self::Posted => "POSTED",
            Self::Reversed => "REVERSED",
        }
    }

    /// The state of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the goods of a decrease in this state have been set aside.
    pub fn is_reserved(self) -> bool {
        matches!(self, Self::Reserved | Self::VoidAsked | Self::Posted)
    }

    /// Whether nothing will ever leave under it.
    pub fn is_void(self) -> bool {
        matches!(self, Self::Voided | Self::Reversed)
    }
}
