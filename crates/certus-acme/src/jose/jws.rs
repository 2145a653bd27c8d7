//! Signed requests: the flattened JSON serialization of RFC 7515 section 7.2.2, narrowed by RFC 8555 section 6.2.

use std::fmt;

use certus_pki::{MacKey, PublicKey, SignatureEncoding};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::algorithm::Algorithm;
use super::jwk::{Jwk, JwkError};
use super::mac::MacAlgorithm;
use crate::base64url;
use crate::json::{JsonError, Text, strict_object};
use crate::problem::{Problem, ProblemKind};

/// A request that was read but not verified: it says what it likes. `Debug` shows the header alone.
#[derive(Clone)]
pub struct FlattenedJws {
    header: ProtectedHeader,
    payload: Vec<u8>,
    signature: Vec<u8>,
    signing_input: Vec<u8>,
}

/// The protected header, as it stands.
#[derive(Debug, Clone, Deserialize)]
pub struct ProtectedHeader {
    /// The name of the algorithm.
    pub alg: String,
    /// The nonce.
    #[serde(default, deserialize_with = "crate::json::given")]
    pub nonce: Option<String>,
    /// The URL the request is for.
    #[serde(default, deserialize_with = "crate::json::given")]
    pub url: Option<String>,
    /// The account URL of the signer.
    #[serde(default, deserialize_with = "crate::json::given")]
    pub kid: Option<String>,
    /// The signer's key.
    #[serde(default, deserialize_with = "crate::json::given")]
    pub jwk: Option<Box<RawValue>>,
    /// Whether there is a `crit` member.
    #[serde(default, deserialize_with = "crate::json::present")]
    crit: bool,
    /// Whether there is a `b64` member.
    #[serde(default, deserialize_with = "crate::json::present")]
    b64: bool,
}

/// Who is said to have signed.
#[derive(Debug, Clone)]
pub enum KeyReference<'a> {
    /// The account of that URL.
    Kid(&'a str),
    /// The owner of that key.
    Jwk(Jwk),
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "crate::json::given")]
    protected: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "crate::json::given")]
    payload: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "crate::json::given")]
    signature: Option<Text<'a>>,
    #[serde(default, deserialize_with = "crate::json::present")]
    header: bool,
    #[serde(default, deserialize_with = "crate::json::present")]
    signatures: bool,
}

impl FlattenedJws {
    /// Reads a request body.
    ///
    /// # Errors
    ///
    /// [`JwsError`] for anything but a flattened JWS with a protected header alone.
    pub fn parse(body: &[u8]) -> Result<Self, JwsError> {
        let members: Members<'_> = strict_object(body).map_err(JwsError::Json)?;
        // Asked first, so that the error names what is really wrong.
        if members.signatures {
            return Err(JwsError::General);
        }
        if members.header {
            return Err(JwsError::UnprotectedHeader);
        }
        let member = |name: &'static str, text: Option<Text<'_>>| {
            let missing = || JwsError::Json(JsonError::Member(format!("missing field `{name}`")));
            text.map(|Text(text)| text.into_owned()).ok_or_else(missing)
        };
        let encoded_header = member("protected", members.protected)?;
        let encoded_payload = member("payload", members.payload)?;
        let encoded_signature = member("signature", members.signature)?;
        let protected = decode("protected", &encoded_header)?;
        let header: ProtectedHeader = strict_object(&protected).map_err(JwsError::Header)?;
        if header.crit || header.b64 {
            return Err(JwsError::Critical);
        }
        let payload = decode("payload", &encoded_payload)?;
        let signature = decode("signature", &encoded_signature)?;
        let signing_input = [encoded_header.as_bytes(), b".", encoded_payload.as_bytes()].concat();
        Ok(Self { header, payload, signature, signing_input })
    }

    /// The protected header, as it stands.
    #[must_use]
    pub fn header(&self) -> &ProtectedHeader {
        &self.header
    }

    /// The algorithm.
    ///
    /// # Errors
    ///
    /// [`JwsError::Algorithm`] when it is not supported (RFC 8555 section 6.2).
    pub fn algorithm(&self) -> Result<Algorithm, JwsError> {
        let unsupported = || JwsError::Algorithm(crate::json::excerpt(&self.header.alg));
        Algorithm::from_name(&self.header.alg).ok_or_else(unsupported)
    }

    /// The algorithm of a MAC (RFC 8555 section 7.3.4).
    ///
    /// # Errors
    ///
    /// [`JwsError::MacAlgorithm`] when it is none.
    pub fn mac_algorithm(&self) -> Result<MacAlgorithm, JwsError> {
        let other = || JwsError::MacAlgorithm(crate::json::excerpt(&self.header.alg));
        MacAlgorithm::from_name(&self.header.alg).ok_or_else(other)
    }

    /// The URL the request is for (RFC 8555 section 6.4).
    ///
    /// # Errors
    ///
    /// [`JwsError::NoUrl`].
    pub fn url(&self) -> Result<&str, JwsError> {
        self.header.url.as_deref().ok_or(JwsError::NoUrl)
    }

    /// The nonce (RFC 8555 section 6.5).
    ///
    /// # Errors
    ///
    /// [`JwsError::NoNonce`]; [`JwsError::NonceSyntax`] when it is not base64url (RFC 8555 section 6.5.2).
    pub fn nonce(&self) -> Result<&str, JwsError> {
        nonce_of(&self.header)
    }

    /// Who is said to have signed: exactly one of `kid` and `jwk` (RFC 8555 section 6.2).
    ///
    /// # Errors
    ///
    /// [`JwsError::KeyReference`] for both or neither; [`JwsError::Jwk`] for a key that cannot be read.
    pub fn key_reference(&self) -> Result<KeyReference<'_>, JwsError> {
        match (&self.header.kid, &self.header.jwk) {
            (Some(kid), None) => Ok(KeyReference::Kid(kid)),
            (None, Some(jwk)) => Ok(KeyReference::Jwk(Jwk::parse(jwk.get())?)),
            (Some(_), Some(_)) | (None, None) => Err(JwsError::KeyReference),
        }
    }

    /// Verifies the signature.
    ///
    /// # Errors
    ///
    /// [`JwsError::KeyMismatch`] when the key is not of the algorithm's kind; [`JwsError::Signature`].
    pub fn verify(self, key: &PublicKey, algorithm: Algorithm) -> Result<VerifiedJws, JwsError> {
        if !algorithm.fits(key) {
            return Err(JwsError::KeyMismatch(algorithm));
        }
        let (signature, encoding) = (algorithm.signature_algorithm(), SignatureEncoding::Fixed);
        match key.verify(signature, encoding, &self.signing_input, &self.signature) {
            Ok(()) => Ok(VerifiedJws { payload: self.payload, header: self.header }),
            Err(_) => Err(JwsError::Signature),
        }
    }

    /// Verifies the MAC, in a time that does not depend on where it is wrong.
    ///
    /// # Errors
    ///
    /// [`JwsError::Mac`].
    pub fn verify_mac(self, key: &MacKey, algorithm: MacAlgorithm) -> Result<VerifiedJws, JwsError> {
        if key.verify(algorithm.hash(), &self.signing_input, &self.signature) {
            return Ok(VerifiedJws { payload: self.payload, header: self.header });
        }
        Err(JwsError::Mac)
    }
}

impl fmt::Debug for FlattenedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlattenedJws").field("header", &self.header).finish_non_exhaustive()
    }
}

fn nonce_of(header: &ProtectedHeader) -> Result<&str, JwsError> {
    let nonce = header.nonce.as_deref().ok_or(JwsError::NoNonce)?;
    if base64url::is_alphabet(nonce) { Ok(nonce) } else { Err(JwsError::NonceSyntax) }
}

fn decode(name: &'static str, text: &str) -> Result<Vec<u8>, JwsError> {
    base64url::decode(text).or(Err(JwsError::Base64Url(name)))
}

/// A request whose signature, or MAC, holds. Made by [`FlattenedJws::verify`] and [`FlattenedJws::verify_mac`] alone. `Debug` shows the header alone.
#[derive(Clone)]
pub struct VerifiedJws {
    payload: Vec<u8>,
    header: ProtectedHeader,
}

impl VerifiedJws {
    /// What was signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The header that was signed with it.
    #[must_use]
    pub fn header(&self) -> &ProtectedHeader {
        &self.header
    }

    /// The nonce (RFC 8555 section 6.5).
    ///
    /// # Errors
    ///
    /// [`JwsError::NoNonce`]; [`JwsError::NonceSyntax`] when it is not base64url (RFC 8555 section 6.5.2).
    pub fn nonce(&self) -> Result<&str, JwsError> {
        nonce_of(&self.header)
    }

    /// Whether this is a POST-as-GET: an empty payload, not `{}` (RFC 8555 section 6.3).
    #[must_use]
    pub fn is_post_as_get(&self) -> bool {
        self.payload.is_empty()
    }
}

impl fmt::Debug for VerifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedJws").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Why a request is not a signed one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// The body is no strict JSON object, or a member is missing or not a string.
    #[error("the request body is no flattened JWS: {0}")]
    Json(#[source] JsonError),
    /// The general serialization.
    #[error("the request body is a general JWS (\"signatures\"); send the flattened serialization")]
    General,
    /// An unprotected header.
    #[error("the JWS has an unprotected header (\"header\"); put everything into \"protected\"")]
    UnprotectedHeader,
    /// A member is not base64url.
    #[error("the member {0:?} of the JWS is not base64url without padding")]
    Base64Url(&'static str),
    /// The protected header is not acceptable.
    #[error("the protected header is not acceptable: {0}")]
    Header(#[source] JsonError),
    /// `crit` or `b64`.
    #[error("the protected header has \"crit\" or \"b64\", which ACME does not use (RFC 8555 section 6.2)")]
    Critical,
    /// An algorithm that is not supported.
    #[error("the algorithm {0:?} is not supported; use one of \"algorithms\"")]
    Algorithm(String),
    /// An algorithm that is no MAC, where one is asked for.
    #[error("the algorithm {0:?} is no MAC; use HS256, HS384 or HS512 (RFC 8555 section 7.3.4)")]
    MacAlgorithm(String),
    /// No url.
    #[error("the protected header has no \"url\"")]
    NoUrl,
    /// No nonce.
    #[error("the protected header has no \"nonce\"; use the one in this answer")]
    NoNonce,
    /// A nonce that no server can have made.
    #[error("the \"nonce\" is not base64url (RFC 8555 section 6.5.2)")]
    NonceSyntax,
    /// Both of kid and jwk, or neither.
    #[error("the protected header must have exactly one of \"kid\" and \"jwk\"")]
    KeyReference,
    /// The jwk cannot be read.
    #[error(transparent)]
    Jwk(#[from] JwkError),
    /// The key is not of the algorithm's kind.
    #[error("the key is not one that {0} signs with")]
    KeyMismatch(Algorithm),
    /// The signature does not hold.
    #[error("the signature does not verify; the request was signed with another key or changed on its way")]
    Signature,
    /// The MAC does not hold. Says the same of a key that is not known.
    #[error(
        "the MAC does not verify under a key of that \"kid\"; compare the key id and the MAC key with what was handed out"
    )]
    Mac,
}

impl JwsError {
    /// What a client is told.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let kind = match self {
            Self::Json(_)
            | Self::General
            | Self::UnprotectedHeader
            | Self::Base64Url(_)
            | Self::Header(_)
            | Self::Critical
            | Self::MacAlgorithm(_)
            | Self::NoUrl
            | Self::NonceSyntax
            | Self::KeyReference => ProblemKind::Malformed,
            Self::Algorithm(_) => ProblemKind::BadSignatureAlgorithm,
            Self::NoNonce => ProblemKind::BadNonce,
            Self::Jwk(error) => return error.problem(),
            Self::KeyMismatch(_) => ProblemKind::BadPublicKey,
            Self::Signature | Self::Mac => ProblemKind::Unauthorized,
        };
        let problem = Problem::new(kind, self.to_string());
        if matches!(self, Self::Algorithm(_)) {
            // RFC 8555 section 6.2: the answer says which would do.
            return problem.with_algorithms(Algorithm::ALL.iter().map(|algorithm| algorithm.name()));
        }
        problem
    }
}
