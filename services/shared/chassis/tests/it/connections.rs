//! Connections as strangers make them: without a certificate or with a wrong one, silent, too many; and machines that
//! are known by theirs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chassis::config::{CertificateConfig, ServerConfig};
use chassis::from_status;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType, date_time_ymd,
};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Error, Identity};

use crate::support::{Client, Serving, serve, serve_known, server_config, within};

const LANE: &str = "lane-3.port.example";
const SENSOR: &str = "spiffe://port.example/weighbridge";

/// An authority and the files that it gave a server.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, in PEM.
struct Signed {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Authority {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn signed(&self, params: CertificateParams) -> Signed {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Signed {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// For a machine of this name.
    fn of(&self, name: &str) -> Signed {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![match name.contains(':') {
            true => SanType::URI(name.try_into().unwrap()),
            false => SanType::DnsName(name.try_into().unwrap()),
        }];
        self.signed(params)
    }

    fn expired(&self, name: &str) -> Signed {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.signed(params)
    }

    fn file(&self, name: &str, pem: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        write_whole(&file, pem);
        file
    }

    /// A server with a certificate of this authority, which asks its callers for one too.
    fn server(&self) -> ServerConfig {
        let own = self.of("localhost");
        ServerConfig {
            tls_certificate_file: Some(self.file("server.pem", &own.certificate)),
            tls_key_file: Some(self.file("server.key.pem", &own.key)),
            tls_client_ca_file: Some(self.file("ca.pem", &self.issuer.pem())),
            ..server_config()
        }
    }
}

/// As whoever renews certificates does: there is no moment without the file.
fn write_whole(file: &Path, pem: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, pem).unwrap();
    fs::rename(&beside, file).unwrap();
}

/// Connects to a server that one of these authorities has signed, with a certificate of one's own if there is one.
async fn connect(
    serving: &Serving,
    authority: &Authority,
    own: Option<Signed>,
) -> Result<Client, Error> {
    let trusting = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority.issuer.pem()))
        .domain_name("localhost");
    let tls = match own {
        Some(own) => trusting.identity(Identity::from_pem(own.certificate, own.key)),
        None => trusting,
    };
    let endpoint = Endpoint::from_shared(format!("https://{}", serving.address)).unwrap();
    let channel = within(endpoint.tls_config(tls).unwrap().connect()).await?;
    Ok(Client::over(channel))
}

/// Who the service says that the caller is, or why not; whoever is refused during the handshake hears nothing.
async fn who(serving: &Serving, authority: &Authority, own: Option<Signed>) -> String {
    let Ok(client) = connect(serving, authority, own).await else {
        return "refused at the handshake".to_owned();
    };
    match within(client.call("Echo", None, "who")).await {
        Ok(party) => party,
        // A server's refusal of a certificate may reach the client with its first call only (RFC 8446, 4.4.2.4).
        Err(status) if from_status(&status).reason == "UNREACHABLE" => {
            "refused at the handshake".to_owned()
        }
        Err(status) => from_status(&status).reason,
    }
}

fn known() -> Vec<CertificateConfig> {
    let machine = |name: &str, party: &str, role: &str| CertificateConfig {
        name: name.to_owned(),
        party: party.to_owned(),
        roles: vec![role.to_owned()],
        sites: vec!["GUOYUAN-PORT".to_owned()],
    };
    vec![
        machine(LANE, "haulier-b", "haulier"),
        machine(SENSOR, "haulier-c", "haulier"),
    ]
}

async fn refused(serving: &Serving, cause: &str) {
    let line = format!("greenlane_connections_refused_total{{cause=\"{cause}\"}}");
    let counted = async {
        while !serving.admin("/metrics").await.1.contains(&line) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(counted).await;
}

#[tokio::test]
async fn over_tls_a_caller_that_trusts_the_certificate_is_served_and_plain_text_is_not() {
    let authority = Authority::new();
    let serving = serve(authority.server()).await;
    let client = connect(&serving, &authority, None).await.unwrap();
    let answer = client.call("Echo", Some(&serving.haulier()), "who").await;
    assert_eq!(answer.unwrap(), "haulier-a");
    let plain = Endpoint::from_shared(format!("http://{}", serving.address)).unwrap();
    let channel = plain.connect_lazy();
    let answer = within(Client::over(channel).call("Echo", Some(&serving.haulier()), "who")).await;
    assert!(answer.is_err());
    refused(&serving, "tls").await;
}

#[tokio::test]
async fn a_machine_is_known_by_a_name_in_its_certificate_and_a_token_counts_before_it() {
    let authority = Authority::new();
    let serving = serve_known(authority.server(), known()).await;
    for (name, party) in [(LANE, "haulier-b"), (SENSOR, "haulier-c")] {
        assert_eq!(
            who(&serving, &authority, Some(authority.of(name))).await,
            party
        );
    }
    let client = connect(&serving, &authority, Some(authority.of(LANE)))
        .await
        .unwrap();
    let answer = client.call("Echo", Some(&serving.haulier()), "who").await;
    assert_eq!(answer.unwrap(), "haulier-a");
}

#[tokio::test]
async fn a_certificate_that_is_not_good_is_refused_and_counted() {
    let authority = Authority::new();
    let serving = serve_known(authority.server(), known()).await;
    let stranger = Authority::new();
    let at_the_handshake = "refused at the handshake";
    let expired = authority.expired(LANE);
    assert_eq!(
        who(&serving, &authority, Some(expired)).await,
        at_the_handshake
    );
    refused(&serving, "tls").await;
    let of_another = stranger.of(LANE);
    assert_eq!(
        who(&serving, &authority, Some(of_another)).await,
        at_the_handshake
    );
    let unknown = authority.of("lane-4.port.example");
    assert_eq!(
        who(&serving, &authority, Some(unknown)).await,
        "CERTIFICATE_UNKNOWN"
    );
    assert_eq!(who(&serving, &authority, None).await, "TOKEN_MISSING");
}

#[tokio::test]
async fn a_certificate_is_replaced_without_a_restart_and_one_that_cannot_be_used_is_passed_over() {
    let authority = Authority::new();
    let config = authority.server();
    let serving = serve_known(config.clone(), known()).await;
    let next = Authority::new();
    assert!(connect(&serving, &authority, None).await.is_ok());
    let own = next.of("localhost");
    // Half of it: whoever connects is served with the former, for longer than it takes until the files are looked at.
    write_whole(
        config.tls_certificate_file.as_deref().unwrap(),
        "-----BEGIN",
    );
    let until = Instant::now() + Duration::from_millis(1_100);
    while Instant::now() < until {
        assert!(connect(&serving, &authority, None).await.is_ok());
    }
    write_whole(config.tls_key_file.as_deref().unwrap(), &own.key);
    write_whole(
        config.tls_certificate_file.as_deref().unwrap(),
        &own.certificate,
    );
    let replaced = async {
        while connect(&serving, &next, None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(replaced).await;
    assert!(connect(&serving, &authority, None).await.is_err());
    // The authorities of others are the former: they were not replaced.
    assert_eq!(
        who(&serving, &next, Some(authority.of(LANE))).await,
        "haulier-b"
    );
}

#[tokio::test]
async fn who_connects_and_does_not_say_what_it_speaks_is_left() {
    let authority = Authority::new();
    let quickly = |config: ServerConfig| ServerConfig {
        handshake_timeout_ms: 200,
        ..config
    };
    for (config, cause) in [
        (quickly(server_config()), "silent"),
        (quickly(authority.server()), "tls"),
    ] {
        let serving = serve(config).await;
        let mut silent = TcpStream::connect(serving.address).await.unwrap();
        // Perhaps with its settings before.
        let mut heard = Vec::new();
        within(silent.read_to_end(&mut heard)).await.ok();
        refused(&serving, cause).await;
    }
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_may_have_another_when_one_ends() {
    let serving = serve(ServerConfig {
        connections_per_address_max: 2,
        ..server_config()
    })
    .await;
    let token = serving.haulier();
    let (first, second) = (serving.client().await, serving.client().await);
    for client in [&first, &second] {
        client.call("Echo", Some(&token), "hello").await.unwrap();
    }
    let mut third = TcpStream::connect(serving.address).await.unwrap();
    let mut heard = Vec::new();
    within(third.read_to_end(&mut heard)).await.ok();
    assert!(heard.is_empty());
    refused(&serving, "address").await;
    drop(first);
    let again = async {
        loop {
            let endpoint = Endpoint::from_shared(format!("http://{}", serving.address)).unwrap();
            if let Ok(channel) = endpoint.connect().await
                && Client::over(channel)
                    .call("Echo", Some(&token), "hello")
                    .await
                    .is_ok()
            {
                return;
            }
        }
    };
    within(again).await;
}
