//! What a haulier is told of what stands against its filing. Of its own affairs, and of goods that others have put
//! into its hands, everything. Of anything else, whose numbers are no secrets: which kinds of things are missing and
//! which role acts, as everybody may read it, and no ids, names, times and reasons of others. What counts at a
//! barrier is in `readiness` and `admission`: this file must not change a decision.

use super::condition::{Condition, code, merge};
use super::knowledge::Journey;
use super::pre_arrival::{BoundVisit, PreArrivalKind, Standing};
use super::readiness::{self, About, ContainerView, Finding, View};

/// What was found about a filing: all of it, and what its haulier is told.
pub fn standing(kind: PreArrivalKind, view: &View<'_>) -> Standing {
    let findings = readiness::findings(kind, view);
    let mut told = Vec::new();
    merge(
        &mut told,
        findings.iter().map(|finding| told_of(kind, view, finding)),
    );
    let mut conditions = Vec::new();
    let found = findings.into_iter();
    merge(&mut conditions, found.map(|finding| finding.condition));
    let visits = view.containers.iter().map(|container| {
        container.visit.map(|visit| BoundVisit {
            container_visit_id: visit.id.as_str().to_owned(),
            is_told: is_in_its_hands(view, container),
        })
    });
    Standing {
        visits: visits.collect(),
        conditions,
        told,
    }
}

fn told_of(kind: PreArrivalKind, view: &View<'_>, finding: &Finding) -> Condition {
    let whole = || finding.condition.clone();
    match finding.about {
        About::Haulier => whole(),
        About::Container(place) => match view.containers.get(place) {
            Some(container) if !is_in_its_hands(view, container) => {
                in_general(&finding.condition, container.number.as_str())
            }
            _ => whole(),
        },
        About::Reference(place) => match view.references.get(place) {
            Some(reference) if !is_of_its_containers(view, place) => {
                readiness::of_unknown_declaration(reference)
            }
            // Why it is held is between customs and its parties.
            Some(reference) if finding.condition.code.ends_with("_HOLD") => {
                let named = format!("declaration/{}", reference.written);
                in_general(&finding.condition, &named)
            }
            _ => without_evidence(&finding.condition),
        },
        About::List => of_list(&finding.condition, view),
        About::Goods => of_goods(kind, &finding.condition, view),
    }
}

/// The line has released it to this haulier, whatever else is missing.
fn is_in_its_hands(view: &View<'_>, container: &ContainerView<'_>) -> bool {
    let haulier = view.haulier.as_ref().map(|firm| firm.party_id);
    container.decision.is_some_and(|decision| {
        decision.journey == Journey::ImportPickUp
            && !decision.haulier_party.is_empty()
            && Some(decision.haulier_party.as_str()) == haulier
    })
}

/// Whoever knows a declaration's number and a container that it names has them from who filed it.
fn is_of_its_containers(view: &View<'_>, place: usize) -> bool {
    let declarations = view.references.get(place).map(|r| &r.declarations);
    declarations.is_some_and(|declarations| {
        let covers = |number| declarations.iter().any(|d| d.covers(number));
        let mut containers = view.containers.iter();
        containers.any(|container| covers(container.number))
    })
}

/// What stands against a filing's goods is told whole if all of them are in its haulier's hands.
fn of_goods(kind: PreArrivalKind, condition: &Condition, view: &View<'_>) -> Condition {
    if view.list.is_some() {
        return of_list(condition, view);
    }
    if kind == PreArrivalKind::FullIn {
        let mut references = view.references.iter().enumerate();
        let other = references.find(|(place, _)| !is_of_its_containers(view, *place));
        return other.map_or_else(
            || without_evidence(condition),
            |(_, reference)| readiness::of_unknown_declaration(reference),
        );
    }
    let mut containers = view.containers.iter();
    let other = containers.find(|container| !is_in_its_hands(view, container));
    other.map_or_else(
        || condition.clone(),
        |container| in_general(condition, container.number.as_str()),
    )
}

/// What is wrong with a pass is its haulier's affair; what release and customs say of the goods is not.
fn of_list(condition: &Condition, view: &View<'_>) -> Condition {
    let of_the_pass = [
        code::STOCK_LIST_UNKNOWN,
        code::STOCK_LIST_EXCEEDED,
        code::PASS_WITHDRAWN,
        code::CONTAINER_NOT_NAMED,
        code::CONTAINER_NOT_ON_LIST,
    ];
    if of_the_pass.contains(&condition.code.as_str()) {
        return without_evidence(condition);
    }
    let number = view.list.as_ref().map_or("", |list| list.number);
    in_general(condition, &format!("stock-list/{number}"))
}

/// What it says, and not by which events of others.
fn without_evidence(condition: &Condition) -> Condition {
    Condition {
        since: None,
        evidence: Vec::new(),
        ..condition.clone()
    }
}

/// The condition as everybody may read it, about what the filing itself names.
fn in_general(condition: &Condition, named: &str) -> Condition {
    Condition::new(
        condition.gravity,
        &condition.code,
        named,
        role_of(condition),
        "More is told to the parties of the goods, and to the haulier whom the line releases them to.",
    )
}

/// Who acts, as a role: a name would say whose goods they are.
fn role_of(condition: &Condition) -> &str {
    const ROLES: [&str; 9] = [
        "haulier", "broker", "trader", "line", "operator", "terminal", "customs", "officer",
        "admin",
    ];
    let who = condition.who.as_str();
    if ROLES.contains(&who) {
        return who;
    }
    match condition.code.as_str() {
        "TERMINAL_HOLD" | "SAFETY_HOLD" => "terminal",
        word if word.starts_with("DECLARATION") => "broker",
        _ => "line",
    }
}
