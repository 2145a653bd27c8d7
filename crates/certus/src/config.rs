//! Settings: `certus.toml`, read once into types.
//!
//! Tables belong to roles. The authority reads `[authority]` and the shared `[store]` and `[log]`, refuses keys it does
//! not know there, and leaves other roles' tables alone. Every default stands in this module or in [`defaults`];
//! [`sample`] writes the file that an operator starts from.

pub mod defaults;
mod dns;
pub mod sample;
mod tables;
pub mod units;
pub mod urls;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use certus_acme::ChallengeType;
use certus_ca::rate_limits::Rate;
use certus_ca::{CaaRule, LimitName, NameRules, RateLimits, Service};
use certus_http::limits::MAX_SHARDS;
use certus_pki::{ObjectIdentifier, PermittedKeys};

pub use tables::LogFormat;
pub use urls::{ExternalUrl, PkiUrl, UrlError};

/// The name of the file.
pub const FILE: &str = "certus.toml";
/// The only version of the file there is.
pub const VERSION: u32 = 1;
/// The smallest limit on a challenge's body: a key authorization has 87 octets (RFC 8555 section 8.1), and room for white
/// space behind it.
const MIN_BODY: usize = 128;
/// The longest back-dating (Baseline Requirements 7.1.2.7: 48 hours).
const MAX_BACKDATE: Duration = Duration::from_secs(48 * 3600);

/// The longest that an authorization may serve later orders: as long as it is valid.
const MAX_REUSE: Duration = certus_ca::limits::AUTHORIZATION_LIFETIME;

/// The settings of an authority, every default filled in and every path absolute.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory of the file; relative paths begin here.
    pub directory: PathBuf,
    /// Where the ACME service lives for its clients.
    pub external_url: ExternalUrl,
    /// Where it publishes over plain HTTP.
    pub pki_url: PkiUrl,
    /// Where ACME is listened for.
    pub listen: SocketAddr,
    /// Where the plain HTTP of publications is listened for.
    pub pki_listen: SocketAddr,
    /// The root's certificate.
    pub root: PathBuf,
    /// The CRL of the root; not there when the root is somebody else's.
    pub root_crl: PathBuf,
    /// The issuers by name.
    pub issuers: BTreeMap<String, Issuer>,
    /// The profiles by name.
    pub profiles: BTreeMap<String, Profile>,
    /// The profile of orders that ask for none.
    pub default_profile: String,
    /// CRL shards that new certificates are spread over.
    pub crl_shards: u32,
    /// Where the passphrase of the keys is that seal what is secret in the store.
    pub sealing: SecretSource,
    /// What the directory says about the service.
    pub service: Service,
    /// What clients may do how often.
    pub limits: RateLimits,
    /// Which names are certified at all.
    pub names: NameRules,
    /// Whether the file says something of DNSSEC.
    pub dnssec_said: bool,
    /// How control of names is seen.
    pub validation: certus_validate::Config,
    /// Where everything is remembered.
    pub store: Store,
    /// What is logged.
    pub log: Log,
}

/// One issuer's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its chain in PEM, the issuing certificate first.
    pub chain: PathBuf,
    /// Chains of the same issuing name and key to other roots, offered beside it (RFC 8555 section 7.4.2).
    pub alternate_chains: Vec<PathBuf>,
    /// Its private key.
    pub key: PathBuf,
    /// Where the passphrase of the key is.
    pub passphrase: SecretSource,
}

/// Where a secret is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// There is none.
    None,
    /// A file of one line.
    File(PathBuf),
    /// A credential that the service manager hands over (`$CREDENTIALS_DIRECTORY/NAME`).
    Credential(String),
}

/// A kind of certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// One sentence for the directory.
    pub description: String,
    /// How long a certificate is valid.
    pub lifetime: Duration,
    /// How long before the present it begins.
    pub backdate: Duration,
    /// The policies it asserts.
    pub policies: Vec<ObjectIdentifier>,
    /// The ways to prove control of what it certifies.
    pub challenges: Vec<ChallengeType>,
    /// How long after it was met an authorization may serve later orders.
    pub reuse: Duration,
    /// How often a challenge that failed is tried again.
    pub retries: u8,
    /// Whether names and addresses of the public Internet alone are certified.
    pub public_only: bool,
    /// Whether its certificates are for TLS clients too.
    pub client_auth: bool,
    /// The kinds of keys it certifies.
    pub keys: PermittedKeys,
    /// Which names it certifies only if CAA permits it.
    pub caa: CaaRule,
    /// The name of the issuer for elliptic-curve keys.
    pub ecdsa: String,
    /// The name of the issuer for RSA keys.
    pub rsa: String,
}

/// Where everything is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// `sqlite`, `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Where the password is, when the store wants one.
    pub password: SecretSource,
    /// A file of passwords in PostgreSQL's format.
    pub passfile: Option<PathBuf>,
}

/// What is logged, to standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`; per module as `info,certus_http=debug`.
    pub level: String,
    /// Text or JSON.
    pub format: LogFormat,
}

/// Why the settings cannot be used. Always names the file; and the line and the key where there is one.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no file.
    #[error("there is no {}; make an authority with: certus ca init --dir {}", .0.join(FILE).display(), .0.display())]
    Absent(PathBuf),
    /// It cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{path}, line {line}: {message}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A setting does not fit the others.
    #[error("{path}: {message}")]
    Setting {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

impl Config {
    /// Reads the settings of the authority in `directory`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn load(directory: &Path) -> Result<Self, ConfigError> {
        let path = directory.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConfigError::Absent(directory.to_owned()));
            }
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        Self::parse(directory, &text)
    }

    /// Reads the text of a file that lies in `directory`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn parse(directory: &Path, text: &str) -> Result<Self, ConfigError> {
        let path = directory.join(FILE);
        let told = |error: &toml::de::Error, message: String| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            ConfigError::Line { path: path.clone(), line, message }
        };
        let at = |error: toml::de::Error| told(&error, error.message().to_owned());
        if let Err(error) = text.parse::<toml::Table>() {
            let message = format!("this is not TOML ({}); text stands in quotes: key = \"value\"", error.message());
            return Err(told(&error, message));
        }
        // The version first: a file of another one may have keys that this one would only call unknown.
        let tables::Version { version } = toml::from_str(text).map_err(at)?;
        if version != VERSION {
            let message = format!("version = {version} is not known to this Certus, which reads version = {VERSION}");
            return Err(ConfigError::Setting { path, message });
        }
        let file: tables::File = toml::from_str(text).map_err(at)?;
        Self::resolve(directory, file).map_err(|message| ConfigError::Setting { path, message })
    }

    fn resolve(directory: &Path, file: tables::File) -> Result<Self, String> {
        let tables::File { version: _, authority, store, log, agent: _, serve: _ } = file;
        let issuers = resolve_issuers(directory, authority.issuers)?;
        let profiles = resolve_profiles(authority.profiles, &issuers)?;
        if !profiles.contains_key(&authority.default_profile) {
            return Err(format!(
                "default_profile names {:?}, which is no profile here; set it to one of: {}",
                authority.default_profile,
                profiles.keys().cloned().collect::<Vec<_>>().join(", ")
            ));
        }
        if !(1..=MAX_SHARDS).contains(&authority.crl_shards) {
            return Err(format!("crl_shards must be 1 to {MAX_SHARDS}"));
        }
        if overlap(authority.listen, authority.pki_listen) {
            return Err(format!(
                "listen = {} and pki_listen = {} are one; give each its own port",
                authority.listen, authority.pki_listen
            ));
        }
        crate::telemetry::filter(&log.level).map_err(|error| format!("{error:#}"))?;
        let tables::Validation {
            http_port,
            https_port,
            tls_alpn_port,
            resolvers,
            dnssec,
            trust_anchors,
            permit,
            deny,
            timeout,
            max_redirects,
            max_body,
        } = authority.validation;
        if timeout.0.is_zero() {
            return Err("[authority.validation]: with a timeout of 0 nothing can be validated".to_owned());
        }
        if max_body.0 < MIN_BODY {
            return Err(format!("[authority.validation]: max_body must be {MIN_BODY} B or more"));
        }
        let root = directory.join(authority.root);
        let tables::Sealing { passphrase_file, credential } = authority.sealing;
        let sealing = secret_source(directory, passphrase_file, credential, "[authority.sealing]")?;
        let identifiers = authority.identifiers;
        let names = NameRules {
            permit: names("permit_names", &identifiers.permit_names)?,
            addresses_listed: !identifiers.permit_addresses.is_empty(),
            deny: names("deny_names", &identifiers.deny_names)?,
            internal: names("internal_domains", &identifiers.internal_domains)?,
        };
        let caa_identities = dns::caa_identities(&authority.caa, &authority.external_url)?;
        Ok(Self {
            directory: directory.to_owned(),
            external_url: authority.external_url,
            pki_url: authority.pki_url,
            listen: authority.listen,
            pki_listen: authority.pki_listen,
            root_crl: root.with_extension("crl"),
            root,
            issuers,
            profiles,
            default_profile: authority.default_profile,
            crl_shards: authority.crl_shards,
            sealing,
            service: Service {
                terms_of_service: web_url("terms_of_service", authority.terms_of_service)?,
                website: web_url("website", authority.website)?,
                external_account_required: authority.external_account_required,
                caa_identities,
            },
            dnssec_said: dnssec.is_some() || trust_anchors.is_some(),
            limits: resolve_limits(authority.limits)?,
            validation: certus_validate::Config {
                http_port,
                https_port,
                tls_alpn_port,
                resolvers,
                dnssec: dns::dnssec(directory, dnssec.unwrap_or(tables::Switch::On), trust_anchors.as_deref())?,
                internal_domains: names.internal.clone(),
                permit: permit.into_iter().map(|network| network.0).collect(),
                deny: deny.into_iter().map(|network| network.0).collect(),
                permit_identifiers: identifiers.permit_addresses.into_iter().map(|one| one.0).collect(),
                deny_identifiers: identifiers.deny_addresses.into_iter().map(|one| one.0).collect(),
                timeout: timeout.0,
                max_redirects,
                max_body_bytes: max_body.0,
                ..certus_validate::Config::default()
            },
            names,
            store: Store {
                url: store.url,
                password: secret_source(directory, store.password_file, store.credential, "[store]")?,
                passfile: store.passfile.map(|path| directory.join(path)),
            },
            log: Log { level: log.level, format: log.format },
        })
    }
}

/// Whether nobody could listen on both: one port, and one address or one that stands for all.
pub(crate) fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (ip, other_ip) = (one.ip().to_canonical(), other.ip().to_canonical());
    let same = ip == other_ip || ip.is_unspecified() || other_ip.is_unspecified();
    one.port() == other.port() && one.port() != 0 && same
}

fn resolve_limits(table: tables::Limits) -> Result<RateLimits, String> {
    let tables::Limits {
        enabled,
        help_url,
        new_accounts_per_address,
        new_accounts_per_network,
        new_orders_per_account,
        certificates_per_registered_domain,
        certificates_per_exact_set,
        failed_validations_per_account_and_name,
        consecutive_failures_per_account_and_name,
    } = table;
    let help_url = web_url("help_url", help_url)?;
    let mut limits = RateLimits { enabled, help_url, ..RateLimits::built_in() };
    for (limit, given) in [
        (LimitName::NewAccountsPerAddress, new_accounts_per_address),
        (LimitName::NewAccountsPerNetwork, new_accounts_per_network),
        (LimitName::NewOrdersPerAccount, new_orders_per_account),
        (LimitName::CertificatesPerRegisteredDomain, certificates_per_registered_domain),
        (LimitName::CertificatesPerExactSet, certificates_per_exact_set),
        (LimitName::FailedValidationsPerAccountAndName, failed_validations_per_account_and_name),
        (LimitName::ConsecutiveFailuresPerAccountAndName, consecutive_failures_per_account_and_name),
    ] {
        let Some(tables::Limit { count, period }) = given else { continue };
        let rate = Rate::new(count, period.0).ok_or_else(|| {
            format!(
                "[authority.limits]: {limit} must be one or more, in a period of ten years or less; enabled = false ends all \
                 limits"
            )
        })?;
        limits.rates.insert(limit, rate);
    }
    Ok(limits)
}

fn resolve_issuers(
    directory: &Path,
    tables: BTreeMap<String, tables::Issuer>,
) -> Result<BTreeMap<String, Issuer>, String> {
    if tables.is_empty() {
        return Err("[authority.issuers] names no issuer".to_owned());
    }
    let mut issuers = BTreeMap::new();
    for (name, table) in tables {
        let place = format!("[authority.issuers.{name}]");
        let passphrase = secret_source(directory, table.passphrase_file, table.credential, &place)?;
        let issuer = Issuer {
            chain: directory.join(table.chain),
            alternate_chains: table.alternate_chains.iter().map(|path| directory.join(path)).collect(),
            key: directory.join(table.key),
            passphrase,
        };
        issuers.insert(name, issuer);
    }
    Ok(issuers)
}

fn resolve_profiles(
    tables: Option<BTreeMap<String, tables::Profile>>,
    issuers: &BTreeMap<String, Issuer>,
) -> Result<BTreeMap<String, Profile>, String> {
    let mut profiles = BTreeMap::new();
    for (name, table) in tables.unwrap_or_else(defaults::profiles) {
        let place = format!("[authority.profiles.{name}]");
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) || name == certus_ca::ca::OWN_PROFILE {
            return Err(format!("{place}: a profile's name is 1 to 32 of a-z, 0-9 and -, and not its own server's"));
        }
        let (lifetime, backdate) = (table.lifetime.0, table.backdate.0);
        if backdate > MAX_BACKDATE {
            return Err(format!("{place}: backdate is over 48h, the most that is allowed"));
        }
        if lifetime <= backdate {
            return Err(format!("{place}: a certificate would be over before it is issued (lifetime, backdate)"));
        }
        let (ecdsa, rsa) = match table.issuers {
            Some(by_key) => (by_key.ecdsa, by_key.rsa),
            None => match (issuers.keys().next(), issuers.len()) {
                (Some(only), 1) => (only.clone(), only.clone()),
                _ => return Err(format!("{place}: there are several issuers; say issuers = {{ ecdsa = …, rsa = … }}")),
            },
        };
        if let Some(unknown) = [&ecdsa, &rsa].into_iter().find(|issuer| !issuers.contains_key(*issuer)) {
            return Err(format!("{place}: there is no issuer {unknown:?}"));
        }
        let policies = table.policies.iter().map(|text| {
            text.parse::<ObjectIdentifier>().map_err(|_error| format!("{place}: {text:?} is no object identifier"))
        });
        let policies = policies.collect::<Result<_, _>>()?;
        let challenges = match table.challenges {
            None => ChallengeType::ALL.to_vec(),
            Some(names) => names.iter().map(|text| challenge_type(text, &place)).collect::<Result<_, _>>()?,
        };
        if challenges.is_empty() {
            return Err(format!("{place}: without challenges nothing can be certified"));
        }
        let keys = table.keys.map_or_else(|| Ok(PermittedKeys::default()), |texts| PermittedKeys::parse(&texts));
        let keys = keys.map_err(|error| format!("{place}: keys: {error}"))?;
        let caa = dns::caa_rule(&table.caa, &place)?;
        let description = table.description.unwrap_or_else(|| format!("certificates valid for {}", table.lifetime));
        let reuse = table.reuse.0;
        if reuse > MAX_REUSE {
            return Err(format!("{place}: reuse is over 7d, as long as an authorization is valid"));
        }
        let most = certus_ca::limits::CHALLENGE_RETRIES.len();
        if usize::from(table.retries) > most {
            return Err(format!("{place}: retries is over {most}, which fill the minute that clients wait"));
        }
        profiles.insert(
            name,
            Profile {
                description,
                lifetime,
                backdate,
                policies,
                challenges,
                reuse,
                retries: table.retries,
                public_only: table.public_only,
                client_auth: table.client_auth,
                keys,
                caa,
                ecdsa,
                rsa,
            },
        );
    }
    Ok(profiles)
}

/// A URL that clients show to people.
fn web_url(setting: &str, text: Option<String>) -> Result<Option<String>, String> {
    let Some(text) = text else { return Ok(None) };
    let good = |url: &url::Url| matches!(url.scheme(), "https" | "http") && url.has_host();
    match url::Url::parse(&text).ok().filter(good) {
        Some(url) => Ok(Some(url.into())),
        None => Err(format!("{setting} = {text:?} is no URL; write https://HOST/PATH")),
    }
}

/// The names of a list.
fn names<T: FromStr<Err: Display>>(setting: &str, texts: &[String]) -> Result<Vec<T>, String> {
    let read =
        |text: &String| text.parse().map_err(|error| format!("[authority.identifiers]: {setting} {text:?}: {error}"));
    texts.iter().map(read).collect()
}

fn challenge_type(text: &str, place: &str) -> Result<ChallengeType, String> {
    let offered = || ChallengeType::ALL.iter().map(|challenge| challenge.name()).collect::<Vec<_>>().join(", ");
    ChallengeType::from_name(text)
        .ok_or_else(|| format!("{place}: {text:?} is no challenge type; there are {}", offered()))
}

fn secret_source(
    directory: &Path,
    file: Option<PathBuf>,
    credential: Option<String>,
    place: &str,
) -> Result<SecretSource, String> {
    match (file, credential) {
        (None, None) => Ok(SecretSource::None),
        (Some(path), None) => Ok(SecretSource::File(directory.join(path))),
        (None, Some(name)) => Ok(SecretSource::Credential(name)),
        (Some(_), Some(_)) => Err(format!("{place}: give a file or a credential, not both")),
    }
}

#[cfg(test)]
mod tests;
