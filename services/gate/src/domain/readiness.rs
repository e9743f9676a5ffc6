//! What is in the way of a truck, from all that gate knows around it: the one place where READY and the
//! reasons against it are derived (gate, "READY, by kind"). It must not know barriers: those ask more.

use std::time::Duration;

use kernel::ContainerNumber;
use uuid::Uuid;

use super::condition::{Condition, Gravity, code, merge};
use super::container_visit::{ContainerVisit, Phase};
use super::hold::{Hold, HoldKind, ScopeKind};
use super::knowledge::{
    CarryMandate, Clearance, DecisionState, DeclarationStanding, Direction, InspectionFlag,
    Journey, KnownDeclaration, KnownParty, ReleaseDecision,
};
use super::list_passage::{ListPassage, PassState};
use super::pre_arrival::PreArrivalKind;

/// What gate knows around one truck.
#[derive(Clone, Debug, Default)]
pub struct View<'a> {
    /// Its containers, in the filing's order.
    pub containers: Vec<ContainerView<'a>>,
    /// The declarations that its filing names, where a container comes in on them.
    pub references: Vec<Reference<'a>>,
    /// The stock list of which it carries a part.
    pub list: Option<ListView<'a>>,
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

/// A reference of a filing and the declarations that it may mean: those that are not over, else those that are.
#[derive(Clone, Debug)]
pub struct Reference<'a> {
    /// MRN or LRN.
    pub written: &'a str,
    /// The declarations.
    pub declarations: Vec<&'a KnownDeclaration>,
}

/// What gate knows of the stock list of which a truck carries a part.
#[derive(Clone, Debug)]
pub struct ListView<'a> {
    /// Its number.
    pub number: &'a str,
    /// The filing.
    pub pre_arrival_id: Option<Uuid>,
    /// The goods have left the first site: they go on into the centre, and nowhere else.
    pub on_the_road: bool,
    /// What passes of it; none if nothing was heard of it.
    pub passage: Option<&'a ListPassage>,
    /// Release's decision on it.
    pub decision: Option<&'a ReleaseDecision>,
}

impl Reference<'_> {
    /// Whether goods of it may be in this container.
    pub fn may_be_of(&self, container: &ContainerNumber) -> bool {
        let mut declarations = self.declarations.iter();
        self.declarations.is_empty()
            || declarations.any(|declaration| declaration.covers(container))
    }
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
    /// The truck brings goods of a stock list from the first site into the centre.
    pub fn is_on_the_road(&self) -> bool {
        self.list.as_ref().is_some_and(|list| list.on_the_road)
    }

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

/// What a condition is about; who is told of it follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The firm itself, or its truck.
    Haulier,
    /// The container at this place of [`View::containers`].
    Container(usize),
    /// The declaration at this place of [`View::references`].
    Reference(usize),
    /// The stock list.
    List,
    /// Stays, declarations or lists that the filing leads to.
    Goods,
}

/// A condition that keeps a filing from being READY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub about: About,
    /// The condition.
    pub condition: Condition,
}

/// Everything that keeps a filing from being READY.
pub fn conditions(kind: PreArrivalKind, view: &View<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let found = findings(kind, view).into_iter();
    merge(&mut conditions, found.map(|finding| finding.condition));
    conditions
}

/// Everything that keeps a filing from being READY, and what each is about.
pub fn findings(kind: PreArrivalKind, view: &View<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |about: About, condition: Condition| {
        findings.push(Finding { about, condition });
    };
    let haulier = view.haulier.as_ref().map_or("", |firm| firm.party_id);
    for (place, container) in view.containers.iter().enumerate() {
        for condition in of_container(kind, haulier, container, view) {
            add(About::Container(place), condition);
        }
    }
    for condition in of_list(kind, view) {
        add(About::List, condition);
    }
    if kind == PreArrivalKind::FullIn {
        for (about, condition) in of_declarations(view) {
            add(about, condition);
        }
    }
    for condition in view.firms().filter_map(of_party) {
        add(About::Haulier, condition);
    }
    for hold in &view.holds {
        add(held(hold, view), of_hold(hold));
    }
    for condition in of_parked(view) {
        add(About::Goods, condition);
    }
    findings
}

/// What stands against a container's going by train or barge: while it waits in the yard, and as long as it
/// can still be taken off.
pub fn against_loading(container: &ContainerView<'_>, view: &View<'_>) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = of_holds(view).collect();
    merge(&mut conditions, of_parked(view));
    let Some(visit) = container.visit else {
        return conditions;
    };
    if !visit.manifest.empty {
        let may_load = of_release(Leaving::Conveyance, visit.id.as_str(), container.decision);
        merge(&mut conditions, may_load);
    }
    if container.inspection() == InspectionFlag::Yes {
        merge(
            &mut conditions,
            [Condition::new(
                Gravity::Binding,
                code::INSPECTION_OPEN,
                subject(visit),
                "officer",
                "Customs asks for an inspection of the goods; it says when that is over.",
            )],
        );
    }
    conditions
}

/// What of a filing a hold is on.
fn held(hold: &Hold, view: &View<'_>) -> About {
    let key = hold.scope.key.as_str();
    match hold.scope.kind {
        ScopeKind::Plate | ScopeKind::Party => About::Haulier,
        ScopeKind::StockList => About::List,
        ScopeKind::ContainerVisit => {
            let is_held = |stay: &&ContainerVisit| stay.id.as_str() == key;
            let mut containers = view.containers.iter();
            let place =
                containers.position(|container| container.visit.as_ref().is_some_and(is_held));
            place.map_or(About::Goods, About::Container)
        }
        ScopeKind::Declaration => {
            let mut references = view.references.iter();
            let place = references.position(|reference| {
                let mut declarations = reference.declarations.iter();
                declarations.any(|declaration| declaration.declaration_id == key)
            });
            place.map_or(About::Goods, About::Reference)
        }
    }
}

/// A laden container comes in on declarations that customs has registered, and that are its own.
fn of_declarations(view: &View<'_>) -> Vec<(About, Condition)> {
    let mut conditions = Vec::new();
    for (place, reference) in view.references.iter().enumerate() {
        let condition = of_reference(reference, view);
        conditions.extend(condition.map(|condition| (About::Reference(place), condition)));
    }
    for container in &view.containers {
        let mut declared = view.references.iter().flat_map(|r| &r.declarations);
        // What is not known, or not for certain, may be the one that is of this container.
        let uncertain = view.references.iter().any(|r| r.declarations.len() != 1);
        if !uncertain && !declared.any(|declaration| declaration.covers(container.number)) {
            let condition = Condition::new(
                Gravity::Refuses,
                code::CONTAINER_NOT_DECLARED,
                container.number.as_str(),
                "haulier",
                "No declaration that the filing names is of this container; name the right one, or have the broker file one that is.",
            );
            conditions.push((About::Goods, condition));
        }
    }
    conditions
}

/// Nobody knows it; or nobody whom the filing's haulier may hear it from.
pub fn of_unknown_declaration(reference: &Reference<'_>) -> Condition {
    Condition::new(
        Gravity::Refuses,
        code::DECLARATION_UNKNOWN,
        format!("declaration/{}", reference.written),
        "broker",
        "No declaration of this MRN or LRN of these containers is known; the broker lodges it, or the haulier names another.",
    )
}

fn of_reference(reference: &Reference<'_>, view: &View<'_>) -> Option<Condition> {
    let subject = format!("declaration/{}", reference.written);
    let declaration = match reference.declarations[..] {
        [one] => one,
        [] => return Some(of_unknown_declaration(reference)),
        _ => {
            return Some(Condition::new(
                Gravity::Refuses,
                code::DECLARATION_AMBIGUOUS,
                subject,
                "haulier",
                "Several filers have a declaration of this LRN; name its MRN.",
            ));
        }
    };
    let mut containers = view.containers.iter().map(|container| container.number);
    let (code, who, description) = match declaration.state {
        DeclarationStanding::Submitted => (
            code::DECLARATION_NOT_REGISTERED,
            "customs",
            "Customs has not registered it yet.",
        ),
        state if state.is_over() => (
            code::DECLARATION_OVER,
            declaration.filer_party.as_str(),
            "Customs has rejected it, or it has expired or is void; its filer lodges another.",
        ),
        _ if declaration.direction == Direction::Import => (
            code::DECLARATION_NOT_EXPORT,
            "haulier",
            "It is of goods that come into the country; name the export declaration.",
        ),
        _ if !declaration.stock_lists.is_empty() => (
            code::DECLARATION_NOT_EXPORT,
            declaration.filer_party.as_str(),
            "It takes goods of a stock list out of bond and is used up by that; its filer lodges an export declaration of this container.",
        ),
        _ if !containers.any(|container| declaration.covers(container)) => (
            code::DECLARATION_OF_OTHER_CONTAINER,
            declaration.filer_party.as_str(),
            "It names other containers; the haulier names another, or its filer files one for these.",
        ),
        _ => return None,
    };
    let event = &declaration.told.event_id;
    Some(Condition::new(Gravity::Refuses, code, subject, who, description).on_evidence(event))
}

/// Standing holds.
pub fn of_holds<'a>(view: &'a View<'_>) -> impl Iterator<Item = Condition> + 'a {
    view.holds.iter().map(|hold| of_hold(hold))
}

fn of_hold(hold: &Hold) -> Condition {
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
    view: &View<'_>,
) -> Vec<Condition> {
    let number = container.number.as_str();
    let brings = kind.brings() || view.is_on_the_road();
    match (kind, container.visit) {
        (_, Some(visit)) if brings => vec![Condition::new(
            Gravity::Refuses,
            code::CONTAINER_ALREADY_HERE,
            visit.id.as_str(),
            "terminal",
            "A container is at a site once; check the number, or record its departure first.",
        )],
        (PreArrivalKind::EmptyIn | PreArrivalKind::FullIn | PreArrivalKind::EmptyVehicle, _) => {
            Vec::new()
        }
        // Goods out of bond are taken in a container that stands here, or in one that the truck brings.
        (PreArrivalKind::BondExit, None) => Vec::new(),
        (_, None) if brings => Vec::new(),
        (_, None) => vec![Condition::new(
            Gravity::Refuses,
            code::CONTAINER_UNKNOWN,
            number,
            "terminal",
            "No train, barge or truck has announced or brought it to this site; the terminal announces it.",
        )],
        (PreArrivalKind::EmptyOut, Some(visit)) => of_empty(visit).into_iter().collect(),
        (PreArrivalKind::FullOut, Some(visit)) => of_full_out(haulier, visit, container.decision),
        (PreArrivalKind::BondTransfer | PreArrivalKind::BondExit, Some(visit)) => {
            of_absence(visit).into_iter().collect()
        }
    }
}

/// Goods of a stock list move on release's decision on the list, and on a pass for them (gate rule 4). Those that
/// are on the road already go on.
pub fn of_list(kind: PreArrivalKind, view: &View<'_>) -> Vec<Condition> {
    let Some(list) = view.list.as_ref().filter(|list| !list.on_the_road) else {
        return Vec::new();
    };
    let subject = format!("stock-list/{}", list.number);
    let known = list
        .passage
        .and_then(|passage| Some((passage, passage.list.as_ref()?)));
    let Some((passage, told)) = known else {
        return vec![Condition::new(
            Gravity::Refuses,
            code::STOCK_LIST_UNKNOWN,
            subject,
            "bonded",
            "Bonded has not told of this stock list.",
        )];
    };
    let trader = told.trader_party.as_str();
    let mut conditions = Vec::new();
    let pass = list.pre_arrival_id.and_then(|id| passage.pass(id));
    if pass.is_some_and(|pass| pass.state == PassState::Withdrawn) {
        conditions.push(
            Condition::new(
                Gravity::Refuses,
                code::PASS_WITHDRAWN,
                subject.as_str(),
                trader,
                "The list is void, over or closed short, and the pass was taken back; the trader files another list.",
            )
            .on_evidence(&told.told.event_id),
        );
    }
    for line in passage.exceeded() {
        conditions.push(
            Condition::new(
                Gravity::Refuses,
                code::STOCK_LIST_EXCEEDED,
                format!("{subject}/{line}"),
                trader,
                "The passes carry more of this line than is on the list; cancel one.",
            )
            .on_evidence(&told.told.event_id),
        );
    }
    let leaving = if kind == PreArrivalKind::BondTransfer {
        Leaving::IntoBond(&view.containers)
    } else {
        Leaving::OutOfBond
    };
    merge(
        &mut conditions,
        of_release(leaving, &subject, list.decision),
    );
    conditions
}

/// A laden container leaves on release's decision and on gate's own facts, which gate knows before release
/// does.
pub fn of_full_out(
    haulier: &str,
    visit: &ContainerVisit,
    decision: Option<&ReleaseDecision>,
) -> Vec<Condition> {
    let mut conditions = of_release(Leaving::Truck(haulier), visit.id.as_str(), decision);
    merge(
        &mut conditions,
        of_absence(visit).or_else(|| of_unavailable(visit)),
    );
    conditions
}

/// What is to be picked up must stand here, and in the yard.
pub fn of_absence(visit: &ContainerVisit) -> Option<Condition> {
    of_not_arrived(visit).or_else(|| {
        let loading = visit.loaded.as_ref()?;
        Some(Condition::new(
            Gravity::Refuses,
            code::LOADED,
            subject(visit),
            "terminal",
            format!("It is loaded on {}, and goes with it.", loading.conveyance),
        ))
    })
}

/// What is to go must be here.
pub fn of_not_arrived(visit: &ContainerVisit) -> Option<Condition> {
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

/// What laden containers or goods are to leave by.
#[derive(Clone, Copy)]
enum Leaving<'a> {
    /// This haulier's truck.
    Truck(&'a str),
    /// A train or barge: release says "may load".
    Conveyance,
    /// A pass into a bonded centre, in these containers.
    IntoBond(&'a [ContainerView<'a>]),
    /// A pass out of it.
    OutOfBond,
}

impl Leaving<'_> {
    /// Who can say what became of something that is said to have left.
    fn who_sees_what_has_left(self) -> &'static str {
        match self {
            Self::Truck(_) | Self::Conveyance => "terminal",
            Self::IntoBond(_) | Self::OutOfBond => "operator",
        }
    }
}

/// What release misses, in its own words; or that it has not decided for this.
fn of_release(
    leaving: Leaving<'_>,
    id: &str,
    decision: Option<&ReleaseDecision>,
) -> Vec<Condition> {
    let not_granted = |who: &str, description: &str| {
        Condition::new(
            Gravity::Refuses,
            code::RELEASE_NOT_GRANTED,
            id,
            who,
            description,
        )
    };
    let Some(decision) = decision else {
        return vec![not_granted(
            "admin",
            "Release has not decided on it yet. It does by itself; if it stays so, the platform's operator looks why (greenlane status).",
        )];
    };
    let known = |condition: Condition| {
        condition
            .since(decision.decided_at)
            .on_evidence(&decision.told.event_id)
    };
    match decision.state {
        // Since when customs does so, no version of the decision says.
        DecisionState::Granted if decision.barred_by.is_some() => vec![
            Condition::new(
                Gravity::Refuses,
                code::RELEASE_REVOKED,
                id,
                "customs",
                "Customs takes the declaration back that it was released on; greenlane why says what is missing.",
            )
            .on_evidence(&decision.told.event_id),
        ],
        DecisionState::Granted => of_grant(leaving, id, decision)
            .map_or_else(Vec::new, |condition| vec![known(condition)]),
        // Where nothing else is missing, customs took a declaration back that did not count.
        DecisionState::RevocationAsked | DecisionState::Revoked => {
            let missing = decision.conditions.first();
            let who = missing.map_or("customs", |condition| condition.who.as_str());
            vec![known(Condition::new(
                Gravity::Refuses,
                code::RELEASE_REVOKED,
                id,
                who,
                "The release was withdrawn; greenlane why says what is missing.",
            ))]
        }
        DecisionState::Consumed => vec![known(not_granted(
            leaving.who_sees_what_has_left(),
            "The release was used up by an earlier departure.",
        ))],
        DecisionState::Withheld if decision.conditions.is_empty() => vec![known(not_granted(
            "customs",
            "Something is missing; greenlane why says what.",
        ))],
        DecisionState::Withheld => decision.conditions.clone(),
    }
}

/// What was granted must be what is to happen.
fn of_grant(leaving: Leaving<'_>, id: &str, decision: &ReleaseDecision) -> Option<Condition> {
    let (code, who, description) = match (leaving, decision.journey) {
        (Leaving::Conveyance, Journey::Export) => return None,
        (Leaving::Truck(haulier), Journey::ImportPickUp) if decision.haulier_party == haulier => {
            return None;
        }
        (Leaving::IntoBond(containers), Journey::BondTransfer) => {
            let named = &decision.list_containers;
            // Else neither what each container waits for would count, nor what customs inspects in it.
            if containers.is_empty() && !named.is_empty() {
                return Some(Condition::new(
                    Gravity::Refuses,
                    code::CONTAINER_NOT_NAMED,
                    id,
                    "haulier",
                    "The declaration of the stock list names its containers, and the pass none; cancel it and file one with the container that the truck takes.",
                ));
            }
            let is_named = |view: &&ContainerView<'_>| {
                named.iter().any(|number| number == view.number.as_str())
            };
            let other = containers
                .iter()
                .find(|view| !named.is_empty() && !is_named(view))?;
            return Some(Condition::new(
                Gravity::Refuses,
                code::CONTAINER_NOT_ON_LIST,
                other.number.as_str(),
                "broker",
                "The declaration of the stock list names other containers.",
            ));
        }
        (Leaving::OutOfBond, Journey::BondExit) => return None,
        (Leaving::Truck(_), Journey::ImportPickUp) => (
            code::RELEASED_TO_ANOTHER_HAULIER,
            "line",
            "The line has released it to another haulier; ask the line.",
        ),
        (Leaving::Truck(_), Journey::Export) => (
            code::RELEASE_NOT_GRANTED,
            "haulier",
            "It is released for a train or barge, and not to a haulier.",
        ),
        (Leaving::Conveyance, Journey::ImportPickUp) => (
            code::RELEASE_NOT_GRANTED,
            "terminal",
            "It is released to a haulier, and not for a train or barge.",
        ),
        _ => (
            code::RELEASE_NOT_GRANTED,
            "haulier",
            "It is released for another journey.",
        ),
    };
    Some(Condition::new(Gravity::Refuses, code, id, who, description))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use kernel::StockListNumber;

    use super::*;
    use crate::domain::knowledge::Told;
    use crate::domain::list_passage::{Standing, StockList};

    const LIST: &str = "QD800026I000000007";

    /// A list that may pass, on a decision that lets it go in these containers.
    fn granted(containers: &[&str]) -> (ListPassage, ReleaseDecision) {
        let told = Told {
            event_id: "event".into(),
            ..Told::default()
        };
        let mut passage = ListPassage::new(StockListNumber::parse(LIST).unwrap());
        passage.list = Some(StockList {
            told: told.clone(),
            site_id: "GUOYUAN-BLC".into(),
            trader_party: "trader-a".into(),
            standing: Standing::Open,
            state: "APPROVED".into(),
            lines: Vec::new(),
            unstuffed_at: None,
        });
        let decision = ReleaseDecision {
            told,
            state: DecisionState::Granted,
            journey: Journey::BondTransfer,
            list_containers: containers.iter().map(ToString::to_string).collect(),
            ..ReleaseDecision::none_yet(&format!("list/{LIST}"), Utc::now())
        };
        (passage, decision)
    }

    #[test]
    fn a_transfer_goes_in_containers_that_the_decision_on_its_list_names_and_not_without_any() {
        let numbers = ["MSKU9070323", "CSQU3054383", "MRKU4976720"];
        let numbers = numbers.map(|number| ContainerNumber::parse(number).unwrap());
        let [one, two, other] = &numbers;
        let against = |named: &[&str], on_it: &[&ContainerNumber], on_the_road: bool| {
            let (passage, decision) = granted(named);
            let containers = on_it.iter().map(|number| ContainerView {
                number,
                visit: None,
                decision: None,
                clearance: None,
            });
            let view = View {
                containers: containers.collect(),
                list: Some(ListView {
                    number: LIST,
                    pre_arrival_id: None,
                    on_the_road,
                    passage: Some(&passage),
                    decision: Some(&decision),
                }),
                ..View::default()
            };
            let against = of_list(PreArrivalKind::BondTransfer, &view);
            let against = against.into_iter().map(|c| (c.code, c.subject, c.who));
            against.collect::<Vec<_>>()
        };
        let named = [one.as_str(), two.as_str()];
        let nothing: Vec<(String, String, String)> = Vec::new();
        for on_it in [vec![one], vec![two], vec![one, two]] {
            assert_eq!(against(&named, &on_it, false), nothing, "{on_it:?}");
        }
        for on_it in [vec![other], vec![one, other]] {
            let found = against(&named, &on_it, false);
            assert_eq!(found.len(), 1, "{on_it:?}");
            assert_eq!(found[0].0, code::CONTAINER_NOT_ON_LIST, "{on_it:?}");
        }
        let none = (
            code::CONTAINER_NOT_NAMED.to_owned(),
            format!("stock-list/{LIST}"),
            "haulier".to_owned(),
        );
        assert_eq!(against(&named, &[], false), [none]);
        // A decision that names none lets the goods go in any; what is on the road goes on.
        for on_it in [vec![], vec![other]] {
            assert_eq!(against(&[], &on_it, false), nothing, "{on_it:?}");
        }
        assert_eq!(against(&named, &[], true), nothing);
    }
}
