//! A line gives a consignment to a haulier, or takes it back.

use std::collections::BTreeSet;

use fabric::{Context, Decision, Fact};
use kernel::{Fault, Refusal};
use uuid::Uuid;

use super::state::State;
use super::tell::{self, Told};
use super::{Heading, hears, reconsider};
use crate::domain::commercial_release::{self, CommercialRelease, Granted, ReleaseScope};
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
            let (facts, _) = apply(state, &release, "COMMERCIAL_RELEASE_GRANTED", context);
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
    match release.revoke(
        &command.by,
        &command.reason,
        command.expected_version,
        context.now,
    ) {
        Err(refusal) => Decision::refuse(*refusal),
        Ok(None) => Decision::respond(respond::commercial_release_revoked(
            &release,
            true,
            Vec::new(),
        )),
        Ok(Some(revoked)) if command.validate_only => Decision::respond(
            respond::commercial_release_revoked(&revoked, false, Vec::new()),
        ),
        Ok(Some(revoked)) => {
            let (facts, asked) = apply(state, &revoked, "COMMERCIAL_RELEASE_REVOKED", context);
            Decision::respond(respond::commercial_release_revoked(&revoked, false, asked))
                .with_facts(facts)
        }
    }
}

/// By scope the standing one, else the one that was revoked last.
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
            .max_by_key(|release| (release.stands(), release.granted_at, release.id))
            .cloned(),
    }
}

/// Keeps the release, tells of it, and weighs it. Gives also the stays asked back because of it.
fn apply(
    state: &mut State,
    release: &CommercialRelease,
    fact: &str,
    context: &Context<'_>,
) -> (Vec<Fact>, Vec<String>) {
    state.put_release(release.clone());
    let numbers = hears::containers_of_document(state, &release.scope.transport_document);
    let before: BTreeSet<String> =
        reconsider::asked_back(state, numbers.iter().map(String::as_str))
            .into_iter()
            .collect();
    let decided = reconsider::containers(state, numbers.iter().map(String::as_str), context);
    let mut asked = reconsider::asked_back(state, numbers.iter().map(String::as_str));
    asked.retain(|visit| !before.contains(visit));
    let container_numbers = release.scope.container_number.as_ref().map_or_else(
        || numbers.into_iter().collect(),
        |number| vec![number.clone()],
    );
    let heading = Heading {
        fact: fact.to_owned(),
        observed_at: context.now,
        recorded_at: context.now,
        party: release.line_party.clone(),
    };
    let mut concerned = Concerned::default();
    concerned.add(Concern::Line, &release.line_party);
    concerned.add(Concern::Haulier, &release.haulier_party);
    let told = Told {
        event_id: release.fact_id(),
        service: "release".to_owned(),
        subject: format!("commercial-release/{}", release.id),
        title: release.scope.transport_document.clone(),
        detail: format!(
            "Transport document {}, line {}, haulier {}.",
            release.scope.transport_document, release.line_party, release.haulier_party
        ),
        container_visit_ids: visits_of(state, release),
        container_numbers,
        ..Told::default()
    };
    let mut facts = tell::everybody(
        state,
        Sort::CommercialRelease,
        &heading,
        told,
        concerned,
        |_| None,
    );
    facts.extend(decided);
    (facts, asked)
}

fn visits_of(state: &State, release: &CommercialRelease) -> Vec<String> {
    let open = state
        .containers
        .iter()
        .flat_map(|(_, visits)| visits.rows());
    open.filter(|visit| !visit.stay.is_over() && release.is_for(&visit.stay))
        .map(|visit| visit.stay.container_visit_id.clone())
        .collect()
}
