//! Stock lists and what others told of them, a statement per table: for a batch under its locks, and for questions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kernel::{BookNumber, Direction, Lrn, Quantity, StockListNumber, UnitCode};
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::rows::{UnreadableRow, amount, units, unsigned};
use crate::domain::declaration::KnownDeclaration;
use crate::domain::discrepancy::{Difference, Discrepancy, DiscrepancyKind, Resolution, Settled};
use crate::domain::hold::ListHold;
use crate::domain::passage::{Pass, PassState, Passage};
use crate::domain::stock_list::{
    ClosedShort, HeldSpan, ListLine, ListState, Part, Posted, StockList, direction_name,
};

/// The direction of this name.
fn direction(name: &str) -> Option<Direction> {
    [Direction::In, Direction::Out]
        .into_iter()
        .find(|direction| direction_name(*direction) == name)
}

fn unreadable(table: &'static str, key: &str, column: &'static str) -> UnreadableRow {
    UnreadableRow {
        table,
        key: key.to_owned(),
        column,
    }
}

fn number(text: &str) -> Result<StockListNumber, UnreadableRow> {
    StockListNumber::parse(text).map_err(|_| unreadable("stock_list", text, "list_number"))
}

fn quantity(key: &str, value: Decimal, unit: &str) -> Result<Quantity, UnreadableRow> {
    UnitCode::parse(unit)
        .ok()
        .and_then(|unit| Quantity::new(value, unit).ok())
        .ok_or_else(|| unreadable("quantity", key, "unit"))
}

/// Every one of these lists, whole.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn lists(
    db: &mut PgConnection,
    numbers: &[String],
) -> Result<Vec<StockList>, sqlx::Error> {
    let mut lines = lines(db, numbers).await?;
    let mut discrepancies = discrepancies(db, numbers).await?;
    let mut held = held(db, numbers).await?;
    let rows = sqlx::query!(
        "select list_number, version, site_id, direction, book_number, trader_party, filer_party, filer_subject,
                declaration_lrn, declaration_filer_party, state, stood, void_ask_id,
                closed_short_by_party, closed_short_by_subject, closed_short_reason, reason, filed_at, posted_at, posted_effective_at,
                counted_at, mandate_id
         from stock_list where list_number = any($1) order by list_number",
        numbers
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let wrong = |column| unreadable("stock_list", &row.list_number, column);
            let stood = match &row.stood {
                None => None,
                Some(stood) => Some(ListState::parse(stood).ok_or_else(|| wrong("stood"))?),
            };
            Ok(StockList {
                number: number(&row.list_number)?,
                version: unsigned(row.version).ok_or_else(|| wrong("version"))?,
                direction: direction(&row.direction).ok_or_else(|| wrong("direction"))?,
                book_number: BookNumber::parse(&row.book_number)
                    .map_err(|_| wrong("book_number"))?,
                declaration_lrn: Lrn::parse(&row.declaration_lrn)
                    .map_err(|_| wrong("declaration_lrn"))?,
                state: ListState::parse(&row.state).ok_or_else(|| wrong("state"))?,
                stood,
                lines: lines.remove(&row.list_number).unwrap_or_default(),
                discrepancies: discrepancies.remove(&row.list_number).unwrap_or_default(),
                held: held.remove(&row.list_number).unwrap_or_default(),
                site_id: row.site_id,
                trader_party: row.trader_party,
                filer_party: row.filer_party,
                filer_subject: row.filer_subject,
                mandate_id: row.mandate_id,
                declaration_filer_party: row.declaration_filer_party,
                void_ask_id: row.void_ask_id,
                closed_short: row.closed_short_by_party.map(|by_party| ClosedShort {
                    by_party,
                    by_subject: row.closed_short_by_subject.unwrap_or_default(),
                    reason: row.closed_short_reason.unwrap_or_default(),
                }),
                reason: row.reason,
                counted_at: row.counted_at,
                filed_at: row.filed_at,
                posted: row
                    .posted_at
                    .zip(row.posted_effective_at)
                    .map(|(at, effective_at)| Posted { at, effective_at }),
            })
        })
        .collect::<Result<_, UnreadableRow>>()
        .map_err(Into::into)
}

async fn lines(
    db: &mut PgConnection,
    numbers: &[String],
) -> Result<BTreeMap<String, Vec<ListLine>>, sqlx::Error> {
    let mut parts = parts(db, numbers).await?;
    let rows = sqlx::query!(
        "select s.list_number, s.line_number, s.book_line, s.declared, s.statutory_1, s.statutory_2, s.counted,
                l.unit_declared, l.unit_statutory_1, l.unit_statutory_2
         from stock_list_line s join book_line l on l.book_number = s.book_number and l.line_number = s.book_line
         where s.list_number = any($1) order by s.list_number, s.line_number",
        numbers
    )
    .fetch_all(db)
    .await?;
    let mut lines: BTreeMap<String, Vec<ListLine>> = BTreeMap::new();
    for row in rows {
        let units = units(
            &row.unit_declared,
            &row.unit_statutory_1,
            &row.unit_statutory_2,
        )
        .ok_or_else(|| unreadable("stock_list_line", &row.list_number, "units"))?;
        let number = row.line_number.unsigned_abs();
        lines
            .entry(row.list_number.clone())
            .or_default()
            .push(ListLine {
                number,
                book_line: row.book_line.unsigned_abs(),
                amount: amount([row.declared, row.statutory_1, row.statutory_2]),
                units,
                counted: row.counted.map(|counted| counted.normalize()),
                parts: parts.remove(&(row.list_number, number)).unwrap_or_default(),
            });
    }
    Ok(lines)
}

async fn parts(
    db: &mut PgConnection,
    numbers: &[String],
) -> Result<BTreeMap<(String, u32), Vec<Part>>, sqlx::Error> {
    let rows = sqlx::query!(
        "select list_number, line_number, lot_id, provisional_declared, provisional_statutory_1, provisional_statutory_2,
                provisional_movement_id, actual_declared, actual_statutory_1, actual_statutory_2, actual_movement_id
         from stock_list_part where list_number = any($1) order by list_number, line_number, part",
        numbers
    )
    .fetch_all(db)
    .await?;
    let mut parts: BTreeMap<(String, u32), Vec<Part>> = BTreeMap::new();
    for row in rows {
        let actual = match (
            row.actual_declared,
            row.actual_statutory_1,
            row.actual_statutory_2,
            row.actual_movement_id,
        ) {
            (Some(declared), Some(first), Some(second), Some(movement)) => {
                Some((amount([declared, first, second]), movement))
            }
            _ => None,
        };
        parts
            .entry((row.list_number, row.line_number.unsigned_abs()))
            .or_default()
            .push(Part {
                lot_id: row.lot_id,
                provisional: amount([
                    row.provisional_declared,
                    row.provisional_statutory_1,
                    row.provisional_statutory_2,
                ]),
                provisional_movement: row.provisional_movement_id,
                actual,
            });
    }
    Ok(parts)
}

async fn discrepancies(
    db: &mut PgConnection,
    numbers: &[String],
) -> Result<BTreeMap<String, Vec<Discrepancy>>, sqlx::Error> {
    let rows = sqlx::query_as!(
        DiscrepancyRow,
        "select discrepancy_id, list_number, line_number, kind, expected, found, unit, opened_at,
                resolution, resolved_at, resolved_by_party, resolved_by_subject, reason
         from discrepancy where list_number = any($1) order by list_number, ordinal",
        numbers
    )
    .fetch_all(db)
    .await?;
    let mut all: BTreeMap<String, Vec<Discrepancy>> = BTreeMap::new();
    for row in rows {
        let list = row.list_number.clone();
        all.entry(list).or_default().push(row.try_into()?);
    }
    Ok(all)
}

async fn held(
    db: &mut PgConnection,
    numbers: &[String],
) -> Result<BTreeMap<String, Vec<HeldSpan>>, sqlx::Error> {
    let rows = sqlx::query!(
        "select list_number, held_from, held_until from stock_list_held where list_number = any($1) order by list_number, held_from",
        numbers
    )
    .fetch_all(db)
    .await?;
    let mut spans: BTreeMap<String, Vec<HeldSpan>> = BTreeMap::new();
    for row in rows {
        spans.entry(row.list_number).or_default().push(HeldSpan {
            from: row.held_from,
            until: row.held_until,
        });
    }
    Ok(spans)
}

/// What gate told of these lists' passage.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn passages(
    db: &mut PgConnection,
    numbers: &[String],
) -> Result<Vec<Passage>, sqlx::Error> {
    let lines = sqlx::query!(
        "select list_number, pre_arrival_id, line_number, unit, quantity from list_pass_line
         where list_number = any($1) order by list_number, pre_arrival_id, line_number, unit",
        numbers
    )
    .fetch_all(&mut *db)
    .await?;
    let mut quantities: BTreeMap<(String, String), Vec<(u32, Quantity)>> = BTreeMap::new();
    for row in lines {
        let read = quantity(&row.list_number, row.quantity, &row.unit)?;
        quantities
            .entry((row.list_number, row.pre_arrival_id))
            .or_default()
            .push((row.line_number.unsigned_abs(), read));
    }
    let rows = sqlx::query!(
        "select list_number, pre_arrival_id, pass_number, state, passed_at from list_pass
         where list_number = any($1) order by list_number, pre_arrival_id",
        numbers
    )
    .fetch_all(&mut *db)
    .await?;
    let mut passes: BTreeMap<String, Vec<Pass>> = BTreeMap::new();
    for row in rows {
        let state = PassState::parse(&row.state)
            .ok_or_else(|| unreadable("list_pass", &row.list_number, "state"))?;
        let lines = quantities
            .remove(&(row.list_number.clone(), row.pre_arrival_id.clone()))
            .unwrap_or_default();
        passes.entry(row.list_number).or_default().push(Pass {
            pre_arrival_id: row.pre_arrival_id,
            pass_number: row.pass_number,
            state,
            passed_at: row.passed_at,
            lines,
        });
    }
    let rows = sqlx::query!(
        "select list_number, version_epoch, version, closed, void_ask_id, void_applied from list_passage where list_number = any($1)",
        numbers
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Passage {
                list_number: number(&row.list_number)?,
                version: (row.version_epoch.unsigned_abs(), row.version.unsigned_abs()),
                passes: passes.remove(&row.list_number).unwrap_or_default(),
                closed: row.closed,
                void_ask_id: row.void_ask_id,
                void_applied: row.void_applied,
            })
        })
        .collect::<Result<_, UnreadableRow>>()
        .map_err(Into::into)
}

/// The declarations of these ids, and those that name one of these lists.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn declarations(
    db: &mut PgConnection,
    ids: &[String],
    numbers: &[String],
) -> Result<Vec<KnownDeclaration>, sqlx::Error> {
    let rows = sqlx::query!(
        "select declaration_id, version_epoch, version, lrn, filer_party, trader_party, procedure_kind, released, released_at, stock_lists
         from known_declaration where declaration_id = any($1) or stock_lists && $2",
        ids,
        numbers
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(KnownDeclaration {
                declaration_id: row.declaration_id,
                version: (row.version_epoch.unsigned_abs(), row.version.unsigned_abs()),
                lrn: row.lrn,
                filer_party: row.filer_party,
                trader_party: row.trader_party,
                procedure_kind: row.procedure_kind,
                released: row.released,
                released_at: row.released_at,
                stock_lists: row
                    .stock_lists
                    .iter()
                    .map(|list| number(list))
                    .collect::<Result<_, _>>()?,
            })
        })
        .collect::<Result<_, UnreadableRow>>()
        .map_err(Into::into)
}

/// The holds on these lists.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn holds(
    db: &mut PgConnection,
    numbers: &[String],
) -> Result<Vec<ListHold>, sqlx::Error> {
    let rows = sqlx::query!(
        "select topic, hold_id, list_number, kind, placed_by_party, reason, placed_at, lifted_at
         from list_hold where list_number = any($1) order by topic, hold_id",
        numbers
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ListHold {
                list_number: number(&row.list_number)?,
                key: (row.topic, row.hold_id),
                kind: row.kind,
                placed_by_party: row.placed_by_party,
                reason: row.reason,
                placed_at: row.placed_at,
                lifted_at: row.lifted_at,
            })
        })
        .collect::<Result<_, UnreadableRow>>()
        .map_err(Into::into)
}

/// A row of `discrepancy`.
pub struct DiscrepancyRow {
    pub discrepancy_id: uuid::Uuid,
    pub list_number: String,
    pub line_number: i32,
    pub kind: String,
    pub expected: Decimal,
    pub found: Decimal,
    pub unit: String,
    pub opened_at: DateTime<Utc>,
    pub resolution: Option<String>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub resolved_by_party: Option<String>,
    pub resolved_by_subject: Option<String>,
    pub reason: Option<String>,
}

impl TryFrom<DiscrepancyRow> for Discrepancy {
    type Error = UnreadableRow;

    fn try_from(row: DiscrepancyRow) -> Result<Self, UnreadableRow> {
        let wrong = |column| unreadable("discrepancy", &row.list_number, column);
        let settled = match (&row.resolution, row.resolved_at) {
            (Some(resolution), Some(at)) => Some(Settled {
                resolution: Resolution::parse(resolution).ok_or_else(|| wrong("resolution"))?,
                at,
                by_party: row.resolved_by_party.clone().unwrap_or_default(),
                by_subject: row.resolved_by_subject.clone().unwrap_or_default(),
                reason: row.reason.clone().unwrap_or_default(),
            }),
            _ => None,
        };
        Ok(Self {
            id: row.discrepancy_id,
            difference: Difference {
                line_number: row.line_number.unsigned_abs(),
                kind: DiscrepancyKind::parse(&row.kind).ok_or_else(|| wrong("kind"))?,
                expected: quantity(&row.list_number, row.expected, &row.unit)?,
                found: quantity(&row.list_number, row.found, &row.unit)?,
            },
            opened_at: row.opened_at,
            settled,
        })
    }
}
