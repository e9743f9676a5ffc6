//! Rule 15: which container visit the goods of a declaration are in, and whether the declaration agrees with
//! the manifest. A binding that is not certain is kept as unbound with its reason; it is never guessed. It
//! must not know duty, controls or holds.

use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, TransportDocumentNumber};
use serde::{Deserialize, Serialize};

use super::filing::{Direction, Filing, Stage};
use super::visit::{ManifestLine, Phase, Visit};

/// The goods of a declaration under one transport document in one container, or without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consignment {
    /// The container; none for goods without one.
    pub container: Option<ContainerNumber>,
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
    /// They have left with their visit: nothing carries over to the next one.
    pub departed: bool,
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
    /// Exports are not bound to a departure yet.
    ExportNotBound,
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
}

impl Obstacle {
    /// The name in events and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::GoodsLocationElsewhere => "GOODS_LOCATION_ELSEWHERE",
            Self::NoContainer => "NO_CONTAINER",
            Self::ExportNotBound => "EXPORT_NOT_BOUND",
            Self::NoTransportDocument => "NO_TRANSPORT_DOCUMENT",
            Self::ContainerUnknown => "CONTAINER_UNKNOWN",
            Self::TwoCandidates => "TWO_CANDIDATES",
            Self::TransportDocumentNotOnManifest => "TRANSPORT_DOCUMENT_NOT_ON_MANIFEST",
            Self::Packages => "PACKAGES",
        }
    }

    /// What it means and what to do, for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::GoodsLocationElsewhere => "The goods location is none of our sites.",
            Self::NoContainer => {
                "The declaration names no container that can be bound; the goods are released by transport document."
            }
            Self::ExportNotBound => "An export is not bound to a departure.",
            Self::NoTransportDocument => {
                "The declaration names no transport document, so nothing joins it to the manifest; an officer may decide the match."
            }
            Self::ContainerUnknown => {
                "No visit of this container is announced or present at the site."
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
            transport_document: document.cloned(),
            visit_id: None,
            matching,
            arrived_at: None,
            released_at: None,
            departed: false,
        }
    }

    fn at(mut self, visit: &Visit) -> Self {
        self.visit_id = Some(visit.visit_id.clone());
        self.arrived_at = visit.arrived_at;
        self.departed = visit.phase == Phase::Departed;
        self
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
    /// Officers' decisions.
    pub overrides: &'a [Override],
    /// The known visits of a container, and those its goods are bound to.
    pub visits: &'a dyn Fn(&ContainerNumber) -> Vec<Visit>,
}

/// The consignments as they stand now, from those that stood before and the visits that are known. What was
/// released, has left or was decided by an officer stays with its visit.
pub fn bind(before: &[Consignment], surroundings: &Surroundings<'_>) -> Vec<Consignment> {
    let Some(kind) = surroundings.filing.kind() else {
        return Vec::new();
    };
    if kind.stage == Stage::Supplementary || kind.direction == Direction::Special {
        return Vec::new();
    }
    let documents = surroundings.filing.transport_documents();
    let mut containers = surroundings.filing.usable_containers();
    for decided in surroundings.overrides {
        if !containers.contains(&decided.container) {
            containers.push(decided.container.clone());
        }
    }
    let not_asked = match (kind.direction, surroundings.site_id) {
        (Direction::Export, _) => Some(Obstacle::ExportNotBound),
        (_, None) => Some(Obstacle::GoodsLocationElsewhere),
        _ => None,
    };
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
                overrides,
                visits: &|_| visits.to_vec(),
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

    #[test]
    fn supplementary_and_special_declarations_bind_to_nothing() {
        for type_code in ["IMY", "IMZ", "IMQ", "EXZ", "COA"] {
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
