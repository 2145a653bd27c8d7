//! What the authority refuses, and the one translation of that to what a client sees.

use std::time::Duration;

use certus_acme::{Identifier, Problem, ProblemKind};

use crate::limits;
use crate::ports::StoreError;
use crate::rate_limits::{self, Excess};
use crate::vault::VaultError;

/// An error with all that led to it, in one line for the log.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Why the authority did not do what a client asked.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The client's fault, in words for the client.
    #[error("{0}")]
    Refused(Problem),
    /// There is no such thing.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The thing belongs to another account.
    #[error("the {0} belongs to another account")]
    NotYours(&'static str),
    /// The terms of service must be agreed to first; the URL of the present ones (RFC 8555 section 7.3.3).
    #[error("the terms of service at {0} are not agreed to")]
    Terms(String),
    /// A rate limit was reached: 429, with when to come again (RFC 8555 section 6.6).
    #[error("a rate limit was reached")]
    Limited {
        /// Every limit that stands against the request.
        excesses: Vec<Excess>,
        /// The identifiers that the request names.
        identifiers: Vec<Identifier>,
    },
    /// A queue is full.
    #[error("{0}")]
    Busy(&'static str),
    /// Others kept writing the same thing.
    #[error("gave up after {} conflicting writes", limits::MAX_CONFLICTS)]
    Contended,
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// A secret of the store cannot be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A rule of our own is broken: a bug, or a store that was tampered with.
    #[error("{0}")]
    Internal(String),
}

impl From<StoreError> for CaError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Limited(excesses) => Self::Limited { excesses, identifiers: Vec::new() },
            other @ (StoreError::Conflict
            | StoreError::LeaseLost
            | StoreError::Inconsistent { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Unavailable { .. }) => Self::Store(other),
        }
    }
}

impl CaError {
    /// The same, with the identifiers that the request names, of which a limit may be.
    #[must_use]
    pub(crate) fn about(self, identifiers: &[Identifier]) -> Self {
        match self {
            Self::Limited { excesses, .. } => Self::Limited { excesses, identifiers: identifiers.to_vec() },
            other @ (Self::Refused(_)
            | Self::NotFound(_)
            | Self::NotYours(_)
            | Self::Terms(_)
            | Self::Busy(_)
            | Self::Contended
            | Self::Store(_)
            | Self::Vault(_)
            | Self::Internal(_)) => other,
        }
    }

    /// A refusal of that kind.
    pub fn refused(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self::Refused(Problem::new(kind, detail))
    }

    /// A malformed request.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::refused(ProblemKind::Malformed, detail)
    }

    /// The account was deactivated: 401 (RFC 8555 section 7.3.6).
    #[must_use]
    pub fn deactivated() -> Self {
        let detail = "the account of this key was deactivated; make a new account with another key";
        Self::Refused(Problem::new(ProblemKind::Unauthorized, detail).with_status(401))
    }

    /// When the client should come again, if that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(_) | Self::Contended | Self::Store(_) => Some(limits::BUSY_AFTER),
            // RFC 8555 section 6.6: when all limits allow it again.
            Self::Limited { excesses, .. } => {
                excesses.iter().map(|excess| excess.again.duration_since(excess.judged)).max()
            }
            Self::Refused(problem) if problem.kind == ProblemKind::RateLimited => Some(limits::BUSY_AFTER),
            Self::Refused(_)
            | Self::NotFound(_)
            | Self::NotYours(_)
            | Self::Terms(_)
            | Self::Vault(_)
            | Self::Internal(_) => None,
        }
    }

    /// Whether the fault is ours: to be logged with its causes.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Store(_) | Self::Vault(_) | Self::Internal(_) | Self::Contended => true,
            Self::Refused(_)
            | Self::NotFound(_)
            | Self::NotYours(_)
            | Self::Terms(_)
            | Self::Limited { .. }
            | Self::Busy(_) => false,
        }
    }
}

/// The one translation. Nothing internal goes into a problem.
impl From<&CaError> for Problem {
    fn from(error: &CaError) -> Self {
        match error {
            CaError::Refused(problem) => problem.clone(),
            CaError::NotFound(what) => {
                Self::new(ProblemKind::Malformed, format!("there is no such {what}; check the URL")).with_status(404)
            }
            CaError::NotYours(what) => {
                Self::new(ProblemKind::Unauthorized, format!("this {what} belongs to another account"))
            }
            CaError::Terms(url) => {
                let detail = format!("read the terms of service at {url} and agree to them: send termsOfServiceAgreed");
                Self { instance: Some(url.clone()), ..Self::new(ProblemKind::UserActionRequired, detail) }
            }
            CaError::Limited { excesses, identifiers } => rate_limits::problem(excesses, identifiers),
            CaError::Busy(detail) => Self::new(ProblemKind::RateLimited, *detail).with_status(503),
            CaError::Contended | CaError::Store(_) => Self::new(
                ProblemKind::ServerInternal,
                "the authority cannot read or write its records at the moment; try again later",
            )
            .with_status(503),
            CaError::Vault(_) | CaError::Internal(_) => Self::new(
                ProblemKind::ServerInternal,
                "the authority failed; its log has more under the request id (X-Request-Id)",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_detail_stays_inside() {
        let cause = std::io::Error::other("password=hunter2 at /var/lib");
        for error in [
            CaError::Store(StoreError::unavailable("host 10.0.0.1", cause)),
            CaError::Internal("row 17 of account".into()),
        ] {
            let problem = Problem::from(&error);
            assert_eq!(problem.kind, ProblemKind::ServerInternal);
            assert!(!problem.detail.contains("10.0.0.1") && !problem.detail.contains("row 17"), "{}", problem.detail);
            assert!(error.is_ours());
        }
    }

    #[test]
    fn whoever_should_come_again_is_told_when() {
        assert!(CaError::Busy("full").retry_after().is_some());
        let busy = Problem::from(&CaError::Busy("full"));
        assert_eq!((busy.kind, busy.status), (ProblemKind::RateLimited, 503));
        assert!(CaError::Contended.retry_after().is_some());
        assert!(CaError::malformed("x").retry_after().is_none());
    }
}
