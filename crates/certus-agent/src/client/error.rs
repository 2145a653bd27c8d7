//! Why a call to an authority came to nothing.

use std::time::Duration;

use certus_acme::{Problem, ProblemKind};
use certus_pki::CryptoError;

use super::http::HttpError;
use crate::link::LinkError;
use crate::shown::told;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There was no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The authority said no.
    #[error("{host} refused: {}{}", told(problem), again(*retry_after))]
    Refused {
        /// The authority's host.
        host: String,
        /// What it said. Its texts are as they came.
        problem: Box<Problem>,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// A status without a problem document: of a proxy, mostly.
    #[error("{host} answered with status {status} and did not say why{}", again(*retry_after))]
    Status {
        /// The authority's host.
        host: String,
        /// The status code.
        status: u16,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The answer is not what RFC 8555 says it is.
    #[error("what {url} answered cannot be used: {why}")]
    Form {
        /// What was asked.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A URL that is not asked.
    #[error("the authority sent a URL that is not asked: {0}")]
    Link(#[from] LinkError),
    /// The account's key could not sign.
    #[error("the account's key cannot sign")]
    Sign(#[from] CryptoError),
}

fn again(retry_after: Option<Duration>) -> String {
    retry_after.map(|wait| format!("; it may be asked again in {} s", wait.as_secs())).unwrap_or_default()
}

impl ClientError {
    /// The kind of problem, where the authority said one.
    #[must_use]
    pub fn kind(&self) -> Option<ProblemKind> {
        match self {
            Self::Refused { problem, .. } => Some(problem.kind),
            Self::Http(_) | Self::Status { .. } | Self::Form { .. } | Self::Link(_) | Self::Sign(_) => None,
        }
    }

    /// Whether the same request may succeed later, though nothing else has changed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Http(HttpError::NoAnswer { .. } | HttpError::TimedOut { .. }) => true,
            Self::Refused { problem, .. } => {
                matches!(problem.kind, ProblemKind::RateLimited | ProblemKind::BadNonce) || problem.status >= 500
            }
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::Http(HttpError::Roots(_) | HttpError::Untrusted { .. } | HttpError::TooLarge { .. })
            | Self::Form { .. }
            | Self::Link(_)
            | Self::Sign(_) => false,
        }
    }

    /// When the authority wants to be asked again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } | Self::Status { retry_after, .. } => *retry_after,
            Self::Http(_) | Self::Form { .. } | Self::Link(_) | Self::Sign(_) => None,
        }
    }
}
