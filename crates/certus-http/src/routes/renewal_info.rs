//! Renewal information (RFC 9773 section 4): the one resource beside the directory and newNonce that anybody may GET.

use axum::extract::State;
use axum::response::Response;
use certus_acme::{CertId, ProblemKind, RenewalInfo, SuggestedWindow};
use certus_ca::ca::Renewal;
use http::{HeaderValue, StatusCode, header};

use super::{App, PathId, json};
use crate::error::{ErrorResponse, seconds};

/// How long caches may answer in our place: a minute, which takes the load of clients that ask more often than they are told
/// to, and is nothing beside the hours after which the others come (RFC 9773 section 6).
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=60");

pub(super) async fn read(State(app): State<App>, PathId(id): PathId) -> Result<Response, ErrorResponse> {
    let id = CertId::parse(&id).map_err(|error| {
        let detail = format!("the last part of the URL names no certificate (RFC 9773 section 4.1): {error}");
        ErrorResponse::new(ProblemKind::Malformed, detail)
    })?;
    let Renewal { window, explanation_url, ask_again } = app.ca.renewal(&id).await?;
    let suggested_window = SuggestedWindow { start: window.start().rfc3339(), end: window.end().rfc3339() };
    let mut response = json(StatusCode::OK, &RenewalInfo { suggested_window, explanation_url });
    response.headers_mut().insert(header::RETRY_AFTER, seconds(ask_again));
    response.headers_mut().insert(header::CACHE_CONTROL, CACHED);
    Ok(response)
}

/// The URL of the directory alone.
pub(super) async fn of_nothing() -> ErrorResponse {
    let detail = "append a slash and the certificate's id to this URL (RFC 9773 section 4.1)";
    ErrorResponse::new(ProblemKind::Malformed, detail)
}
