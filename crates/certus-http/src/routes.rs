//! The whole URL map on one screen.

mod account;
mod authorization;
mod binding;
mod certificate;
mod challenge;
mod directory;
mod key_change;
mod limits;
mod order;
mod renewal_info;
mod revocation;

use axum::Router;
use axum::extract::{FromRequestParts, Path};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use certus_acme::ProblemKind;
use certus_ca::Ca;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::edge;
use crate::error::ErrorResponse;
use crate::limits as bounds;
use crate::places::Places;
use crate::urls::{self, Urls};

pub(crate) const NEW_NONCE: &str = "/acme/new-nonce";
pub(crate) const NEW_ACCOUNT: &str = "/acme/new-account";
pub(crate) const NEW_ORDER: &str = "/acme/new-order";
pub(crate) const KEY_CHANGE: &str = "/acme/key-change";
pub(crate) const REVOKE_CERT: &str = "/acme/revoke-cert";
pub(crate) const RENEWAL_INFO: &str = "/acme/renewal-info";
pub(crate) const NEW_AUTHZ: &str = "/acme/new-authz";

/// What handlers work with.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) ca: Ca,
    pub(crate) urls: Urls,
    pub(crate) index_link: HeaderValue,
    /// About limits, for people (RFC 8555 section 6.6).
    pub(crate) help_link: HeaderValue,
    pub(crate) requests: Places,
}

/// The ACME service of an authority.
pub fn acme(ca: Ca, urls: Urls) -> Router {
    let index_link = link(&urls.directory(), "index");
    let requests = Places::new(bounds::MAX_REQUESTS, bounds::MAX_REQUESTS_PER_SOURCE);
    let help = ca.rate_limits().help_url.clone().unwrap_or_else(|| urls.of(urls::LIMITS));
    let app = App { ca, urls, index_link, help_link: link(&help, "help"), requests };
    Router::new()
        .route(urls::DIRECTORY, get(directory::read).post(directory::read_signed))
        .route(urls::LIMITS, get(limits::page))
        .route(NEW_NONCE, get(directory::new_nonce).post(directory::new_nonce_signed))
        .route(NEW_ACCOUNT, post(account::new_account))
        .route("/acme/acct/{id}", post(account::account))
        .route("/acme/acct/{id}/orders", post(account::orders))
        .route(KEY_CHANGE, post(key_change::key_change))
        .route(REVOKE_CERT, post(revocation::revoke))
        .route(NEW_AUTHZ, post(authorization::new_authorization))
        .route(NEW_ORDER, post(order::new_order))
        .route("/acme/order/{id}", post(order::read))
        .route("/acme/order/{id}/finalize", post(order::finalize))
        .route("/acme/authz/{id}", post(authorization::authorization))
        .route("/acme/chall/{id}", post(challenge::challenge))
        .route("/acme/cert/{id}", post(certificate::read))
        .route("/acme/cert/{id}/{chain}", post(certificate::read_alternate))
        .route(RENEWAL_INFO, get(renewal_info::of_nothing))
        .route("/acme/renewal-info/{id}", get(renewal_info::read))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(app.clone(), edge::edge))
        .with_state(app)
}

async fn not_found() -> ErrorResponse {
    let detail = "there is no such resource; start at the directory";
    ErrorResponse::with_status(ProblemKind::Malformed, StatusCode::NOT_FOUND, detail)
}

/// RFC 8555 section 6.3, RFC 9773 section 4.1: GET is for the directory, newNonce and renewal information alone.
async fn wrong_method() -> ErrorResponse {
    let detail = "this method is not for this resource; resources are read by POST-as-GET (RFC 8555 section 6.3), renewal information \
                  by GET";
    ErrorResponse::with_status(ProblemKind::Malformed, StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// A JSON answer.
fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    // Wire objects are made of strings, so that writing them cannot fail.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A Link header field (RFC 8288).
fn link(url: &str, relation: &str) -> HeaderValue {
    // The URLs are our own: https, a host and base64url.
    HeaderValue::try_from(format!("<{url}>;rel=\"{relation}\"")).unwrap_or(HeaderValue::from_static(""))
}

/// Sets the Location header field.
fn located(mut response: Response, url: &str) -> Response {
    if let Ok(url) = HeaderValue::try_from(url) {
        response.headers_mut().insert(header::LOCATION, url);
    }
    response
}

/// What stands for `{id}` in the path, or for several such. Text that is not even text names nothing.
#[derive(Debug)]
struct PathId<T = String>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorResponse> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(not_found().await),
        }
    }
}

/// An id out of a path; what is no id names nothing.
fn id_of<T>(parsed: Option<T>, what: &'static str) -> Result<T, ErrorResponse> {
    parsed.ok_or_else(|| certus_ca::CaError::NotFound(what).into())
}
