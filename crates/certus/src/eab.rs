//! Keys of external account binding, as the control socket speaks of them. The same types are written and read.

use std::fmt;
use std::time::Duration;

use anyhow::Context;
use certus_acme::{Identifier, RawIdentifier};
use certus_ca::Ca;
use certus_ca::id::BindingKeyId;
use certus_ca::ports::Page;
use certus_ca::state::{BindingEntry, BindingScope, BindingUse};
use certus_pki::{DnsName, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::control::MAX_PAGE;
use crate::control::words::told;

/// How to find what is not there.
const LIST: &str = "list them with: certus ca eab list";

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "eab", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Make a key.
    Create(Wish),
    /// Which keys there are.
    List {
        /// Only those after this one.
        after: Option<i64>,
        /// How many at most.
        limit: u32,
    },
    /// Revoke a key.
    Revoke {
        /// Its id.
        kid: String,
    },
}

/// What a new key shall be good for.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    pub(crate) names: Vec<String>,
    pub(crate) suffixes: Vec<String>,
    pub(crate) profiles: Vec<String>,
    pub(crate) quota: Option<u64>,
    pub(crate) expires_seconds: Option<u64>,
    pub(crate) single_use: bool,
    pub(crate) pre_authorize: bool,
}

/// A key that was just made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Made {
    #[serde(flatten)]
    pub(crate) key: Key,
    /// The MAC key in base64url, as clients want it. Told this once.
    pub(crate) mac_key: Shown,
    pub(crate) directory_url: String,
}

/// A secret on its way to the one who shall have it.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Shown(String);

impl Shown {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        drop(Zeroizing::new(std::mem::take(&mut self.0)));
    }
}

/// A page of keys.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Keys {
    pub(crate) keys: Vec<Key>,
    /// What to pass as `--after` for the next page; `null` at the end.
    pub(crate) next: Option<i64>,
}

/// A key. Times are RFC 3339 in UTC.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) kid: String,
    /// Whether it binds further accounts.
    pub(crate) usable: bool,
    pub(crate) names: Vec<String>,
    pub(crate) suffixes: Vec<String>,
    pub(crate) profiles: Vec<String>,
    /// How many certificates its accounts may be issued in all; `null` is as many as they like.
    pub(crate) quota: Option<u64>,
    pub(crate) expires: Option<String>,
    pub(crate) single_use: bool,
    /// Whether its accounts need not prove control of the names above.
    pub(crate) pre_authorizes: bool,
    pub(crate) created: String,
    pub(crate) revoked: Option<String>,
    pub(crate) accounts: u64,
    pub(crate) certificates: u64,
}

impl Key {
    fn of(BindingEntry { key, used }: BindingEntry, now: Timestamp) -> Self {
        let usable = key.refuses_accounts(used, now).is_none();
        let BindingScope { names, suffixes, profiles, quota, expires, single_use, vouches } = key.scope;
        Self {
            kid: key.id.to_string(),
            usable,
            names: names.iter().map(Identifier::value).collect(),
            suffixes: suffixes.iter().map(ToString::to_string).collect(),
            profiles,
            quota,
            expires: expires.map(Timestamp::rfc3339),
            single_use,
            pre_authorizes: vouches,
            created: key.created.rfc3339(),
            revoked: key.revoked.map(Timestamp::rfc3339),
            accounts: used.accounts,
            certificates: used.certificates,
        }
    }
}

/// Answers, for the person of that user id.
pub(crate) async fn answer(ca: &Ca, uid: u32, directory_url: &str, ask: Ask) -> anyhow::Result<serde_json::Value> {
    Ok(match ask {
        Ask::Create(wish) => serde_json::to_value(create(ca, uid, directory_url, wish).await?)?,
        Ask::List { after, limit } => {
            let Page { entries, next } =
                ca.binding_keys(after, limit.clamp(1, MAX_PAGE)).await.map_err(|error| told(error, LIST))?;
            let keys = entries.into_iter().map(|entry| Key::of(entry, ca.now())).collect();
            serde_json::to_value(Keys { keys, next })?
        }
        Ask::Revoke { kid } => {
            let id = BindingKeyId::parse(&kid).with_context(|| format!("{kid:?} is no key's id"))?;
            let entry = ca.revoke_binding_key(uid, id).await.map_err(|error| told(error, LIST))?;
            serde_json::to_value(Key::of(entry, ca.now()))?
        }
    })
}

async fn create(ca: &Ca, uid: u32, directory_url: &str, wish: Wish) -> anyhow::Result<Made> {
    let Wish { names, suffixes, profiles, quota, expires_seconds, single_use, pre_authorize } = wish;
    let names = names.iter().map(|text| identifier(text)).collect::<anyhow::Result<_>>()?;
    let suffixes = suffixes.iter().map(|text| DnsName::parse(text).with_context(|| format!("{text:?} is no name")));
    let scope = BindingScope {
        names,
        suffixes: suffixes.collect::<anyhow::Result<_>>()?,
        profiles,
        quota,
        expires: expires_seconds.map(|seconds| ca.now() + Duration::from_secs(seconds)),
        single_use,
        vouches: pre_authorize,
    };
    let (key, mac) = ca.make_binding_key(uid, scope).await.map_err(|error| told(error, LIST))?;
    Ok(Made {
        key: Key::of(BindingEntry { key, used: BindingUse::default() }, ca.now()),
        mac_key: Shown(certus_acme::base64url::encode(mac.reveal())),
        directory_url: directory_url.to_owned(),
    })
}

/// A name, a wildcard or an address, as a person writes it.
pub(crate) fn identifier(text: &str) -> anyhow::Result<Identifier> {
    let kind = if text.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "dns" };
    let raw = RawIdentifier { kind: kind.to_owned(), value: text.to_owned() };
    Identifier::parse(&raw).with_context(|| format!("{text:?} is neither a name nor an address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_once_is_not_printed_with_the_rest() {
        assert_eq!(format!("{:?}", Shown("abc".to_owned())), "<secret>");
        assert_eq!(serde_json::to_string(&Shown("abc".to_owned())).unwrap(), "\"abc\"");
    }

    #[test]
    fn names_are_read_as_people_write_them() {
        for (text, expected) in
            [("www.Example.org", "www.example.org"), ("*.example.org", "*.example.org"), ("2001:db8::1", "2001:db8::1")]
        {
            assert_eq!(identifier(text).unwrap().value(), expected);
        }
        assert!(identifier("a b").is_err());
    }
}
