//! What a batch has read and changed, and how it looks around one truck. It must not know SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fabric::{Context, Working};
use kernel::ContainerNumber;
use uuid::Uuid;

use crate::domain::container_visit::ContainerVisit;
use crate::domain::hold::{Hold, HoldKey, Scope, ScopeKind};
use crate::domain::knowledge::{
    AnsweredAsk, CarryMandate, Clearance, KnownDeclaration, KnownParty, ReleaseDecision,
    list_decision_key,
};
use crate::domain::list_passage::ListPassage;
use crate::domain::pre_arrival::{Driver, PreArrival, PreArrivalKind};
use crate::domain::readiness::{ContainerView, Firm, ListView, Reference, Source, View};
use crate::domain::site::Site;
use crate::domain::truck_visit::TruckVisit;

/// What the operator has set about deciding.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A pre-arrival expires so long after its planned arrival.
    pub expiry_grace: TimeDelta,
    /// A full container leaves on knowledge of its release that is at most so old.
    pub decision_age_max: Duration,
    /// A truck that nobody saw leave is taken for gone so long after it was let in (gate rule 15).
    pub gone_after: TimeDelta,
    /// A driver's personal data is erased so long after it was filed, if nobody needs it any more.
    pub driver_retention: TimeDelta,
}

/// What a batch has read and changed.
#[derive(Debug, Default)]
pub struct State {
    /// The epoch in which gate publishes; read where containers are named.
    pub epoch: u32,
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
    /// Declarations by the ids and references named.
    pub declarations: Working<String, KnownDeclaration>,
    /// What passes of the stock lists named.
    pub lists: Working<String, ListPassage>,
    /// Holds on the scopes named, and those named by id.
    pub holds: Working<HoldKey, Hold>,
    /// Parties named.
    pub parties: Working<String, KnownParty>,
    /// Mandates to carry that they gave and that may count, and those that are told of.
    pub mandates: Working<String, CarryMandate>,
    /// Pre-arrivals named.
    pub pre_arrivals: Working<Uuid, PreArrival>,
    /// Truck visits named.
    pub truck_visits: Working<Uuid, TruckVisit>,
    /// Asks answered.
    pub asks: Working<String, AnsweredAsk>,
    /// Drivers to be written.
    pub drivers: Vec<Driver>,
    /// Drivers who were written before this are to be erased, but those whom an open filing or a truck inside names.
    pub forget_drivers_before: Option<DateTime<Utc>>,
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

    /// Release's decision on a stay or list; none on a stay that began in this batch.
    fn decision(&self, container_visit_id: &str) -> Option<&ReleaseDecision> {
        let id = container_visit_id.to_owned();
        if self.decisions.is_loaded(&id) {
            self.decisions.get(&id)
        } else {
            None
        }
    }

    /// Everything known around a truck.
    pub fn view<'a>(&'a self, around: Around<'a>, context: &Context<'_>) -> View<'a> {
        let containers: Vec<ContainerView<'a>> = around
            .containers
            .iter()
            .map(|number| {
                let visit = self.open_visit(around.site_id, number.as_str());
                ContainerView {
                    number,
                    visit,
                    decision: visit.and_then(|visit| self.decision(visit.id.as_str())),
                    clearance: self.clearances.get(&number.as_str().to_owned()),
                }
            })
            .collect();
        let references: Vec<Reference<'a>> = around
            .references
            .iter()
            .filter_map(|written| self.reference(written, &around))
            .collect();
        let scopes = scopes_of(&containers, &references, &around);
        let holds = self.holds.iter().map(|(_, hold)| hold);
        let firm = |party_id: &'a str| Firm {
            party_id,
            known: self.parties.get(&party_id.to_owned()),
        };
        View {
            list: around.list.as_ref().map(|list| ListView {
                number: list.number,
                pre_arrival_id: list.pre_arrival_id,
                on_the_road: list.on_the_road,
                passage: self.lists.get(&list.number.to_owned()),
                decision: self.decision(&list_decision_key(list.number)),
            }),
            holds: holds
                .filter(|hold| hold.stands() && scopes.contains(&hold.scope))
                .collect(),
            sources: sources_of(&containers, &references, &scopes, &around, context),
            references,
            haulier: around.haulier.map(firm),
            carrier: around.carrier.map(firm),
            mandate: self.nomination(&around, context.now),
            containers,
        }
    }

    /// The declarations that a reference may mean. One that is only of containers which are left out is none of
    /// this truck's.
    fn reference<'a>(&'a self, written: &'a str, around: &Around<'a>) -> Option<Reference<'a>> {
        let all = self.declarations.iter().map(|(_, declaration)| declaration);
        let (over, standing): (Vec<_>, Vec<_>) = all
            .filter(|declaration| declaration.is_called(written))
            .partition(|declaration| declaration.state.is_over());
        let declarations = if standing.is_empty() { over } else { standing };
        if let [one] = declarations[..] {
            let mut left_out = around.left_out.iter();
            let mut here = around.containers.iter();
            if left_out.any(|number| one.names(number)) && !here.any(|number| one.covers(number)) {
                return None;
            }
        }
        Some(Reference {
            written,
            declarations,
        })
    }

    /// Everything known around a container that may go by train or barge.
    pub fn view_of_visit<'a>(
        &'a self,
        visit: &'a ContainerVisit,
        context: &Context<'_>,
    ) -> View<'a> {
        self.view(Around::visit(visit), context)
    }

    /// Everything known around a filing.
    pub fn view_of_filing<'a>(&'a self, filing: &'a PreArrival, context: &Context<'_>) -> View<'a> {
        self.view(Around::filing(filing), context)
    }

    /// Everything known around a truck visit.
    pub fn view_of_truck<'a>(&'a self, truck: &'a TruckVisit, context: &Context<'_>) -> View<'a> {
        self.view(Around::truck(truck), context)
    }

    /// The haulier's word, good now, that another firm carries these containers for it.
    fn nomination(&self, around: &Around<'_>, now: DateTime<Utc>) -> Option<&CarryMandate> {
        let (haulier, carrier) = (around.haulier?, around.carrier?);
        let mandates = self.mandates.iter().map(|(_, mandate)| mandate);
        mandates
            .filter(|mandate| mandate.grantor_party == haulier && mandate.agent_party == carrier)
            .find(|mandate| haulier != carrier && mandate.holds_at(now, &around.containers))
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
}

/// What a truck is about: the names by which everything around it is found.
#[derive(Clone, Debug)]
pub struct Around<'a> {
    /// The site.
    pub site_id: &'a str,
    /// What it comes for, where that is known.
    pub kind: Option<PreArrivalKind>,
    /// Its containers.
    pub containers: Vec<&'a ContainerNumber>,
    /// Its plates, as filed and as read.
    pub plates: BTreeSet<&'a str>,
    /// The firm that filed.
    pub haulier: Option<&'a str>,
    /// The firm that presents itself.
    pub carrier: Option<&'a str>,
    /// The stock list of which it carries a part.
    pub list: Option<AroundList<'a>>,
    /// The declarations that its containers come in on.
    pub references: &'a [String],
    /// Containers of the filing that are not looked at.
    pub left_out: Vec<&'a ContainerNumber>,
}

/// The stock list of which a truck carries a part.
#[derive(Clone, Debug)]
pub struct AroundList<'a> {
    /// Its number.
    pub number: &'a str,
    /// The filing.
    pub pre_arrival_id: Option<Uuid>,
    /// The goods have left the first site.
    pub on_the_road: bool,
}

impl<'a> Around<'a> {
    /// A filing. Who will present himself is not known yet.
    pub fn filing(filing: &'a PreArrival) -> Self {
        Self {
            site_id: filing.next_site_id(),
            kind: Some(filing.kind),
            list: filing.list_number().map(|number| AroundList {
                number,
                pre_arrival_id: Some(filing.pre_arrival_id),
                on_the_road: filing.on_the_road_since.is_some(),
            }),
            containers: filing.containers.iter().map(|c| &c.number).collect(),
            plates: filing.vehicle.plates().collect(),
            haulier: Some(&filing.haulier_party),
            carrier: None,
            references: filing.comes_in_on(),
            left_out: Vec::new(),
        }
    }

    /// Some of a filing's containers.
    pub fn part_of_filing(filing: &'a PreArrival, present: &[ContainerNumber]) -> Self {
        let whole = Self::filing(filing);
        let (containers, left_out) = whole
            .containers
            .into_iter()
            .partition(|number| present.contains(number));
        Self {
            containers,
            left_out,
            ..Self::filing(filing)
        }
    }

    /// A container without a truck. An empty one goes without release.
    pub fn visit(visit: &'a ContainerVisit) -> Self {
        Self {
            site_id: &visit.site_id,
            kind: visit.manifest.empty.then_some(PreArrivalKind::EmptyOut),
            list: None,
            containers: vec![&visit.container],
            plates: BTreeSet::new(),
            haulier: None,
            carrier: None,
            references: &[],
            left_out: Vec::new(),
        }
    }

    /// A truck visit.
    pub fn truck(truck: &'a TruckVisit) -> Self {
        Self {
            site_id: &truck.site_id,
            kind: truck.kind,
            list: truck.list_number.as_deref().map(|number| AroundList {
                number,
                pre_arrival_id: truck.pre_arrival_id,
                on_the_road: truck.second_leg,
            }),
            containers: truck.containers.iter().map(|c| &c.number).collect(),
            plates: truck.vehicle.plates().collect(),
            haulier: truck.haulier_party.as_deref(),
            carrier: truck.carrier_party.as_deref(),
            references: &[],
            left_out: Vec::new(),
        }
    }

    fn firms(&self) -> BTreeSet<&'a str> {
        self.haulier.into_iter().chain(self.carrier).collect()
    }
}

/// What can be held around a truck.
fn scopes_of(
    containers: &[ContainerView<'_>],
    references: &[Reference<'_>],
    around: &Around<'_>,
) -> Vec<Scope> {
    let plates = around.plates.iter();
    let mut scopes: Vec<Scope> = plates
        .map(|plate| Scope::new(ScopeKind::Plate, *plate))
        .collect();
    let firms = around.firms().into_iter();
    scopes.extend(firms.map(|firm| Scope::new(ScopeKind::Party, firm)));
    let declared = references.iter().flat_map(|r| &r.declarations);
    scopes.extend(declared.map(|d| Scope::new(ScopeKind::Declaration, d.declaration_id.as_str())));
    let list = around.list.iter();
    scopes.extend(list.map(|list| Scope::new(ScopeKind::StockList, list.number)));
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

/// Every key of another service's topic on which something around the truck depends. What cannot be known of
/// any of them is unknown, for whatever reason (gate rule 14).
fn sources_of(
    containers: &[ContainerView<'_>],
    references: &[Reference<'_>],
    scopes: &[Scope],
    around: &Around<'_>,
    context: &Context<'_>,
) -> Vec<Source> {
    let mut keys: Vec<(&'static str, String)> = Vec::new();
    for container in containers {
        let Some(visit) = container.visit else {
            continue;
        };
        keys.push((
            "customs.clearance",
            format!("container/{}", container.number),
        ));
        // Release decides on what is picked up laden.
        if around
            .kind
            .is_none_or(|kind| kind == PreArrivalKind::FullOut)
        {
            keys.push(("release.decision", visit.id.as_str().to_owned()));
        }
    }
    let declared = references.iter().flat_map(|r| &r.declarations);
    keys.extend(declared.map(|d| ("customs.declaration", d.declaration_id.clone())));
    // Goods that have left go on whatever is said of the list.
    if let Some(list) = around.list.as_ref().filter(|list| !list.on_the_road) {
        keys.push(("bonded.stock-list", list.number.to_owned()));
        keys.push(("release.decision", list_decision_key(list.number)));
    }
    for scope in scopes {
        keys.push(("customs.hold", scope.topic_key()));
        keys.push(("release.hold", scope.topic_key()));
    }
    // A firm's entry in the register, and the mandates that it gave.
    let firms = around.firms().into_iter();
    keys.extend(firms.map(|firm| ("customs.party", firm.to_owned())));
    keys.into_iter()
        .map(|(topic, key)| Source {
            topic,
            parked: context.parked.contains(topic, &key),
            age: context.knowledge.age(topic, &key),
            key,
        })
        .collect()
}
