//! Accounts.

use certus_acme::Jwk;
use certus_ca::id::{AccountId, BindingKeyId};
use certus_ca::ports::{StoreError, Stored};
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
        let account = Account {
            id: AccountId::from_bytes(place.octets("id", self.id)?),
            key: Jwk::parse(self.jwk).ok().ok_or_else(|| place.inconsistent("jwk"))?,
            contact: serde_json::from_str(self.contact).ok().ok_or_else(|| place.inconsistent("contact"))?,
            terms: self.terms,
            binding,
            created: Timestamp::from_unix_millis(self.created),
            deactivated: self.deactivated.map(Timestamp::from_unix_millis),
        };
        Ok(Stored { value: account, version: place.version(self.version)? })
    }
}
