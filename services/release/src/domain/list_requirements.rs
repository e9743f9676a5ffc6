//! May the goods of this stock list move, into the bonded centre or out of it? A pure function over the facts
//! about one list, as `requirements` is over those about one stay; what each journey asks for is data: the
//! table [`LIST_JOURNEYS`]. It keeps no state, so the same facts give the same answer in whatever order, and
//! however often, they were learnt. Plates and hauliers are weighed at the barrier, by gate.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{Direction, Lrn};

use super::clearance::{Clearance, Consignment, container_key, transport_document_key};
use super::condition::{Condition, Who};
use super::container_visit::Stay;
use super::declaration::{Declaration, DeclarationStanding};
use super::hold::{Hold, Scope, ScopeKind};
use super::requirements::{self, Outcome, Source, distinct, held, unknown};
use super::stock_list::{Filed, ListStanding, StockList};

/// A way for goods to cross the line of a bonded centre, and what it asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct ListJourney {
    /// Its name.
    pub name: &'static str,
    /// Which lists take it.
    pub direction: Direction,
    /// Whether the goods stand at the bonded centre before they move; if not, at another site.
    pub from_centre: bool,
    /// What is needed, in the order in which people work it off.
    pub needs: &'static [ListNeed],
}

/// Something that a list's journey asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListNeed {
    /// Everything said about it could be read.
    NothingUnknown,
    /// The operator has approved it.
    Approved,
    /// Its goods are set aside.
    Reserved,
    /// Customs has accepted the declaration of its trader that names it. An open control does not undo that:
    /// the goods stay under customs' eyes in the centre, and for those that must be seen before they go, gate
    /// asks for the inspection itself.
    CustomsAccepted,
    /// Customs has released that declaration.
    CustomsReleased,
    /// Of the containers that the declaration names, if it names any, at least one may go; [`left_out`] says why
    /// the others do not.
    SomeContainer,
    /// No hold of any service stands on it, on its declaration, on a container that this names, on its trader, or on
    /// whoever filed the declaration.
    NoHold,
}

/// Every journey of a stock list.
pub const LIST_JOURNEYS: &[ListJourney] = &[
    ListJourney {
        name: "BOND_TRANSFER",
        direction: Direction::In,
        from_centre: false,
        needs: &[
            ListNeed::NothingUnknown,
            ListNeed::Approved,
            ListNeed::CustomsAccepted,
            ListNeed::SomeContainer,
            ListNeed::NoHold,
        ],
    },
    ListJourney {
        name: "BOND_EXIT",
        direction: Direction::Out,
        from_centre: true,
        needs: &[
            ListNeed::NothingUnknown,
            ListNeed::Reserved,
            ListNeed::CustomsReleased,
            ListNeed::NoHold,
        ],
    },
];

/// Everything that is weighed for one list.
#[derive(Clone, Debug)]
pub struct ListFacts<'a> {
    /// The list.
    pub list: &'a StockList,
    /// The declarations that name it, whosever they are.
    pub declarations: Vec<&'a Declaration>,
    /// The stays of its containers before they move.
    pub stays: Vec<&'a Stay>,
    /// Its containers that are known to stand, or to have stood, where its goods come from.
    pub known: BTreeSet<&'a str>,
    /// What customs says under these containers and their transport documents.
    pub clearances: Vec<&'a Clearance>,
    /// Of the holds of every service those that stand on it, its declaration, its containers and its parties.
    pub holds: Vec<&'a Hold>,
    /// Of [`sources`], those of which something could not be read.
    pub unknown: Vec<Source>,
}

/// Decides on one list. While bonded has not told of it there is nothing to decide on.
pub fn decide(facts: &ListFacts<'_>) -> Outcome {
    let list = facts.list;
    let journey = journey_of(list);
    let departed = list.is_used_up();
    let left_out = left_out(facts);
    let mut movable = containers(list, &facts.declarations);
    movable.retain(|number| !left_out.contains_key(number));
    let none_may_go: Vec<Condition> = if movable.is_empty() {
        left_out.into_values().flatten().collect()
    } else {
        Vec::new()
    };
    let conditions = match (&list.filed, journey) {
        _ if departed => Vec::new(),
        (Some(filed), Some(journey)) => distinct(
            journey
                .needs
                .iter()
                .flat_map(|need| unmet(*need, journey, filed, facts, &none_may_go)),
        ),
        _ => vec![not_told(list)],
    };
    Outcome {
        journey: journey
            .filter(|_| list.filed.is_some())
            .map(|journey| journey.name),
        departed,
        in_parts: true,
        to_haulier: false,
        haulier_party: None,
        haulier_since: None,
        containers: movable,
        conditions,
        evidence: evidence(facts),
    }
}

/// The journey that a list's goods are on.
pub fn journey_of(list: &StockList) -> Option<&'static ListJourney> {
    LIST_JOURNEYS
        .iter()
        .find(|journey| journey.direction == list.direction)
}

/// The declarations that go with the list: those of its own trader that name it, under the reference that it
/// names, for a procedure of its journey. A declaration of another's opens nothing, and stops nothing. Those
/// that are over count only where no other does, to say what became of them.
pub fn counting<'a>(list: &StockList, declarations: &[&'a Declaration]) -> Vec<&'a Declaration> {
    let (Some(filed), Some(journey)) = (&list.filed, journey_of(list)) else {
        return Vec::new();
    };
    let all: Vec<&Declaration> = declarations
        .iter()
        .copied()
        .filter(|declaration| why_not(declaration, list, filed, journey).is_none())
        .collect();
    let live: Vec<&Declaration> = all
        .iter()
        .copied()
        .filter(|declaration| !declaration.is_over())
        .collect();
    if live.is_empty() { all } else { live }
}

/// Why a declaration that may name the list does not go with it.
fn why_not(
    declaration: &Declaration,
    list: &StockList,
    filed: &Filed,
    journey: &ListJourney,
) -> Option<&'static str> {
    if !declaration.names_list(&list.list_number) {
        Some("it does not name the list")
    } else if declaration.trader_party.is_empty() || declaration.trader_party != filed.trader_party
    {
        Some("it is not of the list's trader")
    } else if reference(&declaration.lrn) != reference(&filed.declaration_lrn) {
        Some("the list names another reference")
    } else if !journey
        .direction
        .procedure_kinds()
        .contains(&declaration.procedure_kind.as_str())
    {
        Some("its procedure does not move goods in the list's direction")
    } else {
        None
    }
}

/// A reference as all spell it.
fn reference(written: &str) -> String {
    Lrn::parse(written).map_or_else(|_| written.to_owned(), |lrn| lrn.to_string())
}

/// The containers that the declaration names; none: its goods move in whatever a pass names.
pub fn containers(list: &StockList, declarations: &[&Declaration]) -> Vec<String> {
    let named: BTreeSet<&String> = counting(list, declarations)
        .into_iter()
        .flat_map(|declaration| &declaration.container_numbers)
        .collect();
    named.into_iter().cloned().collect()
}

/// Whether a stay is one of the list's containers before it moves: where its goods come from, and not passed
/// yet. The next stay of the same box is none of the list's business.
pub fn is_of(stay: &Stay, list: &StockList, declarations: &[&Declaration]) -> bool {
    let at_centre = stay.site_id == list.centre();
    let passed = list
        .passage
        .as_ref()
        .is_some_and(|passage| passage.passed_containers.contains(&stay.container_number));
    !stay.is_over()
        && !passed
        && journey_of(list).is_some_and(|journey| journey.from_centre == at_centre)
        && containers(list, declarations).contains(&stay.container_number)
}

/// Whether a stay is, or was, one of the list's containers where its goods come from. One that was over before
/// anybody heard of the list says nothing of the box as it comes now.
pub fn is_known_by(stay: &Stay, list: &StockList) -> bool {
    let at_centre = stay.site_id == list.centre();
    let since = stay.over_since.or(stay.departed_at);
    journey_of(list).is_some_and(|journey| journey.from_centre == at_centre)
        && (!stay.is_over() || since.is_some_and(|since| since >= list.known_since))
}

/// The containers that the declaration names and that may not go with the list yet, each with what is missing:
/// nobody has announced it, or it carries other goods that customs has not released. Groupage leaves only when
/// every consignment is covered; the other containers do not wait for it.
pub fn left_out(facts: &ListFacts<'_>) -> BTreeMap<String, Vec<Condition>> {
    let list = facts.list;
    let (Some(filed), Some(journey)) = (&list.filed, journey_of(list)) else {
        return BTreeMap::new();
    };
    // Goods out of bond are stuffed into whatever comes for them.
    if journey.from_centre {
        return BTreeMap::new();
    }
    containers(list, &facts.declarations)
        .into_iter()
        .filter_map(|number| {
            let conditions = if facts.known.contains(number.as_str()) {
                let stays = facts.stays.iter();
                stays
                    .filter(|stay| stay.container_number == number)
                    .flat_map(|stay| uncovered(stay, facts))
                    .collect()
            } else {
                vec![not_announced(&number, filed, list)]
            };
            (!conditions.is_empty()).then_some((number, conditions))
        })
        .collect()
}

fn not_announced(container_number: &str, filed: &Filed, list: &StockList) -> Condition {
    Condition {
        code: "CONTAINER_UNKNOWN".to_owned(),
        subject: container_key(container_number),
        who: Who::role("terminal"),
        since: Some(list.known_since),
        evidence: vec![filed.event_id.clone()],
        description: format!(
            "Container {container_number}, which the declaration of the list names, is not known where its goods come from. The terminal announces it; if the number is wrong, the declaration's filer asks an officer to invalidate it and files anew."
        ),
    }
}

/// What a hold must be on to hold the list. `stays` are those of its containers.
pub fn hold_scopes(list: &StockList, declarations: &[&Declaration], stays: &[&Stay]) -> Vec<Scope> {
    let declarations = counting(list, declarations);
    let trader = list.filed.iter().map(|filed| filed.trader_party.as_str());
    let parties: BTreeSet<&str> = declarations
        .iter()
        .flat_map(|declaration| declaration.parties())
        .chain(trader.filter(|party| !party.is_empty()))
        .collect();
    let parties = parties
        .into_iter()
        .map(|party| Scope::new(ScopeKind::Party, party));
    let declarations = declarations
        .into_iter()
        .map(|declaration| Scope::new(ScopeKind::Declaration, &declaration.declaration_id));
    let stays = stays
        .iter()
        .map(|stay| Scope::new(ScopeKind::ContainerVisit, &stay.container_visit_id));
    std::iter::once(Scope::new(ScopeKind::StockList, &list.list_number))
        .chain(declarations)
        .chain(stays)
        .chain(parties)
        .collect()
}

/// The keys of other services' topics on which the decision rests. Of a declaration that names the list
/// nothing may be unknown, whether it counts or not: what cannot be read may make it count.
pub fn sources(list: &StockList, declarations: &[&Declaration], stays: &[&Stay]) -> Vec<Source> {
    let mut sources = BTreeSet::new();
    let mut add = |topic, key| sources.insert(Source { topic, key });
    add("bonded.stock-list", list.list_number.clone());
    add("gate.list-passage", list.list_number.clone());
    for declaration in declarations {
        add("customs.declaration", declaration.declaration_id.clone());
    }
    for stay in stays {
        for key in requirements::clearance_keys(stay) {
            add("customs.clearance", key);
        }
        add(
            "gate.container-visit",
            format!("{}/{}", stay.site_id, stay.container_number),
        );
    }
    for scope in hold_scopes(list, declarations, stays) {
        add("gate.hold", scope.to_string());
        add("customs.hold", scope.to_string());
    }
    sources.into_iter().collect()
}

/// Why a need is not met; empty: it is. `none_may_go` says why of all the named containers none may go.
fn unmet(
    need: ListNeed,
    journey: &ListJourney,
    filed: &Filed,
    facts: &ListFacts<'_>,
    none_may_go: &[Condition],
) -> Vec<Condition> {
    match need {
        ListNeed::NothingUnknown => facts.unknown.iter().map(unknown).collect(),
        ListNeed::Approved => not_standing(ListStanding::Approved, filed, facts.list),
        ListNeed::Reserved => not_standing(ListStanding::Reserved, filed, facts.list),
        ListNeed::CustomsAccepted => not_declared_or(journey, filed, facts, not_accepted),
        ListNeed::CustomsReleased => not_declared_or(journey, filed, facts, not_released),
        ListNeed::SomeContainer => none_may_go.to_vec(),
        ListNeed::NoHold => facts
            .holds
            .iter()
            .filter(|hold| hold.stands())
            .map(|hold| held(hold))
            .collect(),
    }
}

/// Missing since the list is known, whatever else of it has changed meanwhile.
fn about_list(code: &str, who: Who, filed: &Filed, list: &StockList, text: &str) -> Condition {
    Condition {
        code: code.to_owned(),
        subject: list.subject(),
        who,
        since: Some(list.known_since),
        evidence: vec![filed.event_id.clone()],
        description: text.to_owned(),
    }
}

fn not_told(list: &StockList) -> Condition {
    Condition {
        code: "STOCK_LIST_UNKNOWN".to_owned(),
        subject: list.subject(),
        who: Who::role("trader"),
        since: Some(list.known_since),
        evidence: Vec::new(),
        description: "Bonded has not told of this stock list. Its trader files it.".to_owned(),
    }
}

fn not_standing(needed: ListStanding, filed: &Filed, list: &StockList) -> Vec<Condition> {
    let trader = || Who::party("trader", &filed.trader_party);
    let (code, who, since, text) = match filed.standing {
        standing if standing == needed => return Vec::new(),
        ListStanding::VoidAsked => (
            "STOCK_LIST_VOID_ASKED",
            Who::role("terminal"),
            filed.recorded_at,
            "The list is to be void. Gate says whether anything of it can still pass.",
        ),
        ListStanding::Voided => (
            "STOCK_LIST_VOID",
            trader(),
            filed.recorded_at,
            "The list is void. The trader files another.",
        ),
        _ if needed == ListStanding::Approved => (
            "STOCK_LIST_NOT_APPROVED",
            Who::role("operator"),
            list.known_since,
            "The operator of the bonded centre has not approved the list.",
        ),
        _ => (
            "STOCK_LIST_NOT_RESERVED",
            trader(),
            list.known_since,
            "The goods of the list are not set aside. The trader files a decrease of what is available.",
        ),
    };
    vec![Condition {
        since: Some(since),
        ..about_list(code, who, filed, list, text)
    }]
}

/// What keeps each of the list's declarations from being enough; or that there is none.
fn not_declared_or(
    journey: &ListJourney,
    filed: &Filed,
    facts: &ListFacts<'_>,
    not_enough: fn(&Declaration) -> Option<(&'static str, Who, &'static str)>,
) -> Vec<Condition> {
    let counting = counting(facts.list, &facts.declarations);
    if counting.is_empty() {
        return vec![not_declared(journey, filed, facts)];
    }
    counting
        .into_iter()
        .filter_map(|declaration| {
            // It turned against the goods with its newest fact; what it has never been is missing from the first.
            let turned = against(declaration).map(|found| (declaration.recorded_at, found));
            let missing = || Some((declaration.known_since, not_enough(declaration)?));
            let (since, (code, who, text)) = turned.or_else(missing)?;
            Some(Condition {
                code: code.to_owned(),
                subject: declaration.subject(),
                who,
                since: Some(since),
                evidence: vec![declaration.event_id.clone()],
                description: text.to_owned(),
            })
        })
        .collect()
}

fn not_declared(journey: &ListJourney, filed: &Filed, facts: &ListFacts<'_>) -> Condition {
    let mut text = format!(
        "No declaration names the list. The broker or trader files one for the list's goods under the reference {}.",
        filed.declaration_lrn
    );
    let mut evidence = vec![filed.event_id.clone()];
    // Whose declarations these are is not for everyone who reads the condition.
    let mut reasons = BTreeSet::new();
    for declaration in &facts.declarations {
        evidence.push(declaration.event_id.clone());
        reasons.extend(why_not(declaration, facts.list, filed, journey));
    }
    for reason in reasons {
        text.push_str(&format!(
            " A declaration names the list and does not count: {reason}."
        ));
    }
    Condition {
        evidence,
        description: text,
        ..about_list("NOT_DECLARED", Who::role("broker"), filed, facts.list, "")
    }
}

/// What is in the way whatever customs has said before.
fn against(declaration: &Declaration) -> Option<(&'static str, Who, &'static str)> {
    let officer = || Who::role("officer");
    match declaration.standing {
        None => Some((
            "DECLARATION_STANDING_UNKNOWN",
            Who::role("admin"),
            "Where the declaration stands is not known. The platform's operator has customs state its facts again.",
        )),
        Some(standing) if standing.is_over() => Some((
            "DECLARATION_OVER",
            Who::party("broker", &declaration.filer_party),
            "The declaration was refused, has expired or is void. Its filer lodges another, and the trader a list that names it.",
        )),
        Some(DeclarationStanding::Detained) => Some((
            "DECLARATION_DETAINED",
            officer(),
            "Customs detains the goods. An officer ends the detention.",
        )),
        Some(_) if declaration.invalidation_asked => Some((
            "DECLARATION_INVALIDATION_ASKED",
            officer(),
            "Customs wants the declaration void, and waits for gate's answers.",
        )),
        Some(_) => None,
    }
}

fn not_accepted(declaration: &Declaration) -> Option<(&'static str, Who, &'static str)> {
    match declaration.standing {
        Some(DeclarationStanding::Submitted) => Some((
            "DECLARATION_NOT_ACCEPTED",
            Who::role("officer"),
            "Customs has not judged the declaration yet.",
        )),
        Some(DeclarationStanding::Registered) => Some((
            "DECLARATION_NOT_ACCEPTED",
            Who::role("terminal"),
            "The declaration is registered, and is accepted when its goods arrive. The terminal records their arrival.",
        )),
        _ => None,
    }
}

fn not_released(declaration: &Declaration) -> Option<(&'static str, Who, &'static str)> {
    let released = matches!(
        declaration.standing,
        Some(DeclarationStanding::Released | DeclarationStanding::Cleared)
    );
    not_accepted(declaration).or_else(|| {
        (!released).then(|| {
            (
                "CUSTOMS_NOT_RELEASED",
                Who::role("officer"),
                "Customs has accepted the declaration, and has not released its goods.",
            )
        })
    })
}

/// The consignments in a container that are neither on the list nor released by customs.
fn uncovered(stay: &Stay, facts: &ListFacts<'_>) -> Vec<Condition> {
    let counting = counting(facts.list, &facts.declarations);
    let on_list = |consignment: &Consignment| {
        let mut all = counting.iter();
        all.any(|declaration| declaration.declaration_id == consignment.declaration_id)
    };
    let covered: BTreeSet<&str> = requirements::bound(stay, &facts.clearances)
        .filter(|(consignment, _)| consignment.released || on_list(consignment))
        .map(|(consignment, _)| consignment.transport_document.as_str())
        .collect();
    let open = requirements::bound(stay, &facts.clearances)
        .filter(|(consignment, _)| !consignment.released && !on_list(consignment))
        .map(|(consignment, _)| consignment.transport_document.as_str());
    let listed = stay
        .manifest_lines
        .iter()
        .map(|line| line.transport_document.as_str())
        .filter(|document| !covered.contains(document));
    let documents: BTreeSet<&str> = listed.chain(open).collect();
    documents
        .into_iter()
        .map(|document| {
            let subject = match document {
                "" => stay.subject(),
                document => transport_document_key(document),
            };
            Condition {
                code: "CONSIGNMENT_NOT_COVERED".to_owned(),
                subject,
                who: Who::role("broker"),
                since: Some(facts.list.known_since),
                evidence: vec![stay.event_id.clone()],
                description: format!(
                    "Goods in container {} are neither declared with this list nor released by customs, and would go with it. The broker or trader declares them, and customs releases them.",
                    stay.container_number
                ),
            }
        })
        .collect()
}

fn evidence(facts: &ListFacts<'_>) -> Vec<String> {
    let list = facts.list;
    let told = [
        list.filed.as_ref().map(|filed| &filed.event_id),
        list.passage.as_ref().map(|passage| &passage.event_id),
    ];
    let mut evidence: BTreeSet<&String> = told.into_iter().flatten().collect();
    let counting = counting(list, &facts.declarations);
    evidence.extend(counting.iter().map(|declaration| &declaration.event_id));
    evidence
        .into_iter()
        .filter(|event_id| !event_id.is_empty())
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration, Utc};
    use kernel::StockListNumber;

    use super::*;
    use crate::domain::container_visit::{Mode, Phase};
    use crate::domain::version::Version;

    const INTO: &str = "QD800026I000000001";
    const OUT_OF: &str = "QD800026E000000001";

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap() + Duration::minutes(minute)
    }

    fn list(number: &str) -> StockList {
        let number = StockListNumber::parse(number).unwrap();
        let mut list = StockList::first_heard(&number, at(5));
        list.learn_filed(&Filed {
            version: Version::new(1, 1),
            event_id: "list".into(),
            recorded_at: at(5),
            site_id: "CENTRE".into(),
            trader_party: "trader-a".into(),
            filer_party: "trader-a".into(),
            declaration_lrn: "LRN-1".into(),
            standing: ListStanding::Approved,
        });
        list
    }

    fn stay(site: &str, over_since: Option<DateTime<Utc>>) -> Stay {
        Stay {
            container_visit_id: format!("{site}/C/1"),
            site_id: site.into(),
            container_number: "C".into(),
            version: Version::new(1, 1),
            event_id: "stay".into(),
            phase: if over_since.is_some() {
                Phase::Departed
            } else {
                Phase::Arrived
            },
            came_by: Mode::Rail,
            manifest_lines: Vec::new(),
            available: false,
            empty: false,
            list_number: String::new(),
            arrived_at: None,
            departed_at: over_since,
            over_since,
        }
    }

    #[test]
    fn every_list_has_one_journey() {
        for direction in [Direction::In, Direction::Out] {
            let of_direction = LIST_JOURNEYS
                .iter()
                .filter(|journey| journey.direction == direction);
            assert_eq!(of_direction.count(), 1, "{direction:?}");
        }
    }

    #[test]
    fn every_journey_asks_for_what_is_known_the_list_customs_and_no_hold() {
        for journey in LIST_JOURNEYS {
            let asks = |needs: &[ListNeed]| needs.iter().any(|need| journey.needs.contains(need));
            for needs in [
                &[ListNeed::NothingUnknown][..],
                &[ListNeed::Approved, ListNeed::Reserved],
                &[ListNeed::CustomsAccepted, ListNeed::CustomsReleased],
                &[ListNeed::NoHold],
            ] {
                assert!(asks(needs), "{}: {needs:?}", journey.name);
            }
        }
    }

    #[test]
    fn a_box_is_known_where_the_goods_come_from_unless_it_left_before_anybody_heard_of_the_list() {
        for (number, site, over_since, known) in [
            (INTO, "PORT", None, true),
            (INTO, "PORT", Some(at(4)), false),
            (INTO, "PORT", Some(at(6)), true),
            (INTO, "CENTRE", None, false),
            (OUT_OF, "CENTRE", None, true),
            (OUT_OF, "PORT", None, false),
        ] {
            assert_eq!(
                is_known_by(&stay(site, over_since), &list(number)),
                known,
                "{number} {site} {over_since:?}"
            );
        }
    }

    #[test]
    fn nothing_is_decided_on_a_list_that_bonded_has_not_told_of() {
        let number = StockListNumber::parse(INTO).unwrap();
        let mut unknown = StockList::first_heard(&number, at(1));
        unknown.learn_passage(
            &crate::domain::stock_list::Passage {
                version: Version::new(1, 1),
                event_id: "passage".into(),
                closed: true,
                passed_containers: BTreeSet::new(),
            },
            at(1),
        );
        let outcome = decide(&ListFacts {
            list: &unknown,
            declarations: Vec::new(),
            stays: Vec::new(),
            known: BTreeSet::new(),
            clearances: Vec::new(),
            holds: Vec::new(),
            unknown: Vec::new(),
        });
        assert_eq!(outcome.journey, None);
    }
}
