//! A book that is being changed by one decision: every movement of it goes through here, so that the head of the
//! ledger, the lots' totals and the movements belong together. Given back whole, or dropped whole. It must not know
//! why anything is posted.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use kernel::StockListNumber;
use uuid::Uuid;

use super::amount::{Amount, Total};
use super::book::Book;
use super::ledger::{Cause, Movement, Posting, PostingError, post};
use super::line::BookLine;
use super::lot::{Entry, StockedLot};

/// Two things of a book are recorded at least so far apart.
const RECORDING_STEP: TimeDelta = TimeDelta::microseconds(1);

/// A book under change.
#[derive(Clone)]
pub struct Desk<'a> {
    /// The book as it now is.
    pub book: Book,
    /// Its lines that are concerned.
    pub lines: BTreeMap<u32, BookLine>,
    /// Their lots, by id.
    pub lots: BTreeMap<String, StockedLot>,
    /// What was posted, each with the book's version after it.
    pub posted: Vec<(Movement, u64)>,
    /// The present time.
    pub now: DateTime<Utc>,
    ids: &'a (dyn Fn() -> Uuid + Send + Sync),
}

/// One movement that is to be posted to a lot.
#[derive(Clone, Debug)]
pub struct Entrance<'a> {
    /// The lot.
    pub lot_id: &'a str,
    /// Which total moves.
    pub total: Total,
    /// By how much.
    pub amount: Amount,
    /// Why.
    pub cause: Cause,
    /// When it takes effect.
    pub effective_at: DateTime<Utc>,
    /// The party and person; empty where facts of others cause it.
    pub by: (&'a str, &'a str),
    /// The movement that it takes back.
    pub reverses: Option<Uuid>,
}

impl std::fmt::Debug for Desk<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Desk")
            .field("book", &self.book.book_number)
            .field("posted", &self.posted)
            .finish_non_exhaustive()
    }
}

impl<'a> Desk<'a> {
    /// A book with the lines and lots that a decision may touch.
    pub fn new(
        book: Book,
        lines: impl IntoIterator<Item = BookLine>,
        lots: impl IntoIterator<Item = StockedLot>,
        now: DateTime<Utc>,
        ids: &'a (dyn Fn() -> Uuid + Send + Sync),
    ) -> Self {
        Self {
            book,
            lines: lines
                .into_iter()
                .map(|line| (line.id.line_number, line))
                .collect(),
            lots: lots
                .into_iter()
                .map(|lot| (lot.lot.lot_id.clone(), lot))
                .collect(),
            posted: Vec::new(),
            now,
            ids,
        }
    }

    /// A new id.
    pub fn new_id(&self) -> Uuid {
        (self.ids)()
    }

    /// Makes a lot on a line; none where there is no such line.
    pub fn new_lot(
        &mut self,
        line_number: u32,
        origin: Option<(StockListNumber, u32)>,
        entry: Option<Entry>,
    ) -> Option<String> {
        let line = self.lines.get_mut(&line_number)?;
        line.lots += 1;
        let lot = StockedLot::empty(&line.id, line.lots, origin, entry);
        let lot_id = lot.lot.lot_id.clone();
        self.lots.insert(lot_id.clone(), lot);
        Some(lot_id)
    }

    /// Posts one movement: its id.
    ///
    /// # Errors
    /// The ledger does not allow it; nothing has changed then.
    pub fn post(&mut self, entrance: Entrance<'_>) -> Result<Uuid, PostingError> {
        let lot = self
            .lots
            .get(entrance.lot_id)
            .ok_or(PostingError::NoSuchLot)?;
        let line = self
            .lines
            .get(&lot.lot.line.line_number)
            .ok_or(PostingError::NoSuchLot)?;
        let posting = Posting {
            line_number: line.id.line_number,
            lot_id: entrance.lot_id.to_owned(),
            total: entrance.total,
            amount: entrance.amount,
            units: line.units.clone(),
            cause: entrance.cause,
            effective_at: entrance.effective_at,
            by_party: entrance.by.0.to_owned(),
            by_subject: entrance.by.1.to_owned(),
            reverses: entrance.reverses,
        };
        let (movement, head, totals) = post(
            &self.book.book_number,
            &self.book.head,
            &lot.totals,
            posting,
            self.new_id(),
            self.next_tick()?,
        )?;
        let id = movement.id;
        self.book.head = head;
        self.book.clock = Some(movement.recorded_at);
        self.book.version += 1;
        if let Some(lot) = self.lots.get_mut(entrance.lot_id) {
            lot.totals = totals;
        }
        self.posted.push((movement, self.book.version));
        Ok(id)
    }

    /// A time of recording that is no movement's: that stock is held, or no longer.
    ///
    /// # Errors
    /// The book's clock has come to its end.
    pub fn tick(&mut self) -> Result<DateTime<Utc>, PostingError> {
        let at = self.next_tick()?;
        self.book.clock = Some(at);
        Ok(at)
    }

    fn next_tick(&self) -> Result<DateTime<Utc>, PostingError> {
        match self.book.clock {
            None => Ok(self.now),
            Some(last) => last
                .checked_add_signed(RECORDING_STEP)
                .map(|least| self.now.max(least))
                .ok_or(PostingError::ClockEnded),
        }
    }
}
