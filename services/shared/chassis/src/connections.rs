//! Connections as they come in: so many in all and so many from one address; over TLS where a certificate is configured,
//! whose files are read again when they change; and with the certificate that the other end showed. It must not know
//! who that is, nor what is called.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use fabric::{Attempt, Attempts};
use futures::StreamExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig as TlsConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::{Connected, TcpIncoming};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::ServerConfig;
use crate::shutdown::Shutdown;

/// Connections that are made out and wait to be served; whoever comes then waits too.
const WAITING_MAX: usize = 256;
/// With so many bytes a caller has said that it speaks HTTP/2 (RFC 9113, 3.4): the preface and the head of its settings.
const GREETING_BYTES: usize = 33;
/// How often at most the files are looked at; only when somebody connects.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After the system has refused a connection (no more files, for one) the next is asked for so much later.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);
/// The most names of a certificate that are read.
const CERTIFICATE_NAMES_MAX: usize = 64;

const REFUSED: &str = "greenlane_connections_refused_total";

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{0} cannot be read, check the tls_..._file settings of the server section: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A file holds no PEM of the kind that it should.
    #[error("{0} holds no {1} in PEM")]
    Pem(PathBuf, &'static str),
    /// What was read does not fit together.
    #[error("certificate, key and authorities do not fit together: {0}")]
    Unfit(String),
}

/// The certificate that the other end showed; an authority that we trust has signed it, and it was good then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// The names that it is for: DNS names and URIs (RFC 5280, 4.2.1.6).
    pub names: Vec<String>,
    /// When its time is over, in seconds since 1970.
    pub not_after: i64,
}

impl ClientCertificate {
    /// Nothing if it cannot be read.
    fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let written = alternatives
            .iter()
            .flat_map(|alternatives| &alternatives.value.general_names);
        let names = written.filter_map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
            _ => None,
        });
        Some(Self {
            names: names.take(CERTIFICATE_NAMES_MAX).collect(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }
}

/// What is known of the other end of a connection; in the extensions of each of its requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    /// Where it is.
    pub address: Option<IpAddr>,
    /// What it showed, if it showed one.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// A connection that has its place.
pub(crate) struct Connection {
    stream: Transport,
    peer: Peer,
    /// Until the other end has said that it speaks HTTP/2: only then is it asked whether it lives.
    greeting: Option<Greeting>,
    _place: Place,
}

struct Greeting {
    bytes_left: usize,
    until: Pin<Box<Sleep>>,
}

impl Connection {
    fn new(stream: Transport, peer: Peer, until: Instant, place: Place) -> Self {
        Self {
            stream,
            peer,
            greeting: Some(Greeting {
                bytes_left: GREETING_BYTES,
                until: Box::pin(tokio::time::sleep_until(until)),
            }),
            _place: place,
        }
    }

    /// Whether the other end has had its time to say what it speaks, after so many more bytes.
    fn is_overdue(&mut self, bytes: usize, context: &mut Context<'_>) -> bool {
        let Some(greeting) = &mut self.greeting else {
            return false;
        };
        greeting.bytes_left = greeting.bytes_left.saturating_sub(bytes);
        if greeting.bytes_left == 0 {
            self.greeting = None;
            return false;
        }
        greeting.until.as_mut().poll(context).is_ready()
    }
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        let bytes = buffer.filled().len() - before;
        if self.is_overdue(bytes, context) {
            metrics::counter!(REFUSED, "cause" => "silent").increment(1);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(context),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// The connections that come in until shutdown is requested; then nobody listens any more.
pub(crate) fn accepted(
    listening: TcpIncoming,
    tls: Option<Tls>,
    config: &ServerConfig,
    attempts: Attempts,
    shutdown: Shutdown,
) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let places = Places::of(config);
    let handshake_timeout = Duration::from_millis(config.handshake_timeout_ms);
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.requested() => {}
            () = sender.closed() => {}
            () = accept(listening, tls, places, (handshake_timeout, attempts), &sender) => {}
        }
    });
    ReceiverStream::new(receiver)
}

async fn accept(
    mut listening: TcpIncoming,
    mut tls: Option<Tls>,
    places: Places,
    (handshake_timeout, attempts): (Duration, Attempts),
    sender: &mpsc::Sender<io::Result<Connection>>,
) {
    while let Some(stream) = listening.next().await {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be taken");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                continue;
            }
        };
        // Who has left already has no address.
        let Ok(address) = stream.peer_addr() else {
            continue;
        };
        let place = match places.take(address) {
            Ok(place) => place,
            Err(cause) => {
                metrics::counter!(REFUSED, "cause" => cause).increment(1);
                continue;
            }
        };
        let acceptor = match &mut tls {
            None => None,
            Some(tls) => Some(tls.acceptor().await),
        };
        let (sender, attempts) = (sender.clone(), attempts.clone());
        // Many at once: whoever is slow to say who it is keeps nobody waiting. Each has its place.
        tokio::spawn(async move {
            let until = Instant::now() + handshake_timeout;
            let address = address.ip();
            let made_out = make_out(stream, acceptor, address, until, place);
            match tokio::time::timeout_at(until, made_out).await {
                // Nobody serves any more: the connection ends.
                Ok(Ok(connection)) => drop(sender.send(Ok(connection)).await),
                Ok(Err(error)) => refused_tls(&error.to_string(), address, &attempts),
                Err(_) => refused_tls("it took too long", address, &attempts),
            }
        });
    }
}

fn refused_tls(cause: &str, address: IpAddr, attempts: &Attempts) {
    metrics::counter!(REFUSED, "cause" => "tls").increment(1);
    attempts.note(Attempt {
        address: Some(address),
        reason: "TLS_REFUSED".to_owned(),
        ..Attempt::default()
    });
    tracing::debug!(cause, "a TLS handshake was refused");
}

async fn make_out(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    address: IpAddr,
    until: Instant,
    place: Place,
) -> io::Result<Connection> {
    let Some(acceptor) = acceptor else {
        let stream = Transport::Plain(stream);
        let peer = Peer {
            address: Some(address),
            certificate: None,
        };
        return Ok(Connection::new(stream, peer, until, place));
    };
    let stream = acceptor.accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates();
    let certificate = match shown.and_then(<[CertificateDer<'_>]>::first) {
        None => None,
        Some(der) => Some(Arc::new(ClientCertificate::of(der).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "its certificate cannot be read")
        })?)),
    };
    let stream = Transport::Tls(Box::new(stream));
    let peer = Peer {
        address: Some(address),
        certificate,
    };
    Ok(Connection::new(stream, peer, until, place))
}

/// How many connections there may be.
#[derive(Clone)]
struct Places {
    all: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_address_max: usize,
}

/// A connection's place, given back when it ends.
struct Place {
    address: IpAddr,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    fn of(config: &ServerConfig) -> Self {
        Self {
            all: Arc::new(Semaphore::new(config.connections_max)),
            by_address: Arc::default(),
            per_address_max: config.connections_per_address_max,
        }
    }

    /// A place for who is at this address, or the cause why there is none.
    fn take(&self, address: SocketAddr) -> Result<Place, &'static str> {
        let of_all = Arc::clone(&self.all).try_acquire_owned();
        let of_all = of_all.map_err(|_| "full")?;
        let address = address.ip();
        let mut by_address = held(&self.by_address);
        let count = by_address.entry(address).or_default();
        if *count >= self.per_address_max {
            return Err("address");
        }
        *count += 1;
        drop(by_address);
        Ok(Place {
            address,
            by_address: Arc::clone(&self.by_address),
            _of_all: of_all,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = held(&self.by_address);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Whoever panicked while counting left a count that is whole.
fn held(
    by_address: &Mutex<HashMap<IpAddr, usize>>,
) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
    by_address.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The server's side of TLS, as its files are now.
pub(crate) struct Tls {
    files: TlsFiles,
    seen: Vec<Option<(SystemTime, u64)>>,
    looked_at: Instant,
    acceptor: TlsAcceptor,
}

struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

impl Tls {
    /// TLS as it is configured; none if it is not.
    pub async fn open(config: &ServerConfig) -> Result<Option<Tls>, TlsError> {
        let (Some(certificate), Some(key)) = (&config.tls_certificate_file, &config.tls_key_file)
        else {
            return Ok(None);
        };
        crate::install_tls_provider();
        let files = TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: config.tls_client_ca_file.clone(),
        };
        // Before they are read: what changes meanwhile is read again.
        let seen = files.seen().await;
        Ok(Some(Tls {
            acceptor: files.acceptor().await?,
            seen,
            looked_at: Instant::now(),
            files,
        }))
    }

    /// For the next connection. Files that changed and cannot be used, because they are being written perhaps, change
    /// nothing: the operator hears of it once.
    async fn acceptor(&mut self) -> TlsAcceptor {
        if self.looked_at.elapsed() >= LOOK_EVERY {
            self.looked_at = Instant::now();
            let seen = self.files.seen().await;
            if seen != self.seen {
                self.seen = seen;
                match self.files.acceptor().await {
                    Ok(acceptor) => {
                        self.acceptor = acceptor;
                        tracing::info!("the files of TLS have changed and are used from now on");
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the files of TLS have changed and cannot be used; the former stay in use");
                    }
                }
            }
        }
        self.acceptor.clone()
    }
}

impl TlsFiles {
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.certificate, &self.key]
            .into_iter()
            .chain(&self.client_ca)
    }

    /// When each was changed, and how long it is; nothing if it is not there.
    async fn seen(&self) -> Vec<Option<(SystemTime, u64)>> {
        let mut seen = Vec::new();
        for file in self.all() {
            let found = tokio::fs::metadata(file).await;
            seen.push(
                found
                    .ok()
                    .and_then(|found| Some((found.modified().ok()?, found.len()))),
            );
        }
        seen
    }

    async fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let builder = TlsConfig::builder();
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(file).await? {
                    roots.add(authority).map_err(unfit)?;
                }
                // Whoever shows none may have a token.
                let verifier =
                    WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated();
                builder.with_client_cert_verifier(verifier.build().map_err(unfit)?)
            }
        };
        let chain = certificates(&self.certificate).await?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key).await?)
            .map_err(|_| TlsError::Pem(self.key.clone(), "private key"))?;
        let mut config = builder.with_single_cert(chain, key).map_err(unfit)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn unfit(error: impl std::fmt::Display) -> TlsError {
    TlsError::Unfit(error.to_string())
}

async fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file).await?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(TlsError::Pem(file.to_owned(), "certificate")),
    }
}

async fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(file)
        .await
        .map_err(|error| TlsError::File(file.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_every_place_and_a_place_is_given_back() {
        let places = Places {
            all: Arc::new(Semaphore::new(3)),
            by_address: Arc::default(),
            per_address_max: 2,
        };
        let [one, other]: [SocketAddr; 2] =
            ["192.0.2.1:1", "192.0.2.2:1"].map(|address| address.parse().unwrap());
        let first = places.take(one).unwrap();
        let _second = places.take(one).unwrap();
        assert_eq!(places.take(one).err(), Some("address"));
        let _third = places.take(other).unwrap();
        assert_eq!(places.take(other).err(), Some("full"));
        drop(first);
        let _again = places.take(other).unwrap();
        assert_eq!(held(&places.by_address).len(), 2);
    }
}
