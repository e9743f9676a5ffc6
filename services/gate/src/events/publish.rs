//! Domain facts as public events. The driver is never among them.

use chrono::{DateTime, Utc};
use fabric::Fact;
use prost::Message;
use proto::common::v1 as common;
use proto::gate::events::v1 as wire;

use crate::domain::condition::Condition;
use crate::domain::container_visit::{ContainerVisit, ContainerVisitFact, Phase, TransportMode};
use crate::domain::hold::{Hold, HoldKind, ScopeKind};
use crate::domain::knowledge::AnsweredAsk;
use crate::domain::list_passage::{ListLine, ListPass, ListPassage, ListPassageFact};
use crate::domain::pre_arrival::{FiledContainer, PreArrival, PreArrivalFact};
use crate::domain::site::Site;
use crate::domain::truck_visit::{TruckVisit, TruckVisitFact};

fn timestamp(at: DateTime<Utc>) -> Option<prost_types::Timestamp> {
    Some(chassis::convert::timestamp(at))
}

/// A site.
pub fn site(site: &Site, version: u64, now: DateTime<Utc>) -> Fact {
    let event = wire::SiteEvent {
        version,
        recorded_at: timestamp(now),
        site: Some(wire::Site {
            site_id: site.site_id.clone(),
            name: site.name.clone(),
            terminal_party: site.terminal_party.clone(),
            time_zone: site.time_zone.clone(),
            goods_location_codes: site.goods_location_codes.clone(),
            bonded: site.bonded,
        }),
    };
    Fact {
        topic: "gate.site",
        key: site.site_id.clone(),
        event_type: "greenlane.gate.site.declared",
        payload: event.encode_to_vec(),
    }
}

/// A fact about a container visit.
pub fn container_visit(
    fact: ContainerVisitFact,
    visit: &ContainerVisit,
    by_party: &str,
    observed_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Fact {
    use wire::ContainerVisitFact as Wire;
    let (fact, event_type) = match fact {
        ContainerVisitFact::Announced => {
            (Wire::Announced, "greenlane.gate.container-visit.announced")
        }
        ContainerVisitFact::Amended => (Wire::Amended, "greenlane.gate.container-visit.amended"),
        ContainerVisitFact::Arrived => (Wire::Arrived, "greenlane.gate.container-visit.arrived"),
        ContainerVisitFact::Available => {
            (Wire::Available, "greenlane.gate.container-visit.available")
        }
        ContainerVisitFact::Unavailable => (
            Wire::Unavailable,
            "greenlane.gate.container-visit.unavailable",
        ),
        ContainerVisitFact::Loaded => (Wire::Loaded, "greenlane.gate.container-visit.loaded"),
        ContainerVisitFact::Departed => (Wire::Departed, "greenlane.gate.container-visit.departed"),
        ContainerVisitFact::Emptied => (Wire::Emptied, "greenlane.gate.container-visit.emptied"),
        ContainerVisitFact::ShortLanded => (
            Wire::ShortLanded,
            "greenlane.gate.container-visit.short-landed",
        ),
    };
    let event = wire::ContainerVisitEvent {
        fact: fact.into(),
        observed_at: timestamp(observed_at),
        recorded_at: timestamp(now),
        recorded_by_party: by_party.to_owned(),
        visit: Some(visit_message(visit)),
    };
    Fact {
        topic: "gate.container-visit",
        key: format!("{}/{}", visit.site_id, visit.container),
        event_type,
        payload: event.encode_to_vec(),
    }
}

fn visit_message(visit: &ContainerVisit) -> wire::ContainerVisit {
    let phase = match visit.phase {
        Phase::Announced => wire::ContainerVisitPhase::Announced,
        Phase::Arrived => wire::ContainerVisitPhase::Arrived,
        Phase::Departed => wire::ContainerVisitPhase::Departed,
        Phase::ShortLanded => wire::ContainerVisitPhase::ShortLanded,
    };
    let mode = match visit.arrival_mode {
        TransportMode::Rail => wire::TransportMode::Rail,
        TransportMode::Barge => wire::TransportMode::Barge,
        TransportMode::Truck => wire::TransportMode::Truck,
    };
    let line = |line: &crate::domain::container_visit::ManifestLine| wire::ManifestLine {
        transport_document: line
            .transport_document
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        line_party: line.line_party.clone(),
        packages: line.packages,
        gross_mass: line
            .gross_mass
            .as_ref()
            .map(chassis::convert::quantity_message),
        goods_description: line.goods_description.clone(),
    };
    wire::ContainerVisit {
        container_visit_id: visit.id.as_str().to_owned(),
        site_id: visit.site_id.clone(),
        container_number: visit.container.as_str().to_owned(),
        ordinal: visit.ordinal,
        version: visit.version,
        phase: phase.into(),
        size_type: visit
            .manifest
            .size_type
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        arrival_mode: mode.into(),
        arrival_conveyance: visit.conveyance.clone().unwrap_or_default(),
        manifest_lines: visit.manifest.lines.iter().map(line).collect(),
        seals: visit.manifest.seals.clone(),
        seals_found: visit.seals_found.clone(),
        available: visit.available,
        empty: visit.manifest.empty,
        arrived_at: visit.arrived_at.and_then(timestamp),
        departed_at: visit.departed_at.and_then(timestamp),
        over_landed: visit.over_landed,
        departed_with_truck_visit_id: visit.departed_with.clone().unwrap_or_default(),
        document_references: visit.document_references.clone(),
        loaded_on: visit
            .loaded
            .as_ref()
            .map(|loading| loading.conveyance.clone())
            .unwrap_or_default(),
        departure_conveyance: visit
            .departure_conveyance()
            .map(|loading| loading.conveyance.clone())
            .unwrap_or_default(),
        list_number: visit.list_number.clone().unwrap_or_default(),
        verified_mass: visit
            .verified_mass
            .as_ref()
            .map(chassis::convert::quantity_message),
    }
}

/// A fact about a pre-arrival.
pub fn pre_arrival(fact: PreArrivalFact, filing: &PreArrival, now: DateTime<Utc>) -> Fact {
    use wire::PreArrivalFact as Wire;
    let (wire_fact, event_type) = match fact {
        PreArrivalFact::Submitted => (Wire::Submitted, "greenlane.gate.pre-arrival.submitted"),
        PreArrivalFact::Ready => (Wire::Ready, "greenlane.gate.pre-arrival.ready"),
        PreArrivalFact::Blocked => (Wire::Blocked, "greenlane.gate.pre-arrival.blocked"),
        PreArrivalFact::Replaced => (Wire::Replaced, "greenlane.gate.pre-arrival.replaced"),
        PreArrivalFact::Used => (Wire::Used, "greenlane.gate.pre-arrival.used"),
        PreArrivalFact::Cancelled => (Wire::Cancelled, "greenlane.gate.pre-arrival.cancelled"),
        PreArrivalFact::Expired => (Wire::Expired, "greenlane.gate.pre-arrival.expired"),
    };
    let state = if fact == PreArrivalFact::Submitted {
        "SUBMITTED"
    } else {
        filing.state.as_str()
    };
    let event = wire::PreArrivalEvent {
        fact: wire_fact.into(),
        observed_at: timestamp(now),
        recorded_at: timestamp(now),
        pre_arrival: Some(wire::PreArrivalState {
            pre_arrival_id: filing.pre_arrival_id.to_string(),
            version: filing.version,
            site_id: filing.site_id.clone(),
            kind: filing.kind.as_str().to_owned(),
            haulier_party: filing.haulier_party.clone(),
            containers: containers(&filing.containers),
            state: state.to_owned(),
            conditions: filing.told.iter().map(condition).collect(),
            planned_arrival: timestamp(filing.planned_arrival),
            document_references: filing.document_references.clone(),
            list_number: filing.list_number().unwrap_or_default().to_owned(),
            pass_number: filing
                .pass_number
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            filer_party: filing.filer().to_owned(),
            second_site_id: filing.second_site_id.clone().unwrap_or_default(),
        }),
    };
    Fact {
        topic: "gate.pre-arrival",
        key: filing.pre_arrival_id.to_string(),
        event_type,
        payload: event.encode_to_vec(),
    }
}

/// A fact about what passes of a stock list.
pub fn list_passage(
    fact: ListPassageFact,
    passage: &ListPassage,
    observed_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Fact {
    use wire::ListPassageFact as Wire;
    let (fact, event_type) = match fact {
        ListPassageFact::PassIssued => {
            (Wire::PassIssued, "greenlane.gate.list-passage.pass-issued")
        }
        ListPassageFact::PassWithdrawn => (
            Wire::PassWithdrawn,
            "greenlane.gate.list-passage.pass-withdrawn",
        ),
        ListPassageFact::Passed => (Wire::Passed, "greenlane.gate.list-passage.passed"),
        ListPassageFact::Closed => (Wire::Closed, "greenlane.gate.list-passage.closed"),
        ListPassageFact::Reopened => (Wire::Reopened, "greenlane.gate.list-passage.reopened"),
        ListPassageFact::VoidApplied => (
            Wire::VoidApplied,
            "greenlane.gate.list-passage.void-applied",
        ),
        ListPassageFact::VoidTooLate => (
            Wire::VoidTooLate,
            "greenlane.gate.list-passage.void-too-late",
        ),
    };
    let answer = passage.void_ask.as_ref();
    let direction = match passage.direction() {
        kernel::Direction::In => "INCREASE",
        kernel::Direction::Out => "DECREASE",
    };
    let event = wire::ListPassageEvent {
        fact: fact.into(),
        observed_at: timestamp(observed_at),
        recorded_at: timestamp(now),
        passage: Some(wire::ListPassage {
            list_number: passage.list_number.to_string(),
            version: passage.version,
            site_id: passage.site_id().to_owned(),
            direction: direction.to_owned(),
            passes: passage.passes.iter().map(pass).collect(),
            closed: passage.closed,
            void_ask_id: answer
                .map(|answer| answer.ask_id.clone())
                .unwrap_or_default(),
            void_applied: answer.is_some_and(|answer| answer.applied),
        }),
    };
    Fact {
        topic: "gate.list-passage",
        key: passage.list_number.to_string(),
        event_type,
        payload: event.encode_to_vec(),
    }
}

fn pass(pass: &ListPass) -> wire::ListPass {
    let line = |line: &ListLine| wire::ListPassLine {
        line_number: line.line_number,
        quantity: Some(chassis::convert::quantity_message(&line.quantity)),
    };
    wire::ListPass {
        pre_arrival_id: pass.pre_arrival_id.to_string(),
        pass_number: pass
            .number
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        state: pass.state.as_str().to_owned(),
        list_version: pass.list_version,
        lines: pass.lines.iter().map(line).collect(),
        container_number: pass.containers.first().cloned().unwrap_or_default(),
        passed_at: pass.passed_at.and_then(timestamp),
        last: pass.last,
        known_by: pass
            .known_by
            .map(|known_by| known_by.as_str().to_owned())
            .unwrap_or_default(),
        container_numbers: pass.containers.clone(),
    }
}

/// A fact about a truck visit.
pub fn truck_visit(
    fact: TruckVisitFact,
    truck: &TruckVisit,
    observed_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Fact {
    use wire::TruckVisitFact as Wire;
    let (wire_fact, event_type) = match fact {
        TruckVisitFact::Arrived => (Wire::Arrived, "greenlane.gate.truck-visit.arrived"),
        TruckVisitFact::GatedInFirst => (
            Wire::GatedInFirst,
            "greenlane.gate.truck-visit.gated-in-first",
        ),
        TruckVisitFact::GatedIn => (Wire::GatedIn, "greenlane.gate.truck-visit.gated-in"),
        TruckVisitFact::Weighed => (Wire::Weighed, "greenlane.gate.truck-visit.weighed"),
        TruckVisitFact::Inspected => (Wire::Inspected, "greenlane.gate.truck-visit.inspected"),
        TruckVisitFact::Recalled => (Wire::Recalled, "greenlane.gate.truck-visit.recalled"),
        TruckVisitFact::RecallEnded => {
            (Wire::RecallEnded, "greenlane.gate.truck-visit.recall-ended")
        }
        TruckVisitFact::ManualReview => (
            Wire::ManualReview,
            "greenlane.gate.truck-visit.manual-review",
        ),
        TruckVisitFact::TurnedAway => (Wire::TurnedAway, "greenlane.gate.truck-visit.turned-away"),
        TruckVisitFact::GatedOut => (Wire::GatedOut, "greenlane.gate.truck-visit.gated-out"),
        TruckVisitFact::Closed => (Wire::Closed, "greenlane.gate.truck-visit.closed"),
        TruckVisitFact::GateOutRefused => (
            Wire::GateOutRefused,
            "greenlane.gate.truck-visit.gate-out-refused",
        ),
        TruckVisitFact::CheckInCorrected => (
            Wire::CheckInCorrected,
            "greenlane.gate.truck-visit.check-in-corrected",
        ),
    };
    let state = if fact == TruckVisitFact::Arrived {
        "ARRIVED"
    } else {
        truck.state.as_str()
    };
    let event = wire::TruckVisitEvent {
        fact: wire_fact.into(),
        observed_at: timestamp(observed_at),
        recorded_at: timestamp(now),
        truck_visit: Some(wire::TruckVisitState {
            truck_visit_id: truck.truck_visit_id.to_string(),
            version: truck.version,
            site_id: truck.site_id.clone(),
            pre_arrival_id: truck
                .pre_arrival_id
                .map(|id| id.to_string())
                .unwrap_or_default(),
            haulier_party: truck.haulier_party.clone().unwrap_or_default(),
            containers: containers(&truck.containers),
            state: state.to_owned(),
            conditions: truck.conditions.iter().map(condition).collect(),
            // At first recognition nobody has looked whether it may.
            carrier_party: truck
                .nominated_carrier()
                .filter(|_| fact != TruckVisitFact::Arrived)
                .unwrap_or_default()
                .to_owned(),
            completion: truck
                .completion
                .filter(|_| fact != TruckVisitFact::Arrived)
                .map(|completion| completion.as_str().to_owned())
                .unwrap_or_default(),
        }),
    };
    Fact {
        topic: "gate.truck-visit",
        key: truck.truck_visit_id.to_string(),
        event_type,
        payload: event.encode_to_vec(),
    }
}

/// The answer to an ask.
pub fn answer(answered: &AnsweredAsk, now: DateTime<Utc>) -> Fact {
    let (verdict, event_type) = if answered.too_late {
        (
            wire::AnswerVerdict::TooLate,
            "greenlane.gate.answer.too-late",
        )
    } else {
        (
            wire::AnswerVerdict::Applied,
            "greenlane.gate.answer.applied",
        )
    };
    let event = wire::AnswerEvent {
        ask_id: answered.ask_id.clone(),
        container_visit_id: answered.container_visit_id.clone(),
        verdict: verdict.into(),
        observed_at: timestamp(now),
        recorded_at: timestamp(now),
        list_number: answered.list_number.clone(),
    };
    Fact {
        topic: "gate.answer",
        key: answered.ask_id.clone(),
        event_type,
        payload: event.encode_to_vec(),
    }
}

/// A hold that gate keeps, placed or lifted.
pub fn hold(hold: &Hold, now: DateTime<Utc>) -> Fact {
    let (fact, event_type) = if hold.stands() {
        (common::HoldFact::Placed, "greenlane.gate.hold.placed")
    } else {
        (common::HoldFact::Lifted, "greenlane.gate.hold.lifted")
    };
    let event = common::HoldEvent {
        fact: fact.into(),
        hold: Some(hold_message(hold)),
        observed_at: timestamp(now),
        recorded_at: timestamp(now),
    };
    Fact {
        topic: "gate.hold",
        key: hold.scope.topic_key(),
        event_type,
        payload: event.encode_to_vec(),
    }
}

/// A hold on the wire; the same in events and answers.
pub fn hold_message(hold: &Hold) -> common::Hold {
    let scope = match hold.scope.kind {
        ScopeKind::ContainerVisit => common::HoldScopeKind::ContainerVisit,
        ScopeKind::Declaration => common::HoldScopeKind::Declaration,
        ScopeKind::StockList => common::HoldScopeKind::StockList,
        ScopeKind::Plate => common::HoldScopeKind::Plate,
        ScopeKind::Party => common::HoldScopeKind::Party,
    };
    let kind = match hold.kind {
        HoldKind::Customs => common::HoldKind::Customs,
        HoldKind::Quarantine => common::HoldKind::Quarantine,
        HoldKind::Commercial => common::HoldKind::Commercial,
        HoldKind::Terminal => common::HoldKind::Terminal,
        HoldKind::Safety => common::HoldKind::Safety,
        HoldKind::Finance => common::HoldKind::Finance,
        HoldKind::Legal => common::HoldKind::Legal,
    };
    let lifted = hold.lifted.as_ref();
    common::Hold {
        hold_id: hold.hold_id.clone(),
        scope: Some(common::HoldScope {
            kind: scope.into(),
            key: hold.scope.key.clone(),
        }),
        kind: kind.into(),
        placed_by_party: hold.placed_by_party.clone(),
        placed_by_subject: hold.placed_by_subject.clone(),
        reason: hold.reason.clone(),
        placed_at: timestamp(hold.placed_at),
        lifted_at: lifted.and_then(|lifted| timestamp(lifted.at)),
        lifted_by_subject: lifted
            .map(|lifted| lifted.by_subject.clone())
            .unwrap_or_default(),
        lift_reason: lifted
            .map(|lifted| lifted.reason.clone())
            .unwrap_or_default(),
    }
}

/// A condition on the wire; the same in events and answers.
pub fn condition(condition: &Condition) -> common::Condition {
    common::Condition {
        code: condition.code.clone(),
        subject: condition.subject.clone(),
        who: condition.who.clone(),
        since: condition.since.and_then(timestamp),
        evidence: condition.evidence.clone(),
        description: condition.description.clone(),
    }
}

fn containers(filed: &[FiledContainer]) -> Vec<wire::PreArrivalContainer> {
    filed
        .iter()
        .map(|container| wire::PreArrivalContainer {
            container_number: container.number.as_str().to_owned(),
            container_visit_id: container.container_visit_id.clone().unwrap_or_default(),
        })
        .collect()
}
