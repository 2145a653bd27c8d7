//! JOSE as far as ACME needs it: flattened JWS (RFC 7515), JWK (RFC 7517, 7518, 8037) and thumbprints (RFC 7638).
//!
//! Deliberately absent: every other serialization, encryption, and MACs.

mod algorithm;
mod ed25519;
mod jwk;
mod jws;
mod sign;

pub use algorithm::Algorithm;
pub use jwk::{Jwk, JwkError, Thumbprint};
pub use jws::{FlattenedJws, JwsError, KeyReference, ProtectedHeader, VerifiedJws};
pub use sign::{Protected, sign};
