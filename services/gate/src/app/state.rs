//! What a batch has read and changed, and how it looks around one truck. It must not know SQL.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use fabric::{Knowledge, ParkedKeys, Working};
use kernel::ContainerNumber;
use uuid::Uuid;

use crate::domain::admission::Ages;
use crate::domain::container_visit::ContainerVisit;
use crate::domain::hold::{Hold, HoldKey, Scope, ScopeKind};
use crate::domain::knowledge::{AnsweredAsk, CarryMandate, Clearance, KnownParty, ReleaseDecision};
use crate::domain::pre_arrival::{Driver, PreArrival, Vehicle};
use crate::domain::readiness::{ContainerView, View};
use crate::domain::site::Site;
use crate::domain::truck_visit::TruckVisit;

/// What the operator has set about deciding.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A pre-arrival expires so long after its planned arrival.
    pub expiry_grace: TimeDelta,
    /// A full container leaves on knowledge of its release that is at most so old.
    pub decision_age_max: Duration,
}

/// What a batch has read and changed.
#[derive(Debug, Default)]
pub struct State {
    /// Every site.
    pub sites: Working<String, Site>,
    /// Versions of the sites' facts.
    pub site_versions: BTreeMap<String, u64>,
    /// Stays of the containers named.
    pub visits: Working<String, ContainerVisit>,
    /// Release's decisions on them.
    pub decisions: Working<String, ReleaseDecision>,
    /// Customs' word on the containers named.
    pub clearances: Working<String, Clearance>,
    /// Holds on the scopes named, and those named by id.
    pub holds: Working<HoldKey, Hold>,
    /// Parties named.
    pub parties: Working<String, KnownParty>,
    /// CARRY mandates that they gave.
    pub mandates: Working<String, CarryMandate>,
    /// Pre-arrivals named.
    pub pre_arrivals: Working<Uuid, PreArrival>,
    /// Truck visits named.
    pub truck_visits: Working<Uuid, TruckVisit>,
    /// Asks answered.
    pub asks: Working<String, AnsweredAsk>,
    /// Drivers to be written.
    pub drivers: Vec<Driver>,
}

impl State {
    /// A site.
    pub fn site(&self, site_id: &str) -> Option<&Site> {
        self.sites
            .iter()
            .find(|(id, _)| id.as_str() == site_id)
            .map(|(_, site)| site)
    }

    /// The last stay of a container at a site.
    pub fn last_visit(&self, site_id: &str, container: &str) -> Option<&ContainerVisit> {
        self.visits
            .iter()
            .map(|(_, visit)| visit)
            .filter(|visit| visit.site_id == site_id && visit.container.as_str() == container)
            .max_by_key(|visit| visit.ordinal)
    }

    /// The stay of a container at a site that is not over.
    pub fn open_visit(&self, site_id: &str, container: &str) -> Option<&ContainerVisit> {
        self.last_visit(site_id, container)
            .filter(|visit| visit.is_open())
    }

    /// Release's decision on a stay; none on one that began in this batch.
    fn decision(&self, container_visit_id: &str) -> Option<&ReleaseDecision> {
        let id = container_visit_id.to_owned();
        if self.decisions.is_loaded(&id) {
            self.decisions.get(&id)
        } else {
            None
        }
    }

    /// Everything known around a truck at a site.
    pub fn view<'a>(
        &'a self,
        site_id: &str,
        containers: impl IntoIterator<Item = &'a ContainerNumber>,
        vehicle: &Vehicle,
        haulier: Option<&str>,
        parked: &ParkedKeys,
    ) -> View<'a> {
        let containers: Vec<ContainerView<'a>> = containers
            .into_iter()
            .map(|number| {
                let visit = self.open_visit(site_id, number.as_str());
                ContainerView {
                    number,
                    visit,
                    decision: visit.and_then(|visit| self.decision(visit.id.as_str())),
                    clearance: self.clearances.get(&number.as_str().to_owned()),
                }
            })
            .collect();
        let scopes = scopes_of(&containers, vehicle, haulier);
        let holds = self
            .holds
            .iter()
            .map(|(_, hold)| hold)
            .filter(|hold| hold.stands() && scopes.contains(&hold.scope))
            .collect();
        View {
            parked: parked_about(&containers, &scopes, haulier, parked),
            holds,
            party: haulier.and_then(|haulier| self.parties.get(&haulier.to_owned())),
            containers,
        }
    }

    /// Everything known around a filing.
    pub fn view_of_filing<'a>(&'a self, filing: &'a PreArrival, parked: &ParkedKeys) -> View<'a> {
        let containers = filing.containers.iter().map(|container| &container.number);
        self.view(
            &filing.site_id,
            containers,
            &filing.vehicle,
            Some(&filing.haulier_party),
            parked,
        )
    }

    /// Everything known around a truck visit.
    pub fn view_of_truck<'a>(&'a self, truck: &'a TruckVisit, parked: &ParkedKeys) -> View<'a> {
        let containers = truck.containers.iter().map(|container| &container.number);
        self.view(
            &truck.site_id,
            containers,
            &truck.vehicle,
            truck.haulier_party.as_deref(),
            parked,
        )
    }

    /// Standing holds on a container visit.
    pub fn holds_on_visit(&self, container_visit_id: &str) -> Vec<Hold> {
        let scope = Scope::new(ScopeKind::ContainerVisit, container_visit_id);
        self.holds
            .iter()
            .map(|(_, hold)| hold)
            .filter(|hold| hold.stands() && hold.scope == scope)
            .cloned()
            .collect()
    }

    /// Standing holds on the firm that presents itself for another.
    pub fn holds_on_party(&self, carrier: &str, haulier: &str) -> Vec<&Hold> {
        let scope = Scope::new(ScopeKind::Party, carrier);
        let holds = self.holds.iter().map(|(_, hold)| hold);
        holds
            .filter(|hold| carrier != haulier && hold.stands() && hold.scope == scope)
            .collect()
    }

    /// Mandates that a firm gave.
    pub fn mandates_of<'a>(&'a self, grantor: &str) -> Vec<&'a CarryMandate> {
        self.mandates
            .iter()
            .map(|(_, mandate)| mandate)
            .filter(|mandate| mandate.grantor_party == grantor)
            .collect()
    }
}

/// How old what the others say of each container is: the oldest of release's decision, customs' word and
/// both their holds. Unknown if any of it is (gate rules 10 and 14).
pub fn ages(view: &View<'_>, knowledge: &Knowledge) -> Ages {
    let age = |container: &ContainerView<'_>| {
        let visit = container.visit?.id.as_str().to_owned();
        let scope = format!("container-visit/{visit}");
        let clearance = format!("container/{}", container.number);
        let sources = [
            ("release.decision", &visit),
            ("customs.clearance", &clearance),
            ("customs.hold", &scope),
            ("release.hold", &scope),
        ];
        sources
            .into_iter()
            .map(|(topic, key)| knowledge.age(topic, key))
            .try_fold(Duration::ZERO, |oldest, age| age.map(|age| oldest.max(age)))
    };
    view.containers.iter().map(age).collect()
}

fn scopes_of(
    containers: &[ContainerView<'_>],
    vehicle: &Vehicle,
    haulier: Option<&str>,
) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = vehicle
        .plates()
        .map(|plate| Scope::new(ScopeKind::Plate, plate))
        .collect();
    scopes.extend(haulier.map(|haulier| Scope::new(ScopeKind::Party, haulier)));
    for container in containers {
        let Some(visit) = container.visit else {
            continue;
        };
        scopes.push(Scope::new(ScopeKind::ContainerVisit, visit.id.as_str()));
        if let Some(clearance) = container.clearance {
            scopes.extend(
                clearance
                    .declarations(visit.id.as_str())
                    .map(|id| Scope::new(ScopeKind::Declaration, id)),
            );
        }
    }
    scopes
}

/// The parked keys that something around the truck depends on (gate rule 14).
fn parked_about(
    containers: &[ContainerView<'_>],
    scopes: &[Scope],
    haulier: Option<&str>,
    parked: &ParkedKeys,
) -> Vec<String> {
    let mut about = Vec::new();
    let mut look = |topic: &str, key: &str| {
        if parked.contains(topic, key) {
            about.push(format!("{topic} {key}"));
        }
    };
    for container in containers {
        look(
            "customs.clearance",
            &format!("container/{}", container.number),
        );
        if let Some(visit) = container.visit {
            look("release.decision", visit.id.as_str());
        }
    }
    for scope in scopes {
        look("customs.hold", &scope.topic_key());
        look("release.hold", &scope.topic_key());
    }
    if let Some(haulier) = haulier {
        look("customs.party", haulier);
    }
    about
}
