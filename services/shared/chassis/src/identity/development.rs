//! The issuer that a developer's machine has: one Ed25519 key in the state folder, and tokens for whoever
//! can read it. It must never be named in a deployment's configuration; its address cannot exist.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::pkcs8::spki::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::json;

use super::Role;
use crate::config::{IdentityConfig, IssuerConfig};

/// The `iss` claim of development tokens; `.invalid` is reserved never to resolve (RFC 2606).
pub const DEVELOPMENT_ISSUER: &str = "https://greenlane.invalid/development";

/// The `aud` claim of development tokens.
pub const DEVELOPMENT_AUDIENCE: &str = "greenlane";

const KEY_FILE: &str = "development-issuer.pem";
const JWKS_FILE: &str = "jwks.json";

/// Why the development issuer cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DevelopmentIssuerError {
    /// A file of the state folder cannot be read or written.
    #[error("{0} cannot be read or written, check the state folder's permissions: {1}")]
    File(PathBuf, #[source] io::Error),
    /// The key file holds no key.
    #[error("{0} holds no Ed25519 key, delete it to have a new one made")]
    Key(PathBuf),
}

/// Signs tokens with the key of a state folder.
pub struct DevelopmentIssuer {
    key: SigningKey,
    key_id: String,
    jwks_file: PathBuf,
}

impl DevelopmentIssuer {
    /// Opens the issuer of a state folder; makes the key (readable by its owner only) and publishes
    /// `jwks.json` where they are missing.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be written or the key file holds no key.
    pub fn create_or_open(folder: &Path) -> Result<Self, DevelopmentIssuerError> {
        fs::create_dir_all(folder)
            .map_err(|error| DevelopmentIssuerError::File(folder.to_owned(), error))?;
        let key = open_key(&folder.join(KEY_FILE))?;
        let public = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        // A key's own first letters are id enough, and the same in every process that opens the folder.
        let key_id = format!("development-{}", public.get(..12).unwrap_or(&public));
        let jwks = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key_id, "x": public }] });
        let jwks_file = folder.join(JWKS_FILE);
        write_whole(&jwks_file, jwks.to_string().as_bytes(), 0o644)?;
        Ok(Self {
            key,
            key_id,
            jwks_file,
        })
    }

    /// A token for a party, valid from `now` for `lifetime`.
    pub fn token(
        &self,
        party: &str,
        roles: &[Role],
        sites: &[&str],
        subject: &str,
        now: DateTime<Utc>,
        lifetime: TimeDelta,
    ) -> String {
        let roles: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        self.sign(&json!({
            "iss": DEVELOPMENT_ISSUER,
            "aud": DEVELOPMENT_AUDIENCE,
            "sub": subject,
            "party": party,
            "roles": roles,
            "sites": sites,
            "iat": now.timestamp(),
            "nbf": now.timestamp(),
            "exp": now.timestamp().saturating_add(lifetime.num_seconds()),
        }))
    }

    /// Signs any claims: for tests of what is refused.
    pub fn sign(&self, claims: &serde_json::Value) -> String {
        let header = json!({ "typ": "JWT", "alg": "EdDSA", "kid": self.key_id });
        let encode = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes()).to_bytes());
        format!("{message}.{signature}")
    }

    /// Where the public key is published.
    pub fn jwks_file(&self) -> &Path {
        &self.jwks_file
    }

    /// The configuration by which a service believes this issuer, and no other.
    pub fn identity_config(&self) -> IdentityConfig {
        IdentityConfig {
            issuers: vec![IssuerConfig {
                issuer: DEVELOPMENT_ISSUER.to_owned(),
                audience: DEVELOPMENT_AUDIENCE.to_owned(),
                jwks_url: None,
                jwks_file: Some(self.jwks_file.clone()),
            }],
            clock_skew_seconds: 5,
            token_cache_entries_max: 1_000,
            certificates: Vec::new(),
        }
    }
}

/// The key by which a developer's services sign the record of what was done, and beside it the public one by which that
/// is verified; both are made where they are missing.
///
/// # Errors
///
/// Where the folder cannot be written or the key file holds no key.
pub fn development_audit_key(folder: &Path) -> Result<(PathBuf, PathBuf), DevelopmentIssuerError> {
    let (private, public) = (
        folder.join("audit-key.pem"),
        folder.join("audit-key.pub.pem"),
    );
    let key = open_key(&private)?;
    let pem = key
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .map_err(|_| DevelopmentIssuerError::Key(private.clone()))?;
    write_whole(&public, pem.as_bytes(), 0o644)?;
    Ok((private, public))
}

fn open_key(file: &Path) -> Result<SigningKey, DevelopmentIssuerError> {
    match fs::read_to_string(file) {
        Ok(pem) => {
            return SigningKey::from_pkcs8_pem(&pem)
                .map_err(|_| DevelopmentIssuerError::Key(file.to_owned()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(DevelopmentIssuerError::File(file.to_owned(), error)),
    }
    let key = SigningKey::generate(&mut rand::rngs::OsRng);
    // As openssl writes it, without the public key beside it, which not every reader takes.
    let written = KeypairBytes {
        secret_key: key.to_bytes(),
        public_key: None,
    };
    let pem = written
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|_| DevelopmentIssuerError::Key(file.to_owned()))?;
    write_whole(file, pem.as_bytes(), 0o600)?;
    Ok(key)
}

/// Writes a file so that it is there whole or not at all, whatever happens meanwhile.
fn write_whole(file: &Path, bytes: &[u8], mode: u32) -> Result<(), DevelopmentIssuerError> {
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let write = || {
        let mut written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&beside)?;
        written.write_all(bytes)?;
        written.sync_all()?;
        fs::rename(&beside, file)
    };
    write().map_err(|error| DevelopmentIssuerError::File(file.to_owned(), error))
}
