//! Revoking a certificate (RFC 8555 section 7.6): the payload of a POST to revokeCert.

use serde::{Deserialize, Serialize};

use crate::base64url::{self, Base64UrlError};

/// The revokeCert object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeCert {
    /// The certificate: base64url of its DER.
    pub certificate: String,
    /// The number of `CRLReason` (RFC 5280 section 5.3.1); none is "unspecified".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<i64>,
}

impl RevokeCert {
    /// The payload for a certificate in DER.
    #[must_use]
    pub fn new(certificate_der: &[u8], reason: Option<i64>) -> Self {
        Self { certificate: base64url::encode(certificate_der), reason }
    }

    /// The certificate in DER, not looked into.
    ///
    /// # Errors
    ///
    /// [`Base64UrlError`] when `certificate` is not base64url without padding.
    pub fn certificate_der(&self) -> Result<Vec<u8>, Base64UrlError> {
        base64url::decode(&self.certificate)
    }
}
