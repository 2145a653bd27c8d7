//! Orders on the wire (RFC 8555 sections 7.1.3 and 7.4).

use serde::{Deserialize, Serialize};

use crate::base64url::{self, Base64UrlError};
use crate::identifier::RawIdentifier;
use crate::problem::Problem;
use crate::status::OrderStatus;

/// The payload of newOrder. Unknown members are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    /// What is to be certified.
    pub identifiers: Vec<RawIdentifier>,
    /// The certificate's notBefore (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// The certificate's notAfter (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// The certificate this one is to replace (RFC 9773 section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// The certificate profile, one of the directory's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// An order object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// How far the order is.
    pub status: OrderStatus,
    /// When it lapses (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// What was ordered.
    pub identifiers: Vec<RawIdentifier>,
    /// The notBefore that was asked for (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// The notAfter that was asked for (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// The certificate this one replaces (RFC 9773 section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// The certificate profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// URLs of the authorizations.
    pub authorizations: Vec<String>,
    /// Where the certification request goes.
    pub finalize: String,
    /// Where the certificate is, once issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// The payload of a POST to an order's finalize URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finalize {
    /// The certification request: base64url of its DER.
    pub csr: String,
}

impl Finalize {
    /// The payload for a certification request in DER.
    #[must_use]
    pub fn new(csr_der: &[u8]) -> Self {
        Self { csr: base64url::encode(csr_der) }
    }

    /// The certification request in DER, not looked into.
    ///
    /// # Errors
    ///
    /// [`Base64UrlError`] when `csr` is not base64url without padding.
    pub fn csr_der(&self) -> Result<Vec<u8>, Base64UrlError> {
        base64url::decode(&self.csr)
    }
}
