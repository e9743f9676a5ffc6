//! What is in the way of a truck, from all that gate knows around it: the one place where READY and the
//! reasons against it are derived (gate, "READY, by kind"). It must not know barriers: those ask more.

use kernel::ContainerNumber;

use super::condition::{Condition, Gravity, code, merge};
use super::container_visit::{ContainerVisit, Phase};
use super::hold::{Hold, HoldKind};
use super::knowledge::{Clearance, DecisionState, InspectionFlag, KnownParty, ReleaseDecision};
use super::pre_arrival::PreArrivalKind;

/// What gate knows around one truck.
#[derive(Clone, Debug, Default)]
pub struct View<'a> {
    /// Its containers, in the filing's order.
    pub containers: Vec<ContainerView<'a>>,
    /// The firm whose truck it is.
    pub party: Option<&'a KnownParty>,
    /// Standing holds on its plates, its firm, its containers' visits and their declarations.
    pub holds: Vec<&'a Hold>,
    /// What cannot be known because a record about it is parked: "topic key".
    pub parked: Vec<String>,
}

/// What gate knows around one container at the site.
#[derive(Clone, Debug)]
pub struct ContainerView<'a> {
    /// The container.
    pub number: &'a ContainerNumber,
    /// Its stay that is not over.
    pub visit: Option<&'a ContainerVisit>,
    /// Release's decision on that stay.
    pub decision: Option<&'a ReleaseDecision>,
    /// Customs' word under the container's number.
    pub clearance: Option<&'a Clearance>,
}

impl ContainerView<'_> {
    /// Whether customs asks for an inspection of this stay's goods.
    pub fn inspection(&self) -> InspectionFlag {
        match (self.visit, self.clearance) {
            (Some(visit), Some(clearance)) => clearance.inspection(visit.id.as_str()),
            _ => InspectionFlag::Unknown,
        }
    }
}

/// Everything that keeps a filing from being READY.
pub fn conditions(kind: PreArrivalKind, haulier: &str, view: &View<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for container in &view.containers {
        merge(&mut conditions, of_container(kind, haulier, container));
    }
    merge(&mut conditions, of_party(haulier, view.party));
    merge(&mut conditions, of_holds(view));
    merge(&mut conditions, of_parked(view));
    conditions
}

/// Standing holds.
pub fn of_holds<'a>(view: &'a View<'_>) -> impl Iterator<Item = Condition> + 'a {
    view.holds.iter().map(|hold| {
        let what = match hold.kind {
            HoldKind::Customs => "CUSTOMS_HOLD",
            HoldKind::Quarantine => "QUARANTINE_HOLD",
            HoldKind::Commercial => "COMMERCIAL_HOLD",
            HoldKind::Terminal => "TERMINAL_HOLD",
            HoldKind::Safety => "SAFETY_HOLD",
            HoldKind::Finance => "FINANCE_HOLD",
            HoldKind::Legal => "LEGAL_HOLD",
        };
        let description = format!(
            "Held on {}: {}. Whoever placed hold {} lifts it.",
            hold.scope.topic_key(),
            hold.reason,
            hold.hold_id
        );
        Condition::new(
            Gravity::Binding,
            what,
            format!("hold/{}", hold.hold_id),
            hold.placed_by_party.clone(),
            description,
        )
        .since(hold.placed_at)
        .on_evidence(&hold.event_id)
    })
}

/// What is parked is unknown, and unknown never admits (gate rule 14).
pub fn of_parked<'a>(view: &'a View<'_>) -> impl Iterator<Item = Condition> + 'a {
    view.parked.iter().map(|key| {
        Condition::new(
            Gravity::Refuses,
            code::KNOWLEDGE_UNKNOWN,
            key.clone(),
            "admin",
            "A record about it could not be applied; an operator retries or discards it (greenlane fabric parked).",
        )
    })
}

/// The firm must be known and in good standing.
pub fn of_party(haulier: &str, party: Option<&KnownParty>) -> Option<Condition> {
    match party {
        None => Some(Condition::new(
            Gravity::Refuses,
            code::PARTY_UNKNOWN,
            haulier,
            "customs",
            "The firm is not in the register of parties; it registers with customs.",
        )),
        Some(party) if party.suspended => Some(
            Condition::new(
                Gravity::Refuses,
                code::PARTY_SUSPENDED,
                haulier,
                "customs",
                "The firm is suspended; customs lifts that.",
            )
            .on_evidence(&party.told.event_id),
        ),
        Some(_) => None,
    }
}

fn of_container(
    kind: PreArrivalKind,
    haulier: &str,
    container: &ContainerView<'_>,
) -> Vec<Condition> {
    let number = container.number.as_str();
    match (kind, container.visit) {
        (PreArrivalKind::EmptyIn, Some(visit)) => vec![Condition::new(
            Gravity::Refuses,
            code::CONTAINER_ALREADY_HERE,
            visit.id.as_str(),
            "terminal",
            "A container is at a site once; check the number, or record its departure first.",
        )],
        (PreArrivalKind::EmptyIn | PreArrivalKind::EmptyVehicle, _) => Vec::new(),
        (_, None) => vec![Condition::new(
            Gravity::Refuses,
            code::CONTAINER_UNKNOWN,
            number,
            "terminal",
            "No train, barge or truck has announced or brought it to this site; the terminal announces it.",
        )],
        (PreArrivalKind::EmptyOut, Some(visit)) => of_empty(visit).into_iter().collect(),
        (PreArrivalKind::FullOut, Some(visit)) => of_release(haulier, visit, container.decision),
    }
}

fn of_empty(visit: &ContainerVisit) -> Option<Condition> {
    let id = visit.id.as_str();
    if visit.phase != Phase::Arrived {
        return Some(Condition::new(
            Gravity::Refuses,
            code::NOT_ARRIVED,
            id,
            "terminal",
            "It is announced and not here yet.",
        ));
    }
    (!visit.manifest.empty).then(|| {
        Condition::new(
            Gravity::Refuses,
            code::NOT_KNOWN_EMPTY,
            id,
            "terminal",
            "It is not known to be empty; a laden container leaves as FULL_OUT.",
        )
    })
}

/// What release misses, in its own words; or that it has not decided for this firm.
pub fn of_release(
    haulier: &str,
    visit: &ContainerVisit,
    decision: Option<&ReleaseDecision>,
) -> Vec<Condition> {
    let id = visit.id.as_str();
    let not_granted = |description: &str| {
        Condition::new(
            Gravity::Refuses,
            code::RELEASE_NOT_GRANTED,
            id,
            "release",
            description,
        )
    };
    let Some(decision) = decision else {
        return vec![not_granted("Release has not decided on this stay yet.")];
    };
    let known = |condition: Condition| {
        condition
            .since(decision.decided_at)
            .on_evidence(&decision.told.event_id)
    };
    match decision.state {
        DecisionState::Granted if decision.haulier_party == haulier => Vec::new(),
        DecisionState::Granted => vec![known(Condition::new(
            Gravity::Refuses,
            code::RELEASED_TO_ANOTHER_HAULIER,
            id,
            "line",
            "The line has released it to another haulier; ask the line.",
        ))],
        DecisionState::RevocationAsked | DecisionState::Revoked => vec![known(Condition::new(
            Gravity::Refuses,
            code::RELEASE_REVOKED,
            id,
            "release",
            "The release was withdrawn; greenlane why says what is missing.",
        ))],
        DecisionState::Consumed => vec![known(not_granted(
            "The release was used up by an earlier departure.",
        ))],
        DecisionState::Withheld if decision.conditions.is_empty() => vec![known(not_granted(
            "Something is missing; greenlane why says what.",
        ))],
        DecisionState::Withheld => decision.conditions.clone(),
    }
}
