//! When certificates should be renewed (RFC 9773), and rules that move that for a whole set of them.
//!
//! Nothing is kept of a certificate: its time follows from its dates, its id and the rules there are, each time it is asked
//! for. So a rule moves a million certificates as it moves one. It moves those that were issued before it was made: what
//! replaces them would otherwise be renewed at once, again and again.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use certus_acme::Identifier;
use certus_pki::{NameError, SerialNumber, SubjectName, Timestamp, sha256};

use crate::id::{AccountId, CertificateId, RenewalRuleId};
use crate::limits;
use crate::policy::names::NamePattern;

/// What of a certificate decides when it should be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewable {
    /// The certificate.
    pub id: CertificateId,
    /// The account it was issued to; `None` for the authority's own and for loaded ones.
    pub account: Option<AccountId>,
    /// The issuer's id.
    pub issuer: String,
    /// Its serial number.
    pub serial: SerialNumber,
    /// SHA-256 of its subjectPublicKeyInfo in DER.
    pub spki_sha256: [u8; 32],
    /// What it names.
    pub names: BTreeSet<SubjectName>,
    /// The profile it was issued by.
    pub profile: String,
    /// First moment of its validity.
    pub not_before: Timestamp,
    /// Last moment of its validity.
    pub not_after: Timestamp,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it was revoked, if ever.
    pub revoked: Option<Timestamp>,
}

/// A time to renew in, in whole seconds; it ends after it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    start: Timestamp,
    end: Timestamp,
}

impl Window {
    /// From `start` on for so long, but for a second at least.
    #[must_use]
    pub fn new(start: Timestamp, length: Duration) -> Self {
        let start = start.whole_seconds();
        let length = Duration::from_secs(length.as_secs().max(1));
        Self { start, end: start + length }
    }

    /// The window of a rule that was kept; `None` unless it ends after it starts, by a second at least.
    #[must_use]
    pub fn kept(start: Timestamp, end: Timestamp) -> Option<Self> {
        let window = Self::new(start, end.duration_since(start));
        (window == Self { start, end }).then_some(window)
    }

    /// Its first moment.
    #[must_use]
    pub fn start(self) -> Timestamp {
        self.start
    }

    /// Its last moment.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.end
    }

    /// One certificate's part of it, always the same: a quarter of its length, somewhere in it.
    fn part_of(self, certificate: CertificateId) -> Self {
        let length = self.end.duration_since(self.start).as_secs();
        let part = (length / 4).max(1);
        let room = length.saturating_sub(part);
        let digest = sha256(&[PART, certificate.as_bytes()].concat());
        let place = digest.iter().take(8).fold(0, |place, octet| (place << 8) | u128::from(*octet));
        // Below 2^64, so that the quotient is at most `room`.
        let offset = u64::try_from((place * (u128::from(room) + 1)) >> 64).unwrap_or(room);
        Self::new(self.start + Duration::from_secs(offset), Duration::from_secs(part))
    }
}

/// What a certificate's place in a window is made of, before its id.
const PART: &[u8] = b"renewal window ";

/// A certificate that is valid for less is renewed when half of its time is over, any other one when two thirds are: where
/// clients draw the line that go by their own rules.
const SHORT: Duration = Duration::from_secs(10 * 24 * 3600);

impl Renewable {
    /// When it should be renewed, and the rule that moved that, if one did.
    #[must_use]
    pub fn window<'a>(&self, rules: &'a [RenewalRule], now: Timestamp) -> (Window, Option<&'a RenewalRule>) {
        let revoked = self.revoked.map(|at| Window::new(at - 2 * limits::RENEW_AT_ONCE, limits::RENEW_AT_ONCE));
        let by_itself = std::iter::once(self.regular_window()).chain(revoked).map(|window| (window, None));
        let moved = rules.iter().filter(|rule| rule.is_active(now) && rule.concerns(self));
        let moved = moved.map(|rule| (rule.window.part_of(self.id), Some(rule)));
        let earliest = by_itself.chain(moved).min_by_key(|(window, _)| (window.end, window.start));
        earliest.unwrap_or_else(|| (self.regular_window(), None))
    }

    /// The end of the time that all certificates with its dates share is the time at which clients renew that go by rules
    /// of their own; so none of them is early, and its part of the load is where it should be.
    fn regular_window(&self) -> Window {
        let lifetime = self.lifetime();
        let latest = if lifetime < SHORT { lifetime / 2 } else { lifetime * 2 / 3 };
        let shared = lifetime / 15;
        Window::new(self.not_before + (latest - shared), shared).part_of(self.id)
    }

    /// When a client should ask again: a twenty-fourth of its lifetime, so that also one that lives for hours is asked
    /// about often enough to be moved, within [`limits::RENEWAL_INFO_AFTER`] and [`limits::RENEWAL_INFO_AFTER_LEAST`].
    #[must_use]
    pub fn ask_again(&self, now: Timestamp) -> Duration {
        if now > self.not_after {
            return limits::RENEWAL_INFO_AFTER_END;
        }
        let share = Duration::from_secs(self.lifetime().as_secs() / 24);
        share.clamp(limits::RENEWAL_INFO_AFTER_LEAST, limits::RENEWAL_INFO_AFTER)
    }

    fn lifetime(&self) -> Duration {
        self.not_after.duration_since(self.not_before)
    }
}

/// Which certificates a rule is for. Kinds narrow each other, and what is left empty does not narrow; of one kind, any will do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Issuers, by their ids.
    pub issuers: Vec<String>,
    /// Profiles they were issued by.
    pub profiles: Vec<String>,
    /// Keys, by SHA-256 of subjectPublicKeyInfo.
    pub keys: Vec<[u8; 32]>,
    /// What they are good for.
    pub names: Vec<SelectedName>,
    /// Accounts they were issued to.
    pub accounts: Vec<AccountId>,
}

impl Selection {
    /// Whether it leaves no certificate out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// The number of values of the kind that has most.
    #[must_use]
    pub fn longest(&self) -> usize {
        let Self { issuers, profiles, keys, names, accounts } = self;
        issuers.len().max(profiles.len()).max(keys.len()).max(names.len()).max(accounts.len())
    }

    fn takes(&self, certificate: &Renewable) -> bool {
        fn any<T>(values: &[T], fits: impl FnMut(&T) -> bool) -> bool {
            values.is_empty() || values.iter().any(fits)
        }
        any(&self.issuers, |issuer| *issuer == certificate.issuer)
            && any(&self.profiles, |profile| *profile == certificate.profile)
            && any(&self.keys, |key| *key == certificate.spki_sha256)
            && any(&self.accounts, |account| Some(*account) == certificate.account)
            && any(&self.names, |selected| certificate.names.iter().any(|name| selected.is_certified_by(name)))
    }
}

/// A name or an address in a [`Selection`], written as in the lists of `[authority.identifiers]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectedName {
    /// A name, alone or with all beneath it.
    Pattern(NamePattern),
    /// An address.
    Address(IpAddr),
}

impl SelectedName {
    /// A wildcard is good for the names one label beneath it, so that it is concerned by a rule for one of them.
    fn is_certified_by(&self, name: &SubjectName) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.denies(&Identifier::of(name)),
            Self::Address(address) => *name == SubjectName::Ip(*address),
        }
    }
}

impl FromStr for SelectedName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => text.parse().map(Self::Pattern),
        }
    }
}

impl fmt::Display for SelectedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A rule: certificates of a set are to be renewed within another time, if that is earlier than theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalRule {
    /// Its id.
    pub id: RenewalRuleId,
    /// For which certificates, as far as they were issued before the rule was made.
    pub selection: Selection,
    /// Over which time their renewals are spread.
    pub window: Window,
    /// A page for people that says why.
    pub explanation_url: Option<String>,
    /// The user id of whoever made it.
    pub author: u32,
    /// When it was made.
    pub made: Timestamp,
    /// Until when it holds.
    pub ends: Timestamp,
    /// When it was ended before that, if ever. Final.
    pub ended: Option<Timestamp>,
}

impl RenewalRule {
    /// Whether it holds.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.ends
    }

    fn concerns(&self, certificate: &Renewable) -> bool {
        certificate.issued <= self.made && self.selection.takes(certificate)
    }
}

#[cfg(test)]
mod tests {
    use certus_pki::DnsName;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn start() -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000)
    }

    fn certificate(lifetime: Duration) -> Renewable {
        Renewable {
            id: CertificateId::random(),
            account: Some(AccountId::random()),
            issuer: "0123456789abcdef0123".to_owned(),
            serial: SerialNumber::random(),
            spki_sha256: [7; 32],
            names: BTreeSet::from([SubjectName::Dns(DnsName::parse("www.example.com").unwrap())]),
            profile: "classic".to_owned(),
            not_before: start(),
            not_after: start() + lifetime,
            issued: start(),
            revoked: None,
        }
    }

    fn rule(selection: Selection) -> RenewalRule {
        RenewalRule {
            id: RenewalRuleId::random(),
            selection,
            window: Window::new(start() + DAY, DAY),
            explanation_url: None,
            author: 0,
            made: start() + DAY,
            ends: start() + 30 * DAY,
            ended: None,
        }
    }

    // conformance: 9773-4.2-02 9773-4.2-06
    #[test]
    fn the_window_follows_from_the_lifetime() {
        for (lifetime, earliest, latest) in [
            (90 * DAY, 54 * DAY, 60 * DAY),
            (10 * DAY, 6 * DAY, DAY * 20 / 3),
            (6 * DAY, DAY * 13 / 5, 3 * DAY),
            (DAY, DAY * 13 / 30, DAY / 2),
            (Duration::from_secs(3600), Duration::from_secs(1560), Duration::from_secs(1800)),
            (Duration::from_secs(1), Duration::ZERO, Duration::from_secs(2)),
            (Duration::ZERO, Duration::ZERO, Duration::from_secs(1)),
        ] {
            for _ in 0..200 {
                let (window, moved) = certificate(lifetime).window(&[], start());
                let (from, to) = (window.start().duration_since(start()), window.end().duration_since(start()));
                assert!(
                    from < to && from + Duration::from_secs(1) >= earliest && to <= latest,
                    "{lifetime:?}: {from:?} {to:?}"
                );
                assert_eq!((window.start().whole_seconds(), moved), (window.start(), None));
            }
        }
    }

    #[test]
    fn certificates_of_one_moment_are_spread() {
        let mut tenths = [0_u32; 10];
        for _ in 0..5_000 {
            let one = certificate(90 * DAY);
            let (window, _) = one.window(&[], start());
            assert_eq!(one.window(&[], start() + 70 * DAY).0, window, "always the same");
            assert_eq!(window.end().duration_since(window.start()), 36 * DAY / 24);
            let offset = window.start().duration_since(start() + 54 * DAY).as_secs() * 10 / (DAY.as_secs() * 9 / 2 + 1);
            tenths[usize::try_from(offset).unwrap()] += 1;
        }
        // 500 each, with a deviation of 21.
        assert!(tenths.iter().all(|count| (375..625).contains(count)), "{tenths:?}");
    }

    // conformance: 9773-4.2-05
    #[test]
    fn what_is_revoked_is_renewed_at_once() {
        for at in [start() + Duration::from_millis(1_500), start() + 3 * DAY, start() + 80 * DAY] {
            let revoked = Renewable { revoked: Some(at), ..certificate(90 * DAY) };
            let (window, _) = revoked.window(&[], at);
            assert!(window.start() < window.end() && window.end() + limits::RENEW_AT_ONCE <= at, "{window:?}");
        }
    }

    #[test]
    fn a_rule_moves_what_it_selects_until_it_ends() {
        let one = certificate(90 * DAY);
        let now = start() + 2 * DAY;
        let moved = |one: &Renewable, rule: &RenewalRule, now| {
            let (window, by) = one.window(std::slice::from_ref(rule), now);
            let within = rule.window.start() <= window.start() && window.end() <= rule.window.end();
            assert_eq!((within, by), (by.is_some(), by.map(|_| rule)), "{window:?}");
            by.is_some()
        };
        let everything = rule(Selection::default());
        assert!(moved(&one, &everything, now) && everything.selection.is_everything());
        assert!(!moved(&one, &everything, everything.ends), "its time is over");
        assert!(!moved(&one, &RenewalRule { ended: Some(now), ..everything.clone() }, now), "ended");
        assert!(moved(&Renewable { issued: everything.made, ..one.clone() }, &everything, now));
        let later = Renewable { issued: everything.made + Duration::from_millis(1), ..one.clone() };
        assert!(!moved(&later, &everything, now), "what replaced it is not renewed again and again");
        let late = RenewalRule { window: Window::new(start() + 70 * DAY, DAY), ..everything };
        assert!(!moved(&one, &late, now), "never later than by itself");
        let earlier = RenewalRule { window: Window::new(start() + DAY / 2, DAY / 4), ..late.clone() };
        assert_eq!(one.window(&[late, earlier.clone()], now).1, Some(&earlier));
    }

    #[test]
    fn kinds_narrow_each_other_and_of_one_kind_any_will_do() {
        let one = certificate(90 * DAY);
        let names = |texts: &[&str]| Selection {
            names: texts.iter().map(|text| text.parse().unwrap()).collect(),
            ..Selection::default()
        };
        let other = Selection { profiles: vec!["other".to_owned()], ..Selection::default() };
        let issuer = Selection { issuers: vec!["x".to_owned(), one.issuer.clone()], ..Selection::default() };
        let key = Selection { keys: vec![[7; 32]], ..Selection::default() };
        let account = Selection { accounts: one.account.into_iter().collect(), ..Selection::default() };
        let wildcard = Renewable {
            names: BTreeSet::from([
                SubjectName::parse_dns("*.example.com").unwrap(),
                SubjectName::Ip("192.0.2.7".parse().unwrap()),
            ]),
            account: None,
            ..one.clone()
        };
        for (selection, takes, takes_wildcard) in [
            (Selection::default(), true, true),
            (issuer.clone(), true, true),
            (Selection { profiles: other.profiles.clone(), ..issuer }, false, false),
            (key, true, true),
            (Selection { keys: vec![[8; 32]], ..Selection::default() }, false, false),
            (account, true, false),
            (names(&["example.com"]), true, true),
            (names(&["=www.example.com"]), true, true),
            (names(&["=example.com"]), false, false),
            (names(&["a.www.example.com"]), false, false),
            (names(&["example.net", "192.0.2.7"]), false, true),
            (names(&["192.0.2.8"]), false, false),
            (other, false, false),
        ] {
            assert_eq!((selection.takes(&one), selection.takes(&wildcard)), (takes, takes_wildcard), "{selection:?}");
        }
    }

    // conformance: 9773-4.3-01
    #[test]
    fn who_lives_for_hours_is_asked_about_every_few_minutes() {
        for (lifetime, seconds) in [
            (90 * DAY, 21_600),
            (6 * DAY, 21_600),
            (DAY, 3_600),
            (Duration::from_secs(3_600), 150),
            (Duration::from_secs(600), 60),
        ] {
            let one = certificate(lifetime);
            assert_eq!(one.ask_again(start()), Duration::from_secs(seconds), "{lifetime:?}");
            assert_eq!(one.ask_again(one.not_after + Duration::from_secs(1)), DAY, "{lifetime:?}");
        }
    }
}
