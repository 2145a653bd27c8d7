//! The statuses of accounts, orders, authorizations and challenges (RFC 8555 section 7.1.6).

use serde::{Deserialize, Serialize};

/// Status of an account (RFC 8555 section 7.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    /// In use.
    Valid,
    /// Closed by its owner.
    Deactivated,
    /// Closed by the authority.
    Revoked,
}

/// Status of an order (RFC 8555 section 7.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// Not all authorizations are valid yet.
    Pending,
    /// All authorizations are valid; `finalize` may be called.
    Ready,
    /// The certificate is being issued.
    Processing,
    /// The certificate is there.
    Valid,
    /// The order will never be fulfilled.
    Invalid,
}

/// Status of an authorization (RFC 8555 section 7.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorizationStatus {
    /// Control has not been proved yet.
    Pending,
    /// Control has been proved.
    Valid,
    /// A challenge failed.
    Invalid,
    /// Given up by the client.
    Deactivated,
    /// Was valid once; its time is over.
    Expired,
    /// Withdrawn by the authority.
    Revoked,
}

/// Status of a challenge (RFC 8555 section 7.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChallengeStatus {
    /// Waits for the client.
    Pending,
    /// Is being validated.
    Processing,
    /// Was met.
    Valid,
    /// Was not met.
    Invalid,
}

macro_rules! names {
    ($status:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $status {
            /// The status as the wire has it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl std::fmt::Display for $status {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names!(AccountStatus { Valid => "valid", Deactivated => "deactivated", Revoked => "revoked" });
names!(OrderStatus {
    Pending => "pending", Ready => "ready", Processing => "processing", Valid => "valid", Invalid => "invalid",
});
names!(AuthorizationStatus {
    Pending => "pending", Valid => "valid", Invalid => "invalid", Deactivated => "deactivated",
    Expired => "expired", Revoked => "revoked",
});
names!(ChallengeStatus { Pending => "pending", Processing => "processing", Valid => "valid", Invalid => "invalid" });
