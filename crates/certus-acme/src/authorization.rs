//! Authorizations on the wire (RFC 8555 sections 7.1.4 and 7.5).

use serde::{Deserialize, Serialize};

use crate::challenge::Challenge;
use crate::identifier::RawIdentifier;
use crate::status::AuthorizationStatus;

/// An authorization object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// What it is about; never with `*`.
    pub identifier: RawIdentifier,
    /// How far it is.
    pub status: AuthorizationStatus,
    /// When it lapses (RFC 3339); there for valid ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The ways to prove control; of a finished one, the way that decided it.
    pub challenges: Vec<Challenge>,
    /// True for a wildcard name, left out otherwise (erratum 6364).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wildcard: Option<bool>,
}

/// The payload of newAuthz (RFC 8555 section 7.4.1). Unknown members are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAuthorization {
    /// What control is to be proved of.
    pub identifier: RawIdentifier,
}

/// The payload of a POST to an authorization URL (RFC 8555 section 7.5.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationUpdate {
    /// `deactivated` gives the authorization up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}
