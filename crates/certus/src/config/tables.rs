//! The tables of `certus.toml` as they are written. What they mean is in the module above.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::defaults;
use super::units::{Network, Period, Size};
use super::urls::{ExternalUrl, PkiUrl};

/// The one key that every version of the file has.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the version was looked at before, and other roles' tables are only let through")]
pub(super) struct File {
    pub(super) version: u32,
    pub(super) authority: Authority,
    #[serde(default)]
    pub(super) store: Store,
    #[serde(default)]
    pub(super) log: Log,
    /// Other roles' tables: not read here.
    pub(super) agent: Option<IgnoredAny>,
    pub(super) serve: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authority {
    pub(super) external_url: ExternalUrl,
    pub(super) pki_url: PkiUrl,
    pub(super) terms_of_service: Option<String>,
    pub(super) website: Option<String>,
    #[serde(default)]
    pub(super) external_account_required: bool,
    pub(super) listen: SocketAddr,
    pub(super) pki_listen: SocketAddr,
    #[serde(default = "defaults::root")]
    pub(super) root: PathBuf,
    pub(super) issuers: BTreeMap<String, Issuer>,
    pub(super) profiles: Option<BTreeMap<String, Profile>>,
    #[serde(default = "defaults::default_profile")]
    pub(super) default_profile: String,
    #[serde(default = "defaults::crl_shards")]
    pub(super) crl_shards: u32,
    #[serde(default)]
    pub(super) sealing: Sealing,
    #[serde(default)]
    pub(super) identifiers: Identifiers,
    #[serde(default)]
    pub(super) caa: Caa,
    #[serde(default)]
    pub(super) validation: Validation,
    #[serde(default)]
    pub(super) limits: Limits,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Identifiers {
    pub(super) permit_names: Vec<String>,
    pub(super) deny_names: Vec<String>,
    pub(super) internal_domains: Vec<String>,
    pub(super) permit_addresses: Vec<Network>,
    pub(super) deny_addresses: Vec<Network>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) enabled: bool,
    pub(super) help_url: Option<String>,
    pub(super) new_accounts_per_address: Option<Limit>,
    pub(super) new_accounts_per_network: Option<Limit>,
    pub(super) new_orders_per_account: Option<Limit>,
    pub(super) certificates_per_registered_domain: Option<Limit>,
    pub(super) certificates_per_exact_set: Option<Limit>,
    pub(super) failed_validations_per_account_and_name: Option<Limit>,
    pub(super) consecutive_failures_per_account_and_name: Option<Limit>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            enabled: true,
            help_url: None,
            new_accounts_per_address: None,
            new_accounts_per_network: None,
            new_orders_per_account: None,
            certificates_per_registered_domain: None,
            certificates_per_exact_set: None,
            failed_validations_per_account_and_name: None,
            consecutive_failures_per_account_and_name: None,
        }
    }
}

/// So many in a period.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    pub(super) count: u32,
    pub(super) period: Period,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Sealing {
    pub(super) passphrase_file: Option<PathBuf>,
    pub(super) credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issuer {
    pub(super) chain: PathBuf,
    #[serde(default)]
    pub(super) alternate_chains: Vec<PathBuf>,
    pub(super) key: PathBuf,
    pub(super) passphrase_file: Option<PathBuf>,
    pub(super) credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) description: Option<String>,
    pub(super) lifetime: Period,
    #[serde(default = "defaults::backdate")]
    pub(super) backdate: Period,
    #[serde(default)]
    pub(super) policies: Vec<String>,
    pub(super) challenges: Option<Vec<String>>,
    #[serde(default = "defaults::reuse")]
    pub(super) reuse: Period,
    #[serde(default)]
    pub(super) retries: u8,
    #[serde(default)]
    pub(super) public_only: bool,
    #[serde(default)]
    pub(super) client_auth: bool,
    pub(super) keys: Option<Vec<String>>,
    #[serde(default = "defaults::caa")]
    pub(super) caa: String,
    pub(super) issuers: Option<ByKey>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Caa {
    pub(super) identities: Vec<String>,
}

/// The issuer for each kind of key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ByKey {
    pub(super) ecdsa: String,
    pub(super) rsa: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Validation {
    pub(super) http_port: u16,
    pub(super) https_port: u16,
    pub(super) tls_alpn_port: u16,
    pub(super) resolvers: Vec<SocketAddr>,
    pub(super) dnssec: Option<Switch>,
    pub(super) trust_anchors: Option<PathBuf>,
    pub(super) permit: Vec<Network>,
    pub(super) deny: Vec<Network>,
    pub(super) timeout: Period,
    pub(super) max_redirects: u32,
    pub(super) max_body: Size,
}

impl Default for Validation {
    fn default() -> Self {
        let built_in = certus_validate::Config::default();
        Self {
            http_port: built_in.http_port,
            https_port: built_in.https_port,
            tls_alpn_port: built_in.tls_alpn_port,
            resolvers: built_in.resolvers,
            dnssec: None,
            trust_anchors: None,
            permit: built_in.permit.into_iter().map(Network).collect(),
            deny: built_in.deny.into_iter().map(Network).collect(),
            timeout: Period(built_in.timeout),
            max_redirects: built_in.max_redirects,
            max_body: Size(built_in.max_body_bytes),
        }
    }
}

/// Something that is done or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Switch {
    On,
    Off,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Store {
    pub(super) url: String,
    pub(super) password_file: Option<PathBuf>,
    pub(super) credential: Option<String>,
    pub(super) passfile: Option<PathBuf>,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: defaults::STORE.to_owned(), password_file: None, credential: None, passfile: None }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) level: String,
    pub(super) format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: defaults::LOG_LEVEL.to_owned(), format: LogFormat::Text }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A sentence and its fields, for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}
