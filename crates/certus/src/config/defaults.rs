//! What holds where `certus.toml` says nothing. Those of validation are in `certus_validate::Config`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::tables;
use super::units::Period;

/// The store: one file in the state directory.
pub const STORE: &str = "sqlite";
/// What is logged.
pub const LOG_LEVEL: &str = "info";
/// CRL shards: a million certificates of which a tenth is revoked make lists of about 1 MB each. May grow later.
pub const CRL_SHARDS: u32 = 4;
/// An hour of back-dating helps clients whose clocks are behind, as public authorities do.
pub const BACKDATE: Duration = Duration::from_secs(3600);
/// The profile of orders that ask for none.
pub const DEFAULT_PROFILE: &str = "classic";
/// The profiles there are: name, lifetime, and what they are for.
pub const PROFILES: [(&str, Duration, &str); 2] = [
    ("classic", Duration::from_secs(90 * 86_400), "90 days, for servers that renew by themselves"),
    ("shortlived", Duration::from_secs(6 * 86_400), "6 days, for servers that renew every few days"),
];

pub(super) fn root() -> PathBuf {
    PathBuf::from("state/root.pem")
}

pub(super) fn default_profile() -> String {
    DEFAULT_PROFILE.to_owned()
}

pub(super) const fn crl_shards() -> u32 {
    CRL_SHARDS
}

pub(super) const fn reuse() -> Period {
    Period(Duration::ZERO)
}

pub(super) fn caa() -> String {
    certus_ca::CaaRule::default().name().to_owned()
}

pub(super) const fn backdate() -> Period {
    Period(BACKDATE)
}

pub(super) fn profiles() -> BTreeMap<String, tables::Profile> {
    let profile = |(name, lifetime, description): (&str, Duration, &str)| {
        let profile = tables::Profile {
            description: Some(description.to_owned()),
            lifetime: Period(lifetime),
            backdate: backdate(),
            policies: Vec::new(),
            challenges: None,
            reuse: reuse(),
            retries: 0,
            public_only: false,
            client_auth: false,
            keys: None,
            caa: caa(),
            issuers: None,
        };
        (name.to_owned(), profile)
    };
    PROFILES.into_iter().map(profile).collect()
}
