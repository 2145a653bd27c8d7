//! What CAA said, as the JSON that is kept of it: for an auditor to read, and to be judged again before signing.

use certus_ca::ports::StoreError;
use certus_ca::state::{CaaAnswer, CaaFinding, CaaRecord, Security};
use certus_pki::{DnsName, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Place, millis};

/// A finding in JSON.
#[derive(Serialize, Deserialize)]
struct Kept {
    name: String,
    asked: i64,
    domain: Option<String>,
    records: Vec<KeptRecord>,
    resolver: String,
    dnssec: String,
}

/// A record; its value has one character for each octet, U+0000 to U+00FF, so that any octets survive and most can be read.
#[derive(Serialize, Deserialize)]
struct KeptRecord {
    flags: u8,
    tag: String,
    value: String,
}

impl Kept {
    fn of(finding: &CaaFinding) -> Self {
        let CaaAnswer { name, domain, records, resolver, security } = &finding.answer;
        let records = records.iter().map(|record| KeptRecord {
            flags: record.flags,
            tag: record.tag.clone(),
            value: record.value.iter().copied().map(char::from).collect(),
        });
        Self {
            name: name.as_str().to_owned(),
            asked: millis(finding.asked),
            domain: domain.as_ref().map(|domain| domain.as_str().to_owned()),
            records: records.collect(),
            resolver: resolver.clone(),
            dnssec: security.name().to_owned(),
        }
    }

    fn into_state(self) -> Option<CaaFinding> {
        let octets = |value: &str| value.chars().map(|one| u8::try_from(one).ok()).collect::<Option<Vec<u8>>>();
        let record =
            |kept: KeptRecord| Some(CaaRecord { value: octets(&kept.value)?, flags: kept.flags, tag: kept.tag });
        let answer = CaaAnswer {
            name: DnsName::parse(&self.name).ok()?,
            domain: self.domain.map(|domain| DnsName::parse(&domain).ok()).map_or(Some(None), |read| read.map(Some))?,
            records: self.records.into_iter().map(record).collect::<Option<_>>()?,
            resolver: self.resolver,
            security: Security::from_name(&self.dnssec)?,
        };
        Some(CaaFinding { asked: Timestamp::from_unix_millis(self.asked), answer })
    }
}

/// The column of one finding.
pub(crate) fn caa_column(finding: Option<&CaaFinding>) -> Result<Option<String>, StoreError> {
    finding.map(|finding| json(&Kept::of(finding))).transpose()
}

/// The column of what was found before signing; NULL when nothing was asked.
pub(crate) fn caa_list_column(findings: &[CaaFinding]) -> Result<Option<String>, StoreError> {
    if findings.is_empty() {
        return Ok(None);
    }
    json(&findings.iter().map(Kept::of).collect::<Vec<_>>()).map(Some)
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::unavailable("what CAA said cannot be written", error))
}

/// What such a column has.
pub(super) fn finding(place: &Place<'_>, column: Option<&str>) -> Result<Option<CaaFinding>, StoreError> {
    let Some(text) = column else { return Ok(None) };
    let read = serde_json::from_str::<Kept>(text).ok().and_then(Kept::into_state);
    read.map(Some).ok_or_else(|| place.inconsistent("caa"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_read_back() {
        let answer = CaaAnswer {
            name: DnsName::parse("www.a.example").unwrap(),
            domain: Some(DnsName::parse("a.example").unwrap()),
            records: vec![
                CaaRecord { flags: 0, tag: "issue".to_owned(), value: b"ca.example; x=\"1\"".to_vec() },
                CaaRecord { flags: 128, tag: "Odd".to_owned(), value: (0..=255).collect() },
            ],
            resolver: "192.0.2.53:53".to_owned(),
            security: Security::Secure,
        };
        let nothing = CaaAnswer { domain: None, records: Vec::new(), security: Security::Unchecked, ..answer.clone() };
        let place = Place::new("evidence", &[1]);
        for answer in [answer, nothing] {
            let kept = CaaFinding { asked: Timestamp::from_unix_millis(1_800_000_000_123), answer };
            let column = caa_column(Some(&kept)).unwrap();
            assert_eq!(finding(&place, column.as_deref()).unwrap(), Some(kept));
        }
        assert_eq!(finding(&place, None).unwrap(), None);
        for column in
            ["", "{}", r#"{"name":"a b","asked":1,"domain":null,"records":[],"resolver":"","dnssec":"secure"}"#]
        {
            assert!(finding(&place, Some(column)).is_err(), "{column}");
        }
    }
}
