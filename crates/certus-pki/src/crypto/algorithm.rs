//! The algorithms Certus speaks: kinds of keys, signature algorithms and their X.509 identifiers.
//!
//! SHA-1, MD5, DSA and RSASSA-PSS are absent on purpose: what has no name here can be neither made nor verified.

use std::fmt;
use std::str::FromStr;

/// The kinds of key pairs that can be generated.
///
/// `Display` and `FromStr` use the names of the configuration: `ec-p256`, `ec-p384`, `ec-p521`, `rsa-2048`, `rsa-3072`,
/// `rsa-4096`, `ed25519`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// ECDSA on NIST P-256.
    EcP256,
    /// ECDSA on NIST P-384.
    EcP384,
    /// ECDSA on NIST P-521.
    EcP521,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
    /// RSA with a modulus of 3072 bits.
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

impl KeyAlgorithm {
    /// Every kind, in the order a person would choose from.
    pub const ALL: [Self; 7] =
        [Self::EcP256, Self::EcP384, Self::EcP521, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096, Self::Ed25519];

    /// The name used in configuration and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcP256 => "ec-p256",
            Self::EcP384 => "ec-p384",
            Self::EcP521 => "ec-p521",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The algorithm such a key signs certificates and CRLs with (BR 7.1.3.2).
    #[must_use]
    pub const fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::EcP256 => SignatureAlgorithm::EcdsaSha256,
            Self::EcP384 => SignatureAlgorithm::EcdsaSha384,
            Self::EcP521 => SignatureAlgorithm::EcdsaSha512,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => SignatureAlgorithm::RsaPkcs1Sha256,
            Self::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A key type was named that Certus does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown key type {0:?}: ec-p256, ec-p384, ec-p521, rsa-2048, rsa-3072, rsa-4096 or ed25519 is expected")]
pub struct UnknownKeyAlgorithm(String);

impl FromStr for KeyAlgorithm {
    type Err = UnknownKeyAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| UnknownKeyAlgorithm(name.to_owned()))
    }
}

/// A signature algorithm: the scheme together with its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ECDSA with SHA-256 (RFC 5758).
    EcdsaSha256,
    /// ECDSA with SHA-384 (RFC 5758).
    EcdsaSha384,
    /// ECDSA with SHA-512 (RFC 5758).
    EcdsaSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 4055).
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384 (RFC 4055).
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512 (RFC 4055).
    RsaPkcs1Sha512,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

impl SignatureAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 7] = [
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::RsaPkcs1Sha256,
        Self::RsaPkcs1Sha384,
        Self::RsaPkcs1Sha512,
        Self::Ed25519,
    ];

    /// The DER of the X.509 `AlgorithmIdentifier`, byte for byte as BR 7.1.3.2 and RFC 8410 section 3 give it.
    #[must_use]
    pub const fn identifier_der(self) -> &'static [u8] {
        match self {
            Self::EcdsaSha256 => &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
            Self::EcdsaSha384 => &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03],
            Self::EcdsaSha512 => &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04],
            Self::RsaPkcs1Sha256 => {
                &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00]
            }
            Self::RsaPkcs1Sha384 => {
                &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c, 0x05, 0x00]
            }
            Self::RsaPkcs1Sha512 => {
                &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d, 0x05, 0x00]
            }
            Self::Ed25519 => &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70],
        }
    }

    /// The algorithm an X.509 `AlgorithmIdentifier` (its whole DER) names; `None` if it is none of these.
    #[must_use]
    pub fn from_identifier_der(der: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.identifier_der() == der)
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaSha256 => "ecdsa-with-SHA256",
            Self::EcdsaSha384 => "ecdsa-with-SHA384",
            Self::EcdsaSha512 => "ecdsa-with-SHA512",
            Self::RsaPkcs1Sha256 => "sha256WithRSAEncryption",
            Self::RsaPkcs1Sha384 => "sha384WithRSAEncryption",
            Self::RsaPkcs1Sha512 => "sha512WithRSAEncryption",
            Self::Ed25519 => "Ed25519",
        })
    }
}

/// How an ECDSA signature is written; RSA and Ed25519 have one form and ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureEncoding {
    /// The DER `ECDSA-Sig-Value` of X.509 (RFC 5480 appendix A).
    Der,
    /// `r || s`, each as long as the field: the form of JOSE (RFC 7518 section 3.4).
    Fixed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_types_are_read_back_from_their_names() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        assert!("rsa-1024".parse::<KeyAlgorithm>().is_err());
    }

    // conformance: BR-7.1.3-03 BR-7.1.3-04
    #[test]
    fn identifiers_are_the_bytes_of_the_baseline_requirements() {
        let table = [
            (SignatureAlgorithm::RsaPkcs1Sha256, "300d06092a864886f70d01010b0500"),
            (SignatureAlgorithm::RsaPkcs1Sha384, "300d06092a864886f70d01010c0500"),
            (SignatureAlgorithm::RsaPkcs1Sha512, "300d06092a864886f70d01010d0500"),
            (SignatureAlgorithm::EcdsaSha256, "300a06082a8648ce3d040302"),
            (SignatureAlgorithm::EcdsaSha384, "300a06082a8648ce3d040303"),
            (SignatureAlgorithm::EcdsaSha512, "300a06082a8648ce3d040304"),
            (SignatureAlgorithm::Ed25519, "300506032b6570"),
        ];
        assert_eq!(table.len(), SignatureAlgorithm::ALL.len());
        for (algorithm, hex) in table {
            assert_eq!(data_encoding::HEXLOWER.encode(algorithm.identifier_der()), hex);
            assert_eq!(SignatureAlgorithm::from_identifier_der(algorithm.identifier_der()), Some(algorithm));
        }
        for (absent, hex) in [
            ("md2WithRSA", "300d06092a864886f70d0101020500"),
            ("md5WithRSA", "300d06092a864886f70d0101040500"),
            ("sha1WithRSA", "300d06092a864886f70d0101050500"),
            ("sha1WithRSA of OIW", "300906052b0e03021d0500"),
            ("ecdsa-with-SHA1", "300906072a8648ce3d0401"),
            ("dsa-with-sha1", "300906072a8648ce380403"),
        ] {
            let der = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
            assert_eq!(SignatureAlgorithm::from_identifier_der(&der), None, "{absent}");
        }
        assert_eq!(KeyAlgorithm::EcP256.signature_algorithm(), SignatureAlgorithm::EcdsaSha256);
        assert_eq!(KeyAlgorithm::EcP384.signature_algorithm(), SignatureAlgorithm::EcdsaSha384);
        assert_eq!(KeyAlgorithm::EcP521.signature_algorithm(), SignatureAlgorithm::EcdsaSha512);
    }
}
