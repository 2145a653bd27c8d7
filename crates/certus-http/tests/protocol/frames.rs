//! HTTP/2 octet by octet (RFC 9113), for clients that no library would be.

use tokio::io::{AsyncRead, AsyncReadExt};

/// What a client says first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
/// Of SETTINGS and PING.
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
/// `:method GET`, `:scheme https`, `:path /`, `:authority x` (RFC 7541 appendix A).
pub(crate) const GET: &[u8] = &[0x82, 0x87, 0x84, 0x01, 1, b'x'];

/// Type, flags, stream, payload.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a POST of ACME to that path.
pub(crate) fn post(path: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    // `:method POST`, `:scheme https`, `:path`, `:authority x`, `content-type` without an entry in the table.
    let mut block = vec![0x83, 0x87, 0x04];
    block.extend(text(path));
    block.extend([0x01, 1, b'x', 0x0f, 0x10]);
    block.extend(text("application/jose+json"));
    block
}

/// A frame that was read.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

/// Reads the next frame.
pub(crate) async fn next(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).unwrap()];
    stream.read_exact(&mut payload).await?;
    Ok(Frame { kind: head[3], flags: head[4], payload })
}
