//! Customs' words as the messages of its API. It must not decide anything; what a caller may see was settled
//! before.

use chassis::convert::{condition_message, fault_message, money_message, timestamp};
use kernel::{Fault, Unmet};
use prost::Message;
use proto::common::v1 as common;
use proto::customs::v1 as wire;

use crate::domain::account::Account;
use crate::domain::debt::DebtState;
use crate::domain::declaration::{
    Control, ControlResult, Declaration, ExitState, FactKind, Status,
};
use crate::domain::duty::Assessment;
use crate::domain::guarantee::Guarantee;
use crate::domain::hold::{Hold, HoldKind, ScopeKind};
use crate::domain::matching::{Consignment, Matching};
use crate::domain::notification::{Notification, TaxStatement};
use crate::domain::party::{Action, Mandate, Party};
use crate::domain::risk::{Channel, ControlKind};
use crate::store::queries::{EntryRow, HistoryRow};

/// The answer to a filing.
pub fn filing(declaration: &Declaration, dry_run: bool) -> wire::Filing {
    let status = declaration.status();
    let outcome = match status {
        Status::Rejected => wire::FilingOutcome::Rejected,
        Status::Registered => wire::FilingOutcome::Registered,
        Status::Accepted
        | Status::UnderControl
        | Status::Released
        | Status::Cleared
        | Status::Detained
        | Status::Invalidated => wire::FilingOutcome::Accepted,
    };
    let shown = |text: String| if dry_run { String::new() } else { text };
    wire::Filing {
        outcome: outcome.into(),
        declaration_id: shown(declaration.id.to_string()),
        mrn: shown(
            declaration
                .mrn
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
        filing_version: 1,
        lrn: declaration.filing.lrn.clone(),
        type_code: declaration.filing.type_code.clone(),
        items: u32::try_from(declaration.filing.items.len()).unwrap_or(u32::MAX),
        containers: declaration.filing.containers.clone(),
        faults: declaration.faults.iter().map(fault).collect(),
        warnings: declaration.warnings.iter().map(fault).collect(),
        unsupported_kind: String::new(),
        unreadable: None,
        duty: duty_of(declaration),
        debt: debt_state(declaration.debt.state()).into(),
        validated_only: dry_run,
        status: status_message(status).into(),
        answered_before: false,
    }
}

/// A declaration as customs keeps it, without history and document.
pub fn declaration_record(
    declaration: &Declaration,
    conditions: &[Unmet],
    holds: &[Hold],
) -> wire::DeclarationRecord {
    let filing = &declaration.filing;
    wire::DeclarationRecord {
        declaration_id: declaration.id.to_string(),
        version: declaration.version,
        filing_version: declaration.filing_version(),
        mrn: declaration
            .mrn
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        lrn: filing.lrn.clone(),
        type_code: filing.type_code.clone(),
        procedure_kind: filing.procedure_kind().name().to_owned(),
        direction: declaration.direction_name().to_owned(),
        filer_party: declaration.filer.clone(),
        trader_party: declaration.trader.clone().unwrap_or_default(),
        payer_party: declaration.payer.clone().unwrap_or_default(),
        status: status_message(declaration.status()).into(),
        debt: debt_state(declaration.debt.state()).into(),
        duty: duty_of(declaration),
        channel: declaration
            .channel
            .map_or(wire::Channel::Unspecified, channel)
            .into(),
        risk_rules: declaration.risk_rules.clone(),
        risk_version: declaration.risk_version.clone(),
        controls: declaration.controls.iter().map(control).collect(),
        consignments: declaration.consignments.iter().map(consignment).collect(),
        faults: declaration.faults.iter().map(fault).collect(),
        warnings: declaration.warnings.iter().map(fault).collect(),
        holds: holds.iter().map(hold).collect(),
        conditions: conditions.iter().map(condition_message).collect(),
        filed_at: declaration.facts.when(FactKind::Filed).map(timestamp),
        accepted_at: declaration.accepted_at().map(timestamp),
        cleared_at: declaration.facts.when(FactKind::Cleared).map(timestamp),
        history: Vec::new(),
        declaration: None,
        containers: containers(declaration),
        transport_documents: filing
            .transport_documents()
            .iter()
            .map(ToString::to_string)
            .collect(),
        items: u32::try_from(filing.items.len()).unwrap_or(u32::MAX),
        exit: declaration
            .exit()
            .map_or(wire::ExitState::Unspecified, exit_state)
            .into(),
        invalidation_asked: declaration.invalidation.is_some(),
        stock_lists: stock_lists(declaration),
        mandate_ids: declaration
            .mandates
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

/// The stock lists that it names, whatever its procedure.
pub fn stock_lists(declaration: &Declaration) -> Vec<String> {
    declaration
        .filing
        .stock_lists()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The answer of every command that answers with the declaration alone: their messages are alike.
pub fn declaration_answer(record: &wire::DeclarationRecord) -> Vec<u8> {
    wire::PresentGoodsResponse {
        declaration: Some(record.clone()),
    }
    .encode_to_vec()
}

/// An entry of a history.
pub fn history_entry(row: HistoryRow) -> wire::DeclarationHistoryEntry {
    wire::DeclarationHistoryEntry {
        fact: row.fact,
        observed_at: Some(timestamp(row.observed_at)),
        recorded_at: Some(timestamp(row.recorded_at)),
        by_party: row.by_party,
        by_subject: row.by_subject,
        detail: row.detail,
    }
}

/// The containers that can be bound, normalised.
pub fn containers(declaration: &Declaration) -> Vec<String> {
    declaration
        .filing
        .usable_containers()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// A hold.
pub fn hold(hold: &Hold) -> common::Hold {
    let scope_kind = match hold.scope.kind {
        ScopeKind::ContainerVisit => common::HoldScopeKind::ContainerVisit,
        ScopeKind::Declaration => common::HoldScopeKind::Declaration,
        ScopeKind::StockList => common::HoldScopeKind::StockList,
        ScopeKind::Plate => common::HoldScopeKind::Plate,
        ScopeKind::Party => common::HoldScopeKind::Party,
    };
    let kind = match hold.kind {
        HoldKind::Customs => common::HoldKind::Customs,
        HoldKind::Quarantine => common::HoldKind::Quarantine,
    };
    let lifted = hold.lifted.as_ref();
    common::Hold {
        hold_id: hold.hold_id.to_string(),
        scope: Some(common::HoldScope {
            kind: scope_kind.into(),
            key: hold.scope.key.clone(),
        }),
        kind: kind.into(),
        placed_by_party: hold.placed_by_party.clone(),
        placed_by_subject: hold.placed_by_subject.clone(),
        reason: hold.reason.clone(),
        placed_at: Some(timestamp(hold.placed_at)),
        lifted_at: lifted.map(|lifted| timestamp(lifted.at)),
        lifted_by_subject: lifted
            .map(|lifted| lifted.by_subject.clone())
            .unwrap_or_default(),
        lift_reason: lifted
            .map(|lifted| lifted.reason.clone())
            .unwrap_or_default(),
    }
}

/// An account with entries.
pub fn account(account: &Account, entries: Vec<wire::AccountEntry>) -> wire::Account {
    wire::Account {
        payer_party: account.payer.clone(),
        balance: Some(money_message(&account.balance)),
        secured: Some(money_message(&account.secured)),
        available: Some(money_message(&account.available())),
        version: account.version,
        entries,
    }
}

/// A guarantee.
pub fn guarantee(guarantee: &Guarantee) -> wire::TraderGuarantee {
    wire::TraderGuarantee {
        trader_party: guarantee.trader.clone(),
        version: guarantee.version,
        amount: Some(money_message(&guarantee.amount)),
        in_use: Some(money_message(&guarantee.in_use)),
        available: Some(money_message(&guarantee.available())),
    }
}

/// An entry of an account in this currency.
pub fn account_entry(row: EntryRow, currency: &kernel::Currency) -> wire::AccountEntry {
    wire::AccountEntry {
        number: u64::try_from(row.number).unwrap_or_default(),
        kind: row.kind,
        amount: kernel::Money::new(row.amount, currency.clone())
            .ok()
            .as_ref()
            .map(money_message),
        declaration_id: row
            .declaration_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        reference: row.reference,
        recorded_at: Some(timestamp(row.recorded_at)),
    }
}

/// A party; its identifiers are for itself and for officers.
pub fn party(party: &Party, with_identifiers: bool) -> wire::RegisteredParty {
    let identifiers = party.identifiers.iter().filter(|_| with_identifiers);
    wire::RegisteredParty {
        party_id: party.party_id.clone(),
        version: party.version,
        name: party.name.clone(),
        roles: party.roles.clone(),
        identifiers: identifiers
            .map(|identifier| wire::RegisteredIdentifier {
                scheme: identifier.scheme.clone(),
                value: identifier.value.clone(),
            })
            .collect(),
        suspended: party.suspended,
    }
}

/// A mandate.
pub fn mandate(mandate: &Mandate) -> wire::Mandate {
    let action = |action: &Action| match action {
        Action::FileDeclaration => wire::MandateAction::FileDeclaration,
        Action::FileStockList => wire::MandateAction::FileStockList,
        Action::Carry => wire::MandateAction::Carry,
    };
    wire::Mandate {
        mandate_id: mandate.mandate_id.to_string(),
        version: mandate.version,
        grantor_party: mandate.grantor.clone(),
        agent_party: mandate.agent.clone(),
        actions: mandate
            .actions
            .iter()
            .map(|known| action(known).into())
            .collect(),
        valid_from: Some(timestamp(mandate.valid_from)),
        valid_until: mandate.valid_until.map(timestamp),
        revoked_at: mandate.revoked_at.map(timestamp),
        goods: mandate.goods.clone(),
        containers: mandate.containers.iter().map(ToString::to_string).collect(),
        may_be_passed_on: mandate.may_be_passed_on.into(),
        passed_on_by_party: mandate.passed_on_by.clone().unwrap_or_default(),
        passed_on_from: mandate
            .chain
            .last()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

/// A notification; its number is the cursor that resumes after it.
pub fn notification(sequence: u64, notification: &Notification) -> wire::Notification {
    let detail = &notification.detail;
    wire::Notification {
        cursor: sequence.to_string(),
        declaration_id: notification.declaration_id.to_string(),
        mrn: notification.mrn.clone(),
        lrn: notification.lrn.clone(),
        // The API's codes are numbered as brokers know them.
        code: i32::from(notification.code.number()),
        name: notification.code.name().to_owned(),
        issued_at: Some(timestamp(notification.issued_at)),
        filing_version: notification.filing_version,
        faults: detail.faults.iter().map(fault).collect(),
        duty: detail.duty.as_ref().map(tax_statement),
        control_id: detail
            .control_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        text: detail.text.clone(),
    }
}

/// A fault or warning with its WCO pointer, whoever found it.
fn fault(found: &Fault) -> common::Fault {
    let mut message = fault_message(found);
    if message.pointer.is_empty() {
        message.pointer = wco::Pointer::of_path(&found.path)
            .map(|pointer| pointer.to_string())
            .unwrap_or_default();
    }
    message
}

/// Where a debt stands.
pub fn debt_state(state: DebtState) -> wire::DebtState {
    match state {
        DebtState::None => wire::DebtState::None,
        DebtState::Indicated => wire::DebtState::Indicated,
        DebtState::Assessed => wire::DebtState::Assessed,
        DebtState::Secured => wire::DebtState::Secured,
        DebtState::Paid => wire::DebtState::Paid,
        DebtState::Suspended => wire::DebtState::Suspended,
        DebtState::Short => wire::DebtState::Short,
    }
}

/// The name of a channel in events.
pub fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Green => "GREEN",
        Channel::Blue => "BLUE",
        Channel::Yellow => "YELLOW",
        Channel::Red => "RED",
    }
}

fn status_message(status: Status) -> wire::DeclarationStatus {
    match status {
        Status::Rejected => wire::DeclarationStatus::Rejected,
        Status::Registered => wire::DeclarationStatus::Registered,
        Status::Accepted => wire::DeclarationStatus::Accepted,
        Status::UnderControl => wire::DeclarationStatus::UnderControl,
        Status::Released => wire::DeclarationStatus::Released,
        Status::Cleared => wire::DeclarationStatus::Cleared,
        Status::Detained => wire::DeclarationStatus::Detained,
        Status::Invalidated => wire::DeclarationStatus::Invalidated,
    }
}

fn exit_state(exit: ExitState) -> wire::ExitState {
    match exit {
        ExitState::None => wire::ExitState::None,
        ExitState::Exited => wire::ExitState::Exited,
        ExitState::Overdue => wire::ExitState::Overdue,
    }
}

fn channel(channel: Channel) -> wire::Channel {
    match channel {
        Channel::Green => wire::Channel::Green,
        Channel::Blue => wire::Channel::Blue,
        Channel::Yellow => wire::Channel::Yellow,
        Channel::Red => wire::Channel::Red,
    }
}

fn control(control: &Control) -> wire::Control {
    let kind = match control.kind {
        ControlKind::Documents => wire::ControlKind::Documents,
        ControlKind::Physical => wire::ControlKind::Physical,
        ControlKind::Agency => wire::ControlKind::Agency,
    };
    let done = control.done.as_ref();
    let result = done.map_or(wire::ControlResult::Unspecified, |done| match done.result {
        ControlResult::Conform => wire::ControlResult::Conform,
        ControlResult::NotConform => wire::ControlResult::NotConform,
        ControlResult::Withdrawn => wire::ControlResult::Withdrawn,
    });
    wire::Control {
        control_id: control.id.to_string(),
        kind: kind.into(),
        blocking: control.blocking,
        ordered_by: control
            .ordered_by
            .as_ref()
            .map(|by| by.party.clone())
            .unwrap_or_default(),
        reason: control.reason.clone(),
        opened_at: Some(timestamp(control.opened_at)),
        done_at: done.map(|done| timestamp(done.act.at)),
        result: result.into(),
        done_by: done
            .map(|done| done.act.by.party.clone())
            .unwrap_or_default(),
        note: done.map(|done| done.act.reason.clone()).unwrap_or_default(),
    }
}

fn consignment(consignment: &Consignment) -> wire::Consignment {
    let matching = match consignment.matching {
        Matching::NotAsked(_) => wire::MatchState::NotAsked,
        Matching::Unbound(_) => wire::MatchState::Unbound,
        Matching::Mismatch(_) => wire::MatchState::Mismatch,
        Matching::Matched => wire::MatchState::Matched,
        Matching::Overridden => wire::MatchState::Overridden,
    };
    wire::Consignment {
        clearance_key: consignment.clearance_key().unwrap_or_default(),
        container_number: consignment
            .container
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        transport_document: consignment
            .transport_document
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        container_visit_id: consignment.visit_id.clone().unwrap_or_default(),
        r#match: matching.into(),
        match_reason: consignment
            .matching
            .obstacle()
            .map(|obstacle| obstacle.name().to_owned())
            .unwrap_or_default(),
        arrived_at: consignment.arrived_at.map(timestamp),
        released_at: consignment.released_at.map(timestamp),
    }
}

fn duty_of(declaration: &Declaration) -> Option<wire::DutyStatement> {
    let debt = &declaration.debt;
    debt.duty().map(|assessment| wire::DutyStatement {
        // What was reckoned stays to be read when nothing of it is owed any more.
        total_payable: debt.payable().map(money_message),
        ..duty_statement(
            assessment,
            debt.assessed.is_none(),
            debt.final_since.is_some(),
        )
    })
}

fn tax_statement(statement: &TaxStatement) -> wire::DutyStatement {
    duty_statement(
        &statement.assessment,
        statement.indicated,
        statement.is_final,
    )
}

fn duty_statement(assessment: &Assessment, indicated: bool, is_final: bool) -> wire::DutyStatement {
    wire::DutyStatement {
        lines: assessment
            .lines
            .iter()
            .map(|line| wire::DutyLine {
                item: line.item,
                tax_type: line.tax_type.clone(),
                base: Some(money_message(&line.base)),
                rate_percent: line
                    .rate_percent
                    .map(|rate| rate.to_string())
                    .unwrap_or_default(),
                assessed: Some(money_message(&line.assessed)),
                deducted: Some(money_message(&line.deducted)),
                payable: Some(money_message(&line.payable)),
                basis: line.basis.clone(),
            })
            .collect(),
        total_payable: Some(money_message(&assessment.total_payable)),
        indicated,
        r#final: is_final,
        suspended: assessment.is_suspended(),
        manual_items: assessment
            .manual_items
            .iter()
            .map(|(item, reason)| wire::ManualItem {
                item: *item,
                reason: reason.to_string(),
            })
            .collect(),
        tariff_version: assessment.tariff_version.clone(),
        rates_version: assessment.rates_version.clone(),
    }
}
