//! Accounts.

use std::collections::BTreeMap;

use certus_acme::Jwk;
use certus_ca::id::{AccountId, BindingKeyId};
use certus_ca::ports::{StoreError, Stored};
use certus_ca::rate_limits::{LimitName, Overrides};
use certus_ca::state::{Account, AccountBinding};
use certus_pki::Timestamp;

use super::Place;

/// A row of `accounts`.
#[derive(Debug)]
pub(crate) struct AccountRow<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) version: i64,
    pub(crate) jwk: &'a str,
    pub(crate) contact: &'a str,
    pub(crate) created: i64,
    pub(crate) deactivated: Option<i64>,
    pub(crate) terms: Option<String>,
    pub(crate) binding_key: Option<&'a [u8]>,
    pub(crate) binding: Option<String>,
    pub(crate) limits: Option<&'a str>,
    pub(crate) revoked: bool,
}

impl AccountRow<'_> {
    /// The account and its version.
    pub(crate) fn into_state(self) -> Result<Stored<Account>, StoreError> {
        let place = Place::new("accounts", self.id);
        let binding = match (self.binding_key, self.binding) {
            (Some(key), Some(jws)) => {
                Some(AccountBinding { key: BindingKeyId::from_bytes(place.octets("binding_key", key)?), jws })
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(place.inconsistent("binding")),
        };
        let overrides = match self.limits {
            None => Overrides::new(),
            Some(json) => overrides(json).ok_or_else(|| place.inconsistent("limits"))?,
        };
        let account = Account {
            id: AccountId::from_bytes(place.octets("id", self.id)?),
            key: Jwk::parse(self.jwk).ok().ok_or_else(|| place.inconsistent("jwk"))?,
            contact: serde_json::from_str(self.contact).ok().ok_or_else(|| place.inconsistent("contact"))?,
            terms: self.terms,
            binding,
            overrides,
            created: Timestamp::from_unix_millis(self.created),
            deactivated: self.deactivated.map(Timestamp::from_unix_millis),
            revoked: self.revoked,
        };
        Ok(Stored { value: account, version: place.version(self.version)? })
    }
}

/// The limits of an account of its own as the backends keep them: a JSON object of names and numbers, or nothing.
pub(crate) fn limits_column(account: &Account) -> Result<Option<String>, StoreError> {
    if account.overrides.is_empty() {
        return Ok(None);
    }
    let named: BTreeMap<&str, u32> = account.overrides.iter().map(|(limit, count)| (limit.name(), *count)).collect();
    let json = serde_json::to_string(&named);
    json.map(Some).map_err(|error| StoreError::unavailable("an account's limits cannot be kept", error))
}

fn overrides(json: &str) -> Option<Overrides> {
    let named: BTreeMap<String, u32> = serde_json::from_str(json).ok()?;
    named.into_iter().map(|(name, count)| Some((LimitName::parse(&name)?, count))).collect()
}
