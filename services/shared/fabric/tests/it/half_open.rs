//! A connection to the database whose other end has gone without a word: it is given up, and another takes its
//! place. Here somebody stands between and falls silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fabric::{ReadLimits, Reads, Rights};
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::counter::{database, eventually};

const SOON: Duration = Duration::from_secs(60);

/// Passes on what is said, and on what stood when it fell silent, nothing more.
struct Between {
    port: u16,
    silences: Arc<AtomicU64>,
}

impl Between {
    async fn before(server: u16) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silences = Arc::new(AtomicU64::new(0));
        let fallen = Arc::clone(&silences);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let born = fallen.load(Ordering::SeqCst);
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass_on(from_client, to_server, Arc::clone(&fallen), born));
                tokio::spawn(pass_on(from_server, to_client, Arc::clone(&fallen), born));
            }
        });
        Between { port, silences }
    }

    fn fall_silent(&self) {
        self.silences.fetch_add(1, Ordering::SeqCst);
    }
}

async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    silences: Arc<AtomicU64>,
    born: u64,
) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let stands = silences.load(Ordering::SeqCst) == born;
        if stands && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    if silences.load(Ordering::SeqCst) != born {
        // An end is not heard of either.
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_lent_connection_that_fell_silent_is_replaced() {
    let database = database().await;
    let options: PgConnectOptions = database.service_url.parse().unwrap();
    let between = Between::before(options.get_port()).await;
    let (direct, passed_on) = (options.get_port(), between.port);
    let url = database
        .service_url
        .replace(&format!(":{direct}/"), &format!(":{passed_on}/"));
    let limits = ReadLimits {
        connections_max: 1,
        ..ReadLimits::FEW
    };
    let reads = Reads::open("test", &url, limits).unwrap();
    let mut lent = reads.of(&Rights::Everything).await.unwrap();
    sqlx::raw_sql("select 1").execute(&mut *lent).await.unwrap();
    between.fall_silent();
    drop(lent);
    eventually("another is lent", SOON, || async {
        reads.of(&Rights::Everything).await.is_ok()
    })
    .await;
}
