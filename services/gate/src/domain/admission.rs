//! What stands against opening a barrier, decided from what gate knows at this instant (gate rules 1, 2, 5,
//! 10, 11, 13, 14). It must not know what becomes of the truck: `truck_visit` does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, Quantity};

use super::condition::{Condition, Gravity, code, merge};
use super::container_visit::{ContainerVisit, Phase};
use super::knowledge::{CarryMandate, InspectionFlag};
use super::pre_arrival::{PreArrival, PreArrivalKind, PreArrivalState, Vehicle};
use super::readiness::{self, View};
use super::site::{Site, WeightPolicy};
use super::truck_visit::{Evidence, Inspection, TruckVisit};

/// How old what gate knows of each container's decision is; none is unknown.
pub type Ages = Vec<Option<Duration>>;

/// How fresh what gate knows of release's decisions is, and must be (gate rule 10).
#[derive(Clone, Debug)]
pub struct Freshness {
    /// The age for each container.
    pub ages: Ages,
    /// What is older goes to a person.
    pub age_max: Duration,
}

/// A truck at the way in.
#[derive(Clone, Debug)]
pub struct Presented<'a> {
    /// The truck as recognised.
    pub vehicle: &'a Vehicle,
    /// The containers it brings or came for.
    pub containers: &'a [ContainerNumber],
    /// The firm that presents itself, if the lane learnt it.
    pub carrier_party: Option<&'a str>,
    /// The weighbridge's reading.
    pub weight: Option<&'a Quantity>,
}

/// Everything against letting a truck in on this filing.
pub fn at_entry(
    presented: &Presented<'_>,
    pre_arrival: &PreArrival,
    view: &View<'_>,
    mandates: &[&CarryMandate],
    site: &Site,
    fresh: &Freshness,
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
        readiness::conditions(pre_arrival.kind, &pre_arrival.haulier_party, view),
    );
    merge(
        &mut conditions,
        of_plates(presented.vehicle, &pre_arrival.vehicle),
    );
    merge(
        &mut conditions,
        of_containers(presented.containers, pre_arrival),
    );
    merge(
        &mut conditions,
        of_carrier(presented.carrier_party, pre_arrival, mandates, now),
    );
    if presented.weight.is_none() && pre_arrival.kind != PreArrivalKind::EmptyVehicle {
        merge(&mut conditions, of_missing_weight(site));
    }
    if pre_arrival.kind == PreArrivalKind::FullOut {
        merge(&mut conditions, of_ages(view, fresh));
        merge(&mut conditions, of_unknown_inspections(view));
    }
    conditions
}

/// What no person at the gate sets aside on the way in: everything but what only a person can tell.
pub fn not_for_a_person(conditions: Vec<Condition>) -> Vec<Condition> {
    let graver = |condition: &Condition| condition.gravity > Gravity::NeedsPerson;
    conditions.into_iter().filter(graver).collect()
}

/// Everything that came against a truck since it went in: holds, inspections, a release that fell away. An
/// inspection that it was let in with is on its way and recalls nobody.
pub fn while_inside(visit: &TruckVisit, view: &View<'_>) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = readiness::of_holds(view).collect();
    let since_entry = |inspection: &&Inspection| {
        visit
            .gated_in_at
            .is_none_or(|at| inspection.ordered_at > at)
    };
    merge(&mut conditions, of_open_inspections(visit, since_entry));
    if visit.kind == Some(PreArrivalKind::FullOut) {
        merge(&mut conditions, of_decisions(visit, view));
    }
    conditions
}

/// Everything against letting a truck out with these containers. Without any it always may (gate rule 11).
pub fn at_exit(
    visit: &TruckVisit,
    containers: &[ContainerNumber],
    weight: Option<&Quantity>,
    view: &View<'_>,
    site: &Site,
    fresh: &Freshness,
) -> Vec<Condition> {
    if containers.is_empty() {
        return Vec::new();
    }
    let mut conditions = while_inside(visit, view);
    merge(&mut conditions, of_open_inspections(visit, |_| true));
    if let Some(kind) = visit.kind {
        let haulier = visit.haulier_party.as_deref().unwrap_or_default();
        merge(&mut conditions, readiness::conditions(kind, haulier, view));
        merge(&mut conditions, of_absence(view));
    }
    for number in containers {
        let filed = visit.containers.iter().any(|filed| filed.number == *number);
        if !filed || !visit.kind.is_some_and(PreArrivalKind::picks_up) {
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
    if visit.kind == Some(PreArrivalKind::FullOut) {
        merge(&mut conditions, of_ages(view, fresh));
        merge(&mut conditions, of_unknown_inspections(view));
    }
    match weight {
        None => merge(&mut conditions, of_missing_weight(site)),
        Some(weight) => merge(&mut conditions, of_load(visit, weight, site)),
    }
    conditions
}

/// What was known, for the record (gate rule 13).
pub fn evidence(view: &View<'_>, ages: &Ages) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for (index, container) in view.containers.iter().enumerate() {
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
            evidence.push(Evidence {
                subject: format!("decision/{}", decision.container_visit_id),
                value: format!("{} {}", decision.state.as_str(), decision.haulier_party)
                    .trim_end()
                    .to_owned(),
                event_id: decision.told.event_id.clone(),
                version: decision.told.version,
                knowledge_age_millis: ages.get(index).copied().flatten().map(millis),
            });
        }
        if let Some(clearance) = container.clearance {
            evidence.push(Evidence {
                subject: format!("clearance/{}", clearance.container_number),
                value: format!("inspection {}", container.inspection().as_str()),
                event_id: clearance.told.event_id.clone(),
                version: clearance.told.version,
                knowledge_age_millis: None,
            });
        }
    }
    if let Some(party) = view.party {
        evidence.push(Evidence {
            subject: format!("party/{}", party.party_id),
            value: if party.suspended {
                "suspended"
            } else {
                "known"
            }
            .to_owned(),
            event_id: party.told.event_id.clone(),
            version: party.told.version,
            knowledge_age_millis: None,
        });
    }
    for hold in &view.holds {
        evidence.push(Evidence {
            subject: format!("hold/{}", hold.hold_id),
            value: hold.kind.as_str().to_owned(),
            event_id: hold.event_id.clone(),
            version: 0,
            knowledge_age_millis: None,
        });
    }
    evidence
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

fn of_containers(read: &[ContainerNumber], pre_arrival: &PreArrival) -> Option<Condition> {
    let mut read: Vec<&str> = read.iter().map(ContainerNumber::as_str).collect();
    let mut filed: Vec<&str> = pre_arrival
        .containers
        .iter()
        .map(|container| container.number.as_str())
        .collect();
    read.sort_unstable();
    filed.sort_unstable();
    (read != filed).then(|| {
        Condition::new(
            Gravity::Refuses,
            code::CONTAINERS_DIFFER,
            read.join(" "),
            "haulier",
            "The containers are not those filed; the haulier files again, or the driver names the right ones.",
        )
    })
}

fn of_carrier(
    carrier: Option<&str>,
    pre_arrival: &PreArrival,
    mandates: &[&CarryMandate],
    now: DateTime<Utc>,
) -> Option<Condition> {
    if carrier.is_none() {
        return Some(Condition::new(
            Gravity::NeedsPerson,
            code::CARRIER_UNKNOWN,
            pre_arrival.number.clone(),
            "terminal",
            "The lane did not learn for whom the driver comes; a person asks.",
        ));
    }
    of_nomination(carrier, Some(&pre_arrival.haulier_party), mandates, now)
}

/// The firm that presents itself is the one that filed, or holds its CARRY mandate at this instant: at the way
/// in and again at the way out, for a mandate can be revoked at once.
pub fn of_nomination(
    carrier: Option<&str>,
    haulier: Option<&str>,
    mandates: &[&CarryMandate],
    now: DateTime<Utc>,
) -> Option<Condition> {
    let (carrier, haulier) = (carrier?, haulier?);
    let nominated = mandates.iter().any(|mandate| {
        mandate.grantor_party == haulier && mandate.agent_party == carrier && mandate.holds_at(now)
    });
    (carrier != haulier && !nominated).then(|| {
        Condition::new(
            Gravity::Refuses,
            code::CARRIER_NOT_NOMINATED,
            carrier,
            haulier,
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

/// The load is the weight out less the weight in. Where one is missing there is nothing to compare.
fn of_load(visit: &TruckVisit, out: &Quantity, site: &Site) -> Option<Condition> {
    let loaded = out.checked_sub(visit.weight_in.as_ref()?).ok();
    let mut filed: Option<Quantity> = None;
    for container in &visit.containers {
        let mass = container.gross_mass.as_ref()?;
        filed = Some(match filed {
            Some(sum) => sum.checked_add(mass).ok()?,
            None => mass.clone(),
        });
    }
    let filed = filed?;
    let agrees = loaded
        .as_ref()
        .is_some_and(|loaded| site.weight.tolerates(&filed, loaded));
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

/// Release's word may be too old to open a barrier on (gate rule 10).
fn of_ages(view: &View<'_>, fresh: &Freshness) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (index, container) in view.containers.iter().enumerate() {
        let Some(visit) = container.visit else {
            continue;
        };
        let subject = format!("decision/{}", visit.id);
        match fresh.ages.get(index).copied().flatten() {
            None => conditions.push(Condition::new(
                Gravity::NeedsPerson,
                code::KNOWLEDGE_UNKNOWN,
                subject,
                "admin",
                "What release says now cannot be known; a person decides, or wait until release is heard again.",
            )),
            Some(age) if age > fresh.age_max => conditions.push(Condition::new(
                Gravity::NeedsPerson,
                code::KNOWLEDGE_TOO_OLD,
                subject,
                "admin",
                format!("What release said is {} s old, and at most {} s is allowed; a person decides, or wait until release is heard again.", age.as_secs(), fresh.age_max.as_secs()),
            )),
            Some(_) => {}
        }
    }
    conditions
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
                inspection.ordered_by_party.clone(),
                format!("{}; next: {next}.", inspection.reason),
            )
            .since(inspection.ordered_at)
        })
        .collect()
}

/// What leaves must stand here.
fn of_absence(view: &View<'_>) -> Vec<Condition> {
    let announced = |visit: &&ContainerVisit| visit.phase != Phase::Arrived;
    let visits = view
        .containers
        .iter()
        .filter_map(|container| container.visit);
    visits
        .filter(announced)
        .map(|visit| {
            Condition::new(
                Gravity::Refuses,
                code::NOT_ARRIVED,
                visit.id.as_str(),
                "terminal",
                "It is announced and not here yet.",
            )
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
                readiness::of_release(haulier, stay, container.decision),
            );
        }
    }
    conditions
}
