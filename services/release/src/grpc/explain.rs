//! The whole answer to "may it leave?", from the facts behind the decision.

use std::collections::BTreeSet;

use fabric::Knowledge;
use proto::release::v1 as api;

use super::respond;
use crate::domain::clearance::{Consignment, Direction};
use crate::domain::condition::Condition;
use crate::domain::container_visit::{ContainerVisit, ManifestLine, Phase};
use crate::domain::decision::{Decision, DecisionState};
use crate::domain::list_requirements;
use crate::domain::reader::Reader;
use crate::domain::requirements::{self, Source, VisitFacts};
use crate::domain::stock_list::StockList;
use crate::store::reading::Behind;

/// Explains the decision on `visit` with the facts as they are now.
pub fn explanation(
    visit: &ContainerVisit,
    others: &[ContainerVisit],
    behind: &Behind,
    knowledge: &Knowledge,
    reader: &Reader,
) -> api::ExplainReleaseResponse {
    let facts = behind.state.facts(visit, &behind.parked);
    let outcome = requirements::decide(&facts);
    let decision = Decision {
        conditions: outcome.conditions,
        evidence: outcome.evidence,
        ..visit.decision.clone()
    };
    let release = respond::release_with(visit, &decision, reader);
    let site_id = &visit.stay.site_id;
    api::ExplainReleaseResponse {
        may_leave: decision.state == Some(DecisionState::Granted) && release.conditions.is_empty(),
        consignments: consignments(&facts, reader),
        holds: facts
            .holds
            .iter()
            .filter(|hold| hold.stands() && respond::sees_reasons(visit, reader))
            .map(|hold| respond::hold(hold, reader, site_id))
            .collect(),
        unbound_declarations: unbound(&facts, reader),
        knowledge: ages(behind, knowledge, reader, site_id),
        other_container_visit_ids: others
            .iter()
            .map(|other| other.stay.container_visit_id.clone())
            .collect(),
        release: Some(release),
        list_releases: Vec::new(),
    }
}

/// The decision on a stock list, with its conditions by the facts as they are now.
pub fn list_release(list: &StockList, behind: &Behind, reader: &Reader) -> api::ContainerRelease {
    let facts = behind.state.list_facts(list, &behind.parked);
    let outcome = list_requirements::decide(&facts);
    let decision = Decision {
        conditions: outcome.conditions,
        evidence: outcome.evidence,
        ..list.decision.clone()
    };
    let left_out = list_requirements::left_out(&facts);
    let left_out: Vec<Condition> = left_out.into_values().flatten().collect();
    api::ContainerRelease {
        left_out: respond::conditions(&left_out, reader, list.centre()),
        ..respond::list_release(list, &decision, reader)
    }
}

/// Explains the decision on a stock list with the facts as they are now.
pub fn list_explanation(
    list: &StockList,
    behind: &Behind,
    knowledge: &Knowledge,
    reader: &Reader,
) -> api::ExplainReleaseResponse {
    let release = list_release(list, behind, reader);
    let facts = behind.state.list_facts(list, &behind.parked);
    api::ExplainReleaseResponse {
        may_leave: lets_move(&release),
        holds: facts
            .holds
            .iter()
            .filter(|hold| hold.stands())
            .map(|hold| respond::hold(hold, reader, list.centre()))
            .collect(),
        knowledge: ages(behind, knowledge, reader, list.centre()),
        release: Some(release),
        ..api::ExplainReleaseResponse::default()
    }
}

fn lets_move(release: &api::ContainerRelease) -> bool {
    release.state() == api::ReleaseState::Granted && release.conditions.is_empty()
}

/// The declarations that bring goods of a stay into bond, or elsewhere than to whoever picks it up.
pub fn into_bond(visit: &ContainerVisit, behind: &Behind) -> Vec<String> {
    let facts = behind.state.facts(visit, &behind.parked);
    requirements::bound(&visit.stay, &facts.clearances)
        .filter(|(consignment, _)| consignment.direction == Direction::Neither)
        .map(|(consignment, _)| consignment.declaration_id.clone())
        .collect()
}

/// With the decisions on the stock lists on which the container moves. One that stands outside the bonded
/// centre may leave for it on any of them, unless it is of goods that are to be picked up as well.
pub fn with_lists(
    explained: api::ExplainReleaseResponse,
    list_releases: Vec<api::ContainerRelease>,
    visit: &ContainerVisit,
) -> api::ExplainReleaseResponse {
    let stay = &visit.stay;
    let is_named = |list: &api::ContainerRelease| {
        list.list_containers.is_empty() || list.list_containers.contains(&stay.container_number)
    };
    let into_bond = stay.phase == Phase::Arrived
        && list_releases
            .iter()
            .any(|list| list.site_id != stay.site_id && is_named(list) && lets_move(list));
    api::ExplainReleaseResponse {
        may_leave: explained.may_leave || into_bond,
        list_releases,
        ..explained
    }
}

fn consignments(facts: &VisitFacts<'_>, reader: &Reader) -> Vec<api::ConsignmentRelease> {
    let stay = facts.stay;
    let direction =
        requirements::journey_of(stay).map_or(Direction::Import, |journey| journey.direction);
    let counts =
        |consignment: &Consignment| consignment.counts_for(&stay.container_visit_id, direction);
    let line = |line: &ManifestLine| {
        // What goes into bond has been declared too, only not to be picked up.
        let elsewhere = |consignment: &Consignment| {
            direction == Direction::Import && consignment.direction == Direction::Neither
        };
        let bound: Vec<_> = requirements::bound(stay, &facts.clearances)
            .map(|(consignment, _)| consignment)
            .filter(|consignment| {
                consignment.transport_document == line.transport_document
                    && (counts(consignment) || elsewhere(consignment))
            })
            .collect();
        api::ConsignmentRelease {
            transport_document: line.transport_document.clone(),
            line_party: line.line_party.clone(),
            customs_released: !bound.is_empty()
                && bound.iter().all(|consignment| consignment.released),
            declarations: bound
                .iter()
                .filter(|consignment| may_see_declaration(consignment, reader, &stay.site_id))
                .map(|consignment| consignment.title().to_owned())
                .collect(),
            commercial_release: requirements::counting(line, facts)
                .filter(|release| {
                    respond::may_see_haulier(&release.haulier_party, reader, &stay.site_id)
                })
                .map(respond::commercial_release),
            not_for_pick_up: bound.iter().any(|consignment| elsewhere(consignment)),
        }
    };
    // A truck brings no manifest: what is declared says what is in the container.
    let declared: BTreeSet<&str> = requirements::bound(stay, &facts.clearances)
        .filter(|(consignment, _)| direction == Direction::Export && counts(consignment))
        .map(|(consignment, _)| consignment.transport_document.as_str())
        .collect();
    let listed = stay.transport_documents();
    let unlisted = declared
        .into_iter()
        .filter(|document| !listed.contains(document))
        .map(|document| ManifestLine {
            transport_document: document.to_owned(),
            line_party: String::new(),
        });
    stay.manifest_lines
        .iter()
        .cloned()
        .chain(unlisted)
        .map(|manifest_line| line(&manifest_line))
        .collect()
}

/// A declaration is for its own parties, for authorities and for the site's terminal: whoever comes for
/// the container, or has other goods in it, learns what is missing and not whose it is.
fn may_see_declaration(consignment: &Consignment, reader: &Reader, site_id: &str) -> bool {
    reader.sees_names_at(site_id) || consignment.parties().any(|party| party == reader.party)
}

fn unbound(facts: &VisitFacts<'_>, reader: &Reader) -> Vec<api::UnboundDeclaration> {
    requirements::unbound(&facts.clearances)
        .filter(|(consignment, _)| may_see_declaration(consignment, reader, &facts.stay.site_id))
        .map(|(consignment, event_id)| api::UnboundDeclaration {
            declaration_id: consignment.declaration_id.clone(),
            mrn: consignment.mrn.clone(),
            transport_document: consignment.transport_document.clone(),
            reason: consignment.unbound_because.clone(),
            event_id: event_id.to_owned(),
        })
        .collect()
}

/// How old the knowledge is. Whose goods these are is not for everybody who reads: a party on which there may be holds
/// is named to those who see names, and to itself.
fn ages(
    behind: &Behind,
    knowledge: &Knowledge,
    reader: &Reader,
    site_id: &str,
) -> Vec<api::KnowledgeAge> {
    let shown = |source: &Source| match source.party() {
        Some(party) if !respond::may_see_held(party, reader, site_id) => "party".to_owned(),
        _ => source.key.clone(),
    };
    behind
        .sources
        .iter()
        .map(|source| api::KnowledgeAge {
            topic: source.topic.to_owned(),
            age_millis: knowledge
                .age(source.topic, &source.key)
                .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            parked: behind.parked.contains(source.topic, &source.key),
            key: shown(source),
        })
        .collect()
}
