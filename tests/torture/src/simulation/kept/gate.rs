//! The tables of gate in memory.

use std::collections::BTreeMap;

use fabric::SubjectSet;
use fabric::platform::Part;
use gate::Gate;
use gate::app::State;
use gate::domain::container_visit::ContainerVisit;
use gate::domain::hold::{Hold, HoldKey};
use gate::domain::knowledge::{
    AnsweredAsk, CarryMandate, Clearance, KnownDeclaration, KnownParty, ReleaseDecision,
};
use gate::domain::list_passage::ListPassage;
use gate::domain::pre_arrival::PreArrival;
use gate::domain::site::Site;
use gate::domain::truck_visit::TruckVisit;
use uuid::Uuid;

use crate::simulation::whole::{Kept, keep, whole};

/// By the keys of the working set.
#[derive(Clone, Default)]
pub struct Tables {
    sites: BTreeMap<String, Site>,
    site_versions: BTreeMap<String, u64>,
    visits: BTreeMap<String, ContainerVisit>,
    decisions: BTreeMap<String, ReleaseDecision>,
    clearances: BTreeMap<String, Clearance>,
    declarations: BTreeMap<String, KnownDeclaration>,
    lists: BTreeMap<String, ListPassage>,
    holds: BTreeMap<HoldKey, Hold>,
    parties: BTreeMap<String, KnownParty>,
    mandates: BTreeMap<String, CarryMandate>,
    pre_arrivals: BTreeMap<Uuid, PreArrival>,
    truck_visits: BTreeMap<Uuid, TruckVisit>,
    asks: BTreeMap<String, AnsweredAsk>,
}

impl Tables {
    /// The version of release's decision on a stay that gate has heard.
    pub fn decision_version(&self, container_visit_id: &str) -> Option<u64> {
        let decision = self.decisions.get(container_visit_id)?;
        Some(decision.told.version)
    }
}

impl Kept for Gate {
    type Tables = Tables;

    fn read(&self, tables: &Tables, _: &SubjectSet, _: Vec<Part>) -> State {
        State {
            epoch: 1,
            sites: whole(&tables.sites),
            site_versions: tables.site_versions.clone(),
            visits: whole(&tables.visits),
            decisions: whole(&tables.decisions),
            clearances: whole(&tables.clearances),
            declarations: whole(&tables.declarations),
            lists: whole(&tables.lists),
            holds: whole(&tables.holds),
            parties: whole(&tables.parties),
            mandates: whole(&tables.mandates),
            pre_arrivals: whole(&tables.pre_arrivals),
            truck_visits: whole(&tables.truck_visits),
            asks: whole(&tables.asks),
            drivers: Vec::new(),
            forget_drivers_before: None,
        }
    }

    fn write(tables: &mut Tables, state: &State) {
        keep(&mut tables.sites, &state.sites);
        tables.site_versions.clone_from(&state.site_versions);
        keep(&mut tables.visits, &state.visits);
        keep(&mut tables.decisions, &state.decisions);
        keep(&mut tables.clearances, &state.clearances);
        keep(&mut tables.declarations, &state.declarations);
        keep(&mut tables.lists, &state.lists);
        keep(&mut tables.holds, &state.holds);
        keep(&mut tables.parties, &state.parties);
        keep(&mut tables.mandates, &state.mandates);
        keep(&mut tables.pre_arrivals, &state.pre_arrivals);
        keep(&mut tables.truck_visits, &state.truck_visits);
        keep(&mut tables.asks, &state.asks);
    }
}
