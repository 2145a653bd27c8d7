//! Ports for programs that a test starts, and starts again.
//!
//! They lie below those that the system gives to outgoing connections (`ip_local_port_range` begins at 32768), so that
//! none is taken between its choice and its use, or while a program is down.

use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use certus_pki::random_bytes;

/// Where the search begins and ends.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// Ports that nobody listens on, each given once in a process.
#[must_use]
pub fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU16::new(u16::from_be_bytes(random_bytes())));
    [(); N].map(|()| {
        loop {
            let port = FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT;
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                break port;
            }
        }
    })
}
