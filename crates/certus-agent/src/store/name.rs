//! What a certificate is called on this host: the part of a path.

use std::fmt;

use certus_pki::SubjectName;

/// Octets of a name at most: what a host name has.
const MAX_OCTETS: usize = 253;

/// A name that is good as a file's: of letters, digits, `.`, `-`, `_` and `:`, and beginning with neither `.` nor `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateName(String);

/// Why a text is no name of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be a certificate's name: letters, digits, '.', '-', '_' and ':' make one, of {MAX_OCTETS} characters at \
     most, beginning with neither '.' nor '-'"
)]
pub struct NameError(String);

impl CertificateName {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// [`NameError`] when it could not be a file's.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let good = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_' | b':');
        let begins = !text.is_empty() && !text.starts_with(['.', '-']);
        if begins && text.len() <= MAX_OCTETS && text.bytes().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError(text.to_owned()))
        }
    }

    /// What a certificate for these names is called if nobody says: the name, for a wildcard that above it.
    #[must_use]
    pub fn of(name: &SubjectName) -> Self {
        match name {
            SubjectName::Dns(name) | SubjectName::Wildcard(name) => Self(name.to_string()),
            SubjectName::Ip(address) => Self(address.to_string()),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_part_of_a_path_and_leads_nowhere_else() {
        for good in ["www.example.com", "a_b", "2001:db8::1", "x", "A-1"] {
            assert_eq!(CertificateName::parse(good).as_ref().map(CertificateName::as_str), Ok(good));
        }
        let long = "a".repeat(254);
        for bad in ["", ".", "..", ".hidden", "-x", "a/b", "../x", "a b", "a\0", "*.example.com", "ü", &long] {
            assert!(CertificateName::parse(bad).is_err(), "{bad:?}");
        }
        let wildcard = SubjectName::parse_dns("*.example.com").unwrap();
        assert_eq!(CertificateName::of(&wildcard).as_str(), "example.com");
    }
}
