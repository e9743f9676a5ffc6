//! Books and opening stock of the development traders, put in through the loop like
//! everything else, under request ids that follow from their place in the file: a second
//! start repeats the first answers. It must not write to the database itself.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use fabric::{Command, Handle, Origin, Reads, fingerprint};
use futures::future::join_all;
use kernel::{Quantity, Refusal, RefusalKind, derived_id};
use prost::Message;
use proto::bonded::v1::AddBookLineResponse;
use serde::Deserialize;
use tokio::time::{Instant, interval_at};
use uuid::Uuid;

use crate::app::Input;
use crate::domain::Rules;
use crate::domain::actor::Actor;
use crate::domain::book::OpenBook;
use crate::domain::line::{AddBookLine, LineId, WrittenLine};
use crate::domain::opening::PostOpening;
use crate::store::parties;

const DEVELOPMENT: &str = include_str!("../../../deploy/seed/books.toml");
/// The namespace of the request ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x7a0c_1a52_6f0e_4f0b_9a53_b00c_5eed_0001);
/// Who the ledger says took the stock over.
const SUBJECT: &str = "seed";
/// How often a seed that cannot be put in yet is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(500);

/// Why seeds cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file is not what it must be.
    #[error("deploy/seed/books.toml cannot be read: {0}")]
    File(#[from] toml::de::Error),
    /// A book or line is faulty.
    #[error("deploy/seed/books.toml, {place}: {refusal:?}")]
    Faulty {
        /// Which.
        place: String,
        /// Why.
        refusal: Box<Refusal>,
    },
}

/// What is put in, checked.
#[derive(Clone, Debug)]
pub struct Seeds {
    books: Vec<SeededBook>,
}

#[derive(Clone, Debug)]
struct SeededBook {
    place: String,
    open: OpenBook,
    lines: Vec<SeededLine>,
}

#[derive(Clone, Debug)]
struct SeededLine {
    place: String,
    add: AddBookLine,
    /// The line of each is set once its number is known.
    openings: Vec<PostOpening>,
}

impl Seeds {
    /// The development traders' books, with stock that has stood there for some time.
    ///
    /// # Errors
    /// The file is faulty.
    pub fn development(rules: &Rules, today: NaiveDate) -> Result<Self, SeedError> {
        let file: File = toml::from_str(DEVELOPMENT)?;
        let books = file
            .book
            .iter()
            .map(|book| book.read(rules, today))
            .collect::<Result<_, _>>()?;
        Ok(Self { books })
    }

    /// Puts everything in, each book as soon as the register of parties has named its
    /// trader. What is refused is logged and left out.
    pub async fn plant(self, handle: Handle<Input>, reads: Reads) {
        let books = self.books.iter().map(async |book| {
            await_trader(&handle, &reads, &book.open.actor.party).await;
            if let Err(refusal) = plant_book(&handle, book).await {
                tracing::warn!(
                    place = book.place,
                    reason = refusal.reason,
                    message = refusal.message,
                    "a seeded book was refused"
                );
            }
        });
        join_all(books).await;
        tracing::info!(books = self.books.len(), "the seeded books are in");
    }
}

async fn plant_book(handle: &Handle<Input>, book: &SeededBook) -> Result<(), Refusal> {
    submit(
        handle,
        &book.open.actor,
        &book.place,
        Input::OpenBook(book.open.clone()),
    )
    .await?;
    for line in &book.lines {
        let answer = submit(
            handle,
            &book.open.actor,
            &line.place,
            Input::AddBookLine(line.add.clone()),
        )
        .await?;
        let line_number = AddBookLineResponse::decode(answer.as_slice())
            .ok()
            .and_then(|response| response.line)
            .map(|line| line.line_number)
            .unwrap_or_default();
        let id = LineId {
            book_number: line.add.book_number.clone(),
            line_number,
        };
        for opening in &line.openings {
            let place = format!("{}, opening {}", line.place, opening.reference);
            let opening = PostOpening {
                line: id.clone(),
                ..opening.clone()
            };
            submit(
                handle,
                &book.open.actor,
                &place,
                Input::PostOpening(opening),
            )
            .await?;
        }
    }
    Ok(())
}

/// Submits until it is decided: what is too busy or away is asked again.
async fn submit(
    handle: &Handle<Input>,
    actor: &Actor,
    place: &str,
    input: Input,
) -> Result<Vec<u8>, Refusal> {
    let id = derived_id(NAMESPACE, place.as_bytes());
    let mut tries = interval_at(Instant::now(), RETRY_EVERY);
    loop {
        tries.tick().await;
        let command = Command {
            party: actor.party.clone(),
            origin: Origin::default(),
            request_id: Some(id),
            // The place is the request: a file that says something else there later is not put in anew.
            fingerprint: fingerprint("seed", id.as_bytes()),
            traceparent: None,
            input: input.clone(),
        };
        match handle.submit(place, command).await.outcome {
            Ok(answer) => return Ok(answer.to_vec()),
            Err(refusal)
                if matches!(refusal.kind, RefusalKind::Unavailable)
                    || refusal.reason == "OVERLOADED" => {}
            Err(refusal) => return Err(refusal),
        }
    }
}

/// Waits until the register has named a trader: a refusal would be the answer for ever.
async fn await_trader(handle: &Handle<Input>, reads: &Reads, party: &str) {
    let mut committed = handle.committed();
    let mut tries = interval_at(Instant::now(), RETRY_EVERY);
    loop {
        tokio::select! {
            _ = tries.tick() => {}
            Ok(()) = committed.changed() => {}
        }
        match parties::is_trader(reads, party).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "the database does not say which parties are known")
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    book: Vec<BookEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BookEntry {
    number: String,
    trader: String,
    site: String,
    line: Vec<LineEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineEntry {
    hs_code: String,
    goods: String,
    /// Declared, first and second statutory.
    units: [String; 3],
    #[serde(default)]
    opening: Vec<OpeningEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpeningEntry {
    reference: String,
    days_in_store: u64,
    /// In the three units.
    quantities: [String; 3],
}

impl BookEntry {
    fn read(&self, rules: &Rules, today: NaiveDate) -> Result<SeededBook, SeedError> {
        let place = format!("book {}", self.number);
        let actor = Actor {
            party: self.trader.clone(),
            subject: SUBJECT.into(),
            trader: true,
            broker: false,
            operated_sites: Default::default(),
        };
        let open = OpenBook::read(actor.clone(), false, &self.site, &self.number, rules)
            .map_err(|refusal| faulty(&place, refusal))?;
        let lines = (1..)
            .zip(&self.line)
            .map(|(number, line)| {
                line.read(
                    &actor,
                    &self.number,
                    &format!("{place}, line {number}"),
                    today,
                )
            })
            .collect::<Result<_, _>>()?;
        Ok(SeededBook { place, open, lines })
    }
}

impl LineEntry {
    fn read(
        &self,
        actor: &Actor,
        book_number: &str,
        place: &str,
        today: NaiveDate,
    ) -> Result<SeededLine, SeedError> {
        let [declared, statutory_1, statutory_2] = &self.units;
        let written = WrittenLine {
            book_number,
            hs_code: &self.hs_code,
            goods_description: &self.goods,
            unit_declared: declared,
            unit_statutory_1: statutory_1,
            unit_statutory_2: statutory_2,
        };
        let add = AddBookLine::read(actor.clone(), false, written)
            .map_err(|refusal| faulty(place, refusal))?;
        let line = LineId {
            book_number: add.book_number.clone(),
            line_number: 0,
        };
        let openings = self
            .opening
            .iter()
            .map(|opening| opening.read(actor, &line, &self.units, place, today))
            .collect::<Result<_, _>>()?;
        Ok(SeededLine {
            place: place.to_owned(),
            add,
            openings,
        })
    }
}

impl OpeningEntry {
    fn read(
        &self,
        actor: &Actor,
        line: &LineId,
        units: &[String; 3],
        place: &str,
        today: NaiveDate,
    ) -> Result<PostOpening, SeedError> {
        let quantity = |amount: &str, unit: &str| {
            Quantity::parse(amount, unit).map_err(|error| {
                faulty(
                    place,
                    Refusal::invalid("QUANTITY_INVALID", error.to_string()),
                )
            })
        };
        let ([declared, statutory_1, statutory_2], [unit, unit_1, unit_2]) =
            (&self.quantities, units);
        Ok(PostOpening {
            actor: actor.clone(),
            line: line.clone(),
            reference: self.reference.clone(),
            entry_date: today
                .checked_sub_days(Days::new(self.days_in_store))
                .unwrap_or(today),
            declared: quantity(declared, unit)?,
            statutory_1: quantity(statutory_1, unit_1)?,
            statutory_2: quantity(statutory_2, unit_2)?,
        })
    }
}

fn faulty(place: &str, refusal: Refusal) -> SeedError {
    SeedError::Faulty {
        place: place.to_owned(),
        refusal: Box::new(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::book::tests::rules;

    #[test]
    fn the_development_seeds_can_be_read_and_their_headings_are_known() {
        let seeds = Seeds::development(&rules(), NaiveDate::default()).unwrap();
        assert!(seeds.books.len() >= 2);
        for line in seeds.books.iter().flat_map(|book| &book.lines) {
            assert_eq!(line.add.warnings(), [], "{}", line.place);
        }
    }
}
