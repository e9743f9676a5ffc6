//! What is in the way of a truck, from all that gate knows around it: the one place where READY and the
//! reasons against it are derived (gate, "READY, by kind"). It must not know barriers: those ask more.

use std::time::Duration;

use kernel::ContainerNumber;

use super::condition::{Condition, Gravity, code, merge};
use super::container_visit::{ContainerVisit, Phase};
use super::hold::{Hold, HoldKind};
use super::knowledge::{
    CarryMandate, Clearance, DecisionState, InspectionFlag, KnownParty, ReleaseDecision,
};
use super::pre_arrival::PreArrivalKind;

/// What gate knows around one truck.
#[derive(Clone, Debug, Default)]
pub struct View<'a> {
    /// Its containers, in the filing's order.
    pub containers: Vec<ContainerView<'a>>,
    /// The firm that filed, and whose truck it is.
    pub haulier: Option<Firm<'a>>,
    /// The firm that presents itself: the haulier, or another for it; none where nobody learnt it.
    pub carrier: Option<Firm<'a>>,
    /// The haulier's word, good at this instant, that the other firm carries for it.
    pub mandate: Option<&'a CarryMandate>,
    /// Standing holds on its plates, its firms, its containers' visits and their declarations.
    pub holds: Vec<&'a Hold>,
    /// Everything that the others may have told about it.
    pub sources: Vec<Source>,
}

/// A firm and what the register says of it.
#[derive(Clone, Debug)]
pub struct Firm<'a> {
    /// Its id.
    pub party_id: &'a str,
    /// Its entry; none if there is none.
    pub known: Option<&'a KnownParty>,
}

/// A key of another service's topic on which something around the truck depends, and how well it is known.
#[derive(Clone, Debug)]
pub struct Source {
    /// The topic.
    pub topic: &'static str,
    /// The key.
    pub key: String,
    /// A record of it could not be applied.
    pub parked: bool,
    /// How old what is known of it is; none: its partition has stopped, has a gap or was never heard of.
    pub age: Option<Duration>,
}

impl<'a> View<'a> {
    /// The haulier, and the carrier where it is another firm: what stops the one stops the other.
    pub fn firms(&self) -> impl Iterator<Item = &Firm<'a>> {
        let carrier = self.carrier.iter().filter(|_| self.is_for_another());
        self.haulier.iter().chain(carrier)
    }

    /// Another firm than the haulier presents itself.
    pub fn is_for_another(&self) -> bool {
        match (&self.haulier, &self.carrier) {
            (Some(haulier), Some(carrier)) => haulier.party_id != carrier.party_id,
            (None, Some(_)) => true,
            (_, None) => false,
        }
    }

    /// How old what is known of a key is; none if it is unknown.
    pub fn age(&self, topic: &str, key: &str) -> Option<Duration> {
        let asked = |source: &&Source| source.topic == topic && source.key == key;
        self.sources.iter().find(asked)?.age
    }
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
pub fn conditions(kind: PreArrivalKind, view: &View<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let haulier = view.haulier.as_ref().map_or("", |firm| firm.party_id);
    for container in &view.containers {
        merge(&mut conditions, of_container(kind, haulier, container));
    }
    merge(&mut conditions, view.firms().filter_map(of_party));
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
            lifted_by(hold),
            description,
        )
        .since(hold.placed_at)
        .on_evidence(&hold.event_id)
    })
}

/// Who lifts a hold, as everyone may read it: lines and terminals by name, because whoever collects a
/// container calls them; an authority by its role, not by its officer.
fn lifted_by(hold: &Hold) -> &str {
    match hold.kind {
        HoldKind::Customs | HoldKind::Quarantine | HoldKind::Legal => "officer",
        HoldKind::Commercial | HoldKind::Finance | HoldKind::Terminal | HoldKind::Safety => {
            &hold.placed_by_party
        }
    }
}

/// What is parked is unknown, and unknown never admits (gate rule 14).
pub fn of_parked<'a>(view: &'a View<'_>) -> impl Iterator<Item = Condition> + 'a {
    let parked = view.sources.iter().filter(|source| source.parked);
    parked.map(|source| {
        Condition::new(
            Gravity::Refuses,
            code::KNOWLEDGE_UNKNOWN,
            format!("{} {}", source.topic, source.key),
            "admin",
            "A record about it could not be applied; an operator retries or discards it (greenlane fabric parked).",
        )
    })
}

/// The firm must be known and in good standing.
fn of_party(firm: &Firm<'_>) -> Option<Condition> {
    match firm.known {
        None => Some(Condition::new(
            Gravity::Refuses,
            code::PARTY_UNKNOWN,
            firm.party_id,
            "customs",
            "The firm is not in the register of parties; it registers with customs.",
        )),
        Some(party) if party.suspended => Some(
            Condition::new(
                Gravity::Refuses,
                code::PARTY_SUSPENDED,
                firm.party_id,
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
        (PreArrivalKind::FullOut, Some(visit)) => of_full_out(haulier, visit, container.decision),
    }
}

/// A laden container leaves on release's decision and on gate's own facts, which gate knows before release
/// does.
pub fn of_full_out(
    haulier: &str,
    visit: &ContainerVisit,
    decision: Option<&ReleaseDecision>,
) -> Vec<Condition> {
    let mut conditions = of_release(haulier, visit, decision);
    merge(
        &mut conditions,
        of_absence(visit).or_else(|| of_unavailable(visit)),
    );
    conditions
}

/// What is to be picked up must stand here.
pub fn of_absence(visit: &ContainerVisit) -> Option<Condition> {
    (visit.phase != Phase::Arrived).then(|| {
        Condition::new(
            Gravity::Refuses,
            code::NOT_ARRIVED,
            subject(visit),
            "terminal",
            "It is announced and not here yet.",
        )
    })
}

fn of_unavailable(visit: &ContainerVisit) -> Option<Condition> {
    (!visit.available).then(|| {
        Condition::new(
            Gravity::Refuses,
            code::NOT_AVAILABLE,
            subject(visit),
            "terminal",
            "It stands here, and the terminal has not said that it can be picked up.",
        )
    })
}

/// As release names a stay, so that a condition both find is one.
fn subject(visit: &ContainerVisit) -> String {
    format!("container-visit/{}", visit.id)
}

fn of_empty(visit: &ContainerVisit) -> Option<Condition> {
    of_absence(visit).or_else(|| {
        (!visit.manifest.empty).then(|| {
            Condition::new(
                Gravity::Refuses,
                code::NOT_KNOWN_EMPTY,
                visit.id.as_str(),
                "terminal",
                "It is not known to be empty; a laden container leaves as FULL_OUT.",
            )
        })
    })
}

/// What release misses, in its own words; or that it has not decided for this firm.
fn of_release(
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
