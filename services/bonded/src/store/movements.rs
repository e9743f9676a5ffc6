//! Questions about the ledger: movements in their order, and the chain computed anew.

use fabric::Reads;
use kernel::BookNumber;
use sqlx::PgConnection;

use super::books::{operated_sites, rights};
use super::rows::{BookRow, MovementRow, signed};
use crate::domain::actor::Actor;
use crate::domain::book::Book;
use crate::domain::ledger::{Head, Movement};
use crate::domain::verification::{Fault, FaultKind, Verification};

/// Movements read at once while a chain is computed anew.
const VERIFY_ROWS: i64 = 2_000;

/// Which movements are asked for.
#[derive(Clone, Debug, Default)]
pub struct MovementFilter {
    /// Of this line only.
    pub line_number: Option<i32>,
    /// Of this lot only.
    pub lot_id: Option<String>,
    /// Behind this place in the book.
    pub after: i64,
}

/// Movements of a book by their place in it, if it exists for the asker.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn movements(
    reads: &Reads,
    actor: &Actor,
    book_number: &BookNumber,
    filter: &MovementFilter,
    rows: i64,
) -> Result<Vec<Movement>, sqlx::Error> {
    let mut db = reads.of(&rights(actor)).await?;
    let rows = sqlx::query_as!(
        MovementRow,
        "select m.movement_id, m.book_number, m.ordinal, m.line_number, m.lot_id, m.total, m.declared, m.statutory_1, m.statutory_2,
                m.unit_declared, m.unit_statutory_1, m.unit_statutory_2, m.cause_kind, m.cause_reference,
                m.effective_at, m.recorded_at, m.recorded_by_party, m.recorded_by_subject, m.reverses_movement_id, m.chain
         from movement m join book b using (book_number)
         where m.book_number = $1 and (b.trader_party = $2 or b.site_id = any($3))
           and ($4::integer is null or m.line_number = $4)
           and ($5::text is null or m.lot_id = $5)
           and m.ordinal > $6
         order by m.ordinal limit $7",
        book_number.as_str(),
        actor.trader_party(),
        &operated_sites(actor),
        filter.line_number,
        filter.lot_id,
        filter.after,
        rows
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(rows
        .into_iter()
        .map(Movement::try_from)
        .collect::<Result<_, _>>()?)
}

/// How far a book's ledger was found sound, and its first fault. None: there is no such
/// book for the asker. All is read as of one instant, so postings meanwhile do no harm.
///
/// # Errors
/// The database does not answer.
pub async fn verify(
    reads: &Reads,
    actor: &Actor,
    book_number: &BookNumber,
    known: Option<Head>,
) -> Result<Option<(Head, Option<Fault>)>, sqlx::Error> {
    let mut snapshot = reads.snapshot(&rights(actor)).await?;
    let row = sqlx::query_as!(
        BookRow,
        "select book_number, version, site_id, trader_party, lines, head_ordinal, head_chain, head_recorded_at, clock_at,
                opened_at, opened_by_party, opened_by_subject
         from book where book_number = $1 and (trader_party = $2 or site_id = any($3))",
        book_number.as_str(),
        actor.trader_party(),
        &operated_sites(actor)
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let book = Book::try_from(row)?;
    let mut verification = Verification::start(book_number, known);
    if let Err(fault) = follow(&mut snapshot, book_number, &mut verification).await? {
        return Ok(Some((verification.head().clone(), Some(fault))));
    }
    let reached = verification.head().clone();
    let fault = match verification.finish(&book.head) {
        Err(fault) => Some(fault),
        Ok(_) => differing_balance(&mut snapshot, book_number)
            .await?
            .map(Fault::of_balance),
    };
    Ok(Some((reached, fault)))
}

/// Takes every movement of the book, a page at a time.
async fn follow(
    db: &mut PgConnection,
    book_number: &BookNumber,
    verification: &mut Verification,
) -> Result<Result<(), Fault>, sqlx::Error> {
    loop {
        let rows = sqlx::query_as!(
            MovementRow,
            "select movement_id, book_number, ordinal, line_number, lot_id, total, declared, statutory_1, statutory_2,
                    unit_declared, unit_statutory_1, unit_statutory_2, cause_kind, cause_reference,
                    effective_at, recorded_at, recorded_by_party, recorded_by_subject, reverses_movement_id, chain
             from movement where book_number = $1 and ordinal > $2 order by ordinal limit $3",
            book_number.as_str(),
            signed(verification.head().ordinal),
            VERIFY_ROWS
        )
        .fetch_all(&mut *db)
        .await?;
        if rows.is_empty() {
            return Ok(Ok(()));
        }
        for row in rows {
            let (id, ordinal) = (row.movement_id, row.ordinal.unsigned_abs());
            let next = Movement::try_from(row)
                // What this service cannot even read it has not written so.
                .map_err(|_| Fault {
                    kind: FaultKind::Content,
                    ordinal,
                    movement_id: Some(id),
                    lot_id: None,
                })
                .and_then(|movement| verification.next(&movement));
            if let Err(fault) = next {
                return Ok(Err(fault));
            }
        }
    }
}

/// The first lot of the book whose running totals are not the sum of its movements.
async fn differing_balance(
    db: &mut PgConnection,
    book_number: &BookNumber,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_file_scalar!("src/store/sql/differing_balance.sql", book_number.as_str())
        .fetch_optional(db)
        .await
}
