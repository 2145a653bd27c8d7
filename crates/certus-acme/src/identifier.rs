//! Identifiers: what a client asks to have certified (RFC 8555 sections 7.1.3 and 9.7.7, RFC 8738 section 3).
//!
//! Deliberately absent: which identifiers an authority accepts.

use std::fmt;
use std::net::IpAddr;

use certus_pki::{DnsName, NameError, SubjectName};
use serde::{Deserialize, Serialize};

/// An identifier as it stands on the wire, not yet looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawIdentifier {
    /// `dns` (RFC 8555 section 9.7.7) or `ip` (RFC 8738).
    #[serde(rename = "type")]
    pub kind: String,
    /// For `dns` a host name in A-label form, in orders perhaps with `*.` before it; for `ip` an address in its one text form.
    pub value: String,
}

/// An identifier that this implementation knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// A host name, `{"type":"dns","value":"example.com"}`.
    Dns(DnsName),
    /// Every name one label beneath a host name, `{"type":"dns","value":"*.example.com"}` in orders alone.
    Wildcard(DnsName),
    /// An address, `{"type":"ip","value":"192.0.2.1"}`.
    Ip(IpAddr),
}

impl Identifier {
    /// Reads an identifier.
    ///
    /// # Errors
    ///
    /// [`IdentifierError`] when its type is not known or its value is not of that type.
    pub fn parse(raw: &RawIdentifier) -> Result<Self, IdentifierError> {
        match raw.kind.as_str() {
            "dns" => Ok(match SubjectName::parse_dns(&raw.value)? {
                SubjectName::Wildcard(base) => Self::Wildcard(base),
                SubjectName::Dns(name) => Self::Dns(name),
                SubjectName::Ip(address) => Self::Ip(address),
            }),
            // RFC 8738 section 3: IPv4 as in RFC 1123 section 2.1, IPv6 as in RFC 5952 section 4, which is how it is written.
            "ip" => match raw.value.parse::<IpAddr>() {
                Ok(address) if address.to_string() == raw.value => Ok(Self::Ip(address)),
                Ok(address) => Err(IdentifierError::AddressForm(address)),
                Err(_) => Err(IdentifierError::NoAddress(raw.value.clone())),
            },
            other => Err(IdentifierError::UnsupportedType(other.to_owned())),
        }
    }

    /// The identifier's type as the wire has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) | Self::Wildcard(_) => "dns",
            Self::Ip(_) => "ip",
        }
    }

    /// The identifier's value as orders have it.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Dns(name) => name.to_string(),
            Self::Wildcard(base) => format!("*.{base}"),
            Self::Ip(address) => address.to_string(),
        }
    }

    /// What its authorization is for: the name beneath which a wildcard is (RFC 8555 section 7.1.4), otherwise itself.
    #[must_use]
    pub fn authorized(&self) -> Self {
        match self {
            Self::Wildcard(base) => Self::Dns(base.clone()),
            Self::Dns(_) | Self::Ip(_) => self.clone(),
        }
    }

    /// The wire form in orders.
    #[must_use]
    pub fn to_raw(&self) -> RawIdentifier {
        RawIdentifier { kind: self.kind().to_owned(), value: self.value() }
    }

    /// The identifier that stands for a name of a certificate.
    #[must_use]
    pub fn of(name: &SubjectName) -> Self {
        match name {
            SubjectName::Dns(name) => Self::Dns(name.clone()),
            SubjectName::Wildcard(base) => Self::Wildcard(base.clone()),
            SubjectName::Ip(address) => Self::Ip(*address),
        }
    }

    /// The name that a certificate for this identifier carries.
    #[must_use]
    pub fn subject_name(&self) -> SubjectName {
        match self {
            Self::Dns(name) => SubjectName::Dns(name.clone()),
            Self::Wildcard(base) => SubjectName::Wildcard(base.clone()),
            Self::Ip(address) => SubjectName::Ip(*address),
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value())
    }
}

/// Why an identifier could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// A type that is not implemented (`unsupportedIdentifier`).
    #[error("identifiers of type {0:?} are not supported; use \"dns\" or \"ip\"")]
    UnsupportedType(String),
    /// An address that is not written in its one text form (`malformed`).
    #[error("an address is written in one way only; this one is {0}")]
    AddressForm(IpAddr),
    /// A value that is no address (`malformed`).
    #[error("{0:?} is no IP address")]
    NoAddress(String),
    /// A value that is no host name (`rejectedIdentifier` or `malformed`).
    #[error(transparent)]
    Name(#[from] NameError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_types_are_read() {
        let raw = |kind: &str, value: &str| RawIdentifier { kind: kind.into(), value: value.into() };
        let parsed = Identifier::parse(&raw("dns", "Example.COM"));
        assert_eq!(parsed.as_ref().map(Identifier::value), Ok("example.com".into()));
        assert_eq!(Identifier::parse(&raw("foo", "x")), Err(IdentifierError::UnsupportedType("foo".into())));
        assert_eq!(Identifier::parse(&raw("dns", "*")), Err(IdentifierError::Name(NameError::Wildcard)));
    }

    #[test]
    fn a_wildcard_is_authorized_by_its_base() {
        let raw = RawIdentifier { kind: "dns".into(), value: "*.A.example".into() };
        let wildcard = Identifier::parse(&raw).unwrap();
        assert_eq!((wildcard.kind(), wildcard.value().as_str()), ("dns", "*.a.example"));
        assert_eq!(wildcard.authorized().value(), "a.example");
        assert_eq!(wildcard.subject_name().to_string(), "*.a.example");
    }

    #[test]
    fn an_address_is_written_in_one_way() {
        let parse = |value: &str| Identifier::parse(&RawIdentifier { kind: "ip".into(), value: value.into() });
        for value in ["192.0.2.1", "2001:db8::1", "::1", "2001:db8::1:0:0:1"] {
            assert_eq!(parse(value).map(|ip| (ip.kind(), ip.value())), Ok(("ip", value.to_owned())));
        }
        for value in ["2001:DB8::1", "2001:db8:0:0:0:0:0:1", "2001:0db8::1", "2001:db8:0:0:1::1"] {
            assert!(matches!(parse(value), Err(IdentifierError::AddressForm(_))), "{value}");
        }
        for value in ["", "192.0.2", "192.0.2.01", "192.0.2.1/32", "[::1]", "fe80::1%1", "a.example", "0x7f.1"] {
            assert!(matches!(parse(value), Err(IdentifierError::NoAddress(_))), "{value}");
        }
    }
}
