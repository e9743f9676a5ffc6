//! HTTP/2 as bytes (RFC 9113): frames that a well-behaved library would not send, and the headers of a gRPC call. It must
//! not know what is attacked.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};

/// RFC 9113, 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
/// The setting of the window that each stream begins with.
pub const INITIAL_WINDOW_SIZE: u16 = 4;

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    let mut frame = Vec::with_capacity(9 + payload.len());
    frame.extend_from_slice(&length[1..]);
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// One setting.
pub fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()[..]].concat()
}

/// The headers of a gRPC call, each written out (RFC 7541, 6.2.2, without indexing and Huffman coding).
pub fn call(path: &str, bearer: &str, encoding: Option<&str>) -> Vec<u8> {
    let mut block = Vec::new();
    let encoding = encoding.map(|encoding| ("grpc-encoding", encoding));
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", bearer),
    ];
    for (name, value) in headers.into_iter().chain(encoding) {
        block.push(0);
        for text in [name, value] {
            length(text.len(), &mut block);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541, 5.1).
fn length(mut value: usize, block: &mut Vec<u8>) {
    const PREFIX: usize = 127;
    if value < PREFIX {
        block.push(value as u8);
        return;
    }
    block.push(127);
    value -= PREFIX;
    while value >= 128 {
        block.push((value % 128 + 128) as u8);
        value /= 128;
    }
    block.push(value as u8);
}

/// A connection from another address of this machine than honest callers have.
pub async fn connect(from: Ipv4Addr, to: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(to).await.context("not connected")
}

/// A connection on which HTTP/2 has been begun, with these settings.
pub async fn begin(
    from: Ipv4Addr,
    to: SocketAddr,
    settings: &[u8],
) -> anyhow::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    let (reading, mut writing) = connect(from, to).await?.into_split();
    writing.write_all(PREFACE).await?;
    writing.write_all(&frame(SETTINGS, 0, 0, settings)).await?;
    Ok((reading, writing))
}

/// Takes whatever comes, until nothing does any more.
pub async fn discard(mut reading: OwnedReadHalf) {
    let mut buffer = vec![0; 65_536];
    while let Ok(1..) = reading.read(&mut buffer).await {}
}
