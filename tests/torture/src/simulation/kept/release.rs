//! The tables of release in memory. The timeline is not kept: nothing is decided on it.

use std::collections::BTreeMap;

use fabric::platform::Part;
use fabric::{SubjectSet, Working};
use release::app::Release;
use release::app::state::{Group, State, StoppedPartitions};
use release::domain::clearance::Clearance;
use release::domain::commercial_release::CommercialRelease;
use release::domain::container_visit::ContainerVisit;
use release::domain::declaration::Declaration;
use release::domain::hold::{Hold, HoldId, Scope};
use release::domain::notice_board::NoticeBoard;
use release::domain::party::KnownParty;
use release::domain::pre_arrival::PreArrival;
use release::domain::site::Site;
use release::domain::stock_list::StockList;
use uuid::Uuid;

use crate::simulation::whole::{Kept, keep, whole};

/// By the keys of the working set; groups as tables of tables.
#[derive(Clone, Default)]
pub struct Tables {
    sites: BTreeMap<String, Site>,
    parties: BTreeMap<String, KnownParty>,
    containers: BTreeMap<String, BTreeMap<String, ContainerVisit>>,
    clearances: BTreeMap<String, Clearance>,
    releases: BTreeMap<String, BTreeMap<Uuid, CommercialRelease>>,
    holds: BTreeMap<Scope, BTreeMap<HoldId, Hold>>,
    pre_arrivals: BTreeMap<String, PreArrival>,
    declarations: BTreeMap<String, Declaration>,
    lists: BTreeMap<String, StockList>,
    boards: BTreeMap<Scope, NoticeBoard>,
}

impl Tables {
    /// Every stay with what was decided on it.
    pub fn visits(&self) -> impl Iterator<Item = &ContainerVisit> {
        self.containers.values().flat_map(BTreeMap::values)
    }
}

impl Kept for Release {
    type Tables = Tables;

    fn read(&self, tables: &Tables, _: &SubjectSet, stopped: Vec<Part>) -> State {
        let operators = tables
            .parties
            .values()
            .filter(|party| !party.suspended && party.roles.iter().any(|role| role == "operator"));
        State {
            sites: whole(&tables.sites),
            parties: whole(&tables.parties),
            containers: groups(&tables.containers),
            clearances: whole(&tables.clearances),
            releases: groups(&tables.releases),
            holds: groups(&tables.holds),
            pre_arrivals: whole(&tables.pre_arrivals),
            declarations: whole(&tables.declarations),
            lists: whole(&tables.lists),
            boards: whole(&tables.boards),
            stopped: StoppedPartitions::of(stopped),
            operators: operators.map(|party| party.party_id.clone()).collect(),
            timeline: Vec::new(),
        }
    }

    fn write(tables: &mut Tables, state: &State) {
        keep(&mut tables.sites, &state.sites);
        keep(&mut tables.parties, &state.parties);
        keep(&mut tables.clearances, &state.clearances);
        keep(&mut tables.pre_arrivals, &state.pre_arrivals);
        keep(&mut tables.declarations, &state.declarations);
        keep(&mut tables.lists, &state.lists);
        keep(&mut tables.boards, &state.boards);
        for (number, visits) in state.containers.changed() {
            let stays = visits.changed();
            let stays = stays.map(|visit| (visit.stay.container_visit_id.clone(), visit.clone()));
            tables
                .containers
                .entry(number.clone())
                .or_default()
                .extend(stays);
        }
        for (document, releases) in state.releases.changed() {
            let changed = releases
                .changed()
                .map(|release| (release.id, release.clone()));
            tables
                .releases
                .entry(document.clone())
                .or_default()
                .extend(changed);
        }
        for (scope, holds) in state.holds.changed() {
            let changed = holds.changed().map(|hold| (hold.id.clone(), hold.clone()));
            tables
                .holds
                .entry(scope.clone())
                .or_default()
                .extend(changed);
        }
    }
}

fn groups<G: Ord + Clone + std::fmt::Debug, K: Ord + Clone, V: Clone + PartialEq>(
    rows: &BTreeMap<G, BTreeMap<K, V>>,
) -> Working<G, Group<K, V>> {
    Working::whole(
        rows.iter()
            .map(|(key, rows)| (key.clone(), Group::of(rows.clone()))),
    )
}
