//! newAccount and accounts (RFC 8555 section 7.3).

use axum::extract::State;
use axum::response::Response;
use certus_acme::{AccountUpdate, NewAccount};
use certus_ca::CaError;
use certus_ca::ca::Opened;
use certus_ca::id::AccountId;
use http::StatusCode;

use super::{App, PathId, id_of, json, located};
use crate::error::ErrorResponse;
use crate::signed::{Json, JsonOrGet, Signed, SignedByKey};
use crate::view;

pub(super) async fn new_account(
    State(app): State<App>,
    signed: SignedByKey<Json<NewAccount>>,
) -> Result<Response, ErrorResponse> {
    let SignedByKey { key, payload: Json(wish), request } = signed;
    let (status, account) = match app.ca.new_account(request, &key, &wish).await? {
        Opened::Created(account) => (StatusCode::CREATED, account),
        Opened::Existing(account) => (StatusCode::OK, account),
    };
    Ok(located(json(status, &view::account(&account)), &app.urls.account(account.id)))
}

pub(super) async fn account(
    State(app): State<App>,
    PathId(id): PathId,
    signed: Signed<JsonOrGet<AccountUpdate>>,
) -> Result<Response, ErrorResponse> {
    let Signed { account, payload, request } = signed;
    if id_of(AccountId::parse(&id), "account")? != account.id {
        return Err(CaError::NotYours("account").into());
    }
    let account = match payload {
        JsonOrGet::Get => account,
        JsonOrGet::Json(update) => app.ca.update_account(request, &account, &update).await?,
    };
    Ok(json(StatusCode::OK, &view::account(&account)))
}
