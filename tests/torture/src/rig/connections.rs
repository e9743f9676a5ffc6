//! The connections of the services to PostgreSQL and Kafka, and of their callers to them. They pass through here, where
//! they can be cut, slowed down or left half-open, as a bad cable, a full switch or a forgetful firewall would. It must not
//! know what is said.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// So much is passed on at once, in bytes.
const CHUNK_BYTES: usize = 65_536;
/// What is slowed down waits so long, chunk by chunk.
const SLOW_BY: Duration = Duration::from_millis(40);

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// PostgreSQL.
    Postgres,
    /// Kafka.
    Kafka,
    /// All four services; a second instance is reached past this.
    Services,
}

impl Server {
    /// All of them.
    pub const ALL: [Server; 3] = [Server::Postgres, Server::Kafka, Server::Services];

    /// The names of its ports in a state folder.
    fn ports(self) -> &'static [&'static str] {
        match self {
            Server::Postgres => &["postgres"],
            Server::Kafka => &["kafka"],
            Server::Services => &["gate.grpc", "customs.grpc", "bonded.grpc", "release.grpc"],
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Server::Postgres => "PostgreSQL",
            Server::Kafka => "Kafka",
            Server::Services => "the services",
        })
    }
}

/// How its connections fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// What is said arrives.
    #[default]
    Sound,
    /// Those that stand are closed, and new ones are closed at once.
    Cut,
    /// What is said arrives late.
    Slow,
    /// Nothing arrives any more and nobody is told; those that stood then never speak again.
    HalfOpen,
}

/// All connections, by the name of the port to which they are passed on.
pub struct Connections(BTreeMap<&'static str, To>);

struct To {
    port: u16,
    fares: Arc<watch::Sender<Fares>>,
}

/// How connections fare now, and how often they have gone half-open: who stood before is forgotten.
#[derive(Clone, Copy, Default)]
struct Fares {
    state: State,
    half_open: u64,
}

impl Fares {
    /// Whether a connection that was born under those is forgotten by now.
    fn forget(self, born: Fares) -> bool {
        born.state == State::HalfOpen || self.half_open > born.half_open
    }
}

impl Connections {
    /// Listens for all, and passes on to what a state folder says as soon as that is there.
    ///
    /// # Errors
    /// No port is free.
    pub fn to_servers_of(folder: &Path) -> anyhow::Result<Connections> {
        let ports = Server::ALL.into_iter().flat_map(Server::ports);
        let listen = |name: &&'static str| {
            let to = To::listen(folder, name);
            Ok((*name, to.with_context(|| format!("to {name}"))?))
        };
        let to: anyhow::Result<_> = ports.map(listen).collect();
        Ok(Connections(to?))
    }

    /// What the services must be told in their environment, so that they come this way.
    pub fn environment(&self) -> (String, String) {
        let ports = format!("{},{}", self.port("postgres"), self.port("kafka"));
        ("GREENLANE_PASSED_ON_AT".to_owned(), ports)
    }

    /// Where a service's callers find it.
    pub fn address_of(&self, service: &str) -> String {
        format!("http://127.0.0.1:{}", self.port(&format!("{service}.grpc")))
    }

    fn port(&self, name: &str) -> u16 {
        self.0.get(name).map_or(0, |to| to.port)
    }

    /// From now on those to this server fare so.
    pub fn fare(&self, server: Server, state: State) {
        for to in server.ports().iter().filter_map(|name| self.0.get(name)) {
            to.fares.send_modify(|fares| {
                fares.state = state;
                fares.half_open += u64::from(state == State::HalfOpen);
            });
        }
    }
}

impl To {
    fn listen(folder: &Path, server: &'static str) -> anyhow::Result<To> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let fares = Arc::new(watch::Sender::new(Fares::default()));
        let (of_folder, sender) = (folder.to_owned(), fares.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // Of its own thread: who plays and who looks must not slow it down.
        std::thread::Builder::new()
            .name(format!("to {server}"))
            .spawn(move || runtime.block_on(accept(listener, of_folder, server, sender)))?;
        Ok(To { port, fares })
    }
}

async fn accept(
    listener: std::net::TcpListener,
    folder: PathBuf,
    server: &'static str,
    fares: Arc<watch::Sender<Fares>>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        let (folder, fares) = (folder.clone(), fares.subscribe());
        tokio::spawn(async move {
            // A server that is away is met like any other that refuses: by a closed connection.
            let _ = pass_on(client, &folder, server, fares).await;
        });
    }
}

async fn pass_on(
    client: TcpStream,
    folder: &Path,
    server: &str,
    fares: watch::Receiver<Fares>,
) -> anyhow::Result<()> {
    let born = *fares.borrow();
    if born.state == State::Cut {
        return Ok(());
    }
    let upstream = TcpStream::connect(address(folder, server)?).await?;
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = upstream.into_split();
    let from_server = async {
        let ended = one_way(from_server, to_client, born, fares.clone()).await;
        // That the server has gone is not heard by whom it forgot.
        if fares.borrow().forget(born) {
            std::future::pending::<()>().await;
        }
        ended
    };
    // Whichever direction ends ends both.
    tokio::select! {
        ended = one_way(from_client, to_server, born, fares.clone()) => ended?,
        ended = from_server => ended?,
    }
    Ok(())
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    born: Fares,
    mut fares: watch::Receiver<Fares>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let now = *fares.borrow_and_update();
        let forgotten = now.forget(born);
        if now.state == State::Cut && !forgotten {
            return Ok(());
        }
        let count = tokio::select! {
            biased;
            changed = fares.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
            read = from.read(&mut chunk) => read?,
        };
        if count == 0 {
            return Ok(());
        }
        if now.state == State::Slow {
            sleep(SLOW_BY).await;
        }
        if !forgotten {
            to.write_all(&chunk[..count]).await?;
        }
    }
}

fn address(folder: &Path, server: &str) -> anyhow::Result<SocketAddr> {
    let ports = std::fs::read_to_string(folder.join("ports.json"))?;
    let ports: serde_json::Value = serde_json::from_str(&ports)?;
    let port = ports[server].as_u64().context("no port")?;
    Ok((Ipv4Addr::LOCALHOST, u16::try_from(port)?).into())
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    struct Echo {
        connections: Connections,
        _folder: tempfile::TempDir,
    }

    impl Echo {
        async fn new() -> Echo {
            let folder = tempfile::tempdir().unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let ports = serde_json::json!({ "postgres": port, "kafka": port });
            std::fs::write(folder.path().join("ports.json"), ports.to_string()).unwrap();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(async move {
                        let (mut from, mut to) = stream.into_split();
                        tokio::io::copy(&mut from, &mut to).await
                    });
                }
            });
            let connections = Connections::to_servers_of(folder.path()).unwrap();
            Echo {
                connections,
                _folder: folder,
            }
        }

        async fn connect(&self) -> TcpStream {
            let port = self.connections.port("postgres");
            TcpStream::connect(("127.0.0.1", port)).await.unwrap()
        }

        fn fare(&self, state: State) {
            self.connections.fare(Server::Postgres, state);
        }
    }

    async fn says_and_hears(stream: &mut TcpStream) -> io::Result<u8> {
        stream.write_all(&[7]).await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn what_is_said_arrives_and_a_cut_ends_it() {
        let echo = Echo::new().await;
        let mut stream = echo.connect().await;
        assert_eq!(says_and_hears(&mut stream).await.unwrap(), 7);
        echo.fare(State::Cut);
        let cut = timeout(DEADLINE, stream.read_u8()).await.unwrap();
        assert!(cut.is_err());
        let refused = says_and_hears(&mut echo.connect().await).await;
        assert!(refused.is_err());
        echo.fare(State::Sound);
        assert_eq!(says_and_hears(&mut echo.connect().await).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_half_open_connection_never_speaks_again_and_a_later_one_does() {
        let echo = Echo::new().await;
        let mut stood = echo.connect().await;
        assert_eq!(says_and_hears(&mut stood).await.unwrap(), 7);
        echo.fare(State::HalfOpen);
        stood.write_all(&[8]).await.unwrap();
        echo.fare(State::Sound);
        let mut later = echo.connect().await;
        assert_eq!(says_and_hears(&mut later).await.unwrap(), 7);
        let silent = timeout(Duration::from_millis(200), says_and_hears(&mut stood)).await;
        assert!(silent.is_err(), "{silent:?}");
    }
}
