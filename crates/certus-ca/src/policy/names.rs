//! Which names an authority certifies at all: its lists of permitted and denied names, and the rule of public suffixes.
//!
//! Addresses are judged where their ranges are known, by [`Validator::admits`](crate::ports::Validator::admits).

use std::fmt;
use std::str::FromStr;

use certus_acme::Identifier;
use certus_pki::{DnsName, NameError};

/// A line of a list: `example.com` stands for that name and all beneath it, as in a name constraint (RFC 5280 section
/// 4.2.1.10), `=example.com` for that name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// A name alone.
    Exactly(DnsName),
    /// A name and all beneath it, wildcards included.
    Within(DnsName),
}

impl NamePattern {
    fn permits(&self, identifier: &Identifier) -> bool {
        match (self, identifier) {
            (Self::Exactly(one), Identifier::Dns(name)) => name == one,
            (Self::Within(suffix), Identifier::Dns(name) | Identifier::Wildcard(name)) => name.is_within(suffix),
            // A wildcard is many names.
            (Self::Exactly(_), Identifier::Wildcard(_)) | (_, Identifier::Ip(_)) => false,
        }
    }

    /// Whether a certificate for the identifier would be good for a name of this pattern.
    pub(crate) fn denies(&self, identifier: &Identifier) -> bool {
        let (Self::Exactly(denied) | Self::Within(denied)) = self;
        let stands_for_it = match identifier {
            // RFC 6125 section 6.4.3: for one label.
            Identifier::Wildcard(base) => {
                denied.as_str().split_once('.').is_some_and(|(_, rest)| rest == base.as_str())
            }
            Identifier::Dns(_) | Identifier::Ip(_) => false,
        };
        stands_for_it || self.permits(identifier)
    }
}

impl FromStr for NamePattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix('=') {
            Some(name) => DnsName::parse(name).map(Self::Exactly),
            None => DnsName::parse(text).map(Self::Within),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(name) => write!(f, "={}", name.as_str()),
            Self::Within(name) => f.write_str(name.as_str()),
        }
    }
}

/// The lists of one authority. What is in none may be certified, unless something is permitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameRules {
    /// What may be certified; empty leaves everything.
    pub permit: Vec<NamePattern>,
    /// Whether addresses are permitted by a list of their own. Without one, a list of names permits none.
    pub addresses_listed: bool,
    /// What may not, whatever `permit` says; nor may a wildcard that would stand for it.
    pub deny: Vec<NamePattern>,
    /// Domains of the organisation's own that are no public suffixes, such as `corp`: a profile for public names alone
    /// certifies names beneath them too.
    pub internal: Vec<DnsName>,
}

/// Suffixes of the list that the public DNS does not delegate to anybody: RFC 8375 and RFC 7686.
const SPECIAL: [&str; 2] = ["home.arpa", "onion"];

/// Where addresses are turned into names (RFC 1035 section 3.5, RFC 3596 section 2.5): no host is called so.
const REVERSE: [&str; 2] = ["in-addr.arpa", "ip6.arpa"];

impl NameRules {
    /// Judges a name. `public_only` is a profile's wish to certify names of the public DNS alone.
    ///
    /// # Errors
    ///
    /// Why it is not certified, in a sentence for the client.
    pub fn check(&self, identifier: &Identifier, public_only: bool) -> Result<(), String> {
        if let Some(denied) = self.deny.iter().find(|pattern| pattern.denies(identifier)) {
            return Err(format!("this authority does not certify {identifier}: it denies {denied}"));
        }
        let name = match identifier {
            Identifier::Dns(name) => name,
            Identifier::Wildcard(base) => {
                // BR section 3.2.2.6: whoever runs a registry controls none of the names beneath it.
                if is_registry(base) {
                    return Err(format!(
                        "{identifier} would stand for names of many owners: {base} is a public suffix"
                    ));
                }
                base
            }
            Identifier::Ip(address) if !self.permit.is_empty() && !self.addresses_listed => {
                return Err(format!("this authority certifies the names of a list only, and {address} is none"));
            }
            Identifier::Ip(_) => return Ok(()),
        };
        // BR section 4.2.2.
        if REVERSE.iter().any(|zone| name.as_str() == *zone || name.as_str().ends_with(&format!(".{zone}"))) {
            return Err(format!(
                "{identifier} is of a zone that turns addresses into names; ask for the address itself"
            ));
        }
        if !self.permit.is_empty() && !self.permit.iter().any(|pattern| pattern.permits(identifier)) {
            return Err(format!("this authority certifies the names of a list only, and {identifier} is not of it"));
        }
        if public_only && !self.is_internal(name) && !is_public(name) {
            return Err(format!("{identifier} is no name of the public DNS, and this profile certifies no others"));
        }
        Ok(())
    }

    /// Whether a name lies in one of the internal domains.
    #[must_use]
    pub fn is_internal(&self, name: &DnsName) -> bool {
        self.internal.iter().any(|domain| name.is_within(domain))
    }
}

/// Whether a registry sells names beneath a name, or beneath every name that is beneath it (`*.ck` in the list).
fn is_registry(name: &DnsName) -> bool {
    let is_suffix = |name: &str| {
        let suffix = psl::suffix(name.as_bytes());
        suffix.is_some_and(|suffix| suffix.as_bytes() == name.as_bytes() && suffix.typ() == Some(psl::Type::Icann))
    };
    is_suffix(name.as_str()) || is_suffix(&format!("a.{}", name.as_str()))
}

/// Whether a name lies beneath a suffix of the public DNS.
fn is_public(name: &DnsName) -> bool {
    let special = |suffix: &&str| DnsName::parse(suffix).is_ok_and(|suffix| name.is_within(&suffix));
    !SPECIAL.iter().any(special)
        && psl::domain(name.as_str().as_bytes()).is_some_and(|domain| domain.suffix().is_known())
}

#[cfg(test)]
mod tests {
    use certus_acme::RawIdentifier;

    use super::*;

    fn name(text: &str) -> Identifier {
        Identifier::parse(&RawIdentifier { kind: "dns".to_owned(), value: text.to_owned() }).unwrap()
    }

    fn patterns(texts: &[&str]) -> Vec<NamePattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn admitted<'a>(rules: &NameRules, public_only: bool, names: &[&'a str]) -> Vec<&'a str> {
        names.iter().copied().filter(|text| rules.check(&name(text), public_only).is_ok()).collect()
    }

    #[test]
    fn a_list_of_permitted_names_leaves_no_others() {
        let rules = NameRules { permit: patterns(&["corp.example", "=www.example"]), ..NameRules::default() };
        let asked = [
            "corp.example",
            "a.b.corp.example",
            "*.corp.example",
            "www.example",
            "a.www.example",
            "*.www.example",
            "*.example",
            "notcorp.example",
            "corp.example.com",
        ];
        assert_eq!(
            admitted(&rules, false, &asked),
            ["corp.example", "a.b.corp.example", "*.corp.example", "www.example"]
        );
    }

    #[test]
    fn what_is_denied_is_certified_by_no_wildcard_either() {
        let rules = NameRules {
            permit: patterns(&["example"]),
            deny: patterns(&["secret.example", "=www.a.example"]),
            ..NameRules::default()
        };
        let asked = [
            "secret.example",
            "x.secret.example",
            "*.secret.example",
            "*.example",
            "www.a.example",
            "*.a.example",
            "b.www.a.example",
            "*.www.a.example",
            "mail.a.example",
            "a.example",
        ];
        let left = ["b.www.a.example", "*.www.a.example", "mail.a.example", "a.example"];
        assert_eq!(admitted(&rules, false, &asked), left);
    }

    // conformance: 8555-10-03 BR-4.2-05
    #[test]
    fn no_wildcard_stands_for_the_names_of_many_owners() {
        let rules = NameRules::default();
        let asked = ["*.com", "*.co.uk", "*.ck", "*.example.com", "*.github.io", "*.corp", "com", "co.uk"];
        assert_eq!(admitted(&rules, false, &asked), ["*.example.com", "*.github.io", "*.corp", "com", "co.uk"]);
    }

    #[test]
    fn a_list_of_names_has_no_addresses_unless_they_have_a_list_too() {
        let address = Identifier::Ip("192.0.2.1".parse().unwrap());
        let listed = NameRules { permit: patterns(&["example"]), ..NameRules::default() };
        assert!(NameRules::default().check(&address, false).is_ok());
        assert!(listed.check(&address, false).is_err());
        assert!(NameRules { addresses_listed: true, ..listed }.check(&address, false).is_ok());
    }

    // conformance: BR-4.2-02
    #[test]
    fn names_that_stand_for_addresses_are_no_names() {
        let zones = ["1.2.0.192.in-addr.arpa", "*.2.0.192.in-addr.arpa", "in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"];
        let asked = [&zones[..], &["notin-addr.arpa", "home.arpa", "ip6.arpa.example"]].concat();
        for rules in
            [NameRules::default(), NameRules { permit: patterns(&["arpa", "example"]), ..NameRules::default() }]
        {
            assert_eq!(admitted(&rules, false, &asked), ["notin-addr.arpa", "home.arpa", "ip6.arpa.example"]);
        }
    }

    // conformance: BR-4.2-01
    #[test]
    fn a_profile_for_public_names_takes_no_internal_ones() {
        let rules = NameRules { internal: vec![DnsName::parse("corp").unwrap()], ..NameRules::default() };
        let asked = [
            "foo",
            "foo.local",
            "foo.internal",
            "foo.home.arpa",
            "foo.onion",
            "localhost",
            "a.localhost",
            "a.test",
            "com",
            "foo.example.com",
            "foo.co.uk",
            "mail.corp",
            "*.mail.corp",
            "foo.github.io",
        ];
        let taken = ["foo.example.com", "foo.co.uk", "mail.corp", "*.mail.corp", "foo.github.io"];
        assert_eq!(admitted(&rules, true, &asked), taken);
        assert_eq!(admitted(&rules, false, &asked), asked);
    }

    #[test]
    fn a_pattern_is_read_as_it_is_written() {
        for text in ["example.com", "=example.com"] {
            assert_eq!(text.parse::<NamePattern>().unwrap().to_string(), text);
        }
        for text in ["", "=", "*.example.com", "192.0.2.1", "a b", ".example.com"] {
            assert!(text.parse::<NamePattern>().is_err(), "{text}");
        }
    }
}
