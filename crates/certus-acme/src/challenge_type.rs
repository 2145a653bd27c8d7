//! The one list of challenge types (RFC 8555 section 9.7.8).

use std::fmt;

/// A way to prove control of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChallengeType {
    /// `http-01` (RFC 8555 section 8.3).
    Http01,
}

impl ChallengeType {
    /// Every type, in the order in which authorizations list them.
    pub const ALL: &'static [Self] = &[Self::Http01];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
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
