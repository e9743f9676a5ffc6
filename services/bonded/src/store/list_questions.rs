//! Questions about stock lists and discrepancies, answered with what exists for the asker, each from one snapshot.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fabric::{Reads, Rights, restrict};
use uuid::Uuid;

use super::batch::lines;
use super::books::{operated_sites, rights};
use super::lists::{self, DiscrepancyRow};
use crate::domain::actor::Actor;
use crate::domain::discrepancy::Discrepancy;
use crate::domain::line::{BookLine, LineId};
use crate::domain::stock_list::Dossier;

/// Where a page of lists begins: behind this time of filing and number.
pub type ListKey = (DateTime<Utc>, String);
/// Where a page of discrepancies begins: behind this time of opening and id.
pub type DiscrepancyKey = (DateTime<Utc>, Uuid);

/// Which lists are asked for.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// This one only.
    pub list_number: Option<String>,
    /// Of this book only.
    pub book_number: Option<String>,
    /// Of this trader only.
    pub trader_party: Option<String>,
    /// In this state only.
    pub state: Option<&'static str>,
    /// This way only.
    pub direction: Option<&'static str>,
    /// Behind this one.
    pub after: Option<ListKey>,
}

/// A list with what was told of it, and the lines of the book that it moves.
pub struct ListFound {
    /// The list.
    pub dossier: Dossier,
    /// The lines, by number.
    pub book_lines: BTreeMap<u32, BookLine>,
}

/// Lists, newest first.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn stock_lists(
    reads: &Reads,
    actor: &Actor,
    filter: &ListFilter,
    rows: i64,
) -> Result<Vec<ListFound>, sqlx::Error> {
    let mut snapshot = reads.snapshot(&rights(actor)).await?;
    let (after_time, after_number) = filter.after.clone().unzip();
    let numbers = sqlx::query_scalar!(
        "select list_number from stock_list
         where (trader_party = $1 or filer_party = $2 or site_id = any($3))
           and ($4::text is null or list_number = $4)
           and ($5::text is null or book_number = $5)
           and ($6::text is null or trader_party = $6)
           and ($7::text is null or state = $7)
           and ($8::text is null or direction = $8)
           and ($9::timestamptz is null or (filed_at, list_number) < ($9, $10::text))
         order by filed_at desc, list_number desc limit $11",
        actor.trader_party(),
        actor.broker_party(),
        &operated_sites(actor),
        filter.list_number,
        filter.book_number,
        filter.trader_party,
        filter.state,
        filter.direction,
        after_time,
        after_number,
        rows
    )
    .fetch_all(&mut *snapshot)
    .await?;
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    // All of a list that the asker was shown.
    restrict(&mut snapshot, &Rights::Everything).await?;
    let found = lists::lists(&mut snapshot, &numbers).await?;
    let passages = lists::passages(&mut snapshot, &numbers).await?;
    let declarations = lists::declarations(&mut snapshot, &[], &numbers).await?;
    let holds = lists::holds(&mut snapshot, &numbers).await?;
    let keys: Vec<String> = found
        .iter()
        .flat_map(|list| {
            list.lines.iter().map(|line| {
                LineId {
                    book_number: list.book_number.clone(),
                    line_number: line.book_line,
                }
                .to_string()
            })
        })
        .collect();
    let book_lines = lines(&mut snapshot, &keys).await?;
    let mut by_number: BTreeMap<String, ListFound> = found
        .into_iter()
        .map(|list| {
            let number = list.number.clone();
            let lines = book_lines
                .iter()
                .filter(|(id, _)| id.book_number == list.book_number)
                .map(|(id, line)| (id.line_number, line.clone()))
                .collect();
            let dossier = Dossier {
                passage: passages
                    .iter()
                    .find(|passage| passage.list_number == number)
                    .cloned(),
                declarations: declarations
                    .iter()
                    .filter(|declaration| declaration.stock_lists.contains(&number))
                    .cloned()
                    .collect(),
                holds: holds
                    .iter()
                    .filter(|hold| hold.list_number == number)
                    .cloned()
                    .collect(),
                unknown: Vec::new(),
                list,
            };
            let found = ListFound {
                dossier,
                book_lines: lines,
            };
            (number.to_string(), found)
        })
        .collect();
    Ok(numbers
        .iter()
        .filter_map(|number| by_number.remove(number))
        .collect())
}

/// Discrepancies with the numbers of their lists, newest first.
///
/// # Errors
/// The database does not answer, or a row cannot be understood.
pub async fn discrepancies(
    reads: &Reads,
    actor: &Actor,
    list_number: Option<&str>,
    open_only: bool,
    after: Option<DiscrepancyKey>,
    rows: i64,
) -> Result<Vec<(String, Discrepancy)>, sqlx::Error> {
    let mut db = reads.of(&rights(actor)).await?;
    let (after_time, after_id) = after.unzip();
    let rows = sqlx::query_as!(
        DiscrepancyRow,
        "select d.discrepancy_id, d.list_number, d.line_number, d.kind, d.expected, d.found, d.unit, d.opened_at,
                d.resolution, d.resolved_at, d.resolved_by_party, d.resolved_by_subject, d.reason
         from discrepancy d join stock_list s using (list_number)
         where (s.trader_party = $1 or s.filer_party = $2 or s.site_id = any($3))
           and ($4::text is null or d.list_number = $4)
           and (not $5 or d.resolution is null)
           and ($6::timestamptz is null or (d.opened_at, d.discrepancy_id) < ($6, $7::uuid))
         order by d.opened_at desc, d.discrepancy_id desc limit $8",
        actor.trader_party(),
        actor.broker_party(),
        &operated_sites(actor),
        list_number,
        open_only,
        after_time,
        after_id,
        rows
    )
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.list_number.clone(), Discrepancy::try_from(row)?)))
        .collect()
}
