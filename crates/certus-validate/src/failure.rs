//! How a validation goes wrong, in the words of [`ValidationError`].
//!
//! Deliberately absent: anything a stranger's server sent. Details name addresses and URLs, never body bytes.

use std::future::Future;

use certus_acme::{Problem, ProblemKind};
use certus_ca::ports::ValidationError;
use tokio::time::Instant;

/// The world's fault: final.
pub(crate) fn failed(kind: ProblemKind, detail: impl Into<String>) -> ValidationError {
    ValidationError::Failed(Problem::new(kind, detail))
}

/// Our fault: tried again.
pub(crate) fn ours(detail: impl Into<String>) -> ValidationError {
    ValidationError::Ours { detail: detail.into() }
}

/// Waits for `work` until the deadline; past it `connection` (RFC 8555 section 6.7), with what was waited for.
pub(crate) async fn within<T>(
    deadline: Instant,
    waited_for: impl FnOnce() -> String,
    work: impl Future<Output = Result<T, ValidationError>>,
) -> Result<T, ValidationError> {
    match tokio::time::timeout_at(deadline, work).await {
        Ok(result) => result,
        Err(_elapsed) => Err(failed(ProblemKind::Connection, format!("time ran out while {}", waited_for()))),
    }
}
