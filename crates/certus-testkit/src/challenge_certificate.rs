//! The certificate of a tls-alpn-01 challenge (RFC 8737 section 3), right or wrong in any part, written octet by octet.
//!
//! Nothing of the authority's own code for certificates is used, so that a fault there cannot hide.

use std::net::IpAddr;

use certus_pki::{CryptoError, KeyPair, PublicKey, SignatureEncoding, sha256};

use crate::der::{
    INTEGER, OCTET_STRING, SEQUENCE, SUBJECT_ALT_NAME, UTC_TIME, address, bit_string, common_name, context, extension,
    implicit, sequence, tlv,
};

/// A certificate to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeCertificate {
    /// The entries of the subjectAltName; where there are none, there is no such extension.
    pub alt_names: Vec<AltName>,
    /// The commonName of subject and issuer. Both are empty without one.
    pub common_name: Option<String>,
    /// The extensions with the digest: one in a right certificate.
    pub acme_identifiers: Vec<AcmeIdentifier>,
    /// The first and the last second, as `UTCTime` (RFC 5280 section 4.1.2.5.1).
    pub validity: [&'static str; 2],
}

/// An entry of a subjectAltName.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AltName {
    /// A dNSName, as it stands here.
    Dns(String),
    /// An iPAddress.
    Ip(IpAddr),
    /// Any other: the tag's number and the contents, of a kind that is primitive.
    Other(u8, Vec<u8>),
}

/// An acmeIdentifier extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeIdentifier {
    /// The contents octets of the OBJECT IDENTIFIER.
    pub id: Vec<u8>,
    /// Whether it is critical.
    pub critical: bool,
    /// What the extnValue holds: the DER of an OCTET STRING in a right one.
    pub value: Vec<u8>,
}

impl AcmeIdentifier {
    /// 1.3.6.1.5.5.7.1.31: id-pe-acmeIdentifier of RFC 8737 section 6.1.
    pub const ID: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1f];
    /// 1.3.6.1.5.5.7.1.30.1: that of early drafts.
    pub const DRAFT_ID: [u8; 9] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1e, 0x01];

    /// The right one for a key authorization.
    #[must_use]
    pub fn of(key_authorization: &str) -> Self {
        Self::with(&sha256(key_authorization.as_bytes()))
    }

    /// One with these octets in place of the digest.
    #[must_use]
    pub fn with(digest: &[u8]) -> Self {
        Self { id: Self::ID.to_vec(), critical: true, value: tlv(OCTET_STRING, digest) }
    }
}

impl ChallengeCertificate {
    /// Valid when the tests run, and long after.
    pub const CURRENT: [&'static str; 2] = ["200101000000Z", "491231235959Z"];
    /// Valid long ago.
    pub const EXPIRED: [&'static str; 2] = ["200101000000Z", "200108000000Z"];

    /// The right one for a name.
    #[must_use]
    pub fn for_name(name: &str, key_authorization: &str) -> Self {
        Self::of(AltName::Dns(name.to_owned()), key_authorization)
    }

    /// The right one for an address (RFC 8738 section 6).
    #[must_use]
    pub fn for_address(address: IpAddr, key_authorization: &str) -> Self {
        Self::of(AltName::Ip(address), key_authorization)
    }

    fn of(name: AltName, key_authorization: &str) -> Self {
        Self {
            alt_names: vec![name],
            common_name: Some("ACME challenge".to_owned()),
            acme_identifiers: vec![AcmeIdentifier::of(key_authorization)],
            validity: Self::CURRENT,
        }
    }

    /// The DER, self-signed.
    ///
    /// # Errors
    ///
    /// [`CryptoError`] when the key cannot sign.
    pub fn sign(&self, key: &KeyPair) -> Result<Vec<u8>, CryptoError> {
        self.sign_by(key.public_key(), key)
    }

    /// The DER of a certificate for one key, signed by another.
    ///
    /// # Errors
    ///
    /// [`CryptoError`] when the key cannot sign.
    pub fn sign_by(&self, key: &PublicKey, signer: &KeyPair) -> Result<Vec<u8>, CryptoError> {
        let algorithm = signer.default_signature_algorithm();
        let tbs = self.tbs(key, algorithm.identifier_der());
        let signature = signer.sign(algorithm, SignatureEncoding::Der, &tbs)?;
        Ok(sequence(&[&tbs, algorithm.identifier_der(), &bit_string(&signature)]))
    }

    /// `TBSCertificate` of RFC 5280 section 4.1.
    fn tbs(&self, key: &PublicKey, algorithm: &[u8]) -> Vec<u8> {
        // v3
        let version = tlv(context(0), &tlv(INTEGER, &[2]));
        let name = tlv(SEQUENCE, &self.common_name.as_deref().map(common_name).unwrap_or_default());
        let [from, to] = self.validity.map(|at| tlv(UTC_TIME, at.as_bytes()));
        let mut extensions = Vec::new();
        if !self.alt_names.is_empty() {
            let names: Vec<u8> = self.alt_names.iter().flat_map(AltName::der).collect();
            extensions.extend(extension(&SUBJECT_ALT_NAME, false, &tlv(SEQUENCE, &names)));
        }
        for AcmeIdentifier { id, critical, value } in &self.acme_identifiers {
            extensions.extend(extension(id, *critical, value));
        }
        let extensions = if extensions.is_empty() { Vec::new() } else { tlv(context(3), &tlv(SEQUENCE, &extensions)) };
        sequence(&[
            &version,
            &tlv(INTEGER, &[1]),
            algorithm,
            &name,
            &sequence(&[&from, &to]),
            &name,
            key.spki_der(),
            &extensions,
        ])
    }
}

impl AltName {
    fn der(&self) -> Vec<u8> {
        match self {
            Self::Dns(name) => tlv(implicit(2), name.as_bytes()),
            Self::Ip(ip) => address(*ip),
            Self::Other(number, contents) => tlv(implicit(*number), contents),
        }
    }
}
