//! What release publishes: decisions, its own holds, notices. Domain values in, facts out.

use chassis::convert::timestamp;
use chrono::{DateTime, Utc};
use fabric::Fact;
use prost::Message;
use proto::common::v1 as common;
use proto::release::events::v1 as release;

use super::wire::public_conditions;
use crate::domain::container_visit::Stay;
use crate::domain::decision::{Decision, DecisionState};
use crate::domain::hold::{Hold, HoldKind, ScopeKind};
use crate::domain::notice::Notice;
use crate::domain::stock_list::StockList;

/// Decisions on container visits, keyed by the visit, and on stock lists, keyed by "list/" and the number.
pub const DECISION_TOPIC: &str = "release.decision";
/// Holds that release keeps, keyed by their scope.
pub const HOLD_TOPIC: &str = "release.hold";
/// Notices, keyed by the party.
pub const NOTICE_TOPIC: &str = "release.notice";
/// The type of every notice.
pub const NOTICE_TYPE: &str = "greenlane.release.notice.given";

/// The topics that release writes.
pub const PRODUCED: &[&str] = &[DECISION_TOPIC, HOLD_TOPIC, NOTICE_TOPIC, "release.audit"];

/// What a decision is about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// A stay.
    Stay(&'a Stay),
    /// A stock list.
    List(&'a StockList),
}

/// A decision that was just taken. None if there is nothing to say yet.
pub fn decision(about: About<'_>, decision: &Decision, now: DateTime<Utc>) -> Option<Fact> {
    let state = decision.state?;
    let (fact, event_type) = match state {
        DecisionState::Granted => (
            release::DecisionFact::Granted,
            "greenlane.release.decision.granted",
        ),
        DecisionState::Withheld => (
            release::DecisionFact::Withheld,
            "greenlane.release.decision.withheld",
        ),
        DecisionState::RevocationAsked => (
            release::DecisionFact::RevocationAsked,
            "greenlane.release.decision.revocation-asked",
        ),
        DecisionState::Revoked => (
            release::DecisionFact::Revoked,
            "greenlane.release.decision.revoked",
        ),
        DecisionState::Consumed => (
            release::DecisionFact::Consumed,
            "greenlane.release.decision.consumed",
        ),
    };
    let (key, named) = match about {
        About::Stay(stay) => (
            stay.container_visit_id.clone(),
            release::Decision {
                container_visit_id: stay.container_visit_id.clone(),
                site_id: stay.site_id.clone(),
                container_number: stay.container_number.clone(),
                ..release::Decision::default()
            },
        ),
        About::List(list) => (
            format!("list/{}", list.list_number),
            release::Decision {
                site_id: list.centre().to_owned(),
                list_number: list.list_number.clone(),
                list_containers: granted_for(decision),
                ..release::Decision::default()
            },
        ),
    };
    let event = release::DecisionEvent {
        fact: fact.into(),
        observed_at: Some(timestamp(decision.decided_at.unwrap_or(now))),
        recorded_at: Some(timestamp(now)),
        decision: Some(release::Decision {
            version: decision.version,
            state: state.name().to_owned(),
            journey: decision.journey.clone(),
            haulier_party: granted_to(decision).unwrap_or_default(),
            conditions: public_conditions(&decision.conditions),
            evidence: decision.evidence.clone(),
            ask_id: decision.ask_id.map(|id| id.to_string()).unwrap_or_default(),
            ..named
        }),
    };
    Some(Fact {
        topic: DECISION_TOPIC,
        key,
        event_type,
        payload: event.encode_to_vec(),
    })
}

/// Only a decision that is, or was, a grant names a haulier to other services: gate must never read a
/// withheld one as a leave to somebody.
fn granted_to(decision: &Decision) -> Option<String> {
    decision
        .haulier_party
        .clone()
        .filter(|_| decision.state != Some(DecisionState::Withheld))
}

/// Likewise the containers.
fn granted_for(decision: &Decision) -> Vec<String> {
    match decision.state {
        None | Some(DecisionState::Withheld | DecisionState::Consumed) => Vec::new(),
        Some(_) => decision.containers.clone(),
    }
}

/// A hold that was just placed or lifted.
pub fn hold(hold: &Hold, now: DateTime<Utc>) -> Fact {
    let (fact, event_type, at) = match &hold.lifted {
        None => (
            common::HoldFact::Placed,
            "greenlane.release.hold.placed",
            hold.placed_at,
        ),
        Some(lifted) => (
            common::HoldFact::Lifted,
            "greenlane.release.hold.lifted",
            lifted.at,
        ),
    };
    let event = common::HoldEvent {
        fact: fact.into(),
        hold: Some(hold_message(hold)),
        observed_at: Some(timestamp(at)),
        recorded_at: Some(timestamp(now)),
    };
    Fact {
        topic: HOLD_TOPIC,
        key: hold.scope.to_string(),
        event_type,
        payload: event.encode_to_vec(),
    }
}

/// A hold on the wire.
pub fn hold_message(hold: &Hold) -> common::Hold {
    common::Hold {
        hold_id: hold.id.id.clone(),
        scope: Some(common::HoldScope {
            kind: scope_kind(hold.scope.kind).into(),
            key: hold.scope.key.clone(),
        }),
        kind: hold_kind(hold.kind).into(),
        placed_by_party: hold.placed_by_party.clone(),
        placed_by_subject: hold.placed_by_subject.clone(),
        reason: hold.reason.clone(),
        placed_at: Some(timestamp(hold.placed_at)),
        lifted_at: hold.lifted.as_ref().map(|lifted| timestamp(lifted.at)),
        lifted_by_subject: hold
            .lifted
            .as_ref()
            .map(|lifted| lifted.by_subject.clone())
            .unwrap_or_default(),
        lift_reason: hold
            .lifted
            .as_ref()
            .map(|lifted| lifted.reason.clone())
            .unwrap_or_default(),
    }
}

fn scope_kind(kind: ScopeKind) -> common::HoldScopeKind {
    match kind {
        ScopeKind::ContainerVisit => common::HoldScopeKind::ContainerVisit,
        ScopeKind::Declaration => common::HoldScopeKind::Declaration,
        ScopeKind::StockList => common::HoldScopeKind::StockList,
        ScopeKind::Plate => common::HoldScopeKind::Plate,
        ScopeKind::Party => common::HoldScopeKind::Party,
    }
}

fn hold_kind(kind: HoldKind) -> common::HoldKind {
    match kind {
        HoldKind::Customs => common::HoldKind::Customs,
        HoldKind::Quarantine => common::HoldKind::Quarantine,
        HoldKind::Commercial => common::HoldKind::Commercial,
        HoldKind::Terminal => common::HoldKind::Terminal,
        HoldKind::Safety => common::HoldKind::Safety,
        HoldKind::Finance => common::HoldKind::Finance,
        HoldKind::Legal => common::HoldKind::Legal,
    }
}

/// A notice to one party.
pub fn notice(notice: &Notice) -> Fact {
    let event = release::NoticeEvent {
        party_id: notice.party.clone(),
        fact: notice.fact.clone(),
        service: notice.service.clone(),
        subject: notice.subject.clone(),
        title: notice.title.clone(),
        text: notice.text.clone(),
        observed_at: Some(timestamp(notice.observed_at)),
        recorded_at: Some(timestamp(notice.recorded_at)),
        source_event_id: notice.source_event_id.clone(),
        container_number: notice.container_number.clone(),
        conditions: public_conditions(&notice.conditions),
    };
    Fact {
        topic: NOTICE_TOPIC,
        key: notice.party.clone(),
        event_type: NOTICE_TYPE,
        payload: event.encode_to_vec(),
    }
}
