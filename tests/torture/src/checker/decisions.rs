//! Decisions against the facts that they name: whoever may leave does so on goods that customs had released for this very
//! stay or list, of a container that stood there, and whoever may not is told of something that these facts do not say
//! otherwise. Reckoned from the events alone, as they were when they were told. It must not know how release decides.

use std::collections::BTreeMap;

use prost::Message;
use proto::common::v1::Condition;
use proto::customs::events::v1::{ClearanceEvent, ConsignmentClearance, DeclarationEvent};
use proto::gate::events::v1::{ContainerVisitEvent, ContainerVisitPhase};
use proto::release::events::v1::{Decision, DecisionEvent};

use super::{Kind, Violation};
use crate::evidence::{Event, Evidence};

/// How the ids of events begin; other facts of a decision are release's own.
const EVENT_PREFIX: &str = "greenlane.";

pub(super) fn violations(evidence: &Evidence) -> Vec<Violation> {
    let events = evidence.exchanges.values().flat_map(|one| &one.events);
    let by_id: BTreeMap<String, &Event> = events.map(|event| (event.id(), event)).collect();
    let mut found = Vec::new();
    for (id, event) in &by_id {
        if event.topic != "release.decision" {
            continue;
        }
        let said: DecisionEvent = read(event);
        let decision = said.decision.unwrap_or_default();
        let named = decision.evidence.iter();
        let named = named.filter(|named| named.starts_with(EVENT_PREFIX));
        let (known, unknown): (Vec<_>, Vec<_>) =
            named.partition(|named| by_id.contains_key(*named));
        found.extend(unknown.into_iter().map(|unknown| {
            let what = format!("{id}: {} rests on {unknown}", event.key);
            Violation::new(Kind::DecidedOnNothing, what)
        }));
        let facts: Vec<&Event> = known.into_iter().map(|known| by_id[known]).collect();
        match decision.state.as_str() {
            "GRANTED" => found.extend(missing(&decision, &facts).map(|missing| {
                let what = format!("{id}: {} is granted although {missing}", event.key);
                Violation::new(Kind::GrantedAgainstFacts, what)
            })),
            "WITHHELD" => found.extend(there_all_the_same(&decision, &facts).map(|there| {
                let what = format!("{id}: {} is withheld although {there}", event.key);
                Violation::new(Kind::WithheldAgainstFacts, what)
            })),
            _ => {}
        }
    }
    found
}

/// What is told to be missing although the facts say that it is there. Of lists, and of what lines release, the facts
/// that are named do not say enough.
fn there_all_the_same(decision: &Decision, facts: &[&Event]) -> Option<String> {
    if decision.conditions.is_empty() {
        return Some("nothing is told to be missing".to_owned());
    }
    if !decision.list_number.is_empty() {
        return None;
    }
    let visits = facts
        .iter()
        .filter(|event| event.topic == "gate.container-visit")
        .map(|event| read::<ContainerVisitEvent>(event).visit.unwrap_or_default());
    let mut stay = visits.filter(|visit| visit.container_visit_id == decision.container_visit_id);
    let stay = stay.next().unwrap_or_default();
    let clearances = facts
        .iter()
        .filter(|event| event.topic == "customs.clearance");
    let goods: Vec<ConsignmentClearance> = clearances
        .flat_map(|event| read::<ClearanceEvent>(event).consignments)
        .filter(|one| one.container_visit_id == decision.container_visit_id)
        .collect();
    let is_there = |condition: &&Condition| match condition.code.as_str() {
        "NOT_ARRIVED" => stay.phase() == ContainerVisitPhase::Arrived,
        "NOT_AVAILABLE" => stay.available,
        "NOT_DECLARED" => {
            decision.journey == "EXPORT" && goods.iter().any(|one| one.direction == "EXPORT")
        }
        "CUSTOMS_NOT_RELEASED" => {
            let named = condition.subject.strip_prefix("declaration/");
            let mut of_it = goods
                .iter()
                .filter(|one| Some(one.declaration_id.as_str()) == named)
                .peekable();
            of_it.peek().is_some() && of_it.all(|one| one.released)
        }
        _ => false,
    };
    let mut wrong = decision.conditions.iter().filter(is_there);
    wrong
        .next()
        .map(|one| format!("the facts speak against {} of {}", one.code, one.subject))
}

/// What the facts of a grant do not say.
fn missing(decision: &Decision, facts: &[&Event]) -> Option<&'static str> {
    if decision.list_number.is_empty() {
        of_visit(decision, facts)
    } else {
        of_list(decision, facts)
    }
}

fn of_visit(decision: &Decision, facts: &[&Event]) -> Option<&'static str> {
    let import = decision.journey == "IMPORT_PICK_UP";
    let visits = facts
        .iter()
        .filter(|event| event.topic == "gate.container-visit");
    let stands = |event: &Event| {
        let visit = read::<ContainerVisitEvent>(event).visit.unwrap_or_default();
        visit.container_visit_id == decision.container_visit_id
            && visit.phase() == ContainerVisitPhase::Arrived
            && (visit.available || !import)
    };
    if !visits.clone().any(|event| stands(event)) {
        return Some("the container does not stand there, or cannot be picked up");
    }
    let direction = if import { "IMPORT" } else { "EXPORT" };
    let clearances = facts
        .iter()
        .filter(|event| event.topic == "customs.clearance");
    let goods: Vec<_> = clearances
        .flat_map(|event| read::<ClearanceEvent>(event).consignments)
        .filter(|one| {
            one.container_visit_id == decision.container_visit_id && one.direction == direction
        })
        .collect();
    if goods.is_empty() {
        return Some("customs binds no goods to the stay");
    }
    goods
        .iter()
        .any(|one| !one.released)
        .then_some("customs has not released all goods of the stay")
}

/// Goods go into bond once customs has accepted their declaration, and out of it once it has released them.
fn of_list(decision: &Decision, facts: &[&Event]) -> Option<&'static str> {
    let enough: &[&str] = match decision.journey.as_str() {
        "BOND_TRANSFER" => &["ACCEPTED", "UNDER_CONTROL", "RELEASED", "CLEARED"],
        _ => &["RELEASED", "CLEARED"],
    };
    let bears = |event: &Event| {
        let said: DeclarationEvent = read(event);
        let declaration = said.declaration.unwrap_or_default();
        declaration.stock_lists.contains(&decision.list_number)
            && enough.contains(&declaration.state.as_str())
    };
    let mut declarations = facts
        .iter()
        .filter(|event| event.topic == "customs.declaration");
    let borne = declarations.any(|event| bears(event));
    (!borne).then_some("customs has accepted or released no declaration of the list")
}

/// What cannot be read is found elsewhere.
fn read<M: Message + Default>(event: &Event) -> M {
    M::decode(event.payload.as_slice()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proto::customs::events::v1::DeclarationState;
    use proto::gate::events::v1::ContainerVisit;

    use super::super::exchange::tests::having_published;
    use super::*;

    const VISIT: &str = "GUOYUAN-PORT/MSKU9070323/1";
    const LIST: &str = "QD800026E000000001";

    /// What is found where these topics hold one message each, and a decision rests on all of them.
    fn found(facts: &[(&str, Vec<u8>)], decision: Decision) -> Vec<Kind> {
        let mut evidence = Evidence::default();
        let mut ids = Vec::new();
        for (place, (topic, payload)) in facts.iter().enumerate() {
            let told = having_published(topic, VISIT, std::slice::from_ref(payload));
            ids.extend(told.events.iter().map(Event::id));
            evidence.exchanges.insert(format!("{place}"), told);
        }
        ids.extend(decision.evidence.iter().cloned());
        let decision = Decision {
            evidence: ids,
            ..decision
        };
        let said = DecisionEvent {
            decision: Some(decision),
            ..DecisionEvent::default()
        };
        let told = having_published("release.decision", VISIT, &[said.encode_to_vec()]);
        evidence.exchanges.insert("release".into(), told);
        let violations = violations(&evidence);
        violations.into_iter().map(|one| one.kind).collect()
    }

    fn visit(phase: ContainerVisitPhase) -> (&'static str, Vec<u8>) {
        let said = ContainerVisitEvent {
            visit: Some(ContainerVisit {
                container_visit_id: VISIT.into(),
                phase: phase.into(),
                available: true,
                ..ContainerVisit::default()
            }),
            ..ContainerVisitEvent::default()
        };
        ("gate.container-visit", said.encode_to_vec())
    }

    fn clearance(of: &str, released: bool) -> (&'static str, Vec<u8>) {
        let said = ClearanceEvent {
            consignments: vec![ConsignmentClearance {
                container_visit_id: of.into(),
                direction: "IMPORT".into(),
                released,
                ..ConsignmentClearance::default()
            }],
            ..ClearanceEvent::default()
        };
        ("customs.clearance", said.encode_to_vec())
    }

    fn pick_up() -> Decision {
        Decision {
            state: "GRANTED".into(),
            container_visit_id: VISIT.into(),
            journey: "IMPORT_PICK_UP".into(),
            ..Decision::default()
        }
    }

    #[test]
    fn a_grant_on_goods_that_are_released_for_the_stay_is_sound() {
        let arrived = visit(ContainerVisitPhase::Arrived);
        assert_eq!(found(&[arrived, clearance(VISIT, true)], pick_up()), []);
    }

    fn withheld(code: &str, subject: &str) -> Decision {
        Decision {
            state: "WITHHELD".into(),
            conditions: vec![Condition {
                code: code.into(),
                subject: subject.into(),
                ..Condition::default()
            }],
            ..pick_up()
        }
    }

    #[test]
    fn what_is_missing_by_its_facts_is_withheld_soundly() {
        let announced = visit(ContainerVisitPhase::Announced);
        let arrived = visit(ContainerVisitPhase::Arrived);
        let not_released = withheld("CUSTOMS_NOT_RELEASED", "declaration/");
        for (facts, decision) in [
            (vec![announced], withheld("NOT_ARRIVED", VISIT)),
            (vec![arrived.clone(), clearance(VISIT, false)], not_released),
            (vec![arrived], withheld("COMMERCIAL_RELEASE_MISSING", "BL1")),
        ] {
            assert_eq!(found(&facts, decision), []);
        }
    }

    #[test]
    fn what_is_withheld_although_its_facts_say_that_it_is_there_is_found() {
        let facts = [visit(ContainerVisitPhase::Arrived), clearance(VISIT, true)];
        let of_nothing = Decision {
            conditions: Vec::new(),
            ..withheld("", "")
        };
        for decision in [
            of_nothing,
            withheld("NOT_ARRIVED", VISIT),
            withheld("NOT_AVAILABLE", VISIT),
            withheld("CUSTOMS_NOT_RELEASED", "declaration/"),
        ] {
            let kinds = found(&facts, decision.clone());
            assert_eq!(kinds, [Kind::WithheldAgainstFacts], "{decision:?}");
        }
    }

    #[test]
    fn a_grant_that_its_facts_do_not_bear_is_found() {
        let arrived = || visit(ContainerVisitPhase::Arrived);
        let against = [Kind::GrantedAgainstFacts];
        let announced = visit(ContainerVisitPhase::Announced);
        let other = clearance("GUOYUAN-PORT/MSKU9070323/2", true);
        for facts in [
            vec![announced, clearance(VISIT, true)],
            vec![arrived()],
            vec![arrived(), clearance(VISIT, false)],
            vec![arrived(), other],
        ] {
            assert_eq!(found(&facts, pick_up()), against);
        }
    }

    #[test]
    fn a_grant_on_a_list_without_a_released_declaration_is_found() {
        let declared = |state: &str| {
            let said = DeclarationEvent {
                declaration: Some(DeclarationState {
                    state: state.into(),
                    stock_lists: vec![LIST.into()],
                    ..DeclarationState::default()
                }),
                ..DeclarationEvent::default()
            };
            ("customs.declaration", said.encode_to_vec())
        };
        let of_list = |journey: &str| Decision {
            state: "GRANTED".into(),
            list_number: LIST.into(),
            journey: journey.into(),
            ..Decision::default()
        };
        let against = vec![Kind::GrantedAgainstFacts];
        for (journey, state, kinds) in [
            ("BOND_EXIT", "CLEARED", vec![]),
            ("BOND_EXIT", "ACCEPTED", against.clone()),
            ("BOND_TRANSFER", "ACCEPTED", vec![]),
            ("BOND_TRANSFER", "REGISTERED", against),
        ] {
            let found = found(&[declared(state)], of_list(journey));
            assert_eq!(found, kinds, "{journey} {state}");
        }
    }

    #[test]
    fn a_decision_on_a_fact_that_nobody_told_is_found() {
        let arrived = visit(ContainerVisitPhase::Arrived);
        let decision = Decision {
            evidence: vec!["greenlane.gate.site.v1/0/1/9".into()],
            ..pick_up()
        };
        let kinds = found(&[arrived, clearance(VISIT, true)], decision);
        assert_eq!(kinds, [Kind::DecidedOnNothing]);
    }
}
