//! Changing an account's key (RFC 8555 section 7.3.5): the payload of the inner JWS.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The keyChange object, which the new key signs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyChange {
    /// The URL of the account.
    pub account: String,
    /// The account's key until now, as a JWK.
    #[serde(rename = "oldKey")]
    pub old_key: Box<RawValue>,
}
