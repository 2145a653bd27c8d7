//! The names a certificate can carry: parsed once at the edge, compared as parsed ever after.
//!
//! Deliberately absent: which names may be certified (policy), internationalised forms (ACME carries A-labels,
//! RFC 8555 section 7.1.4).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The longest DNS name in text form, without the root's dot (RFC 1035 section 2.3.4: 255 octets on the wire).
const MAX_NAME: usize = 253;
/// The longest label (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// A DNS name in lower-case A-label form: letters, digits and hyphens, no wildcard, no trailing dot, not an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Arc<str>);

impl DnsName {
    /// Reads a host name (RFC 1123 section 2.1, RFC 5890 section 2.3.1), folding its case.
    ///
    /// # Errors
    ///
    /// [`NameError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        if text.ends_with('.') {
            return Err(NameError::TrailingDot);
        }
        if text.starts_with("*.") || text == "*" {
            return Err(NameError::Wildcard);
        }
        if text.parse::<IpAddr>().is_ok() {
            return Err(NameError::Address);
        }
        for label in text.split('.') {
            check_label(label)?;
        }
        // A last label of digits is how addresses are spelled in many forms (RFC 3696 section 2; WHATWG URL).
        let last = text.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) || is_hexadecimal_number(last) {
            return Err(NameError::Address);
        }
        Ok(Self(Arc::from(text.to_ascii_lowercase())))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels in reverse, `com.example.www`: the form in which a suffix is a prefix.
    #[must_use]
    pub fn reversed(&self) -> String {
        let mut labels: Vec<&str> = self.0.split('.').collect();
        labels.reverse();
        labels.join(".")
    }

    /// Whether this is `suffix` or lies beneath it (RFC 5280 section 4.2.1.10).
    #[must_use]
    pub fn is_within(&self, suffix: &Self) -> bool {
        self.0.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl std::str::FromStr for DnsName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

fn check_label(label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    if label.len() > MAX_LABEL {
        return Err(NameError::LabelTooLong);
    }
    if let Some(bad) = label.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '-')) {
        return Err(NameError::Character(bad));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(NameError::Hyphen);
    }
    // "??--" is reserved for A-labels, of which only "xn--" exists (RFC 5890 section 2.3.1).
    let bytes = label.as_bytes();
    if bytes.get(2..4) != Some(b"--") {
        return Ok(());
    }
    match label.split_at_checked(4) {
        Some((prefix, encoded)) if prefix.eq_ignore_ascii_case("xn--") => check_encoding(encoded),
        Some(_) | None => Err(NameError::ReservedLabel),
    }
}

/// What follows `xn--` must be the one Punycode text of a label that is not ASCII (RFC 5890 section 2.3.2.1), and that
/// label one whose characters are permitted as they are (UTS 46 section 4.1).
fn check_encoding(encoded: &str) -> Result<(), NameError> {
    let encoded = encoded.to_ascii_lowercase();
    let decoded = idna::punycode::decode_to_string(&encoded).ok_or(NameError::Encoding)?;
    if decoded.is_ascii() || idna::punycode::encode_str(&decoded).as_deref() != Some(encoded.as_str()) {
        return Err(NameError::Encoding);
    }
    let (_, valid) = idna::domain_to_unicode(&format!("xn--{encoded}"));
    valid.map_err(|_invalid| NameError::Encoding)
}

fn is_hexadecimal_number(label: &str) -> bool {
    label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"))
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a DNS name that a certificate could carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("the name is empty")]
    Empty,
    /// Over 253 characters.
    #[error("the name is longer than 253 characters")]
    TooLong,
    /// Ends in a dot.
    #[error("the name ends in a dot; leave it off")]
    TrailingDot,
    /// Starts with `*.` where no wildcard can stand, or is one of nothing.
    #[error("the name is a wildcard, which cannot stand here")]
    Wildcard,
    /// An IP address, or spelled like one.
    #[error("the name is an address, or ends like one")]
    Address,
    /// Two dots in a row, or one in front.
    #[error("the name has an empty label")]
    EmptyLabel,
    /// A label over 63 characters.
    #[error("a label of the name is longer than 63 characters")]
    LabelTooLong,
    /// A character that host names do not have.
    #[error("the name contains {0:?}; only letters, digits, hyphens and dots may stand in it")]
    Character(char),
    /// A label that starts or ends with a hyphen.
    #[error("a label of the name starts or ends with a hyphen")]
    Hyphen,
    /// A label with hyphens in its third and fourth place that is not an A-label.
    #[error("a label of the name has hyphens in its third and fourth place but is no A-label (xn--)")]
    ReservedLabel,
    /// A label that begins like an A-label but encodes nothing.
    #[error("a label of the name begins with xn-- but is not the Punycode of anything")]
    Encoding,
}

/// A name in a certificate's subjectAltName (RFC 5280 section 4.2.1.6): dNSName or iPAddress.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectName {
    /// dNSName.
    Dns(DnsName),
    /// dNSName `*.` before this name: every name one label beneath it (RFC 9525 section 6.3).
    Wildcard(DnsName),
    /// iPAddress.
    Ip(IpAddr),
}

impl SubjectName {
    /// Reads the text of a dNSName: a host name, or one with `*.` before it.
    ///
    /// # Errors
    ///
    /// [`NameError`] says which rule the text breaks.
    pub fn parse_dns(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix("*.") {
            Some(_) if text.len() > MAX_NAME => Err(NameError::TooLong),
            Some(base) => Ok(Self::Wildcard(DnsName::parse(base)?)),
            None => Ok(Self::Dns(DnsName::parse(text)?)),
        }
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => name.fmt(f),
            Self::Wildcard(base) => write!(f, "*.{base}"),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_kept() {
        assert_eq!(DnsName::parse("WWW.Example.com").map(|name| name.to_string()), Ok("www.example.com".into()));
        assert_eq!(
            DnsName::parse("xn--bcher-kva.example").map(|name| name.to_string()),
            Ok("xn--bcher-kva.example".into())
        );
        assert_eq!(DnsName::parse("localhost").map(|name| name.reversed()), Ok("localhost".into()));
        assert_eq!(DnsName::parse("a.b.c").map(|name| name.reversed()), Ok("c.b.a".into()));
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = format!("{}example", "a.".repeat(130));
        for (text, expected) in [
            ("", NameError::Empty),
            ("example.com.", NameError::TrailingDot),
            ("*.example.com", NameError::Wildcard),
            ("*", NameError::Wildcard),
            ("192.0.2.1", NameError::Address),
            ("::1", NameError::Address),
            ("example.1", NameError::Address),
            ("127.1", NameError::Address),
            ("0x7f000001", NameError::Address),
            ("a..b", NameError::EmptyLabel),
            (".a", NameError::EmptyLabel),
            ("a_b.example", NameError::Character('_')),
            ("a.example:80", NameError::Character(':')),
            ("user@a.example", NameError::Character('@')),
            ("bücher.example", NameError::Character('ü')),
            ("a b", NameError::Character(' ')),
            ("a/b", NameError::Character('/')),
            ("foo.*.example", NameError::Character('*')),
            ("-a.example", NameError::Hyphen),
            ("a-.example", NameError::Hyphen),
            ("ab--c.example", NameError::ReservedLabel),
            ("xn--.example", NameError::Hyphen),
            ("xn--abc-.example", NameError::Hyphen),
            ("xn--99999999.example", NameError::Encoding),
            // Punycode, but of a control character.
            ("xn--a.example", NameError::Encoding),
            (long_label.as_str(), NameError::LabelTooLong),
            (long_name.as_str(), NameError::TooLong),
        ] {
            assert_eq!(DnsName::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_wildcard_is_one_label_in_front_of_a_name() {
        let wildcard = SubjectName::parse_dns("*.Example.com");
        assert_eq!(wildcard.as_ref().map(ToString::to_string), Ok("*.example.com".into()));
        assert!(matches!(wildcard, Ok(SubjectName::Wildcard(_))));
        assert!(matches!(SubjectName::parse_dns("example.com"), Ok(SubjectName::Dns(_))));
        let longest = format!("{}a.example", "a.".repeat(122));
        assert_eq!(longest.len(), 253);
        assert!(SubjectName::parse_dns(&longest).is_ok());
        for (text, expected) in [
            ("*", NameError::Wildcard),
            ("*.", NameError::Empty),
            ("*.*.example", NameError::Wildcard),
            ("a.*.example", NameError::Character('*')),
            ("*a.example", NameError::Character('*')),
            ("*.192.0.2.1", NameError::Address),
            ("*.example.", NameError::TrailingDot),
            (&format!("*.{longest}"), NameError::TooLong),
        ] {
            assert_eq!(SubjectName::parse_dns(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_suffix_ends_at_a_dot() -> Result<(), NameError> {
        let suffix = DnsName::parse("example.com")?;
        assert!(DnsName::parse("example.com")?.is_within(&suffix));
        assert!(DnsName::parse("a.example.com")?.is_within(&suffix));
        assert!(!DnsName::parse("badexample.com")?.is_within(&suffix));
        assert!(!DnsName::parse("com")?.is_within(&suffix));
        Ok(())
    }
}
