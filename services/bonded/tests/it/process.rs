//! The whole service over a socket, with a token, seeds and an orderly end.

use std::net::SocketAddr;

use bonded::config::Seed;
use bonded::seed::Seeds;
use bonded::{Bonded, Config};
use chassis::{DevelopmentIssuer, Role, Shutdown};
use chrono::{TimeDelta, Utc};
use fabric::{Fabric, FabricConfig};
use proto::bonded::v1 as wire;
use proto::bonded::v1::bonded_service_client::BondedServiceClient;
use tokio::net::TcpSocket;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use crate::support::{
    CENTRE, DEADLINE, Harness, as_operator, available, config, database, reads, reason, rules,
};

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
async fn the_service_answers_who_may_ask_over_a_socket_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(folder.path()).unwrap();
    let database = database().await;
    let mut config: Config = config(&database);
    config.identity = issuer.identity_config();
    let (_held, address) = reserved();
    let (_held_too, admin_address) = reserved();
    config.server.listen = address;
    config.server.admin_listen = admin_address;
    config.seed = Some(Seed::Development);
    let shutdown = Shutdown::manual();
    let served = tokio::spawn(bonded::run(config, shutdown.clone()));

    let channel = connect(address).await;
    let token = |party: &str, role: Role| {
        issuer.token(
            party,
            &[role],
            &[CENTRE],
            "somebody",
            Utc::now(),
            TimeDelta::hours(1),
        )
    };
    let mut client = BondedServiceClient::new(channel);
    let books = client
        .list_books(with(
            &token("operator", Role::Operator),
            wire::ListBooksRequest::default(),
        ))
        .await
        .unwrap();
    assert!(
        books.into_inner().books.is_empty(),
        "the register has named nobody yet, so the seeds wait"
    );
    let status = client
        .list_books(with(
            &token("haulier-a", Role::Haulier),
            wire::ListBooksRequest::default(),
        ))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (tonic::Code::PermissionDenied, "ROLE_REQUIRED")
    );
    let status = client
        .list_books(wire::ListBooksRequest::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);

    shutdown.request();
    tokio::time::timeout(DEADLINE, served)
        .await
        .expect("it ends in time")
        .unwrap()
        .unwrap();
}

/// Tries until the service listens.
async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut tries = tokio::time::interval(std::time::Duration::from_millis(20));
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

#[tokio::test]
async fn seeds_wait_for_the_register_and_go_in_once_however_often_the_service_starts() {
    let harness = Harness::empty().await;
    let seeds = || Seeds::development(&rules(), Utc::now().date_naive()).unwrap();
    let planting = tokio::spawn(seeds().plant(harness.fabric.handle(), reads(&harness.database)));
    for party in ["trader-a", "trader-b"] {
        assert!(!planting.is_finished());
        harness.register(party, 1, &["trader"], false).await;
    }
    tokio::time::timeout(DEADLINE, planting)
        .await
        .expect("the seeds go in")
        .unwrap();
    let stock = || wire::GetStockRequest::default();
    let first = harness.stock(as_operator(CENTRE, stock())).await.unwrap();
    let published = harness.published().await.len();
    assert!(first.len() >= 4 && first.iter().all(|row| available(row) != "0"));

    seeds()
        .plant(harness.fabric.handle(), reads(&harness.database))
        .await;
    assert_eq!(
        harness.stock(as_operator(CENTRE, stock())).await.unwrap(),
        first
    );
    assert_eq!(harness.published().await.len(), published);
    for number in ["BOOKTRADERA1", "BOOKTRADERB1"] {
        let request = wire::VerifyChainRequest {
            book_number: number.into(),
            known_head: None,
        };
        let verified = proto::bonded::v1::bonded_service_server::BondedService::verify_chain(
            &harness.api,
            as_operator(CENTRE, request),
        )
        .await
        .unwrap();
        assert!(verified.into_inner().intact);
    }
}

#[tokio::test]
async fn what_is_committed_is_there_after_a_restart() {
    let harness = Harness::with_books().await;
    harness
        .take_over(crate::support::opening(
            "trader-a",
            "BOOKTRADERA1",
            "1",
            5,
            "2025-01-31",
        ))
        .await
        .unwrap();
    let before = harness
        .stock(as_operator(CENTRE, wire::GetStockRequest::default()))
        .await
        .unwrap();
    let Harness {
        fabric,
        api,
        database,
        pool,
        owner,
    } = harness;
    fabric.stop().await;
    drop(api);
    let fabric = Fabric::start_without_broker(
        std::sync::Arc::new(Bonded::new(rules())),
        FabricConfig::for_brokers("none", ""),
        &database.service_url,
    )
    .await
    .unwrap();
    let api = bonded::grpc::Api::new(fabric.handle(), reads(&database), rules());
    let harness = Harness {
        fabric,
        api,
        database,
        pool,
        owner,
    };
    harness
        .take_over(crate::support::opening(
            "trader-a",
            "BOOKTRADERA1",
            "2",
            6,
            "2025-01-31",
        ))
        .await
        .unwrap();
    let after = harness
        .stock(as_operator(CENTRE, wire::GetStockRequest::default()))
        .await
        .unwrap();
    assert_eq!(after[0].totals, before[0].totals);
    assert!(
        harness
            .verify("trader-a", "BOOKTRADERA1", None)
            .await
            .intact
    );
}

#[test]
fn the_default_configuration_names_what_must_be_set_and_nothing_else_is_wrong() {
    let faults = chassis::config::load_with::<Config>(bonded::CONFIG_DEFAULT, None, "BONDED", [])
        .unwrap_err();
    let mut paths: Vec<_> = faults.0.iter().map(|fault| fault.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["database.url", "fabric.brokers", "identity.issuers"]
    );
}
