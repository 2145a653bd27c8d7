//! Keys of external account binding (RFC 8555 section 7.3.4): who holds one may make an account, and what that account
//! may order.
//!
//! ```text
//!   made ---- used up (single use, by the first account)
//!    |
//!    +------- expired   both: no further account is bound; those that are stay as they are
//!    |
//!    +------- revoked   and accounts that are bound to it get nothing any more
//! ```

use certus_acme::Identifier;
use certus_pki::{DnsName, Timestamp};

use crate::id::BindingKeyId;
use crate::vault::Sealed;

/// A key that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingKey {
    /// Its id: `kid` of the binding.
    pub id: BindingKeyId,
    /// The MAC key.
    pub secret: Sealed,
    /// What accounts that are bound to it may do.
    pub scope: BindingScope,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked, if ever. Final.
    pub revoked: Option<Timestamp>,
}

/// What a key is good for. What is left empty is not narrowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindingScope {
    /// Names that may be certified, each by itself.
    pub names: Vec<Identifier>,
    /// Names that may be certified together with all that lie beneath them.
    pub suffixes: Vec<DnsName>,
    /// The profiles that may be ordered.
    pub profiles: Vec<String>,
    /// How many certificates all its accounts together may be issued, ever.
    pub quota: Option<u64>,
    /// Until when it binds accounts.
    pub expires: Option<Timestamp>,
    /// Whether it binds one account alone.
    pub single_use: bool,
    /// Whether it vouches for the names above: its accounts need not prove that they control them.
    pub vouches: bool,
}

/// What has been made of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BindingUse {
    /// Accounts that are bound to it.
    pub accounts: u64,
    /// Certificates that these were issued.
    pub certificates: u64,
}

/// A key with what has been made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingEntry {
    /// The key.
    pub key: BindingKey,
    /// What has been made of it.
    pub used: BindingUse,
}

/// How an account is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountBinding {
    /// The key.
    pub key: BindingKeyId,
    /// The binding, a JWS, as the client sent it.
    pub jws: String,
}

impl BindingKey {
    /// Why the key binds no further account, in a sentence for who holds it.
    #[must_use]
    pub fn refuses_accounts(&self, used: BindingUse, now: Timestamp) -> Option<&'static str> {
        if self.revoked.is_some() {
            return Some("the key of this external account binding was revoked; ask for another");
        }
        if self.scope.expires.is_some_and(|expires| now >= expires) {
            return Some("the key of this external account binding has expired; ask for another");
        }
        if self.scope.single_use && used.accounts > 0 {
            return Some("the key of this external account binding is for one account, which it has; ask for another");
        }
        None
    }

    /// Whether an account that is bound to the key need not prove control of this identifier: it is among those that the key
    /// vouches for by name.
    #[must_use]
    pub fn vouches_for(&self, identifier: &Identifier) -> bool {
        let BindingScope { names, suffixes, vouches, .. } = &self.scope;
        let named = !(names.is_empty() && suffixes.is_empty());
        *vouches && named && self.revoked.is_none() && self.permits(identifier)
    }

    /// Whether an account that is bound to the key may have this identifier certified.
    #[must_use]
    pub fn permits(&self, identifier: &Identifier) -> bool {
        let BindingScope { names, suffixes, .. } = &self.scope;
        if names.is_empty() && suffixes.is_empty() || names.contains(identifier) {
            return true;
        }
        match identifier {
            // Everything that a wildcard stands for lies beneath its base.
            Identifier::Dns(name) | Identifier::Wildcard(name) => suffixes.iter().any(|suffix| name.is_within(suffix)),
            Identifier::Ip(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use certus_acme::RawIdentifier;

    use super::*;

    fn identifier(kind: &str, value: &str) -> Identifier {
        Identifier::parse(&RawIdentifier { kind: kind.to_owned(), value: value.to_owned() }).unwrap()
    }

    fn key(scope: BindingScope) -> BindingKey {
        let secret = Sealed { key: "k".to_owned(), octets: b"octets".to_vec() };
        let created = Timestamp::from_unix_seconds(1_800_000_000);
        BindingKey { id: BindingKeyId::random(), secret, scope, created, revoked: None }
    }

    #[test]
    fn names_are_exact_or_lie_beneath() {
        let free = key(BindingScope::default());
        let bound = key(BindingScope {
            names: vec![identifier("dns", "www.example.org"), identifier("ip", "192.0.2.1")],
            suffixes: vec![DnsName::parse("example.com").unwrap()],
            ..BindingScope::default()
        });
        for (kind, value, expected) in [
            ("dns", "www.example.org", true),
            ("dns", "example.org", false),
            ("dns", "a.www.example.org", false),
            ("dns", "*.example.org", false),
            ("ip", "192.0.2.1", true),
            ("ip", "192.0.2.2", false),
            ("dns", "example.com", true),
            ("dns", "a.b.example.com", true),
            ("dns", "*.example.com", true),
            ("dns", "notexample.com", false),
            ("dns", "*.com", false),
        ] {
            let one = identifier(kind, value);
            assert!(free.permits(&one));
            assert_eq!(bound.permits(&one), expected, "{value}");
        }
    }

    #[test]
    fn a_key_vouches_for_what_it_names_and_as_long_as_it_is_good() {
        let suffixes = vec![DnsName::parse("example.com").unwrap()];
        let scope = BindingScope { suffixes, vouches: true, ..BindingScope::default() };
        let (own, other) = (identifier("dns", "a.example.com"), identifier("dns", "a.example.org"));
        let vouches = |scope: BindingScope| [&own, &other].map(|one| key(scope.clone()).vouches_for(one));
        assert_eq!(vouches(scope.clone()), [true, false]);
        assert_eq!(vouches(BindingScope { vouches: false, ..scope.clone() }), [false, false]);
        assert_eq!(vouches(BindingScope { suffixes: Vec::new(), ..scope.clone() }), [false, false], "all is no name");
        let revoked = BindingKey { revoked: Some(Timestamp::UNIX_EPOCH), ..key(scope) };
        assert!(!revoked.vouches_for(&own));
    }

    #[test]
    fn a_key_binds_until_it_is_over() {
        let none = BindingUse::default();
        let one = BindingUse { accounts: 1, certificates: 7 };
        let expires = Timestamp::from_unix_seconds(1_800_000_100);
        let bound = key(BindingScope { expires: Some(expires), single_use: true, ..BindingScope::default() });
        assert_eq!(bound.refuses_accounts(none, expires - Duration::from_secs(1)), None);
        assert!(bound.refuses_accounts(none, expires).unwrap().contains("expired"));
        assert!(bound.refuses_accounts(one, bound.created).unwrap().contains("one account"));
        let repeated = key(BindingScope::default());
        assert_eq!(repeated.refuses_accounts(one, expires), None);
        let revoked = BindingKey { revoked: Some(expires), ..repeated };
        assert!(revoked.refuses_accounts(none, expires).unwrap().contains("revoked"));
    }

    #[test]
    fn what_is_sealed_is_not_printed() {
        let text = format!("{:?}", key(BindingScope::default()));
        assert!(text.contains("Sealed(under \"k\")") && !text.contains("octets"), "{text}");
    }
}
