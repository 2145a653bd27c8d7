//! Public keys as JSON (RFC 7517, RFC 7518 section 6, RFC 8037 section 2) and their thumbprints (RFC 7638).

use std::fmt;

use certus_pki::{EcCurve, KeyError, PublicKey, PublicKeyKind, sha256};
use serde::Deserialize;

use crate::base64url;
use crate::json::{JsonError, strict_object};
use crate::problem::{Problem, ProblemKind};

/// A public key with its JSON form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Jwk {
    key: PublicKey,
    canonical: String,
    thumbprint: Thumbprint,
}

/// SHA-256 of a key's canonical JSON (RFC 7638). `Display` is base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// A thumbprint that was computed before.
    #[must_use]
    pub const fn from_bytes(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

/// Every member that any supported key has; what is left over is ignored (RFC 7517 section 4).
#[derive(Deserialize)]
struct Members {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    // The private members (RFC 7518 sections 6.2.2, 6.3.2 and 6.4): whether they are there, their values are not read.
    #[serde(default, deserialize_with = "crate::json::present")]
    d: bool,
    #[serde(default, deserialize_with = "crate::json::present")]
    p: bool,
    #[serde(default, deserialize_with = "crate::json::present")]
    q: bool,
    #[serde(default, deserialize_with = "crate::json::present")]
    dp: bool,
    #[serde(default, deserialize_with = "crate::json::present")]
    dq: bool,
    #[serde(default, deserialize_with = "crate::json::present")]
    qi: bool,
    #[serde(default, deserialize_with = "crate::json::present")]
    oth: bool,
    #[serde(default, deserialize_with = "crate::json::present")]
    k: bool,
}

impl Members {
    fn any_private(&self) -> bool {
        [self.d, self.p, self.q, self.dp, self.dq, self.qi, self.oth, self.k].contains(&true)
    }
}

impl Jwk {
    /// Reads a key.
    ///
    /// # Errors
    ///
    /// [`JwkError`]: a text that is no JWK, a kind of key that is not supported, or octets that are no such key.
    pub fn parse(json: &str) -> Result<Self, JwkError> {
        let members: Members = strict_object(json.as_bytes())?;
        if members.any_private() {
            return Err(JwkError::Private);
        }
        let key = match (members.kty.as_str(), members.crv.as_deref()) {
            ("EC", Some(curve)) => {
                let curve = curve_of(curve)?;
                let (x, y) = (octets("x", members.x)?, octets("y", members.y)?);
                // RFC 7518 section 6.2.1.2: the full length of the field, leading zero octets too.
                if x.len() != curve.field_len() || y.len() != curve.field_len() {
                    return Err(JwkError::CoordinateLength);
                }
                PublicKey::ec(curve, &x, &y)?
            }
            ("RSA", _) => {
                let (n, e) = (octets("n", members.n)?, octets("e", members.e)?);
                PublicKey::rsa(without_leading_zeros(&n), without_leading_zeros(&e))?
            }
            ("OKP", Some("Ed25519")) => {
                let x = octets("x", members.x)?;
                if !super::ed25519::is_sound(&x) {
                    return Err(JwkError::SmallOrder);
                }
                PublicKey::ed25519(&x)?
            }
            ("EC" | "OKP", None) => return Err(JwkError::Missing("crv")),
            ("OKP", Some(curve)) => return Err(JwkError::Unsupported(crate::json::excerpt(curve))),
            (kind, _) => return Err(JwkError::Unsupported(crate::json::excerpt(kind))),
        };
        Ok(Self::from_public_key(&key))
    }

    /// The JSON form of a key.
    #[must_use]
    pub fn from_public_key(key: &PublicKey) -> Self {
        let canonical = canonical_json(key);
        let thumbprint = Thumbprint(sha256(canonical.as_bytes()));
        Self { key: key.clone(), canonical, thumbprint }
    }

    /// The key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The key's thumbprint.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// The form of RFC 7638 section 3: required members alone, in order, without white space. [`Self::parse`] reads it.
    #[must_use]
    pub fn canonical_json(&self) -> &str {
        &self.canonical
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({})", self.thumbprint)
    }
}

fn curve_of(name: &str) -> Result<EcCurve, JwkError> {
    match name {
        "P-256" => Ok(EcCurve::P256),
        "P-384" => Ok(EcCurve::P384),
        "P-521" => Ok(EcCurve::P521),
        other => Err(JwkError::Unsupported(crate::json::excerpt(other))),
    }
}

fn octets(name: &'static str, text: Option<String>) -> Result<Vec<u8>, JwkError> {
    base64url::decode(&text.ok_or(JwkError::Missing(name))?).or(Err(JwkError::Base64Url(name)))
}

/// RFC 7518 section 6.3.1 has RSA's numbers without surplus zeros; those of a client that writes them do not count, in
/// the thumbprint neither (RFC 8555 section 8.1 with erratum 7565).
fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|octet| *octet != 0).unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}

/// The subjectPublicKeyInfo ends in the raw key: x and y for a curve, x for Ed25519.
fn tail(key: &PublicKey, octets: usize) -> &[u8] {
    let der = key.spki_der();
    der.get(der.len().saturating_sub(octets)..).unwrap_or_default()
}

fn canonical_json(key: &PublicKey) -> String {
    match key.kind() {
        PublicKeyKind::Ec(curve) => {
            let (x, y) = tail(key, 2 * curve.field_len()).split_at(curve.field_len());
            let (x, y) = (base64url::encode(x), base64url::encode(y));
            format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#)
        }
        PublicKeyKind::Rsa { .. } => {
            let (n, e) = key.rsa_parts().unwrap_or_default();
            format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, base64url::encode(e), base64url::encode(n))
        }
        PublicKeyKind::Ed25519 => {
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(tail(key, 32)))
        }
    }
}

/// Why a text is no key that is supported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Not strict JSON, or a member of another type.
    #[error("the jwk is not acceptable: {0}")]
    Json(#[from] JsonError),
    /// A member is not there.
    #[error("the jwk has no member {0:?}")]
    Missing(&'static str),
    /// A member is not base64url.
    #[error("the member {0:?} of the jwk is not base64url without padding")]
    Base64Url(&'static str),
    /// A private or symmetric key.
    #[error("the jwk has private members; never send a private key, and stop using this one")]
    Private,
    /// A coordinate is not as long as its field.
    #[error("a coordinate of the jwk is not as long as its curve's field (RFC 7518 section 6.2.1.2)")]
    CoordinateLength,
    /// An Ed25519 point for which anybody could sign, or a second encoding of a point.
    #[error("the x of the jwk is an Ed25519 point of small order, or not in its one encoding (RFC 8032 section 5.1.3)")]
    SmallOrder,
    /// A kind of key or a curve that is not supported.
    #[error("keys of kind {0:?} are not supported; use EC (P-256, P-384, P-521), RSA or OKP (Ed25519)")]
    Unsupported(String),
    /// The octets are no such key.
    #[error("the jwk is no valid key: {0}")]
    Key(#[from] KeyError),
}

impl JwkError {
    /// What a client is told: `malformed` when the text is at fault, `badPublicKey` when the key is.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let kind = match self {
            Self::Json(_) | Self::Missing(_) | Self::Base64Url(_) => ProblemKind::Malformed,
            Self::Private | Self::CoordinateLength | Self::SmallOrder | Self::Unsupported(_) | Self::Key(_) => {
                ProblemKind::BadPublicKey
            }
        };
        Problem::new(kind, self.to_string())
    }
}
