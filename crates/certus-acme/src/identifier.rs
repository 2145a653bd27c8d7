//! Identifiers: what a client asks to have certified (RFC 8555 sections 7.1.3 and 9.7.7).
//!
//! Deliberately absent: which identifiers an authority accepts.

use std::fmt;

use certus_pki::{DnsName, NameError, SubjectName};
use serde::{Deserialize, Serialize};

/// An identifier as it stands on the wire, not yet looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawIdentifier {
    /// `dns` is the only type of RFC 8555.
    #[serde(rename = "type")]
    pub kind: String,
    /// For `dns` a host name in A-label form.
    pub value: String,
}

/// An identifier that this implementation knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// A host name, `{"type":"dns","value":"example.com"}`.
    Dns(DnsName),
}

impl Identifier {
    /// Reads an identifier.
    ///
    /// # Errors
    ///
    /// [`IdentifierError`] when its type is not known or its value is not of that type.
    pub fn parse(raw: &RawIdentifier) -> Result<Self, IdentifierError> {
        match raw.kind.as_str() {
            "dns" => Ok(Self::Dns(DnsName::parse(&raw.value)?)),
            other => Err(IdentifierError::UnsupportedType(other.to_owned())),
        }
    }

    /// The identifier's type as the wire has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
        }
    }

    /// The identifier's value as the wire has it.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Dns(name) => name.to_string(),
        }
    }

    /// The wire form.
    #[must_use]
    pub fn to_raw(&self) -> RawIdentifier {
        RawIdentifier { kind: self.kind().to_owned(), value: self.value() }
    }

    /// The name that a certificate for this identifier carries.
    #[must_use]
    pub fn subject_name(&self) -> SubjectName {
        match self {
            Self::Dns(name) => SubjectName::Dns(name.clone()),
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => name.fmt(f),
        }
    }
}

/// Why an identifier could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// A type that is not implemented (`unsupportedIdentifier`).
    #[error("identifiers of type {0:?} are not supported; use \"dns\"")]
    UnsupportedType(String),
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
        assert_eq!(Identifier::parse(&raw("dns", "*.a.example")), Err(IdentifierError::Name(NameError::Wildcard)));
    }
}
