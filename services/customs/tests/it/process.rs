//! The whole service over a socket, with a token, seeds and an orderly end; its configuration, and that every
//! call has a permission.

use std::net::SocketAddr;
use std::time::Duration;

use chassis::{DevelopmentIssuer, Permissions, Role, Shutdown};
use chrono::{TimeDelta, Utc};
use customs::config::Seed;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_client::CustomsServiceClient;
use tokio::net::TcpSocket;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use crate::support::{config, database, id, reason, umbrellas};

/// What a test waits for comes within this time or not at all.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[tokio::test]
async fn the_service_answers_who_may_ask_over_a_socket_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let mut config = config(&database().await);
    config.identity = issuer.identity_config();
    let (_held, address) = reserved();
    let (_held_too, admin_address) = reserved();
    config.server.listen = address;
    config.server.admin_listen = admin_address;
    config.seed = Some(Seed::Development);
    let shutdown = Shutdown::manual();
    let served = tokio::spawn(customs::run(config, shutdown.clone()));

    let mut client = CustomsServiceClient::new(connect(address).await);
    let token = |party: &str, role: Role| {
        issuer.token(
            party,
            &[role],
            &[],
            "somebody",
            Utc::now(),
            TimeDelta::hours(1),
        )
    };
    let broker = token("broker-a", Role::Broker);
    await_seeds(&mut client, &token("officer-1", Role::Officer)).await;
    let filing = || wire::FileDeclarationRequest {
        request_id: id(),
        validate_only: true,
        declaration: Some(umbrellas("S-1")),
    };
    let answer = client
        .file_declaration(with(&broker, filing()))
        .await
        .unwrap()
        .into_inner()
        .filing
        .unwrap();
    assert!(
        answer.validated_only && answer.faults.is_empty(),
        "{:?}",
        answer.faults
    );
    let refused = client
        .file_declaration(with(&token("haulier-a", Role::Haulier), filing()))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (tonic::Code::PermissionDenied, "ROLE_REQUIRED")
    );
    let refused = client.file_declaration(filing()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);

    shutdown.request();
    tokio::time::timeout(DEADLINE, served)
        .await
        .expect("it ends in time")
        .unwrap()
        .unwrap();
}

/// Waits until the seeds are in: the last of them is an account.
async fn await_seeds(client: &mut CustomsServiceClient<Channel>, token: &str) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let entered = async {
        loop {
            looks.tick().await;
            let last = wire::GetAccountRequest {
                payer_party: "trader-b".into(),
            };
            if client.get_account(with(token, last)).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, entered)
        .await
        .expect("the seeds go in");
}

/// Tries until the service listens.
async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut tries = tokio::time::interval(LOOK_EVERY);
    let connected = async {
        loop {
            tries.tick().await;
            if let Ok(channel) = endpoint.connect().await {
                return channel;
            }
        }
    };
    tokio::time::timeout(DEADLINE, connected)
        .await
        .expect("the service listens")
}

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// An address that the system gives to nobody else while the socket is held: bound, not listening, and
/// willing to share it with the service that is told to listen there.
fn reserved() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn the_default_configuration_is_whole_but_for_what_must_be_set() {
    let config = config(&database().await);
    assert_eq!((config.mrn_country.as_str(), config.seed), ("GB", None));
    let faults =
        chassis::config::load_with::<customs::Config>(customs::CONFIG_DEFAULT, None, "CUSTOMS", [])
            .unwrap_err();
    let paths: Vec<_> = faults.0.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        ["database.url", "fabric.brokers", "identity.issuers"]
    );
}

#[test]
fn every_call_of_the_service_has_a_permission() {
    let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET).unwrap();
    let calls: Vec<&str> = permissions
        .paths()
        .filter(|path| path.starts_with("/greenlane.customs.v1.CustomsService/"))
        .collect();
    assert_eq!(calls.len(), 27);
    assert!(calls.iter().all(|path| permissions.of(path).is_some()));
}
