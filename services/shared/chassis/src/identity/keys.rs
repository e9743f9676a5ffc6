//! An issuer's public keys: read from a file or fetched, kept, and read again when a token names a key
//! that is not among them, but seldom, so that strangers cannot make us hammer the issuer. It must not
//! know what a token says.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use crate::config::IssuerConfig;

/// The largest key set that is read, in bytes.
const JWKS_BYTES_MAX: usize = 262_144;

/// The most keys of one issuer.
const JWKS_KEYS_MAX: usize = 64;

/// Keys are read again at most so often.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);

/// So many calls wait for one reading of keys; further ones with an unknown key are refused at once, so
/// that they cannot fill the service.
const REFRESH_WAITERS_MAX: usize = 64;

/// A fetch of keys may take so long.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// One public key and the only algorithm it is used with.
#[derive(Clone)]
pub(super) struct PublicKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Why an issuer's keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error("{0} cannot be read, check the path and its permissions: {1}")]
    File(PathBuf, #[source] std::io::Error),
    #[error("{0} cannot be fetched, check that the issuer can be reached: {1}")]
    Fetch(String, #[source] reqwest::Error),
    #[error("{0} has more than {JWKS_BYTES_MAX} bytes, a key set is smaller")]
    TooLarge(String),
    #[error("{0} is no key set (JWKS), check the address: {1}")]
    Form(String, #[source] serde_json::Error),
    #[error("{0} is neither a file nor an address, set jwks_file or jwks_url")]
    NoSource(String),
}

/// The keys of one issuer.
pub(super) struct Keys {
    source: Source,
    known: RwLock<HashMap<String, PublicKey>>,
    refreshed: Mutex<Option<Instant>>,
    waiters: Semaphore,
}

enum Source {
    File(PathBuf),
    Url(String, reqwest::Client),
}

impl Keys {
    pub(super) fn of(config: &IssuerConfig) -> Result<Self, KeysError> {
        let source = match (&config.jwks_file, &config.jwks_url) {
            (Some(file), _) => Source::File(file.clone()),
            (None, Some(url)) => Source::Url(url.clone(), client(url)?),
            (None, None) => return Err(KeysError::NoSource(config.issuer.clone())),
        };
        Ok(Self {
            source,
            known: RwLock::default(),
            refreshed: Mutex::default(),
            waiters: Semaphore::new(REFRESH_WAITERS_MAX),
        })
    }

    /// The key of this id, looked up anew where it is not known and the last look was not just now.
    pub(super) async fn find(&self, key_id: &str) -> Option<PublicKey> {
        if let Some(key) = self.known(key_id) {
            return Some(key);
        }
        let _waiting = self.waiters.try_acquire().ok()?;
        // Whoever waits here finds what the one before it fetched.
        let mut refreshed = self.refreshed.lock().await;
        if let Some(key) = self.known(key_id) {
            return Some(key);
        }
        if refreshed.is_some_and(|last| last.elapsed() < REFRESH_INTERVAL) {
            return None;
        }
        *refreshed = Some(Instant::now());
        if let Err(error) = self.load().await {
            tracing::warn!(error = %error, "an issuer's keys cannot be had; its new tokens are refused meanwhile");
        }
        self.known(key_id)
    }

    /// Reads all keys anew, replacing those known.
    pub(super) async fn load(&self) -> Result<(), KeysError> {
        let (name, bytes) = match &self.source {
            Source::File(file) => (file.display().to_string(), read(file).await?),
            Source::Url(url, client) => (url.clone(), fetch(url, client).await?),
        };
        let keys = parse(&bytes).map_err(|error| KeysError::Form(name, error))?;
        *self
            .known
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Whether a failure to load at start is a mistake of the operator rather than an issuer that is down.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    fn known(&self, key_id: &str) -> Option<PublicKey> {
        self.known
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(key_id)
            .cloned()
    }
}

fn client(url: &str) -> Result<reqwest::Client, KeysError> {
    crate::install_tls_provider();
    let builder = reqwest::Client::builder()
        .timeout(FETCH_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    builder
        .build()
        .map_err(|error| KeysError::Fetch(url.to_owned(), error))
}

async fn read(file: &Path) -> Result<Vec<u8>, KeysError> {
    let failed = |error| KeysError::File(file.to_owned(), error);
    let metadata = tokio::fs::metadata(file).await.map_err(failed)?;
    if usize::try_from(metadata.len()).unwrap_or(usize::MAX) > JWKS_BYTES_MAX {
        return Err(KeysError::TooLarge(file.display().to_string()));
    }
    tokio::fs::read(file).await.map_err(failed)
}

async fn fetch(url: &str, client: &reqwest::Client) -> Result<Vec<u8>, KeysError> {
    let failed = |error| KeysError::Fetch(url.to_owned(), error);
    let response = client
        .get(url)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status);
    let mut response = response.map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > JWKS_BYTES_MAX {
            return Err(KeysError::TooLarge(url.to_owned()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Keeps the keys we can use; an issuer may publish others beside them.
fn parse(bytes: &[u8]) -> Result<HashMap<String, PublicKey>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct KeySet {
        keys: Vec<serde_json::Value>,
    }
    let set: KeySet = serde_json::from_slice(bytes)?;
    let keys = set
        .keys
        .into_iter()
        .take(JWKS_KEYS_MAX)
        .filter_map(|key| usable(&serde_json::from_value(key).ok()?));
    Ok(keys.collect())
}

/// A signing key with an id, by its type: the key says which algorithm is used, never the token.
fn usable(jwk: &Jwk) -> Option<(String, PublicKey)> {
    if !matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    ) {
        return None;
    }
    let (algorithm, declares) = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        _ => return None,
    };
    if jwk
        .common
        .key_algorithm
        .is_some_and(|declared| declared != declares)
    {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some((jwk.common.key_id.clone()?, PublicKey { algorithm, key }))
}
