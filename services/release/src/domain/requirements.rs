//! May this container leave, and with whom? A pure function over the facts about one stay. What is
//! needed depends on the journey and is data: the table [`JOURNEYS`]. It keeps no state, so the same
//! facts give the same answer in whatever order, and however often, they were learnt.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::clearance::{
    Clearance, Consignment, Direction, Ended, container_key, transport_document_key,
};
use super::commercial_release::{self, CommercialRelease};
use super::condition::{Condition, Who};
use super::container_visit::{ManifestLine, Mode, Phase, Stay};
use super::hold::{Hold, HoldKind, Scope, ScopeKind};

/// A way for a container to leave, and what it asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Journey {
    /// Its name.
    pub name: &'static str,
    /// How a container must have come to take it.
    pub came_by: &'static [Mode],
    /// Which declarations count for it.
    pub direction: Direction,
    /// What is needed, in the order in which people work it off.
    pub needs: &'static [Need],
}

/// Something that a journey asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Everything said about it could be read.
    NothingUnknown,
    /// The container stands at the site.
    Arrived,
    /// Every manifest line names its transport document and its line.
    Matchable,
    /// Customs released every consignment on it.
    CustomsReleased,
    /// The lines released every consignment on it, all to one haulier.
    CommerciallyReleased,
    /// The terminal says that it can be picked up.
    Available,
    /// No hold of any service stands on it, on its declarations, on a party that its goods concern, or on the haulier
    /// to whom the lines release.
    NoHold,
}

/// Every journey that ends by a container's leaving with goods: with a haulier's truck, or loaded onto a
/// train or barge ("may load"), which no line releases and nobody picks up.
pub const JOURNEYS: &[Journey] = &[
    Journey {
        name: "IMPORT_PICK_UP",
        came_by: &[Mode::Rail, Mode::Barge, Mode::Unknown],
        direction: Direction::Import,
        needs: &[
            Need::NothingUnknown,
            Need::Arrived,
            Need::Matchable,
            Need::CustomsReleased,
            Need::CommerciallyReleased,
            Need::Available,
            Need::NoHold,
        ],
    },
    Journey {
        name: "EXPORT",
        came_by: &[Mode::Truck],
        direction: Direction::Export,
        needs: &[
            Need::NothingUnknown,
            Need::Arrived,
            Need::CustomsReleased,
            Need::NoHold,
        ],
    },
];

impl Journey {
    /// Whether it ends with the truck of the haulier to whom the lines release.
    pub fn is_to_haulier(&self) -> bool {
        self.needs.contains(&Need::CommerciallyReleased)
    }
}

/// Everything that is weighed for one stay.
#[derive(Clone, Debug)]
pub struct VisitFacts<'a> {
    /// The stay.
    pub stay: &'a Stay,
    /// Since when anything is known of it.
    pub known_since: DateTime<Utc>,
    /// Every stay of the container, this one too.
    pub stays: Vec<&'a Stay>,
    /// What customs says under the container and under its transport documents.
    pub clearances: Vec<&'a Clearance>,
    /// The commercial releases of its transport documents.
    pub commercial_releases: Vec<&'a CommercialRelease>,
    /// The holds on it, on its declarations, on the parties that its goods concern and on its haulier, of every service.
    pub holds: Vec<&'a Hold>,
    /// Of [`sources`], those of which something could not be read.
    pub unknown: Vec<Source>,
}

/// Where a piece of knowledge comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The topic: "customs.clearance".
    pub topic: &'static str,
    /// The key within it.
    pub key: String,
}

impl Source {
    /// The party, where it is about holds on one. Whose goods these are is not for everybody who reads.
    pub fn party(&self) -> Option<&str> {
        self.key
            .strip_prefix("party/")
            .filter(|_| self.topic.ends_with(".hold"))
    }
}

/// The answer to "may it leave?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which journey was asked about; none: release does not decide on this stay.
    pub journey: Option<&'static str>,
    /// The container has left; of a stock list, nothing more of it will.
    pub departed: bool,
    /// It leaves in parts: what has left says nothing of the rest, and more may be to leave after all.
    pub in_parts: bool,
    /// It is granted to a haulier, and to nobody while none is named.
    pub to_haulier: bool,
    /// The one haulier that the commercial releases name; none where it is granted to no haulier.
    pub haulier_party: Option<String>,
    /// Since when they name that one.
    pub haulier_since: Option<DateTime<Utc>>,
    /// Of a stock list: the containers that may leave; none: any, or it is about one stay.
    pub containers: Vec<String>,
    /// What is missing; empty: it may leave.
    pub conditions: Vec<Condition>,
    /// The facts that it rests on.
    pub evidence: Vec<String>,
}

/// Decides on one stay.
pub fn decide(facts: &VisitFacts<'_>) -> Outcome {
    let journey = journey_of(facts.stay);
    let departed = facts.stay.phase == Phase::Departed;
    let to_haulier = journey.is_none_or(Journey::is_to_haulier);
    let conditions = match journey {
        _ if departed => Vec::new(),
        _ if facts.stay.phase == Phase::ShortLanded => vec![short_landed(facts)],
        None => vec![not_decided_here(facts)],
        Some(journey) => distinct(
            journey
                .needs
                .iter()
                .flat_map(|need| unmet(*need, journey, facts)),
        ),
    };
    let haulier_party = one_haulier(facts).filter(|_| to_haulier);
    Outcome {
        journey: journey.map(|journey| journey.name),
        departed,
        in_parts: false,
        to_haulier,
        containers: Vec::new(),
        haulier_since: haulier_party.as_ref().and_then(|_| newest_grant(facts)),
        haulier_party,
        conditions,
        evidence: evidence(facts, to_haulier),
    }
}

/// The journey that a stay is on. An empty container without goods on its manifest is on none: it
/// needs no release, and gate lets it out as an empty. So is one that brings goods of a stock list into a
/// bonded centre: what leaves there leaves on a list.
pub fn journey_of(stay: &Stay) -> Option<&'static Journey> {
    if (stay.empty && stay.manifest_lines.is_empty()) || !stay.list_number.is_empty() {
        return None;
    }
    JOURNEYS
        .iter()
        .find(|journey| journey.came_by.contains(&stay.came_by))
}

/// The keys of other services' topics on which the decision rests: what cannot be read of these is
/// unknown, and what is old of these makes the answer old.
pub fn sources(stay: &Stay, clearances: &[&Clearance], hauliers: &BTreeSet<&str>) -> Vec<Source> {
    let mut sources = BTreeSet::new();
    let mut add = |topic, key| sources.insert(Source { topic, key });
    add(
        "gate.container-visit",
        format!("{}/{}", stay.site_id, stay.container_number),
    );
    for key in clearance_keys(stay) {
        add("customs.clearance", key);
    }
    for scope in hold_scopes(stay, clearances, hauliers) {
        add("gate.hold", scope.to_string());
        add("customs.hold", scope.to_string());
    }
    sources.into_iter().collect()
}

/// The keys under which customs may speak of the stay's goods.
pub fn clearance_keys(stay: &Stay) -> Vec<String> {
    let documents = stay.transport_documents();
    std::iter::once(container_key(&stay.container_number))
        .chain(documents.into_iter().map(transport_document_key))
        .collect()
}

/// What a hold must be on to hold the stay: the stay itself, a declaration bound to it, a party that its goods
/// concern, or one of the [`hauliers_named`]. Whoever else comes for it is weighed at the barrier, by gate.
pub fn hold_scopes(
    stay: &Stay,
    clearances: &[&Clearance],
    hauliers: &BTreeSet<&str>,
) -> Vec<Scope> {
    let declarations: BTreeSet<&str> = bound(stay, clearances)
        .map(|(consignment, _)| consignment.declaration_id.as_str())
        .collect();
    std::iter::once(Scope::new(
        ScopeKind::ContainerVisit,
        &stay.container_visit_id,
    ))
    .chain(
        declarations
            .into_iter()
            .map(|id| Scope::new(ScopeKind::Declaration, id)),
    )
    .chain(
        parties(stay, clearances)
            .union(hauliers)
            .map(|party| Scope::new(ScopeKind::Party, *party)),
    )
    .collect()
}

/// The hauliers to whom the lines release the stay, where it is to leave with one.
pub fn hauliers_named<'a>(
    stay: &Stay,
    releases: &[&'a CommercialRelease],
    stays: &[&Stay],
) -> BTreeSet<&'a str> {
    if !journey_of(stay).is_some_and(Journey::is_to_haulier) {
        return BTreeSet::new();
    }
    named_lines(stay)
        .filter_map(|line| {
            let (document, party) = (&line.transport_document, &line.line_party);
            commercial_release::counting(releases, document, party, stay, stays)
        })
        .map(|release| release.haulier_party.as_str())
        .collect()
}

/// The parties that the stay's goods concern: the lines of its manifest, and the traders and filers of the
/// declarations that are bound to it.
fn parties<'a>(stay: &'a Stay, clearances: &'a [&'a Clearance]) -> BTreeSet<&'a str> {
    let lines = stay
        .manifest_lines
        .iter()
        .map(|line| line.line_party.as_str())
        .filter(|party| !party.is_empty());
    bound(stay, clearances)
        .flat_map(|(consignment, _)| consignment.parties())
        .chain(lines)
        .collect()
}

/// The consignments that are bound to the stay, each with the event that said so.
pub fn bound<'a>(
    stay: &'a Stay,
    clearances: &'a [&'a Clearance],
) -> impl Iterator<Item = (&'a Consignment, &'a str)> {
    consignments(clearances).filter(|(consignment, _)| {
        consignment.container_visit_id.as_deref() == Some(stay.container_visit_id.as_str())
    })
}

/// The consignments that name the container and are bound to no stay. They never count.
pub fn unbound<'a>(
    clearances: &'a [&'a Clearance],
) -> impl Iterator<Item = (&'a Consignment, &'a str)> {
    consignments(clearances).filter(|(consignment, _)| consignment.container_visit_id.is_none())
}

fn consignments<'a>(
    clearances: &'a [&'a Clearance],
) -> impl Iterator<Item = (&'a Consignment, &'a str)> {
    clearances.iter().flat_map(|clearance| {
        clearance
            .consignments
            .iter()
            .map(|consignment| (consignment, clearance.event_id.as_str()))
    })
}

/// Why a need is not met; empty: it is.
fn unmet(need: Need, journey: &Journey, facts: &VisitFacts<'_>) -> Vec<Condition> {
    match need {
        Need::NothingUnknown => facts.unknown.iter().map(unknown).collect(),
        Need::Arrived => not_arrived(facts).into_iter().collect(),
        Need::Matchable => not_matchable(facts),
        Need::CustomsReleased => customs_not_released(journey.direction, facts),
        Need::CommerciallyReleased => not_commercially_released(facts),
        Need::Available => not_available(facts).into_iter().collect(),
        Need::NoHold => facts
            .holds
            .iter()
            .filter(|hold| hold.stands())
            .map(|hold| held(hold))
            .collect(),
    }
}

/// What could not be read. Everybody concerned reads it, so that a party is not named.
pub fn unknown(source: &Source) -> Condition {
    let (key, about) = match source.party() {
        Some(_) => ("party", "a party that the goods concern"),
        None => (source.key.as_str(), source.key.as_str()),
    };
    Condition {
        code: "UNKNOWN".to_owned(),
        subject: format!("{}/{key}", source.topic),
        who: Who::role("admin"),
        since: None,
        evidence: Vec::new(),
        description: format!(
            "What {} says about {about} could not be read to its end, so it is unknown. The platform's operator retries or discards the parked event, or sets the stopped partition going again.",
            source.topic
        ),
    }
}

fn about_stay(
    code: &str,
    who: Who,
    since: DateTime<Utc>,
    facts: &VisitFacts<'_>,
    description: String,
) -> Condition {
    Condition {
        code: code.to_owned(),
        subject: facts.stay.subject(),
        who,
        since: Some(since),
        evidence: vec![facts.stay.event_id.clone()],
        description,
    }
}

fn short_landed(facts: &VisitFacts<'_>) -> Condition {
    let description = match facts.stay.came_by {
        Mode::Truck => "The container's check-in was a mistake: it is not here. The terminal checks it in when it comes.",
        Mode::Rail | Mode::Barge | Mode::Unknown => "The container was announced and did not come. The terminal asks the railway or barge operator for it.",
    }
    .to_owned();
    about_stay(
        "SHORT_LANDED",
        Who::role("terminal"),
        facts.stay.over_since.unwrap_or(facts.known_since),
        facts,
        description,
    )
}

fn not_decided_here(facts: &VisitFacts<'_>) -> Condition {
    let description = "Release decides on containers with goods that are picked up or exported. This one is empty, or brought goods of a stock list into the bonded centre, which leave there on another list: the terminal decides at its gate, and lets the container out once it is empty.".to_owned();
    about_stay(
        "NOT_DECIDED_HERE",
        Who::role("terminal"),
        facts.known_since,
        facts,
        description,
    )
}

fn not_arrived(facts: &VisitFacts<'_>) -> Option<Condition> {
    let description =
        "The container is announced and has not arrived. The terminal records its arrival."
            .to_owned();
    (!facts.stay.has_arrived()).then(|| {
        about_stay(
            "NOT_ARRIVED",
            Who::role("terminal"),
            facts.known_since,
            facts,
            description,
        )
    })
}

/// Not yet arrived says more than not yet available, so only one of the two is named.
fn not_available(facts: &VisitFacts<'_>) -> Option<Condition> {
    let since = facts.stay.arrived_at.unwrap_or(facts.known_since);
    let description =
        "The container stands at the site, but the terminal has not said that it can be picked up."
            .to_owned();
    (facts.stay.has_arrived() && !facts.stay.available).then(|| {
        about_stay(
            "NOT_AVAILABLE",
            Who::role("terminal"),
            since,
            facts,
            description,
        )
    })
}

fn not_matchable(facts: &VisitFacts<'_>) -> Vec<Condition> {
    let lines = &facts.stay.manifest_lines;
    let mut conditions = Vec::new();
    if lines.is_empty() || lines.iter().any(|line| line.transport_document.is_empty()) {
        let description = "The manifest does not name the transport document of every consignment in the container, so nothing can be matched with it. The terminal sends the list again.".to_owned();
        conditions.push(about_stay(
            "TRANSPORT_DOCUMENT_MISSING",
            Who::role("terminal"),
            facts.known_since,
            facts,
            description,
        ));
    }
    for line in lines
        .iter()
        .filter(|line| !line.transport_document.is_empty() && line.line_party.is_empty())
    {
        let description = format!(
            "The manifest does not say which line carries {}, so nobody can release it. The terminal sends the list again.",
            line.transport_document
        );
        let condition = about_stay(
            "LINE_MISSING",
            Who::role("terminal"),
            facts.known_since,
            facts,
            description,
        );
        conditions.push(Condition {
            subject: transport_document_key(&line.transport_document),
            ..condition
        });
    }
    conditions
}

fn customs_not_released(direction: Direction, facts: &VisitFacts<'_>) -> Vec<Condition> {
    let stay = facts.stay;
    let counted: Vec<_> = bound(stay, &facts.clearances)
        .filter(|(consignment, _)| consignment.counts_for(&stay.container_visit_id, direction))
        .collect();
    let mut conditions: Vec<Condition> = match direction {
        // A truck brings no manifest: what goes out is what is declared, and that is never nothing.
        Direction::Export => counted
            .is_empty()
            .then(|| export_not_declared(facts))
            .into_iter()
            .collect(),
        Direction::Import | Direction::Neither => {
            // Whatever else is in the container: goods that go into bond are not picked up.
            let elsewhere: Vec<_> = bound(stay, &facts.clearances)
                .filter(|(consignment, _)| consignment.direction == Direction::Neither)
                .collect();
            let named = |document: &&str| {
                let mut all = counted.iter().chain(&elsewhere);
                all.any(|(consignment, _)| consignment.transport_document == *document)
            };
            stay.transport_documents()
                .into_iter()
                .filter(|document| !named(document))
                .map(|document| import_not_declared(document, facts))
                .chain(
                    elsewhere
                        .iter()
                        .map(|(goods, event_id)| not_for_pick_up(goods, event_id, facts)),
                )
                .collect()
        }
    };
    // Also a consignment that the manifest does not list: bound is bound.
    for (consignment, event_id) in counted
        .into_iter()
        .filter(|(consignment, _)| !consignment.released)
    {
        conditions.extend(not_released(consignment, event_id, facts));
    }
    conditions
}

fn import_not_declared(document: &str, facts: &VisitFacts<'_>) -> Condition {
    let description = format!(
        "No import declaration for {document} is bound to the container. The broker or trader files one that names transport document and container."
    );
    let ended = last_ended(facts, |ended| {
        ended.transport_document == document && ended.direction != Direction::Export
    });
    not_declared(transport_document_key(document), description, ended, facts)
}

/// When the last declaration of the stay ceased to be bound to it, of those that would count.
fn last_ended(facts: &VisitFacts<'_>, counted: impl Fn(&Ended) -> bool) -> Option<DateTime<Utc>> {
    let all = facts
        .clearances
        .iter()
        .flat_map(|clearance| &clearance.ended);
    all.filter(|ended| ended.container_visit_id == facts.stay.container_visit_id && counted(ended))
        .map(|ended| ended.at)
        .max()
}

/// A declaration that brings its goods into bond lets nothing be picked up, and its goods wait for no line.
fn not_for_pick_up(consignment: &Consignment, event_id: &str, facts: &VisitFacts<'_>) -> Condition {
    Condition {
        code: "NOT_FOR_PICK_UP".to_owned(),
        subject: format!("declaration/{}", consignment.declaration_id),
        who: Who::role("operator"),
        since: Some(facts.known_since),
        evidence: vec![event_id.to_owned()],
        description: "Goods in the container are declared for bond, or for another procedure that lets nothing be picked up. What goes into bond leaves on the decision on its stock list: the operator of the bonded centre files a transfer.".to_owned(),
    }
}

fn export_not_declared(facts: &VisitFacts<'_>) -> Condition {
    let description = "No export declaration is bound to the container. The broker or trader files one that names the container, and that the haulier's pre-arrival names.".to_owned();
    let ended = last_ended(facts, |ended| ended.direction == Direction::Export);
    not_declared(facts.stay.subject(), description, ended, facts)
}

/// `ended`: when the last declaration that was enough ceased to be bound; none if there was none.
fn not_declared(
    subject: String,
    mut description: String,
    ended: Option<DateTime<Utc>>,
    facts: &VisitFacts<'_>,
) -> Condition {
    let mut evidence = vec![facts.stay.event_id.clone()];
    // Whose declarations these are is not for everyone who reads the condition.
    let mut reasons = BTreeSet::new();
    for (consignment, event_id) in unbound(&facts.clearances) {
        if !evidence.iter().any(|cited| cited == event_id) {
            evidence.push(event_id.to_owned());
        }
        reasons.insert(match consignment.unbound_because.as_str() {
            "" => "no reason is given",
            reason => reason,
        });
    }
    for reason in reasons {
        description.push_str(&format!(
            " A declaration names the goods and does not count: {reason}."
        ));
    }
    Condition {
        code: "NOT_DECLARED".to_owned(),
        subject,
        who: Who::role("broker"),
        since: Some(ended.unwrap_or(facts.known_since)),
        evidence,
        description,
    }
}

/// What customs itself names as missing. Where it names nothing, a hold of customs says why, and is a
/// condition of its own; only where there is none either is the bare fact named.
fn not_released(
    consignment: &Consignment,
    event_id: &str,
    facts: &VisitFacts<'_>,
) -> Vec<Condition> {
    if !consignment.conditions.is_empty() {
        // A hold of customs is a condition of its own, by which whoever must act lifts it.
        let weighed = |condition: &&Condition| {
            let mut holds = facts.holds.iter();
            holds.any(|hold| {
                hold.stands() && hold.id.service == "customs" && cites(condition, &hold.id.id)
            })
        };
        return consignment
            .conditions
            .iter()
            .filter(|condition| !weighed(condition))
            .cloned()
            .map(|mut condition| {
                if condition.evidence.is_empty() {
                    condition.evidence.push(event_id.to_owned());
                }
                condition
            })
            .collect();
    }
    let own_hold = |hold: &&Hold| {
        hold.stands() && matches!(hold.kind, HoldKind::Customs | HoldKind::Quarantine)
    };
    if facts.holds.iter().copied().any(|hold| own_hold(&hold)) {
        return Vec::new();
    }
    vec![Condition {
        code: "CUSTOMS_NOT_RELEASED".to_owned(),
        subject: format!("declaration/{}", consignment.declaration_id),
        who: Who::role("officer"),
        since: facts.stay.arrived_at.or(Some(facts.known_since)),
        evidence: vec![event_id.to_owned()],
        description: match consignment.transport_document.as_str() {
            "" => "Customs has not released goods in the container.".to_owned(),
            document => format!("Customs has not released the goods of {document}."),
        },
    }]
}

/// Whether customs names this hold as what is missing.
fn cites(condition: &Condition, hold_id: &str) -> bool {
    let mut cited = condition.evidence.iter();
    cited.any(|evidence| evidence.strip_prefix("hold/") == Some(hold_id))
}

fn not_commercially_released(facts: &VisitFacts<'_>) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = named_lines(facts.stay)
        .filter(|line| counting(line, facts).is_none())
        .map(|line| commercial_release_missing(line, facts))
        .collect();
    let hauliers = hauliers(facts);
    if hauliers.len() > 1 {
        let description = "The consignments in the container are released to different hauliers; only one can take it. The lines agree on one.".to_owned();
        let since = newest_grant(facts).unwrap_or(facts.known_since);
        let condition = about_stay(
            "COMMERCIAL_RELEASES_DISAGREE",
            Who::role("line"),
            since,
            facts,
            description,
        );
        let evidence = counting_all(facts)
            .map(CommercialRelease::fact_id)
            .collect();
        conditions.push(Condition {
            evidence,
            ..condition
        });
    }
    conditions
}

fn commercial_release_missing(line: &ManifestLine, facts: &VisitFacts<'_>) -> Condition {
    let given = |release: &&&CommercialRelease| {
        release.scope.transport_document == line.transport_document
            && release.line_party == line.line_party
            && release.is_for(facts.stay)
    };
    let revoked = facts
        .commercial_releases
        .iter()
        .filter(given)
        .filter_map(|release| {
            let by = release.taken_back()?;
            Some((by.at, release.fact_id_at(by.version)))
        })
        .max();
    let (since, evidence) =
        revoked.unwrap_or_else(|| (facts.known_since, facts.stay.event_id.clone()));
    Condition {
        code: "COMMERCIAL_RELEASE_MISSING".to_owned(),
        subject: transport_document_key(&line.transport_document),
        who: Who::party("line", &line.line_party),
        since: Some(since),
        evidence: vec![evidence],
        description: format!(
            "The line {} has not released {} to a haulier.",
            line.line_party, line.transport_document
        ),
    }
}

/// A hold that stands.
pub fn held(hold: &Hold) -> Condition {
    Condition {
        code: format!("{}_HOLD", hold.kind.name()),
        subject: format!("hold/{}", hold.id.id),
        who: Who::party(hold.role(), &hold.placed_by_party),
        since: Some(hold.placed_at),
        evidence: vec![hold.evidence()],
        description: format!(
            "Held ({}): {}. Whoever placed the hold lifts it.",
            hold.kind.name().to_lowercase(),
            hold.reason
        ),
    }
}

/// Manifest lines that can be released at all: they name a document and a line.
fn named_lines(stay: &Stay) -> impl Iterator<Item = &ManifestLine> {
    stay.manifest_lines
        .iter()
        .filter(|line| !line.transport_document.is_empty() && !line.line_party.is_empty())
}

/// The commercial release that counts for a manifest line.
pub fn counting<'a>(line: &ManifestLine, facts: &VisitFacts<'a>) -> Option<&'a CommercialRelease> {
    commercial_release::counting(
        &facts.commercial_releases,
        &line.transport_document,
        &line.line_party,
        facts.stay,
        &facts.stays,
    )
}

fn counting_all<'a>(facts: &'a VisitFacts<'a>) -> impl Iterator<Item = &'a CommercialRelease> {
    named_lines(facts.stay).filter_map(|line| counting(line, facts))
}

fn newest_grant(facts: &VisitFacts<'_>) -> Option<DateTime<Utc>> {
    counting_all(facts).map(|release| release.granted_at).max()
}

fn hauliers<'a>(facts: &'a VisitFacts<'a>) -> BTreeSet<&'a str> {
    counting_all(facts)
        .map(|release| release.haulier_party.as_str())
        .collect()
}

/// The haulier, if the releases there are agree on one.
fn one_haulier(facts: &VisitFacts<'_>) -> Option<String> {
    let hauliers = hauliers(facts);
    let mut hauliers = hauliers.into_iter();
    hauliers
        .next()
        .filter(|_| hauliers.next().is_none())
        .map(str::to_owned)
}

fn evidence(facts: &VisitFacts<'_>, to_haulier: bool) -> Vec<String> {
    // That a container has left needs no other evidence than its departure.
    if facts.stay.phase == Phase::Departed {
        return vec![facts.stay.event_id.clone()];
    }
    let mut evidence = BTreeSet::from([facts.stay.event_id.clone()]);
    evidence.extend(bound(facts.stay, &facts.clearances).map(|(_, event_id)| event_id.to_owned()));
    if to_haulier {
        evidence.extend(counting_all(facts).map(CommercialRelease::fact_id));
    }
    evidence.into_iter().collect()
}

/// Each condition once: two keys of customs may name the same one while goods move between them.
pub fn distinct(conditions: impl Iterator<Item = Condition>) -> Vec<Condition> {
    let mut seen = BTreeSet::new();
    conditions
        .filter(|condition| seen.insert(condition.identity()))
        .collect()
}
