//! Refusals as HTTP answers (RFC 8555 section 6.7, RFC 9457).

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use certus_acme::{JwsError, Problem, ProblemKind};
use certus_ca::CaError;
use certus_ca::error::with_causes;
use http::{HeaderValue, StatusCode, header};

/// A refusal on its way to a client.
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    problem: Box<Problem>,
    retry_after: Option<Duration>,
    ours: Option<String>,
}

impl ErrorResponse {
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Problem::new(kind, detail).into()
    }

    pub(crate) fn with_status(kind: ProblemKind, status: StatusCode, detail: impl Into<String>) -> Self {
        Problem::new(kind, detail).with_status(status.as_u16()).into()
    }
}

impl From<Problem> for ErrorResponse {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), retry_after: None, ours: None }
    }
}

impl From<JwsError> for ErrorResponse {
    fn from(error: JwsError) -> Self {
        error.problem().into()
    }
}

impl From<CaError> for ErrorResponse {
    fn from(error: CaError) -> Self {
        let ours = error.is_ours().then(|| with_causes(&error));
        Self { problem: Box::new(Problem::from(&error)), retry_after: error.retry_after(), ours }
    }
}

/// What the edge logs of a refusal; see [`crate::edge`].
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) kind: ProblemKind,
    pub(crate) detail: String,
    /// The causes, when the fault is ours.
    pub(crate) ours: Option<String>,
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A problem is made of strings and numbers, so that writing it cannot fail.
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds(wait));
        }
        let Problem { kind, detail, instance, .. } = *self.problem;
        // RFC 8555 section 7.3.3: what a person is to do is to agree to these.
        let terms = instance.filter(|_| kind == ProblemKind::UserActionRequired);
        if let Some(terms) =
            terms.and_then(|url| HeaderValue::try_from(format!("<{url}>;rel=\"terms-of-service\"")).ok())
        {
            headers.append(header::LINK, terms);
        }
        response.extensions_mut().insert(Refusal { kind, detail, ours: self.ours });
        response
    }
}

/// Whole seconds, rounded up (RFC 9110 section 10.2.3).
pub(crate) fn seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}
