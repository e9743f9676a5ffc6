//! A line gives a consignment to a haulier, or takes it back. What was granted on it is asked back from
//! gate, and only gate's answers make the revocation final: one TOO_LATE fails the whole.

use std::collections::BTreeSet;

use fabric::{Context, Decision, Fact};
use kernel::{Fault, Refusal};
use uuid::Uuid;

use super::state::State;
use super::tell::{self, Told};
use super::{Answer, Heading, hears, reconsider};
use crate::domain::commercial_release::{
    self, Ask, CommercialRelease, Granted, ReleaseScope, Settled,
};
use crate::domain::container_visit::{self, ContainerVisit, Stay};
use crate::domain::decision::DecisionState;
use crate::domain::notice::{Concern, Concerned, Sort};
use crate::domain::reader::Reader;
use crate::grpc::respond;

/// A line releases a consignment to a haulier.
#[derive(Clone, Debug)]
pub struct GrantCommercialRelease {
    /// The line.
    pub by: Reader,
    /// What for.
    pub scope: ReleaseScope,
    /// To whom.
    pub haulier_party: String,
    /// Only check.
    pub validate_only: bool,
}

/// A line takes a release back.
#[derive(Clone, Debug)]
pub struct RevokeCommercialRelease {
    /// The line.
    pub by: Reader,
    /// Which one.
    pub which: RevokeWhich,
    /// Why.
    pub reason: String,
    /// The version it was read at; 0: not checked.
    pub expected_version: u64,
    /// Only check.
    pub validate_only: bool,
}

/// How a release to take back is named.
#[derive(Clone, Debug)]
pub enum RevokeWhich {
    /// By its id.
    Id(Uuid),
    /// By what it was given for.
    Scope(ReleaseScope),
}

/// Decides on giving one.
pub fn grant(
    state: &mut State,
    command: &GrantCommercialRelease,
    context: &Context<'_>,
) -> Decision {
    let scope = &command.scope;
    if let Some(site) = &scope.site_id
        && state.sites.get(site).is_none()
    {
        return Decision::refuse(
            Refusal::invalid("SITE_UNKNOWN", "There is no such site.").with_fault(Fault::new(
                "SITE_UNKNOWN",
                "site_id",
                site,
                "a site of the platform",
                "Name a site, or leave it empty for any.",
            )),
        );
    }
    let releases = state.releases.get(&scope.transport_document);
    let others: Vec<&CommercialRelease> = releases
        .into_iter()
        .flat_map(|releases| releases.rows())
        .collect();
    let carriers = carriers(state, &scope.transport_document);
    let carriers: Vec<&str> = carriers.iter().map(String::as_str).collect();
    let haulier = (
        command.haulier_party.as_str(),
        state.parties.get(&command.haulier_party),
    );
    match commercial_release::grant(
        scope,
        haulier,
        &command.by,
        &others,
        &carriers,
        context.new_id(),
        context.now,
    ) {
        Err(refusal) => Decision::refuse(*refusal),
        Ok(Granted::Already(release)) => {
            Decision::respond(respond::commercially_released(&release, true, false))
        }
        Ok(Granted::New(release)) if command.validate_only => {
            Decision::respond(respond::commercially_released(&release, false, true))
        }
        Ok(Granted::New(release)) => {
            state.put_release(release.clone());
            let numbers = hears::containers_of_document(state, &scope.transport_document);
            let numbers = numbers.iter().map(String::as_str);
            let decided = reconsider::containers(state, numbers, &BTreeSet::new(), context);
            let mut facts = tell_of(state, &release, "COMMERCIAL_RELEASE_GRANTED", "", context);
            facts.extend(decided);
            Decision::respond(respond::commercially_released(&release, false, false))
                .with_facts(facts)
        }
    }
}

/// The lines that manifests of open stays name for a transport document.
fn carriers(state: &State, document: &str) -> BTreeSet<String> {
    let open = state
        .containers
        .iter()
        .flat_map(|(_, visits)| visits.rows())
        .filter(|visit| !visit.stay.is_over());
    open.flat_map(|visit| &visit.stay.manifest_lines)
        .filter(|line| line.transport_document == document && !line.line_party.is_empty())
        .map(|line| line.line_party.clone())
        .collect()
}

/// Decides on taking one back.
pub fn revoke(
    state: &mut State,
    command: &RevokeCommercialRelease,
    context: &Context<'_>,
) -> Decision {
    let Some(release) = find(state, command) else {
        let name = match &command.which {
            RevokeWhich::Id(id) => id.to_string(),
            RevokeWhich::Scope(scope) => scope.transport_document.clone(),
        };
        return Decision::refuse(Refusal::not_found("commercial release", name));
    };
    let stays: Vec<&Stay> = state
        .containers
        .iter()
        .flat_map(|(_, visits)| visits.rows())
        .map(|visit| &visit.stay)
        .collect();
    match release.revoke(
        &command.by,
        &command.reason,
        command.expected_version,
        &stays,
        context.now,
    ) {
        Err(refusal) => Decision::refuse(*refusal),
        Ok(None) => Decision::respond(respond::commercial_release_revoked(&release, true)),
        Ok(Some(revoked)) if command.validate_only => {
            Decision::respond(respond::commercial_release_revoked(&revoked, false))
        }
        Ok(Some(revoked)) => {
            let (release, facts) = take_back(state, &revoked, context);
            Decision::respond(respond::commercial_release_revoked(&release, false))
                .with_facts(facts)
        }
    }
}

/// By scope the one that is not revoked, else the one that was revoked last.
fn find(state: &State, command: &RevokeCommercialRelease) -> Option<CommercialRelease> {
    let releases = || {
        state
            .releases
            .iter()
            .flat_map(|(_, releases)| releases.rows())
    };
    match &command.which {
        RevokeWhich::Id(id) => releases().find(|release| release.id == *id).cloned(),
        RevokeWhich::Scope(scope) => releases()
            .filter(|release| release.scope == *scope && release.line_party == command.by.party)
            .max_by_key(|release| (release.revoked.is_none(), release.granted_at, release.id))
            .cloned(),
    }
}

/// Takes the release back, and asks gate for every stay that was granted on it. A container of which it
/// is known that it has left needs no asking.
fn take_back(
    state: &mut State,
    revoked: &CommercialRelease,
    context: &Context<'_>,
) -> (CommercialRelease, Vec<Fact>) {
    state.put_release(revoked.clone());
    let numbers = hears::containers_of_document(state, &revoked.scope.transport_document);
    let numbers = numbers.iter().map(String::as_str);
    let decided = reconsider::containers(state, numbers, &BTreeSet::new(), context);
    let asks = asked_back(state, revoked);
    let (release, fact) = if asks.is_empty() {
        (revoked.clone(), "COMMERCIAL_RELEASE_REVOKED")
    } else {
        let asking = revoked.clone().asking(asks);
        (asking, "COMMERCIAL_RELEASE_REVOCATION_ASKED")
    };
    state.put_release(release.clone());
    let mut facts = tell_of(state, &release, fact, "", context);
    facts.extend(decided);
    (release, facts)
}

/// What gate is being asked of the stays that the release is for, be it because of the release alone or
/// of something else too: the one answer says whether the container can still be kept.
fn asked_back(state: &State, release: &CommercialRelease) -> Vec<Ask> {
    let is_asked = |visit: &&ContainerVisit| {
        visit.decision.state == Some(DecisionState::RevocationAsked)
            && !visit.decision.too_late
            && !visit.stay.is_over()
            && visit.decision.haulier_party.as_deref() == Some(release.haulier_party.as_str())
            && release.is_for(&visit.stay)
    };
    let visits = state
        .containers
        .iter()
        .flat_map(|(_, visits)| visits.rows());
    visits
        .filter(is_asked)
        .filter_map(|visit| {
            Some(Ask {
                ask_id: visit.decision.ask_id?,
                container_visit_id: visit.stay.container_visit_id.clone(),
                verdict: None,
            })
        })
        .collect()
}

/// Takes gate's answer for the revocations that wait for it. Gives the facts, and the stays on which is to
/// be decided anew: a release that could not be taken back counts again.
pub fn answered(
    state: &mut State,
    answer: &Answer,
    context: &Context<'_>,
) -> (Vec<Fact>, BTreeSet<String>) {
    let (mut facts, mut visits) = (Vec::new(), BTreeSet::new());
    let Some(ask_id) = answer.ask_id else {
        return (facts, visits);
    };
    let waiting: Vec<CommercialRelease> = state
        .releases
        .iter()
        .flat_map(|(_, releases)| releases.rows())
        .filter(|release| release.revocation.is_some())
        .cloned()
        .collect();
    for mut release in waiting {
        let asked = release.revocation.clone();
        let settled = release.answered(ask_id, answer.verdict);
        state.put_release(release.clone());
        let (Some(settled), Some(asked)) = (settled, asked) else {
            continue;
        };
        visits.extend(asked.asks.iter().map(|ask| ask.container_visit_id.clone()));
        let (fact, left) = match settled {
            Settled::Revoked => ("COMMERCIAL_RELEASE_REVOKED", String::new()),
            Settled::Failed => {
                let left = asked.left_with(ask_id, answer.verdict);
                let left: Vec<&str> = left
                    .into_iter()
                    .map(|visit| container_visit::named_by(visit).map_or(visit, |(_, box_)| box_))
                    .collect();
                let left = format!("{} had left.", left.join(", "));
                ("COMMERCIAL_RELEASE_REVOCATION_FAILED", left)
            }
        };
        facts.extend(tell_of(state, &release, fact, &left, context));
        // Stays that were never granted on it wait for what becomes of it too.
        let open = state
            .containers
            .iter()
            .flat_map(|(_, visits)| visits.rows())
            .filter(|visit| !visit.stay.is_over() && release.is_for(&visit.stay));
        visits.extend(open.map(|visit| visit.stay.container_visit_id.clone()));
    }
    (facts, visits)
}

/// Tells of a change of the release. Which containers it is about follows from the document, whenever they
/// are announced; only a container that it names itself is written beside it.
fn tell_of(
    state: &mut State,
    release: &CommercialRelease,
    fact: &str,
    remark: &str,
    context: &Context<'_>,
) -> Vec<Fact> {
    let scope = &release.scope;
    let heading = Heading {
        fact: fact.to_owned(),
        observed_at: context.now,
        recorded_at: context.now,
        party: release.line_party.clone(),
        restated: false,
    };
    let mut concerned = Concerned::default();
    concerned.add(Concern::Line, &release.line_party);
    concerned.add(Concern::Haulier, &release.haulier_party);
    let detail = format!(
        "Transport document {}, line {}, haulier {}. {remark}",
        scope.transport_document, release.line_party, release.haulier_party
    );
    let told = Told {
        event_id: release.fact_id(),
        service: "release".to_owned(),
        subject: format!("commercial-release/{}", release.id),
        title: scope.transport_document.clone(),
        detail: detail.trim_end().to_owned(),
        site_id: scope.site_id.clone().unwrap_or_default(),
        container_numbers: scope.container_number.iter().cloned().collect(),
        transport_document: scope.transport_document.clone(),
        ..Told::default()
    };
    tell::everybody(state, Sort::CommercialRelease, &heading, told, concerned)
}
