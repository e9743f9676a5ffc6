//! Commercial releases: a line's leave for one haulier to collect a consignment. Which one counts for
//! which stay is decided here, and when a revocation is final; it must not know customs or terminals.

use chrono::{DateTime, Utc};
use kernel::{Fault, Refusal};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::container_visit::Stay;
use super::decision::Verdict;
use super::party::KnownParty;
use super::reader::Reader;

/// Releases, standing and revoked, that one line may ever give for one transport document.
pub const PER_LINE_AND_DOCUMENT_MAX: usize = 200;

/// A line's leave for one haulier.
///
/// ```text
/// GRANTED -> REVOKED                   nothing was granted on it: final at once
/// GRANTED -> REVOCATION_ASKED          containers were: gate is asked for each
/// REVOCATION_ASKED -> REVOKED          gate: APPLIED for every one of them
/// REVOCATION_ASKED -> GRANTED          gate: TOO_LATE for one, which fails the whole
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommercialRelease {
    /// Its id.
    pub id: Uuid,
    /// Counts up by one with every change.
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
    /// How it was taken back; none until that is final.
    pub revoked: Option<Revoked>,
    /// A revocation that gate has not answered for every container. Meanwhile the release does not count.
    pub revocation: Option<Revocation>,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// When.
    pub at: DateTime<Utc>,
    /// The person.
    pub by_subject: String,
    /// Why.
    pub reason: String,
    /// The release's version by which the line said so.
    pub version: u64,
}

/// A revocation that waits for gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// By whom, when and why.
    pub by: Revoked,
    /// What gate is asked: an ask for each stay that was granted on the release.
    pub asks: Vec<Ask>,
}

/// One stay that is asked back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The ask.
    pub ask_id: Uuid,
    /// The stay.
    pub container_visit_id: String,
    /// Gate's answer; none until it has come.
    pub verdict: Option<Verdict>,
}

/// What gate's last answer made of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Every container could be kept.
    Revoked,
    /// One had left: the release stands as before.
    Failed,
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
    /// Whether it stands.
    pub fn stands(&self) -> bool {
        self.revoked.is_none() && self.revocation.is_none()
    }

    /// Whether a container could leave on it at this time. A revocation that waits for gate does not
    /// count yet: whether it came in time is what gate is asked.
    fn stood_at(&self, at: DateTime<Utc>) -> bool {
        self.granted_at <= at && self.revoked.as_ref().is_none_or(|revoked| revoked.at > at)
    }

    /// How the line took it back, be it final or not.
    pub fn taken_back(&self) -> Option<&Revoked> {
        self.revoked
            .as_ref()
            .or(self.revocation.as_ref().map(|revocation| &revocation.by))
    }

    /// What conditions and notices cite: no topic carries it, so it is cited by id and version.
    pub fn fact_id(&self) -> String {
        self.fact_id_at(self.version)
    }

    /// The fact of one of its versions.
    pub fn fact_id_at(&self, version: u64) -> String {
        format!("commercial-release/{}/{version}", self.id)
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
    /// stood left on it. It rests on when gate and release recorded the two, so that neither the order of
    /// learning nor a lane's clock matters.
    pub fn is_spent_for(&self, stay: &Stay, stays: &[&Stay]) -> bool {
        stays.iter().any(|other| {
            other.container_visit_id != stay.container_visit_id
                && self.is_for(other)
                && other.left_at().is_some_and(|left| {
                    left >= self.granted_at && stay.left_at().is_none_or(|own| left < own)
                })
        })
    }

    /// Whether everything that it was given for has left: a container left while it stood, and none that it is for is
    /// still expected or here.
    pub fn is_consumed(&self, stays: &[&Stay]) -> bool {
        let own = || stays.iter().filter(|stay| self.is_for(stay));
        let left = |stay: &&&Stay| stay.left_at().is_some_and(|left| self.stood_at(left));
        own().any(|stay| left(&stay)) && own().all(|stay| stay.is_over())
    }

    /// Takes it back, final as long as gate need not be asked ([`Self::asking`]). `stays` are those that carry its
    /// transport document, also those that are over. None: it was taken back
    /// already, or gate is being asked, which is as good.
    ///
    /// # Errors
    /// `NOT_FOUND` for another line's, `STALE_VERSION`, `COMMERCIAL_RELEASE_CONSUMED`.
    pub fn revoke(
        &self,
        by: &Reader,
        reason: &str,
        expected_version: u64,
        stays: &[&Stay],
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
        if self.is_consumed(stays) {
            return Err(Box::new(
                Refusal::unmet(
                    "COMMERCIAL_RELEASE_CONSUMED",
                    "Every container that it was given for has left: it is too late to take it back.",
                    Vec::new(),
                )
                .with_resource("commercial release", self.id.to_string()),
            ));
        }
        let version = self.version.saturating_add(1);
        let revoked = Revoked {
            at: now,
            by_subject: by.subject.clone(),
            reason: reason.to_owned(),
            version,
        };
        Ok(Some(Self {
            version,
            revoked: Some(revoked),
            ..self.clone()
        }))
    }

    /// Makes a revocation wait for gate's answers to these asks.
    pub fn asking(mut self, asks: Vec<Ask>) -> Self {
        self.revocation = self.revoked.take().map(|by| Revocation { by, asks });
        self
    }

    /// Takes gate's answer to one of its asks. Some once every ask is answered. The stays that were
    /// answered APPLIED are decided anew by the caller: on the release that stands again, or without it.
    pub fn answered(&mut self, ask_id: Uuid, verdict: Verdict) -> Option<Settled> {
        let revocation = self.revocation.as_mut()?;
        let ask = revocation
            .asks
            .iter_mut()
            .find(|ask| ask.ask_id == ask_id)?;
        ask.verdict.get_or_insert(verdict);
        if revocation.asks.iter().any(|ask| ask.verdict.is_none()) {
            return None;
        }
        let failed = revocation
            .asks
            .iter()
            .any(|ask| ask.verdict == Some(Verdict::TooLate));
        let revocation = self.revocation.take()?;
        self.version = self.version.saturating_add(1);
        if failed {
            return Some(Settled::Failed);
        }
        self.revoked = Some(revocation.by);
        Some(Settled::Revoked)
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

impl Revocation {
    /// The stays that had left before gate heard of it, once this last answer has come.
    pub fn left_with(&self, ask_id: Uuid, verdict: Verdict) -> Vec<&str> {
        self.asks
            .iter()
            .filter(|ask| {
                let answer = (ask.ask_id == ask_id).then_some(verdict);
                ask.verdict.or(answer) == Some(Verdict::TooLate)
            })
            .map(|ask| ask.container_visit_id.as_str())
            .collect()
    }
}

/// The release that counts for one consignment of a stay: given by the manifest's own line, standing, not
/// used up, and the most precise of those. For a stay that is over, as it was when the container left.
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
        .filter(|release| match stay.left_at() {
            Some(left) => release.stood_at(left),
            None => release.stands(),
        })
        .filter(|release| release.is_for(stay) && !release.is_spent_for(stay, stays))
        .max_by_key(|release| release.precision())
}

/// A line gives a release. `others` are the releases of the transport document; `carriers` the lines
/// that manifests name for it (none: it is not announced yet, and the release waits for it).
///
/// # Errors
/// `NOT_FOUND` where the consignment is another line's, `HAULIER_UNKNOWN`, `COMMERCIAL_RELEASE_EXISTS`,
/// `COMMERCIAL_RELEASE_REVOCATION_PENDING`, `COMMERCIAL_RELEASES_EXHAUSTED`.
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
    let asked = |release: &&&CommercialRelease| release.revocation.is_some();
    if let Some(pending) = own().filter(asked).find(|release| release.scope == *scope) {
        return Err(Box::new(
            Refusal::unmet(
                "COMMERCIAL_RELEASE_REVOCATION_PENDING",
                "A revocation for the same consignment waits for gate's answer; release it again once you are told what came of it.",
                Vec::new(),
            )
            .with_resource("commercial release", pending.id.to_string()),
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
        revocation: None,
    }))
}
