//! Weighing and inspecting a truck that is here.

use chrono::{DateTime, Utc};
use fabric::Context;
use kernel::Refusal;
use uuid::Uuid;

use super::{Answer, Outcome, State, reconsider};
use crate::domain::Actor;
use crate::domain::filing::{Faults, OBSERVED_AGO_HOURS_MAX, WrittenQuantity};
use crate::domain::truck_visit::{
    Barrier, INSPECTION_STEPS_MAX, Inspection, InspectionResult, InspectionStep, TruckVisit,
};
use crate::events::publish;

/// The longest reason or note, in characters.
pub const REASON_CHARS_MAX: usize = 500;

/// A weighbridge's reading.
#[derive(Clone, Debug)]
pub struct RecordWeight {
    /// Who asks.
    pub actor: Actor,
    /// The truck visit; none if its id cannot be read.
    pub truck_visit_id: Option<Uuid>,
    /// On the way in or out; none if it is not said.
    pub barrier: Option<Barrier>,
    /// The reading; none if there was none.
    pub weight: Option<WrittenQuantity>,
    /// When.
    pub observed_at: Option<DateTime<Utc>>,
}

/// An inspection to order.
#[derive(Clone, Debug)]
pub struct OrderInspection {
    /// Who asks.
    pub actor: Actor,
    /// The truck visit.
    pub truck_visit_id: Option<Uuid>,
    /// The inspection sites in order; none: the site's usual ones.
    pub inspection_sites: Vec<String>,
    /// Why.
    pub reason: String,
    /// The version that this rests on; 0: not checked.
    pub expected_version: u64,
}

/// An inspection site's result.
#[derive(Clone, Debug)]
pub struct RecordInspection {
    /// Who asks.
    pub actor: Actor,
    /// The truck visit.
    pub truck_visit_id: Option<Uuid>,
    /// The inspection.
    pub inspection_id: Option<Uuid>,
    /// The inspection site.
    pub inspection_site: String,
    /// Its result; none if it is not said.
    pub result: Option<InspectionResult>,
    /// What was found.
    pub note: String,
    /// When.
    pub observed_at: Option<DateTime<Utc>>,
}

/// An inspection to end.
#[derive(Clone, Debug)]
pub struct EndInspection {
    /// Who asks.
    pub actor: Actor,
    /// The truck visit.
    pub truck_visit_id: Option<Uuid>,
    /// The inspection.
    pub inspection_id: Option<Uuid>,
    /// Why.
    pub reason: String,
}

/// Records a weight.
pub fn weigh(state: &mut State, command: &RecordWeight, context: &Context<'_>) -> Outcome {
    let mut truck = visible(state, command.truck_visit_id, &command.actor)?;
    let mut faults = Faults::default();
    let weight = faults.mass("weight", command.weight.as_ref());
    let observed_at = faults.observed(
        "observed_at",
        command.observed_at,
        OBSERVED_AGO_HOURS_MAX,
        context.now,
    );
    if command.barrier.is_none() {
        faults.add(
            "BARRIER_INVALID",
            "barrier",
            "",
            "IN or OUT",
            "Say on which way it was weighed.",
        );
    }
    let (Some(barrier), true) = (command.barrier, faults.is_empty()) else {
        return Err(super::filings::faulty(faults));
    };
    if !truck.is_open() {
        return Err(Refusal::unmet(
            "TRUCK_VISIT_OVER",
            format!("The truck visit is {}.", truck.state.as_str()),
            Vec::new(),
        ));
    }
    let fact = truck.weighed(barrier, weight);
    let facts = vec![publish::truck_visit(fact, &truck, observed_at, context.now)];
    state.truck_visits.put(truck.truck_visit_id, truck.clone());
    Ok((Answer::Weighed(Box::new(truck)), facts))
}

/// Orders an inspection.
pub fn order(state: &mut State, command: &OrderInspection, context: &Context<'_>) -> Outcome {
    let mut truck = visible(state, command.truck_visit_id, &command.actor)?;
    truck.must_be_at(command.expected_version)?;
    let mut faults = Faults::default();
    let reason = faults.text("reason", &command.reason, REASON_CHARS_MAX);
    let known = state
        .site(&truck.site_id)
        .map(|site| site.inspection_sites.clone())
        .unwrap_or_default();
    let sites = if command.inspection_sites.is_empty() {
        known.clone()
    } else {
        command.inspection_sites.clone()
    };
    if sites.is_empty() || sites.len() > INSPECTION_STEPS_MAX {
        faults.add(
            "INSPECTION_SITES_INVALID",
            "inspection_sites",
            &sites.len().to_string(),
            "1 to 10 inspection sites",
            "Name where the truck is to be inspected, in order.",
        );
    }
    for (index, site) in sites
        .iter()
        .enumerate()
        .filter(|(_, site)| !known.contains(site))
    {
        faults.add(
            "INSPECTION_SITE_UNKNOWN",
            &format!("inspection_sites[{index}]"),
            site,
            "one of the site's inspection sites",
            format!("This site has {}.", known.join(", ")),
        );
    }
    let (Some(reason), true) = (reason, faults.is_empty()) else {
        return Err(super::filings::faulty(faults));
    };
    let inspection_id = context.new_id();
    truck.inspection_ordered(Inspection {
        inspection_id,
        reason,
        ordered_by_party: command.actor.party.clone(),
        ordered_by_subject: command.actor.subject.clone(),
        ordered_by_officer: command.actor.is_officer,
        ordered_at: context.now,
        steps: steps(sites),
        ended_at: None,
        end_reason: String::new(),
        admitted_with: false,
        asked_until: None,
    })?;
    let id = truck.truck_visit_id;
    state.truck_visits.put(id, truck);
    let facts = reconsider::truck(state, &id, context).into_iter().collect();
    let truck = visible(state, Some(id), &command.actor)?;
    Ok((
        Answer::InspectionOrdered(Box::new(truck), inspection_id.to_string()),
        facts,
    ))
}

/// Records an inspection site's result.
pub fn record(state: &mut State, command: &RecordInspection, context: &Context<'_>) -> Outcome {
    let mut truck = visible(state, command.truck_visit_id, &command.actor)?;
    let mut faults = Faults::default();
    let note = faults.optional_text("note", &command.note, REASON_CHARS_MAX);
    let observed_at = faults.observed(
        "observed_at",
        command.observed_at,
        OBSERVED_AGO_HOURS_MAX,
        context.now,
    );
    if command.result.is_none() {
        faults.add(
            "INSPECTION_RESULT_INVALID",
            "result",
            "",
            "PASSED or FAILED",
            "Say what the inspection found.",
        );
    }
    let (Some(result), true) = (command.result, faults.is_empty()) else {
        return Err(super::filings::faulty(faults));
    };
    let inspection_id = command.inspection_id.unwrap_or_default();
    let by = acts_as(&truck, inspection_id, &command.actor);
    let fact = truck.inspected(
        inspection_id,
        &command.inspection_site,
        result,
        &note,
        &by,
        observed_at,
    )?;
    let mut facts = vec![publish::truck_visit(fact, &truck, observed_at, context.now)];
    let id = truck.truck_visit_id;
    state.truck_visits.put(id, truck);
    facts.extend(reconsider::truck(state, &id, context));
    let truck = visible(state, Some(id), &command.actor)?;
    Ok((Answer::Inspected(Box::new(truck)), facts))
}

/// Ends an inspection.
pub fn end(state: &mut State, command: &EndInspection, context: &Context<'_>) -> Outcome {
    let mut truck = visible(state, command.truck_visit_id, &command.actor)?;
    let mut faults = Faults::default();
    let Some(reason) = faults.text("reason", &command.reason, REASON_CHARS_MAX) else {
        return Err(super::filings::faulty(faults));
    };
    let inspection_id = command.inspection_id.unwrap_or_default();
    let by = acts_as(&truck, inspection_id, &command.actor);
    let fact = truck.inspection_ended(inspection_id, &by, &reason, context.now)?;
    let mut facts = vec![publish::truck_visit(fact, &truck, context.now, context.now)];
    let id = truck.truck_visit_id;
    state.truck_visits.put(id, truck);
    facts.extend(reconsider::truck(state, &id, context));
    let truck = visible(state, Some(id), &command.actor)?;
    Ok((Answer::InspectionEnded(Box::new(truck)), facts))
}

/// The steps of an inspection, all open.
pub fn steps(sites: Vec<String>) -> Vec<InspectionStep> {
    sites
        .into_iter()
        .map(|inspection_site| InspectionStep {
            inspection_site,
            result: None,
            recorded_at: None,
            note: String::new(),
        })
        .collect()
}

/// The party that customs' own inspections are ordered by: any officer acts for it.
pub const CUSTOMS: &str = "customs";

fn acts_as(truck: &TruckVisit, inspection_id: Uuid, actor: &Actor) -> String {
    let ordered_by_customs = truck
        .inspections
        .iter()
        .any(|i| i.inspection_id == inspection_id && i.ordered_by_party == CUSTOMS);
    if ordered_by_customs && actor.is_officer {
        CUSTOMS.to_owned()
    } else {
        actor.party.clone()
    }
}

/// A truck visit that the actor may act on: its site's terminal, or an officer.
pub fn visible(state: &State, id: Option<Uuid>, actor: &Actor) -> Result<TruckVisit, Refusal> {
    let truck = id.and_then(|id| state.truck_visits.get(&id));
    let truck = truck.filter(|truck| {
        actor.is_officer
            || state
                .site(&truck.site_id)
                .is_some_and(|site| actor.runs(site))
    });
    truck.cloned().ok_or_else(|| {
        Refusal::not_found(
            "truck visit",
            id.map(|id| id.to_string()).unwrap_or_default(),
        )
    })
}

/// The code under which customs' flag shows, for the reason of its inspection.
pub const CUSTOMS_REASON: &str = "customs asks for an inspection of the goods";
