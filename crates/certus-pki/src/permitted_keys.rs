//! The kinds of keys that a profile certifies: a choice among those that are good enough ([`crate::key_rules`]).
//!
//! Deliberately absent: the strength of a key itself, which no profile can lower.

use std::fmt;

use crate::key::{EcCurve, PublicKeyKind};

/// Kinds of keys. At least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermittedKeys {
    curves: Vec<EcCurve>,
    /// The least bits of a modulus; `None` for no RSA keys.
    rsa_bits: Option<usize>,
}

/// The bits that an RSA modulus may have at least and at most (BR 6.1.5, and what signing costs).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Every curve that a certificate may be for.
const CURVES: [EcCurve; 3] = [EcCurve::P256, EcCurve::P384, EcCurve::P521];

/// Why a list is not one of kinds of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermittedKeysError {
    /// An unknown word.
    #[error(
        "{0:?} is no kind of key; there are P-256, P-384, P-521, and RSA-2048 to RSA-4096, which means so many bits or more"
    )]
    Unknown(String),
    /// RSA named with two numbers of bits.
    #[error("RSA is named twice; name the fewest bits alone")]
    RsaTwice,
    /// An empty list.
    #[error("without keys nothing can be certified; name P-256, P-384, P-521 or RSA-2048")]
    None,
}

impl Default for PermittedKeys {
    /// Everything that is good enough.
    fn default() -> Self {
        Self { curves: CURVES.to_vec(), rsa_bits: Some(*RSA_BITS.start()) }
    }
}

impl PermittedKeys {
    /// Reads names of curves, and `RSA-BITS` for RSA keys of at least so many bits.
    ///
    /// # Errors
    ///
    /// [`PermittedKeysError`] says what can be named.
    pub fn parse(texts: &[String]) -> Result<Self, PermittedKeysError> {
        let mut permitted = Self { curves: Vec::new(), rsa_bits: None };
        for text in texts {
            if let Some(curve) = CURVES.into_iter().find(|curve| curve.to_string() == *text) {
                permitted.curves.push(curve);
                continue;
            }
            let bits = text.strip_prefix("RSA-").and_then(|bits| bits.parse().ok());
            let bits = bits.filter(|bits: &usize| RSA_BITS.contains(bits) && bits.is_multiple_of(8));
            let bits = bits.ok_or_else(|| PermittedKeysError::Unknown(text.clone()))?;
            if permitted.rsa_bits.replace(bits).is_some() {
                return Err(PermittedKeysError::RsaTwice);
            }
        }
        match permitted {
            Self { curves, rsa_bits: None } if curves.is_empty() => Err(PermittedKeysError::None),
            permitted @ Self { .. } => Ok(permitted),
        }
    }

    /// Whether a key of this kind may be certified.
    #[must_use]
    pub fn permits(&self, kind: PublicKeyKind) -> bool {
        match kind {
            PublicKeyKind::Ec(curve) => self.curves.contains(&curve),
            PublicKeyKind::Rsa { bits } => self.rsa_bits.is_some_and(|least| bits >= least),
            PublicKeyKind::Ed25519 => false,
        }
    }
}

impl fmt::Display for PermittedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let curves = self.curves.iter().map(ToString::to_string);
        let rsa = self.rsa_bits.map(|bits| format!("RSA of {bits} bits or more"));
        f.write_str(&curves.chain(rsa).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<PermittedKeys, PermittedKeysError> {
        PermittedKeys::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_named_is_permitted() {
        let all = [
            PublicKeyKind::Ec(EcCurve::P256),
            PublicKeyKind::Ec(EcCurve::P384),
            PublicKeyKind::Ec(EcCurve::P521),
            PublicKeyKind::Rsa { bits: 2048 },
            PublicKeyKind::Rsa { bits: 3072 },
            PublicKeyKind::Ed25519,
        ];
        for (texts, expected) in [
            (&["P-384"][..], [false, true, false, false, false, false]),
            (&["RSA-3072", "P-256"], [true, false, false, false, true, false]),
            (&["P-256", "P-384", "P-521", "RSA-2048"], [true, true, true, true, true, false]),
        ] {
            let keys = parse(texts).unwrap();
            assert_eq!(all.map(|kind| keys.permits(kind)), expected, "{keys}");
        }
        assert_eq!(parse(&["P-256", "P-384", "P-521", "RSA-2048"]), Ok(PermittedKeys::default()));
    }

    #[test]
    fn what_is_no_kind_of_key_is_told() {
        for text in ["RSA", "RSA-1024", "RSA-2049", "RSA-8192", "p-256", "Ed25519", ""] {
            assert_eq!(parse(&[text]), Err(PermittedKeysError::Unknown(text.to_owned())), "{text}");
        }
        assert_eq!(parse(&[]), Err(PermittedKeysError::None));
        assert_eq!(parse(&["RSA-2048", "RSA-4096"]), Err(PermittedKeysError::RsaTwice));
    }
}
