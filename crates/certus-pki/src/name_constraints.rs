//! Name constraints of CA certificates (RFC 5280 section 4.2.1.10).
//!
//! Only what concerns the names Certus certifies, dNSName and iPAddress, is kept. Constraints on other kinds of names
//! (directoryName, rfc822Name, …) bind certificates that have such names; ours have none.

use std::net::IpAddr;

use der::asn1::{Ia5String, OctetString};
use der::{Decode, Error, ErrorKind};
use x509_cert::ext::pkix::NameConstraints as Syntax;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;

use crate::name::{DnsName, SubjectName};

/// Which names a CA may certify.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameConstraints {
    permitted: Subtrees,
    excluded: Subtrees,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Subtrees {
    dns: Vec<String>,
    /// Address and mask, both of 4 or both of 16 octets.
    ip: Vec<(Vec<u8>, Vec<u8>)>,
}

impl NameConstraints {
    /// Whether a certificate under these constraints may carry `name`.
    #[must_use]
    pub fn allow(&self, name: &SubjectName) -> bool {
        match name {
            SubjectName::Dns(name) => {
                let within = |suffixes: &[String]| suffixes.iter().any(|suffix| covers(suffix, name));
                !within(&self.excluded.dns) && (self.permitted.dns.is_empty() || within(&self.permitted.dns))
            }
            // It stands for the names beneath: all must be permitted, and none excluded.
            SubjectName::Wildcard(base) => {
                let excluded = |suffix: &String| {
                    let suffix = suffix.strip_prefix('.').unwrap_or(suffix);
                    covers(suffix, base) || DnsName::parse(suffix).is_ok_and(|suffix| suffix.is_within(base))
                };
                let permitted = |suffix: &String| {
                    covers(suffix, base) || suffix.strip_prefix('.').is_some_and(|suffix| covers(suffix, base))
                };
                !self.excluded.dns.iter().any(excluded)
                    && (self.permitted.dns.is_empty() || self.permitted.dns.iter().any(permitted))
            }
            SubjectName::Ip(address) => {
                let within =
                    |ranges: &[(Vec<u8>, Vec<u8>)]| ranges.iter().any(|(base, mask)| contains(base, mask, *address));
                !within(&self.excluded.ip) && (self.permitted.ip.is_empty() || within(&self.permitted.ip))
            }
        }
    }

    /// Reads the value of the extension.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Error> {
        let syntax = Syntax::from_der(der)?;
        if syntax.permitted_subtrees.is_none() && syntax.excluded_subtrees.is_none() {
            return Err(invalid());
        }
        Ok(Self {
            permitted: Subtrees::read(syntax.permitted_subtrees.as_deref())?,
            excluded: Subtrees::read(syntax.excluded_subtrees.as_deref())?,
        })
    }

    /// The constraints that leave the DNS names at and beneath `suffixes`, and no addresses.
    ///
    /// Every IPv4 and IPv6 address is excluded, as BR 7.1.2.5.2 asks: otherwise an authority bound to some names
    /// could certify every address.
    pub(crate) fn names_beneath(suffixes: &[DnsName]) -> Result<Syntax, Error> {
        let permitted =
            suffixes.iter().map(|suffix| Ok(subtree(GeneralName::DnsName(Ia5String::new(suffix.as_str())?))));
        let excluded = [8, 32].map(|octets| Ok(subtree(GeneralName::IpAddress(OctetString::new(vec![0; octets])?))));
        Ok(Syntax {
            permitted_subtrees: Some(permitted.collect::<Result<_, Error>>()?),
            excluded_subtrees: Some(excluded.into_iter().collect::<Result<_, Error>>()?),
        })
    }
}

impl Subtrees {
    fn read(subtrees: Option<&[GeneralSubtree]>) -> Result<Self, Error> {
        let mut read = Self::default();
        for subtree in subtrees.unwrap_or_default() {
            // RFC 5280: minimum is 0 and maximum absent, always.
            if subtree.minimum != 0 || subtree.maximum.is_some() {
                return Err(invalid());
            }
            match &subtree.base {
                GeneralName::DnsName(suffix) => read.dns.push(suffix.as_str().to_ascii_lowercase()),
                GeneralName::IpAddress(octets) => {
                    let octets = octets.as_bytes();
                    if octets.len() != 8 && octets.len() != 32 {
                        return Err(invalid());
                    }
                    let (base, mask) = octets.split_at(octets.len() / 2);
                    read.ip.push((base.to_vec(), mask.to_vec()));
                }
                GeneralName::OtherName(_)
                | GeneralName::Rfc822Name(_)
                | GeneralName::DirectoryName(_)
                | GeneralName::EdiPartyName(_)
                | GeneralName::UniformResourceIdentifier(_)
                | GeneralName::RegisteredId(_) => {}
            }
        }
        Ok(read)
    }
}

/// "Any DNS name that can be constructed by simply adding zero or more labels to the left-hand side"; an empty suffix
/// covers all. A suffix with a dot in front is not of RFC 5280, but exists: it covers what lies beneath it.
fn covers(suffix: &str, name: &DnsName) -> bool {
    if suffix.is_empty() {
        return true;
    }
    match name.as_str().strip_suffix(suffix) {
        Some("") => true,
        Some(rest) => suffix.starts_with('.') || rest.ends_with('.'),
        None => false,
    }
}

fn contains(base: &[u8], mask: &[u8], address: IpAddr) -> bool {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    octets.len() == base.len()
        && octets.iter().zip(base).zip(mask).all(|((octet, base), mask)| octet & mask == base & mask)
}

fn subtree(base: GeneralName) -> GeneralSubtree {
    GeneralSubtree { base, minimum: 0, maximum: None }
}

fn invalid() -> Error {
    ErrorKind::Value { tag: der::Tag::Sequence }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::Encode;
    use std::slice::from_ref;

    fn name(text: &str) -> SubjectName {
        text.parse().map_or_else(|_| SubjectName::parse_dns(text).unwrap(), SubjectName::Ip)
    }

    fn constraints(permitted: &[GeneralName], excluded: &[GeneralName]) -> NameConstraints {
        let subtrees =
            |bases: &[GeneralName]| (!bases.is_empty()).then(|| bases.iter().cloned().map(subtree).collect::<Vec<_>>());
        let syntax = Syntax { permitted_subtrees: subtrees(permitted), excluded_subtrees: subtrees(excluded) };
        NameConstraints::parse(&syntax.to_der().unwrap()).unwrap()
    }

    fn dns(suffix: &str) -> GeneralName {
        GeneralName::DnsName(Ia5String::new(suffix).unwrap())
    }

    fn ip(octets: &[u8]) -> GeneralName {
        GeneralName::IpAddress(OctetString::new(octets).unwrap())
    }

    #[test]
    fn names_are_judged_as_rfc_5280_says() {
        let all_v4 = ip(&[0; 8]);
        let net_10 = ip(&[10, 0, 0, 0, 255, 0, 0, 0]);
        let table: &[(&[GeneralName], &[GeneralName], &str, bool)] = &[
            (&[dns("example.com")], &[], "example.com", true),
            (&[dns("Example.COM")], &[], "a.b.example.com", true),
            (&[dns("example.com")], &[], "badexample.com", false),
            (&[dns("example.com")], &[], "other.test", false),
            (&[dns(".example.com")], &[], "a.example.com", true),
            (&[dns(".example.com")], &[], "example.com", false),
            (&[dns("")], &[], "anything.test", true),
            (&[dns("example.com")], &[dns("secret.example.com")], "secret.example.com", false),
            (&[dns("example.com")], &[dns("secret.example.com")], "a.secret.example.com", false),
            (&[dns("example.com")], &[dns("secret.example.com")], "open.example.com", true),
            (&[], &[dns("")], "example.com", false),
            (&[dns("example.com")], &[], "*.example.com", true),
            (&[dns("example.com")], &[], "*.a.example.com", true),
            (&[dns(".example.com")], &[], "*.example.com", true),
            (&[dns("a.example.com")], &[], "*.example.com", false),
            (&[dns("example.com")], &[], "*.badexample.com", false),
            (&[], &[dns("example.com")], "*.example.com", false),
            (&[], &[dns("secret.example.com")], "*.example.com", false),
            (&[], &[dns(".secret.example.com")], "*.example.com", false),
            (&[], &[dns("secret.example.com")], "*.open.example.com", true),
            (&[], &[dns("")], "*.example.com", false),
            (&[], &[dns("example.com")], "192.0.2.1", true),
            (&[dns("example.com")], &[], "192.0.2.1", true),
            (from_ref(&net_10), &[], "10.1.2.3", true),
            (from_ref(&net_10), &[], "11.1.2.3", false),
            (from_ref(&net_10), &[], "2001:db8::1", false),
            (&[], from_ref(&all_v4), "192.0.2.1", false),
            (&[], from_ref(&all_v4), "2001:db8::1", true),
        ];
        for (permitted, excluded, subject, allowed) in table {
            let constraints = constraints(permitted, excluded);
            assert_eq!(constraints.allow(&name(subject)), *allowed, "{permitted:?} {excluded:?} {subject}");
        }
    }

    #[test]
    fn an_authority_bound_to_names_certifies_no_addresses() {
        let syntax = NameConstraints::names_beneath(&[DnsName::parse("example.com").unwrap()]).unwrap();
        let constraints = NameConstraints::parse(&syntax.to_der().unwrap()).unwrap();
        assert!(constraints.allow(&name("www.example.com")));
        for refused in ["www.example.net", "192.0.2.1", "2001:db8::1"] {
            assert!(!constraints.allow(&name(refused)), "{refused}");
        }
    }
}
