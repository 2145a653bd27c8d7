//! Chains of certificates, in and out of PEM.
//!
//! A chain is a list here, in the order of `application/pem-certificate-chain` (RFC 8555 section 9.1): each certificate
//! is certified by the next. That it is so is checked where it matters, in [`crate::Issuer::new`].

use crate::certificate::{Certificate, CertificateError, PEM_LABEL};
use crate::pem;

/// Certificates in order: the first, then the one that certifies it, and so on. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateChain(Vec<Certificate>);

impl CertificateChain {
    /// The chain of these certificates; `None` if there are none.
    #[must_use]
    pub fn new(certificates: Vec<Certificate>) -> Option<Self> {
        (!certificates.is_empty()).then_some(Self(certificates))
    }

    /// Reads certificates in strict PEM (RFC 7468; RFC 8555 section 9.1): no blank lines and no text between them.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if the text is not strict PEM, is empty, or one of the certificates cannot be read.
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let blocks = pem::decode(PEM_LABEL, pem).map_err(CertificateError::Pem)?;
        Ok(Self(blocks.iter().map(|der| Certificate::parse(der)).collect::<Result<_, _>>()?))
    }

    /// The chain in strict PEM, as RFC 8555 section 9.1 wants it downloaded.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.iter().map(Certificate::pem).collect()
    }

    /// The certificates without a self-signed root at the end, which clients have (RFC 8446 section 4.4.2). One that stands
    /// alone stays.
    #[must_use]
    pub fn below_root(&self) -> &[Certificate] {
        match self.0.split_last() {
            Some((last, below)) if !below.is_empty() && last.issuer_der() == last.subject_der() => below,
            Some(_) | None => &self.0,
        }
    }

    /// The certificates in order.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.0
    }
}
