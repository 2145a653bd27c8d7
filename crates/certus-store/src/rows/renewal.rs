//! What decides when to renew, and rules that move it.

use std::collections::BTreeSet;

use certus_ca::id::{AccountId, CertificateId, RenewalRuleId};
use certus_ca::ports::StoreError;
use certus_ca::state::{Renewable, RenewalRule, SelectedName, Selection, Window};
use certus_pki::{SubjectName, Timestamp};
use data_encoding::HEXLOWER;

use super::certificate::{NameRow, serial};
use super::{Place, millis};

/// What of a row of `certificates` decides when it should be renewed, with the public ids of its account and issuer.
#[derive(Debug)]
pub(crate) struct RenewableRow {
    pub(crate) id: Vec<u8>,
    pub(crate) account: Option<Vec<u8>>,
    pub(crate) issuer: String,
    pub(crate) serial: Vec<u8>,
    pub(crate) spki_sha256: Vec<u8>,
    pub(crate) profile: String,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) issued: i64,
    pub(crate) revoked: Option<i64>,
}

impl RenewableRow {
    /// The facts.
    pub(crate) fn into_state(self, names: &[NameRow]) -> Result<Renewable, StoreError> {
        let place = Place::new("certificates", &self.id);
        let account = match &self.account {
            Some(id) => Some(AccountId::from_bytes(place.octets("account", id)?)),
            None => None,
        };
        let names: Result<BTreeSet<SubjectName>, StoreError> = names.iter().map(|row| row.to_state(&self.id)).collect();
        Ok(Renewable {
            id: CertificateId::from_bytes(place.octets("id", &self.id)?),
            account,
            serial: serial(&place, &self.serial)?,
            spki_sha256: place.octets("spki_sha256", &self.spki_sha256)?,
            issuer: self.issuer,
            names: names?,
            profile: self.profile,
            not_before: Timestamp::from_unix_millis(self.not_before),
            not_after: Timestamp::from_unix_millis(self.not_after),
            issued: Timestamp::from_unix_millis(self.issued),
            revoked: self.revoked.map(Timestamp::from_unix_millis),
        })
    }
}

/// A row of `renewal_rules`.
#[derive(Debug)]
pub(crate) struct RuleRow {
    pub(crate) id: Vec<u8>,
    pub(crate) issuers: String,
    pub(crate) profiles: String,
    pub(crate) keys: String,
    pub(crate) names: String,
    pub(crate) accounts: String,
    pub(crate) window_start: i64,
    pub(crate) window_end: i64,
    pub(crate) explanation: Option<String>,
    pub(crate) author: i64,
    pub(crate) made: i64,
    pub(crate) ends: i64,
    pub(crate) ended: Option<i64>,
}

impl RuleRow {
    /// The rule.
    pub(crate) fn into_state(self) -> Result<RenewalRule, StoreError> {
        let place = Place::new("renewal_rules", &self.id);
        let keys = list(&place, "keys", &self.keys)?;
        let keys = keys.iter().map(|text| match HEXLOWER.decode(text.as_bytes()) {
            Ok(octets) => place.octets("keys", &octets),
            Err(_) => Err(place.inconsistent("keys")),
        });
        let names = list(&place, "names", &self.names)?;
        let names =
            names.iter().map(|text| text.parse::<SelectedName>().ok().ok_or_else(|| place.inconsistent("names")));
        let accounts = list(&place, "accounts", &self.accounts)?;
        let accounts = accounts.iter().map(|text| AccountId::parse(text).ok_or_else(|| place.inconsistent("accounts")));
        let selection = Selection {
            issuers: list(&place, "issuers", &self.issuers)?,
            profiles: list(&place, "profiles", &self.profiles)?,
            keys: keys.collect::<Result<_, _>>()?,
            names: names.collect::<Result<_, _>>()?,
            accounts: accounts.collect::<Result<_, _>>()?,
        };
        let (start, end) =
            (Timestamp::from_unix_millis(self.window_start), Timestamp::from_unix_millis(self.window_end));
        Ok(RenewalRule {
            id: RenewalRuleId::from_bytes(place.octets("id", &self.id)?),
            selection,
            window: Window::kept(start, end).ok_or_else(|| place.inconsistent("window_end"))?,
            explanation_url: self.explanation,
            author: place.number("author", self.author)?,
            made: Timestamp::from_unix_millis(self.made),
            ends: Timestamp::from_unix_millis(self.ends),
            ended: self.ended.map(Timestamp::from_unix_millis),
        })
    }

    /// The row of a rule.
    pub(crate) fn of(rule: &RenewalRule) -> Result<Self, StoreError> {
        let Selection { issuers, profiles, keys, names, accounts } = &rule.selection;
        let keys: Vec<String> = keys.iter().map(|key| HEXLOWER.encode(key)).collect();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
        Ok(Self {
            id: rule.id.as_bytes().to_vec(),
            issuers: list_column(issuers)?,
            profiles: list_column(profiles)?,
            keys: list_column(&keys)?,
            names: list_column(&names)?,
            accounts: list_column(&accounts)?,
            window_start: millis(rule.window.start()),
            window_end: millis(rule.window.end()),
            explanation: rule.explanation_url.clone(),
            author: i64::from(rule.author),
            made: millis(rule.made),
            ends: millis(rule.ends),
            ended: rule.ended.map(millis),
        })
    }
}

fn list(place: &Place<'_>, column: &'static str, json: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(json).ok().ok_or_else(|| place.inconsistent(column))
}

fn list_column(values: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(values).map_err(|error| StoreError::unavailable("a rule cannot be kept", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> RuleRow {
        RuleRow {
            id: vec![1; 16],
            issuers: "[]".into(),
            profiles: "[]".into(),
            keys: "[]".into(),
            names: "[]".into(),
            accounts: "[]".into(),
            window_start: 1_000,
            window_end: 2_000,
            explanation: None,
            author: 0,
            made: 1,
            ends: 2,
            ended: None,
        }
    }

    #[test]
    fn impossible_rules_are_told_by_table_column_and_key() {
        for (row, expected) in [
            (RuleRow { issuers: "{}".into(), ..row() }, "issuers"),
            (RuleRow { profiles: "[1]".into(), ..row() }, "profiles"),
            (RuleRow { keys: "[\"00\"]".into(), ..row() }, "keys"),
            (RuleRow { keys: "[\"x\"]".into(), ..row() }, "keys"),
            (RuleRow { names: "[\"a b\"]".into(), ..row() }, "names"),
            (RuleRow { accounts: "[\"a\"]".into(), ..row() }, "accounts"),
            (RuleRow { window_end: 1_000, ..row() }, "window_end"),
            (RuleRow { window_start: 1_001, ..row() }, "window_end"),
            (RuleRow { author: -1, ..row() }, "author"),
        ] {
            match row.into_state() {
                Err(StoreError::Inconsistent { table: "renewal_rules", column, .. }) => assert_eq!(column, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
        assert!(row().into_state().is_ok());
    }
}
