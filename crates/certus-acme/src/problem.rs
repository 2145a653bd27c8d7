//! Problem documents (RFC 9457) with the error types of RFC 8555 section 6.7.
//!
//! Deliberately absent: which fault leads to which problem; each crate says that of its own errors.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identifier::RawIdentifier;

/// The namespace of the registered types (RFC 8555 section 9.7.4).
pub const NAMESPACE: &str = "urn:ietf:params:acme:error:";

macro_rules! kinds {
    ($($(#[$doc:meta])+ $variant:ident => $name:literal, $status:literal;)+) => {
        /// The error types of RFC 8555 section 6.7, each with its URN and its usual HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProblemKind { $($(#[$doc])+ $variant,)+ }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name within [`NAMESPACE`].
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The HTTP status this kind is answered with unless the problem says otherwise.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// The type member: the whole URN.
            #[must_use]
            pub const fn urn(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:ietf:params:acme:error:", $name)),+ }
            }
        }
    };
}

kinds! {
    /// The account named by `kid` or by its key does not exist.
    AccountDoesNotExist => "accountDoesNotExist", 400;
    /// The certificate to be replaced has been replaced already (RFC 9773 section 7.4).
    AlreadyReplaced => "alreadyReplaced", 409;
    /// The certificate to be revoked is revoked already.
    AlreadyRevoked => "alreadyRevoked", 400;
    /// The certification request is not acceptable.
    BadCsr => "badCSR", 400;
    /// The nonce is not (or no longer) good.
    BadNonce => "badNonce", 400;
    /// The account key is not acceptable.
    BadPublicKey => "badPublicKey", 400;
    /// The reason for a revocation is not allowed.
    BadRevocationReason => "badRevocationReason", 400;
    /// The JWS algorithm is not supported.
    BadSignatureAlgorithm => "badSignatureAlgorithm", 400;
    /// CAA records forbid the certificate.
    Caa => "caa", 403;
    /// Several things went wrong; see the subproblems.
    Compound => "compound", 400;
    /// The validation target could not be reached.
    Connection => "connection", 400;
    /// A DNS look-up failed.
    Dns => "dns", 400;
    /// The account needs an external account binding.
    ExternalAccountRequired => "externalAccountRequired", 403;
    /// The answer to a challenge was wrong.
    IncorrectResponse => "incorrectResponse", 403;
    /// A contact URL is not valid.
    InvalidContact => "invalidContact", 400;
    /// A profile that is not offered, or not for these identifiers (draft-ietf-acme-profiles section 6.2).
    InvalidProfile => "invalidProfile", 400;
    /// The request is not well formed.
    Malformed => "malformed", 400;
    /// The order cannot be finalized in its state.
    OrderNotReady => "orderNotReady", 403;
    /// A limit was reached.
    RateLimited => "rateLimited", 429;
    /// The authority will not certify this identifier.
    RejectedIdentifier => "rejectedIdentifier", 400;
    /// Something failed on our side.
    ServerInternal => "serverInternal", 500;
    /// TLS failed while validating.
    Tls => "tls", 400;
    /// The client may not do this.
    Unauthorized => "unauthorized", 403;
    /// A contact URL's scheme is not supported.
    UnsupportedContact => "unsupportedContact", 400;
    /// The identifier's type is not supported.
    UnsupportedIdentifier => "unsupportedIdentifier", 400;
    /// A person has to do something first.
    UserActionRequired => "userActionRequired", 403;
}

impl ProblemKind {
    /// The kind with that URN.
    #[must_use]
    pub fn from_urn(urn: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.urn() == urn)
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for ProblemKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.urn())
    }
}

impl<'de> Deserialize<'de> for ProblemKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let urn = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_urn(&urn).ok_or_else(|| serde::de::Error::custom("not an ACME error type"))
    }
}

/// A problem document: what went wrong and what a person can do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {detail}")]
#[serde(from = "Received")]
pub struct Problem {
    /// The error type.
    #[serde(rename = "type")]
    pub kind: ProblemKind,
    /// One or two sentences for a person. Never internal detail, never bytes a stranger sent unescaped.
    pub detail: String,
    /// The HTTP status (RFC 9457 section 3.1.2).
    pub status: u16,
    /// One problem per identifier, where several are at fault (RFC 8555 section 6.7.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subproblems: Vec<Subproblem>,
    /// The algorithms that would do, with `badSignatureAlgorithm` (RFC 8555 section 6.2).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<String>,
    /// Where a person can do what is needed, with `userActionRequired` (RFC 8555 section 7.3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// A problem as others write it: nothing must be there (RFC 9457 section 3.1.1: without a type it is `about:blank`). RFC 8555
/// itself shows problems without a status, and authorities have types of their own.
#[derive(Deserialize)]
struct Received {
    #[serde(rename = "type", default, deserialize_with = "as_it_should_be")]
    kind: String,
    #[serde(default, deserialize_with = "as_it_should_be")]
    detail: String,
    #[serde(default, deserialize_with = "as_it_should_be")]
    status: Option<u16>,
    #[serde(default, deserialize_with = "as_it_should_be")]
    subproblems: Vec<Subproblem>,
    #[serde(default, deserialize_with = "as_it_should_be")]
    algorithms: Vec<String>,
    #[serde(default, deserialize_with = "as_it_should_be")]
    instance: Option<String>,
}

/// A member, or none where it is not what it should be (RFC 9457 section 3.1).
fn as_it_should_be<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: serde::de::DeserializeOwned + Default,
    D: serde::Deserializer<'de>,
{
    Ok(serde_json::from_value(serde_json::Value::deserialize(deserializer)?).unwrap_or_default())
}

impl From<Received> for Problem {
    fn from(received: Received) -> Self {
        let Received { kind, detail, status, subproblems, algorithms, instance } = received;
        // A type that is not known decides nothing; people read it before the detail.
        let (kind, detail) = match ProblemKind::from_urn(&kind) {
            Some(kind) => (kind, detail),
            None if kind.is_empty() || kind == "about:blank" => (ProblemKind::ServerInternal, detail),
            None => (ProblemKind::ServerInternal, format!("{kind}: {detail}")),
        };
        Self { kind, detail, status: status.unwrap_or(kind.status()), subproblems, algorithms, instance }
    }
}

impl Problem {
    /// A problem with the usual status of its kind.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let (subproblems, algorithms) = (Vec::new(), Vec::new());
        Self { kind, detail: detail.into(), status: kind.status(), subproblems, algorithms, instance: None }
    }

    /// The same with another HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with subproblems.
    #[must_use]
    pub fn with_subproblems(mut self, subproblems: Vec<Subproblem>) -> Self {
        self.subproblems = subproblems;
        self
    }

    /// The same with the list of algorithms.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.algorithms = algorithms.into_iter().map(Into::into).collect();
        self
    }
}

/// A problem with one identifier (RFC 8555 section 6.7.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subproblem {
    /// The error type.
    #[serde(rename = "type", default = "not_known", deserialize_with = "known_or_internal")]
    pub kind: ProblemKind,
    /// One or two sentences for a person.
    #[serde(default)]
    pub detail: String,
    /// The identifier as the client sent it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identifier: Option<RawIdentifier>,
}

const fn not_known() -> ProblemKind {
    ProblemKind::ServerInternal
}

/// The kind, or `serverInternal` for a type that is not known here.
fn known_or_internal<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ProblemKind, D::Error> {
    let urn = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    Ok(ProblemKind::from_urn(&urn).unwrap_or(ProblemKind::ServerInternal))
}

#[cfg(test)]
mod tests {
    use super::*;

    // conformance: 8555-6.7.1-02 8555-6.7.1-03
    #[test]
    fn a_problem_is_what_the_rfc_draws() -> Result<(), serde_json::Error> {
        let identifier = RawIdentifier { kind: "dns".into(), value: "a_b.example".into() };
        let problem = Problem::new(ProblemKind::RejectedIdentifier, "no").with_subproblems(vec![Subproblem {
            kind: ProblemKind::Malformed,
            detail: "underscore".into(),
            identifier: Some(identifier),
        }]);
        let json = serde_json::to_string(&problem)?;
        assert_eq!(
            json,
            r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"no","status":400,"subproblems":[{"type":"urn:ietf:params:acme:error:malformed","detail":"underscore","identifier":{"type":"dns","value":"a_b.example"}}]}"#
        );
        assert_eq!(serde_json::from_str::<Problem>(&json)?, problem);
        Ok(())
    }

    #[test]
    fn problems_of_types_that_are_not_known_are_read() -> Result<(), serde_json::Error> {
        for (json, kind, detail) in [
            ("{}", ProblemKind::ServerInternal, ""),
            (r#"{"type":"about:blank","detail":"no"}"#, ProblemKind::ServerInternal, "no"),
            (r#"{"type":"urn:x:y","detail":"no"}"#, ProblemKind::ServerInternal, "urn:x:y: no"),
            (r#"{"type":"urn:ietf:params:acme:error:caa"}"#, ProblemKind::Caa, ""),
            (
                r#"{"type":null,"detail":7,"status":"403","subproblems":{},"instance":1}"#,
                ProblemKind::ServerInternal,
                "",
            ),
            (r#"{"detail":"no","subproblems":[{"detail":"x"}]}"#, ProblemKind::ServerInternal, "no"),
        ] {
            let problem: Problem = serde_json::from_str(json)?;
            assert_eq!((problem.kind, &*problem.detail), (kind, detail), "{json}");
        }
        Ok(())
    }

    // conformance: 8555-6.7-02
    #[test]
    fn every_kind_has_a_registered_urn() {
        // The registry of RFC 8555 section 9.7.4.
        let registered = [
            "accountDoesNotExist",
            "alreadyReplaced",
            "alreadyRevoked",
            "badCSR",
            "badNonce",
            "badPublicKey",
            "badRevocationReason",
            "badSignatureAlgorithm",
            "caa",
            "compound",
            "connection",
            "dns",
            "externalAccountRequired",
            "incorrectResponse",
            "invalidContact",
            "invalidProfile",
            "malformed",
            "orderNotReady",
            "rateLimited",
            "rejectedIdentifier",
            "serverInternal",
            "tls",
            "unauthorized",
            "unsupportedContact",
            "unsupportedIdentifier",
            "userActionRequired",
        ];
        let ours: Vec<&str> = ProblemKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(ours, registered);
        for kind in ProblemKind::ALL {
            assert_eq!(ProblemKind::from_urn(kind.urn()), Some(*kind));
            assert!((400..600).contains(&kind.status()));
        }
    }
}
