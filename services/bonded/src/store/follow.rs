//! What an input leads to, as far as only the tables know: a discrepancy and a declaration to lists, a list to its book,
//! its lines and its trader's mandates.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use uuid::Uuid;

/// The most lists that one look at those that wait takes.
const WAITING_MAX: i64 = 100;

/// A list, and what is locked with it.
#[derive(Clone, Debug)]
pub struct ListLead {
    /// Its number.
    pub list_number: String,
    /// Its book.
    pub book_number: String,
    /// The trader of it.
    pub trader_party: String,
    /// The lines of the book that it moves.
    pub book_lines: Vec<i32>,
}

/// A book, and whose and where it is.
#[derive(Clone, Debug)]
pub struct BookLead {
    /// The trader.
    pub trader_party: String,
    /// The centre.
    pub site_id: String,
}

/// These books.
///
/// # Errors
/// The database does not answer.
pub async fn books(
    db: &mut PgConnection,
    numbers: &[String],
) -> Result<BTreeMap<String, BookLead>, sqlx::Error> {
    if numbers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query!(
        "select book_number, trader_party, site_id from book where book_number = any($1)",
        numbers
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let lead = BookLead {
                trader_party: row.trader_party,
                site_id: row.site_id,
            };
            (row.book_number, lead)
        })
        .collect())
}

/// These lists.
///
/// # Errors
/// The database does not answer.
pub async fn lists(
    db: &mut PgConnection,
    numbers: &BTreeSet<String>,
) -> Result<BTreeMap<String, ListLead>, sqlx::Error> {
    if numbers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let numbers: Vec<String> = numbers.iter().cloned().collect();
    let rows = sqlx::query!(
        r#"select s.list_number, s.book_number, s.trader_party, array_agg(distinct l.book_line) as "book_lines!"
           from stock_list s join stock_list_line l using (list_number)
           where s.list_number = any($1) group by s.list_number"#,
        &numbers
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let lead = ListLead {
                list_number: row.list_number.clone(),
                book_number: row.book_number,
                trader_party: row.trader_party,
                book_lines: row.book_lines,
            };
            (row.list_number, lead)
        })
        .collect())
}

/// The lists of these discrepancies.
///
/// # Errors
/// The database does not answer.
pub async fn lists_of_discrepancies(
    db: &mut PgConnection,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, String>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query!(
        "select discrepancy_id, list_number from discrepancy where discrepancy_id = any($1)",
        ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.discrepancy_id, row.list_number))
        .collect())
}

/// The lists that these declarations named as far as is known.
///
/// # Errors
/// The database does not answer.
pub async fn lists_of_declarations(
    db: &mut PgConnection,
    ids: &[String],
) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query!(
        "select declaration_id, stock_lists from known_declaration where declaration_id = any($1)",
        ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.declaration_id, row.stock_lists))
        .collect())
}

/// Lists of which both facts are known and that nothing of their own keeps from being posted: a line's suspension
/// that was lifted, or a parked record that was discarded, tells nobody.
///
/// # Errors
/// The database does not answer.
pub async fn waiting(db: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select s.list_number
         from stock_list s join list_passage p using (list_number)
         where s.state in ('APPROVED', 'RESERVED') and p.closed
           and exists (select from known_declaration d where d.stock_lists @> array[s.list_number] and d.released and d.lrn = s.declaration_lrn)
           and not exists (select from discrepancy d where d.list_number = s.list_number and d.resolution is null)
           and not exists (select from list_hold h where h.list_number = s.list_number and h.lifted_at is null)
           and not exists (select from stock_list_line l join book_line b on b.book_number = l.book_number and b.line_number = l.book_line
                           where l.list_number = s.list_number
                             and case s.direction when 'INCREASE' then b.suspended_for_increase else b.suspended_for_decrease end)
         order by s.list_number limit $1",
        WAITING_MAX
    )
    .fetch_all(db)
    .await
}
