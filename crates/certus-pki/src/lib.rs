//! The certificate's words: names, keys, certificates, CRLs and certification requests, in and out of DER.
//!
//! Shared by the authority, its clients and their tests, and free of everything around a certificate: no async runtime,
//! no files, no sockets, no JSON. Where to go:
//!
//! - names, time and numbers: [`name`], [`time`], [`serial`]
//! - keys and cryptography: [`key`], [`key_rules`], [`crypto`]
//! - what is read: [`certificate`], [`chain`], [`csr`], [`crl`]
//! - the walk to a certificate: [`proof`] and [`profile`] → [`tbs`] → [`issuer`] (which runs [`lint`] and signs)
//! - certificates of authorities: [`hierarchy`]

mod asn1;
pub mod certificate;
pub mod chain;
pub mod challenge_certificate;
pub mod crl;
pub mod crypto;
pub mod csr;
mod extensions;
pub mod hierarchy;
pub mod issuer;
pub mod key;
pub mod key_rules;
pub mod lint;
pub mod name;
pub mod name_constraints;
mod oid;
pub mod pem;
pub mod permitted_keys;
pub mod profile;
pub mod proof;
pub mod serial;
pub mod signer;
pub mod tbs;
pub mod time;
pub mod validity;

pub use certificate::{Certificate, CertificateError, KeyUsage};
pub use chain::CertificateChain;
pub use const_oid::ObjectIdentifier;
pub use crl::{CertificateList, CrlError, CrlScope, RevocationReason, RevokedEntry, create_crl};
pub use crypto::{
    CryptoError, KeyAlgorithm, KeyPair, MacHash, MacKey, SealingKey, SignatureAlgorithm, SignatureEncoding,
    UnknownKeyAlgorithm, constant_time_eq, random_bytes, sha256,
};
pub use csr::{CertificationRequest, CsrError, RequestError, create_request};
pub use hierarchy::{CaSubject, HierarchyError, create_intermediate, create_root};
pub use issuer::{Issuer, IssuerError, PrepareError, Prepared};
pub use key::{BadSignature, EcCurve, KeyError, PublicKey, PublicKeyKind};
pub use key_rules::{KeyRefused, check_account_key, check_subscriber_key};
pub use lint::{Finding, Findings};
pub use name::{DnsName, NameError, SubjectName};
pub use name_constraints::NameConstraints;
pub use pem::PemError;
pub use permitted_keys::{PermittedKeys, PermittedKeysError};
pub use profile::Profile;
pub use proof::{AuthorizedNames, OwnNames, SubjectNames};
pub use serial::{SerialError, SerialNumber};
pub use signer::{IssueError, SignError, Signer};
pub use tbs::{Publications, TbsCertificate, TbsError};
pub use time::{Clock, ManualClock, SystemClock, TimeError, Timestamp};
pub use validity::{Validity, ValidityError};
