//! What customs learns from gate: sites and container visits. Of each the highest version wins. A visit names
//! its container and itself; the declarations that name the container follow, with all that belongs to them.

use fabric::{Decision, Subjects};
use uuid::Uuid;

use super::desk::Desk;
use super::state::subject;
use crate::domain::matching::container_key;
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
    Subjects::new()
        .write(subject::KEY, container_key(&visit.container))
        .write(subject::VISIT, &visit.visit_id)
}

/// Keeps a container visit and moves on every declaration that names its container.
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
        let key = container_key(&visit.container);
        let concerned: Vec<Uuid> = desk
            .state
            .declarations
            .iter()
            .filter(|(_, declaration)| {
                declaration.is_open() && declaration.clearance_keys().contains(&key)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in concerned {
            desk.advance(id);
        }
    }
    Decision::applied().with_facts(desk.facts)
}
