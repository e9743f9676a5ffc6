//! Requests read into commands: every field judged, every fault with its path. It must not decide anything
//! that depends on what customs holds.

use chassis::{Caller, Role, convert};
use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, Fault, Refusal, Text, TransportDocumentNumber};
use proto::common::v1 as common;
use proto::customs::v1 as wire;
use uuid::Uuid;

use crate::app::{DeclarationCommand, Target};
use crate::domain::Actor;
use crate::domain::debt::ManualDuty;
use crate::domain::declaration::ControlResult;
use crate::domain::hold::{HoldKind, REASON_CHARS_MAX, Scope, ScopeKind};
use crate::domain::party::{Action, GrantMandate, IDENTIFIERS_MAX, Identifier, Party, PutParty};
use crate::domain::risk::{Channel, ControlKind, ControlOrder};
use crate::domain::visit::container_of;
use crate::store::queries::Reader;

/// The longest reference of a payment, in characters.
const REFERENCE_CHARS_MAX: usize = 140;
/// The longest key of a hold's scope, in characters.
const SCOPE_KEY_CHARS_MAX: usize = 64;
/// The most duties that an officer assesses at once: two tax types on every item.
const MANUAL_DUTIES_MAX: usize = 1_998;

/// Who acts.
pub fn actor(caller: &Caller) -> Actor {
    Actor {
        party: caller.party.clone(),
        subject: caller.subject.clone(),
    }
}

/// Who reads.
pub fn reader(caller: &Caller) -> Reader {
    Reader {
        party: caller.party.clone(),
        sees_all: caller.is(Role::Officer) || caller.is(Role::Admin),
    }
}

/// A command about a declaration.
pub fn declaration_command(
    caller: &Caller,
    declaration_id: &str,
    expected_version: u64,
    reason: &str,
) -> Result<DeclarationCommand, Refusal> {
    Ok(DeclarationCommand {
        actor: actor(caller),
        officer: caller.is(Role::Officer),
        declaration_id: id("declaration", "declaration_id", declaration_id)?,
        expected_version,
        reason: reason_of(reason)?,
    })
}

/// A reason: every act of an officer has one.
pub fn reason_of(written: &str) -> Result<String, Refusal> {
    Text::parse(written, REASON_CHARS_MAX).map_err(|error| {
        one(
            "CUSTOMS_REQUEST_INVALID",
            "reason",
            written,
            "rule 12",
            &error.to_string(),
        )
    })
}

/// An id of ours. What is none names nothing.
pub fn id(what: &str, path: &str, written: &str) -> Result<Uuid, Refusal> {
    Uuid::parse_str(written).map_err(|_| {
        Refusal::not_found(what, written).with_fault(Fault::new(
            "NOT_FOUND",
            path,
            written,
            "ids",
            "Give the id as customs gave it.",
        ))
    })
}

/// The party that is named, or the caller's own. What is no party's id names nobody.
pub fn party(caller: &Caller, written: &str) -> Result<String, Refusal> {
    const PARTY_ID_CHARS_MAX: usize = 64;
    if written.is_empty() {
        return Ok(caller.party.clone());
    }
    let sound = written.len() <= PARTY_ID_CHARS_MAX
        && written
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if sound {
        Ok(written.to_owned())
    } else {
        Err(Refusal::not_found("party", written))
    }
}

/// A text to look for: without spaces around it, and without the one character that no row can hold.
pub fn looked_for(written: &str) -> Option<String> {
    let text = written.trim().replace('\0', "\u{fffd}");
    (!text.is_empty()).then_some(text)
}

/// A transport document, or none.
pub fn transport_document(
    path: &str,
    written: &str,
) -> Result<Option<TransportDocumentNumber>, Refusal> {
    if written.trim().is_empty() {
        return Ok(None);
    }
    TransportDocumentNumber::parse(written)
        .map(Some)
        .map_err(|error| {
            one(
                "CUSTOMS_REQUEST_INVALID",
                path,
                written,
                "transport documents",
                &error.to_string(),
            )
        })
}

/// A container visit's id with its container.
pub fn visit(path: &str, written: &str) -> Result<(String, ContainerNumber), Refusal> {
    match container_of(written) {
        Some(container) => Ok((written.to_owned(), container)),
        None => Err(one(
            "CUSTOMS_REQUEST_INVALID",
            path,
            written,
            "container visits",
            "Give the visit's id as gate gave it: SITE/CONTAINER/ORDINAL.",
        )),
    }
}

/// A control to be ordered.
pub fn control_order(request: &wire::OpenControlRequest) -> Result<ControlOrder, Refusal> {
    let kind = match request.kind() {
        wire::ControlKind::Documents => ControlKind::Documents,
        wire::ControlKind::Physical => ControlKind::Physical,
        wire::ControlKind::Agency => ControlKind::Agency,
        wire::ControlKind::Unspecified => return Err(unspecified("kind", request.kind)),
    };
    Ok(ControlOrder {
        kind,
        blocking: request.blocking,
    })
}

/// What a control found.
pub fn control_result(request: &wire::CompleteControlRequest) -> Result<ControlResult, Refusal> {
    match request.result() {
        wire::ControlResult::Conform => Ok(ControlResult::Conform),
        wire::ControlResult::NotConform => Ok(ControlResult::NotConform),
        wire::ControlResult::Withdrawn => Ok(ControlResult::Withdrawn),
        wire::ControlResult::Unspecified => Err(unspecified("result", request.result)),
    }
}

/// A channel.
pub fn channel(request: &wire::RerouteDeclarationRequest) -> Result<Channel, Refusal> {
    match request.channel() {
        wire::Channel::Green => Ok(Channel::Green),
        wire::Channel::Yellow => Ok(Channel::Yellow),
        wire::Channel::Red => Ok(Channel::Red),
        wire::Channel::Blue => Ok(Channel::Blue),
        wire::Channel::Unspecified => Err(unspecified("channel", request.channel)),
    }
}

/// An officer's assessments.
pub fn manual_duties(written: &[wire::ManualDuty]) -> Result<Vec<ManualDuty>, Refusal> {
    if written.len() > MANUAL_DUTIES_MAX {
        return Err(one(
            "CUSTOMS_REQUEST_INVALID",
            "manual_duties",
            "",
            "limits",
            "Assess at most two tax types on every item.",
        ));
    }
    let read = written.iter().enumerate().map(|(index, duty)| {
        let path = format!("manual_duties[{index}]");
        let tax_type = duty.tax_type.trim();
        if tax_type.len() != 3 || !tax_type.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(one(
                "CUSTOMS_REQUEST_INVALID",
                &format!("{path}.tax_type"),
                tax_type,
                "DE 4/3",
                "A tax type is three letters or digits: A00, B00.",
            ));
        }
        let payable = convert::money(&format!("{path}.payable"), duty.payable.as_ref())
            .map_err(convert::refusal_of)?;
        Ok(ManualDuty {
            item: duty.item,
            tax_type: tax_type.to_ascii_uppercase(),
            payable,
        })
    });
    read.collect()
}

/// What is to be held.
pub fn target(scope: Option<&common::HoldScope>) -> Result<Target, Refusal> {
    let Some(scope) = scope else {
        return Err(one(
            "CUSTOMS_REQUEST_INVALID",
            "scope",
            "",
            "required",
            "Say what is to be held.",
        ));
    };
    let other = |kind| {
        let key = Text::parse(&scope.key, SCOPE_KEY_CHARS_MAX).map_err(|error| {
            one(
                "CUSTOMS_REQUEST_INVALID",
                "scope.key",
                &scope.key,
                "scopes",
                &error.to_string(),
            )
        })?;
        Ok(Target::Other(Scope::new(kind, key)))
    };
    match scope.kind() {
        common::HoldScopeKind::ContainerVisit => {
            match (container_of(&scope.key), ContainerNumber::parse(&scope.key)) {
                (Some(container), _) => Ok(Target::Visit(scope.key.clone(), container)),
                (None, Ok(container)) => Ok(Target::Container(container)),
                (None, Err(error)) => Err(one(
                    "CUSTOMS_REQUEST_INVALID",
                    "scope.key",
                    &scope.key,
                    "ISO 6346",
                    &error.to_string(),
                )),
            }
        }
        common::HoldScopeKind::Declaration => Ok(Target::Declaration(id(
            "declaration",
            "scope.key",
            &scope.key,
        )?)),
        common::HoldScopeKind::StockList => other(ScopeKind::StockList),
        common::HoldScopeKind::Plate => other(ScopeKind::Plate),
        common::HoldScopeKind::Party => other(ScopeKind::Party),
        common::HoldScopeKind::Unspecified => Err(unspecified("scope.kind", scope.kind)),
    }
}

/// The kind of a hold; only customs' and quarantine's live here.
pub fn hold_kind(request: &wire::PlaceHoldRequest) -> Result<HoldKind, Refusal> {
    match request.kind() {
        common::HoldKind::Customs => Ok(HoldKind::Customs),
        common::HoldKind::Quarantine => Ok(HoldKind::Quarantine),
        _ => Err(one(
            "CUSTOMS_REQUEST_INVALID",
            "kind",
            &request.kind.to_string(),
            "holds",
            "Customs places CUSTOMS and QUARANTINE holds; others live in gate and release.",
        )),
    }
}

/// A reference of a payment.
pub fn payment_reference(written: &str) -> Result<String, Refusal> {
    Text::parse(written, REFERENCE_CHARS_MAX).map_err(|error| {
        one(
            "CUSTOMS_REQUEST_INVALID",
            "reference",
            written,
            "payments",
            &error.to_string(),
        )
    })
}

/// A party to be entered.
pub fn put_party(request: &wire::PutPartyRequest) -> Result<PutParty, Refusal> {
    let Some(party) = &request.party else {
        return Err(one(
            "PARTY_INVALID",
            "party",
            "",
            "required",
            "Say which party.",
        ));
    };
    let mut faults = Vec::new();
    let mut identifiers = Vec::new();
    for (index, written) in party
        .identifiers
        .iter()
        .take(IDENTIFIERS_MAX + 1)
        .enumerate()
    {
        match Identifier::parse(&written.scheme, &written.value) {
            Ok(identifier) => identifiers.push(identifier),
            Err(error) => faults.push(Fault::new(
                "PARTY_INVALID",
                format!("party.identifiers[{index}]"),
                &written.value,
                &written.scheme,
                error,
            )),
        }
    }
    if !faults.is_empty() {
        return Err(Refusal::invalid(
            "PARTY_INVALID",
            "The party cannot be entered; correct the faults.",
        )
        .with_faults(faults));
    }
    let party = Party {
        party_id: party.party_id.trim().to_owned(),
        version: 0,
        name: party.name.trim().to_owned(),
        roles: party.roles.clone(),
        identifiers,
        suspended: party.suspended,
    };
    Ok(PutParty {
        party,
        expected_version: request.expected_version,
    })
}

/// A mandate to be given. Only an officer gives one in another party's name.
pub fn grant_mandate(
    caller: &Caller,
    request: &wire::GrantMandateRequest,
) -> Result<GrantMandate, Refusal> {
    let giver = party(caller, &request.grantor_party)?;
    if giver != caller.party && !caller.is(Role::Officer) {
        return Err(Refusal::denied(
            "MANDATE_NOT_YOURS",
            "Only the party itself or an officer gives its mandates; leave grantor_party empty.",
        ));
    }
    let actions: Result<Vec<Action>, Refusal> = request
        .actions()
        .zip(&request.actions)
        .map(|(action, number)| match action {
            wire::MandateAction::FileDeclaration => Ok(Action::FileDeclaration),
            wire::MandateAction::FileStockList => Ok(Action::FileStockList),
            wire::MandateAction::Carry => Ok(Action::Carry),
            wire::MandateAction::Unspecified => Err(unspecified("actions", *number)),
        })
        .collect();
    let passed_on_from = match request.passed_on_from.as_str() {
        "" => None,
        written => Some(id("mandate", "passed_on_from", written)?),
    };
    Ok(GrantMandate {
        giver,
        passed_on_from,
        goods: request.goods.clone(),
        containers: request.containers.clone(),
        may_be_passed_on: request.may_be_passed_on,
        agent: party(caller, &request.agent_party)?,
        actions: actions?,
        valid_from: optional_time("valid_from", request.valid_from.as_ref())?,
        valid_until: optional_time("valid_until", request.valid_until.as_ref())?,
    })
}

/// A time that may be left out.
pub fn optional_time(
    path: &str,
    written: Option<&prost_types::Timestamp>,
) -> Result<Option<DateTime<Utc>>, Refusal> {
    convert::optional_time(path, written).map_err(convert::refusal_of)
}

/// A command with one fault.
pub fn one(reason: &str, path: &str, value: &str, rule: &str, text: &str) -> Refusal {
    Refusal::invalid(reason, format!("{path}: {text}"))
        .with_fault(Fault::new(reason, path, value, rule, text))
}

fn unspecified(path: &str, number: i32) -> Refusal {
    one(
        "CUSTOMS_REQUEST_INVALID",
        path,
        &number.to_string(),
        "required",
        "Choose one of the values that the API names.",
    )
}
