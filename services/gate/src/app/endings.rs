//! How a truck visit ends where no way out saw it: a check-in that was a mistake is taken back by a contra
//! entry (gate rule 16), and a truck that nobody saw leave is taken for gone after a time-out (gate rule 15).

use fabric::{Context, Fact};
use kernel::Refusal;
use uuid::Uuid;

use super::inspections::{self, visible};
use super::{Answer, Outcome, Rules, Seeds, State, filings, lane, passes, reconsider};
use crate::domain::Actor;
use crate::domain::container_visit::{ContainerVisit, ContainerVisitFact};
use crate::domain::filing::Faults;
use crate::domain::pre_arrival::{PreArrivalKind, PreArrivalState};
use crate::domain::truck_visit::{self, Admission, Barrier, TruckVisit};
use crate::events::publish;

/// A check-in was a mistake.
#[derive(Clone, Debug)]
pub struct CorrectCheckIn {
    /// Who corrects.
    pub actor: Actor,
    /// The truck visit.
    pub truck_visit_id: Option<Uuid>,
    /// Why.
    pub reason: String,
    /// The version that the person saw; 0: not checked.
    pub expected_version: u64,
}

/// Takes it back: the truck visit is over, what it brought is not here, its filing is open again.
pub fn correct(state: &mut State, command: &CorrectCheckIn, context: &Context<'_>) -> Outcome {
    let mut truck = visible(state, command.truck_visit_id, &command.actor)?;
    truck.must_be_at(command.expected_version)?;
    let mut faults = Faults::default();
    let reason = faults.text("reason", &command.reason, inspections::REASON_CHARS_MAX);
    let Some(reason) = reason else {
        return Err(filings::faulty(faults));
    };
    let now = context.now;
    let contra = Admission {
        contra: true,
        ..lane::admitted(Barrier::In, &command.actor, &reason, &[], Vec::new(), now)
    };
    let fact = truck.check_in_corrected(contra)?;
    let mut seeds = Seeds::default();
    let mut facts = Vec::new();
    for visit in brought(state, &truck)? {
        let never = visit.never_came();
        facts.push(publish::container_visit(
            ContainerVisitFact::ShortLanded,
            &never,
            &command.actor.party,
            now,
            now,
        ));
        seeds.containers.insert(never.container.as_str().to_owned());
        state.visits.put(never.id.as_str().to_owned(), never);
    }
    facts.push(publish::truck_visit(fact, &truck, now, now));
    let id = truck.truck_visit_id;
    state.truck_visits.put(id, truck.clone());
    passes::no_longer_in(state, &truck);
    if let Some(filing_id) = truck.pre_arrival_id
        && let Some(filing) = state.pre_arrivals.get(&filing_id)
        && filing.state == PreArrivalState::Used
        && filing.truck_visit_id == Some(id)
    {
        let mut filing = filing.clone();
        filing.reopened();
        state.pre_arrivals.put(filing_id, filing);
        facts.extend(reconsider::filing(state, &filing_id, context));
    }
    facts.extend(reconsider::concerned(state, &seeds, context));
    Ok((Answer::CheckInCorrected(Box::new(truck)), facts))
}

/// The stays that began with this truck. Goods that have passed on since do not come back by a correction.
fn brought(state: &State, truck: &TruckVisit) -> Result<Vec<ContainerVisit>, Refusal> {
    let mut stays = Vec::new();
    if !truck.brings() {
        return Ok(stays);
    }
    let truck_id = truck.truck_visit_id.to_string();
    for container in &truck.containers {
        let Some(stay) = &container.container_visit_id else {
            continue;
        };
        let here = state.open_visit(&truck.site_id, container.number.as_str());
        let here = here.filter(|visit| visit.id.as_str() == stay);
        match here.filter(|visit| visit.loaded.is_none()) {
            Some(visit) if visit.arrived_with.as_deref() == Some(&truck_id) => {
                stays.push(visit.clone());
            }
            // It stood here before, to be taken out of bond.
            Some(_) if truck.kind == Some(PreArrivalKind::BondExit) => {}
            _ => {
                return Err(truck_visit::check_in_final(format!(
                    "{stay} has been loaded or has left since: the check-in that began it stands."
                )));
            }
        }
    }
    Ok(stays)
}

/// Takes trucks for gone that were let in long ago. A container that one came for is still here as far as anybody
/// saw: its stay is left as it is.
pub fn infer(state: &mut State, context: &Context<'_>, rules: &Rules) -> Vec<Fact> {
    let long_ago = context.now - rules.gone_after;
    let mut gone = Vec::new();
    for (_, truck) in state.truck_visits.iter() {
        let mut truck = truck.clone();
        if let Some(fact) = truck.inferred_gone(long_ago) {
            gone.push((fact, truck));
        }
    }
    let mut facts = Vec::new();
    for (fact, truck) in gone {
        facts.push(publish::truck_visit(fact, &truck, context.now, context.now));
        facts.extend(passes::inferred_gone(state, &truck, context));
        state.truck_visits.put(truck.truck_visit_id, truck);
    }
    facts
}
