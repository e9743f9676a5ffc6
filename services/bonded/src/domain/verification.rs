//! Computes a book's chain anew, movement by movement, and says where it breaks
//! (bonded rule 14). It must not know where the movements come from.

use kernel::BookNumber;
use uuid::Uuid;

use super::ledger::{Head, Movement};

/// The first place where a ledger is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The movement's place in the book; 0 where none is concerned.
    pub ordinal: u64,
    /// The movement's id.
    pub movement_id: Option<Uuid>,
    /// The lot, where a balance differs.
    pub lot_id: Option<String>,
}

/// What can be wrong with a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A movement is missing or stands twice.
    Ordinal,
    /// A movement was recorded no later than the one before it.
    RecordedAt,
    /// A movement's content does not give its chain value.
    Content,
    /// The movements end elsewhere than the book says.
    Head,
    /// The chain does not pass through the head that the caller kept.
    KnownHead,
    /// A lot's running totals are not the sum of its movements.
    Balance,
}

/// A verification under way.
#[derive(Clone, Debug)]
pub struct Verification {
    book_number: BookNumber,
    head: Head,
    known: Option<Head>,
}

impl Verification {
    /// Begins before a book's first movement. The chain must pass through the `known`
    /// head, if one is given.
    pub fn start(book_number: &BookNumber, known: Option<Head>) -> Self {
        Self {
            book_number: book_number.clone(),
            head: Head::start(book_number),
            known,
        }
    }

    /// Where the movements so far lead.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Takes the next movement.
    ///
    /// # Errors
    /// It does not follow from those before it.
    pub fn next(&mut self, movement: &Movement) -> Result<(), Fault> {
        self.meets_known_head(Some(movement.id))?;
        let fault = |kind| {
            Err(Fault {
                kind,
                ordinal: movement.ordinal,
                movement_id: Some(movement.id),
                lot_id: None,
            })
        };
        if movement.ordinal != self.head.ordinal + 1 {
            return fault(FaultKind::Ordinal);
        }
        let content = movement.chain_after(&self.head.chain);
        if content != movement.chain || movement.book_number != self.book_number {
            return fault(FaultKind::Content);
        }
        if self
            .head
            .recorded_at
            .is_some_and(|last| movement.recorded_at <= last)
        {
            return fault(FaultKind::RecordedAt);
        }
        self.head = Head {
            ordinal: movement.ordinal,
            chain: movement.chain,
            recorded_at: Some(movement.recorded_at),
        };
        Ok(())
    }

    /// Ends behind the last movement, where the book says that its ledger ends.
    ///
    /// # Errors
    /// It ends elsewhere, or never passed through the known head.
    pub fn finish(self, head: &Head) -> Result<Head, Fault> {
        self.meets_known_head(None)?;
        let at = |kind, ordinal| Fault {
            kind,
            ordinal,
            movement_id: None,
            lot_id: None,
        };
        if self.head != *head {
            return Err(at(FaultKind::Head, self.head.ordinal.min(head.ordinal)));
        }
        match &self.known {
            Some(known) if known.ordinal > self.head.ordinal => {
                Err(at(FaultKind::KnownHead, known.ordinal))
            }
            _ => Ok(self.head),
        }
    }

    fn meets_known_head(&self, movement_id: Option<Uuid>) -> Result<(), Fault> {
        match &self.known {
            Some(known) if known.ordinal == self.head.ordinal && known.chain != self.head.chain => {
                Err(Fault {
                    kind: FaultKind::KnownHead,
                    ordinal: known.ordinal,
                    movement_id,
                    lot_id: None,
                })
            }
            _ => Ok(()),
        }
    }
}

impl Fault {
    /// A lot whose running totals are not the sum of its movements.
    pub fn of_balance(lot_id: String) -> Self {
        Self {
            kind: FaultKind::Balance,
            ordinal: 0,
            movement_id: None,
            lot_id: Some(lot_id),
        }
    }

    /// What is wrong, for a person.
    pub fn description(&self) -> String {
        let ordinal = self.ordinal;
        match self.kind {
            FaultKind::Ordinal => format!(
                "Movement {ordinal} does not follow the one before it: one is missing or stands twice."
            ),
            FaultKind::RecordedAt => {
                format!("Movement {ordinal} was recorded no later than the one before it.")
            }
            FaultKind::Content => format!(
                "The content of movement {ordinal} does not give its chain value: it, or what was before it, was changed."
            ),
            FaultKind::Head => format!(
                "The book's head does not stand where its movements end (after {ordinal} in common): the last were removed, or some added."
            ),
            FaultKind::KnownHead => format!(
                "The chain does not pass through the head that you kept at {ordinal}: history before it was rewritten."
            ),
            FaultKind::Balance => format!(
                "The running totals of lot {} are not the sum of its movements.",
                self.lot_id.as_deref().unwrap_or_default()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn number() -> BookNumber {
        BookNumber::parse("BOOKTRADERA1").unwrap()
    }

    #[test]
    fn an_empty_book_is_intact() {
        let start = Head::start(&number());
        assert_eq!(
            Verification::start(&number(), Some(start.clone())).finish(&start),
            Ok(start)
        );
    }

    #[test]
    fn removing_the_last_movements_is_found_by_the_head() {
        let head = Head {
            ordinal: 3,
            chain: [7; 32],
            recorded_at: DateTime::from_timestamp(1, 0),
        };
        let fault = Verification::start(&number(), None)
            .finish(&head)
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Head);
    }

    #[test]
    fn a_history_rewritten_whole_is_found_by_a_head_that_somebody_kept() {
        let start = Head::start(&number());
        let kept = Head {
            ordinal: 0,
            chain: [7; 32],
            recorded_at: None,
        };
        let fault = Verification::start(&number(), Some(kept))
            .finish(&start)
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::KnownHead);
        let beyond = Head {
            ordinal: 9,
            chain: [7; 32],
            recorded_at: None,
        };
        let fault = Verification::start(&number(), Some(beyond))
            .finish(&start)
            .unwrap_err();
        assert_eq!((fault.kind, fault.ordinal), (FaultKind::KnownHead, 9));
    }
}
