//! Customs' facts as the public events that others read.

use chassis::convert::{condition_message, money_message, timestamp};
use chrono::{DateTime, Utc};
use fabric::Fact;
use prost::Message;
use proto::common::v1 as common;
use proto::customs::events::v1 as wire;

use crate::domain;
use crate::domain::clearance::Clearance;
use crate::domain::declaration::{Ask, AskedAbout, Declaration, Happening};
use crate::domain::hold::Hold;
use crate::domain::party::{Mandate, Party};
use crate::grpc::response;

/// A fact about a declaration; none for what is not told (a rejection concerns its filer alone).
pub fn declaration(
    declaration: &Declaration,
    happening: &Happening,
    now: DateTime<Utc>,
) -> Option<Fact> {
    use domain::declaration::Fact as Known;
    let (fact, event_type) = match happening.fact {
        Known::Rejected => return None,
        Known::Registered => (
            wire::DeclarationFact::Registered,
            "greenlane.customs.declaration.registered",
        ),
        Known::Matched => (
            wire::DeclarationFact::Matched,
            "greenlane.customs.declaration.matched",
        ),
        Known::Mismatched => (
            wire::DeclarationFact::Mismatched,
            "greenlane.customs.declaration.mismatched",
        ),
        Known::MatchOverridden => (
            wire::DeclarationFact::MatchOverridden,
            "greenlane.customs.declaration.match-overridden",
        ),
        Known::Accepted => (
            wire::DeclarationFact::Accepted,
            "greenlane.customs.declaration.accepted",
        ),
        Known::Routed => (
            wire::DeclarationFact::Routed,
            "greenlane.customs.declaration.routed",
        ),
        Known::ControlOpened => (
            wire::DeclarationFact::ControlOpened,
            "greenlane.customs.declaration.control-opened",
        ),
        Known::ControlDone => (
            wire::DeclarationFact::ControlDone,
            "greenlane.customs.declaration.control-done",
        ),
        Known::Debt => (
            wire::DeclarationFact::Debt,
            "greenlane.customs.declaration.debt",
        ),
        Known::Released => (
            wire::DeclarationFact::Released,
            "greenlane.customs.declaration.released",
        ),
        Known::Cleared => (
            wire::DeclarationFact::Cleared,
            "greenlane.customs.declaration.cleared",
        ),
        Known::Exited => (
            wire::DeclarationFact::Exited,
            "greenlane.customs.declaration.exited",
        ),
        Known::ExitOverdue => (
            wire::DeclarationFact::ExitOverdue,
            "greenlane.customs.declaration.exit-overdue",
        ),
        Known::Detained => (
            wire::DeclarationFact::Detained,
            "greenlane.customs.declaration.detained",
        ),
        Known::DetentionEnded => (
            wire::DeclarationFact::DetentionEnded,
            "greenlane.customs.declaration.detention-ended",
        ),
        Known::InvalidationAsked => (
            wire::DeclarationFact::InvalidationAsked,
            "greenlane.customs.declaration.invalidation-asked",
        ),
        Known::Invalidated => (
            wire::DeclarationFact::Invalidated,
            "greenlane.customs.declaration.invalidated",
        ),
        Known::InvalidationTooLate => (
            wire::DeclarationFact::InvalidationTooLate,
            "greenlane.customs.declaration.invalidation-too-late",
        ),
    };
    let filing = &declaration.filing;
    let state = wire::DeclarationState {
        declaration_id: declaration.id.to_string(),
        version: happening.version,
        mrn: declaration
            .mrn
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        lrn: filing.lrn.clone(),
        type_code: filing.type_code.clone(),
        procedure_kind: filing.procedure_kind().name().to_owned(),
        filer_party: declaration.filer.clone(),
        trader_party: declaration.trader.clone().unwrap_or_default(),
        state: happening.status.name().to_owned(),
        debt: happening.debt.name().to_owned(),
        containers: response::containers(declaration),
        transport_documents: filing
            .transport_documents()
            .iter()
            .map(ToString::to_string)
            .collect(),
        filing_version: happening.filing_version,
        channel: happening
            .channel
            .map(|channel| response::channel_name(channel).to_owned())
            .unwrap_or_default(),
        payable: declaration.debt.payable().map(money_message),
        stock_lists: response::stock_lists(declaration),
        exit: happening
            .exit
            .map(|exit| exit.name().to_owned())
            .unwrap_or_default(),
        invalidation_asks: happening.asks.iter().map(ask).collect(),
        site_id: declaration
            .site
            .as_ref()
            .map(|site| site.site_id.clone())
            .unwrap_or_default(),
    };
    let event = wire::DeclarationEvent {
        fact: fact.into(),
        observed_at: Some(timestamp(happening.observed_at)),
        recorded_at: Some(timestamp(now)),
        recorded_by_party: happening
            .by
            .as_ref()
            .map(|by| by.party.clone())
            .unwrap_or_default(),
        declaration: Some(state),
        detail: happening.detail.clone(),
    };
    Some(Fact {
        topic: "customs.declaration",
        key: declaration.id.to_string(),
        event_type,
        payload: event.encode_to_vec(),
    })
}

fn ask(ask: &Ask) -> wire::InvalidationAsk {
    let (visit_id, list) = match &ask.about {
        AskedAbout::Visit(visit_id) => (visit_id.clone(), String::new()),
        AskedAbout::List(list) => (String::new(), list.to_string()),
    };
    wire::InvalidationAsk {
        ask_id: ask.id.to_string(),
        container_visit_id: visit_id,
        list_number: list,
    }
}

/// What customs says under a key.
pub fn clearance(key: &str, clearance: &Clearance, now: DateTime<Utc>) -> Fact {
    let consignments = clearance
        .positions
        .iter()
        .map(
            |((declaration_id, document), position)| wire::ConsignmentClearance {
                declaration_id: declaration_id.to_string(),
                mrn: position.mrn.clone(),
                container_visit_id: position.visit_id.clone(),
                transport_document: document.clone(),
                unbound_because: position.unbound_because.clone(),
                released: position.released,
                cleared: position.cleared,
                inspection_required: inspection(position.inspection).into(),
                conditions: position.conditions.iter().map(condition_message).collect(),
                filer_party: position.filer.clone(),
                trader_party: position.trader.clone(),
                declaration_version: position.declaration_version,
                direction: position.direction.clone(),
            },
        )
        .collect();
    let event = wire::ClearanceEvent {
        key: key.to_owned(),
        version: clearance.version,
        recorded_at: Some(timestamp(now)),
        consignments,
    };
    Fact {
        topic: "customs.clearance",
        key: key.to_owned(),
        event_type: "greenlane.customs.clearance.changed",
        payload: event.encode_to_vec(),
    }
}

fn inspection(asked: Option<bool>) -> common::InspectionRequired {
    match asked {
        None => common::InspectionRequired::Unknown,
        Some(false) => common::InspectionRequired::No,
        Some(true) => common::InspectionRequired::Yes,
    }
}

/// A hold that was placed or lifted.
pub fn hold(hold: &Hold, now: DateTime<Utc>) -> Fact {
    let (fact, event_type, at) = match &hold.lifted {
        None => (
            common::HoldFact::Placed,
            "greenlane.customs.hold.placed",
            hold.placed_at,
        ),
        Some(lifted) => (
            common::HoldFact::Lifted,
            "greenlane.customs.hold.lifted",
            lifted.at,
        ),
    };
    let event = common::HoldEvent {
        fact: fact.into(),
        hold: Some(response::hold(hold)),
        observed_at: Some(timestamp(at)),
        recorded_at: Some(timestamp(now)),
    };
    Fact {
        topic: "customs.hold",
        key: hold.scope.topic_key(),
        event_type,
        payload: event.encode_to_vec(),
    }
}

/// A party as it now is.
pub fn party(party: &Party, now: DateTime<Utc>) -> Fact {
    let identifiers = party
        .identifiers
        .iter()
        .map(|identifier| wire::PartyIdentifier {
            scheme: identifier.scheme.clone(),
            value: identifier.value.clone(),
        });
    let fact = wire::party_event::Fact::Party(wire::Party {
        party_id: party.party_id.clone(),
        version: party.version,
        name: party.name.clone(),
        roles: party.roles.clone(),
        identifiers: identifiers.collect(),
        suspended: party.suspended,
    });
    party_fact(
        &party.party_id,
        "greenlane.customs.party.changed",
        fact,
        now,
    )
}

/// A mandate as it now is.
pub fn mandate(mandate: &Mandate, now: DateTime<Utc>) -> Fact {
    let event_type = if mandate.revoked_at.is_some() {
        "greenlane.customs.party.mandate-revoked"
    } else {
        "greenlane.customs.party.mandate-granted"
    };
    let fact = wire::party_event::Fact::Mandate(wire::Mandate {
        mandate_id: mandate.mandate_id.to_string(),
        version: mandate.version,
        grantor_party: mandate.grantor.clone(),
        agent_party: mandate.agent.clone(),
        actions: mandate
            .actions
            .iter()
            .map(|action| action.name().to_owned())
            .collect(),
        valid_from: Some(timestamp(mandate.valid_from)),
        valid_until: mandate.valid_until.map(timestamp),
        revoked_at: mandate.revoked_at.map(timestamp),
        goods: mandate.goods.clone(),
        containers: mandate.containers.iter().map(ToString::to_string).collect(),
    });
    party_fact(&mandate.grantor, event_type, fact, now)
}

fn party_fact(
    key: &str,
    event_type: &'static str,
    fact: wire::party_event::Fact,
    now: DateTime<Utc>,
) -> Fact {
    let event = wire::PartyEvent {
        recorded_at: Some(timestamp(now)),
        fact: Some(fact),
    };
    Fact {
        topic: "customs.party",
        key: key.to_owned(),
        event_type,
        payload: event.encode_to_vec(),
    }
}

/// The aspect of a fact about a party: its entry, or one of the mandates to act for it.
pub fn party_aspect(payload: &[u8]) -> String {
    match wire::PartyEvent::decode(payload).unwrap_or_default().fact {
        Some(wire::party_event::Fact::Mandate(mandate)) => mandate.mandate_id,
        _ => String::new(),
    }
}
