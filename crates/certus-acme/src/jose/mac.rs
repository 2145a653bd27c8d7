//! MACs of external account binding (RFC 8555 section 7.3.4, RFC 7518 section 3.2).

use std::fmt;

use certus_pki::{MacHash, MacKey};

use crate::base64url;

/// A MAC algorithm of the `alg` header. No request as a whole is authenticated by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MacAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl MacAlgorithm {
    /// Every algorithm.
    pub const ALL: &'static [Self] = &[Self::Hs256, Self::Hs384, Self::Hs512];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// The algorithm of that registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    /// The same in the words of `certus-pki`.
    #[must_use]
    pub const fn hash(self) -> MacHash {
        match self {
            Self::Hs256 => MacHash::Sha256,
            Self::Hs384 => MacHash::Sha384,
            Self::Hs512 => MacHash::Sha512,
        }
    }
}

impl fmt::Display for MacAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Makes a flattened JWS with a MAC. `protected` is the JSON text of its header, which says the same algorithm.
#[must_use]
pub fn authenticate(key: &MacKey, algorithm: MacAlgorithm, protected: &str, payload: &[u8]) -> String {
    let (protected, payload) = (base64url::encode(protected.as_bytes()), base64url::encode(payload));
    let tag = key.sign(algorithm.hash(), format!("{protected}.{payload}").as_bytes());
    let signature = base64url::encode(&tag);
    format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#)
}
