//! Questions about stock: now from the running totals, and as of earlier times from the
//! movements. Each row is answered from one snapshot, so that what it adds up and how far
//! it says to reach belong together.

use chrono::{DateTime, NaiveDate, Utc};
use fabric::Reads;
use rust_decimal::Decimal;

use super::books::{operated_sites, rights};
use super::rows::{amount, totals, units, unreadable_units};
use crate::domain::actor::Actor;
use crate::domain::amount::{Amount, Totals, Units};

/// Which stock is asked for.
#[derive(Clone, Debug)]
pub struct StockQuery {
    /// Of this book only.
    pub book_number: Option<String>,
    /// Of this line only.
    pub line_number: Option<i32>,
    /// Of this trader only.
    pub trader_party: Option<String>,
    /// A row for each lot; else for each line.
    pub by_lot: bool,
    /// Also lots and lines that hold nothing.
    pub include_empty: bool,
    /// Movements that took effect by then.
    pub effective_at: Option<DateTime<Utc>>,
    /// Movements that were recorded by then.
    pub recorded_at: Option<DateTime<Utc>>,
    /// Behind this row.
    pub after: StockKey,
    /// So many rows.
    pub rows: i64,
}

/// Book, line and lot: the order of the rows. Lot 0 stands for the whole line.
pub type StockKey = (String, i32, i32);

/// The stock of a lot or line.
#[derive(Clone, Debug)]
pub struct StockRow {
    /// The row's place.
    pub key: StockKey,
    /// The book.
    pub book_number: String,
    /// Its trader.
    pub trader_party: String,
    /// The centre.
    pub site_id: String,
    /// The line.
    pub line_number: u32,
    /// Its HS code.
    pub hs_code: String,
    /// What the goods are.
    pub goods_description: String,
    /// The units of the line.
    pub units: Units,
    /// The lot; none in a row for the whole line.
    pub lot: Option<StockLot>,
    /// The totals.
    pub totals: Totals,
    /// What of it came by a held list and is not reserved.
    pub held: Amount,
    /// How far the row reaches on the clock of recording.
    pub recorded_at: DateTime<Utc>,
}

/// The lot of a row.
#[derive(Clone, Debug)]
pub struct StockLot {
    /// Its id.
    pub lot_id: String,
    /// The date of entry; none while it is only expected.
    pub entry_date: Option<NaiveDate>,
    /// Until when it may be stored.
    pub storage_until: Option<NaiveDate>,
    /// The list by which it came.
    pub list_number: Option<String>,
}

/// Stock, by book, line and lot.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn stock(
    reads: &Reads,
    actor: &Actor,
    query: &StockQuery,
) -> Result<Vec<StockRow>, sqlx::Error> {
    let mut db = reads.of(&rights(actor)).await?;
    let rows = if query.effective_at.is_none() && query.recorded_at.is_none() {
        sqlx::query_file_as!(
            Row,
            "src/store/sql/stock_now.sql",
            actor.trader_party(),
            &operated_sites(actor),
            query.book_number,
            query.line_number,
            query.trader_party,
            query.by_lot,
            query.include_empty,
            query.after.0,
            query.after.1,
            query.after.2,
            query.rows
        )
        .fetch_all(&mut *db)
        .await?
    } else {
        sqlx::query_file_as!(
            Row,
            "src/store/sql/stock_as_of.sql",
            actor.trader_party(),
            &operated_sites(actor),
            query.book_number,
            query.line_number,
            query.trader_party,
            query.by_lot,
            query.include_empty,
            query.after.0,
            query.after.1,
            query.after.2,
            query.rows,
            query.effective_at,
            query.recorded_at
        )
        .fetch_all(&mut *db)
        .await?
    };
    rows.into_iter().map(StockRow::try_from).collect()
}

struct Row {
    book_number: String,
    trader_party: String,
    site_id: String,
    line_number: i32,
    hs_code: String,
    goods_description: String,
    unit_declared: String,
    unit_statutory_1: String,
    unit_statutory_2: String,
    lot_ordinal: i32,
    lot_id: Option<String>,
    entry_date: Option<NaiveDate>,
    storage_until: Option<NaiveDate>,
    provisional_increase_declared: Decimal,
    provisional_increase_statutory_1: Decimal,
    provisional_increase_statutory_2: Decimal,
    provisional_decrease_declared: Decimal,
    provisional_decrease_statutory_1: Decimal,
    provisional_decrease_statutory_2: Decimal,
    actual_increase_declared: Decimal,
    actual_increase_statutory_1: Decimal,
    actual_increase_statutory_2: Decimal,
    actual_decrease_declared: Decimal,
    actual_decrease_statutory_1: Decimal,
    actual_decrease_statutory_2: Decimal,
    held_declared: Decimal,
    held_statutory_1: Decimal,
    held_statutory_2: Decimal,
    list_number: Option<String>,
    recorded_at: DateTime<Utc>,
}

impl TryFrom<Row> for StockRow {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let lot = row.lot_id.map(|lot_id| StockLot {
            lot_id,
            entry_date: row.entry_date,
            storage_until: row.storage_until,
            list_number: row.list_number,
        });
        Ok(Self {
            key: (row.book_number.clone(), row.line_number, row.lot_ordinal),
            units: units(
                &row.unit_declared,
                &row.unit_statutory_1,
                &row.unit_statutory_2,
            )
            .ok_or_else(|| unreadable_units(&row.book_number, row.line_number))?,
            line_number: row.line_number.unsigned_abs(),
            book_number: row.book_number,
            trader_party: row.trader_party,
            site_id: row.site_id,
            hs_code: row.hs_code,
            goods_description: row.goods_description,
            lot,
            totals: totals([
                [
                    row.provisional_increase_declared,
                    row.provisional_increase_statutory_1,
                    row.provisional_increase_statutory_2,
                ],
                [
                    row.provisional_decrease_declared,
                    row.provisional_decrease_statutory_1,
                    row.provisional_decrease_statutory_2,
                ],
                [
                    row.actual_increase_declared,
                    row.actual_increase_statutory_1,
                    row.actual_increase_statutory_2,
                ],
                [
                    row.actual_decrease_declared,
                    row.actual_decrease_statutory_1,
                    row.actual_decrease_statutory_2,
                ],
            ]),
            held: amount([
                row.held_declared,
                row.held_statutory_1,
                row.held_statutory_2,
            ]),
            recorded_at: row.recorded_at,
        })
    }
}
