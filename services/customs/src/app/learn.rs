//! What customs learns from gate (sites, container visits, answers to its asks) and from bonded (stock lists). Of
//! each the highest version wins. A visit names its container, itself and the declarations that its truck's filing
//! named; a list names itself. The declarations concerned follow, with all that belongs to them.

use fabric::{Decision, Subjects};
use uuid::Uuid;

use super::desk::Desk;
use super::state::subject;
use crate::domain::declaration::Declaration;
use crate::domain::matching::container_key;
use crate::domain::stock_list::StockList;
use crate::domain::visit::{Site, Visit};

/// What a site touches.
pub fn site_subjects() -> Subjects {
    Subjects::new().write(subject::SITES, subject::ALL)
}

/// Keeps a site.
pub fn site(desk: Desk<'_>, site: &Site) -> Decision {
    let held = desk
        .state
        .sites
        .iter()
        .find(|(id, _)| **id == site.site_id)
        .map_or(0, |(_, held)| held.version);
    if site.version > held {
        desk.state.sites.put(site.site_id.clone(), site.clone());
    }
    Decision::applied()
}

/// What a container visit touches.
pub fn visit_subjects(visit: &Visit) -> Subjects {
    let subjects = Subjects::new()
        .write(subject::KEY, container_key(&visit.container))
        .write(subject::VISIT, &visit.visit_id);
    visit.named.iter().fold(subjects, |subjects, name| {
        subjects.write(subject::NAME, name)
    })
}

/// Where the declarations are found that a container visit concerns.
pub fn visit_references(visit: &Visit) -> Vec<String> {
    let names = visit.named.iter().map(|name| format!("name/{name}"));
    std::iter::once(container_key(&visit.container))
        .chain(names)
        .collect()
}

/// Keeps a container visit and moves on every declaration that names its container, or that it names.
pub fn visit(mut desk: Desk<'_>, visit: &Visit) -> Decision {
    let held = desk
        .state
        .visits_of(&visit.container)
        .into_iter()
        .find(|held| held.visit_id == visit.visit_id);
    if held
        .as_ref()
        .is_some_and(|held| held.version >= visit.version)
    {
        return Decision::applied();
    }
    // What the terminal adds besides (available, loaded) is no news to a declaration.
    let same = held.is_some_and(|held| {
        Visit {
            version: visit.version,
            ..held
        } == *visit
    });
    desk.state.put_visit(visit.clone());
    if !same {
        advance_found(&mut desk, &visit_references(visit));
    }
    Decision::applied().with_facts(desk.facts)
}

/// What a stock list touches.
pub fn list_subjects(list: &StockList) -> Subjects {
    Subjects::new().write(subject::LIST, list.number.to_string())
}

/// Where the declarations are found that name a stock list.
pub fn list_reference(list: &StockList) -> String {
    format!("stock-list/{}", list.number)
}

/// Keeps a stock list and moves on every declaration that names it.
pub fn list(mut desk: Desk<'_>, list: &StockList) -> Decision {
    let held = desk.state.list(&list.number);
    if held
        .as_ref()
        .is_some_and(|held| held.version >= list.version)
    {
        return Decision::applied();
    }
    let learnt = StockList {
        // Since when is known of the first word that said so.
        reserved_at: held.and_then(|held| held.reserved_at).or(list.reserved_at),
        ..list.clone()
    };
    desk.state.lists.put(list.number.to_string(), learnt);
    advance_found(&mut desk, &[list_reference(list)]);
    Decision::applied().with_facts(desk.facts)
}

/// Gate's answer to an ask, of whichever service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The ask.
    pub ask_id: String,
    /// Nothing will leave on it; else goods have left.
    pub applied: bool,
}

impl Answer {
    /// Where the declaration is found that waits for it.
    pub fn reference(&self) -> String {
        format!("ask/{}", self.ask_id)
    }
}

/// Tells the declaration that waits for an answer, if one does.
pub fn answer(mut desk: Desk<'_>, answer: &Answer) -> Decision {
    if let Ok(ask_id) = Uuid::parse_str(&answer.ask_id) {
        for id in found(&desk, &[answer.reference()]) {
            desk.change(id, |declaration, world| {
                declaration.answer(ask_id, answer.applied, world);
            });
        }
    }
    Decision::applied().with_facts(desk.facts)
}

/// Looks at the exports that have been released for long and not left.
pub fn look_for_exits(mut desk: Desk<'_>) -> Decision {
    let overdue_days = desk.customs.exit_overdue_days;
    let awaited: Vec<Uuid> = desk
        .state
        .declarations
        .iter()
        .filter(|(_, declaration)| declaration.exit_awaited_since().is_some())
        .map(|(id, _)| *id)
        .collect();
    for id in awaited {
        desk.change(id, |declaration, world| {
            declaration.look_for_exit(overdue_days, world);
        });
    }
    Decision::applied().with_facts(desk.facts)
}

fn advance_found(desk: &mut Desk<'_>, references: &[String]) {
    for id in found(desk, references) {
        desk.advance(id);
    }
}

/// The open declarations that are found by any of these.
fn found(desk: &Desk<'_>, references: &[String]) -> Vec<Uuid> {
    let concerned = |declaration: &Declaration| {
        declaration.is_open()
            && declaration
                .references()
                .iter()
                .any(|reference| references.contains(reference))
    };
    desk.state
        .declarations
        .iter()
        .filter(|(_, declaration)| concerned(declaration))
        .map(|(id, _)| *id)
        .collect()
}
