//! The signature algorithms a request may use (RFC 7518 section 3.1, RFC 8037 section 3.1).

use std::fmt;

use certus_pki::{EcCurve, PublicKey, PublicKeyKind, SignatureAlgorithm};

/// An algorithm of the `alg` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// ECDSA with P-521 and SHA-512.
    Es512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: &'static [Self] = &[Self::Es256, Self::Es384, Self::Es512, Self::Rs256, Self::EdDsa];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    /// The same in the words of `certus-pki`.
    #[must_use]
    pub const fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Es256 => SignatureAlgorithm::EcdsaSha256,
            Self::Es384 => SignatureAlgorithm::EcdsaSha384,
            Self::Es512 => SignatureAlgorithm::EcdsaSha512,
            Self::Rs256 => SignatureAlgorithm::RsaPkcs1Sha256,
            Self::EdDsa => SignatureAlgorithm::Ed25519,
        }
    }

    /// The one algorithm a key signs requests with (RFC 7518 section 3.4 ties each curve to its own).
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        match key.kind() {
            PublicKeyKind::Ec(EcCurve::P256) => Self::Es256,
            PublicKeyKind::Ec(EcCurve::P384) => Self::Es384,
            PublicKeyKind::Ec(EcCurve::P521) => Self::Es512,
            PublicKeyKind::Rsa { .. } => Self::Rs256,
            PublicKeyKind::Ed25519 => Self::EdDsa,
        }
    }

    /// Whether a key may be used with this algorithm.
    #[must_use]
    pub fn fits(self, key: &PublicKey) -> bool {
        Self::of(key) == self
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
