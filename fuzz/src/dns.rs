//! Answers of name servers: the CAA records in them, and what they permit (RFC 8659 section 4, RFC 8657).

use std::sync::LazyLock;

use certus_acme::ChallengeType;
use certus_ca::state::CaaRecord;
use certus_ca::{CaaClaim, judge_caa};
use certus_pki::DnsName;
use certus_validate::read_caa;

use crate::text::printable;

/// The name that answers are about.
pub(crate) const NAME: &str = "www.a.example";
/// The authority in records that permit.
const IDENTITY: &str = "ca.example";
/// The account in records that permit.
const ACCOUNT: &str = "https://ca.example/acme/acct/1";

/// The input as an answer, and its records judged; and the input as the value of a record, for itself and among others.
pub fn dns(data: &[u8]) {
    match read_caa(&WWW, data) {
        Ok(records) => judged(&records),
        Err(error) => printable(&error),
    }
    for tag in ["issue", "issuewild", "IODEF", "other"] {
        judged(&[record(0, tag, data)]);
        judged(&[record(128, tag, data), record(0, "issue", b"other.test")]);
    }
}

fn judged(records: &[CaaRecord]) {
    for wildcard in [false, true] {
        let verdict = verdict(records, wildcard, std::slice::from_ref(&*CA));
        // The sequence of records means nothing, and one twice no more than once.
        let backwards: Vec<CaaRecord> = records.iter().rev().chain(records).cloned().collect();
        assert_eq!(self::verdict(&backwards, wildcard, std::slice::from_ref(&*CA)), verdict);
        // What nobody may do without knowing it, nobody may do.
        let critical = [records, &[record(128, "unknown", b"")]].concat();
        assert!(!self::verdict(&critical, wildcard, std::slice::from_ref(&*CA)));
        // Records permit by name alone: whoever has none is permitted what nothing restricts.
        let restricted = records.iter().any(|record| record.tag.eq_ignore_ascii_case("issue"));
        assert!(!(restricted && self::verdict(records, wildcard, &[])));
        // Another one that names nobody takes nothing away and adds nothing, where there are some.
        if restricted && !records.iter().any(|record| record.tag.eq_ignore_ascii_case("issuewild")) {
            let nobody = [records, &[record(0, "issue", b";")]].concat();
            assert_eq!(self::verdict(&nobody, wildcard, std::slice::from_ref(&*CA)), verdict);
        }
    }
}

fn verdict(records: &[CaaRecord], wildcard: bool, identities: &[DnsName]) -> bool {
    let account_urls = [ACCOUNT.to_owned()];
    let claim = CaaClaim { wildcard, identities, account_urls: &account_urls, method: Some(ChallengeType::Dns01) };
    match judge_caa(records, &claim) {
        Ok(()) => true,
        Err(refusal) => {
            printable(&refusal);
            false
        }
    }
}

pub(crate) fn record(flags: u8, tag: &str, value: &[u8]) -> CaaRecord {
    CaaRecord { flags, tag: tag.to_owned(), value: value.to_vec() }
}

/// An answer in octets (RFC 1035 section 4.1): the question, and these records at its name.
pub(crate) fn answer(records: &[CaaRecord]) -> Vec<u8> {
    const CAA: [u8; 4] = [1, 1, 0, 1];
    let count = u16::try_from(records.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut octets = vec![0x12, 0x34, 0x81, 0x80, 0, 1, count[0], count[1], 0, 0, 0, 0];
    for label in NAME.split('.') {
        octets.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets.extend(CAA);
    for record in records {
        octets.extend([0xc0, 12]);
        octets.extend(CAA);
        octets.extend([0, 0, 1, 44]);
        let length = 2 + record.tag.len() + record.value.len();
        octets.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        octets.extend([record.flags, u8::try_from(record.tag.len()).unwrap_or(u8::MAX)]);
        octets.extend(record.tag.as_bytes());
        octets.extend(&record.value);
    }
    octets
}

/// Answers, each with a name.
pub(crate) fn answers() -> Vec<(&'static str, Vec<u8>)> {
    let terms = format!("{IDENTITY}; accounturi={ACCOUNT}; validationmethods=dns-01,http-01");
    vec![
        ("nothing", answer(&[])),
        ("nobody", answer(&[record(0, "issue", b";")])),
        ("own", answer(&[record(0, "issue", IDENTITY.as_bytes())])),
        ("terms", answer(&[record(0, "issue", terms.as_bytes())])),
        ("wild", answer(&[record(0, "issue", b"other.test"), record(128, "issuewild", IDENTITY.as_bytes())])),
        ("unknown", answer(&[record(128, "tbs", b"unknown"), record(0, "iodef", b"mailto:a@a.example")])),
    ]
}

static WWW: LazyLock<DnsName> = LazyLock::new(|| DnsName::parse(NAME).expect("a name"));
static CA: LazyLock<DnsName> = LazyLock::new(|| DnsName::parse(IDENTITY).expect("a name"));
