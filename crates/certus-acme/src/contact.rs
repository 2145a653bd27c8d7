//! Contact URLs of an account (RFC 8555 section 7.3).
//!
//! Deliberately absent: whether mail arrives there; nothing is looked up.

use certus_pki::DnsName;

use crate::json::excerpt;
use crate::problem::{Problem, ProblemKind};

/// Octets of an address: RFC 5321 section 4.5.3.1.3 allows a path of 256 with its angle brackets.
const MAX_ADDRESS_OCTETS: usize = 254;

/// Octets before the at sign (RFC 5321 section 4.5.3.1.1).
const MAX_LOCAL_OCTETS: usize = 64;

/// Checks one contact URL: `mailto:` with exactly one address, in ASCII, without header fields.
///
/// # Errors
///
/// [`ContactError`], which says whether the scheme or the address is at fault.
pub fn check_contact(url: &str) -> Result<(), ContactError> {
    let invalid = |reason| Err(ContactError::Invalid(reason));
    let Some((scheme, address)) = url.split_once(':') else {
        return Err(ContactError::UnsupportedScheme(String::new()));
    };
    if !scheme.eq_ignore_ascii_case("mailto") {
        return Err(ContactError::UnsupportedScheme(excerpt(scheme)));
    }
    if !address.is_ascii() {
        return invalid("it has characters beyond ASCII");
    }
    if address.contains('?') {
        return invalid("it has header fields (\"?\")");
    }
    if address.contains(',') {
        return invalid("it has several addresses; give one URL for each");
    }
    let Some((local, domain)) = address.split_once('@') else {
        return invalid("it has no \"@\"");
    };
    if address.len() > MAX_ADDRESS_OCTETS || local.len() > MAX_LOCAL_OCTETS {
        return invalid("the address is too long");
    }
    if local.is_empty() || !local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom_octet)) {
        return invalid("what stands before the \"@\" is no plain local part");
    }
    match DnsName::parse(domain) {
        Ok(_) => Ok(()),
        Err(_) => invalid("what stands after the \"@\" is no host name"),
    }
}

/// `atext` of RFC 5322 section 3.2.3, without what a URL has to escape (RFC 6068 section 2); escapes are not taken.
fn is_atom_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!$'*+-_~".contains(&octet)
}

/// Why a contact URL was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// The scheme (repeated here; empty when there is none) is not `mailto`.
    #[error("contact URLs with the scheme {0:?} are not supported; use \"mailto:\" and one mail address")]
    UnsupportedScheme(String),
    /// The scheme is `mailto`, the rest is no single address.
    #[error("a contact URL must be \"mailto:\" and one mail address, like \"mailto:admin@example.com\": {0}")]
    Invalid(&'static str),
}

impl ContactError {
    /// What a client is told.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let kind = match self {
            Self::UnsupportedScheme(_) => ProblemKind::UnsupportedContact,
            Self::Invalid(_) => ProblemKind::InvalidContact,
        };
        Problem::new(kind, self.to_string())
    }
}

impl From<&ContactError> for Problem {
    fn from(error: &ContactError) -> Self {
        error.problem()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(url: &str) -> Option<ProblemKind> {
        check_contact(url).err().map(|fault| fault.problem().kind)
    }

    // conformance: 8555-7.3-05
    #[test]
    fn one_mail_address_is_accepted() {
        for url in
            ["mailto:a@example.org", "MAILTO:first.last+acme@mail.example.org", "mailto:o'neil@xn--bcher-kva.example"]
        {
            assert_eq!(check_contact(url), Ok(()), "{url}");
        }
    }

    // conformance: 8555-7.3-06 8555-7.3-08
    #[test]
    fn what_is_no_single_address_is_invalid() {
        let long = format!("mailto:{}@example.org", "a".repeat(65));
        for url in [
            "mailto:",
            "mailto:@",
            "mailto:a@",
            "mailto:@example.org",
            "mailto:a@b@c",
            "mailto:not-an-address",
            "mailto:a@example.org?subject=x",
            "mailto:a@x.org,b@x.org",
            "mailto:bücher@example.org",
            "mailto:a@bücher.example",
            "mailto:a..b@example.org",
            "mailto:.a@example.org",
            "mailto:a b@example.org",
            "mailto:a%40b@example.org",
            "mailto:a@-example.org",
            "mailto:a@[192.0.2.1]",
            "mailto://a@example.org",
            "mailto:Name <a@example.org>",
            &long,
        ] {
            assert_eq!(kind(url), Some(ProblemKind::InvalidContact), "{url}");
        }
    }

    // conformance: 8555-7.3-07 8555-6.7-26
    #[test]
    fn another_scheme_is_unsupported_and_the_accepted_one_is_named() {
        for url in ["https://example.org", "tel:+12025551212", "admin@example.org", "", ":", "ma\u{202e}ilto:x@y.org"] {
            assert_eq!(kind(url), Some(ProblemKind::UnsupportedContact), "{url}");
            assert!(check_contact(url).is_err_and(|fault| fault.problem().detail.contains("mailto:")));
        }
    }
}
