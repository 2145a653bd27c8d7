//! Limits on bytes, connections, requests and time, each with its reason.

use std::time::Duration;

/// How many connections each of the two listeners may have at once when the process may open so many file descriptors:
/// [`MAX_CONNECTIONS`], or as many as that leaves room for.
#[must_use]
pub fn connections(descriptors: u64) -> usize {
    let room = descriptors.saturating_sub(RESERVED_DESCRIPTORS) / 2;
    usize::try_from(room).unwrap_or(MAX_CONNECTIONS).clamp(SOURCE_SHARE, MAX_CONNECTIONS)
}

/// Octets of a request body: a CSR with 100 long names and an RSA key is 30 KiB in base64url twice over; more is no ACME.
pub const MAX_BODY: usize = 64 * 1024;
/// Octets of a body too large that are read and thrown away, so that the client gets to see the refusal instead of a
/// broken connection: what a script sends by mistake, not what a flood would.
pub const MAX_DISCARDED: usize = 2 * 1024 * 1024;
/// How long a body may take: a client on a bad line sends 64 KiB in less.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request's header may take, and how long a connection may idle between requests: longer than the pause
/// between two polls, so that clients keep their connection.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may say nothing, or take nothing of what it is told, where no limit above applies: as long as
/// the usual time-outs of proxies, and far longer than any answer is held back.
pub const SILENCE: Duration = Duration::from_secs(60);
/// How long a connection may last, however busy it is: no order takes an hour, and places change hands. What it asked
/// before is still answered.
pub const MAX_AGE: Duration = Duration::from_secs(3600);
/// How long a TLS handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Octets of a request's header: twenty times what ACME clients send.
pub const MAX_HEADER: usize = 16 * 1024;
/// Header fields of a request.
pub const MAX_HEADER_FIELDS: usize = 64;
/// Connections at once to one listener.
///
/// An idle one holds about 40 KiB, so 4,096 are 160 MiB; one over HTTP/2 at most ten times that, when it fills its window
/// and the headers of all its streams.
pub const MAX_CONNECTIONS: usize = 4_096;
/// The share of the connections that one source may have at once: a quarter.
///
/// So no one takes every place, and a fleet behind one address, or behind a proxy that passes connections on, still fits.
/// Four that work together do take every place.
pub const SOURCE_SHARE: usize = 4;
/// File descriptors that are left for other things than connections: validations (128 at once, each of which may ask a
/// resolver and a host), the store, the control socket, the log.
pub const RESERVED_DESCRIPTORS: u64 = 512;
/// Requests of ACME in flight at once: each may hold a body, so 1,024 are 64 MiB at worst. Twice as many as may be held
/// back for their outcome.
pub const MAX_REQUESTS: usize = 1_024;
/// Requests in flight at once from one source: a quarter, for the same reason.
///
/// A body may take [`BODY_TIMEOUT`], so that without this a few connections could keep everybody else waiting.
pub const MAX_REQUESTS_PER_SOURCE: usize = MAX_REQUESTS / 4;
/// HTTP/2 streams at once on one connection: a client that orders, polls and downloads for several names at once has a
/// handful. More would let a few connections take every place of [`MAX_REQUESTS`].
pub const MAX_STREAMS: u32 = 16;
/// Octets that an HTTP/2 connection may send before they are read: one body, the largest. It is also the least that the
/// protocol allows (RFC 9113 section 6.9.2).
pub const WINDOW: u32 = 64 * 1024;
/// Streams a client may reset before its connection is closed (rapid reset, CVE-2023-44487).
pub const MAX_RESET_STREAMS: usize = 64;
/// How often a silent HTTP/2 connection is asked whether its client is there.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// How long accepting pauses when the machine has no file descriptor left.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// CRL shards of an issuer, at most: each list is signed and written every day, and at this many a million certificates
/// leave a thousand to a list. No list has this number or a higher one.
pub const MAX_SHARDS: u32 = 1_024;
/// How long a publication is kept in memory, and how long that there is none: seconds, since a new list must be seen
/// within a minute.
pub const KEPT: Duration = Duration::from_secs(2);
/// Publications kept at once: every shard of four issuers. Beyond that the store is asked each time.
pub const MAX_KEPT: usize = 4_096;
/// Questions about publications that the store is asked at once: the database has other work.
pub const MAX_ASKING: usize = 4;
/// Characters of a text of a stranger's making in a line of the log: any name that is one fits with what is said of it.
/// How many such lines there are is for the log's level to say (refusals are `info`).
pub const MAX_LOGGED: usize = 200;
