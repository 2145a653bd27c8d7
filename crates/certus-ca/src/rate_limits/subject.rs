//! Whose a bucket is: addresses and networks, registered domains, sets of names, accounts with a name.

use std::collections::BTreeSet;
use std::net::IpAddr;

use certus_acme::Identifier;
use certus_pki::{DnsName, sha256};
use data_encoding::HEXLOWER;
use ipnet::IpNet;

use crate::id::AccountId;

/// The longest set of names that is written out; longer ones are named by their digest.
const MAX_WRITTEN: usize = 255;

/// What one host has to itself: an IPv4 address, or a /64, from which hosts choose as they like (RFC 8981).
pub(super) fn address(address: IpAddr) -> String {
    within(address, 32, 64)
}

/// What one party has: a /24, the smallest that is routed by itself, or a /48 (RFC 6177).
pub(super) fn network(address: IpAddr) -> String {
    within(address, 24, 48)
}

fn within(address: IpAddr, of_v4: u8, of_v6: u8) -> String {
    let address = address.to_canonical();
    let prefix = match address {
        IpAddr::V4(_) => of_v4,
        IpAddr::V6(_) => of_v6,
    };
    match IpNet::new(address, prefix) {
        Ok(network) if prefix < network.max_prefix_len() => network.trunc().to_string(),
        Ok(_) | Err(_) => address.to_string(),
    }
}

/// The domains that a registry gave to somebody, each once: what one party has. An address stands for itself.
pub(super) fn registered_domains(identifiers: &[Identifier]) -> BTreeSet<String> {
    identifiers.iter().map(registered_domain).collect()
}

/// By the public suffix list; a name that it does not know, such as one of an internal top-level domain, belongs to who has
/// the name just below the top. A public suffix itself is its own.
pub(super) fn registered_domain(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Dns(name) | Identifier::Wildcard(name) => registered(name).to_owned(),
        Identifier::Ip(address) => self::address(*address),
    }
}

fn registered(name: &DnsName) -> &str {
    psl::domain_str(name.as_str()).unwrap_or(name.as_str())
}

/// The set of names, in whatever order they were given.
pub(super) fn exact_set(identifiers: &[Identifier]) -> String {
    let names: BTreeSet<String> = identifiers.iter().map(Identifier::value).collect();
    let written = names.into_iter().collect::<Vec<_>>().join(",");
    if written.len() <= MAX_WRITTEN {
        written
    } else {
        format!("sha256:{}", HEXLOWER.encode(&sha256(written.as_bytes())))
    }
}

/// An account with a name that is validated for it.
pub(super) fn pair(account: AccountId, identifier: &Identifier) -> String {
    format!("{account}/{}", identifier.authorized().value())
}

#[cfg(test)]
mod tests {
    use certus_acme::RawIdentifier;

    use super::*;

    fn identifier(value: &str) -> Identifier {
        let kind = if value.parse::<IpAddr>().is_ok() { "ip" } else { "dns" };
        Identifier::parse(&RawIdentifier { kind: kind.to_owned(), value: value.to_owned() }).unwrap()
    }

    #[test]
    fn who_has_many_addresses_is_one_party() {
        for (from, own, shared) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("::", "::/64", "::/48"),
        ] {
            let from = from.parse().unwrap();
            assert_eq!((address(from), network(from)), (own.to_owned(), shared.to_owned()), "{from}");
        }
    }

    #[test]
    fn a_registered_domain_is_what_somebody_was_given() {
        for (name, expected) in [
            ("example.com", "example.com"),
            ("a.b.example.com", "example.com"),
            ("*.example.com", "example.com"),
            ("a.example.co.uk", "example.co.uk"),
            ("co.uk", "co.uk"),
            ("me.github.io", "me.github.io"),
            ("a.me.github.io", "me.github.io"),
            ("host.corp", "host.corp"),
            ("a.b.host.corp", "host.corp"),
            ("localhost", "localhost"),
            ("a.localhost", "a.localhost"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(registered_domain(&identifier(name)), expected, "{name}");
        }
    }

    #[test]
    fn a_set_is_the_same_in_any_order() {
        let [a, b, c] = ["a.example", "*.a.example", "192.0.2.1"].map(identifier);
        let set = exact_set(&[a.clone(), b.clone(), c.clone()]);
        assert_eq!(set, "*.a.example,192.0.2.1,a.example");
        assert_eq!(exact_set(&[c, a.clone(), b.clone()]), set);
        assert_ne!(exact_set(&[a, b]), set);
        let many: Vec<Identifier> = (0..100).map(|number| identifier(&format!("n{number}.example"))).collect();
        let long = exact_set(&many);
        assert!(long.starts_with("sha256:") && long.len() == 71, "{long}");
        assert_ne!(exact_set(&many[1..]), long);
    }

    #[test]
    fn a_wildcard_fails_as_the_name_it_is_validated_at() {
        let account = AccountId::random();
        assert_eq!(pair(account, &identifier("*.a.example")), format!("{account}/a.example"));
        assert_eq!(pair(account, &identifier("a.example")), format!("{account}/a.example"));
    }
}
