//! Stock lists and discrepancies as messages of the API. It must not decide anything.

use chassis::convert::{condition_message, quantity_message, timestamp};
use kernel::{Direction, Unmet};
use proto::bonded::v1 as wire;
use uuid::Uuid;

use super::messages::{amount, signed_quantity};
use crate::domain::discrepancy::{Discrepancy, DiscrepancyKind, Resolution};
use crate::domain::list_filing::Filed;
use crate::domain::stock_list::{Dossier, ListLine, ListState};

/// The answer to a list that was filed, or would be.
pub fn filed(
    filed: &Filed,
    conditions: &[Unmet],
    validate_only: bool,
) -> wire::FileStockListResponse {
    let mut list = stock_list(&filed.dossier, conditions);
    if validate_only {
        list.list_number.clear();
    }
    wire::FileStockListResponse {
        stock_list: Some(list),
        skipped: filed
            .skipped
            .iter()
            .map(|(skipped, unit)| wire::SkippedLot {
                lot_id: skipped.lot_id.clone(),
                reason: skipped.reason.as_str().to_owned(),
                declared: Some(signed_quantity(skipped.declared, unit)),
            })
            .collect(),
    }
}

/// The answer to an approval.
pub fn approved(dossier: &Dossier, conditions: &[Unmet]) -> wire::ApproveStockListResponse {
    wire::ApproveStockListResponse {
        stock_list: Some(stock_list(dossier, conditions)),
    }
}

/// The answer to a void that is asked for.
pub fn voided(dossier: &Dossier, conditions: &[Unmet]) -> wire::VoidStockListResponse {
    wire::VoidStockListResponse {
        stock_list: Some(stock_list(dossier, conditions)),
    }
}

/// The answer to a short closing.
pub fn closed_short(dossier: &Dossier, conditions: &[Unmet]) -> wire::CloseStockListShortResponse {
    wire::CloseStockListShortResponse {
        stock_list: Some(stock_list(dossier, conditions)),
    }
}

/// The answer to a count.
pub fn counted(dossier: &Dossier, conditions: &[Unmet]) -> wire::RecordReceiptCountResponse {
    wire::RecordReceiptCountResponse {
        stock_list: Some(stock_list(dossier, conditions)),
        discrepancies: discrepancies(dossier),
    }
}

/// The answer to a posting that was taken back.
pub fn reversed(dossier: &Dossier, conditions: &[Unmet]) -> wire::ReversePostingResponse {
    wire::ReversePostingResponse {
        stock_list: Some(stock_list(dossier, conditions)),
    }
}

/// The answer to a discrepancy that was settled.
pub fn resolved(
    dossier: &Dossier,
    conditions: &[Unmet],
    id: Uuid,
) -> wire::ResolveDiscrepancyResponse {
    let settled = dossier.list.discrepancies.iter().find(|one| one.id == id);
    wire::ResolveDiscrepancyResponse {
        discrepancy: settled.map(|one| discrepancy(dossier.list.number.as_str(), one)),
        stock_list: Some(stock_list(dossier, conditions)),
    }
}

/// All discrepancies of a list, oldest first.
pub fn discrepancies(dossier: &Dossier) -> Vec<wire::Discrepancy> {
    let number = dossier.list.number.as_str();
    dossier
        .list
        .discrepancies
        .iter()
        .map(|one| discrepancy(number, one))
        .collect()
}

/// A discrepancy of a list.
pub fn discrepancy(list_number: &str, discrepancy: &Discrepancy) -> wire::Discrepancy {
    let difference = &discrepancy.difference;
    let settled = discrepancy.settled.as_ref();
    wire::Discrepancy {
        discrepancy_id: discrepancy.id.to_string(),
        list_number: list_number.to_owned(),
        line_number: difference.line_number,
        kind: match difference.kind {
            DiscrepancyKind::OverDelivery => wire::DiscrepancyKind::OverDelivery,
            DiscrepancyKind::UnderDelivery => wire::DiscrepancyKind::UnderDelivery,
            DiscrepancyKind::Count => wire::DiscrepancyKind::Count,
        }
        .into(),
        expected: Some(quantity_message(&difference.expected)),
        found: Some(quantity_message(&difference.found)),
        resolution: settled
            .map_or(
                wire::DiscrepancyResolution::Unspecified,
                |settled| match settled.resolution {
                    Resolution::PostPassed => wire::DiscrepancyResolution::PostPassed,
                    Resolution::PostCounted => wire::DiscrepancyResolution::PostCounted,
                    Resolution::Explained => wire::DiscrepancyResolution::Explained,
                },
            )
            .into(),
        opened_at: Some(timestamp(discrepancy.opened_at)),
        resolved_at: settled.map(|settled| timestamp(settled.at)),
        resolved_by_party: settled
            .map(|settled| settled.by_party.clone())
            .unwrap_or_default(),
        reason: settled
            .map(|settled| settled.reason.clone())
            .unwrap_or_default(),
    }
}

/// A list with what was told of it and what it waits for.
pub fn stock_list(dossier: &Dossier, conditions: &[Unmet]) -> wire::StockList {
    let list = &dossier.list;
    let declaration = dossier.declaration();
    wire::StockList {
        list_number: list.number.to_string(),
        version: list.version,
        site_id: list.site_id.clone(),
        direction: direction(list.direction).into(),
        book_number: list.book_number.to_string(),
        trader_party: list.trader_party.clone(),
        filer_party: list.filer_party.clone(),
        mandate_id: list.mandate_id.clone().unwrap_or_default(),
        declaration_lrn: list.declaration_lrn.to_string(),
        declaration_filer_party: list.declaration_filer_party.clone().unwrap_or_default(),
        declaration_id: declaration
            .map(|declaration| declaration.declaration_id.clone())
            .unwrap_or_default(),
        declaration_released_at: dossier.released_at().map(timestamp),
        state: state(list.state).into(),
        lines: list.lines.iter().map(|one| line(dossier, one)).collect(),
        passes: dossier
            .passage
            .iter()
            .flat_map(|passage| &passage.passes)
            .map(|pass| wire::StockListPass {
                pre_arrival_id: pass.pre_arrival_id.clone(),
                pass_number: pass.pass_number.clone(),
                state: pass.state.as_str().to_owned(),
                passed_at: pass.passed_at.map(timestamp),
                lines: pass
                    .lines
                    .iter()
                    .map(|(line_number, quantity)| wire::StockListPassLine {
                        line_number: *line_number,
                        quantity: Some(quantity_message(quantity)),
                    })
                    .collect(),
            })
            .collect(),
        passes_closed: dossier.closed_passage().is_some(),
        void_ask_id: match list.state {
            ListState::VoidAsked => list.void_ask_id.map(|ask| ask.to_string()),
            _ => None,
        }
        .unwrap_or_default(),
        void_too_late: list.state != ListState::VoidAsked
            && dossier
                .passage
                .as_ref()
                .is_some_and(|passage| !passage.void_ask_id.is_empty() && !passage.void_applied),
        closed_short: list.closed_short.is_some(),
        conditions: conditions.iter().map(condition_message).collect(),
        filed_at: Some(timestamp(list.filed_at)),
        posted_at: list.posted.map(|posted| timestamp(posted.at)),
        posted_effective_at: list.posted.map(|posted| timestamp(posted.effective_at)),
        reason: list.reason.clone().unwrap_or_default(),
    }
}

fn line(dossier: &Dossier, line: &ListLine) -> wire::StockListLine {
    let passed = dossier
        .passage
        .as_ref()
        .map(|passage| passage.passed_of(line.number, &line.units.declared))
        .unwrap_or_default();
    wire::StockListLine {
        line_number: line.number,
        book_line: line.book_line,
        amount: Some(amount(&line.amount, &line.units)),
        passed: Some(signed_quantity(passed, &line.units.declared)),
        counted: line
            .counted
            .map(|counted| signed_quantity(counted, &line.units.declared)),
        lots: line
            .parts
            .iter()
            .map(|part| wire::StockListLot {
                lot_id: part.lot_id.clone(),
                provisional: Some(amount(&part.provisional, &line.units)),
                actual: part
                    .actual
                    .as_ref()
                    .map(|(posted, _)| amount(posted, &line.units)),
            })
            .collect(),
    }
}

fn direction(direction: Direction) -> wire::StockListDirection {
    match direction {
        Direction::In => wire::StockListDirection::Increase,
        Direction::Out => wire::StockListDirection::Decrease,
    }
}

fn state(state: ListState) -> wire::StockListState {
    match state {
        ListState::Filed => wire::StockListState::Filed,
        ListState::Approved => wire::StockListState::Approved,
        ListState::Reserved => wire::StockListState::Reserved,
        ListState::VoidAsked => wire::StockListState::VoidAsked,
        ListState::Voided => wire::StockListState::Voided,
        ListState::Posted => wire::StockListState::Posted,
        ListState::Reversed => wire::StockListState::Reversed,
    }
}
