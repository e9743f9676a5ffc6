//! What stands against opening a barrier, decided from what gate knows at this instant (gate rules 1, 2, 5,
//! 10, 11, 13, 14). It must not know what becomes of the truck: `truck_visit` does.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, Plate, QUANTITY_FRACTION_DIGITS_MAX, Quantity, UnitCode};
use rust_decimal::Decimal;

use super::condition::{Condition, Gravity, code, merge};
use super::container_visit::{ContainerVisit, Phase};
use super::hold::Keeper;
use super::knowledge::{InspectionFlag, Told};
use super::list_passage::ListLine;
use super::pre_arrival::{FiledContainer, PreArrival, PreArrivalKind, PreArrivalState, Vehicle};
use super::readiness::{self, ListView, Source, View};
use super::site::{Site, WeightPolicy};
use super::truck_visit::{Evidence, Inspection, PlatesRead, TruckVisit};

/// A truck at the way in.
#[derive(Clone, Debug)]
pub struct Presented<'a> {
    /// The truck as recognised.
    pub vehicle: &'a Vehicle,
    /// The containers it brings or came for.
    pub containers: &'a [ContainerNumber],
    /// The weighbridge's reading.
    pub weight: Option<&'a Quantity>,
    /// What is filed and not presented is kept from coming: of two the one that is free may enter alone.
    pub others_are_blocked: bool,
    /// It stands at the second of two barriers, and was not seen at the first.
    pub skipped_first_barrier: bool,
}

/// A truck at the way out.
#[derive(Clone, Debug)]
pub struct Leaving<'a> {
    /// The containers on it: of two the one that is free may leave alone.
    pub containers: &'a [ContainerNumber],
    /// Its plates as read.
    pub plates: &'a PlatesRead,
    /// Bonded goods are on it, in a container or without.
    pub bonded_goods: bool,
    /// The weighbridge's reading.
    pub weight: Option<&'a Quantity>,
}

impl Leaving<'_> {
    /// Nothing is on it that would have to be decided about (gate rule 11).
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty() && !self.bonded_goods
    }
}

/// Everything against letting a truck in on this filing. A full-out on knowledge older than the age goes to a
/// person (gate rule 10).
pub fn at_entry(
    presented: &Presented<'_>,
    pre_arrival: &PreArrival,
    view: &View<'_>,
    site: &Site,
    age_max: Duration,
    now: DateTime<Utc>,
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    // A filing whose time is over has expired, whether or not the timer has come round to it.
    let expired = pre_arrival.is_open() && pre_arrival.expires_at <= now;
    if expired || !pre_arrival.is_open() {
        let state = if expired {
            PreArrivalState::Expired
        } else {
            pre_arrival.state
        };
        conditions.push(Condition::new(
            Gravity::Refuses,
            code::PRE_ARRIVAL_OVER,
            pre_arrival.number.clone(),
            pre_arrival.haulier_party.clone(),
            format!(
                "The filing is {}; the haulier files a new one.",
                state.as_str()
            ),
        ));
        return conditions;
    }
    merge(
        &mut conditions,
        readiness::conditions(pre_arrival.kind, view),
    );
    merge(
        &mut conditions,
        of_plates(presented.vehicle, &pre_arrival.vehicle),
    );
    merge(&mut conditions, of_containers(presented, pre_arrival));
    merge(&mut conditions, of_first_barrier(presented));
    merge(&mut conditions, of_carrier(view, pre_arrival));
    match presented.weight {
        None if pre_arrival.kind != PreArrivalKind::EmptyVehicle => {
            merge(&mut conditions, of_missing_weight(site));
        }
        Some(weight) if pre_arrival.kind == PreArrivalKind::FullIn => {
            merge(
                &mut conditions,
                of_lightness(presented, pre_arrival, weight, site),
            );
        }
        _ => {}
    }
    merge(&mut conditions, of_unknown(view));
    merge(&mut conditions, of_unsure(pre_arrival.kind, view, age_max));
    conditions
}

/// What leaves on a decision of release leaves on knowledge that is fresh, and of no inspection. Goods on the
/// road have left already.
fn of_unsure(kind: PreArrivalKind, view: &View<'_>, age_max: Duration) -> Vec<Condition> {
    let mut conditions = Vec::new();
    if !kind.leaves_on_decision() || view.is_on_the_road() {
        return conditions;
    }
    merge(&mut conditions, of_age(view, age_max));
    // Customs releases a list's goods out of bond as a whole, in whatever container they travel.
    if kind != PreArrivalKind::BondExit {
        merge(&mut conditions, of_unknown_inspections(view));
    }
    conditions
}

/// What no person at the gate sets aside on the way in: everything but what only a person can tell.
pub fn not_for_a_person(conditions: &[Condition]) -> Vec<Condition> {
    let graver = |condition: &&Condition| condition.gravity > Gravity::NeedsPerson;
    conditions.iter().filter(graver).cloned().collect()
}

/// Everything that came against a truck since it went in: holds, inspections, a release that fell away. An
/// inspection that it was let in with is on its way and recalls nobody.
pub fn while_inside(visit: &TruckVisit, view: &View<'_>) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = readiness::of_holds(view).collect();
    // Marked, and not told by their times: those of a lane are its own clock's.
    let since_entry = |inspection: &&Inspection| !inspection.admitted_with;
    merge(&mut conditions, of_open_inspections(visit, since_entry));
    match visit.kind {
        Some(PreArrivalKind::FullOut) => merge(&mut conditions, of_decisions(visit, view)),
        Some(kind) => merge(&mut conditions, readiness::of_list(kind, view)),
        None => {}
    }
    conditions
}

/// Everything against letting a truck out with these containers. Without any it always may (gate rule 11).
pub fn at_exit(
    visit: &TruckVisit,
    leaving: &Leaving<'_>,
    view: &View<'_>,
    site: &Site,
    age_max: Duration,
) -> Vec<Condition> {
    if leaving.is_empty() {
        return of_claimed_emptiness(visit, leaving, site);
    }
    let mut conditions = while_inside(visit, view);
    merge(&mut conditions, of_open_inspections(visit, |_| true));
    merge(&mut conditions, of_other_plates(leaving.plates, visit));
    if let Some(kind) = visit.kind {
        merge(&mut conditions, readiness::conditions(kind, view));
    }
    let stays = view.containers.iter().filter_map(|c| c.visit);
    merge(&mut conditions, stays.filter_map(readiness::of_absence));
    merge(&mut conditions, of_nomination(view));
    for number in leaving.containers {
        let filed = visit.containers.iter().any(|filed| filed.number == *number);
        if !filed || !visit.picks_up() {
            merge(
                &mut conditions,
                [Condition::new(
                    Gravity::Refuses,
                    code::CONTAINER_NOT_FILED,
                    number.as_str(),
                    "terminal",
                    "The truck did not come for this container; put it down, or file for it.",
                )],
            );
        }
    }
    merge(&mut conditions, of_unknown(view));
    if let Some(kind) = visit.kind {
        merge(&mut conditions, of_unsure(kind, view, age_max));
    }
    if view.list.is_some() {
        merge(&mut conditions, of_whole_pass(leaving, visit));
    }
    match leaving.weight {
        None => merge(&mut conditions, of_missing_weight(site)),
        Some(weight) => merge(&mut conditions, of_load(visit, leaving, view, weight, site)),
    }
    conditions
}

/// Everything against lifting a container onto a train or barge. Nobody sets anything aside: what cannot be
/// known waits in the yard until it is.
pub fn at_loading(
    container: &readiness::ContainerView<'_>,
    view: &View<'_>,
    age_max: Duration,
) -> Vec<Condition> {
    let mut conditions = readiness::against_loading(container, view);
    let Some(visit) = container.visit else {
        return conditions;
    };
    merge(&mut conditions, readiness::of_not_arrived(visit));
    merge(&mut conditions, of_unknown(view));
    if !visit.manifest.empty {
        merge(&mut conditions, of_age(view, age_max));
        merge(&mut conditions, of_unknown_inspections(view));
    }
    conditions
}

/// What a truck put down, where both weights were read, if it is not what was verified (gate rule 5): the
/// weight in less the weight out, and the sum of the verified masses.
pub fn put_down_otherwise(visit: &TruckVisit, site: &Site) -> Option<(Quantity, Quantity)> {
    if visit.kind != Some(PreArrivalKind::FullIn) {
        return None;
    }
    let (weight_in, weight_out) = (visit.weight_in.as_ref()?, visit.weight_out.as_ref()?);
    let verified = verified_mass(&visit.containers)?;
    // Nothing less than nothing was put down.
    let put_down = weight_in.checked_sub(weight_out).ok();
    let agrees = put_down
        .as_ref()
        .is_some_and(|put_down| site.weight.tolerates(&verified, put_down));
    let put_down = put_down.or_else(|| weight_in.checked_sub(weight_in).ok())?;
    (!agrees).then_some((put_down, verified))
}

/// What was known, for the record: each fact with its version and the age of its own source (gate rule 13).
pub fn evidence(view: &View<'_>) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for container in &view.containers {
        if let Some(visit) = container.visit {
            evidence.push(Evidence {
                subject: format!("container-visit/{}", visit.id),
                value: visit.phase.as_str().to_owned(),
                event_id: String::new(),
                version: visit.version,
                knowledge_age_millis: None,
            });
        }
        if let Some(decision) = container.decision {
            let value = format!("{} {}", decision.state.as_str(), decision.haulier_party);
            evidence.push(told(
                format!("decision/{}", decision.container_visit_id),
                value.trim_end(),
                &decision.told,
                view.age("release.decision", &decision.container_visit_id),
            ));
        }
        if let Some(clearance) = container.clearance {
            let key = format!("container/{}", clearance.container_number);
            evidence.push(told(
                format!("clearance/{}", clearance.container_number),
                &format!("inspection {}", container.inspection().as_str()),
                &clearance.told,
                view.age("customs.clearance", &key),
            ));
        }
    }
    if let Some(list) = &view.list {
        evidence.extend(of_list_known(list, view));
    }
    for declaration in view.references.iter().flat_map(|r| &r.declarations) {
        evidence.push(told(
            format!("declaration/{}", declaration.declaration_id),
            declaration.state.as_str(),
            &declaration.told,
            view.age("customs.declaration", &declaration.declaration_id),
        ));
    }
    for party in view.firms().filter_map(|firm| firm.known) {
        let standing = if party.suspended {
            "suspended"
        } else {
            "known"
        };
        evidence.push(told(
            format!("party/{}", party.party_id),
            standing,
            &party.told,
            view.age("customs.party", &party.party_id),
        ));
    }
    if let Some(mandate) = view.mandate {
        evidence.push(told(
            format!("mandate/{}", mandate.mandate_id),
            &format!(
                "CARRY {} for {}",
                mandate.agent_party, mandate.grantor_party
            ),
            &mandate.told,
            view.age("customs.party", &mandate.grantor_party),
        ));
    }
    for hold in &view.holds {
        let key = hold.scope.topic_key();
        evidence.push(Evidence {
            subject: format!("hold/{}", hold.hold_id),
            value: hold.kind.as_str().to_owned(),
            event_id: hold.event_id.clone(),
            version: 0,
            knowledge_age_millis: match hold.keeper {
                Keeper::Gate => None,
                Keeper::Customs => view.age("customs.hold", &key).map(millis),
                Keeper::Release => view.age("release.hold", &key).map(millis),
            },
        });
    }
    // That nothing else is held was known too.
    for (topic, keeper) in [
        ("customs.hold", Keeper::Customs),
        ("release.hold", Keeper::Release),
    ] {
        let standing = view.holds.iter().filter(|hold| hold.keeper == keeper);
        evidence.push(Evidence {
            subject: topic.to_owned(),
            value: format!("{} standing", standing.count()),
            event_id: String::new(),
            version: 0,
            knowledge_age_millis: oldest(view.sources.iter().filter(|s| s.topic == topic))
                .map(millis),
        });
    }
    evidence
}

fn of_list_known(list: &ListView<'_>, view: &View<'_>) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if let Some(passage) = list.passage {
        evidence.push(Evidence {
            subject: format!("list-passage/{}", list.number),
            value: format!("{} passes", passage.passes.len()),
            event_id: String::new(),
            version: passage.version,
            knowledge_age_millis: None,
        });
        if let Some(known) = &passage.list {
            evidence.push(told(
                passage.subject(),
                &known.state,
                &known.told,
                view.age("bonded.stock-list", list.number),
            ));
        }
    }
    if let Some(decision) = list.decision {
        let key = format!("list/{}", list.number);
        let age = view.age("release.decision", &key);
        evidence.push(told(
            format!("decision/{key}"),
            decision.state.as_str(),
            &decision.told,
            age,
        ));
    }
    evidence
}

fn told(subject: String, value: &str, told: &Told, age: Option<Duration>) -> Evidence {
    Evidence {
        subject,
        value: value.to_owned(),
        event_id: told.event_id.clone(),
        version: told.version,
        knowledge_age_millis: age.map(millis),
    }
}

/// The age of the oldest; none if any is unknown.
fn oldest<'a>(sources: impl Iterator<Item = &'a Source>) -> Option<Duration> {
    sources
        .map(|source| source.age)
        .try_fold(Duration::ZERO, |oldest, age| age.map(|age| oldest.max(age)))
}

fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

fn of_plates(read: &Vehicle, filed: &Vehicle) -> Vec<Condition> {
    let mut conditions = Vec::new();
    if read.tractor.as_str() != filed.tractor.as_str() {
        conditions.push(Condition::new(
            Gravity::Refuses,
            code::PLATE_DIFFERS,
            read.tractor.as_str(),
            "haulier",
            "The tractor is not the one filed; the haulier files it (greenlane haulier replace). A similar plate is another truck.",
        ));
    }
    match (&read.trailer, &filed.trailer) {
        (Some(read), Some(filed)) if read.as_str() != filed.as_str() => {
            conditions.push(Condition::new(
                Gravity::Refuses,
                code::PLATE_DIFFERS,
                read.as_str(),
                "haulier",
                "The trailer is not the one filed; the haulier files it.",
            ))
        }
        (Some(read), None) => conditions.push(Condition::new(
            Gravity::Refuses,
            code::PLATE_DIFFERS,
            read.as_str(),
            "haulier",
            "No trailer is filed; the haulier files it.",
        )),
        (None, Some(filed)) => conditions.push(Condition::new(
            Gravity::NeedsPerson,
            code::TRAILER_NOT_READ,
            filed.as_str(),
            "terminal",
            "The filing names a trailer and none was read; a person looks.",
        )),
        _ => {}
    }
    conditions
}

fn of_containers(presented: &Presented<'_>, pre_arrival: &PreArrival) -> Option<Condition> {
    let read = presented.containers.iter();
    let mut read: Vec<&str> = read.map(ContainerNumber::as_str).collect();
    let mut filed: Vec<&str> = pre_arrival
        .containers
        .iter()
        .map(|container| container.number.as_str())
        .collect();
    read.sort_unstable();
    filed.sort_unstable();
    // Of two containers one may be blocked: the other enters alone (gate rule 16).
    // A pass is for all that it carries.
    let alone = presented.others_are_blocked
        && !pre_arrival.kind.carries_list()
        && is_part_of(presented.containers, pre_arrival);
    (read != filed && !alone).then(|| {
        Condition::new(
            Gravity::Refuses,
            code::CONTAINERS_DIFFER,
            // Where none was read, those that were expected.
            if read.is_empty() { filed } else { read }.join(" "),
            "haulier",
            "The containers are not those filed; the haulier files again, or the driver names the right ones.",
        )
    })
}

/// Whether these are some of the filing's containers, each once.
pub fn is_part_of(containers: &[ContainerNumber], pre_arrival: &PreArrival) -> bool {
    let filed =
        |number: &ContainerNumber| pre_arrival.containers.iter().any(|c| c.number == *number);
    let twice = |at: usize| containers[..at].contains(&containers[at]);
    !containers.is_empty() && containers.iter().all(filed) && !(0..containers.len()).any(twice)
}

/// A pass is for all that it carries: the truck leaves with all of its containers or with none.
fn of_whole_pass(leaving: &Leaving<'_>, visit: &TruckVisit) -> Option<Condition> {
    let missing = visit
        .containers
        .iter()
        .find(|filed| !leaving.containers.contains(&filed.number))?;
    Some(Condition::new(
        Gravity::Refuses,
        code::CONTAINERS_DIFFER,
        missing.number.as_str(),
        "terminal",
        "The pass is for this container too; load it, or put the others down.",
    ))
}

/// Who came for bonded goods without a container says that he leaves without them: where both weights were read,
/// they must say so too.
fn of_claimed_emptiness(visit: &TruckVisit, leaving: &Leaving<'_>, site: &Site) -> Vec<Condition> {
    let came_for_goods =
        visit.kind == Some(PreArrivalKind::BondExit) && visit.containers.is_empty();
    let (Some(out), Some(before), true) = (leaving.weight, &visit.weight_in, came_for_goods) else {
        return Vec::new();
    };
    let loaded = out.checked_sub(before).ok();
    let nothing = Quantity::zero(out.unit().clone());
    let loaded = loaded.filter(|loaded| !site.weight.tolerates(&nothing, loaded));
    let condition = loaded.map(|loaded| {
        Condition::new(
            Gravity::NeedsPerson,
            code::WEIGHT_OUT_OF_TOLERANCE,
            visit.truck_visit_id.to_string(),
            "terminal",
            format!("The truck is said to leave without the goods and weighs {loaded} more than it came with; a person looks."),
        )
    });
    condition.into_iter().collect()
}

fn of_first_barrier(presented: &Presented<'_>) -> Option<Condition> {
    presented.skipped_first_barrier.then(|| {
        Condition::new(
            Gravity::NeedsPerson,
            code::FIRST_BARRIER_NOT_PASSED,
            presented.vehicle.tractor.as_str(),
            "terminal",
            "The truck stands at the second barrier and was not seen at the first; a person looks.",
        )
    })
}

/// Truck and load together weigh at least what was verified of the load alone (gate rule 5).
fn of_lightness(
    presented: &Presented<'_>,
    pre_arrival: &PreArrival,
    weight: &Quantity,
    site: &Site,
) -> Option<Condition> {
    let on_it = pre_arrival.containers.iter();
    let on_it: Vec<FiledContainer> = on_it
        .filter(|filed| presented.containers.contains(&filed.number))
        .cloned()
        .collect();
    let verified = verified_mass(&on_it)?;
    let too_light =
        weight.amount() < verified.amount() && !site.weight.tolerates(&verified, weight);
    too_light.then(|| {
        Condition::new(
            Gravity::NeedsPerson,
            code::WEIGHT_OUT_OF_TOLERANCE,
            pre_arrival.number.clone(),
            "terminal",
            format!("The truck weighs {weight} with its load, of which {verified} was verified; a person looks."),
        )
    })
}

/// The sum of what was verified; none where something was not.
fn verified_mass(containers: &[FiledContainer]) -> Option<Quantity> {
    sum_of(containers.iter().map(|c| c.verified_mass.as_ref()))
}

/// A sum of masses; none if there are none, or one is not known.
fn sum_of<'a>(masses: impl Iterator<Item = Option<&'a Quantity>>) -> Option<Quantity> {
    let mut sum: Option<Quantity> = None;
    for mass in masses {
        let mass = mass?;
        sum = Some(match sum {
            Some(sum) => sum.checked_add(mass).ok()?,
            None => mass.clone(),
        });
    }
    sum
}

/// The plates at the way out are those that went in. What was not read says nothing.
fn of_other_plates(read: &PlatesRead, visit: &TruckVisit) -> Vec<Condition> {
    let differs = |read: &Option<String>, there: Option<&str>, description: &str| {
        let read = read.as_deref().filter(|read| Some(*read) != there)?;
        Some(Condition::new(
            Gravity::Refuses,
            code::PLATE_DIFFERS,
            read,
            "terminal",
            description,
        ))
    };
    let vehicle = &visit.vehicle;
    let trailer = vehicle.trailer.as_ref().map(Plate::as_str);
    [
        differs(
            &read.tractor,
            Some(vehicle.tractor.as_str()),
            "Another truck than the one of this visit stands at the lane.",
        ),
        differs(
            &read.trailer,
            trailer,
            "Another trailer than the one that came in stands at the lane.",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_carrier(view: &View<'_>, pre_arrival: &PreArrival) -> Option<Condition> {
    if view.carrier.is_none() {
        return Some(Condition::new(
            Gravity::NeedsPerson,
            code::CARRIER_UNKNOWN,
            pre_arrival.number.clone(),
            "terminal",
            "The lane did not learn for whom the driver comes; a person asks.",
        ));
    }
    of_nomination(view)
}

/// The firm that presents itself is the one that filed, or holds its CARRY mandate at this instant: at the way
/// in and again at the way out, for a mandate can be revoked at once.
fn of_nomination(view: &View<'_>) -> Option<Condition> {
    let (carrier, haulier) = (view.carrier.as_ref()?, view.haulier.as_ref()?);
    (view.is_for_another() && view.mandate.is_none()).then(|| {
        Condition::new(
            Gravity::Refuses,
            code::CARRIER_NOT_NOMINATED,
            carrier.party_id,
            haulier.party_id,
            "The firm neither filed nor is nominated now; the haulier that filed grants it a CARRY mandate.",
        )
    })
}

fn of_missing_weight(site: &Site) -> Option<Condition> {
    (site.weight.policy == WeightPolicy::ReviewAbsent).then(|| {
        Condition::new(
            Gravity::NeedsPerson,
            code::WEIGHT_MISSING,
            site.site_id.clone(),
            "terminal",
            "There is no weight reading, and this site wants one; a person weighs or decides.",
        )
    })
}

/// The load is the weight out less the weight in. Where one is missing there is nothing to compare. A container
/// that the truck brought for goods out of bond is in both, and nobody filed its tare: they weigh less than filed.
/// Goods of a stock list for whose container nothing was filed, or that go without one, weigh what their pass says.
fn of_load(
    visit: &TruckVisit,
    leaving: &Leaving<'_>,
    view: &View<'_>,
    out: &Quantity,
    site: &Site,
) -> Option<Condition> {
    let loaded = out.checked_sub(visit.weight_in.as_ref()?).ok();
    let on_it = visit.containers.iter();
    let on_it = on_it.filter(|filed| leaving.containers.contains(&filed.number));
    let filed = sum_of(on_it.map(|c| c.gross_mass.as_ref()));
    let own = visit.truck_visit_id.to_string();
    let stays = view.containers.iter().filter_map(|c| c.visit);
    let by_own = |stay: &ContainerVisit| stay.arrived_with.as_ref() == Some(&own);
    let out_of_bond = visit.kind == Some(PreArrivalKind::BondExit);
    let (filed, brought) = match filed {
        Some(filed) => (filed, out_of_bond && stays.clone().any(by_own)),
        // A container that stood here is in the weight out alone, and its tare is not known.
        None if out_of_bond && stays.clone().all(by_own) => (mass_of_pass(view)?, false),
        None => return None,
    };
    let agrees = loaded.as_ref().is_some_and(|loaded| {
        let less = loaded.amount() > Decimal::ZERO && loaded.amount() < filed.amount();
        site.weight.tolerates(&filed, loaded) || (brought && less)
    });
    (!agrees).then(|| {
        let loaded = loaded.map_or_else(
            || "less than nothing".to_owned(),
            |loaded| loaded.to_string(),
        );
        Condition::new(
            Gravity::NeedsPerson,
            code::WEIGHT_OUT_OF_TOLERANCE,
            visit.truck_visit_id.to_string(),
            "terminal",
            format!("The load weighs {loaded} and {filed} was filed; a person looks."),
        )
    })
}

/// The mass of the goods on a truck's pass; none where a line of it is in another measure: pieces cannot be weighed.
/// It is declared net and packing comes on top, which the site's tolerance is there for: what is heavier by more
/// than that a person looks at, as at what is lighter.
fn mass_of_pass(view: &View<'_>) -> Option<Quantity> {
    let list = view.list.as_ref()?;
    let pass = list.passage?.pass(list.pre_arrival_id?)?;
    let masses: Option<Vec<Quantity>> = pass.lines.iter().map(kilograms).collect();
    sum_of(masses?.iter().map(Some))
}

/// How much of a line in kilograms, where it is declared in a unit of mass of UN/ECE Recommendation 20 that is used
/// in trade; no other unit is guessed at.
fn kilograms(line: &ListLine) -> Option<Quantity> {
    let amount = line.quantity.amount();
    let amount = match line.quantity.unit().as_str() {
        "KGM" => amount,
        "TNE" => amount * Decimal::ONE_THOUSAND,
        "GRM" => (amount / Decimal::ONE_THOUSAND).round_dp(QUANTITY_FRACTION_DIGITS_MAX),
        _ => return None,
    };
    Quantity::new(amount, UnitCode::parse("KGM").ok()?).ok()
}

/// What a stopped partition, or one with a gap, would have told is unknown, and unknown never admits (gate
/// rule 14). One condition for each topic, whatever it is asked about.
fn of_unknown(view: &View<'_>) -> Vec<Condition> {
    let mut unknown: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for source in view.sources.iter().filter(|source| source.age.is_none()) {
        unknown.entry(source.topic).or_default().push(&source.key);
    }
    unknown
        .into_iter()
        .map(|(topic, keys)| {
            Condition::new(
                Gravity::NeedsPerson,
                code::KNOWLEDGE_UNKNOWN,
                topic,
                "admin",
                format!(
                    "What {topic} says now of {} cannot be known; a person decides, or wait until it is heard again.",
                    keys.join(", ")
                ),
            )
        })
        .collect()
}

/// What the others said may be too old to let a laden container go on (gate rule 10).
fn of_age(view: &View<'_>, age_max: Duration) -> Vec<Condition> {
    let age = view.sources.iter().filter_map(|source| source.age).max();
    let Some(age) = age.filter(|age| *age > age_max) else {
        return Vec::new();
    };
    let stays = view
        .containers
        .iter()
        .filter_map(|container| container.visit);
    let stays = stays.map(|visit| visit.id.to_string());
    let about: Vec<String> = match &view.list {
        Some(list) => vec![format!("list/{}", list.number)],
        None => stays.collect(),
    };
    about
        .into_iter()
        .map(|about| {
            Condition::new(
                Gravity::NeedsPerson,
                code::KNOWLEDGE_TOO_OLD,
                format!("decision/{about}"),
                "admin",
                format!("What customs and release said is up to {} s old, and at most {} s is allowed; a person decides, or wait until they are heard again.", age.as_secs(), age_max.as_secs()),
            )
        })
        .collect()
}

fn of_unknown_inspections(view: &View<'_>) -> Vec<Condition> {
    let unknown = |container: &&readiness::ContainerView<'_>| {
        container
            .visit
            .is_some_and(|visit| visit.phase == Phase::Arrived)
            && container.inspection() == InspectionFlag::Unknown
    };
    view.containers
        .iter()
        .filter(unknown)
        .map(|container| {
            Condition::new(
                Gravity::NeedsPerson,
                code::INSPECTION_UNKNOWN,
                container.number.as_str(),
                "officer",
                "Customs has not said whether the goods are to be inspected; unknown never means no.",
            )
        })
        .collect()
}

fn of_open_inspections(visit: &TruckVisit, which: impl Fn(&&Inspection) -> bool) -> Vec<Condition> {
    visit
        .inspections
        .iter()
        .filter(|inspection| inspection.is_open())
        .filter(which)
        .map(|inspection| {
            let next = inspection
                .next_step()
                .map_or("the end by who ordered it", |step| {
                    step.inspection_site.as_str()
                });
            Condition::new(
                Gravity::Binding,
                code::INSPECTION_OPEN,
                inspection.inspection_id.to_string(),
                inspection.ended_by(),
                format!("{}; next: {next}.", inspection.reason),
            )
            .since(inspection.ordered_at)
        })
        .collect()
}

fn of_decisions(visit: &TruckVisit, view: &View<'_>) -> Vec<Condition> {
    let haulier = visit.haulier_party.as_deref().unwrap_or_default();
    let mut conditions = Vec::new();
    for container in &view.containers {
        if let Some(stay) = container.visit {
            merge(
                &mut conditions,
                readiness::of_full_out(haulier, stay, container.decision),
            );
        }
    }
    conditions
}
