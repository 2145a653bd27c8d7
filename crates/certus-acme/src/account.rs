//! Accounts on the wire (RFC 8555 sections 7.1.2 and 7.3).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::status::AccountStatus;

/// The payload of newAccount. Other members (`orders`, `status`, …) are ignored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewAccount {
    /// Contact URLs; see [`crate::contact::check_contact`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Vec<String>>,
    /// True when the client agrees to the terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service_agreed: Option<bool>,
    /// True to find an account without making one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_return_existing: Option<bool>,
    /// A JWS of its own (RFC 8555 section 7.3.4), as it was sent; read by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_account_binding: Option<Box<RawValue>>,
}

/// The payload of a POST to the account URL. Other members are ignored (RFC 8555 section 7.3.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountUpdate {
    /// True to agree to the present terms (RFC 8555 section 7.3.3).
    #[serde(default, rename = "termsOfServiceAgreed", skip_serializing_if = "Option::is_none")]
    pub terms_of_service_agreed: Option<bool>,
    /// The contacts that replace those before; an empty list leaves none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Vec<String>>,
    /// `deactivated` closes the account (RFC 8555 section 7.3.6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// An account object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Whether the account may be used.
    pub status: AccountStatus,
    /// Contact URLs, as they were given; left out when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<String>,
    /// True when the terms were agreed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service_agreed: Option<bool>,
    /// The external account binding that the account was made with, as it was sent (RFC 8555 section 7.3.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_account_binding: Option<AsSent>,
    /// URL of the account's orders, an [`Orders`]; empty (and left out) with servers that have no such list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub orders: String,
}

/// An account's orders, or a page of them (RFC 8555 section 7.1.2.1); Link rel="next" leads to the page behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// URLs of the orders.
    pub orders: Vec<String>,
}

/// JSON that is passed on to the character. Equal to what has the same characters.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AsSent(pub Box<RawValue>);

impl PartialEq for AsSent {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Eq for AsSent {}
