//! Rule 15: which container visit the goods of a declaration are in, and whether the declaration agrees with
//! the manifest; an export's with the truck that brings it, goods out of bond with their stock list. A binding
//! that is not certain is kept as unbound with its reason; it is never guessed. It must not know duty,
//! controls or holds.

use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, Direction as Way, StockListNumber, TransportDocumentNumber};
use serde::{Deserialize, Serialize};

use super::filing::{Direction, Filing, ProcedureKind, Stage};
use super::stock_list::{ListState, StockList};
use super::visit::{ManifestLine, Phase, Visit};

/// The goods of a declaration under one transport document in one container, or without one; out of bond,
/// those of one stock list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consignment {
    /// The container; none for goods without one.
    pub container: Option<ContainerNumber>,
    /// Out of bond: the stock list that sets them aside.
    #[serde(default)]
    pub list: Option<StockListNumber>,
    /// The transport document.
    pub transport_document: Option<TransportDocumentNumber>,
    /// The container visit, once bound.
    pub visit_id: Option<String>,
    /// How it relates to the manifest.
    pub matching: Matching,
    /// When the goods arrived.
    pub arrived_at: Option<DateTime<Utc>>,
    /// When customs released them.
    pub released_at: Option<DateTime<Utc>>,
    /// They have left with their visit, or under their list: nothing carries over to the next one.
    pub departed: bool,
    /// They left by train or barge.
    #[serde(default)]
    pub exited: bool,
}

/// How goods relate to the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Matching {
    /// No match is asked for.
    NotAsked(Obstacle),
    /// No certain visit.
    Unbound(Obstacle),
    /// A visit, and the manifest says something else.
    Mismatch(Obstacle),
    /// The manifest says the same.
    Matched,
    /// An officer decided.
    Overridden,
}

/// Why goods are not bound, or do not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Obstacle {
    /// The goods are at none of our sites.
    GoodsLocationElsewhere,
    /// The document names no container that can be bound.
    NoContainer,
    /// What a truck brings for export is on no manifest.
    #[serde(alias = "EXPORT_NOT_BOUND")]
    NoManifest,
    /// The document names no transport document.
    NoTransportDocument,
    /// No visit of this container is known at the site.
    ContainerUnknown,
    /// More than one visit fits.
    TwoCandidates,
    /// The container is there, and none of the document's transport documents is on its manifest.
    TransportDocumentNotOnManifest,
    /// The number of packages differs.
    Packages,
    /// Out of bond, and the document names no list that decreases the stock.
    NoStockList,
    /// The list is not known, or its goods are not set aside.
    StockListNotReserved,
    /// The list is of another trader or of another centre.
    StockListOfAnother,
    /// The list is to go with a declaration of another reference.
    StockListOtherReference,
    /// The list is void.
    StockListVoid,
}

impl Obstacle {
    /// The name in events and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::GoodsLocationElsewhere => "GOODS_LOCATION_ELSEWHERE",
            Self::NoContainer => "NO_CONTAINER",
            Self::NoManifest => "NO_MANIFEST",
            Self::NoTransportDocument => "NO_TRANSPORT_DOCUMENT",
            Self::ContainerUnknown => "CONTAINER_UNKNOWN",
            Self::TwoCandidates => "TWO_CANDIDATES",
            Self::TransportDocumentNotOnManifest => "TRANSPORT_DOCUMENT_NOT_ON_MANIFEST",
            Self::Packages => "PACKAGES",
            Self::NoStockList => "NO_STOCK_LIST",
            Self::StockListNotReserved => "STOCK_LIST_NOT_RESERVED",
            Self::StockListOfAnother => "STOCK_LIST_OF_ANOTHER",
            Self::StockListOtherReference => "STOCK_LIST_OTHER_REFERENCE",
            Self::StockListVoid => "STOCK_LIST_VOID",
        }
    }

    /// What it means and what to do, for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::GoodsLocationElsewhere => {
                "The goods location is none of our sites, so nothing of it is in a container here; if it is wrong, the filer has the declaration invalidated and files it again."
            }
            Self::NoContainer => {
                "The declaration names no container, so its goods are released by transport document and count for no container; if they are in one, the filer has it invalidated and files it again with the number, or an officer decides the match."
            }
            Self::NoManifest => {
                "What a truck brings for export is on no manifest; nobody has to act."
            }
            Self::NoTransportDocument => {
                "The declaration names no transport document, so nothing joins it to the manifest; the filer has it invalidated and files it again with the number, or an officer decides the match."
            }
            Self::ContainerUnknown => {
                "No visit of this container is announced or present at the site; the terminal announces or receives it, or the filer has a wrong number mended: invalidated and filed again."
            }
            Self::TwoCandidates => {
                "More than one visit of this container carries the transport document; an officer must decide the match."
            }
            Self::TransportDocumentNotOnManifest => {
                "The container's manifest has other transport documents; correct the declaration or the manifest, or an officer decides the match."
            }
            Self::Packages => {
                "The number of packages differs from the manifest; correct the declaration or the manifest, or an officer decides the match."
            }
            Self::NoStockList => {
                "The declaration names no list that decreases the stock of the centre, so nothing sets its goods aside; have it invalidated and file it again with the list's number."
            }
            Self::StockListNotReserved => {
                "The stock list is not known, or its goods are not set aside yet; the bonded centre sets them aside."
            }
            Self::StockListOfAnother => {
                "The stock list is of another trader, or of another centre than the goods location names; the filer has the declaration invalidated and files it again with the right list."
            }
            Self::StockListOtherReference => {
                "The stock list names the reference (LRN) of another declaration, so it goes with that one; the filer has this one invalidated and files it again under the list's reference, or, where the list is wrong, the trader has it voided and files another, and the filer names that."
            }
            Self::StockListVoid => {
                "The stock list is void: nothing will leave under it; the filer has the declaration invalidated and files it again with another list."
            }
        }
    }
}

impl Matching {
    /// What stands in the way, if anything.
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self {
            Self::NotAsked(obstacle) | Self::Unbound(obstacle) | Self::Mismatch(obstacle) => {
                Some(*obstacle)
            }
            Self::Matched | Self::Overridden => None,
        }
    }

    /// Whether it stops the release.
    pub fn blocks(&self) -> bool {
        matches!(self, Self::Unbound(_) | Self::Mismatch(_))
    }
}

/// An officer's decision that goods are in a visit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The visit.
    pub visit_id: String,
    /// The visit's container.
    pub container: ContainerNumber,
    /// The manifest line that the goods stand for.
    pub transport_document: Option<TransportDocumentNumber>,
}

impl Consignment {
    /// Where its clearance is published.
    pub fn clearance_key(&self) -> Option<String> {
        match (&self.container, &self.transport_document) {
            (Some(container), _) => Some(container_key(container)),
            (None, Some(document)) => Some(format!("transport-document/{document}")),
            (None, None) => None,
        }
    }

    fn of(
        container: Option<&ContainerNumber>,
        document: Option<&TransportDocumentNumber>,
        matching: Matching,
    ) -> Self {
        Self {
            container: container.cloned(),
            list: None,
            transport_document: document.cloned(),
            visit_id: None,
            matching,
            arrived_at: None,
            released_at: None,
            departed: false,
            exited: false,
        }
    }

    fn at(mut self, visit: &Visit) -> Self {
        self.visit_id = Some(visit.visit_id.clone());
        self.arrived_at = visit.arrived_at;
        self.departed = visit.phase == Phase::Departed;
        self.exited = self.departed && visit.exited;
        self
    }

    /// What it is, for a person: its visit, container, document or list.
    pub fn subject(&self) -> String {
        self.list
            .as_ref()
            .map(|list| format!("stock-list/{list}"))
            .or_else(|| self.clearance_key())
            .unwrap_or_default()
    }

    /// Bound, and no longer free to be bound elsewhere.
    fn is_settled(&self) -> bool {
        self.visit_id.is_some()
            && (self.arrived_at.is_some()
                || self.released_at.is_some()
                || self.departed
                || self.matching == Matching::Overridden)
    }
}

/// The clearance key of a container.
pub fn container_key(container: &ContainerNumber) -> String {
    format!("container/{container}")
}

/// What binding looks at besides the consignments there are.
pub struct Surroundings<'a> {
    /// The filing.
    pub filing: &'a Filing,
    /// The site that the goods location names, if it is one of ours.
    pub site_id: Option<&'a str>,
    /// That site is a bonded centre.
    pub bonded: bool,
    /// Whose goods they are, if we know the party.
    pub trader: Option<&'a str>,
    /// Officers' decisions.
    pub overrides: &'a [Override],
    /// The known visits of a container, and those its goods are bound to.
    pub visits: &'a dyn Fn(&ContainerNumber) -> Vec<Visit>,
    /// The known visits whose truck's filing named the declaration.
    pub named: &'a dyn Fn() -> Vec<Visit>,
    /// A stock list, if it is known.
    pub lists: &'a dyn Fn(&StockListNumber) -> Option<StockList>,
}

/// The consignments as they stand now, from those that stood before and the visits that are known. What was
/// released, has left or was decided by an officer stays with its visit.
pub fn bind(before: &[Consignment], surroundings: &Surroundings<'_>) -> Vec<Consignment> {
    let Some(kind) = surroundings.filing.kind() else {
        return Vec::new();
    };
    if kind.stage == Stage::Supplementary {
        return Vec::new();
    }
    if surroundings.bonded && surroundings.filing.procedure_kind() == ProcedureKind::OutOfBond {
        return bind_lists(before, surroundings);
    }
    let documents = surroundings.filing.transport_documents();
    let mut containers = surroundings.filing.usable_containers();
    for decided in surroundings.overrides {
        if !containers.contains(&decided.container) {
            containers.push(decided.container.clone());
        }
    }
    let export = surroundings.filing.direction() == Some(Direction::Export);
    if export && surroundings.site_id.is_some() {
        return bind_export(before, &containers, &documents, surroundings);
    }
    let not_asked = surroundings
        .site_id
        .is_none()
        .then_some(Obstacle::GoodsLocationElsewhere);
    if containers.is_empty() {
        let why = Matching::NotAsked(not_asked.unwrap_or(Obstacle::NoContainer));
        return documents
            .iter()
            .map(|document| kept_or(before, Consignment::of(None, Some(document), why.clone())))
            .collect();
    }
    let mut consignments = Vec::new();
    for container in &containers {
        match not_asked {
            Some(why) => consignments.push(kept_or(
                before,
                Consignment::of(Some(container), documents.first(), Matching::NotAsked(why)),
            )),
            None => {
                consignments.extend(bind_container(before, container, &documents, surroundings))
            }
        }
    }
    consignments
}

/// Where no match is asked for, the only thing a consignment can have become is released.
fn kept_or(before: &[Consignment], fresh: Consignment) -> Consignment {
    let same = |old: &&Consignment| {
        old.container == fresh.container && old.transport_document == fresh.transport_document
    };
    Consignment {
        released_at: before.iter().find(same).and_then(|old| old.released_at),
        ..fresh
    }
}

/// An export is in the containers that it names, each as a truck brings it to the site. One that names none
/// that can be bound is in those whose truck's filing named it.
fn bind_export(
    before: &[Consignment],
    containers: &[ContainerNumber],
    documents: &[TransportDocumentNumber],
    surroundings: &Surroundings<'_>,
) -> Vec<Consignment> {
    let document = documents.first();
    let unbound = |container| {
        let why = Matching::Unbound(Obstacle::ContainerUnknown);
        Consignment::of(Some(container), document, why)
    };
    if !containers.is_empty() {
        return containers
            .iter()
            .map(|container| {
                let visits = (surroundings.visits)(container);
                brought(before, container, document, &visits, surroundings)
                    .unwrap_or_else(|| unbound(container))
            })
            .collect();
    }
    let named = (surroundings.named)();
    let mut containers: Vec<ContainerNumber> = before
        .iter()
        .filter_map(|old| old.container.clone())
        .chain(named.iter().map(|visit| visit.container.clone()))
        .collect();
    containers.sort();
    containers.dedup();
    let bound: Vec<Consignment> = containers
        .iter()
        .filter_map(|container| {
            let held = before
                .iter()
                .any(|old| old.container.as_ref() == Some(container));
            // A visit that it is bound to is looked at whatever is named now.
            let mut visits = named.clone();
            if held {
                visits.extend((surroundings.visits)(container));
            }
            visits.retain(|visit| visit.container == *container);
            visits.sort_by(|one, other| one.visit_id.cmp(&other.visit_id));
            visits.dedup_by(|one, other| one.visit_id == other.visit_id);
            brought(before, container, document, &visits, surroundings)
        })
        .collect();
    if !bound.is_empty() {
        return bound;
    }
    let why = Matching::NotAsked(Obstacle::NoContainer);
    documents
        .iter()
        .map(|document| kept_or(before, Consignment::of(None, Some(document), why.clone())))
        .collect()
}

/// An export's goods in a container that a truck brought to the site; none while no such visit is certain.
fn brought(
    before: &[Consignment],
    container: &ContainerNumber,
    document: Option<&TransportDocumentNumber>,
    visits: &[Visit],
    surroundings: &Surroundings<'_>,
) -> Option<Consignment> {
    let held = before
        .iter()
        .find(|old| old.container.as_ref() == Some(container) && old.visit_id.is_some());
    let decided = surroundings
        .overrides
        .iter()
        .find(|decided| decided.container == *container);
    let settled = decided
        .map(|decided| &decided.visit_id)
        .or_else(|| held.and_then(|old| old.visit_id.as_ref()));
    let on = |visit: &Visit| {
        let matching = if decided.is_some() {
            Matching::Overridden
        } else {
            Matching::NotAsked(Obstacle::NoManifest)
        };
        let released_at = held
            .filter(|old| old.visit_id.as_ref() == Some(&visit.visit_id))
            .and_then(|old| old.released_at);
        Consignment {
            released_at,
            ..Consignment::of(Some(container), document, matching).at(visit)
        }
    };
    if let Some(visit_id) = settled {
        return match visits.iter().find(|visit| visit.visit_id == *visit_id) {
            // The check-in was a mistake: the container never came.
            Some(visit) if visit.phase == Phase::ShortLanded => None,
            Some(visit) => Some(on(visit)),
            // A visit that is over and no longer looked at: nothing changes.
            None => held.cloned(),
        };
    }
    let mut here = visits.iter().filter(|visit| {
        visit.phase == Phase::Arrived
            && visit.by_truck
            && Some(visit.site_id.as_str()) == surroundings.site_id
    });
    match (here.next(), here.next()) {
        (Some(visit), None) => Some(on(visit)),
        _ => None,
    }
}

/// Goods out of bond stand at the centre under the lists that the declaration names.
fn bind_lists(before: &[Consignment], surroundings: &Surroundings<'_>) -> Vec<Consignment> {
    let decreases: Vec<StockListNumber> = surroundings
        .filing
        .stock_lists()
        .into_iter()
        .filter(|number| number.direction() == Way::Out)
        .collect();
    if decreases.is_empty() {
        let why = Matching::Unbound(Obstacle::NoStockList);
        return vec![Consignment::of(None, None, why)];
    }
    decreases
        .iter()
        .map(|number| {
            let held = before.iter().find(|old| old.list.as_ref() == Some(number));
            set_aside(held, number, surroundings)
        })
        .collect()
}

fn set_aside(
    held: Option<&Consignment>,
    number: &StockListNumber,
    surroundings: &Surroundings<'_>,
) -> Consignment {
    let list = (surroundings.lists)(number);
    let matching = match &list {
        None => Matching::Unbound(Obstacle::StockListNotReserved),
        Some(list)
            if Some(list.trader.as_str()) != surroundings.trader
                || Some(list.site_id.as_str()) != surroundings.site_id =>
        {
            Matching::Mismatch(Obstacle::StockListOfAnother)
        }
        Some(list) if !list.names(&surroundings.filing.lrn) => {
            Matching::Mismatch(Obstacle::StockListOtherReference)
        }
        Some(list) if list.state.is_void() => Matching::Mismatch(Obstacle::StockListVoid),
        Some(list) if list.state.is_reserved() => Matching::Matched,
        Some(_) => Matching::Unbound(Obstacle::StockListNotReserved),
    };
    let here = matching == Matching::Matched;
    // Under a list that is not its own nothing of it has left.
    let posted = here
        && list
            .as_ref()
            .is_some_and(|list| list.state == ListState::Posted);
    Consignment {
        list: Some(number.clone()),
        arrived_at: held
            .and_then(|held| held.arrived_at)
            .or_else(|| list.filter(|_| here).and_then(|list| list.reserved_at)),
        released_at: held.and_then(|held| held.released_at),
        departed: posted || held.is_some_and(|held| held.departed),
        ..Consignment::of(None, None, matching)
    }
}

fn bind_container(
    before: &[Consignment],
    container: &ContainerNumber,
    documents: &[TransportDocumentNumber],
    surroundings: &Surroundings<'_>,
) -> Vec<Consignment> {
    let held: Vec<&Consignment> = before
        .iter()
        .filter(|old| old.container.as_ref() == Some(container))
        .collect();
    let visits = (surroundings.visits)(container);
    let decided: Vec<&Override> = surroundings
        .overrides
        .iter()
        .filter(|decided| decided.container == *container)
        .collect();
    let settled = held
        .iter()
        .find(|old| old.is_settled())
        .and_then(|old| old.visit_id.clone());
    let settled = decided
        .first()
        .map(|decided| decided.visit_id.clone())
        .or(settled);
    let fresh = match &settled {
        Some(visit_id) => match visits.iter().find(|visit| visit.visit_id == *visit_id) {
            // Landed short after all: whatever was not released is free again.
            Some(visit) if visit.phase == Phase::ShortLanded => {
                return from_candidates(&[], container, documents, surroundings);
            }
            Some(visit) => on_visit(visit, container, documents, &decided, surroundings.filing),
            // A visit that is over and no longer looked at: nothing changes.
            None => return held.into_iter().cloned().collect(),
        },
        None => {
            let candidates: Vec<&Visit> = visits
                .iter()
                .filter(|visit| {
                    !visit.phase.is_over() && Some(visit.site_id.as_str()) == surroundings.site_id
                })
                .collect();
            from_candidates(&candidates, container, documents, surroundings)
        }
    };
    merge(&held, fresh)
}

fn from_candidates(
    candidates: &[&Visit],
    container: &ContainerNumber,
    documents: &[TransportDocumentNumber],
    surroundings: &Surroundings<'_>,
) -> Vec<Consignment> {
    let alone = |matching| {
        vec![Consignment::of(
            Some(container),
            documents.first(),
            matching,
        )]
    };
    if documents.is_empty() {
        return alone(Matching::Unbound(Obstacle::NoTransportDocument));
    }
    let carrying: Vec<&&Visit> = candidates
        .iter()
        .filter(|visit| !lines_of(visit, documents).is_empty())
        .collect();
    match (carrying.as_slice(), candidates) {
        ([visit], _) => on_visit(visit, container, documents, &[], surroundings.filing),
        ([_, ..], _) => alone(Matching::Unbound(Obstacle::TwoCandidates)),
        ([], []) => alone(Matching::Unbound(Obstacle::ContainerUnknown)),
        ([], _) => alone(Matching::Mismatch(Obstacle::TransportDocumentNotOnManifest)),
    }
}

fn lines_of<'v>(visit: &'v Visit, documents: &[TransportDocumentNumber]) -> Vec<&'v ManifestLine> {
    let declared = |line: &&ManifestLine| {
        line.transport_document
            .as_ref()
            .is_some_and(|document| documents.contains(document))
    };
    visit.lines.iter().filter(declared).collect()
}

/// The consignments on one visit: a line of the manifest each, and what officers decided.
fn on_visit(
    visit: &Visit,
    container: &ContainerNumber,
    documents: &[TransportDocumentNumber],
    decided: &[&Override],
    filing: &Filing,
) -> Vec<Consignment> {
    let mut consignments: Vec<Consignment> = decided
        .iter()
        .map(|decided| {
            Consignment::of(
                Some(container),
                decided.transport_document.as_ref(),
                Matching::Overridden,
            )
            .at(visit)
        })
        .collect();
    let lines = lines_of(visit, documents);
    // Wider than a line's count, so that the sum of any list fits.
    let manifest: Option<u64> = lines.iter().map(|line| line.packages.map(u64::from)).sum();
    let agrees = match (filing.packages_in(container), manifest) {
        (Some(declared), Some(manifest)) => u64::from(declared) == manifest,
        // What one side does not count cannot differ.
        _ => true,
    };
    let matching = if agrees {
        Matching::Matched
    } else {
        Matching::Mismatch(Obstacle::Packages)
    };
    for line in lines {
        if !consignments
            .iter()
            .any(|there| there.transport_document == line.transport_document)
        {
            consignments.push(
                Consignment::of(
                    Some(container),
                    line.transport_document.as_ref(),
                    matching.clone(),
                )
                .at(visit),
            );
        }
    }
    if consignments.is_empty() {
        let matching = Matching::Mismatch(Obstacle::TransportDocumentNotOnManifest);
        consignments.push(Consignment::of(
            Some(container),
            documents.first(),
            matching,
        ));
    }
    consignments
}

/// What was released stays released; what has been released or has left is not forgotten when the manifest
/// loses its line.
fn merge(held: &[&Consignment], mut fresh: Vec<Consignment>) -> Vec<Consignment> {
    for old in held.iter().filter(|old| old.released_at.is_some()) {
        let same = |new: &&mut Consignment| {
            new.transport_document == old.transport_document && new.visit_id == old.visit_id
        };
        match fresh.iter_mut().find(same) {
            Some(new) => {
                new.released_at = old.released_at;
                if new.matching.blocks() {
                    new.matching = old.matching.clone();
                }
            }
            None => fresh.push((*old).clone()),
        }
    }
    fresh
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filing::{FiledItem, Reference};
    use chrono::TimeZone;
    use kernel::Lrn;

    const BOX: &str = "MSKU9070323";

    fn number() -> ContainerNumber {
        ContainerNumber::parse(BOX).expect("valid")
    }

    fn document(written: &str) -> TransportDocumentNumber {
        TransportDocumentNumber::parse(written).expect("valid")
    }

    fn filing(documents: &[&str], packages: u32) -> Filing {
        Filing {
            type_code: "IMD".into(),
            containers: vec![BOX.into()],
            references: documents
                .iter()
                .map(|id| Reference {
                    type_code: "705".into(),
                    id: (*id).into(),
                    path: String::new(),
                })
                .collect(),
            items: vec![FiledItem {
                packages: Some(packages),
                ..FiledItem::default()
            }],
            ..Filing::default()
        }
    }

    fn visit(ordinal: u32, phase: Phase, lines: &[(&str, Option<u32>)]) -> Visit {
        let arrived_at = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).single();
        Visit {
            visit_id: format!("PORT/{BOX}/{ordinal}"),
            site_id: "PORT".into(),
            container: number(),
            version: 1,
            phase,
            arrived_at: arrived_at.filter(|_| matches!(phase, Phase::Arrived | Phase::Departed)),
            lines: lines
                .iter()
                .map(|(id, packages)| ManifestLine {
                    transport_document: Some(document(id)),
                    packages: *packages,
                })
                .collect(),
            by_truck: false,
            named: Vec::new(),
            exited: false,
        }
    }

    fn bound(
        before: &[Consignment],
        filing: &Filing,
        visits: &[Visit],
        overrides: &[Override],
    ) -> Vec<Consignment> {
        bind(
            before,
            &Surroundings {
                filing,
                site_id: Some("PORT"),
                bonded: false,
                trader: None,
                overrides,
                visits: &|_| visits.to_vec(),
                named: &|| visits.to_vec(),
                lists: &|_| None,
            },
        )
    }

    fn one(consignments: Vec<Consignment>) -> Consignment {
        assert_eq!(consignments.len(), 1, "{consignments:?}");
        consignments.into_iter().next().expect("one")
    }

    #[test]
    fn rule_15_the_same_document_and_packages_match() {
        let bound = one(bound(
            &[],
            &filing(&["BL1"], 7),
            &[visit(1, Phase::Announced, &[("bl1", Some(7))])],
            &[],
        ));
        assert_eq!(
            (bound.matching, bound.visit_id.as_deref(), bound.arrived_at),
            (Matching::Matched, Some("PORT/MSKU9070323/1"), None)
        );
    }

    #[test]
    fn rule_15_other_packages_are_a_mismatch_and_an_uncounted_line_is_not() {
        let other = one(bound(
            &[],
            &filing(&["BL1"], 7),
            &[visit(1, Phase::Arrived, &[("BL1", Some(8))])],
            &[],
        ));
        assert_eq!(other.matching, Matching::Mismatch(Obstacle::Packages));
        let uncounted = one(bound(
            &[],
            &filing(&["BL1"], 7),
            &[visit(1, Phase::Arrived, &[("BL1", None)])],
            &[],
        ));
        assert_eq!(uncounted.matching, Matching::Matched);
    }

    #[test]
    fn rule_15_packages_beyond_all_bounds_are_a_mismatch_and_no_accident() {
        let lines = [("BL1", Some(u32::MAX)), ("BL2", Some(8))];
        let bound = bound(
            &[],
            &filing(&["BL1", "BL2"], 7),
            &[visit(1, Phase::Arrived, &lines)],
            &[],
        );
        assert!(
            bound
                .iter()
                .all(|goods| goods.matching == Matching::Mismatch(Obstacle::Packages))
        );
    }

    #[test]
    fn rule_15_a_manifest_without_the_document_is_a_mismatch_that_binds_nothing() {
        let bound = one(bound(
            &[],
            &filing(&["BL1"], 7),
            &[visit(1, Phase::Arrived, &[("BL2", Some(7))])],
            &[],
        ));
        assert_eq!(
            (bound.matching, bound.visit_id),
            (
                Matching::Mismatch(Obstacle::TransportDocumentNotOnManifest),
                None
            )
        );
    }

    #[test]
    fn what_is_not_certain_is_unbound_with_its_reason() {
        let unknown = one(bound(&[], &filing(&["BL1"], 7), &[], &[]));
        assert_eq!(
            unknown.matching,
            Matching::Unbound(Obstacle::ContainerUnknown)
        );
        let undocumented = one(bound(
            &[],
            &filing(&[], 7),
            &[visit(1, Phase::Arrived, &[("BL1", Some(7))])],
            &[],
        ));
        assert_eq!(
            undocumented.matching,
            Matching::Unbound(Obstacle::NoTransportDocument)
        );
        let twice = [
            visit(1, Phase::Arrived, &[("BL1", Some(7))]),
            visit(2, Phase::Announced, &[("BL1", Some(7))]),
        ];
        assert_eq!(
            one(bound(&[], &filing(&["BL1"], 7), &twice, &[])).matching,
            Matching::Unbound(Obstacle::TwoCandidates)
        );
    }

    #[test]
    fn of_two_visits_the_one_that_carries_the_document_is_certain() {
        let visits = [
            visit(1, Phase::Arrived, &[("BL0", Some(7))]),
            visit(2, Phase::Announced, &[("BL1", Some(7))]),
        ];
        assert_eq!(
            one(bound(&[], &filing(&["BL1"], 7), &visits, &[]))
                .visit_id
                .as_deref(),
            Some("PORT/MSKU9070323/2")
        );
    }

    #[test]
    fn a_visit_at_another_site_is_no_candidate() {
        let elsewhere = Visit {
            site_id: "CENTRE".into(),
            ..visit(1, Phase::Arrived, &[("BL1", Some(7))])
        };
        assert_eq!(
            one(bound(&[], &filing(&["BL1"], 7), &[elsewhere], &[])).matching,
            Matching::Unbound(Obstacle::ContainerUnknown)
        );
    }

    #[test]
    fn nothing_carries_over_from_one_visit_to_the_next() {
        let filing = filing(&["BL1"], 7);
        let mut first = bound(
            &[],
            &filing,
            &[visit(1, Phase::Arrived, &[("BL1", Some(7))])],
            &[],
        );
        first[0].released_at = first[0].arrived_at;
        let gone = bound(
            &first,
            &filing,
            &[visit(1, Phase::Departed, &[("BL1", Some(7))])],
            &[],
        );
        assert!(gone[0].departed);
        // The container is back, under the same document; the old visit is not even loaded any more.
        let again = bound(
            &gone,
            &filing,
            &[visit(2, Phase::Arrived, &[("BL1", Some(7))])],
            &[],
        );
        assert_eq!(again, gone);
    }

    #[test]
    fn a_visit_that_landed_short_sets_its_goods_free() {
        let filing = filing(&["BL1"], 7);
        let announced = bound(
            &[],
            &filing,
            &[visit(1, Phase::Announced, &[("BL1", Some(7))])],
            &[],
        );
        let short = bound(
            &announced,
            &filing,
            &[visit(1, Phase::ShortLanded, &[("BL1", Some(7))])],
            &[],
        );
        assert_eq!(
            one(short.clone()).matching,
            Matching::Unbound(Obstacle::ContainerUnknown)
        );
        let next = bound(
            &short,
            &filing,
            &[visit(2, Phase::Announced, &[("BL1", Some(7))])],
            &[],
        );
        assert_eq!(one(next).visit_id.as_deref(), Some("PORT/MSKU9070323/2"));
    }

    #[test]
    fn two_documents_in_one_container_are_two_consignments() {
        let visits = [visit(
            1,
            Phase::Arrived,
            &[("BL1", Some(3)), ("BL2", Some(4)), ("BL9", Some(50))],
        )];
        let bound = bound(&[], &filing(&["BL1", "BL2"], 7), &visits, &[]);
        assert_eq!(bound.len(), 2);
        assert!(
            bound
                .iter()
                .all(|consignment| consignment.matching == Matching::Matched)
        );
    }

    #[test]
    fn an_officers_decision_binds_what_matching_would_not() {
        let visits = [visit(1, Phase::Arrived, &[("BL9", Some(50))])];
        let decided = Override {
            visit_id: visits[0].visit_id.clone(),
            container: number(),
            transport_document: Some(document("BL9")),
        };
        let bound = one(bound(&[], &filing(&["BL1"], 7), &visits, &[decided]));
        assert_eq!(
            (bound.matching, bound.transport_document),
            (Matching::Overridden, Some(document("BL9")))
        );
        assert!(bound.arrived_at.is_some());
    }

    #[test]
    fn goods_without_a_container_are_known_by_their_document() {
        let bare = Filing {
            containers: vec!["CONU1234567".into()],
            ..filing(&["BL1"], 7)
        };
        let consignment = one(bound(&[], &bare, &[], &[]));
        assert_eq!(
            consignment.clearance_key().as_deref(),
            Some("transport-document/BL1")
        );
        assert!(!consignment.matching.blocks());
    }

    #[test]
    fn rule_10_goods_without_a_container_are_a_consignment_for_each_document() {
        let bare = Filing {
            containers: Vec::new(),
            ..filing(&["BL1", "BL2"], 7)
        };
        let keys = |consignments: &[Consignment]| -> Vec<String> {
            consignments
                .iter()
                .filter_map(Consignment::clearance_key)
                .collect()
        };
        let mut first = bound(&[], &bare, &[], &[]);
        assert_eq!(
            keys(&first),
            ["transport-document/BL1", "transport-document/BL2"]
        );
        // What was released under one of them stays so, and says nothing of the other.
        let released = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).single();
        first[1].released_at = released;
        let again = bound(&first, &bare, &[], &[]);
        assert_eq!(
            again
                .iter()
                .map(|goods| goods.released_at)
                .collect::<Vec<_>>(),
            [None, released]
        );
    }

    fn by_truck(ordinal: u32, phase: Phase) -> Visit {
        Visit {
            by_truck: true,
            exited: phase == Phase::Departed,
            ..visit(ordinal, phase, &[])
        }
    }

    fn export(containers: &[&str]) -> Filing {
        Filing {
            type_code: "EXD".into(),
            containers: containers
                .iter()
                .map(|&written| written.to_owned())
                .collect(),
            ..filing(&["BL1"], 7)
        }
    }

    #[test]
    fn an_export_is_bound_to_what_a_truck_brings_and_not_to_what_came_by_train() {
        for containers in [&[BOX][..], &[]] {
            let filing = export(containers);
            let by_train = visit(1, Phase::Arrived, &[("BL1", Some(7))]);
            let unbound = one(bound(&[], &filing, &[by_train], &[]));
            assert_eq!(unbound.visit_id, None);
            let here = bound(&[], &filing, &[by_truck(2, Phase::Arrived)], &[]);
            let bound_to = one(here.clone());
            assert_eq!(
                bound_to.visit_id.as_deref(),
                Some("PORT/MSKU9070323/2"),
                "{containers:?}"
            );
            assert!(bound_to.arrived_at.is_some() && !bound_to.matching.blocks());
            let gone = one(bound(&here, &filing, &[by_truck(2, Phase::Departed)], &[]));
            assert!(gone.departed && gone.exited);
            // The box comes again; what was bound stays with the stay that it was bound to.
            let again = bound(
                std::slice::from_ref(&gone),
                &filing,
                &[by_truck(3, Phase::Arrived)],
                &[],
            );
            assert_eq!(one(again), gone);
        }
    }

    #[test]
    fn an_export_whose_check_in_was_a_mistake_is_unbound_again() {
        let filing = export(&[BOX]);
        let here = bound(&[], &filing, &[by_truck(1, Phase::Arrived)], &[]);
        let not_here = one(bound(
            &here,
            &filing,
            &[by_truck(1, Phase::ShortLanded)],
            &[],
        ));
        assert_eq!(
            (not_here.visit_id, not_here.matching),
            (None, Matching::Unbound(Obstacle::ContainerUnknown))
        );
    }

    #[test]
    fn goods_out_of_bond_stand_under_their_traders_list_once_it_is_reserved() {
        let number = StockListNumber::parse("QD800526E000000001").expect("valid");
        let filing = Filing {
            type_code: "IMA".into(),
            lrn: "L-1".into(),
            references: vec![Reference {
                type_code: "ZZZ".into(),
                id: number.to_string(),
                path: String::new(),
            }],
            items: vec![FiledItem {
                procedure: Some("4071".into()),
                ..FiledItem::default()
            }],
            ..filing(&[], 7)
        };
        let since = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).single();
        let list = |state, trader: &str, site_id: &str| StockList {
            number: number.clone(),
            version: 1,
            site_id: site_id.into(),
            trader: trader.into(),
            declaration_lrn: None,
            state,
            reserved_at: since,
        };
        let bound = |before: &[Consignment], list: Option<StockList>| {
            one(bind(
                before,
                &Surroundings {
                    filing: &filing,
                    site_id: Some("CENTRE"),
                    bonded: true,
                    trader: Some("trader-a"),
                    overrides: &[],
                    visits: &|_| Vec::new(),
                    named: &Vec::new,
                    lists: &|_| list.clone(),
                },
            ))
        };
        let unbound = bound(&[], None);
        assert_eq!(
            unbound.matching,
            Matching::Unbound(Obstacle::StockListNotReserved)
        );
        for (state, trader, site) in [
            (ListState::Reserved, "trader-b", "CENTRE"),
            (ListState::Reserved, "trader-a", "ELSEWHERE"),
            (ListState::Voided, "trader-a", "CENTRE"),
        ] {
            let other = bound(&[], Some(list(state, trader, site)));
            assert!(
                matches!(other.matching, Matching::Mismatch(_)),
                "{state:?} {trader} {site}"
            );
            assert_eq!(other.arrived_at, None);
        }
        let reserved = bound(&[], Some(list(ListState::Reserved, "trader-a", "CENTRE")));
        assert_eq!(
            (&reserved.matching, reserved.arrived_at, reserved.departed),
            (&Matching::Matched, since, false)
        );
        assert_eq!(reserved.clearance_key(), None);
        let named = |lrn: &str, state| StockList {
            declaration_lrn: Lrn::parse(lrn).ok(),
            ..list(state, "trader-a", "CENTRE")
        };
        // Spaces around a reference are none of it.
        let own = bound(&[], Some(named(" L-1 ", ListState::Reserved)));
        assert_eq!(own, reserved);
        let posted = bound(&[reserved], Some(named("L-1", ListState::Posted)));
        assert!(posted.departed && !posted.exited);
        // What has left under another's list or reference is nothing of this.
        for (why, list) in [
            (
                Obstacle::StockListOtherReference,
                named("L-2", ListState::Posted),
            ),
            (
                Obstacle::StockListOfAnother,
                list(ListState::Posted, "trader-b", "CENTRE"),
            ),
        ] {
            let other = bound(&[], Some(list));
            assert_eq!(
                (other.matching, other.arrived_at, other.departed),
                (Matching::Mismatch(why), None, false)
            );
        }
    }

    #[test]
    fn rule_13_special_goods_are_found_as_their_procedure_has_them_go() {
        let special = |procedure: &str| Filing {
            type_code: "COA".into(),
            items: vec![FiledItem {
                procedure: Some(procedure.into()),
                packages: Some(7),
                ..FiledItem::default()
            }],
            ..filing(&["BL1"], 7)
        };
        let by_train = visit(1, Phase::Arrived, &[("BL1", Some(7))]);
        let visits = [by_train, by_truck(2, Phase::Arrived)];
        // What no procedure has go a way is found by the manifest alone.
        for (procedure, visit_id) in [
            ("4000", "PORT/MSKU9070323/1"),
            ("0020", "PORT/MSKU9070323/1"),
            ("1040", "PORT/MSKU9070323/2"),
        ] {
            let bound = one(bound(&[], &special(procedure), &visits, &[]));
            assert_eq!(bound.visit_id.as_deref(), Some(visit_id), "{procedure}");
            assert!(!bound.matching.blocks(), "{procedure}");
            let unbound = one(self::bound(&[], &special(procedure), &[], &[]));
            assert_eq!(
                unbound.matching,
                Matching::Unbound(Obstacle::ContainerUnknown),
                "{procedure}"
            );
        }
    }

    #[test]
    fn supplementary_declarations_bind_to_nothing() {
        for type_code in ["IMY", "IMZ", "IMQ", "EXZ", "COY"] {
            let filing = Filing {
                type_code: type_code.into(),
                ..filing(&["BL1"], 7)
            };
            assert!(
                bound(
                    &[],
                    &filing,
                    &[visit(1, Phase::Arrived, &[("BL1", Some(7))])],
                    &[]
                )
                .is_empty(),
                "{type_code}"
            );
        }
    }
}
