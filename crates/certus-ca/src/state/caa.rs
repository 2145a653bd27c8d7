//! What the DNS says about who may certify a name (RFC 8659).
//!
//! Deliberately absent: what follows from it (`crate::policy` judges) and how it was asked for (the validator).

use std::fmt;

use certus_pki::{DnsName, Timestamp};

/// A CAA record (RFC 8659 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaaRecord {
    /// The octet of flags. The most significant bit says that the property is critical; the others mean nothing.
    pub flags: u8,
    /// The property's name as it was written; compared without regard to case.
    pub tag: String,
    /// The property's value: any octets.
    pub value: Vec<u8>,
}

impl CaaRecord {
    /// Whether nobody may issue who does not know the property.
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        self.flags & 0x80 != 0
    }
}

/// As a zone file has it (RFC 8659 section 4.1.1), but for values of more than [`SHOWN`] octets, which are cut off.
impl fmt::Display for CaaRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} \"", self.flags, self.tag)?;
        for octet in self.value.iter().take(SHOWN) {
            match octet {
                b'"' | b'\\' => write!(f, "\\{}", char::from(*octet))?,
                b' '..=b'~' => write!(f, "{}", char::from(*octet))?,
                other => write!(f, "\\{other:03}")?,
            }
        }
        f.write_str(if self.value.len() > SHOWN { "…\"" } else { "\"" })
    }
}

/// How much of a value is shown to people: an account's URL and a list of methods fit.
pub const SHOWN: usize = 200;

/// How far DNSSEC vouches for an answer (RFC 4035 section 4.3). What it says is false is no answer at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// Nobody looked: the settings say so, or the name is the machine's own.
    Unchecked,
    /// It is proven that there are no signatures to look for.
    Insecure,
    /// Signed, from a trust anchor down.
    Secure,
}

impl Security {
    /// The word that is kept.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Insecure => "insecure",
            Self::Secure => "secure",
        }
    }

    /// What that word stands for.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Unchecked, Self::Insecure, Self::Secure].into_iter().find(|security| security.name() == name)
    }
}

/// The relevant record set of a name (RFC 8659 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaaAnswer {
    /// The name that was asked about; of a wildcard the name beneath which it is.
    pub name: DnsName,
    /// The name at which the records stood, that one or one above it; `None` when there were none up to the root.
    pub domain: Option<DnsName>,
    /// The records there; empty without a domain.
    pub records: Vec<CaaRecord>,
    /// The resolvers that were asked, each as `address:port`; `local` for what is answered here.
    pub resolver: String,
    /// The weakest of what DNSSEC says about the answers on the way.
    pub security: Security,
}

/// What was found at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaaFinding {
    /// When the first question was put.
    pub asked: Timestamp,
    /// What was found.
    pub answer: CaaAnswer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_shown_as_zone_files_have_it() {
        let show = |flags, tag: &str, value: &[u8]| {
            CaaRecord { flags, tag: tag.to_owned(), value: value.to_vec() }.to_string()
        };
        assert_eq!(show(0, "issue", b"ca.example; x=1"), r#"0 issue "ca.example; x=1""#);
        assert_eq!(show(128, "tbs", b"a\"b\\c\n\xff"), r#"128 tbs "a\"b\\c\010\255""#);
        let long = show(0, "issue", &[b'a'; SHOWN + 1]);
        assert!(long.ends_with("a…\"") && long.chars().count() == SHOWN + "0 issue \"…\"".chars().count(), "{long}");
    }

    #[test]
    fn the_weakest_counts() {
        assert_eq!(Security::Secure.min(Security::Insecure), Security::Insecure);
        assert_eq!(Security::Insecure.min(Security::Unchecked), Security::Unchecked);
        for security in [Security::Unchecked, Security::Insecure, Security::Secure] {
            assert_eq!(Security::from_name(security.name()), Some(security));
        }
    }
}
