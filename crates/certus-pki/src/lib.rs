//! The certificate's words: names, keys, certificates, CRLs and certification requests, in and out of DER.

pub mod crypto;
pub mod key;

pub use crypto::{
    CryptoError, KeyAlgorithm, KeyPair, SealingKey, SignatureAlgorithm, SignatureEncoding, UnknownKeyAlgorithm,
    constant_time_eq, random_bytes, sha256,
};
pub use key::{BadSignature, EcCurve, KeyError, PublicKey, PublicKeyKind};
