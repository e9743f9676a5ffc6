//! Verifies tokens: signature by the issuer's published key, then issuer, audience and times, each wrong
//! one with its own reason; and knows machines by their certificates. What was verified is remembered until it expires. It must not know what a
//! role may do, and it never logs a token.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::Validation;
use kernel::{Clock, Refusal};
use serde::Deserialize;

use super::certificates::Certificates;
use super::keys::{Keys, KeysError};
use super::{Caller, Role};
use crate::config::IdentityConfig;
use crate::connections::ClientCertificate;

/// The longest token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8_192;

/// The longest subject, party or site in a token, in bytes.
const CLAIM_BYTES_MAX: usize = 256;

/// The most sites in a token.
const SITES_MAX: usize = 64;

/// Why tokens cannot be verified at all.
#[derive(Debug, thiserror::Error)]
#[error("the keys of issuer {issuer} cannot be had: {cause}")]
pub struct VerifierError {
    issuer: String,
    cause: String,
}

impl VerifierError {
    fn new(issuer: &str, cause: &KeysError) -> Self {
        Self {
            issuer: issuer.to_owned(),
            cause: cause.to_string(),
        }
    }
}

/// Verifies tokens and certificates; clones share keys and memory.
#[derive(Clone)]
pub struct Verifier {
    shared: Arc<Shared>,
}

struct Shared {
    issuers: HashMap<String, Issuer>,
    certificates: Certificates,
    clock_skew_seconds: i64,
    clock: Arc<dyn Clock + Send + Sync>,
    verified: Mutex<Verified>,
}

struct Issuer {
    audience: String,
    keys: Keys,
}

/// The claims we read. Those that every token needs are options here, so that a missing one is named.
#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    exp: Option<i64>,
    nbf: Option<i64>,
    sub: Option<String>,
    party: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    sites: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

impl Verifier {
    /// Reads the issuers' keys. An issuer that cannot be reached is asked again when its first token comes.
    ///
    /// # Errors
    ///
    /// Where a key file cannot be read: that is a mistake in the configuration.
    pub async fn open(
        config: &IdentityConfig,
        clock: Arc<dyn Clock + Send + Sync>,
    ) -> Result<Self, VerifierError> {
        let mut issuers = HashMap::new();
        for issuer in &config.issuers {
            let keys =
                Keys::of(issuer).map_err(|error| VerifierError::new(&issuer.issuer, &error))?;
            match keys.load().await {
                Err(error) if keys.is_local() => {
                    return Err(VerifierError::new(&issuer.issuer, &error));
                }
                Err(error) => {
                    tracing::warn!(issuer = issuer.issuer, %error, "an issuer cannot be reached yet")
                }
                Ok(()) => {}
            }
            issuers.insert(
                issuer.issuer.clone(),
                Issuer {
                    audience: issuer.audience.clone(),
                    keys,
                },
            );
        }
        let shared = Shared {
            issuers,
            certificates: Certificates::of(&config.certificates),
            clock_skew_seconds: i64::from(config.clock_skew_seconds),
            clock,
            verified: Mutex::new(Verified::holding(config.token_cache_entries_max)),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Whose certificate this is, and for how long from now it speaks for them.
    ///
    /// # Errors
    ///
    /// UNAUTHENTICATED with the reason `CERTIFICATE_...`.
    pub(crate) fn known_by(
        &self,
        shown: &ClientCertificate,
    ) -> Result<(Arc<Caller>, Duration), Refusal> {
        let now = self.shared.clock.now().timestamp();
        self.shared.certificates.caller(shown, now)
    }

    /// Who a token speaks for.
    ///
    /// # Errors
    ///
    /// UNAUTHENTICATED with the reason `TOKEN_...`.
    pub async fn verify(&self, token: &str) -> Result<Arc<Caller>, Refusal> {
        let (caller, _) = self.verify_for(token).await?;
        Ok(caller)
    }

    /// Who a token speaks for, and for how long from now.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub(crate) async fn verify_for(&self, token: &str) -> Result<(Arc<Caller>, Duration), Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(refused(
                "TOKEN_MALFORMED",
                "The token is too long; send one of at most 8,192 bytes.",
            ));
        }
        let now = self.shared.clock.now().timestamp();
        let skew = self.shared.clock_skew_seconds;
        if let Some(known) = self.shared.remembered(token) {
            let left = known.left(now, skew)?;
            return Ok((known.caller, left));
        }
        let verified = self.shared.verify(token, now).await?;
        let left = verified.left(now, skew)?;
        let caller = Arc::clone(&verified.caller);
        self.shared.remember(token, verified);
        Ok((caller, left))
    }
}

impl Shared {
    async fn verify(&self, token: &str, now: i64) -> Result<Known, Refusal> {
        let malformed = || {
            refused(
                "TOKEN_MALFORMED",
                "The token cannot be read; send a signed JWT with a key id.",
            )
        };
        let header = jsonwebtoken::decode_header(token).map_err(|_| malformed())?;
        let key_id = header.kid.ok_or_else(malformed)?;
        // Only the issuer's name is taken from the unverified claims, to know whose key must have signed.
        let claimed: Claims =
            jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| malformed())?;
        let issuer = claimed.iss.ok_or_else(|| missing("iss"))?;
        let Some(issuer) = self.issuers.get(&issuer) else {
            return Err(refused(
                "TOKEN_ISSUER_UNKNOWN",
                "The token's issuer is not believed here; get one from an issuer of this service.",
            ));
        };
        let Some(key) = issuer.keys.find(&key_id).await else {
            return Err(refused(
                "TOKEN_KEY_UNKNOWN",
                "The token's key is not among its issuer's; get a new token.",
            ));
        };
        let claims =
            jsonwebtoken::decode::<Claims>(token, &key.key, &signature_only(key.algorithm));
        let claims = claims
            .map_err(|_| {
                refused(
                    "TOKEN_SIGNATURE_INVALID",
                    "The token's signature is wrong; get a new token.",
                )
            })?
            .claims;
        self.check(claims, &issuer.audience, now)
    }

    /// Judges the claims, the signature being right.
    fn check(&self, claims: Claims, audience: &str, now: i64) -> Result<Known, Refusal> {
        if !claims.aud.ok_or_else(|| missing("aud"))?.contains(audience) {
            return Err(refused(
                "TOKEN_AUDIENCE_WRONG",
                "The token is for another service; get one for this audience.",
            )
            .with_metadata("audience", audience));
        }
        let expires = claims.exp.ok_or_else(|| missing("exp"))?;
        let begins = claims.nbf.ok_or_else(|| missing("nbf"))?;
        if begins > now.saturating_add(self.clock_skew_seconds) {
            return Err(refused(
                "TOKEN_NOT_YET_VALID",
                "The token is not valid yet; wait, or check your clock.",
            ));
        }
        let subject = required("sub", claims.sub)?;
        let party = required("party", claims.party)?;
        // Roles of other systems may stand beside ours in one token.
        let roles = claims
            .roles
            .iter()
            .filter_map(|role| Role::parse(role))
            .collect();
        let sites: BTreeSet<String> = claims.sites.into_iter().collect();
        if sites.len() > SITES_MAX || sites.iter().any(|site| site.len() > CLAIM_BYTES_MAX) {
            return Err(refused(
                "TOKEN_MALFORMED",
                "The token names too many sites, or too long ones.",
            ));
        }
        Ok(Known {
            expires,
            caller: Arc::new(Caller {
                subject,
                party,
                roles,
                sites,
                address: None,
            }),
        })
    }

    fn remembered(&self, token: &str) -> Option<Known> {
        self.verified
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
    }

    fn remember(&self, token: &str, known: Known) {
        self.verified
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token, known);
    }
}

/// The library checks the signature; times are checked here, against the clock that is given.
fn signature_only(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn refused(reason: &str, message: &str) -> Refusal {
    Refusal::unauthenticated(reason, message)
}

/// The token was good, and its time is over.
pub(crate) fn expired() -> Refusal {
    refused("TOKEN_EXPIRED", "The token's time is over; get a new one.")
}

fn missing(claim: &str) -> Refusal {
    let message = format!("The token has no usable claim {claim}; have its issuer add it.");
    Refusal::unauthenticated("TOKEN_CLAIM_MISSING", message).with_metadata("claim", claim)
}

fn required(claim: &str, value: Option<String>) -> Result<String, Refusal> {
    value
        .filter(|value| !value.is_empty() && value.len() <= CLAIM_BYTES_MAX)
        .ok_or_else(|| missing(claim))
}

/// A verified token's content.
#[derive(Clone)]
struct Known {
    expires: i64,
    caller: Arc<Caller>,
}

impl Known {
    /// How long it is still good.
    fn left(&self, now: i64, clock_skew_seconds: i64) -> Result<Duration, Refusal> {
        let left = self
            .expires
            .saturating_add(clock_skew_seconds)
            .saturating_sub(now);
        match u64::try_from(left) {
            Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
            _ => Err(expired()),
        }
    }
}

/// Remembers tokens in two generations: when the younger is full it becomes the older and the older is
/// forgotten. So what is used stays, memory is bounded, and nothing has to be swept.
struct Verified {
    younger: HashMap<String, Known>,
    older: HashMap<String, Known>,
    generation_entries_max: usize,
}

impl Verified {
    fn holding(entries_max: usize) -> Self {
        Self {
            younger: HashMap::new(),
            older: HashMap::new(),
            generation_entries_max: entries_max.div_ceil(2),
        }
    }

    fn get(&mut self, token: &str) -> Option<Known> {
        if let Some(known) = self.younger.get(token) {
            return Some(known.clone());
        }
        let known = self.older.remove(token)?;
        self.insert(token, known.clone());
        Some(known)
    }

    fn insert(&mut self, token: &str, known: Known) {
        if self.younger.len() >= self.generation_entries_max {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(token.to_owned(), known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let caller = Caller {
            subject: "s".into(),
            party: "p".into(),
            roles: BTreeSet::new(),
            sites: BTreeSet::new(),
            address: None,
        };
        Known {
            expires: 0,
            caller: Arc::new(caller),
        }
    }

    #[test]
    fn the_memory_of_tokens_is_bounded_and_keeps_what_is_used() {
        let mut verified = Verified::holding(10);
        verified.insert("used", known());
        for number in 0..1_000 {
            verified.insert(&number.to_string(), known());
            assert!(verified.get("used").is_some(), "after {number}");
            assert!(verified.younger.len() + verified.older.len() <= 10);
        }
        assert!(verified.get("0").is_none());
    }
}
