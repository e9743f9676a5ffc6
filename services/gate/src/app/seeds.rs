//! Which things an input is about, and so which subjects are locked for it. The rest follows from what is
//! stored: a container leads to the filings that name it, a filing to its plates, its firm and their holds.
//!
//! | Input | Writes | What follows |
//! | --- | --- | --- |
//! | train and barge lists, availability | containers | filings and trucks of them; what was lifted on |
//! | filings | their containers, plates; the filing | what is around them |
//! | filings with a stock list | the list | |
//! | lane, weighing, inspections, review | plates or truck visit | its filing, containers, firm, holds |
//! | holds | hold, scope | filings and trucks concerned |
//! | records | what they are about | filings and trucks concerned; of an unstuffed list, containers |

use std::collections::BTreeSet;

use fabric::Subjects;
use uuid::Uuid;

use crate::domain::hold::{HoldKey, Scope, ScopeKind};
use crate::domain::knowledge::list_of_decision_key;
use crate::domain::pre_arrival::PreArrival;
use crate::domain::truck_visit::TruckVisit;

/// The kinds of subjects.
pub mod kind {
    /// A container number: its stays, decisions on them, customs' word.
    pub const CONTAINER: &str = "container";
    /// A normalised plate.
    pub const PLATE: &str = "plate";
    /// A party and the mandates it gave that may count.
    pub const PARTY: &str = "party";
    /// A mandate, by its id, whether it counts or not.
    pub const MANDATE: &str = "mandate";
    /// A pre-arrival.
    pub const PRE_ARRIVAL: &str = "pre-arrival";
    /// A truck visit.
    pub const TRUCK_VISIT: &str = "truck-visit";
    /// What a hold is on, as in the hold topics.
    pub const HOLD_SCOPE: &str = "hold-scope";
    /// A hold: "keeper/id".
    pub const HOLD: &str = "hold";
    /// A site.
    pub const SITE: &str = "site";
    /// A stay, by its id: it may be an old one that release asks about.
    pub const STAY: &str = "stay";
    /// An ask of release.
    pub const ASK: &str = "ask";
    /// A stock list: what bonded says of it, release's decision on it, and its passes.
    pub const LIST: &str = "list";
    /// A declaration, by its id.
    pub const DECLARATION: &str = "declaration";
    /// MRN or LRN, by which filings name declarations.
    pub const REFERENCE: &str = "reference";
}

/// The things an input is about.
#[derive(Clone, Debug, Default)]
pub struct Seeds {
    /// Container numbers.
    pub containers: BTreeSet<String>,
    /// Normalised plates.
    pub plates: BTreeSet<String>,
    /// Parties whose filings and trucks are concerned.
    pub parties: BTreeSet<String>,
    /// Mandates that are told of.
    pub mandates: BTreeSet<String>,
    /// Declarations.
    pub declarations: BTreeSet<String>,
    /// Declarations on whose account decisions may be barred.
    pub barring: BTreeSet<String>,
    /// Pre-arrivals.
    pub pre_arrivals: BTreeSet<Uuid>,
    /// Pre-arrivals by their scannable number.
    pub pre_arrival_numbers: BTreeSet<String>,
    /// Truck visits.
    pub truck_visits: BTreeSet<Uuid>,
    /// Holds.
    pub holds: BTreeSet<HoldKey>,
    /// Trains and barges whose announced containers are concerned: site, conveyance.
    pub conveyances: BTreeSet<(String, String)>,
    /// Stock lists whose filings and trucks are concerned.
    pub lists: BTreeSet<String>,
    /// Stock lists whose goods were unstuffed: the containers that brought them are concerned.
    pub unstuffed_lists: BTreeSet<String>,
    /// Stock lists of which a filing is to carry a part.
    pub carried_lists: BTreeSet<String>,
    /// References of declarations whose filings are concerned.
    pub references: BTreeSet<String>,
    /// References of declarations that are only looked at.
    pub named_references: BTreeSet<String>,
    /// Trains and barges that leave with what was lifted onto them: site, conveyance.
    pub departing: BTreeSet<(String, String)>,
    /// All trucks that are inside for so long that they must have left.
    pub long_inside: bool,
    /// All pre-arrivals whose time is over.
    pub overdue: bool,
    /// All pre-arrivals that stand on something unknown, or did.
    pub on_unknown: bool,
    /// The input may move the containers of the trucks it is about, which concerns whoever else names them.
    pub moves: bool,
}

impl Seeds {
    /// What a hold's scope is about.
    pub fn of_scope(scope: &Scope) -> Self {
        let mut seeds = Self::default();
        match scope.kind {
            ScopeKind::ContainerVisit => {
                let number = scope.key.rsplit('/').nth(1).unwrap_or(&scope.key);
                seeds.containers.insert(number.to_owned());
            }
            ScopeKind::Declaration => {
                seeds.declarations.insert(scope.key.clone());
            }
            ScopeKind::Plate => {
                seeds.plates.insert(scope.key.clone());
            }
            ScopeKind::Party => {
                seeds.parties.insert(scope.key.clone());
            }
            ScopeKind::StockList => {
                seeds.lists.insert(scope.key.clone());
            }
        }
        seeds
    }

    /// What a decision of release, by its key, is about.
    pub fn of_decision(key: &str) -> Self {
        let mut seeds = Self::default();
        match list_of_decision_key(key) {
            Some(list) => seeds.lists.insert(list.to_owned()),
            None => {
                let number = key.rsplit('/').nth(1).unwrap_or(key);
                seeds.containers.insert(number.to_owned())
            }
        };
        seeds
    }

    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.containers.extend(other.containers);
        self.plates.extend(other.plates);
        self.parties.extend(other.parties);
        self.mandates.extend(other.mandates);
        self.declarations.extend(other.declarations);
        self.barring.extend(other.barring);
        self.pre_arrivals.extend(other.pre_arrivals);
        self.pre_arrival_numbers.extend(other.pre_arrival_numbers);
        self.truck_visits.extend(other.truck_visits);
        self.holds.extend(other.holds);
        self.conveyances.extend(other.conveyances);
        self.lists.extend(other.lists);
        self.unstuffed_lists.extend(other.unstuffed_lists);
        self.carried_lists.extend(other.carried_lists);
        self.references.extend(other.references);
        self.named_references.extend(other.named_references);
        self.departing.extend(other.departing);
        self.long_inside |= other.long_inside;
        self.overdue |= other.overdue;
        self.on_unknown |= other.on_unknown;
        self.moves |= other.moves;
    }

    /// Whether a filing with these names is concerned.
    pub fn concern<'a>(
        &self,
        containers: &[String],
        plates: &[String],
        firms: impl IntoIterator<Item = &'a str>,
    ) -> bool {
        containers
            .iter()
            .any(|container| self.containers.contains(container))
            || plates.iter().any(|plate| self.plates.contains(plate))
            || firms.into_iter().any(|firm| self.parties.contains(firm))
    }

    /// Whether this filing is concerned.
    pub fn concern_filing(&self, filing: &PreArrival) -> bool {
        let containers: Vec<String> = filing
            .containers
            .iter()
            .map(|c| c.number.as_str().to_owned())
            .collect();
        let plates: Vec<String> = filing.vehicle.plates().map(str::to_owned).collect();
        let mut comes_in_on = filing.comes_in_on().iter();
        self.pre_arrivals.contains(&filing.pre_arrival_id)
            || filing
                .list_number()
                .is_some_and(|list| self.lists.contains(list))
            || comes_in_on.any(|reference| self.references.contains(reference))
            || self.concern(&containers, &plates, [filing.haulier_party.as_str()])
    }

    /// Whether this truck visit is concerned.
    pub fn concern_truck(&self, truck: &TruckVisit) -> bool {
        let containers: Vec<String> = truck
            .containers
            .iter()
            .map(|c| c.number.as_str().to_owned())
            .collect();
        let plates: Vec<String> = truck.vehicle.plates().map(str::to_owned).collect();
        let list = truck.list_number.as_ref();
        self.truck_visits.contains(&truck.truck_visit_id)
            || list.is_some_and(|list| self.lists.contains(list))
            || self.concern(&containers, &plates, truck.firms())
    }

    /// The subjects that are named without asking the database.
    pub fn subjects(&self) -> Subjects {
        let mut subjects = Subjects::new();
        for container in &self.containers {
            subjects = subjects.write(kind::CONTAINER, container.as_str());
        }
        for plate in &self.plates {
            subjects = subjects
                .write(kind::PLATE, plate.as_str())
                .read(kind::HOLD_SCOPE, format!("plate/{plate}"));
        }
        for party in &self.parties {
            subjects = subjects
                .write(kind::PARTY, party.as_str())
                .read(kind::HOLD_SCOPE, format!("party/{party}"));
        }
        for mandate in &self.mandates {
            subjects = subjects.write(kind::MANDATE, mandate.as_str());
        }
        for id in &self.pre_arrivals {
            subjects = subjects.write(kind::PRE_ARRIVAL, id.to_string());
        }
        for id in &self.truck_visits {
            subjects = subjects.write(kind::TRUCK_VISIT, id.to_string());
        }
        for list in self.lists.iter().chain(&self.carried_lists) {
            subjects = subjects
                .write(kind::LIST, list.as_str())
                .read(kind::HOLD_SCOPE, format!("stock-list/{list}"));
        }
        for id in &self.declarations {
            subjects = subjects.read(kind::DECLARATION, id.as_str());
        }
        for (keeper, id) in &self.holds {
            subjects = subjects.write(kind::HOLD, format!("{}/{id}", keeper.as_str()));
        }
        subjects
    }
}
