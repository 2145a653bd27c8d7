//! Whether CAA records permit this authority to certify a name (RFC 8659 section 4, RFC 8657).
//!
//! Pure: records and who asks go in, a verdict comes out. What is not understood forbids. Deliberately absent: finding the
//! records ([`Validator::caa`](crate::ports::Validator::caa)) and when to look for them (`crate::caa`).

mod issue_value;

use std::fmt;

use certus_acme::ChallengeType;
use certus_pki::DnsName;

use crate::state::CaaRecord;
use issue_value::{IssueValue, lists_method};

/// Which names of a profile are certified only if CAA permits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaaRule {
    /// All.
    #[default]
    All,
    /// All but those beneath the authority's internal domains, whose name servers need not know CAA.
    ExceptInternal,
}

impl CaaRule {
    /// Every rule.
    pub const ALL: [Self; 2] = [Self::All, Self::ExceptInternal];

    /// The word that settings have for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::ExceptInternal => "except-internal",
        }
    }

    /// The rule of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

/// Who wants to certify what.
#[derive(Debug, Clone, Copy)]
pub struct CaaClaim<'a> {
    /// Whether it is for a wildcard (RFC 8659 section 4.3).
    pub wildcard: bool,
    /// The domain names by which records name this authority.
    pub identities: &'a [DnsName],
    /// The URLs of the account that ordered it, each exactly as it was ever given to the client.
    pub account_urls: &'a [String],
    /// The method by which control of the name was seen; `None` for names that nobody had to prove.
    pub method: Option<ChallengeType>,
}

/// Judges a relevant record set, which may be empty.
///
/// # Errors
///
/// [`CaaRefusal`] when it forbids the certificate.
pub fn judge<'a>(records: &'a [CaaRecord], claim: &CaaClaim<'_>) -> Result<(), CaaRefusal<'a>> {
    // RFC 8659 section 4.1: whatever else stands there.
    if let Some(unknown) = records.iter().find(|record| record.is_critical() && !is_known(record)) {
        return Err(CaaRefusal::Unknown(unknown));
    }
    let tagged = |tag: &str| -> Vec<&'a CaaRecord> {
        records.iter().filter(|record| record.tag.eq_ignore_ascii_case(tag)).collect()
    };
    let restricting = match claim.wildcard.then(|| tagged(ISSUEWILD)).filter(|found| !found.is_empty()) {
        Some(for_wildcards) => for_wildcards,
        None => tagged(ISSUE),
    };
    if restricting.is_empty() || restricting.iter().any(|record| permits(record, claim)) {
        return Ok(());
    }
    Err(CaaRefusal::NotPermitted(restricting))
}

const ISSUE: &str = "issue";
const ISSUEWILD: &str = "issuewild";
/// Says whom to tell of what was refused (RFC 8659 section 4.4); nobody is told.
const IODEF: &str = "iodef";

fn is_known(record: &CaaRecord) -> bool {
    [ISSUE, ISSUEWILD, IODEF].iter().any(|known| record.tag.eq_ignore_ascii_case(known))
}

fn permits(record: &CaaRecord, claim: &CaaClaim<'_>) -> bool {
    // RFC 8659 section 4.2: what does not fit the grammar names nobody.
    let Some(value) = IssueValue::parse(&record.value) else { return false };
    let Some(issuer) = value.issuer() else { return false };
    claim.identities.iter().any(|identity| identity.as_str().eq_ignore_ascii_case(issuer))
        && permits_account(&value, claim)
        && permits_method(&value, claim)
}

/// RFC 8657 section 3: one account; several parameters can be met by none.
fn permits_account(value: &IssueValue<'_>, claim: &CaaClaim<'_>) -> bool {
    match value.values("accounturi").as_slice() {
        [] => true,
        [url] => claim.account_urls.iter().any(|own| own == url),
        [_, _, ..] => false,
    }
}

/// RFC 8657 section 4. Which of several lists would count is not said, so none does.
fn permits_method(value: &IssueValue<'_>, claim: &CaaClaim<'_>) -> bool {
    match value.values("validationmethods").as_slice() {
        [] => true,
        [list] => claim.method.is_some_and(|method| lists_method(list, method.name())),
        [_, _, ..] => false,
    }
}

/// Why a record set forbids a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaaRefusal<'a> {
    /// A critical property that this authority does not know.
    Unknown(&'a CaaRecord),
    /// None of those that restrict issuance permits it.
    NotPermitted(Vec<&'a CaaRecord>),
}

impl fmt::Display for CaaRefusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(record) => write!(f, "{record} is critical, and this authority does not know it"),
            Self::NotPermitted(records) => {
                for record in records.iter().take(SHOWN_RECORDS) {
                    write!(f, "{record}; ")?;
                }
                if records.len() > SHOWN_RECORDS {
                    write!(f, "{} others; ", records.len() - SHOWN_RECORDS)?;
                }
                f.write_str("none of which permits this certificate")
            }
        }
    }
}

/// Records that a refusal shows: more than domains have authorities.
const SHOWN_RECORDS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "https://ca.example/acme/acct/A";

    fn record(flags: u8, tag: &str, value: &str) -> CaaRecord {
        CaaRecord { flags, tag: tag.to_owned(), value: value.as_bytes().to_vec() }
    }

    /// The verdict for account A, validated by http-01, of an authority that is `ca.example` and `other-name.example`.
    fn judged(records: &[(u8, &str, &str)], wildcard: bool) -> bool {
        let records: Vec<_> = records.iter().map(|(flags, tag, value)| record(*flags, tag, value)).collect();
        let identities = ["ca.example", "other-name.example"].map(|name| DnsName::parse(name).unwrap());
        let account_urls = [A.to_owned(), A.replace("ca.", "ca-before.")];
        let method = Some(ChallengeType::Http01);
        judge(&records, &CaaClaim { wildcard, identities: &identities, account_urls: &account_urls, method }).is_ok()
    }

    /// Records, and the verdicts for a name and for a wildcard.
    type Row<'a> = (&'a [(u8, &'a str, &'a str)], bool, bool);

    #[track_caller]
    fn check(table: &[Row<'_>]) {
        for (records, name, wildcard) in table {
            assert_eq!((judged(records, false), judged(records, true)), (*name, *wildcard), "{records:?}");
        }
    }

    // conformance: 8659-3-04 8659-4-01 8659-4-02 8659-4-03 8659-4-04 8659-4-05 8659-4-06 8659-4-07 8659-4-08
    #[test]
    fn records_permit_and_forbid() {
        check(&[
            (&[], true, true),
            (&[(0, "iodef", "mailto:a@a.example")], true, true),
            (&[(128, "iodef", "mailto:a@a.example")], true, true),
            (&[(0, "foo", "x"), (0, "issuemail", ";")], true, true),
            (&[(0, "issue", "ca.example")], true, true),
            (&[(0, "issue", "CA.Example")], true, true),
            (&[(0, "issue", "other-name.example")], true, true),
            (&[(0, "issue", "  CA.Example ; ")], true, true),
            (&[(128, "issue", "ca.example")], true, true),
            (&[(0, "issue", "other.test")], false, false),
            (&[(0, "issue", "a.ca.example")], false, false),
            (&[(0, "issue", "example")], false, false),
            (&[(0, "issue", "xca.example")], false, false),
            (&[(0, "issue", "other.test"), (0, "issue", "ca.example")], true, true),
            (&[(0, "issue", ";"), (0, "issue", "ca.example")], true, true),
            (&[(0, "issue", "%%%%%"), (0, "issue", "ca.example")], true, true),
            (&[(0, "issue", "other.test"), (0, "iodef", "ca.example")], false, false),
            (&[(0, "issue", ";")], false, false),
            (&[(0, "issue", "")], false, false),
            (&[(0, "issue", "%%%%%")], false, false),
            (&[(0, "issue", "ca.example.")], false, false),
            (&[(0, "issue", "ca.example; x=1;")], false, false),
            (&[(0, "ISSUE", "other.test")], false, false),
            (&[(0, "Issue", "ca.example")], true, true),
            (&[(128, "foo", "x")], false, false),
            (&[(129, "foo", "x")], false, false),
            (&[(255, "foo", "x"), (0, "issue", "ca.example")], false, false),
            (&[(128, "issuemail", "ca.example"), (0, "issue", "ca.example")], false, false),
            (&[(1, "foo", "x")], true, true),
            (&[(127, "foo", "x")], true, true),
            (&[(1, "issue", "other.test")], false, false),
        ]);
    }

    // conformance: 8659-4-09 8659-4-10 8659-4-11
    #[test]
    fn issuewild_is_for_wildcards_alone_and_takes_the_place_of_issue() {
        check(&[
            (&[(0, "issuewild", ";")], true, false),
            (&[(0, "issuewild", "ca.example")], true, true),
            (&[(0, "ISSUEWILD", "other.test")], true, false),
            (&[(0, "issue", "ca.example"), (0, "issuewild", ";")], true, false),
            (&[(0, "issue", ";"), (0, "issuewild", "ca.example")], false, true),
            (
                &[(0, "issue", "other.test"), (0, "issuewild", "other.test"), (0, "issuewild", "ca.example")],
                false,
                true,
            ),
            (&[(0, "issue", "ca.example"), (0, "issuewild", "%%%%%")], true, false),
            (&[(0, "issue", "other.test")], false, false),
        ]);
    }

    // conformance: 8657-3-01 8657-3-02 8657-3-03 8657-3-04 8657-3-05 8657-4-06
    #[test]
    fn an_account_is_named_by_its_url() {
        let own = |parameters: &str| format!("ca.example; {parameters}");
        for (parameters, permitted) in [
            (format!("accounturi={A}"), true),
            (format!("AccountURI={A};foo=bar"), true),
            (format!("foo=bar; accounturi = {A}"), true),
            // Under the external URL that the authority had before.
            (format!("accounturi={}", A.replace("ca.", "ca-before.")), true),
            (format!("accounturi={A}/"), false),
            (format!("accounturi={}", A.replace("https", "HTTPS")), false),
            (format!("accounturi={}", A.replace("/A", "/a")), false),
            (format!("accounturi={}", A.replace("/A", "/B")), false),
            ("accounturi=https://other.example/1".to_owned(), false),
            ("accounturi=".to_owned(), false),
            ("accounturi=no-uri".to_owned(), false),
            (format!("accounturi={A}; accounturi={A}"), false),
            (format!("accounturi={A}; ACCOUNTURI=https://other.example/1"), false),
            ("foo=bar".to_owned(), true),
        ] {
            assert_eq!(judged(&[(0, "issue", &own(&parameters))], false), permitted, "{parameters}");
            assert_eq!(judged(&[(0, "issuewild", &own(&parameters))], true), permitted, "{parameters}");
        }
        let (other, mine) = (own("accounturi=https://ca.example/acme/acct/B"), own(&format!("accounturi={A}")));
        assert!(judged(&[(0, "issue", &other), (0, "issue", &mine)], false));
        // The account of this authority under the name of another one.
        assert!(!judged(&[(0, "issue", &format!("other.test; accounturi={A}"))], false));
    }

    // conformance: 8657-4-01 8657-4-02 8657-4-03 8657-4-04
    #[test]
    fn a_method_is_one_of_a_list() {
        for (parameters, permitted) in [
            ("validationmethods=http-01".to_owned(), true),
            ("ValidationMethods=dns-01,http-01".to_owned(), true),
            ("validationmethods=http-01,x-1".to_owned(), true),
            ("validationmethods=dns-01".to_owned(), false),
            ("validationmethods=".to_owned(), false),
            ("validationmethods=http_01".to_owned(), false),
            ("validationmethods=http-01,".to_owned(), false),
            ("validationmethods=http-01; validationmethods=http-01".to_owned(), false),
            (format!("accounturi={A}; validationmethods=http-01"), true),
            (format!("accounturi={A}; validationmethods=dns-01"), false),
            ("accounturi=https://other.example/1; validationmethods=http-01".to_owned(), false),
        ] {
            assert_eq!(judged(&[(0, "issue", &format!("ca.example; {parameters}"))], false), permitted, "{parameters}");
        }
    }

    #[test]
    fn an_authority_without_a_name_is_permitted_where_nobody_is_forbidden() {
        let records = [record(0, "issue", "ca.example")];
        let claim =
            CaaClaim { wildcard: false, identities: &[], account_urls: &[], method: Some(ChallengeType::Http01) };
        assert!(judge(&records, &claim).is_err() && judge(&[], &claim).is_ok());
    }

    #[test]
    fn a_refusal_shows_the_records() {
        let claim =
            CaaClaim { wildcard: false, identities: &[], account_urls: &[], method: Some(ChallengeType::Http01) };
        let records: Vec<_> = (0..7).map(|n| record(0, "issue", &format!("ca{n}.test"))).collect();
        let refusal = judge(&records, &claim).unwrap_err().to_string();
        assert!(refusal.starts_with("0 issue \"ca0.test\"; 0 issue \"ca1.test\"; "), "{refusal}");
        assert!(refusal.ends_with("\"ca4.test\"; 2 others; none of which permits this certificate"), "{refusal}");
        let records = [record(128, "tbs", "x")];
        let refusal = judge(&records, &claim).unwrap_err().to_string();
        assert_eq!(refusal, "128 tbs \"x\" is critical, and this authority does not know it");
    }
}
