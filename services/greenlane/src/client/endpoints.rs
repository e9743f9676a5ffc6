//! Where the services are: the state folder's `endpoints.json`, which `up` writes and every client reads.
//! It must not know how they were started.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::Trust;
use super::error::ClientError;
use crate::services::Service;

/// The file's name within the state folder.
const ENDPOINTS_FILE: &str = "endpoints.json";
/// The file is a screen long; more is not ours.
const ENDPOINTS_FILE_BYTES_MAX: u64 = 65_536;
/// Where Linux systems keep the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// Everything that runs for one state folder. The databases' addresses carry passwords.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The gate.
    pub gate: ServiceEndpoints,
    /// Customs.
    pub customs: ServiceEndpoints,
    /// The bonded centre's stock.
    pub bonded: ServiceEndpoints,
    /// Release and notices.
    pub release: ServiceEndpoints,
    /// Kafka's bootstrap servers, `HOST:PORT`.
    pub kafka: String,
    /// Put before the name of every topic there.
    #[serde(default)]
    pub topic_prefix: String,
    /// Each service's database, as its service role.
    pub postgres: BTreeMap<String, String>,
    /// The `iss` claim of the tokens that the services believe.
    pub issuer: String,
}

/// Where one service answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEndpoints {
    /// gRPC.
    pub grpc: String,
    /// `/metrics`, `/healthz` and `/readyz`.
    pub admin: String,
}

impl Endpoints {
    /// Where one service answers.
    pub fn of(&self, service: Service) -> &ServiceEndpoints {
        match service {
            Service::Gate => &self.gate,
            Service::Customs => &self.customs,
            Service::Bonded => &self.bonded,
            Service::Release => &self.release,
        }
    }

    /// Reads what runs in a state folder.
    ///
    /// # Errors
    /// Nothing runs there, or the file cannot be read.
    pub fn read(state: &Path) -> Result<Endpoints, ClientError> {
        let path = state.join(ENDPOINTS_FILE);
        let mut text = String::new();
        match File::open(&path) {
            Ok(file) => file
                .take(ENDPOINTS_FILE_BYTES_MAX)
                .read_to_string(&mut text)
                .map_err(|source| ClientError::file(&path, source))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ClientError::NotRunning(state.to_owned()));
            }
            Err(source) => return Err(ClientError::file(&path, source)),
        };
        serde_json::from_str(&text).map_err(|source| ClientError::file(&path, source.into()))
    }

    /// Publishes what runs: whole or not at all, readable by the owner alone.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub fn write(&self, state: &Path) -> io::Result<()> {
        let beside = state.join(format!("{ENDPOINTS_FILE}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&beside, state.join(ENDPOINTS_FILE))
    }

    /// Takes back what was published, by this process or by one that was killed.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub fn remove(state: &Path) -> io::Result<()> {
        match fs::remove_file(state.join(ENDPOINTS_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// The state folder where none is named: `greenlane` in the user's data folder (XDG base directories).
///
/// # Errors
/// The environment names no home.
pub fn default_state_folder() -> Result<PathBuf, ClientError> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data = absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .ok_or(ClientError::NoHome)?;
    Ok(data.join("greenlane"))
}

/// TLS against the authorities of a file, or of this system; with a certificate of one's own, if there is one.
pub(super) fn with_tls(endpoint: Endpoint, trust: &Trust) -> Result<Endpoint, ClientError> {
    chassis::install_tls_provider();
    let authorities = match trust.authorities {
        Some(given) => given.to_owned(),
        None => SYSTEM_AUTHORITIES
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or(ClientError::NoAuthorities)?,
    };
    let read = |path: &Path| fs::read(path).map_err(|source| ClientError::file(path, source));
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&authorities)?));
    if let Some((certificate, key)) = trust.own {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    let url = endpoint.uri().to_string();
    endpoint
        .tls_config(tls)
        .map_err(|_| ClientError::Endpoint(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        let at = |port: u16| ServiceEndpoints {
            grpc: format!("http://127.0.0.1:{port}"),
            admin: format!("http://127.0.0.1:{}", port + 100),
        };
        Endpoints {
            gate: at(7001),
            customs: at(7002),
            bonded: at(7003),
            release: at(7004),
            kafka: "127.0.0.1:9092".to_owned(),
            topic_prefix: String::new(),
            postgres: BTreeMap::from([(
                "gate".to_owned(),
                "postgres://127.0.0.1/greenlane_gate".to_owned(),
            )]),
            issuer: "https://greenlane.invalid/development".to_owned(),
        }
    }

    #[test]
    fn what_is_published_is_read_back_and_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        endpoints().write(folder.path()).unwrap();
        assert!(Endpoints::read(folder.path()).unwrap() == endpoints());
        Endpoints::remove(folder.path()).unwrap();
        Endpoints::remove(folder.path()).unwrap();
        let refused = Endpoints::read(folder.path()).err().unwrap();
        assert!(matches!(refused, ClientError::NotRunning(_)), "{refused}");
    }

    #[test]
    fn the_file_has_the_published_form() {
        let json = serde_json::to_value(endpoints()).unwrap();
        assert_eq!(json["gate"]["grpc"], "http://127.0.0.1:7001");
        assert_eq!(json["release"]["admin"], "http://127.0.0.1:7104");
        assert!(json["postgres"]["gate"].is_string());
    }

    #[test]
    fn a_file_with_passwords_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        endpoints().write(folder.path()).unwrap();
        let mode = fs::metadata(folder.path().join(ENDPOINTS_FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0);
    }
}
