//! Limits on bytes, connections and time, each with its reason.

use std::time::Duration;

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
/// How long a TLS handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Octets of a request's header: twenty times what ACME clients send.
pub const MAX_HEADER: usize = 16 * 1024;
/// Header fields of a request.
pub const MAX_HEADER_FIELDS: usize = 64;
/// Connections at once: each holds about 40 KiB, so 4,096 are 160 MiB at the very worst.
pub const MAX_CONNECTIONS: usize = 4_096;
/// HTTP/2 streams at once on one connection.
pub const MAX_STREAMS: u32 = 64;
/// Streams a client may reset before its connection is closed (rapid reset, CVE-2023-44487).
pub const MAX_RESET_STREAMS: usize = 64;
/// How often a silent HTTP/2 connection is asked whether its client is there.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// How long accepting pauses when the machine has no file descriptor left.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
