//! Keys of external account binding.

use certus_acme::{Identifier, RawIdentifier};
use certus_ca::id::BindingKeyId;
use certus_ca::ports::StoreError;
use certus_ca::state::{BindingEntry, BindingKey, BindingScope, BindingUse};
use certus_ca::vault::Sealed;
use certus_pki::{DnsName, Timestamp};

use super::Place;

/// A row of `binding_keys`, with what has been made of it.
#[derive(Debug)]
pub(crate) struct BindingRow {
    pub(crate) id: Vec<u8>,
    pub(crate) sealing_key: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) names: String,
    pub(crate) suffixes: String,
    pub(crate) profiles: String,
    pub(crate) quota: Option<i64>,
    pub(crate) expires: Option<i64>,
    pub(crate) single_use: bool,
    pub(crate) vouches: bool,
    pub(crate) created: i64,
    pub(crate) revoked: Option<i64>,
    pub(crate) accounts: i64,
    pub(crate) certificates: i64,
}

impl BindingRow {
    /// The key and its use.
    pub(crate) fn into_state(self) -> Result<BindingEntry, StoreError> {
        let place = Place::new("binding_keys", &self.id);
        let names: Vec<RawIdentifier> =
            serde_json::from_str(&self.names).ok().ok_or_else(|| place.inconsistent("names"))?;
        let names = names.iter().map(|raw| Identifier::parse(raw).ok().ok_or_else(|| place.inconsistent("names")));
        let suffixes: Vec<String> =
            serde_json::from_str(&self.suffixes).ok().ok_or_else(|| place.inconsistent("suffixes"))?;
        let suffixes =
            suffixes.iter().map(|text| DnsName::parse(text).ok().ok_or_else(|| place.inconsistent("suffixes")));
        let scope = BindingScope {
            names: names.collect::<Result<_, _>>()?,
            suffixes: suffixes.collect::<Result<_, _>>()?,
            profiles: serde_json::from_str(&self.profiles).ok().ok_or_else(|| place.inconsistent("profiles"))?,
            quota: self.quota.map(|quota| place.number("quota", quota)).transpose()?,
            expires: self.expires.map(Timestamp::from_unix_millis),
            single_use: self.single_use,
            vouches: self.vouches,
        };
        let used = BindingUse {
            accounts: place.number("key", self.accounts)?,
            certificates: place.number("key", self.certificates)?,
        };
        let key = BindingKey {
            id: BindingKeyId::from_bytes(place.octets("id", &self.id)?),
            secret: Sealed { key: self.sealing_key, octets: self.secret },
            scope,
            created: Timestamp::from_unix_millis(self.created),
            revoked: self.revoked.map(Timestamp::from_unix_millis),
        };
        Ok(BindingEntry { key, used })
    }
}

/// Names, suffixes and profiles as the backends keep them: JSON arrays.
pub(crate) fn scope_columns(scope: &BindingScope) -> Result<[String; 3], StoreError> {
    let names: Vec<RawIdentifier> = scope.names.iter().map(Identifier::to_raw).collect();
    let suffixes: Vec<&str> = scope.suffixes.iter().map(DnsName::as_str).collect();
    let written =
        (serde_json::to_string(&names), serde_json::to_string(&suffixes), serde_json::to_string(&scope.profiles));
    match written {
        (Ok(names), Ok(suffixes), Ok(profiles)) => Ok([names, suffixes, profiles]),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
            Err(StoreError::unavailable("a binding key cannot be kept", error))
        }
    }
}
