//! The addresses that are not simply somebody's host on the Internet.
//!
//! From the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates), the multicast ranges,
//! and the metadata services of large clouds, which answer any process on a machine with its credentials.
//! Deliberately absent: what settings permit; see [`crate::target`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What it takes to dial an address of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Nothing: it is globally reachable.
    Global,
    /// A permitted network that contains it.
    Permitted,
    /// A permitted network that contains it and lies wholly within the range.
    Named,
    /// It is never dialled.
    Never,
}

/// One range and what it is for.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) network: IpNet,
    pub(crate) purpose: &'static str,
    pub(crate) rule: Rule,
}

/// The range an address belongs to: the first that matches, so narrower ranges stand before wider ones.
pub(crate) fn range_of(ip: IpAddr) -> Option<&'static Range> {
    match ip {
        IpAddr::V4(_) => IPV4.iter().find(|range| range.network.contains(&ip)),
        IpAddr::V6(_) => IPV6.iter().find(|range| range.network.contains(&ip)),
    }
}

/// The IPv4 addresses to which a packet for `ip` may end up being forwarded, each with the mechanism that would.
pub(crate) fn embedded_in(ip: Ipv6Addr) -> Vec<(Ipv4Addr, &'static str)> {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = ip.segments();
    let mut found = Vec::new();
    if (s0, s1) == (0x64, 0xff9b) {
        found.push((join(s6, s7), "NAT64"));
    }
    if s0 == 0x2002 {
        found.push((join(s1, s2), "6to4"));
    }
    if (s0, s1) == (0x2001, 0) {
        found.push((join(s2, s3), "Teredo server"));
        found.push((join(!s6, !s7), "Teredo"));
    }
    if s4 & 0xfdff == 0 && s5 == 0x5efe {
        found.push((join(s6, s7), "ISATAP"));
    }
    found
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8, rule: Rule, purpose: &'static str) -> Range {
    Range { network: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)), purpose, rule }
}

const fn v6(segments: [u16; 8], prefix: u8, rule: Rule, purpose: &'static str) -> Range {
    let [a, b, c, d, e, f, g, h] = segments;
    Range { network: IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)), purpose, rule }
}

static IPV4: [Range; 25] = [
    v4(255, 255, 255, 255, 32, Rule::Never, "limited broadcast"),
    v4(224, 0, 0, 0, 4, Rule::Never, "multicast"),
    v4(0, 0, 0, 0, 8, Rule::Never, "this network"),
    v4(127, 0, 0, 0, 8, Rule::Named, "loopback"),
    v4(169, 254, 0, 0, 16, Rule::Named, "link-local"),
    v4(100, 100, 100, 200, 32, Rule::Named, "cloud metadata"),
    v4(168, 63, 129, 16, 32, Rule::Named, "cloud platform"),
    v4(192, 0, 0, 192, 32, Rule::Named, "cloud metadata"),
    v4(10, 0, 0, 0, 8, Rule::Permitted, "private use"),
    v4(172, 16, 0, 0, 12, Rule::Permitted, "private use"),
    v4(192, 168, 0, 0, 16, Rule::Permitted, "private use"),
    v4(100, 64, 0, 0, 10, Rule::Permitted, "shared address space"),
    v4(192, 0, 0, 0, 29, Rule::Permitted, "IPv4 service continuity"),
    v4(192, 0, 0, 0, 24, Rule::Permitted, "IETF protocol assignments"),
    v4(192, 0, 2, 0, 24, Rule::Permitted, "documentation"),
    v4(198, 51, 100, 0, 24, Rule::Permitted, "documentation"),
    v4(203, 0, 113, 0, 24, Rule::Permitted, "documentation"),
    v4(192, 31, 196, 0, 24, Rule::Permitted, "AS112"),
    v4(192, 175, 48, 0, 24, Rule::Permitted, "AS112"),
    v4(192, 52, 193, 0, 24, Rule::Permitted, "AMT"),
    v4(192, 88, 99, 2, 32, Rule::Permitted, "6a44 relay"),
    v4(192, 88, 99, 0, 24, Rule::Permitted, "6to4 relay anycast"),
    v4(198, 18, 0, 0, 15, Rule::Permitted, "benchmarking"),
    v4(240, 0, 0, 0, 4, Rule::Permitted, "reserved"),
    v4(0, 0, 0, 0, 0, Rule::Global, "global unicast"),
];

static IPV6: [Range; 28] = [
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, Rule::Named, "loopback"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, Rule::Never, "unspecified"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Rule::Never, "multicast"),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, Rule::Never, "IPv4-mapped"),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, Rule::Never, "IPv4-translated"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, Rule::Never, "IPv4-compatible"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Rule::Named, "link-local"),
    v6([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0], 32, Rule::Named, "cloud metadata"),
    v6([0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254], 128, Rule::Named, "cloud metadata"),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Rule::Named, "local-use IPv4/IPv6 translation"),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, Rule::Global, "IPv4/IPv6 translation"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Rule::Permitted, "unique local"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Rule::Permitted, "site-local"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, Rule::Permitted, "discard only"),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, Rule::Permitted, "dummy prefix"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, Rule::Permitted, "Teredo"),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, Rule::Permitted, "benchmarking"),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, Rule::Permitted, "ORCHID"),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, Rule::Permitted, "ORCHIDv2"),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, Rule::Permitted, "drone remote identification"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Rule::Permitted, "IETF protocol assignments"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Rule::Permitted, "documentation"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Rule::Permitted, "documentation"),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Rule::Permitted, "6to4"),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, Rule::Permitted, "AS112"),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, Rule::Permitted, "segment routing"),
    v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, Rule::Global, "global unicast"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 0, Rule::Permitted, "not allocated as global unicast"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrower_ranges_stand_before_wider_ones() {
        for table in [&IPV4[..], &IPV6[..]] {
            for (index, range) in table.iter().enumerate() {
                for earlier in &table[..index] {
                    assert!(!earlier.network.contains(&range.network), "{} hides {}", earlier.network, range.network);
                }
            }
        }
    }

    #[test]
    fn every_address_has_a_range() {
        for ip in ["0.0.0.0", "8.8.8.8", "255.255.255.255", "::", "4000::1", "2a00::1", "ffff:ffff::"] {
            assert!(range_of(ip.parse().unwrap()).is_some(), "{ip}");
        }
    }

    #[test]
    fn embedded_addresses_are_found() {
        for (ip, expected) in [
            ("64:ff9b::10.0.0.1", vec!["10.0.0.1"]),
            ("64:ff9b:1::10.0.0.1", vec!["10.0.0.1"]),
            ("2002:7f00:1::1", vec!["127.0.0.1"]),
            ("2001:0:7f00:1::80ff:fffe", vec!["127.0.0.1", "127.0.0.1"]),
            ("2a00:1450::5efe:a00:1", vec!["10.0.0.1"]),
            ("2a00:1450:0:1:0:5efe:a00:1", vec!["10.0.0.1"]),
            ("2a00:1450:0:1:200:5efe:a00:1", vec!["10.0.0.1"]),
            ("2a00:1450:4001:81d::200e", vec![]),
        ] {
            let found: Vec<String> =
                embedded_in(ip.parse().unwrap()).iter().map(|(inner, _)| inner.to_string()).collect();
            assert_eq!(found, expected, "{ip}");
        }
    }
}
