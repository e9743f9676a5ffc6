//! Who asks, and which books exist for them: a trader's own, and for the operator
//! those of the centres where it works. It must not know tokens.

use std::collections::BTreeSet;

use super::book::Book;

/// Whoever gives a command or asks a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The party it acts for.
    pub party: String,
    /// The person or machine.
    pub subject: String,
    /// Whether it acts as a trader.
    pub trader: bool,
    /// Whether it acts as a broker, for traders whose mandate it holds.
    pub broker: bool,
    /// The sites where it is the operator.
    pub operated_sites: BTreeSet<String>,
}

impl Actor {
    /// Whether the book is the actor's own.
    pub fn owns(&self, book: &Book) -> bool {
        self.trader && book.trader_party == self.party
    }

    /// Whether the actor operates the book's centre.
    pub fn operates(&self, book: &Book) -> bool {
        self.operated_sites.contains(&book.site_id)
    }

    /// Whether the book exists for the actor.
    pub fn sees(&self, book: &Book) -> bool {
        self.owns(book) || self.operates(book)
    }

    /// The broker whose filings the actor sees, if it is one.
    pub fn broker_party(&self) -> Option<&str> {
        self.broker.then_some(self.party.as_str())
    }

    /// The trader whose books the actor sees, if it is one.
    pub fn trader_party(&self) -> Option<&str> {
        self.trader.then_some(self.party.as_str())
    }
}
