//! The one list of challenge types (RFC 8555 section 9.7.8).

use std::fmt;

use crate::identifier::Identifier;

/// A way to prove control of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChallengeType {
    /// `http-01` (RFC 8555 section 8.3).
    Http01,
    /// `dns-01` (RFC 8555 section 8.4).
    Dns01,
    /// `tls-alpn-01` (RFC 8737).
    TlsAlpn01,
}

impl ChallengeType {
    /// Every type, in the order in which authorizations list them.
    pub const ALL: &'static [Self] = &[Self::Http01, Self::Dns01, Self::TlsAlpn01];

    /// The types that can prove control of an identifier: a wildcard by dns-01 alone (Baseline Requirements 3.2.2.4, since
    /// no server answers for it), an address by all but that (RFC 8738 section 7).
    #[must_use]
    pub const fn for_identifier(identifier: &Identifier) -> &'static [Self] {
        match identifier {
            Identifier::Dns(_) => Self::ALL,
            Identifier::Wildcard(_) => &[Self::Dns01],
            Identifier::Ip(_) => &[Self::Http01, Self::TlsAlpn01],
        }
    }

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }

    /// The type of that registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ChallengeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
