//! What a running authority tells of itself over the control socket. The same types are written and read.

use certus_ca::ports::{CertificateEntry, Page};
use serde::{Deserialize, Serialize};

/// What the authority is and how it stands. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) pid: u32,
    pub(crate) started: String,
    pub(crate) uptime_seconds: u64,
    pub(crate) external_url: String,
    pub(crate) directory_url: String,
    pub(crate) pki_url: String,
    pub(crate) listen: String,
    pub(crate) pki_listen: String,
    pub(crate) store: StoreStatus,
    pub(crate) tls_certificate_not_after: String,
    pub(crate) issuers: Vec<IssuerStatus>,
    pub(crate) profiles: Vec<ProfileStatus>,
    pub(crate) crls: Vec<CrlStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreStatus {
    pub(crate) url: String,
    /// Whether it answers and can be written to.
    pub(crate) ok: bool,
    /// Why not.
    pub(crate) problem: Option<String>,
    /// The newest time it bears.
    pub(crate) newest_entry: Option<String>,
    /// Whether the clock is behind that time by more than is forgiven.
    pub(crate) clock_behind: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IssuerStatus {
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) not_after: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProfileStatus {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) lifetime_seconds: u64,
    pub(crate) default: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CrlStatus {
    pub(crate) issuer: String,
    pub(crate) shard: u32,
    pub(crate) number: u64,
    pub(crate) this_update: String,
    pub(crate) next_update: String,
}

/// A page of the certificates the authority has issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Certificates {
    pub(crate) certificates: Vec<CertificateStatus>,
    /// What to pass as `--after` for the next page; `null` at the end.
    pub(crate) next: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CertificateStatus {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) serial: String,
    pub(crate) names: Vec<String>,
    pub(crate) profile: String,
    pub(crate) not_after: String,
    pub(crate) revoked: Option<String>,
}

/// A certificate that was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revoked {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) serial: String,
    pub(crate) names: Vec<String>,
    pub(crate) revoked: String,
    /// The number of `CRLReason` (RFC 5280 section 5.3.1); `null` is unspecified.
    pub(crate) reason: Option<u8>,
    pub(crate) key_blocked: bool,
}

/// An account that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RevokedAccount {
    /// Its id, the last part of its URL.
    pub(crate) account: String,
    /// `revoked`, or `deactivated` when its owner was first.
    pub(crate) status: String,
    /// Since when, RFC 3339 in UTC.
    pub(crate) since: String,
}

/// A key that is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blocked {
    /// SHA-256 of its subjectPublicKeyInfo, hexadecimal.
    pub(crate) spki_sha256: String,
}

impl From<Page<CertificateEntry>> for Certificates {
    fn from(page: Page<CertificateEntry>) -> Self {
        let entry = |entry: CertificateEntry| CertificateStatus {
            id: entry.id.to_string(),
            issuer: entry.issuer,
            serial: entry.serial.to_string(),
            names: entry.names,
            profile: entry.profile,
            not_after: entry.not_after.rfc3339(),
            revoked: entry.revoked.map(|at| at.rfc3339()),
        };
        Self { certificates: page.entries.into_iter().map(entry).collect(), next: page.next }
    }
}
