//! The directory and newNonce (RFC 8555 sections 7.1.1 and 7.2).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use certus_acme::{Directory, DirectoryMeta};
use http::{Method, StatusCode};

use super::{App, KEY_CHANGE, NEW_ACCOUNT, NEW_AUTHZ, NEW_NONCE, NEW_ORDER, RENEWAL_INFO, REVOKE_CERT, json};
use crate::signed::{PostAsGet, Signed};

/// Names what answers, and nothing else.
pub(super) async fn read(State(app): State<App>) -> Response {
    let directory = Directory {
        new_nonce: app.urls.of(NEW_NONCE),
        new_account: app.urls.of(NEW_ACCOUNT),
        new_order: app.urls.of(NEW_ORDER),
        new_authz: Some(app.urls.of(NEW_AUTHZ)),
        revoke_cert: Some(app.urls.of(REVOKE_CERT)),
        key_change: Some(app.urls.of(KEY_CHANGE)),
        renewal_info: Some(app.urls.of(RENEWAL_INFO)),
        meta: Some(DirectoryMeta {
            terms_of_service: app.ca.service().terms_of_service.clone(),
            website: app.ca.service().website.clone(),
            external_account_required: app.ca.service().external_account_required.then_some(true),
            caa_identities: caa_identities(&app),
            profiles: Some(app.ca.profiles()),
        }),
    };
    json(StatusCode::OK, &directory)
}

/// The names that records give this authority; left out where it has none.
fn caa_identities(app: &App) -> Option<Vec<String>> {
    let names: Vec<String> = app.ca.service().caa_identities.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then_some(names)
}

pub(super) async fn read_signed(state: State<App>, _: Signed<PostAsGet>) -> Response {
    read(state).await
}

/// RFC 8555 section 7.2: 200 to HEAD, 204 to GET; the nonce is in the header that every answer has.
pub(super) async fn new_nonce(method: Method) -> Response {
    if method == Method::HEAD { StatusCode::OK } else { StatusCode::NO_CONTENT }.into_response()
}

pub(super) async fn new_nonce_signed(_: Signed<PostAsGet>) -> Response {
    StatusCode::NO_CONTENT.into_response()
}
