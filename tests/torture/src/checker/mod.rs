//! What may never happen, one name for each, and whether it did. Pure: the same evidence gives the same violations.

mod admissions;
mod barrier;
mod decisions;
mod exchange;
mod facts;
pub mod history;
mod stock;
pub mod streams;
mod topics;

use std::fmt;

use crate::evidence::Evidence;

/// What may never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A request was answered, and its service does not know it any more.
    AcknowledgedMissing,
    /// A number of a partition's sequence is missing, or stands beyond the head.
    SequenceGap,
    /// An event's chain does not follow from its content and the event before it, or the head's is not the last one's.
    ChainBroken,
    /// An event stands in a partition that its key does not belong to.
    WrongPartition,
    /// The relay took for acknowledged what was never published.
    CursorBeyondHead,
    /// Somebody has applied what its producer never published.
    PositionBeyondProducer,
    /// Somebody has applied another history than its producer has.
    PositionOnAnotherChain,
    /// A record of a topic is not what was committed under its id.
    DeliveredDiffers,
    /// A record of a topic was never committed.
    DeliveredUncommitted,
    /// A record of a topic came before the one that precedes it.
    DeliveredOutOfOrder,
    /// The broker has acknowledged what its topic does not hold, and nobody has sent it again.
    AcknowledgedLost,
    /// A decision on a visit or list was passed over, or stands before an earlier one.
    DecisionOutOfOrder,
    /// A decision names another visit or list than the one it stands under.
    DecisionCarriedOver,
    /// Gate has answered one ask both ways.
    AskAnsweredTwice,
    /// Goods passed a barrier, or left by train or barge, and nobody had released them.
    PassedWithoutRelease,
    /// Goods passed on a release that gate had taken back.
    PassedOnRevokedRelease,
    /// Goods left with another haulier than their release names.
    PassedWithOtherHaulier,
    /// A barrier opened on a fact that nobody told.
    AdmittedOnNothing,
    /// A barrier opened on a release of which gate did not know afresh what was said.
    AdmittedOnOldKnowledge,
    /// A truck that had been recalled was let out.
    LetOutWhileRecalled,
    /// A stay has ended twice.
    DepartedTwice,
    /// A decision rests on a fact that nobody told.
    DecidedOnNothing,
    /// Something may leave, and the facts that this rests on do not say so.
    GrantedAgainstFacts,
    /// Something may not leave for want of what the facts that this rests on say is there.
    WithheldAgainstFacts,
    /// A party was told twice of one fact, under two ids.
    NoticeRepeated,
    /// A party was not given a notice that is to it.
    NoticeMissing,
    /// A party was given one notice again, although it went on behind it.
    NoticeGivenTwice,
    /// A party was given a notice after a later one.
    NoticeOutOfOrder,
    /// A party was given what nobody said to it.
    NoticeOfNobody,
    /// The message of a published fact cannot be read.
    Unreadable,
    /// A number of a book's ledger is missing, or stands beyond its head.
    LedgerGap,
    /// What is kept as a lot's total is not the sum of its movements.
    StockNotConserved,
    /// What a lot has provisionally is not what the lists that are not over expect or have reserved.
    ProvisionalOff,
    /// More is reserved or gone than there is.
    StockNegative,
}

/// One violation, with the ids of what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What may never happen.
    pub kind: Kind,
    /// Where it did.
    pub what: String,
}

impl Violation {
    fn new(kind: Kind, what: impl Into<String>) -> Violation {
        Violation {
            kind,
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.kind, self.what)
    }
}

/// Every violation of the exchange of facts, whatever they say: after a restore from a backup they contradict what was
/// lost.
pub fn of_exchange(evidence: &Evidence) -> Vec<Violation> {
    let mut found = exchange::violations(evidence);
    found.extend(topics::violations(evidence));
    found
}

/// Every violation that the evidence shows.
pub fn violations(evidence: &Evidence) -> Vec<Violation> {
    let mut found = of_exchange(evidence);
    found.extend(facts::violations(evidence));
    found.extend(decisions::violations(evidence));
    found.extend(admissions::violations(evidence));
    found.extend(barrier::violations(evidence));
    found.extend(stock::violations(&evidence.ledger));
    found
}
