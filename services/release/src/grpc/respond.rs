//! What was decided, as responses; and what a reader may see of a decision: names of brokers, traders
//! and competing hauliers are for those whom they concern.

use chassis::convert::timestamp;
use prost::Message;
use prost_types::Timestamp;
use proto::common::v1 as common;
use proto::release::v1 as api;

use crate::domain::commercial_release::CommercialRelease;
use crate::domain::condition::{Condition, Who};
use crate::domain::container_visit::{ContainerVisit, Stay, named_by};
use crate::domain::decision::{Decision, DecisionState};
use crate::domain::hold::{Hold, ScopeKind};
use crate::domain::notice::text_of;
use crate::domain::reader::Reader;
use crate::domain::stock_list::StockList;
use crate::domain::timeline::TimelineEntry;
use crate::events::publish::hold_message;
use crate::events::wire::condition_message;
use crate::store::timeline::Whose;

/// A commercial release was given, or stood already.
pub fn commercially_released(
    release: &CommercialRelease,
    already_granted: bool,
    dry_run: bool,
) -> Vec<u8> {
    let mut message = commercial_release(release);
    if dry_run {
        message.commercial_release_id.clear();
    }
    api::GrantCommercialReleaseResponse {
        commercial_release: Some(message),
        already_granted,
    }
    .encode_to_vec()
}

/// A commercial release was taken back, or had been already, or gate is asked.
pub fn commercial_release_revoked(release: &CommercialRelease, already_revoked: bool) -> Vec<u8> {
    let asks = release.revocation.iter().flat_map(|asked| &asked.asks);
    api::RevokeCommercialReleaseResponse {
        commercial_release: Some(commercial_release(release)),
        already_revoked,
        revocation_asked_container_visit_ids: asks
            .map(|ask| ask.container_visit_id.clone())
            .collect(),
    }
    .encode_to_vec()
}

/// A hold was placed.
pub fn hold_placed(hold: &Hold, dry_run: bool) -> Vec<u8> {
    let mut message = hold_message(hold);
    if dry_run {
        message.hold_id.clear();
    }
    api::PlaceHoldResponse {
        hold: Some(message),
    }
    .encode_to_vec()
}

/// A hold was lifted, or had been already.
pub fn hold_lifted(hold: &Hold, already_lifted: bool) -> Vec<u8> {
    api::LiftHoldResponse {
        hold: Some(hold_message(hold)),
        already_lifted,
    }
    .encode_to_vec()
}

/// A granted release was asked back from gate.
pub fn release_revoked(visit: &ContainerVisit, hold: Option<&Hold>, by: &Reader) -> Vec<u8> {
    api::RevokeReleaseResponse {
        release: Some(release(visit, by)),
        hold: hold.map(hold_message),
    }
    .encode_to_vec()
}

/// A commercial release on the wire.
pub fn commercial_release(release: &CommercialRelease) -> api::CommercialRelease {
    let state = match (&release.revocation, &release.revoked) {
        (Some(_), _) => api::CommercialReleaseState::RevocationAsked,
        (None, Some(_)) => api::CommercialReleaseState::Revoked,
        (None, None) => api::CommercialReleaseState::Granted,
    };
    let taken_back = release.taken_back();
    api::CommercialRelease {
        commercial_release_id: release.id.to_string(),
        version: release.version,
        line_party: release.line_party.clone(),
        transport_document: release.scope.transport_document.clone(),
        haulier_party: release.haulier_party.clone(),
        site_id: release.scope.site_id.clone().unwrap_or_default(),
        container_number: release.scope.container_number.clone().unwrap_or_default(),
        state: state.into(),
        granted_at: Some(timestamp(release.granted_at)),
        granted_by_subject: release.granted_by_subject.clone(),
        revoked_at: taken_back.map(|by| timestamp(by.at)),
        revoke_reason: taken_back.map(|by| by.reason.clone()).unwrap_or_default(),
    }
}

/// The decision on a stay, as this reader may see it.
pub fn release(visit: &ContainerVisit, reader: &Reader) -> api::ContainerRelease {
    release_with(visit, &visit.decision, reader)
}

/// As [`release`], with another decision in the place of the stored one.
pub fn release_with(
    visit: &ContainerVisit,
    decision: &Decision,
    reader: &Reader,
) -> api::ContainerRelease {
    let stay = &visit.stay;
    let mut conditions = conditions(&decision.conditions, reader, &stay.site_id);
    let sees_reasons = sees_reasons(visit, reader);
    if !sees_reasons {
        for condition in &mut conditions {
            in_general(condition, stay);
        }
    }
    if let Some(condition) = released_to_another(visit, decision, reader) {
        conditions.push(condition_message(&condition, condition.who.public()));
    }
    api::ContainerRelease {
        container_visit_id: stay.container_visit_id.clone(),
        site_id: stay.site_id.clone(),
        container_number: stay.container_number.clone(),
        version: decision.version,
        state: state(decision.state).into(),
        journey: decision.journey.clone(),
        haulier_party: decision
            .haulier_party
            .clone()
            .filter(|haulier| may_see_haulier(haulier, reader, &stay.site_id))
            .unwrap_or_default(),
        conditions,
        evidence: if sees_reasons {
            decision.evidence.clone()
        } else {
            Vec::new()
        },
        ask_id: decision.ask_id.map(|id| id.to_string()).unwrap_or_default(),
        revocation_too_late: decision.too_late,
        decided_at: decision.decided_at.map(timestamp),
        arrived_at: stay.arrived_at.map(timestamp),
        departed_at: stay.departed_at.map(timestamp),
        list_number: String::new(),
        list_containers: Vec::new(),
        left_out: Vec::new(),
        state_since: since(decision),
    }
}

/// Where it was not kept since when, the last change is the best that is known.
fn since(decision: &Decision) -> Option<Timestamp> {
    decision.state_since.or(decision.decided_at).map(timestamp)
}

/// The decision on a stock list, as this reader may see it.
pub fn list_release(
    list: &StockList,
    decision: &Decision,
    reader: &Reader,
) -> api::ContainerRelease {
    api::ContainerRelease {
        site_id: list.centre().to_owned(),
        version: decision.version,
        state: state(decision.state).into(),
        journey: decision.journey.clone(),
        conditions: conditions(&decision.conditions, reader, list.centre()),
        evidence: decision.evidence.clone(),
        ask_id: decision.ask_id.map(|id| id.to_string()).unwrap_or_default(),
        revocation_too_late: decision.too_late,
        decided_at: decision.decided_at.map(timestamp),
        list_number: list.list_number.clone(),
        list_containers: decision.containers.clone(),
        state_since: since(decision),
        ..api::ContainerRelease::default()
    }
}

/// To a haulier, a container that is released to another is not released.
pub fn released_to_another(
    visit: &ContainerVisit,
    decision: &Decision,
    reader: &Reader,
) -> Option<Condition> {
    let other = decision
        .haulier_party
        .as_ref()
        .filter(|haulier| !may_see_haulier(haulier, reader, &visit.stay.site_id))?;
    debug_assert_ne!(*other, reader.party);
    (!visit.stay.is_over()).then(|| Condition {
        code: "RELEASED_TO_ANOTHER_HAULIER".to_owned(),
        subject: visit.stay.subject(),
        who: Who::role("line"),
        since: decision.haulier_since,
        evidence: Vec::new(),
        description:
            "The line names another haulier for this container. Ask the line if it should be yours."
                .to_owned(),
    })
}

/// Numbers of containers are no secrets, and any haulier may file a truck for one. Until the line releases the
/// container to it, it is told what is missing and who acts, and not by which words of others.
pub fn sees_reasons(visit: &ContainerVisit, reader: &Reader) -> bool {
    !reader.is("haulier")
        || reader.sees_names_at(&visit.stay.site_id)
        || visit.decision.haulier_party.as_ref() == Some(&reader.party)
}

fn in_general(condition: &mut common::Condition, stay: &Stay) {
    condition.since = None;
    condition.evidence.clear();
    if condition.code.ends_with("_HOLD") {
        condition.subject = stay.subject();
        "More is told to the haulier whom the line releases the container to."
            .clone_into(&mut condition.description);
    }
}

/// A haulier is not told who its competitor is.
pub fn may_see_haulier(haulier: &str, reader: &Reader, site_id: &str) -> bool {
    !reader.is("haulier") || reader.party == haulier || reader.sees_names_at(site_id)
}

fn state(state: Option<DecisionState>) -> api::ReleaseState {
    match state {
        None => api::ReleaseState::NotDecided,
        Some(DecisionState::Withheld) => api::ReleaseState::Withheld,
        Some(DecisionState::Granted) => api::ReleaseState::Granted,
        Some(DecisionState::RevocationAsked) => api::ReleaseState::RevocationAsked,
        Some(DecisionState::Revoked) => api::ReleaseState::Revoked,
        Some(DecisionState::Consumed) => api::ReleaseState::Consumed,
    }
}

/// Conditions as this reader may see them.
pub fn conditions(
    conditions: &[Condition],
    reader: &Reader,
    site_id: &str,
) -> Vec<common::Condition> {
    let sees_names = reader.sees_names_at(site_id);
    conditions
        .iter()
        .map(|condition| {
            condition_message(condition, condition.who.shown_to(&reader.party, sees_names))
        })
        .collect()
}

/// Whether this reader may learn that it is this party on which a hold is, or may be.
pub fn may_see_held(party: &str, reader: &Reader, site_id: &str) -> bool {
    party == reader.party || reader.sees_names_at(site_id)
}

/// A hold as this reader may see it: the person who placed it is named to colleagues and authorities, and a party that
/// is held to itself.
pub fn hold(hold: &Hold, reader: &Reader, site_id: &str) -> common::Hold {
    let mut message = hold_message(hold);
    let sees_names = reader.sees_names_at(site_id);
    if !sees_names && hold.placed_by_party != reader.party {
        message.placed_by_party = Who::party(hold.role(), &hold.placed_by_party)
            .public()
            .to_owned();
        message.placed_by_subject.clear();
        message.lifted_by_subject.clear();
    }
    if hold.scope.kind == ScopeKind::Party
        && hold.placed_by_party != reader.party
        && !may_see_held(&hold.scope.key, reader, site_id)
        && let Some(scope) = &mut message.scope
    {
        scope.key.clear();
    }
    message
}

/// What a declaration's fact says in particular (amounts, controls) is for its own parties and for
/// authorities; a terminal reads that it happened.
fn sees_detail(entry: &TimelineEntry, reader: &Reader) -> bool {
    entry.declaration_id.is_empty()
        || reader.reads_everything()
        || entry.reader_parties.contains(&reader.party)
}

/// A fact of the timeline as this reader may see it. The number asked for is shown where an entry has
/// several, or none because it is about a document; and a party is named to itself, to its site's terminal and to authorities.
pub fn timeline_entry(entry: &TimelineEntry, whose: &Whose, reader: &Reader) -> api::TimelineEntry {
    let first = |all: &[String], asked: Option<String>| {
        asked
            .filter(|asked| all.is_empty() || all.contains(asked))
            .or_else(|| all.first().cloned())
            .unwrap_or_default()
    };
    let (number, visit) = match whose {
        Whose::ContainerNumber(number) => (Some(number.clone()), None),
        Whose::ContainerVisit(visit) => {
            let number = named_by(visit).map(|(_, number)| number.to_owned());
            (number, Some(visit.clone()))
        }
        _ => (None, None),
    };
    let names = entry.party == reader.party
        || reader.sees_names_at(&entry.site_id)
        || entry.service == "gate"
        || entry.fact.starts_with("COMMERCIAL_RELEASE_");
    api::TimelineEntry {
        event_id: entry.event_id.clone(),
        service: entry.service.clone(),
        fact: entry.fact.clone(),
        subject: entry.subject.clone(),
        party: if names {
            entry.party.clone()
        } else {
            String::new()
        },
        observed_at: Some(timestamp(entry.observed_at)),
        recorded_at: Some(timestamp(entry.recorded_at)),
        title: entry.title.clone(),
        detail: if sees_detail(entry, reader) {
            entry.detail.clone()
        } else {
            text_of(&entry.fact)
        },
        container_number: first(&entry.container_numbers, number),
        container_visit_id: first(&entry.container_visit_ids, visit),
        declaration_id: entry.declaration_id.clone(),
        mrn: entry.mrn.clone(),
        pre_arrival_id: entry.pre_arrival_id.clone(),
        truck_visit_id: entry.truck_visit_id.clone(),
        list_number: entry.list_number.clone(),
    }
}
