//! JOSE as far as ACME needs it: flattened JWS (RFC 7515), JWK (RFC 7517, 7518, 8037) and thumbprints (RFC 7638).
//!
//! MACs are for external account binding alone. Deliberately absent: every other serialization, and encryption.

mod algorithm;
mod ed25519;
mod jwk;
mod jws;
mod mac;
mod sign;

pub use algorithm::Algorithm;
pub use jwk::{Jwk, JwkError, Thumbprint};
pub use jws::{FlattenedJws, JwsError, KeyReference, ProtectedHeader, VerifiedJws};
pub use mac::{MacAlgorithm, authenticate};
pub use sign::{Protected, sign};
