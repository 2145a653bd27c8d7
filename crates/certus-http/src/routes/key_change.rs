//! keyChange (RFC 8555 section 7.3.5).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use certus_acme::{FlattenedJws, Jwk, KeyChange, KeyReference, ProblemKind, strict_object};
use certus_ca::ca::KeyChanged;
use certus_ca::state::Account;
use certus_pki::check_account_key;
use http::StatusCode;

use super::{App, KEY_CHANGE, json, located};
use crate::error::ErrorResponse;
use crate::signed::{Payload, Signed};
use crate::view;

/// The inner JWS, not yet verified.
#[derive(Debug)]
pub(super) struct Inner(FlattenedJws);

impl Payload for Inner {
    fn read(payload: &[u8]) -> Result<Self, ErrorResponse> {
        FlattenedJws::parse(payload).map(Self).map_err(|error| {
            malformed(format!("the payload must be a JWS signed by the new key (RFC 8555 section 7.3.5): {error}"))
        })
    }
}

pub(super) async fn key_change(State(app): State<App>, signed: Signed<Inner>) -> Result<Response, ErrorResponse> {
    let Signed { account, payload: Inner(inner), request } = signed;
    let new = verify(&app, &account, inner)?;
    let old = account.key.thumbprint();
    Ok(match app.ca.change_key(request, account.id, &old, &new).await? {
        KeyChanged::Done(account) => {
            located(json(StatusCode::OK, &view::account(&app.urls, &account)), &app.urls.account(account.id))
        }
        KeyChanged::InUse(other) => {
            let detail = "the new key is that of an account already, which Location names; make another key";
            let refused = ErrorResponse::with_status(ProblemKind::Malformed, StatusCode::CONFLICT, detail);
            located(refused.into_response(), &app.urls.account(other))
        }
    })
}

/// The checks of RFC 8555 section 7.3.5, in its order; what the outer JWS is checked for was checked before. Returns the new
/// key.
fn verify(app: &App, account: &Account, inner: FlattenedJws) -> Result<Jwk, ErrorResponse> {
    let algorithm = inner.algorithm()?;
    let KeyReference::Jwk(new) = inner.key_reference()? else {
        return Err(malformed("the inner JWS must have \"jwk\", the new key, not \"kid\""));
    };
    if inner.header().nonce.is_some() {
        return Err(malformed("the inner JWS must not have a \"nonce\"; the outer one has it"));
    }
    let url = app.urls.of(KEY_CHANGE);
    if inner.url()? != url {
        return Err(malformed(format!("the inner JWS must have the \"url\" of the outer one, {url:?}")));
    }
    let verified = inner.verify(new.public_key(), algorithm)?;
    let KeyChange { account: named, old_key } =
        strict_object(verified.payload()).map_err(|error| ErrorResponse::from(error.problem()))?;
    if app.urls.account_of(&named) != Some(account.id) {
        return Err(malformed(
            "\"account\" of the inner payload must be the account URL that the outer JWS has as \"kid\"",
        ));
    }
    let old = Jwk::parse(old_key.get()).map_err(|error| malformed(format!("\"oldKey\" cannot be read: {error}")))?;
    // As keys: members in another order, and further ones, change nothing.
    if old.thumbprint() != account.key.thumbprint() {
        return Err(malformed("\"oldKey\" is not the account's key"));
    }
    check_account_key(new.public_key())
        .map_err(|refused| ErrorResponse::new(ProblemKind::BadPublicKey, refused.to_string()))?;
    Ok(new)
}

fn malformed(detail: impl Into<String>) -> ErrorResponse {
    ErrorResponse::new(ProblemKind::Malformed, detail)
}
