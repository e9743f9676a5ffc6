//! A truck at a lane: in, out, or before a person. Decided from what gate knows at this instant; nobody is
//! asked while a truck waits (gate rule 10).

use chrono::{DateTime, TimeDelta, Utc};
use fabric::{Context, Fact};
use kernel::{ContainerNumber, Refusal};
use uuid::Uuid;

use super::inspections::{self, visible};
use super::state::Around;
use super::{Answer, Exit, Outcome, Rules, Seeds, State, filings, passes, reconsider};
use crate::domain::Actor;
use crate::domain::admission::{self, Leaving, Presented};
use crate::domain::arrival_list::PARTY_CHARS_MAX;
use crate::domain::condition::{self, Condition, Gravity, code};
use crate::domain::container_visit::{ContainerVisit, ContainerVisitFact, Manifest};
use crate::domain::filing::{Faults, OBSERVED_AGO_HOURS_MAX, WrittenQuantity};
use crate::domain::hold::{Hold, HoldKind, Keeper, Scope, ScopeKind};
use crate::domain::knowledge::InspectionFlag;
use crate::domain::pre_arrival::{
    self, FiledContainer, PreArrival, PreArrivalKind, Vehicle, WrittenVehicle,
};
use crate::domain::readiness::{self, ContainerView, View};
use crate::domain::site::Site;
use crate::domain::truck_visit::{
    Admission, Barrier, Completion, Departure, Evidence, Inspection, PlatesRead, TruckVisit,
    TruckVisitFact, TruckVisitState, Verdict,
};
use crate::events::publish;

/// The longest name of a lane, in characters.
const LANE_CHARS_MAX: usize = 32;
/// A truck that was let in has left the lane after so long.
const LEAVES_LANE_SECONDS: i64 = 60;

/// A truck at the way in.
#[derive(Clone, Debug)]
pub struct CheckIn {
    /// Who asks: the lane.
    pub actor: Actor,
    /// The site.
    pub site_id: String,
    /// The lane.
    pub lane: String,
    /// The truck as recognised.
    pub vehicle: Option<WrittenVehicle>,
    /// The containers it brings or came for.
    pub containers: Vec<String>,
    /// The firm that presents itself; empty if the lane did not learn it.
    pub carrier_party: String,
    /// The filing's id or number; empty: found by the plate.
    pub pre_arrival: String,
    /// The weighbridge's reading.
    pub weight: Option<WrittenQuantity>,
    /// When.
    pub observed_at: Option<DateTime<Utc>>,
    /// Which of two barriers on the way in, from 1; 0: the only one, or the second.
    pub barrier_number: u32,
}

/// A truck at the way out.
#[derive(Clone, Debug)]
pub struct CheckOut {
    /// Who asks: the lane.
    pub actor: Actor,
    /// The site.
    pub site_id: String,
    /// The truck visit; none: found by the plate.
    pub truck_visit_id: Option<Uuid>,
    /// The truck as recognised.
    pub vehicle: Option<WrittenVehicle>,
    /// The containers on the truck.
    pub containers: Vec<String>,
    /// It came for goods out of bond without a container, and leaves without them.
    pub without_goods: bool,
    /// The weighbridge's reading.
    pub weight: Option<WrittenQuantity>,
    /// When.
    pub observed_at: Option<DateTime<Utc>>,
}

/// A person's decision.
#[derive(Clone, Debug)]
pub struct DecideReview {
    /// Who decides.
    pub actor: Actor,
    /// The truck visit.
    pub truck_visit_id: Option<Uuid>,
    /// What; none if it is not said.
    pub verdict: Option<Verdict>,
    /// Why.
    pub reason: String,
    /// The version that the person saw; 0: not checked.
    pub expected_version: u64,
}

/// What a person's decision led to.
pub enum Reviewed {
    /// It was done.
    Decided(Answer, Vec<Fact>),
    /// Nothing was decided: what stands in the way is not what the person saw, and is put before him.
    ShownAnew(Refusal, Vec<Fact>),
}

/// What the lane saw, read.
struct Seen {
    vehicle: Vehicle,
    containers: Vec<ContainerNumber>,
    weight: Option<kernel::Quantity>,
    observed_at: DateTime<Utc>,
}

/// What leaves, as the lane saw it.
#[derive(Clone, Copy)]
struct Load<'a> {
    containers: &'a [ContainerNumber],
    plates: &'a PlatesRead,
    /// Bonded goods are on the truck.
    bonded_goods: bool,
}

impl Load<'_> {
    fn departure(self, now: DateTime<Utc>) -> Departure {
        Departure {
            containers: self.containers.to_vec(),
            plates: self.plates.clone(),
            bonded_goods: self.bonded_goods,
            ..Departure::at(now)
        }
    }
}

/// Whether bonded goods are on a truck that leaves: those it came for, in the container it came for or loose. Who
/// says that he leaves without them has none; a truck that was let in without a pass never had any.
fn carries_goods(truck: &TruckVisit, containers: &[ContainerNumber], without_goods: bool) -> bool {
    let came_for_goods = truck.is_inside() && truck.list_number.is_some() && !truck.second_leg;
    let loose = truck.containers.is_empty() && !without_goods;
    came_for_goods && (loose || !containers.is_empty())
}

/// What stands against opening a barrier, and what was known when that was found.
#[derive(Default)]
struct Judged {
    conditions: Vec<Condition>,
    evidence: Vec<Evidence>,
}

/// Lets in, sends away, or asks a person.
pub fn check_in(
    state: &mut State,
    command: &CheckIn,
    context: &Context<'_>,
    rules: &Rules,
) -> Outcome {
    let site = state.site(&command.site_id);
    command.actor.must_run(site, &command.site_id)?;
    let barriers = site.map_or(1, |site| site.barriers_in);
    let mut faults = Faults::default();
    if command.barrier_number > barriers {
        faults.add(
            "BARRIER_INVALID",
            "barrier_number",
            &command.barrier_number.to_string(),
            &format!("0 to {barriers}"),
            "Give the number of the barrier on the way in at which the truck stands.",
        );
    }
    let at_first = barriers > 1 && command.barrier_number == 1;
    let lane = faults.optional_text("lane", &command.lane, LANE_CHARS_MAX);
    faults.optional_text("carrier_party", &command.carrier_party, PARTY_CHARS_MAX);
    let vehicle = pre_arrival::read_vehicle(command.vehicle.as_ref(), &mut faults);
    let containers = read_containers(&command.containers, &mut faults);
    let weight = faults.mass("weight", command.weight.as_ref());
    let observed_at = faults.observed(
        "observed_at",
        command.observed_at,
        OBSERVED_AGO_HOURS_MAX,
        context.now,
    );
    let (Some(vehicle), true) = (vehicle, faults.is_empty()) else {
        return Err(filings::faulty(faults));
    };
    let seen = Seen {
        vehicle,
        containers,
        weight,
        observed_at,
    };
    let mut truck = match open_truck(state, command, &seen) {
        Some(truck) if truck.state == TruckVisitState::ManualReview => truck,
        // Seen again at the first barrier before it comes to the second.
        Some(truck) if truck.state == TruckVisitState::GatedInFirst && at_first => {
            return Ok((Answer::CheckedIn(Box::new(truck), true), Vec::new()));
        }
        Some(truck) if truck.state == TruckVisitState::GatedInFirst => TruckVisit { lane, ..truck },
        // Seen again before it left the lane (gate rule 7).
        Some(truck) if is_still_at_lane(&truck, &lane, &seen) => {
            return Ok((Answer::CheckedIn(Box::new(truck), true), Vec::new()));
        }
        Some(truck) => return Err(already_inside(&truck)),
        None => recognised(
            &command.site_id,
            &command.carrier_party,
            &seen,
            lane,
            context,
        ),
    };
    let is_new = truck.version == 0;
    let before = truck.clone();
    truck.at_first_barrier = at_first;
    take_in(&mut truck, command, &seen);
    let filing = filing_for(state, command, &seen);
    let Judged {
        conditions,
        evidence,
    } = match &filing {
        Ok(filing) => at_entry(state, &truck, filing, &seen.containers, context, rules),
        Err(condition) => Judged {
            conditions: vec![condition.clone()],
            ..Judged::default()
        },
    };
    if !is_new && truck == before && condition::same(&conditions, &truck.conditions) {
        return Ok((Answer::CheckedIn(Box::new(truck), true), Vec::new()));
    }
    let mut facts = Vec::new();
    if is_new {
        truck.version = 1;
        go_by(&mut truck, filing.as_ref().ok(), &seen.containers);
        facts.push(publish::truck_visit(
            TruckVisitFact::Arrived,
            &truck,
            seen.observed_at,
            context.now,
        ));
    } else {
        go_by(&mut truck, filing.as_ref().ok(), &seen.containers);
    }
    let fact = truck.decided_at_entry(conditions, seen.observed_at);
    let admission = admitted(Barrier::In, &command.actor, "", &[], evidence, context.now);
    facts.extend(let_in(
        state,
        (&mut truck, fact),
        &command.actor,
        admission,
        context,
        seen.observed_at,
    ));
    facts.push(publish::truck_visit(
        fact,
        &truck,
        seen.observed_at,
        context.now,
    ));
    let id = truck.truck_visit_id;
    state.truck_visits.put(id, truck);
    facts.extend(reconsider::truck(state, &id, context));
    let truck = visible(state, Some(id), &command.actor)?;
    Ok((Answer::CheckedIn(Box::new(truck), false), facts))
}

/// Lets out, keeps in, or asks a person.
pub fn check_out(
    state: &mut State,
    command: &CheckOut,
    context: &Context<'_>,
    rules: &Rules,
) -> Outcome {
    command
        .actor
        .must_run(state.site(&command.site_id), &command.site_id)?;
    let mut faults = Faults::default();
    let containers = read_containers(&command.containers, &mut faults);
    let weight = faults.mass("weight", command.weight.as_ref());
    let observed_at = faults.observed(
        "observed_at",
        command.observed_at,
        OBSERVED_AGO_HOURS_MAX,
        context.now,
    );
    if !faults.is_empty() {
        return Err(filings::faulty(faults));
    }
    let plates = command.vehicle.as_ref().map(filings::read_off);
    let plates = plates.unwrap_or_default();
    let mut facts = Vec::new();
    let mut truck = match (open_here(state, command, &plates), unrecorded(command)) {
        (Some(truck), _) => truck,
        // An empty truck always may leave, also one whose coming was not recorded (gate rule 11).
        (None, Some(vehicle)) if containers.is_empty() => {
            let seen = Seen {
                vehicle,
                containers: Vec::new(),
                weight: None,
                observed_at,
            };
            let mut truck = recognised(&command.site_id, "", &seen, String::new(), context);
            truck.version = 1;
            truck.conditions = vec![entry_not_recorded(
                &truck,
                "It left without goods, which a truck always may, and its coming was not recorded; look into how it came in.",
            )];
            facts.push(publish::truck_visit(
                TruckVisitFact::Arrived,
                &truck,
                observed_at,
                context.now,
            ));
            truck
        }
        _ => return Err(not_here(&plates)),
    };
    truck.weight_out = weight.or(truck.weight_out);
    let load = Load {
        bonded_goods: carries_goods(&truck, &containers, command.without_goods),
        containers: &containers,
        plates: &plates,
    };
    let Judged {
        mut conditions,
        evidence,
    } = at_exit(state, &truck, load, context, rules);
    if !truck.is_inside() && !containers.is_empty() {
        let not_recorded =
            entry_not_recorded(&truck, "The truck was not let in; check it in first.");
        condition::merge(&mut conditions, [not_recorded]);
    }
    if conditions.is_empty() {
        let admission = admitted(Barrier::Out, &command.actor, "", &[], evidence, context.now);
        let (departed, left) = leave(
            state,
            truck,
            load,
            (&command.actor, admission),
            (context, rules),
            observed_at,
        );
        facts.extend(left);
        let (truck, ids) = departed;
        return Ok((
            Answer::CheckedOut(Box::new(truck), Exit::LetOut, ids),
            facts,
        ));
    }
    let exit = match condition::gravest(&conditions) {
        Some(Gravity::NeedsPerson) => Exit::ManualReview,
        _ => Exit::Refused,
    };
    let asked_before = truck.departure_pending.as_ref().is_some_and(|pending| {
        pending.containers == containers
            && pending.plates == plates
            && pending.bonded_goods == load.bonded_goods
    }) && condition::same(&conditions, &truck.conditions);
    if truck.is_inside() && !asked_before {
        let fact = truck.kept_in(load.departure(context.now), conditions);
        facts.push(publish::truck_visit(fact, &truck, observed_at, context.now));
        state.truck_visits.put(truck.truck_visit_id, truck.clone());
    } else {
        truck.conditions = conditions;
    }
    Ok((Answer::CheckedOut(Box::new(truck), exit, Vec::new()), facts))
}

/// A person decides, with a reason on record.
pub fn review(
    state: &mut State,
    command: &DecideReview,
    context: &Context<'_>,
    rules: &Rules,
) -> Result<Reviewed, Refusal> {
    let mut truck = visible(state, command.truck_visit_id, &command.actor)?;
    truck.must_be_at(command.expected_version)?;
    let mut faults = Faults::default();
    let reason = faults.text("reason", &command.reason, inspections::REASON_CHARS_MAX);
    if command.verdict.is_none() {
        faults.add(
            "VERDICT_INVALID",
            "verdict",
            "",
            "LET_IN, TURN_AWAY, LET_OUT or KEEP_IN",
            "Say what was decided.",
        );
    }
    let (Some(verdict), Some(reason), true) = (command.verdict, reason, faults.is_empty()) else {
        return Err(filings::faulty(faults));
    };
    let pending = truck.departure_pending.clone();
    let pending = pending.unwrap_or_else(|| Departure::at(context.now));
    let load = Load {
        containers: &pending.containers,
        plates: &pending.plates,
        bonded_goods: pending.bonded_goods,
    };
    let Judged {
        conditions: standing,
        evidence,
    } = match verdict {
        Verdict::LetOut => at_exit(state, &truck, load, context, rules),
        Verdict::LetIn => entry_for_a_person(state, &truck, context, rules)?,
        Verdict::TurnAway | Verdict::KeepIn => Judged::default(),
    };
    truck.may_be_decided(verdict, &standing)?;
    let not_for_a_person = admission::not_for_a_person(&standing);
    if verdict == Verdict::LetIn && !not_for_a_person.is_empty() {
        return Err(Refusal::unmet(
            "NOT_ADMISSIBLE",
            "More stands in the way than a person at the gate may set aside.",
            condition::unmet(&not_for_a_person),
        ));
    }
    if !condition::were_seen(&standing, &truck.conditions) {
        return Ok(shown_anew(state, truck, verdict, standing, context));
    }
    let now = context.now;
    let mut facts = Vec::new();
    let admission = |barrier| {
        admitted(
            barrier,
            &command.actor,
            &reason,
            &standing,
            evidence.clone(),
            now,
        )
    };
    match verdict {
        Verdict::LetIn => {
            adopt_filed_trailer(state, &mut truck);
            let fact = truck.decided_at_entry(Vec::new(), now);
            facts.extend(let_in(
                state,
                (&mut truck, fact),
                &command.actor,
                admission(Barrier::In),
                context,
                now,
            ));
            facts.push(publish::truck_visit(fact, &truck, now, now));
        }
        Verdict::TurnAway => {
            let because = Condition::new(
                Gravity::Refuses,
                "DECIDED_BY_PERSON",
                truck.truck_visit_id.to_string(),
                command.actor.party.clone(),
                reason,
            );
            let mut conditions = truck.conditions.clone();
            condition::merge(&mut conditions, [because]);
            let fact = truck.decided_at_entry(conditions, now);
            facts.push(publish::truck_visit(fact, &truck, now, now));
        }
        Verdict::LetOut => {
            let (departed, told) = leave(
                state,
                truck,
                load,
                (&command.actor, admission(Barrier::Out)),
                (context, rules),
                now,
            );
            return Ok(Reviewed::Decided(
                Answer::Reviewed(Box::new(departed.0)),
                told,
            ));
        }
        Verdict::KeepIn => {
            truck.departure_pending = None;
            truck.version += 1;
            facts.push(publish::truck_visit(
                TruckVisitFact::GateOutRefused,
                &truck,
                now,
                now,
            ));
        }
    }
    let id = truck.truck_visit_id;
    state.truck_visits.put(id, truck);
    facts.extend(reconsider::truck(state, &id, context));
    let truck = visible(state, Some(id), &command.actor)?;
    Ok(Reviewed::Decided(Answer::Reviewed(Box::new(truck)), facts))
}

/// Customs asks for an inspection: at the site's inspection sites, unless one is under way or has passed.
pub fn customs_inspection(
    truck: &mut TruckVisit,
    site: &Site,
    inspection_id: Uuid,
    at: DateTime<Utc>,
) {
    let answers_this_ask = |inspection: &Inspection| {
        inspection.ordered_by_party == inspections::CUSTOMS && inspection.asked_until.is_none()
    };
    if truck.inspections.iter().any(answers_this_ask) {
        return;
    }
    let sites = if site.inspection_sites.is_empty() {
        vec![inspections::CUSTOMS.to_owned()]
    } else {
        site.inspection_sites.clone()
    };
    truck.inspections.push(Inspection {
        inspection_id,
        reason: inspections::CUSTOMS_REASON.to_owned(),
        ordered_by_party: inspections::CUSTOMS.to_owned(),
        ordered_by_subject: String::new(),
        ordered_by_officer: false,
        ordered_at: at,
        steps: inspections::steps(sites),
        ended_at: None,
        end_reason: String::new(),
        admitted_with: false,
        asked_until: None,
    });
}

/// Customs no longer asks: whoever ordered it has ended it.
pub fn customs_asks_no_more(truck: &mut TruckVisit, now: DateTime<Utc>) {
    let ordered = truck.inspections.iter_mut();
    for inspection in
        ordered.filter(|i| i.asked_until.is_none() && i.ordered_by_party == inspections::CUSTOMS)
    {
        inspection.asked_until = Some(now);
        if inspection.is_open() {
            inspection.ended_at = Some(now);
            "customs asks for it no longer".clone_into(&mut inspection.end_reason);
        }
    }
}

/// Something stands in the way that was not there when the person looked: it is put before the person, and
/// nothing is decided (gate rule 11).
fn shown_anew(
    state: &mut State,
    mut truck: TruckVisit,
    verdict: Verdict,
    standing: Vec<Condition>,
    context: &Context<'_>,
) -> Reviewed {
    let unmet = condition::unmet(&standing);
    let fact = match truck.departure_pending.take() {
        Some(pending) if verdict == Verdict::LetOut => truck.kept_in(pending, standing),
        _ => truck.decided_at_entry(standing, context.now),
    };
    let refusal = Refusal::unmet(
        "CONDITIONS_CHANGED",
        "Something else stands in the way than when the truck was last looked at; read the reasons and decide again.",
        unmet,
    )
    .with_metadata("current_version", truck.version.to_string());
    let facts = vec![publish::truck_visit(fact, &truck, context.now, context.now)];
    state.truck_visits.put(truck.truck_visit_id, truck);
    Reviewed::ShownAnew(refusal, facts)
}

/// What stands against letting a truck in that waits for a person.
fn entry_for_a_person(
    state: &State,
    truck: &TruckVisit,
    context: &Context<'_>,
    rules: &Rules,
) -> Result<Judged, Refusal> {
    let filing = truck
        .pre_arrival_id
        .and_then(|id| state.pre_arrivals.get(&id));
    let Some(filing) = filing else {
        return Err(Refusal::unmet(
            "NOT_ADMISSIBLE",
            "No filing was found for the truck; scan its number and check it in again.",
            condition::unmet(&truck.conditions),
        ));
    };
    let containers: Vec<ContainerNumber> = truck
        .containers
        .iter()
        .map(|container| container.number.clone())
        .collect();
    Ok(at_entry(state, truck, filing, &containers, context, rules))
}

fn at_entry(
    state: &State,
    truck: &TruckVisit,
    filing: &PreArrival,
    containers: &[ContainerNumber],
    context: &Context<'_>,
    rules: &Rules,
) -> Judged {
    let Some(site) = state.site(&truck.site_id) else {
        return Judged::default();
    };
    let whole = view_at_entry(state, truck, Around::filing(filing), context);
    // A pass is for the whole of its goods.
    let is_part = filing.list_number().is_none()
        && containers.len() < filing.containers.len()
        && admission::is_part_of(containers, filing);
    let (view, others_are_blocked) = if is_part {
        let part = Around::part_of_filing(filing, containers);
        let part = view_at_entry(state, truck, part, context);
        let of_all = readiness::conditions(filing.kind, &whole);
        let of_part = readiness::conditions(filing.kind, &part);
        let others_are_blocked = !condition::were_seen(&of_all, &of_part);
        (part, others_are_blocked)
    } else {
        (whole, false)
    };
    let presented = Presented {
        vehicle: &truck.vehicle,
        containers,
        weight: truck.weight_in.as_ref(),
        others_are_blocked,
        skipped_first_barrier: site.barriers_in > 1
            && !truck.at_first_barrier
            && truck.first_barrier_at.is_none(),
    };
    Judged {
        conditions: admission::at_entry(
            &presented,
            filing,
            &view,
            site,
            rules.decision_age_max,
            context.now,
        ),
        evidence: admission::evidence(&view),
    }
}

fn view_at_entry<'a>(
    state: &'a State,
    truck: &'a TruckVisit,
    filed: Around<'a>,
    context: &Context<'_>,
) -> View<'a> {
    let plates = filed.plates.iter().copied();
    let around = Around {
        plates: plates.chain(truck.vehicle.plates()).collect(),
        carrier: truck.carrier_party.as_deref(),
        ..filed
    };
    state.view(around, context)
}

/// Of two containers one may be held: the other leaves alone.
fn at_exit(
    state: &State,
    truck: &TruckVisit,
    load: Load<'_>,
    context: &Context<'_>,
    rules: &Rules,
) -> Judged {
    let Some(site) = state.site(&truck.site_id) else {
        return Judged::default();
    };
    let known = Around::truck(truck);
    let view = state.view(
        Around {
            containers: load.containers.iter().collect(),
            plates: known.plates.into_iter().chain(load.plates.iter()).collect(),
            ..known
        },
        context,
    );
    let leaving = Leaving {
        containers: load.containers,
        plates: load.plates,
        bonded_goods: load.bonded_goods,
        weight: truck.weight_out.as_ref(),
    };
    Judged {
        conditions: admission::at_exit(truck, &leaving, &view, site, rules.decision_age_max),
        evidence: admission::evidence(&view),
    }
}

/// A barrier on the way in has opened, or not: the decision and what it stood on are kept.
fn let_in(
    state: &mut State,
    (truck, fact): (&mut TruckVisit, TruckVisitFact),
    actor: &Actor,
    admission: Admission,
    context: &Context<'_>,
    at: DateTime<Utc>,
) -> Vec<Fact> {
    match fact {
        TruckVisitFact::GatedIn => {
            truck.admitted(admission);
            enter(state, truck, actor, context, at)
        }
        TruckVisitFact::GatedInFirst => {
            truck.admitted(admission);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// The truck goes in: the filing is used, a container that it brings begins its stay.
fn enter(
    state: &mut State,
    truck: &mut TruckVisit,
    actor: &Actor,
    context: &Context<'_>,
    at: DateTime<Utc>,
) -> Vec<Fact> {
    let asked = {
        let view = state.view_of_truck(truck, context);
        view.containers.iter().map(ContainerView::inspection).max()
    };
    if asked == Some(InspectionFlag::Yes)
        && let Some(site) = state.site(&truck.site_id)
    {
        // Let in with the truck routed to the first inspection site (gate rule 1).
        customs_inspection(truck, site, context.new_id(), context.now);
    }
    truck.routed_to_inspections();
    let mut facts = Vec::new();
    if let Some(id) = truck.pre_arrival_id
        && let Some(filing) = state.pre_arrivals.edit(&id)
    {
        let fact = filing.used(truck.truck_visit_id);
        facts.extend(fact.map(|fact| publish::pre_arrival(fact, filing, context.now)));
    }
    facts.extend(passes::gone_in(state, truck, at, context));
    if truck.brings() {
        facts.extend(bring(state, truck, actor, context, at));
    }
    if truck.second_leg
        && let Some(list) = truck.list_number.as_deref()
    {
        facts.extend(passes::unstuffed(state, list, context));
    }
    facts
}

/// The containers that it brings begin their stays. A laden one's says on which declarations it came: that is
/// the arrival of their goods.
fn bring(
    state: &mut State,
    truck: &mut TruckVisit,
    actor: &Actor,
    context: &Context<'_>,
    at: DateTime<Utc>,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut seeds = Seeds::default();
    let truck_id = truck.truck_visit_id.to_string();
    // Goods out of bond are stuffed into the container that the truck brings for them.
    let empty = truck.kind != Some(PreArrivalKind::FullIn) && !truck.second_leg;
    let came_on: Vec<Vec<String>> = {
        let filing = truck.pre_arrival_id.map(|id| state.pre_arrivals.get(&id));
        let view = filing
            .flatten()
            .map(|filing| state.view_of_filing(filing, context));
        let of = |container: &FiledContainer| {
            let references = view.iter().flat_map(|view| &view.references);
            let its = references.filter(|reference| reference.may_be_of(&container.number));
            its.map(|reference| reference.written.to_owned()).collect()
        };
        truck.containers.iter().map(of).collect()
    };
    for (container, document_references) in truck.containers.iter_mut().zip(came_on) {
        let last = state.last_visit(&truck.site_id, container.number.as_str());
        if last.is_some_and(ContainerVisit::is_open) {
            continue;
        }
        let ordinal = ContainerVisit::next_ordinal(last, state.epoch);
        let manifest = Manifest {
            size_type: container.size_type.clone(),
            seals: container.seals.clone(),
            empty,
            ..Manifest::default()
        };
        let visit = ContainerVisit {
            document_references,
            verified_mass: container.verified_mass.clone(),
            list_number: truck.list_number.clone().filter(|_| truck.second_leg),
            ..ContainerVisit::brought(
                &truck.site_id,
                container.number.clone(),
                ordinal,
                manifest,
                &truck_id,
                at,
            )
        };
        container.container_visit_id = Some(visit.id.as_str().to_owned());
        facts.push(publish::container_visit(
            ContainerVisitFact::Arrived,
            &visit,
            &actor.party,
            at,
            context.now,
        ));
        seeds
            .containers
            .insert(container.number.as_str().to_owned());
        state.visits.put(visit.id.as_str().to_owned(), visit);
    }
    facts.extend(reconsider::concerned(state, &seeds, context));
    facts
}

/// The truck leaves: stays of the containers on it are over, its own too.
fn leave(
    state: &mut State,
    mut truck: TruckVisit,
    load: Load<'_>,
    (actor, admission): (&Actor, Admission),
    (context, rules): (&Context<'_>, &Rules),
    at: DateTime<Utc>,
) -> ((TruckVisit, Vec<String>), Vec<Fact>) {
    truck.admitted(admission);
    if !truck.is_inside() {
        let fact = truck.left_undecided();
        let facts = vec![publish::truck_visit(fact, &truck, at, context.now)];
        state.truck_visits.put(truck.truck_visit_id, truck.clone());
        return ((truck, Vec::new()), facts);
    }
    let mut facts = Vec::new();
    let mut departed = Vec::new();
    let mut seeds = Seeds::default();
    for number in load.containers {
        let Some(visit) = state.open_visit(&truck.site_id, number.as_str()) else {
            continue;
        };
        let gone = visit.departed(&truck.truck_visit_id.to_string(), at);
        facts.push(publish::container_visit(
            ContainerVisitFact::Departed,
            &gone,
            &actor.party,
            at,
            context.now,
        ));
        departed.push(gone.id.as_str().to_owned());
        seeds.containers.insert(number.as_str().to_owned());
        state.visits.put(gone.id.as_str().to_owned(), gone);
    }
    truck.left(at);
    facts.push(publish::truck_visit(
        TruckVisitFact::GatedOut,
        &truck,
        at,
        context.now,
    ));
    truck.closed(Completion::Observed);
    facts.push(publish::truck_visit(
        TruckVisitFact::Closed,
        &truck,
        at,
        context.now,
    ));
    state.truck_visits.put(truck.truck_visit_id, truck.clone());
    let with_goods = load.bonded_goods;
    facts.extend(passes::gone_out(
        state,
        &truck,
        with_goods,
        at,
        (context, rules),
    ));
    facts.extend(hold_misdeclared(state, &truck, actor, &mut seeds, context));
    facts.extend(reconsider::concerned(state, &seeds, context));
    ((truck, departed), facts)
}

/// The truck has put down something else than was verified: it is empty and leaves, but what it put down waits
/// for a person of the terminal, who lifts the hold once it is weighed again (gate rule 5).
fn hold_misdeclared(
    state: &mut State,
    truck: &TruckVisit,
    actor: &Actor,
    seeds: &mut Seeds,
    context: &Context<'_>,
) -> Vec<Fact> {
    let Some(site) = state.site(&truck.site_id) else {
        return Vec::new();
    };
    let Some((put_down, verified)) = admission::put_down_otherwise(truck, site) else {
        return Vec::new();
    };
    let terminal = site.terminal_party.clone();
    let brought: Vec<ContainerVisit> = truck
        .containers
        .iter()
        .filter_map(|container| state.open_visit(&truck.site_id, container.number.as_str()))
        .filter(|visit| visit.arrived_with.as_deref() == Some(&truck.truck_visit_id.to_string()))
        .cloned()
        .collect();
    let mut facts = Vec::new();
    for visit in brought {
        let hold = Hold {
            keeper: Keeper::Gate,
            hold_id: context.new_id().to_string(),
            scope: Scope::new(ScopeKind::ContainerVisit, visit.id.as_str()),
            kind: HoldKind::Safety,
            placed_by_party: terminal.clone(),
            placed_by_subject: actor.subject.clone(),
            reason: format!("the truck put down {put_down}, and {verified} was verified"),
            placed_at: context.now,
            lifted: None,
            event_id: String::new(),
        };
        facts.push(publish::hold(&hold, context.now));
        seeds.containers.insert(visit.container.as_str().to_owned());
        state.holds.put(hold.key(), hold);
    }
    facts
}

pub(super) fn admitted(
    barrier: Barrier,
    actor: &Actor,
    reason: &str,
    set_aside: &[Condition],
    evidence: Vec<Evidence>,
    now: DateTime<Utc>,
) -> Admission {
    Admission {
        barrier,
        decided_at: now,
        decided_by_subject: actor.subject.clone(),
        reason: reason.to_owned(),
        conditions_overridden: if reason.is_empty() {
            Vec::new()
        } else {
            set_aside.to_vec()
        },
        evidence,
        contra: false,
    }
}

/// A truck of this plate whose visit is not over at this site.
fn open_truck(state: &State, command: &CheckIn, seen: &Seen) -> Option<TruckVisit> {
    let here = state.truck_visits.iter().map(|(_, truck)| truck);
    here.filter(|truck| truck.is_open() && truck.site_id == command.site_id)
        .find(|truck| truck.vehicle.tractor.as_str() == seen.vehicle.tractor.as_str())
        .cloned()
}

/// Whether the truck was let in at this lane a moment ago.
fn is_still_at_lane(truck: &TruckVisit, lane: &str, seen: &Seen) -> bool {
    let since = truck.gated_in_at.map(|at| seen.observed_at - at);
    truck.lane == lane
        && since.is_some_and(|since| since <= TimeDelta::seconds(LEAVES_LANE_SECONDS))
}

fn already_inside(truck: &TruckVisit) -> Refusal {
    let condition = Condition::new(
        Gravity::Refuses,
        code::TRUCK_ALREADY_INSIDE,
        truck.truck_visit_id.to_string(),
        "terminal",
        "A truck of this plate is recorded as being inside; look at the plate, or record its going out first.",
    );
    Refusal::unmet(
        code::TRUCK_ALREADY_INSIDE,
        "A truck of this plate is recorded as being inside.",
        condition::unmet(&[condition]),
    )
}

/// What the lane read and learnt. What it read or learnt while the truck waited need not be read again: a
/// weight, the trailer, for whom the driver comes.
fn take_in(truck: &mut TruckVisit, command: &CheckIn, seen: &Seen) {
    if let Some(trailer) = &seen.vehicle.trailer {
        truck.vehicle.trailer = Some(trailer.clone());
    }
    if let Some(weight) = &seen.weight {
        truck.weight_in = Some(weight.clone());
    }
    if let Some(carrier) = carrier(&command.carrier_party) {
        truck.carrier_party = Some(carrier);
    }
}

/// The trailer that no lane read and a person saw is the one filed: a hold on it finds the truck.
fn adopt_filed_trailer(state: &State, truck: &mut TruckVisit) {
    let filing = truck
        .pre_arrival_id
        .and_then(|id| state.pre_arrivals.get(&id));
    if let (None, Some(filing)) = (&truck.vehicle.trailer, filing) {
        truck.vehicle.trailer.clone_from(&filing.vehicle.trailer);
    }
}

fn entry_not_recorded(truck: &TruckVisit, description: &str) -> Condition {
    Condition::new(
        Gravity::Refuses,
        code::ENTRY_NOT_RECORDED,
        truck.truck_visit_id.to_string(),
        "terminal",
        description,
    )
}

fn carrier(written: &str) -> Option<String> {
    Some(written.trim().to_owned()).filter(|carrier| !carrier.is_empty())
}

fn recognised(
    site_id: &str,
    carrier_party: &str,
    seen: &Seen,
    lane: String,
    context: &Context<'_>,
) -> TruckVisit {
    TruckVisit {
        truck_visit_id: context.new_id(),
        version: 0,
        state: TruckVisitState::ManualReview,
        conditions: Vec::new(),
        site_id: site_id.to_owned(),
        lane,
        vehicle: seen.vehicle.clone(),
        pre_arrival_id: None,
        kind: None,
        haulier_party: None,
        carrier_party: carrier(carrier_party),
        containers: Vec::new(),
        weight_in: None,
        weight_out: None,
        inspections: Vec::new(),
        departure_pending: None,
        arrived_at: seen.observed_at,
        gated_in_at: None,
        gated_out_at: None,
        admissions: Vec::new(),
        at_first_barrier: false,
        first_barrier_at: None,
        completion: None,
        list_number: None,
        second_leg: false,
    }
}

fn go_by(truck: &mut TruckVisit, filing: Option<&PreArrival>, presented: &[ContainerNumber]) {
    if let Some(filing) = filing {
        truck.pre_arrival_id = Some(filing.pre_arrival_id);
        truck.kind = Some(filing.kind);
        truck.haulier_party = Some(filing.haulier_party.clone());
        truck.list_number = filing.list_number().map(str::to_owned);
        truck.second_leg = filing.on_the_road_since.is_some();
        truck.containers = filing.containers.clone();
        if admission::is_part_of(presented, filing) {
            let on_it = |filed: &FiledContainer| presented.contains(&filed.number);
            truck.containers.retain(on_it);
        }
    }
}

/// The filing the truck comes on: the one it shows, or the one that its plate and containers lead to.
fn filing_for(state: &State, command: &CheckIn, seen: &Seen) -> Result<PreArrival, Condition> {
    let shown = command.pre_arrival.trim();
    let at_site = state
        .pre_arrivals
        .iter()
        .map(|(_, filing)| filing)
        .filter(|filing| filing.next_site_id() == command.site_id);
    let plate = seen.vehicle.tractor.as_str();
    let found: Vec<&PreArrival> = if shown.is_empty() {
        at_site
            .filter(|filing| filing.is_open() && filing.vehicle.tractor.as_str() == plate)
            .collect()
    } else {
        at_site
            .filter(|filing| {
                let pass = filing.pass_number.as_ref();
                filing.number.eq_ignore_ascii_case(shown)
                    || pass.is_some_and(|pass| pass.as_str().eq_ignore_ascii_case(shown))
                    || filing
                        .pre_arrival_id
                        .to_string()
                        .eq_ignore_ascii_case(shown)
            })
            .collect()
    };
    let named = |filing: &&&PreArrival| {
        filing.containers.len() == seen.containers.len()
            && filing
                .containers
                .iter()
                .all(|container| seen.containers.contains(&container.number))
    };
    let fitting: Vec<&PreArrival> = found.iter().filter(named).copied().collect();
    match (&found[..], &fitting[..]) {
        ([], _) => Err(Condition::new(
            Gravity::Refuses,
            code::NO_PRE_ARRIVAL,
            plate,
            "haulier",
            "Nothing is filed for this truck; the haulier files a pre-arrival.",
        )),
        ([one], _) => Ok((*one).clone()),
        (_, [one]) => Ok((*one).clone()),
        (of_truck, fitting) => Err(Condition::new(
            Gravity::NeedsPerson,
            code::PRE_ARRIVAL_AMBIGUOUS,
            plate,
            "terminal",
            format!(
                "{} filings fit; scan the number of the right one.",
                match fitting.len() {
                    0 => of_truck.len(),
                    of_containers => of_containers,
                }
            ),
        )),
    }
}

/// The truck visit that asks to leave.
fn open_here(state: &State, command: &CheckOut, read: &PlatesRead) -> Option<TruckVisit> {
    let trucks = state.truck_visits.iter().map(|(_, truck)| truck);
    let mut here = trucks.filter(|truck| truck.site_id == command.site_id && truck.is_open());
    let found = match (command.truck_visit_id, &read.tractor) {
        (Some(id), _) => here.find(|truck| truck.truck_visit_id == id),
        (None, Some(plate)) => here.find(|truck| truck.vehicle.tractor.as_str() == plate),
        (None, None) => None,
    };
    found.cloned()
}

/// The truck as recognised, where the lane names no visit.
fn unrecorded(command: &CheckOut) -> Option<Vehicle> {
    let vehicle = command
        .vehicle
        .as_ref()
        .filter(|_| command.truck_visit_id.is_none());
    pre_arrival::read_vehicle(vehicle, &mut Faults::default())
}

fn not_here(read: &PlatesRead) -> Refusal {
    let condition = Condition::new(
        Gravity::Refuses,
        code::ENTRY_NOT_RECORDED,
        read.tractor.clone().unwrap_or_default(),
        "terminal",
        "Its coming was not recorded, or it has left already.",
    );
    Refusal::unmet(
        "TRUCK_NOT_HERE",
        "No truck visit of this truck is open at this site; check it in first.",
        condition::unmet(&[condition]),
    )
}

/// The containers that can be read, as the tables spell them.
pub fn readable(written: &[String]) -> impl Iterator<Item = String> + '_ {
    written
        .iter()
        .filter_map(|number| ContainerNumber::parse(number).ok())
        .map(|number| number.as_str().to_owned())
}

fn read_containers(written: &[String], faults: &mut Faults) -> Vec<ContainerNumber> {
    if written.len() > pre_arrival::CONTAINERS_MAX {
        faults.add(
            "TOO_MANY",
            "container_numbers",
            &written.len().to_string(),
            "at most 2 containers",
            "A truck carries one container, or two of twenty feet.",
        );
        return Vec::new();
    }
    written
        .iter()
        .enumerate()
        .filter_map(|(index, number)| {
            faults.container(&format!("container_numbers[{index}]"), number)
        })
        .collect()
}
