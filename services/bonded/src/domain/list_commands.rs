//! What people do with a filed list: approve, ask for its void, close it short, count it, settle what differs, take its
//! posting back (bonded rules 3 and 4). Each says what happened; what then follows from the facts is
//! `list_posting::consider`. It must not know how a command came.

use std::collections::BTreeSet;

use kernel::{Direction, Quantity, Refusal, StockListNumber, Text};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::actor::Actor;
use super::desk::{Desk, Entrance};
use super::discrepancy::{DiscrepancyKind, Resolution, Settled};
use super::ledger::{Cause, CauseKind};
use super::line::REASON_CHARS_MAX;
use super::list_filing::{enter_provisional, look, mandate_for, mandate_missing, shortage};
use super::list_posting::{actual, settle};
use super::mandate::KnownMandate;
use super::stock_list::{
    ClosedShort, DISCREPANCIES_MAX, Dossier, LIST_PARTS_MAX, ListFact, ListFactKind, ListState,
    StockList, not_found,
};

/// Somebody changes a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeStockList {
    /// Who asks.
    pub actor: Actor,
    /// Which list.
    pub target: Target,
    /// The version that it has seen; none: not checked.
    pub expected_version: Option<u64>,
    /// What is to be done.
    pub change: Change,
}

/// How a command names its list.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// By its number.
    List(StockListNumber),
    /// By one of its discrepancies.
    Discrepancy(Uuid),
}

/// What is done with a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The operator approves an increase.
    Approve,
    /// It is to be void.
    Void {
        /// Why.
        reason: String,
    },
    /// No more of it comes.
    CloseShort {
        /// Why.
        reason: String,
    },
    /// What was counted, by line.
    Count {
        /// Line and quantity.
        counts: Vec<(u32, Quantity)>,
    },
    /// The final posting is taken back.
    Reverse {
        /// Why.
        reason: String,
    },
    /// A discrepancy is settled.
    Resolve {
        /// How.
        resolution: Resolution,
        /// Why.
        reason: String,
    },
}

/// What a change meets under the locks, besides the list and the desk.
#[derive(Debug)]
pub struct ChangeView<'a> {
    /// The mandates that the actor holds of the list's trader.
    pub mandates: Vec<&'a KnownMandate>,
    /// Whether the register's word on them could all be read.
    pub register_known: bool,
    /// Lists on the lines whose goods are held.
    pub held_lists: &'a BTreeSet<StockListNumber>,
}

/// Reads a reason.
///
/// # Errors
/// REASON_MISSING.
pub fn reason(written: &str) -> Result<String, Refusal> {
    Text::parse(written, REASON_CHARS_MAX).map_err(|error| {
        Refusal::invalid(
            "REASON_MISSING",
            format!("Say why, in 1 to {REASON_CHARS_MAX} characters on one line: {error}."),
        )
    })
}

/// Decides whether the list is changed.
///
/// # Errors
/// NOT_FOUND, STALE_VERSION, STOCK_LIST_STATE and what each change says.
pub fn change(
    command: &ChangeStockList,
    dossier: &mut Dossier,
    desk: &mut Desk<'_>,
    view: &ChangeView<'_>,
) -> Result<Vec<ListFact>, Refusal> {
    let list = &dossier.list;
    let actor = &command.actor;
    let operates = actor.operated_sites.contains(&list.site_id);
    if !list.is_seen_by(actor) || !(operates || matches!(command.change, Change::Void { .. })) {
        return Err(not_found(list.number.as_str()));
    }
    let own = operates || (actor.trader && list.trader_party == actor.party);
    let lines = list.lines.iter().map(|line| line.book_line);
    let mandate = mandate_for(actor, view.register_known, &view.mandates, desk, lines);
    if !own && mandate.is_none() {
        return Err(mandate_missing(list.number.as_str()));
    }
    list.expect(command.expected_version)?;
    match &command.change {
        Change::Approve => approve(dossier, desk, actor),
        Change::Void { reason } => ask_void(dossier, desk, actor, reason),
        Change::CloseShort { reason } => close_short(dossier, desk, actor, reason),
        Change::Count { counts } => count(dossier, desk, actor, counts),
        Change::Reverse { reason } => reverse(dossier, desk, actor, reason),
        Change::Resolve { resolution, reason } => {
            let Target::Discrepancy(id) = command.target else {
                return Err(not_found(dossier.list.number.as_str()));
            };
            resolve(dossier, desk, view, actor, (id, *resolution, reason))
        }
    }
}

fn approve(
    dossier: &mut Dossier,
    desk: &Desk<'_>,
    actor: &Actor,
) -> Result<Vec<ListFact>, Refusal> {
    in_state(&dossier.list, &[ListState::Filed], "approved")?;
    dossier.list.state = ListState::Approved;
    Ok(vec![dossier.say(
        ListFactKind::Approved,
        desk.now,
        &actor.party,
        "",
    )])
}

fn ask_void(
    dossier: &mut Dossier,
    desk: &Desk<'_>,
    actor: &Actor,
    reason: &str,
) -> Result<Vec<ListFact>, Refusal> {
    let list = &mut dossier.list;
    let open = [ListState::Filed, ListState::Approved, ListState::Reserved];
    in_state(list, &open, "voided")?;
    if list.closed_short.is_some() {
        return Err(wrong_state(list, "voided: it was closed short"));
    }
    list.stood = Some(list.state);
    list.state = ListState::VoidAsked;
    list.void_ask_id = Some(desk.new_id());
    list.reason = Some(reason.to_owned());
    Ok(vec![dossier.say(
        ListFactKind::VoidAsked,
        desk.now,
        &actor.party,
        reason,
    )])
}

fn close_short(
    dossier: &mut Dossier,
    desk: &Desk<'_>,
    actor: &Actor,
    reason: &str,
) -> Result<Vec<ListFact>, Refusal> {
    let open = [ListState::Approved, ListState::Reserved];
    in_state(&dossier.list, &open, "closed short")?;
    if dossier.list.closed_short.is_some() {
        return Err(wrong_state(&dossier.list, "closed short twice"));
    }
    let passed = dossier.passage.as_ref().map(|passage| passage.passed());
    if passed.is_none_or(|passed| passed.values().all(Decimal::is_zero)) {
        return Err(Refusal::unmet(
            "STOCK_LIST_NOTHING_PASSED",
            format!(
                "Nothing of list {} has passed the gate as far as bonded knows; void the list instead.",
                dossier.list.number
            ),
            Vec::new(),
        )
        .with_resource("stock list", dossier.list.number.as_str()));
    }
    dossier.list.closed_short = Some(ClosedShort {
        by_party: actor.party.clone(),
        by_subject: actor.subject.clone(),
        reason: reason.to_owned(),
    });
    dossier.list.reason = Some(reason.to_owned());
    let mut facts = vec![dossier.say(ListFactKind::ClosedShort, desk.now, &actor.party, reason)];
    let short: Vec<Uuid> = dossier
        .list
        .discrepancies
        .iter()
        .filter(|one| one.is_open() && one.difference.kind == DiscrepancyKind::UnderDelivery)
        .map(|one| one.id)
        .collect();
    for id in short {
        facts.extend(decide(
            dossier,
            desk,
            actor,
            (id, Resolution::PostPassed, reason),
        ));
    }
    Ok(facts)
}

fn count(
    dossier: &mut Dossier,
    desk: &Desk<'_>,
    actor: &Actor,
    counts: &[(u32, Quantity)],
) -> Result<Vec<ListFact>, Refusal> {
    let list = &mut dossier.list;
    if list.direction == Direction::Out {
        return Err(wrong_state(
            list,
            "counted: it goes out; only what comes in is counted",
        ));
    }
    let countable = [ListState::Filed, ListState::Approved, ListState::Posted];
    in_state(list, &countable, "counted")?;
    if list.discrepancies.len() + counts.len() > DISCREPANCIES_MAX {
        return Err(Refusal::exhausted(
            "DISCREPANCIES_EXHAUSTED",
            format!(
                "List {} has as many discrepancies as a list may have; resolve them.",
                list.number
            ),
        ));
    }
    let mut faults = Vec::new();
    for (index, (number, counted)) in counts.iter().enumerate() {
        let fault = |value: String, rule: &str, text: String| {
            kernel::Fault::new(
                "COUNT_INVALID",
                format!("counts[{index}]"),
                value,
                rule,
                text,
            )
        };
        match list.lines.iter_mut().find(|line| line.number == *number) {
            None => faults.push(fault(
                number.to_string(),
                "a line of the list",
                "The list has no such line.".into(),
            )),
            Some(line) if counted.unit() != &line.units.declared => faults.push(fault(
                counted.to_string(),
                "the declared unit of the line",
                format!("Count in {}.", line.units.declared),
            )),
            Some(_) if counts[..index].iter().any(|(other, _)| other == number) => {
                faults.push(fault(
                    number.to_string(),
                    "each line once",
                    "The line is counted twice.".into(),
                ));
            }
            Some(line) => line.counted = Some(counted.amount()),
        }
    }
    if counts.is_empty() || !faults.is_empty() {
        return Err(Refusal::invalid(
            "COUNT_INVALID",
            "Nothing was recorded: give each counted line once, in its declared unit.",
        )
        .with_faults(faults));
    }
    list.counted_at = Some(desk.now);
    let told: Vec<String> = counts
        .iter()
        .map(|(line, counted)| format!("line {line}: {counted}"))
        .collect();
    Ok(vec![dossier.say(
        ListFactKind::Counted,
        desk.now,
        &actor.party,
        told.join(", "),
    )])
}

/// Contra entries, each naming what it takes back. A final posting is never edited.
fn reverse(
    dossier: &mut Dossier,
    desk: &mut Desk<'_>,
    actor: &Actor,
    reason: &str,
) -> Result<Vec<ListFact>, Refusal> {
    let list = &dossier.list;
    in_state(list, &[ListState::Posted], "taken back")?;
    for line in &list.lines {
        for (place, part) in line.parts.iter().enumerate() {
            let Some((amount, movement)) = part.actual else {
                continue;
            };
            desk.post(Entrance {
                lot_id: &part.lot_id,
                total: actual(list.direction),
                amount: amount.opposite(),
                cause: Cause {
                    kind: CauseKind::Reversal,
                    reference: list.reference(line.number, place),
                },
                effective_at: desk.now,
                by: (&actor.party, &actor.subject),
                reverses: Some(movement),
            })
            .map_err(|error| {
                Refusal::unmet(
                    "STOCK_NOT_AVAILABLE",
                    format!(
                        "The goods of lot {} have gone out or are reserved; take those back first: {error}.",
                        part.lot_id
                    ),
                    Vec::new(),
                )
            })?;
        }
    }
    dossier.list.state = ListState::Reversed;
    dossier.list.reason = Some(reason.to_owned());
    let mut facts = settle(dossier, "The posting was taken back.", desk.now, |_| true);
    facts.push(dossier.say(ListFactKind::Reversed, desk.now, &actor.party, reason));
    Ok(facts)
}

fn resolve(
    dossier: &mut Dossier,
    desk: &mut Desk<'_>,
    view: &ChangeView<'_>,
    actor: &Actor,
    (id, resolution, reason): (Uuid, Resolution, &str),
) -> Result<Vec<ListFact>, Refusal> {
    let subject = id.to_string();
    let discrepancy = dossier
        .list
        .discrepancies
        .iter()
        .find(|one| one.id == id)
        .ok_or_else(|| Refusal::not_found("discrepancy", subject.as_str()))?;
    if !discrepancy.is_open() {
        return Err(Refusal::unmet(
            "DISCREPANCY_SETTLED",
            "The discrepancy is settled already; read it again.",
            Vec::new(),
        )
        .with_resource("discrepancy", subject));
    }
    let open = [ListState::Filed, ListState::Approved, ListState::Reserved];
    in_state(
        &dossier.list,
        &open,
        "settled any more: where a count was wrong, count again; where it was right, take the posting back, and the trader files another list of what is there",
    )?;
    let difference = discrepancy.difference.clone();
    let line = dossier.list.line(difference.line_number).cloned();
    match resolution {
        Resolution::PostCounted if line.as_ref().is_none_or(|line| line.counted.is_none()) => {
            return Err(Refusal::unmet(
                "STOCK_LIST_NOT_COUNTED",
                "The line was not counted; record the count first, or post what passed.",
                Vec::new(),
            ));
        }
        // More went out than is reserved: the rest is taken from what is available, or nothing is.
        Resolution::PostPassed
            if dossier.list.direction == Direction::Out
                && difference.kind == DiscrepancyKind::OverDelivery =>
        {
            let line = line.filter(|line| line.units.declared == *difference.found.unit());
            if let Some(line) = line {
                let wanted = difference.found.amount();
                reserve_rest(dossier, desk, view, actor, (line.number, wanted))?;
            }
        }
        _ => {}
    }
    Ok(decide(dossier, desk, actor, (id, resolution, reason))
        .into_iter()
        .collect())
}

/// Reserves what is missing of a line up to `wanted`.
fn reserve_rest(
    dossier: &mut Dossier,
    desk: &mut Desk<'_>,
    view: &ChangeView<'_>,
    actor: &Actor,
    (number, wanted): (u32, Decimal),
) -> Result<(), Refusal> {
    let snapshot = dossier.list.clone();
    let Some(line) = dossier
        .list
        .lines
        .iter_mut()
        .find(|line| line.number == number)
    else {
        return Ok(());
    };
    let reserved: Decimal = line
        .parts
        .iter()
        .map(|part| part.provisional.declared)
        .sum();
    let missing = wanted - reserved;
    if missing <= Decimal::ZERO {
        return Ok(());
    }
    let unable = |why: String| Refusal::unmet("STOCK_NOT_AVAILABLE", why, Vec::new());
    let book_line = desk
        .lines
        .get(&line.book_line)
        .cloned()
        .ok_or_else(|| not_found(snapshot.number.as_str()))?;
    let found = look(missing, &[], &book_line, desk, view.held_lists).map_err(unable)?;
    if found.available < missing {
        return Err(Refusal::unmet(
            "STOCK_NOT_AVAILABLE",
            "More went out than is reserved, and the rest is not available: nothing is posted.",
            shortage(&book_line, &line.quantity(missing), &found),
        ));
    }
    if line.parts.len() + found.takings.len() > LIST_PARTS_MAX {
        return Err(unable("The line takes from too many lots.".into()));
    }
    let by = (actor.party.as_str(), actor.subject.as_str());
    for taking in found.takings {
        let place = line.parts.len();
        let (lot_id, amount) = (&taking.lot_id, taking.amount);
        let part = enter_provisional(&snapshot, number, place, lot_id, amount, desk, by)
            .map_err(unable)?;
        line.parts.push(part);
    }
    Ok(())
}

fn decide(
    dossier: &mut Dossier,
    desk: &Desk<'_>,
    actor: &Actor,
    (id, resolution, reason): (Uuid, Resolution, &str),
) -> Option<ListFact> {
    let discrepancy = dossier
        .list
        .discrepancies
        .iter_mut()
        .find(|one| one.id == id)?;
    discrepancy.settled = Some(Settled {
        resolution,
        at: desk.now,
        by_party: actor.party.clone(),
        by_subject: actor.subject.clone(),
        reason: reason.to_owned(),
    });
    let detail = format!(
        "{}; {}: {reason}",
        discrepancy.difference,
        resolution.as_str()
    );
    Some(dossier.say(
        ListFactKind::DiscrepancyResolved,
        desk.now,
        &actor.party,
        detail,
    ))
}

fn in_state(list: &StockList, wanted: &[ListState], what: &str) -> Result<(), Refusal> {
    if wanted.contains(&list.state) {
        return Ok(());
    }
    Err(wrong_state(list, what))
}

fn wrong_state(list: &StockList, what: &str) -> Refusal {
    Refusal::unmet(
        "STOCK_LIST_STATE",
        format!(
            "List {} is {}, so it cannot be {what}; read it again.",
            list.number,
            list.state.as_str()
        ),
        Vec::new(),
    )
    .with_resource("stock list", list.number.as_str())
    .with_metadata("state", list.state.as_str())
}
