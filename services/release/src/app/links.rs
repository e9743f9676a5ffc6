//! Which subjects an input names, and which follow from what is stored. Pure: `store` reads the
//! relations for a whole batch at once, here they are followed for each input.

use std::collections::{BTreeMap, BTreeSet};

use fabric::Subjects;
use uuid::Uuid;

use super::{HoldTarget, Input, RevokeWhich, kind};
use crate::domain::clearance::{container_key, transport_document_key};
use crate::domain::container_visit::{self, Stay};
use crate::domain::declaration::Declaration;
use crate::domain::hold::{HoldId, Scope, ScopeKind};

/// What the relations are looked up for.
#[derive(Clone, Debug, Default)]
pub struct Seeds {
    /// Container numbers.
    pub containers: BTreeSet<String>,
    /// Transport documents.
    pub documents: BTreeSet<String>,
    /// Declarations.
    pub declarations: BTreeSet<String>,
    /// Container visits.
    pub visits: BTreeSet<String>,
    /// Commercial releases.
    pub releases: BTreeSet<Uuid>,
    /// Holds of release.
    pub holds: BTreeSet<HoldId>,
    /// Asks that gate has answered.
    pub asks: BTreeSet<Uuid>,
    /// Stock lists.
    pub lists: BTreeSet<String>,
    /// Declarations of which the stock lists are wanted that they named when last heard of.
    pub list_declarations: BTreeSet<String>,
    /// Containers of which the stock lists are wanted.
    pub list_containers: BTreeSet<String>,
    /// Parties that are held, or no longer.
    pub parties: BTreeSet<String>,
    /// Transport documents of which a commercial release is taken back.
    pub taken_back: BTreeSet<String>,
    /// Whether the containers and lists are wanted that are due: on whose decisions parked records weigh, or no longer
    /// do, and those that a hold on a party has yet to reach.
    pub due: bool,
}

/// The relations as they are stored.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// The transport document of a commercial release.
    pub release_document: BTreeMap<Uuid, String>,
    /// The transport documents of which a commercial release waits for the answer to an ask, and the
    /// stays for which it does.
    pub ask_waits: BTreeMap<Uuid, (BTreeSet<String>, BTreeSet<String>)>,
    /// The scope of a hold.
    pub hold_scope: BTreeMap<HoldId, Scope>,
    /// The container of a visit.
    pub visit_container: BTreeMap<String, String>,
    /// The containers with open stays that a transport document leads to.
    pub document_containers: BTreeMap<String, BTreeSet<String>>,
    /// The containers with open stays that a declaration leads to.
    pub declaration_containers: BTreeMap<String, BTreeSet<String>>,
    /// The containers that are due.
    pub due_containers: BTreeSet<String>,
    /// The stock lists likewise.
    pub due_lists: BTreeSet<String>,
    /// The containers with open stays that concern a party.
    pub party_containers: BTreeMap<String, BTreeSet<String>>,
    /// The stock lists likewise.
    pub party_lists: BTreeMap<String, BTreeSet<String>>,
    /// The containers of a transport document that have left.
    pub document_left: BTreeMap<String, BTreeSet<String>>,
    /// The stock lists that a declaration names.
    pub declaration_lists: BTreeMap<String, BTreeSet<String>>,
    /// The stock lists that declarations of a container name, but for those that are over.
    pub container_lists: BTreeMap<String, BTreeSet<String>>,
    /// What a stock list leads to.
    pub lists: BTreeMap<String, ListLinks>,
    /// What the open stays of a container lead to.
    pub containers: BTreeMap<String, ContainerLinks>,
    /// The declarations that customs names under a key.
    pub key_declarations: BTreeMap<String, BTreeSet<String>>,
    /// The parties of these declarations; of a transport document also the hauliers to whom lines release it.
    pub key_parties: BTreeMap<String, BTreeSet<String>>,
}

/// What the open stays of a container lead to.
#[derive(Clone, Debug, Default)]
pub struct ContainerLinks {
    /// The stays: those that are not over, and those that an input names.
    pub visits: BTreeSet<String>,
    /// Their sites.
    pub sites: BTreeSet<String>,
    /// Their transport documents.
    pub documents: BTreeSet<String>,
    /// The lines of their manifests.
    pub lines: BTreeSet<String>,
}

/// What a stock list leads to.
#[derive(Clone, Debug, Default)]
pub struct ListLinks {
    /// The declarations that name it.
    pub declarations: BTreeSet<String>,
    /// The containers that these name.
    pub containers: BTreeSet<String>,
    /// The bonded centre, and the sites that its passes lead through.
    pub sites: BTreeSet<String>,
    /// Its trader, and the parties of its declarations.
    pub parties: BTreeSet<String>,
}

/// The subjects that an input names itself.
pub fn subjects(input: &Input) -> Subjects {
    let none = Subjects::new();
    match input {
        Input::Site(site) => none.write(kind::SITE, &site.site_id),
        Input::Party(party) => party.iter().fold(none, |named, party| {
            named.write(kind::PARTY, &party.party_id)
        }),
        Input::ContainerVisit(_, stay) => of_stay(stay),
        Input::Clearance(clearance) => {
            let named = clearance
                .consignments
                .iter()
                .fold(none, |named, consignment| {
                    named
                        .write(
                            kind::HOLD_SCOPE,
                            Scope::new(ScopeKind::Declaration, &consignment.declaration_id)
                                .to_string(),
                        )
                        .and(weighed(consignment.parties()))
                });
            match clearance_subject(&clearance.key) {
                Some((kind, key)) => named.write(kind, key),
                None => named,
            }
        }
        Input::Hold(_, hold) => {
            let named = none
                .write(kind::HOLD_SCOPE, hold.scope.to_string())
                .write(kind::HOLD, hold.id.to_string());
            match hold.scope.kind {
                ScopeKind::Declaration => named.read(kind::DECLARATION, &hold.scope.key),
                ScopeKind::ContainerVisit => site_of(&hold.scope.key, named),
                ScopeKind::StockList => named.write(kind::STOCK_LIST, &hold.scope.key),
                ScopeKind::Plate | ScopeKind::Party => named,
            }
        }
        Input::PreArrival(_, pre_arrival, _) => {
            let named = [&pre_arrival.site_id, &pre_arrival.second_site_id]
                .into_iter()
                .filter(|site| !site.is_empty())
                .fold(none, |named, site| named.read(kind::SITE, site))
                .write(kind::PRE_ARRIVAL, &pre_arrival.pre_arrival_id)
                .and(named_list(&pre_arrival.list_number));
            pre_arrival
                .containers
                .iter()
                .fold(named, |named, container| {
                    named.write(kind::CONTAINER, &container.container_number)
                })
        }
        Input::TruckVisit(_, truck_visit) => none.read(kind::SITE, &truck_visit.site_id),
        Input::Declaration(_, declaration, _) => {
            let named = none
                .write(kind::DECLARATION, &declaration.declaration_id)
                .write(
                    kind::HOLD_SCOPE,
                    Scope::new(ScopeKind::Declaration, &declaration.declaration_id).to_string(),
                );
            let named = declaration.stock_lists.iter().fold(named, |named, list| {
                named
                    .and(named_list(list))
                    .and(weighed(declaration.parties()))
            });
            list_containers(declaration)
                .fold(named, |named, number| named.write(kind::CONTAINER, number))
        }
        Input::Book(_, book) => none.write(kind::BOOK, &book.book_number),
        Input::StockList(_, heard) => named_list(heard.list_number.as_str())
            .read(kind::SITE, &heard.filed.site_id)
            .and(weighed([heard.filed.trader_party.as_str()])),
        Input::ListPassage(_, heard) => {
            named_list(heard.list_number.as_str()).read(kind::SITE, &heard.site_id)
        }
        Input::Decision(_, decision) => match decision.about.kind {
            ScopeKind::StockList => named_list(&decision.about.key),
            _ => none
                .write(kind::CONTAINER, &decision.container_number)
                .write(kind::HOLD_SCOPE, decision.about.to_string()),
        }
        .read(kind::SITE, &decision.site_id),
        Input::GrantCommercialRelease(command) => {
            let named = none
                .write(kind::DOCUMENT, &command.scope.transport_document)
                .read(kind::PARTY, &command.haulier_party)
                .and(weighed([command.haulier_party.as_str()]));
            command
                .scope
                .site_id
                .iter()
                .fold(named, |named, site| named.read(kind::SITE, site))
        }
        Input::RevokeCommercialRelease(command) => match &command.which {
            RevokeWhich::Id(_) => none,
            RevokeWhich::Scope(scope) => none.write(kind::DOCUMENT, &scope.transport_document),
        },
        Input::PlaceHold(command) => match &command.target {
            HoldTarget::Scope(scope) if scope.kind == ScopeKind::StockList => {
                named_list(&scope.key)
            }
            HoldTarget::Scope(scope) => none.write(kind::HOLD_SCOPE, scope.to_string()),
            HoldTarget::ContainerNumber(number) => none.write(kind::CONTAINER, number),
        },
        Input::LiftHold(command) => none.write(kind::HOLD, own_hold(&command.hold_id).to_string()),
        Input::RevokeRelease(command) => none.write(
            kind::HOLD_SCOPE,
            Scope::new(ScopeKind::ContainerVisit, &command.container_visit_id).to_string(),
        ),
        Input::Answer(_, answer) => {
            site_of(&answer.container_visit_id, named_list(&answer.list_number))
        }
        Input::Recheck => none,
    }
}

/// A stock list, with what holds on it are on; none if there is none.
fn named_list(list_number: &str) -> Subjects {
    let none = Subjects::new();
    if list_number.is_empty() {
        return none;
    }
    none.write(kind::STOCK_LIST, list_number).write(
        kind::HOLD_SCOPE,
        Scope::new(ScopeKind::StockList, list_number).to_string(),
    )
}

/// Parties on which holds are weighed. Much that is decided at once concerns the same few, so that they are only read.
fn weighed<'a>(parties: impl IntoIterator<Item = &'a str>) -> Subjects {
    parties
        .into_iter()
        .filter(|party| !party.is_empty())
        .fold(Subjects::new(), |named, party| {
            named.read(
                kind::HOLD_SCOPE,
                Scope::new(ScopeKind::Party, party).to_string(),
            )
        })
}

/// The containers in which goods of a stock list move, as a declaration names them.
fn list_containers(declaration: &Declaration) -> impl Iterator<Item = &String> {
    let names_list = !declaration.stock_lists.is_empty();
    declaration
        .container_numbers
        .iter()
        .filter(move |_| names_list)
}

/// The site that a stay's id names: its terminal is told also of a stay that was not heard of.
fn site_of(container_visit_id: &str, named: Subjects) -> Subjects {
    match container_visit::named_by(container_visit_id) {
        Some((site_id, _)) => named.read(kind::SITE, site_id),
        None => named,
    }
}

/// Whether what is stored may add subjects.
pub fn follows(input: &Input) -> bool {
    match input {
        Input::Decision(_, decision) => decision.about.kind == ScopeKind::StockList,
        Input::Site(_) | Input::Party(_) | Input::TruckVisit(..) | Input::Book(..) => false,
        _ => true,
    }
}

/// What must be looked up for these inputs.
pub fn seeds(inputs: &[&Input]) -> Seeds {
    let mut seeds = Seeds::default();
    for input in inputs {
        match input {
            Input::ContainerVisit(_, stay) => {
                seeds.containers.insert(stay.container_number.clone());
                seeds.visits.insert(stay.container_visit_id.clone());
                seeds.list_containers.insert(stay.container_number.clone());
                seeds
                    .documents
                    .extend(stay.transport_documents().into_iter().map(str::to_owned));
            }
            Input::Clearance(clearance) => {
                match clearance_subject(&clearance.key) {
                    Some((kind::CONTAINER, number)) => {
                        seeds.list_containers.insert(number.clone());
                        seeds.containers.insert(number);
                    }
                    Some((_, document)) => {
                        seeds.documents.insert(document);
                    }
                    None => {}
                }
                seeds
                    .visits
                    .extend(clearance.bound_visits().map(str::to_owned));
            }
            Input::Hold(_, hold) => seed_scope(&hold.scope, &mut seeds),
            Input::Answer(_, answer) => {
                if answer.list_number.is_empty() {
                    seeds.visits.insert(answer.container_visit_id.clone());
                } else {
                    seeds.lists.insert(answer.list_number.clone());
                }
                seeds.asks.extend(answer.ask_id);
            }
            Input::PreArrival(_, pre_arrival, _) => {
                if !pre_arrival.list_number.is_empty() {
                    seeds.lists.insert(pre_arrival.list_number.clone());
                }
                seeds.visits.extend(pre_arrival.visits().map(str::to_owned));
                seeds.containers.extend(
                    pre_arrival
                        .containers
                        .iter()
                        .map(|container| container.container_number.clone()),
                );
            }
            Input::GrantCommercialRelease(command) => {
                seeds
                    .documents
                    .insert(command.scope.transport_document.clone());
            }
            Input::RevokeCommercialRelease(command) => match &command.which {
                RevokeWhich::Id(id) => {
                    seeds.releases.insert(*id);
                }
                RevokeWhich::Scope(scope) => {
                    seeds.documents.insert(scope.transport_document.clone());
                    seeds.taken_back.insert(scope.transport_document.clone());
                }
            },
            Input::PlaceHold(command) => match &command.target {
                HoldTarget::Scope(scope) => seed_scope(scope, &mut seeds),
                HoldTarget::ContainerNumber(number) => {
                    seeds.containers.insert(number.clone());
                }
            },
            Input::LiftHold(command) => {
                seeds.holds.insert(own_hold(&command.hold_id));
            }
            Input::RevokeRelease(command) => {
                seeds.visits.insert(command.container_visit_id.clone());
            }
            Input::Recheck => seeds.due = true,
            Input::Declaration(_, declaration, _) => {
                seeds
                    .list_declarations
                    .insert(declaration.declaration_id.clone());
                seeds.lists.extend(declaration.stock_lists.iter().cloned());
                seeds
                    .containers
                    .extend(list_containers(declaration).cloned());
            }
            Input::StockList(_, heard) => {
                seeds.lists.insert(heard.list_number.as_str().to_owned());
            }
            Input::ListPassage(_, heard) => {
                seeds.lists.insert(heard.list_number.as_str().to_owned());
            }
            Input::Decision(_, decision) => {
                if decision.about.kind == ScopeKind::StockList {
                    seeds.lists.insert(decision.about.key.clone());
                }
            }
            Input::Site(_) | Input::Party(_) | Input::TruckVisit(..) | Input::Book(..) => {}
        }
    }
    seeds
}

/// The subjects that follow for one input.
pub fn following(input: &Input, links: &Links) -> Subjects {
    let none = Subjects::new();
    match input {
        Input::ContainerVisit(_, stay) => {
            let documents = stay.transport_documents();
            documents.into_iter().fold(
                of_container(&stay.container_number, links)
                    .and(of_lists_of(&stay.container_number, links)),
                |named, document| of_key(&transport_document_key(document), named, links),
            )
        }
        Input::Clearance(clearance) => {
            let named = match clearance_subject(&clearance.key) {
                Some((kind::CONTAINER, number)) => {
                    of_container(&number, links).and(of_lists_of(&number, links))
                }
                Some((_, document)) => {
                    let containers = links.document_containers.get(&document);
                    let containers = containers.into_iter().flatten();
                    containers.fold(of_document(&document, links), |named, number| {
                        named.and(of_lists_of(number, links))
                    })
                }
                None => none,
            };
            clearance.bound_visits().fold(named, |named, visit| {
                let container = links.visit_container.get(visit);
                let lists = container.map(|number| of_lists_of(number, links));
                named
                    .and(of_visit(visit, links))
                    .and(lists.unwrap_or_default())
            })
        }
        Input::Hold(_, hold) => of_scope(&hold.scope, links),
        Input::Answer(_, answer) => {
            let named = of_visit(&answer.container_visit_id, links)
                .and(of_list(&answer.list_number, links));
            let waits = answer.ask_id.and_then(|ask| links.ask_waits.get(&ask));
            waits.map_or(named.clone(), |(documents, visits)| {
                let named = documents.iter().fold(named, |named, document| {
                    named
                        .write(kind::DOCUMENT, document)
                        .and(of_document(document, links))
                });
                visits
                    .iter()
                    .fold(named, |named, visit| named.and(of_visit(visit, links)))
            })
        }
        Input::PreArrival(_, pre_arrival, _) => pre_arrival.containers.iter().fold(
            of_list(&pre_arrival.list_number, links),
            |named, container| named.and(of_container(&container.container_number, links)),
        ),
        Input::GrantCommercialRelease(command) => {
            of_document(&command.scope.transport_document, links)
        }
        Input::RevokeCommercialRelease(command) => match &command.which {
            RevokeWhich::Scope(scope) => of_taken_back(&scope.transport_document, links),
            RevokeWhich::Id(id) => links.release_document.get(id).map_or(none, |document| {
                of_taken_back(document, links).write(kind::DOCUMENT, document)
            }),
        },
        Input::PlaceHold(command) => match &command.target {
            HoldTarget::Scope(scope) => of_scope(scope, links),
            HoldTarget::ContainerNumber(number) => of_container(number, links),
        },
        Input::LiftHold(command) => links
            .hold_scope
            .get(&own_hold(&command.hold_id))
            .map_or(none, |scope| {
                of_scope(scope, links).write(kind::HOLD_SCOPE, scope.to_string())
            }),
        Input::RevokeRelease(command) => of_visit(&command.container_visit_id, links),
        Input::Recheck => {
            let containers = links.due_containers.iter();
            let named =
                containers.fold(none, |named, number| named.and(of_container(number, links)));
            let lists = links.due_lists.iter();
            lists.fold(named, |named, list| named.and(of_list(list, links)))
        }
        Input::Declaration(_, declaration, _) => {
            let formerly = links.declaration_lists.get(&declaration.declaration_id);
            let lists = formerly.into_iter().flatten();
            let named = lists
                .chain(&declaration.stock_lists)
                .fold(none, |named, list| named.and(of_list(list, links)));
            list_containers(declaration).fold(named, |named, number| {
                named.and(of_container(number, links))
            })
        }
        Input::StockList(_, heard) => of_list(heard.list_number.as_str(), links),
        Input::ListPassage(_, heard) => of_list(heard.list_number.as_str(), links),
        Input::Decision(_, decision) if decision.about.kind == ScopeKind::StockList => {
            of_list(&decision.about.key, links)
        }
        Input::Site(_)
        | Input::Party(_)
        | Input::TruckVisit(..)
        | Input::Book(..)
        | Input::Decision(..) => none,
    }
}

/// A hold that release keeps itself.
pub fn own_hold(id: &str) -> HoldId {
    HoldId {
        service: "release".to_owned(),
        id: id.to_owned(),
    }
}

/// The subject under which what customs says about a key is read.
fn clearance_subject(key: &str) -> Option<(&'static str, String)> {
    match key.split_once('/')? {
        ("container", number) => Some((kind::CONTAINER, number.to_owned())),
        ("transport-document", document) => Some((kind::DOCUMENT, document.to_owned())),
        _ => None,
    }
}

/// A stay is written where it is named: a hold on it, a release of its documents lead to it.
fn of_stay(stay: &Stay) -> Subjects {
    let named = Subjects::new()
        .write(kind::CONTAINER, &stay.container_number)
        .write(
            kind::HOLD_SCOPE,
            Scope::new(ScopeKind::ContainerVisit, &stay.container_visit_id).to_string(),
        )
        .read(kind::SITE, &stay.site_id)
        .and(weighed(
            stay.manifest_lines
                .iter()
                .map(|line| line.line_party.as_str()),
        ));
    stay.transport_documents()
        .into_iter()
        .fold(named, |named, document| {
            named.write(kind::DOCUMENT, document)
        })
}

fn seed_scope(scope: &Scope, seeds: &mut Seeds) {
    match scope.kind {
        ScopeKind::ContainerVisit => {
            seeds.visits.insert(scope.key.clone());
            seeds
                .list_containers
                .extend(container_visit::named_by(&scope.key).map(|(_, number)| number.to_owned()));
        }
        ScopeKind::Declaration => {
            seeds.declarations.insert(scope.key.clone());
            seeds.list_declarations.insert(scope.key.clone());
        }
        ScopeKind::StockList => {
            seeds.lists.insert(scope.key.clone());
        }
        ScopeKind::Party => {
            seeds.parties.insert(scope.key.clone());
        }
        ScopeKind::Plate => {}
    }
}

/// Holds on plates weigh on nothing here: gate weighs them at the barrier.
fn of_scope(scope: &Scope, links: &Links) -> Subjects {
    let none = Subjects::new();
    match scope.kind {
        ScopeKind::ContainerVisit => {
            let named = of_visit(&scope.key, links);
            container_visit::named_by(&scope.key).map_or(named.clone(), |(_, number)| {
                named.and(of_lists_of(number, links))
            })
        }
        ScopeKind::Declaration => {
            let containers = links.declaration_containers.get(&scope.key);
            let lists = links.declaration_lists.get(&scope.key);
            let named = lists
                .into_iter()
                .flatten()
                .fold(none.read(kind::DECLARATION, &scope.key), |named, list| {
                    named.and(of_list(list, links))
                });
            containers
                .into_iter()
                .flatten()
                .fold(named, |named, number| {
                    named.and(of_container(number, links))
                })
        }
        ScopeKind::StockList => of_list(&scope.key, links),
        ScopeKind::Party => {
            let containers = links.party_containers.get(&scope.key);
            let named = containers
                .into_iter()
                .flatten()
                .fold(none, |named, number| named.and(of_container(number, links)));
            let lists = links.party_lists.get(&scope.key);
            lists
                .into_iter()
                .flatten()
                .fold(named, |named, list| named.and(of_list(list, links)))
        }
        ScopeKind::Plate => none,
    }
}

/// A stock list with everything that is weighed for it: its declarations, their containers, and what holds on
/// all of these are on.
fn of_list(list_number: &str, links: &Links) -> Subjects {
    let named = named_list(list_number);
    let Some(own) = links.lists.get(list_number) else {
        return named;
    };
    let named = own
        .sites
        .iter()
        .fold(named, |named, site| named.read(kind::SITE, site))
        .and(weighed(own.parties.iter().map(String::as_str)));
    let named = own.declarations.iter().fold(named, |named, declaration| {
        named.read(kind::DECLARATION, declaration).write(
            kind::HOLD_SCOPE,
            Scope::new(ScopeKind::Declaration, declaration).to_string(),
        )
    });
    own.containers.iter().fold(named, |named, number| {
        named.and(of_container(number, links))
    })
}

/// The stock lists that declarations of a container name.
fn of_lists_of(number: &str, links: &Links) -> Subjects {
    let lists = links.container_lists.get(number);
    lists
        .into_iter()
        .flatten()
        .fold(Subjects::new(), |named, list| {
            named.and(of_list(list, links))
        })
}

/// What holds on a container's stays are on.
fn of_stays(number: &str, named: Subjects, links: &Links) -> Subjects {
    let own = links.containers.get(number);
    let visits = own.into_iter().flat_map(|own| &own.visits);
    visits.fold(named, |named, visit| {
        named.write(
            kind::HOLD_SCOPE,
            Scope::new(ScopeKind::ContainerVisit, visit).to_string(),
        )
    })
}

fn of_visit(container_visit_id: &str, links: &Links) -> Subjects {
    links
        .visit_container
        .get(container_visit_id)
        .map_or_else(Subjects::new, |number| of_container(number, links))
}

fn of_document(document: &str, links: &Links) -> Subjects {
    let containers = links.document_containers.get(document);
    containers
        .into_iter()
        .flatten()
        .fold(Subjects::new(), |named, number| {
            named.and(of_container(number, links))
        })
}

/// Of a document of which a release is taken back, what has left is read too.
fn of_taken_back(document: &str, links: &Links) -> Subjects {
    let left = links.document_left.get(document);
    left.into_iter()
        .flatten()
        .fold(of_document(document, links), |named, number| {
            named.read(kind::CONTAINER, number)
        })
}

fn of_container(number: &str, links: &Links) -> Subjects {
    let mut named = of_key(
        &container_key(number),
        Subjects::new().write(kind::CONTAINER, number),
        links,
    );
    let Some(own) = links.containers.get(number) else {
        return named;
    };
    for document in &own.documents {
        named = of_key(
            &transport_document_key(document),
            named.write(kind::DOCUMENT, document),
            links,
        );
    }
    named = of_stays(number, named, links).and(weighed(own.lines.iter().map(String::as_str)));
    own.sites
        .iter()
        .fold(named, |named, site| named.read(kind::SITE, site))
}

/// The hold scopes of the declarations that customs names under a key, of their parties and of a document's hauliers.
fn of_key(key: &str, named: Subjects, links: &Links) -> Subjects {
    let parties = links.key_parties.get(key).into_iter().flatten();
    let named = named.and(weighed(parties.map(String::as_str)));
    let declarations = links.key_declarations.get(key);
    declarations
        .into_iter()
        .flatten()
        .fold(named, |named, declaration| {
            named.write(
                kind::HOLD_SCOPE,
                Scope::new(ScopeKind::Declaration, declaration).to_string(),
            )
        })
}
