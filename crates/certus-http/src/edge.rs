//! What every answer of the ACME service has, whatever made it: request id, nonce, link, and a log line.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use certus_acme::ProblemKind;
use certus_ca::CaError;
use certus_ca::id::RequestId;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};

use crate::error::{ErrorResponse, Refusal};
use crate::limits;
use crate::places::Source;
use crate::routes::{App, NEW_NONCE};
use crate::urls;

/// RFC 8555 section 6.5.1.
const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");
/// In every answer, and in the log line of it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header fields of ACME that scripts in browsers may read.
const FOR_BROWSERS: &str = "Link, Location, Replay-Nonce, Retry-After";

/// The id the edge gave to a request.
pub(crate) fn request_id(request: &Request<Body>) -> RequestId {
    request.extensions().get::<RequestId>().copied().unwrap_or_else(RequestId::random)
}

/// Wraps every route.
pub(crate) async fn edge(State(app): State<App>, mut request: Request<Body>, next: Next) -> Response {
    let id = RequestId::random();
    request.extensions_mut().insert(id);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = if is_preflight(&request) { preflight() } else { answer(&app, request, next).await };
    log(id, method.as_str(), &path, &response);

    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    // RFC 8555 section 6.1: clients in browsers of any origin. Nothing here rests on cookies or the like.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(FOR_BROWSERS));
    // RFC 8555 section 6.5: every answer to a POST, and newNonce. Errors too, so that a client can go on.
    if method == Method::POST || path == NEW_NONCE {
        if let Ok(nonce) = HeaderValue::try_from(app.ca.nonces().issue(app.ca.now())) {
            headers.insert(REPLAY_NONCE, nonce);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    // RFC 8555 section 6.6: about limits, for people.
    let limited =
        response.extensions().get::<Refusal>().is_some_and(|refusal| refusal.kind == ProblemKind::RateLimited);
    if limited {
        response.headers_mut().append(header::LINK, app.help_link.clone());
    }
    // RFC 8555 section 7.1: on every resource but the directory.
    if path != urls::DIRECTORY {
        response.headers_mut().append(header::LINK, app.index_link.clone());
    }
    response
}

/// What the resource answers, if there is a place for the request ([`limits::MAX_REQUESTS`]).
async fn answer(app: &App, request: Request<Body>, next: Next) -> Response {
    // Who accepts connections says where they come from.
    let source = request.extensions().get::<Source>().copied().unwrap_or(Source::UNKNOWN);
    let Some(_place) = app.requests.enter(source) else {
        // RFC 8555 section 6.6: as of any limit, with the time to come again; 503, since it need not be of the client's
        // making.
        return ErrorResponse::from(CaError::Busy("too many requests are being answered; try again later"))
            .into_response();
    };
    // A panic is a bug; it ends this request and no other.
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => ErrorResponse::from(CaError::Internal("answering it panicked".to_owned())).into_response(),
    }
}

/// Whether a browser asks if it may ask (the Fetch standard, "CORS-preflight request").
fn is_preflight(request: &Request<Body>) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// It may, whatever the resource: what cannot be had is said in answer to the request itself.
fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
        // Two hours: as long as browsers remember at most.
        (header::ACCESS_CONTROL_MAX_AGE, "7200"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn log(id: RequestId, method: &str, path: &str, response: &Response) {
    let (method, path, status) = (&*short(method), &*short(path), response.status().as_u16());
    match response.extensions().get::<Refusal>() {
        None => tracing::debug!(request.id = %id, method, path, status, "answered"),
        Some(Refusal { kind, detail, ours: None }) => {
            let detail = &*short(detail);
            tracing::info!(request.id = %id, method, path, status, problem = %kind, detail, "refused");
        }
        Some(Refusal { kind, ours: Some(causes), .. }) => {
            tracing::error!(request.id = %id, method, path, status, problem = %kind, causes, "failed");
        }
    }
}

/// What of a stranger's text goes into the log: its beginning, and nothing that moves a terminal's cursor.
fn short(text: &str) -> Cow<'_, str> {
    let end = text.char_indices().nth(limits::MAX_LOGGED).map_or(text.len(), |(end, _)| end);
    let text = text.get(..end).unwrap_or_default();
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let plain = |character: char| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
    Cow::Owned(text.chars().map(plain).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_is_logged_in_short_and_plain() {
        assert_eq!(short("/acme/new-order"), "/acme/new-order");
        assert_eq!(short(&"é".repeat(10_000)), "é".repeat(limits::MAX_LOGGED));
        assert_eq!(short("a\nb\u{1b}[2Jc\u{9b}d"), "a\u{fffd}b\u{fffd}[2Jc\u{fffd}d");
    }
}
