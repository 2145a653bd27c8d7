//! Answers of name servers: addresses and texts, and the aliases that lead to them (RFC 1034, RFC 1035, RFC 8555 section
//! 8.4).

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use certus_pki::DnsName;
use certus_validate::{read_addresses, read_texts};

use crate::text::printable;

/// The name that answers are about.
pub(crate) const NAME: &str = "www.a.example";

/// The input as an answer about addresses, and as one about texts: nothing is found in it that did not come.
pub fn answer(data: &[u8]) {
    match read_addresses(&WWW, data) {
        Ok(found) => {
            assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len(), "{found:?}");
            assert!(found.iter().all(|address| came(data, *address)), "{found:?}");
        }
        Err(error) => printable(&error),
    }
    match read_texts(&WWW, data) {
        Ok(found) => assert!(found.iter().map(Vec::len).sum::<usize>() <= data.len()),
        Err(error) => printable(&error),
    }
}

/// Addresses stand in an answer as they are.
fn came(data: &[u8], address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => data.windows(4).any(|window| window == address.octets()),
        IpAddr::V6(address) => data.windows(16).any(|window| window == address.octets()),
    }
}

static WWW: LazyLock<DnsName> = LazyLock::new(|| DnsName::parse(NAME).expect("a name"));
