//! Commercial releases: a line's leave for one haulier to collect a consignment. Which one counts for
//! which stay is decided here; it must not know customs, terminals or gates.

use chrono::{DateTime, Utc};
use kernel::{Fault, Refusal};
use uuid::Uuid;

use super::container_visit::Stay;
use super::party::KnownParty;
use super::reader::Reader;

/// Releases, standing and revoked, that one line may ever give for one transport document.
pub const PER_LINE_AND_DOCUMENT_MAX: usize = 200;

/// A line's leave for one haulier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommercialRelease {
    /// Its id.
    pub id: Uuid,
    /// 1, and 2 once revoked.
    pub version: u64,
    /// Who gave it.
    pub line_party: String,
    /// For which consignment, and where.
    pub scope: ReleaseScope,
    /// Who may collect.
    pub haulier_party: String,
    /// When it was given.
    pub granted_at: DateTime<Utc>,
    /// The person who gave it.
    pub granted_by_subject: String,
    /// How it was taken back; none while it stands.
    pub revoked: Option<Revoked>,
}

/// What a commercial release is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseScope {
    /// The transport document.
    pub transport_document: String,
    /// At this site only.
    pub site_id: Option<String>,
    /// This container only.
    pub container_number: Option<String>,
}

/// How a commercial release was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// When.
    pub at: DateTime<Utc>,
    /// The person.
    pub by_subject: String,
    /// Why.
    pub reason: String,
}

/// What granting came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granted {
    /// A new release.
    New(CommercialRelease),
    /// The one that stands already.
    Already(CommercialRelease),
}

impl CommercialRelease {
    /// Whether it still stands.
    pub fn stands(&self) -> bool {
        self.revoked.is_none()
    }

    /// What conditions and notices cite: no topic carries it, so it is cited by id and version.
    pub fn fact_id(&self) -> String {
        format!("commercial-release/{}/{}", self.id, self.version)
    }

    /// Whether it was given for this stay, as far as its scope says.
    pub fn is_for(&self, stay: &Stay) -> bool {
        stay.carries(&self.scope.transport_document, &self.line_party)
            && self
                .scope
                .site_id
                .as_ref()
                .is_none_or(|site| *site == stay.site_id)
            && self
                .scope
                .container_number
                .as_ref()
                .is_none_or(|number| *number == stay.container_number)
    }

    /// Whether another stay of the container has used it up: a container that left while the release
    /// stood left on it. It rests on the facts' own clocks, so the order of learning does not matter.
    pub fn is_spent_for(&self, stay: &Stay, stays: &[&Stay]) -> bool {
        stays.iter().any(|other| {
            other.container_visit_id != stay.container_visit_id
                && self.is_for(other)
                && other.departed_at.is_some_and(|left| {
                    left >= self.granted_at && stay.departed_at.is_none_or(|own| left < own)
                })
        })
    }

    /// Takes it back. None: it was taken back already, which is as good.
    ///
    /// # Errors
    /// `NOT_FOUND` for another line's, `STALE_VERSION`.
    pub fn revoke(
        &self,
        by: &Reader,
        reason: &str,
        expected_version: u64,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, Box<Refusal>> {
        if self.line_party != by.party {
            return Err(Box::new(Refusal::not_found(
                "commercial release",
                self.id.to_string(),
            )));
        }
        if !self.stands() {
            return Ok(None);
        }
        if expected_version != 0 && expected_version != self.version {
            return Err(Box::new(Refusal::stale(self.version)));
        }
        let revoked = Revoked {
            at: now,
            by_subject: by.subject.clone(),
            reason: reason.to_owned(),
        };
        Ok(Some(Self {
            version: self.version.saturating_add(1),
            revoked: Some(revoked),
            ..self.clone()
        }))
    }

    /// The more precise one wins; of two alike the later.
    fn precision(&self) -> (bool, bool, DateTime<Utc>, Uuid) {
        (
            self.scope.container_number.is_some(),
            self.scope.site_id.is_some(),
            self.granted_at,
            self.id,
        )
    }
}

/// The release that counts for one consignment of a stay: given by the manifest's own line, standing,
/// not used up, and the most precise of those.
pub fn counting<'a>(
    releases: &[&'a CommercialRelease],
    transport_document: &str,
    line_party: &str,
    stay: &Stay,
    stays: &[&Stay],
) -> Option<&'a CommercialRelease> {
    releases
        .iter()
        .copied()
        .filter(|release| {
            release.scope.transport_document == transport_document
                && release.line_party == line_party
        })
        .filter(|release| {
            release.stands() && release.is_for(stay) && !release.is_spent_for(stay, stays)
        })
        .max_by_key(|release| release.precision())
}

/// A line gives a release. `others` are the releases of the transport document; `carriers` the lines
/// that manifests name for it (none: it is not announced yet, and the release waits for it).
///
/// # Errors
/// `NOT_FOUND` where the consignment is another line's, `HAULIER_UNKNOWN`, `COMMERCIAL_RELEASE_EXISTS`,
/// `COMMERCIAL_RELEASES_EXHAUSTED`.
pub fn grant(
    scope: &ReleaseScope,
    haulier: (&str, Option<&KnownParty>),
    by: &Reader,
    others: &[&CommercialRelease],
    carriers: &[&str],
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Granted, Box<Refusal>> {
    let (haulier_party, known) = haulier;
    if !carriers.is_empty() && !carriers.contains(&by.party.as_str()) {
        return Err(Box::new(Refusal::not_found(
            "transport document",
            &scope.transport_document,
        )));
    }
    if !known.is_some_and(KnownParty::may_collect) {
        return Err(Box::new(
            Refusal::invalid("HAULIER_UNKNOWN", "A consignment is released to a registered haulier; check the party's id or have it registered with customs.")
                .with_fault(Fault::new("HAULIER_UNKNOWN", "haulier_party", haulier_party, "a registered party with the role haulier", "Name a registered haulier.")),
        ));
    }
    let own = || {
        others
            .iter()
            .filter(|release| release.line_party == by.party)
    };
    if let Some(standing) = own().find(|release| release.stands() && release.scope == *scope) {
        if standing.haulier_party == haulier_party {
            return Ok(Granted::Already((*standing).clone()));
        }
        return Err(Box::new(
            Refusal::already_exists(
                "COMMERCIAL_RELEASE_EXISTS",
                "It is released to another haulier; revoke that release first.",
            )
            .with_resource("commercial release", standing.id.to_string())
            .with_metadata("haulier_party", &standing.haulier_party),
        ));
    }
    if own().count() >= PER_LINE_AND_DOCUMENT_MAX {
        return Err(Box::new(
            Refusal::exhausted("COMMERCIAL_RELEASES_EXHAUSTED", "So many releases were given and revoked for this transport document that another is refused; ask the operator of the platform.")
                .with_metadata("releases_max", PER_LINE_AND_DOCUMENT_MAX.to_string()),
        ));
    }
    Ok(Granted::New(CommercialRelease {
        id,
        version: 1,
        line_party: by.party.clone(),
        scope: scope.clone(),
        haulier_party: haulier_party.to_owned(),
        granted_at: now,
        granted_by_subject: by.subject.clone(),
        revoked: None,
    }))
}
