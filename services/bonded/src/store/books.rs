//! Questions about books and lines, answered with what exists for the asker.

use fabric::{Reads, Rights};

use super::rows::{BookRow, LineRow};
use crate::domain::actor::Actor;
use crate::domain::book::Book;
use crate::domain::line::BookLine;

/// Which books are asked for.
#[derive(Clone, Debug, Default)]
pub struct BookFilter {
    /// Of this trader only.
    pub trader_party: Option<String>,
    /// At this centre only.
    pub site_id: Option<String>,
    /// Behind this number.
    pub after: Option<String>,
}

/// One book, if it exists for the asker.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn book(
    reads: &Reads,
    actor: &Actor,
    book_number: &str,
) -> Result<Option<Book>, sqlx::Error> {
    let mut db = reads.of(&rights(actor)).await?;
    let row = sqlx::query_as!(
        BookRow,
        "select book_number, version, site_id, trader_party, lines, head_ordinal, head_chain, head_recorded_at, clock_at,
                opened_at, opened_by_party, opened_by_subject
         from book where book_number = $1 and (trader_party = $2 or site_id = any($3))",
        book_number,
        actor.trader_party(),
        &operated_sites(actor)
    )
    .fetch_optional(&mut *db)
    .await?;
    Ok(row.map(Book::try_from).transpose()?)
}

/// Books by number.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn books(
    reads: &Reads,
    actor: &Actor,
    filter: &BookFilter,
    rows: i64,
) -> Result<Vec<Book>, sqlx::Error> {
    let mut db = reads.of(&rights(actor)).await?;
    let rows = sqlx::query_as!(
        BookRow,
        "select book_number, version, site_id, trader_party, lines, head_ordinal, head_chain, head_recorded_at, clock_at,
                opened_at, opened_by_party, opened_by_subject
         from book
         where (trader_party = $1 or site_id = any($2))
           and ($3::text is null or trader_party = $3)
           and ($4::text is null or site_id = $4)
           and ($5::text is null or book_number > $5)
         order by book_number limit $6",
        actor.trader_party(),
        &operated_sites(actor),
        filter.trader_party,
        filter.site_id,
        filter.after,
        rows
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(rows
        .into_iter()
        .map(Book::try_from)
        .collect::<Result<_, _>>()?)
}

/// Lines of a book behind a number, if the book exists for the asker.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn lines(
    reads: &Reads,
    actor: &Actor,
    book_number: &str,
    after: i32,
    rows: i64,
) -> Result<Vec<BookLine>, sqlx::Error> {
    let mut db = reads.of(&rights(actor)).await?;
    let rows = sqlx::query_as!(
        LineRow,
        "select l.book_number, l.line_number, l.version, l.hs_code, l.goods_description,
                l.unit_declared, l.unit_statutory_1, l.unit_statutory_2, l.suspended_for_increase, l.suspended_for_decrease,
                l.suspension_reason, l.suspension_changed_at, l.suspension_changed_by_party, l.suspension_changed_by_subject,
                l.lots, l.added_at, l.added_by_party, l.added_by_subject
         from book_line l join book b using (book_number)
         where l.book_number = $1 and (b.trader_party = $2 or b.site_id = any($3)) and l.line_number > $4
         order by l.line_number limit $5",
        book_number,
        actor.trader_party(),
        &operated_sites(actor),
        after,
        rows
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(rows
        .into_iter()
        .map(BookLine::try_from)
        .collect::<Result<_, _>>()?)
}

/// What the database lets through to the asker.
pub(super) fn rights(actor: &Actor) -> Rights<'_> {
    let roles = [("trader", actor.trader), ("broker", actor.broker)];
    let roles = roles.iter().filter(|(_, has)| *has);
    Rights::Own {
        party: &actor.party,
        roles: roles.map(|(role, _)| *role).collect(),
        sites: actor.operated_sites.iter().map(String::as_str).collect(),
    }
}

/// The sites whose books all exist for the asker.
pub(super) fn operated_sites(actor: &Actor) -> Vec<String> {
    actor.operated_sites.iter().cloned().collect()
}
