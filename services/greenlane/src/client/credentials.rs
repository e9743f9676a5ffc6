//! Who speaks: a token given from outside, or one made with the development issuer's key of the state
//! folder; and the trace that a call belongs to. It must not know which calls are made.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chassis::DevelopmentIssuer;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use kernel::{Clock as _, SystemClock};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::error::ClientError;
use crate::parties::{self, DevelopmentParty};

/// How long a development token holds.
const TOKEN_LIFETIME_MINUTES: i64 = 60;
/// A token is made anew when it holds no longer than this.
const TOKEN_RENEWAL_MINUTES: i64 = 10;

type Bearer = MetadataValue<Ascii>;

/// A token, and until when it is used.
type Kept = (DateTime<Utc>, Bearer);

/// Puts the token and the trace on every call.
#[derive(Clone)]
pub struct Credentials {
    party: String,
    trace: String,
    source: Source,
}

#[derive(Clone)]
enum Source {
    /// The connection's certificate speaks.
    Certificate,
    Given(Bearer),
    Development {
        issuer: Arc<DevelopmentIssuer>,
        party: &'static DevelopmentParty,
        // Commands live shorter than a token; a watch may not.
        current: Arc<Mutex<Option<Kept>>>,
    },
}

impl Credentials {
    /// A token as given; whether it is good, the services say.
    ///
    /// # Errors
    /// It holds what no header may.
    pub fn given(party: &str, token: &str) -> Result<Credentials, ClientError> {
        Ok(Credentials {
            party: party.to_owned(),
            trace: new_trace(),
            source: Source::Given(bearer(token)?),
        })
    }

    /// No token: the services know the party by the certificate of the connection.
    pub fn by_certificate(party: &str) -> Credentials {
        Credentials {
            party: party.to_owned(),
            trace: new_trace(),
            source: Source::Certificate,
        }
    }

    /// Tokens of a development party, made with the key of a state folder.
    ///
    /// # Errors
    /// There is no such party, or the key cannot be read.
    pub fn development(party: &str, state: &Path) -> Result<Credentials, ClientError> {
        let issuer = DevelopmentIssuer::create_or_open(state)?;
        Credentials::issued(party, Arc::new(issuer))
    }

    /// Tokens of another party from the same issuer.
    ///
    /// # Errors
    /// There is no such party, or the token was given from outside and is one party's only.
    pub fn of_another(&self, party: &str) -> Result<Credentials, ClientError> {
        match &self.source {
            Source::Given(_) | Source::Certificate => {
                Err(ClientError::TokenOfAnother(party.to_owned()))
            }
            Source::Development { issuer, .. } => Credentials::issued(party, issuer.clone()),
        }
    }

    /// The party that speaks.
    pub fn party(&self) -> &str {
        &self.party
    }

    fn issued(party: &str, issuer: Arc<DevelopmentIssuer>) -> Result<Credentials, ClientError> {
        let known = find_party(party)?;
        Ok(Credentials {
            party: known.party.to_owned(),
            trace: new_trace(),
            source: Source::Development {
                issuer,
                party: known,
                current: Arc::default(),
            },
        })
    }

    fn bearer(&self) -> Result<Option<Bearer>, ClientError> {
        let (issuer, party, current) = match &self.source {
            Source::Certificate => return Ok(None),
            Source::Given(bearer) => return Ok(Some(bearer.clone())),
            Source::Development {
                issuer,
                party,
                current,
            } => (issuer, party, current),
        };
        let now = SystemClock.now();
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((renewal, bearer)) = current.as_ref()
            && now < *renewal
        {
            return Ok(Some(bearer.clone()));
        }
        let made = bearer(&token_of(issuer, party, now))?;
        let holds = TimeDelta::minutes(TOKEN_LIFETIME_MINUTES - TOKEN_RENEWAL_MINUTES);
        *current = Some((now + holds, made.clone()));
        Ok(Some(made))
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let bearer = self
            .bearer()
            .map_err(|error| Status::unauthenticated(error.to_string()))?;
        let metadata = request.metadata_mut();
        if let Some(bearer) = bearer {
            metadata.insert("authorization", bearer);
        }
        if let Ok(traceparent) = format!("00-{}-{}-01", self.trace, new_span()).parse() {
            metadata.insert("traceparent", traceparent);
        }
        Ok(request)
    }
}

/// A development token, whose it is and until when it is good.
pub struct DevelopmentToken {
    /// The token.
    pub token: String,
    /// Whose it is.
    pub party: &'static str,
    /// When it expires; a token knows whole seconds.
    pub expires_at: DateTime<Utc>,
}

/// A development token for a party, valid from now on for [`TOKEN_LIFETIME_MINUTES`].
///
/// # Errors
/// There is no such party, or the key of the state folder cannot be read.
pub fn development_token(party: &str, state: &Path) -> Result<DevelopmentToken, ClientError> {
    let known = find_party(party)?;
    let issuer = DevelopmentIssuer::create_or_open(state)?;
    let now = SystemClock.now().trunc_subsecs(0);
    Ok(DevelopmentToken {
        token: token_of(&issuer, known, now),
        party: known.party,
        expires_at: now + TimeDelta::minutes(TOKEN_LIFETIME_MINUTES),
    })
}

fn find_party(name: &str) -> Result<&'static DevelopmentParty, ClientError> {
    parties::find(name).ok_or_else(|| ClientError::PartyUnknown(name.to_owned()))
}

fn token_of(issuer: &DevelopmentIssuer, party: &DevelopmentParty, now: DateTime<Utc>) -> String {
    let lifetime = TimeDelta::minutes(TOKEN_LIFETIME_MINUTES);
    let subject = format!("{}@development", party.party);
    issuer.token(
        party.party,
        party.roles,
        party.sites,
        &subject,
        now,
        lifetime,
    )
}

fn bearer(token: &str) -> Result<Bearer, ClientError> {
    let mut value: Bearer = format!("Bearer {}", token.trim())
        .parse()
        .map_err(|_| ClientError::TokenUnusable)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The trace that all calls of one command share (W3C trace context: 16 bytes, not all zero).
fn new_trace() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// One call's span (W3C trace context: 8 bytes, not all zero).
fn new_span() -> String {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    format!("{random:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_carries_the_token_and_one_trace() {
        let folder = tempfile::tempdir().unwrap();
        let mut credentials = Credentials::development("broker-a", folder.path()).unwrap();
        let mut trace_of_call = || {
            let request = credentials.call(Request::new(())).unwrap();
            let header = |name: &str| {
                let value = request.metadata().get(name).unwrap();
                value.to_str().unwrap().to_owned()
            };
            assert!(header("authorization").starts_with("Bearer ey"));
            let traceparent = header("traceparent");
            assert_eq!(traceparent.len(), 55, "{traceparent}");
            traceparent
        };
        let (first, second) = (trace_of_call(), trace_of_call());
        assert_eq!(first[..36], second[..36], "one trace");
        assert_ne!(first, second, "two spans");
    }

    #[test]
    fn who_shows_a_certificate_sends_no_token_and_speaks_for_nobody_else() {
        let mut credentials = Credentials::by_certificate("terminal");
        let request = credentials.call(Request::new(())).unwrap();
        assert!(request.metadata().get("authorization").is_none());
        assert!(request.metadata().get("traceparent").is_some());
        assert!(credentials.of_another("haulier-a").is_err());
    }

    #[test]
    fn a_party_that_is_none_is_refused_with_those_that_are() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Credentials::development("broker-z", folder.path())
            .err()
            .unwrap();
        assert!(refused.to_string().contains("broker-a"), "{refused}");
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_refused_without_repeating_it() {
        let refused = Credentials::given("broker-a", "secret\nvalue")
            .err()
            .unwrap();
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
}
