//! The name servers this machine is set up with, read from `/etc/resolv.conf`.
//!
//! Deliberately absent: every other line of that file. A search list would make one name mean another, and the
//! options suit interactive programs.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Where the C library reads its settings; resolv.conf(5).
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How many the C library uses (`MAXNS`).
const MAX_NAME_SERVERS: usize = 3;
/// RFC 1035 section 4.2.1.
const DNS_PORT: u16 = 53;

/// The machine's name servers; none when it has none.
pub(crate) fn of_this_machine() -> Vec<SocketAddr> {
    match std::fs::read_to_string(Path::new(RESOLV_CONF)) {
        Ok(text) => parse(&text),
        Err(error) => {
            tracing::warn!(%error, path = RESOLV_CONF, "no name servers could be read");
            Vec::new()
        }
    }
}

fn parse(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next() == Some("nameserver")).then(|| words.next()).flatten()
        })
        .filter_map(|address| address.parse::<IpAddr>().ok())
        .map(|ip| SocketAddr::new(ip, DNS_PORT))
        .take(MAX_NAME_SERVERS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_name_servers_are_read() {
        let text = "# comment\n; nameserver 192.0.2.9\nsearch corp.example\nnameserver 192.0.2.1\n\
                    options ndots:5\n  nameserver\t2001:db8::53 # trailing\nnameserver fe80::1%eth0\nnameserver\n\
                    nameserver 192.0.2.3\nnameserver 192.0.2.4\n";
        let expected: Vec<SocketAddr> =
            ["192.0.2.1:53", "[2001:db8::53]:53", "192.0.2.3:53"].iter().map(|a| a.parse().unwrap()).collect();
        assert_eq!(parse(text), expected);
        assert_eq!(parse(""), Vec::new());
    }
}
