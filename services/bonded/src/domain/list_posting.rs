//! What comes of facts about a list, in whatever order they are told: gate's answer to an ask for void, discrepancies
//! opened and over, and the final posting, once both facts are there and nothing stands in its way (bonded rules 2 to
//! 5). It must not know who tells a fact.

use chrono::{DateTime, Utc};
use kernel::Direction;
use rust_decimal::Decimal;

use super::Rules;
use super::amount::Total;
use super::desk::{Desk, Entrance};
use super::discrepancy::{Discrepancy, DiscrepancyKind, Resolution, Settled};
use super::ledger::{Cause, CauseKind, PostingError};
use super::lot::{Entry, day};
use super::stock_list::{Dossier, HeldSpan, ListFact, ListFactKind, ListState, Posted, StockList};

/// Looks at a list anew: does what the facts now allow, and says what happened. Called after every fact and command;
/// called twice it does nothing the second time.
///
/// # Errors
/// The ledger does not allow a posting; nothing may be kept then.
pub fn consider(
    dossier: &mut Dossier,
    desk: &mut Desk<'_>,
    rules: &Rules,
) -> Result<Vec<ListFact>, PostingError> {
    let mut facts = Vec::new();
    note_holds(dossier, desk)?;
    hear_answer(dossier, desk, &mut facts)?;
    // Also behind a final posting: a fact that contradicts it is never passed over.
    if dossier.list.is_open() || dossier.list.state == ListState::Posted {
        compare(dossier, desk, &mut facts);
    }
    if matches!(
        dossier.list.state,
        ListState::Approved | ListState::Reserved
    ) && dossier.waits_for(&desk.lines).is_empty()
    {
        // What the ledger refuses leaves the list as it stands, to be looked at again.
        let (mut list, mut trial) = (dossier.list.clone(), desk.clone());
        if let Some(posted) = post(dossier, &mut list, &mut trial, rules) {
            list.state = ListState::Posted;
            list.posted = Some(posted);
            dossier.list = list;
            *desk = trial;
            facts.push(dossier.say(ListFactKind::Posted, posted.effective_at, "", ""));
        }
    }
    Ok(facts)
}

/// Whether the goods that came by the list are held, on the book's clock.
fn note_holds(dossier: &mut Dossier, desk: &mut Desk<'_>) -> Result<(), PostingError> {
    let held = dossier.holds.iter().any(|hold| hold.stands());
    if held == dossier.list.is_held() {
        return Ok(());
    }
    let at = desk.tick()?;
    match dossier.list.held.last_mut() {
        Some(span) if !held => span.until = Some(at),
        _ => dossier.list.held.push(HeldSpan {
            from: at,
            until: None,
        }),
    }
    Ok(())
}

/// Gate's answer to the ask that stands: void, or as it stood before.
fn hear_answer(
    dossier: &mut Dossier,
    desk: &mut Desk<'_>,
    facts: &mut Vec<ListFact>,
) -> Result<(), PostingError> {
    let (ListState::VoidAsked, Some(ask), Some(passage)) = (
        dossier.list.state,
        dossier.list.void_ask_id,
        &dossier.passage,
    ) else {
        return Ok(());
    };
    if passage.void_ask_id != ask.to_string() {
        return Ok(());
    }
    if passage.void_applied {
        take_back_provisional(&dossier.list, desk)?;
        dossier.list.state = ListState::Voided;
        let over = settle(dossier, "The list is void.", desk.now, |_| true);
        facts.extend(over);
        facts.push(dossier.say(ListFactKind::Voided, desk.now, "", ""));
    } else {
        dossier.list.state = dossier.list.stood.take().unwrap_or(dossier.list.state);
        dossier.list.void_ask_id = None;
        facts.push(dossier.say(
            ListFactKind::VoidTooLate,
            desk.now,
            "",
            "Goods of the list have passed or are on a truck inside.",
        ));
    }
    Ok(())
}

/// Reverses what is expected or reserved, all of it.
fn take_back_provisional(list: &StockList, desk: &mut Desk<'_>) -> Result<(), PostingError> {
    for line in &list.lines {
        for (place, part) in line.parts.iter().enumerate() {
            desk.post(Entrance {
                lot_id: &part.lot_id,
                total: provisional(list.direction),
                amount: part.provisional.opposite(),
                cause: Cause {
                    kind: CauseKind::Void,
                    reference: list.reference(line.number, place),
                },
                effective_at: desk.now,
                by: ("", ""),
                reverses: Some(part.provisional_movement),
            })?;
        }
    }
    Ok(())
}

/// Opens what differs and is not on record, and settles what differs no more.
fn compare(dossier: &mut Dossier, desk: &Desk<'_>, facts: &mut Vec<ListFact>) {
    let differences = dossier.differences();
    let over = settle(
        dossier,
        "The difference is gone.",
        desk.now,
        |discrepancy| !differences.contains(&discrepancy.difference),
    );
    facts.extend(over);
    for difference in differences {
        let on_record =
            dossier.list.discrepancies.iter().any(|one| {
                one.difference == difference && (one.is_open() || one.decides(&difference))
            });
        if on_record {
            continue;
        }
        let short = dossier
            .list
            .closed_short
            .clone()
            .filter(|_| difference.kind == DiscrepancyKind::UnderDelivery);
        let detail = difference.to_string();
        dossier.list.discrepancies.push(Discrepancy {
            id: desk.new_id(),
            difference,
            opened_at: desk.now,
            settled: None,
        });
        facts.push(dossier.say(
            ListFactKind::DiscrepancyOpened,
            desk.now,
            "",
            detail.as_str(),
        ));
        // Who closes a list short has said what becomes of the rest.
        if let (Some(short), Some(opened)) = (short, dossier.list.discrepancies.last_mut()) {
            opened.settled = Some(Settled {
                resolution: Resolution::PostPassed,
                at: desk.now,
                by_party: short.by_party.clone(),
                by_subject: short.by_subject,
                reason: short.reason,
            });
            facts.push(dossier.say(
                ListFactKind::DiscrepancyResolved,
                desk.now,
                &short.by_party,
                format!("{detail}; POST_PASSED: closed short"),
            ));
        }
    }
}

/// Settles the open discrepancies that are over by themselves.
pub fn settle(
    dossier: &mut Dossier,
    reason: &str,
    now: DateTime<Utc>,
    is_over: impl Fn(&Discrepancy) -> bool,
) -> Vec<ListFact> {
    let mut over = Vec::new();
    for discrepancy in &mut dossier.list.discrepancies {
        if discrepancy.is_open() && is_over(discrepancy) {
            discrepancy.settled = Some(Settled {
                resolution: Resolution::Explained,
                at: now,
                by_party: String::new(),
                by_subject: String::new(),
                reason: reason.to_owned(),
            });
            over.push(format!("{}; {reason}", discrepancy.difference));
        }
    }
    over.into_iter()
        .map(|detail| dossier.say(ListFactKind::DiscrepancyResolved, now, "", detail))
        .collect()
}

/// How much of a line is posted, in the declared unit, and for what cause: what is listed; where that differs from
/// what was found, what was decided last. A decision on a count goes before one on what passed, a short closing too:
/// that says that no more comes, and nothing of what came. So it does not matter which was made first.
fn decided(dossier: &Dossier, line: u32, listed: Decimal) -> (Decimal, CauseKind) {
    let differences = dossier.differences();
    let last = dossier
        .list
        .discrepancies
        .iter()
        .filter(|one| {
            one.difference.line_number == line && differences.iter().any(|now| one.decides(now))
        })
        .filter_map(|one| {
            let of_a_count = one.difference.kind == DiscrepancyKind::Count;
            Some((of_a_count, one.settled.as_ref()?))
        })
        .max_by_key(|(of_a_count, settled)| (*of_a_count, settled.at))
        .map(|(_, settled)| settled.resolution);
    let Some(line) = dossier.list.line(line) else {
        return (listed, CauseKind::Pass);
    };
    match last {
        Some(Resolution::PostCounted) => (line.counted.unwrap_or(listed), CauseKind::Count),
        Some(Resolution::PostPassed) => {
            let passed = dossier.closed_passage().map_or(listed, |passage| {
                passage.passed_of(line.number, &line.units.declared)
            });
            (passed, CauseKind::Pass)
        }
        Some(Resolution::Explained) | None => (listed, CauseKind::Pass),
    }
}

/// Provisional becomes actual. None: the ledger does not allow it.
fn post(
    dossier: &Dossier,
    list: &mut StockList,
    desk: &mut Desk<'_>,
    rules: &Rules,
) -> Option<Posted> {
    let last_passed = dossier.passage.as_ref()?.last_passed_at();
    // A late fact takes effect when it happened, but no earlier than the list it belongs to.
    let effective_at = [Some(list.filed_at), last_passed, dossier.released_at()]
        .into_iter()
        .flatten()
        .max()?
        .min(desk.now);
    let entered = last_passed.unwrap_or(effective_at).min(desk.now);
    let entry = Entry::on(day(entered), rules.storage_limit_months)?;
    let (direction, reference) = (list.direction, list.clone());
    for line in &mut list.lines {
        let (mut missing, kind) = decided(dossier, line.number, line.amount.declared);
        for (place, part) in line.parts.iter_mut().enumerate() {
            let cause = Cause {
                kind,
                reference: reference.reference(line.number, place),
            };
            let entrance = |total, amount, reverses| Entrance {
                lot_id: "",
                total,
                amount,
                cause: cause.clone(),
                effective_at,
                by: ("", ""),
                reverses,
            };
            desk.post(Entrance {
                lot_id: &part.lot_id,
                ..entrance(
                    provisional(direction),
                    part.provisional.opposite(),
                    Some(part.provisional_movement),
                )
            })
            .ok()?;
            let declared = match direction {
                // One lot takes all that came, also what is more than listed.
                Direction::In => missing,
                Direction::Out => missing.min(part.provisional.declared),
            };
            if declared <= Decimal::ZERO {
                continue;
            }
            let amount = part.provisional.share(declared).ok()?;
            let movement = desk
                .post(Entrance {
                    lot_id: &part.lot_id,
                    ..entrance(actual(direction), amount, None)
                })
                .ok()?;
            part.actual = Some((amount, movement));
            missing -= declared;
            if direction == Direction::In {
                desk.lots.get_mut(&part.lot_id)?.lot.entry = Some(entry);
            }
        }
        // More went out than is reserved: to be reserved first.
        if missing > Decimal::ZERO {
            return None;
        }
    }
    Some(Posted {
        at: desk.posted.last()?.0.recorded_at,
        effective_at,
    })
}

/// The total in which a list is provisional.
pub fn provisional(direction: Direction) -> Total {
    match direction {
        Direction::In => Total::ProvisionalIncrease,
        Direction::Out => Total::ProvisionalDecrease,
    }
}

/// The total in which a list is final.
pub fn actual(direction: Direction) -> Total {
    match direction {
        Direction::In => Total::ActualIncrease,
        Direction::Out => Total::ActualDecrease,
    }
}
