//! Challenges on the wire (RFC 8555 sections 7.1.5 and 8).

use serde::{Deserialize, Serialize};

use crate::challenge_type::ChallengeType;
use crate::problem::Problem;
use crate::status::ChallengeStatus;

/// A challenge object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The type's registered name; a text, because another server may offer types not known here.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where the client answers.
    pub url: String,
    /// How far it is.
    pub status: ChallengeStatus,
    /// The token; empty (and left out) with types that have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// When it was met (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validated: Option<String>,
    /// Why it was not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

impl Challenge {
    /// The type, where it is known here.
    #[must_use]
    pub fn challenge_type(&self) -> Option<ChallengeType> {
        ChallengeType::from_name(&self.kind)
    }
}
