//! Over TLS, to a broker that lets in only whom it knows: by a password or by a certificate.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fabric::{Fabric, FabricConfig, KafkaAccess};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use stack::{KafkaGuard, Stack, StackOptions};

use crate::counter::{Counter, Mirror, add, config, database, eventually, stored, total};

const SOON: Duration = Duration::from_secs(60);
const USER: &str = "counter";
const PASSWORD: &str = "4ny0nes6uess";

/// Who signs certificates, and the folder in which they are.
struct Authority {
    name: &'static str,
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    fn new(name: &'static str, folder: &std::path::Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // A certificate whose issuer is called as it is itself would be taken for its own issuer.
        params
            .distinguished_name
            .push(DnType::CommonName, format!("authority {name}"));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self {
            name,
            issuer,
            folder: folder.to_owned(),
        }
    }

    fn file(&self, name: &str, pem: &str) -> PathBuf {
        let file = self.folder.join(format!("{}-{name}", self.name));
        std::fs::write(&file, pem).unwrap();
        file
    }

    /// Key and certificate, PEM, for 127.0.0.1 until the end of a year.
    fn signed(&self, until: i32) -> [String; 2] {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        [key.serialize_pem(), certificate.pem()]
    }

    /// What trusts this authority, and shows nothing.
    fn trusted(&self) -> KafkaAccess {
        KafkaAccess {
            ca_file: self.file("ca.pem", &self.issuer.pem()),
            ..KafkaAccess::default()
        }
    }
}

fn by_password(trusting: &Authority, password: &str) -> KafkaAccess {
    KafkaAccess {
        user: USER.into(),
        password: password.into(),
        ..trusting.trusted()
    }
}

fn by_certificate(trusting: &Authority, of: &Authority, until: i32) -> KafkaAccess {
    let [key, certificate] = of.signed(until);
    KafkaAccess {
        certificate_file: of.file(&format!("{until}.pem"), &certificate),
        key_file: of.file(&format!("{until}.key.pem"), &key),
        ..trusting.trusted()
    }
}

async fn start_counter(url: &str, config: FabricConfig) -> Fabric<Counter> {
    Fabric::start(Arc::new(Counter), config, url).await.unwrap()
}

#[tokio::test]
async fn who_shows_what_the_broker_knows_is_let_in_over_tls_and_nobody_else() {
    let room = tempfile::tempdir_in(stack::ground_for_tests()).unwrap();
    let ours = Authority::new("ours", room.path());
    let others = Authority::new("others", room.path());
    let options = StackOptions {
        database_url: Some(stack::for_tests().await.admin_url().to_owned()),
        durable_jvm: false,
        kafka_guard: Some(KafkaGuard {
            identity_pem: ours.signed(2090).concat(),
            authority_pem: ours.issuer.pem(),
            user: USER.into(),
            password: PASSWORD.into(),
        }),
        ..StackOptions::lasting(room.path().join("broker"))
    };
    let broker = Stack::start(options).await.unwrap();
    let password = broker.brokers_by_password().unwrap();
    let certificate = broker.brokers_by_certificate().unwrap();

    // Who is refused comes first, and has as long as the others need.
    let mut refused = Vec::new();
    for (n, (brokers, access)) in [
        (&password, KafkaAccess::default()),
        (&password, ours.trusted()),
        (&password, by_password(&ours, "another")),
        (&password, by_password(&others, PASSWORD)),
        (&certificate, ours.trusted()),
        (&certificate, by_certificate(&ours, &others, 2090)),
        (&certificate, by_certificate(&ours, &ours, 2021)),
    ]
    .into_iter()
    .enumerate()
    {
        let database = database().await;
        let config = FabricConfig {
            kafka: access,
            ..config(brokers, &format!("refused-{n}."))
        };
        let counter = start_counter(&database.service_url, config).await;
        refused.push((counter, database));
    }

    let (source, target) = (database().await, database().await);
    let counter_config = FabricConfig {
        kafka: by_password(&ours, PASSWORD),
        ..config(&password, "let-in.")
    };
    let mirror_config = FabricConfig {
        kafka: by_certificate(&ours, &ours, 2090),
        ..config(&certificate, "let-in.")
    };
    let counter = start_counter(&source.service_url, counter_config).await;
    let mirror = Fabric::start(
        Arc::new(Mirror::default()),
        mirror_config,
        &target.service_url,
    )
    .await
    .unwrap();
    total(&counter.handle().submit("x", add("k", 7)).await);
    eventually("what was committed is mirrored", SOON, || async {
        stored(&target.service_url, "k").await == Some(7)
    })
    .await;
    assert!(!counter.health().faults().contains_key("broker"));
    counter.stop().await;
    mirror.stop().await;

    for (n, (counter, _database)) in refused.into_iter().enumerate() {
        let faults = counter.health().faults();
        assert!(faults.contains_key("broker"), "refused-{n}: {faults:?}");
        counter.stop().await;
    }
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_certificate_is_found_at_the_start() {
    let room = tempfile::tempdir().unwrap();
    let database = database().await;
    let ours = Authority::new("ours", room.path());
    let config = FabricConfig {
        kafka: KafkaAccess {
            ca_file: ours.file("ca.pem", "no certificate"),
            ..KafkaAccess::default()
        },
        ..config("127.0.0.1:9", "")
    };
    let started = Fabric::start(Arc::new(Counter), config, &database.service_url).await;
    let error = started.err().unwrap().to_string();
    assert!(error.starts_with("fabric.kafka: "), "{error}");
}
