//! What one batch has read and changed. It must not know where it was read from or how it is written:
//! the use cases work on it, `store` fills and empties it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use fabric::{ParkedKeys, Working};
use uuid::Uuid;

use crate::domain::clearance::Clearance;
use crate::domain::commercial_release::CommercialRelease;
use crate::domain::container_visit::{ContainerVisit, Stay};
use crate::domain::declaration::Declaration;
use crate::domain::hold::{Hold, HoldId, Scope};
use crate::domain::list_requirements::{self, ListFacts};
use crate::domain::notice_board::NoticeBoard;
use crate::domain::party::KnownParty;
use crate::domain::pre_arrival::PreArrival;
use crate::domain::requirements::{self, Source, VisitFacts};
use crate::domain::site::Site;
use crate::domain::stock_list::StockList;
use crate::domain::timeline::TimelineEntry;

/// Rows that are read together by what they belong to, of which only the changed ones are written.
#[derive(Clone, Debug)]
pub struct Group<K, V> {
    rows: BTreeMap<K, V>,
    changed: BTreeSet<K>,
}

impl<K, V> Default for Group<K, V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone, V: PartialEq> Group<K, V> {
    /// A group as it was read.
    pub fn of(rows: impl IntoIterator<Item = (K, V)>) -> Self {
        Self {
            rows: rows.into_iter().collect(),
            changed: BTreeSet::new(),
        }
    }

    /// One row.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    /// Puts a row; it is written only if it says something else than before.
    pub fn put(&mut self, key: K, row: V) {
        if self.rows.get(&key) != Some(&row) {
            self.changed.insert(key.clone());
            self.rows.insert(key, row);
        }
    }

    /// Every row.
    pub fn rows(&self) -> impl Iterator<Item = &V> {
        self.rows.values()
    }

    /// The rows to write.
    pub fn changed(&self) -> impl Iterator<Item = &V> {
        self.changed.iter().filter_map(|key| self.rows.get(key))
    }
}

/// The working set of a batch.
#[derive(Debug)]
pub struct State {
    /// By site id.
    pub sites: Working<String, Site>,
    /// By party id.
    pub parties: Working<String, KnownParty>,
    /// The stays of a container, by container number, then by visit.
    pub containers: Working<String, Group<String, ContainerVisit>>,
    /// What customs says, by its key.
    pub clearances: Working<String, Clearance>,
    /// The commercial releases of a transport document, by the document.
    pub releases: Working<String, Group<Uuid, CommercialRelease>>,
    /// The holds on a scope: those that stand, and those that a command or record names.
    pub holds: Working<Scope, Group<HoldId, Hold>>,
    /// By pre-arrival: those named, and those of the containers.
    pub pre_arrivals: Working<String, PreArrival>,
    /// By declaration: those named, and those that name a stock list.
    pub declarations: Working<String, Declaration>,
    /// By number. What a list's decision rests on is read with it: its declarations, their containers, the
    /// holds on all of these.
    pub lists: Working<String, StockList>,
    /// The notice boards of stays, stock lists and declarations, by what holds on them are on.
    pub boards: Working<Scope, NoticeBoard>,
    /// Consumed partitions that have stopped: what they hold is unknown.
    pub stopped: StoppedPartitions,
    /// The operators of bonded centres, where a book or a stock list is read.
    pub operators: Vec<String>,
    /// What the batch adds to the timeline.
    pub timeline: Vec<TimelineEntry>,
}

/// Consumed partitions that have stopped, by topic and number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoppedPartitions(BTreeSet<(String, u32)>);

impl StoppedPartitions {
    /// These partitions.
    pub fn of(partitions: impl IntoIterator<Item = (String, u32)>) -> Self {
        Self(partitions.into_iter().collect())
    }

    /// Whether none has stopped.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the partition that holds this key has.
    pub fn hold(&self, topic: &str, key: &str) -> bool {
        !self.0.is_empty()
            && self
                .0
                .contains(&(topic.to_owned(), fabric::partition_of(key)))
    }
}

impl State {
    /// The visit, where its container was read.
    pub fn visit(
        &self,
        container_number: &str,
        container_visit_id: &str,
    ) -> Option<&ContainerVisit> {
        let key = container_number.to_owned();
        self.containers
            .is_loaded(&key)
            .then(|| self.containers.get(&key))
            .flatten()?
            .get(&container_visit_id.to_owned())
    }

    /// The visit, whatever its container.
    pub fn visit_by_id(&self, container_visit_id: &str) -> Option<&ContainerVisit> {
        let id = container_visit_id.to_owned();
        self.containers
            .iter()
            .find_map(|(_, visits)| visits.get(&id))
    }

    /// The stays of a container, oldest first.
    pub fn stays(&self, container_number: &str) -> Vec<&Stay> {
        let key = container_number.to_owned();
        let visits = self
            .containers
            .is_loaded(&key)
            .then(|| self.containers.get(&key))
            .flatten();
        visits
            .into_iter()
            .flat_map(Group::rows)
            .map(|visit| &visit.stay)
            .collect()
    }

    /// Writes a visit back; nothing happens if it is as it was.
    pub fn put_visit(&mut self, visit: ContainerVisit) {
        let number = visit.stay.container_number.clone();
        let id = visit.stay.container_visit_id.clone();
        let visits = self.containers.get(&number);
        if visits.and_then(|visits| visits.get(&id)) == Some(&visit) {
            return;
        }
        match self.containers.edit(&number) {
            Some(visits) => visits.put(id, visit),
            None => {
                let mut visits = Group::default();
                visits.put(id, visit);
                self.containers.put(number, visits);
            }
        }
    }

    /// Writes a hold back.
    pub fn put_hold(&mut self, hold: Hold) {
        let mut holds = self.holds.get(&hold.scope).cloned().unwrap_or_default();
        let scope = hold.scope.clone();
        holds.put(hold.id.clone(), hold);
        self.holds.put(scope, holds);
    }

    /// A notice board; an empty one where nothing was pinned yet.
    ///
    /// # Panics
    /// If its scope is the subject of no input: the loop fails that input alone.
    pub fn board(&self, scope: &Scope) -> NoticeBoard {
        self.boards.get(scope).cloned().unwrap_or_default()
    }

    /// Writes a board back; nothing happens if it is as it was.
    pub fn put_board(&mut self, scope: &Scope, board: NoticeBoard) {
        let as_it_was = match self.boards.get(scope) {
            Some(held) => *held == board,
            None => board == NoticeBoard::default(),
        };
        if !as_it_was {
            self.boards.put(scope.clone(), board);
        }
    }

    /// Writes a commercial release back.
    pub fn put_release(&mut self, release: CommercialRelease) {
        let document = release.scope.transport_document.clone();
        let mut releases = self.releases.get(&document).cloned().unwrap_or_default();
        releases.put(release.id, release);
        self.releases.put(document, releases);
    }

    /// What a hold must be on to hold a visit.
    pub fn hold_scopes(&self, visit: &ContainerVisit) -> Vec<Scope> {
        let keys = requirements::clearance_keys(&visit.stay);
        let clearances: Vec<&Clearance> = keys
            .iter()
            .filter_map(|key| self.clearances.get(key))
            .collect();
        requirements::hold_scopes(&visit.stay, &clearances, &self.hauliers(&visit.stay))
    }

    /// The commercial releases of a stay's documents.
    fn releases_of(&self, stay: &Stay) -> Vec<&CommercialRelease> {
        stay.transport_documents()
            .into_iter()
            .filter_map(|document| self.releases.get(&document.to_owned()))
            .flat_map(Group::rows)
            .collect()
    }

    /// The hauliers to whom the lines release a stay.
    ///
    /// # Panics
    /// If a transport document was not read: the loop fails that input alone.
    pub fn hauliers(&self, stay: &Stay) -> BTreeSet<&str> {
        let stays = self.stays(&stay.container_number);
        requirements::hauliers_named(stay, &self.releases_of(stay), &stays)
    }

    /// Whether a declaration is bound to a stay, under whichever of its keys that were read.
    pub fn binds(&self, visit: &ContainerVisit, declaration_id: &str) -> bool {
        let keys = requirements::clearance_keys(&visit.stay);
        let clearances: Vec<&Clearance> = keys
            .iter()
            .filter(|key| self.clearances.is_loaded(key))
            .filter_map(|key| self.clearances.get(key))
            .collect();
        requirements::bound(&visit.stay, &clearances)
            .any(|(consignment, _)| consignment.declaration_id == declaration_id)
    }

    /// What a hold must be on to hold a stock list.
    pub fn list_hold_scopes(&self, list: &StockList) -> Vec<Scope> {
        let declarations = self.declarations_naming(&list.list_number);
        let stays = self.stays_of_list(list, &declarations);
        list_requirements::hold_scopes(list, &declarations, &stays)
    }

    /// Everything that is weighed for a visit.
    ///
    /// # Panics
    /// If a subject was forgotten: the loop fails that input alone.
    pub fn facts<'a>(&'a self, visit: &'a ContainerVisit, parked: &ParkedKeys) -> VisitFacts<'a> {
        let stay = &visit.stay;
        let clearances: Vec<&Clearance> = requirements::clearance_keys(stay)
            .into_iter()
            .filter_map(|key| self.clearances.get(&key))
            .collect();
        let hauliers = self.hauliers(stay);
        let holds = requirements::hold_scopes(stay, &clearances, &hauliers)
            .iter()
            .filter_map(|scope| self.holds.get(scope))
            .flat_map(Group::rows)
            .collect();
        let sources = requirements::sources(stay, &clearances, &hauliers);
        let unknown = self.unknown(sources, parked);
        VisitFacts {
            stay,
            known_since: visit.known_since,
            stays: self.stays(&stay.container_number),
            clearances,
            commercial_releases: self.releases_of(stay),
            holds,
            unknown,
        }
    }

    /// Of these, what could not be read to its end.
    fn unknown(&self, sources: Vec<Source>, parked: &ParkedKeys) -> Vec<Source> {
        let unread = |source: &Source| {
            parked.contains(source.topic, &source.key)
                || self.stopped.hold(source.topic, &source.key)
        };
        sources.into_iter().filter(unread).collect()
    }

    /// The declarations that name a stock list.
    pub fn declarations_naming(&self, list_number: &str) -> Vec<&Declaration> {
        let all = self.declarations.iter().map(|(_, declaration)| declaration);
        all.filter(|declaration| declaration.names_list(list_number))
            .collect()
    }

    /// The stays of a list's containers before they move.
    ///
    /// # Panics
    /// If a container was not read: the loop fails that input alone.
    pub fn stays_of_list(&self, list: &StockList, declarations: &[&Declaration]) -> Vec<&Stay> {
        list_requirements::containers(list, declarations)
            .iter()
            .filter_map(|number| self.containers.get(number))
            .flat_map(Group::rows)
            .map(|visit| &visit.stay)
            .filter(|stay| list_requirements::is_of(stay, list, declarations))
            .collect()
    }

    /// A list's containers that are known to stand, or to have stood, where its goods come from.
    fn known_containers(&self, list: &StockList, declarations: &[&Declaration]) -> BTreeSet<&str> {
        list_requirements::containers(list, declarations)
            .iter()
            .filter_map(|number| self.containers.get(number))
            .flat_map(Group::rows)
            .map(|visit| &visit.stay)
            .filter(|stay| list_requirements::is_known_by(stay, list))
            .map(|stay| stay.container_number.as_str())
            .collect()
    }

    /// Everything that is weighed for a stock list.
    ///
    /// # Panics
    /// If a subject was forgotten: the loop fails that input alone.
    pub fn list_facts<'a>(&'a self, list: &'a StockList, parked: &ParkedKeys) -> ListFacts<'a> {
        let declarations = self.declarations_naming(&list.list_number);
        let stays = self.stays_of_list(list, &declarations);
        let holds = list_requirements::hold_scopes(list, &declarations, &stays)
            .iter()
            .filter_map(|scope| self.holds.get(scope))
            .flat_map(Group::rows)
            .collect();
        let sources = list_requirements::sources(list, &declarations, &stays);
        let keys: BTreeSet<String> = stays
            .iter()
            .flat_map(|stay| requirements::clearance_keys(stay))
            .collect();
        ListFacts {
            list,
            holds,
            clearances: keys
                .iter()
                .filter_map(|key| self.clearances.get(key))
                .collect(),
            known: self.known_containers(list, &declarations),
            stays,
            unknown: self.unknown(sources, parked),
            declarations,
        }
    }

    /// The stock lists of this batch that declarations of these containers name.
    pub fn lists_of_containers(&self, numbers: &BTreeSet<&str>) -> BTreeSet<String> {
        let names = |declaration: &&Declaration| {
            let mut named = declaration.container_numbers.iter();
            named.any(|number| numbers.contains(number.as_str()))
        };
        let all = self.declarations.iter().map(|(_, declaration)| declaration);
        all.filter(names)
            .flat_map(|declaration| &declaration.stock_lists)
            .filter(|number| self.lists.is_loaded(number))
            .cloned()
            .collect()
    }

    /// Writes a list back; nothing happens if it is as it was.
    pub fn put_list(&mut self, list: StockList) {
        if self.lists.get(&list.list_number) != Some(&list) {
            self.lists.put(list.list_number.clone(), list);
        }
    }

    /// Whether everything that is weighed for a visit was read.
    pub fn is_weighable(&self, visit: &ContainerVisit) -> bool {
        let stay = &visit.stay;
        let keys = requirements::clearance_keys(stay);
        if !keys.iter().all(|key| self.clearances.is_loaded(key)) {
            return false;
        }
        stay.transport_documents()
            .into_iter()
            .all(|document| self.releases.is_loaded(&document.to_owned()))
            && self
                .hold_scopes(visit)
                .iter()
                .all(|scope| self.holds.is_loaded(scope))
    }
}
